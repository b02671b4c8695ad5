/*
 * condition.h - the language of `after`: parsing, printing, evaluating.
 *
 *   cond := and { "or" and }      and := prim { "and" prim }      prim := "(" cond ")" | atom
 *   atom := state "(" job ["@" server] ")"      state := success | failure | done | s | f | d
 *
 * A condition is a value: atoms in order of appearance and a postfix program over them. What is
 * true of an atom is kept by the model; here are only the words and the logic.
 */
#ifndef CHIME_DAEMON_CORE_CONDITION_H
#define CHIME_DAEMON_CORE_CONDITION_H

#include "proto/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONDITION_ATOMS_MAX = 64,
	CONDITION_PROGRAM_MAX = 192,
	CONDITION_TEXT_MAX = 8192,
};

enum atom_kind { ATOM_SUCCESS, ATOM_FAILURE, ATOM_DONE, ATOM_KINDS };

struct atom {
	enum atom_kind kind;
	char job[NAME_JOB_MAX + 1];
	char server[NAME_SERVER_MAX + 1];
	uint32_t column;		/* where it stands in the text, from 0 */
};

enum { CONDITION_AND = 254, CONDITION_OR = 255 };	/* opcodes; smaller = push atom n */

struct condition {
	struct atom *atoms;
	size_t atom_count;		/* 1..CONDITION_ATOMS_MAX */
	uint8_t *program;		/* postfix */
	size_t program_len;
};

struct condition_error {
	uint32_t column, width;		/* from 0, in the text */
	char text[160];
	char hint[160];			/* "" = none */
};

/* Names without @server get `own_server` ("" leaves them without, for checks of files); the same
 * atom twice is one atom, at its first column. 0 and a condition to be freed with condition_fini,
 * or -EINVAL with *error filled. Nested at most 32 deep. `not`, scopes, exit(), any/all/atleast are
 * refused by name as not yet known, never ignored. */
int condition_parse(const char *text, const char *own_server, struct condition *condition,
		    struct condition_error *error);
void condition_fini(struct condition *condition);

/* `values`: one truth value per atom. */
bool condition_eval(const struct condition *condition, const bool *values);

/* "success(eod/load@db1)"; true when it fitted. */
bool atom_format(const struct atom *atom, char *out, size_t size);
const char *atom_kind_name(enum atom_kind kind);

#endif
