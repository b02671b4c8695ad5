#include "client/record/options.h"

#include "client/say.h"
#include "proto/discover.h"
#include "proto/keyfile.h"
#include "proto/version.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"usage: chime-record -i IF -w FILE [--ring NxSIZE]        record\n"
	"       chime-record -i IF [--key FILE] [OPTIONS]         show as it comes\n"
	"       chime-record -r FILE [--key FILE] [OPTIONS]       show a capture\n"
	"       chime-record -r FILE --key FILE --decrypt -w OUT  open a capture for Wireshark\n"
	"\n"
	"  -i, --interface IF     capture there; \"any\" for all\n"
	"  -r, --read FILE        read a pcap file, \"-\" for stdin\n"
	"  -w, --write FILE       write a pcap file, \"-\" for stdout; nothing is shown then\n"
	"      --ring NxSIZE      write FILE.000001 ...: at most N files of SIZE (10x100M)\n"
	"      --user NAME        who to be once the interface is open (nobody; under sudo you)\n"
	"      --port N           the bus port (7410)\n"
	"      --group ADDRESS    leave out datagrams of other groups\n"
	"      --count N          end after N datagrams\n"
	"      --key FILE         bus.key, to show what is inside; may be given four times\n"
	"      --ca FILE          ca.crt of the environment (the one beside the key)\n"
	"      --certificate FILE id.crt of a server, to check its heads with; may be repeated\n"
	"      --datagrams        show datagrams with what is in them, and judge nothing\n"
	"      --quiet            show no events: what is wrong, and the figures\n"
	"      --json             a line of JSON for each of what is shown\n"
	"      --decrypt          write what opens in clear; needs --key and -w\n"
	"      --help, --version\n"
	"\n"
	"Root is only needed while an interface is opened. Ctrl-C ends a recording in order.\n"
	"\n"
	"  sudo chime-record -i eth0 -w night.pcap --ring 10x100M\n"
	"  chime-record -r night.pcap.000001 --key bus.key --ca ca.crt\n";

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

enum {
	OPTION_PORT = 256,
	OPTION_GROUP,
	OPTION_COUNT,
	OPTION_KEY,
	OPTION_CA,
	OPTION_CERTIFICATE,
	OPTION_JSON,
	OPTION_DATAGRAMS,
	OPTION_QUIET,
	OPTION_DECRYPT,
	OPTION_RING,
	OPTION_USER,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option option_list[] = {
	{ "interface", required_argument, NULL, 'i' },
	{ "read", required_argument, NULL, 'r' },
	{ "write", required_argument, NULL, 'w' },
	{ "port", required_argument, NULL, OPTION_PORT },
	{ "group", required_argument, NULL, OPTION_GROUP },
	{ "count", required_argument, NULL, OPTION_COUNT },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ "ca", required_argument, NULL, OPTION_CA },
	{ "certificate", required_argument, NULL, OPTION_CERTIFICATE },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "datagrams", no_argument, NULL, OPTION_DATAGRAMS },
	{ "quiet", no_argument, NULL, OPTION_QUIET },
	{ "decrypt", no_argument, NULL, OPTION_DECRYPT },
	{ "ring", required_argument, NULL, OPTION_RING },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

static int take_file(struct options *o, int option, const char *value)
{
	if (option == OPTION_KEY) {
		if (o->key_count == KEYRING_MAX)
			return refuse_usage("at most four keys", NULL);
		o->keys[o->key_count++] = value;
	} else if (option == OPTION_CERTIFICATE) {
		if (o->certificate_count == OPTIONS_CERTIFICATES_MAX)
			return refuse_usage("at most 64 certificates", NULL);
		o->certificates[o->certificate_count++] = value;
	} else if (strlen(value) >= sizeof(o->ca) || !value[0]) {
		return refuse_usage("--ca is the name of a file", "--ca /etc/chime/ca.crt");
	} else {
		snprintf(o->ca, sizeof(o->ca), "%s", value);
	}
	return 0;
}

static int take_number(struct options *o, int option, const char *value)
{
	uint64_t port;

	if (option == OPTION_COUNT)
		return read_number(value, UINT64_MAX, &o->count) ? 0 :
			refuse_usage("--count is a number from 1", "--count 100");
	if (option == OPTION_RING)
		return writer_parse_ring(value, &o->plan) == 0 ? 0 :
			refuse_usage("--ring is a number of files, from 2, and the size of each, from "
				     "4K", "--ring 10x100M");
	if (!read_number(value, UINT16_MAX, &port))
		return refuse_usage("--port is a number from 1 to 65535", "--port 7410");
	o->port = (uint16_t)port;
	o->port_given = true;
	return 0;
}

static int take_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case 'i':
		o->interface = value;
		return 0;
	case 'r':
		o->read = value;
		return 0;
	case 'w':
		o->plan.path = value;
		return 0;
	case OPTION_GROUP:
		o->group = value;
		return 0;
	case OPTION_USER:
		o->user = value;
		return 0;
	case OPTION_PORT:
	case OPTION_COUNT:
	case OPTION_RING:
		return take_number(o, option, value);
	case OPTION_KEY:
	case OPTION_CA:
	case OPTION_CERTIFICATE:
		return take_file(o, option, value);
	case OPTION_JSON:
		o->json = true;
		return 0;
	case OPTION_DATAGRAMS:
		o->datagrams = true;
		return 0;
	case OPTION_QUIET:
		o->quiet = true;
		return 0;
	case OPTION_DECRYPT:
		o->decrypt = true;
		return 0;
	default:
		return refuse_usage("this is not how it is used", "chime-record --help");
	}
}

int options_read(struct options *options, int argc, char **argv)
{
	int option, code = 0;

	*options = (struct options){ .port = DISCOVER_DEFAULT_PORT };
	while (code == 0 &&
	       (option = getopt_long(argc, argv, "i:r:w:", option_list, NULL)) != -1) {
		if (option == OPTION_HELP) {
			fputs(help, stdout);
			return -1;
		}
		if (option == OPTION_VERSION) {
			puts("chime-record " CHIME_VERSION);
			return -1;
		}
		code = take_option(options, option, optarg);
	}
	if (code == 0 && optind < argc)
		code = take_option(options, '?', NULL);
	if (code == 0)
		find_ca(options);
	return code ? code : check_options(options);
}
