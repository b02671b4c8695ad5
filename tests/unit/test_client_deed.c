/* Unit test of client/monitor/deed.h: no key but y, where y is asked, does anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "client/monitor/monitor.h"
#include "client/monitor/screen.h"
#include "client/say.h"
#include "proto/names.h"

#define REPORT "eod/report@app1"
#define HOME "backup/home@nas1"
#define ARCHIVE "eod/archive@nas1"
#define IDLE "legacy/ftp-pull@app2"

struct fixture {
	struct book book;
	struct monitor m;
	struct moment now;
	struct order *last;		/* the newest order */
	size_t asked, acted, stopped, commands, quits;
	char command[256];
};

static void add_job(Chime__JobsReply *reply, Chime__JobRow *row, char *job, char *server,
		    char *state, uint64_t run, bool held)
{
	chime__job_row__init(row);
	row->job = job;
	row->server = server;
	row->state = state;
	row->has_run = run != 0;
	row->run = run;
	row->has_since = true;
	row->since = 1790000000000000;
	row->has_held = true;
	row->held = held;
	reply->job[reply->n_job++] = row;
}

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct monitor_options options = { .view = VIEW_JOBS, .utc = true };
	Chime__JobsReply reply = CHIME__JOBS_REPLY__INIT;
	Chime__JobRow rows[4], *list[4];

	assert_non_null(f);
	book_init(&f->book);
	monitor_init(&f->m, &f->book, &options);
	f->m.link.up = f->m.link.ever_up = true;
	snprintf(f->m.link.role, sizeof(f->m.link.role), "operator");
	f->now = (struct moment){ 1790000100000000, 5000000 };
	reply.job = list;
	reply.environment = "PROD";
	reply.server = "db1";
	add_job(&reply, &rows[0], "eod/report", "app1", "WAITING", 0, false);
	add_job(&reply, &rows[1], "backup/home", "nas1", "RUNNING", 8790, false);
	add_job(&reply, &rows[2], "eod/archive", "nas1", "HELD", 0, true);
	add_job(&reply, &rows[3], "legacy/ftp-pull", "app2", "SUCCESS", 7, false);
	book_begin_jobs(&f->book, true);
	book_add_jobs(&f->book, &reply);
	book_end_jobs(&f->book, &reply);
	*state = f;
	return 0;
}

static void take_wishes(struct fixture *f)
{
	struct wish *wish;

	while ((wish = monitor_take_wish(&f->m)) != NULL) {
		f->stopped += wish->kind == WISH_STOP;
		f->quits += wish->kind == WISH_QUIT;
		if (wish->kind == WISH_COMMAND) {
			f->commands++;
			snprintf(f->command, sizeof(f->command), "%s", wish->text);
		}
		if (wish->kind == WISH_ORDER) {
			assert_int_equal(wish->order->kind, ORDER_ACT);
			assert_int_equal(wish->carrier, CARRIER_HAND);
			f->asked += wish->order->dry;
			f->acted += !wish->order->dry;
			if (f->last != NULL)
				order_free(f->last);
			f->last = wish->order;
			wish->order = NULL;
		}
		wish_free(wish);
	}
}

static int end(void **state)
{
	struct fixture *f = *state;

	take_wishes(f);
	if (f->last != NULL)
		order_free(f->last);
	monitor_fini(&f->m);
	book_fini(&f->book);
	free(f);
	return 0;
}

static void press(struct fixture *f, int key)
{
	deed_key(&f->m, key, f->now);
	take_wishes(f);
}

static void type(struct fixture *f, const char *text)
{
	for (; *text != '\0'; text++)
		press(f, (unsigned char)*text);
}

static void open_for(struct fixture *f, const char *a, const char *b)
{
	char *target[2] = { (char *)(uintptr_t)a, (char *)(uintptr_t)b };

	deed_open(&f->m, target, b != NULL ? 2 : 1);
}

/* ---- answers ---- */

