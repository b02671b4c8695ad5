#include "client/record/audit_inside.h"

#include "client/say.h"
#include "proto/budget.h"
#include "proto/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one datagram. */
struct hearing {
	struct origin *sender;
	bool overtaken;			/* its heads say so */
	bool headless, counted;
};

struct audit *audit_new(const struct identity *authority,
			const uint8_t env_id[ENVIRONMENT_ID_SIZE], struct audit_sink sink)
{
	struct audit *a = say_calloc(1, sizeof(*a));

	a->roster = roster_new(authority);
	a->sink = sink;
	memcpy(a->env_id, env_id, sizeof(a->env_id));
	TAILQ_INIT(&a->held);
	return a;
}

void audit_free(struct audit *audit)
{
	struct held *h;
	struct nonce *n, *next;

	if (!audit)
		return;
	while ((h = TAILQ_FIRST(&audit->held))) {
		TAILQ_REMOVE(&audit->held, h, all);
		free(h);
	}
	HASH_ITER(hh, audit->nonces, n, next) {
		HASH_DEL(audit->nonces, n);
		free(n);
	}
	roster_free(audit->roster);
	free(audit);
}

void audit_add_certificate(struct audit *audit, const char *server, const void *der, size_t len)
{
	struct origin *o = roster_find(audit->roster, server);

	if (o)
		origin_offer(o, der, len);
}

/* ---- certificates ---- */

