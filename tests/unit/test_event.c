#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/story.h"

static const char day[] = "2025-03-10";

static struct run *create(struct story *s, const char *server, const char *job)
{
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;
	Chime__Event body;

	story_init_event(s, &body);
	c.job = (char *)job;
	c.cycle = (char *)day;
	body.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	body.run_created = &c;
	assert_int_equal(story_tell(s, server, &body), EVENT_APPLIED);
	return model_find_run(&s->model, server, s->seq);
}

static enum event_verdict tell_start(struct story *s, const char *server, const struct run *run,
				     Chime__Event__BodyCase kind)
{
	Chime__RunStarting starting = CHIME__RUN_STARTING__INIT;
	Chime__RunStarted started = CHIME__RUN_STARTED__INIT;
	Chime__RunNotStarted not = CHIME__RUN_NOT_STARTED__INIT;
	Chime__RunKilling killing = CHIME__RUN_KILLING__INIT;
	Chime__RunRef ref = CHIME__RUN_REF__INIT;
	Chime__Event body;

	story_init_event(s, &body);
	ref.has_run = ref.has_attempt = true;
	ref.run = run->id.seq;
	ref.attempt = 1;
	starting.ref = started.ref = not.ref = killing.ref = &ref;
	started.time = 17;
	body.body_case = kind;
	if (kind == CHIME__EVENT__BODY_RUN_STARTING)
		body.run_starting = &starting;
	else if (kind == CHIME__EVENT__BODY_RUN_STARTED)
		body.run_started = &started;
	else if (kind == CHIME__EVENT__BODY_RUN_NOT_STARTED)
		body.run_not_started = &not;
	else
		body.run_killing = &killing;
	return story_tell(s, server, &body);
}

static void test_life_of_a_run(void **state)
{
	struct story s;
	struct run *run;

	(void)state;
	story_begin(&s);
	run = create(&s, "me", "a");
	assert_int_equal(run->state, CHIME__RUN_STATE__RUN_WAITING);
	assert_int_equal(tell_start(&s, "me", run, CHIME__EVENT__BODY_RUN_KILLING),
			 EVENT_NO_SUBJECT);
	assert_int_equal(tell_start(&s, "me", run, CHIME__EVENT__BODY_RUN_STARTING), EVENT_APPLIED);
	assert_int_equal(run->todo, RUN_DO_START);
	assert_int_equal(tell_start(&s, "me", run, CHIME__EVENT__BODY_RUN_STARTING),
			 EVENT_NO_SUBJECT);
	assert_int_equal(tell_start(&s, "me", run, CHIME__EVENT__BODY_RUN_NOT_STARTED),
			 EVENT_APPLIED);
	assert_int_equal(run->state, CHIME__RUN_STATE__RUN_WAITING);
	tell_start(&s, "me", run, CHIME__EVENT__BODY_RUN_STARTING);
	tell_start(&s, "me", run, CHIME__EVENT__BODY_RUN_STARTED);
	assert_int_equal(run->state, CHIME__RUN_STATE__RUN_RUNNING);
	assert_int_equal(run->started_us, 17);
	tell_start(&s, "me", run, CHIME__EVENT__BODY_RUN_KILLING);
	assert_int_equal(run->todo, RUN_DO_START | RUN_DO_KILL);
	assert_int_equal(story_end_run(&s, "me", run, CHIME__RUN_STATE__RUN_KILLED),
			 EVENT_APPLIED);
	assert_int_equal(story_end_run(&s, "me", run, CHIME__RUN_STATE__RUN_SUCCESS),
			 EVENT_NO_SUBJECT);
	assert_int_equal(run->state, CHIME__RUN_STATE__RUN_KILLED);
	story_end(&s);
}

/* Runs of others are known, never acted on. */
static void test_others_owe_nothing(void **state)
{
	struct story s;
	struct run *run;

	(void)state;
	story_begin(&s);
	run = create(&s, "other", "a");
	tell_start(&s, "other", run, CHIME__EVENT__BODY_RUN_STARTING);
	assert_int_equal(run->state, CHIME__RUN_STATE__RUN_STARTING);
	assert_int_equal(run->todo, 0);
	assert_null(s.model.todo_runs);
	/* And nobody ends the run of another server. */
	assert_int_equal(story_end_run(&s, "third", run, CHIME__RUN_STATE__RUN_SUCCESS),
			 EVENT_NO_SUBJECT);
	story_end(&s);
}

