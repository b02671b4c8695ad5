/*
 * rescue.h - signals of a program that has the terminal in modes of its own.
 *
 * Those that ask for something (end, size, stop, go on) are noted, and a descriptor becomes
 * readable; what they ask for is done in the turn of the loop. Deadly ones write the bytes that
 * were prepared, set the modes of before and hand on to the handler that was there before.
 *
 * Invariants
 * 1. Handlers make async-signal-safe calls alone, and write nothing while the terminal is not ours.
 * 2. A signal that was ignored when we came (nohup, no job control) stays ignored.
 * 3. The exit status after a deadly signal is that of the signal.
 */
#ifndef CHIME_CLIENT_MONITOR_RESCUE_H
#define CHIME_CLIENT_MONITOR_RESCUE_H

#include <signal.h>
#include <stdbool.h>
#include <termios.h>

/* Written by handlers; whoever obeys sets it back to 0. */
struct rescue_notes {
	volatile sig_atomic_t ended;		/* SIGTERM, SIGHUP, SIGINT */
	volatile sig_atomic_t resized, stopped, continued;
};

extern struct rescue_notes rescue_notes;

/* Forgets what was prepared for an earlier terminal. */
void rescue_clear(void);

/* Adds to what is written at a deadly signal; without the padding $<5> of terminal descriptions.
 * NULL, and what does not fit, is nothing. */
void rescue_add(const char *text);

/* Takes the signals; the modes are those to go back to. 0 or -errno (no descriptor left). */
int rescue_take(const struct termios *before);
void rescue_give_back(void);

/* Whether the terminal is ours now. When not, SIGTSTP does what it did before us, and SIGINT is
 * meant for the child that has the terminal. */
void rescue_set_active(bool active);
bool rescue_active(void);

/* Readable after a signal; -1 = not taken. */
int rescue_fd(void);
/* Makes it unreadable. */
void rescue_drain(void);

#endif
