/*
 * screen.c - see screen.h.
 *
 * Keys come from ncurses a byte or a known key at a time and are put together in press.c; signals
 * are rescue.c's, and what they ask for is done here by obey_signals().
 */
#define NCURSES_WIDECHAR 1

#include "client/monitor/screen.h"

#include "client/monitor/press.h"
#include "client/monitor/rescue.h"
#include "proto/names.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum {
	ESCAPE_MS = 25,
	PASTE_QUIET_MS = 1000,		/* a paste whose end never comes is over then */
	COPY_MAX = 65536,
};

/* There is one terminal. */
static struct {
	SCREEN *screen;			/* NULL = closed */
	WINDOW *input;			/* a pad: reading from it draws nothing */
	cchar_t *line;			/* CANVAS_COLS_MAX */
	struct termios before;
	struct screen_options options;
	struct press press;
	enum palette palette;
	bool color, utf8, xterm;	/* what the terminal can */
	bool cleaned_up;		/* atexit() knows */
	int64_t pasted_ms;
	int click_row, click_col;
} term;

/* ---- what is sent beside ncurses ---- */

static void send_bytes(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);
		struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
		if (n < 0 && errno == EAGAIN)
			poll(&p, 1, 100);
		else if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
}

static void send_text(const char *text)
{
	send_bytes(text, strlen(text));
}

static void set_paste_marks(bool on)
{
	if (term.xterm)
		send_text(on ? "\033[?2004h" : "\033[?2004l");
}

/* tigetstr() says -1 for what is no string. */
static const char *terminal_string(const char *name)
{
	const char *text = tigetstr(name);

	return text != (const char *)-1 ? text : NULL;
}

static void prepare_rescue(void)
{
	const char *leave = terminal_string("rmcup"), *go = terminal_string("cup");
	int rows = tigetnum("lines");

	rescue_clear();
	rescue_add(terminal_string("sgr0"));
	rescue_add(terminal_string("op"));
	if (term.xterm)
		rescue_add("\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?2004l");
	rescue_add(terminal_string("rmkx"));
	rescue_add(terminal_string("cnorm"));
	rescue_add(leave != NULL ? leave : tiparm(go, rows > 0 ? rows - 1 : 23, 0));
	rescue_add("\r\n");
}

/* ---- what the terminal can ---- */

/* Those that draw frames in UTF-8 and know the sequences of xterm. Others are taken for plain. */
static bool is_like_xterm(const char *name)
{
	static const char *const families[] = {
		"xterm", "screen", "tmux", "rxvt", "konsole", "gnome", "vte", "alacritty", "foot",
		"kitty", "st-", "wezterm", "mlterm", "iterm", "contour", "ghostty",
	};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (strncmp(name, families[i], strlen(families[i])) == 0)
			return true;
	}
	return false;
}

static bool has_glyphs(const char *name)
{
	const char *glyphs = CANVAS_GLYPHS;
	uint32_t code;

	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		return false;
	if (!is_like_xterm(name) && strncmp(name, "linux", 5) != 0)
		return false;
	for (size_t n; *glyphs != '\0'; glyphs += n) {
		n = utf8_decode(glyphs, strlen(glyphs), &code);
		if (n == 0 || wcwidth((wchar_t)code) != 1)
			return false;
	}
	return true;
}

static int refuse_terminal(struct trouble *t, const char *name)
{
	trouble_set(t, EXIT_USAGE, "this terminal cannot show the monitor");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		trouble_why(t, "standard %s is not a terminal",
			    isatty(STDIN_FILENO) ? "output" : "input");
	else if (name[0] == '\0')
		trouble_why(t, "TERM is not set");
	else
		trouble_why(t, "TERM=%s is not known here, or its cursor cannot be moved", name);
	trouble_hint(t, "chime status, chime ls, chime events -f\n"
		     "or, if it is like most of them: TERM=xterm-256color chime monitor");
	return EXIT_USAGE;
}

static void find_size(int *rows, int *cols)
{
	struct winsize size = { 0 };
	const char *high = getenv("LINES"), *wide = getenv("COLUMNS");

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		size = (struct winsize){ 0 };
	/* A serial line has none. */
	*rows = size.ws_row > 0 ? size.ws_row : high != NULL ? atoi(high) : 0;
	*cols = size.ws_col > 0 ? size.ws_col : wide != NULL ? atoi(wide) : 0;
	*rows = *rows <= 0 ? 24 : *rows > CANVAS_ROWS_MAX ? CANVAS_ROWS_MAX : *rows;
	*cols = *cols <= 0 ? 80 : *cols > CANVAS_COLS_MAX ? CANVAS_COLS_MAX : *cols;
}

