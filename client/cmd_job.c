/*
 * cmd_job.c - looking at jobs: status, ls, show, why, next.
 */
#include "client/cmd.h"

#include "client/json.h"
#include "proto/names.h"

#include <stdlib.h>
#include <string.h>

static const char *const state_words[] = {
	"FAILED", "KILLED", "TIMEOUT", "LOST", "UNKNOWN", "RETRY", "RUNNING", "STARTING", "QUEUED",
	"HELD", "WAITING", "ICED", "MISSED", "EXPIRED", "SKIPPED", "CANCELLED", "SUCCESS", "IDLE",
};

enum { STATE_WORDS = sizeof(state_words) / sizeof(state_words[0]) };

/* Trouble first; an unknown word last. */
static int state_rank(const char *state)
{
	for (int i = 0; state != NULL && i < STATE_WORDS; i++) {
		if (strcmp(state_words[i], state) == 0)
			return i;
	}
	return STATE_WORDS;
}

/* "job@server" into a buffer. */
static const char *job_name(const char *job, const char *server, char buf[200])
{
	snprintf(buf, 200, "%s@%s", job != NULL ? job : "?", server != NULL ? server : "?");
	return buf;
}

/* A stale view is shown in lower case: what is known is old. */
static void add_state(struct table *table, const Chime__JobRow *row)
{
	char word[32];

	snprintf(word, sizeof(word), "%s", row->state != NULL ? row->state : "UNKNOWN");
	if (row->stale && strcmp(word, "UNKNOWN") != 0) {
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
	char name[200], text[OUT_TIME_SIZE];

	add_state(table, row);
	table_add(table, job_name(row->job, row->server, name));
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

static void print_jobs(const struct out *out, Chime__JobRow **rows, size_t count)
{
	struct table *table = table_new(out, job_columns,
					sizeof(job_columns) / sizeof(job_columns[0]));

	for (size_t i = 0; i < count; i++)
		add_job(out, table, rows[i]);
	table_print(table, stdout);
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

static int by_name(const void *a, const void *b)
{
	const Chime__JobRow *x = *(Chime__JobRow *const *)a, *y = *(Chime__JobRow *const *)b;
	int order = compare_text(x->job, y->job);
	return order != 0 ? order : compare_text(x->server, y->server);
}

static int by_state(const void *a, const void *b)
{
	const Chime__JobRow *x = *(Chime__JobRow *const *)a, *y = *(Chime__JobRow *const *)b;
	int order = state_rank(x->state) - state_rank(y->state);
	return order != 0 ? order : by_name(a, b);
}

static int by_server(const void *a, const void *b)
{
	const Chime__JobRow *x = *(Chime__JobRow *const *)a, *y = *(Chime__JobRow *const *)b;
	int order = compare_text(x->server, y->server);
	return order != 0 ? order : by_name(a, b);
}

static int by_since(const void *a, const void *b)
{
	const Chime__JobRow *x = *(Chime__JobRow *const *)a, *y = *(Chime__JobRow *const *)b;
	return x->since < y->since ? 1 : x->since > y->since ? -1 : by_name(a, b);
}

static int by_next(const void *a, const void *b)
{
	const Chime__JobRow *x = *(Chime__JobRow *const *)a, *y = *(Chime__JobRow *const *)b;
	if (x->has_next != y->has_next)
		return x->has_next ? -1 : 1;
	return x->next < y->next ? -1 : x->next > y->next ? 1 : by_name(a, b);
}

static const struct { const char *name; int (*compare)(const void *, const void *); } sorts[] = {
	{ "state", by_state }, { "job", by_name }, { "server", by_server }, { "since", by_since },
	{ "next", by_next },
};

static int sort_jobs(struct session *s, Chime__JobsReply *jobs)
{
	const char *by = s->args.value[OPT_SORT];

	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
		if (by == NULL || strcmp(sorts[i].name, by) == 0) {
			if (jobs->n_job > 1)
				qsort(jobs->job, jobs->n_job, sizeof(jobs->job[0]),
				      sorts[i].compare);
			return 0;
		}
	}
	struct trouble t;
	trouble_set(&t, EXIT_USAGE, "ls cannot sort by '%s'", by);
	trouble_hint(&t, "--sort state, job, server, since or next");
	return trouble_print(&t);
}

void note_silent(struct session *s, Chime__ServerRow *const *rows, size_t count)
{
	char heard[OUT_TIME_SIZE];

	for (size_t i = 0; i < count && s->out.tty_err; i++) {
		out_time(&s->out, rows[i]->has_heard ? rows[i]->heard : 0, heard);
		say_note("%s is not heard (last: %s); its jobs are shown as they were last known",
			 rows[i]->server, heard);
	}
}

static int print_jobs_json(struct session *s, const Chime__JobsReply *jobs, size_t count)
{
	json_t *o = json_document("chime.jobs/1", s->out.now_us, jobs->environment, jobs->server);
	json_t *list = json_array();

	json_object_set_new(o, "complete", json_boolean(jobs->n_silent == 0));
	json_object_set_new(o, "silent", json_silent(jobs->silent, jobs->n_silent));
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_job(jobs->job[i]));
	json_object_set_new(o, "jobs", list);
	return json_print(o);
}

static int print_jobs_reply(struct session *s, Chime__JobsReply *jobs, size_t typed)
{
	uint64_t limit = UINT32_MAX;
	struct trouble t = { 0 };
	char now[OUT_TIME_SIZE];

	int code = args_number(&s->args, OPT_LIMIT, 1, UINT32_MAX, &limit, &t);
	if (code != 0)
		return trouble_print(&t);
	code = sort_jobs(s, jobs);
	if (code != 0)
		return code;
	size_t count = jobs->n_job < limit ? jobs->n_job : (size_t)limit;
	if (s->out.format == OUT_JSON)
		return print_jobs_json(s, jobs, count);
	if (count == 0 && typed == 0 && !args_given(&s->args, OPT_TROUBLE))
		say_note("no server that is heard has a job");
	else
		print_jobs(&s->out, jobs->job, count);
	note_silent(s, jobs->silent, jobs->n_silent);
	if (s->out.tty && s->out.format <= OUT_WIDE) {
		out_now(&s->out, now);
		printf("%zu of %u jobs%s, %s\n", count, jobs->total > count ? jobs->total
		       : (unsigned)count, args_given(&s->args, OPT_TROUBLE) ? " (trouble only)"
		       : "", now);
	}
	return 0;
}

int cmd_ls(struct session *s)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__JobsRequest jobs = CHIME__JOBS_REQUEST__INIT;
	Chime__Reply *reply;

	int code = targets_read(s, 0, SIZE_MAX, &jobs.target, &jobs.n_target);
	if (code != 0)
		return code;
	jobs.has_trouble = jobs.trouble = args_given(&s->args, OPT_TROUBLE);
	request.body_case = CHIME__REQUEST__BODY_JOBS;
	request.jobs = &jobs;
	code = session_ask(s, &request, &reply);
	if (code == 0)
		code = reply->body_case == CHIME__REPLY__BODY_JOBS
			? print_jobs_reply(s, reply->jobs, jobs.n_target)
			: session_odd_reply(s);
	conn_reply_free(reply);
	targets_free(jobs.target, jobs.n_target);
	return code;
}

