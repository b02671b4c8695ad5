#include "proto/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bytes.h"

enum { PREFIX_SIZE = 4 };

static size_t buffer_len(const struct stream_buffer *b)
{
	return b->end - b->start;
}

static const uint8_t *buffer_at(const struct stream_buffer *b)
{
	return b->bytes ? b->bytes + b->start : NULL;
}

/* Room for len more bytes at the end. Grows by doubling; sizes are bounded by the callers. */
static void reserve_room(struct stream_buffer *b, size_t len)
{
	if (b->start == b->end)
		b->start = b->end = 0;
	if (b->cap - b->end >= len)
		return;
	/* Moving is worth it once half is dead, so each byte is moved about once. */
	if (b->start > 0 && b->start >= b->cap / 2) {
		memmove(b->bytes, b->bytes + b->start, buffer_len(b));
		b->end -= b->start;
		b->start = 0;
		if (b->cap - b->end >= len)
			return;
	}
	size_t cap = b->cap ? b->cap : 4096;
	while (cap - b->end < len)
		cap *= 2;
	b->bytes = realloc(b->bytes, cap);
	assert(b->bytes);
	b->cap = cap;
}

static void append_bytes(struct stream_buffer *b, const void *data, size_t len)
{
	if (len > 0)
		memcpy(b->bytes + b->end, data, len);
	b->end += len;
}

/* An idle connection keeps no large buffer. */
static void drop_empty(struct stream_buffer *b)
{
	if (b->start != b->end || b->cap <= STREAM_READ_SIZE)
		return;
	free(b->bytes);
	*b = (struct stream_buffer){ 0 };
}

void stream_init(struct stream *s, uint32_t limit)
{
	*s = (struct stream){ .limit = limit };
}

void stream_fini(struct stream *s)
{
	free(s->in.bytes);
	free(s->out.bytes);
	*s = (struct stream){ 0 };
}

void stream_set_limit(struct stream *s, uint32_t limit)
{
	s->limit = limit;
}

size_t stream_room(const struct stream *s)
{
	size_t most = (size_t)s->limit + PREFIX_SIZE + STREAM_READ_SIZE;
	size_t have = buffer_len(&s->in);

	return have < most ? most - have : 0;
}

void stream_feed(struct stream *s, const void *data, size_t len)
{
	assert(len <= stream_room(s));
	/* Nothing that follows a broken length means anything. */
	if (s->broken)
		return;
	drop_empty(&s->in);
	reserve_room(&s->in, len);
	append_bytes(&s->in, data, len);
}

enum stream_verdict stream_take(struct stream *s, const uint8_t **data, size_t *len)
{
	struct cursor c = { buffer_at(&s->in), buffer_len(&s->in), false };

	if (s->broken)
		return STREAM_TOO_LARGE;
	uint64_t size = cursor_number(&c, PREFIX_SIZE);
	if (c.overrun)
		return STREAM_MORE;
	if (size > s->limit) {
		s->broken = true;
		return STREAM_TOO_LARGE;
	}
	const uint8_t *at = cursor_take(&c, size);
	if (!at)
		return STREAM_MORE;
	s->in.start += PREFIX_SIZE + size;
	*data = at;
	*len = size;
	return STREAM_MESSAGE;
}

bool stream_at_boundary(const struct stream *s)
{
	return !s->broken && s->in.start == s->in.end;
}

int stream_put(struct stream *s, const void *data, size_t len)
{
	uint8_t prefix[PREFIX_SIZE];

	if (len > s->limit)
		return -EMSGSIZE;
	if (buffer_len(&s->out) + PREFIX_SIZE + len > STREAM_QUEUE_MAX)
		return -ENOBUFS;
	bytes_put(prefix, len, sizeof prefix);
	reserve_room(&s->out, sizeof prefix + len);
	append_bytes(&s->out, prefix, sizeof prefix);
	append_bytes(&s->out, data, len);
	return 0;
}

const uint8_t *stream_outgoing(const struct stream *s, size_t *len)
{
	*len = buffer_len(&s->out);
	return buffer_at(&s->out);
}

void stream_sent(struct stream *s, size_t len)
{
	assert(len <= buffer_len(&s->out));
	s->out.start += len;
	drop_empty(&s->out);
}

const char *stream_verdict_name(enum stream_verdict verdict)
{
	static const char *const names[] = {
		[STREAM_MESSAGE] = "message",
		[STREAM_MORE] = "more",
		[STREAM_TOO_LARGE] = "too_large",
	};

	_Static_assert(sizeof names / sizeof *names == STREAM_VERDICT_COUNT, "a name each");
	return (unsigned)verdict < STREAM_VERDICT_COUNT ? names[verdict] : "unknown";
}
