/*
 * Schedules against a slow witness: a walk over every minute with localtime_r, which knows
 * nothing of spans, jumps or our reader of zone files. Random schedules of all kinds, zones of all
 * habits, half of the time around a change of offset. CHIME_ORACLE=N makes it N times as long.
 */
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

#include "daemon/core/schedule.h"
#include "daemon/tzdata.h"

enum { MARGIN = 3 * 1440, CORE = 3 * 1440, MINUTES = CORE + 2 * MARGIN, EVENTS_MAX = 3 * MINUTES };

static const char *const zone_names[] = {
	"UTC", "Europe/Berlin", "America/New_York", "Europe/London", "Europe/Dublin",
	"Australia/Lord_Howe", "Australia/Sydney", "Asia/Beirut", "America/Havana",
	"Antarctica/Troll", "Pacific/Apia", "Asia/Pyongyang", "Asia/Kathmandu", "America/St_Johns",
	"Africa/Casablanca", "Africa/Cairo", "America/Sao_Paulo", "America/Asuncion",
	"America/Santiago", "Asia/Tehran", "Asia/Amman", "Asia/Gaza", "Atlantic/Azores",
	"America/Scoresbysund", "America/Nuuk", "Pacific/Chatham", "Pacific/Easter",
	"Pacific/Kiritimati", "Pacific/Kwajalein", "Europe/Lisbon", "Europe/Moscow",
	"Europe/Istanbul", "America/Caracas", "Africa/Khartoum", "Antarctica/Casey",
	"Asia/Tokyo", "Asia/Kolkata", "Asia/Dhaka", "Pacific/Norfolk", "Europe/Kyiv",
};

/* A schedule as the witness sees it. */
struct witness {
	enum schedule_kind kind;
	enum dst_gap gap;
	enum dst_overlap overlap;
	uint8_t minute[60], hour[24], dom[32], month[13], dow[7];
	int dom_star, dow_star, wildcard;
	int times[8], time_count;
	int64_t period_s;
	int window, from_s, to_s;
	char text[256];
};

struct event {
	int64_t utc_s, local_s;
	int pass;
};

struct clock {
	int64_t begin_s;                /* of minute 0 */
	int64_t local_s[MINUTES];
	int8_t pass[MINUTES];           /* 0 = once, 1 or 2 = of two */
};

static unsigned seed = 19700101;

static int random_below(int n)
{
	return (int)((unsigned)rand_r(&seed) % (unsigned)n);
}

/* --- making random schedules, as text and as sets at the same time --- */

static void add_text(struct witness *w, const char *format, int a, int b, int c)
{
	size_t len = strlen(w->text);

	snprintf(w->text + len, sizeof w->text - len, format, a, b, c);
}

static int make_field(struct witness *w, uint8_t *set, int low, int high, int star_chance)
{
	int star = random_below(100) < star_chance;
	int parts = 1 + random_below(3);

	if (star) {
		int step = random_below(2) ? 1 : 1 + random_below(2 * high);

		add_text(w, step > 1 ? "*/%d" : "*", step, 0, 0);
		for (int v = low; v <= high; v += step)
			set[v] = 1;
	}
	for (int i = 0; !star && i < parts; i++) {
		int a = low + random_below(high - low + 1), b = a + random_below(high - a + 1);
		int step = 1 + random_below(4);

		if (random_below(2))
			b = a, step = 1;
		add_text(w, i ? "," : "", 0, 0, 0);
		add_text(w, a == b ? "%d" : step > 1 ? "%d-%d/%d" : "%d-%d", a, b, step);
		for (int v = a; v <= b; v += step)
			set[v] = 1;
	}
	add_text(w, " ", 0, 0, 0);
	return star;
}

