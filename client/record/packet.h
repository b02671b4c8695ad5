/*
 * packet.h - from a captured link-layer packet to the UDP datagram in it.
 *
 * Link types: Ethernet (with up to two VLAN tags), Linux cooked v1 and v2, BSD loopback (null,
 * loop), raw IP. IPv4 with options; IPv6 with extension headers.
 *
 * Invariants
 * 1. Bytes are anybody's: every length is checked against what was captured before it is used,
 *    and nothing is read beyond it.
 * 2. The bus never fragments, so a fragment is told as such and not put together.
 * 3. Checksums are not looked at: senders leave them to the network card.
 */
#ifndef CHIME_CLIENT_RECORD_PACKET_H
#define CHIME_CLIENT_RECORD_PACKET_H

#include <stddef.h>
#include <stdint.h>

enum { PACKET_END_SIZE = 64 };

struct packet_end {
	uint8_t version;		/* 4 or 6 */
	uint8_t address[16];		/* the first 4 bytes for IPv4 */
	uint16_t port;
};

/* data points into the captured bytes; len < wire_len when the capture cut it short. */
struct packet {
	struct packet_end from, to;
	const uint8_t *data;
	size_t len, wire_len;
	size_t ip_at, udp_at;		/* where these headers begin in the captured bytes */
};

enum packet_verdict {
	PACKET_OK,
	PACKET_NOT_UDP,
	PACKET_TOO_SHORT,		/* a header is cut */
	PACKET_BAD_LENGTH,		/* headers contradict each other */
	PACKET_FRAGMENT,
	PACKET_UNKNOWN_LINK,
	PACKET_VERDICT_COUNT
};

/* link_type: a DLT_ number of libpcap. *out is valid for PACKET_OK only. */
enum packet_verdict packet_parse(int link_type, const void *bytes, size_t len,
				 struct packet *out);

/*
 * Writes the packet with another payload into out: the same link and IP headers with the lengths
 * and checksums that belong to it; what followed the datagram (padding) is left out. bytes are
 * those *packet was parsed from. Returns the length, or -ENOSPC beyond cap.
 */
int packet_rewrite(const void *bytes, const struct packet *packet, const void *payload,
		   size_t payload_len, uint8_t *out, size_t cap);

/* "192.0.2.1:7410" or "[fe80::1]:7410". */
void packet_end_format(const struct packet_end *end, char out[PACKET_END_SIZE]);

/* A short lower-case word for people and JSON, never NULL. */
const char *packet_verdict_name(enum packet_verdict verdict);

#endif
