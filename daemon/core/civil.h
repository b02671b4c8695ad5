/*
 * civil.h - dates and times of day of the proleptic Gregorian calendar, without a zone.
 *
 * A civil time is what a wall clock and a wall calendar show. Counting "local seconds" (seconds
 * since 1970-01-01T00:00 on that same wall clock) makes it a number; zone.h ties that number to
 * UTC. Years go from CIVIL_YEAR_MIN to CIVIL_YEAR_MAX, wide enough for any instant that fits an
 * int64_t after clamping.
 */
#ifndef CHIME_DAEMON_CORE_CIVIL_H
#define CHIME_DAEMON_CORE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CIVIL_DAY_S = 86400,
	CIVIL_YEAR_MIN = -1900000000,
	CIVIL_YEAR_MAX = 1900000000,
};

/* month 1-12, day 1-31, hour 0-23, minute and second 0-59 (there are no leap seconds here). */
struct civil {
	int32_t year;
	int8_t month, day, hour, minute, second;
};

/* Floored division and remainder of seconds by a positive unit; the remainder is never negative. */
static inline int64_t civil_floor_div(int64_t a, int64_t unit)
{
	return a / unit - (a % unit < 0);
}

static inline int64_t civil_floor_mod(int64_t a, int64_t unit)
{
	return a % unit + (a % unit < 0 ? unit : 0);
}

/* Days of a date since 1970-01-01; month 1-12, day any small number (overflow rolls over). */
int64_t civil_days(int32_t year, int month, int day);

/* The date of a day number; the time of day becomes 00:00:00. */
void civil_from_days(int64_t days, struct civil *out);

/* Weekday of a day number: 0 = Sunday ... 6 = Saturday. */
int civil_weekday(int64_t days);

/* Days of a month, 28 to 31. */
int civil_month_days(int32_t year, int month);

/* True when every member is in its range and the day exists in its month. */
bool civil_valid(const struct civil *c);

/* Local seconds since 1970-01-01T00:00 of a valid civil time, and back (clamped to the years). */
int64_t civil_seconds(const struct civil *c);
void civil_from_seconds(int64_t local_s, struct civil *out);

/*
 * ISO 8601 week of a day number: the year that owns the week (it may differ from the date's) and
 * the week, 1-53. civil_iso_weeks gives the weeks of an ISO year, 52 or 53;
 * civil_iso_monday the day number of the Monday of week 1-53.
 */
void civil_iso_week(int64_t days, int32_t *year, int *week);
int civil_iso_weeks(int32_t year);
int64_t civil_iso_monday(int32_t year, int week);

#endif
