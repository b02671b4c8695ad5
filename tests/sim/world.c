#include "tests/sim/sim.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	SPIN_TURNS = 20000,		/* of one node in one second */
	CONVERGE_US = 90 * USEC_PER_SEC,	/* after the faults */
};

const char *promise_name(enum promise promise)
{
	static const char *const names[PROMISES] = {
		[PROMISE_ALIVE] = "alive", [PROMISE_P4] = "P4", [PROMISE_P5] = "P5",
		[PROMISE_P10] = "P10", [PROMISE_P14] = "P14", [PROMISE_P19] = "P19",
		[PROMISE_P20] = "P20",
	};

	return names[promise];
}

uint64_t world_random(struct world *world, uint64_t limit)
{
	/* splitmix64, as node_random, with a state of its own */
	uint64_t z = world->chance += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return limit ? (z ^ z >> 31) % limit : 0;
}

bool world_chance(struct world *world, uint32_t of_thousand)
{
	return world_random(world, 1000) < of_thousand;
}

static void print_time(const struct world *world)
{
	printf("%4d.%06d ", (int)(world->now_us / USEC_PER_SEC),
	       (int)(world->now_us % USEC_PER_SEC));
}

void world_say(struct world *world, const char *fmt, ...)
{
	va_list args;

	if (!world->verbose)
		return;
	print_time(world);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

void world_blame(struct world *world, enum promise promise, const char *fmt, ...)
{
	va_list args;

	if (world->violations[promise]++ > 3 && !world->verbose)
		return;
	printf("seed %llu: %s: ", (unsigned long long)world->seed, promise_name(promise));
	print_time(world);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

/* ---- the queue: a heap by (time, order of planning) ---- */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

struct sim_event *world_plan(struct world *world, int64_t in_us,
			     void (*happen)(struct world *, struct sim_event *))
{
	struct sim_event *event = calloc(1, sizeof(*event));
	size_t at = world->queue_count++;

	assert(event);
	event->at_us = world->now_us + (in_us > 0 ? in_us : 0);
	event->order = world->next_order++;
	event->happen = happen;
	if (world->queue_count > world->queue_room) {
		world->queue_room = world->queue_room ? 2 * world->queue_room : 1024;
		world->queue = realloc(world->queue, world->queue_room * sizeof(*world->queue));
		assert(world->queue);
	}
	while (at > 0 && is_before(event, world->queue[(at - 1) / 2])) {
		world->queue[at] = world->queue[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	world->queue[at] = event;
	return event;
}

static struct sim_event *take_event(struct world *world)
{
	struct sim_event *first = world->queue[0];
	struct sim_event *last = world->queue[--world->queue_count];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= world->queue_count)
			break;
		if (child + 1 < world->queue_count &&
		    is_before(world->queue[child + 1], world->queue[child]))
			child++;
		if (!is_before(world->queue[child], last))
			break;
		world->queue[at] = world->queue[child];
		at = child;
	}
	world->queue[at] = last;
	return first;
}

static void free_event(struct sim_event *event)
{
	inbox_item_free(event->item);
	if (event->owns_ptr)
		free(event->ptr);
	free(event);
}

/* ---- inboxes ---- */

static void wake(struct sim_node *node)
{
	/* A turn gathers what comes within a fraction of a millisecond, as a busy loop does. */
	int64_t at_us = node->world->now_us + (int64_t)world_random(node->world, 200);

	if (at_us < node->wake_us)
		node->wake_us = at_us;
}

static void put_happens(struct world *world, struct sim_event *event)
{
	struct sim_node *node = &world->nodes[event->node];
	struct inbox_item *item = event->item;

	if (!node->up || (event->incarnation && event->incarnation != node->incarnation))
		return;
	event->item = NULL;
	if (inbox_put(&node->node.inbox, item) == -EAGAIN)
		inbox_item_free(item);
	wake(node);
}

void world_put(struct sim_node *node, uint64_t incarnation, int64_t in_us,
	       struct inbox_item *item)
{
	struct sim_event *event = world_plan(node->world, in_us, put_happens);

	event->node = node->index;
	event->incarnation = incarnation;
	event->item = item;
}

/* ---- nodes ---- */

struct now world_now(const struct sim_node *node)
{
	return (struct now){
		.wall.us = SIM_START_S * (int64_t)USEC_PER_SEC + node->world->now_us +
			   node->wall_offset_us,
		.boot.us = node->world->now_us + node->boot_offset_us,
	};
}

static struct node_setup make_setup(struct sim_node *node)
{
	static const char *const seeds[] = { "10.0.0.1:7411", "10.0.0.2:7411", "10.0.0.3:7411",
					     "10.0.0.4:7411", "10.0.0.5:7411" };

	return (struct node_setup){
		.environment = "sim", .server = node->name, .timezone = "UTC",
		.boot_number = &node->boot_number,
		.seeds = seeds, .seed_count = node->world->with_seeds ? SIM_NODES : 0,
		.identity = sim_cast.identities[node->index],
		.keys = &sim_cast.ring, .key = &sim_cast.key,
		.history_us = 30 * 86400 * INT64_C(1000000), .history_bytes = 1 << 30,
		.seed = world_random(node->world, UINT64_MAX),
		.journal = node->journal, .bus = &node->bus, .control = &node->control,
		.links = &node->links, .runner = &node->runner, .discovery = &node->discovery,
		.address = node->address, .control_port = SIM_PORT,
	};
}

void world_start(struct sim_node *node)
{
	struct world *world = node->world;
	struct node_setup setup;
	char err[256];

	if (node->up)
		return;
	if (node->restore && node->snapshot) {
		journal_close(node->journal);
		node->journal = disk_copy(node->snapshot);
		node->restore = false;
		node->was_restored = true;
		watch_restored(node);
		world_say(world, "%s: snapshot restored", node->name);
	}
	setup = make_setup(node);
	if (node_init(&node->node, &setup, world_now(node), err, sizeof(err)) < 0) {
		world_blame(world, PROMISE_ALIVE, "%s cannot start: %s", node->name, err);
		return;
	}
	node->up = true;
	node->incarnation++;
	node->wake_us = world->now_us;
	start_hello(&node->node);	/* as main.c does, once its edges are open */
	world_say(world, "%s: up", node->name);
	spool_boot(node);
	if (node->crash_again) {
		node->crash_again--;
		node->crash_armed = true;
		node->crash_when = CRASH_ANY;
		node->crash_step = (enum node_step)world_random(world, NODE_STEPS);
		node->crash_skip = (uint32_t)world_random(world, 12);
		node->outage_us = (int64_t)world_random(world, USEC_PER_SEC);
	}
}

static void start_happens(struct world *world, struct sim_event *event)
{
	world_start(&world->nodes[event->node]);
}

static void go_down(struct sim_node *node, int64_t outage_us)
{
	node->up = node->said_hello = node->crash_armed = false;
	node->wake_us = INT64_MAX;
	disk_crash(node->journal);
	node_fini(&node->node);
	links_drop(node);
	world_plan(node->world, outage_us, start_happens)->node = node->index;
}

void world_crash(struct sim_node *node)
{
	if (!node->up)
		return;
	node->world->total_crashes++;
	world_say(node->world, "%s: crash", node->name);
	go_down(node, node->outage_us);
}

/* ---- turns ---- */

static bool hears(const struct sim_node *node, enum inbox_kind kind)
{
	for (const struct inbox_item *i = node->node.inbox.head; i; i = i->next)
		if (i->kind == kind)
			return true;
	return false;
}

static bool crashes_now(struct sim_node *node)
{
	int64_t wall_us;
	int64_t boot_us;
	bool fits = true;

	if (!node->crash_armed)
		return false;
	switch (node->crash_when) {
	case CRASH_ANY:
		break;
	case CRASH_ATTEMPT:
		fits = hears(node, INBOX_ATTEMPT);
		break;
	case CRASH_REQUEST:
		fits = hears(node, INBOX_REQUEST);
		break;
	case CRASH_DUE:
		node_next(&node->node, &boot_us, &wall_us);
		fits = wall_us <= world_now(node).wall.us;
		break;
	}
	if (fits && node->crash_skip > 0) {
		node->crash_skip--;
		return false;
	}
	return fits;
}

static void count_turn(struct sim_node *node)
{
	struct world *world = node->world;
	int64_t second = world->now_us / USEC_PER_SEC;

	world->total_turns++;
	if (node->turns_second != second) {
		node->turns_second = second;
		node->turns = 0;
	}
	if (++node->turns == SPIN_TURNS)
		world_blame(world, PROMISE_ALIVE, "%s spins: %d turns in a second", node->name,
			    SPIN_TURNS);
}

static void plan_wake(struct sim_node *node, bool more)
{
	int64_t boot_us, wall_us, at_us;

	node_next(&node->node, &boot_us, &wall_us);
	at_us = boot_us == INT64_MAX ? INT64_MAX : boot_us - node->boot_offset_us;
	if (wall_us != INT64_MAX) {
		wall_us -= SIM_START_S * (int64_t)USEC_PER_SEC + node->wall_offset_us;
		if (wall_us < at_us)
			at_us = wall_us;
	}
	if (more || at_us <= node->world->now_us)
		at_us = node->world->now_us + 20;
	node->wake_us = at_us;
}

static void turn(struct sim_node *node)
{
	bool crash = crashes_now(node), more;

	count_turn(node);
	sim_turn_of = node->name;
	more = node_turn(&node->node, world_now(node), crash ? node->crash_step : NODE_STEP_SPEAK);
	watch_turn(node);
	if (crash) {
		world_say(node->world, "%s: crash after step %d", node->name, node->crash_step);
		node->world->total_crashes++;
		go_down(node, node->outage_us);
	} else if (node->node.state == NODE_FAILED) {
		world_blame(node->world, PROMISE_ALIVE, "%s ended by itself: %s", node->name,
			    journal_error(node->journal));
		go_down(node, USEC_PER_SEC);
	} else if (node->node.state == NODE_STOPPED) {
		world_say(node->world, "%s: stopped", node->name);
		go_down(node, node->outage_us);
	} else {
		plan_wake(node, more);
	}
}

/* ---- all of it ---- */

void world_init(struct world *world, uint64_t seed, bool verbose)
{
	char err[256];

	*world = (struct world){ .seed = seed, .chance = seed * 0x9e3779b97f4a7c15u + 1,
				 .verbose = verbose, .net.gap_from = -1, .net.gap_to = -1 };
	world->with_seeds = world_chance(world, 500);
	for (int i = 0; i < SIM_NODES; i++) {
		struct sim_node *node = &world->nodes[i];

		node->world = world;
		node->index = i;
		node->wake_us = INT64_MAX;
		snprintf(node->name, sizeof(node->name), "%s", sim_server_names[i]);
		snprintf(node->address, sizeof(node->address), "10.0.0.%d:%d", i + 1, SIM_PORT);
		node->boot_offset_us = (int64_t)world_random(world, 1000) * USEC_PER_SEC;
		node->wall_offset_us = (int64_t)world_random(world, 40000) - 20000;
		node->bus.at = node->control.at = node->links.at = node->runner.at =
			node->discovery.at = node;
		if (journal_open(&node->journal, ":memory:", err, sizeof(err)) < 0) {
			fprintf(stderr, "sim: %s\n", err);
			exit(1);
		}
		world_plan(world, (int64_t)world_random(world, USEC_PER_SEC), start_happens)->node =
			i;
	}
	jobs_make(world);
	faults_plan(world);
}

static struct sim_node *next_node(struct world *world)
{
	struct sim_node *next = NULL;

	for (int i = 0; i < SIM_NODES; i++)
		if (world->nodes[i].up && (!next || world->nodes[i].wake_us < next->wake_us))
			next = &world->nodes[i];
	return next;
}

static bool is_over(struct world *world)
{
	static const int64_t every_us = 500 * USEC_PER_MSEC;
	char why[SIM_TEXT] = "";

	if (world->now_us < SIM_QUIET_US || world->now_us < world->converged_us + every_us)
		return false;
	world->converged_us = world->now_us;
	if (judge_converged(world, why, sizeof(why)))
		return true;
	if (world->now_us < SIM_QUIET_US + CONVERGE_US)
		return false;
	world_blame(world, PROMISE_P10, "not equal %d s after the faults: %s",
		    CONVERGE_US / USEC_PER_SEC, why);
	return true;
}

void world_run(struct world *world)
{
	while (!is_over(world)) {
		struct sim_node *node = next_node(world);

		if (world->queue_count &&
		    (!node || world->queue[0]->at_us <= node->wake_us)) {
			struct sim_event *event = take_event(world);

			world->now_us = event->at_us;
			event->happen(world, event);
			free_event(event);
		} else if (node && node->wake_us < INT64_MAX) {
			world->now_us = node->wake_us;
			turn(node);
		} else {
			break;
		}
	}
	judge_end(world);
}

void world_fini(struct world *world)
{
	faults_fini(world);
	watch_fini(world);
	for (int i = 0; i < SIM_NODES; i++) {
		struct sim_node *node = &world->nodes[i];

		if (node->up) {
			node->up = false;
			disk_crash(node->journal);
			node_fini(&node->node);
		}
		spool_fini(node);
		jobs_fini(node);
		journal_close(node->journal);
		journal_close(node->snapshot);
	}
	while (world->queue_count) {
		struct sim_event *event = take_event(world);

		free_event(event);
	}
	while (world->dialogs) {
		struct dialog *dialog = world->dialogs;

		HASH_DEL(world->dialogs, dialog);
		free(dialog->bytes);
		free(dialog);
	}
	free(world->queue);
}
