/* Cycle labels: their texts, what they contain, their order and their ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/core/cycle.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define BEIRUT "EET-2EEST,M3.5.0/0,M10.5.0/0"
#define HAVANA "CST5CDT,M3.2.0/0,M11.1.0/1"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"

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

static void check_label(const char *rule, enum cycle_kind kind, int64_t utc_s,
			const struct slot *slot, const char *expected)
{
	struct zone *z = zone_of(rule);
	char label[CYCLE_LABEL_MAX];

	cycle_label(kind, z, utc_s, slot, label);
	assert_string_equal(label, expected);
	assert_int_equal(cycle_parse_check(label), 0);
	zone_free(z);
}

static void test_kinds(void **state)
{
	enum cycle_kind kind;

	(void)state;
	for (int i = CYCLE_DEFAULT; i <= CYCLE_NONE; i++) {
		assert_int_equal(cycle_kind_parse(cycle_kind_name((enum cycle_kind)i), &kind), 0);
		assert_int_equal(kind, i);
	}
	assert_int_equal(cycle_kind_parse("year", &kind), -EINVAL);
	assert_int_equal(cycle_kind_parse("Day", &kind), -EINVAL);
}

static void test_resolve(void **state)
{
	struct schedule s;

	(void)state;
	schedule_parse(&s, SCHEDULE_AT, "22:00", NULL);
	assert_int_equal(cycle_kind_resolve(CYCLE_DEFAULT, &s), CYCLE_DAY);
	assert_int_equal(cycle_kind_resolve(CYCLE_HOUR, &s), CYCLE_HOUR);
	schedule_parse(&s, SCHEDULE_EVERY, "5m", NULL);
	assert_int_equal(cycle_kind_resolve(CYCLE_DEFAULT, &s), CYCLE_SLOT);
	schedule_parse(&s, SCHEDULE_NONE, "", NULL);
	assert_int_equal(cycle_kind_resolve(CYCLE_DEFAULT, &s), CYCLE_DAY);
}

static void test_labels(void **state)
{
	int64_t utc_s = utc(2026, 11, 20, 13, 0);

	(void)state;
	check_label(BERLIN, CYCLE_DAY, utc_s, NULL, "2026-11-20");
	check_label(BERLIN, CYCLE_DEFAULT, utc_s, NULL, "2026-11-20");
	check_label(BERLIN, CYCLE_HOUR, utc_s + 59 * 60, NULL, "2026-11-20T14+01:00");
	check_label(BERLIN, CYCLE_SLOT, utc_s, NULL, "2026-11-20T14:00:00+01:00");
	check_label(BERLIN, CYCLE_WEEK, utc_s, NULL, "2026-W47");
	check_label(BERLIN, CYCLE_MONTH, utc_s, NULL, "2026-11");
	check_label(BERLIN, CYCLE_NONE, utc_s, NULL, "");
	check_label("UTC0", CYCLE_SLOT, utc_s + 5, NULL, "2026-11-20T13:00:05+00:00");
	check_label("<-0330>3:30", CYCLE_HOUR, utc_s, NULL, "2026-11-20T09-03:30");
	check_label("LMT-0:53:28", CYCLE_SLOT, utc_s, NULL, "2026-11-20T13:53:28+00:53:28");
	check_label("UTC0", CYCLE_WEEK, utc(2027, 1, 1, 0, 0), NULL, "2026-W53");
	check_label("UTC0", CYCLE_WEEK, utc(2024, 12, 30, 0, 0), NULL, "2025-W01");
	check_label("UTC0", CYCLE_SLOT, INT64_MAX, NULL, "9999-12-29T23:59:59+00:00");
	check_label("UTC0", CYCLE_DAY, INT64_MIN, NULL, "0001-01-03");
}

static void test_nominal_date(void **state)
{
	/* midnight of the 31st doesn't exist in Beirut; 23:30 shifted over the end of a month */
	struct slot midnight = { utc(2024, 3, 30, 22, 0), "2024-03-31T00:00" };
	struct slot shifted = { utc(2024, 3, 30, 22, 30), "2024-03-30T23:30" };
	struct slot month = { utc(2024, 3, 31, 22, 5), "2024-03-31T23:59/2" };
	struct slot elapsed = { utc(2024, 3, 30, 21, 59), "2024-03-30T21:59:00Z" };

	(void)state;
	check_label(BEIRUT, CYCLE_DAY, 0, &midnight, "2024-03-31");
	check_label(BEIRUT, CYCLE_SLOT, 0, &midnight, "2024-03-31T01:00:00+03:00");
	check_label(BEIRUT, CYCLE_HOUR, 0, &midnight, "2024-03-31T01+03:00");
	check_label(BEIRUT, CYCLE_DAY, 0, &shifted, "2024-03-30");
	check_label(BEIRUT, CYCLE_MONTH, 0, &month, "2024-03");
	check_label(BEIRUT, CYCLE_WEEK, 0, &month, "2024-W13");
	check_label(BEIRUT, CYCLE_DAY, 0, &elapsed, "2024-03-30");
	check_label(BERLIN, CYCLE_DAY, 0, &elapsed, "2024-03-30");
}

