/*
 * link.h - the one server that is asked: opened, lost, tried again, exchanged for another.
 *
 *	CLOSED -> OPENING -> UP -> LOST -> OPENING ...
 *
 *	LOST: tried again after 1, 2, 4, 8, 15, 15 ... s; after LINK_OTHER_US, if another server is
 *	known and may be used, it is tried at once, then both in turn, and who answers first is
 *	taken. Several others are tried one after the other.
 *
 *	Home is the server that is tried first: until somebody was reached, whoever the options and
 *	chime.yaml lead to; then that server; after link_change() the chosen one. A local socket
 *	stays a local socket.
 *
 * Invariants
 * 1. At most one order is out (OPENING); what is said about any other is ignored.
 * 2. Another server than the one that was up is taken only when it was asked for by name, or when
 *    it answers the options' way and LINK_OTHER_US are over.
 *
 * The link owns no thread and no socket: it gives orders and is told what became of them, so it is
 * tested with a clock of the test.
 */
#ifndef CHIME_CLIENT_MONITOR_LINK_H
#define CHIME_CLIENT_MONITOR_LINK_H

#include "client/monitor/courier.h"
#include "client/monitor/moment.h"

enum { LINK_OTHER_US = 5000000, LINK_RETRY_MIN_US = 1000000, LINK_RETRY_MAX_US = 15000000 };

enum link_state { LINK_CLOSED, LINK_OPENING, LINK_UP, LINK_LOST };

struct link_candidate { char server[64]; char address[4][64]; size_t address_count; };

struct link {
	enum link_state state;
	bool failover;			/* another server may be taken */
	char server[64];		/* asked, or asked last; "" = none yet, or by the options */
	char where[256];
	char environment[64], you[64], role[16];
	uint8_t env_id[16];
	bool has_env_id, local;
	int64_t lost_us;		/* boot: since when it is lost; 0 = it is not. Stays while
					 * OPENING */
	int64_t retry_us;		/* boot: the next try; INT64_MAX = none is due */
	int64_t backoff_us;
	char why[256];			/* of the loss, or of the last try */
	bool changed_server;		/* it is another one than before; cleared by who tells it */
	struct link_candidate *other;
	size_t other_count, other_next;
	uint64_t opening_tag;		/* of the order under way */
	uint64_t tries;
	/* For link.c alone. */
	char was[64];			/* who was up last; "" = nobody yet */
	struct link_candidate home;
	bool home_named;		/* home is asked by name, not by the options' way */
	bool opening_named;
	int64_t other_us;		/* boot: from then on others are tried */
	bool other_tried, other_turn;
};

void link_init(struct link *link, bool failover);
void link_fini(struct link *link);

/* The servers that could be asked instead (ServersReply, discovery); the list is replaced. */
void link_set_others(struct link *link, const struct link_candidate *list, size_t count);

/* The order to be given now, NULL = none; tag is the caller's number for it. */
struct order *link_next_order(struct link *link, uint64_t tag, struct moment now);

/* What became of the ORDER_OPEN under way; other letters are ignored (false). */
bool link_take_letter(struct link *link, const struct letter *letter, struct moment now);

/* A question failed because the connection broke (letter.broke), or nobody answers. Only an UP
 * link can break. */
void link_break(struct link *link, const char *why, struct moment now);

/* `r`: now. `c`: that server, even when another one is UP; an order under way is given up (stop it
 * before: courier_stop_order(opening_tag)). */
void link_retry_now(struct link *link, struct moment now);
void link_change(struct link *link, const char *server, struct moment now);

/* An order that opens the server that is asked for somebody else, e.g. another courier. */
struct order *link_copy_order(const struct link *link, uint64_t tag);

/* When link_next_order() will have one; INT64_MAX = not by itself. */
int64_t link_due_us(const struct link *link);

#endif
