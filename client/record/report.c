#include "client/record/report.h"

#include "proto/budget.h"

#include <inttypes.h>
#include <string.h>

static void report_finding(void *arg, const struct finding *finding)
{
	const struct report *report = arg;

	if (report->json)
		report_finding_json(report, finding);
	else
		report_finding_text(report, finding);
}

/* Its server signed what can't be read, or somebody made it up: the line says which. */
static void tell_body(struct report *report, const struct told *told, const char *what,
		      uint64_t count)
{
	struct finding f = {
		.kind = FINDING_MALFORMED,
		.wall_us = told->wall_us,
		.server = told->frame->origin,
		.lineage = told->frame->lineage,
		.first = told->frame->first_seq,
		.last = frame_last_seq(told->frame),
		.proof = told->proof,
	};

	snprintf(f.detail, sizeof(f.detail), "%s: %" PRIu64, what, count);
	report_finding(report, &f);
}

static void report_frame(void *arg, const struct told *told)
{
	struct report *report = arg;
	const struct frame *frame = told->frame;
	Chime__Events *events = (Chime__Events *)budget_unpack(&chime__events__descriptor,
							       frame->body, frame->body_len);

	if (!events) {
		tell_body(report, told, "an unreadable body of bytes", frame->body_len);
		return;
	}
	if (events->n_event != frame->count)
		tell_body(report, told, "another number of events than it says", events->n_event);
	for (size_t i = 0; !report->quiet && i < events->n_event && i < frame->count; i++) {
		if (report->json)
			report_event_json(report, told, frame->first_seq + i, &events->event[i]);
		else
			report_event_text(report, told, frame->first_seq + i, &events->event[i]);
	}
	chime__events__free_unpacked(events, NULL);
}

struct audit_sink report_sink(struct report *report)
{
	return (struct audit_sink){ report_frame, report_finding, report };
}

void report_unopened(const struct report *report, const struct decoded *found)
{
	char from[PACKET_END_SIZE], to[PACKET_END_SIZE];
	struct finding f = { .kind = FINDING_NOT_OPENED, .wall_us = found->wall_us };

	packet_end_format(&found->packet->from, from);
	packet_end_format(&found->packet->to, to);
	snprintf(f.detail, sizeof(f.detail), "%s: %s, %zu B, %s > %s",
		 decode_kind_name(found->kind), decoded_why(found), found->packet->wire_len, from,
		 to);
	if (found->has_key_id) {
		size_t len = strlen(f.detail);
		snprintf(f.detail + len, sizeof(f.detail) - len, ", key %04x", found->key_id);
	}
	report_finding((void *)report, &f);
}

void report_summary(const struct report *report, struct audit *audit,
		    const struct report_totals *totals)
{
	if (report->json)
		report_summary_json(report, audit, totals);
	else
		report_summary_text(report, audit, totals);
}
