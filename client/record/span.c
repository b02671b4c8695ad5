#include "client/record/span.h"

#include "client/say.h"

#include <stdlib.h>
#include <string.h>

void spans_fini(struct spans *spans)
{
	free(spans->list);
	*spans = (struct spans){ 0 };
}

/* Index of the first range that ends at or behind seq. */
static size_t find_span(const struct spans *spans, uint64_t seq)
{
	size_t low = 0, high = spans->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (spans->list[middle].last < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void remove_spans(struct spans *spans, size_t at, size_t count)
{
	memmove(&spans->list[at], &spans->list[at + count],
		(spans->count - at - count) * sizeof(*spans->list));
	spans->count -= count;
}

static void insert_span(struct spans *spans, size_t at, struct span span)
{
	if (spans->count == spans->room) {
		spans->room = spans->room ? spans->room * 2 : 4;
		spans->list = say_realloc(spans->list, spans->room, sizeof(*spans->list));
	}
	memmove(&spans->list[at + 1], &spans->list[at],
		(spans->count - at) * sizeof(*spans->list));
	spans->list[at] = span;
	spans->count++;
}

static void close_lowest_hole(struct spans *spans)
{
	spans->closed += spans->list[1].first - spans->list[0].last - 1;
	spans->list[1].first = spans->list[0].first;
	remove_spans(spans, 0, 1);
}

uint64_t spans_add(struct spans *spans, uint64_t first, uint64_t last)
{
	uint64_t fresh = spans_missing(spans, first, last);
	/* One before: a range that ends there is joined. */
	size_t at = find_span(spans, first - 1), end = at;
	struct span joined = { first, last };

	while (end < spans->count && spans->list[end].first <= last + 1) {
		if (spans->list[end].first < joined.first)
			joined.first = spans->list[end].first;
		if (spans->list[end].last > joined.last)
			joined.last = spans->list[end].last;
		end++;
	}
	if (end > at) {
		spans->list[at] = joined;
		remove_spans(spans, at + 1, end - at - 1);
		return fresh;
	}
	insert_span(spans, at, joined);
	if (spans->count > SPANS_MAX)
		close_lowest_hole(spans);
	return fresh;
}

bool spans_find_hole(const struct spans *spans, uint64_t from, uint64_t to, struct span *hole)
{
	size_t at = find_span(spans, from);

	if (at < spans->count && spans->list[at].first <= from)
		from = spans->list[at++].last + 1;
	if (from > to)
		return false;
	hole->first = from;
	hole->last = at < spans->count && spans->list[at].first <= to ?
		spans->list[at].first - 1 : to;
	return true;
}

uint64_t spans_missing(const struct spans *spans, uint64_t from, uint64_t to)
{
	uint64_t missing = 0;
	struct span hole;

	while (from <= to && spans_find_hole(spans, from, to, &hole)) {
		missing += hole.last - hole.first + 1;
		from = hole.last + 1;
	}
	return missing;
}
