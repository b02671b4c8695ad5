/* What the keeper asks, and when; the feed is a fake, linked in its place. */
#include "client/monitor/keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

/* ---- the fake feed ---- */

static struct {
	bool hears_group;
	struct feed_want want[4];
	size_t want_count;
	size_t positions, pulls, failed_pulls, certificates, buses, streamed;
	const char *head;
} fake;

void feed_take_bus(struct feed *feed, const Chime__BusReply *reply, struct moment now)
{
	(void)feed, (void)reply, (void)now;
	fake.buses++;
}

bool feed_take_certificate(struct feed *feed, const char *server, const void *der, size_t len,
			   struct moment now)
{
	(void)feed, (void)server, (void)der, (void)len, (void)now;
	fake.certificates++;
	return true;
}

void feed_take_positions(struct feed *feed, Chime__Position *const *position, size_t count)
{
	(void)feed, (void)position;
	fake.positions += count;
}

void feed_take_pull(struct feed *feed, const char *origin, const Chime__PullReply *reply,
		    struct moment now)
{
	(void)feed, (void)now;
	assert_string_equal(origin, "bravo");
	fake.pulls++;
	fake.failed_pulls += reply == NULL;
}

void feed_take_stream(struct feed *feed, const Chime__EventsReply *reply, struct moment now)
{
	(void)feed, (void)now;
	fake.streamed += reply->n_event;
}

bool feed_next(struct feed *feed, struct feed_event *out)
{
	(void)feed, (void)out;
	return false;
}

bool feed_next_head(struct feed *feed, const char **server)
{
	(void)feed;
	*server = fake.head;
	fake.head = NULL;
	return *server != NULL;
}

bool feed_want(struct feed *feed, struct moment now, struct feed_want *out)
{
	(void)feed, (void)now;
	if (fake.want_count == 0)
		return false;
	*out = fake.want[--fake.want_count];
	return true;
}

int64_t feed_due_us(const struct feed *feed)
{
	(void)feed;
	return INT64_MAX;
}

bool feed_hears_group(const struct feed *feed, struct moment now)
{
	(void)feed, (void)now;
	return fake.hears_group;
}

/* ---- the stage ---- */

struct stage {
	struct book book;
	struct keeper keeper;
	struct moment now;
	struct feed *feed;
};

static struct stage *new_stage(void)
{
	struct stage *s = say_calloc(1, sizeof(*s));

	memset(&fake, 0, sizeof(fake));
	s->now = (struct moment){ 1700000000000000, 1000000000 };
	s->feed = (struct feed *)(void *)s;	/* never looked into */
	book_init(&s->book);
	keeper_init(&s->keeper, &s->book);
	return s;
}

static void free_stage(struct stage *s)
{
	keeper_fini(&s->keeper);
	book_fini(&s->book);
	free(s);
}

static void later(struct stage *s, int64_t us)
{
	s->now.boot_us += us;
	s->now.wall_us += us;
}

/* What the next order asks for; 0 = there is none. */
static Chime__Request__BodyCase next_asked(struct stage *s, struct letter *letter,
					   Chime__Request **request)
{
	struct order *order = keeper_next_order(&s->keeper, s->now);
	Chime__Request__BodyCase kind;
	Chime__Request *r;

	if (!order)
		return CHIME__REQUEST__BODY__NOT_SET;
	assert_int_equal(order->kind, ORDER_ASK);
	assert_true(order->tag & KEEPER_TAG);
	r = chime__request__unpack(NULL, order->request_len, order->request);
	assert_non_null(r);
	kind = r->body_case;
	*letter = (struct letter){ .tag = order->tag, .kind = ORDER_ASK, .done = true };
	order_free(order);
	if (request)
		*request = r;
	else
		chime__request__free_unpacked(r, NULL);
	return kind;
}

static void expect(struct stage *s, Chime__Request__BodyCase kind, struct letter *letter)
{
	assert_int_equal(next_asked(s, letter, NULL), kind);
}

static Chime__Reply *new_reply(Chime__Reply__BodyCase kind)
{
	Chime__Reply *reply = say_calloc(1, sizeof(*reply));

	chime__reply__init(reply);
	reply->body_case = kind;
	return reply;
}

