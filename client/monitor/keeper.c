/*
 * keeper.c - see keeper.h.
 */
#include "client/monitor/keeper.h"

#include "proto/budget.h"

#include <stdio.h>
#include <string.h>

enum { SILENT_US = 6000000 };		/* no head of a server for so long: it is lost */

void keeper_init(struct keeper *k, struct book *book)
{
	*k = (struct keeper){ .book = book, .next_tag = 1 };
}

void keeper_fini(struct keeper *k)
{
	if (k->bus)
		chime__bus_reply__free_unpacked(k->bus, NULL);
}

static void forget_orders(struct keeper *k)
{
	memset(k->tag, 0, sizeof(k->tag));
	memset(k->want, 0, sizeof(k->want));
	k->stream_tag = 0;
	k->streaming = false;
	k->part_open = false;
}

void keeper_link_up(struct keeper *k, struct feed *feed, struct moment now)
{
	forget_orders(k);
	k->feed = feed;
	k->up = true;
	k->want[KEEPER_BUS] = k->want[KEEPER_JOBS] = k->want[KEEPER_SERVERS] = true;
	k->want[KEEPER_EVENTS_ONCE] = !k->events_known;
	k->group_us = now.boot_us;
	k->answered_us = now.boot_us;
}

void keeper_link_down(struct keeper *k)
{
	forget_orders(k);
	k->up = false;
}

void keeper_ask_again(struct keeper *k)
{
	k->want[KEEPER_JOBS] = k->want[KEEPER_SERVERS] = k->up;
}

/* ---- what is asked ---- */

static struct order *ask(struct keeper *k, enum keeper_ask what, const Chime__Request *request,
			 struct moment now)
{
	struct order *order = order_new(ORDER_ASK, KEEPER_TAG | k->next_tag++);

	order_set_request(order, request);
	order->timeout_us = KEEPER_TIMEOUT_US;
	k->tag[what] = order->tag;
	k->asked_us[what] = now.boot_us;
	k->want[what] = false;
	return order;
}

static struct order *ask_bus(struct keeper *k, struct moment now)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__BusRequest bus = CHIME__BUS_REQUEST__INIT;

	request.body_case = CHIME__REQUEST__BODY_BUS;
	request.bus = &bus;
	return ask(k, KEEPER_BUS, &request, now);
}

static struct order *ask_servers(struct keeper *k, struct moment now)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__ServersRequest servers = CHIME__SERVERS_REQUEST__INIT;

	request.body_case = CHIME__REQUEST__BODY_SERVERS;
	request.servers = &servers;
	return ask(k, KEEPER_SERVERS, &request, now);
}

static struct order *ask_events(struct keeper *k, struct moment now)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__EventsRequest events = CHIME__EVENTS_REQUEST__INIT;

	events.has_limit = true;
	events.limit = KEEPER_EVENTS;
	request.body_case = CHIME__REQUEST__BODY_EVENTS;
	request.events = &events;
	k->events_known = true;
	return ask(k, KEEPER_EVENTS_ONCE, &request, now);
}

/* All jobs, or those that changed and who waits for them. */
static struct order *ask_jobs(struct keeper *k, bool all, struct moment now)
{
	static char keys[KEEPER_REFRESH_MAX][BOOK_KEY_SIZE];
	char *targets[KEEPER_REFRESH_MAX];
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__JobsRequest jobs = CHIME__JOBS_REQUEST__INIT;

	request.body_case = CHIME__REQUEST__BODY_JOBS;
	request.jobs = &jobs;
	if (all)
		return ask(k, KEEPER_JOBS, &request, now);
	jobs.n_target = book_dirty(k->book, keys, KEEPER_REFRESH_MAX);
	for (size_t i = 0; i < jobs.n_target; i++)
		targets[i] = keys[i];
	jobs.target = targets;
	jobs.has_consumers = jobs.consumers = true;
	return ask(k, KEEPER_REFRESH, &request, now);
}

static struct order *ask_pull(struct keeper *k, const struct feed_want *want, struct moment now)
{
	enum { HAVE_MAX = sizeof(want->have_seq) / sizeof(want->have_seq[0]) };
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__PullRequest pull = CHIME__PULL_REQUEST__INIT;
	Chime__VectorEntry entry[HAVE_MAX], *list[HAVE_MAX];
	Chime__Lineage lineage[HAVE_MAX];

