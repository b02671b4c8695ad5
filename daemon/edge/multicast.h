/*
 * multicast.h - which interface multicast goes through, and what sockets need for it (IPv4).
 *
 * The choice, first that applies:
 *	1. configured: by name or by address;
 *	2. the way to a peer that is given by address;
 *	3. up, with carrier, able to multicast, with an address of more than the link's scope; never
 *	   docker*, veth*, virbr*, cni*, br-*, which lead into this machine;
 *	4. lo: one machine alone, where several servers still hear each other.
 */
#ifndef CHIME_DAEMON_EDGE_MULTICAST_H
#define CHIME_DAEMON_EDGE_MULTICAST_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct multicast_interface {
	char name[IF_NAMESIZE];
	unsigned index;
	struct in_addr address;
	bool last_resort;		/* choice 4: look again later */
};

/*
 * configured: NULL = none; peers: HOST:PORT, names are not looked up. `choice` gets one line,
 * "eth0 (10.0.4.13): why". -ENODEV: the configured interface is not there or has no address; err
 * is then the "why".
 */
int multicast_choose(const char *configured, char *const *peers, size_t peer_count,
		     struct multicast_interface *out, char *choice, size_t choice_size, char *err,
		     size_t size);

/* Whether it is still up, under the same index, with the same address. */
bool multicast_interface_valid(const struct multicast_interface *interface);

/* Joins, by index. -EADDRINUSE: this socket has joined already. */
int multicast_join(int fd, struct in_addr group, const struct multicast_interface *interface);
int multicast_leave(int fd, struct in_addr group, const struct multicast_interface *interface);

/*
 * Lets the kernel drop datagrams by their first four bytes: those that begin with magic (wanted =
 * false), or all others (wanted = true). Bus and discovery share a port and would wake each other.
 */
int multicast_filter(int fd, const char magic[4], bool wanted);

#endif