static char *unmet[] = { "NO  success(eod/load-positions@db1)  FAILED 22:07:13, exit 3" };
static char *downstream[] = { "eod/mail@app1", "eod/archive@nas1 (held)" };

static struct effect make_effect(const char *target, bool done)
{
	return (struct effect){ .target = (char *)(uintptr_t)target, .done = done, .exit = !done };
}

static char *draw(struct fixture *f, int rows, int cols);

/* Only what was on the screen can be answered. */
static void answer(struct fixture *f, struct effect *list, size_t count, const struct trouble *t)
{
	struct letter l = { .kind = ORDER_ACT, .done = true, .tag = f->last->tag };

	l.effects.list = list;
	l.effects.count = count;
	if (t != NULL)
		l.trouble = *t;
	assert_true(deed_take_letter(&f->m, &l, f->now));
	take_wishes(f);
	draw(f, 24, 80);
}

/* To where the question stands: force start of the report. */
static void open_force(struct fixture *f)
{
	struct effect e = make_effect(REPORT, true);

	e.user = "batch";
	e.unmet = unmet;
	e.unmet_count = 1;
	e.downstream = downstream;
	e.downstream_count = 2;
	open_for(f, REPORT, NULL);
	press(f, 'f');
	assert_int_equal(f->m.deed.state, DEED_ASKING);
	answer(f, &e, 1, NULL);
	assert_int_equal(f->m.deed.state, DEED_REASON);
}

static void open_kill(struct fixture *f)
{
	struct effect e = make_effect(HOME, true);

	e.run = 8790;
	e.what = "killing  8790@nas1  TERM now, KILL after kill_grace";
	open_for(f, HOME, NULL);
	press(f, 'k');
	answer(f, &e, 1, NULL);
	assert_int_equal(f->m.deed.state, DEED_CONFIRM);
}

static void open_hold_of_two(struct fixture *f)
{
	struct effect e[2] = { make_effect(REPORT, true), make_effect(IDLE, true) };

	open_for(f, REPORT, IDLE);
	press(f, 'h');
	answer(f, e, 2, NULL);
	assert_int_equal(f->m.deed.state, DEED_COUNT);
}

static const char *message(const struct fixture *f, size_t back)
{
	const struct monitor *m = &f->m;

	assert_true(back < m->message_count);
	return m->message[(m->message_first + m->message_count - 1 - back) %
			  MONITOR_MESSAGES_MAX].text;
}

/* ---- pictures ---- */

static char *draw(struct fixture *f, int rows, int cols)
{
	static char all[32768];
	char row[1024];
	struct canvas c;
	size_t len = 0;

	canvas_init(&c, rows, cols, false);
	deed_draw(&f->m, &c, f->now);
	all[0] = '\0';
	for (int i = 0; i < rows; i++) {
		canvas_text(&c, i, row, sizeof(row));
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s\n", row);
	}
	canvas_fini(&c);
	return all;
}

static void expect_in(const char *all, const char *part)
{
	if (strstr(all, part) == NULL)
		fail_msg("\"%s\" is not in\n%s", part, all);
}

static void the_force_dialog_is_as_designed(void **state)
{
	struct fixture *f = *state;

	open_force(f);
	type(f, "INC-4711 agreed with risk desk");
	assert_string_equal(draw(f, 24, 80),
		"\n\n\n\n"
		"  +-- PROD: Force start  eod/report@app1 -------------------------------------+\n"
		"  |                                                                           |\n"
		"  |  It will start now on app1 as user batch, and IGNORE:                     |\n"
		"  |    NOT MET  success(eod/load-positions@db1)  FAILED 22:07:13, exit 3      |\n"
		"  |  If it succeeds, 2 jobs may start at once: eod/mail@app1,                 |\n"
		"  |    eod/archive@nas1                                                       |\n"
		"  |  (eod/archive@nas1 is held and will not start)                            |\n"
		"  |                                                                           |\n"
		"  |  Reason (goes to the audit log):  INC-4711 agreed with risk desk          |\n"
		"  |                                                                           |\n"
		"  |  Same as:  chime start --force eod/report@app1 --reason 'INC-4711 \\       |\n"
		"  |            agreed with risk desk'                                         |\n"
		"  |                                                                           |\n"
		"  |  Enter or Tab: on to the question      Esc: do nothing                    |\n"
		"  +---------------------------------------------------------------------------+\n"
		"\n\n\n\n\n");
	press(f, PRESS_TAB);
	expect_in(draw(f, 24, 80),
		  "     [y] start it anyway        [n] or Esc: do nothing   (Enter: no)");
}

