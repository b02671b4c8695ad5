#include "daemon/core/schedule.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/nominal.h"

/* Slots live in the years 1 to 9999, whose keys sort as text. */
#define FIRST_S (INT64_C(-62135596800))
#define LAST_S (INT64_C(253402300799) - 2 * CIVIL_DAY_S)
#define COUNT_REACH_S (INT64_C(36525) * CIVIL_DAY_S)

/* A place in the order of slots, and a slot in the making: its instant and nominal local time. */
struct place {
	int64_t utc_s, local_s;
	int pass;
};

/* A span with what surrounds it. */
struct view {
	struct zone_span span;
	int32_t before_s, after_s;     /* the neighbours' offsets */
};

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void look_at(const struct zone *z, int64_t utc_s, struct view *v)
{
	struct zone_span other;

	zone_span_at(z, utc_s, &v->span);
	v->before_s = v->after_s = v->span.utoff_s;
	if (v->span.start_s > ZONE_MIN_S) {
		zone_span_at(z, v->span.start_s - 1, &other);
		v->before_s = other.utoff_s;
	}
	if (v->span.end_s < ZONE_MAX_S) {
		zone_span_at(z, v->span.end_s, &other);
		v->after_s = other.utoff_s;
	}
}

static bool is_fixed(const struct schedule *s)
{
	return s->kind == SCHEDULE_AT || (s->kind == SCHEDULE_CRON && !s->cron.wildcard);
}

static enum dst_gap gap_of(const struct schedule *s)
{
	if (s->kind == SCHEDULE_AT)
		return s->gap;
	return is_fixed(s) ? DST_GAP_AFTER : DST_GAP_SKIP;
}

static enum dst_overlap overlap_of(const struct schedule *s)
{
	if (s->kind == SCHEDULE_AT)
		return s->overlap;
	return is_fixed(s) ? DST_OVERLAP_FIRST : DST_OVERLAP_BOTH;
}

/* --- at and cron: matching local times placed on the UTC line, span by span --- */

/* The first regular slot at or after `from` that begins in [from, end_s) inside the span. */
static bool find_regular(const struct schedule *s, const struct view *v, const struct place *from,
			 int64_t end_s, struct place *out)
{
	int32_t utoff_s = v->span.utoff_s;
	int64_t begin_s = most(from->utc_s, v->span.start_s);
	int64_t local_s = begin_s + utoff_s;
	int64_t doubled_s = v->span.start_s + v->before_s;   /* before it: second pass */
	int64_t doubling_s = v->span.end_s + v->after_s;     /* from it on: first of two */
	enum dst_overlap overlap = overlap_of(s);

	if (begin_s == from->utc_s && local_s < from->local_s)
		local_s++;
	if (overlap == DST_OVERLAP_SECOND || overlap == DST_OVERLAP_SKIP)
		end_s = least(end_s, most(doubling_s, v->span.start_s + utoff_s) - utoff_s);
	if (overlap == DST_OVERLAP_FIRST || overlap == DST_OVERLAP_SKIP)
		local_s = most(local_s, doubled_s);
	local_s = nominal_find(s, local_s, end_s + utoff_s);
	if (local_s == NOMINAL_NEVER)
		return false;
	*out = (struct place){ local_s - utoff_s, local_s, local_s < doubled_s ? 2 : 1 };
	return true;
}

