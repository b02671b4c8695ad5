/*
 * textview.h - what all views of scrolled text do alike: keys, searching, saving, the pager.
 */
#ifndef CHIME_CLIENT_MONITOR_TEXTVIEW_H
#define CHIME_CLIENT_MONITOR_TEXTVIEW_H

#include "client/monitor/monitor.h"

/* Moving and searching (text_act), PAGER. True when it was one of these. */
bool textview_act(struct monitor *m, struct text *text, enum intent action, struct moment now);

/* The typed line of SEARCH and SAVE. What is saved is the text as it is kept: clean. False: it
 * was neither. */
bool textview_typed(struct monitor *m, struct text *text, enum typing what, const char *line,
		    struct moment now);

/* "PAUSED +120 lines", "FOLLOW", "" for a text that does not grow. */
void textview_state(const struct text *text, bool grows, char *out, size_t size);

#endif
