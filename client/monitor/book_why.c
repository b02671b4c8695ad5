/*
 * book_why.c - see book.h: the shortest true answer to "why is it so?".
 *
 *	KEY STATE SPAN: reason
 *
 * Everything it says is in the book; what is not known is said to be so.
 */
#include "client/monitor/book_own.h"

#include "client/out.h"

#include <stdio.h>
#include <string.h>

struct words { char *out; size_t size, len; };

#define SAY(w, ...) book_print((w)->out, (w)->size, &(w)->len, __VA_ARGS__)

/* "14m05s", "7s", "2d 23h": seconds are enough for what grows while one looks. */
static const char *age_text(int64_t from_us, int64_t to_us, char buf[OUT_TIME_SIZE])
{
	int64_t span_us = to_us > from_us ? to_us - from_us : 0;

	if (span_us < 60 * 1000000LL)
		snprintf(buf, OUT_TIME_SIZE, "%ds", (int)(span_us / 1000000));
	else
		out_span_text(span_us, buf);
	return buf;
}

static bool has_ended(const struct book_job *job)
{
	return job->took_us >= 0 || job->exit_code >= 0;
}

static const struct book_server *lost_server(const struct book *book, const struct book_job *job)
{
	const struct book_server *server = book_find_server(book, job->server);

	return server != NULL && server->lost ? server : NULL;
}

/* What a server is that is not heard. */
static const char *absence(const struct book *book, const struct book_job *job)
{
	const struct book_server *server = lost_server(book, job);

	return server != NULL && strcmp(server->state, "DOWN") == 0 ? "stopped" : "lost";
}

static void say_failure(struct words *w, const struct book_job *job)
{
	char usual[32];

	snprintf(usual, sizeof(usual), "exit %d", job->exit_code);
	if (job->exit_code < 0)
		SAY(w, "%s", job->note[0] != '\0' ? job->note : "its server does not say how");
	else if (job->note[0] == '\0' || strcmp(job->note, usual) == 0)
		SAY(w, "exit %d is not in success_codes", job->exit_code);
	else
		SAY(w, "exit %d is not in success_codes, %s", job->exit_code, job->note);
}

/* Held, removed or disabled: then the note tells of that and not of the run. */
static bool note_is_of_run(const struct book_job *job)
{
	return job->note[0] != '\0' && !job->held && !job->disabled && !job->removed;
}

/* Another job in a few words: "FAILED, exit 3", "RUNNING for 3m25s", "UNKNOWN, lost server db3". */
static void say_state(struct words *w, const struct book *book, const char *key, struct moment now)
{
	const struct book_job *job = book_find_job(book, key);
	char age[OUT_TIME_SIZE];

	if (job == NULL) {
		SAY(w, "not known here");
		return;
	}
	enum jobstate shown = book_job_shown(job);
	SAY(w, "%s", jobstates[shown].word);
	if (job->stale)
		SAY(w, ", on %s server %s", absence(book, job), job->server);
	else if (shown == JOBSTATE_FAILED && job->exit_code >= 0)
		SAY(w, ", exit %d", job->exit_code);
	else if (shown == JOBSTATE_RUNNING && job->started_us != 0)
		SAY(w, " for %s", age_text(job->started_us, now.wall_us, age));
	else if (shown == JOBSTATE_HELD && job->note[0] != '\0')
		SAY(w, " by %s", job->note);
	else if (job->removed)
		SAY(w, ", removed");
	else if (job->disabled)
		SAY(w, ", disabled");
	else if (jobstates[shown].trouble && note_is_of_run(job))
		SAY(w, ", %s", job->note);
}

static bool is_among(const char *key, char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	return false;
}

/* What tells most: one of a lost server, then one that has not succeeded, then the first. */
static const char *pick_blocker(const struct book *book, const struct book_job *job)
{
	const char *open = NULL;

	for (size_t i = 0; i < job->blocked_count; i++) {
		const struct book_job *b = book_find_job(book, job->blocked_by[i]);
		if (b != NULL && b->stale)
			return job->blocked_by[i];
		if (open == NULL && (b == NULL || b->state != JOBSTATE_SUCCESS))
			open = job->blocked_by[i];
	}
	return open != NULL ? open : job->blocked_by[0];
}

static void say_needs(struct words *w, const struct book *book, const struct book_job *job,
		      struct moment now)
{
	const char *key = pick_blocker(book, job);
	const struct book_job *blocker = book_find_job(book, key);

	if (blocker != NULL && blocker->stale)
		SAY(w, "waits for %s server %s: needs %s", absence(book, blocker),
		    blocker->server, key);
	else
		SAY(w, "needs %s: ", key);
	if (blocker == NULL || !blocker->stale)
		say_state(w, book, key, now);
	if (job->blocked_count > 1)
		SAY(w, ", and %zu more", job->blocked_count - 1);
	for (size_t i = 0; i < job->root_count; i++) {
		if (is_among(job->root[i], job->blocked_by, job->blocked_count))
			continue;
		SAY(w, "; root cause %s: ", job->root[i]);
		say_state(w, book, job->root[i], now);
		return;
	}
}

static void say_next(struct words *w, const struct book_job *job, struct moment now)
{
	char age[OUT_TIME_SIZE];
	int64_t next_us = job->next_s * 1000000;

	if (job->removed)
		SAY(w, "removed from its job files");
	else if (job->held)
		SAY(w, "held%s%s", job->note[0] != '\0' ? " by " : "", job->note);
	else if (job->disabled)
		SAY(w, "disabled in its job file");
	else if (job->next_s == 0)
		SAY(w, "no next start by time");
	else if (next_us <= now.wall_us)
		SAY(w, "next start is due");
	else
		SAY(w, "next start in %s", age_text(now.wall_us, next_us, age));
}

