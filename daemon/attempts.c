/*
 * attempts.c - the node's side of runs: reports of launcher and shepherds become events, and what
 * was decided becomes orders once it is durable.
 *
 *	report                 run here                       event
 *	RUNNING                starting                       run.started
 *	ENDED                  starting, running, waiting     run.ended (success, failed, ...)
 *	ENDED                  over                           none; acknowledged again
 *	NOT_STARTED            starting                       run.not_started: back to waiting
 *	LOST                   starting, running              run.ended lost
 *	none after the scan    starting                       run.not_started
 *	none after the scan    running                        run.ended lost
 *	any                    unknown to the journal         run.created (found), then as above
 */
#include "daemon/node.h"

#include "daemon/edge/control.h"
#include "daemon/edge/runner.h"
#include "daemon/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reports ---- */

static void refer(Chime__RunRef *ref, const struct run *run, uint32_t attempt)
{
	chime__run_ref__init(ref);
	ref->has_run = ref->has_boot = ref->has_tag = ref->has_attempt = true;
	ref->run = run->id.seq;
	ref->boot = run->boot;
	ref->tag = run->tag;
	ref->attempt = attempt;
	ref->job = run->job->name;
}

static void record_started(struct node *node, struct run *run, const struct attempt_report *r)
{
	Chime__RunStarted started = CHIME__RUN_STARTED__INIT;
	Chime__RunRef ref;
	Chime__Event event;

	node_begin_event(node, &event);
	refer(&ref, run, r->id.attempt);
	started.ref = &ref;
	started.has_time = started.has_pid = true;
	started.time = r->started_us;
	started.pid = r->pid;
	event.body_case = CHIME__EVENT__BODY_RUN_STARTED;
	event.run_started = &started;
	node_record(node, &event);
}

static void record_not_started(struct node *node, struct run *run, int32_t error,
			       const char *detail)
{
	Chime__RunNotStarted not = CHIME__RUN_NOT_STARTED__INIT;
	Chime__RunRef ref;
	Chime__Event event;

	node_begin_event(node, &event);
	refer(&ref, run, run->attempt);
	not.ref = &ref;
	not.has_error = true;
	not.error = error;
	not.detail = (char *)detail;
	event.body_case = CHIME__EVENT__BODY_RUN_NOT_STARTED;
	event.run_not_started = &not;
	node_record(node, &event);
}

static void record_alarm(struct node *node, const char *job, const char *text)
{
	Chime__Alarm alarm = CHIME__ALARM__INIT;
	Chime__Event event;

	node_begin_event(node, &event);
	alarm.kind = "start";
	alarm.job = (char *)job;
	alarm.text = (char *)text;
	event.body_case = CHIME__EVENT__BODY_ALARM;
	event.alarm = &alarm;
	node_record(node, &event);
}

static Chime__RunState state_of_result(uint32_t result)
{
	switch (result) {
	case RESULT_SUCCESS:
		return CHIME__RUN_STATE__RUN_SUCCESS;
	case RESULT_TIMEOUT:
		return CHIME__RUN_STATE__RUN_TIMEOUT;
	case RESULT_KILLED:
		return CHIME__RUN_STATE__RUN_KILLED;
	case RESULT_LOST:
		return CHIME__RUN_STATE__RUN_LOST;
	default:
		return CHIME__RUN_STATE__RUN_FAILED;
	}
}

static void record_ended(struct node *node, struct run *run, const struct attempt_report *r,
			 Chime__RunState state)
{
	Chime__RunEnded ended = CHIME__RUN_ENDED__INIT;
	Chime__RunRef ref;
	Chime__Event event;

	node_begin_event(node, &event);
	refer(&ref, run, r->id.attempt);
	ended.ref = &ref;
	ended.has_state = true;
	ended.state = state;
	ended.has_exit_code = r->exit_code >= 0;
	ended.exit_code = r->exit_code;
	ended.has_signal = r->signal != 0;
	ended.signal = r->signal;
	ended.has_error = r->error != 0;
	ended.error = r->error;
	ended.detail = r->detail[0] ? (char *)r->detail : NULL;
	ended.has_started = ended.has_ended = true;
	ended.started = r->started_us;
	ended.ended = r->ended_us;
	ended.has_user_us = ended.has_system_us = ended.has_max_rss_kib = true;
	ended.user_us = r->user_us;
	ended.system_us = r->system_us;
	ended.max_rss_kib = r->max_rss_kib;
	ended.has_output_bytes = ended.has_truncated = true;
	ended.output_bytes = r->output_bytes;
	ended.truncated = r->truncated != 0;
	event.body_case = CHIME__EVENT__BODY_RUN_ENDED;
	event.run_ended = &ended;
	node_record(node, &event);
}

