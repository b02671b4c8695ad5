/*
 * view_help.c - the keys of the view below, made from the table of keys and the menu of actions,
 * so that it cannot be wrong. Two columns from 76 columns on, else one; it scrolls.
 */
#include "client/monitor/monitor.h"

#include "proto/version.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINES_MAX = 160, LINE_SIZE = 120, LABEL_WIDTH = 12, STATE_WIDTH = 15, TWO_COLUMNS = 76,
	WHEEL_ROWS = 3 };

struct lines {
	char text[LINES_MAX][LINE_SIZE];
	bool title[LINES_MAX];
	size_t count;
};

__attribute__((format(printf, 3, 4)))
static void add_line(struct lines *lines, bool title, const char *format, ...)
{
	va_list args;

	if (lines->count == LINES_MAX)
		return;
	va_start(args, format);
	vsnprintf(lines->text[lines->count], LINE_SIZE, format, args);
	va_end(args);
	lines->title[lines->count++] = title;
}

static enum view_id view_below(const struct monitor *m)
{
	return m->depth > 1 ? m->stack[m->depth - 2] : VIEW_JOBS;
}

static void add_keys(struct lines *lines, enum view_id view, enum key_group group)
{
	const struct key_row *row;
	size_t i = 0;

	add_line(lines, true, group == GROUP_LOOK ? "LOOK" : "SCREEN");
	while ((row = key_next_row(view, &i)) != NULL) {
		if (row->group == group)
			add_line(lines, false, "  %-*s %s", LABEL_WIDTH, row->label, row->help);
	}
}

static void add_menu(struct lines *lines, enum view_id view)
{
	const char *words;
	char letter;

	if (key_action(view, 'a') != ACTION_MENU)
		return;
	add_line(lines, true, "ACT  (a, then a letter; each asks y/N)");
	for (size_t i = 0; (words = deed_menu_row(i, &letter)) != NULL; i++)
		add_line(lines, false, "  a %c  %s", letter, words);
	add_line(lines, false, "  with tags: all tagged rows at once");
	add_line(lines, false, "%s", "");
}

static void add_filter(struct lines *lines, enum view_id view)
{
	if (key_action(view, '/') != ACTION_FILTER)
		return;
	add_line(lines, false, "%s", "");
	add_line(lines, true, "FILTER WORDS (space: and, -: not)");
	add_line(lines, false, "  eod report   part of the name");
	add_line(lines, false, "  state:fa,wa  codes, or words");
	add_line(lines, false, "  on:db*       servers");
	add_line(lines, false, "  late  held  trouble");
	add_line(lines, false, "  took>10m     longer than");
	add_line(lines, false, "  due<1h       starts within");
}

/* Where half of 80 columns is all there is. */
static const char *const short_meanings[JOBSTATE_COUNT] = {
	[JOBSTATE_FAILED] = "ended without success",
	[JOBSTATE_TIMEOUT] = "stopped: over max_time",
	[JOBSTATE_RETRY] = "failed, tries again",
	[JOBSTATE_STARTING] = "start not confirmed yet",
	[JOBSTATE_QUEUED] = "waits for its turn",
	[JOBSTATE_HELD] = "kept from starting",
	[JOBSTATE_WAITING] = "a condition is open",
	[JOBSTATE_ICED] = "skipped when due",
	[JOBSTATE_MISSED] = "was due, not started",
	[JOBSTATE_EXPIRED] = "waited too long",
	[JOBSTATE_SKIPPED] = "left out when due",
	[JOBSTATE_CANCELLED] = "called off before start",
	[JOBSTATE_IDLE] = "never ran, or not due",
	[JOBSTATE_LOST] = "its end was not seen",
	[JOBSTATE_UNKNOWN] = "server is not heard",
};

static const char *choose_meaning(size_t state, int width)
{
	const char *whole = jobstates[state].meaning, *brief = short_meanings[state];

	return brief != NULL && STATE_WIDTH + (int)strlen(whole) > width ? brief : whole;
}

static void add_states(struct lines *lines, enum view_id view, int width)
{
	if (view != VIEW_JOBS)
		return;
	add_line(lines, false, "%s", "");
	add_line(lines, true, "STATES");
	for (size_t i = 0; i < JOBSTATE_COUNT; i++)
		add_line(lines, false, "  %s %-9s %s", jobstates[i].code, jobstates[i].word,
			 choose_meaning(i, width));
	add_line(lines, false, "  fa           small: as heard last");
}

