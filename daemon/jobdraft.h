/*
 * jobdraft.h - a job while it is read from its document: what jobfile.c (documents, keys, defaults)
 * and jobvalue.c (one reader a key) share, and nobody else includes.
 */
#ifndef CHIME_DAEMON_JOBDRAFT_H
#define CHIME_DAEMON_JOBDRAFT_H

#include "daemon/jobfile.h"
#include "daemon/tzdata.h"
#include "daemon/yaml.h"

/* In the order in which they are read: later readers use what earlier ones found. */
enum job_key {
	KEY_JOB, KEY_ABOUT, KEY_SERVER, KEY_RUN, KEY_SHELL, KEY_USER, KEY_DIR, KEY_ENV,
	KEY_TIMEZONE, KEY_DST_GAP, KEY_DST_OVERLAP, KEY_AT, KEY_CRON, KEY_EVERY, KEY_CYCLE,
	KEY_AFTER, KEY_OVERLAP, KEY_ENABLED, KEY_MAX_TIME, KEY_KILL_GRACE, KEY_SUCCESS_CODES,
	KEYS,
};

/* One file while it is read. */
struct loader {
	struct yaml_file *file;
	const struct jobfile_options *options;
	struct jobset *set;
	struct diags *diags;
	struct yaml_node *defaults[KEYS];
	struct yaml_node **env_defaults;	/* every `env` of defaults so far, in order */
	size_t env_default_count;
	char zone_name[TZDATA_NAME_MAX + 1];	/* the zone that was loaded last */
	struct zone *zone;
};

/* One job while it is read. */
struct draft {
	struct loader *loader;
	struct job_def *def;
	bool is_defaults;		/* no job, a defaults document */
	struct yaml_node *value[KEYS];	/* NULL = not given */
	bool own[KEYS];			/* given in the job itself, not in defaults */
	bool failed;
};

/* One row a key; a reader leaves the definition alone when it refuses the value. */
struct job_reader {
	const char *name;
	void (*read)(struct draft *draft, struct yaml_node *node);
};
extern const struct job_reader job_readers[KEYS];

/* Adds an error unless one was reported on this node before, and marks draft and node as failed:
 * at a place of its own or at the value. The hint may be NULL. */
void draft_refuse_at(struct draft *draft, struct yaml_node *node, const struct diag_place *place,
		     const char *hint, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void draft_refuse(struct draft *draft, struct yaml_node *node, const char *hint,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The zone of this name, kept by the loader; NULL when it can't be had. */
const struct zone *loader_find_zone(struct loader *loader, const char *name);

#endif
