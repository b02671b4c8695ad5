#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/core/condition.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void parse(const char *text, struct condition *condition)
{
	struct condition_error error;

	if (condition_parse(text, "me", condition, &error))
		fail_msg("'%s': %u: %s", text, error.column, error.text);
}

static void test_atoms(void **state)
{
	static const struct {
		const char *text, *job, *server, *format;
		enum atom_kind kind;
		uint32_t column;
	} rows[] = {
		{ "success(a)", "a", "me", "success(a@me)", ATOM_SUCCESS, 0 },
		{ " s ( eod/x @ db1 ) ", "eod/x", "db1", "success(eod/x@db1)", ATOM_SUCCESS, 1 },
		{ "failure(a@b)", "a", "b", "failure(a@b)", ATOM_FAILURE, 0 },
		{ "f(a)", "a", "me", "failure(a@me)", ATOM_FAILURE, 0 },
		{ "((done(a)))", "a", "me", "done(a@me)", ATOM_DONE, 2 },
		{ "\td(a.b-c_d)\n", "a.b-c_d", "me", "done(a.b-c_d@me)", ATOM_DONE, 1 },
	};
	struct condition condition;
	char text[64];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		parse(rows[i].text, &condition);
		assert_int_equal(condition.atom_count, 1);
		assert_int_equal(condition.atoms[0].kind, rows[i].kind);
		assert_string_equal(condition.atoms[0].job, rows[i].job);
		assert_string_equal(condition.atoms[0].server, rows[i].server);
		assert_int_equal(condition.atoms[0].column, rows[i].column);
		assert_true(atom_format(&condition.atoms[0], text, sizeof(text)));
		assert_string_equal(text, rows[i].format);
		assert_false(atom_format(&condition.atoms[0], text, strlen(rows[i].format)));
		condition_fini(&condition);
	}
}

static void test_same_atom_is_one(void **state)
{
	struct condition condition;

	(void)state;
	parse("s(a) and s(b) or success(a@me) and f(a)", &condition);
	assert_int_equal(condition.atom_count, 3);
	assert_int_equal(condition.program_len, 7);
	condition_fini(&condition);
}

static void test_precedence(void **state)
{
	static const struct { const char *text; const char *table; } rows[] = {
		/* abc from 000 to 111 */
		{ "s(a) or s(b) and s(c)", "00011111" },
		{ "(s(a) or s(b)) and s(c)", "00010101" },
		{ "s(a) and s(b) or s(c)", "01010111" },
		{ "s(a) and (s(b) or s(c))", "00000111" },
		{ "s(a) and s(b) and s(c)", "00000001" },
		{ "s(a) or s(b) or s(c)", "01111111" },
	};
	struct condition condition;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		parse(rows[i].text, &condition);
		for (unsigned bits = 0; bits < 8; bits++) {
			bool values[3] = { bits & 4, bits & 2, bits & 1 };

			if (condition_eval(&condition, values) != (rows[i].table[bits] == '1'))
				fail_msg("'%s' at %u", rows[i].text, bits);
		}
		condition_fini(&condition);
	}
}

static void test_errors(void **state)
{
	static const struct {
		const char *text;
		uint32_t column, width;
		const char *says, *hint;
	} rows[] = {
		{ "", 0, 1, "missing", "" },
		{ "success", 7, 1, "'(' is missing", "success(JOB)" },
		{ "success()", 8, 1, "name of a job is missing", "" },
		{ "success(a", 9, 1, "')' is missing", "" },
		{ "success(a@)", 10, 1, "name of a server is missing", "" },
		{ "success(a@B)", 10, 1, "name of the server", "" },
		{ "success(12)", 8, 2, "digits only", "" },
		{ "s(a) and", 8, 1, "missing here", "" },
		{ "and s(a)", 0, 3, "missing here", "" },
		{ "s(a) or or s(b)", 8, 2, "missing here", "" },
		{ "s(a) s(b)", 5, 1, "can't stand here", "'and' or 'or'" },
		{ "s(a) & s(b)", 5, 1, "can't stand here", "write 'and'" },
		{ "s(a) || s(b)", 5, 2, "can't stand here", "write 'or'" },
		{ "s(a) AND s(b)", 5, 3, "can't stand here", "write 'and'" },
		{ "s(a))", 4, 1, "no '('", "" },
		{ "(s(a)", 0, 1, "not closed", "" },
		{ "s(b) and (s(a) or s(c)", 9, 1, "not closed", "" },
		{ "succes(a)", 0, 6, "not a state", "did you mean 'success'" },
		{ "load", 0, 4, "not a state", "success(JOB)" },
		{ "not s(a)", 0, 3, "'not' is not supported", "" },
		{ "s(a) and not s(b)", 9, 3, "'not' is not supported", "" },
		{ "! s(a)", 0, 1, "'not' is not supported", "" },
		{ "any of (s(a), s(b))", 0, 3, "'any of' is not supported", "" },
		{ "atleast 2 of (s(a))", 0, 7, "'atleast N of' is not supported", "" },
		{ "exit(a) > 3", 0, 4, "'exit' is not supported", "" },
		{ "value(k) == 1", 0, 5, "'value' is not supported", "" },
		{ "killed(a)", 0, 6, "'killed' is not supported", "" },
		{ "n(a)", 0, 1, "'notrunning' is not supported", "" },
		{ "s(a) ever", 5, 4, "'ever' is not supported", "same cycle" },
		{ "s(a) within 5m", 5, 6, "'within' is not supported", "same cycle" },
		{ "s(a, 24.00)", 3, 1, "look-back", "same cycle" },
		{ "s(shard*)", 2, 6, "wildcards", "name each" },
		{ "s(a@web*)", 4, 4, "wildcards", "name each" },
	};
	struct condition condition;
	struct condition_error error;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_not_equal(condition_parse(rows[i].text, "me", &condition, &error), 0);
		if (error.column != rows[i].column || error.width != rows[i].width ||
		    !strstr(error.text, rows[i].says) || !strstr(error.hint, rows[i].hint) ||
		    (!*rows[i].hint && *error.hint && strstr(error.text, "missing")))
			fail_msg("'%s': %u+%u '%s' '%s'", rows[i].text, error.column, error.width,
				 error.text, error.hint);
		assert_null(condition.atoms);
		condition_fini(&condition);
	}
}

