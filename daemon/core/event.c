#include "daemon/core/event.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROOFS_MAX = CONDITION_ATOMS_MAX,
	LIST_MAX = 64,
	RETRY_START_US = 10 * USEC_PER_SEC,	/* the launcher could not start it */
};

/* ---- small readers of foreign fields ---- */

static bool label_fits(const char *label)
{
	return !label || strlen(label) < NAME_LABEL_SIZE;
}

static struct job *mention(struct model *model, const struct event *e, const char *job)
{
	if (!job || !name_job_valid(job, NULL))
		return NULL;
	return model_mention_job(model, job, e->ref.server);
}

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static char *join(char **list, size_t count)
{
	size_t len = 1;
	char *text;

	if (!count || count > LIST_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++)
		len += strlen(list[i]) + 1;
	text = calloc(1, len);
	assert(text);
	for (size_t i = 0, at = 0; i < count; i++)
		at += (size_t)snprintf(text + at, len - at, "%s%s", i ? "\n" : "", list[i]);
	return text;
}

void event_ref_to_wire(const struct event_ref *ref, Chime__EventRef *out)
{
	chime__event_ref__init(out);
	out->server = (char *)ref->server;
	out->has_boot = out->has_tag = out->has_seq = out->has_hash = true;
	out->boot = ref->boot;
	out->tag = ref->tag;
	out->seq = ref->seq;
	out->hash.data = (uint8_t *)ref->hash;
	out->hash.len = sizeof(ref->hash);
}

bool event_ref_from_wire(const Chime__EventRef *wire, struct event_ref *out)
{
	memset(out, 0, sizeof(*out));
	if (!wire || !wire->server || !name_server_valid(wire->server, NULL) ||
	    (wire->has_hash && wire->hash.len != sizeof(out->hash)))
		return false;
	copy(out->server, sizeof(out->server), wire->server);
	out->boot = wire->boot;
	out->tag = wire->tag;
	out->seq = wire->seq;
	if (wire->has_hash)
		memcpy(out->hash, wire->hash.data, sizeof(out->hash));
	return true;
}

static void set_proofs(struct run *run, Chime__EventRef **list, size_t count)
{
	free(run->proofs);
	run->proofs = NULL;
	run->proof_count = 0;
	if (!count || count > PROOFS_MAX)
		return;
	run->proofs = calloc(count, sizeof(*run->proofs));
	assert(run->proofs);
	for (size_t i = 0; i < count; i++)
		if (event_ref_from_wire(list[i], &run->proofs[run->proof_count]))
			run->proof_count++;
}

static struct run *find_run(const struct model *model, const struct event *e,
			    const Chime__RunRef *ref)
{
	return ref ? model_find_run(model, e->ref.server, ref->run) : NULL;
}

/* ---- facts ---- */

static void push_change(struct model *model, const struct event *e, struct job *job,
			const char *cycle, unsigned satisfied, unsigned had)
{
	struct change *change;

	if (!satisfied || !job->consumer_count)
		return;
	change = calloc(1, sizeof(*change));
	assert(change);
	change->job = job;
	copy(change->cycle, sizeof(change->cycle), cycle);
	change->by = e->ref;
	change->time_us = e->body->time;
	change->satisfied = satisfied;
	change->had = had;
	*model->changes_tail = change;
	model->changes_tail = &change->next;
}

static void end_run(struct model *model, const struct event *e, struct run *run,
		    Chime__RunState state)
{
	unsigned satisfied, had;

	run->ended = e->ref;
	satisfied = fact_note(run->job, run->cycle, state, &e->ref, e->body->time, &had);
	/* The consequences of own events that came back from peers stand in the same log. */
	if (!run->no_downstream && (!run->job->own || e->mine))
		push_change(model, e, run->job, run->cycle, satisfied, had);
	run_set_state(model, run, state);
}

/* ---- one function per kind ---- */

static void note_seen(struct model *model, const struct run *run, int64_t time_us)
{
	if (!run->job->own || run->cause != CHIME__CAUSE__CAUSE_CONDITION)
		return;
	model_note_seen(model, run->job, run->cycle, &run->by, time_us);
	for (size_t i = 0; i < run->proof_count; i++)
		model_note_seen(model, run->job, run->cycle, &run->proofs[i], time_us);
}

static enum event_verdict apply_nothing(struct model *model, const struct event *e)
{
	(void)model;
	(void)e;
	return EVENT_APPLIED;
}

static enum event_verdict apply_job_defined(struct model *model, const struct event *e)
{
	const Chime__JobDefined *def = e->body->job_defined;
	struct job *job = mention(model, e, def->job);

