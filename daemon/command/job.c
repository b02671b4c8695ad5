/* Questions about jobs: ls, status, show, why, next. */
#include "daemon/command/command.h"

#include "daemon/jobfile.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- states of jobs ---- */

struct job_view { const char *state, *code; };

/* The newest cycle any producer of a condition-only job has begun; NULL when none has. */
static const struct run *newest_upstream(const struct command_call *call, const struct job *job)
{
	const struct run *newest = NULL;

	if (!job->has_condition || job->schedule.kind != SCHEDULE_NONE)
		return NULL;
	for (size_t i = 0; i < job->condition.atom_count; i++) {
		const struct job *p = model_find_job(&call->node->model,
						     job->condition.atoms[i].job,
						     job->condition.atoms[i].server);
		const struct run *r = p ? p->last : NULL;

		if (r && r->state != CHIME__RUN_STATE__RUN_SKIPPED &&
		    (!newest || r->created_us > newest->created_us))
			newest = r;
	}
	return newest;
}

/* Its producers have begun a cycle that it has not seen: it waits, whatever its last run was, also
 * when there was none. */
static bool cycle_is_open(const struct command_call *call, const struct job *job)
{
	const struct run *upstream = newest_upstream(call, job);
	const struct event_ref *proofs[CONDITION_ATOMS_MAX];
	bool values[CONDITION_ATOMS_MAX];

	if (!upstream || (job->last && (cycle_compatible(upstream->cycle, job->last->cycle) ||
					upstream->created_us <= job->last->created_us)))
		return false;
	return !engine_atoms(&call->node->model, job, upstream->cycle, values, proofs);
}

static struct job_view view_of(const struct command_call *call, const struct job *job)
{
	const struct run *run = job->live ? job->live : job->last;

	if (!command_heard(call->node, job->server))
		return (struct job_view){ "UNKNOWN", "??" };
	/* The run that is active says more than one that waits behind it. */
	for (const struct run *r = job->live; r; r = r->next_live)
		if (run_state_active(r->state))
			run = r;
	if (job->held && (!run || !run_state_active(run->state)))
		return (struct job_view){ "HELD", "OH" };
	if ((!run || run->state == CHIME__RUN_STATE__RUN_SUCCESS) && !job->held &&
	    cycle_is_open(call, job))
		return (struct job_view){ "WAITING", "WA" };
	if (!run)
		return (struct job_view){ "IDLE", "IN" };
	if (run->state == CHIME__RUN_STATE__RUN_WAITING && !job->own && !run->needs_condition)
		return (struct job_view){ "QUEUED", "QU" };
	if (run->state == CHIME__RUN_STATE__RUN_WAITING &&
	    engine_wait(&call->node->engine, run) == WAIT_OVERLAP)
		return (struct job_view){ "QUEUED", "QU" };
	return (struct job_view){ run_state_name(run->state), run_state_code(run->state) };
}

static const struct run *shown_run(const struct job *job)
{
	for (const struct run *r = job->live; r; r = r->next_live)
		if (run_state_active(r->state))
			return r;
	return job->last;
}

static bool is_trouble(const char *state)
{
	static const char *const words[] = { "FAILED", "TIMEOUT", "LOST", "KILLED", "UNKNOWN",
					     "HELD", "MISSED", "EXPIRED" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(state, words[i]) == 0)
			return true;
	return false;
}

/* ---- what blocks ---- */

static const char *cycle_of(struct command_call *call, struct job *job)
{
	char *label;

	for (const struct run *r = job->live; r; r = r->next_live)
		if (r->state == CHIME__RUN_STATE__RUN_WAITING && r->needs_condition)
			return r->cycle;
	label = arena_take(&call->node->arena, NAME_LABEL_SIZE);
	node_set_zone(call->node, job);
	engine_current_cycle(job, call->node->now, label);
	return label;
}

static const char *why_cycle(struct command_call *call, struct job *job)
{
	const struct run *upstream = newest_upstream(call, job);

	return upstream ? upstream->cycle : cycle_of(call, job);
}

struct roots { char **list; size_t count, depth; uint64_t question; };

enum { ROOTS_MAX = 16, ROOT_DEPTH = 32 };

static void add_root(struct roots *roots, char *key)
{
	for (size_t i = 0; i < roots->count; i++)
		if (strcmp(roots->list[i], key) == 0)
			return;
	if (roots->count < ROOTS_MAX)
		roots->list[roots->count++] = key;
}

