/*
 * clock.h - typed time.
 *
 * Three kinds of time that must never be mixed are three types: wall time (UTC, may be set by
 * anybody), boot time (CLOCK_BOOTTIME: never set, goes on in suspend, starts anew at boot) and
 * spans. `now` is read once per turn and passed down; core/ never reads a clock.
 */
#ifndef CHIME_DAEMON_CLOCK_H
#define CHIME_DAEMON_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted. */
struct wall { int64_t us; };

/* Microseconds of CLOCK_BOOTTIME. */
struct boot { int64_t us; };

struct now {
	struct wall wall;
	struct boot boot;
};

enum {
	USEC_PER_MSEC = 1000,
	USEC_PER_SEC = 1000000,
};

static inline int64_t wall_seconds(struct wall w)
{
	return w.us >= 0 ? w.us / USEC_PER_SEC : (w.us + 1) / USEC_PER_SEC - 1;
}

/* Times of other servers may be anything: differences and sums of them end at the range's ends. */
static inline int64_t span_between(int64_t from, int64_t to)
{
	int64_t span;

	if (__builtin_sub_overflow(to, from, &span))
		return to < from ? INT64_MIN : INT64_MAX;
	return span;
}

static inline int64_t time_after(int64_t time, int64_t span)
{
	int64_t later;

	if (__builtin_add_overflow(time, span, &later))
		return span < 0 ? INT64_MIN : INT64_MAX;
	return later;
}

/* Reads both clocks; lives in clock.c, which core/ does not link. */
struct now clock_now(void);

#endif
