/* The feed: what comes out of datagrams, pulls and streams, and what never does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/monitor/feed.h"
#include "proto/chain.h"
#include "tests/unit/pki.h"

enum {
	EVENTS_MAX = 4000, FRAMES_MAX = 4000, HEADS_MAX = 4000, PULL_FRAMES = 60, PULL_HEADS = 16,
	WALL_S = 60,
};

static const uint8_t key_bytes[BUSKEY_SIZE] = { 7, 7, 7 };

/* ---- a server that speaks: its whole log, and what must come out of it ---- */

struct said_frame { uint8_t *raw; size_t len; struct frame frame; struct digest hash; };
struct said_event { struct lineage lineage; uint64_t seq; int64_t time; };

struct server {
	const char *name;
	struct identity *identity;
	struct lineage lineage;
	uint64_t seq, counter;
	int64_t ago_us;			/* its heads are signed that long ago */
	struct digest tip;
	bool opens;
	struct said_frame frames[FRAMES_MAX];
	size_t frame_count, frames_sent;
	struct head heads[HEADS_MAX];
	size_t head_count;
	struct said_event events[EVENTS_MAX];
	size_t event_count, heard;	/* the next one that must come out */
};

static struct {
	struct pki pki;
	struct identity *alice, *names[3], *foreign;
	struct buskey key, other_key;
	uint8_t env_id[ENVIRONMENT_ID_SIZE];
} world;

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 33) % n;
}

static void server_start(struct server *s)
{
	s->lineage = (struct lineage){ s->lineage.boot + 1, 1000 + s->lineage.boot };
	s->opens = true;
	s->counter = 0;
}

static struct server *server_new(int i)
{
	static const char *const names[] = { "alpha", "beta", "gamma" };
	struct server *s = calloc(1, sizeof(*s));

	s->name = names[i];
	s->identity = world.names[i];
	server_start(s);
	return s;
}

static void server_free(struct server *s)
{
	for (size_t i = 0; i < s->frame_count; i++)
		free(s->frames[i].raw);
	free(s);
}

/* One frame of so many events. */
static void server_say(struct server *s, uint32_t count)
{
	struct said_frame *said = &s->frames[s->frame_count++];
	Chime__Events events = CHIME__EVENTS__INIT;
	ProtobufCBinaryData list[32];
	uint8_t bytes[32][128], body[4096];
	size_t cap;

	assert_true(s->frame_count < FRAMES_MAX && s->event_count + count < EVENTS_MAX);
	said->frame = (struct frame){ .lineage = s->lineage, .first_seq = s->seq + 1,
				      .count = count, .prev_hash = s->tip,
				      .flags = s->opens ? FRAME_OPENS : 0, .body = body };
	snprintf(said->frame.origin, sizeof(said->frame.origin), "%s", s->name);
	for (uint32_t i = 0; i < count; i++) {
		Chime__Event e = CHIME__EVENT__INIT;
		Chime__ServerUp up = CHIME__SERVER_UP__INIT;
		Chime__Alarm alarm = CHIME__ALARM__INIT;

		e.has_time = true;
		e.time = (int64_t)(s->lineage.boot * 1000000 + s->seq + 1 + i);
		e.body_case = s->opens && i == 0 ? CHIME__EVENT__BODY_SERVER_UP :
						   CHIME__EVENT__BODY_ALARM;
		alarm.kind = (char *)(uintptr_t)"test";
		if (s->opens && i == 0)
			e.server_up = &up;
		else
			e.alarm = &alarm;
		list[i] = (ProtobufCBinaryData){ chime__event__pack(&e, bytes[i]), bytes[i] };
		s->events[s->event_count++] =
			(struct said_event){ s->lineage, s->seq + 1 + i, e.time };
	}
	events.event = list;
	events.n_event = count;
	said->frame.body_len = chime__events__pack(&events, body);
	cap = frame_size(strlen(s->name), said->frame.body_len);
	said->raw = malloc(cap);
	assert_int_equal(frame_build(&said->frame, said->raw, cap), 0);
	said->len = said->frame.raw_len;
	frame_hash(&said->frame, world.env_id, &s->tip);
	said->hash = s->tip;
	s->seq += count;
	s->opens = false;
}

static struct head *server_sign(struct server *s)
{
	struct head *h = &s->heads[s->head_count++];

	assert_true(s->head_count < HEADS_MAX);
	memcpy(h->env_id, world.env_id, sizeof(h->env_id));
	snprintf(h->origin, sizeof(h->origin), "%s", s->name);
	h->lineage = s->lineage;
	h->seq = s->seq;
	h->frame_hash = s->tip;
	h->counter = ++s->counter;
	h->wall_us = (int64_t)time(NULL) * 1000000 - s->ago_us;
	assert_int_equal(head_sign(h, identity_key(s->identity)), 0);
	return h;
}

/* ---- datagrams ---- */

struct datagram { size_t len; uint8_t bytes[ENVELOPE_INPUT_MAX]; };

/* Raw frames and heads of anybody, under any key. */
static void seal(struct datagram *d, const struct buskey *key, const char *sender,
		 const ProtobufCBinaryData *frames, size_t n_frame,
		 const ProtobufCBinaryData *heads, size_t n_head)
{
	Chime__Datagram message = CHIME__DATAGRAM__INIT;
	uint8_t plain[ENVELOPE_PLAIN_MAX];

	message.sender = (char *)(uintptr_t)sender;
	message.frame = (ProtobufCBinaryData *)(uintptr_t)frames;
	message.n_frame = n_frame;
	message.head = (ProtobufCBinaryData *)(uintptr_t)heads;
	message.n_head = n_head;
	assert_true(chime__datagram__get_packed_size(&message) <= sizeof(plain));
	assert_int_equal(envelope_seal(key, world.env_id, plain,
				       chime__datagram__pack(&message, plain), d->bytes,
				       sizeof(d->bytes), &d->len), 0);
}

static ProtobufCBinaryData data_of_frame(const struct said_frame *f)
{
	return (ProtobufCBinaryData){ f->len, f->raw };
}

static ProtobufCBinaryData data_of_head(const struct head *h)
{
	return (ProtobufCBinaryData){ h->raw_len, (uint8_t *)(uintptr_t)h->raw };
}

/* frame -1 or head NULL: none */
static void server_seal(struct datagram *d, const struct server *s, long frame,
			const struct head *head)
{
	ProtobufCBinaryData f = { 0 }, h = { 0 };

	if (frame >= 0)
		f = data_of_frame(&s->frames[frame]);
	if (head)
		h = data_of_head(head);
	seal(d, &world.key, s->name, &f, frame >= 0, &h, head != NULL);
}

/* ---- the monitor's side ---- */

static struct moment at(int64_t us)
{
	return (struct moment){ .wall_us = (int64_t)time(NULL) * 1000000, .boot_us = us };
}

static void give_key(struct feed *feed, const uint8_t *bytes)
{
	Chime__BusReply reply = CHIME__BUS_REPLY__INIT;
	ProtobufCBinaryData key = { BUSKEY_SIZE, (uint8_t *)(uintptr_t)bytes };

	reply.key = &key;
	reply.n_key = 1;
	feed_take_bus(feed, &reply, at(1));
}

