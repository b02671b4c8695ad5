/* The monitor through its keys: views, typing, what it asks for, and what it never does. */
#include "tests/unit/glass.h"

#include "client/opt.h"

#include <locale.h>

static struct glass glass;
static struct monitor *m;

static int set_up(void **state)
{
	(void)state;
	setlocale(LC_CTYPE, "C.UTF-8");
	glass_init(&glass);
	m = &glass.monitor;
	free(glass_picture(&glass, 24, 80, false));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	glass_fini(&glass);
	return 0;
}

static bool wished(enum wish_kind kind)
{
	return glass_wished(&glass, kind, NULL, 0);
}

/* ---- views and leaving ---- */

static void test_views(void **state)
{
	(void)state;
	assert_int_equal(monitor_view(m), VIEW_JOBS);
	glass_key(&glass, PRESS_TAB);
	assert_int_equal(monitor_view(m), VIEW_SERVERS);
	glass_key(&glass, PRESS_TAB);
	assert_int_equal(monitor_view(m), VIEW_EVENTS);
	glass_key(&glass, PRESS_TAB);
	assert_int_equal(monitor_view(m), VIEW_JOBS);
	glass_key(&glass, PRESS_SHIFT_TAB);
	assert_int_equal(monitor_view(m), VIEW_EVENTS);
	glass_key(&glass, '4');
	glass_key(&glass, '?');
	assert_int_equal(monitor_view(m), VIEW_HELP);
	assert_int_equal(m->depth, 2);
	glass_key(&glass, 'x');
	assert_int_equal(monitor_view(m), VIEW_SERVERS);
	assert_false(wished(WISH_QUIT));
}

static void test_escape_never_quits(void **state)
{
	(void)state;
	glass_key(&glass, '5');
	glass_key(&glass, '?');
	for (int i = 0; i < 10; i++)
		glass_key(&glass, i % 2 ? PRESS_ESCAPE : PRESS_BACKSPACE);
	assert_int_equal(monitor_view(m), VIEW_JOBS);
	assert_false(wished(WISH_QUIT));
}

static void test_quit(void **state)
{
	(void)state;
	glass_key(&glass, '4');
	glass_key(&glass, 'q');
	assert_int_equal(monitor_view(m), VIEW_JOBS);
	assert_false(wished(WISH_QUIT));
	glass_key(&glass, 'q');
	assert_true(wished(WISH_QUIT));
	glass_key(&glass, '?');
	glass_key(&glass, 'Q');
	assert_true(wished(WISH_QUIT));
	glass_key(&glass, PRESS_ESCAPE);
	glass_type(&glass, "/Q");
	assert_false(wished(WISH_QUIT));
	assert_string_equal(m->rows.filter, "Q");
	glass_key(&glass, PRESS_CTRL_C);
	assert_true(wished(WISH_QUIT));
	glass_key(&glass, PRESS_ESCAPE);
	glass_key(&glass, 'a');
	assert_true(deed_is_open(&m->deed));
	glass_key(&glass, PRESS_CTRL_C);
	assert_true(wished(WISH_QUIT));
	glass_key(&glass, 'Q');
	assert_true(wished(WISH_QUIT));
}

/* ---- jobs ---- */

static void test_cursor_stays(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		glass_key(&glass, 'j');
	assert_string_equal(m->rows.cursor, "eod/reconcile@db2");
	glass_pass(&glass, 10 * GLASS_SECOND);
	glass_hear_end(&glass, "log/ship", "app1", 118231, 9001, 1, glass.now.wall_us);
	free(glass_picture(&glass, 24, 80, false));
	assert_string_equal(m->rows.cursor, "eod/reconcile@db2");
	assert_string_equal(rows_current(&m->rows)->key, "eod/reconcile@db2");
	glass_expect(&glass, 24, 80, "> RU eod/reconcile");
	glass_expect(&glass, 24, 80, "  FA log/ship");
	for (int cols = 1; cols < 140; cols++)
		free(glass_picture(&glass, 1 + cols % 40, cols, cols % 2));
	assert_string_equal(m->rows.cursor, "eod/reconcile@db2");
	glass_expect(&glass, 24, 80, "> RU eod/reconcile");
}

static void test_filter(void **state)
{
	(void)state;
	glass_type(&glass, "/eod");
	glass_expect(&glass, 24, 80, "5 of 20 jobs");
	glass_key(&glass, PRESS_ENTER);
	glass_expect(&glass, 24, 80, "/eod");
	assert_int_equal(m->typing, TYPING_NOTHING);
	glass_type(&glass, "/ -state:fa");
	glass_expect(&glass, 24, 80, "hides FAILED");
	/* No key acts while typing. */
	glass_type(&glass, "aqZ14?");
	assert_false(deed_is_open(&m->deed));
	assert_false(m->frozen);
	assert_false(wished(WISH_QUIT));
	glass_key(&glass, PRESS_ESCAPE);
	assert_string_equal(m->rows.filter, "eod");
	glass_key(&glass, PRESS_ESCAPE);
	assert_string_equal(m->rows.filter, "");
	/* What is no filter is told and does not end the typing. */
	glass_type(&glass, "/state:nonsense");
	glass_key(&glass, PRESS_ENTER);
	assert_int_equal(m->typing, TYPING_FILTER);
	assert_true(m->typing_note[0] != '\0');
	/* Meanwhile the list is that of the other words. */
	assert_string_equal(m->rows.filter, "");
	glass_key(&glass, PRESS_ESCAPE);
	glass_type(&glass, "/eod on:");
	assert_string_equal(m->rows.filter, "eod");
	assert_int_equal(m->typing, TYPING_FILTER);
}

