/*
 * deed.c - see deed.h. Here: states and keys; answers are in deed_answer.c, the picture is in
 * deed_show.c.
 */
#include "client/monitor/deed_own.h"

#include "client/monitor/commandline.h"
#include "client/monitor/screen.h"
#include "client/say.h"
#include "proto/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the menu ---- */

static bool has_live_run(const struct book_job *job)
{
	return jobstates[job->state].active || job->state == JOBSTATE_WAITING ||
	       job->state == JOBSTATE_QUEUED;
}

/* With room for several runs it may start all the same: the server says so. */
static const char *judge_start(const struct book_job *job)
{
	if (job->removed)
		return "removed";
	if (jobstates[job->state].active)
		return "running";
	return job->held ? "held" : NULL;
}

static const char *judge_kill(const struct book_job *job)
{
	return has_live_run(job) ? NULL : "not running";
}

static const char *judge_hold(const struct book_job *job)
{
	return job->held ? "held already" : NULL;
}

static const char *judge_release(const struct book_job *job)
{
	return job->held ? NULL : "not held";
}

const struct deed_kind deed_kinds[] = {
	{ 's', "Start", "start when conditions are met", "start", "started", "start it",
	  CHIME__REQUEST__BODY_START, false, judge_start },
	{ 'f', "Force start", "force start (ignores conditions)", "start --force", "started",
	  "start it anyway", CHIME__REQUEST__BODY_START, true, judge_start },
	{ 'k', "Kill", "kill the running job", "kill", "killing", "kill it",
	  CHIME__REQUEST__BODY_KILL, false, judge_kill },
	{ 'h', "Hold", "hold: no new runs", "hold", "held", "hold it",
	  CHIME__REQUEST__BODY_HOLD, false, judge_hold },
	{ 'r', "Release", "release what is held", "release", "released", "release it",
	  CHIME__REQUEST__BODY_RELEASE, false, judge_release },
};

const size_t deed_kind_count = sizeof(deed_kinds) / sizeof(deed_kinds[0]);

const char *deed_menu_row(size_t i, char *letter)
{
	if (i >= deed_kind_count)
		return NULL;
	*letter = deed_kinds[i].letter;
	return deed_kinds[i].words;
}

size_t deed_allowed(const struct monitor *m, const struct deed_kind *kind, const char **why)
{
	const struct deed *deed = &m->deed;
	size_t n = 0;

	*why = NULL;
	for (size_t i = 0; i < deed->target_count; i++) {
		const struct book_job *job = book_find_job(m->book, deed->target[i]);
		const char *no = job != NULL ? kind->judge(job) : NULL;
		n += no == NULL;
		if (*why == NULL)
			*why = no;
	}
	return n;
}

/* ---- opening and closing ---- */

static void drop_targets(struct deed *deed)
{
	for (size_t i = 0; i < deed->target_count; i++)
		free(deed->target[i]);
	free(deed->target);
	deed->target = NULL;
	deed->target_count = 0;
}

void deed_close_dialog(struct deed *deed)
{
	drop_targets(deed);
	effects_fini(&deed->effects);
	deed->trouble = (struct trouble){ 0 };
	free(deed->command);
	deed->command = NULL;
	deed->state = DEED_CLOSED;
	deed->kind = NULL;
	deed->tag = 0;
	deed->note[0] = '\0';
	deed->scroll = 0;
	deed->seen = false;
	edit_begin(&deed->edit, "", NAME_REASON_MAX);
	edit_begin(&deed->number, "", 8);
}

void deed_init(struct deed *deed)
{
	*deed = (struct deed){ 0 };
	deed_close_dialog(deed);
}

void deed_fini(struct deed *deed)
{
	deed_close_dialog(deed);
	for (size_t i = 0; i < deed->pending_count; i++)
		free(deed->pending[i].command);
	deed->pending_count = 0;
}

