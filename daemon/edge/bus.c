#include "daemon/edge/bus.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/conf.h"
#include "daemon/edge/multicast.h"
#include "daemon/inbox.h"
#include "daemon/log.h"
#include "proto/discover.h"
#include "proto/envelope.h"

enum {
	BATCH = 64,
	/* One byte more than is ever opened, so that a longer one is seen to be too long. */
	BUFFER_SIZE = ENVELOPE_INPUT_MAX + 1,
	RECEIVE_BUFFER = 16 * 1024 * 1024,
	SEND_BUFFER = 1024 * 1024,
	REJOIN_S = 75,
	REJOIN_JITTER_S = 15,
	CHOICE_SIZE = 256,
};

/* Where recvmmsg puts what it reads. */
struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_storage from[BATCH];
	_Alignas(struct cmsghdr) uint8_t control[BATCH][CMSG_SPACE(sizeof(uint32_t))];
	uint8_t bytes[BATCH][BUFFER_SIZE];
};

struct bus {
	struct event_base *base;
	struct inbox *inbox;
	const struct conf *conf;
	struct sockaddr_in group;
	struct multicast_interface interface;
	bool joined;
	int receive_fd, send_fd;		/* -1: none */
	struct event *readable, *rejoin;
	uint32_t kernel_drops;
	struct bus_stats stats;
	struct batch batch;
};

static int fail_bus(const struct conf *conf, const char *what, const char *why, int rc, char *err,
		    size_t size)
{
	snprintf(err, size, "%s %s\nwhy:   %s\ntry:   ip -br addr   (is the interface up?)   bus: "
		 "interface: NAME   or bus: mode: off in chimed.yaml", what, conf->bus.group, why);
	return rc;
}

static void set_option(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

static int grant_receive_buffer(int fd)
{
	int granted = 0;
	socklen_t len = sizeof(granted);

	/* With CAP_NET_ADMIN beyond net.core.rmem_max, without it up to that. */
	set_option(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len);
	return granted;
}

/* ---- receiving ---------------------------------------------------------------------------- */

static void prepare_batch(struct batch *batch)
{
	for (size_t i = 0; i < BATCH; i++) {
		batch->vectors[i] = (struct iovec){ batch->bytes[i], BUFFER_SIZE };
		batch->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &batch->from[i],
			.msg_namelen = sizeof(batch->from[i]),
			.msg_iov = &batch->vectors[i],
			.msg_iovlen = 1,
			.msg_control = batch->control[i],
			.msg_controllen = sizeof(batch->control[i]),
		};
	}
}

/* The kernel counts what it dropped for lack of buffer, and tells with the next datagram. */
static void count_drops(struct bus *bus, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		uint32_t drops;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&drops, CMSG_DATA(c), sizeof(drops));
		bus->stats.overflowed += drops - bus->kernel_drops;
		bus->kernel_drops = drops;
	}
}

static void receive_cb(evutil_socket_t fd, short what, void *arg)
{
	struct bus *bus = arg;
	struct batch *batch = &bus->batch;
	int count;

	(void)what;
	prepare_batch(batch);
	count = recvmmsg(fd, batch->messages, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		struct inbox_item *item = inbox_item_new(INBOX_DATAGRAM, batch->bytes[i],
							 batch->messages[i].msg_len);

		item->from = batch->from[i];
		count_drops(bus, &batch->messages[i].msg_hdr);
		bus->stats.received++;
		inbox_put(bus->inbox, item);
	}
}

static int open_receiver(struct bus *bus)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	bus->receive_fd = fd;
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	set_option(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	bus->stats.receive_buffer = grant_receive_buffer(fd);
	multicast_filter(fd, DISCOVER_MAGIC, false);
	if (bind(fd, (const struct sockaddr *)&bus->group, sizeof(bus->group)) < 0)
		return -errno;
	bus->readable = event_new(bus->base, fd, EV_READ | EV_PERSIST, receive_cb, bus);
	assert(bus->readable);
	event_add(bus->readable, NULL);
	return 0;
}

/* ---- sending ------------------------------------------------------------------------------ */

static int open_sender(struct bus *bus)
{
	const struct ip_mreqn out = {
		.imr_address = bus->interface.address,
		.imr_ifindex = (int)bus->interface.index,
	};
	const struct sockaddr_in local = {
		.sin_family = AF_INET,
		.sin_addr = bus->interface.address,
	};
	int rc, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&local, sizeof(local)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out)) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, bus->conf->bus.ttl);
	set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
	/* Never fragmented: one lost fragment would lose the whole. */
	set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	set_option(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
	if (bus->send_fd >= 0)
		close(bus->send_fd);
	bus->send_fd = fd;
	return 0;
}

void bus_send(struct bus *bus, const void *datagram, size_t len)
{
	ssize_t n;

	if (bus->send_fd < 0)
		return;
	n = sendto(bus->send_fd, datagram, len, MSG_NOSIGNAL,
		   (const struct sockaddr *)&bus->group, sizeof(bus->group));
	if (n == (ssize_t)len)
		bus->stats.sent++;
	else
		bus->stats.send_errors++;
}

/* ---- membership --------------------------------------------------------------------------- */

