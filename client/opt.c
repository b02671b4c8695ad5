/*
 * opt.c - see opt.h.
 */
#include "client/opt.h"

#include "proto/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct row {
	const char *name;	/* with its dashes */
	char letter;		/* 0 = none */
	bool argument;
	bool global;
} rows[OPT_COUNT_OF] = {
	[OPT_HELP] = { "--help", 'h', false, true },
	[OPT_VERSION] = { "--version", 0, false, true },
	[OPT_VIA] = { "--via", 0, true, true },
	[OPT_CONFIG] = { "--config", 0, true, true },
	[OPT_JSON] = { "--json", 0, false, true },
	[OPT_OUTPUT] = { "--output", 'o', true, true },
	[OPT_NO_HEADER] = { "--no-header", 'H', false, true },
	[OPT_QUIET] = { "--quiet", 'q', false, true },
	[OPT_VERBOSE] = { "--verbose", 'v', false, true },
	[OPT_COLOR] = { "--color", 0, true, true },
	[OPT_ASCII] = { "--ascii", 0, false, true },
	[OPT_UTC] = { "--utc", 0, false, true },
	[OPT_TZ] = { "--tz", 0, true, true },
	[OPT_TIMEOUT] = { "--timeout", 0, true, true },
	[OPT_NO_INPUT] = { "--no-input", 0, false, true },
	[OPT_YES] = { "--yes", 'y', false, false },
	[OPT_DRY_RUN] = { "--dry-run", 0, false, false },
	[OPT_REASON] = { "--reason", 0, true, false },
	[OPT_EXPECT] = { "--expect", 0, true, false },
	[OPT_KEY] = { "--key", 0, true, false },
	[OPT_CHECK] = { "--check", 0, false, false },
	[OPT_TROUBLE] = { "--trouble", 0, false, false },
	[OPT_SORT] = { "--sort", 0, true, false },
	[OPT_LIMIT] = { "--limit", 0, true, false },
	[OPT_DEF] = { "--def", 0, false, false },
	[OPT_ATTEMPTS] = { "--attempts", 0, false, false },
	[OPT_FOLLOW] = { "--follow", 'f', false, false },
	[OPT_LINES] = { "--lines", 'n', true, false },
	[OPT_RAW] = { "--raw", 0, false, false },
	[OPT_SINCE] = { "--since", 0, true, false },
	[OPT_SERVER] = { "--server", 0, true, false },
	[OPT_FROM] = { "--from", 0, true, false },
	[OPT_TYPE] = { "--type", 0, true, false },
	[OPT_COUNT] = { "--count", 0, true, false },
	[OPT_FILE] = { "--file", 0, true, false },
	[OPT_FORCE] = { "--force", 0, false, false },
	[OPT_IGNORE] = { "--ignore", 0, true, false },
	[OPT_CYCLE] = { "--cycle", 0, true, false },
	[OPT_NO_DOWNSTREAM] = { "--no-downstream", 0, false, false },
	[OPT_WAIT] = { "--wait", 0, false, false },
	[OPT_WARNINGS] = { "--warnings", 'W', false, false },
	[OPT_INTERFACE] = { "--interface", 0, true, false },
	[OPT_FOR] = { "--for", 0, true, false },
	[OPT_ENVIRONMENT] = { "--environment", 0, true, false },
	[OPT_DIR] = { "--dir", 0, true, false },
	[OPT_ROLE] = { "--role", 0, true, false },
	[OPT_NAME] = { "--name", 0, true, false },
	[OPT_OUT] = { "--out", 0, true, false },
	[OPT_UNTIL] = { "--until", 0, true, false },
	[OPT_SERVERS] = { "--servers", 0, true, false },
	[OPT_KEEP] = { "--keep", 0, false, false },
	[OPT_NO_MONITOR] = { "--no-monitor", 0, false, false },
	[OPT_MONO] = { "--mono", 'C', false, false },
	[OPT_READ_ONLY] = { "--read-only", 0, false, false },
	[OPT_VIEW] = { "--view", 0, true, false },
	[OPT_FILTER] = { "--filter", 0, true, false },
	[OPT_MOUSE] = { "--mouse", 0, false, false },
};

const char option_global_help[] =
	"  --via SERVER       ask this server: its name, HOST:PORT, or the path of a socket\n"
	"  --config FILE      instead of ~/.config/chime/chime.yaml or /etc/chime/chime.yaml\n"
	"  --json             one JSON object (see: chime help json)\n"
	"  -o, --output FMT   table, wide, name, json, tsv\n"
	"  -H, --no-header    without the line of column names\n"
	"  -q, --quiet        only errors          -v, --verbose  say what is asked of whom\n"
	"  --color WHEN       auto, always, never  --ascii        no UTF-8 glyphs\n"
	"  --utc, --tz ZONE   show times there instead of in the local zone\n"
	"  --timeout DURATION default 5s for questions, 30s for actions\n"
	"  --no-input         never ask, stop instead\n"
	"  -h, --help         of a command         --version\n";

