/*
 * peek.h - reads single fields of a packed protobuf message without unpacking it.
 *
 * Who carries messages needs no more than their number and where they come from; unpacking them
 * is for those who act on them. Takes no memory, so a small message can't become a large one.
 *
 * Only the top level is looked at. As in protobuf, the last of several equal fields counts.
 */
#ifndef CHIME_PROTO_PEEK_H
#define CHIME_PROTO_PEEK_H

#include <stddef.h>
#include <stdint.h>

/* Field numbers of control.proto; a test compares them with the generated descriptors. */
enum {
	PEEK_REQUEST_ID = 1,
	PEEK_REPLY_ID = 1,
	PEEK_REPLY_HELLO = 16,
	PEEK_REPLY_REFUSAL = 17,
	PEEK_HELLO_ENVIRONMENT_ID = 4,
	PEEK_REFUSAL_WHAT = 2,
	PEEK_REFUSAL_WHY = 3,
	/* An id appended to a packed message: one byte of tag and a number. */
	PEEK_ID_SIZE_MAX = 1 + 10,
};

enum peek_verdict {
	PEEK_FOUND,
	PEEK_ABSENT,		/* well formed, without that field */
	PEEK_MALFORMED,		/* not a protobuf message */
	PEEK_VERDICT_COUNT
};

/* The varint field `field`; *value is 0 unless PEEK_FOUND. */
enum peek_verdict peek_number(const void *message, size_t len, uint32_t field, uint64_t *value);

/* The string, bytes or message field `field`, borrowed; NULL and 0 unless PEEK_FOUND. */
enum peek_verdict peek_bytes(const void *message, size_t len, uint32_t field,
			     const uint8_t **data, size_t *data_len);

/* Writes field 1 = id, which put behind a packed Request or Reply replaces its id; returns how
 * many bytes. */
size_t peek_format_id(uint64_t id, uint8_t out[PEEK_ID_SIZE_MAX]);

/* A short lower-case word for counters and logs, never NULL. */
const char *peek_verdict_name(enum peek_verdict verdict);

#endif
