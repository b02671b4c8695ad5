/* The ear: what it hears of a group on the loopback, and what it leaves out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/monitor/ear.h"
#include "proto/discover.h"

enum { WAIT_MS = 10000 };

struct fixture {
	char group[32];
	uint16_t port;
	int sender;			/* -1: multicast on the loopback is not to be had */
	struct sockaddr_in to;
};

/* A port nobody uses now, and a group of this process: runs side by side don't meet. */
static uint16_t find_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static void open_sender(struct fixture *f)
{
	struct ip_mreqn out = { .imr_address = { htonl(INADDR_LOOPBACK) },
				.imr_ifindex = (int)if_nametoindex("lo") };
	const struct sockaddr_in local = { .sin_family = AF_INET,
					   .sin_addr = { htonl(INADDR_LOOPBACK) } };

	f->to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(f->port) };
	inet_pton(AF_INET, f->group, &f->to.sin_addr);
	f->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(f->sender, (const struct sockaddr *)&local, sizeof(local)) == 0 &&
	    setsockopt(f->sender, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out)) == 0 &&
	    sendto(f->sender, "?", 1, 0, (const struct sockaddr *)&f->to, sizeof(f->to)) == 1)
		return;
	close(f->sender);
	f->sender = -1;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->group, sizeof(f->group), "239.254.%d.%d", getpid() >> 8 & 0xff,
		 getpid() & 0xff);
	f->port = find_port();
	open_sender(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->sender >= 0)
		close(f->sender);
	free(f);
	return 0;
}

static void need_multicast(const struct fixture *f)
{
	if (f->sender >= 0)
		return;
	print_message("skipped: nothing can be sent to a group on the loopback here\n");
	skip();
}

static void say(const struct fixture *f, const void *bytes, size_t len)
{
	assert_int_equal(sendto(f->sender, bytes, len, 0, (const struct sockaddr *)&f->to,
				sizeof(f->to)), len);
}

static struct ear *open_ear(const struct fixture *f, const char *interfaces)
{
	struct trouble t = { 0 };
	struct ear *ear;

	if (ear_open(&ear, f->group, f->port, interfaces, &t) != 0)
		fail_msg("%s: %s", t.what, t.why);
	return ear;
}

static void assert_hears(struct ear *ear, const char *text)
{
	struct pollfd p = { .fd = ear_fd(ear), .events = POLLIN };
	char buf[1501];
	size_t len = 0;

	while (!len && poll(&p, 1, WAIT_MS) == 1)
		len = ear_read(ear, buf, sizeof(buf));
	assert_int_equal(len, strlen(text));
	assert_memory_equal(buf, text, len);
}

static void two_ears_of_one_host_hear_the_same(void **state)
{
	struct fixture *f = *state;
	char buf[100], where[64];

	need_multicast(f);
	struct ear *a = open_ear(f, "lo"), *b = open_ear(f, "127.0.0.1");
	snprintf(where, sizeof(where), "%s:%u on lo", f->group, f->port);
	assert_string_equal(ear_where(a), where);
	assert_string_equal(ear_where(b), where);
	say(f, "CHM1 one", 8);
	say(f, "CHM1 two", 8);
	assert_hears(a, "CHM1 one");
	assert_hears(a, "CHM1 two");
	assert_hears(b, "CHM1 one");
	assert_int_equal(ear_read(a, buf, sizeof(buf)), 0);
	assert_int_equal(ear_overflows(a), 0);
	ear_close(a);
	ear_close(b);
	ear_close(NULL);
}

static void all_interfaces_have_the_loopback_among_them(void **state)
{
	struct fixture *f = *state;

	need_multicast(f);
	struct ear *ear = open_ear(f, NULL);
	assert_non_null(strstr(ear_where(ear), "lo"));
	for (int i = 0; i < 3; i++) {
		ear_refresh(ear);
		assert_non_null(strstr(ear_where(ear), "lo"));
		say(f, "CHM1 x", 6);
		assert_hears(ear, "CHM1 x");
	}
	ear_close(ear);
}

static void discovery_and_what_is_too_long_are_left_out(void **state)
{
	struct fixture *f = *state;
	char query[300] = DISCOVER_MAGIC, large[1400] = "CHM1";

	need_multicast(f);
	struct ear *ear = open_ear(f, "lo");
	say(f, query, sizeof(query));
	say(f, "", 0);
	say(f, large, sizeof(large));
	say(f, "CHM1 after", 10);
	char buf[1000];		/* the large one does not fit */
	struct pollfd p = { .fd = ear_fd(ear), .events = POLLIN };
	size_t len = 0;
	while (!len && poll(&p, 1, WAIT_MS) == 1)
		len = ear_read(ear, buf, sizeof(buf));
	assert_int_equal(len, 10);
	assert_memory_equal(buf, "CHM1 after", 10);
	/* Unicast to the port and other groups are not for it. */
	struct fixture other = *f;
	inet_pton(AF_INET, "239.254.255.254", &other.to.sin_addr);
	say(&other, "CHM1 other group", 16);
	say(f, "CHM1 last", 9);
	assert_hears(ear, "CHM1 last");
	ear_close(ear);
}

