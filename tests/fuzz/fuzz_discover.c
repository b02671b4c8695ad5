/*
 * fuzz_discover.c - a discovery packet of anybody's bytes: what is taken can be written again and
 * is then taken as the same.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "proto/discover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_query(const uint8_t *data, size_t size)
{
	struct discover_query query, again;
	uint8_t out[DISCOVER_SIZE];

	if (discover_parse_query(data, size, &query) != DISCOVER_OK)
		return;
	discover_format_query(&query, out);
	assert(memcmp(out, data, DISCOVER_HEADER_SIZE) == 0);
	assert(discover_parse_query(out, sizeof(out), &again) == DISCOVER_OK);
	assert(memcmp(&query, &again, sizeof(query)) == 0);
}

static void check_answer(const uint8_t *data, size_t size)
{
	static struct discover_answer answer, again;
	uint8_t out[64 * 1024];
	int len;

	if (discover_parse_answer(data, size, &answer) != DISCOVER_OK)
		return;
	len = discover_format_answer(&answer, out, sizeof(out));
	assert(len > 0 && (size_t)len <= size && memcmp(out, data, (size_t)len) == 0);
	assert(discover_parse_answer(out, (size_t)len, &again) == DISCOVER_OK);
	assert(memcmp(&answer, &again, sizeof(answer)) == 0);
	/* In the least room an answer is ever given. */
	len = discover_format_answer(&answer, out, DISCOVER_ANSWER_MIN);
	assert(len > 0 && len <= DISCOVER_ANSWER_MIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_query(data, size);
	check_answer(data, size);
	return 0;
}
