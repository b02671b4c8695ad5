/*
 * xaes.c - the derivation of c2sp.org/XAES-256-GCM, on AES from OpenSSL.
 *
 * With E = AES-256 under K:
 *	L  = E(0^128);  K1 = L doubled in GF(2^128)                  (once per key)
 *	M1 = 00 01 'X' 00 N[0..11];  M2 = 00 02 'X' 00 N[0..11]
 *	Kx = E(M1 ^ K1) || E(M2 ^ K1);  Nx = N[12..23]               (once per nonce)
 *	AES-256-GCM under Kx with nonce Nx
 */
#include "proto/xaes.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 16, GCM_NONCE_SIZE = 12 };

struct xaes {
	EVP_CIPHER *gcm_cipher;
	EVP_CIPHER_CTX *ecb;		/* AES-256 under K */
	EVP_CIPHER_CTX *gcm;		/* keyed anew for each nonce */
	uint8_t k1[BLOCK_SIZE];
};

static void encrypt_blocks(struct xaes *x, const uint8_t *in, uint8_t *out, int len)
{
	int done = 0;

	int ok = EVP_EncryptUpdate(x->ecb, out, &done, in, len);
	assert(ok && done == len);
}

/* Multiplies by x in GF(2^128) as CMAC does; no branch on the secret. */
static void double_block(const uint8_t in[BLOCK_SIZE], uint8_t out[BLOCK_SIZE])
{
	uint8_t msb = in[0] >> 7;

	for (int i = 0; i < BLOCK_SIZE - 1; i++)
		out[i] = (uint8_t)(in[i] << 1 | in[i + 1] >> 7);
	out[BLOCK_SIZE - 1] = (uint8_t)(in[BLOCK_SIZE - 1] << 1 ^ (0x87 & -msb));
}

struct xaes *xaes_new(const uint8_t key[XAES_KEY_SIZE])
{
	static const uint8_t zero[BLOCK_SIZE];
	uint8_t l[BLOCK_SIZE];
	struct xaes *x = calloc(1, sizeof *x);

	assert(x);
	EVP_CIPHER *ecb_cipher = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
	x->gcm_cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	x->ecb = EVP_CIPHER_CTX_new();
	x->gcm = EVP_CIPHER_CTX_new();
	assert(ecb_cipher && x->gcm_cipher && x->ecb && x->gcm);

	int ok = EVP_EncryptInit_ex2(x->ecb, ecb_cipher, key, NULL, NULL) &&
		EVP_CIPHER_CTX_set_padding(x->ecb, 0);
	assert(ok);
	EVP_CIPHER_free(ecb_cipher);

	encrypt_blocks(x, zero, l, BLOCK_SIZE);
	double_block(l, x->k1);
	OPENSSL_cleanse(l, sizeof l);
	return x;
}

void xaes_free(struct xaes *x)
{
	if (!x)
		return;
	EVP_CIPHER_CTX_free(x->ecb);
	EVP_CIPHER_CTX_free(x->gcm);
	EVP_CIPHER_free(x->gcm_cipher);
	OPENSSL_cleanse(x, sizeof *x);
	free(x);
}

static void start_message(struct xaes *x, const uint8_t nonce[XAES_NONCE_SIZE], int encrypt)
{
	uint8_t m[2 * BLOCK_SIZE] = { 0 }, kx[2 * BLOCK_SIZE];

	m[1] = 1;
	m[BLOCK_SIZE + 1] = 2;
	m[2] = m[BLOCK_SIZE + 2] = 'X';
	memcpy(m + 4, nonce, GCM_NONCE_SIZE);
	memcpy(m + BLOCK_SIZE + 4, nonce, GCM_NONCE_SIZE);
	for (int i = 0; i < 2 * BLOCK_SIZE; i++)
		m[i] ^= x->k1[i % BLOCK_SIZE];
	encrypt_blocks(x, m, kx, sizeof kx);

	/* Naming the cipher again would throw the context away: only the first time. */
	EVP_CIPHER *cipher = EVP_CIPHER_CTX_get0_cipher(x->gcm) ? NULL : x->gcm_cipher;
	int ok = EVP_CipherInit_ex2(x->gcm, cipher, kx, nonce + GCM_NONCE_SIZE, encrypt, NULL);
	assert(ok);
	OPENSSL_cleanse(kx, sizeof kx);
	OPENSSL_cleanse(m, sizeof m);
}

static void add_aad(struct xaes *x, const void *aad, size_t len)
{
	int done;

	assert(len <= INT_MAX);
	if (len > 0) {
		int ok = EVP_CipherUpdate(x->gcm, NULL, &done, aad, (int)len);
		assert(ok);
	}
}

static void run_cipher(struct xaes *x, const uint8_t *in, size_t len, uint8_t *out)
{
	int done = 0;

	assert(len <= INT_MAX);
	if (len > 0) {
		int ok = EVP_CipherUpdate(x->gcm, out, &done, in, (int)len);
		assert(ok && (size_t)done == len);
	}
}

void xaes_seal(struct xaes *x, const uint8_t nonce[XAES_NONCE_SIZE], const void *aad,
	size_t aad_len, const void *plain, size_t len, uint8_t *out)
{
	uint8_t rest[BLOCK_SIZE];
	int done = 0;

	start_message(x, nonce, 1);
	add_aad(x, aad, aad_len);
	run_cipher(x, plain, len, out);
	int ok = EVP_CipherFinal_ex(x->gcm, rest, &done) && done == 0 &&
		EVP_CIPHER_CTX_ctrl(x->gcm, EVP_CTRL_AEAD_GET_TAG, XAES_TAG_SIZE, out + len);
	assert(ok);
}

int xaes_open(struct xaes *x, const uint8_t nonce[XAES_NONCE_SIZE], const void *aad,
	size_t aad_len, const void *in, size_t len, uint8_t *out)
{
	uint8_t rest[BLOCK_SIZE], tag[XAES_TAG_SIZE];
	int done = 0;

	if (len < XAES_TAG_SIZE)
		return -EBADMSG;
	len -= XAES_TAG_SIZE;
	memcpy(tag, (const uint8_t *)in + len, XAES_TAG_SIZE);

	start_message(x, nonce, 0);
	add_aad(x, aad, aad_len);
	run_cipher(x, in, len, out);
	int ok = EVP_CIPHER_CTX_ctrl(x->gcm, EVP_CTRL_AEAD_SET_TAG, XAES_TAG_SIZE, tag);
	assert(ok);
	if (!EVP_CipherFinal_ex(x->gcm, rest, &done)) {
		memset(out, 0, len);
		return -EBADMSG;
	}
	return 0;
}
