/*
 * chime-shepherd - stands by one attempt of one run until nothing of it is left.
 *
 * Started by the launcher with the run directory, a listening socket and the locked record on
 * descriptors 3 to 5 (spool.h); links libc only. It needs neither launcher nor node afterwards.
 *
 *          GO, fork           exec ok          main process gone      nothing left
 *   PREPARE ------> STARTING ---------> RUNNING ------------+--------------> record, ENDED, exit
 *      |  | no GO      | exec error        | max_time, KILL  | strays: KILL
 *      |  +--> exit    |                   v                 |
 *      +---------------+----> record     TERM, grace, KILL --+
 *        start error
 *
 * Invariants
 * 1. The lock is held until the process ends; the job never has it.
 * 2. The begin is written before the fork: without it nothing was forked.
 * 3. SPOOL_ENDED is said, and 0 is returned, only after the record is on the disk. The record comes
 *    before the sync of the output, because other servers wait for the outcome and nobody but a
 *    reader waits for the text; after a power cut the output may be shorter than the record says.
 * 4. It ends only by itself: every signal that can be blocked is. At a shutdown the job gets its
 *    TERM from the system, and the shepherd writes down what became of it.
 * 5. Being a subreaper, "nothing left" is exact: wait4() says ECHILD.
 */
#include "daemon/clock.h"
#include "daemon/leaf.h"
#include "daemon/shepherd/capture.h"
#include "daemon/shepherd/child.h"
#include "daemon/spool.h"
#include "daemon/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CONNS_MAX = 4,
	REKILL_US = 50000,		/* between two rounds of KILL */
	REKILL_LATE_US = 5000000,	/* of what sits in the kernel and can't be killed */
	KILL_LIMIT_US = 10000000,	/* then who can't be killed is left; the record says so */
	DRAIN_LIMIT_US = 1000000,	/* a stranger who got hold of the pipe may write for ever */
};

enum phase { PHASE_RUNNING, PHASE_TERM, PHASE_KILL };

/* Places in the poll set; the connections come last. */
enum { PLACE_SIGNALS, PLACE_TIMER, PLACE_CTL, PLACE_EXEC, PLACE_OUT, PLACE_ERR, PLACE_CONNS };

struct shepherd {
	struct spool_spec spec;
	struct spool_started started;
	struct attempt_report report;
	struct child_plan plan;
	struct capture capture;
	struct pollfd polls[PLACE_CONNS + CONNS_MAX];
	int leaf;		/* its cgroup for the fork, -1 = none */
	pid_t pid;
	bool told_started, main_gone, all_gone;
	int status;
	struct child_failure failure;
	enum phase phase;
	uint32_t cause;		/* RESULT_TIMEOUT or RESULT_KILLED once we stop it, else 0 */
	int64_t kill_until_us;	/* boot clock; PHASE_KILL gives up */
	bool left_alone;	/* it did */
	char buffer[OUTPUT_PIECE_MAX];
};

static void arm_timer(struct shepherd *shepherd, int64_t us)
{
	struct itimerspec spec = { 0 };

	if (us > 0) {
		spec.it_value.tv_sec = us / USEC_PER_SEC;
		spec.it_value.tv_nsec = us % USEC_PER_SEC * 1000;
	}
	timerfd_settime(shepherd->polls[PLACE_TIMER].fd, 0, &spec, NULL);
}

static void close_poll(struct shepherd *shepherd, int place)
{
	if (shepherd->polls[place].fd >= 0)
		close(shepherd->polls[place].fd);
	shepherd->polls[place].fd = -1;
}

static void say(struct shepherd *shepherd, uint32_t word)
{
	for (int i = PLACE_CONNS; i < PLACE_CONNS + CONNS_MAX; i++)
		if (shepherd->polls[i].fd >= 0)
			send(shepherd->polls[i].fd, &word, sizeof(word), MSG_NOSIGNAL);
}

/* ---- killing and reaping -------------------------------------------------------------------- */

static struct tree_root own_tree(void)
{
	return (struct tree_root){ .parent = getpid() };
}

