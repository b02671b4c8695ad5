/*
 * Checks at the end of a seed, when everything has come to rest: all logs are equal frame by frame,
 * all tables say the same of every run, a replay of the log gives the same model, and the spool has
 * no result that the tables do not have.
 */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading a log in order of acceptance ---- */

struct raw_frame { uint8_t *bytes; size_t len; };
struct raw_log { struct raw_frame *list; size_t count, room; };

static bool take_frame(void *arg, const uint8_t *raw, size_t len)
{
	struct raw_log *log = arg;

	if (log->count == log->room) {
		log->room = log->room ? 2 * log->room : 256;
		log->list = realloc(log->list, log->room * sizeof(*log->list));
		assert(log->list);
	}
	log->list[log->count].bytes = malloc(len);
	assert(log->list[log->count].bytes);
	memcpy(log->list[log->count].bytes, raw, len);
	log->list[log->count++].len = len;
	return true;
}

static void free_log(struct raw_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->list[i].bytes);
	free(log->list);
}

/* The newest lineage of each origin that was accepted so far. */
struct newest { char server[NAME_SERVER_MAX + 1]; uint64_t boot; };

static bool is_history(struct newest list[SIM_NODES], const struct frame *frame)
{
	int i = 0;

	while (i < SIM_NODES - 1 && list[i].server[0] && strcmp(list[i].server, frame->origin) != 0)
		i++;
	snprintf(list[i].server, sizeof(list[i].server), "%s", frame->origin);
	if (frame->lineage.boot > list[i].boot)
		list[i].boot = frame->lineage.boot;
	return list[i].boot > frame->lineage.boot;
}

static void give_frame(const struct frame *frame, bool history,
		       void (*give)(void *arg, const struct event *event), void *arg)
{
	Chime__Events *events = chime__events__unpack(NULL, frame->body_len, frame->body);

	assert(events);
	for (size_t i = 0; i < events->n_event; i++) {
		const ProtobufCBinaryData *bytes = &events->event[i];
		Chime__Event *body = chime__event__unpack(NULL, bytes->len, bytes->data);
		struct event e = { .body = body, .history = history };
		struct digest hash;

		assert(body);
		digest_of(bytes->data, bytes->len, &hash);
		snprintf(e.ref.server, sizeof(e.ref.server), "%s", frame->origin);
		e.ref.boot = frame->lineage.boot;
		e.ref.tag = frame->lineage.tag;
		e.ref.seq = frame->first_seq + i;
		memcpy(e.ref.hash, hash.b, sizeof(e.ref.hash));
		give(arg, &e);
		chime__event__free_unpacked(body, NULL);
	}
	chime__events__free_unpacked(events, NULL);
}

void judge_read_log(struct journal *journal, void (*give)(void *arg, const struct event *event),
		    void *arg)
{
	struct raw_log log = { 0 };
	struct newest newest[SIM_NODES] = { 0 };

	(void)journal_read_newest(journal, 0, take_frame, &log);
	for (size_t i = log.count; i-- > 0;) {
		struct frame frame;

		if (frame_parse(log.list[i].bytes, log.list[i].len, &frame) != FRAME_OK)
			assert(!"a stored frame is malformed");
		give_frame(&frame, is_history(newest, &frame), give, arg);
	}
	free_log(&log);
}

/* ---- at rest, and all logs equal ---- */

struct position {
	char server[NAME_SERVER_MAX + 1];
	struct lineage lineage;
	uint64_t seq;
	struct digest hash;
};
struct positions { struct position list[512]; size_t count; };

static void add_position(void *arg, const char *server, struct lineage lineage, uint64_t seq,
			 const struct digest *hash)
{
	struct positions *p = arg;
	struct position *at = &p->list[p->count++];

	assert(p->count <= 512);
	memset(at, 0, sizeof(*at));
	snprintf(at->server, sizeof(at->server), "%s", server);
	at->lineage = lineage;
	at->seq = seq;
	at->hash = *hash;
}

static bool is_at_rest(const struct sim_node *node, char *why, size_t size)
{
	const struct node *n = &node->node;
	const char *what = NULL;

	if (!node->up)
		what = "is down";
	else if (n->state != NODE_OPEN)
		what = "is in probation";
	else if (n->unproven)
		what = "is unproven";
	else if (!n->jobs_loaded || !n->scanned)
		what = "has not loaded its jobs";
	else if (n->model.live_own)
		what = "has runs that are not over";
	else if (engine_next_us(&n->model) < world_now(node).wall.us + 60 * USEC_PER_SEC)
		what = "has something due";
	if (what)
		snprintf(why, size, "%s %s", node->name, what);
	return !what;
}

