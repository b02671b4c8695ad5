/*
 * Pictures of the monitor, compared with tests/screens/golden character by character.
 * UPDATE_GOLDEN=1 writes them anew: look at every one that changed.
 */
#include "tests/unit/glass.h"

#include <errno.h>
#include <locale.h>

static struct glass glass;

static int set_up(void **state)
{
	(void)state;
	setlocale(LC_CTYPE, "C.UTF-8");
	glass_init(&glass);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	glass_fini(&glass);
	return 0;
}

static char *read_golden(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = say_calloc(1, 1 << 17);

	if (file == NULL)
		return text;
	text[fread(text, 1, (1 << 17) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void write_golden(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

/* No line wider than asked, whatever the golden file says. */
static void check_width(const char *picture, int cols)
{
	for (const char *line = picture; *line != '\0'; ) {
		const char *end = strchr(line, '\n');
		int width = 0;
		for (const char *p = line; p < end; p++)
			width += ((unsigned char)*p & 0xc0) != 0x80;
		assert_true(width <= cols);
		line = end + 1;
	}
}

static void compare(const char *name, int cols, int rows, bool utf8)
{
	char path[256];
	char *picture = glass_picture(&glass, rows, cols, utf8);

	check_width(picture, cols);
	snprintf(path, sizeof(path), "tests/screens/golden/%s-%dx%d%s.txt", name, cols, rows,
		 utf8 ? "-utf8" : "");
	if (getenv("UPDATE_GOLDEN") != NULL)
		write_golden(path, picture);
	char *golden = read_golden(path);
	if (strcmp(golden, picture) != 0)
		fail_msg("%s differs\n--- golden\n%s--- now\n%s", path, golden, picture);
	free(golden);
	free(picture);
}

static const struct { int cols, rows; } sizes[] = {
	{ 200, 60 }, { 132, 40 }, { 100, 30 }, { 80, 24 }, { 60, 20 }, { 40, 12 }, { 80, 8 },
	{ 30, 10 }, { 20, 4 }, { 20, 3 }, { 10, 2 }, { 1, 1 },
};

enum { SIZE_COUNT = sizeof(sizes) / sizeof(sizes[0]) };

static void compare_sizes(const char *name)
{
	for (size_t i = 0; i < SIZE_COUNT; i++)
		compare(name, sizes[i].cols, sizes[i].rows, false);
}

/* The sizes at which a view that is not the jobs' differs. */
static void compare_some(const char *name)
{
	compare(name, 132, 40, false);
	compare(name, 80, 24, false);
	compare(name, 60, 20, false);
	compare(name, 40, 12, false);
	compare(name, 20, 3, false);
}

static void test_jobs(void **state)
{
	(void)state;
	free(glass_picture(&glass, 24, 80, false));
	rows_update(&glass.monitor.rows, &glass.book, glass.now);
	rows_go_to(&glass.monitor.rows, "eod/report@app1");
	compare_sizes("jobs");
	compare("jobs", 80, 24, true);
	compare("jobs", 132, 40, true);
}

static void test_jobs_marks(void **state)
{
	(void)state;
	glass_key(&glass, ' ');
	glass_key(&glass, ' ');
	glass_key(&glass, 'z');
	compare("tagged", 80, 24, false);
	compare("tagged", 40, 12, false);
	glass_pass(&glass, 10 * GLASS_SECOND);
	glass_type(&glass, "/on:app1");
	compare("typing", 80, 24, false);
	compare("typing", 40, 12, false);
	compare("typing", 20, 3, false);
	compare("typing", 1, 1, false);
	glass_key(&glass, PRESS_ENTER);
	compare("filtered", 80, 24, false);
	compare("filtered", 40, 12, false);
	glass_type(&glass, "/x:y");
	compare("wrong", 80, 24, false);
}

static void test_lost_link(void **state)
{
	struct monitor_link *link = &glass.monitor.link;

	(void)state;
	link->up = false;
	link->lost_us = glass.now.boot_us;
	link->retry_us = glass.now.boot_us + 40 * GLASS_SECOND;
	snprintf(link->why, sizeof(link->why), "reset by peer");
	glass_pass(&glass, 37 * GLASS_SECOND);
	compare("group-only", 80, 24, false);
	link->source = SOURCE_NONE;
	compare_sizes("lost");
	link->ever_up = false;
	link->heard_us = 0;
	compare("never", 80, 24, false);
	link->why[0] = '\0';
	compare("connecting", 80, 24, false);
}

static void test_frozen(void **state)
{
	(void)state;
	free(glass_picture(&glass, 24, 80, false));
	glass_key(&glass, 'Z');
	free(glass_picture(&glass, 24, 80, false));
	glass_pass(&glass, 12 * GLASS_SECOND);
	glass_hear_end(&glass, "eod/reconcile", "db2", 90320, 8840, 1, glass.now.wall_us);
	compare("frozen", 80, 24, false);
	compare("frozen", 40, 12, false);
	glass_key(&glass, 'Z');
	compare("thawed", 80, 24, false);
}

static void test_servers(void **state)
{
	(void)state;
	glass_key(&glass, '4');
	compare_some("servers");
	glass_key(&glass, PRESS_DOWN);
	compare("servers-unproven", 80, 24, false);
	glass_key(&glass, PRESS_END);
	glass.monitor.link.missing = 7;
	snprintf(glass.monitor.link.missing_of, sizeof(glass.monitor.link.missing_of), "db3");
	glass.monitor.link.group[0] = '\0';
	snprintf(glass.monitor.link.no_group, sizeof(glass.monitor.link.no_group),
		 "no interface could be joined");
	glass.monitor.link.source = SOURCE_STREAM;
	for (int i = 0; i < 9; i++) {
		if (strcmp(glass.monitor.servers.name, "nas1") != 0)
			glass_key(&glass, PRESS_UP);
	}
	compare("servers-skew", 80, 24, false);
}

static void test_events(void **state)
{
	(void)state;
	glass_key(&glass, '5');
	compare_some("events");
	glass_key(&glass, PRESS_UP);
	compare("events-paused", 80, 24, false);
}

static void test_help(void **state)
{
	(void)state;
	glass_key(&glass, '?');
	compare_some("help");
	glass_key(&glass, PRESS_ESCAPE);
	glass_key(&glass, '4');
	glass_key(&glass, '?');
	compare("help-servers", 80, 24, false);
}

static void test_messages(void **state)
{
	(void)state;
	monitor_say(&glass.monitor, glass.now, false, "started: run 9010@app1");
	monitor_say(&glass.monitor, glass.now, true, "kill backup/home@nas1 is refused: nas1 says "
		    "that alice is not an operator there. try: ask somebody whose certificate is "
		    "one, or chime --via nas1 kill");
	compare("said", 80, 24, false);
	compare("said", 40, 12, false);
	glass_type(&glass, ":messages");
	glass_key(&glass, PRESS_ENTER);
	compare("messages", 80, 24, false);
	compare("messages", 40, 12, false);
}

static void test_command(void **state)
{
	static const char said[] = "eod/report@app1 WAITING\n";

	(void)state;
	glass_type(&glass, ":");
	compare("command", 80, 24, false);
	glass_type(&glass, "l");
	glass_key(&glass, PRESS_TAB);
	compare("completion", 80, 24, false);
	glass_key(&glass, PRESS_CTRL_U);
	glass_type(&glass, "ls state:wa");
	glass_key(&glass, PRESS_ENTER);
	monitor_take_output(&glass.monitor, said, sizeof(said) - 1, true, 0, glass.now);
	compare("output", 80, 24, false);
}

/* Before a server has answered. */
static void test_asking(void **state)
{
	(void)state;
	rows_update(&glass.monitor.rows, &glass.book, glass.now);
	rows_go_to(&glass.monitor.rows, "eod/report@app1");
	glass_key(&glass, PRESS_ENTER);
	compare("job", 80, 24, false);
	compare("job", 40, 12, false);
	compare("job", 20, 3, false);
	glass_key(&glass, PRESS_ESCAPE);
	glass_key(&glass, 'w');
	compare("why", 80, 24, false);
	compare("why", 40, 12, false);
	glass_key(&glass, PRESS_ESCAPE);
	glass_key(&glass, 'a');
	compare("menu", 80, 24, false);
	compare("menu", 80, 24, true);
	compare("menu", 40, 12, false);
	compare("menu", 20, 3, false);
}

static void test_empty(void **state)
{
	struct glass empty;
	struct monitor_options options = { .view = VIEW_JOBS };

	(void)state;
	memset(&empty, 0, sizeof(empty));
	empty.now = glass.now;
	book_init(&empty.book);
	monitor_init(&empty.monitor, &empty.book, &options);
	char *picture = glass_picture(&empty, 24, 80, false);
	assert_non_null(strstr(picture, "No jobs are known yet."));
	free(picture);
	for (size_t i = 0; i < SIZE_COUNT; i++)
		free(glass_picture(&empty, sizes[i].rows, sizes[i].cols, false));
	glass_fini(&empty);
}

int main(void)
{
#define PICTURE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		PICTURE(test_jobs), PICTURE(test_jobs_marks), PICTURE(test_lost_link),
		PICTURE(test_frozen), PICTURE(test_servers), PICTURE(test_events),
		PICTURE(test_help), PICTURE(test_messages), PICTURE(test_command),
		PICTURE(test_asking), PICTURE(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
