/* What the monitor knows: answers against events, who is heard, and why. */
#include "client/monitor/book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { ROWS_MAX = 16 };

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

static const int64_t wall0 = 1795000000 * SECOND;
static const struct lineage first = { 5, 55 }, second = { 6, 66 };

static struct book book;
static struct moment now;

static int set_up(void **state)
{
	(void)state;
	book_init(&book);
	now = (struct moment){ .wall_us = wall0, .boot_us = 1000 * SECOND };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	book_fini(&book);
	return 0;
}

static void pass(int64_t us)
{
	now.wall_us += us;
	now.boot_us += us;
}

/* ---- answers ---- */

struct answer {
	Chime__JobsReply reply;
	Chime__JobRow row[ROWS_MAX], *rows[ROWS_MAX];
	Chime__Position position[ROWS_MAX], *positions[ROWS_MAX];
	Chime__Lineage lineage[ROWS_MAX];
	Chime__ServerRow silent[ROWS_MAX], *silents[ROWS_MAX];
	char *keys[ROWS_MAX][4];
};

static struct answer answer;

static void begin(void)
{
	memset(&answer, 0, sizeof(answer));
	chime__jobs_reply__init(&answer.reply);
	answer.reply.job = answer.rows;
	answer.reply.position = answer.positions;
	answer.reply.silent = answer.silents;
}

static Chime__JobRow *add(const char *job, const char *server, const char *word)
{
	size_t i = answer.reply.n_job++;
	Chime__JobRow *row = &answer.row[i];

	chime__job_row__init(row);
	answer.rows[i] = row;
	row->job = (char *)job;
	row->server = (char *)server;
	row->state = (char *)word;
	row->has_enabled = row->enabled = true;
	row->blocked_by = &answer.keys[i][0];
	row->root = &answer.keys[i][2];
	return row;
}

static Chime__JobRow *add_run(const char *job, const char *server, const char *word, uint64_t run,
			      int64_t since_us)
{
	Chime__JobRow *row = add(job, server, word);

	row->has_run = row->has_since = true;
	row->run = run;
	row->since = since_us;
	return row;
}

static void at(const char *server, struct lineage lineage, uint64_t seq)
{
	size_t i = answer.reply.n_position++;

	chime__lineage__init(&answer.lineage[i]);
	answer.lineage[i].boot = lineage.boot;
	answer.lineage[i].tag = lineage.tag;
	chime__position__init(&answer.position[i]);
	answer.position[i].server = (char *)server;
	answer.position[i].lineage = &answer.lineage[i];
	answer.position[i].seq = seq;
	answer.positions[i] = &answer.position[i];
}

static void not_heard(const char *server)
{
	size_t i = answer.reply.n_silent++;

	chime__server_row__init(&answer.silent[i]);
	answer.silent[i].server = (char *)server;
	answer.silents[i] = &answer.silent[i];
}

static void take(bool full)
{
	book_begin_jobs(&book, full);
	book_add_jobs(&book, &answer.reply);
	book_end_jobs(&book, &answer.reply);
}

/* ---- events ---- */

static void hear_at(const char *origin, struct lineage lineage, uint64_t seq, Chime__Event *event)
{
	struct book_heard heard = { origin, lineage, seq, event, false };

	if (!event->has_time) {
		event->has_time = true;
		event->time = now.wall_us;
	}
	book_hear(&book, &heard);
}

static void hear(uint64_t seq, Chime__Event *event)
{
	hear_at("db1", first, seq, event);
}

static Chime__RunRef ref_of(const char *job, uint64_t run)
{
	Chime__RunRef ref = CHIME__RUN_REF__INIT;

	ref.job = (char *)job;
	ref.has_run = true;
	ref.run = run;
	return ref;
}

static void created(uint64_t seq, const char *job, bool needs_condition)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;

	c.job = (char *)job;
	c.has_needs_condition = c.needs_condition = needs_condition;
	e.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	e.run_created = &c;
	hear(seq, &e);
}

static void starting(uint64_t seq, const char *job, uint64_t run)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__RunStarting s = CHIME__RUN_STARTING__INIT;
	Chime__RunRef ref = ref_of(job, run);

	s.ref = &ref;
	e.body_case = CHIME__EVENT__BODY_RUN_STARTING;
	e.run_starting = &s;
	hear(seq, &e);
}

static void started(uint64_t seq, const char *job, uint64_t run)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__RunStarted s = CHIME__RUN_STARTED__INIT;
	Chime__RunRef ref = ref_of(job, run);

	s.ref = &ref;
	s.has_time = true;
	s.time = now.wall_us;
	e.body_case = CHIME__EVENT__BODY_RUN_STARTED;
	e.run_started = &s;
	hear(seq, &e);
}

static Chime__RunEnded ending(Chime__RunState state, int exit_code)
{
	Chime__RunEnded ended = CHIME__RUN_ENDED__INIT;

	ended.has_state = ended.has_ended = true;
	ended.state = state;
	ended.ended = now.wall_us;
	ended.has_exit_code = exit_code >= 0;
	ended.exit_code = exit_code;
	return ended;
}

static void ended_so(uint64_t seq, const char *job, uint64_t run, Chime__RunEnded *ended)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__RunRef ref = ref_of(job, run);

	ended->ref = &ref;
	e.body_case = CHIME__EVENT__BODY_RUN_ENDED;
	e.run_ended = ended;
	hear(seq, &e);
}

