/*
 * stream.h - messages on a byte stream: u32 big-endian length, then that many bytes.
 *
 * Pure: it is fed what was read and gives what is to be written; it does no I/O.
 *
 * Invariants
 * 1. A length above the limit is refused when its four bytes are there, before any memory is
 *    taken for it; the stream is then broken for good.
 * 2. Buffered input never exceeds limit + 4 + STREAM_READ_SIZE bytes: who does not take
 *    messages gets no room to feed more, and so stops reading.
 * 3. Buffered output never exceeds STREAM_QUEUE_MAX.
 */
#ifndef CHIME_PROTO_STREAM_H
#define CHIME_PROTO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STREAM_LIMIT_HELLO = 16 * 1024,		/* before HELLO */
	STREAM_LIMIT = 1024 * 1024,		/* after it */
	STREAM_READ_SIZE = 16 * 1024,
	STREAM_QUEUE_MAX = 4 * 1024 * 1024,
};

enum stream_verdict {
	STREAM_MESSAGE,			/* a whole message was taken */
	STREAM_MORE,			/* none yet */
	STREAM_TOO_LARGE,		/* the peer announced more than the limit */
	STREAM_VERDICT_COUNT
};

struct stream_buffer {
	uint8_t *bytes;
	size_t start, end, cap;
};

/* One connection's two directions. */
struct stream {
	uint32_t limit;
	bool broken;
	struct stream_buffer in, out;
};

/* limit: largest message in either direction, in bytes. */
void stream_init(struct stream *s, uint32_t limit);

void stream_fini(struct stream *s);

/* Takes effect for the next message taken or put. */
void stream_set_limit(struct stream *s, uint32_t limit);

/* How many bytes may be fed now; 0 only while whole messages wait to be taken. */
size_t stream_room(const struct stream *s);

/* Hands in what was read; len <= stream_room(). Ends the borrowing of a taken message. */
void stream_feed(struct stream *s, const void *data, size_t len);

/*
 * Takes the next message; for STREAM_MESSAGE *data and *len are borrowed until the next call
 * with this stream but for the outgoing side. A message may be empty.
 */
enum stream_verdict stream_take(struct stream *s, const uint8_t **data, size_t *len);

/* True when the input ends between two messages: an end there is in order. */
bool stream_at_boundary(const struct stream *s);

/* Queues a message. -EMSGSIZE above the limit, -ENOBUFS when the queue would be too long. */
int stream_put(struct stream *s, const void *data, size_t len);

/* What is to be written next, borrowed until the next stream_put() or stream_sent();
 * NULL is possible when *len is 0. */
const uint8_t *stream_outgoing(const struct stream *s, size_t *len);

/* Says that so many bytes of it were written. */
void stream_sent(struct stream *s, size_t len);

/* A short lower-case word for counters and logs, never NULL. */
const char *stream_verdict_name(enum stream_verdict verdict);

#endif