/* Goes up through false atoms until a job that no other explains. */
static void find_roots(struct command_call *call, struct job *job, const char *cycle,
		       struct roots *roots)
{
	const struct event_ref *proofs[CONDITION_ATOMS_MAX];
	bool values[CONDITION_ATOMS_MAX];

	/* Everybody once: ways through a graph double with every level, and may be rings. */
	job->asked = roots->question;
	if (!job->has_condition || roots->depth >= ROOT_DEPTH ||
	    engine_atoms(&call->node->model, job, cycle, values, proofs))
		return;
	roots->depth++;
	for (size_t i = 0; i < job->condition.atom_count; i++) {
		struct job *producer;
		size_t before = roots->count;

		if (values[i])
			continue;
		producer = model_find_job(&call->node->model, job->condition.atoms[i].job,
					  job->condition.atoms[i].server);
		if (!producer || producer->asked == roots->question)
			continue;
		if (!producer->last || !run_state_over(producer->last->state) ||
		    producer->last->state == CHIME__RUN_STATE__RUN_SKIPPED)
			find_roots(call, producer, cycle, roots);
		if (roots->count == before)
			add_root(roots, producer->key);
	}
	roots->depth--;
}

static void fill_blockers(struct command_call *call, struct job *job, Chime__JobRow *row)
{
	const struct event_ref *proofs[CONDITION_ATOMS_MAX];
	bool values[CONDITION_ATOMS_MAX];
	const char *cycle;
	struct roots roots = { 0 };

	if (!job->has_condition)
		return;
	cycle = why_cycle(call, job);
	if (engine_atoms(&call->node->model, job, cycle, values, proofs))
		return;
	row->blocked_by = arena_take(&call->node->arena,
				     job->condition.atom_count * sizeof(char *));
	for (size_t i = 0; i < job->condition.atom_count; i++)
		if (!values[i])
			row->blocked_by[row->n_blocked_by++] =
				arena_print(&call->node->arena, "%s@%s",
					    job->condition.atoms[i].job,
					    job->condition.atoms[i].server);
	roots.list = arena_take(&call->node->arena, ROOTS_MAX * sizeof(char *));
	roots.question = ++call->node->model.questions;
	find_roots(call, job, cycle, &roots);
	row->root = roots.list;
	row->n_root = roots.count;
}

static char *note_of(struct command_call *call, struct job *job, const Chime__JobRow *row)
{
	struct arena *arena = &call->node->arena;
	const struct run *run = shown_run(job);

	if (job->held)
		return job->held_reason ? arena_print(arena, "%s: %s", job->held_by,
						      job->held_reason) :
					  arena_copy_text(arena, job->held_by);
	if (!job->defined)
		return "removed";
	if (!job->enabled)
		return "disabled";
	if (row->n_blocked_by && (!run || strcmp(row->state, "WAITING") == 0))
		return arena_print(arena, "needs %s", row->blocked_by[0]);
	if (!run)
		return NULL;
	if (run->detail[0])
		return arena_copy_text(arena, run->detail);
	if (run->state == CHIME__RUN_STATE__RUN_FAILED && run->exit_code >= 0)
		return arena_print(arena, "exit %d", run->exit_code);
	if (run->signal)
		return arena_print(arena, "signal %d", run->signal);
	return run->forced ? arena_print(arena, "forced by %s", run->actor) : NULL;
}

static void fill_times(Chime__JobRow *row, const struct run *run)
{
	if (!run)
		return;
	row->has_run = true;
	row->run = run->id.seq;
	row->has_exit_code = run->exit_code >= 0;
	row->exit_code = run->exit_code;
	row->has_since = true;
	row->since = run->ended_us ? run->ended_us : run->started_us ? run->started_us :
								       run->created_us;
	row->has_took_us = run->ended_us && run->started_us;
	row->took_us = span_between(run->started_us, run->ended_us);
}

