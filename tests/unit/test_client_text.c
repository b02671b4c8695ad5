/* Unit test of client/monitor/text.h. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/monitor/text.h"

static int begin(void **state)
{
	struct text *text = malloc(sizeof(*text));

	assert_non_null(text);
	text_init(text);
	*state = text;
	return 0;
}

static int end(void **state)
{
	text_fini(*state);
	free(*state);
	return 0;
}

static void add(struct text *text, const char *bytes)
{
	text_add(text, bytes, strlen(bytes));
}

static void expect(const struct text *text, const char *bytes)
{
	assert_int_equal(text->len, strlen(bytes));
	if (text->len > 0)
		assert_memory_equal(text->bytes, bytes, text->len);
}

/* What a text of rows x cols shows, rows ended by |. */
static void expect_shown(struct text *text, int rows, int cols, const char *shown)
{
	char all[4096] = "", row[512];
	struct canvas c;

	canvas_init(&c, rows, cols, true);
	text_draw(text, &c, 0, 0, rows, cols);
	for (int i = 0; i < rows; i++) {
		canvas_text(&c, i, row, sizeof(row));
		strncat(all, row, sizeof(all) - strlen(all) - 1);
		strncat(all, "|", sizeof(all) - strlen(all) - 1);
	}
	canvas_fini(&c);
	assert_string_equal(all, shown);
}

static void what_controls_a_terminal_is_not_kept(void **state)
{
	static const struct { const char *bytes, *clean; } cases[] = {
		{ "plain\n", "plain\n" },
		{ "\x1b[1;31mred\x1b[0m\n", "red\n" },
		{ "\x1b[38;5;123;48;2;1;2;3mx\x1b[m\n", "x\n" },
		{ "grep\x1b[Ked\n", "greped\n" },
		{ "\x1b[2Jgone\n", "?[2Jgone\n" },
		{ "\x1b]0;title\x07\n", "?]0;title?\n" },
		{ "\x1b\x1b[mx\n", "?x\n" },
		{ "\x9b" "31m\x80\xff\n", "?31m??\n" },
		{ "\xc2\x9b" "2J\n", "?2J\n" },
		{ "a\xe2\x80\xae" "b\xe2\x81\xa6" "c\n", "a?b?c\n" },
		{ "\xe2\x82x\xf0\x9f\n", "??x??\n" },
		{ "\xed\xa0\x80\n", "???\n" },
		{ "caf\xc3\xa9 \xe2\x82\xac\n", "caf\xc3\xa9 \xe2\x82\xac\n" },
		{ "bell\x07 nul\x01 del\x7f\n", "bell? nul? del?\n" },
		{ "dos\r\n\r\r\n", "dos\n\n" },
		{ "10%\r20%\r100%\n", "100%\n" },
		{ "10%\r\x1b[Kdone\n", "done\n" },
		{ "kept\r\x1b[0m\n", "kept\n" },
		{ "Error: disk full\r   \n", "   or: disk full\n" },
		{ "plain\r\n", "plain\n" },
		{ "abcdef\rxy\n", "xycdef\n" },
		{ "abcdef\rxy\x1b[K\n", "xy\n" },
		{ "abcdef\x1b[2K\rxy\n", "xy    \n" },
		{ "\xe2\x82\xac" "bc\rxy\n", "xyc\n" },
		{ "\xe6\x97\xa5z\rx\n", "x z\n" },
		{ "abcd\r\xe6\x97\xa5\n", "\xe6\x97\xa5" "cd\n" },
		{ "abcdefghij\rx\ty\n", "xbcdefghyj\n" },
		{ "a\tb\n\tc\n12345678\td\n", "a       b\n        c\n12345678        d\n" },
		{ "\xc3\xa9\tb\n", "\xc3\xa9       b\n" },
		{ "a\rb\tc\n", "b       c\n" },
	};
	struct text *text = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text_clear(text);
		add(text, cases[i].bytes);
		expect(text, cases[i].clean);
		text_clear(text);
		for (const char *p = cases[i].bytes; *p != '\0'; p++)
			text_add(text, p, 1);
		expect(text, cases[i].clean);
	}
}