static void record_lost(struct node *node, struct run *run, const char *detail)
{
	struct attempt_report r = { 0 };

	r.id.attempt = run->attempt;
	r.exit_code = -1;
	r.started_us = run->started_us;
	r.ended_us = node->now.wall.us;
	snprintf(r.detail, sizeof(r.detail), "%s", detail);
	record_ended(node, run, &r, CHIME__RUN_STATE__RUN_LOST);
}

static Chime__Cause cause_of_name(const char *name)
{
	for (int cause = CHIME__CAUSE__CAUSE_SCHEDULE; cause <= CHIME__CAUSE__CAUSE_RERUN; cause++)
		if (strcmp(name, cause_name((Chime__Cause)cause)) == 0)
			return (Chime__Cause)cause;
	return CHIME__CAUSE__CAUSE_NONE;
}

/* A run that was found (see record_found) bears the number that its attempts know in rerun_of. */
static struct run *find_found(const struct node *node, const struct attempt_report *r)
{
	const struct job *job = model_find_job(&node->model, r->job, node->setup.server);

	for (struct run *run = job ? job->live : NULL; run; run = run->next_live)
		if (run->rerun_of == r->id.seq && run->cause != CHIME__CAUSE__CAUSE_RERUN)
			return run;
	return NULL;
}

/* A run whose event was lost with an older database: it fills its slot, so nothing runs twice. */
static struct run *record_found(struct node *node, const struct attempt_report *r)
{
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;
	Chime__Event event;
	uint64_t seq;

	if (!name_job_valid(r->job, NULL))
		return NULL;
	node_begin_event(node, &event);
	c.job = (char *)r->job;
	c.cycle = (char *)r->cycle;
	c.slot = r->slot[0] ? (char *)r->slot : NULL;
	c.has_slot_time = r->slot[0] && r->slot_utc_s != INT64_MIN;
	c.slot_time = r->slot_utc_s;
	c.has_rerun_of = true;
	c.rerun_of = r->id.seq;
	c.has_cause = true;
	c.cause = cause_of_name(r->cause);
	c.has_found = c.found = true;
	c.has_no_downstream = c.no_downstream = true;
	c.detail = "found in the spool; the journal had lost it";
	event.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	event.run_created = &c;
	seq = node_record(node, &event);
	log_warn("run.found", "job=%s number=%llu new_number=%llu", r->job,
		 (unsigned long long)r->id.seq, (unsigned long long)seq);
	return model_find_run(&node->model, node->setup.server, seq);
}

/* Reports come before the lineage is open when the launcher is faster than the peers. */
static void keep_for_later(struct node *node, const struct attempt_report *report)
{
	node->found = realloc(node->found, (node->found_count + 1) * sizeof(*report));
	assert(node->found);
	node->found[node->found_count++] = *report;
}

static void acknowledge(struct node *node, const struct attempt_report *report)
{
	if (node->ack_count == node->ack_room) {
		node->ack_room = node->ack_room ? 2 * node->ack_room : 16;
		node->acks = realloc(node->acks, node->ack_room * sizeof(*node->acks));
		assert(node->acks);
	}
	node->acks[node->ack_count++] = report->id;
}

static bool is_over(struct node *node, const struct attempt_report *report)
{
	/* Not in the model: history has it, or nobody has. */
	return journal_run_is_over(node->setup.journal, node->setup.server, report->id.seq);
}

void attempts_report(struct node *node, const struct attempt_report *report)
{
	struct run *run;

	if (node->state == NODE_PROBATION) {
		keep_for_later(node, report);
		return;
	}
	run = model_find_run(&node->model, node->setup.server, report->id.seq);
	if (run && (run->boot != report->id.boot || run->tag != report->id.tag))
		run = NULL;
	if (!run)
		run = find_found(node, report);
	if ((run && run_state_over(run->state)) || (!run && is_over(node, report))) {
		if (report->state == ATTEMPT_ENDED || report->state == ATTEMPT_LOST)
			acknowledge(node, report);
		return;
	}
	if (!run && report->state == ATTEMPT_NOT_STARTED)
		return;
	/* Peers may still give back the event that made it. */
	if (!run && node->unproven) {
		keep_for_later(node, report);
		return;
	}
	if (!run)
		run = record_found(node, report);
	if (!run)
		return;
	run->reported = true;
	switch (report->state) {
	case ATTEMPT_RUNNING:
		if (run->state != CHIME__RUN_STATE__RUN_RUNNING && report->started_us)
			record_started(node, run, report);
		break;
	case ATTEMPT_ENDED:
		record_ended(node, run, report, state_of_result(report->result));
		acknowledge(node, report);
		break;
	case ATTEMPT_NOT_STARTED:
		if (run->state != CHIME__RUN_STATE__RUN_STARTING)
			break;
		record_not_started(node, run, report->error, report->detail);
		if (report->error)
			record_alarm(node, run->job->name, report->detail);
		break;
	case ATTEMPT_LOST:
		record_lost(node, run, report->detail[0] ? report->detail :
			    "its supervisor is gone and left no result");
		acknowledge(node, report);
		break;
	default:
		break;
	}
}

