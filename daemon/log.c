#include "daemon/log.h"

#include "daemon/clock.h"
#include "proto/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 4096, QUOTE_SIZE = 520, QUOTES = 8 };

static const char *program_name = "chimed";
static bool under_journal;

void log_open(const char *program)
{
	program_name = program;
	under_journal = getenv("JOURNAL_STREAM") != NULL;
}

/* One write() a line, so that lines of several processes never mix. */
static void write_line(const char *level, int priority, const char *event, const char *fmt,
		       va_list args)
{
	char line[LINE_SIZE], instant[NAME_INSTANT_SIZE];
	int len, more;

	if (under_journal) {
		len = snprintf(line, sizeof(line), "<%d>level=%s event=%s", priority, level, event);
	} else {
		instant_format(clock_now().wall.us / USEC_PER_MSEC * USEC_PER_MSEC, instant);
		len = snprintf(line, sizeof(line), "time=%s level=%s program=%s event=%s", instant,
			       level, program_name, event);
	}
	if (fmt[0]) {
		line[len++] = ' ';
		more = vsnprintf(line + len, sizeof(line) - (size_t)len - 1, fmt, args);
		len += more < (int)sizeof(line) - len - 1 ? more : (int)sizeof(line) - len - 2;
	}
	line[len++] = '\n';
	/* Nowhere left to complain when stderr is gone. */
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		return;
}

#define LOG_FUNCTION(name, level, priority)			\
	void name(const char *event, const char *fmt, ...)	\
	{							\
		va_list args;					\
								\
		va_start(args, fmt);				\
		write_line(level, priority, event, fmt, args);	\
		va_end(args);					\
	}

LOG_FUNCTION(log_info, "info", 6)
LOG_FUNCTION(log_warn, "warn", 4)
LOG_FUNCTION(log_error, "error", 3)

const char *log_quote(const char *text)
{
	static char buffers[QUOTES][QUOTE_SIZE];
	static unsigned turn;
	char *out = buffers[turn++ % QUOTES], *p = out;

	*p++ = '"';
	for (text = text ? text : ""; *text && p < out + QUOTE_SIZE - 8; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = (char)c;
		} else if (c == '\n') {
			*p++ = '\\';
			*p++ = 'n';
		} else if (c < 0x20 || c == 0x7f) {
			p += snprintf(p, 5, "\\x%02x", c);
		} else {
			*p++ = (char)c;
		}
	}
	*p++ = '"';
	*p = 0;
	return out;
}
