/*
 * header.h - what frames every view: who is asked and how fresh it is, counts, the line of views,
 * the key line, the status line.
 *
 * Rows, by what there is room for (the list keeps at least three):
 *
 *	header			always
 *	lost link		1 to 3 lines while there is none
 *	counts			jobs
 *	views			lists, 60 columns and more
 *	... the view ...
 *	key line		the status line and what is typed lie over it
 */
#ifndef CHIME_CLIENT_MONITOR_HEADER_H
#define CHIME_CLIENT_MONITOR_HEADER_H

#include "client/monitor/monitor.h"

struct header_place {
	int row, rows;			/* what is left for the view */
	int key_row;			/* -1 = no key line */
};

/* Draws what lies above a view; says what is left. */
void header_draw(struct monitor *m, struct canvas *c, struct moment now,
		 struct header_place *place);
void header_draw_keys(struct monitor *m, struct canvas *c, struct moment now,
		      const struct header_place *place);

/* The first line again, saying since when the picture stands still. */
void header_draw_frozen(struct monitor *m, struct canvas *c, struct moment now);

/* The newest message, while it is new, over the last line (or more, when it is long). */
void header_draw_status(struct monitor *m, struct canvas *c, struct moment now);

/* The view whose name was clicked; VIEW_COUNT = none. */
enum view_id header_tab_at(const struct monitor *m, int row, int col);

/* "LIVE group", "NO LINK", ...; short: "LIVE", "NO LINK". */
const char *header_feed_words(const struct monitor *m, bool narrow);

#endif
