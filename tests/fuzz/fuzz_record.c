/*
 * fuzz_record.c - what chime-record reads: a capture file, a packet of any link type, and what is
 * inside datagrams that open; and all it makes of it: datagrams, events, findings, figures, the
 * clear form and packets written anew. Whatever it says, it says without control characters.
 *
 * The first byte, modulo 4: 0 a capture file; 1 a packet, the link type in the next byte; 2 the
 * plaintext of a bus datagram; 3 several of them, each behind two bytes of length. Its bit 4 asks
 * for JSON, its bit 8 shows datagrams instead of events.
 *
 * Heads of the server "fuzz" that say so are signed here with a key whose certificate the audit
 * takes, so that the search reaches what is behind a signature.
 */
#include <assert.h>
#include <pcap/dlt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/record/capture.h"
#include "client/record/clear.h"
#include "client/record/decode.h"
#include "client/record/report.h"
#include "proto/budget.h"
#include "proto/ca.h"
#include "proto/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const uint8_t key[BUSKEY_SIZE] = "a key of thirty-two bytes, fixed";
static const uint8_t env_id[ENVIRONMENT_ID_SIZE] = "environment-0001";

enum { LETTERS_MAX = 64 };

static struct keyring ring;
static struct identity *authority, *server;
static int64_t now_us;

struct reading {
	struct decoder decoder;
	struct report report;
	struct audit *audit;
	struct report_totals totals;
	bool datagrams;
	int link_type;
};

static void end_fuzz(void)
{
	keyring_fini(&ring);
	identity_free(authority);
	identity_free(server);
}

static void make_server(void)
{
	char folder[] = "/tmp/chime-fuzz-XXXXXX", out[64], ca[96], certificate[96], id[96];
	char err[KEYFILE_ERR_SIZE];
	const char *const files[] = { "ca.crt", "id.crt", "id.key", "bus.key" };
	int rc;

	if (!mkdtemp(folder))
		abort();
	snprintf(out, sizeof(out), "%s/fuzz", folder);
	snprintf(ca, sizeof(ca), "%s/ca.crt", out);
	snprintf(certificate, sizeof(certificate), "%s/id.crt", out);
	snprintf(id, sizeof(id), "%s/id.key", out);
	rc = ca_init("fuzz", folder, err, sizeof(err));
	if (rc == 0)
		rc = ca_issue(folder, ROLE_SERVER, "fuzz", out, 0, err, sizeof(err));
	if (rc == 0)
		rc = identity_load(ca, certificate, id, &server, err, sizeof(err));
	if (rc == 0)
		rc = identity_load_authority(ca, &authority, err, sizeof(err));
	if (rc < 0) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", out, files[i]);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	snprintf(ca, sizeof(ca), "%s/ca.key", folder);
	unlink(ca);
	rmdir(out);
	rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	assert(keyring_add(&ring, key) == 0);
	make_server();
	now_us = (int64_t)time(NULL) * 1000000;
	atexit(end_fuzz);
	return 0;
}

/* Signs the heads of "fuzz" anew when their last byte asks for it. */
static void sign_heads(Chime__Datagram *inside)
{
	for (size_t i = 0; i < inside->n_head; i++) {
		ProtobufCBinaryData *bytes = &inside->head[i];
		struct head head;

		if (head_parse(bytes->data, bytes->len, env_id, &head) == HEAD_OK &&
		    strcmp(head.origin, "fuzz") == 0 && bytes->data[bytes->len - 1] % 2 &&
		    head_sign(&head, identity_key(server)) == 0)
			memcpy(bytes->data, head.raw, head.raw_len);
	}
}

static void rewrite(int link_type, const struct capture_packet *raw, const struct packet *packet,
		    const struct decoded *found)
{
	uint8_t clear[CLEAR_MAX], *bytes = malloc(raw->len + CLEAR_MAX);
	size_t len = clear_format(packet->data, &found->opened, clear);
	struct packet again;
	int all;

	assert(bytes);
	all = packet_rewrite(raw->bytes, packet, clear, len, bytes, raw->len + CLEAR_MAX);
	assert(all > 0);
	assert(packet_parse(link_type, bytes, (size_t)all, &again) == PACKET_OK);
	assert(again.len == len && memcmp(again.data, clear, len) == 0);
	free(bytes);
}

