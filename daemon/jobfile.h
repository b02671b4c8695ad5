/*
 * jobfile.h - job files: YAML under our own strict schema walker.
 *
 * Read by the launcher (at reload only), by `chime check` and `chime next --file`; the node reads
 * canonical text with the same parser.
 *
 * A file holds documents parted by "---", one job each. A document whose only key is `defaults`
 * holds a mapping of keys that every job after it in its file takes over unless it says otherwise:
 * later `defaults` add to and override earlier ones; `env` is merged name by name; a job with at,
 * cron or every of its own takes no schedule, and one without `at` no dst_* key from defaults.
 *
 * Invariants
 * 1. Every error of every file is collected; a set with one error is never used.
 * 2. The canonical text of a definition is itself a job file: fixed key order, defaults filled in,
 *    every scalar double-quoted. Parsing it gives the same canonical text. Its SHA-256 is the
 *    definition's hash.
 *
 * jobfile.c reads documents, jobtext.c writes them, jobset.c reads folders and keeps sets,
 * jobcheck.c looks at a set as a whole.
 */
#ifndef CHIME_DAEMON_JOBFILE_H
#define CHIME_DAEMON_JOBFILE_H

#include "daemon/core/job.h"
#include "daemon/diag.h"
#include "proto/names.h"

#include <stdio.h>

/* Where the parts of a definition stand, for messages about the set as a whole. */
struct job_place {
	uint32_t column, width;		/* of the job's name, in line job_def.line */
	char *source;			/* that line */
	uint32_t after_line, after_column, after_width;	/* line 0 = no `after` */
	bool after_exact;		/* after_column is character 0 of the condition's text */
	char *after_source;
};

struct jobset {
	struct job_def *jobs;	/* in byte order of file name, then position */
	struct job_place *places;	/* one per job */
	size_t count;
	size_t files;
};

struct jobfile_options {
	const char *timezone;	/* default of the key timezone; NULL = the host's */
	const char *server;	/* what a missing `server:` stands for; NULL = an error */
	bool check_owner;	/* files and folders must belong to root or the caller's euid and
				 * not be writable by others */
	bool need_user;		/* `user` is required (the launcher is root) */
	const char *only_user;	/* `user` must be absent or this (it is not root); NULL = any */
	int64_t from_s;		/* a schedule must come within 5 years from here; 0 = from 2024 */
};

/*
 * Loads every *.yaml below `path` (a folder: in byte order, links not followed; or one file).
 * Returns 0 also when there are errors: look at diags->errors. -errno when the folder itself
 * cannot be read. Both results are the caller's, to be freed with the _fini functions.
 */
int jobset_load(const char *path, const struct jobfile_options *options, struct jobset *set,
		struct diags *diags);

/* The same for one text that is already in memory; `name` stands in for the file in messages. */
int jobset_parse(const char *text, size_t len, const char *name,
		 const struct jobfile_options *options, struct jobset *set, struct diags *diags);

/* Appends the jobs of one text to a set, without looking at the set as a whole. */
void jobfile_read(const char *text, size_t len, const char *name,
		  const struct jobfile_options *options, struct jobset *set, struct diags *diags);

/* Appends the jobs of a stream of canonical texts: each is bounded by itself, the stream is not. */
void jobset_read_stream(const char *text, size_t len, const char *name,
			const struct jobfile_options *options, struct jobset *set,
			struct diags *diags);

/* Drops the jobs whose `server:` does not name `server` (name, list or glob). */
void jobset_select(struct jobset *set, const char *server);

/* True when the `server:` text (name, list or glob) names this server. */
bool jobset_server_matches(const char *server_text, const char *server);

/* One after the other, the names and globs of a `server:` text: copies the next into out and
 * advances *text (start at the text itself). False at the end. */
bool jobset_next_server(const char **text, char out[NAME_SERVER_MAX + 1]);

/* Errors for jobs defined twice for one server; a warning when two globs may meet. Called by
 * jobset_load and jobset_parse. */
void jobset_check_doubles(const struct jobset *set, struct diags *diags);

/*
 * Checks of the whole environment's set, across servers, offline: `after` names a job that is not
 * there (warning), jobs that wait for each other (error), a job with a schedule whose cycle can
 * never be that of a producer (warning). The set must have been loaded without errors.
 */
void jobset_check(const struct jobset *all, struct diags *diags);

/* malloc'ed canonical text of one definition, see invariant 2. */
char *jobfile_canonical(const struct job_def *def);

/* Sets the hash of a definition from its canonical text; -E2BIG when that is larger than a job
 * file may be. */
int jobfile_hash(struct job_def *def);

void jobset_fini(struct jobset *set);

#endif
