/* Schedules and their words as people read them. */
#include "daemon/core/schedule.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/names.h"

__attribute__((format(printf, 3, 4)))
static void append(char *buf, size_t size, const char *format, ...)
{
	size_t len = strnlen(buf, size);
	va_list args;

	va_start(args, format);
	if (len < size)
		vsnprintf(buf + len, size - len, format, args);
	va_end(args);
}

static void append_time(char *buf, size_t size, uint32_t time_s)
{
	append(buf, size, "%02u:%02u", time_s / 3600, time_s / 60 % 60);
	if (time_s % 60)
		append(buf, size, ":%02u", time_s % 60);
}

static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

/* Weeks begin on Monday for people: sat and sun stand together. */
static void append_days(char *buf, size_t size, uint8_t days)
{
	const char *comma = "";

	for (int i = 1; i <= 7; i++) {
		int last = i;

		if (!(days >> i % 7 & 1))
			continue;
		while (last < 7 && (days >> (last + 1) % 7 & 1))
			last++;
		append(buf, size, "%s%s", comma, day_names[i % 7]);
		if (last > i)
			append(buf, size, "%c%s", last > i + 1 ? '-' : ',', day_names[last % 7]);
		comma = ",";
		i = last;
	}
}

static void describe_at(const struct schedule *s, char *buf, size_t size)
{
	if (s->at.days != 0x7f) {
		append_days(buf, size, s->at.days);
		append(buf, size, " ");
	}
	append(buf, size, "at ");
	for (uint32_t i = 0; i < s->at.count; i++) {
		append(buf, size, "%s", i > 0 ? "," : "");
		append_time(buf, size, s->at.time_s[i]);
	}
}

void schedule_describe(const struct schedule *s, char *buf, size_t size)
{
	char period[NAME_DURATION_SIZE];

	if (size > 0)
		buf[0] = '\0';
	switch (s->kind) {
	case SCHEDULE_NONE:
		break;
	case SCHEDULE_AT:
		describe_at(s, buf, size);
		break;
	case SCHEDULE_CRON:
		append(buf, size, "cron %s", s->cron.text);
		break;
	case SCHEDULE_EVERY:
		duration_format(s->every.period_s * 1000000, period);
		append(buf, size, "every %s", period);
		if (s->every.window) {
			append(buf, size, " from ");
			append_time(buf, size, s->every.from_s);
			append(buf, size, " to ");
			append_time(buf, size, s->every.to_s);
		}
		break;
	}
}

const char *schedule_kind_name(enum schedule_kind kind)
{
	static const char *const names[] = { "", "at", "cron", "every" };

	return names[kind];
}

static const char *const gap_names[] = { "after", "each", "shift", "skip" };
static const char *const overlap_names[] = { "first", "second", "both", "skip" };

static int find_word(const char *text, const char *const words[4])
{
	for (int i = 0; i < 4; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	return -EINVAL;
}

int dst_gap_parse(const char *text, enum dst_gap *out)
{
	int i = find_word(text, gap_names);

	if (i < 0)
		return i;
	*out = (enum dst_gap)i;
	return 0;
}

const char *dst_gap_name(enum dst_gap gap)
{
	return gap_names[gap];
}

int dst_overlap_parse(const char *text, enum dst_overlap *out)
{
	int i = find_word(text, overlap_names);

	if (i < 0)
		return i;
	*out = (enum dst_overlap)i;
	return 0;
}

const char *dst_overlap_name(enum dst_overlap overlap)
{
	return overlap_names[overlap];
}