static void an_end_without_newline_is_a_line(void **state)
{
	struct text *text = *state;

	add(text, "one\ntwo");
	assert_int_equal(text->line_count, 2);
	text_end(text);
	expect(text, "one\ntwo\n");
	text_end(text);
	expect(text, "one\ntwo\n");
	add(text, "x\x1b[3");
	text_end(text);
	expect(text, "one\ntwo\nx?[3\n");
	add(text, "\xe2\x82");
	text_end(text);
	expect(text, "one\ntwo\nx?[3\n??\n");
	text_clear(text);
	add(text, "open");
	text_print(text, "%s", "");
	text_print(text, "%d", 1);
	expect(text, "open\n\n1\n");
}

/* Bytes that are likely to be trouble. */
static size_t make_hostile(unsigned *seed, char *out, size_t size)
{
	static const char *const pieces[] = {
		"\x1b[31m", "\x1b[", "\x1b", "\r", "\n", "\t", "\xe2\x82\xac", "\xe2\x82", "\xc3",
		"\xf0\x9f\x98\x80", "word ", "\x9b", "m", "K", "0;1", "\x07", "\xe2\x80\xae",
		"\x1b]0;x\x07", "\r\n", "\xcc\x81",
	};
	size_t len = 0;

	while (len + 16 < size) {
		size_t pick = (size_t)rand_r(seed) % (sizeof(pieces) / sizeof(*pieces));
		const char *piece = pieces[pick];
		memcpy(out + len, piece, strlen(piece));
		len += strlen(piece);
		if (rand_r(seed) % 16 == 0)
			out[len++] = (char)rand_r(seed);
	}
	return len;
}

static void cuts_change_nothing(void **state)
{
	struct text *whole = *state, cut;
	static char bytes[200000];
	unsigned seed = 7;

	text_init(&cut);
	for (int round = 0; round < 50; round++) {
		size_t len = make_hostile(&seed, bytes, round == 0 ? sizeof(bytes) : 4000);
		text_clear(whole);
		text_clear(&cut);
		text_add(whole, bytes, len);
		for (size_t at = 0; at < len;) {
			size_t n = 1 + (size_t)rand_r(&seed) % 9;
			n = n < len - at ? n : len - at;
			text_add(&cut, bytes + at, n);
			at += n;
		}
		text_end(whole);
		text_end(&cut);
		assert_int_equal(whole->len, cut.len);
		assert_memory_equal(whole->bytes, cut.bytes, cut.len);
		assert_int_equal(whole->line_count, cut.line_count);
		for (size_t i = 0; i < cut.len; i++)
			assert_true((unsigned char)cut.bytes[i] >= 0x20 || cut.bytes[i] == '\n');
	}
	text_fini(&cut);
}

static void a_line_without_end_is_broken_the_same_however_it_comes(void **state)
{
	struct text *text = *state, cut;
	size_t len = 3 * TEXT_LINE_MAX + 17;
	char *bytes = malloc(len);

	assert_non_null(bytes);
	text_init(&cut);
	for (size_t i = 0; i < len; i++)
		bytes[i] = "0123456789"[i % 10];
	memcpy(bytes + TEXT_LINE_MAX - 1, "\xe2\x82\xac", 3);
	text_add(text, bytes, len);
	for (size_t at = 0; at < len; at += 7)
		text_add(&cut, bytes + at, len - at < 7 ? len - at : 7);
	assert_int_equal(text->line_count, 4);
	assert_int_equal(text->lines[1], TEXT_LINE_MAX);
	assert_int_equal(text->len, cut.len);
	assert_memory_equal(text->bytes, cut.bytes, cut.len);
	text_fini(&cut);
	free(bytes);
}

static void much_is_bounded_and_the_oldest_goes(void **state)
{
	struct text *text = *state;
	static char bytes[1 << 20];
	unsigned seed = 3;
	size_t len = make_hostile(&seed, bytes, sizeof(bytes));

	text->follow = true;
	for (int i = 0; i < 200; i++)
		text_add(text, bytes, len);
	text_end(text);
	text_print(text, "the end");
	assert_true(text->len <= TEXT_BYTES);
	assert_true(text->room <= 2 * TEXT_BYTES);
	assert_true(text->line_count <= TEXT_LINES);
	assert_true(text->dropped > 0);
	assert_memory_equal(text->bytes + text->len - 8, "the end\n", 8);
	for (size_t i = 1; i < text->line_count; i++)
		assert_int_equal(text->bytes[text->lines[i] - 1], '\n');
}

