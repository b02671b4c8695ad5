/*
 * mail.h - what goes between the monitor's loop and its couriers: orders, letters, and the mailbox
 * that letters wait in.
 *
 * Invariants
 * 1. An order and a letter have one owner at a time, and own all they point to.
 * 2. The mailbox may be used by any thread; its descriptor is readable exactly while a letter is in
 *    it.
 */
#ifndef CHIME_CLIENT_MONITOR_MAIL_H
#define CHIME_CLIENT_MONITOR_MAIL_H

#include "client/act.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAILBOX_FULL = 64 };

enum order_kind {
	ORDER_OPEN,			/* closes what is open, opens the way to `server` */
	ORDER_ASK,			/* a request; every reply is a letter, of parts too */
	ORDER_ACT,			/* an action, or what it would do (dry) */
};

struct order {
	enum order_kind kind;
	uint64_t tag;			/* comes back with its letters */
	char *server;			/* OPEN: NULL = as the options and chime.yaml say */
	char **address;			/* OPEN: where it may be */
	size_t address_count;
	uint8_t *request;		/* ASK: packed Chime__Request */
	size_t request_len;
	bool follow;			/* ASK: no deadline for the next reply */
	bool at_owner;			/* ASK: refused with the owner's name: ask there */
	int64_t timeout_us;		/* to open, to send, for each reply; ACT: for everything.
					 * order_new() sets 5 s, ACT 30 s */
	/* ACT */
	Chime__Request__BodyCase act;	/* START, KILL, HOLD, RELEASE */
	bool dry, force;
	char *reason;
	char **target;
	size_t target_count;
};

/* An empty order of a kind. Its texts and lists are its own, of malloc; courier_send() takes it. */
struct order *order_new(enum order_kind kind, uint64_t tag);
/* Copies of texts. */
void order_add_address(struct order *order, const char *address);
void order_add_target(struct order *order, const char *target);
void order_set_request(struct order *order, const Chime__Request *request);
void order_free(struct order *order);

struct letter {
	uint64_t tag;
	enum order_kind kind;
	bool done;			/* the last one of its order */
	struct trouble trouble;		/* exit 0 = none */
	bool broke;			/* ASK, ACT: the server of ORDER_OPEN is not reached */
	/* then, by kind: */
	Chime__Reply *reply;		/* ASK; NULL with a trouble. A refusal is a trouble */
	struct effects effects;		/* ACT; may be there beside a trouble */
	char *server, *where;		/* OPEN: who was reached, "db1 at 127.0.0.1:7411" */
	char *address;			/* OPEN: HOST:PORT, or the path of the local socket */
	char *environment, *you, *role;	/* OPEN: of its HELLO */
	uint8_t env_id[16];
	bool has_env_id, local;		/* OPEN: over the local socket */
	struct letter *next;
};
/* An empty letter about an order. */
struct letter *letter_new(const struct order *order, bool done);
/* NULL is allowed. */
void letter_free(struct letter *letter);

struct mailbox;
/* NULL when there is no descriptor to be had. */
struct mailbox *mailbox_new(void);
/* Frees the letters in it too; no courier may be left that knows it. NULL is allowed. */
void mailbox_free(struct mailbox *box);
/* Readable when there is a letter. */
int mailbox_fd(const struct mailbox *box);
/* The oldest letter, owned by the caller; NULL = none. */
struct letter *mailbox_take(struct mailbox *box);
/* Takes the letter over. */
void mailbox_put(struct mailbox *box, struct letter *letter);
/* MAILBOX_FULL letters or more: there is still room, but who has many should wait. */
bool mailbox_is_full(struct mailbox *box);

#endif
