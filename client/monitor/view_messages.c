/*
 * view_messages.c - what the status line said, newest at the bottom.
 */
#include "client/monitor/monitor.h"
#include "client/monitor/when.h"
#include "client/monitor/wrap.h"

#include <stdio.h>

/* at: how many messages are below the last one shown. */

static const struct message *find_message(const struct monitor *m, size_t i)
{
	return &m->message[(m->message_first + i) % MONITOR_MESSAGES_MAX];
}

static void draw(struct monitor *m, struct canvas *c, int row, int rows, struct moment now)
{
	char when[WHEN_SIZE];
	int title = rows >= 4 ? 1 : 0, text = 11;

	if (title > 0)
		canvas_print(c, row, c->cols >= 60 ? 1 : 0, -1, STYLE_TITLE,
			     "Messages   %zu of this session", m->message_count);
	row += title;
	rows -= title;
	m->messages.height = (size_t)rows;
	if (m->messages.at >= m->message_count)
		m->messages.at = m->message_count > 0 ? m->message_count - 1 : 0;
	if (m->message_count == 0)
		canvas_put(c, row, 1, -1, STYLE_PLAIN, "Nothing was said yet.");
	size_t end = m->message_count - m->messages.at, first = end;
	int used = 0, width = c->cols - text > 8 ? c->cols - text : 8;
	while (first > 0 && used < rows)
		used += wrap_rows(c, width, find_message(m, --first)->text);
	if (used > rows && first + 1 < end)
		first++;
	for (size_t i = first; i < end && rows > 0; i++) {
		const struct message *message = find_message(m, i);
		when_short(message->wall_us, now, m->utc, when);
		canvas_put(c, row, 1, 8, STYLE_DIM, when);
		int n = wrap_put(c, row, text, rows, width,
					   message->bad ? STYLE_BAD : STYLE_PLAIN, message->text);
		row += n;
		rows -= n;
	}
}

static void move_by(struct monitor *m, long long by)
{
	long long at = (long long)m->messages.at - by, most = (long long)m->message_count - 1;

	m->messages.at = at < 0 || most < 0 ? 0 : (size_t)(at > most ? most : at);
}

static bool act(struct monitor *m, enum intent action, struct moment now)
{
	long long page = m->messages.height > 1 ? (long long)m->messages.height - 1 : 1;

	(void)now;
	switch (action) {
	case ACTION_UP: move_by(m, -1); return true;
	case ACTION_DOWN: move_by(m, 1); return true;
	case ACTION_PAGE_UP: move_by(m, -page); return true;
	case ACTION_PAGE_DOWN: move_by(m, page); return true;
	case ACTION_WHEEL_UP: move_by(m, -3); return true;
	case ACTION_WHEEL_DOWN: move_by(m, 3); return true;
	case ACTION_HOME: move_by(m, -MONITOR_MESSAGES_MAX); return true;
	case ACTION_END:
	case ACTION_FOLLOW: m->messages.at = 0; return true;
	default: return false;
	}
}

static void open_messages(struct monitor *m, struct moment now)
{
	(void)now;
	m->messages.at = 0;
}

const struct view view_messages = {
	.title = "Messages", .draw = draw, .act = act, .open = open_messages,
};
