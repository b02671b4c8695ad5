/*
 * roster.h - the servers a capture speaks of, and the certificates their heads are checked with.
 *
 * Invariants
 * 1. A key checks heads only after identity_judge() took its certificate for a server of exactly
 *    that name.
 * 2. A certificate is judged once, at the time of the packet that first needs it: an old capture
 *    stays readable after certificates expired.
 */
#ifndef CHIME_CLIENT_RECORD_ROSTER_H
#define CHIME_CLIENT_RECORD_ROSTER_H

#include "client/record/audit.h"

struct origin_certificate {
	struct digest digest;
	uint8_t *der;			/* until it is judged, then NULL */
	size_t len;
	struct pubkey *key;		/* NULL = not judged, or refused */
};

struct origin;				/* hash handle, name and what follows */
struct roster;

enum learned {
	LEARNED_NOTHING,		/* known already */
	LEARNED_KEY,
	LEARNED_REFUSED,		/* why is set */
};

struct roster *roster_new(const struct identity *authority);
void roster_free(struct roster *roster);

/* Borrowed; NULL when there are AUDIT_ORIGINS_MAX already and this is none of them. */
struct origin *roster_find(struct roster *roster, const char *name);

const char *origin_name(const struct origin *origin);
struct audit_figures *origin_figures(struct origin *origin);

/* Borrowed; NULL when it is unknown, and for get also when there are too many. */
struct track *origin_find_track(struct origin *origin, struct lineage lineage);
struct track *roster_get_track(struct roster *roster, struct origin *origin,
			       struct lineage lineage);

/* Has another lineage of it been heard that is older? */
bool origin_has_older(const struct origin *origin, struct lineage lineage);

/* Puts a certificate aside until a head needs it. */
void origin_offer(struct origin *origin, const void *der, size_t len);

/* Judges a certificate now. */
enum learned roster_learn(struct roster *roster, struct origin *origin, const void *der,
			  size_t len, int64_t now_s, char *why, size_t why_size);

/* The same for what was put aside; to be asked until it says LEARNED_NOTHING. */
enum learned roster_learn_offered(struct roster *roster, struct origin *origin, int64_t now_s,
				  char *why, size_t why_size);

/* PROOF_SIGNED; PROOF_UNCHECKED without a certificate; PROOF_NONE when none of them verifies. */
enum proof origin_check(const struct origin *origin, const struct head *head);

/* Is there a certificate its heads are checked with? */
bool origin_has_key(const struct origin *origin);

/* Heads that wait for a certificate: the newest AUDIT_UNCHECKED_MAX. take: oldest first. */
void origin_keep_head(struct origin *origin, const struct head *head);
bool origin_take_head(struct origin *origin, struct head *out);

/* By name; fn may not change the roster. */
typedef void roster_fn(struct origin *origin, void *arg);
void roster_each(struct roster *roster, roster_fn *fn, void *arg);
void origin_each_track(struct origin *origin, void (*fn)(struct track *track, void *arg),
		       void *arg);

#endif
