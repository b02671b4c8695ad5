/*
 * fuzz_control.c - what anybody may send to the control stream: the input is written to the local
 * socket of a real control edge, in two pieces, then the writing side is closed. However it is
 * answered, the connection must come to its end, and a request that got in must be numbered.
 */
#include <assert.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/conf.h"
#include "daemon/edge/control.h"
#include "daemon/inbox.h"
#include "proto/budget.h"
#include "proto/control.pb-c.h"
#include "proto/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { INPUT_MAX = 64 * 1024, TURNS_MAX = 10000 };

static struct {
	char folder[64], socket[100];
	struct conf conf;
	struct event_base *base;
	struct inbox inbox;
	struct control *control;
} fuzz;

static void end_fuzz(void)
{
	control_close(fuzz.control);
	inbox_fini(&fuzz.inbox);
	event_base_free(fuzz.base);
	rmdir(fuzz.folder);
}

static void say_hello(void)
{
	Chime__Hello hello = CHIME__HELLO__INIT;
	Chime__Reply reply = CHIME__REPLY__INIT;
	uint8_t packed[64];

	reply.body_case = CHIME__REPLY__BODY_HELLO;
	reply.hello = &hello;
	control_hello(fuzz.control, packed, chime__reply__pack(&reply, packed));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char err[512];
	int rc;

	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	snprintf(fuzz.folder, sizeof(fuzz.folder), "/tmp/chime-fuzz-XXXXXX");
	assert(mkdtemp(fuzz.folder));
	snprintf(fuzz.socket, sizeof(fuzz.socket), "%s/sock", fuzz.folder);
	fuzz.conf.socket = fuzz.socket;
	fuzz.conf.limits.connections = 4;
	fuzz.base = event_base_new();
	inbox_init(&fuzz.inbox);
	rc = control_open(&fuzz.control, fuzz.base, &fuzz.inbox, &fuzz.conf, NULL, err,
			  sizeof(err));
	assert(rc == 0);
	say_hello();
	atexit(end_fuzz);
	return 0;
}

static int connect_control(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int rc, fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(sun.sun_path, fuzz.socket, strlen(fuzz.socket) + 1);
	rc = connect(fd, (struct sockaddr *)&sun, sizeof(sun));
	assert(rc == 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* What the node would do first. */
static void take_request(const struct inbox_item *item)
{
	ProtobufCMessage *request;

	assert(item->number == ROLE_ADMIN && strncmp(item->text, "unix:", 5) == 0);
	request = budget_unpack(&chime__request__descriptor, item->data, item->len);
	if (!request)
		return;
	assert(((Chime__Request *)(void *)request)->id != 0);
	protobuf_c_message_free_unpacked(request, NULL);
}

/* A turn of the loop; true once the connection is told to be closed. */
static bool turn(int fd)
{
	struct inbox_item *item;
	uint8_t drop[4096];
	bool closed = false;

	event_base_loop(fuzz.base, EVLOOP_NONBLOCK);
	while (recv(fd, drop, sizeof(drop), 0) > 0)
		;
	while ((item = inbox_take(&fuzz.inbox))) {
		if (item->kind == INBOX_REQUEST)
			take_request(item);
		closed = closed || item->kind == INBOX_CLOSED;
		inbox_item_free(item);
	}
	return closed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t first = size / 2;
	bool closed = false;
	ssize_t n;
	int fd;

	if (size > INPUT_MAX)
		return 0;
	fd = connect_control();
	n = send(fd, data, first, MSG_NOSIGNAL);
	closed = turn(fd);
	/* It may have been refused already. */
	n = send(fd, data + first, size - first, MSG_NOSIGNAL);
	(void)n;
	shutdown(fd, SHUT_WR);
	for (int i = 0; !closed && i < TURNS_MAX; i++)
		closed = turn(fd);
	assert(closed);
	close(fd);
	turn(-1);
	return 0;
}
