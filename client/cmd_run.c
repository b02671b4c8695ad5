/*
 * cmd_run.c - looking at what happened: runs, events.
 */
#include "client/cmd.h"

#include "client/event.h"
#include "client/json.h"
#include "proto/names.h"
#include "proto/show.h"

#include <stdlib.h>
#include <string.h>

static const struct column run_columns[] = {
	{ "RUN", COLUMN_SHRINK }, { "JOB", COLUMN_SHRINK }, { "STATE", COLUMN_STATE },
	{ "CYCLE", COLUMN_SHRINK }, { "STARTED", 0 }, { "TOOK", COLUMN_RIGHT }, { "EXIT", COLUMN_RIGHT },
	{ "CAUSE", 0 }, { "CREATED", COLUMN_WIDE }, { "ENDED", COLUMN_WIDE },
	{ "PROOFS", COLUMN_WIDE }, { "NOTE", COLUMN_CUT },
};

static void add_result(struct table *table, bool has_exit, int exit_code, int signal)
{
	if (signal != 0)
		table_add_format(table, "sig %d", signal);
	else if (has_exit)
		table_add_format(table, "%d", exit_code);
	else
		table_add(table, NULL);
}

static void add_time(const struct out *out, struct table *table, bool known, int64_t us)
{
	char text[OUT_TIME_SIZE];

	out_time(out, known ? us : 0, text);
	table_add(table, text);
}

static void add_took(const struct out *out, struct table *table, bool started, int64_t from,
		     bool ended, int64_t to)
{
	char text[OUT_TIME_SIZE];

	out_span(out, !started ? -1 : out_between(from, ended ? to : out->now_us), text);
	table_add(table, text);
}

static void add_run_note(struct table *table, const Chime__RunRow *row)
{
	char note[OUT_CELL_SIZE];
	const char *by = row->by != NULL && row->by[0] != '\0' ? row->by : NULL;
	const char *rest = row->waiting != NULL && row->waiting[0] != '\0' ? row->waiting
		: row->detail != NULL && row->detail[0] != '\0' ? row->detail
		: row->reason != NULL ? row->reason : "";

	snprintf(note, sizeof(note), "%s%s%s%s%s", row->forced ? "forced" : "",
		 by != NULL ? (row->forced ? " by " : "by ") : "", by != NULL ? by : "",
		 (row->forced || by != NULL) && rest[0] != '\0' ? ": " : "", rest);
	table_add(table, note);
}

static void add_run(const struct out *out, struct table *table, const Chime__RunRow *row)
{
	char proofs[256] = "";

	for (size_t i = 0; i < row->n_proof; i++) {
		size_t len = strlen(proofs);
		snprintf(proofs + len, sizeof(proofs) - len, "%s%s", i > 0 ? " " : "",
			 row->proof[i]);
	}
	table_add_format(table, "%llu@%s", (unsigned long long)row->run,
			 row->server != NULL ? row->server : "?");
	table_add(table, row->job);
	table_add(table, row->state);
	table_add(table, row->cycle);
	add_time(out, table, row->has_started, row->started);
	add_took(out, table, row->has_started, row->started, row->has_ended, row->ended);
	add_result(table, row->has_exit_code, row->exit_code,
		   row->has_signal ? row->signal : 0);
	table_add(table, row->cause);
	add_time(out, table, row->has_created, row->created);
	add_time(out, table, row->has_ended, row->ended);
	table_add(table, proofs);
	add_run_note(table, row);
}

static void add_attempt(const struct out *out, struct table *table, const Chime__RunRow *run,
			const Chime__AttemptRow *row)
{
	table_add_format(table, "  .%u", row->attempt);
	table_add(table, run->job);
	table_add(table, row->state);
	table_add(table, NULL);
	add_time(out, table, row->has_started, row->started);
	add_took(out, table, row->has_started, row->started, row->has_ended, row->ended);
	add_result(table, row->has_exit_code, row->exit_code,
		   row->has_signal ? row->signal : 0);
	table_add(table, "attempt");
	table_add(table, NULL);
	add_time(out, table, row->has_ended, row->ended);
	table_add(table, NULL);
	table_add(table, row->detail);
}