static enum style style_of(const struct canvas *c, const char *what)
{
	char line[512];

	for (int row = 0; row < c->rows; row++) {
		canvas_text(c, row, line, sizeof(line));
		const char *at = strstr(line, what);
		if (at != NULL)
			return c->cells[row * c->cols + (at - line)].style;
	}
	fail_msg("'%s' is not there", what);
	return STYLE_PLAIN;
}

static void test_filter_hides_trouble(void **state)
{
	struct canvas c;

	(void)state;
	glass_type(&glass, "/on:app1");
	glass_key(&glass, PRESS_ENTER);
	canvas_init(&c, 24, 80, false);
	monitor_draw(m, &c, glass.now);
	assert_int_equal(style_of(&c, "/on:app1"), STYLE_ALERT);
	glass_type(&glass, "/");
	glass_key(&glass, PRESS_CTRL_U);
	glass_type(&glass, "db1 FAILED");
	glass_key(&glass, PRESS_CTRL_U);
	glass_type(&glass, "state:fa");
	glass_key(&glass, PRESS_ENTER);
	monitor_draw(m, &c, glass.now);
	assert_int_equal(style_of(&c, "/state:fa"), STYLE_BOLD);
	assert_int_equal(style_of(&c, "3 of 20"), STYLE_PLAIN);
	canvas_fini(&c);
}

static void test_tags(void **state)
{
	(void)state;
	glass_key(&glass, ' ');
	glass_key(&glass, ' ');
	assert_int_equal(rows_tag_count(&m->rows), 2);
	glass_expect(&glass, 24, 80, "2 tagged");
	glass_key(&glass, 'a');
	assert_true(deed_is_open(&m->deed));
	assert_int_equal(m->deed.target_count, 2);
	glass_key(&glass, PRESS_ESCAPE);
	assert_false(deed_is_open(&m->deed));
	glass_key(&glass, 'U');
	assert_int_equal(rows_tag_count(&m->rows), 0);
	glass_key(&glass, '*');
	assert_int_equal(rows_tag_count(&m->rows), 20);
	glass_key(&glass, PRESS_ESCAPE);
	assert_int_equal(rows_tag_count(&m->rows), 0);
	glass_key(&glass, PRESS_HOME);
	glass_key(&glass, PRESS_F9);
	assert_int_equal(m->deed.target_count, 1);
	assert_string_equal(m->deed.target[0], "eod/load-positions@db1");
}

static void test_sort_and_jump(void **state)
{
	(void)state;
	glass_key(&glass, PRESS_F6);
	assert_int_equal(m->rows.sort, SORT_TROUBLE + 1);
	glass_key(&glass, '<');
	glass_key(&glass, '<');
	assert_int_equal(m->rows.sort, SORT_COUNT - 1);
	glass_key(&glass, PRESS_F3);
	glass_type(&glass, "ledger");
	assert_string_equal(m->rows.cursor, "ledger/close@ledg1");
	glass_key(&glass, PRESS_ESCAPE);
	assert_string_equal(m->rows.cursor, "eod/load-positions@db1");
	glass_key(&glass, PRESS_F3);
	glass_type(&glass, "zz");
	glass_expect(&glass, 24, 80, "nothing shown begins so");
	glass_key(&glass, PRESS_CTRL_U);
	glass_type(&glass, "risk");
	glass_key(&glass, PRESS_ENTER);
	assert_string_equal(m->rows.cursor, "risk/var@calc1");
	glass_key(&glass, '!');
	assert_true(m->rows.trouble_only);
}

static void test_open(void **state)
{
	(void)state;
	glass_key(&glass, PRESS_ENTER);
	assert_int_equal(monitor_view(m), VIEW_JOB);
	assert_string_equal(m->subject, "eod/load-positions@db1");
	glass_key(&glass, PRESS_ESCAPE);
	assert_int_equal(monitor_view(m), VIEW_JOBS);
	glass_key(&glass, 'w');
	assert_int_equal(monitor_view(m), VIEW_WHY);
	glass_key(&glass, 'q');
	assert_int_equal(monitor_view(m), VIEW_JOBS);
	assert_false(wished(WISH_QUIT));
}

static void test_copy(void **state)
{
	char text[200];

	(void)state;
	glass_key(&glass, 'y');
	assert_true(glass_wished(&glass, WISH_COPY, text, sizeof(text)));
	assert_string_equal(text, "eod/load-positions@db1");
}

