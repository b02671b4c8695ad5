/*
 * What goes wrong in a seed, and when. Odd seeds have a bad network; three of four have crashes,
 * one of five a restored snapshot, one of six (with a good network) a gap that must block only its
 * origin. Operators act in all of them.
 */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS_FROM_US = 3 * USEC_PER_SEC, FAULTS_TO_US = SIM_QUIET_US - 2 * USEC_PER_SEC };

static int64_t pick_time(struct world *world)
{
	return FAULTS_FROM_US +
	       (int64_t)world_random(world, FAULTS_TO_US - FAULTS_FROM_US);
}

/* ---- the network ---- */

static void mend_happens(struct world *world, struct sim_event *event)
{
	uint64_t side = event->number;

	for (int i = 0; i < SIM_NODES; i++)
		for (int j = 0; j < SIM_NODES; j++)
			if ((side >> i & 1) != (side >> j & 1))
				world->net.blocked[i][j]--;
	world_say(world, "partition %02llx heals", (unsigned long long)side);
}

static void part_happens(struct world *world, struct sim_event *event)
{
	uint64_t side = event->number;
	int64_t for_us = USEC_PER_SEC + (int64_t)world_random(world, 7 * USEC_PER_SEC);

	for (int i = 0; i < SIM_NODES; i++)
		for (int j = 0; j < SIM_NODES; j++)
			if ((side >> i & 1) != (side >> j & 1))
				world->net.blocked[i][j]++;
	world_say(world, "partition %02llx", (unsigned long long)side);
	world_plan(world, for_us, mend_happens)->number = side;
}

static void hear_again_happens(struct world *world, struct sim_event *event)
{
	world->net.deaf[event->node][event->other]--;
}

static void deaf_happens(struct world *world, struct sim_event *event)
{
	struct sim_event *end = world_plan(world, (int64_t)world_random(world, 8 * USEC_PER_SEC),
					   hear_again_happens);

	end->node = event->node;
	end->other = event->other;
	world->net.deaf[event->node][event->other]++;
}

static void weather_happens(struct world *world, struct sim_event *event)
{
	(void)event;
	world->net.loss = (uint32_t)world_random(world, 601);
	world->net.duplicate = (uint32_t)world_random(world, 200);
	world->net.reorder = (uint32_t)world_random(world, 300);
	world->net.late = (uint32_t)world_random(world, 20);
	world->net.corrupt = (uint32_t)world_random(world, 20);
}

static void plan_bad_network(struct world *world)
{
	size_t parts = world_random(world, 4), deaf = world_random(world, 4);

	for (int64_t at_us = 0; at_us < FAULTS_TO_US; at_us += 8 * USEC_PER_SEC)
		world_plan(world, at_us, weather_happens);
	for (size_t i = 0; i < parts; i++)
		world_plan(world, pick_time(world) - 4 * USEC_PER_SEC, part_happens)->number =
			1 + world_random(world, (1 << SIM_NODES) - 2);
	for (size_t i = 0; i < deaf; i++) {
		struct sim_event *event = world_plan(world, pick_time(world), deaf_happens);

		event->node = (int)world_random(world, SIM_NODES);
		event->other = (int)world_random(world, SIM_NODES);
	}
}

/* ---- crashes ---- */

static void crash_happens(struct world *world, struct sim_event *event)
{
	struct sim_node *node = &world->nodes[event->node];

	if (!node->up || node->crash_armed)
		return;
	node->crash_armed = true;
	node->crash_when = (enum crash_when)world_random(world, 4);
	node->crash_step = (enum node_step)world_random(world, NODE_STEPS);
	node->crash_skip = (uint32_t)world_random(world, 4);
	node->outage_us = 10 * USEC_PER_MSEC +
			  (int64_t)world_random(world, world_chance(world, 300) ?
						8 * USEC_PER_SEC : USEC_PER_SEC);
	node->crash_again = world_chance(world, 250) ? 1 + (uint32_t)world_random(world, 3) : 0;
}

