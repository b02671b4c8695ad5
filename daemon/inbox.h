/*
 * inbox.h - what event-loop callbacks leave for the next turn; the only thing they may do.
 *
 * Invariants
 * 1. Bounded: datagrams drop (counted) when INBOX_DATAGRAMS_MAX wait; requests are refused "busy"
 *    by the control edge when inbox_put returns -EAGAIN; local facts (attempts, jobs) never drop.
 * 2. Order within a kind is order of arrival.
 * 3. An item owns its memory until node_turn has taken it (inbox_item_fini).
 */
#ifndef CHIME_DAEMON_INBOX_H
#define CHIME_DAEMON_INBOX_H

#include "daemon/link.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	INBOX_DATAGRAMS_MAX = 4096,
	INBOX_REQUESTS_MAX = 1024,
};

enum inbox_kind {
	INBOX_DATAGRAM,		/* data: the datagram; from: its source */
	INBOX_ATTEMPT,		/* report */
	INBOX_SCANNED,		/* the spool was reported in full */
	INBOX_JOBS,		/* data: canonical texts, one YAML stream; number = generation */
	INBOX_JOBS_REFUSED,	/* data: the errors as text; number = how many */
	INBOX_OUTPUT,		/* number = cookie, fd or error */
	INBOX_REQUEST,		/* conn, data: packed Request, text: who asks, number: enum role */
	INBOX_CLOSED,		/* conn is gone */
	INBOX_ANSWER,		/* peer link: data = packed Reply, number = cookie, or error */
	INBOX_PEER,		/* peer link is up: data = its certificate (DER), text = name */
	INBOX_RELOAD,		/* SIGHUP */
	INBOX_STOP,		/* SIGTERM, SIGINT */
	INBOX_WAKE,		/* the clock was set, or a timer is due: nothing but a turn */
};

struct inbox_item {
	struct inbox_item *next;
	enum inbox_kind kind;
	uint8_t *data;
	size_t len;
	uint64_t conn;			/* control connection, never reused */
	uint64_t number;
	int fd;				/* -1 = none */
	int error;			/* -errno, 0 = none */
	char text[64];
	struct attempt_report report;
	struct sockaddr_storage from;
};

struct inbox {
	struct inbox_item *head, **tail;
	size_t datagrams, requests;
	uint64_t dropped_datagrams;
};

void inbox_init(struct inbox *inbox);
void inbox_fini(struct inbox *inbox);

/* A zeroed item with a copy of data (NULL: none). */
struct inbox_item *inbox_item_new(enum inbox_kind kind, const void *data, size_t len);
void inbox_item_free(struct inbox_item *item);

/* Takes the item. -ENOBUFS: a datagram was dropped and freed; -EAGAIN: a request was not taken and
 * stays the caller's. Everything else is always taken: 0. */
int inbox_put(struct inbox *inbox, struct inbox_item *item);

/* The oldest item, now the caller's, or NULL. */
struct inbox_item *inbox_take(struct inbox *inbox);

#endif
