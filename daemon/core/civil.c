#include "daemon/core/civil.h"

enum { DAYS_PER_ERA = 146097, DAYS_TO_1970 = 719468 };

/* The year is counted from 1 March so that the leap day is its last day. */
int64_t civil_days(int32_t year, int month, int day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = civil_floor_div(y, 400);
	int64_t year_of_era = y - era * 400;
	int64_t from_march = (month + 9) % 12;
	int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;

	return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - DAYS_TO_1970;
}

void civil_from_days(int64_t days, struct civil *out)
{
	int64_t era = civil_floor_div(days + DAYS_TO_1970, DAYS_PER_ERA);
	int64_t doe = days + DAYS_TO_1970 - era * DAYS_PER_ERA;
	int64_t year_of_era = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t from_march = (5 * doy + 2) / 153;
	int month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);

	*out = (struct civil){ .year = (int32_t)(era * 400 + year_of_era + (month <= 2)),
			       .month = (int8_t)month,
			       .day = (int8_t)(doy - (153 * from_march + 2) / 5 + 1) };
}

int civil_weekday(int64_t days)
{
	return (int)civil_floor_mod(days + 4, 7);
}

int civil_month_days(int32_t year, int month)
{
	static const int8_t length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return length[month - 1] + (month == 2 && leap);
}

bool civil_valid(const struct civil *c)
{
	return c->year >= CIVIL_YEAR_MIN && c->year <= CIVIL_YEAR_MAX && c->month >= 1 &&
	       c->month <= 12 && c->day >= 1 && c->day <= civil_month_days(c->year, c->month) &&
	       c->hour >= 0 && c->hour <= 23 && c->minute >= 0 && c->minute <= 59 &&
	       c->second >= 0 && c->second <= 59;
}

int64_t civil_seconds(const struct civil *c)
{
	return civil_days(c->year, c->month, c->day) * CIVIL_DAY_S + c->hour * 3600 +
	       c->minute * 60 + c->second;
}

void civil_from_seconds(int64_t local_s, struct civil *out)
{
	const int64_t limit = INT64_C(31556952) * (CIVIL_YEAR_MAX - 2000);
	int64_t day, second;

	if (local_s > limit)
		local_s = limit;
	if (local_s < -limit)
		local_s = -limit;
	day = civil_floor_div(local_s, CIVIL_DAY_S);
	second = local_s - day * CIVIL_DAY_S;
	civil_from_days(day, out);
	out->hour = (int8_t)(second / 3600);
	out->minute = (int8_t)(second / 60 % 60);
	out->second = (int8_t)(second % 60);
}

/* A week belongs to the year of its Thursday. */
void civil_iso_week(int64_t days, int32_t *year, int *week)
{
	int64_t thursday = days - civil_floor_mod(days + 3, 7) + 3;
	struct civil c;

	civil_from_days(thursday, &c);
	*year = c.year;
	*week = (int)((thursday - civil_days(c.year, 1, 1)) / 7) + 1;
}

int civil_iso_weeks(int32_t year)
{
	int32_t owner;
	int week;

	civil_iso_week(civil_days(year, 12, 28), &owner, &week);
	return week;
}

int64_t civil_iso_monday(int32_t year, int week)
{
	int64_t fourth = civil_days(year, 1, 4);

	return fourth - civil_floor_mod(fourth + 3, 7) + 7 * (int64_t)(week - 1);
}
