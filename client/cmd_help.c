/*
 * cmd_help.c - help and version, all from the command table.
 */
#include "client/cmd.h"

#include "client/json.h"
#include "proto/names.h"

#include "proto/version.h"

#include <string.h>

static const char *const groups[] = { "Look", "Act", "Define", "Run servers", "Tools" };

static const struct topic { const char *name, *text; } topics[] = {
	{ "targets",
		"TARGET  = NAME[@SERVER] | RUN[@SERVER] | @SERVER | -\n"
		"NAME    = parts joined by \"/\"          eod/report\n"
		"RUN     = digits, per server           8831@db1\n"
		"*  ?  % = wildcards (% needs no quotes); not across \"/\" except **\n"
		"-       = more targets from standard input, one a line\n\n"
		"A bare NAME is the job of the server that is asked if it has one, else the only\n"
		"one with that name; with several the command stops and lists them.\n" },
	{ "times",
		"Durations: 90s 5m 1h30m 2d 500ms\n"
		"Instants:  2026-11-20T21:14:05Z, 2026-11-20T22:14:05+01:00\n"
		"--since    an instant, or a duration: that long ago\n"
		"Shown in the local zone; --utc, --tz ZONE or CHIME_TZ change that. JSON is in UTC.\n" },
	{ "exit",
		"0  done (with --wait: the job ended in success)\n"
		"1  it failed: the job, the check, or the state forbids it\n"
		"2  wrong usage, or a question that could not be asked\n"
		"3  nothing matches, or the name is ambiguous\n"
		"4  not allowed for this identity\n"
		"5  nobody answers, or the server's certificate is not good\n"
		"6  time ran out\n"
		"7  some targets done, some not\n"
		"130 interrupted\n" },
	{ "env",
		"CHIME_CONFIG  chime.yaml         CHIME_VIA     as --via\n"
		"CHIME_SOCKET  the local socket   CHIME_TZ      as --tz\n"
		"CHIME_ASCII   as --ascii         NO_COLOR CLICOLOR_FORCE TERM COLUMNS TZ\n"
		"CHIME_TLS_CA  CHIME_TLS_CERTIFICATE  CHIME_TLS_KEY   instead of `identity`\n\n"
		"First that decides: option, variable, ~/.config/chime/chime.yaml,\n"
		"/etc/chime/chime.yaml, built in.\n" },
	{ "json",
		"--json gives one object with \"schema\": chime.jobs/1 (ls), chime.runs/1,\n"
		"chime.status/1, chime.job/1 (show), chime.why/1, chime.next/1, chime.log/1,\n"
		"chime.events/1, chime.servers/1, chime.discover/1, chime.action/1, chime.reload/1,\n"
		"chime.check/1, chime.demo/1 (its last line). Instants are UTC, durations seconds,\n"
		"null = unknown or none; no member ever goes away within a version.\n"
		"events -f --json gives one object a line (chime.event/1);\n"
		"next --file --json gives an array.\n" },
};

/* "TARGET...\tstart if ..." -> "  chime start TARGET...    start if ...", a line each. */
static void print_usage(const struct command *command, FILE *to)
{
	size_t width = 36;

	for (const char *p = command->usage; p != NULL && *p != '\0';) {
		size_t line = strcspn(p, "\n"), left = strcspn(p, "\t\n");
		size_t used = strlen("chime ") + strlen(command->name) + (left > 0) + left;

		fprintf(to, "  chime %s%s%.*s", command->name, left > 0 ? " " : "", (int)left, p);
		if (left < line)
			fprintf(to, "%*s  %.*s", used < width ? (int)(width - used) : 0, "",
				(int)(line - left - 1), p + left + 1);
		fputc('\n', to);
		p += line + (p[line] == '\n');
	}
}

void help_command(const struct command *command, FILE *to)
{
	fprintf(to, "%s\n\n", command->summary);
	print_usage(command, to);
	if (command->options != NULL)
		fprintf(to, "\n%s", command->options);
	if (command->examples != NULL)
		fprintf(to, "\nexamples\n%s", command->examples);
	if (command->see != NULL)
		fprintf(to, "see also: %s        man chime        chime help options\n",
			command->see);
}

bool help_group(const char *word, FILE *to)
{
	size_t len = strlen(word);
	bool any = false;

	for (size_t i = 0; i < command_count; i++) {
		const char *name = commands[i].name;
		if (name == NULL || strncmp(name, word, len) != 0 || name[len] != ' ')
			continue;
		if (any)
			fputc('\n', to);
		help_command(&commands[i], to);
		any = true;
	}
	return any;
}

void help_summary(FILE *to)
{
	fputs("usage: chime COMMAND [TARGET...]          chime help COMMAND, man chime\n", to);
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		fprintf(to, "\n%s\n", groups[g]);
		for (size_t i = 0; i < command_count; i++) {
			const struct command *c = &commands[i];
			if (c->name != NULL && strcmp(c->group, groups[g]) == 0)
				fprintf(to, "  %-13s %s\n", c->name, c->summary);
		}
	}
	fputs("\ntopics: targets times exit env json options\n", to);
}

static int refuse_topic(const char *word)
{
	const char *names[96];
	size_t count = 0;
	struct trouble t;

	for (size_t i = 0; i < command_count && count < 80; i++) {
		if (commands[i].name != NULL)
			names[count++] = commands[i].name;
	}
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		names[count++] = topics[i].name;
	const char *nearest = name_nearest(word, names, count);
	trouble_set(&t, EXIT_USAGE, "there is no command or topic %s", word);
	if (nearest != NULL)
		trouble_why(&t, "did you mean `%s`?", nearest);
	trouble_hint(&t, "chime help");
	return trouble_print(&t);
}

int cmd_help(struct session *s)
{
	char name[64];

	if (s->args.word_count == 0) {
		help_summary(stdout);
		return 0;
	}
	const char *word = s->args.word[0];
	snprintf(name, sizeof(name), "%.40s%s%.20s", word, s->args.word_count > 1 ? " " : "",
		 s->args.word_count > 1 ? s->args.word[1] : "");
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		if (strcmp(topics[i].name, name) == 0) {
			fputs(topics[i].text, stdout);
			return 0;
		}
	}
	if (strcmp(name, "options") == 0) {
		fputs("options of every command\n\n", stdout);
		fputs(option_global_help, stdout);
		return 0;
	}
	if (s->args.word_count == 1 && help_group(word, stdout))
		return 0;
	const struct command *command = command_find(name);
	if (command == NULL)
		return refuse_topic(name);
	help_command(command, stdout);
	return 0;
}

int cmd_version(struct session *s)
{
	if (s->out.format == OUT_JSON) {
		json_t *o = json_object();
		json_object_set_new(o, "schema", json_string("chime.version/1"));
		json_object_set_new(o, "version", json_string(CHIME_VERSION));
		json_object_set_new(o, "protocol", json_integer(CONN_PROTOCOL));
		return json_print(o);
	}
	printf("chime %s\n", CHIME_VERSION);
	if (args_given(&s->args, OPT_VERBOSE))
		printf("protocol %d, protobuf-c %s, jansson %s\n", CONN_PROTOCOL,
		       protobuf_c_version(), jansson_version_str());
	return 0;
}
