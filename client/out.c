/*
 * out.c - see out.h. The one file with libsmartcols.
 */
#include "client/out.h"

#include "proto/show.h"

#include <langinfo.h>
#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static bool env_set(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && value[0] != '\0';
}

/* The first that decides: option, NO_COLOR, CLICOLOR_FORCE, TERM, the stream. */
static bool decide_color(const char *when, bool terminal)
{
	const char *term = getenv("TERM");

	if (when != NULL && strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	if (env_set("NO_COLOR"))
		return false;
	if (env_set("CLICOLOR_FORCE"))
		return true;
	if (term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0)
		return false;
	return terminal;
}

static int terminal_width(void)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");
	int width = columns != NULL ? atoi(columns) : 0;

	if (width > 0)
		return width;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

static int read_format(struct out *out, const struct args *args, struct trouble *t)
{
	static const char *const names[] = { "table", "wide", "name", "json", "tsv" };
	const char *text = args->value[OPT_OUTPUT];

	if (text != NULL) {
		size_t i = 0;
		while (i < 5 && strcmp(text, names[i]) != 0)
			i++;
		if (i == 5) {
			trouble_set(t, EXIT_USAGE, "there is no output format '%s'", text);
			trouble_hint(t, "-o table, wide, name, json or tsv");
			return EXIT_USAGE;
		}
		out->format = (enum out_format)i;
	}
	if (args_given(args, OPT_JSON))
		out->format = OUT_JSON;
	return 0;
}

static int choose_zone(const struct args *args, struct trouble *t)
{
	const char *zone = args->value[OPT_TZ];

	if (zone == NULL && !args_given(args, OPT_UTC))
		zone = env_set("CHIME_TZ") ? getenv("CHIME_TZ") : NULL;
	if (args_given(args, OPT_UTC))
		zone = "UTC";
	if (zone == NULL)
		return 0;
	char *path = say_format("/usr/share/zoneinfo/%s", zone);
	bool known = strstr(zone, "..") == NULL && access(path, R_OK) == 0;
	free(path);
	if (!known && strcmp(zone, "UTC") != 0) {
		trouble_set(t, EXIT_USAGE, "there is no time zone '%s'", zone);
		trouble_hint(t, "--tz Europe/Berlin   (names are below /usr/share/zoneinfo)");
		return EXIT_USAGE;
	}
	setenv("TZ", zone, 1);
	tzset();
	return 0;
}

int out_init(struct out *out, const struct args *args, struct trouble *t)
{
	const char *when = args->value[OPT_COLOR];
	struct timespec now;

	*out = (struct out){ .header = !args_given(args, OPT_NO_HEADER) };
	setlocale(LC_CTYPE, "");
	out->tty = isatty(STDOUT_FILENO);
	out->tty_err = isatty(STDERR_FILENO);
	out->tty_in = isatty(STDIN_FILENO);
	if (when != NULL && strcmp(when, "auto") != 0 && strcmp(when, "always") != 0 &&
	    strcmp(when, "never") != 0) {
		trouble_set(t, EXIT_USAGE, "--color is auto, always or never, not '%s'", when);
		return EXIT_USAGE;
	}
	out->color = decide_color(when, out->tty);
	out->color_err = decide_color(when, out->tty_err);
	out->ascii = args_given(args, OPT_ASCII) || env_set("CHIME_ASCII") ||
		     strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	out->width = out->tty ? terminal_width() : 0;
	clock_gettime(CLOCK_REALTIME, &now);
	out->now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	int code = read_format(out, args, t);
	return code != 0 ? code : choose_zone(args, t);
}

/* "+01:00" of a broken-down time. */
static void format_offset(const struct tm *tm, char *buf, size_t size)
{
	long minutes = tm->tm_gmtoff / 60;
	long positive = minutes < 0 ? -minutes : minutes;
	snprintf(buf, size, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', positive / 60 % 100,
		 positive % 60);
}

static bool same_day(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_yday == b->tm_yday;
}

void out_time(const struct out *out, int64_t wall_us, char buf[OUT_TIME_SIZE])
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	time_t then = (time_t)(wall_us / 1000000), now = (time_t)(out->now_us / 1000000);
	struct tm tm, today;
	char offset[16];

	if (wall_us == 0 || localtime_r(&then, &tm) == NULL || localtime_r(&now, &today) == NULL) {
		snprintf(buf, OUT_TIME_SIZE, "-");
		return;
	}
	if (!out->tty || out->format == OUT_WIDE || out->format == OUT_TSV) {
		format_offset(&tm, offset, sizeof(offset));
		snprintf(buf, OUT_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d%s",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			 tm.tm_sec, offset);
	} else if (same_day(&tm, &today)) {
		snprintf(buf, OUT_TIME_SIZE, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
	} else if (then - now < 27 * 86400 && now - then < 27 * 86400) {
		snprintf(buf, OUT_TIME_SIZE, "%s %02d %02d:%02d", days[tm.tm_wday], tm.tm_mday,
			 tm.tm_hour, tm.tm_min);
	} else {
		snprintf(buf, OUT_TIME_SIZE, "%04d-%02d-%02d %02d:%02d", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min);
	}
}

void out_now(const struct out *out, char buf[OUT_TIME_SIZE])
{
	time_t now = (time_t)(out->now_us / 1000000);
	struct tm tm = { 0 };
	char offset[16];

	localtime_r(&now, &tm);
	format_offset(&tm, offset, sizeof(offset));
	snprintf(buf, OUT_TIME_SIZE, "%02d:%02d:%02d %s %s", tm.tm_hour, tm.tm_min, tm.tm_sec,
		 tm.tm_zone != NULL ? tm.tm_zone : "", offset);
}

int64_t out_between(int64_t from_us, int64_t to_us)
{
	int64_t span;

	return __builtin_sub_overflow(to_us, from_us, &span) ? 0 : span;
}

void out_span_text(int64_t us, char buf[OUT_TIME_SIZE])
{
	int64_t s = us / 1000000;

	if (us < 0)
		snprintf(buf, OUT_TIME_SIZE, "-");
	else if (us < 1000000)
		snprintf(buf, OUT_TIME_SIZE, "%dms", (int)(us / 1000));
	else if (us < 60 * 1000000LL)
		snprintf(buf, OUT_TIME_SIZE, "%.1fs", (double)us / 1e6);
	else if (s < 3600)
		snprintf(buf, OUT_TIME_SIZE, "%dm%02ds", (int)(s / 60), (int)(s % 60));
	else if (s < 2 * 86400)
		snprintf(buf, OUT_TIME_SIZE, "%dh%02dm", (int)(s / 3600), (int)(s / 60 % 60));
	else
		snprintf(buf, OUT_TIME_SIZE, "%lldd %02dh", (long long)(s / 86400),
			 (int)(s / 3600 % 24));
}

void out_span(const struct out *out, int64_t us, char buf[OUT_TIME_SIZE])
{
	if (us >= 0 && out->format == OUT_TSV)
		snprintf(buf, OUT_TIME_SIZE, "%.3f", (double)us / 1e6);
	else
		out_span_text(us, buf);
}

static const struct { const char *state, *sgr; } state_colors[] = {
	{ "FAILED", "\033[31m" }, { "KILLED", "\033[35m" }, { "TIMEOUT", "\033[35m" },
	{ "LOST", "\033[31m" }, { "UNKNOWN", "\033[33m" }, { "RUNNING", "\033[1;32m" },
	{ "STARTING", "\033[32m" }, { "RETRY", "\033[1;33m" }, { "QUEUED", "\033[36m" },
	{ "HELD", "\033[33m" }, { "ICED", "\033[2;36m" }, { "SUCCESS", "\033[2m" },
	{ "IDLE", "\033[2m" }, { "UNREACHABLE", "\033[31m" }, { "DOWN", "\033[33m" },
	{ "NO", "\033[31m" }, { "??", "\033[33m" }, { "refused", "\033[31m" },
	{ "MISSED", "\033[33m" }, { "EXPIRED", "\033[33m" },
};

static const char *find_color(const char *state)
{
	for (size_t i = 0; i < sizeof(state_colors) / sizeof(state_colors[0]); i++) {
		if (strcmp(state_colors[i].state, state) == 0)
			return state_colors[i].sgr;
	}
	return "";
}

const char *out_state_color(const struct out *out, const char *state)
{
	return out->color && state != NULL ? find_color(state) : "";
}

const char *out_color_end(const struct out *out)
{
	return out->color ? "\033[0m" : "";
}

void out_text(FILE *to, const char *text)
{
	char clean[4096];

	if (text != NULL) {
		show_clean(text, strlen(text), clean, sizeof(clean));
		fputs(clean, to);
	}
}

void out_flush(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		_exit(EXIT_TROUBLE);
}

size_t out_width(const char *text)
{
	mbstate_t state = { 0 };
	size_t width = 0;

	while (*text != '\0') {
		wchar_t c;
		size_t n = mbrtowc(&c, text, MB_CUR_MAX, &state);
		if (n == 0 || n > MB_CUR_MAX) {		/* not of this locale: a byte, a column */
			state = (mbstate_t){ 0 };
			n = 1;
			c = L'?';
		}
		int w = wcwidth(c);
		width += w > 0 ? (size_t)w : 0;
		text += n;
	}
	return width;
}

/* Cells are kept until printing, when all widths are known. */
struct table {
	const struct out *out;
	const struct column *columns;
	size_t count;			/* of columns */
	char **cell;
	size_t used;
};

struct table *table_new(const struct out *out, const struct column *columns, size_t count)
{
	struct table *table = say_calloc(1, sizeof(*table));

	table->out = out;
	table->columns = columns;
	table->count = count;
	return table;
}

void table_add(struct table *table, const char *text)
{
	char clean[OUT_CELL_SIZE];

	if (text == NULL || text[0] == '\0')
		text = "-";
	show_clean(text, strlen(text), clean, sizeof(clean));
	if ((table->used & (table->used - 1)) == 0)
		table->cell = say_realloc(table->cell, table->used > 0 ? 2 * table->used : 1,
					  sizeof(*table->cell));
	table->cell[table->used++] = say_strdup(clean);
}

void table_add_format(struct table *table, const char *format, ...)
{
	char text[OUT_CELL_SIZE];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	table_add(table, text);
}

static bool column_shown(const struct table *table, size_t i)
{
	enum out_format format = table->out->format;
	return !(table->columns[i].flags & COLUMN_WIDE) || format == OUT_WIDE || format == OUT_TSV;
}

/* Display columns are at least bytes; names are ASCII by their grammar, so their middle can be
 * cut by bytes. */
static void shrink_middle(char *text, size_t width)
{
	size_t len = strlen(text);

	if (len <= width || width < 5)
		return;
	size_t tail = (width - 1) / 2, head = width - 1 - tail;
	text[head] = '~';
	memmove(text + head + 1, text + len - tail, tail + 1);
}

/* Takes the overhang off names first; what is still too much libsmartcols cuts off the notes. */
static void fit_names(struct table *table)
{
	size_t rows = table->count > 0 ? table->used / table->count : 0, total = 0, over;
	size_t width[32] = { 0 };

	for (size_t i = 0; i < table->count && i < 32; i++) {
		if (!column_shown(table, i))
			continue;
		width[i] = strlen(table->columns[i].name);
		for (size_t r = 0; r < rows; r++) {
			size_t w = out_width(table->cell[r * table->count + i]);
			width[i] = w > width[i] ? w : width[i];
		}
		/* A column that may be cut need not cost the names anything beyond 16. */
		bool cut = table->columns[i].flags & COLUMN_CUT && width[i] > 16;
		total += 2 + (cut ? 16 : width[i]);
	}
	if (table->out->width == 0 || total <= (size_t)table->out->width)
		return;
	over = total - (size_t)table->out->width;
	for (size_t i = 0; i < table->count && i < 32; i++) {
		if (!(table->columns[i].flags & COLUMN_SHRINK) || width[i] <= 12)
			continue;
		size_t want = width[i] - over > width[i] || width[i] - over < 12
			? 12 : width[i] - over;
		over -= over < width[i] - want ? over : width[i] - want;
		for (size_t r = 0; r < rows; r++)
			shrink_middle(table->cell[r * table->count + i], want);
	}
}

static void print_tsv(const struct table *table, FILE *to)
{
	size_t rows = table->used / table->count;

	for (size_t i = 0; table->out->header && i < table->count; i++)
		fprintf(to, "%s%c", table->columns[i].name, i + 1 < table->count ? '\t' : '\n');
	for (size_t r = 0; r < rows; r++) {
		for (size_t i = 0; i < table->count; i++)
			fprintf(to, "%s%c", table->cell[r * table->count + i],
				i + 1 < table->count ? '\t' : '\n');
	}
}

static void print_names(const struct table *table, FILE *to)
{
	size_t name = 0, rows = table->used / table->count;

	while (name < table->count && !(table->columns[name].flags & COLUMN_SHRINK))
		name++;
	for (size_t r = 0; name < table->count && r < rows; r++)
		fprintf(to, "%s\n", table->cell[r * table->count + name]);
}

static void fill_smart(const struct table *table, struct libscols_table *smart)
{
	size_t rows = table->used / table->count;

	for (size_t i = 0; i < table->count; i++) {
		unsigned flags = table->columns[i].flags;
		int smart_flags = (flags & COLUMN_RIGHT ? SCOLS_FL_RIGHT : 0) |
				  (flags & COLUMN_CUT ? SCOLS_FL_TRUNC : 0);
		if (column_shown(table, i))
			scols_table_new_column(smart, table->columns[i].name, 0, smart_flags);
	}
	for (size_t r = 0; r < rows; r++) {
		struct libscols_line *line = scols_table_new_line(smart, NULL);
		size_t shown = 0;
		for (size_t i = 0; line != NULL && i < table->count; i++) {
			const char *text = table->cell[r * table->count + i];
			if (!column_shown(table, i))
				continue;
			scols_line_set_data(line, shown, text);
			if (table->columns[i].flags & COLUMN_STATE && table->out->color &&
			    find_color(text)[0] != '\0')
				scols_cell_set_color(scols_line_get_cell(line, shown),
						     find_color(text));
			shown++;
		}
	}
}

static void print_smart(struct table *table, FILE *to)
{
	struct libscols_table *smart = scols_new_table();

	if (smart == NULL)
		return;
	fit_names(table);
	scols_table_set_stream(smart, to);
	scols_table_enable_noheadings(smart, !table->out->header);
	scols_table_enable_colors(smart, table->out->color);
	scols_table_enable_ascii(smart, table->out->ascii);
	scols_table_enable_noencoding(smart, 1);	/* table_add() cleaned everything */
	scols_table_set_column_separator(smart, "  ");
	if (table->out->width > 0) {
		scols_table_set_termforce(smart, SCOLS_TERMFORCE_ALWAYS);
		scols_table_set_termwidth(smart, (size_t)table->out->width);
	} else {
		scols_table_set_termforce(smart, SCOLS_TERMFORCE_NEVER);
	}
	fill_smart(table, smart);
	scols_print_table(smart);
	scols_unref_table(smart);
}

void table_print(struct table *table, FILE *to)
{
	if (table->out->format == OUT_TSV)
		print_tsv(table, to);
	else if (table->out->format == OUT_NAME)
		print_names(table, to);
	else if (table->used >= table->count)
		print_smart(table, to);
	for (size_t i = 0; i < table->used; i++)
		free(table->cell[i]);
	free(table->cell);
	free(table);
}
