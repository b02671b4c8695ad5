/*
 * zonehint.h - the zone somebody meant: "did you mean 'Europe/Berlin'?" from the system's list of
 * zones (tzdata.zi). Read only after an error, so it may read a file.
 */
#ifndef CHIME_DAEMON_ZONEHINT_H
#define CHIME_DAEMON_ZONEHINT_H

#include <stddef.h>

/* Writes the hint into out and returns out; NULL when no zone is near or the list is missing. */
const char *zonehint_find(const char *name, char *out, size_t size);

#endif
