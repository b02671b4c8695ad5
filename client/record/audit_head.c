/*
 * audit_head.c - heads: whose certificate verifies them, what they say, and whether they go
 * together.
 */
#include "client/record/audit_inside.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- what a head says ---- */

static void refuse_head(struct audit *a, struct origin *o, const struct head *head)
{
	struct finding f = audit_make_finding(a, FINDING_BAD_SIGNATURE, o);

	origin_figures(o)->bad_signatures++;
	f.lineage = head->lineage;
	f.first = f.last = head->seq;
	snprintf(f.detail, sizeof(f.detail), "head with counter %" PRIu64, head->counter);
	a->sink.finding(a->sink.arg, &f);
}

/* Counters of one lineage go up, and seqs with them. Only what is signed can break that. */
static void check_counter(struct audit *a, struct origin *o, struct track *t,
			  const struct head *head, const struct digest *digest)
{
	const struct track_head *same = track_find_head(t, head->counter);

	if (same && same->proof == PROOF_SIGNED && !digest_equal(&same->digest, digest))
		audit_tell_fork(a, o, t, head->seq, digest, &same->digest, PROOF_SIGNED,
				"two heads with one counter");
	if (head->counter > t->counter ? head->seq < t->counter_seq :
	    head->counter < t->counter && head->seq > t->counter_seq)
		audit_tell_fork(a, o, t, head->seq, &head->frame_hash, NULL, PROOF_SIGNED,
				"a later head with a lower seq");
	if (head->counter > t->counter) {
		t->counter = head->counter;
		t->counter_seq = head->seq;
	}
}

/* What a head says that was not refused. */
static void apply_head(struct audit *a, struct origin *o, struct track *t,
		       const struct head *head, enum proof proof)
{
	struct digest digest;

	digest_of(head->raw, head->raw_len, &digest);
	if (proof == PROOF_SIGNED)
		check_counter(a, o, t, head, &digest);
	track_remember_head(t, head->counter, &digest, proof);
	if (head->seq == 0)
		return;
	audit_prove(a, o, t, head->seq, &head->frame_hash, proof);
	if (!t->begun)
		audit_begin_track(a, o, t, head->seq + 1, head->seq, false);
	audit_raise(a, o, t, head->seq, proof);
}

/* ---- certificates ---- */

/* The heads from before: now they can be checked. */
static void recheck_heads(struct audit *a, struct origin *o)
{
	struct head head;

	while (origin_take_head(o, &head)) {
		/* Lineages that were heard of stay. */
		if (origin_check(o, &head) == PROOF_SIGNED)
			apply_head(a, o, origin_find_track(o, head.lineage), &head, PROOF_SIGNED);
		else
			refuse_head(a, o, &head);
	}
}

static void note_learned(struct audit *a, struct origin *o, enum learned learned, const char *why)
{
	if (learned == LEARNED_REFUSED) {
		origin_figures(o)->bad_certificates++;
		audit_tell_text(a, FINDING_BAD_CERTIFICATE, o, why);
	} else if (learned == LEARNED_KEY) {
		audit_tell_text(a, FINDING_CERTIFICATE, o, "");
		recheck_heads(a, o);
	}
}

void audit_learn(struct audit *a, struct origin *o, const ProtobufCBinaryData *der)
{
	char why[IDENTITY_WHY_SIZE];
	enum learned learned = roster_learn(a->roster, o, der->data, der->len,
					    a->now_us / 1000000, why, sizeof(why));

	note_learned(a, o, learned, why);
}

static void learn_offered(struct audit *a, struct origin *o)
{
	char why[IDENTITY_WHY_SIZE];
	enum learned learned;

	while ((learned = roster_learn_offered(a->roster, o, a->now_us / 1000000, why,
					       sizeof(why))) != LEARNED_NOTHING)
		note_learned(a, o, learned, why);
}

/* ---- heads that come ---- */

void audit_take_head(struct audit *a, struct origin *sender, const ProtobufCBinaryData *bytes)
{
	struct head head;
	struct digest digest;
	struct origin *o;
	struct track *t;
	enum proof proof;
	enum head_verdict verdict = head_parse(bytes->data, bytes->len, a->env_id, &head);

	if (verdict != HEAD_OK) {
		audit_tell_malformed(a, sender, head_verdict_name(verdict));
		return;
	}
	t = audit_get_track(a, head.origin, head.lineage, &o);
	if (!t)
		return;
	digest_of(bytes->data, bytes->len, &digest);
	if (track_knows_head(t, head.counter, &digest))
		return;
	learn_offered(a, o);
	proof = origin_check(o, &head);
	if (proof == PROOF_NONE) {
		refuse_head(a, o, &head);
		return;
	}
	if (head.counter > t->counter_heard)
		t->counter_heard = head.counter;
	origin_figures(o)->heads++;
	if (proof == PROOF_UNCHECKED) {
		if (origin_figures(o)->unchecked_heads++ == 0)
			audit_tell_text(a, FINDING_UNCHECKED, o, "no certificate of it was seen");
		origin_keep_head(o, &head);
	}
	apply_head(a, o, t, &head, proof);
}
