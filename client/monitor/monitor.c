/*
 * monitor.c - see monitor.h. Here: the stack of views, who gets a key, messages, wishes.
 */
#include "client/monitor/monitor.h"

#include "client/monitor/header.h"
#include "client/monitor/screen.h"
#include "client/monitor/small.h"
#include "client/monitor/typing.h"
#include "client/say.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECOND_US = 1000000,
	STATUS_US = 6 * SECOND_US,
	STATUS_LEAST_US = 2 * SECOND_US,	/* a key within this leaves it */
	UNHEARD_US = 5 * SECOND_US,
};

const struct view *const views[VIEW_COUNT] = {
	[VIEW_JOBS] = &view_jobs,
	[VIEW_SERVERS] = &view_servers,
	[VIEW_EVENTS] = &view_events,
	[VIEW_JOB] = &view_job,
	[VIEW_WHY] = &view_why,
	[VIEW_OUTPUT] = &view_output,
	[VIEW_MESSAGES] = &view_messages,
	[VIEW_HELP] = &view_help,
};

/* Those with a digit, in the order of Tab. */
static const enum view_id tabs[] = { VIEW_JOBS, VIEW_SERVERS, VIEW_EVENTS };

void monitor_init(struct monitor *m, struct book *book, const struct monitor_options *options)
{
	char err[128];

	*m = (struct monitor){ .book = book };
	m->wishes_tail = &m->wishes;
	m->heads_row = m->list_row = m->tabs_row = -1;
	m->link.retry_us = INT64_MAX;
	rows_init(&m->rows);
	text_init(&m->job.log);
	text_init(&m->why);
	text_init(&m->output);
	deed_init(&m->deed);
	m->stack[0] = options->view;
	m->depth = 1;
	m->utc = options->utc;
	m->mouse = options->mouse;
	m->ascii = options->ascii;
	m->read_only = options->read_only;
	snprintf(m->read_only_why, sizeof(m->read_only_why), "%s",
		 options->read_only_why != NULL ? options->read_only_why : "read-only");
	if (options->filter != NULL)
		rows_set_filter(&m->rows, options->filter, err, sizeof(err));
}

static void close_views(struct monitor *m)
{
	while (m->depth > 0) {
		const struct view *view = views[m->stack[--m->depth]];
		if (view->close != NULL)
			view->close(m);
	}
}

void monitor_fini(struct monitor *m)
{
	struct wish *wish;

	close_views(m);
	while ((wish = monitor_take_wish(m)) != NULL)
		wish_free(wish);
	for (size_t i = 0; i < m->history_count; i++)
		free(m->history[i]);
	if (m->frozen_canvas.rows > 0)
		canvas_fini(&m->frozen_canvas);
	deed_fini(&m->deed);
	text_fini(&m->output);
	text_fini(&m->why);
	text_fini(&m->job.log);
	rows_fini(&m->rows);
}

/* ---- views ---- */

enum view_id monitor_view(const struct monitor *m)
{
	return m->stack[m->depth - 1];
}

static void open_view(struct monitor *m, enum view_id view)
{
	m->stack[m->depth++] = view;
	if (views[view]->open != NULL)
		views[view]->open(m, m->now);
}

void monitor_push(struct monitor *m, enum view_id view)
{
	for (size_t i = 0; i < m->depth; i++) {
		if (m->stack[i] == view) {
			memmove(&m->stack[i], &m->stack[i + 1],
				(m->depth - i - 1) * sizeof(m->stack[0]));
			m->depth--;
			break;
		}
	}
	static_assert((int)MONITOR_STACK_MAX >= (int)VIEW_COUNT, "each view once");
	open_view(m, view);
}

void monitor_show(struct monitor *m, enum view_id view)
{
	close_views(m);
	open_view(m, view);
}

/* One step back: the view on top goes; the last one gives way to the jobs. False = it is they. */
static bool go_back(struct monitor *m)
{
	if (m->depth > 1) {
		enum view_id view = m->stack[--m->depth];
		if (views[view]->close != NULL)
			views[view]->close(m);
		return true;
	}
	if (monitor_view(m) == VIEW_JOBS)
		return false;
	monitor_show(m, VIEW_JOBS);
	return true;
}

