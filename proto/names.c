#include "proto/names.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { NEAREST_WORD_MAX = 191 };	/* "JOB@SERVER" fits */

#define SECOND_US INT64_C(1000000)

/* Characters by hand: what is a letter must not depend on a locale. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_name_first(char c)
{
	return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c)
{
	return is_name_first(c) || c == '.' || c == '-';
}

static bool is_server_char(char c)
{
	return is_digit(c) || is_lower(c) || c == '.' || c == '_' || c == '-';
}

static bool is_wildcard(char c)
{
	return c == '*' || c == '?' || c == '%';
}

/* Verdict with its reason; a NULL `why` is allowed everywhere. */
static bool refuse(const char **why, const char *text)
{
	if (why)
		*why = text;
	return false;
}

static bool is_reserved(const char *name)
{
	static const char *const words[] = { "and", "or", "not", "any", "all", "of" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(name, words[i]))
			return true;
	return false;
}

/* The grammar of NAME; with `wild`, wildcards may stand wherever a character may. */
static bool check_job(const char *name, bool wild, const char **why)
{
	size_t len = strlen(name);
	bool digits = true;

	if (!len)
		return refuse(why, "is empty");
	if (len > NAME_JOB_MAX)
		return refuse(why, "is longer than 120 bytes");
	for (size_t i = 0; i < len; i++) {
		bool first = !i || name[i - 1] == '/';

		if (name[i] == '/') {
			if (first)
				return refuse(why, "has an empty part");
			digits = true;
			continue;
		}
		if (wild && is_wildcard(name[i])) {
			digits = false;
			continue;
		}
		if (!is_name_char(name[i]))
			return refuse(why, "has a character other than A-Z a-z 0-9 _ . - and /");
		if (first && !is_name_first(name[i]))
			return refuse(why, "has a part that begins with '.' or '-'");
		digits = digits && is_digit(name[i]);
	}
	if (name[len - 1] == '/')
		return refuse(why, "ends with '/'");
	if (digits)
		return refuse(why,
			      "has a last part of digits only, which would read as a run number");
	if (is_reserved(name))
		return refuse(why, "is a word of conditions (and or not any all of)");
	return true;
}

static bool check_server(const char *name, bool wild, const char **why)
{
	size_t len = strlen(name);

	if (!len)
		return refuse(why, "is empty");
	if (len > NAME_SERVER_MAX)
		return refuse(why, "is longer than 63 bytes");
	for (size_t i = 0; i < len; i++) {
		if (wild && is_wildcard(name[i]))
			continue;
		if (!is_server_char(name[i]))
			return refuse(why, "has a character other than a-z 0-9 . _ and -");
		if (!i && !is_digit(name[i]) && !is_lower(name[i]))
			return refuse(why, "begins with '.', '_' or '-'");
	}
	return true;
}

bool name_job_valid(const char *name, const char **why)
{
	return check_job(name, false, why);
}

bool name_server_valid(const char *name, const char **why)
{
	return check_server(name, false, why);
}

bool name_server_pattern_valid(const char *pattern, const char **why)
{
	return check_server(pattern, true, why);
}

/* RFC 3629, section 4: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t utf8_decode(const char *text, size_t len, uint32_t *code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	if (!len)
		return 0;
	n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
	    s[0] < 0xf8 ? 4 : 0;
	if (!n || n > len)
		return 0;
	*code = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < smallest[n] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return n;
}

bool name_reason_valid(const char *text, const char **why)
{
	size_t len = strlen(text);
	uint32_t code;

	if (len > NAME_REASON_MAX)
		return refuse(why, "is longer than 200 bytes");
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(text + i, len - i, &code);
		if (!n)
			return refuse(why, "is not UTF-8");
		if (code < 0x20 || (code >= 0x7f && code < 0xa0))
			return refuse(why, "has a control character");
	}
	return true;
}

static int parse_run(const char *digits, uint64_t *run)
{
	*run = 0;
	for (; *digits; digits++) {
		uint64_t digit = (uint64_t)(*digits - '0');

		if (*run > (UINT64_MAX - digit) / 10)
			return -EINVAL;
		*run = *run * 10 + digit;
	}
	return *run ? 0 : -EINVAL;
}

static bool all_digits(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!is_digit(*p))
			return false;
	return *text != 0;
}

static void copy_pattern(char *out, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = from[i] == '%' ? '*' : from[i];
	out[len] = 0;
}

int target_parse(const char *text, struct target *target, const char **why)
{
	const char *at = strchr(text, '@');
	size_t len = at ? (size_t)(at - text) : strlen(text);

	*target = (struct target){ 0 };
	if (!len && !at)
		return refuse(why, "is empty"), -EINVAL;
	/* A run number may be longer than no name, so the bound holds for both. */
	if (len > NAME_JOB_MAX)
		return refuse(why, "is longer than 120 bytes"), -EINVAL;
	copy_pattern(target->job, text, len);
	if (at) {
		if (!check_server(at + 1, true, why)) {
			if (why && !at[1])
				*why = "has no server after '@'";
			return -EINVAL;
		}
		copy_pattern(target->server, at + 1, strlen(at + 1));
	}
	if (all_digits(target->job)) {
		if (parse_run(target->job, &target->run))
			return refuse(why, "is not a run number"), -EINVAL;
		target->job[0] = 0;
	} else if (len && !check_job(target->job, true, why)) {
		return -EINVAL;
	}
	target->glob = glob_has_wildcard(target->job) || glob_has_wildcard(target->server);
	return 0;
}

