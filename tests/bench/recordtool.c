/*
 * recordtool.c - captures for tests of chime-record.
 *
 *	recordtool make FOLDER EVENTS      FOLDER/{bus.pcap,bus.key,ca.crt}: EVENTS events of
 *	                                   one server, 4 a frame, a signed head every 16 frames
 *	recordtool mangle IN OUT WHAT...   a copy of a capture with some packets changed; N
 *	                                   counts packets from 1
 *	    drop=N dup=N swap=N            leaves out; writes twice; puts behind the next
 *	    flip=N:OFFSET                  flips a bit of its payload (Ethernet, IPv4, UDP)
 *	    flips=N                        the packet once for each byte of its payload,
 *	                                   flipped there
 *	recordtool seed FILE               a seed of the fuzz target, said by "fuzz"
 */
#include "client/record/capture.h"
#include "client/record/packet.h"
#include "client/record/writer.h"
#include "proto/ca.h"
#include "proto/keyfile.h"
#include "tests/unit/record_log.h"

#include <pcap/dlt.h>
#include <time.h>

enum { EVENTS_A_FRAME = 4, FRAMES_A_HEAD = 16, PLAIN_SIZE = 2048, HEADERS = 14 + 20 + 8 };

static int fail(const char *what)
{
	fprintf(stderr, "recordtool: %s\n", what);
	return 1;
}

/* ---- make ---- */

static size_t format_headers(size_t payload, uint8_t out[HEADERS])
{
	static const uint8_t header[HEADERS] = {
		0x01, 0x00, 0x5e, 0x7f, 0x4d, 0x4d, 2, 0, 0, 0, 0, 1, 0x08, 0x00,
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 1, 17, 0, 0, 10, 0, 4, 11, 239, 255, 77, 77,
		0x9c, 0x40, 0x1c, 0xf2, 0, 0, 0, 0,
	};
	size_t ip = payload + 28, udp = payload + 8;

	memcpy(out, header, HEADERS);
	out[16] = (uint8_t)(ip >> 8);
	out[17] = (uint8_t)ip;
	out[38] = (uint8_t)(udp >> 8);
	out[39] = (uint8_t)udp;
	return HEADERS;
}

struct maker {
	struct buskey key;
	struct record_log log;
	struct writer *writer;
	char err[CAPTURE_ERR_SIZE];
};

static int send_letter(struct maker *m, const struct record_letter *letter)
{
	uint8_t plain[PLAIN_SIZE], bytes[HEADERS + ENVELOPE_INPUT_MAX];
	struct capture_packet packet = { .wall_us = m->log.wall_us, .bytes = bytes };
	size_t len = chime__datagram__get_packed_size(&letter->datagram), sealed;

	assert(len <= sizeof(plain));
	chime__datagram__pack(&letter->datagram, plain);
	if (envelope_seal(&m->key, m->log.env_id, plain, len, bytes + HEADERS, ENVELOPE_INPUT_MAX,
			  &sealed) < 0)
		return fail("a datagram is too large");
	packet.len = packet.wire_len = format_headers(sealed, bytes) + sealed;
	return writer_put(m->writer, &packet, m->err, sizeof(m->err)) < 0 ? fail(m->err) : 0;
}

static int make_packets(struct maker *m, uint64_t events, const struct identity *id)
{
	static struct record_frame frame;
	struct record_letter letter;
	size_t len, frames = 0;
	const uint8_t *der = identity_der(id, &len);
	int rc = 0;

	record_open(&m->log, der, len, (struct lineage){ 0 }, 0, &frame);
	while (rc == 0) {
		bool ends = frames % FRAMES_A_HEAD == 0 || m->log.seq >= events;
		struct head head;

		record_letter_init(&letter, m->log.name);
		record_letter_frame(&letter, &frame);
		if (ends) {
			head = record_head(&m->log);
			record_letter_head(&letter, &head);
		}
		rc = send_letter(m, &letter);
		if (m->log.seq >= events)
			break;
		m->log.wall_us += 100;
		record_events(&m->log, EVENTS_A_FRAME, "eod/load", &frame);
		frames++;
	}
	return rc;
}

