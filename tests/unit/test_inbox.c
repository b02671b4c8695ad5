#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/inbox.h"

static void test_order(void **state)
{
	struct inbox inbox;
	struct inbox_item *item;

	(void)state;
	inbox_init(&inbox);
	assert_null(inbox_take(&inbox));
	for (uint64_t i = 0; i < 5; i++) {
		item = inbox_item_new(INBOX_WAKE, NULL, 0);
		item->number = i;
		assert_int_equal(inbox_put(&inbox, item), 0);
	}
	for (uint64_t i = 0; i < 5; i++) {
		item = inbox_take(&inbox);
		assert_int_equal(item->number, i);
		inbox_item_free(item);
	}
	assert_null(inbox_take(&inbox));
	assert_int_equal(inbox_put(&inbox, inbox_item_new(INBOX_STOP, NULL, 0)), 0);
	inbox_fini(&inbox);
}

static void test_item(void **state)
{
	struct inbox_item *item = inbox_item_new(INBOX_JOBS, "text", 4);
	int fd;

	(void)state;
	assert_int_equal(item->len, 4);
	assert_string_equal((char *)item->data, "text");	/* a C string too */
	assert_int_equal(item->fd, -1);
	fd = item->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	inbox_item_free(item);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	inbox_item_free(NULL);
}

static void test_bounds(void **state)
{
	struct inbox inbox;
	struct inbox_item *item;

	(void)state;
	inbox_init(&inbox);
	for (int i = 0; i < INBOX_DATAGRAMS_MAX; i++)
		assert_int_equal(inbox_put(&inbox, inbox_item_new(INBOX_DATAGRAM, "x", 1)), 0);
	assert_int_equal(inbox_put(&inbox, inbox_item_new(INBOX_DATAGRAM, "x", 1)), -ENOBUFS);
	assert_int_equal(inbox.dropped_datagrams, 1);
	for (int i = 0; i < INBOX_REQUESTS_MAX; i++)
		assert_int_equal(inbox_put(&inbox, inbox_item_new(INBOX_REQUEST, "x", 1)), 0);
	item = inbox_item_new(INBOX_REQUEST, "x", 1);
	assert_int_equal(inbox_put(&inbox, item), -EAGAIN);
	inbox_item_free(item);		/* it stayed ours */
	/* Facts of this machine never drop. */
	for (int i = 0; i < 2 * INBOX_DATAGRAMS_MAX; i++)
		assert_int_equal(inbox_put(&inbox, inbox_item_new(INBOX_ATTEMPT, NULL, 0)), 0);
	inbox_item_free(inbox_take(&inbox));
	assert_int_equal(inbox_put(&inbox, inbox_item_new(INBOX_DATAGRAM, "x", 1)), 0);
	inbox_fini(&inbox);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order), cmocka_unit_test(test_item),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
