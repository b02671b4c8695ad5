/*
 * conn.c - see conn.h.
 */
#include "client/conn.h"

#include "proto/budget.h"
#include "proto/names.h"
#include "proto/stream.h"
#include "proto/tls.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct conn {
	int fd;
	struct tls_conn *tls;		/* NULL on a local socket */
	struct stream stream;
	Chime__Reply *hello;
	int64_t hello_us;		/* my boot clock when it came */
	uint64_t next_id;
	char address[128];
	char where[256];
};

enum {
	AGAIN_US = 20000,		/* a local socket with a full queue is tried again */
	ALIVE_IDLE_S = 4, ALIVE_EVERY_S = 2, ALIVE_PROBES = 3, ALIVE_UNSENT_MS = 10000,
};

static volatile sig_atomic_t interrupted;
/* Threads other than the one that gets signals are stopped by a descriptor of their own. */
static _Thread_local int wake_fd = -1;

static void interrupt_cb(int signal_number)
{
	interrupted = signal_number;
}

void conn_catch_signal(int signal_number)
{
	struct sigaction action = { .sa_handler = interrupt_cb };

	sigemptyset(&action.sa_mask);
	sigaction(signal_number, &action, NULL);
}

void conn_catch_interrupt(void)
{
	conn_catch_signal(SIGINT);
}

void conn_set_wake(int fd)
{
	wake_fd = fd;
}

int conn_interrupted(void)
{
	struct pollfd p = { .fd = wake_fd, .events = POLLIN };

	if (wake_fd < 0)
		return interrupted;
	return poll(&p, 1, 0) > 0 ? SIGINT : 0;
}

void conn_clear_interrupt(void)
{
	interrupted = 0;
}

int64_t conn_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* How long one poll() may take; left < 0 = there is no deadline. */
static int poll_ms(int64_t left_us)
{
	/* Bounded, for a signal between the look and poll() would be slept over. */
	int64_t most_us = wake_fd < 0 ? 250000 : (int64_t)3600 * 1000000;

	if (left_us < 0 || left_us > most_us)
		return (int)(most_us / 1000);
	return (int)(left_us / 1000) + 1;
}

