#include "proto/chain.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(msg) abort()
#include <uthash.h>

struct chain_waiting {
	UT_hash_handle hh;
	struct digest hash;
	struct frame frame;
	bool parent_known;
	struct chain_waiting *next_ready;	/* towards the head, once a walk has proved it */
	uint8_t raw[];
};

void chain_init(struct chain *chain, const char *origin,
		const uint8_t env_id[ENVIRONMENT_ID_SIZE])
{
	*chain = (struct chain){ 0 };
	snprintf(chain->origin, sizeof(chain->origin), "%s", origin);
	memcpy(chain->env_id, env_id, ENVIRONMENT_ID_SIZE);
}

static void drop_waiting(struct chain *chain, struct chain_waiting *w)
{
	HASH_DEL(chain->waiting, w);
	chain->waiting_count--;
	if (w->frame.flags & FRAME_OPENS)
		chain->opens_waiting--;
	chain->waiting_bytes -= w->frame.raw_len;
	free(w);
}

void chain_fini(struct chain *chain)
{
	struct chain_waiting *w, *next;

	HASH_ITER(hh, chain->waiting, w, next)
		drop_waiting(chain, w);
	free(chain->lineages);
	*chain = (struct chain){ 0 };
}

static int compare_lineage(struct lineage a, struct lineage b)
{
	if (a.boot != b.boot)
		return a.boot < b.boot ? -1 : 1;
	return a.tag == b.tag ? 0 : a.tag < b.tag ? -1 : 1;
}

static struct chain_lineage *find_lineage(const struct chain *chain, struct lineage lineage)
{
	for (size_t i = chain->lineage_count; i-- > 0;)
		if (lineage_equal(chain->lineages[i].lineage, lineage))
			return &chain->lineages[i];
	return NULL;
}

const struct chain_lineage *chain_find_lineage(const struct chain *chain, struct lineage lineage)
{
	return find_lineage(chain, lineage);
}

static struct chain_lineage *add_lineage(struct chain *chain, struct lineage lineage)
{
	struct chain_lineage *l = find_lineage(chain, lineage);
	size_t at = chain->lineage_count;

	if (l)
		return l;
	chain->lineages = realloc(chain->lineages, (at + 1) * sizeof(*l));
	assert(chain->lineages);
	while (at > 0 && compare_lineage(lineage, chain->lineages[at - 1].lineage) < 0) {
		chain->lineages[at] = chain->lineages[at - 1];
		at--;
	}
	chain->lineage_count++;
	chain->lineages[at] = (struct chain_lineage){ .lineage = lineage };
	return &chain->lineages[at];
}

void chain_load(struct chain *chain, struct lineage lineage, uint64_t seq,
		const struct digest *hash)
{
	struct chain_lineage *l = add_lineage(chain, lineage);

	l->open = true;
	l->seq = seq;
	l->hash = *hash;
	if (l->head_seq < seq)
		l->head_seq = seq;
}

static struct chain_waiting *find_waiting(const struct chain *chain, const struct digest *hash)
{
	struct chain_waiting *w;

	HASH_FIND(hh, chain->waiting, hash->b, DIGEST_SIZE, w);
	return w;
}

/* Positions are the tips; a tip is where most new lineages begin. */
static bool tip_has_hash(const struct chain *chain, const struct digest *hash)
{
	for (size_t i = 0; i < chain->lineage_count; i++)
		if (chain->lineages[i].open && digest_equal(&chain->lineages[i].hash, hash))
			return true;
	return false;
}

/*
 * Makes room: what lies farthest ahead goes first, and when that is the newcomer itself, what has
 * waited longest. So nobody who fills the buffer with frames that will never be proved keeps out
 * what a pull brings: an answer is smaller than the buffer and is delivered at once.
 */
static bool make_room(struct chain *chain, const struct frame *frame)
{
	while (chain->waiting_count >= CHAIN_WAITING_MAX ||
	       chain->waiting_bytes + frame->raw_len > CHAIN_WAITING_BYTES) {
		struct chain_waiting *w, *next, *farthest = NULL;

		if (chain->ready)
			return false;
		HASH_ITER(hh, chain->waiting, w, next)
			if (!farthest || w->frame.first_seq > farthest->frame.first_seq)
				farthest = w;
		if (!farthest)
			return false;
		/* The hash lists its members in the order of their coming. */
		drop_waiting(chain, farthest->frame.first_seq > frame->first_seq ? farthest :
			     chain->waiting);
	}
	return true;
}

