/*
 * session.h - one run of the program: its options, its output, who it is, whom it talks to.
 *
 * Where to ask, the first that applies:
 *	--via with "/"     that socket
 *	--via with ":"     that endpoint, any server of my environment
 *	--via otherwise    the server with that name, which its certificate must carry
 *	the local socket   when a daemon answers there
 *	servers:           of chime.yaml, one after the other
 *	discovery          when there is an identity
 *
 * An action runs at the job's owner. When another server was asked, the session opens its own TLS
 * connection to the owner, so that the owner judges the person's certificate itself.
 */
#ifndef CHIME_CLIENT_SESSION_H
#define CHIME_CLIENT_SESSION_H

#include "client/conf.h"
#include "client/conn.h"
#include "client/opt.h"
#include "client/out.h"

struct identity;
struct found_list;
struct reached;

struct session {
	struct args args;
	struct out out;
	struct client_conf conf;
	struct identity *identity;	/* NULL = not loaded, or none */
	struct tls_context *tls;
	struct conn *conn;		/* the server that was asked first; NULL = none yet */
	struct conn **owners;		/* further connections, by server */
	size_t owner_count;
	struct reached *reached;	/* where servers were found by name */
	size_t reached_count;
};

/* args was parsed; takes it over. 0 or an exit code with *t filled. */
int session_init(struct session *s, struct args *args, struct trouble *t);
void session_fini(struct session *s);

/* --timeout, or the default of the command: 5 s, for actions 30 s. */
int session_timeout(struct session *s, int64_t *timeout_us, struct trouble *t);

/* Loads the identity if one is configured. 0 also when none is: look at s->identity. */
int session_identity(struct session *s, struct trouble *t);

/* Opens s->conn. */
int session_open(struct session *s, int64_t deadline_us, struct trouble *t);

/* The same to this server, found as session_owner() does; without an identity only the first way
 * can lead there. */
int session_open_server(struct session *s, const char *server, char *const *addresses,
			size_t count, int64_t deadline_us, struct trouble *t);

/* The connection to a server: s->conn, an open one, or a new one to one of its addresses, else
 * found by name. Owned by the session. */
int session_owner(struct session *s, const char *server, char *const *addresses, size_t count,
		  int64_t deadline_us, struct conn **out, struct trouble *t);

/* Closes a connection of the session, e.g. one that broke; or all of them. */
void session_drop(struct session *s, struct conn *conn);
void session_drop_all(struct session *s);

/* Another connection to the server that `conn` goes to, by the same way; the caller closes it. */
int session_again(struct session *s, const char *server, int64_t deadline_us, struct conn **out,
		  struct trouble *t);

/* Opens s->conn, sends the request, takes its reply. Prints the trouble. 0 or the exit code. */
int session_ask(struct session *s, Chime__Request *request, Chime__Reply **out);

/* A reply of a kind that was not asked for. Prints it; returns an exit code. */
int session_odd_reply(struct session *s);

#endif
