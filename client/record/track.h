/*
 * track.h - what was seen of one lineage of one server's log, in any order and with any holes, and
 * what of it a signature reaches.
 *
 * chain.h delivers a log in order from a position it owns. A capture has neither: it begins
 * anywhere and what it lacks never comes. So here the two facts a chain rests on are kept for each
 * frame by itself, and used in whatever order they come:
 *
 *	a head names the hash of the frame that ends with its seq;
 *	a frame names the hash of the frame before it.
 *
 * A frame is as good as the best head that reaches it by these names.
 *
 * Invariants
 * 1. Proof only grows, and only from a head or along prev_hash of a frame that has it.
 * 2. `seen`, `low` and `high` know frames with a proof, and heads: once the certificate of the
 *    server is known, nothing that just anybody with the group key could say moves them.
 * 3. Everything is bounded; what is forgotten first is what nothing proved.
 *
 * Pure: no I/O, no clock, no signatures.
 */
#ifndef CHIME_CLIENT_RECORD_TRACK_H
#define CHIME_CLIENT_RECORD_TRACK_H

#include "client/record/span.h"
#include "proto/frame.h"
#include "proto/head.h"

enum {
	TRACK_KNOWN_MAX = 8192,		/* frames remembered */
	TRACK_PROMISED_MAX = 256,	/* frames named and not seen */
	TRACK_HEADS_MAX = 32,		/* heads remembered */
	TRACK_FORKS_MAX = 16,		/* places of forks remembered, to tell each once */
};

enum proof {
	PROOF_NONE,			/* no head reaches it: any holder of the group key */
	PROOF_UNCHECKED,		/* a head does, and its server's certificate is not known */
	PROOF_SIGNED,
	PROOF_COUNT
};

/* What the opening event says of the lineage before, and how far it went; seq 0 = nothing. */
struct parent {
	struct lineage lineage;
	uint64_t seq;
};

struct held;

struct known {
	uint64_t first, last;
	struct digest hash, prev;
	enum proof proof, told;		/* now, and when it was told */
	bool opens, stub;
	bool fresh;			/* proved by the walk that goes on now */
	struct parent parent;		/* opens: for it alone says so, and it may be forged */
	struct held *held;		/* not told yet; the audit's */
};

/* A frame that somebody named: it ends with seq and has this hash. */
struct promise {
	uint64_t seq;
	struct digest hash;
	enum proof proof;
};

struct track_head {
	uint64_t counter;
	struct digest digest;
	enum proof proof;
};

struct track {
	struct lineage lineage;
	bool begun;			/* low and high are known: high + 1 >= low */
	uint64_t low, high;		/* what lies between and is not in seen, is missing */
	int64_t noticed_us;		/* when the newest hole was noticed, proved or not */
	struct spans seen;
	struct known *known;		/* ascending by first */
	size_t known_count, known_room;
	uint64_t widest;		/* of the known frames: events but one */
	struct promise promised[TRACK_PROMISED_MAX];
	size_t promised_count;
	struct track_head heads[TRACK_HEADS_MAX];
	size_t head_count, head_next;
	uint64_t counter, counter_seq;	/* the highest signed counter, and its seq */
	uint64_t counter_heard;		/* the highest in any head */
	uint64_t forks[TRACK_FORKS_MAX];
	size_t fork_count;
};

struct track *track_new(struct lineage lineage);

/* Nothing may be held any more. */
void track_free(struct track *track);

/* The known frame with that hash and last seq, borrowed until the next track_add(), or NULL. */
struct known *track_find(const struct track *track, uint64_t last, const struct digest *hash);

/* Remembers a frame nobody knows yet; borrowed as of track_find(). *promised: the proof with which
 * it was named before it came, for track_prove(). There must be room: track_is_full() is false. */
struct known *track_add(struct track *track, const struct frame *frame,
			const struct digest *hash, enum proof *promised);
bool track_is_full(const struct track *track);

/* Was a frame of this place seen so long ago that only the place is remembered? */
bool track_is_forgotten(const struct track *track, const struct frame *frame);

/* Was something behind this frame seen before it? Not if the capture began behind it. */
bool track_is_late(const struct track *track, const struct frame *frame);

/* Does it leave a hole between itself and everything seen? */
bool track_is_ahead(const struct track *track, const struct frame *frame);

/*
 * Calls fn for each known frame that shares a seq with [first, last] and has another hash, until
 * it returns true.
 */
typedef bool track_fn(const struct known *other, void *arg);
bool track_each_other(const struct track *track, uint64_t first, uint64_t last,
		      const struct digest *hash, track_fn *fn, void *arg);

/*
 * The frame that ends with seq has this hash, says somebody with that proof: goes back along
 * prev_hash and marks what gains proof as fresh; [*from, *to) are the indices among which they
 * are. Where the walk ends at a frame not seen, that is promised.
 */
void track_prove(struct track *track, uint64_t seq, const struct digest *hash, enum proof proof,
		 size_t *from, size_t *to);

/* A promise for another frame that ends with seq; NULL when there is none. Borrowed. */
const struct promise *track_find_promise(const struct track *track, uint64_t seq,
					 const struct digest *not_hash);

/* Looks for a head by counter; NULL when it is not remembered. */
const struct track_head *track_find_head(const struct track *track, uint64_t counter);
/* Is it remembered? With remember it is, with this proof from now on. */
bool track_knows_head(const struct track *track, uint64_t counter, const struct digest *digest);
void track_remember_head(struct track *track, uint64_t counter, const struct digest *digest,
			 enum proof proof);

/* Whether a fork at this place is news, and of the first TRACK_FORKS_MAX; remembers it. */
bool track_note_fork(struct track *track, uint64_t seq);

/* "signed", "unchecked", "none". */
const char *proof_name(enum proof proof);

#endif
