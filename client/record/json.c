/*
 * json.c - a datagram as one line of JSON, schema chime.record/1.
 */
#include "client/record/decode.h"

#include "proto/budget.h"
#include "proto/digest.h"
#include "proto/frame.h"
#include "proto/head.h"
#include "proto/names.h"
#include "proto/show.h"

#include <jansson.h>
#include <string.h>

static json_t *make_hex(const void *bytes, size_t len)
{
	char hex[2 * DIGEST_SIZE + 1];

	digest_hex_encode(bytes, len, hex);
	return json_string(hex);
}

static json_t *make_clean(const char *text)
{
	char clean[SHOW_LINE_SIZE];

	if (!text)
		return json_null();
	show_clean(text, strlen(text), clean, sizeof(clean));
	return json_string(clean);
}

static json_t *make_instant(int64_t wall_us)
{
	char text[NAME_INSTANT_SIZE];

	instant_format(wall_us, text);
	return json_string(text);
}

/* Lineages and counters take all 64 bits, which JSON numbers don't hold everywhere. */
static json_t *make_u64_text(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return json_string(text);
}

static json_t *make_event(uint64_t seq, const ProtobufCBinaryData *bytes)
{
	char kind[SHOW_KIND_SIZE] = "unreadable", text[SHOW_LINE_SIZE] = "";
	json_t *o = json_object();
	Chime__Event *event = (Chime__Event *)budget_unpack(&chime__event__descriptor,
							    bytes->data, bytes->len);

	if (event) {
		show_event_kind(event, kind);
		show_event_text(event, text, sizeof(text));
	}
	json_object_set_new(o, "seq", json_integer((json_int_t)seq));
	json_object_set_new(o, "kind", json_string(kind));
	json_object_set_new(o, "job", make_clean(event ? show_event_job(event) : NULL));
	json_object_set_new(o, "run", event && show_event_run(event, seq) ?
		json_integer((json_int_t)show_event_run(event, seq)) : json_null());
	json_object_set_new(o, "time", event && event->has_time ? make_instant(event->time) :
								  json_null());
	json_object_set_new(o, "text", json_string(text));
	if (event)
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
	json_object_set_new(o, "bytes", json_integer((json_int_t)bytes->len));
	json_object_set_new(o, "origin", f.count ? json_string(f.origin) : json_null());
	json_object_set_new(o, "boot", make_u64_text(f.lineage.boot));
	json_object_set_new(o, "first", json_integer((json_int_t)f.first_seq));
	json_object_set_new(o, "count", json_integer((json_int_t)f.count));
	json_object_set_new(o, "opens", json_boolean(f.flags & FRAME_OPENS));
	json_object_set_new(o, "stub", json_boolean(f.flags & FRAME_STUB));
	json_object_set_new(o, "hash", make_hex(hash.b, sizeof(hash.b)));
	json_object_set_new(o, "prev", make_hex(f.prev_hash.b, sizeof(f.prev_hash.b)));
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
	json_object_set_new(o, "origin", h.raw_len ? json_string(h.origin) : json_null());
	json_object_set_new(o, "boot", make_u64_text(h.lineage.boot));
	json_object_set_new(o, "seq", json_integer((json_int_t)h.seq));
	json_object_set_new(o, "counter", make_u64_text(h.counter));
	json_object_set_new(o, "time", h.raw_len ? make_instant(h.wall_us) : json_null());
	json_object_set_new(o, "hash", make_hex(h.frame_hash.b, sizeof(h.frame_hash.b)));
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
	json_object_set_new(o, "time", make_instant(found->wall_us));
	json_object_set_new(o, "source", json_string(from));
	json_object_set_new(o, "destination", json_string(to));
	json_object_set_new(o, "kind", json_string(decode_kind_name(found->kind)));
	json_object_set_new(o, "bytes", json_integer((json_int_t)found->packet->wire_len));
	json_object_set_new(o, "key", found->has_key_id ? make_hex(key_id, 2) : json_null());
	json_object_set_new(o, "verdict", json_string(decoded_why(found)));
	json_object_set_new(o, "sender", make_sender(found));
	json_object_set_new(o, "frames", frames);
	json_object_set_new(o, "heads", heads);
	json_object_set_new(o, "members", make_members(found));
	json_dumpf(o, decoder->out, JSON_COMPACT);
	fputc('\n', decoder->out);
	json_decref(o);
}
