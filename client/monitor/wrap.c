/*
 * wrap.c - see wrap.h.
 */
#include "client/monitor/wrap.h"

#include "proto/names.h"

#include <stdint.h>
#include <string.h>

size_t wrap_fit(const struct canvas *c, const char *text, int cols)
{
	size_t at = 0;
	int used = 0;

	/* The text may be long: only what fits is looked at. */
	while (text[at] != '\0') {
		uint32_t code;
		size_t n = utf8_decode(text + at, strnlen(text + at, 4), &code);
		n = n > 0 ? n : 1;
		used += canvas_char_width(c, text + at, n);
		if (at > 0 && used > cols)
			break;
		at += n;
	}
	return at;
}

size_t wrap_measure(const struct canvas *c, const char *text, int cols)
{
	size_t fit = wrap_fit(c, text, cols);

	if (text[fit] == '\0')
		return fit;
	for (size_t i = fit; i > 0; i--) {
		if (text[i] == ' ')
			return i;
	}
	return fit;
}

/* What goes on after a break. */
static const char *skip_row(const char *text, size_t len)
{
	return text + len + strspn(text + len, " ");
}

int wrap_rows(const struct canvas *c, int cols, const char *text)
{
	int rows = 0;

	for (; *text != '\0'; rows++)
		text = skip_row(text, wrap_measure(c, text, cols));
	return rows;
}

int wrap_put(struct canvas *c, int row, int col, int rows, int cols, enum style style,
	     const char *text)
{
	int used = 0;

	for (; *text != '\0' && used < rows; used++) {
		size_t n = wrap_measure(c, text, cols);
		bool cut = used == rows - 1 && text[n] != '\0';
		/* A row that is cut is filled to its end. */
		canvas_print(c, row + used, col, cols, style, "%.*s",
			     (int)(cut ? strlen(text) : n), text);
		if (cut)
			canvas_put(c, row + used, col + cols - 1, 1, style, ">");
		text = skip_row(text, n);
	}
	return used;
}
