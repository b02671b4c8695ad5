#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/names.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void test_job_names(void **state)
{
	static const struct { const char *name; bool valid; } rows[] = {
		{ "a", true }, { "eod/report", true }, { "_x/1.2-3", true }, { "1a", true },
		{ "20/a", true }, { "a/b/c", true }, { "A.b-C_d", true }, { "and/x", true },
		{ "android", true }, { "atleast", true },
		{ "", false }, { "/a", false }, { "a/", false }, { "a//b", false }, { "12", false },
		{ "a/12", false }, { ".a", false }, { "-a", false }, { "a/.b", false },
		{ "a b", false }, { "a@b", false }, { "a*", false }, { "\xc3\xa4", false },
		{ "and", false }, { "or", false }, { "not", false }, { "any", false },
		{ "all", false }, { "of", false }, { "a\n", false },
	};
	char longest[NAME_JOB_MAX + 2];
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		why = NULL;
		if (name_job_valid(rows[i].name, &why) != rows[i].valid || !why == !rows[i].valid)
			fail_msg("'%s': %s", rows[i].name, why ? why : "valid");
	}
	memset(longest, 'a', sizeof(longest));
	longest[NAME_JOB_MAX] = 0;
	assert_true(name_job_valid(longest, NULL));
	longest[NAME_JOB_MAX] = 'a';
	longest[NAME_JOB_MAX + 1] = 0;
	assert_false(name_job_valid(longest, &why));
	assert_string_equal(why, "is longer than 120 bytes");
}

static void test_server_names(void **state)
{
	static const struct { const char *name; bool valid, pattern; } rows[] = {
		{ "a", true, true }, { "db1", true, true }, { "0.x_y-z", true, true },
		{ "123", true, true },
		{ "", false, false }, { "A", false, false }, { "-a", false, false },
		{ ".a", false, false }, { "_a", false, false }, { "a b", false, false },
		{ "a/b", false, false }, { "a@b", false, false },
		{ "web*", false, true }, { "*", false, true }, { "db?", false, true },
		{ "%", false, true }, { "*-a", false, true },
	};
	char longest[NAME_SERVER_MAX + 2];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (name_server_valid(rows[i].name, NULL) != rows[i].valid ||
		    name_server_pattern_valid(rows[i].name, NULL) != rows[i].pattern)
			fail_msg("'%s'", rows[i].name);
	}
	memset(longest, 'a', sizeof(longest));
	longest[NAME_SERVER_MAX] = 0;
	assert_true(name_server_valid(longest, NULL));
	longest[NAME_SERVER_MAX] = 'a';
	longest[NAME_SERVER_MAX + 1] = 0;
	assert_false(name_server_valid(longest, NULL));
}

static void test_reasons(void **state)
{
	static const struct { const char *text; bool valid; } rows[] = {
		{ "", true }, { "disk was full, ask Jörg", true }, { "\xf0\x9f\x94\x94", true },
		{ "\xef\xbf\xbf", true },
		{ "a\nb", false }, { "a\tb", false }, { "\x1b[31m", false }, { "\x7f", false },
		{ "\xc2\x9b" "31m", false }, { "\xff", false }, { "\xc3", false },
		{ "\xc0\xaf", false }, { "\xe0\x80\xaf", false }, { "\xed\xa0\x80", false },
		{ "\xf4\x90\x80\x80", false }, { "\xf8\x88\x80\x80\x80", false }, { "\x80", false },
		{ "\xe2\x82", false },
	};
	char text[NAME_REASON_MAX + 2];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (name_reason_valid(rows[i].text, NULL) != rows[i].valid)
			fail_msg("row %zu", i);
	memset(text, 'x', sizeof(text));
	text[NAME_REASON_MAX] = 0;
	assert_true(name_reason_valid(text, NULL));
	text[NAME_REASON_MAX] = 'x';
	text[NAME_REASON_MAX + 1] = 0;
	assert_false(name_reason_valid(text, NULL));
}

static void test_targets(void **state)
{
	static const struct {
		const char *text, *job, *server;
		uint64_t run;
		bool glob;
	} rows[] = {
		{ "eod/report", "eod/report", "", 0, false },
		{ "eod/report@app1", "eod/report", "app1", 0, false },
		{ "8831", "", "", 8831, false },
		{ "8831@db1", "", "db1", 8831, false },
		{ "18446744073709551615", "", "", UINT64_MAX, false },
		{ "@db1", "", "db1", 0, false },
		{ "@db*", "", "db*", 0, true },
		{ "eod/*", "eod/*", "", 0, true },
		{ "eod%", "eod*", "", 0, true },
		{ "**", "**", "", 0, true },
		{ "a?@w%", "a?", "w*", 0, true },
		{ "eod/12*", "eod/12*", "", 0, true },
	};
	static const char *const wrong[] = {
		"", "@", "a@", "a@B", "a@b@c", "eod/12", "0", "18446744073709551616", "a b",
		"/a", "and", "99999999999999999999@db1",
	};
	struct target target;
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(target_parse(rows[i].text, &target, &why), 0);
		assert_string_equal(target.job, rows[i].job);
		assert_string_equal(target.server, rows[i].server);
		assert_true(target.run == rows[i].run);
		assert_int_equal(target.glob, rows[i].glob);
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		why = NULL;
		if (!target_parse(wrong[i], &target, &why) || !why)
			fail_msg("'%s' was taken", wrong[i]);
	}
}

