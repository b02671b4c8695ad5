#include "daemon/jobdraft.h"

#include "proto/names.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* 2024-01-01T00:00:00Z: the default start of the five years a schedule must come in. */
#define FROM_DEFAULT_S INT64_C(1704067200)

/* Known to the format, but of a later version: never ignored, never "unknown". */
static const char *const later_keys[] = {
	"owner", "runbook", "tags", "group", "umask", "nice", "env_file", "stdin", "limits",
	"calendar", "roll", "jitter", "missed", "window", "on_unknown", "expire_after", "once",
	"locks", "priority", "retry", "retry_on", "start_deadline", "attempt_time", "lost",
	"must_start_by", "must_end_by", "usual", "alert", "on_failure", "on_success", "on_late",
	"confirm", "keep_output", "max_output", "params",
};
enum { LATER_KEYS = sizeof(later_keys) / sizeof(*later_keys) };


static size_t find_key(const char *name)
{
	size_t key = 0;

	while (key < KEYS && strcmp(job_readers[key].name, name) != 0)
		key++;
	return key;
}

static bool is_later_key(const char *name)
{
	for (size_t i = 0; i < LATER_KEYS; i++)
		if (!strcmp(later_keys[i], name))
			return true;
	return false;
}

static void refuse_key(struct draft *draft, struct yaml_node *node, const char *where)
{
	struct diag_place place = yaml_place_key(draft->loader->file, node);
	const char *names[KEYS];
	char hint[80];

	for (size_t i = 0; i < KEYS; i++)
		names[i] = job_readers[i].name;
	if (is_later_key(node->key))
		draft_refuse_at(draft, node, &place, NULL,
				"key '%s' is not supported by this version", node->key);
	else if (!strcmp(node->key, "defaults"))
		draft_refuse_at(draft, node, &place, "put '---' between them",
				"'defaults' stands alone in its document");
	else
		draft_refuse_at(draft, node, &place,
				diag_nearest(hint, sizeof(hint), node->key, names, KEYS),
				"unknown key '%s'%s", node->key, where);
}

/* Sorts the document's own keys into the draft. */
static void sort_keys(struct draft *draft, struct yaml_node *map, const char *where)
{
	for (struct yaml_node *node = map->child; node; node = node->next) {
		size_t key = find_key(node->key);

		if (key == KEYS) {
			refuse_key(draft, node, where);
			continue;
		}
		draft->value[key] = node;
		draft->own[key] = true;
	}
}

static bool is_schedule(size_t key)
{
	return key == KEY_AT || key == KEY_CRON || key == KEY_EVERY;
}

static bool has_schedule(struct yaml_node *const *values)
{
	return values[KEY_AT] || values[KEY_CRON] || values[KEY_EVERY];
}

static void take_defaults(struct draft *draft)
{
	bool scheduled = has_schedule(draft->value);

	for (size_t key = 0; key < KEYS; key++)
		if (!draft->value[key] && !(is_schedule(key) && scheduled))
			draft->value[key] = draft->loader->defaults[key];
	if (!draft->value[KEY_AT]) {
		for (size_t key = KEY_DST_GAP; key <= KEY_DST_OVERLAP; key++)
			if (!draft->own[key])
				draft->value[key] = NULL;
	}
}

static void init_def(struct job_def *def)
{
	*def = (struct job_def){ .enabled = true, .kill_grace_us = 30 * INT64_C(1000000) };
	def->success_codes[0] = 1;
	def->env = calloc(1, sizeof(*def->env));
	assert(def->env);
}

static void read_value(struct draft *draft, size_t key, struct yaml_node *node)
{
	if (node->bad)
		draft->failed = true;
	else
		job_readers[key].read(draft, node);
}

static void read_values(struct draft *draft)
{
	struct loader *loader = draft->loader;

	/* The environment alone is merged: defaults first, so that the job's own values win. */
	for (size_t i = 0; i < loader->env_default_count && !draft->is_defaults; i++)
		read_value(draft, KEY_ENV, loader->env_defaults[i]);
	for (size_t key = 0; key < KEYS; key++)
		if (draft->value[key])
			read_value(draft, key, draft->value[key]);
}