static void a_small_dialog_names_its_job(void **state)
{
	static const int sizes[][2] = { { 24, 80 }, { 20, 60 }, { 12, 40 }, { 8, 30 }, { 6, 20 } };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		open_force(f);
		expect_in(draw(f, sizes[i][0], sizes[i][1]), REPORT);
		press(f, PRESS_ESCAPE);
		open_kill(f);
		expect_in(draw(f, sizes[i][0], sizes[i][1]), HOME);
		press(f, PRESS_ESCAPE);
	}
}

static void a_name_without_room_is_not_asked_about(void **state)
{
	static const char job[] = "group-with-a-name/that-is-as-long-as-it-may-be-and-more@server";
	struct fixture *f = *state;
	struct effect e = make_effect(job, true);

	open_for(f, job, NULL);
	press(f, 'h');
	answer(f, &e, 1, NULL);
	expect_in(draw(f, 6, 20), "too small: Esc");
	press(f, 'y');
	assert_int_equal(f->acted, 0);
	draw(f, 24, 80);
	press(f, 'y');
	assert_int_equal(f->acted, 1);
}

static void dialogs_fit_into_less(void **state)
{
	static const struct { int rows, cols; } sizes[] = {
		{ 24, 80 }, { 20, 60 }, { 12, 40 }, { 8, 30 }, { 6, 20 },
	};
	struct fixture *f = *state;

	open_force(f);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *all = draw(f, sizes[i].rows, sizes[i].cols);
		assert_false(f->m.deed.too_small);
		expect_in(all, "Reason");
		expect_in(all, "PROD: Force");
		expect_in(all, "Esc: ");
	}
	expect_in(draw(f, 20, 60), "chime start --force eod/report@app1");
	/* What does not fit is reached by scrolling. */
	expect_in(draw(f, 12, 40), "NOT MET");
	type(f, "x");
	press(f, PRESS_ENTER);
	char seen[65536] = "";
	for (int i = 0; i < 40; i++) {
		strncat(seen, draw(f, 6, 20), sizeof(seen) - strlen(seen) - 1);
		expect_in(draw(f, 6, 20), "[y]");
		press(f, PRESS_DOWN);
	}
	expect_in(seen, "NOT MET");
	expect_in(seen, "chime start");
	expect_in(draw(f, 6, 20), "^");
	assert_int_equal(f->acted, 0);
}

static void a_screen_that_shows_nothing_confirms_nothing(void **state)
{
	struct fixture *f = *state;

	open_kill(f);
	expect_in(draw(f, 5, 80), "too small");
	press(f, 'y');
	assert_int_equal(f->acted, 0);
	draw(f, 24, 19);
	press(f, 'y');
	assert_int_equal(f->acted, 0);
	draw(f, 24, 80);
	press(f, 'y');
	assert_int_equal(f->acted, 1);
}

static void long_commands_can_still_be_pasted(void **state)
{
	struct fixture *f = *state;

	open_hold_of_two(f);
	char *all = draw(f, 20, 40);
	expect_in(all, "chime hold eod/report@app1 \\");
	expect_in(draw(f, 24, 80), "Same as:  chime hold eod/report@app1 legacy/ftp-pull@app2");
	/* What a shell would not take as it is. */
	struct effect e = make_effect("it's $HOME@app1", true);
	open_for(f, REPORT, NULL);
	press(f, 'h');
	answer(f, &e, 1, NULL);
	expect_in(draw(f, 24, 80), "chime hold 'it'\\''s $HOME@app1'");
}

