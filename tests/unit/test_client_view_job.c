/* Unit test of the views of one job: detail and log (view_job.c), why (view_why.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/monitor/monitor.h"
#include "client/monitor/screen.h"
#include "client/say.h"

#define LOAD "eod/load@db1"
#define REPORT "eod/report@app1"

enum { ORDERS_MAX = 64 };

struct fixture {
	struct book book;
	struct monitor m;
	struct moment now;
	/* Orders by carrier, the newest one of each kind of question. */
	Chime__Request *show, *runs, *why, *log;
	uint64_t show_tag, runs_tag, why_tag, log_tag;
	size_t show_count, runs_count, why_count, log_count;
	bool log_at_owner, log_follow;
	uint64_t stopped[ORDERS_MAX];
	size_t stop_count;
	char *saved, *paged;
	char saved_path[64];
};

static void add_job(Chime__JobsReply *reply, Chime__JobRow *row, char *job, char *server,
		    char *state, uint64_t run, int exit_code)
{
	chime__job_row__init(row);
	row->job = job;
	row->server = server;
	row->state = state;
	row->has_run = run != 0;
	row->run = run;
	row->has_since = run != 0;
	row->since = 1790000000000000;
	row->has_exit_code = exit_code >= 0;
	row->exit_code = exit_code;
	reply->job[reply->n_job++] = row;
}

static void set_jobs(struct fixture *f, char *state, uint64_t run)
{
	Chime__JobsReply reply = CHIME__JOBS_REPLY__INIT;
	Chime__JobRow rows[2], *list[2];
	char *blocker = LOAD;

	reply.job = list;
	reply.environment = "PROD";
	reply.server = "db1";
	add_job(&reply, &rows[0], "eod/load", "db1", state, run, strcmp(state, "FAILED") ? -1 : 3);
	add_job(&reply, &rows[1], "eod/report", "app1", "WAITING", 0, -1);
	rows[1].blocked_by = &blocker;
	rows[1].n_blocked_by = 1;
	book_begin_jobs(&f->book, true);
	book_add_jobs(&f->book, &reply);
	book_end_jobs(&f->book, &reply);
}

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct monitor_options options = { .view = VIEW_JOBS, .utc = true };

	assert_non_null(f);
	book_init(&f->book);
	monitor_init(&f->m, &f->book, &options);
	f->m.link.up = f->m.link.ever_up = true;
	f->now = (struct moment){ 1790000100000000, 50000000 };
	set_jobs(f, "FAILED", 8831);
	*state = f;
	return 0;
}

static void keep(Chime__Request **kept, uint64_t *tag, size_t *count, Chime__Request *request,
		 const struct order *order)
{
	if (*kept != NULL)
		chime__request__free_unpacked(*kept, NULL);
	*kept = request;
	*tag = order->tag;
	++*count;
}

static void take_order(struct fixture *f, enum carrier carrier, const struct order *order)
{
	Chime__Request *r = chime__request__unpack(NULL, order->request_len, order->request);

	assert_non_null(r);
	assert_int_equal(order->kind, ORDER_ASK);
	switch (r->body_case) {
	case CHIME__REQUEST__BODY_SHOW:
		keep(&f->show, &f->show_tag, &f->show_count, r, order);
		break;
	case CHIME__REQUEST__BODY_RUNS:
		keep(&f->runs, &f->runs_tag, &f->runs_count, r, order);
		break;
	case CHIME__REQUEST__BODY_WHY:
		keep(&f->why, &f->why_tag, &f->why_count, r, order);
		break;
	case CHIME__REQUEST__BODY_LOG:
		assert_int_equal(carrier, CARRIER_LOG);
		f->log_at_owner = order->at_owner;
		f->log_follow = order->follow;
		keep(&f->log, &f->log_tag, &f->log_count, r, order);
		break;
	default: fail();
	}
}

static void take_wishes(struct fixture *f)
{
	struct wish *wish;

	while ((wish = monitor_take_wish(&f->m)) != NULL) {
		if (wish->kind == WISH_ORDER)
			take_order(f, wish->carrier, wish->order);
		if (wish->kind == WISH_STOP && f->stop_count < ORDERS_MAX)
			f->stopped[f->stop_count++] = wish->tag;
		char **data = wish->kind == WISH_SAVE ? &f->saved
			: wish->kind == WISH_PAGER ? &f->paged : NULL;
		if (data != NULL) {
			free(*data);
			*data = strndup(wish->data, wish->len);
		}
		if (wish->kind == WISH_SAVE)
			snprintf(f->saved_path, sizeof(f->saved_path), "%s", wish->text);
		wish_free(wish);
	}
}

