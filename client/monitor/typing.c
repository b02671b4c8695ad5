/*
 * typing.c - see typing.h.
 */
#include "client/monitor/typing.h"

#include "client/monitor/commandline.h"
#include "client/monitor/complete.h"
#include "client/monitor/screen.h"

#include <stdio.h>
#include <string.h>

void typing_begin(struct monitor *m, enum typing what, const char *text)
{
	size_t limit = what == TYPING_FILTER ? ROWS_FILTER_SIZE - 1 : EDIT_SIZE - 1;

	m->typing = what;
	m->typing_note[0] = '\0';
	m->history_at = m->history_count;
	edit_begin(&m->edit, text, limit);
	snprintf(m->before_typing, sizeof(m->before_typing), "%s",
		 what == TYPING_JUMP ? m->rows.cursor : m->rows.filter);
}

static void end_typing(struct monitor *m)
{
	m->typing = TYPING_NOTHING;
	m->typing_note[0] = '\0';
}

/* ---- each kind ---- */

/* Applies what is typed; false when it is no filter (yet). */
static bool apply_filter(struct monitor *m)
{
	char whole[EDIT_SIZE], err[160];
	struct filter filter;
	size_t used = 0;

	m->typing_note[0] = '\0';
	if (rows_set_filter(&m->rows, m->edit.text, m->typing_note, sizeof(m->typing_note)) == 0)
		return true;
	/* What is shown and told in the header is what the other words say. */
	for (const char *p = m->edit.text + strspn(m->edit.text, " \t"); *p != '\0'; ) {
		size_t len = strcspn(p, " \t");
		int n = snprintf(whole + used, sizeof(whole) - used, "%s%.*s", used > 0 ? " " : "",
				 (int)len, p);
		if (filter_parse(&filter, whole, err, sizeof(err)) == 0)
			used += (size_t)n;
		whole[used] = '\0';
		p += len;
		p += strspn(p, " \t");
	}
	rows_set_filter(&m->rows, used > 0 ? whole : "", err, sizeof(err));
	return false;
}

static void apply_jump(struct monitor *m)
{
	m->typing_note[0] = '\0';
	rows_update(&m->rows, m->book, m->now);
	if (m->edit.len > 0 && !rows_go_to_prefix(&m->rows, m->edit.text))
		snprintf(m->typing_note, sizeof(m->typing_note), "nothing shown begins so");
}

static void leave(struct monitor *m)
{
	char err[160];

	if (m->typing == TYPING_FILTER)
		rows_set_filter(&m->rows, m->before_typing, err, sizeof(err));
	if (m->typing == TYPING_JUMP) {
		rows_update(&m->rows, m->book, m->now);
		rows_go_to(&m->rows, m->before_typing);
	}
	end_typing(m);
}

static void change_server(struct monitor *m, char *server)
{
	server += strspn(server, " ");
	server[strcspn(server, " ")] = '\0';
	if (server[0] == '\0')
		return;
	monitor_wish(m, WISH_CHANGE_SERVER, server);
	monitor_say(m, m->now, false, "connecting to %s", server);
}

static void take_line(struct monitor *m)
{
	enum typing what = m->typing;
	const struct view *view = views[monitor_view(m)];
	struct edit edit = m->edit;

	if (what == TYPING_FILTER && !apply_filter(m))
		return;
	end_typing(m);
	switch (what) {
	case TYPING_COMMAND: commandline_run(m, edit.text); break;
	case TYPING_SERVER: change_server(m, edit.text); break;
	case TYPING_SEARCH:
	case TYPING_SAVE:
		if (view->typed != NULL)
			view->typed(m, what, edit.text, m->now);
		break;
	case TYPING_FILTER:
	case TYPING_JUMP:
	case TYPING_NOTHING: break;
	}
}

/* ---- keys ---- */

static void walk_history(struct monitor *m, int by)
{
	if (m->typing != TYPING_COMMAND)
		return;
	if (by < 0 && m->history_at > 0)
		m->history_at--;
	else if (by > 0 && m->history_at < m->history_count)
		m->history_at++;
	else
		return;
	edit_begin(&m->edit, m->history_at < m->history_count ? m->history[m->history_at] : "",
		   EDIT_SIZE - 1);
}

static void move_by(struct monitor *m, int by)
{
	bool list = m->typing == TYPING_FILTER || m->typing == TYPING_JUMP;

	if (list && monitor_view(m) == VIEW_JOBS) {
		rows_update(&m->rows, m->book, m->now);
		rows_move(&m->rows, by);
	} else {
		walk_history(m, by);
	}
}

static void edit_line(struct monitor *m, int key)
{
	if (!edit_key(&m->edit, key))
		return;
	m->typing_note[0] = '\0';
	if (m->typing == TYPING_FILTER)
		apply_filter(m);
	else if (m->typing == TYPING_JUMP)
		apply_jump(m);
}

void typing_key(struct monitor *m, int key, struct moment now)
{
	m->now = now;
	switch (key) {
	case PRESS_ENTER: take_line(m); break;
	case PRESS_ESCAPE: leave(m); break;
	case PRESS_UP: move_by(m, -1); break;
	case PRESS_DOWN: move_by(m, 1); break;
	case PRESS_TAB:
		if (m->typing == TYPING_COMMAND)
			complete_command(m);
		else if (m->typing == TYPING_SERVER)
			complete_server(m);
		break;
	case PRESS_BACKSPACE:
		if (m->edit.len == 0 && m->typing != TYPING_FILTER)
			leave(m);
		else
			edit_line(m, key);
		break;
	default: edit_line(m, key); break;
	}
}

/* ---- the picture ---- */

static void write_prompt(const struct monitor *m, char *out, size_t size)
{
	size_t len;

	switch (m->typing) {
	case TYPING_FILTER: snprintf(out, size, "/"); break;
	case TYPING_COMMAND: snprintf(out, size, ":"); break;
	case TYPING_JUMP: snprintf(out, size, "jump to "); break;
	case TYPING_SEARCH: snprintf(out, size, "search "); break;
	case TYPING_SAVE: snprintf(out, size, "save to file "); break;
	case TYPING_SERVER:
		len = (size_t)snprintf(out, size, "ask server");
		for (size_t i = 0; i < m->link.other_count && i < 4 && len < size; i++)
			len += (size_t)snprintf(out + len, size - len, "%s%.20s",
						i == 0 ? " (" : ", ", m->link.others[i]);
		if (len < size)
			snprintf(out + len, size - len, m->link.other_count > 0 ? "): " : ": ");
		break;
	case TYPING_NOTHING: out[0] = '\0'; break;
	}
}

void typing_draw(struct monitor *m, struct canvas *c)
{
	char prompt[160];
	int row = c->rows - 1;

	write_prompt(m, prompt, sizeof(prompt));
	edit_draw(&m->edit, c, row, 0, c->cols, prompt);
	if (m->typing_note[0] == '\0' || c->rows < 4)
		return;
	canvas_fill(c, row - 1, 0, 1, c->cols, STYLE_WARN);
	canvas_put(c, row - 1, c->cols >= 60 ? 1 : 0, c->cols - 1, STYLE_WARN, m->typing_note);
}
