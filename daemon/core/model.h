/*
 * model.h - what a server believes: jobs, runs and facts, made of events and nothing else.
 *
 * The model is loaded from the journal's tables at start and changed only by event_apply()
 * (event.h), so that replaying the log gives the same model. It decides nothing: engine.h reads it
 * and wishes for events.
 *
 * Invariants
 * 1. Every change marks its object changed; the node writes what is marked in the same transaction
 *    as the event, so tables and model cannot differ.
 * 2. Pointers between jobs and runs are owned by the model and live until model_fini; a run that
 *    is over stays only while it is its job's newest.
 * 3. Own jobs (job->own) are planned and started here; others are known from their owner's log.
 * 4. A fact of (job, cycle, kind) is the newest event that satisfies success, failure or done:
 *    monotone, so no order of arrival can take it back.
 */
#ifndef CHIME_DAEMON_CORE_MODEL_H
#define CHIME_DAEMON_CORE_MODEL_H

#include "daemon/clock.h"
#include "daemon/core/condition.h"
#include "daemon/core/job.h"
#include "proto/event.pb-c.h"
#include "proto/names.h"

#define uthash_fatal(msg) abort()
#include <uthash.h>

enum {
	MODEL_PERSON_SIZE = 64,
	MODEL_DETAIL_SIZE = 128,
	MODEL_HASH_SIZE = 32,
	MODEL_ORPHANS_MAX = 1000,
};

/* An event named for ever. server "" = none. */
struct event_ref {
	char server[NAME_SERVER_MAX + 1];
	uint64_t boot, tag, seq;
	uint8_t hash[MODEL_HASH_SIZE];
};

/* What makes a waiting run wait; the first that applies, in this order. */
enum run_wait {
	WAIT_NONE,
	WAIT_DEPS,		/* armed by its slot, `after` is not yet true */
	WAIT_HOLD,
	WAIT_OVERLAP,
	WAIT_UNPROVEN,		/* this server waits for its peers (bus.md 8) */
	WAIT_DISABLED,
	WAIT_LAUNCHER,		/* the launcher could not start it; tried again soon */
};

/* Acts that a run still owes to the outside; done again after a restart, harmless when repeated. */
enum {
	RUN_DO_START = 1 << 0,
	RUN_DO_KILL = 1 << 1,
};

struct run {
	UT_hash_handle hh;			/* model->runs */
	struct job *job;
	struct {
		char server[NAME_SERVER_MAX + 1];
		uint64_t seq;			/* the run's number; unique per server for ever */
	} id;
	uint64_t boot, tag;			/* lineage that created it */
	Chime__RunState state;
	Chime__Cause cause;
	char cycle[NAME_LABEL_SIZE], slot[NAME_LABEL_SIZE];
	int64_t slot_time_s;			/* INT64_MIN = no slot */
	bool forced, needs_condition, no_downstream, ignore_hold, ignore_overlap, killing;
	struct event_ref by;			/* the event that made a condition run */
	struct event_ref *proofs;
	size_t proof_count;
	char actor[MODEL_PERSON_SIZE];
	char *reason, *unmet, *ignored;		/* NULL = none; lists joined with "\n" */
	uint64_t rerun_of;
	int64_t expires_us;			/* wall clock, 0 = never */
	int64_t not_before_us;			/* after a start that came to nothing; 0 = none */
	int64_t created_us, started_us, ended_us, late_us;
	uint32_t attempt;			/* 0 before the first */
	uint8_t definition[MODEL_HASH_SIZE];
	int32_t exit_code, signal, error;	/* exit_code -1 = none */
	uint64_t output_bytes;
	bool truncated;
	char detail[MODEL_DETAIL_SIZE];
	struct event_ref ended;			/* the event that ended it */
	unsigned todo;				/* RUN_DO_... */
	struct run *next_live, *next_changed, *next_todo;
	bool changed, in_todo, retired;
	bool reported;				/* the launcher knows of it since our start */
	bool returned;				/* own, but given back by peers since our start */
	Chime__RunEnded *last_attempt;		/* for the attempts table, then freed */
};

