/*
 *	accept -> conn (TLS: handshake) -> shaken -> greeted (HELLO sent, requests are read) -> gone
 *	                                      \ no HELLO yet: waits CONTROL_WAIT_S
 *
 * Who has not shaken hands yet is counted apart: CONTROL_STRANGERS_MAX of them, and the oldest
 * makes room for the newest, so that silent connections keep nobody out.
 */
#include "daemon/edge/control.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/conf.h"
#include "daemon/edge/address.h"
#include "daemon/edge/conn.h"
#include "daemon/edge/follow.h"
#include "daemon/edge/listen.h"
#include "daemon/edge/refusal.h"
#include "daemon/edge/tail.h"
#include "daemon/inbox.h"
#include "daemon/log.h"
#include "daemon/rate.h"
#include "proto/control.pb-c.h"
#include "proto/peek.h"
#include "proto/stream.h"
#include "proto/tls.h"

enum {
	CONTROL_STRANGERS_MAX = 64,
	CONTROL_WAIT_S = 10,
	ACCEPT_PAUSE_S = 1,
	ACCEPTS_PER_TURN = 16,
	TAILS_MAX = 8,			/* outputs sent at once on one connection */
};

enum client_state { CLIENT_STRANGER, CLIENT_SHAKEN, CLIENT_GREETED };

struct client {
	struct control *control;
	struct client *next, **prev;	/* newest first */
	struct conn *conn;
	uint64_t id;
	enum client_state state;
	bool local;
	char who[LISTEN_WHO_SIZE];
	enum role role;
	char address[ADDRESS_TEXT_SIZE];
	struct event *wait;
	struct tail *tails[TAILS_MAX];
};

struct listener {
	struct control *control;
	int fd;
	bool local;
	struct event *readable, *pause;
};

struct control {
	struct event_base *base;
	struct inbox *inbox;
	struct tls_context *tls;
	struct follow *follow;
	struct listener tcp, unix_socket;
	struct listen_path path;
	struct conn_set conns;
	struct client *clients;
	uint32_t clients_max;
	uint64_t last_id;
	Chime__Reply *hello;
	struct rate complaints;
};

/* ---- clients ------------------------------------------------------------------------------ */

static void free_client(struct client *client)
{
	*client->prev = client->next;
	if (client->next)
		client->next->prev = client->prev;
	for (size_t i = 0; i < TAILS_MAX; i++)
		if (client->tails[i])
			tail_free(client->tails[i]);
	event_free(client->wait);
	free(client);
}

/* The connection is gone, or goes on alone with what it still has to send. */
static void forget_client(struct client *client)
{
	if (client->state == CLIENT_GREETED) {
		struct inbox_item *item = inbox_item_new(INBOX_CLOSED, NULL, 0);

		item->conn = client->id;
		inbox_put(client->control->inbox, item);
	}
	free_client(client);
}

