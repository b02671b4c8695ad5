#include "daemon/core/model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy_text(const char *text)
{
	char *copy;

	if (!text || !text[0])
		return NULL;
	copy = strdup(text);
	assert(copy);
	return copy;
}

static void set_text(char **where, const char *text)
{
	free(*where);
	*where = copy_text(text);
}

void model_init(struct model *model, const char *server)
{
	*model = (struct model){ 0 };
	snprintf(model->server, sizeof(model->server), "%s", server);
	model->changes_tail = &model->changes;
	model->next_expiry_us = INT64_MAX;
}

static void free_run(struct run *run)
{
	free(run->proofs);
	free(run->reason);
	free(run->unmet);
	free(run->ignored);
	if (run->last_attempt)
		chime__run_ended__free_unpacked(run->last_attempt, NULL);
	free(run);
}

static void free_job(struct job *job)
{
	struct fact *fact, *next;

	HASH_ITER(hh, job->facts, fact, next) {
		HASH_DEL(job->facts, fact);
		free(fact);
	}
	if (job->has_condition)
		condition_fini(&job->condition);
	free(job->held_reason);
	free(job->server_text);
	free(job->about);
	free(job->schedule_text);
	free(job->timezone);
	free(job->after);
	free(job->consumers);
	free(job);
}

void model_fini(struct model *model)
{
	struct run *run, *next_run;
	struct job *job, *next_job;

	model_clean(model);
	model_forget_facts(model, INT64_MAX);
	HASH_ITER(hh, model->runs, run, next_run) {
		HASH_DEL(model->runs, run);
		free_run(run);
	}
	HASH_ITER(hh, model->jobs, job, next_job) {
		HASH_DEL(model->jobs, job);
		free_job(job);
	}
	while (model->changes) {
		struct change *change = model->changes;

		model->changes = change->next;
		free(change);
	}
	while (model->orphans) {
		struct orphan *orphan = model->orphans;

		model->orphans = orphan->next;
		chime__event__free_unpacked(orphan->body, NULL);
		free(orphan);
	}
	free(model->due);
	*model = (struct model){ 0 };
}

/* ---- jobs ---- */

struct job *model_find_job(const struct model *model, const char *name, const char *server)
{
	char key[sizeof(((struct job *)0)->key)];
	struct job *job;

	snprintf(key, sizeof(key), "%s@%s", name, server);
	HASH_FIND_STR(model->jobs, key, job);
	return job;
}

struct job *model_mention_job(struct model *model, const char *name, const char *server)
{
	struct job *job = model_find_job(model, name, server);

	if (job)
		return job;
	job = calloc(1, sizeof(*job));
	assert(job);
	snprintf(job->key, sizeof(job->key), "%s@%s", name, server);
	snprintf(job->name, sizeof(job->name), "%s", name);
	snprintf(job->server, sizeof(job->server), "%s", server);
	job->own = strcmp(server, model->server) == 0;
	job->enabled = true;
	job->cursor_s = INT64_MIN;
	HASH_ADD_STR(model->jobs, key, job);
	return job;
}

void model_job_changed(struct model *model, struct job *job)
{
	if (job->changed)
		return;
	job->changed = true;
	job->next_changed = model->changed_jobs;
	model->changed_jobs = job;
}

void model_look_at(struct model *model, struct job *job)
{
	if (!job->own || job->in_look)
		return;
	job->in_look = true;
	job->next_look = model->look_jobs;
	model->look_jobs = job;
}

void model_plan(struct model *model, struct job *job)
{
	if (!job->own || job->in_plan)
		return;
	job->in_plan = true;
	job->next_plan = model->plan_jobs;
	model->plan_jobs = job;
}

/* ---- the heap of due slots: indexes are found by scanning no more than the heap's path ---- */

static bool due_before(const struct job *a, const struct job *b)
{
	if (a->next.utc_s != b->next.utc_s)
		return a->next.utc_s < b->next.utc_s;
	return strcmp(a->key, b->key) < 0;
}

