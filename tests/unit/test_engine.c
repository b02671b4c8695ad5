/* What the engine decides; the shared vectors of conditions: conditions.jsonl in $CHIME_VECTORS,
 * else in tests/vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/unit/story.h"

static const char day[] = "2025-03-10";

/* ---- the vectors ---- */

struct expected { struct story *story; const json_t *runs; uint64_t seqs[16]; size_t next; };

static Chime__RunState outcome_of(const char *word)
{
	static const struct { const char *word; Chime__RunState state; } words[] = {
		{ "success", CHIME__RUN_STATE__RUN_SUCCESS },
		{ "failure", CHIME__RUN_STATE__RUN_FAILED },
		{ "timeout", CHIME__RUN_STATE__RUN_TIMEOUT },
		{ "killed", CHIME__RUN_STATE__RUN_KILLED },
		{ "lost", CHIME__RUN_STATE__RUN_LOST },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].state;
	fail_msg("unknown outcome %s", word);
	return CHIME__RUN_STATE__RUN_NONE;
}

static int compare_seqs(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void check_run(struct expected *e, const struct run *run, int line)
{
	const json_t *want = json_array_get(e->runs, e->next);
	const json_t *proofs = json_object_get(want, "proofs");
	uint64_t have[8], need[8];

	if (!want)
		fail_msg("line %d: a run too many", line);
	assert_int_equal(run->by.seq,
			 e->seqs[json_integer_value(json_object_get(want, "event")) - 1]);
	assert_int_equal(run->proof_count, json_array_size(proofs));
	for (size_t i = 0; i < run->proof_count; i++) {
		have[i] = run->proofs[i].seq;
		need[i] = e->seqs[json_integer_value(json_array_get(proofs, i)) - 1];
	}
	qsort(have, run->proof_count, sizeof(have[0]), compare_seqs);
	qsort(need, run->proof_count, sizeof(need[0]), compare_seqs);
	assert_memory_equal(have, need, run->proof_count * sizeof(have[0]));
	e->next++;
}

static void run_vector(const json_t *vector, int line)
{
	const json_t *events = json_object_get(vector, "events");
	struct expected e = { .runs = json_object_get(vector, "runs") };
	struct story s;
	struct job *consumer;

	story_begin(&s);
	consumer = story_define(&s, "me", "consumer", NULL,
				json_string_value(json_object_get(vector, "after")));
	assert_true(consumer->has_condition);
	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *event = json_array_get(events, i);
		size_t before = s.created;

		e.seqs[i] = story_result(&s, "me", json_string_value(json_array_get(event, 0)), day,
					 outcome_of(json_string_value(json_array_get(event, 1))));
		engine_decide(&s.engine);
		if (s.created == before)
			continue;
		assert_int_equal(s.created, before + 1);
		check_run(&e, consumer->last, line);
		assert_int_equal(consumer->last->state, CHIME__RUN_STATE__RUN_STARTING);
		story_end_run(&s, "me", consumer->last, CHIME__RUN_STATE__RUN_SUCCESS);
		engine_decide(&s.engine);
	}
	if (e.next != json_array_size(e.runs))
		fail_msg("line %d: %zu runs, not %zu", line, e.next, json_array_size(e.runs));
	story_end(&s);
}

static void test_vectors(void **state)
{
	const char *folder = getenv("CHIME_VECTORS");
	char path[4096], line[4096];
	int lines = 0;
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/conditions.jsonl", folder ? folder : "tests/vectors");
	f = fopen(path, "r");
	if (!f)
		fail_msg("no %s; give its folder in CHIME_VECTORS", path);
	while (fgets(line, sizeof(line), f)) {
		json_t *vector = json_loads(line, 0, NULL);

		assert_non_null(vector);
		run_vector(vector, ++lines);
		json_decref(vector);
	}
	fclose(f);
	assert_true(lines >= 30);
}

/* ---- conditions beyond the vectors ---- */

static void test_other_cycle(void **state)
{
	struct story s;

	(void)state;
	story_begin(&s);
	story_define(&s, "me", "consumer", NULL, "success(a) and success(b)");
	story_result(&s, "me", "a", "2025-03-09", CHIME__RUN_STATE__RUN_SUCCESS);
	story_result(&s, "me", "b", day, CHIME__RUN_STATE__RUN_SUCCESS);
	engine_decide(&s.engine);
	assert_int_equal(s.created, 0);
	story_result(&s, "me", "a", day, CHIME__RUN_STATE__RUN_SUCCESS);
	engine_decide(&s.engine);
	assert_int_equal(s.created, 1);
	story_end(&s);
}

