/*
 * rows.h - a list of jobs on the screen: filtered, sorted, with a cursor that stays on its job.
 *
 * The filter's language is that of filter.h. Removed jobs that do not run are not shown.
 *
 * Invariants
 * 1. The cursor is on a key, not on a row; when its job is gone (or filtered out) it goes to the
 *    row that was nearest to it of those that stay: below before above. An empty list leaves it.
 * 2. Rows do not change places within ROWS_CALM_US of the last key; states in them do. New rows
 *    come last and those that are gone leave meanwhile. A change of filter or sort is asked for and
 *    sorts at once.
 * 3. Tags are keys: a tag survives filters and updates, and dies with its job.
 *
 * Pure.
 */
#ifndef CHIME_CLIENT_MONITOR_ROWS_H
#define CHIME_CLIENT_MONITOR_ROWS_H

#include "client/monitor/book.h"
#include "client/monitor/filter.h"

enum {
	ROWS_CALM_US = 2000000,
	ROWS_TIMED_US = 1000000,	/* how often a filter with times in it is looked at again */
	ROWS_FILTER_SIZE = FILTER_SIZE,
};

enum rows_sort { SORT_TROUBLE, SORT_JOB, SORT_SERVER, SORT_SINCE, SORT_NEXT, SORT_COUNT };

struct rows_tag { char key[BOOK_KEY_SIZE]; UT_hash_handle hh; };

struct rows {
	struct book_job **list;		/* borrowed from the book; valid for `version` */
	uint64_t *ids;			/* of the list's jobs, valid always */
	size_t count, room;
	size_t total;			/* jobs that would be shown without a filter */
	uint64_t version;		/* jobs_version of the book, when the list was made */
	uint64_t made;			/* how often it was */
	int64_t made_us;		/* boot: when */
	bool changed;			/* filter or sort: to be sorted at once */
	bool owed;			/* made while calm: to be sorted when that is over */
	enum rows_sort sort;
	bool trouble_only;
	char filter[ROWS_FILTER_SIZE];
	struct filter words;		/* the same, read */
	char cursor[BOOK_KEY_SIZE];	/* key; "" = none */
	size_t at;			/* its place in the list */
	size_t top;			/* first row on the screen */
	size_t height;			/* rows on the screen, set by who draws */
	struct rows_tag *tags;
	bool hides_failed;		/* the filter hides a FAILED, KILLED, TIMEOUT or LOST job */
	int64_t key_us;			/* boot: the last key, set by who reads keys; 0 = none */
};

void rows_init(struct rows *rows);
void rows_fini(struct rows *rows);

/* Makes the list anew from the book if that has changed (or the filter, the sort); to be called
 * before every use of the list. Keeps places while calm. */
void rows_update(struct rows *rows, const struct book *book, struct moment now);

/* 0, or -EINVAL with a message in err (an unknown word); the filter is then as before. */
int rows_set_filter(struct rows *rows, const char *text, char *err, size_t err_size);
void rows_set_sort(struct rows *rows, enum rows_sort sort);
void rows_set_trouble_only(struct rows *rows, bool on);
const char *rows_sort_name(enum rows_sort sort);

/* The job under the cursor, NULL = the list is empty. */
struct book_job *rows_current(const struct rows *rows);

/* Moves the cursor by so many rows, ending at the ends; INT_MIN/INT_MAX = first, last. */
void rows_move(struct rows *rows, int by);
/* Onto a job by its key, or onto the first whose key begins so; false = there is none. */
bool rows_go_to(struct rows *rows, const char *key);
bool rows_go_to_prefix(struct rows *rows, const char *prefix);

void rows_tag(struct rows *rows, const char *key, bool on);
bool rows_is_tagged(const struct rows *rows, const char *key);
void rows_untag_all(struct rows *rows);
void rows_tag_all_shown(struct rows *rows);
size_t rows_tag_count(const struct rows *rows);

#endif
