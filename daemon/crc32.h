/*
 * crc32.h - the CRC-32 of IEEE 802.3 (reflected, polynomial 0xEDB88320), as in zlib and gzip.
 *
 * Against torn and rotten bytes only, never against people.
 */
#ifndef CHIME_DAEMON_CRC32_H
#define CHIME_DAEMON_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* CRC of `len` bytes; goes on from `crc`, which is 0 at first. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t len);

#endif
