/*
 * fuzz_datagram.c - a datagram of somebody who holds the group key: whatever is inside, frames and
 * heads are taken or refused, and what a chain delivers is contiguous, linked and covered.
 *
 * The input is the plaintext; it is sealed here, for no fuzzer finds a tag. Heads count as verified
 * although nobody signed them: the worst an insider can do is to sign anything.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/budget.h"
#include "proto/chain.h"
#include "proto/event.pb-c.h"
#include "proto/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { CHAINS = 4 };

static const uint8_t key[BUSKEY_SIZE] = "a key of thirty-two bytes, fixed";
static const uint8_t env_id[ENVIRONMENT_ID_SIZE] = "environment-0001";

static struct {
	struct keyring ring;
	struct chain chains[CHAINS];
	size_t chain_count;
} fuzz;

static void end_fuzz(void)
{
	keyring_fini(&fuzz.ring);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	assert(keyring_add(&fuzz.ring, key) == 0);
	atexit(end_fuzz);
	return 0;
}

static struct chain *find_chain(const char *origin)
{
	for (size_t i = 0; i < fuzz.chain_count; i++) {
		if (strcmp(fuzz.chains[i].origin, origin) == 0)
			return &fuzz.chains[i];
	}
	if (fuzz.chain_count == CHAINS)
		return NULL;
	chain_init(&fuzz.chains[fuzz.chain_count], origin, env_id);
	return &fuzz.chains[fuzz.chain_count++];
}

static void check_stub(const struct frame *frame)
{
	uint8_t bytes[FRAME_STUB_MAX];
	struct digest full, short_form;
	struct frame stub, again;

	assert(frame_make_stub(frame, bytes, sizeof(bytes), &stub) == 0);
	assert(frame_parse(stub.raw, stub.raw_len, &again) == FRAME_OK);
	frame_hash(frame, env_id, &full);
	frame_hash(&again, env_id, &short_form);
	assert(digest_equal(&full, &short_form));
}

/* Everything in it is printed on one line without control characters. */
static void show_events(const struct frame *frame)
{
	Chime__Events *events = (Chime__Events *)budget_unpack(&chime__events__descriptor,
							       frame->body, frame->body_len);
	char line[SHOW_LINE_SIZE], kind[SHOW_KIND_SIZE];

	for (size_t i = 0; events && i < events->n_event; i++) {
		Chime__Event *event = (Chime__Event *)budget_unpack(&chime__event__descriptor,
			events->event[i].data, events->event[i].len);

		if (!event)
			continue;
		show_event_kind(event, kind);
		show_event_text(event, line, sizeof(line));
		for (const char *at = line; *at; at++)
			assert((unsigned char)*at >= 0x20 && *at != 0x7f);
		chime__event__free_unpacked(event, NULL);
	}
	if (events)
		chime__events__free_unpacked(events, NULL);
}

static void hear_frame(const ProtobufCBinaryData *bytes)
{
	struct frame frame;
	struct chain *chain;

	if (frame_parse(bytes->data, bytes->len, &frame) != FRAME_OK)
		return;
	if (frame.flags & FRAME_STUB)
		return;
	check_stub(&frame);
	show_events(&frame);
	chain = find_chain(frame.origin);
	if (chain)
		(void)chain_add_frame(chain, &frame, digest_is_zero(&frame.prev_hash));
}

static void hear_head(const ProtobufCBinaryData *bytes)
{
	struct head head;
	struct chain *chain;

	if (head_parse(bytes->data, bytes->len, env_id, &head) != HEAD_OK)
		return;
	chain = find_chain(head.origin);
	if (chain)
		(void)chain_add_head(chain, &head);
}

static void drain(struct chain *chain)
{
	struct chain_delivery delivery;
	struct digest hash;

	while (chain_take(chain, &delivery)) {
		const struct chain_lineage *l = chain_find_lineage(chain, delivery.frame.lineage);

		assert(l && l->open && l->seq == frame_last_seq(&delivery.frame));
		frame_hash(&delivery.frame, env_id, &hash);
		assert(digest_equal(&hash, &delivery.hash) && digest_equal(&hash, &l->hash));
		assert(!delivery.covered || digest_equal(&delivery.head.frame_hash, &hash));
		assert(l->head_seq >= l->seq);
		chain_delivery_fini(&delivery);
	}
	assert(chain->waiting_count <= CHAIN_WAITING_MAX);
	assert(chain->waiting_bytes <= CHAIN_WAITING_BYTES);
	assert(chain->head_count <= CHAIN_HEADS_MAX);
}

static void hear(const struct opened *opened)
{
	Chime__Datagram *d = (Chime__Datagram *)budget_unpack(&chime__datagram__descriptor,
							      opened->bytes, opened->len);

	if (!d)
		return;
	for (size_t i = 0; i < d->n_frame; i++)
		hear_frame(&d->frame[i]);
	for (size_t i = 0; i < d->n_head; i++)
		hear_head(&d->head[i]);
	chime__datagram__free_unpacked(d, NULL);
	for (size_t i = 0; i < fuzz.chain_count; i++)
		drain(&fuzz.chains[i]);
	while (fuzz.chain_count)
		chain_fini(&fuzz.chains[--fuzz.chain_count]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t sealed[ENVELOPE_INPUT_MAX];
	struct opened opened;
	size_t len;

	/* As it is: a stranger's datagram. */
	assert(envelope_open(&fuzz.ring, env_id, data, size, &opened) != ENVELOPE_OK);
	if (size > ENVELOPE_PLAIN_MAX)
		return 0;
	assert(envelope_seal(&fuzz.ring.keys[0], env_id, data, size, sealed, sizeof(sealed),
			     &len) == 0);
	assert(envelope_open(&fuzz.ring, env_id, sealed, len, &opened) == ENVELOPE_OK);
	assert(opened.len == size && (size == 0 || memcmp(opened.bytes, data, size) == 0));
	hear(&opened);
	return 0;
}