static uint64_t count_of(Chime__Counter *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i]->name != NULL && strcmp(list[i]->name, name) == 0)
			return list[i]->value;
	}
	return 0;
}

static json_t *counters_json(Chime__Counter *const *list, size_t n)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++) {
		if (list[i]->name != NULL)
			json_object_set_new(o, list[i]->name, json_integer((json_int_t)
								      list[i]->value));
	}
	return o;
}

static int print_status_json(struct session *s, const Chime__StatusReply *status)
{
	json_t *o = json_document("chime.status/1", s->out.now_us, status->environment,
				  status->server);
	json_t *counts = json_object(), *worst = json_array();

	for (int i = 0; i < STATE_WORDS; i++)
		json_object_set_new(counts, state_words[i], json_integer((json_int_t)
				    count_of(status->count, status->n_count, state_words[i])));
	for (size_t i = 0; i < status->n_worst; i++)
		json_array_append_new(worst, json_job(status->worst[i]));
	json_object_set_new(o, "complete", json_boolean(status->n_silent == 0));
	json_object_set_new(o, "silent", json_silent(status->silent, status->n_silent));
	json_object_set_new(o, "counts", counts);
	json_object_set_new(o, "worst", worst);
	json_object_set_new(o, "alarms", json_texts(status->alarm, status->n_alarm));
	json_object_set_new(o, "bus", counters_json(status->counter, status->n_counter));
	return json_print(o);
}

