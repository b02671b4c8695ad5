/*
 * cmd_log.c - the output of a run, now and as it grows.
 */
#include "client/cmd.h"

#include "client/json.h"
#include "proto/show.h"

#include <stdlib.h>
#include <string.h>

/* Writes output to stdout; to a terminal without what could control it. */
struct writer {
	bool clean;
	char carry[4];			/* of a character whose end has not come yet */
	size_t carried;
};

/* Bytes at the end that may be the beginning of a character. */
static size_t unfinished(const char *data, size_t len)
{
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		unsigned char c = (unsigned char)data[len - back];
		if ((c & 0xc0) == 0x80)
			continue;
		size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;
		return need > back ? back : 0;
	}
	return 0;
}

/* Cleans a stretch but for newlines and tabs. */
static void write_clean(const char *data, size_t len)
{
	char clean[4 * 1024 + 1];

	while (len > 0) {
		size_t n = 0;
		while (n < len && n < 1024 && data[n] != '\n' && data[n] != '\t')
			n++;
		if (n < len && n == 1024)
			n -= unfinished(data, n);
		if (n > 0) {
			show_clean(data, n, clean, sizeof(clean));
			fputs(clean, stdout);
		}
		while (n < len && (data[n] == '\n' || data[n] == '\t'))
			putchar(data[n++]);
		data += n;
		len -= n;
	}
}

static void write_output(struct writer *w, const uint8_t *data, size_t len)
{
	if (!w->clean) {
		if (len > 0)
			fwrite(data, 1, len, stdout);
		out_flush();
		return;
	}
	char *all = say_calloc(w->carried + len, 1);
	memcpy(all, w->carry, w->carried);
	if (len > 0)
		memcpy(all + w->carried, data, len);
	len += w->carried;
	w->carried = unfinished(all, len);
	write_clean(all, len - w->carried);
	memcpy(w->carry, all + len - w->carried, w->carried);
	free(all);
	out_flush();
}

static void end_output(struct writer *w)
{
	write_clean(w->carry, w->carried);
	w->carried = 0;
}

/* What a log request brought. */
struct output {
	char *run;			/* 8831@db1, malloc'ed, NULL = unknown */
	uint64_t total, next, skipped;
	uint8_t *data;			/* kept bytes, when they are kept */
	size_t len;
	bool live;
};

static void note_skipped(struct output *o, const Chime__LogReply *log)
{
	if (log->skipped > o->skipped) {
		o->skipped = log->skipped;
		say_note("%llu bytes before this are no longer kept",
			 (unsigned long long)log->skipped);
	}
}

static void take_log(struct output *o, const Chime__LogReply *log, struct writer *w)
{
	if (log->run != NULL && o->run == NULL)
		o->run = say_strdup(log->run);
	o->live = log->live;
	if (log->has_total)
		o->total = log->total;
	note_skipped(o, log);
	if (!log->has_data)
		return;
	o->next = log->offset + log->data.len;
	if (w != NULL) {
		write_output(w, log->data.data, log->data.len);
		return;
	}
	o->data = say_realloc(o->data, o->len + log->data.len, 1);
	if (log->data.len > 0)
		memcpy(o->data + o->len, log->data.data, log->data.len);
	o->len += log->data.len;
}

/* Output lives where the run ran: the server asked says who that is. */
static int ask_owner(struct session *s, const struct conn *asked,
		     const Chime__Refusal *refusal, struct conn **owner, struct trouble *t)
{
	int64_t timeout_us = 0;

	*owner = NULL;
	if (refusal->server == NULL || strcmp(refusal->server, conn_server(asked)) == 0)
		return conn_refusal(refusal, t);
	int code = session_timeout(s, &timeout_us, t);
	return code != 0 ? code : session_owner(s, refusal->server, refusal->address,
						refusal->n_address, conn_now_us() + timeout_us,
						owner, t);
}

