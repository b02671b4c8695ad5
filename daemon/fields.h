/*
 * fields.h - the text form of the files in a run directory (spool.h): fields "KEY:LENGTH:VALUE\n",
 * sealed by a last one, "crc:8:HEX", over all bytes before it.
 *
 * Readable with cat, written without escapes, and complete or nothing: a text that was cut, torn or
 * turned anywhere fails its check.
 */
#ifndef CHIME_DAEMON_FIELDS_H
#define CHIME_DAEMON_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

enum { FIELDS_VALUE_MAX = 1 << 20 };

enum field_kind {
	FIELD_TEXT, FIELD_I32, FIELD_U32, FIELD_I64, FIELD_U64, FIELD_HEX, FIELD_POINTER,
};

/* One member of a struct: how it is called in the file, where it lives, how it is written. */
struct field {
	const char *key;
	enum field_kind kind;
	size_t offset, size;
};

/* Rows of a table; it ends with one whose key is NULL. */
#define FIELD(structure, name, as) \
	{ .key = #name, .kind = as, .offset = offsetof(struct structure, name), \
	  .size = sizeof(((struct structure *)0)->name) }
#define FIELD_AS(structure, label, name, as) \
	{ .key = label, .kind = as, .offset = offsetof(struct structure, name), \
	  .size = sizeof(((struct structure *)0)->name) }

/* Text under construction; `full` is sticky, so that only the end must be checked. */
struct fields_text {
	char *data;
	size_t len, size;
	bool full;
};

void fields_put(struct fields_text *text, const char *key, const char *value, size_t len);

/* Every member the table names; a NULL pointer is left out. */
void fields_put_all(struct fields_text *text, const struct field *field, const void *base);

void fields_seal(struct fields_text *text);

/* The length of a sealed text without its seal, 0 = it is not whole, or its first key is not
 * `magic`. What follows the seal does not count. */
size_t fields_check(const char *text, size_t len, const char *magic);

/* Reads the fields of a checked text into `base`, cutting it up in place; FIELD_POINTER members
 * point into it. Keys without a row go to `each` (may be NULL). -EBADMSG: a value is not of its
 * kind. */
int fields_take(char *text, size_t len, const struct field *fields, void *base,
		void (*each)(void *base, const char *key, char *value));

#endif
