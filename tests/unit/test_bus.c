#include "tests/unit/loop.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "daemon/conf.h"
#include "daemon/edge/bus.h"
#include "daemon/edge/multicast.h"
#include "daemon/inbox.h"
#include "proto/discover.h"
#include "proto/envelope.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

struct side {
	struct inbox inbox;
	struct bus *bus;
};

struct fixture {
	struct event_base *base;
	struct conf conf;
	char group[32];
	struct side a, b;
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

static void open_side(struct fixture *f, struct side *side)
{
	char choice[256], err[512];

	inbox_init(&side->inbox);
	assert_int_equal(bus_open(&side->bus, f->base, &side->inbox, &f->conf, choice,
				  sizeof(choice), err, sizeof(err)), 0);
	assert_non_null(strstr(choice, "lo (127.0.0.1): as configured"));
}

static void close_side(struct side *side)
{
	bus_close(side->bus);
	inbox_fini(&side->inbox);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	snprintf(f->group, sizeof(f->group), "239.255.%d.%d", getpid() >> 8 & 0xff,
		 getpid() & 0xff);
	f->conf.bus.mode = (char *)(uintptr_t)"multicast";
	f->conf.bus.group = f->group;
	f->conf.bus.port = find_port();
	f->conf.bus.interface = (char *)(uintptr_t)"lo";
	f->conf.bus.ttl = 1;
	open_side(f, &f->a);
	open_side(f, &f->b);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close_side(&f->a);
	close_side(&f->b);
	event_base_free(f->base);
	free(f);
	return 0;
}

static bool has_item(void *arg)
{
	return ((struct inbox *)arg)->head != NULL;
}

static void assert_heard(struct fixture *f, struct side *side, const void *bytes, size_t len)
{
	struct inbox_item *item;

	loop_until(f->base, has_item, &side->inbox);
	item = inbox_take(&side->inbox);
	assert_int_equal(item->kind, INBOX_DATAGRAM);
	assert_int_equal(item->len, len);
	assert_memory_equal(item->data, bytes, len);
	assert_int_equal(((struct sockaddr_in *)&item->from)->sin_addr.s_addr,
			 htonl(INADDR_LOOPBACK));
	inbox_item_free(item);
}

static void two_daemons_of_one_host_hear_each_other_and_themselves(void **state)
{
	struct fixture *f = *state;
	struct bus_stats stats;

	bus_send(f->a.bus, "CHM1 from a", 11);
	assert_heard(f, &f->b, "CHM1 from a", 11);
	assert_heard(f, &f->a, "CHM1 from a", 11);
	bus_send(f->b.bus, "CHM1 from b", 11);
	assert_heard(f, &f->a, "CHM1 from b", 11);
	bus_get_stats(f->a.bus, &stats);
	assert_int_equal(stats.sent, 1);
	assert_int_equal(stats.send_errors, 0);
	assert_int_equal(stats.received, 2);
	assert_true(stats.receive_buffer > 0);
}

static void a_burst_arrives_whole_and_in_order(void **state)
{
	enum { COUNT = 80 };
	struct fixture *f = *state;
	uint8_t datagram[ENVELOPE_DATAGRAM_MAX] = "CHM1";

	/* More than one batch, less than the smallest receive buffer holds. */
	for (int i = 0; i < COUNT; i++) {
		datagram[4] = (uint8_t)i;
		bus_send(f->a.bus, datagram, 100);
	}
	for (int i = 0; i < COUNT; i++) {
		datagram[4] = (uint8_t)i;
		assert_heard(f, &f->b, datagram, 100);
	}
}

static void what_is_too_long_is_seen_to_be_too_long(void **state)
{
	struct fixture *f = *state;
	uint8_t datagram[ENVELOPE_INPUT_MAX + 500] = "CHM1";

	bus_send(f->a.bus, datagram, sizeof(datagram));
	assert_heard(f, &f->b, datagram, ENVELOPE_INPUT_MAX + 1);
}

static void discovery_is_kept_out_and_garbage_is_not(void **state)
{
	struct fixture *f = *state;
	uint8_t query[DISCOVER_SIZE];

	discover_format_query(&(struct discover_query){ 0 }, query);
	bus_send(f->a.bus, query, sizeof(query));
	bus_send(f->a.bus, "x", 1);
	bus_send(f->a.bus, "CHM1", 4);
	/* Whoever counts refused datagrams counts the short one. */
	assert_heard(f, &f->b, "x", 1);
	assert_heard(f, &f->b, "CHM1", 4);
}

static void it_still_hears_after_a_rejoin(void **state)
{
	struct fixture *f = *state;

	bus_rejoin(f->b.bus);
	bus_rejoin(f->a.bus);
	bus_send(f->a.bus, "again", 5);
	assert_heard(f, &f->b, "again", 5);
}

static void a_full_inbox_drops_and_counts(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < INBOX_DATAGRAMS_MAX; i++)
		inbox_put(&f->b.inbox, inbox_item_new(INBOX_DATAGRAM, "", 0));
	bus_send(f->a.bus, "one too many", 12);
	assert_heard(f, &f->a, "one too many", 12);
	loop_spin(f->base, 3);
	assert_int_equal(f->b.inbox.datagrams, INBOX_DATAGRAMS_MAX);
	assert_int_equal(f->b.inbox.dropped_datagrams, 1);
}

