/*
 * control.h - the control stream's server side: TCP with mutual TLS, and the local socket with
 * peer credentials; both carry the messages of proto/control.proto.
 *
 * A connection that has shaken hands gets a HELLO from the node's template (control_hello) at
 * once. Requests go to the inbox as INBOX_REQUEST: conn, data = packed Request, text = who
 * ("alice", "db2", "unix:root"), number = enum role. Nothing is decoded here but the length and
 * the request's number; what has none is refused and ends the connection.
 * Limits: `limits.connections` at once, over TCP and again as many over the local socket; 64 that
 * have not shaken hands, the oldest of which makes room; 5 s to shake hands, 16 KiB until HELLO; a
 * connection whose outgoing queue exceeds 4 MiB is closed; 8 outputs at once on a connection.
 */
#ifndef CHIME_DAEMON_EDGE_CONTROL_H
#define CHIME_DAEMON_EDGE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control;
struct event_base;
struct identity;
struct inbox;
struct conf;

/* Opens the local socket (a stale one is replaced) and, with an identity, the TCP listener. On
 * failure -errno and a text for the operator in err. identity may be NULL. */
int control_open(struct control **out, struct event_base *base, struct inbox *inbox,
		 const struct conf *conf, const struct identity *identity, char *err, size_t size);
void control_close(struct control *control);

/* The port the TCP listener really has; 0 without one. */
uint16_t control_port(const struct control *control);

/* A packed Reply that holds a Hello; `you`, `your_role` and the clocks are filled in for each
 * connection. Until the first call connections wait, up to 10 s: so call it before probation too,
 * where servers that start together must answer each other. A later call counts for connections
 * made after it. */
void control_hello(struct control *control, const void *packed_reply, size_t len);

/* Queues a packed Reply; nothing when the connection is gone. */
void control_send(struct control *control, uint64_t conn, const void *packed_reply, size_t len);

/* How many bytes wait to be sent there; 0 when it is gone. */
size_t control_backlog(const struct control *control, uint64_t conn);

/*
 * Sends the bytes of an output file (daemon/output.h) as LogReply messages answering request
 * `id` on `conn`, from `offset` or, last > 0, at most the last so many bytes of what is there now;
 * with follow, until the file is closed by its writer (inotify, no polling). Takes fd. `run` is
 * "8831@db1". The last reply has `done`.
 */
void control_stream_output(struct control *control, uint64_t conn, uint64_t id, int fd,
			   uint64_t offset, uint64_t last, bool follow, const char *run);

#endif
