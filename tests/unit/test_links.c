#include "tests/unit/certs.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/conf.h"
#include "daemon/edge/control.h"
#include "daemon/edge/links.h"
#include "daemon/inbox.h"
#include "proto/control.pb-c.h"

#define TEXT(x) ((char *)(uintptr_t)(x))

enum { PATIENT_MS = LOOP_WATCHDOG_S * 1000, IMPATIENT_MS = 50 };

/* db1 serves, db2 asks. */
struct fixture {
	char folder[64], socket[100], address[32];
	struct event_base *base;
	struct inbox theirs, mine;
	struct conf conf;
	struct identity *db1, *db2, *foreign;
	struct control *control;
	struct links *links;
};

static int set_up_group(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	loop_make_folder(f->folder);
	certs_init(f->folder, "one", "TEST");
	certs_init(f->folder, "two", "TEST");
	f->db1 = certs_issue(f->folder, "one", ROLE_SERVER, "db1", 0);
	f->db2 = certs_issue(f->folder, "one", ROLE_SERVER, "db2", 0);
	f->foreign = certs_issue(f->folder, "two", ROLE_SERVER, "db2", 0);
	snprintf(f->socket, sizeof(f->socket), "%s/control.sock", f->folder);
	*state = f;
	return 0;
}

static int tear_down_group(void **state)
{
	struct fixture *f = *state;

	identity_free(f->db1);
	identity_free(f->db2);
	identity_free(f->foreign);
	loop_remove_folder(f->folder);
	free(f);
	return 0;
}

static void say_hello(struct fixture *f, const uint8_t *environment_id)
{
	uint8_t packed[512], id[ENVIRONMENT_ID_SIZE];
	Chime__Hello hello = CHIME__HELLO__INIT;
	Chime__Reply reply = CHIME__REPLY__INIT;

	memcpy(id, environment_id, sizeof(id));
	hello.server = TEXT("db1");
	hello.has_environment_id = true;
	hello.environment_id.data = id;
	hello.environment_id.len = sizeof(id);
	reply.body_case = CHIME__REPLY__BODY_HELLO;
	reply.hello = &hello;
	control_hello(f->control, packed, chime__reply__pack(&reply, packed));
}

static int set_up(void **state)
{
	struct fixture *f = *state;
	char err[1024];

	f->base = event_base_new();
	inbox_init(&f->mine);
	inbox_init(&f->theirs);
	f->conf = (struct conf){ 0 };
	f->conf.socket = f->socket;
	f->conf.control.listen = TEXT("127.0.0.1:0");
	f->conf.limits.connections = 8;
	assert_int_equal(control_open(&f->control, f->base, &f->theirs, &f->conf, f->db1, err,
				      sizeof(err)), 0);
	snprintf(f->address, sizeof(f->address), "127.0.0.1:%u", control_port(f->control));
	say_hello(f, identity_environment_id(f->db1));
	assert_int_equal(links_open(&f->links, f->base, &f->mine, f->db2), 0);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	links_close(f->links);
	control_close(f->control);
	inbox_fini(&f->mine);
	inbox_fini(&f->theirs);
	event_base_free(f->base);
	return 0;
}

static void ask(struct fixture *f, const char *server, const char *address, uint64_t cookie,
		uint32_t timeout_ms)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__PingRequest ping = CHIME__PING_REQUEST__INIT;
	uint8_t packed[64];

	/* The same for all: links tells them apart. */
	request.has_id = true;
	request.id = 1;
	request.body_case = CHIME__REQUEST__BODY_PING;
	request.ping = &ping;
	links_ask(f->links, server, address, cookie, packed,
		  chime__request__pack(&request, packed), timeout_ms);
}

static bool has_item(void *arg)
{
	return ((struct inbox *)arg)->head != NULL;
}

static struct inbox_item *await_item(struct fixture *f, struct inbox *inbox, enum inbox_kind kind)
{
	struct inbox_item *item;

	loop_until(f->base, has_item, inbox);
	item = inbox_take(inbox);
	assert_int_equal(item->kind, kind);
	return item;
}

