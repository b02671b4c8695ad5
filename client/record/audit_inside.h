/*
 * audit_inside.h - what the files of the audit share: audit.c hears datagrams and frames,
 * audit_head.c checks heads, audit_prove.c decides how good frames are and tells them.
 */
#ifndef CHIME_CLIENT_RECORD_AUDIT_INSIDE_H
#define CHIME_CLIENT_RECORD_AUDIT_INSIDE_H

#include "client/record/roster.h"

#include <stdlib.h>
#include <sys/queue.h>

#define uthash_fatal(msg) abort()
#include <uthash.h>

/* A frame that was not told yet; its place among the known points here. */
struct held {
	TAILQ_ENTRY(held) all;
	struct origin *origin;
	struct track *track;
	struct digest hash;
	int64_t wall_us;
	bool late;
	size_t len;
	uint8_t raw[];
};

struct nonce {
	UT_hash_handle hh;
	uint8_t bytes[XAES_NONCE_SIZE];
};

struct audit {
	struct roster *roster;
	uint8_t env_id[ENVIRONMENT_ID_SIZE];
	struct audit_sink sink;
	TAILQ_HEAD(held_list, held) held;
	size_t held_bytes, known_count;
	struct nonce *nonces;		/* the newest AUDIT_NONCES_MAX, oldest first */
	int64_t now_us;			/* of the datagram that is heard now */
	const char *sender;
	bool limit_told;
};

/* ---- findings ---- */

struct finding audit_make_finding(const struct audit *a, enum finding_kind kind,
				  const struct origin *o);
void audit_tell_range(struct audit *a, enum finding_kind kind, const struct origin *o,
		      const struct track *t, uint64_t first, uint64_t last, enum proof proof);
void audit_tell_text(struct audit *a, enum finding_kind kind, const struct origin *o,
		     const char *text);
/* A frame or a head in a datagram of that sender. */
void audit_tell_malformed(struct audit *a, struct origin *sender, const char *why);
/* Once a capture. */
void audit_tell_limit(struct audit *a, const char *text);
/* Once a place; not signed on both sides it is a contradiction. other: NULL = it has no hash. */
void audit_tell_fork(struct audit *a, struct origin *o, struct track *t, uint64_t seq,
		     const struct digest *one, const struct digest *other, enum proof proof,
		     const char *what);

/* Whose it is and of which of its lineages; NULL, and told, when there are too many. */
struct track *audit_get_track(struct audit *a, const char *server, struct lineage lineage,
			      struct origin **o);

/* ---- heads and certificates ---- */

void audit_take_head(struct audit *a, struct origin *sender, const ProtobufCBinaryData *bytes);
/* A certificate that a datagram brought: judged now, and the heads that waited for it with it. */
void audit_learn(struct audit *a, struct origin *o, const ProtobufCBinaryData *der);

/* ---- proof ---- */

/* The frame of that hash ends with seq: a head says so, or the frame after it. */
void audit_prove(struct audit *a, struct origin *o, struct track *t, uint64_t seq,
		 const struct digest *hash, enum proof proof);

/* The lineage reaches to seq at least: what of it was not seen is told as missing. */
void audit_raise(struct audit *a, struct origin *o, struct track *t, uint64_t seq,
		 enum proof proof);
void audit_begin_track(struct audit *a, struct origin *o, struct track *t, uint64_t low,
		       uint64_t high, bool opens);

/* ---- frames that wait ---- */

struct held *audit_hold(struct audit *a, struct origin *o, struct track *t,
			const struct frame *frame, const struct digest *hash);
void audit_tell_unproved(struct audit *a, struct track *t, struct known *k);
/* What waited for long enough, or everything. */
void audit_release(struct audit *a, bool all);

#endif