static void recheck_heads(struct audit *a, struct origin *o)
{
	struct head head;
	struct track *t;

	for (size_t i = 0; i < AUDIT_UNCHECKED_MAX && origin_take_head(o, &head); i++) {
		enum proof proof = origin_check(o, &head);

		t = origin_find_track(o, head.lineage);
		if (proof == PROOF_SIGNED && t && head.seq)
			audit_prove(a, o, t, head.seq, &head.frame_hash, proof);
		if (proof == PROOF_NONE) {
			origin_figures(o)->bad_signatures++;
			if (t)
				audit_tell_range(a, FINDING_BAD_SIGNATURE, o, t, head.seq,
						 head.seq, proof);
		}
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

/* What the opening event of a lineage tells: the server's certificate and the lineage before. */
static void read_opening(struct audit *a, struct origin *o, struct track *t,
			 const struct frame *frame)
{
	Chime__Events *events = (Chime__Events *)budget_unpack(&chime__events__descriptor,
							       frame->body, frame->body_len);
	Chime__Event *event = events && events->n_event ? (Chime__Event *)budget_unpack(
		&chime__event__descriptor, events->event[0].data, events->event[0].len) : NULL;
	char why[IDENTITY_WHY_SIZE];

	if (event && event->body_case == CHIME__EVENT__BODY_SERVER_UP) {
		const Chime__ServerUp *up = event->server_up;

		if (up->parent && up->parent_seq <= FRAME_SEQ_MAX) {
			t->parent = (struct lineage){ up->parent->boot, up->parent->tag };
			t->parent_seq = up->parent_seq;
		}
		if (up->has_certificate)
			note_learned(a, o, roster_learn(a->roster, o, up->certificate.data,
							up->certificate.len,
							a->now_us / 1000000, why, sizeof(why)),
				     why);
	}
	if (event)
		chime__event__free_unpacked(event, NULL);
	if (events)
		chime__events__free_unpacked(events, NULL);
}

/* ---- frames ---- */

/* Forgets the older half; what of it was not told is told now. */
static void make_room(struct audit *a, struct track *t)
{
	size_t half = t->known_count / 2;

	for (size_t i = 0; i < half; i++)
		if (t->known[i].held)
			audit_tell_unproved(a, t, &t->known[i]);
	memmove(&t->known[0], &t->known[half], (t->known_count - half) * sizeof(t->known[0]));
	t->known_count -= half;
	a->known_count -= half;
}

/* A frame behind which something was seen already: overtaken on the way, or sent again? */
static void count_late(struct audit *a, struct hearing *hearing, struct origin *o,
		       const struct track *t)
{
	bool at_once = a->now_us - t->noticed_us <= AUDIT_REORDER_US;

	if (!hearing->overtaken && !(hearing->headless && at_once)) {
		origin_figures(o)->repairs++;
		return;
	}
	if (!hearing->counted)
		origin_figures(hearing->sender)->reordered++;
	hearing->counted = true;
}

static void take_frame(struct audit *a, struct hearing *hearing, const ProtobufCBinaryData *bytes)
{
	struct frame frame;
	struct digest hash;
	struct origin *o;
	struct track *t;
	enum proof promised;
	enum frame_verdict verdict = frame_parse(bytes->data, bytes->len, &frame);
	size_t at;
	bool late;

	if (verdict != FRAME_OK) {
		origin_figures(hearing->sender)->malformed++;
		audit_tell_text(a, FINDING_MALFORMED, hearing->sender, frame_verdict_name(verdict));
		return;
	}
	o = roster_find(a->roster, frame.origin);
	t = o ? roster_get_track(a->roster, o, frame.lineage) : NULL;
	if (!t) {
		audit_tell_limit(a, "too many servers or lineages");
		return;
	}
	frame_hash(&frame, a->env_id, &hash);
	if (track_find(t, frame_last_seq(&frame), &hash) >= 0 || track_is_forgotten(t, &frame)) {
		origin_figures(o)->repeats++;
		return;
	}
	if (track_is_full(t) || (a->known_count >= AUDIT_KNOWN_MAX && t->known_count > 1))
		make_room(a, t);
	if (a->known_count >= AUDIT_KNOWN_MAX) {
		audit_tell_limit(a, "too many frames");
		return;
	}
	if (frame.flags & FRAME_OPENS && !(frame.flags & FRAME_STUB))
		read_opening(a, o, t, &frame);
	if (track_is_ahead(t, &frame))
		t->noticed_us = a->now_us;
	late = track_is_late(t, &frame);
	if (late)
		count_late(a, hearing, o, t);
	at = track_add(t, &frame, &hash, &promised);
	a->known_count++;
	t->known[at].held = audit_hold(a, o, t, &frame, &hash);
	t->known[at].held->late = late;
	if (promised != PROOF_NONE)
		audit_prove(a, o, t, frame_last_seq(&frame), &hash, promised);
}

static uint64_t first_seq_of(const ProtobufCBinaryData *bytes)
{
	struct frame frame;

	return frame_parse(bytes->data, bytes->len, &frame) == FRAME_OK ? frame.first_seq : 0;
}

/* Beacons carry the newest first; in the order of the log nothing is late by that. */
static void take_frames(struct audit *a, struct hearing *hearing, const Chime__Datagram *inside)
{
	size_t count = inside->n_frame;
	bool backwards = count > 1 && first_seq_of(&inside->frame[0]) >
				      first_seq_of(&inside->frame[count - 1]);

	for (size_t i = 0; i < count; i++)
		take_frame(a, hearing, &inside->frame[backwards ? count - 1 - i : i]);
}

/* ---- heads ---- */

static void refuse_head(struct audit *a, struct origin *o, struct track *t,
			const struct head *head)
{
	struct finding f = audit_make_finding(a, FINDING_BAD_SIGNATURE, o);

	origin_figures(o)->bad_signatures++;
	f.lineage = t->lineage;
	f.first = f.last = head->seq;
	snprintf(f.detail, sizeof(f.detail), "head with counter %llu",
		 (unsigned long long)head->counter);
	a->sink.finding(a->sink.arg, &f);
}

/* Counters of one lineage go up, and seqs with them. */
static void check_counter(struct audit *a, struct origin *o, struct track *t,
			  const struct head *head, const struct digest *digest, enum proof proof)
{
	const struct track_head *same = track_find_head(t, head->counter);
	struct digest newest = { 0 };

	if (same && same->proof == PROOF_SIGNED && proof == PROOF_SIGNED)
		audit_tell_fork(a, o, t, head->seq, digest, &same->digest, proof,
			  "two heads with one counter");
	if (proof != PROOF_SIGNED)
		return;
	if (head->counter > t->counter) {
		if (head->seq < t->counter_seq)
			audit_tell_fork(a, o, t, head->seq, &head->frame_hash, &newest, proof,
				  "a later head with a lower seq");
		t->counter = head->counter;
		t->counter_seq = head->seq;
	}
}

static void apply_head(struct audit *a, struct origin *o, struct track *t,
		       const struct head *head, enum proof proof)
{
	origin_figures(o)->heads++;
	if (proof == PROOF_UNCHECKED) {
		if (origin_figures(o)->unchecked_heads++ == 0)
			audit_tell_text(a, FINDING_UNCHECKED, o, "no certificate of it was seen");
		origin_keep_head(o, head);
	}
	if (head->seq == 0)
		return;
	audit_prove(a, o, t, head->seq, &head->frame_hash, proof);
	if (!t->begun)
		audit_begin_track(a, o, t, head->seq + 1, head->seq, false);
	audit_raise(a, o, t, head->seq, proof);
}

static void take_head(struct audit *a, struct hearing *hearing, const ProtobufCBinaryData *bytes)
{
	char why[IDENTITY_WHY_SIZE];
	const struct track_head *same;
	struct head head;
	struct digest digest;
	struct origin *o;
	struct track *t;
	enum learned learned;
	enum proof proof;
	enum head_verdict verdict = head_parse(bytes->data, bytes->len, a->env_id, &head);

	if (verdict != HEAD_OK) {
		origin_figures(hearing->sender)->malformed++;
		audit_tell_text(a, FINDING_MALFORMED, hearing->sender, head_verdict_name(verdict));
		return;
	}
	o = roster_find(a->roster, head.origin);
	t = o ? roster_get_track(a->roster, o, head.lineage) : NULL;
	if (!t) {
		audit_tell_limit(a, "too many servers or lineages");
		return;
	}
	digest_of(bytes->data, bytes->len, &digest);
	same = track_find_head(t, head.counter);
	if (same && digest_equal(&same->digest, &digest))
		return;
	while ((learned = roster_learn_offered(a->roster, o, a->now_us / 1000000, why,
					       sizeof(why))) != LEARNED_NOTHING)
		note_learned(a, o, learned, why);
	proof = origin_check(o, &head);
	if (proof == PROOF_NONE) {
		refuse_head(a, o, t, &head);
		return;
	}
	check_counter(a, o, t, &head, &digest, proof);
	track_remember_head(t, head.counter, &digest, proof);
	if (head.counter > t->counter_heard)
		t->counter_heard = head.counter;
	apply_head(a, o, t, &head, proof);
}

/* ---- datagrams ---- */

/* Is it the very same datagram again? */
static bool note_nonce(struct audit *a, const uint8_t bytes[XAES_NONCE_SIZE])
{
	struct nonce *n;

	HASH_FIND(hh, a->nonces, bytes, XAES_NONCE_SIZE, n);
	if (n)
		return true;
	if (HASH_COUNT(a->nonces) >= AUDIT_NONCES_MAX) {
		/* The hash lists its members in the order of their coming. */
		n = a->nonces;
		HASH_DEL(a->nonces, n);
	} else {
		n = say_calloc(1, sizeof(*n));
	}
	memcpy(n->bytes, bytes, sizeof(n->bytes));
	HASH_ADD(hh, a->nonces, bytes, XAES_NONCE_SIZE, n);
	return false;
}

/* Heads carry a counter that goes up: one below the highest was overtaken. */
static bool is_overtaken(struct audit *a, const Chime__Datagram *inside)
{
	for (size_t i = 0; i < inside->n_head; i++) {
		struct head head;
		struct origin *o;
		struct track *t;

		if (head_parse(inside->head[i].data, inside->head[i].len, a->env_id, &head) !=
		    HEAD_OK)
			continue;
		o = roster_find(a->roster, head.origin);
		t = o ? origin_find_track(o, head.lineage) : NULL;
		if (t && head.counter < t->counter_heard)
			return true;
	}
	return false;
}

void audit_hear(struct audit *audit, int64_t wall_us, const Chime__Datagram *inside,
		const uint8_t nonce[XAES_NONCE_SIZE], size_t len)
{
	struct hearing hearing = { .sender = roster_find(audit->roster, inside->sender),
				   .headless = inside->n_head == 0 };
	struct audit_figures *figures;

	if (!hearing.sender) {
		audit_tell_limit(audit, "too many servers or lineages");
		return;
	}
	audit->now_us = wall_us;
	audit->sender = inside->sender;
	figures = origin_figures(hearing.sender);
	figures->datagrams++;
	figures->bytes += len;
	if (note_nonce(audit, nonce)) {
		figures->duplicates++;
	} else {
		hearing.overtaken = is_overtaken(audit, inside);
		if (hearing.overtaken) {
			figures->reordered++;
			hearing.counted = true;
		}
		take_frames(audit, &hearing, inside);
		for (size_t i = 0; i < inside->n_head; i++)
			take_head(audit, &hearing, &inside->head[i]);
	}
	audit_release(audit, false);
	audit->sender = NULL;
}

/* ---- the end ---- */

static void count_lost(struct track *track, void *arg)
{
	struct audit_figures *figures = arg;
	struct span hole;
	uint64_t from = track->low;

	figures->lost += track->seen.closed;
	if (!track->begun)
		return;
	while (from <= track->high && spans_find_hole(&track->seen, from, track->high, &hole)) {
		figures->lost += hole.last - hole.first + 1;
		figures->lost_ranges++;
		from = hole.last + 1;
	}
}

static void sum_lost(struct origin *o, void *arg)
{
	struct audit_figures *figures = origin_figures(o);

	(void)arg;
	figures->lost = figures->lost_ranges = 0;
	origin_each_track(o, count_lost, figures);
}

void audit_end(struct audit *audit)
{
	audit_release(audit, true);
	roster_each(audit->roster, sum_lost, NULL);
}

struct each {
	audit_fn *fn;
	void *arg;
};

static void give_origin(struct origin *o, void *arg)
{
	const struct each *each = arg;

	each->fn(origin_name(o), origin_figures(o), each->arg);
}

void audit_each(struct audit *audit, audit_fn *fn, void *arg)
{
	struct each each = { fn, arg };

	roster_each(audit->roster, give_origin, &each);
}