static void test_end_before_beginning(void **state)
{
	struct run unknown = { .id.seq = 2, .boot = 1, .tag = 7 };
	struct story s;
	struct run *run;

	(void)state;
	story_begin(&s);
	/* Lineage 2 tells how run 2 of lineage 1 ended before that run was heard of. */
	s.boot = 2;
	s.seq = 10;
	assert_int_equal(story_end_run(&s, "other", &unknown, CHIME__RUN_STATE__RUN_FAILED),
			 EVENT_NO_SUBJECT);
	s.boot = 1;
	s.seq = 1;
	run = create(&s, "other", "a");
	assert_int_equal(run->state, CHIME__RUN_STATE__RUN_FAILED);
	assert_int_equal(run->ended.boot, 2);
	assert_null(s.model.orphans);
	story_end(&s);
}

static void test_history_changes_no_hold(void **state)
{
	Chime__JobHeld held = CHIME__JOB_HELD__INIT;
	Chime__Event body;
	struct event e = { .body = &body, .ref = { .server = "other", .boot = 1, .seq = 9 } };
	struct story s;

	(void)state;
	story_begin(&s);
	story_init_event(&s, &body);
	held.job = "a";
	body.body_case = CHIME__EVENT__BODY_JOB_HELD;
	body.job_held = &held;
	e.history = true;
	assert_int_equal(event_apply(&s.model, &e), EVENT_APPLIED);
	assert_false(model_find_job(&s.model, "a", "other")->held);
	e.history = false;
	(void)event_apply(&s.model, &e);
	assert_true(model_find_job(&s.model, "a", "other")->held);
	story_end(&s);
}

static void test_bad_fields(void **state)
{
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;
	Chime__Event body;
	struct story s;

	(void)state;
	story_begin(&s);
	story_init_event(&s, &body);
	body.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	body.run_created = &c;
	assert_int_equal(story_tell(&s, "other", &body), EVENT_BAD_FIELDS);
	c.job = "no such name!";
	assert_int_equal(story_tell(&s, "other", &body), EVENT_BAD_FIELDS);
	c.job = "a";
	c.cycle = "a label that is far longer than any label that could ever be written";
	assert_int_equal(story_tell(&s, "other", &body), EVENT_BAD_FIELDS);
	body.body_case = (Chime__Event__BodyCase)1000;
	assert_int_equal(story_tell(&s, "other", &body), EVENT_UNKNOWN_KIND);
	assert_null(s.model.runs);
	story_end(&s);
}

static void test_references(void **state)
{
	struct event_ref ref = { .server = "db1", .boot = 1, .tag = 2, .seq = 3 }, back;
	Chime__EventRef wire;
	uint8_t hash[31] = { 0 };

	(void)state;
	ref.hash[5] = 9;
	event_ref_to_wire(&ref, &wire);
	assert_true(event_ref_from_wire(&wire, &back));
	assert_memory_equal(&ref, &back, sizeof(ref));
	wire.hash = (ProtobufCBinaryData){ sizeof(hash), hash };
	assert_false(event_ref_from_wire(&wire, &back));
	event_ref_to_wire(&ref, &wire);
	wire.server = "../x";
	assert_false(event_ref_from_wire(&wire, &back));
	assert_false(event_ref_from_wire(NULL, &back));
}

/* Every kind of the schema has a name of its own. */
static void test_kinds(void **state)
{
	const ProtobufCMessageDescriptor *type = &chime__event__descriptor;

	(void)state;
	for (unsigned i = 0; i < type->n_fields; i++)
		if (type->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
			assert_string_not_equal(event_kind_name((Chime__Event__BodyCase)
								type->fields[i].id), "unknown");
	assert_string_equal(event_kind_name((Chime__Event__BodyCase)1000), "unknown");
	for (int i = 0; i < EVENT_VERDICT_COUNT; i++)
		assert_string_not_equal(event_verdict_name((enum event_verdict)i), "unknown");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_a_run), cmocka_unit_test(test_others_owe_nothing),
		cmocka_unit_test(test_end_before_beginning),
		cmocka_unit_test(test_history_changes_no_hold), cmocka_unit_test(test_bad_fields),
		cmocka_unit_test(test_references), cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
