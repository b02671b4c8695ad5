/*
 * Schedules: the grammar with its refusals, the examples of the manual, and properties that hold
 * for every schedule and zone. The zones are made of POSIX rules here, so no zone data is needed;
 * test_schedule_vectors and test_schedule_oracle use the host's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/core/schedule.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define AZORES "<-01>1<+00>,M3.5.0/0,M10.5.0/1"

/* A TZif file of version 2 without a table, its rule at the end. */
static struct zone *zone_of(const char *rule)
{
	static const unsigned char block[44 + 6 + 4] = {
		'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 4, [50] = 'L', 'O', 'C', '\0',
	};
	unsigned char bytes[2 * sizeof block + 80];
	struct zone *z = NULL;
	size_t len = 2 * sizeof block;

	memcpy(bytes, block, sizeof block);
	memcpy(bytes + sizeof block, block, sizeof block);
	len += (size_t)snprintf((char *)bytes + len, sizeof bytes - len, "\n%s\n", rule);
	assert_int_equal(zone_parse(&z, bytes, len), 0);
	return z;
}

static int64_t utc(int year, int month, int day, int hour, int minute)
{
	return civil_days(year, month, day) * CIVIL_DAY_S + hour * 3600 + minute * 60;
}

static struct schedule schedule_of(enum schedule_kind kind, const char *text)
{
	struct schedule_error err;
	struct schedule s;

	if (schedule_parse(&s, kind, text, &err) < 0)
		fail_msg("%s: column %u: %s", text, err.column, err.text);
	return s;
}

/* --- text --- */

