/* Questions about what was: runs, log, events. */
#include "daemon/command/command.h"

#include "proto/budget.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- runs ---- */

enum { RUNS_DEFAULT = 20, RUNS_MAX = 10000, RUNS_TARGETS_MAX = 1000 };

struct runs { struct command_call *call; Chime__RunRow **rows; size_t count, limit; };

static void add_run_cb(void *arg, const Chime__RunRow *row)
{
	struct runs *runs = arg;
	size_t len = chime__run_row__get_packed_size(row);
	uint8_t *bytes;

	if (runs->count == runs->limit)
		return;
	bytes = arena_take(&runs->call->node->arena, len);
	chime__run_row__pack(row, bytes);
	runs->rows[runs->count] = chime__run_row__unpack(NULL, len, bytes);
	runs->count += runs->rows[runs->count] != NULL;
}

static int compare_runs(const void *a, const void *b)
{
	const Chime__RunRow *x = *(Chime__RunRow *const *)a, *y = *(Chime__RunRow *const *)b;

	if (x->created != y->created)
		return x->created > y->created ? -1 : 1;
	return x->run > y->run ? -1 : x->run < y->run;
}

/* Puts the newest first and forgets what comes after the limit, or twice. */
static void trim_runs(struct runs *runs, size_t limit)
{
	size_t kept = 0;

	qsort(runs->rows, runs->count, sizeof(*runs->rows), compare_runs);
	for (size_t i = 0; i < runs->count; i++) {
		Chime__RunRow *row = runs->rows[i];
		const Chime__RunRow *last = kept ? runs->rows[kept - 1] : NULL;

		if (kept == limit || (last && compare_runs(&last, &row) == 0 &&
				      strcmp(last->server, row->server) == 0))
			chime__run_row__free_unpacked(row, NULL);
		else
			runs->rows[kept++] = row;
	}
	runs->count = kept;
}

/* What a waiting run waits for is known to its owner only. */
static void fill_waiting(struct command_call *call, Chime__RunRow *row)
{
	const struct run *run = model_find_run(&call->node->model, row->server, row->run);

	if (run && run->state == CHIME__RUN_STATE__RUN_WAITING && run->job->own)
		row->waiting = strdup(run_wait_name(engine_wait(&call->node->engine, run)));
}

void command_runs(struct command_call *call)
{
	const Chime__RunsRequest *request = call->request->runs;
	struct node *node = call->node;
	uint32_t limit = request->limit ? request->limit : RUNS_DEFAULT;
	Chime__RunsReply *reply = arena_take(&node->arena, sizeof(*reply));
	struct runs runs = { .call = call };
	size_t known;

	if (limit > RUNS_MAX)
		limit = RUNS_MAX;
	if (request->n_target > RUNS_TARGETS_MAX) {
		command_refuse(call, 2, "that is too much to ask at once",
			       "runs takes up to 1000 targets", NULL);
		return;
	}
	runs.limit = limit;
	runs.rows = arena_take(&node->arena, (2 * (size_t)limit + 1) * sizeof(*runs.rows));
	if (!request->n_target)
		journal_each_run(node->setup.journal, "", "", 0, limit, request->attempts,
				 add_run_cb, &runs);
	for (size_t i = 0; i < request->n_target; i++) {
		struct target t;
		const char *why;

		if (target_parse(request->target[i], &t, &why) < 0) {
			command_refuse(call, 2, arena_print(&node->arena, "%s is not a target",
							    request->target[i]), why, NULL);
			goto out;
		}
		if (!t.server[0] && !t.run && !t.glob &&
		    model_find_job(&node->model, t.job, node->setup.server))
			snprintf(t.server, sizeof(t.server), "%s", node->setup.server);
		runs.limit = runs.count + limit;
		journal_each_run(node->setup.journal, t.job, t.server, t.run, limit,
				 request->attempts, add_run_cb, &runs);
		trim_runs(&runs, limit);
	}
	/* Nothing, because there is no such job? The search refuses with the nearest name. */
	if (!runs.count && request->n_target &&
	    !command_find_jobs(call, request->target, request->n_target, &known))
		goto out;
	trim_runs(&runs, limit);
	chime__runs_reply__init(reply);
	reply->run = runs.rows;
	reply->n_run = runs.count;
	for (size_t i = 0; i < reply->n_run; i++)
		fill_waiting(call, reply->run[i]);
	call->reply.body_case = CHIME__REPLY__BODY_RUNS;
	call->reply.runs = reply;
out:
	call->to_free_list = runs.rows;
	call->to_free_count = runs.count;
}

/* ---- log ---- */

static bool run_attempt(struct command_call *call, const struct job *job, uint64_t number,
			struct attempt_id *id, bool *live)
{
	const struct run *run = number ? model_find_run(&call->node->model, job->server, number) :
					 job->last;

