/*
 * canvas.c - see canvas.h.
 *
 * All texts go through draw_window(): a text whose first column is `origin`, seen through the
 * columns [left, right) of a row. What lies outside is measured and not drawn, so cutting at either
 * end and in the middle is the same loop.
 */
#include "client/monitor/canvas.h"

#include "client/say.h"
#include "proto/names.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* ---- characters ---- */

/* One character as it is drawn. */
struct glyph {
	const char *text;
	size_t len;
	int width;			/* 0 = combines with the one before */
};

/* Format characters: they reorder, join or hide what is around them, and take no column. */
static bool is_invisible(uint32_t code)
{
	static const struct { uint32_t first, last; } ranges[] = {
		{ 0xad, 0xad }, { 0x61c, 0x61c }, { 0x115f, 0x1160 }, { 0x180e, 0x180e },
		{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 },
		{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb },
		{ 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	}
	return false;
}

/* What is drawn for the character at text (of len > 0 bytes); returns the bytes it takes there. */
static size_t take_glyph(bool utf8, const char *text, size_t len, struct glyph *glyph)
{
	uint32_t code = 0;
	size_t n = utf8_decode(text, len, &code);

	*glyph = (struct glyph){ "?", 1, 1 };
	if (n == 0)
		return 1;
	if (code < 0x80) {
		if (code >= 0x20 && code != 0x7f)
			glyph->text = text;
		return n;
	}
	if (!utf8 || code < 0xa0 || is_invisible(code))
		return n;
	int width = wcwidth((wchar_t)code);
	if (width >= 0 && width <= 2)
		*glyph = (struct glyph){ text, n, width };
	return n;
}

static int clamp_int(long long value)
{
	return value > INT_MAX ? INT_MAX : value < INT_MIN ? INT_MIN : (int)value;
}

int canvas_width(const struct canvas *c, const char *text)
{
	size_t len = strlen(text);
	struct glyph glyph;
	long long width = 0;
	bool based = false;

	for (size_t i = 0; i < len;) {
		i += take_glyph(c->utf8, text + i, len - i, &glyph);
		width += glyph.width == 0 && !based ? 1 : glyph.width;
		based = true;
	}
	return clamp_int(width);
}

int canvas_char_width(const struct canvas *c, const char *bytes, size_t len)
{
	struct glyph glyph;

	(void)take_glyph(c->utf8, bytes, len, &glyph);
	return glyph.width;
}

/* ---- cells ---- */

static struct cell *cell_at(const struct canvas *c, int row, int col)
{
	return &c->cells[(size_t)row * (size_t)c->cols + (size_t)col];
}

static void blank_text(struct cell *cell)
{
	cell->text[0] = ' ';
	cell->text[1] = '\0';
}

/* A wide character of which one column is about to be written loses the other one too. */
static void break_wide(struct canvas *c, int row, int col)
{
	struct cell *cell = cell_at(c, row, col);

	if (cell->text[0] == '\0' && col > 0)
		blank_text(cell - 1);
	if (col + 1 < c->cols && cell[1].text[0] == '\0')
		blank_text(cell + 1);
}

static void set_cell(struct canvas *c, int row, int col, enum style style,
		     const struct glyph *glyph)
{
	struct cell *cell = cell_at(c, row, col);

	break_wide(c, row, col);
	memcpy(cell->text, glyph->text, glyph->len);
	cell->text[glyph->len] = '\0';
	cell->style = (unsigned char)style;
	if (glyph->width == 2) {
		break_wide(c, row, col + 1);
		cell[1].text[0] = '\0';
		cell[1].style = (unsigned char)style;
	}
}

/* Combining characters beyond what a cell holds are left out. */
static void combine(struct canvas *c, int row, int col, const struct glyph *glyph)
{
	struct cell *cell = cell_at(c, row, col);
	size_t used = strlen(cell->text);

	if (used + glyph->len >= CELL_BYTES)
		return;
	memcpy(cell->text + used, glyph->text, glyph->len);
	cell->text[used + glyph->len] = '\0';
}

/* ---- texts ---- */

struct window {
	int row;
	long long origin;		/* column of the text's first character */
	long long left, right;		/* columns that may be written */
};

static struct window clip_window(const struct canvas *c, int row, long long origin,
				 long long left, long long right)
{
	if (left < 0)
		left = 0;
	if (right > c->cols)
		right = c->cols;
	if (row < 0 || row >= c->rows || right < left)
		right = left;
	return (struct window){ row, origin, left, right };
}

static void draw_glyph(struct canvas *c, const struct window *w, long long col, enum style style,
		       const struct glyph *glyph)
{
	static const struct glyph blank = { " ", 1, 1 };

	if (col >= w->left && col + glyph->width <= w->right) {
		set_cell(c, w->row, (int)col, style, glyph);
		return;
	}
	for (long long i = col; i < col + glyph->width; i++) {
		if (i >= w->left && i < w->right)
			set_cell(c, w->row, (int)i, style, &blank);
	}
}

static void draw_window(struct canvas *c, const struct window *w, enum style style,
			const char *text)
{
	size_t len = strlen(text);
	struct glyph glyph;
	long long col = w->origin, base = LLONG_MIN;

	for (size_t i = 0; i < len && col <= w->right;) {
		i += take_glyph(c->utf8, text + i, len - i, &glyph);
		if (glyph.width == 0 && base != LLONG_MIN) {
			if (base >= w->left && col <= w->right)
				combine(c, w->row, (int)base, &glyph);
			continue;
		}
		if (glyph.width == 0)
			glyph = (struct glyph){ "?", 1, 1 };
		draw_glyph(c, w, col, style, &glyph);
		base = col;
		col += glyph.width;
	}
}

/* The columns from `from` on that a width gives, to the edge when it is negative. */
static int limit_width(const struct canvas *c, int from, int width)
{
	long long room = (long long)c->cols - from;

	if (room < 0)
		room = 0;
	return width < 0 || width > room ? clamp_int(room) : width;
}

int canvas_put(struct canvas *c, int row, int col, int width, enum style style, const char *text)
{
	int room = limit_width(c, col, width), used = canvas_width(c, text);
	struct window w = clip_window(c, row, col, col, (long long)col + room);

	draw_window(c, &w, style, text);
	return used < room ? used : room;
}

int canvas_print(struct canvas *c, int row, int col, int width, enum style style,
		 const char *format, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return canvas_put(c, row, col, width, style, text);
}

int canvas_put_right(struct canvas *c, int row, int end, int width, enum style style,
		     const char *text)
{
	int used = canvas_width(c, text), room = width < 0 ? (end > 0 ? end : 0) : width;
	struct window w = clip_window(c, row, (long long)end - used, (long long)end - room, end);

	draw_window(c, &w, style, text);
	return used < room ? used : room;
}

int canvas_put_middle(struct canvas *c, int row, int col, int width, enum style style,
		      const char *text)
{
	int room = limit_width(c, col, width), used = canvas_width(c, text);
	long long head = (long long)col + room / 2, end = (long long)col + room;

	if (used <= room || room <= 0)
		return canvas_put(c, row, col, room, style, text);
	struct window first = clip_window(c, row, col, col, head);
	struct window mark = clip_window(c, row, head, head, head + 1);
	struct window last = clip_window(c, row, end - used, head + 1, end);
	draw_window(c, &first, style, text);
	draw_window(c, &last, style, text);
	draw_window(c, &mark, style, "~");
	return room;
}

/* ---- areas ---- */

struct area { int top, left, bottom, right; };	/* bottom and right are exclusive */

static struct area clip_area(const struct canvas *c, int row, int col, int rows, int cols)
{
	long long bottom = (long long)row + (rows > 0 ? rows : 0);
	long long right = (long long)col + (cols > 0 ? cols : 0);

	return (struct area){
		row > 0 ? row : 0, col > 0 ? col : 0,
		(int)(bottom < c->rows ? bottom : c->rows),
		(int)(right < c->cols ? right : c->cols),
	};
}

void canvas_fill(struct canvas *c, int row, int col, int rows, int cols, enum style style)
{
	static const struct glyph blank = { " ", 1, 1 };
	struct area a = clip_area(c, row, col, rows, cols);

	for (int y = a.top; y < a.bottom; y++) {
		for (int x = a.left; x < a.right; x++) {
			set_cell(c, y, x, style, &blank);
			cell_at(c, y, x)->selected = cell_at(c, y, x)->stale = false;
		}
	}
}

void canvas_select(struct canvas *c, int row, int col, int cols)
{
	struct area a = clip_area(c, row, col, 1, cols);

	for (int x = a.left; a.top < a.bottom && x < a.right; x++)
		cell_at(c, a.top, x)->selected = true;
}

void canvas_make_stale(struct canvas *c, int row, int col, int cols)
{
	struct area a = clip_area(c, row, col, 1, cols);

	for (int x = a.left; a.top < a.bottom && x < a.right; x++)
		cell_at(c, a.top, x)->stale = true;
}

static void draw_run(struct canvas *c, int row, int col, int cols, const char *text)
{
	struct area a = clip_area(c, row, col, 1, cols);

	for (int x = a.left; a.top < a.bottom && x < a.right; x++)
		canvas_put(c, a.top, x, 1, STYLE_PLAIN, text);
}

void canvas_line(struct canvas *c, int row, int col, int cols)
{
	draw_run(c, row, col, cols, c->utf8 ? CANVAS_HORIZONTAL : "-");
}

void canvas_box(struct canvas *c, int row, int col, int rows, int cols, const char *title)
{
	const char *down = c->utf8 ? CANVAS_VERTICAL : "|";
	long long bottom = (long long)row + rows - 1, right = (long long)col + cols - 1;
	int last_row = clamp_int(bottom), last_col = clamp_int(right);
	struct area a = clip_area(c, row, col, rows, cols);

	if (a.top >= a.bottom || a.left >= a.right)
		return;
	canvas_fill(c, row, col, rows, cols, STYLE_PLAIN);
	for (int y = a.top; y < a.bottom; y++) {
		canvas_put(c, y, col, 1, STYLE_PLAIN, down);
		canvas_put(c, y, last_col, 1, STYLE_PLAIN, down);
	}
	canvas_line(c, row, col, cols);
	canvas_line(c, last_row, col, cols);
	canvas_put(c, row, col, 1, STYLE_PLAIN, c->utf8 ? CANVAS_TOP_LEFT : "+");
	canvas_put(c, row, last_col, 1, STYLE_PLAIN, c->utf8 ? CANVAS_TOP_RIGHT : "+");
	canvas_put(c, last_row, col, 1, STYLE_PLAIN, c->utf8 ? CANVAS_BOTTOM_LEFT : "+");
	canvas_put(c, last_row, last_col, 1, STYLE_PLAIN, c->utf8 ? CANVAS_BOTTOM_RIGHT : "+");
	if (title == NULL || title[0] == '\0' || cols < 9)
		return;
	int at = col + 3, room = cols - 6;
	int used = canvas_width(c, title);
	canvas_put(c, row, at, 1, STYLE_PLAIN, " ");
	canvas_put_middle(c, row, at + 1, room - 2, STYLE_TITLE, title);
	canvas_put(c, row, at + 1 + (used < room - 2 ? used : room - 2), 1, STYLE_PLAIN, " ");
}

/* ---- the grid ---- */

static int clamp_size(int value, int most)
{
	return value < 1 ? 1 : value > most ? most : value;
}

void canvas_init(struct canvas *c, int rows, int cols, bool utf8)
{
	*c = (struct canvas){ .utf8 = utf8 };
	canvas_resize(c, rows, cols);
}

void canvas_fini(struct canvas *c)
{
	free(c->cells);
	*c = (struct canvas){ 0 };
}

void canvas_resize(struct canvas *c, int rows, int cols)
{
	c->rows = clamp_size(rows, CANVAS_ROWS_MAX);
	c->cols = clamp_size(cols, CANVAS_COLS_MAX);
	c->cells = say_realloc(c->cells, (size_t)c->rows * (size_t)c->cols, sizeof(*c->cells));
	canvas_clear(c);
}

void canvas_clear(struct canvas *c)
{
	size_t count = (size_t)c->rows * (size_t)c->cols;

	for (size_t i = 0; i < count; i++)
		c->cells[i] = (struct cell){ .text = " ", .style = STYLE_PLAIN };
	c->cursor_row = c->cursor_col = -1;
}

void canvas_text(const struct canvas *c, int row, char *out, size_t size)
{
	size_t used = 0, end = 0;

	if (size == 0)
		return;
	for (int col = 0; row >= 0 && row < c->rows && col < c->cols; col++) {
		const char *text = cell_at(c, row, col)->text;
		size_t n = strlen(text);
		if (used + n >= size)
			break;
		memcpy(out + used, text, n);
		used += n;
		if (n > 0 && strcmp(text, " ") != 0)
			end = used;
	}
	out[end] = '\0';
}
