/* The list of jobs on the screen: filter, sort, calm, cursor, tags; against a naive model. */
#include "client/monitor/rows.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { JOBS = 48 };

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

static const int64_t wall0 = 1795000000 * SECOND;

static struct book book;
static struct rows rows;
static struct moment now;

/* What the test's server would answer. */
static struct fake {
	char job[32], server[16];
	enum jobstate state;
	int64_t since_us, took_us, next_s;
	bool there, held;
} fakes[JOBS];
static size_t fake_count;

static int set_up(void **state)
{
	(void)state;
	book_init(&book);
	rows_init(&rows);
	rows.height = 10;
	now = (struct moment){ .wall_us = wall0, .boot_us = 1000 * SECOND };
	fake_count = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rows_fini(&rows);
	book_fini(&book);
	return 0;
}

static void pass(int64_t us)
{
	now.wall_us += us;
	now.boot_us += us;
}

static struct fake *add(const char *job, const char *server, enum jobstate state)
{
	struct fake *f = &fakes[fake_count++];

	*f = (struct fake){ .state = state, .took_us = -1, .there = true };
	snprintf(f->job, sizeof(f->job), "%s", job);
	snprintf(f->server, sizeof(f->server), "%s", server);
	return f;
}

static void answer(void)
{
	static Chime__JobRow row[JOBS], *list[JOBS];
	Chime__JobsReply reply = CHIME__JOBS_REPLY__INIT;

	reply.job = list;
	for (size_t i = 0; i < fake_count; i++) {
		const struct fake *f = &fakes[i];
		if (!f->there)
			continue;
		Chime__JobRow *r = &row[reply.n_job];
		chime__job_row__init(r);
		r->job = (char *)f->job;
		r->server = (char *)f->server;
		r->state = (char *)jobstates[f->state].word;
		r->has_since = f->since_us != 0;
		r->since = f->since_us;
		r->has_took_us = f->took_us >= 0;
		r->took_us = f->took_us;
		r->has_next = f->next_s != 0;
		r->next = f->next_s;
		r->has_held = true;
		r->held = f->held;
		list[reply.n_job++] = r;
	}
	book_begin_jobs(&book, true);
	book_add_jobs(&book, &reply);
	book_end_jobs(&book, &reply);
}

static void update(void)
{
	rows_update(&rows, &book, now);
}

/* The list as "a@s b@s". */
static const char *listed(void)
{
	static char text[2048];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < rows.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
					rows.list[i]->key);
	return text;
}

static void filter(const char *text)
{
	char err[128] = "";

	assert_int_equal(rows_set_filter(&rows, text, err, sizeof(err)), 0);
	update();
}

static const char *refused(const char *text)
{
	static char err[128];

	err[0] = '\0';
	assert_int_equal(rows_set_filter(&rows, text, err, sizeof(err)), -EINVAL);
	assert_true(err[0] != '\0');
	return err;
}

static void add_five(void)
{
	add("eod/load", "db1", JOBSTATE_FAILED)->since_us = wall0 - MINUTE;
	add("eod/report", "app1", JOBSTATE_WAITING);
	add("backup", "nas1", JOBSTATE_RUNNING)->since_us = wall0 - 20 * MINUTE;
	struct fake *f = add("stats", "db2", JOBSTATE_SUCCESS);
	f->since_us = wall0 - 5 * MINUTE;
	f->took_us = 30 * SECOND;
	f->next_s = wall0 / SECOND + 1800;
	f = add("archive", "nas1", JOBSTATE_HELD);
	f->held = true;
	f->next_s = wall0 / SECOND + 7200;
	answer();
	update();
}

