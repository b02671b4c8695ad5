#include "tests/unit/certs.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/conf.h"
#include "daemon/edge/conn.h"
#include "daemon/edge/control.h"
#include "daemon/inbox.h"
#include "daemon/output.h"
#include "proto/control.pb-c.h"
#include "proto/stream.h"
#include "proto/tls.h"

#define TEXT(x) ((char *)(uintptr_t)(x))

enum { RECEIVED_MAX = 64 };

struct fixture {
	char folder[64], socket[100], output[100];
	struct event_base *base;
	struct inbox inbox;
	struct conf conf;
	struct identity *server, *alice, *expired, *foreign;
	struct control *control;
	struct conn_set clients;
};

/* The other end of the stream, made of the same connection object. */
struct client {
	struct fixture *f;
	struct conn *conn;
	struct tls_context *tls;
	size_t count;
	Chime__Reply *received[RECEIVED_MAX];
	bool ready, ended;
	int error;
	char why[CONN_WHY_SIZE];
};

/* Certificates are slow to make: once for all tests. */
static int set_up_group(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	loop_make_folder(f->folder);
	chmod(f->folder, 0755);
	certs_init(f->folder, "one", "TEST");
	certs_init(f->folder, "two", "TEST");
	f->server = certs_issue(f->folder, "one", ROLE_SERVER, "db1", 0);
	f->alice = certs_issue(f->folder, "one", ROLE_VIEWER, "alice", 0);
	f->expired = certs_issue(f->folder, "one", ROLE_VIEWER, "late", time(NULL) - 3600);
	f->foreign = certs_issue(f->folder, "two", ROLE_VIEWER, "mallory", 0);
	snprintf(f->socket, sizeof(f->socket), "%s/run/control.sock", f->folder);
	snprintf(f->output, sizeof(f->output), "%s/output", f->folder);
	*state = f;
	return 0;
}

static int tear_down_group(void **state)
{
	struct fixture *f = *state;

	identity_free(f->server);
	identity_free(f->alice);
	identity_free(f->expired);
	identity_free(f->foreign);
	loop_remove_folder(f->folder);
	free(f);
	return 0;
}

static void say_hello(struct fixture *f)
{
	uint8_t environment_id[] = "sixteen bytes..", packed[512];
	Chime__Hello hello = CHIME__HELLO__INIT;
	Chime__Reply reply = CHIME__REPLY__INIT;

	hello.server = TEXT("db1");
	hello.has_environment_id = true;
	hello.environment_id.data = environment_id;
	hello.environment_id.len = sizeof(environment_id);
	reply.body_case = CHIME__REPLY__BODY_HELLO;
	reply.hello = &hello;
	control_hello(f->control, packed, chime__reply__pack(&reply, packed));
}

static void open_control(struct fixture *f)
{
	char err[1024] = "";

	inbox_init(&f->inbox);
	assert_int_equal(control_open(&f->control, f->base, &f->inbox, &f->conf, f->server, err,
				      sizeof(err)), 0);
	assert_string_equal(err, "");
}

static int set_up(void **state)
{
	struct fixture *f = *state;

	f->base = event_base_new();
	f->conf = (struct conf){ 0 };
	f->conf.socket = f->socket;
	f->conf.control.listen = TEXT("127.0.0.1:0");
	f->conf.limits.connections = 8;
	open_control(f);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	conn_set_fini(&f->clients);
	control_close(f->control);
	inbox_fini(&f->inbox);
	event_base_free(f->base);
	return 0;
}

/* ---- the client --------------------------------------------------------------------------- */

static void ready_cb(struct conn *conn, void *owner)
{
	((struct client *)owner)->ready = true;
	conn_set_limit(conn, STREAM_LIMIT + 64);
	conn_set_reading(conn, true);
}

static void message_cb(struct conn *conn, void *owner, const uint8_t *data, size_t len)
{
	struct client *c = owner;

	(void)conn;
	assert_true(c->count < RECEIVED_MAX);
	c->received[c->count] = chime__reply__unpack(NULL, len, data);
	assert_non_null(c->received[c->count++]);
}

static void end_cb(struct conn *conn, void *owner, int error, const char *why)
{
	struct client *c = owner;

	(void)conn;
	c->ended = true;
	c->error = error;
	snprintf(c->why, sizeof(c->why), "%s", why);
}

