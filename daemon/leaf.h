/*
 * leaf.h - a cgroup v2 leaf for one run: the one fence a process can't climb over.
 *
 * Best effort. The leaf is made below the launcher's own cgroup, and only where that was given to
 * us: delegated (systemd's Delegate=yes leaves the attribute user.delegate or trusted.delegate),
 * owned by our uid, or the root of the hierarchy as this process sees it. Everywhere else, and
 * with cgroup v1, runs are fenced by the subreaper alone.
 */
#ifndef CHIME_DAEMON_LEAF_H
#define CHIME_DAEMON_LEAF_H

#include <stdbool.h>
#include <stddef.h>

/* The folder leaves may be made in, or -ENOENT with "" in out. */
int leaf_find_base(char *out, size_t size);

/* Removes base/chime-NAME, if it is there and empty. */
void leaf_forget(const char *base, const char *name);

/* Makes base/chime-NAME and opens it. Descriptor for CLONE_INTO_CGROUP, `path` is filled; or
 * -errno. */
int leaf_open(const char *base, const char *name, char *path, size_t size);

/* Kills whatever is in it, forks under way included. */
void leaf_kill(const char *path);

/* True when the leaf is gone or was removed; false while a process is left in it. */
bool leaf_remove(const char *path);

#endif