static void test_bounds(void **state)
{
	struct condition condition;
	struct condition_error error;
	char text[CONDITION_TEXT_MAX + 64];
	size_t len = 0;

	(void)state;
	for (int depth = 31; depth <= 33; depth++) {
		len = 0;
		memset(text, '(', (size_t)depth);
		len = (size_t)depth;
		memcpy(text + len, "s(a)", 4);
		len += 4;
		memset(text + len, ')', (size_t)depth);
		text[len + (size_t)depth] = 0;
		assert_int_equal(!condition_parse(text, "me", &condition, &error), depth <= 32);
		condition_fini(&condition);
	}
	for (int atoms = 63; atoms <= 65; atoms++) {
		len = 0;
		for (int i = 0; i < atoms; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%ss(j%d)",
						i ? " and " : "", i);
		assert_int_equal(!condition_parse(text, "me", &condition, &error), atoms <= 64);
		condition_fini(&condition);
	}
	len = 0;
	for (int i = 0; i < 200; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%ss(a)", i ? " or " : "");
	assert_int_not_equal(condition_parse(text, "me", &condition, &error), 0);
	memset(text, ' ', sizeof(text));
	memcpy(text, "s(a)", 4);
	text[CONDITION_TEXT_MAX + 1] = 0;
	assert_int_not_equal(condition_parse(text, "me", &condition, &error), 0);
	text[CONDITION_TEXT_MAX] = 0;
	assert_int_equal(condition_parse(text, "me", &condition, &error), 0);
	condition_fini(&condition);
}

/* An expression written and evaluated at once, by its tree and not by its text. */
struct writer {
	uint64_t random;
	char text[4096];
	size_t len;
	bool values[8];
	unsigned budget;
};

static void write_text(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	assert_true(w->len + len < sizeof(w->text));
	memcpy(w->text + w->len, text, len + 1);
	w->len += len;
}

/* level 0 = or, 1 = and, 2 = primary: lower levels need parentheses inside higher ones. */
static bool write_level(struct writer *w, unsigned level)
{
	unsigned parts = w->budget ? 1 + next_random(&w->random) % 3 : 1;
	bool value = level == 1;
	char atom[16];

	if (level == 2) {
		unsigned n = next_random(&w->random) % 8;

		if (w->budget && next_random(&w->random) % 3 == 0) {
			w->budget--;
			write_text(w, "(");
			value = write_level(w, 0);
			write_text(w, ")");
			return value;
		}
		snprintf(atom, sizeof(atom), "s(j%u)", n);
		write_text(w, atom);
		return w->values[n];
	}
	for (unsigned i = 0; i < parts; i++) {
		bool part;

		if (i)
			write_text(w, level ? " and " : " or ");
		part = write_level(w, level + 1);
		value = level ? value && part : value || part;
	}
	return value;
}

static void test_random_expressions(void **state)
{
	uint64_t random = 20261120;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct writer w = { .random = next_random(&random), .budget = 5 };
		struct condition condition;
		bool values[CONDITION_ATOMS_MAX], want;

		for (unsigned k = 0; k < 8; k++)
			w.values[k] = next_random(&random) & 1;
		want = write_level(&w, 0);
		parse(w.text, &condition);
		for (size_t k = 0; k < condition.atom_count; k++)
			values[k] = w.values[condition.atoms[k].job[1] - '0'];
		if (condition_eval(&condition, values) != want)
			fail_msg("%s", w.text);
		condition_fini(&condition);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_atoms), cmocka_unit_test(test_same_atom_is_one),
		cmocka_unit_test(test_precedence), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_random_expressions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
