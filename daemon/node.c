#include "daemon/node.h"

#include "daemon/edge/control.h"
#include "daemon/edge/discovery.h"
#include "daemon/log.h"
#include "daemon/tzdata.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DATAGRAMS_PER_TURN = 64,
	ITEMS_PER_TURN = 512,
	REPLIES_PER_TURN = 16 << 20,	/* bytes: what is asked for at once is not made at once */
	FACTS_DAYS = 8,		/* conditions look back seven days at most */
};

/* ---- small services ---- */

void node_count(struct node *node, const char *name)
{
	for (size_t i = 0; i < node->counter_count; i++)
		if (strcmp(node->counters[i].name, name) == 0) {
			node->counters[i].value++;
			return;
		}
	if (node->counter_count < NODE_COUNTERS_MAX)
		node->counters[node->counter_count++] = (struct node_counter){ name, 1 };
}

uint64_t node_random(struct node *node, uint64_t limit)
{
	/* splitmix64, Steele, Lea, Flood: "Fast splittable pseudorandom number generators" */
	uint64_t z = node->chance += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return limit ? (z ^ z >> 31) % limit : 0;
}

const struct zone *node_zone(struct node *node, const char *name)
{
	struct zone_entry *entry;
	struct zone *zone;

	if (!name || !name[0])
		return zone_utc();
	HASH_FIND_STR(node->zones, name, entry);
	if (entry)
		return entry->zone;
	if (tzdata_load(name, &zone) < 0)
		return NULL;
	entry = calloc(1, sizeof(*entry) + strlen(name) + 1);
	assert(entry);
	memcpy(entry->name, name, strlen(name) + 1);
	entry->zone = zone;
	HASH_ADD_KEYPTR(hh, node->zones, entry->name, strlen(entry->name), entry);
	return zone;
}

void node_set_zone(struct node *node, struct job *job)
{
	if (job->zone || !job->defined)
		return;
	job->zone = node_zone(node, job->timezone);
	if (!job->zone && job->own)
		log_error("job.zone", "job=%s zone=%s consequence=\"it is not planned\"",
			  job->key, log_quote(job->timezone));
	model_plan(&node->model, job);
}

void node_begin_event(const struct node *node, Chime__Event *event)
{
	chime__event__init(event);
	event->has_time = true;
	event->time = node->now.wall.us;
}

void node_reply(struct node *node, uint64_t conn, const Chime__Reply *reply)
{
	size_t len = chime__reply__get_packed_size(reply);
	struct reply *r = malloc(sizeof(*r) + len);

	assert(r);
	*r = (struct reply){ .conn = conn, .len = len };
	chime__reply__pack(reply, r->bytes);
	*node->replies_tail = r;
	node->replies_tail = &r->next;
	node->reply_bytes += len;
}

/* ---- the door ---- */

/* One info line per event of consequence; what the log on disk says, in short. */
static void log_event(const struct node *node, const struct event *e)
{
	const Chime__Event *b = e->body;
	const char *job = NULL;
	const char *state = NULL;

	switch (b->body_case) {
	case CHIME__EVENT__BODY_RUN_ENDED:
		job = b->run_ended->ref ? b->run_ended->ref->job : NULL;
		state = run_state_name(b->run_ended->state);
		break;
	case CHIME__EVENT__BODY_RUN_CREATED:
		job = b->run_created->job;
		state = cause_name(b->run_created->cause);
		break;
	case CHIME__EVENT__BODY_RUN_STARTED:
		job = b->run_started->ref ? b->run_started->ref->job : NULL;
		break;
	case CHIME__EVENT__BODY_SERVER_UP:
	case CHIME__EVENT__BODY_SERVER_DOWN:
	case CHIME__EVENT__BODY_SERVER_PROVEN:
	case CHIME__EVENT__BODY_ALARM:
		break;
	default:
		return;
	}
	if (node->state == NODE_PROBATION && strcmp(e->ref.server, node->setup.server) != 0)
		return;
	log_info(event_kind_name(b->body_case), "of=%s:%llu%s%s%s%s", e->ref.server,
		 (unsigned long long)e->ref.seq, job ? " job=" : "",
		 !job ? "" : name_job_valid(job, NULL) ? job : log_quote(job),
		 state ? " what=" : "", state ? state : "");
}

