/*
 * book.c - see book.h: the rows of jobs and servers themselves, and who is heard.
 */
#include "client/monitor/book_own.h"

#include "client/say.h"
#include "proto/show.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void book_init(struct book *book)
{
	*book = (struct book){ 0 };
	book->events = say_calloc(BOOK_EVENTS, sizeof(*book->events));
}

void book_free_keys(char **list, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		free(list[i]);
	*count = 0;
}

void book_free_job(struct book_job *job)
{
	book_free_keys(job->blocked_by, &job->blocked_count);
	book_free_keys(job->root, &job->root_count);
	free(job);
}

void book_fini(struct book *book)
{
	struct book_job *job, *next_job;
	struct book_server *server, *next_server;

	HASH_ITER(hh, book->jobs, job, next_job) {
		HASH_DEL(book->jobs, job);
		book_free_job(job);
	}
	HASH_ITER(hh, book->servers, server, next_server) {
		HASH_DEL(book->servers, server);
		free(server);
	}
	book_drop_answer(book);
	free(book->answer);
	free(book->answer_silent);
	free(book->events);
	*book = (struct book){ 0 };
}

/* ---- what the parts share ---- */

void book_print(char *out, size_t size, size_t *len, const char *format, ...)
{
	char piece[1024];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(piece, sizeof(piece), format, ap);
	va_end(ap);
	if (n > 0 && *len + 1 < size)
		*len += show_clean(piece, (size_t)n < sizeof(piece) ? (size_t)n : sizeof(piece) - 1,
				   out + *len, size - *len);
}

int64_t book_sane_us(int64_t wall_us)
{
	return wall_us > 0 && wall_us <= BOOK_CALENDAR_END_US ? wall_us : 0;
}

void book_clean(char *out, size_t size, const char *text)
{
	out[0] = '\0';
	if (text != NULL)
		show_clean(text, strlen(text), out, size);
}

struct lineage book_read_lineage(const Chime__Lineage *lineage)
{
	return lineage != NULL ? (struct lineage){ lineage->boot, lineage->tag }
			       : (struct lineage){ 0 };
}

bool book_is_before(struct lineage lineage, uint64_t seq, struct lineage than, uint64_t than_seq)
{
	if (lineage.boot != than.boot)
		return lineage.boot < than.boot;
	return lineage.tag == than.tag && seq < than_seq;
}

void book_job_changed(struct book *book)
{
	book->version++;
	book->jobs_version++;
}

void book_set_dirty(struct book *book, struct book_job *job, bool dirty)
{
	if (job->dirty == dirty)
		return;
	job->dirty = dirty;
	book->dirty_count += dirty ? 1 : (size_t)-1;
}

void book_set_lost(struct book *book, struct book_server *server, bool lost)
{
	if (server->lost == lost)
		return;
	server->lost = lost;
	book->turned_count += !server->turned;
	server->turned = true;
}

static void tell_job(struct book *book, struct book_job *job, const struct book_server *server)
{
	job->stale = server->lost;
	if (!server->lost && job->state == JOBSTATE_UNKNOWN)
		book_set_dirty(book, job, true);
}

void book_tell_jobs(struct book *book)
{
	const struct book_server *server = NULL;

	if (book->turned_count == 0)
		return;
	for (struct book_job *job = book->jobs; job != NULL; job = job->hh.next) {
		if (server == NULL || strcmp(server->name, job->server) != 0)
			server = book_find_server(book, job->server);
		if (server != NULL && server->turned)
			tell_job(book, job, server);
	}
	for (struct book_server *s = book->servers; s != NULL; s = s->hh.next)
		s->turned = false;
	book->turned_count = 0;
	book_job_changed(book);
}

/* ---- jobs ---- */

struct book_job *book_new_job(const char *job, const char *server)
{
	if (job == NULL || server == NULL || !name_job_valid(job, NULL) ||
	    !name_server_valid(server, NULL))
		return NULL;
	struct book_job *row = say_calloc(1, sizeof(*row));
	int len = snprintf(row->key, sizeof(row->key), "%s@%s", job, server);
	assert(len > 0 && (size_t)len < sizeof(row->key));
	row->job_len = strlen(job);
	row->server = row->key + row->job_len + 1;
	row->state = row->run_state = JOBSTATE_IDLE;
	row->took_us = -1;
	row->exit_code = -1;
	return row;
}