static int end(void **state)
{
	struct fixture *f = *state;
	Chime__Request *kept[] = { f->show, f->runs, f->why, f->log };

	take_wishes(f);
	for (size_t i = 0; i < 4; i++) {
		if (kept[i] != NULL)
			chime__request__free_unpacked(kept[i], NULL);
	}
	free(f->saved);
	free(f->paged);
	monitor_fini(&f->m);
	book_fini(&f->book);
	free(f);
	return 0;
}

static bool was_stopped(const struct fixture *f, uint64_t tag)
{
	for (size_t i = 0; i < f->stop_count; i++) {
		if (f->stopped[i] == tag)
			return true;
	}
	return false;
}

static void press(struct fixture *f, int key)
{
	monitor_key(&f->m, key, -1, -1, f->now);
	take_wishes(f);
}

static char *draw(struct fixture *f, int rows, int cols)
{
	static char all[65536];
	char row[1024];
	struct canvas c;
	size_t len = 0;

	canvas_init(&c, rows, cols, false);
	monitor_draw(&f->m, &c, f->now);
	all[0] = '\0';
	for (int i = 0; i < rows; i++) {
		canvas_text(&c, i, row, sizeof(row));
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s\n", row);
	}
	canvas_fini(&c);
	take_wishes(f);
	return all;
}

static void expect_in(const char *all, const char *part)
{
	if (strstr(all, part) == NULL)
		fail_msg("\"%s\" is not in\n%s", part, all);
}

static void open_job(struct fixture *f, const char *key, bool log)
{
	snprintf(f->m.subject, sizeof(f->m.subject), "%s", key);
	f->m.subject_log = log;
	f->m.now = f->now;
	monitor_push(&f->m, VIEW_JOB);
	take_wishes(f);
}

static void pass(struct fixture *f, int64_t us)
{
	f->now.boot_us += us;
	f->now.wall_us += us;
}

/* ---- answers ---- */

static void give(struct fixture *f, uint64_t tag, Chime__Reply *reply, bool done,
		 const struct trouble *t)
{
	struct letter l = { .tag = tag, .kind = ORDER_ASK, .done = done, .reply = reply };

	if (t != NULL)
		l.trouble = *t;
	monitor_take_letter(&f->m, &l, f->now);
	take_wishes(f);
}

static void give_runs(struct fixture *f, uint64_t newest, size_t count, uint32_t attempts)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__RunsReply runs = CHIME__RUNS_REPLY__INIT;
	Chime__RunRow rows[8], *list[8];

	for (size_t i = 0; i < count; i++) {
		chime__run_row__init(&rows[i]);
		rows[i].job = "eod/load";
		rows[i].server = "db1";
		rows[i].run = newest - i;
		rows[i].state = i == 0 ? "FAILED" : "SUCCESS";
		rows[i].has_exit_code = true;
		rows[i].exit_code = i == 0 ? 3 : 0;
		rows[i].attempts = attempts;
		rows[i].has_created = rows[i].has_started = rows[i].has_ended = true;
		rows[i].created = rows[i].started = 1789999000000000 - (int64_t)i * 86400000000;
		rows[i].ended = rows[i].started + 242000000;
		rows[i].cause = "schedule";
		rows[i].has_forced = rows[i].forced = i == 1;
		rows[i].by = i == 1 ? "alice" : NULL;
		list[i] = &rows[i];
	}
	runs.run = list;
	runs.n_run = count;
	reply.body_case = CHIME__REPLY__BODY_RUNS;
	reply.runs = &runs;
	give(f, f->runs_tag, &reply, true, NULL);
}