static void learn_server(struct node *node, const struct event *e)
{
	const Chime__ServerUp *up = e->body->server_up;
	struct peer *peer = peers_mention(&node->peers, e->ref.server);

	if (e->history || peer->self)
		return;
	if (up->has_certificate)
		(void)hear_certificate(node, e->ref.server, up->certificate.data,
				       up->certificate.len);
	for (size_t i = up->n_address; i-- > 0;)
		peer_add_address(peer, up->address[i]);
	snprintf(peer->version, sizeof(peer->version), "%s", up->version ? up->version : "");
	peer->changed = true;
}

/* What both kinds of event have in common: apply, then what follows outside of the model. */
static void pass_door(struct node *node, const struct event *event, const void *bytes, size_t len)
{
	enum event_verdict verdict = event_apply(&node->model, event);
	const Chime__Event *body = event->body;

	if (verdict != EVENT_APPLIED)
		node_count(node, verdict == EVENT_UNKNOWN_KIND ? "events of unknown kind" :
			   verdict == EVENT_BAD_FIELDS ? "events with bad fields" :
			   "events without subject");
	if (body->body_case == CHIME__EVENT__BODY_SERVER_UP)
		learn_server(node, event);
	if (body->body_case == CHIME__EVENT__BODY_JOB_DEFINED && verdict == EVENT_APPLIED &&
	    strcmp(event->ref.server, node->setup.server) == 0)
		node_set_zone(node, model_find_job(&node->model, body->job_defined->job,
						   event->ref.server));
	if (body->body_case == CHIME__EVENT__BODY_ALARM)
		log_warn("alarm", "of=%s job=%s text=%s", event->ref.server,
			 log_quote(body->alarm->job), log_quote(body->alarm->text));
	log_event(node, event);
	command_tell(node, event, bytes, len);
}

uint64_t node_record(struct node *node, const Chime__Event *event)
{
	size_t len = chime__event__get_packed_size(event);
	struct own_event *own = malloc(sizeof(*own) + len);
	struct event e = { .body = event, .mine = true };
	struct digest hash;

	assert(own);
	assert(node->lineage.boot);
	*own = (struct own_event){ .seq = ++node->seq, .len = len };
	chime__event__pack(event, own->bytes);
	*node->own_tail = own;
	node->own_tail = &own->next;
	digest_of(own->bytes, len, &hash);
	snprintf(e.ref.server, sizeof(e.ref.server), "%s", node->setup.server);
	e.ref.boot = node->lineage.boot;
	e.ref.tag = node->lineage.tag;
	e.ref.seq = own->seq;
	memcpy(e.ref.hash, hash.b, sizeof(e.ref.hash));
	pass_door(node, &e, own->bytes, len);
	return own->seq;
}

static void emit_cb(void *arg, const Chime__Event *event)
{
	node_record(arg, event);
}

void node_accept(struct node *node, const struct event *event, const void *bytes, size_t len)
{
	pass_door(node, event, bytes, len);
}

void node_decide(struct node *node)
{
	struct engine *engine = &node->engine;

	if (node->state != NODE_OPEN)
		return;
	engine->now = node->now;
	engine->boot = node->lineage.boot;
	engine->tag = node->lineage.tag;
	engine->may_start = node->jobs_loaded && node->scanned;
	engine->unproven = node->unproven;
	engine_decide(engine);
}

/* ---- hear ---- */

