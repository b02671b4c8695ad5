#include "daemon/tree.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum {
	ENVIRONMENT_MAX = 4 << 20,
	STOP_ROUNDS = 10,
};

struct process {
	pid_t pid, parent;
	uint64_t ticks;
	bool meant, spared;
};

struct snapshot {
	struct process *list;
	size_t count, size;
};

/* False: gone, or a zombie. */
static bool read_stat(pid_t pid, struct process *process)
{
	char path[64], text[1024], state, *at;
	unsigned long long ticks;
	int fd, parent;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	/* The name in parentheses may hold anything, even ")". proc(5) */
	at = strrchr(text, ')');
	if (!at || sscanf(at + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
				  " %*d %*d %*d %*d %llu", &state, &parent, &ticks) != 3)
		return false;
	*process = (struct process){ .pid = pid, .parent = parent, .ticks = ticks };
	return state != 'Z' && state != 'X';
}

uint64_t tree_ticks(pid_t pid)
{
	struct process process;

	return read_stat(pid, &process) ? process.ticks : 0;
}

static int take_snapshot(struct snapshot *snapshot)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	*snapshot = (struct snapshot){ 0 };
	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		struct process process;
		int pid = atoi(entry->d_name);

		if (pid <= 1 || !read_stat(pid, &process))
			continue;
		if (snapshot->count == snapshot->size) {
			snapshot->size = snapshot->size ? snapshot->size * 2 : 256;
			snapshot->list = reallocarray(snapshot->list, snapshot->size,
						      sizeof(process));
			assert(snapshot->list);
		}
		snapshot->list[snapshot->count++] = process;
	}
	closedir(proc);
	return 0;
}

static bool has_mark(const char *environment, size_t len, const char *mark)
{
	size_t size = strlen(mark) + 1;

	for (size_t at = 0; at + size <= len; ) {
		const char *end = memchr(environment + at, 0, len - at);

		if (memcmp(environment + at, mark, size) == 0)
			return true;
		if (!end)
			return false;
		at = (size_t)(end - environment) + 1;
	}
	return false;
}

static bool has_marks(pid_t pid, const char *const *marks)
{
	char path[64], *text = NULL;
	size_t len = 0, size = 0;
	bool all = true;
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	do {
		len += (size_t)n;
		if (size - len < 4096) {
			size = size ? size * 2 : 8192;
			text = realloc(text, size);
			assert(text);
		}
		n = read(fd, text + len, size - len - 1);
	} while (n > 0 && len < ENVIRONMENT_MAX);
	close(fd);
	/* A process that wrote over its environment may have left no NUL at the end. */
	text[len++] = 0;
	for (; all && *marks; marks++)
		all = has_mark(text, len, *marks);
	free(text);
	return all;
}

static bool is_spared(const struct tree_root *root, pid_t pid)
{
	for (size_t i = 0; i < root->spared_count; i++)
		if (root->spared[i] == pid)
			return true;
	return pid == getpid();
}

static void mark_roots(struct snapshot *snapshot, const struct tree_root *root)
{
	for (size_t i = 0; i < snapshot->count; i++) {
		struct process *process = &snapshot->list[i];

		process->spared = is_spared(root, process->pid);
		if (process->spared)
			continue;
		if (root->parent && process->parent == root->parent)
			process->meant = true;
		else if (root->pid && process->pid == root->pid && process->ticks == root->ticks)
			process->meant = true;
		else if (root->marks && process->ticks >= root->since_ticks &&
			 has_marks(process->pid, root->marks))
			process->meant = true;
	}
}

static int compare_pids(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Everything below what is meant is meant, unless it is spared. */
static void mark_children(struct snapshot *snapshot)
{
	bool changed = true;

	qsort(snapshot->list, snapshot->count, sizeof(*snapshot->list), compare_pids);
	while (changed) {
		changed = false;
		for (size_t i = 0; i < snapshot->count; i++) {
			struct process *process = &snapshot->list[i], key, *parent;

			if (process->meant || process->spared)
				continue;
			key.pid = process->parent;
			parent = bsearch(&key, snapshot->list, snapshot->count, sizeof(key),
					 compare_pids);
			if (parent && parent->meant)
				process->meant = changed = true;
		}
	}
}

static void signal_process(const struct process *process, int signal)
{
	int fd = pidfd_open(process->pid, 0);

	if (fd < 0)
		return;
	if (tree_ticks(process->pid) == process->ticks)
		pidfd_send_signal(fd, signal, NULL, 0);
	close(fd);
}

ssize_t tree_signal(const struct tree_root *root, int signal)
{
	struct snapshot snapshot;
	ssize_t count = take_snapshot(&snapshot);

	if (count < 0)
		return count;
	if (snapshot.count) {
		mark_roots(&snapshot, root);
		mark_children(&snapshot);
	}
	for (size_t i = 0; i < snapshot.count; i++) {
		if (!snapshot.list[i].meant)
			continue;
		signal_process(&snapshot.list[i], signal);
		count++;
	}
	free(snapshot.list);
	return count;
}

ssize_t tree_kill(const struct tree_root *root)
{
	ssize_t last = 0, count;

	for (int i = 0; i < STOP_ROUNDS; i++) {
		count = tree_signal(root, SIGSTOP);
		if (count <= last)
			break;
		last = count;
	}
	return tree_signal(root, SIGKILL);
}
