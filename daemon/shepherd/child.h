/*
 * child.h - the way from a spec to the job's own process: whose it is, what it sees, what it runs.
 *
 * Everything that can be looked up is looked up before the fork (child_plan_make), so that the
 * child only makes system calls, each of them checked (child_exec).
 *
 * Invariants
 * 1. As root: the job runs as exactly the user the definition names or not at all. A name that is
 *    missing, unknown, a number, or stands for uid 0 without being "root" is an error, never a
 *    fallback. The switch is verified afterwards, and that there is no way back.
 * 2. Not as root: no switch at all; a `user` other than our own is an error.
 * 3. The job gets descriptors 0, 1, 2 and no others, default signals, an empty mask, a session of
 *    its own, and the environment written in contract item 19, nothing of ours.
 * 4. ${CHIME_...} is replaced in the elements of a `run` list only; text goes to the shell as it is
 *    and reads the same values from its environment.
 */
#ifndef CHIME_DAEMON_SHEPHERD_CHILD_H
#define CHIME_DAEMON_SHEPHERD_CHILD_H

#include "daemon/spool.h"

#include <stdbool.h>

struct child_plan {
	bool switches;		/* root: to uid, gid, groups */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int group_count;
	char *user, *home, *shell;
	const char *dir;	/* as given, or NULL: home, else / */
	char **argv, **envp;
};

/* What the child could not do; told over the exec pipe. */
struct child_failure {
	int32_t stage, error;
};

/* Descriptors the child starts with. */
struct child_fds {
	int null, out, err, failure;
};

/* 0, or the errno of the start error with `detail` filled in for people. The plan is to be freed
 * with child_plan_fini in any case; it points into the spec. */
int child_plan_make(const struct spool_spec *spec, struct child_plan *plan, char *detail,
		    size_t size);
void child_plan_fini(struct child_plan *plan);

/* In the child: becomes the job. Returns never; a failure is written to fds->failure. */
_Noreturn void child_exec(const struct child_plan *plan, const struct child_fds *fds);

/* "user", "chdir", "exec": completes "STAGE: strerror". */
const char *child_stage_name(int stage);

#endif