static int join_group(struct bus *bus)
{
	int rc = open_sender(bus);

	if (rc == 0)
		rc = multicast_join(bus->receive_fd, bus->group.sin_addr, &bus->interface);
	bus->joined = rc == 0;
	return rc;
}

static void arm_rejoin(struct bus *bus)
{
	struct timeval after = { REJOIN_S, 0 };
	unsigned random = REJOIN_JITTER_S;

	/* Not all hosts at once; without randomness (early boot) at the middle. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random))
		random %= 2 * REJOIN_JITTER_S + 1;
	after.tv_sec += (time_t)random - REJOIN_JITTER_S;
	event_add(bus->rejoin, &after);
}

static void log_rejoin(const struct bus *bus, const struct multicast_interface *before,
		       bool was_joined, int rc, const char *text)
{
	if (rc < 0 && was_joined)
		log_warn("bus.lost", "group=%s why=%s", bus->conf->bus.group, log_quote(text));
	else if (rc == 0 && (!was_joined || before->index != bus->interface.index ||
			     before->address.s_addr != bus->interface.address.s_addr))
		log_info("bus.joined", "group=%s interface=%s", bus->conf->bus.group,
			 log_quote(text));
}

void bus_rejoin(struct bus *bus)
{
	const struct multicast_interface before = bus->interface;
	bool was_joined = bus->joined;
	char choice[CHOICE_SIZE] = "", err[CHOICE_SIZE] = "";
	int rc = 0;

	if (bus->receive_fd < 0)
		return;
	/* Leaving first is what makes the kernel report the membership anew: a switch that snoops
	 * without a querier has forgotten it by then. It has no effect while another socket of
	 * this host is a member, which is why discovery does not join for itself. */
	if (was_joined)
		multicast_leave(bus->receive_fd, bus->group.sin_addr, &bus->interface);
	if (before.last_resort || !multicast_interface_valid(&before))
		rc = multicast_choose(bus->conf->bus.interface, bus->conf->peers,
				      bus->conf->peer_count, &bus->interface, choice,
				      sizeof(choice), err, sizeof(err));
	else
		snprintf(choice, sizeof(choice), "%s", before.name);
	bus->joined = false;
	if (rc == 0) {
		rc = join_group(bus);
		if (rc < 0)
			snprintf(err, sizeof(err), "%s", strerror(-rc));
	}
	log_rejoin(bus, &before, was_joined, rc, rc < 0 ? err : choice);
	arm_rejoin(bus);
}

static void rejoin_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	bus_rejoin(arg);
}

/* ---- open and close ----------------------------------------------------------------------- */

static int open_sockets(struct bus *bus, char *choice, size_t choice_size, char *err, size_t size)
{
	const struct conf *conf = bus->conf;
	char why[CHOICE_SIZE];
	int rc;

	bus->group = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(conf->bus.port),
	};
	if (inet_pton(AF_INET, conf->bus.group, &bus->group.sin_addr) != 1 ||
	    !IN_MULTICAST(ntohl(bus->group.sin_addr.s_addr)))
		return fail_bus(conf, "cannot use the bus group",
				"it is not an IPv4 multicast address, as 239.255.77.77 is",
				-EINVAL, err, size);
	rc = multicast_choose(conf->bus.interface, conf->peers, conf->peer_count, &bus->interface,
			      choice, choice_size, why, sizeof(why));
	if (rc < 0)
		return fail_bus(conf, "found no interface for the bus group", why, rc, err, size);
	rc = open_receiver(bus);
	if (rc < 0)
		return fail_bus(conf, "cannot receive from the bus group", strerror(-rc), rc, err,
				size);
	rc = join_group(bus);
	if (rc < 0)
		return fail_bus(conf, "cannot join the bus group", strerror(-rc), rc, err, size);
	return 0;
}

int bus_open(struct bus **out, struct event_base *base, struct inbox *inbox,
	     const struct conf *conf, char *choice, size_t choice_size, char *err, size_t size)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	int rc;

	assert(bus);
	*out = NULL;
	bus->base = base;
	bus->inbox = inbox;
	bus->conf = conf;
	bus->receive_fd = bus->send_fd = -1;
	snprintf(choice, choice_size, "none: bus: mode: is off");
	bus->rejoin = evtimer_new(base, rejoin_cb, bus);
	assert(bus->rejoin);
	if (strcmp(conf->bus.mode, "off") != 0) {
		rc = open_sockets(bus, choice, choice_size, err, size);
		if (rc < 0) {
			bus_close(bus);
			return rc;
		}
		arm_rejoin(bus);
	}
	*out = bus;
	return 0;
}

void bus_close(struct bus *bus)
{
	if (!bus)
		return;
	if (bus->readable)
		event_free(bus->readable);
	event_free(bus->rejoin);
	if (bus->receive_fd >= 0)
		close(bus->receive_fd);
	if (bus->send_fd >= 0)
		close(bus->send_fd);
	free(bus);
}

void bus_get_stats(const struct bus *bus, struct bus_stats *stats)
{
	*stats = bus->stats;
}

const char *bus_source(const struct bus *bus)
{
	static char text[INET_ADDRSTRLEN];

	if (!inet_ntop(AF_INET, &bus->interface.address, text, sizeof(text)))
		text[0] = 0;
	return bus->interface.index ? text : "";
}
