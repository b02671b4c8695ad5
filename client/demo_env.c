/*
 * demo_env.c - see demo_env.h.
 */
#include "client/demo_env.h"

#include "daemon/yaml.h"
#include "proto/ca.h"
#include "proto/digest.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SBINDIR
#define SBINDIR "/usr/local/sbin"
#endif
#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/local/libexec/chime"
#endif
#ifndef DATADIR
#define DATADIR "/usr/local/share/chime"
#endif

const char *demo_server_name(size_t i)
{
	static const char *const names[DEMO_SERVERS_MAX] = {
		"alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel",
		"india", "juliett", "kilo", "lima", "mike", "november", "oscar", "papa",
	};
	return names[i];
}

char *demo_env_path(const struct demo_env *env, size_t server, const char *file)
{
	return say_format("%s/%s/%s", env->dir, demo_server_name(server), file);
}

/* The first of several paths that is there. */
static bool choose_path(char out[PATH_MAX], int mode, const char *const *paths, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (access(paths[i], mode) == 0 && realpath(paths[i], out) != NULL)
			return true;
	}
	return false;
}

static int not_found(struct trouble *t, const char *what, const char *a, const char *b)
{
	trouble_set(t, EXIT_TROUBLE, "%s is not there", what);
	trouble_why(t, "looked for %s and %s", a, b);
	trouble_hint(t, "make        or: make install");
	return EXIT_TROUBLE;
}

int demo_env_find(struct demo_env *env, struct trouble *t)
{
	ssize_t n = readlink("/proc/self/exe", env->chime, sizeof(env->chime) - 1);

	if (n <= 0)
		return trouble_set(t, EXIT_TROUBLE, "cannot find my own program: %s",
				   strerror(errno));
	env->chime[n] = '\0';
	char *slash = strrchr(env->chime, '/');
	int len = (int)(slash - env->chime);
	char *beside = say_format("%.*s/chimed", len, env->chime);
	char *examples = say_format("%.*s/../examples/demo", len, env->chime);
	const char *programs[] = { beside, LIBEXECDIR "/chimed", SBINDIR "/chimed" };
	const char *folders[] = { examples, DATADIR "/examples/demo" };
	int code = 0;
	if (!choose_path(env->chimed, X_OK, programs, 3))
		code = not_found(t, "chimed", programs[0], programs[2]);
	else if (!choose_path(env->examples, R_OK | X_OK, folders, 2))
		code = not_found(t, "the example jobs", folders[0], folders[1]);
	else if (access("/usr/bin/sqlite3", X_OK) != 0 &&
		 access("/usr/local/bin/sqlite3", X_OK) != 0) {
		code = trouble_set(t, EXIT_TROUBLE, "the program sqlite3 is not there");
		trouble_why(t, "the jobs of the demo load a database with it");
		trouble_hint(t, "sudo apt install sqlite3");
	}
	free(beside);
	free(examples);
	return code;
}

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	bool empty = d != NULL;

	while (empty && (entry = readdir(d)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (d != NULL)
		closedir(d);
	return empty;
}

static int cannot(struct trouble *t, const char *verb, const char *path)
{
	int error = errno;

	trouble_set(t, EXIT_TROUBLE, "cannot %s %s", verb, path);
	trouble_why(t, "%s", strerror(error));
	return EXIT_TROUBLE;
}

static int make_given_dir(struct demo_env *env, const char *dir, struct trouble *t)
{
	env->found_dir = mkdir(dir, 0700) < 0;
	if (env->found_dir && errno != EEXIST)
		return cannot(t, "make the folder", dir);
	if (env->found_dir && !is_empty(dir)) {
		trouble_set(t, EXIT_USAGE, "%s is not an empty folder", dir);
		trouble_why(t, "what is in it in the end is removed");
		trouble_hint(t, "chime demo --dir %s/demo", dir);
		return EXIT_USAGE;
	}
	return realpath(dir, env->dir) != NULL ? 0 : cannot(t, "use the folder", dir);
}

int demo_env_make_dir(struct demo_env *env, const char *dir, struct trouble *t)
{
	const char *base = getenv("TMPDIR");
	struct sockaddr_un address;

	if (dir != NULL)
		return make_given_dir(env, dir, t);
	/* The path of a socket is short; a deep TMPDIR can't hold one. */
	if (base == NULL || base[0] != '/' ||
	    strlen(base) + strlen("/chime-demo.XXXXXX/november/control.sock") >=
	    sizeof(address.sun_path))
		base = "/tmp";
	char *name = say_format("%s/chime-demo.XXXXXX", base);
	int code = mkdtemp(name) != NULL ? 0 : cannot(t, "make the folder", name);
	if (code == 0 && realpath(name, env->dir) == NULL)
		code = cannot(t, "use the folder", name);
	free(name);
	return code;
}

/* A TCP port of 127.0.0.1 that is free now. */
static uint16_t free_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t port = 0;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&address, &len) == 0)
		port = ntohs(address.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

static int choose_ports(struct demo_env *env, struct trouble *t)
{
	uint8_t random[4];

	for (size_t i = 0; i < env->count; i++) {
		bool taken = true;
		for (int tries = 0; taken && tries < 100; tries++) {
			env->port[i] = free_port();
			taken = env->port[i] == 0;
			for (size_t k = 0; k < i; k++)
				taken |= env->port[k] == env->port[i];
		}
		if (taken)
			return trouble_set(t, EXIT_TROUBLE, "no free port on 127.0.0.1");
	}
	digest_random(random, sizeof(random));
	snprintf(env->group, sizeof(env->group), "239.255.%d.%d", random[0], random[1] | 1);
	env->bus_port = (uint16_t)(20000 + (random[2] << 8 | random[3]) % 12000);
	return 0;
}

__attribute__((format(printf, 3, 4)))
static int write_file(const char *path, struct trouble *t, const char *format, ...)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
	va_list ap;

	if (out == NULL)
		return cannot(t, "write", path);
	va_start(ap, format);
	vfprintf(out, format, ap);
	va_end(ap);
	if (ferror(out) | fclose(out))
		return cannot(t, "write", path);
	return 0;
}

