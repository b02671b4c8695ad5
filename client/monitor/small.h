/*
 * small.h - the picture where no list has room: counts, the worst job, and how fresh that is.
 */
#ifndef CHIME_CLIENT_MONITOR_SMALL_H
#define CHIME_CLIENT_MONITOR_SMALL_H

#include "client/monitor/monitor.h"

/* Is the canvas too small for the view on top? */
bool small_fits(const struct monitor *m, const struct canvas *c);
void small_draw(struct monitor *m, struct canvas *c, struct moment now);

#endif
