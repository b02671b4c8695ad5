/*
 * cmd_server.c - servers: server ls, server trust, reload, discover.
 */
#include "client/cmd.h"

#include "client/act.h"
#include "client/find.h"
#include "client/json.h"
#include "proto/identity.h"
#include "proto/names.h"

#include <stdlib.h>
#include <string.h>

static void print_servers(struct session *s, const Chime__ServersReply *servers)
{
	static const struct column columns[] = {
		{ "SERVER", COLUMN_SHRINK }, { "STATE", COLUMN_STATE }, { "HEARD", 0 },
		{ "JOBS", COLUMN_RIGHT }, { "RUNNING", COLUMN_RIGHT }, { "LOG", COLUMN_RIGHT },
		{ "BEHIND", COLUMN_RIGHT }, { "ADDRESS", 0 }, { "VERSION", COLUMN_WIDE },
		{ "SKEW", COLUMN_RIGHT | COLUMN_WIDE }, { "NOTE", COLUMN_CUT },
	};
	struct table *table = table_new(&s->out, columns, sizeof(columns) / sizeof(columns[0]));
	char text[OUT_TIME_SIZE];

	for (size_t i = 0; i < servers->n_server; i++) {
		const Chime__ServerRow *row = servers->server[i];
		uint64_t behind = row->known_seq > row->seq ? row->known_seq - row->seq : 0;

		table_add(table, row->server);
		table_add(table, row->state);
		out_time(&s->out, row->has_heard ? row->heard : 0, text);
		table_add(table, row->self ? "self" : text);
		table_add_format(table, "%u", row->jobs);
		table_add_format(table, "%u", row->running);
		table_add_format(table, "%llu", (unsigned long long)row->seq);
		table_add_format(table, "%llu", (unsigned long long)behind);
		table_add(table, row->n_address > 0 ? row->address[0] : NULL);
		table_add(table, row->version);
		table_add_format(table, "%.3fs", (double)row->skew_us / 1e6);
		table_add(table, row->note != NULL && row->note[0] != '\0' ? row->note
			  : row->unproven ? "unproven" : NULL);
	}
	table_print(table, stdout);
}

static int print_servers_json(struct session *s, const Chime__ServersReply *servers)
{
	const Chime__Hello *hello = conn_hello(s->conn);
	json_t *o = json_document("chime.servers/1", s->out.now_us, hello->environment,
				  hello->server);
	json_t *list = json_array();

	for (size_t i = 0; i < servers->n_server; i++)
		json_array_append_new(list, json_server(servers->server[i]));
	json_object_set_new(o, "servers", list);
	return json_print(o);
}

int cmd_server_ls(struct session *s)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__ServersRequest servers = CHIME__SERVERS_REQUEST__INIT;
	Chime__Reply *reply;

	request.body_case = CHIME__REQUEST__BODY_SERVERS;
	request.servers = &servers;
	int code = targets_read(s, 0, 0, &(char **){ NULL }, &(size_t){ 0 });
	if (code != 0)
		return code;
	code = session_ask(s, &request, &reply);
	if (code == 0 && reply->body_case != CHIME__REPLY__BODY_SERVERS)
		code = session_odd_reply(s);
	else if (code == 0 && s->out.format == OUT_JSON)
		code = print_servers_json(s, reply->servers);
	else if (code == 0)
		print_servers(s, reply->servers);
	conn_reply_free(reply);
	return code;
}

static int confirm_trust(struct session *s)
{
	struct trouble t;
	char line[16] = "";

	if (args_given(&s->args, OPT_YES))
		return 0;
	if (!s->out.tty_in || !s->out.tty_err || args_given(&s->args, OPT_NO_INPUT)) {
		trouble_set(&t, EXIT_USAGE, "this needs an answer, and there is no terminal to "
			    "ask on");
		trouble_hint(&t, "add --yes          nothing was changed");
		return trouble_print(&t);
	}
	fprintf(stderr, "What %s did before its start and nobody could confirm is given up.\n"
		"Trust it? [y/N] ", conn_server(s->conn));
	if (fgets(line, sizeof(line), stdin) != NULL && line[0] == 'y')
		return 0;
	say_note("nothing was changed");
	return EXIT_TROUBLE;
}

