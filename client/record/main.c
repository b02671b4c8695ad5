/*
 * main.c - chime-record: the bus on an interface or in a capture file, as text, JSON or pcap.
 *
 * Order, so that no foreign byte is looked at with more rights than an ordinary user's: command
 * line, keys, the interface and its filter, files, rights given up, packets.
 */
#include "client/record/capture.h"
#include "client/record/decode.h"
#include "client/say.h"
#include "proto/buskey.h"
#include "proto/identity.h"
#include "proto/keyfile.h"
#include "proto/version.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"usage: chime-record -i IF [-w FILE] [OPTIONS]    record, or show as it comes\n"
	"       chime-record -r FILE [OPTIONS]            show a capture\n"
	"\n"
	"  -i, --interface IF   capture there; \"any\" for all\n"
	"  -w, --write FILE     write a pcap file, \"-\" for stdout; nothing is shown then\n"
	"  -r, --read FILE      read a pcap file, \"-\" for stdin\n"
	"      --port N         the bus port (7410)\n"
	"      --group ADDRESS  leave out datagrams of other groups\n"
	"      --count N        end after N datagrams\n"
	"      --key FILE       bus.key, to show what is inside; may be given four times\n"
	"      --ca FILE        ca.crt of the environment; needed with --key\n"
	"      --json           a line of JSON for each datagram\n"
	"      --help, --version\n"
	"\n"
	"Root is only needed while an interface is opened. Ctrl-C ends a recording in order.\n"
	"\n"
	"  sudo chime-record -i eth0 -w night.pcap\n"
	"  chime-record -r night.pcap --key bus.key --ca ca.crt\n";

struct options {
	const char *interface, *read, *write, *group, *ca;
	const char *keys[KEYRING_MAX];
	size_t key_count;
	uint16_t port;
	bool port_given, json;
	uint64_t count;			/* 0 = no end */
};

struct recording {
	struct options options;
	struct keyring ring;
	struct decoder decoder;
	struct capture *capture;
	bool interface_failed;		/* ... to open, which has exit codes of its own */
	FILE *input, *file;
	int link_type;
	uint64_t taken, foreign, broken;
};

/* ---- command line ---- */

static int complain(const char *lines, int code)
{
	fprintf(stderr, "chime-record: %s\n", lines);
	return code;
}

static int refuse_usage(const char *what, const char *hint)
{
	char err[CAPTURE_ERR_SIZE];

	keyfile_error(err, sizeof(err), -EINVAL, what, NULL, hint);
	return complain(err, EXIT_USAGE);
}

static bool read_number(const char *text, uint64_t most, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && *end == '\0' && *out >= 1 && *out <= most;
}

static int check_options(const struct options *o)
{
	if (!o->interface == !o->read)
		return refuse_usage("an interface or a file is needed, one of them",
				    "chime-record -i lo    or    chime-record -r FILE");
	if (o->key_count && !o->ca)
		return refuse_usage("--key needs --ca: the environment belongs to what is sealed",
				    "--ca /etc/chime/ca.crt");
	if (o->ca && !o->key_count)
		return refuse_usage("--ca opens nothing without --key", "--key /etc/chime/bus.key");
	if (o->write && (o->key_count || o->json))
		return refuse_usage("with -w nothing is shown, so --key and --json have no use",
				    "record first, then chime-record -r FILE --key ...");
	return 0;
}

enum {
	OPTION_PORT = 256,
	OPTION_GROUP,
	OPTION_COUNT,
	OPTION_KEY,
	OPTION_CA,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
};

static int take_option(struct options *o, int option, const char *value)
{
	uint64_t port;

	switch (option) {
	case 'i':
		o->interface = value;
		return 0;
	case 'r':
		o->read = value;
		return 0;
	case 'w':
		o->write = value;
		return 0;
	case OPTION_PORT:
		if (!read_number(value, UINT16_MAX, &port))
			return refuse_usage("--port is a number from 1 to 65535", "--port 7410");
		o->port = (uint16_t)port;
		o->port_given = true;
		return 0;
	case OPTION_GROUP:
		o->group = value;
		return 0;
	case OPTION_COUNT:
		return read_number(value, UINT64_MAX, &o->count) ? 0 :
			refuse_usage("--count is a number from 1", "--count 100");
	case OPTION_KEY:
		if (o->key_count == KEYRING_MAX)
			return refuse_usage("at most four keys", NULL);
		o->keys[o->key_count++] = value;
		return 0;
	case OPTION_CA:
		o->ca = value;
		return 0;
	case OPTION_JSON:
		o->json = true;
		return 0;
	default:
		return refuse_usage("this is not how it is used", "chime-record --help");
	}
}