static void test_midnight_gap(void **state)
{
	struct zone *z = zone_of(BEIRUT);
	char label[CYCLE_LABEL_MAX];
	struct schedule s;
	struct slot slot;

	(void)state;
	schedule_parse(&s, SCHEDULE_AT, "00:00", NULL);
	assert_int_equal(schedule_next(&s, z, utc(2024, 3, 30, 12, 0), &slot), 0);
	cycle_label(CYCLE_DAY, z, 0, &slot, label);
	assert_string_equal(label, "2024-03-31");
	zone_free(z);
}

static void test_validity(void **state)
{
	static const struct { const char *label; int kind; } rows[] = {
		{ "", CYCLE_NONE },
		{ "2026-11-20", CYCLE_DAY },
		{ "2024-02-29", CYCLE_DAY },
		{ "2026-11", CYCLE_MONTH },
		{ "2026-W53", CYCLE_WEEK },
		{ "2026-11-20T14+01:00", CYCLE_HOUR },
		{ "2026-11-20T14:00:00-03:30", CYCLE_SLOT },
		{ "2026-11-20T14:00:00+00:53:28", CYCLE_SLOT },
		{ "2025-W53", -EINVAL }, { "2026-W00", -EINVAL }, { "2026-W1", -EINVAL },
		{ "2026-w47", -EINVAL }, { "2026-W471", -EINVAL },
		{ "2026", -EINVAL }, { "2026-", -EINVAL }, { "2026-13", -EINVAL },
		{ "2026-00", -EINVAL }, { "2026-11-", -EINVAL }, { "2026-11-31", -EINVAL },
		{ "2025-02-29", -EINVAL }, { "2026-11-20 ", -EINVAL }, { "2026-11-20T", -EINVAL },
		{ "2026-11-20T14", -EINVAL }, { "2026-11-20T24+01:00", -EINVAL },
		{ "2026-11-20T14:00+01:00", -EINVAL }, { "2026-11-20T14:00:00", -EINVAL },
		{ "2026-11-20T14:00:00Z", -EINVAL }, { "2026-11-20T14:00:60+01:00", -EINVAL },
		{ "2026-11-20T14:00:00+0100", -EINVAL }, { "2026-11-20T14:00:00+26:00", -EINVAL },
		{ "2026-11-20T14:00:00+01:00x", -EINVAL }, { "0000-01-01", -EINVAL },
		{ "26-11-20", -EINVAL }, { "today", -EINVAL }, { " 2026-11", -EINVAL },
		{ "2026-11-20T14:00:00+01:00                      ", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (cycle_label_kind(rows[i].label) != rows[i].kind)
			fail_msg("'%s': %d", rows[i].label, cycle_label_kind(rows[i].label));
		assert_int_equal(cycle_parse_check(rows[i].label), rows[i].kind < 0 ? -EINVAL : 0);
	}
}

static void test_relations(void **state)
{
	enum { EQUAL = 1, CONTAINS = 2, NOTHING = 0 };
	static const struct { const char *a, *b; int relation; } rows[] = {
		{ "2026-11-20", "2026-11-20", EQUAL },
		{ "", "", EQUAL },
		{ "", "2026-11-20", NOTHING },
		{ "2026-11-20", "2026-11-21", NOTHING },
		{ "2026-11-20T14+01:00", "2026-11-20T13+00:00", EQUAL },
		{ "2026-11-20T14+01:00", "2026-11-20T14+00:00", NOTHING },
		{ "2026-11-20T14:00:00+01:00", "2026-11-20T08:00:00-05:00", EQUAL },
		{ "2026-11-20T14:00:00+01:00", "2026-11-20T14:00:01+01:00", NOTHING },
		{ "2026-11", "2026-11-20", CONTAINS },
		{ "2026-11", "2026-12-20", NOTHING },
		{ "2026-11", "2025-11-20", NOTHING },
		{ "2026-11", "2026-11-20T14+01:00", NOTHING },
		{ "2026-11", "2026-11-20T14:00:00+01:00", NOTHING },
		{ "2026-11", "2026-W47", NOTHING },
		{ "2026-W47", "2026-11-20", NOTHING },
		{ "2026-W47", "2026-11-20T14+01:00", NOTHING },
		{ "2026-W47", "2026-W47", EQUAL },
		{ "2026-11-20", "2026-11-20T14+01:00", CONTAINS },
		{ "2026-11-20", "2026-11-20T00:00:00+01:00", CONTAINS },
		{ "2026-11-20", "2026-11-20T23:59:59-05:00", CONTAINS },
		{ "2026-11-20", "2026-11-21T00:00:00+01:00", NOTHING },
		{ "2026-11-20T14+01:00", "2026-11-20T14:00:00+01:00", CONTAINS },
		{ "2026-11-20T14+01:00", "2026-11-20T14:59:59+01:00", CONTAINS },
		{ "2026-11-20T14+01:00", "2026-11-20T13:30:00+00:00", CONTAINS },
		{ "2026-11-20T14+01:00", "2026-11-20T15:00:00+01:00", NOTHING },
		{ "2026-11-20T14+01:00", "2026-11-20T13:59:59+01:00", NOTHING },
		{ "nonsense", "2026-11-20", NOTHING },
		{ "nonsense", "nonsense", EQUAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *a = rows[i].a, *b = rows[i].b;
		int relation = rows[i].relation;

		if (cycle_equal(a, b) != (relation == EQUAL) ||
		    cycle_equal(b, a) != (relation == EQUAL) ||
		    cycle_contains(a, b) != (relation == CONTAINS) || cycle_contains(b, a) ||
		    cycle_compatible(a, b) != (relation != NOTHING) ||
		    cycle_compatible(b, a) != (relation != NOTHING))
			fail_msg("'%s' and '%s'", a, b);
		assert_int_equal(cycle_compare(a, b) == 0, relation == EQUAL);
	}
}

static void test_order(void **state)
{
	static const char *const sorted[] = {
		"", "2025-12", "2026-11", "2026-11-01", "2026-W45", "2026-11-09",
		"2026-11-20", "2026-11-20T00+00:00", "2026-11-20T00:00:00+00:00",
		"2026-11-20T14+01:00", "2026-11-20T14:00:00+01:00", "2026-11-20T08:30:00-05:00",
		"2026-11-21", "2026-12", "bad", "worse",
	};
	enum { COUNT = sizeof sorted / sizeof sorted[0] };

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		for (int k = 0; k < COUNT; k++) {
			int order = cycle_compare(sorted[i], sorted[k]);

			if ((order < 0) != (i < k) || (order > 0) != (i > k))
				fail_msg("'%s' and '%s': %d", sorted[i], sorted[k], order);
		}
	}
}

static void check_end(const char *rule, const char *label, int n_more, int64_t expected_s)
{
	struct zone *z = zone_of(rule);
	int64_t utc_s = 0;

	assert_int_equal(cycle_end_utc(label, z, n_more, &utc_s), 0);
	if (utc_s != expected_s)
		fail_msg("%s + %d: %lld, not %lld", label, n_more, (long long)utc_s,
			 (long long)expected_s);
	zone_free(z);
}

static void test_ends(void **state)
{
	int64_t utc_s;

	(void)state;
	check_end(BERLIN, "2024-03-30", 0, utc(2024, 3, 30, 23, 0));
	check_end(BERLIN, "2024-03-30", 1, utc(2024, 3, 31, 22, 0));
	check_end(BERLIN, "2024-10-27", 0, utc(2024, 10, 27, 23, 0));
	check_end(BEIRUT, "2024-03-30", 0, utc(2024, 3, 30, 22, 0));
	check_end(BEIRUT, "2024-10-26", 0, utc(2024, 10, 26, 22, 0));
	check_end(HAVANA, "2024-11-02", 0, utc(2024, 11, 3, 4, 0));
	check_end(NEW_YORK, "2026-11-20T14+01:00", 0, utc(2026, 11, 20, 14, 0));
	check_end(BERLIN, "2026-11-20T14+01:00", 1, utc(2026, 11, 20, 15, 0));
	check_end("UTC0", "2026-W47", 0, utc(2026, 11, 23, 0, 0));
	check_end("UTC0", "2026-W53", 1, utc(2027, 1, 11, 0, 0));
	check_end("UTC0", "2026-11", 0, utc(2026, 12, 1, 0, 0));
	check_end("UTC0", "2026-11", 1, utc(2027, 1, 1, 0, 0));
	check_end("UTC0", "2026-12", 0, utc(2027, 1, 1, 0, 0));
	check_end("UTC0", "2026-12", 13, utc(2028, 2, 1, 0, 0));
	assert_int_equal(cycle_end_utc("", zone_utc(), 1, &utc_s), -ENOENT);
	assert_int_equal(cycle_end_utc("2026-11-20T14:00:00+01:00", zone_utc(), 1, &utc_s),
			 -ENOENT);
	assert_int_equal(cycle_end_utc("x", zone_utc(), 1, &utc_s), -EINVAL);
	assert_int_equal(cycle_end_utc("2026-11", zone_utc(), -1, &utc_s), -EINVAL);
	assert_int_equal(cycle_end_utc("9999-12-31", zone_utc(), 10000, &utc_s), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),	    cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_labels),	    cmocka_unit_test(test_nominal_date),
		cmocka_unit_test(test_midnight_gap),
		cmocka_unit_test(test_validity),    cmocka_unit_test(test_relations),
		cmocka_unit_test(test_order),	    cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
