/*
 * fuzz_condition.c - the text of an `after`: what is taken has a program that can be run with any
 * truth values, and its atoms read back to themselves.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/condition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ATOM_TEXT = 256 };

static void check_atom(const struct atom *atom, size_t text_len)
{
	struct condition_error error;
	struct condition again;
	char text[ATOM_TEXT];

	assert(atom->column < text_len);
	assert(atom_format(atom, text, sizeof(text)));
	assert(condition_parse(text, "", &again, &error) == 0);
	assert(again.atom_count == 1 && again.atoms[0].kind == atom->kind);
	assert(strcmp(again.atoms[0].job, atom->job) == 0);
	assert(strcmp(again.atoms[0].server, atom->server) == 0);
	condition_fini(&again);
}

/* Without `not`, more truth never makes a condition false. */
static void check_monotone(const struct condition *condition)
{
	bool values[CONDITION_ATOMS_MAX] = { false };
	bool before;

	assert(!condition_eval(condition, values));
	before = false;
	for (size_t i = 0; i < condition->atom_count; i++) {
		values[i] = true;
		bool now = condition_eval(condition, values);
		assert(now || !before);
		before = now;
	}
	assert(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct condition_error error;
	struct condition condition;
	char *text = malloc(size + 1);

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (condition_parse(text, "app1", &condition, &error) == 0) {
		assert(condition.atom_count >= 1 && condition.atom_count <= CONDITION_ATOMS_MAX);
		assert(condition.program_len <= CONDITION_PROGRAM_MAX);
		for (size_t i = 0; i < condition.atom_count; i++)
			check_atom(&condition.atoms[i], strlen(text));
		check_monotone(&condition);
		condition_fini(&condition);
	} else {
		assert(error.column <= strlen(text) && error.text[0]);
	}
	free(text);
	return 0;
}
