/*
 * courier.c - see courier.h.
 *
 *	loop                      | lock |                      thread
 *	courier_send()     -> queue        -> next_order()
 *	courier_stop_order -> stopped, wake -> every wait of conn.c ends
 *	mailbox_take()     <- mailbox      <- post()
 *
 * The wake descriptor is readable exactly while the order under way is stopped or the courier is
 * being freed. Both are said under the lock, so no order is stopped for another one.
 */
#include "client/monitor/courier.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
	FREE_WAIT_MS = 300,
	ROOM_MS = 20,			/* a full mailbox is looked at again */
};

struct courier {
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* an order came, or the thread ended */
	pthread_t thread;
	int wake;

	/* Under the lock. */
	struct mailbox *box;
	struct order **queue;
	size_t queue_count;
	const struct order *current;	/* NULL = none is under way */
	bool stopped;			/* the current one */
	bool closing, ended, left_behind;

	/* The thread's. */
	struct session session;
	struct order *way;		/* the last ORDER_OPEN; NULL = none */
	char *opened;			/* who was reached by it; NULL = nobody */
};

static void raise_wake(const struct courier *c)
{
	uint64_t one = 1;
	ssize_t n = write(c->wake, &one, sizeof(one));

	(void)n;	/* full = readable already */
}

static void lower_wake(const struct courier *c)
{
	uint64_t count;
	ssize_t n = read(c->wake, &count, sizeof(count));

	(void)n;	/* empty = not readable already */
}

/* ---- the thread's side of the queue ------------------------------------------------------ */

/* The next order, owned by the caller; NULL = it is over. */
static struct order *next_order(struct courier *c)
{
	struct order *order = NULL;

	pthread_mutex_lock(&c->lock);
	while (c->queue_count == 0 && !c->closing)
		pthread_cond_wait(&c->changed, &c->lock);
	if (!c->closing) {
		order = c->queue[0];
		c->queue_count--;
		memmove(&c->queue[0], &c->queue[1], c->queue_count * sizeof(order));
		c->current = order;
	}
	pthread_mutex_unlock(&c->lock);
	return order;
}

/* Takes the letter. With the last one of an order, the order is no longer under way. */
static void post(struct courier *c, struct letter *letter)
{
	pthread_mutex_lock(&c->lock);
	if (letter->done) {
		c->current = NULL;
		c->stopped = false;
		if (!c->closing)
			lower_wake(c);
	}
	if (c->closing)
		letter_free(letter);
	else
		mailbox_put(c->box, letter);
	pthread_mutex_unlock(&c->lock);
}

static bool is_stopped(struct courier *c)
{
	pthread_mutex_lock(&c->lock);
	bool stopped = c->stopped || c->closing;
	pthread_mutex_unlock(&c->lock);
	return stopped;
}

static bool must_wait(struct courier *c)
{
	pthread_mutex_lock(&c->lock);
	bool wait = !c->stopped && !c->closing && mailbox_is_full(c->box);
	pthread_mutex_unlock(&c->lock);
	return wait;
}

static void wait_for_room(struct courier *c)
{
	struct pollfd p = { .fd = c->wake, .events = POLLIN };

	while (must_wait(c))
		(void)poll(&p, 1, ROOM_MS);
}

/* ---- opening ----------------------------------------------------------------------------- */

/* Opens what the last ORDER_OPEN named. Once somebody was reached by it, only the same will do. */
static int open_way(struct courier *c, int64_t timeout_us, struct trouble *t)
{
	struct session *s = &c->session;
	const struct order *way = c->way;
	int64_t deadline_us = conn_now_us() + timeout_us;

	if (s->conn != NULL)
		return 0;
	int code = way == NULL || way->server == NULL
		? session_open(s, deadline_us, t)
		: session_open_server(s, way->server, way->address, way->address_count,
				      deadline_us, t);
	if (code != 0)
		return code;
	const char *server = conn_server(s->conn);
	if (c->opened != NULL && strcmp(c->opened, server) != 0) {
		trouble_set(t, EXIT_UNREACHED, "%s does not answer", c->opened);
		trouble_why(t, "%s does, instead", conn_where(s->conn));
		session_drop(s, s->conn);
		return EXIT_UNREACHED;
	}
	if (c->opened == NULL)
		c->opened = say_strdup(server);
	conn_keep_alive(s->conn);
	return 0;
}

static char *copy_text(const char *text)
{
	return text != NULL ? say_strdup(text) : NULL;
}

static void describe_conn(struct letter *letter, const struct conn *conn)
{
	const Chime__Hello *hello = conn_hello(conn);

	letter->server = say_strdup(conn_server(conn));
	letter->where = say_strdup(conn_where(conn));
	letter->address = say_strdup(conn_address(conn));
	letter->environment = copy_text(hello->environment);
	letter->you = copy_text(hello->you);
	letter->role = copy_text(hello->your_role);
	letter->local = conn_is_local(conn);
	letter->has_env_id = hello->has_environment_id &&
			     hello->environment_id.len == sizeof(letter->env_id);
	if (letter->has_env_id)
		memcpy(letter->env_id, hello->environment_id.data, sizeof(letter->env_id));
}

