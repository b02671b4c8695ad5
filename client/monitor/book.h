/*
 * book.h - what the monitor knows: jobs, servers, and the newest events.
 *
 * Two sources fill it: answers of a server (rows as `chime ls` shows them) and events heard from
 * the group or from a stream. An event changes the row of its job at once; the rest of that row
 * (note, what it waits for, next start) is old from then on and the job is `dirty` until a server
 * has been asked again.
 *
 * Invariants
 * 1. A row is never taken back. It is known up to a place in the log of its server: that of the
 *    newest event that changed it, or the position of the answer it came from. An answer whose
 *    position of that server lies below changes nothing of the row, nor does an older event.
 *	position of another lineage	the higher boot is the newer one; with the same boot (a
 *					forked server) they have no order and the answer counts
 *	answer without that server	its teller knows nothing of that log: it counts only for a
 *					row that has no place yet
 *	answer without any position	cannot be ordered: the same; a full one always counts, else
 *					nothing would ever correct the rows
 * 2. Everything that came from outside is cleaned and bounded: names by the rules of proto/names,
 *    notes to BOOK_NOTE_SIZE, events to BOOK_EVENTS, times to what a calendar has.
 * 3. `version` grows with every change that can be seen but the age of what was heard; so does
 *    `jobs_version` with those of jobs.
 * 4. A job whose server is lost keeps its last known state; only what it is shown as changes.
 *
 * Pure: no I/O, no clock.
 */
#ifndef CHIME_CLIENT_MONITOR_BOOK_H
#define CHIME_CLIENT_MONITOR_BOOK_H

#include "client/jobstate.h"
#include "client/monitor/moment.h"
#include "proto/control.pb-c.h"
#include "proto/frame.h"
#include "proto/head.h"
#include "proto/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define uthash_fatal(msg) abort()
#include <stdlib.h>
#include <uthash.h>

enum {
	BOOK_KEY_SIZE = NAME_JOB_MAX + 1 + NAME_SERVER_MAX + 1,
	BOOK_NOTE_SIZE = 200,
	BOOK_EVENTS = 2000,		/* newest, kept for the events view */
	BOOK_EVENT_TEXT = 240,
	BOOK_LIST_MAX = 16,		/* blockers and roots kept of a job */
	BOOK_JOBS_MAX = 200000,		/* more are not taken in */
	BOOK_SERVERS_MAX = 4096,
	BOOK_FRESH_US = 5000000,	/* a head heard here within this outweighs a teller's "not
					 * heard" */
	BOOK_GOODBYE_US = 2000000,	/* heads of a server that said it stops are its goodbye, so
					 * long from the first one on */
};

struct book_job {
	char key[BOOK_KEY_SIZE];	/* job@server */
	const char *server;		/* in key, behind the @ */
	size_t job_len;			/* of the job's name in key */
	uint64_t id;			/* of this row, never used twice */
	enum jobstate state;		/* last known, whether its server is heard or not */
	enum jobstate run_state;	/* what its run says when nothing holds the job */
	bool stale;			/* its server is not heard: shown as ?? */
	bool late;
	bool held, disabled, removed;
	bool forced;			/* that run, as far as heard */
	uint64_t run;			/* newest, or the one that is active; 0 = none */
	int64_t since_us;		/* wall: end, else start, else creation of that run */
	int64_t started_us;		/* wall; 0 = not yet */
	int64_t took_us;		/* -1 = not known */
	int64_t next_s;			/* wall seconds, 0 = none */
	int exit_code;			/* -1 = none */
	char note[BOOK_NOTE_SIZE];
	char *blocked_by[BOOK_LIST_MAX];	/* job@server, owned */
	size_t blocked_count;
	char *root[BOOK_LIST_MAX];
	size_t root_count;
	struct lineage lineage;		/* up to where it is known; boot 0 = no place yet */
	uint64_t seq;
	bool dirty;			/* something of this row is older than its state */
	bool seen;			/* used while a full answer is taken in */
	UT_hash_handle hh;
};

struct book_server {
	char name[NAME_SERVER_MAX + 1];
	char state[16];			/* UP, UNREACHABLE, DOWN, JOINING as its teller has it */
	bool lost;			/* not heard (also DOWN, JOINING): by its teller or, hearing
					 * the group, by me */
	bool silent;			/* lost because of my own ears */
	bool self;			/* the one that is asked */
	bool unproven;
	int64_t heard_us;		/* wall clock of here; 0 = never */
	int64_t heard_boot_us;		/* boot: the last head heard here; 0 = none */
	int64_t goodbye_us;		/* boot: the first head heard while DOWN; 0 = none */
	struct lineage lineage;
	uint64_t seq, known_seq;	/* as its teller has it */
	uint32_t jobs, running;		/* as told; counts by state come from the jobs here */
	bool has_skew;
	int64_t skew_us;
	char version[32];
	char note[BOOK_NOTE_SIZE];
	char address[4][64];
	size_t address_count;
	bool seen;
	bool turned;			/* lost or not any more, and its jobs do not know yet */
	UT_hash_handle hh;
};