static void many_empty_lines_are_bounded(void **state)
{
	struct text *text = *state;
	char lines[4096];

	memset(lines, '\n', sizeof(lines));
	for (int i = 0; i < 5000; i++)
		text_add(text, lines, sizeof(lines));
	assert_true(text->line_count <= TEXT_LINES);
	assert_int_equal(text_total(text), 5000 * sizeof(lines));
}

static void what_went_is_told_as_the_first_line(void **state)
{
	struct text *text = *state;
	char shown[80];

	text->follow = false;
	for (int i = 0; i < TEXT_LINES + 1; i++)
		text_print(text, "%d", i);
	assert_int_equal(text_total(text), TEXT_LINES + 1);
	text_act(text, ACTION_HOME);
	snprintf(shown, sizeof(shown), "(%llu lines before this are no longer kept)|%llu|",
		 (unsigned long long)text->dropped, (unsigned long long)text->dropped);
	expect_shown(text, 2, 60, shown);
}

static void rows_stay_where_they_are_while_the_oldest_go(void **state)
{
	struct text *text = *state;

	for (int i = 0; i < TEXT_LINES; i++)
		text_print(text, "%d", i);
	expect_shown(text, 1, 20, "0|");
	text->top.line = 1900000;
	expect_shown(text, 1, 20, "1900000|");
	text_print(text, "new");
	assert_true(text->dropped > 0);
	expect_shown(text, 1, 20, "1900000|");
}

static void following_keeps_the_end_in_sight(void **state)
{
	struct text *text = *state;

	text->follow = true;
	for (int i = 0; i < 10; i++)
		text_print(text, "line %d", i);
	expect_shown(text, 3, 20, "line 7|line 8|line 9|");
	text_print(text, "line 10");
	expect_shown(text, 3, 20, "line 8|line 9|line 10|");
	text_act(text, ACTION_UP);
	assert_false(text->follow);
	text->unseen = 0;
	for (int i = 11; i < 131; i++)
		text_print(text, "line %d", i);
	assert_int_equal(text->unseen, 120);
	expect_shown(text, 3, 20, "line 7|line 8|line 9|");
	text_act(text, ACTION_HOME);
	expect_shown(text, 3, 20, "line 0|line 1|line 2|");
	text_act(text, ACTION_FOLLOW);
	assert_int_equal(text->unseen, 0);
	expect_shown(text, 3, 20, "line 128|line 129|line 130|");
	text_act(text, ACTION_PAGE_UP);
	expect_shown(text, 3, 20, "line 126|line 127|line 128|");
	text_act(text, ACTION_PAGE_DOWN);
	text_act(text, ACTION_PAGE_DOWN);
	expect_shown(text, 3, 20, "line 128|line 129|line 130|");
	assert_false(text->follow);
	text_act(text, ACTION_END);
	assert_true(text->follow);
}

static void a_text_that_fits_is_not_paused_by_scrolling(void **state)
{
	struct text *text = *state;

	text->follow = true;
	text_print(text, "one");
	expect_shown(text, 3, 20, "one|||");
	text_act(text, ACTION_UP);
	assert_true(text->follow);
}

static void wrapping_shows_all_of_a_line(void **state)
{
	struct text *text = *state;

	text_print(text, "abcdefghij");
	text_print(text, "\xe4\xb8\x96\xe4\xb8\x96\xe4\xb8\x96");
	text_print(text, "end");
	expect_shown(text, 3, 5, "abcde|\xe4\xb8\x96\xe4\xb8\x96|end|");
	text_act(text, ACTION_WRAP);
	expect_shown(text, 6, 5, "abcde|fghij|\xe4\xb8\x96\xe4\xb8\x96|\xe4\xb8\x96|end||");
	text_act(text, ACTION_FOLLOW);
	expect_shown(text, 2, 5, "\xe4\xb8\x96|end|");
	text_act(text, ACTION_UP);
	text_act(text, ACTION_UP);
	expect_shown(text, 2, 5, "fghij|\xe4\xb8\x96\xe4\xb8\x96|");
	text_act(text, ACTION_DOWN);
	expect_shown(text, 2, 5, "\xe4\xb8\x96\xe4\xb8\x96|\xe4\xb8\x96|");
}

