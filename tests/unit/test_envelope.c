/* The cipher against its published vectors, and the datagram against everything changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/digest.h"
#include "proto/envelope.h"

static const char vectors[] = "tests/vectors/xaes-256-gcm.txt";
static const uint8_t env_id[ENVIRONMENT_ID_SIZE] = "0123456789abcde";

/* Reads `LABEL: "text"` or `LABEL: hex`; returns the length or -1 for another label. */
static int read_value(const char *line, const char *label, uint8_t *out, size_t cap)
{
	size_t n = strlen(label);

	if (strncmp(line, label, n) != 0 || strncmp(line + n, ": ", 2) != 0)
		return -1;
	const char *value = line + n + 2;
	if (*value == '"') {
		const char *end = strrchr(value, '"');
		n = (size_t)(end - value - 1);
		assert_true(end > value && n <= cap);
		memcpy(out, value + 1, n);
		return (int)n;
	}
	n = strcspn(value, "\n");
	char *hex = strndup(value, n);
	assert_true(n / 2 <= cap);
	assert_int_equal(digest_hex_decode(hex, out, n / 2), 0);
	free(hex);
	return (int)(n / 2);
}

static void test_vectors(void **state)
{
	FILE *f = fopen(vectors, "r");
	char line[1024];
	uint8_t key[32], nonce[24], plain[256], aad[256], sealed[300], out[300], opened[300];
	int len, plain_len = 0, aad_len = 0, count = 0;

	(void)state;
	if (!f)
		fail_msg("%s is not there; run from the root", vectors);
	while (fgets(line, sizeof line, f)) {
		if (read_value(line, "K", key, sizeof key) >= 0 ||
			read_value(line, "N", nonce, sizeof nonce) >= 0)
			continue;
		if ((len = read_value(line, "Plaintext", plain, sizeof plain)) >= 0)
			plain_len = len;
		if ((len = read_value(line, "AAD", aad, sizeof aad)) >= 0)
			aad_len = len;
		len = read_value(line, "Ciphertext", sealed, sizeof sealed);
		if (len < 0)
			continue;
		struct xaes *x = xaes_new(key);
		xaes_seal(x, nonce, aad, (size_t)aad_len, plain, (size_t)plain_len, out);
		assert_int_equal(len, plain_len + XAES_TAG_SIZE);
		assert_memory_equal(out, sealed, len);
		assert_int_equal(xaes_open(x, nonce, aad, (size_t)aad_len, sealed, (size_t)len,
			opened), 0);
		assert_memory_equal(opened, plain, plain_len);
		xaes_free(x);
		count++;
	}
	fclose(f);
	assert_int_equal(count, 2);
}

static uint8_t *shake_128(const void *data, size_t len, size_t out_len)
{
	uint8_t *out = malloc(out_len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_true(EVP_DigestInit_ex(ctx, EVP_shake128(), NULL));
	assert_true(EVP_DigestUpdate(ctx, data, len));
	assert_true(EVP_DigestFinalXOF(ctx, out, out_len));
	EVP_MD_CTX_free(ctx);
	return out;
}

static void test_accumulated(void **state)
{
	enum { TESTS = 10000, STREAM = TESTS * (32 + 24 + 2 + 2 * 255) };
	uint8_t expected[32], out[300], back[300];
	char line[1024];
	uint8_t *stream = shake_128("", 0, STREAM), *at = stream;
	uint8_t *all = malloc(TESTS * 271);
	size_t all_len = 0;

	(void)state;
	for (int i = 0; i < TESTS; i++) {
		const uint8_t *key = at, *nonce = at + 32;
		at += 56;
		size_t plain_len = *at++;
		const uint8_t *plain = at;
		at += plain_len;
		size_t aad_len = *at++;
		const uint8_t *aad = at;
		at += aad_len;
		struct xaes *x = xaes_new(key);
		xaes_seal(x, nonce, aad, aad_len, plain, plain_len, out);
		assert_int_equal(xaes_open(x, nonce, aad, aad_len, out, plain_len + 16, back), 0);
		assert_memory_equal(back, plain, plain_len);
		xaes_free(x);
		memcpy(all + all_len, out, plain_len + XAES_TAG_SIZE);
		all_len += plain_len + XAES_TAG_SIZE;
	}
	uint8_t *sum = shake_128(all, all_len, 32);
	int found = 0;
	FILE *f = fopen(vectors, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		if (read_value(line, "10000", expected, sizeof expected) == 32) {
			assert_memory_equal(sum, expected, 32);
			found++;
		}
	}
	fclose(f);
	assert_int_equal(found, 1);
	free(sum);
	free(all);
	free(stream);
}

struct fixture {
	struct buskey key;
	struct keyring ring;
	uint8_t plain[ENVELOPE_PLAIN_MAX];
	uint8_t sealed[ENVELOPE_INPUT_MAX + 1];
	size_t len;
	struct opened opened;
};

static struct fixture *new_fixture(size_t plain_len)
{
	struct fixture *x = calloc(1, sizeof *x);

	buskey_generate(&x->key);
	assert_int_equal(keyring_add(&x->ring, x->key.bytes), 0);
	for (size_t i = 0; i < sizeof x->plain; i++)
		x->plain[i] = (uint8_t)(i * 7);
	assert_int_equal(envelope_seal(&x->key, env_id, x->plain, plain_len, x->sealed,
		sizeof x->sealed, &x->len), 0);
	assert_int_equal(x->len, plain_len + ENVELOPE_OVERHEAD);
	return x;
}

static void free_fixture(struct fixture *x)
{
	buskey_fini(&x->key);
	keyring_fini(&x->ring);
	free(x);
}

static void test_sizes(void **state)
{
	const size_t sizes[] = { 0, 1, 15, 16, 17, 1184, ENVELOPE_PLAIN_MAX };
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct fixture *x = new_fixture(sizes[i]);
		assert_int_equal(envelope_open(&x->ring, env_id, x->sealed, x->len, &x->opened),
			ENVELOPE_OK);
		assert_int_equal(x->opened.len, sizes[i]);
		assert_int_equal(x->opened.key_id, x->key.id);
		assert_memory_equal(x->opened.bytes, x->plain, sizes[i]);
		assert_int_equal(envelope_seal(&x->key, env_id, x->plain, sizes[i], x->sealed,
			sizes[i] + ENVELOPE_OVERHEAD - 1, &len), -EMSGSIZE);
		free_fixture(x);
	}
	assert_int_equal(ENVELOPE_DATAGRAM_MAX - ENVELOPE_OVERHEAD, 1184);
	struct fixture *x = new_fixture(ENVELOPE_PLAIN_MAX);
	assert_int_equal(envelope_open(&x->ring, env_id, x->sealed, ENVELOPE_INPUT_MAX + 1,
		&x->opened), ENVELOPE_TOO_LONG);
	assert_int_equal(envelope_seal(&x->key, env_id, x->plain, ENVELOPE_PLAIN_MAX + 1,
		x->sealed, 4096, &len), -EMSGSIZE);
	free_fixture(x);
}