void deed_open(struct monitor *m, char *const *target, size_t count)
{
	struct deed *deed = &m->deed;

	deed_close_dialog(deed);
	if (count == 0)
		return;
	deed->target = say_calloc(count, sizeof(*deed->target));
	for (size_t i = 0; i < count; i++)
		deed->target[deed->target_count++] = say_strdup(target[i]);
	deed->state = DEED_MENU;
}

void deed_open_command(struct monitor *m, const char *line)
{
	deed_close_dialog(&m->deed);
	m->deed.command = say_strdup(line);
	m->deed.state = DEED_COMMAND;
}

bool deed_is_open(const struct deed *deed)
{
	return deed->state != DEED_CLOSED;
}

/* ---- the same as a command ---- */

size_t deed_count(const struct deed *deed)
{
	size_t n = 0;

	for (size_t i = 0; i < deed->effects.count; i++)
		n += deed->effects.list[i].done;
	return n;
}

/* What a real order of this effect is about: the job, or to kill the run; the caller's. */
static char *name_target(const struct deed *deed, const struct effect *effect)
{
	const char *at = strrchr(effect->target, '@');

	if (deed->kind->act == CHIME__REQUEST__BODY_KILL && effect->run != 0 && at != NULL)
		return say_format("%llu%s", (unsigned long long)effect->run, at);
	return say_strdup(effect->target);
}

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_@%+=:,./-";

	return word[0] != '\0' && word[strspn(word, plain)] == '\0';
}

/* A line that grows by words. */
struct line { char *text; size_t len, room; };

static void add_bytes(struct line *line, const char *bytes, size_t len)
{
	while (line->len + len + 1 > line->room) {
		line->room = line->room > 0 ? 2 * line->room : 256;
		line->text = say_realloc(line->text, line->room, 1);
	}
	memcpy(line->text + line->len, bytes, len);
	line->len += len;
	line->text[line->len] = '\0';
}

/* A word as a shell reads it back: in '...', a ' in it as '\''. */
static void add_word(struct line *line, const char *word)
{
	add_bytes(line, " ", 1);
	if (is_plain(word)) {
		add_bytes(line, word, strlen(word));
		return;
	}
	add_bytes(line, "'", 1);
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			add_bytes(line, "'\\''", 4);
		else
			add_bytes(line, word, 1);
	}
	add_bytes(line, "'", 1);
}

char *deed_command(const struct deed *deed, bool reason)
{
	struct line line = { 0 };
	bool any = deed_count(deed) > 0;

	add_bytes(&line, "chime ", 6);
	add_bytes(&line, deed->kind->verb, strlen(deed->kind->verb));
	for (size_t i = 0; i < deed->effects.count; i++) {
		if (!deed->effects.list[i].done && any)
			continue;
		char *target = name_target(deed, &deed->effects.list[i]);
		add_word(&line, target);
		free(target);
	}
	if (reason && deed->edit.len > 0) {
		add_word(&line, "--reason");
		add_word(&line, deed->edit.text);
	}
	return line.text;
}

/* ---- orders ---- */

static struct order *make_order(const struct deed *deed, bool dry)
{
	struct order *order = order_new(ORDER_ACT, 0);

	order->act = deed->kind->act;
	order->force = deed->kind->force;
	order->dry = dry;
	return order;
}

static void ask(struct monitor *m, const struct deed_kind *kind)
{
	struct deed *deed = &m->deed;

	deed->kind = kind;
	struct order *order = make_order(deed, true);
	for (size_t i = 0; i < deed->target_count; i++)
		order_add_target(order, deed->target[i]);
	deed->state = DEED_ASKING;
	deed->tag = monitor_order(m, CARRIER_HAND, order);
}