static void what_nobody_reads_in_time_is_counted(void **state)
{
	enum { COUNT = 20000 };
	struct fixture *f = *state;
	char large[1200] = "CHM1", buf[1501];
	uint64_t heard = 0;

	need_multicast(f);
	struct ear *ear = open_ear(f, "lo");
	for (int i = 0; i < COUNT; i++)
		say(f, large, sizeof(large));
	while (ear_read(ear, buf, sizeof(buf)))
		heard++;
	/* The count comes with the next datagram. */
	say(f, "CHM1 next", 9);
	assert_hears(ear, "CHM1 next");
	assert_true(heard < COUNT);
	assert_int_equal(heard + ear_overflows(ear), COUNT);
	say(f, "CHM1 more", 9);
	assert_hears(ear, "CHM1 more");
	assert_int_equal(heard + ear_overflows(ear), COUNT);
	ear_close(ear);
}

static void what_cannot_be_heard_is_told(void **state)
{
	struct fixture *f = *state;
	static const struct { const char *group, *interfaces; } cases[] = {
		{ "10.0.0.1", NULL }, { "group", NULL }, { "ff02::1", NULL }, { NULL, NULL },
		{ "239.254.1.1", "nosuch0" }, { "239.254.1.1", "192.0.2.1,nosuch0" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct trouble t = { 0 };
		struct ear *ear = (struct ear *)f;

		assert_int_equal(ear_open(&ear, cases[i].group, f->port, cases[i].interfaces, &t),
				 EXIT_UNREACHED);
		assert_null(ear);
		assert_int_equal(t.exit, EXIT_UNREACHED);
		assert_true(t.what[0] && t.why[0]);
	}
	/* Somebody has the port for himself alone. */
	struct sockaddr_in alone = { .sin_family = AF_INET, .sin_port = htons(f->port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct trouble t = { 0 };
	struct ear *ear;
	assert_int_equal(bind(fd, (struct sockaddr *)&alone, sizeof(alone)), 0);
	assert_int_equal(ear_open(&ear, f->group, f->port, "lo", &t), EXIT_UNREACHED);
	assert_non_null(strstr(t.what, "cannot listen"));
	close(fd);
}

static bool set_loopback(bool up)
{
	struct ifreq request = { .ifr_flags = up ? IFF_UP : 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "lo");
	rc = ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	return rc == 0;
}

enum { CHILD_OK, CHILD_FAILED, CHILD_SKIPPED };

/* In a network of its own, whose loopback goes down and up again. */
static int follow_loopback(struct fixture *f)
{
	struct trouble t = { 0 };
	struct ear *ear;
	char buf[100];

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return CHILD_SKIPPED;
	if (ear_open(&ear, f->group, f->port, NULL, &t) != EXIT_UNREACHED)
		return CHILD_FAILED;
	if (!set_loopback(true))
		return CHILD_SKIPPED;
	if (ear_open(&ear, f->group, f->port, NULL, &t) != 0 || !strstr(ear_where(ear), " on lo"))
		return CHILD_FAILED;
	set_loopback(false);
	ear_refresh(ear);
	if (strstr(ear_where(ear), "lo"))
		return CHILD_FAILED;
	set_loopback(true);
	ear_refresh(ear);
	if (!strstr(ear_where(ear), " on lo"))
		return CHILD_FAILED;
	open_sender(f);
	if (f->sender < 0)
		return CHILD_SKIPPED;
	struct pollfd p = { .fd = ear_fd(ear), .events = POLLIN };
	bool heard = poll(&p, 1, WAIT_MS) == 1 && ear_read(ear, buf, sizeof(buf)) == 1;
	ear_close(ear);
	return heard ? CHILD_OK : CHILD_FAILED;
}

static void interfaces_come_and_go(void **state)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(follow_loopback(*state));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CHILD_SKIPPED) {
		print_message("skipped: no network of its own is to be had here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_ears_of_one_host_hear_the_same, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(all_interfaces_have_the_loopback_among_them, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(discovery_and_what_is_too_long_are_left_out, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_nobody_reads_in_time_is_counted, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(interfaces_come_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_heard_is_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
