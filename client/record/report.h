/*
 * report.h - what the audit found, as lines of text or of JSON.
 *
 * Text, a line an event, with what is not as it should be at its end, and a line a finding, with
 * "!!" when something is wrong and "--" when it is only worth knowing:
 *
 *	TIME alpha:17 run.created report run 17 cause=schedule ... [unchecked] [late]
 *	TIME !! gap alpha:18..19 boot 3: 2 events are proved to exist and were not seen
 *
 * JSON: an object a line, schemas chime.record-event/1, chime.record-finding/1 and, at the end,
 * one of chime.record-summary/1. The members of an event are those of chime events --json and
 * some more.
 *
 * Invariant: what comes out is as line.h says, whatever went in.
 */
#ifndef CHIME_CLIENT_RECORD_REPORT_H
#define CHIME_CLIENT_RECORD_REPORT_H

#include "client/record/audit.h"
#include "client/record/decode.h"

struct report {
	FILE *out;
	bool json;
	bool quiet;			/* no events, only findings */
};

/* What happened besides the events; the figures of the whole capture. */
struct report_totals {
	int64_t first_us, last_us;	/* of the first and the last datagram; 0 = none */
	uint64_t datagrams;		/* on the bus port, or with a magic of ours */
	uint64_t opened, not_opened, sealed, discovery;
	uint64_t broken;		/* fragments and damaged packets */
	uint64_t other;			/* packets that are none of its business */
	uint64_t lost_here;		/* by the capture itself */
};

/* The sink; arg is the report. */
struct audit_sink report_sink(struct report *report);

/* A datagram of the bus or of discovery that could not be read to its end. */
void report_unopened(const struct report *report, const struct decoded *found);

/* The end: a table, or one object. */
void report_summary(const struct report *report, struct audit *audit,
		    const struct report_totals *totals);

/* The two forms of each, for report.c. */
void report_event_text(const struct report *report, const struct told *told, uint64_t seq,
		       const ProtobufCBinaryData *bytes);
void report_event_json(const struct report *report, const struct told *told, uint64_t seq,
		       const ProtobufCBinaryData *bytes);
void report_finding_text(const struct report *report, const struct finding *finding);
void report_finding_json(const struct report *report, const struct finding *finding);
void report_summary_text(const struct report *report, struct audit *audit,
			 const struct report_totals *totals);
void report_summary_json(const struct report *report, struct audit *audit,
			 const struct report_totals *totals);

#endif
