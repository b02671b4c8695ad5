/*
 * when.h - instants and spans as the monitor shows them.
 */
#ifndef CHIME_CLIENT_MONITOR_WHEN_H
#define CHIME_CLIENT_MONITOR_WHEN_H

#include "client/monitor/moment.h"

#include <stdbool.h>

enum { WHEN_SIZE = 40 };

/* Today "22:14:05", this year "Thu 19 22:14" (within a week) or "12 Nov 22:14", else
 * "2025-11-19"; 0 = "-". */
void when_instant(int64_t wall_us, struct moment now, bool utc, char out[WHEN_SIZE]);
/* At most 8 columns: today "22:14:05", within a week "Thu 22h", else "19 Nov". */
void when_short(int64_t wall_us, struct moment now, bool utc, char out[WHEN_SIZE]);
/* At most 5 columns: today "22:14", within a week "Thu", this year "19Nov", else "2027". */
void when_minute(int64_t wall_us, struct moment now, bool utc, char out[WHEN_SIZE]);
/* At most 12 columns: today "22:14:05.120", within a week "Thu 22:14:05", "19 Nov 22:14". */
void when_fine(int64_t wall_us, struct moment now, bool utc, char out[WHEN_SIZE]);
/* "22:14:05 CET +01:00", "21:14:05 UTC" */
void when_clock(struct moment now, bool utc, char out[WHEN_SIZE]);
/* "9ms", "0.4s", "4m02s", "3h07m", "2d 23h": at most 7 columns; negative = "-". */
void when_span(int64_t us, char out[WHEN_SIZE]);

#endif
