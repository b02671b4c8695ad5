/*
 * node.h - the server itself: a journal with ears, hands and a mouth.
 *
 *	hear -> accept -> decide -> commit -> act -> speak
 *
 * node_turn() runs these steps in this order, and is the only place with order in it. Event-loop
 * callbacks put things into the inbox and return; the daemon's main loop and the simulator call
 * node_turn(), and nothing leaves the process before its commit.
 *
 * Files of the node, by step
 *	node.c     the turn, the door, opening and closing
 *	hear.c     datagrams, pull answers -> chains -> the door
 *	definitions.c  an accepted set of job files -> job events
 *	attempts.c what launcher and shepherds report -> events; orders to them (act)
 *	start.c    boot number, probation, opening a lineage, unproven (bus.md 8)
 *	repair.c   whom to ask for what is missing; who is alive
 *	speak.c    own events -> frames -> head -> datagrams, beacons, heartbeats
 *	command/   requests -> questions to the model, or wishes
 */
#ifndef CHIME_DAEMON_NODE_H
#define CHIME_DAEMON_NODE_H

#include "daemon/arena.h"
#include "daemon/clock.h"
#include "daemon/core/engine.h"
#include "daemon/core/event.h"
#include "daemon/core/model.h"
#include "daemon/edge/journal.h"
#include "daemon/inbox.h"
#include "daemon/peers.h"
#include "daemon/rate.h"
#include "proto/buskey.h"
#include "proto/control.pb-c.h"
#include "proto/identity.h"

struct bus;
struct control;
struct links;
struct runner;
struct discovery;

/* Where a turn may be stopped: the simulator crashes a server after any of these. */
enum node_step {
	NODE_STEP_HEAR,		/* heard, accepted and decided; nothing is durable */
	NODE_STEP_COMMIT,
	NODE_STEP_ACT,
	NODE_STEP_SPEAK,
	NODE_STEPS
};

enum node_state {
	NODE_PROBATION,		/* asks its peers for its own past; starts and says nothing */
	NODE_OPEN,
	NODE_STOPPED,		/* said goodbye; the process ends */
	NODE_FAILED,		/* a commit failed, or a duplicate of this server was found */
};

/* What a node is made of; everything borrowed, and alive until node_fini. */
struct node_setup {
	const char *environment, *server;
	const char *timezone;
	const char *boot_path;		/* NULL: none (the simulator gives boot_number) */
	uint64_t *boot_number;
	const char *const *seeds;		/* control addresses of peers, as configured */
	size_t seed_count;
	const struct identity *identity;	/* NULL: a single server without bus */
	const struct keyring *keys;		/* NULL or empty: no bus */
	const struct buskey *key;		/* to seal with */
	const char *bus_group;			/* NULL: no bus */
	uint16_t bus_port;
	int64_t history_us;
	uint64_t history_bytes;
	uint64_t seed;				/* of the node's own chance */
	/* the edges; NULL where there is none */
	struct journal *journal;
	struct bus *bus;
	struct control *control;
	struct links *links;
	struct runner *runner;
	struct discovery *discovery;
	const char *address;			/* my control address for others, "" = none */
	uint16_t control_port;
};

struct new_frame;

/* An own event of this turn, not yet in a frame. */
struct own_event {
	struct own_event *next;
	uint64_t seq;
	size_t len;
	uint8_t bytes[];
};

struct reply {
	struct reply *next;
	uint64_t conn;
	size_t len;
	uint8_t bytes[];
};

/* A request to a peer, waiting for its answer. */
enum ask_kind { ASK_VECTOR, ASK_PULL, ASK_PING, ASK_CERTIFICATE };

struct ask {
	struct ask *next;
	uint64_t cookie;
	enum ask_kind kind;
	char peer[NAME_SERVER_MAX + 1];		/* who was asked; "" = an address only */
	char origin[NAME_SERVER_MAX + 1];	/* whose log or certificate */
	/* to be sent when the turn has committed */
	bool sent;
	char address[PEER_ADDRESS_SIZE];
	uint32_t timeout_ms;
	size_t len;
	uint8_t *bytes;
};

