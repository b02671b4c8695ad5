#include "daemon/crc32.h"
#include "daemon/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <stdio.h>

static int make_dir(char path[64])
{
	int fd;

	snprintf(path, 64, "/tmp/chime-test-XXXXXX");
	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void drop_dir(int fd, const char *path)
{
	static const char *const files[] = { "spec", "record", "ctl" };

	for (size_t i = 0; i < 3; i++)
		unlinkat(fd, files[i], 0);
	close(fd);
	assert_int_equal(rmdir(path), 0);
}

static struct spool_spec example(void)
{
	static const char *run[] = { "/opt/eod/report.sh", "--day", "a\nb:3:x", "", NULL };
	static const char *env[] = { "A=1", "B=crc:8:00000000", NULL };
	struct spool_spec spec = {
		.id = { .boot = 3, .tag = 0xff00000000000001, .seq = UINT64_MAX, .attempt = 2 },
		.job = "eod/report", .server = "app1", .environment = "prod",
		.cycle = "2026-11-20", .slot = "2026-11-20T22:00", .cause = "schedule",
		.slot_utc_s = -5, .boot_id = "x", .shell = "/bin/sh", .dir = "",
		.run = run, .env = env, .max_time_us = 1, .kill_grace_us = 30000000,
		.max_output = 10 << 20,
	};

	spec.hash[31] = 0xab;
	spec.success_codes[0] = 1;
	return spec;
}

static void crc_is_the_known_one(void **state)
{
	(void)state;
	assert_int_equal(crc32_update(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32_update(crc32_update(0, "1234", 4), "56789", 5), 0xcbf43926);
}

static void names(void **state)
{
	struct attempt_id id = { .tag = 0xfeed, .seq = 8831, .attempt = 1 }, again;
	char name[SPOOL_NAME_SIZE];

	(void)state;
	spool_name(&id, name);
	assert_string_equal(name, "8831.1.000000000000feed");
	assert_int_equal(spool_name_parse(name, &again), 0);
	assert_memory_equal(&id, &again, sizeof(id));
	assert_int_equal(spool_name_parse("8831.1.feed", &again), -EINVAL);
	assert_int_equal(spool_name_parse("..", &again), -EINVAL);
	assert_int_equal(spool_name_parse("8831.1.000000000000feed.x", &again), -EINVAL);
	assert_int_equal(spool_name_parse("08831.1.000000000000feed", &again), -EINVAL);
	assert_int_equal(spool_name_parse("+8831.1.000000000000feed", &again), -EINVAL);
}

static void spec_survives(void **state)
{
	struct spool_spec spec = example(), again;
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(spool_spec_encode(&spec, &text, &len), 0);
	assert_int_equal(spool_spec_decode(text, len, &again), 0);
	assert_memory_equal(&spec.id, &again.id, sizeof(spec.id));
	assert_string_equal(again.job, "eod/report");
	assert_string_equal(again.cycle, "2026-11-20");
	assert_int_equal(again.slot_utc_s, -5);
	assert_memory_equal(again.hash, spec.hash, 32);
	assert_memory_equal(again.success_codes, spec.success_codes, 32);
	assert_string_equal(again.shell, "/bin/sh");
	assert_null(again.user);
	assert_string_equal(again.dir, "");
	assert_string_equal(again.run[2], "a\nb:3:x");
	assert_string_equal(again.run[3], "");
	assert_null(again.run[4]);
	assert_string_equal(again.env[1], "B=crc:8:00000000");
	assert_null(again.env[2]);
	assert_int_equal(again.kill_grace_us, 30000000);
	spool_spec_fini(&again);
	/* Cut anywhere, or with any one bit turned, it is none. */
	for (size_t i = 0; i < len; i++)
		assert_int_equal(spool_spec_decode(text, i, &again), -EBADMSG);
	for (size_t i = 0; i < len * 8; i++) {
		text[i / 8] ^= (char)(1 << (i % 8));
		if (spool_spec_decode(text, len, &again) == 0)
			fail_msg("bit %zu of %zu does not matter", i, len * 8);
		text[i / 8] ^= (char)(1 << (i % 8));
	}
	free(text);
}

/* A later version may say more. */
static void unknown_keys_are_skipped(void **state)
{
	struct spool_spec spec = example(), again;
	char *text, *more, seal[32];
	size_t len;

	(void)state;
	assert_int_equal(spool_spec_encode(&spec, &text, &len), 0);
	more = malloc(len + 64);
	memcpy(more, text, len - 15);	/* "crc:8:XXXXXXXX\n" */
	memcpy(more + len - 15, "future:3:yes\n", 13);
	snprintf(seal, sizeof(seal), "crc:8:%08x\n", crc32_update(0, more, len - 2));
	memcpy(more + len - 2, seal, 15);
	assert_int_equal(spool_spec_decode(more, len + 13, &again), 0);
	spool_spec_fini(&again);
	free(more);
	free(text);
}

static void too_large_spec_is_refused(void **state)
{
	struct spool_spec spec = example();
	char *big = malloc(SPOOL_SPEC_MAX + 1), *text;
	size_t len;

	(void)state;
	memset(big, 'x', SPOOL_SPEC_MAX);
	big[SPOOL_SPEC_MAX] = 0;
	spec.dir = big;
	assert_int_equal(spool_spec_encode(&spec, &text, &len), -EFBIG);
	free(big);
}

static void record_is_all_or_nothing(void **state)
{
	struct attempt_report report = { .result = RESULT_FAILED, .exit_code = -1, .signal = 9,
					 .pid = 4711, .started_us = INT64_MAX, .ended_us = 2,
					 .output_bytes = UINT64_MAX, .truncated = 1,
					 .detail = "why: because\n" }, again = { .job = "kept" };
	char path[64], block[SPOOL_BLOCK];
	int dir = make_dir(path), fd;

	(void)state;
	assert_int_equal(spool_read_record(dir, &again), -ENODATA);
	fd = spool_reserve_record(dir);
	assert_true(fd >= 0);
	assert_int_equal(spool_reserve_record(dir), -EEXIST);
	assert_int_equal(spool_read_record(dir, &again), -ENODATA);
	assert_int_equal(spool_write_record(fd, &report), 0);
	assert_int_equal(spool_read_record(dir, &again), 0);
	assert_string_equal(again.job, "kept");
	assert_int_equal(again.result, RESULT_FAILED);
	assert_int_equal(again.exit_code, -1);
	assert_int_equal(again.signal, 9);
	assert_true(again.started_us == INT64_MAX && again.output_bytes == UINT64_MAX);
	assert_string_equal(again.detail, "why: because\n");
	/* Torn at every place between the written and the reserved block. */
	assert_int_equal(pread(fd, block, sizeof(block), 0), sizeof(block));
	for (size_t cut = 0; cut < strlen(block); cut++) {
		char torn[SPOOL_BLOCK] = { 0 };

		memcpy(torn, block, cut);
		assert_int_equal(pwrite(fd, torn, sizeof(torn), 0), sizeof(torn));
		memset(again.job, 0, sizeof(again.job));
		assert_int_equal(spool_read_record(dir, &again), -ENODATA);
		memset(torn, 0, sizeof(torn));
		memcpy(torn + cut, block + cut, sizeof(torn) - cut);
		if (!cut)
			continue;
		assert_int_equal(pwrite(fd, torn, sizeof(torn), 0), sizeof(torn));
		assert_int_equal(spool_read_record(dir, &again), -ENODATA);
	}
	close(fd);
	drop_dir(dir, path);
}

static void started(void **state)
{
	struct spool_started first = { .boot_id = "b", .leaf = "/x", .pid = 5, .ticks = 6,
				       .shepherd = 7, .shepherd_ticks = 8, .started_us = 9 }, again;
	struct attempt_report report = { .result = RESULT_SUCCESS };
	char path[64];
	int dir = make_dir(path), fd;

	(void)state;
	assert_int_equal(spool_read_started(dir, &again), -ENOENT);
	fd = spool_reserve_record(dir);
	assert_int_equal(spool_read_started(dir, &again), -ENOENT);
	assert_int_equal(pwrite(fd, "chime-st", 8, SPOOL_BLOCK), 8);
	assert_int_equal(spool_read_started(dir, &again), -EBADMSG);
	assert_int_equal(spool_write_started(fd, &first, true), 0);
	first.pid = 55;
	assert_int_equal(spool_write_started(fd, &first, false), 0);
	assert_int_equal(spool_read_record(dir, &report), -ENODATA);
	assert_int_equal(spool_write_record(fd, &report), 0);
	assert_int_equal(spool_read_started(dir, &again), 0);
	assert_int_equal(again.pid, 55);
	assert_string_equal(again.leaf, "/x");
	close(fd);
	drop_dir(dir, path);
}

static void lock(void **state)
{
	char path[64];
	int dir = make_dir(path), fd;

	(void)state;
	assert_int_equal(spool_test_lock(dir), -ENOENT);
	fd = spool_reserve_record(dir);
	assert_int_equal(spool_test_lock(dir), 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(spool_test_lock(dir), 1);
	close(fd);
	assert_int_equal(spool_test_lock(dir), 0);
	drop_dir(dir, path);
}

static void links_are_not_followed(void **state)
{
	char path[64];
	int dir = make_dir(path);
	struct attempt_report report;
	struct spool_spec spec = example();

	(void)state;
	assert_int_equal(symlinkat("/etc/passwd", dir, "spec"), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "record"), 0);
	assert_int_equal(spool_write_spec(dir, &spec), -EEXIST);
	assert_int_equal(spool_read_spec(dir, &spec), -ELOOP);
	assert_int_equal(spool_reserve_record(dir), -EEXIST);
	assert_int_equal(spool_test_lock(dir), -ELOOP);
	assert_int_equal(spool_read_record(dir, &report), -ELOOP);
	drop_dir(dir, path);
}

static void sockets(void **state)
{
	char path[64];
	int dir = make_dir(path), listener = spool_listen(dir), conn = spool_connect(dir);

	(void)state;
	assert_true(listener >= 0 && conn >= 0);
	assert_int_equal(spool_listen(dir), -EADDRINUSE);
	close(listener);
	close(conn);
	assert_int_equal(spool_connect(dir), -ECONNREFUSED);
	drop_dir(dir, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_the_known_one),
		cmocka_unit_test(names),
		cmocka_unit_test(spec_survives),
		cmocka_unit_test(unknown_keys_are_skipped),
		cmocka_unit_test(too_large_spec_is_refused),
		cmocka_unit_test(record_is_all_or_nothing),
		cmocka_unit_test(started),
		cmocka_unit_test(lock),
		cmocka_unit_test(links_are_not_followed),
		cmocka_unit_test(sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