static void ended(uint64_t seq, const char *job, uint64_t run, int exit_code)
{
	Chime__RunEnded how = ending(exit_code == 0 ? CHIME__RUN_STATE__RUN_SUCCESS :
				     CHIME__RUN_STATE__RUN_FAILED, exit_code);

	ended_so(seq, job, run, &how);
}

static void killing(uint64_t seq, const char *job, uint64_t run)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__RunKilling k = CHIME__RUN_KILLING__INIT;
	Chime__RunRef ref = ref_of(job, run);

	k.ref = &ref;
	e.actor = "alice";
	e.body_case = CHIME__EVENT__BODY_RUN_KILLING;
	e.run_killing = &k;
	hear(seq, &e);
}

static void held(uint64_t seq, const char *job, bool on)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__JobHeld h = CHIME__JOB_HELD__INIT;
	Chime__JobReleased r = CHIME__JOB_RELEASED__INIT;

	e.actor = "alice";
	e.reason = on ? "disk swap" : NULL;
	h.job = r.job = (char *)job;
	e.body_case = on ? CHIME__EVENT__BODY_JOB_HELD : CHIME__EVENT__BODY_JOB_RELEASED;
	if (on)
		e.job_held = &h;
	else
		e.job_released = &r;
	hear(seq, &e);
}

static void defined(uint64_t seq, const char *job, bool enabled)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__JobDefined d = CHIME__JOB_DEFINED__INIT;

	d.job = (char *)job;
	d.has_enabled = true;
	d.enabled = enabled;
	e.body_case = CHIME__EVENT__BODY_JOB_DEFINED;
	e.job_defined = &d;
	hear(seq, &e);
}

static void removed(uint64_t seq, const char *job)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__JobRemoved r = CHIME__JOB_REMOVED__INIT;

	r.job = (char *)job;
	e.body_case = CHIME__EVENT__BODY_JOB_REMOVED;
	e.job_removed = &r;
	hear(seq, &e);
}

static void server_down(uint64_t seq)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__ServerDown d = CHIME__SERVER_DOWN__INIT;

	e.body_case = CHIME__EVENT__BODY_SERVER_DOWN;
	e.server_down = &d;
	hear(seq, &e);
}

static void server_up(struct lineage lineage, uint64_t seq)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__ServerUp u = CHIME__SERVER_UP__INIT;

	u.version = "1.0.3";
	e.body_case = CHIME__EVENT__BODY_SERVER_UP;
	e.server_up = &u;
	hear_at("db1", lineage, seq, &e);
}

/* ---- looking ---- */

static struct book_job *job(const char *key)
{
	struct book_job *found = book_find_job(&book, key);

	assert_non_null(found);
	return found;
}

static const char *shown(const char *key)
{
	return jobstates[book_job_shown(job(key))].word;
}

static const char *why(const char *key)
{
	static char text[400];

	size_t len = book_why(&book, job(key), now, text, sizeof(text));
	assert_int_equal(len, strlen(text));
	return text;
}

static size_t count_dirty(void)
{
	char keys[64][BOOK_KEY_SIZE];

	return book_dirty(&book, keys, 64);
}

/* ---- answers and positions ---- */

static void test_answer_is_seen_at_its_end(void **state)
{
	(void)state;
	begin();
	add_run("eod/load", "db1", "FAILED", 40, wall0 - MINUTE)->note = "exit 3";
	at("db1", first, 50);
	answer.reply.environment = "PROD\033[31m";
	book_begin_jobs(&book, true);
	book_add_jobs(&book, &answer.reply);
	assert_null(book_find_job(&book, "eod/load@db1"));
	book_end_jobs(&book, &answer.reply);
	assert_string_equal(shown("eod/load@db1"), "FAILED");
	assert_string_equal(job("eod/load@db1")->server, "db1");
	assert_int_equal(job("eod/load@db1")->job_len, 8);
	assert_int_equal(job("eod/load@db1")->seq, 50);
	assert_int_equal(job("eod/load@db1")->exit_code, -1);
	assert_string_equal(book.environment, "PROD\\x1b[31m");
	assert_int_equal(count_dirty(), 0);
}

/* The event at 60 made it SUCCESS; what answers of other positions say. */
static void answer_after_event(struct lineage lineage, uint64_t seq, const char *expect,
			       bool still_dirty)
{
	created(40, "load", false);
	ended(60, "load", 40, 0);
	assert_int_equal(count_dirty(), 1);
	begin();
	add_run("load", "db1", "RUNNING", 40, wall0);
	if (seq != 0)
		at("db1", lineage, seq);
	at("other", first, 1);
	take(true);
	assert_string_equal(shown("load@db1"), expect);
	assert_int_equal(job("load@db1")->dirty, still_dirty);
}

static void test_older_answer_takes_nothing_back(void **state)
{
	(void)state;
	answer_after_event(first, 59, "SUCCESS", true);
}

static void test_equal_answer_counts(void **state)
{
	(void)state;
	answer_after_event(first, 60, "RUNNING", false);
}

static void test_newer_answer_counts(void **state)
{
	(void)state;
	answer_after_event(first, 61, "RUNNING", false);
}

static void test_newer_lineage_counts_whatever_its_number(void **state)
{
	(void)state;
	answer_after_event(second, 3, "RUNNING", false);
}

static void test_older_lineage_does_not(void **state)
{
	(void)state;
	answer_after_event((struct lineage){ 4, 44 }, 1000, "SUCCESS", true);
}

