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
	return w.us >= 0 ? w.us / USEC_PER_SEC : -((-w.us + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

/* Reads both clocks; lives in clock.c, which core/ does not link. */
struct now clock_now(void);

#endif
