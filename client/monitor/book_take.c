/*
 * book_take.c - see book.h: what answers about jobs make of the rows.
 *
 * The position that judges a row comes with the last reply, so rows wait in `answer` until then.
 */
#include "client/monitor/book_own.h"

#include "client/say.h"

#include <stdio.h>
#include <string.h>

void book_drop_answer(struct book *book)
{
	for (size_t i = 0; i < book->answer_count; i++)
		book_free_job(book->answer[i]);
	book->answer_count = book->silent_count = 0;
}

void book_begin_jobs(struct book *book, bool full)
{
	book_drop_answer(book);
	book->answer_full = full;
}

/* "eod/report@app1" of an answer: only what could be a key here is kept. */
static bool is_key(const char *text)
{
	struct target t;

	return target_parse(text, &t, NULL) == 0 && t.job[0] != '\0' && t.server[0] != '\0' &&
	       !t.glob && t.run == 0;
}

static void take_keys(char **list, size_t *count, char *const *keys, size_t key_count)
{
	for (size_t i = 0; i < key_count && *count < BOOK_LIST_MAX; i++) {
		if (is_key(keys[i]))
			list[(*count)++] = say_strdup(keys[i]);
	}
}

/* What the run of a held job would say, as far as its row tells. */
static enum jobstate guess_run_state(const struct book_job *row)
{
	if (row->run == 0)
		return JOBSTATE_IDLE;
	return row->exit_code == 0 ? JOBSTATE_SUCCESS : JOBSTATE_UNKNOWN;
}

static struct book_job *read_row(const Chime__JobRow *in)
{
	struct book_job *row = book_new_job(in->job, in->server);

	if (row == NULL)
		return NULL;
	row->state = jobstate_parse(in->state);
	/* Without its state it is the row of one that is not heard; a word of a newer program is
	 * not known, but nobody is lost. */
	row->stale = in->stale || row->state == JOBSTATE_UNKNOWN;
	if (row->state == JOBSTATE_COUNT)
		row->state = JOBSTATE_UNKNOWN;
	row->held = in->held;
	row->disabled = in->has_enabled && !in->enabled;
	row->run = in->has_run ? in->run : 0;
	row->since_us = in->has_since ? book_sane_us(in->since) : 0;
	row->took_us = in->has_took_us && in->took_us >= 0 && in->took_us <= BOOK_CALENDAR_END_US
		? in->took_us : -1;
	row->exit_code = in->has_exit_code ? in->exit_code : -1;
	if (in->has_next && in->next > 0 && in->next <= BOOK_CALENDAR_END_US / 1000000)
		row->next_s = in->next;
	if (row->took_us >= 0)
		row->started_us = book_sane_us(row->since_us - row->took_us);
	else if (row->state == JOBSTATE_RUNNING)
		row->started_us = row->since_us;
	row->run_state = row->state == JOBSTATE_HELD ? guess_run_state(row) : row->state;
	book_clean(row->note, sizeof(row->note), in->note);
	row->removed = strcmp(row->note, "removed") == 0;
	take_keys(row->blocked_by, &row->blocked_count, in->blocked_by, in->n_blocked_by);
	take_keys(row->root, &row->root_count, in->root, in->n_root);
	return row;
}

void book_add_jobs(struct book *book, const Chime__JobsReply *reply)
{
	if (reply->environment != NULL)
		book_clean(book->environment, sizeof(book->environment), reply->environment);
	for (size_t i = 0; i < reply->n_job && book->answer_count < BOOK_JOBS_MAX; i++) {
		struct book_job *row = read_row(reply->job[i]);

		if (row == NULL)
			continue;
		if (book->answer_count == book->answer_room) {
			book->answer_room = book->answer_room > 0 ? 2 * book->answer_room : 256;
			book->answer = say_realloc(book->answer, book->answer_room,
						   sizeof(*book->answer));
		}
		book->answer[book->answer_count++] = row;
	}
	for (size_t i = 0; i < reply->n_silent && book->silent_count < BOOK_SERVERS_MAX; i++) {
		const char *name = reply->silent[i]->server;
		if (name == NULL || !name_server_valid(name, NULL))
			continue;
		if (book->answer_silent == NULL)
			book->answer_silent = say_calloc(BOOK_SERVERS_MAX,
							 sizeof(*book->answer_silent));
		snprintf(book->answer_silent[book->silent_count++], NAME_SERVER_MAX + 1, "%s",
			 name);
	}
}