/* The next request at the server; its id. */
static uint64_t take_request(struct fixture *f, uint64_t *conn)
{
	struct inbox_item *item = await_item(f, &f->theirs, INBOX_REQUEST);
	Chime__Request *request = chime__request__unpack(NULL, item->len, item->data);
	uint64_t id;

	assert_non_null(request);
	assert_int_equal(request->body_case, CHIME__REQUEST__BODY_PING);
	assert_string_equal(item->text, "db2");
	assert_int_equal(item->number, ROLE_SERVER);
	id = request->id;
	*conn = item->conn;
	chime__request__free_unpacked(request, NULL);
	inbox_item_free(item);
	return id;
}

static void answer(struct fixture *f, uint64_t conn, uint64_t id, uint64_t total)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__LogReply log = CHIME__LOG_REPLY__INIT;
	uint8_t packed[64];

	log.has_total = true;
	log.total = total;
	reply.has_id = true;
	reply.id = id;
	reply.body_case = CHIME__REPLY__BODY_LOG;
	reply.log = &log;
	control_send(f->control, conn, packed, chime__reply__pack(&reply, packed));
}

static void expect_answer(struct fixture *f, uint64_t cookie, uint64_t total)
{
	struct inbox_item *item = await_item(f, &f->mine, INBOX_ANSWER);
	Chime__Reply *reply;

	assert_int_equal(item->error, 0);
	assert_true(item->number == cookie);
	assert_string_equal(item->text, "db1");
	reply = chime__reply__unpack(NULL, item->len, item->data);
	assert_non_null(reply);
	assert_int_equal(reply->body_case, CHIME__REPLY__BODY_LOG);
	assert_true(reply->log->total == total);
	chime__reply__free_unpacked(reply, NULL);
	inbox_item_free(item);
}

static void expect_failure(struct fixture *f, uint64_t cookie, int error, const char *why)
{
	struct inbox_item *item = await_item(f, &f->mine, INBOX_ANSWER);

	assert_int_equal(item->error, error);
	assert_true(item->number == cookie);
	if (!strstr((const char *)item->data, why))
		fail_msg("\"%s\" does not say \"%s\"", (const char *)item->data, why);
	inbox_item_free(item);
}

static void expect_peer(struct fixture *f)
{
	struct inbox_item *item = await_item(f, &f->mine, INBOX_PEER);
	size_t len;
	const uint8_t *der = identity_der(f->db1, &len);

	assert_string_equal(item->text, "db1");
	assert_int_equal(item->len, len);
	assert_memory_equal(item->data, der, len);
	inbox_item_free(item);
}

static void expect_hello(struct fixture *f)
{
	struct inbox_item *item = await_item(f, &f->mine, INBOX_ANSWER);
	Chime__Reply *reply = chime__reply__unpack(NULL, item->len, item->data);

	assert_true(item->number == 0 && item->error == 0);
	assert_string_equal(item->text, "db1");
	assert_int_equal(reply->body_case, CHIME__REPLY__BODY_HELLO);
	assert_string_equal(reply->hello->you, "db2");
	assert_string_equal(reply->hello->your_role, "server");
	chime__reply__free_unpacked(reply, NULL);
	inbox_item_free(item);
}

static void expect_greeting(struct fixture *f)
{
	expect_peer(f);
	expect_hello(f);
}

/* A listener nobody serves: it takes connections and says nothing. */
static int open_mute(char address[32])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(address, 32, "127.0.0.1:%u", ntohs(sin.sin_port));
	return fd;
}

static void an_ask_is_answered(void **state)
{
	struct fixture *f = *state;
	uint64_t conn, id;

	ask(f, "db1", f->address, 7, PATIENT_MS);
	expect_greeting(f);
	id = take_request(f, &conn);
	answer(f, conn, id, 70);
	expect_answer(f, 7, 70);
	assert_null(f->mine.head);
}

