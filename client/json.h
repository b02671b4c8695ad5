/*
 * json.h - the answers as JSON: one object with `schema`, instants in UTC, durations in seconds,
 * null = unknown or none; members never vary by state.
 *
 * With out.c's callers the only place with jansson.
 */
#ifndef CHIME_CLIENT_JSON_H
#define CHIME_CLIENT_JSON_H

#include "proto/control.pb-c.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* {"schema": schema, "time": now, "env": environment, "via": server}; NULL texts give null. */
json_t *json_document(const char *schema, int64_t now_us, const char *environment,
		      const char *via);

/* All of these give null for what is not known. A text that is not UTF-8 is cleaned. */
json_t *json_text(const char *text);
json_t *json_instant(bool known, int64_t wall_us);
json_t *json_seconds(bool known, int64_t us);
json_t *json_number(bool known, int64_t value);
json_t *json_texts(char *const *texts, size_t count);
json_t *json_hex(const uint8_t *data, size_t len);

json_t *json_job(const Chime__JobRow *row);
json_t *json_run(const Chime__RunRow *row, bool attempts);
json_t *json_server(const Chime__ServerRow *row);
json_t *json_silent(Chime__ServerRow *const *rows, size_t count);
json_t *json_lines(Chime__Line *const *lines, size_t count);
json_t *json_definition(const Chime__JobDefined *definition);

/* Any message, field by field by its descriptor; a duration's name ends in _s. */
json_t *json_message(const ProtobufCMessage *message);

/* Prints one line to stdout and drops the value. Returns 0, or EXIT_TROUBLE. */
int json_print(json_t *value);

#endif
