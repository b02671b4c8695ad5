/* Chains: what is delivered, in which order, and what never is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/chain.h"

enum { FRAMES = 8, RAW_MAX = 256 };

static const uint8_t env_id[ENVIRONMENT_ID_SIZE] = { 1, 2, 3 };

/* A log of one lineage: two events a frame. */
struct log {
	struct frame frames[FRAMES];
	struct digest hashes[FRAMES];
	uint8_t raw[FRAMES][RAW_MAX];
};

static void build(struct log *log, uint64_t boot, uint64_t first_seq, const struct digest *parent)
{
	struct digest prev = parent ? *parent : (struct digest){ { 0 } };

	for (int i = 0; i < FRAMES; i++) {
		struct frame *f = &log->frames[i];
		uint8_t body[2] = { (uint8_t)i, (uint8_t)boot };

		*f = (struct frame){ .origin = "db1", .lineage = { boot, boot + 100 },
				     .first_seq = first_seq + 2 * (uint64_t)i, .count = 2,
				     .flags = i == 0 ? FRAME_OPENS : 0, .prev_hash = prev,
				     .body = body, .body_len = sizeof(body) };
		assert_int_equal(frame_build(f, log->raw[i], RAW_MAX), 0);
		frame_hash(f, env_id, &log->hashes[i]);
		prev = log->hashes[i];
	}
}

static struct head head_of(const struct log *log, int i)
{
	struct head head = { .origin = "db1", .lineage = log->frames[i].lineage,
			     .seq = frame_last_seq(&log->frames[i]),
			     .frame_hash = log->hashes[i] };

	return head;
}

/* Takes everything; returns how many, the seq of the last in *last. */
static int take_all(struct chain *chain, uint64_t *last)
{
	struct chain_delivery d;
	int count = 0;

	while (chain_take(chain, &d)) {
		count++;
		*last = frame_last_seq(&d.frame);
		assert_memory_equal(d.frame.raw, d.raw, d.frame.raw_len);
		chain_delivery_fini(&d);
	}
	return count;
}

static void test_any_order(void **state)
{
	static const int order[FRAMES] = { 5, 0, 7, 2, 1, 6, 4, 3 };
	struct log log;
	struct chain chain;
	struct head head;
	uint64_t last = 0;

	(void)state;
	build(&log, 1, 1, NULL);
	chain_init(&chain, "db1", env_id);
	head = head_of(&log, FRAMES - 1);
	assert_int_equal(chain_add_head(&chain, &head), CHAIN_NEW);
	assert_int_equal(chain_add_head(&chain, &head), CHAIN_DUPLICATE);
	for (int i = 0; i < FRAMES; i++) {
		assert_true(chain_has_gap(&chain));
		assert_int_equal(take_all(&chain, &last), 0);
		assert_int_equal(chain_add_frame(&chain, &log.frames[order[i]], false), CHAIN_NEW);
		assert_int_equal(chain_add_frame(&chain, &log.frames[order[i]], false),
				 CHAIN_DUPLICATE);
	}
	assert_int_equal(take_all(&chain, &last), FRAMES);
	assert_int_equal(last, 2 * FRAMES);
	assert_false(chain_has_gap(&chain));
	assert_int_equal(chain_newest(&chain)->seq, 2 * FRAMES);
	assert_int_equal(chain_add_frame(&chain, &log.frames[3], false), CHAIN_DUPLICATE);
	chain_fini(&chain);
}

static void test_nothing_beyond_the_head(void **state)
{
	struct log log;
	struct chain chain;
	struct head head;
	uint64_t last = 0;

	(void)state;
	build(&log, 1, 1, NULL);
	chain_init(&chain, "db1", env_id);
	for (int i = 0; i < FRAMES; i++)
		(void)chain_add_frame(&chain, &log.frames[i], false);
	assert_int_equal(take_all(&chain, &last), 0);
	head = head_of(&log, 2);
	(void)chain_add_head(&chain, &head);
	assert_int_equal(take_all(&chain, &last), 3);
	assert_int_equal(last, 6);
	assert_true(chain_has_gap(&chain));
	chain_fini(&chain);
}

