#include "daemon/core/engine.h"

#include "daemon/core/event.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of events that make runs without a schedule: scheduling.md's expire_after, by default. */
#define EXPIRE_AFTER_US (7 * (int64_t)CIVIL_DAY_S * USEC_PER_SEC)

/* An event to be wished for, with room for what it points to. */
struct wish {
	Chime__Event event;
	Chime__RunRef ref;
	Chime__EventRef by;
	Chime__EventRef proof[CONDITION_ATOMS_MAX], *proofs[CONDITION_ATOMS_MAX];
	size_t proof_count;
};

static void wish_init(struct wish *wish, const struct engine *engine)
{
	chime__event__init(&wish->event);
	wish->event.has_time = true;
	wish->event.time = engine->now.wall.us;
	wish->proof_count = 0;
}

static void emit(struct engine *engine, struct wish *wish)
{
	engine->emit(engine->arg, &wish->event);
}

static Chime__RunRef *refer(struct wish *wish, const struct run *run, uint32_t attempt)
{
	chime__run_ref__init(&wish->ref);
	wish->ref.has_run = wish->ref.has_boot = wish->ref.has_tag = true;
	wish->ref.run = run->id.seq;
	wish->ref.boot = run->boot;
	wish->ref.tag = run->tag;
	wish->ref.has_attempt = attempt > 0;
	wish->ref.attempt = attempt;
	wish->ref.job = run->job->name;
	return &wish->ref;
}

static void add_proofs(struct wish *wish, const struct job *job, const bool *values,
		       const struct event_ref **proofs)
{
	for (size_t i = 0; i < job->condition.atom_count; i++) {
		if (!values[i])
			continue;
		event_ref_to_wire(proofs[i], &wish->proof[wish->proof_count]);
		wish->proofs[wish->proof_count] = &wish->proof[wish->proof_count];
		wish->proof_count++;
	}
}

/* A job that keeps deciding within one turn is a loop of conditions: better held than endless. */
static bool decided_too_often(struct engine *engine, struct job *job)
{
	Chime__JobHeld held = CHIME__JOB_HELD__INIT;
	Chime__Alarm alarm = CHIME__ALARM__INIT;
	struct wish wish;

	if (job->decided_turn != engine->model->turn) {
		job->decided_turn = engine->model->turn;
		job->decisions = 0;
	}
	if (++job->decisions <= ENGINE_DECISIONS_MAX)
		return false;
	if (job->held)
		return true;
	wish_init(&wish, engine);
	held.job = job->name;
	wish.event.body_case = CHIME__EVENT__BODY_JOB_HELD;
	wish.event.job_held = &held;
	wish.event.actor = "chime";
	wish.event.reason = "decided more than 100 times at once";
	emit(engine, &wish);
	wish_init(&wish, engine);
	alarm.kind = "loop";
	alarm.job = job->name;
	alarm.text = "decided more than 100 times at once, held";
	wish.event.body_case = CHIME__EVENT__BODY_ALARM;
	wish.event.alarm = &alarm;
	emit(engine, &wish);
	return true;
}

/* ---- small questions ---- */

enum cycle_kind job_cycle_kind(const struct job *job)
{
	if (job->cycle != CYCLE_DEFAULT)
		return job->cycle;
	if (job->schedule.kind == SCHEDULE_NONE || schedule_once_a_day(&job->schedule))
		return CYCLE_DAY;
	return CYCLE_SLOT;
}

uint32_t job_parallel(const struct job *job)
{
	return job->overlap == OVERLAP_PARALLEL ? job->overlap_n : 1;
}

static const struct zone *zone_of(const struct job *job)
{
	return job->zone ? job->zone : zone_utc();
}

