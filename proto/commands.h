/*
 * commands.h - the command table: every row is a command of chime(1), and, where it has a request,
 * what the daemon lets whom ask. Compiled into both programs, so they cannot differ.
 *
 * Invariants
 * 1. Default deny: a request whose tag stands in no row is refused.
 * 2. A row with `action` needs an idempotency key and an expiry, and runs at the job's owner.
 * 3. Servers may use the rows marked `servers` and nothing else; people never those of
 *    ROLE_SERVER.
 */
#ifndef CHIME_PROTO_COMMANDS_H
#define CHIME_PROTO_COMMANDS_H

#include "proto/identity.h"

#include <stdbool.h>
#include <stddef.h>

struct command {
	const char *name;	/* "server ls"; NULL for requests without a command line */
	const char *group;	/* Look, Act, Define, Run servers, Tools */
	const char *usage;	/* after the name: "TARGET..." */
	const char *summary;	/* one line, lower case, no full stop */
	const char *options;	/* lines of --help, NULL = none */
	const char *examples;	/* lines of --help */
	const char *see;	/* "rerun, why" */
	enum role role;		/* least role; ROLE_NONE = works without a server */
	bool servers;		/* servers ask it too */
	int request;		/* CHIME__REQUEST__BODY_..., 0 = none */
	bool action;
};

extern const struct command commands[];
extern const size_t command_count;

/* The row of a request tag, or NULL: then it is refused. */
const struct command *command_find_request(int request);

/* The row with this name (aliases included: list, stop, logs, tail, top), or NULL. */
const struct command *command_find(const char *name);

/* May an identity of this role ask this? */
bool command_allowed(const struct command *command, enum role role);

#endif