static void test_refusals(void **state)
{
	static const struct {
		enum schedule_kind kind;
		const char *text;
		unsigned column;
		const char *message;
	} rows[] = {
		{ SCHEDULE_AT, "", 0, "it is empty" },
		{ SCHEDULE_AT, "25:00", 0, "hour 25 is outside 0-23" },
		{ SCHEDULE_AT, "24:00", 0, "hour 24 is outside 0-23" },
		{ SCHEDULE_AT, "22:60", 3, "minute 60 is outside 0-59" },
		{ SCHEDULE_AT, "22:00:61", 6, "second 61 is outside 0-59" },
		{ SCHEDULE_AT, "9:30", 0, "'9:30' is not a time" },
		{ SCHEDULE_AT, "22:5", 0, "'22:5' is not a time" },
		{ SCHEDULE_AT, "22", 0, "'22' is not a time" },
		{ SCHEDULE_AT, "22:000", 0, "'22:000' is not a time" },
		{ SCHEDULE_AT, "10:00pm", 0, "'10:00pm' is not a time" },
		{ SCHEDULE_AT, "mon-fri", 7, "a time is missing" },
		{ SCHEDULE_AT, "monday 10:00", 0, "'monday' is not a day" },
		{ SCHEDULE_AT, "mon-fry 10:00", 4, "'fry' is not a day" },
		{ SCHEDULE_AT, "mon,, 10:00", 4, "'' is not a day" },
		{ SCHEDULE_AT, "mon@ 10:00", 3, "'@' after a day" },
		{ SCHEDULE_AT, "10:00,", 6, "a time is missing" },
		{ SCHEDULE_AT, "10:00 11:00", 6, "unexpected '11:00'" },
		{ SCHEDULE_EVERY, "5", 0, "'5' is not a duration" },
		{ SCHEDULE_EVERY, "0s", 0, "'0s' is not a duration" },
		{ SCHEDULE_EVERY, "500ms", 0, "a period is whole seconds, at least 1s" },
		{ SCHEDULE_EVERY, "1500ms", 0, "a period is whole seconds, at least 1s" },
		{ SCHEDULE_EVERY, "400d", 0, "a period is at most 366d" },
		{ SCHEDULE_EVERY, "5m 08:00", 3, "'from' is missing" },
		{ SCHEDULE_EVERY, "5m from 08:00", 13, "'to' is missing" },
		{ SCHEDULE_EVERY, "5m from 08:00 to", 14, "'to' is missing" },
		{ SCHEDULE_EVERY, "5m from 08:00 to 30:00", 17, "hour 30 is outside 0-23" },
		{ SCHEDULE_EVERY, "5m from 08:00 to 18:00 x", 23, "unexpected 'x'" },
		{ SCHEDULE_CRON, "0 25 * * *", 2, "hour 25 is outside 0-23" },
		{ SCHEDULE_CRON, "60 * * * *", 0, "minute 60 is outside 0-59" },
		{ SCHEDULE_CRON, "0 0 0 * *", 4, "day of month 0 is outside 1-31" },
		{ SCHEDULE_CRON, "0 0 1 13 *", 6, "month 13 is outside 1-12" },
		{ SCHEDULE_CRON, "0 0 * * 8", 8, "day of week 8 is outside 0-7" },
		{ SCHEDULE_CRON, "0 0 * * monday", 8, "'monday' is not a day of week" },
		{ SCHEDULE_CRON, "0 0 * mon *", 6, "'mon' is not a month" },
		{ SCHEDULE_CRON, "0 0 * *", 7, "cron has five fields, here are 4" },
		{ SCHEDULE_CRON, "0 0 * * * *", 10, "cron has five fields, here is a sixth" },
		{ SCHEDULE_CRON, "5-1 0 * * *", 0, "range '5-1' runs backwards" },
		{ SCHEDULE_CRON, "0 0 * * fri-mon", 8, "range 'fri-mon' runs backwards" },
		{ SCHEDULE_CRON, "5/10 0 * * *", 0, "a step needs a range" },
		{ SCHEDULE_CRON, "*/0 0 * * *", 2, "a step is at least 1" },
		{ SCHEDULE_CRON, "*/ 0 * * *", 2, "a number is missing after '/'" },
		{ SCHEDULE_CRON, "0 0 ? * *", 4, "'?' is not a day of month" },
		{ SCHEDULE_CRON, "0 0 L * *", 4, "'L' is not a day of month" },
		{ SCHEDULE_CRON, "0 0 1W * *", 5, "'W' in the field day of month" },
		{ SCHEDULE_CRON, "0, 0 * * *", 2, "'' is not a minute" },
		{ SCHEDULE_CRON, "99999999999999 0 * * *", 0,
		  "minute 99999999999999 is outside 0-59" },
		{ SCHEDULE_CRON, "@reboot", 0, "@reboot names no time" },
		{ SCHEDULE_CRON, "@dayly", 0, "'@dayly' is not a schedule" },
		{ SCHEDULE_CRON, "@daily x", 6, "nothing may follow @daily" },
		{ SCHEDULE_CRON, "  @dayly", 2, "'@dayly' is not a schedule" },
		{ SCHEDULE_CRON, "0 0 30 2 *", 0, "these months never have such a day" },
		{ SCHEDULE_CRON, "0 0 31 4,6,9,11 *", 0, "these months never have such a day" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct schedule_error err;
		struct schedule s;

		if (schedule_parse(&s, rows[i].kind, rows[i].text, &err) != -EINVAL)
			fail_msg("taken: %s", rows[i].text);
		if (err.column != rows[i].column || strcmp(err.text, rows[i].message) != 0)
			fail_msg("%s: column %u: %s", rows[i].text, err.column, err.text);
		assert_true(err.width >= 1);
		assert_int_equal(schedule_parse(&s, rows[i].kind, rows[i].text, NULL), -EINVAL);
	}
}

static void test_hints(void **state)
{
	struct schedule_error err;
	struct schedule s;

	(void)state;
	schedule_parse(&s, SCHEDULE_CRON, "@dayly", &err);
	assert_string_equal(err.hint, "did you mean @daily?");
	schedule_parse(&s, SCHEDULE_AT, "24:00", &err);
	assert_string_equal(err.hint, "midnight is 00:00 of the next day");
	schedule_parse(&s, SCHEDULE_AT, "mon 10:99,11:00", &err);
	assert_int_equal(err.column, 7);
	assert_int_equal(err.width, 2);
}

static void test_too_long(void **state)
{
	struct schedule_error err;
	struct schedule s;
	char text[1024] = "";

	(void)state;
	for (int i = 0; i < 97; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%02d:%02d",
			 i ? "," : "", i / 4 % 24, i < 96 ? i % 4 * 15 : 1);
	assert_int_equal(schedule_parse(&s, SCHEDULE_AT, text, &err), -EINVAL);
	assert_string_equal(err.text, "more than 96 times");
	text[96 * 6 - 1] = '\0';
	s = schedule_of(SCHEDULE_AT, text);
	assert_int_equal(s.at.count, 96);
	memset(text, '0', 300);
	memcpy(text + 290, " 0 * * *", 9);
	assert_int_equal(schedule_parse(&s, SCHEDULE_CRON, text, &err), -EINVAL);
	assert_string_equal(err.text, "longer than 255 bytes");
}

static void test_describe(void **state)
{
	static const struct { enum schedule_kind kind; const char *text, *words; } rows[] = {
		{ SCHEDULE_AT, "mon-fri 22:00", "mon-fri at 22:00" },
		{ SCHEDULE_AT, "22:00,08:00:30,22:00", "at 08:00:30,22:00" },
		{ SCHEDULE_AT, "fri-mon 22:00", "mon,fri-sun at 22:00" },
		{ SCHEDULE_AT, "sun,Sat 00:00", "sat,sun at 00:00" },
		{ SCHEDULE_AT, "mon-sun 00:00", "at 00:00" },
		{ SCHEDULE_AT, "  tue\t00:00 ", "tue at 00:00" },
		{ SCHEDULE_EVERY, "5m from 08:00 to 18:00", "every 5m from 08:00 to 18:00" },
		{ SCHEDULE_EVERY, "90m", "every 1h30m" },
		{ SCHEDULE_EVERY, "1h30m  from  22:00:01 to  06:00 ",
		  "every 1h30m from 22:00:01 to 06:00" },
		{ SCHEDULE_CRON, "0 22 * * 1-5", "cron 0 22 * * 1-5" },
		{ SCHEDULE_CRON, " @daily ", "cron @daily" },
		{ SCHEDULE_NONE, "anything", "" },
	};
	char buf[SCHEDULE_DESCRIBE_MAX], tiny[8];
	struct schedule s;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		s = schedule_of(rows[i].kind, rows[i].text);
		schedule_describe(&s, buf, sizeof buf);
		assert_string_equal(buf, rows[i].words);
	}
	s = schedule_of(SCHEDULE_AT, "mon-fri 22:00");
	schedule_describe(&s, tiny, sizeof tiny);
	assert_string_equal(tiny, "mon-fri");
}

