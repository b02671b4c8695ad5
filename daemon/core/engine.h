/*
 * engine.h - decides: which runs come to be, which may start, which never will. Reads the model
 * and wishes for events; every wish goes through the one door before the next is thought of.
 *
 * When a condition makes a run (scheduling.md 4), for each own job C without schedule whose `after`
 * mentions the producer of an event E, and each cycle label L that E concerns:
 *
 *	the condition is true with E, and was false before it            (the first time), or
 *	it is true, and an atom that was true already got E as newer proof  (a rerun upstream)
 *
 * Facts never become false, so "before E" and "with E" are all there is to remember: the facts.
 * Events are decided one by one, in the order of acceptance.
 */
#ifndef CHIME_DAEMON_CORE_ENGINE_H
#define CHIME_DAEMON_CORE_ENGINE_H

#include "daemon/core/model.h"

enum {
	ENGINE_DECISIONS_MAX = 100,	/* of one job in one turn; then it is held, with an alarm */
	ENGINE_QUEUE_MAX = 100,		/* waiting runs of one job made by conditions */
};

struct engine {
	struct model *model;
	struct now now;
	uint64_t boot, tag;		/* my lineage */
	bool may_start;			/* definitions are loaded and the spool was scanned */
	bool unproven;			/* bus.md 8.3 */
	int64_t opened_s;		/* wall clock at the opening of my lineage */
	/* The one door: journals and applies the event at once. */
	void (*emit)(void *arg, const Chime__Event *event);
	void *arg;
};

/* Decides until nothing is pending. */
void engine_decide(struct engine *engine);

/* The wall instant at which something will be due, INT64_MAX = never. */
int64_t engine_next_us(const struct model *model);

/* Why this waiting run waits; WAIT_NONE when it may start now. */
enum run_wait engine_wait(const struct engine *engine, const struct run *run);
const char *run_wait_name(enum run_wait wait);

/* Values and proofs of the atoms of a job's condition in a cycle; both arrays hold
 * condition.atom_count entries, proofs NULL where there is none. Returns the condition's value. */
bool engine_atoms(const struct model *model, const struct job *job, const char *cycle,
		  bool *values, const struct event_ref **proofs);

/* The cycle an operator's start takes without --cycle (contract 24). */
void engine_current_cycle(const struct job *job, struct now now, char out[NAME_LABEL_SIZE]);

/* The effective kind: day when at most one slot a day, else slot; day without a schedule. */
enum cycle_kind job_cycle_kind(const struct job *job);

/* How many runs may be active at once. */
uint32_t job_parallel(const struct job *job);

#endif
