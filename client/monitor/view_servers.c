/*
 * view_servers.c - the servers: heard or not, their jobs by state, and what is to be said of the
 * selected one. Those that are lost come first.
 */
#include "client/monitor/header.h"
#include "client/monitor/monitor.h"
#include "client/monitor/when.h"
#include "client/monitor/wrap.h"
#include "client/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SKEW_WARN_US = 500000,
	LINE_SIZE = 400,
	WHEEL_ROWS = 3,
	STATE_WIDTH = 9, HEARD_WIDTH = 6,
	JOBS_WIDTH = 18,		/* JOBS, RU, FA, ?? */
	CLOCK_WIDTH = 9, VERSION_WIDTH = 8,
};

struct server_row {
	const struct book_server *server;
	size_t jobs, running, failed, unknown;
	size_t waiting_elsewhere;	/* jobs of others that wait for it */
};

struct table { struct server_row *row; size_t count; };

static bool is_skewed(const struct book_server *s)
{
	return s->has_skew && !s->lost && (s->skew_us > SKEW_WARN_US || s->skew_us < -SKEW_WARN_US);
}

static int rank_server(const struct book_server *s)
{
	return s->lost ? 0 : s->unproven ? 1 : is_skewed(s) ? 2 : s->self ? 3 : 4;
}

static int compare_rows(const void *a, const void *b)
{
	const struct book_server *x = ((const struct server_row *)a)->server;
	const struct book_server *y = ((const struct server_row *)b)->server;
	int rank = rank_server(x) - rank_server(y);

	return rank != 0 ? rank : strcmp(x->name, y->name);
}

static struct server_row *find_row(struct table *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++) {
		if (strcmp(t->row[i].server->name, name) == 0)
			return &t->row[i];
	}
	return NULL;
}

static void count_waiting(struct table *t, const struct book_job *job)
{
	for (size_t i = 0; i < job->blocked_count; i++) {
		const char *at = strrchr(job->blocked_by[i], '@');
		struct server_row *row = at != NULL ? find_row(t, at + 1) : NULL;
		if (row != NULL && strcmp(row->server->name, job->server) != 0) {
			row->waiting_elsewhere++;
			return;
		}
	}
}

static void count_job(struct table *t, struct server_row **last, const struct book_job *job)
{
	if (job->blocked_count > 0)
		count_waiting(t, job);
	if (*last == NULL || strcmp((*last)->server->name, job->server) != 0)
		*last = find_row(t, job->server);
	if (*last == NULL)
		return;
	enum jobstate shown = book_job_shown(job);
	(*last)->jobs++;
	(*last)->running += jobstates[shown].active;
	(*last)->unknown += shown == JOBSTATE_UNKNOWN;
	(*last)->failed += shown == JOBSTATE_FAILED || shown == JOBSTATE_KILLED ||
			   shown == JOBSTATE_TIMEOUT || shown == JOBSTATE_LOST;
}

/* row freed by the caller. */
static struct table make_table(const struct book *book)
{
	struct table t = { .row = say_calloc(HASH_COUNT(book->servers) + 1, sizeof(*t.row)) };
	struct server_row *last = NULL;

	for (const struct book_server *s = book->servers; s != NULL; s = s->hh.next)
		t.row[t.count++].server = s;
	if (t.count > 1)
		qsort(t.row, t.count, sizeof(*t.row), compare_rows);
	for (const struct book_job *job = book->jobs; job != NULL; job = job->hh.next) {
		if (book_job_is_there(job))
			count_job(&t, &last, job);
	}
	return t;
}

/* The cursor follows its server. */
static void find_cursor(struct monitor *m, const struct table *t)
{
	struct list_place *p = &m->servers;

	for (size_t i = 0; i < t->count; i++) {
		if (strcmp(t->row[i].server->name, p->name) == 0)
			p->at = i;
	}
	if (p->at >= t->count)
		p->at = t->count > 0 ? t->count - 1 : 0;
	if (t->count > 0)
		snprintf(p->name, sizeof(p->name), "%s", t->row[p->at].server->name);
	if (p->at < p->top)
		p->top = p->at;
	if (p->height > 0 && p->at >= p->top + p->height)
		p->top = p->at - p->height + 1;
}