static void test_layout(void **state)
{
	struct fixture *x = new_fixture(10);

	(void)state;
	assert_memory_equal(x->sealed, "CHM1\1\0", 6);
	assert_int_equal(x->sealed[6] << 8 | x->sealed[7], x->key.id);
	free_fixture(x);
}

static enum envelope_verdict expected_for(size_t byte)
{
	if (byte < 4)
		return ENVELOPE_BAD_MAGIC;
	if (byte < 6)
		return ENVELOPE_BAD_VERSION;
	return byte < 8 ? ENVELOPE_UNKNOWN_KEY : ENVELOPE_NOT_AUTHENTIC;
}

static void test_flips(void **state)
{
	struct fixture *x = new_fixture(200);

	(void)state;
	for (size_t bit = 0; bit < x->len * 8; bit++) {
		x->sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(envelope_open(&x->ring, env_id, x->sealed, x->len, &x->opened),
			expected_for(bit / 8));
		x->sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < x->len; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		memcpy(copy, x->sealed, len);
		assert_int_equal(envelope_open(&x->ring, env_id, copy, len, &x->opened),
			len < ENVELOPE_OVERHEAD ? ENVELOPE_TOO_SHORT : ENVELOPE_NOT_AUTHENTIC);
		free(copy);
	}
	x->sealed[x->len] = 0;
	assert_int_equal(envelope_open(&x->ring, env_id, x->sealed, x->len + 1, &x->opened),
		ENVELOPE_NOT_AUTHENTIC);
	assert_int_equal(envelope_open(&x->ring, env_id, x->sealed, x->len, &x->opened),
		ENVELOPE_OK);
	free_fixture(x);
}

static void test_bound_to_environment(void **state)
{
	struct fixture *x = new_fixture(50);
	uint8_t other[ENVIRONMENT_ID_SIZE];

	(void)state;
	memcpy(other, env_id, sizeof other);
	other[15] ^= 1;
	assert_int_equal(envelope_open(&x->ring, other, x->sealed, x->len, &x->opened),
		ENVELOPE_NOT_AUTHENTIC);
	free_fixture(x);
}

/* A refused datagram must leave nothing decrypted behind. */
static void test_refused_is_wiped(void **state)
{
	struct fixture *x = new_fixture(100);
	static const uint8_t zero[100];

	(void)state;
	memset(&x->opened, 0xee, sizeof x->opened);
	x->sealed[x->len - 1] ^= 1;
	assert_int_equal(envelope_open(&x->ring, env_id, x->sealed, x->len, &x->opened),
		ENVELOPE_NOT_AUTHENTIC);
	assert_memory_equal(x->opened.bytes, zero, sizeof zero);
	free_fixture(x);
}

static void test_nonces_differ(void **state)
{
	struct fixture *x = new_fixture(0);
	uint8_t again[ENVELOPE_OVERHEAD];
	size_t len;

	(void)state;
	assert_int_equal(envelope_seal(&x->key, env_id, NULL, 0, again, sizeof again, &len), 0);
	assert_memory_not_equal(again + 8, x->sealed + 8, XAES_NONCE_SIZE);
	free_fixture(x);
}

static void test_names(void **state)
{
	(void)state;
	for (int v = 0; v < ENVELOPE_VERDICT_COUNT; v++)
		assert_true(strlen(envelope_verdict_name((enum envelope_verdict)v)) > 1);
	assert_string_equal(envelope_verdict_name((enum envelope_verdict)99), "unknown");
	assert_string_equal(envelope_verdict_name(ENVELOPE_NOT_AUTHENTIC), "not_authentic");
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
	enum { ROUNDS = 5000 };
	struct fixture *x = new_fixture(1184);
	double start = seconds();

	(void)state;
	for (int i = 0; i < ROUNDS; i++)
		envelope_seal(&x->key, env_id, x->plain, 1184, x->sealed, sizeof x->sealed,
			&x->len);
	double sealed = seconds();
	for (int i = 0; i < ROUNDS; i++)
		envelope_open(&x->ring, env_id, x->sealed, x->len, &x->opened);
	print_message("seal %.2f us, open %.2f us (1184 bytes)\n",
		(sealed - start) / ROUNDS * 1e6, (seconds() - sealed) / ROUNDS * 1e6);
	free_fixture(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_accumulated),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_bound_to_environment),
		cmocka_unit_test(test_refused_is_wiped),
		cmocka_unit_test(test_nonces_differ),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_print_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
