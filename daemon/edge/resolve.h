/*
 * resolve.h - HOST:PORT to addresses without blocking the loop: a name is looked up by a thread
 * of its own, which touches nothing but its own memory and one end of a socket pair.
 */
#ifndef CHIME_DAEMON_EDGE_RESOLVE_H
#define CHIME_DAEMON_EDGE_RESOLVE_H

#include <stddef.h>

#include "daemon/edge/address.h"

struct event_base;
struct resolve;

enum { RESOLVE_MAX = 8 };

/* count 0: not found, `why` says so. The resolve is freed after the call. */
typedef void resolve_done_cb(void *owner, const struct address *found, size_t count,
			     const char *why);

/* Looks up; done_cb comes from the event loop, also for a numeric address and for garbage. */
struct resolve *resolve_start(struct event_base *base, const char *address,
			      resolve_done_cb *done_cb, void *owner);

/* No callback follows. NULL is allowed. */
void resolve_cancel(struct resolve *resolve);

#endif
