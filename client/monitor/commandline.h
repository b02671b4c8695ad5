/*
 * commandline.h - what is typed behind ":": a command of chime(1), or one of the monitor's own
 * (messages, help, q).
 *
 * Invariants
 * 1. A command that acts goes to the dialog that asks for y (deed.h), never to WISH_COMMAND.
 * 2. What cannot work inside the monitor is not tried: it is told why.
 */
#ifndef CHIME_CLIENT_MONITOR_COMMANDLINE_H
#define CHIME_CLIENT_MONITOR_COMMANDLINE_H

#include "client/monitor/monitor.h"

void commandline_run(struct monitor *m, const char *line);

/* Runs a line of chime(1) in the view of output, in place of one that is running. */
void commandline_start(struct monitor *m, const char *title, const char *line);

/* The monitor's own commands; NULL = no more. */
const char *commandline_own(size_t i);

#endif