Chime__JobRow *command_job_row(struct command_call *call, struct job *job)
{
	Chime__JobRow *row = arena_take(&call->node->arena, sizeof(*row));
	struct job_view view = view_of(call, job);
	struct slot next;

	chime__job_row__init(row);
	row->job = job->name;
	row->server = job->server;
	row->state = (char *)view.state;
	row->code = (char *)view.code;
	fill_times(row, shown_run(job));
	node_set_zone(call->node, job);
	if (job->defined && job->enabled && job->schedule.kind != SCHEDULE_NONE && job->zone &&
	    schedule_next(&job->schedule, job->zone, wall_seconds(call->node->now.wall),
			  &next) == 0) {
		row->has_next = true;
		row->next = next.utc_s;
	}
	fill_blockers(call, job, row);
	row->note = note_of(call, job, row);
	row->has_held = row->has_enabled = row->has_stale = true;
	row->held = job->held;
	row->held_by = job->held ? job->held_by : NULL;
	row->enabled = job->enabled;
	row->stale = !command_heard(call->node, job->server);
	return row;
}

/* ---- ls and status ---- */

static Chime__ServerRow **silent_servers(struct command_call *call, size_t *count)
{
	Chime__ServerRow **list = arena_take(&call->node->arena,
		(peers_count(&call->node->peers) + 1) * sizeof(*list));

	*count = 0;
	for (struct peer *p = call->node->peers.list; p; p = p->hh.next)
		if (!command_heard(call->node, p->server))
			list[(*count)++] = command_server_row(call, p);
	return list;
}

/* Adds the direct consumers of every job in the list, each job once. */
static struct job **with_consumers(struct command_call *call, struct job **jobs, size_t *count)
{
	size_t room = HASH_COUNT(call->node->model.jobs) + 1, n = 0;
	struct job **all = arena_take(&call->node->arena, room * sizeof(*all));
	uint64_t question = ++call->node->model.questions;

	for (size_t i = 0; i < *count; i++) {
		jobs[i]->asked = question;
		all[n++] = jobs[i];
	}
	for (size_t i = 0; i < *count; i++)
		for (size_t k = 0; k < jobs[i]->consumer_count; k++) {
			struct job *consumer = jobs[i]->consumers[k];

			if (consumer->asked == question || !(consumer->defined || consumer->live))
				continue;
			consumer->asked = question;
			all[n++] = consumer;
		}
	*count = n;
	return all;
}

/* Up to where each log is told by this answer: what is in the journal. */
static void add_positions(struct command_call *call, Chime__JobsReply *reply)
{
	struct node *node = call->node;
	struct arena *arena = &node->arena;

	reply->position = arena_take(arena, (peers_count(&node->peers) + 1) *
					    sizeof(*reply->position));
	for (const struct peer *p = node->peers.list; p; p = p->hh.next) {
		const struct chain_lineage *newest = NULL;
		Chime__Position *position;

		for (size_t i = 0; i < p->chain.lineage_count; i++)
			if (p->chain.lineages[i].open)
				newest = &p->chain.lineages[i];
		if (!newest)
			continue;
		position = arena_take(arena, sizeof(*position));
		chime__position__init(position);
		position->server = (char *)p->server;
		position->lineage = arena_take(arena, sizeof(*position->lineage));
		chime__lineage__init(position->lineage);
		position->lineage->has_boot = position->lineage->has_tag = true;
		position->lineage->boot = newest->lineage.boot;
		position->lineage->tag = newest->lineage.tag;
		position->has_seq = position->has_hash = true;
		position->seq = newest->seq;
		position->hash.data = arena_copy(arena, newest->hash.b, DIGEST_SIZE);
		position->hash.len = DIGEST_SIZE;
		reply->position[reply->n_position++] = position;
	}
}

/* Rows that fit into one message; the first ones of the answer leave in messages of their own. */
static void send_full_parts(struct command_call *call, Chime__JobsReply *reply)
{
	enum { PART_BYTES = 512 * 1024 };
	size_t first = 0, bytes = 0, all = reply->n_job;
	Chime__JobRow **rows = reply->job;

	for (size_t i = 0; i < all; i++) {
		Chime__JobsReply part = CHIME__JOBS_REPLY__INIT;
		size_t size = chime__job_row__get_packed_size(rows[i]);

		bytes += size;
		if (bytes <= PART_BYTES)
			continue;
		part.job = rows + first;
		part.n_job = i - first;
		call->reply.body_case = CHIME__REPLY__BODY_JOBS;
		call->reply.jobs = &part;
		call->reply.done = false;
		node_reply(call->node, call->conn, &call->reply);
		first = i;
		bytes = size;
	}
	reply->job = rows + first;
	reply->n_job = all - first;
	call->reply.done = true;
}