void engine_current_cycle(const struct job *job, struct now now, char out[NAME_LABEL_SIZE])
{
	enum cycle_kind kind = job_cycle_kind(job);
	int64_t now_s = wall_seconds(now.wall);
	struct slot slot;

	if (kind == CYCLE_SLOT && job->schedule.kind != SCHEDULE_NONE &&
	    schedule_last(&job->schedule, zone_of(job), now_s - SCHEDULE_HORIZON_DAYS *
			  (int64_t)CIVIL_DAY_S, now_s, &slot, NULL) == 0)
		cycle_label(kind, zone_of(job), slot.utc_s, &slot, out);
	else
		cycle_label(kind == CYCLE_SLOT ? CYCLE_DAY : kind, zone_of(job), now_s, NULL, out);
}

bool engine_atoms(const struct model *model, const struct job *job, const char *cycle,
		  bool *values, const struct event_ref **proofs)
{
	for (size_t i = 0; i < job->condition.atom_count; i++) {
		const struct atom *atom = &job->condition.atoms[i];
		const struct job *producer = model_find_job(model, atom->job, atom->server);

		proofs[i] = producer ? fact_newest(producer, cycle, atom->kind, NULL) : NULL;
		values[i] = proofs[i] != NULL;
	}
	return condition_eval(&job->condition, values);
}

static uint32_t count_active(const struct job *job)
{
	uint32_t n = 0;

	for (const struct run *r = job->live; r; r = r->next_live)
		n += run_state_active(r->state);
	return n;
}

static uint32_t count_waiting(const struct job *job)
{
	uint32_t n = 0;

	for (const struct run *r = job->live; r; r = r->next_live)
		n += r->state == CHIME__RUN_STATE__RUN_WAITING;
	return n;
}

static enum overlap_kind overlap_of(const struct job *job, Chime__Cause cause)
{
	if (job->overlap != OVERLAP_DEFAULT)
		return job->overlap;
	return cause == CHIME__CAUSE__CAUSE_CONDITION ? OVERLAP_QUEUE : OVERLAP_SKIP;
}

static bool is_of_unproven_past(const struct engine *engine, const struct run *run)
{
	return engine->unproven && (run->boot != engine->boot || run->tag != engine->tag);
}

enum run_wait engine_wait(const struct engine *engine, const struct run *run)
{
	const struct job *job = run->job;
	const struct event_ref *proofs[CONDITION_ATOMS_MAX];
	bool values[CONDITION_ATOMS_MAX];

	if (run->state != CHIME__RUN_STATE__RUN_WAITING)
		return WAIT_NONE;
	if (run->needs_condition && job->has_condition &&
	    !engine_atoms(engine->model, job, run->cycle, values, proofs))
		return WAIT_DEPS;
	if (job->held && !run->ignore_hold)
		return WAIT_HOLD;
	if (!job->enabled && !run->forced)
		return WAIT_DISABLED;
	if (is_of_unproven_past(engine, run))
		return WAIT_UNPROVEN;
	if (run->not_before_us > engine->now.wall.us)
		return WAIT_LAUNCHER;
	if (!run->ignore_overlap && count_active(job) >= job_parallel(job))
		return WAIT_OVERLAP;
	return WAIT_NONE;
}

const char *run_wait_name(enum run_wait wait)
{
	static const char *const names[] = {
		[WAIT_NONE] = "", [WAIT_DEPS] = "after", [WAIT_HOLD] = "hold",
		[WAIT_OVERLAP] = "overlap", [WAIT_UNPROVEN] = "unproven server",
		[WAIT_DISABLED] = "disabled", [WAIT_LAUNCHER] = "launcher",
	};

	return (size_t)wait < sizeof(names) / sizeof(names[0]) ? names[wait] : "";
}

/* ---- ends without a process ---- */

static void end_waiting(struct engine *engine, struct run *run, Chime__RunState state,
			const char *detail)
{
	Chime__RunEnded ended = CHIME__RUN_ENDED__INIT;
	struct wish wish;

	wish_init(&wish, engine);
	ended.ref = refer(&wish, run, 0);
	ended.has_state = true;
	ended.state = state;
	ended.detail = (char *)detail;
	wish.event.body_case = CHIME__EVENT__BODY_RUN_ENDED;
	wish.event.run_ended = &ended;
	emit(engine, &wish);
}

