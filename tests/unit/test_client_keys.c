/* The table of keys: nothing twice, everything reachable, key lines of whole words, and the page of
 * the manual that tells of it. */
#include "client/monitor/deed.h"
#include "client/monitor/keys.h"
#include "client/monitor/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static bool has_key(const struct key_row *row, int key)
{
	for (size_t k = 0; k < KEYS_OF_ROW; k++) {
		if (row->keys[k] == key)
			return true;
	}
	return false;
}

static void test_one_meaning(void **state)
{
	(void)state;
	for (enum view_id view = 0; view < VIEW_COUNT; view++) {
		for (size_t a = 0; a < key_row_count; a++) {
			if ((key_rows[a].views & 1u << view) == 0)
				continue;
			for (size_t b = a + 1; b < key_row_count; b++) {
				for (size_t k = 0; k < KEYS_OF_ROW; k++) {
					int key = key_rows[a].keys[k];
					if (key != 0 && (key_rows[b].views & 1u << view) &&
					    has_key(&key_rows[b], key))
						fail_msg("key %d twice in view %d: %s, %s", key, (int)view,
							 key_rows[a].help, key_rows[b].help);
				}
			}
		}
	}
}

static void test_all_actions(void **state)
{
	(void)state;
	for (int action = ACTION_NONE + 1; action < ACTION_COUNT; action++) {
		bool found = false;
		for (size_t i = 0; i < key_row_count; i++)
			found |= (int)key_rows[i].action == action;
		if (!found)
			fail_msg("no key for action %d", action);
	}
	for (size_t i = 0; i < key_row_count; i++) {
		const struct key_row *row = &key_rows[i];
		assert_true(row->keys[0] != 0 && row->views != 0);
		assert_true(strlen(row->label) <= 12);
		assert_true(strlen(row->help) <= 30);
		assert_true(row->word == NULL || row->rank > 0);
		assert_true(row->group < GROUP_COUNT);
	}
}

static void test_everywhere(void **state)
{
	(void)state;
	for (enum view_id view = 0; view < VIEW_COUNT; view++) {
		assert_int_equal(key_action(view, PRESS_ESCAPE), ACTION_BACK);
		assert_int_equal(key_action(view, 'q'), ACTION_CLOSE);
		assert_int_equal(key_action(view, 'Q'), ACTION_QUIT);
		assert_int_equal(key_action(view, PRESS_CTRL_C), ACTION_QUIT);
		assert_int_equal(key_action(view, '?'), ACTION_HELP);
		assert_int_equal(key_action(view, KEY_NONE), ACTION_NONE);
		assert_int_equal(key_action(view, PRESS_OTHER), ACTION_NONE);
	}
	assert_int_equal(key_action(VIEW_JOBS, 'w'), ACTION_WHY);
	assert_int_equal(key_action(VIEW_JOB, 'w'), ACTION_WRAP);
	assert_int_equal(key_action(VIEW_JOBS, '/'), ACTION_FILTER);
	assert_int_equal(key_action(VIEW_WHY, '/'), ACTION_SEARCH);
	assert_int_equal(key_action(VIEW_JOBS, ' '), ACTION_TAG);
	assert_int_equal(key_action(VIEW_OUTPUT, ' '), ACTION_PAGE_DOWN);
	assert_int_equal(key_action(VIEW_JOBS, PRESS_ENTER), ACTION_OPEN);
	assert_int_equal(key_action(VIEW_SERVERS, 'a'), ACTION_NONE);
}

/* Is the piece from `at` on a key and its word, whole? */
/* The key line as one text. */
static size_t key_line(enum view_id view, size_t width, char *out, size_t size)
{
	const struct key_row *rows[KEY_LINE_MAX];
	size_t count = key_line_rows(view, width, rows), len = 0;
	char name[KEY_NAME_SIZE];

	out[0] = '\0';
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(out + len, size - len, "%*s%s%s",
					i > 0 ? (int)key_line_gap(width) : 0, "",
					key_name(rows[i]->keys[0], name), rows[i]->word);
	assert_true(len < size);
	return len;
}

static bool is_whole(const struct key_row *const *rows, size_t count, const char *at, size_t len)
{
	char name[KEY_NAME_SIZE], word[64];

	for (size_t i = 0; i < count; i++) {
		snprintf(word, sizeof(word), "%s%s", key_name(rows[i]->keys[0], name),
			 rows[i]->word);
		if (strlen(word) == len && strncmp(word, at, len) == 0)
			return true;
	}
	return false;
}

static void check_line(enum view_id view, size_t width)
{
	const struct key_row *all[KEY_LINE_MAX];
	size_t count = key_line_rows(view, 1000, all);
	char line[400];

	size_t len = key_line(view, width, line, sizeof(line));
	assert_int_equal(len, strlen(line));
	assert_true(strlen(line) <= width);
	for (const char *p = line; *p != '\0'; ) {
		p += strspn(p, " ");
		size_t n = strcspn(p, " ");
		assert_true(is_whole(all, count, p, n));
		p += n;
	}
	if (view != VIEW_HELP && width >= 5)
		assert_int_equal(strncmp(line, "?Help", 5), 0);
}

