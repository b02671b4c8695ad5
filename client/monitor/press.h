/*
 * press.h - from the bytes and key codes of a terminal to one key at a time (enum key of screen.h).
 *
 *	ESC alone		PRESS_ESCAPE
 *	ESC character		PRESS_OTHER (Alt)
 *	ESC [ parameters final	a key of the common terminals, or PRESS_OTHER
 *	ESC O character		the same
 *	ESC ] P X ^ _ text ST	an answer of the terminal: PRESS_OTHER
 *	ESC [ 200 ~ text ESC [ 201 ~	pasted text
 *
 * Invariants
 * 1. A sequence is one key, known or not: its letters are never keys of their own.
 * 2. Pasted text is dropped; while typing its characters are handed on, control characters and
 *    keys in it are not.
 *
 * Pure: bytes come from a function.
 */
#ifndef CHIME_CLIENT_MONITOR_PRESS_H
#define CHIME_CLIENT_MONITOR_PRESS_H

#include <stdbool.h>

enum { PRESS_NO_CODE = -1 };

struct press {
	/* The next byte (0-255) or a key the terminal's description knows (PRESS_UP ...), waiting
	 * at most so long; PRESS_NO_CODE = none. */
	int (*read)(void *arg, int wait_ms);
	void *arg;
	bool utf8;
	bool typing;
	bool pasting;
	int pending;			/* a code read too far; PRESS_NO_CODE = none */
};

void press_init(struct press *press, int (*read)(void *arg, int wait_ms), void *arg, bool utf8);

/* The next key, KEY_NONE = nothing is there. A paste comes in pieces: after some thousand dropped
 * characters this returns PRESS_OTHER, so that it never takes long. */
int press_next(struct press *press);

#endif
