/*
 * discover.h - the two packets of discovery, in clear: who is there, and a hint of an answer.
 *
 * All numbers big-endian; a text is one byte of length, then its bytes.
 *
 *	DISCOVER                             ANSWER
 *	4   magic "CHD1"                     4       magic "CHD1"
 *	1   version, 1                       1       version, 1
 *	1   kind, 1                          1       kind, 2
 *	16  environment id                   16      environment id
 *	16  nonce                            16      nonce of the DISCOVER
 *	n   zeroes, DISCOVER_SIZE in all     2       protocol version of the control stream
 *	                                     text    server
 *	                                     text    control address, HOST:PORT
 *	                                     1       count of members that follow
 *	                                     text    server  \ each
 *	                                     text    address /
 *
 * An address with an empty host (":7411") means "the address this packet came from".
 *
 * Invariants
 * 1. An answer is never longer than the DISCOVER it answers: nobody is amplified.
 * 2. Nothing here proves anything. Who answered is proved by the mTLS connection that follows.
 * 3. The magic differs from that of the bus, which shares the port.
 * 4. Bytes behind what a packet needs are ignored: later versions may say more there.
 */
#ifndef CHIME_PROTO_DISCOVER_H
#define CHIME_PROTO_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"

#define DISCOVER_MAGIC "CHD1"

enum {
	DISCOVER_VERSION = 1,
	DISCOVER_NONCE_SIZE = 16,
	DISCOVER_SIZE = ENVELOPE_DATAGRAM_MAX,
	DISCOVER_HEADER_SIZE = 4 + 1 + 1 + ENVIRONMENT_ID_SIZE + DISCOVER_NONCE_SIZE,
	DISCOVER_SERVER_SIZE = 64,		/* with the NUL, as both below */
	DISCOVER_ADDRESS_SIZE = 128,
	DISCOVER_MEMBERS_MAX = 64,
	/* An answer without members always fits: a shorter DISCOVER is not answered. */
	DISCOVER_ANSWER_MIN = DISCOVER_HEADER_SIZE + 2 + DISCOVER_SERVER_SIZE +
		DISCOVER_ADDRESS_SIZE + 1,
	DISCOVER_DEFAULT_PORT = 7410,
};

struct discover_query {
	uint8_t environment_id[ENVIRONMENT_ID_SIZE];
	uint8_t nonce[DISCOVER_NONCE_SIZE];
};

struct discover_member {
	char server[DISCOVER_SERVER_SIZE], address[DISCOVER_ADDRESS_SIZE];
};

struct discover_answer {
	uint8_t environment_id[ENVIRONMENT_ID_SIZE];
	uint8_t nonce[DISCOVER_NONCE_SIZE];
	uint16_t protocol;
	struct discover_member self;
	size_t member_count;
	struct discover_member members[DISCOVER_MEMBERS_MAX];
};

enum discover_verdict {
	DISCOVER_OK,
	DISCOVER_TOO_SHORT,
	DISCOVER_BAD_MAGIC,
	DISCOVER_BAD_VERSION,
	DISCOVER_BAD_KIND,		/* the other one of the two, or unknown */
	DISCOVER_BAD_TEXT,		/* not a server name, or not an address */
	DISCOVER_VERDICT_COUNT
};

/* Whether both texts are what discover_parse_answer() takes. */
bool discover_member_valid(const struct discover_member *member);

/* Writes the whole padded packet. */
void discover_format_query(const struct discover_query *query, uint8_t out[DISCOVER_SIZE]);

/* Reads a DISCOVER of foreign bytes; one of fewer than DISCOVER_ANSWER_MIN bytes is too short. */
enum discover_verdict discover_parse_query(const void *in, size_t len,
					   struct discover_query *out);

/*
 * Writes an answer of at most cap bytes, cap >= DISCOVER_ANSWER_MIN, with as many members as fit;
 * returns its length. -EINVAL when discover_parse_answer() would not take a text.
 */
int discover_format_answer(const struct discover_answer *answer, uint8_t *out, size_t cap);

/* Reads an answer of foreign bytes; *out is all zero unless DISCOVER_OK. */
enum discover_verdict discover_parse_answer(const void *in, size_t len,
					    struct discover_answer *out);

/* A short lower-case word for counters and logs, never NULL. */
const char *discover_verdict_name(enum discover_verdict verdict);

#endif
