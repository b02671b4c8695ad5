/* Reading the texts of schedule.h; every refusal has a column. */
#include "daemon/core/schedule.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/names.h"

enum { PERIOD_MAX_S = 366 * CIVIL_DAY_S };

struct reader {
	const char *text, *at;
	struct schedule_error *err;
};

static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun",
					   "jul", "aug", "sep", "oct", "nov", "dec" };

/* Always false, so that a reader can end with it. The token is what stands at `at`. */
__attribute__((format(printf, 4, 5)))
static bool refuse(struct reader *r, const char *at, const char *hint, const char *format, ...)
{
	va_list args;

	r->err->column = (unsigned)(at - r->text);
	r->err->width = (unsigned)strcspn(at, " \t,");
	if (r->err->width == 0)
		r->err->width = 1;
	snprintf(r->err->hint, sizeof r->err->hint, "%s", hint);
	va_start(args, format);
	vsnprintf(r->err->text, sizeof r->err->text, format, args);
	va_end(args);
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct reader *r)
{
	while (is_blank(*r->at))
		r->at++;
}

/* Length of a token for a message, bounded. */
static int token_len(const char *at)
{
	size_t len = strcspn(at, " \t,");

	return len > 24 ? 24 : (int)len;
}

static bool same_word(const char *text, size_t len, const char *word)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];

		if (word[i] == '\0' || c != word[i])
			return false;
	}
	return word[len] == '\0';
}

static size_t word_len(const char *at)
{
	size_t len = 0;

	while (is_letter(at[len]))
		len++;
	return len;
}

/* --- at --- */

static bool read_day(struct reader *r, int *day)
{
	size_t len = word_len(r->at);

	for (*day = 0; *day < 7; ++*day) {
		if (same_word(r->at, len, day_names[*day])) {
			r->at += len;
			return true;
		}
	}
	return refuse(r, r->at, "days are mon tue wed thu fri sat sun, with commas and ranges",
		      "'%.*s' is not a day", token_len(r->at), r->at);
}

static bool read_days(struct reader *r, uint8_t *days)
{
	do {
		int first, last;

		if (!read_day(r, &first))
			return false;
		last = first;
		if (*r->at == '-') {
			r->at++;
			if (!read_day(r, &last))
				return false;
		}
		for (int day = first;; day = (day + 1) % 7) {
			*days |= (uint8_t)(1 << day);
			if (day == last)
				break;
		}
	} while (*r->at == ',' && r->at++);
	if (*r->at == '\0')
		return refuse(r, r->at, "for example: mon-fri 22:00", "a time is missing");
	if (!is_blank(*r->at))
		return refuse(r, r->at, "days look like mon-fri or mon,wed,fri",
			      "'%c' after a day", *r->at);
	skip_blanks(r);
	return true;
}

static bool read_two(const char *at, unsigned *value)
{
	if (!is_digit(at[0]) || !is_digit(at[1]) || is_digit(at[2]))
		return false;
	*value = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
	return true;
}

static bool read_time(struct reader *r, uint32_t *second_s)
{
	const char *at = r->at;
	unsigned hour, minute, second = 0;
	bool seconds;

	if (*at == '\0')
		return refuse(r, at, "for example: 22:00", "a time is missing");
	if (!read_two(at, &hour) || at[2] != ':' || !read_two(at + 3, &minute))
		return refuse(r, at, "times are HH:MM or HH:MM:SS on a 24 hour clock, like 08:05",
			      "'%.*s' is not a time", token_len(at), at);
	seconds = at[5] == ':';
	if (seconds && !read_two(at + 6, &second))
		return refuse(r, at, "times are HH:MM or HH:MM:SS", "'%.*s' is not a time",
			      token_len(at), at);
	if (hour > 23)
		return refuse(r, at, hour == 24 ? "midnight is 00:00 of the next day" : "",
			      "hour %u is outside 0-23", hour);
	if (minute > 59)
		return refuse(r, at + 3, "", "minute %u is outside 0-59", minute);
	if (second > 59)
		return refuse(r, at + 6, "", "second %u is outside 0-59", second);
	r->at += seconds ? 8 : 5;
	if (*r->at && *r->at != ',' && !is_blank(*r->at))
		return refuse(r, at, "times are HH:MM or HH:MM:SS on a 24 hour clock, like 08:05",
			      "'%.*s' is not a time", token_len(at), at);
	*second_s = hour * 3600 + minute * 60 + second;
	return true;
}

