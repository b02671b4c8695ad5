/*
 * show.h - messages as text for people: an event as one line, names of kinds and states.
 *
 * Pure; works on any message by its protobuf-c descriptor, so a new kind of event or a new field
 * is shown without a line of code here.
 *
 * Invariants
 * 1. What comes out is one line without control characters, whatever the message holds.
 * 2. A message of a newer program (unknown kind, unknown fields) is shown as such, never refused.
 */
#ifndef CHIME_PROTO_SHOW_H
#define CHIME_PROTO_SHOW_H

#include "proto/event.pb-c.h"

#include <stddef.h>
#include <stdint.h>

enum {
	SHOW_KIND_SIZE = 48,
	SHOW_LINE_SIZE = 2048,
};

/* What the number in a field means; the same answer for every program that prints one. */
enum show_unit {
	SHOW_PLAIN,
	SHOW_WALL_US,		/* an instant, microseconds */
	SHOW_WALL_S,		/* an instant, seconds */
	SHOW_SPAN_US,		/* a duration, microseconds */
};

enum show_unit show_field_unit(const ProtobufCFieldDescriptor *field);

/* The kind of an event as chime(1) writes it: "run.created", "job.held"; "unknown.77" for one
 * that this program does not know, "none" for an event without a body. */
void show_event_kind(const Chime__Event *event, char out[SHOW_KIND_SIZE]);

/* The job an event is about, borrowed from it; NULL = none. */
const char *show_event_job(const Chime__Event *event);

/* The number of the run an event is about; 0 = none. A run.created has its own seq as number. */
uint64_t show_event_run(const Chime__Event *event, uint64_t seq);

/*
 * What an event says besides time, kind, job and run: "exit_code=3 ended=...". Cut at size - 1
 * bytes, on a character. Returns the length.
 */
size_t show_event_text(const Chime__Event *event, char *out, size_t size);

/* The same for any message: "name=value name=value", nested messages in braces. */
size_t show_message_text(const ProtobufCMessage *message, char *out, size_t size);

/* A value of an enum without its prefix: RUN_SUCCESS -> "SUCCESS"; NULL when unknown. */
const char *show_enum_name(const ProtobufCEnumDescriptor *descriptor, int value);

/* "SUCCESS", "WAITING" ...: the words of chime(1); "UNKNOWN" when unknown. */
const char *show_run_state(Chime__RunState state);

/* "schedule", "condition", "force", "rerun", "none". */
const char *show_cause(Chime__Cause cause);

/* Copies a text so that it can't do anything to a terminal: control characters (C0, DEL, C1),
 * broken UTF-8 and bidirectional overrides become \xHH of each byte. Returns the length, cut on a
 * character so that it fits; out is always ended. */
size_t show_clean(const char *text, size_t len, char *out, size_t size);

#endif
