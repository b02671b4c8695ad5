/*
 * record_log.h - the log of a server as its datagrams carry it, for tests of what hears them.
 *
 * No test framework in here: the tool that makes captures uses it too.
 */
#ifndef CHIME_TESTS_UNIT_RECORD_LOG_H
#define CHIME_TESTS_UNIT_RECORD_LOG_H

#include "proto/event.pb-c.h"
#include "proto/frame.h"
#include "proto/head.h"
#include "proto/identity.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_LETTER_MAX = 16, RECORD_FRAME_MAX = 4096 };

struct record_log {
	char name[FRAME_ORIGIN_SIZE];
	uint8_t env_id[ENVIRONMENT_ID_SIZE];
	const struct sigkey *key;
	struct lineage lineage;
	uint64_t seq, counter;
	struct digest tip;
	int64_t wall_us;
};

/* The bytes of a frame. */
struct record_frame {
	uint8_t raw[RECORD_FRAME_MAX];
	size_t len;
	uint64_t last;
	struct digest hash;
};

/* A datagram being put together; borrows what is in it. */
struct record_letter {
	Chime__Datagram datagram;
	ProtobufCBinaryData frames[RECORD_LETTER_MAX], heads[RECORD_LETTER_MAX];
};

static inline void record_pack(Chime__Event *event, ProtobufCBinaryData *out)
{
	out->len = chime__event__get_packed_size(event);
	out->data = malloc(out->len);
	assert(out->data);
	chime__event__pack(event, out->data);
}

/* The frame of these events; frees their bytes. */
static inline void record_close(struct record_log *log, ProtobufCBinaryData *list, size_t count,
				uint32_t flags, struct record_frame *out)
{
	Chime__Events events = CHIME__EVENTS__INIT;
	struct frame frame = { .lineage = log->lineage, .first_seq = log->seq + 1,
			       .count = (uint32_t)count, .flags = flags, .prev_hash = log->tip };
	uint8_t body[RECORD_FRAME_MAX];
	int rc;

	events.event = list;
	events.n_event = count;
	assert(chime__events__get_packed_size(&events) <= sizeof(body));
	frame.body_len = chime__events__pack(&events, body);
	frame.body = body;
	snprintf(frame.origin, sizeof(frame.origin), "%s", log->name);
	rc = frame_build(&frame, out->raw, sizeof(out->raw));
	assert(rc == 0);
	(void)rc;
	out->len = frame.raw_len;
	out->last = frame_last_seq(&frame);
	frame_hash(&frame, log->env_id, &out->hash);
	log->seq = out->last;
	log->tip = out->hash;
	for (size_t i = 0; i < count; i++)
		free(list[i].data);
}

/* Opens the lineage with the server's certificate; parent_seq 0 = there was none before. */
static inline void record_open(struct record_log *log, const uint8_t *der, size_t der_len,
			       struct lineage parent, uint64_t parent_seq, struct record_frame *out)
{
	Chime__Lineage before = CHIME__LINEAGE__INIT;
	Chime__ServerUp up = CHIME__SERVER_UP__INIT;
	Chime__Event event = CHIME__EVENT__INIT;
	ProtobufCBinaryData bytes;

	before.has_boot = before.has_tag = true;
	before.boot = parent.boot;
	before.tag = parent.tag;
	up.parent = parent_seq ? &before : NULL;
	up.has_parent_seq = true;
	up.parent_seq = parent_seq;
	up.has_certificate = der != NULL;
	up.certificate.data = (uint8_t *)der;
	up.certificate.len = der_len;
	event.has_time = true;
	event.time = log->wall_us;
	event.body_case = CHIME__EVENT__BODY_SERVER_UP;
	event.server_up = &up;
	record_pack(&event, &bytes);
	record_close(log, &bytes, 1, FRAME_OPENS, out);
}

/* count events of a job. */
static inline void record_events(struct record_log *log, size_t count, const char *job,
				 struct record_frame *out)
{
	ProtobufCBinaryData list[64];

	assert(count <= 64);
	for (size_t i = 0; i < count; i++) {
		Chime__Event event = CHIME__EVENT__INIT;
		Chime__RunCreated created = CHIME__RUN_CREATED__INIT;

		created.job = (char *)job;
		created.cycle = (char *)"2026-11-20";
		created.has_cause = true;
		created.cause = CHIME__CAUSE__CAUSE_SCHEDULE;
		event.has_time = true;
		event.time = log->wall_us;
		event.body_case = CHIME__EVENT__BODY_RUN_CREATED;
		event.run_created = &created;
		record_pack(&event, &list[i]);
	}
	record_close(log, list, count, 0, out);
}

/* The head of what the log holds now. */
static inline struct head record_head(struct record_log *log)
{
	struct head head = { .lineage = log->lineage, .seq = log->seq, .frame_hash = log->tip,
			     .counter = ++log->counter, .wall_us = log->wall_us };
	int rc;

	snprintf(head.origin, sizeof(head.origin), "%s", log->name);
	memcpy(head.env_id, log->env_id, sizeof(head.env_id));
	rc = head_sign(&head, log->key);
	assert(rc == 0);
	(void)rc;
	return head;
}

static inline void record_letter_init(struct record_letter *letter, const char *sender)
{
	chime__datagram__init(&letter->datagram);
	letter->datagram.sender = (char *)sender;
	letter->datagram.frame = letter->frames;
	letter->datagram.head = letter->heads;
}

static inline void record_letter_frame(struct record_letter *letter,
				       const struct record_frame *frame)
{
	assert(letter->datagram.n_frame < RECORD_LETTER_MAX);
	letter->frames[letter->datagram.n_frame++] =
		(ProtobufCBinaryData){ frame->len, (uint8_t *)frame->raw };
}

static inline void record_letter_head(struct record_letter *letter, const struct head *head)
{
	assert(letter->datagram.n_head < RECORD_LETTER_MAX);
	letter->heads[letter->datagram.n_head++] =
		(ProtobufCBinaryData){ head->raw_len, (uint8_t *)head->raw };
}

#endif