static bool give_certificate(struct feed *feed, const struct server *s)
{
	size_t len;
	const uint8_t *der = identity_der(s->identity, &len);

	return feed_take_certificate(feed, s->name, der, len, at(1));
}

static struct feed *feed_for(const struct server *a, const struct server *b)
{
	struct feed *feed = feed_new(world.env_id, world.alice);

	give_key(feed, key_bytes);
	assert_true(give_certificate(feed, a));
	if (b)
		assert_true(give_certificate(feed, b));
	return feed;
}

/* The position behind so many frames; what comes before it need not come out any more. */
static void give_position(struct feed *feed, struct server *s, size_t frames)
{
	Chime__Position position = CHIME__POSITION__INIT, *list = &position;
	Chime__Lineage lineage = CHIME__LINEAGE__INIT;

	position.server = (char *)(uintptr_t)s->name;
	position.has_seq = true;
	if (frames) {
		const struct said_frame *f = &s->frames[frames - 1];

		lineage.boot = f->frame.lineage.boot;
		lineage.tag = f->frame.lineage.tag;
		position.lineage = &lineage;
		position.seq = frame_last_seq(&f->frame);
		position.has_hash = true;
		position.hash = (ProtobufCBinaryData){ DIGEST_SIZE,
						       (uint8_t *)(uintptr_t)f->hash.b };
		while (s->heard < s->event_count &&
		       (s->events[s->heard].lineage.boot < lineage.boot ||
			(s->events[s->heard].lineage.boot == lineage.boot &&
			 s->events[s->heard].seq <= position.seq)))
			s->heard++;
	}
	feed_take_positions(feed, &list, 1);
}

static void hear(struct feed *feed, const struct server *s, long frame, const struct head *head,
		 int64_t us)
{
	struct datagram d;

	server_seal(&d, s, frame, head);
	feed_take_datagram(feed, d.bytes, d.len, at(us));
}

/* What comes out is what was said next, and nothing else; how many. */
static size_t collect(struct feed *feed, struct server *a, struct server *b)
{
	struct feed_event e;
	size_t count = 0;

	for (; feed_next(feed, &e); count++) {
		struct server *s = b && strcmp(e.origin, b->name) == 0 ? b : a;

		assert_string_equal(e.origin, s->name);
		assert_true(s->heard < s->event_count);
		assert_true(lineage_equal(e.lineage, s->events[s->heard].lineage));
		assert_int_equal(e.seq, s->events[s->heard].seq);
		assert_int_equal(e.event->time, s->events[s->heard].time);
		s->heard++;
	}
	return count;
}

static uint64_t counter(const struct feed *feed, const char *name)
{
	const char *found;
	uint64_t value;

	for (size_t i = 0; (found = feed_counter(feed, i, &value)); i++)
		if (strcmp(found, name) == 0)
			return value;
	fail_msg("no counter %s", name);
	return 0;
}

static bool is_covered(const struct server *s, const struct said_frame *f)
{
	for (size_t i = 0; i < s->head_count; i++)
		if (digest_equal(&s->heads[i].frame_hash, &f->hash))
			return true;
	return false;
}

/*
 * As a server answers: frames beyond what is had, about PULL_FRAMES, up to one that a head
 * covers; then of each lineage its newest heads in that range, newest first.
 */
static void answer_pull(struct feed *feed, const struct server *s, const struct feed_want *want,
			int64_t us)
{
	Chime__PullReply reply = CHIME__PULL_REPLY__INIT;
	ProtobufCBinaryData frames[4 * PULL_FRAMES], heads[HEADS_MAX];
	const struct said_frame *last[4 * PULL_FRAMES];
	uint64_t low = want->have_count ? UINT64_MAX : 0;

	reply.frame = frames;
	reply.head = heads;
	for (size_t i = 0; i < want->have_count; i++)
		if (want->have_lineage[i].boot < low)
			low = want->have_lineage[i].boot;
	for (size_t i = 0; i < s->frame_count; i++) {
		const struct frame *f = &s->frames[i].frame;
		uint64_t have = 0;

		for (size_t k = 0; k < want->have_count; k++)
			if (lineage_equal(want->have_lineage[k], f->lineage))
				have = want->have_seq[k];
		if (f->lineage.boot < low || f->first_seq <= have)
			continue;
		reply.has_more = true;
		reply.more = reply.n_frame >= PULL_FRAMES && is_covered(s, last[reply.n_frame - 1]);
		if (reply.more)
			break;
		assert_true(reply.n_frame < 4 * PULL_FRAMES);
		last[reply.n_frame] = &s->frames[i];
		frames[reply.n_frame++] = data_of_frame(&s->frames[i]);
	}
	for (size_t i = 0; i < reply.n_frame; i++) {
		const struct frame *f = &last[i]->frame;
		size_t given = 0;

		if (i + 1 < reply.n_frame && lineage_equal(f->lineage, last[i + 1]->frame.lineage))
			continue;
		for (size_t k = s->head_count; k-- > 0 && given < PULL_HEADS;) {
			if (!lineage_equal(s->heads[k].lineage, f->lineage) ||
			    s->heads[k].seq > frame_last_seq(f))
				continue;
			heads[reply.n_head++] = data_of_head(&s->heads[k]);
			given++;
		}
	}
	feed_take_pull(feed, s->name, &reply, at(us));
}

/* ---- from a position on ---- */

static void it_goes_on_from_a_position(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);
	struct feed_want want;
	const char *name;
	uint64_t count;

	(void)state;
	for (int i = 0; i < 10; i++)
		server_say(s, 2);
	give_position(feed, s, 10);
	/* A head that ends with the position is no gap. */
	hear(feed, s, -1, server_sign(s), 1000);
	assert_int_equal(feed_due_us(feed), INT64_MAX);
	assert_true(feed_next_head(feed, &name));
	assert_string_equal(name, "alpha");
	assert_false(feed_next_head(feed, &name));
	assert_true(feed_hears_group(feed, at(1000 + FEED_GROUP_US)));
	assert_false(feed_hears_group(feed, at(1001 + FEED_GROUP_US)));
	server_say(s, 3);
	hear(feed, s, 10, NULL, 2000);
	assert_int_equal(collect(feed, s, NULL), 0);
	hear(feed, s, -1, server_sign(s), 2000);
	assert_int_equal(collect(feed, s, NULL), 3);
	hear(feed, s, 10, &s->heads[1], 2000);
	assert_int_equal(collect(feed, s, NULL), 0);
	assert_false(feed_missing(feed, 0, &name, &count));
	assert_false(feed_want(feed, at(9000000), &want));
	feed_free(feed);
	server_free(s);
}

