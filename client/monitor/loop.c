/*
 * loop.c - see loop.h.
 */
#include "client/monitor/loop.h"

#include "client/monitor/child.h"
#include "client/monitor/ear.h"
#include "client/monitor/feed.h"
#include "client/monitor/keeper.h"
#include "client/monitor/link.h"
#include "client/monitor/screen.h"
#include "proto/envelope.h"
#include "proto/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	PAINT_US = 250000,		/* least time between two pictures that no key asked for */
	GATHER_US = 40000,		/* a run's events come in bursts: one picture for them */
	DATAGRAMS_A_ROUND = 256,	/* then keys are looked at again, and in any case after: */
	AT_ONCE_US = 20000,
	EAR_REFRESH_US = 20000000,
	POLL_MAX_US = 60000000,
	BELL_US = 10000000,
	STREAM = CARRIER_COUNT,		/* a courier of the loop's own */
	COURIERS = STREAM + 1,
};

/* Tags of the loop's own orders; the monitor's have neither this bit nor KEEPER_TAG. */
#define LOOP_TAG (UINT64_C(1) << 62)

struct loop {
	struct session *session;
	struct book book;
	struct monitor monitor;
	struct link link;
	struct keeper keeper;
	struct feed *feed;
	uint8_t feed_env[ENVIRONMENT_ID_SIZE];
	struct ear *ear;
	char ear_group[64];
	uint16_t ear_port;
	int64_t ear_us;			/* boot: when its interfaces were looked at last */
	struct mailbox *box;
	struct courier *courier[COURIERS];
	char opened[COURIERS][64];	/* which server a courier's connection goes to; "" = none */
	uint64_t next_tag;
	struct child *child;		/* of the command line */
	uint64_t rung_total;		/* events that were looked at for the bell */
	int64_t rung_us;		/* boot: the last ring */
	struct canvas canvas;
	struct moment now;
	int64_t painted_us;		/* boot */
	uint64_t painted_version;	/* of the book */
	bool paint_now;
	int64_t changed_us;		/* boot: the first change that is not painted; 0 = none */
	bool quit;
	struct trouble trouble;		/* that ends the loop; exit 0 = none */
};

static void paint_soon(struct loop *l)
{
	if (l->changed_us == 0)
		l->changed_us = l->now.boot_us;
}

/* When what changed is to be shown; INT64_MAX = nothing has. */
static int64_t paint_due_us(const struct loop *l)
{
	int64_t gathered = l->changed_us + GATHER_US, calm = l->painted_us + PAINT_US;

	if (l->changed_us == 0)
		return INT64_MAX;
	return gathered > calm ? gathered : calm;
}

static struct moment read_clocks(void)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return (struct moment){ .wall_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000,
				.boot_us = conn_now_us() };
}

/* ---- couriers ---- */

/* A session like the one given, for another thread; its options are borrowed. */
static int copy_session(const struct session *from, struct session *to, struct trouble *t)
{
	struct args args = { .command = from->args.command, .typed = from->args.typed };

	memcpy(args.value, from->args.value, sizeof(args.value));
	int code = session_init(to, &args, t);
	if (code == 0)
		code = session_identity(to, t);
	return code;
}

static int start_couriers(struct loop *l, struct trouble *t)
{
	struct session session[COURIERS];

	/* Sessions set the time zone: every one before the first thread. */
	for (size_t i = 0; i < COURIERS; i++) {
		int code = copy_session(l->session, &session[i], t);
		if (code != 0)
			return code;
	}
	l->box = mailbox_new();
	for (size_t i = 0; i < COURIERS; i++) {
		l->courier[i] = courier_new(&session[i], l->box);
		if (!l->courier[i])
			return trouble_set(t, EXIT_TROUBLE, "no thread can be started");
	}
	return 0;
}

