/*
 * header.c - see header.h.
 */
#include "client/monitor/header.h"

#include "client/monitor/counts.h"
#include "client/monitor/when.h"
#include "client/monitor/wrap.h"

#include <stdio.h>
#include <string.h>

enum { SECOND_US = 1000000, WORDS_SIZE = 200 };

static const struct { enum view_id view; const char *words; } tabs[] = {
	{ VIEW_JOBS, "1 Jobs" }, { VIEW_SERVERS, "4 Servers" }, { VIEW_EVENTS, "5 Events" },
};

enum { TAB_COUNT = sizeof(tabs) / sizeof(tabs[0]) };

static bool is_list(enum view_id view)
{
	return view == VIEW_JOBS || view == VIEW_SERVERS || view == VIEW_EVENTS;
}

/* ---- the first line ---- */

const char *header_feed_words(const struct monitor *m, bool narrow)
{
	const struct monitor_link *link = &m->link;

	if (link->up) {
		switch (link->source) {
		case SOURCE_GROUP: return narrow ? "LIVE" : "LIVE group";
		case SOURCE_STREAM: return narrow ? "LIVE" : "LIVE stream";
		case SOURCE_NONE: return narrow ? "LINK" : "LINK, no events yet";
		}
	}
	if (link->source == SOURCE_GROUP)
		return narrow ? "NO LINK" : "NO LINK, group heard";
	return link->ever_up || link->why[0] != '\0' ? "NO LINK" : "CONNECTING";
}

/* "DATA IS 37 s OLD", "" when it is not. */
static void write_age(const struct monitor *m, struct moment now, char *out, size_t size)
{
	char span[WHEN_SIZE];
	int64_t age_us = now.boot_us - m->link.heard_us;

	out[0] = '\0';
	if (!monitor_is_old(m, now))
		return;
	if (m->link.heard_us == 0)
		snprintf(out, size, "NO DATA YET");
	else if (age_us < 100 * (int64_t)SECOND_US)
		snprintf(out, size, "DATA IS %d s OLD", age_us < 0 ? 0 : (int)(age_us / SECOND_US));
	else {
		when_span(age_us, span);
		snprintf(out, size, "DATA IS %s OLD", span);
	}
}

static void count_servers(const struct book *book, size_t *up, size_t *lost)
{
	*up = *lost = 0;
	for (const struct book_server *s = book->servers; s != NULL; s = s->hh.next)
		++*(s->lost ? lost : up);
}

static void write_servers(const struct monitor *m, bool tight, bool named, char *out, size_t size)
{
	size_t up, lost;

	out[0] = '\0';
	count_servers(m->book, &up, &lost);
	if (up + lost == 0)
		return;
	int n = snprintf(out, size, tight ? "%s%zuup" : "%s%zu up", named ? "servers " : "", up);
	if (lost > 0 && n > 0 && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, tight ? " %zuLOST" : ", %zu LOST", lost);
}

static void write_frozen(const struct monitor *m, struct moment now, bool tight, char *out,
			 size_t size)
{
	int64_t s = (now.boot_us - m->frozen_us) / SECOND_US;
	unsigned long long waiting = m->book->event_total - m->frozen_total;

	if (tight)
		snprintf(out, size, "FROZEN %02d:%02d", (int)(s / 60), (int)(s % 60));
	else
		snprintf(out, size, "FROZEN %02d:%02d, %llu event%s waiting", (int)(s / 60),
			 (int)(s % 60), waiting, waiting == 1 ? "" : "s");
}

/* The three parts of the line, each in forms from long to short. */
struct parts { char left[4][WORDS_SIZE], middle[3][WORDS_SIZE], right[4][WORDS_SIZE]; };

