/*
 * event.c - see event.h.
 */
#include "client/event.h"

#include "client/json.h"
#include "proto/show.h"

#include <string.h>

Chime__Event *event_unpack(const Chime__EventRow *row)
{
	if (!row->has_event)
		return NULL;
	return chime__event__unpack(NULL, row->event.len, row->event.data);
}

void event_print_line(const struct out *out, const Chime__EventRow *row,
		      const Chime__Event *event, FILE *to)
{
	char kind[SHOW_KIND_SIZE], time[OUT_TIME_SIZE], text[SHOW_LINE_SIZE], ref[128];
	const char *job = show_event_job(event);
	uint64_t run = show_event_run(event, row->seq);
	const char *separator = out->format == OUT_TSV ? "\t" : "  ";

	show_event_kind(event, kind);
	out_time(out, event->time, time);
	show_event_text(event, text, sizeof(text));
	snprintf(ref, sizeof(ref), "%.80s:%llu", row->origin != NULL ? row->origin : "?",
		 (unsigned long long)row->seq);
	if (out->format == OUT_TSV)
		fprintf(to, "%s\t", time);
	else
		fprintf(to, "%s  ", time);
	char *shown = say_format(out->format == OUT_TSV ? "%s" : "%-14s", ref);
	out_text(to, shown);
	free(shown);
	fprintf(to, out->format == OUT_TSV ? "\t%s" : "  %-15s", kind);
	if (job != NULL) {
		fputs(separator, to);
		out_text(to, job);
	}
	if (run != 0)
		fprintf(to, "%srun %llu", separator, (unsigned long long)run);
	if (text[0] != '\0')
		fprintf(to, "%s%s", separator, text);
	fputc('\n', to);
}

json_t *event_json(const Chime__EventRow *row, const Chime__Event *event)
{
	const ProtobufCFieldDescriptor *body =
		event->body_case != CHIME__EVENT__BODY__NOT_SET
		? protobuf_c_message_descriptor_get_field(&chime__event__descriptor,
							  (unsigned)event->body_case) : NULL;
	uint64_t run = show_event_run(event, row->seq);
	char kind[SHOW_KIND_SIZE];
	json_t *o = json_object();

	show_event_kind(event, kind);
	json_object_set_new(o, "server", json_text(row->origin));
	json_object_set_new(o, "boot", json_number(row->lineage != NULL,
			    row->lineage != NULL ? (int64_t)row->lineage->boot : 0));
	json_object_set_new(o, "seq", json_number(row->has_seq, (int64_t)row->seq));
	json_object_set_new(o, "time", json_instant(event->has_time, event->time));
	json_object_set_new(o, "kind", json_text(kind));
	json_object_set_new(o, "job", json_text(show_event_job(event)));
	json_object_set_new(o, "run", json_number(run != 0, (int64_t)run));
	json_object_set_new(o, "by", json_text(event->actor));
	json_object_set_new(o, "reason", json_text(event->reason));
	json_object_set_new(o, "body", body == NULL ? json_null() : json_message(
			    *(const ProtobufCMessage *const *)((const char *)event +
							       body->offset)));
	return o;
}
