/*
 * view_jobs.c - the home: all jobs, trouble first, and why the selected one is as it is.
 *
 * Columns, by width:
 *
 *	>= 132		ST JOB SERVER START TOOK NEXT RUN EXIT SINCE NOTE
 *	100 - 131	ST JOB SERVER START TOOK NEXT RUN NOTE
 *	80 - 99		ST JOB SERVER START TOOK NEXT NOTE
 *	60 - 79		ST JOB@SERVER TOOK NEXT NOTE
 *	40 - 59		ST JOB@SERVER SINCE
 */
#include "client/monitor/monitor.h"
#include "client/monitor/note.h"
#include "client/monitor/when.h"
#include "client/monitor/wrap.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { SECOND_US = 1000000, WHEEL_ROWS = 3 };

enum job_column { COL_JOB, COL_SERVER, COL_START, COL_TOOK, COL_NEXT, COL_RUN, COL_EXIT,
		  COL_SINCE, COL_NOTE, COL_COUNT };

static const struct {
	const char *head;
	int width;			/* without the gap before it; 0 = what is left */
	bool right;
	enum rows_sort sort;		/* SORT_COUNT = none */
} columns[COL_COUNT] = {
	[COL_JOB] = { "JOB", 0, false, SORT_JOB },
	[COL_SERVER] = { "SERVER", 6, false, SORT_SERVER },
	[COL_START] = { "START", 8, true, SORT_SINCE },
	[COL_TOOK] = { "TOOK", 6, true, SORT_COUNT },
	[COL_NEXT] = { "NEXT", 5, true, SORT_NEXT },
	[COL_RUN] = { "RUN", 8, true, SORT_COUNT },
	[COL_EXIT] = { "EXIT", 4, true, SORT_COUNT },
	[COL_SINCE] = { "SINCE", 7, true, SORT_SINCE },
	[COL_NOTE] = { "NOTE", 0, false, SORT_COUNT },
};

/* Where the columns are; width 0 = not shown. */
struct layout {
	int at[COL_COUNT], width[COL_COUNT];
	int code;			/* column of ST */
	bool joined;			/* JOB is job@server */
};

/* ---- the layout ---- */

static void place(struct layout *l, enum job_column column, int *at, int gap, int width)
{
	*at += gap;
	l->at[column] = *at;
	l->width[column] = width;
	*at += width;
}

static int clamp(int value, int least, int most)
{
	return value < least ? least : value > most ? most : value;
}

/* The longest names of the first 2000 rows decide, so that scrolling does not move columns. */
static void measure_names(const struct rows *rows, int *job, int *server)
{
	*job = 3;
	*server = 6;
	for (size_t i = 0; i < rows->count && i < 2000; i++) {
		const struct book_job *row = rows->list[i];
		int name = (int)row->job_len, on = (int)strlen(row->server);
		*job = name > *job ? name : *job;
		*server = on > *server ? on : *server;
	}
}

static void lay_out_narrow(struct layout *l, const struct rows *rows, int cols)
{
	int at, job, server;

	l->joined = true;
	if (cols < 60) {
		l->code = 1;
		at = 4;
		place(l, COL_JOB, &at, 0, cols - 12);
		place(l, COL_SINCE, &at, 1, 7);
		return;
	}
	l->code = 2;
	at = 5;
	measure_names(rows, &job, &server);
	place(l, COL_JOB, &at, 0, clamp(job + 1 + server, 20, 28 + (cols - 60) / 2));
	place(l, COL_TOOK, &at, 1, 6);
	place(l, COL_NEXT, &at, 1, 5);
	place(l, COL_NOTE, &at, 2, cols - at - 2);
}

static void lay_out(struct layout *l, const struct monitor *m, int cols)
{
	int job, server, at = 5, extra = 0;

	*l = (struct layout){ .code = 2 };
	if (cols < 80) {
		lay_out_narrow(l, &m->rows, cols);
		return;
	}
	measure_names(&m->rows, &job, &server);
	if (cols >= 100)
		extra += 1 + columns[COL_RUN].width;
	if (cols >= 132)
		extra += 2 + columns[COL_EXIT].width + columns[COL_SINCE].width;
	/* 35 for both names at 80 columns; of what is more a half is for names that need it. */
	int names = 35 + (cols - 80 - extra) / 2;
	int server_width = clamp(server, 6, 6 + (names - 35) / 3 + 6);
	int job_width = clamp(job + 1, 20, names - server_width - 2);
	if (cols < 100)
		job_width = names - server_width - 2;
	place(l, COL_JOB, &at, 0, job_width);
	place(l, COL_SERVER, &at, 1, server_width);
	place(l, COL_START, &at, 1, columns[COL_START].width);
	place(l, COL_TOOK, &at, 1, columns[COL_TOOK].width);
	place(l, COL_NEXT, &at, 1, columns[COL_NEXT].width);
	if (cols >= 100)
		place(l, COL_RUN, &at, 1, columns[COL_RUN].width);
	if (cols >= 132) {
		place(l, COL_EXIT, &at, 1, columns[COL_EXIT].width);
		place(l, COL_SINCE, &at, 1, columns[COL_SINCE].width);
	}
	place(l, COL_NOTE, &at, 2, cols - at - 2);
}

