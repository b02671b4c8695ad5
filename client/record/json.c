/*
 * json.c - a datagram as one line of JSON, schema chime.record/1.
 */
#include "client/record/decode.h"

#include "client/json.h"
#include "client/record/line.h"
#include "proto/budget.h"
#include "proto/frame.h"
#include "proto/head.h"
#include "proto/show.h"

#include <inttypes.h>

/* Lineages and counters take all 64 bits, which JSON numbers don't hold everywhere. */
static json_t *make_u64_text(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return json_string(text);
}

static json_t *make_event(uint64_t seq, const ProtobufCBinaryData *bytes)
{
	char kind[SHOW_KIND_SIZE] = "unreadable", text[SHOW_LINE_SIZE] = "";
	json_t *o = json_object();
	Chime__Event *event = (Chime__Event *)budget_unpack(&chime__event__descriptor,
							    bytes->data, bytes->len);
	uint64_t run = 0;

	if (event) {
		show_event_kind(event, kind);
		show_event_text(event, text, sizeof(text));
		run = show_event_run(event, seq);
	}
	line_set_number(o, "seq", seq);
	json_object_set_new(o, "kind", json_string(kind));
	json_object_set_new(o, "job", json_text(event ? show_event_job(event) : NULL));
	json_object_set_new(o, "run", json_number(run != 0, (int64_t)run));
	json_object_set_new(o, "time", json_instant(event && event->has_time,
						    event ? event->time : 0));
	json_object_set_new(o, "text", json_string(text));
	chime__event__free_unpacked(event, NULL);
	return o;
}

static json_t *make_events(const struct frame *frame)
{
	json_t *list = json_array();
	Chime__Events *events;

	if (frame->flags & FRAME_STUB)
		return list;
	events = (Chime__Events *)budget_unpack(&chime__events__descriptor, frame->body,
						frame->body_len);
	if (!events)
		return list;
	for (size_t i = 0; i < events->n_event; i++)
		json_array_append_new(list, make_event(frame->first_seq + i, &events->event[i]));
	chime__events__free_unpacked(events, NULL);
	return list;
}

static json_t *make_frame(const struct decoder *decoder, const ProtobufCBinaryData *bytes)
{
	json_t *o = json_object();
	struct frame f;
	struct digest hash = { 0 };
	enum frame_verdict verdict = frame_parse(bytes->data, bytes->len, &f);

	if (verdict == FRAME_OK)
		frame_hash(&f, decoder->env_id, &hash);
	else
		f = (struct frame){ 0 };
	json_object_set_new(o, "verdict", json_string(frame_verdict_name(verdict)));
	line_set_number(o, "bytes", bytes->len);
	json_object_set_new(o, "origin", json_text(f.count ? f.origin : NULL));
	json_object_set_new(o, "boot", make_u64_text(f.lineage.boot));
	line_set_number(o, "first", f.first_seq);
	line_set_number(o, "count", f.count);
	json_object_set_new(o, "opens", json_boolean(f.flags & FRAME_OPENS));
	json_object_set_new(o, "stub", json_boolean(f.flags & FRAME_STUB));
	json_object_set_new(o, "hash", json_hex(hash.b, sizeof(hash.b)));
	json_object_set_new(o, "prev", json_hex(f.prev_hash.b, sizeof(f.prev_hash.b)));
	json_object_set_new(o, "events", f.count ? make_events(&f) : json_array());
	return o;
}

static json_t *make_head(const struct decoder *decoder, const ProtobufCBinaryData *bytes)
{
	json_t *o = json_object();
	struct head h;
	enum head_verdict verdict = head_parse(bytes->data, bytes->len, decoder->env_id, &h);

	if (verdict != HEAD_OK)
		h = (struct head){ 0 };
	json_object_set_new(o, "verdict", json_string(head_verdict_name(verdict)));
	json_object_set_new(o, "origin", json_text(h.raw_len ? h.origin : NULL));
	json_object_set_new(o, "boot", make_u64_text(h.lineage.boot));
	line_set_number(o, "seq", h.seq);
	json_object_set_new(o, "counter", make_u64_text(h.counter));
	json_object_set_new(o, "time", json_instant(h.raw_len > 0, h.wall_us));
	json_object_set_new(o, "hash", json_hex(h.frame_hash.b, sizeof(h.frame_hash.b)));
	json_object_set_new(o, "goodbye", json_boolean(h.flags & HEAD_GOODBYE));
	json_object_set_new(o, "disk", json_boolean(h.flags & HEAD_DISK));
	json_object_set_new(o, "unproven", json_boolean(h.flags & HEAD_UNPROVEN));
	return o;
}

static json_t *make_member(const struct discover_member *member)
{
	json_t *o = json_object();

	json_object_set_new(o, "server", json_string(member->server));
	json_object_set_new(o, "address", json_string(member->address));
	return o;
}

/* Who answered, and whom it knows; empty for everything else. */
static json_t *make_members(const struct decoded *found)
{
	json_t *list = json_array();

	if (found->kind != DECODE_ANSWER || found->verdict != DECODE_OK)
		return list;
	json_array_append_new(list, make_member(&found->answer.self));
	for (size_t i = 0; i < found->answer.member_count; i++)
		json_array_append_new(list, make_member(&found->answer.members[i]));
	return list;
}

static json_t *make_sender(const struct decoded *found)
{
	if (found->inside)
		return json_string(found->inside->sender);
	if (found->kind == DECODE_ANSWER && found->verdict == DECODE_OK)
		return json_string(found->answer.self.server);
	return json_null();
}

void decode_print_json(const struct decoder *decoder, const struct decoded *found)
{
	char from[PACKET_END_SIZE], to[PACKET_END_SIZE];
	uint8_t key_id[2];
	json_t *o = json_object(), *frames = json_array(), *heads = json_array();

	packet_end_format(&found->packet->from, from);
	packet_end_format(&found->packet->to, to);
	for (size_t i = 0; found->inside && i < found->inside->n_frame; i++)
		json_array_append_new(frames, make_frame(decoder, &found->inside->frame[i]));
	for (size_t i = 0; found->inside && i < found->inside->n_head; i++)
		json_array_append_new(heads, make_head(decoder, &found->inside->head[i]));
	key_id[0] = (uint8_t)(found->key_id >> 8);
	key_id[1] = (uint8_t)found->key_id;
	json_object_set_new(o, "schema", json_string("chime.record/1"));
	json_object_set_new(o, "time", json_instant(true, found->wall_us));
	json_object_set_new(o, "source", json_string(from));
	json_object_set_new(o, "destination", json_string(to));
	json_object_set_new(o, "kind", json_string(decode_kind_name(found->kind)));
	line_set_number(o, "bytes", found->packet->wire_len);
	json_object_set_new(o, "key", found->has_key_id ? json_hex(key_id, 2) : json_null());
	json_object_set_new(o, "verdict", json_string(decoded_why(found)));
	json_object_set_new(o, "sender", make_sender(found));
	json_object_set_new(o, "frames", frames);
	json_object_set_new(o, "heads", heads);
	json_object_set_new(o, "members", make_members(found));
	line_print_json(decoder->out, o);
}
