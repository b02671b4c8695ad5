/*
 * press.c - see press.h.
 */
#include "client/monitor/press.h"

#include "client/monitor/screen.h"
#include "proto/names.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	WAIT_MS = 25,			/* within a sequence */
	SEQUENCE_MAX = 4096,
	PASTE_PIECE = 4096,
	PARAMETERS_SIZE = 32,
	CODE_ESCAPE = 0x1b,
	CODE_STRING_END = 0x9c,
	/* Beyond all of enum key: seen by press_next alone. */
	PASTE_BEGIN = 0x300000,
	PASTE_END,
};

void press_init(struct press *press, int (*read)(void *arg, int wait_ms), void *arg, bool utf8)
{
	*press = (struct press){ .read = read, .arg = arg, .utf8 = utf8, .pending = PRESS_NO_CODE };
}

static int read_code(struct press *press, int wait_ms)
{
	int code = press->pending;

	press->pending = PRESS_NO_CODE;
	return code != PRESS_NO_CODE ? code : press->read(press->arg, wait_ms);
}

/* What ends a sequence before its time begins something new. */
static int give_back(struct press *press, int code)
{
	press->pending = code;
	return PRESS_OTHER;
}

/* ---- sequences ---- */

static int number_key(long number)
{
	static const struct { int number, key; } table[] = {
		{ 1, PRESS_HOME }, { 3, PRESS_DELETE }, { 4, PRESS_END }, { 5, PRESS_PAGE_UP },
		{ 6, PRESS_PAGE_DOWN }, { 7, PRESS_HOME }, { 8, PRESS_END }, { 11, PRESS_F1 },
		{ 12, PRESS_F2 }, { 13, PRESS_F3 }, { 14, PRESS_F4 }, { 15, PRESS_F5 },
		{ 17, PRESS_F6 }, { 18, PRESS_F7 }, { 19, PRESS_F8 }, { 20, PRESS_F9 },
		{ 21, PRESS_F10 }, { 200, PASTE_BEGIN }, { 201, PASTE_END },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].number == number)
			return table[i].key;
	}
	return PRESS_OTHER;
}

static int letter_key(int letter)
{
	static const struct { char letter; int key; } table[] = {
		{ 'A', PRESS_UP }, { 'B', PRESS_DOWN }, { 'C', PRESS_RIGHT }, { 'D', PRESS_LEFT },
		{ 'H', PRESS_HOME }, { 'F', PRESS_END }, { 'P', PRESS_F1 }, { 'Q', PRESS_F2 },
		{ 'R', PRESS_F3 }, { 'S', PRESS_F4 }, { 'M', PRESS_ENTER },
		{ 'Z', PRESS_SHIFT_TAB },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].letter == letter)
			return table[i].key;
	}
	return PRESS_OTHER;
}

