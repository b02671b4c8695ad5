/*
 * conn.h - one connection to a server: the local socket, or TLS 1.3 with both certificates.
 *
 * Blocking for its caller, never beyond the caller's deadline.
 *
 * Invariants
 * 1. A connection that was opened has heard a HELLO of a protocol this program speaks.
 * 2. A request that was handed to conn_send() may have arrived, whatever conn_receive() says
 *    then: only an answer is an answer.
 * 3. What waits is ended at once by a signal that is caught, or, in a thread with a wake
 *    descriptor, by that; only the lookup of a name is not.
 * 4. Deadlines are instants of CLOCK_BOOTTIME in microseconds (conn_now_us()).
 */
#ifndef CHIME_CLIENT_CONN_H
#define CHIME_CLIENT_CONN_H

#include "client/say.h"
#include "proto/control.pb-c.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct conn;
struct tls_context;

enum { CONN_PROTOCOL = 1, CONN_FOREVER = -1 };

int64_t conn_now_us(void);

/*
 * Opens a connection. `server`: the name its certificate must carry, NULL = any server of my
 * environment. 0, or an exit code with *t filled: EXIT_UNREACHED when nobody answers or the
 * server's certificate is not good, EXIT_DENIED when mine is not.
 */
int conn_open_socket(struct conn **out, const char *path, int64_t deadline_us,
		     struct trouble *t);
int conn_open_tls(struct conn **out, struct tls_context *context, const char *address,
		  const char *server, int64_t deadline_us, struct trouble *t);

/* NULL is allowed. */
void conn_close(struct conn *conn);

/* Valid until conn_close(). */
const Chime__Hello *conn_hello(const struct conn *conn);

/* "db1" and where: "db1 at 127.0.0.1:7411", "db1 at /run/chime/control.sock"; and the address
 * alone. */
const char *conn_server(const struct conn *conn);
const char *conn_where(const struct conn *conn);
const char *conn_address(const struct conn *conn);
bool conn_is_local(const struct conn *conn);

/* From now on a server that is gone without a word is noticed within about ten seconds. */
void conn_keep_alive(struct conn *conn);

/* The server's boot clock, reckoned from its HELLO. */
int64_t conn_server_boot_us(const struct conn *conn);

/* Gives the request an id and sends it. 0, or EXIT_UNREACHED. */
int conn_send(struct conn *conn, Chime__Request *request, int64_t deadline_us,
	      struct trouble *t);

/*
 * The next reply to the request with this id; others are dropped. The caller frees it with
 * conn_reply_free(). deadline CONN_FOREVER = none. 0; EXIT_UNREACHED when the connection broke;
 * EXIT_TIME; EXIT_INTERRUPTED after Ctrl-C (conn_catch_interrupt()).
 */
int conn_receive(struct conn *conn, uint64_t id, int64_t deadline_us, Chime__Reply **out,
		 struct trouble *t);
void conn_reply_free(Chime__Reply *reply);

/* Sends a request and takes its one reply; a refusal becomes the trouble, with its exit code. */
int conn_ask(struct conn *conn, Chime__Request *request, int64_t deadline_us,
	     Chime__Reply **out, struct trouble *t);

/* Turns a refusal into a trouble. Returns its exit code, never 0. */
int conn_refusal(const Chime__Refusal *refusal, struct trouble *t);

/* From now on SIGINT (or this signal) ends waits instead of the program. */
void conn_catch_interrupt(void);
void conn_catch_signal(int signal_number);
/* The signal that came, 0 = none; in a thread with a wake descriptor SIGINT once it is readable. */
int conn_interrupted(void);
/* Waits go on again after a signal. */
void conn_clear_interrupt(void);

/* The calling thread's waits end, EXIT_INTERRUPTED, while this descriptor is readable, and no
 * longer by signals of others. -1 = none. */
void conn_set_wake(int fd);

#endif
