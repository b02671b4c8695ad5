/*
 * palette.h - how a style looks: four tables, from a style to a colour and attributes.
 *
 * Invariants
 * 1. Eight colours on the terminal's own background; never blue, never dark grey, nothing that is
 *    bold and black.
 * 2. PALETTE_MONO has no colour at all. In it, and for a cell alone, every state that needs
 *    somebody can be told from one that does not.
 * 3. A selected cell is reverse, and differs from the same cell not selected in every palette.
 *
 * Pure.
 */
#ifndef CHIME_CLIENT_MONITOR_PALETTE_H
#define CHIME_CLIENT_MONITOR_PALETTE_H

#include "client/monitor/canvas.h"

enum palette { PALETTE_DEFAULT, PALETTE_LIGHT, PALETTE_CONTRAST, PALETTE_MONO, PALETTE_COUNT };

/* In the order of terminals, so that the number is the colour's. */
enum look_color {
	LOOK_DEFAULT = -1,
	LOOK_RED = 1, LOOK_GREEN, LOOK_YELLOW,
	LOOK_MAGENTA = 5, LOOK_CYAN,
	LOOK_ON_RED = 8,		/* white on red: the header of an environment like PROD */
};

enum look_flag { LOOK_BOLD = 1, LOOK_DIM = 2, LOOK_UNDERLINE = 4, LOOK_REVERSE = 8 };

struct look {
	signed char color;		/* enum look_color */
	unsigned char flags;		/* enum look_flag */
};

struct look palette_look(enum palette palette, const struct cell *cell);

/* The header of an environment that warns of itself. */
struct look palette_warning(enum palette palette);

#endif
