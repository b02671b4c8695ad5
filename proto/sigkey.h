/*
 * sigkey.h - ECDSA P-256 key pairs: what a server signs with and what others check with.
 *
 * A signature is 64 bytes, r then s, each 32 bytes big-endian, over SHA-256(prefix || message).
 * The prefix names what is signed ("chime head v1\0"), so that a signature made for one use is
 * worth nothing in another, TLS included.
 */
#ifndef CHIME_PROTO_SIGKEY_H
#define CHIME_PROTO_SIGKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evp_pkey_st;
struct x509_st;

enum { SIGKEY_SIGNATURE_SIZE = 64 };

/* A private key, and a public one. Never P-256 in name only: both are checked when made. */
struct sigkey;
struct pubkey;

/* A new key; never NULL. */
struct sigkey *sigkey_generate(void);

/* Takes a reference of its own; NULL when the key is not EC P-256. */
struct sigkey *sigkey_of(struct evp_pkey_st *key);

/* NULL is allowed. */
void sigkey_free(struct sigkey *key);

/* Borrowed from the key. */
struct evp_pkey_st *sigkey_evp(const struct sigkey *key);

/* Signs prefix || message. -EIO when OpenSSL can't. */
int sigkey_sign(const struct sigkey *key, const void *prefix, size_t prefix_len,
	const void *message, size_t len, uint8_t out[SIGKEY_SIGNATURE_SIZE]);

/* The public half of a private key; never NULL. */
struct pubkey *pubkey_of_sigkey(const struct sigkey *key);

/*
 * The public key in a certificate of foreign bytes; NULL when it is no certificate, has bytes
 * after it, or its key is not EC P-256. Says nothing about who signed it: identity_judge().
 */
struct pubkey *pubkey_of_certificate(const void *der, size_t len);

/* NULL is allowed. */
void pubkey_free(struct pubkey *key);

/* True when the signature is this key's for prefix || message. */
bool pubkey_verify(const struct pubkey *key, const void *prefix, size_t prefix_len,
	const void *message, size_t len, const uint8_t signature[SIGKEY_SIGNATURE_SIZE]);

#endif