/* Two texts that must give the same slots, also in how they treat clock changes. */
static void test_same_cron(void **state)
{
	static const struct { const char *a, *b; } rows[] = {
		{ "@yearly", "0 0 1 1 *" },	   { "@annually", "0 0 1 jan *" },
		{ "@monthly", "0 0 1 * *" },	   { "@weekly", "0 0 * * 7" },
		{ "@daily", "0 0 * * *" },	   { "@midnight", "0 0 * * *" },
		{ "@hourly", "0 * * * *" },	   { "0 0 * * SUN", "0 0 * * 0" },
		{ "0 0 * * 5-7", "0 0 * * 0,5,6" }, { "0 0 * FEB,Mar 1-5/2", "0 0 * 2-3 1,3,5" },
		{ "*/60 */99999999999 * * *", "0-59/60 */24 * * *" },
		{ "0-59/20 * * * *", "0,20,40 * * * *" }, { "1\t2 3  4 5", "1 2 3 4 5" },
	};
	struct zone *z = zone_of(BERLIN);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct schedule a = schedule_of(SCHEDULE_CRON, rows[i].a);
		struct schedule b = schedule_of(SCHEDULE_CRON, rows[i].b);
		int64_t now_s = utc(2024, 1, 1, 0, 0);

		for (int k = 0; k < 60; k++) {
			struct slot x = { 0 }, y = { 0 };

			assert_int_equal(schedule_next(&a, z, now_s, &x),
					 schedule_next(&b, z, now_s, &y));
			assert_string_equal(x.key, y.key);
			now_s = x.utc_s;
		}
	}
	zone_free(z);
}