/* 0, or an exit code; -1: help or version was asked for and given. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option list[] = {
		{ "interface", required_argument, NULL, 'i' },
		{ "read", required_argument, NULL, 'r' },
		{ "write", required_argument, NULL, 'w' },
		{ "port", required_argument, NULL, OPTION_PORT },
		{ "group", required_argument, NULL, OPTION_GROUP },
		{ "count", required_argument, NULL, OPTION_COUNT },
		{ "key", required_argument, NULL, OPTION_KEY },
		{ "ca", required_argument, NULL, OPTION_CA },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "help", no_argument, NULL, OPTION_HELP },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ 0 },
	};
	int option, code = 0;

	*o = (struct options){ .port = DISCOVER_DEFAULT_PORT };
	while (code == 0 && (option = getopt_long(argc, argv, "i:r:w:", list, NULL)) != -1) {
		if (option == OPTION_HELP) {
			fputs(help, stdout);
			return -1;
		}
		if (option == OPTION_VERSION) {
			puts("chime-record " CHIME_VERSION);
			return -1;
		}
		code = take_option(o, option, optarg);
	}
	if (code == 0 && optind < argc)
		code = take_option(o, '?', NULL);
	return code ? code : check_options(o);
}

/* ---- opening ---- */

static int load_keys(struct recording *r, char *err, size_t err_size)
{
	struct buskey key;
	int rc = 0;

	if (r->options.key_count == 0)
		return 0;
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
	if (rc == 0)
		rc = identity_load_environment(r->options.ca, r->decoder.env_id, err, err_size);
	if (rc == 0)
		r->decoder.keys = &r->ring;
	return rc;
}

static int open_output(struct recording *r, char *err, size_t err_size)
{
	char what[512];
	const char *path = r->options.write;
	int fd, rc;

	if (!path)
		return 0;
	/* What servers say is for the eyes of who records it. */
	fd = strcmp(path, "-") == 0 ? dup(STDOUT_FILENO) :
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	r->file = fd < 0 ? NULL : fdopen(fd, "wb");
	if (r->file)
		return 0;
	rc = -errno;
	snprintf(what, sizeof(what), "cannot write %s", path);
	return keyfile_error(err, err_size, rc, what, strerror(-rc), NULL);
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

static int open_files(struct recording *r, char *err, size_t err_size)
{
	int rc = open_input(r, err, err_size);

	return rc < 0 ? rc : open_output(r, err, err_size);
}

/* Under sudo files are the person's and opened with the person's rights; root's own are root's. */
static int drop_and_open_files(struct recording *r, char *err, size_t err_size)
{
	bool person = capture_by_sudo();
	int rc = person ? 0 : open_files(r, err, err_size);

	if (rc == 0)
		rc = capture_drop_rights(err, err_size);
	return rc < 0 || !person ? rc : open_files(r, err, err_size);
}

static int open_all(struct recording *r, char *err, size_t err_size)
{
	const struct options *o = &r->options;
	int rc = load_keys(r, err, err_size);

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
	if (rc == 0 && r->file)
		rc = capture_write_to(r->capture, r->file, err, err_size);
	return rc;
}

/* ---- packets ---- */

/* In a file that others recorded there is more than the bus. */
static bool is_wanted(const struct recording *r, const struct packet *p)
{
	return r->options.interface || p->from.port == r->options.port ||
	       p->to.port == r->options.port || decode_is_ours(p);
}

static bool take_packet(void *arg, int64_t wall_us, const void *bytes, size_t len)
{
	struct recording *r = arg;
	struct packet packet;
	enum packet_verdict verdict = packet_parse(r->link_type, bytes, len, &packet);

	if (verdict == PACKET_NOT_UDP || (verdict == PACKET_OK && !is_wanted(r, &packet))) {
		r->foreign++;
		return true;
	}
	if (verdict != PACKET_OK)
		r->broken++;
	else if (!r->file)
		decode_print(&r->decoder, wall_us, &packet);
	r->taken++;
	return r->taken != r->options.count;
}

static void print_summary(const struct recording *r)
{
	fprintf(stderr, "chime-record: %" PRIu64 " datagrams", r->taken);
	if (r->decoder.keys)
		fprintf(stderr, ", %" PRIu64 " read, %" PRIu64 " not opened", r->decoder.opened,
			r->decoder.refused);
	if (r->broken)
		fprintf(stderr, ", %" PRIu64 " fragments or damaged packets", r->broken);
	if (r->foreign)
		fprintf(stderr, ", %" PRIu64 " other packets", r->foreign);
	if (capture_dropped(r->capture))
		fprintf(stderr, ", %" PRIu64 " LOST here", capture_dropped(r->capture));
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
		return complain(err, exit_of(r, rc));
	r->link_type = capture_link_type(r->capture);
	/* A pipe's reader sees every datagram when it comes. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (r->options.interface)
		fprintf(stderr, "chime-record: listening on %s, udp port %u\n",
			r->options.interface, r->options.port);
	rc = capture_run(r->capture, take_packet, r, err, sizeof(err));
	print_summary(r);
	if (rc < 0)
		return complain(err, EXIT_TROUBLE);
	if (fflush(stdout) != 0)
		return complain("cannot write to stdout", EXIT_TROUBLE);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct recording r = { 0 };
	int code = read_options(argc, argv, &r.options);

	if (code != 0)
		return code < 0 ? EXIT_DONE : code;
	r.decoder.json = r.options.json;
	r.decoder.out = stdout;
	code = record(&r);
	capture_close(r.capture);
	if (r.file && fclose(r.file) != 0 && code == EXIT_DONE)
		code = complain("cannot write the capture to its end", EXIT_TROUBLE);
	keyring_fini(&r.ring);
	return code;
}