static bool is_silent(const struct book *book, const char *server)
{
	for (size_t i = 0; i < book->silent_count; i++) {
		if (strcmp(book->answer_silent[i], server) == 0)
			return true;
	}
	return false;
}

/* Whom I hear myself I judge myself. */
static void take_silence(struct book *book, struct book_server *server)
{
	bool lost = is_silent(book, server->name);

	if (server->heard_boot_us != 0 || lost == server->lost)
		return;
	snprintf(server->state, sizeof(server->state), "%s", lost ? "UNREACHABLE" : "UP");
	book_set_lost(book, server, lost);
}

/* The positions of an answer by the name of their server: rows may be many, and so may they. */
struct places {
	const Chime__Position **list;
	size_t count;
};

static int compare_places(const void *a, const void *b)
{
	return strcmp((*(const Chime__Position *const *)a)->server,
		      (*(const Chime__Position *const *)b)->server);
}

static void places_init(struct places *places, const Chime__JobsReply *reply)
{
	*places = (struct places){ say_calloc(reply->n_position, sizeof(*places->list)), 0 };
	for (size_t i = 0; i < reply->n_position; i++) {
		const Chime__Position *p = reply->position[i];
		if (p->server != NULL && p->lineage != NULL)
			places->list[places->count++] = p;
	}
	if (places->count > 0)
		qsort(places->list, places->count, sizeof(*places->list), compare_places);
}

static const Chime__Position *find_position(const struct places *places, const char *server)
{
	const Chime__Position like = { .server = (char *)(uintptr_t)server }, *key = &like;
	const Chime__Position **found = places->count == 0 ? NULL
		: bsearch(&key, places->list, places->count, sizeof(*places->list),
			  compare_places);

	return found != NULL ? *found : NULL;
}

/* Invariant 1. */
static bool answer_counts(const struct book *book, const Chime__JobsReply *reply,
			  const Chime__Position *position, const struct book_job *known)
{
	if (known->lineage.boot == 0)
		return true;
	if (position != NULL)
		return !book_is_before(book_read_lineage(position->lineage), position->seq,
				       known->lineage, known->seq);
	return reply->n_position == 0 && book->answer_full;
}

static bool same_keys(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++) {
		if (strcmp(a[i], b[i]) != 0)
			return false;
	}
	return true;
}

static bool same_row(const struct book_job *a, const struct book_job *b)
{
	return a->state == b->state && a->run_state == b->run_state && a->stale == b->stale &&
	       a->held == b->held && a->disabled == b->disabled && a->removed == b->removed &&
	       a->run == b->run && a->since_us == b->since_us && a->started_us == b->started_us &&
	       a->took_us == b->took_us && a->next_s == b->next_s &&
	       a->exit_code == b->exit_code && strcmp(a->note, b->note) == 0 &&
	       same_keys(a->blocked_by, a->blocked_count, b->blocked_by, b->blocked_count) &&
	       same_keys(a->root, a->root_count, b->root, b->root_count);
}

/* Into a row of an answer: what it leaves open and is known here. masked: its teller does not say
 * what it knew of the state last. */
static void keep_known(struct book_job *row, const struct book_job *job, bool masked)
{
	if (job->run != row->run)
		return;
	if (row->started_us == 0)
		row->started_us = job->started_us;
	if (job->since_us != row->since_us)
		return;
	if (masked && row->state == JOBSTATE_UNKNOWN)
		row->state = job->state;
	if (row->run_state == JOBSTATE_UNKNOWN)
		row->run_state = job->run_state;
}

