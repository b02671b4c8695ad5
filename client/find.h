/*
 * find.h - asks the network for servers: DISCOVER (proto/discover.h) to the group and by limited
 * broadcast on every chosen interface, and to configured addresses.
 *
 * What comes back is a hint; who answered is proved by the TLS connection that follows.
 */
#ifndef CHIME_CLIENT_FIND_H
#define CHIME_CLIENT_FIND_H

#include "client/conf.h"
#include "proto/discover.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIND_MAX = 256 };

struct found {
	char server[DISCOVER_SERVER_SIZE];
	char address[DISCOVER_ADDRESS_SIZE];	/* HOST:PORT */
	bool answered;			/* itself; else another one named it */
};

struct found_list {
	struct found *list;		/* each (server, address) once, in order of arrival */
	size_t count;
	size_t asked;			/* interfaces and addresses */
};

struct find_options {
	const struct client_conf *conf;
	const uint8_t *environment_id;
	const char *interfaces;		/* names or addresses with commas; NULL = every one up */
	int64_t wait_us;		/* at most this long */
	bool eager;			/* stop soon after the first answers */
};

/* 0, EXIT_USAGE (no such interface) or EXIT_UNREACHED (no socket), then with *t filled. Hearing
 * nothing is not an error. The list is freed with free(). */
int find_servers(const struct find_options *options, struct found_list *found,
		 struct trouble *t);

#endif
