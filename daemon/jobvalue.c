#include "daemon/jobdraft.h"

#include "daemon/core/condition.h"
#include "daemon/zonehint.h"
#include "proto/names.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void refuse_va(struct draft *draft, struct yaml_node *node, const struct diag_place *place,
		      const char *hint, const char *format, va_list args)
{
	char text[512];

	draft->failed = true;
	/* One error a value: the same defaults are read again for each job. */
	if (node->bad)
		return;
	node->bad = true;
	vsnprintf(text, sizeof(text), format, args);
	diag_error(draft->loader->diags, place, hint, "%s", text);
}

void draft_refuse_at(struct draft *draft, struct yaml_node *node, const struct diag_place *place,
		     const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse_va(draft, node, place, hint, format, args);
	va_end(args);
}

void draft_refuse(struct draft *draft, struct yaml_node *node, const char *hint, const char *format,
		  ...)
{
	struct diag_place place = yaml_place(draft->loader->file, node);
	va_list args;

	va_start(args, format);
	refuse_va(draft, node, &place, hint, format, args);
	va_end(args);
}

static char *copy(const char *text)
{
	char *result = strdup(text);

	assert(result);
	return result;
}

static void put(char **field, const char *text)
{
	free(*field);
	*field = copy(text);
}

static bool has_control(const char *text, bool lines)
{
	size_t len = strlen(text), n;
	uint32_t code;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_decode(text + i, len - i, &code);
		if (!n || ((code < 0x20 || (code >= 0x7f && code < 0xa0)) &&
			   !(lines && (code == '\n' || code == '\t'))))
			return true;
	}
	return false;
}

/* The text of a value or list element, not empty; NULL with an error. */
static const char *find_text(struct draft *draft, struct yaml_node *node, bool lines)
{
	const char *key = node->key ? node->key : "this list";

	if (node->bad) {
		draft->failed = true;
		return NULL;
	}
	if (node->kind != YAML_TEXT)
		draft_refuse(draft, node, NULL, "'%s' takes text here, not a %s", key,
			     node->kind == YAML_LIST ? "list" : "mapping");
	else if (!*node->text)
		draft_refuse(draft, node, NULL, "'%s' has no value", key);
	else if (has_control(node->text, lines))
		draft_refuse(draft, node, NULL, "'%s' has a control character", key);
	else
		return node->text;
	return NULL;
}

static void read_job(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_text(draft, node, false), *why;

	if (!text)
		return;
	if (!name_job_valid(text, &why)) {
		draft_refuse(draft, node, NULL, "the name '%s' %s", text, why);
		return;
	}
	put(&draft->def->name, text);
	draft->def->line = node->line;
}

static void read_about(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_text(draft, node, true);

	if (text && strlen(text) > 1000)
		draft_refuse(draft, node, NULL, "'about' is longer than 1000 bytes");
	else if (text)
		put(&draft->def->about, text);
}

/* Appends the names and globs of one text to the list in `out`. */
static void add_servers(struct draft *draft, struct yaml_node *node, const char *text, FILE *out)
{
	static const char separators[] = " ,";
	const char *why, *at = text;
	char name[NAME_SERVER_MAX + 1];

	for (;;) {
		size_t len;

		at += strspn(at, separators);
		len = strcspn(at, separators);
		if (!len)
			return;
		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		if (len > NAME_SERVER_MAX || !name_server_pattern_valid(name, &why)) {
			draft_refuse(draft, node, NULL, "the server name '%.*s' %s",
				     (int)(len > 80 ? 80 : len), at,
				     len > NAME_SERVER_MAX ? "is longer than 63 bytes" : why);
			return;
		}
		fprintf(out, "%s%s", ftell(out) > 0 ? ", " : "", name);
		at += len;
	}
}

static void read_server(struct draft *draft, struct yaml_node *node)
{
	char *list = NULL;
	const char *text;
	size_t len = 0;
	FILE *out = open_memstream(&list, &len);

	assert(out);
	if (node->kind != YAML_LIST) {
		text = find_text(draft, node, false);
		if (text)
			add_servers(draft, node, text, out);
	} else {
		for (struct yaml_node *item = node->child; item; item = item->next) {
			text = find_text(draft, item, false);
			if (text)
				add_servers(draft, item, text, out);
		}
	}
	if (fclose(out))
		assert(!"out of memory");
	if (!len && !draft->failed)
		draft_refuse(draft, node, NULL, "'server' names no server");
	else if (len > 255)
		draft_refuse(draft, node, "use a glob", "'server' is longer than 255 bytes");
	else
		put(&draft->def->server, list);
	free(list);
}