static void apply_size(void)
{
	int rows, cols;

	find_size(&rows, &cols);
	if (rows != getmaxy(stdscr) || cols != getmaxx(stdscr))
		resize_term(rows, cols);
	clearok(curscr, TRUE);
}

/* ---- opening ---- */

static void set_modes(void)
{
	struct termios modes;

	cbreak();
	noecho();
	nonl();
	keypad(term.input, TRUE);
	intrflush(term.input, FALSE);
	set_escdelay(ESCAPE_MS);
	/* Ctrl-C is a key, Ctrl-S must not freeze the picture; Ctrl-Z stays what it is. */
	if (tcgetattr(STDIN_FILENO, &modes) == 0) {
		modes.c_cc[VINTR] = modes.c_cc[VQUIT] = _POSIX_VDISABLE;
		modes.c_iflag &= ~(tcflag_t)(IXON | ISTRIP);
		modes.c_lflag &= ~(tcflag_t)IEXTEN;
		tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
	}
	def_prog_mode();
}

static void prepare_colors(void)
{
	short back = -1;

	term.color = term.options.color && has_colors();
	if (!term.color)
		return;
	start_color();
	term.color = COLORS >= 8 && COLOR_PAIRS > LOOK_ON_RED + 1;
	if (use_default_colors() != OK)
		back = COLOR_BLACK;
	for (short color = LOOK_RED; color <= LOOK_CYAN; color++)
		init_pair(color, color, back);
	init_pair(LOOK_ON_RED, COLOR_WHITE, COLOR_RED);
}

static int read_terminal(void *arg, int wait_ms);

static void set_variable(const char *name, const char *value)
{
	if (value != NULL)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

/* ncurses finds the size for itself, by other rules and without limits, but for what the
 * environment says. That is given back: children inherit it. */
static SCREEN *make_screen(void)
{
	const char *high = getenv("LINES"), *wide = getenv("COLUMNS");
	char *high_before = high != NULL ? say_strdup(high) : NULL;
	char *wide_before = wide != NULL ? say_strdup(wide) : NULL;
	char number[16];
	int rows, cols;

	find_size(&rows, &cols);
	snprintf(number, sizeof(number), "%d", rows);
	set_variable("LINES", number);
	snprintf(number, sizeof(number), "%d", cols);
	set_variable("COLUMNS", number);
	SCREEN *screen = newterm(NULL, stdout, stdin);
	set_variable("LINES", high_before);
	set_variable("COLUMNS", wide_before);
	free(high_before);
	free(wide_before);
	return screen;
}

static int fail_opening(struct trouble *t, const char *name)
{
	rescue_give_back();
	tcsetattr(STDIN_FILENO, TCSANOW, &term.before);
	return refuse_terminal(t, name);
}

int screen_open(const struct screen_options *options, struct trouble *t)
{
	const char *name = getenv("TERM");
	int found = 0;

	if (name == NULL)
		name = "";
	setlocale(LC_CTYPE, "");
	if (tcgetattr(STDIN_FILENO, &term.before) != 0 || !isatty(STDOUT_FILENO) ||
	    name[0] == '\0' || setupterm(NULL, STDOUT_FILENO, &found) != OK)
		return refuse_terminal(t, name);
	if (terminal_string("cup") == NULL)
		return refuse_terminal(t, name);

	term.options = *options;
	term.xterm = is_like_xterm(name);
	term.utf8 = has_glyphs(name);
	prepare_rescue();
	del_curterm(cur_term);		/* newterm makes its own */
	if (rescue_take(&term.before) != 0)
		return refuse_terminal(t, name);
	rescue_set_active(true);
	term.screen = make_screen();
	if (term.screen == NULL)
		return fail_opening(t, name);
	term.input = newpad(1, 1);
	term.line = say_calloc(CANVAS_COLS_MAX, sizeof(*term.line));
	press_init(&term.press, read_terminal, NULL, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
	if (!term.cleaned_up)
		atexit(screen_close);
	term.cleaned_up = true;
	set_modes();
	prepare_colors();
	apply_size();
	set_paste_marks(true);
	screen_set_palette(PALETTE_DEFAULT);
	screen_set_mouse(options->mouse);
	return 0;
}

void screen_close(void)
{
	if (term.screen == NULL)
		return;
	screen_suspend();
	/* What was typed for the monitor is not for the shell behind it. */
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &term.before);
	rescue_give_back();
	delwin(term.input);
	delscreen(term.screen);
	free(term.line);
	term.screen = NULL;
	term.input = NULL;
	term.line = NULL;
}

/* ---- giving the terminal away ---- */

void screen_suspend(void)
{
	if (!rescue_active())
		return;
	set_paste_marks(false);
	endwin();
	tcsetattr(STDIN_FILENO, TCSADRAIN, &term.before);
	rescue_set_active(false);
}

void screen_resume(void)
{
	if (term.screen == NULL || rescue_active())
		return;
	rescue_set_active(true);
	reset_prog_mode();
	rescue_notes.resized = 1;
	rescue_notes.continued = 0;
	clearok(curscr, TRUE);
	refresh();
	set_paste_marks(true);
}

static void obey_signals(void)
{
	rescue_drain();
	if (!rescue_active())
		return;
	if (rescue_notes.stopped) {
		rescue_notes.stopped = 0;
		screen_suspend();	/* SIGTSTP is now what it was before us */
		raise(SIGTSTP);
		screen_resume();
	}
	if (rescue_notes.continued) {	/* a shell may have had the terminal meanwhile */
		rescue_notes.continued = 0;
		reset_prog_mode();
		set_paste_marks(true);
		clearok(curscr, TRUE);
		rescue_notes.resized = 1;
	}
}

/* ---- drawing ---- */

static attr_t look_attributes(struct look look)
{
	return (look.flags & LOOK_BOLD ? A_BOLD : 0) | (look.flags & LOOK_DIM ? A_DIM : 0) |
	       (look.flags & LOOK_UNDERLINE ? A_UNDERLINE : 0) |
	       (look.flags & LOOK_REVERSE ? A_REVERSE : 0);
}

static void set_cell(cchar_t *to, const struct cell *cell)
{
	wchar_t text[CELL_BYTES + 1];
	size_t used = 0, len = strlen(cell->text);
	uint32_t code;
	struct look look = cell->style == STYLE_HEADER && term.options.header_red
		? palette_warning(term.palette) : palette_look(term.palette, cell);

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(cell->text + i, len - i, &code);
		if (n == 0)
			break;
		text[used++] = (wchar_t)code;
	}
	text[used] = L'\0';
	short pair = term.color && look.color != LOOK_DEFAULT ? look.color : 0;
	if (setcchar(to, text, look_attributes(look), pair, NULL) != OK)
		setcchar(to, L"?", look_attributes(look), pair, NULL);
}

