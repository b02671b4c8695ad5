#include "tests/e2e/launcher_harness.h"

#include "daemon/jobfile.h"
#include "daemon/output.h"
#include "daemon/spool.h"
#include "daemon/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *find_build(void)
{
	const char *build = getenv("CHIME_BUILD");

	return build ? build : "build";
}

void rig_path(const struct rig *rig, const char *name, char *out, size_t size)
{
	assert_true((size_t)snprintf(out, size, "%s/%s", rig->dir, name) < size);
}

static void write_file(const struct rig *rig, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	rig_path(rig, name, path, sizeof(path));
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	chmod(path, 0644);
}

void rig_configure(struct rig *rig, const char *lines)
{
	char text[1024];

	snprintf(text, sizeof(text), "environment: %s\nserver: app1\ndata: data\njobs: jobs.d\n"
		 "socket: control.sock\n%s", rig->environment, lines);
	write_file(rig, "chimed.yaml", text);
}

void rig_jobs(struct rig *rig, const char *text)
{
	size_t len;
	char *out;
	FILE *stream = open_memstream(&out, &len);

	while (*text) {
		if (strncmp(text, "@USER@", 6) == 0) {
			fputs(geteuid() == 0 ? "user: root" : "", stream);
			text += 6;
		} else if (strncmp(text, "@DIR@", 5) == 0) {
			fputs(rig->dir, stream);
			text += 5;
		} else {
			fputc(*text++, stream);
		}
	}
	fclose(stream);
	write_file(rig, "jobs.d/jobs.yaml", out);
	free(out);
}

int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	char path[256];

	assert_non_null(rig);
	rig->link = -1;
	rig->boot = 7;
	snprintf(rig->environment, sizeof(rig->environment), "test%d", (int)getpid());
	snprintf(rig->dir, sizeof(rig->dir), "/tmp/chime-rig-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	chmod(rig->dir, 0755);
	rig_path(rig, "jobs.d", path, sizeof(path));
	assert_int_equal(mkdir(path, 0755), 0);
	rig_path(rig, "news", path, sizeof(path));
	assert_int_equal(mkfifo(path, 0666), 0);
	chmod(path, 0666);
	/* Both ends, so that it never ends. */
	rig->news = open(path, O_RDWR | O_CLOEXEC);
	assert_true(rig->news >= 0);
	rig_configure(rig, "");
	*state = rig;
	return 0;
}

static void copy_log(struct rig *rig)
{
	char path[256], line[1024];
	FILE *file;

	rig_path(rig, "launcher.log", path, sizeof(path));
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		fprintf(stderr, "    %s", line);
	if (file)
		fclose(file);
}

/* A shepherd that ended by itself with anything but 0, as one with a sanitizer report does. */
static bool shepherd_died(struct rig *rig)
{
	char path[256], line[1024];
	bool died = false;
	FILE *file;

	rig_path(rig, "launcher.log", path, sizeof(path));
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		died |= (strstr(line, "shepherd.died") && !strstr(line, "signal=9")) ||
			strstr(line, "Sanitizer") || strstr(line, "runtime error");
	if (file)
		fclose(file);
	return died;
}

/* What a failed test left running: without its job a shepherd ends by itself. */
static void kill_jobs(struct rig *rig)
{
	char path[256];
	struct dirent *entry;
	DIR *list;

	rig_path(rig, "data/launcher/spool", path, sizeof(path));
	list = opendir(path);
	while (list && (entry = readdir(list))) {
		struct spool_started started;
		int dir = openat(dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir >= 0 && spool_read_started(dir, &started) == 0 && started.pid &&
		    tree_ticks(started.pid) == started.ticks)
			kill(started.pid, SIGKILL);
		close(dir);
	}
	if (list)
		closedir(list);
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;
	char command[128];
	bool died;
	pid_t pid;

	if (rig->link >= 0)
		rig_end(rig);
	kill_jobs(rig);
	died = shepherd_died(rig);
	if (died)
		copy_log(rig);
	close(rig->news);
	snprintf(command, sizeof(command), "%s", rig->dir);
	pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", command, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	free(rig->set);
	free(rig);
	return died ? -1 : 0;
}

void rig_launch(struct rig *rig)
{
	struct link_message hello = { .kind = LINK_HELLO };
	char config[256], log[256], program[512];
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	rig_path(rig, "chimed.yaml", config, sizeof(config));
	rig_path(rig, "launcher.log", log, sizeof(log));
	snprintf(program, sizeof(program), "%s/chime-launcher", find_build());
	rig->launcher = fork();
	if (rig->launcher == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

		dup2(fd, 1);
		dup2(fd, 2);
		fcntl(ends[1], F_SETFD, 0);
		if (ends[1] != LINK_FD)
			dup2(ends[1], LINK_FD);
		execl(program, "chime-launcher", "--config", config, NULL);
		_exit(127);
	}
	close(ends[1]);
	rig->link = ends[0];
	rig->state_count = rig->state_taken = 0;
	rig->scanned = false;
	snprintf(hello.server, sizeof(hello.server), "app1");
	snprintf(hello.environment, sizeof(hello.environment), "%s", rig->environment);
	rig_say(rig, &hello);
}

