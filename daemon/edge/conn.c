#include "daemon/edge/conn.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/stream.h"
#include "proto/tls.h"

enum { DRAIN_S = 1 };

enum conn_state {
	CONN_CONNECTING,
	CONN_SHAKING,
	CONN_OPEN,
	CONN_ENDING,
	CONN_DRAINING,
	CONN_GONE,		/* freed as soon as the callback of its event returns */
};

struct conn {
	struct conn_set *set;
	struct conn *next, **prev;
	enum conn_state state;
	int fd;
	struct tls_conn *tls;
	struct stream stream;
	struct event *readable, *writable, *again, *deadline;
	const struct conn_calls *calls;	/* NULL: the owner has let go */
	void *owner;
	bool reading, overflowed;
	bool more;			/* input may wait where the socket does not show it */
	bool want_read, want_write;	/* the last operations asked for it */
	bool write_blocked;		/* a write waits for input: TLS may ask for that */
	uint64_t received;
};

static const struct timeval at_once = { 0, 0 };

static void set_deadline(struct conn *c, time_t seconds)
{
	const struct timeval tv = { seconds, 0 };

	event_add(c->deadline, &tv);
}

static void free_conn(struct conn *c)
{
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->set->count--;
	event_free(c->readable);
	event_free(c->writable);
	event_free(c->again);
	event_free(c->deadline);
	tls_free(c->tls);
	close(c->fd);
	stream_fini(&c->stream);
	free(c);
}

static void set_event(struct event *event, bool on)
{
	if (on)
		event_add(event, NULL);
	else
		event_del(event);
}

/* Waits for exactly what the state can go on with. */
static void arm_events(struct conn *c)
{
	bool read = c->want_read, write = c->want_write;

	if (c->state == CONN_CONNECTING)
		write = true;
	if (c->state == CONN_OPEN) {
		read = read || c->reading;
		write = write || (conn_backlog(c) > 0 && !c->write_blocked);
	}
	if (c->state == CONN_DRAINING)
		read = true;
	set_event(c->readable, read);
	set_event(c->writable, write);
	if (c->more || c->overflowed)
		event_add(c->again, &at_once);
}

static void begin_drain(struct conn *c)
{
	/* Input that was not read when the socket closes makes a reset, which takes our last bytes
	 * (an alert, a refusal) from the peer's receive buffer. So: end our side, read on. */
	shutdown(c->fd, SHUT_WR);
	c->state = CONN_DRAINING;
	c->more = c->want_read = c->want_write = false;
	set_deadline(c, DRAIN_S);
}

static void begin_ending(struct conn *c)
{
	c->state = CONN_ENDING;
	c->more = c->want_read = c->want_write = false;
	set_deadline(c, CONN_SHAKE_S);
	event_add(c->again, &at_once);
}

/* Tells the owner; it may put a last message when the state is still CONN_OPEN. */
static void tell_end(struct conn *c, int error, const char *why)
{
	const struct conn_calls *calls = c->calls;

	c->calls = NULL;
	if (calls)
		calls->end_cb(c, c->owner, error, why);
}

static void fail_hard(struct conn *c, int error, const char *why)
{
	c->state = CONN_GONE;
	tell_end(c, error, why);
}

static void fail_tls(struct conn *c)
{
	enum tls_blame blame = tls_blame(c->tls);
	bool refused = blame == TLS_I_REFUSED_THEM || blame == TLS_THEY_REFUSED_ME;
	bool shaking = c->state == CONN_SHAKING;
	char why[CONN_WHY_SIZE];

	snprintf(why, sizeof(why), "%s", tls_why(c->tls));
	c->state = CONN_GONE;
	tell_end(c, refused ? -EACCES : -ECONNRESET, why);
	if (shaking && blame != TLS_THEY_REFUSED_ME)
		begin_drain(c);
}

static enum tls_want recv_plain(int fd, void *buf, size_t cap, size_t *got)
{
	ssize_t n;

	do
		n = recv(fd, buf, cap, 0);
	while (n < 0 && errno == EINTR);
	*got = n > 0 ? (size_t)n : 0;
	if (n > 0)
		return TLS_DONE;
	if (n == 0)
		return TLS_CLOSED;
	return errno == EAGAIN ? TLS_WANT_READ : TLS_FAILED;
}

static enum tls_want send_plain(int fd, const void *buf, size_t len, size_t *put)
{
	ssize_t n;

