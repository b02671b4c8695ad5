/*
 * The courier against servers of this test, on a local socket and over TLS.
 *
 * Nothing here is proved by how long it took: an order that must end when it is stopped has an hour
 * to end otherwise, and a server tells when it got what the test waits for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/pki.h"

#include "client/monitor/courier.h"
#include "proto/stream.h"
#include "proto/tls.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { HOUR_MS = 3600 * 1000, CLIENTS_MAX = 32, PARTS = 300 };
static const int64_t HOUR_US = 3600 * (int64_t)1000000;

static struct pki pki;

static void must(bool is, const char *what)
{
	if (is)
		return;
	fprintf(stderr, "the fake server: %s\n", what);
	abort();
}

/* ---- a name whose lookup takes until the test says so ------------------------------------ */

static sem_t lookup_began, lookup_may_end;

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **out)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (strcmp(host, "blocked.test") != 0) {
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
		return real(host, port, hints, out);
	}
	sem_post(&lookup_began);
	sem_wait(&lookup_may_end);
	return EAI_FAIL;
}

/* ---- the fake server --------------------------------------------------------------------- */

/*
 * What it does with a request, by its kind:
 *	status   answers          show   refuses, 3           jobs     PARTS replies
 *	events   follows: one     runs   dies in the middle   servers  never answers
 *	log      refuses, names another server                start    done
 *	kill     never answers, forgets it
 */
struct fake {
	const char *name;
	bool silent;			/* accepts, says nothing */
	struct tls_context *tls;	/* NULL = local socket */
	const char *owner, *owner_address;
	int listener;
	char address[96];
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_t client[CLIENTS_MAX];
	int client_fd[CLIENTS_MAX];	/* -1 = closed by its thread */
	size_t client_count;
	sem_t accepted, asked;		/* posted for each connection; for each request */
	bool hang_up;			/* dies in the middle of a log */
	bool force, dry;
	size_t ignored;
	char reason[64];
};

struct peer {
	struct fake *fake;
	size_t at;
	int fd;
	struct tls_conn *tls;
	struct stream stream;
};

static bool put_bytes(struct peer *p, const uint8_t *data, size_t len)
{
	while (len > 0) {
		size_t put = 0;
		if (p->tls != NULL) {
			if (tls_write(p->tls, data, len, &put) != TLS_DONE)
				return false;
		} else {
			ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL);
			if (n <= 0)
				return false;
			put = (size_t)n;
		}
		data += put;
		len -= put;
	}
	return true;
}

/* most: send only so many bytes of it; 0 = all. */
static void send_reply(struct peer *p, const Chime__Reply *reply, size_t most)
{
	uint8_t bytes[8192];
	struct stream s;
	size_t len = chime__reply__get_packed_size(reply);
	const uint8_t *out;

	must(len <= sizeof(bytes), "too much to say");
	chime__reply__pack(reply, bytes);
	stream_init(&s, STREAM_LIMIT);
	must(stream_put(&s, bytes, len) == 0, "stream");
	out = stream_outgoing(&s, &len);
	(void)put_bytes(p, out, most != 0 && most < len ? most : len);
	stream_fini(&s);
}

static Chime__Request *hear_request(struct peer *p)
{
	for (;;) {
		const uint8_t *data;
		uint8_t buf[4096];
		size_t len, got = 0;
		if (stream_take(&p->stream, &data, &len) == STREAM_MESSAGE)
			return chime__request__unpack(NULL, len, data);
		if (p->tls != NULL) {
			if (tls_read(p->tls, buf, sizeof(buf), &got) != TLS_DONE)
				return NULL;
		} else {
			ssize_t n = read(p->fd, buf, sizeof(buf));
			if (n <= 0)
				return NULL;
			got = (size_t)n;
		}
		stream_feed(&p->stream, buf, got);
	}
}

static void say_hello(struct peer *p)
{
	static const uint8_t env_id[16] = "0123456789abcde";
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__Hello hello = CHIME__HELLO__INIT;

	hello.has_protocol = true;
	hello.protocol = 1;
	hello.server = (char *)(uintptr_t)p->fake->name;
	hello.environment = (char *)"T";
	hello.has_environment_id = true;
	hello.environment_id.data = (uint8_t *)(uintptr_t)env_id;
	hello.environment_id.len = sizeof(env_id);
	hello.you = (char *)"alice";
	hello.your_role = (char *)"operator";
	reply.body_case = CHIME__REPLY__BODY_HELLO;
	reply.hello = &hello;
	send_reply(p, &reply, 0);
}

static Chime__Reply reply_to(const Chime__Request *r, bool done)
{
	Chime__Reply reply = CHIME__REPLY__INIT;

	reply.has_id = reply.has_done = true;
	reply.id = r->id;
	reply.done = done;
	return reply;
}

