/*
 * conf.c - see conf.h.
 */
#include "client/conf.h"

#include "daemon/yaml.h"
#include "proto/discover.h"
#include "proto/names.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUS_GROUP_DEFAULT "239.255.77.77"

struct reader {
	struct yaml_file *file;
	struct diags diags;
	char *folder;
};

static char *join_path(const char *folder, const char *path)
{
	return path[0] == '/' ? say_strdup(path) : say_format("%s/%s", folder, path);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return say_strdup(".");
	return slash == path ? say_strdup("/") : say_format("%.*s", (int)(slash - path), path);
}

static void complain(struct reader *r, const struct yaml_node *node, const char *text)
{
	struct diag_place place = yaml_place(r->file, node);
	diag_error(&r->diags, &place, NULL, "%s", text);
}

static bool is_text(struct reader *r, struct yaml_node *node)
{
	if (node->bad)
		return false;
	if (node->kind == YAML_TEXT && node->text[0] != '\0')
		return true;
	complain(r, node, "a text is needed here");
	return false;
}

static void take_text(struct reader *r, struct yaml_node *node, char **out)
{
	if (is_text(r, node)) {
		free(*out);
		*out = say_strdup(node->text);
	}
}

static void take_path(struct reader *r, struct yaml_node *node, char **out)
{
	if (is_text(r, node)) {
		free(*out);
		*out = join_path(r->folder, node->text);
	}
}

static void refuse_key(struct reader *r, const struct yaml_node *node, const char *const *keys,
		       size_t count)
{
	struct diag_place place = yaml_place_key(r->file, node);
	char hint[128];

	diag_error(&r->diags, &place, diag_nearest(hint, sizeof(hint), node->key, keys, count),
		   "unknown key '%s'", node->key);
}

static bool is_map(struct reader *r, const struct yaml_node *node)
{
	if (node->kind == YAML_MAP)
		return true;
	if (!node->bad)
		complain(r, node, "keys with values are needed here");
	return false;
}

static void read_identity(struct reader *r, struct yaml_node *map, struct client_conf *conf)
{
	static const char *const keys[] = { "ca", "certificate", "key" };

	if (!is_map(r, map))
		return;
	for (struct yaml_node *n = map->child; n != NULL; n = n->next) {
		if (strcmp(n->key, "ca") == 0)
			take_path(r, n, &conf->ca);
		else if (strcmp(n->key, "certificate") == 0)
			take_path(r, n, &conf->certificate);
		else if (strcmp(n->key, "key") == 0)
			take_path(r, n, &conf->key);
		else
			refuse_key(r, n, keys, 3);
	}
	if (r->diags.errors == 0 &&
	    (conf->ca == NULL || conf->certificate == NULL || conf->key == NULL))
		complain(r, map, "identity needs ca, certificate and key");
}

static void read_port(struct reader *r, struct yaml_node *node, uint16_t *port)
{
	char *end;

	if (!is_text(r, node))
		return;
	unsigned long value = strtoul(node->text, &end, 10);
	if (*end != '\0' || value < 1 || value > 65535 || node->text[0] == '-')
		complain(r, node, "a port is a number from 1 to 65535");
	else
		*port = (uint16_t)value;
}

static void read_bus(struct reader *r, struct yaml_node *map, struct client_conf *conf)
{
	static const char *const keys[] = { "group", "port", "interface" };

	if (!is_map(r, map))
		return;
	for (struct yaml_node *n = map->child; n != NULL; n = n->next) {
		if (strcmp(n->key, "group") == 0) {
			free(conf->group);
			conf->group = NULL;
			take_text(r, n, &conf->group);
			if (conf->group == NULL)
				conf->group = say_strdup(BUS_GROUP_DEFAULT);
		} else if (strcmp(n->key, "port") == 0) {
			read_port(r, n, &conf->port);
		} else if (strcmp(n->key, "interface") == 0) {
			take_text(r, n, &conf->interface);
		} else {
			refuse_key(r, n, keys, 3);
		}
	}
}

