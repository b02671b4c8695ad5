/*
 * chain.h - how far the log of one origin is proved here, and what waits beyond.
 *
 * Invariants
 * 1. Only contiguous, hash-linked frames covered by a verified head are ever delivered
 *    (chain_take); delivering is the only thing that moves a position, but for chain_skip, which
 *    delivers nothing.
 * 2. Which of two frames that claim one place is true is decided by a head and nothing else:
 *    delivery walks from a head back to the position along prev_hash.
 * 3. Everything that waits is bounded: CHAIN_WAITING_MAX frames and CHAIN_WAITING_BYTES; when full,
 *    what lies farthest ahead is dropped, else what came first (repair asks again): what nobody
 *    will ever prove cannot keep out what can be proved.
 * 4. A lineage opens with a FRAME_OPENS frame whose prev_hash is zero or a frame known here. Older
 *    lineages stay: frames of a branch may still come.
 *
 * Pure: no I/O, no clock. The caller verifies signatures (head_verify) before chain_add_head.
 */
#ifndef CHIME_PROTO_CHAIN_H
#define CHIME_PROTO_CHAIN_H

#include "proto/frame.h"
#include "proto/head.h"

enum {
	CHAIN_WAITING_MAX = 4096,
	CHAIN_WAITING_BYTES = 4 << 20,
	CHAIN_AHEAD_MAX = 1000000,	/* events beyond what is proved */
	CHAIN_HEADS_MAX = 32,		/* verified heads kept that are ahead */
	CHAIN_CLOSED_MAX = 64,		/* lineages known from heads only */
};

struct chain_lineage {
	struct lineage lineage;
	bool open;			/* its first frame was delivered */
	uint64_t seq;			/* highest delivered; 0 before the first */
	struct digest hash;		/* of the frame that ends with seq */
	uint64_t head_seq;		/* highest of all verified heads */
};

struct chain_waiting;

struct chain {
	char origin[FRAME_ORIGIN_SIZE];
	uint8_t env_id[ENVIRONMENT_ID_SIZE];
	struct chain_lineage *lineages;	/* ascending by (boot, tag) */
	size_t lineage_count;
	struct chain_waiting *waiting;	/* by hash */
	size_t waiting_count, waiting_bytes, opens_waiting;
	struct chain_waiting *ready;	/* proved, to be delivered next; part of waiting */
	struct head ready_head;
	struct head heads[CHAIN_HEADS_MAX];
	size_t head_count;
};

enum chain_verdict {
	CHAIN_NEW,
	CHAIN_DUPLICATE,	/* delivered already, or waiting already */
	CHAIN_TOO_FAR,		/* more than CHAIN_AHEAD_MAX ahead */
	CHAIN_FULL,
	CHAIN_VERDICT_COUNT
};

struct chain_delivery {
	struct frame frame;		/* view of bytes owned by the delivery */
	struct digest hash;
	uint8_t *raw;
	struct head head;		/* valid when covered: the frame ends with its seq */
	bool covered;
};

void chain_init(struct chain *chain, const char *origin,
		const uint8_t env_id[ENVIRONMENT_ID_SIZE]);
void chain_fini(struct chain *chain);

/* At start: what the journal holds of one lineage. */
void chain_load(struct chain *chain, struct lineage lineage, uint64_t seq,
		const struct digest *hash);

/*
 * For who stores nothing: goes on from a position ahead of this one that somebody else vouches
 * for. Frames and heads beyond it stay; what lies before it, lineages of a lower boot included,
 * is forgotten and will not be delivered.
 */
void chain_skip(struct chain *chain, struct lineage lineage, uint64_t seq,
		const struct digest *hash);

/*
 * Takes a copy of a full frame (never a stub). parent_known: for FRAME_OPENS only, whether the
 * journal holds a frame of this origin with that prev_hash; the newest positions are looked at
 * here anyway.
 */
enum chain_verdict chain_add_frame(struct chain *chain, const struct frame *frame,
				   bool parent_known);

/* Takes a copy of a head whose signature was verified. */
enum chain_verdict chain_add_head(struct chain *chain, const struct head *head);

/*
 * The next frame in order that is proved, or false. The position has moved then: the caller
 * journals it in this turn or ends. Ends with chain_delivery_fini.
 */
bool chain_take(struct chain *chain, struct chain_delivery *out);
void chain_delivery_fini(struct chain_delivery *delivery);

/* Is anything known to be missing: a verified head or a waiting frame beyond the position? */
bool chain_has_gap(const struct chain *chain);

/* The lineage with the highest boot, open or not; NULL when nothing was heard. */
const struct chain_lineage *chain_newest(const struct chain *chain);
const struct chain_lineage *chain_find_lineage(const struct chain *chain, struct lineage lineage);

const char *chain_verdict_name(enum chain_verdict verdict);

#endif
