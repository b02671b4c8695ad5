#include "daemon/launcher/registry.h"

#include "daemon/crc32.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	REGISTRY_MAX = 256 << 20,
	REGISTRY_NAME_SIZE = 40,
};

static void name_generation(uint64_t number, char out[REGISTRY_NAME_SIZE])
{
	snprintf(out, REGISTRY_NAME_SIZE, "registry-%020" PRIu64 ".yaml", number);
}

static void free_generation(struct generation *generation)
{
	jobset_fini(&generation->set);
	free(generation->text);
	free(generation);
}

static int parse_stream(struct generation *generation, const struct conf *conf, FILE *err)
{
	struct jobfile_options options = { .timezone = conf->timezone, .server = conf->server };
	struct diags diags = { 0 };
	int r;

	jobset_read_stream(generation->text, generation->len, "registry", &options,
			   &generation->set, &diags);
	if (diags.errors)
		diags_print(&diags, "", err);
	r = diags.errors ? -EBADMSG : 0;
	diags_fini(&diags);
	return r;
}

static int read_whole(int fd, char **text, size_t *len)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_size > REGISTRY_MAX)
		return -EBADMSG;
	*text = malloc((size_t)st.st_size + 1);
	assert(*text);
	for (*len = 0; *len < (size_t)st.st_size; ) {
		ssize_t n = read(fd, *text + *len, (size_t)st.st_size - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(*text);
			return n < 0 ? -errno : -EBADMSG;
		}
		*len += (size_t)n;
	}
	(*text)[*len] = 0;
	return 0;
}

/* Takes the first line off, after it proved the rest. */
static int take_header(struct generation *generation, uint64_t number)
{
	uint64_t said;
	size_t jobs, length;
	uint32_t crc;
	char *line_end = memchr(generation->text, '\n', generation->len), *text;

	if (!line_end || sscanf(generation->text, "# chime-registry 1 generation=%" SCNu64
				" jobs=%zu length=%zu crc=%" SCNx32, &said, &jobs, &length,
				&crc) != 4)
		return -EBADMSG;
	generation->len -= (size_t)(line_end + 1 - generation->text);
	if (said != number || length != generation->len ||
	    crc != crc32_update(0, line_end + 1, length))
		return -EBADMSG;
	text = malloc(length + 1);
	assert(text);
	memcpy(text, line_end + 1, length + 1);
	free(generation->text);
	generation->text = text;
	return 0;
}