static struct client *find_client(const struct control *control, uint64_t id)
{
	for (struct client *c = control->clients; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

static size_t count_clients(const struct control *control, bool strangers, bool local)
{
	size_t count = 0;

	for (const struct client *c = control->clients; c; c = c->next)
		if ((c->state == CLIENT_STRANGER) == strangers && c->local == local)
			count++;
	return count;
}

/* ---- replies made here -------------------------------------------------------------------- */

static void put_reply(struct client *client, const Chime__Reply *reply)
{
	size_t len = chime__reply__get_packed_size(reply);
	uint8_t *packed = malloc(len + 1);

	assert(packed);
	chime__reply__pack(reply, packed);
	/* Failure means the connection is ending, which tells itself. */
	conn_put(client->conn, packed, len);
	free(packed);
}

static void complain(struct control *control, const struct client *client, const char *why)
{
	uint64_t untold = control->complaints.refused;

	if (!rate_take(&control->complaints, clock_now().boot))
		return;
	control->complaints.refused = 0;
	log_warn("control.refused", "address=%s who=%s why=%s untold=%llu", client->address,
		 log_quote(client->who), log_quote(why), (unsigned long long)untold);
}

/* Says no and ends the connection. */
static void refuse_client(struct client *client, const struct refusal *text)
{
	complain(client->control, client, text->what);
	refusal_put(client->conn, 0, text);
	conn_close(client->conn);
	forget_client(client);
}

static void put_hello(struct client *client)
{
	Chime__Hello hello = *client->control->hello->hello;
	Chime__Reply reply = CHIME__REPLY__INIT;
	struct now now = clock_now();

	hello.you = client->who;
	hello.your_role = (char *)(uintptr_t)role_name(client->role);
	hello.has_boot_us = hello.has_wall_us = true;
	hello.boot_us = now.boot.us;
	hello.wall_us = now.wall.us;
	reply.has_id = reply.has_done = true;
	reply.id = 0;
	reply.done = true;
	reply.body_case = CHIME__REPLY__BODY_HELLO;
	reply.hello = &hello;
	put_reply(client, &reply);
}

static void greet_client(struct client *client)
{
	event_del(client->wait);
	put_hello(client);
	client->state = CLIENT_GREETED;
	conn_set_limit(client->conn, STREAM_LIMIT);
	conn_set_reading(client->conn, true);
}

static void wait_cb(evutil_socket_t fd, short what, void *arg)
{
	static const struct refusal starting = {
		REFUSAL_UNREACHABLE, "this server is still starting, nothing was done",
		"it asks its peers what it missed before it answers", "the same again in a moment",
	};

	(void)fd;
	(void)what;
	refuse_client(arg, &starting);
}

/* ---- the connection's callbacks ----------------------------------------------------------- */

static void ready_cb(struct conn *conn, void *owner)
{
	static const struct refusal stranger = {
		REFUSAL_NOT_ALLOWED, "you may not talk to chimed over its local socket",
		"only root, the user of chimed and members of group " LISTEN_GROUP " may",
		"usermod -aG " LISTEN_GROUP " USER   or use a certificate: chime --via HOST:PORT",
	};
	static const struct refusal full = {
		REFUSAL_UNREACHABLE, "this server has too many connections, nothing was done",
		"limits: connections: in its chimed.yaml", "the same again in a moment",
	};
	const struct timeval wait = { CONTROL_WAIT_S, 0 };
	struct client *client = owner;
	const struct name_id *peer = conn_peer(conn);

	if (peer) {
		snprintf(client->who, sizeof(client->who), "%s", peer->name);
		client->role = peer->role;
	}
	if (client->role == ROLE_NONE) {
		refuse_client(client, &stranger);
		return;
	}
	if (count_clients(client->control, false, client->local) >= client->control->clients_max) {
		refuse_client(client, &full);
		return;
	}
	client->state = CLIENT_SHAKEN;
	if (client->control->hello)
		greet_client(client);
	else
		event_add(client->wait, &wait);
}

static void message_cb(struct conn *conn, void *owner, const uint8_t *data, size_t len)
{
	static const struct refusal garbage = {
		REFUSAL_USAGE, "this server did not understand the request, nothing was done",
		"it is not a numbered message of the control stream", "chime version",
	};
	static const struct refusal busy = {
		REFUSAL_UNREACHABLE, "this server is busy, nothing was done",
		"too many requests wait", "the same again in a moment",
	};
	struct client *client = owner;
	struct inbox_item *item;
	uint64_t id;

	(void)conn;
	if (peek_number(data, len, PEEK_REQUEST_ID, &id) != PEEK_FOUND || id == 0) {
		refuse_client(client, &garbage);
		return;
	}
	item = inbox_item_new(INBOX_REQUEST, data, len);
	item->conn = client->id;
	item->number = client->role;
	snprintf(item->text, sizeof(item->text), "%s", client->who);
	if (inbox_put(client->control->inbox, item) == -EAGAIN) {
		inbox_item_free(item);
		refusal_put(client->conn, id, &busy);
	}
}

static void drained_cb(struct conn *conn, void *owner)
{
	struct client *client = owner;

	(void)conn;
	for (size_t i = 0; i < TAILS_MAX; i++) {
		if (!client->tails[i])
			continue;
		tail_go_on(client->tails[i]);
		if (tail_is_done(client->tails[i])) {
			tail_free(client->tails[i]);
			client->tails[i] = NULL;
		}
	}
}

static void end_cb(struct conn *conn, void *owner, int error, const char *why)
{
	static const struct refusal oversized = {
		REFUSAL_USAGE, "this server did not understand the request, nothing was done",
		"its length is beyond the limit of the control stream", "chime version",
	};
	struct client *client = owner;

	(void)conn;
	if (error == -EMSGSIZE)
		refusal_put(client->conn, 0, &oversized);
	/* Scans and clients that just go are no news; the rest the operator should see. */
	if (error == -EACCES || error == -EMSGSIZE || error == -ENOBUFS)
		complain(client->control, client, why);
	forget_client(client);
}

static const struct conn_calls client_calls = {
	.ready_cb = ready_cb,
	.message_cb = message_cb,
	.drained_cb = drained_cb,
	.end_cb = end_cb,
};

/* ---- accepting ---------------------------------------------------------------------------- */

static void drop_oldest_stranger(struct control *control)
{
	struct client *oldest = NULL;

	for (struct client *c = control->clients; c; c = c->next)
		if (c->state == CLIENT_STRANGER && !c->local)
			oldest = c;
	assert(oldest);
	conn_close(oldest->conn);
	forget_client(oldest);
}

/* Takes fd. */
static void add_client(struct control *control, int fd, bool local,
		       const struct sockaddr_storage *from)
{
	struct client *client = calloc(1, sizeof(*client));
	struct tls_conn *tls = NULL;

	assert(client);
	client->control = control;
	client->id = ++control->last_id;
	client->local = local;
	address_format(from, client->address);
	if (local) {
		client->role = listen_judge_peer(fd, client->who);
	} else {
		listen_tune(fd);
		tls = tls_accept_new(control->tls, fd);
	}
	client->wait = evtimer_new(control->base, wait_cb, client);
	assert(client->wait);
	client->next = control->clients;
	client->prev = &control->clients;
	if (client->next)
		client->next->prev = &client->next;
	control->clients = client;
	client->conn = conn_new(&control->conns, control->base, fd, tls, false, &client_calls,
				client);
}

/* Connections that only end yet still hold a descriptor: never more than this in all. */
static size_t conns_max(const struct control *control)
{
	return 2 * ((size_t)control->clients_max + CONTROL_STRANGERS_MAX);
}

static void pause_accepting(struct listener *listener, int error)
{
	const struct timeval pause = { ACCEPT_PAUSE_S, 0 };

	log_error("control.accept", "why=%s retry_s=%d", log_quote(strerror(error)),
		  ACCEPT_PAUSE_S);
	event_del(listener->readable);
	event_add(listener->pause, &pause);
}

static void resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	event_add(listener->readable, NULL);
}

static void accept_cb(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listener *listener = arg;
	struct control *control = listener->control;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t len = sizeof(from);
		int fd = accept4(listen_fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			/* Out of descriptors or memory: the listener would stay readable. */
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM)
				pause_accepting(listener, errno);
			return;
		}
		if (control->conns.count >= conns_max(control)) {
			close(fd);
			continue;
		}
		if (!listener->local &&
		    count_clients(control, true, false) >= CONTROL_STRANGERS_MAX)
			drop_oldest_stranger(control);
		from.ss_family = listener->local ? AF_UNIX : from.ss_family;
		add_client(control, fd, listener->local, &from);
	}
}