enum chain_verdict chain_add_frame(struct chain *chain, const struct frame *frame,
				   bool parent_known)
{
	const struct chain_lineage *l = find_lineage(chain, frame->lineage);
	struct chain_waiting *w;
	struct digest hash;

	if (l && l->open && frame_last_seq(frame) <= l->seq)
		return CHAIN_DUPLICATE;
	if (l && l->open && frame->first_seq - l->seq > CHAIN_AHEAD_MAX)
		return CHAIN_TOO_FAR;
	frame_hash(frame, chain->env_id, &hash);
	if (find_waiting(chain, &hash))
		return CHAIN_DUPLICATE;
	if (!make_room(chain, frame))
		return CHAIN_FULL;
	w = malloc(sizeof(*w) + frame->raw_len);
	assert(w);
	memcpy(w->raw, frame->raw, frame->raw_len);
	w->hash = hash;
	w->next_ready = NULL;
	w->frame = *frame;
	w->frame.raw = w->raw;
	w->frame.body = w->raw + (frame->body - frame->raw);
	w->parent_known = parent_known || digest_is_zero(&frame->prev_hash) ||
			  tip_has_hash(chain, &frame->prev_hash);
	HASH_ADD(hh, chain->waiting, hash.b, DIGEST_SIZE, w);
	chain->waiting_count++;
	chain->waiting_bytes += frame->raw_len;
	if (w->frame.flags & FRAME_OPENS)
		chain->opens_waiting++;
	return CHAIN_NEW;
}

/* Heads at or behind their position prove nothing more. */
static bool head_is_ahead(const struct chain *chain, const struct head *head)
{
	const struct chain_lineage *l = find_lineage(chain, head->lineage);

	return !l || !l->open || head->seq > l->seq;
}

/* Candidates for places that are taken by now will never be delivered. */
static void forget_old_frames(struct chain *chain, const struct chain_lineage *l)
{
	struct chain_waiting *w, *next;

	HASH_ITER(hh, chain->waiting, w, next)
		if (lineage_equal(w->frame.lineage, l->lineage) && w->frame.first_seq <= l->seq)
			drop_waiting(chain, w);
}

static void forget_old_heads(struct chain *chain)
{
	size_t kept = 0;

	for (size_t i = 0; i < chain->head_count; i++)
		if (head_is_ahead(chain, &chain->heads[i]))
			chain->heads[kept++] = chain->heads[i];
	chain->head_count = kept;
}

static bool has_head_of(const struct chain *chain, struct lineage lineage)
{
	for (size_t i = 0; i < chain->head_count; i++)
		if (lineage_equal(chain->heads[i].lineage, lineage))
			return true;
	return false;
}

/* Lineages of which only heads that are gone again told: a server may sign any number of them. */
static void forget_lineages(struct chain *chain)
{
	size_t kept = 0, closed = 0;

	for (size_t i = 0; i < chain->lineage_count; i++)
		closed += !chain->lineages[i].open;
	if (closed < CHAIN_CLOSED_MAX)
		return;
	for (size_t i = 0; i < chain->lineage_count; i++)
		if (chain->lineages[i].open || has_head_of(chain, chain->lineages[i].lineage))
			chain->lineages[kept++] = chain->lineages[i];
	chain->lineage_count = kept;
}

enum chain_verdict chain_add_head(struct chain *chain, const struct head *head)
{
	struct chain_lineage *l;

	if (head->seq == 0 || !head_is_ahead(chain, head))
		return CHAIN_DUPLICATE;
	for (size_t i = 0; i < chain->head_count; i++)
		if (lineage_equal(chain->heads[i].lineage, head->lineage) &&
		    digest_equal(&chain->heads[i].frame_hash, &head->frame_hash))
			return CHAIN_DUPLICATE;
	forget_lineages(chain);
	l = add_lineage(chain, head->lineage);
	if (head->seq > l->head_seq)
		l->head_seq = head->seq;
	if (chain->head_count == CHAIN_HEADS_MAX) {
		/* The first is the oldest, or the newest would be lost to a flood of old ones. */
		memmove(&chain->heads[0], &chain->heads[1],
			(CHAIN_HEADS_MAX - 1) * sizeof(chain->heads[0]));
		chain->head_count--;
	}
	chain->heads[chain->head_count++] = *head;
	return CHAIN_NEW;
}

/* Does this frame follow directly on what is delivered? */
static bool follows_position(const struct chain *chain, const struct chain_waiting *w)
{
	const struct chain_lineage *l = find_lineage(chain, w->frame.lineage);

	if (w->frame.flags & FRAME_OPENS)
		return w->parent_known && !(l && l->open);
	return l && l->open && w->frame.first_seq == l->seq + 1 &&
	       digest_equal(&w->frame.prev_hash, &l->hash);
}

/*
 * Walks back from the head and leaves the proved frames in chain->ready, first one first. Ends at
 * the position, at a hole, or where the seqs do not join; every step goes to a lower seq, so that
 * it ends.
 */