/* ---- what acts ---- */

static void y_acts_once(void **state)
{
	struct fixture *f = *state;

	open_force(f);
	type(f, "yes, INC-4711");
	assert_int_equal(f->acted, 0);
	press(f, PRESS_ENTER);
	assert_int_equal(f->m.deed.state, DEED_CONFIRM);
	press(f, 'y');
	assert_int_equal(f->acted, 1);
	assert_int_equal(f->last->act, CHIME__REQUEST__BODY_START);
	assert_true(f->last->force && !f->last->dry);
	assert_string_equal(f->last->reason, "yes, INC-4711");
	assert_int_equal(f->last->target_count, 1);
	assert_string_equal(f->last->target[0], REPORT);
	press(f, 'y');
	assert_int_equal(f->acted, 1);
	struct effect e = make_effect(REPORT, true);
	e.run = 8840;
	e.what = "run 8840@app1 forced by alice";
	answer(f, &e, 1, NULL);
	assert_false(deed_is_open(&f->m.deed));
	assert_string_equal(message(f, 0), "started eod/report@app1 run 8840@app1 forced by alice");
}

static void a_force_needs_a_reason(void **state)
{
	struct fixture *f = *state;

	open_force(f);
	press(f, PRESS_ENTER);
	assert_int_equal(f->m.deed.state, DEED_REASON);
	type(f, "   ");
	press(f, PRESS_TAB);
	assert_int_equal(f->m.deed.state, DEED_REASON);
	expect_in(draw(f, 24, 80), "a force needs a reason");
	type(f, "y");
	assert_int_equal(f->acted, 0);
	assert_string_equal(f->m.deed.edit.text, "y");
	press(f, PRESS_TAB);
	assert_int_equal(f->m.deed.state, DEED_CONFIRM);
	press(f, PRESS_TAB);
	assert_int_equal(f->m.deed.state, DEED_REASON);
	type(f, "y");
	assert_string_equal(f->m.deed.edit.text, "yy");
	assert_int_equal(f->acted, 0);
}

static void a_kill_goes_to_the_run_that_was_shown(void **state)
{
	struct fixture *f = *state;

	open_kill(f);
	expect_in(draw(f, 24, 80), "RUNNING  backup/home@nas1: run 8790@nas1 will be killed: TERM");
	expect_in(draw(f, 24, 80), "Same as:  chime kill 8790@nas1");
	press(f, PRESS_TAB);
	type(f, "stuck");
	press(f, PRESS_ENTER);
	press(f, 'y');
	assert_int_equal(f->acted, 1);
	assert_string_equal(f->last->target[0], "8790@nas1");
	assert_string_equal(f->last->reason, "stuck");
}

static void the_number_must_be_right(void **state)
{
	struct fixture *f = *state;

	open_hold_of_two(f);
	press(f, 'y');
	type(f, "3");
	press(f, 'y');
	press(f, PRESS_ENTER);
	assert_int_equal(f->acted, 0);
	press(f, PRESS_BACKSPACE);
	type(f, "2");
	press(f, PRESS_ENTER);
	assert_int_equal(f->acted, 0);
	type(f, "2");
	press(f, 'y');			/* 22 */
	assert_int_equal(f->acted, 0);
	press(f, PRESS_BACKSPACE);
	press(f, 'y');
	assert_int_equal(f->acted, 1);
	assert_int_equal(f->last->target_count, 2);
}

