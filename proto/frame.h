/*
 * frame.h - a frame: a contiguous range of events of one server; stored, relayed and repaired
 * as bytes, never re-encoded.
 *
 * All numbers big-endian.
 *
 *	size    field
 *	1       version, 1
 *	1       flags (FRAME_OPENS, FRAME_STUB)
 *	1 + n   origin: length 1..63, then the server's name
 *	8       boot  \ lineage
 *	8       tag   /
 *	8       first seq, >= 1; first seq + count - 1 <= FRAME_SEQ_MAX
 *	2       count of events, >= 1
 *	32      prev hash: frame_hash of the frame before it
 *	4       body length, <= FRAME_BODY_LIMIT; 0 in a stub
 *	m       body; in a stub 32 bytes: SHA-256 of the body it stands for
 *
 *	frame_hash = SHA-256("chime frame v1\0" || environment id ||
 *	             all fields before prev hash, with FRAME_STUB cleared ||
 *	             prev hash || SHA-256(body))
 *
 * Invariants
 * 1. A frame and its stub have the same frame_hash, so a chain can be checked without bodies.
 * 2. One frame_hash has exactly one full form and one stub: every field is either hashed or
 *    fixed, and nothing may follow the last one.
 */
#ifndef CHIME_PROTO_FRAME_H
#define CHIME_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/digest.h"
#include "proto/envelope.h"

enum {
	FRAME_ORIGIN_MAX = 63,
	FRAME_ORIGIN_SIZE = FRAME_ORIGIN_MAX + 1,
	/* All fields but the body, without and with the longest name. */
	FRAME_FIXED_SIZE = 1 + 1 + 1 + 8 + 8 + 8 + 2 + DIGEST_SIZE + 4,
	FRAME_HEADER_MAX = FRAME_FIXED_SIZE + FRAME_ORIGIN_MAX,
	FRAME_STUB_MAX = FRAME_HEADER_MAX + DIGEST_SIZE,
	/* A body that still shares a datagram with the clear header, the sender and the tag. */
	FRAME_BODY_MAX = 1000,
	FRAME_BODY_LIMIT = 256 * 1024,
	FRAME_RAW_MAX = FRAME_HEADER_MAX + FRAME_BODY_LIMIT,
	FRAME_COUNT_MAX = UINT16_MAX,
};

/* The largest seq: what sqlite and every signed 64-bit reader can hold. */
#define FRAME_SEQ_MAX ((uint64_t)INT64_MAX)

enum {
	FRAME_OPENS = 1 << 0,		/* the first frame of its lineage */
	FRAME_STUB = 1 << 1,		/* the body's hash in place of the body */
};

/* One start of a server. */
struct lineage {
	uint64_t boot;
	uint64_t tag;
};

/* A view: body and raw point into the bytes it was parsed from or built into. */
struct frame {
	char origin[FRAME_ORIGIN_SIZE];
	struct lineage lineage;
	uint64_t first_seq;
	uint32_t count;
	uint32_t flags;
	struct digest prev_hash;
	struct digest body_hash;
	const uint8_t *body;		/* NULL in a stub */
	size_t body_len;
	const uint8_t *raw;
	size_t raw_len;
};

enum frame_verdict {
	FRAME_OK,
	FRAME_TOO_SHORT,
	FRAME_TOO_LONG,			/* bytes after the last field */
	FRAME_BAD_VERSION,
	FRAME_BAD_FLAGS,
	FRAME_BAD_ORIGIN,
	FRAME_BAD_SEQ,			/* 0, or beyond FRAME_SEQ_MAX */
	FRAME_BAD_COUNT,
	FRAME_BODY_TOO_LARGE,
	FRAME_BAD_STUB,			/* a stub with a body length */
	FRAME_VERDICT_COUNT
};

static inline bool lineage_equal(struct lineage a, struct lineage b)
{
	return a.boot == b.boot && a.tag == b.tag;
}

/* The seq of the last event in it. */
static inline uint64_t frame_last_seq(const struct frame *f)
{
	return f->first_seq + f->count - 1;
}

/* A server's name: [a-z0-9][a-z0-9._-]{0,62}, len bytes, no NUL among them. */
bool frame_origin_valid(const char *text, size_t len);

/* Bytes of body that fit, with the frame and its sender's name, into one datagram. */
size_t frame_body_room(size_t origin_len);

/* Bytes of a full frame. */
size_t frame_size(size_t origin_len, size_t body_len);

/*
 * Builds the bytes of a full frame from origin, lineage, first_seq, count, flags, prev_hash,
 * body and body_len of *f into out, and makes *f the view of them: body, body_hash, raw and
 * raw_len are set. body may not overlap out.
 * -EINVAL when frame_parse() would not take it or FRAME_STUB is set; -ENOSPC when it is longer
 * than cap. *f is then as before.
 */
int frame_build(struct frame *f, uint8_t *out, size_t cap);

/* The same frame with the body's hash in place of the body; FRAME_STUB_MAX always is enough. */
int frame_make_stub(const struct frame *full, uint8_t *out, size_t cap, struct frame *stub);

/* Reads a frame of foreign bytes; *out is a view of them, valid for FRAME_OK only. */
enum frame_verdict frame_parse(const void *raw, size_t len, struct frame *out);

/* The name of a frame in its chain, equal for a frame and its stub. */
void frame_hash(const struct frame *f, const uint8_t env_id[ENVIRONMENT_ID_SIZE],
	struct digest *out);

/* A short lower-case word for counters and logs, never NULL. */
const char *frame_verdict_name(enum frame_verdict verdict);

#endif
