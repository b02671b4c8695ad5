/*
 *	RESOLVING -> CONNECTING (each address in turn) -> SHAKEN (HELLO awaited) -> UP -> gone
 *
 * A dialog is the talk with one server; it lives as long as its connection, and an ask that finds
 * none begins one. Asks wait in one list: not yet sent before UP, then sent, answered in any order
 * by id. The id in a request is replaced by one of the dialog's own, so that callers need not keep
 * theirs apart.
 */
#include "daemon/edge/links.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/edge/conn.h"
#include "daemon/edge/resolve.h"
#include "daemon/inbox.h"
#include "daemon/log.h"
#include "daemon/rate.h"
#include "proto/identity.h"
#include "proto/peek.h"
#include "proto/stream.h"
#include "proto/tls.h"

enum {
	IDLE_S = 60,
	HELLO_S = 15,			/* longer than a starting server lets us wait */
	ASKS_MAX = 256,			/* of one dialog */
	PENDING_MAX = 128,		/* dialogs without HELLO: a hint may lead anywhere */
};

enum dialog_state { DIALOG_RESOLVING, DIALOG_CONNECTING, DIALOG_SHAKEN, DIALOG_UP };

struct ask {
	struct dialog *dialog;		/* NULL: refused, waits to be told */
	struct links *links;
	struct ask *next, **prev;
	uint64_t id, cookie;
	uint8_t *request;		/* freed once sent */
	size_t len;
	bool sent;
	uint64_t received_before;	/* conn_received() when it was sent */
	struct event *timer;
};

struct dialog {
	struct links *links;
	struct dialog *next, **prev;
	enum dialog_state state;
	char server[IDENTITY_NAME_SIZE];	/* as asked, then as its certificate says */
	char address[ADDRESS_HOST_SIZE + ADDRESS_PORT_SIZE + 2];
	bool named;				/* asked for by name */
	struct resolve *resolve;
	struct address found[RESOLVE_MAX];
	size_t found_count, tried;
	struct conn *conn;
	struct ask *asks;
	size_t ask_count;
	uint64_t last_id;
	struct event *idle;		/* before UP: the deadline of HELLO */
};

struct links {
	struct event_base *base;
	struct inbox *inbox;
	const struct identity *identity;
	struct tls_context *tls;
	struct conn_set conns;
	struct dialog *first;
	struct ask *refused;
	struct rate complaints;
};

/* ---- asks --------------------------------------------------------------------------------- */

static void free_ask(struct ask *ask)
{
	*ask->prev = ask->next;
	if (ask->next)
		ask->next->prev = ask->prev;
	if (ask->dialog)
		ask->dialog->ask_count--;
	event_free(ask->timer);
	free(ask->request);
	free(ask);
}

static void put_item(struct links *links, enum inbox_kind kind, uint64_t number, int error,
		     const char *text, const void *data, size_t len)
{
	struct inbox_item *item = inbox_item_new(kind, data, len);

	item->number = number;
	item->error = error;
	snprintf(item->text, sizeof(item->text), "%s", text);
	inbox_put(links->inbox, item);
}

/* data: the reply, or why it failed. Ends the ask. */
static void answer_ask(struct ask *ask, int error, const void *data, size_t len)
{
	put_item(ask->links, INBOX_ANSWER, ask->cookie, error,
		 ask->dialog ? ask->dialog->server : "", data, len);
	free_ask(ask);
}

static void fail_ask(struct ask *ask, int error, const char *why)
{
	answer_ask(ask, error, why, strlen(why));
}

/* ---- dialogs ------------------------------------------------------------------------------ */

static void free_dialog(struct dialog *dialog)
{
	*dialog->prev = dialog->next;
	if (dialog->next)
		dialog->next->prev = dialog->prev;
	while (dialog->asks)
		free_ask(dialog->asks);
	resolve_cancel(dialog->resolve);
	event_free(dialog->idle);
	free(dialog);
}

/* The connection must be gone or closing. */
static void fail_dialog(struct dialog *dialog, int error, const char *why)
{
	while (dialog->asks)
		fail_ask(dialog->asks, error, why);
	free_dialog(dialog);
}

