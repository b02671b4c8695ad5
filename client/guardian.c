/*
 * guardian.c - see guardian.h.
 */
#include "client/guardian.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	GUARDED_MAX = 32,
	PROCESSES_MAX = 4096,
	STOP_MS = 3000,			/* for a clean stop of the daemons */
	JOBS_MS = 2000,			/* for the shepherds to write down their ends */
	GO = 'G', KEEP = 'K',		/* what the owner says */
};

/* What the guardian tells its owner; smaller than PIPE_BUF, so never in pieces. */
struct notice {
	int32_t index, status;
};

struct keeper {
	const struct guarded *list;
	pid_t child[GUARDED_MAX];	/* 0 = not started, or has ended */
	size_t count;
	int from_owner, to_owner, signals;
	bool kept;
};

struct process {
	pid_t pid, parent;
	bool below;			/* a descendant of mine */
	bool shepherd;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads "pid (comm) state ppid" of /proc; comm may hold anything, also ") ". */
static bool read_process(const char *pid, struct process *p)
{
	char path[64], text[512];
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	char *open_at = strchr(text, '('), *close_at = strrchr(text, ')');
	char state;
	int parent;
	if (open_at == NULL || close_at == NULL ||
	    sscanf(close_at + 1, " %c %d", &state, &parent) != 2)
		return false;
	/* comm is cut at 15 bytes by the kernel. */
	*p = (struct process){
		.pid = (pid_t)strtol(text, NULL, 10),
		.parent = (pid_t)parent,
		.shepherd = strncmp(open_at + 1, "chime-shepherd", 14) == 0,
	};
	return true;
}

static size_t list_descendants(struct process *list)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0, below = 0;

	if (proc == NULL)
		return 0;
	while ((entry = readdir(proc)) != NULL && count < PROCESSES_MAX) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    read_process(entry->d_name, &list[count]))
			count++;
	}
	closedir(proc);
	/* Children of what is below, until nothing new is. */
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < count; i++) {
			bool mine = list[i].parent == getpid();
			for (size_t k = 0; !mine && k < count; k++)
				mine = list[k].below && list[k].pid == list[i].parent;
			if (mine && !list[i].below)
				more = list[i].below = true;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (list[i].below)
			list[below++] = list[i];
	}
	return below;
}

/* Signals a process if, now that it is held by a pidfd, it still has the parent it had. */
static void signal_descendant(const struct process *p, int signal_number)
{
	char name[24];
	struct process again;
	int fd = pidfd_open(p->pid, 0);

	if (fd < 0)
		return;
	snprintf(name, sizeof(name), "%d", (int)p->pid);
	if (read_process(name, &again) && again.parent == p->parent)
		pidfd_send_signal(fd, signal_number, NULL, 0);
	close(fd);
}

/* Reaps what has ended; true while there are children. */
static bool reap(struct keeper *k)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid == 0)
			return true;
		if (pid < 0)
			return errno != ECHILD;
		for (size_t i = 0; i < k->count; i++) {
			if (k->child[i] != pid)
				continue;
			struct notice notice = { (int32_t)i, status };
			k->child[i] = 0;
			/* An owner that doesn't listen doesn't need to know. */
			if (write(k->to_owner, &notice, sizeof(notice)) < 0)
				continue;
		}
	}
}

static void pause_ms(int ms)
{
	struct timespec t = { .tv_nsec = (long)ms * 1000000 };
	nanosleep(&t, NULL);
}

static bool any_daemon(const struct keeper *k)
{
	for (size_t i = 0; i < k->count; i++) {
		if (k->child[i] != 0)
			return true;
	}
	return false;
}

/* First the daemons, cleanly; then their jobs, so that the shepherds tidy up; then what is left. */
static void stop_all(struct keeper *k)
{
	struct process *list = calloc(PROCESSES_MAX, sizeof(*list));
	int64_t start = now_ms();

	for (size_t i = 0; i < k->count; i++) {
		if (k->child[i] != 0)	/* my own child, not reaped: the pid can't be another's */
			kill(k->child[i], SIGTERM);
	}
	while (reap(k) && any_daemon(k) && now_ms() - start < STOP_MS)
		pause_ms(10);
	start = now_ms();
	while (list != NULL && reap(k)) {
		size_t count = list_descendants(list);
		bool late = now_ms() - start > JOBS_MS;
		for (size_t i = 0; i < count; i++) {
			if (!list[i].shepherd || late)
				signal_descendant(&list[i], SIGKILL);
		}
		pause_ms(10);
	}
	free(list);
}

