/*
 * audit_prove.c - how good frames are: findings, what waits, and what heads and successors prove.
 */
#include "client/record/audit_inside.h"

#include "client/say.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { SHORT_HASH = 8 };	/* bytes of a hash that people compare */

/* ---- findings ---- */

struct finding audit_make_finding(const struct audit *a, enum finding_kind kind,
				  const struct origin *o)
{
	return (struct finding){ .kind = kind, .wall_us = a->now_us, .sender = a->sender,
				 .server = o ? origin_name(o) : NULL };
}

void audit_tell_range(struct audit *a, enum finding_kind kind, const struct origin *o,
		      const struct track *t, uint64_t first, uint64_t last, enum proof proof)
{
	struct finding f = audit_make_finding(a, kind, o);

	f.lineage = t->lineage;
	f.first = first;
	f.last = last;
	f.proof = proof;
	a->sink.finding(a->sink.arg, &f);
}

void audit_tell_text(struct audit *a, enum finding_kind kind, const struct origin *o,
		     const char *text)
{
	struct finding f = audit_make_finding(a, kind, o);

	snprintf(f.detail, sizeof(f.detail), "%s", text);
	a->sink.finding(a->sink.arg, &f);
}

void audit_tell_malformed(struct audit *a, struct origin *sender, const char *why)
{
	origin_figures(sender)->malformed++;
	audit_tell_text(a, FINDING_MALFORMED, sender, why);
}

void audit_tell_limit(struct audit *a, const char *text)
{
	if (!a->limit_told)
		audit_tell_text(a, FINDING_LIMIT, NULL, text);
	a->limit_told = true;
}

struct track *audit_get_track(struct audit *a, const char *server, struct lineage lineage,
			      struct origin **o)
{
	struct track *t;

	*o = roster_find(a->roster, server);
	t = *o ? roster_get_track(a->roster, *o, lineage) : NULL;
	if (!t)
		audit_tell_limit(a, "too many servers or lineages");
	return t;
}

static void tell_holes(struct audit *a, const struct origin *o, struct track *t, uint64_t from,
		       uint64_t to, enum proof proof)
{
	struct span hole;

	while (from <= to && spans_find_hole(&t->seen, from, to, &hole)) {
		audit_tell_range(a, FINDING_GAP, o, t, hole.first, hole.last, proof);
		t->noticed_us = a->now_us;
		from = hole.last + 1;
	}
}

void audit_tell_fork(struct audit *a, struct origin *o, struct track *t, uint64_t seq,
		     const struct digest *one, const struct digest *other, enum proof proof,
		     const char *what)
{
	struct finding f = audit_make_finding(a, FINDING_FORK, o);
	char one_hex[2 * SHORT_HASH + 1], other_hex[2 * SHORT_HASH + 1] = "";

	/* What was only claimed before the certificate came is a claim. */
	if (proof != PROOF_SIGNED && origin_has_key(o)) {
		origin_figures(o)->contradicted++;
		audit_tell_range(a, FINDING_CONTRADICTED, o, t, seq, seq, PROOF_NONE);
		return;
	}
	if (!track_note_fork(t, seq))
		return;
	origin_figures(o)->forks++;
	digest_hex_encode(one->b, SHORT_HASH, one_hex);
	if (other)
		digest_hex_encode(other->b, SHORT_HASH, other_hex);
	f.lineage = t->lineage;
	f.first = f.last = seq;
	f.proof = proof;
	snprintf(f.detail, sizeof(f.detail), "%s: %s%s%s", what, one_hex, other ? " and " : "",
		 other_hex);
	a->sink.finding(a->sink.arg, &f);
}

/* ---- telling frames ---- */

static void drop_held(struct audit *a, struct held *h)
{
	TAILQ_REMOVE(&a->held, h, all);
	a->held_bytes -= h->len;
	free(h);
}

static void tell_frame(struct audit *a, struct known *k)
{
	struct held *h = k->held;
	struct told told = { .wall_us = h->wall_us, .hash = &k->hash, .proof = k->proof,
			     .late = h->late };
	struct frame frame;
	enum frame_verdict verdict = frame_parse(h->raw, h->len, &frame);
	struct audit_figures *figures = origin_figures(h->origin);

	assert(verdict == FRAME_OK);
	told.frame = &frame;
	figures->frames++;
	if (frame.flags & FRAME_STUB) {
		figures->stubs += frame.count;
		audit_tell_range(a, FINDING_STUB, h->origin, h->track, k->first, k->last, k->proof);
	} else {
		figures->events[k->proof] += frame.count;
		a->sink.frame(a->sink.arg, &told);
	}
	k->told = k->proof;
	k->held = NULL;
	drop_held(a, h);
}

static bool has_proof(const struct known *other, void *arg)
{
	(void)arg;
	return other->proof != PROOF_NONE;
}

/* Nothing has reached it and nothing will be waited for. */
void audit_tell_unproved(struct audit *a, struct track *t, struct known *k)
{
	struct origin *o = k->held->origin;

	if (track_each_other(t, k->first, k->last, &k->hash, has_proof, NULL)) {
		origin_figures(o)->contradicted++;
		audit_tell_range(a, FINDING_CONTRADICTED, o, t, k->first, k->last, PROOF_NONE);
	}
	tell_frame(a, k);
}

static void release_oldest(struct audit *a)
{
	struct held *h = TAILQ_FIRST(&a->held);
	struct frame frame;
	enum frame_verdict verdict = frame_parse(h->raw, h->len, &frame);
	struct known *k;

	assert(verdict == FRAME_OK);
	k = track_find(h->track, frame_last_seq(&frame), &h->hash);
	assert(k);
	audit_tell_unproved(a, h->track, k);
}

