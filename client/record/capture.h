/*
 * capture.h - packets from an interface or from a file, by libpcap.
 *
 * Invariants
 * 1. A live capture needs CAP_NET_RAW to be opened and nothing afterwards: capture_drop_rights()
 *    comes before the first packet is looked at.
 * 2. Immediate mode: a packet is handed on when it arrives, not when a buffer is full.
 * 3. Packets go to fn in the order in which they came; what is written is its affair (writer.h).
 *
 * Errors are texts for people, lines "what / why: / try:" without a final newline.
 */
#ifndef CHIME_CLIENT_RECORD_CAPTURE_H
#define CHIME_CLIENT_RECORD_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	/* The largest datagram that is opened, with room for every header before it. */
	CAPTURE_SNAP = 2048,
	/* The largest that a savefile may hold of one packet. */
	CAPTURE_SNAP_MAX = 262144,
	CAPTURE_ERR_SIZE = 1024,
};

struct capture;

/*
 * Opens an interface ("any" for all): -EPERM without the right to capture, -ENODEV when there is
 * none of that name, -EIO for what else libpcap says.
 */
int capture_open_interface(struct capture **out, const char *name, char *err, size_t err_size);

/*
 * Reads a capture in pcap or pcapng form from `file`, which it owns then, also after an error;
 * name is for messages. -EINVAL when it is no capture.
 */
int capture_open_stream(struct capture **out, FILE *file, const char *name, char *err,
			size_t err_size);

void capture_close(struct capture *capture);

/*
 * Only UDP from or to this port; with a group (an IPv4 or IPv6 address) no datagram of another
 * group. -EINVAL when the address is none.
 */
int capture_filter(struct capture *capture, uint16_t port, const char *group, char *err,
		   size_t err_size);

/* Is this sudo, that is, somebody's own affair done with root's rights? */
bool capture_by_sudo(void);

/*
 * Gives up every right beyond an ordinary user's, for good: root becomes `user` (a name; NULL: who
 * called sudo, or else nobody); no capability is left and none can be got by exec. -EINVAL when
 * there is no such user or it is root.
 */
int capture_drop_rights(const char *user, char *err, size_t err_size);

/* The DLT_ number of its packets. */
int capture_link_type(const struct capture *capture);

/* A packet as it was captured; wall_us is 0..CAPTURE_TIME_MAX, wire_len >= len. */
struct capture_packet {
	int64_t wall_us;
	const void *bytes;
	size_t len, wire_len;
};

/* Some year beyond 9999: what a hostile file says beyond it is taken as that. */
#define CAPTURE_TIME_MAX (INT64_C(300000000000) * 1000000)

/* False ends the loop. The bytes are valid during the call. */
typedef bool capture_fn(void *arg, const struct capture_packet *packet);

/*
 * Hands on packets until fn says false, the file ends, or, from an interface, SIGINT or SIGTERM
 * comes. -EIO when the capture breaks off, -EBADMSG when the file is cut or damaged.
 */
int capture_run(struct capture *capture, capture_fn *fn, void *arg, char *err, size_t err_size);

/* Packets an interface gave and nobody took in time. */
uint64_t capture_dropped(const struct capture *capture);

#endif
