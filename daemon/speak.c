/*
 * speak.c - my own log: events of the turn -> frames -> one signed head -> datagrams.
 *
 * Every transmission is repeated: the newest frames at 2, 6 and 14 ms, the bare head at 30, 62 ...
 * 1022 ms, then a fresh head every beat. So the loss of the last datagram of a burst heals in
 * milliseconds although nobody can know that it is missing (bus.md 6).
 */
#include "daemon/node.h"

#include "daemon/edge/bus.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DATAGRAM_ROOM = ENVELOPE_DATAGRAM_MAX - ENVELOPE_OVERHEAD,
	BURST = 64,			/* a default socket buffer holds 92 full datagrams */
	HEAD_EVENTS_MAX = 256,
	BEACONS_WITH_DATA = 3,
	BEACONS = 9,
};

/* Milliseconds after the newest data: 2, 6, 14, 30 ... 1022. */
static int64_t beacon_us(uint32_t index)
{
	return ((INT64_C(4) << index) - 2) * USEC_PER_MSEC;
}

/* ---- frames ---- */

static void remember_for_repeat(struct node *node, const struct frame *frame)
{
	if (node->repeat_count == NODE_REPEAT_MAX) {
		free(node->repeat[0].raw);
		memmove(&node->repeat[0], &node->repeat[1],
			(NODE_REPEAT_MAX - 1) * sizeof(node->repeat[0]));
		node->repeat_count--;
	}
	node->repeat[node->repeat_count].raw = malloc(frame->raw_len);
	assert(node->repeat[node->repeat_count].raw);
	memcpy(node->repeat[node->repeat_count].raw, frame->raw, frame->raw_len);
	node->repeat[node->repeat_count++].len = frame->raw_len;
}

/* Own frames of this turn wait in the arena until they are sent. */
struct new_frame {
	struct new_frame *next;
	const uint8_t *raw;
	size_t len;
};

static void close_frame(struct node *node, Chime__Events *events, uint64_t first_seq)
{
	struct frame frame = { 0 };
	struct new_frame *new;
	size_t body_len = chime__events__get_packed_size(events);
	uint8_t *body = arena_take(&node->arena, body_len);
	size_t cap = frame_size(strlen(node->setup.server), body_len);
	uint8_t *raw = arena_take(&node->arena, cap);

	chime__events__pack(events, body);
	snprintf(frame.origin, sizeof(frame.origin), "%s", node->setup.server);
	frame.lineage = node->lineage;
	frame.first_seq = first_seq;
	frame.count = (uint32_t)events->n_event;
	frame.flags = node->frame_opens ? FRAME_OPENS : 0;
	frame.prev_hash = node->tip;
	frame.body = body;
	frame.body_len = body_len;
	if (frame_build(&frame, raw, cap) < 0)
		assert(!"own frame is malformed");
	node->frame_opens = false;
	frame_hash(&frame, node->env_id, &node->tip);
	journal_add_frame(node->setup.journal, &frame, &node->tip, node->now.wall.us);
	chain_load(&node->self->chain, node->lineage, frame_last_seq(&frame), &node->tip);
	new = arena_take(&node->arena, sizeof(*new));
	*new = (struct new_frame){ .raw = frame.raw, .len = frame.raw_len };
	*node->new_frames_tail = new;
	node->new_frames_tail = &new->next;
	remember_for_repeat(node, &frame);
}

void speak_sign(struct node *node, uint32_t flags)
{
	struct head *head = &node->head;

	*head = (struct head){ 0 };
	memcpy(head->env_id, node->env_id, sizeof(head->env_id));
	snprintf(head->origin, sizeof(head->origin), "%s", node->setup.server);
	head->lineage = node->lineage;
	head->seq = node->seq;
	head->frame_hash = node->tip;
	head->low_seq = 0;
	head->counter = ++node->head_counter;
	head->wall_us = node->now.wall.us;
	head->flags = flags | (node->unproven ? HEAD_UNPROVEN : 0);
	head->load_running = node->model.live_own;
	if (node->setup.identity && head_sign(head, identity_key(node->setup.identity)) < 0)
		assert(!"own head is malformed");
	node->self->boot = node->lineage.boot;
	node->self->counter = head->counter;
}

void speak_close_frames(struct node *node)
{
	size_t room = frame_body_room(strlen(node->setup.server));
	ProtobufCBinaryData list[HEAD_EVENTS_MAX];
	Chime__Events events = CHIME__EVENTS__INIT;
	struct own_event *own = node->own;
	uint64_t first_seq = own ? own->seq : 0;
	size_t len = 0;

	node->new_frames = NULL;
	node->new_frames_tail = &node->new_frames;
	if (!own)
		return;
	events.event = list;
	for (; own; own = own->next) {
		size_t cost = own->len + 4;	/* tag and length of a field below 2 MiB */

		if (events.n_event && (len + cost > room || events.n_event == HEAD_EVENTS_MAX)) {
			close_frame(node, &events, first_seq);
			events.n_event = 0;
			len = 0;
			first_seq = own->seq;
		}
		list[events.n_event].data = own->bytes;
		list[events.n_event++].len = own->len;
		len += cost;
	}
	close_frame(node, &events, first_seq);
	while (node->own) {
		own = node->own;
		node->own = own->next;
		free(own);
	}
	node->own_tail = &node->own;
	if (node->setup.identity) {
		speak_sign(node, node->say_goodbye ? HEAD_GOODBYE : 0);
		journal_add_head(node->setup.journal, &node->head);
	}
	node->speak_data = true;
}