	if (!job || (def->after && strlen(def->after) > CONDITION_TEXT_MAX))
		return EVENT_BAD_FIELDS;
	if (!e->history)
		job_set_definition(model, job, def, e->body->time);
	return EVENT_APPLIED;
}

static enum event_verdict apply_job_removed(struct model *model, const struct event *e)
{
	struct job *job = mention(model, e, e->body->job_removed->job);

	if (!job)
		return EVENT_BAD_FIELDS;
	if (e->history)
		return EVENT_APPLIED;
	job->defined = false;
	model_job_changed(model, job);
	model_plan(model, job);
	model_look_at(model, job);
	return EVENT_APPLIED;
}

static void fill_run(struct run *run, const struct event *e, const Chime__RunCreated *c)
{
	run->boot = e->ref.boot;
	run->tag = e->ref.tag;
	run->cause = c->cause;
	copy(run->cycle, sizeof(run->cycle), c->cycle);
	copy(run->slot, sizeof(run->slot), c->slot);
	run->slot_time_s = c->has_slot_time ? c->slot_time : INT64_MIN;
	run->forced = c->forced;
	run->needs_condition = c->needs_condition;
	run->no_downstream = c->no_downstream;
	run->ignore_hold = c->ignore_hold;
	run->ignore_overlap = c->ignore_overlap;
	copy(run->actor, sizeof(run->actor), e->body->actor);
	run->reason = e->body->reason ? strdup(e->body->reason) : NULL;
	run->unmet = join(c->unmet, c->n_unmet);
	run->ignored = join(c->ignored, c->n_ignored);
	run->rerun_of = c->rerun_of;
	run->expires_us = c->expires;
	run->created_us = e->body->time;
	run->late_us = c->late_us;
	copy(run->detail, sizeof(run->detail), c->detail);
	if (c->definition.len == sizeof(run->definition))
		memcpy(run->definition, c->definition.data, sizeof(run->definition));
	if (c->by)
		(void)event_ref_from_wire(c->by, &run->by);
	set_proofs(run, c->proof, c->n_proof);
}

static enum event_verdict apply_run_ended(struct model *model, const struct event *e);

static void end_orphan(struct model *model, const struct run *run)
{
	struct orphan **at = &model->orphans, *orphan;
	struct event e = { 0 };

	while ((orphan = *at) && (orphan->body->run_ended->ref->run != run->id.seq ||
				  orphan->body->run_ended->ref->boot != run->boot ||
				  orphan->body->run_ended->ref->tag != run->tag ||
				  strcmp(orphan->ref.server, run->id.server) != 0))
		at = &orphan->next;
	if (!orphan)
		return;
	*at = orphan->next;
	model->orphan_count--;
	e.ref = orphan->ref;
	e.body = orphan->body;
	(void)apply_run_ended(model, &e);
	chime__event__free_unpacked(orphan->body, NULL);
	free(orphan);
}

static enum event_verdict apply_run_created(struct model *model, const struct event *e)
{
	const Chime__RunCreated *c = e->body->run_created;
	struct job *job = mention(model, e, c->job);
	struct run *run;

	/* Own runs take over the label of what made them, to environments and records. */
	if (!job || (c->cycle && cycle_parse_check(c->cycle) < 0) || !label_fits(c->slot))
		return EVENT_BAD_FIELDS;
	if (model_find_run(model, e->ref.server, e->ref.seq))
		return EVENT_NO_SUBJECT;
	run = model_add_run(model, job, e->ref.seq);
	fill_run(run, e, c);
	run->returned = job->own && !e->mine;
	note_seen(model, run, e->body->time);
	if (run->slot_time_s > job->cursor_s) {
		job->cursor_s = run->slot_time_s;
		model_plan(model, job);
	}
	model_job_changed(model, job);
	if (job->own && run->expires_us && run->expires_us < model->next_expiry_us)
		model->next_expiry_us = run->expires_us;
	if (run_state_over(c->state)) {
		run->ended_us = e->body->time;
		end_run(model, e, run, c->state);
	} else {
		model_look_at(model, job);
		end_orphan(model, run);
	}
	return EVENT_APPLIED;
}

static enum event_verdict apply_run_proofs(struct model *model, const struct event *e)
{
	const Chime__RunProofs *p = e->body->run_proofs;
	struct run *run = find_run(model, e, p->ref);

