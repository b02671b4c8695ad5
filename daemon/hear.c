/*
 * hear.c - what comes from other servers, by datagram or by pull: opened, checked, chained, and
 * through the door in the order of its origin.
 *
 * Checks go from cheap to dear, nothing is stored before the last: size, magic, key id, AEAD,
 * decoding within a budget, chain, signature of the head. Wrong at any step is a counter and
 * silence. While this server is in probation or unproven, frames of others wait in their chains or
 * are dropped and pulled again: what they would start must wait for its own past (bus.md 8), and
 * what is not journaled cannot be forgotten to be decided.
 */
#include "daemon/node.h"

#include "daemon/log.h"
#include "proto/budget.h"
#include "proto/datagram.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* ---- frames and heads, whatever carried them ---- */

static void deliver_events(struct node *node, struct peer *peer,
			   const struct chain_delivery *delivery)
{
	const struct chain_lineage *newest = chain_newest(&peer->chain);
	Chime__Events *events = (Chime__Events *)budget_unpack(&chime__events__descriptor,
		delivery->frame.body, delivery->frame.body_len);

	if (!events) {
		node_count(node, "frames without events");
		return;
	}
	for (size_t i = 0; i < events->n_event && i < delivery->frame.count; i++) {
		const ProtobufCBinaryData *bytes = &events->event[i];
		struct event e = { 0 };
		struct digest hash;
		Chime__Event *body = (Chime__Event *)budget_unpack(&chime__event__descriptor,
								   bytes->data, bytes->len);

		if (!body) {
			node_count(node, "events that cannot be read");
			continue;
		}
		digest_of(bytes->data, bytes->len, &hash);
		e.body = body;
		snprintf(e.ref.server, sizeof(e.ref.server), "%s", peer->server);
		e.ref.boot = delivery->frame.lineage.boot;
		e.ref.tag = delivery->frame.lineage.tag;
		e.ref.seq = delivery->frame.first_seq + i;
		memcpy(e.ref.hash, hash.b, sizeof(e.ref.hash));
		e.history = newest && newest->open &&
			    newest->lineage.boot > delivery->frame.lineage.boot;
		node_accept(node, &e, bytes->data, bytes->len);
		/* Each event may decide as much as a turn: an outage is no loop of conditions. */
		node->model.turn++;
		node_decide(node);
		chime__event__free_unpacked(body, NULL);
	}
	chime__events__free_unpacked(events, NULL);
}

bool hear_must_wait(const struct node *node, const struct peer *peer)
{
	return !peer->self && (node->state == NODE_PROBATION || node->unproven);
}

static void drain(struct node *node, struct peer *peer)
{
	struct chain_delivery delivery;

	if (hear_must_wait(node, peer))
		return;
#ifdef MUTANT_GAP_BLOCKS_ALL
	for (struct peer *p = node->peers.list; p; p = p->hh.next)
		if (p != peer && p->chain.head_count)
			return;
#endif
	while (chain_take(&peer->chain, &delivery)) {
		journal_add_frame(node->setup.journal, &delivery.frame, &delivery.hash,
				  node->now.wall.us);
#ifdef MUTANT_CURSOR_OUTSIDE_TRANSACTION
		(void)journal_commit(node->setup.journal, &node->model);
		journal_begin(node->setup.journal);
#endif
		if (delivery.covered)
			journal_add_head(node->setup.journal, &delivery.head);
		deliver_events(node, peer, &delivery);
		chain_delivery_fini(&delivery);
		/* Progress: what is still missing is asked for again without delay. */
		peer->pull_backoff_us = 0;
	}
}

void hear_drain_all(struct node *node)
{
	for (struct peer *peer = node->peers.list; peer; peer = peer->hh.next)
		drain(node, peer);
}

static void hear_frame(struct node *node, const void *raw, size_t len)
{
	struct frame frame;
	struct peer *peer;
	bool parent_known = false;

	if (frame_parse(raw, len, &frame) != FRAME_OK || frame.flags & FRAME_STUB) {
		node_count(node, "frames malformed");
		return;
	}
	/* Without its certificate no head of it can be checked: nothing would ever be delivered. */
	peer = peers_find(&node->peers, frame.origin);
	if (!peer || !peer->key) {
		node_count(node, "frames of unknown servers");
		return;
	}
	if (peer->self && lineage_equal(frame.lineage, node->lineage))
		return;
	if (frame.flags & FRAME_OPENS)
		parent_known = journal_has_frame(node->setup.journal, frame.origin,
						 &frame.prev_hash);
	switch (chain_add_frame(&peer->chain, &frame, parent_known)) {
	case CHAIN_NEW:
		node_count(node, "frames new");
		break;
	case CHAIN_DUPLICATE:
		node_count(node, "frames heard before");
		break;
	case CHAIN_TOO_FAR:
		node_count(node, "frames too far ahead");
		break;
	default:
		node_count(node, "frames without room");
		break;
	}
}

/* A head that can tell nothing new is not worth its signature check. */
static bool head_is_stale(const struct peer *peer, const struct head *head)
{
	const struct chain_lineage *l = chain_find_lineage(&peer->chain, head->lineage);

	if (head->lineage.boot > peer->boot ||
	    (head->lineage.boot == peer->boot && head->counter > peer->counter))
		return false;
	return head->seq == 0 || (l && l->open && head->seq <= l->seq);
}

