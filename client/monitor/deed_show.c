/*
 * deed_show.c - the menu and the dialogs of deed.h as pictures.
 *
 *	+-- PROD: Force start  eod/report@app1 ----+
 *	| body: what would happen                  |	scrolls when there is no room for all
 *	| input: reason, number, what was wrong    |	always seen
 *	| same: the command                        |	goes with the body when there is no room
 *	| answer: the keys                         |	always seen
 *	+------------------------------------------+
 */
#include "client/monitor/deed_own.h"

#include "client/monitor/wrap.h"
#include "client/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row_text { enum style style; char *text; };

struct rows_text { struct row_text *list; size_t count; };

struct page {
	const struct canvas *canvas;
	int width;			/* of the texts */
	struct rows_text body, same;
	int name_rows;			/* of the body: the job, if the title lacks it */
	const char *answer;
	struct { const struct edit *edit; const char *prompt; bool active; } input[2];
	size_t input_count;
};

/* ---- texts, broken to the width ---- */

static void add_row(struct rows_text *rows, enum style style, char *text)
{
	rows->list = say_realloc(rows->list, rows->count + 1, sizeof(*rows->list));
	rows->list[rows->count++] = (struct row_text){ style, text };
}

static void free_rows(struct rows_text *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->list[i].text);
	free(rows->list);
}

/* Adds a text in as many rows as it takes; all but the first begin `hang` columns further in. tail
 * is put at the end of those that go on. */
static void add_broken(struct rows_text *rows, const struct page *page, enum style style, int hang,
		       const char *tail, const char *text)
{
	int indent = 0, end = (int)strlen(tail);

	if (hang > page->width / 3)
		hang = 0;
	while (text[0] != '\0' || indent == 0) {
		int width = page->width - indent;
		size_t all = wrap_fit(page->canvas, text, width);
		size_t n = text[all] == '\0' ? all
			: wrap_measure(page->canvas, text, width - end);
		add_row(rows, style, say_format("%*s%.*s%s", indent, "", (int)n, text,
						text[n] != '\0' ? tail : ""));
		text += n;
		if (text[0] == '\0')
			break;
		text += strspn(text, " ");
		indent = hang;
	}
}