static void only_what_may_be_done_is_counted_and_done(void **state)
{
	struct fixture *f = *state;
	struct effect e[3] = { make_effect(REPORT, true), make_effect("x@y", false),
			       make_effect(IDLE, true) };

	e[1].what = "x@y is running";
	e[1].hint = "chime why x@y";
	open_for(f, REPORT, IDLE);
	press(f, 'h');
	answer(f, e, 3, NULL);
	expect_in(draw(f, 24, 80), "1 of 3 may not be done:");
	expect_in(draw(f, 24, 80), "x@y is running");
	type(f, "3y");
	assert_int_equal(f->acted, 0);
	press(f, PRESS_BACKSPACE);
	type(f, "2y");
	assert_int_equal(f->acted, 1);
	assert_int_equal(f->last->target_count, 2);
	assert_string_equal(f->last->target[1], IDLE);
	answer(f, e, 3, NULL);
	assert_string_equal(message(f, 0), "held 2, refused 1: see :messages");
}

/* Every key in every state: an order that changes something only where y is asked. */
static void other_keys_do_nothing(void **state)
{
	struct fixture *f = *state;
	static const int wide[] = {
		PRESS_BACKSPACE, PRESS_UP, PRESS_DOWN, PRESS_LEFT, PRESS_RIGHT, PRESS_PAGE_UP,
		PRESS_PAGE_DOWN, PRESS_HOME, PRESS_END, PRESS_DELETE, PRESS_SHIFT_TAB, PRESS_F1,
		PRESS_F10, PRESS_WHEEL_UP, PRESS_CLICK, PRESS_OTHER, 0x20ac, 0x1f600, 'y' | 0x100,
	};
	enum { WIDE = sizeof(wide) / sizeof(wide[0]) };

	for (int at = 0; at < 7; at++) {
		for (int i = 0; i < 256 + WIDE; i++) {
			int key = i < 256 ? i : wide[i - 256];
			size_t before = f->acted;
			deed_fini(&f->m.deed);
			deed_init(&f->m.deed);
			switch (at) {
			case 0: open_for(f, HOME, NULL); break;
			case 1: open_for(f, HOME, NULL); press(f, 'k'); break;
			case 2: open_force(f); type(f, "z"); break;
			case 3: open_kill(f); break;
			case 4: open_hold_of_two(f); break;
			case 5: deed_open_command(&f->m, "kill x"); break;
			case 6: open_hold_of_two(f); type(f, "1"); break;
			}
			size_t done = f->commands;
			draw(f, 24, 80);
			press(f, key);
			if (at == 3 && key == 'y')
				assert_int_equal(f->acted, before + 1);
			else
				assert_int_equal(f->acted, before);
			assert_int_equal(f->commands, done + (at == 5 && key == 'y'));
			if (key == PRESS_ESCAPE)
				assert_false(deed_is_open(&f->m.deed));
		}
	}
}

static void random_keys_without_y_change_nothing(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 11;

	for (int i = 0; i < 30000; i++) {
		int key = rand_r(&seed) % 8 == 0 ? PRESS_BACKSPACE + rand_r(&seed) % 30
			: rand_r(&seed) % 128;
		if (!deed_is_open(&f->m.deed) && i % 3 == 0)
			open_for(f, HOME, NULL);
		else if (!deed_is_open(&f->m.deed))
			open_for(f, REPORT, ARCHIVE);
		if (f->m.deed.state == DEED_ASKING) {
			struct effect e[2] = { make_effect(REPORT, true),
					       make_effect(HOME, i % 2 == 0) };
			answer(f, e, 2, NULL);
		}
		press(f, key == 'y' ? 'Y' : key);
		draw(f, 3 + i % 30, 10 + i % 80);
	}
	assert_int_equal(f->acted, 0);
	assert_int_equal(f->commands, 0);
	assert_true(f->asked > 50);
}

static void enter_is_no(void **state)
{
	struct fixture *f = *state;

	open_kill(f);
	press(f, PRESS_ENTER);
	assert_false(deed_is_open(&f->m.deed));
	assert_string_equal(message(f, 0), "nothing was done");
	press(f, 'y');
	assert_int_equal(f->acted, 0);
}

