#include "daemon/core/condition.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

/* One word of the text: a run of characters that are neither space nor one of ( ) , @ & | ! */
struct token {
	const char *at;
	size_t len;		/* 0 = the end */
};

struct parser {
	const char *text;
	const char *next;	/* after the current token */
	struct token token;
	const char *own_server;
	struct condition *out;
	struct condition_error *error;
	unsigned depth;
	bool failed;		/* the first error stays */
};

/* Everything that may stand before "(": its meaning, or that it is known but not yet built. */
static const struct state_word {
	const char *word, *full;	/* full: the long form */
	int kind;			/* enum atom_kind, or -1 = not supported */
} states[] = {
	{ "success", "success", ATOM_SUCCESS },
	{ "failure", "failure", ATOM_FAILURE },
	{ "done", "done", ATOM_DONE },
	{ "s", "success", ATOM_SUCCESS },
	{ "f", "failure", ATOM_FAILURE },
	{ "d", "done", ATOM_DONE },
	{ "killed", "killed", -1 },
	{ "t", "killed", -1 },
	{ "timeout", "timeout", -1 },
	{ "lost", "lost", -1 },
	{ "started", "started", -1 },
	{ "running", "running", -1 },
	{ "notrunning", "notrunning", -1 },
	{ "n", "notrunning", -1 },
	{ "skipped", "skipped", -1 },
	{ "missed", "missed", -1 },
	{ "late", "late", -1 },
	{ "exit", "exit", -1 },
	{ "e", "exit", -1 },
	{ "value", "value", -1 },
	{ "v", "value", -1 },
	{ "not", "not", -1 },
	{ "any", "any of", -1 },
	{ "all", "all of", -1 },
	{ "atleast", "atleast N of", -1 },
};
enum { STATES = sizeof(states) / sizeof(*states) };

/* What may follow an atom in the full language. */
static const char *const scopes[] = {
	"cycle", "since", "within", "latest", "ever", "on", "if",
};

