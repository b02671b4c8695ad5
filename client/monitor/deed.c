/*
 * deed.c - see deed.h. Here: states, keys and answers; the picture is in deed_show.c.
 */
#include "client/monitor/deed_own.h"

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

/* Everything of the dialog; what waits for its answer stays. */
static void close_dialog(struct deed *deed)
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
	edit_begin(&deed->edit, "", NAME_REASON_MAX);
	edit_begin(&deed->number, "", 8);
}

void deed_init(struct deed *deed)
{
	*deed = (struct deed){ 0 };
	close_dialog(deed);
}

void deed_fini(struct deed *deed)
{
	close_dialog(deed);
	for (size_t i = 0; i < deed->pending_count; i++)
		free(deed->pending[i].command);
	deed->pending_count = 0;
}

void deed_open(struct monitor *m, char *const *target, size_t count)
{
	struct deed *deed = &m->deed;

	close_dialog(deed);
	if (count == 0)
		return;
	deed->target = say_calloc(count, sizeof(*deed->target));
	for (size_t i = 0; i < count; i++)
		deed->target[deed->target_count++] = say_strdup(target[i]);
	deed->state = DEED_MENU;
}

void deed_open_command(struct monitor *m, const char *line)
{
	close_dialog(&m->deed);
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

char *deed_target(const struct deed *deed, const struct effect *effect)
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

/* Appends a word as a shell reads it back: in '...', a ' in it as '\''. Takes line. */
static char *add_word(char *line, const char *word)
{
	char *quoted = say_calloc(4 * strlen(word) + 3, 1), *at = quoted;

	if (is_plain(word)) {
		memcpy(quoted, word, strlen(word));
	} else {
		*at++ = '\'';
		for (; *word != '\0'; word++) {
			if (*word == '\'') {
				memcpy(at, "'\\''", 4);
				at += 4;
			} else {
				*at++ = *word;
			}
		}
		*at = '\'';
	}
	char *longer = say_format("%s %s", line, quoted);
	free(quoted);
	free(line);
	return longer;
}

char *deed_command(const struct deed *deed)
{
	char *line = say_format("chime %s", deed->kind->verb);

	for (size_t i = 0; i < deed->effects.count; i++) {
		if (!deed->effects.list[i].done && deed_count(deed) > 0)
			continue;
		char *target = deed_target(deed, &deed->effects.list[i]);
		line = add_word(line, target);
		free(target);
	}
	return line;
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

static void add_target(struct order *order, char *target)
{
	order->target = say_realloc(order->target, order->target_count + 1, sizeof(char *));
	order->target[order->target_count++] = target;
}

static void ask(struct monitor *m, const struct deed_kind *kind)
{
	struct deed *deed = &m->deed;

	deed->kind = kind;
	struct order *order = make_order(deed, true);
	for (size_t i = 0; i < deed->target_count; i++)
		add_target(order, say_strdup(deed->target[i]));
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
		if (deed->effects.list[i].done)
			add_target(order, deed_target(deed, &deed->effects.list[i]));
	}
	char *command = deed_command(deed);
	if (deed->edit.len > 0) {
		command = add_word(command, "--reason");
		command = add_word(command, deed->edit.text);
	}
	deed->state = DEED_DOING;
	deed->tag = monitor_order(m, CARRIER_HAND, order);
	deed->pending[deed->pending_count++] = (struct deed_pending){
		.tag = deed->tag, .kind = deed->kind, .command = command,
	};
}

static void run_command(struct monitor *m)
{
	struct deed *deed = &m->deed;
	/* It was asked here, and there is no terminal there to ask on. */
	char *line = strstr(deed->command, "--yes") != NULL ? say_strdup(deed->command)
		: say_format("%s --yes", deed->command);

	if (m->output_running)
		monitor_wish(m, WISH_STOP_COMMAND, NULL);
	text_clear(&m->output);
	snprintf(m->output_title, sizeof(m->output_title), "%s", deed->command);
	m->output_running = true;
	close_dialog(deed);
	monitor_push(m, VIEW_OUTPUT);
	monitor_wish(m, WISH_COMMAND, line);
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
	close_dialog(&m->deed);
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
	close_dialog(deed);
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

/* ---- answers ---- */

static char *copy_text(const char *text)
{
	return text != NULL ? say_strdup(text) : NULL;
}

static char **copy_texts(char *const *texts, size_t count)
{
	char **copy = say_calloc(count, sizeof(*copy));

	for (size_t i = 0; i < count; i++)
		copy[i] = say_strdup(texts[i]);
	return copy;
}

/* Who owns a target was settled by the courier: owner and address are not needed any more. */
static void take_effects(struct effects *to, const struct effects *from)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct effect *e = &from->list[i];
		to->list = say_realloc(to->list, to->count + 1, sizeof(*to->list));
		to->list[to->count++] = (struct effect){
			.target = say_strdup(e->target), .done = e->done, .run = e->run,
			.what = copy_text(e->what), .why = copy_text(e->why),
			.hint = copy_text(e->hint), .exit = e->exit,
			.user = copy_text(e->user), .cycle = copy_text(e->cycle),
			.unmet = copy_texts(e->unmet, e->unmet_count),
			.unmet_count = e->unmet_count,
			.downstream = copy_texts(e->downstream, e->downstream_count),
			.downstream_count = e->downstream_count,
		};
	}
}

