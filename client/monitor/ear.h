/*
 * ear.h - the sockets that hear the multicast group: nothing is sent, no right is needed.
 *
 * Joins on every interface that is up (or those configured) and has an address, the loopback
 * included, since the servers of a demo are there. Joins again when interfaces come and go
 * (ear_refresh) and at least every minute, for switches forget.
 */
#ifndef CHIME_CLIENT_MONITOR_EAR_H
#define CHIME_CLIENT_MONITOR_EAR_H

#include "client/say.h"

#include <stddef.h>
#include <stdint.h>

struct ear;

/* interfaces: names or addresses with commas, NULL = all. 0; EXIT_UNREACHED with *t when no
 * interface could be joined or the port is not to be had: the monitor then streams. */
int ear_open(struct ear **out, const char *group, uint16_t port, const char *interfaces,
	     struct trouble *t);
/* NULL is allowed. */
void ear_close(struct ear *ear);

/* Joins where an interface is new, leaves what is gone. */
void ear_refresh(struct ear *ear);

/* To be polled for input. */
int ear_fd(const struct ear *ear);

/* The next datagram into buf; its length, or 0 = none is waiting. Those of discovery are left
 * out; longer ones than size are dropped. */
size_t ear_read(struct ear *ear, void *buf, size_t size);

/* "239.255.77.77:7410 on eth0, lo": for the servers view. */
const char *ear_where(const struct ear *ear);
/* Datagrams that the kernel dropped because nobody read them in time. */
uint64_t ear_overflows(const struct ear *ear);

#endif