/* Orders go to the server of the link, so a courier that is elsewhere goes there first. */
static void send_there(struct loop *l, size_t courier, struct order *order)
{
	if (courier != CARRIER_LINK && strcmp(l->opened[courier], l->link.server) != 0) {
		struct order *open = link_copy_order(&l->link, LOOP_TAG | l->next_tag++);

		snprintf(l->opened[courier], sizeof(l->opened[courier]), "%s", l->link.server);
		courier_send(l->courier[courier], open);
	}
	courier_send(l->courier[courier], order);
}

/* ---- hearing ---- */

static void hear_group(struct loop *l)
{
	const Chime__BusReply *bus = l->keeper.bus;
	struct trouble t = { 0 };
	const char *group = bus->group ? bus->group : "";

	l->keeper.bus_changed = false;
	if (l->ear && strcmp(group, l->ear_group) == 0 && bus->port == l->ear_port)
		return;
	ear_close(l->ear);
	l->ear = NULL;
	l->monitor.link.group[0] = l->monitor.link.no_group[0] = '\0';
	if (bus->n_key == 0 || group[0] == '\0') {
		snprintf(l->monitor.link.no_group, sizeof(l->monitor.link.no_group),
			 "%s has no bus", l->link.server);
		return;
	}
	snprintf(l->ear_group, sizeof(l->ear_group), "%s", group);
	l->ear_port = (uint16_t)bus->port;
	if (ear_open(&l->ear, group, l->ear_port, l->session->conf.interface, &t) != 0) {
		snprintf(l->monitor.link.no_group, sizeof(l->monitor.link.no_group), "%.120s%s%.120s",
			 t.what, t.why[0] ? ": " : "", t.why);
		return;
	}
	l->ear_us = l->now.boot_us;
}

static bool take_datagrams(struct loop *l)
{
	static uint8_t datagram[65536];
	size_t len = 0, n = 0;

	if (!l->ear || !l->feed)
		return false;
	if (l->now.boot_us - l->ear_us >= EAR_REFRESH_US) {
		ear_refresh(l->ear);
		l->ear_us = l->now.boot_us;
	}
	while (n < DATAGRAMS_A_ROUND && conn_now_us() - l->now.boot_us < 2 * AT_ONCE_US &&
	       (len = ear_read(l->ear, datagram, sizeof(datagram))) > 0) {
		feed_take_datagram(l->feed, datagram, len, l->now);
		n++;
	}
	return len > 0;
}

/* A failure that was just heard, at most one in ten seconds. */
static void ring(struct loop *l)
{
	uint64_t heard = l->book.event_total - l->rung_total;
	const struct book_event *e;

	l->rung_total = l->book.event_total;
	if (!l->session->conf.bell || l->now.boot_us - l->rung_us < BELL_US)
		return;
	for (size_t i = 0; i < heard && (e = book_event(&l->book, i)); i++) {
		if (!e->bad || strcmp(e->kind, "run.ended") != 0 ||
		    l->now.wall_us - e->time_us > BELL_US)
			continue;
		l->rung_us = l->now.boot_us;
		screen_bell();
		return;
	}
}

/* ---- the link ---- */

static void link_came_up(struct loop *l)
{
	const uint8_t *env = l->link.has_env_id ? l->link.env_id : l->feed_env;

	/* Positions of one environment mean nothing in another, and what one server said of them
	 * may have been a lie that no other could correct: everything anew. */
	if (l->feed && (l->link.changed_server ||
			memcmp(env, l->feed_env, sizeof(l->feed_env)) != 0)) {
		feed_free(l->feed);
		l->feed = NULL;
		book_forget_places(&l->book);
	}
	if (!l->feed) {
		if (l->link.has_env_id)
			memcpy(l->feed_env, l->link.env_id, sizeof(l->feed_env));
		l->feed = feed_new(l->feed_env, l->session->identity);
	}
	if (l->link.changed_server) {
		l->link.changed_server = false;
		monitor_say(&l->monitor, l->now, false, "now asking %s", l->link.where);
	}
	snprintf(l->book.environment, sizeof(l->book.environment), "%s", l->link.environment);
	keeper_link_up(&l->keeper, l->feed, l->now);
	memset(l->opened, 0, sizeof(l->opened));
	snprintf(l->opened[CARRIER_LINK], sizeof(l->opened[CARRIER_LINK]), "%s", l->link.server);
}

