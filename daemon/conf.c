#include "daemon/conf.h"

#include "daemon/tzdata.h"
#include "daemon/yaml.h"
#include "daemon/zonehint.h"
#include "proto/names.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum option_type {
	OPTION_ENVIRONMENT, OPTION_SERVER, OPTION_PATH, OPTION_SOCKET, OPTION_ZONE, OPTION_WORD,
	OPTION_DISCOVERY, OPTION_GROUP, OPTION_INTERFACE, OPTION_ENDPOINT, OPTION_PEERS, OPTION_U8,
	OPTION_U16, OPTION_U32, OPTION_DURATION, OPTION_SIZE,
};

static const char *const discovery_words[] = { "on", "members", "off", NULL };
static const char *const mode_words[] = { "multicast", "off", NULL };

#define DAY_US (INT64_C(86400) * 1000000)
#define KIB INT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

/* One key of the file. A row is all there is to say about it: reading, checking, printing and the
 * manual follow from it. */
static const struct option {
	const char *section, *key;	/* section NULL = top level */
	enum option_type type;
	size_t offset;
	int64_t min, max;		/* numbers, durations in microseconds, sizes in bytes */
	const char *const *words;
	const char *fallback;		/* default, as it would be written; NULL = none */
	const char *absent;		/* what is done without a value, for people */
	bool required;
	const char *help;
} options[] = {
	{ .key = "environment",
	  .type = OPTION_ENVIRONMENT,
	  .required = true,
	  .offset = offsetof(struct conf, environment),
	  .help = "Name of the environment; must be that of the certificate." },
	{ .key = "server",
	  .type = OPTION_SERVER,
	  .required = true,
	  .offset = offsetof(struct conf, server),
	  .help = "Name of this server; must be that of the certificate." },
	{ .key = "data",
	  .type = OPTION_PATH,
	  .offset = offsetof(struct conf, data),
	  .fallback = "/var/lib/chime",
	  .help = "Folder of the history and of the output of runs; made when it is missing." },
	{ .key = "jobs",
	  .type = OPTION_PATH,
	  .offset = offsetof(struct conf, jobs),
	  .fallback = "/etc/chime/jobs.d",
	  .help = "Folder of the job files: every *.yaml below it." },
	{ .key = "socket",
	  .type = OPTION_SOCKET,
	  .offset = offsetof(struct conf, socket),
	  .fallback = "/run/chime/control.sock",
	  .help = "Socket for commands on this machine." },
	{ .key = "timezone",
	  .type = OPTION_ZONE,
	  .offset = offsetof(struct conf, timezone),
	  .absent = "the zone of this machine",
	  .help = "Time zone of jobs that name none." },

	{ .section = "identity",
	  .key = "ca",
	  .type = OPTION_PATH,
	  .offset = offsetof(struct conf, identity.ca),
	  .absent = "no network, only the socket",
	  .help = "Certificates of the environment's CA. CHIME_TLS_CA overrides it." },
	{ .section = "identity",
	  .key = "certificate",
	  .type = OPTION_PATH,
	  .offset = offsetof(struct conf, identity.certificate),
	  .absent = "no network, only the socket",
	  .help = "Certificate of this server. CHIME_TLS_CERTIFICATE overrides it." },
	{ .section = "identity",
	  .key = "key",
	  .type = OPTION_PATH,
	  .offset = offsetof(struct conf, identity.key),
	  .absent = "no network, only the socket",
	  .help = "Private key, mode 0600. CHIME_TLS_KEY overrides it." },

	{ .section = "bus",
	  .key = "mode",
	  .type = OPTION_WORD,
	  .words = mode_words,
	  .offset = offsetof(struct conf, bus.mode),
	  .fallback = "multicast",
	  .help = "multicast, or off: this server neither hears nor tells others." },
	{ .section = "bus",
	  .key = "group",
	  .type = OPTION_GROUP,
	  .offset = offsetof(struct conf, bus.group),
	  .fallback = "239.255.77.77",
	  .help = "Multicast group, the same on all servers of the environment." },
	{ .section = "bus",
	  .key = "port",
	  .type = OPTION_U16,
	  .min = 1,
	  .max = 65535,
	  .offset = offsetof(struct conf, bus.port),
	  .fallback = "7410",
	  .help = "UDP port of the bus." },
	{ .section = "bus",
	  .key = "interface",
	  .type = OPTION_INTERFACE,
	  .offset = offsetof(struct conf, bus.interface),
	  .absent = "the one the system chooses",
	  .help = "Network interface of the bus, its name or its address." },
	{ .section = "bus",
	  .key = "ttl",
	  .type = OPTION_U8,
	  .min = 0,
	  .max = 255,
	  .offset = offsetof(struct conf, bus.ttl),
	  .fallback = "1",
	  .help = "Routers that datagrams may pass, plus one." },
	{ .section = "bus",
	  .key = "key",
	  .type = OPTION_PATH,
	  .offset = offsetof(struct conf, bus.key),
	  .absent = "bus.key beside the certificate",
	  .help = "File with the key of the bus, mode 0600." },

	{ .section = "control",
	  .key = "listen",
	  .type = OPTION_ENDPOINT,
	  .min = 0,
	  .offset = offsetof(struct conf, control.listen),
	  .fallback = "0.0.0.0:7411",
	  .help = "Address and TCP port for commands and repair; port 0 takes any." },

	{ .key = "peers",
	  .type = OPTION_PEERS,
	  .min = 1,
	  .offset = offsetof(struct conf, peers),
	  .help = "Control endpoints HOST:PORT of other servers, for where discovery can't "
		  "reach." },
	{ .key = "discovery",
	  .type = OPTION_DISCOVERY,
	  .words = discovery_words,
	  .offset = offsetof(struct conf, discovery),
	  .fallback = "on",
	  .help = "Who is told where the servers are: on (all who ask), members (servers only), "
		  "off." },

	{ .section = "limits",
	  .key = "history",
	  .type = OPTION_DURATION,
	  .min = DAY_US / 24,
	  .max = 36500 * DAY_US,
	  .offset = offsetof(struct conf, limits.history_us),
	  .fallback = "30d",
	  .help = "How long runs and events are kept." },
	{ .section = "limits",
	  .key = "history_size",
	  .type = OPTION_SIZE,
	  .min = MIB,
	  .max = 1024 * GIB,
	  .offset = offsetof(struct conf, limits.history_bytes),
	  .fallback = "1GiB",
	  .help = "How large the history may grow." },
	{ .section = "limits",
	  .key = "output",
	  .type = OPTION_DURATION,
	  .min = DAY_US / 1440,
	  .max = 36500 * DAY_US,
	  .offset = offsetof(struct conf, limits.output_us),
	  .fallback = "30d",
	  .help = "How long the output of runs is kept." },
	{ .section = "limits",
	  .key = "output_size",
	  .type = OPTION_SIZE,
	  .min = MIB,
	  .max = 1024 * 1024 * GIB,
	  .offset = offsetof(struct conf, limits.output_bytes),
	  .fallback = "1GiB",
	  .help = "How large all kept output may grow." },
	{ .section = "limits",
	  .key = "max_output",
	  .type = OPTION_SIZE,
	  .min = 4 * KIB,
	  .max = 1024 * GIB,
	  .offset = offsetof(struct conf, limits.max_output),
	  .fallback = "10MiB",
	  .help = "Output kept of one run: the first quarter and the end." },
	{ .section = "limits",
	  .key = "connections",
	  .type = OPTION_U32,
	  .min = 4,
	  .max = 10000,
	  .offset = offsetof(struct conf, limits.connections),
	  .fallback = "64",
	  .help = "Control connections at once." },
};
enum { OPTIONS = sizeof(options) / sizeof(*options) };