static void complain(struct dialog *dialog, const char *why)
{
	struct links *links = dialog->links;
	uint64_t untold = links->complaints.refused;

	if (!rate_take(&links->complaints, clock_now().boot))
		return;
	links->complaints.refused = 0;
	log_warn("link.refused", "server=%s address=%s why=%s untold=%llu",
		 log_quote(dialog->server), log_quote(dialog->address), log_quote(why),
		 (unsigned long long)untold);
}

static void note_idle(struct dialog *dialog)
{
	const struct timeval idle = { IDLE_S, 0 };

	if (dialog->asks)
		event_del(dialog->idle);
	else
		event_add(dialog->idle, &idle);
}

static void idle_cb(evutil_socket_t fd, short what, void *arg)
{
	struct dialog *dialog = arg;

	(void)fd;
	(void)what;
	conn_close(dialog->conn);
	fail_dialog(dialog, -ETIMEDOUT, "no HELLO in time");
}

static void send_ask(struct ask *ask)
{
	struct dialog *dialog = ask->dialog;
	int rc = conn_put(dialog->conn, ask->request, ask->len);

	ask->sent = true;
	ask->received_before = conn_received(dialog->conn);
	free(ask->request);
	ask->request = NULL;
	if (rc == -EMSGSIZE)
		fail_ask(ask, rc, "the request is too long");
	/* Other failures end the connection, and so this ask. */
}

static void send_waiting(struct dialog *dialog)
{
	struct ask *next;

	for (struct ask *a = dialog->asks; a; a = next) {
		next = a->next;
		if (!a->sent)
			send_ask(a);
	}
}

/* ---- the connection's callbacks ----------------------------------------------------------- */

static void ready_cb(struct conn *conn, void *owner)
{
	const struct timeval hello = { HELLO_S, 0 };
	struct dialog *dialog = owner;
	size_t len;
	const uint8_t *der = conn_peer_der(conn, &len);

	dialog->state = DIALOG_SHAKEN;
	snprintf(dialog->server, sizeof(dialog->server), "%s", conn_peer(conn)->name);
	put_item(dialog->links, INBOX_PEER, 0, 0, dialog->server, der, len);
	event_add(dialog->idle, &hello);
	conn_set_reading(conn, true);
}

static void copy_text(const uint8_t *refusal, size_t len, uint32_t field, char *out, size_t size)
{
	const uint8_t *text;
	size_t text_len;

	peek_bytes(refusal, len, field, &text, &text_len);
	snprintf(out, size, "%.*s", (int)(text_len < size ? text_len : size - 1),
		 text ? (const char *)text : "");
}

/* What came in place of HELLO. */
static void fail_greeting(struct dialog *dialog, const uint8_t *data, size_t len)
{
	char what[CONN_WHY_SIZE] = "it did not say HELLO", why[CONN_WHY_SIZE] = "";
	char text[2 * CONN_WHY_SIZE + 4];
	const uint8_t *refusal;
	size_t refusal_len;
	int error = -EPROTO;

	if (peek_bytes(data, len, PEEK_REPLY_REFUSAL, &refusal, &refusal_len) == PEEK_FOUND) {
		copy_text(refusal, refusal_len, PEEK_REFUSAL_WHAT, what, sizeof(what));
		copy_text(refusal, refusal_len, PEEK_REFUSAL_WHY, why, sizeof(why));
		error = -EBUSY;
	}
	snprintf(text, sizeof(text), "%s%s%s", what, why[0] ? ": " : "", why);
	conn_close(dialog->conn);
	complain(dialog, text);
	fail_dialog(dialog, error, text);
}

/* TLS has proved a server of my CA; HELLO says that it means the same environment. */
static bool is_my_hello(const struct dialog *dialog, const uint8_t *data, size_t len)
{
	const uint8_t *hello, *id;
	size_t hello_len, id_len;

	return peek_bytes(data, len, PEEK_REPLY_HELLO, &hello, &hello_len) == PEEK_FOUND &&
	       peek_bytes(hello, hello_len, PEEK_HELLO_ENVIRONMENT_ID, &id, &id_len) ==
		       PEEK_FOUND &&
	       id_len == ENVIRONMENT_ID_SIZE &&
	       memcmp(id, identity_environment_id(dialog->links->identity), id_len) == 0;
}