/* ---- open and close ----------------------------------------------------------------------- */

static void open_listener(struct control *control, struct listener *listener, int fd, bool local)
{
	*listener = (struct listener){ .control = control, .fd = fd, .local = local };
	listener->readable = event_new(control->base, fd, EV_READ | EV_PERSIST, accept_cb,
				       listener);
	listener->pause = evtimer_new(control->base, resume_cb, listener);
	assert(listener->readable && listener->pause);
	event_add(listener->readable, NULL);
}

static void close_listener(struct listener *listener)
{
	if (!listener->readable)
		return;
	event_free(listener->readable);
	event_free(listener->pause);
	close(listener->fd);
}

static int open_tcp(struct control *control, const struct conf *conf,
		    const struct identity *identity, char *err, size_t size)
{
	int fd, rc = tls_context_new(identity, &control->tls, err, size);

	if (rc < 0)
		return rc;
	fd = listen_tcp(conf->control.listen, err, size);
	if (fd < 0)
		return fd;
	open_listener(control, &control->tcp, fd, false);
	return 0;
}

int control_open(struct control **out, struct event_base *base, struct inbox *inbox,
		 const struct conf *conf, const struct identity *identity, char *err, size_t size)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd, rc;

	assert(control);
	*out = NULL;
	control->base = base;
	control->inbox = inbox;
	control->clients_max = conf->limits.connections;
	control->follow = follow_new(base);
	rate_init(&control->complaints, 1, 1, clock_now().boot);
	fd = listen_local(conf->socket, &control->path, err, size);
	rc = fd < 0 ? fd : 0;
	if (rc < 0)
		goto fail;
	open_listener(control, &control->unix_socket, fd, true);
	if (identity)
		rc = open_tcp(control, conf, identity, err, size);
	if (rc < 0)
		goto fail;
	*out = control;
	return 0;