void command_jobs(struct command_call *call)
{
	const Chime__JobsRequest *request = call->request->jobs;
	Chime__JobsReply *reply = arena_take(&call->node->arena, sizeof(*reply));
	size_t count;
	struct job **jobs = command_find_jobs(call, request->target, request->n_target, &count);

	if (!jobs)
		return;
	if (request->consumers)
		jobs = with_consumers(call, jobs, &count);
	chime__jobs_reply__init(reply);
	reply->job = arena_take(&call->node->arena, (count + 1) * sizeof(*reply->job));
	for (size_t i = 0; i < count; i++) {
		Chime__JobRow *row = command_job_row(call, jobs[i]);

		if (!request->trouble || is_trouble(row->state))
			reply->job[reply->n_job++] = row;
	}
	send_full_parts(call, reply);
	add_positions(call, reply);
	reply->silent = silent_servers(call, &reply->n_silent);
	reply->environment = (char *)call->node->setup.environment;
	reply->server = (char *)call->node->setup.server;
	reply->has_time = reply->has_total = true;
	reply->time = call->node->now.wall.us;
	reply->total = (uint32_t)count;
	call->reply.body_case = CHIME__REPLY__BODY_JOBS;
	call->reply.jobs = reply;
}

static void count_state(Chime__StatusReply *reply, struct arena *arena, const char *state)
{
	for (size_t i = 0; i < reply->n_count; i++)
		if (strcmp(reply->count[i]->name, state) == 0) {
			reply->count[i]->value++;
			return;
		}
	reply->count[reply->n_count] = arena_take(arena, sizeof(Chime__Counter));
	chime__counter__init(reply->count[reply->n_count]);
	reply->count[reply->n_count]->name = (char *)state;
	reply->count[reply->n_count]->has_value = true;
	reply->count[reply->n_count++]->value = 1;
}

static void fill_counters(struct command_call *call, Chime__StatusReply *reply)
{
	struct node *node = call->node;

	reply->counter = arena_take(&node->arena, NODE_COUNTERS_MAX * sizeof(*reply->counter));
	for (size_t i = 0; i < node->counter_count; i++) {
		Chime__Counter *c = arena_take(&node->arena, sizeof(*c));

		chime__counter__init(c);
		c->name = (char *)node->counters[i].name;
		c->has_value = true;
		c->value = node->counters[i].value;
		reply->counter[reply->n_counter++] = c;
	}
}

void command_status(struct command_call *call)
{
	enum { STATES_MAX = 24, WORST_MAX = 10 };
	struct node *node = call->node;
	Chime__StatusReply *reply = arena_take(&node->arena, sizeof(*reply));
	size_t count;
	struct job **jobs = command_find_jobs(call, NULL, 0, &count);

	chime__status_reply__init(reply);
	reply->count = arena_take(&node->arena, STATES_MAX * sizeof(*reply->count));
	reply->worst = arena_take(&node->arena, WORST_MAX * sizeof(*reply->worst));
	for (size_t i = 0; i < count; i++) {
		struct job_view view = view_of(call, jobs[i]);

		count_state(reply, &node->arena, view.state);
		if (is_trouble(view.state) && reply->n_worst < WORST_MAX)
			reply->worst[reply->n_worst++] = command_job_row(call, jobs[i]);
	}
	reply->silent = silent_servers(call, &reply->n_silent);
	if (node->unproven) {
		reply->alarm = arena_take(&node->arena, sizeof(char *));
		reply->alarm[reply->n_alarm++] =
			arena_print(&node->arena, "%s: %s", node->setup.server, node->unproven_why);
	}
	fill_counters(call, reply);
	reply->environment = (char *)node->setup.environment;
	reply->server = (char *)node->setup.server;
	reply->has_time = true;
	reply->time = node->now.wall.us;
	call->reply.body_case = CHIME__REPLY__BODY_STATUS;
	call->reply.status = reply;
}

/* ---- why ---- */

static Chime__Line *new_line(struct command_call *call, const char *what, const char *verdict,
			     const char *text)
{
	Chime__Line *line = arena_take(&call->node->arena, sizeof(*line));

	chime__line__init(line);
	line->what = (char *)what;
	line->verdict = (char *)verdict;
	line->text = (char *)text;
	return line;
}

