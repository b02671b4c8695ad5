/*
 * link.c - see link.h.
 */
#include "client/monitor/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSES = sizeof(((struct link_candidate *)0)->address) / 64 };

void link_init(struct link *link, bool failover)
{
	*link = (struct link){ .failover = failover, .backoff_us = LINK_RETRY_MIN_US };
}

void link_fini(struct link *link)
{
	free(link->other);
	*link = (struct link){ 0 };
}

static void add_address(struct link_candidate *c, const char *address)
{
	for (size_t i = 0; i < c->address_count; i++) {
		if (strcmp(c->address[i], address) == 0)
			return;
	}
	if (c->address_count < ADDRESSES && strlen(address) < sizeof(c->address[0]))
		snprintf(c->address[c->address_count++], sizeof(c->address[0]), "%s", address);
}

/* A server by name, with the addresses that are known of it. */
static struct link_candidate name_candidate(const struct link *link, const char *server,
					    const char *address)
{
	struct link_candidate c = { 0 };

	snprintf(c.server, sizeof(c.server), "%s", server);
	if (address != NULL)
		add_address(&c, address);
	for (size_t i = 0; i < link->other_count; i++) {
		const struct link_candidate *known = &link->other[i];
		if (strcmp(known->server, server) != 0)
			continue;
		for (size_t k = 0; k < known->address_count; k++)
			add_address(&c, known->address[k]);
	}
	return c;
}

static const char *home_name(const struct link *link)
{
	return link->home_named ? link->home.server : link->was;
}

/* The next server that is not home, from other_next on; NULL = there is none. */
static const struct link_candidate *find_other(const struct link *link, size_t *at)
{
	if (!link->failover)
		return NULL;
	for (size_t i = 0; i < link->other_count; i++) {
		*at = (link->other_next + i) % link->other_count;
		if (strcmp(link->other[*at].server, home_name(link)) != 0)
			return &link->other[*at];
	}
	return NULL;
}

/* The first try of another server does not wait for the back-off. */
static void hurry_other(struct link *link)
{
	size_t at;

	if (link->state == LINK_LOST && !link->other_tried && link->retry_us > link->other_us &&
	    find_other(link, &at) != NULL)
		link->retry_us = link->other_us;
}

void link_set_others(struct link *link, const struct link_candidate *list, size_t count)
{
	struct link_candidate *copy = say_calloc(count, sizeof(*copy));

	if (count > 0)
		memcpy(copy, list, count * sizeof(*copy));
	free(link->other);
	link->other = copy;
	link->other_count = count;
	if (link->home_named)
		link->home = name_candidate(link, link->home.server, link->home.address_count > 0
					    ? link->home.address[0] : NULL);
	hurry_other(link);
}

static struct order *order_candidate(const struct link_candidate *c, uint64_t tag)
{
	struct order *order = order_new(ORDER_OPEN, tag);

	if (c == NULL)
		return order;
	order->server = say_strdup(c->server);
	for (size_t i = 0; i < c->address_count; i++)
		order_add_address(order, c->address[i]);
	return order;
}

struct order *link_copy_order(const struct link *link, uint64_t tag)
{
	return order_candidate(link->home_named ? &link->home : NULL, tag);
}

struct order *link_next_order(struct link *link, uint64_t tag, struct moment now)
{
	const struct link_candidate *to = link->home_named ? &link->home : NULL, *other = NULL;
	size_t at = 0;

	if (now.boot_us < link->retry_us)
		return NULL;
	if (link->state == LINK_LOST && now.boot_us >= link->other_us &&
	    (link->other_turn || !link->other_tried))
		other = find_other(link, &at);
	if (other != NULL) {
		to = other;
		link->other_next = at + 1;
		link->other_tried = true;
	}
	link->other_turn = other == NULL;
	if (to != NULL)
		snprintf(link->server, sizeof(link->server), "%s", to->server);
	else
		snprintf(link->server, sizeof(link->server), "%s", link->was);
	link->opening_named = to != NULL;
	link->opening_tag = tag;
	link->state = LINK_OPENING;
	link->retry_us = INT64_MAX;
	link->tries++;
	return order_candidate(to, tag);
}

