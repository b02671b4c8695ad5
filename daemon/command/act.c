/* Commands that act: start, kill, hold, release, reload. Each effect is an event with its actor. */
#include "daemon/command/command.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the verbs share ---- */

static Chime__ActionReply *begin_action(struct command_call *call, size_t targets)
{
	Chime__ActionReply *reply = arena_take(&call->node->arena, sizeof(*reply));

	chime__action_reply__init(reply);
	reply->effect = arena_take(&call->node->arena, (targets + 1) * sizeof(*reply->effect));
	call->reply.body_case = CHIME__REPLY__BODY_ACTION;
	call->reply.action = reply;
	return reply;
}

static Chime__Effect *add_effect(struct command_call *call, Chime__ActionReply *reply,
				 const struct job *job)
{
	Chime__Effect *effect = arena_take(&call->node->arena, sizeof(*effect));

	chime__effect__init(effect);
	effect->target = (char *)job->key;
	effect->result = "done";
	effect->has_exit = true;
	reply->effect[reply->n_effect++] = effect;
	return effect;
}

static void refuse_effect(struct command_call *call, Chime__Effect *effect, const char *what,
			  const char *why, const char *try)
{
	effect->result = "refused";
	effect->exit = 1;
	effect->what = arena_copy_text(&call->node->arena, what);
	effect->why = arena_copy_text(&call->node->arena, why);
	effect->try_ = arena_copy_text(&call->node->arena, try);
}

/* An action runs at the job's owner, with the person's own certificate (contract 9). */
static bool refuse_foreign(struct command_call *call, Chime__Effect *effect,
			   const struct job *job)
{
	const struct peer *peer;

	if (job->own)
		return false;
	peer = peers_find(&call->node->peers, job->server);
	refuse_effect(call, effect, arena_print(&call->node->arena, "%s belongs to server %s",
						job->key, job->server),
		      "an action runs at the job's owner", NULL);
	effect->exit = 4;
	effect->server = (char *)job->server;
	effect->address = arena_take(&call->node->arena, PEER_ADDRESSES_MAX * sizeof(char *));
	for (size_t i = 0; peer && i < peer->address_count; i++)
		effect->address[effect->n_address++] =
			arena_copy_text(&call->node->arena, peer->addresses[i]);
	return true;
}

static void begin_event(const struct command_call *call, Chime__Event *event)
{
	node_begin_event(call->node, event);
	event->actor = (char *)call->who;
	event->reason = call->request->reason;
	event->has_key = call->request->has_key;
	event->key = call->request->key;
}

/* ---- start ---- */

enum {
	IGNORE_TIME = 1 << 0,
	IGNORE_AFTER = 1 << 1,
	IGNORE_CALENDAR = 1 << 2,
	IGNORE_HOLD = 1 << 3,
	IGNORE_LOCK = 1 << 4,
	IGNORE_OVERLAP = 1 << 5,
	IGNORE_WINDOW = 1 << 6,
	IGNORE_LIMITS = 1 << 7,
	IGNORE_BY_FORCE = IGNORE_TIME | IGNORE_AFTER | IGNORE_CALENDAR,
};

static const char *const ignore_words[] = {
	"time", "after", "calendar", "hold", "lock", "overlap", "window", "limits",
};

enum { IGNORE_WORDS = sizeof(ignore_words) / sizeof(ignore_words[0]) };

/* False after a refusal. */
static bool read_ignore(struct command_call *call, const Chime__StartRequest *request,
			unsigned *ignore)
{
	*ignore = request->force && !request->n_ignore ? IGNORE_BY_FORCE : 0;
	for (size_t i = 0; i < request->n_ignore; i++) {
		size_t word = 0;

		while (word < IGNORE_WORDS && strcmp(request->ignore[i], ignore_words[word]) != 0)
			word++;
		if (word == IGNORE_WORDS) {
			command_refuse(call, 2, arena_print(&call->node->arena,
				       "'%s' cannot be ignored", request->ignore[i]), NULL,
				       "--ignore time,after,calendar,hold,lock,overlap,window,limits");
			return false;
		}
		*ignore |= 1u << word;
	}
	return true;
}

static void list_downstream(struct command_call *call, Chime__Effect *effect,
			    const struct job *job)
{
	effect->downstream = arena_take(&call->node->arena,
					(job->consumer_count + 1) * sizeof(char *));
	for (size_t i = 0; i < job->consumer_count; i++) {
		const struct job *c = job->consumers[i];

		if (c->defined && c->enabled)
			effect->downstream[effect->n_downstream++] = c->held ?
				arena_print(&call->node->arena, "%s (held)", c->key) :
				(char *)c->key;
	}
}