/* Others who could be asked, from what the server says of them. */
static void learn_others(struct loop *l)
{
	struct link_candidate list[64];
	size_t n = 0;

	for (const struct book_server *s = l->book.servers; s && n < 64; s = s->hh.next) {
		struct link_candidate *c = &list[n];

		if (s->address_count == 0)
			continue;
		memset(c, 0, sizeof(*c));
		snprintf(c->server, sizeof(c->server), "%s", s->name);
		for (size_t i = 0; i < s->address_count && i < 4; i++)
			snprintf(c->address[c->address_count++], sizeof(c->address[0]), "%s",
				 s->address[i]);
		n++;
	}
	link_set_others(&l->link, list, n);
}

static void take_link_down(struct loop *l)
{
	/* What is under way is of the server before: it would keep its courier from opening
	 * another, for ever when that server never comes to an end. */
	courier_stop_order(l->courier[STREAM], l->keeper.stream_tag);
	for (enum keeper_ask what = 0; what < KEEPER_ASK_COUNT; what++)
		if (l->keeper.tag[what])
			courier_stop_order(l->courier[CARRIER_LINK], l->keeper.tag[what]);
	keeper_link_down(&l->keeper);
}

static void link_was_lost(struct loop *l, const char *why)
{
	char text[300];

	snprintf(text, sizeof(text), "%s: %.200s", l->link.server, why);
	book_note(&l->book, l->now, "link.lost", text);
	link_break(&l->link, why, l->now);
	take_link_down(l);
}

/* Nobody waits for what can't become better by waiting. */
static bool is_hopeless(const struct loop *l, const struct letter *letter)
{
	return !l->monitor.link.ever_up &&
	       (letter->trouble.exit == EXIT_USAGE || letter->trouble.exit == EXIT_DENIED);
}

static void take_letter(struct loop *l, const struct letter *letter)
{
	bool was_up = l->link.state == LINK_UP;

	if (link_take_letter(&l->link, letter, l->now)) {
		if (is_hopeless(l, letter))
			l->trouble = letter->trouble;
		if (!was_up && l->link.state == LINK_UP)
			link_came_up(l);
		return;
	}
	if (letter->tag & KEEPER_TAG) {
		bool servers = letter->tag == l->keeper.tag[KEEPER_SERVERS];
		if (keeper_take_letter(&l->keeper, letter, l->now))
			link_was_lost(l, letter->trouble.what);
		else if (servers)
			learn_others(l);
		return;
	}
	if (letter->tag & LOOP_TAG)
		return;
	/* Somebody pressed a key for it. */
	l->paint_now = true;
	monitor_take_letter(&l->monitor, letter, l->now);
	/* Whose connection it was is not known here: each is opened anew with its next order. If it
	 * was the link's, the next question of the keeper finds that out. */
	if (letter->broke)
		memset(l->opened, 0, sizeof(l->opened));
}

static void take_letters(struct loop *l)
{
	struct letter *letter;

	while (conn_now_us() - l->now.boot_us < AT_ONCE_US && (letter = mailbox_take(l->box))) {
		bool empty = l->book.jobs == NULL;

		take_letter(l, letter);
		letter_free(letter);
		paint_soon(l);
		l->paint_now |= empty && l->book.jobs != NULL;
	}
	if (l->keeper.bus_changed)
		hear_group(l);
}

