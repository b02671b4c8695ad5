#include "daemon/yaml.h"

#include "proto/names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { WIDTH_TO_END = 10000 };	/* diags_print cuts at the end of the line */

struct reader {
	yaml_parser_t parser;
	struct yaml_file *file;
	struct diags *diags;
	bool failed;		/* no more events can be had */
};

static char *copy_text(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	assert(copy);
	memcpy(copy, text, len);
	copy[len] = 0;
	return copy;
}

static uint32_t count_chars(const char *text, size_t len)
{
	uint32_t chars = 0;

	for (size_t i = 0; i < len; i++)
		chars += ((unsigned char)text[i] & 0xc0) != 0x80;
	return chars;
}

/* Bytes of the line break at s: YAML 1.1 has LF, CR, CR LF, NEL, LS and PS. */
static size_t measure_break(const char *s, size_t left)
{
	if (*s == '\r')
		return left > 1 && s[1] == '\n' ? 2 : 1;
	if (*s == '\n')
		return 1;
	if (left > 1 && !memcmp(s, "\xc2\x85", 2))
		return 2;
	if (left > 2 && (!memcmp(s, "\xe2\x80\xa8", 3) || !memcmp(s, "\xe2\x80\xa9", 3)))
		return 3;
	return 0;
}

static struct diag_place find_place(const struct yaml_file *file, uint32_t line, uint32_t column,
				    uint32_t width)
{
	struct diag_place place = { file->name, line, column, width, NULL, 0 };
	const char *end = file->text + file->len, *p = file->text;
	size_t n;

	for (uint32_t at = 1; at < line && p < end; p += n ? n : 1) {
		n = measure_break(p, (size_t)(end - p));
		at += n != 0;
	}
	if (!line)
		return place;
	place.source = p;
	while (p < end && !measure_break(p, (size_t)(end - p)))
		p++;
	place.source_len = (size_t)(p - place.source);
	return place;
}

struct diag_place yaml_place(const struct yaml_file *file, const struct yaml_node *node)
{
	return find_place(file, node->line, node->column, node->width);
}

struct diag_place yaml_place_key(const struct yaml_file *file, const struct yaml_node *node)
{
	if (!node->key)
		return yaml_place(file, node);
	return find_place(file, node->key_line, node->key_column, node->key_width);
}

struct diag_place yaml_place_part(const struct yaml_file *file, const struct yaml_node *node,
				  uint32_t offset, uint32_t width)
{
	if (!node->text_column)
		return yaml_place(file, node);
	return find_place(file, node->line, node->text_column + offset, width);
}

static struct diag_place place_of_mark(const struct reader *reader, const yaml_mark_t *mark)
{
	return find_place(reader->file, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1, 1);
}

/* Where a byte of the file stands, for errors of the encoding. */
static struct diag_place place_of_offset(const struct reader *reader, size_t offset)
{
	const char *text = reader->file->text, *line_start = text;
	uint32_t line = 1;

	if (offset > reader->file->len)
		offset = reader->file->len;
	for (size_t i = 0, n; i < offset; i += n ? n : 1) {
		n = measure_break(text + i, reader->file->len - i);
		if (n) {
			line++;
			line_start = text + i + n;
		}
	}
	if (line_start > text + offset)
		line_start = text + offset;
	return find_place(reader->file, line,
			  count_chars(line_start, (size_t)(text + offset - line_start)) + 1, 1);
}

