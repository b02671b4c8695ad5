#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/budget.h"
#include "proto/control.pb-c.h"

static void test_plain(void **state)
{
	Chime__Event event = CHIME__EVENT__INIT, *back;
	uint8_t bytes[64];
	size_t len;

	(void)state;
	event.actor = "alice";
	len = chime__event__pack(&event, bytes);
	back = (Chime__Event *)budget_unpack(&chime__event__descriptor, bytes, len);
	assert_non_null(back);
	assert_string_equal(back->actor, "alice");
	chime__event__free_unpacked(back, NULL);
	assert_null(budget_unpack(&chime__event__descriptor, "\xff\xff", 2));
}

/* Two bytes each on the wire, a struct each in memory: it must fail before it has eaten all. */
static void test_amplification(void **state)
{
	enum { COUNT = 100000 };
	uint8_t *bytes = malloc(2 * COUNT), inner[8];
	Chime__RunsReply *few;

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < COUNT; i++) {
		bytes[2 * i] = 1 << 3 | 2;	/* field 1, an empty message */
		bytes[2 * i + 1] = 0;
	}
	assert_true(sizeof(Chime__RunRow) > 128);
	assert_null(budget_unpack(&chime__runs_reply__descriptor, bytes, 2 * COUNT));
	memcpy(inner, bytes, sizeof(inner));
	few = (Chime__RunsReply *)budget_unpack(&chime__runs_reply__descriptor, inner,
						sizeof(inner));
	assert_non_null(few);
	assert_int_equal(few->n_run, 4);
	chime__runs_reply__free_unpacked(few, NULL);
	free(bytes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_amplification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