static void give_show(struct fixture *f)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__ShowReply show = CHIME__SHOW_REPLY__INIT;
	Chime__JobDefined defined = CHIME__JOB_DEFINED__INIT;
	Chime__Line lines[2], *list[2] = { &lines[0], &lines[1] };
	char *consumer = REPORT;

	chime__line__init(&lines[0]);
	lines[0].what = "after";
	lines[0].verdict = "ok";
	lines[0].text = "success(eod/extract@db2)";
	lines[0].detail = "SUCCESS 21:58:55";
	chime__line__init(&lines[1]);
	lines[1].what = "hold";
	lines[1].verdict = "NO";
	lines[1].text = "held by bob";
	show.line = list;
	show.n_line = 2;
	show.consumer = &consumer;
	show.n_consumer = 1;
	show.schedule = "mon-fri at 22:00 Europe/Berlin";
	show.text = "name: eod/load\nuser: \"batch\"\n";
	defined.about = "loads positions";
	show.definition = &defined;
	reply.body_case = CHIME__REPLY__BODY_SHOW;
	reply.show = &show;
	give(f, f->show_tag, &reply, true, NULL);
}

static void give_log(struct fixture *f, const char *data, size_t len, uint64_t offset,
		     uint64_t total, bool live, bool done)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__LogReply log = CHIME__LOG_REPLY__INIT;

	log.has_data = log.has_offset = log.has_total = log.has_live = true;
	log.data.data = (uint8_t *)(uintptr_t)data;
	log.data.len = len;
	log.offset = offset;
	log.total = total;
	log.live = live;
	reply.body_case = CHIME__REPLY__BODY_LOG;
	reply.log = &log;
	give(f, f->log_tag, &reply, done, NULL);
}

static void give_text(struct fixture *f, const char *text, bool live, bool done)
{
	uint64_t offset = f->m.job.log_next;

	give_log(f, text, strlen(text), offset, offset + strlen(text), live, done);
}

/* ---- the job ---- */

static void everything_about_a_job_is_shown(void **state)
{
	struct fixture *f = *state;

	open_job(f, LOAD, false);
	assert_int_equal(f->show_count, 1);
	assert_string_equal(f->show->show->target, LOAD);
	assert_int_equal(f->runs_count, 1);
	assert_string_equal(f->runs->runs->target[0], LOAD);
	give_show(f);
	give_runs(f, 8831, 3, 2);
	assert_int_equal(f->log_count, 1);
	assert_string_equal(f->log->log->target, "8831@db1");
	assert_true(f->log->log->follow);
	assert_true(f->log_at_owner && f->log_follow);
	assert_true(f->log->log->last > 0);
	assert_int_equal(f->log->log->offset, 0);
	give_text(f, "loaded\nrefusing to commit\n", false, false);
	give_log(f, "", 0, 26, 26, false, true);
	char *all = draw(f, 24, 80);
	expect_in(all, LOAD);
	expect_in(all, "FAILED");
	expect_in(all, "exit 3");
	expect_in(all, "run 8831@db1  try 2  by schedule  4m02s  as user batch");
	expect_in(all, "needs  NO hold: held by bob   "
		  "ok success(eod/extract@db2) SUCCESS 21:58:55");
	expect_in(all, "then   WA eod/report@app1");
	expect_in(all, "when   mon-fri at 22:00 Europe/Berlin");
	expect_in(all, "about  loads positions");
	expect_in(all, ">8831");
	expect_in(all, "alice (forced)");
	expect_in(all, "log 8831  2 lines");
	expect_in(all, "refusing to commit");
}

static void smaller_screens_keep_the_log(void **state)
{
	static const struct { int rows, cols; } sizes[] = {
		{ 24, 80 }, { 20, 60 }, { 12, 40 }, { 9, 40 },
	};
	struct fixture *f = *state;

	open_job(f, LOAD, false);
	give_show(f);
	give_runs(f, 8831, 3, 1);
	give_text(f, "one\ntwo\nthe newest line\n", true, false);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *all = draw(f, sizes[i].rows, sizes[i].cols);
		expect_in(all, "eod/load");
		expect_in(all, "the newest line");
	}
}

static void another_run_stops_the_log_before(void **state)
{
	struct fixture *f = *state;

	open_job(f, LOAD, false);
	give_runs(f, 8831, 3, 1);
	uint64_t first = f->log_tag;
	give_text(f, "of the first\n", true, false);
	press(f, '[');
	press(f, ']');
	assert_int_equal(f->log_count, 3);
	assert_true(was_stopped(f, first));
	press(f, '[');
	assert_string_equal(f->log->log->target, "8830@db1");
	assert_int_equal(f->m.job.log.line_count, 0);
	/* What still comes of the first is nobody's. */
	uint64_t second = f->log_tag;
	f->log_tag = first;
	give_text(f, "late\n", true, false);
	assert_int_equal(f->m.job.log.line_count, 0);
	f->log_tag = second;
	press(f, PRESS_ESCAPE);
	assert_true(was_stopped(f, second));
	assert_int_equal(monitor_view(&f->m), VIEW_JOBS);
}

