/* The group key, its file and the ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buskey.h"
#include "proto/digest.h"
#include "proto/keyfile.h"

static void test_round_trip(void **state)
{
	struct buskey key, back;
	char line[BUSKEY_TEXT_SIZE], again[BUSKEY_TEXT_SIZE], err[KEYFILE_ERR_SIZE];

	(void)state;
	buskey_generate(&key);
	buskey_format(&key, line);
	assert_int_equal(strlen(line), BUSKEY_TEXT_SIZE - 1);
	assert_int_equal(buskey_parse(line, &back, err, sizeof err), 0);
	assert_memory_equal(back.bytes, key.bytes, BUSKEY_SIZE);
	assert_int_equal(back.id, key.id);
	buskey_fini(&back);
	line[strlen(line) - 1] = '\0';
	assert_int_equal(buskey_parse(line, &back, err, sizeof err), 0);
	buskey_format(&back, again);
	assert_memory_equal(again, line, strlen(line));
	buskey_fini(&back);
	buskey_fini(&key);
}

static void test_known_text(void **state)
{
	uint8_t bytes[BUSKEY_SIZE] = { 0 };
	struct buskey key;
	char line[BUSKEY_TEXT_SIZE];

	(void)state;
	/* SHA-256 of 32 zero bytes begins 66687aad. */
	buskey_init(&key, bytes);
	buskey_format(&key, line);
	assert_string_equal(line, "chime-bus-key1 6668 "
		"0000000000000000000000000000000000000000000000000000000000000000\n");
	buskey_fini(&key);
}

static void test_parse_refuses(void **state)
{
	static const char zeroes[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	const struct { const char *head, *tail, *why; } t[] = {
		{ "", NULL, "it does not begin with 'chime-bus-key1 '" },
		{ "chime-bus-key2 6668 ", zeroes, "it does not begin with 'chime-bus-key1 '" },
		{ "chime-bus-key1 6668 ", "00", "it is not one line 'chime-bus-key1 KEYID HEX64'" },
		{ "chime-bus-key1 6668  ", zeroes,
			"it is not one line 'chime-bus-key1 KEYID HEX64'" },
		{ "chime-bus-key1 666g ", zeroes, "its key id is not four hex digits" },
		{ "chime-bus-key1 6669 ", zeroes,
			"its key id does not belong to its key: a digit was changed" },
		{ "chime-bus-key1 6668 ",
			"000000000000000000000000000000000000000000000000000000000000000x",
			"its key is not 64 hex digits" },
	};
	char text[200], err[KEYFILE_ERR_SIZE], expected[KEYFILE_ERR_SIZE];
	struct buskey key;

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		snprintf(text, sizeof text, "%s%s", t[i].head, t[i].tail ? t[i].tail : "");
		assert_int_equal(buskey_parse(text, &key, err, sizeof err), -EINVAL);
		snprintf(expected, sizeof expected, "this is not a bus key\nwhy:   %s", t[i].why);
		assert_string_equal(err, expected);
		assert_null(key.cipher);
		buskey_fini(&key);
	}
}

/* Every length of a good line but the whole one, from memory that ends there. */
static void test_truncated(void **state)
{
	struct buskey key, back;
	char line[BUSKEY_TEXT_SIZE], err[KEYFILE_ERR_SIZE];

	(void)state;
	buskey_generate(&key);
	buskey_format(&key, line);
	for (size_t n = 0; n < strlen(line) - 1; n++) {
		char *copy = strndup(line, n);
		assert_int_equal(buskey_parse(copy, &back, err, sizeof err), -EINVAL);
		free(copy);
	}
	buskey_fini(&key);
}

