/*
 * text.c - see text.h. Here: what is kept, and how it is cleaned; what of it is on the screen is in
 * text_show.c.
 *
 *	bytes -> take_byte: sequences, characters -> put_ascii, put_char -> lines
 */
#include "client/monitor/text.h"

#include "client/say.h"
#include "proto/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- keeping ---- */

void text_init(struct text *text)
{
	*text = (struct text){ 0 };
}

void text_fini(struct text *text)
{
	free(text->bytes);
	free(text->lines);
	*text = (struct text){ 0 };
}

void text_clear(struct text *text)
{
	text->len = text->line_count = 0;
	text->dropped = 0;
	text->begins_later = false;
	text->partial_len = 0;
	text->in_escape = text->line_open = false;
	text->cursor = text->open_cols = 0;
	text->top = (struct text_place){ 0 };
	text->unseen = 0;
	text->has_found = false;
}

uint64_t text_total(const struct text *text)
{
	return text->dropped + text->line_count;
}

/* Where a line is counted after `gone` lines went; `noted`: one for them was there already. */
static size_t move_line(size_t line, size_t gone, bool noted)
{
	size_t real = noted ? (line > 0 ? line - 1 : 0) : line;

	return real >= gone ? real - gone + 1 : 0;
}

static void drop_oldest(struct text *text)
{
	size_t low = 0, high = text->line_count > 0 ? text->line_count - 1 : 0;
	bool noted = text->dropped > 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (text->len - text->lines[middle] <= TEXT_BYTES / 4 * 3 &&
		    text->line_count - middle <= TEXT_LINES / 4 * 3)
			high = middle;
		else
			low = middle + 1;
	}
	size_t from = low < text->line_count ? text->lines[low] : 0;
	if (low == 0)
		return;
	memmove(text->bytes, text->bytes + from, text->len - from);
	text->len -= from;
	text->line_count -= low;
	for (size_t i = 0; i < text->line_count; i++)
		text->lines[i] = text->lines[i + low] - from;
	text->dropped += low;
	size_t top = move_line(text->top.line, low, noted);
	text->top = (struct text_place){ top, top > 0 ? text->top.row : 0 };
	text->found = move_line(text->found, low, noted);
}

