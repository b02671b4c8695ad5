/*
 * view_job.c - one job: what it is, its runs, the output of the run that is chosen. Here: the job
 * and its runs, keys; the output is in view_job_log.c, the picture in view_job_show.c.
 *
 *	open -> show, runs, log of the newest run that began (its end first, followed while live)
 *	the job's row changes, no answer came -> show and runs again, once a second at most
 *	the output broke off -> on from there, with the link or after a while
 *	another run, the view is left -> the order of the log before is stopped
 */
#include "client/monitor/view_job_own.h"

#include "client/monitor/jobask.h"
#include "client/monitor/textview.h"
#include "client/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ASK_LEAST_US = 1000000,
	LOG_AGAIN_US = 5000000,		/* an output that broke off */
	RUNS_ASKED = 50,
};

/* ---- runs ---- */

static void free_runs(struct job_view *v)
{
	free(v->run);
	v->run = NULL;
	v->run_count = 0;
}

static void copy_run(struct run_shown *to, const Chime__RunRow *from)
{
	*to = (struct run_shown){
		.run = from->run, .exit_code = from->has_exit_code ? from->exit_code : -1,
		.attempts = from->attempts, .took_us = -1,
		.start_us = from->has_started ? from->started : 0,
	};
	if (from->has_started && from->has_ended && from->ended >= from->started)
		to->took_us = from->ended - from->started;
	snprintf(to->server, sizeof(to->server), "%s", from->server != NULL ? from->server : "");
	snprintf(to->state, sizeof(to->state), "%s", from->state != NULL ? from->state : "?");
	bool person = from->by != NULL && from->by[0] != '\0';
	const char *by = person ? from->by : from->cause != NULL ? from->cause : "?";
	snprintf(to->by, sizeof(to->by), "%s%s", by,
		 from->forced && strcmp(by, "force") != 0 ? " (forced)" : "");
}

/* The newest that began: one that waits has said nothing yet. */
static size_t newest_begun(const struct job_view *v)
{
	for (size_t i = 0; i < v->run_count; i++) {
		if (v->run[i].start_us != 0)
			return i;
	}
	return 0;
}

static void show_run(struct monitor *m)
{
	struct job_view *v = &m->job;

	if (v->run_count == 0) {
		job_log_open(m, 0, JOB_LOG_END);
		snprintf(v->log_why, sizeof(v->log_why), "it has not run yet");
		return;
	}
	const struct run_shown *run = &v->run[v->run_at];
	/* The log of the same run is let be, unless another attempt of it has begun. */
	bool other = run->run != v->log_run;
	bool again = v->log_tag == 0 && !v->log_retry && !v->log_cut && v->log_attempts > 0 &&
		     run->attempts > v->log_attempts;
	if (!other && !again) {
		if (v->log_attempts == 0)
			v->log_attempts = run->attempts;
		return;
	}
	job_log_open(m, run->run, JOB_LOG_END);
	v->log_attempts = run->attempts;
}

static void take_runs(struct monitor *m, const Chime__RunsReply *reply)
{
	struct job_view *v = &m->job;

	free_runs(v);
	v->run = say_calloc(reply->n_run, sizeof(*v->run));
	for (size_t i = 0; i < reply->n_run; i++)
		copy_run(&v->run[v->run_count++], reply->run[i]);
	v->run_at = newest_begun(v);
	if (v->walked) {
		size_t at = 0;
		while (at < v->run_count && v->run[at].run != v->log_run)
			at++;
		v->walked = at < v->run_count;
		v->run_at = v->walked ? at : v->run_at;
	}
	show_run(m);
}

/* by < 0: to newer ones. */
static void walk_runs(struct monitor *m, int by)
{
	struct job_view *v = &m->job;

	if (v->run_count == 0 || (by < 0 && v->run_at == 0) ||
	    (by > 0 && v->run_at + 1 >= v->run_count))
		return;
	v->run_at = by < 0 ? v->run_at - 1 : v->run_at + 1;
	v->walked = v->run_at != newest_begun(v);
	show_run(m);
}

/* ---- show ---- */

static void free_texts(char **list, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		free(list[i]);
	free(list);
	*count = 0;
}