static void stop_happens(struct world *world, struct sim_event *event)
{
	struct sim_node *node = &world->nodes[event->node];

	node->outage_us = (int64_t)world_random(world, 3 * USEC_PER_SEC);
	world_put(node, node->incarnation, 0, inbox_item_new(INBOX_STOP, NULL, 0));
}

static void plan_crashes(struct world *world)
{
	size_t crashes = 1 + world_random(world, 6);

	for (size_t i = 0; i < crashes; i++)
		world_plan(world, pick_time(world), crash_happens)->node =
			(int)world_random(world, SIM_NODES);
	if (world_chance(world, 300))
		world_plan(world, pick_time(world), stop_happens)->node =
			(int)world_random(world, SIM_NODES);
}

/* ---- a restored backup ---- */

static void snapshot_happens(struct world *world, struct sim_event *event)
{
	struct sim_node *node = &world->nodes[event->node];

	journal_close(node->snapshot);
	node->snapshot = disk_copy(node->journal);
	world_say(world, "%s: snapshot taken", node->name);
}

static void restore_happens(struct world *world, struct sim_event *event)
{
	struct sim_node *node = &world->nodes[event->node];

	node->restore = true;
	node->outage_us = 100 * USEC_PER_MSEC + (int64_t)world_random(world, 2 * USEC_PER_SEC);
	if (node->up)
		world_crash(node);
	if (world_chance(world, 400)) {
		/* Nobody is there to ask: it must not trust itself. */
		part_happens(world, &(struct sim_event){ .number = UINT64_C(1) << event->node });
	}
}

static void plan_restore(struct world *world)
{
	int node = (int)world_random(world, SIM_NODES);
	int64_t at_us = 6 * USEC_PER_SEC + (int64_t)world_random(world, 7 * USEC_PER_SEC);

	world_plan(world, at_us, snapshot_happens)->node = node;
	/* With a start in between the copy has an older boot number than the file beside it. */
	if (world_chance(world, 600))
		world_plan(world, at_us + USEC_PER_SEC, crash_happens)->node = node;
	at_us += 2 * USEC_PER_SEC + (int64_t)world_random(world, 10 * USEC_PER_SEC);
	world_plan(world, at_us, restore_happens)->node = node;
}

/* ---- P20: a gap ---- */

static void gap_ends_happens(struct world *world, struct sim_event *event)
{
	struct sim_node *node = &world->nodes[world->net.gap_to];

	(void)event;
	for (int i = 0; i < SIM_NODES; i++) {
		struct peer *peer = node->up ? peers_find(&node->node.peers,
							  world->nodes[i].name) : NULL;
		const struct chain_lineage *l = peer ?
			chain_find_lineage(&peer->chain, world->gap_lineage[i]) : NULL;

		if (i == world->net.gap_from || i == node->index || !world->gap_seq[i] ||
		    node->incarnation != world->gap_incarnation || !node->up)
			continue;
		if (!l || l->seq < world->gap_seq[i])
			world_blame(world, PROMISE_P20, "%s heard %s up to %llu, it was at %llu a "
				    "second ago; the gap is of %s", node->name,
				    world->nodes[i].name,
				    l ? (unsigned long long)l->seq : 0,
				    (unsigned long long)world->gap_seq[i],
				    world->nodes[world->net.gap_from].name);
	}
	world->net.gap_from = world->net.gap_to = -1;
}

static void gap_look_happens(struct world *world, struct sim_event *event)
{
	const struct sim_node *to = &world->nodes[world->net.gap_to];
	bool listens = to->up && to->node.state == NODE_OPEN && !to->node.unproven;

	(void)event;
	world->gap_incarnation = to->incarnation;
	for (int i = 0; i < SIM_NODES; i++) {
		const struct node *node = &world->nodes[i].node;
		bool speaks = world->nodes[i].up && node->state == NODE_OPEN;

		world->gap_seq[i] = speaks && listens && links_pass(world, i, to->index) ?
					    node->head.seq : 0;
		world->gap_lineage[i] = node->lineage;
	}
	world_plan(world, USEC_PER_SEC, gap_ends_happens);
}