/* One file while it is read. `node` NULL = a default, which must be right. */
struct loader {
	struct yaml_file file;
	struct diags diags;
	struct conf *conf;
	char *folder;		/* what relative paths count from, absolute */
};

static void __attribute__((format(printf, 4, 5)))
refuse(struct loader *loader, struct yaml_node *node, const char *hint, const char *format, ...)
{
	struct diag_place place;
	char text[512];
	va_list args;

	assert(node);
	place = yaml_place(&loader->file, node);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!node->bad)
		diag_error(&loader->diags, &place, hint, "%s", text);
	node->bad = true;
}

static char *copy(const char *text)
{
	char *result = strdup(text);

	assert(result);
	return result;
}

static void *field(const struct conf *conf, const struct option *option)
{
	return (char *)(uintptr_t)conf + option->offset;
}

static bool has_text(enum option_type type)
{
	switch (type) {
	case OPTION_ENVIRONMENT:
	case OPTION_SERVER:
	case OPTION_PATH:
	case OPTION_SOCKET:
	case OPTION_ZONE:
	case OPTION_WORD:
	case OPTION_GROUP:
	case OPTION_INTERFACE:
	case OPTION_ENDPOINT:
		return true;
	default:
		return false;
	}
}

static char **text_field(const struct conf *conf, const struct option *option)
{
	assert(has_text(option->type));
	return field(conf, option);
}

