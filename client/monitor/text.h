/*
 * text.h - lines of text that are scrolled, searched, wrapped and followed: a run's output, an
 * answer to why, what a command said.
 *
 * Invariants
 * 1. Bytes come as they are, cut anywhere; what is kept is clean: SGR sequences (and those that
 *    erase a line, which are obeyed) are dropped whole, other control characters, broken UTF-8
 *    and bidirectional overrides are "?" for each byte or character; CR before LF is
 *    dropped, after a lone CR what comes replaces the same columns as on a terminal and the rest
 *    stays, tabs are blanks up to the next eighth column.
 * 2. At most TEXT_BYTES in TEXT_LINES lines are kept: the oldest lines go, a quarter of what is
 *    kept at a time, told as the first line. A line longer than TEXT_LINE_MAX is broken.
 * 3. Following, the end stays in sight; scrolling up pauses it and counts what comes meanwhile.
 * 4. Adding costs the length of what is added (and of the line, behind a CR); drawing and moving
 *    cost what is on the screen.
 */
#ifndef CHIME_CLIENT_MONITOR_TEXT_H
#define CHIME_CLIENT_MONITOR_TEXT_H

#include "client/monitor/canvas.h"
#include "client/monitor/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TEXT_BYTES = 16 << 20,
	TEXT_LINES = 2 << 20,
	TEXT_LINE_MAX = 64 << 10,
	TEXT_SEARCH_SIZE = 128,
	TEXT_PARTIAL_SIZE = 64,
};

/* A place: a line (counted with the one that tells what was dropped) and, wrapped, a row of it. */
struct text_place { size_t line, row; };

struct text {
	char *bytes;			/* cleaned, lines ended by \n but for an open last one */
	size_t len, room;
	size_t *lines;			/* where each begins */
	size_t line_count, line_room;
	uint64_t dropped;		/* lines that went */
	bool begins_later;		/* Home loads what was before: set by its owner */
	char partial[TEXT_PARTIAL_SIZE];	/* a character or sequence without its end yet */
	size_t partial_len;
	bool in_escape, line_open;
	size_t cursor, open_cols;	/* in the open line, bytes and columns: CR goes back */
	struct text_place top;		/* first row shown */
	size_t left;			/* columns scrolled to the right */
	bool wrap, follow;
	size_t unseen;			/* lines that came while paused */
	char search[TEXT_SEARCH_SIZE];	/* "" = nothing is searched */
	size_t found;			/* line of the last find, counted as top is */
	bool has_found;
	size_t height, width;		/* of the last draw */
	bool utf8;
};

void text_init(struct text *text);
void text_fini(struct text *text);
/* Forgets the lines; wrap, follow, left and what is searched stay. */
void text_clear(struct text *text);
void text_add(struct text *text, const void *data, size_t len);
void text_print(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));	/* a line of its own, with its \n */
/* What ended without a newline is a line now. */
void text_end(struct text *text);

/* Lines that ever were, those that went included. */
uint64_t text_total(const struct text *text);

void text_draw(struct text *text, struct canvas *c, int row, int col, int rows, int cols);

/* Moving, LEFT and RIGHT (not while wrapped), FOLLOW, WRAP, SEARCH_NEXT, SEARCH_BEFORE. True when
 * it was one of these. */
bool text_act(struct text *text, enum intent action);

/* Goes to the next line, from the first one shown on and then from the beginning, that holds it
 * (any case of ASCII); false = none. "" ends searching. */
bool text_search(struct text *text, const char *what);
/* SEARCH_NEXT or SEARCH_BEFORE: the next line that holds it, round the ends; false = none. */
bool text_search_again(struct text *text, enum intent action);

#endif
