/*
 * feed_stream.c - events as a server streams them: numbered, so that it is seen when some are
 * missing or were heard already, and believed as that server is.
 */
#include "client/monitor/feed_inside.h"

#include "proto/budget.h"

#include <string.h>

/* A lineage begins at any number by design; its first event says what came before it. */
static bool opens_after(const struct feed_log *log, const Chime__EventRow *row)
{
	const struct feed_place *newest = feed_newest_told(log);
	Chime__Event *event = (Chime__Event *)budget_unpack(&chime__event__descriptor,
							    row->event.data, row->event.len);
	const Chime__ServerUp *up = event && event->body_case == CHIME__EVENT__BODY_SERVER_UP ?
					    event->server_up : NULL;
	bool after = up != NULL;

	if (up && up->parent && newest)
		after = newest->lineage.boot == up->parent->boot &&
			newest->lineage.tag == up->parent->tag && newest->seq >= up->parent_seq;
	else if (up && up->parent)
		after = false;
	chime__event__free_unpacked(event, NULL);
	return after;
}

static bool follows(const struct feed_log *log, const Chime__EventRow *row, struct lineage lineage)
{
	uint64_t told = feed_told_seq(log, lineage);
	const struct feed_place *newest = feed_newest_told(log);

	if (told)
		return row->seq == told + 1;
	/* Of an older lineage, a branch: where it begins is no matter. */
	if (newest && lineage.boot < newest->lineage.boot)
		return true;
	return opens_after(log, row);
}

static void note_hole(struct feed *feed, struct feed_log *log, struct lineage lineage,
		      uint64_t seq)
{
	uint64_t told = feed_told_seq(log, lineage);

	feed->count[FEED_STREAM_HOLES]++;
	log->has_hole = true;
	log->hole = (struct feed_place){ lineage, seq - 1 };
	log->hole_count += told ? seq - told - 1 : 1;
}

static void take_row(struct feed *feed, const Chime__EventRow *row, int64_t now_us)
{
	struct feed_log *log;
	struct lineage lineage;

	if (!row->lineage || !row->seq || row->seq > FRAME_SEQ_MAX || !row->has_event)
		goto malformed;
	log = feed_mention_log(feed, row->origin, now_us);
	if (!log)
		goto malformed;
	lineage = (struct lineage){ row->lineage->boot, row->lineage->tag };
	if (row->seq > feed_told_seq(log, lineage) && !follows(log, row, lineage)) {
		/* The group closes the hole by proof; that needs no trust in anybody. */
		if (feed_group_brings(log, now_us)) {
			feed->count[FEED_STREAM_AHEAD]++;
			return;
		}
		note_hole(feed, log, lineage, row->seq);
	}
	feed_put_event(feed, log, lineage, row->seq, row->event.data, row->event.len);
	feed_plan(feed, log, now_us);
	return;
malformed:
	feed->count[FEED_MALFORMED]++;
}

void feed_take_stream(struct feed *feed, const Chime__EventsReply *reply, struct moment now)
{
	feed->now_us = now.boot_us;
	for (size_t i = 0; i < reply->n_event; i++)
		take_row(feed, reply->event[i], now.boot_us);
	if (reply->n_event)
		feed->heard_us = now.boot_us;
}
