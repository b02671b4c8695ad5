/*
 * book_own.h - what the parts of the book (book*.c) share; nobody else includes it.
 */
#ifndef CHIME_CLIENT_MONITOR_BOOK_OWN_H
#define CHIME_CLIENT_MONITOR_BOOK_OWN_H

#include "client/monitor/book.h"

#define BOOK_CALENDAR_END_US (253402300799LL * 1000000)	/* year 9999 */

/* A row, made when there is none: IDLE, without a place. NULL when a name is none or the book is
 * full. */
struct book_job *book_add_job(struct book *book, const char *job, const char *server);
struct book_server *book_add_server(struct book *book, const char *name);

struct book_job *book_new_job(const char *job, const char *server);	/* in no book yet */
void book_free_job(struct book_job *job);
void book_insert_job(struct book *book, struct book_job *job);
void book_delete_job(struct book *book, struct book_job *job);
void book_free_keys(char **list, size_t *count);
void book_drop_answer(struct book *book);

void book_job_changed(struct book *book);
void book_set_dirty(struct book *book, struct book_job *job, bool dirty);

/* A server; its jobs follow with book_tell_jobs, in one go for all servers that turned. */
void book_set_lost(struct book *book, struct book_server *server, bool lost);
void book_tell_jobs(struct book *book);

/* Lies place (lineage, seq) before place (than, than_seq)? No place at all lies before any. */
bool book_is_before(struct lineage lineage, uint64_t seq, struct lineage than, uint64_t than_seq);

struct lineage book_read_lineage(const Chime__Lineage *lineage);

/* Wall clock microseconds of others: what no calendar has becomes 0. */
int64_t book_sane_us(int64_t wall_us);

/* A text of others, "" for NULL. */
void book_clean(char *out, size_t size, const char *text);

/* Appends to out, from *len on: cleaned, cut on a character, always ended. */
void book_print(char *out, size_t size, size_t *len, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static inline bool book_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static inline bool book_is_over(Chime__RunState state)
{
	return state >= CHIME__RUN_STATE__RUN_SUCCESS && state <= CHIME__RUN_STATE__RUN_CANCELLED;
}

/* The job an event is about, NULL = none with a name that could be one. */
const char *book_event_job(const struct book_heard *heard);

/* Into the ring. */
void book_tell(struct book *book, const struct book_heard *heard);

#endif