static void test_mouse(void **state)
{
	(void)state;
	monitor_key(m, PRESS_CLICK, m->list_row + 2, 10, glass.now);
	assert_string_equal(m->rows.cursor, "web/other@web2");
	monitor_key(m, PRESS_CLICK, m->tabs_row, 10, glass.now);
	assert_int_equal(monitor_view(m), VIEW_SERVERS);
	free(glass_picture(&glass, 24, 80, false));
	monitor_key(m, PRESS_CLICK, m->list_row + 3, 2, glass.now);
	assert_string_equal(m->servers.name, "db1");
	glass_key(&glass, '1');
	free(glass_picture(&glass, 24, 80, false));
	monitor_key(m, PRESS_CLICK, m->heads_row, 34, glass.now);
	assert_int_equal(m->rows.sort, SORT_SERVER);
	monitor_key(m, PRESS_CLICK, 500, 500, glass.now);
	monitor_key(m, PRESS_CLICK, -1, -1, glass.now);
	glass_key(&glass, 'm');
	char text[16];
	assert_true(glass_wished(&glass, WISH_MOUSE, text, sizeof(text)));
	assert_string_equal(text, "on");
}

static void test_marks(void **state)
{
	(void)state;
	glass_expect(&glass, 24, 80, "?? stats/roll                  db3    22:12:50      -");
	glass_expect(&glass, 24, 80, "db3 lost 1m15s");
	glass_expect(&glass, 24, 132, "waits for lost db3");
	glass_expect(&glass, 24, 80, "LATE, ends +14m");
	glass_expect(&glass, 24, 80, "44m05s");
	glass_pass(&glass, 3 * GLASS_SECOND);
	glass_expect(&glass, 24, 80, "44m08s");
}

/* ---- other lists ---- */

static void test_servers(void **state)
{
	(void)state;
	glass_key(&glass, '4');
	glass_expect(&glass, 24, 80, ">db3    LOST");
	glass_expect(&glass, 24, 80, "1 job of other servers waits for it");
	glass_key(&glass, 'j');
	glass_expect(&glass, 24, 80, "web2 is unproven");
	/* It stays on its server when another one is lost. */
	book_find_server(&glass.book, "ledg1")->lost = true;
	glass_expect(&glass, 24, 80, ">web2");
	glass_key(&glass, PRESS_ENTER);
	assert_int_equal(monitor_view(m), VIEW_JOBS);
	assert_string_equal(m->rows.filter, "on:web2");
	glass_expect(&glass, 24, 80, "2 of 20 jobs");
}

static void test_events(void **state)
{
	(void)state;
	glass_key(&glass, '5');
	glass_expect(&glass, 24, 80, "> 22:14:05.000");
	glass_key(&glass, 'k');
	glass_expect(&glass, 24, 80, ">!22:14:04.500");
	glass_hear_end(&glass, "log/ship", "app1", 118231, 9001, 0, glass.now.wall_us);
	glass_expect(&glass, 24, 80, ">!22:14:04.500");
	glass_expect(&glass, 24, 80, "2 newer");
	glass_key(&glass, PRESS_ENTER);
	assert_int_equal(monitor_view(m), VIEW_EVENTS);
	glass_expect(&glass, 24, 80, "not about a job");
	glass_key(&glass, PRESS_END);
	glass_expect(&glass, 24, 80, "following");
	glass_key(&glass, PRESS_ENTER);
	assert_int_equal(monitor_view(m), VIEW_JOB);
	assert_string_equal(m->subject, "log/ship@app1");
	glass_key(&glass, PRESS_ESCAPE);
	assert_int_equal(monitor_view(m), VIEW_EVENTS);
	glass_type(&glass, "/ref");
	glass_expect(&glass, 24, 80, "2 of 6 events");
	glass_expect_not(&glass, 24, 80, "bus.gap");
}

/* Scrolled up, what is seen does not move, however much comes. */
static void test_events_stand_still(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		glass_hear_end(&glass, "log/ship", "app1", 118300 + (uint64_t)i, 9001, 0,
			       glass.now.wall_us + i * 1000);
	glass_key(&glass, '5');
	free(glass_picture(&glass, 12, 80, false));
	for (int i = 0; i < 30; i++)
		glass_key(&glass, 'k');
	char *before = glass_picture(&glass, 12, 80, false);
	for (int i = 0; i < 50; i++)
		glass_hear_end(&glass, "log/ship", "app1", 118400 + (uint64_t)i, 9001, 0,
			       glass.now.wall_us + i * 1000);
	char *after = glass_picture(&glass, 12, 80, false);
	/* Up to the line that counts what is newer. */
	char *end = strstr(before, "PAUSED");
	assert_non_null(end);
	assert_memory_equal(before, after, (size_t)(end - before));
	free(before);
	free(after);
	/* The cursor moves within the screen before the screen moves. */
	size_t top = m->events.top;
	glass_key(&glass, 'j');
	free(glass_picture(&glass, 12, 80, false));
	assert_int_equal(m->events.top, top);
	glass_key(&glass, PRESS_HOME);
	glass_expect(&glass, 12, 80, "> 18:54:05.000");
}

/* ---- the picture as a whole ---- */

