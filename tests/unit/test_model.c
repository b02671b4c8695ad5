#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/story.h"

static void test_jobs(void **state)
{
	struct story s;
	struct job *job;

	(void)state;
	story_begin(&s);
	assert_null(model_find_job(&s.model, "a", "me"));
	job = model_mention_job(&s.model, "a", "me");
	assert_ptr_equal(model_mention_job(&s.model, "a", "me"), job);
	assert_string_equal(job->key, "a@me");
	assert_true(job->own && !job->defined);
	assert_false(model_mention_job(&s.model, "a", "other")->own);
	story_end(&s);
}

static void test_runs_retire(void **state)
{
	struct story s;
	struct job *job;
	struct run *first, *second;

	(void)state;
	story_begin(&s);
	job = model_mention_job(&s.model, "a", "me");
	first = model_add_run(&s.model, job, 5);
	second = model_add_run(&s.model, job, 3);
	assert_ptr_equal(job->last, first);
	assert_ptr_equal(job->live, second);	/* oldest first */
	run_set_state(&s.model, second, CHIME__RUN_STATE__RUN_RUNNING);
	assert_int_equal(s.model.live_own, 1);
	run_set_state(&s.model, second, CHIME__RUN_STATE__RUN_SUCCESS);
	assert_int_equal(s.model.live_own, 0);
	assert_null(model_find_run(&s.model, "me", 3));
	run_set_state(&s.model, first, CHIME__RUN_STATE__RUN_FAILED);
	run_set_state(&s.model, first, CHIME__RUN_STATE__RUN_SUCCESS);
	/* A terminal state never changes, and the newest run stays. */
	assert_int_equal(first->state, CHIME__RUN_STATE__RUN_FAILED);
	assert_ptr_equal(model_find_run(&s.model, "me", 5), first);
	assert_null(job->live);
	model_clean(&s.model);
	story_end(&s);
}

static void test_heap(void **state)
{
	static const int64_t times[] = { 50, 20, 70, 10, 60, 30, 40 };
	struct story s;
	char name[16];

	(void)state;
	story_begin(&s);
	for (size_t i = 0; i < 7; i++) {
		struct slot slot = { .utc_s = times[i] };

		snprintf(name, sizeof(name), "j%zu", i);
		model_set_next(&s.model, model_mention_job(&s.model, name, "me"), &slot);
	}
	model_set_next(&s.model, model_find_job(&s.model, "j1", "me"), NULL);
	for (int64_t want = 10; want <= 70; want += want == 10 ? 20 : 10) {
		assert_int_equal(s.model.due[0]->next.utc_s, want);
		model_set_next(&s.model, s.model.due[0], NULL);
	}
	assert_int_equal(s.model.due_count, 0);
	story_end(&s);
}

static struct event_ref ref_of(uint64_t boot, uint64_t seq)
{
	struct event_ref ref = { .server = "me", .boot = boot, .tag = 1, .seq = seq };

	return ref;
}

static void test_facts(void **state)
{
	struct event_ref old = ref_of(1, 900), new = ref_of(2, 10);
	struct story s;
	struct job *job;
	unsigned had;

	(void)state;
	story_begin(&s);
	job = model_mention_job(&s.model, "a", "me");
	assert_int_equal(fact_note(job, "2025-03-10", CHIME__RUN_STATE__RUN_SUCCESS, &new, 5, &had),
			 1u << ATOM_SUCCESS | 1u << ATOM_DONE);
	assert_int_equal(had, 0);
	(void)fact_note(job, "2025-03-10", CHIME__RUN_STATE__RUN_SUCCESS, &old, 6, &had);
	/* The order is that of lineages, not of arrival. */
	assert_int_equal(fact_newest(job, "2025-03-10", ATOM_SUCCESS, NULL)->seq, 10);
	assert_null(fact_newest(job, "2025-03-10", ATOM_FAILURE, NULL));
	assert_null(fact_newest(job, "2025-03-11", ATOM_SUCCESS, NULL));
	assert_non_null(fact_newest(job, "2025-03-10T10:00:00+00:00", ATOM_DONE, NULL));
	assert_null(fact_newest(job, "2025-03-10", ATOM_DONE, "2025-03-10"));
	assert_int_equal(fact_note(job, "x", CHIME__RUN_STATE__RUN_SKIPPED, &new, 5, &had), 0);
	model_forget_facts(&s.model, 7);
	assert_null(fact_newest(job, "2025-03-10", ATOM_SUCCESS, NULL));
	story_end(&s);
}

static void test_seen(void **state)
{
	struct event_ref a = ref_of(1, 5), b = ref_of(1, 6);
	struct story s;
	struct job *job;

	(void)state;
	story_begin(&s);
	job = model_mention_job(&s.model, "c", "me");
	model_note_seen(&s.model, job, "2025-03-10", &a, 10);
	model_note_seen(&s.model, job, "2025-03-10", &a, 10);
	assert_true(model_has_seen(&s.model, job, "2025-03-10", &a));
	assert_false(model_has_seen(&s.model, job, "2025-03-10", &b));
	assert_false(model_has_seen(&s.model, job, "2025-03-11", &a));
	model_forget_facts(&s.model, 11);
	assert_false(model_has_seen(&s.model, job, "2025-03-10", &a));
	story_end(&s);
}

static void test_definition(void **state)
{
	struct story s;
	struct job *job, *producer;

	(void)state;
	story_begin(&s);
	job = story_define(&s, "me", "c", NULL, "success(a@x) and done(a@x)");
	producer = model_find_job(&s.model, "a", "x");
	assert_int_equal(producer->consumer_count, 1);
	story_define(&s, "me", "c", NULL, "success(b@x)");
	assert_int_equal(producer->consumer_count, 0);
	/* A condition of a later version is kept as text and starts nothing. */
	story_define(&s, "me", "c", NULL, "running(b@x)");
	assert_false(job->has_condition);
	assert_string_equal(job->after, "running(b@x)");
	/* The first slot of a new schedule lies after the definition. */
	story_define(&s, "me", "c", "10s", NULL);
	assert_int_equal(job->cursor_s, wall_seconds(s.engine.now.wall));
	story_end(&s);
}

static void test_words(void **state)
{
	struct event_ref ref = ref_of(1, 8820);
	char text[NAME_SERVER_MAX + 24];

	(void)state;
	event_ref_format(&ref, text);
	assert_string_equal(text, "me:8820");
	for (int i = 0; i <= CHIME__RUN_STATE__RUN_CANCELLED; i++) {
		assert_true(run_state_name((Chime__RunState)i)[0]);
		assert_int_equal(strlen(run_state_code((Chime__RunState)i)), 2);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(run_state_name((Chime__RunState)i),
						run_state_name((Chime__RunState)j));
	}
	assert_string_equal(run_state_name((Chime__RunState)99), "IDLE");
	assert_string_equal(cause_name(CHIME__CAUSE__CAUSE_FORCE), "force");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs), cmocka_unit_test(test_runs_retire),
		cmocka_unit_test(test_heap), cmocka_unit_test(test_facts),
		cmocka_unit_test(test_seen), cmocka_unit_test(test_definition),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
