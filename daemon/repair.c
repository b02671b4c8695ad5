/*
 * repair.c - whom to ask for what: certificates, vectors, missing frames; and who is alive.
 *
 * A gap is asked for after a reorder guard, over mTLS, from its origin first and then from any
 * other live server in turn, with a back-off that doubles from 50 ms to 5 s and starts anew at any
 * progress; it is never given up. One pull per origin at a time.
 */
#include "daemon/node.h"

#include "daemon/edge/links.h"
#include "daemon/log.h"
#include "proto/budget.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	GUARD_US = 20 * USEC_PER_MSEC,		/* beacons repeat the newest frames within 14 ms */
	BACKOFF_MIN_US = 50 * USEC_PER_MSEC,
	BACKOFF_MAX_US = 5 * USEC_PER_SEC,
	VECTOR_EVERY_US = 30 * USEC_PER_SEC,
	ASK_TIMEOUT_MS = 5000,
	PING_TIMEOUT_MS = 2000,
	MISSED_BEATS = 4,
	HAVE_MAX = 64,
	STRANGERS_A_REPLY = 64,
	PULLS_MAX = 32,				/* at once, of all origins */
};

/* ---- asking ---- */

static struct ask *add_ask(struct node *node, enum ask_kind kind, const char *peer,
			   const char *address, Chime__Request *request)
{
	struct ask *ask = calloc(1, sizeof(*ask));

	assert(ask);
	ask->cookie = ++node->next_cookie;
	ask->kind = kind;
	ask->timeout_ms = kind == ASK_PING ? PING_TIMEOUT_MS : ASK_TIMEOUT_MS;
	snprintf(ask->peer, sizeof(ask->peer), "%s", peer);
	snprintf(ask->address, sizeof(ask->address), "%s", address);
	request->has_id = true;
	request->id = ask->cookie;
	ask->len = chime__request__get_packed_size(request);
	ask->bytes = malloc(ask->len + 1);
	assert(ask->bytes);
	chime__request__pack(request, ask->bytes);
	ask->next = node->asks;
	node->asks = ask;
	return ask;
}

void repair_send(struct node *node)
{
	for (struct ask *ask = node->asks; ask; ask = ask->next) {
		if (ask->sent)
			continue;
		ask->sent = true;
		if (node->setup.links)
			links_ask(node->setup.links, ask->peer, ask->address, ask->cookie,
				  ask->bytes, ask->len, ask->timeout_ms);
		free(ask->bytes);
		ask->bytes = NULL;
	}
}

static bool asks_vector(const struct node *node, const char *server, const char *address)
{
	for (const struct ask *ask = node->asks; ask; ask = ask->next)
		if (ask->kind == ASK_VECTOR && strcmp(ask->peer, server) == 0 &&
		    strcmp(ask->address, address) == 0)
			return true;
	return false;
}

void repair_ask_vector(struct node *node, const char *server, const char *address)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__VectorRequest vector = CHIME__VECTOR_REQUEST__INIT;

	if (asks_vector(node, server, address))
		return;
	request.body_case = CHIME__REQUEST__BODY_VECTOR;
	request.vector = &vector;
	(void)add_ask(node, ASK_VECTOR, server, address, &request);
}

/* The handshake itself brings the certificate; the vector is what one wants to know next. */
void repair_ask_certificate(struct node *node, struct peer *peer, const char *address)
{
	if (node->now.boot.us < peer->ask_at.us)
		return;
	peer->ask_at.us = node->now.boot.us + USEC_PER_SEC;
	repair_ask_vector(node, peer->server, address);
}

/* from NULL: anybody. */
static bool asks_pull(const struct node *node, const struct peer *origin, const struct peer *from)
{
	for (const struct ask *ask = node->asks; ask; ask = ask->next)
		if (ask->kind == ASK_PULL && strcmp(ask->origin, origin->server) == 0 &&
		    (!from || strcmp(ask->peer, from->server) == 0))
			return true;
	return false;
}

