/* Frames: layout, hash, stub, and every byte and length changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

static const uint8_t env_id[ENVIRONMENT_ID_SIZE] = "0123456789abcde";
static const uint8_t body[] = "three events, as bytes";

static struct frame sample(void)
{
	struct frame f = {
		.origin = "alpha",
		.lineage = { 7, 0x1122334455667788 },
		.first_seq = 118221,
		.count = 3,
		.flags = FRAME_OPENS,
		.body = body,
		.body_len = sizeof body - 1,
	};

	memset(f.prev_hash.b, 0xab, DIGEST_SIZE);
	return f;
}

static void test_layout(void **state)
{
	static const uint8_t expected[] =
		"\1\1\5alpha"
		"\0\0\0\0\0\0\0\7"
		"\x11\x22\x33\x44\x55\x66\x77\x88"
		"\0\0\0\0\0\1\xcd\xcd"
		"\0\3";
	uint8_t raw[FRAME_HEADER_MAX + 100];
	struct frame f = sample();

	(void)state;
	assert_int_equal(frame_build(&f, raw, sizeof raw), 0);
	assert_memory_equal(raw, expected, sizeof expected - 1);
	assert_int_equal(raw[sizeof expected - 1], 0xab);
	assert_memory_equal(raw + sizeof expected - 1 + 32, "\0\0\0\x16three", 9);
	assert_int_equal(f.raw_len, frame_size(5, sizeof body - 1));
	assert_ptr_equal(f.raw, raw);
}

static void test_round_trip(void **state)
{
	uint8_t raw[FRAME_HEADER_MAX + 100];
	struct frame f = sample(), g;

	(void)state;
	assert_int_equal(frame_build(&f, raw, sizeof raw), 0);
	assert_int_equal(frame_parse(raw, f.raw_len, &g), FRAME_OK);
	assert_string_equal(g.origin, "alpha");
	assert_true(lineage_equal(g.lineage, f.lineage));
	assert_int_equal(g.first_seq, 118221);
	assert_int_equal(frame_last_seq(&g), 118223);
	assert_int_equal(g.flags, FRAME_OPENS);
	assert_true(digest_equal(&g.prev_hash, &f.prev_hash));
	assert_true(digest_equal(&g.body_hash, &f.body_hash));
	assert_int_equal(g.body_len, sizeof body - 1);
	assert_memory_equal(g.body, body, g.body_len);
}

/* The formula spelled out once more, from its text. */
static void test_hash(void **state)
{
	uint8_t raw[FRAME_HEADER_MAX + 100];
	struct frame f = sample();
	struct digest hash, expected, of_body;

	(void)state;
	assert_int_equal(frame_build(&f, raw, sizeof raw), 0);
	frame_hash(&f, env_id, &hash);
	digest_of(body, sizeof body - 1, &of_body);
	struct digest_part parts[] = {
		{ "chime frame v1\0", 15 },
		{ env_id, 16 },
		{ raw, 34 + 32 },	/* header and prev hash lie together */
		{ of_body.b, 32 },
	};
	digest_of_parts(parts, 4, &expected);
	assert_true(digest_equal(&hash, &expected));
}

static void test_stub(void **state)
{
	uint8_t raw[FRAME_HEADER_MAX + 100], stub_raw[FRAME_STUB_MAX];
	struct frame f = sample(), stub, parsed;
	struct digest full_hash, stub_hash;

	(void)state;
	assert_int_equal(frame_build(&f, raw, sizeof raw), 0);
	assert_int_equal(frame_make_stub(&f, stub_raw, 10, &stub), -ENOSPC);
	assert_int_equal(frame_make_stub(&f, stub_raw, sizeof stub_raw, &stub), 0);
	assert_int_equal(frame_parse(stub_raw, stub.raw_len, &parsed), FRAME_OK);
	assert_int_equal(parsed.flags, FRAME_OPENS | FRAME_STUB);
	assert_null(parsed.body);
	frame_hash(&f, env_id, &full_hash);
	frame_hash(&parsed, env_id, &stub_hash);
	assert_true(digest_equal(&full_hash, &stub_hash));
	frame_hash(&stub, env_id, &stub_hash);
	assert_true(digest_equal(&full_hash, &stub_hash));

	/* A stub of a stub is the same stub. */
	uint8_t again_raw[FRAME_STUB_MAX];
	struct frame again;
	assert_int_equal(frame_make_stub(&parsed, again_raw, sizeof again_raw, &again), 0);
	assert_int_equal(again.raw_len, stub.raw_len);
	assert_memory_equal(again_raw, stub_raw, stub.raw_len);

	stub_raw[34 + 32 + 3] = 1;
	assert_int_equal(frame_parse(stub_raw, stub.raw_len, &parsed), FRAME_BAD_STUB);
}