	for (size_t i = 0; i < want->have_count; i++) {
		chime__lineage__init(&lineage[i]);
		lineage[i].has_boot = lineage[i].has_tag = true;
		lineage[i].boot = want->have_lineage[i].boot;
		lineage[i].tag = want->have_lineage[i].tag;
		chime__vector_entry__init(&entry[i]);
		entry[i].lineage = &lineage[i];
		entry[i].has_seq = true;
		entry[i].seq = want->have_seq[i];
		list[i] = &entry[i];
	}
	pull.origin = (char *)(uintptr_t)want->server;
	pull.have = list;
	pull.n_have = want->have_count;
	request.body_case = CHIME__REQUEST__BODY_PULL;
	request.pull = &pull;
	snprintf(k->pulled, sizeof(k->pulled), "%s", want->server);
	return ask(k, KEEPER_PULL, &request, now);
}

static struct order *ask_certificate(struct keeper *k, const struct feed_want *want,
				     struct moment now)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__CertificateRequest certificate = CHIME__CERTIFICATE_REQUEST__INIT;

	certificate.server = (char *)(uintptr_t)want->server;
	request.body_case = CHIME__REQUEST__BODY_CERTIFICATE;
	request.certificate = &certificate;
	snprintf(k->certified, sizeof(k->certified), "%s", want->server);
	return ask(k, KEEPER_CERTIFICATE, &request, now);
}

/* What the feed asks for; what can be asked only once at a time waits for its answer. */
static struct order *ask_for_feed(struct keeper *k, struct moment now)
{
	struct feed_want want;

	if (!k->feed || k->tag[KEEPER_PULL] || k->tag[KEEPER_CERTIFICATE])
		return NULL;
	while (feed_want(k->feed, now, &want)) {
		switch (want.kind) {
		case FEED_WANT_PULL:
			return ask_pull(k, &want, now);
		case FEED_WANT_CERTIFICATE:
			return ask_certificate(k, &want, now);
		case FEED_WANT_BUS:
			k->want[KEEPER_BUS] = true;
			break;
		case FEED_WANT_JOBS:
			k->want[KEEPER_JOBS] = true;
			break;
		default:
			return NULL;
		}
	}
	return NULL;
}

static bool is_due(const struct keeper *k, enum keeper_ask what, int64_t every_us,
		   struct moment now)
{
	return !k->tag[what] && (k->want[what] || (every_us > 0 &&
		now.boot_us - k->asked_us[what] >= every_us));
}

static bool refresh_is_due(const struct keeper *k, struct moment now)
{
	return k->book->dirty_count > 0 && !k->tag[KEEPER_REFRESH] && !k->tag[KEEPER_JOBS] &&
	       now.boot_us - k->asked_us[KEEPER_REFRESH] >= KEEPER_REFRESH_US;
}

struct order *keeper_next_order(struct keeper *k, struct moment now)
{
	struct order *order;

	if (!k->up)
		return NULL;
	order = ask_for_feed(k, now);
	if (order)
		return order;
	if (is_due(k, KEEPER_BUS, 0, now))
		return ask_bus(k, now);
	/* One answer about jobs at a time: its parts are added to one list. */
	if (refresh_is_due(k, now) && k->book->dirty_count > KEEPER_REFRESH_MAX)
		k->want[KEEPER_JOBS] = true;
	if (is_due(k, KEEPER_JOBS, KEEPER_JOBS_US, now) && !k->tag[KEEPER_REFRESH])
		return ask_jobs(k, true, now);
	if (is_due(k, KEEPER_EVENTS_ONCE, 0, now))
		return ask_events(k, now);
	if (is_due(k, KEEPER_SERVERS, KEEPER_SERVERS_US, now))
		return ask_servers(k, now);
	if (refresh_is_due(k, now))
		return ask_jobs(k, false, now);
	return NULL;
}

/* ---- the stream ---- */

static void look_at_group(struct keeper *k, struct moment now)
{
	bool heard = k->feed && feed_hears_group(k->feed, now);

	if (heard != k->group_heard) {
		k->group_heard = heard;
		k->group_us = now.boot_us;
	}
}

