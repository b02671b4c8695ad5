/*
 * keys.h - the one table of keys: what a key does where, what help says of it, and the words of
 * the key line. Help pages, key line and dispatch are made from it, so none can be wrong.
 *
 * Invariants
 * 1. In one view a key stands in at most one row.
 * 2. No row changes anything at a server: acting is ACTION_MENU, then a letter of the menu, then y
 *    (deed.h).
 */
#ifndef CHIME_CLIENT_MONITOR_KEYS_H
#define CHIME_CLIENT_MONITOR_KEYS_H

#include <stddef.h>

/* Views; the digits of those with one never change. */
enum view_id {
	VIEW_JOBS,			/* 1 */
	VIEW_SERVERS,			/* 4 */
	VIEW_EVENTS,			/* 5 */
	VIEW_JOB,			/* Enter on a job: detail, runs, log */
	VIEW_WHY,			/* w */
	VIEW_OUTPUT,			/* what a : command said */
	VIEW_MESSAGES,			/* :messages */
	VIEW_HELP,			/* ? */
	VIEW_COUNT
};

enum {
	IN_JOBS = 1 << VIEW_JOBS, IN_SERVERS = 1 << VIEW_SERVERS, IN_EVENTS = 1 << VIEW_EVENTS,
	IN_JOB = 1 << VIEW_JOB, IN_WHY = 1 << VIEW_WHY, IN_OUTPUT = 1 << VIEW_OUTPUT,
	IN_MESSAGES = 1 << VIEW_MESSAGES, IN_HELP = 1 << VIEW_HELP,
	IN_LISTS = IN_JOBS | IN_SERVERS | IN_EVENTS,
	IN_TEXTS = IN_JOB | IN_WHY | IN_OUTPUT | IN_MESSAGES,	/* scrolled text */
	IN_ALL = (1 << VIEW_COUNT) - 1,
};

/* What a key means. (struct action is of client/act.h: what is done at a server.) */
enum intent {
	ACTION_NONE,
	/* everywhere */
	ACTION_HELP, ACTION_BACK, ACTION_CLOSE, ACTION_QUIT,
	ACTION_VIEW_JOBS, ACTION_VIEW_SERVERS, ACTION_VIEW_EVENTS,
	ACTION_VIEW_NEXT, ACTION_VIEW_BEFORE,
	ACTION_COMMAND, ACTION_REDRAW, ACTION_FREEZE, ACTION_ZONE, ACTION_MOUSE, ACTION_ASCII,
	ACTION_COLORS, ACTION_RETRY, ACTION_OTHER_SERVER, ACTION_MENU,
	/* moving */
	ACTION_UP, ACTION_DOWN, ACTION_PAGE_UP, ACTION_PAGE_DOWN, ACTION_HOME, ACTION_END,
	ACTION_LEFT, ACTION_RIGHT, ACTION_OPEN, ACTION_CLICK, ACTION_WHEEL_UP, ACTION_WHEEL_DOWN,
	/* jobs */
	ACTION_FILTER, ACTION_TROUBLE, ACTION_WHY, ACTION_LOG, ACTION_TAG, ACTION_UNTAG,
	ACTION_TAG_ALL, ACTION_COPY, ACTION_SORT_NEXT, ACTION_SORT_BEFORE, ACTION_JUMP,
	/* texts: the log, why, output */
	ACTION_FOLLOW, ACTION_WRAP, ACTION_SEARCH, ACTION_SEARCH_NEXT, ACTION_SEARCH_BEFORE,
	ACTION_SAVE, ACTION_PAGER, ACTION_RUN_BEFORE, ACTION_RUN_NEXT,
	ACTION_COUNT
};

enum key_group { GROUP_LOOK, GROUP_SCREEN, GROUP_COUNT };

enum { KEYS_OF_ROW = 4 };

struct key_row {
	enum intent action;
	int keys[KEYS_OF_ROW];		/* characters or enum key; 0 = unused */
	unsigned views;			/* IN_ ... */
	enum key_group group;
	const char *label;		/* of the keys, for help: "Up k", "PgUp" */
	const char *help;		/* what it does, up to 30 columns */
	const char *word;		/* in the key line after the first key; NULL = not there */
	int rank;			/* in the key line: the highest stays longest */
	const char *command;		/* the same without the monitor: "chime why"; NULL = none */
};

extern const struct key_row key_rows[];
extern const size_t key_row_count;

/* What a key does in a view; ACTION_NONE = nothing. */
enum intent key_action(enum view_id view, int key);

/* The rows of a view in the order of help, one after the other: *i begins at 0. NULL = no more. */
const struct key_row *key_next_row(enum view_id view, size_t *i);

/* A key as the key line shows it: "?", "Enter", "F6". Returns out. */
enum { KEY_NAME_SIZE = 8, KEY_LINE_MAX = 16 };
const char *key_name(int key, char out[KEY_NAME_SIZE]);

/* Blanks between two words of a key line of this width. */
static inline size_t key_line_gap(size_t width)
{
	return width < 60 ? 1 : 2;
}

/* The rows of the key line whose words fit whole, in order, "?Help" the last to go; returns how
 * many. */
size_t key_line_rows(enum view_id view, size_t width, const struct key_row *out[KEY_LINE_MAX]);

#endif
