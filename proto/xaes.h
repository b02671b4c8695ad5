/*
 * xaes.h - XAES-256-GCM, the cipher of the envelope (c2sp.org/XAES-256-GCM).
 *
 * AES-256-GCM under a key derived from the 256-bit key and the first half of a 192-bit nonce,
 * so that nonces may be chosen at random without a counter anybody has to keep.
 */
#ifndef CHIME_PROTO_XAES_H
#define CHIME_PROTO_XAES_H

#include <stddef.h>
#include <stdint.h>

enum {
	XAES_KEY_SIZE = 32,
	XAES_NONCE_SIZE = 24,
	XAES_TAG_SIZE = 16,
};

/* A key made ready: its AES schedule and subkey, computed once. Not to be shared by threads. */
struct xaes;

/* Never NULL: the process ends when OpenSSL can't give AES. */
struct xaes *xaes_new(const uint8_t key[XAES_KEY_SIZE]);

/* Wipes the key; NULL is allowed. */
void xaes_free(struct xaes *x);

/*
 * Encrypts len bytes into out: len bytes of ciphertext, then the tag of XAES_TAG_SIZE.
 * out must not overlap plain. aad may be NULL when aad_len is 0.
 */
void xaes_seal(struct xaes *x, const uint8_t nonce[XAES_NONCE_SIZE], const void *aad,
	size_t aad_len, const void *plain, size_t len, uint8_t *out);

/*
 * Decrypts in (ciphertext and tag, len bytes in all) into out, len - XAES_TAG_SIZE bytes.
 * -EBADMSG when it was not sealed so, or len is shorter than a tag; out is then all zero.
 */
int xaes_open(struct xaes *x, const uint8_t nonce[XAES_NONCE_SIZE], const void *aad,
	size_t aad_len, const void *in, size_t len, uint8_t *out);

#endif
