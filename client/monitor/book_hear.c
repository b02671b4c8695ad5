/*
 * book_hear.c - see book.h: what events make of the rows.
 */
#include "client/monitor/book_own.h"

#include "proto/show.h"

#include <stdio.h>
#include <string.h>

static void set_note(struct book_job *job, const char *text)
{
	job->note[0] = '\0';
	if (text != NULL)
		show_clean(text, strlen(text), job->note, sizeof(job->note));
}

static bool is_active(const struct book_job *job)
{
	return jobstates[job->run_state].active;
}

/* The state from what the run says and what holds the job. */
static void settle(struct book_job *job)
{
	job->state = job->held && !is_active(job) ? JOBSTATE_HELD : job->run_state;
}

/* The order of proto and that of trouble differ; words are the same. */
static enum jobstate state_of(Chime__RunState state)
{
	enum jobstate found = jobstate_parse(show_run_state(state));

	return found == JOBSTATE_COUNT ? JOBSTATE_UNKNOWN : found;
}

static bool note_begins(const struct book_job *job, const char *with)
{
	return strncmp(job->note, with, strlen(with)) == 0;
}

/* A run that nothing was heard of before. */
static void begin_run(struct book_job *job, uint64_t run, int64_t since_us)
{
	job->run = run;
	job->since_us = since_us;
	job->started_us = 0;
	job->took_us = -1;
	job->exit_code = -1;
	job->forced = false;
	if (!job->held)
		set_note(job, NULL);
}

/* May the row become that of this run? The newest active one is shown; no run that is over or
 * waits takes the row from one that is active, none from a newer one. */
static bool may_show(const struct book_job *job, uint64_t run, bool active)
{
	if (run == 0 || run == job->run)
		return run != 0;
	if (is_active(job))
		return active && run > job->run;
	return active || run > job->run;
}

static void hear_created(struct book_job *job, uint64_t run, const Chime__Event *event)
{
	const Chime__RunCreated *c = event->run_created;
	bool waits = job->run_state == JOBSTATE_WAITING || job->run_state == JOBSTATE_QUEUED;

	if (!may_show(job, run, false) || (waits && job->run != 0 && book_is_over(c->state)))
		return;
	begin_run(job, run, book_sane_us(event->time));
	job->forced = c->forced;
	job->run_state = book_is_over(c->state) ? state_of(c->state)
		: c->needs_condition ? JOBSTATE_WAITING : JOBSTATE_QUEUED;
	if (job->held)
		return;
	if (book_given(c->detail)) {
		set_note(job, c->detail);
	} else if (c->forced && book_given(event->actor)) {
		size_t len = 0;
		book_print(job->note, sizeof(job->note), &len, "forced by %s", event->actor);
	}
}

static void hear_starting(struct book_job *job, uint64_t run, const Chime__Event *event)
{
	if (!may_show(job, run, true))
		return;
	if (job->run != run)
		begin_run(job, run, book_sane_us(event->time));
	job->run_state = JOBSTATE_STARTING;
}

static void hear_started(struct book_job *job, uint64_t run, const Chime__Event *event)
{
	int64_t time_us = book_sane_us(event->run_started->time);

	if (!may_show(job, run, true))
		return;
	if (job->run != run)
		begin_run(job, run, 0);
	job->run_state = JOBSTATE_RUNNING;
	job->started_us = job->since_us = time_us != 0 ? time_us : book_sane_us(event->time);
}

static void hear_not_started(struct book_job *job, uint64_t run, const Chime__Event *event)
{
	if (!may_show(job, run, false))
		return;
	if (job->run != run)
		begin_run(job, run, book_sane_us(event->time));
	job->run_state = JOBSTATE_WAITING;
	job->started_us = 0;
	if (!job->held)
		set_note(job, event->run_not_started->detail);
}

static void note_end(struct book_job *job, const Chime__RunEnded *ended)
{
	size_t len = 0;

	if (job->held)
		return;
	if (book_given(ended->detail))
		set_note(job, ended->detail);
	else if (job->run_state == JOBSTATE_KILLED && note_begins(job, "killed"))
		return;
	else if (job->run_state == JOBSTATE_FAILED && job->exit_code >= 0)
		book_print(job->note, sizeof(job->note), &len, "exit %d", job->exit_code);
	else if (ended->signal != 0)
		book_print(job->note, sizeof(job->note), &len, "signal %d", ended->signal);
	else if (!note_begins(job, "forced by"))
		set_note(job, NULL);
}

static void hear_ended(struct book_job *job, uint64_t run, const Chime__Event *event)
{
	const Chime__RunEnded *ended = event->run_ended;
	int64_t started_us = book_sane_us(ended->started), ended_us = book_sane_us(ended->ended);

	if (!book_is_over(ended->state) || !may_show(job, run, false))
		return;
	if (job->run != run)
		begin_run(job, run, 0);
	if (started_us != 0)
		job->started_us = started_us;
	job->since_us = ended_us != 0 ? ended_us : book_sane_us(event->time);
	job->took_us = job->started_us == 0 ? -1
		: job->since_us > job->started_us ? job->since_us - job->started_us : 0;
	job->exit_code = ended->has_exit_code ? ended->exit_code : -1;
	job->run_state = state_of(ended->state);
	note_end(job, ended);
}

