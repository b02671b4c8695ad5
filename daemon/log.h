/*
 * log.h - what chimed and chime-launcher tell their operator: logfmt lines on stderr.
 *
 *	time=2026-11-20T21:14:05.120Z level=info event=run.started server=alpha run=8831
 *
 * `event` names what happened; `fmt` continues with key=value pairs. Values that may hold spaces,
 * quotes or control characters are written with LOG_TEXT(x): key=%s of log_quote(). A failure is
 * logged once, by who decides what to do about it. core/ and proto/ never log.
 */
#ifndef CHIME_DAEMON_LOG_H
#define CHIME_DAEMON_LOG_H

#include <stdbool.h>

/* Under a supervisor that stamps lines itself (JOURNAL_STREAM), priorities replace the time. */
void log_open(const char *program);

void log_info(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_error(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text in quotes with quotes, backslashes and control characters escaped; one of eight
 * buffers in turn, for use within one log call. NULL gives "". Cut after 500 bytes. */
const char *log_quote(const char *text);

#endif