static void draw_row(const struct canvas *c, int row, int cols)
{
	int count = 0;

	for (int col = 0; col < cols; col++) {
		const struct cell *cell = &c->cells[(size_t)row * (size_t)c->cols + (size_t)col];
		if (cell->text[0] != '\0')
			set_cell(&term.line[count++], cell);
	}
	mvadd_wchnstr(row, 0, term.line, count);
}

/* Without a place of its own the cursor goes to the selected row: readers for the blind follow it,
 * and not every terminal can hide it. */
static void place_cursor(const struct canvas *c)
{
	int row = c->cursor_row, col = c->cursor_col;
	size_t count = (size_t)c->rows * (size_t)c->cols;

	curs_set(row >= 0 && col >= 0 ? 1 : 0);
	if (row >= 0 && col >= 0) {
		move(row < LINES ? row : LINES - 1, col < COLS ? col : COLS - 1);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (c->cells[i].selected) {
			row = (int)(i / (size_t)c->cols);
			break;
		}
	}
	move(row >= 0 && row < LINES ? row : LINES - 1, 0);
}

void screen_draw(const struct canvas *c)
{
	if (!rescue_active())
		return;
	int rows = c->rows < LINES ? c->rows : LINES, cols = c->cols < COLS ? c->cols : COLS;

	erase();
	for (int row = 0; row < rows; row++)
		draw_row(c, row, cols);
	place_cursor(c);
	refresh();
}

void screen_redraw(void)
{
	if (term.screen != NULL)
		clearok(curscr, TRUE);
}

void screen_size(int *rows, int *cols)
{
	*rows = term.screen != NULL ? getmaxy(stdscr) : 24;
	*cols = term.screen != NULL ? getmaxx(stdscr) : 80;
}

bool screen_resized(void)
{
	obey_signals();
	if (!rescue_notes.resized || !rescue_active())
		return false;
	rescue_notes.resized = 0;
	apply_size();
	return true;
}

int screen_ended(void)
{
	return rescue_notes.ended;
}

int screen_wake_fd(void)
{
	return rescue_fd();
}

bool screen_utf8(void)
{
	return term.utf8 && !term.options.ascii;
}

void screen_set_ascii(bool ascii)
{
	term.options.ascii = ascii;
}

void screen_set_palette(enum palette palette)
{
	term.palette = term.color ? palette : PALETTE_MONO;
}

enum palette screen_palette(void)
{
	return term.palette;
}

void screen_bell(void)
{
	if (rescue_active())
		beep();
}

