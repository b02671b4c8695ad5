#include "daemon/jobfile.h"

#include "daemon/yaml.h"
#include "proto/digest.h"
#include "proto/names.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void write_text(FILE *out, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(out, "%s: ", key);
	yaml_write_quoted(text, out);
	fputc('\n', out);
}

static void write_run(FILE *out, const struct job_def *def)
{
	if (def->run_is_text) {
		write_text(out, "run", def->run[0]);
		return;
	}
	fputs("run:\n", out);
	for (char **arg = def->run; *arg; arg++) {
		fputs("  - ", out);
		yaml_write_quoted(*arg, out);
		fputc('\n', out);
	}
}

static void write_env(FILE *out, const struct job_def *def)
{
	if (!*def->env)
		return;
	fputs("env:\n", out);
	for (char **entry = def->env; *entry; entry++) {
		const char *value = strchr(*entry, '=');

		assert(value);
		fprintf(out, "  \"%.*s\": ", (int)(value - *entry), *entry);
		yaml_write_quoted(value + 1, out);
		fputc('\n', out);
	}
}

static void write_duration(FILE *out, const char *key, int64_t us)
{
	char text[NAME_DURATION_SIZE];

	duration_format(us, text);
	write_text(out, key, us ? text : "none");
}

static void write_overlap(FILE *out, const struct job_def *def)
{
	const char *name = overlap_kind_name(def->overlap);

	if (def->overlap == OVERLAP_SKIP)
		write_text(out, "overlap", name);
	else if (def->overlap != OVERLAP_DEFAULT)
		fprintf(out, "overlap: \"%s %u\"\n", name, def->overlap_n);
}

static void write_codes(FILE *out, const struct job_def *def)
{
	const char *comma = "";

	fputs("success_codes: \"", out);
	for (unsigned from = 0, to; from < 256; from = to + 1) {
		to = from;
		if (!job_def_success(def, from))
			continue;
		while (to < 255 && job_def_success(def, to + 1))
			to++;
		fprintf(out, to > from ? "%s%u-%u" : "%s%u", comma, from, to);
		comma = ",";
	}
	fputs("\"\n", out);
}

char *jobfile_canonical(const struct job_def *def)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert(out);
	write_text(out, "job", def->name);
	write_text(out, "about", def->about);
	write_text(out, "server", def->server);
	write_run(out, def);
	write_text(out, "shell", def->shell);
	write_text(out, "user", def->user);
	write_text(out, "dir", def->dir);
	write_env(out, def);
	if (def->schedule_kind != SCHEDULE_NONE)
		write_text(out, schedule_kind_name(def->schedule_kind), def->schedule_text);
	write_text(out, "timezone", def->timezone);
	if (def->schedule_kind == SCHEDULE_AT) {
		write_text(out, "dst_gap", dst_gap_name(def->dst_gap));
		write_text(out, "dst_overlap", dst_overlap_name(def->dst_overlap));
	}
	write_text(out, "cycle", cycle_kind_name(def->cycle));
	write_text(out, "after", def->after);
	write_overlap(out, def);
	write_text(out, "enabled", def->enabled ? "true" : "false");
	write_duration(out, "max_time", def->max_time_us);
	write_duration(out, "kill_grace", def->kill_grace_us);
	write_codes(out, def);
	if (fclose(out))
		assert(!"out of memory");
	return text;
}

int jobfile_hash(struct job_def *def)
{
	char *text = jobfile_canonical(def);
	size_t len = strlen(text);
	struct digest digest;

	digest_of(text, len, &digest);
	memcpy(def->hash, digest.b, sizeof(def->hash));
	free(text);
	return len > YAML_SIZE_MAX ? -E2BIG : 0;
}