void attempts_report_kept(struct node *node)
{
	struct attempt_report *kept = node->found;
	size_t count = node->found_count;

	node->found = NULL;
	node->found_count = 0;
	for (size_t i = 0; i < count; i++)
		attempts_report(node, &kept[i]);
	free(kept);
}

/*
 * What the journal believes to live and the spool does not know. Until it is proved that the
 * journal is not an old one, peers may still tell how such a run ended, and a run ends once.
 */
void attempts_scanned(struct node *node)
{
	node->scanned = true;
	if (node->state == NODE_PROBATION)
		return;
	for (struct job *job = node->model.jobs; job && !node->unproven; job = job->hh.next) {
		struct run *next;

		for (struct run *run = job->own ? job->live : NULL; run; run = next) {
			next = run->next_live;
			/* What this life started is on its way, and will be reported. */
			if (run->reported || !run_state_active(run->state) ||
			    (run->boot == node->lineage.boot && !run->returned))
				continue;
			if (run->state == CHIME__RUN_STATE__RUN_STARTING && !node->began_unproven &&
			    !run->returned)
				record_not_started(node, run, 0, "the server stopped before it began");
			else
				record_lost(node, run, "no trace of it was left in the spool");
		}
		if (job->own)
			model_look_at(&node->model, job);
	}
	node_decide(node);
}

void attempts_fini(struct node *node)
{
	free(node->found);
	free(node->acks);
}

/* ---- act ---- */

static struct attempt_id attempt_of(const struct run *run)
{
	return (struct attempt_id){ .boot = run->boot, .tag = run->tag, .seq = run->id.seq,
				    .attempt = run->attempt };
}

static void order_start(struct node *node, const struct run *run)
{
	struct run_order order = {
		.id = attempt_of(run), .job = run->job->name, .hash = run->definition,
		.cycle = run->cycle, .slot = run->slot, .cause = cause_name(run->cause),
		.slot_utc_s = run->slot_time_s,
	};

	runner_start(node->setup.runner, &order);
}

static void act_on_run(struct node *node, struct run *run)
{
	struct attempt_id id = attempt_of(run);

	if (run->todo & RUN_DO_START && run->state == CHIME__RUN_STATE__RUN_STARTING)
		order_start(node, run);
	if (run->todo & RUN_DO_KILL && !run_state_over(run->state))
		runner_kill(node->setup.runner, &id);
	run->todo = 0;
}

void attempts_act(struct node *node)
{
	if (!node->setup.runner)
		return;
	if (node->reloading) {
		runner_reload(node->setup.runner);
		node->reloading = false;
	}
	if (node->commit_generation) {
		runner_committed(node->setup.runner, node->commit_generation);
		node->commit_generation = 0;
	}
	while (node->model.todo_runs) {
		struct run *run = node->model.todo_runs;

		node->model.todo_runs = run->next_todo;
		run->in_todo = false;
		act_on_run(node, run);
	}
	for (size_t i = 0; i < node->ack_count; i++)
		runner_ack(node->setup.runner, &node->acks[i]);
	node->ack_count = 0;
	for (size_t i = 0; i < node->output_order_count; i++)
		runner_open_output(node->setup.runner, &node->output_orders[i].id,
				   node->output_orders[i].cookie);
	node->output_order_count = 0;
}

/* ---- output ---- */

void attempts_output(struct node *node, struct inbox_item *item)
{
	struct output_waiter **at = &node->output_waiters, *w;
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__Refusal refusal = CHIME__REFUSAL__INIT;

	while (*at && (*at)->cookie != item->number)
		at = &(*at)->next;
	w = *at;
	if (!w)
		return;
	*at = w->next;
	if (item->error || item->fd < 0) {
		reply.has_id = reply.has_done = reply.done = true;
		reply.id = w->id;
		refusal.has_exit = true;
		refusal.exit = 1;
		refusal.what = arena_print(&node->arena, "the output of %s cannot be read", w->run);
		refusal.why = arena_print(&node->arena, "%s", item->error == -2 ?
			"it is not kept any more, or the run has not begun" :
			strerror(-item->error));
		reply.body_case = CHIME__REPLY__BODY_REFUSAL;
		reply.refusal = &refusal;
		node_reply(node, w->conn, &reply);
	} else {
		control_stream_output(node->setup.control, w->conn, w->id, item->fd, w->offset,
				      w->last, w->follow, w->run);
		item->fd = -1;
	}
	free(w);
}
