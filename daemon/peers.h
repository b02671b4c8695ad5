/*
 * peers.h - the other servers (and this one) as this server knows them: certificate, addresses,
 * how far their log is proved here (chain), whether they are alive, what is asked of them.
 *
 * Alive by a fresh signed head or an mTLS exchange, nothing else: a head is fresh when its
 * (boot, counter) is above the last seen and above what its server, or another peer, reported over
 * mTLS since this start (baseline). A replayed head so never keeps the dead alive.
 */
#ifndef CHIME_DAEMON_PEERS_H
#define CHIME_DAEMON_PEERS_H

#include "daemon/clock.h"
#include "proto/chain.h"
#include "proto/names.h"

#define uthash_fatal(msg) abort()
#include <uthash.h>

enum { PEER_ADDRESSES_MAX = 4, PEER_ADDRESS_SIZE = 72 };

enum peer_state {
	PEER_JOINING,		/* not heard since this server started */
	PEER_UP,
	PEER_SUSPECT,		/* missed beats; asked over mTLS now */
	PEER_UNREACHABLE,
	PEER_DOWN,		/* it said goodbye */
};

struct peer {
	UT_hash_handle hh;
	char server[NAME_SERVER_MAX + 1];
	bool self;
	uint8_t *certificate;
	size_t certificate_len;
	struct pubkey *key;			/* NULL until the certificate is known */
	char addresses[PEER_ADDRESSES_MAX][PEER_ADDRESS_SIZE];
	size_t address_count;
	char version[32];
	struct chain chain;
	enum peer_state state;
	uint64_t boot, counter;			/* of the newest fresh head */
	bool has_baseline;
	struct boot mentioned;			/* when its name was first said by a stranger */
	bool answered;				/* what it knows of me, since the start */
	struct boot heard;			/* 0 = never since the start */
	int64_t heard_wall_us;
	int64_t skew_us;			/* their wall clock minus ours, at the last head */
	uint32_t head_flags;
	bool changed;				/* the journal's row is old */
	/* repair */
	bool wanted;				/* somebody has more of its log than we do */
	char holder[NAME_SERVER_MAX + 1];	/* who said so, "" = nobody in particular */
	bool pulling;
	struct boot pull_at;			/* not before; 0 = no pull planned */
	int64_t pull_backoff_us;
	uint32_t pull_turn;
	bool pinging;
	struct boot ask_at;			/* for its certificate: once a second at most */
};

struct peers {
	struct peer *list;			/* hash by name */
	uint8_t env_id[ENVIRONMENT_ID_SIZE];
};

void peers_init(struct peers *peers, const uint8_t env_id[ENVIRONMENT_ID_SIZE]);
void peers_fini(struct peers *peers);
struct peer *peers_find(const struct peers *peers, const char *server);
struct peer *peers_mention(struct peers *peers, const char *server);
size_t peers_count(const struct peers *peers);
size_t peers_count_known(const struct peers *peers);	/* those whose certificate is known */

/* Drops names that were only ever said, and not proved within a minute. */
void peers_forget_strangers(struct peers *peers, struct boot now);

/* The certificate was judged by the caller to be this server's. Returns false when it is one that
 * was known already. */
bool peer_set_certificate(struct peer *peer, const void *der, size_t len);

/* Puts an address first; the oldest falls out. */
void peer_add_address(struct peer *peer, const char *address);

/* A verified head was heard at `now`. True when it is fresh and the peer so alive. */
bool peer_hear(struct peer *peer, const struct head *head, struct now now);

/* An mTLS exchange took place: alive, whatever the bus says. */
void peer_meet(struct peer *peer, struct now now);

/* Raises what a fresh head must exceed. */
void peer_set_baseline(struct peer *peer, uint64_t boot, uint64_t counter);

const char *peer_state_name(enum peer_state state);

#endif
