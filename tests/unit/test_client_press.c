/* From bytes to keys: sequences, broken ones, pastes. */
#include "client/monitor/press.h"

#include "client/monitor/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* A text; '|' is a moment in which nothing comes. */
struct source { const char *text; };

static int read_source(void *arg, int wait_ms)
{
	struct source *s = arg;

	(void)wait_ms;
	if (*s->text == '\0')
		return PRESS_NO_CODE;
	int c = (unsigned char)*s->text++;
	return c == '|' ? PRESS_NO_CODE : c;
}

static void assert_keys(const char *text, bool typing, const int *expected)
{
	struct source source = { text };
	struct press keys;
	size_t i = 0;

	press_init(&keys, read_source, &source, true);
	keys.typing = typing;
	while (*source.text != '\0' || keys.pending != PRESS_NO_CODE) {
		int key = press_next(&keys);
		if (key != KEY_NONE)
			assert_int_equal(key, expected[i++]);
	}
	assert_int_equal(expected[i], KEY_NONE);
}

#define KEYS(text, ...) assert_keys(text, false, (const int[]){ __VA_ARGS__, KEY_NONE })
#define TYPED(text, ...) assert_keys(text, true, (const int[]){ __VA_ARGS__, KEY_NONE })

static void test_characters(void **state)
{
	(void)state;
	KEYS("aZ ", 'a', 'Z', ' ');
	KEYS("\xc3\xa9\xe6\xbc\xa2", 0xe9, 0x6f22);
	KEYS("\r\n\t\b\x7f\x03", PRESS_ENTER, PRESS_ENTER, PRESS_TAB, PRESS_BACKSPACE, PRESS_BACKSPACE,
	     PRESS_CTRL_C);
	KEYS("\x0c\x15\x17\x01", PRESS_CTRL_L, PRESS_CTRL_U, PRESS_CTRL_W, PRESS_OTHER);
}

static void test_broken_characters(void **state)
{
	(void)state;
	KEYS("\xff" "a", PRESS_OTHER, 'a');
	KEYS("\xc3(", PRESS_OTHER, '(');
	KEYS("\xc3|b", PRESS_OTHER, 'b');
	KEYS("\xc2\x85x", PRESS_OTHER, 'x');
	KEYS("\xed\xa0\x80", PRESS_OTHER);
	KEYS("\x80\xbf", PRESS_OTHER, PRESS_OTHER);
}

static void test_known_sequences(void **state)
{
	(void)state;
	KEYS("\033[A\033OB\033[5~\033[6~", PRESS_UP, PRESS_DOWN, PRESS_PAGE_UP, PRESS_PAGE_DOWN);
	KEYS("\033[H\033OF\033[3~\033[Z", PRESS_HOME, PRESS_END, PRESS_DELETE, PRESS_SHIFT_TAB);
	KEYS("\033OP\033[15~\033[21~", PRESS_F1, PRESS_F5, PRESS_F10);
}

static void test_unknown_sequences_are_one_key(void **state)
{
	(void)state;
	KEYS("\033[25~k", PRESS_OTHER, 'k');
	KEYS("\033[1;5Aq", PRESS_OTHER, 'q');
	KEYS("\033[99999999999999999999999999999999999999999999~q", PRESS_OTHER, 'q');
	KEYS("\033[<35;10;10Mq", PRESS_OTHER, 'q');
	KEYS("\033[Mkkkq", PRESS_OTHER, 'q');
	KEYS("\033[[Aq", PRESS_OTHER, 'q');
	KEYS("\033OXq", PRESS_OTHER, 'q');
	KEYS("\033]11;rgb:aa\aq", PRESS_OTHER, 'q');
	KEYS("\033P1$r0m\033\\q", PRESS_OTHER, 'q');
	KEYS("\x9b" "25~q", PRESS_OTHER, 'q');
	KEYS("\033[2|q", PRESS_OTHER, 'q');
	KEYS("\033[2\x03", PRESS_OTHER, PRESS_CTRL_C);
}

static void test_escape_and_alt(void **state)
{
	(void)state;
	KEYS("\033|q", PRESS_ESCAPE, 'q');
	KEYS("\033q", PRESS_OTHER);
	KEYS("\033\xc3\xa9q", PRESS_OTHER, 'q');
	KEYS("\033\033[A", PRESS_ESCAPE, PRESS_UP);
	KEYS("\033\x03", PRESS_ESCAPE, PRESS_CTRL_C);
	KEYS("\033[|q", PRESS_OTHER, 'q');
}

static void test_pastes_are_no_commands(void **state)
{
	(void)state;
	KEYS("a\033[200~akq\ry\x03\033[Ay\033[201~b", 'a', 'b');
	KEYS("\033[200~ak|kq|y\033[201~b", 'b');
	TYPED("\033[200~a\rk\033[A\x1b\x1by\xc3\xa9\033[201~b", 'a', 'k', 0xe9, 'b');
	KEYS("\033[201~b", 'b');
}

static void test_a_long_paste_gives_way(void **state)
{
	char text[20000];
	struct source source = { text };
	struct press keys;
	int turns = 0;

	(void)state;
	memset(text, 'k', sizeof(text));
	memcpy(text, "\033[200~", 6);
	memcpy(text + sizeof(text) - 8, "\033[201~q", 8);
	press_init(&keys, read_source, &source, true);
	for (int key = PRESS_OTHER; key == PRESS_OTHER; turns++) {
		key = press_next(&keys);
		assert_true(key == PRESS_OTHER || key == 'q');
	}
	assert_in_range(turns, 3, 9);
	assert_false(keys.pasting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_broken_characters),
		cmocka_unit_test(test_known_sequences),
		cmocka_unit_test(test_unknown_sequences_are_one_key),
		cmocka_unit_test(test_escape_and_alt),
		cmocka_unit_test(test_pastes_are_no_commands),
		cmocka_unit_test(test_a_long_paste_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