/* The meaning of a pattern, written down without regard for cost. */
static bool match_naively(const char *p, const char *t)
{
	if (p[0] == '*' && p[1] == '*') {
		while (*p == '*')
			p++;
		for (;; t++) {
			if (match_naively(p, t))
				return true;
			if (!*t)
				return false;
		}
	}
	if (*p == '*' || *p == '%') {
		for (p++;; t++) {
			if (match_naively(p, t))
				return true;
			if (!*t || *t == '/')
				return false;
		}
	}
	if (!*p || !*t)
		return *p == *t;
	return (*p == *t || (*p == '?' && *t != '/')) && match_naively(p + 1, t + 1);
}

static void test_globs(void **state)
{
	static const struct { const char *pattern, *text; bool match; } rows[] = {
		{ "eod/*", "eod/report", true }, { "eod/*", "eod/a/b", false },
		{ "eod/**", "eod/a/b", true }, { "**", "a/b", true }, { "*", "a/b", false },
		{ "*", "", true }, { "?", "/", false }, { "%b", "aab", true }, { "", "", true },
		{ "", "a", false }, { "a*b*c", "a1b2b3c", true }, { "a*b*c", "a1/b3c", false },
		{ "**/x", "a/b/x", true }, { "**x*", "a/x/x1", true }, { "**x*/", "x1/x2", false },
	};
	static const char pattern_chars[] = "ab/*?*%", text_chars[] = "aab/";
	uint64_t random = 88172645463325252u;
	char pattern[10], text[12];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (glob_match(rows[i].pattern, rows[i].text) != rows[i].match)
			fail_msg("'%s' '%s'", rows[i].pattern, rows[i].text);
	for (unsigned i = 0; i < 300000; i++) {
		size_t n = next_random(&random) % (sizeof(pattern) - 1);
		size_t m = next_random(&random) % (sizeof(text) - 1);

		for (size_t k = 0; k < n; k++)
			pattern[k] = pattern_chars[next_random(&random) % 7];
		for (size_t k = 0; k < m; k++)
			text[k] = text_chars[next_random(&random) % 4];
		pattern[n] = text[m] = 0;
		if (glob_match(pattern, text) != match_naively(pattern, text))
			fail_msg("'%s' '%s'", pattern, text);
	}
	assert_true(glob_has_wildcard("a%"));
	assert_false(glob_has_wildcard("a/b"));
}

static void test_durations(void **state)
{
	static const struct { const char *text; int64_t us; } rows[] = {
		{ "90s", 90000000 }, { "5m", 300000000 }, { "1h30m", 5400000000 },
		{ "2d", 172800000000 }, { "500ms", 500000 }, { "1us", 1 }, { "1d1us", 86400000001 },
		{ "0h5s", 5000000 }, { "9223372036854775807us", INT64_MAX },
	};
	static const char *const wrong[] = {
		"", "5", "s", "5 m", " 5m", "5m ", "-5m", "+5m", "5M", "5mm", "1m1h", "1m1m", "0s",
		"1.5h", "9223372036854775808us", "106751992d", "106751991d24h", "1w", "5min",
	};
	static const struct { int64_t us; const char *text; } formats[] = {
		{ 0, "0s" }, { 5400000000, "1h30m" }, { 90000000, "1m30s" }, { 1500, "1ms500us" },
		{ -5000000, "-5s" },
	};
	uint64_t random = 42;
	char text[NAME_DURATION_SIZE];
	int64_t us;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(duration_parse(rows[i].text, &us), 0);
		assert_true(us == rows[i].us);
	}
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (!duration_parse(wrong[i], &us))
			fail_msg("'%s' was taken", wrong[i]);
	for (size_t i = 0; i < COUNT(formats); i++) {
		duration_format(formats[i].us, text);
		assert_string_equal(text, formats[i].text);
	}
	duration_format(INT64_MIN, text);
	for (unsigned i = 0; i < 100000; i++) {
		int64_t want = (int64_t)(next_random(&random) >> (1 + next_random(&random) % 60));

		if (!want)
			continue;
		duration_format(want, text);
		assert_int_equal(duration_parse(text, &us), 0);
		assert_true(us == want);
	}
}

