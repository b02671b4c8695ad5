/*
 * cmd_completion.c - the scripts that complete chime's words in bash, zsh and fish: those of
 * packaging/completions with a table of the program's own commands and options.
 *
 * A line of the table is KIND|COMMAND|OPTION|VALUE|TEXT:
 *
 *	command|ca init||none|make a new environment
 *	option|ls|--sort|word state job server since next|state (default: trouble first), ...
 *	option|*|-q||only errors
 *
 * COMMAND * means every command. VALUE says what may follow: target, server, file, dir, zone (a
 * file of the zone database), "word A B C" (one of), "list A B C" (some, with commas), text
 * (nothing is known of it), none; "" stands with options that take no value. All of it is read
 * from the help texts (proto/commands.h), so a new command or option is there by itself.
 */
#include "client/cmd.h"

#include "client/completion.h"
#include "daemon/core/event.h"
#include "proto/names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a shell writes what ends its single quotes. */
static const struct shell {
	const char *name, *script;
	const char *quote, *backslash;
} shells[] = {
	{ "bash", completion_bash, "'\\''", "\\" },
	{ "zsh", completion_zsh, "'\\''", "\\" },
	{ "fish", completion_fish, "\\'", "\\\\" },
};
enum { SHELLS = sizeof(shells) / sizeof(shells[0]) };

/* What help says of an option: "--sort COLUMN      state, job, server". */
struct said {
	char value[32];			/* COLUMN; "" = none */
	const char *text;		/* not terminated */
	size_t len;
};

static size_t count_of(const char *text, const char *letters)
{
	return strspn(text, letters);
}

static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char lower[] = "abcdefghijklmnopqrstuvwxyz-_.";

/* The option at the beginning of its explanation, not where another one speaks of it. */
static const char *find_option(const char *help, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = help; at != NULL && (at = strstr(at, name)) != NULL; at += len) {
		bool begins = at == help || at[-1] == '\n' ||
			      (at - help > 1 && at[-1] == ' ' && (at[-2] == ' ' || at[-2] == ','));
		if (begins && (at[len] == '\0' || strchr(" ,\t\n", at[len]) != NULL))
			return at;
	}
	return NULL;
}

/* " COLUMN" after an option; returns what follows. */
static const char *skip_value(const char *at, char *value, size_t size)
{
	size_t len = at[0] == ' ' ? count_of(at + 1, upper) : 0;

	if (len < 2)
		len = len == 1 && (at[2] == ' ' || at[2] == '\n') ? 1 : 0;
	snprintf(value, size, "%.*s", (int)len, len > 0 ? at + 1 : "");
	return len > 0 ? at + 1 + len : at;
}

/* Up to the end of the line, or to another option on it. */
static size_t text_length(const char *at)
{
	size_t len = strcspn(at, "\n");

	for (size_t i = 0; i + 2 < len; i++) {
		if (at[i] == ' ' && at[i + 1] == ' ' && at[i + 2] == '-')
			len = i;
	}
	while (len > 0 && at[len - 1] == ' ')
		len--;
	return len;
}

static void read_help(const char *help, const char *name, struct said *said)
{
	const char *at = find_option(help, name);
	char other[32];

	*said = (struct said){ .text = "" };
	if (at == NULL)
		return;
	at = skip_value(at + strlen(name), said->value, sizeof(said->value));
	/* "--utc, --tz ZONE   show times there": one explanation for both. */
	while (at[0] == ',' && at[1] == ' ' && at[2] == '-') {
		at += 2 + strcspn(at + 2, " ,\n");
		at = skip_value(at, other, sizeof(other));
	}
	at += count_of(at, " ");
	said->text = at;
	said->len = text_length(at);
}

/* ---- values ---- */

/* "state (default: trouble first), job or server" -> "state job server". False when it is no
 * list of words. */
static bool read_words(const char *text, size_t len, char *out, size_t size)
{
	size_t used = 0, count = 0;

	for (const char *end = text + len; text < end;) {
		size_t word = count_of(text, lower);
		if (word == 0 || used + word + 2 > size)
			return false;
		used += (size_t)snprintf(out + used, size - used, "%s%.*s", used > 0 ? " " : "",
					 (int)word, text);
		count++;
		text += word;
		if (text + 2 < end && strncmp(text, " (", 2) == 0) {
			text += strcspn(text, ")\n");
			text += *text == ')';
		}
		if (text < end && *text == ',')
			text++;
		else if (end - text > 4 && strncmp(text, " or ", 4) == 0)
			text += 3;
		else if (text < end)
			return false;
		text += count_of(text, " ");
	}
	return count > 1;
}

/* The same where it ends a sentence: "begin with jobs, servers or events". */
static bool read_last_words(const char *text, size_t len, char *out, size_t size)
{
	const char *at = memchr(text, ',', len);

	if (at == NULL)
		return false;
	while (at > text && strchr(lower, at[-1]) != NULL)
		at--;
	return memmem(at, len - (size_t)(at - text), " or ", 4) != NULL &&
	       read_words(at, len - (size_t)(at - text), out, size);
}

