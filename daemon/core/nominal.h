/*
 * nominal.h - the local times an `at` or `cron` schedule names, as if there were no zone.
 *
 * Local seconds (civil.h) are a plain line here: no gaps, nothing twice. schedule.c lays that line
 * on UTC. Every function takes a schedule of kind SCHEDULE_AT or SCHEDULE_CRON and a half-open
 * stretch [local_s, end_s); months and days without a match are jumped over.
 */
#ifndef CHIME_DAEMON_CORE_NOMINAL_H
#define CHIME_DAEMON_CORE_NOMINAL_H

#include <stdint.h>

#include "daemon/core/schedule.h"

#define NOMINAL_NEVER INT64_MAX

/* The first and the last match of the stretch, or NOMINAL_NEVER. */
int64_t nominal_find(const struct schedule *s, int64_t local_s, int64_t end_s);
int64_t nominal_find_last(const struct schedule *s, int64_t local_s, int64_t end_s);

/* How many matches the stretch has; the cost grows with its days. */
uint64_t nominal_count(const struct schedule *s, int64_t local_s, int64_t end_s);

#endif
