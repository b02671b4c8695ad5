/*
 * test_record_track.c - seqs as ranges, and how far the proof of a head reaches along a lineage
 * whose frames come in any order, with holes, and too many of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/record/track.h"

#include <string.h>

/* ---- ranges ---- */

static void ranges_join_and_leave_holes(void **state)
{
	struct spans spans = { 0 };
	struct span hole;

	(void)state;
	assert_int_equal(spans_add(&spans, 10, 12), 3);
	assert_int_equal(spans_add(&spans, 20, 20), 1);
	assert_int_equal(spans_add(&spans, 13, 13), 1);
	assert_int_equal(spans_add(&spans, 19, 19), 1);
	assert_int_equal(spans.count, 2);
	assert_int_equal(spans_missing(&spans, 1, 30), 9 + 5 + 10);
	assert_true(spans_find_hole(&spans, 10, 30, &hole));
	assert_true(hole.first == 14 && hole.last == 18);
	assert_true(spans_find_hole(&spans, 16, 17, &hole));
	assert_true(hole.first == 16 && hole.last == 17);
	assert_false(spans_find_hole(&spans, 10, 13, &hole));
	assert_int_equal(spans_add(&spans, 12, 19), 5);
	assert_int_equal(spans.count, 1);
	assert_int_equal(spans_missing(&spans, 10, 20), 0);
	assert_int_equal(spans_add(&spans, 10, 20), 0);
	spans_fini(&spans);
}

static void ranges_are_bounded_and_forget_no_hole(void **state)
{
	struct spans spans = { 0 };
	uint64_t last = 0;

	(void)state;
	for (uint64_t i = 0; i < SPANS_MAX + 3; i++) {
		last = 1 + i * 10;
		assert_int_equal(spans_add(&spans, last, last), 1);
	}
	assert_int_equal(spans.count, SPANS_MAX);
	assert_int_equal(spans.closed, 3 * 9);
	assert_int_equal(spans_missing(&spans, 1, last) + spans.closed,
			 last - (SPANS_MAX + 3));
	spans_fini(&spans);
}

/* ---- a lineage ---- */

static struct digest hash_of(uint64_t last, unsigned branch)
{
	struct digest digest = { 0 };

	memcpy(digest.b, &last, sizeof(last));
	digest.b[31] = (uint8_t)(branch + 1);
	return digest;
}

/* count events that end with last, behind another frame of the same branch. */
static struct known *add(struct track *track, uint64_t last, uint32_t count, unsigned branch,
			 enum proof *promised)
{
	struct frame frame = { .first_seq = last - count + 1, .count = count };
	struct digest hash = hash_of(last, branch);
	enum proof ignored;

	frame.prev_hash = hash_of(last - count, branch);
	frame.flags = frame.first_seq == 1 ? FRAME_OPENS : 0;
	return track_add(track, &frame, &hash, promised ? promised : &ignored);
}

/* How many frames gained proof. */
static size_t prove(struct track *track, uint64_t last, unsigned branch, enum proof proof)
{
	struct digest hash = hash_of(last, branch);
	size_t from, to, count = 0;

	track_prove(track, last, &hash, proof, &from, &to);
	for (size_t i = 0; i < track->known_count; i++) {
		if (track->known[i].fresh)
			assert_true(i >= from && i < to);
		count += track->known[i].fresh;
		track->known[i].fresh = false;
	}
	return count;
}

static enum proof proof_of(const struct track *track, uint64_t last, unsigned branch)
{
	struct digest hash = hash_of(last, branch);
	const struct known *k = track_find(track, last, &hash);

	assert_non_null(k);
	return k->proof;
}

