#include "daemon/edge/discovery.h"

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

#include "daemon/clock.h"
#include "daemon/conf.h"
#include "daemon/edge/address.h"
#include "daemon/edge/multicast.h"
#include "daemon/rate.h"
#include "proto/discover.h"

enum {
	SOURCES_MAX = 64,
	PENDING_MAX = 16,
	QUERIES_PER_TURN = 16,
	DELAY_MIN_MS = 20,
	DELAY_SPAN_MS = 101,
	CONTROL_PROTOCOL = 1,
};

/* Who asked lately; the one that was silent longest makes room. */
struct source {
	struct sockaddr_storage from;
	struct rate rate;
};

/* An answer that waits for its time. */
struct pending {
	struct discovery *discovery;
	struct event *timer;
	bool used;
	struct sockaddr_storage to;
	socklen_t to_len;
	size_t len;
	uint8_t bytes[DISCOVER_SIZE];
};

struct discovery {
	const struct conf *conf;
	int fd;				/* -1: none */
	struct event *readable;
	struct discover_answer answer;	/* all but the nonce */
	struct rate in_all;
	struct source sources[SOURCES_MAX];
	size_t source_count;
	struct pending pending[PENDING_MAX];
};

/* ---- limits ------------------------------------------------------------------------------- */

static struct source *find_source(struct discovery *d, const struct sockaddr_storage *from,
				  struct boot now)
{
	struct source *oldest = &d->sources[0];

	for (size_t i = 0; i < d->source_count; i++) {
		if (address_same_host(&d->sources[i].from, from))
			return &d->sources[i];
		if (d->sources[i].rate.last.us < oldest->rate.last.us)
			oldest = &d->sources[i];
	}
	if (d->source_count < SOURCES_MAX)
		oldest = &d->sources[d->source_count++];
	oldest->from = *from;
	rate_init(&oldest->rate, DISCOVERY_PER_SOURCE, DISCOVERY_PER_SOURCE, now);
	return oldest;
}

static bool is_same_host(const char *address, const struct sockaddr_storage *from)
{
	struct address a;

	return address_parse(address, &a) == 0 && address_same_host(&a.sa, from);
}

static bool is_known(const struct discovery *d, const struct sockaddr_storage *from)
{
	if (address_is_loopback(from))
		return true;
	for (uint32_t i = 0; i < d->conf->peer_count; i++)
		if (is_same_host(d->conf->peers[i], from))
			return true;
	for (size_t i = 0; i < d->answer.member_count; i++)
		if (is_same_host(d->answer.members[i].address, from))
			return true;
	return false;
}

/* Whether this address is one of this host's: only then can a socket be bound to it. */
static bool is_own(const struct sockaddr_storage *from)
{
	struct sockaddr_storage local = *from;
	int fd = socket(local.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool own;

	if (fd < 0)
		return false;
	((struct sockaddr_in *)&local)->sin_port = 0;
	own = bind(fd, (const struct sockaddr *)&local, sizeof(struct sockaddr_in)) == 0;
	close(fd);
	return own;
}

static bool may_answer(struct discovery *d, const struct sockaddr_storage *from)
{
	struct boot now = clock_now().boot;

	/* By source first: one noisy address must not use up what all others share. */
	if (!rate_take(&find_source(d, from, now)->rate, now) || !rate_take(&d->in_all, now))
		return false;
	return d->conf->discovery != DISCOVERY_MEMBERS || is_known(d, from) || is_own(from);
}

/* ---- answering ---------------------------------------------------------------------------- */

static void send_pending(struct pending *p)
{
	/* A hint: who misses it asks again. */
	sendto(p->discovery->fd, p->bytes, p->len, MSG_DONTWAIT | MSG_NOSIGNAL,
	       (const struct sockaddr *)&p->to, p->to_len);
	p->used = false;
}

static void due_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_pending(arg);
}

static struct pending *find_free(struct discovery *d)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (!d->pending[i].used)
			return &d->pending[i];
	return NULL;
}

static struct timeval choose_delay(void)
{
	unsigned random = DELAY_SPAN_MS / 2;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = DELAY_SPAN_MS / 2;
	return (struct timeval){ 0, (DELAY_MIN_MS + (suseconds_t)(random % DELAY_SPAN_MS)) * 1000 };
}

static void answer_query(struct discovery *d, const struct discover_query *query, size_t cap,
			 const struct sockaddr_storage *from, socklen_t from_len)
{
	struct pending *p = find_free(d);
	struct timeval delay;
	int len;

	if (!p)
		return;
	memcpy(d->answer.nonce, query->nonce, sizeof(d->answer.nonce));
	len = discover_format_answer(&d->answer, p->bytes,
				     cap < sizeof(p->bytes) ? cap : sizeof(p->bytes));
	assert(len > 0);
	p->len = (size_t)len;
	p->to = *from;
	p->to_len = from_len;
	p->used = true;
	if (d->answer.member_count <= DISCOVERY_CROWD) {
		send_pending(p);
		return;
	}
	delay = choose_delay();
	event_add(p->timer, &delay);
}

