/*
 * sim.h - many servers in one process: real nodes and journals, simulated wire, disk, processes.
 *
 * Everything of the daemon that decides is linked as it is (libchime.a: the turn, chains, engine,
 * journal with its SQL in memory, envelopes, signatures). What is simulated are the edges that
 * touch the machine, each a file here with the functions of the edge's own header: the linker then
 * takes these and leaves the real ones in the archive.
 *
 *	fake_bus.c      daemon/edge/bus.h, discovery.h    loss, duplicates, delay, corruption
 *	fake_links.c    daemon/edge/links.h, control.h    requests of servers and of operators
 *	fake_runner.c   daemon/edge/runner.h              a spool that survives every crash
 *	fake_log.c      daemon/log.h, and time(2)         quiet, or with simulated time
 *	disk.c          snapshots of a journal and putting them back
 *	world.c         the clock, the queue of what will happen, nodes going up and down
 *	jobs.c          job files of a seed
 *	faults.c        what goes wrong in a seed, and what operators do
 *	watch.c         checks while it runs: nothing before its commit, nothing twice
 *	judge.c         checks at the end: logs, tables, replay
 *	oracle.c        what conditions should have started, computed from the logs alone
 *	main.c          seeds, processes, the lines that are printed
 *
 * Invariants
 * 1. A seed decides everything: one generator, one queue with a total order. Certificates differ
 *    from process to process, so their length is made the same (main.c).
 * 2. A crash takes the memory, the inbox and the transaction; it leaves what was committed, the
 *    boot number and the spool. Fakes see only what ACT and SPEAK let out.
 */
#ifndef CHIME_TESTS_SIM_H
#define CHIME_TESTS_SIM_H

#include "daemon/jobfile.h"
#include "daemon/node.h"

#include <stdio.h>

enum {
	SIM_NODES = 5,
	SIM_PORT = 7411,
	SIM_START_S = 1741600797,	/* 2025-03-10T09:59:57Z */
	SIM_QUIET_US = 34 * USEC_PER_SEC,	/* the last slot is due, faults are over */
	SIM_TEXT = 512,
};

/* What is promised (promises.md), one line of the report each. */
enum promise {
	PROMISE_ALIVE,		/* no node ends by itself, spins, or stays unproven */
	PROMISE_P4,		/* nothing leaves before its commit */
	PROMISE_P5,		/* each slot or cause starts once */
	PROMISE_P10,		/* equal logs, equal tables, replay gives the same */
	PROMISE_P14,		/* no number or boot twice, a restored backup never forks */
	PROMISE_P19,		/* each event once, the last run has seen the newest */
	PROMISE_P20,		/* a gap blocks only its origin */
	PROMISES
};

const char *promise_name(enum promise promise);

struct world;
struct sim_node;

/* The edges as the node holds them. */
struct bus { struct sim_node *at; };
struct control { struct sim_node *at; };
struct links { struct sim_node *at; };
struct runner { struct sim_node *at; };
struct discovery { struct sim_node *at; };

/* One process of a job, durable: what the spool directory of the attempt holds. */
struct attempt {
	struct attempt *next;
	struct attempt_report report;	/* state: 0 = ordered, not forked yet */
	bool acknowledged;
};

enum crash_when {
	CRASH_ANY,		/* the next turn */
	CRASH_ATTEMPT,		/* the next that hears of a process */
	CRASH_REQUEST,		/* the next that hears an operator or a peer */
	CRASH_DUE,		/* the next with a slot due */
};

struct sim_node {
	struct world *world;
	int index;
	char name[16], address[32];
	/* what survives a crash */
	struct journal *journal;
	struct journal *snapshot;
	uint64_t boot_number;
	struct attempt *spool;
	char *jobs_text;
	struct jobset jobs;
	uint64_t generation;
	int64_t boot_offset_us, wall_offset_us;
	int64_t link_us;		/* launcher and node hear each other in order */
	/* what does not */
	struct node node;
	bool up, said_hello;
	uint64_t incarnation;
	int64_t wake_us;
	uint64_t turns;			/* since `turns_second` */
	int64_t turns_second;
	/* plans */
	bool crash_armed;
	enum node_step crash_step;
	enum crash_when crash_when;
	uint32_t crash_skip;		/* turns that fit but are spared */
	int64_t outage_us;
	uint32_t crash_again;		/* crashes soon after the next start */
	bool restore;			/* put the snapshot back at the next start */
	bool was_restored;
	struct bus bus;
	struct control control;
	struct links links;
	struct runner runner;
	struct discovery discovery;
};

/* Something that will happen. */
struct sim_event {
	int64_t at_us;
	uint64_t order;
	void (*happen)(struct world *world, struct sim_event *event);
	int node, other;
	uint64_t incarnation;		/* of `node`; 0 = whatever it is then */
	uint64_t number;
	struct inbox_item *item;	/* owned */
	void *ptr;
	bool owns_ptr;			/* free(ptr) with the event */
};