static void place(struct model *model, size_t at, struct job *job)
{
	model->due[at] = job;
	job->due_at = at + 1;
}

static void sift_up(struct model *model, size_t at, struct job *job)
{
	while (at > 0 && due_before(job, model->due[(at - 1) / 2])) {
		place(model, at, model->due[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(model, at, job);
}

static void sift_down(struct model *model, size_t at, struct job *job)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= model->due_count)
			break;
		if (child + 1 < model->due_count &&
		    due_before(model->due[child + 1], model->due[child]))
			child++;
		if (!due_before(model->due[child], job))
			break;
		place(model, at, model->due[child]);
		at = child;
	}
	place(model, at, job);
}

static void heap_del(struct model *model, struct job *job)
{
	size_t at = job->due_at - 1;
	struct job *last = model->due[--model->due_count];

	job->due_at = 0;
	if (last == job)
		return;
	if (at > 0 && due_before(last, model->due[(at - 1) / 2]))
		sift_up(model, at, last);
	else
		sift_down(model, at, last);
}

void model_set_next(struct model *model, struct job *job, const struct slot *next)
{
	if (job->due_at)
		heap_del(model, job);
	job->has_next = next != NULL;
	if (!next)
		return;
	job->next = *next;
	if (model->due_count == model->due_room) {
		model->due_room = model->due_room ? 2 * model->due_room : 64;
		model->due = realloc(model->due, model->due_room * sizeof(struct job *));
		assert(model->due);
	}
	sift_up(model, model->due_count++, job);
}

/* ---- definitions ---- */

static void add_consumer(struct job *producer, struct job *consumer)
{
	for (size_t i = 0; i < producer->consumer_count; i++)
		if (producer->consumers[i] == consumer)
			return;
	producer->consumers = realloc(producer->consumers,
				      (producer->consumer_count + 1) * sizeof(struct job *));
	assert(producer->consumers);
	producer->consumers[producer->consumer_count++] = consumer;
}

static void del_consumer(struct job *producer, const struct job *consumer)
{
	for (size_t i = 0; i < producer->consumer_count; i++)
		if (producer->consumers[i] == consumer) {
			producer->consumers[i] = producer->consumers[--producer->consumer_count];
			return;
		}
}

static void set_condition(struct model *model, struct job *job, const char *after)
{
	struct condition_error error;

	if (job->has_condition) {
		for (size_t i = 0; i < job->condition.atom_count; i++)
			del_consumer(model_mention_job(model, job->condition.atoms[i].job,
						       job->condition.atoms[i].server), job);
		condition_fini(&job->condition);
	}
	set_text(&job->after, after);
	/* A condition this version cannot read stays visible as text and starts nothing. */
	job->has_condition = job->after &&
			     condition_parse(job->after, job->server, &job->condition, &error) == 0;
	if (!job->has_condition)
		return;
	for (size_t i = 0; i < job->condition.atom_count; i++)
		add_consumer(model_mention_job(model, job->condition.atoms[i].job,
					       job->condition.atoms[i].server), job);
}

static enum schedule_kind schedule_kind_of(const Chime__JobDefined *def)
{
	switch (def->schedule_kind) {
	case CHIME__SCHEDULE_KIND__SCHEDULE_AT:
		return SCHEDULE_AT;
	case CHIME__SCHEDULE_KIND__SCHEDULE_CRON:
		return SCHEDULE_CRON;
	case CHIME__SCHEDULE_KIND__SCHEDULE_EVERY:
		return SCHEDULE_EVERY;
	default:
		return SCHEDULE_NONE;
	}
}

