/*
 * when.c - see when.h. Names of days and months are C's, whatever the locale says.
 */
#include "client/monitor/when.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SECOND_US = 1000000, DAY_S = 86400 };

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
				    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static void split_time(int64_t wall_us, bool utc, struct tm *tm)
{
	int64_t down = wall_us < 0 ? SECOND_US - 1 : 0;
	time_t seconds = (time_t)((wall_us - down) / SECOND_US);
	struct tm *done = utc ? gmtime_r(&seconds, tm) : localtime_r(&seconds, tm);

	if (done == NULL)
		*tm = (struct tm){ .tm_mday = 1, .tm_year = 70 };
}

enum distance { SAME_DAY, SAME_WEEK, SAME_YEAR, FAR };

/* How far an instant is from now, as a calendar sees it. */
static enum distance judge_distance(int64_t wall_us, struct moment now, const struct tm *then,
				    bool utc)
{
	struct tm today;
	int64_t apart_s = llabs(wall_us / SECOND_US - now.wall_us / SECOND_US);

	split_time(now.wall_us, utc, &today);
	if (then->tm_year == today.tm_year && then->tm_yday == today.tm_yday)
		return SAME_DAY;
	if (apart_s < 6 * DAY_S)
		return SAME_WEEK;
	return then->tm_year == today.tm_year ? SAME_YEAR : FAR;
}

/* A letter is a part of the time, everything else is itself. */
static void write_part(const struct tm *t, int64_t wall_us, char letter, char out[16])
{
	switch (letter) {
	case 'h': snprintf(out, 16, "%02d", t->tm_hour); break;
	case 'm': snprintf(out, 16, "%02d", t->tm_min); break;
	case 's': snprintf(out, 16, "%02d", t->tm_sec); break;
	case 'u': snprintf(out, 16, "%03d", (int)(wall_us % SECOND_US / 1000)); break;
	case 'W': snprintf(out, 16, "%s", days[t->tm_wday]); break;
	case 'd': snprintf(out, 16, "%d", t->tm_mday); break;
	case 'D': snprintf(out, 16, "%02d", t->tm_mday); break;
	case 'B': snprintf(out, 16, "%s", months[t->tm_mon]); break;
	case 'M': snprintf(out, 16, "%02d", t->tm_mon + 1); break;
	case 'H': snprintf(out, 16, "h"); break;	/* "22h" */
	case 'y': snprintf(out, 16, "%04d", t->tm_year + 1900); break;
	default: snprintf(out, 16, "%c", letter); break;
	}
}

/* form: by enum distance. */
static void write_instant(int64_t wall_us, struct moment now, bool utc,
			  const char *const form[FAR + 1], char out[WHEN_SIZE])
{
	struct tm t;
	char part[16];
	size_t len = 0;

	if (wall_us == 0) {
		snprintf(out, WHEN_SIZE, "-");
		return;
	}
	split_time(wall_us, utc, &t);
	out[0] = '\0';
	for (const char *p = form[judge_distance(wall_us, now, &t, utc)]; *p != '\0'; p++) {
		write_part(&t, wall_us, *p, part);
		len += (size_t)snprintf(out + len, WHEN_SIZE - len, "%s", part);
		if (len >= WHEN_SIZE)
			return;
	}
}

void when_instant(int64_t wall_us, struct moment now, bool utc, char out[WHEN_SIZE])
{
	static const char *const form[] = { "h:m:s", "W d h:m", "d B h:m", "y-M-D" };

	write_instant(wall_us, now, utc, form, out);
}

void when_short(int64_t wall_us, struct moment now, bool utc, char out[WHEN_SIZE])
{
	static const char *const form[] = { "h:m:s", "W hH", "d B", "B y" };

	write_instant(wall_us, now, utc, form, out);
}

void when_minute(int64_t wall_us, struct moment now, bool utc, char out[WHEN_SIZE])
{
	static const char *const form[] = { "h:m", "W", "dB", "y" };

	write_instant(wall_us, now, utc, form, out);
}

void when_fine(int64_t wall_us, struct moment now, bool utc, char out[WHEN_SIZE])
{
	static const char *const form[] = { "h:m:s.u", "W h:m:s", "d B h:m", "y-M-D" };

	write_instant(wall_us, now, utc, form, out);
}

void when_clock(struct moment now, bool utc, char out[WHEN_SIZE])
{
	struct tm t;

	split_time(now.wall_us, utc, &t);
	if (utc) {
		snprintf(out, WHEN_SIZE, "%02d:%02d:%02d UTC", t.tm_hour, t.tm_min, t.tm_sec);
		return;
	}
	long minutes = labs(t.tm_gmtoff) / 60;
	snprintf(out, WHEN_SIZE, "%02d:%02d:%02d %.8s %c%02ld:%02ld", t.tm_hour, t.tm_min,
		 t.tm_sec, t.tm_zone != NULL ? t.tm_zone : "", t.tm_gmtoff < 0 ? '-' : '+',
		 minutes / 60, minutes % 60);
}

void when_span(int64_t us, char out[WHEN_SIZE])
{
	long long s = us / SECOND_US;

	if (us < 0)
		snprintf(out, WHEN_SIZE, "-");
	else if (us < SECOND_US / 10)
		snprintf(out, WHEN_SIZE, "%dms", (int)(us / 1000));
	else if (us < SECOND_US)
		snprintf(out, WHEN_SIZE, "0.%ds", (int)(us / (SECOND_US / 10)));
	else if (s < 60)
		snprintf(out, WHEN_SIZE, "%llds", s);
	else if (s < 3600)
		snprintf(out, WHEN_SIZE, "%lldm%02llds", s / 60, s % 60);
	else if (s < DAY_S)
		snprintf(out, WHEN_SIZE, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else if (s < 100LL * DAY_S)
		snprintf(out, WHEN_SIZE, "%lldd %lldh", s / DAY_S, s / 3600 % 24);
	else
		snprintf(out, WHEN_SIZE, "%lldd", s / DAY_S < 999999 ? s / DAY_S : 999999);
}
