/*
 * small.c - see small.h.
 */
#include "client/monitor/small.h"

#include "client/monitor/counts.h"
#include "client/monitor/header.h"
#include "client/monitor/when.h"
#include "client/monitor/wrap.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { SECOND_US = 1000000 };

bool small_fits(const struct monitor *m, const struct canvas *c)
{
	if (c->cols < 20 || c->rows < 3)
		return true;
	return monitor_view(m) == VIEW_JOBS && (c->cols < 40 || c->rows < 4);
}

/* Trouble first, the newest of it; NULL = no job at all. */
static const struct book_job *find_worst(const struct book *book)
{
	const struct book_job *worst = NULL;

	for (const struct book_job *job = book->jobs; job != NULL; job = job->hh.next) {
		if (!book_job_is_there(job))
			continue;
		if (worst == NULL || book_job_shown(job) < book_job_shown(worst) ||
		    (book_job_shown(job) == book_job_shown(worst) &&
		     job->since_us > worst->since_us))
			worst = job;
	}
	return worst;
}

/* A text that is cut says so. */
static void put_cut(struct canvas *c, int row, int col, enum style style, const char *text)
{
	int room = c->cols - col;

	canvas_put(c, row, col, room, style, text);
	if (canvas_width(c, text) > room && room > 0)
		canvas_put(c, row, c->cols - 1, 1, style, ">");
}

static bool is_trouble(const struct book_job *job)
{
	return job != NULL && (job->late || jobstates[book_job_shown(job)].trouble);
}

static void write_code(const struct book_job *job, bool old, char out[8])
{
	snprintf(out, 8, "%s", jobstates[book_job_shown(job)].code);
	for (char *p = out; old && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
}

/* "NO LINK 37s" while the data is old, "" else. */
static void write_age(const struct monitor *m, struct moment now, char *out, size_t size)
{
	char span[WHEN_SIZE];

	out[0] = '\0';
	if (!monitor_is_old(m, now)) {
		if (!m->link.up)
			snprintf(out, size, "NO LINK");
		return;
	}
	when_span(now.boot_us - m->link.heard_us, span);
	snprintf(out, size, "OLD %s", span);
}

static void draw_counts(struct monitor *m, struct canvas *c, bool alone, struct moment now)
{
	struct counts counts;
	char age[64];
	int col = 0;

	write_age(m, now, age, sizeof(age));
	if (alone && age[0] != '\0') {
		col = canvas_put(c, 0, 0, c->cols, STYLE_ALERT, age);
		col++;
	}
	counts_take(m->book, &counts);
	int used = counts_put(&counts, c, 0, col, c->cols - col, true, monitor_is_old(m, now));
	if (used == 0 && col == 0)
		canvas_put(c, 0, 0, c->cols, STYLE_PLAIN, counts.total == 0 ? "no jobs" :
			   is_trouble(find_worst(m->book)) ? "!" : ".");
}

static void draw_worst(struct monitor *m, struct canvas *c, const struct book_job *worst,
		       struct moment now)
{
	char code[8], age[64];
	bool old = monitor_is_old(m, now);

	if (worst == NULL) {
		put_cut(c, 1, 0, STYLE_PLAIN, "no jobs are known");
		return;
	}
	write_code(worst, old, code);
	enum style style = (enum style)(STYLE_STATE + book_job_shown(worst));
	if (c->rows == 2) {
		canvas_put(c, 1, 0, -1, style, code);
		put_cut(c, 1, 3, STYLE_PLAIN, worst->key);
		return;
	}
	if (is_trouble(worst))
		canvas_put(c, 1, canvas_put(c, 1, 0, -1, STYLE_PLAIN, "worst: "), -1, style, code);
	else
		canvas_put(c, 1, 0, -1, STYLE_PLAIN, "no trouble");
	write_age(m, now, age, sizeof(age));
	canvas_put_right(c, 1, c->cols, c->cols - 10, STYLE_ALERT, age);
	if (is_trouble(worst))
		put_cut(c, 2, 0, STYLE_PLAIN, worst->key);
}

void small_draw(struct monitor *m, struct canvas *c, struct moment now)
{
	const struct book_job *worst = find_worst(m->book);
	char why[512], line[160];

	draw_counts(m, c, c->rows < 3 || c->cols < 10, now);
	if (c->rows < 2 || c->cols < 4)
		return;
	draw_worst(m, c, worst, now);
	if (c->rows < 4)
		return;
	if (is_trouble(worst) && c->rows >= 5) {
		book_why(m->book, worst, monitor_shown_moment(m, now), why, sizeof(why));
		const char *text = strstr(why, ": ");
		wrap_put(c, 3, 0, c->rows - 4, c->cols, STYLE_DIM,
				   text != NULL ? text + 2 : why);
	}
	snprintf(line, sizeof(line), "%s %s", m->book->environment,
		 header_feed_words(m, c->cols < 30));
	put_cut(c, c->rows - 1, 0, m->link.up ? STYLE_HEADER : STYLE_ALERT, line);
}