static void free_show(struct job_view *v)
{
	free(v->schedule);
	free(v->about);
	free(v->after);
	free(v->user_line);
	v->schedule = v->about = v->after = v->user_line = NULL;
	free_texts(v->line, &v->line_count);
	free_texts(v->consumer, &v->consumer_count);
	v->line = v->consumer = NULL;
}

static char *copy_text(const char *text)
{
	return text != NULL && text[0] != '\0' ? say_strdup(text) : NULL;
}

/* The user of the canonical definition, which only the owner has: "user: batch". */
static char *copy_user(const char *text)
{
	for (const char *p = text; p != NULL && *p != '\0';) {
		size_t len = strcspn(p, "\n");
		const char *at = p + strspn(p, " ");
		if (strncmp(at, "user: ", 6) == 0) {
			at += 6 + strspn(at + 6, "\"'");
			return say_format("%.*s", (int)strcspn(at, "\"'\n"), at);
		}
		p += len + (p[len] == '\n');
	}
	return NULL;
}

static void take_show(struct job_view *v, const Chime__ShowReply *show)
{
	const Chime__JobDefined *d = show->definition;

	free_show(v);
	v->schedule = copy_text(show->schedule);
	v->user_line = copy_user(show->text);
	if (d != NULL) {
		v->about = copy_text(d->about);
		v->after = copy_text(d->after);
	}
	v->line = say_calloc(show->n_line, sizeof(char *));
	for (size_t i = 0; i < show->n_line; i++) {
		const Chime__Line *line = show->line[i];
		const char *what = line->what != NULL ? line->what : "";
		bool named = strcmp(what, "after") == 0;
		v->line[v->line_count++] = say_format("%s %s%s%s%s%s",
			line->verdict != NULL ? line->verdict : "??", named ? "" : what,
			named ? "" : ": ", line->text != NULL ? line->text : "",
			line->detail != NULL && line->detail[0] != '\0' ? " " : "",
			line->detail != NULL ? line->detail : "");
	}
	v->consumer = say_calloc(show->n_consumer, sizeof(char *));
	for (size_t i = 0; i < show->n_consumer; i++)
		v->consumer[v->consumer_count++] = say_strdup(show->consumer[i]);
}

/* ---- asking ---- */

static void ask_job(struct monitor *m, struct moment now)
{
	struct job_view *v = &m->job;
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__ShowRequest show = CHIME__SHOW_REQUEST__INIT;
	Chime__RunsRequest runs = CHIME__RUNS_REQUEST__INIT;
	char *target = v->key;

	show.target = v->key;
	request.body_case = CHIME__REQUEST__BODY_SHOW;
	request.show = &show;
	v->show_tag = jobask_send(m, CARRIER_LINK, &request);
	request = (Chime__Request)CHIME__REQUEST__INIT;
	runs.target = &target;
	runs.n_target = 1;
	runs.has_limit = true;
	runs.limit = RUNS_ASKED;
	request.body_case = CHIME__REQUEST__BODY_RUNS;
	request.runs = &runs;
	v->runs_tag = jobask_send(m, CARRIER_LINK, &request);
	v->version = jobask_version(m, v->key);
	v->asked_us = now.boot_us;
	snprintf(v->asked_key, sizeof(v->asked_key), "%s", v->key);
}

void job_view_refresh(struct monitor *m, struct moment now)
{
	struct job_view *v = &m->job;

	if (v->key[0] == '\0')
		return;
	if (!m->link.up) {
		v->was_up = false;
		v->show_tag = v->runs_tag = 0;
		return;
	}
	bool up_again = !v->was_up, first = v->asked_key[0] == '\0';
	bool changed = first || up_again || v->version != jobask_version(m, v->key);
	bool idle = v->show_tag == 0 && v->runs_tag == 0;
	if (changed && idle && (first || now.boot_us - v->asked_us >= ASK_LEAST_US)) {
		v->was_up = true;
		ask_job(m, now);
	}
	if (v->log_retry && v->log_run != 0 && v->log_tag == 0 &&
	    (up_again || now.boot_us - v->log_asked_us >= LOG_AGAIN_US))
		job_log_ask(m, now);
}

