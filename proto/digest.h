/*
 * digest.h - SHA-256, its hex form, and randomness.
 *
 * Everything chime names by content (frames, bodies, keys, environments, job definitions) is
 * named by SHA-256; this is its one type.
 */
#ifndef CHIME_PROTO_DIGEST_H
#define CHIME_PROTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DIGEST_SIZE = 32,
	DIGEST_HEX_SIZE = 2 * DIGEST_SIZE + 1,	/* with the NUL */
};

struct digest { uint8_t b[DIGEST_SIZE]; };

/* One stretch of input; data may be NULL when len is 0. */
struct digest_part {
	const void *data;
	size_t len;
};

/* SHA-256 of one buffer. */
void digest_of(const void *data, size_t len, struct digest *out);

/* SHA-256 of the parts, one after the other, nothing between them. */
void digest_of_parts(const struct digest_part *parts, size_t count, struct digest *out);

/* Takes constant time. */
bool digest_equal(const struct digest *a, const struct digest *b);

/* True when every byte is 0, the value that stands for "none". */
bool digest_is_zero(const struct digest *d);

/* 64 lower-case hex digits and a NUL. */
void digest_hex(const struct digest *d, char out[DIGEST_HEX_SIZE]);

/* Reads exactly 64 hex digits, either case; -EINVAL leaves *out untouched. */
int digest_parse(const char *text, struct digest *out);

/* Writes 2 * len lower-case hex digits and a NUL; out must have room for 2 * len + 1. */
void digest_hex_encode(const void *data, size_t len, char *out);

/* Reads exactly 2 * len hex digits that end the text; -EINVAL, out then undefined. */
int digest_hex_decode(const char *text, void *out, size_t len);

/* Random bytes fit for keys, from getrandom(2); waits at early boot, never fails. */
void digest_random(void *out, size_t len);

#endif
