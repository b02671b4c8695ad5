#include "proto/discover.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bytes.h"
#include "proto/names.h"

enum { KIND_QUERY = 1, KIND_ANSWER = 2, MAGIC_SIZE = 4 };

/* HOST:PORT or :PORT or [IPV6]:PORT, of letters, digits and ".:-_%[]" only: it is shown to people
 * and given to a resolver. */
static bool address_valid(const char *address)
{
	static const char host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789.-_:%[]";
	const char *colon = strrchr(address, ':');
	long port;

	if (strlen(address) >= DISCOVER_ADDRESS_SIZE || !colon)
		return false;
	if (strspn(address, host) != strlen(address))
		return false;
	if (strlen(colon + 1) > 5 || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	port = strtol(colon + 1, NULL, 10);
	return port >= 1 && port <= UINT16_MAX;
}

bool discover_member_valid(const struct discover_member *member)
{
	return name_server_valid(member->server, NULL) && address_valid(member->address);
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
	size_t len = strlen(text);

	*at++ = (uint8_t)len;
	return put_bytes(at, text, len);
}

static uint8_t *put_header(uint8_t *at, unsigned kind, const uint8_t *environment_id,
			   const uint8_t *nonce)
{
	at = put_bytes(at, DISCOVER_MAGIC, MAGIC_SIZE);
	*at++ = DISCOVER_VERSION;
	*at++ = (uint8_t)kind;
	at = put_bytes(at, environment_id, ENVIRONMENT_ID_SIZE);
	return put_bytes(at, nonce, DISCOVER_NONCE_SIZE);
}

static enum discover_verdict take_header(struct cursor *c, unsigned kind,
					 uint8_t *environment_id, uint8_t *nonce)
{
	const uint8_t *magic = cursor_take(c, MAGIC_SIZE);
	uint64_t version = cursor_number(c, 1), got = cursor_number(c, 1);
	const uint8_t *id = cursor_take(c, ENVIRONMENT_ID_SIZE);
	const uint8_t *n = cursor_take(c, DISCOVER_NONCE_SIZE);

	if (!magic || !id || !n)
		return DISCOVER_TOO_SHORT;
	if (memcmp(magic, DISCOVER_MAGIC, MAGIC_SIZE) != 0)
		return DISCOVER_BAD_MAGIC;
	if (version != DISCOVER_VERSION)
		return DISCOVER_BAD_VERSION;
	if (got != kind)
		return DISCOVER_BAD_KIND;
	memcpy(environment_id, id, ENVIRONMENT_ID_SIZE);
	memcpy(nonce, n, DISCOVER_NONCE_SIZE);
	return DISCOVER_OK;
}

static enum discover_verdict take_text(struct cursor *c, char *out, size_t size)
{
	size_t len = cursor_number(c, 1);
	const uint8_t *text = cursor_take(c, len);

	if (c->overrun)
		return DISCOVER_TOO_SHORT;
	if (len >= size || memchr(text, 0, len))
		return DISCOVER_BAD_TEXT;
	memcpy(out, text, len);
	out[len] = 0;
	return DISCOVER_OK;
}

static enum discover_verdict take_member(struct cursor *c, struct discover_member *m)
{
	enum discover_verdict verdict = take_text(c, m->server, sizeof(m->server));

	if (verdict == DISCOVER_OK)
		verdict = take_text(c, m->address, sizeof(m->address));
	if (verdict == DISCOVER_OK && !discover_member_valid(m))
		verdict = DISCOVER_BAD_TEXT;
	return verdict;
}

void discover_format_query(const struct discover_query *query, uint8_t out[DISCOVER_SIZE])
{
	memset(out, 0, DISCOVER_SIZE);
	put_header(out, KIND_QUERY, query->environment_id, query->nonce);
}

enum discover_verdict discover_parse_query(const void *in, size_t len, struct discover_query *out)
{
	struct cursor c = { in, len, false };

	*out = (struct discover_query){ 0 };
	if (len < DISCOVER_ANSWER_MIN)
		return DISCOVER_TOO_SHORT;
	return take_header(&c, KIND_QUERY, out->environment_id, out->nonce);
}

static size_t member_size(const struct discover_member *m)
{
	return 2 + strlen(m->server) + strlen(m->address);
}

int discover_format_answer(const struct discover_answer *answer, uint8_t *out, size_t cap)
{
	uint8_t *at = out, *count;

	assert(cap >= DISCOVER_ANSWER_MIN && answer->member_count <= DISCOVER_MEMBERS_MAX);
	if (!discover_member_valid(&answer->self))
		return -EINVAL;
	at = put_header(at, KIND_ANSWER, answer->environment_id, answer->nonce);
	at = bytes_put(at, answer->protocol, 2);
	at = put_text(at, answer->self.server);
	at = put_text(at, answer->self.address);
	count = at++;
	*count = 0;
	for (size_t i = 0; i < answer->member_count; i++) {
		const struct discover_member *m = &answer->members[i];

		if (!discover_member_valid(m))
			return -EINVAL;
		if (member_size(m) > cap - (size_t)(at - out))
			continue;
		at = put_text(at, m->server);
		at = put_text(at, m->address);
		++*count;
	}
	return (int)(at - out);
}

enum discover_verdict discover_parse_answer(const void *in, size_t len,
					    struct discover_answer *out)
{
	struct cursor c = { in, len, false };
	enum discover_verdict verdict;
	uint64_t count;

	*out = (struct discover_answer){ 0 };
	verdict = take_header(&c, KIND_ANSWER, out->environment_id, out->nonce);
	if (verdict != DISCOVER_OK)
		goto out;
	out->protocol = (uint16_t)cursor_number(&c, 2);
	verdict = take_member(&c, &out->self);
	if (verdict != DISCOVER_OK)
		goto out;
	count = cursor_number(&c, 1);
	if (c.overrun)
		verdict = DISCOVER_TOO_SHORT;
	else if (count > DISCOVER_MEMBERS_MAX)
		verdict = DISCOVER_BAD_TEXT;
	for (; verdict == DISCOVER_OK && out->member_count < count; out->member_count++)
		verdict = take_member(&c, &out->members[out->member_count]);
out:
	if (verdict != DISCOVER_OK)
		*out = (struct discover_answer){ 0 };
	return verdict;
}

const char *discover_verdict_name(enum discover_verdict verdict)
{
	static const char *const names[] = {
		[DISCOVER_OK] = "ok",
		[DISCOVER_TOO_SHORT] = "too_short",
		[DISCOVER_BAD_MAGIC] = "bad_magic",
		[DISCOVER_BAD_VERSION] = "bad_version",
		[DISCOVER_BAD_KIND] = "bad_kind",
		[DISCOVER_BAD_TEXT] = "bad_text",
	};

	_Static_assert(sizeof names / sizeof *names == DISCOVER_VERDICT_COUNT, "a name each");
	return (unsigned)verdict < DISCOVER_VERDICT_COUNT ? names[verdict] : "unknown";
}
