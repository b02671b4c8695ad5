/*
 * envelope.h - the datagram of the bus: everything inside is encrypted and authenticated.
 *
 *	offset  size
 *	0       4     magic "CHM1"
 *	4       1     version, 1
 *	5       1     flags, 0
 *	6       2     key id, big-endian
 *	8       24    nonce
 *	32      n     ciphertext (XAES-256-GCM)
 *	32+n    16    tag
 *
 * Additional data = the first 32 bytes, then the 16 bytes of the environment id.
 *
 * Invariants
 * 1. Nonce = first 24 bytes of SHA-256(32 random bytes || plaintext). Nothing is persisted to
 *    keep it unique: restart, restored backup and two copies of one RAM image are all safe,
 *    for equal random bytes then meet unequal plaintexts, or repeat the very same datagram.
 * 2. Nothing of a datagram is looked at beyond the clear header before it was opened, and only
 *    envelope_open() makes a struct opened: who has one has authenticated bytes.
 * 3. There is no plaintext mode.
 */
#ifndef CHIME_PROTO_ENVELOPE_H
#define CHIME_PROTO_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/buskey.h"

enum {
	ENVIRONMENT_ID_SIZE = 16,
	ENVELOPE_HEADER_SIZE = 32,
	ENVELOPE_OVERHEAD = ENVELOPE_HEADER_SIZE + XAES_TAG_SIZE,
	/* IPv6 minimum MTU less the IP and UDP headers: what is sent unless configured. */
	ENVELOPE_DATAGRAM_MAX = 1232,
	/* What is opened at all; a receive buffer needs one byte more to notice longer ones. */
	ENVELOPE_INPUT_MAX = 1500,
	ENVELOPE_PLAIN_MAX = ENVELOPE_INPUT_MAX - ENVELOPE_OVERHEAD,
};

#define ENVELOPE_MAGIC "CHM1"

/* In the order of the checks, cheapest first. */
enum envelope_verdict {
	ENVELOPE_OK,
	ENVELOPE_TOO_SHORT,
	ENVELOPE_TOO_LONG,
	ENVELOPE_BAD_MAGIC,
	ENVELOPE_BAD_VERSION,		/* version or flags */
	ENVELOPE_UNKNOWN_KEY,
	ENVELOPE_NOT_AUTHENTIC,
	ENVELOPE_VERDICT_COUNT
};

/* Proof that these bytes were sealed with a key of the ring for this environment. */
struct opened {
	size_t len;
	uint16_t key_id;
	uint8_t bytes[ENVELOPE_PLAIN_MAX];
};

/*
 * Seals len bytes into out.
 * out holds len + ENVELOPE_OVERHEAD bytes afterwards, told in *out_len.
 * -EMSGSIZE when that is more than cap or than ENVELOPE_INPUT_MAX.
 */
int envelope_seal(const struct buskey *key, const uint8_t env_id[ENVIRONMENT_ID_SIZE],
	const void *plain, size_t len, uint8_t *out, size_t cap, size_t *out_len);

/* Opens a datagram; *out is valid for ENVELOPE_OK only. */
enum envelope_verdict envelope_open(const struct keyring *ring,
	const uint8_t env_id[ENVIRONMENT_ID_SIZE], const void *in, size_t len,
	struct opened *out);

/* A short lower-case word for counters and logs, never NULL. */
const char *envelope_verdict_name(enum envelope_verdict verdict);

#endif
