/*
 * complete.h - Tab in the command line: commands, options of the command, jobs and servers of the
 * book. As far as all that could follow agree is typed; what they are is told beside it.
 */
#ifndef CHIME_CLIENT_MONITOR_COMPLETE_H
#define CHIME_CLIENT_MONITOR_COMPLETE_H

#include "client/monitor/monitor.h"

void complete_command(struct monitor *m);
void complete_server(struct monitor *m);

#endif