/* The newest events of one job in one cycle that satisfy each kind of atom; ref.seq 0 = none. */
struct fact {
	UT_hash_handle hh;			/* job->facts, by cycle */
	char cycle[NAME_LABEL_SIZE];
	struct event_ref newest[ATOM_KINDS];
	int64_t time_us;			/* of the newest, wall clock of its origin */
};

struct job {
	UT_hash_handle hh;			/* model->jobs */
	char key[NAME_JOB_MAX + 1 + NAME_SERVER_MAX + 1];	/* name@server */
	char name[NAME_JOB_MAX + 1];
	char server[NAME_SERVER_MAX + 1];
	bool own;
	bool defined;				/* false: removed, or only mentioned by others */
	bool enabled, held;
	char held_by[MODEL_PERSON_SIZE];
	char *held_reason;
	int64_t held_us;
	/* as published; NULL = none */
	char *server_text, *about, *schedule_text, *timezone, *after;
	struct schedule schedule;
	const struct zone *zone;		/* NULL until the node has loaded it */
	enum cycle_kind cycle;
	struct condition condition;
	bool has_condition;
	enum overlap_kind overlap;
	uint32_t overlap_n;
	int64_t max_time_us;
	uint8_t hash[MODEL_HASH_SIZE];
	int64_t defined_us;			/* time of the newest definition */
	int64_t cursor_s;			/* the newest slot decided; INT64_MIN = none */
	struct slot next;			/* planned, valid when has_next */
	bool has_next;
	size_t due_at;				/* place in model->due + 1; 0 = not there */
	struct run *last;			/* the newest run */
	struct run *live;			/* waiting, starting or running, oldest first */
	struct fact *facts;
	struct job **consumers;			/* jobs with an atom on this one */
	size_t consumer_count;
	uint64_t set_turn;			/* of the newest definition set that holds it */
	uint64_t asked;				/* the question that came by here last */
	uint64_t decided_turn;			/* decisions counts those of this turn */
	uint32_t decisions;
	struct job *next_changed, *next_look;
	bool changed, in_look;			/* look: the engine must look at its live runs */
	bool in_plan;				/* the engine must plan its next slot */
	struct job *next_plan;
};

/* A fact that changed and whose consequences are not decided yet. */
struct change {
	struct change *next;
	struct job *job;			/* the producer */
	char cycle[NAME_LABEL_SIZE];
	struct event_ref by;
	unsigned satisfied, had;		/* bits 1 << atom_kind: now / before too */
	int64_t time_us;			/* of the event, wall clock of its origin */
};

/* An event that an own condition run has taken as proof: it never starts that job in that cycle
 * again, in whatever order logs come back after a restore. */
struct seen {
	UT_hash_handle hh;			/* model->seen, by key */
	struct seen_key {
		const struct job *job;
		uint64_t boot, tag, seq;
		char server[NAME_SERVER_MAX + 1];
		char cycle[NAME_LABEL_SIZE];
	} key;
	int64_t time_us;
};

/* The end of a run that is not known yet: its origin was restored, and told how a run of its past
 * ended before that past was heard here. */
struct orphan {
	struct orphan *next;
	struct event_ref ref;
	Chime__Event *body;			/* RunEnded */
};

