/* Questions about servers, and what servers ask each other. */
#include "daemon/command/command.h"

#include "proto/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- server ls ---- */

static void count_jobs(const struct node *node, const char *server, Chime__ServerRow *row)
{
	row->has_jobs = row->has_running = true;
	for (const struct job *job = node->model.jobs; job; job = job->hh.next) {
		if (strcmp(job->server, server) != 0)
			continue;
		row->jobs += job->defined;
		for (const struct run *r = job->live; r; r = r->next_live)
			row->running += run_state_active(r->state);
	}
}

Chime__ServerRow *command_server_row(struct command_call *call, struct peer *peer)
{
	struct node *node = call->node;
	Chime__ServerRow *row = arena_take(&node->arena, sizeof(*row));
	const struct chain_lineage *newest = chain_newest(&peer->chain);
	Chime__Lineage *lineage = arena_take(&node->arena, sizeof(*lineage));

	chime__server_row__init(row);
	row->server = peer->server;
	row->has_self = true;
	row->self = peer->self;
	row->state = peer->self ? "UP" : (char *)peer_state_name(peer->state);
	row->has_heard = peer->self || peer->heard_wall_us;
	row->heard = peer->self ? node->now.wall.us : peer->heard_wall_us;
	row->address = arena_take(&node->arena, (PEER_ADDRESSES_MAX + 1) * sizeof(char *));
	if (peer->self && node->setup.address && node->setup.address[0])
		row->address[row->n_address++] = (char *)node->setup.address;
	for (size_t i = 0; i < peer->address_count; i++)
		row->address[row->n_address++] = peer->addresses[i];
	if (newest) {
		chime__lineage__init(lineage);
		lineage->has_boot = lineage->has_tag = true;
		lineage->boot = newest->lineage.boot;
		lineage->tag = newest->lineage.tag;
		row->lineage = lineage;
		row->has_seq = row->has_known_seq = true;
		row->seq = newest->seq;
		row->known_seq = newest->head_seq > newest->seq ? newest->head_seq : newest->seq;
	}
	count_jobs(node, peer->server, row);
	row->has_unproven = true;
	row->unproven = peer->self ? node->unproven : peer->head_flags & HEAD_UNPROVEN;
	row->version = peer->self ? CHIME_VERSION : peer->version;
	row->has_skew_us = !peer->self && peer->heard.us;
	row->skew_us = peer->skew_us;
	if (peer->self && node->unproven)
		row->note = node->unproven_why;
	return row;
}

static int compare_rows(const void *a, const void *b)
{
	return strcmp((*(Chime__ServerRow *const *)a)->server,
		      (*(Chime__ServerRow *const *)b)->server);
}

void command_servers(struct command_call *call)
{
	struct node *node = call->node;
	Chime__ServersReply *reply = arena_take(&node->arena, sizeof(*reply));

	chime__servers_reply__init(reply);
	reply->server = arena_take(&node->arena,
				   (peers_count(&node->peers) + 1) * sizeof(*reply->server));
	for (struct peer *p = node->peers.list; p; p = p->hh.next)
		reply->server[reply->n_server++] = command_server_row(call, p);
	qsort(reply->server, reply->n_server, sizeof(*reply->server), compare_rows);
	call->reply.body_case = CHIME__REPLY__BODY_SERVERS;
	call->reply.servers = reply;
}

/* ---- trust, key ---- */

void command_trust(struct command_call *call)
{
	struct node *node = call->node;
	Chime__ActionReply *reply = arena_take(&node->arena, sizeof(*reply));
	Chime__Effect *effect = arena_take(&node->arena, sizeof(*effect));

	chime__action_reply__init(reply);
	chime__effect__init(effect);
	reply->effect = arena_take(&node->arena, sizeof(*reply->effect));
	reply->effect[reply->n_effect++] = effect;
	effect->target = (char *)node->setup.server;
	effect->result = "done";
	effect->what = node->unproven ? "trusted" : "was not in doubt";
	start_prove(node, arena_print(&node->arena, "trusted by %s", call->who));
	call->reply.body_case = CHIME__REPLY__BODY_ACTION;
	call->reply.action = reply;
}