/* A connection that follows events. */
struct subscriber {
	struct subscriber *next;
	uint64_t conn, id;
	char origin[NAME_SERVER_MAX + 1];	/* "" = all */
};

/* Somebody waits for a reload to end. */
struct reload_waiter {
	struct reload_waiter *next;
	uint64_t conn, id;
	char actor[MODEL_PERSON_SIZE];
	uint8_t key[32];
	size_t key_len;
};

struct output_waiter {
	struct output_waiter *next;
	uint32_t cookie;
	uint64_t conn, id, offset, last;
	bool follow;
	char run[NAME_SERVER_MAX + 24];
};

enum { NODE_PEERS_MAX = 4096, NODE_COUNTERS_MAX = 64, NODE_REPEAT_MAX = 4, NODE_ALARMS_MAX = 32 };
enum { NODE_REFUSED_MAX = 32, NODE_WHO_SIZE = 64 };

struct node_counter { const char *name; uint64_t value; };

struct zone_entry {
	UT_hash_handle hh;
	struct zone *zone;
	char name[];
};

struct node {
	struct node_setup setup;
	enum node_state state;
	struct now now;
	struct inbox inbox;
	struct arena arena;
	struct model model;
	struct peers peers;
	struct peer *self;
	struct engine engine;
	uint64_t chance;			/* state of node_random */
	uint8_t env_id[ENVIRONMENT_ID_SIZE];
	struct zone_entry *zones;
	/* my log */
	struct lineage lineage;			/* boot 0 until it is open */
	uint64_t seq;				/* of the newest own event */
	struct digest tip;			/* hash of the newest own frame */
	bool frame_opens;			/* the next frame is the first of its lineage */
	uint64_t head_counter;
	struct head head;			/* the newest I signed */
	struct own_event *own, **own_tail;
	/* start */
	struct boot probation_until;
	uint64_t boot_seen;			/* highest boot of mine that anybody reported */
	uint64_t file_boot;
	uint32_t known_peers, answers;
	struct boot ask_again_at;		/* those that did not answer */
	bool unproven, began_unproven;
	char unproven_why[128];
	struct boot opened;
	/* launcher */
	bool jobs_loaded, scanned, reloading;
	uint64_t generation;			/* set whose events are committed; 0 = none */
	uint64_t commit_generation;		/* to be told to the launcher after the commit */
	struct attempt_report *found;		/* reports that came before the lineage was open */
	size_t found_count;
	struct inbox_item *jobs_later;		/* the set that came before; NULL = none */
	struct job_text { struct job_text *next; char *name, *text, *user; } *job_texts;
	struct attempt_id *acks;		/* ends that are in the journal with this commit */
	size_t ack_count, ack_room;
	/* what waits for the commit */
	struct reply *replies, **replies_tail;
	size_t reply_bytes;		/* of this turn's replies */
	struct ask *asks;
	uint64_t next_cookie;
	struct subscriber *subscribers;
	struct reload_waiter *reload_waiters;
	struct output_waiter *output_waiters;
	uint32_t next_output_cookie;
	struct { uint32_t cookie; struct attempt_id id; } output_orders[16];
	size_t output_order_count;
	int64_t beat_us;			/* grows with the number of known servers */
	struct rate strangers;			/* senders never heard of before */
	/* mouth */
	struct { uint8_t *raw; size_t len; } repeat[NODE_REPEAT_MAX];	/* newest own frames */
	size_t repeat_count;
	struct boot spoke_at;			/* of the newest data */
	uint32_t beacon;			/* index of the next one */
	struct boot beacon_at;			/* 0 = none planned */
	struct boot vector_at, prune_at;
	bool speak_data, say_goodbye;
	struct new_frame *new_frames, **new_frames_tail;	/* of this turn, in the arena */
	/* counters and alarms */
	struct node_counter counters[NODE_COUNTERS_MAX];
	size_t counter_count;
	struct node_refused {			/* refused commands: one a second per identity */
		char who[NODE_WHO_SIZE];
		int64_t told_us;		/* on the boot clock; the newest that was logged */
		uint32_t untold;
	} refused[NODE_REFUSED_MAX];
};

