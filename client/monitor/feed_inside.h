/*
 * feed_inside.h - what the files of the feed share: the logs, what came out, what is counted.
 *
 *	feed.c		the logs, what came out of them, counters
 *	feed_known.c	keys, certificates, positions
 *	feed_hear.c	datagrams, pulls: frames and heads, to what is proved
 *	feed_stream.c	events of a stream
 *	feed_want.c	what is missing, and when it is asked for
 */
#ifndef CHIME_CLIENT_MONITOR_FEED_INSIDE_H
#define CHIME_CLIENT_MONITOR_FEED_INSIDE_H

#include "client/monitor/feed.h"
#include "proto/chain.h"

#define uthash_fatal(msg) abort()
#include <stdlib.h>
#include <uthash.h>

enum {
	FEED_TOLD_MAX = 8,		/* lineages of a log whose end is known */
	FEED_EARLY_MAX = 1024,		/* frames and heads that wait to be judged */
	FEED_EARLY_BYTES = 1 << 20,
	FEED_KEYLESS_BYTES = 16 << 20,	/* in chains of logs without certificate, all of them */
	FEED_SKEW_US = 120000000,	/* a head whose time is farther off proves no life */
	FEED_ANSWER_US = 5000000,	/* a question without answer is asked again after this */
	FEED_TRIES_MAX = 4,		/* FEED_ASK_US << this: the longest back-off */
};

enum feed_count {
	FEED_DATAGRAMS,
	FEED_NOT_OPENED,
	FEED_UNKNOWN_KEY,
	FEED_MALFORMED,
	FEED_FRAMES_NEW,
	FEED_FRAMES_AGAIN,
	FEED_FRAMES_TOO_FAR,
	FEED_FRAMES_NO_ROOM,
	FEED_FRAMES_PAST,
	FEED_HEADS_NEW,
	FEED_HEADS_AGAIN,
	FEED_HEADS_PAST,
	FEED_HEADS_BAD,
	FEED_EARLY,
	FEED_EARLY_DROPPED,
	FEED_STRANGERS,
	FEED_CERTIFICATES_REFUSED,
	FEED_EVENTS,
	FEED_EVENTS_AGAIN,
	FEED_EVENTS_UNREADABLE,
	FEED_EVENTS_SKIPPED,
	FEED_STREAM_HOLES,
	FEED_STREAM_AHEAD,
	FEED_PULLS,
	FEED_PULLS_FRUITLESS,
	FEED_COUNT_COUNT
};

struct feed_place {
	struct lineage lineage;
	uint64_t seq;
};

/* The log of one server. */
struct feed_log {
	UT_hash_handle hh;
	char server[FRAME_ORIGIN_SIZE];
	struct pubkey *key;		/* NULL: its heads cannot be judged */
	uint8_t *certificate;
	size_t certificate_len;
	struct chain chain;		/* what is proved */
	bool was_early;			/* something of it was kept as struct feed_early */
	bool has_position;		/* the chain has a beginning; else it is not asked */
	struct feed_place told[FEED_TOLD_MAX];	/* what came out; ascending by boot */
	size_t told_count;
	uint64_t boot, counter;		/* of the newest verified head that was heard */
	int64_t heard_us;		/* when; 0 = never */
	bool head_waits;		/* for feed_next_head */
	struct feed_log *next_head;
	bool is_unsettled;		/* while a datagram is taken in */
	struct feed_log *next_unsettled;
	int64_t mentioned_us;
	/* missing */
	int64_t pull_at_us;		/* 0 = nothing is missing */
	bool asked;			/* since something is missing */
	int64_t pulled_at_us;		/* the last question, 0 = it was answered */
	unsigned fruitless;		/* answers in a row that brought nothing */
	bool wants_jobs;
	bool wants_certificate;
	int64_t certificate_at_us;
	unsigned certificate_tries;
	/* a stream left something out: up to there */
	bool has_hole;
	struct feed_place hole;
	uint64_t hole_count;
};

/* A frame or a head of a log without certificate or position. */
struct feed_early {
	struct feed_early *next;
	struct feed_log *log;
	bool is_head;
	int64_t heard_us;
	size_t len;
	uint8_t raw[];
};

/* An event that came out. */
struct feed_item {
	struct feed_item *next;
	struct feed_log *log;
	struct feed_place place;
	bool history;
	size_t len;
	uint8_t bytes[];
};

struct feed {
	uint8_t env_id[ENVIRONMENT_ID_SIZE];
	const struct identity *identity;
	struct keyring keys;
	struct feed_log *logs;
	struct feed_early *early, **early_tail;
	size_t early_count, early_bytes;
	struct feed_item *items, **items_tail;
	Chime__Event *event;		/* of the item told last, with it */
	struct feed_item *item;
	struct feed_log *heads, **heads_tail;
	int64_t group_us;		/* the last head of the group that counted */
	int64_t heard_us;
	bool has_positions;
	int64_t now_us;			/* boot clock, as told last */
	int64_t wall_us;		/* wall clock, the same */
	bool wants_bus;
	int64_t bus_at_us;
	unsigned bus_tries;
	int64_t jobs_since_us;		/* wanted for the first time */
	int64_t jobs_asked_us;		/* asked last; 0 = never */
	unsigned jobs_tries;
	int64_t stranger_at_us;
	uint64_t count[FEED_COUNT_COUNT];
};

/* NULL when it is not known. */
struct feed_log *feed_find_log(const struct feed *feed, const char *server);
/* Made when it is new; NULL when there is no room, or the name is none. */
struct feed_log *feed_mention_log(struct feed *feed, const char *server, int64_t now_us);

/* Of it nothing is known but the name, and that from anybody who has the key of the group. */
bool feed_is_stranger(const struct feed_log *log);

/* The newest lineage of which something came out; NULL = none yet. */
const struct feed_place *feed_newest_told(const struct feed_log *log);
/* How far that lineage was told; 0 = nothing of it. */
uint64_t feed_told_seq(const struct feed_log *log, struct lineage lineage);
/* Moves it forward, never back. False when so old a lineage has no place any more. */
bool feed_tell(struct feed_log *log, struct lineage lineage, uint64_t seq);

/* Puts an event that comes next behind those that came out. */
void feed_put_event(struct feed *feed, struct feed_log *log, struct lineage lineage, uint64_t seq,
		    const void *bytes, size_t len);

/* The newest lineage of the chain that has a position; NULL = none. */
const struct chain_lineage *feed_newest_open(const struct feed_log *log);

/* Once a log has both certificate and position: what was heard of it before; else nothing. */
void feed_replay_early(struct feed *feed, struct feed_log *log, int64_t now_us);
void feed_drop_early(struct feed *feed, const struct feed_log *log);

/* Is this log heard from the group, so that whatever is missing of it will be proved? */
bool feed_group_brings(const struct feed_log *log, int64_t now_us);

/* Looks at what is missing after anything changed, and plans the question. */
void feed_plan(struct feed *feed, struct feed_log *log, int64_t now_us);

/* A server was heard that cannot be judged by a certificate that is here. */
void feed_plan_certificate(struct feed_log *log, int64_t now_us);

/* FEED_ASK_US, doubled with every try. */
int64_t feed_backoff_us(unsigned tries);

/* Does any log still want all jobs anew? */
bool feed_wants_jobs(const struct feed *feed);

#endif