static void test_filter_words(void **state)
{
	static const struct { const char *filter, *listed; } cases[] = {
		{ "", "eod/load@db1 backup@nas1 archive@nas1 eod/report@app1 stats@db2" },
		{ "EOD", "eod/load@db1 eod/report@app1" },
		{ "eod REP", "eod/report@app1" },
		{ "eod -rep", "eod/load@db1" },
		{ "-", "eod/load@db1 backup@nas1 archive@nas1 eod/report@app1 stats@db2" },
		{ "@nas", "backup@nas1 archive@nas1" },
		{ "state:fa", "eod/load@db1" },
		{ "state:FAILED,ru", "eod/load@db1 backup@nas1" },
		{ "state:w", "eod/report@app1" },
		{ "State:oh", "archive@nas1" },
		{ "-state:fa,ru,oh,wa", "stats@db2" },
		{ "on:db*", "eod/load@db1 stats@db2" },
		{ "on:db1,nas1", "eod/load@db1 backup@nas1 archive@nas1" },
		{ "-on:db?", "backup@nas1 archive@nas1 eod/report@app1" },
		{ "held", "archive@nas1" },
		{ "-held trouble", "eod/load@db1" },
		{ "late", "" },
		{ "took>10m", "backup@nas1" },
		{ "took<1m", "stats@db2" },
		{ "due<1h", "stats@db2" },
		{ "due>1h", "archive@nas1" },
		{ "  eod\t  load ", "eod/load@db1" },
	};

	(void)state;
	add_five();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		filter(cases[i].filter);
		assert_string_equal(listed(), cases[i].listed);
		assert_int_equal(rows.total, 5);
	}
}

static void test_filter_refuses(void **state)
{
	char deep[3 * FILTER_WORDS], wide[FILTER_SIZE + 1];

	(void)state;
	add_five();
	filter("eod");
	assert_string_equal(refused("stat:fa"), "there is no 'stat:'; nearest: state:fa,wa");
	assert_string_equal(refused("tok>5m"), "there is no 'tok>'; nearest: took>10m");
	assert_string_equal(refused("colour:red"),
			    "there is no 'colour:'; there are state: on: took> due<");
	assert_string_equal(refused("state:faild"), "there is no state 'faild'; nearest: FAILED");
	assert_string_equal(refused("state:xyzzy"), "there is no state 'xyzzy'");
	assert_string_equal(refused("state:"), "state: needs a state: state:fa,ru");
	assert_string_equal(refused("took>"), "took> needs a duration: took>10m");
	assert_string_equal(refused("due<10"), "due< needs a duration: due<10m");
	assert_non_null(strstr(refused("on:A!"), "a server's name"));
	for (size_t i = 0; i < sizeof(deep) - 1; i++)
		deep[i] = i % 2 == 0 ? 'a' : ' ';
	deep[sizeof(deep) - 1] = '\0';
	refused(deep);
	memset(wide, 'a', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	refused(wide);
	update();
	assert_string_equal(rows.filter, "eod");
	assert_string_equal(listed(), "eod/load@db1 eod/report@app1");
}

static void test_hidden_failures_are_told(void **state)
{
	(void)state;
	add_five();
	assert_false(rows.hides_failed);
	filter("backup");
	assert_true(rows.hides_failed);
	filter("load");
	assert_false(rows.hides_failed);
	rows_set_trouble_only(&rows, true);
	filter("");
	assert_string_equal(listed(), "eod/load@db1 archive@nas1");
	assert_false(rows.hides_failed);
}

static void test_sorts(void **state)
{
	static const struct { enum rows_sort sort; const char *name, *listed; } cases[] = {
		{ SORT_JOB, "job",
		  "archive@nas1 backup@nas1 eod/load@db1 eod/report@app1 stats@db2" },
		{ SORT_SERVER, "server",
		  "eod/report@app1 eod/load@db1 stats@db2 archive@nas1 backup@nas1" },
		{ SORT_SINCE, "since",
		  "eod/load@db1 stats@db2 backup@nas1 archive@nas1 eod/report@app1" },
		{ SORT_NEXT, "next",
		  "stats@db2 archive@nas1 backup@nas1 eod/load@db1 eod/report@app1" },
		{ SORT_TROUBLE, "trouble",
		  "eod/load@db1 backup@nas1 archive@nas1 eod/report@app1 stats@db2" },
	};

	(void)state;
	add_five();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rows_set_sort(&rows, cases[i].sort);
		update();
		assert_string_equal(listed(), cases[i].listed);
		assert_string_equal(rows_sort_name(cases[i].sort), cases[i].name);
	}
}

