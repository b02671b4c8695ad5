#include "daemon/core/job.h"

#include <assert.h>
#include <stdlib.h>

static void free_list(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

void job_def_fini(struct job_def *def)
{
	free(def->name);
	free(def->about);
	free(def->server);
	free_list(def->run);
	free(def->shell);
	free(def->user);
	free(def->dir);
	free_list(def->env);
	free(def->schedule_text);
	free(def->timezone);
	free(def->after);
	free(def->file);
	*def = (struct job_def){ 0 };
}

const char *overlap_kind_name(enum overlap_kind kind)
{
	switch (kind) {
	case OVERLAP_DEFAULT:
		return "default";
	case OVERLAP_SKIP:
		return "skip";
	case OVERLAP_QUEUE:
		return "queue";
	case OVERLAP_PARALLEL:
		return "parallel";
	}
	assert(!"no such overlap");
	return "";
}