void audit_release(struct audit *a, bool all)
{
	struct held *h;

	/* Clocks that jump back release nothing early, and the bound on bytes holds anyway. */
	while ((h = TAILQ_FIRST(&a->held)) &&
	       (all || a->now_us - h->wall_us > AUDIT_HOLD_US || a->held_bytes > AUDIT_HELD_BYTES))
		release_oldest(a);
}

struct held *audit_hold(struct audit *a, struct origin *o, struct track *t,
			const struct frame *frame, const struct digest *hash)
{
	struct held *h = say_calloc(1, sizeof(*h) + frame->raw_len);

	memcpy(h->raw, frame->raw, frame->raw_len);
	h->len = frame->raw_len;
	h->origin = o;
	h->track = t;
	h->hash = *hash;
	h->wall_us = a->now_us;
	TAILQ_INSERT_TAIL(&a->held, h, all);
	a->held_bytes += h->len;
	return h;
}

/* ---- proof ---- */

struct fork_search {
	struct audit *audit;
	struct origin *origin;
	struct track *track;
	uint64_t first;
	const struct digest *hash;
	enum proof proof;
};

static enum proof lesser(enum proof a, enum proof b)
{
	return a < b ? a : b;
}

static bool report_fork(const struct known *other, void *arg)
{
	struct fork_search *s = arg;
	uint64_t seq = other->first > s->first ? other->first : s->first;

	if (other->proof != PROOF_NONE)
		audit_tell_fork(s->audit, s->origin, s->track, seq, s->hash, &other->hash,
				lesser(other->proof, s->proof), "two frames at one place");
	return false;
}

void audit_begin_track(struct audit *a, struct origin *o, struct track *t, uint64_t low,
		       uint64_t high, bool opens)
{
	/* The capture began before this lineage did. */
	if (!opens && origin_has_older(o, t->lineage))
		audit_tell_range(a, FINDING_OPENING, o, t, 0, 0, PROOF_NONE);
	t->begun = true;
	t->low = low;
	t->high = high;
}

void audit_raise(struct audit *a, struct origin *o, struct track *t, uint64_t seq,
		 enum proof proof)
{
	if (seq <= t->high)
		return;
	tell_holes(a, o, t, t->high + 1, seq, proof);
	t->high = seq;
}

/* The opening event says how far the lineage before went: its tail may be missing. */
static void apply_parent(struct audit *a, struct origin *o, const struct known *k)
{
	struct track *parent = k->parent.seq ? origin_find_track(o, k->parent.lineage) : NULL;

	if (parent && parent->begun)
		audit_raise(a, o, parent, k->parent.seq, k->proof);
}

static void tell_repaired(struct audit *a, struct origin *o, struct track *t,
			  const struct known *k)
{
	struct finding f = audit_make_finding(a, FINDING_REPAIRED, o);

	f.lineage = t->lineage;
	f.first = k->first;
	f.last = k->last;
	f.proof = k->proof;
	f.after_us = a->now_us - t->noticed_us;
	a->sink.finding(a->sink.arg, &f);
}

/* What a proved frame does to the figures of its lineage. */
static void place_frame(struct audit *a, struct origin *o, struct track *t,
			const struct known *k)
{
	bool was_missing;

	if (!t->begun)
		audit_begin_track(a, o, t, k->first, k->first - 1, k->opens);
	if (k->first > t->high + 1)
		tell_holes(a, o, t, t->high + 1, k->first - 1, k->proof);
	was_missing = spans_add(&t->seen, k->first, k->last) && k->first >= t->low &&
		      k->last <= t->high;
	if (was_missing)
		tell_repaired(a, o, t, k);
	if (k->last > t->high)
		t->high = k->last;
	if (k->opens && k->first < t->low) {
		tell_holes(a, o, t, k->first, t->low - 1, k->proof);
		t->low = k->first;
	}
	if (k->opens)
		apply_parent(a, o, k);
}

/* A frame that gained proof. */
static void settle_frame(struct audit *a, struct origin *o, struct track *t, struct known *k,
			 enum proof proof)
{
	struct fork_search search = { a, o, t, k->first, &k->hash, proof };
	struct fork_search before = { a, o, t, k->first - 1, &k->prev, proof };
	struct audit_figures *figures = origin_figures(o);

	k->fresh = false;
	track_each_other(t, k->first, k->last, &k->hash, report_fork, &search);
	if (!k->opens)
		track_each_other(t, k->first - 1, k->first - 1, &k->prev, report_fork, &before);
	place_frame(a, o, t, k);
	if (k->held) {
		tell_frame(a, k);
		return;
	}
	/* Told with less proof before. */
	if (!k->stub) {
		figures->events[k->told] -= k->last - k->first + 1;
		figures->events[k->proof] += k->last - k->first + 1;
	}
	k->told = k->proof;
}

void audit_prove(struct audit *a, struct origin *o, struct track *t, uint64_t seq,
		 const struct digest *hash, enum proof proof)
{
	struct fork_search search = { a, o, t, seq, hash, proof };
	const struct promise *other = track_find_promise(t, seq, hash);
	size_t from, to;

	if (other)
		audit_tell_fork(a, o, t, seq, hash, &other->hash, lesser(other->proof, proof),
				"two hashes for one place");
	/* A frame that is known is compared as a whole, when it is settled. */
	if (!track_find(t, seq, hash))
		track_each_other(t, seq, seq, hash, report_fork, &search);
	track_prove(t, seq, hash, proof, &from, &to);
	for (size_t i = from; i < to; i++)
		if (t->known[i].fresh)
			settle_frame(a, o, t, &t->known[i], proof);
}