void command_key(struct command_call *call)
{
	const ProtobufCBinaryData *key = &call->request->key_status->key;
	struct node *node = call->node;
	uint8_t *bytes;
	size_t len;
	Chime__Reply *before;

	if (!journal_find_command(node->setup.journal, key->data, key->len, &bytes, &len)) {
		command_refuse(call, 3, "no command with this key had an effect here", NULL,
			       "it is safe to give the command again with this key");
		return;
	}
	before = chime__reply__unpack(NULL, len, bytes);
	free(bytes);
	if (!before) {
		command_refuse(call, 1, "the stored answer cannot be read", NULL, NULL);
		return;
	}
	before->id = call->request->id;
	node_reply(node, call->conn, before);
	chime__reply__free_unpacked(before, NULL);
	call->later = true;
}

/* ---- for who hears the group itself ---- */

static Chime__BusMember *bus_member(struct command_call *call, struct peer *peer)
{
	Chime__BusMember *member = arena_take(&call->node->arena, sizeof(*member));

	chime__bus_member__init(member);
	member->server = peer->server;
	member->has_certificate = true;
	member->certificate = (ProtobufCBinaryData){ peer->certificate_len, peer->certificate };
	return member;
}

/* Who may look may hear: the key opens what that identity could ask for anyway. */
void command_bus(struct command_call *call)
{
	struct node *node = call->node;
	const struct keyring *ring = node->setup.keys;
	Chime__BusReply *reply = arena_take(&node->arena, sizeof(*reply));

	chime__bus_reply__init(reply);
	reply->key = arena_take(&node->arena, KEYRING_MAX * sizeof(*reply->key));
	reply->member = arena_take(&node->arena,
				   (peers_count(&node->peers) + 1) * sizeof(*reply->member));
	if (node->setup.bus_group && ring) {
		reply->group = (char *)node->setup.bus_group;
		reply->has_port = true;
		reply->port = node->setup.bus_port;
		for (size_t i = 0; i < ring->count; i++) {
			reply->key[i].data = (uint8_t *)ring->keys[i].bytes;
			reply->key[i].len = BUSKEY_SIZE;
		}
		reply->n_key = ring->count;
	}
	for (struct peer *p = node->peers.list; p; p = p->hh.next)
		if (p->certificate_len)
			reply->member[reply->n_member++] = bus_member(call, p);
	call->reply.body_case = CHIME__REPLY__BODY_BUS;
	call->reply.bus = reply;
}

/* ---- between servers ---- */

void command_ping(struct command_call *call)
{
	(void)call;	/* that it is answered is the answer */
}

static void add_entry(struct command_call *call, Chime__VectorReply *reply,
		      const struct peer *peer, const struct chain_lineage *l)
{
	struct arena *arena = &call->node->arena;
	Chime__VectorEntry *entry = arena_take(arena, sizeof(*entry));
	Chime__Lineage *lineage = arena_take(arena, sizeof(*lineage));

	chime__vector_entry__init(entry);
	chime__lineage__init(lineage);
	lineage->has_boot = lineage->has_tag = true;
	lineage->boot = l->lineage.boot;
	lineage->tag = l->lineage.tag;
	entry->server = (char *)peer->server;
	entry->lineage = lineage;
	entry->has_seq = true;
	entry->seq = l->seq;
	if (peer->counter || peer->boot) {
		entry->has_counter = entry->has_counter_boot = true;
		entry->counter_boot = peer->boot;
		entry->counter = peer->counter;
	}
	reply->entry[reply->n_entry++] = entry;
}

enum { VECTOR_MAX = 4096, LINEAGES_MIN = 4, LINEAGES_MAX = 64 };

void command_vector(struct command_call *call)
{
	struct node *node = call->node;
	Chime__VectorReply *reply = arena_take(&node->arena, sizeof(*reply));
	const struct peer *asker = peers_find(&node->peers, call->who);
	uint8_t *head = arena_take(&node->arena, HEAD_RAW_MAX);
	size_t len, each;

	chime__vector_reply__init(reply);
	reply->server = (char *)node->setup.server;
	/* The tails of older lineages too: what was missed of one is told by nothing else. */
	each = VECTOR_MAX / peers_count(&node->peers);
	each = each < LINEAGES_MIN ? LINEAGES_MIN : each > LINEAGES_MAX ? LINEAGES_MAX : each;
	reply->entry = arena_take(&node->arena, VECTOR_MAX * sizeof(*reply->entry));
	for (const struct peer *p = node->peers.list; p; p = p->hh.next) {
		size_t given = 0;

		for (size_t i = p->chain.lineage_count;
		     i-- > 0 && given < each && reply->n_entry < VECTOR_MAX;)
			if (p->chain.lineages[i].open) {
				add_entry(call, reply, p, &p->chain.lineages[i]);
				given++;
			}
	}
	if (asker) {
		const struct chain_lineage *newest = chain_newest(&asker->chain);

		reply->has_your_boot = true;
		reply->your_boot = newest && newest->lineage.boot > asker->boot ?
					   newest->lineage.boot : asker->boot;
		if (journal_newest_head(node->setup.journal, call->who, head, HEAD_RAW_MAX, &len)) {
			reply->has_your_head = true;
			reply->your_head = (ProtobufCBinaryData){ len, head };
		}
	}
	call->reply.body_case = CHIME__REPLY__BODY_VECTOR;
	call->reply.vector = reply;
}