/* ---- the picture ---- */

/* Adds the counters "name N, name N" to the line: whole ones, as many as fit. */
static void add_counters(const struct canvas *c, const char *counters, int width, char *line,
			 size_t size)
{
	char longer[900];
	const char *gap = "   ";

	while (*counters != '\0') {
		size_t n = strcspn(counters, ",");
		int len = snprintf(longer, sizeof(longer), "%s%s%.*s", line, gap, (int)n, counters);
		if (len < 0 || (size_t)len >= sizeof(longer) || canvas_width(c, longer) > width)
			return;
		snprintf(line, size, "%s", longer);
		gap = ", ";
		counters += n + (counters[n] == ',');
		counters += strspn(counters, " ");
	}
}

static void draw_bus(struct monitor *m, struct canvas *c, int row)
{
	const struct monitor_link *link = &m->link;
	char line[900], missing[128] = "no gap";

	if (link->missing > 0)
		snprintf(missing, sizeof(missing), "%zu event%s of %s missing", link->missing,
			 link->missing == 1 ? "" : "s", link->missing_of);
	const char *feed = header_feed_words(m, false);
	if (link->missing > 0)
		snprintf(line, sizeof(line), "%s   %s%s   %s", missing, link->group[0] != '\0' ?
			 "bus " : "bus not heard: ", link->group[0] != '\0' ? link->group :
			 link->no_group, feed);
	else if (link->group[0] != '\0')
		snprintf(line, sizeof(line), "bus %s   %s   %s", link->group, feed, missing);
	else
		snprintf(line, sizeof(line), "bus not heard%s%s   %s   %s",
			 link->no_group[0] != '\0' ? ": " : "", link->no_group,
			 feed, missing);
	if (link->missing == 0 && link->group[0] != '\0')
		add_counters(c, link->counters, c->cols - (c->cols >= 60), line, sizeof(line));
	canvas_put(c, row, c->cols >= 60 ? 1 : 0, c->cols - 1,
		   link->missing > 0 ? STYLE_WARN : STYLE_PLAIN, line);
}

/* Columns by width: NAME STATE HEARD always; the rest as there is room. */
struct columns { int name, jobs, clock, version, note; };

static struct columns lay_out(const struct table *t, int cols)
{
	struct columns at = { .name = 6 };

	for (size_t i = 0; i < t->count; i++) {
		int width = (int)strlen(t->row[i].server->name);
		at.name = width > at.name ? width : at.name;
	}
	int most = cols >= 100 ? 30 : cols >= 80 ? 12 : cols >= 40 ? 16 : cols - 12;
	at.name = at.name > most ? most : at.name;
	int next = 1 + at.name + 1 + STATE_WIDTH + HEARD_WIDTH;
	at.jobs = next + JOBS_WIDTH <= cols ? next : -1;
	next += JOBS_WIDTH;
	at.clock = next + CLOCK_WIDTH <= cols ? next : -1;
	next += CLOCK_WIDTH + 2;
	at.version = next + VERSION_WIDTH <= cols ? next : -1;
	next += VERSION_WIDTH + 1;
	at.note = next + 6 <= cols ? next : -1;
	return at;
}

static void draw_heads(struct canvas *c, int row, const struct columns *at)
{
	int heard = 1 + at->name + 1 + STATE_WIDTH;

	canvas_put(c, row, 1, at->name, STYLE_TITLE, "SERVER");
	canvas_put(c, row, 2 + at->name, 7, STYLE_TITLE, "STATE");
	canvas_put_right(c, row, heard + HEARD_WIDTH, HEARD_WIDTH, STYLE_TITLE, "HEARD");
	if (at->jobs >= 0)
		canvas_put(c, row, at->jobs, JOBS_WIDTH, STYLE_TITLE, "  JOBS  RU  FA  ??");
	if (at->clock >= 0)
		canvas_put_right(c, row, at->clock + CLOCK_WIDTH, 8, STYLE_TITLE, "CLOCK");
	if (at->version >= 0)
		canvas_put(c, row, at->version, VERSION_WIDTH, STYLE_TITLE, "VERSION");
	if (at->note >= 0)
		canvas_put(c, row, at->note, -1, STYLE_TITLE, "NOTE");
}