static void write_left(const struct monitor *m, struct parts *p)
{
	const char *env = m->book->environment, *server = m->link.server;
	bool via = server[0] != '\0';

	snprintf(p->left[0], WORDS_SIZE, " chime %.63s%s%s", env, via ? " via " : "", server);
	snprintf(p->left[1], WORDS_SIZE, " %.63s%s%s", env, via ? " via " : "", server);
	snprintf(p->left[2], WORDS_SIZE, "%.63s%s%s", env, via ? " " : "", server);
	snprintf(p->left[3], WORDS_SIZE, "%.63s", env[0] != '\0' ? env : "chime");
}

static void write_right(const struct monitor *m, struct moment now, struct parts *p)
{
	char clock[WHEN_SIZE];

	when_clock(now, m->utc, clock);
	snprintf(p->right[0], WORDS_SIZE, "%s  %s", clock, header_feed_words(m, false));
	char *offset = strrchr(clock, ' ');
	if (offset != NULL && (offset[1] == '+' || offset[1] == '-'))
		*offset = '\0';
	snprintf(p->right[1], WORDS_SIZE, "%s  %s", clock, header_feed_words(m, false));
	snprintf(p->right[2], WORDS_SIZE, "%s %s", clock, header_feed_words(m, true));
	snprintf(p->right[3], WORDS_SIZE, "%.5s %s", clock, header_feed_words(m, true));
}

static void write_middle(const struct monitor *m, struct moment now, struct parts *p)
{
	char age[WORDS_SIZE];

	write_age(m, now, age, sizeof(age));
	if (m->frozen) {
		write_frozen(m, now, false, p->middle[0], WORDS_SIZE);
		write_frozen(m, now, false, p->middle[1], WORDS_SIZE);
		write_frozen(m, now, true, p->middle[2], WORDS_SIZE);
	} else if (age[0] != '\0') {
		snprintf(p->middle[0], WORDS_SIZE, "%s", age);
		snprintf(p->middle[1], WORDS_SIZE, "%s", age);
		snprintf(p->middle[2], WORDS_SIZE, "%s",
			 age + (strncmp(age, "DATA IS ", 8) == 0 ? 8 : 0));
	} else {
		write_servers(m, false, true, p->middle[0], WORDS_SIZE);
		write_servers(m, false, false, p->middle[1], WORDS_SIZE);
		write_servers(m, true, false, p->middle[2], WORDS_SIZE);
	}
}

static void draw_first_line(struct monitor *m, struct canvas *c, struct moment now)
{
	static const struct { int left, middle, right; } forms[] = {
		{ 0, 0, 0 }, { 0, 0, 1 }, { 1, 0, 1 }, { 1, 1, 1 }, { 1, 1, 2 }, { 2, 2, 2 },
		{ 2, 2, 3 }, { 3, 2, 3 },
	};
	size_t form = 0, last = sizeof(forms) / sizeof(forms[0]) - 1;
	struct parts p;
	bool alert = m->frozen || monitor_is_old(m, now) || (!m->link.up && m->link.ever_up);
	enum style style = alert ? STYLE_ALERT : STYLE_HEADER;

	write_left(m, &p);
	write_middle(m, now, &p);
	write_right(m, now, &p);
	for (; form < last; form++) {
		int gap = forms[form].left < 2 ? 2 : 1;
		if (canvas_width(c, p.left[forms[form].left]) + gap +
		    canvas_width(c, p.middle[forms[form].middle]) + gap +
		    canvas_width(c, p.right[forms[form].right]) <= c->cols)
			break;
	}
	const char *left = p.left[forms[form].left], *middle = p.middle[forms[form].middle],
		   *right = p.right[forms[form].right];
	int start = canvas_width(c, left), end = c->cols - canvas_width(c, right);
	int width = canvas_width(c, middle), edge = c->cols >= 60 ? 1 : 0;

	canvas_fill(c, 0, 0, 1, c->cols, style);
	canvas_put(c, 0, 0, c->cols, style, left);
	if (end - edge > start)
		end -= edge;
	/* What is short of room is the middle; where it is cut nothing is better than a part. */
	if (form < 7 || start + 1 + width + 1 <= end) {
		int at = c->cols >= 60 ? start + (end - start - width) / 2 : start + 1;
		canvas_put(c, 0, at, width, style, middle);
	} else if (alert) {
		canvas_fill(c, 0, 0, 1, c->cols, style);
		canvas_put(c, 0, 0, c->cols, style, middle);
	}
	if (end > start)
		canvas_put(c, 0, end, -1, style, right);
}

