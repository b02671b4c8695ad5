/*
 * fuzz_zone.c - a TZif file of anybody's bytes: spans that are taken cover all of time without
 * holes, and local times and instants lead back to each other.
 *
 * Input: 8 bytes that choose an instant, then the file.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "daemon/core/zone.h"
#include "proto/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 24, OFFSET_MAX_S = 26 * 3600 };

/* Years within which everything is exact; beyond them an instant is only in some span. */
#define EXACT_S (INT64_C(1) << 45)

static void check_instant(const struct zone *zone, int64_t utc_s)
{
	struct zone_span span;
	struct civil civil;
	int64_t found[2];
	int32_t utoff_s;
	int count;

	zone_span_at(zone, utc_s, &span);
	assert(span.start_s <= utc_s && utc_s < span.end_s);
	assert(abs(span.utoff_s) < OFFSET_MAX_S);
	zone_to_civil(zone, utc_s, &civil, &utoff_s);
	assert(utoff_s == span.utoff_s);
	count = zone_from_civil(zone, &civil, found, NULL);
	assert(count == 1 || count == 2);
	assert(count == 1 || found[0] < found[1]);
	/* No place ever showed a time three times; of a file that claims so the first two count. */
	assert(found[0] == utc_s || (count == 2 && found[1] <= utc_s));
}

/* From span to span: each begins where the one before it ends. */
static void walk_spans(const struct zone *zone, int64_t utc_s)
{
	struct zone_span span, next;

	zone_span_at(zone, utc_s, &span);
	for (int i = 0; i < STEPS && span.end_s < EXACT_S && span.end_s > -EXACT_S; i++) {
		zone_span_at(zone, span.end_s, &next);
		assert(next.start_s == span.end_s && next.end_s > next.start_s);
		check_instant(zone, span.end_s);
		check_instant(zone, span.end_s - 1);
		span = next;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = { data, size, false };
	uint64_t chosen = cursor_number(&c, 8);
	struct zone *zone;
	int64_t utc_s;

	if (c.overrun || zone_parse(&zone, c.at, c.left) != 0)
		return 0;
	utc_s = (int64_t)(chosen % (2 * (uint64_t)EXACT_S)) - EXACT_S;
	check_instant(zone, utc_s);
	walk_spans(zone, utc_s);
	walk_spans(zone, utc_s % (INT64_C(1) << 32));
	zone_free(zone);
	return 0;
}