static int make_dir(const char *path, struct trouble *t)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : cannot(t, "make the folder", path);
}

static int issue(const struct demo_env *env, enum role role, const char *name, const char *out,
		 struct trouble *t)
{
	char *ca = say_format("%s/ca", env->dir), *key = say_format("%s/id.key", out);
	char err[1024];
	int code = 0;

	/* A second try after a port was taken finds it. */
	if (access(key, F_OK) != 0 && ca_issue(ca, role, name, out, 0, err, sizeof(err)) != 0)
		code = trouble_set_lines(t, EXIT_TROUBLE, err);
	free(ca);
	free(key);
	return code;
}

static int write_authority(const struct demo_env *env, struct trouble *t)
{
	char *ca = say_format("%s/ca", env->dir), *key = say_format("%s/ca/ca.key", env->dir);
	char *id = say_format("%s/id", env->dir);
	char err[1024];
	int code = 0;

	if (access(key, F_OK) != 0 && ca_init(DEMO_ENVIRONMENT, ca, err, sizeof(err)) != 0)
		code = trouble_set_lines(t, EXIT_TROUBLE, err);
	if (code == 0)
		code = issue(env, ROLE_ADMIN, "you", id, t);
	free(ca);
	free(key);
	free(id);
	return code;
}

/* "127.0.0.1:1", "127.0.0.1:2" */
static char *list_addresses(const struct demo_env *env)
{
	char *list = say_strdup("");

	for (size_t i = 0; i < env->count; i++) {
		char *more = say_format("%s%s\"127.0.0.1:%u\"", list,
					list[0] != '\0' ? ", " : "", env->port[i]);
		free(list);
		list = more;
	}
	return list;
}