static void take_greeting(struct dialog *dialog, const uint8_t *data, size_t len)
{
	if (!is_my_hello(dialog, data, len)) {
		fail_greeting(dialog, data, len);
		return;
	}
	dialog->state = DIALOG_UP;
	conn_set_limit(dialog->conn, STREAM_LIMIT);
	put_item(dialog->links, INBOX_ANSWER, 0, 0, dialog->server, data, len);
	send_waiting(dialog);
	note_idle(dialog);
}

static void message_cb(struct conn *conn, void *owner, const uint8_t *data, size_t len)
{
	struct dialog *dialog = owner;
	struct ask *ask;
	uint64_t id;

	if (dialog->state == DIALOG_SHAKEN) {
		take_greeting(dialog, data, len);
		return;
	}
	if (peek_number(data, len, PEEK_REPLY_ID, &id) == PEEK_MALFORMED) {
		conn_close(conn);
		complain(dialog, "it sent what is no reply");
		fail_dialog(dialog, -EPROTO, "it sent what is no reply");
		return;
	}
	for (ask = dialog->asks; ask && (ask->id != id || !ask->sent); ask = ask->next)
		;
	/* None: it came after its time. */
	if (!ask)
		return;
	answer_ask(ask, 0, data, len);
	note_idle(dialog);
}

static bool try_next(struct dialog *dialog);

static void end_cb(struct conn *conn, void *owner, int error, const char *why)
{
	struct dialog *dialog = owner;

	(void)conn;
	dialog->conn = NULL;
	if (error == -EACCES)
		complain(dialog, why);
	else if (dialog->state == DIALOG_CONNECTING && try_next(dialog))
		return;
	fail_dialog(dialog, error ? error : -ECONNRESET, why);
}

static const struct conn_calls dialog_calls = {
	.ready_cb = ready_cb,
	.message_cb = message_cb,
	.end_cb = end_cb,
};

/* ---- connecting --------------------------------------------------------------------------- */

static int open_socket(const struct address *to)
{
	const int on = 1, timeout_ms = 30 * 1000;
	int fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
	if (connect(fd, (const struct sockaddr *)&to->sa, to->len) < 0 && errno != EINPROGRESS) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

/* Connects to the next address that lets itself be tried; false when none is left. */
static bool try_next(struct dialog *dialog)
{
	struct links *links = dialog->links;

	while (dialog->tried < dialog->found_count) {
		int fd = open_socket(&dialog->found[dialog->tried++]);
		struct tls_conn *tls;

		if (fd < 0)
			continue;
		tls = tls_connect_new(links->tls, fd, dialog->named ? dialog->server : NULL);
		dialog->state = DIALOG_CONNECTING;
		dialog->conn = conn_new(&links->conns, links->base, fd, tls, true, &dialog_calls,
					dialog);
		return true;
	}
	return false;
}

static void resolved_cb(void *owner, const struct address *found, size_t count, const char *why)
{
	struct dialog *dialog = owner;

	dialog->resolve = NULL;
	memcpy(dialog->found, found, count * sizeof(*found));
	dialog->found_count = count;
	if (!try_next(dialog))
		fail_dialog(dialog, -EHOSTUNREACH, count ? "no way leads there" : why);
}

static struct dialog *new_dialog(struct links *links, const char *server, const char *address)
{
	struct dialog *dialog = calloc(1, sizeof(*dialog));

	assert(dialog);
	dialog->links = links;
	dialog->named = server[0] != 0;
	snprintf(dialog->server, sizeof(dialog->server), "%s", server);
	snprintf(dialog->address, sizeof(dialog->address), "%s", address);
	dialog->idle = evtimer_new(links->base, idle_cb, dialog);
	assert(dialog->idle);
	dialog->next = links->first;
	dialog->prev = &links->first;
	if (dialog->next)
		dialog->next->prev = &dialog->next;
	links->first = dialog;
	dialog->resolve = resolve_start(links->base, address, resolved_cb, dialog);
	return dialog;
}

/* By name when one is asked for: also a dialog that was made by address, once it is known whose. */
static struct dialog *find_dialog(const struct links *links, const char *server,
				  const char *address)
{
	for (struct dialog *l = links->first; l; l = l->next) {
		bool known = l->named || l->state >= DIALOG_SHAKEN;

		if (server[0] ? known && strcmp(l->server, server) == 0
			      : strcmp(l->address, address) == 0)
			return l;
	}
	return NULL;
}

static bool has_too_many_pending(const struct links *links)
{
	size_t pending = 0;

	for (const struct dialog *l = links->first; l; l = l->next)
		pending += l->state != DIALOG_UP;
	return pending >= PENDING_MAX;
}

/* ---- asking ------------------------------------------------------------------------------- */

static void timeout_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ask *ask = arg;
	struct dialog *dialog = ask->dialog;
	bool silent;

	(void)fd;
	(void)what;
	if (!dialog) {
		fail_ask(ask, -EBUSY, "too many questions wait for it");
		return;
	}
	silent = ask->sent && dialog->conn && conn_received(dialog->conn) == ask->received_before;
	fail_ask(ask, -ETIMEDOUT, "no answer in time");
	if (silent) {
		/* Not one byte since: the next ask shall not wait for a dead connection. */
		conn_close(dialog->conn);
		fail_dialog(dialog, -ETIMEDOUT, "no answer in time");
	} else if (dialog->state == DIALOG_UP) {
		note_idle(dialog);
	}
}