static void print_counts(struct session *s, const Chime__StatusReply *status)
{
	char now[OUT_TIME_SIZE];
	const char *separator = ": ";

	out_text(stdout, status->environment);
	fputs(" via ", stdout);
	out_text(stdout, status->server);
	for (int i = 0; i < STATE_WORDS; i++) {
		uint64_t n = count_of(status->count, status->n_count, state_words[i]);
		if (n == 0)
			continue;
		printf("%s%s%llu %s%s", separator, out_state_color(&s->out, state_words[i]),
		       (unsigned long long)n, state_words[i],
		       out_state_color(&s->out, state_words[i])[0] != '\0'
		       ? out_color_end(&s->out) : "");
		separator = ", ";
	}
	if (separator[0] == ':')
		fputs(": no jobs", stdout);
	out_now(&s->out, now);
	printf("      %s\n", now);
}

static void print_status(struct session *s, Chime__StatusReply *status)
{
	char heard[OUT_TIME_SIZE];

	print_counts(s, status);
	for (size_t i = 0; i < status->n_silent; i++) {
		const Chime__ServerRow *row = status->silent[i];
		out_time(&s->out, row->has_heard ? row->heard : 0, heard);
		fputs("server ", stdout);
		out_text(stdout, row->server);
		printf(" is %s, last heard %s\n", row->state != NULL ? row->state : "silent",
		       heard);
	}
	for (size_t i = 0; i < status->n_alarm; i++) {
		fputs("alarm  ", stdout);
		out_text(stdout, status->alarm[i]);
		putchar('\n');
	}
	if (status->n_worst > 0) {
		putchar('\n');
		print_jobs(&s->out, status->worst, status->n_worst);
	}
	if (args_given(&s->args, OPT_VERBOSE)) {
		putchar('\n');
		for (size_t i = 0; i < status->n_counter; i++)
			printf("%-32s %llu\n", status->counter[i]->name,
			       (unsigned long long)status->counter[i]->value);
	}
}

static bool status_is_bad(const Chime__StatusReply *status)
{
	static const char *const bad[] = { "FAILED", "KILLED", "TIMEOUT", "LOST", "UNKNOWN" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (count_of(status->count, status->n_count, bad[i]) > 0)
			return true;
	}
	return status->n_silent > 0;
}

void status_line(struct session *s)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__StatusRequest status = CHIME__STATUS_REQUEST__INIT;
	int64_t deadline_us = conn_now_us() + 200000;
	Chime__Reply *reply = NULL;
	struct trouble t;

	request.body_case = CHIME__REQUEST__BODY_STATUS;
	request.status = &status;
	if (conn_open_socket(&s->conn, s->conf.socket, deadline_us, &t) == 0 &&
	    conn_ask(s->conn, &request, deadline_us, &reply, &t) == 0 &&
	    reply->body_case == CHIME__REPLY__BODY_STATUS) {
		print_counts(s, reply->status);
		putchar('\n');
	}
	conn_reply_free(reply);
}

int cmd_status(struct session *s)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__StatusRequest status = CHIME__STATUS_REQUEST__INIT;
	Chime__Reply *reply;

	request.body_case = CHIME__REQUEST__BODY_STATUS;
	request.status = &status;
	int code = session_ask(s, &request, &reply);
	if (code != 0)
		return code;
	if (reply->body_case != CHIME__REPLY__BODY_STATUS) {
		code = session_odd_reply(s);
	} else {
		if (s->out.format == OUT_JSON)
			code = print_status_json(s, reply->status);
		else
			print_status(s, reply->status);
		if (code == 0 && args_given(&s->args, OPT_CHECK) && status_is_bad(reply->status))
			code = EXIT_TROUBLE;
	}
	conn_reply_free(reply);
	return code;
}