/* 0 = ready, -ETIMEDOUT, -EINTR when interrupted. fd -1 = only the time or an interrupt. */
static int wait_ready(int fd, short events, int64_t deadline_us)
{
	struct pollfd p[] = {
		{ .fd = fd, .events = events },
		{ .fd = wake_fd, .events = POLLIN },	/* a negative one is ignored */
	};

	for (;;) {
		int64_t left = deadline_us == CONN_FOREVER ? -1 : deadline_us - conn_now_us();
		if (wake_fd < 0 && interrupted)
			return -EINTR;
		if (deadline_us != CONN_FOREVER && left <= 0)
			return -ETIMEDOUT;
		int n = poll(p, 2, poll_ms(left));
		if (n > 0)
			return p[1].revents != 0 ? -EINTR : 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* -EAGAIN: wait for *events; 0: *got bytes; -EPIPE: the end; -EIO: TLS failed. */
static int read_some(struct conn *c, void *buf, size_t cap, size_t *got, short *events)
{
	*events = POLLIN;
	if (c->tls == NULL) {
		ssize_t n = read(c->fd, buf, cap);
		*got = n > 0 ? (size_t)n : 0;
		return n > 0 ? 0 : n == 0 ? -EPIPE : errno == EINTR ? -EAGAIN : -errno;
	}
	switch (tls_read(c->tls, buf, cap, got)) {
	case TLS_DONE:
		return 0;
	case TLS_WANT_WRITE:
		*events = POLLOUT;
		return -EAGAIN;
	case TLS_WANT_READ:
		return -EAGAIN;
	case TLS_CLOSED:
		return -EPIPE;
	default:
		return -EIO;
	}
}

static int write_some(struct conn *c, const void *buf, size_t len, size_t *put, short *events)
{
	*events = POLLOUT;
	*put = 0;
	if (c->tls == NULL) {
		ssize_t n = send(c->fd, buf, len, MSG_NOSIGNAL);
		*put = n > 0 ? (size_t)n : 0;
		return n >= 0 ? 0 : errno == EINTR ? -EAGAIN : -errno;
	}
	switch (tls_write(c->tls, buf, len, put)) {
	case TLS_DONE:
		return 0;
	case TLS_WANT_READ:
		*events = POLLIN;
		return -EAGAIN;
	case TLS_WANT_WRITE:
		return -EAGAIN;
	case TLS_CLOSED:
		return -EPIPE;
	default:
		return -EIO;
	}
}

/* What a connection that broke means. */
static int broken(const struct conn *c, int error, struct trouble *t)
{
	if (error == -ETIMEDOUT)
		return trouble_set(t, EXIT_TIME, "%s does not answer in time", c->where);
	if (error == -EINTR)
		return trouble_set(t, EXIT_INTERRUPTED, "interrupted");
	if (c->tls != NULL && tls_blame(c->tls) == TLS_THEY_REFUSED_ME) {
		trouble_set(t, EXIT_DENIED, "%s refuses my certificate", c->where);
		trouble_why(t, "%s", tls_why(c->tls));
		trouble_hint(t, "chime ca issue --role operator --name NAME --out DIR"
			     "   (where the CA key is)");
		return EXIT_DENIED;
	}
	if (c->tls != NULL && tls_blame(c->tls) == TLS_I_REFUSED_THEM) {
		trouble_set(t, EXIT_UNREACHED, "I do not accept the certificate of %s", c->where);
		trouble_why(t, "%s", tls_why(c->tls));
		return EXIT_UNREACHED;
	}
	trouble_set(t, EXIT_UNREACHED, "the connection to %s broke", c->where);
	if (c->tls != NULL && tls_why(c->tls)[0] != '\0')
		trouble_why(t, "%s", tls_why(c->tls));
	else if (error != -EPIPE && error != -EIO)
		trouble_why(t, "%s", strerror(-error));
	return EXIT_UNREACHED;
}

/* Takes one message; *data is borrowed from the stream. */
static int take_message(struct conn *c, int64_t deadline_us, const uint8_t **data, size_t *len,
			struct trouble *t)
{
	for (;;) {
		uint8_t buf[STREAM_READ_SIZE];
		size_t got = 0, room;
		short events;

		switch (stream_take(&c->stream, data, len)) {
		case STREAM_MESSAGE:
			return 0;
		case STREAM_MORE:
			break;
		default:
			return trouble_set(t, EXIT_UNREACHED, "%s sends something else than chime "
					   "does", c->where);
		}
		room = stream_room(&c->stream);
		assert(room > 0);
		int error = read_some(c, buf, room < sizeof(buf) ? room : sizeof(buf), &got,
				      &events);
		if (error == -EAGAIN)
			error = wait_ready(c->fd, events, deadline_us);
		else if (error == 0)
			stream_feed(&c->stream, buf, got);
		if (error != 0)
			return broken(c, error, t);
	}
}

static int flush_out(struct conn *c, int64_t deadline_us, struct trouble *t)
{
	for (;;) {
		size_t len, put;
		short events;
		const uint8_t *data = stream_outgoing(&c->stream, &len);
		if (len == 0)
			return 0;
		int error = write_some(c, data, len, &put, &events);
		stream_sent(&c->stream, put);
		if (error == -EAGAIN)
			error = wait_ready(c->fd, events, deadline_us);
		if (error != 0)
			return broken(c, error, t);
	}
}

static Chime__Reply *unpack_reply(struct conn *c, const uint8_t *data, size_t len,
				  struct trouble *t)
{
	Chime__Reply *reply = (Chime__Reply *)budget_unpack(&chime__reply__descriptor, data, len);

	if (reply == NULL)
		trouble_set(t, EXIT_UNREACHED, "%s sends something else than chime does",
			    c->where);
	return reply;
}

/* With a certificate it is who that says, not who it says. */
static bool name_is_its_own(const struct conn *c, const char *server)
{
	const struct name_id *peer = c->tls != NULL ? tls_peer(c->tls) : NULL;

	return name_server_valid(server, NULL) && (peer == NULL || strcmp(peer->name, server) == 0);
}

/* The server speaks first. */
static int hear_hello(struct conn *c, int64_t deadline_us, struct trouble *t)
{
	const uint8_t *data;
	size_t len;
	int code = take_message(c, deadline_us, &data, &len, t);

	if (code != 0)
		return code == EXIT_TIME ? t->exit = EXIT_UNREACHED : code;
	c->hello = unpack_reply(c, data, len, t);
	if (c->hello == NULL)
		return EXIT_UNREACHED;
	c->hello_us = conn_now_us();
	if (c->hello->body_case == CHIME__REPLY__BODY_REFUSAL)
		return conn_refusal(c->hello->refusal, t);
	if (c->hello->body_case != CHIME__REPLY__BODY_HELLO || c->hello->hello->server == NULL)
		return trouble_set(t, EXIT_UNREACHED, "%s does not begin with a hello", c->where);
	if (!name_is_its_own(c, c->hello->hello->server)) {
		trouble_set(t, EXIT_UNREACHED, "%s does not say who it is", c->where);
		trouble_why(t, "its hello has another name than its certificate, or none");
		return EXIT_UNREACHED;
	}
	if (c->hello->hello->protocol != CONN_PROTOCOL) {
		trouble_set(t, EXIT_UNREACHED, "%s speaks protocol %u, this program %d", c->where,
			    c->hello->hello->protocol, CONN_PROTOCOL);
		trouble_hint(t, "use the chime of the same release");
		return EXIT_UNREACHED;
	}
	stream_set_limit(&c->stream, STREAM_LIMIT);
	snprintf(c->where, sizeof(c->where), "%s at %s", c->hello->hello->server, c->address);
	return 0;
}

static struct conn *new_conn(int fd, const char *address, const char *server)
{
	struct conn *c = say_calloc(1, sizeof(*c));

	c->fd = fd;
	c->next_id = 1;
	stream_init(&c->stream, STREAM_LIMIT_HELLO);
	snprintf(c->address, sizeof(c->address), "%s", address);
	if (server != NULL)
		snprintf(c->where, sizeof(c->where), "%s at %s", server, c->address);
	else
		snprintf(c->where, sizeof(c->where), "%s", c->address);
	return c;
}

/* A local socket whose queue is full can't be waited for. */
static int connect_local(int fd, const struct sockaddr_un *address, int64_t deadline_us)
{
	while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		if (errno != EAGAIN)
			return -errno;
		int64_t again = conn_now_us() + AGAIN_US;
		if (deadline_us != CONN_FOREVER && deadline_us < again)
			again = deadline_us;
		int error = wait_ready(-1, 0, again);
		if (error != -ETIMEDOUT || again == deadline_us)
			return error;
	}
	return 0;
}

int conn_open_socket(struct conn **out, const char *path, int64_t deadline_us,
		     struct trouble *t)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int code;

	*out = NULL;
	if (strlen(path) >= sizeof(address.sun_path))
		return trouble_set(t, EXIT_USAGE, "the path of a socket has at most %zu bytes: %s",
				   sizeof(address.sun_path) - 1, path);
	memcpy(address.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return trouble_set(t, EXIT_UNREACHED, "no socket: %s", strerror(errno));
	int error = -connect_local(fd, &address, deadline_us);
	if (error != 0) {
		close(fd);
		if (error == EINTR)
			return trouble_set(t, EXIT_INTERRUPTED, "interrupted");
		if (error == ETIMEDOUT) {
			trouble_set(t, EXIT_UNREACHED, "%s does not answer in time", path);
			trouble_why(t, "too many connections wait there already");
			return EXIT_UNREACHED;
		}
		if (error == EACCES || error == EPERM) {
			trouble_set(t, EXIT_DENIED, "you may not use %s", path);
			trouble_why(t, "it is for root and the group chime-ops");
			trouble_hint(t, "sudo chime ...   or with a certificate: chime --via "
				     "SERVER ...");
			return EXIT_DENIED;
		}
		trouble_set(t, EXIT_UNREACHED, "nothing is running at %s", path);
		trouble_why(t, "%s", error == ENOENT || error == ECONNREFUSED
			    ? "chimed is not started on this machine" : strerror(error));
		trouble_hint(t, "systemctl start chimed        or ask another server: "
			     "chime --via SERVER ls");
		return EXIT_UNREACHED;
	}
	struct conn *c = new_conn(fd, path, NULL);
	code = hear_hello(c, deadline_us, t);
	if (code != 0) {
		conn_close(c);
		return code;
	}
	*out = c;
	return 0;
}

/* "HOST:PORT" or "[IPV6]:PORT" in two. */
static bool split_address(const char *address, char *host, size_t host_size, char *port,
			  size_t port_size)
{
	const char *colon = strrchr(address, ':');

	if (colon == NULL || colon == address || colon[1] == '\0')
		return false;
	size_t len = (size_t)(colon - address);
	if (address[0] == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	if (len >= host_size || strlen(colon + 1) >= port_size)
		return false;
	memcpy(host, address, len);
	host[len] = '\0';
	snprintf(port, port_size, "%s", colon + 1);
	return true;
}

/* Connects to the first address that takes it; -errno of the last one tried. */
static int connect_tcp(const struct addrinfo *list, int64_t deadline_us)
{
	int error = -EHOSTUNREACH;

	for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		socklen_t len = sizeof(error);
		int one = 1;

		if (fd < 0) {
			error = -errno;
			continue;
		}
		error = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : -errno;
		if (error == -EINPROGRESS) {
			error = wait_ready(fd, POLLOUT, deadline_us);
			if (error == 0 &&
			    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0)
				error = -error;
		}
		if (error == 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			return fd;
		}
		close(fd);
		if (error == -EINTR || error == -ETIMEDOUT)
			break;
	}
	return error;
}

static int shake_hands(struct conn *c, int64_t deadline_us, struct trouble *t)
{
	for (;;) {
		enum tls_want want = tls_handshake(c->tls);
		if (want == TLS_DONE)
			return 0;
		if (want != TLS_WANT_READ && want != TLS_WANT_WRITE)
			return broken(c, -EIO, t);
		int error = wait_ready(c->fd, want == TLS_WANT_READ ? POLLIN : POLLOUT,
				       deadline_us);
		if (error != 0)
			return broken(c, error, t);
	}
}

int conn_open_tls(struct conn **out, struct tls_context *context, const char *address,
		  const char *server, int64_t deadline_us, struct trouble *t)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	char host[256], port[16];
	const char *name = server != NULL ? server : address;

	*out = NULL;
	if (!split_address(address, host, sizeof(host), port, sizeof(port)))
		return trouble_set(t, EXIT_USAGE, "'%s' is not HOST:PORT", address);
	int error = getaddrinfo(host, port, &hints, &list);
	if (error != 0) {
		trouble_set(t, EXIT_UNREACHED, "cannot find %s", host);
		trouble_why(t, "%s", gai_strerror(error));
		return EXIT_UNREACHED;
	}
	int fd = connect_tcp(list, deadline_us);
	freeaddrinfo(list);
	if (fd < 0) {
		if (fd == -EINTR)
			return trouble_set(t, EXIT_INTERRUPTED, "interrupted");
		trouble_set(t, EXIT_UNREACHED, "%s does not answer (tried %s)", name, address);
		trouble_why(t, "%s", strerror(-fd));
		trouble_hint(t, "chime discover        chime server ls");
		return EXIT_UNREACHED;
	}
	struct conn *c = new_conn(fd, address, server);
	c->tls = tls_connect_new(context, fd, server);
	int code = c->tls == NULL
		? trouble_set(t, EXIT_UNREACHED, "TLS cannot be used") : 0;
	if (code == 0)
		code = shake_hands(c, deadline_us, t);
	if (code == 0)
		code = hear_hello(c, deadline_us, t);
	if (code != 0) {
		conn_close(c);
		return code == EXIT_TIME ? t->exit = EXIT_UNREACHED : code;
	}
	*out = c;
	return 0;
}