enum { PULL_FRAMES = 1024, PULL_BYTES = 900 * 1024, PULL_HEADS = 4096, HAVE_MAX = 64 };

struct pull {
	struct arena *arena;
	Chime__PullReply *reply;
	size_t room;
};

static void pull_frame_cb(void *arg, const uint8_t *raw, size_t len)
{
	struct pull *pull = arg;
	Chime__PullReply *reply = pull->reply;

	if (reply->n_frame == pull->room) {
		ProtobufCBinaryData *more = arena_take(pull->arena, 2 * pull->room * sizeof(*more));

		memcpy(more, reply->frame, pull->room * sizeof(*more));
		reply->frame = more;
		pull->room *= 2;
	}
	reply->frame[reply->n_frame].data = arena_copy(pull->arena, raw, len);
	reply->frame[reply->n_frame++].len = len;
}

static void pull_head_cb(void *arg, const uint8_t *raw, size_t len)
{
	struct pull *pull = arg;
	Chime__PullReply *reply = pull->reply;

	if (reply->n_head == PULL_HEADS)
		return;
	reply->head[reply->n_head].data = arena_copy(pull->arena, raw, len);
	reply->head[reply->n_head++].len = len;
}

void command_pull(struct command_call *call)
{
	const Chime__PullRequest *request = call->request->pull;
	struct node *node = call->node;
	Chime__PullReply *reply = arena_take(&node->arena, sizeof(*reply));
	struct journal_have have[HAVE_MAX + 1];
	size_t have_count = 0;
	struct pull pull = { .arena = &node->arena, .reply = reply, .room = PULL_FRAMES };
	struct journal_reader reader = { pull_frame_cb, pull_head_cb, &pull };
	const struct peer *origin;
	bool more;

	if (!request->origin || !name_server_valid(request->origin, NULL) ||
	    request->n_have > HAVE_MAX + 1) {
		command_refuse(call, 2, "the request for a log cannot be read", NULL, NULL);
		return;
	}
	for (size_t i = 0; i < request->n_have; i++) {
		const Chime__VectorEntry *e = request->have[i];

		if (!e->lineage)
			continue;
		have[have_count].lineage = (struct lineage){ e->lineage->boot, e->lineage->tag };
		have[have_count++].seq = e->seq;
	}
	chime__pull_reply__init(reply);
	reply->frame = arena_take(&node->arena, PULL_FRAMES * sizeof(*reply->frame));
	reply->head = arena_take(&node->arena, PULL_HEADS * sizeof(*reply->head));
	journal_read_log(node->setup.journal, request->origin, have, have_count, PULL_FRAMES,
			 PULL_BYTES, &reader, &more);
	reply->has_more = true;
	reply->more = more;
	origin = peers_find(&node->peers, request->origin);
	if (origin && origin->certificate_len) {
		reply->has_certificate = true;
		reply->certificate.data = origin->certificate;
		reply->certificate.len = origin->certificate_len;
	}
	call->reply.body_case = CHIME__REPLY__BODY_PULL;
	call->reply.pull = reply;
}

void command_certificate(struct command_call *call)
{
	struct node *node = call->node;
	const char *server = call->request->certificate->server;
	struct peer *peer = server ? peers_find(&node->peers, server) : NULL;
	Chime__CertificateReply *reply = arena_take(&node->arena, sizeof(*reply));

	if (!peer || !peer->certificate_len) {
		command_refuse(call, 3, "that server is not known here", NULL, NULL);
		return;
	}
	chime__certificate_reply__init(reply);
	reply->has_certificate = true;
	reply->certificate.data = peer->certificate;
	reply->certificate.len = peer->certificate_len;
	reply->address = arena_take(&node->arena, PEER_ADDRESSES_MAX * sizeof(char *));
	for (size_t i = 0; i < peer->address_count; i++)
		reply->address[reply->n_address++] = peer->addresses[i];
	call->reply.body_case = CHIME__REPLY__BODY_CERTIFICATE;
	call->reply.certificate = reply;
}