static void add(struct page *page, enum style style, int hang, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void add(struct page *page, enum style style, int hang, const char *format, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	/* What a server says may have lines. */
	for (char *line = text, *next; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		add_broken(&page->body, page, style, hang, "", line);
	}
}

/* ---- bodies ---- */

static void add_menu(const struct monitor *m, struct page *page)
{
	const char *off = monitor_forbids(m), *why;
	size_t all = m->deed.target_count;

	if (off != NULL)
		add(page, STYLE_WARN, 0, "Nothing may be done now: %s", off);
	for (size_t i = 0; i < deed_kind_count; i++) {
		const struct deed_kind *kind = &deed_kinds[i];
		size_t allowed = deed_allowed(m, kind, &why);
		bool can = off == NULL && allowed > 0;
		const char *words = page->width >= 50 ? kind->words : kind->verb;
		int pad = page->width >= 50 ? 33 : page->width >= 30 ? 14 : 0;
		if (allowed == all)
			add(page, can ? STYLE_PLAIN : STYLE_DIM, 3, "%c  %s", kind->letter, words);
		else if (allowed > 0)
			add(page, can ? STYLE_PLAIN : STYLE_DIM, 3, "%c  %-*s - %zu of %zu",
			    kind->letter, pad, words, allowed, all);
		else
			add(page, STYLE_DIM, 3, "%c  %-*s - %s", kind->letter, pad, words, why);
	}
	if (all < 2)
		return;
	add(page, STYLE_PLAIN, 0, "%s", "");
	for (size_t i = 0; i < all; i++)
		add(page, STYLE_PLAIN, 2, "%s", m->deed.target[i]);
}

/* "NO  success(a@b)  FAILED ..." as the server says it. */
static void add_unmet(struct page *page, const char *unmet)
{
	if (strncmp(unmet, "NO ", 3) == 0)
		add(page, STYLE_BAD, 11, "  NOT MET  %s", unmet + 3 + strspn(unmet + 3, " "));
	else if (strncmp(unmet, "?? ", 3) == 0)
		add(page, STYLE_WARN, 13, "  NOT KNOWN  %s", unmet + 3 + strspn(unmet + 3, " "));
	else
		add(page, STYLE_BAD, 2, "  %s", unmet);
}

/* The job's key in what a server calls it: "eod/archive@nas1 (held)". */
static void copy_key(const char *name, char key[BOOK_KEY_SIZE])
{
	snprintf(key, BOOK_KEY_SIZE, "%.*s", (int)strcspn(name, " "), name);
}

static bool is_held(const struct monitor *m, const char *name)
{
	char key[BOOK_KEY_SIZE];

	copy_key(name, key);
	const struct book_job *job = book_find_job(m->book, key);
	return strstr(name, " (held)") != NULL || (job != NULL && job->held);
}

/* "a, b, c" of those that are held or of all; malloc'ed. */
static char *join_names(const struct monitor *m, const struct effect *e, bool held, size_t *count)
{
	char *all = say_strdup("");

	*count = 0;
	for (size_t i = 0; i < e->downstream_count; i++) {
		char key[BOOK_KEY_SIZE];
		if (held && !is_held(m, e->downstream[i]))
			continue;
		copy_key(e->downstream[i], key);
		char *longer = say_format("%s%s%s", all, (*count)++ > 0 ? ", " : "", key);
		free(all);
		all = longer;
	}
	return all;
}

static void add_downstream(const struct monitor *m, struct page *page, const struct effect *e)
{
	const struct deed_kind *kind = m->deed.kind;
	size_t count, held_count;

	if (e->downstream_count == 0)
		return;
	char *all = join_names(m, e, false, &count), *held = join_names(m, e, true, &held_count);
	if (kind->act == CHIME__REQUEST__BODY_START)
		add(page, STYLE_PLAIN, 2, "If it succeeds, %zu job%s may start at once: %s", count,
		    count == 1 ? "" : "s", all);
	else
		add(page, STYLE_PLAIN, 2, "%zu job%s wait%s for it: %s", count,
		    count == 1 ? "" : "s", count == 1 ? "s" : "", all);
	if (held_count > 0 && kind->act == CHIME__REQUEST__BODY_START)
		add(page, STYLE_WARN, 1, "(%s %s held and will not start)", held,
		    held_count == 1 ? "is" : "are");
	free(all);
	free(held);
}

static void add_start(const struct monitor *m, struct page *page, const struct effect *e,
		      bool several)
{
	const char *at = strrchr(e->target, '@');
	const char *one = several ? e->target : "It";

	add(page, STYLE_PLAIN, 0, "%s will start now on %s%s%s%s%s%s", one,
	    at != NULL ? at + 1 : "its server", e->user != NULL ? " as user " : "",
	    e->user != NULL ? e->user : "", e->cycle != NULL ? " for cycle " : "",
	    e->cycle != NULL ? e->cycle : "",
	    e->unmet_count == 0 ? "; its conditions are met"
	    : m->deed.kind->force ? ", and IGNORE:" : ". Not met, but not needed:");
	for (size_t i = 0; i < e->unmet_count; i++)
		add_unmet(page, e->unmet[i]);
}

/* What a dry run says in the words of what is done, as what would be done. */
static void add_change(const struct monitor *m, struct page *page, const struct effect *e)
{
	const struct book_job *job = book_find_job(m->book, e->target);
	const char *state = job != NULL ? jobstates[book_job_shown(job)].word : "";
	const char *at = strrchr(e->target, '@'), *what = e->what != NULL ? e->what : "";
	bool already = strstr(what, " already") != NULL;
	char run[96] = "";

	if (e->run != 0)
		snprintf(run, sizeof(run), "run %llu%s ", (unsigned long long)e->run,
			 at != NULL ? at : "");
	if (m->deed.kind->act == CHIME__REQUEST__BODY_KILL)
		what = strncmp(what, "cancelled", 9) == 0 ? "waits and will be cancelled"
			: "will be killed: TERM now, KILL after kill_grace";
	else if (m->deed.kind->act == CHIME__REQUEST__BODY_HOLD)
		what = already ? "is held already"
			: "will be held: no new run until it is released";
	else
		what = already ? "is not held" : "will be released";
	if (page->name_rows > 0)
		add(page, STYLE_PLAIN, 2, "%s%s%s%s%s", state, run[0] != '\0' ? "  " : "", run,
		    state[0] != '\0' || run[0] != '\0' ? ": " : "", what);
	else
		add(page, STYLE_PLAIN, 2, "%s%s%s: %s%s", state, state[0] != '\0' ? "  " : "",
		    e->target, run, what);
}

static void add_refusal(struct page *page, const char *target, const char *what, const char *why,
			const char *hint)
{
	if (what != NULL && what[0] != '\0')
		add(page, STYLE_BAD, 0, "%s", what);
	else
		add(page, STYLE_BAD, 0, "%s was refused", target);
	if (why != NULL && why[0] != '\0')
		add(page, STYLE_PLAIN, 7, "  why: %s", why);
	if (hint != NULL && hint[0] != '\0')
		add(page, STYLE_PLAIN, 7, "  try: %s", hint);
}

static void add_effects(const struct monitor *m, struct page *page)
{
	const struct deed *deed = &m->deed;
	size_t done = deed_count(deed);

	if (deed->trouble.exit != 0)
		add_refusal(page, "", deed->trouble.what, deed->trouble.why, deed->trouble.hint);
	if (done > 1)
		add(page, STYLE_BOLD, 0, "%zu targets:", done);
	for (size_t i = 0; i < deed->effects.count; i++) {
		const struct effect *e = &deed->effects.list[i];
		if (!e->done)
			continue;
		if (deed->kind->act == CHIME__REQUEST__BODY_START)
			add_start(m, page, e, done > 1);
		else
			add_change(m, page, e);
		add_downstream(m, page, e);
	}
	if (done > 0 && done < deed->effects.count)
		add(page, STYLE_BOLD, 0, "%zu of %zu may not be done:", deed->effects.count - done,
		    deed->effects.count);
	for (size_t i = 0; i < deed->effects.count; i++) {
		const struct effect *e = &deed->effects.list[i];
		if (!e->done)
			add_refusal(page, e->target, e->what, e->why, e->hint);
	}
	char *command = deed_command(deed, true);
	char *same = say_format("%s%s", page->width >= 40 ? "Same as:  " : "", command);
	if (deed->state != DEED_REFUSED)
		add_broken(&page->same, page, STYLE_PLAIN, 10, " \\", same);
	free(same);
	free(command);
}

static void add_targets(const struct monitor *m, struct page *page, const char *heading)
{
	add(page, STYLE_PLAIN, 0, "%s", heading);
	for (size_t i = 0; i < m->deed.target_count; i++)
		add(page, STYLE_PLAIN, 2, "  %s", m->deed.target[i]);
}

/* ---- input and answers ---- */

/* The first of these that fits; the last one fits everywhere. */
static const char *choose(const struct page *page, const char *const *list, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		if (canvas_width(page->canvas, list[i]) <= page->width)
			return list[i];
	}
	return list[count - 1];
}

