/*
 * find.c - see find.h.
 */
#include "client/find.h"

#include "client/conn.h"
#include "proto/digest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	INTERFACES_MAX = 64,
	EAGER_US = 250000,		/* how long others may still answer after the first */
	REPEATS = 3,
};

struct interface {
	char name[IF_NAMESIZE];
	struct in_addr address;
	unsigned flags;
};

struct finder {
	int fd;
	struct interface interface[INTERFACES_MAX];
	size_t interface_count;
	struct in_addr group;
	uint16_t port;
	uint8_t query[DISCOVER_SIZE];
	struct discover_query sent;
	struct found_list *found;
};

/* Is this interface in the list "eth0,10.0.0.1"? */
static bool is_chosen(const char *list, const char *name, struct in_addr address)
{
	char text[INET_ADDRSTRLEN];

	if (list == NULL)
		return true;
	inet_ntop(AF_INET, &address, text, sizeof(text));
	for (const char *p = list; *p != '\0'; p += *p == ',') {
		size_t len = strcspn(p, ",");
		if ((len == strlen(name) && memcmp(p, name, len) == 0) ||
		    (len == strlen(text) && memcmp(p, text, len) == 0))
			return true;
		p += len;
	}
	return false;
}

static void list_interfaces(struct finder *f, const char *chosen)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next) {
		if (a->ifa_addr == NULL || a->ifa_addr->sa_family != AF_INET ||
		    !(a->ifa_flags & IFF_UP) || f->interface_count == INTERFACES_MAX)
			continue;
		struct interface *i = &f->interface[f->interface_count];
		i->address = ((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr;
		if (!is_chosen(chosen, a->ifa_name, i->address))
			continue;
		snprintf(i->name, sizeof(i->name), "%s", a->ifa_name);
		i->flags = a->ifa_flags;
		f->interface_count++;
	}
	freeifaddrs(all);
}

static void send_query(const struct finder *f, struct in_addr to, const struct interface *out)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
		struct cmsghdr align;
	} control = { 0 };
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr = to, .sin_port = htons(f->port),
	};
	struct iovec iov = { .iov_base = (void *)(uintptr_t)f->query, .iov_len = DISCOVER_SIZE };
	struct msghdr message = {
		.msg_name = &address, .msg_namelen = sizeof(address),
		.msg_iov = &iov, .msg_iovlen = 1,
	};

	if (out != NULL) {
		struct in_pktinfo info = {
			.ipi_ifindex = (int)if_nametoindex(out->name),
			.ipi_spec_dst = out->address,
		};
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
	/* An interface that can't send is one where nobody is heard. */
	(void)sendmsg(f->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void ask_interfaces(const struct finder *f)
{
	struct in_addr all = { .s_addr = htonl(INADDR_BROADCAST) };

	for (size_t i = 0; i < f->interface_count; i++) {
		const struct interface *interface = &f->interface[i];
		struct ip_mreqn out = {
			.imr_address = interface->address,
			.imr_ifindex = (int)if_nametoindex(interface->name),
		};
		if (setsockopt(f->fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out)) == 0)
			send_query(f, f->group, NULL);
		if (interface->flags & IFF_BROADCAST)
			send_query(f, all, interface);
	}
}

/* Their control ports are configured; discovery listens on the port of the bus. */
static void ask_addresses(struct finder *f, const struct client_conf *conf)
{
	for (size_t i = 0; i < conf->server_count; i++) {
		struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM };
		struct addrinfo *list = NULL;
		char host[256];
		const char *colon = strrchr(conf->servers[i], ':');

		snprintf(host, sizeof(host), "%.*s", (int)(colon - conf->servers[i]),
			 conf->servers[i]);
		if (getaddrinfo(host, NULL, &hints, &list) != 0)
			continue;
		struct sockaddr_in address;
		memcpy(&address, list->ai_addr, sizeof(address));
		send_query(f, address.sin_addr, NULL);
		freeaddrinfo(list);
	}
}

