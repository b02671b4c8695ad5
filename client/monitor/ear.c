/*
 * ear.c - see ear.h.
 *
 * One socket, bound to the group, so that it gets nothing else of its port; a membership for each
 * interface, told by index and address, which is what makes the loopback join.
 */
#include "client/monitor/ear.h"

#include "proto/discover.h"
#include "proto/envelope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PLACES_MAX = 32,
	RECEIVE_BUFFER = 4 * 1024 * 1024,
	MAGIC_SIZE = 4,
	/* A switch that snoops without a querier forgets a group after some 260 s. */
	REJOIN_S = 60,
	WHERE_SIZE = 512,
	TRIES_MAX = 64,
};

/* An interface, by what a membership names it. */
struct place {
	char name[IF_NAMESIZE];
	unsigned index;
	struct in_addr address;
	bool joined;
	int64_t joined_s;
};

struct ear {
	int fd;
	struct in_addr group;
	uint16_t port;
	char *interfaces;		/* NULL = all */
	struct place place[PLACES_MAX];
	size_t place_count;
	char where[WHERE_SIZE];
	uint32_t kernel_drops;
	uint64_t overflows;
};

static int64_t clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* ---- interfaces ---- */

/* Is it in the list "eth0,10.0.0.1"? */
static bool is_named(const char *list, const struct place *place)
{
	char address[INET_ADDRSTRLEN] = "";
	const char *rest = list;

	(void)inet_ntop(AF_INET, &place->address, address, sizeof(address));
	while (*rest) {
		size_t len = strcspn(rest, ", ");

		if (len && ((len == strlen(place->name) && !memcmp(rest, place->name, len)) ||
			    (len == strlen(address) && !memcmp(rest, address, len))))
			return true;
		rest += len + (rest[len] != '\0');
	}
	return false;
}

/* Networks of containers and guests: joined after the others, for memberships are few. */
static bool leads_inside(const char *name)
{
	static const char *const beginnings[] = { "br-", "cni", "docker", "veth", "virbr" };

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++)
		if (!strncmp(name, beginnings[i], strlen(beginnings[i])))
			return true;
	return false;
}

static bool has_index(const struct place *list, size_t count, unsigned index)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].index == index)
			return true;
	return false;
}

/* Those that are up and have an address, one entry for each. */
static size_t list_places(const struct ear *ear, struct place *list)
{
	struct ifaddrs *all = NULL;
	size_t count = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (int inside = 0; inside < 2; inside++) {
		for (const struct ifaddrs *a = all; a && count < PLACES_MAX; a = a->ifa_next) {
			struct place *place = &list[count];

			if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET ||
			    !(a->ifa_flags & IFF_UP) || leads_inside(a->ifa_name) != inside)
				continue;
			*place = (struct place){ .index = if_nametoindex(a->ifa_name) };
			snprintf(place->name, sizeof(place->name), "%s", a->ifa_name);
			place->address =
				((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr;
			if (place->index && !has_index(list, count, place->index) &&
			    (!ear->interfaces || is_named(ear->interfaces, place)))
				count++;
		}
	}
	freeifaddrs(all);
	return count;
}

/* ---- memberships ---- */

static int change_membership(const struct ear *ear, int option, const struct place *place)
{
	const struct ip_mreqn request = {
		.imr_multiaddr = ear->group,
		.imr_address = place->address,
		.imr_ifindex = (int)place->index,
	};

	return setsockopt(ear->fd, IPPROTO_IP, option, &request, sizeof(request)) < 0 ? -errno : 0;
}

static int join(struct ear *ear, struct place *place)
{
	int rc = change_membership(ear, IP_ADD_MEMBERSHIP, place);

	place->joined = rc == 0 || rc == -EADDRINUSE;
	if (place->joined)
		place->joined_s = clock_s();
	return place->joined ? 0 : rc;
}

static const struct place *find_place(const struct place *list, size_t count,
				      const struct place *like)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].index == like->index && !strcmp(list[i].name, like->name))
			return &list[i];
	return NULL;
}

static void describe(struct ear *ear)
{
	char group[INET_ADDRSTRLEN] = "";
	const char *before = " on ";
	size_t len;

	(void)inet_ntop(AF_INET, &ear->group, group, sizeof(group));
	len = (size_t)snprintf(ear->where, sizeof(ear->where), "%s:%u", group, ear->port);
	for (size_t i = 0; i < ear->place_count; i++) {
		if (!ear->place[i].joined)
			continue;
		if (len + strlen(before) + strlen(ear->place[i].name) + 1 > sizeof(ear->where))
			return;
		len += (size_t)snprintf(ear->where + len, sizeof(ear->where) - len, "%s%s", before,
					ear->place[i].name);
		before = ", ";
	}
}

