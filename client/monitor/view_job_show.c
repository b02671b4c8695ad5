/*
 * view_job_show.c - the picture of one job.
 *
 *	what it is: state, run, what it waits for, what waits for it, schedule	1 to 6 rows
 *	its runs, newest first							0 to a third
 *	the output of the chosen run						the rest, 3 at least
 */
#include "client/monitor/view_job_own.h"

#include "client/monitor/textview.h"
#include "client/monitor/when.h"
#include "proto/names.h"

#include <stdio.h>
#include <string.h>

enum { LABEL = 8, LOG_LEAST = 3, RUNS_LEAST = 2, RUNS_MOST = 8, RUNS_WIDE = 60 };

static enum style verdict_style(const char *text)
{
	return strncmp(text, "ok ", 3) == 0 ? STYLE_GOOD : strncmp(text, "NO ", 3) == 0 ? STYLE_BAD
		: STYLE_WARN;
}

/* ---- what it is ---- */

static void draw_title(struct monitor *m, struct canvas *c, int row, const struct book_job *job,
		       struct moment now)
{
	const struct job_view *v = &m->job;
	char since[WHEN_SIZE] = "", right[512];
	enum jobstate state = job != NULL ? book_job_shown(job) : JOBSTATE_UNKNOWN;

	if (job != NULL)
		when_instant(job->since_us, now, m->utc, since);
	snprintf(right, sizeof(right), "%s%s %s%s%s%s", v->of[0] != '\0' ? "log of what " : "",
		 v->of, v->of[0] != '\0' ? "waits for  " : "",
		 job != NULL ? jobstates[state].word : "not known here",
		 since[0] != '\0' && strcmp(since, "-") != 0 ? " " : "",
		 strcmp(since, "-") != 0 ? since : "");
	if (job != NULL && job->exit_code > 0) {
		size_t len = strlen(right);
		snprintf(right + len, sizeof(right) - len, " exit %d", job->exit_code);
	}
	int width = canvas_width(c, right), room = c->cols - width - 3;
	if (room < 12)
		room = 12;
	int used = canvas_put_middle(c, row, 1, room, STYLE_BOLD, v->key);
	canvas_put(c, row, used + 3, -1, STYLE_STATE + state, right);
}

/* How long a run took, or has taken so far; one that ended nobody knows when: "-". */
static void write_took(const struct run_shown *run, struct moment now, char out[WHEN_SIZE])
{
	enum jobstate state = jobstate_parse(run->state);
	bool active = state < JOBSTATE_COUNT && jobstates[state].active;

	when_span(run->took_us >= 0 ? run->took_us : active && run->start_us != 0 ?
		  now.wall_us - run->start_us : -1, out);
}

static void draw_run_line(struct monitor *m, struct canvas *c, int row, struct moment now)
{
	const struct job_view *v = &m->job;
	char took[WHEN_SIZE], attempt[24] = "";

	if (v->run_count == 0) {
		const char *text = v->trouble[0] != '\0' ? v->trouble : !m->link.up ? "no link"
			: v->runs_tag != 0 ? "asking for its runs" : "it has not run yet";
		canvas_print(c, row, 1, -1, v->trouble[0] != '\0' ? STYLE_BAD : STYLE_DIM, "%s",
			     text);
		return;
	}
	const struct run_shown *run = &v->run[v->run_at];
	write_took(run, now, took);
	if (run->attempts > 0)
		snprintf(attempt, sizeof(attempt), "  try %u", run->attempts);
	canvas_print(c, row, 1, -1, STYLE_PLAIN, "run %llu@%s%s  by %s  %s%s%s%s%s",
		     (unsigned long long)run->run, run->server, attempt, run->by, took,
		     v->user_line != NULL ? "  as user " : "",
		     v->user_line != NULL ? v->user_line : "", v->trouble[0] != '\0' ? "  " : "",
		     v->trouble);
}

/* Requirements side by side; those that are not met first. Returns the rows used, most at most. */
static int draw_needs(const struct job_view *v, struct canvas *c, int row, int most)
{
	int col = LABEL, used = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < v->line_count; i++) {
			const char *line = v->line[i];
			if ((strncmp(line, "ok ", 3) == 0) != (pass == 1))
				continue;
			int width = canvas_width(c, line);
			if (used > 0 && col > LABEL && col + width > c->cols) {
				if (used == most)
					return used;
				col = LABEL;
				used++;
			} else if (used == 0) {
				canvas_put(c, row, 1, LABEL - 1, STYLE_DIM, "needs");
				used = 1;
			}
			size_t len = strcspn(line, " ");
			char verdict[8];
			snprintf(verdict, sizeof(verdict), "%.*s", (int)len, line);
			canvas_put(c, row + used - 1, col, 2, verdict_style(line), verdict);
			col += 2 + canvas_put(c, row + used - 1, col + 2, -1, STYLE_PLAIN,
					      line + len) + 3;
		}
	}
	return used;
}

