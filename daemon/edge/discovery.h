/*
 * discovery.h - answers DISCOVER (bus.md 10): a hint where servers are, never a proof.
 * The packet formats are in proto/discover.h, which the client shares.
 *
 * The socket is bound to the wildcard address of the bus port, so that it hears the group, limited
 * broadcasts and unicast; unicast reaches only one daemon of a host, hence the list of members in
 * every answer. It takes part in the membership of the bus; only without a bus it joins itself.
 *
 * Limits: DISCOVERY_PER_SOURCE answers a second to one address, DISCOVERY_IN_ALL to all; never more
 * bytes than the question had. With more than DISCOVERY_CROWD members known an answer waits 20 to
 * 120 ms, so that a large environment does not answer with one voice.
 *
 * Mode `members`: answers only questions from the address of a known member or configured peer,
 * and from this host. Mode `off`, and a server without control port: no socket.
 */
#ifndef CHIME_DAEMON_EDGE_DISCOVERY_H
#define CHIME_DAEMON_EDGE_DISCOVERY_H

#include <stddef.h>
#include <stdint.h>

struct discovery;
struct conf;
struct event_base;

enum {
	DISCOVERY_PER_SOURCE = 5,
	DISCOVERY_IN_ALL = 50,
	DISCOVERY_CROWD = 8,
};

struct discovery_member { const char *server, *address; };

/* On failure -errno and a text for the operator. conf is borrowed. */
int discovery_open(struct discovery **out, struct event_base *base, const struct conf *conf,
		   const uint8_t environment_id[16], uint16_t control_port, char *err, size_t size);
void discovery_close(struct discovery *discovery);

/* Who is known; the texts are copied. Called by the node when its members change. The own entry,
 * and what is no HOST:PORT, is left out; at most DISCOVER_MEMBERS_MAX are kept. */
void discovery_set_members(struct discovery *discovery, const struct discovery_member *members,
			   size_t count);

#endif