static void add_commands(struct lines *lines, enum view_id view)
{
	const struct key_row *row;
	size_t i = 0;

	add_line(lines, false, "%s", "");
	add_line(lines, true, "THE SAME BY COMMAND");
	while ((row = key_next_row(view, &i)) != NULL) {
		if (row->command != NULL)
			add_line(lines, false, "  %-*s %s", LABEL_WIDTH, row->label, row->command);
	}
}

static void draw_column(struct canvas *c, const struct lines *lines, size_t from, int row, int rows,
			int col, int width)
{
	for (int i = 0; i < rows && from + (size_t)i < lines->count; i++) {
		size_t n = from + (size_t)i;
		canvas_put(c, row + i, col, width, lines->title[n] ? STYLE_TITLE : STYLE_PLAIN,
			   lines->text[n]);
		if (canvas_width(c, lines->text[n]) > width)
			canvas_put(c, row + i, col + width - 1, 1, STYLE_PLAIN, ">");
	}
}

static void fill(struct lines *left, struct lines *right, enum view_id view, int width)
{
	add_keys(left, view, GROUP_LOOK);
	add_filter(left, view);
	add_menu(right, view);
	add_keys(right, view, GROUP_SCREEN);
	add_commands(right, view);
	/* The longer texts below the shorter column. */
	add_states(left->count <= right->count ? left : right, view, width);
}

static void draw(struct monitor *m, struct canvas *c, int row, int rows, struct moment now)
{
	struct lines left = { .count = 0 }, right = { .count = 0 };
	enum view_id view = view_below(m);
	bool two = c->cols >= TWO_COLUMNS;
	size_t longest, shown;

	(void)now;
	int half = two ? (c->cols - 2) / 2 : c->cols - 2;
	if (half > 60)
		half = 60;
	fill(&left, two ? &right : &left, view, two ? half - 1 : half);
	longest = left.count > right.count ? left.count : right.count;
	int title = rows >= 4 ? 1 : 0;
	shown = (size_t)(rows - title);
	m->help.height = shown;
	size_t most = longest > shown ? longest - shown : 0;
	if (m->help.top > most)
		m->help.top = most;
	if (title > 0) {
		canvas_print(c, row, c->cols >= 60 ? 1 : 0, -1, STYLE_BOLD, "Help - %s",
			     views[view]->title);
		if (c->cols >= 60)
			canvas_print(c, row, c->cols / 2 - 8, -1, STYLE_PLAIN, "chime %s",
				     CHIME_VERSION);
		canvas_put_right(c, row, c->cols - (c->cols >= 60), 30, STYLE_PLAIN,
				 m->help.top < most ? "Down: more   Esc closes" : "Esc closes");
	}
	row += title;
	draw_column(c, &left, m->help.top, row, (int)shown, 1, two ? half - 1 : half);
	if (two)
		draw_column(c, &right, m->help.top, row, (int)shown, 1 + half, half);
}

static void scroll(struct monitor *m, long long by)
{
	long long top = (long long)m->help.top + by;

	m->help.top = top < 0 ? 0 : top > LINES_MAX ? LINES_MAX : (size_t)top;
}

static bool act(struct monitor *m, enum intent action, struct moment now)
{
	long long page = m->help.height > 1 ? (long long)m->help.height - 1 : 1;

	(void)now;
	switch (action) {
	case ACTION_UP: scroll(m, -1); return true;
	case ACTION_DOWN: scroll(m, 1); return true;
	case ACTION_PAGE_UP: scroll(m, -page); return true;
	case ACTION_PAGE_DOWN: scroll(m, page); return true;
	case ACTION_WHEEL_UP: scroll(m, -WHEEL_ROWS); return true;
	case ACTION_WHEEL_DOWN: scroll(m, WHEEL_ROWS); return true;
	case ACTION_HOME: scroll(m, -LINES_MAX); return true;
	case ACTION_END: scroll(m, LINES_MAX); return true;
	default: return false;
	}
}

static void open_help(struct monitor *m, struct moment now)
{
	(void)now;
	m->help.top = 0;
}

const struct view view_help = { .title = "Help", .draw = draw, .act = act, .open = open_help };