static void refuse(struct peer *p, const Chime__Request *r, uint32_t exit, bool name_owner)
{
	Chime__Reply reply = reply_to(r, true);
	Chime__Refusal refusal = CHIME__REFUSAL__INIT;
	char *address[] = { (char *)(uintptr_t)p->fake->owner_address };

	refusal.has_exit = true;
	refusal.exit = exit;
	refusal.what = (char *)"no";
	if (name_owner) {
		refusal.server = (char *)(uintptr_t)p->fake->owner;
		refusal.address = address;
		refusal.n_address = address[0] != NULL;
	}
	reply.body_case = CHIME__REPLY__BODY_REFUSAL;
	reply.refusal = &refusal;
	send_reply(p, &reply, 0);
}

static void send_status(struct peer *p, const Chime__Request *r)
{
	Chime__Reply reply = reply_to(r, true);
	Chime__StatusReply status = CHIME__STATUS_REPLY__INIT;

	status.server = (char *)(uintptr_t)p->fake->name;
	reply.body_case = CHIME__REPLY__BODY_STATUS;
	reply.status = &status;
	send_reply(p, &reply, 0);
}

static void send_jobs(struct peer *p, const Chime__Request *r)
{
	for (uint32_t i = 1; i <= PARTS; i++) {
		Chime__Reply reply = reply_to(r, i == PARTS);
		Chime__JobsReply jobs = CHIME__JOBS_REPLY__INIT;
		jobs.has_total = true;
		jobs.total = i;
		reply.body_case = CHIME__REPLY__BODY_JOBS;
		reply.jobs = &jobs;
		send_reply(p, &reply, 0);
	}
}

static void send_data(struct peer *p, const Chime__Request *r, bool done, size_t most)
{
	static const uint8_t zeros[4000];
	Chime__Reply reply = reply_to(r, done);
	Chime__LogReply log = CHIME__LOG_REPLY__INIT;

	log.has_data = true;
	log.data.data = (uint8_t *)(uintptr_t)zeros;
	log.data.len = sizeof(zeros);
	reply.body_case = CHIME__REPLY__BODY_LOG;
	reply.log = &log;
	send_reply(p, &reply, most);
}

static void do_start(struct peer *p, const Chime__Request *r)
{
	Chime__Reply reply = reply_to(r, true);
	Chime__ActionReply action = CHIME__ACTION_REPLY__INIT;
	Chime__Effect effect = CHIME__EFFECT__INIT, *effects[] = { &effect };
	struct fake *f = p->fake;

	pthread_mutex_lock(&f->lock);
	f->force = r->start->force;
	f->dry = r->start->dry_run;
	f->ignored = r->start->n_ignore;
	snprintf(f->reason, sizeof(f->reason), "%s", r->reason != NULL ? r->reason : "");
	pthread_mutex_unlock(&f->lock);
	effect.target = r->start->target[0];
	effect.result = (char *)"done";
	effect.has_run = true;
	effect.run = 42;
	action.effect = effects;
	action.n_effect = 1;
	reply.body_case = CHIME__REPLY__BODY_ACTION;
	reply.action = &action;
	send_reply(p, &reply, 0);
}

/* False: the connection is closed. */
static bool serve_request(struct peer *p, const Chime__Request *r)
{
	switch (r->body_case) {
	case CHIME__REQUEST__BODY_STATUS:
		send_status(p, r);
		return true;
	case CHIME__REQUEST__BODY_SHOW:
		refuse(p, r, EXIT_NO_MATCH, false);
		return true;
	case CHIME__REQUEST__BODY_JOBS:
		send_jobs(p, r);
		return true;
	case CHIME__REQUEST__BODY_EVENTS:
		send_data(p, r, false, 0);
		return true;
	case CHIME__REQUEST__BODY_RUNS:
		send_data(p, r, true, 1000);
		return false;
	case CHIME__REQUEST__BODY_LOG:
		pthread_mutex_lock(&p->fake->lock);
		bool hang_up = p->fake->hang_up;
		pthread_mutex_unlock(&p->fake->lock);
		if (hang_up) {
			send_data(p, r, true, 1000);
			return false;
		}
		if (p->fake->owner != NULL)
			refuse(p, r, EXIT_TROUBLE, true);
		else
			send_data(p, r, true, 0);
		return true;
	case CHIME__REQUEST__BODY_START:
		do_start(p, r);
		return true;
	default:
		return true;
	}
}

static void *serve_client(void *arg)
{
	struct peer *p = arg;
	struct fake *f = p->fake;
	Chime__Request *r;
	sigset_t pipe;
	bool go_on = true;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	stream_init(&p->stream, STREAM_LIMIT);
	if (f->tls != NULL)
		p->tls = tls_accept_new(f->tls, p->fd);
	if (f->silent) {
		char byte;
		go_on = read(p->fd, &byte, 1) > 0;
	} else if (p->tls == NULL || tls_handshake(p->tls) == TLS_DONE) {
		say_hello(p);
	}
	while (go_on && !f->silent && (r = hear_request(p)) != NULL) {
		go_on = serve_request(p, r);
		sem_post(&f->asked);
		chime__request__free_unpacked(r, NULL);
	}
	tls_free(p->tls);
	stream_fini(&p->stream);
	pthread_mutex_lock(&f->lock);
	f->client_fd[p->at] = -1;
	close(p->fd);
	pthread_mutex_unlock(&f->lock);
	free(p);
	return NULL;
}

