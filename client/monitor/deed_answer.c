/*
 * deed_answer.c - what a dry run and a deed are answered with; see deed.h.
 */
#include "client/monitor/deed_own.h"

#include "client/say.h"

#include <stdlib.h>
#include <string.h>

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
	deed->seen = false;
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
	if (effects->count > 1 && done < effects->count)
		monitor_say(m, now, true, "%s %zu, refused %zu: see :messages", pending.kind->did,
			    done, effects->count - done);
	else if (done > 1)
		monitor_say(m, now, false, "%s %zu: see :messages", pending.kind->did, done);
	if (letter->trouble.exit != 0)
		tell_trouble(m, now, &pending, &letter->trouble);
	if (!letter->done)
		return;
	if (!deed->pending[i].any && letter->trouble.exit == 0)
		monitor_say(m, now, true, "nothing was %s", pending.kind->did);
	if (deed->state == DEED_DOING && deed->tag == pending.tag)
		deed_close_dialog(deed);
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
