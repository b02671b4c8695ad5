/* Messages on a byte stream: any cutting, bounds, and both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/stream.h"

/* Every size of chunk gives the same messages. */
static void test_any_cut(void **state)
{
	static const char in[] = "\0\0\0\3abc\0\0\0\0\0\0\0\5hello";
	const uint8_t *data;
	size_t len;

	(void)state;
	for (size_t chunk = 1; chunk < sizeof in; chunk++) {
		struct stream s;
		char all[32] = "";
		size_t messages = 0;
		stream_init(&s, STREAM_LIMIT_HELLO);
		for (size_t at = 0; at < sizeof in - 1; at += chunk) {
			size_t n = sizeof in - 1 - at;
			stream_feed(&s, in + at, n < chunk ? n : chunk);
			while (stream_take(&s, &data, &len) == STREAM_MESSAGE) {
				strncat(all, (const char *)data, len);
				strncat(all, ";", 2);
				messages++;
			}
		}
		assert_int_equal(messages, 3);
		assert_string_equal(all, "abc;;hello;");
		assert_true(stream_at_boundary(&s));
		stream_fini(&s);
	}
}

static void test_boundary(void **state)
{
	struct stream s;
	const uint8_t *data;
	size_t len;

	(void)state;
	stream_init(&s, STREAM_LIMIT_HELLO);
	assert_true(stream_at_boundary(&s));
	assert_int_equal(stream_take(&s, &data, &len), STREAM_MORE);
	stream_feed(&s, "\0", 1);
	assert_false(stream_at_boundary(&s));
	stream_feed(&s, "\0\0\1", 3);
	assert_int_equal(stream_take(&s, &data, &len), STREAM_MORE);
	assert_false(stream_at_boundary(&s));
	stream_feed(&s, "x", 1);
	assert_int_equal(stream_take(&s, &data, &len), STREAM_MESSAGE);
	assert_true(stream_at_boundary(&s));
	stream_fini(&s);
}

/* Refused by the announced length alone, and for good. */
static void test_too_large(void **state)
{
	struct stream s;
	const uint8_t *data;
	size_t len;

	(void)state;
	stream_init(&s, STREAM_LIMIT_HELLO);
	stream_feed(&s, "\0\0\x40\1", 4);
	assert_int_equal(stream_take(&s, &data, &len), STREAM_TOO_LARGE);
	stream_set_limit(&s, STREAM_LIMIT);
	stream_feed(&s, "\0\0\0\0", 4);
	assert_int_equal(stream_take(&s, &data, &len), STREAM_TOO_LARGE);
	assert_false(stream_at_boundary(&s));
	stream_fini(&s);

	stream_init(&s, STREAM_LIMIT);
	stream_feed(&s, "\xff\xff\xff\xff", 4);
	assert_int_equal(stream_take(&s, &data, &len), STREAM_TOO_LARGE);
	stream_fini(&s);
}

static void test_limit_exact(void **state)
{
	uint8_t *big = calloc(1, STREAM_LIMIT + 1);
	const uint8_t *data;
	struct stream a, b;
	size_t len, n;

	(void)state;
	stream_init(&a, STREAM_LIMIT);
	stream_init(&b, STREAM_LIMIT_HELLO);
	stream_set_limit(&b, STREAM_LIMIT);
	big[STREAM_LIMIT - 1] = 7;
	assert_int_equal(stream_put(&a, big, STREAM_LIMIT + 1), -EMSGSIZE);
	assert_int_equal(stream_put(&a, big, STREAM_LIMIT), 0);
	/* Through pipes of odd sizes. */
	for (;;) {
		const uint8_t *out = stream_outgoing(&a, &n);
		if (n == 0)
			break;
		n = n < 7919 ? n : 7919;
		stream_feed(&b, out, n);
		stream_sent(&a, n);
	}
	assert_int_equal(stream_take(&b, &data, &len), STREAM_MESSAGE);
	assert_int_equal(len, STREAM_LIMIT);
	assert_int_equal(data[STREAM_LIMIT - 1], 7);
	stream_fini(&a);
	stream_fini(&b);
	free(big);
}