/* True when the slots of the job are no longer the same. */
static bool set_schedule(struct job *job, const Chime__JobDefined *def)
{
	struct schedule schedule = { 0 };

	if (!def->schedule ||
	    schedule_parse(&schedule, schedule_kind_of(def), def->schedule, NULL) < 0)
		memset(&schedule, 0, sizeof(schedule));
	if (schedule.kind == SCHEDULE_AT && def->dst_gap)
		(void)dst_gap_parse(def->dst_gap, &schedule.gap);
	if (schedule.kind == SCHEDULE_AT && def->dst_overlap)
		(void)dst_overlap_parse(def->dst_overlap, &schedule.overlap);
	if (memcmp(&schedule, &job->schedule, sizeof(schedule)) == 0 &&
	    strcmp(job->timezone ? job->timezone : "", def->timezone ? def->timezone : "") == 0)
		return false;
	job->schedule = schedule;
	set_text(&job->schedule_text, def->schedule);
	set_text(&job->timezone, def->timezone);
	return true;
}

void job_set_definition(struct model *model, struct job *job, const Chime__JobDefined *def,
			int64_t time_us)
{
	bool planned_before = job->defined && job->enabled;

	set_text(&job->server_text, def->server_text);
	set_text(&job->about, def->about);
	if (set_schedule(job, def) || !planned_before) {
		/* The first slot of a new schedule lies strictly after what was decided so far:
		 * loading or editing starts nothing. */
		int64_t now_s = wall_seconds((struct wall){ time_us });

		job->zone = NULL;
		if (job->cursor_s < now_s)
			job->cursor_s = now_s;
	}
	set_condition(model, job, def->after);
	if (cycle_kind_parse(def->cycle ? def->cycle : "", &job->cycle) < 0)
		job->cycle = CYCLE_DEFAULT;
	job->overlap = (enum overlap_kind)def->overlap;
	job->overlap_n = def->overlap_n;
	job->enabled = !def->has_enabled || def->enabled;
	job->max_time_us = def->max_time_us;
	memset(job->hash, 0, sizeof(job->hash));
	if (def->hash.len == sizeof(job->hash))
		memcpy(job->hash, def->hash.data, sizeof(job->hash));
	job->defined = true;
	job->defined_us = time_us;
	model_job_changed(model, job);
	model_plan(model, job);
	model_look_at(model, job);
}

/* ---- runs ---- */

static void make_run_key(struct run *run, const char *server, uint64_t seq)
{
	memset(&run->id, 0, sizeof(run->id));
	snprintf(run->id.server, sizeof(run->id.server), "%s", server);
	run->id.seq = seq;
}

struct run *model_find_run(const struct model *model, const char *server, uint64_t seq)
{
	struct run key, *run;

	make_run_key(&key, server, seq);
	HASH_FIND(hh, model->runs, &key.id, sizeof(key.id), run);
	return run;
}

static void link_live(struct run *run)
{
	struct run **at = &run->job->live;

	while (*at && (*at)->id.seq < run->id.seq)
		at = &(*at)->next_live;
	run->next_live = *at;
	*at = run;
}

static void unlink_live(struct run *run)
{
	for (struct run **at = &run->job->live; *at; at = &(*at)->next_live)
		if (*at == run) {
			*at = run->next_live;
			run->next_live = NULL;
			return;
		}
}

/* A run that is over and not its job's newest is only history: the tables have it. */
static void retire(struct model *model, struct run *run)
{
	if (!run_state_over(run->state) || run->job->last == run || run->retired)
		return;
	run->retired = true;
	HASH_DEL(model->runs, run);
	run->next_live = model->dead_runs;
	model->dead_runs = run;
}

struct run *model_add_run(struct model *model, struct job *job, uint64_t seq)
{
	struct run *run = calloc(1, sizeof(*run)), *before = job->last;

	assert(run);
	run->job = job;
	make_run_key(run, job->server, seq);
	run->slot_time_s = INT64_MIN;
	run->exit_code = -1;
	run->state = CHIME__RUN_STATE__RUN_WAITING;
	HASH_ADD(hh, model->runs, id, sizeof(run->id), run);
	link_live(run);
	if (!before || before->id.seq < seq) {
		job->last = run;
		if (before)
			retire(model, before);
	}
	model_run_changed(model, run);
	return run;
}

