/*
 * fuzz_names.c - everything that is read from a command line or a file as a name, a time, a size:
 * what is taken is printed in a form that reads back to the same value.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 300 };

static void check_values(const char *text)
{
	char out[NAME_DURATION_SIZE], instant[NAME_INSTANT_SIZE];
	int64_t us, again;
	uint64_t bytes, bytes_again;

	if (duration_parse(text, &us) == 0) {
		assert(us > 0);
		duration_format(us, out);
		assert(duration_parse(out, &again) == 0 && again == us);
	}
	if (size_parse(text, &bytes) == 0) {
		size_format(bytes, out);
		assert(size_parse(out, &bytes_again) == 0 && bytes_again == bytes);
	}
	if (instant_parse(text, &us) == 0) {
		instant_format(us, instant);
		assert(instant_parse(instant, &again) == 0);
		/* Written to the millisecond. */
		assert(again <= us && us - again < 1000);
	}
}

static void check_target(const char *text)
{
	struct target target;
	const char *why = NULL;

	if (target_parse(text, &target, &why) < 0) {
		assert(why && why[0]);
		return;
	}
	assert(strlen(target.job) <= NAME_JOB_MAX && strlen(target.server) <= NAME_SERVER_MAX);
	assert(target.glob == (glob_has_wildcard(target.job) || glob_has_wildcard(target.server)));
	if (target.job[0] && !target.glob)
		assert(name_job_valid(target.job, NULL));
}

static void check_names(const char *text)
{
	static const char *const words[] = { "status", "start", "eod/load", "reload", "" };
	const char *why = NULL;

	if (!name_job_valid(text, &why))
		assert(why && why[0]);
	if (name_server_valid(text, NULL))
		assert(name_server_pattern_valid(text, NULL) && glob_match(text, text));
	(void)name_reason_valid(text, &why);
	(void)name_nearest(text, words, sizeof(words) / sizeof(*words));
}

static void check_utf8(const char *text, size_t len)
{
	uint32_t code;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_decode(text + i, len - i, &code);

		assert(n <= 4 && n <= len - i);
		assert(n == 0 || code <= 0x10ffff);
		i += n ? n : 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[TEXT_MAX + 1], *second;

	if (size > TEXT_MAX)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check_utf8(text, size);
	check_values(text);
	check_target(text);
	check_names(text);
	second = strchr(text, ' ');
	if (second) {
		*second++ = '\0';
		(void)glob_match(text, second);
	}
	return 0;
}