static void read_servers(struct reader *r, struct yaml_node *list, struct client_conf *conf)
{
	if (list->kind != YAML_LIST) {
		if (!list->bad)
			complain(r, list, "a list of HOST:PORT is needed here");
		return;
	}
	if (conf->servers != NULL)
		return;
	conf->servers = say_calloc(list->count, sizeof(*conf->servers));
	for (struct yaml_node *n = list->child; n != NULL; n = n->next) {
		if (!is_text(r, n))
			continue;
		if (strrchr(n->text, ':') == NULL)
			complain(r, n, "a server is HOST:PORT");
		else
			conf->servers[conf->server_count++] = say_strdup(n->text);
	}
}

static void read_color(struct reader *r, struct yaml_node *node, bool *red)
{
	if (!is_text(r, node))
		return;
	if (strcmp(node->text, "red") != 0 && strcmp(node->text, "default") != 0)
		complain(r, node, "a color is red or default");
	*red = strcmp(node->text, "red") == 0;
}

static void read_switch(struct reader *r, struct yaml_node *node, bool *on)
{
	if (!is_text(r, node))
		return;
	if (strcmp(node->text, "true") != 0 && strcmp(node->text, "false") != 0)
		complain(r, node, "this is true or false");
	*on = strcmp(node->text, "true") == 0;
}

static void read_document(struct reader *r, struct yaml_node *map, struct client_conf *conf)
{
	static const char *const keys[] = {
		"environment", "via", "socket", "timezone", "identity", "servers", "bus",
		"color", "failover", "bell",
	};

	if (!is_map(r, map))
		return;
	for (struct yaml_node *n = map->child; n != NULL; n = n->next) {
		if (strcmp(n->key, "environment") == 0)
			take_text(r, n, &conf->environment);
		else if (strcmp(n->key, "via") == 0)
			take_text(r, n, &conf->via);
		else if (strcmp(n->key, "socket") == 0)
			take_path(r, n, &conf->socket);
		else if (strcmp(n->key, "timezone") == 0)
			take_text(r, n, &conf->timezone);
		else if (strcmp(n->key, "identity") == 0)
			read_identity(r, n, conf);
		else if (strcmp(n->key, "servers") == 0)
			read_servers(r, n, conf);
		else if (strcmp(n->key, "bus") == 0)
			read_bus(r, n, conf);
		else if (strcmp(n->key, "color") == 0)
			read_color(r, n, &conf->header_red);
		else if (strcmp(n->key, "failover") == 0)
			read_switch(r, n, &conf->failover);
		else if (strcmp(n->key, "bell") == 0)
			read_switch(r, n, &conf->bell);
		else
			refuse_key(r, n, keys, sizeof(keys) / sizeof(keys[0]));
	}
}

static int read_file(const char *path, char **text, size_t *len)
{
	FILE *in = fopen(path, "re");

	if (in == NULL)
		return -errno;
	*text = say_calloc(1, YAML_SIZE_MAX + 1);
	*len = fread(*text, 1, YAML_SIZE_MAX, in);
	int error = ferror(in) ? EIO : 0;
	fclose(in);
	return -error;
}

static int load_file(const char *path, struct client_conf *conf, struct trouble *t)
{
	struct yaml_file file = { 0 };
	struct reader r = { .file = &file };
	char *text = NULL;
	size_t len = 0;
	int error = read_file(path, &text, &len);

	if (error != 0) {
		free(text);
		trouble_set(t, EXIT_USAGE, "cannot read %s", path);
		trouble_why(t, "%s", strerror(-error));
		return EXIT_USAGE;
	}
	conf->file = say_strdup(path);
	r.folder = folder_of(path);
	yaml_parse(text, len, path, &file, &r.diags);
	if (r.diags.errors == 0 && file.documents != NULL)
		read_document(&r, file.documents, conf);
	int code = 0;
	if (r.diags.errors > 0) {
		diags_print(&r.diags, "", stderr);
		code = trouble_set(t, EXIT_USAGE, "%s cannot be used", path);
	}
	diags_fini(&r.diags);
	yaml_file_fini(&file);
	free(r.folder);
	free(text);
	return code;
}

