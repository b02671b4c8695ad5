/*
 * glance.c - times a full-screen program on a terminal of its own.
 *
 *	glance ROWSxCOLS TEXT PRESSES SECONDS COMMAND [WORD...]
 *
 * Prints, in milliseconds: until it wrote anything; until it had written TEXT; then p50, p99 and
 * worst from a key (PRESSES times j or k, 30 ms after it was quiet last) until it wrote
 * something; and its share of one processor, in percent, over SECONDS without keys. Then it gets q.
 */
#include <poll.h>
#include <pty.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* What it writes within `ms`; 0 = nothing. */
static size_t take(int fd, char *buf, size_t size, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return 0;
	n = read(fd, buf, size);
	return n > 0 ? (size_t)n : 0;
}

static void wait_quiet(int fd, int ms)
{
	char buf[65536];

	while (take(fd, buf, sizeof(buf), ms) > 0)
		;
}

/* Its time on a processor, in clock ticks. */
static long ticks_of(pid_t pid)
{
	char path[64], line[1024];
	unsigned long user = 0, system = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	in = fopen(path, "re");
	if (in && fgets(line, sizeof(line), in)) {
		const char *after = strrchr(line, ')');
		if (after)
			sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			       &user, &system);
	}
	if (in)
		fclose(in);
	return (long)(user + system);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_keys(int fd, size_t presses)
{
	int64_t *took = calloc(presses + 1, sizeof(*took));
	char buf[65536];

	for (size_t i = 0; took && i < presses; i++) {
		int64_t from;

		wait_quiet(fd, 30);
		from = now_us();
		if (write(fd, i % 2 ? "k" : "j", 1) != 1)
			break;
		take(fd, buf, sizeof(buf), 2000);
		took[i] = now_us() - from;
	}
	if (took && presses > 0) {
		qsort(took, presses, sizeof(*took), compare);
		printf(" %.2f %.2f %.2f", (double)took[presses / 2] / 1e3,
		       (double)took[presses * 99 / 100] / 1e3, (double)took[presses - 1] / 1e3);
	}
	free(took);
}

static void print_share(int fd, pid_t pid, int seconds)
{
	int64_t from = now_us(), end = from + (int64_t)seconds * 1000000;
	long before = ticks_of(pid);
	char buf[65536];

	while (now_us() < end)
		take(fd, buf, sizeof(buf), (int)((end - now_us()) / 1000) + 1);
	printf(" %.2f\n", (double)(ticks_of(pid) - before) * 100 / (double)sysconf(_SC_CLK_TCK) /
	       ((double)(now_us() - from) / 1e6));
}

/* Until TEXT has been written; the first write is told too. */
static bool print_first(int fd, const char *text, int64_t from)
{
	static char all[1 << 20];
	size_t len = 0, n;
	bool told = false;

	while (now_us() - from < 30000000 && len < sizeof(all) - 1) {
		n = take(fd, all + len, sizeof(all) - 1 - len, 1000);
		if (n > 0 && !told)
			printf("%.1f", (double)(now_us() - from) / 1e3);
		told |= n > 0;
		len += n;
		all[len] = '\0';
		if (len > 0 && strstr(all, text)) {
			printf(" %.1f", (double)(now_us() - from) / 1e3);
			return true;
		}
	}
	fprintf(stderr, "glance: '%s' was not shown\n", text);
	return false;
}

int main(int argc, char **argv)
{
	struct winsize size = { 0 };
	unsigned rows, cols;
	int fd, status;
	pid_t pid;

	if (argc < 6 || sscanf(argv[1], "%ux%u", &rows, &cols) != 2) {
		fprintf(stderr, "usage: glance ROWSxCOLS TEXT PRESSES SECONDS COMMAND...\n");
		return 2;
	}
	size.ws_row = (unsigned short)rows;
	size.ws_col = (unsigned short)cols;
	int64_t from = now_us();
	pid = forkpty(&fd, NULL, NULL, &size);
	if (pid == 0) {
		setenv("TERM", "xterm-256color", 1);
		execvp(argv[5], argv + 5);
		_exit(127);
	}
	if (pid < 0)
		return 1;
	bool shown = print_first(fd, argv[2], from);
	if (shown) {
		print_keys(fd, strtoul(argv[3], NULL, 10));
		print_share(fd, pid, atoi(argv[4]));
	}
	if (write(fd, "q", 1) != 1)
		shown = false;
	wait_quiet(fd, 500);
	close(fd);
	waitpid(pid, &status, 0);
	return shown ? 0 : 1;
}
