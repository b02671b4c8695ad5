/* Messages as text: one line, harmless, nothing lost. */
#include "proto/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *clean(const char *text)
{
	static char out[512];

	show_clean(text, strlen(text), out, sizeof(out));
	return out;
}

static void test_clean(void **state)
{
	(void)state;
	assert_string_equal(clean("eod/report@app1"), "eod/report@app1");
	assert_string_equal(clean("\033[31mred"), "\\x1b[31mred");
	assert_string_equal(clean("a\nb\tc\x7f"), "a\\x0ab\\x09c\\x7f");
	assert_string_equal(clean("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(clean("\xf0\x9f\x94\x94"), "\xf0\x9f\x94\x94");
	/* C1 controls, overlong forms, surrogates, halves, overrides */
	assert_string_equal(clean("\xc2\x9b" "31m"), "\\xc2\\x9b31m");
	assert_string_equal(clean("\xc0\xaf"), "\\xc0\\xaf");
	assert_string_equal(clean("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
	assert_string_equal(clean("\xed\xa0\x80"), "\\xed\\xa0\\x80");
	assert_string_equal(clean("\xe2\x82"), "\\xe2\\x82");
	assert_string_equal(clean("\xe2\x80\xae" "gpj"), "\\xe2\\x80\\xaegpj");
	assert_string_equal(clean("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");
}

static void test_clean_cuts_on_a_character(void **state)
{
	(void)state;
	char out[4];

	assert_int_equal(show_clean("abcdef", 6, out, sizeof(out)), 3);
	assert_string_equal(out, "abc");
	assert_int_equal(show_clean("ab\xc3\xbc", 4, out, sizeof(out)), 2);
	assert_string_equal(out, "ab");
	assert_int_equal(show_clean("\x01", 1, out, sizeof(out)), 0);
	assert_string_equal(out, "");
	assert_int_equal(show_clean("x", 1, out, 0), 0);
}

static void test_every_kind_has_a_name(void **state)
{
	(void)state;
	const ProtobufCMessageDescriptor *d = &chime__event__descriptor;
	char kind[SHOW_KIND_SIZE];
	size_t kinds = 0;

	for (unsigned i = 0; i < d->n_fields; i++) {
		if (!(d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
			continue;
		Chime__Event event = CHIME__EVENT__INIT;
		event.body_case = (Chime__Event__BodyCase)d->fields[i].id;
		show_event_kind(&event, kind);
		assert_non_null(strchr(kind, kind[0] == 'a' ? 'a' : '.'));
		assert_null(strchr(kind, ' '));
		kinds++;
	}
	assert_true(kinds >= 17);
	Chime__Event none = CHIME__EVENT__INIT;
	show_event_kind(&none, kind);
	assert_string_equal(kind, "none");
	none.body_case = CHIME__EVENT__BODY_RUN_NOT_STARTED;
	show_event_kind(&none, kind);
	assert_string_equal(kind, "run.not_started");
}

static void test_run_ended(void **state)
{
	(void)state;
	Chime__RunRef ref = CHIME__RUN_REF__INIT;
	Chime__RunEnded ended = CHIME__RUN_ENDED__INIT;
	Chime__Event event = CHIME__EVENT__INIT;
	char text[SHOW_LINE_SIZE];

	ref.has_run = true;
	ref.run = 8831;
	ref.job = (char *)"eod/load";
	ended.ref = &ref;
	ended.has_state = true;
	ended.state = CHIME__RUN_STATE__RUN_FAILED;
	ended.has_exit_code = true;
	ended.exit_code = 3;
	ended.has_user_us = true;
	ended.user_us = 1500000;
	ended.has_ended = true;
	ended.ended = INT64_C(1795208400000000);
	ended.detail = (char *)"bad\033[2Jthing here";
	event.body_case = CHIME__EVENT__BODY_RUN_ENDED;
	event.run_ended = &ended;
	event.actor = (char *)"alice";
	event.reason = (char *)"INC 4711";
	assert_string_equal(show_event_job(&event), "eod/load");
	assert_int_equal(show_event_run(&event, 9000), 8831);
	size_t len = show_event_text(&event, text, sizeof(text));
	assert_int_equal(len, strlen(text));
	assert_non_null(strstr(text, "state=SUCCESS") == NULL ? strstr(text, "state=FAILED")
							      : NULL);
	assert_non_null(strstr(text, "exit_code=3"));
	assert_non_null(strstr(text, "user_us=1.500s"));
	assert_non_null(strstr(text, "ended=2026-11-20T"));
	assert_non_null(strstr(text, "by=alice"));
	assert_non_null(strstr(text, "reason=\"INC 4711\""));
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "ref="));
	/* Cut, never overrun. */
	for (size_t size = 0; size < 60; size++) {
		char *small = malloc(size + 1);
		memset(small, '#', size + 1);
		size_t n = show_event_text(&event, small, size);
		assert_true(size == 0 || n < size);
		assert_int_equal(small[size], '#');
		free(small);
	}
}

static void test_references_and_lists(void **state)
{
	(void)state;
	Chime__EventRef by = CHIME__EVENT_REF__INIT, *proofs[] = { &by, &by };
	char *unmet[] = { (char *)"success(a@b)", (char *)"x y" };
	Chime__RunCreated created = CHIME__RUN_CREATED__INIT;
	Chime__Event event = CHIME__EVENT__INIT;
	char text[SHOW_LINE_SIZE];

	by.server = (char *)"db1";
	by.has_seq = true;
	by.seq = 8820;
	created.job = (char *)"eod/report";
	created.has_cause = true;
	created.cause = CHIME__CAUSE__CAUSE_CONDITION;
	created.by = &by;
	created.proof = proofs;
	created.n_proof = 2;
	created.unmet = unmet;
	created.n_unmet = 2;
	event.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	event.run_created = &created;
	show_event_text(&event, text, sizeof(text));
	assert_string_equal(text, "cause=CONDITION unmet=success(a@b),\"x y\" by=db1:8820 "
			    "proof=db1:8820,db1:8820");
	assert_int_equal(show_event_run(&event, 77), 77);
	assert_string_equal(show_event_job(&event), "eod/report");
}

/* What a newer program may send: a kind and fields that this one does not know. */
static void test_unknown_kind(void **state)
{
	(void)state;
	static const uint8_t bytes[] = { 0x08, 0x02, 0xea, 0x04, 0x01, 'x' };	/* 1: 2, 77: "x" */
	Chime__Event *event = chime__event__unpack(NULL, sizeof(bytes), bytes);
	char kind[SHOW_KIND_SIZE], text[SHOW_LINE_SIZE];

	assert_non_null(event);
	show_event_kind(event, kind);
	assert_string_equal(kind, "unknown.77");
	assert_null(show_event_job(event));
	assert_int_equal(show_event_run(event, 5), 0);
	assert_int_equal(show_event_text(event, text, sizeof(text)), 0);
	chime__event__free_unpacked(event, NULL);
}

static void test_states_and_causes(void **state)
{
	(void)state;
	assert_string_equal(show_run_state(CHIME__RUN_STATE__RUN_SUCCESS), "SUCCESS");
	assert_string_equal(show_run_state(CHIME__RUN_STATE__RUN_NONE), "UNKNOWN");
	assert_string_equal(show_run_state((Chime__RunState)99), "UNKNOWN");
	assert_string_equal(show_cause(CHIME__CAUSE__CAUSE_FORCE), "force");
	assert_string_equal(show_cause((Chime__Cause)99), "none");
	assert_null(show_enum_name(&chime__cause__descriptor, 99));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_clean_cuts_on_a_character),
		cmocka_unit_test(test_every_kind_has_a_name),
		cmocka_unit_test(test_run_ended),
		cmocka_unit_test(test_references_and_lists),
		cmocka_unit_test(test_unknown_kind),
		cmocka_unit_test(test_states_and_causes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
