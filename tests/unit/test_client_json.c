/* JSON of the client: the members the contract names, always there; and the demo's figures. */
#include "client/json.h"

#include "client/demo_show.h"
#include "client/cmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *const run_members[] = {
	"job", "server", "run", "state", "exit", "signal", "cycle", "slot", "cause", "forced",
	"by", "reason", "attempts", "created", "started", "ended", "late_s", "proofs",
};

static const char *const job_members[] = {
	"name", "server", "state", "code", "late", "since", "next", "run", "exit", "usual_s",
	"blocked_by", "root", "held_by", "note", "stale",
};

static char *compact(json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(value);
	return text;
}

static void assert_json(json_t *value, const char *expected)
{
	char *text = compact(value);

	assert_string_equal(text, expected);
	free(text);
}

static void test_empty_rows_have_every_member(void **state)
{
	(void)state;
	Chime__RunRow run = CHIME__RUN_ROW__INIT;
	Chime__JobRow job = CHIME__JOB_ROW__INIT;
	json_t *r = json_run(&run, false), *j = json_job(&job);

	for (size_t i = 0; i < sizeof(run_members) / sizeof(run_members[0]); i++)
		assert_non_null(json_object_get(r, run_members[i]));
	for (size_t i = 0; i < sizeof(job_members) / sizeof(job_members[0]); i++)
		assert_non_null(json_object_get(j, job_members[i]));
	assert_true(json_is_null(json_object_get(r, "exit")));
	assert_true(json_is_null(json_object_get(r, "signal")));
	assert_true(json_is_null(json_object_get(r, "ended")));
	assert_true(json_is_array(json_object_get(r, "proofs")));
	assert_true(json_is_null(json_object_get(j, "run")));
	json_decref(r);
	json_decref(j);
}

static void test_run(void **state)
{
	(void)state;
	Chime__RunRow run = CHIME__RUN_ROW__INIT;
	char *proof[] = { (char *)"db1:8820" };

	run.job = (char *)"eod/report";
	run.server = (char *)"app1";
	run.has_run = true;
	run.run = 8831;
	run.state = (char *)"SUCCESS";
	run.has_exit_code = true;
	run.cycle = (char *)"2026-11-20";
	run.slot = (char *)"";
	run.cause = (char *)"condition";
	run.attempts = 1;
	run.has_created = run.has_started = true;
	run.created = INT64_C(1795208400000000);
	run.started = INT64_C(1795208400120000);
	run.has_late_us = true;
	run.late_us = 1500000;
	run.proof = proof;
	run.n_proof = 1;
	json_t *r = json_run(&run, false);
	assert_json(json_incref(json_object_get(r, "created")), "\"2026-11-20T21:00:00Z\"");
	assert_json(json_incref(json_object_get(r, "started")), "\"2026-11-20T21:00:00.120Z\"");
	assert_json(json_incref(json_object_get(r, "late_s")), "1.5");
	assert_json(json_incref(json_object_get(r, "slot")), "null");
	assert_json(json_incref(json_object_get(r, "exit")), "0");
	assert_json(json_incref(json_object_get(r, "proofs")), "[\"db1:8820\"]");
	assert_null(json_object_get(r, "attempt"));
	json_decref(r);
}

static void test_values(void **state)
{
	(void)state;
	static const uint8_t bytes[] = { 0x00, 0xab };

	assert_json(json_text(NULL), "null");
	assert_json(json_text("a\xff"), "\"a\\\\xff\"");
	assert_json(json_seconds(true, 3000000), "3");
	assert_json(json_seconds(false, 3000000), "null");
	assert_json(json_instant(false, 5), "null");
	assert_json(json_hex(bytes, 2), "\"00ab\"");
}

static void test_message(void **state)
{
	(void)state;
	Chime__RunEnded ended = CHIME__RUN_ENDED__INIT;

	ended.has_state = true;
	ended.state = CHIME__RUN_STATE__RUN_FAILED;
	ended.has_user_us = true;
	ended.user_us = 250000;
	json_t *o = json_message(&ended.base);
	assert_json(json_incref(json_object_get(o, "state")), "\"FAILED\"");
	assert_json(json_incref(json_object_get(o, "user_s")), "0.25");
	assert_true(json_is_null(json_object_get(o, "exit_code")));
	assert_true(json_is_null(json_object_get(o, "ref")));
	assert_null(json_object_get(o, "user_us"));
	json_decref(o);
}

static Chime__RunRow *new_run(size_t link, const char *cycle, const char *state, int64_t started,
			      int64_t ended)
{
	Chime__RunRow *run = calloc(1, sizeof(*run));

	chime__run_row__init(run);
	run->job = (char *)(uintptr_t)demo_chain[link];
	run->server = (char *)(uintptr_t)demo_chain_server[link];
	run->cycle = (char *)(uintptr_t)cycle;
	run->state = (char *)(uintptr_t)state;
	run->cause = (char *)(uintptr_t)(link == 0 ? "schedule" : "condition");
	run->has_started = run->has_ended = true;
	run->started = started;
	run->ended = ended;
	return run;
}

static void test_figures(void **state)
{
	(void)state;
	Chime__RunRow *rows[] = {
		new_run(2, "b", "SUCCESS", 2034000, 2040000),	/* 4 ms after its load */
		new_run(1, "b", "SUCCESS", 2020000, 2030000),	/* 10 ms after its extract */
		new_run(0, "b", "SUCCESS", 2000000, 2010000),
		new_run(1, "a", "FAILED", 1012000, 1020000),	/* 2 ms; no report follows */
		new_run(0, "a", "SUCCESS", 1000000, 1010000),
		new_run(0, "c", "FAILED", 1000000, 1015000),	/* of another cycle */
	};
	Chime__RunsReply runs = CHIME__RUNS_REPLY__INIT;
	struct demo_figures f;

	runs.run = rows;
	runs.n_run = sizeof(rows) / sizeof(rows[0]);
	demo_figures(&runs, &f);
	assert_int_equal(f.success, 4);
	assert_int_equal(f.failed, 2);
	assert_int_equal(f.chains, 1);
	assert_int_equal(f.pairs, 3);
	assert_json(demo_json(&f, 3), "{\"schema\":\"chime.demo/1\",\"servers\":3,\"runs\":"
		    "{\"success\":4,\"failed\":2},\"chains\":1,\"handoff_ms\":{\"median\":4.0,"
		    "\"worst\":10.0}}");
	runs.n_run = 0;
	demo_figures(&runs, &f);
	assert_json(demo_json(&f, 3), "{\"schema\":\"chime.demo/1\",\"servers\":3,\"runs\":"
		    "{\"success\":0,\"failed\":0},\"chains\":0,\"handoff_ms\":{\"median\":null,"
		    "\"worst\":null}}");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		free(rows[i]);
}

static void test_every_command_has_a_handler(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		if (commands[i].name != NULL && command_handler(&commands[i]) == NULL)
			fail_msg("%s has no handler", commands[i].name);
		if (commands[i].name == NULL)
			assert_null(command_handler(&commands[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_rows_have_every_member),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_every_command_has_a_handler),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