static void hear_item(struct node *node, struct inbox_item *item)
{
	switch (item->kind) {
	case INBOX_DATAGRAM:
		hear_datagram(node, item);
		break;
	case INBOX_ATTEMPT:
		attempts_report(node, &item->report);
		break;
	case INBOX_SCANNED:
		attempts_scanned(node);
		break;
	case INBOX_JOBS:
		definitions_load(node, item);
		break;
	case INBOX_JOBS_REFUSED:
		definitions_refused(node, item);
		break;
	case INBOX_OUTPUT:
		attempts_output(node, item);
		break;
	case INBOX_REQUEST:
		command_handle(node, item);
		break;
	case INBOX_CLOSED:
		command_closed(node, item->conn);
		break;
	case INBOX_ANSWER:
		repair_answer(node, item);
		break;
	case INBOX_PEER:
		repair_meet(node, item);
		break;
	case INBOX_RELOAD:
		node->reloading = true;
		break;
	case INBOX_STOP:
		if (item->error) {
			log_error("launcher.gone", "consequence=\"the server ends; runs go on\"");
			node->state = NODE_FAILED;
		} else if (node->state == NODE_OPEN) {
			node->say_goodbye = true;
		} else {
			node->state = NODE_STOPPED;
		}
		break;
	case INBOX_WAKE:
		break;
	}
}

static bool hear(struct node *node)
{
	size_t datagrams = 0, items = 0;
	struct inbox_item *item;

	while (datagrams < DATAGRAMS_PER_TURN && items < ITEMS_PER_TURN &&
	       node->reply_bytes < REPLIES_PER_TURN &&
	       (item = inbox_take(&node->inbox))) {
		datagrams += item->kind == INBOX_DATAGRAM;
		items++;
		hear_item(node, item);
		inbox_item_free(item);
		node_decide(node);
	}
	return node->inbox.head != NULL;
}

/* ---- timers that are facts ---- */

static void prune(struct node *node)
{
	enum { PRUNE_EVERY_US = 60 * USEC_PER_SEC };

	if (node->now.boot.us < node->prune_at.us)
		return;
	node->prune_at.us = node->now.boot.us + PRUNE_EVERY_US;
	journal_prune(node->setup.journal, node->now.wall.us - node->setup.history_us,
		      node->setup.history_bytes);
	peers_forget_strangers(&node->peers, node->now.boot);
	model_forget_facts(&node->model,
			   node->now.wall.us - FACTS_DAYS * CIVIL_DAY_S * (int64_t)USEC_PER_SEC);
}

static void say_goodbye(struct node *node)
{
	Chime__ServerDown down = CHIME__SERVER_DOWN__INIT;
	Chime__Event event;

	node_begin_event(node, &event);
	event.body_case = CHIME__EVENT__BODY_SERVER_DOWN;
	down.why = "stopped";
	event.server_down = &down;
	node_record(node, &event);
}

static void write_peers(struct node *node)
{
	struct peer *peer, *next;

	HASH_ITER(hh, node->peers.list, peer, next) {
		struct journal_peer row = { 0 };
		char addresses[PEER_ADDRESSES_MAX * PEER_ADDRESS_SIZE + 1] = "";
		size_t at = 0;

		if (!peer->changed)
			continue;
		peer->changed = false;
		for (size_t i = 0; i < peer->address_count; i++)
			at += (size_t)snprintf(addresses + at, sizeof(addresses) - at, "%s\n",
					       peer->addresses[i]);
		snprintf(row.server, sizeof(row.server), "%s", peer->server);
		row.certificate = peer->certificate;
		row.certificate_len = peer->certificate_len;
		row.addresses = addresses;
		row.version = peer->version;
		row.boot = peer->boot;
		row.counter = peer->counter;
		row.heard_us = peer->heard_wall_us;
		journal_put_peer(node->setup.journal, &row);
	}
}