void header_draw_frozen(struct monitor *m, struct canvas *c, struct moment now)
{
	draw_first_line(m, c, now);
}

/* ---- the lost link ---- */

static void write_trying(const struct monitor *m, struct moment now, char *out, size_t size)
{
	int64_t left = m->link.retry_us - now.boot_us;

	if (m->link.retry_us == INT64_MAX || left <= 0)
		snprintf(out, size, "Trying now.");
	else
		snprintf(out, size, "Trying again in %d s.",
			 (int)((left + SECOND_US - 1) / SECOND_US));
}

/* The reason without the addresses of " at 127.0.0.1:7411", for one line. */
static void write_short_why(const char *why, char *out, size_t size)
{
	size_t len = 0;

	while (*why != '\0' && len + 1 < size) {
		if (strncmp(why, " at ", 4) == 0) {
			size_t n = strcspn(why + 4, " ,;)");
			bool number = n > 0 && strspn(why + 4, "0123456789abcdef.:[]") >= n - 1;
			const char *colon = memchr(why + 4, ':', n);
			if (number && colon != NULL && colon + 1 < why + 4 + n) {
				bool end = why[4 + n - 1] == ':';
				why += 4 + n - end;
				continue;
			}
		}
		out[len++] = *why++;
	}
	out[len] = '\0';
}

/* Returns the rows it took: a reason that has no room beside it gets rows of its own. */
static int draw_loss(struct monitor *m, struct canvas *c, int row, struct moment now)
{
	char when[WHEN_SIZE], trying[64], line[512], why[sizeof(m->link.why)];
	const char *server = m->link.ever_up && m->link.was[0] != '\0' ? m->link.was
		: m->link.server[0] != '\0' ? m->link.server : "any server";
	int margin = c->cols >= 60 ? 1 : 0, most = c->rows >= 20 ? 4 : c->rows >= 14 ? 2 : 0;
	int n, room;

	write_trying(m, now, trying, sizeof(trying));
	write_short_why(m->link.why, why, sizeof(why));
	if (c->cols < 60) {
		canvas_print(c, row, 0, c->cols, STYLE_BAD, "%s LOST. %s", server, trying);
		return 1 + wrap_put(c, row + 1, 0, most, c->cols, STYLE_BAD, m->link.why);
	}
	if (m->link.ever_up) {
		when_instant(now.wall_us - (now.boot_us - m->link.lost_us), now, m->utc, when);
		snprintf(line, sizeof(line), " CONNECTION TO %s LOST at %s", server, when);
	} else {
		snprintf(line, sizeof(line), " NO CONNECTION TO %s yet", server);
	}
	n = canvas_put(c, row, 0, c->cols, STYLE_BAD, line);
	room = c->cols - n - (int)strlen(trying) - 6;
	bool fits = canvas_width(c, why) <= room;
	if (why[0] != '\0' && (fits || (most == 0 && room >= 8))) {
		n += canvas_put(c, row, n, -1, STYLE_BAD, " (");
		n += canvas_put(c, row, n, room, STYLE_BAD, why);
		if (!fits)
			canvas_put(c, row, n - 2, 2, STYLE_BAD, "..");
		n += canvas_put(c, row, n, -1, STYLE_BAD, ")");
	}
	canvas_print(c, row, n, -1, STYLE_BAD, ". %s", trying);
	return fits ? 1 : 1 + wrap_put(c, row + 1, margin, most, c->cols - 2 * margin, STYLE_BAD,
				       m->link.why);
}

