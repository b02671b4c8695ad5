#include "daemon/launcher/launcher.h"

#include "daemon/clock.h"
#include "daemon/log.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a kept directory takes on the disk; *wall_us = when its output was complete. */
static uint64_t measure(int dir, int64_t *wall_us)
{
	static const char *const files[] = { ".", "spec", "record", "output" };
	uint64_t bytes = 0;
	struct stat st;

	*wall_us = 0;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (fstatat(dir, files[i], &st, AT_SYMLINK_NOFOLLOW))
			continue;
		bytes += (uint64_t)st.st_blocks * 512;
		if (i > 0 && st.st_mtim.tv_sec * (int64_t)USEC_PER_SEC > *wall_us)
			*wall_us = st.st_mtim.tv_sec * (int64_t)USEC_PER_SEC;
	}
	return bytes;
}

static void add_kept(struct launcher *launcher, const char *name, uint64_t bytes, int64_t wall_us)
{
	struct kept *kept;

	if (launcher->kept_count == launcher->kept_size) {
		launcher->kept_size = launcher->kept_size ? launcher->kept_size * 2 : 256;
		launcher->kept = reallocarray(launcher->kept, launcher->kept_size, sizeof(*kept));
		assert(launcher->kept);
	}
	kept = &launcher->kept[launcher->kept_count++];
	*kept = (struct kept){ .bytes = bytes, .wall_us = wall_us };
	snprintf(kept->name, sizeof(kept->name), "%s", name);
	launcher->kept_bytes += bytes;
}

static int compare_kept(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	return (x->wall_us > y->wall_us) - (x->wall_us < y->wall_us);
}

void keep_scan(struct launcher *launcher)
{
	int fd = openat(launcher->output, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!list)
		return;
	while ((entry = readdir(list))) {
		struct attempt_id id;
		int64_t wall_us;
		uint64_t bytes;
		int dir;

		if (spool_name_parse(entry->d_name, &id))
			continue;
		dir = spooldir_open(launcher->output, entry->d_name);
		if (dir < 0)
			continue;
		bytes = measure(dir, &wall_us);
		close(dir);
		add_kept(launcher, entry->d_name, bytes, wall_us);
	}
	closedir(list);
	if (launcher->kept_count)
		qsort(launcher->kept, launcher->kept_count, sizeof(*launcher->kept), compare_kept);
	keep_prune(launcher);
}

void keep_prune(struct launcher *launcher)
{
	int64_t oldest = clock_now().wall.us - launcher->conf.limits.output_us;
	size_t drop = 0;

	while (drop < launcher->kept_count &&
	       (launcher->kept[drop].wall_us < oldest ||
		launcher->kept_bytes > launcher->conf.limits.output_bytes)) {
		spooldir_remove(launcher->output, launcher->kept[drop].name);
		launcher->kept_bytes -= launcher->kept[drop].bytes;
		drop++;
	}
	if (!drop)
		return;
	launcher->kept_count -= drop;
	memmove(launcher->kept, launcher->kept + drop, launcher->kept_count *
		sizeof(*launcher->kept));
}

void keep_take(struct launcher *launcher, const struct attempt_id *id)
{
	struct run *run = watch_find(launcher, id);
	struct attempt_report report;
	char name[SPOOL_NAME_SIZE];
	enum examined found;
	int64_t wall_us;
	uint64_t bytes;
	int dir;

	if (run && !run->told)
		return;		/* it is not over: nothing the node could have in its journal */
	spool_name(id, name);
	found = spooldir_examine(launcher, launcher->spool, name, &report, NULL);
	if (found != EXAMINED_ENDED && found != EXAMINED_LOST)
		return;
	/* Not synced: if a power cut undoes it, the end is reported and acknowledged once more. */
	if (renameat(launcher->spool, name, launcher->output, name)) {
		log_warn("spool.keep", "directory=%s reason=%s", name, log_quote(strerror(errno)));
		return;
	}
	dir = spooldir_open(launcher->output, name);
	if (dir < 0)
		return;
	bytes = measure(dir, &wall_us);
	close(dir);
	add_kept(launcher, name, bytes, clock_now().wall.us);
	keep_prune(launcher);
}

void keep_close(struct launcher *launcher)
{
	free(launcher->kept);
	launcher->kept = NULL;
}
