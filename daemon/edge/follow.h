/*
 * follow.h - tells when a file that is open here was written to, or closed by its writer.
 *
 * One inotify instance for all; the kernel gives one watch to each file, however often it is
 * followed, so watches are shared here and removed with their last follower.
 */
#ifndef CHIME_DAEMON_EDGE_FOLLOW_H
#define CHIME_DAEMON_EDGE_FOLLOW_H

#include <stdbool.h>

struct event_base;
struct follow;
struct follower;

/* closed: its writer has closed it. The follower may be deleted from inside. */
typedef void follow_changed_cb(void *owner, bool closed);

/* The inotify instance is made with the first follower. */
struct follow *follow_new(struct event_base *base);

/* Every follower must be gone. NULL is allowed. */
void follow_free(struct follow *follow);

/* Tells `owner` about the file behind fd from now on: what was written before must be read
 * afterwards. -errno (no right to read the file; no watches left). */
int follow_add(struct follow *follow, int fd, follow_changed_cb *changed_cb, void *owner,
	       struct follower **out);

/* NULL is allowed. */
void follow_del(struct follower *follower);

#endif
