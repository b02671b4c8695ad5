/* The client's list of states: whole, in the daemon's words and codes, and parsed. */
#include "client/jobstate.h"

#include "daemon/core/model.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_every_state_has_its_row(void **state)
{
	(void)state;
	for (int i = 0; i < JOBSTATE_COUNT; i++) {
		const struct jobstate_row *row = &jobstates[i];
		assert_non_null(row->word);
		assert_int_equal(strlen(row->code), 2);
		assert_true(row->meaning[0] != '\0' && strlen(row->meaning) < 48);
		for (const char *p = row->word; *p != '\0'; p++)
			assert_true(isupper((unsigned char)*p));
		assert_int_equal(jobstate_parse(row->word), i);
		assert_false(row->trouble && row->active);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(jobstates[k].code, row->code);
	}
}

static void test_other_words_are_none(void **state)
{
	static const char *const words[] = { "", "failed", "FA", "FAILED ", "PAUSED" };

	(void)state;
	assert_int_equal(jobstate_parse(NULL), JOBSTATE_COUNT);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_int_equal(jobstate_parse(words[i]), JOBSTATE_COUNT);
}

static void test_states_of_runs_are_the_daemons(void **state)
{
	(void)state;
	for (int i = CHIME__RUN_STATE__RUN_NONE; i <= CHIME__RUN_STATE__RUN_CANCELLED; i++) {
		enum jobstate known = jobstate_parse(run_state_name((Chime__RunState)i));
		assert_int_not_equal(known, JOBSTATE_COUNT);
		assert_string_equal(jobstates[known].code, run_state_code((Chime__RunState)i));
	}
}

static void test_trouble_comes_first(void **state)
{
	(void)state;
	assert_int_equal(JOBSTATE_FAILED, 0);
	assert_true(JOBSTATE_UNKNOWN < JOBSTATE_RUNNING);
	assert_int_equal(JOBSTATE_IDLE, JOBSTATE_COUNT - 1);
	for (int i = 0; i <= JOBSTATE_UNKNOWN; i++)
		assert_true(jobstates[i].trouble);
	assert_false(jobstates[JOBSTATE_SUCCESS].trouble);
	assert_true(jobstates[JOBSTATE_RETRY].active);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_has_its_row),
		cmocka_unit_test(test_other_words_are_none),
		cmocka_unit_test(test_states_of_runs_are_the_daemons),
		cmocka_unit_test(test_trouble_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
