/*
 * keys.c - the table, and what is made of it. Rows stand in the order of help.
 */
#include "client/monitor/keys.h"

#include "client/monitor/screen.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* In help every key that does not scroll closes it. */
enum {
	IN_WORK = IN_ALL & ~IN_HELP,
	IN_ABOUT_JOB = IN_JOBS | IN_JOB | IN_WHY,
	IN_NAMES_JOB = IN_JOBS | IN_EVENTS,
	IN_LOGS = IN_JOB | IN_WHY | IN_OUTPUT,
};

const struct key_row key_rows[] = {
	{ ACTION_HELP, { '?', PRESS_F1 }, IN_WORK, GROUP_LOOK,
	  "? F1", "help of this view", "Help", 100, "chime help" },
	{ ACTION_HELP, { '?', PRESS_F1 }, IN_HELP, GROUP_LOOK,
	  "? F1", "close help", NULL, 0, NULL },
	{ ACTION_FILTER, { '/', PRESS_F4 }, IN_NAMES_JOB, GROUP_LOOK,
	  "/ F4", "filter, while typing", "Filter", 80, "chime ls TARGET" },
	{ ACTION_SEARCH, { '/', PRESS_F4 }, IN_LOGS, GROUP_LOOK,
	  "/ F4", "search", "Search", 70, NULL },
	{ ACTION_SEARCH_NEXT, { 'n' }, IN_LOGS, GROUP_LOOK,
	  "n", "next one found", NULL, 0, NULL },
	{ ACTION_SEARCH_BEFORE, { 'N' }, IN_LOGS, GROUP_LOOK,
	  "N", "the one before", NULL, 0, NULL },
	{ ACTION_UP, { PRESS_UP, 'k' }, IN_ALL, GROUP_LOOK, "Up k", "move up", NULL, 0, NULL },
	{ ACTION_DOWN, { PRESS_DOWN, 'j' }, IN_ALL, GROUP_LOOK,
	  "Down j", "move down", NULL, 0, NULL },
	{ ACTION_PAGE_UP, { PRESS_PAGE_UP }, IN_ALL, GROUP_LOOK,
	  "PgUp", "a page up", NULL, 0, NULL },
	{ ACTION_PAGE_DOWN, { PRESS_PAGE_DOWN }, IN_LISTS, GROUP_LOOK,
	  "PgDn", "a page down", NULL, 0, NULL },
	{ ACTION_PAGE_DOWN, { PRESS_PAGE_DOWN, ' ' }, IN_TEXTS | IN_HELP, GROUP_LOOK,
	  "PgDn Space", "a page down", NULL, 0, NULL },
	{ ACTION_HOME, { PRESS_HOME }, IN_ALL, GROUP_LOOK, "Home", "to the top", NULL, 0, NULL },
	{ ACTION_END, { PRESS_END }, IN_ALL, GROUP_LOOK, "End", "to the end", NULL, 0, NULL },
	{ ACTION_LEFT, { PRESS_LEFT }, IN_LOGS, GROUP_LOOK, "Left", "sideways", NULL, 0, NULL },
	{ ACTION_RIGHT, { PRESS_RIGHT }, IN_LOGS, GROUP_LOOK,
	  "Right", "sideways", NULL, 0, NULL },
	{ ACTION_OPEN, { PRESS_ENTER, PRESS_RIGHT }, IN_LISTS, GROUP_LOOK,
	  "Enter Right", "open", "Open", 45, "chime show" },
	{ ACTION_OPEN, { PRESS_ENTER }, IN_JOB, GROUP_LOOK,
	  "Enter", "output of this run", NULL, 0, "chime log RUN@SERVER" },
	{ ACTION_WHY, { 'w' }, IN_NAMES_JOB, GROUP_LOOK,
	  "w", "why it is so", "Why", 70, "chime why" },
	{ ACTION_LOG, { 'l' }, IN_NAMES_JOB, GROUP_LOOK,
	  "l", "its output", "Log", 60, "chime log" },
	{ ACTION_LOG, { 'l' }, IN_JOB, GROUP_LOOK,
	  "l", "move in runs, in output", NULL, 0, NULL },
	{ ACTION_RUN_BEFORE, { '[' }, IN_JOB, GROUP_LOOK,
	  "[", "older run", "Older", 56, "chime runs" },
	{ ACTION_RUN_NEXT, { ']' }, IN_JOB, GROUP_LOOK, "]", "newer run", "Newer", 55, NULL },
	{ ACTION_FOLLOW, { 'f' }, IN_TEXTS, GROUP_LOOK,
	  "f", "follow the end", "Follow", 60, "chime log -f" },
	{ ACTION_WRAP, { 'w' }, IN_LOGS, GROUP_LOOK, "w", "wrap lines", "Wrap", 50, NULL },
	{ ACTION_SAVE, { '>' }, IN_LOGS, GROUP_LOOK,
	  ">", "save to a file", "Save", 40, "chime log > FILE" },
	{ ACTION_PAGER, { 'v' }, IN_LOGS, GROUP_LOOK,
	  "v", "open in $PAGER", NULL, 0, "chime log | $PAGER" },
	{ ACTION_MENU, { 'a', PRESS_F9 }, IN_ABOUT_JOB, GROUP_LOOK,
	  "a F9", "actions, each asks y/N", "Actions", 65, NULL },
	{ ACTION_TAG, { ' ' }, IN_JOBS, GROUP_LOOK, "Space", "tag a row", "Tag", 40, NULL },
	{ ACTION_UNTAG, { 'U' }, IN_JOBS, GROUP_LOOK, "U", "untag all", NULL, 0, NULL },
	{ ACTION_TAG_ALL, { '*' }, IN_JOBS, GROUP_LOOK, "*", "tag all shown", NULL, 0, NULL },
	{ ACTION_TROUBLE, { '!' }, IN_JOBS, GROUP_LOOK,
	  "!", "only trouble", "Trouble", 30, "chime ls --trouble" },
	{ ACTION_JUMP, { PRESS_F3 }, IN_JOBS, GROUP_LOOK,
	  "F3", "jump to a name", NULL, 0, NULL },
	{ ACTION_COPY, { 'y' }, IN_LISTS | IN_JOB | IN_WHY, GROUP_LOOK,
	  "y", "copy its name", NULL, 0, NULL },

	{ ACTION_VIEW_JOBS, { '1' }, IN_WORK, GROUP_SCREEN, "1", "jobs", NULL, 0, "chime ls" },
	{ ACTION_VIEW_SERVERS, { '4' }, IN_WORK, GROUP_SCREEN,
	  "4", "servers", NULL, 0, "chime server ls" },
	{ ACTION_VIEW_EVENTS, { '5' }, IN_WORK, GROUP_SCREEN,
	  "5", "events", NULL, 0, "chime events -f" },
	{ ACTION_VIEW_NEXT, { PRESS_TAB }, IN_WORK, GROUP_SCREEN,
	  "Tab", "next view", NULL, 0, NULL },
	{ ACTION_VIEW_BEFORE, { PRESS_SHIFT_TAB }, IN_WORK, GROUP_SCREEN,
	  "Shift-Tab", "view before", NULL, 0, NULL },
	{ ACTION_COMMAND, { ':' }, IN_WORK, GROUP_SCREEN,
	  ":", "any command of chime", "Cmd", 32, NULL },
	{ ACTION_SORT_NEXT, { PRESS_F6, '>' }, IN_JOBS, GROUP_SCREEN,
	  "F6 >", "sort by the next column", "Sort", 35, "chime ls --sort" },
	{ ACTION_SORT_BEFORE, { '<' }, IN_JOBS, GROUP_SCREEN,
	  "<", "by the column before", NULL, 0, NULL },
	{ ACTION_RETRY, { 'r' }, IN_WORK, GROUP_SCREEN,
	  "r", "connect, ask again now", NULL, 0, NULL },
	{ ACTION_OTHER_SERVER, { 'c' }, IN_WORK, GROUP_SCREEN,
	  "c", "another server", NULL, 0, "chime --via SERVER" },
	{ ACTION_FREEZE, { 'Z' }, IN_WORK, GROUP_SCREEN,
	  "Z", "freeze, go on", NULL, 0, NULL },
	{ ACTION_ZONE, { 'z' }, IN_WORK, GROUP_SCREEN,
	  "z", "local time, UTC", NULL, 0, "chime --utc" },
	{ ACTION_MOUSE, { 'm' }, IN_WORK, GROUP_SCREEN,
	  "m", "mouse on, off", NULL, 0, NULL },
	{ ACTION_CLICK, { PRESS_CLICK }, IN_WORK, GROUP_SCREEN,
	  "click", "a row, a view, a column", NULL, 0, NULL },
	{ ACTION_WHEEL_UP, { PRESS_WHEEL_UP }, IN_ALL, GROUP_SCREEN,
	  "wheel up", "scroll up", NULL, 0, NULL },
	{ ACTION_WHEEL_DOWN, { PRESS_WHEEL_DOWN }, IN_ALL, GROUP_SCREEN,
	  "wheel down", "scroll down", NULL, 0, NULL },
	{ ACTION_ASCII, { 'A' }, IN_WORK, GROUP_SCREEN,
	  "A", "ASCII only", NULL, 0, "chime --ascii" },
	{ ACTION_COLORS, { 'C' }, IN_WORK, GROUP_SCREEN,
	  "C", "other colours", NULL, 0, "chime --color never" },
	{ ACTION_REDRAW, { PRESS_CTRL_L }, IN_WORK, GROUP_SCREEN,
	  "Ctrl-L", "draw it anew", NULL, 0, NULL },
	{ ACTION_BACK, { PRESS_ESCAPE, PRESS_BACKSPACE }, IN_LISTS, GROUP_SCREEN,
	  "Esc Bksp", "one step back", NULL, 0, NULL },
	{ ACTION_BACK, { PRESS_ESCAPE, PRESS_BACKSPACE }, IN_ALL & ~IN_LISTS, GROUP_SCREEN,
	  "Esc Bksp", "one step back", "Back", 85, NULL },
	{ ACTION_CLOSE, { 'q', PRESS_F10 }, IN_JOBS, GROUP_SCREEN,
	  "q F10", "quit", "Quit", 90, NULL },
	{ ACTION_CLOSE, { 'q', PRESS_F10 }, IN_ALL & ~IN_JOBS, GROUP_SCREEN,
	  "q F10", "close", "Close", 20, NULL },
	{ ACTION_QUIT, { 'Q', PRESS_CTRL_C }, IN_ALL, GROUP_SCREEN,
	  "Q Ctrl-C", "quit from anywhere", NULL, 0, NULL },
};