void book_insert_job(struct book *book, struct book_job *job)
{
	job->id = ++book->last_id;
	HASH_ADD_KEYPTR(hh, book->jobs, job->key, strlen(job->key), job);
	book_job_changed(book);
}

void book_delete_job(struct book *book, struct book_job *job)
{
	book_set_dirty(book, job, false);
	HASH_DEL(book->jobs, job);
	book_free_job(job);
	book_job_changed(book);
}

struct book_job *book_find_job(const struct book *book, const char *key)
{
	struct book_job *job = NULL;

	HASH_FIND(hh, book->jobs, key, strlen(key), job);
	return job;
}

struct book_job *book_add_job(struct book *book, const char *name, const char *server)
{
	struct book_job *job = book_new_job(name, server);

	if (job == NULL)
		return NULL;
	struct book_job *known = book_find_job(book, job->key);
	if (known != NULL || HASH_COUNT(book->jobs) >= BOOK_JOBS_MAX) {
		book_free_job(job);
		return known;
	}
	const struct book_server *at = book_find_server(book, server);
	job->stale = at != NULL && at->lost;
	book_insert_job(book, job);
	return job;
}

bool book_job_is_there(const struct book_job *job)
{
	return !job->removed || jobstates[job->state].active;
}

enum jobstate book_job_shown(const struct book_job *job)
{
	return job->stale ? JOBSTATE_UNKNOWN : job->state;
}

size_t book_dirty(const struct book *book, char (*keys)[BOOK_KEY_SIZE], size_t max)
{
	size_t count = 0;

	if (book->dirty_count == 0)
		return 0;
	for (struct book_job *job = book->jobs; job != NULL && count < max; job = job->hh.next) {
		if (job->dirty)
			memcpy(keys[count++], job->key, sizeof(job->key));
	}
	return count;
}

/* ---- servers ---- */

struct book_server *book_find_server(const struct book *book, const char *name)
{
	struct book_server *server = NULL;

	HASH_FIND_STR(book->servers, name, server);
	return server;
}

struct book_server *book_add_server(struct book *book, const char *name)
{
	if (name == NULL || !name_server_valid(name, NULL))
		return NULL;
	struct book_server *server = book_find_server(book, name);
	if (server != NULL || HASH_COUNT(book->servers) >= BOOK_SERVERS_MAX)
		return server;
	server = say_calloc(1, sizeof(*server));
	snprintf(server->name, sizeof(server->name), "%s", name);
	HASH_ADD_STR(book->servers, name, server);
	book->version++;
	return server;
}

static bool is_up(const char *state)
{
	return strcmp(state, "UP") == 0 || strcmp(state, "SUSPECT") == 0;
}

/* What its teller says of a server against what I hear: the newer evidence counts. told_age_us:
 * how long ago its teller heard it, -1 = never. */
static void judge_told(struct book *book, struct book_server *server, int64_t told_age_us,
		       struct moment now)
{
	int64_t mine_age_us = now.boot_us - server->heard_boot_us;
	bool mine = server->heard_boot_us != 0 && !server->silent;

	if (is_up(server->state)) {
		enum { SLACK_US = 2000000 };	/* both hear the same heads, and answers travel */
		if (server->silent && (told_age_us < 0 || told_age_us + SLACK_US >= mine_age_us)) {
			snprintf(server->state, sizeof(server->state), "UNREACHABLE");
			return;
		}
		if (server->silent)
			server->heard_boot_us = 0;	/* not heard here, but there */
		server->silent = false;
		book_set_lost(book, server, false);
	} else if (mine && mine_age_us < BOOK_FRESH_US && strcmp(server->state, "DOWN") != 0) {
		snprintf(server->state, sizeof(server->state), "UP");
		book_set_lost(book, server, false);
	} else {
		book_set_lost(book, server, true);
	}
}