/* Every changed bit is refused or changes the hash; every length but the right one is refused. */
static void check_changes(const uint8_t *raw, size_t len)
{
	struct frame f;
	struct digest before, after;

	assert_int_equal(frame_parse(raw, len, &f), FRAME_OK);
	frame_hash(&f, env_id, &before);
	for (size_t bit = 0; bit < len * 8; bit++) {
		uint8_t *copy = malloc(len);
		memcpy(copy, raw, len);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (frame_parse(copy, len, &f) == FRAME_OK) {
			frame_hash(&f, env_id, &after);
			assert_false(digest_equal(&before, &after));
		}
		free(copy);
	}
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		memcpy(copy, raw, n);
		assert_int_equal(frame_parse(copy, n, &f), FRAME_TOO_SHORT);
		free(copy);
	}
	uint8_t *longer = calloc(1, len + 1);
	memcpy(longer, raw, len);
	assert_int_equal(frame_parse(longer, len + 1, &f), FRAME_TOO_LONG);
	free(longer);
}

static void test_changes(void **state)
{
	uint8_t raw[FRAME_HEADER_MAX + 100], stub_raw[FRAME_STUB_MAX];
	struct frame f = sample(), stub;

	(void)state;
	assert_int_equal(frame_build(&f, raw, sizeof raw), 0);
	check_changes(raw, f.raw_len);
	assert_int_equal(frame_make_stub(&f, stub_raw, sizeof stub_raw, &stub), 0);
	check_changes(stub_raw, stub.raw_len);
}

static void test_bound_to_environment(void **state)
{
	uint8_t raw[FRAME_HEADER_MAX + 100], other[ENVIRONMENT_ID_SIZE] = { 0 };
	struct frame f = sample();
	struct digest here, there;

	(void)state;
	assert_int_equal(frame_build(&f, raw, sizeof raw), 0);
	frame_hash(&f, env_id, &here);
	frame_hash(&f, other, &there);
	assert_false(digest_equal(&here, &there));
}

static void test_parse_refuses(void **state)
{
	uint8_t raw[FRAME_HEADER_MAX + 100], copy[sizeof raw];
	struct frame f = sample(), g;
	const struct {
		size_t at;
		const char *bytes;
		size_t len;
		enum frame_verdict verdict;
	} t[] = {
		{ 0, "\0", 1, FRAME_BAD_VERSION },
		{ 0, "\2", 1, FRAME_BAD_VERSION },
		{ 1, "\4", 1, FRAME_BAD_FLAGS },
		{ 1, "\x81", 1, FRAME_BAD_FLAGS },
		{ 2, "\0", 1, FRAME_BAD_ORIGIN },
		{ 2, "\x40", 1, FRAME_BAD_ORIGIN },
		{ 3, "Alpha", 5, FRAME_BAD_ORIGIN },
		{ 3, "-lpha", 5, FRAME_BAD_ORIGIN },
		{ 3, "al\0ha", 5, FRAME_BAD_ORIGIN },
		{ 3, "al/ha", 5, FRAME_BAD_ORIGIN },
		{ 3, "alph\xc3", 5, FRAME_BAD_ORIGIN },
		{ 24, "\0\0\0\0\0\0\0\0", 8, FRAME_BAD_SEQ },
		{ 24, "\x7f\xff\xff\xff\xff\xff\xff\xfe", 8, FRAME_BAD_SEQ },
		{ 24, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, FRAME_BAD_SEQ },
		{ 24, "\x7f\xff\xff\xff\xff\xff\xff\xfd", 8, FRAME_OK },
		{ 32, "\0\0", 2, FRAME_BAD_COUNT },
		{ 66, "\0\4\0\1", 4, FRAME_BODY_TOO_LARGE },
		{ 66, "\xff\xff\xff\xff", 4, FRAME_BODY_TOO_LARGE },
		{ 66, "\0\4\0\0", 4, FRAME_TOO_SHORT },
	};

	(void)state;
	assert_int_equal(frame_build(&f, raw, sizeof raw), 0);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		memcpy(copy, raw, sizeof copy);
		memcpy(copy + t[i].at, t[i].bytes, t[i].len);
		assert_int_equal(frame_parse(copy, f.raw_len, &g), t[i].verdict);
	}
}