	/* The newest run may be one that never began; its forerunner has the output. */
	*live = run && run_state_active(run->state);
	if (run && run->attempt) {
		*id = (struct attempt_id){ .boot = run->boot, .tag = run->tag,
					   .seq = run->id.seq, .attempt = run->attempt };
		return true;
	}
	return journal_find_attempt(call->node->setup.journal, job->server, job->name, number, id);
}

void command_log(struct command_call *call)
{
	const Chime__LogRequest *request = call->request->log;
	struct node *node = call->node;
	struct attempt_id id = { 0 };
	struct output_waiter *w;
	uint64_t number = 0;
	bool live;
	struct job *job = command_find_job(call, request->target, &number);

	if (!job)
		return;
	if (!job->own) {
		const struct peer *peer = peers_find(&node->peers, job->server);

		command_refuse(call, 4, arena_print(&node->arena, "the output of %s is on server %s",
						    job->key, job->server),
			       "output stays where the job runs",
			       peer && peer->address_count ?
			       arena_print(&node->arena, "chime --via %s log %s",
					   peer->addresses[0], request->target) : NULL);
		/* So that a client with a certificate can go there by itself. */
		call->reply.refusal->server = (char *)job->server;
		call->reply.refusal->address = arena_take(&node->arena, PEER_ADDRESSES_MAX *
							  sizeof(char *));
		for (size_t i = 0; peer && i < peer->address_count; i++)
			call->reply.refusal->address[i] =
				arena_copy_text(&node->arena, peer->addresses[i]);
		call->reply.refusal->n_address = peer ? peer->address_count : 0;
		return;
	}
	if (!run_attempt(call, job, number, &id, &live)) {
		command_refuse(call, 3, arena_print(&node->arena, "%s has no output", job->key),
			       "it has not run yet", NULL);
		return;
	}
	if (node->output_order_count ==
	    sizeof(node->output_orders) / sizeof(node->output_orders[0])) {
		command_refuse(call, 1, "the server is busy", NULL, "ask again");
		return;
	}
	w = calloc(1, sizeof(*w));
	assert(w);
	w->cookie = ++node->next_output_cookie;
	w->conn = call->conn;
	w->id = call->request->id;
	w->offset = request->offset;
	w->last = request->last;
	/* The output of a run that is over is complete: nobody will close it again. */
	w->follow = request->follow && live;
	snprintf(w->run, sizeof(w->run), "%llu@%s", (unsigned long long)id.seq, job->server);
	w->next = node->output_waiters;
	node->output_waiters = w;
	node->output_orders[node->output_order_count].id = id;
	node->output_orders[node->output_order_count++].cookie = w->cookie;
	call->later = true;
}

/* ---- events ---- */

enum { EVENTS_DEFAULT = 20, EVENTS_MAX = 10000, EVENTS_A_REPLY = 200 };

struct event_row { Chime__EventRow row; Chime__Lineage lineage; char origin[FRAME_ORIGIN_SIZE]; };

struct events {
	struct command_call *call;
	Chime__EventRow **rows;
	size_t count, limit;
	uint64_t from;
	int64_t since_us;
	bool newest_first;
	const char *origin;		/* NULL = all */
};

static void add_event(struct events *events, const char *origin, struct lineage lineage,
		      uint64_t seq, const ProtobufCBinaryData *bytes)
{
	struct arena *arena = &events->call->node->arena;
	struct event_row *r = arena_take(arena, sizeof(*r));

	chime__event_row__init(&r->row);
	chime__lineage__init(&r->lineage);
	snprintf(r->origin, sizeof(r->origin), "%s", origin);
	r->lineage.has_boot = r->lineage.has_tag = true;
	r->lineage.boot = lineage.boot;
	r->lineage.tag = lineage.tag;
	r->row.origin = r->origin;
	r->row.lineage = &r->lineage;
	r->row.has_seq = r->row.has_event = true;
	r->row.seq = seq;
	r->row.event.len = bytes->len;
	r->row.event.data = arena_copy(arena, bytes->data, bytes->len);
	events->rows[events->count++] = &r->row;
}

static bool event_is_older(const ProtobufCBinaryData *bytes, int64_t since_us)
{
	Chime__Event *event;
	bool older;

	if (!since_us)
		return false;
	event = (Chime__Event *)budget_unpack(&chime__event__descriptor, bytes->data, bytes->len);
	older = event && event->time < since_us;
	chime__event__free_unpacked(event, NULL);
	return older;
}