static void ask_pull(struct node *node, struct peer *origin, const struct peer *from)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__PullRequest pull = CHIME__PULL_REQUEST__INIT;
	Chime__VectorEntry entries[HAVE_MAX], *list[HAVE_MAX];
	Chime__Lineage lineages[HAVE_MAX];
	const struct chain *chain = &origin->chain;
	struct ask *ask;
	size_t count = 0;

	for (size_t i = chain->lineage_count; i-- > 0 && count < HAVE_MAX;) {
		chime__lineage__init(&lineages[count]);
		lineages[count].has_boot = lineages[count].has_tag = true;
		lineages[count].boot = chain->lineages[i].lineage.boot;
		lineages[count].tag = chain->lineages[i].lineage.tag;
		chime__vector_entry__init(&entries[count]);
		entries[count].lineage = &lineages[count];
		entries[count].has_seq = true;
		entries[count].seq = chain->lineages[i].open ? chain->lineages[i].seq : 0;
		list[count] = &entries[count];
		count++;
	}
	/* With few lineages the log is asked for from its very beginning, so that a branch that
	 * was never heard of is found too. */
	if (count < HAVE_MAX) {
		chime__lineage__init(&lineages[count]);
		lineages[count].has_boot = lineages[count].has_tag = true;
		chime__vector_entry__init(&entries[count]);
		entries[count].lineage = &lineages[count];
		list[count] = &entries[count];
		count++;
	}
	pull.origin = origin->server;
	pull.have = list;
	pull.n_have = count;
	request.body_case = CHIME__REQUEST__BODY_PULL;
	request.pull = &pull;
	ask = add_ask(node, ASK_PULL, from->server, from->addresses[0], &request);
	snprintf(ask->origin, sizeof(ask->origin), "%s", origin->server);
	origin->pulling = true;
}

/* The question is for its news: a peer that multicast does not reach still is heard this way. */
static void ask_ping(struct node *node, struct peer *peer)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__VectorRequest vector = CHIME__VECTOR_REQUEST__INIT;

	request.body_case = CHIME__REQUEST__BODY_VECTOR;
	request.vector = &vector;
	(void)add_ask(node, ASK_PING, peer->server, peer->addresses[0], &request);
	peer->pinging = true;
}

/* ---- whom to pull from ---- */

static bool can_ask(const struct peer *peer)
{
	return !peer->self && peer->address_count > 0;
}

static struct peer *choose_source(struct node *node, struct peer *origin)
{
	struct peer *holder = peers_find(&node->peers, origin->holder), *choice = NULL;
	size_t live = 0;

	origin->pull_turn++;
	if (origin->pull_turn % 2 && can_ask(origin) && origin->state != PEER_UNREACHABLE &&
	    origin->state != PEER_DOWN)
		return origin;
	if (origin->pull_turn % 4 < 2 && holder && can_ask(holder))
		return holder;
	for (struct peer *p = node->peers.list; p; p = p->hh.next) {
		if (!can_ask(p) || p == origin ||
		    (p->state != PEER_UP && p->state != PEER_SUSPECT))
			continue;
		if (node_random(node, ++live) == 0)
			choice = p;
	}
	return choice ? choice : can_ask(origin) ? origin : NULL;
}

static void back_off(struct node *node, struct peer *origin)
{
	int64_t backoff = origin->pull_backoff_us ? 2 * origin->pull_backoff_us : BACKOFF_MIN_US;

	origin->pull_backoff_us = backoff < BACKOFF_MAX_US ? backoff : BACKOFF_MAX_US;
	origin->pull_at.us = node->now.boot.us + origin->pull_backoff_us / 2 +
			     (int64_t)node_random(node, (uint64_t)origin->pull_backoff_us);
}

static void plan_pull(struct node *node, struct peer *origin, size_t *pulls)
{
	struct peer *from;

	if (origin->pulling || hear_must_wait(node, origin))
		return;
	if (!origin->wanted && !chain_has_gap(&origin->chain)) {
		origin->pull_at.us = 0;
		return;
	}
	if (!origin->pull_at.us) {
		origin->pull_at.us = node->now.boot.us + (origin->wanted ? 0 : GUARD_US);
	}
	if (node->now.boot.us < origin->pull_at.us)
		return;
	from = *pulls < PULLS_MAX ? choose_source(node, origin) : NULL;
	*pulls += from != NULL;
	if (from)
		ask_pull(node, origin, from);
	else
		back_off(node, origin);
}

/* ---- alive ---- */

int64_t beat_us(const struct node *node)
{
	return node->beat_us;
}

