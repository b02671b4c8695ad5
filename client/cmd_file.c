/*
 * cmd_file.c - job files without any server: check, next --file.
 */
#include "client/cmd.h"

#include "client/json.h"
#include "daemon/core/schedule.h"
#include "daemon/jobfile.h"
#include "daemon/tzdata.h"
#include "proto/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static size_t count_servers(const struct jobset *set)
{
	char seen[256][NAME_SERVER_MAX + 1];
	size_t count = 0;

	for (size_t i = 0; i < set->count; i++) {
		const char *text = set->jobs[i].server;
		char name[NAME_SERVER_MAX + 1];
		while (text != NULL && jobset_next_server(&text, name)) {
			size_t k = 0;
			while (k < count && strcmp(seen[k], name) != 0)
				k++;
			if (k == count && count < 256)
				memcpy(seen[count++], name, sizeof(name));
		}
	}
	return count;
}

static json_t *diag_object(const struct diag *diag)
{
	json_t *o = json_object();

	json_object_set_new(o, "file", json_text(diag->file));
	json_object_set_new(o, "line", json_number(diag->line > 0, diag->line));
	json_object_set_new(o, "column", json_number(diag->column > 0, diag->column));
	json_object_set_new(o, "severity", json_string(diag->warning ? "warning" : "error"));
	json_object_set_new(o, "text", json_text(diag->text));
	json_object_set_new(o, "hint", json_text(diag->hint));
	return o;
}

struct checked {
	size_t files, jobs, servers, errors, warnings;
	json_t *list;			/* of diags; NULL = print them */
};

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* One path: a folder or a file. 0, or EXIT_USAGE when it can't be read. */
static int check_path(struct session *s, const char *path, struct checked *sum)
{
	struct jobfile_options options = { .server = s->args.value[OPT_SERVER] };
	struct diags diags = { 0 };
	struct jobset set = { 0 };
	struct trouble t;

	int error = jobset_load(path, &options, &set, &diags);
	if (error != 0) {
		trouble_set(&t, EXIT_USAGE, "cannot read %s", path);
		trouble_why(&t, "%s", strerror(-error));
		jobset_fini(&set);
		diags_fini(&diags);
		return trouble_print(&t);
	}
	if (diags.errors == 0)
		jobset_check(&set, &diags);
	for (size_t i = 0; sum->list != NULL && i < diags.count; i++)
		json_array_append_new(sum->list, diag_object(&diags.list[i]));
	if (sum->list == NULL) {
		struct stat st;
		bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
		char *prefix = folder ? say_format("%s%s", path, path[strlen(path) - 1] == '/'
						   ? "" : "/") : say_strdup("");
		fflush(stdout);
		diags_print(&diags, prefix, stderr);
		free(prefix);
	}
	sum->files += set.files;
	sum->jobs += set.count;
	sum->servers += count_servers(&set);
	sum->errors += diags.errors;
	for (size_t i = 0; i < diags.count; i++)
		sum->warnings += diags.list[i].warning;
	jobset_fini(&set);
	diags_fini(&diags);
	return 0;
}

int cmd_check(struct session *s)
{
	struct checked sum = { .list = s->out.format == OUT_JSON ? json_array() : NULL };
	char **path;
	size_t count;

	int code = targets_read(s, 0, SIZE_MAX, &path, &count);
	if (code != 0)
		return code;
	if (count == 0)
		code = check_path(s, ".", &sum);
	for (size_t i = 0; i < count && code == 0; i++)
		code = check_path(s, path[i], &sum);
	targets_free(path, count);
	bool bad = sum.errors > 0 || (sum.warnings > 0 && args_given(&s->args, OPT_WARNINGS));
	if (code == 0 && sum.list != NULL) {
		json_t *o = json_document("chime.check/1", s->out.now_us, NULL, NULL);
		json_object_set_new(o, "files", json_integer((json_int_t)sum.files));
		json_object_set_new(o, "jobs", json_integer((json_int_t)sum.jobs));
		json_object_set_new(o, "errors", json_integer((json_int_t)sum.errors));
		json_object_set_new(o, "warnings", json_integer((json_int_t)sum.warnings));
		json_object_set(o, "messages", sum.list);
		code = json_print(o);
	} else if (code == 0) {
		printf("%zu file%s, %zu job%s for %zu server name%s: %zu error%s, %zu warning%s\n",
		       sum.files, plural(sum.files), sum.jobs, plural(sum.jobs), sum.servers,
		       plural(sum.servers), sum.errors, plural(sum.errors), sum.warnings,
		       plural(sum.warnings));
	}
	json_decref(sum.list);
	return code != 0 ? code : bad ? EXIT_TROUBLE : 0;
}

