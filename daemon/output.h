/*
 * output.h - the file with what a run wrote: its format, and its reader over a descriptor.
 *
 * The shepherd writes it (shepherd/capture.c), the node reads it while it grows. The file lies in a
 * 0700 directory; its own mode is 0644, so that a node of another user can put an inotify watch on
 * the descriptor it was given (by /proc/self/fd). It is closed only when nothing more will come:
 * IN_MODIFY = there may be more, IN_CLOSE_WRITE = that was all.
 *
 *   0      struct output_head   written once
 *   512    struct output_count  rewritten with every piece; CRC against torn reads
 *   4096   index: `slots` times struct output_entry, one for each piece the shepherd read
 *   ...    data: head_size + ring_size bytes
 *
 * Both index and data keep their beginning for ever and the tail in a ring: byte o of the run's
 * output is at data + o while o < head_size, else at data + head_size + (o - head_size) %
 * ring_size. Between head and ring is the gap of a truncated output. Entries likewise, by number.
 *
 * Invariants
 * 1. Before a byte of the ring is overwritten, `reserved` says so: what was read is good if, after
 *    reading, it is still not older than reserved - ring_size.
 * 2. `total` counts only bytes that are in the file (or were, before the ring went over them).
 */
#ifndef CHIME_DAEMON_OUTPUT_H
#define CHIME_DAEMON_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OUTPUT_VERSION = 1,
	OUTPUT_COUNT_AT = 512,
	OUTPUT_INDEX_AT = 4096,
	OUTPUT_SLOTS = 16384,		/* 384 KiB of index at most, sparse */
	OUTPUT_HEAD_SLOTS = OUTPUT_SLOTS / 4,
	OUTPUT_PIECE_MAX = 65536,
};

enum output_stream { OUTPUT_STDOUT = 1, OUTPUT_STDERR = 2 };

struct output_head {
	char magic[8];		/* "chimeout" */
	uint32_t version;
	uint32_t slots, head_slots;
	uint32_t reserved;
	uint64_t head_size, ring_size;
};

struct output_count {
	uint64_t reserved;	/* total once the write under way is done */
	uint64_t total;		/* bytes stored so far */
	uint64_t entries;	/* index entries written so far */
	uint64_t dropped;	/* bytes that could not be stored at all (full disk) */
	uint32_t closed;	/* 1 = nothing more will come */
	uint32_t crc;		/* of all before */
};

struct output_entry {
	uint64_t offset;
	int64_t wall_us;
	uint32_t len;
	uint32_t stream;	/* enum output_stream */
};

/* What one read gave. */
struct output_piece {
	uint64_t offset;	/* of the first byte in the buffer */
	size_t len;		/* 0 = nothing (more) there for now */
	uint64_t next;		/* where to go on */
	uint64_t total;		/* end of the output so far */
	uint64_t skipped;	/* bytes between the asked offset and `offset` that are gone */
	bool closed;		/* the job is over; with len 0: this is the end */
	uint32_t stream;	/* output_read_entry: enum output_stream, 0 = not known any more */
	int64_t wall_us;	/* output_read_entry: when it was read, 0 = not known any more */
};

/* CRC for `count`, as reader and writer compute it. */
uint32_t output_count_crc(const struct output_count *count);

/* Where byte `offset` (entry `number`) lies in the file. */
uint64_t output_data_at(const struct output_head *head, uint64_t offset);
uint64_t output_entry_at(const struct output_head *head, uint64_t number);

/*
 * Reads up to `size` bytes (>= 1) from byte `offset` of the run's output; stdout and stderr as they
 * came. An offset in the gap goes on at the start of the ring and says how much was skipped; one
 * behind the end gives len 0. Never blocks. -EBADMSG: not an output file; else -errno.
 */
int output_read(int fd, uint64_t offset, void *buffer, size_t size, struct output_piece *piece);

/* The same, but never more than one index entry, with its stream and time. */
int output_read_entry(int fd, uint64_t offset, void *buffer, size_t size,
		      struct output_piece *piece);

/* The offset where the last `lines` lines begin (the end of the output for 0 lines); at most to
 * where the ring begins. */
int output_tail(int fd, uint64_t lines, uint64_t *offset);

#endif