	if (!run || run_state_over(run->state))
		return EVENT_NO_SUBJECT;
	set_proofs(run, p->proof, p->n_proof);
	note_seen(model, run, e->body->time);
	model_run_changed(model, run);
	return EVENT_APPLIED;
}

static enum event_verdict apply_run_starting(struct model *model, const struct event *e)
{
	const Chime__RunStarting *s = e->body->run_starting;
	struct run *run = find_run(model, e, s->ref);

	if (!run || run->state != CHIME__RUN_STATE__RUN_WAITING)
		return EVENT_NO_SUBJECT;
	run->attempt = s->ref->attempt;
	if (s->definition.len == sizeof(run->definition))
		memcpy(run->definition, s->definition.data, sizeof(run->definition));
	run_set_state(model, run, CHIME__RUN_STATE__RUN_STARTING);
	if (e->mine)
		model_run_owes(model, run, RUN_DO_START);
	return EVENT_APPLIED;
}

static enum event_verdict apply_run_started(struct model *model, const struct event *e)
{
	const Chime__RunStarted *s = e->body->run_started;
	struct run *run = find_run(model, e, s->ref);

	if (!run || run_state_over(run->state))
		return EVENT_NO_SUBJECT;
	run->started_us = s->time;
	run_set_state(model, run, CHIME__RUN_STATE__RUN_RUNNING);
	return EVENT_APPLIED;
}

static enum event_verdict apply_run_not_started(struct model *model, const struct event *e)
{
	struct run *run = find_run(model, e, e->body->run_not_started->ref);

	if (!run || !run_state_active(run->state))
		return EVENT_NO_SUBJECT;
	copy(run->detail, sizeof(run->detail), e->body->run_not_started->detail);
	if (e->body->run_not_started->error) {
		run->not_before_us = time_after(e->body->time, RETRY_START_US);
		if (run->job->own && run->not_before_us < model->next_expiry_us)
			model->next_expiry_us = run->not_before_us;
	}
	run_set_state(model, run, CHIME__RUN_STATE__RUN_WAITING);
	return EVENT_APPLIED;
}

static Chime__RunEnded *copy_ended(const Chime__RunEnded *ended)
{
	size_t len = chime__run_ended__get_packed_size(ended);
	uint8_t *bytes = malloc(len + 1);
	Chime__RunEnded *out;

	assert(bytes);
	chime__run_ended__pack(ended, bytes);
	out = chime__run_ended__unpack(NULL, len, bytes);
	free(bytes);
	return out;
}

static void keep_orphan(struct model *model, const struct event *e)
{
	size_t len = chime__event__get_packed_size(e->body);
	struct orphan *orphan;
	uint8_t *bytes;

	if (model->orphan_count == MODEL_ORPHANS_MAX)
		return;
	orphan = calloc(1, sizeof(*orphan));
	bytes = malloc(len + 1);
	assert(orphan && bytes);
	chime__event__pack(e->body, bytes);
	orphan->body = chime__event__unpack(NULL, len, bytes);
	assert(orphan->body);
	free(bytes);
	orphan->ref = e->ref;
	orphan->next = model->orphans;
	model->orphans = orphan;
	model->orphan_count++;
}

static enum event_verdict apply_run_ended(struct model *model, const struct event *e)
{
	const Chime__RunEnded *ended = e->body->run_ended;
	struct run *run = find_run(model, e, ended->ref);

	if (!run_state_over(ended->state) || ended->state > CHIME__RUN_STATE__RUN_CANCELLED)
		return EVENT_BAD_FIELDS;
	if (!run && ended->ref && ended->ref->boot < e->ref.boot)
		keep_orphan(model, e);
	if (!run || run_state_over(run->state))
		return EVENT_NO_SUBJECT;
	if (ended->started)
		run->started_us = ended->started;
	run->ended_us = ended->ended ? ended->ended : e->body->time;
	if (ended->ref->attempt)
		run->attempt = ended->ref->attempt;
	run->exit_code = ended->has_exit_code ? ended->exit_code : -1;
	run->signal = ended->signal;
	run->error = ended->error;
	run->output_bytes = ended->output_bytes;
	run->truncated = ended->truncated;
	copy(run->detail, sizeof(run->detail), ended->detail);
	if (ended->ref->attempt)
		run->last_attempt = copy_ended(ended);
	end_run(model, e, run, ended->state);
	return EVENT_APPLIED;
}

static enum event_verdict apply_run_killing(struct model *model, const struct event *e)
{
	struct run *run = find_run(model, e, e->body->run_killing->ref);

