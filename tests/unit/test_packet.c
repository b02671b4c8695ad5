/*
 * test_packet.c - every link type, cut at every byte; lengths that contradict each other;
 * fragments and extension headers.
 */
#include "client/record/packet.h"

#include <pcap/dlt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAYLOAD = 5, IPV4_SIZE = 20 + 8 + PAYLOAD, IPV6_SIZE = 40 + 8 + PAYLOAD, ROOM = 200 };

/* 127.0.0.1:4711 > 239.255.77.77:7410 "hello" */
static const uint8_t ipv4[IPV4_SIZE] = {
	0x45, 0, 0, IPV4_SIZE, 0, 0, 0, 0, 1, 17, 0, 0, 127, 0, 0, 1, 239, 255, 77, 77,
	0x12, 0x67, 0x1c, 0xf2, 0, 8 + PAYLOAD, 0, 0, 'h', 'e', 'l', 'l', 'o',
};

/* [fe80::1]:4711 > [ff02::7]:7410 "hello" */
static const uint8_t ipv6[IPV6_SIZE] = {
	0x60, 0, 0, 0, 0, 8 + PAYLOAD, 17, 1,
	0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
	0x12, 0x67, 0x1c, 0xf2, 0, 8 + PAYLOAD, 0, 0, 'h', 'e', 'l', 'l', 'o',
};

/* Parses a copy in a block of exactly that size, so that a sanitizer sees one byte too many; data
 * is not to be looked at afterwards. */
static enum packet_verdict parse(int link_type, const void *bytes, size_t len, struct packet *out)
{
	uint8_t *exact = malloc(len ? len : 1);
	enum packet_verdict verdict;

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	verdict = packet_parse(link_type, exact, len, out);
	if (verdict == PACKET_OK) {
		assert_true(out->len <= out->wire_len);
		assert_ptr_equal(out->data + out->len, exact + len);
	}
	free(exact);
	return verdict;
}

static void expect_whole(int link_type, const uint8_t *header, size_t header_len,
			 const uint8_t *ip, size_t ip_len)
{
	uint8_t bytes[ROOM];
	struct packet packet;
	char text[PACKET_END_SIZE];
	bool six = ip[0] >> 4 == 6;

	memcpy(bytes, header, header_len);
	memcpy(bytes + header_len, ip, ip_len);
	assert_int_equal(packet_parse(link_type, bytes, header_len + ip_len, &packet), PACKET_OK);
	assert_int_equal(packet.len, PAYLOAD);
	assert_int_equal(packet.wire_len, PAYLOAD);
	assert_memory_equal(packet.data, "hello", PAYLOAD);
	packet_end_format(&packet.from, text);
	assert_string_equal(text, six ? "[fe80::1]:4711" : "127.0.0.1:4711");
	packet_end_format(&packet.to, text);
	assert_string_equal(text, six ? "[ff02::7]:7410" : "239.255.77.77:7410");
	/* Cut anywhere: in a header it is too short, in the payload it says how long it was. */
	for (size_t len = 0; len < header_len + ip_len; len++) {
		enum packet_verdict verdict = parse(link_type, bytes, len, &packet);

		if (len < header_len + ip_len - PAYLOAD) {
			assert_int_equal(verdict, PACKET_TOO_SHORT);
			continue;
		}
		assert_int_equal(verdict, PACKET_OK);
		assert_int_equal(packet.wire_len, PAYLOAD);
		assert_int_equal(packet.len, PAYLOAD - (header_len + ip_len - len));
	}
}