/* Atoms that are not true in the cycle; they are kept in the run for ever. */
static void list_unmet(struct command_call *call, Chime__Effect *effect, struct job *job,
		       const char *cycle)
{
	size_t count;
	Chime__Line **lines = command_lines(call, job, cycle, &count);

	effect->unmet = arena_take(&call->node->arena, (count + 1) * sizeof(char *));
	for (size_t i = 0; i < count; i++)
		if (strcmp(lines[i]->what, "after") == 0 && strcmp(lines[i]->verdict, "ok") != 0)
			effect->unmet[effect->n_unmet++] =
				arena_print(&call->node->arena, "%s  %s  %s", lines[i]->verdict,
					    lines[i]->text, lines[i]->detail);
}

/* With `or`, unmet atoms need not keep the whole from being true. */
static bool condition_is_true(const struct command_call *call, const struct job *job,
			      const char *cycle)
{
	const struct event_ref *proofs[CONDITION_ATOMS_MAX];
	bool values[CONDITION_ATOMS_MAX];

	return engine_atoms(&call->node->model, job, cycle, values, proofs);
}

/* The run that is in the way of another one; NULL when there is room. */
static const struct run *run_in_the_way(const struct job *job)
{
	const struct run *first = NULL;
	size_t active = 0;

	for (const struct run *r = job->live; r; r = r->next_live)
		if (run_state_active(r->state) && !active++)
			first = r;
	return active >= job_parallel(job) ? first : NULL;
}

static bool refuse_start(struct command_call *call, Chime__Effect *effect, const struct job *job,
			 unsigned ignore, bool after_is_true)
{
	struct arena *arena = &call->node->arena;
	const struct run *active = run_in_the_way(job);

	if (!job->defined) {
		refuse_effect(call, effect, arena_print(arena, "%s was removed", job->key), NULL,
			      NULL);
	} else if (!job->enabled && !call->request->start->force) {
		refuse_effect(call, effect, arena_print(arena, "%s is disabled", job->key),
			      "its definition says enabled: false",
			      arena_print(arena, "chime start --force %s", job->key));
	} else if (job->held && !(ignore & IGNORE_HOLD)) {
		refuse_effect(call, effect, arena_print(arena, "%s is held", job->key),
			      arena_print(arena, "by %s%s%s", job->held_by,
					  job->held_reason ? ": " : "",
					  job->held_reason ? job->held_reason : ""),
			      arena_print(arena, "chime release %s      or --ignore hold",
					  job->key));
	} else if (active && !(ignore & IGNORE_OVERLAP)) {
		refuse_effect(call, effect,
			      arena_print(arena, "%s is already running (run %llu@%s)", job->key,
					  (unsigned long long)active->id.seq, job->server),
			      "overlap", arena_print(arena, "chime log -f %llu@%s      chime kill %llu@%s",
			      (unsigned long long)active->id.seq, job->server,
			      (unsigned long long)active->id.seq, job->server));
	} else if (!after_is_true && !(ignore & IGNORE_AFTER)) {
		refuse_effect(call, effect,
			      arena_print(arena, "%s has conditions that are not met", job->key),
			      effect->n_unmet ? effect->unmet[0] : NULL,
			      arena_print(arena, "chime why %s      or start --force", job->key));
	} else {
		return false;
	}
	return true;
}

static uint64_t record_start(struct command_call *call, struct job *job, const char *cycle,
			     unsigned ignore, const Chime__Effect *effect)
{
	const Chime__StartRequest *request = call->request->start;
	const struct event_ref *proofs[CONDITION_ATOMS_MAX];
	Chime__EventRef wire[CONDITION_ATOMS_MAX], *list[CONDITION_ATOMS_MAX];
	bool values[CONDITION_ATOMS_MAX];
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;
	char *words[IGNORE_WORDS];
	Chime__Event event;

	begin_event(call, &event);
	c.job = job->name;
	c.cycle = (char *)cycle;
	c.has_cause = c.has_forced = c.has_definition = true;
	c.cause = CHIME__CAUSE__CAUSE_FORCE;
	c.forced = request->force || ignore;
	c.ignored = words;
	for (size_t i = 0; i < IGNORE_WORDS; i++)
		if (ignore >> i & 1)
			words[c.n_ignored++] = (char *)ignore_words[i];
	c.unmet = effect->unmet;
	c.n_unmet = effect->n_unmet;
	c.has_no_downstream = c.no_downstream = request->no_downstream;
	c.has_ignore_hold = c.ignore_hold = (ignore & IGNORE_HOLD) != 0;
	c.has_ignore_overlap = c.ignore_overlap = (ignore & IGNORE_OVERLAP) != 0;
	c.definition = (ProtobufCBinaryData){ sizeof(job->hash), job->hash };
	if (job->has_condition) {
		(void)engine_atoms(&call->node->model, job, cycle, values, proofs);
		for (size_t i = 0; i < job->condition.atom_count; i++)
			if (values[i]) {
				event_ref_to_wire(proofs[i], &wire[c.n_proof]);
				list[c.n_proof] = &wire[c.n_proof];
				c.n_proof++;
			}
		c.proof = list;
	}
	event.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	event.run_created = &c;
	return node_record(call->node, &event);
}

