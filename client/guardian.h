/*
 * guardian.h - keeps processes that must not outlive their owner, whatever ends the owner.
 *
 *	owner ---- pipe ----> guardian --+-- chimed alpha --- launcher --- shepherd --- job
 *	      <--- pipe -----            +-- chimed bravo ...
 *
 * The guardian is a fork of this program in a session of its own. It starts the daemons as its
 * children and is a subreaper: whatever they leave behind becomes its child. The end of the pipe
 * means that the owner is gone, by choice or by kill -9; then it stops everything below itself,
 * removes the folder and ends.
 *
 * Invariants
 * 1. It signals only processes that it has just found to be its descendants, through a pidfd.
 * 2. Nobody else has the owner's end of the pipe, and no daemon has either.
 * 3. If the guardian itself is killed, the daemons get SIGTERM from the kernel.
 */
#ifndef CHIME_CLIENT_GUARDIAN_H
#define CHIME_CLIENT_GUARDIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct guarded {
	const char *name;
	char *const *argv;		/* argv[0] is a path */
	const char *log;		/* stdout and stderr go here */
};

struct guardian {
	pid_t pid;
	int to, from;			/* -1 = closed */
};

/*
 * Starts the guardian, which from now on answers for `dir`: it is removed with everything below
 * it in the end; keep_dir: only what is below it. 0 or -errno.
 */
int guardian_start(struct guardian *g, const struct guarded *list, size_t count,
		   const char *dir, bool keep_dir);

/* Lets it start every program of the list. */
void guardian_go(struct guardian *g);

/* The index of a program that has ended since, and its status as of waitpid; -1 = none. */
int guardian_ended(struct guardian *g, int *status);

/* From now on it goes on without its owner, until it gets SIGTERM. */
void guardian_keep(struct guardian *g);

/* Lets it stop and remove everything, and waits until it has. */
void guardian_stop(struct guardian *g);

/* Takes leave of one that was told to keep. */
void guardian_leave(struct guardian *g);

#endif