static void proof_goes_back_along_the_names_and_no_further(void **state)
{
	struct track *track = track_new((struct lineage){ 3, 7 });
	enum proof promised;

	(void)state;
	/* 1, 2..3, a hole, 6..7, 8, and 8 of another branch. */
	add(track, 8, 1, 0, NULL);
	add(track, 1, 1, 0, NULL);
	add(track, 8, 1, 1, NULL);
	add(track, 7, 2, 0, NULL);
	add(track, 3, 2, 0, NULL);
	assert_int_equal(prove(track, 8, 0, PROOF_UNCHECKED), 2);
	assert_int_equal(proof_of(track, 8, 1), PROOF_NONE);
	assert_int_equal(proof_of(track, 3, 0), PROOF_NONE);
	/* The same again gains nothing, and more goes as far. */
	assert_int_equal(prove(track, 8, 0, PROOF_UNCHECKED), 0);
	assert_int_equal(prove(track, 8, 0, PROOF_SIGNED), 2);
	/* Less takes nothing away. */
	assert_int_equal(prove(track, 8, 0, PROOF_UNCHECKED), 0);
	assert_int_equal(proof_of(track, 7, 0), PROOF_SIGNED);
	/* What was named is signed when it comes, and what is before it with it. */
	add(track, 5, 2, 1, &promised);
	assert_int_equal(promised, PROOF_NONE);
	add(track, 5, 2, 0, &promised);
	assert_int_equal(promised, PROOF_SIGNED);
	assert_int_equal(prove(track, 5, 0, promised), 3);
	assert_int_equal(proof_of(track, 1, 0), PROOF_SIGNED);
	assert_int_equal(proof_of(track, 5, 1), PROOF_NONE);
	assert_int_equal(track->promised_count, 0);
	/* Less is not promised where more was. */
	prove(track, 20, 0, PROOF_SIGNED);
	prove(track, 20, 0, PROOF_UNCHECKED);
	add(track, 20, 1, 0, &promised);
	assert_int_equal(promised, PROOF_SIGNED);
	/* An opening names what another lineage ends with: nothing is promised of this one. */
	add(track, 40, 1, 0, NULL)->opens = true;
	assert_int_equal(prove(track, 40, 0, PROOF_SIGNED), 1);
	assert_int_equal(track->promised_count, 0);
	track_free(track);
}

static void promises_are_bounded_and_the_oldest_go(void **state)
{
	struct track *track = track_new((struct lineage){ 3, 7 });
	struct digest hash;
	enum proof promised;

	(void)state;
	for (uint64_t i = 0; i < TRACK_PROMISED_MAX + 1; i++)
		assert_int_equal(prove(track, 100 + i * 10, 0, PROOF_SIGNED), 0);
	/* Named once more it is the same promise. */
	prove(track, 110, 0, PROOF_SIGNED);
	assert_int_equal(track->promised_count, TRACK_PROMISED_MAX);
	hash = hash_of(110, 0);
	assert_null(track_find_promise(track, 110, &hash));
	hash = hash_of(110, 1);
	assert_non_null(track_find_promise(track, 110, &hash));
	add(track, 100, 1, 0, &promised);
	assert_int_equal(promised, PROOF_NONE);
	add(track, 120, 1, 0, &promised);
	assert_int_equal(promised, PROOF_SIGNED);
	assert_int_equal(track->promised_count, TRACK_PROMISED_MAX - 1);
	hash = hash_of(110, 1);
	assert_non_null(track_find_promise(track, 110, &hash));
	track_free(track);
}

static bool count_other(const struct known *other, void *arg)
{
	size_t *count = arg;

	(void)other;
	return ++*count == 2;
}

