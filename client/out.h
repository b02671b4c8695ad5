/*
 * out.h - how answers look: tables, times, colours.
 *
 * Invariants
 * 1. Only what was asked for goes to stdout; no byte 0x1b unless colours are on for it.
 * 2. Texts of others are cleaned of control characters before they are printed.
 * 3. On a terminal tables shrink to its width (names in their middle, then notes at their end);
 *    elsewhere nothing is cut.
 */
#ifndef CHIME_CLIENT_OUT_H
#define CHIME_CLIENT_OUT_H

#include "client/opt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum out_format { OUT_TABLE, OUT_WIDE, OUT_NAME, OUT_JSON, OUT_TSV };

struct out {
	enum out_format format;
	bool header;
	bool tty, tty_err;		/* stdout, stderr are terminals */
	bool tty_in;
	bool color, color_err;
	bool ascii;
	int width;			/* columns of the terminal; 0 = do not cut */
	int64_t now_us;			/* read once, so that all times of an answer agree */
};

enum { OUT_TIME_SIZE = 96, OUT_CELL_SIZE = 512 };

/* From options, environment and terminals. Sets TZ for --utc, --tz, CHIME_TZ. 0 or EXIT_USAGE. */
int out_init(struct out *out, const struct args *args, struct trouble *t);

/* An instant for people. Terminal: 22:14:05 today, "Thu 19 22:14" this year, else the date.
 * Elsewhere ISO with offset. 0 gives "-". */
void out_time(const struct out *out, int64_t wall_us, char buf[OUT_TIME_SIZE]);

/* "4m02s", "2d 23h", "10.2s"; with tsv seconds. Negative gives "-". */
void out_span(const struct out *out, int64_t us, char buf[OUT_TIME_SIZE]);
/* The same for people, whatever the format. */
void out_span_text(int64_t us, char buf[OUT_TIME_SIZE]);

/* Microseconds between two instants of a server, who may tell anything; 0 when absurd. */
int64_t out_between(int64_t from_us, int64_t to_us);

/* "22:14:05 CET +01:00": the footer that says the zone once. */
void out_now(const struct out *out, char buf[OUT_TIME_SIZE]);

/* The SGR sequence of a state ("FAILED", "ok", "NO"), "" without colours; and what ends it. */
const char *out_state_color(const struct out *out, const char *state);
const char *out_color_end(const struct out *out);

enum column_flags {
	COLUMN_RIGHT = 1,		/* numbers */
	COLUMN_SHRINK = 2,		/* may lose its middle */
	COLUMN_CUT = 4,			/* may lose its end */
	COLUMN_STATE = 8,		/* gets the colour of the state in it */
	COLUMN_WIDE = 16,		/* only with -o wide, tsv */
};

struct column {
	const char *name;
	unsigned flags;
};

struct table;

/* The columns must live as long as the table. */
struct table *table_new(const struct out *out, const struct column *columns, size_t count);

/* Adds a cell to the current row; a row is full after `count` cells. NULL = "-". Texts are copied
 * and cleaned. */
void table_add(struct table *table, const char *text);
void table_add_format(struct table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints it and frees it. */
void table_print(struct table *table, FILE *to);

/* A line of foreign text, cleaned, without newline. */
void out_text(FILE *to, const char *text);

/* Flushes stdout; ends the program when nobody reads it any more (`| head`). */
void out_flush(void);

/* Display width of UTF-8 text. */
size_t out_width(const char *text);

#endif
