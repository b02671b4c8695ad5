/*
 * tzdata.h - the system's zone files: names, loading, version.
 *
 * The files lie in $TZDIR (not honoured by a program with raised privileges) or
 * /usr/share/zoneinfo. A zone name is parts of [A-Za-z0-9_+-] and dots joined by "/", at most
 * TZDATA_NAME_MAX bytes, no part "." or "..": it can't leave that folder. "UTC" and "Etc/UTC" need
 * no file. Blocking reads of small local files; call it at start and reload, not in a turn.
 */
#ifndef CHIME_DAEMON_TZDATA_H
#define CHIME_DAEMON_TZDATA_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/core/zone.h"

enum { TZDATA_NAME_MAX = 64, TZDATA_VERSION_SIZE = 32 };

/* True when the text has the form of a zone name, whether or not there is such a zone. */
bool tzdata_name_valid(const char *name);

/*
 * Reads a zone: 0 and a new zone (zone_free). -EINVAL for a bad name or a broken file, -ENOENT when
 * there is no such zone, -ENOTSUP for one that counts leap seconds, -EFBIG for a file over 1 MiB,
 * or what open and read say.
 */
int tzdata_load(const char *name, struct zone **out);

/*
 * The name of this host's zone: from the link /etc/localtime, else the first line of
 * /etc/timezone, else "UTC". 0, or -ERANGE when buf (size > TZDATA_NAME_MAX is enough) is too
 * small.
 */
int tzdata_local_name(char *buf, size_t size);

/* The same from other files, for tests and images. */
int tzdata_name_from(const char *localtime_path, const char *timezone_path, char *buf,
		     size_t size);

/* The release of the zone data, as in "2025b", from tzdata.zi or +VERSION; else "unknown". */
void tzdata_version(char out[TZDATA_VERSION_SIZE]);

#endif
