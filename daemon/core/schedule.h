/*
 * schedule.h - when a job is due: from the text of `at`, `cron` or `every` to slots.
 *
 * Grammar
 *     at    := [DAYS] TIME{,TIME}            DAYS  := DAY[-DAY]{,DAY[-DAY]}     ranges may wrap
 *     every := DUR [from TIME to TIME]       TIME  := HH:MM[:SS]    DAY := mon .. sun
 *     cron  := MIN HOUR DOM MON DOW | @yearly @annually @monthly @weekly @daily @midnight @hourly
 *
 * Three kinds, three meanings
 *     at      a wall clock: one slot for each nominal local time; `gap` and `overlap` say what
 *             becomes of times that don't exist or exist twice.
 *     every   elapsed time: the multiples of the period since 1970-01-01T00:00Z, whatever clocks
 *             do; from..to (both included, may wrap over midnight) filters by local time.
 *     cron    as Vixie cron: when the minute or the hour field begins with '*' it follows elapsed
 *             time (a wildcard: nothing in a gap, twice in an overlap); else it is fixed time:
 *             what a gap swallows runs once at its end, an overlap counts once, the first time.
 *             A day matches by day of month OR day of week; by both when either begins with '*'.
 *
 * A slot is named by its key: the nominal local time "2024-03-31T02:30" (":SS" unless zero, "/2"
 * for the second pass of an overlap) for at and fixed cron; the instant "2024-03-31T01:00:00Z"
 * for every and wildcard cron. So a changed zone rule fires no slot twice.
 *
 * Invariants
 *  1. Slots are ordered by (instant, key) and no two of one schedule and zone share a key.
 *  2. Finding the next slot jumps over months, days, hours, minutes and spans of constant offset;
 *     it never walks over minutes.
 *  3. gap after: all slots inside a gap are one, at the first instant after it, with the last
 *     nominal time as its key; a regular slot at that very instant is the one.
 */
#ifndef CHIME_DAEMON_CORE_SCHEDULE_H
#define CHIME_DAEMON_CORE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/zone.h"

enum schedule_kind { SCHEDULE_NONE, SCHEDULE_AT, SCHEDULE_CRON, SCHEDULE_EVERY };

enum dst_gap { DST_GAP_AFTER, DST_GAP_EACH, DST_GAP_SHIFT, DST_GAP_SKIP };

enum dst_overlap { DST_OVERLAP_FIRST, DST_OVERLAP_SECOND, DST_OVERLAP_BOTH, DST_OVERLAP_SKIP };

enum {
	SCHEDULE_TIMES_MAX = 96,
	SCHEDULE_TEXT_MAX = 255,       /* bytes of a cron text, without the NUL */
	SCHEDULE_DESCRIBE_MAX = 1200,  /* holds any description and its NUL */
	SCHEDULE_HORIZON_DAYS = 5 * 366,
	SLOT_KEY_SIZE = 40,
};

/* A value: copy it freely. `days` and `dow`: bit 0 = Sunday. */
struct schedule {
	enum schedule_kind kind;
	enum dst_gap gap;              /* at only; set after parsing, default after */
	enum dst_overlap overlap;      /* at only; set after parsing, default first */
	union {
		struct {
			uint8_t days;
			uint32_t count;                      /* 1 .. SCHEDULE_TIMES_MAX */
			uint32_t time_s[SCHEDULE_TIMES_MAX]; /* ascending, no doubles */
		} at;
		struct {
			uint64_t minute;
			uint32_t hour, dom;
			uint16_t month;                      /* bit 1 = January */
			uint8_t dow;
			bool dom_star, dow_star, wildcard;
			char text[SCHEDULE_TEXT_MAX + 1];    /* for people */
		} cron;
		struct {
			int64_t period_s;
			bool window;
			uint32_t from_s, to_s;               /* local time of day, both included */
		} every;
	};
};

/* Where a text is wrong (column from 0, width >= 1), what is wrong, what to try ("" = no idea). */
struct schedule_error {
	unsigned column, width;
	char text[128];
	char hint[128];
};

/* One planned start. */
struct slot {
	int64_t utc_s;
	char key[SLOT_KEY_SIZE];
};

/*
 * Reads a schedule text. 0; -EINVAL and *err (may be NULL). SCHEDULE_NONE takes any text and gives
 * a schedule without slots. gap and overlap get their defaults.
 */
int schedule_parse(struct schedule *s, enum schedule_kind kind, const char *text,
		   struct schedule_error *err);

/*
 * The first slot with an instant > after_s: 0, or -ENOENT when there is none within
 * SCHEDULE_HORIZON_DAYS.
 */
int schedule_next(const struct schedule *s, const struct zone *z, int64_t after_s,
		  struct slot *out);

/*
 * The slot that follows `prev` (a slot of this schedule, now or under an earlier zone rule): like
 * schedule_next, but of several slots with one instant (gap each) it gives one after the other.
 * prev and out may be the same object.
 */
int schedule_next_slot(const struct schedule *s, const struct zone *z, const struct slot *prev,
		       struct slot *out);

/*
 * The last slot in (after_s, until_s] and how many there are in all (either may be NULL): 0, or
 * -ENOENT when there is none. after_s is taken as no earlier than 100 years before until_s. Cost
 * grows with days and changes of offset, not with slots.
 */
int schedule_last(const struct schedule *s, const struct zone *z, int64_t after_s,
		  int64_t until_s, struct slot *last, uint64_t *count);

/*
 * True when two slots never share a nominal date, so that the day can name a run. A period of a
 * day counts, though a 25 hour day may hold two of its slots in a zone near UTC.
 */
bool schedule_once_a_day(const struct schedule *s);

/* Seconds from an instant to the first slot after it, 1 to 86400; 86400 when there is none. */
int64_t schedule_period_s(const struct schedule *s, const struct zone *z, int64_t utc_s);

/* True when the key names a nominal local time (at, fixed cron), false for an instant. */
bool slot_key_nominal(const char *key);

/* "mon-fri at 22:00", "every 5m from 08:00 to 18:00", "cron 0 22 * * 1-5", "" for none. */
void schedule_describe(const struct schedule *s, char *buf, size_t size);

/* "at" "cron" "every", "" for none. */
const char *schedule_kind_name(enum schedule_kind kind);

/* after each shift skip / first second both skip: 0, or -EINVAL. */
int dst_gap_parse(const char *text, enum dst_gap *out);
const char *dst_gap_name(enum dst_gap gap);
int dst_overlap_parse(const char *text, enum dst_overlap *out);
const char *dst_overlap_name(enum dst_overlap overlap);

#endif
