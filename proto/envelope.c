#include "proto/envelope.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proto/digest.h"

enum { VERSION = 1, VERSION_AT = 4, FLAGS_AT = 5, KEY_ID_AT = 6, NONCE_AT = 8 };

enum { AAD_SIZE = ENVELOPE_HEADER_SIZE + ENVIRONMENT_ID_SIZE };

static void make_nonce(const void *plain, size_t len, uint8_t out[XAES_NONCE_SIZE])
{
	uint8_t random[32];
	struct digest d;

	digest_random(random, sizeof random);
	struct digest_part parts[] = { { random, sizeof random }, { plain, len } };
	digest_of_parts(parts, 2, &d);
	memcpy(out, d.b, XAES_NONCE_SIZE);
}

static void make_aad(const uint8_t header[ENVELOPE_HEADER_SIZE],
	const uint8_t env_id[ENVIRONMENT_ID_SIZE], uint8_t out[AAD_SIZE])
{
	memcpy(out, header, ENVELOPE_HEADER_SIZE);
	memcpy(out + ENVELOPE_HEADER_SIZE, env_id, ENVIRONMENT_ID_SIZE);
}

int envelope_seal(const struct buskey *key, const uint8_t env_id[ENVIRONMENT_ID_SIZE],
	const void *plain, size_t len, uint8_t *out, size_t cap, size_t *out_len)
{
	uint8_t aad[AAD_SIZE];

	if (len > ENVELOPE_PLAIN_MAX || len + ENVELOPE_OVERHEAD > cap)
		return -EMSGSIZE;
	memcpy(out, ENVELOPE_MAGIC, 4);
	out[VERSION_AT] = VERSION;
	out[FLAGS_AT] = 0;
	out[KEY_ID_AT] = (uint8_t)(key->id >> 8);
	out[KEY_ID_AT + 1] = (uint8_t)key->id;
	make_nonce(plain, len, out + NONCE_AT);
	make_aad(out, env_id, aad);
	xaes_seal(key->cipher, out + NONCE_AT, aad, sizeof aad, plain, len,
		out + ENVELOPE_HEADER_SIZE);
	*out_len = len + ENVELOPE_OVERHEAD;
	return 0;
}

enum envelope_verdict envelope_open(const struct keyring *ring,
	const uint8_t env_id[ENVIRONMENT_ID_SIZE], const void *in, size_t len,
	struct opened *out)
{
	const uint8_t *bytes = in;
	uint8_t aad[AAD_SIZE];

	if (len < ENVELOPE_OVERHEAD)
		return ENVELOPE_TOO_SHORT;
	if (len > ENVELOPE_INPUT_MAX)
		return ENVELOPE_TOO_LONG;
	if (memcmp(bytes, ENVELOPE_MAGIC, 4) != 0)
		return ENVELOPE_BAD_MAGIC;
	if (bytes[VERSION_AT] != VERSION || bytes[FLAGS_AT] != 0)
		return ENVELOPE_BAD_VERSION;
	uint16_t id = (uint16_t)(bytes[KEY_ID_AT] << 8 | bytes[KEY_ID_AT + 1]);
	const struct buskey *key = keyring_find(ring, id);
	if (!key)
		return ENVELOPE_UNKNOWN_KEY;
	make_aad(bytes, env_id, aad);
	if (xaes_open(key->cipher, bytes + NONCE_AT, aad, sizeof aad,
			bytes + ENVELOPE_HEADER_SIZE, len - ENVELOPE_HEADER_SIZE, out->bytes) < 0)
		return ENVELOPE_NOT_AUTHENTIC;
	out->len = len - ENVELOPE_OVERHEAD;
	out->key_id = id;
	return ENVELOPE_OK;
}

const char *envelope_verdict_name(enum envelope_verdict verdict)
{
	static const char *const names[] = {
		[ENVELOPE_OK] = "ok",
		[ENVELOPE_TOO_SHORT] = "too_short",
		[ENVELOPE_TOO_LONG] = "too_long",
		[ENVELOPE_BAD_MAGIC] = "bad_magic",
		[ENVELOPE_BAD_VERSION] = "bad_version",
		[ENVELOPE_UNKNOWN_KEY] = "unknown_key",
		[ENVELOPE_NOT_AUTHENTIC] = "not_authentic",
	};

	_Static_assert(sizeof names / sizeof *names == ENVELOPE_VERDICT_COUNT, "a name each");
	return (unsigned)verdict < ENVELOPE_VERDICT_COUNT ? names[verdict] : "unknown";
}