static void __attribute__((format(printf, 5, 6)))
fail(struct parser *p, struct token where, size_t skip, const char *hint, const char *format, ...)
{
	va_list args;

	if (p->failed)
		return;
	p->failed = true;
	p->error->column = (uint32_t)((size_t)(where.at - p->text) + skip);
	p->error->width = where.len ? (uint32_t)where.len : 1;
	va_start(args, format);
	vsnprintf(p->error->text, sizeof(p->error->text), format, args);
	va_end(args);
	snprintf(p->error->hint, sizeof(p->error->hint), "%s", hint ? hint : "");
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_mark(char c)
{
	return c && strchr("(),@&|!", c);
}

static void advance(struct parser *p)
{
	const char *at = p->next;

	while (is_space(*at))
		at++;
	p->token = (struct token){ at, 0 };
	if (!*at)
		;
	else if (is_mark(*at))
		p->token.len = (*at == '&' || *at == '|') && at[1] == *at ? 2 : 1;
	else
		while (at[p->token.len] && !is_space(at[p->token.len]) &&
		       !is_mark(at[p->token.len]))
			p->token.len++;
	p->next = at + p->token.len;
}

static bool token_is(const struct parser *p, const char *word)
{
	return p->token.len == strlen(word) && !memcmp(p->token.at, word, p->token.len);
}

/* The token for a message; long ones are cut, the column says where they are. */
static int shown(const struct token *token)
{
	return token->len > 60 ? 60 : (int)token->len;
}

static void push(struct parser *p, struct token where, uint8_t op)
{
	struct condition *c = p->out;

	if (p->failed)
		return;
	if (c->program_len == CONDITION_PROGRAM_MAX) {
		fail(p, where, 0, NULL, "the condition is too long");
		return;
	}
	c->program[c->program_len++] = op;
}

/* The same atom twice is one atom: it has one value and one proof. */
static void push_atom(struct parser *p, struct token where, const struct atom *atom)
{
	struct condition *c = p->out;

	if (p->failed)
		return;
	for (size_t i = 0; i < c->atom_count; i++) {
		if (c->atoms[i].kind == atom->kind && !strcmp(c->atoms[i].job, atom->job) &&
		    !strcmp(c->atoms[i].server, atom->server)) {
			push(p, where, (uint8_t)i);
			return;
		}
	}
	if (c->atom_count == CONDITION_ATOMS_MAX) {
		fail(p, where, 0, "let a job in between collect some of them",
		     "more than 64 different atoms");
		return;
	}
	c->atoms[c->atom_count] = *atom;
	push(p, where, (uint8_t)c->atom_count++);
}

/* The token as text when it fits, else "" with an error. */
static void take_name(struct parser *p, const char *what, char *out, size_t size)
{
	struct token token = p->token;
	const char *why = NULL;
	bool server = size == NAME_SERVER_MAX + 1, good;

	*out = 0;
	if (!token.len || is_mark(*token.at)) {
		fail(p, token, 0, NULL, "the name of a %s is missing", what);
		return;
	}
	if (memchr(token.at, '*', token.len) || memchr(token.at, '?', token.len) ||
	    memchr(token.at, '%', token.len)) {
		fail(p, token, 0, "name each job", "wildcards in a condition are not supported "
		     "by this version");
		return;
	}
	if (token.len >= size) {
		fail(p, token, 0, NULL, "the name of the %s is longer than %zu bytes", what,
		     size - 1);
		return;
	}
	memcpy(out, token.at, token.len);
	out[token.len] = 0;
	good = server ? name_server_valid(out, &why) : name_job_valid(out, &why);
	if (!good)
		fail(p, token, 0, NULL, "the name of the %s %s", what, why);
	advance(p);
}

static void refuse_state(struct parser *p, struct token token)
{
	const char *words[STATES], *near;
	char word[NAME_JOB_MAX + 1], hint[80] = "";
	size_t count = 0;

	if (token.len > NAME_JOB_MAX)
		token.len = NAME_JOB_MAX;
	memcpy(word, token.at, token.len);
	word[token.len] = 0;
	for (size_t i = 0; i < STATES; i++)
		if (states[i].kind >= 0 && strlen(states[i].word) > 1)
			words[count++] = states[i].word;
	near = name_nearest(word, words, count);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	else if (name_job_valid(word, NULL))
		snprintf(hint, sizeof(hint), "write success(JOB), failure(JOB) or done(JOB)");
	fail(p, token, 0, hint, "'%.*s' is not a state of a job", shown(&token), token.at);
}

/* state of the token, or NULL with an error. */
static const struct state_word *find_state(struct parser *p)
{
	for (size_t i = 0; i < STATES; i++) {
		if (!token_is(p, states[i].word))
			continue;
		if (states[i].kind >= 0)
			return &states[i];
		fail(p, p->token, 0, NULL, "'%s' is not supported by this version", states[i].full);
		return NULL;
	}
	refuse_state(p, p->token);
	return NULL;
}

static void parse_atom(struct parser *p)
{
	struct token start = p->token;
	const struct state_word *state = find_state(p);
	struct atom atom = { .column = (uint32_t)(start.at - p->text) };

	if (!state)
		return;
	atom.kind = (enum atom_kind)state->kind;
	advance(p);
	if (!token_is(p, "(")) {
		fail(p, p->token, 0, "write it as success(JOB)", "'(' is missing after '%.*s'",
		     shown(&start), start.at);
		return;
	}
	advance(p);
	take_name(p, "job", atom.job, sizeof(atom.job));
	snprintf(atom.server, sizeof(atom.server), "%s", p->own_server);
	if (token_is(p, "@")) {
		advance(p);
		take_name(p, "server", atom.server, sizeof(atom.server));
	}
	if (token_is(p, ","))
		fail(p, p->token, 0, "conditions look at runs of the same cycle",
		     "look-back times are not supported by this version");
	if (!token_is(p, ")")) {
		fail(p, p->token, 0, NULL, "')' is missing after '%.*s'",
		     (int)(p->token.at - start.at > 60 ? 60 : p->token.at - start.at), start.at);
		return;
	}
	push_atom(p, (struct token){ start.at, (size_t)(p->next - start.at) }, &atom);
	advance(p);
}

static void parse_or(struct parser *p);

static void parse_prim(struct parser *p)
{
	struct token open = p->token;

	if (p->failed)
		return;
	if (token_is(p, "!")) {
		fail(p, p->token, 0, NULL, "'not' is not supported by this version");
		return;
	}
	if (!p->token.len || (is_mark(*p->token.at) && *p->token.at != '(') ||
	    token_is(p, "and") || token_is(p, "or")) {
		fail(p, p->token, 0, NULL, "something like success(JOB) is missing here");
		return;
	}
	if (*open.at != '(') {
		parse_atom(p);
		return;
	}
	if (++p->depth > DEPTH_MAX) {
		fail(p, open, 0, NULL, "parentheses nested deeper than %d", DEPTH_MAX);
		return;
	}
	advance(p);
	parse_or(p);
	if (!p->failed && !token_is(p, ")"))
		fail(p, open, 0, NULL, "this '(' is not closed");
	advance(p);
	p->depth--;
}

static void parse_and(struct parser *p)
{
	parse_prim(p);
	while (!p->failed && token_is(p, "and")) {
		struct token op = p->token;

		advance(p);
		parse_prim(p);
		push(p, op, CONDITION_AND);
	}
}

static void parse_or(struct parser *p)
{
	parse_and(p);
	while (!p->failed && token_is(p, "or")) {
		struct token op = p->token;

		advance(p);
		parse_and(p);
		push(p, op, CONDITION_OR);
	}
}

/* What is left when the grammar has come to its end. */
static void refuse_rest(struct parser *p)
{
	static const struct { const char *word, *hint; } others[] = {
		{ "&", "write 'and'" }, { "&&", "write 'and'" }, { "AND", "write 'and'" },
		{ "|", "write 'or'" }, { "||", "write 'or'" }, { "OR", "write 'or'" },
	};
	const char *hint = "join conditions with 'and' or 'or'";

	if (p->failed || !p->token.len)
		return;
	if (token_is(p, ")")) {
		fail(p, p->token, 0, NULL, "this ')' has no '('");
		return;
	}
	for (size_t i = 0; i < sizeof(scopes) / sizeof(*scopes); i++) {
		if (token_is(p, scopes[i])) {
			fail(p, p->token, 0, "conditions look at runs of the same cycle",
			     "'%s' is not supported by this version", scopes[i]);
			return;
		}
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (token_is(p, others[i].word))
			hint = others[i].hint;
	fail(p, p->token, 0, hint, "'%.*s' can't stand here", shown(&p->token), p->token.at);
}

int condition_parse(const char *text, const char *own_server, struct condition *condition,
		    struct condition_error *error)
{
	struct parser p = {
		.text = text, .next = text, .own_server = own_server, .out = condition,
		.error = error,
	};

	*condition = (struct condition){ 0 };
	*error = (struct condition_error){ 0 };
	advance(&p);
	if (strlen(text) > CONDITION_TEXT_MAX) {
		fail(&p, p.token, 0, NULL, "the condition is longer than %d bytes",
		     CONDITION_TEXT_MAX);
		return -EINVAL;
	}
	condition->atoms = calloc(CONDITION_ATOMS_MAX, sizeof(*condition->atoms));
	condition->program = calloc(CONDITION_PROGRAM_MAX, 1);
	assert(condition->atoms && condition->program);
	parse_or(&p);
	refuse_rest(&p);
	if (p.failed) {
		condition_fini(condition);
		return -EINVAL;
	}
	/* Most conditions have a few atoms of 192 bytes: give the rest back. */
	condition->atoms = realloc(condition->atoms, condition->atom_count * sizeof(struct atom));
	condition->program = realloc(condition->program, condition->program_len);
	assert(condition->atoms && condition->program);
	return 0;
}

void condition_fini(struct condition *condition)
{
	free(condition->atoms);
	free(condition->program);
	*condition = (struct condition){ 0 };
}

bool condition_eval(const struct condition *condition, const bool *values)
{
	bool stack[CONDITION_PROGRAM_MAX];
	size_t top = 0;

	for (size_t i = 0; i < condition->program_len; i++) {
		uint8_t op = condition->program[i];

		if (op < CONDITION_AND) {
			assert(op < condition->atom_count);
			stack[top++] = values[op];
			continue;
		}
		assert(top >= 2);
		top--;
		stack[top - 1] = op == CONDITION_AND ? stack[top - 1] && stack[top] :
						       stack[top - 1] || stack[top];
	}
	assert(top == 1);
	return stack[0];
}

const char *atom_kind_name(enum atom_kind kind)
{
	static const char *const names[ATOM_KINDS] = { "success", "failure", "done" };

	assert((unsigned)kind < ATOM_KINDS);
	return names[kind];
}

bool atom_format(const struct atom *atom, char *out, size_t size)
{
	int len = snprintf(out, size, "%s(%s%s%s)", atom_kind_name(atom->kind), atom->job,
			   *atom->server ? "@" : "", atom->server);

	return len >= 0 && (size_t)len < size;
}