/* One request to its last reply. w = NULL keeps the bytes. */
static int ask_log(struct session *s, struct conn *conn, const char *target, bool follow,
		   uint64_t offset, struct output *o, struct writer *w)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__LogRequest log = CHIME__LOG_REQUEST__INIT;
	struct conn *owner = NULL;
	struct trouble t = { 0 };
	int64_t timeout_us = 0;
	bool done = false;

	log.target = (char *)(uintptr_t)target;
	log.has_follow = log.follow = follow;
	log.has_offset = offset > 0;
	log.offset = offset;
	request.body_case = CHIME__REQUEST__BODY_LOG;
	request.log = &log;
	int code = session_timeout(s, &timeout_us, &t);
	if (code == 0)
		code = conn_send(conn, &request, conn_now_us() + timeout_us, &t);
	while (code == 0 && !done) {
		Chime__Reply *reply = NULL;
		code = conn_receive(conn, request.id, follow ? CONN_FOREVER
				    : conn_now_us() + timeout_us, &reply, &t);
		if (code != 0)
			break;
		if (reply->body_case == CHIME__REPLY__BODY_REFUSAL)
			code = ask_owner(s, conn, reply->refusal, &owner, &t);
		else if (reply->body_case == CHIME__REPLY__BODY_LOG)
			take_log(o, reply->log, w);
		done = reply->done || owner != NULL;
		conn_reply_free(reply);
	}
	if (code == 0 && owner != NULL)
		return ask_log(s, owner, target, follow, offset, o, w);
	if (code == EXIT_INTERRUPTED) {
		say_note("the run goes on; again: chime log -f %s",
			 o->run != NULL ? o->run : target);
		return code;
	}
	return code != 0 ? trouble_print(&t) : 0;
}

static void free_output(struct output *o)
{
	free(o->run);
	free(o->data);
}

int log_print(struct session *s, struct conn *conn, const char *target, bool follow)
{
	struct writer w = { .clean = s->out.tty && !args_given(&s->args, OPT_RAW) };
	struct output o = { 0 };
	int code = ask_log(s, conn, target, follow, 0, &o, &w);

	end_output(&w);
	free_output(&o);
	return code;
}

/* Where the last n lines begin. */
static size_t last_lines(const uint8_t *data, size_t len, uint64_t n)
{
	size_t at = len;

	if (at > 0 && data[at - 1] == '\n')
		at--;
	while (at > 0) {
		if (data[at - 1] == '\n' && --n == 0)
			break;
		at--;
	}
	return at;
}

static int print_log_json(struct session *s, const struct output *o)
{
	const Chime__Hello *hello = conn_hello(s->conn);
	json_t *doc = json_document("chime.log/1", s->out.now_us, hello->environment,
				    hello->server);
	char *text = say_calloc(o->len + 1, 1);

	if (o->len > 0)
		memcpy(text, o->data, o->len);
	for (size_t i = 0; i < o->len; i++)
		text[i] = text[i] == '\0' ? '?' : text[i];
	json_object_set_new(doc, "run", json_text(o->run));
	json_object_set_new(doc, "live", json_boolean(o->live));
	json_object_set_new(doc, "total", json_integer((json_int_t)o->total));
	json_object_set_new(doc, "skipped", json_integer((json_int_t)o->skipped));
	json_object_set_new(doc, "text", json_text(text));
	free(text);
	return json_print(doc);
}

/* -n and --json need the whole before they print; -f then goes on behind it. */
static int print_part(struct session *s, const char *target, uint64_t lines, bool follow)
{
	struct writer w = { .clean = s->out.tty && !args_given(&s->args, OPT_RAW) };
	struct output o = { 0 };

	int code = ask_log(s, s->conn, target, false, 0, &o, NULL);
	if (code == 0 && s->out.format == OUT_JSON) {
		code = print_log_json(s, &o);
	} else if (code == 0) {
		size_t from = lines > 0 ? last_lines(o.data, o.len, lines) : 0;
		if (o.len > from)
			write_output(&w, o.data + from, o.len - from);
		if (follow)
			code = ask_log(s, s->conn, o.run != NULL ? o.run : target, true, o.next,
				       &o, &w);
		end_output(&w);
	}
	free_output(&o);
	return code;
}

int cmd_log(struct session *s)
{
	bool follow = args_given(&s->args, OPT_FOLLOW) ||
		      (s->args.typed != NULL && strcmp(s->args.typed, "tail") == 0);
	struct trouble t = { 0 };
	int64_t timeout_us = 0;
	uint64_t lines = 0;
	char **target;
	size_t count;

	if (args_number(&s->args, OPT_LINES, 1, 1000000, &lines, &t) != 0)
		return trouble_print(&t);
	int code = targets_read(s, 1, 1, &target, &count);
	if (code != 0)
		return code;
	code = session_timeout(s, &timeout_us, &t);
	if (code == 0)
		code = session_open(s, conn_now_us() + timeout_us, &t);
	if (code != 0)
		trouble_print(&t);
	if (code == 0 && follow)
		conn_catch_interrupt();
	if (code == 0)
		code = lines > 0 || s->out.format == OUT_JSON
			? print_part(s, target[0], lines, follow)
			: log_print(s, s->conn, target[0], follow);
	targets_free(target, count);
	return code;
}
