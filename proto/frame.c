#include "proto/frame.h"

#include <errno.h>
#include <string.h>

#include "proto/bytes.h"
#include "proto/names.h"

enum { VERSION = 1, KNOWN_FLAGS = FRAME_OPENS | FRAME_STUB };

/*
 * What a datagram holds besides envelope, frame and the sender's name: tags and lengths of the
 * three protobuf fields, and some room for those to come.
 */
enum { DATAGRAM_RESERVE = 32 };

static const char domain[] = "chime frame v1";	/* hashed with its NUL */

/* The hashed fields before prev_hash; at most FRAME_HEADER_MAX bytes. */
static size_t put_header(const struct frame *f, uint32_t flags, uint8_t *out)
{
	size_t origin_len = strlen(f->origin);
	uint8_t *at = out;

	*at++ = VERSION;
	*at++ = (uint8_t)flags;
	*at++ = (uint8_t)origin_len;
	memcpy(at, f->origin, origin_len);
	at += origin_len;
	at = bytes_put(at, f->lineage.boot, 8);
	at = bytes_put(at, f->lineage.tag, 8);
	at = bytes_put(at, f->first_seq, 8);
	at = bytes_put(at, f->count, 2);
	return (size_t)(at - out);
}

bool frame_origin_valid(const char *text, size_t len)
{
	char name[FRAME_ORIGIN_SIZE];

	if (len == 0 || len > FRAME_ORIGIN_MAX || memchr(text, '\0', len))
		return false;
	memcpy(name, text, len);
	name[len] = '\0';
	return name_server_valid(name, NULL);
}

size_t frame_body_room(size_t origin_len)
{
	/* The sender's name stands beside the frame; it is the origin's when first sent. */
	size_t room = ENVELOPE_DATAGRAM_MAX - ENVELOPE_OVERHEAD - DATAGRAM_RESERVE -
		FRAME_FIXED_SIZE - 2 * origin_len;

	return room < FRAME_BODY_MAX ? room : FRAME_BODY_MAX;
}

size_t frame_size(size_t origin_len, size_t body_len)
{
	return FRAME_FIXED_SIZE + origin_len + body_len;
}

static enum frame_verdict check_range(uint64_t first_seq, uint32_t count)
{
	if (count == 0 || count > FRAME_COUNT_MAX)
		return FRAME_BAD_COUNT;
	if (first_seq == 0 || first_seq > FRAME_SEQ_MAX - (count - 1))
		return FRAME_BAD_SEQ;
	return FRAME_OK;
}

int frame_build(struct frame *f, uint8_t *out, size_t cap)
{
	size_t origin_len = strnlen(f->origin, sizeof f->origin);

	if (!frame_origin_valid(f->origin, origin_len) || f->flags & ~(uint32_t)FRAME_OPENS ||
		check_range(f->first_seq, f->count) != FRAME_OK || f->body_len > FRAME_BODY_LIMIT)
		return -EINVAL;
	size_t size = frame_size(origin_len, f->body_len);
	if (size > cap)
		return -ENOSPC;

	uint8_t *at = out + put_header(f, f->flags, out);
	memcpy(at, f->prev_hash.b, DIGEST_SIZE);
	at = bytes_put(at + DIGEST_SIZE, f->body_len, 4);
	if (f->body_len > 0)
		memcpy(at, f->body, f->body_len);
	f->body = at;
	digest_of(f->body, f->body_len, &f->body_hash);
	f->raw = out;
	f->raw_len = size;
	return 0;
}

int frame_make_stub(const struct frame *full, uint8_t *out, size_t cap, struct frame *stub)
{
	size_t size = frame_size(strlen(full->origin), DIGEST_SIZE);

	if (size > cap)
		return -ENOSPC;
	*stub = *full;
	stub->flags |= FRAME_STUB;
	uint8_t *at = out + put_header(full, stub->flags, out);
	memcpy(at, full->prev_hash.b, DIGEST_SIZE);
	at = bytes_put(at + DIGEST_SIZE, 0, 4);
	memcpy(at, full->body_hash.b, DIGEST_SIZE);
	stub->body = NULL;
	stub->body_len = 0;
	stub->raw = out;
	stub->raw_len = size;
	return 0;
}

