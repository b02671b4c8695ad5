/*
 * launch.c - from an order to a running shepherd.
 *
 *   mkdir                     the token: a second order finds it and starts nothing
 *   spec     write
 *   record   write 8 KiB of zeros, flock: held by us, later by the shepherd too
 *   ctl      bind, listen, connect
 *   spawn                     the shepherd gets ready, and waits
 *   fdatasync spec, fdatasync record, fsync directory, fsync spool/
 *   SPOOL_GO                  from here on the job may run
 *
 * Why a crash anywhere is harmless:
 *
 *   killed before GO          the shepherd sees the connection end and goes without having forked:
 *                             a free lock, no begin, same boot: NOT_STARTED, and the directory goes
 *   killed after GO           the shepherd holds the lock; or it has left an end; or a begin; or
 *                             nothing, and then it never forked
 *   power cut before the last sync was done: nothing was forked. The directory is missing, or has
 *                             no readable spec, or no record (NOT_STARTED), or is complete (LOST,
 *                             by its boot id: it can't be told from the next case)
 *   power cut after it        directory, spec and record are all there: LOST, unless the record is
 *                             complete
 *   full disk                 refuses a write or sync here, with nothing forked
 *
 * All four syncs are needed for these sentences, but they cost little more than one: everything is
 * written before the first, which makes a journaling file system commit it all together. And they
 * cost no time of their own, because the shepherd is loaded and looks up its user meanwhile.
 */
#include "daemon/launcher/launcher.h"

#include "daemon/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What START makes; -1 = not made yet. */
struct launch {
	int dir, spec, record, ctl, conn;
	char name[SPOOL_NAME_SIZE];
};

static int refuse(struct launcher *launcher, const struct link_message *message, int error,
		  const char *what)
{
	struct attempt_report report = message->report;

	report.state = ATTEMPT_NOT_STARTED;
	report.result = 0;
	report.exit_code = -1;
	report.error = error;
	snprintf(report.detail, sizeof(report.detail), "%s: %s", what, strerror(error));
	log_error("start.refused", "run=%" PRIu64 " attempt=%" PRIu32 " job=%s reason=%s",
		  report.id.seq, report.id.attempt, report.job, log_quote(report.detail));
	return talk_state(launcher, &report);
}

static void fill_spec(const struct launcher *launcher, const struct link_message *message,
		      const struct job_def *job, struct spool_spec *spec)
{
	const struct attempt_report *report = &message->report;

	*spec = (struct spool_spec){
		.id = report->id,
		.slot_utc_s = message->slot_utc_s,
		.run_is_text = job->run_is_text,
		.shell = job->shell, .user = job->user, .dir = job->dir,
		.run = (const char **)job->run, .env = (const char **)job->env,
		.max_time_us = job->max_time_us, .kill_grace_us = job->kill_grace_us,
		.max_output = launcher->conf.limits.max_output,
	};
	memcpy(spec->job, report->job, sizeof(spec->job));
	memcpy(spec->cycle, report->cycle, sizeof(spec->cycle));
	memcpy(spec->slot, report->slot, sizeof(spec->slot));
	memcpy(spec->cause, report->cause, sizeof(spec->cause));
	memcpy(spec->hash, job->hash, sizeof(spec->hash));
	memcpy(spec->success_codes, job->success_codes, sizeof(spec->success_codes));
	memcpy(spec->boot_id, launcher->boot_id, sizeof(spec->boot_id));
	memcpy(spec->cgroup, launcher->cgroup, sizeof(spec->cgroup));
	snprintf(spec->server, sizeof(spec->server), "%s", launcher->conf.server);
	snprintf(spec->environment, sizeof(spec->environment), "%s", launcher->conf.environment);
}

/* Everything before the spawn; *what names the step that failed. */
static int make_files(struct launcher *launcher, struct launch *launch,
		      const struct spool_spec *spec, const char **what)
{
	*what = "run directory";
	launch->dir = spooldir_open(launcher->spool, launch->name);
	if (launch->dir < 0)
		return launch->dir;
	*what = "spec";
	launch->spec = spool_write_spec(launch->dir, spec);
	if (launch->spec < 0)
		return launch->spec;
	*what = "reserving the exit record";
	launch->record = spool_reserve_record(launch->dir);
	if (launch->record < 0)
		return launch->record;
	if (flock(launch->record, LOCK_EX | LOCK_NB))
		return -errno;
	*what = "control socket";
	launch->ctl = spool_listen(launch->dir);
	if (launch->ctl < 0)
		return launch->ctl;
	launch->conn = spool_connect(launch->dir);
	return launch->conn < 0 ? launch->conn : 0;
}

