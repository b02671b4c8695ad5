/*
 * clear.h - the form a bus datagram has in a capture once it was opened.
 *
 * All numbers big-endian; the header is that of the envelope but for the magic.
 *
 *	offset  size
 *	0       4     magic "CHC1"
 *	4       1     version, 1
 *	5       1     flags, 0
 *	6       2     id of the key it was sealed with
 *	8       24    nonce it was sealed with
 *	32      n     plaintext: a message Datagram of event.proto
 *
 * Invariants
 * 1. The magic differs from those of the bus and of discovery: nobody who listens to a network
 *    takes this form for either, and chime-record takes it from files only.
 * 2. It holds in clear what was sealed, and nothing vouches for it but the signed heads inside.
 */
#ifndef CHIME_CLIENT_RECORD_CLEAR_H
#define CHIME_CLIENT_RECORD_CLEAR_H

#include "proto/envelope.h"

#define CLEAR_MAGIC "CHC1"

enum { CLEAR_MAX = ENVELOPE_HEADER_SIZE + ENVELOPE_PLAIN_MAX };

/* Writes the clear form of the datagram `sealed` that was opened; returns its length. */
size_t clear_format(const uint8_t *sealed, const struct opened *opened, uint8_t out[CLEAR_MAX]);

/*
 * Finds the plaintext in it, borrowed; no struct opened is made of it, for nobody vouches for it.
 * Verdicts as of envelope_open(), without those that need a key.
 */
enum envelope_verdict clear_parse(const void *in, size_t len, const void **plain,
				  size_t *plain_len);

#endif
