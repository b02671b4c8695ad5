#include "tests/unit/loop.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "daemon/conf.h"
#include "daemon/edge/discovery.h"
#include "daemon/edge/multicast.h"
#include "proto/discover.h"
#include "proto/envelope.h"

#define TEXT(x) ((char *)(uintptr_t)(x))

static const uint8_t my_environment[ENVIRONMENT_ID_SIZE] = "sixteen bytes..";

/* ---- packets ------------------------------------------------------------------------------ */

static struct discover_answer make_answer(size_t members)
{
	struct discover_answer answer = { .protocol = 1, .self = { "alpha", ":7411" } };

	memcpy(answer.environment_id, my_environment, ENVIRONMENT_ID_SIZE);
	memset(answer.nonce, 0x5a, sizeof(answer.nonce));
	answer.member_count = members;
	for (size_t i = 0; i < members; i++) {
		snprintf(answer.members[i].server, DISCOVER_SERVER_SIZE, "server-%zu", i);
		snprintf(answer.members[i].address, DISCOVER_ADDRESS_SIZE, "10.0.0.%zu:7411", i);
	}
	return answer;
}

static void a_query_is_its_documented_bytes(void **state)
{
	struct discover_query query = { .nonce = "0123456789abcde" }, back;
	uint8_t out[DISCOVER_SIZE];

	(void)state;
	memcpy(query.environment_id, my_environment, ENVIRONMENT_ID_SIZE);
	discover_format_query(&query, out);
	assert_memory_equal(out, "CHD1\x01\x01" "sixteen bytes..\0" "0123456789abcde", 38);
	for (size_t i = 38; i < DISCOVER_SIZE; i++)
		assert_int_equal(out[i], 0);
	assert_int_equal(discover_parse_query(out, sizeof(out), &back), DISCOVER_OK);
	assert_memory_equal(&query, &back, sizeof(query));
}

static void an_answer_comes_back_as_it_was(void **state)
{
	struct discover_answer answer = make_answer(3), back;
	uint8_t out[DISCOVER_SIZE];
	int len = discover_format_answer(&answer, out, sizeof(out));

	(void)state;
	assert_true(len > 0);
	assert_memory_equal(out, "CHD1\x01\x02", 6);
	assert_int_equal(discover_parse_answer(out, (size_t)len, &back), DISCOVER_OK);
	assert_memory_equal(&answer, &back, sizeof(answer));
}

static void an_answer_never_grows_beyond_the_question(void **state)
{
	struct discover_answer answer = make_answer(DISCOVER_MEMBERS_MAX), back;
	uint8_t out[DISCOVER_SIZE];

	(void)state;
	for (size_t cap = DISCOVER_ANSWER_MIN; cap <= sizeof(out); cap++) {
		int len = discover_format_answer(&answer, out, cap);

		assert_in_range(len, 1, cap);
		assert_int_equal(discover_parse_answer(out, (size_t)len, &back), DISCOVER_OK);
		assert_true(back.member_count > 0);
	}
}

static void cut_packets_are_refused(void **state)
{
	struct discover_answer answer = make_answer(5), back;
	struct discover_query query = { 0 }, query_back;
	uint8_t out[DISCOVER_SIZE], *copy;
	int len = discover_format_answer(&answer, out, sizeof(out));

	(void)state;
	for (size_t cut = 0; cut < (size_t)len; cut++) {
		copy = malloc(cut ? cut : 1);
		memcpy(copy, out, cut);
		assert_int_not_equal(discover_parse_answer(copy, cut, &back), DISCOVER_OK);
		assert_int_equal(back.self.server[0], 0);
		free(copy);
	}
	discover_format_query(&query, out);
	for (size_t cut = 0; cut < DISCOVER_ANSWER_MIN; cut++)
		assert_int_equal(discover_parse_query(out, cut, &query_back), DISCOVER_TOO_SHORT);
}