static void test_coarser_event_for_each_finer_label(void **state)
{
	struct story s;
	struct job *c;

	(void)state;
	story_begin(&s);
	c = story_define(&s, "me", "consumer", NULL, "success(a) and success(b@other)");
	story_result(&s, "me", "a", "2025-03-10T10:00:00+00:00", CHIME__RUN_STATE__RUN_SUCCESS);
	story_result(&s, "me", "a", "2025-03-10T09:00:00+00:00", CHIME__RUN_STATE__RUN_SUCCESS);
	engine_decide(&s.engine);
	assert_int_equal(s.created, 0);
	story_result(&s, "other", "b", day, CHIME__RUN_STATE__RUN_SUCCESS);
	engine_decide(&s.engine);
	assert_int_equal(s.created, 2);
	assert_string_equal(c->live->cycle, "2025-03-10T09:00:00+00:00");
	story_end(&s);
}

static void test_queued_run_takes_newer_proofs(void **state)
{
	struct story s;
	struct job *c;

	(void)state;
	story_begin(&s);
	c = story_define(&s, "me", "consumer", NULL, "success(a)");
	for (int i = 0; i < 3; i++) {
		story_result(&s, "me", "a", day, CHIME__RUN_STATE__RUN_SUCCESS);
		engine_decide(&s.engine);
	}
	/* The first runs, the second waits, the third is taken in by the one that waits. */
	assert_int_equal(s.created, 2);
	assert_string_equal(s.last_kind, "run.proofs");
	assert_int_equal(c->last->state, CHIME__RUN_STATE__RUN_WAITING);
	assert_int_equal(engine_wait(&s.engine, c->last), WAIT_OVERLAP);
	story_end(&s);
}

static void test_seen_event_starts_nothing(void **state)
{
	struct event_ref ref = { .server = "other", .boot = 1, .tag = 7, .seq = 2 };
	struct story s;
	struct job *c;

	(void)state;
	story_begin(&s);
	c = story_define(&s, "me", "consumer", NULL, "success(a@other)");
	model_note_seen(&s.model, c, day, &ref, s.engine.now.wall.us);
	assert_int_equal(story_result(&s, "other", "a", day, CHIME__RUN_STATE__RUN_SUCCESS), 2);
	engine_decide(&s.engine);
	assert_int_equal(s.created, 0);
	story_end(&s);
}

static void test_no_downstream(void **state)
{
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;
	Chime__Event body;
	struct story s;

	(void)state;
	story_begin(&s);
	story_define(&s, "me", "consumer", NULL, "success(a)");
	story_init_event(&s, &body);
	c.job = "a";
	c.cycle = (char *)day;
	c.has_state = c.has_no_downstream = c.no_downstream = true;
	c.state = CHIME__RUN_STATE__RUN_SUCCESS;
	body.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	body.run_created = &c;
	story_tell(&s, "me", &body);
	engine_decide(&s.engine);
	assert_int_equal(s.created, 0);
	story_end(&s);
}

/* ---- slots ---- */

static void test_slots(void **state)
{
	struct story s;
	struct job *job;

	(void)state;
	story_begin(&s);
	job = story_define(&s, "me", "tick", "10s", NULL);
	engine_decide(&s.engine);
	assert_int_equal(s.created, 0);		/* loading starts nothing */
	assert_int_equal(engine_next_us(&s.model), s.engine.now.wall.us + 10 * USEC_PER_SEC);
	s.engine.now.wall.us += 10 * USEC_PER_SEC;
	engine_decide(&s.engine);
	assert_int_equal(s.created, 1);
	assert_string_equal(job->last->slot, "2025-03-10T10:00:10Z");
	assert_string_equal(job->last->cycle, "2025-03-10T10:00:10+00:00");
	engine_decide(&s.engine);
	assert_int_equal(s.created, 1);
	story_end(&s);
}

static void test_missed_slots(void **state)
{
	struct story s;
	struct job *job;

	(void)state;
	story_begin(&s);
	job = story_define(&s, "me", "tick", "10s", NULL);
	engine_decide(&s.engine);
	s.engine.now.wall.us += 35 * USEC_PER_SEC;
	engine_decide(&s.engine);
	/* The last of the three runs, late; the two before it are told as one range. */
	assert_int_equal(s.created, 1);
	assert_string_equal(job->last->slot, "2025-03-10T10:00:30Z");
	assert_int_equal(job->last->late_us, 5 * USEC_PER_SEC);
	story_end(&s);
}

static void test_unproven(void **state)
{
	struct story s;
	struct job *job;

	(void)state;
	story_begin(&s);
	job = story_define(&s, "me", "tick", "10s", NULL);
	engine_decide(&s.engine);
	s.engine.now.wall.us += 25 * USEC_PER_SEC;
	s.engine.unproven = true;
	s.engine.opened_s = wall_seconds(s.engine.now.wall);
	engine_decide(&s.engine);
	assert_int_equal(s.created, 0);
	assert_string_equal(s.last_kind, "slot.missed");
	s.engine.now.wall.us += 10 * USEC_PER_SEC;
	engine_decide(&s.engine);
	assert_int_equal(s.created, 1);
	assert_string_equal(job->last->slot, "2025-03-10T10:00:30Z");
	story_end(&s);
}