/* The first slot at or after `from` that stems from the gap at the beginning of the span. */
static bool find_in_gap(const struct schedule *s, const struct view *v, const struct place *from,
			int64_t end_s, struct place *out)
{
	int64_t start_s = v->span.start_s, local_s = NOMINAL_NEVER;
	int64_t gap_s = start_s + v->before_s, gap_end_s = start_s + v->span.utoff_s;
	bool open = start_s >= from->utc_s && start_s < end_s;
	int64_t least_s = start_s == from->utc_s ? from->local_s : gap_s;

	if (gap_s >= gap_end_s)
		return false;
	switch (gap_of(s)) {
	case DST_GAP_AFTER:
		if (open && nominal_find(s, gap_end_s, gap_end_s + 1) == NOMINAL_NEVER)
			local_s = nominal_find_last(s, gap_s, gap_end_s);
		if (local_s < least_s)
			local_s = NOMINAL_NEVER;
		break;
	case DST_GAP_EACH:
		if (open)
			local_s = nominal_find(s, most(gap_s, least_s), gap_end_s);
		break;
	case DST_GAP_SHIFT:
		least_s = most(from->utc_s, start_s) + v->before_s;
		if (start_s <= from->utc_s && least_s < from->local_s)
			least_s++;
		local_s = nominal_find(s, least_s, least(gap_end_s, end_s + v->before_s));
		if (local_s != NOMINAL_NEVER)
			start_s = local_s - v->before_s;
		break;
	case DST_GAP_SKIP:
		break;
	}
	*out = (struct place){ start_s, local_s, 1 };
	return local_s != NOMINAL_NEVER;
}

static bool is_before(const struct place *a, const struct place *b)
{
	return a->utc_s != b->utc_s ? a->utc_s < b->utc_s : a->local_s < b->local_s;
}

static bool find_wall(const struct schedule *s, const struct zone *z, const struct place *from,
		      int64_t until_s, struct place *out)
{
	struct view v;

	for (int64_t utc_s = from->utc_s; utc_s <= until_s; utc_s = v.span.end_s) {
		struct place regular, gap;
		int64_t end_s;
		bool found, in_gap;

		look_at(z, utc_s, &v);
		end_s = least(v.span.end_s, until_s + 1);
		found = find_regular(s, &v, from, end_s, &regular);
		in_gap = find_in_gap(s, &v, from, end_s, &gap);
		if (found || in_gap) {
			*out = in_gap && (!found || is_before(&gap, &regular)) ? gap : regular;
			return true;
		}
	}
	return false;
}

/* --- every --- */

static int64_t round_up(int64_t utc_s, int64_t unit_s)
{
	return civil_floor_div(utc_s + unit_s - 1, unit_s) * unit_s;
}

/* Seconds until the local time of day lies in the window: 0 = it does. */
static int64_t window_distance(const struct schedule *s, int64_t local_s)
{
	int64_t second = civil_floor_mod(local_s, CIVIL_DAY_S);
	int64_t since = civil_floor_mod(second - s->every.from_s, CIVIL_DAY_S);
	int64_t length = civil_floor_mod((int64_t)s->every.to_s - s->every.from_s, CIVIL_DAY_S);

	return since <= length ? 0 : CIVIL_DAY_S - since;
}

static bool find_every(const struct schedule *s, const struct zone *z, int64_t from_s,
		       int64_t until_s, struct place *out)
{
	int64_t utc_s = round_up(from_s, s->every.period_s);

	while (utc_s <= until_s) {
		struct zone_span span;
		int64_t wait_s = 0;

		zone_span_at(z, utc_s, &span);
		if (s->every.window)
			wait_s = window_distance(s, utc_s + span.utoff_s);
		if (wait_s == 0) {
			*out = (struct place){ utc_s, utc_s, 1 };
			return true;
		}
		utc_s = round_up(least(utc_s + wait_s, span.end_s), s->every.period_s);
	}
	return false;
}

/* Multiples of the period in [from_s, to_s]. */
static uint64_t count_multiples(const struct schedule *s, int64_t from_s, int64_t to_s)
{
	if (from_s > to_s)
		return 0;
	return (uint64_t)(civil_floor_div(to_s, s->every.period_s) -
			  civil_floor_div(from_s - 1, s->every.period_s));
}

