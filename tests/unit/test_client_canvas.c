/* The grid of the monitor: hostile texts, edges, wide characters; how styles differ. */
#include "client/monitor/canvas.h"

#include "client/monitor/palette.h"
#include "proto/names.h"

#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <cmocka.h>

#define WIDE "\xe6\xbc\xa2"			/* two columns */
#define ACUTE "\xcc\x81"			/* combines */

/* ---- the invariants, of any canvas ---- */

static void assert_character(const struct canvas *c, const char *text, bool first)
{
	uint32_t code;
	size_t len = strlen(text), n = utf8_decode(text, len, &code);

	assert_true(n > 0);
	assert_true(code >= 0x20 && !(code >= 0x7f && code < 0xa0));
	assert_false(code >= 0x202a && code <= 0x202e);
	assert_false(code >= 0x2066 && code <= 0x2069);
	assert_false(code == 0x200e || code == 0x200f || code == 0x61c || code == 0xfeff);
	assert_true(c->utf8 || code < 0x80);
	int width = wcwidth((wchar_t)code);
	assert_true(first ? width == 1 || width == 2 : width == 0);
	if (text[n] != '\0')
		assert_character(c, text + n, false);
}

static int cell_width(const struct cell *cell)
{
	uint32_t code = ' ';

	utf8_decode(cell->text, strlen(cell->text), &code);
	return wcwidth((wchar_t)code);
}

static void assert_sound(const struct canvas *c)
{
	assert_true(c->rows >= 1 && c->cols >= 1);
	for (int row = 0; row < c->rows; row++) {
		const struct cell *cells = &c->cells[row * c->cols];
		for (int col = 0; col < c->cols; col++) {
			assert_non_null(memchr(cells[col].text, '\0', CELL_BYTES));
			assert_true(cells[col].style < STYLE_COUNT);
			if (cells[col].text[0] == '\0') {
				assert_true(col > 0 && cell_width(&cells[col - 1]) == 2);
				continue;
			}
			assert_character(c, cells[col].text, true);
			if (cell_width(&cells[col]) == 2)
				assert_true(col + 1 < c->cols && cells[col + 1].text[0] == '\0');
		}
	}
}

static void assert_row(const struct canvas *c, int row, const char *expected)
{
	char text[512];

	assert_sound(c);
	canvas_text(c, row, text, sizeof(text));
	assert_string_equal(text, expected);
}

/* A row of dots, so that what was not to be touched is seen. */
static void begin(struct canvas *c, int cols)
{
	canvas_init(c, 3, cols, true);
	for (int row = 0; row < 3; row++) {
		for (int col = 0; col < cols; col++)
			canvas_put(c, row, col, 1, STYLE_PLAIN, ".");
	}
}

static void assert_put(int col, int width, const char *text, const char *expected, int used)
{
	struct canvas c;

	begin(&c, 10);
	assert_int_equal(canvas_put(&c, 1, col, width, STYLE_BAD, text), used);
	assert_row(&c, 0, "..........");
	assert_row(&c, 1, expected);
	assert_row(&c, 2, "..........");
	canvas_fini(&c);
}

/* ---- texts ---- */

static void test_control_characters_become_marks(void **state)
{
	(void)state;
	assert_put(0, -1, "a\x1b[2J\a\n\x7f", "a?[2J???..", 8);
	assert_put(0, -1, "\xc2\x9b" "1m", "?1m.......", 3);
	assert_put(0, -1, "x\xff\xfey", "x??y......", 4);
	assert_put(0, -1, "\xe6\xbc", "??........", 2);
	assert_put(0, -1, "\xc0\xaf\xed\xa0\x80", "?????.....", 5);
	assert_put(0, -1, "a\xe2\x80\xae" "b\xe2\x81\xa6\xd8\x9c", "a?b??.....", 5);
	assert_put(0, -1, "z\xe2\x80\x8bz\xef\xbb\xbf", "z?z?......", 4);
}