static bool valid_environment(const char *text)
{
	static const char first[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				  "._-";

	return strchr(first, *text) && !text[strspn(text, all)] && strlen(text) <= 63;
}

static bool valid_word(const char *const *words, const char *text)
{
	for (; *words; words++)
		if (!strcmp(*words, text))
			return true;
	return false;
}

static bool parse_number(const char *text, int64_t *value)
{
	*value = 0;
	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || *value > INT_MAX)
			return false;
		*value = *value * 10 + (*text - '0');
	}
	return true;
}

/* HOST:PORT or [IPV6]:PORT. */
static bool valid_endpoint(const char *text, int64_t min_port)
{
	const char *colon = strrchr(text, ':');
	size_t host = colon ? (size_t)(colon - text) : 0;
	int64_t port;

	if (!host || host > 255 || !parse_number(colon + 1, &port) || port < min_port ||
	    port > 65535)
		return false;
	if (*text == '[')
		return host > 2 && text[host - 1] == ']';
	return !memchr(text, ':', host) && !memchr(text, ' ', host) && !memchr(text, '/', host);
}

static bool valid_group(const char *text)
{
	struct in_addr address;

	return inet_pton(AF_INET, text, &address) == 1 && IN_MULTICAST(ntohl(address.s_addr));
}

static char *join_path(const char *folder, const char *path)
{
	char *joined;

	if (*path == '/')
		return copy(path);
	while (path[0] == '.' && path[1] == '/')
		path += 2;
	if (asprintf(&joined, "%s%s%s", folder, strcmp(folder, "/") ? "/" : "", path) < 0)
		assert(!"out of memory");
	return joined;
}

static void put(char **out, char *taken)
{
	free(*out);
	*out = taken;
}

static void set_zone(struct loader *loader, char **out, struct yaml_node *node, const char *text)
{
	struct zone *zone;
	char hint[128];

	if (tzdata_load(text, &zone)) {
		refuse(loader, node, zonehint_find(text, hint, sizeof(hint)), "no time zone '%s'",
		       text);
		return;
	}
	zone_free(zone);
	put(out, copy(text));
}