static void foreign_packets_are_told_apart(void **state)
{
	struct discover_answer answer = make_answer(0), back;
	struct discover_query query = { 0 };
	uint8_t out[DISCOVER_SIZE];

	(void)state;
	discover_format_query(&query, out);
	assert_int_equal(discover_parse_answer(out, sizeof(out), &back), DISCOVER_BAD_KIND);
	discover_format_answer(&answer, out, sizeof(out));
	assert_int_equal(discover_parse_query(out, sizeof(out), &query), DISCOVER_BAD_KIND);
	out[4] = 2;
	assert_int_equal(discover_parse_answer(out, sizeof(out), &back), DISCOVER_BAD_VERSION);
	memcpy(out, ENVELOPE_MAGIC, 4);
	assert_int_equal(discover_parse_answer(out, sizeof(out), &back), DISCOVER_BAD_MAGIC);
}

static void odd_texts_are_refused_both_ways(void **state)
{
	static const struct discover_member bad[] = {
		{ "", ":7411" }, { "UPPER", ":7411" }, { "alpha", "" }, { "alpha", "7411" },
		{ "alpha", ":0" }, { "alpha", ":65536" }, { "alpha", ":999999" },
		{ "alpha", "host:" }, { "alpha", "ho st:7411" }, { "alpha", "a\x1b[2J:7411" },
		{ "alpha", ":74x1" },
	};
	static const struct discover_member good[] = {
		{ "alpha", ":1" }, { "a.b-c_d", "db1.example.org:65535" },
		{ "alpha", "[fe80::1%eth0]:7411" }, { "alpha", "10.0.0.1:7411" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct discover_answer answer = make_answer(1);
		uint8_t out[DISCOVER_SIZE];

		assert_false(discover_member_valid(&bad[i]));
		answer.members[0] = bad[i];
		assert_int_equal(discover_format_answer(&answer, out, sizeof(out)), -EINVAL);
		answer = make_answer(0);
		answer.self = bad[i];
		assert_int_equal(discover_format_answer(&answer, out, sizeof(out)), -EINVAL);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(discover_member_valid(&good[i]));
}

static void foreign_texts_are_checked_when_read(void **state)
{
	struct discover_answer answer = make_answer(0), back;
	uint8_t out[DISCOVER_SIZE];
	int len = discover_format_answer(&answer, out, sizeof(out));
	uint8_t *server = memchr(out + DISCOVER_HEADER_SIZE, 'a', 8);

	(void)state;
	server[0] = 'A';
	assert_int_equal(discover_parse_answer(out, (size_t)len, &back), DISCOVER_BAD_TEXT);
	server[0] = 0;
	assert_int_equal(discover_parse_answer(out, (size_t)len, &back), DISCOVER_BAD_TEXT);
	server[0] = 'a';
	out[len - 1] = DISCOVER_MEMBERS_MAX + 1;
	assert_int_equal(discover_parse_answer(out, (size_t)len, &back), DISCOVER_BAD_TEXT);
}

static void every_verdict_has_a_name(void **state)
{
	(void)state;
	for (unsigned v = 0; v < DISCOVER_VERDICT_COUNT; v++)
		assert_true(strlen(discover_verdict_name(v)) > 0);
	assert_string_equal(discover_verdict_name(DISCOVER_VERDICT_COUNT), "unknown");
}

/* ---- the daemon's side, over real sockets ------------------------------------------------- */

struct fixture {
	struct event_base *base;
	struct conf conf;
	char group[32];
	struct discovery *discovery;
	struct sockaddr_in server, multicast;
	int fd, other_fd;		/* clients on 127.0.0.1 and 127.0.0.2 */
	int current;
	struct discover_answer answer;
	int answers;
};

static int open_client(const char *address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	const struct ip_mreqn out = { .imr_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, address, &sin.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out)), 0);
	return fd;
}