/* The rest of the line from the place on, quoted, as something to paste. */
static const char *hint_quoted(const struct diag_place *place, char *out, size_t size)
{
	const char *from = place->source, *end = place->source + place->source_len;
	uint32_t code;

	for (uint32_t i = 1; i < place->column && from < end; i++) {
		size_t n = utf8_decode(from, (size_t)(end - from), &code);

		from += n ? n : 1;
	}
	for (const char *p = from; p + 1 < end; p++)
		if (*p == ' ' && p[1] == '#')
			end = p;
	while (end > from && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (end == from || end - from > 60 || memchr(from, '"', (size_t)(end - from)) ||
	    memchr(from, '\\', (size_t)(end - from)))
		snprintf(out, size, "quote it");
	else
		snprintf(out, size, "quote it: \"%.*s\"", (int)(end - from), from);
	return out;
}

/* libyaml says what its scanner missed; people need to hear what to write instead. */
static const struct {
	const char *problem, *text, *hint;
} translations[] = {
	{ "mapping values are not allowed in this context", "a ':' that can't stand here",
	  "quote a value that has ': ' in it, or check the indent" },
	{ "could not find expected ':'", "this is not 'key: value'",
	  "check the indent of this line and the ones before" },
	{ "did not find expected key", "this does not belong to the lines above",
	  "check the indent, and quote values with special characters" },
	{ "did not find expected <document start>",
	  "there is something before or after the document",
	  "documents are parted by a line '---'" },
	{ "did not find expected ',' or ']'", "a list in [ ] lacks ',' or ']'", NULL },
	{ "did not find expected ',' or '}'", "a mapping in { } lacks ',' or '}'", NULL },
	{ "found unexpected end of stream", "a quote is not closed", NULL },
	{ "found character that cannot start any token", NULL, NULL },
};

static void report_scanner(const struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "not YAML", *hint = NULL;
	struct diag_place place = place_of_mark(reader, &parser->problem_mark);
	char quoted[96];

	if (parser->context && !strcmp(parser->context, "while scanning an alias")) {
		place = place_of_mark(reader, &parser->context_mark);
		diag_error(reader->diags, &place, hint_quoted(&place, quoted, sizeof(quoted)),
			   "a value that begins with '*' must be quoted");
		return;
	}
	for (size_t i = 0; i < sizeof(translations) / sizeof(*translations); i++) {
		if (strcmp(problem, translations[i].problem) != 0)
			continue;
		if (!translations[i].text) {
			diag_error(reader->diags, &place,
				   hint_quoted(&place, quoted, sizeof(quoted)),
				   "a value can't begin with this character");
			return;
		}
		problem = translations[i].text;
		hint = translations[i].hint;
		break;
	}
	diag_error(reader->diags, &place, hint, "%s", problem);
}

static void report_failure(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;

	reader->failed = true;
	assert(parser->error != YAML_MEMORY_ERROR);
	if (parser->error == YAML_READER_ERROR) {
		struct diag_place place = place_of_offset(reader, parser->problem_offset);

		diag_error(reader->diags, &place, NULL, "%s",
			   parser->problem && !strcmp(parser->problem,
						      "control characters are not allowed") ?
			   "a control character" : "not UTF-8");
		return;
	}
	report_scanner(reader);
}

static bool next_event(struct reader *reader, yaml_event_t *event)
{
	/* A file that is nothing but errors is not worth the time to place them all. */
	if (reader->diags->count > DIAGS_MAX)
		reader->failed = true;
	if (reader->failed)
		return false;
	if (yaml_parser_parse(&reader->parser, event))
		return true;
	report_failure(reader);
	return false;
}

static void free_nodes(struct yaml_node *node)
{
	while (node) {
		struct yaml_node *next = node->next;

		free_nodes(node->child);
		free(node->text);
		free(node->key);
		free(node);
		node = next;
	}
}

static struct yaml_node *new_node(enum yaml_kind kind, const yaml_event_t *event)
{
	struct yaml_node *node = calloc(1, sizeof(*node));

	assert(node);
	node->kind = kind;
	node->line = (uint32_t)event->start_mark.line + 1;
	node->column = (uint32_t)event->start_mark.column + 1;
	node->width = 1;
	return node;
}

static void set_width(struct yaml_node *node, const yaml_mark_t *end)
{
	if (end->line + 1 != node->line)
		node->width = WIDTH_TO_END;
	else if (end->column + 1 > node->column)
		node->width = (uint32_t)end->column + 1 - node->column;
}

static void report_node(struct reader *reader, struct yaml_node *node, const char *hint,
			const char *text)
{
	struct diag_place place = yaml_place(reader->file, node);

	node->bad = true;
	diag_error(reader->diags, &place, hint, "%s", text);
}

static void refuse_extras(struct reader *reader, struct yaml_node *node, const yaml_char_t *anchor,
			  const yaml_char_t *tag)
{
	if (anchor)
		report_node(reader, node, "write the value out, or quote it",
			    "anchors are not allowed");
	if (tag)
		report_node(reader, node, "quote a value that begins with '!'",
			    "tags are not allowed");
}

static struct yaml_node *read_text(struct reader *reader, const yaml_event_t *event)
{
	struct yaml_node *node = new_node(YAML_TEXT, event);
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	size_t quotes = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 2;

	node->text = copy_text(value, len);
	set_width(node, &event->end_mark);
	if (event->start_mark.line == event->end_mark.line &&
	    event->end_mark.index - event->start_mark.index == count_chars(value, len) + quotes)
		node->text_column = node->column + (quotes ? 1 : 0);
	refuse_extras(reader, node, event->data.scalar.anchor, event->data.scalar.tag);
	if (memchr(value, 0, len))
		report_node(reader, node, NULL, "a NUL byte is not allowed");
	return node;
}

static struct yaml_node *read_alias(struct reader *reader, const yaml_event_t *event)
{
	struct yaml_node *node = new_node(YAML_TEXT, event);
	struct diag_place place;
	char hint[96];

	node->text = copy_text("", 0);
	node->bad = true;
	place = yaml_place(reader->file, node);
	diag_error(reader->diags, &place, hint_quoted(&place, hint, sizeof(hint)),
		   "aliases are not allowed; a value that begins with '*' must be quoted");
	return node;
}

static struct yaml_node *read_node(struct reader *reader, yaml_event_t *event, unsigned depth);

/* True when the event ends the collection; otherwise *child is its next node, or NULL when there
 * is no more to read at all. */
static bool read_child(struct reader *reader, struct yaml_node *parent, unsigned depth,
		       struct yaml_node **child)
{
	yaml_event_t event;
	bool end;

	*child = NULL;
	if (!next_event(reader, &event))
		return true;
	end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
	if (end) {
		if (parent->width == WIDTH_TO_END)
			set_width(parent, &event.end_mark);
		yaml_event_delete(&event);
		return true;
	}
	*child = read_node(reader, &event, depth);
	return !*child;
}

static bool may_add(struct reader *reader, struct yaml_node *parent)
{
	if (parent->count < YAML_ITEMS_MAX)
		return true;
	if (!parent->bad)
		report_node(reader, parent, NULL, "more than 1000 entries");
	return false;
}

static void append(struct yaml_node *parent, struct yaml_node ***tail, struct yaml_node *child)
{
	**tail = child;
	*tail = &child->next;
	parent->count++;
}

static void read_list(struct reader *reader, struct yaml_node *list, unsigned depth)
{
	struct yaml_node **tail = &list->child, *child;

	while (!read_child(reader, list, depth, &child)) {
		if (may_add(reader, list))
			append(list, &tail, child);
		else
			free_nodes(child);
	}
}

/* Moves the key's text into its value; the value is dropped when the key can't be used. */
static bool take_key(struct reader *reader, struct yaml_node *map, struct yaml_node *key,
		     struct yaml_node *value)
{
	const struct yaml_node *first;
	struct diag_place place;

	if (key->kind != YAML_TEXT) {
		report_node(reader, key, NULL, "a key must be text");
		return false;
	}
	if (key->bad)
		return false;
	value->key = key->text;
	key->text = NULL;
	value->key_line = key->line;
	value->key_column = key->column;
	value->key_width = key->width;
	if (!may_add(reader, map))
		return false;
	first = yaml_find(map, value->key);
	if (!first)
		return true;
	place = yaml_place_key(reader->file, value);
	diag_error(reader->diags, &place, NULL, "key '%s' is given twice, first in line %u",
		   value->key, first->key_line);
	return false;
}

static void read_map(struct reader *reader, struct yaml_node *map, unsigned depth)
{
	struct yaml_node **tail = &map->child, *key, *value;

	while (!read_child(reader, map, depth, &key)) {
		if (read_child(reader, map, depth, &value)) {
			/* The parser gives keys in pairs only, so this is the end of all. */
			free_nodes(key);
			break;
		}
		if (take_key(reader, map, key, value))
			append(map, &tail, value);
		else
			free_nodes(value);
		free_nodes(key);
	}
}

/* Consumes the event. NULL when there is no more to read. */
static struct yaml_node *read_node(struct reader *reader, yaml_event_t *event, unsigned depth)
{
	struct yaml_node *node = NULL;
	bool flow = false;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node = read_text(reader, event);
		break;
	case YAML_ALIAS_EVENT:
		node = read_alias(reader, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		node = new_node(YAML_LIST, event);
		flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
		refuse_extras(reader, node, event->data.sequence_start.anchor,
			      event->data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		node = new_node(YAML_MAP, event);
		flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
		refuse_extras(reader, node, event->data.mapping_start.anchor,
			      event->data.mapping_start.tag);
		break;
	default:
		assert(!"an event that starts no node");
	}
	yaml_event_delete(event);
	if (node->kind == YAML_TEXT)
		return node;
	if (depth >= YAML_DEPTH_MAX) {
		report_node(reader, node, NULL, "nested deeper than 16");
		reader->failed = true;
		return node;
	}
	/* Only a collection in brackets has an end worth underlining. */
	if (flow)
		node->width = WIDTH_TO_END;
	if (node->kind == YAML_LIST)
		read_list(reader, node, depth + 1);
	else
		read_map(reader, node, depth + 1);
	return node;
}

static void report_tags(struct reader *reader, const yaml_event_t *event)
{
	struct diag_place place = place_of_mark(reader, &event->start_mark);

	if (event->data.document_start.tag_directives.start !=
	    event->data.document_start.tag_directives.end)
		diag_error(reader->diags, &place, NULL, "tags are not allowed");
}

/* What stands between two '---' with nothing, or only comments, in between. */
static bool is_empty(const yaml_event_t *event)
{
	return event->type == YAML_SCALAR_EVENT && !event->data.scalar.length &&
	       event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       !event->data.scalar.anchor && !event->data.scalar.tag;
}

static void read_documents(struct reader *reader)
{
	struct yaml_node **tail = &reader->file->documents, *node;
	yaml_event_t event;
	yaml_event_type_t type;
	bool empty;

	while (next_event(reader, &event)) {
		type = event.type;
		if (type == YAML_DOCUMENT_START_EVENT)
			report_tags(reader, &event);
		if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT ||
		    type == YAML_DOCUMENT_END_EVENT || type == YAML_STREAM_END_EVENT) {
			yaml_event_delete(&event);
			if (type == YAML_STREAM_END_EVENT)
				return;
			continue;
		}
		empty = is_empty(&event);
		node = read_node(reader, &event, 0);
		/* A document that was not read to its end would only bring follow-up errors. */
		if (reader->failed || empty) {
			free_nodes(node);
			continue;
		}
		*tail = node;
		tail = &node->next;
	}
}

void yaml_parse(const char *text, size_t len, const char *name, struct yaml_file *file,
		struct diags *diags)
{
	struct reader reader = { .file = file, .diags = diags };
	struct diag_place whole = { .file = name };

	*file = (struct yaml_file){ .name = copy_text(name, strlen(name)) };
	if (len > YAML_SIZE_MAX) {
		diag_error(diags, &whole, NULL, "larger than 256 KiB");
		return;
	}
	/* Editors of other systems put a byte order mark first; YAML allows it there. */
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		text += 3;
		len -= 3;
	}
	file->text = copy_text(text, len);
	file->len = len;
	if (!yaml_parser_initialize(&reader.parser))
		assert(!"out of memory");
	/* Never guessed: a first byte must not turn the rest into UTF-16. */
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)file->text, len);
	read_documents(&reader);
	yaml_parser_delete(&reader.parser);
}

