#include "client/record/audit_inside.h"

#include "client/say.h"
#include "proto/budget.h"

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

/* ---- frames ---- */

/* What the opening event of a lineage tells: the server's certificate and the lineage before. */
static struct parent read_opening(struct audit *a, struct origin *o, const struct frame *frame)
{
	Chime__Events *events = (Chime__Events *)budget_unpack(&chime__events__descriptor,
							       frame->body, frame->body_len);
	Chime__Event *event = events && events->n_event ? (Chime__Event *)budget_unpack(
		&chime__event__descriptor, events->event[0].data, events->event[0].len) : NULL;
	struct parent parent = { 0 };

	if (event && event->body_case == CHIME__EVENT__BODY_SERVER_UP) {
		const Chime__ServerUp *up = event->server_up;

		if (up->parent && up->parent_seq <= FRAME_SEQ_MAX)
			parent = (struct parent){ { up->parent->boot, up->parent->tag },
						  up->parent_seq };
		if (up->has_certificate)
			audit_learn(a, o, &up->certificate);
	}
	chime__event__free_unpacked(event, NULL);
	chime__events__free_unpacked(events, NULL);
	return parent;
}


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

/* Is there room for one more? Makes it, if it can be made in this lineage. */
static bool has_room(struct audit *a, struct track *t)
{
	if (track_is_full(t) || (a->known_count >= AUDIT_KNOWN_MAX && t->known_count > 1))
		make_room(a, t);
	if (a->known_count < AUDIT_KNOWN_MAX)
		return true;
	audit_tell_limit(a, "too many frames");
	return false;
}

/* A frame nobody knew. */
static void remember_frame(struct audit *a, struct hearing *hearing, struct origin *o,
			   struct track *t, const struct frame *frame, const struct digest *hash)
{
	bool late = track_is_late(t, frame);
	struct parent parent = { 0 };
	enum proof promised;
	struct known *k;

	if (frame->flags & FRAME_OPENS && !(frame->flags & FRAME_STUB))
		parent = read_opening(a, o, frame);
	if (track_is_ahead(t, frame))
		t->noticed_us = a->now_us;
	if (late)
		count_late(a, hearing, o, t);
	k = track_add(t, frame, hash, &promised);
	a->known_count++;
	k->parent = parent;
	k->held = audit_hold(a, o, t, frame, hash);
	k->held->late = late;
	if (promised != PROOF_NONE)
		audit_prove(a, o, t, k->last, hash, promised);
}

static void take_frame(struct audit *a, struct hearing *hearing, const ProtobufCBinaryData *bytes)
{
	struct frame frame;
	struct digest hash;
	struct origin *o;
	struct track *t;
	enum frame_verdict verdict = frame_parse(bytes->data, bytes->len, &frame);

	if (verdict != FRAME_OK) {
		audit_tell_malformed(a, hearing->sender, frame_verdict_name(verdict));
		return;
	}
	t = audit_get_track(a, frame.origin, frame.lineage, &o);
	if (!t)
		return;
	frame_hash(&frame, a->env_id, &hash);
	if (track_find(t, frame_last_seq(&frame), &hash) || track_is_forgotten(t, &frame))
		origin_figures(o)->repeats++;
	else if (has_room(a, t))
		remember_frame(a, hearing, o, t, &frame, &hash);
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
			audit_take_head(audit, hearing.sender, &inside->head[i]);
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

uint64_t audit_events(const struct audit_figures *figures)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < PROOF_COUNT; i++)
		sum += figures->events[i];
	return sum;
}
