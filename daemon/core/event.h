/*
 * event.h - an event that passed the door, and what each kind does to the model.
 *
 * Invariants
 * 1. event_apply cannot fail: what the model cannot take changes nothing and gives a verdict.
 * 2. A struct event is made by the node only, from bytes that a head of their origin covers, or
 *    that this server is about to say itself.
 */
#ifndef CHIME_DAEMON_CORE_EVENT_H
#define CHIME_DAEMON_CORE_EVENT_H

#include "daemon/core/model.h"

struct event {
	struct event_ref ref;		/* origin, lineage, seq, hash of the bytes */
	const Chime__Event *body;
	/* Of a branch that a younger lineage of its origin has left behind: fills results and
	 * proofs, changes no hold and no definition. */
	bool history;
	/* Made by this process just now: what it asks for is owed. Own events that peers gave back
	 * (a restored or wiped server) were acted on, or not, by an earlier life of this one. */
	bool mine;
};

enum event_verdict {
	EVENT_APPLIED,
	EVENT_UNKNOWN_KIND,
	EVENT_BAD_FIELDS,	/* names, labels or references that cannot be */
	EVENT_NO_SUBJECT,	/* of a run or job that is not known or already over */
	EVENT_VERDICT_COUNT
};

enum event_verdict event_apply(struct model *model, const struct event *event);

/* "run.ended"; "unknown" for a kind of a later version. */
const char *event_kind_name(Chime__Event__BodyCase kind);

/* Names of a run reference in an event's bytes, copied to wire form. */
void event_ref_to_wire(const struct event_ref *ref, Chime__EventRef *out);

/* False when it is no reference: names, sizes. */
bool event_ref_from_wire(const Chime__EventRef *wire, struct event_ref *out);

const char *event_verdict_name(enum event_verdict verdict);

#endif
