/* The journal: the log as bytes, the tables that the model is loaded from, transactions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/edge/journal.h"
#include "tests/unit/story.h"

static const char day[] = "2025-03-10";

static struct journal *open_memory(void)
{
	struct journal *journal;
	char err[256];

	if (journal_open(&journal, ":memory:", err, sizeof(err)) < 0)
		fail_msg("%s", err);
	return journal;
}

/* ---- the model comes back as it was ---- */

static void test_model_comes_back(void **state)
{
	struct journal *journal = open_memory();
	struct model loaded;
	struct story s;
	struct job *job;
	struct run *run;

	(void)state;
	story_begin(&s);
	journal_begin(journal);
	job = story_define(&s, "me", "consumer", NULL, "success(a@other)");
	story_define(&s, "me", "tick", "10s", NULL);
	story_result(&s, "other", "a", day, CHIME__RUN_STATE__RUN_SUCCESS);
	engine_decide(&s.engine);
	s.engine.now.wall.us += 10 * USEC_PER_SEC;
	engine_decide(&s.engine);
	assert_int_equal(s.created, 2);
	assert_int_equal(journal_commit(journal, &s.model), 0);

	model_init(&loaded, "me");
	journal_load_model(journal, &loaded, 0);
	assert_int_equal(HASH_COUNT(loaded.jobs), HASH_COUNT(s.model.jobs));
	run = model_find_job(&loaded, "consumer", "me")->last;
	assert_int_equal(run->state, CHIME__RUN_STATE__RUN_STARTING);
	assert_int_equal(run->id.seq, job->last->id.seq);
	assert_int_equal(run->proof_count, 1);
	assert_memory_equal(&run->proofs[0], &job->last->proofs[0], sizeof(struct event_ref));
	assert_memory_equal(&run->by, &job->last->by, sizeof(struct event_ref));
	assert_int_equal(model_find_job(&loaded, "tick", "me")->cursor_s,
			 wall_seconds(s.engine.now.wall));
	assert_non_null(fact_newest(model_find_job(&loaded, "a", "other"), day, ATOM_SUCCESS,
				    NULL));
	assert_true(model_has_seen(&loaded, run->job, day, &run->by));
	assert_int_equal(loaded.live_own, 2);
	assert_null(loaded.changed_runs);
	model_fini(&loaded);
	story_end(&s);
	journal_close(journal);
}

static void test_rollback(void **state)
{
	struct journal *journal = open_memory();
	struct model nothing;

	(void)state;
	model_init(&nothing, "me");
	journal_begin(journal);
	assert_false(journal_is_dirty(journal));
	assert_int_equal(journal_meta(journal, "boot", 5), 5);
	assert_false(journal_is_dirty(journal));	/* asking costs no transaction */
	journal_set_meta(journal, "boot", 6);
	assert_true(journal_is_dirty(journal));
	journal_rollback(journal);
	assert_int_equal(journal_meta(journal, "boot", 5), 5);
	journal_begin(journal);
	journal_set_meta(journal, "boot", 7);
	assert_int_equal(journal_commit(journal, &nothing), 0);
	journal_rollback(journal);
	assert_int_equal(journal_meta(journal, "boot", 5), 7);
	model_fini(&nothing);
	journal_close(journal);
}

/* One slot makes one run: the file itself refuses the second. */
static void test_slot_is_unique(void **state)
{
	struct journal *journal = open_memory();
	struct story s;

	(void)state;
	story_begin(&s);
	journal_begin(journal);
	for (int i = 0; i < 2; i++) {
		Chime__RunCreated c = CHIME__RUN_CREATED__INIT;
		Chime__Event body;

		story_init_event(&s, &body);
		c.job = "tick";
		c.slot = "2025-03-10T10:00:00Z";
		body.body_case = CHIME__EVENT__BODY_RUN_CREATED;
		body.run_created = &c;
		story_tell(&s, "me", &body);
	}
	assert_int_equal(journal_commit(journal, &s.model), -EIO);
	assert_non_null(strstr(journal_error(journal), "UNIQUE"));
	story_end(&s);
	journal_close(journal);
}

/* ---- the log ---- */

struct heard { uint64_t first[64]; size_t frames, heads; };

static void frame_cb(void *arg, const uint8_t *raw, size_t len)
{
	struct heard *heard = arg;
	struct frame frame;

	assert_int_equal(frame_parse(raw, len, &frame), FRAME_OK);
	heard->first[heard->frames++] = frame.first_seq;
}

