/*
 * tls.h - a TLS 1.3 connection over a non-blocking socket, both sides with certificates.
 *
 * Invariants
 * 1. TLS 1.3 only; no tickets, no session cache, no early data, no renegotiation: every
 *    connection judges the peer's certificate anew.
 * 2. Nothing is read or written before tls_handshake() said TLS_DONE. For a client that is
 *    before the server has judged the client's certificate: so the server speaks first, and a
 *    client learns of its refusal from its first tls_read().
 * 3. An end without close_notify is a truncation: TLS_FAILED, never TLS_CLOSED.
 * 4. The first reason is kept: tls_why() and tls_blame() don't change after TLS_FAILED.
 *
 *	new -> tls_handshake* -> (tls_read | tls_write)* -> tls_shutdown* -> tls_free
 *	            \_______________\___ TLS_FAILED ________________________/
 *
 * The caller owns the file descriptor, makes it non-blocking, waits as told, sets deadlines,
 * and ignores SIGPIPE. A server that refused somebody should shut its side of the socket down
 * for writing and read on for a second before closing, else the alert may be lost.
 */
#ifndef CHIME_PROTO_TLS_H
#define CHIME_PROTO_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/identity.h"

/* What a call came to, and what to wait for before the same call is made again. */
enum tls_want {
	TLS_DONE,
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_CLOSED,			/* the peer ended in order */
	TLS_FAILED,
};

/* Whose no it was. */
enum tls_blame {
	TLS_BLAME_NONE,			/* nothing failed */
	TLS_THEY_REFUSED_ME,		/* the peer sent an alert about my certificate */
	TLS_I_REFUSED_THEM,		/* I did not accept the peer's certificate */
	TLS_BROKEN,			/* the network, or a peer that does not speak TLS 1.3 */
};

struct tls_context;
struct tls_conn;

/*
 * What all connections of one identity share; serves both sides. The identity is borrowed and
 * must outlive the context, the context its connections.
 * -EIO with a text in err when OpenSSL refuses certificate or key.
 */
int tls_context_new(const struct identity *id, struct tls_context **out, char *err,
	size_t err_size);

/* NULL is allowed. */
void tls_context_free(struct tls_context *context);

/* The server's side of a connection over fd; the peer may be a server or a person. */
struct tls_conn *tls_accept_new(struct tls_context *context, int fd);

/*
 * The client's side. The peer must be a server of my environment, and must have the name
 * `server` unless that is NULL.
 */
struct tls_conn *tls_connect_new(struct tls_context *context, int fd, const char *server);

/* Frees the connection, not the descriptor; NULL is allowed. */
void tls_free(struct tls_conn *conn);

/* Goes on with the handshake; TLS_DONE again once done. */
enum tls_want tls_handshake(struct tls_conn *conn);

/* Reads 1..cap bytes; *got is 0 unless TLS_DONE. */
enum tls_want tls_read(struct tls_conn *conn, void *buf, size_t cap, size_t *got);

/* Writes 1..len bytes; *put is 0 unless TLS_DONE. A repeat may come from another address. */
enum tls_want tls_write(struct tls_conn *conn, const void *buf, size_t len, size_t *put);

/* Sends close_notify; TLS_DONE when it is out. What the peer still sends can be read. */
enum tls_want tls_shutdown(struct tls_conn *conn);

/* Bytes that tls_read() gives without the socket becoming readable: read until it is 0. */
size_t tls_pending(const struct tls_conn *conn);

/* Who the peer is; NULL before the handshake is done. */
const struct name_id *tls_peer(const struct tls_conn *conn);

/* The peer's certificate as DER, borrowed; NULL before the handshake is done. */
const uint8_t *tls_peer_der(const struct tls_conn *conn, size_t *len);

/* Why it failed, one line in human words; "" when it has not. */
const char *tls_why(const struct tls_conn *conn);

enum tls_blame tls_blame(const struct tls_conn *conn);

#endif