static Chime__Line *time_line(struct command_call *call, const struct job *job)
{
	char words[SCHEDULE_DESCRIBE_MAX], due[NAME_INSTANT_SIZE];
	struct arena *arena = &call->node->arena;
	bool armed = false;
	Chime__Line *line;

	schedule_describe(&job->schedule, words, sizeof(words));
	for (const struct run *r = job->live; r; r = r->next_live)
		armed |= r->state == CHIME__RUN_STATE__RUN_WAITING &&
			 r->cause == CHIME__CAUSE__CAUSE_SCHEDULE;
	line = new_line(call, "time", armed ? "ok" : "NO",
			arena_print(arena, "%s %s", words, job->timezone ? job->timezone : "UTC"));
	if (job->has_next) {
		instant_format(job->next.utc_s * USEC_PER_SEC, due);
		line->detail = arena_print(arena, "next %s", due);
	}
	return line;
}

static char *proof_detail(struct command_call *call, const struct job *producer,
			  const char *cycle)
{
	struct arena *arena = &call->node->arena;
	char instant[NAME_INSTANT_SIZE];
	const struct run *run = producer ? producer->last : NULL;

	if (!producer || (!producer->defined && !run))
		return "was never heard of";
	if (!run)
		return "has not run";
	if (!run->ended_us)
		return arena_print(arena, "%s, run %llu@%s, cycle %s", run_state_name(run->state),
				   (unsigned long long)run->id.seq, producer->server,
				   run->cycle[0] ? run->cycle : "none");
	instant_format(run->ended_us / USEC_PER_SEC * USEC_PER_SEC, instant);
	return arena_print(arena, "%s %s%s%s, run %llu@%s%s%s", run_state_name(run->state), instant,
			   run->exit_code > 0 ? ", exit " : "",
			   run->exit_code > 0 ? arena_print(arena, "%d", run->exit_code) : "",
			   (unsigned long long)run->id.seq, producer->server,
			   cycle_compatible(run->cycle, cycle) ? "" : ", of cycle ",
			   cycle_compatible(run->cycle, cycle) ? "" : run->cycle);
}

static Chime__Line *atom_line(struct command_call *call, const struct atom *atom, bool value,
			      const struct event_ref *proof, const char *cycle)
{
	struct arena *arena = &call->node->arena;
	const struct job *producer = model_find_job(&call->node->model, atom->job, atom->server);
	char text[NAME_JOB_MAX + NAME_SERVER_MAX + 32], ref[NAME_SERVER_MAX + 24];
	Chime__Line *line;

	(void)atom_format(atom, text, sizeof(text));
	/* True facts stay true; what is not true yet of a server not heard is not known. */
	line = new_line(call, "after", value ? "ok" : command_heard(call->node, atom->server) ?
			"NO" : "??", arena_copy_text(arena, text));
	line->detail = proof_detail(call, producer, cycle);
	if (proof) {
		event_ref_format(proof, ref);
		line->proof = arena_copy_text(arena, ref);
	}
	return line;
}

static Chime__Line *overlap_line(struct command_call *call, const struct job *job)
{
	struct arena *arena = &call->node->arena;
	uint32_t active = 0;
	const struct run *first = NULL;

	for (const struct run *r = job->live; r; r = r->next_live)
		if (run_state_active(r->state)) {
			active++;
			first = first ? first : r;
		}
	if (active < job_parallel(job))
		return new_line(call, "overlap", "ok", active ? arena_print(arena,
				"%u of %u running", active, job_parallel(job)) : "not running");
	return new_line(call, "overlap", "NO",
			arena_print(arena, "run %llu@%s is %s", (unsigned long long)first->id.seq,
				    job->server, run_state_name(first->state)));
}

Chime__Line **command_lines(struct command_call *call, struct job *job, const char *cycle,
			    size_t *count)
{
	const struct event_ref *proofs[CONDITION_ATOMS_MAX];
	bool values[CONDITION_ATOMS_MAX];
	struct arena *arena = &call->node->arena;
	Chime__Line **lines = arena_take(arena, (CONDITION_ATOMS_MAX + 8) * sizeof(*lines));
	size_t n = 0;

	if (!job->defined)
		lines[n++] = new_line(call, "job", "NO", "it was removed");
	else if (!job->enabled)
		lines[n++] = new_line(call, "enabled", "NO", "enabled: false");
	if (job->schedule.kind != SCHEDULE_NONE)
		lines[n++] = time_line(call, job);
	if (job->has_condition) {
		(void)engine_atoms(&call->node->model, job, cycle, values, proofs);
		for (size_t i = 0; i < job->condition.atom_count; i++)
			lines[n++] = atom_line(call, &job->condition.atoms[i], values[i],
					       proofs[i], cycle);
	}
	lines[n++] = job->held ? new_line(call, "hold", "NO", arena_print(arena, "held by %s%s%s",
					  job->held_by, job->held_reason ? ": " : "",
					  job->held_reason ? job->held_reason : "")) :
				 new_line(call, "hold", "ok", "not held");
	lines[n++] = overlap_line(call, job);
	if (job->own && call->node->unproven)
		lines[n++] = new_line(call, "server", "NO", call->node->unproven_why);
	*count = n;
	return lines;
}