static void *serve(void *arg)
{
	struct fake *f = arg;
	int fd;

	while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
		struct peer *p = calloc(1, sizeof(*p));
		pthread_mutex_lock(&f->lock);
		must(f->client_count < CLIENTS_MAX, "too many clients");
		*p = (struct peer){ .fake = f, .fd = fd, .at = f->client_count++ };
		f->client_fd[p->at] = fd;
		must(pthread_create(&f->client[p->at], NULL, serve_client, p) == 0, "thread");
		pthread_mutex_unlock(&f->lock);
		sem_post(&f->accepted);
	}
	return NULL;
}

static void start_fake(struct fake *f, const char *name)
{
	f->name = name;
	pthread_mutex_init(&f->lock, NULL);
	sem_init(&f->accepted, 0, 0);
	sem_init(&f->asked, 0, 0);
	assert_int_equal(listen(f->listener, 8), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void open_local(struct fake *f, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(f->address, sizeof(f->address), "%s/%s.sock", pki.dir, name);
	unlink(f->address);
	memcpy(address.sun_path, f->address, sizeof(f->address));
	f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	start_fake(f, name);
}

static void open_tcp(struct fake *f, const char *name, struct tls_context *tls)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	f->tls = tls;
	f->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(f->listener, (struct sockaddr *)&address, &len), 0);
	snprintf(f->address, sizeof(f->address), "127.0.0.1:%u", ntohs(address.sin_port));
	start_fake(f, name);
}

/* Cuts all its connections; it still takes new ones. */
static void cut_fake(struct fake *f)
{
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->client_count; i++) {
		if (f->client_fd[i] >= 0)
			shutdown(f->client_fd[i], SHUT_RDWR);
	}
	pthread_mutex_unlock(&f->lock);
}

static size_t count_clients(struct fake *f)
{
	pthread_mutex_lock(&f->lock);
	size_t n = f->client_count;
	pthread_mutex_unlock(&f->lock);
	return n;
}

static void close_fake(struct fake *f)
{
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	cut_fake(f);
	for (size_t i = 0; i < f->client_count; i++)
		pthread_join(f->client[i], NULL);
	close(f->listener);
}

/* ---- the courier's other end ------------------------------------------------------------- */

static struct courier *new_courier(struct mailbox *box, const char *via)
{
	char *argv[] = { (char *)"chime", (char *)"--verbose", (char *)"--via",
			 (char *)(uintptr_t)via, (char *)"ls" };
	struct session s;
	struct args args;
	struct trouble t = { 0 };

	assert_int_equal(args_parse(5, argv, &args, &t), 0);
	assert_int_equal(session_init(&s, &args, &t), 0);
	struct courier *c = courier_new(&s, box);
	assert_non_null(c);
	return c;
}

static struct letter *next_letter(struct mailbox *box)
{
	struct pollfd p = { .fd = mailbox_fd(box), .events = POLLIN };

	assert_int_equal(poll(&p, 1, HOUR_MS), 1);
	struct letter *letter = mailbox_take(box);
	assert_non_null(letter);
	return letter;
}

static void assert_empty(struct mailbox *box)
{
	struct pollfd p = { .fd = mailbox_fd(box), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 0), 0);
	assert_null(mailbox_take(box));
}

/* The next letter is the last one of this order and has this exit code. */
static void expect_end(struct mailbox *box, uint64_t tag, int exit)
{
	struct letter *letter = next_letter(box);

	assert_int_equal(letter->tag, tag);
	assert_true(letter->done);
	assert_int_equal(letter->trouble.exit, exit);
	letter_free(letter);
}

static struct order *new_open(uint64_t tag)
{
	struct order *order = order_new(ORDER_OPEN, tag);

	order->timeout_us = HOUR_US;
	return order;
}

static struct order *new_ask(uint64_t tag, Chime__Request__BodyCase kind)
{
	struct order *order = order_new(ORDER_ASK, tag);
	Chime__Request r = CHIME__REQUEST__INIT;
	Chime__StatusRequest status = CHIME__STATUS_REQUEST__INIT;
	Chime__ShowRequest show = CHIME__SHOW_REQUEST__INIT;
	Chime__JobsRequest jobs = CHIME__JOBS_REQUEST__INIT;
	Chime__EventsRequest events = CHIME__EVENTS_REQUEST__INIT;
	Chime__RunsRequest runs = CHIME__RUNS_REQUEST__INIT;
	Chime__ServersRequest servers = CHIME__SERVERS_REQUEST__INIT;
	Chime__LogRequest log = CHIME__LOG_REQUEST__INIT;

