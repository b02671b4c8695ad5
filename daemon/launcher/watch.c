#include "daemon/launcher/launcher.h"

#include "daemon/clock.h"
#include "daemon/leaf.h"
#include "daemon/log.h"
#include "daemon/tree.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct run *watch_find(struct launcher *launcher, const struct attempt_id *id)
{
	struct run *run = launcher->runs;

	while (run && memcmp(&run->id, id, sizeof(*id)) != 0)
		run = run->next;
	return run;
}

static void set_conn(struct launcher *launcher, struct run *run, int conn)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = run };

	run->conn = conn;
	if (conn >= 0 && epoll_ctl(launcher->epoll, EPOLL_CTL_ADD, conn, &event)) {
		/* No memory for it: the run is then looked at again and again instead. */
		close(conn);
		run->conn = -1;
		watch_unsettle(run);
	}
}

static void send_kill(struct run *run)
{
	uint32_t word = SPOOL_KILL;

	if (run->conn >= 0 && run->killed)
		send(run->conn, &word, sizeof(word), MSG_NOSIGNAL);
}

static void drop_conn(struct launcher *launcher, struct run *run)
{
	if (run->conn < 0)
		return;
	/* By itself, close() would not do: a child that posix_spawn has just made may hold the
	 * descriptor for a moment longer, until its exec has closed it, and epoll would go on
	 * pointing to this run. */
	epoll_ctl(launcher->epoll, EPOLL_CTL_DEL, run->conn, NULL);
	close(run->conn);
	run->conn = -1;
}

struct run *watch_add(struct launcher *launcher, const struct attempt_id *id, int conn, pid_t pid)
{
	struct run *run = calloc(1, sizeof(*run));

	assert(run);
	run->id = *id;
	spool_name(id, run->name);
	run->pid = pid;
	run->next = launcher->runs;
	launcher->runs = run;
	set_conn(launcher, run, conn);
	return run;
}

static void free_run(struct launcher *launcher, struct run *run)
{
	struct run **at = &launcher->runs;

	while (*at != run)
		at = &(*at)->next;
	*at = run->next;
	drop_conn(launcher, run);
	free(run);
}

void watch_close(struct launcher *launcher)
{
	while (launcher->runs)
		free_run(launcher, launcher->runs);
}

void watch_unsettle(struct run *run)
{
	if (run->settling || run->told)
		return;
	run->settling = true;
	run->settle_until_us = clock_now().boot.us + LAUNCHER_SETTLE_LIMIT_US;
}

void watch_kill(struct run *run)
{
	/* Said again on a new connection, in case the old one does not carry it any more. */
	run->killed = true;
	send_kill(run);
}

static int tell_state(struct launcher *launcher, const struct run *run,
		      struct attempt_report *report)
{
	report->overlooked = run->scanned;
	return talk_state(launcher, report);
}

/* The end: told once. The entry stays until the shepherd is gone, so that its pid is spared. */
static int tell_end(struct launcher *launcher, struct run *run, struct attempt_report *report)
{
	int r = 0;

	/* A job quicker than its shepherd's word is told in the same order as any other. */
	if (!run->running && report->state == ATTEMPT_ENDED &&
	    report->result != RESULT_START_ERROR) {
		struct attempt_report begun = { .id = report->id, .state = ATTEMPT_RUNNING,
						.exit_code = -1, .pid = report->pid,
						.started_us = report->started_us,
						.slot_utc_s = report->slot_utc_s };

		memcpy(begun.job, report->job, sizeof(begun.job));
		memcpy(begun.cycle, report->cycle, sizeof(begun.cycle));
		memcpy(begun.slot, report->slot, sizeof(begun.slot));
		memcpy(begun.cause, report->cause, sizeof(begun.cause));
		r = tell_state(launcher, run, &begun);
	}
	if (!r)
		r = tell_state(launcher, run, report);
	run->told = true;
	run->settling = false;
	if (report->state == ATTEMPT_LOST)
		log_error("run.lost", "run=%" PRIu64 " attempt=%" PRIu32 " job=%s reason=%s",
			  report->id.seq, report->id.attempt, report->job,
			  log_quote(report->detail));
	if (report->state == ATTEMPT_NOT_STARTED) {
		spooldir_remove(launcher->spool, run->name);
		leaf_forget(launcher->cgroup, run->name);
	}
	drop_conn(launcher, run);
	return r;
}

static int tell_running(struct launcher *launcher, struct run *run)
{
	struct attempt_report report;
	enum examined found;

	if (run->running || run->told)
		return 0;
	found = spooldir_examine(launcher, launcher->spool, run->name, &report, NULL);
	if (found != EXAMINED_HELD)
		return 0;	/* it is over already: its end is told instead */
	run->running = true;
	return tell_state(launcher, run, &report);
}

/* ---- a run without a shepherd --------------------------------------------------------------- */

/* The job's processes: below us as orphans, below the recorded pid, or marked by their
 * environment. How many there were. */
