/*
 * book_tell.c - see book.h: the ring of the newest events, each told in words.
 */
#include "client/monitor/book_own.h"

#include "client/out.h"
#include "proto/show.h"

#include <stdio.h>
#include <string.h>

/* ---- the ring ---- */

static struct book_event *next_event(struct book *book)
{
	size_t at = (book->event_first + book->event_count) % BOOK_EVENTS;

	if (book->event_count == BOOK_EVENTS)
		book->event_first = (book->event_first + 1) % BOOK_EVENTS;
	else
		book->event_count++;
	book->event_total++;
	book->version++;
	memset(&book->events[at], 0, sizeof(book->events[at]));
	return &book->events[at];
}

const struct book_event *book_event(const struct book *book, size_t i)
{
	if (i >= book->event_count)
		return NULL;
	return &book->events[(book->event_first + book->event_count - 1 - i) % BOOK_EVENTS];
}

void book_note(struct book *book, struct moment now, const char *kind, const char *text)
{
	struct book_event *event = next_event(book);

	event->time_us = now.wall_us;
	show_clean(kind, strlen(kind), event->kind, sizeof(event->kind));
	show_clean(text, strlen(text), event->text, sizeof(event->text));
	event->bad = strstr(kind, "gap") != NULL || strstr(kind, "lost") != NULL;
}

/* ---- an event in words ---- */

/* A text under construction. */
struct words { char *out; size_t size, len; };

#define SAY(w, ...) book_print((w)->out, (w)->size, &(w)->len, __VA_ARGS__)

static void say_person(struct words *w, const Chime__Event *event)
{
	if (book_given(event->actor))
		SAY(w, "by %s", event->actor);
	if (book_given(event->reason))
		SAY(w, "%s%s", w->len > 0 ? ": " : "", event->reason);
}

static void say_created(struct words *w, const Chime__Event *event)
{
	const Chime__RunCreated *c = event->run_created;

	if (book_is_over(c->state)) {
		SAY(w, "%s%s%s", show_run_state(c->state), book_given(c->detail) ? ": " : "",
		    book_given(c->detail) ? c->detail : "");
		return;
	}
	if (c->forced)
		SAY(w, "forced ");
	if (book_given(event->actor))
		say_person(w, event);
	else
		SAY(w, "by %s", show_cause(c->cause));
	if (book_given(c->slot))
		SAY(w, ", slot %s", c->slot);
	else if (book_given(c->cycle))
		SAY(w, ", cycle %s", c->cycle);
	if (c->needs_condition)
		SAY(w, ", waits for its condition");
}

static void say_ended(struct words *w, const Chime__RunEnded *ended)
{
	char took[OUT_TIME_SIZE];

	SAY(w, "%s", show_run_state(ended->state));
	if (ended->has_exit_code && ended->state != CHIME__RUN_STATE__RUN_SUCCESS)
		SAY(w, " exit %d", ended->exit_code);
	if (ended->signal != 0)
		SAY(w, " signal %d", ended->signal);
	if (book_sane_us(ended->started) != 0 && book_sane_us(ended->ended) != 0 &&
	    ended->ended >= ended->started) {
		out_span_text(ended->ended - ended->started, took);
		SAY(w, ", took %s", took);
	}
	if (book_given(ended->detail))
		SAY(w, ": %s", ended->detail);
}

static void say_missed(struct words *w, const Chime__SlotMissed *m)
{
	SAY(w, "%llu slot%s", (unsigned long long)m->count, m->count == 1 ? "" : "s");
	if (book_given(m->first))
		SAY(w, " %s", m->first);
	if (book_given(m->last) && m->count > 1)
		SAY(w, " to %s", m->last);
	if (book_given(m->why))
		SAY(w, ": %s", m->why);
}

static void say_defined(struct words *w, const Chime__JobDefined *d)
{
	if (book_given(d->schedule))
		SAY(w, "%s", d->schedule);
	if (book_given(d->after))
		SAY(w, "%safter %s", w->len > 0 ? ", " : "", d->after);
	if (d->has_enabled && !d->enabled)
		SAY(w, "%sdisabled", w->len > 0 ? ", " : "");
}