/* What waits for it, each with its state as the book has it. */
static int draw_consumers(struct monitor *m, struct canvas *c, int row)
{
	const struct job_view *v = &m->job;
	int col = LABEL;

	if (v->consumer_count == 0)
		return 0;
	canvas_put(c, row, 1, LABEL - 1, STYLE_DIM, "then");
	for (size_t i = 0; i < v->consumer_count; i++) {
		const struct book_job *job = book_find_job(m->book, v->consumer[i]);
		enum jobstate state = job != NULL ? book_job_shown(job) : JOBSTATE_UNKNOWN;
		int width = 3 + canvas_width(c, v->consumer[i]);
		if (i > 0 && col + width > c->cols - 6) {
			canvas_print(c, row, col, -1, STYLE_PLAIN, "+ %zu", v->consumer_count - i);
			break;
		}
		canvas_put(c, row, col, 2, STYLE_STATE + state, jobstates[state].code);
		col += 3 + canvas_put(c, row, col + 3, -1, STYLE_PLAIN, v->consumer[i]) + 3;
	}
	return 1;
}

static int draw_text(struct canvas *c, int row, const char *label, const char *text)
{
	if (text == NULL)
		return 0;
	canvas_put(c, row, 1, LABEL - 1, STYLE_DIM, label);
	canvas_put(c, row, LABEL, -1, STYLE_PLAIN, text);
	return 1;
}

static int draw_about(struct monitor *m, struct canvas *c, int row, int most, struct moment now)
{
	const struct job_view *v = &m->job;
	int used = 1;

	draw_title(m, c, row, book_find_job(m->book, v->key), now);
	if (used < most)
		draw_run_line(m, c, row + used++, now);
	if (used < most)
		used += draw_needs(v, c, row + used, most - used > 3 ? 2 : 1);
	if (used < most)
		used += draw_consumers(m, c, row + used);
	if (used < most)
		used += draw_text(c, row + used, "when", v->schedule);
	if (used < most)
		used += draw_text(c, row + used, "about", v->about);
	return used;
}

/* ---- runs ---- */

static void draw_run(struct monitor *m, struct canvas *c, int row, const struct run_shown *run,
		     struct moment now)
{
	enum jobstate state = jobstate_parse(run->state);
	char start[WHEN_SIZE], took[WHEN_SIZE], exit[20];

	when_instant(run->start_us, now, m->utc, start);
	write_took(run, now, took);
	if (run->exit_code >= 0)
		snprintf(exit, sizeof(exit), "%d", run->exit_code);
	else
		snprintf(exit, sizeof(exit), "%s", run->state);
	enum style style = state < JOBSTATE_COUNT ? STYLE_STATE + state : STYLE_PLAIN;
	if (c->cols < RUNS_WIDE) {
		when_short(run->start_us, now, m->utc, start);
		canvas_print(c, row, 1, 18, STYLE_PLAIN, "%-8llu %-8s",
			     (unsigned long long)run->run, start);
		canvas_print(c, row, 19, 8, style, "%8s", exit);
		canvas_put(c, row, 28, -1, STYLE_PLAIN, run->by);
		return;
	}
	canvas_print(c, row, 1, -1, STYLE_PLAIN, "%-8llu %-16s %8s %4u  ",
		     (unsigned long long)run->run, start, took, run->attempts);
	canvas_print(c, row, 42, 8, style, "%8s", exit);
	canvas_put(c, row, 52, -1, STYLE_PLAIN, run->by);
}

static int draw_runs(struct monitor *m, struct canvas *c, int row, int most, struct moment now)
{
	struct job_view *v = &m->job;
	int room = most - 1;

	if (v->run_count == 0 || room < 1)
		return 0;
	canvas_fill(c, row, 0, 1, c->cols, STYLE_TITLE);
	canvas_put(c, row, 1, -1, STYLE_TITLE, c->cols < RUNS_WIDE
		   ? "RUN      START         EXIT BY"
		   : "RUN      START                TOOK  TRY       EXIT  BY");
	if ((size_t)room > v->run_count)
		room = (int)v->run_count;
	if (v->run_at < v->run_top)
		v->run_top = v->run_at;
	if (v->run_at >= v->run_top + (size_t)room)
		v->run_top = v->run_at - (size_t)room + 1;
	if (v->run_top + (size_t)room > v->run_count)
		v->run_top = v->run_count - (size_t)room;
	for (int i = 0; i < room; i++) {
		size_t at = v->run_top + (size_t)i;
		draw_run(m, c, row + 1 + i, &v->run[at], now);
		if (at != v->run_at)
			continue;
		canvas_put(c, row + 1 + i, 0, 1, STYLE_BOLD, ">");
		if (!v->log_focus)
			canvas_select(c, row + 1 + i, 0, c->cols);
	}
	return 1 + room;
}