static void make_cron(struct witness *w)
{
	uint8_t dow[8] = { 0 };
	int star;

	w->kind = SCHEDULE_CRON;
	star = make_field(w, w->minute, 0, 59, 15);
	w->wildcard = make_field(w, w->hour, 0, 23, 25) || star;
	w->dom_star = make_field(w, w->dom, 1, 31, 70);
	make_field(w, w->month, 1, 12, 80);
	w->dow_star = make_field(w, dow, 0, 7, 60);
	dow[0] |= dow[7];
	memcpy(w->dow, dow, sizeof w->dow);
}

static void make_at(struct witness *w)
{
	static const char *const names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

	w->kind = SCHEDULE_AT;
	w->gap = (enum dst_gap)random_below(4);
	w->overlap = (enum dst_overlap)random_below(4);
	memset(w->dow, 1, sizeof w->dow);
	if (random_below(3) == 0) {
		int first = random_below(7), last = random_below(7);

		memset(w->dow, 0, sizeof w->dow);
		for (int day = first;; day = (day + 1) % 7) {
			w->dow[day] = 1;
			if (day == last)
				break;
		}
		snprintf(w->text, sizeof w->text, "%s-%s ", names[first], names[last]);
	}
	w->time_count = 1 + random_below(8);
	for (int i = 0; i < w->time_count; i++) {
		int hour = random_below(3) ? random_below(4) : 20 + random_below(4);
		int minute = random_below(2) ? random_below(60) : 0;

		w->times[i] = hour * 60 + minute;
		add_text(w, i ? ",%02d:%02d" : "%02d:%02d", hour, minute, 0);
	}
}

static void make_every(struct witness *w)
{
	int minutes = random_below(2) ? 1 + random_below(90) : 60 * (1 + random_below(30));

	w->kind = SCHEDULE_EVERY;
	w->period_s = 60 * (int64_t)minutes;
	add_text(w, "%dm", minutes, 0, 0);
	w->window = random_below(3) > 0;
	if (w->window) {
		int from = random_below(24), to = random_below(24), minute = random_below(60);

		w->from_s = from * 3600 + minute * 60;
		w->to_s = to * 3600;
		add_text(w, " from %02d:%02d to ", from, minute, 0);
		add_text(w, "%02d:00", to, 0, 0);
	}
}

/* --- the witness --- */

static void read_clock(struct clock *c, int64_t begin_s)
{
	memset(c->pass, 0, sizeof c->pass);
	c->begin_s = begin_s;
	for (int i = 0; i < MINUTES; i++) {
		time_t t = (time_t)(begin_s + 60 * i);
		struct tm tm;

		localtime_r(&t, &tm);
		c->local_s[i] = timegm(&tm);
		if (i == 0 || c->local_s[i] > c->local_s[i - 1])
			continue;
		for (int k = i - 1; k >= 0 && c->local_s[k] >= c->local_s[i]; k--)
			c->pass[k] = 1;
		for (int64_t first = c->local_s[i]; first <= c->local_s[i - 1]; first += 60)
			if (i + (first - c->local_s[i]) / 60 < MINUTES)
				c->pass[i + (first - c->local_s[i]) / 60] = 2;
	}
}

static int matches(const struct witness *w, int64_t local_s)
{
	time_t t = (time_t)local_s;
	struct tm tm;

	gmtime_r(&t, &tm);
	if (w->kind == SCHEDULE_AT) {
		for (int i = 0; i < w->time_count; i++)
			if (w->times[i] == tm.tm_hour * 60 + tm.tm_min)
				return w->dow[tm.tm_wday];
		return 0;
	}
	if (!w->minute[tm.tm_min] || !w->hour[tm.tm_hour] || !w->month[tm.tm_mon + 1])
		return 0;
	if (w->dom_star || w->dow_star)
		return w->dom[tm.tm_mday] && w->dow[tm.tm_wday];
	return w->dom[tm.tm_mday] || w->dow[tm.tm_wday];
}

static int in_window(const struct witness *w, int64_t local_s)
{
	int64_t second = local_s % 86400;

	if (!w->window)
		return 1;
	if (w->from_s <= w->to_s)
		return second >= w->from_s && second <= w->to_s;
	return second >= w->from_s || second <= w->to_s;
}

