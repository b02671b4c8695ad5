/*
 * feed_known.c - what servers tell so that the group can be heard: keys, certificates, and the
 * positions from which logs go on.
 */
#include "client/monitor/feed_inside.h"

#include "client/say.h"
#include "proto/identity.h"
#include "proto/names.h"

#include <errno.h>
#include <string.h>

/* ---- keys and certificates ---- */

static void set_certificate(struct feed_log *log, struct pubkey *key, const void *der, size_t len)
{
	pubkey_free(log->key);
	log->key = key;
	free(log->certificate);
	log->certificate = say_calloc(1, len);
	memcpy(log->certificate, der, len);
	log->certificate_len = len;
}

static bool certificate_is_good(const struct feed *feed, const char *server, const void *der,
				size_t len, int64_t wall_us)
{
	char why[IDENTITY_WHY_SIZE];
	struct name_id who;

	if (!feed->identity)
		return len <= IDENTITY_DER_MAX;
	return identity_judge(feed->identity, der, len, wall_us / 1000000, &who, why,
			      sizeof(why)) == IDENTITY_OK &&
	       who.role == ROLE_SERVER && strcmp(who.name, server) == 0;
}

bool feed_take_certificate(struct feed *feed, const char *server, const void *der, size_t len,
			   struct moment now)
{
	struct feed_log *log;
	struct pubkey *key;

	feed->now_us = now.boot_us;
	feed->wall_us = now.wall_us;
	if (!name_server_valid(server, NULL) || !len ||
	    !certificate_is_good(feed, server, der, len, now.wall_us))
		goto refused;
	log = feed_mention_log(feed, server, now.boot_us);
	if (!log)
		return false;
	if (log->certificate_len == len && memcmp(log->certificate, der, len) == 0)
		return true;
	key = pubkey_of_certificate(der, len);
	if (!key)
		goto refused;
	set_certificate(log, key, der, len);
	log->wants_certificate = false;
	feed_replay_early(feed, log, now.boot_us);
	return true;
refused:
	feed->count[FEED_CERTIFICATES_REFUSED]++;
	return false;
}

static bool reply_has_key(const Chime__BusReply *reply, const uint8_t *bytes)
{
	for (size_t i = 0; i < reply->n_key; i++)
		if (reply->key[i].len == BUSKEY_SIZE &&
		    memcmp(reply->key[i].data, bytes, BUSKEY_SIZE) == 0)
			return true;
	return false;
}

/* True when it is new. Keys that are there stay as long as there is room. */
static bool take_key(struct feed *feed, const Chime__BusReply *reply, const uint8_t *bytes)
{
	struct keyring *ring = &feed->keys;
	size_t before = ring->count;
	int rc = keyring_add(ring, bytes);

	if (rc == -EEXIST) {
		keyring_remove(ring, buskey_id_of(bytes));
		return keyring_add(ring, bytes) == 0;
	}
	for (size_t i = 0; rc == -ENOSPC && i < ring->count; i++) {
		if (reply_has_key(reply, ring->keys[i].bytes))
			continue;
		keyring_remove(ring, ring->keys[i].id);
		return keyring_add(ring, bytes) == 0;
	}
	return rc == 0 && ring->count > before;
}

void feed_take_bus(struct feed *feed, const Chime__BusReply *reply, struct moment now)
{
	bool new_key = false;

	for (size_t i = 0; i < reply->n_key; i++)
		if (reply->key[i].len == BUSKEY_SIZE)
			new_key |= take_key(feed, reply, reply->key[i].data);
	feed->wants_bus = false;
	if (new_key)
		feed->bus_tries = 0;
	for (size_t i = 0; i < reply->n_member; i++) {
		const Chime__BusMember *member = reply->member[i];

		if (member->server && member->has_certificate)
			(void)feed_take_certificate(feed, member->server, member->certificate.data,
						    member->certificate.len, now);
	}
}

/* ---- positions ---- */

static bool lies_ahead(const struct feed_log *log, struct lineage lineage, uint64_t seq)
{
	const struct chain_lineage *newest = feed_newest_open(log);
	const struct chain_lineage *l = chain_find_lineage(&log->chain, lineage);

	if (!newest)
		return true;
	if (l && l->open)
		return seq > l->seq && lineage.boot >= newest->lineage.boot;
	return lineage.boot > newest->lineage.boot ||
	       (lineage.boot == newest->lineage.boot && lineage.tag > newest->lineage.tag);
}

/* A little ahead of what the group will bring at once: then that comes out as ever. */
static bool comes_anyway(const struct feed_log *log, struct lineage lineage, uint64_t seq,
			 int64_t now_us)
{
	const struct chain_lineage *l = chain_find_lineage(&log->chain, lineage);

	return feed_group_brings(log, now_us) && !log->wants_jobs && l && l->open &&
	       seq - l->seq <= FEED_PULL_MAX;
}

/* The answer tells what I did not: counted, for the events view will lack it. */
static void move_told(struct feed *feed, struct feed_log *log, struct lineage lineage, uint64_t seq)
{
	const struct feed_place *newest = feed_newest_told(log);
	uint64_t told = feed_told_seq(log, lineage);

	if (newest && lineage.boot < newest->lineage.boot)
		return;
	if (newest && seq > told)
		feed->count[FEED_EVENTS_SKIPPED] += told ? seq - told : 1;
	(void)feed_tell(log, lineage, seq);
}

static void fill_hole(struct feed_log *log, struct lineage lineage, uint64_t seq)
{
	if (!log->has_hole || lineage.boot < log->hole.lineage.boot)
		return;
	if (lineage.boot > log->hole.lineage.boot || seq >= log->hole.seq) {
		log->has_hole = false;
		log->hole_count = 0;
	} else if (log->hole.seq - seq > log->hole_count) {
		log->hole_count = log->hole.seq - seq;
	}
}

static void take_position(struct feed *feed, const Chime__Position *p, int64_t now_us)
{
	struct feed_log *log = feed_mention_log(feed, p->server, now_us);
	struct lineage lineage;
	struct digest hash;

	if (!log || p->seq > FRAME_SEQ_MAX)
		return;
	/* The first event of a log has yet to be said: from its beginning, then. */
	if (!p->seq || !p->lineage || p->hash.len != DIGEST_SIZE) {
		log->has_position = log->has_position || !p->seq;
	} else {
		lineage = (struct lineage){ p->lineage->boot, p->lineage->tag };
		memcpy(hash.b, p->hash.data, DIGEST_SIZE);
		if (lies_ahead(log, lineage, p->seq) &&
		    comes_anyway(log, lineage, p->seq, now_us))
			return;
		if (lies_ahead(log, lineage, p->seq)) {
			chain_skip(&log->chain, lineage, p->seq, &hash);
			log->fruitless = 0;
			log->pull_at_us = 0;
		}
		move_told(feed, log, lineage, p->seq);
		fill_hole(log, lineage, p->seq);
		log->has_position = true;
	}
	log->wants_jobs = false;
	feed_replay_early(feed, log, now_us);
}

void feed_take_positions(struct feed *feed, Chime__Position *const *position, size_t count)
{
	for (size_t i = 0; i < count; i++)
		take_position(feed, position[i], feed->now_us);
	feed->has_positions = true;
	if (!feed_wants_jobs(feed))
		feed->jobs_tries = 0;
}