static void test_sizes(void **state)
{
	static const struct { const char *text; uint64_t bytes; const char *again; } rows[] = {
		{ "10MiB", 10485760, "10MiB" }, { "1GiB", 1073741824, "1GiB" }, { "0B", 0, "0B" },
		{ "1024KiB", 1048576, "1MiB" }, { "1000B", 1000, "1000B" },
		{ "3TiB", 3298534883328, "3TiB" },
	};
	static const char *const wrong[] = {
		"", "1", "MiB", "1MB", "1 MiB", "1mib", "-1B", "16777216TiB",
		"18446744073709551616B",
	};
	char text[NAME_DURATION_SIZE];
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(size_parse(rows[i].text, &bytes), 0);
		assert_true(bytes == rows[i].bytes);
		size_format(bytes, text);
		assert_string_equal(text, rows[i].again);
	}
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (!size_parse(wrong[i], &bytes))
			fail_msg("'%s' was taken", wrong[i]);
}

static void test_instants(void **state)
{
	static const struct { const char *text; int64_t us; const char *again; } rows[] = {
		{ "1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z" },
		{ "2024-03-31T01:00:00Z", 1711846800000000, "2024-03-31T01:00:00Z" },
		{ "2024-02-29T23:59:59.5Z", 1709251199500000, "2024-02-29T23:59:59.500Z" },
		{ "2024-03-31T03:00:00+02:00", 1711846800000000, "2024-03-31T01:00:00Z" },
		{ "2024-03-30T20:30:00-04:30", 1711846800000000, "2024-03-31T01:00:00Z" },
		{ "1969-12-31T23:59:59.999Z", -1000, "1969-12-31T23:59:59.999Z" },
		{ "0001-01-01T00:00:00Z", -62135596800000000, "0001-01-01T00:00:00Z" },
		{ "9999-12-31T23:59:59.000001Z", 253402300799000001, "9999-12-31T23:59:59Z" },
	};
	static const char *const wrong[] = {
		"", "2024", "2024-03-31", "2024-03-31T01:00Z", "2024-03-31T01:00:00",
		"2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z",
		"2024-04-31T00:00:00Z", "2024-04-00T00:00:00Z", "2024-04-30T24:00:00Z",
		"2024-04-30T23:60:00Z", "2024-04-30T23:59:60Z", "2024-04-30T23:59:59.Z",
		"2024-04-30T23:59:59.1234567Z", "2024-04-30T23:59:59+0100",
		"2024-04-30T23:59:59+24:00", "2024-04-30T23:59:59Zx", " 2024-04-30T23:59:59Z",
		"2024-04-30t23:59:59Z", "1900-02-29T00:00:00Z",
	};
	uint64_t random = 7;
	char text[NAME_INSTANT_SIZE];
	int64_t us;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(instant_parse(rows[i].text, &us), 0);
		assert_true(us == rows[i].us);
		instant_format(us, text);
		assert_string_equal(text, rows[i].again);
	}
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (!instant_parse(wrong[i], &us))
			fail_msg("'%s' was taken", wrong[i]);
	for (unsigned i = 0; i < 100000; i++) {
		int64_t ms = (int64_t)(next_random(&random) % 253402300800000) - 62135596800000 / 2;

		instant_format(ms * 1000, text);
		assert_int_equal(instant_parse(text, &us), 0);
		assert_true(us == ms * 1000);
	}
	instant_format(INT64_MAX, text);
	assert_string_equal(text, "294247-01-10T04:00:54.775Z");
	instant_format(INT64_MIN, text);
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "after", "about", "at", "every", "eod/report" };
	static const struct { const char *word, *nearest; } rows[] = {
		{ "afer", "after" }, { "atfer", "after" }, { "abuot", "about" }, { "ta", "at" },
		{ "eod/reprot", "eod/report" }, { "eod/raport", "eod/report" }, { "evry", "every" },
		{ "zzzzz", NULL }, { "", NULL }, { "at", "at" }, { "x", NULL },
	};
	char longest[400];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *nearest = name_nearest(rows[i].word, words, COUNT(words));

		if (!nearest != !rows[i].nearest || (nearest && strcmp(nearest, rows[i].nearest)))
			fail_msg("'%s' -> %s", rows[i].word, nearest ? nearest : "nothing");
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	assert_null(name_nearest(longest, words, COUNT(words)));
	const char *const one[] = { longest + 200, longest + 210 };
	assert_ptr_equal(name_nearest(longest + 210, one, 2), one[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_job_names), cmocka_unit_test(test_server_names),
		cmocka_unit_test(test_reasons), cmocka_unit_test(test_targets),
		cmocka_unit_test(test_globs), cmocka_unit_test(test_durations),
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_instants),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
