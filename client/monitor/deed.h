/*
 * deed.h - acting from the monitor: the menu behind `a`, the dialog that shows what would happen,
 * and the answer.
 *
 *	CLOSED -a-> MENU -letter-> ASKING -dry answer-> REASON (force) -Enter/Tab-> CONFIRM or COUNT
 *	                              |             \-> CONFIRM (one target), COUNT (several)
 *	                              \-nothing of it may be done-> REFUSED
 *	CONFIRM, COUNT -Tab-> REASON -Enter/Tab-> back
 *	CONFIRM -y-> DOING -answer-> CLOSED, told in the status line and in the messages
 *	COUNT -the number, then y-> DOING
 *	Esc anywhere -> CLOSED; nothing was done, but in DOING: then the answer is still told
 *
 * Invariants
 * 1. The only place that gives an order with ORDER_ACT and not dry is the answer `y` in CONFIRM,
 *    or the typed number of targets in COUNT followed by y.
 * 2. Enter never confirms.
 * 3. Targets are those that the dialog showed: a tag or a cursor that moves later changes nothing;
 *    a kill goes to the runs that were shown.
 * 4. Without a link, or read-only, the menu opens and tells why nothing may be done.
 * 5. On a screen below DEED_ROWS_MIN x DEED_COLS_MIN nothing can be confirmed: it can't be shown.
 *    Neither can what was not drawn yet: keys that were typed ahead answer no question.
 */
#ifndef CHIME_CLIENT_MONITOR_DEED_H
#define CHIME_CLIENT_MONITOR_DEED_H

#include "client/act.h"
#include "client/monitor/canvas.h"
#include "client/monitor/edit.h"
#include "client/monitor/moment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEED_ROWS_MIN = 6, DEED_COLS_MIN = 20, DEED_PENDING_MAX = 16 };

struct monitor;
struct letter;

enum deed_state { DEED_CLOSED, DEED_MENU, DEED_ASKING, DEED_REFUSED, DEED_REASON, DEED_COUNT,
		  DEED_CONFIRM, DEED_DOING, DEED_COMMAND };

struct deed_kind;

/* A deed whose answer has not come, whatever the dialog shows by now. */
struct deed_pending {
	uint64_t tag;
	const struct deed_kind *kind;
	char *command;			/* the same for chime(1), owned */
	bool any;			/* a letter of it was told */
};

struct deed {
	enum deed_state state;
	const struct deed_kind *kind;
	char **target;			/* job@server or run@server, owned */
	size_t target_count;
	uint64_t tag;			/* of the dry run that is waited for, or of the deed */
	struct effects effects;		/* what it would do */
	struct trouble trouble;		/* why it can't be said; exit 0 = none */
	struct edit edit;		/* the reason */
	struct edit number;		/* the count */
	char *command;			/* DEED_COMMAND: the line that acts and waits for y */
	char note[160];			/* about the last key: "type 3, then y" */
	size_t scroll;			/* of a dialog longer than the screen */
	size_t page;			/* rows of it that the last draw showed */
	bool too_small;			/* the last draw could not show it */
	bool seen;			/* what is asked was on the screen since it is known */
	struct deed_pending pending[DEED_PENDING_MAX];
	size_t pending_count;
};

void deed_init(struct deed *deed);
void deed_fini(struct deed *deed);

/* Opens the menu for these targets (copied). */
void deed_open(struct monitor *m, char *const *target, size_t count);
/* A : command that acts: y/N with the line. */
void deed_open_command(struct monitor *m, const char *line);
/* Open: it takes every key. */
bool deed_is_open(const struct deed *deed);
void deed_key(struct monitor *m, int key, struct moment now);
void deed_draw(struct monitor *m, struct canvas *c, struct moment now);
/* A letter with one of its tags; false = not mine. */
bool deed_take_letter(struct monitor *m, const struct letter *letter, struct moment now);

/* The rows of the menu, for help: letter, words. NULL = no more. */
const char *deed_menu_row(size_t i, char *letter);

#endif