static void tell_members(struct node *node)
{
	struct discovery_member members[64];
	struct peer *peer, *next;
	size_t count = 0;

	if (!node->setup.discovery)
		return;
	HASH_ITER(hh, node->peers.list, peer, next)
		if (!peer->self && peer->address_count && count < 64)
			members[count++] = (struct discovery_member){ peer->server,
								      peer->addresses[0] };
	discovery_set_members(node->setup.discovery, members, count);
}

static bool peers_changed(const struct node *node)
{
	for (const struct peer *peer = node->peers.list; peer; peer = peer->hh.next)
		if (peer->changed)
			return true;
	return false;
}

/* ---- the turn ---- */

static int commit(struct node *node)
{
	bool members_changed = peers_changed(node);
	int r;

	speak_close_frames(node);
#ifdef MUTANT_SEND_BEFORE_COMMIT
	speak_send(node);
#endif
	write_peers(node);
	r = journal_commit(node->setup.journal, &node->model);
	if (r < 0) {
		/* The model holds what the journal does not: replay is the one right repair. */
		log_error("journal.failed", "why=%s consequence=\"the server ends; runs go on\"",
			  log_quote(journal_error(node->setup.journal)));
		node->state = NODE_FAILED;
		return r;
	}
	if (members_changed)
		tell_members(node);
	return 0;
}

static void send_replies(struct node *node)
{
	while (node->replies) {
		struct reply *reply = node->replies;

		node->replies = reply->next;
		if (node->setup.control)
			control_send(node->setup.control, reply->conn, reply->bytes, reply->len);
		free(reply);
	}
	node->replies_tail = &node->replies;
	node->reply_bytes = 0;
}

bool node_turn(struct node *node, struct now now, enum node_step last)
{
	bool more;

	node->now = now;
	node->model.turn++;
	journal_begin(node->setup.journal);

	more = hear(node);
	if (node->state == NODE_FAILED)
		return false;
	start_check(node);
	repair_timers(node);
	node_decide(node);
	if (node->say_goodbye)
		say_goodbye(node);
	prune(node);
	if (last == NODE_STEP_HEAR || node->state == NODE_FAILED)
		return false;

#ifdef MUTANT_ACT_BEFORE_COMMIT
	attempts_act(node);
#endif
	if (commit(node) < 0 || last == NODE_STEP_COMMIT)
		return false;

	attempts_act(node);
	if (last == NODE_STEP_ACT)
		return false;

	speak_send(node);
	send_replies(node);
	repair_send(node);

	model_clean(&node->model);
	arena_reset(&node->arena);
	if (node->say_goodbye)
		node->state = NODE_STOPPED;
	return more;
}

void node_next(const struct node *node, int64_t *boot_us, int64_t *wall_us)
{
	*boot_us = node->prune_at.us;
	*wall_us = node->state == NODE_OPEN && node->jobs_loaded && node->scanned ?
			   engine_next_us(&node->model) : INT64_MAX;
	if (node->state == NODE_PROBATION && node->probation_until.us < *boot_us)
		*boot_us = node->probation_until.us;
	if ((node->state == NODE_PROBATION || node->unproven) &&
	    node->ask_again_at.us < *boot_us)
		*boot_us = node->ask_again_at.us;
	repair_next(node, boot_us);
	speak_next(node, boot_us);
}

/* ---- opening ---- */

static void load_lineage_cb(void *arg, const char *server, struct lineage lineage, uint64_t seq,
			    const struct digest *hash)
{
	struct node *node = arg;

	chain_load(&peers_mention(&node->peers, server)->chain, lineage, seq, hash);
}

static void load_peer_cb(void *arg, const struct journal_peer *row)
{
	struct node *node = arg;
	struct peer *peer = peers_mention(&node->peers, row->server);
	const char *line = row->addresses;
	char address[PEER_ADDRESS_SIZE];

	if (row->certificate_len)
		(void)peer_set_certificate(peer, row->certificate, row->certificate_len);
	/* Stored newest first; adding puts first, so the order turns twice. */
	while (*line && peer->address_count < PEER_ADDRESSES_MAX) {
		size_t len = strcspn(line, "\n");

		if (len && len < sizeof(address)) {
			memcpy(peer->addresses[peer->address_count], line, len);
			peer->addresses[peer->address_count++][len] = 0;
		}
		line += len + (line[len] == '\n');
	}
	peer->boot = row->boot;
	peer->counter = row->counter;
	peer->heard_wall_us = row->heard_us;
	snprintf(peer->version, sizeof(peer->version), "%s", row->version);
	peer->changed = false;
}