/* Answers a question about jobs; job NULL = none. */
static void answer_jobs(struct stage *s, struct letter *letter, const char *job, bool done)
{
	Chime__JobRow row = CHIME__JOB_ROW__INIT, *rows[1] = { &row };
	Chime__Position position = CHIME__POSITION__INIT, *positions[1] = { &position };
	Chime__Lineage lineage = CHIME__LINEAGE__INIT;
	Chime__JobsReply jobs = CHIME__JOBS_REPLY__INIT;
	uint8_t hash[32] = { 0 };

	row.job = (char *)(uintptr_t)job;
	row.server = (char *)(uintptr_t)"alpha";
	row.state = (char *)(uintptr_t)"IDLE";
	jobs.job = rows;
	jobs.n_job = job != NULL;
	lineage.has_boot = lineage.has_tag = true;
	lineage.boot = lineage.tag = 1;
	position.server = (char *)(uintptr_t)"alpha";
	position.lineage = &lineage;
	position.has_seq = position.has_hash = true;
	position.seq = 5;
	position.hash = (ProtobufCBinaryData){ sizeof(hash), hash };
	jobs.position = positions;
	jobs.n_position = done;
	letter->reply = new_reply(CHIME__REPLY__BODY_JOBS);
	letter->reply->jobs = &jobs;
	letter->done = done;
	assert_false(keeper_take_letter(&s->keeper, letter, s->now));
	free(letter->reply);
	letter->reply = NULL;
}

static void answer_nothing(struct stage *s, struct letter *letter)
{
	letter->done = true;
	assert_false(keeper_take_letter(&s->keeper, letter, s->now));
}

/* Brings the link up and answers everything that is asked first. */
static void bring_up(struct stage *s)
{
	struct letter letter;

	keeper_link_up(&s->keeper, s->feed, s->now);
	expect(s, CHIME__REQUEST__BODY_BUS, &letter);
	answer_nothing(s, &letter);
	expect(s, CHIME__REQUEST__BODY_JOBS, &letter);
	answer_jobs(s, &letter, "a", true);
	expect(s, CHIME__REQUEST__BODY_EVENTS, &letter);
	answer_nothing(s, &letter);
	expect(s, CHIME__REQUEST__BODY_SERVERS, &letter);
	answer_nothing(s, &letter);
	assert_int_equal(next_asked(s, &letter, NULL), 0);
}

static void hear_held(struct stage *s)
{
	Chime__Event event = CHIME__EVENT__INIT;
	Chime__JobHeld held = CHIME__JOB_HELD__INIT;
	struct book_heard heard = { .origin = "alpha", .lineage = { 1, 1 }, .seq = 6,
				    .event = &event };

	held.job = (char *)(uintptr_t)"a";
	event.body_case = CHIME__EVENT__BODY_JOB_HELD;
	event.job_held = &held;
	book_hear(&s->book, &heard);
	assert_int_equal(s->book.dirty_count, 1);
}

/* ---- tests ---- */

static void test_nothing_without_a_link(void **state)
{
	struct stage *s = new_stage();
	struct letter letter;
	uint64_t stop;

	(void)state;
	assert_int_equal(next_asked(s, &letter, NULL), 0);
	assert_null(keeper_stream(&s->keeper, s->now, &stop));
	assert_true(keeper_due_us(&s->keeper, s->now) == INT64_MAX);
	bring_up(s);
	keeper_link_down(&s->keeper);
	assert_int_equal(next_asked(s, &letter, NULL), 0);
	free_stage(s);
}

static void test_everything_once_when_up(void **state)
{
	struct stage *s = new_stage();
	struct letter letter;

	(void)state;
	bring_up(s);
	assert_non_null(book_find_job(&s->book, "a@alpha"));
	assert_int_equal(fake.positions, 1);
	/* Up again: all but the events of before. */
	keeper_link_down(&s->keeper);
	keeper_link_up(&s->keeper, s->feed, s->now);
	expect(s, CHIME__REQUEST__BODY_BUS, &letter);
	expect(s, CHIME__REQUEST__BODY_JOBS, &letter);
	expect(s, CHIME__REQUEST__BODY_SERVERS, &letter);
	assert_int_equal(next_asked(s, &letter, NULL), 0);
	free_stage(s);
}

static void test_letters_of_before_change_nothing(void **state)
{
	struct stage *s = new_stage();
	struct letter old, letter;

	(void)state;
	keeper_link_up(&s->keeper, s->feed, s->now);
	expect(s, CHIME__REQUEST__BODY_BUS, &letter);
	expect(s, CHIME__REQUEST__BODY_JOBS, &old);
	keeper_link_down(&s->keeper);
	keeper_link_up(&s->keeper, s->feed, s->now);
	answer_jobs(s, &old, "old", true);
	assert_null(book_find_job(&s->book, "old@alpha"));
	assert_int_equal(fake.positions, 0);
	free_stage(s);
}