/* 0 when at least one interface is joined, else why the last one was not. */
static int join_places(struct ear *ear)
{
	struct place list[PLACES_MAX];
	size_t count = list_places(ear, list);
	int64_t now_s = clock_s();
	int rc = -ENODEV, any = 0;

	for (size_t i = 0; i < ear->place_count; i++)
		if (ear->place[i].joined && !find_place(list, count, &ear->place[i]))
			(void)change_membership(ear, IP_DROP_MEMBERSHIP, &ear->place[i]);
	for (size_t i = 0; i < count; i++) {
		const struct place *old = find_place(ear->place, ear->place_count, &list[i]);

		if (old && old->joined && now_s - old->joined_s < REJOIN_S) {
			list[i] = *old;
			any++;
			continue;
		}
		/* Leaving first is what makes the kernel report the membership anew. */
		if (old && old->joined)
			(void)change_membership(ear, IP_DROP_MEMBERSHIP, old);
		int r = join(ear, &list[i]);
		any += r == 0;
		rc = r < 0 ? r : rc;
	}
	memcpy(ear->place, list, count * sizeof(*list));
	ear->place_count = count;
	describe(ear);
	return any ? 0 : rc;
}

void ear_refresh(struct ear *ear)
{
	(void)join_places(ear);
}

/* ---- open and close ---- */

static void set_option(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static int open_socket(struct ear *ear)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr = ear->group, .sin_port = htons(ear->port),
	};

	ear->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ear->fd < 0)
		return -errno;
	set_option(ear->fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(ear->fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	set_option(ear->fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	set_option(ear->fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	return bind(ear->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int ear_open(struct ear **out, const char *group, uint16_t port, const char *interfaces,
	     struct trouble *t)
{
	struct ear *ear = say_calloc(1, sizeof(*ear));
	int rc;

	*out = NULL;
	ear->fd = -1;
	ear->port = port;
	ear->interfaces = interfaces && *interfaces ? say_strdup(interfaces) : NULL;
	if (!group || inet_pton(AF_INET, group, &ear->group) != 1 ||
	    !IN_MULTICAST(ntohl(ear->group.s_addr)) || !port) {
		trouble_set(t, EXIT_UNREACHED, "cannot hear the group %s:%u", group ? group : "",
			    port);
		trouble_why(t, "it is no IPv4 multicast address and port, as 239.255.77.77:7410");
		goto failed;
	}
	rc = open_socket(ear);
	if (rc < 0) {
		trouble_set(t, EXIT_UNREACHED, "cannot listen on %s:%u", group, port);
		trouble_why(t, "%s", strerror(-rc));
		trouble_hint(t, "ss -ulpn   (who has the port?)");
		goto failed;
	}
	rc = join_places(ear);
	if (rc < 0) {
		trouble_set(t, EXIT_UNREACHED, "cannot join the group %s on any interface", group);
		trouble_why(t, "%s", !ear->place_count && ear->interfaces ?
			    "none that is up has such a name or IPv4 address" :
			    !ear->place_count ? "none is up" : strerror(-rc));
		trouble_hint(t, "ip -br address");
		goto failed;
	}
	*out = ear;
	return 0;
failed:
	ear_close(ear);
	return EXIT_UNREACHED;
}

void ear_close(struct ear *ear)
{
	if (!ear)
		return;
	if (ear->fd >= 0)
		close(ear->fd);
	free(ear->interfaces);
	free(ear);
}

/* ---- hearing ---- */

/* The kernel counts what it dropped, and tells with the next datagram. */
static void count_overflows(struct ear *ear, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		uint32_t drops;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&drops, CMSG_DATA(c), sizeof(drops));
		ear->overflows += (uint32_t)(drops - ear->kernel_drops);
		ear->kernel_drops = drops;
	}
}

size_t ear_read(struct ear *ear, void *buf, size_t size)
{
	/* Nobody who floods with what is left out keeps the caller here. */
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint32_t))];
		struct iovec vector = { buf, size };
		struct msghdr message = {
			.msg_iov = &vector, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = sizeof(control),
		};
		ssize_t len = recvmsg(ear->fd, &message, MSG_DONTWAIT);

		if (len < 0 && errno == EINTR)
			continue;
		/* Nothing, or an error that the kernel told and forgot. */
		if (len < 0)
			return 0;
		count_overflows(ear, &message);
		if (len == 0 || message.msg_flags & MSG_TRUNC ||
		    (len >= MAGIC_SIZE && !memcmp(buf, DISCOVER_MAGIC, MAGIC_SIZE)))
			continue;
		return (size_t)len;
	}
	return 0;
}

int ear_fd(const struct ear *ear)
{
	return ear->fd;
}

const char *ear_where(const struct ear *ear)
{
	return ear->where;
}

uint64_t ear_overflows(const struct ear *ear)
{
	return ear->overflows;
}