static void what_is_heard_early_is_not_lost(void **state)
{
	(void)state;
	/* Bit 0: the certificate comes before the position; bit 1: both after everything. */
	for (int order = 0; order < 4; order++) {
		struct server *s = server_new(0);
		struct feed *feed = feed_new(world.env_id, world.alice);

		give_key(feed, key_bytes);
		for (int i = 0; i < 10; i++)
			server_say(s, 1);
		if (!(order & 2) && order & 1)
			assert_true(give_certificate(feed, s));
		if (!(order & 2) && !(order & 1))
			give_position(feed, s, 4);
		for (int i = 2; i < 10; i++)
			hear(feed, s, i, NULL, 1000);
		hear(feed, s, -1, server_sign(s), 2000);
		assert_int_equal(collect(feed, s, NULL), 0);
		assert_false(feed_hears_group(feed, at(2000)));
		/* In the room that all strangers share. */
		assert_int_equal(counter(feed, "kept until they can be judged"),
				 order == 0 ? 1 : 9);
		if (order & 2 && order & 1) {
			assert_true(give_certificate(feed, s));
			give_position(feed, s, 4);
		} else if (order & 2) {
			give_position(feed, s, 4);
			assert_true(give_certificate(feed, s));
		} else if (order & 1) {
			give_position(feed, s, 4);
		} else {
			assert_true(give_certificate(feed, s));
		}
		assert_int_equal(collect(feed, s, NULL), 6);
		assert_int_equal(s->heard, 10);
		assert_true(feed_hears_group(feed, at(2000)));
		feed_free(feed);
		server_free(s);
	}
}

static void a_gap_is_pulled_after_the_guard(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);
	struct feed_want want;
	const char *name;
	uint64_t count;

	(void)state;
	server_say(s, 1);
	give_position(feed, s, 1);
	server_say(s, 2);
	server_say(s, 2);
	hear(feed, s, 2, server_sign(s), 1000);
	assert_false(feed_want(feed, at(1000), &want));
	assert_false(feed_missing(feed, 0, &name, &count));
	assert_int_equal(feed_due_us(feed), 1000 + FEED_GUARD_US);
	assert_true(feed_want(feed, at(1000 + FEED_GUARD_US), &want));
	assert_int_equal(want.kind, FEED_WANT_PULL);
	assert_string_equal(want.server, "alpha");
	assert_int_equal(want.have_count, 1);
	assert_int_equal(want.have_seq[0], 1);
	assert_true(feed_missing(feed, 0, &name, &count));
	assert_string_equal(name, "alpha");
	assert_int_equal(count, 4);
	assert_false(feed_missing(feed, 1, &name, &count));
	assert_false(feed_want(feed, at(1001 + FEED_GUARD_US), &want));
	/* It failed: again later; it was lost: again later too. */
	feed_take_pull(feed, "alpha", NULL, at(50000));
	assert_false(feed_want(feed, at(50000 + FEED_ASK_US - 1), &want));
	assert_true(feed_want(feed, at(50000 + FEED_ASK_US), &want));
	assert_true(feed_due_us(feed) < INT64_MAX);
	assert_true(feed_want(feed, at(feed_due_us(feed)), &want));
	answer_pull(feed, s, &want, 9000000);
	assert_int_equal(collect(feed, s, NULL), 4);
	assert_false(feed_missing(feed, 0, &name, &count));
	assert_int_equal(feed_due_us(feed), INT64_MAX);
	/* The head that proves it may have been heard before. */
	server_say(s, 1);
	server_say(s, 1);
	hear(feed, s, 4, server_sign(s), 10000000);
	Chime__PullReply reply = CHIME__PULL_REPLY__INIT;
	ProtobufCBinaryData frame = data_of_frame(&s->frames[3]);
	reply.frame = &frame;
	reply.n_frame = 1;
	feed_take_pull(feed, "alpha", &reply, at(11000000));
	assert_int_equal(collect(feed, s, NULL), 2);
	assert_int_equal(feed_due_us(feed), INT64_MAX);
	feed_free(feed);
	server_free(s);
}

static void a_restart_goes_through_and_is_pulled_when_missed(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);
	struct feed_want want;

	(void)state;
	server_say(s, 1);
	give_position(feed, s, 1);
	server_start(s);
	server_say(s, 2);
	hear(feed, s, 1, server_sign(s), 1000);
	assert_int_equal(collect(feed, s, NULL), 2);
	/* Twice more, the first not heard at all, of the second the opening frame is lost. */
	server_start(s);
	server_say(s, 1);
	server_sign(s);
	server_start(s);
	s->seq += 1000000;
	server_say(s, 1);
	server_say(s, 1);
	hear(feed, s, 4, server_sign(s), 2000);
	assert_int_equal(collect(feed, s, NULL), 0);
	assert_true(feed_want(feed, at(2000 + FEED_GUARD_US), &want));
	assert_int_equal(want.kind, FEED_WANT_PULL);
	answer_pull(feed, s, &want, 60000);
	assert_int_equal(collect(feed, s, NULL), 3);
	assert_int_equal(feed_due_us(feed), INT64_MAX);
	/* Many, with more heads than a chain keeps, in one answer. */
	for (int i = 0; i < 3 * PULL_HEADS; i++) {
		if (i % PULL_HEADS == 0)
			server_start(s);
		server_say(s, 1);
		server_sign(s);
	}
	hear(feed, s, -1, &s->heads[s->head_count - 1], 100000);
	assert_true(feed_want(feed, at(100000 + FEED_GUARD_US), &want));
	answer_pull(feed, s, &want, 200000);
	assert_int_equal(collect(feed, s, NULL), 3 * PULL_HEADS);
	assert_int_equal(feed_due_us(feed), INT64_MAX);
	feed_free(feed);
	server_free(s);
}

static void a_server_that_is_new_is_asked_about(void **state)
{
	struct server *a = server_new(0), *s = server_new(1);
	struct feed *feed = feed_for(a, NULL);
	struct feed_want want;

	(void)state;
	server_say(a, 1);
	give_position(feed, a, 1);
	server_say(s, 1);
	server_say(s, 1);
	hear(feed, s, 1, server_sign(s), 1000);
	assert_true(feed_want(feed, at(1000), &want));
	assert_int_equal(want.kind, FEED_WANT_CERTIFICATE);
	assert_string_equal(want.server, "beta");
	assert_false(feed_want(feed, at(1001), &want));
	/* Another one's certificate is none. */
	size_t len;
	const uint8_t *der = identity_der(world.names[0], &len);
	assert_false(feed_take_certificate(feed, "beta", der, len, at(1)));
	der = identity_der(world.alice, &len);
	assert_false(feed_take_certificate(feed, "alice", der, len, at(1)));
	der = identity_der(world.foreign, &len);
	assert_false(feed_take_certificate(feed, "beta", der, len, at(1)));
	assert_int_equal(counter(feed, "certificates refused"), 3);
	assert_true(give_certificate(feed, s));
	assert_true(feed_want(feed, at(2000), &want));
	assert_int_equal(want.kind, FEED_WANT_JOBS);
	assert_false(feed_want(feed, at(2001), &want));
	/* Nothing was said of it yet where it was asked: the whole log, then. */
	give_position(feed, s, 0);
	assert_int_equal(collect(feed, s, a), 0);
	assert_true(feed_want(feed, at(1000000), &want));
	assert_int_equal(want.kind, FEED_WANT_PULL);
	assert_int_equal(want.have_count, 0);
	answer_pull(feed, s, &want, 1000000);
	assert_int_equal(collect(feed, s, a), 2);
	feed_free(feed);
	server_free(s);
	server_free(a);
}

