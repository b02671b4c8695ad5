/*
 * bytes.h - big-endian fields in byte strings: reading foreign ones, writing own ones.
 *
 * Reading past the end gives zeroes and NULL and is remembered, so that a parser may read a
 * group of fields and ask once.
 */
#ifndef CHIME_PROTO_BYTES_H
#define CHIME_PROTO_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes not yet read. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool overrun;
};

/* The next len bytes, or NULL when there are fewer. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t len)
{
	if (c->overrun || len > c->left) {
		c->overrun = true;
		c->left = 0;
		return NULL;
	}
	const uint8_t *at = c->at;
	c->at += len;
	c->left -= len;
	return at;
}

/* The next number of size bytes, size <= 8. */
static inline uint64_t cursor_number(struct cursor *c, size_t size)
{
	uint64_t value = 0;
	const uint8_t *at = cursor_take(c, size);

	for (size_t i = 0; at && i < size; i++)
		value = value << 8 | at[i];
	return value;
}

/* Writes the low size bytes of value; returns where the next field begins. */
static inline uint8_t *bytes_put(uint8_t *at, uint64_t value, size_t size)
{
	for (size_t i = size; i-- > 0; value >>= 8)
		at[i] = (uint8_t)value;
	return at + size;
}

#endif