static void gap_happens(struct world *world, struct sim_event *event)
{
	world->net.gap_from = event->node;
	world->net.gap_to = event->other;
	world_say(world, "gap: %s does not get the log of %s",
		  world->nodes[event->other].name, world->nodes[event->node].name);
	world_plan(world, 8 * USEC_PER_SEC, gap_look_happens);
}

static void plan_gap(struct world *world)
{
	struct sim_event *event = world_plan(world, 8 * USEC_PER_SEC +
		(int64_t)world_random(world, 12 * USEC_PER_SEC), gap_happens);

	event->node = (int)world_random(world, SIM_NODES);
	event->other = (event->node + 1 + (int)world_random(world, SIM_NODES - 1)) % SIM_NODES;
}

/* ---- operators ---- */

struct command {
	struct command *next;
	uint64_t conn;
	int node;
	uint8_t key[16];
	bool answered;
	uint32_t repeats;
	uint8_t *bytes;		/* packed Request, said again as it is */
	size_t len;
};

static void say_again_happens(struct world *world, struct sim_event *event);

static void say(struct world *world, struct command *command, int64_t in_us)
{
	struct inbox_item *item = inbox_item_new(INBOX_REQUEST, command->bytes, command->len);
	struct sim_node *node = &world->nodes[command->node];

	item->conn = command->conn = ++world->next_conn;
	item->number = ROLE_OPERATOR;
	snprintf(item->text, sizeof(item->text), "alice");
	world_put(node, node->incarnation, in_us, item);
	if (command->repeats-- > 0)
		world_plan(world, (int64_t)world_random(world, 2 * USEC_PER_SEC),
			   say_again_happens)->ptr = command;
}

static void say_again_happens(struct world *world, struct sim_event *event)
{
	say(world, event->ptr, 0);
}

static void fill_request(struct world *world, struct sim_node *node, Chime__Request *r,
			 Chime__Lineage *lineage, struct command *command)
{
	for (size_t i = 0; i < sizeof(command->key); i++)
		command->key[i] = (uint8_t)world_random(world, 256);
	chime__lineage__init(lineage);
	lineage->has_boot = lineage->has_tag = true;
	lineage->boot = node->node.lineage.boot;
	lineage->tag = node->node.lineage.tag;
	r->has_id = r->has_key = r->has_expires = true;
	r->id = 1;
	r->key = (ProtobufCBinaryData){ sizeof(command->key), command->key };
	r->expires = world_now(node).boot.us + 30 * (int64_t)USEC_PER_SEC;
	r->lineage = lineage;
	r->reason = "because";
}

static struct command *add_command(struct world *world, struct sim_node *node,
				   Chime__Request *r)
{
	struct command *command = calloc(1, sizeof(*command));
	Chime__Lineage lineage;

	assert(command);
	fill_request(world, node, r, &lineage, command);
	command->node = node->index;
	command->len = chime__request__get_packed_size(r);
	command->bytes = malloc(command->len + 1);
	assert(command->bytes);
	chime__request__pack(r, command->bytes);
	command->repeats = (uint32_t)world_random(world, 3);
	command->next = world->commands;
	world->commands = command;
	return command;
}

static void release_happens(struct world *world, struct sim_event *event)
{
	struct sim_node *node = &world->nodes[event->node];
	Chime__Request r = CHIME__REQUEST__INIT;
	Chime__ReleaseRequest release = CHIME__RELEASE_REQUEST__INIT;
	char *target = "*";

	release.target = &target;
	release.n_target = 1;
	r.body_case = CHIME__REQUEST__BODY_RELEASE;
	r.release = &release;
	say(world, add_command(world, node, &r), 0);
}

