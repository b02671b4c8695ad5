/*
 * palette.c - see palette.h.
 */
#include "client/monitor/palette.h"

#include <assert.h>

/* Names that fit a table. */
enum {
	D = LOOK_DEFAULT, R = LOOK_RED, G = LOOK_GREEN, Y = LOOK_YELLOW, M = LOOK_MAGENTA,
	C = LOOK_CYAN,
	BO = LOOK_BOLD, DI = LOOK_DIM, UN = LOOK_UNDERLINE, RV = LOOK_REVERSE,
};

#define STATE(name) [STYLE_STATE + JOBSTATE_##name]

/* In the order of enum palette: default, light background, high contrast, mono. */
static const struct look looks[STYLE_COUNT][PALETTE_COUNT] = {
	STATE(FAILED) = { { R, 0 }, { R, BO }, { R, BO | RV }, { D, RV } },
	STATE(KILLED) = { { M, 0 }, { M, BO }, { M, BO | RV }, { D, RV } },
	STATE(TIMEOUT) = { { M, 0 }, { M, BO }, { M, BO | RV }, { D, RV } },
	STATE(LOST) = { { R, 0 }, { R, BO }, { R, BO | RV }, { D, RV } },
	STATE(UNKNOWN) = { { Y, 0 }, { M, UN }, { Y, BO | RV }, { D, UN } },
	STATE(RETRY) = { { Y, BO }, { M, BO }, { Y, BO }, { D, BO } },
	STATE(RUNNING) = { { G, BO }, { D, BO }, { G, BO }, { D, BO } },
	STATE(STARTING) = { { G, 0 }, { D, BO }, { G, BO }, { D, BO } },
	STATE(QUEUED) = { { C, 0 }, { D, 0 }, { C, BO }, { D, 0 } },
	STATE(HELD) = { { Y, 0 }, { D, UN }, { Y, BO | UN }, { D, UN } },
	STATE(WAITING) = { { D, 0 }, { D, 0 }, { D, BO }, { D, 0 } },
	STATE(ICED) = { { C, DI }, { D, DI }, { C, 0 }, { D, DI } },
	STATE(MISSED) = { { Y, 0 }, { M, UN }, { Y, BO | RV }, { D, UN } },
	STATE(EXPIRED) = { { Y, 0 }, { M, UN }, { Y, BO | RV }, { D, UN } },
	STATE(SKIPPED) = { { D, DI }, { D, DI }, { D, 0 }, { D, DI } },
	STATE(CANCELLED) = { { D, DI }, { D, DI }, { D, 0 }, { D, DI } },
	STATE(SUCCESS) = { { D, DI }, { D, DI }, { D, 0 }, { D, DI } },
	STATE(IDLE) = { { D, DI }, { D, DI }, { D, 0 }, { D, DI } },
	[STYLE_PLAIN] = { { D, 0 }, { D, 0 }, { D, 0 }, { D, 0 } },
	[STYLE_DIM] = { { D, DI }, { D, DI }, { D, 0 }, { D, DI } },
	[STYLE_BOLD] = { { D, BO }, { D, BO }, { D, BO }, { D, BO } },
	[STYLE_GOOD] = { { G, 0 }, { D, BO }, { G, BO }, { D, 0 } },
	[STYLE_BAD] = { { R, BO }, { R, BO }, { R, BO | RV }, { D, RV } },
	[STYLE_WARN] = { { Y, 0 }, { M, BO }, { Y, BO }, { D, UN } },
	[STYLE_HEADER] = { { D, BO }, { D, BO }, { D, BO }, { D, BO } },
	[STYLE_ALERT] = { { D, BO | RV }, { D, BO | RV }, { D, BO | RV }, { D, BO | RV } },
	[STYLE_TAB] = { { D, BO }, { D, BO }, { D, BO | RV }, { D, BO } },
	[STYLE_TITLE] = { { C, 0 }, { D, UN }, { D, BO | UN }, { D, BO } },
	[STYLE_KEY] = { { C, BO }, { D, BO }, { C, BO }, { D, BO } },
	[STYLE_INPUT] = { { D, UN }, { D, UN }, { D, BO | UN }, { D, UN } },
};

/* Dim letters in reverse are hard to read, bold and underline are left to tell a cell that is
 * reverse by itself. */
static struct look select_look(struct look look)
{
	unsigned char marks = look.flags & LOOK_REVERSE ? LOOK_BOLD | LOOK_UNDERLINE : 0;

	look.flags = (unsigned char)((look.flags & ~LOOK_DIM) | LOOK_REVERSE | marks);
	return look;
}

struct look palette_look(enum palette palette, const struct cell *cell)
{
	assert(cell->style < STYLE_COUNT && palette < PALETTE_COUNT);
	struct look look = looks[cell->style][palette];

	if (cell->stale && palette != PALETTE_CONTRAST)
		look.flags = (unsigned char)((look.flags & ~LOOK_BOLD) | LOOK_DIM);
	return cell->selected ? select_look(look) : look;
}

struct look palette_warning(enum palette palette)
{
	if (palette == PALETTE_MONO)
		return (struct look){ LOOK_DEFAULT, LOOK_BOLD | LOOK_REVERSE };
	return (struct look){ LOOK_ON_RED, LOOK_BOLD };
}