void conn_close(struct conn *c)
{
	if (c == NULL)
		return;
	if (c->tls != NULL) {
		tls_shutdown(c->tls);
		tls_free(c->tls);
	}
	if (c->fd >= 0)
		close(c->fd);
	stream_fini(&c->stream);
	conn_reply_free(c->hello);
	free(c);
}

const Chime__Hello *conn_hello(const struct conn *c)
{
	return c->hello->hello;
}

const char *conn_server(const struct conn *c)
{
	return c->hello->hello->server;
}

const char *conn_where(const struct conn *c)
{
	return c->where;
}

const char *conn_address(const struct conn *c)
{
	return c->address;
}

bool conn_is_local(const struct conn *c)
{
	return c->tls == NULL;
}

void conn_keep_alive(struct conn *c)
{
	int on = 1, idle = ALIVE_IDLE_S, every = ALIVE_EVERY_S, probes = ALIVE_PROBES;
	unsigned unsent_ms = ALIVE_UNSENT_MS;

	if (c->tls == NULL)
		return;
	setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unsent_ms, sizeof(unsent_ms));
	setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

int64_t conn_server_boot_us(const struct conn *c)
{
	return c->hello->hello->boot_us + (conn_now_us() - c->hello_us);
}

int conn_send(struct conn *c, Chime__Request *request, int64_t deadline_us, struct trouble *t)
{
	request->has_id = true;
	request->id = c->next_id++;
	size_t len = chime__request__get_packed_size(request);
	uint8_t *data = say_calloc(1, len);
	chime__request__pack(request, data);
	int error = stream_put(&c->stream, data, len);
	free(data);
	if (error != 0)
		return trouble_set(t, EXIT_USAGE, "the request is too large (%zu bytes)", len);
	return flush_out(c, deadline_us, t);
}

