/*
 * bootfile.h - the number of this server's starts, in a preallocated file of its own beside the
 * database, so that a restored backup of the database cannot take it back.
 *
 * Content: "chime-boot1 " and 20 decimal digits and a newline, 33 bytes, written in place, synced.
 */
#ifndef CHIME_DAEMON_EDGE_BOOTFILE_H
#define CHIME_DAEMON_EDGE_BOOTFILE_H

#include <stdint.h>

/* The number in the file; 0 when there is no file. -EINVAL when it is something else, -errno. */
int bootfile_read(const char *path, uint64_t *boot);

/* Writes and syncs, the folder too when the file is new. -errno. */
int bootfile_write(const char *path, uint64_t boot);

#endif