static void test_forked_lineage_counts(void **state)
{
	(void)state;
	answer_after_event((struct lineage){ 5, 99 }, 3, "RUNNING", false);
}

static void test_teller_without_that_log_does_not(void **state)
{
	(void)state;
	answer_after_event(first, 0, "SUCCESS", true);
}

static void test_answer_without_any_position(void **state)
{
	(void)state;
	created(40, "load", false);
	begin();
	add("load", "db1", "IDLE");
	add("other", "db1", "IDLE");
	take(false);
	assert_string_equal(shown("load@db1"), "QUEUED");	/* has had an event */
	assert_string_equal(shown("other@db1"), "IDLE");	/* has had none */
	take(true);
	assert_string_equal(shown("load@db1"), "IDLE");
}

/* An event that the answer was built on comes later, by another way. */
static void test_older_event_changes_nothing(void **state)
{
	(void)state;
	begin();
	add_run("load", "db1", "SUCCESS", 40, wall0);
	at("db1", first, 60);
	take(true);
	started(45, "load", 40);
	assert_string_equal(shown("load@db1"), "SUCCESS");
	assert_int_equal(count_dirty(), 0);
	started(60, "load", 40);
	assert_string_equal(shown("load@db1"), "SUCCESS");
	assert_int_equal(book.event_count, 2);
	created(61, "load", false);
	assert_string_equal(shown("load@db1"), "QUEUED");
}

static void test_refused_dirty_job_goes_behind(void **state)
{
	char keys[2][BOOK_KEY_SIZE];

	(void)state;
	created(40, "a", false);
	created(41, "b", false);
	assert_int_equal(book_dirty(&book, keys, 1), 1);
	assert_string_equal(keys[0], "a@db1");
	begin();
	add("a", "db1", "IDLE");
	at("db1", first, 39);
	take(false);
	assert_int_equal(book_dirty(&book, keys, 2), 2);
	assert_string_equal(keys[0], "b@db1");
	assert_string_equal(keys[1], "a@db1");
}

static void test_full_answer_drops_what_it_lacks(void **state)
{
	(void)state;
	begin();
	add("a", "db1", "IDLE");
	add("b", "db1", "IDLE");
	add("c", "db2", "IDLE");
	at("db1", first, 10);
	at("db2", first, 10);
	take(true);
	defined(30, "new", true);
	begin();
	add("a", "db1", "IDLE");
	at("db1", first, 20);
	take(false);
	assert_non_null(book_find_job(&book, "b@db1"));
	take(true);
	assert_non_null(book_find_job(&book, "a@db1"));
	assert_null(book_find_job(&book, "b@db1"));
	assert_non_null(book_find_job(&book, "new@db1"));	/* newer than the answer */
	assert_non_null(book_find_job(&book, "c@db2"));		/* its teller knows no db2 */
}

static void test_same_answer_changes_no_version(void **state)
{
	uint64_t version;

	(void)state;
	begin();
	add_run("a", "db1", "WAITING", 4, wall0)->n_blocked_by = 1;
	answer.keys[0][0] = "x@db2";
	at("db1", first, 10);
	take(true);
	version = book.version;
	take(true);
	assert_int_equal(book.version, version);
	assert_int_equal(job("a@db1")->blocked_count, 1);
	answer.keys[0][0] = "y@db2";
	take(true);
	assert_true(book.version > version);
	assert_string_equal(job("a@db1")->blocked_by[0], "y@db2");
}

static void test_rows_of_others_are_cleaned(void **state)
{
	(void)state;
	begin();
	add("../../etc", "db1", "IDLE");
	add("a", "DB1", "IDLE");
	add("a", NULL, "IDLE");
	add_run("ok", "db1", "PAUSED", 7, INT64_MIN)->note = "a\033[2Jb";
	answer.row[3].n_blocked_by = 2;
	answer.keys[3][0] = "no key";
	answer.keys[3][1] = "y@db2";
	answer.row[3].has_next = answer.row[3].has_took_us = true;
	answer.row[3].next = INT64_MAX;
	answer.row[3].took_us = INT64_MAX;
	take(true);
	assert_int_equal(HASH_COUNT(book.jobs), 1);
	assert_string_equal(job("ok@db1")->note, "a\\x1b[2Jb");
	assert_int_equal(job("ok@db1")->blocked_count, 1);
	assert_int_equal(job("ok@db1")->next_s, 0);
	assert_int_equal(job("ok@db1")->took_us, -1);
	assert_int_equal(job("ok@db1")->since_us, 0);
	/* a state of a newer program is not known, but its server is heard */
	assert_string_equal(shown("ok@db1"), "UNKNOWN");
	assert_false(job("ok@db1")->stale);
}

static void test_unknown_row_keeps_the_last_known_state(void **state)
{
	(void)state;
	begin();
	add_run("a", "db3", "RUNNING", 40, wall0);
	add_run("b", "db3", "RUNNING", 41, wall0);
	at("db3", first, 50);
	take(true);
	begin();
	add_run("a", "db3", "UNKNOWN", 40, wall0)->stale = true;
	/* it has moved on */
	add_run("b", "db3", "UNKNOWN", 41, wall0 + MINUTE)->stale = true;
	add_run("c", "db3", "UNKNOWN", 42, wall0)->stale = true;
	at("db3", first, 55);
	take(true);
	assert_string_equal(shown("a@db3"), "UNKNOWN");
	assert_int_equal(job("a@db3")->state, JOBSTATE_RUNNING);
	assert_int_equal(job("b@db3")->state, JOBSTATE_UNKNOWN);
	assert_int_equal(job("c@db3")->state, JOBSTATE_UNKNOWN);
	assert_true(job("c@db3")->stale);
}

