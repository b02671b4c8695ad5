/*
 * chime-launcher - the one program that may start jobs.
 *
 * Started by chimed with its end of a SOCK_SEQPACKET socketpair on descriptor 3 (link.h). It ends
 * when that link ends and by nothing else: a Ctrl-C or a stop is for chimed, which then ends the
 * link. The shepherds it started go on, and the next launcher takes them over from the spool.
 *
 * Invariants
 * 1. The lock of the spool is held for life: two launchers never look at one spool.
 * 2. Nothing is launched before the spool was scanned.
 * 3. Every descriptor is close-on-exec; 3 to 9 are only places for posix_spawn's dup2.
 */
#include "daemon/launcher/launcher.h"

#include "daemon/leaf.h"
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/libexec/chime"
#endif

enum { PRUNE_MS = 3600000, LOCK_WAIT_MS = 20 };

static int fail(const char *what, const char *why, const char *try)
{
	fprintf(stderr, "error: %s\nwhy:   %s\ntry:   %s\n", what, why, try);
	return -EINVAL;
}

/* ---- folders -------------------------------------------------------------------------------- */

/* Makes and opens a folder that must be ours and closed to everybody else. */
static int open_own(int parent, const char *name, const char *shown)
{
	struct stat st;
	int fd;
	char what[PATH_MAX + 64];

	snprintf(what, sizeof(what), "cannot use %s", shown);
	if (mkdirat(parent, name, 0700) && errno != EEXIST)
		return fail(what, strerror(errno), "check who owns the data folder");
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(what, errno == ELOOP || errno == ENOTDIR ?
			    "it is a link or no folder" : strerror(errno),
			    "move it away; the launcher makes its own");
	if (fstat(fd, &st) || st.st_uid != geteuid() || (st.st_mode & 077)) {
		close(fd);
		return fail(what, "it belongs to another user, or others may enter it",
			    "move it away; the launcher makes its own, mode 0700");
	}
	return fd;
}

static int open_data(const struct conf *conf)
{
	int fd;

	if (mkdir(conf->data, 0700) && errno != EEXIST)
		return fail("cannot make the data folder", strerror(errno),
			    "make the folder above it, or change `data` in the configuration");
	fd = open(conf->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : fail("cannot open the data folder", strerror(errno),
				   "change `data` in the configuration");
}

/* Waits for the launcher before us to go, or for our own link to end. */
static int take_lock(struct launcher *launcher)
{
	struct pollfd link = { .fd = launcher->link, .events = 0 };

	launcher->lock = openat(launcher->root, "spool.lock",
				O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (launcher->lock < 0)
		return fail("cannot open the lock of the spool", strerror(errno),
			    "check the folder `launcher` below the data folder");
	while (flock(launcher->lock, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail("cannot lock the spool", strerror(errno),
				    "put the data folder on a local file system");
		if (poll(&link, 1, LOCK_WAIT_MS) > 0)
			return -EPIPE;
	}
	return 0;
}

/* The spool's name for itself: the journal compares it, to see that both are of one piece. */
static int take_spool_id(struct launcher *launcher)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char random[16];
	int fd = openat(launcher->root, "spool.id", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && read(fd, launcher->spool_id, 32) == 32) {
		close(fd);
		return 0;
	}
	if (fd >= 0)
		close(fd);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++) {
		launcher->spool_id[2 * i] = digits[random[i] >> 4];
		launcher->spool_id[2 * i + 1] = digits[random[i] & 15];
	}
	fd = openat(launcher->root, "spool.id",
		    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, launcher->spool_id, 32) != 32 || fsync(fd) ||
	    fsync(launcher->root)) {
		if (fd >= 0)
			close(fd);
		return fail("cannot write spool.id", strerror(errno), "check the disk");
	}
	close(fd);
	return 0;
}

static int open_folders(struct launcher *launcher)
{
	int data = open_data(&launcher->conf), r;

	if (data < 0)
		return data;
	launcher->root = open_own(data, "launcher", "the folder `launcher` below the data folder");
	/* The name itself must survive a power cut, or the runs in it would be forgotten. */
	if (launcher->root >= 0)
		fsync(data);
	close(data);
	if (launcher->root < 0)
		return launcher->root;
	r = take_lock(launcher);
	if (r)
		return r;
	launcher->spool = open_own(launcher->root, "spool", "launcher/spool");
	if (launcher->spool < 0)
		return launcher->spool;
	launcher->output = open_own(launcher->root, "output", "launcher/output");
	if (launcher->output < 0)
		return launcher->output;
	fsync(launcher->root);
	return take_spool_id(launcher);
}

/* ---- ourselves ------------------------------------------------------------------------------ */

/* Beside this program, else where it is installed. It is held open and started by descriptor: after
 * an upgrade on disk, this launcher goes on with the shepherd it was made for. */