struct model {
	char server[NAME_SERVER_MAX + 1];	/* my name */
	struct job *jobs;
	struct run *runs;			/* live ones and the newest of each job */
	struct job *changed_jobs, *look_jobs, *plan_jobs;
	struct run *changed_runs, *todo_runs;
	struct seen *seen;
	struct change *changes, **changes_tail;	/* oldest first */
	struct orphan *orphans;			/* newest first, at most MODEL_ORPHANS_MAX */
	size_t orphan_count;
	struct run *dead_runs;			/* over and superseded; freed by model_clean */
	struct job **due;			/* binary heap of own jobs by next.utc_s */
	size_t due_count, due_room;
	uint32_t live_own;			/* own runs that are starting or running */
	int64_t next_expiry_us;			/* nothing waiting expires or is retried earlier */
	uint64_t turn;
	uint64_t questions;			/* searches through the conditions so far */
};

void model_init(struct model *model, const char *server);
void model_fini(struct model *model);

/* "name@server" -> job, or NULL. */
struct job *model_find_job(const struct model *model, const char *name, const char *server);

/* The same, made when it is not known yet (mentioned before it was defined). */
struct job *model_mention_job(struct model *model, const char *name, const char *server);

struct run *model_find_run(const struct model *model, const char *server, uint64_t seq);

/* A new run of a job, linked in as its newest when its number is the highest; state waiting. */
struct run *model_add_run(struct model *model, struct job *job, uint64_t seq);

/* The one place that assigns a run's state; keeps the lists of live runs. */
void run_set_state(struct model *model, struct run *run, Chime__RunState state);

static inline bool run_state_over(Chime__RunState s)
{
	return s >= CHIME__RUN_STATE__RUN_SUCCESS;
}

static inline bool run_state_active(Chime__RunState s)
{
	return s == CHIME__RUN_STATE__RUN_STARTING || s == CHIME__RUN_STATE__RUN_RUNNING;
}

/* "WAITING", "SUCCESS", ... as JSON and people see them; never NULL. */
const char *run_state_name(Chime__RunState state);
/* "WA", "SU", ... */
const char *run_state_code(Chime__RunState state);
/* "schedule", "condition", "force", "rerun"; "" for none. */
const char *cause_name(Chime__Cause cause);

/* Marks for the node and the engine. */
void model_job_changed(struct model *model, struct job *job);
void model_run_changed(struct model *model, struct run *run);
void model_run_owes(struct model *model, struct run *run, unsigned todo);
void model_look_at(struct model *model, struct job *job);
void model_plan(struct model *model, struct job *job);

/* Sets the heap right after job->next or has_next changed. */
void model_set_next(struct model *model, struct job *job, const struct slot *next);

/* Frees superseded runs. Call between turns only: handlers may hold pointers within one. */
void model_clean(struct model *model);

/* Sets definition fields from an event; parses schedule and condition again. */
void job_set_definition(struct model *model, struct job *job, const Chime__JobDefined *def,
			int64_t time_us);

/*
 * Notes that an event of this outcome satisfies atoms of (job, cycle). Returns the bits 1 <<
 * atom_kind it satisfies; *had gets those satisfied before. An older event than the one noted
 * (by lineage and seq) fills holes only.
 */
unsigned fact_note(struct job *job, const char *cycle, Chime__RunState outcome,
		   const struct event_ref *ref, int64_t time_us, unsigned *had);

/* The newest satisfying event of a job within a cycle label compatible with `cycle`, or NULL.
 * `except`: an exact label whose fact is not looked at, or NULL. */
const struct event_ref *fact_newest(const struct job *job, const char *cycle,
				    enum atom_kind kind, const char *except);

void model_note_seen(struct model *model, const struct job *job, const char *cycle,
		     const struct event_ref *ref, int64_t time_us);
bool model_has_seen(const struct model *model, const struct job *job, const char *cycle,
		    const struct event_ref *ref);

/* Drops facts and what was seen before the horizon. */
void model_forget_facts(struct model *model, int64_t before_us);

/* By (boot, tag, seq): <0, 0, >0. Only for events of one server. */
int event_ref_compare(const struct event_ref *a, const struct event_ref *b);

/* "db1:8820" */
void event_ref_format(const struct event_ref *ref, char out[NAME_SERVER_MAX + 24]);

#endif