static void too_large_a_gap_is_skipped_and_told(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);
	struct feed_want want;
	const char *name;
	uint64_t count;

	(void)state;
	server_say(s, 1);
	give_position(feed, s, 1);
	s->seq += FEED_PULL_MAX + 5;	/* said, and heard by nobody here */
	server_say(s, 1);
	server_say(s, 1);
	hear(feed, s, 2, server_sign(s), 1000);
	assert_true(feed_want(feed, at(1000), &want));
	assert_int_equal(want.kind, FEED_WANT_JOBS);
	assert_true(feed_missing(feed, 0, &name, &count));
	assert_int_equal(count, FEED_PULL_MAX + 7);
	/* An answer that is no newer changes nothing: asked again later. */
	give_position(feed, s, 1);
	assert_true(feed_missing(feed, 0, &name, &count));
	assert_false(feed_want(feed, at(2000), &want));
	assert_true(feed_want(feed, at(feed_due_us(feed)), &want));
	assert_int_equal(want.kind, FEED_WANT_JOBS);
	/* What waits beyond the new position comes out at once. */
	give_position(feed, s, 2);
	assert_int_equal(collect(feed, s, NULL), 1);
	assert_false(feed_missing(feed, 0, &name, &count));
	assert_int_equal(feed_due_us(feed), INT64_MAX);
	/* Never back. */
	give_position(feed, s, 1);
	hear(feed, s, 1, &s->heads[0], 3000);
	assert_int_equal(collect(feed, s, NULL), 0);
	feed_free(feed);
	server_free(s);
}

/* An answer may be built on events whose datagrams are still on their way. */
static void an_answer_that_is_a_little_ahead_swallows_nothing(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);

	(void)state;
	server_say(s, 1);
	give_position(feed, s, 1);
	hear(feed, s, -1, server_sign(s), 1000);
	server_say(s, 2);
	server_say(s, 2);
	give_position(feed, s, 3);
	s->heard = 1;
	hear(feed, s, 1, NULL, 2000);
	hear(feed, s, 2, server_sign(s), 2000);
	assert_int_equal(collect(feed, s, NULL), 4);
	assert_int_equal(counter(feed, "events told by an answer only"), 0);
	/* The group falls silent: then the answer is all there is. */
	server_say(s, 2);
	server_say(s, 1);
	uint8_t none = 0;
	feed_take_datagram(feed, &none, 1, at(2001 + FEED_GROUP_US));
	give_position(feed, s, 4);
	assert_int_equal(counter(feed, "events told by an answer only"), 2);
	hear(feed, s, 4, server_sign(s), 9000000);
	assert_int_equal(collect(feed, s, NULL), 1);
	feed_free(feed);
	server_free(s);
}

/* A backup was restored: the new lineage begins at an old frame that is known to nobody here. */
static void a_branch_that_leads_nowhere_asks_for_jobs(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);
	struct feed_want want;
	int64_t us = 1000;
	int pulls = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		server_say(s, 1);
	give_position(feed, s, 5);
	s->tip = s->frames[1].hash;
	server_start(s);
	s->seq += 1000000;
	server_say(s, 1);
	hear(feed, s, 5, server_sign(s), us);
	for (;;) {
		us = feed_due_us(feed);
		assert_true(us < 60000000);
		if (!feed_want(feed, at(us), &want))
			continue;
		if (want.kind == FEED_WANT_JOBS)
			break;
		pulls++;
		answer_pull(feed, s, &want, us);
	}
	assert_int_equal(pulls, 2);
	give_position(feed, s, 6);
	server_say(s, 1);
	hear(feed, s, 6, server_sign(s), us);
	assert_int_equal(collect(feed, s, NULL), 1);
	/* Frames of the lineage that was left are of the past. */
	hear(feed, s, 3, NULL, us);
	assert_int_equal(counter(feed, "frames of the past"), 1);
	feed_free(feed);
	server_free(s);
}

/* ---- alive ---- */

static void replayed_heads_prove_frames_but_no_life(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);
	const char *name;

	(void)state;
	server_say(s, 1);
	give_position(feed, s, 1);
	for (int i = 0; i < 4; i++) {
		server_say(s, 1);
		server_sign(s);
	}
	server_sign(s);
	/* Of two heads that came in the wrong order, the older one proves, and is not heard. */
	hear(feed, s, -1, &s->heads[4], 1000);
	assert_true(feed_next_head(feed, &name));
	hear(feed, s, 1, &s->heads[0], 5000);
	assert_int_equal(collect(feed, s, NULL), 1);
	assert_false(feed_next_head(feed, &name));
	for (int i = 0; i < 5; i++)
		hear(feed, s, i, &s->heads[i], 6000 + i);
	assert_int_equal(collect(feed, s, NULL), 3);
	assert_false(feed_next_head(feed, &name));
	assert_int_equal(feed_heard_us(feed), 1000);
	feed_free(feed);
	/* Heard first after the start: what was recorded before the position is no life either. */
	feed = feed_for(s, NULL);
	give_position(feed, s, 4);
	for (int i = 0; i < 3; i++)
		hear(feed, s, -1, &s->heads[i], 1000);
	assert_int_equal(counter(feed, "heads heard before"), 2);
	assert_true(feed_next_head(feed, &name));	/* that of the position itself */
	feed_free(feed);
	/* Nor what was repeated by a pull, nor a leave. */
	feed = feed_for(s, NULL);
	s->heard = 0;
	give_position(feed, s, 1);
	answer_pull(feed, s, &(struct feed_want){ .have_count = 0 }, 1000);
	assert_int_equal(collect(feed, s, NULL), 4);
	assert_false(feed_next_head(feed, &name));
	server_say(s, 1);
	struct head *leave = server_sign(s);
	leave->flags = HEAD_GOODBYE;
	assert_int_equal(head_sign(leave, identity_key(s->identity)), 0);
	hear(feed, s, 5, leave, 2000);
	assert_false(feed_next_head(feed, &name));
	assert_int_equal(collect(feed, s, NULL), 1);
	feed_free(feed);
	server_free(s);
}

/* ---- streams ---- */