static void targets_are_those_of_the_opening(void **state)
{
	struct fixture *f = *state;
	char key[] = REPORT, *target = key;
	struct effect e = make_effect(REPORT, true);

	deed_open(&f->m, &target, 1);
	memcpy(key, "xxx", 3);
	rows_go_to(&f->m.rows, HOME);
	press(f, 's');
	assert_string_equal(f->last->target[0], REPORT);
	answer(f, &e, 1, NULL);
	snprintf(f->m.subject, sizeof(f->m.subject), "%s", HOME);
	rows_tag(&f->m.rows, HOME, true);
	press(f, 'y');
	assert_string_equal(f->last->target[0], REPORT);
	assert_int_equal(f->last->target_count, 1);
}

/* ---- the menu ---- */

static void the_menu_says_what_is_allowed(void **state)
{
	struct fixture *f = *state;

	open_for(f, REPORT, NULL);
	char *all = draw(f, 24, 80);
	expect_in(all, "PROD: Act on  eod/report@app1");
	expect_in(all, "k  kill the running job");
	expect_in(all, "- not held");
	open_for(f, IDLE, NULL);
	expect_in(draw(f, 24, 80), "k  kill the running job              - not running");
	press(f, 'k');
	press(f, 'r');
	assert_int_equal(f->asked, 0);
	assert_int_equal(f->m.deed.state, DEED_MENU);
	open_for(f, HOME, NULL);
	expect_in(draw(f, 24, 80), "- running");
	open_for(f, HOME, IDLE);
	expect_in(draw(f, 24, 80), "- 1 of 2");
	press(f, 'k');
	assert_int_equal(f->asked, 1);
	assert_int_equal(f->last->target_count, 2);
}

static void who_may_only_look_is_told_why(void **state)
{
	struct fixture *f = *state;

	f->m.read_only = true;
	snprintf(f->m.read_only_why, sizeof(f->m.read_only_why), "CHIME_READONLY is set");
	open_for(f, HOME, NULL);
	expect_in(draw(f, 24, 80), "CHIME_READONLY is set");
	type(f, "sfkhr");
	assert_int_equal(f->asked, 0);
	f->m.read_only = false;
	/* The link may go while the question stands. */
	open_kill(f);
	f->m.link.up = false;
	press(f, 'y');
	assert_int_equal(f->acted, 0);
	assert_int_equal(f->m.deed.state, DEED_CONFIRM);
	expect_in(draw(f, 24, 80), "no link");
}

/* ---- refusals and lost answers ---- */

static void a_refusal_is_shown_and_only_esc_leaves(void **state)
{
	struct fixture *f = *state;
	struct effect e = make_effect(REPORT, false);

	e.what = "eod/report@app1 has conditions that are not met";
	e.why = unmet[0];
	e.hint = "chime why eod/report@app1      or start --force";
	open_for(f, REPORT, NULL);
	press(f, 's');
	answer(f, &e, 1, NULL);
	assert_int_equal(f->m.deed.state, DEED_REFUSED);
	char *all = draw(f, 24, 80);
	expect_in(all, "conditions that are not met");
	expect_in(all, "why: NO  success");
	expect_in(all, "try: chime why eod/report@app1");
	expect_in(all, "Esc: close");
	type(f, "y");
	press(f, PRESS_ENTER);
	assert_int_equal(f->acted, 0);
	assert_int_equal(f->m.deed.state, DEED_REFUSED);
	press(f, PRESS_ESCAPE);
	assert_false(deed_is_open(&f->m.deed));
}

static void an_answer_of_a_question_that_was_left_opens_nothing(void **state)
{
	struct fixture *f = *state;
	struct effect e = make_effect(HOME, true);

	open_for(f, HOME, NULL);
	press(f, 'k');
	press(f, PRESS_ESCAPE);
	assert_int_equal(f->stopped, 1);
	answer(f, &e, 1, NULL);
	assert_false(deed_is_open(&f->m.deed));
	/* Nor does it answer another one. */
	open_for(f, HOME, NULL);
	uint64_t old = f->last->tag;
	press(f, 'k');
	f->last->tag = old;
	answer(f, &e, 1, NULL);
	assert_int_equal(f->m.deed.state, DEED_ASKING);
}

