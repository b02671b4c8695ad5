/* The log, silent unless one seed is replayed; and the one clock that is read below proto/. */
#include "tests/sim/sim.h"

#include "daemon/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

static bool is_loud(void)
{
	return getenv("SIM_LOG") != NULL;
}

void log_open(const char *program)
{
	(void)program;
}

#define LOG_FUNCTION(name, level)				\
	void name(const char *event, const char *fmt, ...)	\
	{							\
		va_list args;					\
								\
		if (!is_loud())					\
			return;					\
		va_start(args, fmt);				\
		printf("\t%s: %s %s ", sim_turn_of, level, event);		\
		vprintf(fmt, args);				\
		putchar('\n');					\
		va_end(args);					\
	}

LOG_FUNCTION(log_info, "info")
LOG_FUNCTION(log_warn, "warn")
LOG_FUNCTION(log_error, "error")

const char *log_quote(const char *text)
{
	return text ? text : "";
}

/* Certificates are valid around the simulated day, whatever day it is. */
time_t time(time_t *out)
{
	if (out)
		*out = SIM_START_S;
	return SIM_START_S;
}