static const char *state_word(const struct book_server *s)
{
	if (s->lost)
		return "LOST";
	if (s->unproven)
		return "UNPROVEN";
	return strcmp(s->state, "UP") == 0 || s->state[0] == '\0' ? "up" : s->state;
}

static void write_skew(const struct book_server *s, char out[32])
{
	long long ms = s->skew_us / 1000;

	if (!s->has_skew || s->lost)
		snprintf(out, 32, "-");
	else if (ms > 99999 || ms < -99999)
		snprintf(out, 32, "%+llds", ms / 1000);
	else
		snprintf(out, 32, "%+lldms", ms);
}

/* What the row has to say in a word or two; the lines below say it in full. */
static void write_note(const struct server_row *r, char out[LINE_SIZE])
{
	const struct book_server *s = r->server;

	if (s->lost && r->waiting_elsewhere > 0)
		snprintf(out, LINE_SIZE, "%zu job%s wait%s for it", r->waiting_elsewhere,
			 r->waiting_elsewhere == 1 ? "" : "s", r->waiting_elsewhere == 1 ? "s" : "");
	else if (is_skewed(s))
		snprintf(out, LINE_SIZE, "! clock");
	else if (s->note[0] != '\0')
		snprintf(out, LINE_SIZE, "%s%s", s->self ? "asked, " : "", s->note);
	else if (s->known_seq > s->seq && !s->lost)
		snprintf(out, LINE_SIZE, "%s%llu events behind", s->self ? "asked, " : "",
			 (unsigned long long)(s->known_seq - s->seq));
	else
		snprintf(out, LINE_SIZE, "%s", s->self ? "asked" : "");
}

static void put_number(struct canvas *c, int row, int end, size_t n, enum style style)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", n);
	canvas_put_right(c, row, end, 4, n == 0 ? STYLE_DIM : style, text);
}

static void draw_row(struct monitor *m, struct canvas *c, int row, const struct columns *at,
		     const struct server_row *r, bool cursor, struct moment now)
{
	const struct book_server *s = r->server;
	int heard = 1 + at->name + 1 + STATE_WIDTH;
	char text[LINE_SIZE];

	canvas_put(c, row, 0, 1, STYLE_BOLD, cursor ? ">" : " ");
	canvas_put_middle(c, row, 1, at->name, STYLE_PLAIN, s->name);
	canvas_put(c, row, 2 + at->name, 8, s->lost ? STYLE_BAD :
		   s->unproven || strcmp(state_word(s), "up") != 0 ? STYLE_WARN : STYLE_PLAIN,
		   state_word(s));
	when_span(s->heard_us != 0 && now.wall_us > s->heard_us ? now.wall_us - s->heard_us :
		  s->heard_us != 0 ? 0 : -1, text);
	canvas_put_right(c, row, heard + HEARD_WIDTH, HEARD_WIDTH,
			 s->lost ? STYLE_WARN : STYLE_PLAIN, text);
	if (at->jobs >= 0) {
		put_number(c, row, at->jobs + 6, r->jobs, STYLE_PLAIN);
		put_number(c, row, at->jobs + 10, r->running,
			   (enum style)(STYLE_STATE + JOBSTATE_RUNNING));
		put_number(c, row, at->jobs + 14, r->failed, STYLE_BAD);
		put_number(c, row, at->jobs + 18, r->unknown, STYLE_WARN);
	}
	if (at->clock >= 0) {
		write_skew(s, text);
		canvas_put_right(c, row, at->clock + CLOCK_WIDTH, 8,
				 is_skewed(s) ? STYLE_WARN : STYLE_PLAIN, text);
	}
	if (at->version >= 0)
		canvas_put(c, row, at->version, VERSION_WIDTH, STYLE_PLAIN, s->version);
	if (at->note >= 0) {
		write_note(r, text);
		canvas_put(c, row, at->note, -1, is_skewed(s) ? STYLE_WARN : STYLE_PLAIN, text);
	}
	if (monitor_is_old(m, now))
		canvas_make_stale(c, row, 0, c->cols);
	if (cursor)
		canvas_select(c, row, 0, c->cols);
}