	r.body_case = kind;
	switch (kind) {
	case CHIME__REQUEST__BODY_STATUS:
		r.status = &status;
		break;
	case CHIME__REQUEST__BODY_SHOW:
		r.show = &show;
		break;
	case CHIME__REQUEST__BODY_JOBS:
		r.jobs = &jobs;
		break;
	case CHIME__REQUEST__BODY_EVENTS:
		r.events = &events;
		break;
	case CHIME__REQUEST__BODY_RUNS:
		r.runs = &runs;
		break;
	case CHIME__REQUEST__BODY_SERVERS:
		r.servers = &servers;
		break;
	default:
		r.log = &log;
		break;
	}
	order_set_request(order, &r);
	order->timeout_us = HOUR_US;
	order->follow = kind == CHIME__REQUEST__BODY_EVENTS;
	return order;
}

static struct order *new_act(uint64_t tag, Chime__Request__BodyCase kind)
{
	struct order *order = order_new(ORDER_ACT, tag);

	order->act = kind;
	order->timeout_us = HOUR_US;
	order_add_target(order, "eod/report@db1");
	return order;
}

static void wait_sem(sem_t *sem)
{
	while (sem_wait(sem) != 0)
		;
}

/* ---- tests ------------------------------------------------------------------------------- */

static void test_open_and_ask(void **state)
{
	struct mailbox *box = mailbox_new();
	struct fake f = { 0 };

	(void)state;
	open_local(&f, "db1");
	struct courier *c = new_courier(box, f.address);
	courier_send(c, new_open(1));
	struct letter *l = next_letter(box);
	assert_int_equal(l->kind, ORDER_OPEN);
	assert_int_equal(l->tag, 1);
	assert_true(l->done && l->trouble.exit == 0 && l->local && l->has_env_id);
	assert_string_equal(l->server, "db1");
	assert_string_equal(l->address, f.address);
	assert_non_null(strstr(l->where, "db1 at "));
	assert_string_equal(l->environment, "T");
	assert_string_equal(l->you, "alice");
	assert_string_equal(l->role, "operator");
	assert_memory_equal(l->env_id, "0123456789abcde", 16);
	letter_free(l);
	/* Orders wait for one another and end in order. */
	courier_send(c, new_ask(2, CHIME__REQUEST__BODY_STATUS));
	courier_send(c, new_ask(3, CHIME__REQUEST__BODY_SHOW));
	courier_send(c, new_ask(4, CHIME__REQUEST__BODY_STATUS));
	l = next_letter(box);
	assert_int_equal(l->tag, 2);
	assert_true(l->done && l->trouble.exit == 0 && !l->broke);
	assert_int_equal(l->reply->body_case, CHIME__REPLY__BODY_STATUS);
	letter_free(l);
	l = next_letter(box);
	assert_int_equal(l->tag, 3);
	assert_int_equal(l->trouble.exit, EXIT_NO_MATCH);
	assert_string_equal(l->trouble.what, "no");
	assert_true(l->done && !l->broke && l->reply == NULL);
	letter_free(l);
	expect_end(box, 4, 0);
	assert_int_equal(courier_busy(c), 0);
	assert_int_equal(count_clients(&f), 1);
	courier_free(c);
	close_fake(&f);
	mailbox_free(box);
}

static void test_asks_without_open(void **state)
{
	struct mailbox *box = mailbox_new();
	struct fake f = { 0 };

	(void)state;
	open_local(&f, "db1");
	struct courier *c = new_courier(box, f.address);
	courier_send(c, new_ask(1, CHIME__REQUEST__BODY_STATUS));
	expect_end(box, 1, 0);
	courier_free(c);
	close_fake(&f);
	unlink(f.address);
	c = new_courier(box, f.address);
	courier_send(c, new_ask(2, CHIME__REQUEST__BODY_STATUS));
	struct letter *l = next_letter(box);
	assert_int_equal(l->trouble.exit, EXIT_UNREACHED);
	assert_true(l->broke);
	letter_free(l);
	courier_free(c);
	mailbox_free(box);
}

