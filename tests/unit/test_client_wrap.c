/* Unit test of client/monitor/wrap.h: rows of whole words, nothing lost, nothing too wide. */
#include "client/monitor/wrap.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct canvas c;

static int begin(void **state)
{
	(void)state;
	canvas_init(&c, 6, 12, true);
	return 0;
}

static int end(void **state)
{
	(void)state;
	canvas_fini(&c);
	return 0;
}

static void expect(int rows, int cols, const char *text, const char *shown)
{
	char all[512] = "", row[128];

	canvas_clear(&c);
	int used = wrap_put(&c, 0, 0, rows, cols, STYLE_PLAIN, text);
	for (int i = 0; i < used; i++) {
		canvas_text(&c, i, row, sizeof(row));
		strncat(all, row, sizeof(all) - strlen(all) - 1);
		strncat(all, "|", sizeof(all) - strlen(all) - 1);
	}
	assert_string_equal(all, shown);
}

static void breaks_between_words(void **state)
{
	(void)state;
	expect(6, 12, "one two three four", "one two|three four|");
	expect(6, 5, "one two three four", "one|two|three|four|");
	expect(6, 12, "one", "one|");
	expect(6, 12, "", "");
	expect(6, 4, "abcdefghij kl", "abcd|efgh|ij|kl|");
	expect(6, 3, "a  b", "a|b|");
}

static void what_does_not_fit_is_marked(void **state)
{
	(void)state;
	expect(1, 8, "one two three", "one two>|");
	expect(2, 7, "one two three four", "one two|three >|");
	expect(1, 3, "abc", "abc|");
	expect(0, 3, "abc", "");
}

static void characters_stay_whole(void **state)
{
	(void)state;
	expect(6, 4, "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", "\xe6\xbc\xa2\xe6\xbc\xa2|\xe6\xbc\xa2|");
	expect(6, 3, "e\xcc\x81" "e\xcc\x81" "e\xcc\x81" "e", "e\xcc\x81" "e\xcc\x81" "e\xcc\x81|e|");
	assert_int_equal(wrap_fit(&c, "\xe6\xbc\xa2", 1), 3);
	assert_int_equal(wrap_fit(&c, "\xff\xff", 1), 1);
}

static void as_many_rows_as_are_drawn(void **state)
{
	static const char text[] = "what a server says, \xe6\xbc\xa2\xe6\xbc\xa2 and more of itsownkind";

	(void)state;
	for (int cols = -1; cols < 60; cols++) {
		int rows = wrap_rows(&c, cols, text);
		assert_int_equal(wrap_put(&c, 0, 0, 1000, cols, STYLE_PLAIN, text), rows);
		assert_true(rows >= 1);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(breaks_between_words),
		TEST(what_does_not_fit_is_marked),
		TEST(characters_stay_whole),
		TEST(as_many_rows_as_are_drawn),
	};
	assert_non_null(setlocale(LC_ALL, "C.UTF-8"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
