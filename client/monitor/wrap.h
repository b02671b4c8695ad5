/*
 * wrap.h - texts over several rows, broken between words where that is possible.
 */
#ifndef CHIME_CLIENT_MONITOR_WRAP_H
#define CHIME_CLIENT_MONITOR_WRAP_H

#include "client/monitor/canvas.h"

#include <stddef.h>

/* Bytes of a text that fit into so many columns, wherever that is; at least one character. */
size_t wrap_fit(const struct canvas *c, const char *text, int cols);
/* The same, but ending before the last blank that fits when the text goes on; anywhere when there
 * is none. */
size_t wrap_measure(const struct canvas *c, const char *text, int cols);

/* Draws a text over up to `rows` rows; what does not fit ends in ">". Returns the rows used. */
int wrap_put(struct canvas *c, int row, int col, int rows, int cols, enum style style,
	     const char *text);
/* How many rows that takes, as many as it needs. */
int wrap_rows(const struct canvas *c, int cols, const char *text);

#endif
