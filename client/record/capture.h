/*
 * capture.h - packets from an interface or from a file, by libpcap.
 *
 * Invariants
 * 1. A live capture needs CAP_NET_RAW to be opened and nothing afterwards: capture_drop_rights()
 *    comes before the first packet is looked at.
 * 2. Immediate mode: a packet is handed on when it arrives, not when a buffer is full.
 * 3. What is written is flushed packet by packet: a killed recorder loses none.
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

/* Writes every packet to `file` as well, which stays the caller's. -EIO. */
int capture_write_to(struct capture *capture, FILE *file, char *err, size_t err_size);

/* Is this sudo, that is, somebody's own affair done with root's rights? */
bool capture_by_sudo(void);

/* Gives up every right beyond an ordinary user's: root becomes who called sudo, or nobody. */
int capture_drop_rights(char *err, size_t err_size);

/* The DLT_ number of its packets. */
int capture_link_type(const struct capture *capture);

/* False ends the loop. The bytes are valid during the call. */
typedef bool capture_fn(void *arg, int64_t wall_us, const void *bytes, size_t len);

/*
 * Hands on packets until fn says false, the file ends, or, from an interface, SIGINT or SIGTERM
 * comes. -EIO when the capture breaks off, -EBADMSG when the file is cut or damaged.
 */
int capture_run(struct capture *capture, capture_fn *fn, void *arg, char *err, size_t err_size);

/* Packets an interface gave and nobody took in time. */
uint64_t capture_dropped(const struct capture *capture);

#endif
