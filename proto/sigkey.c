#include "proto/sigkey.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_SIZE = SIGKEY_SIGNATURE_SIZE / 2, SIGNATURE_DER_MAX = 72 };

struct sigkey { EVP_PKEY *evp; };
struct pubkey { EVP_PKEY *evp; };

static bool is_p256(EVP_PKEY *key)
{
	char group[32] = "";
	size_t len;

	return EVP_PKEY_is_a(key, "EC") &&
		EVP_PKEY_get_group_name(key, group, sizeof group, &len) &&
		strcmp(group, "prime256v1") == 0;
}

static struct pubkey *new_pubkey(EVP_PKEY *evp)
{
	struct pubkey *key = malloc(sizeof *key);

	assert(key);
	key->evp = evp;
	return key;
}

struct sigkey *sigkey_of(EVP_PKEY *evp)
{
	if (!is_p256(evp) || !EVP_PKEY_up_ref(evp))
		return NULL;
	struct sigkey *key = malloc(sizeof *key);
	assert(key);
	key->evp = evp;
	return key;
}

struct sigkey *sigkey_generate(void)
{
	EVP_PKEY *evp = EVP_EC_gen("P-256");

	assert(evp);
	struct sigkey *key = sigkey_of(evp);
	EVP_PKEY_free(evp);
	assert(key);
	return key;
}

void sigkey_free(struct sigkey *key)
{
	if (key)
		EVP_PKEY_free(key->evp);
	free(key);
}

EVP_PKEY *sigkey_evp(const struct sigkey *key)
{
	return key->evp;
}

struct pubkey *pubkey_of_sigkey(const struct sigkey *key)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key->evp, &der);

	assert(len > 0);
	const unsigned char *at = der;
	EVP_PKEY *evp = d2i_PUBKEY(NULL, &at, len);
	OPENSSL_free(der);
	assert(evp);
	return new_pubkey(evp);
}

struct pubkey *pubkey_of_certificate(const void *der, size_t len)
{
	struct pubkey *key = NULL;
	const unsigned char *at = der;

	if (len > LONG_MAX)
		return NULL;
	X509 *certificate = d2i_X509(NULL, &at, (long)len);
	if (certificate && at == (const unsigned char *)der + len) {
		EVP_PKEY *evp = X509_get0_pubkey(certificate);
		if (evp && is_p256(evp) && EVP_PKEY_up_ref(evp))
			key = new_pubkey(evp);
	}
	X509_free(certificate);
	ERR_clear_error();
	return key;
}

void pubkey_free(struct pubkey *key)
{
	if (key)
		EVP_PKEY_free(key->evp);
	free(key);
}

/* OpenSSL speaks DER, whose length varies; the wire wants a fixed one. */
static bool signature_from_der(const uint8_t *der, size_t len, uint8_t *out)
{
	const BIGNUM *r, *s;

	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	if (!sig)
		return false;
	ECDSA_SIG_get0(sig, &r, &s);
	bool ok = BN_bn2binpad(r, out, NUMBER_SIZE) == NUMBER_SIZE &&
		BN_bn2binpad(s, out + NUMBER_SIZE, NUMBER_SIZE) == NUMBER_SIZE;
	ECDSA_SIG_free(sig);
	return ok;
}

/* Length of the DER form, or 0. */
static size_t signature_to_der(const uint8_t *in, uint8_t out[SIGNATURE_DER_MAX])
{
	size_t len = 0;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(in, NUMBER_SIZE, NULL);
	BIGNUM *s = BN_bin2bn(in + NUMBER_SIZE, NUMBER_SIZE, NULL);

	assert(sig && r && s);
	ECDSA_SIG_set0(sig, r, s);
	int need = i2d_ECDSA_SIG(sig, NULL);
	if (need > 0 && need <= SIGNATURE_DER_MAX)
		len = (size_t)i2d_ECDSA_SIG(sig, &out);
	ECDSA_SIG_free(sig);
	return len;
}

int sigkey_sign(const struct sigkey *key, const void *prefix, size_t prefix_len,
	const void *message, size_t len, uint8_t out[SIGKEY_SIGNATURE_SIZE])
{
	uint8_t der[SIGNATURE_DER_MAX];
	size_t der_len = sizeof der;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert(ctx);
	bool ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->evp) == 1 &&
		EVP_DigestSignUpdate(ctx, prefix, prefix_len) == 1 &&
		EVP_DigestSignUpdate(ctx, message, len) == 1 &&
		EVP_DigestSignFinal(ctx, der, &der_len) == 1 &&
		signature_from_der(der, der_len, out);
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok ? 0 : -EIO;
}

bool pubkey_verify(const struct pubkey *key, const void *prefix, size_t prefix_len,
	const void *message, size_t len, const uint8_t signature[SIGKEY_SIGNATURE_SIZE])
{
	uint8_t der[SIGNATURE_DER_MAX];
	size_t der_len = signature_to_der(signature, der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert(ctx);
	bool ok = der_len > 0 &&
		EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->evp) == 1 &&
		EVP_DigestVerifyUpdate(ctx, prefix, prefix_len) == 1 &&
		EVP_DigestVerifyUpdate(ctx, message, len) == 1 &&
		EVP_DigestVerifyFinal(ctx, der, der_len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}
