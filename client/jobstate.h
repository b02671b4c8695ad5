/*
 * jobstate.h - the states a job is shown in: words, two-letter codes, order of trouble. The one
 * list of them in the client.
 */
#ifndef CHIME_CLIENT_JOBSTATE_H
#define CHIME_CLIENT_JOBSTATE_H

#include <stdbool.h>
#include <stddef.h>

/* In the order of trouble: what needs somebody comes first. */
enum jobstate {
	JOBSTATE_FAILED,
	JOBSTATE_KILLED,
	JOBSTATE_TIMEOUT,
	JOBSTATE_LOST,
	JOBSTATE_UNKNOWN,
	JOBSTATE_RETRY,
	JOBSTATE_RUNNING,
	JOBSTATE_STARTING,
	JOBSTATE_QUEUED,
	JOBSTATE_HELD,
	JOBSTATE_WAITING,
	JOBSTATE_ICED,
	JOBSTATE_MISSED,
	JOBSTATE_EXPIRED,
	JOBSTATE_SKIPPED,
	JOBSTATE_CANCELLED,
	JOBSTATE_SUCCESS,
	JOBSTATE_IDLE,
	JOBSTATE_COUNT
};

struct jobstate_row {
	const char *word;		/* FAILED */
	const char *code;		/* FA */
	const char *meaning;		/* for help, one line */
	bool trouble;			/* needs somebody */
	bool active;			/* starting, running, between attempts */
};

/* Indexed by enum jobstate. */
extern const struct jobstate_row jobstates[JOBSTATE_COUNT];

/* By its word; JOBSTATE_COUNT when it is none of them (of a newer server) or NULL. */
enum jobstate jobstate_parse(const char *word);

#endif