static void stream(struct feed *feed, const struct server *s, size_t first, size_t count,
		   int64_t us)
{
	Chime__EventsReply reply = CHIME__EVENTS_REPLY__INIT;
	Chime__EventRow rows[32], *list[32];
	Chime__Lineage lineages[32];
	uint8_t bytes[32][64];

	for (size_t i = 0; i < count; i++) {
		const struct said_event *e = &s->events[first + i];
		Chime__Event event = CHIME__EVENT__INIT;
		Chime__ServerUp up = CHIME__SERVER_UP__INIT;
		Chime__Lineage parent = CHIME__LINEAGE__INIT;
		const struct said_event *before = first + i ? e - 1 : NULL;

		event.has_time = true;
		event.time = e->time;
		if (!before || !lineage_equal(before->lineage, e->lineage)) {
			event.body_case = CHIME__EVENT__BODY_SERVER_UP;
			event.server_up = &up;
			if (before) {
				parent.boot = before->lineage.boot;
				parent.tag = before->lineage.tag;
				parent.has_boot = parent.has_tag = true;
				up.parent = &parent;
				up.has_parent_seq = true;
				up.parent_seq = before->seq;
			}
		}
		chime__event_row__init(&rows[i]);
		chime__lineage__init(&lineages[i]);
		lineages[i].boot = e->lineage.boot;
		lineages[i].tag = e->lineage.tag;
		rows[i].origin = (char *)(uintptr_t)s->name;
		rows[i].lineage = &lineages[i];
		rows[i].seq = e->seq;
		rows[i].has_event = true;
		rows[i].event = (ProtobufCBinaryData){ chime__event__pack(&event, bytes[i]),
						       bytes[i] };
		list[i] = &rows[i];
	}
	reply.event = list;
	reply.n_event = count;
	feed_take_stream(feed, &reply, at(us));
}

static void a_stream_tells_each_event_once_and_sees_holes(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_new(world.env_id, NULL);
	struct feed_want want;
	const char *name;
	uint64_t count;

	(void)state;
	for (int i = 0; i < 6; i++)
		server_say(s, 1);
	server_start(s);
	s->seq += 1000000;
	for (int i = 0; i < 6; i++)
		server_say(s, 1);
	give_position(feed, s, 2);
	stream(feed, s, 0, 4, 1000);
	assert_int_equal(collect(feed, s, NULL), 2);
	stream(feed, s, 3, 5, 2000);	/* over the restart: no hole by design */
	assert_int_equal(collect(feed, s, NULL), 4);
	assert_false(feed_missing(feed, 0, &name, &count));
	assert_false(feed_want(feed, at(2000), &want));
	assert_int_equal(feed_heard_us(feed), 2000);
	assert_false(feed_hears_group(feed, at(2000)));
	s->heard += 2;
	stream(feed, s, 10, 1, 3000);
	assert_int_equal(collect(feed, s, NULL), 1);
	assert_true(feed_missing(feed, 0, &name, &count));
	assert_int_equal(count, 2);
	assert_true(feed_want(feed, at(3000), &want));
	assert_int_equal(want.kind, FEED_WANT_JOBS);
	give_position(feed, s, 8);	/* built before the hole ended */
	assert_true(feed_missing(feed, 0, &name, &count));
	give_position(feed, s, 10);
	assert_false(feed_missing(feed, 0, &name, &count));
	stream(feed, s, 9, 3, 4000);
	assert_int_equal(collect(feed, s, NULL), 1);
	feed_free(feed);
	/* The last of the old lineage and the first of the new one are missing. */
	feed = feed_new(world.env_id, NULL);
	s->heard = 0;
	give_position(feed, s, 4);
	stream(feed, s, 6, 2, 1000);
	s->heard = 6;
	assert_int_equal(collect(feed, s, NULL), 2);
	assert_true(feed_missing(feed, 0, &name, &count));
	feed_free(feed);
	/* Streamed before the first position, which turns out to lie further back. */
	feed = feed_new(world.env_id, NULL);
	stream(feed, s, 9, 1, 1000);
	s->heard = 9;
	assert_int_equal(collect(feed, s, NULL), 1);
	give_position(feed, s, 8);
	assert_true(feed_missing(feed, 0, &name, &count));
	assert_int_equal(count, 1);
	give_position(feed, s, 9);
	assert_false(feed_missing(feed, 0, &name, &count));
	feed_free(feed);
	server_free(s);
}

static void stream_and_group_together_tell_once(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);
	struct feed_want want;
	size_t total = 0;

	(void)state;
	server_say(s, 2);
	give_position(feed, s, 1);
	hear(feed, s, -1, server_sign(s), 500);
	random_state = 11;
	for (int i = 1; i < 200; i++) {
		if (i == 77)
			server_start(s);
		server_say(s, 2);
		server_sign(s);
		if (random_below(2))
			stream(feed, s, s->event_count - 2, 2, i * 1000);
		if (random_below(3))
			hear(feed, s, i, &s->heads[i], i * 1000);
		if (random_below(2))
			stream(feed, s, s->event_count - 3, 3, i * 1000);
		total += collect(feed, s, NULL);
		if (feed_want(feed, at(i * 1000), &want) && want.kind == FEED_WANT_PULL)
			answer_pull(feed, s, &want, i * 1000);
		total += collect(feed, s, NULL);
	}
	while (feed_due_us(feed) < INT64_MAX) {
		int64_t us = feed_due_us(feed);

		if (feed_want(feed, at(us), &want) && want.kind == FEED_WANT_PULL)
			answer_pull(feed, s, &want, us);
		assert_int_not_equal(want.kind, FEED_WANT_JOBS);
		total += collect(feed, s, NULL);
	}
	assert_int_equal(s->heard, s->event_count);
	assert_int_equal(total, s->event_count - 2);
	assert_true(counter(feed, "events heard before") > 0);
	feed_free(feed);
	server_free(s);
}

/* ---- what is forged ---- */

static void bad_heads_prove_nothing(void **state)
{
	struct server *s = server_new(0), *b = server_new(1);
	struct feed *feed = feed_for(s, b);
	struct feed_want want;
	struct datagram d;
	struct head forged;
	const char *name;

	(void)state;
	server_say(s, 1);
	server_say(b, 1);
	give_position(feed, s, 1);
	give_position(feed, b, 1);
	server_say(s, 1);
	/* Signed by another server of this environment. */
	forged = *server_sign(s);
	assert_int_equal(head_sign(&forged, identity_key(b->identity)), 0);
	hear(feed, s, 1, &forged, 1000);
	/* With a signature that was changed. */
	forged = s->heads[0];
	forged.raw[forged.raw_len - 1] ^= 1;
	hear(feed, s, 1, &forged, 1000);
	assert_int_equal(counter(feed, "heads with a bad signature"), 2);
	assert_int_equal(collect(feed, s, b), 0);
	assert_false(feed_next_head(feed, &name));
	/* It may have a new certificate: that is asked, rarely, and nothing else. */
	assert_true(feed_want(feed, at(1000), &want));
	assert_int_equal(want.kind, FEED_WANT_CERTIFICATE);
	assert_false(feed_want(feed, at(1000 + FEED_ASK_US - 1), &want));
	/* Under another key, cut, too long, and none at all. */
	ProtobufCBinaryData f = data_of_frame(&s->frames[1]), h = data_of_head(&s->heads[0]);
	seal(&d, &world.other_key, "alpha", &f, 1, &h, 1);
	feed_take_datagram(feed, d.bytes, d.len, at(3000));
	assert_int_equal(counter(feed, "under an unknown key"), 1);
	assert_true(feed_want(feed, at(3000), &want));
	assert_int_equal(want.kind, FEED_WANT_BUS);
	server_seal(&d, s, 1, &s->heads[0]);
	for (size_t len = 0; len < d.len; len++)
		feed_take_datagram(feed, d.bytes, len, at(4000));
	assert_int_equal(counter(feed, "not opened"), d.len);
	assert_int_equal(collect(feed, s, b), 0);
	feed_take_datagram(feed, d.bytes, d.len, at(5000));
	assert_int_equal(collect(feed, s, b), 1);
	feed_free(feed);
	server_free(s);
	server_free(b);
}