/* ---- keys ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int read_mouse(void)
{
	MEVENT event;

	if (getmouse(&event) != OK || event.y < 0 || event.x < 0)
		return PRESS_OTHER;
	if (event.bstate & BUTTON4_PRESSED)
		return PRESS_WHEEL_UP;
	if (event.bstate & BUTTON5_PRESSED)
		return PRESS_WHEEL_DOWN;
	if (!(event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED |
			      BUTTON1_DOUBLE_CLICKED)))
		return PRESS_OTHER;
	term.click_row = event.y;
	term.click_col = event.x;
	return PRESS_CLICK;
}

static int find_key(int code)
{
	static const struct { int code, key; } table[] = {
		{ KEY_UP, PRESS_UP }, { KEY_DOWN, PRESS_DOWN }, { KEY_LEFT, PRESS_LEFT },
		{ KEY_RIGHT, PRESS_RIGHT }, { KEY_PPAGE, PRESS_PAGE_UP },
		{ KEY_NPAGE, PRESS_PAGE_DOWN }, { KEY_HOME, PRESS_HOME }, { KEY_END, PRESS_END },
		{ KEY_A1, PRESS_HOME }, { KEY_C1, PRESS_END }, { KEY_FIND, PRESS_HOME },
		{ KEY_SELECT, PRESS_END }, { KEY_DC, PRESS_DELETE }, { KEY_BTAB, PRESS_SHIFT_TAB },
		{ KEY_BACKSPACE, PRESS_BACKSPACE }, { KEY_ENTER, PRESS_ENTER },
	};

	if (code == KEY_MOUSE)
		return read_mouse();
	if (code >= KEY_F(1) && code <= KEY_F(10))
		return PRESS_F1 + code - KEY_F(1);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].code == code)
			return table[i].key;
	}
	return PRESS_OTHER;
}

static int read_terminal(void *arg, int wait_ms)
{
	(void)arg;
	wtimeout(term.input, wait_ms);
	int code = wgetch(term.input);
	if (code == ERR)
		return PRESS_NO_CODE;
	return code < KEY_MIN ? code & 0xff : find_key(code);
}

/* The other end of the terminal may go without a signal: nohup, a debugger. */
static void note_hangup(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 &&
	    !rescue_notes.ended)
		rescue_notes.ended = SIGHUP;
}

int screen_key(void)
{
	obey_signals();
	if (!rescue_active())
		return KEY_NONE;
	bool pasting = term.press.pasting;
	int key = press_next(&term.press);
	if (key != KEY_NONE || pasting != term.press.pasting) {
		term.pasted_ms = now_ms();
		return key;
	}
	if (term.press.pasting && now_ms() - term.pasted_ms > PASTE_QUIET_MS)
		term.press.pasting = false;
	note_hangup();
	return KEY_NONE;
}

void screen_set_typing(bool on)
{
	term.press.typing = on;
}

void screen_click(int *row, int *col)
{
	*row = term.click_row;
	*col = term.click_col;
}

void screen_set_mouse(bool on)
{
	/* Press and release that come at once are a click. */
	const mmask_t mask = BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED |
		BUTTON4_PRESSED | BUTTON5_PRESSED;

	if (term.screen == NULL)
		return;
	mousemask(on ? mask : 0, NULL);
	keyok(KEY_MOUSE, on);		/* otherwise its report is a sequence nobody knows */
	mouseinterval(0);
}

/* ---- the clipboard ---- */

static size_t encode_base64(const unsigned char *in, size_t len, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t used = 0;

	for (size_t i = 0; i < len; i += 3) {
		unsigned group = (unsigned)in[i] << 16;
		group |= i + 1 < len ? (unsigned)in[i + 1] << 8 : 0;
		group |= i + 2 < len ? in[i + 2] : 0;
		out[used++] = digits[group >> 18];
		out[used++] = digits[group >> 12 & 63];
		out[used++] = i + 1 < len ? digits[group >> 6 & 63] : '=';
		out[used++] = i + 2 < len ? digits[group & 63] : '=';
	}
	return used;
}

void screen_copy(const char *text)
{
	size_t len = strlen(text);
	bool wrapped = getenv("STY") != NULL;	/* GNU screen hands on what is in a DCS */

	if (!rescue_active() || !term.xterm || len > COPY_MAX)
		return;
	char *code = say_calloc(len / 3 + 1, 4);
	size_t used = encode_base64((const unsigned char *)text, len, code);
	send_text(wrapped ? "\033P\033]52;c;" : "\033]52;c;");
	send_bytes(code, used);
	send_text(wrapped ? "\a\033\\" : "\a");
	free(code);
}
