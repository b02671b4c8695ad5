/*
 * fuzz_record.c - what chime-record reads: a capture file, a packet of any link type, and what is
 * inside a datagram that opens. Whatever it says, it says without control characters.
 *
 * The first byte: 0 a capture file; 1 a packet, the link type in the next byte; 2 the plaintext of
 * a bus datagram. Odd values of the next higher bit ask for JSON.
 */
#include <assert.h>
#include <pcap/dlt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/record/capture.h"
#include "client/record/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const uint8_t key[BUSKEY_SIZE] = "a key of thirty-two bytes, fixed";
static const uint8_t env_id[ENVIRONMENT_ID_SIZE] = "environment-0001";

static struct keyring ring;

struct reading {
	struct decoder decoder;
	int link_type;
};

static void end_fuzz(void)
{
	keyring_fini(&ring);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	assert(keyring_add(&ring, key) == 0);
	atexit(end_fuzz);
	return 0;
}

static bool take_packet(void *arg, int64_t wall_us, const void *bytes, size_t len)
{
	struct reading *reading = arg;
	struct packet packet;

	if (packet_parse(reading->link_type, bytes, len, &packet) != PACKET_OK)
		return true;
	assert(packet.len <= len && packet.len <= packet.wire_len);
	assert(packet.data >= (const uint8_t *)bytes &&
	       packet.data + packet.len <= (const uint8_t *)bytes + len);
	decode_print(&reading->decoder, wall_us, &packet);
	return true;
}

static void read_file(struct reading *reading, const uint8_t *data, size_t size)
{
	char err[CAPTURE_ERR_SIZE];
	struct capture *capture;
	FILE *file = size ? fmemopen((void *)data, size, "rb") : NULL;

	if (!file || capture_open_stream(&capture, file, "fuzz", err, sizeof(err)) < 0)
		return;
	reading->link_type = capture_link_type(capture);
	(void)capture_run(capture, take_packet, reading, err, sizeof(err));
	capture_close(capture);
}

static void read_packet(struct reading *reading, const uint8_t *data, size_t size)
{
	static const int links[] = { DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL, DLT_LOOP,
				     DLT_RAW, DLT_IPV4, DLT_IPV6, 147 };
	uint8_t *exact;

	if (size == 0)
		return;
	reading->link_type = links[data[0] % (sizeof(links) / sizeof(*links))];
	/* A block of its own: reading one byte too far is seen. */
	exact = malloc(size - 1);
	assert(exact || size == 1);
	if (size > 1)
		memcpy(exact, data + 1, size - 1);
	take_packet(reading, (int64_t)size * 1000003, exact, size - 1);
	free(exact);
}

static void read_inside(struct reading *reading, const uint8_t *data, size_t size)
{
	uint8_t sealed[ENVELOPE_INPUT_MAX];
	struct packet packet = { .from.version = 4, .to.version = 6, .data = sealed };

	if (envelope_seal(&ring.keys[0], env_id, data, size, sealed, sizeof(sealed),
			  &packet.len) < 0)
		return;
	packet.wire_len = packet.len;
	decode_print(&reading->decoder, INT64_C(1795132800000000), &packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading reading = { .decoder.keys = &ring };
	char *text = NULL;
	size_t len = 0;

	if (size == 0)
		return 0;
	memcpy(reading.decoder.env_id, env_id, sizeof(env_id));
	reading.decoder.json = data[0] & 4;
	reading.decoder.out = open_memstream(&text, &len);
	assert(reading.decoder.out);
	if (data[0] % 4 == 0)
		read_file(&reading, data + 1, size - 1);
	else if (data[0] % 4 == 1)
		read_packet(&reading, data + 1, size - 1);
	else
		read_inside(&reading, data + 1, size - 1);
	fclose(reading.decoder.out);
	for (size_t i = 0; i < len; i++)
		assert((unsigned char)text[i] >= 0x20 || text[i] == '\n');
	free(text);
	return 0;
}
