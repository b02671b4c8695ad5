#include "daemon/launcher/launcher.h"

#include "daemon/log.h"
#include "proto/names.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int talk_send(struct launcher *launcher, const struct link_message *message, int fd)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)message,
			      .iov_len = sizeof(*message) };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *head;

		packet.msg_control = control.bytes;
		packet.msg_controllen = sizeof(control.bytes);
		head = CMSG_FIRSTHDR(&packet);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(int));
	}
	for (;;) {
		struct pollfd writable = { .fd = launcher->link, .events = POLLOUT };

		if (sendmsg(launcher->link, &packet, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EAGAIN)
			poll(&writable, 1, -1);
		else if (errno != EINTR)
			return -errno;
	}
}

int talk_state(struct launcher *launcher, const struct attempt_report *report)
{
	struct link_message *message = calloc(1, sizeof(*message));
	int r;

	assert(message);
	message->kind = LINK_STATE;
	message->report = *report;
	r = talk_send(launcher, message, -1);
	free(message);
	return r;
}

int talk_scanned(struct launcher *launcher)
{
	struct link_message message = { .kind = LINK_SCANNED };

	if (launcher->scanned)
		return 0;
	for (struct run *run = launcher->runs; run; run = run->next)
		if (run->scanned && !run->told && !run->reported)
			return 0;
	launcher->scanned = true;
	memcpy(message.hash, launcher->spool_id, sizeof(message.hash));
	return talk_send(launcher, &message, -1);
}

/* A memfd with the text that nobody can change any more; descriptor or -errno. */
static int seal_text(const char *name, const char *text, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < len; ) {
		ssize_t n = pwrite(fd, text + at, len - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			goto failed;
		at += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return fd;
failed:
	close(fd);
	return -EIO;
}

static int send_text(struct launcher *launcher, struct link_message *message, const char *text,
		     size_t len)
{
	int fd = seal_text("chime-jobs", text, len), r;

	if (fd < 0)
		return fd;
	r = talk_send(launcher, message, fd);
	close(fd);
	return r;
}

static int send_set(struct launcher *launcher)
{
	const struct generation *newest = launcher->registry.newest;
	struct link_message message = { .kind = LINK_SET };

	message.count = (uint32_t)newest->set.count;
	message.generation = newest->number;
	return send_text(launcher, &message, newest->text, newest->len);
}

static int reload(struct launcher *launcher)
{
	struct link_message message = { .kind = LINK_REFUSED };
	char *text = NULL;
	size_t len = 0, errors = 0;
	FILE *err = open_memstream(&text, &len);
	int r;

	assert(err);
	r = registry_reload(&launcher->registry, &launcher->conf, err, &errors);
	fclose(err);
	/* What was wrong with the files is also told where no command asked for the reload. */
	if (len)
		fputs(text, stderr);
	if (r) {
		log_warn("jobs.refused", "errors=%zu", errors);
		message.count = (uint32_t)errors;
		r = send_text(launcher, &message, text, len);
	} else {
		log_info("jobs.accepted", "jobs=%zu generation=%" PRIu64,
			 launcher->registry.newest->set.count, launcher->registry.newest->number);
		r = send_set(launcher);
	}
	free(text);
	return r;
}

/* ---- checks of what the node says ----------------------------------------------------------- */

static bool is_text(const char *text, size_t size, const char *alphabet)
{
	size_t len = strnlen(text, size);

	return len < size && (!alphabet || strspn(text, alphabet) == len);
}

/* These values may come from other servers and go into the job's environment and arguments. */
static bool is_start_valid(const struct link_message *message)
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz:+-._/#@";
	const struct attempt_report *report = &message->report;

	return is_text(report->job, sizeof(report->job), NULL) &&
	       name_job_valid(report->job, NULL) &&
	       is_text(report->cycle, sizeof(report->cycle), letters) &&
	       is_text(report->slot, sizeof(report->slot), letters) &&
	       is_text(report->cause, sizeof(report->cause), letters) &&
	       report->id.seq && report->id.attempt;
}

static int hear_start(struct launcher *launcher, struct link_message *message)
{
	struct attempt_report report = { .id = message->report.id, .exit_code = -1,
					 .state = ATTEMPT_NOT_STARTED, .error = EINVAL };

	if (is_start_valid(message))
		return launch_run(launcher, message);
	snprintf(report.detail, sizeof(report.detail), "the order has a field that is not valid");
	log_error("start.refused", "run=%" PRIu64 " reason=%s", report.id.seq,
		  log_quote(report.detail));
	return talk_state(launcher, &report);
}

static int hear_hello(struct launcher *launcher, const struct link_message *message)
{
	int r;

	if (!is_text(message->server, sizeof(message->server), NULL) ||
	    !is_text(message->environment, sizeof(message->environment), NULL) ||
	    strcmp(message->server, launcher->conf.server) != 0 ||
	    strcmp(message->environment, launcher->conf.environment) != 0) {
		log_error("link.refused", "reason=%s",
			  log_quote("chimed runs with another server or environment name than "
				    "this configuration has"));
		return -EPROTO;
	}
	if (launcher->greeted)
		return 0;
	launcher->greeted = true;
	r = launcher->registry.newest ? send_set(launcher) : reload(launcher);
	return r ? r : spooldir_scan(launcher);
}

static int hear_kill(struct launcher *launcher, const struct attempt_id *id)
{
	struct run *run = watch_find(launcher, id);

	if (!run || run->told)
		return spooldir_report(launcher, id);
	watch_kill(run);
	return 0;
}

static int hear_open(struct launcher *launcher, const struct link_message *asked)
{
	struct link_message message = { .kind = LINK_OUTPUT, .count = asked->count };
	const int parents[] = { launcher->spool, launcher->output };
	char name[SPOOL_NAME_SIZE];
	int fd = -1, r;

	message.report.id = asked->report.id;
	message.report.error = ENOENT;
	spool_name(&asked->report.id, name);
	for (int i = 0; i < 2 && fd < 0; i++) {
		int dir = spooldir_open(parents[i], name);

		if (dir < 0)
			continue;
		fd = openat(dir, "output", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		message.report.error = fd < 0 ? errno : 0;
		close(dir);
		break;
	}
	r = talk_send(launcher, &message, fd);
	if (fd >= 0)
		close(fd);
	return r;
}

int talk_hear(struct launcher *launcher)
{
	struct link_message message;
	ssize_t n = recv(launcher->link, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	if (n != sizeof(message) || (!launcher->greeted && message.kind != LINK_HELLO)) {
		log_error("link.refused", "reason=%s",
			  log_quote("chimed and chime-launcher are of different versions"));
		return -EPROTO;
	}
	switch (message.kind) {
	case LINK_HELLO:
		return hear_hello(launcher, &message);
	case LINK_RELOAD:
		return reload(launcher);
	case LINK_COMMITTED:
		registry_committed(&launcher->registry, message.generation);
		return 0;
	case LINK_START:
		return hear_start(launcher, &message);
	case LINK_KILL:
		return hear_kill(launcher, &message.report.id);
	case LINK_ACK:
		keep_take(launcher, &message.report.id);
		return 0;
	case LINK_OPEN:
		return hear_open(launcher, &message);
	default:
		return 0;
	}
}