const struct zone *loader_find_zone(struct loader *loader, const char *name)
{
	struct zone *zone;

	if (loader->zone && !strcmp(loader->zone_name, name))
		return loader->zone;
	if (strlen(name) >= sizeof(loader->zone_name) || tzdata_load(name, &zone))
		return NULL;
	zone_free(loader->zone);
	loader->zone = zone;
	snprintf(loader->zone_name, sizeof(loader->zone_name), "%s", name);
	return zone;
}

static char *copy(const char *text)
{
	char *result = strdup(text);

	assert(result);
	return result;
}

/* A key that the job as a whole lacks: said at its name, else at its first line. */
static void require(struct draft *draft, struct yaml_node *document, const char *key,
		    const char *hint)
{
	struct yaml_node *at = draft->value[KEY_JOB] ? draft->value[KEY_JOB] : document;
	struct diag_place place = yaml_place(draft->loader->file, at);

	draft->failed = true;
	diag_error(draft->loader->diags, &place, hint, "key '%s' is missing", key);
}

/* What was not given, and what needs several keys at once. */
static void fill_defaults(struct draft *draft, struct yaml_node *document)
{
	const struct jobfile_options *options = draft->loader->options;
	struct job_def *def = draft->def;
	char zone[TZDATA_NAME_MAX + 1] = "UTC";

	if (!draft->value[KEY_JOB])
		require(draft, document, "job", "each document is one job; name it");
	if (!draft->value[KEY_RUN])
		require(draft, document, "run", "say what to run");
	if (!draft->value[KEY_SERVER] && options->server)
		def->server = copy(options->server);
	else if (!draft->value[KEY_SERVER])
		require(draft, document, "server", "say where it runs, here or in 'defaults'");
	if (!draft->value[KEY_USER] && options->need_user)
		require(draft, document, "user",
			"the launcher is root: say who the job runs as, here or in 'defaults'");
	if (def->run_is_text && !def->shell)
		def->shell = copy("/bin/sh");
	if (!draft->value[KEY_TIMEZONE]) {
		if (!options->timezone)
			tzdata_local_name(zone, sizeof(zone));
		def->timezone = copy(options->timezone ? options->timezone : zone);
	}
	def->schedule.gap = def->dst_gap;
	def->schedule.overlap = def->dst_overlap;
	/* Without a schedule a run takes its cycle from the event that makes it; a forced one:
	 * today. */
	if (def->schedule_kind != SCHEDULE_NONE)
		def->cycle = cycle_kind_resolve(def->cycle, &def->schedule);
	else if (def->cycle == CYCLE_DEFAULT)
		def->cycle = CYCLE_DAY;
}

static struct yaml_node *find_schedule(const struct draft *draft)
{
	return draft->value[KEY_AT] ? draft->value[KEY_AT] :
	       draft->value[KEY_CRON] ? draft->value[KEY_CRON] : draft->value[KEY_EVERY];
}

static void check_whole(struct draft *draft, struct yaml_node *document)
{
	int64_t from_s = draft->loader->options->from_s;
	struct job_def *def = draft->def;
	const struct zone *zone;
	struct slot slot;

	if (draft->failed)
		return;
	zone = loader_find_zone(draft->loader, def->timezone);
	if (!zone)
		draft_refuse(draft, document, "name one with 'timezone:', and install tzdata",
			     "the default time zone '%s' can't be read", def->timezone);
	else if (def->schedule_kind != SCHEDULE_NONE &&
		 schedule_next(&def->schedule, zone, from_s ? from_s : FROM_DEFAULT_S, &slot))
		draft_refuse(draft, find_schedule(draft), NULL,
			     "this time never comes within 5 years");
	else if (jobfile_hash(def))
		draft_refuse(draft, document, NULL,
			     "the definition with its defaults is larger than 256 KiB");
}

static char *copy_source(const struct diag_place *place)
{
	char *source = strndup(place->source, place->source_len);

	assert(source);
	return source;
}