/*
 * The last letter of an order. Whoever stopped it is told just that: what the stop has broken on
 * its way is no trouble of its own.
 */
static void post_last(struct courier *c, struct letter *letter, int code)
{
	struct trouble *t = &letter->trouble;

	t->exit = code;
	if (code == 0) {
		*t = (struct trouble){ 0 };
	} else if (code != EXIT_INTERRUPTED && is_stopped(c)) {
		code = trouble_set(t, EXIT_INTERRUPTED, "interrupted");
	}
	letter->broke = letter->kind != ORDER_OPEN && code != 0 && code != EXIT_INTERRUPTED &&
			c->session.conn == NULL;
	post(c, letter);
}

static void carry_open(struct courier *c, struct order *order)
{
	struct letter *letter = letter_new(order, true);

	session_drop_all(&c->session);
	order_free(c->way);
	free(c->opened);
	c->opened = NULL;
	c->way = order_new(ORDER_OPEN, 0);
	c->way->server = order->server;
	c->way->address = order->address;
	c->way->address_count = order->address_count;
	order->server = NULL;
	order->address = NULL;
	order->address_count = 0;
	int code = open_way(c, order->timeout_us, &letter->trouble);
	if (code == 0)
		describe_conn(letter, c->session.conn);
	post_last(c, letter, code);
}

/* ---- asking ------------------------------------------------------------------------------ */

struct question {
	struct courier *courier;
	const struct order *order;
	Chime__Request *request;
	struct conn *conn;		/* where it is asked now */
	bool answered;			/* a part of the answer came */
	Chime__Reply *last;		/* the reply that ends it */
};

static int take_replies(struct question *q, struct trouble *t)
{
	const struct order *order = q->order;

	for (;;) {
		Chime__Reply *reply = NULL;
		int code = conn_receive(q->conn, q->request->id, order->follow ? CONN_FOREVER
					: conn_now_us() + order->timeout_us, &reply, t);
		if (code != 0)
			return code;
		q->answered = true;
		if (reply->done || reply->body_case == CHIME__REPLY__BODY_REFUSAL) {
			q->last = reply;
			return 0;
		}
		struct letter *letter = letter_new(order, false);
		letter->reply = reply;
		post(q->courier, letter);
		wait_for_room(q->courier);
		if (is_stopped(q->courier))
			return trouble_set(t, EXIT_INTERRUPTED, "interrupted");
	}
}

/* One question at one server: all replies but the last become letters. */
static int ask_at(struct question *q, struct trouble *t)
{
	int code = conn_send(q->conn, q->request, conn_now_us() + q->order->timeout_us, t);

	if (code == 0)
		code = take_replies(q, t);
	/* A server can't be told to follow no more. */
	if (code == EXIT_UNREACHED || (code != 0 && q->order->follow))
		session_drop(&q->courier->session, q->conn);
	return code;
}

/* The same at the server that the refusal names. */
static int ask_owner(struct question *q, const Chime__Refusal *refusal, struct trouble *t)
{
	struct session *s = &q->courier->session;

	for (;;) {
		size_t before = s->owner_count;
		int code = session_owner(s, refusal->server, refusal->address, refusal->n_address,
					 conn_now_us() + q->order->timeout_us, &q->conn, t);
		if (code != 0)
			return code;
		/* One that was open already may have ended long ago without anybody looking. */
		bool old = s->owner_count == before;
		if (!old)
			conn_keep_alive(q->conn);
		code = ask_at(q, t);
		if (code != EXIT_UNREACHED || !old || q->answered)
			return code;
	}
}

static bool names_owner(const struct question *q)
{
	const Chime__Refusal *refusal = q->last->refusal;

	return q->last->body_case == CHIME__REPLY__BODY_REFUSAL && refusal->server != NULL &&
	       strcmp(refusal->server, conn_server(q->conn)) != 0;
}

static int ask(struct question *q, struct trouble *t)
{
	struct courier *c = q->courier;
	int code = open_way(c, q->order->timeout_us, t);

	if (code != 0)
		return code;
	q->conn = c->session.conn;
	code = ask_at(q, t);
	if (code == 0 && q->order->at_owner && names_owner(q)) {
		Chime__Reply *refused = q->last;
		q->last = NULL;
		q->answered = false;
		code = ask_owner(q, refused->refusal, t);
		conn_reply_free(refused);
	}
	if (code == 0 && q->last->body_case == CHIME__REPLY__BODY_REFUSAL) {
		code = conn_refusal(q->last->refusal, t);
		conn_reply_free(q->last);
		q->last = NULL;
	}
	return code;
}

static void carry_ask(struct courier *c, const struct order *order)
{
	struct letter *letter = letter_new(order, true);
	struct question q = {
		.courier = c,
		.order = order,
		.request = chime__request__unpack(NULL, order->request_len, order->request),
	};

	assert(q.request != NULL);
	int code = ask(&q, &letter->trouble);
	letter->reply = q.last;
	chime__request__free_unpacked(q.request, NULL);
	post_last(c, letter, code);
}