static void a_new_run_takes_the_log_unless_one_was_chosen(void **state)
{
	struct fixture *f = *state;

	open_job(f, LOAD, false);
	give_show(f);
	give_runs(f, 8831, 3, 1);
	give_log(f, "", 0, 0, 0, false, true);
	pass(f, 2000000);
	set_jobs(f, "RUNNING", 8840);
	draw(f, 24, 80);
	assert_int_equal(f->runs_count, 2);
	give_show(f);
	give_runs(f, 8840, 3, 1);
	assert_string_equal(f->log->log->target, "8840@db1");
	press(f, '[');
	assert_string_equal(f->log->log->target, "8839@db1");
	pass(f, 2000000);
	set_jobs(f, "FAILED", 8841);
	draw(f, 24, 80);
	give_show(f);
	give_runs(f, 8841, 4, 1);
	assert_string_equal(f->log->log->target, "8839@db1");
	assert_int_equal(f->m.job.run_at, 2);
}

static void a_change_is_asked_once_a_second_at_most(void **state)
{
	struct fixture *f = *state;

	open_job(f, LOAD, false);
	give_show(f);
	give_runs(f, 8831, 1, 1);
	draw(f, 24, 80);
	assert_int_equal(f->show_count, 1);
	for (uint64_t run = 8832; run < 8842; run++) {
		set_jobs(f, "RUNNING", run);
		draw(f, 24, 80);
		pass(f, 50000);
	}
	assert_int_equal(f->show_count, 1);
	pass(f, 1000000);
	draw(f, 24, 80);
	assert_int_equal(f->show_count, 2);
	/* Not while it is unanswered. */
	pass(f, 5000000);
	set_jobs(f, "FAILED", 8850);
	draw(f, 24, 80);
	assert_int_equal(f->show_count, 2);
}

static void another_attempt_has_another_output(void **state)
{
	struct fixture *f = *state;

	open_job(f, LOAD, false);
	give_show(f);
	give_runs(f, 8831, 1, 1);
	give_text(f, "try 1\n", false, true);
	assert_int_equal(f->log_count, 1);
	pass(f, 2000000);
	set_jobs(f, "RUNNING", 8831);
	draw(f, 24, 80);
	give_runs(f, 8831, 1, 2);
	assert_int_equal(f->log_count, 2);
	assert_int_equal(f->m.job.log.line_count, 0);
}

/* ---- the log ---- */

static void following_and_paused(void **state)
{
	struct fixture *f = *state;
	char line[32];

	open_job(f, LOAD, true);
	give_runs(f, 8831, 1, 1);
	for (int i = 0; i < 50; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		give_text(f, line, true, false);
	}
	char *all = draw(f, 24, 80);
	expect_in(all, "FOLLOW");
	expect_in(all, "line 49");
	press(f, PRESS_UP);
	for (int i = 0; i < 120; i++)
		give_text(f, "more\n", true, false);
	all = draw(f, 24, 80);
	expect_in(all, "PAUSED +120 lines");
	expect_in(all, "line 48");
	assert_null(strstr(all, "more"));
	press(f, 'f');
	all = draw(f, 24, 80);
	expect_in(all, "FOLLOW");
	expect_in(all, "more");
}

static void the_end_of_a_long_output_comes_first_and_home_brings_the_rest(void **state)
{
	struct fixture *f = *state;
	uint64_t total = 10 << 20;

	open_job(f, LOAD, true);
	give_runs(f, 8831, 1, 1);
	assert_true(f->log->log->has_last);
	give_log(f, "alf a line\nlast\n", 16, total - 16, total, false, false);
	give_log(f, "", 0, total, total, false, true);
	char *all = draw(f, 24, 80);
	assert_null(strstr(all, "alf a line"));
	expect_in(all, "last 1 line ");
	expect_in(all, "10240 kB");
	press(f, PRESS_HOME);
	assert_int_equal(f->log_count, 2);
	assert_int_equal(f->log->log->last, 0);
	assert_int_equal(f->log->log->offset, 0);
	give_log(f, "first\nsecond\n", 13, 0, total, false, false);
	all = draw(f, 24, 80);
	expect_in(all, "fetching");
	expect_in(all, "first");
	/* Home again does not fetch again. */
	press(f, PRESS_HOME);
	assert_int_equal(f->log_count, 2);
}

