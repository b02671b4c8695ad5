/*
 * tail.h - sends the output of a run over a connection, as LogReply messages, no faster than the
 * peer takes them; with follow until its writer is done.
 */
#ifndef CHIME_DAEMON_EDGE_TAIL_H
#define CHIME_DAEMON_EDGE_TAIL_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct follow;
struct tail;

enum {
	TAIL_PIECE = 64 * 1024,		/* of output in one message */
	TAIL_HIGH_WATER = 256 * 1024,	/* with so many bytes waiting, wait for tail_go_on */
};

/* Answers request `id` from byte `offset` of the output file fd (taken); run: "8831@db1". last: of
 * what is there now, not more than so many bytes of its end; 0 = all from offset. */
struct tail *tail_new(struct conn *conn, struct follow *follow, uint64_t id, int fd,
		      uint64_t offset, uint64_t last, bool following, const char *run);
void tail_free(struct tail *tail);

/* Sends what there is and what the connection has room for. To be called after tail_new, and when
 * the connection has drained. */
void tail_go_on(struct tail *tail);

/* The last reply is queued: to be freed. */
bool tail_is_done(const struct tail *tail);

#endif