static void sideways_shows_the_rest(void **state)
{
	struct text *text = *state;

	text_print(text, "0123456789abcdef");
	text_print(text, "0123456\xe4\xb8\x96xy");
	text_act(text, ACTION_RIGHT);
	expect_shown(text, 2, 5, "89abc| xy|");
	text_clear(text);
	text_print(text, "0123456789ab");
	expect_shown(text, 1, 5, "89ab|");
	text_act(text, ACTION_LEFT);
	text_act(text, ACTION_LEFT);
	expect_shown(text, 1, 5, "01234|");
}

static void searching_goes_round(void **state)
{
	struct text *text = *state;

	for (int i = 0; i < 50; i++)
		text_print(text, i % 20 == 7 ? "%d Needle" : "%d hay", i);
	expect_shown(text, 2, 20, "0 hay|1 hay|");
	assert_true(text_search(text, "nEEdle"));
	expect_shown(text, 2, 20, "7 Needle|8 hay|");
	text_act(text, ACTION_SEARCH_NEXT);
	expect_shown(text, 2, 20, "27 Needle|28 hay|");
	text_act(text, ACTION_SEARCH_NEXT);
	text_act(text, ACTION_SEARCH_NEXT);
	expect_shown(text, 2, 20, "7 Needle|8 hay|");
	text_act(text, ACTION_SEARCH_BEFORE);
	expect_shown(text, 2, 20, "47 Needle|48 hay|");
	assert_false(text_search(text, "nowhere"));
	assert_false(text_search(text, ""));
	assert_string_equal(text->search, "");
}

/* The place of a find may be on the last page: n goes on from the find all the same. */
static void finds_on_the_last_page_are_left_by_n(void **state)
{
	struct text *text = *state;

	for (int i = 0; i < 10; i++)
		text_print(text, "x%d", i);
	expect_shown(text, 5, 20, "x0|x1|x2|x3|x4|");
	assert_true(text_search(text, "x8"));
	expect_shown(text, 5, 20, "x5|x6|x7|x8|x9|");
	snprintf(text->search, sizeof(text->search), "x");
	text_act(text, ACTION_SEARCH_NEXT);
	assert_int_equal(text->found, 9);
	text_act(text, ACTION_SEARCH_NEXT);
	assert_int_equal(text->found, 0);
}

static void nothing_is_shown_of_nothing(void **state)
{
	struct text *text = *state;

	expect_shown(text, 2, 5, "||");
	for (int action = 0; action < ACTION_COUNT; action++)
		text_act(text, (enum intent)action);
	assert_false(text_search(text, "x"));
	expect_shown(text, 2, 5, "||");
	expect_shown(text, 1, 1, "|");
}

/* Narrow, scrolled into a wrapped line, then wide: the place stays in that line. */
static void a_place_in_a_wrapped_line_stays_there_in_another_width(void **state)
{
	struct text *text = *state;

	add(text, "one\nabcdefghijklmnopqrst\ntwo\nthree\nfour\nfive\nsix\n");
	text->wrap = true;
	expect_shown(text, 2, 5, "one|abcde|");
	for (int i = 0; i < 4; i++)
		assert_true(text_act(text, ACTION_DOWN));
	expect_shown(text, 2, 5, "pqrst|two|");
	expect_shown(text, 2, 40, "abcdefghijklmnopqrst|two|");
	expect_shown(text, 2, 10, "abcdefghij|klmnopqrst|");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(what_controls_a_terminal_is_not_kept),
		TEST(an_end_without_newline_is_a_line),
		TEST(cuts_change_nothing),
		TEST(a_line_without_end_is_broken_the_same_however_it_comes),
		TEST(much_is_bounded_and_the_oldest_goes),
		TEST(many_empty_lines_are_bounded),
		TEST(what_went_is_told_as_the_first_line),
		TEST(rows_stay_where_they_are_while_the_oldest_go),
		TEST(following_keeps_the_end_in_sight),
		TEST(a_text_that_fits_is_not_paused_by_scrolling),
		TEST(wrapping_shows_all_of_a_line),
		TEST(sideways_shows_the_rest),
		TEST(searching_goes_round),
		TEST(finds_on_the_last_page_are_left_by_n),
		TEST(nothing_is_shown_of_nothing),
		TEST(a_place_in_a_wrapped_line_stays_there_in_another_width),
	};
	assert_non_null(setlocale(LC_ALL, "C.UTF-8"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
