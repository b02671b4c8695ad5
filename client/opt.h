/*
 * opt.h - the command line: options anywhere, the command, its targets.
 *
 *	chime [options] COMMAND [options] [TARGET...]
 *
 * Every option the program knows is one row here. A command takes the rows marked global and
 * those its help text (proto/commands.h) names; any other is an error with the nearest name.
 */
#ifndef CHIME_CLIENT_OPT_H
#define CHIME_CLIENT_OPT_H

#include "client/say.h"
#include "proto/commands.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option {
	OPT_HELP, OPT_VERSION, OPT_VIA, OPT_CONFIG, OPT_JSON, OPT_OUTPUT, OPT_NO_HEADER,
	OPT_QUIET, OPT_VERBOSE, OPT_COLOR, OPT_ASCII, OPT_UTC, OPT_TZ, OPT_TIMEOUT, OPT_NO_INPUT,
	OPT_YES, OPT_DRY_RUN, OPT_REASON, OPT_EXPECT, OPT_KEY,
	OPT_CHECK, OPT_TROUBLE, OPT_SORT, OPT_LIMIT, OPT_DEF, OPT_ATTEMPTS, OPT_FOLLOW, OPT_LINES,
	OPT_RAW, OPT_SINCE, OPT_SERVER, OPT_FROM, OPT_TYPE, OPT_COUNT, OPT_FILE,
	OPT_FORCE, OPT_IGNORE, OPT_CYCLE, OPT_NO_DOWNSTREAM, OPT_WAIT, OPT_WARNINGS,
	OPT_INTERFACE, OPT_FOR, OPT_ENVIRONMENT, OPT_DIR, OPT_ROLE, OPT_NAME, OPT_OUT, OPT_UNTIL,
	OPT_SERVERS, OPT_KEEP, OPT_NO_MONITOR, OPT_MONO, OPT_READ_ONLY, OPT_VIEW, OPT_FILTER,
	OPT_MOUSE,
	OPT_COUNT_OF
};

struct args {
	const struct command *command;	/* NULL = none given */
	const char *typed;		/* the command as typed, NULL = none */
	const char *value[OPT_COUNT_OF];	/* NULL = not given; flags: "" */
	const char **word;		/* what follows the command */
	size_t word_count;
};

/* Reads a command line; texts are borrowed from argv. 0, or an exit code with *t filled. */
int args_parse(int argc, char **argv, struct args *args, struct trouble *t);
void args_fini(struct args *args);

static inline bool args_given(const struct args *args, enum option option)
{
	return args->value[option] != NULL;
}

/* A number or a duration given with an option; 0, or EXIT_USAGE with *t filled. An option that
 * was not given leaves *out as it is. */
int args_number(const struct args *args, enum option option, uint64_t least, uint64_t most,
		uint64_t *out, struct trouble *t);
int args_duration(const struct args *args, enum option option, int64_t *us, struct trouble *t);

/* "--name" of an option. */
const char *option_name(enum option option);

/* Does the command take it? NULL: does every command? */
bool option_taken(const struct command *command, enum option option);
/* Its one letter, 0 = none; whether a value follows. */
char option_letter(enum option option);
bool option_has_value(enum option option);

/* The options every command takes, as lines of help. */
extern const char option_global_help[];

#endif
