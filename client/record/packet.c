#include "client/record/packet.h"

#include "proto/bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <string.h>

enum {
	ETHER_IPV4 = 0x0800,
	ETHER_IPV6 = 0x86dd,
	ETHER_VLAN = 0x8100,
	ETHER_QINQ = 0x88a8,
	VLAN_TAGS_MAX = 2,
};

enum {
	PROTOCOL_HOP = 0,
	PROTOCOL_UDP = 17,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_AH = 51,
	PROTOCOL_DESTINATION = 60,
	EXTENSIONS_MAX = 8,
};

enum { IPV4_MIN = 20, IPV6_HEADER = 40, IPV4_MORE = 0x2000, IPV4_OFFSET = 0x1fff, UDP_HEADER = 8 };

/* UDP header and payload; ip_len is what the IP header says there is. */
static enum packet_verdict parse_udp(struct cursor *c, size_t ip_len, struct packet *p)
{
	uint64_t len;

	p->from.port = (uint16_t)cursor_number(c, 2);
	p->to.port = (uint16_t)cursor_number(c, 2);
	len = cursor_number(c, 2);
	cursor_take(c, 2);
	if (c->overrun)
		return PACKET_TOO_SHORT;
	if (len < UDP_HEADER || len > ip_len)
		return PACKET_BAD_LENGTH;
	p->wire_len = len - UDP_HEADER;
	p->len = p->wire_len < c->left ? p->wire_len : c->left;
	p->data = c->at;
	return PACKET_OK;
}

static enum packet_verdict parse_ipv4(struct cursor *c, struct packet *p)
{
	const uint8_t *begin = c->at;
	uint64_t header = (cursor_number(c, 1) & 15) * 4, total, fragment, protocol;
	const uint8_t *from, *to;

	cursor_take(c, 1);
	total = cursor_number(c, 2);
	cursor_take(c, 2);
	fragment = cursor_number(c, 2);
	cursor_take(c, 1);
	protocol = cursor_number(c, 1);
	cursor_take(c, 2);
	from = cursor_take(c, 4);
	to = cursor_take(c, 4);
	if (c->overrun)
		return PACKET_TOO_SHORT;
	if (header < IPV4_MIN || total < header)
		return PACKET_BAD_LENGTH;
	if (protocol != PROTOCOL_UDP)
		return PACKET_NOT_UDP;
	if (fragment & (IPV4_MORE | IPV4_OFFSET))
		return PACKET_FRAGMENT;
	cursor_take(c, header - IPV4_MIN);
	p->from.version = p->to.version = 4;
	memcpy(p->from.address, from, 4);
	memcpy(p->to.address, to, 4);
	p->udp_at = p->ip_at + (size_t)(c->at - begin);
	return parse_udp(c, total - header, p);
}

/* One extension header: its length taken from *left, the next one's number into *protocol. */
static enum packet_verdict skip_extension(struct cursor *c, uint64_t *protocol, size_t *left)
{
	uint64_t next = cursor_number(c, 1), units = cursor_number(c, 1), size;

	if (*protocol == PROTOCOL_FRAGMENT) {
		/* "More" or an offset; a fragment that is whole (RFC 6946) is none. */
		if (cursor_number(c, 2) & 0xfff9)
			return PACKET_FRAGMENT;
		size = 8;
		cursor_take(c, 4);
	} else {
		size = *protocol == PROTOCOL_AH ? (units + 2) * 4 : (units + 1) * 8;
		cursor_take(c, size - 2);
	}
	if (c->overrun)
		return PACKET_TOO_SHORT;
	if (size > *left)
		return PACKET_BAD_LENGTH;
	*left -= size;
	*protocol = next;
	return PACKET_OK;
}

static enum packet_verdict parse_ipv6(struct cursor *c, struct packet *p)
{
	const uint8_t *begin = c->at;
	enum packet_verdict verdict = PACKET_OK;
	uint64_t protocol;
	const uint8_t *from, *to;
	size_t left;

	cursor_take(c, 4);
	left = cursor_number(c, 2);
	protocol = cursor_number(c, 1);
	cursor_take(c, 1);
	from = cursor_take(c, 16);
	to = cursor_take(c, 16);
	if (c->overrun)
		return PACKET_TOO_SHORT;
	for (int i = 0; verdict == PACKET_OK && i < EXTENSIONS_MAX; i++) {
		if (protocol != PROTOCOL_HOP && protocol != PROTOCOL_ROUTING &&
		    protocol != PROTOCOL_FRAGMENT && protocol != PROTOCOL_AH &&
		    protocol != PROTOCOL_DESTINATION)
			break;
		verdict = skip_extension(c, &protocol, &left);
	}
	if (verdict != PACKET_OK)
		return verdict;
	if (protocol != PROTOCOL_UDP)
		return PACKET_NOT_UDP;
	p->from.version = p->to.version = 6;
	memcpy(p->from.address, from, 16);
	memcpy(p->to.address, to, 16);
	p->udp_at = p->ip_at + (size_t)(c->at - begin);
	return parse_udp(c, left, p);
}