/* More parts than the mailbox holds for somebody who does not look. */
static void test_parts(void **state)
{
	struct mailbox *box = mailbox_new();
	struct fake f = { 0 };

	(void)state;
	open_local(&f, "db1");
	struct courier *c = new_courier(box, f.address);
	courier_send(c, new_ask(7, CHIME__REQUEST__BODY_JOBS));
	wait_sem(&f.asked);
	for (uint32_t i = 1; i <= PARTS; i++) {
		struct letter *l = next_letter(box);
		assert_int_equal(l->tag, 7);
		assert_int_equal(l->reply->jobs->total, i);
		assert_int_equal(l->done, i == PARTS);
		assert_int_equal(l->trouble.exit, 0);
		letter_free(l);
	}
	assert_empty(box);
	/* Nobody looks: it may be stopped and freed all the same. */
	courier_send(c, new_ask(8, CHIME__REQUEST__BODY_JOBS));
	wait_sem(&f.asked);
	while (!mailbox_is_full(box))
		sched_yield();
	courier_stop_order(c, 8);
	struct letter *l;
	size_t parts = 0;
	while ((l = next_letter(box)) != NULL && !l->done) {
		letter_free(l);
		parts++;
	}
	assert_int_equal(l->trouble.exit, EXIT_INTERRUPTED);
	letter_free(l);
	assert_in_range(parts, MAILBOX_FULL, MAILBOX_FULL + 1);
	courier_send(c, new_ask(9, CHIME__REQUEST__BODY_JOBS));
	while (!mailbox_is_full(box))
		sched_yield();
	courier_free(c);
	close_fake(&f);
	mailbox_free(box);
}

static void test_follow_and_stop(void **state)
{
	struct mailbox *box = mailbox_new();
	struct fake f = { 0 };

	(void)state;
	open_local(&f, "db1");
	struct courier *c = new_courier(box, f.address);
	courier_send(c, new_open(1));
	expect_end(box, 1, 0);
	courier_send(c, new_ask(2, CHIME__REQUEST__BODY_EVENTS));
	courier_send(c, new_ask(3, CHIME__REQUEST__BODY_STATUS));
	courier_send(c, new_ask(4, CHIME__REQUEST__BODY_STATUS));
	struct letter *l = next_letter(box);
	assert_true(l->tag == 2 && !l->done && l->reply != NULL);
	letter_free(l);
	assert_int_equal(courier_busy(c), 3);
	/* One that waits, one that never was, the one under way. */
	courier_stop_order(c, 3);
	expect_end(box, 3, EXIT_INTERRUPTED);
	courier_stop_order(c, 99);
	courier_stop_order(c, 2);
	l = next_letter(box);
	assert_true(l->tag == 2 && l->done && !l->broke);
	assert_int_equal(l->trouble.exit, EXIT_INTERRUPTED);
	letter_free(l);
	/* What was followed is over at the server too: on a new connection it goes on. */
	expect_end(box, 4, 0);
	assert_int_equal(count_clients(&f), 2);
	courier_stop_order(c, 2);
	courier_send(c, new_ask(5, CHIME__REQUEST__BODY_STATUS));
	expect_end(box, 5, 0);
	courier_free(c);
	close_fake(&f);
	mailbox_free(box);
}

static void test_broken_answer(void **state)
{
	struct mailbox *box = mailbox_new();
	struct fake f = { 0 };

	(void)state;
	open_local(&f, "db1");
	struct courier *c = new_courier(box, f.address);
	courier_send(c, new_open(1));
	courier_send(c, new_ask(2, CHIME__REQUEST__BODY_RUNS));
	courier_send(c, new_ask(3, CHIME__REQUEST__BODY_STATUS));
	expect_end(box, 1, 0);
	struct letter *l = next_letter(box);
	assert_int_equal(l->trouble.exit, EXIT_UNREACHED);
	assert_true(l->tag == 2 && l->done && l->broke && l->reply == NULL);
	letter_free(l);
	expect_end(box, 3, 0);
	assert_int_equal(count_clients(&f), 2);
	/* Cut while something is followed. */
	courier_send(c, new_ask(4, CHIME__REQUEST__BODY_EVENTS));
	letter_free(next_letter(box));
	cut_fake(&f);
	l = next_letter(box);
	assert_int_equal(l->trouble.exit, EXIT_UNREACHED);
	assert_true(l->tag == 4 && l->done && l->broke);
	letter_free(l);
	courier_free(c);
	close_fake(&f);
	mailbox_free(box);
}

/* An answer that takes too long does not break the connection. */
static void test_no_answer(void **state)
{
	struct mailbox *box = mailbox_new();
	struct fake f = { 0 };

	(void)state;
	open_local(&f, "db1");
	struct courier *c = new_courier(box, f.address);
	courier_send(c, new_open(1));
	expect_end(box, 1, 0);
	struct order *order = new_ask(2, CHIME__REQUEST__BODY_SERVERS);
	order->timeout_us = 1;
	courier_send(c, order);
	struct letter *l = next_letter(box);
	assert_int_equal(l->trouble.exit, EXIT_TIME);
	assert_false(l->broke);
	letter_free(l);
	wait_sem(&f.asked);
	courier_send(c, new_ask(3, CHIME__REQUEST__BODY_SERVERS));
	wait_sem(&f.asked);
	courier_stop_order(c, 3);
	expect_end(box, 3, EXIT_INTERRUPTED);
	courier_send(c, new_ask(4, CHIME__REQUEST__BODY_STATUS));
	expect_end(box, 4, 0);
	assert_int_equal(count_clients(&f), 1);
	courier_free(c);
	close_fake(&f);
	mailbox_free(box);
}

