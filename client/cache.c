/*
 * cache.c - see cache.h.
 */
#include "client/cache.h"

#include "client/say.h"
#include "proto/identity.h"
#include "proto/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct names {
	char **list;
	size_t count, room;
};

/* Names come from a server and end in a shell: only what is a name goes in. */
static void add_name(struct names *names, const char *job, const char *server)
{
	if (server == NULL || !name_server_valid(server, NULL) ||
	    (job != NULL && !name_job_valid(job, NULL)))
		return;
	if (names->count == names->room) {
		names->room = names->room > 0 ? 2 * names->room : 64;
		names->list = say_realloc(names->list, names->room, sizeof(*names->list));
	}
	names->list[names->count++] = say_format("%s@%s\n", job != NULL ? job : "", server);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One text, sorted, each name once. */
static char *join_names(struct names *names)
{
	char *text = NULL, *last = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		abort();
	if (names->count > 0)
		qsort(names->list, names->count, sizeof(*names->list), compare_names);
	for (size_t i = 0; i < names->count; i++) {
		if (last == NULL || strcmp(last, names->list[i]) != 0)
			fputs(names->list[i], out);
		last = names->list[i];
	}
	if (fclose(out) != 0)
		abort();
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
	return text;
}

static char *collect_names(const Chime__JobsReply *jobs)
{
	struct names names = { 0 };

	add_name(&names, NULL, jobs->server);
	for (size_t i = 0; i < jobs->n_silent; i++)
		add_name(&names, NULL, jobs->silent[i]->server);
	for (size_t i = 0; i < jobs->n_job; i++) {
		add_name(&names, NULL, jobs->job[i]->server);
		add_name(&names, jobs->job[i]->job != NULL ? jobs->job[i]->job : "",
			 jobs->job[i]->server);
	}
	return join_names(&names);
}

/* The folder, made when missing; NULL when there is none that is mine (as under sudo, where it
 * would be somebody else's, who could not write there any more). */
static char *open_folder(void)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	struct stat st;
	char *path;

	if ((home == NULL || stat(home, &st) < 0 || st.st_uid != geteuid()) &&
	    (base == NULL || base[0] != '/'))
		return NULL;
	path = base != NULL && base[0] == '/' ? say_strdup(base) : say_format("%s/.cache", home);
	if ((mkdir(path, 0700) == 0 || errno == EEXIST) && stat(path, &st) == 0 &&
	    st.st_uid == geteuid()) {
		char *folder = say_format("%s/chime", path);

		free(path);
		if (mkdir(folder, 0700) == 0 || errno == EEXIST)
			return folder;
		path = folder;
	}
	free(path);
	return NULL;
}

static bool file_says(const char *path, const char *text)
{
	FILE *f = fopen(path, "re");
	bool same = f != NULL;
	int c;

	for (; same && (c = fgetc(f)) != EOF; text++)
		same = c == (unsigned char)*text;
	if (f != NULL)
		fclose(f);
	return same && *text == '\0';
}

static void write_file(const char *path, const char *fresh, const char *text)
{
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t len = strlen(text);
	bool good;

	if (fd < 0)
		return;
	good = write(fd, text, len) == (ssize_t)len;
	if (close(fd) < 0 || !good || rename(fresh, path) < 0)
		unlink(fresh);
}

void cache_names(const Chime__JobsReply *jobs)
{
	char *folder, *path, *fresh, *text;

	/* Less than all would be worse than what is there. */
	if (jobs->n_job < jobs->total || jobs->environment == NULL ||
	    !identity_environment_valid(jobs->environment))
		return;
	folder = open_folder();
	if (folder == NULL)
		return;
	path = say_format("%s/names.%s", folder, jobs->environment);
	fresh = say_format("%s/.names.%s.%ld", folder, jobs->environment, (long)getpid());
	text = collect_names(jobs);
	if (file_says(path, text))
		utimensat(AT_FDCWD, path, NULL, 0);
	else
		write_file(path, fresh, text);
	free(text);
	free(fresh);
	free(path);
	free(folder);
}
