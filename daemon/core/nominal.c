#include "daemon/core/nominal.h"

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool match_day(const struct schedule *s, int64_t day)
{
	unsigned weekday = (unsigned)civil_weekday(day);
	struct civil c;
	bool dom, dow;

	if (s->kind == SCHEDULE_AT)
		return s->at.days >> weekday & 1;
	civil_from_days(day, &c);
	dom = s->cron.dom >> c.day & 1;
	dow = s->cron.dow >> weekday & 1;
	return (s->cron.month >> c.month & 1) &&
	       (s->cron.dom_star || s->cron.dow_star ? dom && dow : dom || dow);
}

/* The first day of the next month that the schedule knows; `day` lies in one that it doesn't. */
static int64_t skip_months(const struct schedule *s, int64_t day)
{
	struct civil c;

	civil_from_days(day, &c);
	do {
		c.year += c.month == 12;
		c.month = (int8_t)(c.month % 12 + 1);
	} while (!(s->cron.month >> c.month & 1));
	return civil_days(c.year, c.month, 1);
}

static bool month_matches(const struct schedule *s, int64_t day)
{
	struct civil c;

	if (s->kind == SCHEDULE_AT)
		return true;
	civil_from_days(day, &c);
	return s->cron.month >> c.month & 1;
}

/* The first matching day in [day, end), or NOMINAL_NEVER. */
static int64_t find_day(const struct schedule *s, int64_t day, int64_t end)
{
	while (day < end) {
		if (!month_matches(s, day))
			day = skip_months(s, day);
		else if (match_day(s, day))
			return day;
		else
			day++;
	}
	return NOMINAL_NEVER;
}

/* The first matching second of a day at or after `second`, or -1. */
static int64_t find_second(const struct schedule *s, int64_t second)
{
	unsigned minute, hour;
	uint64_t later;

	if (s->kind == SCHEDULE_AT) {
		for (uint32_t i = 0; i < s->at.count; i++)
			if (s->at.time_s[i] >= second)
				return s->at.time_s[i];
		return -1;
	}
	if (second > CIVIL_DAY_S - 60)
		return -1;
	minute = (unsigned)((second + 59) / 60);
	hour = minute / 60;
	minute %= 60;
	later = s->cron.minute >> minute;
	if ((s->cron.hour >> hour & 1) && later)
		return hour * 3600 + (minute + (unsigned)__builtin_ctzll(later)) * 60;
	later = (uint64_t)s->cron.hour >> (hour + 1);
	if (!later)
		return -1;
	hour += 1 + (unsigned)__builtin_ctzll(later);
	return hour * 3600 + (unsigned)__builtin_ctzll(s->cron.minute) * 60;
}

int64_t nominal_find(const struct schedule *s, int64_t local_s, int64_t end_s)
{
	int64_t first = civil_floor_div(local_s, CIVIL_DAY_S);
	int64_t last = civil_floor_div(end_s - 1, CIVIL_DAY_S) + 1;
	int64_t day, second, found;

	if (local_s >= end_s)
		return NOMINAL_NEVER;
	day = find_day(s, first, last);
	second = day == first ? local_s - first * CIVIL_DAY_S : 0;
	if (day != NOMINAL_NEVER && find_second(s, second) < 0) {
		day = find_day(s, day + 1, last);
		second = 0;
	}
	if (day == NOMINAL_NEVER)
		return NOMINAL_NEVER;
	found = day * CIVIL_DAY_S + find_second(s, second);
	return found < end_s ? found : NOMINAL_NEVER;
}

/* By halving: the stretches asked for are the few hours of a gap. */
int64_t nominal_find_last(const struct schedule *s, int64_t local_s, int64_t end_s)
{
	int64_t found = nominal_find(s, local_s, end_s);

	if (found == NOMINAL_NEVER)
		return NOMINAL_NEVER;
	while (found + 1 < end_s) {
		int64_t middle = found + 1 + (end_s - found - 1) / 2;
		int64_t later = nominal_find(s, middle, end_s);

		if (later != NOMINAL_NEVER)
			found = later;
		else
			end_s = middle;
	}
	return found;
}

static uint64_t count_seconds(const struct schedule *s, int64_t from, int64_t to)
{
	uint64_t n = 0;

	if (s->kind == SCHEDULE_AT) {
		for (uint32_t i = 0; i < s->at.count; i++)
			n += s->at.time_s[i] >= from && s->at.time_s[i] < to;
		return n;
	}
	for (unsigned hour = 0; hour < 24; hour++) {
		int64_t low = (most(from - hour * 3600, 0) + 59) / 60;
		int64_t high = least((to - hour * 3600 + 59) / 60, 60);

		if (!(s->cron.hour >> hour & 1) || low >= high || to <= hour * 3600)
			continue;
		n += (unsigned)__builtin_popcountll(s->cron.minute >> low
						    << (64 - (high - low)));
	}
	return n;
}

uint64_t nominal_count(const struct schedule *s, int64_t local_s, int64_t end_s)
{
	uint64_t whole_day = count_seconds(s, 0, CIVIL_DAY_S), n = 0;
	int64_t last = civil_floor_div(end_s - 1, CIVIL_DAY_S) + 1;
	int64_t day = find_day(s, civil_floor_div(local_s, CIVIL_DAY_S), last);

	for (; day != NOMINAL_NEVER; day = find_day(s, day + 1, last)) {
		int64_t from = local_s - day * CIVIL_DAY_S, to = end_s - day * CIVIL_DAY_S;

		n += from <= 0 && to >= CIVIL_DAY_S
			? whole_day
			: count_seconds(s, most(from, 0), least(to, CIVIL_DAY_S));
	}
	return n;
}