static void kill_all(struct shepherd *shepherd)
{
	struct tree_root root = own_tree();

	if (shepherd->started.leaf[0])
		leaf_kill(shepherd->started.leaf);
	tree_kill(&root);
}

static void enter_kill(struct shepherd *shepherd)
{
	shepherd->phase = PHASE_KILL;
	shepherd->kill_until_us = clock_now().boot.us + KILL_LIMIT_US;
	kill_all(shepherd);
	arm_timer(shepherd, REKILL_US);
}

static void note_end(struct shepherd *shepherd, int status, const struct rusage *usage)
{
	struct attempt_report *report = &shepherd->report;

	shepherd->main_gone = true;
	shepherd->status = status;
	report->ended_us = clock_now().wall.us;
	report->user_us = usage->ru_utime.tv_sec * (int64_t)USEC_PER_SEC + usage->ru_utime.tv_usec;
	report->system_us = usage->ru_stime.tv_sec * (int64_t)USEC_PER_SEC +
			    usage->ru_stime.tv_usec;
	report->max_rss_kib = usage->ru_maxrss;
}

static void hear_signals(struct shepherd *shepherd)
{
	struct signalfd_siginfo info;
	struct rusage usage;
	int status;
	pid_t pid;

	while (read(shepherd->polls[PLACE_SIGNALS].fd, &info, sizeof(info)) > 0)
		;
	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0)
		if (pid == shepherd->pid)
			note_end(shepherd, status, &usage);
	if (pid < 0 && errno == ECHILD)
		shepherd->all_gone = true;
	/* Strays of a job that ended by itself die at once; of one that is being stopped, they have
	 * the rest of its grace. */
	else if (shepherd->main_gone && shepherd->phase == PHASE_RUNNING)
		enter_kill(shepherd);
}

/* TERM to all of it; the first cause stays. */
static void stop_job(struct shepherd *shepherd, uint32_t cause)
{
	struct tree_root root = own_tree();

	/* What ended by itself before this moment was not stopped by us. */
	hear_signals(shepherd);
	if (shepherd->main_gone || shepherd->phase != PHASE_RUNNING)
		return;
	shepherd->cause = cause;
	if (shepherd->spec.kill_grace_us <= 0) {
		enter_kill(shepherd);
		return;
	}
	shepherd->phase = PHASE_TERM;
	tree_signal(&root, SIGTERM);
	/* A stopped process sleeps through its TERM. */
	tree_signal(&root, SIGCONT);
	arm_timer(shepherd, shepherd->spec.kill_grace_us);
}

static void hear_timer(struct shepherd *shepherd)
{
	uint64_t count;

	if (read(shepherd->polls[PLACE_TIMER].fd, &count, sizeof(count)) < 0)
		return;
	switch (shepherd->phase) {
	case PHASE_RUNNING:
		stop_job(shepherd, RESULT_TIMEOUT);
		break;
	case PHASE_TERM:
		enter_kill(shepherd);
		break;
	case PHASE_KILL:
		/* While the job's own process lives, so does the run: that is the truth. */
		if (shepherd->main_gone && clock_now().boot.us >= shepherd->kill_until_us) {
			shepherd->left_alone = true;
			break;
		}
		kill_all(shepherd);
		arm_timer(shepherd, clock_now().boot.us < shepherd->kill_until_us ?
					    REKILL_US : REKILL_LATE_US);
		break;
	}
}

/* ---- what happens --------------------------------------------------------------------------- */

