#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/rate.h"

static struct boot at_ms(int64_t ms)
{
	return (struct boot){ 1000 * USEC_PER_SEC + ms * USEC_PER_MSEC };
}

static int take_all(struct rate *rate, int64_t ms)
{
	int taken = 0;

	while (rate_take(rate, at_ms(ms)))
		taken++;
	return taken;
}

static void it_gives_the_burst_then_the_rate(void **state)
{
	struct rate rate;

	(void)state;
	rate_init(&rate, 5, 5, at_ms(0));
	assert_int_equal(take_all(&rate, 0), 5);
	assert_int_equal(take_all(&rate, 199), 0);
	assert_int_equal(take_all(&rate, 200), 1);
	assert_int_equal(take_all(&rate, 1200), 5);
}

static void silence_saves_up_no_more_than_the_burst(void **state)
{
	struct rate rate;

	(void)state;
	rate_init(&rate, 1, 1, at_ms(0));
	assert_int_equal(take_all(&rate, 0), 1);
	assert_int_equal(take_all(&rate, INT64_MAX / USEC_PER_MSEC - 2000000), 1);
}

static void it_counts_what_it_refused(void **state)
{
	struct rate rate;

	(void)state;
	rate_init(&rate, 1, 1, at_ms(0));
	assert_true(rate_take(&rate, at_ms(0)));
	assert_false(rate_take(&rate, at_ms(1)));
	assert_false(rate_take(&rate, at_ms(2)));
	assert_int_equal(rate.refused, 2);
}

static void a_clock_that_steps_back_gives_nothing(void **state)
{
	struct rate rate;

	(void)state;
	rate_init(&rate, 10, 1, at_ms(0));
	assert_true(rate_take(&rate, at_ms(0)));
	assert_false(rate_take(&rate, at_ms(-5000)));
	assert_false(rate_take(&rate, at_ms(50)));
	assert_true(rate_take(&rate, at_ms(100)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_gives_the_burst_then_the_rate),
		cmocka_unit_test(silence_saves_up_no_more_than_the_burst),
		cmocka_unit_test(it_counts_what_it_refused),
		cmocka_unit_test(a_clock_that_steps_back_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