static void say_unknown(struct words *w, const struct book *book, const struct book_job *job,
			struct moment now)
{
	const struct book_server *server = lost_server(book, job);
	char age[OUT_TIME_SIZE];

	if (!job->stale) {
		SAY(w, "its server did not say yet");
		return;
	}
	if (server != NULL && strcmp(server->state, "DOWN") == 0)
		SAY(w, "%s was stopped", job->server);
	else
		SAY(w, "%s not heard", job->server);
	if (server != NULL && server->heard_us != 0)
		SAY(w, strcmp(server->state, "DOWN") == 0 ? " %s ago" : " for %s",
		    age_text(server->heard_us, now.wall_us, age));
	if (job->state != JOBSTATE_UNKNOWN)
		SAY(w, "; last known %s", jobstates[job->state].word);
	else
		SAY(w, "; its last state is not known here");
}

static void say_active(struct words *w, const struct book_job *job)
{
	SAY(w, "run %llu@%s", (unsigned long long)job->run, job->server);
	if (job->state == JOBSTATE_STARTING)
		SAY(w, " was asked to start, not confirmed yet");
	if (note_is_of_run(job))
		SAY(w, ", %s", job->note);
	if (job->held)
		SAY(w, "; held from then on%s%s", job->note[0] != '\0' ? " by " : "", job->note);
}

static void say_idle(struct words *w, const struct book *book, const struct book_job *job,
		     struct moment now)
{
	if (job->blocked_count > 0 && !job->disabled && !job->removed)
		say_needs(w, book, job, now);
	else
		say_next(w, job, now);
}

static void say_success(struct words *w, const struct book_job *job, struct moment now)
{
	char took[OUT_TIME_SIZE];

	if (job->took_us >= 0) {
		out_span_text(job->took_us, took);
		SAY(w, "took %s; ", took);
	}
	say_next(w, job, now);
}

static void say_note_or(struct words *w, const struct book_job *job, const char *otherwise)
{
	SAY(w, "%s", note_is_of_run(job) ? job->note : otherwise);
}

static void say_reason(struct words *w, const struct book *book, const struct book_job *job,
		       struct moment now)
{
	switch (book_job_shown(job)) {
	case JOBSTATE_UNKNOWN:
		say_unknown(w, book, job, now);
		break;
	case JOBSTATE_FAILED:
		say_failure(w, job);
		break;
	case JOBSTATE_KILLED:
		say_note_or(w, job, "stopped by a person");
		break;
	case JOBSTATE_TIMEOUT:
		say_note_or(w, job, "it ran longer than max_time");
		break;
	case JOBSTATE_LOST:
		say_note_or(w, job, "nobody saw how it ended");
		break;
	case JOBSTATE_RUNNING:
	case JOBSTATE_STARTING:
		say_active(w, job);
		break;
	case JOBSTATE_QUEUED:
		SAY(w, "conditions met, waits for its turn");
		if (note_is_of_run(job))
			SAY(w, ", %s", job->note);
		break;
	case JOBSTATE_WAITING:
		if (job->blocked_count > 0)
			say_needs(w, book, job, now);
		else
			say_note_or(w, job, job->disabled ? "disabled in its job file" :
				    job->dirty ? "what it needs is being asked" :
				    "no open condition is known");
		break;
	case JOBSTATE_HELD:
		SAY(w, "held%s%s; dependents wait", job->note[0] != '\0' ? " by " : "",
		    job->note);
		break;
	case JOBSTATE_SUCCESS:
		say_success(w, job, now);
		break;
	case JOBSTATE_IDLE:
		say_idle(w, book, job, now);
		break;
	case JOBSTATE_RETRY:
	case JOBSTATE_ICED:
	case JOBSTATE_MISSED:
	case JOBSTATE_EXPIRED:
	case JOBSTATE_SKIPPED:
	case JOBSTATE_CANCELLED:
	case JOBSTATE_COUNT:
		say_note_or(w, job, jobstates[book_job_shown(job)].meaning);
		break;
	}
}

/* " 14m05s", " 14m05s ago" or nothing: since when the state is so, where that is known. */
static void say_since(struct words *w, const struct book_job *job, struct moment now)
{
	char age[OUT_TIME_SIZE];
	enum jobstate shown = book_job_shown(job);

	if (shown == JOBSTATE_RUNNING && job->started_us != 0) {
		SAY(w, " %s", age_text(job->started_us, now.wall_us, age));
		return;
	}
	if (job->since_us == 0 || shown == JOBSTATE_UNKNOWN || shown == JOBSTATE_HELD ||
	    shown == JOBSTATE_IDLE || shown == JOBSTATE_ICED)
		return;
	/* What waits because its producers have begun a new cycle has the times of its last run. */
	if ((shown == JOBSTATE_WAITING || shown == JOBSTATE_QUEUED) && has_ended(job))
		return;
	age_text(job->since_us, now.wall_us, age);
	if (jobstates[shown].active || shown == JOBSTATE_WAITING || shown == JOBSTATE_QUEUED)
		SAY(w, " %s", age);
	else
		SAY(w, " %s ago", age);
}

size_t book_why(const struct book *book, const struct book_job *job, struct moment now, char *out,
		size_t size)
{
	struct words w = { out, size, 0 };

	if (size == 0)
		return 0;
	out[0] = '\0';
	SAY(&w, "%s %s", job->key, jobstates[book_job_shown(job)].word);
	say_since(&w, job, now);
	SAY(&w, ": ");
	say_reason(&w, book, job, now);
	return w.len;
}
