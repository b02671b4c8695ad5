/*
 * links.h - the node's own mTLS connections to other servers: asks them, and tells the answers.
 *
 * One connection per peer name, opened when first needed, kept warm, closed after 60 s without
 * use. Every ask is answered exactly once by an INBOX_ANSWER (number = cookie, text = the server's
 * name): data = packed Reply, or error = -errno and data = why, a line of text. -ECONNREFUSED,
 * -ETIMEDOUT, -ECONNRESET, -EHOSTUNREACH (also: its name is not found), -EACCES (a certificate was
 * refused, here or there), -EPROTO (no HELLO of my environment), -EBUSY (it is full or starting;
 * too many asks wait for it). A request's id is replaced; its reply bears the replaced one.
 *
 * After a handshake INBOX_PEER gives the peer's certificate (data = DER, text = name, conn = 0);
 * the server's HELLO follows as an INBOX_ANSWER with cookie 0 and text = name.
 */
#ifndef CHIME_DAEMON_EDGE_LINKS_H
#define CHIME_DAEMON_EDGE_LINKS_H

#include <stddef.h>
#include <stdint.h>

struct links;
struct event_base;
struct identity;
struct inbox;

int links_open(struct links **out, struct event_base *base, struct inbox *inbox,
	       const struct identity *identity);
void links_close(struct links *links);

/*
 * Sends a packed Request to the server at `address` (HOST:PORT, numeric or a name). `server`: the
 * name its certificate must carry, or "" = any server of my environment (then the connection is
 * known by its address until the handshake tells the name). timeout_ms covers connect to answer.
 */
void links_ask(struct links *links, const char *server, const char *address, uint64_t cookie,
	       const void *packed_request, size_t len, uint32_t timeout_ms);

#endif
