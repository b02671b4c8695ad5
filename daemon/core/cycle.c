#include "daemon/core/cycle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_S (INT64_C(-62135596800) + 2 * CIVIL_DAY_S)
#define LAST_S (INT64_C(253402300799) - 2 * CIVIL_DAY_S)

/* A label taken apart. begin_s: the instant (hour, slot) or the local start (all others). */
struct cycle {
	enum cycle_kind kind;
	struct civil civil;            /* week: year and day only, the Monday's */
	int32_t iso_year;
	int week;
	int64_t begin_s;
};

static const char *const kind_names[] = {
	[CYCLE_DEFAULT] = "", [CYCLE_DAY] = "day",     [CYCLE_HOUR] = "hour", [CYCLE_WEEK] = "week",
	[CYCLE_MONTH] = "month", [CYCLE_SLOT] = "slot", [CYCLE_NONE] = "none",
};

int cycle_kind_parse(const char *text, enum cycle_kind *out)
{
	for (int i = CYCLE_DEFAULT; i <= CYCLE_NONE; i++) {
		if (strcmp(text, kind_names[i]) == 0) {
			*out = (enum cycle_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *cycle_kind_name(enum cycle_kind kind)
{
	return kind_names[kind];
}

enum cycle_kind cycle_kind_resolve(enum cycle_kind kind, const struct schedule *s)
{
	if (kind != CYCLE_DEFAULT)
		return kind;
	return schedule_once_a_day(s) ? CYCLE_DAY : CYCLE_SLOT;
}

/* --- reading --- */

static bool take(const char **at, char c)
{
	if (**at != c)
		return false;
	++*at;
	return true;
}

static bool take_number(const char **at, int digits, int *out)
{
	int value = 0;

	for (int i = 0; i < digits; i++, ++*at) {
		if (**at < '0' || **at > '9')
			return false;
		value = value * 10 + (**at - '0');
	}
	*out = value;
	return true;
}

static bool take_small(const char **at, int8_t *out)
{
	int value;

	if (!take_number(at, 2, &value))
		return false;
	*out = (int8_t)value;
	return true;
}

/* (+|-)HH:MM[:SS], the end of the label */
static bool take_utoff(const char **at, int32_t *utoff_s)
{
	int hours, minutes, seconds = 0;
	bool minus = **at == '-';

	if (!take(at, '+') && !take(at, '-'))
		return false;
	if (!take_number(at, 2, &hours) || !take(at, ':') || !take_number(at, 2, &minutes))
		return false;
	if (take(at, ':') && !take_number(at, 2, &seconds))
		return false;
	if (hours > 25 || minutes > 59 || seconds > 59 || **at != '\0')
		return false;
	*utoff_s = hours * 3600 + minutes * 60 + seconds;
	if (minus)
		*utoff_s = -*utoff_s;
	return true;
}

static bool read_week(const char *at, int year, struct cycle *out)
{
	if (!take_number(&at, 2, &out->week) || *at != '\0' || out->week < 1 ||
	    out->week > civil_iso_weeks(year))
		return false;
	out->kind = CYCLE_WEEK;
	out->iso_year = year;
	out->begin_s = civil_iso_monday(year, out->week) * CIVIL_DAY_S;
	civil_from_seconds(out->begin_s, &out->civil);
	return true;
}

/* From behind the T on. */
static bool read_time(const char *at, struct cycle *out)
{
	int32_t utoff_s;

	out->kind = CYCLE_HOUR;
	if (!take_small(&at, &out->civil.hour))
		return false;
	if (take(&at, ':')) {
		out->kind = CYCLE_SLOT;
		if (!take_small(&at, &out->civil.minute) || !take(&at, ':') ||
		    !take_small(&at, &out->civil.second))
			return false;
	}
	if (!take_utoff(&at, &utoff_s) || !civil_valid(&out->civil))
		return false;
	out->begin_s = civil_seconds(&out->civil) - utoff_s;
	return true;
}

static bool read_label(const char *label, struct cycle *out)
{
	const char *at = label;
	int year;

	*out = (struct cycle){ .kind = CYCLE_NONE, .begin_s = INT64_MIN };
	if (*label == '\0')
		return true;
	if (strnlen(label, CYCLE_LABEL_MAX) == CYCLE_LABEL_MAX || !take_number(&at, 4, &year) ||
	    !take(&at, '-') || year < 1)
		return false;
	if (take(&at, 'W'))
		return read_week(at, year, out);
	out->civil.year = year;
	out->civil.day = 1;
	if (!take_small(&at, &out->civil.month))
		return false;
	out->kind = CYCLE_MONTH;
	if (take(&at, '-')) {
		out->kind = CYCLE_DAY;
		if (!take_small(&at, &out->civil.day))
			return false;
		if (take(&at, 'T'))
			return read_time(at, out);
	}
	if (*at != '\0' || !civil_valid(&out->civil))
		return false;
	out->begin_s = civil_seconds(&out->civil);
	return true;
}

int cycle_label_kind(const char *label)
{
	struct cycle c;

	return read_label(label, &c) ? (int)c.kind : -EINVAL;
}

int cycle_parse_check(const char *label)
{
	struct cycle c;

	return read_label(label, &c) ? 0 : -EINVAL;
}

/* --- writing --- */

static void write_utoff(int32_t utoff_s, char *out, size_t size)
{
	int east_s = abs(utoff_s);
	int n = snprintf(out, size, "%c%02d:%02d", utoff_s < 0 ? '-' : '+', east_s / 3600,
			 east_s / 60 % 60);

	if (east_s % 60)
		snprintf(out + n, size - (size_t)n, ":%02d", east_s % 60);
}

/* The date a slot is named after: the one in its nominal key, else the local one. */
static void find_date(const struct slot *slot, const struct civil *local, struct civil *date)
{
	struct cycle c;
	char day[11];

	*date = *local;
	if (!slot || !slot_key_nominal(slot->key))
		return;
	snprintf(day, sizeof day, "%.10s", slot->key);
	if (read_label(day, &c) && c.kind == CYCLE_DAY)
		*date = c.civil;
}

void cycle_label(enum cycle_kind kind, const struct zone *z, int64_t utc_s,
		 const struct slot *slot, char out[CYCLE_LABEL_MAX])
{
	struct civil local, date;
	int32_t utoff_s, iso_year;
	char east[16], text[64] = "";
	int week;

	if (slot)
		utc_s = slot->utc_s;
	utc_s = utc_s < FIRST_S ? FIRST_S : utc_s > LAST_S ? LAST_S : utc_s;
	zone_to_civil(z, utc_s, &local, &utoff_s);
	find_date(slot, &local, &date);
	write_utoff(utoff_s, east, sizeof east);
	switch (kind) {
	case CYCLE_NONE:
		break;
	case CYCLE_DEFAULT:
	case CYCLE_DAY:
		snprintf(text, sizeof text, "%04d-%02d-%02d", (int)date.year, date.month,
			 date.day);
		break;
	case CYCLE_MONTH:
		snprintf(text, sizeof text, "%04d-%02d", (int)date.year, date.month);
		break;
	case CYCLE_WEEK:
		civil_iso_week(civil_days(date.year, date.month, date.day), &iso_year, &week);
		snprintf(text, sizeof text, "%04d-W%02d", (int)iso_year, week);
		break;
	case CYCLE_HOUR:
		snprintf(text, sizeof text, "%04d-%02d-%02dT%02d%s", (int)local.year,
			 local.month, local.day, local.hour, east);
		break;
	case CYCLE_SLOT:
		snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d%s",
			 (int)local.year, local.month, local.day, local.hour, local.minute,
			 local.second, east);
		break;
	}
	snprintf(out, CYCLE_LABEL_MAX, "%.*s", CYCLE_LABEL_MAX - 1, text);
}

/* --- relations --- */

static bool has_instant(const struct cycle *c)
{
	return c->kind == CYCLE_HOUR || c->kind == CYCLE_SLOT;
}

bool cycle_equal(const char *a, const char *b)
{
	struct cycle left, right;

	if (strcmp(a, b) == 0)
		return true;
	return read_label(a, &left) && read_label(b, &right) && left.kind == right.kind &&
	       has_instant(&left) && left.begin_s == right.begin_s;
}

static bool same_month(const struct cycle *a, const struct cycle *b)
{
	return a->civil.year == b->civil.year && a->civil.month == b->civil.month;
}

bool cycle_contains(const char *coarse, const char *fine)
{
	struct cycle c, f;

	if (!read_label(coarse, &c) || !read_label(fine, &f))
		return false;
	switch (c.kind) {
	case CYCLE_MONTH:
		return f.kind == CYCLE_DAY && same_month(&c, &f);
	case CYCLE_DAY:
		return has_instant(&f) && same_month(&c, &f) && c.civil.day == f.civil.day;
	case CYCLE_HOUR:
		return f.kind == CYCLE_SLOT && f.begin_s >= c.begin_s &&
		       f.begin_s < c.begin_s + 3600;
	default:
		return false;
	}
}

bool cycle_compatible(const char *a, const char *b)
{
	return cycle_equal(a, b) || cycle_contains(a, b) || cycle_contains(b, a);
}

int cycle_compare(const char *a, const char *b)
{
	static const int rank[] = { [CYCLE_NONE] = 0, [CYCLE_MONTH] = 1, [CYCLE_WEEK] = 2,
				    [CYCLE_DAY] = 3,  [CYCLE_HOUR] = 4,  [CYCLE_SLOT] = 5 };
	struct cycle left, right;
	bool left_ok = read_label(a, &left), right_ok = read_label(b, &right);

	if (!left_ok || !right_ok)
		return left_ok != right_ok ? right_ok - left_ok : strcmp(a, b);
	if (left.begin_s != right.begin_s)
		return left.begin_s < right.begin_s ? -1 : 1;
	return rank[left.kind] - rank[right.kind];
}

/* The first instant of a local day. */
static int64_t day_start_utc(const struct zone *z, int64_t day)
{
	struct zone_gap gap = { 0 };
	struct civil c;
	int64_t utc_s[2];

	civil_from_days(day, &c);
	return zone_from_civil(z, &c, utc_s, &gap) > 0 ? utc_s[0] : gap.after_s;
}

int cycle_end_utc(const char *label, const struct zone *z, int n_more, int64_t *utc_s)
{
	struct cycle c;
	int64_t first, months;

	if (!read_label(label, &c) || n_more < 0 || n_more > 10000)
		return -EINVAL;
	first = civil_days(c.civil.year, c.civil.month, c.civil.day);
	switch (c.kind) {
	case CYCLE_HOUR:
		*utc_s = c.begin_s + 3600 * ((int64_t)n_more + 1);
		return 0;
	case CYCLE_DAY:
		*utc_s = day_start_utc(z, first + 1 + n_more);
		return 0;
	case CYCLE_WEEK:
		*utc_s = day_start_utc(z, first + 7 * ((int64_t)n_more + 1));
		return 0;
	case CYCLE_MONTH:
		months = c.civil.month + (int64_t)n_more;
		*utc_s = day_start_utc(z, civil_days(c.civil.year + (int32_t)(months / 12),
						     (int)(months % 12) + 1, 1));
		return 0;
	default:
		return -ENOENT;
	}
}
