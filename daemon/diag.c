#include "daemon/diag.h"

#include "proto/names.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE_MAX = 160 };	/* bytes of a source line that are shown */

/* A copy that is safe on a terminal; NULL stays NULL. With `lines`, line feeds are kept. */
static char *copy_clean(const char *text, size_t len, bool lines)
{
	char *copy;
	size_t used = 0;

	if (!text)
		return NULL;
	copy = malloc(len + 1);
	assert(copy);
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t code = 0;

		n = utf8_decode(text + i, len - i, &code);
		if (n &&
		    (code >= 0xa0 || (code >= 0x20 && code < 0x7f) || (lines && code == '\n'))) {
			memcpy(copy + used, text + i, n);
			used += n;
			continue;
		}
		copy[used++] = code == '\t' ? ' ' : '?';
		n = n ? n : 1;
	}
	copy[used] = 0;
	return copy;
}

static struct diag *grow(struct diags *diags)
{
	diags->list = realloc(diags->list, (diags->count + 1) * sizeof(*diags->list));
	assert(diags->list);
	return &diags->list[diags->count++];
}

static void add(struct diags *diags, const struct diag_place *place, bool warning,
		const char *hint, const char *format, va_list args)
{
	char *text;
	int len;

	diags->errors += !warning;
	if (diags->count > DIAGS_MAX)
		return;
	if (diags->count == DIAGS_MAX) {
		static const char enough[] = "too many messages; the rest is not shown";

		*grow(diags) = (struct diag){
			.file = copy_clean(place->file, strlen(place->file), false),
			.warning = true,
			.text = copy_clean(enough, strlen(enough), false),
			.width = 1,
		};
		return;
	}
	len = vasprintf(&text, format, args);
	assert(len >= 0);
	*grow(diags) = (struct diag){
		.file = copy_clean(place->file, strlen(place->file), false),
		.line = place->line,
		.column = place->column,
		.width = place->width ? place->width : 1,
		.warning = warning,
		.text = copy_clean(text, (size_t)len, false),
		.hint = hint ? copy_clean(hint, strlen(hint), true) : NULL,
		.source = copy_clean(place->source, place->source_len, false),
	};
	free(text);
}

void diag_error(struct diags *diags, const struct diag_place *place, const char *hint,
		const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(diags, place, false, hint, format, args);
	va_end(args);
}

void diag_warning(struct diags *diags, const struct diag_place *place, const char *hint,
		  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(diags, place, true, hint, format, args);
	va_end(args);
}

const char *diag_nearest(char *out, size_t size, const char *word, const char *const *words,
			 size_t count)
{
	const char *nearest = name_nearest(word, words, count);

	if (!nearest)
		return NULL;
	snprintf(out, size, "did you mean '%s'?", nearest);
	return out;
}

static int compare_diags(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	if (!order)
		order = x->line < y->line ? -1 : x->line > y->line;
	if (!order)
		order = x->column < y->column ? -1 : x->column > y->column;
	return order ? order : strcmp(x->text, y->text);
}

void diags_sort(struct diags *diags)
{
	/* The entry that says "too many" stays the last. */
	size_t count = diags->count < DIAGS_MAX ? diags->count : DIAGS_MAX;

	if (count)
		qsort(diags->list, count, sizeof(*diags->list), compare_diags);
}

void diags_fini(struct diags *diags)
{
	for (size_t i = 0; i < diags->count; i++) {
		free(diags->list[i].file);
		free(diags->list[i].text);
		free(diags->list[i].hint);
		free(diags->list[i].source);
	}
	free(diags->list);
	*diags = (struct diags){ 0 };
}

/* Bytes of the first `chars` characters of clean UTF-8, and how many there were. */
static size_t measure(const char *text, uint32_t chars, uint32_t *found)
{
	size_t len = strlen(text), used = 0, n;
	uint32_t code;

	for (*found = 0; *found < chars && used < len; (*found)++) {
		n = utf8_decode(text + used, len - used, &code);
		used += n ? n : 1;
	}
	return used;
}

static void print_source(const struct diag *diag, FILE *out)
{
	uint32_t chars, width = diag->width;
	size_t bytes = measure(diag->source, SOURCE_MAX, &chars);
	const char *more = diag->source[bytes] ? "..." : "";

	fprintf(out, "%5u | %.*s%s\n", diag->line, (int)bytes, diag->source, more);
	if (!diag->column || diag->column > chars + 1) {
		if (diag->hint)
			fprintf(out, "      | %s\n", diag->hint);
		return;
	}
	/* A token that ends on another line is underlined to the end of its first. */
	if (width > chars + 1 - diag->column)
		width = chars > diag->column - 1 ? chars + 1 - diag->column : 1;
	fprintf(out, "      | %*s", (int)diag->column - 1, "");
	for (uint32_t i = 0; i < width; i++)
		fputc('^', out);
	fprintf(out, "%s%s\n", diag->hint ? " " : "", diag->hint ? diag->hint : "");
}

void diags_print(const struct diags *diags, const char *prefix, FILE *out)
{
	for (size_t i = 0; i < diags->count; i++) {
		const struct diag *diag = &diags->list[i];

		fprintf(out, "%s%s:", prefix, diag->file);
		if (diag->line)
			fprintf(out, "%u:%u:", diag->line, diag->column ? diag->column : 1);
		fprintf(out, " %s: %s\n", diag->warning ? "warning" : "error", diag->text);
		if (diag->source)
			print_source(diag, out);
		else if (diag->hint)
			fprintf(out, "      %s\n", diag->hint);
	}
}
