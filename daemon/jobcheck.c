#include "daemon/jobfile.h"

#include "daemon/core/condition.h"
#include "proto/names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOOPS_MAX = 20,		/* that are reported: one wrong line can close many */
	LOOP_SHOWN_MAX = 12,	/* jobs of one loop that are named */
	NEAREST_MAX = 100,	/* searches for a near name, each over all jobs */
};

/* A job on one of the names or globs of its `server:`. */
struct place_of_job {
	size_t job;		/* index in the set */
	char server[NAME_SERVER_MAX + 1];
};

/* The set with an index by name and its conditions, for one check. */
struct check {
	const struct jobset *set;
	struct diags *diags;
	struct place_of_job *nodes;	/* in the order of names, then of the set */
	size_t node_count;
	struct condition *conditions;	/* one per job; empty without `after` */
	unsigned nearest;
};

/* True when some name matches both patterns: grid of "does the rest from here on". */
static bool patterns_meet(const char *a, const char *b)
{
	bool grid[NAME_SERVER_MAX + 2][NAME_SERVER_MAX + 2] = { 0 };
	size_t a_len = strlen(a), b_len = strlen(b);

	for (size_t i = a_len + 1; i-- > 0;) {
		for (size_t j = b_len + 1; j-- > 0;) {
			bool a_star = a[i] == '*' || a[i] == '%',
			     b_star = b[j] == '*' || b[j] == '%';

			if (!a[i] && !b[j])
				grid[i][j] = true;
			else if (a_star || b_star)
				grid[i][j] = (a[i] && b_star && grid[i + 1][j]) ||
					     (b[j] && a_star && grid[i][j + 1]) ||
					     (a_star && grid[i + 1][j]) ||
					     (b_star && grid[i][j + 1]);
			else if (a[i] && b[j])
				grid[i][j] = (a[i] == b[j] || a[i] == '?' || b[j] == '?') &&
					     grid[i + 1][j + 1];
		}
	}
	return grid[0][0];
}

static int compare_jobs(const void *a, const void *b, void *arg)
{
	const struct check *check = arg;
	const struct job_def *jobs = check->set->jobs;
	const struct place_of_job *x = a, *y = b;
	int order = strcmp(jobs[x->job].name, jobs[y->job].name);

	return order ? order : x->job < y->job ? -1 : x->job > y->job;
}

static void add_node(struct check *check, size_t job, const char *server)
{
	size_t count = check->node_count;

	/* Room doubles at each power of two. */
	if (!(count & (count - 1))) {
		check->nodes = realloc(check->nodes, (count ? count * 2 : 1) *
				       sizeof(*check->nodes));
		assert(check->nodes);
	}
	check->nodes[count] = (struct place_of_job){ .job = job };
	memcpy(check->nodes[count].server, server, strlen(server) + 1);
	check->node_count++;
}

static void init_check(struct check *check, const struct jobset *set, struct diags *diags)
{
	char server[NAME_SERVER_MAX + 1];

	*check = (struct check){ .set = set, .diags = diags };
	check->conditions = calloc(set->count + 1, sizeof(*check->conditions));
	assert(check->conditions);
	for (size_t i = 0; i < set->count; i++) {
		const char *text = set->jobs[i].server;

		while (jobset_next_server(&text, server))
			add_node(check, i, server);
	}
	if (check->node_count)
		qsort_r(check->nodes, check->node_count, sizeof(*check->nodes), compare_jobs,
			check);
}

/* Conditions of a loaded set are valid; an empty own server stands for the job's own. */
static void parse_conditions(struct check *check)
{
	struct condition_error error;

	for (size_t i = 0; i < check->set->count; i++)
		if (check->set->jobs[i].after &&
		    condition_parse(check->set->jobs[i].after, "", &check->conditions[i], &error))
			assert(!"a loaded condition is valid");
}

static void fini_check(struct check *check)
{
	for (size_t i = 0; i < check->set->count; i++)
		condition_fini(&check->conditions[i]);
	free(check->conditions);
	free(check->nodes);
}

static const struct job_def *job_of(const struct check *check, size_t node)
{
	return &check->set->jobs[check->nodes[node].job];
}