static void take_over(struct book_job *job, struct book_job *row)
{
	job->state = row->state;
	job->run_state = row->run_state;
	job->held = row->held;
	job->disabled = row->disabled;
	job->removed = row->removed;
	job->forced = job->forced && job->run == row->run;
	job->run = row->run;
	job->since_us = row->since_us;
	job->started_us = row->started_us;
	job->took_us = row->took_us;
	job->next_s = row->next_s;
	job->exit_code = row->exit_code;
	memcpy(job->note, row->note, sizeof(job->note));
	book_free_keys(job->blocked_by, &job->blocked_count);
	book_free_keys(job->root, &job->root_count);
	memcpy(job->blocked_by, row->blocked_by, sizeof(job->blocked_by));
	memcpy(job->root, row->root, sizeof(job->root));
	job->blocked_count = row->blocked_count;
	job->root_count = row->root_count;
	row->blocked_count = row->root_count = 0;
}

static void move_place(struct book_job *job, const Chime__Position *position)
{
	if (position != NULL) {
		job->lineage = book_read_lineage(position->lineage);
		job->seq = position->seq;
	}
}

/* Takes a row of the answer: it becomes the job's, or is freed. */
static void take_row(struct book *book, struct book_job *row, const Chime__JobsReply *last,
		     const Chime__Position *position)
{
	struct book_job *job = book_find_job(book, row->key);
	const struct book_server *server = book_find_server(book, row->server);
	bool masked = row->stale;

	if (server != NULL)
		row->stale = server->lost;
	if (job == NULL) {
		if (HASH_COUNT(book->jobs) >= BOOK_JOBS_MAX) {
			book_free_job(row);
			return;
		}
		row->seen = true;
		move_place(row, position);
		book_insert_job(book, row);
		return;
	}
	job->seen = true;
	if (job->stale != row->stale) {
		job->stale = row->stale;
		book_job_changed(book);
	}
	if (answer_counts(book, last, position, job)) {
		book_set_dirty(book, job, false);
		move_place(job, position);
		keep_known(row, job, masked);
		if (!same_row(job, row)) {
			take_over(job, row);
			book_job_changed(book);
		}
	} else if (job->dirty) {
		HASH_DEL(book->jobs, job);
		HASH_ADD_KEYPTR(hh, book->jobs, job->key, strlen(job->key), job);
	}
	book_free_job(row);
}

/* A full answer does not name it: gone, unless it is newer than the answer. */
static void drop_missing(struct book *book, const Chime__JobsReply *last,
			 const struct places *places)
{
	struct book_job *job, *next;

	HASH_ITER(hh, book->jobs, job, next) {
		if (!job->seen && answer_counts(book, last, find_position(places, job->server),
						job))
			book_delete_job(book, job);
	}
}

void book_end_jobs(struct book *book, const Chime__JobsReply *last)
{
	struct book_server *server;
	struct places places;

	places_init(&places, last);
	for (server = book->servers; server != NULL; server = server->hh.next)
		take_silence(book, server);
	book_tell_jobs(book);
	for (struct book_job *job = book->jobs; job != NULL; job = job->hh.next)
		job->seen = false;
	for (size_t i = 0; i < book->answer_count; i++) {
		struct book_job *row = book->answer[i];
		book->answer[i] = NULL;
		take_row(book, row, last, find_position(&places, row->server));
	}
	book->answer_count = 0;
	if (book->answer_full)
		drop_missing(book, last, &places);
	book_drop_answer(book);
	free(places.list);
}

void book_forget_places(struct book *book)
{
	for (struct book_job *job = book->jobs; job != NULL; job = job->hh.next) {
		job->lineage = (struct lineage){ 0 };
		job->seq = 0;
	}
}