/* Two frames claim one place: the head decides, the other is never delivered. */
static void test_head_decides(void **state)
{
	struct log log;
	struct frame forged;
	struct chain chain;
	struct head head;
	uint8_t raw[RAW_MAX], body[2] = { 99, 99 };
	uint64_t last = 0;

	(void)state;
	build(&log, 1, 1, NULL);
	forged = log.frames[1];
	forged.body = body;
	assert_int_equal(frame_build(&forged, raw, sizeof(raw)), 0);
	chain_init(&chain, "db1", env_id);
	assert_int_equal(chain_add_frame(&chain, &forged, false), CHAIN_NEW);
	for (int i = 0; i < 3; i++)
		(void)chain_add_frame(&chain, &log.frames[i], false);
	head = head_of(&log, 2);
	(void)chain_add_head(&chain, &head);
	assert_int_equal(take_all(&chain, &last), 3);
	assert_memory_equal(&chain_newest(&chain)->hash, &log.hashes[2], sizeof(struct digest));
	chain_fini(&chain);
}

static void test_lineage_needs_its_parent(void **state)
{
	struct log first, second;
	struct chain chain;
	struct head head;
	uint64_t last = 0;

	(void)state;
	build(&first, 1, 1, NULL);
	build(&second, 2, 17, &first.hashes[FRAMES - 1]);
	chain_init(&chain, "db1", env_id);
	head = head_of(&second, 1);
	(void)chain_add_head(&chain, &head);
	for (int i = 0; i < 2; i++)
		(void)chain_add_frame(&chain, &second.frames[i], false);
	assert_int_equal(take_all(&chain, &last), 0);
	/* Once the parent is delivered, the child follows by itself. */
	head = head_of(&first, FRAMES - 1);
	(void)chain_add_head(&chain, &head);
	for (int i = 0; i < FRAMES; i++)
		(void)chain_add_frame(&chain, &first.frames[i], false);
	assert_int_equal(take_all(&chain, &last), FRAMES + 2);
	assert_int_equal(last, 20);
	assert_int_equal(chain_newest(&chain)->lineage.boot, 2);
	chain_fini(&chain);
}

static void test_loaded_position(void **state)
{
	struct log log;
	struct chain chain;
	struct head head;
	uint64_t last = 0;

	(void)state;
	build(&log, 1, 1, NULL);
	chain_init(&chain, "db1", env_id);
	chain_load(&chain, log.frames[0].lineage, 6, &log.hashes[2]);
	assert_false(chain_has_gap(&chain));
	head = head_of(&log, 2);
	assert_int_equal(chain_add_head(&chain, &head), CHAIN_DUPLICATE);
	head = head_of(&log, 3);
	(void)chain_add_head(&chain, &head);
	(void)chain_add_frame(&chain, &log.frames[3], false);
	assert_int_equal(take_all(&chain, &last), 1);
	/* What links to another hash than the one stored is never taken. */
	log.frames[4].prev_hash.b[0] ^= 1;
	assert_int_equal(frame_build(&log.frames[4], log.raw[4], RAW_MAX), 0);
	frame_hash(&log.frames[4], env_id, &log.hashes[4]);
	head = head_of(&log, 4);
	(void)chain_add_head(&chain, &head);
	(void)chain_add_frame(&chain, &log.frames[4], false);
	assert_int_equal(take_all(&chain, &last), 0);
	chain_fini(&chain);
}