static bool walk_from_head(struct chain *chain, const struct head *head)
{
	struct chain_waiting *w = find_waiting(chain, &head->frame_hash), *after = NULL;

	if (!w || frame_last_seq(&w->frame) != head->seq)
		return false;
	for (;;) {
		struct chain_waiting *before;

		if (!lineage_equal(w->frame.lineage, head->lineage))
			return false;
		w->next_ready = after;
		if (follows_position(chain, w)) {
			chain->ready = w;
			chain->ready_head = *head;
			return true;
		}
		before = find_waiting(chain, &w->frame.prev_hash);
		if (w->frame.flags & FRAME_OPENS || !before ||
		    frame_last_seq(&before->frame) + 1 != w->frame.first_seq)
			return false;
		after = w;
		w = before;
	}
}

/* A frame that begins a lineage may have waited for this one. */
static void tell_children(struct chain *chain, const struct digest *hash)
{
	struct chain_waiting *w, *next;

	if (!chain->opens_waiting)
		return;
	HASH_ITER(hh, chain->waiting, w, next)
		if (w->frame.flags & FRAME_OPENS && digest_equal(&w->frame.prev_hash, hash))
			w->parent_known = true;
}

static void deliver(struct chain *chain, struct chain_waiting *w, struct chain_delivery *out)
{
	struct chain_lineage *l = add_lineage(chain, w->frame.lineage);

	out->raw = malloc(w->frame.raw_len);
	assert(out->raw);
	memcpy(out->raw, w->raw, w->frame.raw_len);
	out->frame = w->frame;
	out->frame.raw = out->raw;
	out->frame.body = out->raw + (w->frame.body - w->raw);
	out->hash = w->hash;
	out->covered = digest_equal(&w->hash, &chain->ready_head.frame_hash);
	if (out->covered)
		out->head = chain->ready_head;
	l->open = true;
	l->seq = frame_last_seq(&w->frame);
	l->hash = w->hash;
	chain->ready = w->next_ready;
	drop_waiting(chain, w);
	tell_children(chain, &out->hash);
	if (!chain->ready) {
		forget_old_frames(chain, find_lineage(chain, out->frame.lineage));
		forget_old_heads(chain);
	}
}

/* Lineages that lie before this boot, with all that waits for them. */
static void forget_lower(struct chain *chain, uint64_t boot)
{
	struct chain_waiting *w, *next;
	size_t heads = 0, lineages = 0;

	HASH_ITER(hh, chain->waiting, w, next)
		if (w->frame.lineage.boot < boot)
			drop_waiting(chain, w);
	for (size_t i = 0; i < chain->head_count; i++)
		if (chain->heads[i].lineage.boot >= boot)
			chain->heads[heads++] = chain->heads[i];
	for (size_t i = 0; i < chain->lineage_count; i++)
		if (chain->lineages[i].lineage.boot >= boot)
			chain->lineages[lineages++] = chain->lineages[i];
	chain->head_count = heads;
	chain->lineage_count = lineages;
}

void chain_skip(struct chain *chain, struct lineage lineage, uint64_t seq,
		const struct digest *hash)
{
	/* What a walk has proved lies before the new position, or is walked to again. */
	chain->ready = NULL;
	forget_lower(chain, lineage.boot);
	chain_load(chain, lineage, seq, hash);
	forget_old_frames(chain, find_lineage(chain, lineage));
	forget_old_heads(chain);
	tell_children(chain, hash);
}

bool chain_take(struct chain *chain, struct chain_delivery *out)
{
	if (!chain->waiting)
		return false;
	for (size_t i = 0; !chain->ready && i < chain->head_count; i++)
		walk_from_head(chain, &chain->heads[i]);
	if (!chain->ready)
		return false;
	deliver(chain, chain->ready, out);
	return true;
}

void chain_delivery_fini(struct chain_delivery *delivery)
{
	free(delivery->raw);
	delivery->raw = NULL;
}

bool chain_has_gap(const struct chain *chain)
{
	return chain->waiting || chain->head_count;
}

const struct chain_lineage *chain_newest(const struct chain *chain)
{
	return chain->lineage_count ? &chain->lineages[chain->lineage_count - 1] : NULL;
}

const char *chain_verdict_name(enum chain_verdict verdict)
{
	static const char *const names[CHAIN_VERDICT_COUNT] = {
		[CHAIN_NEW] = "new",
		[CHAIN_DUPLICATE] = "duplicate",
		[CHAIN_TOO_FAR] = "too far ahead",
		[CHAIN_FULL] = "no room",
	};

	return verdict < CHAIN_VERDICT_COUNT ? names[verdict] : "unknown";
}
