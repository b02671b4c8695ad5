/*
 * feed_hear.c - from datagrams and pulled frames to events.
 *
 *	datagram --> open --> frame --+--> chain --proved--> told before? --> items --> feed_next
 *	                      head  --+      ^
 *	                        |            |
 *	            no certificate, no position: early, until both are there
 */
#include "client/monitor/feed_inside.h"

#include "client/say.h"
#include "proto/budget.h"
#include "proto/datagram.h"

#include <string.h>

/* ---- what is proved ---- */

static void deliver_frame(struct feed *feed, struct feed_log *log, const struct frame *frame)
{
	Chime__Events *events = (Chime__Events *)budget_unpack(&chime__events__descriptor,
							       frame->body, frame->body_len);

	for (size_t i = 0; events && i < events->n_event && i < frame->count; i++)
		feed_put_event(feed, log, frame->lineage, frame->first_seq + i,
			       events->event[i].data, events->event[i].len);
	if (!events)
		feed->count[FEED_EVENTS_UNREADABLE] += frame->count;
	chime__events__free_unpacked(events, NULL);
	(void)feed_tell(log, frame->lineage, frame_last_seq(frame));
}

/* Whether anything was delivered. */
static bool drain(struct feed *feed, struct feed_log *log)
{
	struct chain_delivery delivery;
	bool any = false;

	while (log->has_position && chain_take(&log->chain, &delivery)) {
		deliver_frame(feed, log, &delivery.frame);
		chain_delivery_fini(&delivery);
		any = true;
	}
	if (any)
		log->fruitless = 0;
	return any;
}

/* ---- frames and heads ---- */

static void drop_first_early(struct feed *feed)
{
	struct feed_early *early = feed->early;

	feed->early = early->next;
	if (!feed->early)
		feed->early_tail = &feed->early;
	feed->early_count--;
	feed->early_bytes -= early->len;
	free(early);
}

/* What comes before its log can be judged is kept, for it may lie beyond the position. */
static void keep_early(struct feed *feed, struct feed_log *log, bool is_head, const void *raw,
		       size_t len, int64_t now_us)
{
	struct feed_early *early;

	while (feed->early && (feed->early_count >= FEED_EARLY_MAX ||
			       feed->early_bytes + len > FEED_EARLY_BYTES)) {
		feed->count[FEED_EARLY_DROPPED]++;
		drop_first_early(feed);
	}
	early = say_calloc(1, sizeof(*early) + len);
	log->was_early = true;
	early->log = log;
	early->is_head = is_head;
	early->heard_us = now_us;
	early->len = len;
	memcpy(early->raw, raw, len);
	*feed->early_tail = early;
	feed->early_tail = &early->next;
	feed->early_count++;
	feed->early_bytes += len;
	feed->count[FEED_EARLY]++;
}

/* Those of this log, in the order of their coming; the caller frees them. */
static struct feed_early *take_early(struct feed *feed, const struct feed_log *log)
{
	struct feed_early **at = &feed->early, *list = NULL, **tail = &list;

	while (*at) {
		struct feed_early *early = *at;

		if (early->log != log) {
			at = &early->next;
			continue;
		}
		*at = early->next;
		early->next = NULL;
		feed->early_count--;
		feed->early_bytes -= early->len;
		*tail = early;
		tail = &early->next;
	}
	feed->early_tail = at;
	return list;
}

void feed_drop_early(struct feed *feed, const struct feed_log *log)
{
	struct feed_early *list = take_early(feed, log);

	while (list) {
		struct feed_early *early = list;

		list = early->next;
		feed->count[FEED_EARLY_DROPPED]++;
		free(early);
	}
}

bool feed_group_brings(const struct feed_log *log, int64_t now_us)
{
	return log->has_position && log->key && log->heard_us &&
	       now_us - log->heard_us <= FEED_GROUP_US;
}

/* Lineages below the first position are of no interest, whoever repeats them. */
static bool is_past(const struct feed_log *log, struct lineage lineage)
{
	const struct chain *chain = &log->chain;

	for (size_t i = 0; i < chain->lineage_count; i++)
		if (chain->lineages[i].open)
			return lineage.boot < chain->lineages[i].lineage.boot;
	return false;
}

static void add_frame(struct feed *feed, struct feed_log *log, const struct frame *frame)
{
	if (is_past(log, frame->lineage)) {
		feed->count[FEED_FRAMES_PAST]++;
		return;
	}
	switch (chain_add_frame(&log->chain, frame, false)) {
	case CHAIN_NEW:
		feed->count[FEED_FRAMES_NEW]++;
		break;
	case CHAIN_DUPLICATE:
		feed->count[FEED_FRAMES_AGAIN]++;
		break;
	case CHAIN_TOO_FAR:
		feed->count[FEED_FRAMES_TOO_FAR]++;
		break;
	default:
		feed->count[FEED_FRAMES_NO_ROOM]++;
		break;
	}
}