static void test_nothing_crosses_an_edge(void **state)
{
	(void)state;
	assert_put(7, -1, "abcdef", ".......abc", 3);
	assert_put(2, 3, "abcdef", "..abc.....", 3);
	assert_put(-2, 5, "abcdef", "cde.......", 5);
	assert_put(-9, 5, "abcdef", "..........", 5);
	assert_put(10, -1, "abc", "..........", 0);
	assert_put(INT_MAX, INT_MAX, "abc", "..........", 0);
	assert_put(INT_MIN, INT_MAX, "abc", "..........", 3);
	assert_put(3, 0, "abc", "..........", 0);
	assert_put(3, INT_MAX, "ab", "...ab.....", 2);
}

static void test_wide_characters_at_edges(void **state)
{
	(void)state;
	assert_put(0, -1, WIDE "a", WIDE "a.......", 3);
	assert_put(8, -1, "a" WIDE, "........a", 2);
	assert_put(0, 3, WIDE WIDE, WIDE " .......", 3);
	assert_put(-1, -1, WIDE "b", " b........", 3);
	assert_put(9, -1, WIDE, ".........", 1);
}

static void test_a_wide_character_is_never_half(void **state)
{
	struct canvas c;

	(void)state;
	begin(&c, 10);
	canvas_put(&c, 0, 2, -1, STYLE_PLAIN, WIDE WIDE);
	canvas_put(&c, 0, 3, 1, STYLE_PLAIN, "x");
	assert_row(&c, 0, ".. x" WIDE "....");
	canvas_put(&c, 0, 4, 1, STYLE_PLAIN, "y");
	assert_row(&c, 0, ".. xy ....");
	canvas_put(&c, 1, 2, -1, STYLE_PLAIN, WIDE WIDE);
	canvas_put(&c, 1, 3, 2, STYLE_PLAIN, WIDE);
	assert_row(&c, 1, ".. " WIDE " ....");
	canvas_fill(&c, 1, 4, 1, 1, STYLE_PLAIN);
	assert_row(&c, 1, "..    ....");
	canvas_fini(&c);
}

static void test_combining_characters(void **state)
{
	(void)state;
	assert_put(0, -1, "e" ACUTE "x", "e" ACUTE "x........", 2);
	assert_put(0, -1, ACUTE "x", "?x........", 2);
	assert_put(9, 1, "e" ACUTE ACUTE "f", ".........e" ACUTE ACUTE, 1);
	assert_put(0, 1, "e" ACUTE ACUTE ACUTE ACUTE, "e" ACUTE ACUTE ".........", 1);
	assert_put(-1, -1, "e" ACUTE "x", "x.........", 2);
}

static void test_without_utf8_all_is_ascii(void **state)
{
	struct canvas c;

	(void)state;
	canvas_init(&c, 4, 12, false);
	canvas_put(&c, 0, 0, -1, STYLE_PLAIN, "\xc3\xa9" WIDE "e" ACUTE "\xff");
	assert_row(&c, 0, "??e??");
	canvas_box(&c, 1, 0, 3, 10, "t");
	assert_row(&c, 1, "+-- t ---+");
	assert_row(&c, 2, "|        |");
	assert_row(&c, 3, "+--------+");
	assert_int_equal(canvas_width(&c, WIDE), 1);
	canvas_fini(&c);
}

static void test_right_and_middle(void **state)
{
	struct canvas c;

	(void)state;
	begin(&c, 16);
	canvas_put_right(&c, 0, 8, 6, STYLE_PLAIN, "12s");
	assert_row(&c, 0, ".....12s........");
	canvas_put_right(&c, 0, 8, 4, STYLE_PLAIN, "abcdefg");
	assert_row(&c, 0, "....defg........");
	canvas_put_right(&c, 0, 16, 3, STYLE_PLAIN, WIDE WIDE);
	assert_row(&c, 0, "....defg..... " WIDE);
	assert_int_equal(canvas_put_middle(&c, 1, 0, 16, STYLE_PLAIN, "eod/load-positions@db1"), 16);
	assert_row(&c, 1, "eod/load~ons@db1");
	canvas_put_middle(&c, 2, 1, 1, STYLE_PLAIN, "long");
	assert_row(&c, 2, ".~..............");
	canvas_put_middle(&c, 2, 14, 9, STYLE_PLAIN, "long");
	assert_row(&c, 2, ".~............l~");
	canvas_put_middle(&c, 2, 1, 0, STYLE_PLAIN, "long");
	canvas_put_right(&c, INT_MIN, INT_MIN, INT_MAX, STYLE_PLAIN, "long");
	assert_row(&c, 2, ".~............l~");
	canvas_fini(&c);
}