/* ---- events ---- */

static void test_life_of_a_run(void **state)
{
	(void)state;
	defined(39, "load", true);
	assert_string_equal(shown("load@db1"), "IDLE");
	created(40, "load", true);
	assert_string_equal(shown("load@db1"), "WAITING");
	pass(MINUTE);
	starting(41, "load", 40);
	assert_string_equal(shown("load@db1"), "STARTING");
	assert_int_equal(job("load@db1")->since_us, wall0);
	started(42, "load", 40);
	assert_string_equal(shown("load@db1"), "RUNNING");
	assert_int_equal(job("load@db1")->started_us, wall0 + MINUTE);
	pass(2 * MINUTE);
	ended(43, "load", 40, 3);
	assert_string_equal(shown("load@db1"), "FAILED");
	assert_string_equal(job("load@db1")->note, "exit 3");
	assert_int_equal(job("load@db1")->exit_code, 3);
	assert_int_equal(job("load@db1")->took_us, 2 * MINUTE);
	assert_int_equal(job("load@db1")->since_us, now.wall_us);
	assert_int_equal(job("load@db1")->run, 40);
	created(44, "load", false);
	assert_string_equal(shown("load@db1"), "QUEUED");
	assert_string_equal(job("load@db1")->note, "");
	assert_int_equal(job("load@db1")->took_us, -1);
	assert_int_equal(count_dirty(), 1);
}

static void test_decided_at_once(void **state)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;

	(void)state;
	c.job = "load";
	c.has_state = true;
	c.state = CHIME__RUN_STATE__RUN_SKIPPED;
	c.detail = "overlap: 1 still running";
	e.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	e.run_created = &c;
	hear(40, &e);
	assert_string_equal(shown("load@db1"), "SKIPPED");
	assert_string_equal(job("load@db1")->note, "overlap: 1 still running");
	/* but never in place of the one that runs */
	created(41, "load", false);
	started(42, "load", 41);
	hear(43, &e);
	assert_string_equal(shown("load@db1"), "RUNNING");
	assert_int_equal(job("load@db1")->run, 41);
	assert_true(job("load@db1")->dirty);
}

static void test_not_started(void **state)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__RunNotStarted n = CHIME__RUN_NOT_STARTED__INIT;
	Chime__RunRef ref = ref_of("load", 40);

	(void)state;
	created(40, "load", false);
	starting(41, "load", 40);
	n.ref = &ref;
	n.detail = "the launcher is not there";
	e.body_case = CHIME__EVENT__BODY_RUN_NOT_STARTED;
	e.run_not_started = &n;
	hear(42, &e);
	assert_string_equal(shown("load@db1"), "WAITING");
	assert_string_equal(job("load@db1")->note, "the launcher is not there");
	assert_true(book_event(&book, 0)->bad);
}

static void test_parallel_runs(void **state)
{
	(void)state;
	created(40, "load", false);
	started(41, "load", 40);
	created(42, "load", false);
	assert_string_equal(shown("load@db1"), "RUNNING");
	started(43, "load", 42);
	assert_int_equal(job("load@db1")->run, 42);
	ended(44, "load", 40, 1);		/* the older one: the newer one runs on */
	assert_string_equal(shown("load@db1"), "RUNNING");
	assert_int_equal(job("load@db1")->run, 42);
	ended(45, "load", 42, 0);
	assert_string_equal(shown("load@db1"), "SUCCESS");
	started(46, "load", 40);		/* active counts more than over */
	assert_int_equal(job("load@db1")->run, 40);
	ended(47, "load", 40, 0);
	ended(48, "load", 39, 1);		/* an older end never comes over a newer one */
	assert_string_equal(shown("load@db1"), "SUCCESS");
}

static void test_killed(void **state)
{
	Chime__RunEnded how;

	(void)state;
	created(40, "load", false);
	started(41, "load", 40);
	killing(42, "load", 40);
	assert_string_equal(shown("load@db1"), "RUNNING");
	assert_string_equal(job("load@db1")->note, "killed by alice");
	how = ending(CHIME__RUN_STATE__RUN_KILLED, -1);
	how.has_signal = true;
	how.signal = 15;
	ended_so(43, "load", 40, &how);
	assert_string_equal(shown("load@db1"), "KILLED");
	assert_string_equal(job("load@db1")->note, "killed by alice");
	/* died of a signal by itself */
	created(44, "load", false);
	started(45, "load", 44);
	how = ending(CHIME__RUN_STATE__RUN_FAILED, -1);
	how.has_signal = true;
	how.signal = 9;
	ended_so(46, "load", 44, &how);
	assert_string_equal(job("load@db1")->note, "signal 9");
	/* a detail says more than anything */
	created(47, "load", false);
	how = ending(CHIME__RUN_STATE__RUN_FAILED, 127);
	how.detail = "no such user: bat\tch";
	ended_so(48, "load", 47, &how);
	assert_string_equal(job("load@db1")->note, "no such user: bat\\x09ch");
	/* asked to die, ended well before */
	created(49, "load", false);
	started(50, "load", 49);
	killing(51, "load", 49);
	ended(52, "load", 49, 0);
	assert_string_equal(job("load@db1")->note, "");
}