static bool is_above(const struct feed_log *log, const struct head *head)
{
	return head->lineage.boot > log->boot ||
	       (head->lineage.boot == log->boot && head->counter > log->counter);
}

/* Was it signed about now? Else it may be a recording, of which nothing was heard yet. */
static bool is_of_now(const struct feed *feed, const struct head *head)
{
	return head->wall_us > feed->wall_us - FEED_SKEW_US &&
	       head->wall_us < feed->wall_us + FEED_SKEW_US;
}

/*
 * A head that was not heard before proves that its server lives, unless what is proved already is
 * ahead of it or its time is another one: then it was recorded earlier.
 */
static bool proves_life(const struct feed *feed, const struct feed_log *log,
			const struct head *head)
{
	const struct chain_lineage *newest = feed_newest_open(log);

	if (!is_above(log, head) || !is_of_now(feed, head))
		return false;
	return !newest || head->lineage.boot > newest->lineage.boot ||
	       (lineage_equal(head->lineage, newest->lineage) && head->seq >= newest->seq);
}

static void note_life(struct feed *feed, struct feed_log *log, const struct head *head,
		      int64_t heard_us)
{
	log->boot = head->lineage.boot;
	log->counter = head->counter;
	log->heard_us = heard_us;
	if (heard_us > feed->group_us)
		feed->group_us = heard_us;
	if (heard_us > feed->heard_us)
		feed->heard_us = heard_us;
	/* Who takes leave was heard, and is not there any more. */
	if (log->head_waits || head->flags & HEAD_GOODBYE)
		return;
	log->head_waits = true;
	log->next_head = NULL;
	*feed->heads_tail = log;
	feed->heads_tail = &log->next_head;
}

/* from_group: it was said just now, not repeated by somebody. */
static void add_head(struct feed *feed, struct feed_log *log, const struct head *head,
		     bool from_group, int64_t heard_us)
{
	const struct chain_lineage *l = chain_find_lineage(&log->chain, head->lineage);
	bool life = from_group && proves_life(feed, log, head);

	if (is_past(log, head->lineage)) {
		feed->count[FEED_HEADS_PAST]++;
		return;
	}
	/* What can tell nothing new is not worth the check of its signature. */
	if (!life && (head->seq == 0 || (l && l->open && head->seq <= l->seq))) {
		feed->count[FEED_HEADS_AGAIN]++;
		return;
	}
	if (head_verify(head, log->key) != HEAD_OK) {
		feed->count[FEED_HEADS_BAD]++;
		/* Perhaps its certificate is another one by now. */
		feed_plan_certificate(log, heard_us);
		return;
	}
	feed->count[FEED_HEADS_NEW]++;
	log->certificate_tries = 0;
	log->wants_certificate = false;
	if (life)
		note_life(feed, log, head, heard_us);
	(void)chain_add_head(&log->chain, head);
}

/* Whoever told a position has named a log; without its key all such logs share a bound. */
static bool has_room(const struct feed *feed, const struct feed_log *log)
{
	size_t bytes = 0;

	if (log->key)
		return true;
	for (const struct feed_log *l = feed->logs; l; l = l->hh.next)
		bytes += l->key ? 0 : l->chain.waiting_bytes;
	return bytes < FEED_KEYLESS_BYTES;
}

/* The log it is of, NULL when it is not to be read. only: of that log alone, NULL = of any. */
static struct feed_log *take_frame(struct feed *feed, const struct feed_log *only,
				   const void *raw, size_t len, int64_t now_us)
{
	struct feed_log *log;
	struct frame frame;

	if (frame_parse(raw, len, &frame) != FRAME_OK || frame.flags & FRAME_STUB ||
	    (only && strcmp(only->server, frame.origin) != 0)) {
		feed->count[FEED_MALFORMED]++;
		return NULL;
	}
	log = feed_mention_log(feed, frame.origin, now_us);
	if (!log)
		return NULL;
	if (!log->key)
		feed_plan_certificate(log, now_us);
	if (log->has_position && has_room(feed, log))
		add_frame(feed, log, &frame);
	else
		keep_early(feed, log, false, raw, len, now_us);
	return log;
}

static struct feed_log *take_head(struct feed *feed, const struct feed_log *only, const void *raw,
				  size_t len, int64_t now_us)
{
	struct feed_log *log;
	struct head head;

	if (head_parse(raw, len, feed->env_id, &head) != HEAD_OK ||
	    (only && strcmp(only->server, head.origin) != 0)) {
		feed->count[FEED_MALFORMED]++;
		return NULL;
	}
	log = feed_mention_log(feed, head.origin, now_us);
	if (!log)
		return NULL;
	if (!log->key)
		feed_plan_certificate(log, now_us);
	if (log->key && log->has_position)
		add_head(feed, log, &head, !only, now_us);
	else
		keep_early(feed, log, true, raw, len, now_us);
	return log;
}

