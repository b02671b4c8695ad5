/*
 * render.c - a picture of a terminal's screen: text with SGR in, SVG out.
 *
 *	render [TITLE] < SCREEN > SVG
 *
 * SCREEN is what `tmux capture-pane -epN` prints. Known are bold, dim, underline, reverse, the
 * eight colours and their bright ones, in front and behind, and the defaults; other sequences are
 * left out. Every word is put at the place of its cell, so a character of another width shifts
 * nothing.
 */
#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { ROWS_MAX = 200, COLS_MAX = 400, FRONT = -1, BACK = -2, MARGIN = 12 };

#define CELL_WIDTH 9.632
#define CELL_HEIGHT 18.6
#define BASELINE 14.9

struct pen {
	int front, back;		/* 0-7, or FRONT and BACK of the terminal */
	bool bold, dim, underline, reverse;
};

struct cell { wchar_t text[4]; int used, width; struct pen pen; };	/* width 0: second half */

struct picture { struct cell cells[ROWS_MAX][COLS_MAX]; int rows, cols; };

static const struct pen plain = { .front = FRONT, .back = BACK };

static const char *color_value(int color)
{
	static const char *const values[] = {
		"#2e3436", "#f27878", "#8fcb79", "#e8c36a", "#7fa8e8", "#d996e8", "#6cc7d2", "#e6e9ec",
	};

	return color == FRONT ? "#d3d8dd" : color == BACK ? "#1b1e23" : values[color];
}

static void set_pen(struct pen *pen, int number)
{
	switch (number) {
	case 0: *pen = plain; break;
	case 1: pen->bold = true; break;
	case 2: pen->dim = true; break;
	case 4: pen->underline = true; break;
	case 7: pen->reverse = true; break;
	case 22: pen->bold = pen->dim = false; break;
	case 24: pen->underline = false; break;
	case 27: pen->reverse = false; break;
	case 39: pen->front = FRONT; break;
	case 49: pen->back = BACK; break;
	default:
		if ((number >= 30 && number <= 37) || (number >= 90 && number <= 97))
			pen->front = number % 10;
		else if ((number >= 40 && number <= 47) || (number >= 100 && number <= 107))
			pen->back = number % 10;
	}
}

/* After ESC: an SGR changes the pen, anything else is read over. */
static void read_sequence(struct pen *pen)
{
	char text[64];
	size_t used = 0;
	wint_t c = getwchar();

	if (c != L'[') {
		if (c == L'(' || c == L')')
			getwchar();
		return;
	}
	for (c = getwchar(); c != WEOF && (c < 0x40 || c > 0x7e); c = getwchar()) {
		if (used < sizeof(text) - 1)
			text[used++] = (char)c;
	}
	text[used] = '\0';
	if (c != L'm')
		return;
	char *end = text;
	for (const char *p = text;; p = end + 1) {
		set_pen(pen, (int)strtol(p, &end, 10));
		if (*end != ';')
			break;
	}
}

static void put_character(struct picture *p, int row, int *col, wchar_t c, const struct pen *pen)
{
	int width = wcwidth(c);

	if (width == 0 && *col > 0) {
		struct cell *before = &p->cells[row][*col - 1];
		before -= before->width == 0 && *col > 1;
		if (before->used < 3)
			before->text[before->used++] = c;
		return;
	}
	if (width < 1 || *col + width > COLS_MAX)
		return;
	p->cells[row][*col] = (struct cell){ { c }, 1, width, *pen };
	if (width == 2)
		p->cells[row][*col + 1] = (struct cell){ { 0 }, 0, 0, *pen };
	*col += width;
	if (*col > p->cols)
		p->cols = *col;
}

static void read_picture(struct picture *p)
{
	struct pen pen = plain;
	int row = 0, col = 0;

	for (wint_t c = getwchar(); c != WEOF && row < ROWS_MAX; c = getwchar()) {
		if (c == L'\n') {
			p->rows = ++row;
			col = 0;
		} else if (c == L'\033') {
			read_sequence(&pen);
		} else {
			put_character(p, row, &col, (wchar_t)c, &pen);
		}
	}
	if (col > 0)
		p->rows = row + 1;
}

/* ---- drawing ---- */

static bool same_pen(const struct pen *a, const struct pen *b)
{
	return a->front == b->front && a->back == b->back && a->bold == b->bold &&
	       a->dim == b->dim && a->underline == b->underline && a->reverse == b->reverse;
}