/* One read; the end of the pipe closes it. True when there may be more. */
static bool hear_output(struct shepherd *shepherd, int place)
{
	int fd = shepherd->polls[place].fd;
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, shepherd->buffer, sizeof(shepherd->buffer));
	if (n > 0) {
		capture_put(&shepherd->capture, place == PLACE_OUT ? OUTPUT_STDOUT : OUTPUT_STDERR,
			    clock_now().wall.us, shepherd->buffer, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_poll(shepherd, place);
	return n < 0 && errno == EINTR;
}

/* The exec pipe: a failure, or its end, which exec itself brings about. */
static void hear_exec(struct shepherd *shepherd)
{
	ssize_t n = read(shepherd->polls[PLACE_EXEC].fd, &shepherd->failure,
			 sizeof(shepherd->failure));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	close_poll(shepherd, PLACE_EXEC);
	if (n > 0)
		return;
	shepherd->told_started = true;
	say(shepherd, SPOOL_STARTED);
	spool_write_started(SHEPHERD_RECORD_FD, &shepherd->started, true);
}

static void hear_ctl(struct shepherd *shepherd)
{
	int fd = accept4(SHEPHERD_CTL_FD, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	uint32_t word = SPOOL_STARTED;

	if (fd < 0)
		return;
	for (int i = PLACE_CONNS; i < PLACE_CONNS + CONNS_MAX; i++) {
		if (shepherd->polls[i].fd >= 0)
			continue;
		shepherd->polls[i].fd = fd;
		if (shepherd->told_started)
			send(fd, &word, sizeof(word), MSG_NOSIGNAL);
		return;
	}
	close(fd);
}

static void hear_conn(struct shepherd *shepherd, int place)
{
	uint32_t word = 0;
	ssize_t n = recv(shepherd->polls[place].fd, &word, sizeof(word), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		close_poll(shepherd, place);
	else if (n == sizeof(word) && word == SPOOL_KILL)
		stop_job(shepherd, RESULT_KILLED);
}

static void watch(struct shepherd *shepherd)
{
	while (!shepherd->all_gone && !shepherd->left_alone) {
		struct pollfd *polls = shepherd->polls;

		if (poll(polls, PLACE_CONNS + CONNS_MAX, -1) < 0)
			continue;
		/* The exec pipe before the signals: how it started before how it ended. */
		if (polls[PLACE_EXEC].revents)
			hear_exec(shepherd);
		if (polls[PLACE_OUT].revents)
			hear_output(shepherd, PLACE_OUT);
		if (polls[PLACE_ERR].revents)
			hear_output(shepherd, PLACE_ERR);
		if (polls[PLACE_CTL].revents)
			hear_ctl(shepherd);
		for (int i = PLACE_CONNS; i < PLACE_CONNS + CONNS_MAX; i++)
			if (polls[i].fd >= 0 && polls[i].revents)
				hear_conn(shepherd, i);
		if (polls[PLACE_TIMER].revents)
			hear_timer(shepherd);
		if (polls[PLACE_SIGNALS].revents)
			hear_signals(shepherd);
	}
}

/* What is left in the pipes. Nobody of the tree can write any more. */
static void drain_output(struct shepherd *shepherd)
{
	int64_t until = clock_now().boot.us + DRAIN_LIMIT_US;
	bool more = true;

	while (more && clock_now().boot.us < until) {
		more = hear_output(shepherd, PLACE_OUT);
		more |= hear_output(shepherd, PLACE_ERR);
	}
}

/* ---- the beginning -------------------------------------------------------------------------- */

static int open_pipe(int *read_end, int *write_end, bool nonblocking)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	/* Only our end: the job finds ordinary, blocking pipes. */
	if (nonblocking)
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*read_end = fds[0];
	*write_end = fds[1];
	return 0;
}

/* fork(), into the leaf when there is one: moving a process later would wait for an RCU period. */
static pid_t fork_into(int leaf)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD,
				   .cgroup = (uint64_t)leaf };
	long pid = -1;

	if (leaf >= 0)
		pid = syscall(SYS_clone3, &args, sizeof(args));
	return pid < 0 ? fork() : (pid_t)pid;
}

static bool wait_readable(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, -1) == 1;
}

static int open_leaf(struct shepherd *shepherd)
{
	char name[SPOOL_NAME_SIZE];
	int fd;

	if (!shepherd->spec.cgroup[0])
		return -1;
	spool_name(&shepherd->spec.id, name);
	fd = leaf_open(shepherd->spec.cgroup, name, shepherd->started.leaf,
		       sizeof(shepherd->started.leaf));
	if (fd < 0)
		shepherd->started.leaf[0] = 0;
	return fd;
}