/*
 * Two marks to come back to suffice. Leftmost matches are best: once a later "*" is reached, moving
 * an earlier one of the same part forward only takes text away from the later one; and "**" may
 * take anything, so nothing before the last one needs a second try.
 */
bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *star_text = NULL, *deep = NULL, *deep_text = NULL;

	for (;;) {
		if (pattern[0] == '*' && pattern[1] == '*') {
			while (*pattern == '*')
				pattern++;
			deep = pattern;
			deep_text = text;
			star = NULL;
			continue;
		}
		if (*pattern == '*' || *pattern == '%') {
			star = ++pattern;
			star_text = text;
			continue;
		}
		if (*text && (*pattern == *text || (*pattern == '?' && *text != '/'))) {
			pattern++;
			text++;
			continue;
		}
		if (!*text && !*pattern)
			return true;
		if (star && *star_text && *star_text != '/') {
			pattern = star;
			text = ++star_text;
		} else if (deep && *deep_text) {
			pattern = deep;
			text = ++deep_text;
			star = NULL;
		} else {
			return false;
		}
	}
}

bool glob_has_wildcard(const char *pattern)
{
	return strpbrk(pattern, "*?%") != NULL;
}

static const struct unit {
	const char *name;
	int64_t us;
} units[] = {
	{ "d", 86400 * SECOND_US },
	{ "h", 3600 * SECOND_US },
	{ "m", 60 * SECOND_US },
	{ "s", SECOND_US },
	{ "ms", 1000 },
	{ "us", 1 },
};
enum { UNITS = sizeof(units) / sizeof(*units) };

/* The unit that starts at text, from the one with index `from` on; UNITS = none. */
static size_t find_unit(const char *text, size_t from)
{
	size_t len = 0;

	while (is_lower(text[len]))
		len++;
	for (size_t i = from; i < UNITS; i++)
		if (strlen(units[i].name) == len && !memcmp(units[i].name, text, len))
			return i;
	return UNITS;
}

int duration_parse(const char *text, int64_t *us)
{
	int64_t total = 0;
	size_t next = 0;

	if (!*text)
		return -EINVAL;
	while (*text) {
		int64_t n = 0;
		size_t unit;

		if (!is_digit(*text))
			return -EINVAL;
		for (; is_digit(*text); text++) {
			if (__builtin_mul_overflow(n, 10, &n) ||
			    __builtin_add_overflow(n, *text - '0', &n))
				return -EINVAL;
		}
		unit = find_unit(text, next);
		if (unit == UNITS || __builtin_mul_overflow(n, units[unit].us, &n) ||
		    __builtin_add_overflow(total, n, &total))
			return -EINVAL;
		text += strlen(units[unit].name);
		next = unit + 1;
	}
	if (!total)
		return -EINVAL;
	*us = total;
	return 0;
}

void duration_format(int64_t us, char out[NAME_DURATION_SIZE])
{
	uint64_t left = us < 0 ? -(uint64_t)us : (uint64_t)us;
	size_t used = 0;

	if (!us) {
		snprintf(out, NAME_DURATION_SIZE, "0s");
		return;
	}
	if (us < 0)
		out[used++] = '-';
	for (size_t i = 0; i < UNITS; i++) {
		uint64_t n = left / (uint64_t)units[i].us;

		left %= (uint64_t)units[i].us;
		if (!n)
			continue;
		/* Longest: "-106751991d4h..." with six units is 30 bytes. */
		used += (size_t)snprintf(out + used, NAME_DURATION_SIZE - used, "%llu%s",
					 (unsigned long long)n, units[i].name);
		assert(used < NAME_DURATION_SIZE);
	}
}

static const char *const size_units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
enum { SIZE_UNITS = sizeof(size_units) / sizeof(*size_units) };

int size_parse(const char *text, uint64_t *bytes)
{
	uint64_t n = 0;

	if (!is_digit(*text))
		return -EINVAL;
	for (; is_digit(*text); text++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return -EINVAL;
	}
	for (unsigned i = 0; i < SIZE_UNITS; i++) {
		if (strcmp(text, size_units[i]) != 0)
			continue;
		return __builtin_mul_overflow(n, UINT64_C(1) << 10 * i, bytes) ? -EINVAL : 0;
	}
	return -EINVAL;
}

