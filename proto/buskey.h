/*
 * buskey.h - the group key of the bus, its file, and the few that are known at a time.
 *
 * The file is one line of text, mode 0600:
 *
 *	chime-bus-key1 KEYID HEX64
 *
 * KEYID: 4 hex digits, the first 2 bytes of SHA-256(key). HEX64: the 32 bytes of the key.
 *
 * The key gives confidentiality, never authority: who speaks is proved by signed heads.
 */
#ifndef CHIME_PROTO_BUSKEY_H
#define CHIME_PROTO_BUSKEY_H

#include <stddef.h>
#include <stdint.h>

#include "proto/xaes.h"

enum {
	BUSKEY_SIZE = XAES_KEY_SIZE,
	BUSKEY_TEXT_SIZE = 15 + 4 + 1 + 64 + 2,	/* the line with its newline and a NUL */
	KEYRING_MAX = 4,
};

/*
 * One group key with its cipher made ready. Owns the cipher: never copy the struct by
 * assignment, use buskey_init(copy, key->bytes).
 */
struct buskey {
	uint8_t bytes[BUSKEY_SIZE];
	uint16_t id;
	struct xaes *cipher;
};

/* The keys datagrams are opened with, no two of the same id. All zero is the empty ring. */
struct keyring {
	struct buskey keys[KEYRING_MAX];
	size_t count;
};

/* Makes the key of these bytes; id and cipher follow from them. */
void buskey_init(struct buskey *key, const uint8_t bytes[BUSKEY_SIZE]);

/* Makes a new random key. */
void buskey_generate(struct buskey *key);

/* Wipes and frees; the struct is then all zero. An all-zero struct is allowed. */
void buskey_fini(struct buskey *key);

/* The id of these bytes, without making a key. */
uint16_t buskey_id_of(const uint8_t bytes[BUSKEY_SIZE]);

/* The line of the file, with its newline. */
void buskey_format(const struct buskey *key, char out[BUSKEY_TEXT_SIZE]);

/*
 * Reads the line (a trailing newline is optional). On success *key must be ended with
 * buskey_fini(). -EINVAL: err says what is wrong with it, *key is all zero.
 */
int buskey_parse(const char *text, struct buskey *key, char *err, size_t err_size);

/*
 * Reads the file. Refuses one whose mode is wider than 0600.
 * -errno or -EINVAL: err holds lines "what / why: / try:" without a final newline.
 */
int buskey_load(const char *path, struct buskey *key, char *err, size_t err_size);

/*
 * Adds the key of these bytes. 0, also when it is there already; -EEXIST when another key has
 * its id; -ENOSPC when the ring is full.
 */
int keyring_add(struct keyring *ring, const uint8_t bytes[BUSKEY_SIZE]);

/* Borrowed until the ring is changed, or NULL. */
const struct buskey *keyring_find(const struct keyring *ring, uint16_t id);

/* Forgets a key; an unknown id is allowed. Borrowed keys become invalid. */
void keyring_remove(struct keyring *ring, uint16_t id);

/* Wipes and frees all keys; the ring is then empty. */
void keyring_fini(struct keyring *ring);

#endif
