/* The link by a clock of the test: back-off, the change to another server, what is ignored. */
#include "client/monitor/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { S = 1000000 };

/* Tenths of a second since the test began. */
static struct moment at(int64_t tenths)
{
	return (struct moment){ .boot_us = 1000 * (int64_t)S + tenths * (S / 10) };
}

static struct letter *new_letter(uint64_t tag, const char *server, const char *address)
{
	struct order *order = order_new(ORDER_OPEN, tag);
	struct letter *l = letter_new(order, true);

	order_free(order);
	if (server == NULL) {
		trouble_set(&l->trouble, EXIT_UNREACHED, "nobody there");
		trouble_why(&l->trouble, "it rains");
		return l;
	}
	l->server = say_strdup(server);
	l->where = say_format("%s at %s", server, address);
	l->address = say_strdup(address);
	l->environment = say_strdup("PROD");
	l->you = say_strdup("alice");
	l->role = say_strdup("operator");
	l->local = address[0] == '/';
	l->has_env_id = true;
	memset(l->env_id, 7, sizeof(l->env_id));
	return l;
}

/* server NULL = the order failed. */
static bool answer(struct link *link, uint64_t tag, const char *server, const char *address,
		   struct moment now)
{
	struct letter *l = new_letter(tag, server, address);
	bool taken = link_take_letter(link, l, now);

	letter_free(l);
	return taken;
}

/* There is an order now, to this server (NULL = as the options say) at this address. */
static void expect_order(struct link *link, uint64_t tag, const char *server,
			 const char *address, struct moment now)
{
	struct order *order = link_next_order(link, tag, now);

	assert_non_null(order);
	assert_int_equal(order->kind, ORDER_OPEN);
	assert_int_equal(order->tag, tag);
	if (server == NULL)
		assert_null(order->server);
	else
		assert_string_equal(order->server, server);
	if (address == NULL)
		assert_int_equal(order->address_count, 0);
	else
		assert_string_equal(order->address[0], address);
	order_free(order);
	assert_int_equal(link->state, LINK_OPENING);
	assert_int_equal(link_due_us(link), INT64_MAX);
	/* One at a time. */
	assert_null(link_next_order(link, tag + 1000, now));
}

static void bring_up(struct link *link, const char *server, const char *address)
{
	expect_order(link, 1, NULL, NULL, at(0));
	assert_true(answer(link, 1, server, address, at(0)));
	assert_int_equal(link->state, LINK_UP);
}

static struct link_candidate candidate(const char *server, const char *address)
{
	struct link_candidate c = { .address_count = 1 };

	snprintf(c.server, sizeof(c.server), "%s", server);
	snprintf(c.address[0], sizeof(c.address[0]), "%s", address);
	return c;
}

static void test_opens(void **state)
{
	struct link link;

	(void)state;
	link_init(&link, true);
	assert_int_equal(link.state, LINK_CLOSED);
	assert_int_equal(link_due_us(&link), 0);
	assert_string_equal(link.server, "");
	bring_up(&link, "db1", "10.0.0.1:7411");
	assert_string_equal(link.server, "db1");
	assert_string_equal(link.where, "db1 at 10.0.0.1:7411");
	assert_string_equal(link.environment, "PROD");
	assert_string_equal(link.you, "alice");
	assert_string_equal(link.role, "operator");
	assert_true(link.has_env_id && link.env_id[15] == 7);
	assert_false(link.local || link.changed_server);
	assert_int_equal(link.lost_us, 0);
	assert_int_equal(link_due_us(&link), INT64_MAX);
	assert_null(link_next_order(&link, 2, at(1000)));
	link_fini(&link);
}