static void set_text(struct loader *loader, const struct option *option, struct yaml_node *node,
		     const char *text)
{
	char **out = text_field(loader->conf, option), *path;
	const char *why;

	if (option->type == OPTION_ENVIRONMENT && !valid_environment(text)) {
		refuse(loader, node, "letters, digits and . _ - , at most 63",
		       "'%s' can't be the name of an environment", text);
	} else if (option->type == OPTION_SERVER && !name_server_valid(text, &why)) {
		refuse(loader, node, NULL, "the server name '%s' %s", text, why);
	} else if (option->type == OPTION_WORD && !valid_word(option->words, text)) {
		refuse(loader, node, "multicast or off", "'%s' has no value '%s'", option->key,
		       text);
	} else if (option->type == OPTION_GROUP && !valid_group(text)) {
		refuse(loader, node, "for example 239.255.77.77",
		       "'%s' is not an IPv4 multicast address", text);
	} else if (option->type == OPTION_ENDPOINT && !valid_endpoint(text, option->min)) {
		refuse(loader, node, "for example 0.0.0.0:7411", "'%s' is not ADDRESS:PORT", text);
	} else if (option->type == OPTION_INTERFACE && (strlen(text) > 63 || strpbrk(text, " /"))) {
		refuse(loader, node, NULL, "'%s' is neither an interface nor an address", text);
	} else if (option->type == OPTION_ZONE) {
		set_zone(loader, out, node, text);
	} else if (option->type == OPTION_PATH || option->type == OPTION_SOCKET) {
		path = join_path(loader->folder, text);
		put(out, path);
		if (strlen(path) >= PATH_MAX)
			refuse(loader, node, NULL, "the path is too long");
		else if (option->type == OPTION_SOCKET &&
			 strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
			refuse(loader, node, "choose a shorter path",
			       "a socket's path can't be longer than 107 bytes");
	} else {
		put(out, copy(text));
	}
}

static void set_number(struct loader *loader, const struct option *option, struct yaml_node *node,
		       const char *text)
{
	void *out = field(loader->conf, option);
	int64_t value;

	if (!parse_number(text, &value) || value < option->min || value > option->max) {
		refuse(loader, node, NULL, "'%s' takes a number from %lld to %lld", option->key,
		       (long long)option->min, (long long)option->max);
		return;
	}
	if (option->type == OPTION_U8)
		*(uint8_t *)out = (uint8_t)value;
	else if (option->type == OPTION_U16)
		*(uint16_t *)out = (uint16_t)value;
	else
		*(uint32_t *)out = (uint32_t)value;
}

static void set_duration(struct loader *loader, const struct option *option,
			 struct yaml_node *node, const char *text)
{
	char min[NAME_DURATION_SIZE], max[NAME_DURATION_SIZE];
	int64_t us;

	duration_format(option->min, min);
	duration_format(option->max, max);
	if (duration_parse(text, &us))
		refuse(loader, node, "write it like 30d or 12h", "'%s' is not a duration", text);
	else if (us < option->min || us > option->max)
		refuse(loader, node, NULL, "'%s' goes from %s to %s", option->key, min, max);
	else
		*(int64_t *)field(loader->conf, option) = us;
}

static void set_size(struct loader *loader, const struct option *option, struct yaml_node *node,
		     const char *text)
{
	char min[NAME_DURATION_SIZE], max[NAME_DURATION_SIZE];
	uint64_t bytes;

	size_format((uint64_t)option->min, min);
	size_format((uint64_t)option->max, max);
	if (size_parse(text, &bytes))
		refuse(loader, node, "write it like 512KiB, 10MiB or 1GiB", "'%s' is not a size",
		       text);
	else if (bytes < (uint64_t)option->min || bytes > (uint64_t)option->max)
		refuse(loader, node, NULL, "'%s' goes from %s to %s", option->key, min, max);
	else
		*(uint64_t *)field(loader->conf, option) = bytes;
}

static void set_discovery(struct loader *loader, const struct option *option,
			  struct yaml_node *node, const char *text)
{
	for (int i = 0; option->words[i]; i++) {
		if (!strcmp(option->words[i], text)) {
			loader->conf->discovery = (enum discovery_mode)i;
			return;
		}
	}
	refuse(loader, node, "on, members or off", "'discovery' has no value '%s'", text);
}

static void set_option(struct loader *loader, const struct option *option, struct yaml_node *node,
		       const char *text)
{
	if (has_text(option->type))
		set_text(loader, option, node, text);
	else if (option->type == OPTION_DURATION)
		set_duration(loader, option, node, text);
	else if (option->type == OPTION_SIZE)
		set_size(loader, option, node, text);
	else if (option->type == OPTION_DISCOVERY)
		set_discovery(loader, option, node, text);
	else
		set_number(loader, option, node, text);
}

/* A text without control characters and not empty; NULL with an error. */
static const char *find_text(struct loader *loader, struct yaml_node *node, const char *key)
{
	if (node->bad)
		return NULL;
	if (node->kind != YAML_TEXT) {
		refuse(loader, node, NULL, "'%s' takes text here, not a %s", key,
		       node->kind == YAML_LIST ? "list" : "mapping");
		return NULL;
	}
	if (!*node->text) {
		refuse(loader, node, "leave the key out to get its default", "'%s' has no value",
		       key);
		return NULL;
	}
	for (const unsigned char *p = (const unsigned char *)node->text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f) {
			refuse(loader, node, NULL, "'%s' has a control character", key);
			return NULL;
		}
	}
	return node->text;
}