static void test_freeze(void **state)
{
	(void)state;
	glass_key(&glass, 'Z');
	glass_expect(&glass, 24, 80, "FROZEN 00:00, 0 events waiting");
	glass_pass(&glass, 12 * GLASS_SECOND);
	glass_hear_end(&glass, "eod/reconcile", "db2", 90400, 8840, 3, glass.now.wall_us);
	glass_expect(&glass, 24, 80, "FROZEN 00:12, 1 event waiting");
	glass_expect(&glass, 24, 80, "RU eod/reconcile");
	glass_expect(&glass, 24, 80, "44m05s");
	free(glass_picture(&glass, 5, 7, false));
	free(glass_picture(&glass, 60, 200, true));
	glass_key(&glass, 'j');
	assert_false(m->frozen);
	glass_expect(&glass, 24, 80, "FA eod/reconcile");
	glass_key(&glass, 'Z');
	glass_key(&glass, 'Z');
	assert_false(m->frozen);
}

/* At 80 columns no text of the help is cut. */
static void test_help_fits(void **state)
{
	(void)state;
	for (const char *view = "145"; *view != '\0'; view++) {
		glass_key(&glass, *view);
		glass_key(&glass, '?');
		for (int i = 0; i < 80; i++) {
			char *picture = glass_picture(&glass, 24, 80, false);
			for (char *at = picture; (at = strchr(at, '>')) != NULL; at++) {
				bool key = strncmp(at - 4, " F6 >", 5) == 0 ||
					   strncmp(at - 4, "took>", 5) == 0 ||
					   strncmp(at - 3, "   >", 4) == 0;
				if (!key)
					fail_msg("a text of the help is cut: %.40s",
						 at - picture > 38 ? at - 38 : picture);
			}
			free(picture);
			glass_key(&glass, PRESS_DOWN);
		}
		glass_key(&glass, PRESS_ESCAPE);
	}
}

static void test_lost_names_and_reasons(void **state)
{
	(void)state;
	m->link.up = false;
	m->link.source = SOURCE_NONE;
	m->link.lost_us = glass.now.boot_us;
	snprintf(m->link.server, sizeof(m->link.server), "app1");
	snprintf(m->link.why, sizeof(m->link.why), "app1 at 127.0.0.1:22047 is not there");
	glass_expect(&glass, 24, 132, "CONNECTION TO db1 LOST at ");
	glass_expect(&glass, 24, 132, "(app1 is not there)");
	snprintf(m->link.why, sizeof(m->link.why), "the certificate of app1 is not accepted: it is "
		 "of another environment, and its time was over long before the last of these words");
	glass_expect(&glass, 24, 80, "CONNECTION TO db1 LOST at ");
	glass_expect(&glass, 24, 80, "last of these words");
	glass_expect(&glass, 24, 80, "r retry now");
}

/* What is not heard any more does not go on. */
static void test_old_spans_stand_still(void **state)
{
	(void)state;
	m->link.up = false;
	m->link.source = SOURCE_NONE;
	glass_type(&glass, "/home");
	glass_key(&glass, PRESS_ENTER);
	glass_pass(&glass, 10 * 60 * GLASS_SECOND);
	glass_expect(&glass, 24, 80, "backup/home@nas1 RUNNING 44m");
	glass_expect(&glass, 24, 80, "as heard last");
}

static void test_search_in_a_part(void **state)
{
	(void)state;
	glass_type(&glass, ":ls");
	glass_key(&glass, PRESS_ENTER);
	text_print(&m->output, "one line");
	m->output.begins_later = true;
	glass_type(&glass, "/zzz");
	glass_key(&glass, PRESS_ENTER);
	glass_expect(&glass, 24, 80, "not in the last 1 line (Home loads the rest): zzz");
	m->output.begins_later = false;
	glass_type(&glass, "/zzz");
	glass_key(&glass, PRESS_ENTER);
	glass_expect(&glass, 24, 80, "no line holds zzz");
	/* What a command says is not said under the error of another. */
	glass_type(&glass, ":ls");
	glass_key(&glass, PRESS_ENTER);
	glass_expect_not(&glass, 24, 80, "no line holds zzz");
}

static void test_menu_without_a_link(void **state)
{
	(void)state;
	glass_expect_not(&glass, 24, 80, "Nothing may be done");
	m->link.up = false;
	glass_key(&glass, 'a');
	glass_expect(&glass, 24, 80, "Nothing may be done now, see above.   Esc: close");
	glass_expect_not(&glass, 24, 80, "A letter shows");
}

static void test_whole_counters(void **state)
{
	(void)state;
	snprintf(m->link.group, sizeof(m->link.group), "239.255.77.77:7410 on eth0");
	snprintf(m->link.counters, sizeof(m->link.counters),
		 "datagrams 1, not opened 22, foreign 4444444");
	glass_key(&glass, '4');
	glass_expect(&glass, 24, 80, "no gap   datagrams 1\n");
	glass_expect(&glass, 24, 132, "datagrams 1, not opened 22, foreign 4444444\n");
}