	do
		n = send(fd, buf, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	*put = n > 0 ? (size_t)n : 0;
	if (n >= 0)
		return TLS_DONE;
	return errno == EAGAIN ? TLS_WANT_WRITE : TLS_FAILED;
}

/* Notes what to wait for; true when the operation came to something. */
static bool note_want(struct conn *c, enum tls_want want)
{
	if (want == TLS_WANT_READ)
		c->want_read = true;
	else if (want == TLS_WANT_WRITE)
		c->want_write = true;
	else
		return true;
	return false;
}

static void fail_socket(struct conn *c)
{
	int error = errno;

	if (c->tls)
		fail_tls(c);
	else
		fail_hard(c, -error, strerror(error));
}

static void finish_connect(struct conn *c)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (poll(&pfd, 1, 0) != 1)
		return;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		fail_hard(c, -error, strerror(error));
	else
		c->state = CONN_SHAKING;
}

static void shake_hands(struct conn *c)
{
	enum tls_want want = c->tls ? tls_handshake(c->tls) : TLS_DONE;

	if (!note_want(c, want))
		return;
	if (want != TLS_DONE) {
		fail_tls(c);
		return;
	}
	event_del(c->deadline);
	c->state = CONN_OPEN;
	if (c->calls)
		c->calls->ready_cb(c, c->owner);
}

/* Gives what is buffered to the owner; false when it is not to be read on. */
static bool deliver_messages(struct conn *c, unsigned *left)
{
	enum stream_verdict verdict = STREAM_MORE;
	const uint8_t *data;
	size_t len;

	while (c->state == CONN_OPEN && c->reading) {
		if (*left == 0) {
			c->more = true;
			return false;
		}
		--*left;
		verdict = stream_take(&c->stream, &data, &len);
		if (verdict != STREAM_MESSAGE)
			break;
		c->calls->message_cb(c, c->owner, data, len);
	}
	if (c->state == CONN_OPEN && verdict == STREAM_TOO_LARGE) {
		tell_end(c, -EMSGSIZE, "a message is longer than the limit");
		begin_ending(c);
	}
	return c->state == CONN_OPEN && c->reading;
}

static void end_input(struct conn *c)
{
	bool whole = stream_at_boundary(&c->stream);

	tell_end(c, whole ? 0 : -ECONNRESET, whole ? "closed" : "it ended within a message");
	begin_ending(c);
}

static void read_input(struct conn *c)
{
	uint8_t buf[STREAM_READ_SIZE];
	unsigned messages = CONN_TURN_MESSAGES;
	size_t bytes = CONN_TURN_BYTES, got;
	enum tls_want want;

	c->more = false;
	while (deliver_messages(c, &messages)) {
		size_t cap = stream_room(&c->stream);

		if (bytes == 0) {
			c->more = true;
			return;
		}
		cap = cap < sizeof(buf) ? cap : sizeof(buf);
		cap = cap < bytes ? cap : bytes;
		want = c->tls ? tls_read(c->tls, buf, cap, &got)
			      : recv_plain(c->fd, buf, cap, &got);
		if (!note_want(c, want))
			return;
		if (want == TLS_CLOSED)
			end_input(c);
		else if (want == TLS_FAILED)
			fail_socket(c);
		else
			stream_feed(&c->stream, buf, got);
		bytes -= got;
		c->received += got;
	}
}

/* True when nothing is left to be sent. */
static bool write_output(struct conn *c)
{
	size_t len, put, budget = CONN_TURN_BYTES;
	enum tls_want want;
	bool moved = false;

	for (;;) {
		const uint8_t *data = stream_outgoing(&c->stream, &len);

		if (len == 0)
			break;
		if (budget == 0) {
			c->want_write = true;
			break;
		}
		len = len < budget ? len : budget;
		want = c->tls ? tls_write(c->tls, data, len, &put)
			      : send_plain(c->fd, data, len, &put);
		if (!note_want(c, want)) {
			c->write_blocked = want == TLS_WANT_READ;
			break;
		}
		if (want != TLS_DONE) {
			fail_socket(c);
			return false;
		}
		stream_sent(&c->stream, put);
		budget -= put;
		moved = true;
	}
	if (moved && c->calls && c->calls->drained_cb && conn_backlog(c) < CONN_LOW_WATER)
		c->calls->drained_cb(c, c->owner);
	return conn_backlog(c) == 0;
}

static void end_output(struct conn *c)
{
	enum tls_want want;

	if (!write_output(c))
		return;
	want = c->tls ? tls_shutdown(c->tls) : TLS_DONE;
	if (note_want(c, want))
		begin_drain(c);
}

