/*
 * moment.h - now, read once per round of the monitor's loop and passed down.
 */
#ifndef CHIME_CLIENT_MONITOR_MOMENT_H
#define CHIME_CLIENT_MONITOR_MOMENT_H

#include <stdint.h>

struct moment {
	int64_t wall_us;		/* since 1970 */
	int64_t boot_us;		/* CLOCK_BOOTTIME: ages, deadlines */
};

#endif