static void open_server(struct fixture *f)
{
	char err[512];

	assert_int_equal(discovery_open(&f->discovery, f->base, &f->conf, my_environment, 7411, err,
					sizeof(err)), 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	socklen_t len = sizeof(f->server);

	f->base = event_base_new();
	f->fd = open_client("127.0.0.1");
	f->other_fd = open_client("127.0.0.2");
	/* The port of a socket that is closed again: nobody else's. */
	int probe = open_client("127.0.0.1");
	assert_int_equal(getsockname(probe, (struct sockaddr *)&f->server, &len), 0);
	close(probe);
	snprintf(f->group, sizeof(f->group), "239.254.%d.%d", getpid() >> 8 & 0xff,
		 getpid() & 0xff);
	f->multicast = f->server;
	inet_pton(AF_INET, f->group, &f->multicast.sin_addr);
	f->conf.server = TEXT("alpha");
	f->conf.bus.mode = TEXT("off");
	f->conf.bus.group = f->group;
	f->conf.bus.interface = TEXT("lo");
	f->conf.bus.port = ntohs(f->server.sin_port);
	f->conf.control.listen = TEXT("0.0.0.0:0");
	f->conf.discovery = DISCOVERY_ON;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	discovery_close(f->discovery);
	close(f->fd);
	close(f->other_fd);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void ask(struct fixture *f, int fd, const struct sockaddr_in *to,
		const uint8_t *environment, size_t len)
{
	struct discover_query query = { .nonce = "the nonce" };
	uint8_t out[DISCOVER_SIZE];

	(void)f;
	memcpy(query.environment_id, environment, ENVIRONMENT_ID_SIZE);
	discover_format_query(&query, out);
	assert_int_equal(sendto(fd, out, len, 0, (const struct sockaddr *)to, sizeof(*to)), len);
}

static bool has_answer(void *arg)
{
	struct fixture *f = arg;
	uint8_t in[2048];
	ssize_t n = recv(f->current, in, sizeof(in), 0);

	if (n < 0)
		return false;
	assert_true(n <= DISCOVER_SIZE);
	assert_int_equal(discover_parse_answer(in, (size_t)n, &f->answer), DISCOVER_OK);
	f->answers++;
	return true;
}

/* The client's socket must wake the loop too. */
static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void await_answer(struct fixture *f, int fd)
{
	struct event *wake = event_new(f->base, fd, EV_READ | EV_PERSIST, readable_cb, NULL);

	event_add(wake, NULL);
	f->current = fd;
	loop_until(f->base, has_answer, f);
	event_free(wake);
	assert_string_equal(f->answer.self.server, "alpha");
	assert_memory_equal(f->answer.nonce, "the nonce", 9);
}

static void unicast_and_group_are_answered(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	ask(f, f->fd, &f->server, my_environment, DISCOVER_SIZE);
	await_answer(f, f->fd);
	assert_string_equal(f->answer.self.address, ":7411");
	ask(f, f->fd, &f->multicast, my_environment, DISCOVER_SIZE);
	await_answer(f, f->fd);
}

static void the_membership_of_the_bus_is_enough(void **state)
{
	struct fixture *f = *state;
	struct multicast_interface interface;
	char choice[256], err[256];
	int bus = socket(AF_INET, SOCK_DGRAM, 0);

	f->conf.bus.mode = TEXT("multicast");
	open_server(f);
	assert_int_equal(multicast_choose("lo", NULL, 0, &interface, choice, sizeof(choice), err,
					  sizeof(err)), 0);
	assert_int_equal(multicast_join(bus, f->multicast.sin_addr, &interface), 0);
	ask(f, f->fd, &f->multicast, my_environment, DISCOVER_SIZE);
	await_answer(f, f->fd);
	close(bus);
}

static void the_answer_names_the_members(void **state)
{
	const struct discovery_member members[] = {
		{ "alpha", "10.0.0.1:7411" },			/* itself */
		{ "bravo", "10.0.0.2:7411" },
		{ "charlie", "no port" },
	};
	struct fixture *f = *state;

	f->conf.control.listen = TEXT("192.0.2.9:7411");
	open_server(f);
	discovery_set_members(f->discovery, members, 3);
	ask(f, f->fd, &f->server, my_environment, DISCOVER_SIZE);
	await_answer(f, f->fd);
	assert_string_equal(f->answer.self.address, "192.0.2.9:7411");
	assert_int_equal(f->answer.member_count, 1);
	assert_string_equal(f->answer.members[0].server, "bravo");
	assert_string_equal(f->answer.members[0].address, "10.0.0.2:7411");
}

static void a_crowd_is_answered_too(void **state)
{
	struct discovery_member members[DISCOVERY_CROWD + 1];
	struct fixture *f = *state;

	open_server(f);
	for (size_t i = 0; i <= DISCOVERY_CROWD; i++)
		members[i] = (struct discovery_member){ "bravo", "10.0.0.2:7411" };
	discovery_set_members(f->discovery, members, DISCOVERY_CROWD + 1);
	ask(f, f->fd, &f->server, my_environment, DISCOVER_SIZE);
	await_answer(f, f->fd);
	assert_int_equal(f->answer.member_count, DISCOVERY_CROWD + 1);
}

static void strangers_and_short_questions_get_silence(void **state)
{
	static const uint8_t other[ENVIRONMENT_ID_SIZE] = "another one....";
	struct fixture *f = *state;

	open_server(f);
	ask(f, f->fd, &f->server, other, DISCOVER_SIZE);
	ask(f, f->fd, &f->server, my_environment, DISCOVER_ANSWER_MIN - 1);
	assert_int_equal(sendto(f->fd, "junk", 4, 0, (struct sockaddr *)&f->server,
				sizeof(f->server)), 4);
	/* Queued behind them: when it is answered, they were not. */
	ask(f, f->other_fd, &f->server, my_environment, DISCOVER_SIZE);
	await_answer(f, f->other_fd);
	f->current = f->fd;
	assert_false(has_answer(f));
}

static void a_noisy_source_is_slowed_and_others_are_not(void **state)
{
	enum { QUESTIONS = 200 };
	struct fixture *f = *state;

	open_server(f);
	for (int i = 0; i < QUESTIONS; i++) {
		ask(f, f->fd, &f->server, my_environment, DISCOVER_SIZE);
		/* So that no receive buffer overflows. */
		loop_spin(f->base, 1);
	}
	ask(f, f->other_fd, &f->server, my_environment, DISCOVER_SIZE);
	await_answer(f, f->other_fd);
	f->answers = 0;
	f->current = f->fd;
	while (has_answer(f))
		;
	assert_in_range(f->answers, DISCOVERY_PER_SOURCE, QUESTIONS - 1);
}

static void members_mode_answers_this_host(void **state)
{
	struct fixture *f = *state;

	f->conf.discovery = DISCOVERY_MEMBERS;
	open_server(f);
	ask(f, f->fd, &f->server, my_environment, DISCOVER_SIZE);
	await_answer(f, f->fd);
}

static void two_daemons_of_one_host_share_the_port(void **state)
{
	struct fixture *f = *state;
	struct discovery *first;

	open_server(f);
	first = f->discovery;
	open_server(f);
	ask(f, f->fd, &f->multicast, my_environment, DISCOVER_SIZE);
	await_answer(f, f->fd);
	await_answer(f, f->fd);
	discovery_close(first);
}

static void off_opens_no_socket(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in sin = f->server;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	f->conf.discovery = DISCOVERY_OFF;
	open_server(f);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_its_documented_bytes),
		cmocka_unit_test(an_answer_comes_back_as_it_was),
		cmocka_unit_test(an_answer_never_grows_beyond_the_question),
		cmocka_unit_test(cut_packets_are_refused),
		cmocka_unit_test(foreign_packets_are_told_apart),
		cmocka_unit_test(odd_texts_are_refused_both_ways),
		cmocka_unit_test(foreign_texts_are_checked_when_read),
		cmocka_unit_test(every_verdict_has_a_name),
		TEST(unicast_and_group_are_answered),
		TEST(the_membership_of_the_bus_is_enough),
		TEST(the_answer_names_the_members),
		TEST(a_crowd_is_answered_too),
		TEST(strangers_and_short_questions_get_silence),
		TEST(a_noisy_source_is_slowed_and_others_are_not),
		TEST(members_mode_answers_this_host),
		TEST(two_daemons_of_one_host_share_the_port),
		TEST(off_opens_no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
