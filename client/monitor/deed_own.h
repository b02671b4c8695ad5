/*
 * deed_own.h - what deed.c (keys), deed_answer.c and deed_show.c (the picture) share.
 */
#ifndef CHIME_CLIENT_MONITOR_DEED_OWN_H
#define CHIME_CLIENT_MONITOR_DEED_OWN_H

#include "client/monitor/monitor.h"

/* Whether it can be done to a job now: NULL = yes, else why not, "not running". */
typedef const char *deed_judge(const struct book_job *job);

struct deed_kind {
	char letter;
	const char *title;		/* "Force start" */
	const char *words;		/* in the menu */
	const char *verb;		/* of chime(1): "start --force" */
	const char *did;		/* "started" */
	const char *question;		/* behind [y]: "start it anyway" */
	Chime__Request__BodyCase act;
	bool force;
	deed_judge *judge;
};

/* In the order of the menu. */
extern const struct deed_kind deed_kinds[];
extern const size_t deed_kind_count;

/* Everything of the dialog; what waits for its answer stays. */
void deed_close_dialog(struct deed *deed);

/* How many of its targets it may be done to now (by the book; one that is not in it counts);
 * *why: of the first it may not. */
size_t deed_allowed(const struct monitor *m, const struct deed_kind *kind, const char **why);

/* Effects of the dry run that would be done. */
size_t deed_count(const struct deed *deed);

/* "chime start --force eod/report@app1", quoted for a shell where needed; the caller's. reason: with
 * that which was given. */
char *deed_command(const struct deed *deed, bool reason);


#endif
