#include "daemon/peers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void peers_init(struct peers *peers, const uint8_t env_id[ENVIRONMENT_ID_SIZE])
{
	*peers = (struct peers){ 0 };
	memcpy(peers->env_id, env_id, ENVIRONMENT_ID_SIZE);
}

void peers_fini(struct peers *peers)
{
	struct peer *peer, *next;

	HASH_ITER(hh, peers->list, peer, next) {
		HASH_DEL(peers->list, peer);
		chain_fini(&peer->chain);
		pubkey_free(peer->key);
		free(peer->certificate);
		free(peer);
	}
}

struct peer *peers_find(const struct peers *peers, const char *server)
{
	struct peer *peer;

	HASH_FIND_STR(peers->list, server, peer);
	return peer;
}

struct peer *peers_mention(struct peers *peers, const char *server)
{
	struct peer *peer = peers_find(peers, server);

	if (peer)
		return peer;
	peer = calloc(1, sizeof(*peer));
	assert(peer);
	snprintf(peer->server, sizeof(peer->server), "%s", server);
	chain_init(&peer->chain, server, peers->env_id);
	HASH_ADD_STR(peers->list, server, peer);
	return peer;
}

size_t peers_count(const struct peers *peers)
{
	return HASH_COUNT(peers->list);
}

size_t peers_count_known(const struct peers *peers)
{
	size_t count = 0;

	for (const struct peer *p = peers->list; p; p = p->hh.next)
		count += p->key != NULL;
	return count;
}

void peers_forget_strangers(struct peers *peers, struct boot now)
{
	enum { STRANGER_US = 60 * USEC_PER_SEC };
	struct peer *peer, *next;

	HASH_ITER(hh, peers->list, peer, next) {
		if (peer->self || peer->key || peer->address_count || peer->chain.lineage_count ||
		    now.us - peer->mentioned.us < STRANGER_US)
			continue;
		HASH_DEL(peers->list, peer);
		chain_fini(&peer->chain);
		free(peer);
	}
}

bool peer_set_certificate(struct peer *peer, const void *der, size_t len)
{
	struct pubkey *key;

	if (peer->certificate_len == len && memcmp(peer->certificate, der, len) == 0)
		return false;
	key = pubkey_of_certificate(der, len);
	if (!key)
		return false;
	pubkey_free(peer->key);
	peer->key = key;
	free(peer->certificate);
	peer->certificate = malloc(len);
	assert(peer->certificate);
	memcpy(peer->certificate, der, len);
	peer->certificate_len = len;
	peer->changed = true;
	return true;
}

void peer_add_address(struct peer *peer, const char *address)
{
	size_t at = 0;

	if (strlen(address) >= PEER_ADDRESS_SIZE || !address[0])
		return;
	while (at < peer->address_count && strcmp(peer->addresses[at], address) != 0)
		at++;
	if (at == 0 && peer->address_count)
		return;
	if (at == peer->address_count && peer->address_count < PEER_ADDRESSES_MAX)
		peer->address_count++;
	if (at == PEER_ADDRESSES_MAX)
		at--;
	memmove(peer->addresses[1], peer->addresses[0], at * PEER_ADDRESS_SIZE);
	memcpy(peer->addresses[0], address, strlen(address) + 1);
	peer->changed = true;
}

static bool is_above(uint64_t boot, uint64_t counter, const struct peer *peer)
{
	return boot > peer->boot || (boot == peer->boot && counter > peer->counter);
}

static void set_alive(struct peer *peer, struct now now)
{
	peer->state = PEER_UP;
	peer->heard = now.boot;
	peer->heard_wall_us = now.wall.us;
}

bool peer_hear(struct peer *peer, const struct head *head, struct now now)
{
	bool restarted = head->lineage.boot > peer->boot;

	if (!is_above(head->lineage.boot, head->counter, peer))
		return false;
	peer->boot = head->lineage.boot;
	peer->counter = head->counter;
	peer->head_flags = head->flags;
	peer->skew_us = span_between(now.wall.us, head->wall_us);
	peer->changed |= restarted;
	if (!peer->has_baseline)
		return false;
	set_alive(peer, now);
	if (head->flags & HEAD_GOODBYE)
		peer->state = PEER_DOWN;
	return true;
}

void peer_meet(struct peer *peer, struct now now)
{
	peer->has_baseline = true;
	peer->pinging = false;
	set_alive(peer, now);
}

void peer_set_baseline(struct peer *peer, uint64_t boot, uint64_t counter)
{
	peer->has_baseline = true;
	if (is_above(boot, counter, peer)) {
		peer->boot = boot;
		peer->counter = counter;
	}
}

const char *peer_state_name(enum peer_state state)
{
	static const char *const names[] = {
		[PEER_JOINING] = "JOINING", [PEER_UP] = "UP", [PEER_SUSPECT] = "UP",
		[PEER_UNREACHABLE] = "UNREACHABLE", [PEER_DOWN] = "DOWN",
	};

	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}
