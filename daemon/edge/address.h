/*
 * address.h - HOST:PORT as text and as a socket address; host: IPv4, [IPv6] or a name.
 */
#ifndef CHIME_DAEMON_EDGE_ADDRESS_H
#define CHIME_DAEMON_EDGE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	ADDRESS_HOST_SIZE = 256,
	ADDRESS_PORT_SIZE = 6,
	ADDRESS_TEXT_SIZE = 80,		/* numeric, with brackets, scope and port */
};

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* Splits; brackets are removed. -EINVAL unless HOST is not empty and PORT is 0..65535. */
int address_split(const char *text, char host[ADDRESS_HOST_SIZE], char port[ADDRESS_PORT_SIZE]);

/* Reads a numeric HOST:PORT. -EINVAL when malformed, -ENOENT when the host is a name. */
int address_parse(const char *text, struct address *out);

/* HOST:PORT in numbers; "unix" for a local socket's. */
void address_format(const struct sockaddr_storage *sa, char out[ADDRESS_TEXT_SIZE]);

uint16_t address_port(const struct sockaddr_storage *sa);

/* Whether both are of the same host; IPv4 equals IPv4 mapped in IPv6. */
bool address_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

bool address_is_loopback(const struct sockaddr_storage *sa);

#endif
