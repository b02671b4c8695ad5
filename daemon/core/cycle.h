/*
 * cycle.h - cycle labels: the business period a run belongs to, as a text.
 *
 *     day    2026-11-20                     week   2026-W47 (ISO 8601)
 *     hour   2026-11-20T14+01:00            month  2026-11
 *     slot   2026-11-20T14:00:00+01:00      none   (the empty text)
 *
 * A label is a pure function of kind, zone and slot, so every server computes the same one without
 * asking. Hour and slot labels always carry their UTC offset (also +00:00), so they are instants.
 *
 * Invariants
 *  1. Hour labels are equal when they begin at the same instant, slot labels when they are the
 *     same instant, whatever offset they are written with; all others when the texts are.
 *  2. A month contains its days, a day its hours and slots, an hour its slots; nothing else
 *     contains anything. A day contains by the date written in the label, an hour by instants.
 *  3. Two labels are compatible when they are equal or one contains the other.
 */
#ifndef CHIME_DAEMON_CORE_CYCLE_H
#define CHIME_DAEMON_CORE_CYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/schedule.h"
#include "daemon/core/zone.h"

enum cycle_kind {
	CYCLE_DEFAULT,
	CYCLE_DAY,
	CYCLE_HOUR,
	CYCLE_WEEK,
	CYCLE_MONTH,
	CYCLE_SLOT,
	CYCLE_NONE,
};

enum { CYCLE_LABEL_MAX = 40 };         /* any label and its NUL */

/* "day" "hour" "week" "month" "slot" "none"; "" is CYCLE_DEFAULT. 0 or -EINVAL. */
int cycle_kind_parse(const char *text, enum cycle_kind *out);
const char *cycle_kind_name(enum cycle_kind kind);

/* What CYCLE_DEFAULT means for a schedule (day or slot); any other kind stays as it is. */
enum cycle_kind cycle_kind_resolve(enum cycle_kind kind, const struct schedule *s);

/*
 * The label of a slot, or of an instant when slot is NULL (utc_s is used only then). Day, week and
 * month of a slot with a nominal key go by its nominal date: a midnight run that summer time moved
 * to 01:00 keeps its day, and so does one that was shifted past midnight. CYCLE_DEFAULT = day.
 * Instants are taken into the years 1 to 9999.
 */
void cycle_label(enum cycle_kind kind, const struct zone *z, int64_t utc_s,
		 const struct slot *slot, char out[CYCLE_LABEL_MAX]);

/* The kind of a valid label (CYCLE_NONE for ""), or -EINVAL. */
int cycle_label_kind(const char *label);

/* 0 when an operator's text is a label, "" included; else -EINVAL. */
int cycle_parse_check(const char *label);

/* Invariants 1 to 3. Labels that are none are equal to the same text only and contain nothing. */
bool cycle_equal(const char *a, const char *b);
bool cycle_contains(const char *coarse, const char *fine);
bool cycle_compatible(const char *a, const char *b);

/*
 * A total order, oldest first: by where the label begins (a label without offset counts as UTC),
 * then the coarser kind; "" comes before all, texts that are no label come last. 0 when equal.
 */
int cycle_compare(const char *a, const char *b);

/*
 * The instant at which a label and n_more (0 to 10000) further cycles of its kind have ended, by
 * the clocks of a zone. 0; -EINVAL for no label; -ENOENT for slot labels and "", which don't end
 * by the calendar.
 */
int cycle_end_utc(const char *label, const struct zone *z, int n_more, int64_t *utc_s);

#endif