static void add_found(struct found_list *found, const struct discover_member *member,
		      const char *from, bool answered)
{
	char address[DISCOVER_ADDRESS_SIZE];

	/* ":7411": where the packet came from. */
	int n = snprintf(address, sizeof(address), "%s%s",
			 member->address[0] == ':' ? from : "", member->address);
	if (n < 0 || (size_t)n >= sizeof(address))
		return;
	for (size_t i = 0; i < found->count; i++) {
		if (strcmp(found->list[i].server, member->server) == 0 &&
		    strcmp(found->list[i].address, address) == 0) {
			found->list[i].answered |= answered;
			return;
		}
	}
	if (found->count == FIND_MAX)
		return;
	struct found *one = &found->list[found->count++];
	memcpy(one->server, member->server, sizeof(one->server));
	memcpy(one->address, address, sizeof(one->address));
	one->answered = answered;
}

static bool hear_answer(struct finder *f)
{
	uint8_t buf[2048];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	struct discover_answer answer;
	char host[INET_ADDRSTRLEN];

	ssize_t n = recvfrom(f->fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
			     &from_len);
	if (n < 0)
		return false;
	if (discover_parse_answer(buf, (size_t)n, &answer) != DISCOVER_OK ||
	    memcmp(answer.nonce, f->sent.nonce, sizeof(answer.nonce)) != 0 ||
	    memcmp(answer.environment_id, f->sent.environment_id,
		   sizeof(answer.environment_id)) != 0)
		return true;
	inet_ntop(AF_INET, &from.sin_addr, host, sizeof(host));
	add_found(f->found, &answer.self, host, true);
	for (size_t i = 0; i < answer.member_count; i++)
		add_found(f->found, &answer.members[i], host, false);
	return true;
}

static int prepare(struct finder *f, const struct find_options *options, struct trouble *t)
{
	int one = 1;
	unsigned char ttl = 1;

	if (inet_pton(AF_INET, options->conf->group, &f->group) != 1)
		return trouble_set(t, EXIT_USAGE, "'%s' is not an IPv4 group address",
				   options->conf->group);
	const char *chosen = options->interfaces != NULL ? options->interfaces
							 : options->conf->interface;
	list_interfaces(f, chosen);
	if (chosen != NULL && f->interface_count == 0) {
		trouble_set(t, EXIT_USAGE, "there is no interface %s that is up", chosen);
		trouble_hint(t, "ip -brief address");
		return EXIT_USAGE;
	}
	f->port = options->conf->port;
	memcpy(f->sent.environment_id, options->environment_id, ENVIRONMENT_ID_SIZE);
	digest_random(f->sent.nonce, sizeof(f->sent.nonce));
	discover_format_query(&f->sent, f->query);
	f->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->fd < 0)
		return trouble_set(t, EXIT_UNREACHED, "no socket: %s", strerror(errno));
	setsockopt(f->fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	setsockopt(f->fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof(ttl));
	return 0;
}

static void ask_and_listen(struct finder *f, const struct find_options *options)
{
	static const int64_t at_us[REPEATS] = { 0, 200000, 500000 };
	int64_t start = conn_now_us(), end = start + options->wait_us, first = 0;
	size_t sent = 0;

	for (;;) {
		int64_t now = conn_now_us(), until = end;
		struct pollfd p = { .fd = f->fd, .events = POLLIN };

		if (sent < REPEATS && now >= start + at_us[sent]) {
			ask_interfaces(f);
			ask_addresses(f, options->conf);
			sent++;
		}
		if (options->eager && first == 0 && f->found->count > 0)
			first = now;
		if (first != 0 && first + EAGER_US < end)
			until = first + EAGER_US;
		if (now >= until || conn_interrupted())
			return;
		if (sent < REPEATS && start + at_us[sent] < until)
			until = start + at_us[sent];
		int64_t ms = (until - now) / 1000 + 1;
		if (poll(&p, 1, ms < 250 ? (int)ms : 250) > 0) {
			while (hear_answer(f))
				;
		}
	}
}

int find_servers(const struct find_options *options, struct found_list *found,
		 struct trouble *t)
{
	struct finder f = { .fd = -1, .found = found };

	*found = (struct found_list){ 0 };
	int code = prepare(&f, options, t);
	if (code != 0)
		return code;
	found->list = say_calloc(FIND_MAX, sizeof(*found->list));
	found->asked = f.interface_count + options->conf->server_count;
	ask_and_listen(&f, options);
	close(f.fd);
	return 0;
}
