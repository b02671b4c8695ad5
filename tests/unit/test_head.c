/* Heads: layout, signature, and every byte and length changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/head.h"

static const uint8_t env_id[ENVIRONMENT_ID_SIZE] = "0123456789abcde";

static struct head sample(void)
{
	struct head h = {
		.origin = "alpha",
		.lineage = { 7, 0x1122334455667788 },
		.seq = 118221,
		.low_seq = 3,
		.counter = 42,
		.wall_us = -5,
		.flags = HEAD_GOODBYE | HEAD_UNPROVEN | 1u << 31,
		.load_running = 2,
		.load_waiting = 300,
		.load_milli = 70000,
	};

	memcpy(h.env_id, env_id, sizeof env_id);
	memset(h.frame_hash.b, 0xab, DIGEST_SIZE);
	return h;
}

static void test_round_trip(void **state)
{
	struct sigkey *key = sigkey_generate();
	struct pubkey *pub = pubkey_of_sigkey(key);
	struct head h = sample(), g;

	(void)state;
	assert_int_equal(head_sign(&h, key), 0);
	assert_int_equal(h.raw_len, HEAD_FIXED_SIZE + 5);
	assert_true(HEAD_RAW_MAX <= 260);
	assert_memory_equal(h.raw, "\1\x80\0\0\5" "0123456789abcde\0" "\5alpha", 27);
	assert_int_equal(head_parse(h.raw, h.raw_len, env_id, &g), HEAD_OK);
	assert_int_equal(head_verify(&g, pub), HEAD_OK);
	assert_string_equal(g.origin, "alpha");
	assert_true(lineage_equal(g.lineage, h.lineage));
	assert_int_equal(g.seq, h.seq);
	assert_int_equal(g.low_seq, 3);
	assert_int_equal(g.counter, 42);
	assert_true(g.wall_us == -5);
	assert_int_equal(g.flags, h.flags);
	assert_int_equal(g.load_running, 2);
	assert_int_equal(g.load_waiting, 300);
	assert_int_equal(g.load_milli, 70000);
	assert_true(digest_equal(&g.frame_hash, &h.frame_hash));
	pubkey_free(pub);
	sigkey_free(key);
}

static void test_other_key(void **state)
{
	struct sigkey *key = sigkey_generate(), *other = sigkey_generate();
	struct pubkey *pub = pubkey_of_sigkey(other);
	struct head h = sample();

	(void)state;
	assert_int_equal(head_verify(&h, pub), HEAD_BAD_SIGNATURE);
	assert_int_equal(head_sign(&h, key), 0);
	assert_int_equal(head_verify(&h, pub), HEAD_BAD_SIGNATURE);
	pubkey_free(pub);
	sigkey_free(key);
	sigkey_free(other);
}

/* A signature over the same bytes for another use, or without prefix, must not do. */
static void test_domain(void **state)
{
	struct sigkey *key = sigkey_generate();
	struct pubkey *pub = pubkey_of_sigkey(key);
	struct head h = sample();
	const char *const prefixes[] = { "", "chime head v2", "chime frame v1" };

	(void)state;
	assert_int_equal(head_sign(&h, key), 0);
	size_t len = h.raw_len - SIGKEY_SIGNATURE_SIZE;
	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(prefixes[i]);
		assert_int_equal(sigkey_sign(key, prefixes[i], n ? n + 1 : 0, h.raw, len,
			h.raw + len), 0);
		assert_int_equal(head_verify(&h, pub), HEAD_BAD_SIGNATURE);
	}
	assert_int_equal(sigkey_sign(key, "chime head v1", 14, h.raw, len, h.raw + len), 0);
	assert_int_equal(head_verify(&h, pub), HEAD_OK);
	pubkey_free(pub);
	sigkey_free(key);
}