static void links_are_known(void **state)
{
	static const uint8_t ether[] = { [12] = 8, 0 }, ether6[] = { [12] = 0x86, 0xdd };
	static const uint8_t vlan[] = { [12] = 0x81, 0, 0, 5, 8, 0 };
	static const uint8_t qinq[] = { [12] = 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0 };
	static const uint8_t sll[] = { [14] = 8, 0 };
	static const uint8_t sll2[20] = { 8, 0 };
	static const uint8_t null_little[] = { 2, 0, 0, 0 }, loop_six[] = { 0, 0, 0, 30 };

	(void)state;
	expect_whole(DLT_EN10MB, ether, sizeof(ether), ipv4, sizeof(ipv4));
	expect_whole(DLT_EN10MB, ether6, sizeof(ether6), ipv6, sizeof(ipv6));
	expect_whole(DLT_EN10MB, vlan, sizeof(vlan), ipv4, sizeof(ipv4));
	expect_whole(DLT_EN10MB, qinq, sizeof(qinq), ipv4, sizeof(ipv4));
	expect_whole(DLT_LINUX_SLL, sll, sizeof(sll), ipv4, sizeof(ipv4));
	expect_whole(DLT_LINUX_SLL2, sll2, sizeof(sll2), ipv4, sizeof(ipv4));
	expect_whole(DLT_NULL, null_little, sizeof(null_little), ipv4, sizeof(ipv4));
	expect_whole(DLT_LOOP, loop_six, sizeof(loop_six), ipv6, sizeof(ipv6));
	expect_whole(DLT_RAW, ipv4, 0, ipv4, sizeof(ipv4));
	expect_whole(DLT_IPV6, ipv6, 0, ipv6, sizeof(ipv6));
}

/* The verdict on an IPv4 packet with one byte changed. */
static enum packet_verdict with_byte(size_t at, uint8_t value)
{
	uint8_t bytes[IPV4_SIZE];
	struct packet packet;

	memcpy(bytes, ipv4, sizeof(bytes));
	bytes[at] = value;
	return parse(DLT_RAW, bytes, sizeof(bytes), &packet);
}

static void lengths_must_agree(void **state)
{
	struct packet packet;
	uint8_t longer[IPV4_SIZE + 4] = { 0 };

	(void)state;
	assert_int_equal(with_byte(0, 0x44), PACKET_BAD_LENGTH);	/* header of 16 bytes */
	assert_int_equal(with_byte(0, 0x4f), PACKET_BAD_LENGTH);	/* longer than the packet */
	assert_int_equal(with_byte(3, 19), PACKET_BAD_LENGTH);		/* total below the header */
	assert_int_equal(with_byte(25, 7), PACKET_BAD_LENGTH);		/* UDP below its header */
	assert_int_equal(with_byte(25, 8 + PAYLOAD + 1), PACKET_BAD_LENGTH);
	assert_int_equal(with_byte(9, 6), PACKET_NOT_UDP);
	assert_int_equal(with_byte(0, 0x75), PACKET_NOT_UDP);		/* IP of version 7 */
	/* Ethernet fills short frames up. */
	memcpy(longer, ipv4, sizeof(ipv4));
	assert_int_equal(packet_parse(DLT_RAW, longer, sizeof(longer), &packet), PACKET_OK);
	assert_int_equal(packet.len, PAYLOAD);
	assert_int_equal(packet_parse(147, ipv4, sizeof(ipv4), &packet), PACKET_UNKNOWN_LINK);
}

static void options_are_skipped(void **state)
{
	uint8_t bytes[IPV4_SIZE + 8];
	struct packet packet;

	(void)state;
	memcpy(bytes, ipv4, 20);
	memset(bytes + 20, 1, 8);
	memcpy(bytes + 28, ipv4 + 20, sizeof(ipv4) - 20);
	bytes[0] = 0x47;
	bytes[3] = sizeof(bytes);
	assert_int_equal(packet_parse(DLT_RAW, bytes, sizeof(bytes), &packet), PACKET_OK);
	assert_memory_equal(packet.data, "hello", PAYLOAD);
	assert_int_equal(packet.to.port, 7410);
}

static void fragments_are_told(void **state)
{
	(void)state;
	assert_int_equal(with_byte(6, 0x20), PACKET_FRAGMENT);		/* more follow */
	assert_int_equal(with_byte(7, 1), PACKET_FRAGMENT);		/* not the first */
	assert_int_equal(with_byte(6, 0x40), PACKET_OK);		/* must not be fragmented */
}

/* The IPv6 packet with extension headers before UDP. */
static enum packet_verdict with_extensions(uint8_t first, const uint8_t *headers, size_t len)
{
	uint8_t bytes[ROOM];
	struct packet packet;
	enum packet_verdict verdict;

	memcpy(bytes, ipv6, 40);
	memcpy(bytes + 40, headers, len);
	memcpy(bytes + 40 + len, ipv6 + 40, sizeof(ipv6) - 40);
	bytes[5] = (uint8_t)(len + 8 + PAYLOAD);
	bytes[6] = first;
	verdict = parse(DLT_IPV6, bytes, sizeof(ipv6) + len, &packet);
	if (verdict == PACKET_OK)
		assert_int_equal(packet.to.port, 7410);
	return verdict;
}

