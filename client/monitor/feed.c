/*
 * feed.c - the logs and what came out of them; see feed.h and feed_inside.h.
 */
#include "client/monitor/feed_inside.h"

#include "client/say.h"
#include "proto/budget.h"
#include "proto/names.h"

#include <stdio.h>
#include <string.h>

struct feed *feed_new(const uint8_t *env_id, const struct identity *identity)
{
	struct feed *feed = say_calloc(1, sizeof(*feed));

	memcpy(feed->env_id, env_id, sizeof(feed->env_id));
	feed->identity = identity;
	feed->early_tail = &feed->early;
	feed->items_tail = &feed->items;
	feed->heads_tail = &feed->heads;
	return feed;
}

static void free_log(struct feed *feed, struct feed_log *log)
{
	HASH_DEL(feed->logs, log);
	chain_fini(&log->chain);
	pubkey_free(log->key);
	free(log->certificate);
	free(log);
}

static void free_current(struct feed *feed)
{
	chime__event__free_unpacked(feed->event, NULL);
	free(feed->item);
	feed->event = NULL;
	feed->item = NULL;
}

void feed_free(struct feed *feed)
{
	struct feed_log *log, *next;

	if (!feed)
		return;
	free_current(feed);
	while (feed->items) {
		struct feed_item *item = feed->items;

		feed->items = item->next;
		free(item);
	}
	while (feed->early) {
		struct feed_early *early = feed->early;

		feed->early = early->next;
		free(early);
	}
	HASH_ITER(hh, feed->logs, log, next)
		free_log(feed, log);
	keyring_fini(&feed->keys);
	free(feed);
}

/* ---- logs ---- */

struct feed_log *feed_find_log(const struct feed *feed, const char *server)
{
	struct feed_log *log;

	HASH_FIND_STR(feed->logs, server, log);
	return log;
}

bool feed_is_stranger(const struct feed_log *log)
{
	return !log->key && !log->has_position && !log->told_count;
}

static bool evict_stranger(struct feed *feed)
{
	struct feed_log *oldest = NULL;

	for (struct feed_log *log = feed->logs; log; log = log->hh.next)
		if (feed_is_stranger(log) && (!oldest || log->mentioned_us < oldest->mentioned_us))
			oldest = log;
	if (!oldest)
		return false;
	feed_drop_early(feed, oldest);
	free_log(feed, oldest);
	return true;
}

struct feed_log *feed_mention_log(struct feed *feed, const char *server, int64_t now_us)
{
	struct feed_log *log;

	if (!server || !name_server_valid(server, NULL))
		return NULL;
	log = feed_find_log(feed, server);
	if (log)
		return log;
	if (HASH_COUNT(feed->logs) >= FEED_SERVERS_MAX && !evict_stranger(feed)) {
		feed->count[FEED_STRANGERS]++;
		return NULL;
	}
	log = say_calloc(1, sizeof(*log));
	snprintf(log->server, sizeof(log->server), "%s", server);
	chain_init(&log->chain, server, feed->env_id);
	log->mentioned_us = now_us;
	HASH_ADD_STR(feed->logs, server, log);
	return log;
}

const struct chain_lineage *feed_newest_open(const struct feed_log *log)
{
	for (size_t i = log->chain.lineage_count; i-- > 0;)
		if (log->chain.lineages[i].open)
			return &log->chain.lineages[i];
	return NULL;
}

/* ---- what came out ---- */

const struct feed_place *feed_newest_told(const struct feed_log *log)
{
	return log->told_count ? &log->told[log->told_count - 1] : NULL;
}

static struct feed_place *find_told(struct feed_log *log, struct lineage lineage)
{
	for (size_t i = log->told_count; i-- > 0;)
		if (lineage_equal(log->told[i].lineage, lineage))
			return &log->told[i];
	return NULL;
}

uint64_t feed_told_seq(const struct feed_log *log, struct lineage lineage)
{
	for (size_t i = log->told_count; i-- > 0;)
		if (lineage_equal(log->told[i].lineage, lineage))
			return log->told[i].seq;
	return 0;
}

bool feed_tell(struct feed_log *log, struct lineage lineage, uint64_t seq)
{
	struct feed_place *place = find_told(log, lineage);
	size_t at;

	if (place) {
		if (seq > place->seq)
			place->seq = seq;
		return true;
	}
	if (log->told_count == FEED_TOLD_MAX) {
		if (lineage.boot < log->told[0].lineage.boot)
			return false;
		memmove(&log->told[0], &log->told[1], (FEED_TOLD_MAX - 1) * sizeof(log->told[0]));
		log->told_count--;
	}
	for (at = log->told_count; at > 0 && lineage.boot < log->told[at - 1].lineage.boot; at--)
		log->told[at] = log->told[at - 1];
	log->told[at] = (struct feed_place){ lineage, seq };
	log->told_count++;
	return true;
}