/* ---- what is to be said of the selected one ---- */

struct said { struct canvas *c; int row, rows; };

static void say_line(struct said *said, enum style style, const char *text)
{
	int margin = said->c->cols >= 60 ? 1 : 0;
	int used = wrap_put(said->c, said->row, margin, said->rows,
				      said->c->cols - 2 * margin, style, text);

	said->row += used;
	said->rows -= used;
}

static void explain_lost(struct said *said, const struct server_row *r, struct moment now, bool utc)
{
	const struct book_server *s = r->server;
	char line[LINE_SIZE], when[WHEN_SIZE];

	when_instant(s->heard_us, now, utc, when);
	snprintf(line, sizeof(line), "%s: last heard %s. Its %zu job%s ?? (unknown), not %s "
		 "last state.", s->name, s->heard_us != 0 ? when : "never", r->jobs,
		 r->jobs == 1 ? " shows" : "s show", r->jobs == 1 ? "its" : "their");
	say_line(said, STYLE_WARN, line);
	if (r->waiting_elsewhere > 0) {
		snprintf(line, sizeof(line), "%zu job%s of other servers wait%s for it.",
			 r->waiting_elsewhere, r->waiting_elsewhere == 1 ? "" : "s",
			 r->waiting_elsewhere == 1 ? "s" : "");
		say_line(said, STYLE_WARN, line);
	}
}

static void explain_server(struct said *said, const struct server_row *r, struct moment now,
			   bool utc)
{
	const struct book_server *s = r->server;
	char line[LINE_SIZE], at[200] = "";
	size_t len = 0;

	if (s->lost)
		explain_lost(said, r, now, utc);
	if (s->unproven) {
		snprintf(line, sizeof(line), "%s is unproven and starts nothing: %s. try: "
			 "chime --via %s server trust", s->name,
			 s->note[0] != '\0' ? s->note : "too few other servers could be asked",
			 s->name);
		say_line(said, STYLE_WARN, line);
	}
	if (is_skewed(s)) {
		snprintf(line, sizeof(line), "%s: clock is %lld ms off (warn at 500 ms): starts by "
			 "time are that far off too. try: chronyc tracking there", s->name,
			 (long long)llabs(s->skew_us / 1000));
		say_line(said, STYLE_WARN, line);
	}
	if (s->known_seq > s->seq) {
		snprintf(line, sizeof(line), "%s: its log is known up to event %llu of %llu.", s->name,
			 (unsigned long long)s->seq, (unsigned long long)s->known_seq);
		say_line(said, STYLE_PLAIN, line);
	}
	for (size_t i = 0; i < s->address_count && len < sizeof(at) - 70; i++)
		len += (size_t)snprintf(at + len, sizeof(at) - len, " %.60s", s->address[i]);
	snprintf(line, sizeof(line), "%s:%s   log at event %llu%s", s->name,
		 at[0] != '\0' ? at : " no address is known", (unsigned long long)s->seq,
		 s->self ? "   it answers this monitor" : "");
	say_line(said, STYLE_DIM, line);
}

static void explain_me(struct monitor *m, struct said *said)
{
	char line[LINE_SIZE];

	if (m->link.you[0] == '\0')
		return;
	snprintf(line, sizeof(line), "you are %s (%s)", m->link.you,
		 m->link.role[0] != '\0' ? m->link.role : "no role");
	say_line(said, STYLE_DIM, line);
}

