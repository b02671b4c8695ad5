/*
 * Zones: the reader of TZif bytes against hand-made files, hostile ones and, when the host has
 * zone data, against localtime_r for every zone there is.
 */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/core/zone.h"
#include "daemon/core/zonerule.h"
#include "daemon/tzdata.h"

static int64_t utc(int year, int month, int day, int hour, int minute)
{
	return civil_days(year, month, day) * CIVIL_DAY_S + hour * 3600 + minute * 60;
}

/* --- a TZif writer --- */

struct file {
	unsigned char bytes[4096];
	size_t len;
};

static void put(struct file *f, int64_t value, int bytes)
{
	while (bytes-- > 0)
		f->bytes[f->len++] = (unsigned char)((uint64_t)value >> (8 * bytes));
}

struct part {
	int64_t at_s;
	int type;
};

static void put_block(struct file *f, char version, int width, const struct part *parts, int times,
		      const int32_t *types, int type_count)
{
	memcpy(f->bytes + f->len, "TZif", 4);
	f->bytes[f->len + 4] = (unsigned char)version;
	f->len += 20;
	put(f, 0, 4);
	put(f, 0, 4);
	put(f, 0, 4);
	put(f, times, 4);
	put(f, type_count, 4);
	put(f, 4, 4);
	for (int i = 0; i < times; i++)
		put(f, parts[i].at_s, width);
	for (int i = 0; i < times; i++)
		put(f, parts[i].type, 1);
	for (int i = 0; i < type_count; i++) {
		put(f, types[i], 4);
		put(f, 0, 2);
	}
	put(f, 0x4c4f4300, 4);
}

static void make_file(struct file *f, const struct part *parts, int times, const int32_t *types,
		      int type_count, const char *rule)
{
	static const int32_t none[] = { 0 };

	memset(f, 0, sizeof *f);
	put_block(f, '2', 4, NULL, 0, none, 1);
	put_block(f, '2', 8, parts, times, types, type_count);
	f->len += (size_t)snprintf((char *)f->bytes + f->len, 200, "\n%s\n", rule);
}

static struct zone *zone_of_rule(const char *rule)
{
	static const int32_t types[] = { 0 };
	struct zone *z = NULL;
	struct file f;

	make_file(&f, NULL, 0, types, 1, rule);
	assert_int_equal(zone_parse(&z, f.bytes, f.len), 0);
	return z;
}

static int32_t utoff_at(const struct zone *z, int64_t utc_s)
{
	struct zone_span span;

	zone_span_at(z, utc_s, &span);
	assert_true(span.start_s <= utc_s && utc_s < span.end_s);
	return span.utoff_s;
}

static void test_civil(void **state)
{
	struct civil c, before = { 0 };

	(void)state;
	assert_int_equal(civil_days(1970, 1, 1), 0);
	assert_int_equal(civil_days(2000, 3, 1), 11017);
	assert_int_equal(civil_weekday(civil_days(2024, 3, 31)), 0);
	assert_int_equal(civil_weekday(civil_days(1969, 12, 31)), 3);
	for (int64_t day = civil_days(1, 1, 1); day < civil_days(2500, 1, 1); day++) {
		civil_from_days(day, &c);
		assert_true(civil_valid(&c));
		assert_int_equal(civil_days(c.year, c.month, c.day), day);
		assert_true(c.day == 1 || (c.day == before.day + 1 && c.month == before.month));
		before = c;
	}
	civil_from_seconds(-1, &c);
	assert_int_equal(c.year, 1969);
	assert_int_equal(c.second, 59);
	assert_int_equal(civil_seconds(&c), -1);
	civil_from_seconds(INT64_MAX, &c);
	assert_true(civil_valid(&c));
	civil_from_seconds(INT64_MIN, &c);
	assert_true(civil_valid(&c));
	c = (struct civil){ 2023, 2, 29, 0, 0, 0 };
	assert_false(civil_valid(&c));
}