static void print_runs(struct session *s, const Chime__RunsReply *runs, bool attempts)
{
	struct table *table = table_new(&s->out, run_columns,
					sizeof(run_columns) / sizeof(run_columns[0]));

	for (size_t i = 0; i < runs->n_run; i++) {
		add_run(&s->out, table, runs->run[i]);
		for (size_t k = 0; attempts && k < runs->run[i]->n_attempt; k++)
			add_attempt(&s->out, table, runs->run[i], runs->run[i]->attempt[k]);
	}
	table_print(table, stdout);
	if (runs->n_run == 0)
		say_note("no runs yet");
}

static int print_runs_json(struct session *s, const Chime__RunsReply *runs, bool attempts)
{
	const Chime__Hello *hello = conn_hello(s->conn);
	json_t *o = json_document("chime.runs/1", s->out.now_us, hello->environment,
				  hello->server);
	json_t *list = json_array();

	for (size_t i = 0; i < runs->n_run; i++)
		json_array_append_new(list, json_run(runs->run[i], attempts));
	json_object_set_new(o, "runs", list);
	return json_print(o);
}

int cmd_runs(struct session *s)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__RunsRequest runs = CHIME__RUNS_REQUEST__INIT;
	Chime__Reply *reply = NULL;
	bool attempts = args_given(&s->args, OPT_ATTEMPTS);
	struct trouble t = { 0 };
	uint64_t limit = 20;

	if (args_number(&s->args, OPT_LIMIT, 1, 10000, &limit, &t) != 0)
		return trouble_print(&t);
	int code = targets_read(s, 0, SIZE_MAX, &runs.target, &runs.n_target);
	if (code != 0)
		return code;
	runs.has_limit = true;
	runs.limit = (uint32_t)limit;
	runs.has_attempts = runs.attempts = attempts;
	request.body_case = CHIME__REQUEST__BODY_RUNS;
	request.runs = &runs;
	code = session_ask(s, &request, &reply);
	if (code == 0 && reply->body_case != CHIME__REPLY__BODY_RUNS)
		code = session_odd_reply(s);
	else if (code == 0 && s->out.format == OUT_JSON)
		code = print_runs_json(s, reply->runs, attempts);
	else if (code == 0)
		print_runs(s, reply->runs, attempts);
	conn_reply_free(reply);
	targets_free(runs.target, runs.n_target);
	return code;
}

/* Is the kind one of "run.*,job.held"? */
static bool kind_wanted(const char *list, const char *kind)
{
	char pattern[SHOW_KIND_SIZE];

	if (list == NULL)
		return true;
	for (const char *p = list; *p != '\0'; p += *p == ',') {
		size_t len = strcspn(p, ",");
		snprintf(pattern, sizeof(pattern), "%.*s", (int)len, p);
		if (glob_match(pattern, kind))
			return true;
		p += len;
	}
	return false;
}

/* Prints what of a reply is wanted; with `list` collects it there instead. */
static void take_events(struct session *s, const Chime__EventsReply *events, json_t *list)
{
	char kind[SHOW_KIND_SIZE];

	for (size_t i = 0; i < events->n_event; i++) {
		const Chime__EventRow *row = events->event[i];
		Chime__Event *event = event_unpack(row);
		if (event == NULL)
			continue;
		show_event_kind(event, kind);
		if (kind_wanted(s->args.value[OPT_TYPE], kind)) {
			if (list != NULL) {
				json_array_append_new(list, event_json(row, event));
			} else if (s->out.format == OUT_JSON) {
				json_t *one = event_json(row, event);
				json_object_set_new(one, "schema",
						    json_string("chime.event/1"));
				json_print(one);
			} else {
				event_print_line(&s->out, row, event, stdout);
			}
		}
		chime__event__free_unpacked(event, NULL);
	}
	out_flush();
}