static void set_beat(struct node *node)
{
	int64_t by_count = (int64_t)peers_count_known(&node->peers) * USEC_PER_SEC / 500;

	node->beat_us = by_count > USEC_PER_SEC ? by_count : USEC_PER_SEC;
}

static void check_alive(struct node *node, struct peer *peer)
{
	int64_t silent_us = node->now.boot.us - peer->heard.us;

	if (peer->self || peer->state != PEER_UP || silent_us < MISSED_BEATS * beat_us(node))
		return;
	peer->state = PEER_SUSPECT;
	if (can_ask(peer) && !peer->pinging)
		ask_ping(node, peer);
	else if (!can_ask(peer))
		peer->state = PEER_UNREACHABLE;
}

static void exchange_vectors(struct node *node)
{
	struct peer *choice = NULL;
	size_t seen = 0;

	if (node->now.boot.us < node->vector_at.us)
		return;
	node->vector_at.us = node->now.boot.us + VECTOR_EVERY_US / 2 +
			     (int64_t)node_random(node, VECTOR_EVERY_US);
	/* Also the unreachable: this is how they are found again without multicast. */
	for (struct peer *p = node->peers.list; p; p = p->hh.next)
		if (can_ask(p) && node_random(node, ++seen) == 0)
			choice = p;
	/* Now and then a configured address: its server may have been down when we started. */
	if (choice && (!node->setup.seed_count || node_random(node, 3)))
		repair_ask_vector(node, choice->server, choice->addresses[0]);
	else if (node->setup.seed_count)
		repair_ask_vector(node, "", node->setup.seeds[node_random(node,
			node->setup.seed_count)]);
}

void repair_timers(struct node *node)
{
	size_t pulls = 0;

	set_beat(node);
	for (const struct peer *peer = node->peers.list; peer; peer = peer->hh.next)
		pulls += peer->pulling;
	for (struct peer *peer = node->peers.list; peer; peer = peer->hh.next) {
		check_alive(node, peer);
		plan_pull(node, peer, &pulls);
	}
	exchange_vectors(node);
}

void repair_next(const struct node *node, int64_t *boot_us)
{
	for (const struct peer *p = node->peers.list; p; p = p->hh.next) {
		int64_t alive_us = p->heard.us + MISSED_BEATS * beat_us(node);

		if (p->pull_at.us && !p->pulling && p->pull_at.us < *boot_us &&
		    !hear_must_wait(node, p))
			*boot_us = p->pull_at.us;
		if (!p->self && p->state == PEER_UP && alive_us < *boot_us)
			*boot_us = alive_us;
	}
	if (node->vector_at.us < *boot_us)
		*boot_us = node->vector_at.us;
}

/* ---- answers ---- */

void repair_meet(struct node *node, const struct inbox_item *item)
{
	struct peer *peer;

	if (!name_server_valid(item->text, NULL) ||
	    !hear_certificate(node, item->text, item->data, item->len))
		return;
	peer = peers_mention(&node->peers, item->text);
	peer_meet(peer, node->now);
}

/* My own past is asked of everybody who has more of it: each may know another part. */
static void pull_own_past(struct node *node, const char *holder)
{
	struct peer *from = peers_find(&node->peers, holder);

	if (from && can_ask(from) && !asks_pull(node, node->self, from))
		ask_pull(node, node->self, from);
}

static void hear_entry(struct node *node, const Chime__VectorEntry *entry, const char *holder,
		       size_t *added)
{
	const struct chain_lineage *l;
	struct lineage lineage;
	struct peer *peer;

	if (!entry->server || !name_server_valid(entry->server, NULL) || !entry->lineage)
		return;
	peer = peers_find(&node->peers, entry->server);
	if (!peer) {
		/* More will be told next time; names alone must not fill this server. */
		if (peers_count(&node->peers) >= NODE_PEERS_MAX || ++*added > STRANGERS_A_REPLY)
			return;
		peer = peers_mention(&node->peers, entry->server);
		peer->mentioned = node->now.boot;
	}
	lineage = (struct lineage){ entry->lineage->boot, entry->lineage->tag };
	/* What somebody says of another's counter may be a lie that silences it: that it was heard
	 * of is all that is taken from others. */
	if (entry->has_counter && !peer->self)
		peer_set_baseline(peer, strcmp(holder, entry->server) ? 0 : entry->counter_boot,
				  strcmp(holder, entry->server) ? 0 : entry->counter);
	if (peer->self && lineage_equal(lineage, node->lineage))
		return;
	l = chain_find_lineage(&peer->chain, lineage);
	if (l && l->open && l->seq >= entry->seq)
		return;
	if (peer->self && (node->state == NODE_PROBATION || node->unproven)) {
		pull_own_past(node, holder);
		return;
	}
	peer->wanted = true;
	snprintf(peer->holder, sizeof(peer->holder), "%s", holder);
	peer->pull_at.us = 0;
}

