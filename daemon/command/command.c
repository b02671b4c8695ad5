#include "daemon/command/command.h"

#include "daemon/edge/control.h"
#include "daemon/log.h"
#include "proto/budget.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct handler {
	int request;
	void (*handle)(struct command_call *call);
};

/* The second half of the command table: what the daemon does for each row. */
static const struct handler handlers[] = {
	{ CHIME__REQUEST__BODY_STATUS, command_status },
	{ CHIME__REQUEST__BODY_JOBS, command_jobs },
	{ CHIME__REQUEST__BODY_SHOW, command_show },
	{ CHIME__REQUEST__BODY_WHY, command_why },
	{ CHIME__REQUEST__BODY_RUNS, command_runs },
	{ CHIME__REQUEST__BODY_NEXT, command_next },
	{ CHIME__REQUEST__BODY_LOG, command_log },
	{ CHIME__REQUEST__BODY_EVENTS, command_events },
	{ CHIME__REQUEST__BODY_START, command_start },
	{ CHIME__REQUEST__BODY_KILL, command_kill },
	{ CHIME__REQUEST__BODY_HOLD, command_hold },
	{ CHIME__REQUEST__BODY_RELEASE, command_release },
	{ CHIME__REQUEST__BODY_RELOAD, command_reload },
	{ CHIME__REQUEST__BODY_SERVERS, command_servers },
	{ CHIME__REQUEST__BODY_TRUST, command_trust },
	{ CHIME__REQUEST__BODY_KEY_STATUS, command_key },
	{ CHIME__REQUEST__BODY_BUS, command_bus },
	{ CHIME__REQUEST__BODY_PING, command_ping },
	{ CHIME__REQUEST__BODY_VECTOR, command_vector },
	{ CHIME__REQUEST__BODY_PULL, command_pull },
	{ CHIME__REQUEST__BODY_CERTIFICATE, command_certificate },
};

void command_refuse(struct command_call *call, uint32_t exit, const char *what, const char *why,
		    const char *try)
{
	Chime__Refusal *refusal = arena_take(&call->node->arena, sizeof(*refusal));

	chime__refusal__init(refusal);
	refusal->has_exit = true;
	refusal->exit = exit;
	refusal->what = arena_copy_text(&call->node->arena, what);
	refusal->why = arena_copy_text(&call->node->arena, why);
	refusal->try_ = arena_copy_text(&call->node->arena, try);
	call->reply.body_case = CHIME__REPLY__BODY_REFUSAL;
	call->reply.refusal = refusal;
}

/* ---- targets ---- */

static bool job_is_visible(const struct job *job)
{
	return job->defined || job->live;
}

static int compare_jobs(const void *a, const void *b)
{
	return strcmp((*(struct job *const *)a)->key, (*(struct job *const *)b)->key);
}

/* A bare name is the own job if there is one, else the same name anywhere. */
static bool target_matches(const struct node *node, const struct target *t, const struct job *job)
{
	if (t->run)
		return job->last && job->last->id.seq == t->run &&
		       (!t->server[0] || strcmp(t->server, job->server) == 0);
	if (t->server[0] && !glob_match(t->server, job->server))
		return false;
	if (t->job[0] && !glob_match(t->job, job->name))
		return false;
	if (!t->server[0] && !t->glob && !job->own) {
		const struct job *own = model_find_job(&node->model, t->job, node->setup.server);

		return !own || !job_is_visible(own);
	}
	return true;
}

/* A run that is not its job's newest any more is looked up in the history. */
struct find_run { char job[NAME_JOB_MAX + 1], server[NAME_SERVER_MAX + 1]; size_t count; };

static void find_run_cb(void *arg, const Chime__RunRow *row)
{
	struct find_run *found = arg;

	snprintf(found->job, sizeof(found->job), "%s", row->job);
	snprintf(found->server, sizeof(found->server), "%s", row->server);
	found->count++;
}

static struct job *find_job_of_run(struct node *node, const struct target *t)
{
	struct find_run found = { .count = 0 };