static void draw_ways_out(struct monitor *m, struct canvas *c, int row)
{
	char others[128] = "";
	size_t len = 0;

	for (size_t i = 0; i < m->link.other_count && i < 3; i++) {
		int n = snprintf(others + len, sizeof(others) - len, "%s%.30s", i > 0 ? ", " : "",
				 m->link.others[i]);
		if (n < 0 || (size_t)n >= sizeof(others) - len)
			break;
		len += (size_t)n;
	}
	if (c->cols < 60)
		canvas_put(c, row, 0, c->cols, STYLE_PLAIN, "r retry  c other server  q quit");
	else if (c->cols < 80)
		canvas_put(c, row, 0, c->cols, STYLE_PLAIN,
			   " r retry now   c another server   q quit");
	else if (len > 0)
		canvas_print(c, row, 0, c->cols, STYLE_PLAIN,
			     " r retry now   c connect to another server (%s%s)   q quit", others,
			     m->link.other_count > 3 ? ", .." : "");
	else
		canvas_put(c, row, 0, c->cols, STYLE_PLAIN,
			   " r retry now   c connect to another server   q quit");
}

/* What may be done and believed meanwhile. */
static const char *tell_what_holds(const struct monitor *m, bool wide, struct moment now)
{
	if (!m->link.ever_up)
		return wide ? " Nothing is known yet. Actions are off until there is a link." :
			      " Nothing is known yet. Actions are off.";
	if (monitor_is_old(m, now))
		return wide ? " Actions are off until the link is back. States below are the last "
			      "ones heard." :
			      " Actions are off. States are the last ones heard.";
	return wide ? " Actions are off until the link is back. States are live: the group is heard." :
		      " Actions are off. States are live.";
}

/* Returns the rows it took. */
static int draw_lost_link(struct monitor *m, struct canvas *c, int row, struct moment now)
{
	if (m->link.up || (!m->link.ever_up && m->link.why[0] == '\0') || c->rows < 5)
		return 0;
	int used = draw_loss(m, c, row, now);
	if (c->rows < 8)
		return used;
	draw_ways_out(m, c, row + used++);
	if (c->rows < 14 || c->cols < 60)
		return used;
	canvas_put(c, row + used++, 0, c->cols, STYLE_PLAIN,
		   tell_what_holds(m, c->cols >= 80, now));
	return used;
}

/* ---- the second line ---- */

static void draw_counts(struct monitor *m, struct canvas *c, int row, struct moment now)
{
	struct counts counts;
	char shown[WORDS_SIZE] = "", filter[WORDS_SIZE] = "";
	bool narrow = c->cols < 60, old = monitor_is_old(m, now);

	counts_take(m->book, &counts);
	bool filtered = m->rows.filter[0] != '\0' || m->rows.trouble_only;
	if (!narrow || filtered)
		snprintf(shown, sizeof(shown), narrow ? "%zu/%zu" : "%zu of %zu jobs ",
			 m->rows.count, m->rows.total);
	if (filtered)
		snprintf(filter, sizeof(filter), " %s%s%.100s%s ", m->rows.trouble_only ? "! " : "",
			 m->rows.filter[0] != '\0' ? "/" : "", m->rows.filter,
			 m->rows.hides_failed && !narrow ? " hides FAILED" : "");
	int right = c->cols - canvas_width(c, shown), most = right - (narrow ? 16 : 24);
	int width = canvas_width(c, filter);
	if (width > most)
		width = most < 0 ? 0 : most;
	counts_put(&counts, c, row, narrow ? 0 : 1, right - width - 2, narrow, old);
	canvas_put(c, row, right, -1, m->rows.hides_failed ? STYLE_ALERT : STYLE_PLAIN, shown);
	canvas_put_middle(c, row, right - width, width,
			  m->rows.hides_failed ? STYLE_ALERT : STYLE_BOLD, filter);
}

/* ---- the line of views ---- */

