/*
 * diag.h - what is wrong with a file, said like a compiler does: file:line:col: error: text, the
 * source line, a caret, a hint.
 *
 *   eod.yaml:14:1: error: unknown key 'afer' in job eod/report
 *      14 | afer: success(eod/load-positions@db1)
 *         | ^^^^ did you mean 'after'?
 *
 * Invariants
 * 1. Texts come from files anybody may have written: control characters and broken UTF-8 are
 *    replaced by '?' when they are added, so that printing can't reach a terminal's controls.
 * 2. After DIAGS_MAX entries one last says so and further ones are only counted.
 */
#ifndef CHIME_DAEMON_DIAG_H
#define CHIME_DAEMON_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { DIAGS_MAX = 500 };

struct diag {
	char *file;		/* as given, relative to the folder that was loaded */
	uint32_t line, column;	/* from 1; 0 = the file as a whole */
	bool warning;
	char *text;		/* "unknown key 'afer' in job eod/report" */
	char *hint;		/* "did you mean 'after'?" or NULL */
	char *source;		/* the line itself for the caret, or NULL */
	uint32_t width;		/* of the underlined token, >= 1 */
};

struct diags {
	struct diag *list;
	size_t count;
	size_t errors;		/* also those beyond DIAGS_MAX */
};

/* Where something stands. Columns and widths count characters, not bytes. */
struct diag_place {
	const char *file;
	uint32_t line, column, width;
	const char *source;	/* the line, not NUL-terminated; NULL = none */
	size_t source_len;
};

/* Adds one entry, copying everything; `hint` may be NULL. */
void diag_error(struct diags *diags, const struct diag_place *place, const char *hint,
		const char *format, ...) __attribute__((format(printf, 4, 5)));
void diag_warning(struct diags *diags, const struct diag_place *place, const char *hint,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A name for "did you mean": writes the hint into out when there is a near word, and returns out,
 * else NULL. */
const char *diag_nearest(char *out, size_t size, const char *word, const char *const *words,
			 size_t count);

/* By file, line, column, text. */
void diags_sort(struct diags *diags);

void diags_fini(struct diags *diags);

/* `prefix` is put before each file name ("" or "jobs.d/"). */
void diags_print(const struct diags *diags, const char *prefix, FILE *out);

#endif
