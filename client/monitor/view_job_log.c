/*
 * view_job_log.c - the output of the run that is chosen.
 *
 *	open -> its end, followed while the run lives
 *	Home, and the beginning is not here -> from its first byte
 *	End after a long one was stopped at what can be kept -> its end again
 */
#include "client/monitor/view_job_own.h"

#include "client/monitor/jobask.h"
#include "client/say.h"

#include <stdio.h>
#include <string.h>

enum {
	LOG_LAST_BYTES = 256 << 10,	/* of an output, to begin with */
	/* By more than a piece can become: each byte a tab, or each a line. */
	BYTES_FULL = TEXT_BYTES - (1 << 20),
	LINES_FULL = TEXT_LINES - (1 << 17),
};

const char *job_view_server(const struct job_view *v)
{
	const char *at = strrchr(v->key, '@');
	return at != NULL ? at + 1 : "";
}

void job_log_ask(struct monitor *m, struct moment now)
{
	struct job_view *v = &m->job;
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__LogRequest log = CHIME__LOG_REQUEST__INIT;
	char target[96];

	snprintf(target, sizeof(target), "%llu@%s", (unsigned long long)v->log_run,
		 job_view_server(v));
	log.target = target;
	log.has_follow = log.follow = true;
	/* After a lost connection it goes on behind what is here. */
	log.has_offset = v->log_heard;
	log.offset = v->log_next;
	log.has_last = !v->log_heard && v->log_part == JOB_LOG_END;
	log.last = LOG_LAST_BYTES;
	request.body_case = CHIME__REQUEST__BODY_LOG;
	request.log = &log;
	struct order *order = order_new(ORDER_ASK, 0);
	order_set_request(order, &request);
	order->follow = order->at_owner = true;
	v->log_tag = monitor_order(m, CARRIER_LOG, order);
	v->log_asked_us = now.boot_us;
	v->log_retry = false;
	v->log_why[0] = '\0';
}

void job_log_stop(struct monitor *m)
{
	monitor_stop(m, CARRIER_LOG, m->job.log_tag);
	m->job.log_tag = 0;
}

void job_log_open(struct monitor *m, uint64_t run, enum job_log_part part)
{
	struct job_view *v = &m->job;

	job_log_stop(m);
	text_clear(&v->log);
	v->log.follow = part == JOB_LOG_END;
	v->log_run = run;
	v->log_part = part;
	v->log_live = v->log_done = v->log_heard = v->log_cut = v->log_retry = false;
	v->log_home = part == JOB_LOG_ALL;
	v->log_first = v->log_next = v->log_total = 0;
	v->log_why[0] = '\0';
	if (run == 0)
		return;
	if (m->link.up)
		job_log_ask(m, m->now);
	else
		v->log_retry = true;
}

/* Output that begins amid a line begins with the next one. */
static size_t skip_to_line(const uint8_t *data, size_t len)
{
	const uint8_t *end = memchr(data, '\n', len);
	return end != NULL ? (size_t)(end - data) + 1 : 0;
}

static void add_output(struct job_view *v, const Chime__LogReply *log)
{
	size_t len = log->has_data ? log->data.len : 0, from = 0;

	if (len > 0 && !v->log_heard) {
		v->log_first = log->offset;
		if (log->offset > 0 && v->log_part == JOB_LOG_END)
			from = skip_to_line(log->data.data, len);
		v->log_first += from;
		v->log.begins_later = v->log_first > 0;
	} else if (len > 0 && log->skipped > 0) {
		text_end(&v->log);
		text_print(&v->log, "(%llu bytes here are no longer kept)",
			   (unsigned long long)log->skipped);
	}
	if (len == 0)
		return;
	text_add(&v->log, log->data.data + from, len - from);
	v->log_next = log->offset + len;
	v->log_heard = true;
}

static void take_log(struct monitor *m, const Chime__LogReply *log)
{
	struct job_view *v = &m->job;

	v->log_live = log->live;
	if (log->has_total)
		v->log_total = log->total;
	add_output(v, log);
	if (!v->log_home)
		return;
	v->log.unseen = 0;		/* it was there before */
	if (v->log_next >= v->log_total) {
		v->log_home = false;
	} else if ((v->log.len > BYTES_FULL || v->log.line_count > LINES_FULL) && !v->log.follow) {
		/* More would push out the beginning, which was asked for. */
		v->log_cut = true;
		v->log_home = false;
		job_log_stop(m);
		text_end(&v->log);
		text_print(&v->log, "(the output goes on; End shows its end)");
	}
}

void job_log_take_letter(struct monitor *m, const struct letter *l)
{
	struct job_view *v = &m->job;

	if (l->trouble.exit != 0) {
		v->log_retry = jobask_is_worth_again(&l->trouble);
		snprintf(v->log_why, sizeof(v->log_why), "%.150s%s%.100s", l->trouble.what,
			 l->trouble.why[0] != '\0' ? ": " : "", l->trouble.why);
		v->log_live = false;
	} else if (l->reply != NULL && l->reply->body_case == CHIME__REPLY__BODY_LOG) {
		take_log(m, l->reply->log);
	} else {
		jobask_refusal(l->reply, v->log_why, sizeof(v->log_why));
	}
	if (!l->done || v->log_tag == 0)
		return;
	v->log_tag = 0;
	if (l->trouble.exit == 0) {
		v->log_done = true;
		v->log_live = false;
		text_end(&v->log);
	}
}

void job_log_go_home(struct monitor *m)
{
	struct job_view *v = &m->job;
	bool missing = v->log_first > 0 || v->log.dropped > 0;

	v->log_focus = true;
	if (!missing || v->log_cut || v->log_run == 0)
		text_act(&v->log, ACTION_HOME);
	else
		job_log_open(m, v->log_run, JOB_LOG_ALL);
}

void job_log_go_end(struct monitor *m)
{
	struct job_view *v = &m->job;

	v->log_focus = true;
	if (v->log_cut)
		job_log_open(m, v->log_run, JOB_LOG_END);
	else
		text_act(&v->log, ACTION_FOLLOW);
}
