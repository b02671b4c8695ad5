#include "daemon/jobfile.h"

#include "daemon/yaml.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_DEPTH_MAX = 16, FILES_MAX = 10000 };

/* A walk through a folder; what it is told stays the same all the way down. */
struct walk {
	const struct jobfile_options *options;
	struct jobset *set;
	struct diags *diags;
};

/* Names of one folder, folders with a "/" at the end. */
struct names {
	char **list;
	size_t count;
};

static void report(const struct walk *walk, const char *name, const char *hint, const char *text,
		   int error)
{
	struct diag_place place = { .file = name };

	diag_error(walk->diags, &place, hint, "%s%s%s", text, error ? ": " : "",
		   error ? strerror(error) : "");
}

/* Who may write here may run programs as others. True when it may be used. */
static bool check_owner(const struct walk *walk, const struct stat *st, const char *name)
{
	bool folder = S_ISDIR(st->st_mode);

	if (!walk->options->check_owner)
		return true;
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		report(walk, name, "chown it", folder ?
		       "the folder belongs neither to root nor to the user that reads it" :
		       "belongs neither to root nor to the user that reads it", 0);
		return false;
	}
	if (st->st_mode & (S_IWGRP | S_IWOTH)) {
		report(walk, name, "chmod go-w", folder ?
		       "the folder can be written by others" : "can be written by others", 0);
		return false;
	}
	return true;
}

/* One byte more than is allowed, so that the parser can tell. */
static int read_text(int fd, char **text, size_t *len)
{
	size_t size = YAML_SIZE_MAX + 1;

	*text = malloc(size);
	*len = 0;
	assert(*text);
	while (*len < size) {
		ssize_t n = read(fd, *text + *len, size - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		*len += (size_t)n;
	}
	return 0;
}

static void load_file(const struct walk *walk, int fd, const struct stat *st, const char *name)
{
	char *text = NULL;
	size_t len;
	int error;

	if (walk->set->files >= FILES_MAX) {
		if (walk->set->files++ == FILES_MAX)
			report(walk, name, NULL, "more than 10000 files; this and later ones "
			       "were not read", 0);
		return;
	}
	if (!check_owner(walk, st, name))
		return;
	error = read_text(fd, &text, &len);
	if (error)
		report(walk, name, NULL, "can't be read", -error);
	else
		jobfile_read(text, len, name, walk->options, walk->set, walk->diags);
	free(text);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_yaml(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && !strcmp(name + len - 5, ".yaml");
}

static char *join(const char *folder, const char *name, const char *end)
{
	char *path;

	if (asprintf(&path, "%s%s%s", folder, name, end) < 0)
		assert(!"out of memory");
	return path;
}

/*
 * With the "/" in their names folders sort where the paths of their files would: level by level
 * gives the byte order of whole paths.
 */
static void list_folder(const struct walk *walk, DIR *dir, const char *prefix,
			struct names *names)
{
	struct dirent *entry;
	struct stat st;

	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;
		bool folder;

		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		folder = S_ISDIR(st.st_mode);
		if (!folder && !is_yaml(name))
			continue;
		if (!folder && !S_ISREG(st.st_mode)) {
			char *path = join(prefix, name, "");
			struct diag_place place = { .file = path };

			diag_warning(walk->diags, &place, NULL, S_ISLNK(st.st_mode) ?
				     "is a link; links are not followed" : "is not a plain file");
			free(path);
			continue;
		}
		names->list = realloc(names->list, (names->count + 1) * sizeof(char *));
		assert(names->list);
		names->list[names->count++] = join("", name, folder ? "/" : "");
	}
	if (names->count)
		qsort(names->list, names->count, sizeof(char *), compare_names);
}

static void load_folder(const struct walk *walk, int fd, const char *prefix, unsigned depth);

/* Opened without following links, then looked at again: names may change while we walk. */
static void load_entry(const struct walk *walk, int parent, char *name, const char *prefix,
		       unsigned depth)
{
	size_t len = strlen(name);
	bool folder = name[len - 1] == '/';
	char *path = join(prefix, name, "");
	struct stat st;
	int fd;

	if (folder)
		name[len - 1] = 0;
	fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
		    (folder ? O_DIRECTORY : 0));
	if (fd < 0 || fstat(fd, &st)) {
		report(walk, path, NULL, "can't be read", errno);
	} else if (folder) {
		load_folder(walk, fd, path, depth + 1);
		fd = -1;
	} else if (S_ISREG(st.st_mode)) {
		load_file(walk, fd, &st, path);
	}
	if (fd >= 0)
		close(fd);
	free(path);
}

