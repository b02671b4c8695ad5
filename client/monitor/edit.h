/*
 * edit.h - one line being typed: the filter, a command, a reason, a search.
 */
#ifndef CHIME_CLIENT_MONITOR_EDIT_H
#define CHIME_CLIENT_MONITOR_EDIT_H

#include "client/monitor/canvas.h"

#include <stdbool.h>
#include <stddef.h>

enum { EDIT_SIZE = 256 };

struct edit {
	char text[EDIT_SIZE];		/* UTF-8, no control characters */
	size_t len, at;			/* bytes; at = where the cursor stands */
	size_t limit;			/* most bytes, < EDIT_SIZE */
};

void edit_begin(struct edit *edit, const char *text, size_t limit);

/* Characters, Backspace, Delete, Left, Right, Home, End, Ctrl-U, Ctrl-W. True when the key was one
 * of them (whether or not it changed anything); Enter, Esc, Tab, Up, Down are the caller's. */
bool edit_key(struct edit *edit, int key);

/* Draws prompt and text, scrolled so that the cursor is seen, and sets the canvas' cursor. */
void edit_draw(const struct edit *edit, struct canvas *c, int row, int col, int width,
	       const char *prompt);

#endif