/* Every byte of every datagram, changed on the wire, and changed by who has the key. */
static void flipped_bytes_bring_nothing_untrue(void **state)
{
	struct server *s = server_new(0), *b = server_new(1);
	struct feed *feed = feed_for(s, b);
	struct datagram d[12], bad;
	struct keyring ring = { 0 };
	size_t count = 0;
	uint64_t opened = 0;

	(void)state;
	assert_int_equal(keyring_add(&ring, key_bytes), 0);
	server_say(s, 1);
	server_say(b, 1);
	give_position(feed, s, 1);
	give_position(feed, b, 1);
	random_state = 5;
	for (int i = 1; i <= 6; i++) {
		if (i == 4)
			server_start(s);
		server_say(s, 2);
		server_say(b, 1);
		server_seal(&d[count++], s, i, server_sign(s));
		server_seal(&d[count++], b, i, server_sign(b));
	}
	for (size_t i = 0; i < count; i++) {
		struct opened plain;
		const uint8_t *bytes = plain.bytes;

		for (size_t at_byte = 0; at_byte < d[i].len; at_byte++) {
			bad = d[i];
			bad.bytes[at_byte] ^= (uint8_t)(1 + random_below(255));
			feed_take_datagram(feed, bad.bytes, bad.len, at(1000));
		}
		assert_int_equal(collect(feed, s, b), 0);
		assert_int_equal(envelope_open(&ring, world.env_id, d[i].bytes, d[i].len, &plain),
				 ENVELOPE_OK);
		for (size_t at_byte = 0; at_byte < plain.len; at_byte++) {
			plain.bytes[at_byte] ^= (uint8_t)(1 << (opened & 7));
			assert_int_equal(envelope_seal(&world.key, world.env_id, bytes, plain.len,
						       bad.bytes, sizeof(bad.bytes), &bad.len), 0);
			plain.bytes[at_byte] ^= (uint8_t)(1 << (opened++ & 7));
			feed_take_datagram(feed, bad.bytes, bad.len, at(2000));
			/* True frames with a false neighbour may come out: once, in order. */
			collect(feed, s, b);
		}
	}
	for (size_t i = 0; i < count; i++)
		feed_take_datagram(feed, d[i].bytes, d[i].len, at(3000));
	collect(feed, s, b);
	assert_int_equal(s->heard, s->event_count);
	assert_int_equal(b->heard, b->event_count);
	assert_true(counter(feed, "heads with a bad signature") > 100);
	assert_true(counter(feed, "malformed") > 100);
	keyring_fini(&ring);
	feed_free(feed);
	server_free(s);
	server_free(b);
}

/* Who has the key of the group makes up names: the true ones still are heard. */
static void strangers_fill_nothing(void **state)
{
	struct server *s = server_new(0), *b = server_new(1);
	struct feed *feed = feed_for(s, NULL);
	struct feed_want want;
	struct frame frame = { 0 };
	uint8_t raw[256], body = 0;
	int asked = 0;

	(void)state;
	server_say(s, 1);
	give_position(feed, s, 1);
	for (int i = 0; i < FEED_SERVERS_MAX + 900; i++) {
		struct datagram d;
		ProtobufCBinaryData f = { 0, raw };

		frame = (struct frame){ .lineage = { 1, 1 }, .first_seq = 1, .count = 1,
					.flags = FRAME_OPENS, .body = &body, .body_len = 1 };
		snprintf(frame.origin, sizeof(frame.origin), "x%d", i);
		assert_int_equal(frame_build(&frame, raw, sizeof(raw)), 0);
		f.len = frame.raw_len;
		seal(&d, &world.key, "alpha", &f, 1, NULL, 0);
		feed_take_datagram(feed, d.bytes, d.len, at(1000 + i));
		asked += feed_want(feed, at(1000 + i), &want);
	}
	assert_int_equal(asked, 1);
	server_say(s, 1);
	hear(feed, s, 1, server_sign(s), 20000);
	assert_int_equal(collect(feed, s, b), 1);
	server_say(b, 1);
	server_say(b, 1);
	hear(feed, b, 1, server_sign(b), 20000);
	assert_true(give_certificate(feed, b));
	give_position(feed, b, 1);
	assert_int_equal(collect(feed, s, b), 1);
	feed_free(feed);
	server_free(s);
	server_free(b);
}

/* What a server signed long ago is repeated by somebody who has the key of the group. */
static void recordings_prove_no_life(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);
	const char *name;

	(void)state;
	server_say(s, 1);
	give_position(feed, s, 1);
	s->ago_us = 600000000;
	for (int i = 0; i < 3; i++)
		hear(feed, s, -1, server_sign(s), 1000 + i);
	assert_false(feed_next_head(feed, &name));
	assert_false(feed_hears_group(feed, at(2000)));
	/* It proves what it says all the same. */
	server_say(s, 1);
	hear(feed, s, 1, server_sign(s), 3000);
	assert_int_equal(collect(feed, s, NULL), 1);
	assert_false(feed_next_head(feed, &name));
	s->ago_us = -600000000;
	hear(feed, s, -1, server_sign(s), 4000);
	assert_false(feed_next_head(feed, &name));
	s->ago_us = 1000000;
	hear(feed, s, -1, server_sign(s), 5000);
	assert_true(feed_next_head(feed, &name));
	assert_true(feed_hears_group(feed, at(5000)));
	feed_free(feed);
	server_free(s);
}

/* The name of a stranger beside it keeps nothing of a log from coming out. */
static void a_stranger_beside_it_hides_nothing(void **state)
{
	struct server *s = server_new(0), *b = server_new(1);
	struct feed *feed = feed_for(s, NULL);
	ProtobufCBinaryData frame, heads[2];
	struct datagram d;

	(void)state;
	server_say(s, 1);
	server_say(s, 1);
	give_position(feed, s, 1);
	frame = data_of_frame(&s->frames[1]);
	heads[0] = data_of_head(server_sign(s));
	server_say(b, 1);
	heads[1] = data_of_head(server_sign(b));
	seal(&d, &world.key, "alpha", &frame, 1, heads, 2);
	feed_take_datagram(feed, d.bytes, d.len, at(1000));
	assert_int_equal(collect(feed, s, b), 1);
	feed_free(feed);
	server_free(s);
	server_free(b);
}