static void give_orders(struct loop *l)
{
	struct order *order = link_next_order(&l->link, LOOP_TAG | l->next_tag++, l->now);
	uint64_t stop;

	if (order) {
		paint_soon(l);
		courier_send(l->courier[CARRIER_LINK], order);
	}
	if (l->link.state != LINK_UP)
		return;
	while ((order = keeper_next_order(&l->keeper, l->now)))
		courier_send(l->courier[CARRIER_LINK], order);
	order = keeper_stream(&l->keeper, l->now, &stop);
	if (order)
		send_there(l, STREAM, order);
	if (stop)
		courier_stop_order(l->courier[STREAM], stop);
}

/* "datagrams 1204, not opened 3", and what the kernel dropped. */
static void tell_counters(const struct loop *l, char *out, size_t size)
{
	uint64_t value, dropped = l->ear ? ear_overflows(l->ear) : 0;
	const char *name;
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; l->feed && len < size && (name = feed_counter(l->feed, i, &value)); i++)
		if (value > 0)
			len += (size_t)snprintf(out + len, size - len, "%s%s %llu",
						len > 0 ? ", " : "", name,
						(unsigned long long)value);
	if (dropped > 0 && len < size)
		snprintf(out + len, size - len, "%snot read in time %llu", len > 0 ? ", " : "",
			 (unsigned long long)dropped);
}

/* What the header tells. */
static void tell_link(struct loop *l)
{
	struct monitor_link *to = &l->monitor.link;
	const char *server;
	uint64_t count;
	size_t before;
	int64_t heard = l->feed ? feed_heard_us(l->feed) : 0;

	to->up = l->link.state == LINK_UP;
	to->ever_up |= to->up;
	snprintf(to->server, sizeof(to->server), "%s", l->link.server);
	snprintf(to->you, sizeof(to->you), "%s", l->link.you);
	snprintf(to->role, sizeof(to->role), "%s", l->link.role);
	snprintf(to->why, sizeof(to->why), "%s", l->link.why);
	to->lost_us = l->link.lost_us;
	to->retry_us = l->link.state == LINK_OPENING ? INT64_MAX : l->link.retry_us;
	to->source = l->feed && feed_hears_group(l->feed, l->now) ? SOURCE_GROUP :
		     l->keeper.streaming ? SOURCE_STREAM : SOURCE_NONE;
	to->heard_us = heard > l->keeper.answered_us ? heard : l->keeper.answered_us;
	if (l->ear)
		snprintf(to->group, sizeof(to->group), "%s", ear_where(l->ear));
	tell_counters(l, to->counters, sizeof(to->counters));
	before = to->missing;
	to->missing = 0;
	for (size_t i = 0; l->feed && feed_missing(l->feed, i, &server, &count); i++) {
		if (i == 0)
			snprintf(to->missing_of, sizeof(to->missing_of), "%s", server);
		to->missing += count;
	}
	if (to->missing > 0 && before == 0) {
		char text[160];

		snprintf(text, sizeof(text), "%zu events of %s are missing, and asked for",
			 to->missing, to->missing_of);
		book_note(&l->book, l->now, "bus.gap", text);
	}
	to->other_count = 0;
	for (size_t i = 0; i < l->link.other_count && to->other_count < 16; i++)
		to->others[to->other_count++] = l->link.other[i].server;
}

/* ---- wishes ---- */

static void start_command(struct loop *l, const char *line)
{
	const struct session *s = l->session;
	const char *options[8];
	struct trouble t = { 0 };
	size_t n = 0;

	options[n++] = "--no-input";
	if (s->args.value[OPT_CONFIG]) {
		options[n++] = "--config";
		options[n++] = s->args.value[OPT_CONFIG];
	}
	/* The server that is asked now; over the local socket that is the first way anyway. */
	if (!l->link.local && l->link.server[0]) {
		options[n++] = "--via";
		options[n++] = l->link.server;
	} else if (s->args.value[OPT_VIA]) {
		options[n++] = "--via";
		options[n++] = s->args.value[OPT_VIA];
	}
	child_free(l->child);
	l->child = NULL;
	if (child_start(&l->child, options, n, line, l->canvas.cols, &t) != 0) {
		monitor_take_output(&l->monitor, t.what, strlen(t.what), true, t.exit, l->now);
		monitor_say(&l->monitor, l->now, true, "%s", t.what);
	}
}

