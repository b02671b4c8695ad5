/* Zone files of the host: names, loading, where the local name comes from, the version. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/tzdata.h"

static char folder[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/chime-tzdata-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "localtime", "timezone", "tzdata.zi", "+VERSION",
					     "Big", "Broken", "Empty", "Folder" };
	char path[128];

	(void)state;
	unsetenv("TZDIR");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		remove(path);
	}
	return rmdir(folder);
}

static void write_file(const char *name, const void *bytes, size_t len)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

static void test_names(void **state)
{
	static const char *const good[] = {
		"UTC", "Europe/Berlin", "Etc/GMT+5", "America/Port-au-Prince",
		"America/Argentina/Buenos_Aires", "a..b",
	};
	static const char *const bad[] = {
		"", "/", "/etc/passwd", "..", ".", "../x", "a/../b", "a/..", "./a", "a//b", "a/",
		"a b", "a\nb", "%s", "Europe\\Berlin", "\xc3\xa4",
	};
	char name[80];
	struct zone *z;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(tzdata_name_valid(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(tzdata_name_valid(bad[i]));
		assert_int_equal(tzdata_load(bad[i], &z), -EINVAL);
		assert_null(z);
	}
	memset(name, 'a', sizeof name);
	name[64] = '\0';
	assert_true(tzdata_name_valid(name));
	name[64] = 'a';
	name[65] = '\0';
	assert_false(tzdata_name_valid(name));
}

static void test_load(void **state)
{
	struct civil c;
	struct zone *z;
	int32_t utoff_s;

	(void)state;
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) < 0)
		skip();
	unsetenv("TZDIR");
	assert_int_equal(tzdata_load("Europe/Berlin", &z), 0);
	zone_to_civil(z, 1711846800, &c, &utoff_s);
	assert_int_equal(utoff_s, 7200);
	assert_int_equal(c.hour, 3);
	zone_free(z);
	assert_int_equal(tzdata_load("Europe/Bonn", &z), -ENOENT);
	assert_int_equal(tzdata_load("Europe", &z), -ENOENT);
	assert_int_equal(tzdata_load("Europe/Berlin/x", &z), -ENOENT);
	assert_int_equal(tzdata_load("zone.tab", &z), -EINVAL);
	if (access("/usr/share/zoneinfo/right/UTC", R_OK) == 0)
		assert_int_equal(tzdata_load("right/UTC", &z), -ENOTSUP);
}

static void test_own_folder(void **state)
{
	static char big[(1 << 20) + 1];
	struct civil c;
	struct zone *z;
	int32_t utoff_s;
	char path[128];

	(void)state;
	setenv("TZDIR", folder, 1);
	write_file("Big", big, sizeof big);
	write_file("Broken", "TZif2", 5);
	write_file("Empty", "", 0);
	snprintf(path, sizeof path, "%s/Folder", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(tzdata_load("Big", &z), -EFBIG);
	assert_int_equal(tzdata_load("Broken", &z), -EINVAL);
	assert_int_equal(tzdata_load("Empty", &z), -EINVAL);
	assert_int_equal(tzdata_load("Folder", &z), -ENOENT);
	assert_int_equal(tzdata_load("Europe/Berlin", &z), -ENOENT);
	assert_int_equal(tzdata_load("Etc/UTC", &z), 0);
	zone_to_civil(z, 86399, &c, &utoff_s);
	assert_int_equal(utoff_s, 0);
	assert_int_equal(c.second, 59);
	zone_free(z);
}

static void check_local(const char *expected)
{
	char localtime_path[128], timezone_path[128], name[TZDATA_NAME_MAX + 1];

	snprintf(localtime_path, sizeof localtime_path, "%s/localtime", folder);
	snprintf(timezone_path, sizeof timezone_path, "%s/timezone", folder);
	assert_int_equal(tzdata_name_from(localtime_path, timezone_path, name, sizeof name), 0);
	assert_string_equal(name, expected);
}

static void link_to(const char *target)
{
	char path[128];

	snprintf(path, sizeof path, "%s/localtime", folder);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static void test_local_name(void **state)
{
	char name[TZDATA_NAME_MAX + 1], tiny[2];

	(void)state;
	check_local("UTC");
	write_file("timezone", "Asia/Tokyo\n", 11);
	check_local("Asia/Tokyo");
	link_to("/usr/share/zoneinfo/Europe/Berlin");
	check_local("Europe/Berlin");
	link_to("../usr/share/zoneinfo/posix/America/New_York");
	check_local("America/New_York");
	link_to("/usr/share/zoneinfo/../../../etc/passwd");
	check_local("Asia/Tokyo");
	link_to("/somewhere/else");
	check_local("Asia/Tokyo");
	write_file("timezone", "../x\n", 5);
	check_local("UTC");
	assert_int_equal(tzdata_local_name(name, sizeof name), 0);
	assert_true(tzdata_name_valid(name));
	assert_int_equal(tzdata_local_name(tiny, sizeof tiny), -ERANGE);
}

static void test_version(void **state)
{
	char version[TZDATA_VERSION_SIZE];

	(void)state;
	setenv("TZDIR", folder, 1);
	tzdata_version(version);
	assert_string_equal(version, "unknown");
	write_file("+VERSION", "2024a\n", 6);
	tzdata_version(version);
	assert_string_equal(version, "2024a");
	write_file("tzdata.zi", "# version 2025b\n# more\n", 23);
	tzdata_version(version);
	assert_string_equal(version, "2025b");
	write_file("tzdata.zi", "Z nothing\n", 10);
	tzdata_version(version);
	assert_string_equal(version, "2024a");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_load, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_own_folder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_local_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_version, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