/* ---- runs made by conditions ---- */

static struct run *find_queued(const struct job *job, const char *cycle)
{
	for (struct run *r = job->live; r; r = r->next_live)
		if (r->state == CHIME__RUN_STATE__RUN_WAITING && !r->needs_condition &&
		    r->cause == CHIME__CAUSE__CAUSE_CONDITION && cycle_equal(r->cycle, cycle))
			return r;
	return NULL;
}

/* The waiting run of this cycle takes the newer proofs in, so that the last run has seen all. */
static void refresh_queued(struct engine *engine, struct run *run, const struct change *change,
			   struct wish *wish)
{
	Chime__RunProofs proofs = CHIME__RUN_PROOFS__INIT;

	proofs.ref = refer(wish, run, 0);
	event_ref_to_wire(&change->by, &wish->by);
	proofs.by = &wish->by;
	proofs.proof = wish->proofs;
	proofs.n_proof = wish->proof_count;
	wish->event.body_case = CHIME__EVENT__BODY_RUN_PROOFS;
	wish->event.run_proofs = &proofs;
	emit(engine, wish);
}

static void create_by_condition(struct engine *engine, struct job *job, const char *cycle,
				const struct change *change, struct wish *wish)
{
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;
	char detail[MODEL_DETAIL_SIZE];
	uint32_t active = count_active(job);

	c.job = job->name;
	c.cycle = (char *)cycle;
	c.has_cause = true;
	c.cause = CHIME__CAUSE__CAUSE_CONDITION;
	event_ref_to_wire(&change->by, &wish->by);
	c.by = &wish->by;
	c.proof = wish->proofs;
	c.n_proof = wish->proof_count;
	c.has_definition = true;
	c.definition = (ProtobufCBinaryData){ sizeof(job->hash), job->hash };
	if (span_between(change->time_us, engine->now.wall.us) > EXPIRE_AFTER_US) {
		snprintf(detail, sizeof(detail), "the event that made it is more than 7 days old");
		c.state = CHIME__RUN_STATE__RUN_EXPIRED;
	} else if (overlap_of(job, c.cause) == OVERLAP_SKIP && active > 0) {
		snprintf(detail, sizeof(detail), "overlap: %u still running", active);
		c.state = CHIME__RUN_STATE__RUN_SKIPPED;
	} else if (count_waiting(job) >= ENGINE_QUEUE_MAX) {
		snprintf(detail, sizeof(detail), "overlap: %u runs wait already", ENGINE_QUEUE_MAX);
		c.state = CHIME__RUN_STATE__RUN_SKIPPED;
	}
	c.has_state = c.state != CHIME__RUN_STATE__RUN_NONE;
	c.detail = c.has_state ? detail : NULL;
	wish->event.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	wish->event.run_created = &c;
	emit(engine, wish);
}

/* Was the atom true in this cycle before the event of `change`? */
static bool atom_was_true(const struct engine *engine, const struct atom *atom,
			  const struct change *change, const char *cycle, const bool now_true)
{
	const struct job *producer = model_find_job(engine->model, atom->job, atom->server);

	if (producer != change->job || !(change->satisfied >> atom->kind & 1))
		return now_true;
	if (change->had >> atom->kind & 1)
		return true;
	return fact_newest(producer, cycle, atom->kind, change->cycle) != NULL;
}

/*
 * An event that was taken before and is heard again, after a restore, is no cause. But what it
 * makes true once more may rest on an event of mine that was not taken yet, because it was made
 * when this one was missing: that is the cause then. NULL: there is none.
 */
static const struct event_ref *find_cause(const struct engine *engine, const struct job *job,
					  const char *cycle, const struct change *change,
					  const bool *values, const struct event_ref **proofs)
{
	if (!model_has_seen(engine->model, job, cycle, &change->by))
		return &change->by;
	for (size_t i = 0; i < job->condition.atom_count; i++)
		if (values[i] && strcmp(proofs[i]->server, engine->model->server) == 0 &&
		    proofs[i]->boot == engine->boot && proofs[i]->tag == engine->tag &&
		    !model_has_seen(engine->model, job, cycle, proofs[i]))
			return proofs[i];
	return NULL;
}