/* The dry run is answered. */
static void take_look(struct monitor *m, const struct letter *letter)
{
	struct deed *deed = &m->deed;

	take_effects(&deed->effects, &letter->effects);
	if (letter->trouble.exit != 0)
		deed->trouble = letter->trouble;
	if (!letter->done)
		return;
	deed->tag = 0;
	if (deed->effects.count == 0 && deed->trouble.exit == 0)
		trouble_set(&deed->trouble, EXIT_NO_MATCH, "nothing matches");
	if (deed_count(deed) == 0 || deed->trouble.exit != 0)
		deed->state = DEED_REFUSED;
	else if (deed->kind->force)
		deed->state = DEED_REASON;
	else
		deed->state = deed_count(deed) > 1 ? DEED_COUNT : DEED_CONFIRM;
}

static void tell_done(struct monitor *m, struct moment now, const struct deed_kind *kind,
		      const struct effect *e)
{
	const char *at = strrchr(e->target, '@');

	if (e->what == NULL && e->run != 0)
		monitor_say(m, now, false, "%s %s run %llu%s", kind->did, e->target,
			    (unsigned long long)e->run, at != NULL ? at : "");
	else if (e->what == NULL || kind->act == CHIME__REQUEST__BODY_START)
		monitor_say(m, now, false, "%s %s %s", kind->did, e->target,
			    e->what != NULL ? e->what : "");
	else if (kind->act == CHIME__REQUEST__BODY_KILL)
		monitor_say(m, now, false, "%s  %s", e->what, e->target);
	else
		monitor_say(m, now, false, "%s", e->what);
}

static void tell_refused(struct monitor *m, struct moment now, const struct effect *e)
{
	if (e->hint != NULL)
		monitor_say(m, now, true, "try: %s", e->hint);
	if (e->what == NULL)
		monitor_say(m, now, true, "%s was refused%s%s", e->target,
			    e->why != NULL ? ": " : "", e->why != NULL ? e->why : "");
	else
		monitor_say(m, now, true, "%s%s%s", e->what, e->why != NULL ? ": " : "",
			    e->why != NULL ? e->why : "");
}

/* "the same command with --key HEX" becomes the command. */
static void tell_trouble(struct monitor *m, struct moment now, const struct deed_pending *pending,
			 const struct trouble *t)
{
	const char *key = strstr(t->hint, "--key ");

	if (key != NULL)
		monitor_say(m, now, true, "safe to repeat: %s %.*s", pending->command,
			    (int)(6 + strcspn(key + 6, " \n")), key);
	else if (t->hint[0] != '\0')
		monitor_say(m, now, true, "try: %s", t->hint);
	monitor_say(m, now, true, "%s%s%s", t->what, t->why[0] != '\0' ? ": " : "", t->why);
}

/* A deed is answered: every effect into the messages, the last line is the status line. */
static void take_answer(struct monitor *m, size_t i, const struct letter *letter,
			struct moment now)
{
	struct deed *deed = &m->deed;
	struct deed_pending pending = deed->pending[i];
	const struct effects *effects = &letter->effects;
	size_t done = 0;

	for (size_t k = 0; k < effects->count; k++) {
		done += effects->list[k].done;
		if (effects->list[k].done)
			tell_done(m, now, pending.kind, &effects->list[k]);
		else
			tell_refused(m, now, &effects->list[k]);
	}
	deed->pending[i].any |= effects->count > 0;
	if (done > 0 && done < effects->count)
		monitor_say(m, now, true, "%s: %zu of %zu done, see :messages", pending.kind->verb,
			    done, effects->count);
	if (letter->trouble.exit != 0)
		tell_trouble(m, now, &pending, &letter->trouble);
	if (!letter->done)
		return;
	if (!deed->pending[i].any && letter->trouble.exit == 0)
		monitor_say(m, now, true, "nothing was %s", pending.kind->did);
	if (deed->state == DEED_DOING && deed->tag == pending.tag)
		close_dialog(deed);
	free(pending.command);
	memmove(&deed->pending[i], &deed->pending[i + 1],
		(deed->pending_count - i - 1) * sizeof(pending));
	deed->pending_count--;
}

bool deed_take_letter(struct monitor *m, const struct letter *letter, struct moment now)
{
	struct deed *deed = &m->deed;

	if (letter->kind != ORDER_ACT)
		return false;
	for (size_t i = 0; i < deed->pending_count; i++) {
		if (deed->pending[i].tag == letter->tag) {
			take_answer(m, i, letter, now);
			return true;
		}
	}
	/* Another tag: a question that was left meanwhile. */
	if (deed->state == DEED_ASKING && letter->tag == deed->tag)
		take_look(m, letter);
	return true;
}