/* Loads the journal and begins probation. 0, or -errno with a text. */
int node_init(struct node *node, const struct node_setup *setup, struct now now, char *err,
	      size_t size);
void node_fini(struct node *node);

/*
 * One turn, its steps up to and including `last`. Returns true when something is left in the inbox
 * and another turn should follow at once. Look at node->state afterwards.
 */
bool node_turn(struct node *node, struct now now, enum node_step last);

/* When the next turn is due although nothing was heard; both may be INT64_MAX. */
void node_next(const struct node *node, int64_t *boot_us, int64_t *wall_us);

/* ---- for the files of the node ---- */

/* The one door for own events: numbered, journaled with the turn's frames, applied, told. */
uint64_t node_record(struct node *node, const Chime__Event *event);

/* The one door for what others said; bytes are the event's own, as they stand in the frame. */
void node_accept(struct node *node, const struct event *event, const void *bytes, size_t len);

/* Decides what the events so far ask for. */
void node_decide(struct node *node);

/* An empty event of this turn's time. */
void node_begin_event(const struct node *node, Chime__Event *event);

/* Queues a reply for after the commit. */
void node_reply(struct node *node, uint64_t conn, const Chime__Reply *reply);

/* Counts something; name is a literal. */
void node_count(struct node *node, const char *name);

/* Reproducible chance: 0 <= result < limit. */
uint64_t node_random(struct node *node, uint64_t limit);

/* The zone by name, cached; NULL when it cannot be loaded. */
const struct zone *node_zone(struct node *node, const char *name);

/* Loads the zone of a job if it has none yet. */
void node_set_zone(struct node *node, struct job *job);

/* hear.c */
void hear_datagram(struct node *node, const struct inbox_item *item);
void hear_pull(struct node *node, const Chime__PullReply *reply, const char *origin);
void hear_head(struct node *node, const void *raw, size_t len);
/* While my own past is not proved, what others say is not taken in (see the file head). */
bool hear_must_wait(const struct node *node, const struct peer *peer);
void hear_drain_all(struct node *node);
bool hear_certificate(struct node *node, const char *server, const void *der, size_t len);

/* start.c */
void start_probation(struct node *node);
void start_hello(struct node *node);		/* what every new connection is told */
void start_check(struct node *node);		/* every turn while in probation or unproven */
void start_hear_vector(struct node *node, struct peer *from, const Chime__VectorReply *reply);
void start_prove(struct node *node, const char *why);

/* repair.c */
void repair_answer(struct node *node, struct inbox_item *item);
void repair_meet(struct node *node, const struct inbox_item *item);
void repair_timers(struct node *node);
void repair_next(const struct node *node, int64_t *boot_us);
void repair_ask_vector(struct node *node, const char *server, const char *address);
void repair_ask_certificate(struct node *node, struct peer *peer, const char *address);
void repair_send(struct node *node);
int64_t beat_us(const struct node *node);	/* between two heads of a server */

/* attempts.c */
void attempts_report(struct node *node, const struct attempt_report *report);
void attempts_report_kept(struct node *node);	/* those that came too early */
void attempts_scanned(struct node *node);
void attempts_act(struct node *node);
void attempts_fini(struct node *node);
void attempts_output(struct node *node, struct inbox_item *item);

/* definitions.c */
void definitions_load(struct node *node, const struct inbox_item *item);
void definitions_refused(struct node *node, const struct inbox_item *item);
/* Canonical text of an own job from the newest accepted set, borrowed for this turn; or NULL. */
char *definitions_text(struct node *node, const char *job);
/* Whom an own job runs as, likewise; NULL = as the launcher does. */
char *definitions_user(struct node *node, const char *job);
void definitions_fini(struct node *node);

/* speak.c */
void speak_close_frames(struct node *node);	/* part of commit */
void speak_send(struct node *node);
void speak_next(const struct node *node, int64_t *boot_us);
void speak_sign(struct node *node, uint32_t flags);

/* command/command.c */
void command_handle(struct node *node, const struct inbox_item *item);
void command_closed(struct node *node, uint64_t conn);
void command_tell(struct node *node, const struct event *event, const void *bytes, size_t len);

#endif
