/*
 * report_json.c - the report for programs; see report.h.
 */
#include "client/record/report.h"

#include "client/json.h"
#include "client/record/line.h"
#include "proto/budget.h"
#include "proto/show.h"

#include <inttypes.h>
#include <string.h>

static json_t *make_tag(uint64_t tag)
{
	char text[24];

	snprintf(text, sizeof(text), "%016" PRIx64, tag);
	return json_string(text);
}

/* The members of chime events --json, by the same names. */
static void set_event(json_t *o, const struct told *told, uint64_t seq, const Chime__Event *event)
{
	char kind[SHOW_KIND_SIZE] = "unreadable";
	const ProtobufCFieldDescriptor *body = event && event->body_case ?
		protobuf_c_message_descriptor_get_field(&chime__event__descriptor,
							(unsigned)event->body_case) : NULL;
	uint64_t run = event ? show_event_run(event, seq) : 0;

	if (event)
		show_event_kind(event, kind);
	json_object_set_new(o, "server", json_text(told->frame->origin));
	json_object_set_new(o, "boot", json_integer((json_int_t)told->frame->lineage.boot));
	line_set_number(o, "seq", seq);
	json_object_set_new(o, "time", json_instant(event && event->has_time,
						    event ? event->time : 0));
	json_object_set_new(o, "kind", json_text(kind));
	json_object_set_new(o, "job", json_text(event ? show_event_job(event) : NULL));
	json_object_set_new(o, "run", json_number(run != 0, (int64_t)run));
	json_object_set_new(o, "by", json_text(event ? event->actor : NULL));
	json_object_set_new(o, "reason", json_text(event ? event->reason : NULL));
	json_object_set_new(o, "body", !body ? json_null() : json_message(
		*(const ProtobufCMessage *const *)((const char *)event + body->offset)));
}

void report_event_json(const struct report *report, const struct told *told, uint64_t seq,
		       const ProtobufCBinaryData *bytes)
{
	json_t *o = json_object();
	Chime__Event *event = (Chime__Event *)budget_unpack(&chime__event__descriptor,
							    bytes->data, bytes->len);

	json_object_set_new(o, "schema", json_string("chime.record-event/1"));
	json_object_set_new(o, "captured", line_json_time(told->wall_us));
	json_object_set_new(o, "proof", json_string(proof_name(told->proof)));
	json_object_set_new(o, "late", json_boolean(told->late));
	json_object_set_new(o, "tag", make_tag(told->frame->lineage.tag));
	set_event(o, told, seq, event);
	line_print_json(report->out, o);
	chime__event__free_unpacked(event, NULL);
}

void report_finding_json(const struct report *report, const struct finding *f)
{
	json_t *o = json_object();
	char detail[FINDING_DETAIL_SIZE];

	show_clean(f->detail, strlen(f->detail), detail, sizeof(detail));
	json_object_set_new(o, "schema", json_string("chime.record-finding/1"));
	json_object_set_new(o, "captured", line_json_time(f->wall_us));
	json_object_set_new(o, "finding", json_string(finding_name(f->kind)));
	json_object_set_new(o, "wrong", json_boolean(finding_is_wrong(f->kind)));
	json_object_set_new(o, "server", json_text(f->server));
	json_object_set_new(o, "sender", json_text(f->sender));
	json_object_set_new(o, "boot", json_number(f->lineage.boot || f->lineage.tag,
						   (int64_t)f->lineage.boot));
	json_object_set_new(o, "tag", f->lineage.boot || f->lineage.tag ?
			    make_tag(f->lineage.tag) : json_null());
	json_object_set_new(o, "first", json_number(f->first != 0, (int64_t)f->first));
	json_object_set_new(o, "last", json_number(f->last != 0, (int64_t)f->last));
	json_object_set_new(o, "proof", json_string(proof_name(f->proof)));
	json_object_set_new(o, "after_s", json_seconds(f->kind == FINDING_REPAIRED, f->after_us));
	json_object_set_new(o, "detail", json_text(detail[0] ? detail : NULL));
	line_print_json(report->out, o);
}

/* ---- the end ---- */

static void add_server(const char *server, const struct audit_figures *f, void *arg)
{
	json_t *o = json_object();

	json_object_set_new(o, "server", json_text(server));
	line_set_number(o, "datagrams", f->datagrams);
	line_set_number(o, "bytes", f->bytes);
	line_set_number(o, "duplicates", f->duplicates);
	line_set_number(o, "reordered", f->reordered);
	line_set_number(o, "frames", f->frames);
	line_set_number(o, "heads", f->heads);
	line_set_number(o, "events", audit_events(f));
	line_set_number(o, "signed", f->events[PROOF_SIGNED]);
	line_set_number(o, "unchecked", f->events[PROOF_UNCHECKED]);
	line_set_number(o, "unproved", f->events[PROOF_NONE]);
	line_set_number(o, "repeats", f->repeats);
	line_set_number(o, "repairs", f->repairs);
	line_set_number(o, "stubs", f->stubs);
	line_set_number(o, "lost", f->lost);
	line_set_number(o, "lost_ranges", f->lost_ranges);
	line_set_number(o, "bad_signatures", f->bad_signatures);
	line_set_number(o, "unchecked_heads", f->unchecked_heads);
	line_set_number(o, "bad_certificates", f->bad_certificates);
	line_set_number(o, "forks", f->forks);
	line_set_number(o, "contradicted", f->contradicted);
	line_set_number(o, "malformed", f->malformed);
	json_array_append_new(arg, o);
}

void report_summary_json(const struct report *report, struct audit *audit,
			 const struct report_totals *totals)
{
	json_t *o = json_object(), *servers = json_array();

	audit_each(audit, add_server, servers);
	json_object_set_new(o, "schema", json_string("chime.record-summary/1"));
	json_object_set_new(o, "first",
			    totals->datagrams ? line_json_time(totals->first_us) : json_null());
	json_object_set_new(o, "last",
			    totals->datagrams ? line_json_time(totals->last_us) : json_null());
	line_set_number(o, "datagrams", totals->datagrams);
	line_set_number(o, "opened", totals->opened);
	line_set_number(o, "not_opened", totals->not_opened);
	line_set_number(o, "sealed", totals->sealed);
	line_set_number(o, "discovery", totals->discovery);
	line_set_number(o, "broken", totals->broken);
	line_set_number(o, "other", totals->other);
	line_set_number(o, "lost_here", totals->lost_here);
	json_object_set_new(o, "servers", servers);
	line_print_json(report->out, o);
}
