/*
 * screen.h - the terminal: ncurses and nothing else of the monitor.
 *
 *	closed -> screen_open -> (screen_key | screen_draw | screen_resized)* -> screen_close
 *
 * Invariants
 * 1. However the program ends (return, exit, a deadly signal, SIGTERM, SIGHUP), the terminal gets
 *    back its modes, its cursor and its main page: the handlers of deadly signals restore with
 *    what was prepared at the opening, by async-signal-safe calls alone, and die of the signal.
 * 2. Letters carry the meaning; colours and attributes (palette.h) only repeat it.
 * 3. A key sequence nobody knows is one PRESS_OTHER, never the letters in it; pasted text is no
 *    command: it is dropped unless somebody is typing.
 * 4. Without colours (NO_COLOR, --color never, a TERM without them) states differ by bold, dim,
 *    underline and reverse.
 */
#ifndef CHIME_CLIENT_MONITOR_SCREEN_H
#define CHIME_CLIENT_MONITOR_SCREEN_H

#include "client/monitor/canvas.h"
#include "client/monitor/palette.h"
#include "client/say.h"

/* Keys beyond characters; a character is its Unicode number. All are above every character. */
enum key {
	KEY_NONE = 0,
	PRESS_TAB = 9,
	PRESS_ENTER = 13,
	PRESS_ESCAPE = 27,
	PRESS_CTRL_C = 3,
	PRESS_CTRL_L = 12,
	PRESS_CTRL_U = 21,
	PRESS_CTRL_W = 23,
	PRESS_BACKSPACE = 0x200000,
	PRESS_UP, PRESS_DOWN, PRESS_LEFT, PRESS_RIGHT,
	PRESS_PAGE_UP, PRESS_PAGE_DOWN, PRESS_HOME, PRESS_END,
	PRESS_DELETE, PRESS_SHIFT_TAB,
	PRESS_F1, PRESS_F2, PRESS_F3, PRESS_F4, PRESS_F5, PRESS_F6, PRESS_F7, PRESS_F8,
	PRESS_F9, PRESS_F10,
	PRESS_WHEEL_UP, PRESS_WHEEL_DOWN,
	PRESS_CLICK,			/* see screen_click */
	PRESS_OTHER,			/* a key nobody has a use for */
};

struct screen_options {
	bool color;			/* may be used at all */
	bool ascii;			/* no glyphs beyond ASCII */
	bool mouse;
	bool header_red;		/* the environment's header in red */
};

/* The terminal of stdin and stdout. 0, or EXIT_USAGE with *t: no terminal, or its TERM unknown. */
int screen_open(const struct screen_options *options, struct trouble *t);

/* Idempotent. */
void screen_close(void);

/* The size now, each >= 1. */
void screen_size(int *rows, int *cols);

/* Whether glyphs beyond ASCII may be drawn: UTF-8 codeset, not a terminal known to lack them. */
bool screen_utf8(void);

/* Shows the canvas; only what differs is sent. */
void screen_draw(const struct canvas *c);
/* Sends everything at the next draw (Ctrl-L, after a child had the terminal). */
void screen_redraw(void);

/* The next key without waiting, KEY_NONE = none. A lone Esc takes up to ESCDELAY (25 ms) to be
 * told from a sequence. A broken character is PRESS_OTHER. Here too the process stops for Ctrl-Z
 * and comes back. To be called until KEY_NONE before waiting on stdin. */
int screen_key(void);
/* Somebody is typing a text: what is pasted comes as characters, its control characters are
 * dropped. Otherwise all of it is. */
void screen_set_typing(bool on);
/* Where the last PRESS_CLICK was. */
void screen_click(int *row, int *col);

/* True once after the size has changed. */
bool screen_resized(void);
/* The signal (TERM, HUP, INT) that asked for the end, 0 = none; handlers only note it. */
int screen_ended(void);
/* Readable when a signal has come: to be waited for beside stdin. screen_key and screen_resized
 * make it unreadable. -1 = closed. */
int screen_wake_fd(void);

void screen_set_mouse(bool on);
/* A terminal that may not have colours stays PALETTE_MONO. */
void screen_set_palette(enum palette palette);
enum palette screen_palette(void);
void screen_set_ascii(bool ascii);
void screen_bell(void);

/* Puts a text into the terminal's clipboard (OSC 52), where the terminal has one. Its bytes
 * are sent as base64: nothing in it can control the terminal. */
void screen_copy(const char *text);

/* Gives the terminal away for a child ($PAGER), and takes it back. */
void screen_suspend(void);
void screen_resume(void);

#endif
