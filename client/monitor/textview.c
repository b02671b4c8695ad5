/*
 * textview.c - see textview.h.
 */
#include "client/monitor/textview.h"

#include "client/say.h"

#include <stdio.h>
#include <string.h>

static void wish_text(struct monitor *m, const struct text *text, enum wish_kind kind,
		      const char *path)
{
	char *copy = say_calloc(text->len + 1, 1);

	if (text->len > 0)
		memcpy(copy, text->bytes, text->len);
	monitor_wish_data(m, kind, path, copy, text->len);
}

static void say_not_found(struct monitor *m, const struct text *text, const char *what,
			  struct moment now)
{
	if (text->begins_later)
		monitor_say(m, now, true, "not in the last %zu line%s (Home loads the rest): %s",
			    text->line_count, text->line_count == 1 ? "" : "s", what);
	else
		monitor_say(m, now, true, "no line holds %s", what);
}

static void search_on(struct monitor *m, struct text *text, enum intent action, struct moment now)
{
	bool found = text->search[0] != '\0' && text_search_again(text, action);

	if (text->search[0] == '\0')
		monitor_say(m, now, false, "nothing is searched: / first");
	else if (!found)
		say_not_found(m, text, text->search, now);
}

bool textview_act(struct monitor *m, struct text *text, enum intent action, struct moment now)
{
	if (action == ACTION_PAGER) {
		wish_text(m, text, WISH_PAGER, NULL);
		return true;
	}
	if (action == ACTION_SEARCH_NEXT || action == ACTION_SEARCH_BEFORE) {
		search_on(m, text, action, now);
		return true;
	}
	return text_act(text, action);
}

bool textview_typed(struct monitor *m, struct text *text, enum typing what, const char *line,
		    struct moment now)
{
	if (what == TYPING_SEARCH) {
		if (!text_search(text, line) && line[0] != '\0')
			say_not_found(m, text, line, now);
		return true;
	}
	if (what != TYPING_SAVE)
		return false;
	if (line[0] != '\0')
		wish_text(m, text, WISH_SAVE, line);
	return true;
}

void textview_state(const struct text *text, bool grows, char *out, size_t size)
{
	if (text->follow && grows)
		snprintf(out, size, "FOLLOW");
	else if (!text->follow && grows)
		snprintf(out, size, "PAUSED +%zu line%s", text->unseen,
			 text->unseen == 1 ? "" : "s");
	else
		snprintf(out, size, "%s", "");
}