int cmd_server_trust(struct session *s)
{
	struct action action = { .session = s, .kind = CHIME__REQUEST__BODY_TRUST };
	struct effects effects = { 0 };
	struct trouble t = { 0 };
	int64_t timeout_us = 0;
	const char *why;

	int code = targets_read(s, 0, 0, &(char **){ NULL }, &(size_t){ 0 });
	if (code != 0)
		return code;
	action.reason = s->args.value[OPT_REASON];
	if (action.reason != NULL && !name_reason_valid(action.reason, &why))
		code = trouble_set(&t, EXIT_USAGE, "a reason %s", why);
	if (code == 0)
		code = action_key(&action, &t);
	if (code == 0)
		code = session_timeout(s, &timeout_us, &t);
	if (code == 0)
		code = session_open(s, conn_now_us() + timeout_us, &t);
	if (code != 0)
		return trouble_print(&t);
	code = confirm_trust(s);
	if (code != 0)
		return code;
	action.deadline_us = conn_now_us() + timeout_us;
	code = action_run(&action, false, NULL, 0, &effects, &t);
	if (code != 0)
		trouble_print(&t);
	for (size_t i = 0; i < effects.count; i++) {
		const struct effect *e = &effects.list[i];
		if (!e->done) {
			trouble_set(&t, e->exit, "%s", e->what != NULL ? e->what : "refused");
			trouble_why(&t, "%s", e->why != NULL ? e->why : "");
			trouble_hint(&t, "%s", e->hint != NULL ? e->hint : "");
			code = trouble_print(&t);
		} else if (s->out.format != OUT_JSON) {
			fputs("trusted  ", stdout);
			out_text(stdout, e->target);
			putchar('\n');
		}
	}
	effects_fini(&effects);
	return code;
}

static void print_marked(char mark, char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		printf("%c ", mark);
		out_text(stdout, names[i]);
		putchar('\n');
	}
}

/* Compiler-like text, many lines. */
static void print_errors(const char *text)
{
	fflush(stdout);
	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, "\n");
		char *line = say_format("%.*s", (int)len, p);
		out_text(stderr, line);
		fputc('\n', stderr);
		free(line);
		p += len + (p[len] == '\n');
	}
}

static int print_reload(struct session *s, const Chime__ReloadReply *reload)
{
	struct trouble t;

	if (!reload->accepted) {
		if (reload->errors != NULL)
			print_errors(reload->errors);
		trouble_set(&t, EXIT_TROUBLE, "%u error%s; nothing was loaded, the jobs stay as "
			    "they were", reload->error_count, reload->error_count == 1 ? "" : "s");
		return trouble_print(&t);
	}
	print_marked('+', reload->added, reload->n_added);
	print_marked('~', reload->changed, reload->n_changed);
	print_marked('-', reload->removed, reload->n_removed);
	for (size_t i = 0; i < reload->n_already_true; i++) {
		fputs("! ", stdout);
		out_text(stdout, reload->already_true[i]);
		fputs("  its condition holds already; loading starts nothing: chime start ",
		      stdout);
		out_text(stdout, reload->already_true[i]);
		putchar('\n');
	}
	printf("%zu added, %zu changed, %zu removed, %u same on %s\n", reload->n_added,
	       reload->n_changed, reload->n_removed, reload->same, conn_server(s->conn));
	return 0;
}

static int print_reload_json(struct session *s, const Chime__ReloadReply *reload)
{
	const Chime__Hello *hello = conn_hello(s->conn);
	json_t *o = json_document("chime.reload/1", s->out.now_us, hello->environment,
				  hello->server);

	json_object_set_new(o, "accepted", json_boolean(reload->accepted));
	json_object_set_new(o, "changed", json_boolean(reload->n_added + reload->n_changed +
							  reload->n_removed > 0));
	json_object_set_new(o, "added", json_texts(reload->added, reload->n_added));
	json_object_set_new(o, "modified", json_texts(reload->changed, reload->n_changed));
	json_object_set_new(o, "removed", json_texts(reload->removed, reload->n_removed));
	json_object_set_new(o, "same", json_integer(reload->same));
	json_object_set_new(o, "already_true", json_texts(reload->already_true,
							  reload->n_already_true));
	json_object_set_new(o, "errors", json_text(reload->errors));
	json_object_set_new(o, "error_count", json_integer(reload->error_count));
	json_print(o);
	return reload->accepted ? 0 : EXIT_TROUBLE;
}

/* Loading twice is loading once, so a lost answer needs no more care than a word. */
int cmd_reload(struct session *s)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__ReloadRequest reload = CHIME__RELOAD_REQUEST__INIT;
	struct action action = { .session = s };
	struct trouble t = { 0 };
	Chime__Reply *reply = NULL;
	int64_t timeout_us = 0;

	int code = targets_read(s, 0, 0, &(char **){ NULL }, &(size_t){ 0 });
	if (code != 0)
		return code;
	code = action_key(&action, &t);
	if (code == 0)
		code = session_timeout(s, &timeout_us, &t);
	if (code == 0)
		code = session_open(s, conn_now_us() + timeout_us, &t);
	if (code == 0) {
		request.body_case = CHIME__REQUEST__BODY_RELOAD;
		request.reload = &reload;
		request.reason = (char *)(uintptr_t)s->args.value[OPT_REASON];
		request.has_key = true;
		request.key.data = action.key;
		request.key.len = sizeof(action.key);
		request.has_expires = true;
		request.expires = conn_server_boot_us(s->conn) + 30 * 1000000LL;
		request.lineage = conn_hello(s->conn)->lineage;
		code = conn_ask(s->conn, &request, conn_now_us() + timeout_us, &reply, &t);
		if (code == EXIT_TIME || code == EXIT_UNREACHED)
			trouble_hint(&t, "chime reload again: loading twice is loading once");
	}
	if (code != 0)
		trouble_print(&t);
	else if (reply->body_case != CHIME__REPLY__BODY_RELOAD)
		code = session_odd_reply(s);
	else
		code = s->out.format == OUT_JSON ? print_reload_json(s, reply->reload)
						 : print_reload(s, reply->reload);
	conn_reply_free(reply);
	return code;
}