static void start_job(struct command_call *call, Chime__ActionReply *reply, struct job *job,
		      unsigned ignore)
{
	const Chime__StartRequest *request = call->request->start;
	struct node *node = call->node;
	Chime__Effect *effect = add_effect(call, reply, job);
	char *cycle = arena_take(&node->arena, NAME_LABEL_SIZE);

	node_set_zone(node, job);
	engine_current_cycle(job, node->now, cycle);
	if (request->cycle)
		cycle = request->cycle;
	effect->cycle = cycle;
	effect->user = job->own ? definitions_user(node, job->name) : NULL;
	if (job->has_condition)
		list_unmet(call, effect, job, cycle);
	list_downstream(call, effect, job);
	if (refuse_foreign(call, effect, job))
		return;
	if (refuse_start(call, effect, job, ignore, !effect->n_unmet ||
			 condition_is_true(call, job, cycle)))
		return;
	if (request->dry_run)
		return;
	effect->has_run = true;
	effect->run = record_start(call, job, cycle, ignore, effect);
	effect->what = arena_print(&node->arena, "run %llu@%s %s by %s",
				   (unsigned long long)effect->run, job->server,
				   request->force || ignore ? "forced" : "started", call->who);
}

void command_start(struct command_call *call)
{
	const Chime__StartRequest *request = call->request->start;
	Chime__ActionReply *reply;
	unsigned ignore;
	size_t count;
	struct job **jobs;

	if (!read_ignore(call, request, &ignore))
		return;
	if (request->cycle && cycle_parse_check(request->cycle) < 0) {
		command_refuse(call, 2, "that is not a cycle label", request->cycle,
			       "--cycle 2026-11-20, 2026-11-20T14+01:00, 2026-W47 or 2026-11");
		return;
	}
	if (!request->n_target) {
		command_refuse(call, 2, "start what?", NULL, "chime start TARGET...");
		return;
	}
	jobs = command_find_jobs(call, request->target, request->n_target, &count);
	if (!jobs)
		return;
	reply = begin_action(call, count);
	for (size_t i = 0; i < count; i++)
		start_job(call, reply, jobs[i], ignore);
}

/* ---- kill ---- */

static void record_killing(struct command_call *call, struct run *run)
{
	Chime__RunKilling killing = CHIME__RUN_KILLING__INIT;
	Chime__RunRef ref = CHIME__RUN_REF__INIT;
	Chime__Event event;

	begin_event(call, &event);
	ref.has_run = ref.has_boot = ref.has_tag = ref.has_attempt = true;
	ref.run = run->id.seq;
	ref.boot = run->boot;
	ref.tag = run->tag;
	ref.attempt = run->attempt;
	ref.job = run->job->name;
	killing.ref = &ref;
	event.body_case = CHIME__EVENT__BODY_RUN_KILLING;
	event.run_killing = &killing;
	node_record(call->node, &event);
}

/* A run that waits has no process: it is cancelled. */
static void record_cancelled(struct command_call *call, struct run *run)
{
	Chime__RunEnded ended = CHIME__RUN_ENDED__INIT;
	Chime__RunRef ref = CHIME__RUN_REF__INIT;
	Chime__Event event;

	begin_event(call, &event);
	ref.has_run = ref.has_boot = ref.has_tag = true;
	ref.run = run->id.seq;
	ref.boot = run->boot;
	ref.tag = run->tag;
	ref.job = run->job->name;
	ended.ref = &ref;
	ended.has_state = true;
	ended.state = CHIME__RUN_STATE__RUN_CANCELLED;
	ended.detail = arena_print(&call->node->arena, "cancelled by %s", call->who);
	event.body_case = CHIME__EVENT__BODY_RUN_ENDED;
	event.run_ended = &ended;
	node_record(call->node, &event);
}

/* A run is meant by its number, or with all others by its job's name. */
static bool run_is_meant(const Chime__KillRequest *request, const struct run *run)
{
	const struct job *job = run->job;

	for (size_t i = 0; i < request->n_target; i++) {
		struct target t;

		if (target_parse(request->target[i], &t, NULL) < 0 ||
		    (t.server[0] && !glob_match(t.server, job->server)))
			continue;
		if (t.run ? t.run == run->id.seq : !t.job[0] || glob_match(t.job, job->name))
			return true;
	}
	return false;
}

