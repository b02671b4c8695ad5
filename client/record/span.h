/*
 * span.h - a set of numbers kept as ranges: which seqs of a log were seen, and so which were not.
 *
 * Invariants
 * 1. Ascending, and no two touch: what lies between two is a hole.
 * 2. At most SPANS_MAX ranges: a log that is more torn than that has its lowest hole closed, and
 *    the size of it goes to `closed`, so that nothing missing is ever forgotten.
 */
#ifndef CHIME_CLIENT_RECORD_SPAN_H
#define CHIME_CLIENT_RECORD_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPANS_MAX = 4096 };

/* Both included. */
struct span {
	uint64_t first, last;
};

/* All zero is the empty set. */
struct spans {
	struct span *list;
	size_t count, room;
	uint64_t closed;
};

void spans_fini(struct spans *spans);

/* first <= last < UINT64_MAX, first > 0. Returns how many numbers of it are new. */
uint64_t spans_add(struct spans *spans, uint64_t first, uint64_t last);

/* The lowest range within [from, to] of which nothing is in the set; false when there is none. */
bool spans_find_hole(const struct spans *spans, uint64_t from, uint64_t to, struct span *hole);

/* How many numbers of [from, to] are not in the set. */
uint64_t spans_missing(const struct spans *spans, uint64_t from, uint64_t to);

#endif
