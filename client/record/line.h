/*
 * line.h - what the lines of datagrams (decode.h) and of the report (report.h) have in common.
 *
 * Invariant: text is free of control characters, whatever went in; JSON is ASCII, one object a
 * line, with everything else escaped.
 */
#ifndef CHIME_CLIENT_RECORD_LINE_H
#define CHIME_CLIENT_RECORD_LINE_H

#include "proto/event.pb-c.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum { LINE_TIME_SIZE = 64 };

/* "2026-11-20T19:44:00.005847Z": always with microseconds, for they order a burst. */
void line_format_time(int64_t wall_us, char out[LINE_TIME_SIZE]);

/* " KIND JOB run N TEXT", without what the event has not. */
void line_print_event(FILE *out, uint64_t seq, const Chime__Event *event);

json_t *line_json_time(int64_t wall_us);

/* value <= INT64_MAX. */
void line_set_number(json_t *object, const char *name, uint64_t value);

/* Prints the line and drops the object. */
void line_print_json(FILE *out, json_t *object);

#endif
