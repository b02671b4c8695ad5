#include "client/record/roster.h"

#include "client/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(msg) abort()
#include <uthash.h>

struct origin {
	UT_hash_handle hh;
	char name[FRAME_ORIGIN_SIZE];
	struct audit_figures figures;
	struct track **tracks;		/* in the order of their coming */
	size_t track_count;
	struct origin_certificate certificates[AUDIT_CERTIFICATES_MAX];
	size_t certificate_count;
	struct head *waiting;		/* AUDIT_UNCHECKED_MAX, when there is one */
	size_t waiting_count;
};

struct roster {
	const struct identity *authority;
	struct origin *origins;
	size_t track_count;
};

struct roster *roster_new(const struct identity *authority)
{
	struct roster *roster = say_calloc(1, sizeof(*roster));

	roster->authority = authority;
	return roster;
}

static void free_certificate(struct origin_certificate *c)
{
	free(c->der);
	pubkey_free(c->key);
	*c = (struct origin_certificate){ 0 };
}

static void free_origin(struct origin *o)
{
	for (size_t i = 0; i < o->track_count; i++)
		track_free(o->tracks[i]);
	for (size_t i = 0; i < o->certificate_count; i++)
		free_certificate(&o->certificates[i]);
	free(o->tracks);
	free(o->waiting);
	free(o);
}

void roster_free(struct roster *roster)
{
	struct origin *o, *next;

	if (!roster)
		return;
	HASH_ITER(hh, roster->origins, o, next) {
		HASH_DEL(roster->origins, o);
		free_origin(o);
	}
	free(roster);
}

/* ---- origins and their lineages ---- */

struct origin *roster_find(struct roster *roster, const char *name)
{
	struct origin *o;

	HASH_FIND_STR(roster->origins, name, o);
	if (o || HASH_COUNT(roster->origins) >= AUDIT_ORIGINS_MAX)
		return o;
	o = say_calloc(1, sizeof(*o));
	snprintf(o->name, sizeof(o->name), "%s", name);
	HASH_ADD_STR(roster->origins, name, o);
	return o;
}

const char *origin_name(const struct origin *origin)
{
	return origin->name;
}

struct audit_figures *origin_figures(struct origin *origin)
{
	return &origin->figures;
}

struct track *origin_find_track(struct origin *origin, struct lineage lineage)
{
	for (size_t i = origin->track_count; i-- > 0;)
		if (lineage_equal(origin->tracks[i]->lineage, lineage))
			return origin->tracks[i];
	return NULL;
}

struct track *roster_get_track(struct roster *roster, struct origin *origin,
			       struct lineage lineage)
{
	struct track *track = origin_find_track(origin, lineage);

	if (track || origin->track_count >= AUDIT_LINEAGES_MAX ||
	    roster->track_count >= AUDIT_TRACKS_MAX)
		return track;
	origin->tracks = say_realloc(origin->tracks, origin->track_count + 1,
				     sizeof(*origin->tracks));
	track = track_new(lineage);
	origin->tracks[origin->track_count++] = track;
	roster->track_count++;
	return track;
}

bool origin_has_older(const struct origin *origin, struct lineage lineage)
{
	for (size_t i = 0; i < origin->track_count; i++)
		if (origin->tracks[i]->begun && origin->tracks[i]->lineage.boot < lineage.boot)
			return true;
	return false;
}

static int compare_origins(const struct origin *a, const struct origin *b)
{
	return strcmp(a->name, b->name);
}

void roster_each(struct roster *roster, roster_fn *fn, void *arg)
{
	struct origin *o, *next;

	HASH_SORT(roster->origins, compare_origins);
	HASH_ITER(hh, roster->origins, o, next)
		fn(o, arg);
}

void origin_each_track(struct origin *origin, void (*fn)(struct track *track, void *arg),
		       void *arg)
{
	for (size_t i = 0; i < origin->track_count; i++)
		fn(origin->tracks[i], arg);
}

/* ---- certificates ---- */

static struct origin_certificate *find_certificate(struct origin *o, const struct digest *digest)
{
	for (size_t i = 0; i < o->certificate_count; i++)
		if (digest_equal(&o->certificates[i].digest, digest))
			return &o->certificates[i];
	return NULL;
}

static struct origin_certificate *add_certificate(struct origin *o, const struct digest *digest)
{
	struct origin_certificate *list = o->certificates;

