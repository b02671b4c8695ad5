#include "proto/peek.h"

#include <stdbool.h>

#include "proto/bytes.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* The largest field number protobuf knows. */
enum { FIELD_MAX = (1 << 29) - 1 };

struct field {
	uint64_t number, value;
	unsigned wire;
	const uint8_t *data;
	size_t len;
};

static bool take_varint(struct cursor *c, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		const uint8_t *at = cursor_take(c, 1);

		if (!at)
			return false;
		/* The tenth byte has room for one bit; what is above it is lost, as everywhere. */
		*value |= (uint64_t)(*at & 0x7f) << shift;
		if (!(*at & 0x80))
			return true;
	}
	return false;
}

static bool take_field(struct cursor *c, struct field *f)
{
	uint64_t tag, len;

	*f = (struct field){ 0 };
	if (!take_varint(c, &tag))
		return false;
	f->number = tag >> 3;
	f->wire = tag & 7;
	if (f->number == 0 || f->number > FIELD_MAX)
		return false;
	switch (f->wire) {
	case WIRE_VARINT:
		return take_varint(c, &f->value);
	case WIRE_FIXED64:
		return cursor_take(c, 8) != NULL;
	case WIRE_FIXED32:
		return cursor_take(c, 4) != NULL;
	case WIRE_BYTES:
		if (!take_varint(c, &len) || len > c->left)
			return false;
		f->len = len;
		f->data = cursor_take(c, len);
		return f->data != NULL;
	default:
		return false;
	}
}

static enum peek_verdict find_field(const void *message, size_t len, uint32_t number,
				    unsigned wire, struct field *found)
{
	struct cursor c = { message, len, false };
	enum peek_verdict verdict = PEEK_ABSENT;
	struct field f;

	*found = (struct field){ 0 };
	while (c.left > 0) {
		if (!take_field(&c, &f)) {
			*found = (struct field){ 0 };
			return PEEK_MALFORMED;
		}
		if (f.number == number && f.wire == wire) {
			*found = f;
			verdict = PEEK_FOUND;
		}
	}
	return verdict;
}

enum peek_verdict peek_number(const void *message, size_t len, uint32_t field, uint64_t *value)
{
	struct field f;
	enum peek_verdict verdict = find_field(message, len, field, WIRE_VARINT, &f);

	*value = f.value;
	return verdict;
}

enum peek_verdict peek_bytes(const void *message, size_t len, uint32_t field,
			     const uint8_t **data, size_t *data_len)
{
	struct field f;
	enum peek_verdict verdict = find_field(message, len, field, WIRE_BYTES, &f);

	*data = f.data;
	*data_len = f.len;
	return verdict;
}

size_t peek_format_id(uint64_t id, uint8_t out[PEEK_ID_SIZE_MAX])
{
	size_t len = 0;

	out[len++] = PEEK_REQUEST_ID << 3 | WIRE_VARINT;
	for (; id >= 0x80; id >>= 7)
		out[len++] = (uint8_t)(id | 0x80);
	out[len++] = (uint8_t)id;
	return len;
}

const char *peek_verdict_name(enum peek_verdict verdict)
{
	static const char *const names[] = {
		[PEEK_FOUND] = "found",
		[PEEK_ABSENT] = "absent",
		[PEEK_MALFORMED] = "malformed",
	};

	_Static_assert(sizeof names / sizeof *names == PEEK_VERDICT_COUNT, "a name each");
	return (unsigned)verdict < PEEK_VERDICT_COUNT ? names[verdict] : "unknown";
}