static void test_order_within_a_state(void **state)
{
	(void)state;
	add("f-old", "a", JOBSTATE_FAILED)->since_us = wall0 - 20;
	add("f-new", "a", JOBSTATE_FAILED)->since_us = wall0 - 10;
	add("r-short", "a", JOBSTATE_RUNNING)->since_us = wall0 - 10;
	add("r-long", "a", JOBSTATE_RUNNING)->since_us = wall0 - 20;
	add("w-short", "a", JOBSTATE_WAITING)->since_us = wall0 - 10;
	add("w-long", "a", JOBSTATE_WAITING)->since_us = wall0 - 20;
	add("i-none", "a", JOBSTATE_IDLE);
	add("i-soon", "a", JOBSTATE_IDLE)->next_s = wall0 / SECOND + 1;
	answer();
	book_find_job(&book, "w-short@a")->late = true;
	update();
	assert_string_equal(listed(), "f-new@a f-old@a w-short@a r-long@a r-short@a w-long@a "
			    "i-soon@a i-none@a");
}

static void test_nothing_is_done_twice(void **state)
{
	(void)state;
	add_five();
	assert_int_equal(rows.made, 1);
	pass(MINUTE);
	update();
	answer();
	update();
	filter("");
	rows_set_sort(&rows, SORT_TROUBLE);
	update();
	assert_int_equal(rows.made, 1);
	/* a note of the monitor is no change of a job */
	book_note(&book, now, "bus.gap", "3 events of db1");
	update();
	assert_int_equal(rows.made, 1);
	/* with a time in it, the filter is looked at again */
	filter("took>30m");
	assert_string_equal(listed(), "");
	pass(10 * MINUTE);
	update();
	assert_string_equal(listed(), "backup@nas1");
}

static void test_calm(void **state)
{
	(void)state;
	add("a", "s", JOBSTATE_RUNNING)->since_us = wall0;
	add("b", "s", JOBSTATE_WAITING);
	add("c", "s", JOBSTATE_SUCCESS);
	answer();
	update();
	assert_string_equal(listed(), "a@s b@s c@s");
	rows.key_us = now.boot_us;
	pass(ROWS_CALM_US - 1);
	fakes[2].state = JOBSTATE_FAILED;	/* would go to the top */
	add("new1", "s", JOBSTATE_IDLE);
	add("new0", "s", JOBSTATE_FAILED);
	fakes[1].there = false;
	answer();
	update();
	assert_string_equal(listed(), "a@s c@s new0@s new1@s");
	assert_int_equal(rows.list[1]->state, JOBSTATE_FAILED);
	pass(1);
	update();
	assert_string_equal(listed(), "c@s new0@s a@s new1@s");
	/* what is asked for is done at once */
	rows.key_us = now.boot_us;
	rows_set_sort(&rows, SORT_JOB);
	update();
	assert_string_equal(listed(), "a@s c@s new0@s new1@s");
	/* a first answer has no places to keep */
	filter("nobody");
	filter("");
	assert_string_equal(listed(), "a@s c@s new0@s new1@s");
}