static bool letter_job(struct monitor *m, const struct letter *l)
{
	struct job_view *v = &m->job;
	bool show = l->tag == v->show_tag;

	if (l->done && show)
		v->show_tag = 0;
	else if (l->done)
		v->runs_tag = 0;
	if (jobask_is_worth_again(&l->trouble))
		v->version = 0;
	if (l->trouble.exit != 0)
		snprintf(v->trouble, sizeof(v->trouble), "%.250s", l->trouble.what);
	else if (l->reply != NULL && l->reply->body_case == CHIME__REPLY__BODY_SHOW && show)
		take_show(v, l->reply->show);
	else if (l->reply != NULL && l->reply->body_case == CHIME__REPLY__BODY_RUNS && !show)
		take_runs(m, l->reply->runs);
	else
		jobask_refusal(l->reply, v->trouble, sizeof(v->trouble));
	if (l->trouble.exit == 0 && show)
		v->trouble[0] = '\0';
	return true;
}

static bool letter(struct monitor *m, const struct letter *l, struct moment now)
{
	const struct job_view *v = &m->job;

	(void)now;
	if (l->tag == 0)
		return false;
	if (l->tag == v->log_tag) {
		job_log_take_letter(m, l);
		return true;
	}
	return (l->tag == v->show_tag || l->tag == v->runs_tag) && letter_job(m, l);
}

/* ---- the view ---- */

static void close_job(struct monitor *m)
{
	struct job_view *v = &m->job;
	bool wrap = v->log.wrap;

	monitor_stop(m, CARRIER_LINK, v->show_tag);
	monitor_stop(m, CARRIER_LINK, v->runs_tag);
	job_log_stop(m);
	free_runs(v);
	free_show(v);
	text_fini(&v->log);
	*v = (struct job_view){ 0 };
	text_init(&v->log);
	v->log.wrap = wrap;
	v->log.follow = true;
}

static void open(struct monitor *m, struct moment now)
{
	struct job_view *v = &m->job;

	close_job(m);
	v->log_focus = m->subject_log;
	const struct book_job *job = book_find_job(m->book, m->subject);
	if (m->subject_log && job != NULL && job->state == JOBSTATE_WAITING &&
	    job->blocked_count > 0) {
		snprintf(v->of, sizeof(v->of), "%s", m->subject);
		snprintf(m->subject, sizeof(m->subject), "%s", job->blocked_by[0]);
		job = book_find_job(m->book, m->subject);
	}
	m->subject_log = false;
	snprintf(v->key, sizeof(v->key), "%s", m->subject);
	job_view_refresh(m, now);
	/* The newest run is known before the answer; one that waits has said nothing. */
	if (job != NULL && job->run != 0 && job->started_us != 0)
		job_log_open(m, job->run, JOB_LOG_END);
}

static bool act(struct monitor *m, enum intent action, struct moment now)
{
	struct job_view *v = &m->job;

	switch (action) {
	case ACTION_RUN_NEXT: walk_runs(m, -1); return true;
	case ACTION_RUN_BEFORE: walk_runs(m, 1); return true;
	case ACTION_UP:
	case ACTION_DOWN:
		if (v->log_focus)
			break;
		walk_runs(m, action == ACTION_UP ? -1 : 1);
		return true;
	case ACTION_OPEN: v->log_focus = true; return true;
	case ACTION_LOG: v->log_focus = !v->log_focus; return true;
	case ACTION_HOME: job_log_go_home(m); return true;
	case ACTION_END:
	case ACTION_FOLLOW: job_log_go_end(m); return true;
	case ACTION_PAGE_UP:
	case ACTION_PAGE_DOWN: v->log_focus = true; break;
	case ACTION_COPY: monitor_copy(m, now, v->key); return true;
	case ACTION_RETRY:
		v->version = 0;
		return false;		/* and the link */
	default: break;
	}
	return textview_act(m, &v->log, action, now);
}

static void typed(struct monitor *m, enum typing what, const char *line, struct moment now)
{
	struct job_view *v = &m->job;

	if (textview_typed(m, &v->log, what, line, now) && what == TYPING_SAVE &&
	    (v->log_first > 0 || v->log.dropped > 0 || v->log_cut))
		monitor_say(m, now, true, "only the part that is here is saved; all of it: "
			    "chime log %llu@%s > FILE", (unsigned long long)v->log_run,
			    job_view_server(v));
}

const struct view view_job = {
	.title = "Job",
	.draw = job_view_draw,
	.act = act,
	.open = open,
	.close = close_job,
	.letter = letter,
	.typed = typed,
};
