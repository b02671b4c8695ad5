/*
 * cmd.c - which command has which handler, and what several of them need: targets, times.
 */
#include "client/cmd.h"

#include "proto/names.h"

#include <stdlib.h>
#include <string.h>

static const struct { const char *name; command_fn *handler; } handlers[] = {
	{ "status", cmd_status },
	{ "ls", cmd_ls },
	{ "show", cmd_show },
	{ "why", cmd_why },
	{ "runs", cmd_runs },
	{ "log", cmd_log },
	{ "events", cmd_events },
	{ "next", cmd_next },
	{ "monitor", cmd_monitor },
	{ "start", cmd_start },
	{ "kill", cmd_kill },
	{ "hold", cmd_hold },
	{ "release", cmd_release },
	{ "reload", cmd_reload },
	{ "check", cmd_check },
	{ "server ls", cmd_server_ls },
	{ "server trust", cmd_server_trust },
	{ "discover", cmd_discover },
	{ "ca init", cmd_ca_init },
	{ "ca issue", cmd_ca_issue },
	{ "demo", cmd_demo },
	{ "completion", cmd_completion },
	{ "version", cmd_version },
	{ "help", cmd_help },
};

command_fn *command_handler(const struct command *command)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if (command->name != NULL && strcmp(handlers[i].name, command->name) == 0)
			return handlers[i].handler;
	}
	return NULL;
}

static void add_target(char ***targets, size_t *count, const char *text)
{
	*targets = say_realloc(*targets, *count + 1, sizeof(**targets));
	(*targets)[(*count)++] = say_strdup(text);
}

/* More of them from stdin, one a line. */
static void read_more(char ***targets, size_t *count)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) >= 0) {
		while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
			line[--len] = '\0';
		if (len > 0)
			add_target(targets, count, line);
	}
	free(line);
}

/* Files are no targets: `check` takes any text. */
static int judge_target(const struct session *s, const char *text)
{
	struct target target;
	struct trouble t;
	const char *why;

	if (s->args.command->role == ROLE_NONE || target_parse(text, &target, &why) == 0)
		return 0;
	trouble_set(&t, EXIT_USAGE, "'%s' is no target", text);
	trouble_why(&t, "it %s", why);
	trouble_hint(&t, "chime help targets");
	return trouble_print(&t);
}

int targets_read(struct session *s, size_t least, size_t most, char ***targets, size_t *count)
{
	const char *name = s->args.command->name;
	struct trouble t;
	int code = 0;

	*targets = NULL;
	*count = 0;
	for (size_t i = 0; i < s->args.word_count; i++) {
		if (strcmp(s->args.word[i], "-") == 0 && most > 1)
			read_more(targets, count);
		else
			add_target(targets, count, s->args.word[i]);
	}
	if (*count < least) {
		trouble_set(&t, EXIT_USAGE, "%s needs a target", name);
		trouble_hint(&t, "chime %s --help        chime ls", name);
		code = trouble_print(&t);
	} else if (*count > most) {
		if (most == 0)
			trouble_set(&t, EXIT_USAGE, "%s takes no target: '%s'", name,
				    (*targets)[0]);
		else
			trouble_set(&t, EXIT_USAGE, "%s takes one target, not %zu", name, *count);
		trouble_hint(&t, "chime %s --help", name);
		code = trouble_print(&t);
	}
	for (size_t i = 0; i < *count && code == 0; i++)
		code = judge_target(s, (*targets)[i]);
	if (code != 0) {
		targets_free(*targets, *count);
		*targets = NULL;
		*count = 0;
	}
	return code;
}

void targets_free(char **targets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(targets[i]);
	free(targets);
}

int time_read(struct session *s, const char *text, int64_t *wall_us, struct trouble *t)
{
	int64_t span_us;

	if (instant_parse(text, wall_us) == 0)
		return 0;
	if (duration_parse(text, &span_us) == 0) {
		*wall_us = s->out.now_us - span_us;
		return 0;
	}
	trouble_set(t, EXIT_USAGE, "'%s' is no time", text);
	trouble_hint(t, "2026-11-20T21:14:05Z   or 10m (that long ago)");
	return EXIT_USAGE;
}
