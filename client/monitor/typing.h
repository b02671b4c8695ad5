/*
 * typing.h - the line being typed at the lower edge: the filter, a command, a name to jump to, a
 * text to search, a file, a server.
 *
 * Enter takes it, Esc leaves everything as it was before; no other key has a meaning of its own.
 */
#ifndef CHIME_CLIENT_MONITOR_TYPING_H
#define CHIME_CLIENT_MONITOR_TYPING_H

#include "client/monitor/monitor.h"

void typing_begin(struct monitor *m, enum typing what, const char *text);
void typing_key(struct monitor *m, int key, struct moment now);
void typing_draw(struct monitor *m, struct canvas *c);

#endif
