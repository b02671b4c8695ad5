/*
 * launcher.h - the state of chime-launcher, and its parts.
 *
 *   main.c      command line, folders, lock, the loop
 *   talk.c      messages from and to the node (link.h)
 *   registry.c  the job definitions
 *   launch.c    START: from a message to a running shepherd
 *   watch.c     runs that live: their shepherds' words, their ends, lost ones
 *   spooldir.c  run directories: examine, scan at the start, remove
 *   keep.c      output of acknowledged runs, and how long it stays
 *
 * Folders, all 0700 and the launcher's own:
 *
 *   data/launcher/            registry-*.yaml, spool.lock, spool.id
 *   data/launcher/spool/      one directory per attempt that is not acknowledged (spool.h)
 *   data/launcher/output/     the same directories afterwards
 *
 * data/ may belong to the node's user, so nothing is believed of it: launcher/ is opened without
 * following a link and must be a folder of our own uid that nobody else can enter; everything below
 * is opened by descriptor. (The owner of data/ can move launcher/ away as a whole: then the runs
 * in it are gone for us, and the node reports them as lost, by spool.id. It can't change them.)
 */
#ifndef CHIME_DAEMON_LAUNCHER_LAUNCHER_H
#define CHIME_DAEMON_LAUNCHER_LAUNCHER_H

#include "daemon/conf.h"
#include "daemon/launcher/registry.h"
#include "daemon/spool.h"


enum {
	LAUNCHER_FDS_KEPT = 10,		/* below this a descriptor is only a place for dup2 */
	LAUNCHER_SETTLE_US = 20000,	/* between two looks at a run in transition */
	LAUNCHER_SETTLE_LIMIT_US = 4000000,
};

/*
 * One attempt that is watched.
 *
 *   launched --SPOOL_STARTED--> running --SPOOL_ENDED, EOF or exit--> settling --> told --> free
 *       \____________________________________________________________^
 *
 * settling: asked of the directory again and again until it is clear what became of it.
 */
struct run {
	struct run *next;
	struct attempt_id id;
	char name[SPOOL_NAME_SIZE];
	int conn;			/* to the shepherd; -1 = none */
	pid_t pid;			/* the shepherd while it is our child, else 0 */
	bool running;			/* ATTEMPT_RUNNING was reported */
	bool settling;
	bool scanned;			/* found in the spool at the start */
	bool reported;			/* and told to be running, so SCANNED need not wait */
	bool killed;			/* LINK_KILL was heard */
	bool told;			/* its end was reported */
	int64_t settle_until_us;	/* boot clock */
};

struct kept {
	char name[SPOOL_NAME_SIZE];
	uint64_t bytes;
	int64_t wall_us;
};

struct launcher {
	struct conf conf;
	struct registry registry;
	int link, epoll, signals;
	int root, spool, output, lock;	/* data/launcher and what is in it */
	char spool_id[33];
	char boot_id[SPOOL_BOOT_ID_SIZE];
	char cgroup[SPOOL_PATH_SIZE];
	char shepherd[32];		/* the program, by descriptor */
	struct run *runs;
	struct kept *kept;		/* oldest first */
	size_t kept_count, kept_size;
	uint64_t kept_bytes;
	bool greeted, scanned;
	bool refused_at_start;		/* no registry, and the first reload failed */
};

/* ---- talk.c: all return -EPIPE or another -errno when the link is unusable; the loop ends then */

/* One message from the node. 0 also for one that was refused. */
int talk_hear(struct launcher *launcher);

/* Sends a message; `fd` rides along and stays the caller's, -1 = none. Waits for a slow node. */
int talk_send(struct launcher *launcher, const struct link_message *message, int fd);

/* STATE with the report as it is. */
int talk_state(struct launcher *launcher, const struct attempt_report *report);

/* SCANNED, once, when everything found in the spool was reported. */
int talk_scanned(struct launcher *launcher);

/* ---- launch.c */

int launch_run(struct launcher *launcher, const struct link_message *message);

/* ---- watch.c */

struct run *watch_find(struct launcher *launcher, const struct attempt_id *id);

/* Takes `conn` (-1 = none yet). */
struct run *watch_add(struct launcher *launcher, const struct attempt_id *id, int conn, pid_t pid);

/* Something was said on run->conn, or it closed. The run may be gone on return. */
int watch_hear(struct launcher *launcher, struct run *run);

/* SIGCHLD. */
int watch_reap(struct launcher *launcher);

/* Looks once at every settling run. *wait_ms: when to come again, -1 = not before an event. */
int watch_settle(struct launcher *launcher, int *wait_ms);

/* Begins to settle a run. */
void watch_unsettle(struct run *run);

/* KILL to its shepherd. */
void watch_kill(struct run *run);
void watch_close(struct launcher *launcher);

/* ---- spooldir.c */

enum examined {
	EXAMINED_NOTHING,	/* there is no such directory */
	EXAMINED_ENDED,		/* complete record, in the report */
	EXAMINED_HELD,		/* the lock is held: a shepherd lives */
	EXAMINED_UNFORKED,	/* it was certainly never forked */
	EXAMINED_LOST,		/* it was or may have been forked, nobody holds it, no record */
};

/* What a directory below `parent` says; the report is filled as far as it is known. `started` may
 * be NULL. */
enum examined spooldir_examine(const struct launcher *launcher, int parent, const char *name,
			       struct attempt_report *report, struct spool_started *started);

/* Opens a run directory; descriptor or -errno. */
int spooldir_open(int parent, const char *name);

/* Removes a run directory with the files we know; what else may be there is left with it. */
void spooldir_remove(int parent, const char *name);

/* Reports, or begins to watch, everything in the spool. */
int spooldir_scan(struct launcher *launcher);

/* Answers what is known of an attempt that is not watched. */
int spooldir_report(struct launcher *launcher, const struct attempt_id *id);

/* ---- keep.c */

void keep_scan(struct launcher *launcher);

/* The node has the end of this attempt: spool/ -> output/. */
void keep_take(struct launcher *launcher, const struct attempt_id *id);

/* Drops what is too old or too much. */
void keep_prune(struct launcher *launcher);
void keep_close(struct launcher *launcher);

#endif
