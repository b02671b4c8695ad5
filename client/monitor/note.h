/*
 * note.h - the NOTE of a job's row.
 */
#ifndef CHIME_CLIENT_MONITOR_NOTE_H
#define CHIME_CLIENT_MONITOR_NOTE_H

#include "client/monitor/book.h"
#include "client/monitor/canvas.h"
#include "client/monitor/moment.h"

enum { NOTE_SIZE = BOOK_NOTE_SIZE + 80 };

/* "db3 lost 1m15s", "LATE, ends +14m", "needs eod/load@db1", ... */
void note_write(const struct book *book, const struct book_job *job, struct moment now,
		char out[NOTE_SIZE]);

/* Shortens a note that is too long for its column to what tells most: of "needs eod/load@db1" that
 * is the name, at last its last part. */
void note_fit(char note[NOTE_SIZE], const struct canvas *c, int width);

#endif