/* The one place that gives an order which changes something. */
static void act(struct monitor *m)
{
	struct deed *deed = &m->deed;

	assert(deed->state == DEED_CONFIRM || deed->state == DEED_COUNT);
	struct order *order = make_order(deed, false);
	if (deed->edit.len > 0)
		order->reason = say_strdup(deed->edit.text);
	for (size_t i = 0; i < deed->effects.count; i++) {
		char *target = name_target(deed, &deed->effects.list[i]);
		if (deed->effects.list[i].done)
			order_add_target(order, target);
		free(target);
	}
	char *command = deed_command(deed, true);
	deed->state = DEED_DOING;
	deed->tag = monitor_order(m, CARRIER_HAND, order);
	deed->pending[deed->pending_count++] = (struct deed_pending){
		.tag = deed->tag, .kind = deed->kind, .command = command,
	};
}

static void run_command(struct monitor *m)
{
	struct deed *deed = &m->deed;
	/* It was asked here, and there is no terminal there to ask on. In front, for behind a "--" it
	 * were a target. */
	char *line = say_format("--yes %s", deed->command);

	commandline_start(m, deed->command, line);
	deed_close_dialog(deed);
	free(line);
}

/* ---- keys ---- */

static void note(struct deed *deed, const char *text)
{
	snprintf(deed->note, sizeof(deed->note), "%s", text);
}

static void refuse(struct monitor *m, struct moment now, const char *why)
{
	note(&m->deed, why);
	monitor_say(m, now, true, "nothing was done: %s", why);
}

/* Why y can't count now. */
static const char *forbids(const struct monitor *m)
{
	const struct deed *deed = &m->deed;
	const char *why = monitor_forbids(m);

	if (why != NULL)
		return why;
	if (deed->too_small)
		return "the screen is too small to show what would happen";
	if (!deed->seen)
		return "what would happen was not on the screen yet";
	return deed->pending_count == DEED_PENDING_MAX ? "too many answers are awaited" : NULL;
}

static void key_in_menu(struct monitor *m, int key, struct moment now)
{
	struct deed *deed = &m->deed;
	const char *why = monitor_forbids(m);

	for (size_t i = 0; i < deed_kind_count; i++) {
		const struct deed_kind *kind = &deed_kinds[i];
		if (key != kind->letter)
			continue;
		if (why != NULL)
			return refuse(m, now, why);
		/* What the book says of a start is told there; only the server knows for sure. */
		if (deed_allowed(m, kind, &why) == 0 && kind->judge != judge_start) {
			snprintf(deed->note, sizeof(deed->note), "%s - %s", kind->verb, why);
			return;
		}
		deed->note[0] = '\0';
		return ask(m, kind);
	}
}

/* From the reason on to the answer. */
static void leave_reason(struct monitor *m, struct moment now)
{
	struct deed *deed = &m->deed;
	const char *why;

	if (deed->edit.len > 0 && strspn(deed->edit.text, " ") == deed->edit.len)
		edit_begin(&deed->edit, "", NAME_REASON_MAX);
	if (deed->kind->force && deed->edit.len == 0)
		return note(deed, "a force needs a reason");
	if (!name_reason_valid(deed->edit.text, &why)) {
		snprintf(deed->note, sizeof(deed->note), "a reason %s", why);
		monitor_say(m, now, true, "a reason %s", why);
		return;
	}
	deed->note[0] = '\0';
	deed->state = deed_count(deed) > 1 ? DEED_COUNT : DEED_CONFIRM;
}

static void key_in_reason(struct monitor *m, int key, struct moment now)
{
	if (key == PRESS_ENTER || key == PRESS_TAB || key == PRESS_SHIFT_TAB)
		leave_reason(m, now);
	else if (edit_key(&m->deed.edit, key))
		m->deed.note[0] = '\0';
}

static void answer_yes(struct monitor *m, struct moment now)
{
	const char *why = forbids(m);

	if (why != NULL)
		refuse(m, now, why);
	else
		act(m);
}

static void say_nothing(struct monitor *m, struct moment now)
{
	deed_close_dialog(&m->deed);
	monitor_say(m, now, false, "nothing was done");
}