void size_format(uint64_t bytes, char out[NAME_DURATION_SIZE])
{
	unsigned unit = 0;

	while (unit + 1 < SIZE_UNITS && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(out, NAME_DURATION_SIZE, "%llu%s", (unsigned long long)bytes, size_units[unit]);
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar: eras of 400 years, March first. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;

	*day = of_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = y + era * 400 + (*month <= 2);
}

void instant_format(int64_t wall_us, char out[NAME_INSTANT_SIZE])
{
	const int64_t day_us = 86400 * SECOND_US;
	int64_t days = wall_us / day_us, rest = wall_us % day_us, year, month, day;
	int seconds, msec, used;

	if (rest < 0) {
		rest += day_us;
		days--;
	}
	date_from_days(days, &year, &month, &day);
	seconds = (int)(rest / SECOND_US);
	msec = (int)(rest % SECOND_US / 1000);
	/* The range of int64_t reaches the years -290308 to 294247: 27 bytes with the fraction. */
	used = snprintf(out, NAME_INSTANT_SIZE, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)year,
			(int)month, (int)day, seconds / 3600, seconds / 60 % 60, seconds % 60);
	assert(used > 0 && used < NAME_INSTANT_SIZE - 5);
	if (msec)
		snprintf(out + used, (size_t)(NAME_INSTANT_SIZE - used), ".%03dZ", msec);
	else
		snprintf(out + used, (size_t)(NAME_INSTANT_SIZE - used), "Z");
}

/* Exactly n digits; advances *text. -1 when they are not there. */
static int take_digits(const char **text, int n)
{
	int value = 0;

	for (; n; n--, (*text)++) {
		if (!is_digit(**text))
			return -1;
		value = value * 10 + (**text - '0');
	}
	return value;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* "Z" or "+HH:MM": seconds east of UTC. */
static int take_offset(const char **text, int *offset_s)
{
	int sign, hours, minutes;

	*offset_s = 0;
	if (take_char(text, 'Z'))
		return 0;
	sign = take_char(text, '+') ? 1 : take_char(text, '-') ? -1 : 0;
	if (!sign)
		return -EINVAL;
	hours = take_digits(text, 2);
	if (hours < 0 || hours > 23 || !take_char(text, ':'))
		return -EINVAL;
	minutes = take_digits(text, 2);
	if (minutes < 0 || minutes > 59)
		return -EINVAL;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return 0;
}

/* ".f" to ".ffffff" in microseconds; nothing is 0. */
static int take_fraction(const char **text, int *us)
{
	int scale = 100000;

	*us = 0;
	if (!take_char(text, '.'))
		return 0;
	if (!is_digit(**text))
		return -EINVAL;
	for (; is_digit(**text); (*text)++, scale /= 10) {
		if (!scale)
			return -EINVAL;
		*us += (**text - '0') * scale;
	}
	return 0;
}

int instant_parse(const char *text, int64_t *wall_us)
{
	static const struct { int digits, min, max; char end; } fields[6] = {
		{ 4, 0, 9999, '-' }, { 2, 1, 12, '-' }, { 2, 1, 31, 'T' },
		{ 2, 0, 23, ':' }, { 2, 0, 59, ':' }, { 2, 0, 59, 0 },
	};
	int v[6], fraction, offset_s;

	for (int i = 0; i < 6; i++) {
		v[i] = take_digits(&text, fields[i].digits);
		if (v[i] < fields[i].min || v[i] > fields[i].max)
			return -EINVAL;
		if (fields[i].end && !take_char(&text, fields[i].end))
			return -EINVAL;
	}
	if (v[2] > days_in_month(v[0], v[1]) || take_fraction(&text, &fraction) ||
	    take_offset(&text, &offset_s) || *text)
		return -EINVAL;
	*wall_us = (days_from_date(v[0], v[1], v[2]) * 86400 + v[3] * 3600 + v[4] * 60 + v[5] -
		    offset_s) * SECOND_US + fraction;
	return 0;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b, three rows of the matrix. */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	uint8_t rows[3][NEAREST_WORD_MAX + 1];

	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= a_len; i++) {
		uint8_t *row = rows[i % 3], *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = (uint8_t)i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = least(up[j] + 1u, row[j - 1] + 1u);

			best = least(best, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = least(best, up2[j - 2] + 1u);
			row[j] = (uint8_t)best;
		}
	}
	return rows[a_len % 3][b_len];
}

const char *name_nearest(const char *word, const char *const *words, size_t count)
{
	size_t len = strlen(word), limit = len / 3 > 1 ? len / 3 : 1;
	const char *nearest = NULL;

	if (!len || len > NEAREST_WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t other = strlen(words[i]), distance;

		if (other > len + limit || len > other + limit || other > NEAREST_WORD_MAX)
			continue;
		distance = edit_distance(word, len, words[i], other);
		if (distance > limit)
			continue;
		nearest = words[i];
		if (!distance)
			break;
		/* From here on only a nearer one is taken: the first of equals stays. */
		limit = distance - 1;
	}
	return nearest;
}
