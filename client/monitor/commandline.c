/*
 * commandline.c - see commandline.h.
 */
#include "client/monitor/commandline.h"

#include "client/monitor/words.h"
#include "client/opt.h"
#include "client/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const own[] = { "messages", "help", "quit", "q" };

const char *commandline_own(size_t i)
{
	return i < sizeof(own) / sizeof(own[0]) ? own[i] : NULL;
}

static void remember_line(struct monitor *m, const char *line)
{
	if (m->history_count > 0 && strcmp(m->history[m->history_count - 1], line) == 0)
		return;
	if (m->history_count == MONITOR_HISTORY_MAX) {
		free(m->history[0]);
		memmove(&m->history[0], &m->history[1],
			(MONITOR_HISTORY_MAX - 1) * sizeof(m->history[0]));
		m->history_count--;
	}
	m->history[m->history_count++] = say_strdup(line);
}

static bool run_own(struct monitor *m, const char *line)
{
	if (strcmp(line, "messages") == 0)
		monitor_push(m, VIEW_MESSAGES);
	else if (strcmp(line, "help") == 0)
		monitor_push(m, VIEW_HELP);
	else if (strcmp(line, "q") == 0 || strcmp(line, "quit") == 0)
		monitor_wish(m, WISH_QUIT, NULL);
	else
		return false;
	return true;
}

/* Why a command is not for here; NULL = it is. */
static const char *find_hindrance(const struct args *args)
{
	static const struct { const char *name, *why; } not_here[] = {
		{ "monitor", "this is the monitor" },
		{ "demo", "a demo needs a terminal of its own" },
		{ "ca init", "it writes keys: run it in a shell" },
		{ "ca issue", "it writes keys: run it in a shell" },
	};

	for (size_t i = 0; i < sizeof(not_here) / sizeof(not_here[0]); i++) {
		if (strcmp(args->command->name, not_here[i].name) == 0)
			return not_here[i].why;
	}
	for (size_t i = 0; i < args->word_count; i++) {
		if (strcmp(args->word[i], "-") == 0)
			return "there is no standard input here to read targets from";
	}
	return NULL;
}

void commandline_start(struct monitor *m, const char *title, const char *line)
{
	if (m->output_running)
		monitor_wish(m, WISH_STOP_COMMAND, NULL);
	text_clear(&m->output);
	m->status_us = 0;		/* what was said before is not about this one */
	snprintf(m->output_title, sizeof(m->output_title), "%s", title);
	monitor_push(m, VIEW_OUTPUT);
	m->output_running = true;
	monitor_wish(m, WISH_COMMAND, line);
}

static void judge_command(struct monitor *m, const char *line, const struct args *args)
{
	const char *why;

	if (args->command == NULL) {
		commandline_start(m, line, line);	/* --help, --version */
	} else if ((why = find_hindrance(args)) != NULL) {
		monitor_say(m, m->now, true, "%s cannot be run here: %s", args->command->name, why);
	} else if (!args->command->action) {
		commandline_start(m, line, line);
	} else if ((why = monitor_forbids(m)) != NULL) {
		monitor_say(m, m->now, true, "%s is refused: %s", args->command->name, why);
	} else {
		deed_open_command(m, line);
	}
}

void commandline_run(struct monitor *m, const char *line)
{
	char text[EDIT_SIZE], *words[WORDS_MAX + 1] = { (char[]){ "chime" } };
	struct args args = { 0 };
	struct trouble t = { 0 };
	size_t count, len;

	line += strspn(line, " :");
	if (strncmp(line, "chime ", 6) == 0)
		line += 6 + strspn(line + 6, " ");
	len = strlen(line);
	while (len > 0 && line[len - 1] == ' ')
		len--;
	if (len == 0)
		return;
	char *copy = say_format("%.*s", (int)len, line);
	remember_line(m, copy);
	if (run_own(m, copy))
		goto out;
	snprintf(text, sizeof(text), "%s", copy);
	if (!words_split(text, words + 1, &count)) {
		monitor_say(m, m->now, true, "a quote is not closed, or there are too many words");
		goto out;
	}
	if (args_parse((int)count + 1, words, &args, &t) != 0)
		monitor_say(m, m->now, true, "%s%s%.120s", t.what, t.hint[0] != '\0' ? "  try: " : "",
			    t.hint);
	else if (args.command == NULL && args.value[OPT_HELP] == NULL &&
		 args.value[OPT_VERSION] == NULL)
		monitor_say(m, m->now, true, "there is no command in it. try: :ls, or :help");
	else
		judge_command(m, copy, &args);
	args_fini(&args);
out:
	free(copy);
}