static void test_words(void **state)
{
	enum dst_gap gap = DST_GAP_SKIP;
	enum dst_overlap overlap = DST_OVERLAP_SKIP;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(dst_gap_parse(dst_gap_name((enum dst_gap)i), &gap), 0);
		assert_int_equal(gap, i);
		assert_int_equal(dst_overlap_parse(dst_overlap_name((enum dst_overlap)i),
						   &overlap), 0);
		assert_int_equal(overlap, i);
	}
	assert_int_equal(dst_gap_parse("first", &gap), -EINVAL);
	assert_int_equal(dst_overlap_parse("", &overlap), -EINVAL);
	assert_string_equal(schedule_kind_name(SCHEDULE_EVERY), "every");
}

/* --- time --- */

struct expected {
	int64_t utc_s;
	const char *key;
};

static void check_slots(const char *rule, struct schedule s, int64_t after_s,
			const struct expected *expected, int count)
{
	struct zone *z = zone_of(rule);
	struct slot slot = { .utc_s = after_s };

	for (int i = 0; i < count; i++) {
		if (i == 0)
			assert_int_equal(schedule_next(&s, z, after_s, &slot), 0);
		else
			assert_int_equal(schedule_next_slot(&s, z, &slot, &slot), 0);
		assert_string_equal(slot.key, expected[i].key);
		assert_int_equal(slot.utc_s, expected[i].utc_s);
	}
	zone_free(z);
}

static void test_gap(void **state)
{
	struct schedule s = schedule_of(SCHEDULE_AT, "02:00,02:30:15,02:59,03:30");
	struct schedule with_end = schedule_of(SCHEDULE_AT, "02:00,02:30,03:00");
	const int64_t from_s = utc(2024, 3, 31, 0, 0), end_s = utc(2024, 3, 31, 1, 0);
	const struct expected after[] = { { end_s, "2024-03-31T02:59" },
					  { end_s + 1800, "2024-03-31T03:30" },
					  { utc(2024, 4, 1, 0, 0), "2024-04-01T02:00" } };
	const struct expected each[] = { { end_s, "2024-03-31T02:00" },
					 { end_s, "2024-03-31T02:30:15" },
					 { end_s, "2024-03-31T02:59" },
					 { end_s + 1800, "2024-03-31T03:30" } };
	const struct expected shift[] = { { end_s, "2024-03-31T02:00" },
					  { end_s + 1800, "2024-03-31T03:30" },
					  { end_s + 1815, "2024-03-31T02:30:15" },
					  { end_s + 59 * 60, "2024-03-31T02:59" },
					  { utc(2024, 4, 1, 0, 0), "2024-04-01T02:00" } };
	const struct expected skip[] = { { end_s + 1800, "2024-03-31T03:30" },
					 { utc(2024, 4, 1, 0, 0), "2024-04-01T02:00" } };
	const struct expected one[] = { { end_s, "2024-03-31T03:00" },
					{ utc(2024, 4, 1, 0, 0), "2024-04-01T02:00" } };
	const struct expected three[] = { { end_s, "2024-03-31T02:00" },
					  { end_s, "2024-03-31T02:30" },
					  { end_s, "2024-03-31T03:00" },
					  { utc(2024, 4, 1, 0, 0), "2024-04-01T02:00" } };

	(void)state;
	check_slots(BERLIN, s, from_s, after, 3);
	s.gap = DST_GAP_EACH;
	check_slots(BERLIN, s, from_s, each, 4);
	s.gap = DST_GAP_SHIFT;
	check_slots(BERLIN, s, from_s, shift, 5);
	s.gap = DST_GAP_SKIP;
	check_slots(BERLIN, s, from_s, skip, 2);
	check_slots(BERLIN, with_end, from_s, one, 2);
	with_end.gap = DST_GAP_EACH;
	check_slots(BERLIN, with_end, from_s, three, 4);
}

