/*
 * main.c - chime-record: the bus on an interface or in a capture file, as text, JSON or pcap.
 *
 * Order, so that no foreign byte is looked at with more rights than an ordinary user's: command
 * line, keys, the interface and its filter, files, rights given up, packets. Files of a ring are
 * all made with the rights that are left.
 */
#include "client/record/capture.h"
#include "client/record/clear.h"
#include "client/record/decode.h"
#include "client/record/options.h"
#include "client/record/report.h"
#include "client/record/writer.h"
#include "client/say.h"
#include "proto/buskey.h"
#include "proto/identity.h"
#include "proto/keyfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct recording {
	struct options options;
	struct keyring ring;
	struct identity *authority;
	struct decoder decoder;
	struct report report;
	struct audit *audit;		/* NULL: nothing is judged */
	struct report_totals totals;
	struct capture *capture;
	struct writer *writer;
	bool interface_failed;		/* ... to open, which has exit codes of its own */
	FILE *input;
	int write_rc;
	char err[CAPTURE_ERR_SIZE];
};

/* ---- opening ---- */

static int load_keys(struct recording *r, char *err, size_t err_size)
{
	struct buskey key;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->options.key_count; i++) {
		rc = buskey_load(r->options.keys[i], &key, err, err_size);
		if (rc < 0)
			break;
		rc = keyring_add(&r->ring, key.bytes);
		if (rc < 0)
			keyfile_error(err, err_size, rc, "two different keys have the same id",
				      NULL, "give them one at a time");
		buskey_fini(&key);
	}
	if (rc == 0 && r->options.ca[0])
		rc = identity_load_authority(r->options.ca, &r->authority, err, err_size);
	if (rc == 0 && r->authority)
		memcpy(r->decoder.env_id, identity_environment_id(r->authority),
		       sizeof(r->decoder.env_id));
	if (rc == 0 && r->options.key_count)
		r->decoder.keys = &r->ring;
	return rc;
}

static int make_audit(struct recording *r, char *err, size_t err_size)
{
	uint8_t der[IDENTITY_DER_MAX];
	struct name_id who;
	size_t len;
	int rc = 0;

	/* Without anything that opens, datagrams are all there is to show. */
	if (!r->authority || r->options.datagrams || r->options.plan.path)
		return 0;
	r->audit = audit_new(r->authority, r->decoder.env_id, report_sink(&r->report));
	for (size_t i = 0; rc == 0 && i < r->options.certificate_count; i++) {
		rc = identity_load_other(r->options.certificates[i], der, &len, &who, err,
					 err_size);
		if (rc == 0)
			audit_add_certificate(r->audit, who.name, der, len);
	}
	return rc;
}

static int open_input(struct recording *r, char *err, size_t err_size)
{
	char what[512];
	const char *path = r->options.read;
	int rc;

	if (!path)
		return 0;
	r->input = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
	if (r->input)
		return 0;
	rc = -errno;
	snprintf(what, sizeof(what), "cannot open the capture %s", path);
	return keyfile_error(err, err_size, rc, what, strerror(-rc), NULL);
}

static int open_output(struct recording *r, char *err, size_t err_size)
{
	if (!r->options.plan.path)
		return 0;
	return writer_open(&r->writer, &r->options.plan, err, err_size);
}

/*
 * Under sudo files are the person's and opened with the person's rights; root's own are root's.
 * A ring goes on making files, so it is opened with the rights it will have.
 */
static int drop_and_open_files(struct recording *r, char *err, size_t err_size)
{
	bool before = !capture_by_sudo() && !r->options.user && !r->options.plan.files;
	int rc = open_input(r, err, err_size);

	if (rc == 0 && before)
		rc = open_output(r, err, err_size);
	if (rc == 0)
		rc = capture_drop_rights(r->options.user, err, err_size);
	if (rc == 0 && !before)
		rc = open_output(r, err, err_size);
	return rc;
}

static int open_all(struct recording *r, char *err, size_t err_size)
{
	const struct options *o = &r->options;
	int rc = load_keys(r, err, err_size);

	if (rc == 0)
		rc = make_audit(r, err, err_size);
	if (rc == 0 && o->interface) {
		rc = capture_open_interface(&r->capture, o->interface, err, err_size);
		r->interface_failed = rc < 0;
	}
	if (rc == 0 && o->interface)
		rc = capture_filter(r->capture, o->port, o->group, err, err_size);
	if (rc == 0)
		rc = drop_and_open_files(r, err, err_size);
	if (rc == 0 && o->read)
		rc = capture_open_stream(&r->capture, r->input, o->read, err, err_size);
	if (rc == 0 && o->read && (o->port_given || o->group))
		rc = capture_filter(r->capture, o->port, o->group, err, err_size);
	if (rc < 0)
		return rc;
	return r->writer ? writer_begin(r->writer, capture_link_type(r->capture), o->interface, err,
					err_size) : 0;
}

/* ---- packets ---- */

/* In a file that others recorded there is more than the bus. */
static bool is_wanted(const struct recording *r, const struct packet *p)
{
	return r->options.interface || p->from.port == r->options.port ||
	       p->to.port == r->options.port || decode_is_ours(&r->decoder, p);
}

static void count_datagram(struct recording *r, const struct decoded *found)
{
	struct report_totals *t = &r->totals;

	if (t->datagrams++ == 0)
		t->first_us = found->wall_us;
	t->last_us = found->wall_us;
	if (found->verdict == DECODE_SEALED)
		t->sealed++;
	else if (found->verdict != DECODE_OK)
		t->not_opened++;
	else if (found->kind == DECODE_BUS || found->kind == DECODE_CLEAR)
		t->opened++;
	else
		t->discovery++;
}

