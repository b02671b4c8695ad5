#include "client/record/options.h"

#include "client/say.h"
#include "proto/discover.h"
#include "proto/keyfile.h"
#include "proto/version.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELP_COLUMN = 25 };

int options_complain(const char *lines, int code)
{
	fprintf(stderr, "chime-record: %s\n", lines);
	return code;
}

static int refuse_usage(const char *what, const char *hint)
{
	char err[CAPTURE_ERR_SIZE];

	keyfile_error(err, sizeof(err), -EINVAL, what, NULL, hint);
	return options_complain(err, EXIT_USAGE);
}

/* Nothing that could be said better: getopt named what it is. */
static int refuse_form(void)
{
	return refuse_usage("this is not how it is used", "chime-record --help");
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

static int check_writing(const struct options *o)
{
	if (o->plan.files && (!o->plan.path || strcmp(o->plan.path, "-") == 0))
		return refuse_usage("--ring needs a name for its files",
				    "-w /var/tmp/bus.pcap --ring 10x100M");
	if (o->decrypt && (!o->plan.path || !o->key_count))
		return refuse_usage("--decrypt needs a key and a file to write",
				    "chime-record -r FILE --key bus.key --decrypt -w CLEAR");
	if (!o->plan.path)
		return 0;
	if (o->json || o->datagrams || o->quiet || o->certificate_count)
		return refuse_usage("with -w nothing is shown, so --json, --datagrams, --quiet and "
				    "--certificate have no use", "record first, then chime-record "
				    "-r FILE --key ...");
	if (!o->decrypt && o->key_count)
		return refuse_usage("with -w nothing is opened, so --key has no use",
				    "--decrypt to write it in clear, or record first, then "
				    "chime-record -r FILE --key ...");
	return 0;
}

static int check_options(const struct options *o)
{
	if (!o->interface == !o->read)
		return refuse_usage("an interface or a file is needed, one of them",
				    "chime-record -i lo    or    chime-record -r FILE");
	if (o->user && (!o->interface || geteuid() != 0))
		return refuse_usage("--user is for root, who captures on an interface", NULL);
	if (o->key_count && !o->ca[0])
		return refuse_usage("there is no ca.crt beside the key: the environment belongs to "
				    "what is sealed", "--ca /etc/chime/ca.crt");
	if (o->interface && o->ca[0] && !o->key_count)
		return refuse_usage("--ca opens nothing without --key",
				    "--key /etc/chime/bus.key");
	if (o->certificate_count && !o->ca[0])
		return refuse_usage("--certificate is judged by the CA, which is not given",
				    "--ca /etc/chime/ca.crt");
	return check_writing(o);
}

/* Where chime puts it: beside the key. */
static void find_ca(struct options *o)
{
	const char *key = o->key_count ? o->keys[0] : NULL, *slash = key ? strrchr(key, '/') : NULL;
	int len = slash ? (int)(slash + 1 - key) : 0;

	if (!key || o->ca[0])
		return;
	snprintf(o->ca, sizeof(o->ca), "%.*sca.crt", len, key);
	if (access(o->ca, F_OK) < 0)
		o->ca[0] = '\0';
}

/* ---- the options ---- */

/* -1: it said all there is to say. */
typedef int take_fn(struct options *o, const char *value);

static int take_port(struct options *o, const char *value)
{
	uint64_t port;

	if (!read_number(value, UINT16_MAX, &port))
		return refuse_usage("--port is a number from 1 to 65535", "--port 7410");
	o->port = (uint16_t)port;
	o->port_given = true;
	return 0;
}

static int take_count(struct options *o, const char *value)
{
	return read_number(value, UINT64_MAX, &o->count) ? 0 :
		refuse_usage("--count is a number from 1", "--count 100");
}

static int take_ring(struct options *o, const char *value)
{
	return writer_parse_ring(value, &o->plan) == 0 ? 0 :
		refuse_usage("--ring is a number of files, from 2, and the size of each, from 4K",
			     "--ring 10x100M");
}

static int take_key(struct options *o, const char *value)
{
	if (o->key_count == KEYRING_MAX)
		return refuse_usage("at most four keys", NULL);
	o->keys[o->key_count++] = value;
	return 0;
}

static int take_certificate(struct options *o, const char *value)
{
	if (o->certificate_count == OPTIONS_CERTIFICATES_MAX)
		return refuse_usage("at most 64 certificates", NULL);
	o->certificates[o->certificate_count++] = value;
	return 0;
}

static int take_ca(struct options *o, const char *value)
{
	if (strlen(value) >= sizeof(o->ca) || !value[0])
		return refuse_usage("--ca is the name of a file", "--ca /etc/chime/ca.crt");
	snprintf(o->ca, sizeof(o->ca), "%s", value);
	return 0;
}

static take_fn take_help;

static int take_version(struct options *o, const char *value)
{
	(void)o;
	(void)value;
	puts("chime-record " CHIME_VERSION);
	return -1;
}

/* Without take, the value goes to the text at this offset, and without a value true to the flag. */
static const struct row {
	char letter;
	const char *name, *value, *help;
	take_fn *take;
	size_t at;
} rows[] = {
	{ .letter = 'i', .name = "interface", .value = "IF", .at = offsetof(struct options, interface),
	  .help = "capture there; \"any\" for all" },
	{ .letter = 'r', .name = "read", .value = "FILE", .at = offsetof(struct options, read),
	  .help = "read a pcap file, \"-\" for stdin" },
	{ .letter = 'w', .name = "write", .value = "FILE", .at = offsetof(struct options, plan.path),
	  .help = "write a pcap file, \"-\" for stdout; nothing is shown then" },
	{ .name = "ring", .value = "NxSIZE", .take = take_ring,
	  .help = "write FILE.000001 ...: at most N files of SIZE (10x100M)" },
	{ .name = "user", .value = "NAME", .at = offsetof(struct options, user),
	  .help = "who to be once the interface is open (nobody; under sudo you)" },
	{ .name = "port", .value = "N", .take = take_port, .help = "the bus port (7410)" },
	{ .name = "group", .value = "ADDRESS", .at = offsetof(struct options, group),
	  .help = "leave out datagrams of other groups" },
	{ .name = "count", .value = "N", .take = take_count, .help = "end after N datagrams" },
	{ .name = "key", .value = "FILE", .take = take_key,
	  .help = "bus.key, to show what is inside; may be given four times" },
	{ .name = "ca", .value = "FILE", .take = take_ca,
	  .help = "ca.crt of the environment (the one beside the key)" },
	{ .name = "certificate", .value = "FILE", .take = take_certificate,
	  .help = "id.crt of a server, to check its heads with; may be repeated" },
	{ .name = "datagrams", .at = offsetof(struct options, datagrams),
	  .help = "show datagrams with what is in them, and judge nothing" },
	{ .name = "quiet", .at = offsetof(struct options, quiet),
	  .help = "show no events: what is wrong, and the figures" },
	{ .name = "json", .at = offsetof(struct options, json),
	  .help = "a line of JSON for each of what is shown" },
	{ .name = "decrypt", .at = offsetof(struct options, decrypt),
	  .help = "write what opens in clear; needs --key and -w" },
	{ .name = "help", .take = take_help, .help = "say this" },
	{ .name = "version", .take = take_version, .help = "say which version it is" },
};

enum { ROW_COUNT = sizeof(rows) / sizeof(*rows), ROW_FIRST = 256 };

static int take_help(struct options *o, const char *value)
{
	(void)o;
	(void)value;
	fputs("usage: chime-record -i IF -w FILE [--ring NxSIZE]        record\n"
	      "       chime-record -i IF [--key FILE] [OPTIONS]         show as it comes\n"
	      "       chime-record -r FILE [--key FILE] [OPTIONS]       show a capture\n"
	      "       chime-record -r FILE --key FILE --decrypt -w OUT  open a capture for Wireshark\n\n",
	      stdout);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *row = &rows[i];
		int len = row->letter ? printf("  -%c, --%s", row->letter, row->name) :
					printf("      --%s", row->name);

		len += printf(" %s", row->value ? row->value : "");
		printf("%*s%s\n", len < HELP_COLUMN ? HELP_COLUMN - len : 1, "", row->help);
	}
	puts("\nRoot is only needed while an interface is opened. Ctrl-C ends a recording in order.\n"
	     "\n"
	     "  sudo chime-record -i eth0 -w night.pcap --ring 10x100M\n"
	     "  chime-record -r night.pcap.000001 --key bus.key --ca ca.crt");
	return -1;
}