uint32_t rig_begin(struct rig *rig)
{
	uint64_t before = rig->generation;
	uint32_t kind;

	rig_launch(rig);
	rig->generation = 0;
	while (!rig->scanned)
		rig_wait(rig, 0, NULL, NULL);
	kind = rig->generation ? LINK_SET : LINK_REFUSED;
	if (!rig->generation)
		rig->generation = before;
	return kind;
}

int rig_end(struct rig *rig)
{
	int status;

	close(rig->link);
	rig->link = -1;
	assert_int_equal(waitpid(rig->launcher, &status, 0), rig->launcher);
	return status;
}

void rig_kill(struct rig *rig)
{
	kill(rig->launcher, SIGKILL);
	rig_end(rig);
}

void rig_say(struct rig *rig, struct link_message *message)
{
	ssize_t n = send(rig->link, message, sizeof(*message), MSG_NOSIGNAL);

	assert_true(n == sizeof(*message) || errno == EPIPE);
}

void rig_say_id(struct rig *rig, uint32_t kind, const struct attempt_id *id)
{
	struct link_message message = { .kind = kind };

	message.report.id = *id;
	rig_say(rig, &message);
}

static void keep_text(struct rig *rig, const struct link_message *message, int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS),
			 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	free(rig->set);
	rig->set = calloc(1, (size_t)st.st_size + 1);
	assert_int_equal(pread(fd, rig->set, (size_t)st.st_size, 0), st.st_size);
	rig->count = message->count;
	if (message->kind == LINK_SET)
		rig->generation = message->generation;
}

void rig_wait(struct rig *rig, uint32_t kind, struct link_message *out, int *passed)
{
	for (;;) {
		union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
		struct pollfd poller = { .fd = rig->link, .events = POLLIN };
		struct link_message message;
		struct iovec part = { &message, sizeof(message) };
		struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1,
					 .msg_control = control.bytes,
					 .msg_controllen = sizeof(control.bytes) };
		struct cmsghdr *head;
		int fd = -1;

		if (poll(&poller, 1, RIG_WAIT_MS) != 1) {
			copy_log(rig);
			fail_msg("nothing heard from the launcher; waited for kind %u", kind);
		}
		if (recvmsg(rig->link, &packet, MSG_CMSG_CLOEXEC) != sizeof(message)) {
			copy_log(rig);
			fail_msg("the launcher has gone; waited for kind %u", kind);
		}
		head = CMSG_FIRSTHDR(&packet);
		if (head)
			memcpy(&fd, CMSG_DATA(head), sizeof(fd));
		if (message.kind == LINK_SET || message.kind == LINK_REFUSED)
			keep_text(rig, &message, fd);
		if (message.kind == LINK_STATE) {
			assert_true(rig->state_count < 256);
			rig->states[rig->state_count++] = message.report;
		}
		rig->scanned |= message.kind == LINK_SCANNED;
		if (out)
			*out = message;
		if (passed && message.kind == kind)
			*passed = fd;
		else if (fd >= 0)
			close(fd);
		if (!kind || message.kind == kind)
			return;
	}
}

uint32_t rig_reload(struct rig *rig)
{
	struct link_message message = { .kind = LINK_RELOAD };

	rig_say(rig, &message);
	do
		rig_wait(rig, 0, &message, NULL);
	while (message.kind != LINK_SET && message.kind != LINK_REFUSED);
	return message.kind;
}

struct attempt_id rig_id(const struct rig *rig, uint64_t seq)
{
	return (struct attempt_id){ .boot = rig->boot, .tag = 0xfeed0000000 + (uint64_t)getpid(),
				    .seq = seq, .attempt = 1 };
}

static void find_hash(struct rig *rig, const char *name, uint8_t hash[32])
{
	struct jobfile_options options = { .server = "app1" };
	struct jobset set = { 0 };
	struct diags diags = { 0 };

	memset(hash, 0, 32);
	assert_int_equal(jobset_parse(rig->set, strlen(rig->set), "set", &options, &set, &diags),
			 0);
	assert_int_equal(diags.errors, 0);
	for (size_t i = 0; i < set.count; i++)
		if (strcmp(set.jobs[i].name, name) == 0)
			memcpy(hash, set.jobs[i].hash, 32);
	jobset_fini(&set);
	diags_fini(&diags);
}

struct attempt_id rig_start(struct rig *rig, const char *job, uint64_t seq)
{
	struct link_message message = { .kind = LINK_START, .slot_utc_s = 1763676000 };
	struct attempt_report *report = &message.report;