static void test_hold_and_release(void **state)
{
	(void)state;
	created(40, "load", false);
	started(41, "load", 40);
	held(42, "load", true);
	assert_string_equal(shown("load@db1"), "RUNNING");
	assert_true(job("load@db1")->held);
	ended(43, "load", 40, 3);
	assert_string_equal(shown("load@db1"), "HELD");
	assert_string_equal(job("load@db1")->note, "alice: disk swap");
	held(44, "load", false);
	assert_string_equal(shown("load@db1"), "FAILED");
	assert_string_equal(job("load@db1")->note, "exit 3");
	/* the hold was told by a server, so the run's state has to be concluded */
	begin();
	add_run("ok", "db1", "HELD", 30, wall0)->held = true;
	answer.row[0].has_exit_code = true;
	add("never", "db1", "HELD")->held = true;
	add_run("odd", "db1", "HELD", 31, wall0)->held = true;
	at("db1", first, 50);
	take(false);
	held(51, "ok", false);
	held(52, "never", false);
	held(53, "odd", false);
	assert_string_equal(shown("ok@db1"), "SUCCESS");
	assert_string_equal(shown("never@db1"), "IDLE");
	assert_string_equal(shown("odd@db1"), "UNKNOWN");
	assert_true(job("odd@db1")->dirty);
}

static void test_defined_and_removed(void **state)
{
	(void)state;
	defined(40, "load", false);
	assert_true(job("load@db1")->disabled);
	assert_string_equal(job("load@db1")->note, "disabled");
	defined(41, "load", true);
	assert_false(job("load@db1")->disabled);
	assert_string_equal(job("load@db1")->note, "");
	removed(42, "load");
	assert_true(job("load@db1")->removed);
	assert_int_equal(count_dirty(), 0);		/* nobody has it any more */
	defined(43, "load", true);
	assert_false(job("load@db1")->removed);
	removed(44, "load");
	begin();
	at("db1", first, 43);
	take(true);
	assert_non_null(book_find_job(&book, "load@db1"));
	begin();
	at("db1", first, 44);
	take(true);
	assert_null(book_find_job(&book, "load@db1"));
}

static void test_only_its_origin_changes_a_job(void **state)
{
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__JobRemoved r = CHIME__JOB_REMOVED__INIT;

	(void)state;
	created(40, "load", false);
	r.job = "load";
	e.body_case = CHIME__EVENT__BODY_JOB_REMOVED;
	e.job_removed = &r;
	hear_at("evil", second, 41, &e);
	assert_false(job("load@db1")->removed);
	r.job = "load@db1";
	hear_at("evil", second, 42, &e);
	assert_false(job("load@db1")->removed);
	assert_int_equal(HASH_COUNT(book.jobs), 1);
}

static void test_history_is_only_told(void **state)
{
	struct book_heard heard = { "db1", { 4, 44 }, 900, NULL, true };
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__JobRemoved r = CHIME__JOB_REMOVED__INIT;

	(void)state;
	created(40, "load", false);
	r.job = "load";
	e.body_case = CHIME__EVENT__BODY_JOB_REMOVED;
	e.job_removed = &r;
	heard.event = &e;
	book_hear(&book, &heard);
	heard.lineage = second;
	book_hear(&book, &heard);
	assert_false(job("load@db1")->removed);
	assert_int_equal(book.event_count, 3);
}

static void test_ring(void **state)
{
	char text[64];

	(void)state;
	for (int i = 0; i < BOOK_EVENTS + 5; i++) {
		snprintf(text, sizeof(text), "note %d\033", i);
		book_note(&book, now, i == BOOK_EVENTS ? "bus.gap" : "link.up", text);
	}
	assert_int_equal(book.event_count, BOOK_EVENTS);
	assert_int_equal(book.event_total, BOOK_EVENTS + 5);
	snprintf(text, sizeof(text), "note %d\\x1b", BOOK_EVENTS + 4);
	assert_string_equal(book_event(&book, 0)->text, text);
	assert_string_equal(book_event(&book, BOOK_EVENTS - 1)->text, "note 5\\x1b");
	assert_null(book_event(&book, BOOK_EVENTS));
	assert_true(book_event(&book, 4)->bad);
	assert_false(book_event(&book, 0)->bad);
}

static void test_events_in_words(void **state)
{
	Chime__RunEnded how;
	Chime__Event e = CHIME__EVENT__INIT;
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;

	(void)state;
	how = ending(CHIME__RUN_STATE__RUN_FAILED, 3);
	how.has_started = true;
	how.started = now.wall_us - 242 * SECOND;
	ended_so(43, "load", 40, &how);
	assert_string_equal(book_event(&book, 0)->text, "FAILED exit 3, took 4m02s");
	assert_string_equal(book_event(&book, 0)->kind, "run.ended");
	assert_string_equal(book_event(&book, 0)->job, "load@db1");
	assert_string_equal(book_event(&book, 0)->origin, "db1");
	assert_int_equal(book_event(&book, 0)->run, 40);
	assert_int_equal(book_event(&book, 0)->seq, 43);
	assert_int_equal(book_event(&book, 0)->time_us, now.wall_us);
	assert_true(book_event(&book, 0)->bad);
	held(44, "load", true);
	assert_string_equal(book_event(&book, 0)->text, "by alice: disk swap");
	assert_false(book_event(&book, 0)->bad);
	c.job = "load";
	c.forced = true;
	e.actor = "alice";
	e.reason = "INC-4711\n";
	e.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	e.run_created = &c;
	hear(45, &e);
	assert_string_equal(book_event(&book, 0)->text, "forced by alice: INC-4711\\x0a");
	assert_string_equal(job("load@db1")->note, "alice: disk swap");
	assert_int_equal(book_event(&book, 0)->run, 45);
	/* an event of a newer program */
	e = (Chime__Event)CHIME__EVENT__INIT;
	hear(46, &e);
	assert_string_equal(book_event(&book, 0)->kind, "none");
}