static void test_servers_every_two_seconds_jobs_every_minute(void **state)
{
	struct stage *s = new_stage();
	struct letter letter;
	size_t servers = 0, jobs = 0;
	uint64_t stop;

	(void)state;
	bring_up(s);
	fake.hears_group = true;
	for (int i = 0; i < 600; i++) {
		Chime__Request__BodyCase kind;

		later(s, 100000);
		while ((kind = next_asked(s, &letter, NULL)) != 0) {
			servers += kind == CHIME__REQUEST__BODY_SERVERS;
			jobs += kind == CHIME__REQUEST__BODY_JOBS;
			if (kind == CHIME__REQUEST__BODY_JOBS)
				answer_jobs(s, &letter, "a", true);
			else
				answer_nothing(s, &letter);
		}
		assert_null(keeper_stream(&s->keeper, s->now, &stop));
		assert_true(keeper_due_us(&s->keeper, s->now) > s->now.boot_us);
	}
	assert_int_equal(servers, 30);
	assert_int_equal(jobs, 1);
	free_stage(s);
}

static void test_changed_jobs_are_asked_again_at_most_four_times_a_second(void **state)
{
	struct stage *s = new_stage();
	struct letter letter;
	Chime__Request *request;

	(void)state;
	bring_up(s);
	hear_held(s);
	assert_int_equal(next_asked(s, &letter, &request), CHIME__REQUEST__BODY_JOBS);
	assert_int_equal(request->jobs->n_target, 1);
	assert_string_equal(request->jobs->target[0], "a@alpha");
	assert_true(request->jobs->consumers);
	chime__request__free_unpacked(request, NULL);
	/* One at a time; an answer that is older than the event leaves it dirty. */
	assert_int_equal(next_asked(s, &letter, NULL), 0);
	answer_jobs(s, &letter, "a", true);
	assert_int_equal(s->book.dirty_count, 1);
	assert_int_equal(fake.positions, 1);	/* those of the first answer, not of this one */
	later(s, KEEPER_REFRESH_US - 1);
	assert_int_equal(next_asked(s, &letter, NULL), 0);
	assert_true(keeper_due_us(&s->keeper, s->now) == s->now.boot_us + 1);
	later(s, 1);
	expect(s, CHIME__REQUEST__BODY_JOBS, &letter);
	free_stage(s);
}

static void test_a_job_that_is_gone_asks_for_all(void **state)
{
	struct stage *s = new_stage();
	struct letter letter;
	Chime__Request *request;

	(void)state;
	bring_up(s);
	hear_held(s);
	expect(s, CHIME__REQUEST__BODY_JOBS, &letter);
	letter.trouble.exit = EXIT_NO_MATCH;
	assert_false(keeper_take_letter(&s->keeper, &letter, s->now));
	assert_int_equal(next_asked(s, &letter, &request), CHIME__REQUEST__BODY_JOBS);
	assert_int_equal(request->jobs->n_target, 0);
	chime__request__free_unpacked(request, NULL);
	free_stage(s);
}

static void test_parts_are_one_answer(void **state)
{
	struct stage *s = new_stage();
	struct letter letter;

	(void)state;
	keeper_link_up(&s->keeper, s->feed, s->now);
	expect(s, CHIME__REQUEST__BODY_BUS, &letter);
	expect(s, CHIME__REQUEST__BODY_JOBS, &letter);
	answer_jobs(s, &letter, "a", false);
	answer_jobs(s, &letter, "b", false);
	answer_jobs(s, &letter, "c", true);
	assert_non_null(book_find_job(&s->book, "a@alpha"));
	assert_non_null(book_find_job(&s->book, "b@alpha"));
	assert_non_null(book_find_job(&s->book, "c@alpha"));
	assert_int_equal(HASH_COUNT(s->book.jobs), 3);
	free_stage(s);
}

static void test_an_answer_without_end_is_a_broken_connection(void **state)
{
	struct stage *s = new_stage();
	struct letter letter;
	Chime__JobsReply jobs = CHIME__JOBS_REPLY__INIT;
	int64_t answered_us;

	(void)state;
	keeper_link_up(&s->keeper, s->feed, s->now);
	expect(s, CHIME__REQUEST__BODY_BUS, &letter);
	expect(s, CHIME__REQUEST__BODY_JOBS, &letter);
	answered_us = s->keeper.answered_us;
	letter.reply = new_reply(CHIME__REPLY__BODY_JOBS);
	letter.reply->jobs = &jobs;
	letter.done = false;
	for (int i = 0; i < 7; i++) {
		later(s, KEEPER_ANSWER_US / 7);
		assert_false(keeper_take_letter(&s->keeper, &letter, s->now));
	}
	later(s, KEEPER_ANSWER_US / 7);
	assert_true(keeper_take_letter(&s->keeper, &letter, s->now));
	assert_true(s->keeper.answered_us == answered_us);
	free(letter.reply);
	free_stage(s);
}

