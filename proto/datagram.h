/*
 * datagram.h - from the bytes of one datagram of the bus to the message inside it.
 *
 * Whoever hears the group (servers, monitors, recorders) opens datagrams here, so that all of them
 * refuse the same ones.
 */
#ifndef CHIME_PROTO_DATAGRAM_H
#define CHIME_PROTO_DATAGRAM_H

#include "proto/buskey.h"
#include "proto/envelope.h"
#include "proto/event.pb-c.h"

/*
 * The message, whose sender is the name of a server (vouched for by the group key only), to be
 * freed with chime__datagram__free_unpacked(). NULL when the datagram was refused: *verdict then
 * says why, ENVELOPE_OK when it was opened and holds no such message. opened: the plaintext, as
 * envelope_open() leaves it; NULL for who has no use of it.
 */
Chime__Datagram *datagram_open(const struct keyring *ring,
	const uint8_t env_id[ENVIRONMENT_ID_SIZE], const void *data, size_t len,
	struct opened *opened, enum envelope_verdict *verdict);

/* The same message from a plaintext that was opened elsewhere, by whoever says so; NULL = none. */
Chime__Datagram *datagram_parse(const void *plain, size_t len);

#endif