static void a_lost_answer_is_told_with_what_can_be_repeated(void **state)
{
	struct fixture *f = *state;
	struct trouble t;

	trouble_set(&t, EXIT_UNREACHED, "no answer from nas1");
	trouble_why(&t, "it is not known whether the command had effect");
	trouble_hint(&t, "the same command with --key 00ff   (safe to repeat: it has effect once)");
	open_kill(f);
	press(f, PRESS_TAB);
	type(f, "it's stuck");
	press(f, PRESS_TAB);
	press(f, 'y');
	press(f, PRESS_ESCAPE);		/* the dialog may go: the answer is told all the same */
	assert_false(deed_is_open(&f->m.deed));
	answer(f, NULL, 0, &t);
	assert_string_equal(message(f, 0), "no answer from nas1: "
			    "it is not known whether the command had effect");
	assert_string_equal(message(f, 1), "safe to repeat: chime kill 8790@nas1 "
			    "--reason 'it'\\''s stuck' --key 00ff");
}

static void two_deeds_may_wait_at_once(void **state)
{
	struct fixture *f = *state;
	struct effect a = make_effect(HOME, true), b = make_effect(REPORT, true);

	open_kill(f);
	press(f, 'y');
	struct order *first = f->last;
	f->last = NULL;
	press(f, PRESS_ESCAPE);
	open_for(f, REPORT, NULL);
	press(f, 'h');
	answer(f, &b, 1, NULL);
	press(f, 'y');
	assert_int_equal(f->acted, 2);
	struct order *second = f->last;
	f->last = first;
	a.what = "killing  8790@nas1";
	answer(f, &a, 1, NULL);
	assert_string_equal(message(f, 0), "killing  8790@nas1  " HOME);
	assert_int_equal(f->m.deed.state, DEED_DOING);
	order_free(first);
	f->last = second;
	b.what = "held eod/report@app1";
	answer(f, &b, 1, NULL);
	assert_string_equal(message(f, 0), "held eod/report@app1");
	assert_false(deed_is_open(&f->m.deed));
}

static void a_command_that_acts_is_asked_about(void **state)
{
	struct fixture *f = *state;

	deed_open_command(&f->m, "kill backup/home@nas1");
	expect_in(draw(f, 24, 80), "chime kill backup/home@nas1");
	press(f, PRESS_ENTER);
	assert_int_equal(f->commands, 0);
	deed_open_command(&f->m, "kill backup/home@nas1");
	draw(f, 24, 80);
	press(f, 'y');
	assert_int_equal(f->commands, 1);
	assert_string_equal(f->command, "--yes kill backup/home@nas1");
	assert_int_equal(monitor_view(&f->m), VIEW_OUTPUT);
}

static void what_was_typed_ahead_answers_nothing(void **state)
{
	struct fixture *f = *state;
	struct effect e = make_effect(HOME, true);

	e.run = 8790;
	open_for(f, HOME, NULL);
	draw(f, 24, 80);
	press(f, 'k');
	draw(f, 24, 80);
	struct letter l = { .kind = ORDER_ACT, .done = true, .tag = f->last->tag };
	l.effects = (struct effects){ .list = &e, .count = 1 };
	deed_take_letter(&f->m, &l, f->now);
	assert_int_equal(f->m.deed.state, DEED_CONFIRM);
	press(f, 'y');
	assert_int_equal(f->acted, 0);
	assert_int_equal(f->m.deed.state, DEED_CONFIRM);
	draw(f, 24, 80);
	press(f, 'y');
	assert_int_equal(f->acted, 1);
	deed_open_command(&f->m, "kill backup/home@nas1");
	press(f, 'y');
	assert_int_equal(f->commands, 0);
	draw(f, 5, 20);
	press(f, 'y');
	assert_int_equal(f->commands, 0);
	draw(f, 24, 80);
	press(f, 'y');
	assert_int_equal(f->commands, 1);
}