static void add_peer(struct loader *loader, struct yaml_node *node)
{
	struct conf *conf = loader->conf;
	const char *text = find_text(loader, node, "peers");

	if (!text)
		return;
	if (!valid_endpoint(text, 1))
		refuse(loader, node, "for example db1.example.org:7411", "'%s' is not HOST:PORT",
		       text);
	else if (conf->peer_count == CONF_PEERS_MAX)
		refuse(loader, node, NULL, "more than %d peers", CONF_PEERS_MAX);
	else
		conf->peers[conf->peer_count++] = copy(text);
}

static void set_peers(struct loader *loader, struct yaml_node *node)
{
	if (node->kind != YAML_LIST) {
		add_peer(loader, node);
		return;
	}
	for (struct yaml_node *item = node->child; item; item = item->next)
		add_peer(loader, item);
}

static bool same_section(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Keys of a section that are no option of it; the sections are keys of the top level. */
static void refuse_unknown(struct loader *loader, const struct yaml_node *map,
			   const char *section)
{
	const char *words[OPTIONS];
	size_t count = 0;
	char hint[80];

	for (size_t i = 0; i < OPTIONS; i++) {
		if (same_section(options[i].section, section))
			words[count++] = options[i].key;
		else if (!section && (!i || !same_section(options[i].section,
							  options[i - 1].section)))
			words[count++] = options[i].section;
	}
	for (struct yaml_node *node = map->child; node; node = node->next) {
		struct diag_place place = yaml_place_key(&loader->file, node);
		size_t i = 0;

		while (i < count && strcmp(words[i], node->key) != 0)
			i++;
		if (i == count)
			diag_error(&loader->diags, &place,
				   diag_nearest(hint, sizeof(hint), node->key, words, count),
				   "unknown key '%s'%s%s", node->key, section ? " in " : "",
				   section ? section : "");
	}
}

/* The mapping of a section; NULL when it isn't there or has an error. */
static struct yaml_node *find_section(struct loader *loader, const struct yaml_node *root,
				      const char *section)
{
	struct yaml_node *node = yaml_find(root, section);

	if (!node || (node->kind == YAML_TEXT && !*node->text))
		return NULL;
	if (node->kind == YAML_MAP)
		return node;
	refuse(loader, node, NULL, "'%s' takes a mapping of keys", section);
	return NULL;
}

static void read_option(struct loader *loader, const struct option *option,
			const struct yaml_node *map)
{
	struct yaml_node *node = map ? yaml_find(map, option->key) : NULL;
	struct diag_place whole = { .file = loader->file.name };
	const char *text;

	/* The default stands also when the value is wrong: later checks need something to hold. */
	if (option->fallback)
		set_option(loader, option, NULL, option->fallback);
	if (node && option->type == OPTION_PEERS) {
		set_peers(loader, node);
	} else if (node) {
		text = find_text(loader, node, option->key);
		if (text)
			set_option(loader, option, node, text);
	} else if (option->required) {
		diag_error(&loader->diags, &whole, NULL, "key '%s' is missing", option->key);
	}
}

static void read_options(struct loader *loader, const struct yaml_node *root)
{
	const struct yaml_node *map = root;

	refuse_unknown(loader, root, NULL);
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct option *option = &options[i];

		if (!i || !same_section(option->section, options[i - 1].section)) {
			map = option->section ? find_section(loader, root, option->section) : root;
			if (map && option->section)
				refuse_unknown(loader, map, option->section);
		}
		read_option(loader, option, map);
	}
}

