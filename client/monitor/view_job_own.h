/*
 * view_job_own.h - what view_job.c (asking, answers, keys) and view_job_show.c (the picture) share.
 */
#ifndef CHIME_CLIENT_MONITOR_VIEW_JOB_OWN_H
#define CHIME_CLIENT_MONITOR_VIEW_JOB_OWN_H

#include "client/monitor/monitor.h"

/* What of an output is in the log pane. */
enum job_log_part {
	JOB_LOG_END,			/* its end, and what comes */
	JOB_LOG_ALL,			/* from the first byte that is kept */
};

/* Asks what is to be asked now; called before every draw. */
void job_view_refresh(struct monitor *m, struct moment now);

void job_view_draw(struct monitor *m, struct canvas *c, int row, int rows, struct moment now);

#endif
