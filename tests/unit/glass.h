/*
 * glass.h - a book as in the interface's drawings, at one fixed moment (Friday 20 November 2026,
 * 22:14:05 CET), and a monitor on it. For tests of the monitor without a terminal and a network.
 */
#ifndef CHIME_TESTS_UNIT_GLASS_H
#define CHIME_TESTS_UNIT_GLASS_H

#include "client/monitor/monitor.h"
#include "client/monitor/screen.h"
#include "client/say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define GLASS_SECOND INT64_C(1000000)
#define GLASS_WALL (INT64_C(1795209245) * GLASS_SECOND)
#define GLASS_BOOT (INT64_C(500000) * GLASS_SECOND)

/* Seconds before the moment: minutes and seconds of the hour, 14:05 being now. */
#define AGO(m, s) (GLASS_WALL - (INT64_C(60) * (m) + (s)) * GLASS_SECOND)

struct glass {
	struct book book;
	struct monitor monitor;
	struct moment now;
	char *other[3];
};

static inline struct book_job *glass_job(struct glass *g, const char *job, const char *server,
					 const char *word, const char *note)
{
	Chime__JobsReply reply;
	Chime__JobRow row, *rows[1] = { &row };
	char key[BOOK_KEY_SIZE];

	chime__jobs_reply__init(&reply);
	chime__job_row__init(&row);
	reply.environment = (char *)"PROD";
	reply.job = rows;
	reply.n_job = 1;
	row.job = (char *)job;
	row.server = (char *)server;
	row.state = (char *)word;
	row.note = (char *)note;
	row.has_enabled = row.enabled = true;
	book_begin_jobs(&g->book, false);
	book_add_jobs(&g->book, &reply);
	book_end_jobs(&g->book, &reply);
	snprintf(key, sizeof(key), "%s@%s", job, server);
	struct book_job *made = book_find_job(&g->book, key);
	assert_non_null(made);
	return made;
}

static inline void glass_run(struct book_job *job, uint64_t run, int64_t started_us,
			     int64_t took_us, int exit_code)
{
	job->run = run;
	job->started_us = started_us;
	job->took_us = took_us;
	job->since_us = took_us >= 0 ? started_us + took_us : started_us;
	job->exit_code = exit_code;
}

static inline void glass_block(struct book_job *job, const char *blocker)
{
	job->blocked_by[job->blocked_count++] = say_strdup(blocker);
	job->root[job->root_count++] = say_strdup(blocker);
}

static inline void glass_fill_jobs(struct glass *g)
{
	struct book_job *j;
	int64_t minute = 60 * GLASS_SECOND, now_s = GLASS_WALL / GLASS_SECOND;

	j = glass_job(g, "eod/load-positions", "db1", "FAILED", "exit 3, try 2/2");
	glass_run(j, 8831, AGO(10, 54), 4 * minute + 2 * GLASS_SECOND, 3);
	j = glass_job(g, "web/cert-check", "web2", "FAILED", "exit 1, 3rd time");
	glass_run(j, 7790, AGO(14, 5), GLASS_SECOND * 4 / 10, 1);
	j->next_s = now_s + 955;
	j = glass_job(g, "stats/roll", "db3", "RUNNING", NULL);
	glass_run(j, 4411, AGO(1, 15), -1, -1);
	j = glass_job(g, "backup/home", "nas1", "RUNNING", "ends +14m");
	glass_run(j, 530, AGO(44, 5), -1, -1);
	j->late = true;
	j = glass_job(g, "eod/reconcile", "db2", "RUNNING", "55% of 6m10s");
	glass_run(j, 8840, AGO(3, 25), -1, -1);
	j = glass_job(g, "log/ship", "app1", "RUNNING", NULL);
	glass_run(j, 9001, AGO(0, 7), -1, -1);
	j->next_s = now_s + 355;
	j = glass_job(g, "stats/minute", "app1", "RUNNING", NULL);
	glass_run(j, 9002, AGO(0, 5), -1, -1);
	j->next_s = now_s + 55;
	j = glass_job(g, "eod/archive", "nas1", "HELD", "alice: disk swap");
	j->next_s = now_s + 4555;
	j = glass_job(g, "eod/report", "app1", "WAITING", "needs eod/load-positions@db1");
	glass_block(j, "eod/load-positions@db1");
	j->run = 9003;
	j->since_us = AGO(14, 5);
	j = glass_job(g, "eod/mail", "app1", "WAITING", "needs eod/report@app1");
	glass_block(j, "eod/report@app1");
	j->run = 9004;
	j->since_us = AGO(9, 5);
	j = glass_job(g, "risk/var", "calc1", "WAITING", "needs stats/roll@db3");
	glass_block(j, "stats/roll@db3");
	j->run = 310;
	j->since_us = AGO(30, 0);
	j = glass_job(g, "backup/db", "db1", "IDLE", NULL);
	j->next_s = now_s + 2755;
	j = glass_job(g, "legacy/ftp-pull", "app2", "ICED", "on ice since Mon");
	j->next_s = now_s + 2755;
	j = glass_job(g, "ledger/close", "ledg1", "SUCCESS", NULL);
	glass_run(j, 77, AGO(19, 5), 3 * minute + 10 * GLASS_SECOND, 0);
	j->next_s = now_s + 3 * 86400;
	j = glass_job(g, "ref/prices", "db2", "SUCCESS", NULL);
	glass_run(j, 8801, AGO(44, 5), 4 * GLASS_SECOND, 0);
	j->next_s = now_s + 955;
	j = glass_job(g, "web/sitemap", "web1", "SUCCESS", "M\xc3\xbcller's, \xe2\x9c\x93");
	glass_run(j, 12, AGO(74, 5), 41 * GLASS_SECOND, 0);
	j->next_s = now_s + 2755;
}