static void test_overlap(void **state)
{
	struct schedule s = schedule_of(SCHEDULE_AT, "02:00,02:45,03:00");
	const int64_t from_s = utc(2024, 10, 26, 12, 0);
	const struct expected both[] = { { utc(2024, 10, 27, 0, 0), "2024-10-27T02:00" },
					 { utc(2024, 10, 27, 0, 45), "2024-10-27T02:45" },
					 { utc(2024, 10, 27, 1, 0), "2024-10-27T02:00/2" },
					 { utc(2024, 10, 27, 1, 45), "2024-10-27T02:45/2" },
					 { utc(2024, 10, 27, 2, 0), "2024-10-27T03:00" } };
	const struct expected first[] = { both[0], both[1], both[4] };
	const struct expected second[] = { both[2], both[3], both[4] };

	(void)state;
	check_slots(BERLIN, s, from_s, first, 3);
	s.overlap = DST_OVERLAP_SECOND;
	check_slots(BERLIN, s, from_s, second, 3);
	s.overlap = DST_OVERLAP_BOTH;
	check_slots(BERLIN, s, from_s, both, 5);
	s.overlap = DST_OVERLAP_SKIP;
	check_slots(BERLIN, s, from_s, both + 4, 1);
}

static void test_keys(void **state)
{
	const struct expected wildcard[] = { { utc(2024, 3, 31, 1, 0), "2024-03-31T01:00:00Z" } };
	const struct expected fixed[] = { { utc(2024, 3, 31, 1, 0), "2024-03-31T02:45" },
					  { utc(2024, 4, 1, 0, 15), "2024-04-01T02:15" } };
	const struct expected every[] = { { utc(2024, 3, 31, 0, 30), "2024-03-31T00:30:00Z" } };

	(void)state;
	check_slots(BERLIN, schedule_of(SCHEDULE_CRON, "0 * * * *"), utc(2024, 3, 31, 0, 0),
		    wildcard, 1);
	check_slots(BERLIN, schedule_of(SCHEDULE_CRON, "15,45 2 * * *"), utc(2024, 3, 31, 0, 0),
		    fixed, 2);
	check_slots(BERLIN, schedule_of(SCHEDULE_EVERY, "50m"), utc(2024, 3, 31, 0, 0), every, 1);
	assert_true(slot_key_nominal("2024-03-31T02:45"));
	assert_true(slot_key_nominal("2024-10-27T02:45/2"));
	assert_false(slot_key_nominal("2024-03-31T01:00:00Z"));
	assert_false(slot_key_nominal(""));
}

/* A key from other hands never leads astray: at worst its instant counts. */
static void test_strange_prev(void **state)
{
	static const char *const keys[] = { "", "x", "2024-03-31T02:3", "2024-13-31T02:30",
					    "9999999999999999", "2024-03-31T01:00:00Z" };
	struct schedule s = schedule_of(SCHEDULE_AT, "02:30");

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		struct slot slot = { .utc_s = utc(2024, 6, 1, 2, 30) };

		snprintf(slot.key, sizeof slot.key, "%s", keys[i]);
		assert_int_equal(schedule_next_slot(&s, zone_utc(), &slot, &slot), 0);
		assert_string_equal(slot.key, "2024-06-02T02:30");
	}
}

static uint64_t count_on(const struct schedule *s, const struct zone *z, int year, int month,
			 int day)
{
	struct civil c = { year, (int8_t)month, (int8_t)day, 0, 0, 0 };
	int64_t begin[2], end[2];
	uint64_t n = 0;

	zone_from_civil(z, &c, begin, NULL);
	civil_from_days(civil_days(year, month, day) + 1, &c);
	zone_from_civil(z, &c, end, NULL);
	schedule_last(s, z, begin[0] - 1, end[0] - 1, NULL, &n);
	return n;
}