struct one_run { struct command_call *call; Chime__RunRow *row; };

/* Rows live until the next one only: packed and unpacked into the turn's memory. */
static void keep_run_cb(void *arg, const Chime__RunRow *row)
{
	struct one_run *one = arg;
	size_t len = chime__run_row__get_packed_size(row);
	uint8_t *bytes = arena_take(&one->call->node->arena, len);

	chime__run_row__pack(row, bytes);
	chime__run_row__free_unpacked(one->row, NULL);
	one->row = chime__run_row__unpack(NULL, len, bytes);
}

static char **root_texts(struct command_call *call, const Chime__JobRow *row, size_t *count)
{
	struct arena *arena = &call->node->arena;
	char **list = arena_take(arena, (row->n_root + 1) * sizeof(char *));

	*count = 0;
	for (size_t i = 0; i < row->n_root; i++) {
		struct target t;
		struct job *job;

		if (target_parse(row->root[i], &t, NULL) < 0 ||
		    !(job = model_find_job(&call->node->model, t.job, t.server)))
			continue;
		list[(*count)++] = arena_print(arena, "%s %s", job->key,
					       view_of(call, job).state);
	}
	return list;
}

void command_why(struct command_call *call)
{
	struct node *node = call->node;
	Chime__WhyReply *reply = arena_take(&node->arena, sizeof(*reply));
	struct one_run one = { call, NULL };
	uint64_t run = 0;
	struct job *job = command_find_job(call, call->request->why->target, &run);

	if (!job)
		return;
	chime__why_reply__init(reply);
	reply->row = command_job_row(call, job);
	reply->line = command_lines(call, job, why_cycle(call, job), &reply->n_line);
	reply->root = root_texts(call, reply->row, &reply->n_root);
	if (run || (job->last && !reply->row->n_blocked_by))
		journal_each_run(node->setup.journal, job->name, job->server,
				 run ? run : job->last->id.seq, 1, true, keep_run_cb, &one);
	reply->run = one.row;
	call->reply.body_case = CHIME__REPLY__BODY_WHY;
	call->reply.why = reply;
	call->to_free = one.row;
}

/* ---- show ---- */

static Chime__JobDefined *definition_of(struct command_call *call, const struct job *job)
{
	Chime__JobDefined *d = arena_take(&call->node->arena, sizeof(*d));

	chime__job_defined__init(d);
	d->job = (char *)job->name;
	d->server_text = job->server_text;
	d->about = job->about;
	d->has_schedule_kind = true;
	d->schedule_kind = (Chime__ScheduleKind)job->schedule.kind;
	d->schedule = job->schedule_text;
	d->timezone = job->timezone;
	if (job->schedule.kind == SCHEDULE_AT) {
		d->dst_gap = (char *)dst_gap_name(job->schedule.gap);
		d->dst_overlap = (char *)dst_overlap_name(job->schedule.overlap);
	}
	d->cycle = (char *)cycle_kind_name(job_cycle_kind(job));
	d->after = job->after;
	d->has_overlap = d->has_enabled = d->has_hash = true;
	d->has_overlap_n = job->overlap_n > 0;
	d->has_max_time_us = job->max_time_us > 0;
	d->overlap = (Chime__OverlapKind)job->overlap;
	d->overlap_n = job->overlap_n;
	d->enabled = job->enabled;
	d->max_time_us = job->max_time_us;
	d->hash = (ProtobufCBinaryData){ sizeof(job->hash), (uint8_t *)job->hash };
	return d;
}

struct run_list { struct command_call *call; Chime__RunRow **rows; size_t count; };

static void add_run_cb(void *arg, const Chime__RunRow *row)
{
	struct run_list *list = arg;
	struct one_run one = { list->call, NULL };

	keep_run_cb(&one, row);
	list->rows[list->count++] = one.row;
}