static void insert_time(struct schedule *s, uint32_t time_s)
{
	uint32_t i = s->at.count;

	while (i > 0 && s->at.time_s[i - 1] > time_s)
		i--;
	if (i > 0 && s->at.time_s[i - 1] == time_s)
		return;
	memmove(&s->at.time_s[i + 1], &s->at.time_s[i],
		(s->at.count - i) * sizeof s->at.time_s[0]);
	s->at.time_s[i] = time_s;
	s->at.count++;
}

static bool read_at(struct reader *r, struct schedule *s)
{
	s->at.days = 0x7f;
	if (is_letter(*r->at)) {
		s->at.days = 0;
		if (!read_days(r, &s->at.days))
			return false;
	}
	do {
		const char *at = r->at;
		uint32_t time_s;

		if (!read_time(r, &time_s))
			return false;
		if (s->at.count == SCHEDULE_TIMES_MAX)
			return refuse(r, at, "use cron or every", "more than %d times",
				      SCHEDULE_TIMES_MAX);
		insert_time(s, time_s);
	} while (*r->at == ',' && r->at++);
	skip_blanks(r);
	if (*r->at)
		return refuse(r, r->at, "join times by commas without blanks: 08:00,20:00",
			      "unexpected '%.*s'", token_len(r->at), r->at);
	return true;
}

/* --- every --- */

static bool read_word(struct reader *r, const char *word)
{
	size_t len;

	skip_blanks(r);
	len = word_len(r->at);
	if (!same_word(r->at, len, word) || !is_blank(r->at[len]))
		return refuse(r, r->at, "for example: 5m from 08:00 to 18:00", "'%s' is missing",
			      word);
	r->at += len;
	skip_blanks(r);
	return true;
}

static bool read_period(struct reader *r, int64_t *period_s)
{
	const char *at = r->at;
	size_t len = strcspn(at, " \t");
	char word[32];
	int64_t us;

	snprintf(word, sizeof word, "%.*s", len < sizeof word ? (int)len : 0, at);
	if (duration_parse(word, &us) < 0)
		return refuse(r, at, "a number with a unit: 90s, 5m, 1h30m, 2d",
			      "'%.*s' is not a duration", token_len(at), at);
	if (us % 1000000 != 0 || us < 1000000)
		return refuse(r, at, "", "a period is whole seconds, at least 1s");
	if (us > INT64_C(1000000) * PERIOD_MAX_S)
		return refuse(r, at, "use cron for dates", "a period is at most 366d");
	*period_s = us / 1000000;
	r->at += len;
	return true;
}

static bool read_every(struct reader *r, struct schedule *s)
{
	if (!read_period(r, &s->every.period_s))
		return false;
	skip_blanks(r);
	if (*r->at == '\0')
		return true;
	s->every.window = true;
	if (!read_word(r, "from") || !read_time(r, &s->every.from_s) || !read_word(r, "to") ||
	    !read_time(r, &s->every.to_s))
		return false;
	skip_blanks(r);
	if (*r->at)
		return refuse(r, r->at, "for example: 5m from 08:00 to 18:00", "unexpected '%.*s'",
			      token_len(r->at), r->at);
	return true;
}

/* --- cron --- */

struct field {
	const char *name;
	unsigned low, high;
	const char *const *names;      /* of the values from low on, or NULL */
	unsigned name_count;
};

enum { MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, FIELDS };

static const struct field fields[FIELDS] = {
	[MINUTE] = { "minute", 0, 59, NULL, 0 },
	[HOUR] = { "hour", 0, 23, NULL, 0 },
	[DAY_OF_MONTH] = { "day of month", 1, 31, NULL, 0 },
	[MONTH] = { "month", 1, 12, month_names, 12 },
	[DAY_OF_WEEK] = { "day of week", 0, 7, day_names, 7 },
};

