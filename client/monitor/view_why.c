/*
 * view_why.c - why a job runs or does not: each requirement with its verdict, root causes, what to
 * paste. Until a server has answered, and without a link, the book's own line stands for it.
 */
#include "client/monitor/jobask.h"
#include "client/monitor/textview.h"
#include "client/monitor/when.h"

#include "client/say.h"

#include <stdio.h>
#include <string.h>

enum { ASK_LEAST_US = 1000000, VERDICT_COL = 12, TEXT_MAX = 48 };

/* ---- asking ---- */

static void ask(struct monitor *m, struct moment now)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__WhyRequest why = CHIME__WHY_REQUEST__INIT;

	why.target = m->why_key;
	request.body_case = CHIME__REQUEST__BODY_WHY;
	request.why = &why;
	m->why_tag = jobask_send(m, CARRIER_LINK, &request);
	m->why_version = jobask_version(m, m->why_key);
	m->why_asked_us = now.boot_us;
	snprintf(m->why_asked, sizeof(m->why_asked), "%s", m->why_key);
}

/* Asks when what is known is not of this job, older than its row, or did not come; once a second
 * at most. */
static void refresh(struct monitor *m, struct moment now)
{
	bool changed = strcmp(m->why_asked, m->why_key) != 0 ||
		       m->why_version != jobask_version(m, m->why_key) ||
		       (m->link.up && !m->why_was_up);

	if (!m->link.up) {
		m->why_was_up = false;
		m->why_tag = 0;
		return;
	}
	if (m->why_tag != 0 || !changed ||
	    (m->why_asked[0] != '\0' && now.boot_us - m->why_asked_us < ASK_LEAST_US))
		return;
	m->why_was_up = true;
	ask(m, now);
}

/* ---- what is said ---- */

static void say_headline(struct monitor *m, struct text *to, const Chime__JobRow *row,
			 struct moment now)
{
	char since[WHEN_SIZE], ago[WHEN_SIZE];

	if (row == NULL)
		return;
	if (!row->has_since) {
		text_print(to, "%s@%s is %s", row->job, row->server, row->state);
		return;
	}
	when_instant(row->since, now, m->utc, since);
	when_span(now.wall_us - row->since, ago);
	text_print(to, "%s@%s is %s since %s (%s)%s", row->job, row->server, row->state, since, ago,
		   row->stale ? ", as last known: its server is not heard" : "");
}

static const char *or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static void say_lines(struct text *to, Chime__Line *const *line, size_t count)
{
	const char *last = "";
	size_t width = 0;

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(or_empty(line[i]->text));
		width = len > width && len <= TEXT_MAX ? len : width;
	}
	if (count > 0)
		text_print(to, "%s", "");
	for (size_t i = 0; i < count; i++) {
		const char *what = or_empty(line[i]->what), *proof = or_empty(line[i]->proof);
		text_print(to, "  %-9s %-3s %-*s   %s%s%s%s", strcmp(what, last) == 0 ? "" : what,
			   line[i]->verdict != NULL ? line[i]->verdict : "??", (int)width,
			   or_empty(line[i]->text), or_empty(line[i]->detail),
			   proof[0] != '\0' ? "  [" : "", proof, proof[0] != '\0' ? "]" : "");
		last = what;
	}
}

static void say_list(struct text *to, const char *label, char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		text_print(to, "  %-9s %s", i == 0 ? label : "", list[i]);
}

static void say_run(struct monitor *m, struct text *to, const Chime__RunRow *run, struct moment now)
{
	char start[WHEN_SIZE];

	if (run == NULL)
		return;
	when_instant(run->has_started ? run->started : run->created, now, m->utc, start);
	text_print(to, "%s", "");
	text_print(to, "run %llu@%s %s %s, cause %s%s%s%s", (unsigned long long)run->run,
		   or_empty(run->server), or_empty(run->state), start, or_empty(run->cause),
		   run->forced ? ", forced" : "", run->by != NULL && run->by[0] != '\0' ? " by "
		   : "", or_empty(run->by));
	say_list(to, "proofs", run->proof, run->n_proof);
	say_list(to, "not met", run->unmet, run->n_unmet);
	say_list(to, "ignored", run->ignored, run->n_ignored);
	if (run->reason != NULL && run->reason[0] != '\0')
		text_print(to, "  %-9s %s", "reason", run->reason);
	if (run->waiting != NULL && run->waiting[0] != '\0')
		text_print(to, "  %-9s %s", "waits", run->waiting);
	if (run->detail != NULL && run->detail[0] != '\0')
		text_print(to, "  %-9s %s", "detail", run->detail);
}

/* What to paste about a root cause, by what the book knows of it. */
static void say_root(struct monitor *m, struct text *to, const char *root)
{
	char key[BOOK_KEY_SIZE];

	snprintf(key, sizeof(key), "%.*s", (int)strcspn(root, " "), root);
	const struct book_job *job = book_find_job(m->book, key);
	bool ended = job != NULL && job->run != 0 && jobstates[job->state].trouble &&
		     job->state != JOBSTATE_HELD && job->state != JOBSTATE_UNKNOWN;
	if (ended)
		text_print(to, "  see     chime log %llu@%s", (unsigned long long)job->run,
			   job->server);
	else
		text_print(to, "  see     chime why %s", key);
	if (job != NULL && job->held)
		text_print(to, "  fix     chime release %s", key);
	else if (ended)
		text_print(to, "  fix     chime start %s", key);
}