/* Positions make logs of any names; their frames share one bound until there is a certificate. */
static void logs_without_certificate_share_a_bound(void **state)
{
	enum { LOGS = 6, BODY = 1300, EACH = 3000 };
	static uint8_t body[BODY], raw[BODY + 512];
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);

	(void)state;
	for (int i = 0; i < LOGS; i++) {
		Chime__Position position = CHIME__POSITION__INIT, *list = &position;
		char name[FRAME_ORIGIN_SIZE];

		snprintf(name, sizeof(name), "x%d", i);
		position.server = name;
		feed_take_positions(feed, &list, 1);
		for (int k = 0; k < EACH; k++) {
			struct frame frame = { .lineage = { 1, 1 }, .first_seq = (uint64_t)k + 1,
					       .count = 1, .flags = FRAME_OPENS, .body = body,
					       .body_len = BODY };
			ProtobufCBinaryData f = { 0, raw };
			struct datagram d;

			memcpy(frame.origin, name, sizeof(name));
			assert_int_equal(frame_build(&frame, raw, sizeof(raw)), 0);
			f.len = frame.raw_len;
			seal(&d, &world.key, "alpha", &f, 1, NULL, 0);
			feed_take_datagram(feed, d.bytes, d.len, at(1000));
		}
	}
	/* 16 MiB of them, the rest in the room that strangers share. */
	assert_true(counter(feed, "frames") <= ((16 << 20) / BODY) + 1);
	assert_true(counter(feed, "kept until they can be judged") > 0);
	server_say(s, 1);
	server_say(s, 1);
	give_position(feed, s, 1);
	hear(feed, s, 1, server_sign(s), 2000);
	assert_int_equal(collect(feed, s, NULL), 1);
	feed_free(feed);
	server_free(s);
}

static void a_position_beyond_all_numbers_is_none(void **state)
{
	Chime__Position position = CHIME__POSITION__INIT, *list = &position;
	Chime__Lineage lineage = CHIME__LINEAGE__INIT;
	uint8_t hash[DIGEST_SIZE] = { 1 };
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);

	(void)state;
	server_say(s, 1);
	server_say(s, 1);
	give_position(feed, s, 1);
	lineage.boot = s->lineage.boot;
	lineage.tag = s->lineage.tag;
	position.server = (char *)(uintptr_t)s->name;
	position.lineage = &lineage;
	position.seq = UINT64_MAX;
	position.hash = (ProtobufCBinaryData){ DIGEST_SIZE, hash };
	feed_take_positions(feed, &list, 1);
	hear(feed, s, 1, server_sign(s), 1000);
	assert_int_equal(collect(feed, s, NULL), 1);
	feed_free(feed);
	server_free(s);
}

static void keys_change(void **state)
{
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);
	struct feed_want want;
	struct datagram d;

	(void)state;
	server_say(s, 1);
	give_position(feed, s, 1);
	/* More rotations than the ring holds. */
	for (uint8_t i = 1; i <= 7; i++) {
		struct buskey key;
		uint8_t bytes[BUSKEY_SIZE] = { i };
		int64_t us = (int64_t)i * 100000000;

		server_say(s, 1);
		buskey_init(&key, bytes);
		ProtobufCBinaryData f = data_of_frame(&s->frames[i]),
				    h = data_of_head(server_sign(s));
		seal(&d, &key, "alpha", &f, 1, &h, 1);
		feed_take_datagram(feed, d.bytes, d.len, at(us));
		assert_int_equal(collect(feed, s, NULL), 0);
		assert_true(feed_want(feed, at(us), &want));
		assert_int_equal(want.kind, FEED_WANT_BUS);
		give_key(feed, bytes);
		feed_take_datagram(feed, d.bytes, d.len, at(us));
		assert_int_equal(collect(feed, s, NULL), 1);
		buskey_fini(&key);
	}
	/* A key that nobody here knows of is asked for ever more rarely. */
	seal(&d, &world.other_key, "alpha", NULL, 0, NULL, 0);
	int asked = 0;
	for (int64_t us = 800000000; us < 900000000; us += 100000) {
		feed_take_datagram(feed, d.bytes, d.len, at(us));
		asked += feed_want(feed, at(us), &want);
	}
	assert_in_range(asked, 4, 12);
	feed_free(feed);
	server_free(s);
}

/* ---- a bad network ---- */

struct flight { struct datagram d; int64_t at_us; };
struct question { struct feed_want want; int64_t at_us; bool open; };

enum { FLIGHT_MAX = 512 };

static void fly(struct flight *flights, size_t *count, const struct datagram *d, int64_t now_us,
		unsigned loss)
{
	for (int copy = 0; copy < 2; copy++) {
		if (random_below(100) < loss || *count == FLIGHT_MAX ||
		    (copy && random_below(10)))
			continue;
		flights[*count].d = *d;
		flights[(*count)++].at_us = now_us + (int64_t)random_below(8000);
	}
}

/* What a server sends in a turn; with its newest head, that may have been heard. */
static void speak(struct server *s, struct flight *flights, size_t *count, int64_t now_us,
		  unsigned loss)
{
	struct datagram d;

	if (!random_below(40)) {
		server_start(s);
		s->seq += random_below(3) ? 0 : 1000000;
	}
	for (uint64_t n = random_below(4); n > 0; n--)
		server_say(s, 1 + (uint32_t)random_below(5));
	struct head *head = s->opens ? NULL : server_sign(s);
	for (; s->frames_sent < s->frame_count; s->frames_sent++) {
		server_seal(&d, s, (long)s->frames_sent,
			    s->frames_sent + 1 == s->frame_count ? head : NULL);
		fly(flights, count, &d, now_us, loss);
	}
	if (head) {
		server_seal(&d, s, -1, head);
		fly(flights, count, &d, now_us + 2000, loss);
	}
}

