/*
 * jobstate.c - see jobstate.h.
 */
#include "client/jobstate.h"

#include <string.h>

const struct jobstate_row jobstates[JOBSTATE_COUNT] = {
	[JOBSTATE_FAILED] = { "FAILED", "FA", "ended, its exit code is not a success", true, false },
	[JOBSTATE_KILLED] = { "KILLED", "TE", "stopped by a person", true, false },
	[JOBSTATE_TIMEOUT] = { "TIMEOUT", "TO", "stopped, it ran longer than max_time", true, false },
	[JOBSTATE_LOST] = { "LOST", "LO", "nobody saw how it ended", true, false },
	[JOBSTATE_UNKNOWN] = { "UNKNOWN", "??", "its server is not heard", true, false },
	[JOBSTATE_RETRY] = { "RETRY", "RE", "failed, tries again at a known time", false, true },
	[JOBSTATE_RUNNING] = { "RUNNING", "RU", "runs", false, true },
	[JOBSTATE_STARTING] = { "STARTING", "ST", "asked to start, not confirmed", false, true },
	[JOBSTATE_QUEUED] = { "QUEUED", "QU", "conditions met, waits for its turn", false, false },
	[JOBSTATE_HELD] = { "HELD", "OH", "will not start; dependents wait", true, false },
	[JOBSTATE_WAITING] = { "WAITING", "WA", "due, a condition is not met yet", false, false },
	[JOBSTATE_ICED] = { "ICED", "OI", "skipped when due; dependents go on", false, false },
	[JOBSTATE_MISSED] = { "MISSED", "MI", "was due while nothing could start it", true, false },
	[JOBSTATE_EXPIRED] = { "EXPIRED", "EX", "waited until its time was over", true, false },
	[JOBSTATE_SKIPPED] = { "SKIPPED", "SK", "left out when it was due", false, false },
	[JOBSTATE_CANCELLED] = { "CANCELLED", "CA", "called off before it started", false, false },
	[JOBSTATE_SUCCESS] = { "SUCCESS", "SU", "ended well", false, false },
	[JOBSTATE_IDLE] = { "IDLE", "IN", "never ran, or is not due", false, false },
};

enum jobstate jobstate_parse(const char *word)
{
	for (int i = 0; word != NULL && i < JOBSTATE_COUNT; i++) {
		if (strcmp(jobstates[i].word, word) == 0)
			return (enum jobstate)i;
	}
	return JOBSTATE_COUNT;
}
