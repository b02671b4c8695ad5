/* A line being typed. */
#include "client/monitor/edit.h"

#include "client/monitor/screen.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct edit edit;

static void type(const char *text)
{
	for (; *text != '\0'; text++)
		assert_true(edit_key(&edit, (unsigned char)*text));
}

static void expect(const char *text, size_t at)
{
	assert_string_equal(edit.text, text);
	assert_int_equal(edit.len, strlen(text));
	assert_int_equal(edit.at, at);
}

static void test_typing(void **state)
{
	(void)state;
	edit_begin(&edit, "", 20);
	type("eod repo");
	expect("eod repo", 8);
	assert_true(edit_key(&edit, PRESS_LEFT));
	assert_true(edit_key(&edit, PRESS_BACKSPACE));
	expect("eod reo", 6);
	assert_true(edit_key(&edit, PRESS_DELETE));
	expect("eod re", 6);
	assert_true(edit_key(&edit, PRESS_DELETE));
	assert_true(edit_key(&edit, PRESS_HOME));
	assert_true(edit_key(&edit, PRESS_BACKSPACE));
	assert_true(edit_key(&edit, PRESS_LEFT));
	type("x");
	expect("xeod re", 1);
	assert_true(edit_key(&edit, PRESS_END));
	assert_true(edit_key(&edit, PRESS_RIGHT));
	expect("xeod re", 7);
	assert_true(edit_key(&edit, PRESS_CTRL_W));
	expect("xeod ", 5);
	assert_true(edit_key(&edit, PRESS_CTRL_W));
	expect("", 0);
	type("abc");
	assert_true(edit_key(&edit, PRESS_LEFT));
	assert_true(edit_key(&edit, PRESS_CTRL_U));
	expect("c", 0);
}

static void test_not_mine(void **state)
{
	static const int keys[] = { PRESS_ENTER, PRESS_ESCAPE, PRESS_TAB, PRESS_UP, PRESS_DOWN,
				    PRESS_CTRL_C, PRESS_F1, PRESS_OTHER, PRESS_CLICK, 0, 1, 0x7f,
				    0x80, 0x9b, 0xd800, 0x110000, -1 };

	(void)state;
	edit_begin(&edit, "a", 20);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_false(edit_key(&edit, keys[i]));
	expect("a", 1);
}

static void test_characters(void **state)
{
	(void)state;
	edit_begin(&edit, "", 20);
	assert_true(edit_key(&edit, 0xfc));
	assert_true(edit_key(&edit, 0x20ac));
	assert_true(edit_key(&edit, 0x1f600));
	expect("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", 9);
	assert_true(edit_key(&edit, PRESS_LEFT));
	assert_int_equal(edit.at, 5);
	assert_true(edit_key(&edit, PRESS_BACKSPACE));
	expect("\xc3\xbc\xf0\x9f\x98\x80", 2);
	assert_true(edit_key(&edit, PRESS_DELETE));
	expect("\xc3\xbc", 2);
}

static void test_limit(void **state)
{
	(void)state;
	edit_begin(&edit, "abcdef", 4);
	expect("abcd", 4);
	type("x");
	expect("abcd", 4);
	edit_begin(&edit, "abc", 4);
	assert_true(edit_key(&edit, 0x20ac));	/* three bytes do not fit */
	expect("abc", 3);
	edit_begin(&edit, "a\x1b[31mb\n\xff", 20);
	expect("a[31mb", 6);
	edit_begin(&edit, "ab\xe2\x82\xac", 4);
	expect("ab", 2);
}

static void test_random(void **state)
{
	uint64_t seed = 7;

	(void)state;
	edit_begin(&edit, "", EDIT_SIZE - 1);
	for (int i = 0; i < 200000; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		int key = (int)(seed >> 40) % 0x200020;
		edit_key(&edit, key < 0x1e0000 && key % 3 ? key % 300 : key);
		assert_true(edit.len < EDIT_SIZE && edit.at <= edit.len);
		assert_int_equal(edit.text[edit.len], 0);
		assert_int_equal(strlen(edit.text), edit.len);
	}
}

static void draw(int cols, const char *prompt, const char *shown, int cursor)
{
	struct canvas c;
	char line[256];

	canvas_init(&c, 1, cols, true);
	edit_draw(&edit, &c, 0, 0, cols, prompt);
	canvas_text(&c, 0, line, sizeof(line));
	assert_string_equal(line, shown);
	assert_int_equal(c.cursor_row, 0);
	assert_int_equal(c.cursor_col, cursor);
	canvas_fini(&c);
}

static void test_drawing(void **state)
{
	(void)state;
	setlocale(LC_CTYPE, "C.UTF-8");
	edit_begin(&edit, "abcdef", 20);
	draw(20, "/", "/abcdef", 7);
	draw(5, "/", "/def", 4);
	edit_key(&edit, PRESS_HOME);
	draw(5, "/", "/abcd", 1);
	edit_begin(&edit, "\xc3\xbc\xc3\xbc\xc3\xbc", 20);
	draw(4, "/", "/\xc3\xbc\xc3\xbc", 3);
	edit_begin(&edit, "ab", 20);
	draw(6, "a long prompt", "mptab", 5);
	draw(16, "a long prompt", "a long promptab", 15);
	draw(1, "/", "", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_typing), cmocka_unit_test(test_not_mine),
		cmocka_unit_test(test_characters), cmocka_unit_test(test_limit),
		cmocka_unit_test(test_random), cmocka_unit_test(test_drawing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