static void say_event(struct words *w, const Chime__Event *event)
{
	switch (event->body_case) {
	case CHIME__EVENT__BODY_RUN_CREATED:
		say_created(w, event);
		break;
	case CHIME__EVENT__BODY_RUN_STARTING:
		break;
	case CHIME__EVENT__BODY_RUN_STARTED:
		SAY(w, "pid %d", event->run_started->pid);
		break;
	case CHIME__EVENT__BODY_RUN_NOT_STARTED:
		if (book_given(event->run_not_started->detail))
			SAY(w, "%s", event->run_not_started->detail);
		break;
	case CHIME__EVENT__BODY_RUN_ENDED:
		say_ended(w, event->run_ended);
		break;
	case CHIME__EVENT__BODY_RUN_KILLING:
	case CHIME__EVENT__BODY_JOB_HELD:
	case CHIME__EVENT__BODY_JOB_RELEASED:
		say_person(w, event);
		break;
	case CHIME__EVENT__BODY_JOB_DEFINED:
		say_defined(w, event->job_defined);
		break;
	case CHIME__EVENT__BODY_JOB_REMOVED:
		break;
	case CHIME__EVENT__BODY_SLOT_MISSED:
		say_missed(w, event->slot_missed);
		break;
	case CHIME__EVENT__BODY_ALARM:
		SAY(w, "%s%s%s", book_given(event->alarm->kind) ? event->alarm->kind : "",
		    book_given(event->alarm->kind) && book_given(event->alarm->text) ? ": " : "",
		    book_given(event->alarm->text) ? event->alarm->text : "");
		break;
	default:
		w->len = show_event_text(event, w->out, w->size);
		break;
	}
}

static bool is_bad_end(Chime__RunState state)
{
	return book_is_over(state) && state != CHIME__RUN_STATE__RUN_SUCCESS &&
	       state != CHIME__RUN_STATE__RUN_SKIPPED &&
	       state != CHIME__RUN_STATE__RUN_CANCELLED;
}

static bool is_bad(const Chime__Event *event)
{
	switch (event->body_case) {
	case CHIME__EVENT__BODY_RUN_CREATED:
		return is_bad_end(event->run_created->state);
	case CHIME__EVENT__BODY_RUN_ENDED:
		return is_bad_end(event->run_ended->state);
	case CHIME__EVENT__BODY_RUN_NOT_STARTED:
	case CHIME__EVENT__BODY_SLOT_MISSED:
	case CHIME__EVENT__BODY_COMMAND_REFUSED:
	case CHIME__EVENT__BODY_ALARM:
		return true;
	case CHIME__EVENT__BODY_SERVER_UP:
		return event->server_up->unproven;
	default:
		return false;
	}
}

const char *book_event_job(const struct book_heard *heard)
{
	const char *job = show_event_job(heard->event);

	return job != NULL && name_job_valid(job, NULL) && name_server_valid(heard->origin, NULL)
		? job : NULL;
}

void book_tell(struct book *book, const struct book_heard *heard)
{
	struct book_event *out = next_event(book);
	struct words w = { out->text, sizeof(out->text), 0 };
	char kind[SHOW_KIND_SIZE];
	const char *job = book_event_job(heard);

	out->time_us = book_sane_us(heard->event->time);
	show_clean(heard->origin, strlen(heard->origin), out->origin, sizeof(out->origin));
	out->seq = heard->seq;
	show_event_kind(heard->event, kind);
	show_clean(kind, strlen(kind), out->kind, sizeof(out->kind));
	if (job != NULL)
		snprintf(out->job, sizeof(out->job), "%s@%s", job, heard->origin);
	out->run = show_event_run(heard->event, heard->seq);
	say_event(&w, heard->event);
	out->bad = is_bad(heard->event);
}