static void act_happens(struct world *world, struct sim_event *event)
{
	struct sim_node *node = &world->nodes[event->node];
	Chime__Request r = CHIME__REQUEST__INIT;
	Chime__StartRequest start = CHIME__START_REQUEST__INIT;
	Chime__HoldRequest hold = CHIME__HOLD_REQUEST__INIT;
	Chime__KillRequest kill = CHIME__KILL_REQUEST__INIT;
	uint64_t dice = world_random(world, 10);
	char target[64], *targets = target;

	if (!node->up || !node->jobs.count)
		return;
	snprintf(target, sizeof(target), "%s@%s",
		 node->jobs.jobs[world_random(world, node->jobs.count)].name, node->name);
	start.target = hold.target = kill.target = &targets;
	start.n_target = hold.n_target = kill.n_target = 1;
	start.has_force = start.force = true;
	start.has_no_downstream = true;
	start.no_downstream = world_chance(world, 100);
	if (dice < 6) {
		r.body_case = CHIME__REQUEST__BODY_START;
		r.start = &start;
	} else if (dice < 9) {
		r.body_case = CHIME__REQUEST__BODY_HOLD;
		r.hold = &hold;
		world_plan(world, (int64_t)world_random(world, 8 * USEC_PER_SEC),
			   release_happens)->node = node->index;
	} else {
		r.body_case = CHIME__REQUEST__BODY_KILL;
		r.kill = &kill;
	}
	world_say(world, "alice: request %d for %s", r.body_case, target);
	say(world, add_command(world, node, &r), 0);
}

static void reload_happens(struct world *world, struct sim_event *event)
{
	struct sim_node *node = &world->nodes[event->node];

	world_put(node, node->incarnation, 0, inbox_item_new(INBOX_RELOAD, NULL, 0));
}

static void plan_operators(struct world *world)
{
	size_t acts = world_random(world, 8);

	for (size_t i = 0; i < acts; i++)
		world_plan(world, pick_time(world), act_happens)->node =
			(int)world_random(world, SIM_NODES);
	if (world_chance(world, 300))
		world_plan(world, pick_time(world), reload_happens)->node =
			(int)world_random(world, SIM_NODES);
}

void faults_hear_reply(struct world *world, uint64_t conn, const void *bytes, size_t len)
{
	(void)bytes;
	(void)len;
	for (struct command *c = world->commands; c; c = c->next)
		if (c->conn == conn)
			c->answered = true;
}

bool faults_each_key(const struct world *world, size_t *at, uint8_t key[16])
{
	const struct command *c = world->commands;

	for (size_t i = 0; c && i < *at; i++)
		c = c->next;
	if (!c)
		return false;
	memcpy(key, c->key, sizeof(c->key));
	++*at;
	return true;
}

void faults_fini(struct world *world)
{
	while (world->commands) {
		struct command *command = world->commands;

		world->commands = command->next;
		free(command->bytes);
		free(command);
	}
}

/* ---- all of it ---- */

static void quiet_happens(struct world *world, struct sim_event *event)
{
	(void)event;
	world->faults_over = true;
	memset(world->net.deaf, 0, sizeof(world->net.deaf));
	world->net.loss = world->net.duplicate = world->net.reorder = world->net.late = 0;
	world->net.corrupt = 0;
	for (int i = 0; i < SIM_NODES; i++) {
		world->nodes[i].crash_armed = false;
		world->nodes[i].crash_again = 0;
		if (world->nodes[i].up)
			release_happens(world, &(struct sim_event){ .node = i });
	}
	world_say(world, "faults are over");
}

void faults_plan(struct world *world)
{
	bool bad_network = world->seed % 2 == 1;

	if (bad_network)
		plan_bad_network(world);
	if (world->seed % 4 != 0)
		plan_crashes(world);
	if (world->seed % 5 == 0)
		plan_restore(world);
	if (world->seed % 6 == 0)
		plan_gap(world);
	plan_operators(world);
	world_plan(world, SIM_QUIET_US, quiet_happens);
}