	report->id = rig_id(rig, seq);
	snprintf(report->job, sizeof(report->job), "%s", job);
	snprintf(report->cycle, sizeof(report->cycle), "2025-11-20");
	snprintf(report->slot, sizeof(report->slot), "2025-11-20T22:00");
	snprintf(report->cause, sizeof(report->cause), "schedule");
	find_hash(rig, job, message.hash);
	rig_say(rig, &message);
	return report->id;
}

struct attempt_report rig_state(struct rig *rig, const struct attempt_id *id)
{
	for (size_t i = 0; ; i++) {
		while (i >= rig->state_count)
			rig_wait(rig, 0, NULL, NULL);
		if (memcmp(&rig->states[i].id, id, sizeof(*id)) == 0) {
			struct attempt_report found = rig->states[i];

			rig->states[i].id.seq = 0;	/* taken */
			return found;
		}
	}
}

struct attempt_report rig_expect(struct rig *rig, const struct attempt_id *id, uint32_t state,
				 uint32_t result)
{
	struct attempt_report report = rig_state(rig, id);

	if (report.state != state || report.result != result) {
		copy_log(rig);
		fail_msg("run %" PRIu64 ": state %u result %u exit %d signal %d error %d (%s), "
			 "not state %u result %u", id->seq, report.state, report.result,
			 report.exit_code, report.signal, report.error, report.detail, state,
			 result);
	}
	return report;
}

void rig_news(struct rig *rig, char *line, size_t size)
{
	struct pollfd poller = { .fd = rig->news, .events = POLLIN };

	for (size_t at = 0; at < size - 1; at++) {
		if (poll(&poller, 1, RIG_WAIT_MS) != 1) {
			copy_log(rig);
			fail_msg("no news from the job");
		}
		assert_int_equal(read(rig->news, line + at, 1), 1);
		if (line[at] == '\n') {
			line[at] = 0;
			return;
		}
	}
	fail_msg("a line of news is too long");
}

int rig_news_int(struct rig *rig)
{
	char line[64];

	rig_news(rig, line, sizeof(line));
	return atoi(line);
}

int rig_pidfd(pid_t pid)
{
	int fd = pidfd_open(pid, 0);

	assert_true(fd >= 0);
	return fd;
}

void rig_gone(int pidfd)
{
	struct pollfd poller = { .fd = pidfd, .events = POLLIN };

	assert_int_equal(poll(&poller, 1, RIG_WAIT_MS), 1);
	close(pidfd);
}

static int open_directory(struct rig *rig, const char *where, const struct attempt_id *id)
{
	char name[SPOOL_NAME_SIZE], path[256];

	spool_name(id, name);
	snprintf(path, sizeof(path), "%s/data/launcher/%s/%s", rig->dir, where, name);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

pid_t rig_shepherd(struct rig *rig, const struct attempt_id *id)
{
	int dir = open_directory(rig, "spool", id);
	struct spool_started started;

	assert_true(dir >= 0);
	assert_int_equal(spool_read_started(dir, &started), 0);
	close(dir);
	return started.shepherd;
}

bool rig_is_fenced(struct rig *rig, const struct attempt_id *id)
{
	int dir = open_directory(rig, "spool", id);
	struct spool_started started;

	assert_int_equal(spool_read_started(dir, &started), 0);
	close(dir);
	return started.leaf[0];
}

bool rig_has_directory(struct rig *rig, const char *where, const struct attempt_id *id)
{
	int dir = open_directory(rig, where, id);

	if (dir >= 0)
		close(dir);
	return dir >= 0;
}

static int open_output(struct rig *rig, const struct attempt_id *id)
{
	struct link_message message = { .kind = LINK_OPEN, .count = 99 };
	int fd = -1;

	message.report.id = *id;
	rig_say(rig, &message);
	rig_wait(rig, LINK_OUTPUT, &message, &fd);
	assert_int_equal(message.count, 99);
	assert_int_equal(message.report.error, 0);
	assert_true(fd >= 0);
	return fd;
}

char *rig_output(struct rig *rig, const struct attempt_id *id, size_t *len)
{
	int fd = open_output(rig, id), watch = inotify_init1(IN_CLOEXEC);
	struct pollfd poller = { .fd = watch, .events = POLLIN };
	struct output_piece piece;
	char path[64], *text = NULL;
	size_t size = 0;
	uint64_t at = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_true(inotify_add_watch(watch, path, IN_MODIFY | IN_CLOSE_WRITE) >= 0);
	for (*len = 0; ; *len += piece.len, at = piece.next) {
		char events[4096];

		if (size - *len < 65536)
			text = realloc(text, size = size ? size * 2 : 1 << 17);
		assert_int_equal(output_read(fd, at, text + *len, size - *len - 1, &piece), 0);
		if (piece.len)
			continue;
		if (piece.closed)
			break;
		assert_int_equal(poll(&poller, 1, RIG_WAIT_MS), 1);
		assert_true(read(watch, events, sizeof(events)) > 0);
	}
	text[*len] = 0;
	close(watch);
	close(fd);
	return text;
}
