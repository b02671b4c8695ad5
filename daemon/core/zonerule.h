/*
 * zonerule.h - the POSIX TZ rule at the end of a TZif file: how a zone goes on after its table.
 *
 *     std offset [dst [offset] , start[/time] , end[/time]]
 *
 * Names are three or more letters, or <...> with letters, digits, + and -. Offsets count west as
 * positive, as POSIX has it; in memory they count east. Dates are Jn (1-365, 29 February never
 * counted), n (0-365, counted) or Mm.w.d. Times are -167 to 167 hours (TZif version 3).
 * Names are read and forgotten: nobody needs them to place an instant.
 */
#ifndef CHIME_DAEMON_CORE_ZONERULE_H
#define CHIME_DAEMON_CORE_ZONERULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum zonerule_date_kind { ZONERULE_JULIAN, ZONERULE_DAY_OF_YEAR, ZONERULE_MONTH_WEEK_DAY };

struct zonerule_date {
	enum zonerule_date_kind kind;
	int day;                   /* Jn: 1-365; n: 0-365; M: weekday, 0 = Sunday */
	int month, week;           /* M only: 1-12, 1-5 (5 = last) */
	int32_t time_s;            /* since local midnight of that day */
};

struct zonerule {
	int32_t std_s, dst_s;      /* seconds east of UTC; equal when there is no summer time */
	struct zonerule_date start, end;
};

/* Reads a rule of `len` bytes (no NUL needed): 0, or -EINVAL and *out unspecified. */
int zonerule_parse(struct zonerule *out, const char *text, size_t len);

/*
 * The stretch [start, end) of constant offset around an instant; neighbours may have the same
 * offset (summer time all year). False when the rule knows no changes: *utoff_s alone is set.
 */
bool zonerule_span(const struct zonerule *r, int64_t utc_s, int64_t *start_s, int64_t *end_s,
		   int32_t *utoff_s);

#endif
