/*
 * screen_try.c - the monitor's screen without a monitor: shows every style, names each key on the
 * screen and in a file, and dies in the ways a program can.
 *
 *	screen_try KEYS-FILE [mono] [ascii] [mouse]
 *
 * Keys: q ends, Q exits from within, X writes to nowhere, R never returns (stack), T begins and
 * ends typing, P is the next palette, Y copies a text.
 */
#include "client/monitor/screen.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct try {
	struct canvas canvas;
	FILE *keys;
	char last[24];
	unsigned count;
	bool typing, done;
};

static const char *const names[] = {
	"backspace", "up", "down", "left", "right", "page-up", "page-down", "home", "end", "delete",
	"shift-tab", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "wheel-up",
	"wheel-down", "click", "other",
};

static void name_key(int key, char name[24])
{
	int row, col;

	screen_click(&row, &col);
	if (key == PRESS_CLICK)
		snprintf(name, 24, "click %d %d", row, col);
	else if (key >= PRESS_BACKSPACE)
		snprintf(name, 24, "%s", names[key - PRESS_BACKSPACE]);
	else if (key > 0x20 && key < 0x7f)
		snprintf(name, 24, "%c", key);
	else
		snprintf(name, 24, "U+%04X", (unsigned)key);
}

static void draw(struct try *t)
{
	struct canvas *c = &t->canvas;
	int row = 2;

	canvas_clear(c);
	canvas_put(c, 0, 0, -1, STYLE_HEADER, " screen_try");
	canvas_print(c, 0, 20, -1, STYLE_PLAIN, "%dx%d %s", c->rows, c->cols,
		     screen_utf8() ? "utf8" : "ascii");
	canvas_print(c, 1, 0, -1, STYLE_PLAIN, "key %u %s", t->count, t->last);
	for (int style = 0; style < STYLE_COUNT; style++, row++) {
		const char *word = style < JOBSTATE_COUNT ? jobstates[style].word : "style";
		int at = style < STYLE_COUNT / 2 ? 0 : 40;
		if (style == STYLE_COUNT / 2)
			row = 2;
		canvas_print(c, row, at, 11, (enum style)style, "%s %d", word, style);
		canvas_print(c, row, at + 12, 11, (enum style)style, "selected");
		canvas_select(c, row, at + 12, 11);
		canvas_print(c, row, at + 24, 11, (enum style)style, "stale");
		canvas_make_stale(c, row, at + 24, 11);
	}
	canvas_box(c, c->rows - 5, 4, 4, 40, "box  \x1b[31m");
	canvas_put(c, c->rows - 4, 6, 36, STYLE_PLAIN, "hostile \a\x1b[2J \xff \xc3\xa9 \xe6\xbc\xa2");
	canvas_put(c, c->rows - 3, 6, 36, STYLE_INPUT, t->typing ? "typing" : "commands");
	canvas_put(c, c->rows - 1, c->cols - 5, 3, STYLE_KEY, "end");
	screen_draw(c);
}

static volatile uintptr_t nowhere = 8;

#pragma GCC diagnostic ignored "-Winfinite-recursion"
__attribute__((noinline))
static int fall(volatile int *deep)
{
	volatile int here[1000];

	here[0] = *deep + 1;
	return fall(here) + here[0];
}

static void press(struct try *t, int key)
{
	int zero = 0;

	name_key(key, t->last);
	fprintf(t->keys, "%s\n", t->last);
	fflush(t->keys);
	t->count++;
	if (t->typing && key != 'T')
		return;
	switch (key) {
	case 'q': t->done = true; break;
	case 'Q': exit(3);
	case 'X': *(volatile int *)nowhere = 1; break;
	case 'R': fall(&zero); break;
	case 'T': screen_set_typing(t->typing = !t->typing); break;
	case 'P': screen_set_palette((screen_palette() + 1) % PALETTE_COUNT); break;
	case 'Y': screen_copy("eod/report@app1"); break;
	default: break;
	}
}

static void turn(struct try *t)
{
	struct pollfd p[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = screen_wake_fd(), .events = POLLIN },
	};
	int key, rows, cols;

	draw(t);
	poll(p, 2, -1);
	while (!t->done && (key = screen_key()) != KEY_NONE)
		press(t, key);
	if (screen_resized()) {
		screen_size(&rows, &cols);
		canvas_resize(&t->canvas, rows, cols);
	}
}

int main(int argc, char **argv)
{
	struct screen_options options = { .color = true };
	struct trouble trouble = { 0 };
	struct try t = { 0 };
	int rows, cols;

	for (int i = 2; i < argc; i++) {
		options.color = options.color && strcmp(argv[i], "mono") != 0;
		options.ascii = options.ascii || strcmp(argv[i], "ascii") == 0;
		options.mouse = options.mouse || strcmp(argv[i], "mouse") == 0;
	}
	if (argc < 2 || (t.keys = fopen(argv[1], "we")) == NULL)
		return 2;
	if (screen_open(&options, &trouble) != 0)
		return trouble_print(&trouble);
	screen_size(&rows, &cols);
	canvas_init(&t.canvas, rows, cols, screen_utf8());
	while (!t.done && screen_ended() == 0)
		turn(&t);
	screen_close();
	canvas_fini(&t.canvas);
	fclose(t.keys);
	return screen_ended() != 0 ? 128 + screen_ended() : 0;
}