static void say_roots(struct monitor *m, struct text *to, const Chime__WhyReply *why)
{
	const struct book_job *job = book_find_job(m->book, m->why_key);
	bool held = why->row != NULL ? why->row->held : job != NULL && job->held;
	bool open = false;

	for (size_t i = 0; i < why->n_line; i++)
		open |= strcmp(or_empty(why->line[i]->verdict), "ok") != 0;
	if (why->n_root > 0 || held)
		text_print(to, "%s", "");
	for (size_t i = 0; i < why->n_root; i++)
		text_print(to, "%s%s", i == 0 ? "root cause: " : "            ", why->root[i]);
	for (size_t i = 0; i < why->n_root && i < 4; i++)
		say_root(m, to, why->root[i]);
	if (held)
		text_print(to, "  fix     chime release %s", m->why_key);
	if (why->n_root > 0 && open)
		text_print(to, "  or      chime start --force %s", m->why_key);
}

static void take_why(struct monitor *m, const Chime__WhyReply *why, struct moment now)
{
	struct text *to = &m->why;
	struct text_place top = to->top;

	text_clear(to);
	to->follow = false;
	say_headline(m, to, why->row, now);
	say_lines(to, why->line, why->n_line);
	say_run(m, to, why->run, now);
	say_roots(m, to, why);
	to->top = top;			/* the draw moves it where there is less now */
	m->why_answered = true;
	m->why_trouble[0] = '\0';
}

static bool letter(struct monitor *m, const struct letter *l, struct moment now)
{
	if (m->why_tag == 0 || l->tag != m->why_tag)
		return false;
	if (l->done)
		m->why_tag = 0;
	if (jobask_is_worth_again(&l->trouble))
		m->why_version = 0;
	if (l->trouble.exit != 0)
		snprintf(m->why_trouble, sizeof(m->why_trouble), "%.250s", l->trouble.what);
	else if (l->reply != NULL && l->reply->body_case == CHIME__REPLY__BODY_WHY)
		take_why(m, l->reply->why, now);
	else
		jobask_refusal(l->reply, m->why_trouble, sizeof(m->why_trouble));
	return true;
}

/* ---- the view ---- */

/* "ok", "NO", "??" where say_lines() puts them. */
static void paint_verdicts(const struct text *text, struct canvas *c, int row, int rows)
{
	static const struct { const char *word; enum style style; } verdicts[] = {
		{ "ok", STYLE_GOOD }, { "NO", STYLE_BAD }, { "??", STYLE_WARN },
	};
	int col = VERDICT_COL + 1 - (int)text->left;

	for (int r = row; r < row + rows && col >= 1 && col + 2 < c->cols; r++) {
		const struct cell *at = &c->cells[(size_t)r * (size_t)c->cols + (size_t)col];
		char word[2 * CELL_BYTES];
		if (strcmp(at[-1].text, " ") != 0 || strcmp(at[2].text, " ") != 0)
			continue;
		snprintf(word, sizeof(word), "%s%s", at[0].text, at[1].text);
		for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
			if (strcmp(word, verdicts[i].word) == 0)
				canvas_put(c, r, col, 2, verdicts[i].style, word);
		}
	}
}

static void draw(struct monitor *m, struct canvas *c, int row, int rows, struct moment now)
{
	const struct book_job *job = book_find_job(m->book, m->why_key);
	char line[1024];
	int used = 0;

	refresh(m, now);
	canvas_put(c, row, 0, -1, STYLE_TITLE, " Why  ");
	used = 6 + canvas_put_middle(c, row, 6, c->cols - 6, STYLE_BOLD, m->why_key);
	if (!m->link.up)
		canvas_put(c, row, used, -1, STYLE_WARN, "  no link: as last heard");
	else if (m->why_trouble[0] != '\0')
		canvas_print(c, row, used, -1, STYLE_BAD, "  %s", m->why_trouble);
	else if (!m->why_answered)
		canvas_put(c, row, used, -1, STYLE_DIM, "  asking");
	row++;
	rows--;
	if (job != NULL && rows > 0 && !m->why_answered) {
		book_why(m->book, job, monitor_shown_moment(m, now), line, sizeof(line));
		canvas_put(c, row, 1, -1, STYLE_PLAIN, line);
		row += 2;
		rows -= 2;
	}
	text_draw(&m->why, c, row, 1, rows, c->cols - 1);
	paint_verdicts(&m->why, c, row, rows);
}

static bool act(struct monitor *m, enum intent action, struct moment now)
{
	if (action == ACTION_COPY) {
		monitor_copy(m, now, m->why_key);
		return true;
	}
	if (action == ACTION_RETRY)
		m->why_version = 0;
	return textview_act(m, &m->why, action, now);
}

static void close_why(struct monitor *m)
{
	monitor_stop(m, CARRIER_LINK, m->why_tag);
	m->why_tag = 0;
	m->why_key[0] = m->why_asked[0] = m->why_trouble[0] = '\0';
	m->why_answered = m->why_was_up = false;
	text_clear(&m->why);
}

static void open(struct monitor *m, struct moment now)
{
	close_why(m);
	snprintf(m->why_key, sizeof(m->why_key), "%s", m->subject);
	m->why.follow = false;
	m->why.wrap = true;
	refresh(m, now);
}

static void typed(struct monitor *m, enum typing what, const char *line, struct moment now)
{
	textview_typed(m, &m->why, what, line, now);
}

const struct view view_why = {
	.title = "Why",
	.draw = draw,
	.act = act,
	.open = open,
	.close = close_why,
	.letter = letter,
	.typed = typed,
};
