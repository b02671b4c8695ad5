/*
 * feed.h - what is heard of the servers' logs, in order and verified: the datagrams of the group,
 * what was pulled because they were lost, or, off the LAN, the stream of one server.
 *
 * Opening, signatures and chains are those of chimed (proto/envelope, head, chain); this file only
 * puts them together for somebody who stores nothing and starts in the middle:
 *
 *	position of each log from a server's answer -> chain_load -> frames and heads from there on
 *
 * Invariants
 * 1. From the group, an event comes out only when chain.h proves it: contiguous, hash-linked,
 *    covered by a head signed with the certificate of its origin.
 * 2. Each event comes out once, in the order of its log, whichever way it came; a position that
 *    was told never moves back.
 * 3. Everything of others is bounded: FEED_SERVERS_MAX logs, the waiting room of each chain, one
 *    question for a stranger's certificate per FEED_ASK_US.
 * 4. What is missing is known by name: feed_missing().
 *
 * Pure: no I/O, no clock; time is a parameter.
 */
#ifndef CHIME_CLIENT_MONITOR_FEED_H
#define CHIME_CLIENT_MONITOR_FEED_H

#include "client/monitor/moment.h"
#include "proto/control.pb-c.h"
#include "proto/frame.h"
#include "proto/head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FEED_SERVERS_MAX = 4096,
	FEED_GUARD_US = 30000,		/* reorder: how long a gap may be before it is pulled */
	FEED_ASK_US = 1000000,		/* least time between two questions about one log, but for
					 * the next part of what an answer began */
	FEED_PULL_MAX = 20000,		/* a gap of more events than this is skipped by a new look
					 * at the jobs, and told */
	FEED_GROUP_US = 3500000,	/* a head within this: the group is heard */
};

struct identity;
struct feed;

/* identity: judges certificates; NULL = they are believed because they came over the local
 * socket, from this machine's own daemon. env_id: 16 bytes, of the server's HELLO. */
struct feed *feed_new(const uint8_t *env_id, const struct identity *identity);
/* NULL is allowed. */
void feed_free(struct feed *feed);

/* How to hear: keys and certificates. Keys that are there already stay. */
void feed_take_bus(struct feed *feed, const Chime__BusReply *reply, struct moment now);
/* False when it is refused (another name, not signed by my CA, no server). */
bool feed_take_certificate(struct feed *feed, const char *server, const void *der, size_t len,
			   struct moment now);

/* From where: what an answer about all jobs was built on. A position behind what came out already
 * changes nothing; one ahead of it moves there, what lies between is told by the answer itself and
 * counted, unless the group brings that log and it is a little ahead only: what lies between then
 * still comes out. */
void feed_take_positions(struct feed *feed, Chime__Position *const *position, size_t count);

/* A datagram of the group. */
void feed_take_datagram(struct feed *feed, const void *data, size_t len, struct moment now);

/* The answer to a pull of this log; NULL = it failed, it is asked again later. */
void feed_take_pull(struct feed *feed, const char *origin, const Chime__PullReply *reply,
		    struct moment now);

/* Events of a server that was asked to stream them: believed as that server is. A hole in the
 * numbers of a log asks for FEED_WANT_JOBS. */
void feed_take_stream(struct feed *feed, const Chime__EventsReply *reply, struct moment now);

/* The next event that came out, false = none. Valid until the next call of any function here. */
struct feed_event {
	const char *origin;
	struct lineage lineage;
	uint64_t seq;
	Chime__Event *event;
	bool history;			/* of a lineage that is over */
};
bool feed_next(struct feed *feed, struct feed_event *out);

/* Servers whose verified head was heard from the group since the last call and does not say
 * goodbye; false = no more. Each head counts once, and none that is older than what is proved. */
bool feed_next_head(struct feed *feed, const char **server);

/* What must be asked of a server now; each is told once and again after a while if it still
 * applies. */
enum feed_want_kind {
	FEED_WANT_NOTHING,
	FEED_WANT_PULL,			/* the log of `server`, from `have` on */
	FEED_WANT_CERTIFICATE,		/* of `server` */
	FEED_WANT_BUS,			/* a key id that is not known was heard */
	FEED_WANT_JOBS,			/* too much is missing: all jobs anew, with positions */
};
struct feed_want {
	enum feed_want_kind kind;
	char server[FRAME_ORIGIN_SIZE];
	struct lineage have_lineage[4];
	uint64_t have_seq[4];
	size_t have_count;
};
bool feed_want(struct feed *feed, struct moment now, struct feed_want *out);

/* When feed_want() may have something to say without anything being heard; INT64_MAX = never. */
int64_t feed_due_us(const struct feed *feed);

/* Is the group heard: a verified head within FEED_GROUP_US? */
bool feed_hears_group(const struct feed *feed, struct moment now);
/* Boot time of the last verified head or streamed event; 0 = never. */
int64_t feed_heard_us(const struct feed *feed);

/* A log of which something is known to be missing, and was asked for: how many events at least.
 * False = no more (i counts them from 0). */
bool feed_missing(const struct feed *feed, size_t i, const char **server, uint64_t *count);

/* What happened to datagrams: "datagrams", "not opened", ... for the servers view; NULL = no
 * more. */
const char *feed_counter(const struct feed *feed, size_t i, uint64_t *value);

#endif