static uint64_t count_every(const struct schedule *s, const struct zone *z, int64_t from_s,
			    int64_t until_s)
{
	int64_t length = civil_floor_mod((int64_t)s->every.to_s - s->every.from_s, CIVIL_DAY_S);
	struct zone_span span;
	uint64_t n = 0;

	if (!s->every.window)
		return count_multiples(s, from_s, until_s);
	for (int64_t utc_s = from_s; utc_s <= until_s; utc_s = span.end_s) {
		int64_t last_s, day;

		zone_span_at(z, utc_s, &span);
		last_s = least(span.end_s - 1, until_s);
		day = civil_floor_div(utc_s + span.utoff_s, CIVIL_DAY_S) - 1;
		for (;; day++) {
			int64_t open_s = day * CIVIL_DAY_S + s->every.from_s - span.utoff_s;

			if (open_s > last_s)
				break;
			n += count_multiples(s, most(open_s, utc_s),
					     least(open_s + length, last_s));
		}
	}
	return n;
}

/* --- slots --- */

static void write_key(const struct schedule *s, const struct place *p, struct slot *out)
{
	struct civil c;
	char second[8] = "";

	out->utc_s = p->utc_s;
	civil_from_seconds(is_fixed(s) ? p->local_s : p->utc_s, &c);
	if (c.second != 0 || !is_fixed(s))
		snprintf(second, sizeof second, ":%02d", c.second);
	snprintf(out->key, sizeof out->key, "%04d-%02d-%02dT%02d:%02d%s%s", (int)c.year, c.month,
		 c.day, c.hour, c.minute, second, !is_fixed(s) ? "Z" : p->pass == 2 ? "/2" : "");
}

bool slot_key_nominal(const char *key)
{
	size_t len = strlen(key);

	return len > 0 && key[len - 1] != 'Z';
}

