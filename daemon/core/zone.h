/*
 * zone.h - time zones: what the wall clocks of a place showed, show and will show.
 *
 * A zone is a row of spans of constant UTC offset. It is read from the bytes of a TZif file
 * (RFC 8536, versions 1 to 4; the 64-bit block when there is one) and, after its table, from the
 * POSIX rule in the file's footer. Abbreviations and "is summer time" flags are checked and
 * forgotten: an offset is all that is needed, so reversed summer time (Dublin), shifts of half an
 * hour or two hours, gaps at midnight and lost or doubled days (Apia, Kwajalein) are nothing
 * special. Files with leap seconds ("right/") are refused: instants here don't count them.
 *
 * Invariants
 *  1. Spans cover ZONE_MIN_S to ZONE_MAX_S without holes, and a parsed zone never changes.
 *  2. |offset| stays below 26 hours, so a local time lies within 26 hours of its instants.
 *  3. Input may be hostile: every count is checked against the length before it is used.
 */
#ifndef CHIME_DAEMON_CORE_ZONE_H
#define CHIME_DAEMON_CORE_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/core/civil.h"

/* The ends of time; far enough inside int64_t that adding an offset can't overflow. */
#define ZONE_MIN_S (-(INT64_C(1) << 61))
#define ZONE_MAX_S (INT64_C(1) << 61)

struct zone;

/* Instants start_s <= t < end_s, and local time minus UTC in them. */
struct zone_span {
	int64_t start_s, end_s;
	int32_t utoff_s;
};

/* A hole in local time: the first instant after it and how many local seconds never were. */
struct zone_gap {
	int64_t after_s;
	int32_t length_s;
};

/*
 * Reads a TZif file of `len` bytes. 0 and a new zone (zone_free); -EINVAL when it is broken;
 * -ENOTSUP when it counts leap seconds; -ENOMEM.
 */
int zone_parse(struct zone **out, const void *tzif, size_t len);

/* Frees a parsed zone; NULL and zone_utc() are left alone. */
void zone_free(struct zone *z);

/* UTC, always there, never freed. */
const struct zone *zone_utc(void);

/* The span an instant lies in; the open ends are ZONE_MIN_S and ZONE_MAX_S. */
void zone_span_at(const struct zone *z, int64_t utc_s, struct zone_span *out);

/* Local time of an instant; utoff_s (may be NULL) gets local minus UTC in seconds. */
void zone_to_civil(const struct zone *z, int64_t utc_s, struct civil *out, int32_t *utoff_s);

/*
 * The instants at which the wall clock shows `c` (a valid civil time): 1 or 2 and utc_s[] filled,
 * earlier first; 0 when it never does, then *gap (may be NULL) tells the hole around it.
 */
int zone_from_civil(const struct zone *z, const struct civil *c, int64_t utc_s[2],
		    struct zone_gap *gap);

#endif