static void kill_run(struct command_call *call, Chime__ActionReply *reply, struct run *run)
{
	Chime__Effect *effect = add_effect(call, reply, run->job);
	bool waiting = run->state == CHIME__RUN_STATE__RUN_WAITING;
	bool dry = call->request->kill->dry_run;

	effect->has_run = true;
	effect->run = run->id.seq;
	effect->what = arena_print(&call->node->arena, "%s  %llu@%s%s",
				   waiting ? "cancelled" : "killing",
				   (unsigned long long)run->id.seq, run->job->server,
				   waiting ? "" : "  TERM now, KILL after kill_grace");
	if (!dry && waiting)
		record_cancelled(call, run);
	else if (!dry)
		record_killing(call, run);
}

static void kill_job(struct command_call *call, Chime__ActionReply *reply, struct job *job)
{
	struct run *run, *next;
	Chime__Effect *effect;
	size_t before = reply->n_effect;

	for (run = job->own ? job->live : NULL; run; run = next) {
		next = run->next_live;
		if (run_is_meant(call->request->kill, run))
			kill_run(call, reply, run);
	}
	if (reply->n_effect > before)
		return;
	effect = add_effect(call, reply, job);
	if (!refuse_foreign(call, effect, job))
		refuse_effect(call, effect,
			      arena_print(&call->node->arena, "%s is not running", job->key), NULL,
			      NULL);
}

void command_kill(struct command_call *call)
{
	const Chime__KillRequest *request = call->request->kill;
	Chime__ActionReply *reply;
	size_t count, room;
	struct job **jobs = command_find_jobs(call, request->target, request->n_target, &count);

	if (!jobs)
		return;
	if (!request->n_target) {
		command_refuse(call, 2, "kill what?", NULL, "chime kill TARGET...");
		return;
	}
	room = count;
	for (size_t i = 0; i < count; i++)
		for (const struct run *r = jobs[i]->live; r; r = r->next_live)
			room++;
	reply = begin_action(call, room);
	for (size_t i = 0; i < count; i++)
		kill_job(call, reply, jobs[i]);
}

/* ---- hold and release ---- */

static void record_hold(struct command_call *call, struct job *job, bool hold)
{
	Chime__JobHeld held = CHIME__JOB_HELD__INIT;
	Chime__JobReleased released = CHIME__JOB_RELEASED__INIT;
	Chime__Event event;

	begin_event(call, &event);
	held.job = released.job = job->name;
	event.body_case = hold ? CHIME__EVENT__BODY_JOB_HELD : CHIME__EVENT__BODY_JOB_RELEASED;
	if (hold)
		event.job_held = &held;
	else
		event.job_released = &released;
	node_record(call->node, &event);
}

static void set_hold(struct command_call *call, char **targets, size_t target_count, bool hold,
		     bool dry)
{
	struct arena *arena = &call->node->arena;
	Chime__ActionReply *reply;
	size_t count;
	struct job **jobs = command_find_jobs(call, targets, target_count, &count);

	if (!jobs)
		return;
	if (!target_count) {
		command_refuse(call, 2, hold ? "hold what?" : "release what?", NULL,
			       hold ? "chime hold TARGET..." : "chime release TARGET...");
		return;
	}
	reply = begin_action(call, count);
	for (size_t i = 0; i < count; i++) {
		Chime__Effect *effect = add_effect(call, reply, jobs[i]);

		if (refuse_foreign(call, effect, jobs[i]))
			continue;
		/* Said twice is done: commands can be repeated. */
		effect->what = arena_print(arena, "%s %s%s", hold ? "held" : "released",
					   jobs[i]->key, jobs[i]->held == hold ? " already" : "");
		list_downstream(call, effect, jobs[i]);
		if (jobs[i]->held != hold && !dry)
			record_hold(call, jobs[i], hold);
	}
}

void command_hold(struct command_call *call)
{
	const Chime__HoldRequest *r = call->request->hold;

	set_hold(call, r->target, r->n_target, true, r->dry_run);
}

void command_release(struct command_call *call)
{
	const Chime__ReleaseRequest *r = call->request->release;

	set_hold(call, r->target, r->n_target, false, r->dry_run);
}

/* ---- reload ---- */

void command_reload(struct command_call *call)
{
	struct node *node = call->node;
	struct reload_waiter *w = calloc(1, sizeof(*w));

	assert(w);
	w->conn = call->conn;
	w->id = call->request->id;
	snprintf(w->actor, sizeof(w->actor), "%s", call->who);
	w->next = node->reload_waiters;
	node->reload_waiters = w;
	node->reloading = true;
	call->later = true;
}
