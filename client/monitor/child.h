/*
 * child.h - chime itself as a child, for the command line of the monitor; and the pager.
 */
#ifndef CHIME_CLIENT_MONITOR_CHILD_H
#define CHIME_CLIENT_MONITOR_CHILD_H

#include "client/say.h"

#include <stddef.h>
#include <sys/types.h>

struct child;

/*
 * Starts this very program with `options` (to reach the same servers) before the words of `line`,
 * which are split as a shell does with quotes and backslashes, but without any expansion. Its
 * standard input is empty, what it prints comes through child_fd(), without colours and as wide as
 * `columns`. 0; EXIT_USAGE for an open quote, EXIT_TROUBLE when it cannot be started.
 */
int child_start(struct child **out, const char *const *options, size_t option_count,
		const char *line, int columns, struct trouble *t);

/* To be polled for input; -1 after its end. */
int child_fd(const struct child *child);

/* What it printed; 0 = nothing now; -1 = it has ended, *status is then its exit code, or 128 + the
 * signal that ended it. */
ssize_t child_read(struct child *child, void *buf, size_t size, int *status);

/* Asks it to end (as Ctrl-C does), a second time by KILL. */
void child_stop(struct child *child);

/* Ends it if it goes on. NULL is allowed. */
void child_free(struct child *child);

/* Shows the bytes with $PAGER (less, without its ways to a shell unless LESSSECURE is set
 * otherwise) on this terminal and waits for it. 0, or -errno. */
int child_pager(const char *data, size_t len);

#endif