/* What an mTLS connection said about one hint. */
struct proof {
	bool good;
	char version[64];
	char why[512];
};

static void prove(struct session *s, const struct found *found, struct proof *proof)
{
	struct conn *conn = NULL;
	struct trouble t = { 0 };

	*proof = (struct proof){ 0 };
	if (conn_open_tls(&conn, s->tls, found->address, found->server,
			  conn_now_us() + 2 * 1000000, &t) == 0) {
		const Chime__Hello *hello = conn_hello(conn);
		proof->good = true;
		snprintf(proof->version, sizeof(proof->version), "%s",
			 hello->version != NULL ? hello->version : "");
		conn_close(conn);
		return;
	}
	snprintf(proof->why, sizeof(proof->why), "%.300s%s%.180s", t.what,
		 t.why[0] != '\0' ? ": " : "", t.why);
}

static int print_found_json(struct session *s, const struct found_list *found,
			    const struct proof *proofs)
{
	json_t *o = json_document("chime.discover/1", s->out.now_us,
				  identity_name(s->identity)->environment, NULL);
	json_t *list = json_array();

	for (size_t i = 0; i < found->count; i++) {
		json_t *one = json_object();
		json_object_set_new(one, "server", json_text(found->list[i].server));
		json_object_set_new(one, "address", json_text(found->list[i].address));
		json_object_set_new(one, "answered", json_boolean(found->list[i].answered));
		json_object_set_new(one, "verified", json_boolean(proofs[i].good));
		json_object_set_new(one, "version", json_text(proofs[i].good
				    ? proofs[i].version : NULL));
		json_object_set_new(one, "why", json_text(proofs[i].good ? NULL
							  : proofs[i].why));
		json_array_append_new(list, one);
	}
	json_object_set_new(o, "servers", list);
	return json_print(o);
}

static void print_found(struct session *s, const struct found_list *found,
			const struct proof *proofs)
{
	static const struct column columns[] = {
		{ "SERVER", COLUMN_SHRINK }, { "ADDRESS", 0 }, { "CERTIFICATE", COLUMN_STATE },
		{ "VERSION", 0 }, { "NOTE", COLUMN_CUT },
	};
	struct table *table = table_new(&s->out, columns, 5);

	for (size_t i = 0; i < found->count; i++) {
		table_add(table, found->list[i].server);
		table_add(table, found->list[i].address);
		table_add(table, proofs[i].good ? "ok" : "NO");
		table_add(table, proofs[i].version);
		table_add(table, !proofs[i].good ? proofs[i].why
			  : found->list[i].answered ? NULL : "named by another server");
	}
	table_print(table, stdout);
}

static int say_nobody(struct session *s, const struct found_list *found)
{
	struct trouble t;

	trouble_set(&t, EXIT_UNREACHED, "no server of %s answers (asked on %zu interfaces and "
		    "addresses, group %s port %u)", identity_name(s->identity)->environment,
		    found->asked, s->conf.group, s->conf.port);
	trouble_why(&t, "none is running here, discovery is off there, or a firewall drops udp "
		    "port %u", s->conf.port);
	trouble_hint(&t, "chime --via HOST:PORT server ls");
	return trouble_print(&t);
}

int cmd_discover(struct session *s)
{
	struct find_options options = { .conf = &s->conf, .wait_us = 1000000 };
	struct found_list found = { 0 };
	struct trouble t = { 0 };
	bool any = false;

	int code = targets_read(s, 0, 0, &(char **){ NULL }, &(size_t){ 0 });
	if (code != 0)
		return code;
	code = session_identity(s, &t);
	if (code == 0 && s->identity == NULL) {
		code = trouble_set(&t, EXIT_DENIED, "discover needs a certificate, and I have "
				   "none");
		trouble_why(&t, "only servers that my CA proves are worth a name");
		trouble_hint(&t, "chime ca issue --role viewer --name NAME --out ~/.config/chime"
			     "   (where the CA key is)");
	}
	if (code == 0)
		code = args_duration(&s->args, OPT_FOR, &options.wait_us, &t);
	if (code == 0) {
		options.environment_id = identity_environment_id(s->identity);
		options.interfaces = s->args.value[OPT_INTERFACE];
		code = find_servers(&options, &found, &t);
	}
	if (code != 0)
		return trouble_print(&t);
	struct proof *proofs = say_calloc(found.count, sizeof(*proofs));
	for (size_t i = 0; i < found.count; i++) {
		prove(s, &found.list[i], &proofs[i]);
		any |= proofs[i].good;
	}
	if (s->out.format == OUT_JSON)
		print_found_json(s, &found, proofs);
	else if (found.count > 0)
		print_found(s, &found, proofs);
	code = found.count == 0 ? say_nobody(s, &found) : any ? 0 : EXIT_UNREACHED;
	free(proofs);
	free(found.list);
	return code;
}