static enum frame_verdict parse_header(struct cursor *c, struct frame *f)
{
	uint64_t version = cursor_number(c, 1);

	if (!c->overrun && version != VERSION)
		return FRAME_BAD_VERSION;
	f->flags = (uint32_t)cursor_number(c, 1);
	if (f->flags & ~(uint32_t)KNOWN_FLAGS)
		return FRAME_BAD_FLAGS;
	size_t origin_len = cursor_number(c, 1);
	if (c->overrun)
		return FRAME_TOO_SHORT;
	if (origin_len == 0 || origin_len > FRAME_ORIGIN_MAX)
		return FRAME_BAD_ORIGIN;
	const uint8_t *origin = cursor_take(c, origin_len);
	if (!origin)
		return FRAME_TOO_SHORT;
	if (!frame_origin_valid((const char *)origin, origin_len))
		return FRAME_BAD_ORIGIN;
	memcpy(f->origin, origin, origin_len);

	f->lineage.boot = cursor_number(c, 8);
	f->lineage.tag = cursor_number(c, 8);
	f->first_seq = cursor_number(c, 8);
	f->count = (uint32_t)cursor_number(c, 2);
	return c->overrun ? FRAME_TOO_SHORT : check_range(f->first_seq, f->count);
}

static enum frame_verdict parse_body(struct cursor *c, struct frame *f)
{
	const uint8_t *prev = cursor_take(c, DIGEST_SIZE);
	uint64_t body_len = cursor_number(c, 4);

	if (c->overrun)
		return FRAME_TOO_SHORT;
	memcpy(f->prev_hash.b, prev, DIGEST_SIZE);
	if (body_len > FRAME_BODY_LIMIT)
		return FRAME_BODY_TOO_LARGE;
	bool stub = f->flags & FRAME_STUB;
	if (stub && body_len != 0)
		return FRAME_BAD_STUB;
	const uint8_t *body = cursor_take(c, stub ? DIGEST_SIZE : body_len);
	if (c->overrun)
		return FRAME_TOO_SHORT;
	if (c->left > 0)
		return FRAME_TOO_LONG;
	if (stub) {
		memcpy(f->body_hash.b, body, DIGEST_SIZE);
	} else {
		f->body = body;
		f->body_len = body_len;
		digest_of(body, body_len, &f->body_hash);
	}
	return FRAME_OK;
}

enum frame_verdict frame_parse(const void *raw, size_t len, struct frame *out)
{
	struct cursor c = { raw, len, false };

	memset(out, 0, sizeof *out);
	out->raw = raw;
	out->raw_len = len;
	enum frame_verdict verdict = parse_header(&c, out);
	if (verdict == FRAME_OK)
		verdict = parse_body(&c, out);
	return verdict;
}

void frame_hash(const struct frame *f, const uint8_t env_id[ENVIRONMENT_ID_SIZE],
	struct digest *out)
{
	uint8_t header[FRAME_HEADER_MAX];
	size_t header_len = put_header(f, f->flags & ~(uint32_t)FRAME_STUB, header);
	struct digest_part parts[] = {
		{ domain, sizeof domain },
		{ env_id, ENVIRONMENT_ID_SIZE },
		{ header, header_len },
		{ f->prev_hash.b, DIGEST_SIZE },
		{ f->body_hash.b, DIGEST_SIZE },
	};

	digest_of_parts(parts, sizeof parts / sizeof *parts, out);
}

const char *frame_verdict_name(enum frame_verdict verdict)
{
	static const char *const names[] = {
		[FRAME_OK] = "ok",
		[FRAME_TOO_SHORT] = "too_short",
		[FRAME_TOO_LONG] = "too_long",
		[FRAME_BAD_VERSION] = "bad_version",
		[FRAME_BAD_FLAGS] = "bad_flags",
		[FRAME_BAD_ORIGIN] = "bad_origin",
		[FRAME_BAD_SEQ] = "bad_seq",
		[FRAME_BAD_COUNT] = "bad_count",
		[FRAME_BODY_TOO_LARGE] = "body_too_large",
		[FRAME_BAD_STUB] = "bad_stub",
	};

	_Static_assert(sizeof names / sizeof *names == FRAME_VERDICT_COUNT, "a name each");
	return (unsigned)verdict < FRAME_VERDICT_COUNT ? names[verdict] : "unknown";
}