static int read_events_options(struct session *s, Chime__EventsRequest *events,
			       struct trouble *t)
{
	uint64_t limit = 20, from = 0;
	const char *server = s->args.value[OPT_SERVER];
	const char *why;

	int code = args_number(&s->args, OPT_LIMIT, 0, 10000, &limit, t);
	if (code == 0)
		code = args_number(&s->args, OPT_FROM, 1, UINT64_MAX / 2, &from, t);
	if (code == 0 && args_given(&s->args, OPT_SINCE))
		code = time_read(s, s->args.value[OPT_SINCE], &events->since, t);
	if (code == 0 && server != NULL && !name_server_valid(server, &why))
		code = trouble_set(t, EXIT_USAGE, "a server's name %s: '%s'", why, server);
	if (code == 0 && from != 0 && server == NULL)
		code = trouble_set(t, EXIT_USAGE, "--from needs --server: numbers are per server");
	if (code != 0)
		return code;
	/* Everything since a point, unless a number was given. */
	if ((from != 0 || args_given(&s->args, OPT_SINCE)) && !args_given(&s->args, OPT_LIMIT))
		limit = 10000;
	events->has_limit = true;
	events->limit = (uint32_t)limit;
	events->has_since = args_given(&s->args, OPT_SINCE);
	events->origin = (char *)(uintptr_t)server;
	events->has_from = from != 0;
	events->from = from;
	events->has_follow = events->follow = args_given(&s->args, OPT_FOLLOW);
	return 0;
}

/* Replies until the last one; with follow that is the end of the connection or Ctrl-C. */
static int hear_events(struct session *s, uint64_t id, bool follow, int64_t timeout_us,
		       json_t *list)
{
	struct trouble t = { 0 };

	for (bool done = false; !done;) {
		Chime__Reply *reply = NULL;
		int64_t deadline_us = follow ? CONN_FOREVER : conn_now_us() + timeout_us;
		int code = conn_receive(s->conn, id, deadline_us, &reply, &t);
		if (code == EXIT_INTERRUPTED)
			return code;
		if (code != 0)
			return trouble_print(&t);
		if (reply->body_case == CHIME__REPLY__BODY_REFUSAL) {
			conn_refusal(reply->refusal, &t);
			conn_reply_free(reply);
			return trouble_print(&t);
		}
		if (reply->body_case == CHIME__REPLY__BODY_EVENTS)
			take_events(s, reply->events, list);
		done = reply->done;
		conn_reply_free(reply);
	}
	return 0;
}

int cmd_events(struct session *s)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__EventsRequest events = CHIME__EVENTS_REQUEST__INIT;
	bool follow = args_given(&s->args, OPT_FOLLOW);
	struct trouble t = { 0 };
	int64_t timeout_us = 0;
	json_t *list = NULL;

	int code = targets_read(s, 0, 0, &(char **){ NULL }, &(size_t){ 0 });
	if (code != 0)
		return code;
	code = read_events_options(s, &events, &t);
	if (code == 0)
		code = session_timeout(s, &timeout_us, &t);
	if (code == 0)
		code = session_open(s, conn_now_us() + timeout_us, &t);
	request.body_case = CHIME__REQUEST__BODY_EVENTS;
	request.events = &events;
	if (code == 0)
		code = conn_send(s->conn, &request, conn_now_us() + timeout_us, &t);
	if (code != 0)
		return trouble_print(&t);
	if (follow)
		conn_catch_interrupt();
	if (s->out.format == OUT_JSON && !follow)
		list = json_array();
	code = hear_events(s, request.id, follow, timeout_us, list);
	if (list != NULL && code == 0) {
		const Chime__Hello *hello = conn_hello(s->conn);
		json_t *o = json_document("chime.events/1", s->out.now_us, hello->environment,
					  hello->server);
		json_object_set(o, "events", list);
		code = json_print(o);
	}
	json_decref(list);
	return code;
}