/* ---- who is heard ---- */

static void take_servers(const char *state_of_db3, int64_t heard_us)
{
	Chime__ServersReply reply = CHIME__SERVERS_REPLY__INIT;
	Chime__ServerRow rows[2] = { CHIME__SERVER_ROW__INIT, CHIME__SERVER_ROW__INIT };
	Chime__ServerRow *list[2] = { &rows[0], &rows[1] };
	char *address[] = { "10.0.0.3:7411", "\033" };

	rows[0].server = "db1";
	rows[0].state = "UP";
	rows[0].has_self = rows[0].self = rows[0].has_heard = true;
	rows[0].heard = now.wall_us + 3600 * SECOND;	/* its clock is an hour off */
	rows[1].server = "db3";
	rows[1].state = (char *)state_of_db3;
	rows[1].has_heard = true;
	rows[1].heard = heard_us + 3600 * SECOND;
	rows[1].address = address;
	rows[1].n_address = 2;
	reply.server = list;
	reply.n_server = 2;
	book_take_servers(&book, &reply, now);
}

static void add_db3_job(void)
{
	begin();
	add_run("roll", "db3", "RUNNING", 40, now.wall_us);
	at("db3", first, 50);
	take(false);
}

static void test_teller_says_who_is_lost(void **state)
{
	(void)state;
	add_db3_job();
	take_servers("UP", now.wall_us);
	assert_string_equal(shown("roll@db3"), "RUNNING");
	assert_int_equal(book_find_server(&book, "db3")->address_count, 1);
	pass(75 * SECOND);
	take_servers("UNREACHABLE", now.wall_us - 75 * SECOND);
	assert_true(book_find_server(&book, "db3")->lost);
	assert_int_equal(book_find_server(&book, "db3")->heard_us, now.wall_us - 75 * SECOND);
	assert_string_equal(why("roll@db3"),
			    "roll@db3 UNKNOWN: db3 not heard for 1m15s; last known RUNNING");
	/* an answer about jobs says it sooner */
	begin();
	at("db3", first, 50);
	take(false);
	assert_string_equal(shown("roll@db3"), "RUNNING");
	begin();
	not_heard("db3");
	take(false);
	assert_string_equal(shown("roll@db3"), "UNKNOWN");
	take_servers("UP", now.wall_us);
	assert_string_equal(shown("roll@db3"), "RUNNING");
}

static void test_silence_of_who_was_heard(void **state)
{
	(void)state;
	add_db3_job();
	take_servers("UP", now.wall_us);
	pass(60 * SECOND);
	/* never heard here: its teller's */
	book_judge_silence(&book, now, 10 * SECOND);
	assert_false(book_find_server(&book, "db3")->lost);
	book_hear_head(&book, "db3", now);
	pass(9 * SECOND);
	book_judge_silence(&book, now, 10 * SECOND);
	assert_false(book_find_server(&book, "db3")->lost);
	pass(SECOND);
	book_judge_silence(&book, now, 10 * SECOND);
	assert_true(book_find_server(&book, "db3")->lost);
	assert_string_equal(book_find_server(&book, "db3")->state, "UNREACHABLE");
	assert_string_equal(shown("roll@db3"), "UNKNOWN");
	assert_int_equal(job("roll@db3")->state, JOBSTATE_RUNNING);
	/* its teller, who heard the same last head, is slower to say so */
	take_servers("UP", now.wall_us - 10 * SECOND);
	assert_string_equal(shown("roll@db3"), "UNKNOWN");
	/* a row that claims nothing of silence does not bring it back */
	add_db3_job();
	assert_string_equal(shown("roll@db3"), "UNKNOWN");
	/* heard by its teller since: then only I do not hear it */
	take_servers("UP", now.wall_us - SECOND);
	assert_string_equal(shown("roll@db3"), "RUNNING");
	book_judge_silence(&book, now, 10 * SECOND);
	assert_string_equal(shown("roll@db3"), "RUNNING");
	book_hear_head(&book, "db3", now);
	pass(10 * SECOND);
	book_judge_silence(&book, now, 10 * SECOND);
	book_hear_head(&book, "db3", now);
	assert_string_equal(shown("roll@db3"), "RUNNING");
	assert_string_equal(book_find_server(&book, "db3")->state, "UP");
}

static void test_my_ears_against_a_teller(void **state)
{
	(void)state;
	add_db3_job();
	book_hear_head(&book, "db3", now);
	pass(SECOND);
	take_servers("UNREACHABLE", now.wall_us - 60 * SECOND);
	assert_string_equal(shown("roll@db3"), "RUNNING");
	begin();
	add_run("roll", "db3", "UNKNOWN", 40, wall0)->stale = true;
	at("db3", first, 50);
	not_heard("db3");
	take(false);
	assert_string_equal(shown("roll@db3"), "RUNNING");
	/* the group is not heard any more: then it is the teller's word again */
	pass(BOOK_FRESH_US);
	take_servers("UNREACHABLE", now.wall_us - 60 * SECOND);
	assert_string_equal(shown("roll@db3"), "UNKNOWN");
}