static int sync_files(const struct launcher *launcher, const struct launch *launch,
		      const char **what)
{
	*what = "writing to the disk";
	return fdatasync(launch->spec) || fdatasync(launch->record) || fsync(launch->dir) ||
	       fsync(launcher->spool) ? -errno : 0;
}

/* posix_spawn: no copy of our page tables, and the child is the new program when it returns. */
static int spawn_shepherd(struct launcher *launcher, struct launch *launch, const char *job,
			  pid_t *pid)
{
	static char program[] = "chime-shepherd";
	char *argv[] = { program, launch->name, strdup(job), NULL }, *envp[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t set;
	int r;

	assert(argv[2]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, 0, 1);
	posix_spawn_file_actions_adddup2(&actions, 0, 2);
	posix_spawn_file_actions_adddup2(&actions, launch->dir, SHEPHERD_DIR_FD);
	posix_spawn_file_actions_adddup2(&actions, launch->ctl, SHEPHERD_CTL_FD);
	posix_spawn_file_actions_adddup2(&actions, launch->record, SHEPHERD_RECORD_FD);
	posix_spawnattr_init(&attributes);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attributes, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attributes, &set);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn(pid, launcher->shepherd, &actions, &attributes, argv, envp);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(argv[2]);
	return -r;
}

/* One that was not told to go has forked nothing. */
static void drop_shepherd(pid_t pid)
{
	if (!pid)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void close_launch(struct launch *launch)
{
	const int fds[] = { launch->dir, launch->spec, launch->record, launch->ctl, launch->conn };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* True when this attempt was launched before; its state is then reported, or will be. */
static bool was_launched(struct launcher *launcher, const struct link_message *message, int *r)
{
	const struct attempt_id *id = &message->report.id;
	struct run *run = watch_find(launcher, id);
	char name[SPOOL_NAME_SIZE];
	struct attempt_report report;
	enum examined found;

	*r = 0;
	spool_name(id, name);
	found = spooldir_examine(launcher, launcher->spool, name, &report, NULL);
	if (found == EXAMINED_NOTHING)
		found = spooldir_examine(launcher, launcher->output, name, &report, NULL);
	if (found == EXAMINED_NOTHING)
		return false;
	if (found == EXAMINED_UNFORKED && !run) {
		spooldir_remove(launcher->spool, name);
		return false;
	}
	if (report.id.boot != id->boot || strcmp(report.job, message->report.job) != 0) {
		*r = refuse(launcher, message, EEXIST, "another job has this run directory");
		return true;
	}
	/* One that was launched a moment ago reports its start by itself. */
	if (run && !run->told && !run->running)
		return true;
	*r = spooldir_report(launcher, id);
	return true;
}

int launch_run(struct launcher *launcher, const struct link_message *message)
{
	struct launch launch = { -1, -1, -1, -1, -1, "" };
	const struct attempt_report *report = &message->report;
	const struct job_def *job;
	const char *what = "run directory";
	struct spool_spec spec;
	uint32_t go = SPOOL_GO;
	pid_t pid = 0;
	int r;

	if (was_launched(launcher, message, &r))
		return r;
	job = registry_find_job(&launcher->registry, report->job, message->hash);
	if (!job)
		return refuse(launcher, message, ENOENT, "no accepted definition has this hash");
	if (geteuid() == 0 && !job->user)
		return refuse(launcher, message, EPERM, "the job has no user");
	fill_spec(launcher, message, job, &spec);
	spool_name(&report->id, launch.name);
	if (mkdirat(launcher->spool, launch.name, 0700))
		return refuse(launcher, message, errno, what);
	r = make_files(launcher, &launch, &spec, &what);
	if (!r) {
		what = "chime-shepherd";
		r = spawn_shepherd(launcher, &launch, report->job, &pid);
	}
	if (!r)
		r = sync_files(launcher, &launch, &what);
	if (r) {
		drop_shepherd(pid);
		spooldir_remove(launcher->spool, launch.name);
		close_launch(&launch);
		return refuse(launcher, message, -r, what);
	}
	/* If it has died meanwhile, watching it will tell. */
	send(launch.conn, &go, sizeof(go), MSG_NOSIGNAL);
	watch_add(launcher, &report->id, launch.conn, pid);
	launch.conn = -1;
	close_launch(&launch);
	return 0;
}