/* Who does not take gets no room; taking gives it back. */
static void test_room(void **state)
{
	static const uint8_t chunk[STREAM_READ_SIZE];	/* empty messages */
	const uint8_t *data;
	struct stream s;
	size_t len, fed = 0, taken = 0;

	(void)state;
	stream_init(&s, STREAM_LIMIT_HELLO);
	while (stream_room(&s) > 0) {
		size_t n = stream_room(&s) < sizeof chunk ? stream_room(&s) : sizeof chunk;
		stream_feed(&s, chunk, n);
		fed += n;
	}
	assert_int_equal(fed, STREAM_LIMIT_HELLO + 4 + STREAM_READ_SIZE);
	while (stream_take(&s, &data, &len) == STREAM_MESSAGE)
		taken++;
	assert_int_equal(taken, fed / 4);
	assert_int_equal(stream_room(&s), fed);
	stream_fini(&s);
}

/* An unfinished message of the largest size always leaves room to finish it. */
static void test_room_for_the_rest(void **state)
{
	static const uint8_t body[STREAM_LIMIT_HELLO];
	const uint8_t *data;
	struct stream s;
	size_t len;

	(void)state;
	stream_init(&s, STREAM_LIMIT_HELLO);
	stream_feed(&s, "\0\0\x40\0", 4);
	stream_feed(&s, body, STREAM_LIMIT_HELLO - 1);
	assert_int_equal(stream_take(&s, &data, &len), STREAM_MORE);
	assert_true(stream_room(&s) >= STREAM_READ_SIZE);
	stream_feed(&s, body, 1);
	assert_int_equal(stream_take(&s, &data, &len), STREAM_MESSAGE);
	assert_int_equal(len, STREAM_LIMIT_HELLO);
	stream_fini(&s);
}

static void test_queue_bound(void **state)
{
	uint8_t *big = calloc(1, STREAM_LIMIT);
	struct stream s;
	size_t len;

	(void)state;
	stream_init(&s, STREAM_LIMIT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(stream_put(&s, big, STREAM_LIMIT), 0);
	assert_int_equal(stream_put(&s, big, STREAM_LIMIT), -ENOBUFS);
	stream_outgoing(&s, &len);
	assert_int_equal(len, 3 * (STREAM_LIMIT + 4));
	stream_sent(&s, STREAM_LIMIT);
	assert_int_equal(stream_put(&s, big, STREAM_LIMIT), 0);
	stream_fini(&s);
	free(big);
}

/* Random sizes of messages, writes and reads, long enough for every buffer to move. */
static void test_random_traffic(void **state)
{
	uint8_t message[5000];
	const uint8_t *data;
	struct stream a, b;
	size_t len, sent = 0, got = 0;
	uint32_t random = 12345;

	(void)state;
	stream_init(&a, STREAM_LIMIT);
	stream_init(&b, STREAM_LIMIT);
	for (int step = 0; step < 20000; step++) {
		random = random * 1103515245 + 12345;
		len = random >> 8 & 4095;
		memset(message, (int)(sent & 255), len);
		if (step % 3 == 0 && stream_put(&a, message, len) == 0)
			sent++;
		const uint8_t *out = stream_outgoing(&a, &len);
		size_t n = (random >> 4) % 3000;
		n = n < len ? n : len;
		if (n > stream_room(&b))
			n = stream_room(&b);
		stream_feed(&b, out, n);
		stream_sent(&a, n);
		while (stream_take(&b, &data, &len) == STREAM_MESSAGE) {
			for (size_t i = 0; i < len; i++)
				assert_int_equal(data[i], got & 255);
			got++;
		}
	}
	assert_true(got > 5000 && got <= sent);
	stream_fini(&a);
	stream_fini(&b);
}

static void test_names(void **state)
{
	(void)state;
	for (int v = 0; v < STREAM_VERDICT_COUNT; v++)
		assert_true(strlen(stream_verdict_name((enum stream_verdict)v)) > 1);
	assert_string_equal(stream_verdict_name(STREAM_TOO_LARGE), "too_large");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_limit_exact),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_room_for_the_rest),
		cmocka_unit_test(test_queue_bound),
		cmocka_unit_test(test_random_traffic),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