const char *option_name(enum option option)
{
	return rows[option].name;
}

char option_letter(enum option option)
{
	return rows[option].letter;
}

bool option_has_value(enum option option)
{
	return rows[option].argument;
}

/* Is `name` a whole word of the text? */
static bool text_names(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = text; at != NULL && (at = strstr(at, name)) != NULL; at += len) {
		char after = at[len];
		bool ends = after == '\0' || strchr(" \t\n,=[]", after) != NULL;
		if (ends && (at == text || strchr(" \t\n[,", at[-1]) != NULL))
			return true;
	}
	return false;
}

bool option_taken(const struct command *command, enum option option)
{
	if (rows[option].global)
		return true;
	if (command == NULL)
		return false;
	/* Two that everybody types; harmless where nothing asks. */
	if (option == OPT_YES && command->action)
		return true;
	return text_names(command->options, rows[option].name) ||
	       text_names(command->usage, rows[option].name);
}

static int find_long(const char *name, size_t len)
{
	for (int i = 0; i < OPT_COUNT_OF; i++) {
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
			return i;
	}
	return -1;
}

static int find_letter(char letter)
{
	for (int i = 0; i < OPT_COUNT_OF; i++) {
		if (rows[i].letter == letter)
			return i;
	}
	return -1;
}

/* One option as it stood on the command line, before it is known which command it is for. */
struct found {
	int option;		/* -1 = unknown */
	const char *text;	/* as typed */
	const char *value;
};

struct reader {
	struct found *list;
	size_t count;
	struct trouble *t;
};

static void add_found(struct reader *r, int option, const char *text, const char *value)
{
	r->list = say_realloc(r->list, r->count + 1, sizeof(*r->list));
	r->list[r->count++] = (struct found){ option, text, value };
}

static int missing_argument(struct reader *r, const char *name)
{
	trouble_set(r->t, EXIT_USAGE, "%s needs a value", name);
	return EXIT_USAGE;
}

/* Returns how many words of argv it used, or -1. */
static int read_long(struct reader *r, char **argv, int left)
{
	const char *text = argv[0];
	size_t len = strcspn(text, "=");
	int option = find_long(text, len);

	if (option < 0 || !rows[option].argument) {
		if (option >= 0 && text[len] == '=') {
			trouble_set(r->t, EXIT_USAGE, "%s takes no value", rows[option].name);
			return -1;
		}
		add_found(r, option, text, "");
		return 1;
	}
	if (text[len] == '=') {
		add_found(r, option, text, text + len + 1);
		return 1;
	}
	if (left < 2) {
		missing_argument(r, rows[option].name);
		return -1;
	}
	add_found(r, option, text, argv[1]);
	return 2;
}

static int read_short(struct reader *r, char **argv, int left)
{
	for (const char *p = argv[0] + 1; *p != '\0'; p++) {
		int option = find_letter(*p);
		if (option < 0 || !rows[option].argument) {
			add_found(r, option, argv[0], "");
			if (option < 0)
				return 1;
			continue;
		}
		if (p[1] != '\0') {
			add_found(r, option, argv[0], p + 1);
			return 1;
		}
		if (left < 2) {
			missing_argument(r, rows[option].name);
			return -1;
		}
		add_found(r, option, argv[0], argv[1]);
		return 2;
	}
	return 1;
}

/* The command is one word or two ("server ls"). Returns how many. */
static size_t find_command(struct args *args)
{
	char pair[64];

	if (args->word_count == 0)
		return 0;
	args->typed = args->word[0];
	if (args->word_count > 1) {
		int n = snprintf(pair, sizeof(pair), "%s %s", args->word[0], args->word[1]);
		if (n > 0 && (size_t)n < sizeof(pair)) {
			args->command = command_find(pair);
			if (args->command != NULL)
				return 2;
		}
	}
	args->command = command_find(args->word[0]);
	return args->command != NULL ? 1 : 0;
}

static const char *nearest_option(const struct command *command, const char *typed)
{
	const char *names[OPT_COUNT_OF];
	size_t count = 0;
	char word[64];

	for (int i = 0; i < OPT_COUNT_OF; i++) {
		if (option_taken(command, (enum option)i))
			names[count++] = rows[i].name;
	}
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(typed, "="), typed);
	return name_nearest(word, names, count);
}

