/*
 * conn.h - one non-blocking connection: a descriptor, TLS or none, messages in both directions,
 * and the events it waits for. Shared by control (the server's side) and links (the client's).
 *
 *	CONNECTING -> SHAKING -> OPEN ------> ENDING ------> DRAINING -> (freed)
 *	      \___________\________\           flush,         read and
 *	       hard failure: freed  \          close_notify   drop, <= 1 s
 *	                             \_________________________/
 *
 * Invariants
 * 1. Callbacks come from the event loop only, never from inside conn_new, conn_put, conn_close.
 * 2. end_cb comes at most once and is the last; after it, and after conn_close, the connection
 *    is no longer the owner's: it ends and frees itself.
 * 3. Messages that arrived before the end are delivered before it.
 * 4. A turn of the loop takes at most CONN_TURN_BYTES and CONN_TURN_MESSAGES from a connection,
 *    so that none starves another, whatever it sends.
 * 5. Nobody waits for a peer: CONN_SHAKE_S to connect and shake hands, as long to take the last
 *    bytes, one second to close.
 */
#ifndef CHIME_DAEMON_EDGE_CONN_H
#define CHIME_DAEMON_EDGE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/identity.h"

struct conn;
struct event_base;
struct tls_conn;

enum {
	CONN_SHAKE_S = 5,
	CONN_TURN_BYTES = 128 * 1024,
	CONN_TURN_MESSAGES = 32,
	CONN_WHY_SIZE = 256,
	/* drained_cb: fewer bytes than this wait to be sent. */
	CONN_LOW_WATER = 128 * 1024,
};

struct conn_calls {
	/* Hands are shaken; from now on messages may be put. */
	void (*ready_cb)(struct conn *conn, void *owner);
	/* One message, borrowed for the call. */
	void (*message_cb)(struct conn *conn, void *owner, const uint8_t *data, size_t len);
	/* Bytes went out and few are left. NULL: not wanted. */
	void (*drained_cb)(struct conn *conn, void *owner);
	/*
	 * 0: the peer ended in order. -ETIMEDOUT: no handshake in time. -EACCES: a certificate was
	 * refused, `why` says by whom. -EMSGSIZE: a message beyond the limit; a last conn_put is
	 * still delivered. -ENOBUFS: it did not take what was put. Else -errno of the socket.
	 */
	void (*end_cb)(struct conn *conn, void *owner, int error, const char *why);
};

/* All connections of one owner, those that are ending included. */
struct conn_set {
	struct conn *first;
	size_t count;
};

/* Frees every connection, with no callback and no waiting; what the sockets take at once is still
 * sent. Not from inside a callback. */
void conn_set_fini(struct conn_set *set);

/*
 * Takes fd (non-blocking) and tls (NULL: plain). connecting: fd has a connect() under way.
 * Reading is off until conn_set_reading; the limit of messages is STREAM_LIMIT_HELLO.
 */
struct conn *conn_new(struct conn_set *set, struct event_base *base, int fd, struct tls_conn *tls,
		      bool connecting, const struct conn_calls *calls, void *owner);

void conn_set_reading(struct conn *conn, bool on);

/* Largest message from now on, in both directions. */
void conn_set_limit(struct conn *conn, uint32_t limit);

/* Queues a message. -EMSGSIZE: not queued. -ENOBUFS: not queued, the connection will end.
 * -ENOTCONN: not ready, or ending. */
int conn_put(struct conn *conn, const void *data, size_t len);

/* Bytes that wait to be sent. */
size_t conn_backlog(const struct conn *conn);

/* Bytes of messages received since the beginning: does the peer live? */
uint64_t conn_received(const struct conn *conn);

/* Sends what is queued, then ends; no callback follows. */
void conn_close(struct conn *conn);

/* Who the peer is and its certificate (DER), borrowed; NULL without TLS or before ready_cb. */
const struct name_id *conn_peer(const struct conn *conn);
const uint8_t *conn_peer_der(const struct conn *conn, size_t *len);

#endif