/* ---- datagrams ---- */

struct letter {
	ProtobufCBinaryData frames[NODE_REPEAT_MAX], heads[1];
	Chime__Datagram datagram;
	size_t len;		/* of what is in it */
};

static void letter_init(struct letter *letter, struct node *node)
{
	chime__datagram__init(&letter->datagram);
	letter->datagram.sender = (char *)node->setup.server;
	letter->datagram.has_control_port = node->setup.control_port != 0;
	letter->datagram.control_port = node->setup.control_port;
	letter->datagram.frame = letter->frames;
	letter->datagram.head = letter->heads;
	letter->len = 2 + strlen(node->setup.server) + 4;
}

static bool letter_fits(const struct letter *letter, size_t len)
{
	return letter->len + len + 4 <= DATAGRAM_ROOM;
}

static void letter_add_frame(struct letter *letter, const uint8_t *raw, size_t len)
{
	letter->frames[letter->datagram.n_frame++] =
		(ProtobufCBinaryData){ len, (uint8_t *)raw };
	letter->len += len + 4;
}

static void letter_add_head(struct letter *letter, struct head *head)
{
	letter->heads[0] = (ProtobufCBinaryData){ head->raw_len, head->raw };
	letter->datagram.n_head = 1;
	letter->len += head->raw_len + 4;
}

static void letter_send(struct node *node, struct letter *letter)
{
	uint8_t plain[ENVELOPE_PLAIN_MAX], sealed[ENVELOPE_INPUT_MAX];
	size_t len = chime__datagram__get_packed_size(&letter->datagram), sealed_len;

	if (len > sizeof(plain))
		return;
	chime__datagram__pack(&letter->datagram, plain);
	if (envelope_seal(node->setup.key, node->env_id, plain, len, sealed,
			  ENVELOPE_DATAGRAM_MAX, &sealed_len) < 0) {
		node_count(node, "datagrams that could not be sealed");
		return;
	}
	bus_send(node->setup.bus, sealed, sealed_len);
}

/* New frames in order, the head with the last of them or right after. */
static void send_new(struct node *node)
{
	struct letter letter;
	size_t sent = 0;
	bool head_sent = false;

	for (struct new_frame *f = node->new_frames; f && sent < BURST; f = f->next, sent++) {
		letter_init(&letter, node);
		if (!letter_fits(&letter, f->len)) {
			/* Larger than a datagram: the head tells of it, it is pulled. */
			continue;
		}
		letter_add_frame(&letter, f->raw, f->len);
		if (!f->next && letter_fits(&letter, node->head.raw_len)) {
			letter_add_head(&letter, &node->head);
			head_sent = true;
		}
		letter_send(node, &letter);
	}
	if (head_sent)
		return;
	letter_init(&letter, node);
	letter_add_head(&letter, &node->head);
	letter_send(node, &letter);
}

static void send_beacon(struct node *node, bool with_data)
{
	struct letter letter;

	letter_init(&letter, node);
	letter_add_head(&letter, &node->head);
	for (size_t i = node->repeat_count; with_data && i-- > 0;) {
		if (!letter_fits(&letter, node->repeat[i].len))
			break;
		letter_add_frame(&letter, node->repeat[i].raw, node->repeat[i].len);
	}
	letter_send(node, &letter);
}

static void plan_beacon(struct node *node)
{
	int64_t beat = beat_us(node);

	if (node->beacon < BEACONS)
		node->beacon_at.us = node->spoke_at.us + beacon_us(node->beacon);
	else
		node->beacon_at.us = node->now.boot.us + beat * 9 / 10 +
				     (int64_t)node_random(node, (uint64_t)beat / 5);
}

void speak_send(struct node *node)
{
	bool can_speak = node->setup.bus && node->setup.key && node->setup.identity &&
			 node->lineage.boot;

	if (node->speak_data && can_speak) {
		send_new(node);
		node->spoke_at = node->now.boot;
		node->beacon = 0;
		plan_beacon(node);
	} else if (can_speak && node->beacon_at.us && node->now.boot.us >= node->beacon_at.us) {
		if (node->beacon >= BEACONS)
			speak_sign(node, 0);
		send_beacon(node, node->beacon < BEACONS_WITH_DATA);
		while (node->beacon < BEACONS &&
		       node->spoke_at.us + beacon_us(node->beacon) <= node->now.boot.us)
			node->beacon++;
		plan_beacon(node);
	}
	node->speak_data = false;
	node->new_frames = NULL;
}

void speak_next(const struct node *node, int64_t *boot_us)
{
	if (node->beacon_at.us && node->beacon_at.us < *boot_us)
		*boot_us = node->beacon_at.us;
}
