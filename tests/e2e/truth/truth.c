/*
 * truth.c - a test job that writes down, outside the product, that it ran.
 *
 *	truth FILE [MILLISECONDS [EXIT]]
 *
 * Appends two lines of one write() each, with O_APPEND, at its start and before its end:
 *
 *	RUN ATTEMPT SERVER JOB PID MICROSECONDS start|end EXIT
 *
 * RUN to JOB are what the product gave it in CHIME_...; the time is CLOCK_MONOTONIC, the same for
 * every process of the machine, in namespaces too.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *given(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : "-";
}

static int append(const char *file, const char *what, int code)
{
	char line[512];
	struct timespec now;
	int fd, n;

	clock_gettime(CLOCK_MONOTONIC, &now);
	n = snprintf(line, sizeof(line), "%s %s %s %s %d %" PRIi64 " %s %d\n", given("CHIME_RUN"),
		     given("CHIME_ATTEMPT"), given("CHIME_SERVER"), given("CHIME_JOB"),
		     (int)getpid(), (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, what, code);
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || n <= 0 || (size_t)n >= sizeof(line) || write(fd, line, (size_t)n) != n) {
		fprintf(stderr, "truth: cannot write %s: %s\n", file, strerror(errno));
		return -1;
	}
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	long ms = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	int code = argc > 3 ? atoi(argv[3]) : 0;
	struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

	if (argc < 2) {
		fputs("usage: truth FILE [MILLISECONDS [EXIT]]\n", stderr);
		return 120;
	}
	if (append(argv[1], "start", -1) < 0)
		return 121;
	while (ms > 0 && nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
	return append(argv[1], "end", code) < 0 ? 121 : code;
}