static void decide_cycle(struct engine *engine, struct job *job, const struct change *change,
			 const char *cycle)
{
	const struct event_ref *proofs[CONDITION_ATOMS_MAX], *cause;
	bool values[CONDITION_ATOMS_MAX], before[CONDITION_ATOMS_MAX], renewed = false;
	struct change taken = *change;
	struct run *queued;
	struct wish wish;

	if (!engine_atoms(engine->model, job, cycle, values, proofs))
		return;
	cause = find_cause(engine, job, cycle, change, values, proofs);
	if (!cause)
		return;
	taken.by = *cause;
	for (size_t i = 0; i < job->condition.atom_count; i++) {
		const struct atom *atom = &job->condition.atoms[i];

		before[i] = atom_was_true(engine, atom, change, cycle, values[i]);
		renewed |= change->had >> atom->kind & change->satisfied >> atom->kind & 1 &&
			   model_find_job(engine->model, atom->job, atom->server) == change->job;
	}
	renewed = renewed && cause == &change->by;
#ifndef MUTANT_CONSUMPTION_PER_ATOM
	if (!renewed && condition_eval(&job->condition, before))
		return;
#endif
	if (decided_too_often(engine, job))
		return;
	wish_init(&wish, engine);
	add_proofs(&wish, job, values, proofs);
	queued = find_queued(job, cycle);
	if (queued)
		refresh_queued(engine, queued, &taken, &wish);
	else
		create_by_condition(engine, job, cycle, &taken, &wish);
}

/* ---- which cycles an event concerns ---- */

struct labels {
	char (*list)[NAME_LABEL_SIZE];
	size_t count;
};

static int compare_labels(const void *a, const void *b)
{
	return cycle_compare(a, b);
}

static void add_label(struct labels *labels, const char *label)
{
	for (size_t i = 0; i < labels->count; i++)
		if (cycle_equal(labels->list[i], label))
			return;
	labels->list = realloc(labels->list, (labels->count + 1) * NAME_LABEL_SIZE);
	assert(labels->list);
	snprintf(labels->list[labels->count++], NAME_LABEL_SIZE, "%s", label);
}

/* Finer labels heard from the job's producers under the event's label; its own when none. */
static void find_labels(const struct engine *engine, const struct job *job, const char *cycle,
			struct labels *labels)
{
	for (size_t i = 0; i < job->condition.atom_count; i++) {
		const struct atom *atom = &job->condition.atoms[i];
		const struct job *p = model_find_job(engine->model, atom->job, atom->server);

		for (const struct fact *f = p ? p->facts : NULL; f; f = f->hh.next)
			if (cycle_contains(cycle, f->cycle) && !cycle_equal(cycle, f->cycle))
				add_label(labels, f->cycle);
	}
	if (!labels->count)
		add_label(labels, cycle);
	qsort(labels->list, labels->count, NAME_LABEL_SIZE, compare_labels);
}

static void decide_consumer(struct engine *engine, struct job *job, const struct change *change)
{
	struct labels labels = { 0 };

	/* A waiting run that its slot armed looks again; such a job starts by slots only. */
	model_look_at(engine->model, job);
	if (job->schedule.kind != SCHEDULE_NONE)
		return;
	find_labels(engine, job, change->cycle, &labels);
	for (size_t i = 0; i < labels.count; i++)
		decide_cycle(engine, job, change, labels.list[i]);
	free(labels.list);
}

static void decide_change(struct engine *engine)
{
	struct model *model = engine->model;
	struct change *change = model->changes;

	model->changes = change->next;
	if (!model->changes)
		model->changes_tail = &model->changes;
	for (size_t i = 0; i < change->job->consumer_count; i++) {
		struct job *job = change->job->consumers[i];

		if (job->own && job->defined && job->enabled && job->has_condition)
			decide_consumer(engine, job, change);
	}
	free(change);
}

