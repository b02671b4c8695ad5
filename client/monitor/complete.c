/*
 * complete.c - see complete.h.
 */
#include "client/monitor/complete.h"

#include "client/monitor/commandline.h"
#include "client/opt.h"

#include <stdio.h>
#include <string.h>

/* What could stand in place of the word before the cursor. */
struct choice {
	char word[EDIT_SIZE];		/* as typed so far */
	char common[EDIT_SIZE];		/* what all candidates begin with */
	char list[EDIT_SIZE];		/* "ls log logs" */
	size_t count;
};

static void offer(struct choice *choice, const char *candidate)
{
	size_t n = strlen(choice->word), len = strlen(choice->list);

	if (strncmp(candidate, choice->word, n) != 0)
		return;
	if (choice->count++ == 0) {
		snprintf(choice->common, sizeof(choice->common), "%s", candidate);
	} else {
		for (n = 0; choice->common[n] != '\0' && choice->common[n] == candidate[n]; n++)
			;
		choice->common[n] = '\0';
	}
	if (len + strlen(candidate) + 2 < sizeof(choice->list))
		snprintf(choice->list + len, sizeof(choice->list) - len, "%s%s",
			 len > 0 ? " " : "", candidate);
}

static void offer_servers(struct choice *choice, const struct book *book, const char *before)
{
	char text[EDIT_SIZE];

	for (const struct book_server *s = book->servers; s != NULL; s = s->hh.next) {
		snprintf(text, sizeof(text), "%s%s", before, s->name);
		offer(choice, text);
	}
}

static void offer_commands(struct choice *choice)
{
	const char *name;

	for (size_t i = 0; i < command_count; i++) {
		if (commands[i].name != NULL)
			offer(choice, commands[i].name);
	}
	for (size_t i = 0; (name = commandline_own(i)) != NULL; i++) {
		if (strcmp(name, "q") != 0 && command_find(name) == NULL)
			offer(choice, name);
	}
}

static void offer_options(struct choice *choice, const struct command *command)
{
	for (int i = 0; i < OPT_COUNT_OF; i++) {
		if (option_taken(command, (enum option)i))
			offer(choice, option_name((enum option)i));
	}
}

static void offer_targets(struct choice *choice, const struct book *book)
{
	if (choice->word[0] == '@') {
		offer_servers(choice, book, "@");
		return;
	}
	for (const struct book_job *job = book->jobs; job != NULL; job = job->hh.next) {
		if (!job->removed)
			offer(choice, job->key);
	}
}

static bool takes_value(const char *word, size_t len)
{
	for (int i = 0; i < OPT_COUNT_OF; i++) {
		const char *name = option_name((enum option)i);
		if (strlen(name) == len && memcmp(name, word, len) == 0)
			return option_has_value((enum option)i);
	}
	return false;
}

/* Where the command begins: behind options and their values. */
static size_t find_command_start(const char *line, size_t len)
{
	size_t at = 0;
	bool value = false;

	for (;;) {
		while (at < len && line[at] == ' ')
			at++;
		if (at >= len || (line[at] != '-' && !value))
			return at;
		size_t n = strcspn(line + at, " ");
		value = !value && takes_value(line + at, n);
		at += n < len - at ? n : len - at;
	}
}

/* The command that the text begins with, the longest name; NULL = none yet. */
static const struct command *find_typed(const char *line, size_t len)
{
	char text[EDIT_SIZE];
	const struct command *found = NULL;

	for (size_t end = 1; end <= len; end++) {
		if (end < len && line[end] != ' ')
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)end, line);
		const struct command *command = command_find(text);
		found = command != NULL ? command : found;
	}
	return found;
}

/* The word before the one at `start`: "--via" asks for a server. */
static bool wants_server(const char *line, size_t start)
{
	static const char *const options[] = { "--via", "--server" };

	while (start > 0 && line[start - 1] == ' ')
		start--;
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(options[i]);
		if (start >= n && strncmp(line + start - n, options[i], n) == 0)
			return true;
	}
	return false;
}

static void put_choice(struct monitor *m, size_t start, const struct choice *choice)
{
	char text[2 * EDIT_SIZE];

	m->typing_note[0] = '\0';
	if (choice->count == 0) {
		snprintf(m->typing_note, sizeof(m->typing_note), "nothing begins so");
		return;
	}
	int n = snprintf(text, sizeof(text), "%.*s%s%s", (int)start, m->edit.text, choice->common,
			 choice->count == 1 ? " " : "");
	size_t at = (size_t)n, limit = m->edit.limit;
	snprintf(text + n, sizeof(text) - (size_t)n, "%s", m->edit.text + m->edit.at);
	if (strlen(text) > limit)
		return;
	edit_begin(&m->edit, text, limit);
	m->edit.at = at;
	if (choice->count > 1)
		snprintf(m->typing_note, sizeof(m->typing_note), "%s", choice->list);
}

/* "server" and "ca" go on with a second word; the cursor may still stand in the first. */
static bool offer_command(struct monitor *m, size_t from, const struct command *typed)
{
	struct choice choice = { .count = 0 };

	if (from > m->edit.at || m->edit.text[from] == '-')
		return false;
	snprintf(choice.word, sizeof(choice.word), "%.*s", (int)(m->edit.at - from),
		 m->edit.text + from);
	offer_commands(&choice);
	if (choice.count == 0 && typed != NULL)
		return false;
	put_choice(m, from, &choice);
	return true;
}

void complete_command(struct monitor *m)
{
	struct choice choice = { .count = 0 };
	const char *line = m->edit.text;
	size_t start = m->edit.at;

	while (start > 0 && line[start - 1] != ' ')
		start--;
	snprintf(choice.word, sizeof(choice.word), "%.*s", (int)(m->edit.at - start), line + start);
	size_t from = find_command_start(line, m->edit.at);
	const struct command *command = find_typed(line + from, start > from ? start - from : 0);
	if (wants_server(line, start))
		offer_servers(&choice, m->book, "");
	else if (choice.word[0] == '-')
		offer_options(&choice, command);
	else if (offer_command(m, from, command))
		return;
	else
		offer_targets(&choice, m->book);
	put_choice(m, start, &choice);
}

void complete_server(struct monitor *m)
{
	struct choice choice = { .count = 0 };

	snprintf(choice.word, sizeof(choice.word), "%.*s", (int)m->edit.at, m->edit.text);
	for (size_t i = 0; i < m->link.other_count; i++)
		offer(&choice, m->link.others[i]);
	put_choice(m, 0, &choice);
}