static void drop_input(struct conn *c)
{
	uint8_t buf[STREAM_READ_SIZE];
	size_t got, bytes = CONN_TURN_BYTES;
	enum tls_want want;

	do {
		want = recv_plain(c->fd, buf, sizeof(buf), &got);
		bytes -= got < bytes ? got : bytes;
	} while (want == TLS_DONE && bytes > 0);
	if (want == TLS_CLOSED || want == TLS_FAILED)
		c->state = CONN_GONE;
}

static void advance_conn(struct conn *c)
{
	c->want_read = c->want_write = c->write_blocked = false;
	if (c->state == CONN_CONNECTING)
		finish_connect(c);
	if (c->state == CONN_SHAKING)
		shake_hands(c);
	if (c->state == CONN_OPEN && c->overflowed)
		fail_hard(c, -ENOBUFS, "it does not take what it asked for");
	/* Read before write: a write that fails must not hide why the peer closed. */
	if (c->state == CONN_OPEN && c->reading)
		read_input(c);
	if (c->state == CONN_OPEN)
		write_output(c);
	if (c->state == CONN_ENDING)
		end_output(c);
	if (c->state == CONN_DRAINING)
		drop_input(c);
}

static void io_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	advance_conn(c);
	if (c->state == CONN_GONE)
		free_conn(c);
	else
		arm_events(c);
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == CONN_CONNECTING)
		fail_hard(c, -ETIMEDOUT, "it does not answer");
	else if (c->state == CONN_SHAKING)
		fail_hard(c, -ETIMEDOUT, "it took the connection and did not shake hands in time");
	free_conn(c);
}

struct conn *conn_new(struct conn_set *set, struct event_base *base, int fd, struct tls_conn *tls,
		      bool connecting, const struct conn_calls *calls, void *owner)
{
	struct conn *c = calloc(1, sizeof(*c));

	assert(c);
	*c = (struct conn){
		.set = set,
		.next = set->first,
		.prev = &set->first,
		.state = connecting ? CONN_CONNECTING : CONN_SHAKING,
		.fd = fd,
		.tls = tls,
		.calls = calls,
		.owner = owner,
	};
	if (c->next)
		c->next->prev = &c->next;
	set->first = c;
	set->count++;
	stream_init(&c->stream, STREAM_LIMIT_HELLO);
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, io_cb, c);
	c->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, io_cb, c);
	c->again = evtimer_new(base, io_cb, c);
	c->deadline = evtimer_new(base, deadline_cb, c);
	assert(c->readable && c->writable && c->again && c->deadline);
	set_deadline(c, CONN_SHAKE_S);
	event_add(c->again, &at_once);
	return c;
}

void conn_set_fini(struct conn_set *set)
{
	struct conn *c;

	while ((c = set->first)) {
		/* What the sockets take at once still goes out, and then an end in order. */
		c->calls = NULL;
		if (c->state == CONN_OPEN && write_output(c) && c->tls)
			tls_shutdown(c->tls);
		free_conn(c);
	}
}

void conn_set_reading(struct conn *conn, bool on)
{
	conn->reading = on;
	if (on && conn->state == CONN_OPEN)
		event_add(conn->again, &at_once);
}

void conn_set_limit(struct conn *conn, uint32_t limit)
{
	stream_set_limit(&conn->stream, limit);
}

int conn_put(struct conn *conn, const void *data, size_t len)
{
	int rc;

	if (conn->state != CONN_OPEN || conn->overflowed)
		return -ENOTCONN;
	rc = stream_put(&conn->stream, data, len);
	if (rc == -ENOBUFS)
		conn->overflowed = true;
	arm_events(conn);
	return rc;
}

size_t conn_backlog(const struct conn *conn)
{
	size_t len;

	stream_outgoing(&conn->stream, &len);
	return len;
}

uint64_t conn_received(const struct conn *conn)
{
	return conn->received;
}

void conn_close(struct conn *conn)
{
	conn->calls = NULL;
	if (conn->state == CONN_OPEN) {
		begin_ending(conn);
	} else if (conn->state < CONN_OPEN) {
		conn->state = CONN_GONE;
		event_add(conn->again, &at_once);
	}
}

const struct name_id *conn_peer(const struct conn *conn)
{
	return conn->tls && conn->state >= CONN_OPEN ? tls_peer(conn->tls) : NULL;
}

const uint8_t *conn_peer_der(const struct conn *conn, size_t *len)
{
	*len = 0;
	return conn->tls && conn->state >= CONN_OPEN ? tls_peer_der(conn->tls, len) : NULL;
}
