/*
 * listen.h - the listening sockets of control, and who the peer of a local one is.
 *
 * Error texts are lines "what / why: / try:" without a final newline.
 */
#ifndef CHIME_DAEMON_EDGE_LISTEN_H
#define CHIME_DAEMON_EDGE_LISTEN_H

#include <stddef.h>
#include <sys/stat.h>

#include "proto/identity.h"

enum { LISTEN_WHO_SIZE = 64 };

#define LISTEN_GROUP "chime-ops"

/* The socket file as it was made, so that only it is removed. */
struct listen_path {
	char *path;
	dev_t device;
	ino_t inode;
};

/* Listens on a numeric HOST:PORT, port 0 = any. The descriptor, or -errno. */
int listen_tcp(const char *address, char *err, size_t size);

/* For an accepted connection: no delay, and a peer that vanished is noticed within a minute. */
void listen_tune(int fd);

/*
 * Listens on a local socket, mode 0660, of group chime-ops when that exists. What a dead daemon
 * left there is replaced; a living one's is not: -EADDRINUSE. The descriptor, or -errno.
 */
int listen_local(const char *path, struct listen_path *out, char *err, size_t size);

/* Removes the socket file, if it still is the one that was made. */
void listen_path_fini(struct listen_path *path);

/*
 * Who is at the other end of a local socket: uid 0 and my own uid are admin, members of chime-ops
 * operator, all others ROLE_NONE. `who` is "unix:NAME", or "unix:UID" without a name.
 */
enum role listen_judge_peer(int fd, char who[LISTEN_WHO_SIZE]);

#endif