static int take_option(struct options *o, const struct row *row, const char *value)
{
	char *at = (char *)o + row->at;

	if (row->take)
		return row->take(o, value);
	if (row->value)
		*(const char **)at = value;
	else
		*(bool *)at = true;
	return 0;
}

/* As getopt wants it. */
static void list_options(struct option list[ROW_COUNT + 1], char letters[2 * ROW_COUNT + 1])
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *row = &rows[i];

		list[i] = (struct option){ .name = row->name, .val = ROW_FIRST + (int)i };
		list[i].has_arg = row->value ? required_argument : no_argument;
		if (!row->letter)
			continue;
		*letters++ = row->letter;
		if (row->value)
			*letters++ = ':';
	}
	list[ROW_COUNT] = (struct option){ 0 };
	*letters = '\0';
}

/* What getopt found; NULL when it is none of ours. */
static const struct row *find_row(int found)
{
	for (int i = 0; i < ROW_COUNT; i++)
		if (found == ROW_FIRST + i || (rows[i].letter && found == rows[i].letter))
			return &rows[i];
	return NULL;
}

int options_read(struct options *options, int argc, char **argv)
{
	struct option list[ROW_COUNT + 1];
	char letters[2 * ROW_COUNT + 1];
	const struct row *row;
	int found, code = 0;

	*options = (struct options){ .port = DISCOVER_DEFAULT_PORT };
	list_options(list, letters);
	while (code == 0 && (found = getopt_long(argc, argv, letters, list, NULL)) != -1) {
		row = find_row(found);
		code = row ? take_option(options, row, optarg) : refuse_form();
	}
	if (code == 0 && optind < argc)
		code = refuse_form();
	if (code == 0)
		find_ca(options);
	return code ? code : check_options(options);
}
