/* The command line of chime: what is taken, what is refused, and with which hint. */
#include "client/opt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct args args;
static struct trouble t;

static int parse(const char *line)
{
	static char copy[256];
	static char *argv[32];
	int argc = 0;

	args_fini(&args);
	t = (struct trouble){ 0 };
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	return args_parse(argc, argv, &args, &t);
}

static void test_options_anywhere(void **state)
{
	(void)state;
	assert_int_equal(parse("chime --json ls --via db1 a b -q"), 0);
	assert_string_equal(args.command->name, "ls");
	assert_true(args_given(&args, OPT_JSON) && args_given(&args, OPT_QUIET));
	assert_string_equal(args.value[OPT_VIA], "db1");
	assert_int_equal(args.word_count, 2);
	assert_string_equal(args.word[1], "b");
	assert_int_equal(parse("chime --via=db1 ls"), 0);
	assert_string_equal(args.value[OPT_VIA], "db1");
	assert_int_equal(parse("chime ls -- --json"), 0);
	assert_false(args_given(&args, OPT_JSON));
	assert_string_equal(args.word[0], "--json");
	assert_int_equal(parse("chime start -"), 0);
	assert_string_equal(args.word[0], "-");
}

static void test_bundled_letters(void **state)
{
	(void)state;
	assert_int_equal(parse("chime log -fn5 x"), 0);
	assert_true(args_given(&args, OPT_FOLLOW));
	assert_string_equal(args.value[OPT_LINES], "5");
	assert_int_equal(parse("chime log -n 7 x"), 0);
	assert_string_equal(args.value[OPT_LINES], "7");
	assert_int_equal(parse("chime ls -vo name"), 0);
	assert_string_equal(args.value[OPT_OUTPUT], "name");
}

static void test_two_words(void **state)
{
	(void)state;
	assert_int_equal(parse("chime server ls"), 0);
	assert_string_equal(args.command->name, "server ls");
	assert_int_equal(args.word_count, 0);
	assert_int_equal(parse("chime server"), 0);
	assert_string_equal(args.command->name, "server ls");
	assert_int_equal(parse("chime ca issue --role server --name a --out b"), 0);
	assert_string_equal(args.command->name, "ca issue");
	assert_int_equal(parse("chime ca"), EXIT_USAGE);
	assert_non_null(strstr(t.what, "one more word"));
}

static void test_refusals_have_hints(void **state)
{
	(void)state;
	assert_int_equal(parse("chime relaese x"), EXIT_USAGE);
	assert_non_null(strstr(t.why, "`release`"));
	assert_int_equal(parse("chime ls --trubble"), EXIT_USAGE);
	assert_non_null(strstr(t.why, "--trouble"));
	assert_int_equal(parse("chime trigger x"), EXIT_USAGE);
	assert_non_null(strstr(t.why, "start"));
	assert_int_equal(parse("chime ls --via"), EXIT_USAGE);
	assert_int_equal(parse("chime ls --json=1"), EXIT_USAGE);
	assert_int_equal(parse("chime -Z ls"), EXIT_USAGE);
}

/* An option of one command is not silently taken by another: a reload has no dry run. */
static void test_options_belong_to_commands(void **state)
{
	(void)state;
	assert_int_equal(parse("chime start --dry-run x"), 0);
	assert_int_equal(parse("chime reload --dry-run"), EXIT_USAGE);
	assert_int_equal(parse("chime ls --force"), EXIT_USAGE);
	assert_int_equal(parse("chime ls --reason x"), EXIT_USAGE);
	assert_int_equal(parse("chime kill --follow x"), EXIT_USAGE);
	assert_int_equal(parse("chime start --follow x"), 0);
	assert_int_equal(parse("chime reload --yes"), 0);
	assert_int_equal(parse("chime --force"), EXIT_USAGE);
}

static void test_help_wins(void **state)
{
	(void)state;
	assert_int_equal(parse("chime start -h"), 0);
	assert_true(args_given(&args, OPT_HELP));
	assert_int_equal(parse("chime --version"), 0);
	assert_true(args_given(&args, OPT_VERSION));
	assert_int_equal(parse("chime"), 0);
	assert_null(args.command);
}

static void test_numbers_and_durations(void **state)
{
	(void)state;
	uint64_t n = 20;
	int64_t us = 1;

	assert_int_equal(parse("chime runs --limit 7"), 0);
	assert_int_equal(args_number(&args, OPT_LIMIT, 1, 10, &n, &t), 0);
	assert_int_equal(n, 7);
	assert_int_equal(args_number(&args, OPT_LIMIT, 8, 10, &n, &t), EXIT_USAGE);
	assert_int_equal(args_number(&args, OPT_COUNT, 8, 10, &n, &t), 0);
	static const char *const bad[] = { "chime runs --limit -1", "chime runs --limit 7x",
		"chime runs --limit 99999999999999999999999", "chime runs --limit=" };
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(parse(bad[i]), 0);
		assert_int_equal(args_number(&args, OPT_LIMIT, 0, UINT64_MAX, &n, &t),
				 EXIT_USAGE);
	}
	assert_int_equal(n, 7);
	assert_int_equal(parse("chime ls --timeout 1m30s"), 0);
	assert_int_equal(args_duration(&args, OPT_TIMEOUT, &us, &t), 0);
	assert_int_equal(us, 90000000);
	assert_int_equal(parse("chime ls --timeout soon"), 0);
	assert_int_equal(args_duration(&args, OPT_TIMEOUT, &us, &t), EXIT_USAGE);
	args_fini(&args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_anywhere),
		cmocka_unit_test(test_bundled_letters),
		cmocka_unit_test(test_two_words),
		cmocka_unit_test(test_refusals_have_hints),
		cmocka_unit_test(test_options_belong_to_commands),
		cmocka_unit_test(test_help_wins),
		cmocka_unit_test(test_numbers_and_durations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
