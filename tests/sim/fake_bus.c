/* The multicast group: every datagram goes to every node, each on its own luck. */
#include "tests/sim/sim.h"

#include "daemon/edge/bus.h"
#include "daemon/edge/discovery.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* A bare head in its envelope is smaller than any datagram with a frame in it. */
enum { HEAD_ONLY_MAX = 330 };

static int64_t pick_delay_us(struct world *world)
{
	int64_t delay_us = 50 + (int64_t)world_random(world, 400);

	if (world_chance(world, world->net.reorder))
		delay_us += (int64_t)world_random(world, 50 * USEC_PER_MSEC);
	if (world_chance(world, world->net.late))
		delay_us += (int64_t)world_random(world, 3 * USEC_PER_SEC);
	return delay_us;
}

static bool is_lost(struct world *world, int from, int to, size_t len)
{
	const struct net *net = &world->net;

	if (from == to)
		return false;
	if (net->blocked[from][to] || net->deaf[from][to])
		return true;
	if (net->gap_from == from && net->gap_to == to && len > HEAD_ONLY_MAX)
		return true;
	return world_chance(world, net->loss);
}

static void deliver(struct sim_node *from, struct sim_node *to, const void *datagram, size_t len)
{
	struct world *world = from->world;
	struct inbox_item *item = inbox_item_new(INBOX_DATAGRAM, datagram, len);
	struct sockaddr_in *address = (struct sockaddr_in *)&item->from;

	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(0x0a000001u + (uint32_t)from->index);
	address->sin_port = htons(40000);
	if (world_chance(world, world->net.corrupt))
		item->data[world_random(world, len)] ^= (uint8_t)(1u << world_random(world, 8));
	world_put(to, 0, pick_delay_us(world), item);
}

void bus_send(struct bus *bus, const void *datagram, size_t len)
{
	struct sim_node *from = bus->at;
	struct world *world = from->world;

	watch_speech(from);
	world->total_datagrams++;
	for (int i = 0; i < SIM_NODES; i++) {
		if (i == from->index && !world_chance(world, 50))
			continue;	/* mostly it only costs time: known by its lineage */
		if (is_lost(world, from->index, i, len))
			continue;
		deliver(from, &world->nodes[i], datagram, len);
		if (world_chance(world, world->net.duplicate))
			deliver(from, &world->nodes[i], datagram, len);
	}
}

void bus_get_stats(const struct bus *bus, struct bus_stats *stats)
{
	(void)bus;
	*stats = (struct bus_stats){ 0 };
}

void discovery_set_members(struct discovery *discovery, const struct discovery_member *members,
			   size_t count)
{
	(void)discovery;
	(void)members;
	(void)count;
}
