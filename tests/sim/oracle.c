/*
 * What conditions should have started, from the log alone, with a naive evaluator of their texts.
 *
 * For each job with `after` and no schedule of a server, and each cycle label its producers were
 * heard in (the finest only):
 *	an event makes at most one run;
 *	what a run was made from is true: its proofs satisfy the condition, in its cycle;
 *	when the condition is true in the end, there is a run;
 *	no event that the last run has not seen renews an atom: is newer than what it has seen,
 *	and not the first of its atom in its producer's cycle.
 */
#include "tests/sim/sim.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS_MAX = 256 };

/* An event that satisfies atoms. */
struct outcome {
	char job[96];			/* name@server */
	char cycle[NAME_LABEL_SIZE];
	Chime__RunState state;
	bool silent;			/* --no-downstream: a fact that starts nothing */
	bool before_definition;		/* of the consumer: starts nothing */
	struct event_ref ref;
};

struct made {
	char job[96], cycle[NAME_LABEL_SIZE];
	uint64_t seq, boot, tag;
	Chime__Cause cause;
	bool silent, found, over, refreshed;
	struct event_ref *by;
	size_t by_count;
	struct event_ref proofs[CONDITION_ATOMS_MAX];
	size_t proof_count;
};

struct waiter { char name[64]; char after[256]; size_t known_from; };

struct log {
	struct sim_node *node;
	struct outcome *outcomes;
	size_t outcome_count;
	struct made *made;
	size_t made_count;
	struct waiter waiters[16];
	size_t waiter_count;
};

/* ---- reading ---- */

static void *grow(void *list, size_t count, size_t size)
{
	/* Doubles at powers of two. */
	if (count & (count - 1))
		return list;
	list = realloc(list, (count ? 2 * count : 1) * size);
	assert(list);
	return list;
}

static void take_refs(struct made *m, Chime__EventRef **list, size_t count)
{
	m->proof_count = 0;
	for (size_t i = 0; i < count && i < CONDITION_ATOMS_MAX; i++)
		if (event_ref_from_wire(list[i], &m->proofs[m->proof_count]))
			m->proof_count++;
}

static void take_by(struct made *m, const Chime__EventRef *by)
{
	if (!by)
		return;
	m->by = grow(m->by, m->by_count, sizeof(*m->by));
	if (event_ref_from_wire(by, &m->by[m->by_count]))
		m->by_count++;
}

static struct made *find_made(struct log *log, const char *server, uint64_t seq)
{
	const char *at;

	for (size_t i = log->made_count; i-- > 0;) {
		at = strchr(log->made[i].job, '@');
		if (log->made[i].seq == seq && strcmp(at + 1, server) == 0)
			return &log->made[i];
	}
	return NULL;
}

static void add_outcome(struct log *log, struct made *m, Chime__RunState state,
			const struct event_ref *ref)
{
	struct outcome *o;

	if (m->over)
		return;		/* the first end stays */
	m->over = true;
	log->outcomes = grow(log->outcomes, log->outcome_count, sizeof(*o));
	o = &log->outcomes[log->outcome_count++];
	*o = (struct outcome){ .state = state, .silent = m->silent, .ref = *ref };
	snprintf(o->job, sizeof(o->job), "%s", m->job);
	snprintf(o->cycle, sizeof(o->cycle), "%s", m->cycle);
}

static void read_created(struct log *log, const struct event *e)
{
	const Chime__RunCreated *c = e->body->run_created;
	struct made *m;

	if (find_made(log, e->ref.server, e->ref.seq)) {
		if (!watch_forgotten(log->node->world, e->ref.server, e->ref.boot, e->ref.tag,
				     e->ref.seq))
			world_blame(log->node->world, PROMISE_P14, "run number %llu@%s twice",
				    (unsigned long long)e->ref.seq, e->ref.server);
		return;
	}
	log->made = grow(log->made, log->made_count, sizeof(*m));
	m = &log->made[log->made_count++];
	*m = (struct made){ .seq = e->ref.seq, .boot = e->ref.boot, .tag = e->ref.tag,
			    .cause = c->cause, .silent = c->no_downstream, .found = c->found };
	snprintf(m->job, sizeof(m->job), "%s@%s", c->job, e->ref.server);
	snprintf(m->cycle, sizeof(m->cycle), "%s", c->cycle ? c->cycle : "");
	take_by(m, c->by);
	take_refs(m, c->proof, c->n_proof);
	if (c->state >= CHIME__RUN_STATE__RUN_SUCCESS)
		add_outcome(log, m, c->state, &e->ref);
}