static void refuse(struct fixture *f, const char *expected)
{
	struct inbox inbox;
	struct bus *bus;
	char choice[256], err[512];

	inbox_init(&inbox);
	assert_true(bus_open(&bus, f->base, &inbox, &f->conf, choice, sizeof(choice), err,
			     sizeof(err)) < 0);
	assert_null(bus);
	assert_non_null(strstr(err, expected));
	assert_non_null(strstr(err, "\nwhy:   "));
	assert_non_null(strstr(err, "\ntry:   "));
}

static void what_cannot_work_is_refused_with_words(void **state)
{
	struct fixture *f = *state;

	f->conf.bus.interface = (char *)(uintptr_t)"nosuch0";
	refuse(f, "no interface that is up has this name");
	f->conf.bus.interface = (char *)(uintptr_t)"203.0.113.77";
	refuse(f, "or IPv4 address");
	f->conf.bus.interface = (char *)(uintptr_t)"lo";
	f->conf.bus.group = (char *)(uintptr_t)"10.0.0.1";
	refuse(f, "not an IPv4 multicast address");
}

static void off_opens_nothing(void **state)
{
	struct fixture *f = *state;
	struct inbox inbox;
	struct bus *bus;
	struct bus_stats stats;
	char choice[256], err[512];

	f->conf.bus.mode = (char *)(uintptr_t)"off";
	inbox_init(&inbox);
	assert_int_equal(bus_open(&bus, f->base, &inbox, &f->conf, choice, sizeof(choice), err,
				  sizeof(err)), 0);
	bus_send(bus, "nobody", 6);
	bus_rejoin(bus);
	bus_get_stats(bus, &stats);
	assert_int_equal(stats.sent + stats.send_errors, 0);
	bus_close(bus);
}

static void the_way_to_a_peer_decides(void **state)
{
	char *peers[] = { (char *)(uintptr_t)"not-looked-up:7411",
			  (char *)(uintptr_t)"127.0.0.1:7411" };
	struct multicast_interface interface;
	char choice[256], err[256];

	(void)state;
	assert_int_equal(multicast_choose(NULL, peers, 2, &interface, choice, sizeof(choice), err,
					  sizeof(err)), 0);
	assert_int_equal(interface.index, if_nametoindex("lo"));
	assert_non_null(strstr(choice, "it is the way to 127.0.0.1:7411"));
	assert_true(multicast_interface_valid(&interface));
	interface.address.s_addr = htonl(0xcb00714d);
	assert_false(multicast_interface_valid(&interface));
}

static void an_address_names_its_interface(void **state)
{
	struct multicast_interface interface;
	char choice[256], err[256];

	(void)state;
	assert_int_equal(multicast_choose("127.0.0.1", NULL, 0, &interface, choice, sizeof(choice),
					  err, sizeof(err)), 0);
	assert_string_equal(interface.name, "lo");
}

static void without_any_hint_there_is_still_a_choice(void **state)
{
	struct multicast_interface interface;
	char choice[256], err[256];

	(void)state;
	assert_int_equal(multicast_choose(NULL, NULL, 0, &interface, choice, sizeof(choice), err,
					  sizeof(err)), 0);
	assert_int_equal(interface.last_resort, strcmp(interface.name, "lo") == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_daemons_of_one_host_hear_each_other_and_themselves),
		TEST(a_burst_arrives_whole_and_in_order),
		TEST(what_is_too_long_is_seen_to_be_too_long),
		TEST(discovery_is_kept_out_and_garbage_is_not),
		TEST(it_still_hears_after_a_rejoin),
		TEST(a_full_inbox_drops_and_counts),
		TEST(what_cannot_work_is_refused_with_words),
		TEST(off_opens_nothing),
		TEST(the_way_to_a_peer_decides),
		TEST(an_address_names_its_interface),
		TEST(without_any_hint_there_is_still_a_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
