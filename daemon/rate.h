/*
 * rate.h - at most so many a second, counted by a token bucket; time is a parameter.
 */
#ifndef CHIME_DAEMON_RATE_H
#define CHIME_DAEMON_RATE_H

#include "daemon/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct rate {
	uint32_t per_second, burst;
	int64_t credit_us;		/* what is saved up; one costs a second / per_second */
	struct boot last;
	uint64_t refused;		/* since it last said yes */
};

/* A full bucket. per_second 1..USEC_PER_SEC, burst >= 1. */
void rate_init(struct rate *rate, uint32_t per_second, uint32_t burst, struct boot now);

/* True: take it. False: too many; counted in `refused`, which the caller resets after telling. */
bool rate_take(struct rate *rate, struct boot now);

#endif