void run_set_state(struct model *model, struct run *run, Chime__RunState state)
{
	bool own_active = run->job->own && run_state_active(run->state);

	if (run_state_over(run->state))
		return;
	model->live_own += (run->job->own && run_state_active(state)) - own_active;
	run->state = state;
	model_run_changed(model, run);
	model_look_at(model, run->job);
	if (run_state_over(state)) {
		unlink_live(run);
		retire(model, run);
	}
}

void model_run_changed(struct model *model, struct run *run)
{
	if (run->changed)
		return;
	run->changed = true;
	run->next_changed = model->changed_runs;
	model->changed_runs = run;
}

void model_run_owes(struct model *model, struct run *run, unsigned todo)
{
	run->todo |= todo;
	if (run->in_todo)
		return;
	run->in_todo = true;
	run->next_todo = model->todo_runs;
	model->todo_runs = run;
}

void model_clean(struct model *model)
{
	while (model->dead_runs) {
		struct run *run = model->dead_runs;

		model->dead_runs = run->next_live;
		free_run(run);
	}
}

/* ---- facts ---- */

int event_ref_compare(const struct event_ref *a, const struct event_ref *b)
{
	if (a->boot != b->boot)
		return a->boot < b->boot ? -1 : 1;
	if (a->tag != b->tag)
		return a->tag < b->tag ? -1 : 1;
	return a->seq == b->seq ? 0 : a->seq < b->seq ? -1 : 1;
}

void event_ref_format(const struct event_ref *ref, char out[NAME_SERVER_MAX + 24])
{
	snprintf(out, NAME_SERVER_MAX + 24, "%s:%llu", ref->server, (unsigned long long)ref->seq);
}

static unsigned kinds_satisfied(Chime__RunState outcome)
{
	switch (outcome) {
	case CHIME__RUN_STATE__RUN_SUCCESS:
		return 1u << ATOM_SUCCESS | 1u << ATOM_DONE;
	case CHIME__RUN_STATE__RUN_FAILED:
	case CHIME__RUN_STATE__RUN_TIMEOUT:
		return 1u << ATOM_FAILURE | 1u << ATOM_DONE;
	case CHIME__RUN_STATE__RUN_KILLED:
	case CHIME__RUN_STATE__RUN_LOST:
		return 1u << ATOM_DONE;
	default:
		return 0;
	}
}

unsigned fact_note(struct job *job, const char *cycle, Chime__RunState outcome,
		   const struct event_ref *ref, int64_t time_us, unsigned *had)
{
	unsigned kinds = kinds_satisfied(outcome);
	struct fact *fact;

	*had = 0;
	if (!kinds)
		return 0;
	HASH_FIND_STR(job->facts, cycle, fact);
	if (!fact) {
		fact = calloc(1, sizeof(*fact));
		assert(fact);
		snprintf(fact->cycle, sizeof(fact->cycle), "%s", cycle);
		HASH_ADD_STR(job->facts, cycle, fact);
	}
	for (int kind = 0; kind < ATOM_KINDS; kind++) {
		if (!(kinds >> kind & 1))
			continue;
		if (fact->newest[kind].seq)
			*had |= 1u << kind;
		if (!fact->newest[kind].seq || event_ref_compare(&fact->newest[kind], ref) < 0)
			fact->newest[kind] = *ref;
	}
	if (fact->time_us < time_us)
		fact->time_us = time_us;
	return kinds;
}

const struct event_ref *fact_newest(const struct job *job, const char *cycle,
				    enum atom_kind kind, const char *except)
{
	const struct event_ref *newest = NULL;

	for (const struct fact *f = job->facts; f; f = f->hh.next) {
		const struct event_ref *ref = &f->newest[kind];

		if (!ref->seq || (except && strcmp(f->cycle, except) == 0))
			continue;
#ifndef MUTANT_PROOFS_ACROSS_CYCLES
		if (!cycle_compatible(f->cycle, cycle))
			continue;
#endif
		if (!newest || event_ref_compare(newest, ref) < 0)
			newest = ref;
	}
	return newest;
}

