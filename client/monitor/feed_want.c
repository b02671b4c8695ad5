/*
 * feed_want.c - what is missing, whom to ask for what, and when.
 *
 * Only verified heads tell that something is missing of the group, so nobody who has merely the
 * key of the group makes the monitor ask for logs.
 *
 *	head ahead -> FEED_GUARD_US -> WANT_PULL -> answer brought something: at once again
 *	                                         -> brought nothing: later, twice: WANT_JOBS
 *	                                         -> none within FEED_ANSWER_US: again
 *	more than FEED_PULL_MAX ahead, no position, a hole in a stream -> WANT_JOBS
 */
#include "client/monitor/feed_inside.h"

#include <stdio.h>

int64_t feed_backoff_us(unsigned tries)
{
	return (int64_t)FEED_ASK_US << (tries < FEED_TRIES_MAX ? tries : FEED_TRIES_MAX);
}

/* Events between what is proved and what verified heads tell of; at least so many. */
static uint64_t count_missing(const struct feed_log *log)
{
	uint64_t most = 0;

	for (size_t i = 0; i < log->chain.head_count; i++) {
		const struct head *head = &log->chain.heads[i];
		const struct chain_lineage *l = chain_find_lineage(&log->chain, head->lineage);
		uint64_t count = 1;	/* a lineage begins anywhere: it has one event at least */

		if (l && l->open)
			count = head->seq > l->seq ? head->seq - l->seq : 0;
		if (count > most)
			most = count;
	}
	return most;
}

void feed_plan(struct feed *feed, struct feed_log *log, int64_t now_us)
{
	uint64_t missing = log->has_position ? count_missing(log) : 0;

	if (!missing) {
		log->pull_at_us = 0;
		log->asked = false;
		log->fruitless = 0;
	} else if (!log->pull_at_us) {
		log->pull_at_us = now_us + FEED_GUARD_US;
		if (log->pulled_at_us && log->pull_at_us < log->pulled_at_us + FEED_ASK_US)
			log->pull_at_us = log->pulled_at_us + FEED_ASK_US;
	}
	log->wants_jobs = (log->key && !log->has_position && log->was_early) || log->has_hole ||
			  missing > FEED_PULL_MAX || (missing && log->wants_jobs);
	if (log->wants_jobs && !feed->jobs_since_us)
		feed->jobs_since_us = now_us;
}

void feed_plan_certificate(struct feed_log *log, int64_t now_us)
{
	log->mentioned_us = now_us;
	if (!log->wants_certificate && log->certificate_at_us < now_us)
		log->certificate_at_us = now_us;
	log->wants_certificate = true;
}

bool feed_wants_jobs(const struct feed *feed)
{
	for (const struct feed_log *log = feed->logs; log; log = log->hh.next)
		if (log->wants_jobs)
			return true;
	return false;
}

/* The first positions come without being asked for here: they get a moment. */
static int64_t jobs_due_us(const struct feed *feed)
{
	if (!feed->jobs_asked_us)
		return feed->jobs_since_us + (feed->has_positions ? 0 : FEED_ASK_US);
	return feed->jobs_asked_us + feed_backoff_us(feed->jobs_tries ? feed->jobs_tries - 1 : 0);
}

/* Whose certificate is asked for next: of servers that were known before that of a stranger. */
static struct feed_log *next_certificate(const struct feed *feed)
{
	struct feed_log *next = NULL;

	for (struct feed_log *log = feed->logs; log; log = log->hh.next)
		if (log->wants_certificate &&
		    (!next || (log->key != NULL) > (next->key != NULL) ||
		     ((log->key != NULL) == (next->key != NULL) &&
		      log->certificate_at_us < next->certificate_at_us)))
			next = log;
	return next;
}

static int64_t certificate_due_us(const struct feed *feed, const struct feed_log *log)
{
	return log->certificate_at_us > feed->stranger_at_us ? log->certificate_at_us :
							       feed->stranger_at_us;
}

static bool can_pull(const struct feed_log *log)
{
	return log->pull_at_us && !log->wants_jobs;
}

static void tell(struct feed_want *out, enum feed_want_kind kind, const char *server)
{
	*out = (struct feed_want){ .kind = kind };
	snprintf(out->server, sizeof(out->server), "%s", server);
}

static void tell_pull(struct feed_log *log, int64_t now_us, struct feed_want *out)
{
	tell(out, FEED_WANT_PULL, log->server);
	for (size_t i = log->chain.lineage_count; i-- > 0 && out->have_count < 4;) {
		const struct chain_lineage *l = &log->chain.lineages[i];

		if (!l->open)
			continue;
		out->have_lineage[out->have_count] = l->lineage;
		out->have_seq[out->have_count++] = l->seq;
	}
	log->asked = true;
	log->pulled_at_us = now_us;
	log->pull_at_us = now_us + FEED_ANSWER_US;
}

bool feed_want(struct feed *feed, struct moment now, struct feed_want *out)
{
	struct feed_log *log;

	feed->now_us = now.boot_us;
	tell(out, FEED_WANT_NOTHING, "");
	if (feed->wants_bus && now.boot_us >= feed->bus_at_us) {
		/* Heard again, it is wanted again; another environment may use the same group. */
		feed->wants_bus = false;
		feed->bus_at_us = now.boot_us + feed_backoff_us(feed->bus_tries++);
		tell(out, FEED_WANT_BUS, "");
		return true;
	}
	log = next_certificate(feed);
	if (log && now.boot_us >= certificate_due_us(feed, log)) {
		log->wants_certificate = false;
		log->certificate_at_us = now.boot_us + feed_backoff_us(log->certificate_tries++);
		feed->stranger_at_us = now.boot_us + FEED_ASK_US;
		tell(out, FEED_WANT_CERTIFICATE, log->server);
		return true;
	}
	if (feed_wants_jobs(feed) && now.boot_us >= jobs_due_us(feed)) {
		feed->jobs_asked_us = now.boot_us;
		feed->jobs_tries++;
		tell(out, FEED_WANT_JOBS, "");
		return true;
	}
	for (log = feed->logs; log; log = log->hh.next) {
		if (can_pull(log) && now.boot_us >= log->pull_at_us) {
			tell_pull(log, now.boot_us, out);
			return true;
		}
	}
	return false;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t feed_due_us(const struct feed *feed)
{
	int64_t due = feed->wants_bus ? feed->bus_at_us : INT64_MAX;
	const struct feed_log *log = next_certificate(feed);

	if (log)
		due = earlier(due, certificate_due_us(feed, log));
	if (feed_wants_jobs(feed))
		due = earlier(due, jobs_due_us(feed));
	for (log = feed->logs; log; log = log->hh.next)
		if (can_pull(log))
			due = earlier(due, log->pull_at_us);
	return due;
}

bool feed_missing(const struct feed *feed, size_t i, const char **server, uint64_t *count)
{
	for (const struct feed_log *log = feed->logs; log; log = log->hh.next) {
		/* What the guard may still bring is not missing yet. */
		uint64_t missing = log->asked || log->wants_jobs ? count_missing(log) : 0;

		if (log->has_position)
			missing += log->hole_count;
		if (!log->has_position || !missing || i--)
			continue;
		*server = log->server;
		*count = missing;
		return true;
	}
	return false;
}