static void more_than_can_be_kept_stops_at_the_front(void **state)
{
	struct fixture *f = *state;
	static char piece[65536];
	uint64_t total = 200 << 20, offset = 0;

	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = i % 64 == 63 ? '\n' : 'x';
	open_job(f, LOAD, true);
	give_runs(f, 8831, 1, 1);
	give_log(f, piece, sizeof(piece), total - sizeof(piece), total, false, true);
	press(f, PRESS_HOME);
	uint64_t tag = f->log_tag;
	for (; f->m.job.log_tag != 0 && offset < total; offset += sizeof(piece))
		give_log(f, piece, sizeof(piece), offset, total, false, false);
	assert_true(was_stopped(f, tag));
	assert_true(offset < TEXT_BYTES);
	assert_int_equal(f->m.job.log.dropped, 0);
	press(f, PRESS_HOME);
	assert_int_equal(f->log_count, 2);
	press(f, PRESS_END);
	assert_int_equal(f->log_count, 3);
	assert_true(f->log->log->last > 0);
	assert_true(f->m.job.log.follow);
}

static void many_short_lines_stop_at_the_front_too(void **state)
{
	struct fixture *f = *state;
	static char piece[65536];
	uint64_t total = 20 << 20, offset = 0;

	memset(piece, '\n', sizeof(piece));
	open_job(f, LOAD, true);
	give_runs(f, 8831, 1, 1);
	give_log(f, piece, sizeof(piece), total - sizeof(piece), total, false, true);
	press(f, PRESS_HOME);
	for (; f->m.job.log_tag != 0 && offset < total; offset += sizeof(piece))
		give_log(f, piece, sizeof(piece), offset, total, false, false);
	assert_true(offset < total);
	assert_int_equal(f->m.job.log.dropped, 0);
}

static void without_a_link_what_is_known_stays(void **state)
{
	struct fixture *f = *state;
	struct trouble t;

	open_job(f, LOAD, true);
	give_show(f);
	give_runs(f, 8831, 2, 1);
	give_text(f, "before\n", true, false);
	trouble_set(&t, EXIT_UNREACHED, "the connection to db1 broke");
	give(f, f->log_tag, NULL, true, &t);
	f->m.link.up = false;
	char *all = draw(f, 24, 80);
	expect_in(all, "no link");
	expect_in(all, "before");
	expect_in(all, "alice (forced)");
	assert_int_equal(f->log_count, 1);
	pass(f, 3000000);
	f->m.link.up = true;
	draw(f, 24, 80);
	assert_int_equal(f->show_count, 2);
	assert_int_equal(f->log_count, 2);
	/* It goes on behind what is here. */
	assert_int_equal(f->log->log->offset, 7);
	assert_int_equal(f->log->log->last, 0);
	give_text(f, "after\n", true, false);
	all = draw(f, 24, 80);
	expect_in(all, "before\n");
	expect_in(all, "after\n");
	assert_null(strstr(all, "no link"));
}

static void what_has_no_output_says_so(void **state)
{
	struct fixture *f = *state;
	struct trouble t;

	open_job(f, LOAD, false);
	give_runs(f, 8831, 1, 1);
	trouble_set(&t, EXIT_NO_MATCH, "eod/load@db1 has no output");
	trouble_why(&t, "it has not run yet");
	give(f, f->log_tag, NULL, true, &t);
	expect_in(draw(f, 24, 80), "has no output: it has not run yet");
	pass(f, 2000000);
	draw(f, 24, 80);
	assert_int_equal(f->log_count, 1);
	give_show(f);
	pass(f, 2000000);
	set_jobs(f, "IDLE", 0);
	draw(f, 24, 80);
	give_runs(f, 0, 0, 0);
	expect_in(draw(f, 24, 80), "it has not run yet");
}

