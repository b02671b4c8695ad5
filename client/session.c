/*
 * session.c - see session.h.
 */
#include "client/session.h"

#include "client/find.h"
#include "proto/identity.h"
#include "proto/names.h"
#include "proto/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	TIMEOUT_ASK_US = 5 * 1000000,
	TIMEOUT_ACT_US = 30 * 1000000,
	TRY_US = 2 * 1000000,		/* for one of several candidates */
	FIND_US = 1000000,
};

/* The address a server was last found at by its name. */
struct reached {
	char *server, *address;
};

int session_init(struct session *s, struct args *args, struct trouble *t)
{
	*s = (struct session){ .args = *args };
	*args = (struct args){ 0 };
	say_set_quiet(args_given(&s->args, OPT_QUIET));
	int code = client_conf_load(s->args.value[OPT_CONFIG], &s->conf, t);
	if (code != 0)
		return code;
	if (s->args.value[OPT_TZ] == NULL && s->conf.timezone != NULL &&
	    getenv("CHIME_TZ") == NULL && !args_given(&s->args, OPT_UTC))
		s->args.value[OPT_TZ] = s->conf.timezone;
	if (s->args.value[OPT_VIA] == NULL)
		s->args.value[OPT_VIA] = s->conf.via;
	return out_init(&s->out, &s->args, t);
}

void session_fini(struct session *s)
{
	session_drop_all(s);
	for (size_t i = 0; i < s->reached_count; i++) {
		free(s->reached[i].server);
		free(s->reached[i].address);
	}
	free(s->reached);
	tls_context_free(s->tls);
	identity_free(s->identity);
	client_conf_fini(&s->conf);
	args_fini(&s->args);
}

int session_timeout(struct session *s, int64_t *timeout_us, struct trouble *t)
{
	const struct command *command = s->args.command;

	*timeout_us = command != NULL && command->action ? TIMEOUT_ACT_US : TIMEOUT_ASK_US;
	return args_duration(&s->args, OPT_TIMEOUT, timeout_us, t);
}

int session_identity(struct session *s, struct trouble *t)
{
	char err[1024];

	if (s->identity != NULL || s->conf.ca == NULL)
		return 0;
	if (identity_load(s->conf.ca, s->conf.certificate, s->conf.key, &s->identity, err,
			  sizeof(err)) != 0)
		return trouble_set_lines(t, EXIT_USAGE, err);
	const struct name_id *me = identity_name(s->identity);
	if (s->conf.environment != NULL && strcmp(s->conf.environment, me->environment) != 0)
		return trouble_set(t, EXIT_USAGE, "%s says environment %s, but %s is of %s",
				   s->conf.file, s->conf.environment, s->conf.certificate,
				   me->environment);
	if (tls_context_new(s->identity, &s->tls, err, sizeof(err)) != 0)
		return trouble_set_lines(t, EXIT_USAGE, err);
	return 0;
}

static int64_t share_of(int64_t deadline_us)
{
	int64_t limit = conn_now_us() + TRY_US;
	return limit < deadline_us ? limit : deadline_us;
}

static void say_trying(const struct session *s, const char *address)
{
	if (args_given(&s->args, OPT_VERBOSE))
		say_note("asking %s", address);
}

static int need_identity(struct session *s, const char *for_what, struct trouble *t)
{
	int code = session_identity(s, t);

	if (code != 0 || s->identity != NULL)
		return code;
	trouble_set(t, EXIT_DENIED, "%s needs a certificate, and I have none", for_what);
	trouble_why(t, "%s names no identity, and no id.crt is beside it",
		    s->conf.file != NULL ? s->conf.file : "no chime.yaml was found; it");
	trouble_hint(t, "chime ca issue --role operator --name NAME --out ~/.config/chime"
		     "   (where the CA key is)");
	return EXIT_DENIED;
}

/*
 * Keeps the most telling of several failures: a refusal, or a server whose certificate was not
 * accepted, says more than one that isn't there.
 */
static void keep_worst(struct trouble *kept, const struct trouble *t)
{
	if (kept->exit == 0 || t->exit == EXIT_DENIED ||
	    (kept->exit == EXIT_UNREACHED && t->exit != EXIT_UNREACHED))
		*kept = *t;
}

struct search {
	const char *server;		/* NULL = any */
	bool guess;			/* these addresses may well be those of other servers */
	int64_t deadline_us;
	struct conn *conn;
	struct trouble kept;
};

static bool try_address(struct session *s, struct search *search, const char *address)
{
	struct trouble t = { 0 };

	say_trying(s, address);
	if (conn_open_tls(&search->conn, s->tls, address, search->server,
			  share_of(search->deadline_us), &t) == 0)
		return true;
	if (!search->guess || t.exit == EXIT_DENIED)
		keep_worst(&search->kept, &t);
	return conn_interrupted();
}