/* A server that accepts and is silent holds its own courier, no other, and no stop. */
static void test_silent_server(void **state)
{
	struct mailbox *box = mailbox_new();
	struct fake f = { 0 }, silent = { .silent = true };

	(void)state;
	open_local(&f, "db1");
	open_local(&silent, "db2");
	struct courier *stuck = new_courier(box, silent.address);
	struct courier *c = new_courier(box, f.address);
	courier_send(stuck, new_open(1));
	wait_sem(&silent.accepted);
	courier_send(c, new_open(2));
	courier_send(c, new_ask(3, CHIME__REQUEST__BODY_STATUS));
	expect_end(box, 2, 0);
	expect_end(box, 3, 0);
	assert_int_equal(courier_busy(stuck), 1);
	courier_stop_order(stuck, 1);
	expect_end(box, 1, EXIT_INTERRUPTED);
	/* Freed while it waits for a hello, with more to do: no letter of it comes. */
	courier_send(stuck, new_open(4));
	courier_send(stuck, new_ask(5, CHIME__REQUEST__BODY_STATUS));
	wait_sem(&silent.accepted);
	courier_free(stuck);
	assert_empty(box);
	courier_send(c, new_ask(6, CHIME__REQUEST__BODY_STATUS));
	expect_end(box, 6, 0);
	courier_free(c);
	courier_free(NULL);
	close_fake(&silent);
	close_fake(&f);
	mailbox_free(box);
}

/* A listener whose queue is full: connect() itself must not hold anybody. */
static void test_full_queue(void **state)
{
	struct mailbox *box = mailbox_new();
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), waiting[8];
	size_t n = 0;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/full.sock", pki.dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 0), 0);
	for (; n < 8; n++) {
		waiting[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(waiting[n], (struct sockaddr *)&address, sizeof(address)) != 0)
			break;
	}
	assert_in_range(n, 1, 7);
	struct courier *c = new_courier(box, address.sun_path);
	struct order *order = new_open(1);
	order->timeout_us = 1;
	courier_send(c, order);
	expect_end(box, 1, EXIT_UNREACHED);
	courier_send(c, new_open(2));
	courier_stop_order(c, 2);
	expect_end(box, 2, EXIT_INTERRUPTED);
	courier_free(c);
	for (size_t i = 0; i <= n; i++)
		close(waiting[i]);
	close(fd);
	mailbox_free(box);
}

static void test_act(void **state)
{
	struct mailbox *box = mailbox_new();
	struct fake f = { 0 };

	(void)state;
	open_local(&f, "db1");
	struct courier *c = new_courier(box, f.address);
	struct order *order = new_act(1, CHIME__REQUEST__BODY_START);
	order->force = order->dry = true;
	order->reason = strdup("because");
	courier_send(c, order);
	struct letter *l = next_letter(box);
	assert_int_equal(l->kind, ORDER_ACT);
	assert_true(l->done && l->trouble.exit == 0);
	assert_int_equal(l->effects.count, 1);
	assert_true(l->effects.list[0].done && l->effects.list[0].run == 42);
	assert_string_equal(l->effects.list[0].target, "eod/report@db1");
	letter_free(l);
	pthread_mutex_lock(&f.lock);
	assert_true(f.force && f.dry && f.ignored == 0);
	assert_string_equal(f.reason, "because");
	pthread_mutex_unlock(&f.lock);
	courier_send(c, new_act(2, CHIME__REQUEST__BODY_START));
	expect_end(box, 2, 0);
	pthread_mutex_lock(&f.lock);
	assert_true(!f.force && !f.dry);
	pthread_mutex_unlock(&f.lock);
	/* Stopped on its way: whoever did it is told what is not known. */
	wait_sem(&f.asked);
	wait_sem(&f.asked);
	courier_send(c, new_act(3, CHIME__REQUEST__BODY_KILL));
	wait_sem(&f.asked);
	courier_stop_order(c, 3);
	l = next_letter(box);
	assert_true(l->done && l->trouble.exit == EXIT_INTERRUPTED);
	assert_non_null(strstr(l->trouble.why, "not known"));
	letter_free(l);
	courier_free(c);
	close_fake(&f);
	mailbox_free(box);
}

/* ---- over TLS ---------------------------------------------------------------------------- */

struct named {
	struct identity *id;
	struct tls_context *tls;
};

static void load_named(struct named *n, const char *name)
{
	char ca[256], certificate[256], key[256], err[1024];

	pki_issue(&pki, "ca", ROLE_SERVER, name, name, 0);
	assert_int_equal(identity_load(pki_path(&pki, name, "ca.crt", ca),
				       pki_path(&pki, name, "id.crt", certificate),
				       pki_path(&pki, name, "id.key", key), &n->id, err,
				       sizeof(err)), 0);
	assert_int_equal(tls_context_new(n->id, &n->tls, err, sizeof(err)), 0);
}

static void free_named(struct named *n)
{
	tls_context_free(n->tls);
	identity_free(n->id);
}