static void append(struct text *text, const char *bytes, size_t len)
{
	while (text->len + len > text->room) {
		text->room = text->room > 0 ? 2 * text->room : 4096;
		text->bytes = say_realloc(text->bytes, text->room, 1);
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static void begin_line(struct text *text)
{
	if (text->line_open)
		return;
	if (text->line_count >= TEXT_LINES)
		drop_oldest(text);
	if (text->line_count == text->line_room) {
		text->line_room = text->line_room > 0 ? 2 * text->line_room : 64;
		text->lines = say_realloc(text->lines, text->line_room, sizeof(size_t));
	}
	text->lines[text->line_count++] = text->len;
	text->line_open = true;
	text->cursor = text->open_cols = 0;
	if (!text->follow)
		text->unseen++;
}

static void end_line(struct text *text)
{
	begin_line(text);
	append(text, "\n", 1);
	text->line_open = false;
}

/* The open line's bytes. */
static size_t line_len(const struct text *text)
{
	return text->line_open ? text->len - text->lines[text->line_count - 1] : 0;
}

/* A CR went back: what comes replaces what is there. */
static bool is_over(const struct text *text)
{
	return text->cursor < line_len(text);
}

/* Tabs are counted as on a terminal that shows all there is. */
static size_t columns(const char *bytes, size_t len)
{
	const struct canvas terminal = { .utf8 = true };

	return (size_t)canvas_char_width(&terminal, bytes, len);
}

/* The character of the open line at `at`, with those that combine with it. */
static size_t next_old(const struct text *text, size_t at, size_t *cols)
{
	const char *line = text->bytes + text->lines[text->line_count - 1];
	size_t all = line_len(text), from = at;
	uint32_t code;

	*cols = 0;
	while (at < all) {
		size_t n = utf8_decode(line + at, all - at < 4 ? all - at : 4, &code);
		n = n > 0 ? n : 1;
		size_t width = columns(line + at, n);
		if (at > from && width > 0)
			break;
		*cols += width;
		at += n;
	}
	return at - from;
}

/* Puts a character in the place of those in its columns; false = it was put nowhere, for the line
 * is full: another one is open. Half of a wide one becomes a blank. */
static bool replace_char(struct text *text, const char *bytes, size_t len)
{
	size_t cols = columns(bytes, len), gone = 0, gone_cols = 0, width;

	while (gone_cols < cols && text->cursor + gone < line_len(text)) {
		gone += next_old(text, text->cursor + gone, &width);
		gone_cols += width;
	}
	size_t blanks = gone_cols > cols ? gone_cols - cols : 0, put = len + blanks;
	if (put > gone && line_len(text) + put - gone > TEXT_LINE_MAX) {
		end_line(text);
		begin_line(text);
		return false;
	}
	size_t at = text->lines[text->line_count - 1] + text->cursor;
	size_t rest = text->len - at - gone;
	if (put > gone)
		append(text, "        ", put - gone);	/* room for it; put is 5 at most */
	memmove(text->bytes + at + put, text->bytes + at + gone, rest);
	memcpy(text->bytes + at, bytes, len);
	memset(text->bytes + at + len, ' ', blanks);
	text->len = at + put + rest;
	text->cursor += len;
	text->open_cols += cols;
	return true;
}

/* Bytes that the open line has room for, once there is room for `want` in all. */
static size_t make_room(struct text *text, size_t want)
{
	begin_line(text);
	if (text->len - text->lines[text->line_count - 1] + want > TEXT_LINE_MAX) {
		end_line(text);
		begin_line(text);
	}
	if (text->len + TEXT_LINE_MAX + 1 > TEXT_BYTES)
		drop_oldest(text);
	return TEXT_LINE_MAX - (text->len - text->lines[text->line_count - 1]);
}

static void put_ascii(struct text *text, const char *bytes, size_t len)
{
	while (len > 0) {
		if (is_over(text)) {
			bool put = replace_char(text, bytes, 1);
			bytes += put;
			len -= put;
			continue;
		}
		size_t space = make_room(text, 1), take = len < space ? len : space;
		append(text, bytes, take);
		text->cursor = line_len(text);
		text->open_cols += take;
		bytes += take;
		len -= take;
	}
}

/* ---- cleaning ---- */

static bool controls(uint32_t code)
{
	return (code >= 0x80 && code < 0xa0) || code == 0x61c || code == 0x200e ||
	       code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

static void put_questions(struct text *text, size_t count)
{
	while (count-- > 0)
		put_ascii(text, "?", 1);
}

/* The character in partial is whole. */
static void put_char(struct text *text)
{
	size_t len = text->partial_len;
	uint32_t code = 0;

	text->partial_len = 0;
	if (utf8_decode(text->partial, len, &code) != len)
		return put_questions(text, len);
	if (controls(code))
		return put_questions(text, 1);
	if (is_over(text) && replace_char(text, text->partial, len))
		return;
	make_room(text, len);
	append(text, text->partial, len);
	text->cursor = line_len(text);
	text->open_cols += columns(text->partial, len);
}

/* What is in partial is not what it looked like. */
static void give_up(struct text *text)
{
	size_t len = text->partial_len;

	text->partial_len = 0;
	if (!text->in_escape)
		return put_questions(text, len);
	text->in_escape = false;
	put_questions(text, 1);
	put_ascii(text, text->partial + 1, len - 1);
}

/* Erases to the end of the line (K, 0K), or all of it (2K), where the cursor stays. */
static void erase_line(struct text *text, const char *what, size_t len)
{
	size_t cols = text->open_cols;
	bool all = len == 1 && what[0] == '2';

	if (!text->line_open || (len > 0 && what[0] != '0' && !all))
		return;
	if (all)
		text->cursor = text->open_cols = 0;
	text->len = text->lines[text->line_count - 1] + text->cursor;
	while (all && cols-- > 0)
		put_ascii(text, " ", 1);
}

static void end_sequence(struct text *text, char final)
{
	size_t len = text->partial_len;

	text->partial_len = 0;
	text->in_escape = false;
	if (final == 'K')
		erase_line(text, text->partial + 2, len - 2);
}

static size_t char_size(unsigned char lead)
{
	return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}

/* True when the byte belonged to what is in partial. */
static bool go_on(struct text *text, char byte)
{
	unsigned char b = (unsigned char)byte;
	bool first = text->partial_len == 1;

	if (text->in_escape) {
		if (!first && (b == 'm' || b == 'K')) {
			end_sequence(text, byte);
			return true;
		}
		bool fits = first ? b == '[' : b >= 0x30 && b <= 0x3f &&
			    text->partial_len < TEXT_PARTIAL_SIZE;
		if (fits)
			text->partial[text->partial_len++] = byte;
		return fits;
	}
	if ((b & 0xc0) != 0x80)
		return false;
	text->partial[text->partial_len++] = byte;
	if (text->partial_len == char_size((unsigned char)text->partial[0]))
		put_char(text);
	return true;
}

/* Over what is there a tab only moves. */
static void put_tab(struct text *text)
{
	size_t cols = text->line_open ? text->open_cols : 0, n = 8 - cols % 8, width;

	while (n > 0 && is_over(text)) {
		text->cursor += next_old(text, text->cursor, &width);
		text->open_cols += width;
		n -= width < n ? width : n;
	}
	put_ascii(text, "        ", n);
}

static void take_byte(struct text *text, char byte)
{
	unsigned char b = (unsigned char)byte;

	if (text->partial_len > 0) {
		if (go_on(text, byte))
			return;
		give_up(text);
	}
	if (b == '\n') {
		end_line(text);
	} else if (b == '\r') {
		text->cursor = text->open_cols = 0;
	} else if (b == '\t') {
		put_tab(text);
	} else if (b == 0x1b || (b >= 0xc2 && b <= 0xf4)) {
		text->in_escape = b == 0x1b;
		text->partial[0] = byte;
		text->partial_len = 1;
	} else if (b >= 0x20 && b < 0x7f) {
		put_ascii(text, &byte, 1);
	} else {
		put_questions(text, 1);
	}
}

void text_add(struct text *text, const void *data, size_t len)
{
	const char *bytes = data;

	for (size_t i = 0; i < len;) {
		size_t run = i;
		while (text->partial_len == 0 && run < len && bytes[run] >= 0x20 &&
		       bytes[run] < 0x7f)
			run++;
		if (run > i)
			put_ascii(text, bytes + i, run - i);
		else
			take_byte(text, bytes[run++]);
		i = run;
	}
}

void text_end(struct text *text)
{
	if (text->partial_len > 0)
		give_up(text);
	if (text->line_open)
		end_line(text);
}

void text_print(struct text *text, const char *format, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	text_end(text);
	text_add(text, line, strlen(line));
	text_add(text, "\n", 1);
}
