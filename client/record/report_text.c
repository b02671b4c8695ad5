/*
 * report_text.c - the report for people; see report.h for the form.
 */
#include "client/record/report.h"

#include "client/record/line.h"
#include "proto/budget.h"
#include "proto/names.h"
#include "proto/show.h"

#include <inttypes.h>
#include <string.h>

static void print_marks(FILE *out, const struct told *told)
{
	if (told->proof == PROOF_NONE)
		fputs(" [unproved]", out);
	else if (told->proof == PROOF_UNCHECKED)
		fputs(" [unchecked]", out);
	if (told->late)
		fputs(" [late]", out);
	fputc('\n', out);
}

void report_event_text(const struct report *report, const struct told *told, uint64_t seq,
		       const ProtobufCBinaryData *bytes)
{
	char time[LINE_TIME_SIZE];
	Chime__Event *event = (Chime__Event *)budget_unpack(&chime__event__descriptor,
							    bytes->data, bytes->len);

	line_format_time(told->wall_us, time);
	fprintf(report->out, "%s %s:%" PRIu64, time, told->frame->origin, seq);
	if (event)
		line_print_event(report->out, seq, event);
	else
		fprintf(report->out, " unreadable, %zu B", bytes->len);
	print_marks(report->out, told);
	chime__event__free_unpacked(event, NULL);
}

static void print_place(FILE *out, const struct finding *f)
{
	if (f->server)
		fprintf(out, " %s", f->server);
	if (f->first)
		fprintf(out, ":%" PRIu64, f->first);
	if (f->last > f->first)
		fprintf(out, "..%" PRIu64, f->last);
	if (f->lineage.boot)
		fprintf(out, " boot %" PRIu64, f->lineage.boot);
}

static void print_what(FILE *out, const struct finding *f)
{
	char span[NAME_DURATION_SIZE];

	fprintf(out, ": %s", finding_text(f->kind));
	if (f->kind == FINDING_GAP)
		fprintf(out, ", %" PRIu64 " events", f->last - f->first + 1);
	if (f->kind == FINDING_REPAIRED) {
		duration_format(f->after_us > 0 ? f->after_us : 0, span);
		fprintf(out, " %s after it was missed", span);
	}
}

void report_finding_text(const struct report *report, const struct finding *f)
{
	char time[LINE_TIME_SIZE], detail[FINDING_DETAIL_SIZE];
	FILE *out = report->out;

	line_format_time(f->wall_us, time);
	fprintf(out, "%s %s %s", time, finding_is_wrong(f->kind) ? "!!" : "--",
		finding_name(f->kind));
	print_place(out, f);
	print_what(out, f);
	if (f->detail[0]) {
		show_clean(f->detail, strlen(f->detail), detail, sizeof(detail));
		fprintf(out, ": %s", detail);
	}
	if (f->sender && (!f->server || strcmp(f->sender, f->server) != 0))
		fprintf(out, " (in a datagram of %s)", f->sender);
	fputc('\n', out);
}

/* ---- the end ---- */

static void print_server(const char *server, const struct audit_figures *f, void *arg)
{
	FILE *out = arg;

	fprintf(out, "%-16s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %7" PRIu64
		" %7" PRIu64 " %7" PRIu64 " %7" PRIu64 " %7" PRIu64 " %7" PRIu64 " %5" PRIu64 "\n",
		server, f->datagrams, audit_events(f), f->events[PROOF_UNCHECKED],
		f->events[PROOF_NONE], f->lost, f->reordered, f->duplicates, f->repeats, f->repairs,
		f->bad_signatures, f->forks);
}

void report_summary_text(const struct report *report, struct audit *audit,
			 const struct report_totals *totals)
{
	(void)totals;
	fprintf(report->out, "\n%-16s %9s %9s %9s %9s %7s %7s %7s %7s %7s %7s %5s\n", "SERVER",
		"DATAGRAMS", "EVENTS", "UNCHECKED", "UNPROVED", "LOST", "REORDER", "DUPL",
		"REPEATS", "REPAIRS", "BAD SIG", "FORKS");
	audit_each(audit, print_server, report->out);
}