static void add_input(struct page *page, const struct edit *edit, const char *prompt, bool active)
{
	page->input[page->input_count].edit = edit;
	page->input[page->input_count].prompt = prompt;
	page->input[page->input_count++].active = active;
}

static void add_inputs(const struct deed *deed, struct page *page, char *number, size_t size)
{
	bool wide = page->width >= 60, reason = deed->state == DEED_REASON;

	if (deed->edit.len > 0 || reason || deed->kind->force)
		add_input(page, &deed->edit, wide ? "Reason (goes to the audit log):  "
			  : "Reason: ", reason);
	else
		add_input(page, &deed->edit, wide
			  ? "Reason (goes to the audit log):  none, Tab: give one"
			  : "Reason: none (Tab)", false);
	if (deed_count(deed) < 2)
		return;
	if (page->width >= 50)
		snprintf(number, size, "All %zu: type %zu, then y: ",
			 deed_count(deed), deed_count(deed));
	else
		snprintf(number, size, "Type %zu, y: ", deed_count(deed));
	add_input(page, &deed->number, number, deed->state == DEED_COUNT);
}

static const char *make_answer(const struct monitor *m, const struct page *page, char *yes,
			       size_t size)
{
	static const char *const menu[] = {
		"A letter shows what would happen and asks.   Esc: nothing",
		"letter: ask   Esc: nothing", "Esc: no" };
	static const char *const off[] = {
		"Nothing may be done now, see above.   Esc: close", "Esc: close" };
	static const char *const wait[] = { "Esc: nothing is done", "Esc: no" };
	static const char *const closed[] = { "Nothing was done.   Esc: close", "Esc: close" };
	static const char *const reason[] = {
		"Enter or Tab: on to the question      Esc: do nothing",
		"Enter: on   Esc: nothing", "Enter  Esc: no" };
	static const char *const doing[] = {
		"Esc: go on working; the answer is told in the status line", "Esc: go on" };
	const struct deed *deed = &m->deed;
	const char *question = deed->state == DEED_COMMAND ? "do it"
		: deed->kind != NULL ? deed->kind->question : "";

	switch (deed->state) {
	case DEED_MENU:
		return monitor_forbids(m) != NULL ? choose(page, off, 2) : choose(page, menu, 3);
	case DEED_ASKING: return choose(page, wait, 2);
	case DEED_REFUSED: return choose(page, closed, 2);
	case DEED_REASON: return choose(page, reason, 3);
	case DEED_DOING: return choose(page, doing, 2);
	default: break;
	}
	bool several = deed->state == DEED_COUNT;
	snprintf(yes, size, "     [y] %s%s        [n] or Esc: do nothing   (Enter: no)", question,
		 several ? ", all of them" : "");
	if (canvas_width(page->canvas, yes) > page->width)
		snprintf(yes, size, "[y] %s   [n] nothing", question);
	if (canvas_width(page->canvas, yes) > page->width)
		snprintf(yes, size, "[y] yes  [n] no");
	return yes;
}