static void set_identity(bool on)
{
	static const char *const names[] = {
		"CHIME_TLS_CA", "CHIME_TLS_CERTIFICATE", "CHIME_TLS_KEY",
	};
	static const char *const files[] = { "ca.crt", "id.crt", "id.key" };
	char path[256];

	for (size_t i = 0; i < 3; i++) {
		if (on)
			setenv(names[i], pki_path(&pki, "alice", files[i], path), 1);
		else
			unsetenv(names[i]);
	}
}

static void test_owner(void **state)
{
	struct mailbox *box = mailbox_new();
	struct named db3 = { 0 };
	struct fake owner = { 0 }, f = { .owner = "db3", .owner_address = owner.address };

	(void)state;
	load_named(&db3, "db3");
	open_tcp(&owner, "db3", db3.tls);
	open_local(&f, "db1");
	set_identity(true);
	struct courier *c = new_courier(box, f.address);
	courier_send(c, new_open(1));
	expect_end(box, 1, 0);
	/* Only who wants it is sent to the owner. */
	courier_send(c, new_ask(2, CHIME__REQUEST__BODY_LOG));
	expect_end(box, 2, EXIT_TROUBLE);
	for (uint64_t tag = 3; tag <= 5; tag++) {
		struct order *order = new_ask(tag, CHIME__REQUEST__BODY_LOG);
		order->at_owner = true;
		courier_send(c, order);
		struct letter *l = next_letter(box);
		assert_int_equal(l->tag, tag);
		assert_true(l->done && l->trouble.exit == 0 && !l->broke);
		assert_int_equal(l->reply->log->data.len, 4000);
		letter_free(l);
		/* Its connection dies while nobody looks; the next order gets another. */
		if (tag == 4)
			cut_fake(&owner);
	}
	assert_int_equal(count_clients(&owner), 2);
	/* But not again and again, when it dies of the question; then it is away. */
	pthread_mutex_lock(&owner.lock);
	owner.hang_up = true;
	pthread_mutex_unlock(&owner.lock);
	cut_fake(&owner);
	for (uint64_t tag = 6; tag <= 7; tag++) {
		struct order *order = new_ask(tag, CHIME__REQUEST__BODY_LOG);
		order->at_owner = true;
		order->timeout_us = tag == 6 ? HOUR_US : 1000000;
		courier_send(c, order);
		struct letter *l = next_letter(box);
		assert_int_equal(l->trouble.exit, EXIT_UNREACHED);
		/* The owner is: the link is not. */
		assert_false(l->broke);
		letter_free(l);
		if (tag == 6) {
			assert_int_equal(count_clients(&owner), 3);
			close_fake(&owner);
		}
	}
	courier_send(c, new_ask(8, CHIME__REQUEST__BODY_STATUS));
	expect_end(box, 8, 0);
	courier_free(c);
	set_identity(false);
	close_fake(&f);
	free_named(&db3);
	mailbox_free(box);
}

/* By name and address; a stop within the TLS handshake; another server. */
static void test_open_named(void **state)
{
	struct mailbox *box = mailbox_new();
	struct named db4 = { 0 }, db5 = { 0 };
	struct fake f4 = { 0 }, f5 = { .silent = true };

	(void)state;
	load_named(&db4, "db4");
	load_named(&db5, "db5");
	open_tcp(&f4, "db4", db4.tls);
	open_tcp(&f5, "db5", db5.tls);
	set_identity(true);
	struct courier *c = new_courier(box, f4.address);
	struct order *order = new_open(1);
	order->server = strdup("db4");
	order_add_address(order, f4.address);
	courier_send(c, order);
	struct letter *l = next_letter(box);
	assert_int_equal(l->trouble.exit, 0);
	assert_string_equal(l->server, "db4");
	assert_string_equal(l->address, f4.address);
	assert_false(l->local);
	letter_free(l);
	courier_send(c, new_ask(2, CHIME__REQUEST__BODY_STATUS));
	expect_end(box, 2, 0);
	order = new_open(3);
	order->server = strdup("db5");
	order_add_address(order, f5.address);
	courier_send(c, order);
	wait_sem(&f5.accepted);
	courier_stop_order(c, 3);
	expect_end(box, 3, EXIT_INTERRUPTED);
	courier_free(c);
	set_identity(false);
	close_fake(&f4);
	close_fake(&f5);
	free_named(&db4);
	free_named(&db5);
	mailbox_free(box);
}

/* Its certificate says who it is; its hello can't say otherwise. */
static void test_false_name(void **state)
{
	struct mailbox *box = mailbox_new();
	struct named db6 = { 0 };
	struct fake f = { 0 };

	(void)state;
	load_named(&db6, "db6");
	open_tcp(&f, "db1", db6.tls);
	set_identity(true);
	struct courier *c = new_courier(box, f.address);
	courier_send(c, new_open(1));
	struct letter *l = next_letter(box);
	assert_int_equal(l->trouble.exit, EXIT_UNREACHED);
	assert_non_null(strstr(l->trouble.why, "certificate"));
	letter_free(l);
	courier_free(c);
	set_identity(false);
	close_fake(&f);
	free_named(&db6);
	mailbox_free(box);
}

