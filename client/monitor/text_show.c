/*
 * text_show.c - what of a text is on the screen: rows, drawing, searching, moving; see text.h.
 */
#include "client/monitor/text.h"

#include "proto/names.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SIDEWAYS = 8, WHEEL = 3, ROW_BYTES = CANVAS_COLS_MAX * 4, NOTE_SIZE = 80 };

/* ---- rows ---- */

struct line { const char *bytes; size_t len; };

/* All lines with the one that tells what was dropped. */
static size_t count_lines(const struct text *text)
{
	return text->line_count + (text->dropped > 0);
}

static struct line line_at(const struct text *text, size_t i, char note[NOTE_SIZE])
{
	if (text->dropped > 0 && i-- == 0) {
		int len = snprintf(note, NOTE_SIZE, "(%llu line%s before this %s no longer kept)",
				   (unsigned long long)text->dropped,
				   text->dropped == 1 ? "" : "s",
				   text->dropped == 1 ? "is" : "are");
		return (struct line){ note, (size_t)len };
	}
	size_t end = i + 1 < text->line_count ? text->lines[i + 1] - 1
		: text->line_open ? text->len : text->len - 1;
	return (struct line){ text->bytes + text->lines[i], end - text->lines[i] };
}

/* The character at `at` of a line: its bytes, and its columns. */
static size_t next_char(const struct text *text, const struct line *line, size_t at, size_t *cols)
{
	const struct canvas like = { .utf8 = text->utf8 };
	uint32_t code;

	*cols = 1;
	if ((unsigned char)line->bytes[at] < 0x80)
		return 1;
	size_t len = utf8_decode(line->bytes + at, line->len - at, &code);
	if (len == 0)
		return 1;
	*cols = (size_t)canvas_char_width(&like, line->bytes + at, len);
	return len;
}

/* Where the wrapped row that begins at `from` ends. */
static size_t end_of_row(const struct text *text, const struct line *line, size_t from)
{
	size_t used = 0, cols, at = from;

	while (at < line->len) {
		size_t len = next_char(text, line, at, &cols);
		if (used + cols > text->width && at > from)
			break;
		used += cols;
		at += len;
	}
	return at;
}

static size_t count_rows(const struct text *text, size_t i)
{
	char note[NOTE_SIZE];
	size_t rows = 0, at = 0;

	if (!text->wrap || text->width == 0)
		return 1;
	struct line line = line_at(text, i, note);
	do {
		at = end_of_row(text, &line, at);
		rows++;
	} while (at < line.len);
	return rows;
}

/* The place from where on the last page is shown. */
static struct text_place last_page(const struct text *text)
{
	size_t rows = 0, i = count_lines(text);

	while (i > 0 && rows < text->height)
		rows += count_rows(text, --i);
	return (struct text_place){ i, rows > text->height ? rows - text->height : 0 };
}

static bool is_behind(struct text_place a, struct text_place b)
{
	return a.line > b.line || (a.line == b.line && a.row > b.row);
}

static void clamp_top(struct text *text)
{
	struct text_place last = last_page(text);

	/* Another width has other rows. */
	if (text->top.row > 0 && text->top.line < last.line) {
		size_t rows = count_rows(text, text->top.line);
		text->top.row = text->top.row < rows ? text->top.row : rows - 1;
	}
	if (text->follow || is_behind(text->top, last))
		text->top = last;
}

static void move_up(struct text *text, size_t rows)
{
	for (; rows > 0 && (text->top.line > 0 || text->top.row > 0); rows--) {
		text->follow = false;
		if (text->top.row > 0) {
			text->top.row--;
			continue;
		}
		text->top.line--;
		text->top.row = count_rows(text, text->top.line) - 1;
	}
}

static void move_down(struct text *text, size_t rows)
{
	struct text_place last = last_page(text);

	for (; rows > 0 && is_behind(last, text->top); rows--) {
		if (++text->top.row >= count_rows(text, text->top.line))
			text->top = (struct text_place){ text->top.line + 1, 0 };
	}
}

/* ---- drawing ---- */

static bool begins_with(const char *bytes, const char *what, size_t len)
{
	return strncasecmp(bytes, what, len) == 0;
}

/* What is searched, made visible in a row that was drawn at col. */
static void mark_finds(const struct text *text, struct canvas *c, int row, int col, int cols,
		       char *shown)
{
	size_t len = strlen(text->search), all = strlen(shown);

	for (size_t i = 0; len > 0 && i + len <= all;) {
		if (!begins_with(shown + i, text->search, len)) {
			i++;
			continue;
		}
		char kept = shown[i], end = shown[i + len];
		shown[i] = '\0';
		int at = canvas_width(c, shown);
		shown[i] = kept;
		shown[i + len] = '\0';
		if (at < cols)
			canvas_put(c, row, col + at, cols - at, STYLE_INPUT, shown + i);
		shown[i + len] = end;
		i += len;
	}
}