static void free_list(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

static void read_run(struct draft *draft, struct yaml_node *node)
{
	struct job_def *def = draft->def;
	size_t count = 0;
	char **run = calloc((node->kind == YAML_LIST ? node->count : 1) + 1, sizeof(*run));

	assert(run);
	free_list(def->run);
	def->run = run;
	def->run_is_text = node->kind != YAML_LIST;
	if (node->bad || node->kind == YAML_MAP || (node->kind == YAML_TEXT && !*node->text)) {
		find_text(draft, node, true);
		return;
	}
	if (def->run_is_text) {
		run[0] = copy(node->text);
		return;
	}
	for (struct yaml_node *item = node->child; item; item = item->next) {
		if (item->bad || item->kind != YAML_TEXT)
			find_text(draft, item, true);
		else
			run[count++] = copy(item->text);
	}
	if (!node->child || (node->child->kind == YAML_TEXT && !*node->child->text))
		draft_refuse(draft, node->child ? node->child : node, NULL,
			     "'run' names no program");
}

static const char *find_path(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_text(draft, node, false);

	if (!text)
		return NULL;
	if (*text != '/')
		draft_refuse(draft, node, NULL, "'%s' must be an absolute path", node->key);
	else if (strlen(text) > 4095)
		draft_refuse(draft, node, NULL, "'%s' is longer than 4095 bytes", node->key);
	else
		return text;
	return NULL;
}

static void read_shell(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_path(draft, node);

	if (!text)
		return;
	if (draft->def->run_is_text)
		put(&draft->def->shell, text);
	else if (draft->own[KEY_SHELL] && draft->value[KEY_RUN])
		draft_refuse(draft, node, "write 'run' as one text, or leave 'shell' out",
			     "'shell' is for a 'run' that is text; a list is executed as written");
}

static void read_user(struct draft *draft, struct yaml_node *node)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char others[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
				     "0123456789.-";
	const char *text = find_text(draft, node, false);
	const char *only = draft->loader->options->only_user;

	if (!text)
		return;
	/* A number is no name: it could become somebody else's. */
	if (!strchr(letters, *text) || text[strspn(text, others)] || strlen(text) > 63)
		draft_refuse(draft, node, NULL, "'%s' is not a user name", text);
	else if (only && strcmp(only, text) != 0)
		draft_refuse(draft, node, "leave 'user' out, or run chimed as root",
			     "the launcher is '%s' and can't run a job as '%s'", only, text);
	else
		put(&draft->def->user, text);
}

static void read_dir(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_path(draft, node);

	if (text)
		put(&draft->def->dir, text);
}

static bool is_env_name(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return *name && strchr(letters, *name) && !name[strspn(name, all)] && strlen(name) <= 255;
}

static void put_env(struct job_def *def, const char *name, const char *value)
{
	size_t count = 0, len = strlen(name);
	char *entry;

	if (asprintf(&entry, "%s=%s", name, value) < 0)
		assert(!"out of memory");
	for (; def->env[count]; count++) {
		if (!strncmp(def->env[count], name, len) && def->env[count][len] == '=') {
			free(def->env[count]);
			def->env[count] = entry;
			return;
		}
	}
	def->env = realloc(def->env, (count + 2) * sizeof(*def->env));
	assert(def->env);
	def->env[count] = entry;
	def->env[count + 1] = NULL;
}

static void read_env(struct draft *draft, struct yaml_node *node)
{
	if (node->bad) {
		draft->failed = true;
		return;
	}
	if (node->kind != YAML_MAP) {
		draft_refuse(draft, node, "write it as NAME: value, one a line",
			     "'env' takes a mapping");
		return;
	}
	for (struct yaml_node *item = node->child; item; item = item->next) {
		struct diag_place place = yaml_place_key(draft->loader->file, item);

		if (!is_env_name(item->key))
			draft_refuse_at(draft, item, &place, NULL,
					"'%s' is not a name of a variable (A-Z a-z 0-9 _)",
					item->key);
		else if (!strncmp(item->key, "CHIME_", 6))
			draft_refuse_at(draft, item, &place, NULL,
					"'%s': names with CHIME_ are set by chime", item->key);
		else if (item->bad || item->kind != YAML_TEXT)
			find_text(draft, item, true);
		else
			put_env(draft->def, item->key, item->text);
	}
}

static void read_timezone(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_text(draft, node, false);
	char hint[128];

	if (!text)
		return;
	if (!loader_find_zone(draft->loader, text))
		draft_refuse(draft, node, zonehint_find(text, hint, sizeof(hint)),
			     "no time zone '%s'", text);
	else
		put(&draft->def->timezone, text);
}

/* dst_* on a job that has no wall clock times. */
static bool belongs_to_at(struct draft *draft, struct yaml_node *node)
{
	struct diag_place place = yaml_place_key(draft->loader->file, node);

	if (draft->value[KEY_AT] || draft->is_defaults)
		return true;
	draft_refuse_at(draft, node, &place, "leave it out", "'%s' belongs to 'at'; %s", node->key,
			draft->value[KEY_CRON] ? "cron has its own rules for changes of the clock" :
			draft->value[KEY_EVERY] ? "'every' does not follow changes of the clock" :
						  "this job has no 'at'");
	return false;
}

static void read_dst_gap(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_text(draft, node, false);

	if (text && dst_gap_parse(text, &draft->def->dst_gap))
		draft_refuse(draft, node, "after, each, shift or skip", "no such value '%s'", text);
	else if (text)
		belongs_to_at(draft, node);
}

static void read_dst_overlap(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_text(draft, node, false);

	if (text && dst_overlap_parse(text, &draft->def->dst_overlap))
		draft_refuse(draft, node, "first, second, both or skip", "no such value '%s'",
			     text);
	else if (text)
		belongs_to_at(draft, node);
}

static void read_schedule(struct draft *draft, struct yaml_node *node, enum schedule_kind kind)
{
	const char *text = find_text(draft, node, false);
	struct schedule_error error;
	struct diag_place place;

	if (!text)
		return;
	if (draft->def->schedule_kind != SCHEDULE_NONE) {
		place = yaml_place_key(draft->loader->file, node);
		draft_refuse_at(draft, node, &place, NULL, "'%s' and '%s' exclude each other",
				schedule_kind_name(draft->def->schedule_kind), node->key);
		return;
	}
	if (schedule_parse(&draft->def->schedule, kind, text, &error)) {
		place = yaml_place_part(draft->loader->file, node, error.column, error.width);
		draft_refuse_at(draft, node, &place, *error.hint ? error.hint : NULL, "%s",
				error.text);
		return;
	}
	draft->def->schedule_kind = kind;
	put(&draft->def->schedule_text, text);
}

static void read_at(struct draft *draft, struct yaml_node *node)
{
	read_schedule(draft, node, SCHEDULE_AT);
}

static void read_cron(struct draft *draft, struct yaml_node *node)
{
	read_schedule(draft, node, SCHEDULE_CRON);
}

static void read_every(struct draft *draft, struct yaml_node *node)
{
	read_schedule(draft, node, SCHEDULE_EVERY);
}

static void read_cycle(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_text(draft, node, false);

	if (!text)
		return;
	if (!strncmp(text, "day start", 9))
		draft_refuse(draft, node, NULL, "'day start' is not supported by this version");
	else if (cycle_kind_parse(text, &draft->def->cycle))
		draft_refuse(draft, node, "day, hour, week, month, slot or none",
			     "no such cycle '%s'", text);
}

static void read_after(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_text(draft, node, true);
	struct condition_error error;
	struct condition condition;
	struct diag_place place;

	if (!text)
		return;
	if (condition_parse(text, "", &condition, &error)) {
		place = yaml_place_part(draft->loader->file, node, error.column, error.width);
		draft_refuse_at(draft, node, &place, *error.hint ? error.hint : NULL, "%s",
				error.text);
		return;
	}
	condition_fini(&condition);
	put(&draft->def->after, text);
}

/* Decimal digits to a number of at most `max`; returns what follows them, or NULL. */
static const char *parse_number(const char *text, uint32_t max, uint32_t *value)
{
	const char *at = text;

	for (*value = 0; *at >= '0' && *at <= '9'; at++) {
		*value = *value * 10 + (uint32_t)(*at - '0');
		if (*value > max)
			return NULL;
	}
	return at == text ? NULL : at;
}

static void read_overlap(struct draft *draft, struct yaml_node *node)
{
	static const struct {
		const char *word;
		enum overlap_kind kind;
		uint32_t max;
	} rows[] = {
		{ "queue", OVERLAP_QUEUE, 100 },
		{ "parallel", OVERLAP_PARALLEL, 1000 },
	};
	const char *text = find_text(draft, node, false), *end;
	struct job_def *def = draft->def;

	if (!text)
		return;
	if (!strcmp(text, "skip") || !strcmp(text, "queue")) {
		def->overlap = *text == 's' ? OVERLAP_SKIP : OVERLAP_QUEUE;
		def->overlap_n = 1;
		return;
	}
	if (!strcmp(text, "replace")) {
		draft_refuse(draft, node, NULL,
			     "'overlap: replace' is not supported by this version");
		return;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = strlen(rows[i].word);

		if (strncmp(text, rows[i].word, len) != 0)
			continue;
		end = text[len] == ' ' ?
			      parse_number(text + len + 1, rows[i].max, &def->overlap_n) :
			      NULL;
		if (end && !*end && def->overlap_n) {
			def->overlap = rows[i].kind;
			return;
		}
		draft_refuse(draft, node, NULL, "'%s' takes a number from 1 to %u", rows[i].word,
			     rows[i].max);
		return;
	}
	draft_refuse(draft, node, "skip, queue N or parallel N", "no such overlap '%s'", text);
}

static void read_enabled(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_text(draft, node, false);

	if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		draft_refuse(draft, node, NULL, "'enabled' is true or false, not '%s'", text);
	else if (text)
		draft->def->enabled = *text == 't';
}

static void read_duration(struct draft *draft, struct yaml_node *node, int64_t *us)
{
	const char *text = find_text(draft, node, false);

	if (text && duration_parse(text, us))
		draft_refuse(draft, node, "write it like 90s, 5m, 1h30m or 2d",
			     "'%s' is not a duration", text);
}

static void read_max_time(struct draft *draft, struct yaml_node *node)
{
	if (node->kind == YAML_TEXT && !strcmp(node->text, "none"))
		draft->def->max_time_us = 0;
	else
		read_duration(draft, node, &draft->def->max_time_us);
}

static void read_kill_grace(struct draft *draft, struct yaml_node *node)
{
	read_duration(draft, node, &draft->def->kill_grace_us);
}

/* "0,3-5": false when it is not that. */
static bool add_codes(struct job_def *def, const char *text)
{
	for (;;) {
		uint32_t from, to;

		text = parse_number(text + strspn(text, " "), 255, &from);
		to = from;
		if (text && *text == '-')
			text = parse_number(text + 1, 255, &to);
		if (!text || to < from)
			return false;
		for (uint32_t code = from; code <= to; code++)
			def->success_codes[code / 8] |= (uint8_t)(1u << code % 8);
		text += strspn(text, " ");
		if (!*text)
			return true;
		if (*text++ != ',')
			return false;
	}
}

static void read_codes_of(struct draft *draft, struct yaml_node *node)
{
	const char *text = find_text(draft, node, false);

	if (text && !add_codes(draft->def, text))
		draft_refuse(draft, node, "write it like 0,3-5",
			     "'%s' is no list of exit codes 0-255", text);
}

static void read_success_codes(struct draft *draft, struct yaml_node *node)
{
	memset(draft->def->success_codes, 0, sizeof(draft->def->success_codes));
	if (node->kind != YAML_LIST) {
		read_codes_of(draft, node);
		return;
	}
	if (!node->child)
		draft_refuse(draft, node, NULL, "'success_codes' is empty");
	for (struct yaml_node *item = node->child; item; item = item->next)
		read_codes_of(draft, item);
}

const struct job_reader job_readers[KEYS] = {
	[KEY_JOB] = { "job", read_job },
	[KEY_ABOUT] = { "about", read_about },
	[KEY_SERVER] = { "server", read_server },
	[KEY_RUN] = { "run", read_run },
	[KEY_SHELL] = { "shell", read_shell },
	[KEY_USER] = { "user", read_user },
	[KEY_DIR] = { "dir", read_dir },
	[KEY_ENV] = { "env", read_env },
	[KEY_TIMEZONE] = { "timezone", read_timezone },
	[KEY_DST_GAP] = { "dst_gap", read_dst_gap },
	[KEY_DST_OVERLAP] = { "dst_overlap", read_dst_overlap },
	[KEY_AT] = { "at", read_at },
	[KEY_CRON] = { "cron", read_cron },
	[KEY_EVERY] = { "every", read_every },
	[KEY_CYCLE] = { "cycle", read_cycle },
	[KEY_AFTER] = { "after", read_after },
	[KEY_OVERLAP] = { "overlap", read_overlap },
	[KEY_ENABLED] = { "enabled", read_enabled },
	[KEY_MAX_TIME] = { "max_time", read_max_time },
	[KEY_KILL_GRACE] = { "kill_grace", read_kill_grace },
	[KEY_SUCCESS_CODES] = { "success_codes", read_success_codes },
};
