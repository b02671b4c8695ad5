/*
 * keeper.h - keeps the book up to date: what is asked of the server of the link, and when.
 *
 *	link up      how to hear the group, all jobs with positions, servers, the newest events
 *	an event     changed its row: that job and who waits for it are asked again, at most
 *	             4 times a second
 *	2 s          servers; 60 s: all jobs, for what no event tells (next starts)
 *	a gap        the missing part of that log (feed.h)
 *	no group     heard for KEEPER_STREAM_US: a stream of events from the server, until it is
 *
 * Gives orders and is told what became of them: no thread, no socket, the clock of the caller.
 */
#ifndef CHIME_CLIENT_MONITOR_KEEPER_H
#define CHIME_CLIENT_MONITOR_KEEPER_H

#include "client/monitor/book.h"
#include "client/monitor/courier.h"
#include "client/monitor/feed.h"
#include "client/monitor/moment.h"

enum {
	KEEPER_REFRESH_US = 250000,
	KEEPER_REFRESH_MAX = 500,	/* more jobs than this: all of them */
	KEEPER_SERVERS_US = 2000000,
	KEEPER_JOBS_US = 60000000,
	KEEPER_STREAM_US = 3500000,
	KEEPER_TIMEOUT_US = 5000000,	/* for each part of an answer */
	KEEPER_ANSWER_US = 30000000,	/* for all of them */
	KEEPER_EVENTS = 300,		/* asked once, for the events view */
};

/* Every order of the keeper has this bit in its tag; nobody else's has. */
#define KEEPER_TAG (UINT64_C(1) << 63)

enum keeper_ask {
	KEEPER_BUS, KEEPER_JOBS, KEEPER_EVENTS_ONCE, KEEPER_SERVERS, KEEPER_REFRESH, KEEPER_PULL,
	KEEPER_CERTIFICATE, KEEPER_ASK_COUNT
};

struct keeper {
	struct book *book;		/* borrowed */
	struct feed *feed;		/* borrowed; NULL until the link was up once */
	bool up;
	uint64_t next_tag;
	/* what is under way by the link's courier: one of each kind; 0 = none */
	uint64_t tag[KEEPER_ASK_COUNT];
	int64_t asked_us[KEEPER_ASK_COUNT];	/* boot: when it was asked last */
	bool want[KEEPER_ASK_COUNT];
	char pulled[FRAME_ORIGIN_SIZE], certified[FRAME_ORIGIN_SIZE];
	bool part_open;			/* parts of an answer about jobs are being added */
	bool events_known;
	/* the stream */
	uint64_t stream_tag;		/* of the following order; 0 = none */
	int64_t group_us;		/* boot: since when the group is (not) heard */
	bool group_heard;
	bool streaming;			/* its first answer is there */
	/* what came */
	Chime__BusReply *bus;		/* newest, owned; to be looked at by the loop */
	bool bus_changed;
	int64_t answered_us;		/* boot: the last answer */
};

void keeper_init(struct keeper *keeper, struct book *book);
void keeper_fini(struct keeper *keeper);

/* The link came up (with the feed of its environment), or was lost. */
void keeper_link_up(struct keeper *keeper, struct feed *feed, struct moment now);
void keeper_link_down(struct keeper *keeper);

/* Somebody wants to be sure: jobs and servers are asked for now. */
void keeper_ask_again(struct keeper *keeper);

/* The next order for the link's courier, NULL = none now. */
struct order *keeper_next_order(struct keeper *keeper, struct moment now);

/* What is to be done about the stream: an order for the stream's courier (*stop = 0), or the tag
 * of the one to be stopped, or neither. */
struct order *keeper_stream(struct keeper *keeper, struct moment now, uint64_t *stop);

/* A letter with KEEPER_TAG; letters of orders that are forgotten change nothing. True: the
 * connection broke (`letter->trouble` says why). */
bool keeper_take_letter(struct keeper *keeper, const struct letter *letter, struct moment now);

/* Moves what the feed has into the book. */
void keeper_take_feed(struct keeper *keeper, struct moment now);

/* When keeper_next_order or keeper_stream may have one by time alone. */
int64_t keeper_due_us(const struct keeper *keeper, struct moment now);

#endif