fail:
	control_close(control);
	return rc;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	close_listener(&control->tcp);
	close_listener(&control->unix_socket);
	listen_path_fini(&control->path);
	while (control->clients)
		free_client(control->clients);
	conn_set_fini(&control->conns);
	follow_free(control->follow);
	tls_context_free(control->tls);
	if (control->hello)
		chime__reply__free_unpacked(control->hello, NULL);
	free(control);
}

uint16_t control_port(const struct control *control)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);

	if (!control->tcp.readable ||
	    getsockname(control->tcp.fd, (struct sockaddr *)&sa, &len) < 0)
		return 0;
	return address_port(&sa);
}

/* ---- what the node has to say ------------------------------------------------------------- */

void control_hello(struct control *control, const void *packed_reply, size_t len)
{
	struct client *next;

	if (control->hello)
		chime__reply__free_unpacked(control->hello, NULL);
	control->hello = chime__reply__unpack(NULL, len, packed_reply);
	assert(control->hello && control->hello->body_case == CHIME__REPLY__BODY_HELLO);
	for (struct client *c = control->clients; c; c = next) {
		next = c->next;
		if (c->state == CLIENT_SHAKEN)
			greet_client(c);
	}
}

void control_send(struct control *control, uint64_t conn, const void *packed_reply, size_t len)
{
	static const struct refusal too_long = {
		REFUSAL_FAILED, "the answer is too long to be sent",
		"it is beyond the limit of the control stream",
		"ask for less: a target, or --limit",
	};
	struct client *client = find_client(control, conn);
	uint64_t id;

	if (!client || conn_put(client->conn, packed_reply, len) != -EMSGSIZE)
		return;
	peek_number(packed_reply, len, PEEK_REPLY_ID, &id);
	log_error("control.too_long", "who=%s bytes=%zu", log_quote(client->who), len);
	refusal_put(client->conn, id, &too_long);
}

size_t control_backlog(const struct control *control, uint64_t conn)
{
	const struct client *client = find_client(control, conn);

	return client ? conn_backlog(client->conn) : 0;
}

void control_stream_output(struct control *control, uint64_t conn, uint64_t id, int fd,
			   uint64_t offset, uint64_t last, bool follow, const char *run)
{
	static const struct refusal too_many = {
		REFUSAL_UNREACHABLE, "too many outputs are followed on this connection",
		"the server sends 8 at once", "chime log -f in another terminal",
	};
	struct client *client = find_client(control, conn);
	size_t slot = 0;

	while (client && slot < TAILS_MAX && client->tails[slot])
		slot++;
	if (!client || slot == TAILS_MAX) {
		if (client)
			refusal_put(client->conn, id, &too_many);
		close(fd);
		return;
	}
	client->tails[slot] = tail_new(client->conn, control->follow, id, fd, offset, last, follow,
				       run);
	tail_go_on(client->tails[slot]);
}