static void hear_killing(struct book_job *job, uint64_t run, const Chime__Event *event)
{
	size_t len = 0;

	if (run == job->run && is_active(job) && !job->held)
		book_print(job->note, sizeof(job->note), &len, "killed%s%s",
			   book_given(event->actor) ? " by " : "",
			   book_given(event->actor) ? event->actor : "");
}

static void hear_hold(struct book_job *job, const Chime__Event *event, bool held)
{
	size_t len = 0;

	job->held = held;
	job->note[0] = '\0';
	if (held)
		book_print(job->note, sizeof(job->note), &len, "%s%s%s",
			   book_given(event->actor) ? event->actor : "",
			   book_given(event->actor) && book_given(event->reason) ? ": " : "",
			   book_given(event->reason) ? event->reason : "");
	else if (job->run_state == JOBSTATE_FAILED && job->exit_code >= 0)
		book_print(job->note, sizeof(job->note), &len, "exit %d", job->exit_code);
}

static void hear_defined(struct book_job *job, const Chime__JobDefined *d)
{
	bool was = job->disabled || job->removed;

	job->removed = false;
	job->disabled = d->has_enabled && !d->enabled;
	if (job->disabled)
		job->next_s = 0;
	if (!job->held && (job->disabled || was))
		set_note(job, job->disabled ? "disabled" : NULL);
}

static void hear_removed(struct book_job *job)
{
	job->removed = true;
	job->next_s = 0;
	if (!job->held)
		set_note(job, "removed");
}

/* False: it says nothing of the row. */
static bool project(struct book_job *job, uint64_t run, const Chime__Event *event)
{
	switch (event->body_case) {
	case CHIME__EVENT__BODY_RUN_CREATED:
		hear_created(job, run, event);
		break;
	case CHIME__EVENT__BODY_RUN_STARTING:
		hear_starting(job, run, event);
		break;
	case CHIME__EVENT__BODY_RUN_STARTED:
		hear_started(job, run, event);
		break;
	case CHIME__EVENT__BODY_RUN_NOT_STARTED:
		hear_not_started(job, run, event);
		break;
	case CHIME__EVENT__BODY_RUN_ENDED:
		hear_ended(job, run, event);
		break;
	case CHIME__EVENT__BODY_RUN_KILLING:
		hear_killing(job, run, event);
		break;
	case CHIME__EVENT__BODY_JOB_HELD:
		hear_hold(job, event, true);
		break;
	case CHIME__EVENT__BODY_JOB_RELEASED:
		hear_hold(job, event, false);
		break;
	case CHIME__EVENT__BODY_JOB_DEFINED:
		hear_defined(job, event->job_defined);
		break;
	case CHIME__EVENT__BODY_JOB_REMOVED:
		hear_removed(job);
		break;
	case CHIME__EVENT__BODY_RUN_PROOFS:
	case CHIME__EVENT__BODY_SLOT_MISSED:
		break;
	default:
		return false;
	}
	settle(job);
	return true;
}

static bool makes_row(Chime__Event__BodyCase kind)
{
	return kind == CHIME__EVENT__BODY_RUN_CREATED || kind == CHIME__EVENT__BODY_RUN_STARTING ||
	       kind == CHIME__EVENT__BODY_RUN_STARTED || kind == CHIME__EVENT__BODY_RUN_ENDED ||
	       kind == CHIME__EVENT__BODY_JOB_DEFINED || kind == CHIME__EVENT__BODY_JOB_HELD;
}

static void change_row(struct book *book, const struct book_heard *heard)
{
	const char *name = book_event_job(heard);
	char key[BOOK_KEY_SIZE];

	if (name == NULL)
		return;
	snprintf(key, sizeof(key), "%s@%s", name, heard->origin);
	struct book_job *job = book_find_job(book, key);
	if (job == NULL && makes_row(heard->event->body_case))
		job = book_add_job(book, name, heard->origin);
	if (job == NULL || book_is_before(heard->lineage, heard->seq, job->lineage, job->seq) ||
	    (lineage_equal(heard->lineage, job->lineage) && heard->seq == job->seq))
		return;
	if (!project(job, show_event_run(heard->event, heard->seq), heard->event))
		return;
	job->lineage = heard->lineage;
	job->seq = heard->seq;
	/* Who is not heard cannot be asked, but others know as much. A removed job is nowhere. */
	book_set_dirty(book, job, !job->removed);
	book_job_changed(book);
}

static void change_server(struct book *book, const struct book_heard *heard)
{
	const Chime__ServerUp *up = heard->event->server_up;
	bool is_start = heard->event->body_case == CHIME__EVENT__BODY_SERVER_UP;

	if (!is_start && heard->event->body_case != CHIME__EVENT__BODY_SERVER_DOWN)
		return;
	struct book_server *server = book_add_server(book, heard->origin);
	if (server == NULL ||
	    book_is_before(heard->lineage, heard->seq, server->lineage, server->seq))
		return;
	server->lineage = heard->lineage;
	server->seq = heard->seq;
	server->silent = false;
	server->goodbye_us = 0;
	snprintf(server->state, sizeof(server->state), is_start ? "UP" : "DOWN");
	if (is_start) {
		server->unproven = up->unproven;
		if (book_given(up->version))
			show_clean(up->version, strlen(up->version), server->version,
				   sizeof(server->version));
	}
	book_set_lost(book, server, !is_start);
	book_tell_jobs(book);
	book->version++;
}

void book_hear(struct book *book, const struct book_heard *heard)
{
	book_tell(book, heard);
	if (heard->history)
		return;
	change_server(book, heard);
	change_row(book, heard);
}