static bool try_discovery(struct session *s, struct search *search)
{
	struct found_list found;
	struct trouble t = { 0 };
	struct find_options options = {
		.conf = &s->conf,
		.environment_id = identity_environment_id(s->identity),
		.wait_us = FIND_US,
		.eager = true,
	};
	bool done = false;

	int64_t left = search->deadline_us - conn_now_us();
	if (left < options.wait_us)
		options.wait_us = left > 0 ? left : 0;
	if (find_servers(&options, &found, &t) != 0) {
		keep_worst(&search->kept, &t);
		return false;
	}
	for (size_t i = 0; i < found.count && !done; i++) {
		if (search->server == NULL || strcmp(found.list[i].server, search->server) == 0)
			done = try_address(s, search, found.list[i].address);
	}
	free(found.list);
	return done;
}

/* Asks the local daemon, if there is one, where a server is. */
static bool try_local_knowledge(struct session *s, struct search *search)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__ServersRequest servers = CHIME__SERVERS_REQUEST__INIT;
	Chime__Reply *reply = NULL;
	struct conn *local = NULL;
	struct trouble t = { 0 };
	bool done = false;

	if (conn_open_socket(&local, s->conf.socket, share_of(search->deadline_us), &t) != 0)
		return false;
	request.body_case = CHIME__REQUEST__BODY_SERVERS;
	request.servers = &servers;
	if (conn_ask(local, &request, share_of(search->deadline_us), &reply, &t) == 0 &&
	    reply->body_case == CHIME__REPLY__BODY_SERVERS) {
		const Chime__ServersReply *all = reply->servers;
		for (size_t i = 0; i < all->n_server && !done; i++) {
			const Chime__ServerRow *row = all->server[i];
			if (row->server == NULL || strcmp(row->server, search->server) != 0)
				continue;
			for (size_t k = 0; k < row->n_address && !done; k++)
				done = try_address(s, search, row->address[k]);
		}
	}
	conn_reply_free(reply);
	conn_close(local);
	return done;
}

static int end_search(struct search *search, struct conn **out, struct trouble *t)
{
	*out = search->conn;
	if (search->conn != NULL)
		return 0;
	*t = search->kept;
	if (t->exit == 0) {
		trouble_set(t, EXIT_UNREACHED, "%s does not answer",
			    search->server != NULL ? search->server : "no server");
		trouble_why(t, "nobody on this network says where it is");
		trouble_hint(t, "chime discover        or: chime --via HOST:PORT ...");
	}
	return t->exit;
}

static struct reached *find_reached(const struct session *s, const char *server)
{
	for (size_t i = 0; i < s->reached_count; i++) {
		if (strcmp(s->reached[i].server, server) == 0)
			return &s->reached[i];
	}
	return NULL;
}

static void keep_reached(struct session *s, const char *server, const char *address)
{
	struct reached *r = find_reached(s, server);

	if (r == NULL) {
		s->reached = say_realloc(s->reached, s->reached_count + 1, sizeof(*r));
		r = &s->reached[s->reached_count++];
		*r = (struct reached){ .server = say_strdup(server) };
	}
	free(r->address);
	r->address = say_strdup(address);
}

/* A server by name: what is known of it, the configured ones, this host's daemon, the network. */
static int open_named(struct session *s, const char *server, char *const *addresses,
		      size_t count, int64_t deadline_us, struct conn **out, struct trouble *t)
{
	struct search search = { .server = server, .deadline_us = deadline_us };
	const struct reached *before = find_reached(s, server);
	bool done = false;

	*out = NULL;
	int code = need_identity(s, server, t);
	if (code != 0)
		return code;
	for (size_t i = 0; i < count && !done; i++) {
		done = try_address(s, &search, addresses[i]);
		if (before != NULL && strcmp(before->address, addresses[i]) == 0)
			before = NULL;
	}
	search.guess = true;
	if (before != NULL && !done)
		done = try_address(s, &search, before->address);
	for (size_t i = 0; i < s->conf.server_count && !done; i++)
		done = try_address(s, &search, s->conf.servers[i]);
	search.guess = false;
	if (!done)
		done = try_local_knowledge(s, &search);
	if (!done)
		try_discovery(s, &search);
	if (search.conn != NULL)
		keep_reached(s, server, conn_address(search.conn));
	return end_search(&search, out, t);
}

/* Any server of my environment, because the local socket is not there. */
static int open_any(struct session *s, const struct trouble *local, int64_t deadline_us,
		    struct conn **out, struct trouble *t)
{
	struct search search = { .deadline_us = deadline_us };
	bool done = false;

	*out = NULL;
	int code = session_identity(s, t);
	if (code != 0)
		return code;
	if (s->identity == NULL) {
		*t = *local;
		return t->exit;
	}
	for (size_t i = 0; i < s->conf.server_count && !done; i++)
		done = try_address(s, &search, s->conf.servers[i]);
	if (!done)
		try_discovery(s, &search);
	return end_search(&search, out, t);
}

static bool names_server(const struct conn *conn, const char *server)
{
	return strcmp(conn_server(conn), server) == 0;
}

/* The ways of session.h, once. */
static int open_first(struct session *s, int64_t deadline_us, struct conn **out,
		      struct trouble *t)
{
	const char *via = s->args.value[OPT_VIA];
	int code;