static int refuse_option(const struct args *args, const struct found *found, struct trouble *t)
{
	const char *command = args->command != NULL ? args->command->name : NULL;
	const char *nearest = nearest_option(args->command, found->text);

	if (command != NULL)
		trouble_set(t, EXIT_USAGE, "%s has no option %s", command, found->text);
	else
		trouble_set(t, EXIT_USAGE, "there is no option %s", found->text);
	if (nearest != NULL)
		trouble_why(t, "did you mean %s?", nearest);
	trouble_hint(t, "chime %s%s--help", command != NULL ? command : "",
		     command != NULL ? " " : "");
	return EXIT_USAGE;
}

static int refuse_command(const struct args *args, struct trouble *t)
{
	const char *names[64], *nearest = NULL;
	char first[64];
	size_t count = 0, len = strlen(args->typed);

	for (size_t i = 0; i < command_count && count < 64; i++) {
		if (commands[i].name != NULL)
			names[count++] = commands[i].name;
	}
	/* `chime ca`: half a command. */
	for (size_t i = 0; i < count; i++) {
		if (strncmp(names[i], args->typed, len) == 0 && names[i][len] == ' ') {
			trouble_set(t, EXIT_USAGE, "%s needs one more word", args->typed);
			trouble_hint(t, "chime help %s", args->typed);
			return EXIT_USAGE;
		}
	}
	nearest = name_nearest(args->typed, names, count);
	snprintf(first, sizeof(first), "%.40s", args->typed);
	if (strcmp(first, "trigger") == 0 || strcmp(first, "run") == 0)
		nearest = "start";
	else if (strcmp(first, "ps") == 0)
		nearest = "ls";
	trouble_set(t, EXIT_USAGE, "there is no command %s", first);
	if (nearest != NULL)
		trouble_why(t, "did you mean `%s`?", nearest);
	trouble_hint(t, "chime help");
	return EXIT_USAGE;
}

/* Splits argv into options and words; nothing is judged yet but the grammar. */
static int read_words(struct reader *r, struct args *args, int argc, char **argv)
{
	for (int i = 1; i < argc;) {
		int used = 1;
		if (strcmp(argv[i], "--") == 0) {
			while (++i < argc)
				args->word[args->word_count++] = argv[i];
			return 0;
		}
		if (strncmp(argv[i], "--", 2) == 0)
			used = read_long(r, argv + i, argc - i);
		else if (argv[i][0] == '-' && argv[i][1] != '\0')
			used = read_short(r, argv + i, argc - i);
		else
			args->word[args->word_count++] = argv[i];
		if (used < 0)
			return EXIT_USAGE;
		i += used;
	}
	return 0;
}

int args_parse(int argc, char **argv, struct args *args, struct trouble *t)
{
	struct reader r = { .t = t };
	int code;

	*args = (struct args){ 0 };
	args->word = say_calloc((size_t)argc + 1, sizeof(*args->word));
	code = read_words(&r, args, argc, argv);
	if (code != 0)
		goto out;
	size_t used = find_command(args);
	bool wants_help = false;
	for (size_t i = 0; i < r.count; i++)
		wants_help |= r.list[i].option == OPT_HELP || r.list[i].option == OPT_VERSION;
	if (args->typed != NULL && args->command == NULL && !wants_help) {
		code = refuse_command(args, t);
		goto out;
	}
	args->word_count -= used;
	memmove(args->word, args->word + used, args->word_count * sizeof(*args->word));
	for (size_t i = 0; i < r.count; i++) {
		int option = r.list[i].option;
		if (option < 0 || (!option_taken(args->command, (enum option)option) &&
				   !wants_help)) {
			code = refuse_option(args, &r.list[i], t);
			goto out;
		}
		args->value[option] = r.list[i].value;
	}
out:
	free(r.list);
	return code;
}

void args_fini(struct args *args)
{
	free(args->word);
	*args = (struct args){ 0 };
}

int args_number(const struct args *args, enum option option, uint64_t least, uint64_t most,
		uint64_t *out, struct trouble *t)
{
	const char *text = args->value[option];
	char *end;

	if (text == NULL)
		return 0;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value >= least &&
	    value <= most) {
		*out = value;
		return 0;
	}
	trouble_set(t, EXIT_USAGE, "%s needs a number from %llu to %llu, not '%s'",
		    rows[option].name, (unsigned long long)least, (unsigned long long)most, text);
	return EXIT_USAGE;
}

int args_duration(const struct args *args, enum option option, int64_t *us, struct trouble *t)
{
	const char *text = args->value[option];

	if (text == NULL || duration_parse(text, us) == 0)
		return 0;
	trouble_set(t, EXIT_USAGE, "%s needs a duration, not '%s'", rows[option].name, text);
	trouble_hint(t, "%s 90s   or 5m, 1h30m, 2d", rows[option].name);
	return EXIT_USAGE;
}