static int run_make(const char *folder, uint64_t events)
{
	struct maker m = { .log = { .name = "alpha", .lineage = { 1, 2 } } };
	char path[512], out[400], certificate[512], key[512], err[KEYFILE_ERR_SIZE];
	struct writer_plan plan = { .path = path };
	struct identity *id = NULL;
	int rc;

	snprintf(out, sizeof(out), "%s/alpha", folder);
	if (ca_init("bench", folder, err, sizeof(err)) < 0 ||
	    ca_issue(folder, ROLE_SERVER, "alpha", out, 0, err, sizeof(err)) < 0)
		return fail(err);
	snprintf(path, sizeof(path), "%s/ca.crt", out);
	snprintf(certificate, sizeof(certificate), "%s/id.crt", out);
	snprintf(key, sizeof(key), "%s/id.key", out);
	if (identity_load(path, certificate, key, &id, err, sizeof(err)) < 0)
		return fail(err);
	snprintf(path, sizeof(path), "%s/bus.key", folder);
	if (buskey_load(path, &m.key, err, sizeof(err)) < 0)
		return fail(err);
	m.log.key = identity_key(id);
	m.log.wall_us = (int64_t)time(NULL) * 1000000;
	memcpy(m.log.env_id, identity_environment_id(id), sizeof(m.log.env_id));
	snprintf(path, sizeof(path), "%s/bus.pcap", folder);
	if (writer_open(&m.writer, &plan, err, sizeof(err)) < 0 ||
	    writer_begin(m.writer, DLT_EN10MB, false, err, sizeof(err)) < 0)
		return fail(err);
	rc = make_packets(&m, events, id);
	if (writer_close(m.writer, err, sizeof(err)) < 0)
		rc = fail(err);
	buskey_fini(&m.key);
	identity_free(id);
	return rc;
}

/* ---- mangle ---- */

struct mangler {
	int count;
	char **what;
	int link_type;
	uint64_t number;
	struct writer *writer;
	uint8_t kept[CAPTURE_SNAP_MAX];	/* swapped: comes behind the next */
	struct capture_packet later;
	bool failed;
};

static void put(struct mangler *m, const struct capture_packet *packet)
{
	char err[CAPTURE_ERR_SIZE];

	if (writer_put(m->writer, packet, err, sizeof(err)) < 0)
		m->failed = fail(err);
}

/* Is this packet named so? *offset: what follows the number behind a colon. */
static bool is_named(const struct mangler *m, const char *word, uint64_t *offset)
{
	for (int i = 0; i < m->count; i++) {
		size_t len = strlen(word);
		char *end;

		if (strncmp(m->what[i], word, len) != 0 || m->what[i][len] != '=' ||
		    strtoull(m->what[i] + len + 1, &end, 10) != m->number)
			continue;
		if (offset)
			*offset = *end == ':' ? strtoull(end + 1, NULL, 10) : 0;
		return true;
	}
	return false;
}

static void put_flipped(struct mangler *m, const struct capture_packet *packet, uint64_t offset)
{
	static uint8_t bytes[CAPTURE_SNAP_MAX];
	struct capture_packet flipped = *packet;
	struct packet parsed;

	if (packet_parse(m->link_type, packet->bytes, packet->len, &parsed) != PACKET_OK ||
	    offset >= parsed.len || packet->len > sizeof(bytes)) {
		m->failed = fail("there is no such byte");
		return;
	}
	memcpy(bytes, packet->bytes, packet->len);
	bytes[parsed.data - (const uint8_t *)packet->bytes + offset] ^= (uint8_t)(1 << offset % 8);
	flipped.bytes = bytes;
	put(m, &flipped);
}

static void put_all_flipped(struct mangler *m, const struct capture_packet *packet)
{
	struct packet parsed;

	if (packet_parse(m->link_type, packet->bytes, packet->len, &parsed) != PACKET_OK)
		m->failed = fail("it has no payload");
	else
		for (uint64_t offset = 0; offset < parsed.len; offset++)
			put_flipped(m, packet, offset);
}

