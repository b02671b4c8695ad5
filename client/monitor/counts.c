/*
 * counts.c - see counts.h.
 */
#include "client/monitor/counts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void counts_take(const struct book *book, struct counts *counts)
{
	*counts = (struct counts){ 0 };
	for (const struct book_job *job = book->jobs; job != NULL; job = job->hh.next) {
		enum jobstate state = book_job_shown(job);
		if (!book_job_is_there(job))
			continue;
		counts->of[state]++;
		counts->late += job->late;
		counts->total++;
	}
}

enum { LATE = JOBSTATE_COUNT };

/* In this order; `rank`: the lowest goes first when there is no room, `always`: also a zero. */
static const struct { int state; int rank; bool always; } shown_counts[] = {
	{ JOBSTATE_FAILED, 100, true }, { JOBSTATE_KILLED, 90, false },
	{ JOBSTATE_TIMEOUT, 90, false }, { JOBSTATE_LOST, 90, false },
	{ LATE, 92, false }, { JOBSTATE_RETRY, 60, false }, { JOBSTATE_RUNNING, 91, true },
	{ JOBSTATE_STARTING, 40, false }, { JOBSTATE_QUEUED, 50, false },
	{ JOBSTATE_WAITING, 55, true }, { JOBSTATE_HELD, 54, false },
	{ JOBSTATE_ICED, 30, false }, { JOBSTATE_MISSED, 35, false },
	{ JOBSTATE_EXPIRED, 25, false }, { JOBSTATE_SKIPPED, 20, false },
	{ JOBSTATE_CANCELLED, 20, false }, { JOBSTATE_UNKNOWN, 95, true },
	{ JOBSTATE_SUCCESS, 10, true }, { JOBSTATE_IDLE, 5, false },
};

enum { SHOWN_COUNT = sizeof(shown_counts) / sizeof(shown_counts[0]) };

static void write_count(const struct counts *counts, size_t i, bool tight, bool lower,
			char out[32])
{
	int state = shown_counts[i].state;
	size_t n = state == LATE ? counts->late : counts->of[state];

	snprintf(out, 32, tight ? "%s%zu" : "%s %zu", state == LATE ? "LATE" :
		 jobstates[state].code, n);
	for (char *p = out; lower && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
}

int counts_put(const struct counts *counts, struct canvas *c, int row, int col, int width,
	       bool tight, bool lower)
{
	bool use[SHOWN_COUNT];
	char text[32];
	int total = 0, gap = tight ? 1 : 2;

	for (size_t i = 0; i < SHOWN_COUNT; i++) {
		int state = shown_counts[i].state;
		use[i] = (state == LATE ? counts->late : counts->of[state]) > 0 ||
			 (!tight && shown_counts[i].always);
		write_count(counts, i, tight, lower, text);
		total += use[i] ? (int)strlen(text) + gap : 0;
	}
	while (total - gap > width) {
		size_t least = SHOWN_COUNT;
		for (size_t i = 0; i < SHOWN_COUNT; i++) {
			if (use[i] && (least == SHOWN_COUNT ||
				       shown_counts[i].rank < shown_counts[least].rank))
				least = i;
		}
		if (least == SHOWN_COUNT)
			break;
		use[least] = false;
		write_count(counts, least, tight, lower, text);
		total -= (int)strlen(text) + gap;
	}
	int at = col;
	for (size_t i = 0; i < SHOWN_COUNT; i++) {
		if (!use[i])
			continue;
		int state = shown_counts[i].state;
		size_t n = state == LATE ? counts->late : counts->of[state];
		write_count(counts, i, tight, lower, text);
		at += at > col ? gap : 0;
		at += canvas_put(c, row, at, col + width - at,
				 n == 0 ? STYLE_DIM : state == LATE ? STYLE_WARN :
				 (enum style)(STYLE_STATE + state), text);
	}
	return at - col;
}