static void test_load(void **state)
{
	char dir[] = "/tmp/chime-test-XXXXXX", path[64], line[BUSKEY_TEXT_SIZE];
	char err[KEYFILE_ERR_SIZE], expected[KEYFILE_ERR_SIZE];
	struct buskey key, back;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/bus.key", dir);
	snprintf(expected, sizeof expected, "cannot read the bus key %s\nwhy:   %s", path,
		strerror(ENOENT));
	assert_int_equal(buskey_load(path, &back, err, sizeof err), -ENOENT);
	assert_string_equal(err, expected);

	buskey_generate(&key);
	buskey_format(&key, line);
	assert_int_equal(keyfile_write(path, "bus.key", true, KEYFILE_NEW, line, strlen(line), err,
		sizeof err), 0);
	assert_int_equal(buskey_load(path, &back, err, sizeof err), 0);
	assert_memory_equal(back.bytes, key.bytes, BUSKEY_SIZE);
	buskey_fini(&back);

	const mode_t wide[] = { 0640, 0604, 0644, 0700, 0620, 0602, 01600, 04600 };
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
		assert_int_equal(chmod(path, wide[i]), 0);
		assert_int_equal(buskey_load(path, &back, err, sizeof err), -EPERM);
		snprintf(expected, sizeof expected, "cannot use the bus key %s\n"
			"why:   its mode is %04o, wider than 0600\n"
			"try:   chmod 600 %s", path, (unsigned)wide[i], path);
		assert_string_equal(err, expected);
	}
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(buskey_load(path, &back, err, sizeof err), 0);
	buskey_fini(&back);

	assert_int_equal(keyfile_write(path, "bus.key", true, KEYFILE_REPLACE, "nonsense\n", 9,
		err, sizeof err), 0);
	assert_int_equal(buskey_load(path, &back, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "why:   it does not begin with"));
	assert_int_equal(keyfile_write(path, "bus.key", true, KEYFILE_NEW, "x", 1, err,
		sizeof err), -EEXIST);
	assert_int_equal(buskey_load(dir, &back, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "it is not a plain file"));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(buskey_load(path, &back, err, sizeof err), -EINVAL);
	unlink(path);
	/* Also proves that no temporary file was left. */
	assert_int_equal(rmdir(dir), 0);
	buskey_fini(&key);
}

static void test_keyring(void **state)
{
	struct keyring ring = { 0 };
	uint8_t bytes[KEYRING_MAX + 1][BUSKEY_SIZE] = { 0 };

	(void)state;
	for (uint8_t i = 0; i <= KEYRING_MAX; i++)
		bytes[i][0] = i;
	for (size_t i = 0; i < KEYRING_MAX; i++)
		assert_int_equal(keyring_add(&ring, bytes[i]), 0);
	assert_int_equal(keyring_add(&ring, bytes[0]), 0);
	assert_int_equal(ring.count, KEYRING_MAX);
	assert_int_equal(keyring_add(&ring, bytes[KEYRING_MAX]), -ENOSPC);
	keyring_remove(&ring, buskey_id_of(bytes[0]));
	keyring_remove(&ring, 0x1234);
	assert_int_equal(ring.count, KEYRING_MAX - 1);
	assert_null(keyring_find(&ring, buskey_id_of(bytes[0])));
	assert_int_equal(keyring_add(&ring, bytes[KEYRING_MAX]), 0);
	for (size_t i = 1; i <= KEYRING_MAX; i++) {
		const struct buskey *key = keyring_find(&ring, buskey_id_of(bytes[i]));
		assert_non_null(key);
		assert_memory_equal(key->bytes, bytes[i], BUSKEY_SIZE);
	}
	keyring_fini(&ring);
	assert_int_equal(ring.count, 0);
}

/* Two keys of one id: the ring must not guess. */
static void test_keyring_same_id(void **state)
{
	struct keyring ring = { 0 };
	uint8_t a[BUSKEY_SIZE] = { 0 }, b[BUSKEY_SIZE] = { 0 };
	uint32_t n = 0;

	(void)state;
	do {
		n++;
		memcpy(b + 4, &n, sizeof n);
	} while (buskey_id_of(b) != buskey_id_of(a));
	assert_int_equal(keyring_add(&ring, a), 0);
	assert_int_equal(keyring_add(&ring, b), -EEXIST);
	keyring_fini(&ring);
}

static void test_digest(void **state)
{
	struct digest d, e, f;
	char hex[DIGEST_HEX_SIZE];
	const struct digest_part parts[] = { { "a", 1 }, { NULL, 0 }, { "bc", 2 } };

	(void)state;
	digest_of("abc", 3, &d);
	digest_hex(&d, hex);
	assert_string_equal(hex,
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_of_parts(parts, 3, &e);
	assert_true(digest_equal(&d, &e));
	assert_int_equal(digest_parse(hex, &f), 0);
	assert_true(digest_equal(&d, &f));
	hex[63] = 'g';
	assert_int_equal(digest_parse(hex, &f), -EINVAL);
	hex[63] = '\0';
	assert_int_equal(digest_parse(hex, &f), -EINVAL);
	hex[62] = '\0';
	assert_int_equal(digest_parse(hex, &f), -EINVAL);
	assert_true(digest_equal(&d, &f));
	assert_int_equal(digest_parse(
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0", &f), -EINVAL);
	assert_false(digest_is_zero(&d));
	memset(&d, 0, sizeof d);
	assert_true(digest_is_zero(&d));
	digest_random(d.b, sizeof d.b);
	assert_false(digest_is_zero(&d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_known_text),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_keyring),
		cmocka_unit_test(test_keyring_same_id),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