/* A request on its way between two servers; freed by its deadline. */
struct dialog {
	UT_hash_handle hh;
	uint64_t conn;
	int from, to;
	uint64_t from_incarnation, to_incarnation, cookie;
	bool arrived, answered;
	char server[NAME_SERVER_MAX + 1];
	uint8_t *bytes;
	size_t len;
};

struct start_key;			/* watch.c */
struct command;				/* faults.c */
struct run_order;

struct net {
	uint32_t loss, duplicate, reorder, corrupt;	/* of 1000 */
	uint32_t late;					/* of 1000: up to 3 s */
	uint32_t blocked[SIM_NODES][SIM_NODES];		/* from, to: > 0 = nothing passes */
	uint32_t deaf[SIM_NODES][SIM_NODES];		/* datagrams only */
	int gap_from, gap_to;		/* P20: no frames, no pulls; -1 = none */
};

struct world {
	uint64_t seed, chance;
	bool verbose;
	int64_t now_us;
	struct sim_event **queue;
	size_t queue_count, queue_room;
	uint64_t next_order, next_conn;
	struct sim_node nodes[SIM_NODES];
	struct net net;
	bool warm[SIM_NODES][SIM_NODES];
	struct dialog *dialogs;
	struct start_key *starts;
	struct command *commands;
	bool with_seeds, faults_over;
	/* P20: how far each origin was in the midst of the gap; 0 = not looked at */
	uint64_t gap_seq[SIM_NODES];
	struct lineage gap_lineage[SIM_NODES];
	uint64_t gap_incarnation;
	int64_t converged_us;
	uint32_t violations[PROMISES];
	uint64_t total_turns, total_starts, total_crashes, total_datagrams;
};

/* Made once per process. */
struct cast {
	struct identity *identities[SIM_NODES];
	struct buskey key;
	struct keyring ring;
};
extern struct cast sim_cast;
extern const char *const sim_server_names[SIM_NODES];
/* Whose turn it is, for the log. */
extern const char *sim_turn_of;

/* ---- world.c ---- */
void world_init(struct world *world, uint64_t seed, bool verbose);
void world_run(struct world *world);
void world_fini(struct world *world);
uint64_t world_random(struct world *world, uint64_t limit);
/* True once in `of` times a thousand. */
bool world_chance(struct world *world, uint32_t of_thousand);
struct sim_event *world_plan(struct world *world, int64_t in_us,
			     void (*happen)(struct world *, struct sim_event *));
/* Into the inbox of a node, if it is then still the same incarnation (0: any). */
void world_put(struct sim_node *node, uint64_t incarnation, int64_t in_us,
	       struct inbox_item *item);
struct now world_now(const struct sim_node *node);
void world_start(struct sim_node *node);
void world_crash(struct sim_node *node);
/* Notes a broken promise; the text is printed when somebody looks. */
void world_blame(struct world *world, enum promise promise, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void world_say(struct world *world, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- fake_links.c ---- */
void links_drop(struct sim_node *node);		/* it went down */
bool links_pass(const struct world *world, int from, int to);

/* ---- fake_runner.c ---- */
void spool_boot(struct sim_node *node);		/* SET, what is in the spool, SCANNED */
void spool_fini(struct sim_node *node);

/* ---- disk.c ---- */
struct journal *disk_copy(struct journal *journal);
void disk_crash(struct journal *journal);	/* what was not committed is gone */

/* ---- jobs.c ---- */
void jobs_make(struct world *world);
void jobs_fini(struct sim_node *node);
/* Another text of the same jobs, as after an edit. */
void jobs_edit(struct sim_node *node);

/* ---- faults.c ---- */
void faults_plan(struct world *world);
void faults_hear_reply(struct world *world, uint64_t conn, const void *bytes, size_t len);
void faults_fini(struct world *world);
/* Keys given by operators, for the judge. */
bool faults_each_key(const struct world *world, size_t *at, uint8_t key[16]);

/* ---- watch.c ---- */
void watch_turn(struct sim_node *node);		/* after every turn */
void watch_speech(struct sim_node *node);	/* something leaves the process */
void watch_start(struct sim_node *node, const struct run_order *order);	/* a fork */
void watch_restored(struct sim_node *node);	/* what no peer can know may happen again */
bool watch_forgotten(const struct world *world, const char *server, uint64_t boot, uint64_t tag,
		     uint64_t seq);
void watch_fini(struct world *world);

/* ---- judge.c ---- */
bool judge_converged(const struct world *world, char *why, size_t size);
void judge_end(struct world *world);
/* Calls with every event of a journal in order of acceptance; bodies live until it returns. */
void judge_read_log(struct journal *journal, void (*give)(void *arg, const struct event *event),
		    void *arg);

/* ---- oracle.c ---- */
void oracle_judge(struct sim_node *node);

#endif