static void test_iso_weeks(void **state)
{
	char text[16], expected[16];

	(void)state;
	for (int64_t day = civil_days(1995, 1, 1); day < civil_days(2040, 1, 1); day++) {
		time_t t = (time_t)(day * CIVIL_DAY_S);
		struct tm tm;
		int32_t year;
		int week;

		gmtime_r(&t, &tm);
		strftime(expected, sizeof expected, "%G-W%V", &tm);
		civil_iso_week(day, &year, &week);
		snprintf(text, sizeof text, "%04d-W%02d", year, week);
		assert_string_equal(text, expected);
		assert_true(week <= civil_iso_weeks(year));
		assert_int_equal(civil_iso_monday(year, week),
				 day - (civil_weekday(day) + 6) % 7);
	}
	assert_int_equal(civil_iso_weeks(2026), 53);
	assert_int_equal(civil_iso_weeks(2025), 52);
}

static void test_utc(void **state)
{
	struct civil c = { 2024, 2, 29, 23, 59, 58 }, back;
	int64_t utc_s[2];
	int32_t utoff_s = 1;

	(void)state;
	assert_int_equal(zone_from_civil(zone_utc(), &c, utc_s, NULL), 1);
	assert_int_equal(utc_s[0], utc(2024, 2, 29, 23, 59) + 58);
	zone_to_civil(zone_utc(), utc_s[0], &back, &utoff_s);
	assert_int_equal(civil_seconds(&back), civil_seconds(&c));
	assert_int_equal(utoff_s, 0);
	zone_to_civil(zone_utc(), INT64_MAX, &back, NULL);
	assert_true(civil_valid(&back));
	zone_free((struct zone *)(uintptr_t)zone_utc());
	zone_free(NULL);
}

static void test_table(void **state)
{
	static const struct part parts[] = { { -1000000, 1 }, { 0, 2 }, { 1000000, 1 } };
	static const int32_t types[] = { -3208, 3600, -36000 };
	struct zone *z = NULL;
	struct file f;

	(void)state;
	make_file(&f, parts, 3, types, 3, "");
	assert_int_equal(zone_parse(&z, f.bytes, f.len), 0);
	assert_int_equal(utoff_at(z, -1000001), -3208);
	assert_int_equal(utoff_at(z, ZONE_MIN_S), -3208);
	assert_int_equal(utoff_at(z, -1000000), 3600);
	assert_int_equal(utoff_at(z, -1), 3600);
	assert_int_equal(utoff_at(z, 0), -36000);
	assert_int_equal(utoff_at(z, 1000000), 3600);
	assert_int_equal(utoff_at(z, ZONE_MAX_S - 1), 3600);
	zone_free(z);

	memset(&f, 0, sizeof f);
	put_block(&f, '\0', 4, parts, 3, types, 3);
	assert_int_equal(zone_parse(&z, f.bytes, f.len), 0);
	assert_int_equal(utoff_at(z, -1000001), -3208);
	assert_int_equal(utoff_at(z, 999999), -36000);
	zone_free(z);
}

static void test_rules(void **state)
{
	static const struct { const char *rule; int64_t utc_s; int32_t utoff_s; } rows[] = {
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1711846799, 3600 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1711846800, 7200 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1729990799, 7200 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1729990800, 3600 },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", 1711846799, 0 },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", 1711846800, 3600 },
		{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1712415599, 39600 },
		{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1712415600, 37800 },
		{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1711846800, -3600 },
		{ "<+0330>-3:30", 0, 12600 },
		{ "EST5EDT,0/0,J365/25", 1704085200, -14400 },
		{ "EST5EDT,0/0,J365/25", 1704085199, -14400 },
		{ "EST5EDT,0/0,J365/25", 1720000000, -14400 },
		{ "AAA0BBB,J60,J61", 1709258400 - 1, 0 },       /* 2024-03-01T02:00Z: leap year */
		{ "AAA0BBB,J60,J61", 1709258400, 3600 },
		{ "AAA0BBB,59,61", 1709172000, 3600 },          /* day 59 of 2024 is 29 February */
		{ "AAA0BBB,M2.5.4/167,M12.1.1", 1709172000 + 165 * 3600 - 1, 0 },
		{ "AAA0BBB,M2.5.4/167,M12.1.1", 1709172000 + 165 * 3600, 3600 },
		{ "AAA0BBB,J1/-167,M12.1.1", 1703466000 - 1, 0 }, /* 2023-12-25T01:00Z */
		{ "AAA0BBB,J1/-167,M12.1.1", 1703466000, 3600 },
		{ "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3", 1711846800, 7200 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct zone *z = zone_of_rule(rows[i].rule);

		if (utoff_at(z, rows[i].utc_s) != rows[i].utoff_s)
			fail_msg("row %zu, %s: offset %d", i, rows[i].rule,
				 utoff_at(z, rows[i].utc_s));
		zone_free(z);
	}
}