static void read_definition(struct log *log, const struct event *e)
{
	const Chime__JobDefined *d = e->body->job_defined;
	size_t i = 0;

	if (strcmp(e->ref.server, log->node->name) != 0 || !d->after || d->schedule)
		return;
	while (i < log->waiter_count && strcmp(log->waiters[i].name, d->job) != 0)
		i++;
	if (i < log->waiter_count)
		return;
	assert(log->waiter_count < 16);
	log->waiter_count++;
	log->waiters[i].known_from = log->outcome_count;
	snprintf(log->waiters[i].name, sizeof(log->waiters[i].name), "%s", d->job);
	snprintf(log->waiters[i].after, sizeof(log->waiters[i].after), "%s", d->after);
}

static void read_event(void *arg, const struct event *e)
{
	struct log *log = arg;
	const Chime__Event *b = e->body;
	struct made *m;

	switch (b->body_case) {
	case CHIME__EVENT__BODY_RUN_CREATED:
		read_created(log, e);
		break;
	case CHIME__EVENT__BODY_RUN_PROOFS:
		m = find_made(log, e->ref.server, b->run_proofs->ref->run);
		if (m) {
			m->refreshed = true;
			take_by(m, b->run_proofs->by);
			take_refs(m, b->run_proofs->proof, b->run_proofs->n_proof);
		}
		break;
	case CHIME__EVENT__BODY_RUN_ENDED:
		m = find_made(log, e->ref.server, b->run_ended->ref->run);
		if (m)
			add_outcome(log, m, b->run_ended->state, &e->ref);
		break;
	case CHIME__EVENT__BODY_JOB_DEFINED:
		read_definition(log, e);
		break;
	default:
		break;
	}
}

/* ---- evaluating: words are read from the text each time, slowly and plainly ---- */

struct look {
	struct log *log;
	const struct waiter *waiter;
	const char *at;
	char cycle[NAME_LABEL_SIZE];
	const struct made *run;		/* not NULL: only what it has seen counts */
	bool blame;			/* say when the run has not seen the newest */
	const struct event_ref *without;	/* not NULL: this one does not count */
	bool renews;			/* `without` renews an atom */
	bool coarser_only;		/* only what was heard of cycles that contain this one */
	bool exempt;			/* an event that starts nothing is among them */
};

static bool satisfies(const struct outcome *o, const char *kind, const char *job)
{
	bool success = o->state == CHIME__RUN_STATE__RUN_SUCCESS;
	bool failure = o->state == CHIME__RUN_STATE__RUN_FAILED ||
		       o->state == CHIME__RUN_STATE__RUN_TIMEOUT;
	bool done = success || failure || o->state == CHIME__RUN_STATE__RUN_KILLED ||
		    o->state == CHIME__RUN_STATE__RUN_LOST;

	if (strcmp(o->job, job) != 0)
		return false;
	return strcmp(kind, "success") == 0 ? success : strcmp(kind, "failure") == 0 ? failure :
	       done;
}

static bool has_seen(const struct made *run, const struct event_ref *ref)
{
	for (size_t i = 0; i < run->proof_count; i++)
		if (strcmp(run->proofs[i].server, ref->server) == 0 &&
		    event_ref_compare(&run->proofs[i], ref) == 0 &&
		    memcmp(run->proofs[i].hash, ref->hash, sizeof(ref->hash)) == 0)
			return true;
	return false;
}

static bool counts(const struct look *look, const struct outcome *o, const char *kind,
		   const char *job)
{
	return satisfies(o, kind, job) && cycle_compatible(o->cycle, look->cycle) &&
	       !(look->coarser_only && cycle_equal(o->cycle, look->cycle));
}

/* Was there an older event of this atom in the very cycle of `o` when it was accepted? */
static bool is_renewal(const struct look *look, const struct outcome *o, const char *kind,
		       const char *job)
{
	for (const struct outcome *before = look->log->outcomes; before < o; before++)
		if (counts(look, before, kind, job) && cycle_equal(before->cycle, o->cycle) &&
		    event_ref_compare(&before->ref, &o->ref) < 0)
			return true;
	return false;
}