static void test_boxes_are_cut(void **state)
{
	struct canvas c;

	(void)state;
	begin(&c, 10);
	canvas_box(&c, 1, -4, 9, 8, "title");
	assert_row(&c, 0, "..........");
	assert_row(&c, 1, CANVAS_HORIZONTAL CANVAS_HORIZONTAL CANVAS_HORIZONTAL
		   CANVAS_TOP_RIGHT "......");
	assert_row(&c, 2, "   " CANVAS_VERTICAL "......");
	canvas_box(&c, INT_MIN, INT_MIN, INT_MAX, INT_MAX, "t");
	canvas_box(&c, INT_MAX, INT_MAX, INT_MAX, INT_MAX, "t");
	canvas_box(&c, 0, 0, 0, 5, "t");
	canvas_box(&c, -5, -5, INT_MAX, INT_MAX, "t");
	assert_row(&c, 2, "");
	canvas_fini(&c);
}

static void test_marks_of_rows(void **state)
{
	struct canvas c;

	(void)state;
	begin(&c, 10);
	canvas_select(&c, 1, -3, 5);
	canvas_make_stale(&c, 1, 8, INT_MAX);
	canvas_select(&c, 9, 0, 10);
	for (int col = 0; col < 10; col++) {
		assert_int_equal(c.cells[10 + col].selected, col < 2);
		assert_int_equal(c.cells[10 + col].stale, col >= 8);
		assert_false(c.cells[col].selected);
	}
	canvas_put(&c, 1, 0, -1, STYLE_BAD, "ab");
	assert_true(c.cells[10].selected);
	canvas_fill(&c, 0, 0, 3, 10, STYLE_PLAIN);
	assert_false(c.cells[10].selected || c.cells[19].stale);
	canvas_fini(&c);
}

static void test_sizes_have_limits(void **state)
{
	struct canvas c;
	char text[4];

	(void)state;
	canvas_init(&c, 0, -5, true);
	assert_true(c.rows == 1 && c.cols == 1);
	canvas_put(&c, 0, 0, -1, STYLE_PLAIN, WIDE);
	assert_row(&c, 0, "");
	canvas_resize(&c, 2, INT_MAX);
	assert_int_equal(c.cols, CANVAS_COLS_MAX);
	canvas_put(&c, 1, 0, -1, STYLE_PLAIN, "abcdef");
	canvas_text(&c, 1, text, sizeof(text));
	assert_string_equal(text, "abc");
	canvas_text(&c, 7, text, sizeof(text));
	assert_string_equal(text, "");
	canvas_fini(&c);
}

/* ---- anything at all ---- */

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static void random_text(uint64_t *seed, char *text, size_t size)
{
	static const char *const pieces[] = {
		"a", "job", "\x1b[31m", "\x7f", "\xc2\x85", "\xff", "\xe2\x80\xae", WIDE, ACUTE, "\xc3\xa9",
		"\xf0\x9f\x98\x80", "\xf0\x9f", "\xe2\x80\x8d", "\t", " ", "\xef\xbc\xa1", "\xe1\x84\x80",
		"\xe1\x85\xa1", "\xed\xa0\x80", "\xf4\x90\x80\x80",
	};
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t n = next_random(seed) % 12; n > 0; n--) {
		uint32_t at = next_random(seed) % (sizeof(pieces) / sizeof(pieces[0]));
		char byte[2] = { (char)(1 + next_random(seed) % 255), '\0' };
		used += (size_t)snprintf(text + used, size - used, "%s%s", pieces[at],
					 next_random(seed) % 4 == 0 ? byte : "");
	}
}

static int random_place(uint64_t *seed)
{
	static const int far[] = { INT_MIN, INT_MAX, INT_MIN + 1, 1 << 30 };
	uint32_t kind = next_random(seed) % 40;

	return kind < 4 ? far[kind] : (int)(next_random(seed) % 24) - 6;
}