/* What is pasted is let through while a text is typed; a number and y would be an answer. */
static void no_answer_can_be_pasted(void **state)
{
	struct fixture *f = *state;

	open_hold_of_two(f);
	assert_false(monitor_is_typing(&f->m));
	press(f, PRESS_TAB);
	assert_int_equal(f->m.deed.state, DEED_REASON);
	assert_true(monitor_is_typing(&f->m));
}

static void a_reason_that_says_yes_is_no_yes(void **state)
{
	struct fixture *f = *state;

	deed_open_command(&f->m, "kill backup/home@nas1 --reason 'no--yes'");
	draw(f, 24, 80);
	press(f, 'y');
	assert_int_equal(f->commands, 1);
	assert_string_equal(f->command, "--yes kill backup/home@nas1 --reason 'no--yes'");
	deed_open_command(&f->m, "kill -- backup/home@nas1");
	draw(f, 24, 80);
	press(f, 'y');
	assert_string_equal(f->command, "--yes kill -- backup/home@nas1");
}

/* All jobs tagged: a draw costs what the dialog shows and once each target, not their square. */
static void ten_thousand_targets_are_drawn(void **state)
{
	enum { COUNT = 10000 };
	struct fixture *f = *state;
	struct effect *list = calloc(COUNT, sizeof(*list));
	char **target = calloc(COUNT, sizeof(*target));
	struct timespec from, to;

	assert_true(list != NULL && target != NULL);
	for (size_t i = 0; i < COUNT; i++) {
		target[i] = say_format("some/folder/job-%zu@server-%zu", i, i % 50);
		list[i] = make_effect(target[i], i % 2 == 0);
	}
	deed_open(&f->m, target, COUNT);
	press(f, 'h');
	assert_int_equal(f->last->target_count, COUNT);
	answer(f, list, COUNT, NULL);
	clock_gettime(CLOCK_MONOTONIC, &from);
	expect_in(draw(f, 24, 80), "5000 targets");
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("a dialog of 10,000 targets: %.1f ms\n", (double)(to.tv_sec - from.tv_sec) * 1e3 +
	       (double)(to.tv_nsec - from.tv_nsec) / 1e6);
	type(f, "5000y");
	assert_int_equal(f->acted, 1);
	assert_int_equal(f->last->target_count, COUNT / 2);
	for (size_t i = 0; i < COUNT; i++)
		free(target[i]);
	free(target);
	free(list);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(the_force_dialog_is_as_designed),
		TEST(a_small_dialog_names_its_job),
		TEST(a_name_without_room_is_not_asked_about),
		TEST(dialogs_fit_into_less),
		TEST(a_screen_that_shows_nothing_confirms_nothing),
		TEST(long_commands_can_still_be_pasted),
		TEST(y_acts_once),
		TEST(a_force_needs_a_reason),
		TEST(a_kill_goes_to_the_run_that_was_shown),
		TEST(the_number_must_be_right),
		TEST(only_what_may_be_done_is_counted_and_done),
		TEST(other_keys_do_nothing),
		TEST(random_keys_without_y_change_nothing),
		TEST(enter_is_no),
		TEST(targets_are_those_of_the_opening),
		TEST(the_menu_says_what_is_allowed),
		TEST(who_may_only_look_is_told_why),
		TEST(a_refusal_is_shown_and_only_esc_leaves),
		TEST(an_answer_of_a_question_that_was_left_opens_nothing),
		TEST(a_lost_answer_is_told_with_what_can_be_repeated),
		TEST(two_deeds_may_wait_at_once),
		TEST(a_command_that_acts_is_asked_about),
		TEST(what_was_typed_ahead_answers_nothing),
		TEST(no_answer_can_be_pasted),
		TEST(a_reason_that_says_yes_is_no_yes),
		TEST(ten_thousand_targets_are_drawn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
