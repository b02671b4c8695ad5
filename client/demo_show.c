/*
 * demo_show.c - see demo_show.h.
 */
#include "client/demo_show.h"

#include "client/json.h"
#include "proto/show.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const demo_chain[] = { "zones/extract", "zones/load", "zones/report" };
const char *const demo_chain_server[] = { "alpha", "bravo", "charlie" };
const size_t demo_chain_len = 3;

static bool is_run_of(const Chime__RunRow *run, size_t link)
{
	return run->job != NULL && run->server != NULL && run->state != NULL &&
	       strcmp(run->job, demo_chain[link]) == 0 &&
	       strcmp(run->server, demo_chain_server[link]) == 0;
}

/* The run whose success started this one: the last of its producer that ended before, in the same
 * cycle. NULL = none was listed. */
static const Chime__RunRow *find_producer(const Chime__RunsReply *runs, const Chime__RunRow *run,
					  size_t link)
{
	const Chime__RunRow *best = NULL;

	for (size_t i = 0; i < runs->n_run; i++) {
		const Chime__RunRow *p = runs->run[i];
		if (!is_run_of(p, link - 1) || !p->has_ended || p->ended > run->started ||
		    strcmp(p->state, "SUCCESS") != 0 || p->cycle == NULL ||
		    run->cycle == NULL || strcmp(p->cycle, run->cycle) != 0)
			continue;
		if (best == NULL || p->ended > best->ended)
			best = p;
	}
	return best;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

void demo_figures(const Chime__RunsReply *runs, struct demo_figures *figures)
{
	double *ms = say_calloc(runs->n_run, sizeof(*ms));
	size_t n = 0;

	*figures = (struct demo_figures){ .median_ms = NAN, .worst_ms = NAN };
	for (size_t i = 0; i < runs->n_run; i++) {
		const Chime__RunRow *run = runs->run[i];
		bool success = run->state != NULL && strcmp(run->state, "SUCCESS") == 0;
		figures->success += success;
		figures->failed += run->state != NULL && strcmp(run->state, "FAILED") == 0;
		figures->chains += success && is_run_of(run, demo_chain_len - 1);
		for (size_t link = 1; link < demo_chain_len; link++) {
			if (!is_run_of(run, link) || !run->has_started || run->cause == NULL ||
			    strcmp(run->cause, "condition") != 0)
				continue;
			const Chime__RunRow *producer = find_producer(runs, run, link);
			if (producer != NULL)
				ms[n++] = (double)(run->started - producer->ended) / 1000;
		}
	}
	qsort(ms, n, sizeof(*ms), compare_double);
	figures->pairs = n;
	if (n > 0) {
		figures->median_ms = n % 2 == 1 ? ms[n / 2] : (ms[n / 2 - 1] + ms[n / 2]) / 2;
		figures->worst_ms = ms[n - 1];
	}
	free(ms);
}

static json_t *tenths(double ms)
{
	return isnan(ms) ? json_null() : json_real(round(ms * 10) / 10);
}

json_t *demo_json(const struct demo_figures *figures, size_t servers)
{
	json_t *o = json_object(), *runs = json_object(), *handoff = json_object();

	json_object_set_new(runs, "success", json_integer((json_int_t)figures->success));
	json_object_set_new(runs, "failed", json_integer((json_int_t)figures->failed));
	json_object_set_new(handoff, "median", tenths(figures->median_ms));
	json_object_set_new(handoff, "worst", tenths(figures->worst_ms));
	json_object_set_new(o, "schema", json_string("chime.demo/1"));
	json_object_set_new(o, "servers", json_integer((json_int_t)servers));
	json_object_set_new(o, "runs", runs);
	json_object_set_new(o, "chains", json_integer((json_int_t)figures->chains));
	json_object_set_new(o, "handoff_ms", handoff);
	return o;
}

enum { REMEMBERED = 512 };

/* What is remembered of events, so that a line can say why: a ring, old ones are forgotten. */
struct memory {
	char server[64], job[160];
	uint64_t seq;			/* of the event; of a run.created: its number */
	bool created;			/* else a run that ended */
	int64_t ended_us;
	Chime__Cause cause;
	char by_server[64];
	uint64_t by_seq;
};

struct demo_teller {
	const struct out *out;
	FILE *to;
	struct memory ring[REMEMBERED];
	size_t next;
};

struct demo_teller *demo_teller_new(const struct out *out, FILE *to)
{
	struct demo_teller *t = say_calloc(1, sizeof(*t));

	t->out = out;
	t->to = to;
	return t;
}

void demo_teller_free(struct demo_teller *t)
{
	free(t);
}

static const struct memory *recall(const struct demo_teller *t, const char *server, uint64_t seq,
				   bool created)
{
	for (size_t i = 0; i < REMEMBERED; i++) {
		const struct memory *m = &t->ring[i];
		if (m->seq == seq && m->created == created && strcmp(m->server, server) == 0)
			return m;
	}
	return NULL;
}

static struct memory *remember(struct demo_teller *t, const Chime__EventRow *row,
			       const char *job, bool created)
{
	struct memory *m = &t->ring[t->next++ % REMEMBERED];

	*m = (struct memory){ .seq = row->seq, .created = created };
	snprintf(m->server, sizeof(m->server), "%s", row->origin);
	snprintf(m->job, sizeof(m->job), "%s", job != NULL ? job : "?");
	return m;
}

/* "22:14:05.120  alpha    " and the state in its colour. */
static void begin_line(const struct demo_teller *t, int64_t time_us, const char *server,
		       const char *word)
{
	time_t s = (time_t)(time_us / 1000000);
	struct tm tm = { 0 };

	localtime_r(&s, &tm);
	fprintf(t->to, "%02d:%02d:%02d.%03d  ", tm.tm_hour, tm.tm_min, tm.tm_sec,
		(int)(time_us / 1000 % 1000));
	fprintf(t->to, "%s%-9s%s ", out_state_color(t->out, word), word,
		out_state_color(t->out, word)[0] != '\0' ? out_color_end(t->out) : "");
	fprintf(t->to, "%-8s ", server);
}

static void tell_created(struct demo_teller *t, const Chime__EventRow *row,
			 const Chime__Event *event)
{
	const Chime__RunCreated *created = event->run_created;
	struct memory *m = remember(t, row, created->job, true);

	m->cause = created->cause;
	if (created->by != NULL && created->by->server != NULL) {
		snprintf(m->by_server, sizeof(m->by_server), "%.63s", created->by->server);
		m->by_seq = created->by->seq;
	}
	if (created->cause != CHIME__CAUSE__CAUSE_FORCE && !created->forced)
		return;
	begin_line(t, event->time, row->origin, "forced");
	out_text(t->to, created->job);
	fputs("  by ", t->to);
	out_text(t->to, event->actor != NULL ? event->actor : "somebody");
	if (event->reason != NULL) {
		fputs(": ", t->to);
		out_text(t->to, event->reason);
	}
	fputc('\n', t->to);
	for (size_t i = 0; i < created->n_unmet; i++) {
		fprintf(t->to, "%34s", "not met: ");
		out_text(t->to, created->unmet[i]);
		fputc('\n', t->to);
	}
}

static void tell_cause(const struct demo_teller *t, const struct memory *created,
		       int64_t started_us)
{
	if (created == NULL)
		return;
	if (created->cause == CHIME__CAUSE__CAUSE_SCHEDULE) {
		fputs("  on schedule", t->to);
	} else if (created->cause == CHIME__CAUSE__CAUSE_FORCE) {
		fputs("  forced", t->to);
	} else if (created->cause == CHIME__CAUSE__CAUSE_CONDITION) {
		const struct memory *by = recall(t, created->by_server, created->by_seq, false);
		if (by != NULL && started_us > 0)
			fprintf(t->to, "  %.1f ms after %s@%s",
				(double)(started_us - by->ended_us) / 1000, by->job, by->server);
	}
}

static void tell_ended(struct demo_teller *t, const Chime__EventRow *row,
		       const Chime__Event *event)
{
	const Chime__RunEnded *ended = event->run_ended;
	uint64_t run = ended->ref != NULL ? ended->ref->run : 0;
	const char *job = ended->ref != NULL ? ended->ref->job : NULL;
	const struct memory *created = recall(t, row->origin, run, true);
	struct memory *m = remember(t, row, job, false);

	m->ended_us = ended->ended;
	begin_line(t, event->time, row->origin, show_run_state(ended->state));
	char *name = say_format("%-16s", job != NULL ? job : "?");
	out_text(t->to, name);
	free(name);
	if (ended->started > 0 && ended->ended >= ended->started)
		fprintf(t->to, " %5.0f ms", (double)(ended->ended - ended->started) / 1000);
	if (ended->has_exit_code && ended->exit_code != 0)
		fprintf(t->to, "  exit %d", ended->exit_code);
	tell_cause(t, created, ended->started);
	fputc('\n', t->to);
}

static void tell_job(const struct demo_teller *t, const Chime__EventRow *row,
		     const Chime__Event *event, const char *word, const char *text)
{
	begin_line(t, event->time, row->origin, word);
	out_text(t->to, text);
	if (event->actor != NULL) {
		fputs("  by ", t->to);
		out_text(t->to, event->actor);
	}
	fputc('\n', t->to);
}

void demo_tell(struct demo_teller *t, const Chime__EventRow *row, const Chime__Event *event)
{
	if (row->origin == NULL)
		return;
	switch (event->body_case) {
	case CHIME__EVENT__BODY_SERVER_UP:
		tell_job(t, row, event, "up", event->server_up->n_address > 0
			 ? event->server_up->address[0] : "");
		break;
	case CHIME__EVENT__BODY_SERVER_DOWN:
		tell_job(t, row, event, "down", event->server_down->why != NULL
			 ? event->server_down->why : "");
		break;
	case CHIME__EVENT__BODY_RUN_CREATED:
		tell_created(t, row, event);
		break;
	case CHIME__EVENT__BODY_RUN_ENDED:
		tell_ended(t, row, event);
		break;
	case CHIME__EVENT__BODY_JOB_HELD:
		tell_job(t, row, event, "held", show_event_job(event));
		break;
	case CHIME__EVENT__BODY_JOB_RELEASED:
		tell_job(t, row, event, "released", show_event_job(event));
		break;
	case CHIME__EVENT__BODY_RUN_KILLING:
		tell_job(t, row, event, "killing", show_event_job(event));
		break;
	case CHIME__EVENT__BODY_ALARM:
		tell_job(t, row, event, "alarm", event->alarm->text != NULL ? event->alarm->text
			 : "");
		break;
	default:
		return;
	}
	fflush(t->to);
}