/* One requirement a line: what, verdict, text, detail. Equal words are printed once. */
static void print_lines(struct session *s, Chime__Line *const *lines, size_t count)
{
	const char *last = "";
	size_t width = 0;

	for (size_t i = 0; i < count; i++) {
		size_t w = lines[i]->text != NULL ? out_width(lines[i]->text) : 0;
		width = w > width && w <= 48 ? w : width;
	}
	for (size_t i = 0; i < count; i++) {
		const Chime__Line *line = lines[i];
		const char *what = line->what != NULL ? line->what : "";
		const char *verdict = line->verdict != NULL ? line->verdict : "??";
		size_t w = line->text != NULL ? out_width(line->text) : 0;

		printf("  %-9s %s%-3s%s ", strcmp(what, last) == 0 ? "" : what,
		       out_state_color(&s->out, verdict), verdict,
		       out_state_color(&s->out, verdict)[0] != '\0' ? out_color_end(&s->out)
		       : "");
		out_text(stdout, line->text);
		if (line->detail != NULL && line->detail[0] != '\0') {
			printf("%*s", (int)(w < width ? width - w : 0) + 3, "");
			out_text(stdout, line->detail);
		}
		if (line->proof != NULL && line->proof[0] != '\0') {
			fputs("  [", stdout);
			out_text(stdout, line->proof);
			putchar(']');
		}
		putchar('\n');
		last = what;
	}
}

static void print_label(const char *label, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	printf("%-10s ", label);
	out_text(stdout, text);
	putchar('\n');
}

static void print_headline(struct session *s, const Chime__JobRow *row)
{
	char since[OUT_TIME_SIZE], ago[OUT_TIME_SIZE];
	const char *state = row->state != NULL ? row->state : "UNKNOWN";

	out_text(stdout, row->job);
	putchar('@');
	out_text(stdout, row->server);
	printf(" is %s%s%s", out_state_color(&s->out, state), state,
	       out_state_color(&s->out, state)[0] != '\0' ? out_color_end(&s->out) : "");
	if (row->has_since) {
		out_time(&s->out, row->since, since);
		out_span(&s->out, s->out.now_us - row->since, ago);
		printf(" since %s (%s)", since, ago);
	}
	if (row->stale)
		fputs(", as last known: its server is not heard", stdout);
	putchar('\n');
}

static void print_run_line(struct session *s, const Chime__RunRow *run)
{
	char started[OUT_TIME_SIZE], took[OUT_TIME_SIZE];

	out_time(&s->out, run->has_started ? run->started : run->created, started);
	out_span(&s->out, run->has_started && run->has_ended ? run->ended - run->started : -1,
		 took);
	printf("  %llu@", (unsigned long long)run->run);
	out_text(stdout, run->server);
	printf("  %-9s %s  took %s  cause %s", run->state != NULL ? run->state : "?", started, took,
	       run->cause != NULL ? run->cause : "?");
	if (run->has_exit_code)
		printf("  exit %d", run->exit_code);
	if (run->forced)
		fputs("  forced", stdout);
	if (run->by != NULL && run->by[0] != '\0') {
		fputs(" by ", stdout);
		out_text(stdout, run->by);
	}
	if (run->detail != NULL && run->detail[0] != '\0') {
		fputs("  ", stdout);
		out_text(stdout, run->detail);
	}
	putchar('\n');
}

static void print_definition(const Chime__ShowReply *show)
{
	const Chime__JobDefined *definition = show->definition;

	if (definition == NULL)
		return;
	print_label("about", definition->about);
	print_label("schedule", show->schedule != NULL && show->schedule[0] != '\0'
		    ? show->schedule : definition->schedule);
	print_label("timezone", definition->timezone);
	print_label("cycle", definition->cycle);
	print_label("after", definition->after);
	if (definition->has_enabled && !definition->enabled)
		print_label("enabled", "no");
}

static void print_show(struct session *s, const Chime__ShowReply *show)
{
	if (show->row != NULL)
		print_headline(s, show->row);
	print_definition(show);
	for (size_t i = 0; i < show->n_consumer; i++)
		print_label(i == 0 ? "starts" : "", show->consumer[i]);
	if (show->n_line > 0) {
		printf("\nconditions\n");
		print_lines(s, show->line, show->n_line);
	}
	if (show->n_run > 0) {
		printf("\nlast runs\n");
		for (size_t i = 0; i < show->n_run; i++)
			print_run_line(s, show->run[i]);
	}
	if (show->text != NULL && show->text[0] != '\0') {
		printf("\ndefinition\n");
		for (const char *p = show->text; *p != '\0';) {
			size_t len = strcspn(p, "\n");
			char *line = say_format("%.*s", (int)len, p);
			fputs("  ", stdout);
			out_text(stdout, line);
			putchar('\n');
			free(line);
			p += len + (p[len] == '\n');
		}
	}
}