static const struct conn_calls client_calls = {
	.ready_cb = ready_cb,
	.message_cb = message_cb,
	.end_cb = end_cb,
};

static int connect_local(const struct fixture *f)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static int connect_tcp(const struct fixture *f)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(control_port(f->control)),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_not_equal(sin.sin_port, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* identity NULL: over the local socket. */
static void open_client(struct fixture *f, struct client *c, const struct identity *identity)
{
	struct tls_conn *tls = NULL;
	char err[512];
	int fd = identity ? connect_tcp(f) : connect_local(f);

	*c = (struct client){ .f = f };
	if (identity) {
		assert_int_equal(tls_context_new(identity, &c->tls, err, sizeof(err)), 0);
		tls = tls_connect_new(c->tls, fd, "db1");
	}
	c->conn = conn_new(&f->clients, f->base, fd, tls, false, &client_calls, c);
}

static void close_client(struct client *c)
{
	for (size_t i = 0; i < c->count; i++)
		chime__reply__free_unpacked(c->received[i], NULL);
	/* With its connections, for they use the context. */
	conn_set_fini(&c->f->clients);
	tls_context_free(c->tls);
}

static bool has_message(void *arg)
{
	struct client *c = arg;

	return c->count > 0 || c->ended;
}

static bool has_ended(void *arg)
{
	return ((struct client *)arg)->ended;
}

/* The oldest reply, to be freed with chime__reply__free_unpacked. */
static Chime__Reply *await_reply(struct client *c)
{
	Chime__Reply *reply;

	loop_until(c->f->base, has_message, c);
	assert_true(c->count > 0);
	reply = c->received[0];
	memmove(c->received, c->received + 1, --c->count * sizeof(*c->received));
	return reply;
}

static void expect_hello(struct client *c, const char *you, const char *role)
{
	Chime__Reply *reply = await_reply(c);

	assert_int_equal(reply->body_case, CHIME__REPLY__BODY_HELLO);
	assert_string_equal(reply->hello->you, you);
	assert_string_equal(reply->hello->your_role, role);
	assert_string_equal(reply->hello->server, "db1");
	assert_true(reply->hello->boot_us > 0 && reply->hello->wall_us > 0);
	chime__reply__free_unpacked(reply, NULL);
}

static void expect_refusal(struct client *c, uint64_t id, uint32_t exit, const char *what)
{
	Chime__Reply *reply = await_reply(c);

	assert_int_equal(reply->body_case, CHIME__REPLY__BODY_REFUSAL);
	assert_true(reply->id == id && reply->done);
	assert_int_equal(reply->refusal->exit, exit);
	assert_non_null(strstr(reply->refusal->what, what));
	chime__reply__free_unpacked(reply, NULL);
}

static void expect_end(struct client *c, int error)
{
	loop_until(c->f->base, has_ended, c);
	assert_int_equal(c->error, error);
}

static void send_ping(struct client *c, uint64_t id)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__PingRequest ping = CHIME__PING_REQUEST__INIT;
	uint8_t packed[64];

	request.has_id = true;
	request.id = id;
	request.body_case = CHIME__REQUEST__BODY_PING;
	request.ping = &ping;
	assert_int_equal(conn_put(c->conn, packed, chime__request__pack(&request, packed)), 0);
}

static void answer(struct fixture *f, uint64_t conn, uint64_t id)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__RunsReply runs = CHIME__RUNS_REPLY__INIT;
	uint8_t packed[64];

	reply.has_id = true;
	reply.id = id;
	reply.body_case = CHIME__REPLY__BODY_RUNS;
	reply.runs = &runs;
	control_send(f->control, conn, packed, chime__reply__pack(&reply, packed));
}

static bool has_item(void *arg)
{
	return ((struct inbox *)arg)->head != NULL;
}

static struct inbox_item *await_item(struct fixture *f, enum inbox_kind kind)
{
	struct inbox_item *item;

	loop_until(f->base, has_item, &f->inbox);
	item = inbox_take(&f->inbox);
	assert_int_equal(item->kind, kind);
	return item;
}

static const char *own_name(void)
{
	return getuid() == 0 ? "unix:root" : NULL;
}