bool judge_converged(const struct world *world, char *why, size_t size)
{
	static struct positions first, other;

	for (int i = 0; i < SIM_NODES; i++) {
		struct positions *p = i ? &other : &first;

		if (!is_at_rest(&world->nodes[i], why, size))
			return false;
		p->count = 0;
		journal_each_lineage(world->nodes[i].journal, add_position, p);
		for (size_t j = 0; i && (j < first.count || j < other.count); j++) {
			if (j < first.count && j < other.count &&
			    memcmp(&first.list[j], &other.list[j], sizeof(first.list[j])) == 0)
				continue;
			snprintf(why, size, "%s and %s differ at lineage %zu of %s (%zu, %zu): "
				 "%llu, %llu", world->nodes[0].name, world->nodes[i].name, j,
				 j < first.count ? first.list[j].server : other.list[j].server,
				 first.count, other.count,
				 j < first.count ? (unsigned long long)first.list[j].seq : 0,
				 j < other.count ? (unsigned long long)other.list[j].seq : 0);
			return false;
		}
	}
	return true;
}

/* ---- tables ---- */

struct row {
	UT_hash_handle hh;
	struct { char server[NAME_SERVER_MAX + 1]; uint64_t run; } id;
	size_t len;
	uint8_t bytes[];
};

static void add_row(void *arg, const Chime__RunRow *row)
{
	struct row **rows = arg;
	size_t len = chime__run_row__get_packed_size(row);
	struct row *r = calloc(1, sizeof(*r) + len);

	assert(r);
	snprintf(r->id.server, sizeof(r->id.server), "%s", row->server);
	r->id.run = row->run;
	r->len = len;
	chime__run_row__pack(row, r->bytes);
	HASH_ADD(hh, *rows, id, sizeof(r->id), r);
}

static void free_rows(struct row *rows)
{
	struct row *r, *next;

	HASH_ITER(hh, rows, r, next) {
		HASH_DEL(rows, r);
		free(r);
	}
}

static void print_row(const char *who, const struct row *row)
{
	Chime__RunRow *r = chime__run_row__unpack(NULL, row->len, row->bytes);

	printf("\t%s: %s run %llu %s exit %d attempts %u cycle %s slot %s cause %s created %lld "
	       "started %lld ended %lld detail \"%s\" proofs", who, r->job,
	       (unsigned long long)r->run, r->state, r->has_exit_code ? r->exit_code : -1,
	       r->attempts, r->cycle, r->slot, r->cause, (long long)r->created,
	       (long long)r->started, (long long)r->ended, r->detail ? r->detail : "");
	for (size_t i = 0; i < r->n_proof; i++)
		printf(" %s", r->proof[i]);
	printf(" attempt rows %zu\n", r->n_attempt);
	chime__run_row__free_unpacked(r, NULL);
}

/* What a node's table says of a server's runs must be what that server's own table says. */
static void compare_rows(struct world *world, struct row *rows[SIM_NODES])
{
	for (int i = 0; i < SIM_NODES; i++)
		for (struct row *r = rows[i]; r; r = r->hh.next) {
			for (int j = 0; j < SIM_NODES; j++) {
				struct row *same;

				HASH_FIND(hh, rows[j], &r->id, sizeof(r->id), same);
				if (same && same->len == r->len &&
				    memcmp(same->bytes, r->bytes, r->len) == 0)
					continue;
				world_blame(world, PROMISE_P10, "%s and %s tell run %llu@%s "
					    "differently", world->nodes[i].name,
					    world->nodes[j].name, (unsigned long long)r->id.run,
					    r->id.server);
				if (world->verbose) {
					print_row(world->nodes[i].name, r);
					if (same)
						print_row(world->nodes[j].name, same);
				}
			}
		}
}

/* ---- replay ---- */

static void apply(void *arg, const struct event *event)
{
	(void)event_apply(arg, event);
}

static bool same_run(const struct run *a, const struct run *b)
{
	return !a == !b && (!a || (a->id.seq == b->id.seq && a->boot == b->boot &&
				   a->state == b->state && a->exit_code == b->exit_code &&
				   a->attempt == b->attempt && strcmp(a->cycle, b->cycle) == 0 &&
				   strcmp(a->slot, b->slot) == 0 &&
				   a->proof_count == b->proof_count &&
				   event_ref_compare(&a->by, &b->by) == 0 &&
				   event_ref_compare(&a->ended, &b->ended) == 0));
}

static const char *compare_live(const struct job *a, const struct job *b)
{
	const struct run *x = a->live, *y = b->live;

	for (; x && y; x = x->next_live, y = y->next_live)
		if (!same_run(x, y))
			return "a live run";
	return x || y ? "the number of live runs" : NULL;
}

