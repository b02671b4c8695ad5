/*
 * cmd_next.c - what comes, as a server plans it. cmd_file.c does the same for a file.
 */
#include "client/cmd.h"

#include "client/jobtable.h"
#include "client/json.h"

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
	char text[OUT_TIME_SIZE], name[JOB_KEY_SIZE];

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
		table_add(table, job_key(row->job, row->server, name));
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
