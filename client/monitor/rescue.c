/*
 * rescue.c - see rescue.h.
 */
#include "client/monitor/rescue.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const int deadly_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGQUIT };
static const int noted_signals[] = { SIGTSTP, SIGTERM, SIGHUP, SIGINT, SIGWINCH, SIGCONT };

enum {
	DEADLY_COUNT = sizeof(deadly_signals) / sizeof(deadly_signals[0]),
	NOTED_COUNT = sizeof(noted_signals) / sizeof(noted_signals[0]),
	NOTED_STOP = 0,			/* SIGTSTP in noted_signals */
	BYTES_SIZE = 256,
	STACK_SIZE = 65536,		/* an overflow of the stack is deadly too */
};

struct rescue_notes rescue_notes;

/* Handlers get no argument. */
static struct {
	volatile sig_atomic_t active;
	int fd;
	char bytes[BYTES_SIZE];
	size_t len;
	struct termios modes;
	struct sigaction before_deadly[DEADLY_COUNT], before_noted[NOTED_COUNT];
	char stack[STACK_SIZE];
} rescue = { .fd = -1 };

void rescue_clear(void)
{
	rescue.len = 0;
	rescue_notes = (struct rescue_notes){ 0 };
}

void rescue_add(const char *text)
{
	while (text != NULL && *text != '\0' && rescue.len < BYTES_SIZE) {
		const char *end = text[0] == '$' && text[1] == '<' ? strchr(text, '>') : NULL;
		if (end != NULL)
			text = end + 1;
		else
			rescue.bytes[rescue.len++] = *text++;
	}
}

static void die_of_signal(int sig)
{
	if (rescue.active) {
		rescue.active = 0;
		ssize_t n = write(STDOUT_FILENO, rescue.bytes, rescue.len);
		(void)n;
		tcsetattr(STDIN_FILENO, TCSANOW, &rescue.modes);
	}
	for (size_t i = 0; i < DEADLY_COUNT; i++) {
		if (deadly_signals[i] == sig)
			sigaction(sig, &rescue.before_deadly[i], NULL);
	}
	raise(sig);			/* waits until this handler is left */
}

static void note_signal(int sig)
{
	int error = errno;
	uint64_t one = 1;

	switch (sig) {
	case SIGWINCH:
		rescue_notes.resized = 1;
		break;
	case SIGTSTP:
		rescue_notes.stopped = 1;
		break;
	case SIGCONT:
		rescue_notes.continued = 1;
		break;
	case SIGINT:
		if (!rescue.active)
			break;
		/* fall through */
	default:
		rescue_notes.ended = sig;
	}
	ssize_t n = write(rescue.fd, &one, sizeof(one));
	(void)n;
	errno = error;
}

static void note_one(size_t i)
{
	struct sigaction note = { .sa_handler = note_signal };

	if (rescue.before_noted[i].sa_handler != SIG_IGN)
		sigaction(noted_signals[i], &note, NULL);
}

int rescue_take(const struct termios *before)
{
	struct sigaction die = { .sa_handler = die_of_signal, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_sp = rescue.stack, .ss_size = sizeof(rescue.stack) };

	rescue.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (rescue.fd < 0)
		return -errno;
	rescue.modes = *before;
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < DEADLY_COUNT; i++)
		sigaction(deadly_signals[i], &die, &rescue.before_deadly[i]);
	for (size_t i = 0; i < NOTED_COUNT; i++) {
		sigaction(noted_signals[i], NULL, &rescue.before_noted[i]);
		note_one(i);
	}
	return 0;
}

void rescue_give_back(void)
{
	rescue.active = 0;
	for (size_t i = 0; i < DEADLY_COUNT; i++)
		sigaction(deadly_signals[i], &rescue.before_deadly[i], NULL);
	for (size_t i = 0; i < NOTED_COUNT; i++)
		sigaction(noted_signals[i], &rescue.before_noted[i], NULL);
	close(rescue.fd);
	rescue.fd = -1;
}

void rescue_set_active(bool active)
{
	rescue.active = active;
	if (active)
		note_one(NOTED_STOP);
	else
		sigaction(SIGTSTP, &rescue.before_noted[NOTED_STOP], NULL);
}

bool rescue_active(void)
{
	return rescue.active;
}

int rescue_fd(void)
{
	return rescue.fd;
}

void rescue_drain(void)
{
	uint64_t count;
	ssize_t n = rescue.fd >= 0 ? read(rescue.fd, &count, sizeof(count)) : 0;
	(void)n;
}
