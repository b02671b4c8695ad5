/* What chime-conditions(7) says and the vectors do not hold: lateness, disabled jobs, overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/story.h"

static const char day[] = "2025-03-10";

static void succeed(struct story *s, const char *server, const char *job, const char *cycle)
{
	story_result(s, server, job, cycle, CHIME__RUN_STATE__RUN_SUCCESS);
	engine_decide(&s->engine);
}

static bool is_true(struct story *s, const struct job *job, const char *cycle)
{
	const struct event_ref *proofs[CONDITION_ATOMS_MAX];
	bool values[CONDITION_ATOMS_MAX];

	return engine_atoms(&s->model, job, cycle, values, proofs);
}

static void test_once_true_stays_true(void **state)
{
	struct story s;
	struct job *c;

	(void)state;
	story_begin(&s);
	c = story_define(&s, "me", "consumer", NULL, "success(a@other)");
	assert_false(is_true(&s, c, day));
	succeed(&s, "other", "a", day);
	story_result(&s, "other", "a", day, CHIME__RUN_STATE__RUN_FAILED);
	engine_decide(&s.engine);
	assert_true(is_true(&s, c, day));
	assert_int_equal(s.created, 1);
	/* Of this cycle, and of those that it contains or lies in. */
	assert_true(is_true(&s, c, "2025-03-10T14+00:00"));
	assert_true(is_true(&s, c, "2025-03"));
	assert_false(is_true(&s, c, "2025-03-11"));
	assert_false(is_true(&s, c, "2025-W11"));
	assert_false(is_true(&s, c, ""));
	story_end(&s);
}

static void test_outcomes(void **state)
{
	static const struct { Chime__RunState state; bool success, failure, done; } rows[] = {
		{ CHIME__RUN_STATE__RUN_SUCCESS, true, false, true },
		{ CHIME__RUN_STATE__RUN_FAILED, false, true, true },
		{ CHIME__RUN_STATE__RUN_TIMEOUT, false, true, true },
		{ CHIME__RUN_STATE__RUN_KILLED, false, false, true },
		{ CHIME__RUN_STATE__RUN_LOST, false, false, true },
		{ CHIME__RUN_STATE__RUN_SKIPPED, false, false, false },
		{ CHIME__RUN_STATE__RUN_EXPIRED, false, false, false },
		{ CHIME__RUN_STATE__RUN_CANCELLED, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct story s;
		struct job *x, *y, *z;

		story_begin(&s);
		x = story_define(&s, "me", "x", NULL, "success(a)");
		y = story_define(&s, "me", "y", NULL, "failure(a)");
		z = story_define(&s, "me", "z", NULL, "done(a)");
		story_result(&s, "me", "a", day, rows[i].state);
		assert_int_equal(is_true(&s, x, day), rows[i].success);
		assert_int_equal(is_true(&s, y, day), rows[i].failure);
		assert_int_equal(is_true(&s, z, day), rows[i].done);
		story_end(&s);
	}
}

static void test_late_event_expires(void **state)
{
	struct story s;
	struct job *c;
	int64_t now_us;

	(void)state;
	for (int days = 6; days <= 8; days += 2) {
		story_begin(&s);
		c = story_define(&s, "me", "consumer", NULL, "success(a@other)");
		now_us = s.engine.now.wall.us;
		s.engine.now.wall.us -= days * (int64_t)CIVIL_DAY_S * USEC_PER_SEC;
		story_result(&s, "other", "a", "2025-03-03", CHIME__RUN_STATE__RUN_SUCCESS);
		s.engine.now.wall.us = now_us;
		engine_decide(&s.engine);
		assert_int_equal(s.created, 1);
		assert_int_equal(c->last->state, days < 7 ? CHIME__RUN_STATE__RUN_STARTING :
							    CHIME__RUN_STATE__RUN_EXPIRED);
		story_end(&s);
	}
}

static void test_disabled_job_lets_events_pass(void **state)
{
	struct story s;
	struct job *c;

	(void)state;
	story_begin(&s);
	c = story_define(&s, "me", "consumer", NULL, "success(a)");
	c->enabled = false;
	succeed(&s, "me", "a", day);
	c->enabled = true;
	engine_decide(&s.engine);
	assert_int_equal(s.created, 0);
	succeed(&s, "me", "a", day);
	assert_int_equal(s.created, 1);
	story_end(&s);
}

static void test_loading_starts_nothing(void **state)
{
	struct story s;

	(void)state;
	story_begin(&s);
	story_define(&s, "me", "other", NULL, "success(a)");
	succeed(&s, "me", "a", day);
	assert_int_equal(s.created, 1);
	assert_true(is_true(&s, story_define(&s, "me", "new", NULL, "success(a)"), day));
	engine_decide(&s.engine);
	assert_int_equal(s.created, 1);
	story_end(&s);
}

static void test_overlap_skip_and_parallel(void **state)
{
	struct story s;
	struct job *c;

	(void)state;
	story_begin(&s);
	c = story_define(&s, "me", "consumer", NULL, "success(a)");
	c->overlap = OVERLAP_SKIP;
	succeed(&s, "me", "a", day);
	succeed(&s, "me", "a", day);
	assert_int_equal(s.created, 2);
	assert_int_equal(c->last->state, CHIME__RUN_STATE__RUN_SKIPPED);
	story_end(&s);
	story_begin(&s);
	c = story_define(&s, "me", "consumer", NULL, "success(a)");
	c->overlap = OVERLAP_PARALLEL;
	c->overlap_n = 2;
	for (int i = 0; i < 3; i++)
		succeed(&s, "me", "a", day);
	assert_int_equal(s.created, 3);
	assert_int_equal(c->last->state, CHIME__RUN_STATE__RUN_WAITING);
	assert_int_equal(engine_wait(&s.engine, c->last), WAIT_OVERLAP);
	story_end(&s);
}

/* Other cycles queue behind, in the order of their labels, 100 at most. */
static void test_queue_of_cycles(void **state)
{
	char label[NAME_LABEL_SIZE];
	size_t starting = 0;
	struct story s;
	struct job *c;

	(void)state;
	story_begin(&s);
	c = story_define(&s, "me", "consumer", NULL, "success(a)");
	succeed(&s, "me", "a", "2025-02-28");
	for (int i = 0; i < 101; i++) {
		s.model.turn++;
		snprintf(label, sizeof(label), "2025-%02d-%02d", 12 - i / 28, 28 - i % 28);
		succeed(&s, "me", "a", label);
	}
	assert_int_equal(s.created, 102);
	assert_int_equal(c->last->state, CHIME__RUN_STATE__RUN_SKIPPED);
	story_end_run(&s, "me", c->live, CHIME__RUN_STATE__RUN_SUCCESS);
	engine_decide(&s.engine);
	/* The oldest of those that wait came last but one. */
	for (const struct run *r = c->live; r; r = r->next_live)
		if (r->state == CHIME__RUN_STATE__RUN_STARTING) {
			assert_string_equal(r->cycle, "2025-09-13");
			starting++;
		}
	assert_int_equal(starting, 1);
	story_end(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once_true_stays_true),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_late_event_expires),
		cmocka_unit_test(test_disabled_job_lets_events_pass),
		cmocka_unit_test(test_loading_starts_nothing),
		cmocka_unit_test(test_overlap_skip_and_parallel),
		cmocka_unit_test(test_queue_of_cycles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