void command_show(struct command_call *call)
{
	enum { RUNS_SHOWN = 5 };
	struct node *node = call->node;
	Chime__ShowReply *reply = arena_take(&node->arena, sizeof(*reply));
	struct run_list runs = { .call = call };
	char words[SCHEDULE_DESCRIBE_MAX];
	uint64_t run = 0;
	struct job *job = command_find_job(call, call->request->show->target, &run);

	if (!job)
		return;
	chime__show_reply__init(reply);
	reply->row = command_job_row(call, job);
	reply->definition = definition_of(call, job);
	reply->line = command_lines(call, job, why_cycle(call, job), &reply->n_line);
	schedule_describe(&job->schedule, words, sizeof(words));
	reply->schedule = arena_copy_text(&node->arena, words);
	if (job->own)
		reply->text = definitions_text(node, job->name);
	reply->consumer = arena_take(&node->arena, (job->consumer_count + 1) * sizeof(char *));
	for (size_t i = 0; i < job->consumer_count; i++)
		if (job->consumers[i]->defined)
			reply->consumer[reply->n_consumer++] = job->consumers[i]->key;
	runs.rows = arena_take(&node->arena, RUNS_SHOWN * sizeof(*runs.rows));
	journal_each_run(node->setup.journal, job->name, job->server, 0, RUNS_SHOWN, false,
			 add_run_cb, &runs);
	reply->run = runs.rows;
	reply->n_run = runs.count;
	call->to_free_list = runs.rows;
	call->to_free_count = runs.count;
	call->reply.body_case = CHIME__REPLY__BODY_SHOW;
	call->reply.show = reply;
}

/* ---- next ---- */

static int compare_next(const void *a, const void *b)
{
	const Chime__NextRow *x = *(Chime__NextRow *const *)a, *y = *(Chime__NextRow *const *)b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return strcmp(x->job, y->job);
}

static void add_next(struct command_call *call, Chime__NextReply *reply, struct job *job,
		     uint32_t count)
{
	struct node *node = call->node;
	struct slot slot = { .utc_s = wall_seconds(node->now.wall) };

	node_set_zone(node, job);
	if (job->schedule.kind == SCHEDULE_NONE || !job->zone || !job->enabled || !job->defined)
		return;
	if (schedule_next(&job->schedule, job->zone, slot.utc_s, &slot) < 0)
		return;
	for (uint32_t i = 0; i < count; i++) {
		Chime__NextRow *row = arena_take(&node->arena, sizeof(*row));

		chime__next_row__init(row);
		row->job = job->name;
		row->server = job->server;
		row->slot = arena_copy_text(&node->arena, slot.key);
		row->has_time = true;
		row->time = slot.utc_s;
		row->note = job->held ? "held" : job->has_condition ? "then waits for after" : NULL;
		reply->next[reply->n_next++] = row;
		if (schedule_next_slot(&job->schedule, job->zone, &slot, &slot) < 0)
			break;
	}
}

void command_next(struct command_call *call)
{
	enum { COUNT_MAX = 1000, ROWS_MAX = 20000 };
	const Chime__NextRequest *request = call->request->next;
	struct node *node = call->node;
	Chime__NextReply *reply = arena_take(&node->arena, sizeof(*reply));
	uint32_t each = request->count ? request->count : 1;
	size_t count;
	struct job **jobs = command_find_jobs(call, request->target, request->n_target, &count);

	if (!jobs)
		return;
	if (each > COUNT_MAX)
		each = COUNT_MAX;
	if (count * each > ROWS_MAX)
		each = count < ROWS_MAX ? (uint32_t)(ROWS_MAX / (count ? count : 1)) : 1;
	chime__next_reply__init(reply);
	reply->next = arena_take(&node->arena, (count * each + 1) * sizeof(*reply->next));
	reply->words = arena_take(&node->arena, (count + 1) * sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		char words[SCHEDULE_DESCRIBE_MAX];

		add_next(call, reply, jobs[i], each);
		schedule_describe(&jobs[i]->schedule, words, sizeof(words));
		reply->words[reply->n_words++] = arena_print(&node->arena, "%s: %s%s%s",
			jobs[i]->key, words, words[0] && jobs[i]->after ? ", " : "",
			jobs[i]->after ? arena_print(&node->arena, "after %s", jobs[i]->after) : "");
	}
	qsort(reply->next, reply->n_next, sizeof(*reply->next), compare_next);
	call->reply.body_case = CHIME__REPLY__BODY_NEXT;
	call->reply.next = reply;
}