static const char *env_text(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* ~/.config/chime or what XDG says; NULL when there is no home. */
static char *personal_folder(void)
{
	const char *base = env_text("XDG_CONFIG_HOME"), *home = env_text("HOME");

	if (base != NULL)
		return say_format("%s/chime", base);
	if (home == NULL) {
		const struct passwd *pw = getpwuid(getuid());
		home = pw != NULL ? pw->pw_dir : NULL;
	}
	return home != NULL ? say_format("%s/.config/chime", home) : NULL;
}

static void default_identity(struct client_conf *conf, const char *folder)
{
	char *ca = say_format("%s/ca.crt", folder);
	char *certificate = say_format("%s/id.crt", folder);
	char *key = say_format("%s/id.key", folder);

	if (conf->ca == NULL && access(ca, F_OK) == 0 && access(certificate, F_OK) == 0 &&
	    access(key, F_OK) == 0) {
		conf->ca = ca;
		conf->certificate = certificate;
		conf->key = key;
		return;
	}
	free(ca);
	free(certificate);
	free(key);
}

static void override(char **text, const char *variable)
{
	const char *value = env_text(variable);

	if (value != NULL) {
		free(*text);
		*text = say_strdup(value);
	}
}

static int apply_environment(struct client_conf *conf, struct trouble *t)
{
	override(&conf->via, "CHIME_VIA");
	override(&conf->socket, "CHIME_SOCKET");
	override(&conf->ca, "CHIME_TLS_CA");
	override(&conf->certificate, "CHIME_TLS_CERTIFICATE");
	override(&conf->key, "CHIME_TLS_KEY");
	conf->socket_given = conf->socket != NULL;
	if (conf->socket == NULL)
		conf->socket = say_strdup(CLIENT_SOCKET_DEFAULT);
	int given = (conf->ca != NULL) + (conf->certificate != NULL) + (conf->key != NULL);
	if (given == 0 || given == 3)
		return 0;
	trouble_set(t, EXIT_USAGE, "an identity is three files, and only some were named");
	trouble_hint(t, "set CHIME_TLS_CA, CHIME_TLS_CERTIFICATE and CHIME_TLS_KEY");
	return EXIT_USAGE;
}

int client_conf_load(const char *path, struct client_conf *conf, struct trouble *t)
{
	char *personal = personal_folder(), *file = NULL;
	int code = 0;

	*conf = (struct client_conf){ .port = DISCOVER_DEFAULT_PORT, .failover = true };
	conf->group = say_strdup(BUS_GROUP_DEFAULT);
	if (path == NULL)
		path = env_text("CHIME_CONFIG");
	if (path != NULL) {
		file = say_strdup(path);
	} else {
		if (personal != NULL)
			file = say_format("%s/chime.yaml", personal);
		if (file == NULL || access(file, F_OK) != 0) {
			free(file);
			file = say_strdup("/etc/chime/chime.yaml");
		}
		if (access(file, F_OK) != 0) {
			free(file);
			file = NULL;
		}
	}
	if (file != NULL)
		code = load_file(file, conf, t);
	if (code == 0) {
		if (file != NULL) {
			char *folder = folder_of(file);
			default_identity(conf, folder);
			free(folder);
		} else if (personal != NULL) {
			default_identity(conf, personal);
		}
		code = apply_environment(conf, t);
	}
	free(file);
	free(personal);
	return code;
}

void client_conf_fini(struct client_conf *conf)
{
	free(conf->file);
	free(conf->environment);
	free(conf->via);
	free(conf->socket);
	free(conf->timezone);
	free(conf->ca);
	free(conf->certificate);
	free(conf->key);
	for (size_t i = 0; i < conf->server_count; i++)
		free(conf->servers[i]);
	free(conf->servers);
	free(conf->group);
	free(conf->interface);
	*conf = (struct client_conf){ 0 };
}