static void load(struct node *node)
{
	int64_t since_us = node->now.wall.us - FACTS_DAYS * CIVIL_DAY_S * (int64_t)USEC_PER_SEC;

	journal_each_peer(node->setup.journal, load_peer_cb, node);
	journal_each_lineage(node->setup.journal, load_lineage_cb, node);
	journal_load_model(node->setup.journal, &node->model, since_us);
	for (struct job *job = node->model.jobs; job; job = job->hh.next)
		if (job->own)
			node_set_zone(node, job);
}

int node_init(struct node *node, const struct node_setup *setup, struct now now, char *err,
	      size_t size)
{
	static const uint8_t no_environment[ENVIRONMENT_ID_SIZE];

	*node = (struct node){ 0 };
	node->setup = *setup;
	node->now = now;
	node->chance = setup->seed;
	node->own_tail = &node->own;
	node->replies_tail = &node->replies;
	inbox_init(&node->inbox);
	model_init(&node->model, setup->server);
	memcpy(node->env_id, setup->identity ? identity_environment_id(setup->identity) :
	       no_environment, sizeof(node->env_id));
	peers_init(&node->peers, node->env_id);
	node->self = peers_mention(&node->peers, setup->server);
	node->self->self = true;
	node->self->has_baseline = true;
	node->engine = (struct engine){ .model = &node->model, .emit = emit_cb, .arg = node };
	if (setup->identity) {
		size_t len;
		const uint8_t *der = identity_der(setup->identity, &len);

		(void)peer_set_certificate(node->self, der, len);
	}
	load(node);
	if (journal_error(setup->journal)[0]) {
		snprintf(err, size, "cannot read the journal: %s", journal_error(setup->journal));
		return -EIO;
	}
	node->beat_us = USEC_PER_SEC;
	rate_init(&node->strangers, 10, 20, now.boot);
	node->prune_at.us = now.boot.us + USEC_PER_SEC;
	node->vector_at.us = now.boot.us + 30 * (int64_t)USEC_PER_SEC;
	start_probation(node);
	return 0;
}

static void free_lists(struct node *node)
{
	while (node->own) {
		struct own_event *own = node->own;

		node->own = own->next;
		free(own);
	}
	while (node->replies) {
		struct reply *reply = node->replies;

		node->replies = reply->next;
		free(reply);
	}
	while (node->asks) {
		struct ask *ask = node->asks;

		node->asks = ask->next;
		free(ask->bytes);
		free(ask);
	}
	while (node->subscribers) {
		struct subscriber *s = node->subscribers;

		node->subscribers = s->next;
		free(s);
	}
	while (node->reload_waiters) {
		struct reload_waiter *w = node->reload_waiters;

		node->reload_waiters = w->next;
		free(w);
	}
	while (node->output_waiters) {
		struct output_waiter *w = node->output_waiters;

		node->output_waiters = w->next;
		free(w);
	}
}

void node_fini(struct node *node)
{
	struct zone_entry *entry, *next;

	free_lists(node);
	for (size_t i = 0; i < node->repeat_count; i++)
		free(node->repeat[i].raw);
	HASH_ITER(hh, node->zones, entry, next) {
		HASH_DEL(node->zones, entry);
		zone_free(entry->zone);
		free(entry);
	}
	inbox_fini(&node->inbox);
	model_fini(&node->model);
	peers_fini(&node->peers);
	arena_fini(&node->arena);
	attempts_fini(node);
	definitions_fini(node);
}