static void test_build_refuses(void **state)
{
	uint8_t raw[FRAME_HEADER_MAX + 100];
	struct frame f = sample();

	(void)state;
	f.count = 0;
	assert_int_equal(frame_build(&f, raw, sizeof raw), -EINVAL);
	f = sample();
	f.count = FRAME_COUNT_MAX + 1;
	assert_int_equal(frame_build(&f, raw, sizeof raw), -EINVAL);
	f = sample();
	f.first_seq = FRAME_SEQ_MAX - 1;
	assert_int_equal(frame_build(&f, raw, sizeof raw), -EINVAL);
	f = sample();
	f.flags = FRAME_STUB;
	assert_int_equal(frame_build(&f, raw, sizeof raw), -EINVAL);
	f = sample();
	f.origin[0] = 'A';
	assert_int_equal(frame_build(&f, raw, sizeof raw), -EINVAL);
	f = sample();
	memset(f.origin, 'a', sizeof f.origin);
	assert_int_equal(frame_build(&f, raw, sizeof raw), -EINVAL);
	f = sample();
	f.body_len = FRAME_BODY_LIMIT + 1;
	assert_int_equal(frame_build(&f, raw, sizeof raw), -EINVAL);
	f = sample();
	assert_int_equal(frame_build(&f, raw, frame_size(5, f.body_len) - 1), -ENOSPC);
	assert_int_equal(frame_build(&f, raw, frame_size(5, f.body_len)), 0);
}

static void test_largest(void **state)
{
	uint8_t *big = calloc(1, FRAME_BODY_LIMIT), *raw = malloc(FRAME_RAW_MAX);
	struct frame f = sample(), g;

	(void)state;
	memset(f.origin, 'z', FRAME_ORIGIN_MAX);
	f.origin[FRAME_ORIGIN_MAX] = '\0';
	f.body = big;
	f.body_len = FRAME_BODY_LIMIT;
	f.count = FRAME_COUNT_MAX;
	f.first_seq = FRAME_SEQ_MAX - FRAME_COUNT_MAX + 1;
	assert_int_equal(frame_build(&f, raw, FRAME_RAW_MAX), 0);
	assert_int_equal(f.raw_len, FRAME_RAW_MAX);
	assert_int_equal(frame_parse(raw, FRAME_RAW_MAX, &g), FRAME_OK);
	assert_int_equal(frame_last_seq(&g), FRAME_SEQ_MAX);
	free(big);
	free(raw);
}

/* Every name leaves room, and frame, names, tags and envelope fit into one datagram. */
static void test_body_room(void **state)
{
	(void)state;
	for (size_t n = 1; n <= FRAME_ORIGIN_MAX; n++) {
		size_t room = frame_body_room(n);
		assert_in_range(room, 900, FRAME_BODY_MAX);
		size_t inside = 2 + n + 3 + frame_size(n, room);
		assert_true(inside + ENVELOPE_OVERHEAD <= ENVELOPE_DATAGRAM_MAX);
	}
	assert_int_equal(frame_body_room(5), FRAME_BODY_MAX);
}

static void test_names(void **state)
{
	(void)state;
	for (int v = 0; v < FRAME_VERDICT_COUNT; v++)
		assert_true(strlen(frame_verdict_name((enum frame_verdict)v)) > 1);
	assert_string_equal(frame_verdict_name((enum frame_verdict)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_stub),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_bound_to_environment),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_build_refuses),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_body_room),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