void yaml_file_fini(struct yaml_file *file)
{
	free_nodes(file->documents);
	free(file->text);
	free(file->name);
	*file = (struct yaml_file){ 0 };
}

struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
	for (struct yaml_node *node = map->child; node; node = node->next)
		if (node->key && !strcmp(node->key, key))
			return node;
	return NULL;
}

/* What libyaml takes as it is inside double quotes: no breaks, no marks of the encoding. */
static bool is_literal(uint32_t code)
{
	return (code >= 0x20 && code < 0x7f && code != '"' && code != '\\') ||
	       (code > 0xa0 && code < 0xd800 && code != 0x2028 && code != 0x2029) ||
	       (code >= 0xe000 && code <= 0xfffd && code != 0xfeff) || code >= 0x10000;
}

void yaml_write_quoted(const char *text, FILE *out)
{
	size_t len = strlen(text), n;
	uint32_t code;

	fputc('"', out);
	for (size_t i = 0; i < len; i += n) {
		n = utf8_decode(text + i, len - i, &code);
		assert(n);
		if (is_literal(code))
			fwrite(text + i, 1, n, out);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (int)code);
		else if (code == '\n')
			fputs("\\n", out);
		else if (code == '\t')
			fputs("\\t", out);
		else if (code < 0x100)
			fprintf(out, "\\x%02x", code);
		else
			fprintf(out, "\\u%04x", code);
	}
	fputc('"', out);
}