	journal_each_run(node->setup.journal, "", t->server, t->run, 2, false, find_run_cb, &found);
	return found.count == 1 ? model_find_job(&node->model, found.job, found.server) : NULL;
}

static const char *nearest_job(struct command_call *call, const char *text)
{
	struct node *node = call->node;
	size_t count = HASH_COUNT(node->model.jobs), n = 0;
	const char **names = arena_take(&node->arena, (2 * count + 1) * sizeof(char *));

	for (struct job *job = node->model.jobs; job; job = job->hh.next)
		if (job_is_visible(job)) {
			names[n++] = job->key;
			names[n++] = job->name;
		}
	return name_nearest(text, names, n);
}

static void refuse_unknown(struct command_call *call, const char *text)
{
	struct arena *arena = &call->node->arena;
	const char *near = nearest_job(call, text);

	command_refuse(call, 3, arena_print(arena, "no job matches %s", text), NULL,
		       near ? arena_print(arena, "did you mean %s?", near) : "chime ls");
}

/* Numbers are per server: a bare one means a run of this server, if it has that. */
static struct job *find_own_run(struct node *node, const struct target *target)
{
	struct target own = *target;

	if (!target->run || target->server[0])
		return NULL;
	snprintf(own.server, sizeof(own.server), "%s", node->setup.server);
	for (struct job *job = node->model.jobs; job; job = job->hh.next)
		if (job_is_visible(job) && target_matches(node, &own, job))
			return job;
	return find_job_of_run(node, &own);
}

static void refuse_ambiguous(struct command_call *call, const char *text, struct job **list,
			     size_t count)
{
	struct arena *arena = &call->node->arena;
	char *all = "";

	for (size_t i = 0; i < count && i < 8; i++)
		all = arena_print(arena, "%s%s%s", all, i ? "  " : "", list[i]->key);
	command_refuse(call, 3, arena_print(arena, "%s is %zu jobs, which one?", text, count),
		       all, arena_print(arena, "name one of them%s",
					call->row && call->row->action ?
					", or '...@*' for all; nothing was done" : ""));
}

static bool add_matches(struct command_call *call, const char *text, struct job **list,
			size_t *count)
{
	struct node *node = call->node;
	struct target target;
	struct job *own;
	const char *why;
	size_t before = *count;

	if (target_parse(text, &target, &why) < 0) {
		command_refuse(call, 2, arena_print(&node->arena, "%s is not a target", text),
			       why, "chime help targets");
		return false;
	}
	own = find_own_run(node, &target);
	if (own) {
		list[(*count)++] = own;
		return true;
	}
	if (!target.run && !target.glob && target.job[0] && target.server[0]) {
		struct job *job = model_find_job(&node->model, target.job, target.server);

		if (job && job_is_visible(job))
			list[(*count)++] = job;
	} else {
		for (struct job *job = node->model.jobs; job; job = job->hh.next)
			if (job_is_visible(job) && target_matches(node, &target, job))
				list[(*count)++] = job;
	}
	if (*count == before && target.run) {
		struct job *job = find_job_of_run(node, &target);

		if (job)
			list[(*count)++] = job;
	}
	if (*count == before) {
		refuse_unknown(call, text);
		return false;
	}
	/* Looking may show them all; acting never guesses which one was meant. */
	if (call->row && call->row->action && !target.glob && !target.server[0] &&
	    *count - before > 1) {
		refuse_ambiguous(call, text, list + before, *count - before);
		return false;
	}
	return true;
}

static size_t drop_doubles(struct job **list, size_t count)
{
	size_t unique = 0;

	qsort(list, count, sizeof(*list), compare_jobs);
	for (size_t i = 0; i < count; i++)
		if (!unique || list[unique - 1] != list[i])
			list[unique++] = list[i];
	return unique;
}