/* ---- slots ---- */

static void plan_job(struct model *model, struct job *job)
{
	struct slot next;

	if (!job->defined || !job->enabled || job->schedule.kind == SCHEDULE_NONE || !job->zone ||
	    schedule_next(&job->schedule, job->zone, job->cursor_s, &next) < 0)
		model_set_next(model, job, NULL);
	else
		model_set_next(model, job, &next);
}

static void plan_jobs(struct model *model)
{
	while (model->plan_jobs) {
		struct job *job = model->plan_jobs;

		model->plan_jobs = job->next_plan;
		job->in_plan = false;
		plan_job(model, job);
	}
}

/* End of the cycle after this one, when an armed run gives up waiting for `after`. */
static int64_t expiry_us(const struct job *job, const char *cycle, const struct slot *slot)
{
	struct slot later = *slot;
	int64_t end_s;

	if (cycle_end_utc(cycle, zone_of(job), 1, &end_s) == 0)
		return end_s * USEC_PER_SEC;
	for (int i = 0; i < 2; i++)
		if (schedule_next(&job->schedule, zone_of(job), later.utc_s, &later) < 0)
			return 0;
	return later.utc_s * USEC_PER_SEC;
}

static void create_by_slot(struct engine *engine, struct job *job, const struct slot *slot)
{
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;
	char cycle[NAME_LABEL_SIZE], detail[MODEL_DETAIL_SIZE];
	enum overlap_kind overlap = overlap_of(job, CHIME__CAUSE__CAUSE_SCHEDULE);
	struct wish wish;

	wish_init(&wish, engine);
	cycle_label(job_cycle_kind(job), zone_of(job), slot->utc_s, slot, cycle);
	c.job = job->name;
	c.cycle = cycle;
	c.slot = (char *)slot->key;
	c.has_slot_time = true;
	c.slot_time = slot->utc_s;
	c.has_cause = true;
	c.cause = CHIME__CAUSE__CAUSE_SCHEDULE;
	c.has_late_us = true;
	c.late_us = engine->now.wall.us - slot->utc_s * USEC_PER_SEC;
	c.has_definition = true;
	c.definition = (ProtobufCBinaryData){ sizeof(job->hash), job->hash };
	c.has_needs_condition = c.needs_condition = job->has_condition;
	if (job->has_condition) {
		c.has_expires = true;
		c.expires = expiry_us(job, cycle, slot);
	} else if (overlap == OVERLAP_SKIP && count_active(job) > 0) {
		snprintf(detail, sizeof(detail), "overlap: the run before is not over");
		c.state = CHIME__RUN_STATE__RUN_SKIPPED;
	} else if (overlap == OVERLAP_QUEUE && count_active(job) > 0 &&
		   count_waiting(job) >= job->overlap_n) {
		snprintf(detail, sizeof(detail), "overlap: %u wait already", count_waiting(job));
		c.state = CHIME__RUN_STATE__RUN_SKIPPED;
	} else if (count_waiting(job) >= ENGINE_QUEUE_MAX) {
		snprintf(detail, sizeof(detail), "%u runs wait already", ENGINE_QUEUE_MAX);
		c.state = CHIME__RUN_STATE__RUN_SKIPPED;
	}
	c.has_state = c.state != CHIME__RUN_STATE__RUN_NONE;
	c.detail = c.has_state ? detail : NULL;
	wish.event.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	wish.event.run_created = &c;
	emit(engine, &wish);
}