/* A client that is greeted over the local socket, and its id in the inbox. */
static uint64_t open_greeted(struct fixture *f, struct client *c)
{
	struct inbox_item *item;
	uint64_t id;

	open_client(f, c, NULL);
	chime__reply__free_unpacked(await_reply(c), NULL);
	send_ping(c, 1);
	item = await_item(f, INBOX_REQUEST);
	id = item->conn;
	inbox_item_free(item);
	return id;
}

/* ---- local socket ------------------------------------------------------------------------- */

static void a_local_request_goes_in_and_its_answer_out(void **state)
{
	struct fixture *f = *state;
	struct client c;
	struct inbox_item *item;
	Chime__Reply *reply;

	say_hello(f);
	open_client(f, &c, NULL);
	if (own_name())
		expect_hello(&c, own_name(), "admin");
	else
		chime__reply__free_unpacked(await_reply(&c), NULL);
	send_ping(&c, 42);
	item = await_item(f, INBOX_REQUEST);
	assert_int_equal(item->number, ROLE_ADMIN);
	assert_memory_equal(item->text, "unix:", 5);
	answer(f, item->conn, 42);
	reply = await_reply(&c);
	assert_true(reply->id == 42);
	assert_int_equal(reply->body_case, CHIME__REPLY__BODY_RUNS);
	chime__reply__free_unpacked(reply, NULL);
	inbox_item_free(item);
	close_client(&c);
}

static void the_socket_is_for_owner_and_group_only(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->socket, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void who_comes_before_hello_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct client c;

	open_client(f, &c, NULL);
	loop_spin(f->base, 10);
	assert_int_equal(c.count, 0);
	say_hello(f);
	chime__reply__free_unpacked(await_reply(&c), NULL);
	close_client(&c);
}

static void the_end_of_a_client_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct client c;
	struct inbox_item *item;
	uint64_t id;

	say_hello(f);
	id = open_greeted(f, &c);
	conn_close(c.conn);
	item = await_item(f, INBOX_CLOSED);
	assert_true(item->conn == id);
	inbox_item_free(item);
	answer(f, id, 1);
	assert_int_equal(control_backlog(f->control, id), 0);
	loop_spin(f->base, 3);
	assert_null(f->inbox.head);
	close_client(&c);
}

static void garbage_is_refused_and_ends_the_connection(void **state)
{
	static const struct { const char *bytes; size_t len; } garbage[] = {
		{ "\xff\xff\xff\xff", 4 },		/* oversized */
		{ "\x00\x10\x00\x01", 4 },		/* one more than the limit */
		{ "\x00\x00\x00\x00", 4 },		/* an empty message has no id */
		{ "\x00\x00\x00\x02\x08\x00", 6 },	/* id 0 is that of HELLO */
		{ "\x00\x00\x00\x03\xff\xff\xff", 7 },	/* no protobuf */
		{ "GET / HTTP/1.1\r\n\r\n", 18 },
	};
	struct fixture *f = *state;

	say_hello(f);
	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
		struct client c;
		int fd;

		c = (struct client){ .f = f };
		fd = connect_local(f);
		assert_int_equal(send(fd, garbage[i].bytes, garbage[i].len, 0), garbage[i].len);
		c.conn = conn_new(&f->clients, f->base, fd, NULL, false, &client_calls, &c);
		chime__reply__free_unpacked(await_reply(&c), NULL);
		expect_refusal(&c, 0, 2, "did not understand");
		expect_end(&c, 0);
		inbox_item_free(await_item(f, INBOX_CLOSED));
		close_client(&c);
	}
}

static void a_full_inbox_answers_busy(void **state)
{
	struct fixture *f = *state;
	struct client c;

	say_hello(f);
	open_client(f, &c, NULL);
	chime__reply__free_unpacked(await_reply(&c), NULL);
	for (size_t i = 0; i < INBOX_REQUESTS_MAX; i++)
		assert_int_equal(inbox_put(&f->inbox, inbox_item_new(INBOX_REQUEST, "", 0)), 0);
	send_ping(&c, 77);
	expect_refusal(&c, 77, 5, "busy");
	assert_false(c.ended);
	close_client(&c);
}