static void test_stop_and_start(void **state)
{
	(void)state;
	created(40, "load", false);
	book_hear_head(&book, "db1", now);
	server_down(41);
	assert_string_equal(book_find_server(&book, "db1")->state, "DOWN");
	assert_string_equal(shown("load@db1"), "UNKNOWN");
	book_hear_head(&book, "db1", now);			/* its goodbye */
	assert_string_equal(shown("load@db1"), "UNKNOWN");
	pass(61 * SECOND);
	assert_string_equal(why("load@db1"),
			    "load@db1 UNKNOWN: db1 was stopped 1m01s ago; last known QUEUED");
	server_up(second, 42);
	assert_string_equal(shown("load@db1"), "QUEUED");
	assert_string_equal(book_find_server(&book, "db1")->version, "1.0.3");
	server_down(41);					/* of the lineage before */
	assert_string_equal(shown("load@db1"), "QUEUED");
}

static void test_heads_after_a_goodbye(void **state)
{
	(void)state;
	book_hear_head(&book, "db1", now);
	server_down(41);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(book_find_server(&book, "db1")->state, "DOWN");
		book_hear_head(&book, "db1", now);
		pass(SECOND);
	}
	assert_string_equal(book_find_server(&book, "db1")->state, "UP");
}

static void test_unknown_is_asked_when_its_server_is_back(void **state)
{
	(void)state;
	take_servers("UNREACHABLE", now.wall_us - 60 * SECOND);
	begin();
	add("roll", "db3", "UNKNOWN")->stale = true;
	at("db3", first, 50);
	not_heard("db3");
	take(true);
	assert_int_equal(count_dirty(), 0);
	book_hear_head(&book, "db3", now);
	assert_int_equal(count_dirty(), 1);
	assert_string_equal(why("roll@db3"), "roll@db3 UNKNOWN: its server did not say yet");
}

/* ---- why ---- */

static void test_why_of_ends(void **state)
{
	(void)state;
	created(40, "load", false);
	started(41, "load", 40);
	pass(242 * SECOND);
	assert_string_equal(why("load@db1"), "load@db1 RUNNING 4m02s: run 40@db1");
	killing(42, "load", 40);
	assert_string_equal(why("load@db1"), "load@db1 RUNNING 4m02s: run 40@db1, killed by alice");
	ended(43, "load", 40, 3);
	pass(7 * SECOND);
	assert_string_equal(why("load@db1"),
			    "load@db1 FAILED 7s ago: exit 3 is not in success_codes");
	held(44, "load", true);
	assert_string_equal(why("load@db1"),
			    "load@db1 HELD: held by alice: disk swap; dependents wait");
	begin();
	add_run("load", "db1", "SUCCESS", 40, now.wall_us - MINUTE)->has_took_us = true;
	answer.row[0].took_us = 242 * SECOND;
	answer.row[0].has_next = true;
	answer.row[0].next = now.wall_us / SECOND + 2755;
	at("db1", first, 50);
	take(false);
	assert_string_equal(why("load@db1"),
			    "load@db1 SUCCESS 1m00s ago: took 4m02s; next start in 45m55s");
}

static void test_why_of_waiting(void **state)
{
	(void)state;
	begin();
	add_run("report", "app1", "WAITING", 9, now.wall_us - 845 * SECOND)->n_blocked_by = 1;
	answer.keys[0][0] = "load@db1";
	answer.row[0].n_root = 1;
	answer.keys[0][2] = "load@db1";
	add_run("load", "db1", "FAILED", 40, now.wall_us)->note = "exit 3";
	answer.row[1].has_exit_code = true;
	answer.row[1].exit_code = 3;
	take(true);
	assert_string_equal(why("report@app1"),
			    "report@app1 WAITING 14m05s: needs load@db1: FAILED, exit 3");
	answer.keys[0][2] = "fx@db2";
	answer.row[0].n_blocked_by = 2;
	answer.keys[0][1] = "elsewhere@db9";
	add("fx", "db2", "HELD")->held = true;
	answer.row[2].note = "alice: disk swap";
	take(true);
	assert_string_equal(why("report@app1"), "report@app1 WAITING 14m05s: needs load@db1: "
			    "FAILED, exit 3, and 1 more; root cause fx@db2: HELD by alice: "
			    "disk swap");
	not_heard("db1");
	server_up(first, 1);
	take(true);
	assert_string_equal(why("report@app1"), "report@app1 WAITING 14m05s: waits for lost server "
			    "db1: needs load@db1, and 1 more; root cause fx@db2: HELD by alice: "
			    "disk swap");
	/* of a cycle that its producers have begun: the times are those of its last run */
	answer.row[0].has_took_us = true;
	take(true);
	assert_memory_equal(why("report@app1"), "report@app1 WAITING: waits", 25);
}