int conn_receive(struct conn *c, uint64_t id, int64_t deadline_us, Chime__Reply **out,
		 struct trouble *t)
{
	for (;;) {
		const uint8_t *data;
		size_t len;
		int code = take_message(c, deadline_us, &data, &len, t);
		if (code != 0)
			return code;
		Chime__Reply *reply = unpack_reply(c, data, len, t);
		if (reply == NULL)
			return EXIT_UNREACHED;
		if (reply->id == id) {
			*out = reply;
			return 0;
		}
		conn_reply_free(reply);
		/* Nor may somebody who sends only what nobody asked for hold me. */
		if (conn_interrupted())
			return broken(c, -EINTR, t);
		if (deadline_us != CONN_FOREVER && conn_now_us() >= deadline_us)
			return broken(c, -ETIMEDOUT, t);
	}
}

void conn_reply_free(Chime__Reply *reply)
{
	if (reply != NULL)
		chime__reply__free_unpacked(reply, NULL);
}

int conn_refusal(const Chime__Refusal *refusal, struct trouble *t)
{
	int exit = refusal->exit >= 1 && refusal->exit <= EXIT_PARTLY ? (int)refusal->exit
								      : EXIT_TROUBLE;

	trouble_set(t, exit, "%s", refusal->what != NULL ? refusal->what : "refused");
	if (refusal->why != NULL)
		trouble_why(t, "%s", refusal->why);
	if (refusal->try_ != NULL)
		trouble_hint(t, "%s", refusal->try_);
	return exit;
}

int conn_ask(struct conn *c, Chime__Request *request, int64_t deadline_us, Chime__Reply **out,
	     struct trouble *t)
{
	int code = conn_send(c, request, deadline_us, t);

	*out = NULL;
	if (code == 0)
		code = conn_receive(c, request->id, deadline_us, out, t);
	if (code == 0 && (*out)->body_case == CHIME__REPLY__BODY_REFUSAL) {
		code = conn_refusal((*out)->refusal, t);
		conn_reply_free(*out);
		*out = NULL;
	}
	return code;
}
