/*
 * cmd_job.c - looking at jobs: ls, show, why.
 */
#include "client/cmd.h"

#include "client/cache.h"
#include "client/jobstate.h"
#include "client/jobtable.h"
#include "client/json.h"

#include <stdlib.h>
#include <string.h>

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
	int order = (int)jobstate_parse(x->state) - (int)jobstate_parse(y->state);
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
		job_table_print(&s->out, jobs->job, count);
	note_silent(s, jobs->silent, jobs->n_silent);
	if (s->out.tty && s->out.format <= OUT_WIDE) {
		out_now(&s->out, now);
		printf("%zu of %u jobs%s, %s\n", count, jobs->total > count ? jobs->total
		       : (unsigned)count, args_given(&s->args, OPT_TROUBLE) ? " (trouble only)"
		       : "", now);
	}
	return 0;
}

struct job_rows { Chime__JobRow **list; size_t count; };

static void move_rows(struct job_rows *rows, Chime__JobsReply *from)
{
	rows->list = say_realloc(rows->list, rows->count + from->n_job + 1, sizeof(*rows->list));
	if (from->n_job > 0)
		memcpy(rows->list + rows->count, from->job, from->n_job * sizeof(*rows->list));
	rows->count += from->n_job;
	from->n_job = 0;
}

/* Many rows come in several replies: they end up in the last one, which says the rest. */
static int ask_jobs(struct session *s, Chime__Request *request, Chime__Reply **out)
{
	struct job_rows rows = { 0 };
	struct trouble t = { 0 };
	int64_t timeout_us = 0;

	int code = session_ask(s, request, out);
	while (code == 0 && (*out)->body_case == CHIME__REPLY__BODY_JOBS) {
		move_rows(&rows, (*out)->jobs);
		if ((*out)->done) {
			free((*out)->jobs->job);
			(*out)->jobs->job = rows.list;
			(*out)->jobs->n_job = rows.count;
			return 0;
		}
		conn_reply_free(*out);
		*out = NULL;
		code = session_timeout(s, &timeout_us, &t);
		if (code == 0)
			code = conn_receive(s->conn, request->id, conn_now_us() + timeout_us, out,
					    &t);
		if (code != 0)
			trouble_print(&t);
	}
	for (size_t i = 0; i < rows.count; i++)
		chime__job_row__free_unpacked(rows.list[i], NULL);
	free(rows.list);
	return code;
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
	code = ask_jobs(s, &request, &reply);
	if (code == 0 && reply->body_case == CHIME__REPLY__BODY_JOBS && jobs.n_target == 0 &&
	    !jobs.trouble)
		cache_names(reply->jobs);
	if (code == 0)
		code = reply->body_case == CHIME__REPLY__BODY_JOBS
			? print_jobs_reply(s, reply->jobs, jobs.n_target)
			: session_odd_reply(s);
	conn_reply_free(reply);
	targets_free(jobs.target, jobs.n_target);
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
		out_span(&s->out, out_between(row->since, s->out.now_us), ago);
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
	out_span(&s->out, run->has_started && run->has_ended ?
		 out_between(run->started, run->ended) : -1,
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