struct plan {
	struct jobset set;
	struct diags diags;
	struct zone *zone;
	const struct job_def *job;
};

static void plan_fini(struct plan *plan)
{
	zone_free(plan->zone);
	jobset_fini(&plan->set);
	diags_fini(&plan->diags);
}

static int load_plan(struct session *s, const char *file, struct plan *plan, struct trouble *t)
{
	struct jobfile_options options = { .server = "local" };

	int error = jobset_load(file, &options, &plan->set, &plan->diags);
	if (error != 0) {
		trouble_set(t, EXIT_USAGE, "cannot read %s", file);
		trouble_why(t, "%s", strerror(-error));
		return t->exit;
	}
	if (plan->diags.errors > 0) {
		diags_print(&plan->diags, "", stderr);
		return trouble_set(t, EXIT_TROUBLE, "%s has %zu error%s", file,
				   plan->diags.errors, plural(plan->diags.errors));
	}
	if (plan->set.count != 1) {
		trouble_set(t, EXIT_USAGE, "%s has %zu jobs, next --file needs one", file,
			    plan->set.count);
		trouble_hint(t, "put the job in a file of its own");
		return t->exit;
	}
	(void)s;
	plan->job = &plan->set.jobs[0];
	error = tzdata_load(plan->job->timezone, &plan->zone);
	if (error != 0) {
		trouble_set(t, EXIT_TROUBLE, "cannot read the time zone %s", plan->job->timezone);
		trouble_why(t, "%s", strerror(-error));
		return t->exit;
	}
	return 0;
}

/* An array, the one answer that is not an object; a time on a terminal. */
static int print_slots(struct session *s, const struct plan *plan, int64_t from_s, uint64_t count)
{
	json_t *list = s->out.format == OUT_JSON ? json_array() : NULL;
	struct slot slot;
	char text[OUT_TIME_SIZE], words[SCHEDULE_DESCRIBE_MAX];
	int error = schedule_next(&plan->job->schedule, plan->zone, from_s, &slot);

	if (list == NULL) {
		schedule_describe(&plan->job->schedule, words, sizeof(words));
		printf("%s %s\n", words[0] != '\0' ? words : "no schedule", plan->job->timezone);
	}
	for (uint64_t i = 0; i < count && error == 0; i++) {
		if (list != NULL) {
			json_t *o = json_object();
			json_object_set_new(o, "slot", json_text(slot.key));
			json_object_set_new(o, "time", json_instant(true,
							    slot.utc_s * 1000000));
			json_array_append_new(list, o);
		} else {
			out_time(&s->out, slot.utc_s * 1000000, text);
			printf("  %s   %s\n", text, slot.key);
		}
		error = schedule_next_slot(&plan->job->schedule, plan->zone, &slot, &slot);
	}
	return list != NULL ? json_print(list) : 0;
}

int cmd_next_file(struct session *s)
{
	struct plan plan = { 0 };
	struct trouble t = { 0 };
	int64_t from_us = s->out.now_us;
	uint64_t count = 5;

	int code = targets_read(s, 0, 0, &(char **){ NULL }, &(size_t){ 0 });
	if (code != 0)
		return code;
	code = args_number(&s->args, OPT_COUNT, 1, 100000, &count, &t);
	if (code == 0 && args_given(&s->args, OPT_FROM))
		code = time_read(s, s->args.value[OPT_FROM], &from_us, &t);
	if (code == 0)
		code = load_plan(s, s->args.value[OPT_FILE], &plan, &t);
	if (code == 0) {
		int64_t from_s = from_us >= 0 ? from_us / 1000000
					      : -((-from_us + 999999) / 1000000);
		code = print_slots(s, &plan, from_s, count);
	} else {
		trouble_print(&t);
	}
	plan_fini(&plan);
	return code;
}
