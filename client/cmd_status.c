/*
 * cmd_status.c - the summary of an environment: status, and the first line of `chime` alone.
 */
#include "client/cmd.h"

#include "client/jobstate.h"
#include "client/jobtable.h"
#include "client/json.h"

#include <string.h>

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

	for (size_t i = 0; i < JOBSTATE_COUNT; i++)
		json_object_set_new(counts, jobstates[i].word, json_integer((json_int_t)
				    count_of(status->count, status->n_count, jobstates[i].word)));
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
	for (size_t i = 0; i < JOBSTATE_COUNT; i++) {
		uint64_t n = count_of(status->count, status->n_count, jobstates[i].word);
		if (n == 0)
			continue;
		printf("%s%s%llu %s%s", separator, out_state_color(&s->out, jobstates[i].word),
		       (unsigned long long)n, jobstates[i].word,
		       out_state_color(&s->out, jobstates[i].word)[0] != '\0'
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
		job_table_print(&s->out, status->worst, status->n_worst);
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
