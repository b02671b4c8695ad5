/*
 * Connections between servers, and those of operators: requests become INBOX_REQUEST with the
 * asker's name, as after a handshake, replies INBOX_ANSWER. As links.h promises, every ask is
 * answered once, by the asked or by its deadline.
 */
#include "tests/sim/sim.h"

#include "daemon/edge/control.h"
#include "daemon/edge/links.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	HANDSHAKE_US = 2 * USEC_PER_MSEC,
	HELLO_AGAIN_US = 50 * USEC_PER_MSEC,
};

bool links_pass(const struct world *world, int from, int to)
{
	return !world->net.blocked[from][to] && !world->net.blocked[to][from];
}

static struct dialog *find_dialog(struct world *world, uint64_t conn)
{
	struct dialog *dialog;

	HASH_FIND(hh, world->dialogs, &conn, sizeof(conn), dialog);
	return dialog;
}

/* ---- answers ---- */

static void answer(struct world *world, struct dialog *dialog, int error, const void *bytes,
		   size_t len, int64_t in_us)
{
	struct inbox_item *item = inbox_item_new(INBOX_ANSWER, bytes, len);

	if (dialog->answered) {
		inbox_item_free(item);
		return;
	}
	dialog->answered = true;
	item->number = dialog->cookie;
	item->error = error;
	snprintf(item->text, sizeof(item->text), "%s",
		 dialog->to < 0 ? dialog->server : world->nodes[dialog->to].name);
	world_put(&world->nodes[dialog->from], dialog->from_incarnation, in_us, item);
}

static void deadline_happens(struct world *world, struct sim_event *event)
{
	struct dialog *dialog = find_dialog(world, event->number);

	if (!dialog)
		return;
	answer(world, dialog, -ETIMEDOUT, NULL, 0, 0);
	HASH_DEL(world->dialogs, dialog);
	free(dialog->bytes);
	free(dialog);
}

/* ---- the way there ---- */

static void plan_arrival(struct world *world, const struct dialog *dialog, int64_t in_us);

static void tell_peer(struct world *world, const struct dialog *dialog)
{
	struct inbox_item *item;
	const uint8_t *der;
	size_t len;

	if (world->warm[dialog->from][dialog->to])
		return;
	world->warm[dialog->from][dialog->to] = true;
	der = identity_der(sim_cast.identities[dialog->to], &len);
	item = inbox_item_new(INBOX_PEER, der, len);
	snprintf(item->text, sizeof(item->text), "%s", world->nodes[dialog->to].name);
	world_put(&world->nodes[dialog->from], dialog->from_incarnation, 0, item);
}

/* P20: the log of one origin cannot be had by one node. */
static bool is_pull_of_gap(const struct world *world, const struct dialog *dialog)
{
	Chime__Request *request;
	bool is;

	if (world->net.gap_to != dialog->from)
		return false;
	request = chime__request__unpack(NULL, dialog->len, dialog->bytes);
	is = request && request->body_case == CHIME__REQUEST__BODY_PULL &&
	     strcmp(request->pull->origin, world->nodes[world->net.gap_from].name) == 0;
	chime__request__free_unpacked(request, NULL);
	return is;
}

static void arrival_happens(struct world *world, struct sim_event *event)
{
	struct dialog *dialog = find_dialog(world, event->number);
	struct sim_node *to;
	struct inbox_item *item;

	if (!dialog || dialog->answered || !links_pass(world, dialog->from, dialog->to))
		return;		/* the deadline tells */
	to = &world->nodes[dialog->to];
	if (!to->up) {
		answer(world, dialog, -ECONNREFUSED, NULL, 0, 300);
		return;
	}
	if (dialog->server[0] && strcmp(dialog->server, to->name) != 0) {
		answer(world, dialog, -EACCES, NULL, 0, 300);
		return;
	}
	tell_peer(world, dialog);
	if (!to->said_hello) {
		plan_arrival(world, dialog, HELLO_AGAIN_US);
		return;
	}
	if (is_pull_of_gap(world, dialog)) {
		answer(world, dialog, -ECONNRESET, NULL, 0, 300);
		return;
	}
	dialog->arrived = true;
	dialog->to_incarnation = to->incarnation;
	item = inbox_item_new(INBOX_REQUEST, dialog->bytes, dialog->len);
	item->conn = dialog->conn;
	item->number = ROLE_SERVER;
	snprintf(item->text, sizeof(item->text), "%s", world->nodes[dialog->from].name);
	world_put(to, to->incarnation, 0, item);
}