static void hear_own_head(struct node *node, const struct head *head)
{
	if (lineage_equal(head->lineage, node->lineage))
		return;
	if (head->lineage.boot > node->boot_seen)
		node->boot_seen = head->lineage.boot;
	if (node->lineage.boot && head->lineage.boot >= node->lineage.boot)
		node_count(node, "heads of mine that I did not send");
	(void)chain_add_head(&node->self->chain, head);
}

void hear_head(struct node *node, const void *raw, size_t len)
{
	struct head head;
	struct peer *peer;

	if (head_parse(raw, len, node->env_id, &head) != HEAD_OK) {
		node_count(node, "heads malformed");
		return;
	}
	peer = peers_find(&node->peers, head.origin);
	if (!peer || !peer->key) {
		node_count(node, "heads of unknown servers");
		return;
	}
	if (head_is_stale(peer, &head) ||
	    (peer->self && lineage_equal(head.lineage, node->lineage)))
		return;
	if (head_verify(&head, peer->key) != HEAD_OK) {
		node_count(node, "heads with a bad signature");
		return;
	}
	if (peer->self) {
		hear_own_head(node, &head);
		return;
	}
	(void)chain_add_head(&peer->chain, &head);
	(void)peer_hear(peer, &head, node->now);
}

/* ---- datagrams ---- */

static void source_address(const struct inbox_item *item, uint32_t port, char *out, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (item->from.ss_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)&item->from)->sin_addr, host,
			  sizeof(host));
		snprintf(out, size, "%s:%u", host, port);
	} else if (item->from.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&item->from)->sin6_addr, host,
			  sizeof(host));
		snprintf(out, size, "[%s]:%u", host, port);
	} else {
		snprintf(out, size, "%.*s:%u", (int)size - 8, item->text, port);
	}
}

/* Who it says it is and where; vouched for by the group key only, so it is asked over mTLS. */
static void meet_sender(struct node *node, const struct inbox_item *item,
			const Chime__Datagram *d)
{
	struct peer *peer = peers_find(&node->peers, d->sender);
	char address[PEER_ADDRESS_SIZE];

	if (!peer) {
		if (peers_count(&node->peers) >= NODE_PEERS_MAX ||
		    !rate_take(&node->strangers, node->now.boot)) {
			node_count(node, "strangers not asked");
			return;
		}
		peer = peers_mention(&node->peers, d->sender);
		peer->mentioned = node->now.boot;
	}
	if (peer->self || (peer->key && peer->has_baseline) || !d->control_port ||
	    d->control_port > UINT16_MAX)
		return;
	source_address(item, d->control_port, address, sizeof(address));
	repair_ask_certificate(node, peer, address);
}

void hear_datagram(struct node *node, const struct inbox_item *item)
{
	enum envelope_verdict verdict;
	Chime__Datagram *d;

	if (!node->setup.keys)
		return;
	d = datagram_open(node->setup.keys, node->env_id, item->data, item->len, NULL, &verdict);
	if (!d) {
		node_count(node, verdict == ENVELOPE_OK ? "datagrams malformed" :
							  envelope_verdict_name(verdict));
		return;
	}
	meet_sender(node, item, d);
	for (size_t i = 0; i < d->n_frame; i++)
		hear_frame(node, d->frame[i].data, d->frame[i].len);
	for (size_t i = 0; i < d->n_head; i++)
		hear_head(node, d->head[i].data, d->head[i].len);
	hear_drain_all(node);
	chime__datagram__free_unpacked(d, NULL);
}

/* ---- what is asked for ---- */

bool hear_certificate(struct node *node, const char *server, const void *der, size_t len)
{
	char why[IDENTITY_WHY_SIZE];
	struct name_id who;
	enum identity_verdict verdict;
	struct peer *peer;

	if (!node->setup.identity)
		return false;
	verdict = identity_judge(node->setup.identity, der, len,
				 wall_seconds(node->now.wall), &who, why, sizeof(why));
	if (verdict != IDENTITY_OK || who.role != ROLE_SERVER || strcmp(who.name, server) != 0) {
		node_count(node, "certificates refused");
		return false;
	}
	peer = peers_mention(&node->peers, server);
	if (peer->self)
		return true;
	if (peer_set_certificate(peer, der, len))
		log_info("server.known", "server=%s", server);
	return true;
}

void hear_pull(struct node *node, const Chime__PullReply *reply, const char *origin)
{
	struct peer *peer = peers_mention(&node->peers, origin);

	if (!peer->key && reply->has_certificate)
		(void)hear_certificate(node, origin, reply->certificate.data,
				       reply->certificate.len);
	for (size_t i = 0; i < reply->n_frame; i++)
		hear_frame(node, reply->frame[i].data, reply->frame[i].len);
	/* A chain keeps only so many heads ahead: each is used up before the next, or an answer
	 * over several lineages would lose those of the first, and be asked for for ever. */
	for (size_t i = 0; i < reply->n_head; i++) {
		hear_head(node, reply->head[i].data, reply->head[i].len);
		drain(node, peer);
	}
	drain(node, peer);
}