static void test_why_of_idle(void **state)
{
	(void)state;
	defined(40, "load", true);
	assert_string_equal(why("load@db1"), "load@db1 IDLE: no next start by time");
	defined(41, "load", false);
	assert_string_equal(why("load@db1"), "load@db1 IDLE: disabled in its job file");
	removed(42, "load");
	assert_string_equal(why("load@db1"), "load@db1 IDLE: removed from its job files");
	begin();
	add("load", "db1", "IDLE")->has_next = true;
	answer.row[0].next = now.wall_us / SECOND + 3 * 86400 - 3600;
	at("db1", first, 42);
	take(false);
	assert_string_equal(why("load@db1"), "load@db1 IDLE: next start in 2d 23h");
}

static void test_why_fits(void **state)
{
	char text[400], small[30];

	(void)state;
	begin();
	add_run("load", "db1", "FAILED", 40, now.wall_us)->note = "gr\xc3\xbc\xc3\x9f dich";
	take(true);
	book_why(&book, job("load@db1"), now, text, sizeof(text));
	for (size_t size = 1; size <= sizeof(small); size++) {
		memset(small, '!', sizeof(small));
		size_t len = book_why(&book, job("load@db1"), now, small, size);
		assert_true(len < size);
		assert_int_equal(strlen(small), len);
		assert_memory_equal(small, text, len);
		assert_true((small[len > 0 ? len - 1 : 0] & 0xc0) != 0xc0);
	}
	assert_int_equal(book_why(&book, job("load@db1"), now, small, 0), 0);
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
	static Chime__JobRow rows[MANY], *list[MANY];
	static char names[MANY][32], servers[40][16];
	Chime__JobsReply reply = CHIME__JOBS_REPLY__INIT;
	struct timespec from;
	uint64_t version;

	(void)state;
	begin();
	for (int i = 0; i < 40; i++)
		snprintf(servers[i], sizeof(servers[i]), "s%d", i);
	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "group%d/job%d", i % 100, i);
		chime__job_row__init(&rows[i]);
		rows[i].job = names[i];
		rows[i].server = servers[i % 40];
		rows[i].state = "SUCCESS";
		list[i] = &rows[i];
	}
	reply.job = list;
	reply.n_job = MANY;
	clock_gettime(CLOCK_MONOTONIC, &from);
	book_begin_jobs(&book, true);
	book_add_jobs(&book, &reply);
	book_end_jobs(&book, &reply);
	print_message("10,000 jobs taken in: %.1f ms\n", seconds_since(&from) * 1e3);
	assert_int_equal(HASH_COUNT(book.jobs), MANY);
	version = book.version;
	clock_gettime(CLOCK_MONOTONIC, &from);
	book_begin_jobs(&book, true);
	book_add_jobs(&book, &reply);
	book_end_jobs(&book, &reply);
	print_message("the same once more: %.1f ms\n", seconds_since(&from) * 1e3);
	assert_int_equal(book.version, version);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (uint64_t i = 0; i < MANY; i++)
		created(100 + i, names[i], false);
	print_message("10,000 events: %.1f ms\n", seconds_since(&from) * 1e3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* No log holds what was not heard: the ring tells of it, once, and of the end of it. */
static void test_silence_is_told(void **state)
{
	(void)state;
	book_hear_head(&book, "db3", now);
	assert_null(book_event(&book, 0));
	pass(11 * SECOND);
	book_judge_silence(&book, now, 10 * SECOND);
	book_judge_silence(&book, now, 10 * SECOND);
	assert_int_equal(book.event_count, 1);
	assert_string_equal(book_event(&book, 0)->kind, "bus.gap");
	assert_string_equal(book_event(&book, 0)->text, "db3 is not heard for 11s");
	assert_true(book_event(&book, 0)->bad);
	pass(50 * SECOND);
	book_hear_head(&book, "db3", now);
	book_hear_head(&book, "db3", now);
	assert_int_equal(book.event_count, 2);
	assert_string_equal(book_event(&book, 0)->text, "db3 is heard again");
	assert_false(book_event(&book, 0)->bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answer_is_seen_at_its_end),
		TEST(test_older_answer_takes_nothing_back),
		TEST(test_equal_answer_counts),
		TEST(test_newer_answer_counts),
		TEST(test_newer_lineage_counts_whatever_its_number),
		TEST(test_older_lineage_does_not),
		TEST(test_forked_lineage_counts),
		TEST(test_teller_without_that_log_does_not),
		TEST(test_answer_without_any_position),
		TEST(test_older_event_changes_nothing),
		TEST(test_refused_dirty_job_goes_behind),
		TEST(test_full_answer_drops_what_it_lacks),
		TEST(test_same_answer_changes_no_version),
		TEST(test_rows_of_others_are_cleaned),
		TEST(test_unknown_row_keeps_the_last_known_state),
		TEST(test_life_of_a_run),
		TEST(test_decided_at_once),
		TEST(test_not_started),
		TEST(test_parallel_runs),
		TEST(test_killed),
		TEST(test_hold_and_release),
		TEST(test_defined_and_removed),
		TEST(test_only_its_origin_changes_a_job),
		TEST(test_history_is_only_told),
		TEST(test_ring),
		TEST(test_events_in_words),
		TEST(test_teller_says_who_is_lost),
		TEST(test_silence_of_who_was_heard),
		TEST(test_my_ears_against_a_teller),
		TEST(test_stop_and_start),
		TEST(test_heads_after_a_goodbye),
		TEST(test_unknown_is_asked_when_its_server_is_back),
		TEST(test_why_of_ends),
		TEST(test_why_of_waiting),
		TEST(test_why_of_idle),
		TEST(test_why_fits),
		TEST(test_many_jobs),
		TEST(test_silence_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