const size_t key_row_count = sizeof(key_rows) / sizeof(key_rows[0]);

enum intent key_action(enum view_id view, int key)
{
	size_t i = 0;
	const struct key_row *row;

	if (key == KEY_NONE)
		return ACTION_NONE;
	while ((row = key_next_row(view, &i)) != NULL) {
		for (size_t k = 0; k < KEYS_OF_ROW; k++) {
			if (row->keys[k] == key)
				return row->action;
		}
	}
	return ACTION_NONE;
}

const struct key_row *key_next_row(enum view_id view, size_t *i)
{
	while (*i < key_row_count) {
		const struct key_row *row = &key_rows[(*i)++];
		if (row->views & 1u << view)
			return row;
	}
	return NULL;
}

const char *key_name(int key, char out[KEY_NAME_SIZE])
{
	static const struct { int key; const char *name; } names[] = {
		{ PRESS_ENTER, "Enter" }, { PRESS_ESCAPE, "Esc" }, { PRESS_TAB, "Tab" },
		{ ' ', "Spc" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].key == key) {
			snprintf(out, KEY_NAME_SIZE, "%s", names[i].name);
			return out;
		}
	}
	if (key >= PRESS_F1 && key <= PRESS_F10)
		snprintf(out, KEY_NAME_SIZE, "F%d", key - PRESS_F1 + 1);
	else
		snprintf(out, KEY_NAME_SIZE, "%c", key > ' ' && key < 127 ? key : '?');
	return out;
}

/* Key and word of a row, without a gap. */
static size_t word_width(const struct key_row *row)
{
	char name[KEY_NAME_SIZE];

	return strlen(key_name(row->keys[0], name)) + strlen(row->word);
}

static size_t line_width(const struct key_row *const *rows, size_t count, size_t gap)
{
	size_t width = 0;

	for (size_t i = 0; i < count; i++)
		width += word_width(rows[i]) + (i > 0 ? gap : 0);
	return width;
}

size_t key_line_rows(enum view_id view, size_t width, const struct key_row *out[KEY_LINE_MAX])
{
	size_t i = 0, count = 0, gap = key_line_gap(width);
	const struct key_row *row;

	while ((row = key_next_row(view, &i)) != NULL && count < KEY_LINE_MAX) {
		if (row->word != NULL)
			out[count++] = row;
	}
	while (count > 0 && line_width(out, count, gap) > width) {
		size_t least = 0;
		for (size_t k = 1; k < count; k++) {
			if (out[k]->rank < out[least]->rank)
				least = k;
		}
		count--;
		memmove(&out[least], &out[least + 1], (count - least) * sizeof(out[0]));
	}
	return count;
}
