#include "daemon/edge/resolve.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHY_SIZE = 128, STACK_SIZE = 256 * 1024 };

struct answer {
	struct address found[RESOLVE_MAX];
	size_t count;
	char why[WHY_SIZE];
};

/* The thread's; freed by it. */
struct errand {
	int fd;
	char host[ADDRESS_HOST_SIZE], port[ADDRESS_PORT_SIZE];
};

struct resolve {
	struct event *event;
	int fd;			/* -1: the answer is here already */
	struct answer answer;
	resolve_done_cb *done_cb;
	void *owner;
};

static void look_up(const struct errand *errand, struct answer *answer)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(errand->host, errand->port, &hints, &list);

	if (rc != 0) {
		snprintf(answer->why, sizeof(answer->why), "its name is not found: %s",
			 gai_strerror(rc));
		return;
	}
	for (const struct addrinfo *a = list; a && answer->count < RESOLVE_MAX; a = a->ai_next) {
		struct address *to = &answer->found[answer->count++];

		memcpy(&to->sa, a->ai_addr, a->ai_addrlen);
		to->len = a->ai_addrlen;
	}
	freeaddrinfo(list);
}

static void *run_errand(void *arg)
{
	struct errand *errand = arg;
	struct answer answer = { 0 };
	ssize_t n;

	look_up(errand, &answer);
	/* One packet. Nobody waits any more when it fails. */
	n = send(errand->fd, &answer, sizeof(answer), MSG_NOSIGNAL);
	(void)n;
	close(errand->fd);
	free(errand);
	return NULL;
}

static int start_thread(struct errand *errand)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int rc;

	/* Signals belong to the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	rc = pthread_create(&thread, &attr, run_errand, errand);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

static void answer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;

	(void)what;
	if (r->fd >= 0 && recv(fd, &r->answer, sizeof(r->answer), 0) != sizeof(r->answer)) {
		r->answer.count = 0;
		snprintf(r->answer.why, sizeof(r->answer.why), "its name could not be looked up");
	}
	r->done_cb(r->owner, r->answer.found, r->answer.count, r->answer.why);
	resolve_cancel(r);
}

static int send_errand(struct resolve *r, struct event_base *base, const char *address)
{
	struct errand *errand = calloc(1, sizeof(*errand));
	int fds[2], rc;

	assert(errand);
	rc = address_split(address, errand->host, errand->port);
	if (rc == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		rc = -errno;
	if (rc < 0) {
		free(errand);
		return rc;
	}
	errand->fd = fds[1];
	rc = start_thread(errand);
	if (rc < 0) {
		free(errand);
		close(fds[0]);
		close(fds[1]);
		return rc;
	}
	r->fd = fds[0];
	r->event = event_new(base, r->fd, EV_READ, answer_cb, r);
	assert(r->event);
	event_add(r->event, NULL);
	return 0;
}

struct resolve *resolve_start(struct event_base *base, const char *address,
			      resolve_done_cb *done_cb, void *owner)
{
	static const struct timeval at_once = { 0, 0 };
	struct resolve *r = calloc(1, sizeof(*r));
	int rc;

	assert(r);
	r->fd = -1;
	r->done_cb = done_cb;
	r->owner = owner;
	rc = address_parse(address, &r->answer.found[0]);
	if (rc == 0)
		r->answer.count = 1;
	else if (rc == -ENOENT)
		rc = send_errand(r, base, address);
	if (r->event)
		return r;
	if (rc < 0)
		snprintf(r->answer.why, sizeof(r->answer.why), "\"%.80s\" can't be looked up: %s",
			 address, strerror(-rc));
	r->event = evtimer_new(base, answer_cb, r);
	assert(r->event);
	event_add(r->event, &at_once);
	return r;
}

void resolve_cancel(struct resolve *resolve)
{
	if (!resolve)
		return;
	event_free(resolve->event);
	/* A thread that still looks finds the other end closed. */
	if (resolve->fd >= 0)
		close(resolve->fd);
	free(resolve);
}