static void plan_arrival(struct world *world, const struct dialog *dialog, int64_t in_us)
{
	world_plan(world, in_us, arrival_happens)->number = dialog->conn;
}

static int find_by_address(const struct world *world, const char *address)
{
	for (int i = 0; i < SIM_NODES; i++)
		if (strcmp(world->nodes[i].address, address) == 0)
			return i;
	return -1;
}

void links_ask(struct links *links, const char *server, const char *address, uint64_t cookie,
	       const void *packed_request, size_t len, uint32_t timeout_ms)
{
	struct sim_node *from = links->at;
	struct world *world = from->world;
	struct dialog *dialog = calloc(1, sizeof(*dialog));
	int64_t way_us = 80 + (int64_t)world_random(world, 300);

	assert(dialog);
	watch_speech(from);
	dialog->conn = ++world->next_conn;
	dialog->from = from->index;
	dialog->to = find_by_address(world, address);
	dialog->from_incarnation = from->incarnation;
	dialog->cookie = cookie;
	snprintf(dialog->server, sizeof(dialog->server), "%s", server);
	dialog->bytes = malloc(len + 1);
	assert(dialog->bytes);
	memcpy(dialog->bytes, packed_request, len);
	dialog->len = len;
	HASH_ADD(hh, world->dialogs, conn, sizeof(dialog->conn), dialog);
	world_plan(world, (int64_t)timeout_ms * USEC_PER_MSEC, deadline_happens)->number =
		dialog->conn;
	if (dialog->to < 0) {
		answer(world, dialog, -EHOSTUNREACH, NULL, 0, way_us);
		return;
	}
	if (!world->warm[dialog->from][dialog->to])
		way_us += HANDSHAKE_US;
	plan_arrival(world, dialog, way_us);
}

/* Connections of a node that went down: the other side sees a reset. */
void links_drop(struct sim_node *node)
{
	struct world *world = node->world;
	struct dialog *dialog, *next;

	for (int i = 0; i < SIM_NODES; i++)
		world->warm[i][node->index] = world->warm[node->index][i] = false;
	HASH_ITER(hh, world->dialogs, dialog, next)
		if (dialog->arrived && dialog->to == node->index)
			answer(world, dialog, -ECONNRESET, NULL, 0, 300);
}

/* ---- the server's side ---- */

void control_hello(struct control *control, const void *packed_reply, size_t len)
{
	(void)packed_reply;
	(void)len;
	control->at->said_hello = true;
}

void control_send(struct control *control, uint64_t conn, const void *packed_reply, size_t len)
{
	struct world *world = control->at->world;
	struct dialog *dialog = find_dialog(world, conn);

	watch_speech(control->at);
	if (!dialog) {
		faults_hear_reply(world, conn, packed_reply, len);
		return;
	}
	if (links_pass(world, dialog->from, dialog->to))
		answer(world, dialog, 0, packed_reply, len, 80 + (int64_t)world_random(world, 300));
}

size_t control_backlog(const struct control *control, uint64_t conn)
{
	(void)control;
	(void)conn;
	return 0;
}

void control_stream_output(struct control *control, uint64_t conn, uint64_t id, int fd,
			   uint64_t offset, uint64_t last, bool follow, const char *run)
{
	(void)control;
	(void)conn;
	(void)id;
	(void)fd;
	(void)offset;
	(void)last;
	(void)follow;
	(void)run;
	assert(!"nobody reads output here");
}
