/*
 * capture.h - writes what the job says into the output file (output.h).
 *
 * Invariants
 * 1. Nothing here makes the job wait: what can't be stored is counted and dropped.
 * 2. The file never takes more than max_output bytes of data and OUTPUT_SLOTS index entries.
 */
#ifndef CHIME_DAEMON_SHEPHERD_CAPTURE_H
#define CHIME_DAEMON_SHEPHERD_CAPTURE_H

#include "daemon/output.h"

struct capture {
	int fd;			/* -1 = not open */
	struct output_head head;
	struct output_count count;
};

/* Creates `output` in `dir`; max_output is raised to 4 KiB. 0 or -errno. */
int capture_open(struct capture *capture, int dir, uint64_t max_output);

/* Stores one piece of 1 to OUTPUT_PIECE_MAX bytes, read from `stream` at `wall_us`. */
void capture_put(struct capture *capture, enum output_stream stream, int64_t wall_us,
		 const void *data, size_t len);

/* Bytes the job wrote so far, stored or not. */
uint64_t capture_bytes(const struct capture *capture);

/* True when some of them are not in the file any more. */
bool capture_truncated(const struct capture *capture);

/* Marks the file as complete, syncs and closes it. */
void capture_close(struct capture *capture);

#endif
