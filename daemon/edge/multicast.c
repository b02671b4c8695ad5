#include "daemon/edge/multicast.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/edge/address.h"

enum { UDP_HEADER_SIZE = 8, MAGIC_SIZE = 4 };

static struct in_addr address_of(const struct ifaddrs *a)
{
	return ((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr;
}

static bool has_address(const struct ifaddrs *a)
{
	return a->ifa_addr && a->ifa_addr->sa_family == AF_INET && (a->ifa_flags & IFF_UP);
}

static void take_interface(const struct ifaddrs *a, struct multicast_interface *out)
{
	*out = (struct multicast_interface){
		.index = if_nametoindex(a->ifa_name),
		.address = address_of(a),
	};
	snprintf(out->name, sizeof(out->name), "%s", a->ifa_name);
}

static bool find_configured(const struct ifaddrs *list, const char *configured,
			    struct multicast_interface *out)
{
	struct in_addr wanted;
	bool by_address = inet_pton(AF_INET, configured, &wanted) == 1;

	for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
		if (!has_address(a))
			continue;
		if (by_address ? address_of(a).s_addr == wanted.s_addr
			       : strcmp(a->ifa_name, configured) == 0) {
			take_interface(a, out);
			return true;
		}
	}
	return false;
}

/* The address this host would use towards that peer; the kernel's routes know. */
static bool find_source(const char *peer, struct in_addr *source)
{
	struct sockaddr_in local;
	socklen_t len = sizeof(local);
	struct address to;
	bool found;
	int fd;

	if (address_parse(peer, &to) < 0 || to.sa.ss_family != AF_INET)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	found = connect(fd, (const struct sockaddr *)&to.sa, to.len) == 0 &&
		getsockname(fd, (struct sockaddr *)&local, &len) == 0;
	close(fd);
	if (found)
		*source = local.sin_addr;
	return found;
}

/* The interface towards the first peer that has one; the peer's index, or -1. */
static int find_by_peer(const struct ifaddrs *list, char *const *peers, size_t count,
			struct multicast_interface *out)
{
	struct in_addr source;

	for (size_t i = 0; i < count; i++) {
		if (!find_source(peers[i], &source))
			continue;
		for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
			if (has_address(a) && address_of(a).s_addr == source.s_addr) {
				take_interface(a, out);
				return (int)i;
			}
		}
	}
	return -1;
}

static bool leads_inside(const char *name)
{
	static const char *const prefixes[] = { "docker", "veth", "virbr", "cni", "br-" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool find_usual(const struct ifaddrs *list, struct multicast_interface *out)
{
	const unsigned wanted = IFF_UP | IFF_RUNNING | IFF_MULTICAST;

	for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
		if (!has_address(a) || (a->ifa_flags & wanted) != wanted ||
		    (a->ifa_flags & IFF_LOOPBACK) || leads_inside(a->ifa_name))
			continue;
		/* 169.254/16: reachable on one link only, and often nobody meant it. */
		if (ntohl(address_of(a).s_addr) >> 16 == 0xa9fe)
			continue;
		take_interface(a, out);
		return true;
	}
	return false;
}

static bool find_loopback(const struct ifaddrs *list, struct multicast_interface *out)
{
	for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
		if (has_address(a) && (a->ifa_flags & IFF_LOOPBACK)) {
			take_interface(a, out);
			out->last_resort = true;
			return true;
		}
	}
	return false;
}

int multicast_choose(const char *configured, char *const *peers, size_t peer_count,
		     struct multicast_interface *out, char *choice, size_t choice_size, char *err,
		     size_t size)
{
	char reason[160] = "", address[INET_ADDRSTRLEN];
	struct ifaddrs *list = NULL;
	int peer, rc = 0;

	if (getifaddrs(&list) < 0)
		rc = -errno;
	if (rc < 0) {
		snprintf(err, size, "%s", strerror(-rc));
		return rc;
	}
	if (configured && configured[0]) {
		if (!find_configured(list, configured, out)) {
			rc = -ENODEV;
			snprintf(err, size,
				 "no interface that is up has this name or IPv4 address");
		}
		snprintf(reason, sizeof(reason), "as configured");
	} else if ((peer = find_by_peer(list, peers, peer_count, out)) >= 0) {
		snprintf(reason, sizeof(reason), "it is the way to %.100s", peers[peer]);
	} else if (find_usual(list, out)) {
		snprintf(reason, sizeof(reason), "the first that is up and can multicast");
	} else if (find_loopback(list, out)) {
		snprintf(reason, sizeof(reason), "no other interface is up: this machine only");
	} else {
		rc = -ENODEV;
		snprintf(err, size, "no interface is up");
	}
	if (rc == 0)
		snprintf(choice, choice_size, "%s (%s): %s", out->name,
			 inet_ntop(AF_INET, &out->address, address, sizeof(address)), reason);
	freeifaddrs(list);
	return rc;
}

bool multicast_interface_valid(const struct multicast_interface *interface)
{
	struct ifaddrs *list = NULL;
	bool found = false;

	if (if_nametoindex(interface->name) != interface->index || getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *a = list; a && !found; a = a->ifa_next)
		found = has_address(a) && strcmp(a->ifa_name, interface->name) == 0 &&
			address_of(a).s_addr == interface->address.s_addr;
	freeifaddrs(list);
	return found;
}

static int set_membership(int fd, int option, struct in_addr group,
			  const struct multicast_interface *interface)
{
	const struct ip_mreqn request = {
		.imr_multiaddr = group,
		.imr_address = interface->address,
		.imr_ifindex = (int)interface->index,
	};

	return setsockopt(fd, IPPROTO_IP, option, &request, sizeof(request)) < 0 ? -errno : 0;
}

int multicast_join(int fd, struct in_addr group, const struct multicast_interface *interface)
{
	return set_membership(fd, IP_ADD_MEMBERSHIP, group, interface);
}

int multicast_leave(int fd, struct in_addr group, const struct multicast_interface *interface)
{
	return set_membership(fd, IP_DROP_MEMBERSHIP, group, interface);
}

int multicast_filter(int fd, const char magic[4], bool wanted)
{
	const uint32_t all = 0x40000, none = 0, equal = wanted ? all : none,
		       other = wanted ? none : all;
	uint32_t word;
	struct sock_filter code[] = {
		/* The filter sees the UDP header too. A load beyond the end would drop. */
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, UDP_HEADER_SIZE + MAGIC_SIZE, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, UDP_HEADER_SIZE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, equal),
		BPF_STMT(BPF_RET | BPF_K, other),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	memcpy(&word, magic, sizeof(word));
	code[3].k = ntohl(word);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ?
		       -errno : 0;
}