static void draw_random(struct canvas *c, uint64_t *seed)
{
	char text[256];
	int row = random_place(seed), col = random_place(seed), width = random_place(seed);
	enum style style = (enum style)(next_random(seed) % STYLE_COUNT);

	random_text(seed, text, sizeof(text));
	switch (next_random(seed) % 9) {
	case 0: canvas_put_right(c, row, col, width, style, text); break;
	case 1: canvas_put_middle(c, row, col, width, style, text); break;
	case 2: canvas_fill(c, row, col, random_place(seed), width, style); break;
	case 3: canvas_box(c, row, col, random_place(seed), width, text); break;
	case 4: canvas_select(c, row, col, width); break;
	case 5: canvas_line(c, row, col, width); break;
	case 6: canvas_print(c, row, col, width, style, "%s|%d", text, width); break;
	default: {
		int used = canvas_put(c, row, col, width, style, text);
		assert_true(used >= 0 && (width < 0 || used <= width));
		assert_true(used <= canvas_width(c, text));
	}
	}
}

static void test_invariants_hold_for_anything(void **state)
{
	uint64_t seed = 20;
	struct canvas c;

	(void)state;
	for (int round = 0; round < 400; round++) {
		canvas_init(&c, (int)(next_random(&seed) % 6), (int)(next_random(&seed) % 20),
			    round % 4 != 0);
		for (int i = 0; i < 40; i++) {
			draw_random(&c, &seed);
			assert_sound(&c);
		}
		canvas_fini(&c);
	}
}

/* ---- how it looks ---- */

static bool same_look(struct look a, struct look b)
{
	return a.color == b.color && a.flags == b.flags;
}

static void test_selected_and_trouble_can_be_told(void **state)
{
	struct cell plain = { .style = STYLE_PLAIN, .selected = true };

	(void)state;
	for (int p = 0; p < PALETTE_COUNT; p++) {
		for (int style = 0; style < STYLE_COUNT; style++) {
			struct cell cell = { .style = (unsigned char)style };
			struct look look = palette_look((enum palette)p, &cell);
			assert_true(p != PALETTE_MONO || look.color == LOOK_DEFAULT);
			assert_true(look.color != 0 && look.color != 4);
			cell.selected = true;
			struct look selected = palette_look((enum palette)p, &cell);
			assert_true(selected.flags & LOOK_REVERSE);
			assert_false(selected.flags & LOOK_DIM);
			assert_false(same_look(look, selected));
		}
	}
	struct cell failed = { .style = STYLE_STATE + JOBSTATE_FAILED, .selected = true };
	assert_false(same_look(palette_look(PALETTE_MONO, &failed),
			       palette_look(PALETTE_MONO, &plain)));
}

static void test_mono_tells_trouble(void **state)
{
	(void)state;
	for (int a = 0; a < JOBSTATE_COUNT; a++) {
		for (int b = 0; b < JOBSTATE_COUNT; b++) {
			struct cell x = { .style = (unsigned char)a };
			struct cell y = { .style = (unsigned char)b };
			if (jobstates[a].trouble && !jobstates[b].trouble)
				assert_false(same_look(palette_look(PALETTE_MONO, &x),
						       palette_look(PALETTE_MONO, &y)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_characters_become_marks),
		cmocka_unit_test(test_nothing_crosses_an_edge),
		cmocka_unit_test(test_wide_characters_at_edges),
		cmocka_unit_test(test_a_wide_character_is_never_half),
		cmocka_unit_test(test_combining_characters),
		cmocka_unit_test(test_without_utf8_all_is_ascii),
		cmocka_unit_test(test_right_and_middle),
		cmocka_unit_test(test_boxes_are_cut),
		cmocka_unit_test(test_marks_of_rows),
		cmocka_unit_test(test_sizes_have_limits),
		cmocka_unit_test(test_invariants_hold_for_anything),
		cmocka_unit_test(test_selected_and_trouble_can_be_told),
		cmocka_unit_test(test_mono_tells_trouble),
	};

	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
