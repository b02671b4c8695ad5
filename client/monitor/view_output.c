/*
 * view_output.c - what a : command said. Esc ends it when it is still running.
 */
#include "client/monitor/textview.h"

static void draw(struct monitor *m, struct canvas *c, int row, int rows, struct moment now)
{
	(void)now;
	canvas_put(c, row, 0, -1, STYLE_TITLE, " chime ");
	canvas_put_middle(c, row, 7, c->cols - 7 - 28 > 8 ? c->cols - 7 - 28 : 8, STYLE_TITLE,
			  m->output_title);
	if (m->output_running)
		canvas_put_right(c, row, c->cols, c->cols / 2, STYLE_WARN, m->output.follow
				 ? "running, Esc stops it  FOLLOW" : "running, Esc stops it");
	if (rows > 1)
		text_draw(&m->output, c, row + 1, 1, rows - 1, c->cols - 1);
}

static bool act(struct monitor *m, enum intent action, struct moment now)
{
	return textview_act(m, &m->output, action, now);
}

static void close_output(struct monitor *m)
{
	if (m->output_running)
		monitor_wish(m, WISH_STOP_COMMAND, NULL);
}

static void typed(struct monitor *m, enum typing what, const char *line, struct moment now)
{
	textview_typed(m, &m->output, what, line, now);
}

const struct view view_output = {
	.title = "Output",
	.draw = draw,
	.act = act,
	.close = close_output,
	.typed = typed,
};
