/*
 * say.c - see say.h.
 */
#include "client/say.h"

#include "proto/show.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool quiet;
/* Of a thread that has no stderr: what it has to say goes elsewhere. */
static _Thread_local bool mute;

int trouble_set(struct trouble *t, int exit, const char *format, ...)
{
	va_list ap;

	t->exit = exit;
	t->why[0] = t->hint[0] = '\0';
	va_start(ap, format);
	vsnprintf(t->what, sizeof(t->what), format, ap);
	va_end(ap);
	return exit;
}

void trouble_why(struct trouble *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(t->why, sizeof(t->why), format, ap);
	va_end(ap);
}

void trouble_hint(struct trouble *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(t->hint, sizeof(t->hint), format, ap);
	va_end(ap);
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

int trouble_set_lines(struct trouble *t, int exit, const char *lines)
{
	char line[1024];

	trouble_set(t, exit, "%s", "");
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)(len < 1023 ? len : 1023), lines);
		lines += len + (lines[len] == '\n');
		if (strncmp(line, "why:", 4) == 0)
			trouble_why(t, "%s", skip_blanks(line + 4));
		else if (strncmp(line, "try:", 4) == 0)
			trouble_hint(t, "%s", skip_blanks(line + 4));
		else if (t->what[0] == '\0')
			snprintf(t->what, sizeof(t->what), "%s", line);
	}
	return exit;
}

/* A label before the first line, the rest indented below it. */
static void print_lines(const char *label, const char *lines)
{
	char clean[2048];

	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");
		show_clean(lines, len, clean, sizeof(clean));
		fprintf(stderr, "%-6s %s\n", label, clean);
		label = "";
		lines += len + (lines[len] == '\n');
	}
}

int trouble_print(const struct trouble *t)
{
	if (mute)
		return t->exit;
	fflush(stdout);
	print_lines("chime:", t->what);
	print_lines("why:", t->why);
	print_lines("try:", t->hint);
	return t->exit;
}

void say_set_quiet(bool on)
{
	quiet = on;
}

void say_set_mute(void)
{
	mute = true;
}

void say_note(const char *format, ...)
{
	char text[1024];
	va_list ap;

	if (mute || quiet)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fflush(stdout);
	print_lines("chime:", text);
}

static void end_without_memory(void)
{
	fputs("chime: out of memory\n", stderr);
	/* By way of exit(): the monitor gives the terminal back there. */
	exit(EXIT_TROUBLE);
}

void *say_calloc(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
	if (p == NULL)
		end_without_memory();
	return p;
}

void *say_realloc(void *old, size_t count, size_t size)
{
	void *p = reallocarray(old, count > 0 ? count : 1, size > 0 ? size : 1);
	if (p == NULL)
		end_without_memory();
	return p;
}

char *say_strdup(const char *text)
{
	char *p = strdup(text);
	if (p == NULL)
		end_without_memory();
	return p;
}

char *say_format(const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		end_without_memory();
	va_end(ap);
	return text;
}