static void print_kinds(FILE *to)
{
	const ProtobufCMessageDescriptor *event = &chime__event__descriptor;

	fputs("list", to);
	for (unsigned i = 0; i < event->n_fields; i++) {
		if (event->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
			fprintf(to, " %s",
				event_kind_name((Chime__Event__BodyCase)event->fields[i].id));
	}
}

static void print_value(const char *name, const struct said *said, FILE *to)
{
	static const struct { const char *word, *value; } meanings[] = {
		{ "FILE", "file" }, { "DIR", "dir" }, { "ZONE", "zone" }, { "SERVER", "server" },
	};
	char words[256];

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (strcmp(meanings[i].word, said->value) == 0) {
			fputs(meanings[i].value, to);
			return;
		}
	}
	if (strcmp(name, "--server") == 0)
		fputs("server", to);
	else if (strcmp(name, "--type") == 0)
		print_kinds(to);
	else if (read_words(said->text, said->len, words, sizeof(words)) ||
		 read_last_words(said->text, said->len, words, sizeof(words)))
		fprintf(to, "%s %s", strcmp(said->value, "LIST") == 0 ? "list" : "word", words);
	else
		fputs("text", to);
}

/* Of all commands: "ca" for "ca init" and "ca issue". */
static void print_first_words(FILE *to)
{
	const char *last = "";

	for (size_t i = 0; i < command_count; i++) {
		const char *name = commands[i].name;
		size_t len = name != NULL ? strcspn(name, " ") : 0;

		if (len > 0 && (strncmp(last, name, len) != 0 || last[len] != ' '))
			fprintf(to, " %.*s", (int)len, name);
		last = name != NULL ? name : "";
	}
}

/* What stands after a command: "TARGET...\tstart it" and the like, a form each line. */
static void print_operand(const struct command *command, FILE *to)
{
	size_t left = strcspn(command->usage, "\t");
	char form[128], *bar;

	snprintf(form, sizeof(form), "%.*s", (int)left, command->usage);
	bar = strchr(form, '|');
	if (strstr(form, "COMMAND") != NULL) {
		const char *topics = strstr(command->usage, "topics: ");
		fputs("word", to);
		print_first_words(to);
		if (topics != NULL)
			fprintf(to, " %s", topics + strlen("topics: "));
	} else if (strstr(form, "TARGET") != NULL) {
		fputs("target", to);
	} else if (strstr(form, "[PATH") != NULL) {
		fputs("file", to);
	} else if (bar != NULL && form[count_of(form, lower)] == '|') {
		for (; bar != NULL; bar = strchr(bar, '|'))
			*bar = ' ';
		fprintf(to, "word %s", form);
	} else {
		fputs("none", to);
	}
}

/* ---- the table ---- */

/* What parts the table may stand in a text of help. */
static void print_text(const char *text, size_t len, FILE *to)
{
	for (size_t i = 0; i < len; i++)
		fputc(text[i] == '|' || text[i] == '\t' ? '/' : text[i], to);
	fputc('\n', to);
}

static void print_option(const struct command *command, enum option option, FILE *to)
{
	const char *name = option_name(option), *of = command != NULL ? command->name : "*";
	struct said said;

	read_help(command != NULL ? command->options : option_global_help, name, &said);
	for (int i = option_letter(option) != 0 ? 0 : 1; i < 2; i++) {
		if (i == 0)
			fprintf(to, "option|%s|-%c|", of, option_letter(option));
		else
			fprintf(to, "option|%s|%s|", of, name);
		if (option_has_value(option))
			print_value(name, &said, to);
		fputc('|', to);
		print_text(said.text, said.len, to);
	}
}

static void print_options(const struct command *command, FILE *to)
{
	for (int i = 0; i < OPT_COUNT_OF; i++) {
		bool global = option_taken(NULL, (enum option)i);

		if (command == NULL ? global : !global && option_taken(command, (enum option)i))
			print_option(command, (enum option)i, to);
	}
}

static void print_table(FILE *to)
{
	print_options(NULL, to);
	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = &commands[i];

		if (command->name == NULL)
			continue;
		fprintf(to, "command|%s||", command->name);
		print_operand(command, to);
		fputc('|', to);
		print_text(command->summary, strlen(command->summary), to);
		print_options(command, to);
	}
}

static void print_quoted(const struct shell *shell, const char *text, FILE *to)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs(shell->quote, to);
		else if (*text == '\\')
			fputs(shell->backslash, to);
		else
			fputc(*text, to);
	}
}

static void print_script(const struct shell *shell, FILE *to)
{
	const char *mark = strstr(shell->script, COMPLETION_MARK);
	char *table = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&table, &size);

	if (memory == NULL || mark == NULL)
		abort();
	print_table(memory);
	if (fclose(memory) != 0)
		abort();
	/* Its last newline stands in the script already. */
	if (size > 0)
		table[size - 1] = '\0';
	fwrite(shell->script, 1, (size_t)(mark - shell->script), to);
	print_quoted(shell, table, to);
	fputs(mark + strlen(COMPLETION_MARK), to);
	free(table);
}

int cmd_completion(struct session *s)
{
	const char *names[SHELLS], *nearest, *word = s->args.word_count > 0 ? s->args.word[0] : "";
	struct trouble t;

	for (size_t i = 0; i < SHELLS; i++) {
		if (strcmp(shells[i].name, word) == 0 && s->args.word_count == 1) {
			print_script(&shells[i], stdout);
			return 0;
		}
		names[i] = shells[i].name;
	}
	if (s->args.word_count != 1) {
		trouble_set(&t, EXIT_USAGE, "completion needs the name of one shell");
	} else {
		trouble_set(&t, EXIT_USAGE, "there are no completions for %s", word);
		nearest = name_nearest(word, names, SHELLS);
		if (nearest != NULL)
			trouble_why(&t, "did you mean %s?", nearest);
	}
	trouble_hint(&t, "chime completion bash   or zsh, fish");
	return trouble_print(&t);
}
