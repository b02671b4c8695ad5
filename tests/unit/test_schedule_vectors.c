/* The shared vectors of schedules: schedule.jsonl in $CHIME_VECTORS, else in tests/vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "daemon/core/schedule.h"
#include "daemon/tzdata.h"
#include "proto/names.h"

static int64_t instant_of(const json_t *text)
{
	int64_t us;

	assert_int_equal(instant_parse(json_string_value(text), &us), 0);
	return us / 1000000;
}

static void schedule_of(const json_t *vector, struct schedule *s)
{
	const char *spec = json_string_value(json_object_get(vector, "spec"));
	const char *gap = json_string_value(json_object_get(vector, "gap"));
	const char *overlap = json_string_value(json_object_get(vector, "overlap"));
	struct schedule_error err;
	bool cron = strncmp(spec, "cron ", 5) == 0;

	if (schedule_parse(s, cron ? SCHEDULE_CRON : SCHEDULE_AT, spec + (cron ? 5 : 3), &err) < 0)
		fail_msg("%s: column %u: %s", spec, err.column, err.text);
	if (gap)
		assert_int_equal(dst_gap_parse(gap, &s->gap), 0);
	if (overlap)
		assert_int_equal(dst_overlap_parse(overlap, &s->overlap), 0);
}

static void run_vector(const json_t *vector, int line)
{
	const json_t *next = json_object_get(vector, "next");
	int64_t from_s = instant_of(json_object_get(vector, "from")), after_s = from_s;
	struct slot slot, step = { 0 }, last;
	struct schedule s;
	struct zone *z;
	uint64_t count;

	schedule_of(vector, &s);
	assert_int_equal(tzdata_load(json_string_value(json_object_get(vector, "zone")), &z), 0);
	for (size_t i = 0; i < json_array_size(next); i++) {
		int64_t expected_s = instant_of(json_array_get(next, i));

		assert_int_equal(schedule_next(&s, z, after_s, &slot), 0);
		if (slot.utc_s != expected_s)
			fail_msg("line %d, slot %zu: %lld, not %lld", line, i + 1,
				 (long long)slot.utc_s, (long long)expected_s);
		if (i > 0) {
			assert_int_equal(schedule_next_slot(&s, z, &step, &step), 0);
			assert_string_equal(step.key, slot.key);
		}
		step = slot;
		after_s = slot.utc_s;
	}
	assert_int_equal(schedule_last(&s, z, from_s, after_s, &last, &count), 0);
	assert_string_equal(last.key, slot.key);
	assert_int_equal(count, json_array_size(next));
	zone_free(z);
}

static void test_vectors(void **state)
{
	const char *folder = getenv("CHIME_VECTORS");
	char path[4096], line[4096];
	int lines = 0;
	FILE *f;

	(void)state;
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) < 0)
		skip();
	snprintf(path, sizeof path, "%s/schedule.jsonl", folder ? folder : "tests/vectors");
	f = fopen(path, "r");
	if (!f)
		fail_msg("no %s; give its folder in CHIME_VECTORS", path);
	while (fgets(line, sizeof line, f)) {
		json_t *vector = json_loads(line, 0, NULL);

		assert_non_null(vector);
		run_vector(vector, ++lines);
		json_decref(vector);
	}
	fclose(f);
	assert_true(lines >= 32);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