struct job **command_find_jobs(struct command_call *call, char **targets, size_t target_count,
			       size_t *count)
{
	struct node *node = call->node;
	enum { TARGETS_MAX = 10000 };
	size_t room = HASH_COUNT(node->model.jobs) + 1;
	struct job **list;

	if (target_count > TARGETS_MAX) {
		command_refuse(call, 2, "that is too much to ask at once",
			       "a command takes up to 10000 targets", NULL);
		return NULL;
	}
	/* What is found twice is dropped in time, so many targets need no more room than few. */
	list = arena_take(&node->arena, 3 * room * sizeof(*list));
	*count = 0;
	if (!target_count)
		for (struct job *job = node->model.jobs; job; job = job->hh.next)
			if (job_is_visible(job))
				list[(*count)++] = job;
	for (size_t i = 0; i < target_count; i++) {
		if (*count > 2 * room)
			*count = drop_doubles(list, *count);
		if (!add_matches(call, targets[i], list, count))
			return NULL;
	}
	*count = drop_doubles(list, *count);
	return list;
}

struct job *command_find_job(struct command_call *call, const char *text, uint64_t *run)
{
	char *targets[1] = { (char *)(text ? text : "") };
	struct target target;
	struct job **list;
	size_t count;

	list = command_find_jobs(call, targets, 1, &count);
	if (!list)
		return NULL;
	if (count > 1) {
		refuse_ambiguous(call, text, list, count);
		return NULL;
	}
	(void)target_parse(text, &target, NULL);
	*run = target.run;
	return list[0];
}

bool command_heard(const struct node *node, const char *server)
{
	const struct peer *peer = peers_find(&node->peers, server);

	return peer && (peer->self || peer->state == PEER_UP || peer->state == PEER_SUSPECT);
}

/* ---- who may ---- */

/* What is remembered of an identity; the one that was silent longest makes room. */
static struct node_refused *refused_of(struct node *node, const char *who)
{
	struct node_refused *oldest = &node->refused[0];

	for (size_t i = 0; i < NODE_REFUSED_MAX; i++) {
		struct node_refused *r = &node->refused[i];

		if (strcmp(r->who, who) == 0)
			return r;
		if (r->told_us < oldest->told_us)
			oldest = r;
	}
	*oldest = (struct node_refused){ .told_us = INT64_MIN / 2 };
	snprintf(oldest->who, sizeof(oldest->who), "%s", who);
	return oldest;
}

static char **targets_of(const Chime__Request *r, size_t *count)
{
	switch (r->body_case) {
	case CHIME__REQUEST__BODY_START:
		*count = r->start->n_target;
		return r->start->target;
	case CHIME__REQUEST__BODY_KILL:
		*count = r->kill->n_target;
		return r->kill->target;
	case CHIME__REQUEST__BODY_HOLD:
		*count = r->hold->n_target;
		return r->hold->target;
	case CHIME__REQUEST__BODY_RELEASE:
		*count = r->release->n_target;
		return r->release->target;
	default:
		*count = 0;
		return NULL;
	}
}

/* At most one a second of each identity is logged, the rest is counted in its next. */
static void record_refused(struct command_call *call, const char *why)
{
	struct node *node = call->node;
	struct node_refused *before;
	Chime__Event event;
	Chime__CommandRefused refused = CHIME__COMMAND_REFUSED__INIT;
	struct target parsed;
	char **targets;
	size_t count;

	if (node->state != NODE_OPEN)
		return;
	before = refused_of(node, call->who);
	if (node->now.boot.us - before->told_us < USEC_PER_SEC) {
		before->untold++;
		return;
	}
	before->told_us = node->now.boot.us;
	node_begin_event(node, &event);
	event.actor = (char *)call->who;
	event.body_case = CHIME__EVENT__BODY_COMMAND_REFUSED;
	event.command_refused = &refused;
	refused.command = call->row ? (char *)call->row->name : NULL;
	refused.why = (char *)why;
	refused.has_count = true;
	refused.count = 1 + before->untold;
	before->untold = 0;
	/* Who may not act may not write just any text into all logs either. */
	targets = targets_of(call->request, &count);
	if (count && target_parse(targets[0], &parsed, NULL) == 0)
		refused.target = targets[0];
	node_record(node, &event);
}