static void test_bad_rules(void **state)
{
	static const char *const bad[] = {
		"", "X", "UT0", "UTC", "UTC25", "UTC-1:60", "<+3-3", "<+3>0x", "CET-1CEST",
		"CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,M0.1.0,J1",
		"CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J5",
		"CET-1CEST,J366,J5", "CET-1CEST,366,5", "CET-1CEST,J1/168,J5", "CET-1CEST,J1,J5x",
		"CET-1CEST,J1,J5,", "CET-99999999999999999999", "CET-1CEST,M3.5.0,M10.5.0/3\n",
	};
	struct zonerule rule;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (zonerule_parse(&rule, bad[i], strlen(bad[i])) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(zonerule_parse(&rule, "CET-1CEST,M3.5.0,M10.5.0/3junk", 26), 0);
}

static void test_hostile(void **state)
{
	static const struct part parts[] = { { 0, 1 }, { 1000, 0 }, { 2000, 1 } };
	static const int32_t types[] = { 0, 3600 };
	struct zone *z = NULL;
	struct file f, g;
	unsigned seed = 7;

	(void)state;
	make_file(&f, parts, 3, types, 2, "CET-1CEST,M3.5.0,M10.5.0/3");
	for (size_t len = 0; len < f.len; len++) {
		unsigned char *exact = malloc(len ? len : 1);

		memcpy(exact, f.bytes, len);
		assert_int_equal(zone_parse(&z, exact, len), -EINVAL);
		assert_null(z);
		free(exact);
	}
	assert_int_equal(zone_parse(&z, f.bytes, f.len), 0);
	zone_free(z);
	for (int i = 0; i < 20000; i++) {
		unsigned char *exact = malloc(f.len);

		memcpy(exact, f.bytes, f.len);
		for (int k = rand_r(&seed) % 4; k >= 0; k--)
			exact[(size_t)rand_r(&seed) % f.len] = (unsigned char)rand_r(&seed);
		if (zone_parse(&z, exact, f.len) == 0) {
			struct civil c = { 2024, 6, 1, 0, 0, 0 };
			int64_t utc_s[2];

			zone_from_civil(z, &c, utc_s, NULL);
			zone_to_civil(z, INT64_MIN, &c, NULL);
			zone_free(z);
		}
		free(exact);
	}

	static const struct part back[] = { { 0, 1 }, { 0, 0 } };
	static const struct part far[] = { { INT64_MIN, 1 } };
	static const struct part wild[] = { { 0, 2 } };
	static const int32_t wide[] = { 93600 };

	make_file(&g, back, 2, types, 2, "");
	assert_int_equal(zone_parse(&z, g.bytes, g.len), -EINVAL);
	make_file(&g, far, 1, types, 2, "");
	assert_int_equal(zone_parse(&z, g.bytes, g.len), -EINVAL);
	make_file(&g, wild, 1, types, 2, "");
	assert_int_equal(zone_parse(&z, g.bytes, g.len), -EINVAL);
	make_file(&g, NULL, 0, wide, 1, "");
	assert_int_equal(zone_parse(&z, g.bytes, g.len), -EINVAL);
	memset(&g, 0, sizeof g);
	put_block(&g, '\0', 4, NULL, 0, types, 2);
	g.bytes[31] = 1;
	g.len += 8;
	assert_int_equal(zone_parse(&z, g.bytes, g.len), -ENOTSUP);
}

static void test_from_civil(void **state)
{
	struct zone *z = zone_of_rule("CET-1CEST,M3.5.0,M10.5.0/3");
	struct civil gap_time = { 2024, 3, 31, 2, 30, 0 }, twice = { 2024, 10, 27, 2, 30, 0 };
	struct civil edge = { 2024, 3, 31, 3, 0, 0 }, once = { 2024, 10, 27, 3, 0, 0 };
	struct zone_gap gap = { 0 };
	int64_t utc_s[2];

	(void)state;
	assert_int_equal(zone_from_civil(z, &gap_time, utc_s, &gap), 0);
	assert_int_equal(gap.after_s, utc(2024, 3, 31, 1, 0));
	assert_int_equal(gap.length_s, 3600);
	assert_int_equal(zone_from_civil(z, &edge, utc_s, NULL), 1);
	assert_int_equal(utc_s[0], utc(2024, 3, 31, 1, 0));
	assert_int_equal(zone_from_civil(z, &twice, utc_s, NULL), 2);
	assert_int_equal(utc_s[0], utc(2024, 10, 27, 0, 30));
	assert_int_equal(utc_s[1], utc(2024, 10, 27, 1, 30));
	assert_int_equal(zone_from_civil(z, &once, utc_s, NULL), 1);
	assert_int_equal(utc_s[0], utc(2024, 10, 27, 2, 0));
	zone_free(z);
}

static void test_lost_day(void **state)
{
	static const struct part parts[] = { { 1325239200, 1 } };
	static const int32_t types[] = { -36000, 50400 };
	struct civil lost = { 2011, 12, 30, 12, 0, 0 };
	struct zone_gap gap = { 0 };
	struct zone *z = NULL;
	struct file f;
	int64_t utc_s[2];

	(void)state;
	make_file(&f, parts, 1, types, 2, "");
	assert_int_equal(zone_parse(&z, f.bytes, f.len), 0);
	assert_int_equal(zone_from_civil(z, &lost, utc_s, &gap), 0);
	assert_int_equal(gap.after_s, utc(2011, 12, 30, 10, 0));
	assert_int_equal(gap.length_s, 86400);
	zone_free(z);
}

/* --- every zone of the host against localtime_r --- */

static unsigned seed = 20240331;
static int samples = 60, zones;

static void check_instant(const struct zone *z, const char *name, int64_t utc_s)
{
	time_t t = (time_t)utc_s;
	struct civil c;
	struct tm tm;
	int32_t utoff_s;
	int64_t back[2];
	int n;

	localtime_r(&t, &tm);
	zone_to_civil(z, utc_s, &c, &utoff_s);
	if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 || c.day != tm.tm_mday ||
	    c.hour != tm.tm_hour || c.minute != tm.tm_min || c.second != tm.tm_sec ||
	    utoff_s != tm.tm_gmtoff)
		fail_msg("%s at %lld: offset %d, not %ld", name, (long long)utc_s, utoff_s,
			 tm.tm_gmtoff);
	n = zone_from_civil(z, &c, back, NULL);
	assert_true(n >= 1 && (back[0] == utc_s || (n == 2 && back[1] == utc_s)));
	assert_true(n == 1 || back[0] < back[1]);
}