static void key_in_confirm(struct monitor *m, int key, struct moment now)
{
	if (key == 'y')
		answer_yes(m, now);
	else if (key == PRESS_TAB || key == PRESS_SHIFT_TAB)
		m->deed.state = DEED_REASON;
	else if (key == 'n' || key == PRESS_ENTER)
		say_nothing(m, now);
}

static bool number_is_right(const struct deed *deed)
{
	char right[16];

	snprintf(right, sizeof(right), "%zu", deed_count(deed));
	return strcmp(deed->number.text, right) == 0;
}

static void key_in_count(struct monitor *m, int key, struct moment now)
{
	struct deed *deed = &m->deed;

	if (key == 'n')
		return say_nothing(m, now);
	if (key == PRESS_TAB || key == PRESS_SHIFT_TAB) {
		deed->state = DEED_REASON;
	} else if (key == 'y' && number_is_right(deed)) {
		answer_yes(m, now);
	} else if (key == 'y' || key == PRESS_ENTER) {
		snprintf(deed->note, sizeof(deed->note), number_is_right(deed)
			 ? "press y to go on with all %zu" : "type %zu, then y",
			 deed_count(deed));
	} else if ((key >= '0' && key <= '9') || key < 0x20 || key > 0x10ffff) {
		edit_key(&deed->number, key);
		deed->note[0] = '\0';
	}
}

static void key_in_command(struct monitor *m, int key, struct moment now)
{
	const char *why = forbids(m);

	if (key == 'y' && why != NULL)
		refuse(m, now, why);
	else if (key == 'y')
		run_command(m);
	else if (key == 'n' || key == PRESS_ENTER)
		say_nothing(m, now);
}

static bool scroll(struct deed *deed, int key)
{
	size_t page = deed->page > 1 ? deed->page - 1 : 1;

	/* The draw stops at the end. */
	switch (key) {
	case PRESS_UP:
	case PRESS_WHEEL_UP: deed->scroll -= deed->scroll > 0; return true;
	case PRESS_DOWN:
	case PRESS_WHEEL_DOWN: deed->scroll++; return true;
	case PRESS_PAGE_UP: deed->scroll -= deed->scroll < page ? deed->scroll : page; return true;
	case PRESS_PAGE_DOWN: deed->scroll += page; return true;
	default: return false;
	}
}

static void leave(struct monitor *m, struct moment now)
{
	struct deed *deed = &m->deed;
	bool asked = deed->state == DEED_REASON || deed->state == DEED_COUNT ||
		     deed->state == DEED_CONFIRM || deed->state == DEED_COMMAND;

	if (deed->state == DEED_ASKING)
		monitor_stop(m, CARRIER_HAND, deed->tag);
	if (asked)
		return say_nothing(m, now);
	if (deed->state == DEED_DOING)
		monitor_say(m, now, false, "the answer will be told here");
	deed_close_dialog(deed);
}

void deed_key(struct monitor *m, int key, struct moment now)
{
	struct deed *deed = &m->deed;
	bool typing = deed->state == DEED_REASON || deed->state == DEED_COUNT;

	if (key == PRESS_ESCAPE || (!typing && (key == 'q' || key == PRESS_F10 ||
						key == PRESS_BACKSPACE)))
		return leave(m, now);
	if (scroll(deed, key))
		return;
	switch (deed->state) {
	case DEED_MENU: key_in_menu(m, key, now); break;
	case DEED_REASON: key_in_reason(m, key, now); break;
	case DEED_CONFIRM: key_in_confirm(m, key, now); break;
	case DEED_COUNT: key_in_count(m, key, now); break;
	case DEED_COMMAND: key_in_command(m, key, now); break;
	case DEED_CLOSED: case DEED_ASKING: case DEED_REFUSED: case DEED_DOING: break;
	}
}
