#include "proto/digest.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

void digest_of(const void *data, size_t len, struct digest *out)
{
	struct digest_part part = { data, len };

	digest_of_parts(&part, 1, out);
}

void digest_of_parts(const struct digest_part *parts, size_t count, struct digest *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert(ctx);
	int ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	for (size_t i = 0; ok && i < count; i++) {
		if (parts[i].len > 0)
			ok = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len);
	}
	ok = ok && EVP_DigestFinal_ex(ctx, out->b, NULL);
	EVP_MD_CTX_free(ctx);
	/* SHA-256 over memory can only fail for want of memory or a broken installation. */
	assert(ok);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return CRYPTO_memcmp(a->b, b->b, DIGEST_SIZE) == 0;
}

bool digest_is_zero(const struct digest *d)
{
	static const struct digest zero;

	return digest_equal(d, &zero);
}

void digest_hex_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int digest_hex_decode(const char *text, void *out, size_t len)
{
	uint8_t *bytes = out;

	for (size_t i = 0; i < len; i++) {
		int high = hex_value(text[2 * i]);
		/* The second digit is only there to be read when the first one was. */
		int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);
		if (low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * len] == '\0' ? 0 : -EINVAL;
}

void digest_hex(const struct digest *d, char out[DIGEST_HEX_SIZE])
{
	digest_hex_encode(d->b, DIGEST_SIZE, out);
}

int digest_parse(const char *text, struct digest *out)
{
	struct digest d;

	int rc = digest_hex_decode(text, d.b, DIGEST_SIZE);
	if (rc == 0)
		*out = d;
	return rc;
}

void digest_random(void *out, size_t len)
{
	uint8_t *bytes = out;

	while (len > 0) {
		ssize_t n = getrandom(bytes, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		/* Without randomness no key or nonce may be made: better to end here. */
		assert(n > 0);
		bytes += n;
		len -= (size_t)n;
	}
}