static int start_error(struct shepherd *shepherd, const char *what, int error)
{
	if (!shepherd->report.detail[0])
		snprintf(shepherd->report.detail, sizeof(shepherd->report.detail), "%s: %s", what,
			 strerror(error));
	shepherd->report.result = RESULT_START_ERROR;
	shepherd->report.error = error;
	return -error;
}

/* Everything that can be done before GO. 0, or -errno with the report filled in. */
static int prepare_job(struct shepherd *shepherd, struct child_fds *fds)
{
	struct pollfd *polls = shepherd->polls;
	int r;

	r = child_plan_make(&shepherd->spec, &shepherd->plan, shepherd->report.detail,
			    sizeof(shepherd->report.detail));
	if (r)
		return start_error(shepherd, "plan", r);
	r = capture_open(&shepherd->capture, SHEPHERD_DIR_FD, shepherd->spec.max_output);
	if (r)
		return start_error(shepherd, "output file", -r);
	fds->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	r = fds->null < 0 ? -errno : open_pipe(&polls[PLACE_OUT].fd, &fds->out, true);
	if (!r)
		r = open_pipe(&polls[PLACE_ERR].fd, &fds->err, true);
	if (!r)
		r = open_pipe(&polls[PLACE_EXEC].fd, &fds->failure, false);
	if (r)
		return start_error(shepherd, "pipes", -r);
	shepherd->leaf = open_leaf(shepherd);
	return 0;
}

/* The launcher connected before it started us, so its connection is the first. False when it ended
 * without a word: then the launcher is gone, and this run was never launched. */
static bool wait_for_go(struct shepherd *shepherd)
{
	struct pollfd *conn = &shepherd->polls[PLACE_CONNS];
	uint32_t word = 0;

	do
		conn->fd = accept4(SHEPHERD_CTL_FD, NULL, NULL, SOCK_CLOEXEC);
	while (conn->fd < 0 && wait_readable(SHEPHERD_CTL_FD));
	if (conn->fd < 0 || recv(conn->fd, &word, sizeof(word), 0) != sizeof(word) ||
	    word != SPOOL_GO)
		return false;
	return fcntl(conn->fd, F_SETFL, O_NONBLOCK) == 0;
}