static void add_ask(struct ask *ask, struct ask **list)
{
	/* At the end: sent in the order of asking. */
	while (*list)
		list = &(*list)->next;
	ask->prev = list;
	*list = ask;
}

void links_ask(struct links *links, const char *server, const char *address, uint64_t cookie,
	       const void *packed_request, size_t len, uint32_t timeout_ms)
{
	struct timeval timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct dialog *dialog = find_dialog(links, server, address);
	struct ask *ask = calloc(1, sizeof(*ask));

	assert(ask);
	if (!dialog && !has_too_many_pending(links))
		dialog = new_dialog(links, server, address);
	ask->links = links;
	ask->cookie = cookie;
	ask->timer = evtimer_new(links->base, timeout_cb, ask);
	assert(ask->timer);
	if (!dialog || dialog->ask_count >= ASKS_MAX) {
		timeout = (struct timeval){ 0, 0 };
		add_ask(ask, &links->refused);
	} else {
		ask->dialog = dialog;
		ask->id = ++dialog->last_id;
		ask->request = malloc(len + PEEK_ID_SIZE_MAX);
		assert(ask->request);
		memcpy(ask->request, packed_request, len);
		ask->len = len + peek_format_id(ask->id, ask->request + len);
		dialog->ask_count++;
		add_ask(ask, &dialog->asks);
	}
	event_add(ask->timer, &timeout);
	if (!ask->dialog || dialog->state != DIALOG_UP)
		return;
	send_ask(ask);
	note_idle(dialog);
}

/* ---- open and close ----------------------------------------------------------------------- */

int links_open(struct links **out, struct event_base *base, struct inbox *inbox,
	       const struct identity *identity)
{
	struct links *links = calloc(1, sizeof(*links));
	char err[IDENTITY_WHY_SIZE];
	int rc;

	assert(links);
	*out = NULL;
	links->base = base;
	links->inbox = inbox;
	links->identity = identity;
	rate_init(&links->complaints, 1, 1, clock_now().boot);
	rc = tls_context_new(identity, &links->tls, err, sizeof(err));
	if (rc < 0) {
		log_error("links.open", "why=%s", log_quote(err));
		free(links);
		return rc;
	}
	*out = links;
	return 0;
}

void links_close(struct links *links)
{
	if (!links)
		return;
	while (links->first)
		free_dialog(links->first);
	while (links->refused)
		free_ask(links->refused);
	conn_set_fini(&links->conns);
	tls_context_free(links->tls);
	free(links);
}