static void test_lost_link(void **state)
{
	struct canvas c;

	(void)state;
	m->link.up = false;
	m->link.lost_us = glass.now.boot_us;
	m->link.retry_us = glass.now.boot_us + 3 * GLASS_SECOND;
	glass_expect(&glass, 24, 80, "NO LINK, group heard");
	glass_expect(&glass, 24, 80, "FA eod/load-positions");
	m->link.source = SOURCE_NONE;
	glass_pass(&glass, 2 * GLASS_SECOND);
	glass_expect(&glass, 24, 80, "DATA IS 2 s OLD");
	glass_expect(&glass, 24, 80, "Trying again in 1 s.");
	glass_expect(&glass, 24, 80, "fa eod/load-positions");
	glass_expect(&glass, 24, 80, "20 of 20 jobs");
	canvas_init(&c, 24, 80, false);
	monitor_draw(m, &c, glass.now);
	assert_int_equal(style_of(&c, "DATA IS"), STYLE_ALERT);
	assert_true(c.cells[(m->list_row + 1) * 80 + 5].stale);
	canvas_fini(&c);
	glass_key(&glass, 'r');
	assert_true(wished(WISH_RETRY));
	glass_type(&glass, "cd");
	glass_key(&glass, PRESS_TAB);
	glass_key(&glass, PRESS_ENTER);
	char text[100];
	assert_true(glass_wished(&glass, WISH_CHANGE_SERVER, text, sizeof(text)));
	assert_string_equal(text, "db2");
	assert_non_null(monitor_forbids(m));
	glass_type(&glass, ":hold eod/mail@app1");
	glass_key(&glass, PRESS_ENTER);
	assert_false(deed_is_open(&m->deed));
	glass_expect(&glass, 24, 80, "hold is refused: there is no link");
	m->link.up = true;
	m->link.source = SOURCE_STREAM;
	glass_expect(&glass, 24, 80, "LIVE stream");
	assert_null(monitor_forbids(m));
	snprintf(m->link.role, sizeof(m->link.role), "viewer");
	assert_non_null(monitor_forbids(m));
	glass_expect(&glass, 24, 80, "read-only");
}

static void test_status(void **state)
{
	(void)state;
	monitor_say(m, glass.now, false, "started: run %d", 9010);
	glass_expect(&glass, 24, 80, "started: run 9010");
	glass_key(&glass, 'j');
	glass_expect(&glass, 24, 80, "started: run 9010");	/* nobody reads so fast */
	glass_pass(&glass, 3 * GLASS_SECOND);
	glass_key(&glass, 'j');
	glass_expect_not(&glass, 24, 80, "started: run 9010");
	monitor_say(m, glass.now, false, "again");
	glass_pass(&glass, 7 * GLASS_SECOND);
	glass_expect_not(&glass, 24, 80, "again");
	for (int i = 0; i < MONITOR_MESSAGES_MAX + 10; i++)
		monitor_say(m, glass.now, i % 2, "message %d", i);
	glass_type(&glass, ":messages");
	glass_key(&glass, PRESS_ENTER);
	glass_expect(&glass, 24, 80, "message 509");
	glass_key(&glass, PRESS_HOME);
	glass_expect(&glass, 24, 80, "message 10");
	glass_expect_not(&glass, 24, 80, "message 9\n");
}

static void test_due(void **state)
{
	(void)state;
	/* Once a second, at its beginning. */
	glass_pass(&glass, 300000);
	free(glass_picture(&glass, 24, 80, false));
	assert_int_equal(monitor_due_us(m, glass.now), glass.now.boot_us + 700000);
	glass_pass(&glass, 5 * GLASS_SECOND);
	assert_true(monitor_due_us(m, glass.now) < glass.now.boot_us);
}

static void test_help_lists_all(void **state)
{
	static const enum view_id lists[] = { VIEW_JOBS, VIEW_SERVERS, VIEW_EVENTS, VIEW_JOB,
					      VIEW_WHY, VIEW_OUTPUT, VIEW_MESSAGES };

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		snprintf(m->subject, sizeof(m->subject), "eod/report@app1");
		monitor_show(m, lists[i]);
		glass_key(&glass, '?');
		for (int cols = 60; cols <= 160; cols += 50) {
			char *picture = glass_picture(&glass, 170, cols, false);
			size_t at = 0;
			const struct key_row *row;
			while ((row = key_next_row(lists[i], &at)) != NULL) {
				char line[100];
				snprintf(line, sizeof(line), "%-12s %s", row->label, row->help);
				if (strstr(picture, line) == NULL)
					fail_msg("'%s' is not in\n%s", line, picture);
			}
			free(picture);
		}
		glass_key(&glass, PRESS_ESCAPE);
	}
}

static void test_help_scrolls(void **state)
{
	(void)state;
	glass_key(&glass, '?');
	glass_expect_not(&glass, 10, 40, "quit from anywhere");
	glass_key(&glass, PRESS_END);
	free(glass_picture(&glass, 10, 40, false));
	glass_expect_not(&glass, 10, 40, "Down: more");
	for (int i = 0; i < 40; i++)
		glass_key(&glass, 'k');
	glass_key(&glass, PRESS_HOME);
	glass_expect(&glass, 10, 40, "help of this view");
	assert_int_equal(monitor_view(m), VIEW_HELP);
}