static void test_backoff(void **state)
{
	static const int waits[] = { 1, 2, 4, 8, 15, 15, 15 };
	struct link link;
	int64_t now = 100;

	(void)state;
	link_init(&link, false);
	bring_up(&link, "db1", "10.0.0.1:7411");
	link_break(&link, "the connection broke", at(now));
	assert_int_equal(link.state, LINK_LOST);
	assert_int_equal(link.lost_us, at(100).boot_us);
	assert_string_equal(link.why, "the connection broke");
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		/* The countdown: what is due, less what is now. */
		assert_int_equal(link_due_us(&link) - at(now).boot_us, (int64_t)waits[i] * S);
		assert_int_equal(link.retry_us, link_due_us(&link));
		now += 10 * waits[i];
		assert_null(link_next_order(&link, 50, at(now - 1)));
		expect_order(&link, 10 + i, "db1", "10.0.0.1:7411", at(now));
		/* Each try takes two seconds. */
		now += 20;
		assert_true(answer(&link, 10 + i, NULL, NULL, at(now)));
		assert_int_equal(link.state, LINK_LOST);
		assert_string_equal(link.why, "nobody there: it rains");
		assert_int_equal(link.lost_us, at(100).boot_us);
	}
	now += 150;
	expect_order(&link, 20, "db1", "10.0.0.1:7411", at(now));
	assert_true(answer(&link, 20, "db1", "10.0.0.1:7411", at(now)));
	assert_int_equal(link.state, LINK_UP);
	assert_int_equal(link.lost_us, 0);
	assert_string_equal(link.why, "");
	assert_false(link.changed_server);
	/* The next loss begins anew. */
	link_break(&link, "again", at(now));
	assert_int_equal(link_due_us(&link) - at(now).boot_us, 1 * S);
	link_fini(&link);
}

static void test_never_up(void **state)
{
	struct link_candidate others[] = { candidate("db2", "10.0.0.2:7411") };
	struct link link;

	(void)state;
	link_init(&link, true);
	expect_order(&link, 1, NULL, NULL, at(0));
	assert_true(answer(&link, 1, NULL, NULL, at(10)));
	assert_int_equal(link.lost_us, at(10).boot_us);
	expect_order(&link, 2, NULL, NULL, at(20));
	assert_true(answer(&link, 2, NULL, NULL, at(20)));
	link_set_others(&link, others, 1);
	expect_order(&link, 3, NULL, NULL, at(40));
	assert_true(answer(&link, 3, NULL, NULL, at(40)));
	/* Before the back-off of 4 s is over. */
	assert_int_equal(link_due_us(&link), at(60).boot_us);
	expect_order(&link, 4, "db2", "10.0.0.2:7411", at(60));
	assert_string_equal(link.server, "db2");
	assert_true(answer(&link, 4, "db2", "10.0.0.2:7411", at(60)));
	assert_int_equal(link.state, LINK_UP);
	assert_false(link.changed_server);
	link_fini(&link);
}

static void test_alternates(void **state)
{
	struct link_candidate others[] = {
		candidate("db1", "10.0.0.9:7411"),
		candidate("db2", "10.0.0.2:7411"),
		candidate("db3", "10.0.0.3:7411"),
	};
	static const char *const order_of[] = { "db2", "db1", "db3", "db1", "db2", "db1" };
	static const char *const address[] = {
		"10.0.0.2:7411", "10.0.0.1:7411", "10.0.0.3:7411", "10.0.0.1:7411",
		"10.0.0.2:7411", "10.0.0.1:7411",
	};
	struct link link;

	(void)state;
	link_init(&link, true);
	bring_up(&link, "db1", "10.0.0.1:7411");
	link_set_others(&link, others, 3);
	link_break(&link, "gone", at(0));
	expect_order(&link, 2, "db1", "10.0.0.1:7411", at(10));
	assert_true(answer(&link, 2, NULL, NULL, at(10)));
	expect_order(&link, 3, "db1", "10.0.0.1:7411", at(30));
	assert_true(answer(&link, 3, NULL, NULL, at(30)));
	/* Not at 7 s: another server is known. */
	assert_int_equal(link_due_us(&link), at(50).boot_us);
	for (size_t i = 0; i < 6; i++) {
		struct moment now = { .boot_us = link_due_us(&link) };
		expect_order(&link, 4 + i, order_of[i], address[i], now);
		assert_string_equal(link.server, order_of[i]);
		assert_true(answer(&link, 4 + i, NULL, NULL, now));
	}
	struct moment now = { .boot_us = link_due_us(&link) };
	expect_order(&link, 20, "db3", "10.0.0.3:7411", now);
	assert_true(answer(&link, 20, "db3", "10.0.0.3:7411", now));
	assert_int_equal(link.state, LINK_UP);
	assert_true(link.changed_server);
	/* That one is home now. */
	link.changed_server = false;
	link_break(&link, "gone too", now);
	now.boot_us += 1 * S;
	expect_order(&link, 21, "db3", "10.0.0.3:7411", now);
	link_fini(&link);
}