/* Takes fd. */
static void load_folder(const struct walk *walk, int fd, const char *prefix, unsigned depth)
{
	const char *shown = *prefix ? prefix : ".";
	struct names names = { 0 };
	struct stat st;
	DIR *dir;

	if (depth > FOLDER_DEPTH_MAX) {
		report(walk, shown, NULL, "folders nested deeper than 16", 0);
		close(fd);
		return;
	}
	dir = fdopendir(fd);
	if (!dir) {
		report(walk, shown, NULL, "can't be read", errno);
		close(fd);
		return;
	}
	if (!fstat(fd, &st) && check_owner(walk, &st, shown)) {
		list_folder(walk, dir, prefix, &names);
		for (size_t i = 0; i < names.count; i++)
			load_entry(walk, fd, names.list[i], prefix, depth);
	}
	for (size_t i = 0; i < names.count; i++)
		free(names.list[i]);
	free(names.list);
	closedir(dir);
}

int jobset_load(const char *path, const struct jobfile_options *options, struct jobset *set,
		struct diags *diags)
{
	struct walk walk = { options, set, diags };
	struct stat st;
	int fd;

	*set = (struct jobset){ 0 };
	*diags = (struct diags){ 0 };
	/* The path itself was named by the operator and may be a link. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		int error = errno;

		close(fd);
		return -error;
	}
	if (S_ISDIR(st.st_mode)) {
		load_folder(&walk, fd, "", 0);
	} else {
		if (S_ISREG(st.st_mode))
			load_file(&walk, fd, &st, path);
		else
			report(&walk, path, NULL, "is neither a folder nor a plain file", 0);
		close(fd);
	}
	jobset_check_doubles(set, diags);
	return 0;
}

int jobset_parse(const char *text, size_t len, const char *name,
		 const struct jobfile_options *options, struct jobset *set, struct diags *diags)
{
	*set = (struct jobset){ 0 };
	*diags = (struct diags){ 0 };
	jobfile_read(text, len, name, options, set, diags);
	jobset_check_doubles(set, diags);
	return 0;
}

void jobset_read_stream(const char *text, size_t len, const char *name,
			const struct jobfile_options *options, struct jobset *set,
			struct diags *diags)
{
	static const char mark[] = "\n---\n";
	const char *at = text, *end = text + len;

	/* Canonical scalars are quoted and escaped: the mark stands between documents only. */
	while (at < end) {
		const char *next = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1);
		size_t part = next ? (size_t)(next + 1 - at) : (size_t)(end - at);

		jobfile_read(at, part, name, options, set, diags);
		at += part;
	}
}

bool jobset_next_server(const char **text, char out[NAME_SERVER_MAX + 1])
{
	const char *at = *text + strspn(*text, " ,");
	size_t len = strcspn(at, " ,");

	if (!len)
		return false;
	assert(len <= NAME_SERVER_MAX);
	memcpy(out, at, len);
	out[len] = 0;
	*text = at + len;
	return true;
}

bool jobset_server_matches(const char *server_text, const char *server)
{
	char pattern[NAME_SERVER_MAX + 1];

	while (jobset_next_server(&server_text, pattern))
		if (glob_match(pattern, server))
			return true;
	return false;
}

static void free_place(struct job_place *place)
{
	free(place->source);
	free(place->after_source);
}

void jobset_select(struct jobset *set, const char *server)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->count; i++) {
		if (!jobset_server_matches(set->jobs[i].server, server)) {
			job_def_fini(&set->jobs[i]);
			free_place(&set->places[i]);
			continue;
		}
		set->jobs[kept] = set->jobs[i];
		set->places[kept++] = set->places[i];
	}
	set->count = kept;
}

void jobset_fini(struct jobset *set)
{
	for (size_t i = 0; i < set->count; i++) {
		job_def_fini(&set->jobs[i]);
		free_place(&set->places[i]);
	}
	free(set->jobs);
	free(set->places);
	*set = (struct jobset){ 0 };
}