static ssize_t kill_tree(struct launcher *launcher, const struct attempt_report *report,
			 const struct spool_started *started)
{
	char job[160], run[40], attempt[40], server[100], environment[100];
	const char *marks[] = { job, run, attempt, server, environment, NULL };
	struct tree_root root = { .parent = getpid(), .pid = started->pid,
				  .ticks = started->ticks, .marks = marks,
				  .since_ticks = started->shepherd_ticks };
	pid_t *spared;
	ssize_t count;
	size_t runs = 0;

	if (started->leaf[0])
		leaf_kill(started->leaf);
	for (struct run *at = launcher->runs; at; at = at->next)
		runs++;
	root.spared = spared = calloc(runs + 1, sizeof(*spared));
	assert(spared);
	for (struct run *at = launcher->runs; at; at = at->next)
		if (at->pid)
			spared[root.spared_count++] = at->pid;
	snprintf(job, sizeof(job), "CHIME_JOB=%s", report->job);
	snprintf(run, sizeof(run), "CHIME_RUN=%" PRIu64, report->id.seq);
	snprintf(attempt, sizeof(attempt), "CHIME_ATTEMPT=%" PRIu32, report->id.attempt);
	snprintf(server, sizeof(server), "CHIME_SERVER=%s", launcher->conf.server);
	snprintf(environment, sizeof(environment), "CHIME_ENVIRONMENT=%s",
		 launcher->conf.environment);
	count = tree_kill(&root);
	free(spared);
	if (started->leaf[0] && !leaf_remove(started->leaf))
		count++;
	return count;
}

/* True when nothing of it is left, or the time for trying is over. */
static bool clear_lost(struct launcher *launcher, struct run *run, struct attempt_report *report,
		       const struct spool_started *started)
{
	/* With another boot id there is nothing: the begin is not taken, and the marks must not hit
	 * a run of the same number in a newer lineage. */
	if (!started->shepherd || kill_tree(launcher, report, started) == 0)
		return true;
	if (clock_now().boot.us < run->settle_until_us)
		return false;
	snprintf(report->detail, sizeof(report->detail),
		 "its shepherd was killed; some of its processes can't be");
	return true;
}

/* The lock is held: a shepherd lives, or dies at this moment. */
static int settle_held(struct launcher *launcher, struct run *run, struct attempt_report *report)
{
	int dir = spooldir_open(launcher->spool, run->name), conn;

	conn = dir < 0 ? dir : spool_connect(dir);
	if (dir >= 0)
		close(dir);
	if (conn >= 0) {
		run->settling = false;
		set_conn(launcher, run, conn);
		send_kill(run);
	} else if (clock_now().boot.us < run->settle_until_us) {
		return 0;
	}
	/* From a scan: told at once, without waiting for the exec of one that was just launched. */
	if (!run->scanned || run->running || (conn < 0 && run->reported))
		return 0;
	run->reported = true;
	/* Without a pid it will be told again when the exec is confirmed. */
	run->running = report->pid != 0;
	report->overlooked = 1;
	return talk_state(launcher, report);
}

static int settle_run(struct launcher *launcher, struct run *run)
{
	struct attempt_report report;
	struct spool_started started = { 0 };
	enum examined found = spooldir_examine(launcher, launcher->spool, run->name, &report,
					       &started);

	switch (found) {
	case EXAMINED_HELD:
		return settle_held(launcher, run, &report);
	case EXAMINED_LOST:
		if (!clear_lost(launcher, run, &report, &started))
			return 0;
		break;
	case EXAMINED_NOTHING:
		report = (struct attempt_report){ .id = run->id, .state = ATTEMPT_LOST,
						  .result = RESULT_LOST, .exit_code = -1 };
		snprintf(report.detail, sizeof(report.detail), "its run directory is gone");
		break;
	case EXAMINED_ENDED:
	case EXAMINED_UNFORKED:
		break;
	}
	return tell_end(launcher, run, &report);
}

int watch_settle(struct launcher *launcher, int *wait_ms)
{
	struct run *run = launcher->runs, *next;
	bool waits = false;
	int r = 0;

	for (*wait_ms = -1; run && !r; run = next) {
		next = run->next;
		if (run->settling)
			r = settle_run(launcher, run);
		waits |= run->settling;
		if (run->told && !run->pid)
			free_run(launcher, run);
	}
	if (waits)
		*wait_ms = LAUNCHER_SETTLE_US / 1000;
	if (!r && launcher->greeted && !launcher->scanned)
		r = talk_scanned(launcher);
	return r;
}

/* ---- what is heard -------------------------------------------------------------------------- */

int watch_hear(struct launcher *launcher, struct run *run)
{
	uint32_t word = 0;
	ssize_t n = recv(run->conn, &word, sizeof(word), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == sizeof(word) && word == SPOOL_STARTED)
		return tell_running(launcher, run);
	/* Its last word, or none at all: the directory tells. */
	drop_conn(launcher, run);
	watch_unsettle(run);
	return 0;
}

int watch_reap(struct launcher *launcher)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(launcher->signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct run *run = launcher->runs;

		while (run && run->pid != pid)
			run = run->next;
		if (!run)
			continue;	/* an orphan of a dead shepherd */
		run->pid = 0;
		if (status)
			log_error("shepherd.died", "run=%" PRIu64 " attempt=%" PRIu32
				  " exit=%d signal=%d", run->id.seq, run->id.attempt,
				  WIFEXITED(status) ? WEXITSTATUS(status) : -1,
				  WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		drop_conn(launcher, run);
		watch_unsettle(run);
	}
	return 0;
}