/* What the environment says counts from where we are, not from the file. */
static void override_identity(struct conf *conf, const char *here)
{
	static const char *const names[] = {
		"CHIME_TLS_CA", "CHIME_TLS_CERTIFICATE", "CHIME_TLS_KEY",
	};
	char **fields[] = {
		&conf->identity.ca, &conf->identity.certificate, &conf->identity.key,
	};

	for (size_t i = 0; i < 3; i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			put(fields[i], join_path(here, value));
	}
}

static void check_identity(struct loader *loader, const struct yaml_node *root)
{
	struct conf *conf = loader->conf;
	struct diag_place place = { .file = loader->file.name };
	const struct yaml_node *node = yaml_find(root, "identity");
	int given = !!conf->identity.ca + !!conf->identity.certificate + !!conf->identity.key;
	const char *slash;

	if (given && given < 3) {
		if (node)
			place = yaml_place_key(&loader->file, node);
		diag_error(&loader->diags, &place, "give all three, or none for the socket alone",
			   "an identity is 'ca', 'certificate' and 'key'");
	}
	if (given < 3 || conf->bus.key)
		return;
	slash = strrchr(conf->identity.certificate, '/');
	assert(slash);
	if (asprintf(&conf->bus.key, "%.*s/bus.key", (int)(slash - conf->identity.certificate),
		     conf->identity.certificate) < 0)
		assert(!"out of memory");
}

static void fill_zone(struct conf *conf)
{
	char name[TZDATA_NAME_MAX + 1];
	struct zone *zone;

	if (conf->timezone)
		return;
	if (tzdata_local_name(name, sizeof(name)) || tzdata_load(name, &zone)) {
		conf->timezone = copy("UTC");
		return;
	}
	zone_free(zone);
	conf->timezone = copy(name);
}

