#include "daemon/rate.h"

#include <assert.h>

static int64_t unit_us(const struct rate *rate)
{
	return USEC_PER_SEC / rate->per_second;
}

void rate_init(struct rate *rate, uint32_t per_second, uint32_t burst, struct boot now)
{
	assert(per_second >= 1 && per_second <= USEC_PER_SEC && burst >= 1);
	*rate = (struct rate){ .per_second = per_second, .burst = burst, .last = now };
	rate->credit_us = burst * unit_us(rate);
}

bool rate_take(struct rate *rate, struct boot now)
{
	int64_t full = rate->burst * unit_us(rate);

	if (now.us > rate->last.us) {
		/* Compared first, so that a long silence can't overflow the sum. */
		if (now.us - rate->last.us >= full - rate->credit_us)
			rate->credit_us = full;
		else
			rate->credit_us += now.us - rate->last.us;
		rate->last = now;
	}
	if (rate->credit_us < unit_us(rate)) {
		rate->refused++;
		return false;
	}
	rate->credit_us -= unit_us(rate);
	return true;
}