static void miss_slots(struct engine *engine, struct job *job, const struct slot *last,
		       uint64_t count, const char *why)
{
	Chime__SlotMissed m = CHIME__SLOT_MISSED__INIT;
	struct slot first = job->next;
	struct wish wish;

	wish_init(&wish, engine);
	m.job = job->name;
	m.first = first.key;
	m.last = (char *)last->key;
	m.has_first_time = m.has_last_time = m.has_count = true;
	m.first_time = first.utc_s;
	m.last_time = last->utc_s;
	m.count = count;
	m.why = (char *)why;
	wish.event.body_case = CHIME__EVENT__BODY_SLOT_MISSED;
	wish.event.slot_missed = &m;
	emit(engine, &wish);
}

/*
 * The default policy of missed slots, `last`: of all slots due by now the last instant runs, when
 * it is less than a period and less than a day late; what lies before is missed.
 */
static void decide_due(struct engine *engine, struct job *job)
{
	int64_t now_s = wall_seconds(engine->now.wall), before_s;
	struct slot last, slot;
	uint64_t count;

	if (schedule_last(&job->schedule, job->zone, job->cursor_s, now_s, &last, &count) < 0) {
		plan_job(engine->model, job);
		return;
	}
	if (engine->unproven && last.utc_s < engine->opened_s) {
		miss_slots(engine, job, &last, count,
			   "this server was down and has not yet proved its past: an operator decides");
		return;
	}
	if (now_s - last.utc_s > CIVIL_DAY_S) {
		miss_slots(engine, job, &last, count, "more than a day late");
		return;
	}
	before_s = last.utc_s - 1;
	if (job->next.utc_s < last.utc_s) {
		struct slot previous;
		uint64_t missed;

		if (schedule_last(&job->schedule, job->zone, job->cursor_s, before_s, &previous,
				  &missed) == 0)
			miss_slots(engine, job, &previous, missed, "the server was not there");
	}
	if (schedule_next(&job->schedule, job->zone, before_s, &slot) < 0)
		return;
	/* Several slots may share one instant: each missed by a gap runs after it. */
	do {
		create_by_slot(engine, job, &slot);
	} while (schedule_next_slot(&job->schedule, job->zone, &slot, &slot) == 0 &&
		 slot.utc_s == last.utc_s);
}

/* ---- waiting runs ---- */

static void start_run(struct engine *engine, struct run *run)
{
	Chime__RunStarting s = CHIME__RUN_STARTING__INIT;
	struct wish wish;

	wish_init(&wish, engine);
	/* NOT_STARTED takes an attempt back, so that its number is used again. */
	s.ref = refer(&wish, run, run->attempt ? run->attempt : 1);
	s.has_definition = true;
	s.definition = (ProtobufCBinaryData){ sizeof(run->job->hash), run->job->hash };
	wish.event.body_case = CHIME__EVENT__BODY_RUN_STARTING;
	wish.event.run_starting = &s;
	emit(engine, &wish);
}

/* An armed run takes its proofs at the moment it starts. */
static void prove_armed(struct engine *engine, struct run *run)
{
	const struct event_ref *proofs[CONDITION_ATOMS_MAX];
	bool values[CONDITION_ATOMS_MAX];
	Chime__RunProofs p = CHIME__RUN_PROOFS__INIT;
	struct wish wish;

	wish_init(&wish, engine);
	(void)engine_atoms(engine->model, run->job, run->cycle, values, proofs);
	add_proofs(&wish, run->job, values, proofs);
	p.ref = refer(&wish, run, 0);
	p.proof = wish.proofs;
	p.n_proof = wish.proof_count;
	wish.event.body_case = CHIME__EVENT__BODY_RUN_PROOFS;
	wish.event.run_proofs = &p;
	emit(engine, &wish);
}