static void test_every(void **state)
{
	static const struct { const char *text; uint64_t normal, spring, autumn; } rows[] = {
		{ "15m", 96, 92, 100 },
		{ "1h", 24, 23, 25 },
		{ "1s", 86400, 82800, 90000 },
		{ "15m from 08:00 to 18:00", 41, 41, 41 },
		{ "15m from 02:00 to 02:59", 4, 0, 8 },
		{ "15m from 22:00 to 06:00", 25 + 8, 21 + 8, 29 + 8 },
		{ "1d from 01:00 to 02:00", 1, 1, 1 },
		{ "1h from 03:00 to 03:00", 1, 1, 1 },
	};
	struct zone *z = zone_of(BERLIN);
	struct schedule s;
	struct slot slot;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		s = schedule_of(SCHEDULE_EVERY, rows[i].text);
		assert_int_equal(count_on(&s, z, 2024, 2, 1), rows[i].normal);
		assert_int_equal(count_on(&s, z, 2024, 3, 31), rows[i].spring);
		assert_int_equal(count_on(&s, z, 2024, 10, 27), rows[i].autumn);
	}
	s = schedule_of(SCHEDULE_EVERY, "1d from 08:00 to 09:00");
	assert_int_equal(schedule_next(&s, z, utc(2024, 1, 1, 0, 0), &slot), -ENOENT);
	s = schedule_of(SCHEDULE_EVERY, "7d");
	assert_int_equal(schedule_next(&s, z, -1, &slot), 0);
	assert_int_equal(slot.utc_s, 0);
	assert_int_equal(schedule_next(&s, z, -7 * CIVIL_DAY_S - 1, &slot), 0);
	assert_string_equal(slot.key, "1969-12-25T00:00:00Z");
	zone_free(z);
}

