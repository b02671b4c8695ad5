#include "daemon/core/zone.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/zonerule.h"

enum {
	HEADER_BYTES = 44,
	TYPE_BYTES = 6,
	UTOFF_MIN_S = -89999,
	UTOFF_MAX_S = 93599,
	REACH_S = 26 * 3600,
};

/* Instants further out than this are in no real file; see ZONE_MAX_S. */
#define MOVE_LIMIT_S (INT64_C(1) << 60)

struct move {
	int64_t at_s;
	int32_t utoff_s;
};

/* `moves` ascend; the offset before the first is first_s; from the last on the rule decides. */
struct zone {
	int32_t first_s;
	bool has_rule;
	struct zonerule rule;
	size_t count;
	struct move moves[];
};

/* One data block: where its parts lie inside the file. */
struct block {
	size_t time_bytes, times, types, chars, leaps;
	const unsigned char *time, *index, *type, *end;
};

static uint32_t read_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_time(const unsigned char *p, size_t bytes)
{
	if (bytes == 4)
		return (int32_t)read_u32(p);
	return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

/* Counts are at most 32 bits and sizes 64, so the sum can't wrap. */
static int find_block(struct block *b, const unsigned char *at, const unsigned char *end,
		      size_t time_bytes)
{
	uint64_t isut, isstd, need;

	if (end - at < HEADER_BYTES || memcmp(at, "TZif", 4) != 0)
		return -EINVAL;
	isut = read_u32(at + 20);
	isstd = read_u32(at + 24);
	*b = (struct block){ .time_bytes = time_bytes, .leaps = read_u32(at + 28),
			     .times = read_u32(at + 32), .types = read_u32(at + 36),
			     .chars = read_u32(at + 40) };
	if (b->types == 0 || b->types > 256 || b->chars == 0 ||
	    (isut != 0 && isut != b->types) || (isstd != 0 && isstd != b->types))
		return -EINVAL;
	need = (uint64_t)b->times * (time_bytes + 1) + (uint64_t)b->types * TYPE_BYTES + b->chars +
	       (uint64_t)b->leaps * (time_bytes + 4) + isstd + isut;
	if (need > (uint64_t)(end - at - HEADER_BYTES))
		return -EINVAL;
	b->time = at + HEADER_BYTES;
	b->index = b->time + b->times * time_bytes;
	b->type = b->index + b->times;
	b->end = at + HEADER_BYTES + need;
	return 0;
}

static int check_types(const struct block *b)
{
	for (size_t i = 0; i < b->types; i++) {
		const unsigned char *type = b->type + i * TYPE_BYTES;
		int32_t utoff_s = (int32_t)read_u32(type);

		if (utoff_s < UTOFF_MIN_S || utoff_s > UTOFF_MAX_S || type[4] > 1 ||
		    type[5] >= b->chars)
			return -EINVAL;
	}
	return 0;
}

static int32_t type_utoff(const struct block *b, size_t type)
{
	return (int32_t)read_u32(b->type + type * TYPE_BYTES);
}

/*
 * Changes of name or flag alone are dropped, but for the last one: the rule begins there.
 */
static int fill_moves(struct zone *z, const struct block *b)
{
	int32_t current_s = type_utoff(b, 0);
	int64_t before_s = INT64_MIN;

	z->first_s = current_s;
	for (size_t i = 0; i < b->times; i++) {
		int64_t at_s = read_time(b->time + i * b->time_bytes, b->time_bytes);

		if (b->index[i] >= b->types || at_s > MOVE_LIMIT_S || at_s < -MOVE_LIMIT_S ||
		    (i > 0 && at_s <= before_s))
			return -EINVAL;
		before_s = at_s;
		if (type_utoff(b, b->index[i]) == current_s && i + 1 < b->times)
			continue;
		current_s = type_utoff(b, b->index[i]);
		z->moves[z->count++] = (struct move){ at_s, current_s };
	}
	return 0;
}

/* "\n" rule "\n"; an empty rule says that the last offset stays for ever. */
static int fill_rule(struct zone *z, const unsigned char *at, const unsigned char *end)
{
	const unsigned char *stop;

	if (at == end || *at != '\n')
		return -EINVAL;
	stop = memchr(at + 1, '\n', (size_t)(end - at - 1));
	if (!stop)
		return -EINVAL;
	if (stop == at + 1)
		return 0;
	z->has_rule = true;
	return zonerule_parse(&z->rule, (const char *)at + 1, (size_t)(stop - at - 1));
}

int zone_parse(struct zone **out, const void *tzif, size_t len)
{
	const unsigned char *at = tzif, *end = at + len;
	struct zone *z = NULL;
	struct block b;
	bool wide;
	int rc;

	*out = NULL;
	rc = find_block(&b, at, end, 4);
	if (rc < 0)
		goto out;
	wide = at[4] >= '2';
	if (wide)
		rc = find_block(&b, b.end, end, 8);
	if (rc < 0)
		goto out;
	rc = b.leaps > 0 ? -ENOTSUP : check_types(&b);
	if (rc < 0)
		goto out;
	rc = -ENOMEM;
	z = calloc(1, sizeof *z + b.times * sizeof z->moves[0]);
	if (!z)
		goto out;
	rc = fill_moves(z, &b);
	if (rc == 0 && wide)
		rc = fill_rule(z, b.end, end);
	if (rc < 0)
		goto out;
	*out = z;
	z = NULL;
out:
	free(z);
	return rc;
}

static const struct zone utc_zone;

const struct zone *zone_utc(void)
{
	return &utc_zone;
}

void zone_free(struct zone *z)
{
	if (z != &utc_zone)
		free(z);
}

/* How many moves lie at or before an instant. */
static size_t count_moves(const struct zone *z, int64_t utc_s)
{
	size_t low = 0, high = z->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (z->moves[middle].at_s <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void zone_span_at(const struct zone *z, int64_t utc_s, struct zone_span *out)
{
	size_t n = count_moves(z, utc_s);

	out->start_s = n > 0 ? z->moves[n - 1].at_s : ZONE_MIN_S;
	out->end_s = n < z->count ? z->moves[n].at_s : ZONE_MAX_S;
	out->utoff_s = n > 0 ? z->moves[n - 1].utoff_s : z->first_s;
	if (n == z->count && z->has_rule) {
		int64_t start_s = out->start_s;

		if (zonerule_span(&z->rule, utc_s, &start_s, &out->end_s, &out->utoff_s) &&
		    start_s > out->start_s)
			out->start_s = start_s;
	}
}

void zone_to_civil(const struct zone *z, int64_t utc_s, struct civil *out, int32_t *utoff_s)
{
	struct zone_span span;

	if (utc_s > MOVE_LIMIT_S)
		utc_s = MOVE_LIMIT_S;
	if (utc_s < -MOVE_LIMIT_S)
		utc_s = -MOVE_LIMIT_S;
	zone_span_at(z, utc_s, &span);
	civil_from_seconds(utc_s + span.utoff_s, out);
	if (utoff_s)
		*utoff_s = span.utoff_s;
}

int zone_from_civil(const struct zone *z, const struct civil *c, int64_t utc_s[2],
		    struct zone_gap *gap)
{
	int64_t local_s = civil_seconds(c);
	struct zone_gap hole = { 0 };
	struct zone_span span, next;
	int n = 0;

	assert(civil_valid(c));
	zone_span_at(z, local_s - REACH_S, &span);
	for (;;) {
		int64_t at_s = local_s - span.utoff_s;

		if (at_s >= span.start_s && at_s < span.end_s && n < 2)
			utc_s[n++] = at_s;
		if (span.end_s > local_s + REACH_S)
			break;
		zone_span_at(z, span.end_s, &next);
		if (hole.length_s == 0 && local_s >= span.end_s + span.utoff_s &&
		    local_s < span.end_s + next.utoff_s)
			hole = (struct zone_gap){ span.end_s, next.utoff_s - span.utoff_s };
		span = next;
	}
	if (n == 0 && gap)
		*gap = hole;
	return n;
}
