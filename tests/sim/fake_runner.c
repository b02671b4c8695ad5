/*
 * Launcher, shepherds and their spool. The spool survives: a START of an attempt that is there
 * reports it and forks nothing; processes go on and end while their node is down; what ended and
 * was not acknowledged is told after every start, followed by SCANNED.
 */
#include "tests/sim/sim.h"

#include "daemon/edge/runner.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int64_t wall_us(const struct sim_node *node)
{
	return world_now(node).wall.us;
}

/* One link, one order. */
static void say(struct sim_node *node, int64_t in_us, struct inbox_item *item)
{
	int64_t at_us = node->world->now_us + in_us;

	node->link_us = at_us > node->link_us ? at_us : node->link_us;
	world_put(node, node->incarnation, node->link_us - node->world->now_us, item);
}

static void tell(struct sim_node *node, const struct attempt_report *report, bool overlooked)
{
	struct inbox_item *item = inbox_item_new(INBOX_ATTEMPT, NULL, 0);

	item->report = *report;
	item->report.overlooked = overlooked;
	say(node, 20 + (int64_t)world_random(node->world, 200), item);
}

static struct attempt *find_attempt(struct sim_node *node, const struct attempt_id *id)
{
	struct attempt *a = node->spool;

	/* As spool_name(): without the boot. */
	while (a && (a->report.id.seq != id->seq || a->report.id.tag != id->tag ||
		     a->report.id.attempt != id->attempt))
		a = a->next;
	return a;
}

/* ---- a process ---- */

static void end_attempt(struct sim_node *node, struct attempt *a, uint32_t result)
{
	struct world *world = node->world;

	if (a->report.state != ATTEMPT_RUNNING)
		return;
	a->report.state = result == RESULT_LOST ? ATTEMPT_LOST : ATTEMPT_ENDED;
	a->report.result = result;
	a->report.exit_code = result == RESULT_SUCCESS ? 0 : result == RESULT_FAILED ?
			      1 + (int32_t)world_random(world, 3) : -1;
	a->report.signal = result == RESULT_KILLED ? 15 : 0;
	a->report.ended_us = result == RESULT_LOST ? 0 : wall_us(node);
	world_say(world, "%s: process of %s run %llu ended, result %u", node->name, a->report.job,
		  (unsigned long long)a->report.id.seq, result);
	if (node->up)
		tell(node, &a->report, false);
}

static void end_happens(struct world *world, struct sim_event *event)
{
	end_attempt(&world->nodes[event->node], event->ptr, (uint32_t)event->number);
}

static uint32_t pick_result(struct world *world)
{
	uint64_t dice = world_random(world, 100);

	return dice < 80 ? RESULT_SUCCESS : dice < 96 ? RESULT_FAILED :
	       dice < 98 ? RESULT_TIMEOUT : RESULT_LOST;
}

static void fork_attempt(struct sim_node *node, struct attempt *a)
{
	struct world *world = node->world;
	struct sim_event *end;
	int64_t took_us = 20 * USEC_PER_MSEC +
			  (int64_t)world_random(world, world_chance(world, 200) ?
						4 * USEC_PER_SEC : 600 * USEC_PER_MSEC);

	world->total_starts++;
	a->report.state = ATTEMPT_RUNNING;
	a->report.pid = 1000 + (int32_t)world->total_starts;
	a->report.started_us = wall_us(node);
	if (node->up)
		tell(node, &a->report, false);
	end = world_plan(world, took_us, end_happens);
	end->node = node->index;
	end->ptr = a;
	end->number = pick_result(world);
}

/* ---- orders ---- */

struct order {
	struct attempt_report report;
	uint8_t hash[32];
	struct run_order said;
	char job[121], cycle[40], slot[40], cause[12];
};

static bool knows_definition(const struct sim_node *node, const struct order *order)
{
	for (size_t i = 0; i < node->jobs.count; i++)
		if (strcmp(node->jobs.jobs[i].name, order->report.job) == 0)
			return memcmp(node->jobs.jobs[i].hash, order->hash, 32) == 0;
	return false;
}

static void refuse(struct sim_node *node, struct order *order, int error)
{
	order->report.state = ATTEMPT_NOT_STARTED;
	order->report.error = error;
	snprintf(order->report.detail, sizeof(order->report.detail), "%s", strerror(error));
	tell(node, &order->report, false);
}