static int print_show_json(struct session *s, const Chime__ShowReply *show)
{
	const Chime__Hello *hello = conn_hello(s->conn);
	json_t *o = json_document("chime.job/1", s->out.now_us, hello->environment,
				  hello->server);
	json_t *runs = json_array();

	json_object_set_new(o, "job", show->row != NULL ? json_job(show->row) : json_null());
	json_object_set_new(o, "definition", json_definition(show->definition));
	json_object_set_new(o, "schedule", json_text(show->schedule));
	json_object_set_new(o, "text", json_text(show->text));
	json_object_set_new(o, "conditions", json_lines(show->line, show->n_line));
	json_object_set_new(o, "consumers", json_texts(show->consumer, show->n_consumer));
	for (size_t i = 0; i < show->n_run; i++)
		json_array_append_new(runs, json_run(show->run[i], false));
	json_object_set_new(o, "runs", runs);
	return json_print(o);
}

static int print_show_def(const Chime__ShowReply *show)
{
	if (show->text != NULL && show->text[0] != '\0') {
		fputs(show->text, stdout);
		return 0;
	}
	struct trouble t;
	trouble_set(&t, EXIT_TROUBLE, "only its own server has the whole definition of %s",
		    show->row != NULL && show->row->job != NULL ? show->row->job : "this job");
	if (show->row != NULL && show->row->server != NULL)
		trouble_hint(&t, "chime --via %s show --def %s", show->row->server,
			     show->row->job);
	return trouble_print(&t);
}

int cmd_show(struct session *s)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__ShowRequest show = CHIME__SHOW_REQUEST__INIT;
	Chime__Reply *reply;
	char **target;
	size_t count;

	int code = targets_read(s, 1, 1, &target, &count);
	if (code != 0)
		return code;
	show.target = target[0];
	request.body_case = CHIME__REQUEST__BODY_SHOW;
	request.show = &show;
	code = session_ask(s, &request, &reply);
	if (code == 0 && reply->body_case != CHIME__REPLY__BODY_SHOW)
		code = session_odd_reply(s);
	else if (code == 0 && args_given(&s->args, OPT_DEF))
		code = print_show_def(reply->show);
	else if (code == 0 && s->out.format == OUT_JSON)
		code = print_show_json(s, reply->show);
	else if (code == 0)
		print_show(s, reply->show);
	conn_reply_free(reply);
	targets_free(target, count);
	return code;
}

static void print_why(struct session *s, const Chime__WhyReply *why)
{
	if (why->row != NULL)
		print_headline(s, why->row);
	if (why->run != NULL) {
		fputs("run", stdout);
		print_run_line(s, why->run);
		for (size_t i = 0; i < why->run->n_proof; i++)
			print_label(i == 0 ? "  proofs" : "", why->run->proof[i]);
		for (size_t i = 0; i < why->run->n_unmet; i++)
			print_label(i == 0 ? "  not met" : "", why->run->unmet[i]);
		for (size_t i = 0; i < why->run->n_ignored; i++)
			print_label(i == 0 ? "  ignored" : "", why->run->ignored[i]);
		print_label("  reason", why->run->reason);
		print_label("  waits", why->run->waiting);
	}
	if (why->n_line > 0) {
		putchar('\n');
		print_lines(s, why->line, why->n_line);
	}
	if (why->n_root == 0)
		return;
	putchar('\n');
	for (size_t i = 0; i < why->n_root; i++) {
		fputs(i == 0 ? "root cause: " : "            ", stdout);
		out_text(stdout, why->root[i]);
		putchar('\n');
	}
	if (why->row != NULL && why->row->job != NULL && why->run == NULL) {
		/* A root is "job@server STATE ...": its first word can be pasted. */
		fputs("  see     chime why ", stdout);
		char *first = say_format("%.*s", (int)strcspn(why->root[0], " "), why->root[0]);
		out_text(stdout, first);
		free(first);
		fputs("\n  or      chime start --force ", stdout);
		out_text(stdout, why->row->job);
		putchar('@');
		out_text(stdout, why->row->server);
		putchar('\n');
	}
}

static int print_why_json(struct session *s, const Chime__WhyReply *why)
{
	const Chime__Hello *hello = conn_hello(s->conn);
	json_t *o = json_document("chime.why/1", s->out.now_us, hello->environment,
				  hello->server);

	json_object_set_new(o, "job", why->row != NULL ? json_job(why->row) : json_null());
	json_object_set_new(o, "run", why->run != NULL ? json_run(why->run, false) : json_null());
	json_object_set_new(o, "conditions", json_lines(why->line, why->n_line));
	json_object_set_new(o, "root", json_texts(why->root, why->n_root));
	return json_print(o);
}