static int check_zone_cb(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + strlen("/usr/share/zoneinfo/");
	struct zone_span span;
	struct zone *z;

	(void)st;
	(void)ftw;
	if (type != FTW_F || strncmp(name, "right/", 6) == 0 || strncmp(name, "posix/", 6) == 0 ||
	    tzdata_load(name, &z) < 0)
		return 0;
	zones++;
	setenv("TZ", name, 1);
	tzset();
	for (int i = 0; i < samples; i++) {
		int64_t span_s = utc(2100, 1, 1, 0, 0) - utc(1850, 1, 1, 0, 0);
		int64_t utc_s = utc(1850, 1, 1, 0, 0) +
				(int64_t)((double)rand_r(&seed) / RAND_MAX * (double)span_s);

		check_instant(z, name, utc_s);
	}
	zone_span_at(z, utc(1985, 1, 1, 0, 0), &span);
	while (span.end_s < utc(2045, 1, 1, 0, 0)) {
		check_instant(z, name, span.end_s - 1);
		check_instant(z, name, span.end_s);
		zone_span_at(z, span.end_s, &span);
	}
	zone_free(z);
	return 0;
}

static void test_against_libc(void **state)
{
	const char *more = getenv("CHIME_ORACLE");

	(void)state;
	if (more && atoi(more) > 0)
		samples *= atoi(more);
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) < 0)
		skip();
	assert_int_equal(nftw("/usr/share/zoneinfo", check_zone_cb, 16, FTW_PHYS), 0);
	assert_true(zones > 100);
	unsetenv("TZ");
	tzset();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_civil),	    cmocka_unit_test(test_iso_weeks),
		cmocka_unit_test(test_utc),	    cmocka_unit_test(test_table),
		cmocka_unit_test(test_rules),	    cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_hostile),	    cmocka_unit_test(test_from_civil),
		cmocka_unit_test(test_lost_day),    cmocka_unit_test(test_against_libc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