static const char field_hint[] =
	"a field is *, numbers, ranges 1-5, steps */10 or 0-30/10, and lists of these";

static bool read_value(struct reader *r, const struct field *f, unsigned *value)
{
	const char *at = r->at;
	size_t len = word_len(at);

	for (unsigned i = 0; len > 0 && i < f->name_count; i++) {
		if (same_word(at, len, f->names[i])) {
			r->at += len;
			*value = f->low + i;
			return true;
		}
	}
	if (!is_digit(*at))
		return refuse(r, at, field_hint, "'%.*s' is not a %s", token_len(at), at, f->name);
	for (*value = 0; is_digit(*r->at); r->at++)
		if (*value <= 9999)
			*value = *value * 10 + (unsigned)(*r->at - '0');
	if (*value < f->low || *value > f->high)
		return refuse(r, at, "", "%s %.*s is outside %u-%u", f->name,
			      (int)(r->at - at > 24 ? 24 : r->at - at), at, f->low, f->high);
	return true;
}

/* A step may be longer than its field, as in cron: then only the first value counts. */
static bool read_step(struct reader *r, unsigned *step)
{
	const char *at = r->at;

	*step = 0;
	for (; is_digit(*r->at); r->at++)
		if (*step <= 9999)
			*step = *step * 10 + (unsigned)(*r->at - '0');
	if (r->at == at)
		return refuse(r, at, "for example: */10", "a number is missing after '/'");
	if (*step == 0)
		return refuse(r, at, "", "a step is at least 1");
	return true;
}

/* One element of a list: *, N, N-M, each but N with /STEP. */
static bool read_range(struct reader *r, const struct field *f, uint64_t *bits)
{
	const char *at = r->at;
	unsigned first = f->low, last = f->high, step = 1;
	bool single = false;

	if (*at == '*') {
		r->at++;
	} else {
		if (!read_value(r, f, &first))
			return false;
		last = first;
		single = *r->at != '-';
		if (!single) {
			r->at++;
			if (!read_value(r, f, &last))
				return false;
		}
		if (first > last)
			return refuse(r, at, f == &fields[DAY_OF_WEEK]
				      ? "weeks begin on sunday here: write fri,sat,sun or 5-7"
				      : "write two ranges: 22-23,0-5",
				      "range '%.*s' runs backwards", (int)(r->at - at), at);
	}
	if (*r->at == '/') {
		if (single)
			return refuse(r, at, "write where it ends: 5-59/10",
				      "a step needs a range");
		r->at++;
		if (!read_step(r, &step))
			return false;
	}
	for (unsigned value = first; value <= last; value += step)
		*bits |= UINT64_C(1) << value;
	return true;
}

static bool read_field(struct reader *r, const struct field *f, uint64_t *bits, bool *star)
{
	*star = *r->at == '*';
	for (;;) {
		if (!read_range(r, f, bits))
			return false;
		if (*r->at != ',')
			break;
		r->at++;
	}
	if (*r->at && !is_blank(*r->at))
		return refuse(r, r->at, field_hint, "'%c' in the field %s", *r->at, f->name);
	skip_blanks(r);
	return true;
}

static bool read_fields(struct reader *r, struct schedule *s)
{
	uint64_t bits[FIELDS] = { 0 };
	bool star[FIELDS];

	for (int i = 0; i < FIELDS; i++) {
		if (*r->at == '\0')
			return refuse(r, r->at, "minute hour day-of-month month day-of-week",
				      "cron has five fields, here are %d", i);
		if (!read_field(r, &fields[i], &bits[i], &star[i]))
			return false;
	}
	if (*r->at)
		return refuse(r, r->at, "minute hour day-of-month month day-of-week; for seconds "
			      "use at or every", "cron has five fields, here is a sixth");
	if (bits[DAY_OF_WEEK] & (1 | 1 << 7))
		bits[DAY_OF_WEEK] |= 1 | 1 << 7;
	s->cron.minute = bits[MINUTE];
	s->cron.hour = (uint32_t)bits[HOUR];
	s->cron.dom = (uint32_t)bits[DAY_OF_MONTH];
	s->cron.month = (uint16_t)bits[MONTH];
	s->cron.dow = bits[DAY_OF_WEEK] & 0x7f;
	s->cron.dom_star = star[DAY_OF_MONTH];
	s->cron.dow_star = star[DAY_OF_WEEK];
	s->cron.wildcard = star[MINUTE] || star[HOUR];
	return true;
}