/* From any state; the first time since it was up the loss begins. */
static void lose(struct link *link, struct moment now)
{
	if (link->lost_us == 0) {
		link->lost_us = now.boot_us;
		link->other_us = now.boot_us + LINK_OTHER_US;
	}
	link->state = LINK_LOST;
	link->opening_tag = 0;
	link->retry_us = now.boot_us + link->backoff_us;
	link->backoff_us *= 2;
	if (link->backoff_us > LINK_RETRY_MAX_US)
		link->backoff_us = LINK_RETRY_MAX_US;
	hurry_other(link);
}

/* The options' way may lead to anybody. */
static bool may_take(const struct link *link, const char *server, struct moment now)
{
	return link->opening_named || link->was[0] == '\0' || strcmp(link->was, server) == 0 ||
	       (link->failover && now.boot_us >= link->other_us);
}

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from != NULL ? from : "");
}

static void come_up(struct link *link, const struct letter *letter)
{
	copy_text(link->server, sizeof(link->server), letter->server);
	copy_text(link->where, sizeof(link->where), letter->where);
	copy_text(link->environment, sizeof(link->environment), letter->environment);
	copy_text(link->you, sizeof(link->you), letter->you);
	copy_text(link->role, sizeof(link->role), letter->role);
	memcpy(link->env_id, letter->env_id, sizeof(link->env_id));
	link->has_env_id = letter->has_env_id;
	link->local = letter->local;
	if (link->was[0] != '\0' && strcmp(link->was, link->server) != 0)
		link->changed_server = true;
	copy_text(link->was, sizeof(link->was), link->server);
	link->home_named = link->opening_named || !letter->local;
	if (link->home_named)
		link->home = name_candidate(link, link->server, letter->local ? NULL
					    : letter->address);
	link->state = LINK_UP;
	link->opening_tag = 0;
	link->lost_us = 0;
	link->retry_us = INT64_MAX;
	link->backoff_us = LINK_RETRY_MIN_US;
	link->why[0] = '\0';
	link->other_tried = link->other_turn = false;
}

bool link_take_letter(struct link *link, const struct letter *letter, struct moment now)
{
	const struct trouble *t = &letter->trouble;

	if (letter->kind != ORDER_OPEN || link->state != LINK_OPENING ||
	    letter->tag != link->opening_tag)
		return false;
	if (t->exit != 0) {
		snprintf(link->why, sizeof(link->why), "%.120s%s%.120s", t->what,
			 t->why[0] != '\0' ? ": " : "", t->why);
		lose(link, now);
	} else if (!may_take(link, letter->server, now)) {
		snprintf(link->why, sizeof(link->why), "%.63s does not answer, %.63s does",
			 link->was, letter->server);
		lose(link, now);
	} else {
		come_up(link, letter);
	}
	return true;
}

void link_break(struct link *link, const char *why, struct moment now)
{
	if (link->state != LINK_UP)
		return;
	copy_text(link->why, sizeof(link->why), why);
	lose(link, now);
}

void link_retry_now(struct link *link, struct moment now)
{
	if (link->state == LINK_UP || link->state == LINK_OPENING)
		return;
	link->retry_us = now.boot_us;
	link->backoff_us = LINK_RETRY_MIN_US;
}

void link_change(struct link *link, const char *server, struct moment now)
{
	link->home = name_candidate(link, server, NULL);
	link->home_named = true;
	copy_text(link->server, sizeof(link->server), server);
	snprintf(link->why, sizeof(link->why), "%.63s was chosen", server);
	link->backoff_us = LINK_RETRY_MIN_US;
	lose(link, now);
	link->backoff_us = LINK_RETRY_MIN_US;
	link->retry_us = now.boot_us;
	link->other_us = now.boot_us + LINK_OTHER_US;
	link->other_tried = link->other_turn = false;
}

int64_t link_due_us(const struct link *link)
{
	return link->retry_us;
}