static void test_key_line(void **state)
{
	char line[200];

	(void)state;
	for (enum view_id view = 0; view < VIEW_COUNT; view++) {
		for (size_t width = 0; width < 220; width++)
			check_line(view, width);
	}
	assert_int_equal(key_line(VIEW_JOBS, 4, line, sizeof(line)), 0);
	assert_string_equal(line, "");
	key_line(VIEW_JOBS, 5, line, sizeof(line));
	assert_string_equal(line, "?Help");
	key_line(VIEW_JOBS, 40, line, sizeof(line));
	assert_string_equal(line, "?Help /Filter wWhy lLog aActions qQuit");
}

static void test_names(void **state)
{
	char name[KEY_NAME_SIZE];

	(void)state;
	assert_string_equal(key_name('?', name), "?");
	assert_string_equal(key_name(' ', name), "Spc");
	assert_string_equal(key_name(PRESS_ENTER, name), "Enter");
	assert_string_equal(key_name(PRESS_F10, name), "F10");
}

/* ---- chime-monitor(1) ---- */

static int key_of_name(const char *name)
{
	static const struct { const char *name; int key; } names[] = {
		{ "Enter", PRESS_ENTER }, { "Esc", PRESS_ESCAPE }, { "Bksp", PRESS_BACKSPACE },
		{ "Tab", PRESS_TAB }, { "Shift-Tab", PRESS_SHIFT_TAB }, { "Space", ' ' },
		{ "Ctrl-C", PRESS_CTRL_C }, { "Ctrl-L", PRESS_CTRL_L }, { "Up", PRESS_UP },
		{ "Down", PRESS_DOWN }, { "Left", PRESS_LEFT }, { "Right", PRESS_RIGHT },
		{ "PgUp", PRESS_PAGE_UP }, { "PgDn", PRESS_PAGE_DOWN }, { "Home", PRESS_HOME },
		{ "End", PRESS_END }, { "F1", PRESS_F1 }, { "F3", PRESS_F3 }, { "F4", PRESS_F4 },
		{ "F6", PRESS_F6 }, { "F9", PRESS_F9 }, { "F10", PRESS_F10 },
	};

	if (strncmp(name, "\\&", 2) == 0)
		name += 2;
	if (name[0] != '\0' && name[1] == '\0')
		return (unsigned char)name[0];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i].name, name) == 0)
			return names[i].key;
	}
	return KEY_NONE;
}

static bool has_row(int key)
{
	for (enum view_id view = 0; view < VIEW_COUNT; view++) {
		if (key_action(view, key) != ACTION_NONE)
			return true;
	}
	return false;
}

/* The keys that the page's list of keys names; returns how many. */
static size_t read_page(int *keys, size_t most)
{
	char line[256], *save = NULL;
	FILE *page = fopen("man/chime-monitor.1", "r");
	bool inside = false;
	size_t count = 0;

	assert_non_null(page);
	while (fgets(line, sizeof(line), page) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, ".Ss ", 4) == 0)
			inside = strcmp(line, ".Ss Keys") == 0;
		if (!inside || strncmp(line, ".It Ic ", 7) != 0)
			continue;
		for (char *w = strtok_r(line + 7, " ,", &save); w != NULL;
		     w = strtok_r(NULL, " ,", &save)) {
			int key = key_of_name(w);
			if (key == KEY_NONE || !has_row(key))
				fail_msg("chime-monitor(1) names the key %s, which is none", w);
			assert_true(count < most);
			keys[count++] = key;
		}
	}
	fclose(page);
	return count;
}

static void expect_on_page(const int *keys, size_t count, const struct key_row *row)
{
	for (size_t i = 0; i < count; i++) {
		if (keys[i] == row->keys[0])
			return;
	}
	fail_msg("chime-monitor(1) does not name %s (%s)", row->label, row->help);
}

/* Each key of the page does something; what the key lines show, and what asks a server or leaves
 * the monitor, is on it. */
static void test_page(void **state)
{
	int keys[128];
	size_t count = read_page(keys, 128);

	(void)state;
	for (size_t i = 0; i < key_row_count; i++) {
		if (key_rows[i].word != NULL || key_rows[i].command != NULL)
			expect_on_page(keys, count, &key_rows[i]);
	}
}

/* Every letter of the menu of actions is told there. */
static void test_page_of_acting(void **state)
{
	char text[32768], word[16], letter;
	FILE *page = fopen("man/chime-monitor.1", "r");

	(void)state;
	assert_non_null(page);
	text[fread(text, 1, sizeof(text) - 1, page)] = '\0';
	fclose(page);
	const char *acting = strstr(text, "\n.Ss Acting\n");
	assert_non_null(acting);
	for (size_t i = 0; deed_menu_row(i, &letter) != NULL; i++) {
		snprintf(word, sizeof(word), "\n.Ic %c\n", letter);
		if (strstr(acting, word) == NULL)
			fail_msg("chime-monitor(1) does not name the action %c", letter);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_meaning), cmocka_unit_test(test_all_actions),
		cmocka_unit_test(test_everywhere), cmocka_unit_test(test_key_line),
		cmocka_unit_test(test_names), cmocka_unit_test(test_page),
		cmocka_unit_test(test_page_of_acting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