/* No `peers`: they find each other by the bus. */
static int write_server(const struct demo_env *env, size_t i, struct trouble *t)
{
	char *folder = say_format("%s/%s", env->dir, demo_server_name(i));
	char *id = demo_env_path(env, i, "id"), *file = demo_env_path(env, i, "chimed.yaml");

	int code = make_dir(folder, t);
	if (code == 0)
		code = issue(env, ROLE_SERVER, demo_server_name(i), id, t);
	if (code == 0)
		code = write_file(file, t,
			"environment: " DEMO_ENVIRONMENT "\n"
			"server: %s\n"
			"data: data\n"
			"jobs: ../jobs\n"
			"socket: control.sock\n"
			"identity:\n"
			"  ca: id/ca.crt\n"
			"  certificate: id/id.crt\n"
			"  key: id/id.key\n"
			"bus:\n"
			"  group: %s\n"
			"  port: %u\n"
			"  interface: lo\n"
			"  key: id/bus.key\n"
			"control:\n"
			"  listen: 127.0.0.1:%u\n",
			demo_server_name(i), env->group, env->bus_port, env->port[i]);
	free(folder);
	free(id);
	free(file);
	return code;
}

static int write_client(const struct demo_env *env, struct trouble *t)
{
	char *file = say_format("%s/chime.yaml", env->dir), *servers = list_addresses(env);

	int code = write_file(file, t,
		"environment: " DEMO_ENVIRONMENT "\n"
		"socket: alpha/control.sock\n"
		"identity:\n"
		"  ca: id/ca.crt\n"
		"  certificate: id/id.crt\n"
		"  key: id/id.key\n"
		"servers: [%s]\n"
		"bus:\n"
		"  group: %s\n"
		"  port: %u\n"
		"  interface: lo\n", servers, env->group, env->bus_port);
	free(file);
	free(servers);
	return code;
}

/* The example as it is, behind a document that says where to work, and as whom. */
static int copy_job_file(const struct demo_env *env, const char *name, struct trouble *t)
{
	char *from = say_format("%s/%s", env->examples, name);
	char *to = say_format("%s/jobs/%s", env->dir, name);
	char *work = say_format("%s/work", env->dir);
	FILE *in = fopen(from, "re"), *out = in != NULL ? fopen(to, "we") : NULL;
	char buf[4096];
	size_t n;
	int code = 0;

	if (out == NULL) {
		code = cannot(t, in == NULL ? "read" : "write", in == NULL ? from : to);
	} else {
		fputs("defaults:\n", out);
		if (geteuid() == 0)
			fputs("  user: root\n", out);
		fputs("  env:\n    DEMO_DIR: ", out);
		yaml_write_quoted(work, out);
		fputs("\n---\n", out);
		while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
			fwrite(buf, 1, n, out);
		fchmod(fileno(out), 0600);
	}
	if (in != NULL)
		fclose(in);
	if (out != NULL && (ferror(out) | fclose(out)))
		code = cannot(t, "write", to);
	free(from);
	free(to);
	free(work);
	return code;
}

static int copy_jobs(struct demo_env *env, struct trouble *t)
{
	char *jobs = say_format("%s/jobs", env->dir), *work = say_format("%s/work", env->dir);
	DIR *d = NULL;
	struct dirent *entry;

	env->jobs = 0;
	int code = make_dir(jobs, t);
	if (code == 0)
		code = make_dir(work, t);
	if (code == 0) {
		d = opendir(env->examples);
		code = d != NULL ? 0 : cannot(t, "read", env->examples);
	}
	while (code == 0 && (entry = readdir(d)) != NULL) {
		size_t len = strlen(entry->d_name);
		if (entry->d_name[0] == '.' || len < 6 ||
		    strcmp(entry->d_name + len - 5, ".yaml") != 0)
			continue;
		code = copy_job_file(env, entry->d_name, t);
		env->jobs++;
	}
	if (d != NULL)
		closedir(d);
	free(jobs);
	free(work);
	return code;
}

int demo_env_write(struct demo_env *env, struct trouble *t)
{
	int code = choose_ports(env, t);

	if (code == 0)
		code = write_authority(env, t);
	for (size_t i = 0; i < env->count && code == 0; i++)
		code = write_server(env, i, t);
	if (code == 0)
		code = write_client(env, t);
	if (code == 0)
		code = copy_jobs(env, t);
	return code;
}