static void show(struct reading *r, int64_t wall_us, const struct packet *packet,
		 const struct capture_packet *raw)
{
	struct decoded found;

	decode_datagram(&r->decoder, wall_us, packet, &found);
	if (r->datagrams && r->report.json)
		decode_print_json(&r->decoder, &found);
	else if (r->datagrams)
		decode_print_text(&r->decoder, &found);
	else if (found.inside) {
		sign_heads(found.inside);
		audit_hear(r->audit, wall_us, found.inside, found.nonce, packet->wire_len);
	} else if (found.verdict != DECODE_OK) {
		report_unopened(&r->report, &found);
	}
	if (raw && found.inside && found.kind == DECODE_BUS)
		rewrite(r->link_type, raw, packet, &found);
	r->totals.datagrams++;
	decoded_fini(&found);
}

static bool take_packet(void *arg, const struct capture_packet *raw)
{
	struct reading *reading = arg;
	struct packet packet;

	if (packet_parse(reading->link_type, raw->bytes, raw->len, &packet) != PACKET_OK)
		return true;
	assert(packet.len <= raw->len && packet.len <= packet.wire_len);
	assert(packet.data >= (const uint8_t *)raw->bytes &&
	       packet.data + packet.len <= (const uint8_t *)raw->bytes + raw->len);
	assert(packet.ip_at < packet.udp_at && packet.udp_at < raw->len);
	show(reading, raw->wall_us, &packet, raw);
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
	struct capture_packet raw = { .wall_us = (int64_t)size * 1000003 };
	uint8_t *exact;

	if (size == 0)
		return;
	reading->link_type = links[data[0] % (sizeof(links) / sizeof(*links))];
	/* A block of its own: reading one byte too far is seen. */
	exact = malloc(size - 1);
	assert(exact || size == 1);
	if (size > 1)
		memcpy(exact, data + 1, size - 1);
	raw.bytes = exact;
	raw.len = raw.wire_len = size - 1;
	take_packet(reading, &raw);
	free(exact);
}

static void read_inside(struct reading *reading, int64_t wall_us, const uint8_t *data, size_t size)
{
	uint8_t sealed[ENVELOPE_INPUT_MAX];
	struct packet packet = { .from.version = 4, .to.version = 6, .data = sealed };

	if (envelope_seal(&ring.keys[0], env_id, data, size, sealed, sizeof(sealed),
			  &packet.len) < 0)
		return;
	packet.wire_len = packet.len;
	show(reading, wall_us, &packet, NULL);
}

/* A sequence: what one datagram leaves behind meets the next. */
static void read_letters(struct reading *reading, const uint8_t *data, size_t size)
{
	int64_t wall_us = now_us;

	for (int i = 0; i < LETTERS_MAX && size >= 2; i++) {
		size_t len = (size_t)(data[0] << 8 | data[1]) % (ENVELOPE_PLAIN_MAX + 1);

		if (len > size - 2)
			len = size - 2;
		read_inside(reading, wall_us, data + 2, len);
		/* From at once to longer than anything is held. */
		wall_us += (INT64_C(1) << (data[0] >> 3)) / 64;
		data += 2 + len;
		size -= 2 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading r = { .decoder.keys = &ring, .decoder.clear = true };
	const uint8_t *der;
	char *text = NULL;
	size_t len = 0, der_len;

	if (size == 0)
		return 0;
	memcpy(r.decoder.env_id, env_id, sizeof(env_id));
	r.decoder.out = r.report.out = open_memstream(&text, &len);
	assert(r.decoder.out);
	r.report.json = data[0] & 4;
	r.datagrams = data[0] & 8;
	r.audit = audit_new(authority, env_id, report_sink(&r.report));
	der = identity_der(server, &der_len);
	audit_add_certificate(r.audit, "fuzz", der, der_len);
	if (data[0] % 4 == 0)
		read_file(&r, data + 1, size - 1);
	else if (data[0] % 4 == 1)
		read_packet(&r, data + 1, size - 1);
	else if (data[0] % 4 == 2)
		read_inside(&r, now_us, data + 1, size - 1);
	else
		read_letters(&r, data + 1, size - 1);
	audit_end(r.audit);
	report_summary(&r.report, r.audit, &r.totals);
	audit_free(r.audit);
	fclose(r.decoder.out);
	for (size_t i = 0; i < len; i++)
		assert((unsigned char)text[i] >= 0x20 || text[i] == '\n');
	free(text);
	return 0;
}