static double at_col(int col)
{
	return MARGIN + col * CELL_WIDTH;
}

static double at_row(int row)
{
	return MARGIN + row * CELL_HEIGHT;
}

static void print_character(wchar_t c)
{
	switch (c) {
	case L'&': fputs("&amp;", stdout); break;
	case L'<': fputs("&lt;", stdout); break;
	case L'>': fputs("&gt;", stdout); break;
	default: printf("%lc", (wint_t)c);
	}
}

/* Whole pixels: no seams between neighbours. */
static void draw_rectangle(double left, double top, double right, double bottom, int color)
{
	printf("<rect x=\"%ld\" y=\"%ld\" width=\"%ld\" height=\"%ld\" fill=\"%s\"/>\n",
	       lround(left), lround(top), lround(right) - lround(left),
	       lround(bottom) - lround(top), color_value(color));
}

static void draw_word(const struct cell *cells, int row, int from, int to, int color)
{
	const struct pen *pen = &cells[from].pen;

	printf("<text x=\"%.2f\" y=\"%.2f\" fill=\"%s\"%s%s>", at_col(from), at_row(row) + BASELINE,
	       color_value(color), pen->bold ? " font-weight=\"bold\"" : "",
	       pen->dim && !pen->reverse ? " fill-opacity=\"0.62\"" : "");
	for (int i = from; i < to; i++) {
		for (int k = 0; k < cells[i].used; k++)
			print_character(cells[i].text[k]);
	}
	fputs("</text>\n", stdout);
}

/* A word is of characters that are as wide as those of the font: others are one each. */
static bool stands_alone(const struct cell *cell)
{
	return cell->width != 1 || cell->used > 1;
}

static void draw_letters(const struct cell *cells, int row, int from, int to, int color)
{
	for (int i = from, end; i < to; i = end) {
		end = i + (cells[i].width > 0 ? cells[i].width : 1);
		if (cells[i].text[0] == L' ' || cells[i].used == 0)
			continue;
		while (!stands_alone(&cells[i]) && end < to && cells[end].text[0] != L' ' &&
		       !stands_alone(&cells[end]))
			end++;
		draw_word(cells, row, i, end, color);
	}
}

static void draw_run(const struct cell *cells, int row, int from, int to)
{
	const struct pen *pen = &cells[from].pen;
	int front = pen->reverse ? pen->back : pen->front;
	int back = pen->reverse ? pen->front : pen->back;

	if (back != BACK)
		draw_rectangle(at_col(from), at_row(row), at_col(to), at_row(row + 1), back);
	draw_letters(cells, row, from, to, front);
	if (pen->underline)
		draw_rectangle(at_col(from), at_row(row) + BASELINE + 2, at_col(to),
			       at_row(row) + BASELINE + 3, front);
}

static void print_svg(const struct picture *p, const char *title)
{
	double width = p->cols * CELL_WIDTH + 2 * MARGIN;
	double height = p->rows * CELL_HEIGHT + 2 * MARGIN;

	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
	       "font-family=\"DejaVu Sans Mono, monospace\" font-size=\"16\" "
	       "xml:space=\"preserve\">\n<title>", width, height);
	for (const char *c = title; *c != '\0'; c++)
		print_character((wchar_t)(isprint((unsigned char)*c) ? *c : '?'));
	printf("</title>\n<rect width=\"%.0f\" height=\"%.0f\" rx=\"6\" fill=\"%s\"/>\n", width,
	       height, color_value(BACK));
	for (int row = 0; row < p->rows; row++) {
		const struct cell *cells = p->cells[row];
		for (int from = 0, to; from < p->cols && cells[from].used > 0; from = to) {
			to = from + cells[from].width;
			while (to < p->cols && cells[to].used > 0 &&
			       same_pen(&cells[to].pen, &cells[from].pen))
				to += cells[to].width;
			draw_run(cells, row, from, to);
		}
	}
	puts("</svg>");
}

int main(int argc, char **argv)
{
	static struct picture picture;

	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL && setlocale(LC_CTYPE, "") == NULL)
		return 1;
	picture.cols = 20;
	read_picture(&picture);
	print_svg(&picture, argc > 1 ? argv[1] : "a terminal");
	return ferror(stdin) || ferror(stdout) ? 1 : 0;
}