static int find_shepherd(struct launcher *launcher)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	char *slash;
	int fd = -1;

	path[n > 0 ? n : 0] = 0;
	slash = strrchr(path, '/');
	if (slash) {
		memcpy(slash + 1, "chime-shepherd", sizeof("chime-shepherd"));
		fd = access(path, X_OK) ? -1 : open(path, O_PATH | O_CLOEXEC);
	}
	if (fd < 0 && access(LIBEXECDIR "/chime-shepherd", X_OK) == 0)
		fd = open(LIBEXECDIR "/chime-shepherd", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fail("cannot find the program chime-shepherd",
			    "it is neither beside chime-launcher nor in " LIBEXECDIR,
			    "install chime again, all programs together");
	snprintf(launcher->shepherd, sizeof(launcher->shepherd), "/proc/self/fd/%d", fd);
	return 0;
}

/* Moves the link up and fills the places below with nothing. */
static int arrange_fds(struct launcher *launcher)
{
	int type = 0, null;
	socklen_t size = sizeof(type);

	if (getsockopt(LINK_FD, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_SEQPACKET)
		return fail("chime-launcher is not started by hand",
			    "descriptor 3 must be chimed's link",
			    "start chimed; it starts the launcher");
	close_range(LINK_FD + 1, ~0U, 0);
	launcher->link = fcntl(LINK_FD, F_DUPFD_CLOEXEC, LAUNCHER_FDS_KEPT);
	close(LINK_FD);
	do
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (null >= 0 && null < LAUNCHER_FDS_KEPT - 1);
	return launcher->link < 0 || null < 0 ? -errno : 0;
}

static int open_loop(struct launcher *launcher)
{
	struct epoll_event link = { .events = EPOLLIN, .data.ptr = &launcher->link };
	struct epoll_event signals = { .events = EPOLLIN, .data.ptr = &launcher->signals };
	sigset_t set;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	launcher->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	launcher->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (launcher->signals < 0 || launcher->epoll < 0 ||
	    epoll_ctl(launcher->epoll, EPOLL_CTL_ADD, launcher->link, &link) ||
	    epoll_ctl(launcher->epoll, EPOLL_CTL_ADD, launcher->signals, &signals) ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1))
		return -errno;
	return 0;
}

/* One event a time: handling one may free what another points to. */
static int run_loop(struct launcher *launcher)
{
	int r = 0, wait = -1;

	while (!r) {
		struct epoll_event event;
		int n = epoll_wait(launcher->epoll, &event, 1, wait < 0 ? PRUNE_MS : wait);

		if (n == 0 && wait < 0)
			keep_prune(launcher);
		else if (n == 1 && event.data.ptr == &launcher->link)
			r = talk_hear(launcher);
		else if (n == 1 && event.data.ptr == &launcher->signals)
			r = watch_reap(launcher);
		else if (n == 1)
			r = watch_hear(launcher, event.data.ptr);
		if (!r)
			r = watch_settle(launcher, &wait);
	}
	return r;
}

static int start(struct launcher *launcher, const char *config)
{
	int r = arrange_fds(launcher);

	if (r)
		return r;
	umask(077);
	if (getuid() != geteuid())
		return fail("chime-launcher is set-uid", "it would run jobs of two users as one",
			    "take the set-uid bit away; start it as root");
	r = conf_load(config, &launcher->conf, stderr);
	if (r)
		return r;
	r = find_shepherd(launcher);
	if (r)
		return r;
	if (chdir("/"))
		return -errno;
	r = open_folders(launcher);
	if (r)
		return r;
	spool_boot_id(launcher->boot_id);
	leaf_find_base(launcher->cgroup, sizeof(launcher->cgroup));
	r = registry_open(&launcher->registry, launcher->root, &launcher->conf, stderr);
	if (r)
		return r;
	keep_scan(launcher);
	return open_loop(launcher);
}

static int usage(FILE *out, int status)
{
	fputs("usage: chime-launcher --config FILE\n"
	      "Starts jobs for chimed, which starts this program. See chimed(8).\n", out);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct launcher *launcher = calloc(1, sizeof(*launcher));
	const char *config = NULL;
	int option, r;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout, 0);
		if (option != 'c')
			return usage(stderr, 2);
		config = optarg;
	}
	if (!launcher || !config || optind != argc)
		return usage(stderr, 2);
	log_open("chime-launcher");
	launcher->root = launcher->spool = launcher->output = launcher->lock = -1;
	launcher->link = launcher->epoll = launcher->signals = -1;
	r = start(launcher, config);
	if (!r)
		r = run_loop(launcher);
	watch_close(launcher);
	keep_close(launcher);
	registry_close(&launcher->registry);
	conf_fini(&launcher->conf);
	free(launcher);
	/* The end of the link is the ordinary end. */
	return r == -EPIPE || r == -ECONNRESET ? 0 : 1;
}
