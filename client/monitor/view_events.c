/*
 * view_events.c - what is heard, newest at the bottom, gaps marked "!". It follows unless the
 * cursor was moved up; End follows again.
 *
 * Events are known by their number since the first (1, 2, ...), so that what comes moves nothing.
 * Of the filter, parts are looked for in the line, on: in its origin; the other words are about
 * jobs and do not count here.
 */
#include "client/monitor/monitor.h"
#include "client/monitor/when.h"
#include "client/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHEEL_ROWS = 3, LINE_SIZE = 640 };

/* Those shown, oldest first. */
struct shown { uint64_t *number; size_t count; };

static const struct book_event *find_event(const struct book *book, uint64_t number)
{
	if (number == 0 || number > book->event_total)
		return NULL;
	return book_event(book, (size_t)(book->event_total - number));
}

static bool matches(const struct book_event *e, const struct filter *filter)
{
	char line[LINE_SIZE];

	if (filter->count == 0)
		return true;
	snprintf(line, sizeof(line), "%s %s %s %s", e->origin, e->kind, e->job, e->text);
	return filter_match_line(filter, e->origin, line);
}

/* number freed by the caller. */
static struct shown list_shown(const struct monitor *m)
{
	const struct book *book = m->book;
	struct shown s = { say_calloc(book->event_count + 1, sizeof(*s.number)), 0 };

	for (size_t i = book->event_count; i-- > 0; ) {
		const struct book_event *e = book_event(book, i);
		if (e != NULL && matches(e, &m->rows.words))
			s.number[s.count++] = book->event_total - i;
	}
	return s;
}

/* The place of the cursor in the list: its event, or the nearest one after it. */
static size_t find_cursor(const struct monitor *m, const struct shown *s)
{
	if (m->events.number == 0)
		return s->count > 0 ? s->count - 1 : 0;
	for (size_t i = 0; i < s->count; i++) {
		if (s->number[i] >= m->events.number)
			return i;
	}
	return s->count > 0 ? s->count - 1 : 0;
}

/* The first one on the screen: as it was (top is its number), unless the cursor is outside. */
static size_t find_top(struct monitor *m, const struct shown *s, size_t at)
{
	size_t height = m->events.height, top = 0;

	if (s->count <= height || height == 0)
		return 0;
	if (m->events.number == 0)
		return s->count - height;
	while (top + height < s->count && s->number[top] < m->events.top)
		top++;
	if (at < top)
		top = at;
	if (at >= top + height)
		top = at - height + 1;
	return top;
}

/* ---- the picture ---- */

/* Where kinds begin: below 80 columns numbers are left out. */
static int kind_column(const struct canvas *c)
{
	return c->cols >= 80 ? 34 : 25;
}

/* "log/ship 9001@app1  SUCCESS": the run as one would name it on a command line. */
static void write_what(const struct book_event *e, char out[LINE_SIZE])
{
	const char *at = strrchr(e->job, '@');

	if (e->job[0] == '\0' || at == NULL)
		snprintf(out, LINE_SIZE, "%s", e->text);
	else if (e->run == 0)
		snprintf(out, LINE_SIZE, "%s  %s", e->job, e->text);
	else
		snprintf(out, LINE_SIZE, "%.*s %llu%s  %s", (int)(at - e->job), e->job,
			 (unsigned long long)e->run, at, e->text);
}

static void draw_event(struct monitor *m, struct canvas *c, int row, const struct book_event *e,
		       bool cursor, struct moment now)
{
	char when[WHEN_SIZE], seq[32] = "-", what[LINE_SIZE];
	int from = c->cols >= 60 ? 16 : 11, text = from;
	bool gap = strcmp(e->kind, "bus.gap") == 0;
	enum style style = e->bad ? STYLE_BAD : STYLE_PLAIN;

	if (e->seq != 0)
		snprintf(seq, sizeof(seq), "%llu", (unsigned long long)e->seq);
	canvas_put(c, row, 0, 1, STYLE_BOLD, cursor ? ">" : " ");
	canvas_put(c, row, 1, 1, gap ? STYLE_WARN : style, gap || e->bad ? "!" : " ");
	when_fine(e->time_us, now, m->utc, when);
	canvas_put(c, row, 2, c->cols >= 60 ? 12 : 8, STYLE_DIM, when);
	if (c->cols >= 60) {
		canvas_put_middle(c, row, from, 8, STYLE_PLAIN, e->origin[0] != '\0' ? e->origin :
				  "-");
		int kind = kind_column(c);
		if (c->cols >= 80)
			canvas_put_right(c, row, from + 16, 7, STYLE_DIM, seq);
		canvas_put(c, row, kind, 14, STYLE_PLAIN, e->kind);
		text = kind + 15;
	}
	write_what(e, what);
	canvas_put(c, row, text, -1, gap ? STYLE_WARN : style, what);
	if (cursor)
		canvas_select(c, row, 0, c->cols);
}

static void draw_foot(struct monitor *m, struct canvas *c, int row, const struct shown *s)
{
	char text[256];
	size_t newer = s->count > 0 ? s->count - 1 - m->events.at : 0;

	if (m->events.number == 0)
		snprintf(text, sizeof(text), "following   %zu of %zu events%s%s", s->count,
			 m->book->event_count, m->rows.filter[0] != '\0' ? "   /" : "",
			 m->rows.filter);
	else
		snprintf(text, sizeof(text), "PAUSED   %zu newer than this one: End follows%s%s", newer,
			 m->rows.filter[0] != '\0' ? "   /" : "", m->rows.filter);
	canvas_put(c, row, c->cols >= 60 ? 1 : 0, -1,
		   m->events.number == 0 ? STYLE_DIM : STYLE_WARN, text);
}

