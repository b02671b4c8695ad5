/*
 * edit.c - see edit.h.
 */
#include "client/monitor/edit.h"

#include "client/monitor/screen.h"
#include "proto/names.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void edit_begin(struct edit *edit, const char *text, size_t limit)
{
	assert(limit < EDIT_SIZE);
	*edit = (struct edit){ .limit = limit };
	for (size_t at = 0; text[at] != '\0'; ) {
		uint32_t code;
		size_t n = utf8_decode(text + at, strlen(text + at), &code);
		if (n == 0 || edit->len + n > limit)
			break;
		if (code >= 32 && (code < 127 || code > 159)) {
			memcpy(edit->text + edit->len, text + at, n);
			edit->len += n;
		}
		at += n;
	}
	edit->at = edit->len;
}

static bool is_middle(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

static size_t find_before(const struct edit *edit, size_t at)
{
	while (at > 0 && is_middle(edit->text[--at]))
		;
	return at;
}

static size_t find_after(const struct edit *edit, size_t at)
{
	if (at < edit->len)
		at++;
	while (at < edit->len && is_middle(edit->text[at]))
		at++;
	return at;
}

static size_t find_word_before(const struct edit *edit, size_t at)
{
	while (at > 0 && edit->text[at - 1] == ' ')
		at--;
	while (at > 0 && edit->text[at - 1] != ' ')
		at--;
	return at;
}

static void cut_text(struct edit *edit, size_t from, size_t to)
{
	memmove(edit->text + from, edit->text + to, edit->len - to + 1);
	edit->len -= to - from;
	edit->at = from;
}

static size_t encode_utf8(uint32_t code, char out[4])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(lead[n] | code);
	return n;
}

static bool is_text(int key)
{
	return key >= 32 && key < 0x110000 && (key < 127 || key > 159) &&
	       (key < 0xd800 || key > 0xdfff);
}

static void insert_character(struct edit *edit, int key)
{
	char bytes[4];
	size_t n = encode_utf8((uint32_t)key, bytes);

	if (edit->len + n > edit->limit)
		return;
	memmove(edit->text + edit->at + n, edit->text + edit->at, edit->len - edit->at + 1);
	memcpy(edit->text + edit->at, bytes, n);
	edit->len += n;
	edit->at += n;
}

bool edit_key(struct edit *edit, int key)
{
	switch (key) {
	case PRESS_BACKSPACE: cut_text(edit, find_before(edit, edit->at), edit->at); return true;
	case PRESS_DELETE:
		cut_text(edit, edit->at, find_after(edit, edit->at));
		return true;
	case PRESS_LEFT: edit->at = find_before(edit, edit->at); return true;
	case PRESS_RIGHT: edit->at = find_after(edit, edit->at); return true;
	case PRESS_HOME: edit->at = 0; return true;
	case PRESS_END: edit->at = edit->len; return true;
	case PRESS_CTRL_U: cut_text(edit, 0, edit->at); return true;
	case PRESS_CTRL_W: cut_text(edit, find_word_before(edit, edit->at), edit->at); return true;
	}
	if (!is_text(key))
		return false;
	insert_character(edit, key);
	return true;
}

static int width_between(const struct edit *edit, const struct canvas *c, size_t from, size_t to)
{
	char part[EDIT_SIZE];

	memcpy(part, edit->text + from, to - from);
	part[to - from] = '\0';
	return canvas_width(c, part);
}

void edit_draw(const struct edit *edit, struct canvas *c, int row, int col, int width,
	       const char *prompt)
{
	size_t from = 0;
	int before = canvas_width(c, prompt);

	/* On a narrow line the text matters more than what asks for it, and the end of that, which
	 * says what to type, more than its beginning. */
	if (before > width / 2 && before + width_between(edit, c, 0, edit->len) >= width)
		before = width / 2;
	canvas_fill(c, row, col, 1, width, STYLE_INPUT);
	canvas_put_right(c, row, col + before, before, STYLE_TITLE, prompt);
	int room = width - before;
	while (from < edit->at && width_between(edit, c, from, edit->at) >= room)
		from = find_after(edit, from);
	canvas_put(c, row, col + before, room, STYLE_INPUT, edit->text + from);
	c->cursor_row = row;
	c->cursor_col = col + before + width_between(edit, c, from, edit->at);
	if (c->cursor_col >= c->cols)
		c->cursor_col = c->cols - 1;
}