static void l_on_a_job_that_waits_opens_the_log_of_its_blocker(void **state)
{
	struct fixture *f = *state;

	open_job(f, REPORT, true);
	assert_string_equal(f->m.job.key, LOAD);
	assert_string_equal(f->m.job.of, REPORT);
	assert_string_equal(f->m.subject, LOAD);
	assert_string_equal(f->runs->runs->target[0], LOAD);
	expect_in(draw(f, 24, 100), "log of what eod/report@app1 waits for");
	press(f, PRESS_ESCAPE);
	open_job(f, REPORT, false);
	assert_string_equal(f->m.job.key, REPORT);
}

static void what_is_searched_saved_and_paged(void **state)
{
	struct fixture *f = *state;

	open_job(f, LOAD, true);
	give_runs(f, 8831, 1, 1);
	give_text(f, "one\n\x1b[31mneedle\x1b[0m\nthree\n", false, true);
	press(f, '/');
	for (const char *p = "NEEDLE"; *p != '\0'; p++)
		press(f, *p);
	press(f, PRESS_ENTER);
	assert_int_equal(f->m.job.log.found, 1);
	press(f, '>');
	for (const char *p = "/tmp/x.log"; *p != '\0'; p++)
		press(f, *p);
	press(f, PRESS_ENTER);
	assert_string_equal(f->saved, "one\nneedle\nthree\n");
	assert_string_equal(f->saved_path, "/tmp/x.log");
	press(f, 'v');
	assert_string_equal(f->paged, "one\nneedle\nthree\n");
}

/* ---- why ---- */

static void give_why(struct fixture *f)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__WhyReply why = CHIME__WHY_REPLY__INIT;
	Chime__JobRow row = CHIME__JOB_ROW__INIT;
	Chime__Line lines[3], *list[3];
	char *root = LOAD " FAILED";
	static char *const verdicts[] = { "ok", "NO", "??" };
	static char *const texts[] = { "mon-fri 22:00", "success(eod/load@db1)", "success(x@y)" };

	for (size_t i = 0; i < 3; i++) {
		chime__line__init(&lines[i]);
		lines[i].what = i == 0 ? "time" : "after";
		lines[i].verdict = verdicts[i];
		lines[i].text = texts[i];
		lines[i].detail = "some detail";
		list[i] = &lines[i];
	}
	row.job = "eod/report";
	row.server = "app1";
	row.state = "WAITING";
	row.has_since = true;
	row.since = 1790000000000000;
	why.row = &row;
	why.line = list;
	why.n_line = 3;
	why.root = &root;
	why.n_root = 1;
	reply.body_case = CHIME__REPLY__BODY_WHY;
	reply.why = &why;
	give(f, f->why_tag, &reply, true, NULL);
}

static void why_is_told_at_once_and_then_in_full(void **state)
{
	struct fixture *f = *state;

	snprintf(f->m.subject, sizeof(f->m.subject), "%s", REPORT);
	f->m.now = f->now;
	monitor_push(&f->m, VIEW_WHY);
	take_wishes(f);
	assert_int_equal(f->why_count, 1);
	assert_string_equal(f->why->why->target, REPORT);
	/* The book's own line until the answer is there. */
	expect_in(draw(f, 24, 80), "eod/report@app1 WAITING");
	give_why(f);
	char *all = draw(f, 24, 80);
	expect_in(all, "eod/report@app1 is WAITING since");
	expect_in(all, "   time      ok  mon-fri 22:00           some detail");
	expect_in(all, "   after     NO  success(eod/load@db1)   some detail");
	expect_in(all, "             ??  success(x@y)");
	expect_in(all, "root cause: eod/load@db1 FAILED");
	expect_in(all, "see     chime log 8831@db1");
	expect_in(all, "fix     chime start eod/load@db1");
	expect_in(all, "or      chime start --force eod/report@app1");
	pass(f, 2000000);
	draw(f, 24, 80);
	assert_int_equal(f->why_count, 1);
	/* What it waits for has changed. */
	set_jobs(f, "SUCCESS", 8840);
	draw(f, 24, 80);
	assert_int_equal(f->why_count, 2);
	press(f, PRESS_ESCAPE);
	assert_true(was_stopped(f, f->why_tag));
}