static void answers_in_any_order_find_their_asks(void **state)
{
	struct fixture *f = *state;
	uint64_t conn[3], id[3];

	for (uint64_t i = 0; i < 3; i++)
		ask(f, "db1", f->address, 100 + i, PATIENT_MS);
	expect_greeting(f);
	for (int i = 0; i < 3; i++)
		id[i] = take_request(f, &conn[i]);
	assert_true(conn[0] == conn[1] && conn[1] == conn[2]);
	answer(f, conn[0], id[2], 2);
	answer(f, conn[0], id[0], 0);
	/* Nobody asked that, or not any more. */
	answer(f, conn[0], id[2], 99);
	answer(f, conn[0], 12345, 99);
	answer(f, conn[0], id[1], 1);
	expect_answer(f, 102, 2);
	expect_answer(f, 100, 0);
	expect_answer(f, 101, 1);
	loop_spin(f->base, 3);
	assert_null(f->mine.head);
}

static void a_server_known_by_address_is_found_by_name_later(void **state)
{
	struct fixture *f = *state;
	uint64_t first, second, id;

	ask(f, "", f->address, 1, PATIENT_MS);
	expect_greeting(f);
	id = take_request(f, &first);
	answer(f, first, id, 1);
	expect_answer(f, 1, 1);
	ask(f, "db1", "127.0.0.1:1", 2, PATIENT_MS);
	id = take_request(f, &second);
	assert_true(first == second);
	answer(f, second, id, 2);
	expect_answer(f, 2, 2);
}

static void names_are_looked_up(void **state)
{
	struct fixture *f = *state;
	char address[32];
	uint64_t conn, id;

	snprintf(address, sizeof(address), "localhost:%u", control_port(f->control));
	ask(f, "db1", address, 1, PATIENT_MS);
	expect_greeting(f);
	id = take_request(f, &conn);
	answer(f, conn, id, 1);
	expect_answer(f, 1, 1);
}

static void what_is_no_address_fails(void **state)
{
	struct fixture *f = *state;

	ask(f, "db1", "no port here", 1, PATIENT_MS);
	expect_failure(f, 1, -EHOSTUNREACH, "can't be looked up");
}

static void nobody_there_is_refused(void **state)
{
	struct fixture *f = *state;
	char address[32];

	close(open_mute(address));
	ask(f, "db1", address, 1, PATIENT_MS);
	ask(f, "db1", address, 2, PATIENT_MS);
	expect_failure(f, 1, -ECONNREFUSED, "refused");
	expect_failure(f, 2, -ECONNREFUSED, "refused");
}

static void the_next_ask_connects_anew(void **state)
{
	struct fixture *f = *state;
	uint64_t conn, id;
	char address[32], err[1024];

	ask(f, "db1", f->address, 1, PATIENT_MS);
	expect_greeting(f);
	take_request(f, &conn);
	/* The server dies with the ask open, and comes back. */
	control_close(f->control);
	expect_failure(f, 1, -ECONNRESET, "");
	snprintf(address, sizeof(address), "%s", f->address);
	f->conf.control.listen = address;
	assert_int_equal(control_open(&f->control, f->base, &f->theirs, &f->conf, f->db1, err,
				      sizeof(err)), 0);
	say_hello(f, identity_environment_id(f->db1));
	inbox_fini(&f->theirs);
	inbox_init(&f->theirs);
	ask(f, "db1", f->address, 2, PATIENT_MS);
	expect_greeting(f);
	id = take_request(f, &conn);
	answer(f, conn, id, 2);
	expect_answer(f, 2, 2);
}

static void no_answer_is_a_timeout_and_ends_a_dead_connection(void **state)
{
	struct fixture *f = *state;
	uint64_t conn, id;

	ask(f, "db1", f->address, 1, PATIENT_MS);
	expect_greeting(f);
	id = take_request(f, &conn);
	answer(f, conn, id, 1);
	expect_answer(f, 1, 1);
	ask(f, "db1", f->address, 2, IMPATIENT_MS);
	expect_failure(f, 2, -ETIMEDOUT, "no answer in time");
	/* Not one byte came: that connection is given up. */
	ask(f, "db1", f->address, 3, PATIENT_MS);
	expect_greeting(f);
}

