/*
 * counts.h - how many jobs are in which state, as one line.
 */
#ifndef CHIME_CLIENT_MONITOR_COUNTS_H
#define CHIME_CLIENT_MONITOR_COUNTS_H

#include "client/monitor/book.h"
#include "client/monitor/canvas.h"

struct counts { size_t of[JOBSTATE_COUNT], late, total; };

void counts_take(const struct book *book, struct counts *counts);

/*
 * Draws "FA 2  LATE 1  RU 4  ?? 9" in at most `width` columns; what matters least goes first.
 * tight: "FA2 LATE1". lower: in small letters, as heard last. Returns the columns used.
 */
int counts_put(const struct counts *counts, struct canvas *c, int row, int col, int width,
	       bool tight, bool lower);

#endif