static bool mangle_packet(void *arg, const struct capture_packet *packet)
{
	struct mangler *m = arg;
	bool had = m->later.len > 0;
	uint64_t offset;

	m->number++;
	if (is_named(m, "swap", NULL) && packet->len <= sizeof(m->kept)) {
		memcpy(m->kept, packet->bytes, packet->len);
		m->later = *packet;
		m->later.bytes = m->kept;
		return true;
	}
	if (is_named(m, "flip", &offset))
		put_flipped(m, packet, offset);
	else if (is_named(m, "flips", NULL))
		put_all_flipped(m, packet);
	else if (!is_named(m, "drop", NULL))
		put(m, packet);
	if (is_named(m, "dup", NULL))
		put(m, packet);
	if (had) {
		m->later.wall_us = packet->wall_us;
		put(m, &m->later);
		m->later.len = 0;
	}
	return !m->failed;
}

static int run_mangle(const char *in, const char *out, int count, char **what)
{
	static struct mangler m;
	struct writer_plan plan = { .path = out };
	struct capture *capture;
	FILE *file = fopen(in, "rb");
	char err[CAPTURE_ERR_SIZE];

	if (!file || capture_open_stream(&capture, file, in, err, sizeof(err)) < 0)
		return fail(file ? err : in);
	m.count = count;
	m.what = what;
	m.link_type = capture_link_type(capture);
	if (writer_open(&m.writer, &plan, err, sizeof(err)) < 0 ||
	    writer_begin(m.writer, m.link_type, false, err, sizeof(err)) < 0 ||
	    capture_run(capture, mangle_packet, &m, err, sizeof(err)) < 0)
		return fail(err);
	capture_close(capture);
	if (writer_close(m.writer, err, sizeof(err)) < 0)
		return fail(err);
	return m.failed;
}

/* ---- seed ---- */

static void put_letter(FILE *file, const struct record_letter *letter)
{
	uint8_t plain[PLAIN_SIZE];
	size_t len = chime__datagram__get_packed_size(&letter->datagram);

	assert(len <= sizeof(plain));
	chime__datagram__pack(&letter->datagram, plain);
	fputc((int)(len >> 8), file);
	fputc((int)(len & 255), file);
	fwrite(plain, 1, len, file);
}

static int run_seed(const char *path)
{
	static struct record_frame frame;
	struct record_log log = { .name = "fuzz", .lineage = { 1, 2 }, .wall_us = 1000000 };
	struct record_letter letter;
	struct sigkey *key = sigkey_generate();
	FILE *file = fopen(path, "wb");

	if (!file)
		return fail(path);
	memcpy(log.env_id, "environment-0001", sizeof(log.env_id));
	log.key = key;
	fputc(3, file);
	record_open(&log, NULL, 0, (struct lineage){ 0 }, 0, &frame);
	for (int i = 0; i < 5; i++) {
		struct head head = record_head(&log);

		/* The target signs it with a key of its own. */
		head.raw[head.raw_len - 1] |= 1;
		record_letter_init(&letter, log.name);
		/* The third is lost, until the last repeats it. */
		if (i != 2)
			record_letter_frame(&letter, &frame);
		record_letter_head(&letter, &head);
		put_letter(file, &letter);
		record_events(&log, 2, "eod/load", &frame);
	}
	sigkey_free(key);
	return fclose(file) == 0 ? 0 : fail(path);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "make") == 0)
		return run_make(argv[2], strtoull(argv[3], NULL, 10));
	if (argc >= 4 && strcmp(argv[1], "mangle") == 0)
		return run_mangle(argv[2], argv[3], argc - 4, argv + 4);
	if (argc == 3 && strcmp(argv[1], "seed") == 0)
		return run_seed(argv[2]);
	return fail("make FOLDER EVENTS | mangle IN OUT WHAT... | seed FILE");
}