static void draw(struct monitor *m, struct canvas *c, int row, int rows, struct moment now)
{
	struct table t = make_table(m->book);
	struct columns at = lay_out(&t, c->cols);
	int below = rows >= 16 ? 5 : rows >= 10 ? 3 : rows >= 7 ? 2 : 0;

	if (rows >= 5) {
		draw_bus(m, c, row++);
		rows--;
	}
	if (rows >= 4) {
		m->heads_row = row;
		draw_heads(c, row++, &at);
		rows--;
	}
	int list = rows - below;
	if (list > (int)t.count && below > 0)
		list = t.count > 0 ? (int)t.count : 1;
	m->list_row = row;
	m->servers.height = (size_t)(list > 0 ? list : 0);
	find_cursor(m, &t);
	if (t.count == 0)
		canvas_put(c, row, 2, c->cols - 2, STYLE_PLAIN, "No servers are known yet.");
	for (int i = 0; i < list && m->servers.top + (size_t)i < t.count; i++) {
		size_t n = m->servers.top + (size_t)i;
		draw_row(m, c, row + i, &at, &t.row[n], n == m->servers.at, now);
	}
	struct said said = { c, row + list + (rows - list > 3), rows - list - (rows - list > 3) };
	if (t.count > 0 && below > 0)
		explain_server(&said, &t.row[m->servers.at], now, m->utc);
	if (below > 0)
		explain_me(m, &said);
	free(t.row);
}

/* ---- keys ---- */

static void move_to(struct monitor *m, const struct table *t, long long at)
{
	struct list_place *p = &m->servers;

	if (t->count == 0)
		return;
	p->at = at < 0 ? 0 : at >= (long long)t->count ? t->count - 1 : (size_t)at;
	snprintf(p->name, sizeof(p->name), "%s", t->row[p->at].server->name);
}

/* Its jobs. */
static void open_server(struct monitor *m, struct moment now)
{
	char filter[NAME_SERVER_MAX + 8], err[128];

	if (m->servers.name[0] == '\0')
		return;
	snprintf(filter, sizeof(filter), "on:%s", m->servers.name);
	if (rows_set_filter(&m->rows, filter, err, sizeof(err)) != 0) {
		monitor_say(m, now, true, "%s", err);
		return;
	}
	rows_set_trouble_only(&m->rows, false);
	monitor_show(m, VIEW_JOBS);
}

static bool click(struct monitor *m, const struct table *t, struct moment now)
{
	int at = m->click_row - m->list_row;

	if (m->list_row < 0 || at < 0 || (size_t)at >= m->servers.height ||
	    m->servers.top + (size_t)at >= t->count)
		return false;
	size_t n = m->servers.top + (size_t)at;
	if (n == m->servers.at)
		open_server(m, now);
	else
		move_to(m, t, (long long)n);
	return true;
}

static bool act(struct monitor *m, enum intent action, struct moment now)
{
	struct table t = make_table(m->book);
	bool done = true;

	find_cursor(m, &t);
	long long at = (long long)m->servers.at;
	long long page = m->servers.height > 1 ? (long long)m->servers.height - 1 : 1;
	switch (action) {
	case ACTION_UP: move_to(m, &t, at - 1); break;
	case ACTION_DOWN: move_to(m, &t, at + 1); break;
	case ACTION_PAGE_UP: move_to(m, &t, at - page); break;
	case ACTION_PAGE_DOWN: move_to(m, &t, at + page); break;
	case ACTION_WHEEL_UP: move_to(m, &t, at - WHEEL_ROWS); break;
	case ACTION_WHEEL_DOWN: move_to(m, &t, at + WHEEL_ROWS); break;
	case ACTION_HOME: move_to(m, &t, 0); break;
	case ACTION_END: move_to(m, &t, (long long)t.count); break;
	case ACTION_OPEN: open_server(m, now); break;
	case ACTION_COPY: monitor_copy(m, now, m->servers.name); break;
	case ACTION_CLICK: done = click(m, &t, now); break;
	default: done = false;
	}
	free(t.row);
	return done;
}

const struct view view_servers = { .title = "Servers", .draw = draw, .act = act };