/* The whole file, one byte more than is allowed so that the parser can tell; NULL and errno. */
static char *read_file(const char *name, size_t *len)
{
	size_t size = YAML_SIZE_MAX + 1;
	char *text = malloc(size);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	assert(text);
	*len = 0;
	while (fd >= 0 && *len < size) {
		n = read(fd, text + *len, size - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	if (fd < 0 || n < 0) {
		int error = errno;

		free(text);
		text = NULL;
		if (fd >= 0)
			close(fd);
		errno = error;
		return NULL;
	}
	close(fd);
	return text;
}

static void load_text(struct loader *loader, const char *text, size_t len, const char *here)
{
	struct diag_place whole = { .file = loader->conf->file };
	struct yaml_node empty = { .kind = YAML_MAP }, *root;

	yaml_parse(text, len, loader->conf->file, &loader->file, &loader->diags);
	/* With a syntax error every key would be missing: say only what is really wrong. */
	if (loader->diags.errors)
		return;
	root = loader->file.documents ? loader->file.documents : &empty;
	if (root->kind != YAML_MAP || root->next) {
		diag_error(&loader->diags, &whole, NULL, "the file must be one mapping of keys");
		return;
	}
	read_options(loader, root);
	override_identity(loader->conf, here);
	check_identity(loader, root);
	fill_zone(loader->conf);
}

static char *folder_of(const char *file, const char *here)
{
	char *path = join_path(here, file), *slash = strrchr(path, '/');

	slash[slash == path] = 0;
	return path;
}

int conf_load(const char *file, struct conf *conf, FILE *err)
{
	struct loader loader = { .conf = conf };
	char here[PATH_MAX];
	size_t len, errors;
	char *text = read_file(file, &len);

	*conf = (struct conf){ 0 };
	if (!text) {
		fprintf(err, "%s: error: can't be read: %s\n", file, strerror(errno));
		return -EINVAL;
	}
	if (!getcwd(here, sizeof(here)))
		snprintf(here, sizeof(here), "/");
	conf->file = copy(file);
	loader.folder = folder_of(file, here);
	load_text(&loader, text, len, here);
	free(text);
	diags_print(&loader.diags, "", err);
	errors = loader.diags.errors;
	diags_fini(&loader.diags);
	yaml_file_fini(&loader.file);
	free(loader.folder);
	if (!errors)
		return 0;
	conf_fini(conf);
	return -EINVAL;
}

void conf_fini(struct conf *conf)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (has_text(options[i].type))
			free(*text_field(conf, &options[i]));
	for (uint32_t i = 0; i < conf->peer_count; i++)
		free(conf->peers[i]);
	free(conf->file);
	*conf = (struct conf){ 0 };
}

static void print_peers(const struct conf *conf, FILE *out)
{
	fputs(conf->peer_count ? "peers:\n" : "peers: []\n", out);
	for (uint32_t i = 0; i < conf->peer_count; i++) {
		fputs("  - ", out);
		yaml_write_quoted(conf->peers[i], out);
		fputc('\n', out);
	}
}

/* The value as it is written in the file; false when there is none. */
static bool print_value(const struct conf *conf, const struct option *option, FILE *out)
{
	const void *at = field(conf, option);
	char text[NAME_DURATION_SIZE];

	switch (option->type) {
	case OPTION_U8:
		fprintf(out, "%u", *(const uint8_t *)at);
		return true;
	case OPTION_U16:
		fprintf(out, "%u", *(const uint16_t *)at);
		return true;
	case OPTION_U32:
		fprintf(out, "%u", *(const uint32_t *)at);
		return true;
	case OPTION_DURATION:
		duration_format(*(const int64_t *)at, text);
		fputs(text, out);
		return true;
	case OPTION_SIZE:
		size_format(*(const uint64_t *)at, text);
		fputs(text, out);
		return true;
	case OPTION_DISCOVERY:
		fputs(discovery_words[conf->discovery], out);
		return true;
	default:
		if (!*text_field(conf, option))
			return false;
		yaml_write_quoted(*text_field(conf, option), out);
		return true;
	}
}

static void print_help(const struct option *option, const char *indent, FILE *out)
{
	char min[NAME_DURATION_SIZE], max[NAME_DURATION_SIZE];

	fprintf(out, "%s# %s", indent, option->help);
	if (option->required)
		fputs(" Required.", out);
	else if (option->fallback || option->absent)
		fprintf(out, " Default: %s.", option->fallback ? option->fallback : option->absent);
	if (option->type == OPTION_DURATION || option->type == OPTION_SIZE) {
		if (option->type == OPTION_DURATION) {
			duration_format(option->min, min);
			duration_format(option->max, max);
		} else {
			size_format((uint64_t)option->min, min);
			size_format((uint64_t)option->max, max);
		}
		fprintf(out, " From %s to %s.", min, max);
	} else if (option->max) {
		fprintf(out, " From %lld to %lld.", (long long)option->min,
			(long long)option->max);
	}
	fputc('\n', out);
}

void conf_print(const struct conf *conf, FILE *out)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct option *option = &options[i];
		const char *indent = option->section ? "  " : "";
		char *value = NULL;
		size_t len = 0;
		FILE *memory;
		bool given;

		if (option->section && (!i || !same_section(option->section,
							    options[i - 1].section)))
			fprintf(out, "%s:\n", option->section);
		print_help(option, indent, out);
		if (option->type == OPTION_PEERS) {
			print_peers(conf, out);
			continue;
		}
		memory = open_memstream(&value, &len);
		assert(memory);
		given = print_value(conf, option, memory);
		fclose(memory);
		fprintf(out, given ? "%s%s: %s\n" : "%s# %s:%s\n", indent, option->key, value);
		free(value);
	}
}