/* ---- the box ---- */

/* False: the one job it is about is not in it whole. */
static bool make_title(const struct monitor *m, int room, char *title, size_t size)
{
	const struct deed *deed = &m->deed;
	const char *env = m->book->environment;
	const char *what = deed->kind != NULL ? deed->kind->title
		: deed->state == DEED_COMMAND ? "Command" : "Act on";
	char about[BOOK_KEY_SIZE] = "", head[128];

	if (deed->target_count == 1)
		snprintf(about, sizeof(about), "%s", deed->target[0]);
	else if (deed->target_count > 1)
		snprintf(about, sizeof(about), "%zu targets", deed->target_count);
	snprintf(head, sizeof(head), "%s%s%s%s", env, env[0] != '\0' ? ": " : "", what,
		 about[0] != '\0' ? "  " : "");
	size_t used = strlen(head), len = strlen(about), left = room > 0 ? (size_t)room : 0;
	if (used + len > left && used + 4 < left && len > left - used)
		snprintf(title, size, "%s~%s", head, about + len - (left - used - 1));
	else if (used + len > left)
		snprintf(title, size, "%.*s", (int)left, head);
	else
		snprintf(title, size, "%s%s", head, about);
	return used + len <= left;
}

/* What is asked is asked about a job that can be read. */
static void add_name(const struct monitor *m, struct page *page)
{
	const struct deed *deed = &m->deed;
	bool asks = deed->state == DEED_REASON || deed->state == DEED_CONFIRM;

	if (!asks || deed->target_count != 1 || deed_count(deed) != 1)
		return;
	add(page, STYLE_BOLD, 0, "%s", deed->target[0]);
	page->name_rows = (int)page->body.count;
}