static const char *compare_facts(const struct job *a, const struct job *b)
{
	for (const struct fact *f = a->facts; f; f = f->hh.next) {
		struct fact *other;

		HASH_FIND_STR(b->facts, f->cycle, other);
		for (int kind = 0; kind < ATOM_KINDS; kind++)
			if (!other || event_ref_compare(&f->newest[kind],
							&other->newest[kind]) != 0)
				return "a fact";
	}
	return HASH_COUNT(a->facts) != HASH_COUNT(b->facts) ? "the number of facts" : NULL;
}

static const char *compare_job(const struct job *a, const struct job *b)
{
	if (!b)
		return "its presence";
	if (a->defined != b->defined || memcmp(a->hash, b->hash, sizeof(a->hash)) != 0)
		return "the definition";
	if (a->held != b->held)
		return "the hold";
	if (a->own && a->cursor_s != b->cursor_s)
		return "the cursor";
	if (!same_run(a->last, b->last))
		return "the last run";
	return compare_live(a, b) ? compare_live(a, b) : compare_facts(a, b);
}

static void compare_models(struct sim_node *node, const char *what, const struct model *a,
			   const struct model *b)
{
	for (const struct job *job = a->jobs; job; job = job->hh.next) {
		const char *diff = compare_job(job, model_find_job(b, job->name, job->server));

		if (diff)
			world_blame(node->world, PROMISE_P10, "%s: %s differ in %s of %s",
				    node->name, what, diff, job->key);
	}
}

static void judge_replay(struct sim_node *node)
{
	struct model replayed, loaded;

	model_init(&replayed, node->name);
	model_init(&loaded, node->name);
	judge_read_log(node->journal, apply, &replayed);
	journal_load_model(node->journal, &loaded, INT64_MIN);
	compare_models(node, "model and replay", &node->node.model, &replayed);
	compare_models(node, "model and tables", &node->node.model, &loaded);
	model_fini(&replayed);
	model_fini(&loaded);
}

/* ---- the spool: no result is lost, none is invented ---- */

static const char *state_of(uint32_t result)
{
	switch (result) {
	case RESULT_SUCCESS:
		return "SUCCESS";
	case RESULT_FAILED:
		return "FAILED";
	case RESULT_TIMEOUT:
		return "TIMEOUT";
	case RESULT_KILLED:
		return "KILLED";
	default:
		return "LOST";
	}
}

static void judge_spool(struct sim_node *node, struct row *rows)
{
	for (const struct attempt *a = node->spool; a; a = a->next) {
		struct { char server[NAME_SERVER_MAX + 1]; uint64_t run; } id;
		struct row *row;
		Chime__RunRow *r;

		if (watch_forgotten(node->world, node->name, a->report.id.boot, a->report.id.tag,
				    a->report.id.seq))
			continue;
		memset(&id, 0, sizeof(id));
		snprintf(id.server, sizeof(id.server), "%s", node->name);
		id.run = a->report.id.seq;
		HASH_FIND(hh, rows, &id, sizeof(id), row);
		if (!row) {
			world_blame(node->world, PROMISE_P10, "%s: run %llu of %s is in no table",
				    node->name, (unsigned long long)id.run, a->report.job);
			continue;
		}
		r = chime__run_row__unpack(NULL, row->len, row->bytes);
		/* An end that no peer had heard went with the disk. */
		if (strcmp(r->state, state_of(a->report.result)) != 0 &&
		    !(node->was_restored && strcmp(r->state, "LOST") == 0))
			world_blame(node->world, PROMISE_P10, "%s: run %llu of %s was %s, the "
				    "tables say %s: %s", node->name, (unsigned long long)id.run,
				    a->report.job, state_of(a->report.result), r->state,
				    r->detail ? r->detail : "");
		chime__run_row__free_unpacked(r, NULL);
	}
}

/* ---- all of it ---- */

void judge_end(struct world *world)
{
	struct row *rows[SIM_NODES] = { 0 };
	char why[SIM_TEXT];

	if (!judge_converged(world, why, sizeof(why)))
		return;		/* blamed already; the rest would only say it again */
	for (int i = 0; i < SIM_NODES; i++)
		journal_each_run(world->nodes[i].journal, "", "", 0, UINT32_MAX, true, add_row,
				 &rows[i]);
	compare_rows(world, rows);
	for (int i = 0; i < SIM_NODES; i++) {
		judge_spool(&world->nodes[i], rows[i]);
		judge_replay(&world->nodes[i]);
		oracle_judge(&world->nodes[i]);
		free_rows(rows[i]);
	}
}