static void take_output(struct loop *l)
{
	char buf[16384];
	int status = 0;
	ssize_t n;

	/* A bounded part of it: a command may print for ever. */
	for (int i = 0; l->child && i < 16; i++) {
		n = child_read(l->child, buf, sizeof(buf), &status);
		if (n == 0)
			return;
		monitor_take_output(&l->monitor, buf, n > 0 ? (size_t)n : 0, n < 0, status, l->now);
		paint_soon(l);
		if (n < 0) {
			child_free(l->child);
			l->child = NULL;
		}
	}
}

static void save(struct loop *l, const struct wish *wish)
{
	int fd = open(wish->text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t at = 0;
	int error = fd < 0 ? errno : 0;

	while (fd >= 0 && at < wish->len) {
		ssize_t n = write(fd, wish->data + at, wish->len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error = errno;
			break;
		}
		at += (size_t)n;
	}
	if (fd >= 0 && close(fd) < 0 && error == 0)
		error = errno;
	if (error)
		monitor_say(&l->monitor, l->now, true, "%s was not written: %s", wish->text,
			    strerror(error));
	else
		monitor_say(&l->monitor, l->now, false, "%zu bytes written to %s", wish->len,
			    wish->text);
}

static void page(struct loop *l, const struct wish *wish)
{
	int error;

	screen_suspend();
	error = child_pager(wish->data, wish->len);
	screen_resume();
	screen_redraw();
	if (error < 0)
		monitor_say(&l->monitor, l->now, true, "the pager cannot be started: %s",
			    strerror(-error));
}

static void fulfil(struct loop *l, struct wish *wish)
{
	switch (wish->kind) {
	case WISH_ORDER:
		send_there(l, wish->carrier, wish->order);
		wish->order = NULL;
		break;
	case WISH_STOP:
		courier_stop_order(l->courier[wish->carrier], wish->tag);
		break;
	case WISH_COMMAND:
		start_command(l, wish->text);
		break;
	case WISH_STOP_COMMAND:
		if (l->child)
			child_stop(l->child);
		break;
	case WISH_RETRY:
		link_retry_now(&l->link, l->now);
		keeper_ask_again(&l->keeper);
		break;
	case WISH_CHANGE_SERVER:
		courier_stop_order(l->courier[CARRIER_LINK], l->link.opening_tag);
		take_link_down(l);
		link_change(&l->link, wish->text, l->now);
		break;
	case WISH_COPY:
		screen_copy(wish->text);
		break;
	case WISH_SAVE:
		save(l, wish);
		break;
	case WISH_PAGER:
		page(l, wish);
		break;
	case WISH_REDRAW:
		screen_redraw();
		break;
	case WISH_MOUSE:
		screen_set_mouse(wish->text && strcmp(wish->text, "on") == 0);
		break;
	case WISH_ASCII:
		screen_set_ascii(wish->text && strcmp(wish->text, "on") == 0);
		l->canvas.utf8 = screen_utf8();
		break;
	case WISH_PALETTE:
		screen_set_palette((screen_palette() + 1) % PALETTE_COUNT);
		break;
	case WISH_QUIT:
		l->quit = true;
		break;
	}
}

static void fulfil_all(struct loop *l)
{
	struct wish *wish;

	while ((wish = monitor_take_wish(&l->monitor))) {
		fulfil(l, wish);
		wish_free(wish);
	}
}

/* ---- the terminal ---- */

static void take_keys(struct loop *l)
{
	int key, row, col;

	while (!l->quit && (key = screen_key()) != KEY_NONE) {
		screen_click(&row, &col);
		monitor_key(&l->monitor, key, row, col, l->now);
		fulfil_all(l);
		screen_set_typing(monitor_is_typing(&l->monitor));
		l->paint_now = true;
	}
}

static void paint(struct loop *l)
{
	int rows, cols;

	if (screen_resized()) {
		screen_size(&rows, &cols);
		canvas_resize(&l->canvas, rows, cols);
		l->paint_now = true;
	}
	if (l->book.version != l->painted_version ||
	    l->now.boot_us >= monitor_due_us(&l->monitor, l->now))
		paint_soon(l);
	if (!l->paint_now && l->now.boot_us < paint_due_us(l))
		return;
	tell_link(l);
	monitor_draw(&l->monitor, &l->canvas, l->now);
	screen_draw(&l->canvas);
	fulfil_all(l);
	l->painted_us = l->now.boot_us;
	l->painted_version = l->book.version;
	l->paint_now = false;
	l->changed_us = 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t due_us(const struct loop *l)
{
	int64_t due = earlier(link_due_us(&l->link), keeper_due_us(&l->keeper, l->now));

	return earlier(due, earlier(paint_due_us(l), monitor_due_us(&l->monitor, l->now)));
}

static void wait_for_something(struct loop *l, bool more)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = mailbox_fd(l->box), .events = POLLIN },
		{ .fd = l->ear ? ear_fd(l->ear) : -1, .events = POLLIN },
		{ .fd = l->child ? child_fd(l->child) : -1, .events = POLLIN },
		{ .fd = screen_wake_fd(), .events = POLLIN },
	};
	int64_t left = due_us(l) - l->now.boot_us;

	left = more || left < 0 ? 0 : left > POLL_MAX_US ? POLL_MAX_US : left;
	(void)poll(fds, sizeof(fds) / sizeof(fds[0]), left == 0 ? 0 : (int)(left / 1000) + 1);
	/* A terminal that is gone can't ask for the end. */
	if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		l->quit = true;
}

