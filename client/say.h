/*
 * say.h - what goes wrong, and how it is told: what, why, try.
 *
 *	chime: nothing is running at /run/chime/control.sock
 *	why:   chimed is not started on this machine
 *	try:   systemctl start chimed
 *
 * Invariants
 * 1. Everything printed here goes to stderr and is free of control characters.
 * 2. A function that can fail fills a trouble once; who gives up prints it, once.
 */
#ifndef CHIME_CLIENT_SAY_H
#define CHIME_CLIENT_SAY_H

#include <stdbool.h>
#include <stddef.h>

/* Exit codes of every command. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_TROUBLE = 1,	/* the job failed, the check found errors, the state forbids it */
	EXIT_USAGE = 2,		/* wrong usage, or a question that could not be asked */
	EXIT_NO_MATCH = 3,	/* nothing matches, or the name is ambiguous */
	EXIT_DENIED = 4,
	EXIT_UNREACHED = 5,
	EXIT_TIME = 6,
	EXIT_PARTLY = 7,	/* some targets done, some not */
	EXIT_INTERRUPTED = 130,
};

struct trouble {
	int exit;		/* an exit_code; 0 = no trouble */
	char what[1024];
	char why[1024];		/* "" = not known */
	char hint[1024];	/* what to try, "" = nothing; lines are printed one below the other */
};

/* Fills a trouble with its first line; why and hint are emptied. Returns exit. */
int trouble_set(struct trouble *t, int exit, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void trouble_why(struct trouble *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void trouble_hint(struct trouble *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Fills it from a text of lines "what / why: / try:", as proto/ gives them. Returns exit. */
int trouble_set_lines(struct trouble *t, int exit, const char *lines);

/* Prints it; returns its exit. */
int trouble_print(const struct trouble *t);

/* One line on stderr beginning "chime: ". */
void say_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "quiet" drops notes, never troubles. */
void say_set_quiet(bool quiet);

/* From now on the calling thread prints neither notes nor troubles. */
void say_set_mute(void);

/* Memory that is not there ends the program; none of these returns NULL. */
void *say_calloc(size_t count, size_t size);
void *say_realloc(void *old, size_t count, size_t size);
char *say_strdup(const char *text);
char *say_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