static void show_neighbour(struct monitor *m, int by)
{
	int count = (int)(sizeof(tabs) / sizeof(tabs[0])), at = 0;

	for (int i = 0; i < count; i++) {
		if (tabs[i] == m->stack[0])
			at = i;
	}
	monitor_show(m, tabs[(at + by + count) % count]);
}

/* ---- messages ---- */

void monitor_say(struct monitor *m, struct moment now, bool bad, const char *format, ...)
{
	va_list args;

	if (m->message_count == MONITOR_MESSAGES_MAX) {
		m->message_first = (m->message_first + 1) % MONITOR_MESSAGES_MAX;
		m->message_count--;
	}
	size_t at = (m->message_first + m->message_count++) % MONITOR_MESSAGES_MAX;
	m->message[at].wall_us = now.wall_us;
	m->message[at].bad = bad;
	va_start(args, format);
	vsnprintf(m->message[at].text, sizeof(m->message[at].text), format, args);
	va_end(args);
	m->status_us = now.boot_us + STATUS_US;
	/* Who reads older ones goes on reading them. */
	m->messages.at += m->messages.at > 0;
}

void monitor_copy(struct monitor *m, struct moment now, const char *text)
{
	if (text[0] == '\0')
		return;
	monitor_wish(m, WISH_COPY, text);
	monitor_say(m, now, false, "copied %s", text);
}

const char *monitor_forbids(const struct monitor *m)
{
	if (m->read_only)
		return m->read_only_why;
	if (strcmp(m->link.role, "viewer") == 0)
		return "your role is viewer: you may look, not act";
	if (!m->link.up)
		return "there is no link to a server: actions are off until it is back";
	return NULL;
}

bool monitor_is_old(const struct monitor *m, struct moment now)
{
	if (m->link.source == SOURCE_GROUP || (!m->link.up && !m->link.ever_up))
		return false;
	if (!m->link.up)
		return true;
	return m->link.source == SOURCE_NONE && m->link.heard_us != 0 &&
	       now.boot_us - m->link.heard_us > UNHEARD_US;
}

struct moment monitor_shown_moment(const struct monitor *m, struct moment now)
{
	int64_t age_us = now.boot_us - m->link.heard_us;

	if (!monitor_is_old(m, now) || m->link.heard_us == 0 || age_us <= 0)
		return now;
	return (struct moment){ now.wall_us - age_us, now.boot_us - age_us };
}

/* ---- keys ---- */

static void freeze_picture(struct monitor *m, bool on)
{
	if (m->frozen == on)
		return;
	m->frozen = on;
	m->frozen_us = m->now.boot_us;
	m->frozen_total = m->book->event_total;
	if (!on && m->frozen_canvas.rows > 0) {
		canvas_fini(&m->frozen_canvas);
		m->frozen_canvas = (struct canvas){ 0 };
	}
}

static void open_menu(struct monitor *m)
{
	size_t count = 0;

	if (monitor_view(m) != VIEW_JOBS) {
		char *key = monitor_view(m) == VIEW_JOB ? m->job.key : m->why_key;
		if (key[0] != '\0')
			deed_open(m, &key, 1);
		return;
	}
	rows_update(&m->rows, m->book, m->now);
	struct book_job *job = rows_current(&m->rows);
	char **target = say_calloc(rows_tag_count(&m->rows) + 1, sizeof(*target));
	for (struct rows_tag *tag = m->rows.tags; tag != NULL; tag = tag->hh.next)
		target[count++] = tag->key;
	if (count == 0 && job != NULL)
		target[count++] = job->key;
	if (count > 0)
		deed_open(m, target, count);
	else
		monitor_say(m, m->now, false, "no job is selected");
	free(target);
}

static void begin_line(struct monitor *m, enum intent action)
{
	if (views[monitor_view(m)]->typed == NULL)
		return;
	typing_begin(m, action == ACTION_SEARCH ? TYPING_SEARCH : TYPING_SAVE, "");
}