/* ---- the command line ---- */

static bool commanded(const char *expected)
{
	char text[300];

	if (!glass_wished(&glass, WISH_COMMAND, text, sizeof(text)))
		return false;
	assert_string_equal(text, expected);
	return true;
}

static void run(const char *line)
{
	glass_type(&glass, ":");
	glass_type(&glass, line);
	glass_key(&glass, PRESS_ENTER);
}

static void test_commands(void **state)
{
	(void)state;
	run("ls state:wa");
	assert_int_equal(monitor_view(m), VIEW_OUTPUT);
	assert_true(commanded("ls state:wa"));
	monitor_take_output(m, "a line\n", 7, true, 3, glass.now);
	glass_expect(&glass, 24, 80, "a line");
	glass_expect(&glass, 24, 80, "exit 3");
	run("chime events -f");
	assert_true(commanded("events -f"));
	assert_true(m->output_running);
	glass_key(&glass, PRESS_ESCAPE);
	assert_true(wished(WISH_STOP_COMMAND));
	run("help start");
	assert_true(commanded("help start"));
	run("help");
	assert_int_equal(monitor_view(m), VIEW_HELP);
	run("q");
	assert_false(commanded(""));
}

static void test_commands_refused(void **state)
{
	static const struct { const char *line, *said; } cases[] = {
		{ "monitor", "this is the monitor" }, { "demo", "terminal of its own" },
		{ "ca init --environment X --dir /tmp/x", "run it in a shell" },
		{ "why -", "no standard input" }, { "nonsense", "nonsense" },
		{ "ls --nonsense", "--nonsense" }, { "ls 'open", "quote" }, { "--json", "no command" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run(cases[i].line);
		glass_expect(&glass, 24, 80, cases[i].said);
		assert_false(commanded(""));
		assert_int_equal(monitor_view(m), VIEW_JOBS);
	}
	run("   ");
	assert_int_equal(m->typing, TYPING_NOTHING);
}

static void test_acting_command_asks(void **state)
{
	(void)state;
	run("kill eod/reconcile@db2");
	assert_true(deed_is_open(&m->deed));
	assert_false(wished(WISH_COMMAND));
	glass_key(&glass, PRESS_ENTER);
	assert_false(wished(WISH_COMMAND));
	glass_key(&glass, PRESS_ESCAPE);
	assert_false(deed_is_open(&m->deed));
	m->read_only = true;
	run("--via db1 hold eod/mail@app1");
	assert_false(deed_is_open(&m->deed));
	glass_expect(&glass, 24, 80, "hold is refused");
}

static void test_history(void **state)
{
	(void)state;
	run("ls");
	run("status");
	run("status");
	assert_int_equal(m->history_count, 2);
	glass_type(&glass, ":");
	glass_key(&glass, PRESS_UP);
	assert_string_equal(m->edit.text, "status");
	glass_key(&glass, PRESS_UP);
	glass_key(&glass, PRESS_UP);
	assert_string_equal(m->edit.text, "ls");
	glass_key(&glass, PRESS_DOWN);
	assert_string_equal(m->edit.text, "status");
	glass_key(&glass, PRESS_DOWN);
	assert_string_equal(m->edit.text, "");
	glass_key(&glass, PRESS_BACKSPACE);
	assert_int_equal(m->typing, TYPING_NOTHING);
	for (int i = 0; i < MONITOR_HISTORY_MAX + 20; i++) {
		char line[32];
		snprintf(line, sizeof(line), "ls %d", i);
		run(line);
	}
	assert_int_equal(m->history_count, MONITOR_HISTORY_MAX);
}

static void expect_completed(const char *typed, const char *completed)
{
	glass_type(&glass, ":");
	glass_type(&glass, typed);
	glass_key(&glass, PRESS_TAB);
	assert_string_equal(m->edit.text, completed);
	glass_key(&glass, PRESS_ESCAPE);
}

static void test_completion(void **state)
{
	(void)state;
	expect_completed("ver", "version ");
	expect_completed("serv", "server ");
	expect_completed("server l", "server ls ");
	expect_completed("ca is", "ca issue ");
	expect_completed("mess", "messages ");
	expect_completed("why eod/rep", "why eod/report@app1 ");
	expect_completed("why eod/re", "why eod/re");
	expect_completed("ls --tr", "ls --trouble ");
	expect_completed("ls @nas", "ls @nas1 ");
	expect_completed("--via le", "--via ledg1 ");
	expect_completed("--via ledg1 --json wh", "--via ledg1 --json why ");
	expect_completed("--vi", "--via ");
	expect_completed("server trust --rea", "server trust --reason ");
	expect_completed("why zzz", "why zzz");
	glass_type(&glass, ":l");
	glass_key(&glass, PRESS_TAB);
	assert_string_equal(m->typing_note, "ls log");
}

/* ---- nothing is done without y ---- */

static uint64_t seed = 20261120;

static uint32_t random_number(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 33) % below;
}

