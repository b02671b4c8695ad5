#include "daemon/core/zonerule.h"

#include <errno.h>

#include "daemon/core/civil.h"

struct reader {
	const char *at, *end;
};

static int peek(const struct reader *r)
{
	return r->at < r->end ? (unsigned char)*r->at : -1;
}

static bool take(struct reader *r, char c)
{
	if (peek(r) != c)
		return false;
	r->at++;
	return true;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool read_name(struct reader *r)
{
	bool quoted = take(r, '<');
	int n = 0;

	for (;; n++) {
		int c = peek(r);

		if (!is_letter(c) && !(quoted && (is_digit(c) || c == '+' || c == '-')))
			break;
		r->at++;
	}
	return n >= 3 && (!quoted || take(r, '>'));
}

static bool read_number(struct reader *r, int min, int max, int *out)
{
	int value = 0;

	if (!is_digit(peek(r)))
		return false;
	while (is_digit(peek(r))) {
		value = value * 10 + (*r->at++ - '0');
		if (value > max)
			return false;
	}
	*out = value;
	return value >= min;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(struct reader *r, int max_hours, int32_t *out)
{
	int hours, minutes = 0, seconds = 0;
	bool minus = take(r, '-');

	if (!minus)
		take(r, '+');
	if (!read_number(r, 0, max_hours, &hours))
		return false;
	if (take(r, ':')) {
		if (!read_number(r, 0, 59, &minutes))
			return false;
		if (take(r, ':') && !read_number(r, 0, 59, &seconds))
			return false;
	}
	*out = hours * 3600 + minutes * 60 + seconds;
	if (minus)
		*out = -*out;
	return true;
}

static bool read_offset(struct reader *r, int32_t *east_s)
{
	if (!read_time(r, 24, east_s))
		return false;
	*east_s = -*east_s;
	return true;
}

static bool read_date(struct reader *r, struct zonerule_date *d)
{
	*d = (struct zonerule_date){ .kind = ZONERULE_DAY_OF_YEAR, .time_s = 2 * 3600 };
	if (take(r, 'J')) {
		d->kind = ZONERULE_JULIAN;
		if (!read_number(r, 1, 365, &d->day))
			return false;
	} else if (take(r, 'M')) {
		d->kind = ZONERULE_MONTH_WEEK_DAY;
		if (!read_number(r, 1, 12, &d->month) || !take(r, '.') ||
		    !read_number(r, 1, 5, &d->week) || !take(r, '.') ||
		    !read_number(r, 0, 6, &d->day))
			return false;
	} else if (!read_number(r, 0, 365, &d->day)) {
		return false;
	}
	return !take(r, '/') || read_time(r, 167, &d->time_s);
}

int zonerule_parse(struct zonerule *out, const char *text, size_t len)
{
	struct reader r = { text, text + len };

	*out = (struct zonerule){ 0 };
	if (!read_name(&r) || !read_offset(&r, &out->std_s))
		return -EINVAL;
	out->dst_s = out->std_s;
	if (r.at == r.end)
		return 0;
	if (!read_name(&r))
		return -EINVAL;
	out->dst_s = out->std_s + 3600;
	if (peek(&r) != ',' && !read_offset(&r, &out->dst_s))
		return -EINVAL;
	if (!take(&r, ',') || !read_date(&r, &out->start) || !take(&r, ',') ||
	    !read_date(&r, &out->end) || r.at != r.end)
		return -EINVAL;
	return 0;
}

/* Local seconds, by the offset in force before the change. */
static int64_t date_in_year(const struct zonerule_date *d, int32_t year)
{
	int64_t day = civil_days(year, 1, 1);

	switch (d->kind) {
	case ZONERULE_JULIAN:
		day += d->day - 1 + (d->day >= 60 && civil_month_days(year, 2) == 29);
		break;
	case ZONERULE_DAY_OF_YEAR:
		day += d->day;
		break;
	case ZONERULE_MONTH_WEEK_DAY: {
		int64_t first = civil_days(year, d->month, 1);
		int64_t last = first + civil_month_days(year, d->month) - 1;

		day = first + civil_floor_mod(d->day - civil_weekday(first), 7) +
		      7 * (d->week - 1);
		if (day > last)
			day -= 7;
		break;
	}
	}
	return day * CIVIL_DAY_S + d->time_s;
}

struct change {
	int64_t at_s;
	int32_t utoff_s;
};

enum { YEARS = 5, CHANGES = 2 * YEARS };

/*
 * A time of day can push a change a week into a neighbouring year; two years either way always
 * hold the changes around an instant of `year`.
 * When winter time would begin at the very instant the next summer time does, it is summer all
 * year: such an end is put first, so that the start decides.
 */
static void list_changes(const struct zonerule *r, int32_t year, struct change out[CHANGES])
{
	int n = 0;

	for (int32_t y = year - 2; y <= year + 2; y++) {
		struct change both[2] = {
			{ date_in_year(&r->end, y) - r->dst_s, r->std_s },
			{ date_in_year(&r->start, y) - r->std_s, r->dst_s },
		};

		for (int i = 0; i < 2; i++) {
			int k = n++;

			for (; k > 0 && (out[k - 1].at_s > both[i].at_s ||
					 (out[k - 1].at_s == both[i].at_s &&
					  both[i].utoff_s == r->std_s)); k--)
				out[k] = out[k - 1];
			out[k] = both[i];
		}
	}
}

bool zonerule_span(const struct zonerule *r, int64_t utc_s, int64_t *start_s, int64_t *end_s,
		   int32_t *utoff_s)
{
	struct change changes[CHANGES];
	struct civil c;
	int i = CHANGES - 1;

	*utoff_s = r->std_s;
	if (r->std_s == r->dst_s)
		return false;
	civil_from_seconds(utc_s + r->std_s, &c);
	list_changes(r, c.year, changes);
	while (i > 0 && changes[i].at_s > utc_s)
		i--;
	*utoff_s = changes[i].utoff_s;
	*start_s = changes[i].at_s;
	*end_s = i + 1 < CHANGES ? changes[i + 1].at_s : utc_s + 1;
	return true;
}