static void close_view(struct monitor *m)
{
	if (!go_back(m))
		monitor_wish(m, WISH_QUIT, NULL);
}

/* What a key does that no view wants for itself. */
static void act_everywhere(struct monitor *m, enum intent action)
{
	switch (action) {
	case ACTION_HELP:
		if (monitor_view(m) == VIEW_HELP)
			go_back(m);
		else
			monitor_push(m, VIEW_HELP);
		break;
	case ACTION_BACK: go_back(m); break;
	case ACTION_CLOSE: close_view(m); break;
	case ACTION_QUIT: monitor_wish(m, WISH_QUIT, NULL); break;
	case ACTION_VIEW_JOBS: monitor_show(m, VIEW_JOBS); break;
	case ACTION_VIEW_SERVERS: monitor_show(m, VIEW_SERVERS); break;
	case ACTION_VIEW_EVENTS: monitor_show(m, VIEW_EVENTS); break;
	case ACTION_VIEW_NEXT: show_neighbour(m, 1); break;
	case ACTION_VIEW_BEFORE: show_neighbour(m, -1); break;
	case ACTION_COMMAND: typing_begin(m, TYPING_COMMAND, ""); break;
	case ACTION_FILTER: typing_begin(m, TYPING_FILTER, m->rows.filter); break;
	case ACTION_JUMP: typing_begin(m, TYPING_JUMP, ""); break;
	case ACTION_SEARCH:
	case ACTION_SAVE: begin_line(m, action); break;
	case ACTION_OTHER_SERVER: typing_begin(m, TYPING_SERVER, ""); break;
	case ACTION_RETRY:
		monitor_wish(m, WISH_RETRY, NULL);
		monitor_say(m, m->now, false, m->link.up ? "asking again" : "connecting now");
		break;
	case ACTION_MENU: open_menu(m); break;
	case ACTION_REDRAW: monitor_wish(m, WISH_REDRAW, NULL); break;
	case ACTION_MOUSE:
		m->mouse = !m->mouse;
		monitor_wish(m, WISH_MOUSE, m->mouse ? "on" : "off");
		monitor_say(m, m->now, false, "mouse %s", m->mouse ?
			    "on: Shift and drag selects text" : "off");
		break;
	case ACTION_ASCII:
		m->ascii = !m->ascii;
		monitor_wish(m, WISH_ASCII, m->ascii ? "on" : "off");
		break;
	case ACTION_COLORS: monitor_wish(m, WISH_PALETTE, NULL); break;
	case ACTION_FREEZE: freeze_picture(m, true); break;
	case ACTION_ZONE:
		m->utc = !m->utc;
		monitor_say(m, m->now, false, m->utc ? "times are UTC" : "times are local");
		break;
	case ACTION_CLICK: {
		enum view_id view = header_tab_at(m, m->click_row, m->click_col);
		if (view != VIEW_COUNT)
			monitor_show(m, view);
		break;
	}
	default: break;
	}
}

/* Leaving and help belong to nobody else; everything else is offered to the view first. */
static void handle_action(struct monitor *m, enum intent action)
{
	const struct view *view = views[monitor_view(m)];
	bool own = action != ACTION_CLOSE && action != ACTION_QUIT && action != ACTION_HELP;

	if (own && view->act != NULL && view->act(m, action, m->now))
		return;
	act_everywhere(m, action);
}

bool monitor_is_typing(const struct monitor *m)
{
	if (deed_is_open(&m->deed))
		return m->deed.state == DEED_REASON;
	return m->typing != TYPING_NOTHING;
}

static void handle_view_key(struct monitor *m, int key)
{
	enum intent action = key_action(monitor_view(m), key);

	if (m->frozen && action != ACTION_NONE) {
		freeze_picture(m, false);
		if (action == ACTION_FREEZE)
			return;
	}
	if (action != ACTION_NONE)
		handle_action(m, action);
	else if (monitor_view(m) == VIEW_HELP)
		go_back(m);
}