/* All but state and heard. */
static void read_server(struct book_server *server, const Chime__ServerRow *in)
{
	server->self = in->self;
	server->unproven = in->unproven;
	server->lineage = book_read_lineage(in->lineage);
	server->seq = in->seq;
	server->known_seq = in->known_seq;
	server->jobs = in->jobs;
	server->running = in->running;
	server->has_skew = in->has_skew_us;
	server->skew_us = in->skew_us;
	book_clean(server->version, sizeof(server->version), in->version);
	book_clean(server->note, sizeof(server->note), in->note);
	server->address_count = 0;
	for (size_t i = 0; i < in->n_address && server->address_count < 4; i++) {
		char *to = server->address[server->address_count];
		book_clean(to, sizeof(server->address[0]), in->address[i]);
		server->address_count += to[0] != '\0' && strcmp(to, in->address[i]) == 0;
	}
}

static void take_server(struct book *book, const Chime__ServerRow *in, int64_t teller_us,
			struct moment now)
{
	struct book_server *server = book_add_server(book, in->server);
	int64_t age_us = -1, heard_us = in->has_heard ? book_sane_us(in->heard) : 0;

	if (server == NULL)
		return;
	server->seen = true;
	if (heard_us != 0) {
		age_us = teller_us > heard_us ? teller_us - heard_us : 0;
		if (now.wall_us - age_us > server->heard_us)
			server->heard_us = now.wall_us - age_us;
	}
	read_server(server, in);
	book_clean(server->state, sizeof(server->state), in->state);
	judge_told(book, server, age_us, now);
}

void book_take_servers(struct book *book, const Chime__ServersReply *reply, struct moment now)
{
	struct book_server *server, *next;
	int64_t teller_us = now.wall_us;

	/* It has just heard itself: that is its clock. */
	for (size_t i = 0; i < reply->n_server; i++) {
		if (reply->server[i]->self && book_sane_us(reply->server[i]->heard) != 0)
			teller_us = reply->server[i]->heard;
	}
	for (server = book->servers; server != NULL; server = server->hh.next)
		server->seen = false;
	for (size_t i = 0; i < reply->n_server; i++)
		take_server(book, reply->server[i], teller_us, now);
	book_tell_jobs(book);
	HASH_ITER(hh, book->servers, server, next) {
		if (server->seen || server->heard_boot_us != 0)
			continue;
		HASH_DEL(book->servers, server);
		free(server);
	}
	book->version++;
}

void book_hear_head(struct book *book, const char *name, struct moment now)
{
	struct book_server *server = book_add_server(book, name);
	char text[NAME_SERVER_MAX + 64];

	if (server == NULL)
		return;
	server->heard_boot_us = now.boot_us > 0 ? now.boot_us : 1;
	server->heard_us = now.wall_us;
	if (strcmp(server->state, "DOWN") == 0) {
		if (server->goodbye_us == 0)
			server->goodbye_us = server->heard_boot_us;
		if (now.boot_us - server->goodbye_us < BOOK_GOODBYE_US)
			return;
	}
	server->goodbye_us = 0;
	if (!is_up(server->state)) {
		snprintf(server->state, sizeof(server->state), "UP");
		book->version++;
	}
	if (server->silent) {
		snprintf(text, sizeof(text), "%s is heard again", server->name);
		book_note(book, now, "bus.heard", text);
	}
	server->silent = false;
	book_set_lost(book, server, false);
	book_tell_jobs(book);
}

void book_judge_silence(struct book *book, struct moment now, int64_t silent_us)
{
	char text[NAME_SERVER_MAX + 64];

	for (struct book_server *server = book->servers; server != NULL; server = server->hh.next) {
		if (server->heard_boot_us == 0 || server->lost || !is_up(server->state) ||
		    now.boot_us - server->heard_boot_us < silent_us)
			continue;
		server->silent = true;
		snprintf(text, sizeof(text), "%s is not heard for %llds", server->name,
			 (long long)(now.boot_us - server->heard_boot_us) / 1000000);
		book_note(book, now, "bus.gap", text);
		snprintf(server->state, sizeof(server->state), "UNREACHABLE");
		book_set_lost(book, server, true);
	}
	book_tell_jobs(book);
}