static void others_are_those_that_share_a_seq(void **state)
{
	struct track *track = track_new((struct lineage){ 3, 7 });
	struct digest hash = hash_of(30, 0);
	size_t count = 0;

	(void)state;
	/* One wide frame far before reaches in; narrow ones beside it do not. */
	add(track, 30, 20, 1, NULL);
	add(track, 27, 1, 1, NULL);
	add(track, 28, 1, 1, NULL);
	add(track, 31, 1, 1, NULL);
	add(track, 30, 3, 0, NULL);
	assert_true(track_each_other(track, 28, 30, &hash, count_other, &count));
	assert_int_equal(count, 2);
	count = 0;
	assert_false(track_each_other(track, 29, 30, &hash, count_other, &count));
	assert_int_equal(count, 1);
	count = 0;
	assert_false(track_each_other(track, 32, 40, &hash, count_other, &count));
	assert_int_equal(count, 0);
	track_free(track);
}

static bool is_late(const struct track *track, uint64_t last, uint32_t count)
{
	struct frame frame = { .first_seq = last - count + 1, .count = count };

	return track_is_late(track, &frame);
}

static bool is_ahead(const struct track *track, uint64_t last, uint32_t count)
{
	struct frame frame = { .first_seq = last - count + 1, .count = count };

	return track_is_ahead(track, &frame);
}

static void late_and_ahead_are_of_what_was_seen(void **state)
{
	struct track *track = track_new((struct lineage){ 3, 7 });
	struct frame frame = { .first_seq = 11, .count = 2 };

	(void)state;
	assert_false(is_late(track, 5, 1) || is_ahead(track, 5, 1));
	add(track, 12, 2, 0, NULL);
	assert_false(is_ahead(track, 13, 1));
	assert_true(is_ahead(track, 15, 2));
	assert_true(is_late(track, 10, 1));
	assert_false(is_late(track, 13, 1));
	/* Nothing is late that lies before the beginning of the capture. */
	track->begun = true;
	track->low = 11;
	track->high = 20;
	assert_false(is_late(track, 10, 1));
	assert_true(is_late(track, 20, 1));
	assert_false(is_late(track, 21, 1));
	/* A place is forgotten when it was seen and nothing that is known covers it. */
	assert_false(track_is_forgotten(track, &frame));
	spans_add(&track->seen, 1, 12);
	assert_false(track_is_forgotten(track, &frame));
	frame.first_seq = 5;
	assert_true(track_is_forgotten(track, &frame));
	frame.first_seq = 12;
	assert_false(track_is_forgotten(track, &frame));
	track_free(track);
}

static void heads_are_known_by_counter_and_bytes(void **state)
{
	struct track *track = track_new((struct lineage){ 3, 7 });
	struct digest one = hash_of(1, 0), two = hash_of(2, 0);

	(void)state;
	track_remember_head(track, 5, &one, PROOF_UNCHECKED);
	assert_true(track_knows_head(track, 5, &one));
	assert_false(track_knows_head(track, 5, &two));
	assert_false(track_knows_head(track, 6, &one));
	track_remember_head(track, 5, &one, PROOF_SIGNED);
	assert_int_equal(track->head_count, 1);
	assert_int_equal(track_find_head(track, 5)->proof, PROOF_SIGNED);
	for (uint64_t i = 6; i < 6 + TRACK_HEADS_MAX; i++)
		track_remember_head(track, i, &one, PROOF_SIGNED);
	assert_null(track_find_head(track, 5));
	assert_non_null(track_find_head(track, 6));
	assert_true(track_note_fork(track, 9));
	assert_false(track_note_fork(track, 9));
	for (uint64_t i = 0; i < 2 * TRACK_FORKS_MAX; i++)
		assert_int_equal(track_note_fork(track, 100 + i), i < TRACK_FORKS_MAX - 1);
	track_free(track);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_join_and_leave_holes),
		cmocka_unit_test(ranges_are_bounded_and_forget_no_hole),
		cmocka_unit_test(proof_goes_back_along_the_names_and_no_further),
		cmocka_unit_test(promises_are_bounded_and_the_oldest_go),
		cmocka_unit_test(others_are_those_that_share_a_seq),
		cmocka_unit_test(late_and_ahead_are_of_what_was_seen),
		cmocka_unit_test(heads_are_known_by_counter_and_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
