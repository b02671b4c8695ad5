/*
 * writer.h - writes a capture: into one file, the standard output, or a ring of files.
 *
 * A ring of FILE is FILE.000001, FILE.000002 ...; numbers only go up, and every file is a capture
 * of its own. Before a packet that would make the newest one larger than the size, the next is
 * begun, and the oldest go so that there are never more than so many. A ring that is there already
 * is gone on with: nothing is written over, and the first file is the one behind its last.
 *
 * Invariants
 * 1. Files are of mode 0600 and belong to who made them; no link is followed to make one.
 * 2. files x size bytes are never exceeded, not even for a moment.
 * 3. One recorder a ring: it holds a lock on the newest file.
 * 4. Live, every packet is handed to the kernel at once: a killed recorder loses none.
 *
 * Errors are texts for people, lines "what / why: / try:" without a final newline.
 */
#ifndef CHIME_CLIENT_RECORD_WRITER_H
#define CHIME_CLIENT_RECORD_WRITER_H

#include "client/record/capture.h"

enum {
	WRITER_FILES_MIN = 2,
	WRITER_FILES_MAX = 100000,
	WRITER_SIZE_MIN = 4096,
};

/* files 0: no ring. */
struct writer_plan {
	const char *path;		/* "-" = the standard output */
	uint32_t files;
	uint64_t size;			/* of one file, in bytes */
};

struct writer;

/* Reads "10x100M": files, then the size of each with K, M or G (powers of 1024). -EINVAL. */
int writer_parse_ring(const char *text, struct writer_plan *plan);

/*
 * Opens the file, or finds and locks the ring; writes nothing yet. plan->path stays borrowed.
 * -errno; -EBUSY when another writes this ring.
 */
int writer_open(struct writer **out, const struct writer_plan *plan, char *err, size_t err_size);

/* Begins the capture; link_type as of capture_link_type(). flush: after every packet. -errno. */
int writer_begin(struct writer *writer, int link_type, bool flush, char *err, size_t err_size);

/* Writes one packet, after writer_begin(). -errno. */
int writer_put(struct writer *writer, const struct capture_packet *packet, char *err,
	       size_t err_size);

/* NULL is allowed. -errno when the end could not be written; it is closed anyway. */
int writer_close(struct writer *writer, char *err, size_t err_size);

#endif
