/*
 * child.c - see child.h.
 */
#include "client/monitor/child.h"

#include "client/monitor/words.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	pid_t pid;
	int fd;
	int stops;
};

static void become_chime(int out_fd, char **argv, int columns)
{
	char width[16];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
	    dup2(out_fd, STDERR_FILENO) < 0)
		_exit(127);
	snprintf(width, sizeof(width), "%d", columns);
	setenv("COLUMNS", width, 1);
	setenv("TERM", "dumb", 1);
	unsetenv("CLICOLOR_FORCE");
	execv("/proc/self/exe", argv);
	_exit(127);
}

int child_start(struct child **out, const char *const *options, size_t option_count,
		const char *line, int columns, struct trouble *t)
{
	char *words[WORDS_MAX], *text = say_strdup(line), **argv = NULL;
	int pipes[2] = { -1, -1 };
	size_t count, n = 0;
	int code = 0;
	pid_t pid;

	*out = NULL;
	if (!words_split(text, words, &count)) {
		code = trouble_set(t, EXIT_USAGE, "a quote is not closed, or there are too many "
				   "words");
		goto out;
	}
	argv = say_calloc(option_count + count + 2, sizeof(*argv));
	argv[n++] = (char *)(uintptr_t)"chime";
	for (size_t i = 0; i < option_count; i++)
		argv[n++] = (char *)(uintptr_t)options[i];
	for (size_t i = 0; i < count; i++)
		argv[n++] = words[i];
	if (pipe2(pipes, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		code = trouble_set(t, EXIT_TROUBLE, "the command cannot be started");
		trouble_why(t, "%s", strerror(errno));
		goto out;
	}
	if (pid == 0)
		become_chime(pipes[1], argv, columns);
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	*out = say_calloc(1, sizeof(**out));
	(*out)->pid = pid;
	(*out)->fd = pipes[0];
	pipes[0] = -1;
out:
	for (int i = 0; i < 2; i++)
		if (pipes[i] >= 0)
			close(pipes[i]);
	free(argv);
	free(text);
	return code;
}

int child_fd(const struct child *child)
{
	return child->fd;
}

static int wait_status(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

ssize_t child_read(struct child *child, void *buf, size_t size, int *status)
{
	ssize_t n;

	if (child->fd < 0)
		return -1;
	n = read(child->fd, buf, size);
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	close(child->fd);
	child->fd = -1;
	*status = wait_status(child->pid);
	child->pid = 0;
	return -1;
}

void child_stop(struct child *child)
{
	if (child->pid > 0)
		kill(child->pid, child->stops++ == 0 ? SIGINT : SIGKILL);
}

void child_free(struct child *child)
{
	if (!child)
		return;
	if (child->fd >= 0)
		close(child->fd);
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		(void)wait_status(child->pid);
	}
	free(child);
}

int child_pager(const char *data, size_t len)
{
	const char *pager = getenv("PAGER");
	int fd = memfd_create("chime", MFD_CLOEXEC), status;
	pid_t pid;

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, data + at, len - at);
		if (n < 0 && errno != EINTR) {
			int error = errno;
			close(fd);
			return -error;
		}
		at += n > 0 ? (size_t)n : 0;
	}
	lseek(fd, 0, SEEK_SET);
	pid = fork();
	if (pid == 0) {
		if (dup2(fd, STDIN_FILENO) < 0)
			_exit(127);
		/* A monitor on a wall is no way to a shell, unless its owner says so. */
		setenv("LESSSECURE", "1", 0);
		execl("/bin/sh", "sh", "-c", pager && pager[0] ? pager : "less", (char *)NULL);
		_exit(127);
	}
	close(fd);
	if (pid < 0)
		return -errno;
	status = wait_status(pid);
	return status == 127 ? -ENOENT : 0;
}