static void show_datagram(struct recording *r, const struct decoded *found)
{
	if (!r->audit && r->options.json)
		decode_print_json(&r->decoder, found);
	else if (!r->audit && !r->options.quiet)
		decode_print_text(&r->decoder, found);
	else if (r->audit && found->inside)
		audit_hear(r->audit, found->wall_us, found->inside, found->nonce,
			   found->packet->wire_len);
	else if (r->audit && found->verdict != DECODE_OK && found->verdict != DECODE_SEALED)
		report_unopened(&r->report, found);
}

/* What opens is written in clear, everything else as it is. */
static int write_packet(struct recording *r, const struct capture_packet *raw,
			const struct packet *packet, const struct decoded *found)
{
	uint8_t clear[CLEAR_MAX], bytes[CAPTURE_SNAP_MAX];
	struct capture_packet opened = { .wall_us = raw->wall_us, .bytes = bytes };
	int len;

	if (!r->options.decrypt || !found || found->kind != DECODE_BUS || !found->inside)
		return writer_put(r->writer, raw, r->err, sizeof(r->err));
	len = packet_rewrite(raw->bytes, packet, clear,
			     clear_format(packet->data, &found->opened, clear), bytes,
			     sizeof(bytes));
	if (len < 0)
		return writer_put(r->writer, raw, r->err, sizeof(r->err));
	opened.len = opened.wire_len = (size_t)len;
	return writer_put(r->writer, &opened, r->err, sizeof(r->err));
}

static bool wants_more(const struct recording *r)
{
	return r->write_rc == 0 && r->totals.datagrams + r->totals.broken != r->options.count;
}

/* One of ours; *packet is parsed. */
static bool take_datagram(struct recording *r, const struct capture_packet *raw,
			  const struct packet *packet)
{
	struct decoded found;

	decode_datagram(&r->decoder, raw->wall_us, packet, &found);
	count_datagram(r, &found);
	if (r->writer)
		r->write_rc = write_packet(r, raw, packet, &found);
	else
		show_datagram(r, &found);
	decoded_fini(&found);
	return wants_more(r);
}

static bool take_packet(void *arg, const struct capture_packet *raw)
{
	struct recording *r = arg;
	struct packet packet;
	enum packet_verdict verdict = packet_parse(capture_link_type(r->capture), raw->bytes,
						   raw->len, &packet);

	if (verdict == PACKET_OK && is_wanted(r, &packet))
		return take_datagram(r, raw, &packet);
	if (verdict == PACKET_NOT_UDP || verdict == PACKET_OK)
		r->totals.other++;
	else
		r->totals.broken++;
	if (r->writer)
		r->write_rc = write_packet(r, raw, &packet, NULL);
	return wants_more(r);
}

/* ---- the end ---- */

static void print_summary(const struct recording *r)
{
	const struct report_totals *t = &r->totals;

	fprintf(stderr, "chime-record: %" PRIu64 " datagrams", t->datagrams + t->broken);
	if (r->decoder.keys || r->audit)
		fprintf(stderr, ", %" PRIu64 " read, %" PRIu64 " not opened",
			t->opened + t->discovery, t->not_opened);
	if (t->broken)
		fprintf(stderr, ", %" PRIu64 " fragments or damaged packets", t->broken);
	if (t->other)
		fprintf(stderr, ", %" PRIu64 " other packets", t->other);
	if (t->lost_here)
		fprintf(stderr, ", %" PRIu64 " LOST here", t->lost_here);
	fputc('\n', stderr);
}

static int exit_of(const struct recording *r, int rc)
{
	if (!r->interface_failed)
		return EXIT_TROUBLE;
	return rc == -EPERM ? EXIT_DENIED : rc == -ENODEV ? EXIT_NO_MATCH : EXIT_TROUBLE;
}

static int record(struct recording *r)
{
	char err[CAPTURE_ERR_SIZE] = "";
	int rc = open_all(r, err, sizeof(err));

	if (rc < 0)
		return options_complain(err, exit_of(r, rc));
	/* A pipe's reader sees every line when it comes. */
	if (r->options.interface)
		setvbuf(stdout, NULL, _IOLBF, 0);
	if (r->options.interface)
		fprintf(stderr, "chime-record: listening on %s, udp port %u\n",
			r->options.interface, r->options.port);
	rc = capture_run(r->capture, take_packet, r, err, sizeof(err));
	r->totals.lost_here = capture_dropped(r->capture);
	if (r->audit) {
		audit_end(r->audit);
		report_summary(&r->report, r->audit, &r->totals);
	}
	if (fflush(stdout) != 0)
		return options_complain("cannot write to stdout", EXIT_TROUBLE);
	print_summary(r);
	if (rc < 0 || r->write_rc < 0)
		return options_complain(rc < 0 ? err : r->err, EXIT_TROUBLE);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct recording r = { 0 };
	int code = options_read(&r.options, argc, argv);

	if (code != 0)
		return code < 0 ? EXIT_DONE : code;
	r.report = (struct report){ stdout, r.options.json, r.options.quiet };
	r.decoder.out = stdout;
	r.decoder.clear = r.options.read;
	code = record(&r);
	capture_close(r.capture);
	if (writer_close(r.writer, r.err, sizeof(r.err)) < 0 && code == EXIT_DONE)
		code = options_complain(r.err, EXIT_TROUBLE);
	audit_free(r.audit);
	identity_free(r.authority);
	keyring_fini(&r.ring);
	return code;
}
