#include "daemon/edge/follow.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

struct follower {
	struct follow *follow;
	struct follower *next;
	int watch;			/* -1: the kernel has removed it */
	bool changed, closed;		/* to be told */
	follow_changed_cb *changed_cb;
	void *owner;
};

struct follow {
	struct event_base *base;
	struct event *readable;
	int fd;
	struct follower *first;
};

static void mark_changed(struct follow *follow, const struct inotify_event *e)
{
	for (struct follower *f = follow->first; f; f = f->next) {
		/* Overflow has no watch: everybody looks. */
		if (e->wd != f->watch && !(e->mask & IN_Q_OVERFLOW))
			continue;
		f->changed = true;
		if (e->mask & IN_CLOSE_WRITE)
			f->closed = true;
		if (e->mask & IN_IGNORED)
			f->watch = -1;
	}
}

static struct follower *find_changed(struct follow *follow)
{
	for (struct follower *f = follow->first; f; f = f->next)
		if (f->changed)
			return f;
	return NULL;
}

/* One call for however many events: the owner reads all there is anyway. */
static void inotify_cb(evutil_socket_t fd, short what, void *arg)
{
	_Alignas(struct inotify_event) char buf[4096];
	struct follow *follow = arg;
	struct follower *f;
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)what;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(buf + at);

		mark_changed(follow, e);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
	while ((f = find_changed(follow))) {
		f->changed = false;
		f->changed_cb(f->owner, f->closed);
	}
}

struct follow *follow_new(struct event_base *base)
{
	struct follow *follow = calloc(1, sizeof(*follow));

	assert(follow);
	follow->base = base;
	follow->fd = -1;
	return follow;
}

void follow_free(struct follow *follow)
{
	if (!follow)
		return;
	assert(!follow->first);
	if (follow->readable)
		event_free(follow->readable);
	if (follow->fd >= 0)
		close(follow->fd);
	free(follow);
}

static int open_inotify(struct follow *follow)
{
	if (follow->fd >= 0)
		return 0;
	follow->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (follow->fd < 0)
		return -errno;
	follow->readable = event_new(follow->base, follow->fd, EV_READ | EV_PERSIST, inotify_cb,
				     follow);
	assert(follow->readable);
	event_add(follow->readable, NULL);
	return 0;
}

int follow_add(struct follow *follow, int fd, follow_changed_cb *changed_cb, void *owner,
	       struct follower **out)
{
	struct follower *f;
	char path[64];
	int watch, rc = open_inotify(follow);

	*out = NULL;
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	watch = inotify_add_watch(follow->fd, path, IN_MODIFY | IN_CLOSE_WRITE);
	if (watch < 0)
		return -errno;
	f = calloc(1, sizeof(*f));
	assert(f);
	*f = (struct follower){ follow, follow->first, watch, false, false, changed_cb, owner };
	follow->first = f;
	*out = f;
	return 0;
}

static bool is_watched(const struct follow *follow, int watch)
{
	for (const struct follower *f = follow->first; f; f = f->next)
		if (f->watch == watch)
			return true;
	return false;
}

void follow_del(struct follower *follower)
{
	struct follower **at;
	struct follow *follow;

	if (!follower)
		return;
	follow = follower->follow;
	for (at = &follow->first; *at != follower; at = &(*at)->next)
		assert(*at);
	*at = follower->next;
	if (follower->watch >= 0 && !is_watched(follow, follower->watch))
		inotify_rm_watch(follow->fd, follower->watch);
	free(follower);
}