static void test_cursor_stays_on_its_job(void **state)
{
	(void)state;
	add_five();
	assert_string_equal(rows_current(&rows)->key, "eod/load@db1");
	rows_move(&rows, 3);
	assert_string_equal(rows.cursor, "eod/report@app1");
	fakes[1].state = JOBSTATE_FAILED;
	fakes[1].since_us = wall0;
	answer();
	update();
	assert_int_equal(rows.at, 0);
	assert_string_equal(rows_current(&rows)->key, "eod/report@app1");
	rows_move(&rows, INT_MAX);
	assert_string_equal(rows.cursor, "stats@db2");
	rows_move(&rows, INT_MIN);
	assert_string_equal(rows.cursor, "eod/report@app1");
	rows_move(&rows, -1);
	assert_int_equal(rows.at, 0);
	/* gone: the row below, at the end the one above */
	fakes[1].there = false;
	answer();
	update();
	assert_string_equal(rows.cursor, "eod/load@db1");
	rows_move(&rows, INT_MAX);
	fakes[3].there = false;
	answer();
	update();
	assert_string_equal(rows.cursor, "archive@nas1");
	/* an empty list leaves it where it was */
	filter("nobody");
	assert_null(rows_current(&rows));
	rows_move(&rows, 1);
	filter("");
	assert_string_equal(rows.cursor, "archive@nas1");
	assert_true(rows_go_to(&rows, "backup@nas1"));
	assert_string_equal(rows.cursor, "backup@nas1");
	assert_false(rows_go_to(&rows, "back"));
	assert_true(rows_go_to_prefix(&rows, "eod/l"));
	assert_string_equal(rows.cursor, "eod/load@db1");
	assert_false(rows_go_to_prefix(&rows, "zzz"));
}

static void test_removed_jobs_go(void **state)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__JobRemoved r = CHIME__JOB_REMOVED__INIT;
	struct book_heard heard = { "db2", { 5, 5 }, 10, &e, false };

	(void)state;
	add_five();
	rows_tag(&rows, "stats@db2", true);
	r.job = "stats";
	e.body_case = CHIME__EVENT__BODY_JOB_REMOVED;
	e.job_removed = &r;
	book_hear(&book, &heard);
	heard.origin = "nas1";
	r.job = "backup";
	book_hear(&book, &heard);
	update();
	assert_string_equal(listed(), "eod/load@db1 backup@nas1 archive@nas1 eod/report@app1");
	assert_int_equal(rows.total, 4);
	assert_int_equal(rows_tag_count(&rows), 0);
}

static void test_tags(void **state)
{
	(void)state;
	add_five();
	filter("eod");
	rows_tag_all_shown(&rows);
	assert_int_equal(rows_tag_count(&rows), 2);
	filter("backup");
	rows_tag(&rows, rows.cursor, true);
	rows_tag(&rows, rows.cursor, true);
	assert_int_equal(rows_tag_count(&rows), 3);
	assert_true(rows_is_tagged(&rows, "eod/load@db1"));
	rows_tag(&rows, "eod/load@db1", false);
	assert_false(rows_is_tagged(&rows, "eod/load@db1"));
	fakes[1].there = false;
	answer();
	update();
	assert_false(rows_is_tagged(&rows, "eod/report@app1"));
	assert_int_equal(rows_tag_count(&rows), 1);
	rows_untag_all(&rows);
	assert_int_equal(rows_tag_count(&rows), 0);
}

/* ---- against a naive model ---- */

struct model {
	char keys[JOBS][BOOK_KEY_SIZE];
	size_t count, at;
	char cursor[BOOK_KEY_SIZE];
};

static uint64_t seed = 20261120;

static uint64_t any(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* Less, for SORT_TROUBLE and SORT_JOB: written from the words of rows.h only. */
static bool goes_before(const struct book_job *a, const struct book_job *b, enum rows_sort sort)
{
	enum jobstate x = book_job_shown(a), y = book_job_shown(b);
	bool waits = jobstates[x].active || x == JOBSTATE_WAITING || x == JOBSTATE_QUEUED;
	bool later = x == JOBSTATE_HELD || x == JOBSTATE_IDLE || x == JOBSTATE_ICED;
	int64_t s = later ? a->next_s : a->since_us, t = later ? b->next_s : b->since_us;

	if (sort == SORT_TROUBLE && x != y)
		return x < y;
	if (sort == SORT_TROUBLE && s != t) {
		if (s == 0 || t == 0)
			return t == 0;
		return waits || later ? s < t : s > t;
	}
	return strcmp(a->key, b->key) < 0;
}

static bool has(char keys[][BOOK_KEY_SIZE], size_t count, const char *key, size_t *at)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(keys[i], key) == 0) {
			*at = i;
			return true;
		}
	}
	return false;
}

