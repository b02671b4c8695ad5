/*
 * refusal.h - "no" on a connection: what happened, why, what to try, and the client's exit code.
 */
#ifndef CHIME_DAEMON_EDGE_REFUSAL_H
#define CHIME_DAEMON_EDGE_REFUSAL_H

#include <stdint.h>

struct conn;

/* Exit codes of the client that are given here. */
enum {
	REFUSAL_FAILED = 1,
	REFUSAL_USAGE = 2,
	REFUSAL_NOT_ALLOWED = 4,
	REFUSAL_UNREACHABLE = 5,
};

/* why and try may be NULL. */
struct refusal {
	uint32_t exit;
	const char *what, *why, *try;
};

/* Queues it as the last reply to request `id`, 0 = to none. When the connection is ending nobody
 * is told. */
void refusal_put(struct conn *conn, uint64_t id, const struct refusal *refusal);

#endif