/* The first node whose job has this name, or node_count. */
static size_t find_name(const struct check *check, const char *name)
{
	size_t low = 0, high = check->node_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(job_of(check, middle)->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < check->node_count && !strcmp(job_of(check, low)->name, name) ?
	       low : check->node_count;
}

/* The first node from `from` on that an atom of a job on `server` may look at, or node_count;
 * start with find_name. */
static size_t find_producer(const struct check *check, const struct atom *atom, const char *server,
			    size_t from)
{
	for (size_t i = from; i < check->node_count; i++) {
		if (strcmp(job_of(check, i)->name, atom->job) != 0)
			break;
		if (patterns_meet(check->nodes[i].server, *atom->server ? atom->server : server))
			return i;
	}
	return check->node_count;
}

static struct diag_place place_of_job(const struct check *check, size_t job)
{
	const struct job_def *def = &check->set->jobs[job];
	const struct job_place *place = &check->set->places[job];

	return (struct diag_place){ def->file, def->line, place->column, place->width,
				    place->source, place->source ? strlen(place->source) : 0 };
}

static struct diag_place place_of_after(const struct check *check, size_t job)
{
	const struct job_place *place = &check->set->places[job];

	return (struct diag_place){ check->set->jobs[job].file, place->after_line,
				    place->after_column, place->after_width, place->after_source,
				    place->after_source ? strlen(place->after_source) : 0 };
}

/* The name in an atom, after "success(". */
static struct diag_place place_of_atom(const struct check *check, size_t job,
				       const struct atom *atom)
{
	struct diag_place place = place_of_after(check, job);
	const char *text = check->set->jobs[job].after, *open = strchr(text + atom->column, '(');

	if (!check->set->places[job].after_exact || !open)
		return place;
	open++;
	open += strspn(open, " \t");
	place.column += (uint32_t)(open - text);
	place.width = (uint32_t)(strlen(atom->job) +
				 (*atom->server ? strlen(atom->server) + 1 : 0));
	return place;
}

/* --- defined twice --- */

static void report_double(const struct check *check, size_t first, size_t second)
{
	const struct place_of_job *a = &check->nodes[first], *b = &check->nodes[second];
	const struct job_def *def = job_of(check, first);
	struct diag_place place = place_of_job(check, b->job);

	if (glob_has_wildcard(a->server) && glob_has_wildcard(b->server))
		diag_warning(check->diags, &place, NULL, "job %s may be defined twice: for %s here "
			     "and for %s in %s:%u", def->name, b->server, a->server, def->file,
			     def->line);
	else
		diag_error(check->diags, &place, NULL,
			   "job %s is defined twice for %s, first in %s:%u", def->name,
			   glob_has_wildcard(b->server) ? a->server : b->server, def->file,
			   def->line);
}

static void check_double(const struct check *check, size_t node)
{
	const char *name = job_of(check, node)->name;

	for (size_t i = node; i-- > 0 && !strcmp(job_of(check, i)->name, name);) {
		if (check->nodes[i].job == check->nodes[node].job ||
		    !patterns_meet(check->nodes[i].server, check->nodes[node].server))
			continue;
		report_double(check, i, node);
		return;
	}
}

void jobset_check_doubles(const struct jobset *set, struct diags *diags)
{
	struct check check;

	init_check(&check, set, diags);
	for (size_t i = 0; i < check.node_count; i++)
		check_double(&check, i);
	fini_check(&check);
	diags_sort(diags);
}

/* --- producers that are not there --- */

static void format_name(char *out, size_t size, const char *job, const char *server)
{
	snprintf(out, size, glob_has_wildcard(server) ? "%s on %s" : "%s@%s", job, server);
}

/* The job somebody meant: the same name elsewhere, else a near NAME@SERVER. */
static const char *hint_producer(struct check *check, const struct atom *atom, const char *server,
				 char *out, size_t size)
{
	size_t same = find_name(check, atom->job);
	char wanted[192], name[192], best[192] = "";

	if (same < check->node_count) {
		format_name(name, sizeof(name), atom->job, check->nodes[same].server);
		snprintf(out, size, "there is %s", name);
		return out;
	}
	if (check->nearest++ >= NEAREST_MAX)
		return NULL;
	snprintf(wanted, sizeof(wanted), "%s@%s", atom->job, server);
	for (size_t i = 0; i < check->node_count; i++) {
		snprintf(name, sizeof(name), "%s@%s", job_of(check, i)->name,
			 check->nodes[i].server);
		/* The nearer of the best so far and this one. */
		const char *const pair[] = { *best ? best : name, name };

		if (name_nearest(wanted, pair, 2) == name)
			memcpy(best, name, sizeof(best));
	}
	if (!*best)
		return NULL;
	snprintf(out, size, "did you mean %s?", best);
	return out;
}

/* `first`: of the nodes of its job; what doesn't depend on the server is said once. */
static void check_producers(struct check *check, size_t node, bool first)
{
	const struct place_of_job *here = &check->nodes[node];
	const struct condition *condition = &check->conditions[here->job];
	char name[192], hint[256];

	for (size_t i = 0; i < condition->atom_count; i++) {
		const struct atom *atom = &condition->atoms[i];
		const char *server = *atom->server ? atom->server : here->server;
		struct diag_place place;

		if ((*atom->server && !first) ||
		    find_producer(check, atom, here->server, find_name(check, atom->job)) <
		    check->node_count)
			continue;
		place = place_of_atom(check, here->job, atom);
		format_name(name, sizeof(name), atom->job, server);
		diag_warning(check->diags, &place,
			     hint_producer(check, atom, server, hint, sizeof(hint)),
			     "no job %s", name);
	}
}

/* --- jobs that wait for each other --- */

/* A node on the way down, and the edge that is tried next. */
struct step {
	size_t node, atom, producer;
};

enum colour { WHITE, GREY, BLACK };	/* not seen, on the way, done */

static void report_loop(const struct check *check, const struct step *steps, size_t count)
{
	struct diag_place place = place_of_job(check, check->nodes[steps[0].node].job);
	char *list = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&list, &len);

	assert(out);
	place.source = NULL;
	for (size_t i = 0; i <= count; i++) {
		size_t node = steps[i % count].node;

		if (i == LOOP_SHOWN_MAX && count > i) {
			fputs(" -> ...", out);
			i = count;
			node = steps[0].node;
		}
		fprintf(out, "%s%s@%s", i ? " -> " : "", job_of(check, node)->name,
			check->nodes[node].server);
	}
	if (fclose(out))
		assert(!"out of memory");
	diag_error(check->diags, &place, list, count == 1 ? "this job waits for itself" :
		   "these jobs wait for each other, none can start first");
	free(list);
}