static void model_update(struct model *m, bool calm)
{
	static struct model next;
	const struct book_job *in[JOBS];
	size_t n = 0, at = 0, fixed = 0;

	for (const struct book_job *j = book.jobs; j != NULL; j = j->hh.next) {
		if (filter_match(&rows.words, j, now) &&
		    (!rows.trouble_only || jobstates[book_job_shown(j)].trouble))
			in[n++] = j;
	}
	next.count = n;
	for (size_t i = 0; calm && i < m->count; i++) {
		const struct book_job *j = book_find_job(&book, m->keys[i]);
		for (size_t k = 0; j != NULL && k < n; k++) {
			if (in[k] != NULL && in[k] == j) {
				memcpy(next.keys[fixed++], j->key, BOOK_KEY_SIZE);
				in[k] = NULL;
			}
		}
	}
	for (size_t i = fixed; i < n; i++) {
		const struct book_job **best = NULL;
		for (size_t k = 0; k < n; k++) {
			if (in[k] != NULL && (best == NULL ||
					      goes_before(in[k], *best, rows.sort)))
				best = &in[k];
		}
		memcpy(next.keys[i], (*best)->key, BOOK_KEY_SIZE);
		*best = NULL;
	}
	memcpy(next.cursor, m->cursor, BOOK_KEY_SIZE);
	if (n > 0 && m->cursor[0] != '\0' && !has(next.keys, n, m->cursor, &at)) {
		bool found = false;
		for (size_t d = 1; d < JOBS && !found; d++) {
			found = m->at + d < m->count &&
				has(next.keys, n, m->keys[m->at + d], &at);
			found = found || (d <= m->at && m->at - d < m->count &&
					  has(next.keys, n, m->keys[m->at - d], &at));
		}
		if (!found)
			at = m->at < n ? m->at : n - 1;
	}
	if (n > 0)
		memcpy(next.cursor, next.keys[at], BOOK_KEY_SIZE);
	next.at = at;
	*m = next;
}

static void change_something(struct model *m)
{
	static const char *const filters[] = { "", "", "", "eod", "on:s1", "-state:su", "state:fa",
					       "nobody" };
	struct fake *f = &fakes[any(fake_count)];
	char err[64];

	switch (any(9)) {
	case 0:
	case 1:
	case 2:
		f->state = (enum jobstate)any(JOBSTATE_COUNT);
		f->since_us = any(3) == 0 ? 0 : wall0 - (int64_t)any(50) * SECOND;
		f->next_s = any(2) == 0 ? 0 : wall0 / SECOND + (int64_t)any(50);
		break;
	case 3:
		f->there = !f->there;
		break;
	case 4:
		for (size_t i = 0; i < fake_count; i++)
			fakes[i].there = fakes[i].there && any(3) > 0;
		break;
	case 5:
		for (size_t i = 0; i < fake_count; i++)
			fakes[i].there |= any(2) == 0;
		break;
	case 6:
		assert_int_equal(rows_set_filter(&rows, filters[any(8)], err, sizeof(err)), 0);
		break;
	case 7:
		rows_set_sort(&rows, any(2) == 0 ? SORT_TROUBLE : SORT_JOB);
		rows_set_trouble_only(&rows, any(4) == 0);
		break;
	case 8:
		rows.height = 1 + any(12);
		break;
	}
	if (any(3) == 0)
		rows.key_us = now.boot_us;
	if (any(3) == 0 && rows.count > 0) {
		rows_move(&rows, (int)any(21) - 10);
		m->at = rows.at;
		memcpy(m->cursor, rows.cursor, sizeof(m->cursor));
	}
	pass((int64_t)any(1500) * 1000);
}

