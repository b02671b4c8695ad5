#include "client/record/clear.h"

#include "proto/bytes.h"

#include <string.h>

enum { MAGIC_SIZE = 4, CLEAR_VERSION = 1 };

size_t clear_format(const uint8_t *sealed, const struct opened *opened, uint8_t out[CLEAR_MAX])
{
	memcpy(out, sealed, ENVELOPE_HEADER_SIZE);
	memcpy(out, CLEAR_MAGIC, MAGIC_SIZE);
	memcpy(out + ENVELOPE_HEADER_SIZE, opened->bytes, opened->len);
	return ENVELOPE_HEADER_SIZE + opened->len;
}

enum envelope_verdict clear_parse(const void *in, size_t len, const void **plain,
				  size_t *plain_len)
{
	struct cursor c = { in, len, false };
	const uint8_t *magic;

	if (len < ENVELOPE_HEADER_SIZE)
		return ENVELOPE_TOO_SHORT;
	if (len > CLEAR_MAX)
		return ENVELOPE_TOO_LONG;
	magic = cursor_take(&c, MAGIC_SIZE);
	if (memcmp(magic, CLEAR_MAGIC, MAGIC_SIZE) != 0)
		return ENVELOPE_BAD_MAGIC;
	if (cursor_number(&c, 1) != CLEAR_VERSION || cursor_number(&c, 1) != 0)
		return ENVELOPE_BAD_VERSION;
	*plain = (const uint8_t *)in + ENVELOPE_HEADER_SIZE;
	*plain_len = len - ENVELOPE_HEADER_SIZE;
	return ENVELOPE_OK;
}