	if (via != NULL && strchr(via, '/') != NULL)
		return conn_open_socket(out, via, deadline_us, t);
	if (via != NULL && strchr(via, ':') != NULL) {
		code = need_identity(s, via, t);
		return code != 0 ? code
				 : conn_open_tls(out, s->tls, via, NULL, deadline_us, t);
	}
	if (via != NULL) {
		const char *why;
		if (!name_server_valid(via, &why)) {
			trouble_set(t, EXIT_USAGE, "'%s' is no server", via);
			trouble_why(t, "a server's name %s", why);
			return EXIT_USAGE;
		}
		code = session_identity(s, t);
		if (code != 0)
			return code;
		/* Without a certificate the local socket can still be the one that was meant. */
		struct trouble local;
		if (s->identity == NULL &&
		    conn_open_socket(out, s->conf.socket, deadline_us, &local) == 0) {
			if (names_server(*out, via))
				return 0;
			conn_close(*out);
			*out = NULL;
		}
		return open_named(s, via, NULL, 0, deadline_us, out, t);
	}
	struct trouble local;
	say_trying(s, s->conf.socket);
	code = conn_open_socket(out, s->conf.socket, deadline_us, &local);
	if (code == EXIT_UNREACHED || code == EXIT_DENIED)
		return open_any(s, &local, deadline_us, out, t);
	if (code != 0)
		*t = local;
	return code;
}

int session_open(struct session *s, int64_t deadline_us, struct trouble *t)
{
	return s->conn != NULL ? 0 : open_first(s, deadline_us, &s->conn, t);
}

int session_open_server(struct session *s, const char *server, char *const *addresses,
			size_t count, int64_t deadline_us, struct trouble *t)
{
	int code = session_identity(s, t);

	if (code != 0)
		return code;
	if (s->conn != NULL && names_server(s->conn, server))
		return 0;
	session_drop(s, s->conn);
	if (s->identity != NULL)
		return open_named(s, server, addresses, count, deadline_us, &s->conn, t);
	code = open_first(s, deadline_us, &s->conn, t);
	if (code != 0 || names_server(s->conn, server))
		return code;
	session_drop(s, s->conn);
	return need_identity(s, server, t);
}

int session_owner(struct session *s, const char *server, char *const *addresses, size_t count,
		  int64_t deadline_us, struct conn **out, struct trouble *t)
{
	if (s->conn != NULL && names_server(s->conn, server)) {
		*out = s->conn;
		return 0;
	}
	for (size_t i = 0; i < s->owner_count; i++) {
		if (names_server(s->owners[i], server)) {
			*out = s->owners[i];
			return 0;
		}
	}
	int code = open_named(s, server, addresses, count, deadline_us, out, t);
	if (code != 0)
		return code;
	s->owners = say_realloc(s->owners, s->owner_count + 1, sizeof(struct conn *));
	s->owners[s->owner_count++] = *out;
	return 0;
}

void session_drop(struct session *s, struct conn *conn)
{
	if (conn == NULL)
		return;
	if (s->conn == conn)
		s->conn = NULL;
	for (size_t i = 0; i < s->owner_count; i++) {
		if (s->owners[i] == conn) {
			s->owners[i] = s->owners[--s->owner_count];
			break;
		}
	}
	conn_close(conn);
}

void session_drop_all(struct session *s)
{
	conn_close(s->conn);
	for (size_t i = 0; i < s->owner_count; i++)
		conn_close(s->owners[i]);
	free(s->owners);
	s->conn = NULL;
	s->owners = NULL;
	s->owner_count = 0;
}

int session_again(struct session *s, const char *server, int64_t deadline_us, struct conn **out,
		  struct trouble *t)
{
	struct trouble first;

	/* The first way leads there when that was the server asked first. */
	if (open_first(s, deadline_us, out, &first) == 0) {
		if (names_server(*out, server))
			return 0;
		conn_close(*out);
		*out = NULL;
	}
	if (session_identity(s, t) == 0 && s->identity == NULL) {
		*t = first;
		return t->exit;
	}
	return open_named(s, server, NULL, 0, deadline_us, out, t);
}

int session_ask(struct session *s, Chime__Request *request, Chime__Reply **out)
{
	struct trouble t = { 0 };
	int64_t timeout_us;

	*out = NULL;
	int code = session_timeout(s, &timeout_us, &t);
	int64_t deadline_us = conn_now_us() + timeout_us;
	if (code == 0)
		code = session_open(s, deadline_us, &t);
	if (code == 0)
		code = conn_ask(s->conn, request, deadline_us, out, &t);
	if (code != 0)
		trouble_print(&t);
	return code;
}

int session_odd_reply(struct session *s)
{
	struct trouble t;

	trouble_set(&t, EXIT_UNREACHED, "%s answers something that was not asked",
		    conn_where(s->conn));
	trouble_hint(&t, "use the chime of the same release");
	return trouble_print(&t);
}