void monitor_key(struct monitor *m, int key, int click_row, int click_col, struct moment now)
{
	m->now = now;
	m->rows.key_us = now.boot_us;
	m->click_row = click_row;
	m->click_col = click_col;
	if (m->status_us - now.boot_us < STATUS_US - STATUS_LEAST_US)
		m->status_us = 0;
	if (key == PRESS_CTRL_C || (key == 'Q' && !monitor_is_typing(m)))
		monitor_wish(m, WISH_QUIT, NULL);
	else if (deed_is_open(&m->deed))
		deed_key(m, key, now);
	else if (m->typing != TYPING_NOTHING)
		typing_key(m, key, now);
	else
		handle_view_key(m, key);
}

/* ---- answers ---- */

void monitor_take_letter(struct monitor *m, const struct letter *letter, struct moment now)
{
	m->now = now;
	if (deed_take_letter(m, letter, now))
		return;
	for (size_t i = 0; i < VIEW_COUNT; i++) {
		if (views[i]->letter != NULL && views[i]->letter(m, letter, now))
			return;
	}
}

void monitor_take_output(struct monitor *m, const void *data, size_t len, bool done, int status,
			 struct moment now)
{
	m->now = now;
	if (!m->output_running)
		return;
	if (len > 0)
		text_add(&m->output, data, len);
	if (!done)
		return;
	text_end(&m->output);
	m->output_running = false;
	if (status > 128)
		text_print(&m->output, "-- ended by signal %d", status - 128);
	else
		text_print(&m->output, status == 0 ? "-- done" : "-- exit %d", status);
	/* Who closed its view has stopped it. */
	if (monitor_view(m) != VIEW_OUTPUT && status < 128)
		monitor_say(m, now, status != 0, "%s: %s", m->output_title,
			    status == 0 ? "done" : "failed");
}

/* ---- the picture ---- */

static void draw_live(struct monitor *m, struct canvas *c, struct moment now)
{
	struct header_place place;

	m->heads_row = m->list_row = m->tabs_row = -1;
	m->drawn_cols = c->cols;
	c->cursor_row = c->cursor_col = -1;
	rows_update(&m->rows, m->book, now);
	if (small_fits(m, c)) {
		small_draw(m, c, now);
		return;
	}
	header_draw(m, c, now, &place);
	if (place.rows > 0)
		views[monitor_view(m)]->draw(m, c, place.row, place.rows, now);
	header_draw_keys(m, c, now, &place);
}

/* What fits of the picture that was there when it was frozen. */
static void draw_frozen(struct monitor *m, struct canvas *c, struct moment now)
{
	struct canvas *from = &m->frozen_canvas;

	if (from->rows == 0) {
		canvas_init(from, c->rows, c->cols, c->utf8);
		draw_live(m, from, now);
	}
	for (int row = 0; row < c->rows && row < from->rows; row++) {
		int cols = c->cols < from->cols ? c->cols : from->cols;
		memcpy(&c->cells[(size_t)row * (size_t)c->cols],
		       &from->cells[(size_t)row * (size_t)from->cols],
		       (size_t)cols * sizeof(struct cell));
		if (cols < from->cols)	/* half of a wide character */
			canvas_put(c, row, cols - 1, 1, STYLE_PLAIN, " ");
	}
	header_draw_frozen(m, c, now);
}

void monitor_draw(struct monitor *m, struct canvas *c, struct moment now)
{
	m->now = now;
	if (m->link.up)
		snprintf(m->link.was, sizeof(m->link.was), "%s", m->link.server);
	canvas_clear(c);
	if (m->frozen)
		draw_frozen(m, c, now);
	else
		draw_live(m, c, now);
	if (deed_is_open(&m->deed))
		deed_draw(m, c, now);
	else if (m->typing != TYPING_NOTHING)
		typing_draw(m, c);
	else
		header_draw_status(m, c, now);
	m->drawn = now;
}

int64_t monitor_due_us(const struct monitor *m, struct moment now)
{
	if (m->drawn.boot_us == 0)
		return now.boot_us;
	int64_t second = m->drawn.boot_us + SECOND_US - m->drawn.wall_us % SECOND_US;
	if (m->status_us > m->drawn.boot_us && m->status_us < second)
		return m->status_us;
	return second;
}