static void fill_seen_key(struct seen_key *key, const struct job *job, const char *cycle,
			  const struct event_ref *ref)
{
	memset(key, 0, sizeof(*key));
	key->job = job;
	key->boot = ref->boot;
	key->tag = ref->tag;
	key->seq = ref->seq;
	snprintf(key->server, sizeof(key->server), "%s", ref->server);
	snprintf(key->cycle, sizeof(key->cycle), "%s", cycle);
}

bool model_has_seen(const struct model *model, const struct job *job, const char *cycle,
		    const struct event_ref *ref)
{
	struct seen_key key;
	struct seen *seen;

	fill_seen_key(&key, job, cycle, ref);
#ifdef MUTANT_SEEN_FORGOTTEN
	key.seq = 0;
#endif
	HASH_FIND(hh, model->seen, &key, sizeof(key), seen);
	return seen != NULL;
}

void model_note_seen(struct model *model, const struct job *job, const char *cycle,
		     const struct event_ref *ref, int64_t time_us)
{
	struct seen *seen;

	if (!ref->seq || model_has_seen(model, job, cycle, ref))
		return;
	seen = calloc(1, sizeof(*seen));
	assert(seen);
	fill_seen_key(&seen->key, job, cycle, ref);
	seen->time_us = time_us;
	HASH_ADD(hh, model->seen, key, sizeof(seen->key), seen);
}

void model_forget_facts(struct model *model, int64_t before_us)
{
	struct seen *seen, *next_seen;

	HASH_ITER(hh, model->seen, seen, next_seen)
		if (seen->time_us < before_us) {
			HASH_DEL(model->seen, seen);
			free(seen);
		}
	for (struct job *job = model->jobs; job; job = job->hh.next) {
		struct fact *fact, *next;

		HASH_ITER(hh, job->facts, fact, next)
			if (fact->time_us < before_us) {
				HASH_DEL(job->facts, fact);
				free(fact);
			}
	}
}

/* ---- words ---- */

struct state_words { const char *name, *code; };

static const struct state_words *state_words(Chime__RunState state)
{
	static const struct state_words words[] = {
		[CHIME__RUN_STATE__RUN_NONE] = { "IDLE", "IN" },
		[CHIME__RUN_STATE__RUN_WAITING] = { "WAITING", "WA" },
		[CHIME__RUN_STATE__RUN_STARTING] = { "STARTING", "ST" },
		[CHIME__RUN_STATE__RUN_RUNNING] = { "RUNNING", "RU" },
		[CHIME__RUN_STATE__RUN_SUCCESS] = { "SUCCESS", "SU" },
		[CHIME__RUN_STATE__RUN_FAILED] = { "FAILED", "FA" },
		[CHIME__RUN_STATE__RUN_KILLED] = { "KILLED", "TE" },
		[CHIME__RUN_STATE__RUN_TIMEOUT] = { "TIMEOUT", "TO" },
		[CHIME__RUN_STATE__RUN_LOST] = { "LOST", "LO" },
		[CHIME__RUN_STATE__RUN_SKIPPED] = { "SKIPPED", "SK" },
		[CHIME__RUN_STATE__RUN_MISSED] = { "MISSED", "MI" },
		[CHIME__RUN_STATE__RUN_EXPIRED] = { "EXPIRED", "EX" },
		[CHIME__RUN_STATE__RUN_CANCELLED] = { "CANCELLED", "CA" },
	};

	return (size_t)state < sizeof(words) / sizeof(words[0]) ? &words[state] : &words[0];
}

const char *run_state_name(Chime__RunState state)
{
	return state_words(state)->name;
}

const char *run_state_code(Chime__RunState state)
{
	return state_words(state)->code;
}

const char *cause_name(Chime__Cause cause)
{
	switch (cause) {
	case CHIME__CAUSE__CAUSE_SCHEDULE:
		return "schedule";
	case CHIME__CAUSE__CAUSE_CONDITION:
		return "condition";
	case CHIME__CAUSE__CAUSE_FORCE:
		return "force";
	case CHIME__CAUSE__CAUSE_RERUN:
		return "rerun";
	default:
		return "";
	}
}