void feed_put_event(struct feed *feed, struct feed_log *log, struct lineage lineage, uint64_t seq,
		    const void *bytes, size_t len)
{
	struct feed_item *item;

	if (seq <= feed_told_seq(log, lineage) || !feed_tell(log, lineage, seq)) {
		feed->count[FEED_EVENTS_AGAIN]++;
		return;
	}
	item = say_calloc(1, sizeof(*item) + len);
	item->log = log;
	item->place = (struct feed_place){ lineage, seq };
	item->history = lineage.boot < feed_newest_told(log)->lineage.boot;
	item->len = len;
	memcpy(item->bytes, bytes, len);
	*feed->items_tail = item;
	feed->items_tail = &item->next;
}

bool feed_next(struct feed *feed, struct feed_event *out)
{
	free_current(feed);
	while (feed->items) {
		struct feed_item *item = feed->items;

		feed->items = item->next;
		if (!feed->items)
			feed->items_tail = &feed->items;
		feed->item = item;
		feed->event = (Chime__Event *)budget_unpack(&chime__event__descriptor,
							    item->bytes, item->len);
		if (feed->event) {
			feed->count[FEED_EVENTS]++;
			*out = (struct feed_event){
				.origin = item->log->server, .lineage = item->place.lineage,
				.seq = item->place.seq, .event = feed->event,
				.history = item->history,
			};
			return true;
		}
		feed->count[FEED_EVENTS_UNREADABLE]++;
		free_current(feed);
	}
	return false;
}

bool feed_next_head(struct feed *feed, const char **server)
{
	struct feed_log *log = feed->heads;

	if (!log)
		return false;
	feed->heads = log->next_head;
	if (!feed->heads)
		feed->heads_tail = &feed->heads;
	log->head_waits = false;
	*server = log->server;
	return true;
}

/* ---- what is told about it ---- */

bool feed_hears_group(const struct feed *feed, struct moment now)
{
	return feed->group_us && now.boot_us - feed->group_us <= FEED_GROUP_US;
}

int64_t feed_heard_us(const struct feed *feed)
{
	return feed->heard_us;
}

const char *feed_counter(const struct feed *feed, size_t i, uint64_t *value)
{
	static const char *const names[] = {
		[FEED_DATAGRAMS] = "datagrams",
		[FEED_NOT_OPENED] = "not opened",
		[FEED_UNKNOWN_KEY] = "under an unknown key",
		[FEED_MALFORMED] = "malformed",
		[FEED_FRAMES_NEW] = "frames",
		[FEED_FRAMES_AGAIN] = "frames heard before",
		[FEED_FRAMES_TOO_FAR] = "frames too far ahead",
		[FEED_FRAMES_NO_ROOM] = "frames without room",
		[FEED_FRAMES_PAST] = "frames of the past",
		[FEED_HEADS_NEW] = "heads",
		[FEED_HEADS_AGAIN] = "heads heard before",
		[FEED_HEADS_PAST] = "heads of the past",
		[FEED_HEADS_BAD] = "heads with a bad signature",
		[FEED_EARLY] = "kept until they can be judged",
		[FEED_EARLY_DROPPED] = "dropped before they could be judged",
		[FEED_STRANGERS] = "of servers too many",
		[FEED_CERTIFICATES_REFUSED] = "certificates refused",
		[FEED_EVENTS] = "events",
		[FEED_EVENTS_AGAIN] = "events heard before",
		[FEED_EVENTS_UNREADABLE] = "events that cannot be read",
		[FEED_EVENTS_SKIPPED] = "events told by an answer only",
		[FEED_STREAM_HOLES] = "holes in the stream",
		[FEED_STREAM_AHEAD] = "streamed ahead of the group",
		[FEED_PULLS] = "pulls answered",
		[FEED_PULLS_FRUITLESS] = "pulls that brought nothing",
	};

	_Static_assert(sizeof(names) / sizeof(*names) == FEED_COUNT_COUNT, "a name each");
	if (i >= FEED_COUNT_COUNT)
		return NULL;
	*value = feed->count[i];
	return names[i];
}