static int wanted_pass(const struct witness *w, int pass)
{
	enum dst_overlap overlap = w->kind == SCHEDULE_AT ? w->overlap
				   : w->wildcard ? DST_OVERLAP_BOTH : DST_OVERLAP_FIRST;

	return pass == 0 || overlap == DST_OVERLAP_BOTH ||
	       (pass == 1 && overlap == DST_OVERLAP_FIRST) ||
	       (pass == 2 && overlap == DST_OVERLAP_SECOND);
}

static int list_gap(const struct witness *w, const struct clock *c, int i, struct event *out)
{
	enum dst_gap gap = w->kind == SCHEDULE_AT ? w->gap
			   : w->wildcard ? DST_GAP_SKIP : DST_GAP_AFTER;
	int64_t length_s = c->local_s[i] - c->local_s[i - 1] - 60;
	int64_t utc_s = c->begin_s + 60 * i;
	int n = 0;

	for (int64_t local_s = c->local_s[i - 1] + 60; local_s < c->local_s[i]; local_s += 60) {
		if (!matches(w, local_s) || gap == DST_GAP_SKIP)
			continue;
		if (gap == DST_GAP_AFTER)
			n = 0;
		out[n++] = (struct event){ utc_s, local_s, 0 };
		if (gap == DST_GAP_SHIFT)
			out[n - 1].utc_s = utc_s + local_s - (c->local_s[i] - length_s);
	}
	return gap == DST_GAP_AFTER && matches(w, c->local_s[i]) ? 0 : n;
}

static int compare_events(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->utc_s != y->utc_s)
		return x->utc_s < y->utc_s ? -1 : 1;
	return (x->local_s > y->local_s) - (x->local_s < y->local_s);
}

static int list_events(const struct witness *w, const struct clock *c, struct event *out)
{
	int n = 0;

	for (int i = 1; i < MINUTES; i++) {
		int64_t utc_s = c->begin_s + 60 * i;

		if (w->kind == SCHEDULE_EVERY) {
			if (utc_s % w->period_s == 0 && in_window(w, c->local_s[i]))
				out[n++] = (struct event){ utc_s, utc_s, 0 };
			continue;
		}
		if (c->local_s[i] > c->local_s[i - 1] + 60)
			n += list_gap(w, c, i, out + n);
		if (matches(w, c->local_s[i]) && wanted_pass(w, c->pass[i]))
			out[n++] = (struct event){ utc_s, c->local_s[i], c->pass[i] };
	}
	qsort(out, (size_t)n, sizeof *out, compare_events);
	return n;
}

static void key_of(const struct witness *w, const struct event *e, char key[SLOT_KEY_SIZE])
{
	int by_utc = w->kind == SCHEDULE_EVERY || (w->kind == SCHEDULE_CRON && w->wildcard);
	time_t t = (time_t)(by_utc ? e->utc_s : e->local_s);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(key, SLOT_KEY_SIZE, by_utc ? "%FT%H:%M:%SZ" : "%FT%H:%M", &tm);
	if (!by_utc && e->pass == 2)
		snprintf(key + strlen(key), 4, "/2");
}

/* --- the comparison --- */

static void check_last(const struct schedule *s, const struct zone *z, const struct witness *w,
		       const char *zone, const struct event *events, int count, int64_t begin_s)
{
	int64_t after_s = begin_s + random_below(CORE * 60);
	int64_t until_s = after_s + random_below((int)(begin_s + CORE * 60 - after_s) + 1);
	struct slot last = { 0 };
	uint64_t n = 0, expected = 0;
	char key[SLOT_KEY_SIZE] = "";

	for (int i = 0; i < count; i++) {
		if (events[i].utc_s > after_s && events[i].utc_s <= until_s) {
			expected++;
			key_of(w, &events[i], key);
		}
	}
	schedule_last(s, z, after_s, until_s, &last, &n);
	if (n != expected || strcmp(last.key, key) != 0)
		fail_msg("%s in %s, (%lld, %lld]: %llu slots to %s, not %llu to %s", w->text, zone,
			 (long long)after_s, (long long)until_s, (unsigned long long)n, last.key,
			 (unsigned long long)expected, key);
}