static void draw_tabs(struct monitor *m, struct canvas *c, int row)
{
	char right[WORDS_SIZE] = "";
	size_t tags = rows_tag_count(&m->rows);
	int col = 0, len = 0;

	m->tabs_row = row;
	for (size_t i = 0; i < TAB_COUNT; i++) {
		bool open = tabs[i].view == monitor_view(m);
		col += canvas_print(c, row, col, -1, open ? STYLE_TAB : STYLE_PLAIN,
				    open ? "[%s]" : " %s ", tabs[i].words);
	}
	if (m->read_only || strcmp(m->link.role, "viewer") == 0)
		len = snprintf(right, sizeof(right), "read-only  ");
	if (monitor_view(m) == VIEW_JOBS && tags > 0)
		len += snprintf(right + len, sizeof(right) - (size_t)len, "%zu tagged  ", tags);
	if (monitor_view(m) == VIEW_JOBS)
		snprintf(right + len, sizeof(right) - (size_t)len, "sort: %s ",
			 rows_sort_name(m->rows.sort));
	canvas_put_right(c, row, c->cols, c->cols - col - 1, STYLE_PLAIN, right);
}

enum view_id header_tab_at(const struct monitor *m, int row, int col)
{
	int from = 0;

	if (row != m->tabs_row || row < 0)
		return VIEW_COUNT;
	for (size_t i = 0; i < TAB_COUNT; i++) {
		int width = (int)strlen(tabs[i].words) + 2;
		if (col >= from && col < from + width)
			return tabs[i].view;
		from += width;
	}
	return VIEW_COUNT;
}

/* ---- all of it ---- */

void header_draw(struct monitor *m, struct canvas *c, struct moment now,
		 struct header_place *place)
{
	enum view_id view = monitor_view(m);
	int row = 1, lost;

	draw_first_line(m, c, now);
	row += lost = draw_lost_link(m, c, row, now);
	if (view == VIEW_JOBS && c->rows >= (lost > 0 ? 8 + lost : 5))
		draw_counts(m, c, row++, now);
	if (is_list(view) && c->cols >= 60 && c->rows >= (lost > 0 ? 13 + lost : 7))
		draw_tabs(m, c, row++);
	place->key_row = c->rows >= 9 ? c->rows - 1 : -1;
	place->row = row;
	place->rows = c->rows - row - (place->key_row >= 0 ? 1 : 0);
}

void header_draw_keys(struct monitor *m, struct canvas *c, struct moment now,
		      const struct header_place *place)
{
	const struct key_row *rows[KEY_LINE_MAX];
	char name[KEY_NAME_SIZE];
	int margin = c->cols >= 60 ? 1 : 0, col = margin;
	size_t width = (size_t)(c->cols - margin);

	(void)now;
	if (place->key_row < 0)
		return;
	size_t count = key_line_rows(monitor_view(m), width, rows);
	for (size_t i = 0; i < count; i++) {
		col += i > 0 ? (int)key_line_gap(width) : 0;
		col += canvas_put(c, place->key_row, col, -1, STYLE_KEY,
				  key_name(rows[i]->keys[0], name));
		col += canvas_put(c, place->key_row, col, -1, STYLE_PLAIN, rows[i]->word);
	}
}

void header_draw_status(struct monitor *m, struct canvas *c, struct moment now)
{
	int margin = c->cols >= 60 ? 1 : 0, room = c->cols - 2 * margin;

	if (m->message_count == 0 || now.boot_us >= m->status_us ||
	    monitor_view(m) == VIEW_MESSAGES)
		return;
	size_t at = (m->message_first + m->message_count - 1) % MONITOR_MESSAGES_MAX;
	const struct message *message = &m->message[at];
	int width = canvas_width(c, message->text), rows = 1, most = c->rows / 4;
	while (rows < most && rows < 3 && rows * (room - 8) < width)
		rows++;
	enum style style = message->bad ? STYLE_ALERT : STYLE_BOLD;
	canvas_fill(c, c->rows - rows, 0, rows, c->cols, style);
	wrap_put(c, c->rows - rows, margin, rows, room, style, message->text);
}
