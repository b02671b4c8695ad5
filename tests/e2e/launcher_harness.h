/*
 * launcher_harness.h - plays the node for a real chime-launcher with real shepherds and jobs.
 *
 * A rig is a folder of its own with configuration, job files and data. The programs come from the
 * folder in $CHIME_BUILD (default "build"). Every wait is for an event, with RIG_WAIT_MS as the
 * bound that turns a hang into a failure; no test depends on how long something takes.
 *
 * In job texts "@USER@" becomes "user: NAME" as root and nothing otherwise, "@DIR@" the rig's
 * folder, which holds a FIFO "news" anybody may write to: jobs tell the test what they are.
 */
#ifndef CHIME_TESTS_LAUNCHER_HARNESS_H
#define CHIME_TESTS_LAUNCHER_HARNESS_H

#include "daemon/link.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/types.h>

enum { RIG_WAIT_MS = 20000 };

struct rig {
	char dir[64];
	/* Of its own, as the tag of its runs: the tree of a lost run is also found by its marks,
	 * and its cgroup by its name, on all of the machine. */
	char environment[24];
	pid_t launcher;
	int link;		/* -1 = no launcher */
	int news;
	char *set;		/* text of the last SET or REFUSED */
	uint64_t generation;
	uint32_t count;		/* jobs or errors in it */
	uint64_t boot;
	bool scanned;
	struct attempt_report states[256];	/* every STATE heard since the launcher's start */
	size_t state_count, state_taken;
};

/* cmocka's setup and teardown. Teardown kills the jobs that are left, by the pids in the spool, and
 * fails a test whose shepherds died of themselves. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* More lines for chimed.yaml; before rig_launch. */
void rig_configure(struct rig *rig, const char *lines);

/* Replaces the one job file. */
void rig_jobs(struct rig *rig, const char *text);
void rig_path(const struct rig *rig, const char *name, char *out, size_t size);

/* Starts a launcher and says HELLO. */
void rig_launch(struct rig *rig);

/* rig_launch, then waits for SET or REFUSED and SCANNED. Returns the kind. */
uint32_t rig_begin(struct rig *rig);

/* Ends the link and waits for the launcher to end: its wait status. */
int rig_end(struct rig *rig);

/* SIGKILL to the launcher; the link is closed. */
void rig_kill(struct rig *rig);

/* Sends a message. */
void rig_say(struct rig *rig, struct link_message *message);
void rig_say_id(struct rig *rig, uint32_t kind, const struct attempt_id *id);

/* Waits for a message of this kind; SET, REFUSED, STATE and SCANNED on the way are kept. */
void rig_wait(struct rig *rig, uint32_t kind, struct link_message *message, int *fd);

/* Asks for a reload and waits for the answer: LINK_SET or LINK_REFUSED. */
uint32_t rig_reload(struct rig *rig);

/* The id of attempt 1 of run `seq`. */
struct attempt_id rig_id(const struct rig *rig, uint64_t seq);

/* START with the hash of the job in the current set. */
struct attempt_id rig_start(struct rig *rig, const char *job, uint64_t seq);

/* Waits for the next STATE of this attempt that was not taken yet. */
struct attempt_report rig_state(struct rig *rig, const struct attempt_id *id);

/* The same, and it must be this one. */
struct attempt_report rig_expect(struct rig *rig, const struct attempt_id *id, uint32_t state,
				 uint32_t result);

/* Reads one line a job wrote to the FIFO. */
void rig_news(struct rig *rig, char *line, size_t size);
int rig_news_int(struct rig *rig);

/* A pidfd, to be waited for with rig_gone (which closes it). */
int rig_pidfd(pid_t pid);
void rig_gone(int pidfd);

/* The shepherd of an attempt, from its lock file's directory. */
pid_t rig_shepherd(struct rig *rig, const struct attempt_id *id);

/* True when the attempt has a cgroup of its own. */
bool rig_is_fenced(struct rig *rig, const struct attempt_id *id);

/* Waits until the output is complete and returns it, malloc'ed, NUL-terminated. */
char *rig_output(struct rig *rig, const struct attempt_id *id, size_t *len);

/* True when the run directory is below `where` ("spool", "output"). */
bool rig_has_directory(struct rig *rig, const char *where, const struct attempt_id *id);

#endif
