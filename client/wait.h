/*
 * wait.h - waiting for the end of a run by reading its owner's log from the run's own event on:
 * what happened before the question was asked is in the log too, so nothing can be missed.
 */
#ifndef CHIME_CLIENT_WAIT_H
#define CHIME_CLIENT_WAIT_H

#include "client/session.h"

struct run_end {
	char state[32];			/* SUCCESS, FAILED, ...; "" = it has not ended */
	int exit_code;			/* -1 = none */
	int signal;
	char detail[256];
};

/*
 * Waits until the run of this server has ended, across restarts of the server. With follow its
 * output is printed meanwhile. deadline CONN_FOREVER = none. 0 and *end filled, else EXIT_TIME,
 * EXIT_INTERRUPTED or EXIT_UNREACHED (not heard for a minute) with *t filled; the run goes on.
 */
int run_wait(struct session *s, const char *server, uint64_t run, bool follow,
	     int64_t deadline_us, struct run_end *end, struct trouble *t);

#endif
