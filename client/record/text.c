/*
 * text.c - a datagram as text; see decode.h for the form.
 */
#include "client/record/decode.h"

#include "client/record/line.h"
#include "proto/budget.h"
#include "proto/digest.h"
#include "proto/frame.h"
#include "proto/head.h"

#include <inttypes.h>

enum { SHORT_HASH = 4 };	/* bytes of a hash that people compare */

static void print_event(FILE *out, uint64_t seq, const ProtobufCBinaryData *bytes)
{
	Chime__Event *event = (Chime__Event *)budget_unpack(&chime__event__descriptor,
							    bytes->data, bytes->len);

	fprintf(out, "      %" PRIu64, seq);
	if (event)
		line_print_event(out, seq, event);
	else
		fprintf(out, " UNREADABLE, %zu B", bytes->len);
	fputc('\n', out);
	chime__event__free_unpacked(event, NULL);
}

static void print_events(FILE *out, const struct frame *frame)
{
	Chime__Events *events = (Chime__Events *)budget_unpack(&chime__events__descriptor,
							       frame->body, frame->body_len);

	if (!events) {
		fprintf(out, "      UNREADABLE body\n");
		return;
	}
	for (size_t i = 0; i < events->n_event; i++)
		print_event(out, frame->first_seq + i, &events->event[i]);
	if (events->n_event != frame->count)
		fprintf(out, "      WRONG COUNT: %zu events in it\n", events->n_event);
	chime__events__free_unpacked(events, NULL);
}

static void print_frame(const struct decoder *decoder, const ProtobufCBinaryData *bytes)
{
	struct frame frame;
	struct digest hash;
	char hex[2 * SHORT_HASH + 1];
	enum frame_verdict verdict = frame_parse(bytes->data, bytes->len, &frame);

	if (verdict != FRAME_OK) {
		fprintf(decoder->out, "    frame MALFORMED: %s, %zu B\n",
			frame_verdict_name(verdict), bytes->len);
		return;
	}
	frame_hash(&frame, decoder->env_id, &hash);
	digest_hex_encode(hash.b, SHORT_HASH, hex);
	fprintf(decoder->out,
		"    frame %s %" PRIu64 "..%" PRIu64 " boot %" PRIu64 "%s%s %zu B %s\n",
		frame.origin, frame.first_seq, frame_last_seq(&frame), frame.lineage.boot,
		frame.flags & FRAME_OPENS ? " opens" : "", frame.flags & FRAME_STUB ? " stub" : "",
		bytes->len, hex);
	if (!(frame.flags & FRAME_STUB))
		print_events(decoder->out, &frame);
}

static void print_head(const struct decoder *decoder, const ProtobufCBinaryData *bytes)
{
	struct head head;
	char hex[2 * SHORT_HASH + 1];
	enum head_verdict verdict = head_parse(bytes->data, bytes->len, decoder->env_id, &head);

	if (verdict != HEAD_OK) {
		fprintf(decoder->out, "    head  MALFORMED: %s, %zu B\n",
			head_verdict_name(verdict), bytes->len);
		return;
	}
	digest_hex_encode(head.frame_hash.b, SHORT_HASH, hex);
	fprintf(decoder->out,
		"    head  %s %" PRIu64 " boot %" PRIu64 " counter %" PRIu64 "%s%s%s %s\n",
		head.origin, head.seq, head.lineage.boot, head.counter,
		head.flags & HEAD_GOODBYE ? " goodbye" : "", head.flags & HEAD_DISK ? " disk" : "",
		head.flags & HEAD_UNPROVEN ? " unproven" : "", hex);
}

static void print_inside(const struct decoder *decoder, const struct decoded *found)
{
	if (found->inside) {
		for (size_t i = 0; i < found->inside->n_frame; i++)
			print_frame(decoder, &found->inside->frame[i]);
		for (size_t i = 0; i < found->inside->n_head; i++)
			print_head(decoder, &found->inside->head[i]);
	}
	if (found->kind == DECODE_ANSWER && found->verdict == DECODE_OK) {
		for (size_t i = 0; i < found->answer.member_count; i++)
			fprintf(decoder->out, "    member %s %s\n",
				found->answer.members[i].server, found->answer.members[i].address);
	}
}

void decode_print_text(const struct decoder *decoder, const struct decoded *found)
{
	char time[LINE_TIME_SIZE], from[PACKET_END_SIZE], to[PACKET_END_SIZE];
	FILE *out = decoder->out;

	line_format_time(found->wall_us, time);
	packet_end_format(&found->packet->from, from);
	packet_end_format(&found->packet->to, to);
	fprintf(out, "%s %s > %s %s %zu B", time, from, to, decode_kind_name(found->kind),
		found->packet->wire_len);
	if (found->has_key_id)
		fprintf(out, " key %04x", found->key_id);
	if (found->inside)
		fprintf(out, " from %s", found->inside->sender);
	if (found->kind == DECODE_ANSWER && found->verdict == DECODE_OK)
		fprintf(out, " from %s %s", found->answer.self.server, found->answer.self.address);
	if (found->verdict != DECODE_OK && found->verdict != DECODE_SEALED)
		fprintf(out, " NOT OPENED: %s", decoded_why(found));
	fputc('\n', out);
	print_inside(decoder, found);
}