static void draw(struct monitor *m, struct canvas *c, int row, int rows, struct moment now)
{
	struct shown s = list_shown(m);
	int foot = rows >= 5 ? 1 : 0;

	if (rows >= 4 && c->cols >= 60) {
		m->heads_row = row;
		canvas_put(c, row, 2, -1, STYLE_TITLE, "TIME");
		canvas_put(c, row, 16, -1, STYLE_TITLE, "FROM");
		if (c->cols >= 80)
			canvas_put_right(c, row, 32, 7, STYLE_TITLE, "SEQ");
		canvas_put(c, row, kind_column(c), -1, STYLE_TITLE, "WHAT");
		row++;
		rows--;
	}
	int list = rows - foot;
	m->list_row = row;
	m->events.height = (size_t)(list > 0 ? list : 0);
	size_t at = find_cursor(m, &s), top = find_top(m, &s, at);
	m->events.at = at;
	m->events.top = top < s.count ? (size_t)s.number[top] : 0;
	if (s.count == 0)
		canvas_put(c, row, 2, c->cols - 2, STYLE_PLAIN, m->book->event_count == 0 ?
			   "Nothing was heard yet." : "No event matches the filter. Esc shows all.");
	size_t last = top;
	for (int i = 0; i < list && last < s.count; i++, last++)
		draw_event(m, c, row + i, find_event(m->book, s.number[last]), last == at, now);
	if (foot > 0)
		draw_foot(m, c, row + list, &s);
	free(s.number);
}

/* ---- keys ---- */

static void move_to(struct monitor *m, const struct shown *s, long long at)
{
	if (s->count == 0)
		return;
	if (at < 0)
		at = 0;
	/* The newest: from there on it follows. */
	m->events.number = at >= (long long)s->count - 1 ? 0 : s->number[at];
}

static const struct book_event *current_event(const struct monitor *m, const struct shown *s)
{
	return s->count > 0 ? find_event(m->book, s->number[find_cursor(m, s)]) : NULL;
}

static void open_job(struct monitor *m, const struct shown *s, enum view_id view, bool log)
{
	const struct book_event *e = current_event(m, s);

	if (e == NULL)
		return;
	if (e->job[0] == '\0') {
		monitor_say(m, m->now, false, "this event is not about a job");
		return;
	}
	snprintf(m->subject, sizeof(m->subject), "%s", e->job);
	m->subject_log = log;
	monitor_push(m, view);
}

static void copy_job(struct monitor *m, const struct shown *s)
{
	const struct book_event *e = current_event(m, s);

	monitor_copy(m, m->now, e != NULL ? e->job : "");
}

static bool click(struct monitor *m, const struct shown *s)
{
	int at = m->click_row - m->list_row;

	if (m->list_row < 0 || at < 0 || (size_t)at >= m->events.height)
		return false;
	size_t cursor = find_cursor(m, s), n = find_top(m, s, cursor) + (size_t)at;
	if (n >= s->count)
		return false;
	if (n == cursor)
		open_job(m, s, VIEW_JOB, false);
	else
		move_to(m, s, (long long)n);
	return true;
}

static bool step_back(struct monitor *m)
{
	char err[128];

	if (m->events.number != 0)
		m->events.number = 0;
	else if (m->rows.filter[0] != '\0')
		rows_set_filter(&m->rows, "", err, sizeof(err));
	else
		return false;
	return true;
}

static bool act(struct monitor *m, enum intent action, struct moment now)
{
	struct shown s = list_shown(m);
	long long at = (long long)find_cursor(m, &s);
	long long page = m->events.height > 1 ? (long long)m->events.height - 1 : 1;
	bool done = true;

	(void)now;
	switch (action) {
	case ACTION_UP: move_to(m, &s, at - 1); break;
	case ACTION_DOWN: move_to(m, &s, at + 1); break;
	case ACTION_PAGE_UP: move_to(m, &s, at - page); break;
	case ACTION_PAGE_DOWN: move_to(m, &s, at + page); break;
	case ACTION_WHEEL_UP: move_to(m, &s, at - WHEEL_ROWS); break;
	case ACTION_WHEEL_DOWN: move_to(m, &s, at + WHEEL_ROWS); break;
	case ACTION_HOME: move_to(m, &s, 0); break;
	case ACTION_END: m->events.number = 0; break;
	case ACTION_OPEN: open_job(m, &s, VIEW_JOB, false); break;
	case ACTION_LOG: open_job(m, &s, VIEW_JOB, true); break;
	case ACTION_WHY: open_job(m, &s, VIEW_WHY, false); break;
	case ACTION_COPY: copy_job(m, &s); break;
	case ACTION_CLICK: done = click(m, &s); break;
	case ACTION_BACK: done = step_back(m); break;
	default: done = false;
	}
	free(s.number);
	return done;
}

static void open_events(struct monitor *m, struct moment now)
{
	(void)now;
	m->events.number = 0;
}

const struct view view_events = {
	.title = "Events", .draw = draw, .act = act, .open = open_events,
};
