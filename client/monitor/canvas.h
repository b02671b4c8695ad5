/*
 * canvas.h - the picture a view draws: a grid of cells, each with a character and a style. What it
 * looks like on a terminal is the screen's business (screen.h), so views are tested as text.
 *
 * Invariants
 * 1. Whatever is put: no control character, no broken UTF-8 and no bidirectional override gets
 *    into a cell (they become "?", as one column each).
 * 2. Nothing is written outside the grid or across the given width; a wide character that does
 *    not fit whole is a blank.
 * 3. Without utf8 every cell is ASCII: other characters become "?", frames + - |.
 */
#ifndef CHIME_CLIENT_MONITOR_CANVAS_H
#define CHIME_CLIENT_MONITOR_CANVAS_H

#include "client/jobstate.h"

#include <stdbool.h>
#include <stddef.h>

/* What a cell means; palette.c says how that looks in colour and without. The first ones are the
 * states of jobs, so that a state is its own style. */
enum style {
	STYLE_STATE,			/* + enum jobstate */
	STYLE_PLAIN = STYLE_STATE + JOBSTATE_COUNT,
	STYLE_DIM,			/* less important: never grey on black */
	STYLE_BOLD,
	STYLE_GOOD,			/* "ok", LIVE */
	STYLE_BAD,			/* "NO", NO LINK, LOST */
	STYLE_WARN,			/* "??", LATE, age */
	STYLE_HEADER,			/* the first line; coloured where the environment says so */
	STYLE_ALERT,			/* in reverse: NO LINK, a filter that hides trouble */
	STYLE_TAB,			/* the open view in the line of views */
	STYLE_TITLE,			/* column heads, headings */
	STYLE_KEY,			/* a key in the key line */
	STYLE_INPUT,			/* what is being typed */
	STYLE_COUNT
};

enum {
	CELL_BYTES = 7,
	CANVAS_ROWS_MAX = 1000,		/* terminals say what they like */
	CANVAS_COLS_MAX = 2000,
};

/* Glyphs of frames; a terminal has utf8 only when each of them takes one column. */
#define CANVAS_HORIZONTAL "\xe2\x94\x80"
#define CANVAS_VERTICAL "\xe2\x94\x82"
#define CANVAS_TOP_LEFT "\xe2\x94\x8c"
#define CANVAS_TOP_RIGHT "\xe2\x94\x90"
#define CANVAS_BOTTOM_LEFT "\xe2\x94\x94"
#define CANVAS_BOTTOM_RIGHT "\xe2\x94\x98"
#define CANVAS_GLYPHS CANVAS_HORIZONTAL CANVAS_VERTICAL CANVAS_TOP_LEFT CANVAS_TOP_RIGHT \
	CANVAS_BOTTOM_LEFT CANVAS_BOTTOM_RIGHT

struct cell {
	char text[CELL_BYTES];		/* one character with its combining ones; "" = the second
					 * column of a wide one */
	unsigned char style;		/* enum style */
	bool selected;			/* the row under the cursor: drawn reverse */
	bool stale;			/* known from before the link was lost: drawn dim */
};

struct canvas {
	int rows, cols;			/* >= 1 */
	bool utf8;
	struct cell *cells;		/* rows * cols */
	int cursor_row, cursor_col;	/* where the terminal's cursor is shown; -1 = nowhere */
};

void canvas_init(struct canvas *c, int rows, int cols, bool utf8);
void canvas_fini(struct canvas *c);

/* Another size; all cells are blank then. */
void canvas_resize(struct canvas *c, int rows, int cols);
void canvas_clear(struct canvas *c);

/* Puts a text at (row, col), at most `width` columns of it (< 0 = to the edge). Rows and columns
 * outside are allowed and draw nothing. Returns the columns used. */
int canvas_put(struct canvas *c, int row, int col, int width, enum style style, const char *text);
int canvas_print(struct canvas *c, int row, int col, int width, enum style style,
		 const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The same, its end at column `end` (exclusive), cut on the left when longer than width. */
int canvas_put_right(struct canvas *c, int row, int end, int width, enum style style,
		     const char *text);

/* The same, but a text that is too long loses its middle: "eod/load~ons@db1". */
int canvas_put_middle(struct canvas *c, int row, int col, int width, enum style style,
		      const char *text);

/* Fills with blanks of a style. */
void canvas_fill(struct canvas *c, int row, int col, int rows, int cols, enum style style);

/* Marks a row (from col, `cols` wide) as selected or stale, whatever is in it. */
void canvas_select(struct canvas *c, int row, int col, int cols);
void canvas_make_stale(struct canvas *c, int row, int col, int cols);

/* A frame with a title in its upper edge, blank inside. */
void canvas_box(struct canvas *c, int row, int col, int rows, int cols, const char *title);
/* A horizontal line. */
void canvas_line(struct canvas *c, int row, int col, int cols);

/* Columns a text takes here, after what invariants 1 and 3 make of it. */
int canvas_width(const struct canvas *c, const char *text);

/* Columns that one more character takes behind others: 0 when it combines. `len`: of its bytes. */
int canvas_char_width(const struct canvas *c, const char *bytes, size_t len);

/* A row as UTF-8 text without trailing blanks, for tests; out is always ended. */
void canvas_text(const struct canvas *c, int row, char *out, size_t size);

#endif
