/*
 * tree.h - all processes of a run, found through /proc and signalled by pidfd.
 *
 * Used by the shepherd (a subreaper: whatever its job forked hangs below it, double-forked and
 * setsid'ed children too) and by the launcher for a run whose shepherd was killed.
 *
 * Invariants
 * 1. A signal goes to a pidfd that was checked, after it was opened, to be the process that was
 *    seen (same start time): a reused pid is never hit. Never to pid 1 or the caller.
 * 2. Zombies are not there.
 */
#ifndef CHIME_DAEMON_TREE_H
#define CHIME_DAEMON_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Which processes are meant: those that meet any of the three, and all below them. */
struct tree_root {
	pid_t parent;			/* children of this one; 0 = none */
	const pid_t *spared;		/* but not these, nor what is below them */
	size_t spared_count;
	pid_t pid;			/* this one, if it started at `ticks`; 0 = none */
	uint64_t ticks;
	const char *const *marks;	/* NULL-terminated "NAME=value": all in its environment */
	uint64_t since_ticks;		/* marks count only in processes started since then */
};

/* Start time of a process in clock ticks since boot; 0 = no such process. */
uint64_t tree_ticks(pid_t pid);

/* Sends `signal` to each, once. How many there were; -errno when /proc can't be read. */
ssize_t tree_signal(const struct tree_root *root, int signal);

/* Stops them all first, so that none can fork out of the picture, then sends SIGKILL. How many
 * there were; to be repeated until it is 0. */
ssize_t tree_kill(const struct tree_root *root);

#endif