static int load_generation(struct registry *registry, uint64_t number, const struct conf *conf,
			   FILE *err)
{
	struct generation *generation = calloc(1, sizeof(*generation)), **at;
	char name[REGISTRY_NAME_SIZE];
	int fd, r;

	assert(generation);
	name_generation(number, name);
	fd = openat(registry->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	r = fd < 0 ? -errno : read_whole(fd, &generation->text, &generation->len);
	if (fd >= 0)
		close(fd);
	if (r)
		generation->text = NULL;
	generation->number = number;
	if (!r)
		r = take_header(generation, number);
	if (!r)
		r = parse_stream(generation, conf, err);
	if (r) {
		fprintf(err, "error: cannot use the registry file launcher/%s: %s\n"
			"why:   it holds the job definitions this server runs, and is damaged\n"
			"try:   move it away; with no other registry file there, the start reads\n"
			"       the job files below %s anew\n",
			name, r == -EBADMSG ? "wrong checksum or content" : strerror(-r),
			conf->jobs);
		free_generation(generation);
		return r;
	}
	for (at = &registry->newest; *at && (*at)->number > number; at = &(*at)->older)
		;
	generation->older = *at;
	*at = generation;
	return 0;
}

int registry_open(struct registry *registry, int dir, const struct conf *conf, FILE *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	*registry = (struct registry){ .dir = dir };
	if (!list)
		return -errno;
	while (!r && (entry = readdir(list))) {
		char again[REGISTRY_NAME_SIZE];
		uint64_t number;

		if (sscanf(entry->d_name, "registry-%" SCNu64, &number) != 1)
			continue;
		name_generation(number, again);
		if (strcmp(again, entry->d_name) == 0)
			r = load_generation(registry, number, conf, err);
	}
	closedir(list);
	if (r)
		registry_close(registry);
	return r;
}

void registry_close(struct registry *registry)
{
	while (registry->newest) {
		struct generation *generation = registry->newest;

		registry->newest = generation->older;
		free_generation(generation);
	}
}

/* One stream of the canonical texts, in the set's order. */
static void write_stream(struct generation *generation)
{
	FILE *stream = open_memstream(&generation->text, &generation->len);

	assert(stream);
	for (size_t i = 0; i < generation->set.count; i++) {
		char *text = jobfile_canonical(&generation->set.jobs[i]);

		assert(text);
		fprintf(stream, "---\n%s", text);
		free(text);
	}
	fclose(stream);
	assert(generation->text);
}

static int store_generation(struct registry *registry, const struct generation *generation)
{
	char name[REGISTRY_NAME_SIZE];
	FILE *file;
	int fd, r = 0;

	unlinkat(registry->dir, "registry.new", 0);
	fd = openat(registry->dir, "registry.new",
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	assert(file);
	fprintf(file, "# chime-registry 1 generation=%" PRIu64 " jobs=%zu length=%zu crc=%08" PRIx32
		"\n", generation->number, generation->set.count, generation->len,
		crc32_update(0, generation->text, generation->len));
	fwrite(generation->text, 1, generation->len, file);
	if (fflush(file) || fsync(fd))
		r = -errno;
	fclose(file);
	name_generation(generation->number, name);
	if (!r && renameat(registry->dir, "registry.new", registry->dir, name))
		r = -errno;
	if (!r && fsync(registry->dir))
		r = -errno;
	if (r)
		unlinkat(registry->dir, "registry.new", 0);
	return r;
}

/* The name of the user a launcher that is not root runs as; malloc'ed, NULL when it has none. */
static char *own_name(void)
{
	struct passwd *entry = getpwuid(geteuid());

	return entry ? strdup(entry->pw_name) : NULL;
}

static uint64_t next_number(const struct registry *registry)
{
	uint64_t now = (uint64_t)time(NULL);

	if (registry->newest && registry->newest->number >= now)
		return registry->newest->number + 1;
	return now;
}

static int load_files(struct generation *generation, const struct conf *conf, FILE *err,
		      size_t *errors)
{
	char *user = geteuid() == 0 ? NULL : own_name();
	struct jobfile_options options = {
		.timezone = conf->timezone, .server = conf->server, .check_owner = true,
		.need_user = geteuid() == 0, .only_user = user,
	};
	struct diags diags = { 0 };
	int r = jobset_load(conf->jobs, &options, &generation->set, &diags);

	*errors = diags.errors;
	if (r) {
		*errors = 1;
		fprintf(err, "%s: error: cannot read the job files: %s\n", conf->jobs,
			strerror(-r));
	}
	diags_print(&diags, "", err);
	diags_fini(&diags);
	free(user);
	return *errors ? -EINVAL : 0;
}

int registry_reload(struct registry *registry, const struct conf *conf, FILE *err,
		    size_t *errors)
{
	struct generation *generation = calloc(1, sizeof(*generation)), *newest = registry->newest;
	int r;

	assert(generation);
	*errors = 0;
	r = load_files(generation, conf, err, errors);
	if (r)
		goto refused;
	jobset_select(&generation->set, conf->server);
	write_stream(generation);
	if (newest && newest->len == generation->len &&
	    memcmp(newest->text, generation->text, generation->len) == 0)
		goto refused;	/* r is 0: it is what we have */
	generation->number = next_number(registry);
	r = store_generation(registry, generation);
	if (r) {
		*errors = 1;
		fprintf(err, "%s/launcher: error: cannot store the registry: %s\n", conf->data,
			strerror(-r));
		goto refused;
	}
	generation->older = newest;
	registry->newest = generation;
	return 0;
refused:
	free_generation(generation);
	return r;
}

void registry_committed(struct registry *registry, uint64_t number)
{
	struct generation *at = registry->newest;

	while (at && at->number > number)
		at = at->older;
	if (!at || at->number != number)
		return;
	while (at->older) {
		struct generation *old = at->older;
		char name[REGISTRY_NAME_SIZE];

		at->older = old->older;
		name_generation(old->number, name);
		unlinkat(registry->dir, name, 0);
		free_generation(old);	/* unlink not synced: one too many does no harm */
	}
}

const struct job_def *registry_find_job(const struct registry *registry, const char *name,
					const uint8_t hash[32])
{
	for (struct generation *at = registry->newest; at; at = at->older)
		for (size_t i = 0; i < at->set.count; i++)
			if (strcmp(at->set.jobs[i].name, name) == 0 &&
			    memcmp(at->set.jobs[i].hash, hash, 32) == 0)
				return &at->set.jobs[i];
	return NULL;
}
