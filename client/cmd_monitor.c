/*
 * cmd_monitor.c - the monitor as a command: its options, and the loop.
 */
#include "client/cmd.h"

#include "client/monitor/loop.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_view(const struct session *s, enum view_id *view, struct trouble *t)
{
	static const struct { const char *name; enum view_id view; } names[] = {
		{ "jobs", VIEW_JOBS }, { "servers", VIEW_SERVERS }, { "events", VIEW_EVENTS },
	};
	const char *text = s->args.value[OPT_VIEW];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (text == NULL || strcmp(names[i].name, text) == 0) {
			*view = names[i].view;
			return 0;
		}
	}
	trouble_set(t, EXIT_USAGE, "there is no view '%s' to begin with", text);
	trouble_hint(t, "--view jobs, servers or events");
	return EXIT_USAGE;
}

static int judge_filter(const struct session *s, struct trouble *t)
{
	struct rows rows;
	char err[200];

	if (s->args.value[OPT_FILTER] == NULL)
		return 0;
	rows_init(&rows);
	int code = 0;
	if (rows_set_filter(&rows, s->args.value[OPT_FILTER], err, sizeof(err)) != 0) {
		code = trouble_set(t, EXIT_USAGE, "the filter cannot be used");
		trouble_why(t, "%s", err);
	}
	rows_fini(&rows);
	return code;
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);
	return value != NULL && value[0] != '\0' && strcmp(value, "0") != 0;
}

static int judge_terminal(struct trouble *t)
{
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return 0;
	trouble_set(t, EXIT_USAGE, "the monitor needs a terminal");
	trouble_hint(t, "chime status        chime ls --trouble        chime events -f");
	return EXIT_USAGE;
}

int cmd_monitor(struct session *s)
{
	struct loop_options options = {
		.failover = s->conf.failover,
		.monitor = {
			.filter = s->args.value[OPT_FILTER],
			.utc = args_given(&s->args, OPT_UTC),
			.mouse = args_given(&s->args, OPT_MOUSE),
		},
	};
	struct trouble t = { 0 };

	if (args_given(&s->args, OPT_READ_ONLY) || is_set("CHIME_READONLY")) {
		options.monitor.read_only = true;
		options.monitor.read_only_why = args_given(&s->args, OPT_READ_ONLY)
			? "the monitor was started with --read-only"
			: "CHIME_READONLY is set";
	}
	s->out.color = s->out.color && !args_given(&s->args, OPT_MONO);
	int code = targets_read(s, 0, 0, &(char **){ NULL }, &(size_t){ 0 });
	if (code != 0)
		return code;
	code = read_view(s, &options.monitor.view, &t);
	if (code == 0)
		code = judge_filter(s, &t);
	if (code == 0)
		code = judge_terminal(&t);
	if (code == 0)
		code = session_identity(s, &t);
	if (code == 0)
		code = loop_run(s, &options, &t);
	if (code != 0 && code != EXIT_INTERRUPTED)
		trouble_print(&t);
	return code;
}