static inline Chime__ServerRow *glass_row(Chime__ServerRow *row, const char *name,
					  const char *state, int64_t heard_us)
{
	chime__server_row__init(row);
	row->server = (char *)name;
	row->state = (char *)state;
	row->has_heard = true;
	row->heard = heard_us;
	row->has_seq = row->has_known_seq = row->has_skew_us = true;
	row->seq = row->known_seq = 118230;
	row->version = (char *)"0.1.0";
	return row;
}

static inline void glass_fill_servers(struct glass *g)
{
	static const char *const names[] = { "db1", "db2", "db3", "nas1", "web2", "app1", "app2",
					     "calc1", "ledg1", "web1" };
	enum { COUNT = sizeof(names) / sizeof(names[0]) };
	Chime__ServersReply reply;
	Chime__ServerRow row[COUNT], *rows[COUNT];
	char *address[1] = { (char *)"10.1.0.7:7411" };

	chime__servers_reply__init(&reply);
	for (size_t i = 0; i < COUNT; i++) {
		rows[i] = glass_row(&row[i], names[i], "UP", GLASS_WALL - 400000);
		row[i].skew_us = 2000;
		row[i].address = address;
		row[i].n_address = 1;
	}
	row[0].has_self = row[0].self = true;
	row[2].state = (char *)"UNREACHABLE";
	row[2].heard = GLASS_WALL - 75 * GLASS_SECOND;
	row[2].known_seq = 118233;
	row[3].skew_us = 840000;
	row[4].has_unproven = row[4].unproven = true;
	row[4].note = (char *)"only 1 of 4 servers could be asked";
	reply.server = rows;
	reply.n_server = COUNT;
	book_take_servers(&g->book, &reply, g->now);
	struct book_server *lost = book_find_server(&g->book, "db3");
	lost->lost = true;
	lost->heard_us = GLASS_WALL - 75 * GLASS_SECOND;
	for (struct book_server *s = g->book.servers; s != NULL; s = s->hh.next) {
		if (!s->lost)
			s->heard_us = GLASS_WALL - 400000;
	}
	book_find_job(&g->book, "stats/roll@db3")->stale = true;
}

static inline void glass_hear(struct glass *g, Chime__Event *event, const char *origin,
			      uint64_t seq)
{
	struct book_heard heard = {
		.origin = origin, .lineage = { 5, 55 }, .seq = seq, .event = event,
	};

	book_hear(&g->book, &heard);
}

/* An event that ends a run; the row of its job changes with it. */
static inline void glass_hear_end(struct glass *g, const char *job, const char *server,
				  uint64_t seq, uint64_t run, int exit_code, int64_t time_us)
{
	Chime__Event event;
	Chime__RunEnded ended;
	Chime__RunRef ref;

	chime__event__init(&event);
	chime__run_ended__init(&ended);
	chime__run_ref__init(&ref);
	event.has_time = true;
	event.time = time_us;
	event.body_case = CHIME__EVENT__BODY_RUN_ENDED;
	event.run_ended = &ended;
	ended.ref = &ref;
	ref.has_run = true;
	ref.run = run;
	ref.job = (char *)job;
	ended.has_state = true;
	ended.state = exit_code == 0 ? CHIME__RUN_STATE__RUN_SUCCESS : CHIME__RUN_STATE__RUN_FAILED;
	ended.has_exit_code = true;
	ended.exit_code = exit_code;
	glass_hear(g, &event, server, seq);
}

