/*
 * Checks while a seed runs. P4: whatever leaves the process is in the journal. P5: no slot, cause
 * or key starts two runs, no attempt two processes. P14: no boot and no run number is used twice.
 */
#include "tests/sim/sim.h"

#include "daemon/edge/runner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Something that may happen once only, and the run it happened to. */
struct start_key {
	UT_hash_handle hh;
	char key[320];
	char server[NAME_SERVER_MAX + 1];
	uint64_t boot, tag, seq;
	uint64_t told;		/* seq of the event that says so */
	bool forgotten;		/* a restored disk lost it, and not every peer had it */
};

/* ---- P4 ---- */

static bool is_ahead_of_journal(const struct sim_node *node)
{
	return journal_is_dirty(node->journal) || node->node.own ||
	       node->node.model.changed_runs || node->node.model.changed_jobs;
}

void watch_speech(struct sim_node *node)
{
	if (is_ahead_of_journal(node))
		world_blame(node->world, PROMISE_P4, "%s speaks before its commit", node->name);
}

/* ---- what happens once ---- */

static void note(struct sim_node *node, enum promise promise, const char *key,
		 const struct event_ref *run, uint64_t told)
{
	struct world *world = node->world;
	struct start_key *k;

	HASH_FIND_STR(world->starts, key, k);
	if (k && !k->forgotten && (k->boot != run->boot || k->tag != run->tag ||
				   k->seq != run->seq)) {
		world_blame(world, promise, "%s: twice: %s: %llu/%llu and %llu/%llu", node->name,
			    key, (unsigned long long)k->boot, (unsigned long long)k->seq,
			    (unsigned long long)run->boot, (unsigned long long)run->seq);
		return;
	}
	if (!k) {
		k = calloc(1, sizeof(*k));
		assert(k);
		snprintf(k->key, sizeof(k->key), "%s", key);
		snprintf(k->server, sizeof(k->server), "%s", node->name);
		HASH_ADD_STR(world->starts, key, k);
	}
	k->boot = run->boot;
	k->tag = run->tag;
	k->seq = run->seq;
	k->told = told;
	k->forgotten = false;
}

struct start {
	struct sim_node *node;
	struct event_ref run;
	const struct run_order *order;
	bool created, starting;
};

static void note_by(struct start *start, const Chime__EventRef *by, uint64_t told)
{
	char key[320];

	if (!by)
		return;
	snprintf(key, sizeof(key), "event %s@%s %s %s %llu %llu %llu", start->order->job,
		 start->node->name, start->order->cycle, by->server, (unsigned long long)by->boot,
		 (unsigned long long)by->tag, (unsigned long long)by->seq);
	note(start->node, PROMISE_P5, key, &start->run, told);
}

static void note_created(struct start *start, const struct event *e)
{
	const Chime__RunCreated *c = e->body->run_created;
	char key[320], hex[40];

	start->created = true;
	note_by(start, c->by, e->ref.seq);
	if (c->slot && c->slot[0]) {
		snprintf(key, sizeof(key), "slot %s@%s %s", c->job, start->node->name, c->slot);
		note(start->node, PROMISE_P5, key, &start->run, e->ref.seq);
	}
	if (e->body->has_key && e->body->key.len == 16) {
		digest_hex_encode(e->body->key.data, e->body->key.len, hex);
		snprintf(key, sizeof(key), "command %s", hex);
		note(start->node, PROMISE_P5, key, &start->run, e->ref.seq);
	}
	snprintf(key, sizeof(key), "number %s %llu", start->node->name,
		 (unsigned long long)start->run.seq);
	note(start->node, PROMISE_P14, key, &start->run, e->ref.seq);
}

static void hear_event(void *arg, const struct event *e)
{
	struct start *start = arg;
	const Chime__Event *b = e->body;

	if (strcmp(e->ref.server, start->node->name) != 0 || e->ref.boot < start->run.boot)
		return;
	if (b->body_case == CHIME__EVENT__BODY_RUN_CREATED && e->ref.seq == start->run.seq &&
	    e->ref.tag == start->run.tag)
		note_created(start, e);
	if (b->body_case == CHIME__EVENT__BODY_RUN_PROOFS &&
	    b->run_proofs->ref->run == start->run.seq)
		note_by(start, b->run_proofs->by, e->ref.seq);
	if (b->body_case == CHIME__EVENT__BODY_RUN_STARTING &&
	    b->run_starting->ref->run == start->run.seq &&
	    b->run_starting->ref->attempt == start->order->id.attempt)
		start->starting = true;
}

void watch_start(struct sim_node *node, const struct run_order *order)
{
	struct start start = { .node = node, .order = order };

	start.run.boot = order->id.boot;
	start.run.tag = order->id.tag;
	start.run.seq = order->id.seq;
	world_say(node->world, "%s: process of %s run %llu begins, slot \"%s\" cycle \"%s\"",
		  node->name, order->job, (unsigned long long)order->id.seq, order->slot,
		  order->cycle);
	judge_read_log(node->journal, hear_event, &start);
	if (is_ahead_of_journal(node) || !start.created || !start.starting)
		world_blame(node->world, PROMISE_P4, "%s starts %s run %llu before its journal "
			    "says so", node->name, order->job, (unsigned long long)order->id.seq);
}

/* ---- P14: boots ---- */

void watch_turn(struct sim_node *node)
{
	struct event_ref lineage = { .boot = node->node.lineage.boot,
				     .tag = node->node.lineage.tag };
	char key[64];

	if (!lineage.boot)
		return;
	snprintf(key, sizeof(key), "boot %s %llu", node->name, (unsigned long long)lineage.boot);
	note(node, PROMISE_P14, key, &lineage, 0);
}

/* ---- a restored disk ---- */

struct knowledge { const struct start_key *key; bool known; };

static void look_lineage(void *arg, const char *server, struct lineage lineage, uint64_t seq,
			 const struct digest *hash)
{
	struct knowledge *k = arg;

	(void)hash;
	if (strcmp(server, k->key->server) == 0 && lineage.boot == k->key->boot &&
	    lineage.tag == k->key->tag && seq >= k->key->told)
		k->known = true;
}

static bool all_peers_know(const struct sim_node *node, const struct start_key *key)
{
	for (int i = 0; i < SIM_NODES; i++) {
		struct knowledge k = { .key = key };

		if (i == node->index)
			continue;
		journal_each_lineage(node->world->nodes[i].journal, look_lineage, &k);
		if (!k.known)
			return false;
	}
	return true;
}

void watch_restored(struct sim_node *node)
{
	struct start_key *k, *next;

	HASH_ITER(hh, node->world->starts, k, next)
		if (strcmp(k->server, node->name) == 0 && strncmp(k->key, "boot", 4) != 0 &&
		    !all_peers_know(node, k))
			k->forgotten = true;
}

bool watch_forgotten(const struct world *world, const char *server, uint64_t boot, uint64_t tag,
		     uint64_t seq)
{
	const struct start_key *k = world->starts;

	for (; k; k = k->hh.next)
		if (k->forgotten && k->seq == seq && k->boot == boot && k->tag == tag &&
		    strcmp(k->server, server) == 0)
			return true;
	return false;
}

void watch_fini(struct world *world)
{
	struct start_key *k, *next;

	HASH_ITER(hh, world->starts, k, next) {
		HASH_DEL(world->starts, k);
		free(k);
	}
}