	if (!run || !run_state_active(run->state))
		return EVENT_NO_SUBJECT;
	run->killing = true;
	model_run_changed(model, run);
	if (e->mine)
		model_run_owes(model, run, RUN_DO_KILL);
	return EVENT_APPLIED;
}

static enum event_verdict set_hold(struct model *model, const struct event *e, const char *name,
				   bool held)
{
	struct job *job = mention(model, e, name);

	if (!job)
		return EVENT_BAD_FIELDS;
	if (e->history)
		return EVENT_APPLIED;
	job->held = held;
	job->held_us = e->body->time;
	copy(job->held_by, sizeof(job->held_by), held ? e->body->actor : "");
	free(job->held_reason);
	job->held_reason = held && e->body->reason ? strdup(e->body->reason) : NULL;
	model_job_changed(model, job);
	model_look_at(model, job);
	return EVENT_APPLIED;
}

static enum event_verdict apply_job_held(struct model *model, const struct event *e)
{
	return set_hold(model, e, e->body->job_held->job, true);
}

static enum event_verdict apply_job_released(struct model *model, const struct event *e)
{
	return set_hold(model, e, e->body->job_released->job, false);
}

static enum event_verdict apply_slot_missed(struct model *model, const struct event *e)
{
	const Chime__SlotMissed *m = e->body->slot_missed;
	struct job *job = mention(model, e, m->job);

	if (!job)
		return EVENT_BAD_FIELDS;
	if (m->last_time > job->cursor_s) {
		job->cursor_s = m->last_time;
		model_job_changed(model, job);
		model_plan(model, job);
	}
	return EVENT_APPLIED;
}

/* ---- the table of kinds ---- */

struct kind_row {
	Chime__Event__BodyCase kind;
	const char *name;
	enum event_verdict (*apply)(struct model *model, const struct event *e);
};

static const struct kind_row kinds[] = {
	{ CHIME__EVENT__BODY_SERVER_UP, "server.up", apply_nothing },
	{ CHIME__EVENT__BODY_SERVER_DOWN, "server.down", apply_nothing },
	{ CHIME__EVENT__BODY_SERVER_PROVEN, "server.proven", apply_nothing },
	{ CHIME__EVENT__BODY_JOB_DEFINED, "job.defined", apply_job_defined },
	{ CHIME__EVENT__BODY_JOB_REMOVED, "job.removed", apply_job_removed },
	{ CHIME__EVENT__BODY_RUN_CREATED, "run.created", apply_run_created },
	{ CHIME__EVENT__BODY_RUN_PROOFS, "run.proofs", apply_run_proofs },
	{ CHIME__EVENT__BODY_RUN_STARTING, "run.starting", apply_run_starting },
	{ CHIME__EVENT__BODY_RUN_STARTED, "run.started", apply_run_started },
	{ CHIME__EVENT__BODY_RUN_NOT_STARTED, "run.not_started", apply_run_not_started },
	{ CHIME__EVENT__BODY_RUN_ENDED, "run.ended", apply_run_ended },
	{ CHIME__EVENT__BODY_RUN_KILLING, "run.killing", apply_run_killing },
	{ CHIME__EVENT__BODY_JOB_HELD, "job.held", apply_job_held },
	{ CHIME__EVENT__BODY_JOB_RELEASED, "job.released", apply_job_released },
	{ CHIME__EVENT__BODY_SLOT_MISSED, "slot.missed", apply_slot_missed },
	{ CHIME__EVENT__BODY_COMMAND_REFUSED, "command.refused", apply_nothing },
	{ CHIME__EVENT__BODY_ALARM, "alarm", apply_nothing },
};

static const struct kind_row *find_kind(Chime__Event__BodyCase kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == kind)
			return &kinds[i];
	return NULL;
}

enum event_verdict event_apply(struct model *model, const struct event *event)
{
	const struct kind_row *row = find_kind(event->body->body_case);

	return row ? row->apply(model, event) : EVENT_UNKNOWN_KIND;
}

const char *event_kind_name(Chime__Event__BodyCase kind)
{
	const struct kind_row *row = find_kind(kind);

	return row ? row->name : "unknown";
}

const char *event_verdict_name(enum event_verdict verdict)
{
	static const char *const names[EVENT_VERDICT_COUNT] = {
		[EVENT_APPLIED] = "applied",
		[EVENT_UNKNOWN_KIND] = "unknown kind",
		[EVENT_BAD_FIELDS] = "bad fields",
		[EVENT_NO_SUBJECT] = "no subject",
	};

	return verdict < EVENT_VERDICT_COUNT ? names[verdict] : "unknown";
}
