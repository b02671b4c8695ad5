/*
 * names.h - text <-> value for everything people read or write: names, targets, globs,
 * durations, instants. Pure: no I/O, no clock, no locale.
 *
 * NAME   = parts [A-Za-z0-9_][A-Za-z0-9_.-]* joined by "/", <= 120 bytes, the last part never
 *          all digits, and none of: and or not any all of
 * SERVER = [a-z0-9][a-z0-9._-]{0,62}
 * TARGET = NAME[@SERVER] | RUN[@SERVER] | @SERVER, with wildcards * ? % in NAME and SERVER
 */
#ifndef CHIME_PROTO_NAMES_H
#define CHIME_PROTO_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NAME_JOB_MAX = 120,	/* bytes, without the NUL */
	NAME_SERVER_MAX = 63,
	NAME_REASON_MAX = 200,
	NAME_INSTANT_SIZE = 32,	/* "2026-11-20T21:14:05.120Z" and its NUL */
	NAME_DURATION_SIZE = 32,
	NAME_LABEL_SIZE = 40,	/* a cycle label or slot key and its NUL */
};

/* True when the name obeys the grammar above; otherwise *why (if not NULL) is a static text that
 * completes "NAME ...", e.g. "is longer than 120 bytes". */
bool name_job_valid(const char *name, const char **why);
bool name_server_valid(const char *name, const char **why);

/* The same with wildcards * ? % wherever a character may stand. */
bool name_server_pattern_valid(const char *pattern, const char **why);

/* Decodes one code point of at most `len` bytes: the bytes it takes (1-4), or 0 when they are not
 * well-formed UTF-8 (then *code is undefined) or len is 0. */
size_t utf8_decode(const char *text, size_t len, uint32_t *code);

/* A reason is 0-200 bytes of UTF-8 without control characters. */
bool name_reason_valid(const char *text, const char **why);

/* A target split in its parts; every part is a copy. */
struct target {
	char job[NAME_JOB_MAX + 1];		/* "" = any job */
	char server[NAME_SERVER_MAX + 1];	/* "" = not given */
	uint64_t run;				/* 0 = not a run number */
	bool glob;				/* job or server has a wildcard */
};

/* 0, or -EINVAL with *why set. '%' is taken as '*'. */
int target_parse(const char *text, struct target *target, const char **why);

/* Shell-like match: '*' stops at "/", "**" does not, '?' one character except "/". '%' = '*'. */
bool glob_match(const char *pattern, const char *text);
bool glob_has_wildcard(const char *pattern);

/* "90s", "5m", "1h30m", "2d", "500ms" -> microseconds > 0. 0, or -EINVAL (also on overflow and on
 * a number without a unit). */
int duration_parse(const char *text, int64_t *us);

/* The shortest form that duration_parse reads back: "1h30m". 0 is "0s". */
void duration_format(int64_t us, char out[NAME_DURATION_SIZE]);

/* "10MiB", "512KiB", "3GiB", "2TiB", "4096B" -> bytes. 0, or -EINVAL (also on overflow and on a
 * number without a unit). */
int size_parse(const char *text, uint64_t *bytes);

/* The largest unit that leaves no rest: what size_parse reads back. */
void size_format(uint64_t bytes, char out[NAME_DURATION_SIZE]);

/* UTC "YYYY-MM-DDTHH:MM:SS[.fff]Z"; the fraction only when it is not zero. */
void instant_format(int64_t wall_us, char out[NAME_INSTANT_SIZE]);

/* Reads what instant_format writes, also with an offset (+01:00) in place of Z. -EINVAL. */
int instant_parse(const char *text, int64_t *wall_us);

/* The nearest of `count` words within edit distance max(1, len/3), a swap of neighbours counting as
 * one, else NULL: for "did you mean". The first of equally near ones. */
const char *name_nearest(const char *word, const char *const *words, size_t count);

#endif