static bool acts(const char *line)
{
	char text[300], *words[64] = { (char[]){ "chime" } }, *save = NULL;
	struct args args = { 0 };
	struct trouble t = { 0 };
	int count = 1;

	snprintf(text, sizeof(text), "%s", line);
	for (char *w = strtok_r(text, " '\"\\", &save); w != NULL && count < 64;
	     w = strtok_r(NULL, " '\"\\", &save))
		words[count++] = w;
	bool yes = args_parse(count, words, &args, &t) == 0 && args.command != NULL &&
		   args.command->action;
	args_fini(&args);
	return yes;
}

/* Answers a dry run as a server would, so that the dialogs go on. */
static void answer_order(const struct wish *wish)
{
	struct letter letter = { .tag = wish->tag, .kind = wish->order->kind, .done = true };

	if (wish->order->kind == ORDER_ACT) {
		letter.effects.count = wish->order->target_count;
		letter.effects.list = say_calloc(letter.effects.count + 1,
						 sizeof(*letter.effects.list));
		for (size_t i = 0; i < letter.effects.count; i++) {
			letter.effects.list[i].done = random_number(4) > 0;
			letter.effects.list[i].target = say_strdup(wish->order->target[i]);
			letter.effects.list[i].user = say_strdup("batch");
		}
	} else if (random_number(2)) {
		trouble_set(&letter.trouble, EXIT_UNREACHED, "db1 closed the connection");
	}
	monitor_take_letter(m, &letter, glass.now);
	effects_fini(&letter.effects);
}

static size_t dry_runs, commands_run;

static void check_wishes(void)
{
	struct wish *wish;

	while ((wish = monitor_take_wish(m)) != NULL) {
		if (wish->kind == WISH_ORDER) {
			assert_non_null(wish->order);
			assert_true(wish->order->kind != ORDER_ACT || wish->order->dry);
			dry_runs += wish->order->kind == ORDER_ACT;
			if (random_number(3) > 0)
				answer_order(wish);
		} else if (wish->kind == WISH_COMMAND) {
			commands_run++;
			if (acts(wish->text))
				fail_msg("'%s' was not asked for", wish->text);
			if (random_number(2))
				monitor_take_output(m, "some\033[31m output\n", 17,
						    random_number(2), 0, glass.now);
		}
		wish_free(wish);
	}
}

static const char *const lines[] = {
	"start --force eod/report@app1", "kill 8831@db1", "hold --reason x eod/mail@app1",
	"release 'eod/*'", "ls state:fa", "log -f 9001@app1", "events -f", "reload", "messages",
	"help", "server trust", "chime start -v @db1", "--via db1 kill -n eod/mail", "stop 9001",
	"ca init --environment X --dir /x", "\"start\" eod/mail@app1", "st\\art x", "why eod/mail",
};

static int random_key(void)
{
	static const char often[] = "aaafskhrjjkklw?/:145ZzmAC!U* <>nN[]v{}|0123456789eodb@- ";

	switch (random_number(8)) {
	case 0: return PRESS_BACKSPACE + (int)random_number(PRESS_OTHER - PRESS_BACKSPACE + 1);
	case 1: return (int)random_number(256);
	case 2: return PRESS_ENTER;
	case 3: return random_number(2) ? PRESS_ESCAPE : PRESS_TAB;
	case 4: return (int)random_number(0x110000);
	default: return often[random_number(sizeof(often) - 1)];
	}
}

static void press(int key)
{
	if (key == 'y')
		return;
	monitor_key(m, key, (int)random_number(30), (int)random_number(90), glass.now);
	check_wishes();
}

static void change_something(uint64_t i)
{
	static const char *const names[] = { "log/ship", "eod/mail", "new/job" };

	glass_hear_end(&glass, names[i % 3], "app1", 200000 + i, 200000 + i, (int)(i % 2),
		       glass.now.wall_us);
	m->link.up = random_number(5) > 0;
	m->link.lost_us = m->link.retry_us = glass.now.boot_us;
	m->link.source = (enum source)random_number(3);
	m->read_only = random_number(10) == 0;
}

static void test_random_keys(void **state)
{
	static const int sizes[][2] = { { 60, 200 }, { 40, 132 }, { 24, 80 }, { 20, 60 },
					{ 12, 40 }, { 4, 20 }, { 3, 20 }, { 2, 10 }, { 1, 1 },
					{ 1, 300 }, { 100, 1 }, { 5, 79 } };
	uint64_t keys = 0;

	(void)state;
	for (uint64_t i = 0; keys < 100000; i++) {
		if (random_number(40) == 0) {
			const char *line = lines[random_number(sizeof(lines) / sizeof(lines[0]))];
			press(PRESS_ESCAPE);
			press(PRESS_ESCAPE);
			press(':');
			for (; *line != '\0'; line++, keys++)
				press((unsigned char)*line);
			press(PRESS_ENTER);
		}
		press(random_key());
		keys++;
		glass_pass(&glass, random_number(60000));
		if (random_number(50) == 0)
			change_something(i);
		if (random_number(10) == 0) {
			size_t s = random_number(sizeof(sizes) / sizeof(sizes[0]));
			free(glass_picture(&glass, sizes[s][0], sizes[s][1], random_number(2)));
		}
	}
	/* It got everywhere. */
	assert_true(dry_runs > 50);
	assert_true(commands_run > 50);
}