static void make_page(const struct monitor *m, struct page *page, char *number, size_t number_size,
		      char *yes, size_t yes_size)
{
	const struct deed *deed = &m->deed;

	switch (deed->state) {
	case DEED_MENU: add_menu(m, page); break;
	case DEED_ASKING:
		add_targets(m, page, "Asking what would happen to:");
		break;
	case DEED_DOING:
		add_targets(m, page, "Sent. Waiting for the answer about:");
		break;
	case DEED_COMMAND:
		add(page, STYLE_PLAIN, 0, "This command acts:");
		add(page, STYLE_BOLD, 2, "  chime %s", deed->command);
		break;
	default:
		add_effects(m, page);
		if (deed->state != DEED_REFUSED)
			add_inputs(deed, page, number, number_size);
		break;
	}
	page->answer = make_answer(m, page, yes, yes_size);
}

struct dialog { int row, col, rows, cols, pad; };

static void draw_rows(struct canvas *c, const struct dialog *f, int row,
		      const struct rows_text *rows, size_t from, size_t count)
{
	int width = f->cols - 2 - 2 * f->pad;

	for (size_t i = from; i < from + count && i < rows->count; i++)
		canvas_put(c, row++, f->col + 1 + f->pad, width, rows->list[i].style,
			   rows->list[i].text);
}

static int draw_inputs(struct canvas *c, const struct dialog *f, int row, const struct page *page)
{
	int col = f->col + 1 + f->pad, width = f->cols - 2 - 2 * f->pad;

	for (size_t i = 0; i < page->input_count; i++, row++) {
		if (page->input[i].active)
			edit_draw(page->input[i].edit, c, row, col, width, page->input[i].prompt);
		else
			canvas_print(c, row, col, width, STYLE_PLAIN, "%s%s",
				     page->input[i].prompt, page->input[i].edit->text);
	}
	return row;
}

/* Everything fits, with blank rows as drawn in the design. */
static void draw_spaced(struct canvas *c, const struct dialog *f, const struct page *page,
			const char *wrong)
{
	int row = f->row + 2, col = f->col + 1 + f->pad;

	draw_rows(c, f, row, &page->body, 0, page->body.count);
	row += (int)page->body.count + 1;
	if (page->input_count > 0)
		row = draw_inputs(c, f, row, page) + 1;
	draw_rows(c, f, row, &page->same, 0, page->same.count);
	if (page->same.count > 0)
		row += (int)page->same.count + 1;
	if (wrong[0] != '\0')
		canvas_put(c, row++, col, page->width, STYLE_WARN, wrong);
	canvas_put(c, row, col, page->width, STYLE_BOLD, page->answer);
}

/* The body and the command scroll above what is typed. */
static void draw_tight(struct deed *deed, struct canvas *c, const struct dialog *f,
		       struct page *page, const char *wrong)
{
	int col = f->col + 1 + f->pad, fixed = (int)page->input_count + 1 + (wrong[0] != '\0');
	int shown = f->rows - 2 - fixed;

