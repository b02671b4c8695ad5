/*
 * loop.h - for tests that need real sockets: an event loop that runs until something is true,
 * throw-away folders and identities.
 */
#ifndef CHIME_TESTS_UNIT_LOOP_H
#define CHIME_TESTS_UNIT_LOOP_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Only ever reached when what is waited for never comes. */
enum { LOOP_WATCHDOG_S = 60 };

static inline void loop_watchdog_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

/* Runs the loop until done(arg). */
static inline void loop_until(struct event_base *base, bool (*done)(void *arg), void *arg)
{
	const struct timeval limit = { LOOP_WATCHDOG_S, 0 };
	bool barked = false;
	struct event *watchdog = evtimer_new(base, loop_watchdog_cb, &barked);

	event_add(watchdog, &limit);
	while (!done(arg) && !barked)
		event_base_loop(base, EVLOOP_ONCE);
	event_free(watchdog);
	assert_false(barked);
}

static inline bool loop_count_down(void *arg)
{
	int *turns = arg;

	return --*turns < 0;
}

/* Runs `turns` turns that wait for nothing. */
static inline void loop_spin(struct event_base *base, int turns)
{
	while (!loop_count_down(&turns))
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static inline void loop_make_folder(char out[64])
{
	snprintf(out, 64, "/tmp/chime-test-XXXXXX");
	assert_non_null(mkdtemp(out));
}

static inline int loop_remove_cb(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void loop_remove_folder(const char *path)
{
	nftw(path, loop_remove_cb, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
