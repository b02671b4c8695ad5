#include "client/record/decode.h"

#include "client/record/clear.h"
#include "proto/bytes.h"
#include "proto/datagram.h"

#include <string.h>

enum { MAGIC_SIZE = 4, KIND_AT = 5, KIND_ANSWER = 2 };

static bool has_magic(const struct packet *p, const char *magic)
{
	return p->len >= MAGIC_SIZE && memcmp(p->data, magic, MAGIC_SIZE) == 0;
}

bool decode_is_ours(const struct decoder *decoder, const struct packet *packet)
{
	return has_magic(packet, ENVELOPE_MAGIC) || has_magic(packet, DISCOVER_MAGIC) ||
	       (decoder->clear && has_magic(packet, CLEAR_MAGIC));
}

static enum decode_verdict open_inside(const struct decoder *decoder, struct decoded *found)
{
	const struct packet *p = found->packet;
	const void *plain;
	size_t len;

	if (found->kind == DECODE_CLEAR) {
		found->envelope = clear_parse(p->data, p->len, &plain, &len);
		if (found->envelope == ENVELOPE_OK)
			found->inside = datagram_parse(plain, len);
	} else if (decoder->keys) {
		found->inside = datagram_open(decoder->keys, decoder->env_id, p->data, p->len,
					      &found->opened, &found->envelope);
	} else {
		return DECODE_SEALED;
	}
	if (found->envelope != ENVELOPE_OK)
		return DECODE_NOT_OPENED;
	return found->inside ? DECODE_OK : DECODE_MALFORMED;
}

static enum decode_verdict look_at_bus(const struct decoder *decoder, struct decoded *found)
{
	const struct packet *p = found->packet;
	struct cursor c = { p->data, p->len, false };

	/* Magic, version and flags lie before it (envelope.h). */
	cursor_take(&c, MAGIC_SIZE + 2);
	found->key_id = (uint16_t)cursor_number(&c, 2);
	found->has_key_id = !c.overrun;
	found->nonce = cursor_take(&c, XAES_NONCE_SIZE);
	return p->len < p->wire_len ? DECODE_CUT : open_inside(decoder, found);
}

static enum decode_verdict look_at_discovery(struct decoded *found)
{
	const struct packet *p = found->packet;

	found->kind = p->len > KIND_AT && p->data[KIND_AT] == KIND_ANSWER ? DECODE_ANSWER :
									     DECODE_DISCOVER;
	if (p->len < p->wire_len)
		return DECODE_CUT;
	found->discover = found->kind == DECODE_ANSWER ?
		discover_parse_answer(p->data, p->len, &found->answer) :
		discover_parse_query(p->data, p->len, &found->query);
	return found->discover == DISCOVER_OK ? DECODE_OK : DECODE_NOT_OPENED;
}

void decode_datagram(const struct decoder *decoder, int64_t wall_us,
		     const struct packet *packet, struct decoded *found)
{
	*found = (struct decoded){ .wall_us = wall_us, .packet = packet, .kind = DECODE_OTHER,
				   .verdict = DECODE_FOREIGN };
	if (has_magic(packet, ENVELOPE_MAGIC)) {
		found->kind = DECODE_BUS;
		found->verdict = look_at_bus(decoder, found);
	} else if (decoder->clear && has_magic(packet, CLEAR_MAGIC)) {
		found->kind = DECODE_CLEAR;
		found->verdict = look_at_bus(decoder, found);
	} else if (has_magic(packet, DISCOVER_MAGIC)) {
		found->verdict = look_at_discovery(found);
	}
}

void decoded_fini(struct decoded *found)
{
	if (found->inside)
		chime__datagram__free_unpacked(found->inside, NULL);
	found->inside = NULL;
}

const char *decoded_why(const struct decoded *found)
{
	static const char *const names[] = {
		[DECODE_OK] = "ok",
		[DECODE_SEALED] = "sealed",
		[DECODE_CUT] = "cut",
		[DECODE_NOT_OPENED] = "not_opened",
		[DECODE_MALFORMED] = "malformed",
		[DECODE_FOREIGN] = "foreign",
	};

	_Static_assert(sizeof(names) / sizeof(*names) == DECODE_VERDICT_COUNT, "a name each");
	if (found->verdict == DECODE_NOT_OPENED)
		return found->kind <= DECODE_CLEAR ? envelope_verdict_name(found->envelope) :
						   discover_verdict_name(found->discover);
	return (unsigned)found->verdict < DECODE_VERDICT_COUNT ? names[found->verdict] : "unknown";
}

const char *decode_kind_name(enum decode_kind kind)
{
	static const char *const names[] = {
		[DECODE_BUS] = "bus",
		[DECODE_CLEAR] = "clear",
		[DECODE_DISCOVER] = "discover",
		[DECODE_ANSWER] = "answer",
		[DECODE_OTHER] = "other",
	};

	_Static_assert(sizeof(names) / sizeof(*names) == DECODE_KIND_COUNT, "a name each");
	return (unsigned)kind < DECODE_KIND_COUNT ? names[kind] : "unknown";
}