static void go_round(struct loop *l)
{
	bool more = false;

	while (!l->quit && l->trouble.exit == 0 && screen_ended() == 0) {
		wait_for_something(l, more);
		l->now = read_clocks();
		take_letters(l);
		more = take_datagrams(l);
		keeper_take_feed(&l->keeper, l->now);
		ring(l);
		give_orders(l);
		take_output(l);
		/* What a key may do depends on it. */
		tell_link(l);
		take_keys(l);
		fulfil_all(l);
		paint(l);
	}
}

int loop_run(struct session *s, const struct loop_options *options, struct trouble *t)
{
	struct screen_options screen = { .color = s->out.color, .ascii = s->out.ascii,
					 .mouse = options->monitor.mouse,
					 .header_red = s->conf.header_red };
	struct loop *l = say_calloc(1, sizeof(*l));
	int rows, cols, code;

	l->session = s;
	l->next_tag = 1;
	l->now = read_clocks();
	book_init(&l->book);
	link_init(&l->link, options->failover);
	keeper_init(&l->keeper, &l->book);
	monitor_init(&l->monitor, &l->book, &options->monitor);
	code = start_couriers(l, t);
	if (code == 0)
		code = screen_open(&screen, t);
	if (code == 0) {
		screen_size(&rows, &cols);
		canvas_init(&l->canvas, rows, cols, screen_utf8());
		l->monitor.ascii = !l->canvas.utf8;
		l->paint_now = true;
		give_orders(l);
		paint(l);
		go_round(l);
		screen_close();
		canvas_fini(&l->canvas);
		if (l->trouble.exit != 0)
			*t = l->trouble;
		code = screen_ended() ? EXIT_INTERRUPTED : l->trouble.exit;
	}
	child_free(l->child);
	ear_close(l->ear);
	for (size_t i = 0; i < COURIERS; i++)
		courier_free(l->courier[i]);
	mailbox_free(l->box);
	keeper_fini(&l->keeper);
	feed_free(l->feed);
	monitor_fini(&l->monitor);
	link_fini(&l->link);
	book_fini(&l->book);
	free(l);
	return code;
}
