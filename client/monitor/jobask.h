/*
 * jobask.h - what views of one job share: asking a server, and noticing that the job has changed.
 */
#ifndef CHIME_CLIENT_MONITOR_JOBASK_H
#define CHIME_CLIENT_MONITOR_JOBASK_H

#include "client/monitor/monitor.h"

/* Gives an ORDER_ASK; returns its tag. */
uint64_t jobask_send(struct monitor *m, enum carrier carrier, const Chime__Request *request);

/* A number that changes with what the book knows of a job's state; 0 = it is not there. */
uint64_t jobask_version(const struct monitor *m, const char *key);

/* The question got no answer, which another try may bring: its version is then to be 0, as if
 * nothing was known. Not so for what was refused. */
bool jobask_is_worth_again(const struct trouble *trouble);

/* Why an answer is none: of a refusal, or of a reply that does not belong there. */
void jobask_refusal(const Chime__Reply *reply, char *out, size_t size);

#endif