static void verdicts_have_their_style(void **state)
{
	struct fixture *f = *state;
	struct canvas c;
	int good = 0, bad = 0, warn = 0;

	snprintf(f->m.subject, sizeof(f->m.subject), "%s", REPORT);
	f->m.now = f->now;
	monitor_push(&f->m, VIEW_WHY);
	take_wishes(f);
	give_why(f);
	canvas_init(&c, 24, 80, true);
	monitor_draw(&f->m, &c, f->now);
	for (int row = 3; row < 12; row++) {
		for (int col = 0; col < 20; col++) {
			good += c.cells[row * 80 + col].style == STYLE_GOOD;
			bad += c.cells[row * 80 + col].style == STYLE_BAD;
			warn += c.cells[row * 80 + col].style == STYLE_WARN;
		}
	}
	canvas_fini(&c);
	assert_int_equal(good, 2);
	assert_int_equal(bad, 2);
	assert_int_equal(warn, 2);
}

/* ---- output of a command ---- */

static void output_of_a_command_ends_with_its_exit(void **state)
{
	struct fixture *f = *state;
	struct wish *wish;
	bool stop = false;

	f->m.now = f->now;
	snprintf(f->m.output_title, sizeof(f->m.output_title), "ls --trouble");
	f->m.output_running = true;
	monitor_push(&f->m, VIEW_OUTPUT);
	monitor_take_output(&f->m, "FAILED x\n", 9, false, 0, f->now);
	char *all = draw(f, 24, 80);
	expect_in(all, "chime ls --trouble");
	expect_in(all, "running, Esc stops it");
	monitor_key(&f->m, PRESS_ESCAPE, -1, -1, f->now);
	while ((wish = monitor_take_wish(&f->m)) != NULL) {
		stop |= wish->kind == WISH_STOP_COMMAND;
		wish_free(wish);
	}
	assert_true(stop);
	monitor_push(&f->m, VIEW_OUTPUT);
	monitor_take_output(&f->m, "", 0, true, 3, f->now);
	expect_in(draw(f, 24, 80), "exit 3");
}

static void random_keys_and_answers_break_nothing(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 5;

	for (int i = 0; i < 4000; i++) {
		if (monitor_view(&f->m) != VIEW_JOB)
			open_job(f, i % 2 ? LOAD : REPORT, i % 3 == 0);
		int key = rand_r(&seed) % 3 == 0 ? PRESS_BACKSPACE + rand_r(&seed) % 28
			: 32 + rand_r(&seed) % 95;
		monitor_key(&f->m, key, -1, -1, f->now);
		f->m.deed.state = DEED_CLOSED;
		f->m.typing = TYPING_NOTHING;
		take_wishes(f);
		switch (rand_r(&seed) % 6) {
		case 0: give_runs(f, 8831 + (uint64_t)i / 10, (size_t)rand_r(&seed) % 8, 1); break;
		case 1: give_show(f); break;
		case 2: give_text(f, "a line\nand a half", i % 2, i % 5 == 0); break;
		case 3: f->m.link.up = rand_r(&seed) % 4 != 0; break;
		case 4: pass(f, 300000); set_jobs(f, "RUNNING", 8831 + (uint64_t)i / 10); break;
		case 5: give_why(f); break;
		}
		draw(f, 1 + rand_r(&seed) % 40, 1 + rand_r(&seed) % 120);
	}
}

static void give_trouble(struct fixture *f, uint64_t tag, int exit)
{
	struct trouble t = { 0 };

	trouble_set(&t, exit, "db1 did not answer in time");
	give(f, tag, NULL, true, &t);
}

/* Nothing of the row changes, the link stays: it is asked again all the same. */
static void an_answer_that_did_not_come_is_asked_for_again(void **state)
{
	struct fixture *f = *state;

	open_job(f, LOAD, false);
	give_trouble(f, f->show_tag, EXIT_TIME);
	give_trouble(f, f->runs_tag, EXIT_TIME);
	expect_in(draw(f, 24, 80), "did not answer");
	assert_int_equal(f->show_count, 1);
	pass(f, 6000000);
	draw(f, 24, 80);
	assert_int_equal(f->show_count, 2);
	assert_int_equal(f->runs_count, 2);
	/* One that is refused is not. */
	give_trouble(f, f->show_tag, EXIT_DENIED);
	give_trouble(f, f->runs_tag, EXIT_DENIED);
	pass(f, 60000000);
	draw(f, 24, 80);
	assert_int_equal(f->show_count, 2);
	press(f, 'r');
	draw(f, 24, 80);
	assert_int_equal(f->show_count, 3);
}