/* "30 2": a date no year has. With the OR rule the weekday saves it. */
static bool check_dates(struct reader *r, const struct schedule *s)
{
	if (!s->cron.dom_star && !s->cron.dow_star)
		return true;
	for (int month = 1; month <= 12; month++) {
		uint64_t days = (UINT64_C(2) << civil_month_days(2000, month)) - 2;

		if ((s->cron.month >> month & 1) && (s->cron.dom & days))
			return true;
	}
	return refuse(r, r->text, "", "these months never have such a day");
}

static const struct {
	const char *name, *text;
} nicknames[] = {
	{ "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
	{ "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
	{ "@hourly", "0 * * * *" },
};

static bool read_nickname(struct reader *r, struct schedule *s)
{
	enum { COUNT = sizeof nicknames / sizeof nicknames[0] };
	const char *words[COUNT];
	size_t len = strcspn(r->at, " \t");
	char word[16], hint[64] = "@yearly @monthly @weekly @daily @hourly exist";
	const char *nearest;

	snprintf(word, sizeof word, "%.*s", len < sizeof word ? (int)len : 0, r->at);
	for (size_t i = 0; i < COUNT; i++) {
		struct schedule_error unused;
		struct reader inner = { nicknames[i].text, nicknames[i].text, &unused };

		words[i] = nicknames[i].name;
		if (strcmp(word, words[i]) != 0)
			continue;
		if (r->at[len])
			return refuse(r, r->at + len, "", "nothing may follow %s", words[i]);
		return read_fields(&inner, s);
	}
	if (strcmp(word, "@reboot") == 0)
		return refuse(r, r->at, "start such a program from a systemd unit",
			      "@reboot names no time");
	nearest = name_nearest(word, words, COUNT);
	if (nearest)
		snprintf(hint, sizeof hint, "did you mean %s?", nearest);
	return refuse(r, r->at, hint, "'%.*s' is not a schedule", token_len(r->at), r->at);
}

static bool read_cron(struct reader *r, struct schedule *s)
{
	size_t len = strlen(r->at);

	while (len > 0 && is_blank(r->at[len - 1]))
		len--;
	if (len > SCHEDULE_TEXT_MAX)
		return refuse(r, r->at, "", "longer than %d bytes", SCHEDULE_TEXT_MAX);
	memcpy(s->cron.text, r->at, len);
	if (*r->at == '@') {
		struct reader inner = { s->cron.text, s->cron.text, r->err };
		bool ok = read_nickname(&inner, s);

		r->err->column += (unsigned)(r->at - r->text);
		return ok;
	}
	return read_fields(r, s) && check_dates(r, s);
}

int schedule_parse(struct schedule *s, enum schedule_kind kind, const char *text,
		   struct schedule_error *err)
{
	struct schedule_error unused;
	struct reader r = { text, text, err ? err : &unused };
	bool ok = true;

	memset(s, 0, sizeof *s);
	memset(r.err, 0, sizeof *r.err);
	s->kind = kind;
	if (kind == SCHEDULE_NONE)
		return 0;
	skip_blanks(&r);
	if (*r.at == '\0')
		ok = refuse(&r, r.at, "", "it is empty");
	else if (kind == SCHEDULE_AT)
		ok = read_at(&r, s);
	else if (kind == SCHEDULE_EVERY)
		ok = read_every(&r, s);
	else
		ok = read_cron(&r, s);
	if (!ok)
		memset(s, 0, sizeof *s);
	return ok ? 0 : -EINVAL;
}