static void live_through(uint64_t seed, unsigned loss, uint64_t *pulls, uint64_t *events)
{
	static struct flight flights[FLIGHT_MAX];
	struct server *s[2] = { server_new(0), server_new(1) };
	struct feed *feed = feed_for(s[0], s[1]);
	struct question asked[2] = { 0 };
	size_t flying = 0;
	const char *name;
	uint64_t count;
	int64_t us = 1000;

	random_state = seed * 7919;
	for (int i = 0; i < 2; i++) {
		for (uint64_t n = 1 + random_below(20); n > 0; n--)
			server_say(s[i], 1 + (uint32_t)random_below(3));
		s[i]->frames_sent = s[i]->frame_count;
		server_sign(s[i]);
		give_position(feed, s[i], s[i]->frame_count);
	}
	for (;; us += 500) {
		struct feed_want want;
		bool quiet = us > 400000;

		for (int i = 0; i < 2; i++)
			if (us % 4000 == 0 && !quiet && random_below(2))
				speak(s[i], flights, &flying, us, loss);
		for (size_t i = flying; i-- > 0;) {
			if (flights[i].at_us > us)
				continue;
			feed_take_datagram(feed, flights[i].d.bytes, flights[i].d.len, at(us));
			flights[i] = flights[--flying];
			collect(feed, s[0], s[1]);
		}
		while (feed_want(feed, at(us), &want)) {
			assert_int_equal(want.kind, FEED_WANT_PULL);
			int i = strcmp(want.server, s[0]->name) != 0;
			asked[i] = (struct question){ want, us + 1000 +
						      (int64_t)random_below(20000), true };
		}
		for (int i = 0; i < 2; i++) {
			if (!asked[i].open || asked[i].at_us > us)
				continue;
			asked[i].open = false;
			if (random_below(10) == 0)
				feed_take_pull(feed, s[i]->name, NULL, at(us));
			else if (random_below(10) != 0)
				answer_pull(feed, s[i], &asked[i].want, us);
		}
		collect(feed, s[0], s[1]);
		/* At the end one head of each gets through, and all questions are answered. */
		if (quiet && !flying && us % 1000000 == 0) {
			for (int i = 0; i < 2; i++)
				if (!s[i]->opens)
					hear(feed, s[i], -1, server_sign(s[i]), us);
			collect(feed, s[0], s[1]);
			if (s[0]->heard == s[0]->event_count && s[1]->heard == s[1]->event_count &&
			    us > 3000000)
				break;
		}
		assert_true(us < WALL_S * INT64_C(1000000));
	}
	assert_false(feed_missing(feed, 0, &name, &count));
	assert_int_equal(feed_due_us(feed), INT64_MAX);
	*pulls += counter(feed, "pulls answered");
	*events += counter(feed, "events");
	feed_free(feed);
	server_free(s[0]);
	server_free(s[1]);
}

static void nothing_is_lost_twice_or_out_of_order(void **state)
{
	static const unsigned losses[] = { 0, 1, 10, 30, 70 };

	(void)state;
	for (size_t i = 0; i < sizeof(losses) / sizeof(*losses); i++) {
		uint64_t pulls = 0, events = 0;

		for (uint64_t seed = 1; seed <= 12; seed++)
			live_through(seed, losses[i], &pulls, &events);
		print_message("loss %u %%: %llu events, %llu pulls\n", losses[i],
			      (unsigned long long)events, (unsigned long long)pulls);
	}
}

/* ---- rate ---- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void rate(void **state)
{
	enum { DATAGRAMS = 1500, EVENTS = 2 };
	struct server *s = server_new(0);
	struct feed *feed = feed_for(s, NULL);
	static struct datagram d[DATAGRAMS];
	struct pubkey *key = pubkey_of_sigkey(identity_key(s->identity));
	struct chain chain;
	double began, with_feed, alone;
	size_t count = 0;

	(void)state;
	server_say(s, 1);
	give_position(feed, s, 1);
	for (int i = 0; i < DATAGRAMS; i++) {
		server_say(s, EVENTS);
		server_seal(&d[i], s, i + 1, server_sign(s));
	}
	began = seconds();
	for (int i = 0; i < DATAGRAMS; i++) {
		feed_take_datagram(feed, d[i].bytes, d[i].len, at(i));
		count += collect(feed, s, NULL);
	}
	with_feed = seconds() - began;
	assert_int_equal(count, DATAGRAMS * EVENTS);
	/* The same by what chimed must do at least: signature and chain. */
	chain_init(&chain, s->name, world.env_id);
	chain_load(&chain, s->frames[0].frame.lineage, 1, &s->frames[0].hash);
	count = 0;
	began = seconds();
	for (int i = 0; i < DATAGRAMS; i++) {
		struct chain_delivery delivery;

		assert_int_equal(head_verify(&s->heads[i], key), HEAD_OK);
		(void)chain_add_frame(&chain, &s->frames[i + 1].frame, false);
		(void)chain_add_head(&chain, &s->heads[i]);
		while (chain_take(&chain, &delivery)) {
			count += delivery.frame.count;
			chain_delivery_fini(&delivery);
		}
	}
	alone = seconds() - began;
	assert_int_equal(count, DATAGRAMS * EVENTS);
	print_message("feed: %.0f events/s in %d datagrams, a head each; %.2f of the time of "
		      "signatures and chain alone\n", DATAGRAMS * EVENTS / with_feed, DATAGRAMS,
		      with_feed / alone);
	chain_fini(&chain);
	pubkey_free(key);
	feed_free(feed);
	server_free(s);
}

/* ---- a world ---- */

static int set_up(void **state)
{
	static const char *const names[] = { "alpha", "beta", "gamma" };
	const uint8_t other[BUSKEY_SIZE] = { 9 };
	int64_t until = (int64_t)time(NULL) + PKI_DAY_S;

	(void)state;
	pki_init(&world.pki);
	pki_environment(&world.pki, "ca", "test");
	pki_environment(&world.pki, "ca2", "test");
	for (int i = 0; i < 3; i++) {
		pki_issue(&world.pki, "ca", ROLE_SERVER, names[i], names[i], until);
		world.names[i] = pki_load(&world.pki, "ca", names[i]);
	}
	pki_issue(&world.pki, "ca", ROLE_VIEWER, "alice", "alice", until);
	world.alice = pki_load(&world.pki, "ca", "alice");
	pki_issue(&world.pki, "ca2", ROLE_SERVER, "beta", "foreign", until);
	world.foreign = pki_load(&world.pki, "ca2", "foreign");
	memcpy(world.env_id, identity_environment_id(world.alice), sizeof(world.env_id));
	buskey_init(&world.key, key_bytes);
	buskey_init(&world.other_key, other);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		identity_free(world.names[i]);
	identity_free(world.alice);
	identity_free(world.foreign);
	buskey_fini(&world.key);
	buskey_fini(&world.other_key);
	pki_fini(&world.pki);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_goes_on_from_a_position),
		cmocka_unit_test(what_is_heard_early_is_not_lost),
		cmocka_unit_test(a_gap_is_pulled_after_the_guard),
		cmocka_unit_test(a_restart_goes_through_and_is_pulled_when_missed),
		cmocka_unit_test(a_server_that_is_new_is_asked_about),
		cmocka_unit_test(too_large_a_gap_is_skipped_and_told),
		cmocka_unit_test(an_answer_that_is_a_little_ahead_swallows_nothing),
		cmocka_unit_test(a_branch_that_leads_nowhere_asks_for_jobs),
		cmocka_unit_test(replayed_heads_prove_frames_but_no_life),
		cmocka_unit_test(a_stream_tells_each_event_once_and_sees_holes),
		cmocka_unit_test(stream_and_group_together_tell_once),
		cmocka_unit_test(bad_heads_prove_nothing),
		cmocka_unit_test(flipped_bytes_bring_nothing_untrue),
		cmocka_unit_test(strangers_fill_nothing),
		cmocka_unit_test(recordings_prove_no_life),
		cmocka_unit_test(a_stranger_beside_it_hides_nothing),
		cmocka_unit_test(logs_without_certificate_share_a_bound),
		cmocka_unit_test(a_position_beyond_all_numbers_is_none),
		cmocka_unit_test(keys_change),
		cmocka_unit_test(nothing_is_lost_twice_or_out_of_order),
		cmocka_unit_test(rate),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