/* ---- acting ------------------------------------------------------------------------------ */

static void carry_act(struct courier *c, const struct order *order)
{
	struct letter *letter = letter_new(order, true);
	struct trouble *t = &letter->trouble;
	/* A force that lists nothing to ignore ignores what a force does, as its server has it. */
	struct action action = {
		.session = &c->session,
		.kind = order->act,
		.reason = order->reason,
		.force = order->force,
	};

	int code = open_way(c, order->timeout_us, t);
	if (code == 0)
		code = action_key(&action, t);
	action.deadline_us = conn_now_us() + order->timeout_us;
	if (code == 0)
		code = action_run(&action, order->dry, order->target, order->target_count,
				  &letter->effects, t);
	post_last(c, letter, code);
}

/* ---- the thread -------------------------------------------------------------------------- */

static void courier_release(struct courier *c)
{
	for (size_t i = 0; i < c->queue_count; i++)
		order_free(c->queue[i]);
	free(c->queue);
	order_free(c->way);
	free(c->opened);
	close(c->wake);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void *run_courier(void *arg)
{
	struct courier *c = arg;
	struct order *order;

	conn_set_wake(c->wake);
	say_set_mute();
	while ((order = next_order(c)) != NULL) {
		switch (order->kind) {
		case ORDER_OPEN:
			carry_open(c, order);
			break;
		case ORDER_ASK:
			carry_ask(c, order);
			break;
		case ORDER_ACT:
			carry_act(c, order);
			break;
		}
		order_free(order);
	}
	session_fini(&c->session);
	pthread_mutex_lock(&c->lock);
	c->ended = true;
	bool mine = c->left_behind;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (mine)
		courier_release(c);
	return NULL;
}

/* What asks for something goes to the loop; what tells of a crash must reach who crashed. */
static int start_thread(struct courier *c)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
	sigset_t blocked, before;

	sigfillset(&blocked);
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigdelset(&blocked, crashes[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	int error = pthread_create(&c->thread, NULL, run_courier, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

struct courier *courier_new(struct session *session, struct mailbox *box)
{
	struct courier *c = say_calloc(1, sizeof(*c));
	pthread_condattr_t attr;

	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake < 0) {
		free(c);
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	c->box = box;
	c->session = *session;
	if (start_thread(c) != 0) {
		courier_release(c);
		return NULL;
	}
	*session = (struct session){ 0 };
	return c;
}

static bool wait_for_end(struct courier *c)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += FREE_WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!c->ended) {
		if (pthread_cond_timedwait(&c->changed, &c->lock, &until) == ETIMEDOUT)
			break;
	}
	return c->ended;
}

void courier_free(struct courier *c)
{
	if (c == NULL)
		return;
	pthread_t thread = c->thread;
	pthread_mutex_lock(&c->lock);
	c->closing = true;
	raise_wake(c);
	pthread_cond_broadcast(&c->changed);
	bool ended = wait_for_end(c);
	c->left_behind = !ended;
	pthread_mutex_unlock(&c->lock);
	/* A thread that is left behind owns the courier from here on. */
	if (!ended) {
		pthread_detach(thread);
		return;
	}
	pthread_join(thread, NULL);
	courier_release(c);
}

/* ---- the loop's side --------------------------------------------------------------------- */

void courier_send(struct courier *c, struct order *order)
{
	pthread_mutex_lock(&c->lock);
	c->queue = say_realloc(c->queue, c->queue_count + 1, sizeof(order));
	c->queue[c->queue_count++] = order;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/* Takes the order with this tag out of the queue; NULL = it is not there. */
static struct order *take_queued(struct courier *c, uint64_t tag)
{
	for (size_t i = 0; i < c->queue_count; i++) {
		struct order *order = c->queue[i];
		if (order->tag != tag)
			continue;
		c->queue_count--;
		memmove(&c->queue[i], &c->queue[i + 1], (c->queue_count - i) * sizeof(order));
		return order;
	}
	return NULL;
}

void courier_stop_order(struct courier *c, uint64_t tag)
{
	pthread_mutex_lock(&c->lock);
	struct order *order = take_queued(c, tag);
	if (order != NULL) {
		struct letter *letter = letter_new(order, true);
		trouble_set(&letter->trouble, EXIT_INTERRUPTED, "stopped before it was begun");
		mailbox_put(c->box, letter);
	} else if (c->current != NULL && c->current->tag == tag) {
		c->stopped = true;
		raise_wake(c);
	}
	pthread_mutex_unlock(&c->lock);
	order_free(order);
}

size_t courier_busy(const struct courier *courier)
{
	struct courier *c = (struct courier *)(uintptr_t)courier;

	pthread_mutex_lock(&c->lock);
	size_t busy = c->queue_count + (c->current != NULL);
	pthread_mutex_unlock(&c->lock);
	return busy;
}