/* Another server on the same way is not taken for the one that was opened. */
static void test_same_server(void **state)
{
	struct mailbox *box = mailbox_new();
	struct fake f = { 0 }, other = { 0 };
	char path[sizeof(f.address)];

	(void)state;
	open_local(&f, "db1");
	struct courier *c = new_courier(box, f.address);
	courier_send(c, new_open(1));
	courier_send(c, new_ask(2, CHIME__REQUEST__BODY_RUNS));
	expect_end(box, 1, 0);
	expect_end(box, 2, EXIT_UNREACHED);
	close_fake(&f);
	open_local(&other, "db2");
	snprintf(path, sizeof(path), "%s", f.address);
	assert_int_equal(rename(other.address, path), 0);
	courier_send(c, new_ask(3, CHIME__REQUEST__BODY_STATUS));
	struct letter *l = next_letter(box);
	assert_int_equal(l->trouble.exit, EXIT_UNREACHED);
	assert_true(l->broke);
	letter_free(l);
	courier_send(c, new_open(4));
	courier_send(c, new_ask(5, CHIME__REQUEST__BODY_STATUS));
	expect_end(box, 4, 0);
	expect_end(box, 5, 0);
	courier_free(c);
	close_fake(&other);
	mailbox_free(box);
}

static size_t count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* A thread in a lookup can't be ended: it is left behind, and keeps silent. */
static void test_left_behind(void **state)
{
	struct mailbox *box = mailbox_new();
	size_t before = count_threads();

	(void)state;
	set_identity(true);
	struct courier *c = new_courier(box, "blocked.test:7411");
	courier_send(c, new_open(1));
	courier_send(c, new_open(2));
	wait_sem(&lookup_began);
	courier_free(c);
	sem_post(&lookup_may_end);
	while (count_threads() > before)
		sched_yield();
	assert_empty(box);
	set_identity(false);
	mailbox_free(box);
}

/* Notes of --verbose, of an answer that was lost, of an action that was stopped: the screen is not
 * theirs. */
static void test_says_nothing(void **state)
{
	struct mailbox *box = mailbox_new();
	struct fake f = { 0 };
	char path[256], said[256] = "";
	int before = dup(STDERR_FILENO);
	FILE *file = fopen(pki_path(&pki, "", "stderr", path), "w+");

	(void)state;
	open_local(&f, "db1");
	struct courier *c = new_courier(box, f.address);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	courier_send(c, new_open(1));
	courier_send(c, new_act(2, CHIME__REQUEST__BODY_KILL));
	wait_sem(&f.asked);
	cut_fake(&f);
	/* It asks what became of its key. */
	wait_sem(&f.asked);
	courier_stop_order(c, 2);
	letter_free(next_letter(box));
	struct letter *l = next_letter(box);
	courier_send(c, new_act(3, CHIME__REQUEST__BODY_KILL));
	wait_sem(&f.asked);
	courier_stop_order(c, 3);
	letter_free(next_letter(box));
	courier_free(c);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	rewind(file);
	(void)!fread(said, 1, sizeof(said) - 1, file);
	assert_string_equal(said, "");
	assert_int_equal(l->trouble.exit, EXIT_INTERRUPTED);
	assert_non_null(strstr(l->trouble.hint, "--key "));
	letter_free(l);
	fclose(file);
	close(before);
	close_fake(&f);
	mailbox_free(box);
}

static int setup(void **state)
{
	char path[256];

	(void)state;
	pki_init(&pki);
	pki_environment(&pki, "ca", "test");
	pki_issue(&pki, "ca", ROLE_OPERATOR, "alice", "alice", 0);
	sem_init(&lookup_began, 0, 0);
	sem_init(&lookup_may_end, 0, 0);
	/* Whoever is looked for is looked for on this machine alone. */
	FILE *f = pki_open(&pki, "", "chime.yaml", "w");
	fputs("bus: {interface: lo, port: 9}\n", f);
	fclose(f);
	setenv("CHIME_CONFIG", pki_path(&pki, "", "chime.yaml", path), 1);
	setenv("CHIME_SOCKET", pki_path(&pki, "", "none.sock", path), 1);
	setenv("TERM", "dumb", 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_fini(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_and_ask),
		cmocka_unit_test(test_asks_without_open),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_follow_and_stop),
		cmocka_unit_test(test_broken_answer),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_silent_server),
		cmocka_unit_test(test_full_queue),
		cmocka_unit_test(test_act),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_open_named),
		cmocka_unit_test(test_false_name),
		cmocka_unit_test(test_same_server),
		cmocka_unit_test(test_left_behind),
		cmocka_unit_test(test_says_nothing),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