static void why_is_asked_again_too(void **state)
{
	struct fixture *f = *state;

	press(f, 'w');
	assert_int_equal(f->why_count, 1);
	give_trouble(f, f->why_tag, EXIT_TIME);
	pass(f, 6000000);
	draw(f, 24, 80);
	assert_int_equal(f->why_count, 2);
	give_trouble(f, f->why_tag, EXIT_DENIED);
	pass(f, 60000000);
	draw(f, 24, 80);
	assert_int_equal(f->why_count, 2);
	press(f, 'r');
	draw(f, 24, 80);
	assert_int_equal(f->why_count, 3);
}

/* The connection of the output alone broke: to the owner, who is there again. */
static void an_output_that_broke_off_goes_on(void **state)
{
	struct fixture *f = *state;

	open_job(f, LOAD, true);
	give_show(f);
	give_runs(f, 8831, 1, 1);
	give_text(f, "one\n", true, false);
	give_trouble(f, f->log_tag, EXIT_UNREACHED);
	size_t asked = f->log_count;
	draw(f, 24, 80);
	assert_int_equal(f->log_count, asked);
	pass(f, 6000000);
	draw(f, 24, 80);
	assert_int_equal(f->log_count, asked + 1);
	assert_int_equal(f->log->log->offset, 4);
	pass(f, 6000000);
	draw(f, 24, 80);
	assert_int_equal(f->log_count, asked + 1);
}

static void l_leads_from_the_output_back_to_the_runs(void **state)
{
	struct fixture *f = *state;

	open_job(f, LOAD, false);
	give_show(f);
	give_runs(f, 8831, 3, 1);
	press(f, PRESS_DOWN);
	assert_int_equal(f->m.job.run_at, 1);
	press(f, PRESS_ENTER);
	press(f, PRESS_DOWN);
	assert_int_equal(f->m.job.run_at, 1);
	press(f, 'l');
	press(f, PRESS_DOWN);
	assert_int_equal(f->m.job.run_at, 2);
}

/* The end of a LOST run is not known: it does not go on taking time. */
static void a_lost_run_takes_no_more_time(void **state)
{
	struct fixture *f = *state;
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__RunsReply runs = CHIME__RUNS_REPLY__INIT;
	Chime__RunRow row = CHIME__RUN_ROW__INIT, *list[1] = { &row };

	open_job(f, LOAD, false);
	give_show(f);
	row.server = "db1";
	row.run = 8831;
	row.state = "LOST";
	row.has_started = true;
	row.started = f->now.wall_us - 754000000;
	row.cause = "schedule";
	runs.run = list;
	runs.n_run = 1;
	reply.body_case = CHIME__REPLY__BODY_RUNS;
	reply.runs = &runs;
	give(f, f->runs_tag, &reply, true, NULL);
	assert_null(strstr(draw(f, 24, 80), "12m34s"));
	row.state = "RUNNING";
	pass(f, 2000000);
	set_jobs(f, "RUNNING", 8831);
	draw(f, 24, 80);
	give(f, f->runs_tag, &reply, true, NULL);
	expect_in(draw(f, 24, 80), "by schedule  12m36s");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(everything_about_a_job_is_shown),
		TEST(smaller_screens_keep_the_log),
		TEST(another_run_stops_the_log_before),
		TEST(a_new_run_takes_the_log_unless_one_was_chosen),
		TEST(a_change_is_asked_once_a_second_at_most),
		TEST(another_attempt_has_another_output),
		TEST(following_and_paused),
		TEST(the_end_of_a_long_output_comes_first_and_home_brings_the_rest),
		TEST(more_than_can_be_kept_stops_at_the_front),
		TEST(many_short_lines_stop_at_the_front_too),
		TEST(without_a_link_what_is_known_stays),
		TEST(what_has_no_output_says_so),
		TEST(l_on_a_job_that_waits_opens_the_log_of_its_blocker),
		TEST(what_is_searched_saved_and_paged),
		TEST(why_is_told_at_once_and_then_in_full),
		TEST(verdicts_have_their_style),
		TEST(output_of_a_command_ends_with_its_exit),
		TEST(random_keys_and_answers_break_nothing),
		TEST(an_answer_that_did_not_come_is_asked_for_again),
		TEST(why_is_asked_again_too),
		TEST(an_output_that_broke_off_goes_on),
		TEST(l_leads_from_the_output_back_to_the_runs),
		TEST(a_lost_run_takes_no_more_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
