/*
 * act.h - sending an action so that it has effect once, whatever happens to the answer.
 *
 *	send at the server asked first; a target that another server owns comes back refused with
 *	the owner's name and address: the rest of the work goes there, with the same key.
 *
 *	answer lost -> reconnect -> what became of my key?
 *	                 known   -> that is the answer
 *	                 unknown -> it never had effect: send it again, same key, new expiry
 *	until --timeout; then "safe to repeat: chime ... --key K".
 *
 * Invariants
 * 1. Every request of one command carries one key; a server keeps it in the event of its effect.
 * 2. An effect is done, refused or unknown, never guessed.
 */
#ifndef CHIME_CLIENT_ACT_H
#define CHIME_CLIENT_ACT_H

#include "client/session.h"

enum { ACT_KEY_SIZE = 16 };

/* What one target came to; texts are copies, NULL = none. */
struct effect {
	char *target;			/* job@server */
	bool done;
	uint64_t run;			/* 0 = none */
	char *what, *why, *hint;
	int exit;			/* of a refusal */
	char *user, *cycle;
	char **unmet, **downstream;
	size_t unmet_count, downstream_count;
	char *owner;			/* refused here: ask there */
	char **address;
	size_t address_count;
};

struct effects {
	struct effect *list;
	size_t count;
	bool repeated;			/* the key was known already */
};

struct action {
	struct session *session;
	Chime__Request__BodyCase kind;
	uint8_t key[ACT_KEY_SIZE];
	const char *reason;
	char **ignore;			/* start only */
	size_t ignore_count;
	const char *cycle;
	bool force, no_downstream;
	int64_t deadline_us;		/* of everything up to the last answer */
};

/* Takes --key or makes one. 0 or EXIT_USAGE. */
int action_key(struct action *a, struct trouble *t);

/*
 * Carries the action out (or, dry, asks what it would do) for these targets, at their owners.
 * Effects are added for every target of every answer. 0, or the exit code of what stopped it
 * with *t filled; effects heard until then are there.
 */
int action_run(struct action *a, bool dry, char *const *targets, size_t count,
	       struct effects *effects, struct trouble *t);

void effects_fini(struct effects *effects);

#endif