/* A stretch of a line, `skip` columns of it left out. */
static void draw_row(const struct text *text, struct canvas *c, int row, int col, int cols,
		     const struct line *line, size_t from, size_t to, size_t skip, bool dim)
{
	char shown[ROW_BYTES + 8];
	size_t used = 0, passed = 0, len = 0, wide;

	while (from < to && passed < skip) {
		from += next_char(text, line, from, &wide);
		passed += wide;
	}
	/* Half of a wide character, and what combines with one that is left out. */
	for (; passed > skip; passed--, used++)
		shown[len++] = ' ';
	while (skip > 0 && from < to) {
		size_t n = next_char(text, line, from, &wide);
		if (wide > 0)
			break;
		from += n;
	}
	while (from < to && used <= (size_t)cols && len < ROW_BYTES) {
		size_t n = next_char(text, line, from, &wide);
		memcpy(shown + len, line->bytes + from, n);
		len += n;
		used += wide;
		from += n;
	}
	shown[len] = '\0';
	canvas_put(c, row, col, cols, dim ? STYLE_DIM : STYLE_PLAIN, shown);
	mark_finds(text, c, row, col, cols, shown);
}

void text_draw(struct text *text, struct canvas *c, int row, int col, int rows, int cols)
{
	char note[NOTE_SIZE];

	text->height = rows > 0 ? (size_t)rows : 0;
	text->width = cols > 0 ? (size_t)cols : 0;
	text->utf8 = c->utf8;
	if (rows <= 0 || cols <= 0)
		return;
	clamp_top(text);
	size_t skip_rows = text->top.row;
	for (size_t i = text->top.line; rows > 0 && i < count_lines(text); i++) {
		struct line line = line_at(text, i, note);
		bool dim = i == 0 && text->dropped > 0;
		if (!text->wrap) {
			draw_row(text, c, row++, col, cols, &line, 0, line.len, text->left, dim);
			rows--;
			continue;
		}
		size_t at = 0;
		do {
			size_t end = end_of_row(text, &line, at);
			if (skip_rows > 0) {
				skip_rows--;
			} else if (rows > 0) {
				draw_row(text, c, row++, col, cols, &line, at, end, 0, dim);
				rows--;
			}
			at = end;
		} while (at < line.len && rows > 0);
	}
}

/* ---- searching ---- */

static bool holds(const struct text *text, size_t i, const char *what, size_t len)
{
	char note[NOTE_SIZE];
	struct line line = line_at(text, i, note);
	int lower = what[0] | 0x20, upper = lower;

	if (lower >= 'a' && lower <= 'z')
		upper = lower - 0x20;
	else
		lower = upper = what[0];
	for (size_t k = 0; k + len <= line.len; k++) {
		char at = line.bytes[k];
		if ((at == (char)lower || at == (char)upper) &&
		    begins_with(line.bytes + k, what, len))
			return true;
	}
	return false;
}

/* Lines one after the other from `first` on, round the end, `count` of them. */
static bool find_line(struct text *text, size_t first, bool backwards, size_t count)
{
	size_t all = count_lines(text), len = strlen(text->search);

	for (size_t n = 0; n < count; n++) {
		size_t i = backwards ? (first + all - n) % all : (first + n) % all;
		if (!holds(text, i, text->search, len))
			continue;
		text->found = i;
		text->has_found = true;
		text->follow = false;
		text->top = (struct text_place){ i, 0 };
		clamp_top(text);
		return true;
	}
	return false;
}

bool text_search(struct text *text, const char *what)
{
	size_t all = count_lines(text);

	text->has_found = false;
	snprintf(text->search, sizeof(text->search), "%s", what);
	if (text->search[0] == '\0' || all == 0)
		return false;
	clamp_top(text);
	return find_line(text, text->top.line, false, all);
}

bool text_search_again(struct text *text, enum intent action)
{
	size_t all = count_lines(text);
	bool backwards = action == ACTION_SEARCH_BEFORE;

	if (text->search[0] == '\0' || all == 0)
		return false;
	clamp_top(text);
	size_t from = text->has_found && text->found < all ? text->found : text->top.line;
	return find_line(text, backwards ? (from + all - 1) % all : (from + 1) % all, backwards,
			 all);
}

/* ---- acting ---- */

static void follow(struct text *text)
{
	text->follow = true;
	text->unseen = 0;
	clamp_top(text);
}

static void change_wrap(struct text *text)
{
	text->wrap = !text->wrap;
	text->top.row = 0;
	clamp_top(text);
}

bool text_act(struct text *text, enum intent action)
{
	size_t page = text->height > 1 ? text->height - 1 : 1;

	clamp_top(text);
	switch (action) {
	case ACTION_UP: move_up(text, 1); return true;
	case ACTION_DOWN: move_down(text, 1); return true;
	case ACTION_WHEEL_UP: move_up(text, WHEEL); return true;
	case ACTION_WHEEL_DOWN: move_down(text, WHEEL); return true;
	case ACTION_PAGE_UP: move_up(text, page); return true;
	case ACTION_PAGE_DOWN: move_down(text, page); return true;
	case ACTION_HOME:
		text->follow = false;
		text->top = (struct text_place){ 0 };
		return true;
	case ACTION_END:
	case ACTION_FOLLOW: follow(text); return true;
	case ACTION_WRAP: change_wrap(text); return true;
	case ACTION_SEARCH_NEXT:
	case ACTION_SEARCH_BEFORE: text_search_again(text, action); return true;
	case ACTION_LEFT:
		if (text->wrap)
			return false;
		text->left = text->left > SIDEWAYS ? text->left - SIDEWAYS : 0;
		return true;
	case ACTION_RIGHT:
		if (text->wrap)
			return false;
		if (text->left < TEXT_LINE_MAX)
			text->left += SIDEWAYS;
		return true;
	default: return false;
	}
}
