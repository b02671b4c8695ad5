/*
 * job.h - the definition of a job as its file says it: a value, without behaviour.
 *
 * A job_def owns its memory (job_def_fini). What other servers may know of it travels in the
 * job-defined event; run, env and user never leave the launcher's side.
 */
#ifndef CHIME_DAEMON_CORE_JOB_H
#define CHIME_DAEMON_CORE_JOB_H

#include "daemon/core/cycle.h"
#include "daemon/core/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum overlap_kind {
	OVERLAP_DEFAULT,	/* skip for slots, queue 1 for runs made by a condition */
	OVERLAP_SKIP,
	OVERLAP_QUEUE,
	OVERLAP_PARALLEL,
};

struct job_def {
	char *name;
	char *about;			/* NULL = not given; so with every text below */
	char *server;			/* as written; a list is joined with ", " */
	char **run;			/* NULL-terminated; a text is one element */
	bool run_is_text;
	char *shell;			/* for a text `run`, default filled in; else NULL */
	char *user;
	char *dir;
	char **env;			/* "NAME=value", NULL-terminated, file order; never NULL */
	enum schedule_kind schedule_kind;
	char *schedule_text;		/* the value of at, cron or every */
	struct schedule schedule;	/* parsed, valid unless SCHEDULE_NONE */
	char *timezone;			/* never NULL once loaded: the default is filled in */
	enum dst_gap dst_gap;
	enum dst_overlap dst_overlap;
	enum cycle_kind cycle;
	char *after;			/* text of the condition */
	enum overlap_kind overlap;
	uint32_t overlap_n;		/* queue N (1-100) or parallel N (1-1000) */
	bool enabled;
	int64_t max_time_us;		/* 0 = none */
	int64_t kill_grace_us;		/* default 30 s */
	uint8_t success_codes[32];	/* bit n of byte n/8 = exit code n is success */
	char *file;			/* where it stands; not part of the canonical text */
	uint32_t line;
	uint8_t hash[32];		/* SHA-256 of the canonical text */
};

/* Frees what the definition holds and zeroes it. */
void job_def_fini(struct job_def *def);

static inline bool job_def_success(const struct job_def *def, unsigned code)
{
	return code < 256 && (def->success_codes[code / 8] >> (code % 8) & 1);
}

const char *overlap_kind_name(enum overlap_kind kind);

#endif