static void who_does_not_read_is_cut_off(void **state)
{
	enum { BIG = 1000 * 1000 };
	struct fixture *f = *state;
	struct client c;
	uint8_t *big = calloc(1, BIG);
	uint64_t id;
	struct inbox_item *item;

	/* A message of one long unknown field. */
	memcpy(big, "\x08\x05\xfa\x07\xba\x84\x3d", 7);
	say_hello(f);
	id = open_greeted(f, &c);
	conn_set_reading(c.conn, false);
	for (int i = 0; i < 8; i++) {
		control_send(f->control, id, big, BIG);
		assert_true(control_backlog(f->control, id) <= STREAM_QUEUE_MAX);
	}
	item = await_item(f, INBOX_CLOSED);
	assert_true(item->conn == id);
	inbox_item_free(item);
	free(big);
	close_client(&c);
}

static void an_answer_beyond_the_limit_becomes_a_refusal(void **state)
{
	enum { BIG = STREAM_LIMIT + 1 };
	struct fixture *f = *state;
	struct client c;
	uint8_t *big = calloc(1, BIG);
	uint64_t id;

	memcpy(big, "\x08\x05\xfa\x07\xfa\xff\x3f", 7);
	say_hello(f);
	id = open_greeted(f, &c);
	control_send(f->control, id, big, BIG);
	expect_refusal(&c, 5, 1, "too long");
	free(big);
	close_client(&c);
}

/* More requests than one turn takes. */
static void send_pipeline(struct fixture *f, bool and_go)
{
	enum { COUNT = 500 };
	struct client c;

	say_hello(f);
	open_client(f, &c, NULL);
	chime__reply__free_unpacked(await_reply(&c), NULL);
	for (uint64_t i = 1; i <= COUNT; i++)
		send_ping(&c, i);
	if (and_go)
		conn_close(c.conn);
	for (uint64_t i = 1; i <= COUNT; i++) {
		struct inbox_item *item = await_item(f, INBOX_REQUEST);
		Chime__Request *request = chime__request__unpack(NULL, item->len, item->data);

		assert_true(request->id == i);
		chime__request__free_unpacked(request, NULL);
		inbox_item_free(item);
	}
	if (and_go)
		inbox_item_free(await_item(f, INBOX_CLOSED));
	close_client(&c);
}

static void a_pipeline_arrives_whole_and_in_order(void **state)
{
	send_pipeline(*state, false);
}

static void what_was_sent_before_the_end_counts(void **state)
{
	send_pipeline(*state, true);
}