static void settle(struct feed *feed, struct feed_log *log, int64_t now_us)
{
	(void)drain(feed, log);
	feed_plan(feed, log, now_us);
}

/* Every log of a datagram once, for one look may be long. A stranger has nothing to settle, and
 * only strangers are driven out, so that all in the list are there. */
static void settle_later(struct feed_log **list, struct feed_log *log)
{
	if (log->is_unsettled || feed_is_stranger(log))
		return;
	log->is_unsettled = true;
	log->next_unsettled = *list;
	*list = log;
}

void feed_replay_early(struct feed *feed, struct feed_log *log, int64_t now_us)
{
	struct feed_early *list = log->key && log->has_position ? take_early(feed, log) : NULL;

	while (list) {
		struct feed_early *early = list;
		struct frame frame;
		struct head head;

		list = early->next;
		if (!early->is_head && frame_parse(early->raw, early->len, &frame) == FRAME_OK)
			add_frame(feed, log, &frame);
		else if (early->is_head && head_parse(early->raw, early->len, feed->env_id,
						      &head) == HEAD_OK)
			add_head(feed, log, &head, true, early->heard_us);
		free(early);
	}
	settle(feed, log, now_us);
}

void feed_take_datagram(struct feed *feed, const void *data, size_t len, struct moment now)
{
	enum envelope_verdict verdict;
	struct feed_log *log, *unsettled = NULL;
	Chime__Datagram *d = datagram_open(&feed->keys, feed->env_id, data, len, NULL, &verdict);

	feed->now_us = now.boot_us;
	feed->wall_us = now.wall_us;
	feed->count[FEED_DATAGRAMS]++;
	if (verdict == ENVELOPE_UNKNOWN_KEY) {
		feed->count[FEED_UNKNOWN_KEY]++;
		feed->wants_bus = true;
	} else if (verdict != ENVELOPE_OK) {
		feed->count[FEED_NOT_OPENED]++;
	} else if (!d) {
		feed->count[FEED_MALFORMED]++;
	}
	for (size_t i = 0; d && i < d->n_frame + d->n_head; i++) {
		const ProtobufCBinaryData *raw = i < d->n_frame ? &d->frame[i] :
								  &d->head[i - d->n_frame];

		log = i < d->n_frame ? take_frame(feed, NULL, raw->data, raw->len, now.boot_us) :
				       take_head(feed, NULL, raw->data, raw->len, now.boot_us);
		if (log)
			settle_later(&unsettled, log);
	}
	while ((log = unsettled)) {
		unsettled = log->next_unsettled;
		log->is_unsettled = false;
		settle(feed, log, now.boot_us);
	}
	chime__datagram__free_unpacked(d, NULL);
}

void feed_take_pull(struct feed *feed, const char *origin, const Chime__PullReply *reply,
		    struct moment now)
{
	struct feed_log *log = feed_find_log(feed, origin);
	bool any;

	feed->now_us = now.boot_us;
	feed->wall_us = now.wall_us;
	if (!log)
		return;
	log->pulled_at_us = 0;
	if (!reply) {
		if (log->pull_at_us)
			log->pull_at_us = now.boot_us + FEED_ASK_US;
		return;
	}
	feed->count[FEED_PULLS]++;
	if (!log->key && reply->has_certificate)
		(void)feed_take_certificate(feed, origin, reply->certificate.data,
					    reply->certificate.len, now);
	for (size_t i = 0; i < reply->n_frame; i++)
		(void)take_frame(feed, log, reply->frame[i].data, reply->frame[i].len,
				 now.boot_us);
	any = drain(feed, log);
	/* A chain keeps few heads, and an answer over several lineages brings more. */
	for (size_t i = 0; i < reply->n_head; i++) {
		(void)take_head(feed, log, reply->head[i].data, reply->head[i].len, now.boot_us);
		any |= drain(feed, log);
	}
	if (!any && log->pull_at_us) {
		feed->count[FEED_PULLS_FRUITLESS]++;
		log->pull_at_us = now.boot_us + feed_backoff_us(log->fruitless++);
		/* It was answered twice and leads nowhere: a branch whose beginning I never saw,
		 * or nobody has it any more. */
		log->wants_jobs = log->wants_jobs || log->fruitless >= 2;
	} else if (log->pull_at_us) {
		log->pull_at_us = now.boot_us;
	}
	feed_plan(feed, log, now.boot_us);
}
