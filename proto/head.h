/*
 * head.h - the signed head: proof of every frame up to seq, heartbeat and tail beacon in one.
 *
 * All numbers big-endian.
 *
 *	size    field
 *	1       version, 1
 *	4       flags
 *	16      environment id
 *	1 + n   origin: length 1..63, then the server's name
 *	8       boot  \ lineage
 *	8       tag   /
 *	8       seq of the last event; 0: the lineage has none yet (frame hash is then 0)
 *	32      frame hash: of the frame that ends with seq
 *	8       low seq: the oldest event still served, <= seq
 *	8       counter, above that of every head before it in this lineage
 *	8       wall clock of the origin, microseconds since 1970, signed
 *	4       runs live here
 *	4       runs waiting here
 *	4       load of the last minute per processor, in thousandths
 *	64      signature: ECDSA P-256, r || s, over "chime head v1\0" || all bytes before
 *
 * Invariants
 * 1. Unknown flag bits are kept: a newer server may say more than an older one understands.
 * 2. A head says what its origin claims; what it proves is decided by who compares its frame
 *    hash with the chain, and its counter with the last one seen.
 */
#ifndef CHIME_PROTO_HEAD_H
#define CHIME_PROTO_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "proto/digest.h"
#include "proto/frame.h"
#include "proto/sigkey.h"

enum {
	HEAD_FIXED_SIZE = 1 + 4 + ENVIRONMENT_ID_SIZE + 1 + 8 + 8 + 8 + DIGEST_SIZE + 8 + 8 + 8 +
		4 + 4 + 4 + SIGKEY_SIGNATURE_SIZE,
	HEAD_RAW_MAX = HEAD_FIXED_SIZE + FRAME_ORIGIN_MAX,
};

enum {
	HEAD_GOODBYE = 1 << 0,		/* a clean stop: nothing follows in this lineage */
	HEAD_DISK = 1 << 1,		/* low on disk, starts nothing */
	HEAD_UNPROVEN = 1 << 2,		/* started without a peer to ask for its own past */
};

/* Holds its own bytes: may be copied and kept. */
struct head {
	uint8_t env_id[ENVIRONMENT_ID_SIZE];
	char origin[FRAME_ORIGIN_SIZE];
	struct lineage lineage;
	uint64_t seq;
	struct digest frame_hash;
	uint64_t low_seq;
	uint64_t counter;
	int64_t wall_us;
	uint32_t flags;
	uint32_t load_running;
	uint32_t load_waiting;
	uint32_t load_milli;
	size_t raw_len;
	uint8_t raw[HEAD_RAW_MAX];
};

enum head_verdict {
	HEAD_OK,
	HEAD_TOO_SHORT,
	HEAD_TOO_LONG,
	HEAD_BAD_VERSION,
	HEAD_BAD_ORIGIN,
	HEAD_BAD_SEQ,			/* beyond FRAME_SEQ_MAX, or low seq above seq */
	HEAD_OTHER_ENVIRONMENT,
	HEAD_BAD_SIGNATURE,
	HEAD_VERDICT_COUNT
};

/*
 * Encodes the fields and signs them; raw and raw_len of *head are set.
 * -EINVAL when head_parse() would not take it; -EIO when OpenSSL can't sign.
 */
int head_sign(struct head *head, const struct sigkey *key);

/*
 * Reads a head of foreign bytes; its signature is not yet checked. *out holds a copy of the
 * bytes and is valid for HEAD_OK only.
 */
enum head_verdict head_parse(const void *raw, size_t len,
	const uint8_t env_id[ENVIRONMENT_ID_SIZE], struct head *out);

/* HEAD_OK when the bytes of a parsed head bear this key's signature, else BAD_SIGNATURE. */
enum head_verdict head_verify(const struct head *head, const struct pubkey *key);

/* A short lower-case word for counters and logs, never NULL. */
const char *head_verdict_name(enum head_verdict verdict);

#endif
