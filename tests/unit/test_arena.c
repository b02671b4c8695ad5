#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/arena.h"

static void test_pieces(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 4096, 65536, 200000, 3 };
	struct arena arena = { 0 };
	uint8_t *pieces[9];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 9; i++) {
			pieces[i] = arena_take(&arena, sizes[i]);
			assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
			for (size_t j = 0; j < sizes[i]; j++)
				assert_int_equal(pieces[i][j], 0);
			memset(pieces[i], (int)i + 1, sizes[i]);
		}
		for (size_t i = 0; i < 9; i++)
			for (size_t j = 0; j < sizes[i]; j++)
				assert_int_equal(pieces[i][j], i + 1);
		arena_reset(&arena);
	}
	arena_fini(&arena);
}

static void test_copies(void **state)
{
	struct arena arena = { 0 };
	char *text;

	(void)state;
	assert_null(arena_copy_text(&arena, NULL));
	assert_string_equal(arena_copy_text(&arena, ""), "");
	assert_memory_equal(arena_copy(&arena, "a\0b", 3), "a\0b", 4);
	text = arena_print(&arena, "%s-%d", "run", 8831);
	assert_string_equal(text, "run-8831");
	assert_string_equal(arena_print(&arena, "%0200000d", 7) + 199999, "7");
	assert_string_equal(text, "run-8831");
	arena_fini(&arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces), cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
