#include "client/record/track.h"

#include "client/say.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct track *track_new(struct lineage lineage)
{
	struct track *track = say_calloc(1, sizeof(*track));

	track->lineage = lineage;
	return track;
}

void track_free(struct track *track)
{
	spans_fini(&track->seen);
	free(track->known);
	free(track);
}

/* ---- places ---- */

/* Index of the first known frame that begins at or behind seq. */
static size_t find_place(const struct track *track, uint64_t seq)
{
	size_t low = 0, high = track->known_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (track->known[middle].first < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Index of the first known frame that may reach seq: no frame is wider than the widest. */
static size_t find_reaching(const struct track *track, uint64_t seq)
{
	return find_place(track, seq > track->widest ? seq - track->widest : 0);
}

struct known *track_find(const struct track *track, uint64_t last, const struct digest *hash)
{
	for (size_t i = find_reaching(track, last); i < track->known_count; i++) {
		struct known *k = &track->known[i];

		if (k->first > last)
			break;
		if (k->last == last && digest_equal(&k->hash, hash))
			return k;
	}
	return NULL;
}

bool track_each_other(const struct track *track, uint64_t first, uint64_t last,
		      const struct digest *hash, track_fn *fn, void *arg)
{
	for (size_t i = find_reaching(track, first); i < track->known_count; i++) {
		const struct known *k = &track->known[i];

		if (k->first > last)
			break;
		if (k->last >= first && !digest_equal(&k->hash, hash) && fn(k, arg))
			return true;
	}
	return false;
}

static bool is_any(const struct known *other, void *arg)
{
	(void)other;
	(void)arg;
	return true;
}

bool track_is_forgotten(const struct track *track, const struct frame *frame)
{
	static const struct digest no_hash;
	uint64_t first = frame->first_seq, last = frame_last_seq(frame);

	return spans_missing(&track->seen, first, last) == 0 &&
	       !track_each_other(track, first, last, &no_hash, is_any, NULL);
}

static const struct known *find_farthest(const struct track *track)
{
	return track->known_count ? &track->known[track->known_count - 1] : NULL;
}

bool track_is_late(const struct track *track, const struct frame *frame)
{
	const struct known *farthest = find_farthest(track);
	uint64_t last = frame_last_seq(frame);

	if (track->begun && last <= track->high)
		return last >= track->low;
	return farthest && farthest->first > last;
}

bool track_is_ahead(const struct track *track, const struct frame *frame)
{
	const struct known *farthest = find_farthest(track);

	return farthest && frame->first_seq > farthest->last + 1;
}

/* ---- remembering ---- */

bool track_is_full(const struct track *track)
{
	return track->known_count == TRACK_KNOWN_MAX;
}

static struct promise *find_promise(struct track *track, uint64_t seq, const struct digest *hash)
{
	for (size_t i = 0; i < track->promised_count; i++)
		if (track->promised[i].seq == seq &&
		    digest_equal(&track->promised[i].hash, hash))
			return &track->promised[i];
	return NULL;
}

static void remove_promise(struct track *track, struct promise *p)
{
	size_t behind = track->promised_count - (size_t)(p - track->promised) - 1;

	memmove(p, p + 1, behind * sizeof(*p));
	track->promised_count--;
}

static enum proof take_promise(struct track *track, uint64_t seq, const struct digest *hash)
{
	struct promise *p = find_promise(track, seq, hash);
	enum proof proof = p ? p->proof : PROOF_NONE;

	if (p)
		remove_promise(track, p);
	return proof;
}

static void add_promise(struct track *track, uint64_t seq, const struct digest *hash,
			enum proof proof)
{
	struct promise *p = find_promise(track, seq, hash);

	if (p) {
		p->proof = p->proof < proof ? proof : p->proof;
		return;
	}
	if (track->promised_count == TRACK_PROMISED_MAX)
		remove_promise(track, &track->promised[0]);
	track->promised[track->promised_count++] = (struct promise){ seq, *hash, proof };
}

const struct promise *track_find_promise(const struct track *track, uint64_t seq,
					 const struct digest *not_hash)
{
	for (size_t i = 0; i < track->promised_count; i++)
		if (track->promised[i].seq == seq &&
		    !digest_equal(&track->promised[i].hash, not_hash))
			return &track->promised[i];
	return NULL;
}

struct known *track_add(struct track *track, const struct frame *frame,
			const struct digest *hash, enum proof *promised)
{
	size_t at = find_place(track, frame->first_seq);
	struct known *k;

	assert(!track_is_full(track));
	if (track->known_count == track->known_room) {
		track->known_room = track->known_room ? track->known_room * 2 : 16;
		track->known = say_realloc(track->known, track->known_room,
					   sizeof(*track->known));
	}
	k = &track->known[at];
	memmove(k + 1, k, (track->known_count - at) * sizeof(*k));
	track->known_count++;
	*k = (struct known){
		.first = frame->first_seq,
		.last = frame_last_seq(frame),
		.hash = *hash,
		.prev = frame->prev_hash,
		.opens = frame->flags & FRAME_OPENS,
		.stub = frame->flags & FRAME_STUB,
	};
	*promised = take_promise(track, k->last, hash);
	if (track->widest < k->last - k->first)
		track->widest = k->last - k->first;
	return k;
}

/* ---- proving ---- */

void track_prove(struct track *track, uint64_t seq, const struct digest *hash, enum proof proof,
		 size_t *from, size_t *to)
{
	*from = *to = 0;
	/* Every step goes to a lower seq, so that it ends. */
	while (seq > 0) {
		struct known *k = track_find(track, seq, hash);

		if (!k)
			add_promise(track, seq, hash, proof);
		if (!k || k->proof >= proof)
			break;
		k->proof = proof;
		k->fresh = true;
		*from = (size_t)(k - track->known);
		if (*to == 0)
			*to = *from + 1;
		if (k->opens)
			break;
		seq = k->first - 1;
		hash = &k->prev;
	}
}

/* ---- heads and forks ---- */

const struct track_head *track_find_head(const struct track *track, uint64_t counter)
{
	for (size_t i = 0; i < track->head_count; i++)
		if (track->heads[i].counter == counter)
			return &track->heads[i];
	return NULL;
}

static struct track_head *find_same_head(const struct track *track, uint64_t counter,
					 const struct digest *digest)
{
	for (size_t i = 0; i < track->head_count; i++) {
		const struct track_head *head = &track->heads[i];

		if (head->counter == counter && digest_equal(&head->digest, digest))
			return (struct track_head *)head;
	}
	return NULL;
}

bool track_knows_head(const struct track *track, uint64_t counter, const struct digest *digest)
{
	return find_same_head(track, counter, digest) != NULL;
}

void track_remember_head(struct track *track, uint64_t counter, const struct digest *digest,
			 enum proof proof)
{
	struct track_head *same = find_same_head(track, counter, digest);

	if (same) {
		same->proof = proof;
		return;
	}
	track->heads[track->head_next] = (struct track_head){ counter, *digest, proof };
	track->head_next = (track->head_next + 1) % TRACK_HEADS_MAX;
	if (track->head_count < TRACK_HEADS_MAX)
		track->head_count++;
}

bool track_note_fork(struct track *track, uint64_t seq)
{
	for (size_t i = 0; i < track->fork_count; i++)
		if (track->forks[i] == seq)
			return false;
	if (track->fork_count == TRACK_FORKS_MAX)
		return false;
	track->forks[track->fork_count++] = seq;
	return true;
}

const char *proof_name(enum proof proof)
{
	static const char *const names[] = {
		[PROOF_NONE] = "none",
		[PROOF_UNCHECKED] = "unchecked",
		[PROOF_SIGNED] = "signed",
	};

	_Static_assert(sizeof(names) / sizeof(*names) == PROOF_COUNT, "a name each");
	return (unsigned)proof < PROOF_COUNT ? names[proof] : "unknown";
}
