/*
 * definitions.c - the set of own job definitions: what the launcher has accepted becomes job
 * events, all of it or nothing, and the answer of those who asked for the reload.
 *
 * The launcher is told that a generation is committed only after the commit, and keeps the one
 * before until then, so that a run always finds the definition it was decided with.
 */
#include "daemon/node.h"

#include "daemon/jobfile.h"
#include "daemon/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void record_defined(struct node *node, const struct job_def *def, const char *actor)
{
	Chime__JobDefined d = CHIME__JOB_DEFINED__INIT;
	Chime__Event event;

	node_begin_event(node, &event);
	event.actor = (char *)actor;
	d.job = def->name;
	d.server_text = def->server;
	d.about = def->about;
	d.has_schedule_kind = true;
	d.schedule_kind = (Chime__ScheduleKind)def->schedule_kind;
	d.schedule = def->schedule_text;
	d.timezone = def->timezone;
	if (def->schedule_kind == SCHEDULE_AT) {
		d.dst_gap = (char *)dst_gap_name(def->dst_gap);
		d.dst_overlap = (char *)dst_overlap_name(def->dst_overlap);
	}
	d.cycle = def->cycle == CYCLE_DEFAULT ? NULL : (char *)cycle_kind_name(def->cycle);
	d.after = def->after;
	d.has_overlap = d.has_enabled = d.has_hash = true;
	d.has_overlap_n = def->overlap_n > 0;
	d.has_max_time_us = def->max_time_us > 0;
	d.overlap = (Chime__OverlapKind)def->overlap;
	d.overlap_n = def->overlap_n;
	d.enabled = def->enabled;
	d.max_time_us = def->max_time_us;
	d.hash = (ProtobufCBinaryData){ sizeof(def->hash), (uint8_t *)def->hash };
	event.body_case = CHIME__EVENT__BODY_JOB_DEFINED;
	event.job_defined = &d;
	node_record(node, &event);
}

static void record_removed(struct node *node, const struct job *job, const char *actor)
{
	Chime__JobRemoved r = CHIME__JOB_REMOVED__INIT;
	Chime__Event event;

	node_begin_event(node, &event);
	event.actor = (char *)actor;
	r.job = (char *)job->name;
	event.body_case = CHIME__EVENT__BODY_JOB_REMOVED;
	event.job_removed = &r;
	node_record(node, &event);
}

static void forget_texts(struct node *node)
{
	while (node->job_texts) {
		struct job_text *t = node->job_texts;

		node->job_texts = t->next;
		free(t->name);
		free(t->text);
		free(t->user);
		free(t);
	}
}

static void keep_texts(struct node *node, const struct jobset *set)
{
	forget_texts(node);
	for (size_t i = 0; i < set->count; i++) {
		struct job_text *t = calloc(1, sizeof(*t));

		assert(t);
		t->name = strdup(set->jobs[i].name);
		t->text = jobfile_canonical(&set->jobs[i]);
		t->user = set->jobs[i].user ? strdup(set->jobs[i].user) : NULL;
		t->next = node->job_texts;
		node->job_texts = t;
	}
}

static const struct job_text *find_text(const struct node *node, const char *job)
{
	for (const struct job_text *t = node->job_texts; t; t = t->next)
		if (strcmp(t->name, job) == 0)
			return t;
	return NULL;
}

char *definitions_text(struct node *node, const char *job)
{
	const struct job_text *t = find_text(node, job);

	return t ? t->text : NULL;
}

char *definitions_user(struct node *node, const char *job)
{
	const struct job_text *t = find_text(node, job);

	return t ? t->user : NULL;
}

void definitions_fini(struct node *node)
{
	forget_texts(node);
	inbox_item_free(node->jobs_later);
}

/* Consumers that are true already in a cycle that is open: loading starts nothing, but says so. */
static void find_already_true(struct node *node, const struct job *job, Chime__ReloadReply *reply)
{
	const struct event_ref *proofs[CONDITION_ATOMS_MAX];
	bool values[CONDITION_ATOMS_MAX];
	char cycle[NAME_LABEL_SIZE];

	if (!job->has_condition || job->schedule.kind != SCHEDULE_NONE)
		return;
	engine_current_cycle(job, node->now, cycle);
	if (engine_atoms(&node->model, job, cycle, values, proofs))
		reply->already_true[reply->n_already_true++] =
			arena_print(&node->arena, "%s", job->key);
}

