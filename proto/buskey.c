#include "proto/buskey.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "proto/digest.h"
#include "proto/keyfile.h"

static const char word[] = "chime-bus-key1 ";

enum {
	WORD_LEN = sizeof word - 1,
	ID_AT = WORD_LEN,
	KEY_AT = WORD_LEN + 5,
	LINE_LEN = KEY_AT + 2 * BUSKEY_SIZE,
};

uint16_t buskey_id_of(const uint8_t bytes[BUSKEY_SIZE])
{
	struct digest d;

	digest_of(bytes, BUSKEY_SIZE, &d);
	return (uint16_t)(d.b[0] << 8 | d.b[1]);
}

void buskey_init(struct buskey *key, const uint8_t bytes[BUSKEY_SIZE])
{
	memcpy(key->bytes, bytes, BUSKEY_SIZE);
	key->id = buskey_id_of(bytes);
	key->cipher = xaes_new(bytes);
}

void buskey_generate(struct buskey *key)
{
	uint8_t bytes[BUSKEY_SIZE];

	digest_random(bytes, sizeof bytes);
	buskey_init(key, bytes);
	OPENSSL_cleanse(bytes, sizeof bytes);
}

void buskey_fini(struct buskey *key)
{
	xaes_free(key->cipher);
	OPENSSL_cleanse(key, sizeof *key);
}

void buskey_format(const struct buskey *key, char out[BUSKEY_TEXT_SIZE])
{
	char hex[2 * BUSKEY_SIZE + 1];

	digest_hex_encode(key->bytes, BUSKEY_SIZE, hex);
	snprintf(out, BUSKEY_TEXT_SIZE, "%s%04x %s\n", word, key->id, hex);
	OPENSSL_cleanse(hex, sizeof hex);
}

static const char *read_line(const char *text, size_t len, uint8_t bytes[BUSKEY_SIZE])
{
	char id_text[5], hex[2 * BUSKEY_SIZE + 1];
	uint8_t id[2];
	const char *why = NULL;

	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len < WORD_LEN || memcmp(text, word, WORD_LEN) != 0)
		return "it does not begin with 'chime-bus-key1 '";
	if (len != LINE_LEN || text[KEY_AT - 1] != ' ')
		return "it is not one line 'chime-bus-key1 KEYID HEX64'";

	memcpy(id_text, text + ID_AT, 4);
	id_text[4] = '\0';
	memcpy(hex, text + KEY_AT, sizeof hex - 1);
	hex[sizeof hex - 1] = '\0';
	if (digest_hex_decode(id_text, id, sizeof id) < 0)
		why = "its key id is not four hex digits";
	else if (digest_hex_decode(hex, bytes, BUSKEY_SIZE) < 0)
		why = "its key is not 64 hex digits";
	else if (buskey_id_of(bytes) != (uint16_t)(id[0] << 8 | id[1]))
		why = "its key id does not belong to its key: a digit was changed";
	OPENSSL_cleanse(hex, sizeof hex);
	return why;
}

static const char *parse_key(const char *text, size_t len, struct buskey *key)
{
	uint8_t bytes[BUSKEY_SIZE];

	const char *why = read_line(text, len, bytes);
	if (!why)
		buskey_init(key, bytes);
	OPENSSL_cleanse(bytes, sizeof bytes);
	return why;
}

int buskey_parse(const char *text, struct buskey *key, char *err, size_t err_size)
{
	memset(key, 0, sizeof *key);
	const char *why = parse_key(text, strlen(text), key);
	if (!why)
		return 0;
	return keyfile_error(err, err_size, -EINVAL, "this is not a bus key", why, NULL);
}

int buskey_load(const char *path, struct buskey *key, char *err, size_t err_size)
{
	char what[KEYFILE_ERR_SIZE / 2], *text;
	size_t len;

	memset(key, 0, sizeof *key);
	int rc = keyfile_read(path, "the bus key", true, &text, &len, err, err_size);
	if (rc < 0)
		return rc;
	const char *why = parse_key(text, len, key);
	keyfile_free(text, len);
	if (!why)
		return 0;
	snprintf(what, sizeof what, "cannot use the bus key %s", path);
	return keyfile_error(err, err_size, -EINVAL, what, why,
		"copy bus.key again from another server of the environment");
}

const struct buskey *keyring_find(const struct keyring *ring, uint16_t id)
{
	for (size_t i = 0; i < ring->count; i++) {
		if (ring->keys[i].id == id)
			return &ring->keys[i];
	}
	return NULL;
}

int keyring_add(struct keyring *ring, const uint8_t bytes[BUSKEY_SIZE])
{
	const struct buskey *same = keyring_find(ring, buskey_id_of(bytes));

	if (same)
		return CRYPTO_memcmp(same->bytes, bytes, BUSKEY_SIZE) == 0 ? 0 : -EEXIST;
	if (ring->count == KEYRING_MAX)
		return -ENOSPC;
	buskey_init(&ring->keys[ring->count++], bytes);
	return 0;
}

void keyring_remove(struct keyring *ring, uint16_t id)
{
	for (size_t i = 0; i < ring->count; i++) {
		if (ring->keys[i].id != id)
			continue;
		buskey_fini(&ring->keys[i]);
		/* The last one moves with its cipher; what it leaves must not own it too. */
		struct buskey *last = &ring->keys[--ring->count];
		if (last != &ring->keys[i]) {
			ring->keys[i] = *last;
			OPENSSL_cleanse(last, sizeof *last);
		}
		return;
	}
}

void keyring_fini(struct keyring *ring)
{
	for (size_t i = 0; i < ring->count; i++)
		buskey_fini(&ring->keys[i]);
	ring->count = 0;
}