/* ---- seams between the views ---- */

static void test_events_filtered(void **state)
{
	(void)state;
	glass_key(&glass, '5');
	glass_type(&glass, "/on:db2,web2");
	glass_expect(&glass, 24, 80, "web/other");
	glass_expect(&glass, 24, 80, "ref/old");
	glass_expect_not(&glass, 24, 80, "log/rotate");
	glass_key(&glass, PRESS_ESCAPE);
	glass_type(&glass, "/-WEB -on:db*");
	glass_expect(&glass, 24, 80, "log/rotate");
	glass_expect_not(&glass, 24, 80, "web/other");
	glass_expect_not(&glass, 24, 80, "ref/old");
	glass_key(&glass, PRESS_ESCAPE);
	/* What is about jobs says nothing of events. */
	glass_type(&glass, "/late -held trouble state:fa took>1m log");
	glass_expect(&glass, 24, 80, "log/rotate");
	glass_expect_not(&glass, 24, 80, "web/other");
}

static void test_paused_without_events(void **state)
{
	(void)state;
	glass_key(&glass, '5');
	glass_key(&glass, PRESS_HOME);
	glass_type(&glass, "/nothing-like-this");
	glass_key(&glass, PRESS_ENTER);
	glass_expect(&glass, 24, 80, "No event matches");
	glass_expect(&glass, 24, 80, "PAUSED   0 newer");
}

static void test_removed_is_not_counted(void **state)
{
	(void)state;
	glass_expect(&glass, 24, 80, " FA 3 ");
	book_find_job(&glass.book, "web/cert-check@web2")->removed = true;
	book_find_job(&glass.book, "eod/load-positions@db1")->removed = true;
	glass.book.jobs_version++;
	glass_expect(&glass, 24, 80, " FA 1 ");
	glass_expect(&glass, 24, 80, "18 of 18 jobs");
	glass_expect(&glass, 3, 20, "web/other@web2");
	glass_key(&glass, '4');
	glass_expect(&glass, 24, 80, "web2   UNPROVEN   0.4s     1   0   1");
}

static void expect_copied(const char *what)
{
	char text[256];

	assert_true(glass_wished(&glass, WISH_COPY, text, sizeof(text)));
	assert_string_equal(text, what);
	glass_expect(&glass, 24, 80, "copied ");
}

static void test_copy_everywhere(void **state)
{
	(void)state;
	glass_type(&glass, "y");
	expect_copied("eod/load-positions@db1");
	glass_pass(&glass, 10 * GLASS_SECOND);
	glass_type(&glass, "wy");
	expect_copied("eod/load-positions@db1");
	glass_pass(&glass, 10 * GLASS_SECOND);
	glass_key(&glass, PRESS_ESCAPE);
	glass_key(&glass, PRESS_ENTER);
	glass_type(&glass, "y");
	expect_copied("eod/load-positions@db1");
}

/* The last of a list does not move the messages that are read. */
static void test_messages_stand_still(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++)
		monitor_say(m, glass.now, false, "message %d", i);
	glass_type(&glass, ":messages");
	glass_key(&glass, PRESS_ENTER);
	glass_expect(&glass, 12, 80, "message 38");
	glass_key(&glass, PRESS_PAGE_UP);
	glass_expect(&glass, 12, 80, "message 25");
	glass_expect_not(&glass, 12, 80, "message 38");
	for (int i = 0; i < 20; i++)
		monitor_say(m, glass.now, false, "new %d", i);
	glass_expect(&glass, 12, 80, "message 25");
	glass_key(&glass, PRESS_END);
	glass_expect(&glass, 12, 80, "new 19");
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH(test_views), WITH(test_escape_never_quits), WITH(test_quit),
		WITH(test_cursor_stays), WITH(test_filter), WITH(test_filter_hides_trouble),
		WITH(test_tags), WITH(test_sort_and_jump), WITH(test_open), WITH(test_copy),
		WITH(test_mouse), WITH(test_marks), WITH(test_servers), WITH(test_events),
		WITH(test_events_stand_still), WITH(test_freeze), WITH(test_lost_link),
		WITH(test_help_fits), WITH(test_lost_names_and_reasons),
		WITH(test_old_spans_stand_still), WITH(test_whole_counters),
		WITH(test_search_in_a_part), WITH(test_menu_without_a_link),

		WITH(test_status), WITH(test_due), WITH(test_help_lists_all),
		WITH(test_help_scrolls), WITH(test_commands), WITH(test_commands_refused),
		WITH(test_acting_command_asks), WITH(test_history), WITH(test_completion),
		WITH(test_events_filtered), WITH(test_paused_without_events),
		WITH(test_removed_is_not_counted), WITH(test_copy_everywhere),
		WITH(test_messages_stand_still), WITH(test_random_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
