/*
 * fuzz_schedule.c - the text of at, every and cron in zones with odd rules: slots come in order,
 * without doubles, and looking back counts what looking ahead found.
 *
 * Input: kind, DST values and zone in a byte each, an instant in 8, then the text.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/schedule.h"
#include "proto/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { ZONES = 4, SLOTS = 6, TEXT_MAX = 400 };

/* From year 1 to 9999. */
#define INSTANT_MIN INT64_C(-62135596800)
#define INSTANT_SPAN INT64_C(315537897599)

static const struct zone *zones[ZONES];

/* A TZif file of nothing but a rule (RFC 8536, version 2). */
static const struct zone *make_zone(const char *rule)
{
	static const uint8_t type[] = { 0, 0, 0, 0, 0, 0, 'X', 0 };
	uint8_t file[256], *at = file;
	struct zone *zone;

	for (int block = 0; block < 2; block++) {
		memset(at, 0, 44);
		memcpy(at, "TZif2", 5);
		at[39] = 1;
		at[43] = 2;
		memcpy(at + 44, type, sizeof(type));
		at += 44 + sizeof(type);
	}
	*at++ = '\n';
	memcpy(at, rule, strlen(rule));
	at += strlen(rule);
	*at++ = '\n';
	assert(zone_parse(&zone, file, (size_t)(at - file)) == 0);
	return zone;
}

static void end_fuzz(void)
{
	for (size_t i = 1; i < ZONES; i++)
		zone_free((struct zone *)zones[i]);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	zones[0] = zone_utc();
	zones[1] = make_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	zones[2] = make_zone("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0");
	/* A gap at midnight, and shifts of three hours. */
	zones[3] = make_zone("<-03>3<+00>0,M9.1.6/24,M4.1.6/24");
	atexit(end_fuzz);
	return 0;
}

static void check_order(const struct slot *before, const struct slot *slot)
{
	assert(slot->utc_s >= before->utc_s);
	assert(slot->utc_s > before->utc_s || strcmp(slot->key, before->key) != 0);
	assert(strlen(slot->key) < SLOT_KEY_SIZE && slot->key[0]);
}

static void check_schedule(const struct schedule *s, const struct zone *zone, int64_t after_s)
{
	struct slot slots[SLOTS], last;
	uint64_t count = 0;
	size_t n = 0;

	if (schedule_next(s, zone, after_s, &slots[0]) < 0)
		return;
	assert(slots[0].utc_s > after_s);
	for (n = 1; n < SLOTS; n++) {
		if (schedule_next_slot(s, zone, &slots[n - 1], &slots[n]) < 0)
			break;
		check_order(&slots[n - 1], &slots[n]);
	}
	/* Slots of the last instant may go on beyond the array; count up to the one before it. */
	while (n > 1 && slots[n - 1].utc_s == slots[n - 2].utc_s)
		n--;
	if (n < 2)
		return;
	assert(schedule_last(s, zone, after_s, slots[n - 1].utc_s - 1, &last, &count) == 0 ||
	       slots[n - 1].utc_s - 1 < slots[0].utc_s);
	assert(count == n - 1 || slots[n - 2].utc_s - after_s > INT64_C(100) * 365 * 86400);
	assert(last.utc_s == slots[n - 2].utc_s);
	assert(strcmp(last.key, slots[n - 2].key) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum schedule_kind kinds[] = { SCHEDULE_AT, SCHEDULE_CRON, SCHEDULE_EVERY };
	struct cursor c = { data, size, false };
	uint64_t kind = cursor_number(&c, 1), dst = cursor_number(&c, 1);
	uint64_t zone = cursor_number(&c, 1), instant = cursor_number(&c, 8);
	char text[TEXT_MAX + 1], described[SCHEDULE_DESCRIBE_MAX];
	struct schedule_error error;
	struct schedule s;

	if (c.overrun || c.left > TEXT_MAX)
		return 0;
	memcpy(text, c.at, c.left);
	text[c.left] = '\0';
	if (schedule_parse(&s, kinds[kind % 3], text, &error) < 0) {
		assert(error.text[0] && error.column <= strlen(text) && error.width >= 1);
		return 0;
	}
	s.gap = (enum dst_gap)(dst % 4);
	s.overlap = (enum dst_overlap)(dst / 4 % 4);
	schedule_describe(&s, described, sizeof(described));
	assert(described[0] && strlen(described) < sizeof(described) - 1);
	(void)schedule_once_a_day(&s);
	check_schedule(&s, zones[zone % ZONES],
		       INSTANT_MIN + (int64_t)(instant % (uint64_t)INSTANT_SPAN));
	return 0;
}