static void start(struct sim_node *node, struct order *order)
{
	struct attempt *a = find_attempt(node, &order->report.id);

	if (a) {
		if (a->report.id.boot != order->report.id.boot ||
		    strcmp(a->report.job, order->report.job) != 0)
			refuse(node, order, EEXIST);
		else
			tell(node, &a->report, false);
		return;
	}
	/* An edited definition that the node has not told yet: the run waits for the next try. */
	if (!knows_definition(node, order)) {
		refuse(node, order, ENOENT);
		return;
	}
	if (world_chance(node->world, 10)) {
		refuse(node, order, ENOSPC);
		return;
	}
	a = calloc(1, sizeof(*a));
	assert(a);
	a->report = order->report;
	a->next = node->spool;
	node->spool = a;
	watch_start(node, &order->said);
	fork_attempt(node, a);
}

static void order_happens(struct world *world, struct sim_event *event)
{
	struct sim_node *node = &world->nodes[event->node];
	struct order *order = event->ptr;

	/* The launcher dies with its node, perhaps before it has read the order. */
	if (event->incarnation == node->incarnation && node->up)
		start(node, order);
}

void runner_start(struct runner *runner, const struct run_order *said)
{
	struct sim_node *node = runner->at;
	struct order *order = calloc(1, sizeof(*order));
	struct attempt_report *report = &order->report;
	struct sim_event *event;

	assert(order);
	watch_speech(node);
	report->id = said->id;
	report->exit_code = -1;
	snprintf(report->job, sizeof(report->job), "%s", said->job);
	snprintf(report->cycle, sizeof(report->cycle), "%s", said->cycle);
	snprintf(report->slot, sizeof(report->slot), "%s", said->slot);
	snprintf(report->cause, sizeof(report->cause), "%s", said->cause);
	memcpy(order->hash, said->hash, sizeof(order->hash));
	report->slot_utc_s = said->slot_utc_s;
	order->said = *said;
	order->said.job = report->job;
	order->said.cycle = report->cycle;
	order->said.slot = report->slot;
	order->said.cause = report->cause;
	order->said.hash = order->hash;
	/* Half of them are read at once: they survive a crash right after ACT. */
	if (world_chance(node->world, 500)) {
		start(node, order);
		free(order);
		return;
	}
	event = world_plan(node->world, (int64_t)world_random(node->world, 2 * USEC_PER_MSEC),
			   order_happens);
	event->node = node->index;
	event->incarnation = node->incarnation;
	event->ptr = order;
	event->owns_ptr = true;
}

void runner_kill(struct runner *runner, const struct attempt_id *id)
{
	struct attempt *a = find_attempt(runner->at, id);

	watch_speech(runner->at);
	if (!a)
		return;
	if (a->report.state == ATTEMPT_RUNNING)
		end_attempt(runner->at, a, RESULT_KILLED);
	else
		tell(runner->at, &a->report, false);
}

void runner_ack(struct runner *runner, const struct attempt_id *id)
{
	struct attempt *a = find_attempt(runner->at, id);

	watch_speech(runner->at);
	if (a && a->report.state != ATTEMPT_RUNNING)
		a->acknowledged = true;
}

void runner_committed(struct runner *runner, uint64_t generation)
{
	(void)generation;
	watch_speech(runner->at);
}

void runner_open_output(struct runner *runner, const struct attempt_id *id, uint32_t cookie)
{
	(void)runner;
	(void)id;
	(void)cookie;
	assert(!"nobody reads output here");
}

/* ---- definitions, and what is told after a start ---- */

static void send_set(struct sim_node *node, int64_t in_us)
{
	struct inbox_item *item = inbox_item_new(INBOX_JOBS, node->jobs_text,
						 strlen(node->jobs_text));

	item->number = node->generation;
	say(node, in_us, item);
}

void runner_reload(struct runner *runner)
{
	watch_speech(runner->at);
	jobs_edit(runner->at);
	send_set(runner->at, (int64_t)world_random(runner->at->world, 5 * USEC_PER_MSEC));
}

void spool_boot(struct sim_node *node)
{
	int64_t in_us = (int64_t)world_random(node->world, 30 * USEC_PER_MSEC);

	/* One after the other, as over the one link: definitions, the spool, SCANNED. */
	send_set(node, in_us);
	for (struct attempt *a = node->spool; a; a = a->next) {
		struct inbox_item *item;

		if (a->acknowledged)
			continue;
		item = inbox_item_new(INBOX_ATTEMPT, NULL, 0);
		item->report = a->report;
		item->report.overlooked = 1;
		say(node, in_us + 1, item);
	}
	say(node, in_us + 1 + (int64_t)world_random(node->world, 2000),
		  inbox_item_new(INBOX_SCANNED, NULL, 0));
}

void spool_fini(struct sim_node *node)
{
	while (node->spool) {
		struct attempt *a = node->spool;

		node->spool = a->next;
		free(a);
	}
}
