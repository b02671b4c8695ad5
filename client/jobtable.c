/*
 * jobtable.c - see jobtable.h.
 */
#include "client/jobtable.h"

#include "client/jobstate.h"

#include <string.h>

const char *job_key(const char *job, const char *server, char buf[JOB_KEY_SIZE])
{
	snprintf(buf, JOB_KEY_SIZE, "%s@%s", job != NULL ? job : "?", server != NULL ? server : "?");
	return buf;
}

/* A stale view is shown in lower case: what is known is old. */
static void add_state(struct table *table, const Chime__JobRow *row)
{
	const char *unknown = jobstates[JOBSTATE_UNKNOWN].word;
	char word[32];

	snprintf(word, sizeof(word), "%s", row->state != NULL ? row->state : unknown);
	if (row->stale && strcmp(word, unknown) != 0) {
		for (char *p = word; *p != '\0'; p++)
			*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	}
	table_add(table, word);
}

static void add_note(struct table *table, const Chime__JobRow *row)
{
	char note[OUT_CELL_SIZE];

	if (row->note != NULL && row->note[0] != '\0')
		snprintf(note, sizeof(note), "%s", row->note);
	else if (row->held)
		snprintf(note, sizeof(note), "held%s%s", row->held_by != NULL ? " by " : "",
			 row->held_by != NULL ? row->held_by : "");
	else if (row->n_blocked_by > 0)
		snprintf(note, sizeof(note), "needs %s", row->blocked_by[0]);
	else
		note[0] = '\0';
	table_add(table, note);
}

static const struct column job_columns[] = {
	{ "STATE", COLUMN_STATE }, { "JOB", COLUMN_SHRINK }, { "SINCE", 0 },
	{ "TOOK", COLUMN_RIGHT }, { "NEXT", 0 }, { "RUN", COLUMN_WIDE }, { "EXIT", COLUMN_WIDE },
	{ "NOTE", COLUMN_CUT },
};

static void add_job(const struct out *out, struct table *table, const Chime__JobRow *row)
{
	char name[JOB_KEY_SIZE], text[OUT_TIME_SIZE];

	add_state(table, row);
	table_add(table, job_key(row->job, row->server, name));
	out_time(out, row->has_since ? row->since : 0, text);
	table_add(table, text);
	out_span(out, row->has_took_us ? row->took_us : -1, text);
	table_add(table, text);
	out_time(out, row->has_next ? row->next * 1000000 : 0, text);
	table_add(table, text);
	if (row->has_run)
		table_add_format(table, "%llu", (unsigned long long)row->run);
	else
		table_add(table, NULL);
	if (row->has_exit_code)
		table_add_format(table, "%d", row->exit_code);
	else
		table_add(table, NULL);
	add_note(table, row);
}

void job_table_print(const struct out *out, Chime__JobRow **rows, size_t count)
{
	struct table *table = table_new(out, job_columns,
					sizeof(job_columns) / sizeof(job_columns[0]));

	for (size_t i = 0; i < count; i++)
		add_job(out, table, rows[i]);
	table_print(table, stdout);
}