	if ((shown < 1 || shown < page->name_rows) && wrong[0] != '\0') {
		wrong = "";		/* it is in the status line and the messages too */
		shown++;
	}
	for (size_t i = 0; i < page->same.count; i++) {
		add_row(&page->body, page->same.list[i].style, page->same.list[i].text);
		page->same.list[i].text = NULL;
	}
	page->same.count = 0;
	size_t room = shown > 0 ? (size_t)shown : 0, all = page->body.count;
	if (deed->scroll > (all > room ? all - room : 0))
		deed->scroll = all > room ? all - room : 0;
	deed->page = room;
	draw_rows(c, f, f->row + 1, &page->body, deed->scroll, room);
	if (deed->scroll > 0)
		canvas_put(c, f->row + 1, f->col + f->cols - 1, 1, STYLE_BOLD, "^");
	if (deed->scroll + room < all)
		canvas_put(c, f->row + (int)room, f->col + f->cols - 1, 1, STYLE_BOLD, "v");
	int row = draw_inputs(c, f, f->row + 1 + shown, page);
	if (wrong[0] != '\0')
		canvas_put(c, row++, col, page->width, STYLE_WARN, wrong);
	canvas_put(c, row, col, page->width, STYLE_BOLD, page->answer);
}

static void draw_too_small(struct canvas *c)
{
	char whole[64];
	const char *const forms[] = { whole, "too small to ask: Esc", "too small: Esc", "small" };
	size_t i = 0;

	snprintf(whole, sizeof(whole), "too small to ask (%dx%d): Esc", DEED_COLS_MIN,
		 DEED_ROWS_MIN);
	/* That says nothing where it is the name that has no room. */
	if (c->rows >= DEED_ROWS_MIN && c->cols >= DEED_COLS_MIN)
		i = 1;
	while (i < 3 && canvas_width(c, forms[i]) > c->cols)
		i++;
	canvas_fill(c, 0, 0, 1, c->cols, STYLE_ALERT);
	canvas_put(c, 0, 0, -1, STYLE_ALERT, forms[i]);
}

void deed_draw(struct monitor *m, struct canvas *c, struct moment now)
{
	struct deed *deed = &m->deed;
	struct dialog f = { .cols = c->cols };
	char number[80] = "", yes[160] = "", title[512];

	(void)now;
	if (deed->state == DEED_CLOSED)
		return;
	deed->too_small = c->rows < DEED_ROWS_MIN || c->cols < DEED_COLS_MIN;
	c->cursor_row = c->cursor_col = -1;
	if (deed->too_small)
		return draw_too_small(c);
	if (c->cols >= 64) {
		f.cols = c->cols - 3 < 77 ? c->cols - 3 : 77;
		f.col = c->cols <= 84 ? 2 : (c->cols - f.cols) / 2;
	}
	f.pad = f.cols >= 40 ? 2 : 0;
	struct page page = { .canvas = c, .width = f.cols - 2 - 2 * f.pad };
	if (!make_title(m, f.cols - 8, title, sizeof(title)))
		add_name(m, &page);
	make_page(m, &page, number, sizeof(number), yes, sizeof(yes));
	const char *wrong = deed->note;
	int rows = 4 + (int)page.body.count + (page.input_count > 0 ? (int)page.input_count + 1 : 0)
		+ (page.same.count > 0 ? (int)page.same.count + 1 : 0) + (wrong[0] != '\0') + 1;
	bool spaced = rows <= c->rows;
	if (!spaced) {
		rows = (int)(page.body.count + page.same.count + page.input_count) + 3 +
			(wrong[0] != '\0');
		rows = rows < c->rows ? rows : c->rows;
	}
	f.rows = rows;
	f.row = rows + 4 <= c->rows ? 4 : c->rows - rows;
	/* As draw_tight() has it: a note gives way. */
	deed->too_small = !spaced && page.name_rows > f.rows - 3 - (int)page.input_count;
	if (deed->too_small) {
		draw_too_small(c);
		goto out;
	}
	deed->seen = true;
	canvas_box(c, f.row, f.col, f.rows, f.cols, title);
	if (spaced)
		deed->scroll = 0;
	if (spaced)
		draw_spaced(c, &f, &page, wrong);
	else
		draw_tight(deed, c, &f, &page, wrong);
out:
	free_rows(&page.body);
	free_rows(&page.same);
}