static void head_cb(void *arg, const uint8_t *raw, size_t len)
{
	(void)raw;
	(void)len;
	((struct heard *)arg)->heads++;
}

static void add_frames(struct journal *journal, struct lineage lineage, uint64_t first,
		       uint64_t count)
{
	struct digest prev = { { 0 } };

	for (uint64_t i = 0; i < count; i++) {
		uint8_t env_id[ENVIRONMENT_ID_SIZE] = { 0 }, raw[256], body = (uint8_t)i;
		struct frame frame = { .origin = "db1", .lineage = lineage,
				       .first_seq = first + i, .count = 1, .prev_hash = prev,
				       .flags = i ? 0 : FRAME_OPENS, .body = &body,
				       .body_len = 1 };
		struct head head = { .origin = "db1", .lineage = lineage, .seq = first + i,
				     .raw_len = 4 };

		assert_int_equal(frame_build(&frame, raw, sizeof(raw)), 0);
		frame_hash(&frame, env_id, &prev);
		journal_add_frame(journal, &frame, &prev, 1000 + (int64_t)i);
		assert_true(journal_has_frame(journal, "db1", &prev));
		assert_false(journal_has_frame(journal, "db2", &prev));
		/* A head after every fourth frame. */
		if (i % 4 == 3)
			journal_add_head(journal, &head);
	}
}

static void test_reading_a_log(void **state)
{
	struct lineage one = { 1, UINT64_MAX - 5 }, two = { 2, 7 };
	struct journal_have have = { one, 10 };
	struct journal *journal = open_memory();
	struct heard heard = { .frames = 0 };
	struct journal_reader reader = { frame_cb, head_cb, &heard };
	struct model nothing;
	bool more;

	(void)state;
	model_init(&nothing, "me");
	journal_begin(journal);
	add_frames(journal, one, 1, 16);
	add_frames(journal, two, 17, 8);
	assert_int_equal(journal_commit(journal, &nothing), 0);

	journal_read_log(journal, "db1", NULL, 0, 1000, 1 << 20, &reader, &more);
	assert_int_equal(heard.frames, 24);
	assert_int_equal(heard.heads, 6);
	assert_false(more);

	heard = (struct heard){ .frames = 0 };
	journal_read_log(journal, "db1", &have, 1, 1000, 1 << 20, &reader, &more);
	assert_int_equal(heard.frames, 14);
	assert_int_equal(heard.first[0], 11);

	/* An answer that is cut ends at a head, and says that there is more. */
	heard = (struct heard){ .frames = 0 };
	journal_read_log(journal, "db1", NULL, 0, 5, 1 << 20, &reader, &more);
	assert_int_equal(heard.frames, 8);
	assert_true(more);
	model_fini(&nothing);
	journal_close(journal);
}

/* ---- the rest ---- */

static void test_commands(void **state)
{
	struct journal *journal = open_memory();
	struct model nothing;
	uint8_t *reply;
	size_t len;

	(void)state;
	model_init(&nothing, "me");
	journal_begin(journal);
	assert_false(journal_find_command(journal, "0123456789abcdef", 16, &reply, &len));
	journal_put_command(journal, "0123456789abcdef", 16, 5, "answer", 6);
	assert_int_equal(journal_commit(journal, &nothing), 0);
	assert_true(journal_find_command(journal, "0123456789abcdef", 16, &reply, &len));
	assert_int_equal(len, 6);
	assert_memory_equal(reply, "answer", 6);
	free(reply);
	assert_false(journal_find_command(journal, "0123456789abcdeX", 16, &reply, &len));
	model_fini(&nothing);
	journal_close(journal);
}

static void test_file(void **state)
{
	char folder[] = "/tmp/chime-journal-XXXXXX", path[64], err[256];
	struct journal *journal;
	struct model nothing;
	struct stat st;

	(void)state;
	model_init(&nothing, "me");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/history.db", folder);
	assert_int_equal(journal_open(&journal, path, err, sizeof(err)), 0);
	journal_begin(journal);
	journal_set_meta(journal, "boot", 3);
	assert_int_equal(journal_commit(journal, &nothing), 0);
	journal_close(journal);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(journal_open(&journal, path, err, sizeof(err)), 0);
	assert_int_equal(journal_meta(journal, "boot", 0), 3);
	journal_close(journal);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_true(journal_open(&journal, path, err, sizeof(err)) < 0);
	assert_true(err[0]);
	model_fini(&nothing);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model_comes_back), cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_slot_is_unique), cmocka_unit_test(test_reading_a_log),
		cmocka_unit_test(test_commands), cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
