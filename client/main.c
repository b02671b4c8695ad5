/*
 * main.c - chime: reads the command line, finds the row in the command table, calls its handler.
 */
#include "client/cmd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static int give_help(const struct args *args)
{
	struct trouble t;

	if (args->command != NULL) {
		help_command(args->command, stdout);
		return 0;
	}
	if (args->typed == NULL) {
		help_summary(stdout);
		fputs("\noptions of every command\n", stdout);
		fputs(option_global_help, stdout);
		return 0;
	}
	if (help_group(args->typed, stdout))
		return 0;
	trouble_set(&t, EXIT_USAGE, "there is no command %s", args->typed);
	trouble_hint(&t, "chime help");
	return trouble_print(&t);
}

static int run(struct args *args)
{
	struct session s;
	struct trouble t = { 0 };
	int code = session_init(&s, args, &t);

	if (code != 0)
		trouble_print(&t);
	else
		code = command_handler(s.args.command)(&s);
	session_fini(&s);
	return code;
}

/* `chime` alone: where things stand, if that can be had at once, and what can be said. */
static int greet(struct args *args)
{
	struct session s;
	struct trouble t = { 0 };

	if (session_init(&s, args, &t) == 0)
		status_line(&s);
	session_fini(&s);
	help_summary(stdout);
	return 0;
}

/* --version is the command of that name. */
static void ask_version(struct args *args)
{
	args->command = command_find("version");
	args->word_count = 0;
}

int main(int argc, char **argv)
{
	struct args args;
	struct trouble t = { 0 };
	int code;

	/* A peer that goes away is an error of write(2), not the end of the program. */
	signal(SIGPIPE, SIG_IGN);
	code = args_parse(argc, argv, &args, &t);
	if (code != 0) {
		trouble_print(&t);
	} else if (args_given(&args, OPT_HELP)) {
		code = give_help(&args);
	} else if (args_given(&args, OPT_VERSION)) {
		ask_version(&args);
		code = run(&args);
	} else if (args.command == NULL) {
		code = greet(&args);
	} else {
		code = run(&args);
	}
	args_fini(&args);
	if (fflush(stdout) != 0 && errno != EPIPE && code == 0) {
		fprintf(stderr, "chime: cannot write the answer: %s\n", strerror(errno));
		code = EXIT_TROUBLE;
	}
	return code;
}
