#include "daemon/edge/listen.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/edge/address.h"

enum { BACKLOG = 128, GROUPS_MAX = 1024, NAME_BUFFER = 16 * 1024 };

static int fail_listen(const char *address, int error, const char *hint, char *err, size_t size)
{
	snprintf(err, size, "cannot listen on %s\nwhy:   %s\ntry:   %s", address, strerror(error),
		 hint);
	return -error;
}

static const char *hint_for(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "ss -ltnp   (who has the port?)   or another control: listen:";
	case EADDRNOTAVAIL:
		return "ip -br addr   (who has this address?)   or listen: 0.0.0.0:7411";
	default:
		return "another control: listen: in chimed.yaml";
	}
}

int listen_tcp(const char *address, char *err, size_t size)
{
	struct address a;
	const int on = 1, off = 0;
	int fd, rc = address_parse(address, &a);

	if (rc < 0) {
		snprintf(err, size, "cannot listen on %s\nwhy:   it is not of the form HOST:PORT "
			 "with a numeric host\ntry:   control: listen: 0.0.0.0:7411   or "
			 "\"[::]:7411\" in chimed.yaml", address);
		return -EINVAL;
	}
	fd = socket(a.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_listen(address, errno, hint_for(errno), err, size);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a.sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&a.sa, a.len) < 0 || listen(fd, BACKLOG) < 0) {
		rc = errno;
		close(fd);
		return fail_listen(address, rc, hint_for(rc), err, size);
	}
	return fd;
}

void listen_tune(int fd)
{
	const int on = 1, idle_s = 30, interval_s = 10, probes = 3;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

/* Whether somebody answers at a socket file. */
static bool is_alive(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool alive;

	if (fd < 0)
		return false;
	/* EAGAIN: a full backlog is a life sign too. */
	alive = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN;
	close(fd);
	return alive;
}

static void make_folder(const char *path)
{
	char *copy = strdup(path);

	assert(copy);
	/* One level: /run/chime below a /run that a reboot has emptied. bind() reports failure. */
	mkdir(dirname(copy), 0755);
	free(copy);
}

static bool find_group(gid_t *gid)
{
	char buf[NAME_BUFFER];
	struct group group, *found = NULL;

	if (getgrnam_r(LISTEN_GROUP, &group, buf, sizeof(buf), &found) != 0 || !found)
		return false;
	*gid = group.gr_gid;
	return true;
}

static int bind_local(int fd, const struct sockaddr_un *sun)
{
	struct stat st;
	mode_t mask;
	int rc;

	/* Nothing but a socket is ever removed. */
	if (lstat(sun->sun_path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return -EEXIST;
		if (is_alive(sun))
			return -EADDRINUSE;
		unlink(sun->sun_path);
	}
	/* The mode must hold from the first moment on. */
	mask = umask(0117);
	rc = bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0 ? -errno : 0;
	umask(mask);
	return rc;
}

int listen_local(const char *path, struct listen_path *out, char *err, size_t size)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	gid_t gid;
	int fd = -1, rc;

	*out = (struct listen_path){ 0 };
	rc = -ENAMETOOLONG;
	if (strlen(path) >= sizeof(sun.sun_path))
		goto fail;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	make_folder(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	rc = fd < 0 ? -errno : bind_local(fd, &sun);
	if (rc < 0)
		goto fail;
	/* Not being allowed to give it away leaves it to its owner: narrower, never wider. */
	if (find_group(&gid) && lchown(path, (uid_t)-1, gid) < 0)
		errno = 0;
	if (listen(fd, BACKLOG) < 0 || lstat(path, &st) < 0) {
		rc = -errno;
		goto fail;
	}
	out->path = strdup(path);
	assert(out->path);
	out->device = st.st_dev;
	out->inode = st.st_ino;
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return fail_listen(path, -rc, rc == -EADDRINUSE ?
			   "another chimed answers there: stop it, or another socket:" :
			   "another socket: in chimed.yaml", err, size);
}

void listen_path_fini(struct listen_path *path)
{
	struct stat st;

	if (path->path && lstat(path->path, &st) == 0 && st.st_dev == path->device &&
	    st.st_ino == path->inode)
		unlink(path->path);
	free(path->path);
	*path = (struct listen_path){ 0 };
}

/* The groups that the process itself carries, as for any file. */
static bool carries_group(int fd, gid_t wanted)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

static bool is_operator(int fd, const char *name, gid_t primary)
{
	gid_t wanted, groups[GROUPS_MAX];
	int count = GROUPS_MAX;

	if (!find_group(&wanted))
		return false;
	if (primary == wanted || carries_group(fd, wanted))
		return true;
	/* With more groups than fit the call fails, and count says how many there are. */
	if (!name || getgrouplist(name, primary, groups, &count) < 0)
		return false;
	for (int i = 0; i < count; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

enum role listen_judge_peer(int fd, char who[LISTEN_WHO_SIZE])
{
	char buf[NAME_BUFFER];
	struct passwd pw, *found = NULL;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int n;

	snprintf(who, LISTEN_WHO_SIZE, "unix:?");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return ROLE_NONE;
	if (getpwuid_r(cred.uid, &pw, buf, sizeof(buf), &found) != 0)
		found = NULL;
	n = found ? snprintf(who, LISTEN_WHO_SIZE, "unix:%s", found->pw_name) : LISTEN_WHO_SIZE;
	/* A cut name might be somebody else's. */
	if (n >= LISTEN_WHO_SIZE)
		snprintf(who, LISTEN_WHO_SIZE, "unix:%lu", (unsigned long)cred.uid);
	if (cred.uid == 0 || cred.uid == geteuid())
		return ROLE_ADMIN;
	return is_operator(fd, found ? found->pw_name : NULL, cred.gid) ? ROLE_OPERATOR : ROLE_NONE;
}
