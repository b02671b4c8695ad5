/*
 * bus.h - the multicast sockets: receives into the inbox, sends sealed datagrams. Knows nothing of
 * what is inside a datagram.
 *
 * The receiving socket is bound to the group address (IP_MULTICAST_ALL=0, SO_REUSEADDR, joined by
 * interface index; re-joined every 75 s +-15 s); sending goes through an exclusive unicast socket,
 * TTL from the configuration, LOOP on. recvmmsg, 64 at a time.
 */
#ifndef CHIME_DAEMON_EDGE_BUS_H
#define CHIME_DAEMON_EDGE_BUS_H

#include <stddef.h>
#include <stdint.h>

struct bus;
struct conf;
struct event_base;
struct inbox;

struct bus_stats {
	uint64_t sent, send_errors, received, overflowed;
	int receive_buffer;		/* bytes granted */
};

/* On failure -errno and a text for the operator. The chosen interface and the reason are written
 * to `choice` (for one log line). conf is borrowed. With mode off nothing is opened, and a
 * bus_send() goes nowhere. */
int bus_open(struct bus **out, struct event_base *base, struct inbox *inbox,
	     const struct conf *conf, char *choice, size_t choice_size, char *err, size_t size);
void bus_close(struct bus *bus);

/* Sends one datagram to the group now. Errors are counted, never returned: the bus may lose
 * anything, and repair is somebody else's work. */
void bus_send(struct bus *bus, const void *datagram, size_t len);

/* Leaves the group and joins it again, through another interface when the one in use is gone. A
 * timer does it too. */
void bus_rejoin(struct bus *bus);

/* The address datagrams leave from, as text; "" when the bus is not joined. Borrowed. */
const char *bus_source(const struct bus *bus);

void bus_get_stats(const struct bus *bus, struct bus_stats *stats);

#endif