static void blame_unseen(const struct look *look, const struct outcome *o)
{
	world_blame(look->log->node->world, PROMISE_P19, "the last run %llu of %s@%s in cycle "
		    "\"%s\" has not seen %s:%llu of %s", (unsigned long long)look->run->seq,
		    look->waiter->name, look->log->node->name, look->cycle, o->ref.server,
		    (unsigned long long)o->ref.seq, o->job);
}

static bool look_atom(struct look *look, const char *kind, const char *job)
{
	const struct outcome *list = look->log->outcomes, *proof = NULL;
	bool value = false;

	for (size_t i = 0; i < look->log->outcome_count; i++) {
		if (!counts(look, &list[i], kind, job))
			continue;
		look->exempt |= list[i].silent || i < look->waiter->known_from;
		value = true;
		if (look->without && event_ref_compare(look->without, &list[i].ref) == 0 &&
		    strcmp(look->without->server, list[i].ref.server) == 0) {
			look->renews |= is_renewal(look, &list[i], kind, job);
			continue;
		}
		if (look->run && has_seen(look->run, &list[i].ref) &&
		    (!proof || event_ref_compare(&proof->ref, &list[i].ref) < 0))
			proof = &list[i];
	}
	for (size_t i = 0; look->blame && i < look->log->outcome_count; i++)
		if (counts(look, &list[i], kind, job) &&
		    (!proof || event_ref_compare(&proof->ref, &list[i].ref) < 0) &&
		    is_renewal(look, &list[i], kind, job))
			blame_unseen(look, &list[i]);
	return look->run && !look->blame ? proof != NULL : value;
}

static void skip_blanks(struct look *look)
{
	while (*look->at == ' ')
		look->at++;
}

static bool take_word(struct look *look, const char *word)
{
	size_t len = strlen(word);

	skip_blanks(look);
	if (strncmp(look->at, word, len) != 0 || isalnum((unsigned char)look->at[len]))
		return false;
	look->at += len;
	return true;
}

static bool look_or(struct look *look);

static bool look_prim(struct look *look)
{
	char kind[16] = "", job[96] = "";
	int len = 0;
	bool value;

	skip_blanks(look);
	if (*look->at == '(') {
		look->at++;
		value = look_or(look);
		skip_blanks(look);
		assert(*look->at == ')');
		look->at++;
		return value;
	}
	if (sscanf(look->at, "%15[a-z](%95[^)])%n", kind, job, &len) != 2 || !len)
		assert(!"the oracle cannot read a condition");
	look->at += len;
	return look_atom(look, kind, job);
}

/* Both sides are always looked at: each atom has its say. */
static bool look_and(struct look *look)
{
	bool value = look_prim(look);

	while (take_word(look, "and"))
		value = look_prim(look) && value;
	return value;
}

static bool look_or(struct look *look)
{
	bool value = look_and(look);

	while (take_word(look, "or"))
		value = look_and(look) || value;
	return value;
}

static bool evaluate(struct look *look)
{
	look->at = look->waiter->after;
	look->exempt = false;
	return look_or(look);
}

/* ---- judging ---- */

static size_t find_labels(const struct log *log, const struct waiter *w,
			  char labels[LABELS_MAX][NAME_LABEL_SIZE])
{
	size_t count = 0;

	for (size_t i = 0; i < log->outcome_count; i++) {
		const struct outcome *o = &log->outcomes[i];
		size_t j = 0;

		if (o->state > CHIME__RUN_STATE__RUN_LOST || !strstr(w->after, o->job))
			continue;
		while (j < count && !cycle_equal(labels[j], o->cycle))
			j++;
		if (j == count && count < LABELS_MAX)
			memcpy(labels[count++], o->cycle, NAME_LABEL_SIZE);
	}
	return count;
}

static bool has_finer(char labels[LABELS_MAX][NAME_LABEL_SIZE], size_t count, size_t at)
{
	for (size_t i = 0; i < count; i++)
		if (i != at && cycle_contains(labels[at], labels[i]) &&
		    !cycle_equal(labels[at], labels[i]))
			return true;
	return false;
}

static bool is_of(const struct log *log, const struct waiter *w, const struct made *m)
{
	char key[160];

	snprintf(key, sizeof(key), "%s@%s", w->name, log->node->name);
	return strcmp(m->job, key) == 0 && m->cause == CHIME__CAUSE__CAUSE_CONDITION && !m->found;
}