static int read_digits(const char *text, int from, int count)
{
	int value = 0;

	for (int i = from; i < from + count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

/* The nominal local time of a key; false for keys that name an instant or nothing. */
static bool read_key(const char *key, int64_t *local_s)
{
	struct civil c = { 0 };

	if (strlen(key) < 16 || !slot_key_nominal(key))
		return false;
	c.year = read_digits(key, 0, 4);
	c.month = (int8_t)read_digits(key, 5, 2);
	c.day = (int8_t)read_digits(key, 8, 2);
	c.hour = (int8_t)read_digits(key, 11, 2);
	c.minute = (int8_t)read_digits(key, 14, 2);
	if (key[16] == ':' && strlen(key) >= 19)
		c.second = (int8_t)read_digits(key, 17, 2);
	if (c.year < 0 || !civil_valid(&c))
		return false;
	*local_s = civil_seconds(&c);
	return true;
}

static bool find_place(const struct schedule *s, const struct zone *z, const struct place *from,
		       int64_t until_s, struct place *out)
{
	struct place first = *from;

	if (first.utc_s < FIRST_S)
		first = (struct place){ FIRST_S, INT64_MIN, 0 };
	until_s = least(until_s, LAST_S);
	switch (s->kind) {
	case SCHEDULE_NONE:
		return false;
	case SCHEDULE_EVERY:
		return find_every(s, z, first.utc_s, until_s, out);
	case SCHEDULE_AT:
	case SCHEDULE_CRON:
		return find_wall(s, z, &first, until_s, out);
	}
	return false;
}

static int find_slot(const struct schedule *s, const struct zone *z, const struct place *from,
		     struct slot *out)
{
	int64_t begin_s = most(from->utc_s, FIRST_S);
	struct place found;

	if (begin_s > LAST_S ||
	    !find_place(s, z, from, begin_s + (int64_t)SCHEDULE_HORIZON_DAYS * CIVIL_DAY_S, &found))
		return -ENOENT;
	write_key(s, &found, out);
	return 0;
}

int schedule_next(const struct schedule *s, const struct zone *z, int64_t after_s,
		  struct slot *out)
{
	struct place from = { after_s, INT64_MIN, 0 };

	if (after_s > LAST_S)
		return -ENOENT;
	from.utc_s++;
	return find_slot(s, z, &from, out);
}

int schedule_next_slot(const struct schedule *s, const struct zone *z, const struct slot *prev,
		       struct slot *out)
{
	struct place from = { prev->utc_s, 0, 0 };

	if (!is_fixed(s) || !read_key(prev->key, &from.local_s))
		return schedule_next(s, z, prev->utc_s, out);
	from.local_s++;
	return find_slot(s, z, &from, out);
}

static uint64_t count_each(const struct schedule *s, const struct zone *z, int64_t from_s,
			   int64_t end_s)
{
	struct place from = { from_s, INT64_MIN, 0 };
	uint64_t n = 0;

	while (find_place(s, z, &from, end_s - 1, &from)) {
		from.local_s++;
		n++;
	}
	return n;
}

/* Far enough from changes of offset every match is one slot; near them they are walked. */
static uint64_t count_wall(const struct schedule *s, const struct zone *z, int64_t from_s,
			   int64_t until_s)
{
	uint64_t n = 0;
	struct view v;

	for (int64_t utc_s = from_s; utc_s <= until_s; utc_s = v.span.end_s) {
		int64_t end_s, calm_s, calm_end_s;

		look_at(z, utc_s, &v);
		end_s = least(v.span.end_s, until_s + 1);
		calm_s = v.span.start_s + most(v.span.utoff_s - v.before_s,
					       v.before_s - v.span.utoff_s) + 1;
		calm_s = least(most(utc_s, calm_s), end_s);
		calm_end_s = most(least(end_s, v.span.end_s -
					most(v.span.utoff_s - v.after_s, 0)), calm_s);
		n += count_each(s, z, utc_s, calm_s);
		if (calm_s < calm_end_s)
			n += nominal_count(s, calm_s + v.span.utoff_s,
					 calm_end_s + v.span.utoff_s);
		n += count_each(s, z, calm_end_s, end_s);
	}
	return n;
}

/* Halving on the instant, then along the slots that share it. */
static void find_last(const struct schedule *s, const struct zone *z, int64_t until_s,
		      struct place *last)
{
	int64_t high_s = until_s;
	struct place next;

	while (last->utc_s < high_s) {
		int64_t middle_s = last->utc_s + (high_s - last->utc_s + 1) / 2;
		struct place middle = { middle_s, INT64_MIN, 0 };

		if (find_place(s, z, &middle, until_s, &next))
			*last = next;
		else
			high_s = middle_s - 1;
	}
	for (next = *last; is_fixed(s); *last = next) {
		next.local_s++;
		if (!find_place(s, z, &next, until_s, &next))
			break;
	}
}

int schedule_last(const struct schedule *s, const struct zone *z, int64_t after_s,
		  int64_t until_s, struct slot *last, uint64_t *count)
{
	struct place from = { 0, INT64_MIN, 0 }, found;

	if (count)
		*count = 0;
	until_s = least(until_s, LAST_S);
	if (until_s < FIRST_S || after_s >= until_s)
		return -ENOENT;
	from.utc_s = most(after_s, most(FIRST_S, until_s - COUNT_REACH_S)) + 1;
	if (!find_place(s, z, &from, until_s, &found))
		return -ENOENT;
	if (count)
		*count = s->kind == SCHEDULE_EVERY ? count_every(s, z, from.utc_s, until_s)
						   : count_wall(s, z, from.utc_s, until_s);
	if (last) {
		find_last(s, z, until_s, &found);
		write_key(s, &found, last);
	}
	return 0;
}

bool schedule_once_a_day(const struct schedule *s)
{
	switch (s->kind) {
	case SCHEDULE_NONE:
		break;
	case SCHEDULE_AT:
		return s->at.count == 1 && s->overlap != DST_OVERLAP_BOTH;
	case SCHEDULE_CRON:
		return !s->cron.wildcard && __builtin_popcountll(s->cron.minute) == 1 &&
		       __builtin_popcount(s->cron.hour) == 1;
	case SCHEDULE_EVERY:
		return s->every.period_s >= CIVIL_DAY_S;
	}
	return true;
}

int64_t schedule_period_s(const struct schedule *s, const struct zone *z, int64_t utc_s)
{
	struct slot next;

	if (schedule_next(s, z, utc_s, &next) < 0)
		return CIVIL_DAY_S;
	return least(next.utc_s - utc_s, CIVIL_DAY_S);
}
