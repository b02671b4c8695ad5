/*
 * jobtable.h - rows of jobs as people see them, for all commands that list jobs.
 */
#ifndef CHIME_CLIENT_JOBTABLE_H
#define CHIME_CLIENT_JOBTABLE_H

#include "client/out.h"
#include "proto/control.pb-c.h"

enum { JOB_KEY_SIZE = 200 };

/* "job@server" into a buffer, which is returned. */
const char *job_key(const char *job, const char *server, char buf[JOB_KEY_SIZE]);

/* A row each: state, name, since, took, next, note. */
void job_table_print(const struct out *out, Chime__JobRow **rows, size_t count);

#endif