static bool is_allowed(struct command_call *call)
{
	struct arena *arena = &call->node->arena;
	const char *why;

	if (call->row && command_allowed(call->row, call->role))
		return true;
	why = call->row ? arena_print(arena, "it needs role %s, %s has role %s",
				      role_name(call->row->role), call->who,
				      role_name(call->role)) :
			  "this server does not know that request";
	command_refuse(call, call->row ? 4 : 2,
		       arena_print(arena, "%s may not %s", call->who,
				   call->row && call->row->name ? call->row->name : "ask this"),
		       why, NULL);
	record_refused(call, why);
	return false;
}

/* ---- idempotency and expiry ---- */

static bool action_is_timely(struct command_call *call)
{
	const Chime__Request *r = call->request;
	struct node *node = call->node;

	if (!r->has_key || r->key.len < 8 || r->key.len > 32 || !r->has_expires || !r->lineage) {
		command_refuse(call, 2, "an action needs a key and an expiry", NULL, NULL);
		return false;
	}
	if (r->reason) {
		const char *why;

		if (!name_reason_valid(r->reason, &why)) {
			command_refuse(call, 2, "the reason cannot be stored", why, NULL);
			return false;
		}
	}
	if (r->lineage->boot != node->lineage.boot || r->lineage->tag != node->lineage.tag ||
	    r->expires < node->now.boot.us) {
		command_refuse(call, 1, "the command came too late and had no effect",
			       "it had expired, or the server was restarted since it was asked",
			       "give it again");
		return false;
	}
	return true;
}

static bool target_means(const char *text, const Chime__Effect *effect)
{
	struct target t, about;

	if (target_parse(text, &t, NULL) < 0 || target_parse(effect->target, &about, NULL) < 0)
		return false;
	if (t.server[0] && !glob_match(t.server, about.server))
		return false;
	return t.run ? t.run == effect->run : !t.job[0] || glob_match(t.job, about.job);
}

/*
 * Is this what the key was given for? The targets may be written in another way than the first
 * time (a glob for what it found), so one that is meant by both is enough.
 */
static bool is_same_command(const struct command_call *call, const Chime__Reply *before)
{
	const Chime__ActionReply *action = before->action;
	size_t count;
	char **targets = targets_of(call->request, &count);

	if (before->body_case != CHIME__REPLY__BODY_ACTION)
		return true;
	if (action->command && strcmp(action->command, call->row->name) != 0)
		return false;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < action->n_effect; k++)
			if (target_means(targets[i], action->effect[k]))
				return true;
	return !count || !action->n_effect;
}

/* False when the key is not known. */
static bool answer_again(struct command_call *call)
{
	const ProtobufCBinaryData *key = &call->request->key;
	struct node *node = call->node;
	Chime__Reply *before;
	uint8_t *bytes;
	size_t len;

	if (!journal_find_command(node->setup.journal, key->data, key->len, &bytes, &len))
		return false;
	before = chime__reply__unpack(NULL, len, bytes);
	free(bytes);
	if (!before)
		return false;
	if (!is_same_command(call, before)) {
		command_refuse(call, 1, "that key was used for another command",
			       "a key has effect once; this command had none",
			       "leave --key out");
		chime__reply__free_unpacked(before, NULL);
		return true;
	}
	before->id = call->request->id;
	call->later = true;
	if (before->body_case == CHIME__REPLY__BODY_ACTION)
		before->action->has_repeated_key = before->action->repeated_key = true;
	node_reply(node, call->conn, before);
	chime__reply__free_unpacked(before, NULL);
	return true;
}

static void remember_answer(struct command_call *call)
{
	size_t len;
	uint8_t *bytes;

	if (call->reply.body_case == CHIME__REPLY__BODY_ACTION)
		call->reply.action->command = (char *)call->row->name;
	len = chime__reply__get_packed_size(&call->reply);
	bytes = arena_take(&call->node->arena, len);

	chime__reply__pack(&call->reply, bytes);
	journal_put_command(call->node->setup.journal, call->request->key.data,
			    call->request->key.len, call->node->now.wall.us, bytes, len);
}