int cmd_why(struct session *s)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__WhyRequest why = CHIME__WHY_REQUEST__INIT;
	Chime__Reply *reply;
	char **target;
	size_t count;

	int code = targets_read(s, 1, 1, &target, &count);
	if (code != 0)
		return code;
	why.target = target[0];
	request.body_case = CHIME__REQUEST__BODY_WHY;
	request.why = &why;
	code = session_ask(s, &request, &reply);
	if (code == 0 && reply->body_case != CHIME__REPLY__BODY_WHY)
		code = session_odd_reply(s);
	else if (code == 0 && s->out.format == OUT_JSON)
		code = print_why_json(s, reply->why);
	else if (code == 0)
		print_why(s, reply->why);
	conn_reply_free(reply);
	targets_free(target, count);
	return code;
}

static int print_next_json(struct session *s, const Chime__NextReply *next)
{
	const Chime__Hello *hello = conn_hello(s->conn);
	json_t *o = json_document("chime.next/1", s->out.now_us, hello->environment,
				  hello->server);
	json_t *list = json_array();

	for (size_t i = 0; i < next->n_next; i++) {
		const Chime__NextRow *row = next->next[i];
		json_t *one = json_object();
		json_object_set_new(one, "job", json_text(row->job));
		json_object_set_new(one, "server", json_text(row->server));
		json_object_set_new(one, "slot", json_text(row->slot));
		json_object_set_new(one, "time", json_instant(row->has_time,
							      row->time * 1000000));
		json_object_set_new(one, "note", json_text(row->note));
		json_array_append_new(list, one);
	}
	json_object_set_new(o, "next", list);
	json_object_set_new(o, "words", json_texts(next->words, next->n_words));
	return json_print(o);
}

static void print_next(struct session *s, const Chime__NextReply *next)
{
	static const struct column columns[] = {
		{ "TIME", 0 }, { "IN", COLUMN_RIGHT }, { "JOB", COLUMN_SHRINK },
		{ "SLOT", COLUMN_WIDE }, { "NOTE", COLUMN_CUT },
	};
	struct table *table = table_new(&s->out, columns, 5);
	char text[OUT_TIME_SIZE], name[200];

	for (size_t i = 0; i < next->n_words && s->out.format == OUT_TABLE &&
	     s->args.word_count > 0; i++) {
		out_text(stdout, next->words[i]);
		putchar('\n');
	}
	for (size_t i = 0; i < next->n_next; i++) {
		const Chime__NextRow *row = next->next[i];
		out_time(&s->out, row->has_time ? row->time * 1000000 : 0, text);
		table_add(table, text);
		out_span(&s->out, row->has_time ? row->time * 1000000 - s->out.now_us : -1, text);
		table_add(table, text);
		table_add(table, job_name(row->job, row->server, name));
		table_add(table, row->slot);
		table_add(table, row->note);
	}
	table_print(table, stdout);
	if (next->n_next == 0)
		say_note("nothing is planned");
}

int cmd_next(struct session *s)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__NextRequest next = CHIME__NEXT_REQUEST__INIT;
	Chime__Reply *reply = NULL;
	struct trouble t = { 0 };
	uint64_t count = 1;

	if (args_given(&s->args, OPT_FILE))
		return cmd_next_file(s);
	if (args_given(&s->args, OPT_FROM)) {
		trouble_set(&t, EXIT_USAGE, "--from belongs to --file");
		return trouble_print(&t);
	}
	if (args_number(&s->args, OPT_COUNT, 1, 10000, &count, &t) != 0)
		return trouble_print(&t);
	int code = targets_read(s, 0, SIZE_MAX, &next.target, &next.n_target);
	if (code != 0)
		return code;
	next.has_count = true;
	next.count = (uint32_t)count;
	request.body_case = CHIME__REQUEST__BODY_NEXT;
	request.next = &next;
	code = session_ask(s, &request, &reply);
	if (code == 0 && reply->body_case != CHIME__REPLY__BODY_NEXT)
		code = session_odd_reply(s);
	else if (code == 0 && s->out.format == OUT_JSON)
		code = print_next_json(s, reply->next);
	else if (code == 0)
		print_next(s, reply->next);
	conn_reply_free(reply);
	targets_free(next.target, next.n_target);
	return code;
}
