/*
 * budget.h - decoding of foreign protobuf bytes within a bound.
 *
 * Repeated sub-messages of a few bytes each become structs of hundreds: a message of 1 MiB can ask
 * for gigabytes. Decoders get 64 times the length and 4 KiB, and fail beyond.
 */
#ifndef CHIME_PROTO_BUDGET_H
#define CHIME_PROTO_BUDGET_H

#include <protobuf-c/protobuf-c.h>

/* The message, to be freed with protobuf_c_message_free_unpacked(message, NULL); NULL when the
 * bytes are no such message or ask for too much. */
ProtobufCMessage *budget_unpack(const ProtobufCMessageDescriptor *type, const void *bytes,
				size_t len);

#endif
