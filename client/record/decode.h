/*
 * decode.h - what is in a datagram of the bus port, and how one is shown by itself.
 *
 * Without the group key: time, ends, size, key id. With it what is inside: sender, frames with
 * their events, heads; by the very code that chimed hears with. Discovery is in clear and always
 * shown.
 *
 * Text, one line a datagram, what is inside indented below it:
 *
 *	TIME SOURCE > DESTINATION bus SIZE key ID from SENDER
 *	    frame alpha 17..19 boot 3 402 B 8f3a1c22
 *	      17 run.created report run 17 cause=schedule ...
 *	    head  alpha 19 boot 3 counter 44 8f3a1c22
 *
 * JSON: an object a line, schema chime.record/1, the same members whatever was found.
 *
 * Invariants
 * 1. Bytes are anybody's; what comes out is as line.h says.
 * 2. Nothing here is proved: that is the audit's work (audit.h).
 */
#ifndef CHIME_CLIENT_RECORD_DECODE_H
#define CHIME_CLIENT_RECORD_DECODE_H

#include "client/record/packet.h"
#include "proto/discover.h"
#include "proto/envelope.h"
#include "proto/event.pb-c.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum decode_kind {
	DECODE_BUS,
	DECODE_CLEAR,			/* bus, opened before by --decrypt */
	DECODE_DISCOVER,
	DECODE_ANSWER,
	DECODE_OTHER,			/* no magic of ours */
	DECODE_KIND_COUNT
};

enum decode_verdict {
	DECODE_OK,			/* read to its end */
	DECODE_SEALED,			/* bus, and no key was given */
	DECODE_CUT,			/* the capture holds only its beginning */
	DECODE_NOT_OPENED,		/* bus: see envelope; discovery: see discover */
	DECODE_MALFORMED,		/* opened, but no Datagram inside */
	DECODE_FOREIGN,			/* neither bus nor discovery */
	DECODE_VERDICT_COUNT
};

/* What was found in one datagram. */
struct decoded {
	int64_t wall_us;
	const struct packet *packet;
	enum decode_kind kind;
	enum decode_verdict verdict;
	bool has_key_id;
	uint16_t key_id;
	const uint8_t *nonce;		/* NULL unless there is one */
	enum envelope_verdict envelope;
	enum discover_verdict discover;
	struct opened opened;		/* valid with inside, for DECODE_BUS */
	Chime__Datagram *inside;	/* NULL unless the message of a bus datagram was read */
	struct discover_query query;
	struct discover_answer answer;
};

struct decoder {
	const struct keyring *keys;	/* NULL = nothing is opened */
	uint8_t env_id[ENVIRONMENT_ID_SIZE];
	bool clear;			/* the clear form is taken: from files, never live */
	FILE *out;
};

/* Has it the magic of the bus or of discovery, or, in files, of the clear form? */
bool decode_is_ours(const struct decoder *decoder, const struct packet *packet);

/* Decodes one datagram; *found borrows the packet. Ends with decoded_fini. */
void decode_datagram(const struct decoder *decoder, int64_t wall_us,
		     const struct packet *packet, struct decoded *found);
void decoded_fini(struct decoded *found);

/* The word for the verdict with its reason: "not_authentic", "too_short"; never NULL. */
const char *decoded_why(const struct decoded *found);

/* The two forms, to decoder->out; json is one line. */
void decode_print_text(const struct decoder *decoder, const struct decoded *found);
void decode_print_json(const struct decoder *decoder, const struct decoded *found);

const char *decode_kind_name(enum decode_kind kind);

#endif