static void extensions_are_skipped(void **state)
{
	static const uint8_t hop[] = { 17, 0, 5, 2, 0, 0, 1, 0 };
	static const uint8_t two[] = { 60, 0, 0, 0, 0, 0, 0, 0, 17, 1, 0, 0, 0, 0, 0, 0,
				       0, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t ah[] = { 17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2 };
	static const uint8_t whole[] = { 17, 0, 0, 0, 0, 0, 0, 9 };
	static const uint8_t more[] = { 17, 0, 0, 1, 0, 0, 0, 9 };
	static const uint8_t later[] = { 17, 0, 0, 8, 0, 0, 0, 9 };
	static const uint8_t too_long[] = { 17, 255, 0, 0, 0, 0, 0, 0 };
	uint8_t many[10 * 8];

	(void)state;
	assert_int_equal(with_extensions(0, hop, sizeof(hop)), PACKET_OK);
	assert_int_equal(with_extensions(0, two, sizeof(two)), PACKET_OK);
	assert_int_equal(with_extensions(51, ah, sizeof(ah)), PACKET_OK);
	assert_int_equal(with_extensions(44, whole, sizeof(whole)), PACKET_OK);
	assert_int_equal(with_extensions(44, more, sizeof(more)), PACKET_FRAGMENT);
	assert_int_equal(with_extensions(44, later, sizeof(later)), PACKET_FRAGMENT);
	assert_int_equal(with_extensions(60, too_long, sizeof(too_long)), PACKET_TOO_SHORT);
	/* A chain of headers without end is nobody's datagram. */
	memset(many, 0, sizeof(many));
	for (size_t i = 0; i < sizeof(many); i += 8)
		many[i] = 60;
	assert_int_equal(with_extensions(60, many, sizeof(many)), PACKET_NOT_UDP);
}

static void verdicts_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < PACKET_VERDICT_COUNT; i++) {
		assert_string_not_equal(packet_verdict_name((enum packet_verdict)i), "unknown");
		for (int j = 0; j < i; j++)
			assert_string_not_equal(packet_verdict_name((enum packet_verdict)i),
						packet_verdict_name((enum packet_verdict)j));
	}
	assert_string_equal(packet_verdict_name(PACKET_VERDICT_COUNT), "unknown");
}

/* Written anew it parses to the new payload, and its checksums fit: their words sum to none. */
static void a_packet_is_written_anew(void **state)
{
	static const uint8_t payload[] = "another, and of an odd length";
	uint8_t out[ROOM];
	struct packet packet, again;
	const struct { int link; const uint8_t *bytes; size_t len; } cases[] = {
		{ DLT_IPV4, ipv4, sizeof(ipv4) }, { DLT_IPV6, ipv6, sizeof(ipv6) },
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t at = i ? 8 : 12, addresses = i ? 32 : 8;
		uint32_t sum = 17 + 8 + sizeof(payload);
		int len;

		assert_int_equal(packet_parse(cases[i].link, cases[i].bytes, cases[i].len, &packet),
				 PACKET_OK);
		len = packet_rewrite(cases[i].bytes, &packet, payload, sizeof(payload), out, ROOM);
		assert_int_equal(len, cases[i].len - PAYLOAD + sizeof(payload));
		assert_int_equal(packet_parse(cases[i].link, out, (size_t)len, &again), PACKET_OK);
		assert_int_equal(again.len, sizeof(payload));
		assert_int_equal(again.wire_len, sizeof(payload));
		assert_memory_equal(again.data, payload, sizeof(payload));
		for (size_t b = at; b < at + addresses; b++)
			sum += (uint32_t)out[b] << (b % 2 ? 0 : 8);
		for (size_t b = again.udp_at; b < (size_t)len; b++)
			sum += (uint32_t)out[b] << ((b - again.udp_at) % 2 ? 0 : 8);
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
		assert_true(packet_rewrite(cases[i].bytes, &packet, payload, sizeof(payload), out,
					   (size_t)len - 1) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_is_written_anew),
		cmocka_unit_test(links_are_known),
		cmocka_unit_test(lengths_must_agree),
		cmocka_unit_test(options_are_skipped),
		cmocka_unit_test(fragments_are_told),
		cmocka_unit_test(extensions_are_skipped),
		cmocka_unit_test(verdicts_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