/* A try that began before others may be asked and failed after: no more waiting. */
static void test_other_at_once(void **state)
{
	struct link_candidate other = candidate("db2", "10.0.0.2:7411");
	struct link link;

	(void)state;
	link_init(&link, true);
	bring_up(&link, "db1", "10.0.0.1:7411");
	link_set_others(&link, &other, 1);
	link_break(&link, "gone", at(0));
	expect_order(&link, 2, "db1", "10.0.0.1:7411", at(40));
	assert_true(answer(&link, 2, NULL, NULL, at(90)));
	expect_order(&link, 3, "db2", "10.0.0.2:7411", at(90));
	link_fini(&link);
}

static void test_no_failover(void **state)
{
	struct link_candidate other = candidate("db2", "10.0.0.2:7411");
	struct link link;

	(void)state;
	link_init(&link, false);
	bring_up(&link, "db1", "10.0.0.1:7411");
	link_set_others(&link, &other, 1);
	link_break(&link, "gone", at(0));
	for (uint64_t i = 2; i < 10; i++) {
		struct moment now = { .boot_us = link_due_us(&link) };
		expect_order(&link, i, "db1", "10.0.0.1:7411", now);
		assert_true(answer(&link, i, NULL, NULL, now));
	}
	link_fini(&link);
}

/* The options' way may lead to another server; a local link stays on it. */
static void test_local(void **state)
{
	struct link link;

	(void)state;
	for (int failover = 0; failover < 2; failover++) {
		link_init(&link, failover);
		bring_up(&link, "db1", "/run/chime/control.sock");
		assert_true(link.local);
		link_break(&link, "gone", at(0));
		expect_order(&link, 2, NULL, NULL, at(10));
		assert_string_equal(link.server, "db1");
		assert_true(answer(&link, 2, "db2", "10.0.0.2:7411", at(10)));
		assert_int_equal(link.state, LINK_LOST);
		assert_string_equal(link.why, "db1 does not answer, db2 does");
		expect_order(&link, 3, NULL, NULL, at(60));
		assert_true(answer(&link, 3, "db2", "10.0.0.2:7411", at(60)));
		assert_int_equal(link.state, failover ? LINK_UP : LINK_LOST);
		assert_int_equal(link.changed_server, failover);
		if (!failover) {
			expect_order(&link, 4, NULL, NULL, at(200));
			assert_true(answer(&link, 4, "db1", "/run/chime/control.sock", at(200)));
			assert_int_equal(link.state, LINK_UP);
		}
		link_fini(&link);
	}
}

static void test_retry_now(void **state)
{
	struct link link;

	(void)state;
	link_init(&link, false);
	bring_up(&link, "db1", "10.0.0.1:7411");
	link_retry_now(&link, at(5));
	assert_null(link_next_order(&link, 2, at(5)));
	link_break(&link, "gone", at(10));
	for (int64_t i = 0; i < 4; i++) {
		link_retry_now(&link, at(11 + i));
		assert_int_equal(link_due_us(&link), at(11 + i).boot_us);
		expect_order(&link, (uint64_t)i, "db1", "10.0.0.1:7411", at(11 + i));
		link_retry_now(&link, at(11 + i));
		assert_null(link_next_order(&link, 9, at(11 + i)));
		assert_true(answer(&link, (uint64_t)i, NULL, NULL, at(11 + i)));
		/* It waits from the beginning again. */
		assert_int_equal(link_due_us(&link), at(21 + i).boot_us);
	}
	assert_int_equal(link.lost_us, at(10).boot_us);
	link_fini(&link);
}

