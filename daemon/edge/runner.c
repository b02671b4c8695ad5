/*
 * runner.c - messages to and from the launcher.
 *
 * Invariants
 * 1. What is called here leaves in order, one message a packet; what the socket does not take now
 *    waits in the queue for EV_WRITE. Nothing blocks the node.
 * 2. A callback only fills the inbox. The end of the link, or a launcher that does not speak our
 *    version, is one INBOX_STOP item with error = -EPIPE; the link is then closed.
 */
#include "daemon/edge/runner.h"

#include "daemon/inbox.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	RUNNER_TEXT_MAX = 256 << 20,	/* of a job set: memory is not endless */
	RUNNER_BATCH = 64,		/* messages read in one callback */
};

struct queued {
	struct queued *next;
	struct link_message message;
};

struct runner {
	struct inbox *inbox;
	struct event *readable, *writable;
	struct queued *head, **tail;
	int fd;				/* -1 = the link has ended */
};

static void end_link(struct runner *runner)
{
	struct inbox_item *item = inbox_item_new(INBOX_STOP, NULL, 0);

	item->error = -EPIPE;
	inbox_put(runner->inbox, item);
	event_del(runner->readable);
	event_del(runner->writable);
	close(runner->fd);
	runner->fd = -1;
}

static void flush_queue(struct runner *runner)
{
	while (runner->head && runner->fd >= 0) {
		struct queued *first = runner->head;

		if (send(runner->fd, &first->message, sizeof(first->message),
			 MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN || errno == ENOBUFS)
				event_add(runner->writable, NULL);
			else
				end_link(runner);
			return;
		}
		runner->head = first->next;
		if (!runner->head)
			runner->tail = &runner->head;
		free(first);
	}
}

static void writable_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush_queue(arg);
}

/* A zeroed message at the end of the queue. */
static struct link_message *queue_message(struct runner *runner, enum link_kind kind)
{
	struct queued *queued = calloc(1, sizeof(*queued));

	assert(queued);
	queued->message.kind = kind;
	*runner->tail = queued;
	runner->tail = &queued->next;
	return &queued->message;
}

static void queue_id(struct runner *runner, enum link_kind kind, const struct attempt_id *id)
{
	struct link_message *message = queue_message(runner, kind);

	message->report.id = *id;
	flush_queue(runner);
}

/* ---- what is heard -------------------------------------------------------------------------- */

/* Receives one packet; *passed is its descriptor or -1. Its length, 0 = the end, -errno. */
static ssize_t receive(int fd, struct link_message *message, int *passed)
{
	struct iovec part = { .iov_base = message, .iov_len = sizeof(*message) };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *head;

	*passed = -1;
	if (n < 0)
		return -errno;
	head = CMSG_FIRSTHDR(&packet);
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(passed, CMSG_DATA(head), sizeof(int));
	return packet.msg_flags & MSG_TRUNC ? -EPROTO : n;
}

/* An item with the text behind a descriptor, or NULL. */
static struct inbox_item *read_text(enum inbox_kind kind, int fd)
{
	struct inbox_item *item;
	struct stat st;
	size_t at = 0;
	char *text;