static void test_last(void **state)
{
	struct zone *z = zone_of(BERLIN);
	struct schedule s = schedule_of(SCHEDULE_EVERY, "1h");
	struct slot last = { 0 };
	uint64_t n = 7;

	(void)state;
	assert_int_equal(schedule_last(&s, z, utc(2024, 6, 1, 2, 10), utc(2024, 6, 1, 7, 40),
				       &last, &n), 0);
	assert_int_equal(n, 5);
	assert_string_equal(last.key, "2024-06-01T07:00:00Z");
	assert_int_equal(schedule_last(&s, z, 3600, 3600, &last, &n), -ENOENT);
	assert_int_equal(n, 0);
	assert_int_equal(schedule_last(&s, z, 0, 3600, NULL, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(schedule_last(&s, z, INT64_MIN, INT64_MAX, &last, &n), 0);
	s = schedule_of(SCHEDULE_CRON, "* * * * *");
	assert_int_equal(schedule_last(&s, z, utc(1950, 1, 1, 0, 0), utc(2050, 1, 1, 0, 0), NULL,
				       &n), 0);
	assert_int_equal(n, (utc(2050, 1, 1, 0, 0) - utc(1950, 1, 1, 0, 0)) / 60);
	s = schedule_of(SCHEDULE_AT, "02:00,02:15,02:30,03:00");
	s.gap = DST_GAP_EACH;
	assert_int_equal(schedule_last(&s, z, utc(2024, 3, 31, 0, 0), utc(2024, 3, 31, 1, 0),
				       &last, &n), 0);
	assert_int_equal(n, 4);
	assert_string_equal(last.key, "2024-03-31T03:00");
	s = schedule_of(SCHEDULE_NONE, "");
	assert_int_equal(schedule_last(&s, z, 0, 1, &last, &n), -ENOENT);
	zone_free(z);
}

static void test_far(void **state)
{
	struct schedule leap = schedule_of(SCHEDULE_CRON, "0 0 29 2 *");
	struct schedule none = schedule_of(SCHEDULE_NONE, "");
	struct schedule often = schedule_of(SCHEDULE_CRON, "* * * * *");
	struct slot slot;

	(void)state;
	assert_int_equal(schedule_next(&leap, zone_utc(), utc(2096, 2, 28, 0, 0), &slot), 0);
	assert_int_equal(schedule_next(&leap, zone_utc(), slot.utc_s, &slot), -ENOENT);
	assert_int_equal(schedule_next(&none, zone_utc(), 0, &slot), -ENOENT);
	assert_int_equal(schedule_next(&often, zone_utc(), INT64_MIN, &slot), 0);
	assert_string_equal(slot.key, "0001-01-01T00:00:00Z");
	assert_int_equal(schedule_next(&often, zone_utc(), INT64_MAX, &slot), -ENOENT);
}

static void test_day_rule(void **state)
{
	static const struct { const char *text; int first, second, third; } rows[] = {
		{ "0 9 1-7 * mon", 1, 2, 3 },           /* either: June 2024 began on a Saturday */
		{ "0 9 */1 * mon", 3, 10, 17 },         /* begins with '*': both */
		{ "0 9 1-7 * */1", 1, 2, 3 },
		{ "0 9 1-10 * */2", 1, 2, 4 },          /* 0,2,4,6 */
		{ "0 9 */9 * mon,wed", 10, 19, -1 },
		{ "0 9 20 * *", 20, -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct schedule s = schedule_of(SCHEDULE_CRON, rows[i].text);
		struct slot slot = { .utc_s = utc(2024, 6, 1, 0, 0) };
		const int days[] = { rows[i].first, rows[i].second, rows[i].third };

		for (int k = 0; k < 3 && days[k] > 0; k++) {
			assert_int_equal(schedule_next(&s, zone_utc(), slot.utc_s, &slot), 0);
			if (slot.utc_s != utc(2024, 6, days[k], 9, 0))
				fail_msg("%s: %s", rows[i].text, slot.key);
		}
	}
}

static void test_once_a_day(void **state)
{
	struct schedule s = schedule_of(SCHEDULE_AT, "mon 02:30");

	(void)state;
	assert_true(schedule_once_a_day(&s));
	s.overlap = DST_OVERLAP_BOTH;
	assert_false(schedule_once_a_day(&s));
	s = schedule_of(SCHEDULE_AT, "02:30,03:30");
	assert_false(schedule_once_a_day(&s));
	s = schedule_of(SCHEDULE_CRON, "30 2 * * *");
	assert_true(schedule_once_a_day(&s));
	s = schedule_of(SCHEDULE_CRON, "30 */24 * * *");
	assert_false(schedule_once_a_day(&s));
	s = schedule_of(SCHEDULE_CRON, "30 2,3 * * *");
	assert_false(schedule_once_a_day(&s));
	s = schedule_of(SCHEDULE_EVERY, "1d");
	assert_true(schedule_once_a_day(&s));
	s = schedule_of(SCHEDULE_EVERY, "23h");
	assert_false(schedule_once_a_day(&s));
	s = schedule_of(SCHEDULE_NONE, "");
	assert_true(schedule_once_a_day(&s));
}

static void test_period(void **state)
{
	struct schedule s = schedule_of(SCHEDULE_EVERY, "5m");
	int64_t at_s = utc(2024, 6, 1, 0, 0);

	(void)state;
	assert_int_equal(schedule_period_s(&s, zone_utc(), at_s), 300);
	s = schedule_of(SCHEDULE_AT, "mon 00:00");
	assert_int_equal(schedule_period_s(&s, zone_utc(), at_s), CIVIL_DAY_S);
	s = schedule_of(SCHEDULE_NONE, "");
	assert_int_equal(schedule_period_s(&s, zone_utc(), at_s), CIVIL_DAY_S);
	assert_int_equal(schedule_period_s(&s, zone_utc(), INT64_MAX), CIVIL_DAY_S);
}

/* --- properties --- */

static int compare_keys(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void check_properties(const struct schedule *s, const struct zone *z, int64_t now_s)
{
	enum { COUNT = 400 };
	static char keys[COUNT][SLOT_KEY_SIZE];
	struct slot slot = { .utc_s = now_s, .key = "" }, next, again;
	uint64_t n;
	int count = 0;

	while (count < COUNT && schedule_next_slot(s, z, &slot, &next) == 0) {
		int64_t between_s = slot.utc_s + (next.utc_s - slot.utc_s) / 2;

		assert_true(next.utc_s > slot.utc_s ||
			    (next.utc_s == slot.utc_s && strcmp(next.key, slot.key) > 0));
		if (between_s < next.utc_s) {
			assert_int_equal(schedule_next(s, z, between_s, &again), 0);
			assert_int_equal(again.utc_s, next.utc_s);
			assert_int_equal(schedule_next(s, z, next.utc_s - 1, &again), 0);
			assert_string_equal(again.key, strcmp(again.key, next.key) < 0
							? again.key : next.key);
		}
		slot = next;
		memcpy(keys[count++], slot.key, SLOT_KEY_SIZE);
	}
	if (count == 0)
		return;
	assert_int_equal(schedule_last(s, z, now_s, slot.utc_s, &again, &n), 0);
	assert_int_equal(again.utc_s, slot.utc_s);
	assert_true(n >= (uint64_t)count);
	qsort(keys, (size_t)count, sizeof keys[0], compare_keys);
	for (int i = 1; i < count; i++)
		assert_string_not_equal(keys[i - 1], keys[i]);
}

static void test_properties(void **state)
{
	static const char *const rules[] = {
		BERLIN, AZORES, "UTC0", "EET-2EEST,M3.5.0/0,M10.5.0/0",
		"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3",
		"IST-1GMT0,M10.5.0,M3.5.0/1", "CST5CDT,M3.2.0/0,M11.1.0/1",
		"<-12>12<+12>-12,M3.5.0/1,M10.5.0/3",
	};
	static const struct { enum schedule_kind kind; const char *text; } specs[] = {
		{ SCHEDULE_AT, "00:00" }, { SCHEDULE_AT, "00:30,01:00,01:30,02:00,02:30,23:45" },
		{ SCHEDULE_AT, "sat-sun 01:59:59,02:00,03:00:01" },
		{ SCHEDULE_CRON, "*/20 * * * *" }, { SCHEDULE_CRON, "0,30 0-3 * * *" },
		{ SCHEDULE_CRON, "30 2 29 2 *" }, { SCHEDULE_CRON, "0 0 31 * fri" },
		{ SCHEDULE_EVERY, "7h" }, { SCHEDULE_EVERY, "25m from 23:00 to 02:30" },
	};

	(void)state;
	for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
		struct zone *z = zone_of(rules[r]);

		for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
			struct schedule s = schedule_of(specs[i].kind, specs[i].text);

			for (int policy = 0; policy < 16; policy++) {
				if (policy > 0 && s.kind != SCHEDULE_AT)
					break;
				s.gap = (enum dst_gap)(policy % 4);
				s.overlap = (enum dst_overlap)(policy / 4);
				check_properties(&s, z, utc(2024, 3, 25, 0, 0));
				check_properties(&s, z, utc(2024, 9, 30, 0, 0));
			}
		}
		zone_free(z);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),     cmocka_unit_test(test_hints),
		cmocka_unit_test(test_too_long),     cmocka_unit_test(test_describe),
		cmocka_unit_test(test_same_cron),    cmocka_unit_test(test_words),
		cmocka_unit_test(test_gap),	     cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_keys),	     cmocka_unit_test(test_strange_prev),
		cmocka_unit_test(test_every),	     cmocka_unit_test(test_last),
		cmocka_unit_test(test_far),	     cmocka_unit_test(test_day_rule),
		cmocka_unit_test(test_once_a_day),   cmocka_unit_test(test_period),
		cmocka_unit_test(test_properties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
