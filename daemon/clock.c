#include "daemon/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

struct now clock_now(void)
{
	return (struct now){ .wall = { read_us(CLOCK_REALTIME) },
			     .boot = { read_us(CLOCK_BOOTTIME) } };
}
