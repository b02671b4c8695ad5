#include "daemon/launcher/launcher.h"

#include "daemon/leaf.h"
#include "daemon/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int spooldir_open(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void spooldir_remove(int parent, const char *name)
{
	/* `spec` last: without it the directory counts as never launched. */
	static const char *const files[] = { "ctl", "output", "record", "spec" };
	int dir = spooldir_open(parent, name);

	if (dir < 0)
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(dir, files[i], 0);
	close(dir);
	if (unlinkat(parent, name, AT_REMOVEDIR))
		log_warn("spool.remove", "directory=%s reason=%s", name,
			 log_quote(strerror(errno)));
}

/* Nobody holds it, and there is no record. */
static enum examined judge_free(const struct launcher *launcher, int dir,
				const struct spool_spec *spec, int lock,
				struct attempt_report *report, struct spool_started *started)
{
	int r = spool_read_started(dir, started);

	report->pid = started->pid;
	report->started_us = started->started_us;
	/* Record and spec are on the disk before anything is spawned (launch.c). */
	if (r == -ENOENT && (lock == -ENOENT || !spec->job[0]))
		return EXAMINED_UNFORKED;
	if (r == -ENOENT && strcmp(spec->boot_id, launcher->boot_id) == 0)
		return EXAMINED_UNFORKED;
	if (strcmp(spec->boot_id, launcher->boot_id) != 0) {
		snprintf(report->detail, sizeof(report->detail),
			 spec->job[0] ? "the host was restarted while it ran" :
					"its spec is unreadable");
		*started = (struct spool_started){ 0 };
	} else {
		snprintf(report->detail, sizeof(report->detail),
			 "its shepherd was killed; no exit status");
	}
	return EXAMINED_LOST;
}

enum examined spooldir_examine(const struct launcher *launcher, int parent, const char *name,
			       struct attempt_report *report, struct spool_started *started)
{
	struct spool_started unused;
	struct spool_spec spec;
	enum examined found = EXAMINED_HELD;
	int dir = spooldir_open(parent, name), lock, r;

	if (dir < 0)
		return EXAMINED_NOTHING;
	r = spool_read_spec(dir, &spec);
	spool_report_init(report, &spec);
	if (r)
		spool_name_parse(name, &report->id);
	/* The lock first: a shepherd that writes its record now and ends is not seen as gone with
	 * nothing written. */
	lock = spool_test_lock(dir);
	if (spool_read_record(dir, report) == 0) {
		report->state = ATTEMPT_ENDED;
		found = EXAMINED_ENDED;
	} else if (lock == 1) {
		report->state = ATTEMPT_RUNNING;
		if (spool_read_started(dir, started ? started : &unused) == 0) {
			report->pid = (started ? started : &unused)->pid;
			report->started_us = (started ? started : &unused)->started_us;
		}
	} else {
		found = judge_free(launcher, dir, &spec, lock, report,
				   started ? started : &unused);
		report->state = found == EXAMINED_LOST ? ATTEMPT_LOST : ATTEMPT_NOT_STARTED;
		report->result = found == EXAMINED_LOST ? RESULT_LOST : 0;
		if (found == EXAMINED_UNFORKED) {
			report->error = ECANCELED;
			snprintf(report->detail, sizeof(report->detail),
				 "interrupted before anything was started");
		}
	}
	spool_spec_fini(&spec);
	close(dir);
	return found;
}

static int scan_directory(struct launcher *launcher, const char *name)
{
	struct attempt_report report;
	struct spool_started started;
	struct run *run;
	enum examined found = spooldir_examine(launcher, launcher->spool, name, &report, &started);
	bool known = report.job[0];

	report.overlooked = 1;
	switch (found) {
	case EXAMINED_NOTHING:
		return 0;
	case EXAMINED_ENDED:
		return talk_state(launcher, &report);
	case EXAMINED_UNFORKED:
		spooldir_remove(launcher->spool, name);
		leaf_forget(launcher->cgroup, name);
		return known ? talk_state(launcher, &report) : 0;
	case EXAMINED_HELD:
	case EXAMINED_LOST:
		break;
	}
	/* Both take a while: a shepherd to connect to, or a tree to kill. */
	run = watch_add(launcher, &report.id, -1, 0);
	run->scanned = true;
	watch_unsettle(run);
	return 0;
}

int spooldir_scan(struct launcher *launcher)
{
	int fd = openat(launcher->spool, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0, wait;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!list)
		return -errno;
	while (!r && (entry = readdir(list))) {
		struct attempt_id id;

		if (spool_name_parse(entry->d_name, &id) == 0)
			r = scan_directory(launcher, entry->d_name);
	}
	closedir(list);
	if (!r)
		r = watch_settle(launcher, &wait);
	return r ? r : talk_scanned(launcher);
}

int spooldir_report(struct launcher *launcher, const struct attempt_id *id)
{
	struct attempt_report report;
	char name[SPOOL_NAME_SIZE];
	enum examined found;

	spool_name(id, name);
	found = spooldir_examine(launcher, launcher->spool, name, &report, NULL);
	if (found == EXAMINED_NOTHING)
		found = spooldir_examine(launcher, launcher->output, name, &report, NULL);
	if (found == EXAMINED_NOTHING) {
		report = (struct attempt_report){ .id = *id, .state = ATTEMPT_NOT_STARTED,
						  .exit_code = -1, .error = ENOENT };
		snprintf(report.detail, sizeof(report.detail), "there is no such run directory");
	}
	return talk_state(launcher, &report);
}
