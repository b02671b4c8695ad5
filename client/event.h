/*
 * event.h - one event of a server's log, decoded for printing and for those who wait on it.
 */
#ifndef CHIME_CLIENT_EVENT_H
#define CHIME_CLIENT_EVENT_H

#include "client/out.h"
#include "proto/control.pb-c.h"

#include <jansson.h>

/* The event in a row, NULL when its bytes can't be read. Free with chime__event__free_unpacked. */
Chime__Event *event_unpack(const Chime__EventRow *row);

/* One line for people, with newline. */
void event_print_line(const struct out *out, const Chime__EventRow *row,
		      const Chime__Event *event, FILE *to);

/* {"server","boot","seq","time","kind","job","run","by","reason","body"}. */
json_t *event_json(const Chime__EventRow *row, const Chime__Event *event);

#endif
