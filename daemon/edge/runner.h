/*
 * runner.h - the node's hands: starts, kills and reads runs through the launcher (link.h).
 *
 * Every call only queues a message; what comes of it arrives as an inbox item (INBOX_JOBS,
 * INBOX_ATTEMPT, INBOX_SCANNED, INBOX_OUTPUT). Starting an attempt twice is harmless: the spool
 * directory is the exactly-once token. The end of the link ends the process.
 */
#ifndef CHIME_DAEMON_EDGE_RUNNER_H
#define CHIME_DAEMON_EDGE_RUNNER_H

#include "daemon/link.h"

struct runner;
struct inbox;
struct event_base;

struct run_order {
	struct attempt_id id;
	const char *job;		/* without server */
	const uint8_t *hash;		/* 32 bytes */
	const char *cycle, *slot, *cause;	/* "" = none */
	int64_t slot_utc_s;		/* INT64_MIN = none */
};

/* `fd`: our end of the socketpair, non-blocking, owned from here on. */
int runner_open(struct runner **out, struct event_base *base, struct inbox *inbox, int fd,
		const char *environment, const char *server);
void runner_close(struct runner *runner);

void runner_reload(struct runner *runner);
void runner_committed(struct runner *runner, uint64_t generation);
void runner_start(struct runner *runner, const struct run_order *order);
void runner_kill(struct runner *runner, const struct attempt_id *id);
void runner_ack(struct runner *runner, const struct attempt_id *id);

/* Answers with INBOX_OUTPUT carrying `cookie` and an open read-only descriptor or -errno. */
void runner_open_output(struct runner *runner, const struct attempt_id *id, uint32_t cookie);

#endif