static void reply_reload(struct node *node, Chime__ReloadReply *body)
{
	while (node->reload_waiters) {
		struct reload_waiter *w = node->reload_waiters;
		Chime__Reply reply = CHIME__REPLY__INIT;

		node->reload_waiters = w->next;
		reply.has_id = reply.has_done = reply.done = true;
		reply.id = w->id;
		reply.body_case = CHIME__REPLY__BODY_RELOAD;
		reply.reload = body;
		node_reply(node, w->conn, &reply);
		free(w);
	}
}

static void apply_definition(struct node *node, const struct job_def *def, const char *actor,
			     Chime__ReloadReply *reply)
{
	struct job *job = model_mention_job(&node->model, def->name, node->setup.server);

	job->set_turn = node->model.turn;
	if (job->defined && memcmp(job->hash, def->hash, sizeof(job->hash)) == 0) {
		reply->same++;
		return;
	}
	if (job->defined)
		reply->changed[reply->n_changed++] = job->name;
	else
		reply->added[reply->n_added++] = job->name;
	record_defined(node, def, actor);
	find_already_true(node, job, reply);
}

static void apply_set(struct node *node, const struct jobset *set, Chime__ReloadReply *reply)
{
	const char *actor = node->reload_waiters ? node->reload_waiters->actor : NULL;
	struct job *job, *next;

	for (size_t i = 0; i < set->count; i++)
		apply_definition(node, &set->jobs[i], actor, reply);
	HASH_ITER(hh, node->model.jobs, job, next)
		if (job->own && job->defined && job->set_turn != node->model.turn) {
			reply->removed[reply->n_removed++] = job->name;
			record_removed(node, job, actor);
		}
}

void definitions_load(struct node *node, const struct inbox_item *item)
{
	Chime__ReloadReply reply = CHIME__RELOAD_REPLY__INIT;
	struct jobfile_options options = { .server = node->setup.server };
	struct jobset set = { 0 };
	struct diags diags = { 0 };
	size_t own_jobs = 0;

	if (node->state == NODE_PROBATION) {
		/* The launcher sends its set once; it waits until there is a lineage for it. */
		inbox_item_free(node->jobs_later);
		node->jobs_later = inbox_item_new(INBOX_JOBS, item->data, item->len);
		node->jobs_later->number = item->number;
		return;
	}
	jobset_read_stream((const char *)item->data, item->len, "registry", &options, &set, &diags);
	if (diags.errors) {
		log_error("jobs.unreadable", "errors=%zu first=%s", diags.errors,
			  log_quote(diags.count ? diags.list[0].text : "?"));
		goto out;
	}
	for (struct job *job = node->model.jobs; job; job = job->hh.next)
		own_jobs += job->own;
	reply.added = arena_take(&node->arena, (set.count + 1) * sizeof(char *));
	reply.changed = arena_take(&node->arena, (set.count + 1) * sizeof(char *));
	reply.already_true = arena_take(&node->arena, (set.count + 1) * sizeof(char *));
	reply.removed = arena_take(&node->arena, (own_jobs + 1) * sizeof(char *));
	reply.has_accepted = reply.accepted = reply.has_same = true;
	apply_set(node, &set, &reply);
	keep_texts(node, &set);
	log_info("jobs.loaded", "added=%zu changed=%zu removed=%zu same=%u", reply.n_added,
		 reply.n_changed, reply.n_removed, reply.same);
	node->jobs_loaded = true;
	node->commit_generation = item->number;
	node->generation = item->number;
	reply_reload(node, &reply);
out:
	jobset_fini(&set);
	diags_fini(&diags);
}

void definitions_refused(struct node *node, const struct inbox_item *item)
{
	Chime__ReloadReply reply = CHIME__RELOAD_REPLY__INIT;

	log_error("jobs.refused", "errors=%llu consequence=\"the definitions before stay\"",
		  (unsigned long long)item->number);
	reply.has_accepted = true;
	reply.errors = (char *)item->data;
	reply.has_error_count = true;
	reply.error_count = (uint32_t)item->number;
	/* A first start with broken files still is a start: with no jobs. */
	node->jobs_loaded = true;
	reply_reload(node, &reply);
}
