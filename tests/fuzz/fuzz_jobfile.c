/*
 * fuzz_jobfile.c - a job file of anybody's bytes: read, printed, and when it is good, checked as a
 * set and written in its canonical form, which must read back to itself.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/jobfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct jobfile_options options = { .timezone = "UTC", .server = "app1" };

static void print_all(const struct diags *diags)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert(out);
	diags_print(diags, "jobs.d/", out);
	fclose(out);
	/* Whatever was in the file, nothing of it may command a terminal. */
	for (size_t i = 0; i < len; i++)
		assert((unsigned char)text[i] >= 0x20 || text[i] == '\n');
	free(text);
}

static void check_fixpoint(const struct job_def *def)
{
	char *text = jobfile_canonical(def), *again;
	struct jobset set;
	struct diags diags;

	jobset_parse(text, strlen(text), "canonical", &options, &set, &diags);
	assert(!diags.errors && set.count == 1);
	assert(!memcmp(set.jobs[0].hash, def->hash, sizeof(def->hash)));
	again = jobfile_canonical(set.jobs);
	assert(!strcmp(text, again));
	free(again);
	free(text);
	jobset_fini(&set);
	diags_fini(&diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jobset set;
	struct diags diags;

	jobset_parse((const char *)data, size, "x.yaml", &options, &set, &diags);
	if (!diags.errors) {
		for (size_t i = 0; i < set.count; i++)
			check_fixpoint(&set.jobs[i]);
		jobset_check(&set, &diags);
	}
	print_all(&diags);
	jobset_select(&set, "app1");
	jobset_fini(&set);
	diags_fini(&diags);
	return 0;
}