/* ---- a row ---- */

/* While it runs, how long it has been; its server must be heard for that. */
static void write_took(const struct book_job *job, struct moment now, char out[WHEN_SIZE])
{
	if (job->stale)
		snprintf(out, WHEN_SIZE, "-");
	else if (jobstates[job->state].active && job->started_us != 0)
		when_span(now.wall_us > job->started_us ? now.wall_us - job->started_us : 0, out);
	else
		when_span(job->took_us, out);
}

static void write_since(const struct book_job *job, struct moment now, char out[WHEN_SIZE])
{
	int64_t from = jobstates[job->state].active && job->started_us != 0 ? job->started_us :
									      job->since_us;

	if (from == 0)
		snprintf(out, WHEN_SIZE, "-");
	else
		when_span(now.wall_us > from ? now.wall_us - from : 0, out);
}

static void write_cell(const struct monitor *m, const struct book_job *job, enum job_column column,
		       struct moment now, char out[NOTE_SIZE])
{
	char text[WHEN_SIZE] = "-";

	switch (column) {
	case COL_START: when_short(job->started_us, now, m->utc, text); break;
	case COL_TOOK: write_took(job, now, text); break;
	case COL_NEXT: when_minute(job->next_s * SECOND_US, now, m->utc, text); break;
	case COL_SINCE: write_since(job, now, text); break;
	case COL_RUN:
		if (job->run != 0)
			snprintf(text, sizeof(text), "%llu", (unsigned long long)job->run);
		break;
	case COL_EXIT:
		if (job->exit_code >= 0)
			snprintf(text, sizeof(text), "%d", job->exit_code);
		break;
	case COL_NOTE: note_write(m->book, job, now, out); return;
	case COL_SERVER: snprintf(out, NOTE_SIZE, "%s", job->server); return;
	case COL_JOB:
	case COL_COUNT: break;
	}
	snprintf(out, NOTE_SIZE, "%s", text);
}

static enum style row_style(const struct book_job *job)
{
	switch (book_job_shown(job)) {
	case JOBSTATE_SUCCESS:
	case JOBSTATE_IDLE:
	case JOBSTATE_ICED:
	case JOBSTATE_SKIPPED: return STYLE_DIM;
	default: return STYLE_PLAIN;
	}
}

static void draw_name(struct canvas *c, int row, const struct layout *l,
		      const struct book_job *job, enum style style)
{
	char name[BOOK_KEY_SIZE];
	int width = l->width[COL_JOB];
	bool late = l->joined && l->width[COL_NOTE] == 0 && job->late;

	snprintf(name, sizeof(name), "%.*s", l->joined ? (int)strlen(job->key) :
		 (int)job->job_len, job->key);
	if (late)
		canvas_put_right(c, row, l->at[COL_JOB] + width, 4, STYLE_WARN, "LATE");
	canvas_put_middle(c, row, l->at[COL_JOB], late ? width - 5 : width, style, name);
}

static void put_cell(struct canvas *c, int row, const struct layout *l, enum job_column i,
		     enum style style, char text[NOTE_SIZE])
{
	int at = l->at[i], width = l->width[i];

	if (columns[i].right) {
		canvas_put_right(c, row, at + width, width, style, text);
	} else if (i == COL_NOTE) {
		note_fit(text, c, width);
		canvas_put(c, row, at, width, style, text);
	} else {
		canvas_put_middle(c, row, at, width, style, text);
	}
}