/* The next edge of a step: a node, or node_count when all were tried. */
static size_t next_producer(const struct check *check, struct step *step)
{
	const struct place_of_job *here = &check->nodes[step->node];
	const struct condition *condition = &check->conditions[here->job];

	while (step->atom < condition->atom_count) {
		const struct atom *atom = &condition->atoms[step->atom];
		size_t from = step->producer ? step->producer : find_name(check, atom->job);
		size_t found = find_producer(check, atom, here->server, from);

		if (found < check->node_count) {
			step->producer = found + 1;
			return found;
		}
		step->atom++;
		step->producer = 0;
	}
	return check->node_count;
}

/* Depth first, on a stack of our own: a chain may be as long as the set. */
static void check_loops(const struct check *check)
{
	uint8_t *colours = calloc(check->node_count + 1, 1);
	struct step *steps = calloc(check->node_count + 1, sizeof(*steps));
	unsigned loops = 0;

	assert(colours && steps);
	for (size_t start = 0; start < check->node_count; start++) {
		size_t depth = 0;

		if (colours[start] != WHITE)
			continue;
		steps[depth++] = (struct step){ .node = start };
		colours[start] = GREY;
		while (depth) {
			size_t to = next_producer(check, &steps[depth - 1]);

			if (to == check->node_count) {
				colours[steps[--depth].node] = BLACK;
			} else if (colours[to] == WHITE) {
				colours[to] = GREY;
				steps[depth++] = (struct step){ .node = to };
			} else if (colours[to] == GREY && loops++ < LOOPS_MAX) {
				size_t from = depth - 1;

				while (steps[from].node != to)
					from--;
				report_loop(check, steps + from, depth - from);
			}
		}
	}
	free(colours);
	free(steps);
}