static bool is_dry_run(const Chime__Request *r)
{
	switch (r->body_case) {
	case CHIME__REQUEST__BODY_START:
		return r->start->dry_run;
	case CHIME__REQUEST__BODY_KILL:
		return r->kill->dry_run;
	case CHIME__REQUEST__BODY_HOLD:
		return r->hold->dry_run;
	case CHIME__REQUEST__BODY_RELEASE:
		return r->release->dry_run;
	default:
		return false;
	}
}

/* ---- dispatch ---- */

static const struct handler *find_handler(int request)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].request == request)
			return &handlers[i];
	return NULL;
}

static void handle(struct command_call *call)
{
	const struct handler *handler = find_handler((int)call->request->body_case);

	call->row = command_find_request((int)call->request->body_case);
	if (!is_allowed(call))
		return;
	if (!handler) {
		command_refuse(call, 2, "this server cannot do that", NULL, NULL);
		return;
	}
	if (call->node->state != NODE_OPEN && !call->row->servers) {
		command_refuse(call, 5, "the server is starting",
			       "it asks its peers for its own past first", "ask again in a moment");
		return;
	}
	if (call->row->action && !is_dry_run(call->request)) {
		if (call->request->has_key && answer_again(call))
			return;
		if (!action_is_timely(call))
			return;
		handler->handle(call);
		if (!call->later && call->reply.body_case != CHIME__REPLY__BODY_REFUSAL)
			remember_answer(call);
		return;
	}
	handler->handle(call);
}

void command_handle(struct node *node, const struct inbox_item *item)
{
	struct command_call call = { .node = node, .conn = item->conn, .who = item->text,
				     .role = (enum role)item->number };
	Chime__Request *request = (Chime__Request *)budget_unpack(&chime__request__descriptor,
								  item->data, item->len);

	chime__reply__init(&call.reply);
	call.reply.has_id = call.reply.has_done = call.reply.done = true;
	if (!request) {
		command_refuse(&call, 2, "the request cannot be read", NULL, NULL);
	} else {
		call.request = request;
		call.reply.id = request->id;
		handle(&call);
	}
	if (!call.later)
		node_reply(node, item->conn, &call.reply);
	chime__run_row__free_unpacked(call.to_free, NULL);
	for (size_t i = 0; i < call.to_free_count; i++)
		chime__run_row__free_unpacked(call.to_free_list[i], NULL);
	chime__request__free_unpacked(request, NULL);
}

void command_closed(struct node *node, uint64_t conn)
{
	struct subscriber **at = &node->subscribers;

	while (*at) {
		struct subscriber *s = *at;

		if (s->conn == conn) {
			*at = s->next;
			free(s);
		} else {
			at = &s->next;
		}
	}
}

void command_tell(struct node *node, const struct event *event, const void *bytes, size_t len)
{
	enum { BACKLOG_MAX = 2 << 20 };

	for (struct subscriber *s = node->subscribers; s; s = s->next) {
		Chime__Reply reply = CHIME__REPLY__INIT;
		Chime__EventsReply events = CHIME__EVENTS_REPLY__INIT;
		Chime__EventRow row = CHIME__EVENT_ROW__INIT, *rows[1] = { &row };
		Chime__Lineage lineage = CHIME__LINEAGE__INIT;

		if ((s->origin[0] && strcmp(s->origin, event->ref.server) != 0) ||
		    control_backlog(node->setup.control, s->conn) > BACKLOG_MAX)
			continue;
		lineage.has_boot = lineage.has_tag = true;
		lineage.boot = event->ref.boot;
		lineage.tag = event->ref.tag;
		row.origin = (char *)event->ref.server;
		row.lineage = &lineage;
		row.has_seq = row.has_event = true;
		row.seq = event->ref.seq;
		row.event = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
		events.event = rows;
		events.n_event = 1;
		reply.has_id = true;
		reply.id = s->id;
		reply.body_case = CHIME__REPLY__BODY_EVENTS;
		reply.events = &events;
		node_reply(node, s->conn, &reply);
	}
}