static void test_change(void **state)
{
	struct link_candidate others[] = {
		candidate("db1", "10.0.0.1:7411"),
		candidate("db2", "10.0.0.2:7411"),
	};
	struct link link;

	(void)state;
	link_init(&link, true);
	bring_up(&link, "db1", "10.0.0.1:7411");
	link_set_others(&link, others, 2);
	link_change(&link, "db2", at(10));
	assert_string_equal(link.server, "db2");
	assert_int_equal(link.lost_us, at(10).boot_us);
	expect_order(&link, 2, "db2", "10.0.0.2:7411", at(10));
	assert_true(answer(&link, 2, "db2", "10.0.0.2:7411", at(10)));
	assert_true(link.changed_server);
	link.changed_server = false;
	/* Long lost, another one chosen while one is tried: that try counts no more. */
	link_break(&link, "gone", at(20));
	struct moment now = at(1000);
	expect_order(&link, 3, "db1", "10.0.0.1:7411", now);
	assert_true(answer(&link, 3, NULL, NULL, now));
	now.boot_us = link_due_us(&link);
	expect_order(&link, 4, "db2", "10.0.0.2:7411", now);
	link_change(&link, "db7", now);
	assert_int_equal(link.lost_us, at(20).boot_us);
	assert_false(answer(&link, 4, "db2", "10.0.0.2:7411", now));
	expect_order(&link, 5, "db7", NULL, now);
	assert_false(answer(&link, 4, "db2", "10.0.0.2:7411", now));
	assert_true(answer(&link, 5, NULL, NULL, now));
	/* The chosen one first, others only after a while. */
	now.boot_us += 1 * S;
	expect_order(&link, 6, "db7", NULL, now);
	assert_true(answer(&link, 6, NULL, NULL, now));
	now.boot_us = link_due_us(&link);
	expect_order(&link, 7, "db7", NULL, now);
	assert_true(answer(&link, 7, NULL, NULL, now));
	now.boot_us = link_due_us(&link);
	expect_order(&link, 8, "db2", "10.0.0.2:7411", now);
	link_fini(&link);
}

static void test_ignores(void **state)
{
	struct link link;

	(void)state;
	link_init(&link, false);
	link_break(&link, "not even up", at(0));
	assert_int_equal(link.state, LINK_CLOSED);
	expect_order(&link, 1, NULL, NULL, at(0));
	assert_false(answer(&link, 2, "db1", "10.0.0.1:7411", at(0)));
	struct letter *l = new_letter(1, NULL, NULL);
	l->kind = ORDER_ASK;
	assert_false(link_take_letter(&link, l, at(0)));
	letter_free(l);
	link_break(&link, "an older question", at(0));
	assert_int_equal(link.state, LINK_OPENING);
	assert_true(answer(&link, 1, "db1", "10.0.0.1:7411", at(0)));
	assert_false(answer(&link, 1, NULL, NULL, at(0)));
	assert_int_equal(link.state, LINK_UP);
	struct order *order = link_copy_order(&link, 77);
	assert_int_equal(order->tag, 77);
	assert_string_equal(order->server, "db1");
	assert_string_equal(order->address[0], "10.0.0.1:7411");
	order_free(order);
	link_fini(&link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_never_up),
		cmocka_unit_test(test_alternates),
		cmocka_unit_test(test_other_at_once),
		cmocka_unit_test(test_no_failover),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_retry_now),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_ignores),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