static int remove_cb(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	if (ftw->level > 0)
		(void)remove(path);
	return 0;
}

static void remove_below(const char *dir)
{
	nftw(dir, remove_cb, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static pid_t start_one(const struct guarded *one)
{
	pid_t me = getpid(), pid = fork();
	sigset_t none;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != me)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	int null = open("/dev/null", O_RDONLY);
	int log = open(one->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (null < 0 || log < 0)
		_exit(1);
	dup2(null, 0);
	dup2(log, 1);
	dup2(log, 2);
	closefrom(3);
	execv(one->argv[0], one->argv);
	dprintf(2, "cannot start %s: %s\n", one->argv[0], strerror(errno));
	_exit(127);
}

/* Until the owner is gone, or somebody asks it to end. */
static void keep_watch(struct keeper *k)
{
	for (;;) {
		struct pollfd p[2] = {
			{ .fd = k->signals, .events = POLLIN },
			{ .fd = k->from_owner, .events = POLLIN },
		};
		struct signalfd_siginfo info;
		char word;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		if (p[0].revents & POLLIN && read(k->signals, &info, sizeof(info)) > 0 &&
		    info.ssi_signo != SIGCHLD)
			return;
		reap(k);
		if (p[1].revents == 0)
			continue;
		ssize_t n = read(k->from_owner, &word, 1);
		if (n == 1 && word == GO) {
			for (size_t i = 0; i < k->count; i++)
				k->child[i] = start_one(&k->list[i]);
		} else if (n == 1 && word == KEEP) {
			k->kept = true;
		} else if (n == 0 && k->kept) {
			k->from_owner = -1;
		} else if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
			return;
		}
	}
}

static void keep(struct keeper *k, const char *dir, bool keep_dir)
{
	sigset_t set;
	int null = open("/dev/null", O_RDWR);

	setsid();
	prctl(PR_SET_NAME, "chime-demo-keep");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (null >= 0) {
		/* Whoever reads the owner's output must see its end when the owner ends. */
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
	}
	if (chdir("/") < 0)
		_exit(1);
	keep_watch(k);
	stop_all(k);
	remove_below(dir);
	if (!keep_dir)
		rmdir(dir);
	_exit(0);
}

int guardian_start(struct guardian *g, const struct guarded *list, size_t count,
		   const char *dir, bool keep_dir)
{
	int to[2], from[2];

	if (count > GUARDED_MAX)
		return -E2BIG;
	if (pipe2(to, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(from, O_CLOEXEC | O_NONBLOCK) < 0) {
		int error = errno;
		close(to[0]);
		close(to[1]);
		return -error;
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct keeper k = {
			.list = list, .count = count,
			.from_owner = to[0], .to_owner = from[1],
		};
		close(to[1]);
		close(from[0]);
		keep(&k, dir, keep_dir);
	}
	int error = errno;
	close(to[0]);
	close(from[1]);
	if (pid < 0) {
		close(to[1]);
		close(from[0]);
		return -error;
	}
	*g = (struct guardian){ .pid = pid, .to = to[1], .from = from[0] };
	return 0;
}

int guardian_ended(struct guardian *g, int *status)
{
	struct notice notice;

	if (read(g->from, &notice, sizeof(notice)) != (ssize_t)sizeof(notice))
		return -1;
	*status = notice.status;
	return notice.index;
}

static void say(struct guardian *g, char word)
{
	if (write(g->to, &word, 1) < 0)
		return;		/* it is gone, and so is what it kept */
}

void guardian_go(struct guardian *g)
{
	say(g, GO);
}

void guardian_keep(struct guardian *g)
{
	say(g, KEEP);
}

void guardian_leave(struct guardian *g)
{
	close(g->to);
	close(g->from);
	g->to = g->from = -1;
}

void guardian_stop(struct guardian *g)
{
	int status;

	guardian_leave(g);
	while (waitpid(g->pid, &status, 0) < 0 && errno == EINTR)
		;
}