/* ---- the log ---- */

static void draw_log_title(struct monitor *m, struct canvas *c, int row)
{
	const struct job_view *v = &m->job;
	bool grows = v->log_tag != 0 && (v->log_live || !v->log_heard);
	char left[160], right[96], state[48], bytes[NAME_DURATION_SIZE] = "";

	canvas_line(c, row, 0, c->cols);
	if (v->log_run == 0)
		snprintf(left, sizeof(left), " log ");
	else
		snprintf(left, sizeof(left), " log %llu  %s%llu line%s ",
			 (unsigned long long)v->log_run, v->log_first > 0 ? "last " : "",
			 (unsigned long long)text_total(&v->log),
			 text_total(&v->log) == 1 ? "" : "s");
	canvas_put(c, row, 2, c->cols - 2, v->log_focus ? STYLE_TITLE : STYLE_PLAIN, left);
	textview_state(&v->log, grows || (!v->log.follow && v->log.unseen > 0), state,
		       sizeof(state));
	if (!m->link.up && (v->log_tag == 0 || !v->log_live))
		snprintf(state, sizeof(state), "no link");
	else if (v->log_home && v->log_total > 0)
		snprintf(state, sizeof(state), "fetching %u%%",
			 (unsigned)(v->log_next * 100 / v->log_total));
	else if (v->log_tag != 0 && !v->log_heard && !v->log_live)
		snprintf(state, sizeof(state), "asking");
	if (v->log_total > 0) {
		if (v->log_total < 1024)
			snprintf(bytes, sizeof(bytes), "%llu B", (unsigned long long)v->log_total);
		else
			snprintf(bytes, sizeof(bytes), "%llu kB",
				 (unsigned long long)v->log_total / 1024);
	}
	snprintf(right, sizeof(right), " %s%swrap %s%s%s ", bytes, bytes[0] != '\0' ? "  " : "",
		 v->log.wrap ? "on" : "off", state[0] != '\0' ? "  " : "", state);
	int room = c->cols - 2 - canvas_width(c, left) - 2;
	if (canvas_width(c, right) > room)
		snprintf(right, sizeof(right), " %s ", state);
	enum style style = strcmp(state, "no link") == 0 ? STYLE_BAD
		: strncmp(state, "PAUSED", 6) == 0 ? STYLE_WARN : STYLE_PLAIN;
	if (canvas_width(c, right) <= room && right[1] != ' ')
		canvas_put_right(c, row, c->cols - 1, room, style, right);
}

static void draw_log(struct monitor *m, struct canvas *c, int row, int rows)
{
	struct job_view *v = &m->job;

	if (rows < 1)
		return;
	draw_log_title(m, c, row++);
	rows--;
	if (v->log_why[0] != '\0' && rows > 0) {
		canvas_put(c, row + rows - 1, 1, -1, v->log_retry ? STYLE_BAD : STYLE_DIM,
			   v->log_why);
		rows--;
	} else if (v->log_done && text_total(&v->log) == 0 && rows > 0) {
		canvas_put(c, row, 1, -1, STYLE_DIM, "it wrote nothing");
	}
	text_draw(&v->log, c, row, 1, rows, c->cols - 1);
}

void job_view_draw(struct monitor *m, struct canvas *c, int row, int rows, struct moment now)
{
	job_view_refresh(m, now);
	int about = rows >= 16 ? 7 : rows >= 12 ? 4 : rows >= 8 ? 2 : 1;
	int used = draw_about(m, c, row, about, now);
	if (rows >= 12) {
		canvas_line(c, row + used, 0, c->cols);
		used++;
	}
	int most = (rows - used) / 3;
	most = most < RUNS_LEAST ? RUNS_LEAST : most > RUNS_MOST ? RUNS_MOST : most;
	if (rows - used - (most + 1) >= LOG_LEAST + 1)
		used += draw_runs(m, c, row + used, most + 1, now);
	draw_log(m, c, row + used, rows - used);
}
