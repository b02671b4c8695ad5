/* Instants and spans as the monitor shows them. */
#include "client/monitor/when.h"

#include "proto/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define SECOND INT64_C(1000000)

/* Friday 20 November 2026, 22:14:05 CET. */
static const struct moment now = { .wall_us = INT64_C(1795209245) * SECOND, .boot_us = 1 };

static int set_up(void **state)
{
	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return 0;
}

static int64_t at(const char *text)
{
	int64_t us;

	assert_int_equal(instant_parse(text, &us), 0);
	return us;
}

enum form { INSTANT, SHORT, MINUTE, FINE };

static void expect(enum form form, const char *text, bool utc, const char *shown)
{
	static void (*const forms[])(int64_t, struct moment, bool, char *) = {
		when_instant, when_short, when_minute, when_fine,
	};
	static const size_t widest[] = { WHEN_SIZE, 8, 5, 12 };
	char out[WHEN_SIZE];

	forms[form](text[0] != '\0' ? at(text) : 0, now, utc, out);
	assert_string_equal(out, shown);
	assert_true(strlen(out) <= widest[form]);
}

static void test_instants(void **state)
{
	(void)state;
	expect(INSTANT, "", false, "-");
	expect(INSTANT, "2026-11-20T21:14:05Z", false, "22:14:05");
	expect(INSTANT, "2026-11-20T21:14:05Z", true, "21:14:05");
	expect(INSTANT, "2026-11-19T21:14:00Z", false, "Thu 19 22:14");
	expect(INSTANT, "2026-11-20T22:59:59Z", false, "23:59:59");
	expect(INSTANT, "2026-11-20T23:00:00Z", false, "Sat 21 00:00");
	expect(INSTANT, "2026-11-20T23:00:00Z", true, "23:00:00");
	expect(INSTANT, "2026-11-12T21:14:00Z", false, "12 Nov 22:14");
	expect(INSTANT, "2026-07-12T20:14:00Z", false, "12 Jul 22:14");
	expect(INSTANT, "2025-11-19T12:00:00Z", false, "2025-11-19");
}

static void test_short(void **state)
{
	(void)state;
	expect(SHORT, "", false, "-");
	expect(SHORT, "2026-11-20T21:03:11Z", false, "22:03:11");
	expect(SHORT, "2026-11-19T21:14:00Z", false, "Thu 22h");
	expect(SHORT, "2026-11-05T21:14:00Z", false, "5 Nov");
	expect(SHORT, "2025-11-19T12:00:00Z", false, "Nov 2025");
	expect(MINUTE, "2026-11-20T21:30:00Z", false, "22:30");
	expect(MINUTE, "2026-11-23T21:30:00Z", false, "Mon");
	expect(MINUTE, "2026-12-19T21:30:00Z", false, "19Dec");
	expect(MINUTE, "2027-12-19T21:30:00Z", false, "2027");
	expect(FINE, "2026-11-20T21:13:58.004Z", false, "22:13:58.004");
	expect(FINE, "2026-11-19T21:13:58.004Z", false, "Thu 22:13:58");
	expect(FINE, "2026-11-05T21:13:58.004Z", false, "5 Nov 22:13");
}

/* The same weekday a week ago is not "Fri". */
static void test_same_weekday(void **state)
{
	(void)state;
	expect(SHORT, "2026-11-13T21:14:05Z", false, "13 Nov");
	expect(SHORT, "2026-11-14T21:14:04Z", false, "14 Nov");
	expect(SHORT, "2026-11-14T21:14:06Z", false, "Sat 22h");
}

static void test_clock(void **state)
{
	char out[WHEN_SIZE];

	(void)state;
	when_clock(now, false, out);
	assert_string_equal(out, "22:14:05 CET +01:00");
	when_clock(now, true, out);
	assert_string_equal(out, "21:14:05 UTC");
	setenv("TZ", "NST3:30", 1);
	tzset();
	when_clock(now, false, out);
	assert_string_equal(out, "17:44:05 NST -03:30");
}

static void expect_span(int64_t us, const char *shown)
{
	char out[WHEN_SIZE];

	when_span(us, out);
	assert_string_equal(out, shown);
	assert_true(strlen(out) <= 7);
}

static void test_spans(void **state)
{
	(void)state;
	expect_span(-1, "-");
	expect_span(0, "0ms");
	expect_span(99999, "99ms");
	expect_span(100000, "0.1s");
	expect_span(SECOND - 1, "0.9s");
	expect_span(420000, "0.4s");
	expect_span(SECOND, "1s");
	expect_span(60 * SECOND - 1, "59s");
	expect_span(242 * SECOND, "4m02s");
	expect_span(3600 * SECOND - 1, "59m59s");
	expect_span(3600 * SECOND, "1h00m");
	expect_span((3 * 3600 + 7 * 60) * SECOND, "3h07m");
	expect_span(86400 * SECOND, "1d 0h");
	expect_span((2 * 86400 + 23 * 3600) * SECOND, "2d 23h");
	expect_span(99 * 86400 * SECOND + 23 * 3600 * SECOND, "99d 23h");
	expect_span(100 * 86400 * SECOND, "100d");
	expect_span(INT64_MAX, "999999d");
}

int main(void)
{
#define FIXED(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		FIXED(test_instants), FIXED(test_short), FIXED(test_same_weekday),
		FIXED(test_clock), FIXED(test_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