static void hear_vector(struct node *node, const Chime__VectorReply *reply, const char *holder)
{
	size_t added = 0;

	if (!name_server_valid(holder, NULL))
		return;
	start_hear_vector(node, peers_mention(&node->peers, holder), reply);
	for (size_t i = 0; i < reply->n_entry; i++)
		hear_entry(node, reply->entry[i], holder, &added);
}

/* While it is not proved, what a server has of my past counts only when all of it is here. */
static void own_pull_ended(struct node *node, struct peer *from, const Chime__PullReply *reply,
			   bool progress)
{
	if (!from || (node->state != NODE_PROBATION && !node->unproven))
		return;
	if (reply && reply->more && progress) {
		ask_pull(node, node->self, from);
	} else if (!reply && from->answered) {
		from->answered = false;
		node->answers--;
	}
}

static void pull_ended(struct node *node, struct peer *origin, struct peer *from,
		       const Chime__PullReply *reply)
{
	int64_t backoff_us = origin->pull_backoff_us;
	bool progress;

	origin->pulling = asks_pull(node, origin, NULL);
	/* Delivering sets the back-off to 0; frames that bring nothing are no progress. */
	origin->pull_backoff_us = BACKOFF_MIN_US;
	if (reply)
		hear_pull(node, reply, origin->server);
	progress = origin->pull_backoff_us == 0;
	if (!progress)
		origin->pull_backoff_us = backoff_us;
	if (origin->self)
		own_pull_ended(node, from, reply, progress);
	if (reply && (!reply->more || !origin->key))
		origin->wanted = false;
	if (progress)
		origin->pull_at.us = node->now.boot.us;
	else
		back_off(node, origin);
}

static void ask_ended(struct node *node, const struct ask *ask, const Chime__Reply *reply)
{
	struct peer *peer = peers_find(&node->peers, ask->peer);
	struct peer *origin = peers_find(&node->peers, ask->origin);

	if (reply && peer && !peer->self)
		peer_meet(peer, node->now);
	if (ask->kind == ASK_PULL && origin)
		pull_ended(node, origin, peer,
			   reply && reply->body_case == CHIME__REPLY__BODY_PULL ?
			   reply->pull : NULL);
	if (ask->kind != ASK_PULL && reply && reply->body_case == CHIME__REPLY__BODY_VECTOR)
		hear_vector(node, reply->vector, ask->peer[0] ? ask->peer :
			    reply->vector->server ? reply->vector->server : "");
	if (ask->kind == ASK_PING && peer) {
		peer->pinging = false;
		if (!reply && peer->state == PEER_SUSPECT) {
			peer->state = PEER_UNREACHABLE;
			log_warn("server.unreachable", "server=%s", peer->server);
		}
	}
}

void repair_answer(struct node *node, struct inbox_item *item)
{
	Chime__Reply *reply = NULL;
	struct ask **at = &node->asks, *ask;

	while (*at && (*at)->cookie != item->number)
		at = &(*at)->next;
	ask = *at;
	if (!ask || !item->number)
		return;
	*at = ask->next;
	if (!item->error && item->data)
		reply = (Chime__Reply *)budget_unpack(&chime__reply__descriptor, item->data,
						      item->len);
	/* Who answered an address only is told by the link. */
	if (!ask->peer[0] && name_server_valid(item->text, NULL))
		snprintf(ask->peer, sizeof(ask->peer), "%s", item->text);
	if (reply && ask->peer[0] && ask->address[0]) {
		struct peer *peer = peers_mention(&node->peers, ask->peer);

		if (!peer->self)
			peer_add_address(peer, ask->address);
	}
	ask_ended(node, ask, reply);
	chime__reply__free_unpacked(reply, NULL);
	free(ask->bytes);
	free(ask);
}