static bool has_eof(void *arg)
{
	char drop[512];
	ssize_t n;

	while ((n = recv(*(int *)arg, drop, sizeof(drop), 0)) > 0)
		;
	return n == 0;
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Else what is still under way from the client would make a reset, and the refusal be lost. */
static void a_refused_client_is_listened_to_a_while(void **state)
{
	struct fixture *f = *state;
	int fd = connect_local(f);
	struct event *wake = event_new(f->base, fd, EV_READ | EV_PERSIST, readable_cb, NULL);

	say_hello(f);
	event_add(wake, NULL);
	assert_int_equal(send(fd, "\xff\xff\xff\xff", 4, 0), 4);
	loop_until(f->base, has_eof, &fd);
	assert_int_equal(send(fd, "more", 4, MSG_NOSIGNAL), 4);
	event_free(wake);
	close(fd);
}

static void too_many_connections_are_told_so(void **state)
{
	struct fixture *f = *state;
	struct client first[8], c;

	say_hello(f);
	for (int i = 0; i < 8; i++) {
		open_client(f, &first[i], NULL);
		chime__reply__free_unpacked(await_reply(&first[i]), NULL);
	}
	open_client(f, &c, NULL);
	expect_refusal(&c, 0, 5, "too many connections");
	expect_end(&c, 0);
	close_client(&c);
}

static void a_dead_socket_is_replaced_and_a_living_one_is_not(void **state)
{
	struct fixture *f = *state;
	struct control *second;
	struct inbox inbox;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char err[1024];
	int fd;

	inbox_init(&inbox);
	assert_int_equal(control_open(&second, f->base, &inbox, &f->conf, NULL, err, sizeof(err)),
			 -EADDRINUSE);
	assert_non_null(strstr(err, "another chimed answers there"));
	control_close(f->control);
	assert_int_equal(access(f->socket, F_OK), -1);
	/* Left behind by somebody who had no time to remove it. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->socket);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	open_control(f);
	assert_int_equal(control_port(f->control) != 0, 1);
}

static void what_is_no_socket_is_never_removed(void **state)
{
	struct fixture *f = *state;
	struct control *second;
	struct inbox inbox;
	char path[160], err[1024];
	int fd;

	snprintf(path, sizeof(path), "%s/precious", f->folder);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	close(fd);
	f->conf.socket = path;
	inbox_init(&inbox);
	assert_int_equal(control_open(&second, f->base, &inbox, &f->conf, NULL, err, sizeof(err)),
			 -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void a_bad_listen_address_is_refused_with_words(void **state)
{
	static const char *const bad[] = { "nohost", "name.example:7411", "127.0.0.1:99999",
					   "203.0.113.77:7411", "::1:7411" };
	struct fixture *f = *state;
	struct control *second;
	struct inbox inbox;
	char path[160], err[1024];

	snprintf(path, sizeof(path), "%s/second", f->folder);
	f->conf.socket = path;
	inbox_init(&inbox);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		f->conf.control.listen = TEXT(bad[i]);
		assert_true(control_open(&second, f->base, &inbox, &f->conf, f->server, err,
					 sizeof(err)) < 0);
		assert_non_null(strstr(err, bad[i]));
		assert_non_null(strstr(err, "\nwhy:   "));
		assert_non_null(strstr(err, "\ntry:   "));
	}
}

/* A child that is nobody reads what it is told; exit 0: a refusal, then the end. */
static void run_stranger(const struct fixture *f)
{
	uint8_t in[4096];
	size_t have = 0;
	ssize_t n;
	Chime__Reply *reply;
	int fd;

	alarm(LOOP_WATCHDOG_S);
	if (setgid(65534) < 0 || setuid(65534) < 0)
		_exit(10);
	fd = connect_local(f);
	fcntl(fd, F_SETFL, 0);
	while ((n = read(fd, in + have, sizeof(in) - have)) > 0)
		have += (size_t)n;
	reply = have > 4 ? chime__reply__unpack(NULL, have - 4, in + 4) : NULL;
	if (!reply || reply->body_case != CHIME__REPLY__BODY_REFUSAL)
		_exit(11);
	_exit(reply->refusal->exit == 4 ? 0 : 12);
}

static void child_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

static bool is_set(void *arg)
{
	return *(bool *)arg;
}

static void strangers_are_refused_on_the_local_socket(void **state)
{
	struct fixture *f = *state;
	bool ended = false;
	struct event *child = evsignal_new(f->base, SIGCHLD, child_cb, &ended);
	pid_t pid;
	int status;

	if (getuid() != 0) {
		event_free(child);
		skip();
	}
	say_hello(f);
	event_add(child, NULL);
	/* Beyond what it ever is, to get past the first defence. */
	chmod(f->socket, 0666);
	pid = fork();
	if (pid == 0)
		run_stranger(f);
	loop_until(f->base, is_set, &ended);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_null(f->inbox.head);
	event_free(child);
}

/* ---- TLS ---------------------------------------------------------------------------------- */

static void a_certificate_says_who_asks(void **state)
{
	struct fixture *f = *state;
	struct client c;
	struct inbox_item *item;

	say_hello(f);
	open_client(f, &c, f->alice);
	expect_hello(&c, "alice", "viewer");
	send_ping(&c, 3);
	item = await_item(f, INBOX_REQUEST);
	assert_string_equal(item->text, "alice");
	assert_int_equal(item->number, ROLE_VIEWER);
	answer(f, item->conn, 3);
	chime__reply__free_unpacked(await_reply(&c), NULL);
	inbox_item_free(item);
	close_client(&c);
}

static void refused_certificates_learn_why(void **state)
{
	struct fixture *f = *state;
	struct client c;

	say_hello(f);
	open_client(f, &c, f->expired);
	expect_end(&c, -EACCES);
	assert_non_null(strstr(c.why, "expired"));
	assert_int_equal(c.count, 0);
	close_client(&c);
	/* It refuses the server itself: the server learns that, and serves others. */
	open_client(f, &c, f->foreign);
	expect_end(&c, -EACCES);
	close_client(&c);
	open_client(f, &c, f->alice);
	expect_hello(&c, "alice", "viewer");
	close_client(&c);
	assert_null(f->inbox.head);
}

static void plain_bytes_at_the_tls_port_end(void **state)
{
	struct fixture *f = *state;
	struct client c = { .f = f };
	int fd = connect_tcp(f);

	assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	c.conn = conn_new(&f->clients, f->base, fd, NULL, false, &client_calls, &c);
	loop_until(f->base, has_ended, &c);
	assert_int_equal(c.count, 0);
	close_client(&c);
}

static void silent_strangers_keep_nobody_out(void **state)
{
	enum { STRANGERS = 200 };
	struct fixture *f = *state;
	int fds[STRANGERS];
	struct client c;

	say_hello(f);
	for (int i = 0; i < STRANGERS; i++) {
		fds[i] = connect_tcp(f);
		loop_spin(f->base, 2);
	}
	open_client(f, &c, f->alice);
	expect_hello(&c, "alice", "viewer");
	close_client(&c);
	for (int i = 0; i < STRANGERS; i++)
		close(fds[i]);
}

static void large_answers_cross_tls_whole(void **state)
{
	enum { DATA = 900 * 1000 };
	struct fixture *f = *state;
	struct client c;
	struct inbox_item *item;
	Chime__LogReply log = CHIME__LOG_REPLY__INIT;
	Chime__Reply reply = CHIME__REPLY__INIT, *got;
	uint8_t *data = malloc(DATA), *packed;
	size_t len;

	for (size_t i = 0; i < DATA; i++)
		data[i] = (uint8_t)(i * 7 >> 3);
	log.has_data = true;
	log.data.data = data;
	log.data.len = DATA;
	reply.body_case = CHIME__REPLY__BODY_LOG;
	reply.log = &log;
	len = chime__reply__get_packed_size(&reply);
	packed = malloc(len);
	chime__reply__pack(&reply, packed);
	say_hello(f);
	open_client(f, &c, f->alice);
	expect_hello(&c, "alice", "viewer");
	send_ping(&c, 1);
	item = await_item(f, INBOX_REQUEST);
	for (int i = 0; i < 4; i++)
		control_send(f->control, item->conn, packed, len);
	for (int i = 0; i < 4; i++) {
		got = await_reply(&c);
		assert_int_equal(got->log->data.len, DATA);
		assert_memory_equal(got->log->data.data, data, DATA);
		chime__reply__free_unpacked(got, NULL);
	}
	inbox_item_free(item);
	free(packed);
	free(data);
	close_client(&c);
}

/* ---- output ------------------------------------------------------------------------------- */

static const struct output_head output_head = {
	.magic = "chimeout", .version = OUTPUT_VERSION, .slots = 8, .head_slots = 2,
	.head_size = 4096, .ring_size = 4 << 20,
};

/* What the shepherd does, in short: data, then the count. */
static void write_output(int fd, uint64_t *total, const char *text, size_t len, bool closed)
{
	struct output_count count = { .reserved = *total + len, .total = *total + len,
				      .closed = closed };

	assert_int_equal(pwrite(fd, text, len, (off_t)output_data_at(&output_head, *total)), len);
	*total += len;
	count.crc = output_count_crc(&count);
	assert_int_equal(pwrite(fd, &count, sizeof(count), OUTPUT_COUNT_AT), sizeof(count));
}

static int create_output(const struct fixture *f)
{
	struct output_count count = { 0 };
	char page[OUTPUT_INDEX_AT] = { 0 };
	int fd = open(f->output, O_RDWR | O_CREAT | O_TRUNC, 0644);

	count.crc = output_count_crc(&count);
	memcpy(page, &output_head, sizeof(output_head));
	memcpy(page + OUTPUT_COUNT_AT, &count, sizeof(count));
	assert_int_equal(pwrite(fd, page, sizeof(page), 0), sizeof(page));
	return fd;
}

static int open_output(const struct fixture *f)
{
	int fd = open(f->output, O_RDONLY);

	assert_true(fd >= 0);
	return fd;
}

static bool has_two(void *arg)
{
	return ((struct client *)arg)->count >= 2;
}

/* Who of two followers is told first is not promised. */
static void await_two_by_id(struct client *c)
{
	Chime__Reply *first;

	loop_until(c->f->base, has_two, c);
	first = c->received[0];
	if (first->id > c->received[1]->id) {
		c->received[0] = c->received[1];
		c->received[1] = first;
	}
}

static void expect_log(struct client *c, uint64_t id, const char *text, uint64_t offset, bool live)
{
	Chime__Reply *reply = await_reply(c);

	assert_int_equal(reply->body_case, CHIME__REPLY__BODY_LOG);
	assert_true(reply->id == id);
	assert_false(reply->done);
	assert_int_equal(reply->log->data.len, strlen(text));
	assert_memory_equal(reply->log->data.data, text, strlen(text));
	assert_true(reply->log->offset == offset);
	assert_int_equal(reply->log->live, live);
	assert_string_equal(reply->log->run, "8831@db1");
	chime__reply__free_unpacked(reply, NULL);
}

static void expect_log_end(struct client *c, uint64_t id)
{
	Chime__Reply *reply = await_reply(c);

	assert_true(reply->id == id && reply->done);
	assert_int_equal(reply->body_case, CHIME__REPLY__BODY_LOG);
	assert_int_equal(reply->log->data.len, 0);
	chime__reply__free_unpacked(reply, NULL);
}

static void output_is_sent_and_ends(void **state)
{
	struct fixture *f = *state;
	struct client c;
	uint64_t id, total = 0;
	int fd = create_output(f);

	say_hello(f);
	id = open_greeted(f, &c);
	write_output(fd, &total, "hello\n", 6, false);
	control_stream_output(f->control, id, 9, open_output(f), 2, 0, false, "8831@db1");
	expect_log(&c, 9, "llo\n", 2, true);
	expect_log_end(&c, 9);
	close(fd);
	close_client(&c);
}

static void the_last_bytes_of_output_are_sent(void **state)
{
	struct fixture *f = *state;
	struct client c;
	uint64_t id, total = 0;
	int fd = create_output(f);

	say_hello(f);
	id = open_greeted(f, &c);
	write_output(fd, &total, "hello\n", 6, false);
	control_stream_output(f->control, id, 9, open_output(f), 0, 4, false, "8831@db1");
	expect_log(&c, 9, "llo\n", 2, true);
	expect_log_end(&c, 9);
	/* More than there is: all of it. And never less than the offset asks to leave out. */
	control_stream_output(f->control, id, 10, open_output(f), 0, 99, false, "8831@db1");
	expect_log(&c, 10, "hello\n", 0, true);
	expect_log_end(&c, 10);
	control_stream_output(f->control, id, 11, open_output(f), 5, 4, false, "8831@db1");
	expect_log(&c, 11, "\n", 5, true);
	expect_log_end(&c, 11);
	/* What comes later is not counted. */
	control_stream_output(f->control, id, 12, open_output(f), 0, 1, true, "8831@db1");
	expect_log(&c, 12, "\n", 5, true);
	write_output(fd, &total, "two\n", 4, false);
	expect_log(&c, 12, "two\n", 6, true);
	write_output(fd, &total, "", 0, true);
	expect_log_end(&c, 12);
	close(fd);
	close_client(&c);
}

static void output_is_followed_until_it_is_closed(void **state)
{
	struct fixture *f = *state;
	struct client c;
	uint64_t id, total = 0;
	int fd = create_output(f);

	say_hello(f);
	id = open_greeted(f, &c);
	control_stream_output(f->control, id, 9, open_output(f), 0, 0, true, "8831@db1");
	control_stream_output(f->control, id, 10, open_output(f), 0, 0, true, "8831@db1");
	write_output(fd, &total, "one\n", 4, false);
	await_two_by_id(&c);
	expect_log(&c, 9, "one\n", 0, true);
	expect_log(&c, 10, "one\n", 0, true);
	write_output(fd, &total, "two\n", 4, false);
	await_two_by_id(&c);
	expect_log(&c, 9, "two\n", 4, true);
	expect_log(&c, 10, "two\n", 4, true);
	write_output(fd, &total, "", 0, true);
	await_two_by_id(&c);
	expect_log_end(&c, 9);
	expect_log_end(&c, 10);
	close(fd);
	close_client(&c);
}

static void a_writer_that_dies_ends_the_following(void **state)
{
	struct fixture *f = *state;
	struct client c;
	uint64_t id, total = 0;
	int fd = create_output(f);

	say_hello(f);
	id = open_greeted(f, &c);
	write_output(fd, &total, "last words", 10, false);
	control_stream_output(f->control, id, 9, open_output(f), 0, 0, true, "8831@db1");
	expect_log(&c, 9, "last words", 0, true);
	close(fd);
	expect_log_end(&c, 9);
	close_client(&c);
}

static void large_output_waits_for_the_reader(void **state)
{
	enum { TOTAL = 3 << 20 };
	struct fixture *f = *state;
	struct client c;
	uint64_t id, total = 0, got = 0;
	char *text = malloc(TOTAL);
	bool done = false;
	int fd = create_output(f);

	for (size_t i = 0; i < TOTAL; i++)
		text[i] = (char)('a' + i % 23);
	write_output(fd, &total, text, 4096, false);
	write_output(fd, &total, text + 4096, TOTAL - 4096, true);
	close(fd);
	say_hello(f);
	id = open_greeted(f, &c);
	conn_set_reading(c.conn, false);
	control_stream_output(f->control, id, 9, open_output(f), 0, 0, true, "8831@db1");
	loop_spin(f->base, 50);
	assert_true(control_backlog(f->control, id) < 1 << 20);
	conn_set_reading(c.conn, true);
	while (!done) {
		Chime__Reply *reply = await_reply(&c);

		assert_true(reply->log->offset == got);
		assert_memory_equal(reply->log->data.data, text + got, reply->log->data.len);
		got += reply->log->data.len;
		done = reply->done;
		chime__reply__free_unpacked(reply, NULL);
	}
	assert_int_equal(got, TOTAL);
	free(text);
	close_client(&c);
}

static void what_is_no_output_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct client c;
	uint64_t id;
	int fd = open(f->output, O_RDWR | O_CREAT | O_TRUNC, 0644);

	assert_int_equal(write(fd, "no output file, but long enough to be one......", 47), 47);
	say_hello(f);
	id = open_greeted(f, &c);
	control_stream_output(f->control, id, 9, open_output(f), 0, 0, false, "8831@db1");
	expect_refusal(&c, 9, 1, "cannot read the output of run 8831@db1");
	close(fd);
	close_client(&c);
}

static void a_client_that_goes_takes_its_outputs_along(void **state)
{
	struct fixture *f = *state;
	struct client c;
	uint64_t id, total = 0;
	int fd = create_output(f);

	say_hello(f);
	id = open_greeted(f, &c);
	control_stream_output(f->control, id, 9, open_output(f), 0, 0, true, "8831@db1");
	conn_close(c.conn);
	inbox_item_free(await_item(f, INBOX_CLOSED));
	write_output(fd, &total, "nobody reads this", 17, true);
	loop_spin(f->base, 3);
	/* Neither does one that is gone before it begins. */
	control_stream_output(f->control, id, 9, open_output(f), 0, 0, true, "8831@db1");
	close(fd);
	close_client(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_local_request_goes_in_and_its_answer_out),
		TEST(the_socket_is_for_owner_and_group_only),
		TEST(who_comes_before_hello_waits_for_it),
		TEST(the_end_of_a_client_is_told_once),
		TEST(garbage_is_refused_and_ends_the_connection),
		TEST(a_full_inbox_answers_busy),
		TEST(who_does_not_read_is_cut_off),
		TEST(an_answer_beyond_the_limit_becomes_a_refusal),
		TEST(a_pipeline_arrives_whole_and_in_order),
		TEST(what_was_sent_before_the_end_counts),
		TEST(a_refused_client_is_listened_to_a_while),
		TEST(too_many_connections_are_told_so),
		TEST(a_dead_socket_is_replaced_and_a_living_one_is_not),
		TEST(what_is_no_socket_is_never_removed),
		TEST(a_bad_listen_address_is_refused_with_words),
		TEST(strangers_are_refused_on_the_local_socket),
		TEST(a_certificate_says_who_asks),
		TEST(refused_certificates_learn_why),
		TEST(plain_bytes_at_the_tls_port_end),
		TEST(silent_strangers_keep_nobody_out),
		TEST(large_answers_cross_tls_whole),
		TEST(output_is_sent_and_ends),
		TEST(the_last_bytes_of_output_are_sent),
		TEST(output_is_followed_until_it_is_closed),
		TEST(a_writer_that_dies_ends_the_following),
		TEST(large_output_waits_for_the_reader),
		TEST(what_is_no_output_file_is_refused),
		TEST(a_client_that_goes_takes_its_outputs_along),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
