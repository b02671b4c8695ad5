#include "daemon/edge/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int address_split(const char *text, char host[ADDRESS_HOST_SIZE], char port[ADDRESS_PORT_SIZE])
{
	const char *colon = strrchr(text, ':'), *begin = text;
	size_t host_len, port_len;

	if (!colon)
		return -EINVAL;
	port_len = strlen(colon + 1);
	if (port_len < 1 || port_len >= ADDRESS_PORT_SIZE ||
	    strspn(colon + 1, "0123456789") != port_len || atoi(colon + 1) > UINT16_MAX)
		return -EINVAL;
	host_len = (size_t)(colon - text);
	if (host_len >= 2 && text[0] == '[' && colon[-1] == ']') {
		begin = text + 1;
		host_len -= 2;
	} else if (memchr(text, ':', host_len)) {
		return -EINVAL;
	}
	if (host_len < 1 || host_len >= ADDRESS_HOST_SIZE)
		return -EINVAL;
	memcpy(host, begin, host_len);
	host[host_len] = 0;
	memcpy(port, colon + 1, port_len + 1);
	return 0;
}

int address_parse(const char *text, struct address *out)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	char host[ADDRESS_HOST_SIZE], port[ADDRESS_PORT_SIZE];
	struct addrinfo *found;

	*out = (struct address){ 0 };
	if (address_split(text, host, port) < 0)
		return -EINVAL;
	if (getaddrinfo(host, port, &hints, &found) != 0)
		return -ENOENT;
	memcpy(&out->sa, found->ai_addr, found->ai_addrlen);
	out->len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

void address_format(const struct sockaddr_storage *sa, char out[ADDRESS_TEXT_SIZE])
{
	char host[64], port[ADDRESS_PORT_SIZE];
	socklen_t len = sa->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						  : sizeof(struct sockaddr_in);

	if (sa->ss_family == AF_UNIX)
		snprintf(out, ADDRESS_TEXT_SIZE, "unix");
	else if (getnameinfo((const struct sockaddr *)sa, len, host, sizeof(host), port,
			     sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(out, ADDRESS_TEXT_SIZE, "?");
	else
		snprintf(out, ADDRESS_TEXT_SIZE,
			 sa->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

uint16_t address_port(const struct sockaddr_storage *sa)
{
	if (sa->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)sa)->sin_port);
	if (sa->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)sa)->sin6_port);
	return 0;
}

/* Every host as an IPv6 address; false for other families. */
static bool map_host(const struct sockaddr_storage *sa, struct in6_addr *out)
{
	if (sa->ss_family == AF_INET6) {
		*out = ((const struct sockaddr_in6 *)sa)->sin6_addr;
		return true;
	}
	if (sa->ss_family != AF_INET)
		return false;
	*out = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
	memcpy(&out->s6_addr[12], &((const struct sockaddr_in *)sa)->sin_addr, 4);
	return true;
}

bool address_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	struct in6_addr ma, mb;

	return map_host(a, &ma) && map_host(b, &mb) && memcmp(&ma, &mb, sizeof(ma)) == 0;
}

bool address_is_loopback(const struct sockaddr_storage *sa)
{
	struct in6_addr m;

	if (!map_host(sa, &m))
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&m))
		return m.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&m);
}