/* --- cycles that never meet --- */

static bool kind_contains(enum cycle_kind coarse, enum cycle_kind fine)
{
	switch (coarse) {
	case CYCLE_MONTH:
		return fine == CYCLE_DAY;
	case CYCLE_DAY:
		return fine == CYCLE_HOUR || fine == CYCLE_SLOT;
	case CYCLE_HOUR:
		return fine == CYCLE_SLOT;
	default:
		return false;
	}
}

static bool kinds_meet(enum cycle_kind a, enum cycle_kind b)
{
	return a == b || kind_contains(a, b) || kind_contains(b, a);
}

/* The cycle of an atom's producer; CYCLE_DEFAULT = it takes that of its own producers, or there is
 * none. Several producers (globs): the first one speaks for all. */
static enum cycle_kind kind_of_atom(const struct check *check, size_t node,
				    const struct atom *atom, size_t *producer)
{
	*producer = find_producer(check, atom, check->nodes[node].server,
				  find_name(check, atom->job));
	if (*producer == check->node_count ||
	    job_of(check, *producer)->schedule_kind == SCHEDULE_NONE)
		return CYCLE_DEFAULT;
	return job_of(check, *producer)->cycle;
}

/* May the condition be true in a cycle of this kind? */
static bool possible(const struct condition *condition, const enum cycle_kind *kinds,
		     enum cycle_kind kind)
{
	bool values[CONDITION_ATOMS_MAX];

	for (size_t i = 0; i < condition->atom_count; i++)
		values[i] = kinds[i] == CYCLE_DEFAULT || kinds_meet(kinds[i], kind);
	return condition_eval(condition, values);
}

static void check_cycles(const struct check *check, size_t node)
{
	size_t job = check->nodes[node].job, producers[CONDITION_ATOMS_MAX], last = 0;
	const struct job_def *def = &check->set->jobs[job];
	const struct condition *condition = &check->conditions[job];
	enum cycle_kind kinds[CONDITION_ATOMS_MAX], base = CYCLE_DEFAULT;
	struct diag_place place;

	if (!def->after)
		return;
	if (def->schedule_kind != SCHEDULE_NONE)
		base = def->cycle;
	for (size_t i = 0; i < condition->atom_count; i++)
		kinds[i] = kind_of_atom(check, node, &condition->atoms[i], &producers[i]);
	if (base != CYCLE_DEFAULT && possible(condition, kinds, base))
		return;
	for (size_t i = 0; i < condition->atom_count; i++) {
		if (kinds[i] == CYCLE_DEFAULT)
			continue;
		if (base == CYCLE_DEFAULT && possible(condition, kinds, kinds[i]))
			return;
		last = i + 1;
	}
	/* No producer has a cycle of its own: whatever starts the chain decides. */
	if (!last)
		return;
	place = place_of_after(check, job);
	if (base == CYCLE_DEFAULT) {
		diag_warning(check->diags, &place, "give them the same, for example 'cycle: day'",
			     "this can never be true: the cycles of these jobs never meet");
		return;
	}
	for (size_t i = 0; i < condition->atom_count; i++)
		if (kinds[i] != CYCLE_DEFAULT && !kinds_meet(kinds[i], base)) {
			diag_warning(check->diags, &place,
				     "give both the same, for example 'cycle: day'",
				     "this can never be true: the cycle of %s is '%s', that of "
				     "%s is '%s'", def->name, cycle_kind_name(base),
				     job_of(check, producers[i])->name, cycle_kind_name(kinds[i]));
			return;
		}
}

void jobset_check(const struct jobset *all, struct diags *diags)
{
	struct check check;

	init_check(&check, all, diags);
	parse_conditions(&check);
	for (size_t i = 0; i < check.node_count; i++) {
		bool first = !i || check.nodes[i].job != check.nodes[i - 1].job;

		check_producers(&check, i, first);
		if (first)
			check_cycles(&check, i);
	}
	check_loops(&check);
	fini_check(&check);
	diags_sort(diags);
}