static void decide_waiting(struct engine *engine, struct run *run)
{
	struct job *job = run->job;

	/* It may have started, ended or expired in a past that only peers know. */
	if (is_of_unproven_past(engine, run))
		return;
	if (!job->defined) {
		end_waiting(engine, run, CHIME__RUN_STATE__RUN_CANCELLED, "the job was removed");
		return;
	}
	if (run->expires_us && run->expires_us <= engine->now.wall.us) {
		end_waiting(engine, run, CHIME__RUN_STATE__RUN_EXPIRED,
			    "its condition was not true in time");
		return;
	}
	switch (engine_wait(engine, run)) {
	case WAIT_NONE:
		if (decided_too_often(engine, job))
			return;
		if (run->needs_condition && job->has_condition && !run->proof_count)
			prove_armed(engine, run);
		start_run(engine, run);
		break;
	case WAIT_OVERLAP:
		if (run->needs_condition &&
		    overlap_of(job, CHIME__CAUSE__CAUSE_SCHEDULE) == OVERLAP_SKIP)
			end_waiting(engine, run, CHIME__RUN_STATE__RUN_SKIPPED,
				    "overlap: the run before is not over");
		break;
	default:
		break;
	}
}

/* Queued runs of other cycles stand in cycle order, which need not be the order of creation. */
static struct run *next_to_look(const struct job *job, const struct run *after)
{
	struct run *best = NULL;

	for (struct run *r = job->live; r; r = r->next_live) {
		int c;

		if (r->state != CHIME__RUN_STATE__RUN_WAITING)
			continue;
		if (after) {
			c = cycle_compare(r->cycle, after->cycle);
			if (c < 0 || (c == 0 && r->id.seq <= after->id.seq))
				continue;
		}
		if (best) {
			c = cycle_compare(r->cycle, best->cycle);
			if (c > 0 || (c == 0 && r->id.seq > best->id.seq))
				continue;
		}
		best = r;
	}
	return best;
}

static void look_at_job(struct engine *engine, struct job *job)
{
	struct run *run = NULL, copy;

	while ((run = next_to_look(job, run ? &copy : NULL))) {
		/* The run may be retired while it is decided; its place in the order is kept. */
		copy = *run;
		decide_waiting(engine, run);
	}
}

static void look_at_jobs(struct engine *engine)
{
	struct model *model = engine->model;
	struct job *list = model->look_jobs;

	model->look_jobs = NULL;
	while (list) {
		struct job *job = list;

		list = job->next_look;
		job->in_look = false;
		look_at_job(engine, job);
	}
}

static void look_or_wait(struct engine *engine, struct job *job, int64_t at_us)
{
	struct model *model = engine->model;

	if (at_us && at_us <= engine->now.wall.us)
		model_look_at(model, job);
	else if (at_us && at_us < model->next_expiry_us)
		model->next_expiry_us = at_us;
}

static void look_for_expired(struct engine *engine)
{
	struct model *model = engine->model;

	if (model->next_expiry_us > engine->now.wall.us)
		return;
	model->next_expiry_us = INT64_MAX;
	for (struct job *job = model->jobs; job; job = job->hh.next)
		for (struct run *r = job->own ? job->live : NULL; r; r = r->next_live) {
			if (r->state != CHIME__RUN_STATE__RUN_WAITING)
				continue;
			look_or_wait(engine, job, r->expires_us);
			look_or_wait(engine, job, r->not_before_us);
		}
}

/* ---- all of it ---- */

void engine_decide(struct engine *engine)
{
	struct model *model = engine->model;
	int64_t now_s = wall_seconds(engine->now.wall);

	look_for_expired(engine);
	for (;;) {
		plan_jobs(model);
#ifdef MUTANT_DECIDE_CUT_SHORT
		if (model->changes && engine->now.boot.us % 2)
			break;
#endif
		if (model->changes)
			decide_change(engine);
		else if (engine->may_start && model->due_count &&
			 model->due[0]->next.utc_s <= now_s)
			decide_due(engine, model->due[0]);
		else if (engine->may_start && model->look_jobs)
			look_at_jobs(engine);
		else
			break;
	}
}

int64_t engine_next_us(const struct model *model)
{
	int64_t next_us = model->next_expiry_us;

	if (model->due_count && model->due[0]->next.utc_s * USEC_PER_SEC < next_us)
		next_us = model->due[0]->next.utc_s * USEC_PER_SEC;
	return next_us;
}