static void judge_label(struct log *log, const struct waiter *w, const char *cycle)
{
	struct look look = { .log = log, .waiter = w };
	const struct made *last = NULL;
	bool true_by_coarser;

	memcpy(look.cycle, cycle, sizeof(look.cycle));
	look.coarser_only = true;
	true_by_coarser = evaluate(&look);
	look.coarser_only = false;
	/* True before the first event of this very cycle: nothing became true in it. */
	if (true_by_coarser || !evaluate(&look) || look.exempt)
		return;
	for (size_t i = 0; i < log->made_count; i++)
		if (is_of(log, w, &log->made[i]) && cycle_equal(log->made[i].cycle, cycle) &&
		    (!last || log->made[i].seq > last->seq))
			last = &log->made[i];
	if (!last) {
		world_blame(log->node->world, PROMISE_P19, "%s@%s did not run in cycle \"%s\" "
			    "although %s", w->name, log->node->name, cycle, w->after);
		return;
	}
	look.run = last;
	look.blame = true;
	(void)evaluate(&look);
}

/* Two runs, or one run twice, made by one event in one cycle. */
static void judge_twice(struct log *log, const struct made *a, const struct made *b)
{
	for (size_t i = 0; i < a->by_count; i++)
		for (size_t j = 0; j < b->by_count; j++) {
			if ((a == b && j <= i) || strcmp(a->by[i].server, b->by[j].server) != 0 ||
			    event_ref_compare(&a->by[i], &b->by[j]) != 0 ||
			    watch_forgotten(log->node->world, log->node->name, a->boot, a->tag,
					    a->seq))
				continue;
			world_blame(log->node->world, PROMISE_P19, "%s:%llu made runs %llu and "
				    "%llu of %s in \"%s\"", a->by[i].server,
				    (unsigned long long)a->by[i].seq, (unsigned long long)a->seq,
				    (unsigned long long)b->seq, a->job, a->cycle);
		}
}

/* What merely makes further atoms true starts nothing: the condition was false before the event
 * that made the run, or the event renewed an atom. */
static void judge_cause(struct look *look)
{
	const struct made *run = look->run;

	if (run->refreshed || run->by_count != 1)
		return;
	look->without = &run->by[0];
	if (evaluate(look) && !look->renews)
		world_blame(look->log->node->world, PROMISE_P19, "run %llu of %s in \"%s\" was "
			    "made by %s:%llu, which was not needed for %s",
			    (unsigned long long)run->seq, run->job, look->cycle,
			    look->without->server, (unsigned long long)look->without->seq,
			    look->waiter->after);
}

static void judge_runs(struct log *log, const struct waiter *w)
{
	for (size_t i = 0; i < log->made_count; i++) {
		struct look look = { .log = log, .waiter = w, .run = &log->made[i] };

		if (!is_of(log, w, &log->made[i]))
			continue;
		snprintf(look.cycle, sizeof(look.cycle), "%s", log->made[i].cycle);
		if (!evaluate(&look))
			world_blame(log->node->world, PROMISE_P19, "run %llu of %s in \"%s\" has "
				    "no proofs for %s", (unsigned long long)log->made[i].seq,
				    log->made[i].job, look.cycle, w->after);
		judge_cause(&look);
		for (size_t j = i; j < log->made_count; j++)
			if (is_of(log, w, &log->made[j]) &&
			    cycle_equal(log->made[i].cycle, log->made[j].cycle))
				judge_twice(log, &log->made[i], &log->made[j]);
	}
}

void oracle_judge(struct sim_node *node)
{
	static char labels[LABELS_MAX][NAME_LABEL_SIZE];
	struct log log = { .node = node };

	judge_read_log(node->journal, read_event, &log);
	for (size_t i = 0; i < log.waiter_count; i++) {
		size_t count = find_labels(&log, &log.waiters[i], labels);

		for (size_t j = 0; j < count; j++)
			if (!has_finer(labels, count, j))
				judge_label(&log, &log.waiters[i], labels[j]);
		judge_runs(&log, &log.waiters[i]);
	}
	for (size_t i = 0; i < log.made_count; i++)
		free(log.made[i].by);
	free(log.made);
	free(log.outcomes);
}