static void query_cb(evutil_socket_t fd, short what, void *arg)
{
	struct discovery *d = arg;
	uint8_t bytes[DISCOVER_SIZE + 1];

	(void)what;
	for (int i = 0; i < QUERIES_PER_TURN; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t from_len = sizeof(from);
		struct discover_query query;
		ssize_t n = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT,
				     (struct sockaddr *)&from, &from_len);

		if (n < 0)
			return;
		/* Foreign, damaged, of another environment: silence. */
		if (discover_parse_query(bytes, (size_t)n, &query) != DISCOVER_OK ||
		    memcmp(query.environment_id, d->answer.environment_id,
			   ENVIRONMENT_ID_SIZE) != 0)
			continue;
		if (may_answer(d, &from))
			answer_query(d, &query, (size_t)n, &from, from_len);
	}
}

/* ---- open and close ----------------------------------------------------------------------- */

/* What others reach control at: ":PORT" when it listens on every address. */
static void format_own_address(struct discovery *d, uint16_t control_port)
{
	char host[ADDRESS_HOST_SIZE] = "", port[ADDRESS_PORT_SIZE];
	char *out = d->answer.self.address;

	if (address_split(d->conf->control.listen, host, port) < 0 ||
	    strlen(host) >= DISCOVER_ADDRESS_SIZE / 2 || strcmp(host, "0.0.0.0") == 0 ||
	    strcmp(host, "::") == 0)
		host[0] = 0;
	snprintf(out, DISCOVER_ADDRESS_SIZE, strchr(host, ':') ? "[%.63s]:%u" : "%.63s:%u", host,
		 control_port);
}

static int fail_discovery(const struct conf *conf, int rc, char *err, size_t size)
{
	snprintf(err, size, "cannot answer DISCOVER on UDP port %u\nwhy:   %s\ntry:   ss -lunp   "
		 "(who has the port?)   or discovery: off in chimed.yaml", conf->bus.port,
		 strerror(-rc));
	return rc;
}

/* Without the bus nobody here is a member of the group. Failing leaves broadcast and unicast. */
static void join_alone(const struct discovery *d)
{
	const struct conf *conf = d->conf;
	struct multicast_interface interface;
	char choice[256], err[256];
	struct in_addr group;

	if (strcmp(conf->bus.mode, "off") != 0 ||
	    inet_pton(AF_INET, conf->bus.group, &group) != 1)
		return;
	if (multicast_choose(conf->bus.interface, conf->peers, conf->peer_count, &interface,
			     choice, sizeof(choice), err, sizeof(err)) == 0)
		multicast_join(d->fd, group, &interface);
}

static int open_socket(struct discovery *d, struct event_base *base)
{
	const struct sockaddr_in any = {
		.sin_family = AF_INET,
		.sin_port = htons(d->conf->bus.port),
	};
	const int on = 1;
	int rc;

	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0)
		return -errno;
	setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	rc = multicast_filter(d->fd, DISCOVER_MAGIC, true);
	if (rc == 0 && bind(d->fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		rc = -errno;
	if (rc < 0)
		return rc;
	join_alone(d);
	for (size_t i = 0; i < PENDING_MAX; i++) {
		d->pending[i].discovery = d;
		d->pending[i].timer = evtimer_new(base, due_cb, &d->pending[i]);
		assert(d->pending[i].timer);
	}
	d->readable = event_new(base, d->fd, EV_READ | EV_PERSIST, query_cb, d);
	assert(d->readable);
	event_add(d->readable, NULL);
	return 0;
}

int discovery_open(struct discovery **out, struct event_base *base, const struct conf *conf,
		   const uint8_t environment_id[16], uint16_t control_port, char *err, size_t size)
{
	struct discovery *d = calloc(1, sizeof(*d));
	int rc = 0;

	assert(d);
	*out = NULL;
	d->conf = conf;
	d->fd = -1;
	memcpy(d->answer.environment_id, environment_id, ENVIRONMENT_ID_SIZE);
	d->answer.protocol = CONTROL_PROTOCOL;
	snprintf(d->answer.self.server, sizeof(d->answer.self.server), "%s", conf->server);
	rate_init(&d->in_all, DISCOVERY_IN_ALL, DISCOVERY_IN_ALL, clock_now().boot);
	if (conf->discovery != DISCOVERY_OFF && control_port != 0) {
		format_own_address(d, control_port);
		rc = discover_member_valid(&d->answer.self) ? open_socket(d, base) : -EINVAL;
	}
	if (rc < 0) {
		discovery_close(d);
		return fail_discovery(conf, rc, err, size);
	}
	*out = d;
	return 0;
}

void discovery_close(struct discovery *discovery)
{
	if (!discovery)
		return;
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (discovery->pending[i].timer)
			event_free(discovery->pending[i].timer);
	if (discovery->readable)
		event_free(discovery->readable);
	if (discovery->fd >= 0)
		close(discovery->fd);
	free(discovery);
}

void discovery_set_members(struct discovery *discovery, const struct discovery_member *members,
			   size_t count)
{
	struct discover_answer *answer = &discovery->answer;

	answer->member_count = 0;
	for (size_t i = 0; i < count && answer->member_count < DISCOVER_MEMBERS_MAX; i++) {
		struct discover_member *m = &answer->members[answer->member_count];

		/* A cut text might be somebody else's. */
		if (strcmp(members[i].server, answer->self.server) == 0 ||
		    strlen(members[i].server) >= sizeof(m->server) ||
		    strlen(members[i].address) >= sizeof(m->address))
			continue;
		snprintf(m->server, sizeof(m->server), "%s", members[i].server);
		snprintf(m->address, sizeof(m->address), "%s", members[i].address);
		if (discover_member_valid(m))
			answer->member_count++;
	}
}