	if (o->certificate_count == AUDIT_CERTIFICATES_MAX) {
		free_certificate(&list[0]);
		memmove(&list[0], &list[1], (AUDIT_CERTIFICATES_MAX - 1) * sizeof(list[0]));
		o->certificate_count--;
	}
	list[o->certificate_count] = (struct origin_certificate){ .digest = *digest };
	return &list[o->certificate_count++];
}

void origin_offer(struct origin *origin, const void *der, size_t len)
{
	struct origin_certificate *c;
	struct digest digest;

	digest_of(der, len, &digest);
	if (find_certificate(origin, &digest))
		return;
	c = add_certificate(origin, &digest);
	c->der = say_calloc(1, len ? len : 1);
	memcpy(c->der, der, len);
	c->len = len;
}

static enum learned judge(const struct roster *roster, const struct origin *o,
			  struct origin_certificate *c, const void *der, size_t len,
			  int64_t now_s, char *why, size_t why_size)
{
	struct name_id who;

	if (!roster->authority) {
		snprintf(why, why_size, "there is no CA to judge its certificate by");
		return LEARNED_REFUSED;
	}
	if (identity_judge(roster->authority, der, len, now_s, &who, why, why_size) != IDENTITY_OK)
		return LEARNED_REFUSED;
	if (who.role != ROLE_SERVER || strcmp(who.name, o->name) != 0) {
		snprintf(why, why_size, "its certificate is that of the %s %s",
			 role_name(who.role), who.name);
		return LEARNED_REFUSED;
	}
	c->key = pubkey_of_certificate(der, len);
	return c->key ? LEARNED_KEY : LEARNED_REFUSED;
}

enum learned roster_learn(struct roster *roster, struct origin *origin, const void *der,
			  size_t len, int64_t now_s, char *why, size_t why_size)
{
	struct origin_certificate *c, judged = { 0 };
	enum learned learned;

	why[0] = '\0';
	digest_of(der, len, &judged.digest);
	c = find_certificate(origin, &judged.digest);
	if (c && !c->der)
		return LEARNED_NOTHING;
	learned = judge(roster, origin, &judged, der, len, now_s, why, why_size);
	/* What is refused takes no place: else anybody could push the good ones out. */
	if (learned != LEARNED_KEY)
		return learned;
	if (!c)
		c = add_certificate(origin, &judged.digest);
	free(c->der);
	c->der = NULL;
	c->key = judged.key;
	return LEARNED_KEY;
}

enum learned roster_learn_offered(struct roster *roster, struct origin *origin, int64_t now_s,
				  char *why, size_t why_size)
{
	for (size_t i = 0; i < origin->certificate_count; i++) {
		struct origin_certificate *c = &origin->certificates[i];
		uint8_t *der = c->der;
		enum learned learned;

		if (!der)
			continue;
		why[0] = '\0';
		c->der = NULL;
		learned = judge(roster, origin, c, der, c->len, now_s, why, why_size);
		free(der);
		return learned;
	}
	return LEARNED_NOTHING;
}

/* ---- heads ---- */

enum proof origin_check(const struct origin *origin, const struct head *head)
{
	bool any = false;

	for (size_t i = origin->certificate_count; i-- > 0;) {
		const struct pubkey *key = origin->certificates[i].key;

		if (key && head_verify(head, key) == HEAD_OK)
			return PROOF_SIGNED;
		any = any || key;
	}
	return any ? PROOF_NONE : PROOF_UNCHECKED;
}

bool origin_has_key(const struct origin *origin)
{
	for (size_t i = 0; i < origin->certificate_count; i++)
		if (origin->certificates[i].key)
			return true;
	return false;
}

void origin_keep_head(struct origin *origin, const struct head *head)
{
	struct head *list = origin->waiting;

	if (!list)
		list = origin->waiting = say_calloc(AUDIT_UNCHECKED_MAX, sizeof(*list));
	if (origin->waiting_count == AUDIT_UNCHECKED_MAX) {
		memmove(&list[0], &list[1], (AUDIT_UNCHECKED_MAX - 1) * sizeof(list[0]));
		origin->waiting_count--;
	}
	list[origin->waiting_count++] = *head;
}

bool origin_take_head(struct origin *origin, struct head *out)
{
	if (origin->waiting_count == 0)
		return false;
	*out = origin->waiting[0];
	memmove(&origin->waiting[0], &origin->waiting[1],
		--origin->waiting_count * sizeof(origin->waiting[0]));
	return true;
}