static void test_changes(void **state)
{
	struct sigkey *key = sigkey_generate();
	struct pubkey *pub = pubkey_of_sigkey(key);
	struct head h = sample(), g;

	(void)state;
	assert_int_equal(head_sign(&h, key), 0);
	for (size_t bit = 0; bit < h.raw_len * 8; bit++) {
		uint8_t *copy = malloc(h.raw_len);
		memcpy(copy, h.raw, h.raw_len);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		enum head_verdict verdict = head_parse(copy, h.raw_len, env_id, &g);
		if (verdict == HEAD_OK)
			verdict = head_verify(&g, pub);
		assert_int_not_equal(verdict, HEAD_OK);
		free(copy);
	}
	for (size_t n = 0; n < h.raw_len; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		memcpy(copy, h.raw, n);
		assert_int_equal(head_parse(copy, n, env_id, &g), HEAD_TOO_SHORT);
		free(copy);
	}
	for (size_t extra = 1; extra < 200; extra++) {
		uint8_t *copy = calloc(1, h.raw_len + extra);
		memcpy(copy, h.raw, h.raw_len);
		assert_int_equal(head_parse(copy, h.raw_len + extra, env_id, &g), HEAD_TOO_LONG);
		free(copy);
	}
	pubkey_free(pub);
	sigkey_free(key);
}

static void test_refuses(void **state)
{
	struct sigkey *key = sigkey_generate();
	struct head h = sample(), g;
	uint8_t other[ENVIRONMENT_ID_SIZE] = { 0 };

	(void)state;
	h.low_seq = h.seq + 1;
	assert_int_equal(head_sign(&h, key), -EINVAL);
	h = sample();
	h.seq = FRAME_SEQ_MAX + 1;
	assert_int_equal(head_sign(&h, key), -EINVAL);
	h = sample();
	h.origin[0] = 'A';
	assert_int_equal(head_sign(&h, key), -EINVAL);
	h = sample();
	assert_int_equal(head_sign(&h, key), 0);
	assert_int_equal(head_parse(h.raw, h.raw_len, other, &g), HEAD_OTHER_ENVIRONMENT);
	h.raw[0] = 2;
	assert_int_equal(head_parse(h.raw, h.raw_len, env_id, &g), HEAD_BAD_VERSION);
	h.raw[0] = 1;
	h.raw[22] = 'A';
	assert_int_equal(head_parse(h.raw, h.raw_len, env_id, &g), HEAD_BAD_ORIGIN);
	h.raw[22] = 'a';
	h.raw[27 + 16] = 0x80;
	assert_int_equal(head_parse(h.raw, h.raw_len, env_id, &g), HEAD_BAD_SEQ);
	sigkey_free(key);
}

/* Signatures of numbers no curve has: zero, all ones. */
static void test_odd_signatures(void **state)
{
	struct sigkey *key = sigkey_generate();
	struct pubkey *pub = pubkey_of_sigkey(key);
	struct head h = sample();

	(void)state;
	assert_int_equal(head_sign(&h, key), 0);
	uint8_t *signature = h.raw + h.raw_len - SIGKEY_SIGNATURE_SIZE;
	memset(signature, 0, SIGKEY_SIGNATURE_SIZE);
	assert_int_equal(head_verify(&h, pub), HEAD_BAD_SIGNATURE);
	memset(signature, 0xff, SIGKEY_SIGNATURE_SIZE);
	assert_int_equal(head_verify(&h, pub), HEAD_BAD_SIGNATURE);
	pubkey_free(pub);
	sigkey_free(key);
}

static void test_no_certificate(void **state)
{
	(void)state;
	assert_null(pubkey_of_certificate("", 0));
	assert_null(pubkey_of_certificate("0\x03\2\1\1", 5));
}

static void test_names(void **state)
{
	(void)state;
	for (int v = 0; v < HEAD_VERDICT_COUNT; v++)
		assert_true(strlen(head_verdict_name((enum head_verdict)v)) > 1);
	assert_string_equal(head_verdict_name((enum head_verdict)99), "unknown");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Figures for people, no part of pass or fail. */
static void test_print_times(void **state)
{
	enum { ROUNDS = 1000 };
	struct sigkey *key = sigkey_generate();
	struct pubkey *pub = pubkey_of_sigkey(key);
	struct head h = sample();
	double start = seconds();

	(void)state;
	for (int i = 0; i < ROUNDS; i++)
		head_sign(&h, key);
	double signed_at = seconds();
	for (int i = 0; i < ROUNDS; i++)
		head_verify(&h, pub);
	print_message("sign %.1f us, verify %.1f us\n", (signed_at - start) / ROUNDS * 1e6,
		(seconds() - signed_at) / ROUNDS * 1e6);
	pubkey_free(pub);
	sigkey_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_odd_signatures),
		cmocka_unit_test(test_no_certificate),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_print_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
