#include "proto/head.h"

#include <errno.h>
#include <string.h>

#include "proto/bytes.h"

enum { VERSION = 1 };

static const char domain[] = "chime head v1";	/* signed with its NUL */

static enum head_verdict check_seq(const struct head *h)
{
	return h->seq > FRAME_SEQ_MAX || h->low_seq > h->seq ? HEAD_BAD_SEQ : HEAD_OK;
}

/* All bytes before the signature. */
static size_t encode_fields(const struct head *h, uint8_t *out)
{
	size_t origin_len = strlen(h->origin);
	uint8_t *at = out;

	at = bytes_put(at, VERSION, 1);
	at = bytes_put(at, h->flags, 4);
	memcpy(at, h->env_id, ENVIRONMENT_ID_SIZE);
	at += ENVIRONMENT_ID_SIZE;
	at = bytes_put(at, origin_len, 1);
	memcpy(at, h->origin, origin_len);
	at += origin_len;
	at = bytes_put(at, h->lineage.boot, 8);
	at = bytes_put(at, h->lineage.tag, 8);
	at = bytes_put(at, h->seq, 8);
	memcpy(at, h->frame_hash.b, DIGEST_SIZE);
	at += DIGEST_SIZE;
	at = bytes_put(at, h->low_seq, 8);
	at = bytes_put(at, h->counter, 8);
	at = bytes_put(at, (uint64_t)h->wall_us, 8);
	at = bytes_put(at, h->load_running, 4);
	at = bytes_put(at, h->load_waiting, 4);
	at = bytes_put(at, h->load_milli, 4);
	return (size_t)(at - out);
}

int head_sign(struct head *head, const struct sigkey *key)
{
	if (!frame_origin_valid(head->origin, strnlen(head->origin, sizeof head->origin)) ||
		check_seq(head) != HEAD_OK)
		return -EINVAL;
	size_t len = encode_fields(head, head->raw);
	int rc = sigkey_sign(key, domain, sizeof domain, head->raw, len, head->raw + len);
	head->raw_len = rc == 0 ? len + SIGKEY_SIGNATURE_SIZE : 0;
	return rc;
}

static enum head_verdict parse_start(struct cursor *c, const uint8_t *env_id, struct head *h)
{
	uint64_t version = cursor_number(c, 1);

	if (!c->overrun && version != VERSION)
		return HEAD_BAD_VERSION;
	h->flags = (uint32_t)cursor_number(c, 4);
	const uint8_t *env = cursor_take(c, ENVIRONMENT_ID_SIZE);
	size_t origin_len = cursor_number(c, 1);
	if (c->overrun)
		return HEAD_TOO_SHORT;
	memcpy(h->env_id, env, ENVIRONMENT_ID_SIZE);
	if (memcmp(env, env_id, ENVIRONMENT_ID_SIZE) != 0)
		return HEAD_OTHER_ENVIRONMENT;
	if (origin_len == 0 || origin_len > FRAME_ORIGIN_MAX)
		return HEAD_BAD_ORIGIN;
	const uint8_t *origin = cursor_take(c, origin_len);
	if (!origin)
		return HEAD_TOO_SHORT;
	if (!frame_origin_valid((const char *)origin, origin_len))
		return HEAD_BAD_ORIGIN;
	memcpy(h->origin, origin, origin_len);
	return HEAD_OK;
}

static enum head_verdict parse_rest(struct cursor *c, struct head *h)
{
	h->lineage.boot = cursor_number(c, 8);
	h->lineage.tag = cursor_number(c, 8);
	h->seq = cursor_number(c, 8);
	const uint8_t *hash = cursor_take(c, DIGEST_SIZE);
	h->low_seq = cursor_number(c, 8);
	h->counter = cursor_number(c, 8);
	h->wall_us = (int64_t)cursor_number(c, 8);
	h->load_running = (uint32_t)cursor_number(c, 4);
	h->load_waiting = (uint32_t)cursor_number(c, 4);
	h->load_milli = (uint32_t)cursor_number(c, 4);
	cursor_take(c, SIGKEY_SIGNATURE_SIZE);
	if (c->overrun)
		return HEAD_TOO_SHORT;
	if (c->left > 0)
		return HEAD_TOO_LONG;
	memcpy(h->frame_hash.b, hash, DIGEST_SIZE);
	return check_seq(h);
}

enum head_verdict head_parse(const void *raw, size_t len,
	const uint8_t env_id[ENVIRONMENT_ID_SIZE], struct head *out)
{
	struct cursor c = { raw, len, false };

	memset(out, 0, sizeof *out);
	if (len > HEAD_RAW_MAX)
		return HEAD_TOO_LONG;
	enum head_verdict verdict = parse_start(&c, env_id, out);
	if (verdict == HEAD_OK)
		verdict = parse_rest(&c, out);
	if (verdict == HEAD_OK) {
		memcpy(out->raw, raw, len);
		out->raw_len = len;
	}
	return verdict;
}

enum head_verdict head_verify(const struct head *head, const struct pubkey *key)
{
	if (head->raw_len < HEAD_FIXED_SIZE || head->raw_len > HEAD_RAW_MAX)
		return HEAD_BAD_SIGNATURE;
	size_t len = head->raw_len - SIGKEY_SIGNATURE_SIZE;
	return pubkey_verify(key, domain, sizeof domain, head->raw, len, head->raw + len) ?
		HEAD_OK : HEAD_BAD_SIGNATURE;
}

const char *head_verdict_name(enum head_verdict verdict)
{
	static const char *const names[] = {
		[HEAD_OK] = "ok",
		[HEAD_TOO_SHORT] = "too_short",
		[HEAD_TOO_LONG] = "too_long",
		[HEAD_BAD_VERSION] = "bad_version",
		[HEAD_BAD_ORIGIN] = "bad_origin",
		[HEAD_BAD_SEQ] = "bad_seq",
		[HEAD_OTHER_ENVIRONMENT] = "other_environment",
		[HEAD_BAD_SIGNATURE] = "bad_signature",
	};

	_Static_assert(sizeof names / sizeof *names == HEAD_VERDICT_COUNT, "a name each");
	return (unsigned)verdict < HEAD_VERDICT_COUNT ? names[verdict] : "unknown";
}