/* Moves the finished definition into the set. */
static void add_job(struct draft *draft)
{
	struct jobset *set = draft->loader->set;
	struct yaml_node *job = draft->value[KEY_JOB], *after = draft->value[KEY_AFTER];
	struct diag_place place = yaml_place(draft->loader->file, job);
	struct job_place *out;

	set->jobs = realloc(set->jobs, (set->count + 1) * sizeof(*set->jobs));
	set->places = realloc(set->places, (set->count + 1) * sizeof(*set->places));
	assert(set->jobs && set->places);
	set->jobs[set->count] = *draft->def;
	out = &set->places[set->count++];
	*out = (struct job_place){ .column = place.column, .width = place.width };
	out->source = copy_source(&place);
	if (!after)
		return;
	place = yaml_place(draft->loader->file, after);
	out->after_source = copy_source(&place);
	out->after_line = place.line;
	out->after_exact = after->text_column != 0;
	out->after_column = out->after_exact ? after->text_column : place.column;
	out->after_width = place.width;
}

static void read_job_document(struct loader *loader, struct yaml_node *document)
{
	const struct yaml_node *name = yaml_find(document, "job");
	struct job_def def;
	struct draft draft = { .loader = loader, .def = &def };
	char where[NAME_JOB_MAX + 16] = "";

	init_def(&def);
	draft.failed = document->bad;
	if (name && name->kind == YAML_TEXT && name_job_valid(name->text, NULL))
		snprintf(where, sizeof(where), " in job %s", name->text);
	sort_keys(&draft, document, where);
	take_defaults(&draft);
	read_values(&draft);
	fill_defaults(&draft, document);
	check_whole(&draft, document);
	if (draft.failed) {
		job_def_fini(&def);
		return;
	}
	def.file = copy(loader->file->name);
	add_job(&draft);
}

static void keep_default(struct loader *loader, size_t key, struct yaml_node *node)
{
	if (key != KEY_ENV) {
		loader->defaults[key] = node;
		return;
	}
	loader->env_defaults = realloc(loader->env_defaults, (loader->env_default_count + 1) *
				       sizeof(struct yaml_node *));
	assert(loader->env_defaults);
	loader->env_defaults[loader->env_default_count++] = node;
}

static void read_defaults_document(struct loader *loader, struct yaml_node *defaults)
{
	struct job_def def;
	struct draft draft = { .loader = loader, .def = &def, .is_defaults = true };
	struct diag_place place;

	if (defaults->kind != YAML_MAP) {
		place = yaml_place(loader->file, defaults);
		diag_error(loader->diags, &place, NULL, "'defaults' takes a mapping of keys");
		return;
	}
	/* Values are read once for their errors, also when no job follows. */
	init_def(&def);
	sort_keys(&draft, defaults, " in defaults");
	if (draft.value[KEY_JOB]) {
		place = yaml_place_key(loader->file, draft.value[KEY_JOB]);
		draft_refuse_at(&draft, draft.value[KEY_JOB], &place, NULL,
				"'job' can't have a default");
		draft.value[KEY_JOB] = NULL;
	}
	read_values(&draft);
	job_def_fini(&def);
	if (has_schedule(draft.value))
		for (size_t key = KEY_AT; key <= KEY_EVERY; key++)
			loader->defaults[key] = NULL;
	for (size_t key = 0; key < KEYS; key++)
		if (draft.value[key])
			keep_default(loader, key, draft.value[key]);
}

static void read_document(struct loader *loader, struct yaml_node *document)
{
	struct diag_place place;

	if (document->kind != YAML_MAP) {
		place = yaml_place(loader->file, document);
		if (!document->bad)
			diag_error(loader->diags, &place, "begin with 'job: NAME'",
				   "a job is a mapping of keys");
		return;
	}
	if (document->count == 1 && !strcmp(document->child->key, "defaults"))
		read_defaults_document(loader, document->child);
	else
		read_job_document(loader, document);
}

void jobfile_read(const char *text, size_t len, const char *name,
		  const struct jobfile_options *options, struct jobset *set, struct diags *diags)
{
	struct yaml_file file;
	struct loader loader = {
		.file = &file, .options = options, .set = set, .diags = diags,
	};

	yaml_parse(text, len, name, &file, diags);
	for (struct yaml_node *document = file.documents; document; document = document->next)
		read_document(&loader, document);
	set->files++;
	zone_free(loader.zone);
	free(loader.env_defaults);
	yaml_file_fini(&file);
}