static bool read_frame_cb(void *arg, const uint8_t *raw, size_t len)
{
	struct events *events = arg;
	struct frame frame;
	Chime__Events *list;
	bool more = true;

	if (frame_parse(raw, len, &frame) != FRAME_OK ||
	    (events->origin && strcmp(events->origin, frame.origin) != 0))
		return true;
	list = (Chime__Events *)budget_unpack(&chime__events__descriptor, frame.body,
					      frame.body_len);
	for (size_t k = 0; list && k < list->n_event && more; k++) {
		size_t i = events->newest_first ? list->n_event - 1 - k : k;

		if (events->count == events->limit)
			more = false;
		else if (event_is_older(&list->event[i], events->since_us))
			more = !events->newest_first;
		else if (frame.first_seq + i >= events->from)
			add_event(events, frame.origin, frame.lineage, frame.first_seq + i,
				  &list->event[i]);
	}
	chime__events__free_unpacked(list, NULL);
	return more && events->count < events->limit;
}

/* Own events of this very turn are in no frame yet, and were told before anybody subscribed. */
static void add_own_of_turn(struct events *events)
{
	struct node *node = events->call->node;
	size_t count = 0, at = 0;
	const struct own_event **list;

	if (events->origin && strcmp(events->origin, node->setup.server) != 0)
		return;
	for (const struct own_event *own = node->own; own; own = own->next)
		count++;
	list = arena_take(&node->arena, (count + 1) * sizeof(*list));
	for (const struct own_event *own = node->own; own; own = own->next)
		list[events->newest_first ? count - 1 - at++ : at++] = own;
	for (size_t i = 0; i < count && events->count < events->limit; i++) {
		ProtobufCBinaryData bytes = { list[i]->len, (uint8_t *)list[i]->bytes };

		if (list[i]->seq >= events->from)
			add_event(events, node->setup.server, node->lineage, list[i]->seq, &bytes);
	}
}

static void reverse(Chime__EventRow **rows, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		Chime__EventRow *row = rows[i];

		rows[i] = rows[count - 1 - i];
		rows[count - 1 - i] = row;
	}
}

/* Every one costs a copy of every event. */
static bool follows_enough(const struct command_call *call)
{
	enum { FOLLOWS_MAX = 8 };
	size_t count = 0;

	for (const struct subscriber *s = call->node->subscribers; s; s = s->next)
		count += s->conn == call->conn;
	return count >= FOLLOWS_MAX;
}

static void subscribe(struct command_call *call, const char *origin)
{
	struct subscriber *s = calloc(1, sizeof(*s));

	assert(s);
	s->conn = call->conn;
	s->id = call->request->id;
	snprintf(s->origin, sizeof(s->origin), "%s", origin ? origin : "");
	s->next = call->node->subscribers;
	call->node->subscribers = s;
}

/* In pieces, so that no reply exceeds what a stream carries; the last one is the call's own. */
static void reply_events(struct command_call *call, struct events *events, bool follow)
{
	struct arena *arena = &call->node->arena;

	for (size_t at = 0;; at += EVENTS_A_REPLY) {
		Chime__EventsReply *part = arena_take(arena, sizeof(*part));
		size_t left = events->count - at;

		chime__events_reply__init(part);
		part->event = events->rows + at;
		part->n_event = left < EVENTS_A_REPLY ? left : EVENTS_A_REPLY;
		call->reply.body_case = CHIME__REPLY__BODY_EVENTS;
		call->reply.events = part;
		call->reply.done = left <= EVENTS_A_REPLY && !follow;
		if (left <= EVENTS_A_REPLY)
			break;
		node_reply(call->node, call->conn, &call->reply);
	}
}

void command_events(struct command_call *call)
{
	const Chime__EventsRequest *request = call->request->events;
	struct node *node = call->node;
	bool from_server = request->origin && request->has_from;
	struct events events = {
		.call = call,
		.limit = request->has_limit ? request->limit : from_server || request->since ?
			EVENTS_MAX : EVENTS_DEFAULT,
		.from = request->from,
		.since_us = request->since,
		.newest_first = !from_server,
		.origin = request->origin,
	};

	if (request->follow && follows_enough(call)) {
		command_refuse(call, 5, "events are followed too often on this connection",
			       "the server tells them 8 times at once",
			       "chime events -f   in another terminal");
		return;
	}
	if (events.limit > EVENTS_MAX)
		events.limit = EVENTS_MAX;
	events.rows = arena_take(&node->arena, (events.limit + 1) * sizeof(*events.rows));
	if (events.newest_first)
		add_own_of_turn(&events);
	if (from_server)
		journal_read_from(node->setup.journal, request->origin, request->from,
				  read_frame_cb, &events);
	else if (events.count < events.limit)
		(void)journal_read_newest(node->setup.journal, 0, read_frame_cb, &events);
	if (!events.newest_first)
		add_own_of_turn(&events);
	if (events.newest_first)
		reverse(events.rows, events.count);
	if (request->follow)
		subscribe(call, request->origin);
	reply_events(call, &events, request->follow);
}