static void test_a_broken_connection_is_told(void **state)
{
	struct stage *s = new_stage();
	struct letter letter;

	(void)state;
	keeper_link_up(&s->keeper, s->feed, s->now);
	expect(s, CHIME__REQUEST__BODY_BUS, &letter);
	letter.trouble.exit = EXIT_UNREACHED;
	letter.broke = true;
	assert_true(keeper_take_letter(&s->keeper, &letter, s->now));
	/* A refusal is none. */
	expect(s, CHIME__REQUEST__BODY_JOBS, &letter);
	letter.trouble.exit = EXIT_DENIED;
	assert_false(keeper_take_letter(&s->keeper, &letter, s->now));
	free_stage(s);
}

static void test_what_the_feed_wants(void **state)
{
	struct stage *s = new_stage();
	struct letter letter;
	Chime__Request *request;

	(void)state;
	bring_up(s);
	fake.want[0] = (struct feed_want){ .kind = FEED_WANT_CERTIFICATE, .server = "bravo" };
	fake.want[1] = (struct feed_want){ .kind = FEED_WANT_PULL, .server = "bravo",
					   .have_lineage = { { 3, 4 } }, .have_seq = { 17 },
					   .have_count = 1 };
	fake.want_count = 2;
	assert_int_equal(next_asked(s, &letter, &request), CHIME__REQUEST__BODY_PULL);
	assert_string_equal(request->pull->origin, "bravo");
	assert_int_equal(request->pull->n_have, 1);
	assert_int_equal(request->pull->have[0]->seq, 17);
	assert_int_equal(request->pull->have[0]->lineage->tag, 4);
	chime__request__free_unpacked(request, NULL);
	/* One at a time. */
	assert_int_equal(next_asked(s, &(struct letter){ 0 }, NULL), 0);
	letter.trouble.exit = EXIT_TROUBLE;
	assert_false(keeper_take_letter(&s->keeper, &letter, s->now));
	assert_int_equal(fake.failed_pulls, 1);
	expect(s, CHIME__REQUEST__BODY_CERTIFICATE, &letter);
	answer_nothing(s, &letter);
	fake.want[0].kind = FEED_WANT_JOBS;
	fake.want_count = 1;
	expect(s, CHIME__REQUEST__BODY_JOBS, &letter);
	free_stage(s);
}

static void test_a_stream_only_while_the_group_is_silent(void **state)
{
	struct stage *s = new_stage();
	struct letter letter;
	struct order *order;
	Chime__Request *request;
	Chime__EventsReply events = CHIME__EVENTS_REPLY__INIT;
	uint64_t stop;

	(void)state;
	bring_up(s);
	later(s, KEEPER_STREAM_US - 1);
	assert_null(keeper_stream(&s->keeper, s->now, &stop));
	later(s, 1);
	order = keeper_stream(&s->keeper, s->now, &stop);
	assert_non_null(order);
	assert_true(order->follow);
	request = chime__request__unpack(NULL, order->request_len, order->request);
	assert_true(request->events->follow);
	assert_int_equal(request->events->limit, 0);
	chime__request__free_unpacked(request, NULL);
	letter = (struct letter){ .tag = order->tag, .kind = ORDER_ASK };
	order_free(order);
	assert_null(keeper_stream(&s->keeper, s->now, &stop));
	/* Its first answer: what happened before is asked for, or there would be a hole. */
	letter.reply = new_reply(CHIME__REPLY__BODY_EVENTS);
	letter.reply->events = &events;
	assert_false(keeper_take_letter(&s->keeper, &letter, s->now));
	assert_true(s->keeper.streaming);
	assert_true(s->keeper.want[KEEPER_JOBS]);
	free(letter.reply);
	/* The group is heard, but not yet for long; then the stream is stopped, once. */
	fake.hears_group = true;
	assert_null(keeper_stream(&s->keeper, s->now, &stop));
	assert_int_equal(stop, 0);
	later(s, KEEPER_STREAM_US);
	assert_null(keeper_stream(&s->keeper, s->now, &stop));
	assert_int_equal(stop, letter.tag);
	assert_null(keeper_stream(&s->keeper, s->now, &stop));
	assert_int_equal(stop, 0);
	free_stage(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_without_a_link),
		cmocka_unit_test(test_everything_once_when_up),
		cmocka_unit_test(test_letters_of_before_change_nothing),
		cmocka_unit_test(test_servers_every_two_seconds_jobs_every_minute),
		cmocka_unit_test(test_changed_jobs_are_asked_again_at_most_four_times_a_second),
		cmocka_unit_test(test_a_job_that_is_gone_asks_for_all),
		cmocka_unit_test(test_parts_are_one_answer),
		cmocka_unit_test(test_an_answer_without_end_is_a_broken_connection),
		cmocka_unit_test(test_a_broken_connection_is_told),
		cmocka_unit_test(test_what_the_feed_wants),
		cmocka_unit_test(test_a_stream_only_while_the_group_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