static void a_mute_server_is_a_timeout(void **state)
{
	struct fixture *f = *state;
	char address[32];
	int fd = open_mute(address);

	ask(f, "db1", address, 1, IMPATIENT_MS);
	expect_failure(f, 1, -ETIMEDOUT, "no answer in time");
	close(fd);
}

static void a_mute_server_gets_five_seconds_for_the_handshake(void **state)
{
	struct fixture *f = *state;
	char address[32];
	int fd = open_mute(address);

	ask(f, "db1", address, 1, PATIENT_MS);
	expect_failure(f, 1, -ETIMEDOUT, "did not shake hands in time");
	close(fd);
}

static void another_ca_is_refused_and_says_why(void **state)
{
	struct fixture *f = *state;

	links_close(f->links);
	assert_int_equal(links_open(&f->links, f->base, &f->mine, f->foreign), 0);
	ask(f, "db1", f->address, 1, PATIENT_MS);
	expect_failure(f, 1, -EACCES, "another CA");
	assert_null(f->theirs.head);
}

static void my_certificate_refused_there_says_why(void **state)
{
	struct fixture *f = *state;
	struct identity *late = certs_issue(f->folder, "one", ROLE_SERVER, "late",
					    time(NULL) - 3600);

	links_close(f->links);
	assert_int_equal(links_open(&f->links, f->base, &f->mine, late), 0);
	ask(f, "db1", f->address, 1, PATIENT_MS);
	/* The handshake is done here before it is judged there. */
	expect_peer(f);
	expect_failure(f, 1, -EACCES, "expired");
	links_close(f->links);
	f->links = NULL;
	identity_free(late);
}

static void another_name_is_refused(void **state)
{
	struct fixture *f = *state;

	ask(f, "db9", f->address, 1, PATIENT_MS);
	expect_failure(f, 1, -EACCES, "asked for was db9");
}

static void another_environment_in_hello_is_refused(void **state)
{
	static const uint8_t other[ENVIRONMENT_ID_SIZE] = "another one....";
	struct fixture *f = *state;

	say_hello(f, other);
	ask(f, "db1", f->address, 1, PATIENT_MS);
	expect_peer(f);
	expect_failure(f, 1, -EPROTO, "HELLO");
}

static void a_full_server_says_so(void **state)
{
	struct fixture *f = *state;
	char err[1024];

	control_close(f->control);
	f->conf.limits.connections = 0;
	assert_int_equal(control_open(&f->control, f->base, &f->theirs, &f->conf, f->db1, err,
				      sizeof(err)), 0);
	snprintf(f->address, sizeof(f->address), "127.0.0.1:%u", control_port(f->control));
	say_hello(f, identity_environment_id(f->db1));
	ask(f, "db1", f->address, 1, PATIENT_MS);
	expect_peer(f);
	expect_failure(f, 1, -EBUSY, "too many connections");
}

static void too_many_asks_are_told_so(void **state)
{
	struct fixture *f = *state;
	struct inbox_item *item;
	char address[32];
	int fd = open_mute(address);

	for (uint64_t i = 1; i <= 257; i++)
		ask(f, "db1", address, i, PATIENT_MS);
	item = await_item(f, &f->mine, INBOX_ANSWER);
	assert_int_equal(item->error, -EBUSY);
	assert_int_equal(item->number, 257);
	inbox_item_free(item);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_ask_is_answered),
		TEST(answers_in_any_order_find_their_asks),
		TEST(a_server_known_by_address_is_found_by_name_later),
		TEST(names_are_looked_up),
		TEST(what_is_no_address_fails),
		TEST(nobody_there_is_refused),
		TEST(the_next_ask_connects_anew),
		TEST(no_answer_is_a_timeout_and_ends_a_dead_connection),
		TEST(a_mute_server_is_a_timeout),
		TEST(a_mute_server_gets_five_seconds_for_the_handshake),
		TEST(another_ca_is_refused_and_says_why),
		TEST(my_certificate_refused_there_says_why),
		TEST(another_name_is_refused),
		TEST(another_environment_in_hello_is_refused),
		TEST(a_full_server_says_so),
		TEST(too_many_asks_are_told_so),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
