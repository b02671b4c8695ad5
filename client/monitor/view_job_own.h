/*
 * view_job_own.h - what view_job.c (the job, its runs, keys), view_job_log.c (the output) and
 * view_job_show.c (the picture) share.
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

/* The owner of the job that is shown. */
const char *job_view_server(const struct job_view *v);

/* This part of the output of this run, from nothing; 0 = no run. The order before is stopped. */
void job_log_open(struct monitor *m, uint64_t run, enum job_log_part part);
/* The run that is open, on from what is here. */
void job_log_ask(struct monitor *m, struct moment now);
void job_log_stop(struct monitor *m);
/* A letter with log_tag. */
void job_log_take_letter(struct monitor *m, const struct letter *letter);
void job_log_go_home(struct monitor *m);
void job_log_go_end(struct monitor *m);

void job_view_draw(struct monitor *m, struct canvas *c, int row, int rows, struct moment now);

#endif