static void check_schedule(const struct zone *z, const char *zone, const struct witness *w,
			   const struct clock *c)
{
	static struct event events[EVENTS_MAX];
	int64_t begin_s = c->begin_s + 60 * MARGIN, end_s = begin_s + 60 * CORE;
	int count = list_events(w, c, events), i = 0;
	struct schedule_error err;
	struct schedule s;
	struct slot slot;
	int rc;

	if (schedule_parse(&s, w->kind, w->text, &err) < 0) {
		assert_string_equal(err.text, "these months never have such a day");
		return;
	}
	s.gap = w->gap;
	s.overlap = w->overlap;
	while (i < count && events[i].utc_s <= begin_s)
		i++;
	for (rc = schedule_next(&s, z, begin_s, &slot); rc == 0 && slot.utc_s < end_s; i++) {
		char key[SLOT_KEY_SIZE] = "nothing";

		if (i < count)
			key_of(w, &events[i], key);
		if (i == count || events[i].utc_s != slot.utc_s || strcmp(slot.key, key) != 0)
			fail_msg("%s '%s' gap %s overlap %s in %s: %s at %lld, not %s at %lld",
				 schedule_kind_name(w->kind), w->text, dst_gap_name(w->gap),
				 dst_overlap_name(w->overlap), zone, slot.key,
				 (long long)slot.utc_s, key,
				 (long long)(i < count ? events[i].utc_s : 0));
		rc = schedule_next_slot(&s, z, &slot, &slot);
	}
	if (i < count && events[i].utc_s < end_s) {
		char key[SLOT_KEY_SIZE];

		key_of(w, &events[i], key);
		fail_msg("%s '%s' gap %s overlap %s in %s: %s is missing",
			 schedule_kind_name(w->kind), w->text, dst_gap_name(w->gap),
			 dst_overlap_name(w->overlap), zone, key);
	}
	for (i = 0; i < 3; i++)
		check_last(&s, z, w, zone, events, count, begin_s);
}

static long utoff_of(int64_t utc_s)
{
	time_t t = (time_t)utc_s;
	struct tm tm;

	localtime_r(&t, &tm);
	return tm.tm_gmtoff;
}

/* A day between 1990 and 2037, mostly one near a change of offset. */
static int64_t pick_begin(void)
{
	int64_t day_s = (int64_t)(7305 + random_below(17000)) * 86400;

	if (random_below(4) == 0)
		return day_s;
	for (int i = 0; i < 500; i++)
		if (utoff_of(day_s + i * 86400) != utoff_of(day_s + (i + 1) * 86400))
			return day_s + (i - 4) * 86400 - random_below(1440) * 60;
	return day_s;
}

static void test_oracle(void **state)
{
	static struct clock c;
	const char *more = getenv("CHIME_ORACLE");
	int rounds = 280 * (more && atoi(more) > 0 ? atoi(more) : 1);

	(void)state;
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) < 0)
		skip();
	for (int i = 0; i < rounds; i++) {
		const char *name = zone_names[i % (int)(sizeof zone_names / sizeof *zone_names)];
		struct zone *z;

		if (tzdata_load(name, &z) < 0)
			continue;
		setenv("TZ", name, 1);
		tzset();
		read_clock(&c, pick_begin());
		for (int k = 0; k < 9; k++) {
			struct witness w = { 0 };

			if (k % 3 == 0)
				make_cron(&w);
			else if (k == 4)
				make_every(&w);
			else
				make_at(&w);
			check_schedule(z, name, &w, &c);
		}
		zone_free(z);
	}
	unsetenv("TZ");
	tzset();
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_oracle) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