/* 0, or -errno with the report filled in; nothing was forked then. */
static int start_job(struct shepherd *shepherd, struct child_fds *fds)
{
	struct spool_started *started = &shepherd->started;
	int r;

	started->shepherd = getpid();
	started->shepherd_ticks = tree_ticks(getpid());
	memcpy(started->boot_id, shepherd->spec.boot_id, sizeof(started->boot_id));
	shepherd->report.started_us = started->started_us = clock_now().wall.us;
	/* Not synced: it is for the case that we are killed; a power cut changes the boot id. */
	r = spool_write_started(SHEPHERD_RECORD_FD, started, false);
	if (r)
		return start_error(shepherd, "record", -r);
	shepherd->pid = fork_into(shepherd->leaf);
	if (shepherd->pid == 0)
		child_exec(&shepherd->plan, fds);
	if (shepherd->pid < 0)
		return start_error(shepherd, "fork", errno);
	shepherd->report.pid = started->pid = shepherd->pid;
	started->ticks = tree_ticks(shepherd->pid);
	spool_write_started(SHEPHERD_RECORD_FD, started, false);
	if (shepherd->spec.max_time_us > 0)
		arm_timer(shepherd, shepherd->spec.max_time_us);
	/* Only the job has them now: their end is its end. */
	close(fds->null);
	close(fds->out);
	close(fds->err);
	close(fds->failure);
	return 0;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void fill_report(struct shepherd *shepherd)
{
	struct attempt_report *report = &shepherd->report;
	int code = WIFEXITED(shepherd->status) ? WEXITSTATUS(shepherd->status) : -1;

	report->output_bytes = capture_bytes(&shepherd->capture);
	report->truncated = capture_truncated(&shepherd->capture);
	if (report->result == RESULT_START_ERROR)
		return;
	if (shepherd->failure.stage) {
		const char *stage = child_stage_name(shepherd->failure.stage);
		const char *what = shepherd->plan.argv[0];

		if (strcmp(stage, "chdir") == 0)
			what = shepherd->plan.dir ? shepherd->plan.dir : shepherd->plan.home;
		else if (strcmp(stage, "exec") != 0)
			what = shepherd->plan.user;
		snprintf(report->detail, sizeof(report->detail), "%s %.80s: %s", stage, what,
			 strerror(shepherd->failure.error));
		start_error(shepherd, stage, shepherd->failure.error);
		return;
	}
	report->exit_code = code;
	report->signal = WIFSIGNALED(shepherd->status) ? WTERMSIG(shepherd->status) : 0;
	if (shepherd->cause)
		report->result = shepherd->cause;
	else if (code >= 0 && shepherd->spec.success_codes[code / 8] >> (code % 8) & 1)
		report->result = RESULT_SUCCESS;
	else
		report->result = RESULT_FAILED;
	if (shepherd->left_alone)
		snprintf(report->detail, sizeof(report->detail),
			 "some of its processes could not be killed");
}

static void finish(struct shepherd *shepherd)
{
	int64_t until = clock_now().boot.us + USEC_PER_SEC;

	if (!shepherd->report.ended_us)
		shepherd->report.ended_us = clock_now().wall.us;
	fill_report(shepherd);
	/* Once more after an error of the disk. If that fails as well, those who ask now still get
	 * the truth from memory, and after a power cut the run is lost, which is also the truth. */
	if (spool_write_record(SHEPHERD_RECORD_FD, &shepherd->report))
		spool_write_record(SHEPHERD_RECORD_FD, &shepherd->report);
	/* Whoever connected but was not accepted yet learns it from the end of the connection. */
	say(shepherd, SPOOL_ENDED);
	capture_close(&shepherd->capture);
	if (!shepherd->started.leaf[0])
		return;
	while (!leaf_remove(shepherd->started.leaf) && clock_now().boot.us < until &&
	       !shepherd->left_alone)
		leaf_kill(shepherd->started.leaf);
}

static int prepare(struct shepherd *shepherd)
{
	sigset_t all;

	for (int i = 0; i < PLACE_CONNS + CONNS_MAX; i++)
		shepherd->polls[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	shepherd->capture.fd = shepherd->leaf = -1;
	for (int fd = SHEPHERD_DIR_FD; fd <= SHEPHERD_RECORD_FD; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC))
			return -errno;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		return -errno;
	shepherd->polls[PLACE_SIGNALS].fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	shepherd->polls[PLACE_TIMER].fd = timerfd_create(CLOCK_BOOTTIME,
							TFD_CLOEXEC | TFD_NONBLOCK);
	shepherd->polls[PLACE_CTL].fd = SHEPHERD_CTL_FD;
	if (shepherd->polls[PLACE_SIGNALS].fd < 0 || shepherd->polls[PLACE_TIMER].fd < 0)
		return -errno;
	return spool_read_spec(SHEPHERD_DIR_FD, &shepherd->spec);
}

/* The arguments are for those who read ps: run and job. */
int main(int argc, char **argv)
{
	struct shepherd *shepherd = calloc(1, sizeof(*shepherd));
	struct child_fds fds = { -1, -1, -1, -1 };
	int r;

	(void)argv;
	if (argc < 2 || !shepherd || fcntl(SHEPHERD_RECORD_FD, F_GETFD) < 0) {
		fputs("chime-shepherd: is started by chime-launcher only\n", stderr);
		return 2;
	}
	/* It was started by a descriptor, and would be called by its number. */
	prctl(PR_SET_NAME, "chime-shepherd");
	r = prepare(shepherd);
	if (r)
		return 3;	/* nothing was forked and nothing written: "not started" */
	spool_report_init(&shepherd->report, &shepherd->spec);
	r = prepare_job(shepherd, &fds);
	if (wait_for_go(shepherd)) {
		if (!r && start_job(shepherd, &fds) == 0) {
			watch(shepherd);
			drain_output(shepherd);
		}
		finish(shepherd);
	} else if (shepherd->started.leaf[0]) {
		leaf_remove(shepherd->started.leaf);
	}
	child_plan_fini(&shepherd->plan);
	spool_spec_fini(&shepherd->spec);
	free(shepherd);
	return 0;
}