static bool is_number(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

static int final_key(struct press *press, const char *parameters, int final)
{
	if (final == '~')
		return is_number(parameters) ? number_key(strtol(parameters, NULL, 10))
					     : PRESS_OTHER;
	if (parameters[0] != '\0')
		return PRESS_OTHER;
	switch (final) {
	case 'M':			/* an old mouse: button, column, row */
		for (int i = 0; i < 3; i++)
			read_code(press, WAIT_MS);
		return PRESS_OTHER;
	case '[':			/* F1 to F5 of the Linux console: ESC [ [ A */
		read_code(press, WAIT_MS);
		return PRESS_OTHER;
	case 'A': case 'B': case 'C': case 'D': case 'H': case 'F': case 'Z':
		return letter_key(final);
	default:
		return PRESS_OTHER;
	}
}

static int read_control(struct press *press)
{
	char parameters[PARAMETERS_SIZE];
	size_t used = 0;

	for (int i = 0; i < SEQUENCE_MAX; i++) {
		int code = read_code(press, WAIT_MS);
		if (code == PRESS_NO_CODE)
			return PRESS_OTHER;
		if (code < 0x20 || code >= 0x7f)
			return give_back(press, code);
		if (code >= 0x40) {
			parameters[used] = '\0';
			return final_key(press, parameters, code);
		}
		/* A longer one is none that is known; its last place keeps it so. */
		parameters[used] = (char)code;
		if (used < sizeof(parameters) - 2)
			used++;
	}
	return PRESS_OTHER;
}

static int read_shifted(struct press *press)
{
	int code = read_code(press, WAIT_MS);

	if (code == PRESS_NO_CODE)
		return PRESS_OTHER;
	return code < 0x20 || code >= 0x7f ? give_back(press, code) : letter_key(code);
}

/* To its terminator, BEL or ST; or to where the bytes stop. */
static int read_string(struct press *press)
{
	for (int i = 0; i < SEQUENCE_MAX; i++) {
		int code = read_code(press, WAIT_MS);
		if (code == PRESS_NO_CODE || code == '\a' || code == CODE_STRING_END)
			return PRESS_OTHER;
		if (code == PRESS_CTRL_C)
			return give_back(press, code);
		if (code == CODE_ESCAPE) {
			code = read_code(press, WAIT_MS);
			return code == '\\' || code == PRESS_NO_CODE ? PRESS_OTHER
								     : give_back(press, code);
		}
	}
	return PRESS_OTHER;
}

static int read_character(struct press *press, int first)
{
	size_t want = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
	char bytes[4] = { (char)first };
	uint32_t code;

	if (!press->utf8 || want == 0 || first > 0xf4)
		return PRESS_OTHER;
	for (size_t i = 1; i < want; i++) {
		int next = read_code(press, WAIT_MS);
		if (next == PRESS_NO_CODE)
			return PRESS_OTHER;
		if (next < 0x80 || next > 0xbf)
			return give_back(press, next);
		bytes[i] = (char)next;
	}
	return utf8_decode(bytes, want, &code) == want && code >= 0xa0 ? (int)code : PRESS_OTHER;
}

static int read_escape(struct press *press)
{
	int code = read_code(press, 0);

	switch (code) {
	case PRESS_NO_CODE:
		return PRESS_ESCAPE;
	case CODE_ESCAPE:
	case PRESS_CTRL_C:
		give_back(press, code);
		return PRESS_ESCAPE;
	case '[':
		return read_control(press);
	case 'O':
		return read_shifted(press);
	case ']': case 'P': case 'X': case '^': case '_':
		return read_string(press);
	default:
		if (code >= 0x80 && code < 0x100)
			read_character(press, code);
		return PRESS_OTHER;
	}
}

/* ---- keys ---- */

static int control_key(int code)
{
	switch (code) {
	case '\b':
	case 0x7f:
		return PRESS_BACKSPACE;
	case '\n':
	case '\r':
		return PRESS_ENTER;
	case PRESS_TAB: case PRESS_CTRL_C: case PRESS_CTRL_L: case PRESS_CTRL_U:
	case PRESS_CTRL_W:
		return code;
	default:
		return PRESS_OTHER;
	}
}

static int read_key(struct press *press)
{
	int code = read_code(press, 0);

	if (code == PRESS_NO_CODE)
		return KEY_NONE;
	if (code > 0xff)
		return code;
	if (code == CODE_ESCAPE)
		return read_escape(press);
	if (code < 0x20 || code == 0x7f)
		return control_key(code);
	if (code < 0x7f)
		return code;
	if (code == 0x9b)
		return read_control(press);
	if (code == 0x8f)
		return read_shifted(press);
	return read_character(press, code);
}

static bool is_character(int key)
{
	return key >= 0x20 && key < PRESS_BACKSPACE && (key < 0x7f || key >= 0xa0);
}

int press_next(struct press *press)
{
	for (int i = 0; i < PASTE_PIECE; i++) {
		int key = read_key(press);
		if (key == PASTE_BEGIN || key == PASTE_END) {
			press->pasting = key == PASTE_BEGIN;
			continue;
		}
		if (key == KEY_NONE || !press->pasting || (press->typing && is_character(key)))
			return key;
	}
	return PRESS_OTHER;
}