static inline void glass_fill_events(struct glass *g)
{
	struct moment then = g->now;

	glass_hear_end(g, "ref/old", "db2", 90311, 8701, 0, AGO(200, 0));
	glass_hear_end(g, "ref/gone", "app1", 118220, 9000, 0, AGO(0, 6));
	glass_hear_end(g, "web/other", "web2", 44102, 7789, 1, AGO(0, 2) + 20000);
	then.wall_us = AGO(0, 1) + 500000;
	book_note(&g->book, then, "bus.gap", "db3 silent since 22:12:50");
	glass_hear_end(g, "log/rotate", "app1", 118230, 8999, 0, AGO(0, 0));
	/* They made rows of their own; the table is to be the drawn one. */
	static const char *const made[] = { "ref/old@db2", "ref/gone@app1", "web/other@web2",
					    "log/rotate@app1" };
	for (size_t i = 0; i < 4; i++) {
		struct book_job *job = book_find_job(&g->book, made[i]);
		if (job != NULL)
			glass_run(job, job->run, AGO(60 * 20, 0), GLASS_SECOND, job->exit_code);
	}
}

static inline void glass_link(struct glass *g)
{
	struct monitor_link *link = &g->monitor.link;

	link->up = link->ever_up = true;
	snprintf(link->server, sizeof(link->server), "db1");
	snprintf(link->you, sizeof(link->you), "alice");
	snprintf(link->role, sizeof(link->role), "operator");
	link->source = SOURCE_GROUP;
	link->heard_us = g->now.boot_us;
	snprintf(link->group, sizeof(link->group), "239.255.77.77:7410 on eth0");
	g->other[0] = (char *)"db2";
	g->other[1] = (char *)"app1";
	g->other[2] = (char *)"nas1";
	for (size_t i = 0; i < 3; i++)
		link->others[i] = g->other[i];
	link->other_count = 3;
}

static inline void glass_init(struct glass *g)
{
	static const struct monitor_options options = { .view = VIEW_JOBS };

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	memset(g, 0, sizeof(*g));
	g->now = (struct moment){ GLASS_WALL, GLASS_BOOT };
	book_init(&g->book);
	glass_fill_jobs(g);
	glass_fill_servers(g);
	glass_fill_events(g);
	monitor_init(&g->monitor, &g->book, &options);
	glass_link(g);
}

static inline void glass_fini(struct glass *g)
{
	monitor_fini(&g->monitor);
	book_fini(&g->book);
}

static inline void glass_pass(struct glass *g, int64_t us)
{
	g->now.wall_us += us;
	g->now.boot_us += us;
	if (g->monitor.link.up)
		g->monitor.link.heard_us = g->now.boot_us;
}

static inline void glass_key(struct glass *g, int key)
{
	monitor_key(&g->monitor, key, -1, -1, g->now);
}

static inline void glass_type(struct glass *g, const char *text)
{
	for (; *text != '\0'; text++)
		glass_key(g, (unsigned char)*text);
}

/* The picture as text, a line a row; freed by the caller. */
static inline char *glass_picture(struct glass *g, int rows, int cols, bool utf8)
{
	struct canvas c;
	char line[4096];
	size_t size = (size_t)rows * sizeof(line), len = 0;
	char *text = say_calloc(1, size + 1);

	canvas_init(&c, rows, cols, utf8);
	monitor_draw(&g->monitor, &c, g->now);
	for (int row = 0; row < rows; row++) {
		canvas_text(&c, row, line, sizeof(line));
		len += (size_t)snprintf(text + len, size - len, "%s\n", line);
	}
	canvas_fini(&c);
	return text;
}

static inline void glass_expect(struct glass *g, int rows, int cols, const char *what)
{
	char *picture = glass_picture(g, rows, cols, false);

	if (strstr(picture, what) == NULL)
		fail_msg("'%s' is not in\n%s", what, picture);
	free(picture);
}

static inline void glass_expect_not(struct glass *g, int rows, int cols, const char *what)
{
	char *picture = glass_picture(g, rows, cols, false);

	if (strstr(picture, what) != NULL)
		fail_msg("'%s' is in\n%s", what, picture);
	free(picture);
}

/* Takes all wishes; returns whether one of this kind was there, its text into out. */
static inline bool glass_wished(struct glass *g, enum wish_kind kind, char *out, size_t size)
{
	struct wish *wish;
	bool found = false;

	while ((wish = monitor_take_wish(&g->monitor)) != NULL) {
		if (wish->kind == kind) {
			found = true;
			if (out != NULL)
				snprintf(out, size, "%s", wish->text != NULL ? wish->text : "");
		}
		wish_free(wish);
	}
	return found;
}

#endif
