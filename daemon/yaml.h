/*
 * yaml.h - YAML as chime reads it: a tree of texts, lists and mappings with their places.
 *
 * The one place with libyaml. Job files, chimed.yaml and chime.yaml are all read through it.
 *
 * Invariants
 * 1. A scalar is text: no type is guessed (no Norway, no sexagesimal, no octal, no null).
 * 2. Anchors, aliases, tags, keys that are not text, duplicate keys, NUL bytes, nesting deeper than
 *    YAML_DEPTH_MAX and texts larger than YAML_SIZE_MAX are errors with their place.
 * 3. A node on which an error was reported is `bad`; whoever reads it says nothing more about it.
 */
#ifndef CHIME_DAEMON_YAML_H
#define CHIME_DAEMON_YAML_H

#include "daemon/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	YAML_SIZE_MAX = 256 * 1024,
	YAML_DEPTH_MAX = 16,
	YAML_ITEMS_MAX = 1000,		/* of one list or mapping */
};

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	bool bad;
	uint32_t line, column, width;	/* from 1; of its first line */
	uint32_t text_column;		/* YAML_TEXT: where character 0 of the text stands when the
					 * text is written as it is on that line, else 0 */
	char *text;			/* YAML_TEXT, else NULL */
	char *key;			/* in a mapping: its name, else NULL */
	uint32_t key_line, key_column, key_width;
	struct yaml_node *child;	/* YAML_LIST, YAML_MAP: in file order */
	struct yaml_node *next;		/* the next one beside it */
	size_t count;			/* of children */
};

struct yaml_file {
	char *name;			/* for messages */
	char *text;			/* the file itself */
	size_t len;
	struct yaml_node *documents;	/* linked by next; empty documents are left out */
};

/* Reads a whole text. After a syntax error the documents before it are there. To be freed with
 * yaml_file_fini in any case. */
void yaml_parse(const char *text, size_t len, const char *name, struct yaml_file *file,
		struct diags *diags);
void yaml_file_fini(struct yaml_file *file);

/* The child with this key, or NULL. */
struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);

/* Where a node, its key, or `width` characters from character `offset` of its text stand; the
 * result borrows from file. */
struct diag_place yaml_place(const struct yaml_file *file, const struct yaml_node *node);
struct diag_place yaml_place_key(const struct yaml_file *file, const struct yaml_node *node);
struct diag_place yaml_place_part(const struct yaml_file *file, const struct yaml_node *node,
				  uint32_t offset, uint32_t width);

/* Writes text as a double-quoted scalar that reads back to the same bytes; the text is UTF-8
 * without NUL. */
void yaml_write_quoted(const char *text, FILE *out);

#endif
