/*
 * loop.h - the monitor's loop: terminal, group, couriers and the child of a command line around
 * the pure parts.
 *
 *	wait -> letters -> datagrams -> events into the book -> orders -> keys -> wishes -> picture
 *
 * One thread does all this and never waits for a network: couriers do (courier.h).
 */
#ifndef CHIME_CLIENT_MONITOR_LOOP_H
#define CHIME_CLIENT_MONITOR_LOOP_H

#include "client/monitor/monitor.h"
#include "client/session.h"

struct loop_options {
	struct monitor_options monitor;
	bool failover;
};

/*
 * Shows the monitor until it is quit. s: ready by session_init, its identity loaded; couriers
 * get sessions like it. 0; EXIT_INTERRUPTED after a signal; or what made going on useless, with
 * *t filled: no terminal, not allowed.
 */
int loop_run(struct session *s, const struct loop_options *options, struct trouble *t);

#endif