struct order *keeper_stream(struct keeper *k, struct moment now, uint64_t *stop)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__EventsRequest events = CHIME__EVENTS_REQUEST__INIT;
	struct order *order;

	*stop = 0;
	look_at_group(k, now);
	if (!k->up || now.boot_us - k->group_us < KEEPER_STREAM_US)
		return NULL;
	if (k->group_heard) {
		*stop = k->stream_tag;
		k->stream_tag = 0;
		k->streaming = false;
		return NULL;
	}
	if (k->stream_tag)
		return NULL;
	events.has_limit = true;	/* none of the past: all jobs are asked again then */
	events.has_follow = events.follow = true;
	request.body_case = CHIME__REQUEST__BODY_EVENTS;
	request.events = &events;
	order = order_new(ORDER_ASK, KEEPER_TAG | k->next_tag++);
	order_set_request(order, &request);
	order->timeout_us = KEEPER_TIMEOUT_US;
	order->follow = true;
	k->stream_tag = order->tag;
	return order;
}

/* ---- what comes ---- */

static void take_jobs(struct keeper *k, const struct letter *letter, bool all)
{
	const Chime__JobsReply *jobs;

	if (!letter->reply || letter->reply->body_case != CHIME__REPLY__BODY_JOBS) {
		/* A job that was asked about is gone: the whole list says so. */
		k->want[KEEPER_JOBS] = letter->reply == NULL && !all;
		k->part_open = false;
		return;
	}
	jobs = letter->reply->jobs;
	if (!k->part_open)
		book_begin_jobs(k->book, all);
	k->part_open = !letter->done;
	book_add_jobs(k->book, jobs);
	if (!letter->done)
		return;
	book_end_jobs(k->book, jobs);
	/* Positions of an answer about some jobs would skip the events of all others. */
	if (all && k->feed)
		feed_take_positions(k->feed, jobs->position, jobs->n_position);
}

static void take_bus(struct keeper *k, const Chime__Reply *reply, struct moment now)
{
	size_t len;
	uint8_t *bytes;

	if (!reply || reply->body_case != CHIME__REPLY__BODY_BUS)
		return;
	if (k->feed)
		feed_take_bus(k->feed, reply->bus, now);
	len = chime__bus_reply__get_packed_size(reply->bus);
	bytes = say_calloc(1, len + 1);
	chime__bus_reply__pack(reply->bus, bytes);
	if (k->bus)
		chime__bus_reply__free_unpacked(k->bus, NULL);
	k->bus = chime__bus_reply__unpack(NULL, len, bytes);
	k->bus_changed = k->bus != NULL;
	free(bytes);
}

static void take_events(struct keeper *k, const Chime__Reply *reply)
{
	if (!reply || reply->body_case != CHIME__REPLY__BODY_EVENTS)
		return;
	for (size_t i = 0; i < reply->events->n_event; i++) {
		const Chime__EventRow *row = reply->events->event[i];
		struct book_heard heard = { .origin = row->origin, .seq = row->seq,
					    .history = true };
		Chime__Event *event = (Chime__Event *)budget_unpack(&chime__event__descriptor,
			row->event.data, row->event.len);

		if (row->lineage)
			heard.lineage = (struct lineage){ row->lineage->boot, row->lineage->tag };
		heard.event = event;
		if (event && row->origin)
			book_hear(k->book, &heard);
		chime__event__free_unpacked(event, NULL);
	}
}

static void take_stream(struct keeper *k, const struct letter *letter, struct moment now)
{
	if (!k->streaming) {
		/* What happened before it began is in the answer that is asked now. */
		k->streaming = true;
		k->want[KEEPER_JOBS] = true;
	}
	if (letter->reply && letter->reply->body_case == CHIME__REPLY__BODY_EVENTS && k->feed)
		feed_take_stream(k->feed, letter->reply->events, now);
	if (letter->done) {
		k->stream_tag = 0;
		k->streaming = false;
	}
}

static enum keeper_ask asked_with(const struct keeper *k, uint64_t tag)
{
	enum keeper_ask what = 0;

	while (what < KEEPER_ASK_COUNT && k->tag[what] != tag)
		what++;
	return what;
}