static void draw_row(struct monitor *m, struct canvas *c, int row, const struct layout *l,
		     const struct book_job *job, struct moment now)
{
	bool cursor = strcmp(job->key, m->rows.cursor) == 0, old = monitor_is_old(m, now);
	struct moment known = now;
	enum jobstate shown = book_job_shown(job);
	enum style style = row_style(job);
	char text[NOTE_SIZE];

	/* What is old does not go on counting as if it were known. */
	if (old && m->link.heard_us != 0 && m->link.heard_us < now.boot_us)
		known.wall_us -= now.boot_us - m->link.heard_us;
	canvas_put(c, row, 0, 1, STYLE_BOLD, cursor ? ">" : " ");
	snprintf(text, sizeof(text), "%s", jobstates[shown].code);
	for (char *p = text; old && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	canvas_put(c, row, l->code, 2, (enum style)(STYLE_STATE + shown), text);
	if (rows_is_tagged(&m->rows, job->key))
		canvas_put(c, row, l->code == 1 ? 3 : 1, 1, STYLE_BOLD, "*");
	draw_name(c, row, l, job, style);
	for (enum job_column i = COL_SERVER; i < COL_COUNT; i++) {
		if (l->width[i] <= 0)
			continue;
		write_cell(m, job, i, known, text);
		put_cell(c, row, l, i, i == COL_NOTE && (job->late || job->stale) ? STYLE_WARN :
			 style, text);
	}
	if (old)
		canvas_make_stale(c, row, 0, c->cols);
	if (cursor)
		canvas_select(c, row, 0, c->cols);
}

static void draw_heads(struct monitor *m, struct canvas *c, int row, const struct layout *l)
{
	canvas_put(c, row, l->code, 2, STYLE_TITLE, "ST");
	for (enum job_column i = 0; i < COL_COUNT; i++) {
		if (l->width[i] <= 0)
			continue;
		if (columns[i].right)
			canvas_put_right(c, row, l->at[i] + l->width[i], l->width[i], STYLE_TITLE,
					 columns[i].head);
		else
			canvas_put(c, row, l->at[i], l->width[i], STYLE_TITLE, columns[i].head);
	}
	m->heads_row = row;
}

/* ---- the whole ---- */

static void draw_empty(struct monitor *m, struct canvas *c, int row)
{
	if (m->rows.total == 0)
		canvas_put(c, row, 2, c->cols - 2, STYLE_PLAIN,
			   m->link.ever_up ? "No server of this environment has a job yet." :
			   "No jobs are known yet.");
	else
		canvas_put(c, row, 2, c->cols - 2, STYLE_PLAIN,
			   m->rows.trouble_only ? "No job is in trouble. ! shows all." :
			   "No job matches the filter. Esc shows all.");
}

static void draw_why(struct monitor *m, struct canvas *c, int row, int rows, struct moment now)
{
	static const char last[] = " (as heard last)";
	char why[512];
	const struct book_job *job = rows_current(&m->rows);
	int margin = c->cols >= 60 ? 1 : 0;

	if (job == NULL || rows <= 0)
		return;
	book_why(m->book, job, monitor_shown_moment(m, now), why, sizeof(why));
	if (monitor_is_old(m, now) && strlen(why) + sizeof(last) <= sizeof(why))
		memcpy(why + strlen(why), last, sizeof(last));
	/* On a narrow screen the row says already which job it is and how it stands. */
	const char *reason = c->cols < 60 ? strstr(why, ": ") : NULL;
	int used = wrap_put(c, row, margin, rows, c->cols - 2 * margin, STYLE_BOLD,
				      reason != NULL ? reason + 2 : why);
	if (used < rows && c->cols >= 60)
		canvas_put(c, row + used, margin, c->cols - 2 * margin, STYLE_DIM,
			   m->link.up ? "w all conditions   l output   a actions   Enter all about it" :
			   "l output and w conditions are asked of a server: there is no link");
}

static void draw(struct monitor *m, struct canvas *c, int row, int rows, struct moment now)
{
	struct layout l;
	int heads = rows >= 4 ? 1 : 0;
	int why = c->rows >= 16 && c->cols >= 60 ? 2 : 1;
	int blank = c->rows >= 24 ? 1 : 0;

	while (why > 0 && rows - heads - why - blank < 3)
		why--;
	int list = rows - heads - why - blank;
	if (list < 1)
		return;
	lay_out(&l, m, c->cols);
	if (heads > 0)
		draw_heads(m, c, row, &l);
	row += heads;
	m->list_row = row;
	m->rows.height = (size_t)list;
	rows_update(&m->rows, m->book, now);
	if (m->rows.count == 0)
		draw_empty(m, c, row);
	for (int i = 0; i < list && m->rows.top + (size_t)i < m->rows.count; i++)
		draw_row(m, c, row + i, &l, m->rows.list[m->rows.top + (size_t)i], now);
	draw_why(m, c, row + list + blank, why, now);
}

/* ---- keys ---- */

static void open_job(struct monitor *m, enum view_id view, bool log)
{
	const struct book_job *job = rows_current(&m->rows);

	if (job == NULL)
		return;
	snprintf(m->subject, sizeof(m->subject), "%s", job->key);
	m->subject_log = log;
	monitor_push(m, view);
}

static void toggle_tag(struct monitor *m)
{
	const struct book_job *job = rows_current(&m->rows);

	if (job == NULL)
		return;
	rows_tag(&m->rows, job->key, !rows_is_tagged(&m->rows, job->key));
	rows_move(&m->rows, 1);
}

static void set_sort(struct monitor *m, int by)
{
	enum rows_sort sort = (enum rows_sort)(((int)m->rows.sort + by + SORT_COUNT) % SORT_COUNT);

	rows_set_sort(&m->rows, sort);
}

/* One step back: tags, then what hides rows. */
static bool step_back(struct monitor *m)
{
	char err[128];

	if (rows_tag_count(&m->rows) > 0)
		rows_untag_all(&m->rows);
	else if (m->rows.filter[0] != '\0')
		rows_set_filter(&m->rows, "", err, sizeof(err));
	else if (m->rows.trouble_only)
		rows_set_trouble_only(&m->rows, false);
	else
		return false;
	return true;
}

static bool click(struct monitor *m)
{
	struct layout l;
	int cols = m->drawn_cols;

	if (m->heads_row >= 0 && m->click_row == m->heads_row) {
		lay_out(&l, m, cols);
		enum rows_sort sort = SORT_TROUBLE;
		for (enum job_column i = 0; i < COL_COUNT; i++) {
			if (l.width[i] > 0 && m->click_col >= l.at[i] - 1 &&
			    m->click_col < l.at[i] + l.width[i] && columns[i].sort != SORT_COUNT)
				sort = columns[i].sort;
		}
		rows_set_sort(&m->rows, sort);
		return true;
	}
	int at = m->click_row - m->list_row;
	if (m->list_row < 0 || at < 0 || (size_t)at >= m->rows.height ||
	    m->rows.top + (size_t)at >= m->rows.count)
		return false;
	const char *key = m->rows.list[m->rows.top + (size_t)at]->key;
	if (strcmp(key, m->rows.cursor) == 0)
		open_job(m, VIEW_JOB, false);
	else
		rows_go_to(&m->rows, key);
	return true;
}

static bool act(struct monitor *m, enum intent action, struct moment now)
{
	int page = m->rows.height > 1 ? (int)m->rows.height - 1 : 1;

	rows_update(&m->rows, m->book, now);
	switch (action) {
	case ACTION_UP: rows_move(&m->rows, -1); return true;
	case ACTION_DOWN: rows_move(&m->rows, 1); return true;
	case ACTION_PAGE_UP: rows_move(&m->rows, -page); return true;
	case ACTION_PAGE_DOWN: rows_move(&m->rows, page); return true;
	case ACTION_WHEEL_UP: rows_move(&m->rows, -WHEEL_ROWS); return true;
	case ACTION_WHEEL_DOWN: rows_move(&m->rows, WHEEL_ROWS); return true;
	case ACTION_HOME: rows_move(&m->rows, INT_MIN); return true;
	case ACTION_END: rows_move(&m->rows, INT_MAX); return true;
	case ACTION_OPEN: open_job(m, VIEW_JOB, false); return true;
	case ACTION_LOG: open_job(m, VIEW_JOB, true); return true;
	case ACTION_WHY: open_job(m, VIEW_WHY, false); return true;
	case ACTION_TAG: toggle_tag(m); return true;
	case ACTION_UNTAG: rows_untag_all(&m->rows); return true;
	case ACTION_TAG_ALL: rows_tag_all_shown(&m->rows); return true;
	case ACTION_TROUBLE: rows_set_trouble_only(&m->rows, !m->rows.trouble_only); return true;
	case ACTION_COPY:
		monitor_copy(m, now, m->rows.count > 0 ? m->rows.cursor : "");
		return true;
	case ACTION_SORT_NEXT: set_sort(m, 1); return true;
	case ACTION_SORT_BEFORE: set_sort(m, -1); return true;
	case ACTION_CLICK: return click(m);
	case ACTION_BACK: return step_back(m);
	default: return false;
	}
}

const struct view view_jobs = { .title = "Jobs", .draw = draw, .act = act };