/* One event of the events view: text is clean and final. */
struct book_event {
	int64_t time_us;		/* of its origin; of here for what is noted */
	char origin[NAME_SERVER_MAX + 1];
	uint64_t seq;
	char kind[32];			/* run.ended, ...; bus.gap: known to be missing */
	char job[BOOK_KEY_SIZE];	/* "" = none */
	uint64_t run;
	char text[BOOK_EVENT_TEXT];
	bool bad;			/* a failure, an alarm, a gap: drawn so */
};

struct book {
	struct book_job *jobs;		/* by key */
	struct book_server *servers;	/* by name */
	struct book_event *events;	/* ring of BOOK_EVENTS */
	size_t event_first, event_count;
	uint64_t event_total;		/* ever added */
	uint64_t version, jobs_version;
	uint64_t last_id;
	size_t dirty_count;
	size_t turned_count;		/* servers */
	struct book_job **answer;	/* rows since book_begin_jobs, owned, not in `jobs` yet */
	size_t answer_count, answer_room;
	char (*answer_silent)[NAME_SERVER_MAX + 1];	/* servers its teller does not hear */
	size_t silent_count;
	bool answer_full;
	char environment[NAME_SERVER_MAX + 1];
};

/* An event that was verified, or told by a server that was. */
struct book_heard {
	const char *origin;
	struct lineage lineage;
	uint64_t seq;
	const Chime__Event *event;
	bool history;			/* of a lineage that is over: only into the ring */
};

void book_init(struct book *book);
void book_fini(struct book *book);

/*
 * Takes the rows of an answer. `position` (may be empty) says up to where its teller knew each
 * log. full: it named every job, so that those not in it are gone. An answer in several replies
 * is taken by book_begin_jobs, book_add_jobs for each (the last one too), book_end_jobs. Nothing is
 * seen of it before the last call; one that was broken off is dropped by the next book_begin_jobs.
 */
void book_begin_jobs(struct book *book, bool full);
void book_add_jobs(struct book *book, const Chime__JobsReply *reply);
/* positions: of the last reply; rows added since book_begin_jobs are judged by them. A dirty job
 * whose row is refused stays dirty and goes behind the others in book_dirty. */
void book_end_jobs(struct book *book, const Chime__JobsReply *last);

/* Whoever answers next is believed about every job: another server is asked from now on. */
void book_forget_places(struct book *book);

void book_take_servers(struct book *book, const Chime__ServersReply *reply, struct moment now);

/*
 * An event: into the ring, and into the row of its job, which must be one of its origin. A job
 * that is not known yet gets a row. With several runs of a job the row is that of the newest
 * active one; what that leaves out, the dirty row is asked for.
 *
 *	run.created	WAITING (needs a condition) or QUEUED; decided at once: that state
 *	run.starting	STARTING	run.started	RUNNING
 *	run.not_started	WAITING		run.ended	its state
 *	job.held	HELD unless a run is active; job.released: what the run says
 *	job.defined	a new one: IDLE	job.removed	`removed`, until a full answer lacks it
 */
void book_hear(struct book *book, const struct book_heard *heard);

/* A verified head of a server: it lives. */
void book_hear_head(struct book *book, const char *server, struct moment now);

/* While the group is heard: who was not for silent_us is lost (noted, as is its return), and its
 * jobs are stale. Servers of which no head was ever heard here (on another network) are left to
 * their teller, and so are those that it has heard since. */
void book_judge_silence(struct book *book, struct moment now, int64_t silent_us);

/* Something worth a line in the events view that no log holds (gap, link lost); drawn as bad when
 * its kind has "gap" or "lost" in it. */
void book_note(struct book *book, struct moment now, const char *kind, const char *text);

/* Borrowed until the next change; NULL = not known. */
struct book_job *book_find_job(const struct book *book, const char *key);
struct book_server *book_find_server(const struct book *book, const char *name);

/* The i-th newest event, 0 = the newest; NULL = there are fewer. */
const struct book_event *book_event(const struct book *book, size_t i);

/* False for one that was removed and does not run any more: it is neither listed nor counted. */
bool book_job_is_there(const struct book_job *job);

/* How a job is shown: its state, or UNKNOWN when it is stale. */
enum jobstate book_job_shown(const struct book_job *job);

/* Keys of up to `max` dirty jobs, copied; they stay dirty until answered. Returns how many. */
size_t book_dirty(const struct book *book, char (*keys)[BOOK_KEY_SIZE], size_t max);

/*
 * The shortest true answer to "why is it so?" for a job, one line without its name's repetition:
 * "eod/report@app1 WAITING 14m: needs success(...) - eod/load@db1 is FAILED, exit 3". Told from
 * this book alone, so it is there at once and also without a link. Returns the length.
 */
size_t book_why(const struct book *book, const struct book_job *job, struct moment now, char *out,
		size_t size);

#endif