static void test_overlap_skips_slots(void **state)
{
	struct story s;
	struct job *job;

	(void)state;
	story_begin(&s);
	job = story_define(&s, "me", "tick", "10s", NULL);
	for (int i = 0; i < 3; i++) {
		engine_decide(&s.engine);
		s.engine.now.wall.us += 10 * USEC_PER_SEC;
	}
	assert_int_equal(s.created, 2);
	assert_int_equal(job->last->state, CHIME__RUN_STATE__RUN_SKIPPED);
	assert_non_null(job->live);
	assert_int_equal(job->live->state, CHIME__RUN_STATE__RUN_STARTING);
	story_end(&s);
}

static void test_slot_and_condition(void **state)
{
	struct story s;
	struct job *job;

	(void)state;
	story_begin(&s);
	job = story_define(&s, "me", "both", "10s", "success(a@other)");
	engine_decide(&s.engine);
	s.engine.now.wall.us += 10 * USEC_PER_SEC;
	engine_decide(&s.engine);
	assert_int_equal(engine_wait(&s.engine, job->last), WAIT_DEPS);
	story_result(&s, "other", "a", "2025-03-10T10:00:10+00:00",
		     CHIME__RUN_STATE__RUN_SUCCESS);
	engine_decide(&s.engine);
	assert_int_equal(s.created, 1);
	assert_int_equal(job->last->state, CHIME__RUN_STATE__RUN_STARTING);
	assert_int_equal(job->last->proof_count, 1);
	story_end(&s);
}

static void test_armed_run_expires(void **state)
{
	struct story s;
	struct job *job;
	struct run *run;

	(void)state;
	story_begin(&s);
	job = story_define(&s, "me", "both", "10s", "success(a@other)");
	engine_decide(&s.engine);
	s.engine.now.wall.us += 10 * USEC_PER_SEC;
	engine_decide(&s.engine);
	run = job->last;
	/* The end of the cycle after its own: the second slot from here. */
	s.engine.now.wall.us += 20 * USEC_PER_SEC;
	engine_decide(&s.engine);
	assert_int_equal(run->state, CHIME__RUN_STATE__RUN_EXPIRED);
	story_end(&s);
}

static void test_hold(void **state)
{
	Chime__JobHeld held = CHIME__JOB_HELD__INIT;
	Chime__JobReleased released = CHIME__JOB_RELEASED__INIT;
	Chime__Event body;
	struct story s;
	struct job *job;

	(void)state;
	story_begin(&s);
	job = story_define(&s, "me", "consumer", NULL, "success(a)");
	story_init_event(&s, &body);
	held.job = released.job = "consumer";
	body.body_case = CHIME__EVENT__BODY_JOB_HELD;
	body.job_held = &held;
	story_tell(&s, "me", &body);
	story_result(&s, "me", "a", day, CHIME__RUN_STATE__RUN_SUCCESS);
	engine_decide(&s.engine);
	assert_int_equal(engine_wait(&s.engine, job->last), WAIT_HOLD);
	body.body_case = CHIME__EVENT__BODY_JOB_RELEASED;
	body.job_released = &released;
	story_tell(&s, "me", &body);
	engine_decide(&s.engine);
	assert_int_equal(job->last->state, CHIME__RUN_STATE__RUN_STARTING);
	story_end(&s);
}

/* Two jobs that start each other would go on for ever. */
static void test_loop_is_held(void **state)
{
	struct story s;
	struct job *job;

	(void)state;
	story_begin(&s);
	job = story_define(&s, "me", "consumer", NULL, "success(a)");
	s.model.turn = 1;
	for (int i = 0; i < 2 * ENGINE_DECISIONS_MAX && !job->held; i++) {
		story_result(&s, "me", "a", day, CHIME__RUN_STATE__RUN_SUCCESS);
		engine_decide(&s.engine);
		if (job->live && job->live->state == CHIME__RUN_STATE__RUN_STARTING)
			story_end_run(&s, "me", job->live, CHIME__RUN_STATE__RUN_SUCCESS);
	}
	assert_true(job->held);
	story_end(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_other_cycle),
		cmocka_unit_test(test_coarser_event_for_each_finer_label),
		cmocka_unit_test(test_queued_run_takes_newer_proofs),
		cmocka_unit_test(test_seen_event_starts_nothing),
		cmocka_unit_test(test_no_downstream),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_missed_slots),
		cmocka_unit_test(test_unproven),
		cmocka_unit_test(test_overlap_skips_slots),
		cmocka_unit_test(test_slot_and_condition),
		cmocka_unit_test(test_armed_run_expires),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_loop_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