/* Who stores nothing is told a position ahead: what waits beyond it follows, the rest is gone. */
static void test_skip(void **state)
{
	struct log first, second;
	struct chain chain;
	struct head head;
	uint64_t last = 0;

	(void)state;
	build(&first, 1, 1, NULL);
	build(&second, 2, 17, &first.hashes[FRAMES - 1]);
	chain_init(&chain, "db1", env_id);
	chain_load(&chain, first.frames[0].lineage, 2, &first.hashes[0]);
	for (int i = 2; i < FRAMES; i++)
		(void)chain_add_frame(&chain, &first.frames[i], false);
	head = head_of(&first, 3);
	(void)chain_add_head(&chain, &head);
	head = head_of(&first, 6);
	(void)chain_add_head(&chain, &head);
	assert_int_equal(take_all(&chain, &last), 0);
	chain_skip(&chain, first.frames[0].lineage, 8, &first.hashes[3]);
	assert_int_equal(chain.waiting_count, FRAMES - 4);
	assert_int_equal(chain.head_count, 1);
	assert_int_equal(take_all(&chain, &last), 3);
	assert_int_equal(last, 14);
	/* Over a lineage: the older one is forgotten, with the frame of it that waited. */
	chain_skip(&chain, second.frames[0].lineage, 18, &second.hashes[0]);
	assert_false(chain_has_gap(&chain));
	assert_int_equal(chain.lineage_count, 1);
	head = head_of(&second, 1);
	(void)chain_add_head(&chain, &head);
	(void)chain_add_frame(&chain, &second.frames[1], false);
	assert_int_equal(take_all(&chain, &last), 1);
	assert_int_equal(last, 20);
	chain_fini(&chain);
}

/* A lineage that opens at the position skipped to has waited for nothing else. */
static void test_skip_to_a_parent(void **state)
{
	struct log first, second;
	struct chain chain;
	struct head head;
	uint64_t last = 0;

	(void)state;
	build(&first, 1, 1, NULL);
	build(&second, 2, 17, &first.hashes[FRAMES - 1]);
	chain_init(&chain, "db1", env_id);
	chain_load(&chain, first.frames[0].lineage, 2, &first.hashes[0]);
	(void)chain_add_frame(&chain, &second.frames[0], false);
	head = head_of(&second, 0);
	(void)chain_add_head(&chain, &head);
	assert_int_equal(take_all(&chain, &last), 0);
	chain_skip(&chain, first.frames[0].lineage, 16, &first.hashes[FRAMES - 1]);
	assert_int_equal(take_all(&chain, &last), 1);
	assert_int_equal(last, 18);
	chain_fini(&chain);
}

static void test_bounds(void **state)
{
	struct frame far = { .origin = "db1", .lineage = { 1, 101 }, .count = 1 };
	uint8_t raw[RAW_MAX], body = 0;
	struct digest hash = { { 1 } };
	struct chain chain;

	(void)state;
	chain_init(&chain, "db1", env_id);
	chain_load(&chain, far.lineage, 10, &hash);
	far.body = &body;
	far.body_len = 1;
	far.first_seq = 11 + CHAIN_AHEAD_MAX;
	assert_int_equal(frame_build(&far, raw, sizeof(raw)), 0);
	assert_int_equal(chain_add_frame(&chain, &far, false), CHAIN_TOO_FAR);
	for (uint64_t i = 0; i < CHAIN_WAITING_MAX; i++) {
		far.first_seq = 1000 + i;
		far.body = &body;
		assert_int_equal(frame_build(&far, raw, sizeof(raw)), 0);
		assert_int_equal(chain_add_frame(&chain, &far, false), CHAIN_NEW);
	}
	/* Full: the farthest goes for what is nearer, the oldest for what lies ahead of all. */
	far.first_seq = 10000;
	far.body = &body;
	assert_int_equal(frame_build(&far, raw, sizeof(raw)), 0);
	assert_int_equal(chain_add_frame(&chain, &far, false), CHAIN_NEW);
	far.first_seq = 500;
	far.body = &body;
	assert_int_equal(frame_build(&far, raw, sizeof(raw)), 0);
	assert_int_equal(chain_add_frame(&chain, &far, false), CHAIN_NEW);
	assert_int_equal(chain.waiting_count, CHAIN_WAITING_MAX);
	chain_fini(&chain);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < CHAIN_VERDICT_COUNT; i++)
		assert_string_not_equal(chain_verdict_name((enum chain_verdict)i), "unknown");
	assert_string_equal(chain_verdict_name(CHAIN_VERDICT_COUNT), "unknown");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order), cmocka_unit_test(test_nothing_beyond_the_head),
		cmocka_unit_test(test_head_decides),
		cmocka_unit_test(test_lineage_needs_its_parent),
		cmocka_unit_test(test_loaded_position), cmocka_unit_test(test_skip),
		cmocka_unit_test(test_skip_to_a_parent), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