static void take_answer(struct keeper *k, enum keeper_ask what, const struct letter *letter,
			struct moment now)
{
	const Chime__Reply *reply = letter->reply;

	switch (what) {
	case KEEPER_BUS:
		take_bus(k, reply, now);
		break;
	case KEEPER_JOBS:
	case KEEPER_REFRESH:
		take_jobs(k, letter, what == KEEPER_JOBS);
		break;
	case KEEPER_EVENTS_ONCE:
		take_events(k, reply);
		break;
	case KEEPER_SERVERS:
		if (reply && reply->body_case == CHIME__REPLY__BODY_SERVERS)
			book_take_servers(k->book, reply->servers, now);
		break;
	case KEEPER_PULL:
		if (k->feed)
			feed_take_pull(k->feed, k->pulled,
				       reply && reply->body_case == CHIME__REPLY__BODY_PULL ?
				       reply->pull : NULL, now);
		break;
	case KEEPER_CERTIFICATE:
		if (reply && reply->body_case == CHIME__REPLY__BODY_CERTIFICATE && k->feed)
			(void)feed_take_certificate(k->feed, k->certified,
						    reply->certificate->certificate.data,
						    reply->certificate->certificate.len, now);
		break;
	default:
		break;
	}
}

static bool is_broken(const struct letter *letter)
{
	return letter->broke || letter->trouble.exit == EXIT_TIME;
}

bool keeper_take_letter(struct keeper *k, const struct letter *letter, struct moment now)
{
	enum keeper_ask what;

	if (k->stream_tag && letter->tag == k->stream_tag) {
		if (letter->trouble.exit == 0) {
			k->answered_us = now.boot_us;
			take_stream(k, letter, now);
			return false;
		}
		k->stream_tag = 0;
		k->streaming = false;
		k->group_us = now.boot_us;	/* again after a while */
		return false;
	}
	what = asked_with(k, letter->tag);
	if (what == KEEPER_ASK_COUNT)
		return false;
	/* Only a whole answer says that the server is well: one could send parts for ever. */
	if (letter->trouble.exit == 0 && letter->done)
		k->answered_us = now.boot_us;
	take_answer(k, what, letter, now);
	if (letter->done)
		k->tag[what] = 0;
	return is_broken(letter) ||
	       (!letter->done && now.boot_us - k->asked_us[what] > KEEPER_ANSWER_US);
}

void keeper_take_feed(struct keeper *k, struct moment now)
{
	struct feed_event e;
	const char *server;

	if (!k->feed)
		return;
	while (feed_next_head(k->feed, &server))
		book_hear_head(k->book, server, now);
	while (feed_next(k->feed, &e)) {
		struct book_heard heard = { .origin = e.origin, .lineage = e.lineage, .seq = e.seq,
					    .event = e.event, .history = e.history };

		book_hear(k->book, &heard);
	}
	if (feed_hears_group(k->feed, now))
		book_judge_silence(k->book, now, SILENT_US);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t keeper_due_us(const struct keeper *k, struct moment now)
{
	int64_t due = INT64_MAX;

	if (!k->up)
		return due;
	if (k->feed && !k->tag[KEEPER_PULL] && !k->tag[KEEPER_CERTIFICATE])
		due = feed_due_us(k->feed);
	for (enum keeper_ask what = 0; what < KEEPER_ASK_COUNT; what++)
		if (k->want[what] && !k->tag[what] &&
		    !(what == KEEPER_JOBS && k->tag[KEEPER_REFRESH]))
			due = now.boot_us;
	if (!k->tag[KEEPER_SERVERS])
		due = earlier(due, k->asked_us[KEEPER_SERVERS] + KEEPER_SERVERS_US);
	if (!k->tag[KEEPER_JOBS])
		due = earlier(due, k->asked_us[KEEPER_JOBS] + KEEPER_JOBS_US);
	if (k->book->dirty_count > 0 && !k->tag[KEEPER_REFRESH] && !k->tag[KEEPER_JOBS])
		due = earlier(due, k->asked_us[KEEPER_REFRESH] + KEEPER_REFRESH_US);
	if (!k->stream_tag == !k->group_heard)
		due = earlier(due, k->group_us + KEEPER_STREAM_US);
	return due;
}