	if (fd < 0 || fstat(fd, &st) || st.st_size < 0 || st.st_size > RUNNER_TEXT_MAX)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	assert(text);
	while (at < (size_t)st.st_size) {
		ssize_t n = pread(fd, text + at, (size_t)st.st_size - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	item = at == (size_t)st.st_size ? inbox_item_new(kind, text, at) : NULL;
	free(text);
	return item;
}

/* Takes *passed when the item keeps it. NULL: nothing this program understands. */
static struct inbox_item *make_item(const struct link_message *message, int *passed)
{
	struct inbox_item *item = NULL;

	switch (message->kind) {
	case LINK_SET:
		item = read_text(INBOX_JOBS, *passed);
		if (item)
			item->number = message->generation;
		break;
	case LINK_REFUSED:
		item = read_text(INBOX_JOBS_REFUSED, *passed);
		if (item)
			item->number = message->count;
		break;
	case LINK_STATE:
		item = inbox_item_new(INBOX_ATTEMPT, NULL, 0);
		item->report = message->report;
		break;
	case LINK_SCANNED:
		item = inbox_item_new(INBOX_SCANNED, NULL, 0);
		memcpy(item->text, message->hash, sizeof(message->hash));
		break;
	case LINK_OUTPUT:
		item = inbox_item_new(INBOX_OUTPUT, NULL, 0);
		item->report.id = message->report.id;
		item->number = message->count;
		item->error = -message->report.error;
		if (!item->error && *passed < 0)
			item->error = -EBADF;
		if (!item->error) {
			item->fd = *passed;
			*passed = -1;
		}
		break;
	}
	return item;
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct runner *runner = arg;

	(void)what;
	for (int i = 0; i < RUNNER_BATCH && runner->fd >= 0; i++) {
		struct link_message message;
		struct inbox_item *item = NULL;
		int passed;
		ssize_t n = receive((int)fd, &message, &passed);

		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n == sizeof(message))
			item = make_item(&message, &passed);
		if (passed >= 0)
			close(passed);
		if (item)
			inbox_put(runner->inbox, item);
		else
			end_link(runner);
	}
}

/* ---- calls ---------------------------------------------------------------------------------- */

int runner_open(struct runner **out, struct event_base *base, struct inbox *inbox, int fd,
		const char *environment, const char *server)
{
	struct runner *runner = calloc(1, sizeof(*runner));
	struct link_message *hello;

	assert(runner);
	runner->inbox = inbox;
	runner->fd = fd;
	runner->tail = &runner->head;
	runner->readable = event_new(base, fd, EV_READ | EV_PERSIST, readable_cb, runner);
	runner->writable = event_new(base, fd, EV_WRITE, writable_cb, runner);
	if (!runner->readable || !runner->writable || event_add(runner->readable, NULL)) {
		runner_close(runner);
		return -ENOMEM;
	}
	hello = queue_message(runner, LINK_HELLO);
	snprintf(hello->environment, sizeof(hello->environment), "%s", environment);
	snprintf(hello->server, sizeof(hello->server), "%s", server);
	flush_queue(runner);
	*out = runner;
	return 0;
}

void runner_close(struct runner *runner)
{
	if (!runner)
		return;
	if (runner->readable)
		event_free(runner->readable);
	if (runner->writable)
		event_free(runner->writable);
	while (runner->head) {
		struct queued *first = runner->head;

		runner->head = first->next;
		free(first);
	}
	if (runner->fd >= 0)
		close(runner->fd);
	free(runner);
}

void runner_reload(struct runner *runner)
{
	queue_message(runner, LINK_RELOAD);
	flush_queue(runner);
}

void runner_committed(struct runner *runner, uint64_t generation)
{
	struct link_message *message = queue_message(runner, LINK_COMMITTED);

	message->generation = generation;
	flush_queue(runner);
}

void runner_start(struct runner *runner, const struct run_order *order)
{
	struct link_message *message = queue_message(runner, LINK_START);
	struct attempt_report *report = &message->report;

	report->id = order->id;
	snprintf(report->job, sizeof(report->job), "%s", order->job);
	snprintf(report->cycle, sizeof(report->cycle), "%s", order->cycle);
	snprintf(report->slot, sizeof(report->slot), "%s", order->slot);
	snprintf(report->cause, sizeof(report->cause), "%s", order->cause);
	memcpy(message->hash, order->hash, sizeof(message->hash));
	message->slot_utc_s = order->slot_utc_s;
	flush_queue(runner);
}

void runner_kill(struct runner *runner, const struct attempt_id *id)
{
	queue_id(runner, LINK_KILL, id);
}

void runner_ack(struct runner *runner, const struct attempt_id *id)
{
	queue_id(runner, LINK_ACK, id);
}

void runner_open_output(struct runner *runner, const struct attempt_id *id, uint32_t cookie)
{
	struct link_message *message = queue_message(runner, LINK_OPEN);

	message->report.id = *id;
	message->count = cookie;
	flush_queue(runner);
}