static void test_against_a_naive_model(void **state)
{
	static struct model m;
	char name[32], server[16];
	bool owed = false;

	(void)state;
	for (int i = 0; i < JOBS; i++) {
		snprintf(name, sizeof(name), "%s/job%d", i % 3 == 0 ? "eod" : "log", i);
		snprintf(server, sizeof(server), "s%d", i % 4);
		add(name, server, JOBSTATE_IDLE);
	}
	for (int step = 0; step < 20000; step++) {
		uint64_t version = book.jobs_version;

		change_something(&m);
		answer();
		bool asked = rows.changed;
		bool calm = !asked && rows.key_us != 0 && m.count > 0 &&
			    now.boot_us - rows.key_us < ROWS_CALM_US;
		if (asked || version != book.jobs_version || (owed && !calm) || step == 0) {
			model_update(&m, calm);
			owed = calm;
		}
		update();
		assert_int_equal(rows.count, m.count);
		for (size_t i = 0; i < m.count; i++)
			assert_string_equal(rows.list[i]->key, m.keys[i]);
		assert_string_equal(rows.cursor, m.cursor);
		if (rows.count == 0) {
			assert_null(rows_current(&rows));
			continue;
		}
		assert_int_equal(rows.at, m.at);
		assert_ptr_equal(rows_current(&rows), book_find_job(&book, rows.cursor));
		assert_true(rows.top <= rows.at && rows.at < rows.top + rows.height);
		assert_true(rows.top == 0 || rows.top + rows.height <= rows.count);
	}
}

/* ---- size ---- */

static double seconds_since(const struct timespec *from)
{
	struct timespec to;

	clock_gettime(CLOCK_MONOTONIC, &to);
	return (double)(to.tv_sec - from->tv_sec) + (double)(to.tv_nsec - from->tv_nsec) / 1e9;
}

static void test_many_jobs(void **state)
{
	enum { MANY = 10000 };
	static Chime__JobRow many[MANY], *list[MANY];
	static char names[MANY][32];
	Chime__JobsReply reply = CHIME__JOBS_REPLY__INIT;
	struct timespec from;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "group%zu/job%zu", i % 100, i);
		chime__job_row__init(&many[i]);
		many[i].job = names[i];
		many[i].server = i % 2 == 0 ? "db1" : "db2";
		many[i].state = (char *)jobstates[any(JOBSTATE_COUNT)].word;
		many[i].has_since = true;
		many[i].since = wall0 - (int64_t)any(1000) * SECOND;
		list[i] = &many[i];
	}
	reply.job = list;
	reply.n_job = MANY;
	book_begin_jobs(&book, true);
	book_add_jobs(&book, &reply);
	book_end_jobs(&book, &reply);
	clock_gettime(CLOCK_MONOTONIC, &from);
	update();
	print_message("10,000 rows sorted: %.1f ms\n", seconds_since(&from) * 1e3);
	assert_int_equal(rows.count, MANY);
	rows.key_us = now.boot_us;
	many[17].state = "FAILED";
	many[18].state = "IDLE";
	book_begin_jobs(&book, false);
	book_add_jobs(&book, &reply);
	book_end_jobs(&book, &reply);
	clock_gettime(CLOCK_MONOTONIC, &from);
	update();
	print_message("10,000 rows kept in place: %.1f ms\n", seconds_since(&from) * 1e3);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < 1000; i++)
		update();
	print_message("nothing changed: %.3f ms\n", seconds_since(&from));
	clock_gettime(CLOCK_MONOTONIC, &from);
	filter("group7 -state:su");
	print_message("10,000 rows filtered: %.1f ms\n", seconds_since(&from) * 1e3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_filter_words),
		TEST(test_filter_refuses),
		TEST(test_hidden_failures_are_told),
		TEST(test_sorts),
		TEST(test_order_within_a_state),
		TEST(test_nothing_is_done_twice),
		TEST(test_calm),
		TEST(test_cursor_stays_on_its_job),
		TEST(test_removed_jobs_go),
		TEST(test_tags),
		TEST(test_against_a_naive_model),
		TEST(test_many_jobs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