static enum packet_verdict parse_ip(struct cursor *c, struct packet *p)
{
	if (c->left == 0)
		return PACKET_TOO_SHORT;
	p->ip_at = (size_t)(c->at - p->data);
	switch (c->at[0] >> 4) {
	case 4:
		return parse_ipv4(c, p);
	case 6:
		return parse_ipv6(c, p);
	default:
		return PACKET_NOT_UDP;
	}
}

static enum packet_verdict parse_ether_type(struct cursor *c, uint64_t type, struct packet *p)
{
	for (int i = 0; i < VLAN_TAGS_MAX && (type == ETHER_VLAN || type == ETHER_QINQ); i++) {
		cursor_take(c, 2);
		type = cursor_number(c, 2);
	}
	if (c->overrun)
		return PACKET_TOO_SHORT;
	return type == ETHER_IPV4 || type == ETHER_IPV6 ? parse_ip(c, p) : PACKET_NOT_UDP;
}

enum packet_verdict packet_parse(int link_type, const void *bytes, size_t len,
				 struct packet *out)
{
	struct cursor c = { bytes, len, false };
	uint64_t type;

	/* data is the beginning of all until the payload is found. */
	*out = (struct packet){ .data = bytes };
	switch (link_type) {
	case DLT_EN10MB:
		cursor_take(&c, 12);
		return parse_ether_type(&c, cursor_number(&c, 2), out);
	case DLT_LINUX_SLL:
		cursor_take(&c, 14);
		return parse_ether_type(&c, cursor_number(&c, 2), out);
	case DLT_LINUX_SLL2:
		type = cursor_number(&c, 2);
		cursor_take(&c, 18);
		return parse_ether_type(&c, type, out);
	case DLT_NULL:
	case DLT_LOOP:
		/* The family's number depends on the capturing system; IP tells itself. */
		cursor_take(&c, 4);
		return parse_ip(&c, out);
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return parse_ip(&c, out);
	default:
		return PACKET_UNKNOWN_LINK;
	}
}

/* ---- another payload ---- */

/* The Internet checksum of an even number of bytes and an odd rest, added to what was summed. */
static uint32_t sum_words(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (len % 2)
		sum += (uint32_t)(bytes[len - 1] << 8);
	return sum;
}

static uint16_t end_sum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void rewrite_ip(uint8_t *ip, const struct packet *p, size_t header_len, size_t udp_len)
{
	if (p->from.version == 6) {
		bytes_put(ip + 4, header_len - IPV6_HEADER + udp_len, 2);
		return;
	}
	bytes_put(ip + 2, header_len + udp_len, 2);
	bytes_put(ip + 10, 0, 2);
	bytes_put(ip + 10, end_sum(sum_words(0, ip, header_len)), 2);
}

static void rewrite_udp(uint8_t *udp, const struct packet *p, size_t udp_len)
{
	size_t address_len = p->from.version == 6 ? 16 : 4;
	uint32_t sum = PROTOCOL_UDP + (uint32_t)udp_len;
	uint16_t checksum;

	bytes_put(udp + 4, udp_len, 2);
	bytes_put(udp + 6, 0, 2);
	sum = sum_words(sum, p->from.address, address_len);
	sum = sum_words(sum, p->to.address, address_len);
	checksum = end_sum(sum_words(sum, udp, udp_len));
	/* 0 would mean that there is none. */
	bytes_put(udp + 6, checksum ? checksum : 0xffff, 2);
}

int packet_rewrite(const void *bytes, const struct packet *packet, const void *payload,
		   size_t payload_len, uint8_t *out, size_t cap)
{
	size_t before = packet->udp_at + UDP_HEADER, udp_len = UDP_HEADER + payload_len;

	if (before + payload_len > cap || packet->udp_at - packet->ip_at + udp_len > UINT16_MAX)
		return -ENOSPC;
	memcpy(out, bytes, before);
	memcpy(out + before, payload, payload_len);
	rewrite_ip(out + packet->ip_at, packet, packet->udp_at - packet->ip_at, udp_len);
	rewrite_udp(out + packet->udp_at, packet, udp_len);
	return (int)(before + payload_len);
}

/* ---- names ---- */

void packet_end_format(const struct packet_end *end, char out[PACKET_END_SIZE])
{
	char host[INET6_ADDRSTRLEN] = "?";

	inet_ntop(end->version == 6 ? AF_INET6 : AF_INET, end->address, host, sizeof(host));
	snprintf(out, PACKET_END_SIZE, end->version == 6 ? "[%s]:%u" : "%s:%u", host, end->port);
}

const char *packet_verdict_name(enum packet_verdict verdict)
{
	static const char *const names[] = {
		[PACKET_OK] = "ok",
		[PACKET_NOT_UDP] = "not_udp",
		[PACKET_TOO_SHORT] = "too_short",
		[PACKET_BAD_LENGTH] = "bad_length",
		[PACKET_FRAGMENT] = "fragment",
		[PACKET_UNKNOWN_LINK] = "unknown_link",
	};

	_Static_assert(sizeof(names) / sizeof(*names) == PACKET_VERDICT_COUNT, "a name each");
	return (unsigned)verdict < PACKET_VERDICT_COUNT ? names[verdict] : "unknown";
}
