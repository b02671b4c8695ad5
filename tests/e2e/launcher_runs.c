/* Runs from start to end: results, times, kills, output. */
#include "tests/e2e/launcher_harness.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void success_and_environment(void **state)
{
	struct rig *rig = *state;
	struct attempt_report report;
	struct attempt_id id;
	size_t len;
	char *text, given[256];

	rig_jobs(rig, "job: eod/show\nenv: {GREETING: 'good evening', HOME: '/nowhere'}\n@USER@\n"
		      "run: [/bin/sh, -c, 'env | sort; echo \"$0 $1\"; umask; pwd; ls /proc/self/fd; "
		      "ps -o sid= -p $$ | tr -d \" \" | grep -qx $$ && echo leader', "
		      "'${CHIME_CYCLE}-x', '$HOME ${CHIME_OTHER} ${CHIME_JOB}']\n");
	assert_int_equal(rig_begin(rig), LINK_SET);
	assert_int_equal(rig->count, 1);
	id = rig_start(rig, "eod/show", 8831);
	report = rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	assert_true(report.pid > 0 && report.started_us > 0);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
	assert_int_equal(report.exit_code, 0);
	assert_int_equal(report.signal, 0);
	assert_string_equal(report.job, "eod/show");
	assert_string_equal(report.cycle, "2025-11-20");
	assert_true(report.ended_us >= report.started_us && report.max_rss_kib > 0);
	text = rig_output(rig, &id, &len);
	assert_int_equal(report.output_bytes, len);
	snprintf(given, sizeof(given), "CHIME_ATTEMPT=1\nCHIME_CAUSE=schedule\n"
		 "CHIME_CYCLE=2025-11-20\nCHIME_ENVIRONMENT=%s\nCHIME_JOB=eod/show\n"
		 "CHIME_RUN=8831\nCHIME_SERVER=app1\nCHIME_SLOT=2025-11-20T22:00:00Z\n"
		 "GREETING=good evening\nHOME=/nowhere\nLANG=C.UTF-8\nLOGNAME=", rig->environment);
	assert_non_null(strstr(text, given));
	assert_non_null(strstr(text, "\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
				     "/sbin:/bin\n"));
	assert_non_null(strstr(text, "\n2025-11-20-x $HOME ${CHIME_OTHER} eod/show\n0022\n"));
	/* 3 is the folder that ls reads. */
	assert_non_null(strstr(text, "\n0\n1\n2\n3\nleader\n"));
	assert_null(strstr(text, "ASAN"));
	free(text);
}

static void exit_codes_and_signals(void **state)
{
	struct rig *rig = *state;
	struct attempt_report report;
	struct attempt_id id;

	rig_jobs(rig, "job: three\n@USER@\nrun: exit 3\n"
		      "---\njob: accepted\n@USER@\nrun: exit 4\nsuccess_codes: '0,3-5'\n"
		      "---\njob: signalled\n@USER@\nrun: kill -SEGV $$\n");
	rig_begin(rig);
	id = rig_start(rig, "three", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_FAILED);
	assert_int_equal(report.exit_code, 3);
	id = rig_start(rig, "accepted", 2);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
	assert_int_equal(report.exit_code, 4);
	id = rig_start(rig, "signalled", 3);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_FAILED);
	assert_int_equal(report.exit_code, -1);
	assert_int_equal(report.signal, SIGSEGV);
}

static void start_errors(void **state)
{
	struct rig *rig = *state;
	struct attempt_report report;
	struct attempt_id id;

	rig_jobs(rig, "job: noexec\n@USER@\nrun: [/nowhere/program]\n"
		      "---\njob: nopath\n@USER@\nrun: [no-such-program-here]\n"
		      "---\njob: denied\n@USER@\nrun: [/etc/passwd]\n"
		      "---\njob: nodir\n@USER@\ndir: /nowhere\nrun: echo\n");
	rig_begin(rig);
	id = rig_start(rig, "noexec", 1);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_START_ERROR);
	assert_int_equal(report.error, ENOENT);
	assert_string_equal(report.detail, "exec /nowhere/program: No such file or directory");
	id = rig_start(rig, "nopath", 2);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_START_ERROR);
	assert_int_equal(report.error, ENOENT);
	id = rig_start(rig, "denied", 3);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_START_ERROR);
	assert_int_equal(report.error, EACCES);
	id = rig_start(rig, "nodir", 4);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_START_ERROR);
	assert_string_equal(report.detail, "chdir /nowhere: No such file or directory");
	rig_say_id(rig, LINK_ACK, &id);
	id.seq = 3;
	rig_say_id(rig, LINK_KILL, &id);	/* too late: its state again */
	rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_START_ERROR);
}

/* A job with a child of its own session that was forked twice, and both ignore TERM. */
#define STUBBORN "run: |\n" \
	"  trap '' TERM\n" \
	"  (setsid sh -c 'trap \"\" TERM; echo $$ > @DIR@/news; while :; do sleep 1000; done' &)\n" \
	"  echo $$ > @DIR@/news\n" \
	"  while :; do sleep 1000; done\n"

static void timeout_kills_the_whole_tree(void **state)
{
	struct rig *rig = *state;
	struct attempt_report report;
	struct attempt_id id;
	int first, second;

	rig_jobs(rig, "job: stubborn\n@USER@\nmax_time: 300ms\nkill_grace: 100ms\n" STUBBORN);
	rig_begin(rig);
	id = rig_start(rig, "stubborn", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	first = rig_pidfd(rig_news_int(rig));
	second = rig_pidfd(rig_news_int(rig));
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_TIMEOUT);
	assert_int_equal(report.signal, SIGKILL);
	rig_gone(first);
	rig_gone(second);
}

static void kill_reaches_the_whole_tree(void **state)
{
	struct rig *rig = *state;
	struct attempt_id id;
	int first, second;

	rig_jobs(rig, "job: stubborn\n@USER@\nkill_grace: 100ms\n" STUBBORN
		      "---\njob: polite\n@USER@\nkill_grace: 60s\n"
		      "run: |\n  trap 'exit 0' TERM\n  echo $$ > @DIR@/news\n"
		      "  while :; do sleep 0.05; done\n");
	rig_begin(rig);
	id = rig_start(rig, "stubborn", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	first = rig_pidfd(rig_news_int(rig));
	second = rig_pidfd(rig_news_int(rig));
	rig_say_id(rig, LINK_KILL, &id);
	rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_KILLED);
	rig_gone(first);
	rig_gone(second);
	/* One that ends by itself on TERM, with 0, was stopped all the same. */
	id = rig_start(rig, "polite", 2);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	rig_news_int(rig);
	rig_say_id(rig, LINK_KILL, &id);
	assert_int_equal(rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_KILLED).exit_code, 0);
}

static void strays_die_with_the_job(void **state)
{
	struct rig *rig = *state;
	struct attempt_id id;
	int stray;

	rig_jobs(rig, "job: leaves\n@USER@\n"
		      "run: |\n  (setsid sh -c 'trap \"\" TERM HUP; echo $$ > @DIR@/news; "
		      "read x < @DIR@/gate; echo x > @DIR@/news; sleep 1000' &)\n"
		      "  read x < @DIR@/gate2; exit 0\n");
	{
		char path[128];

		rig_path(rig, "gate", path, sizeof(path));
		assert_int_equal(mkfifo(path, 0666), 0);
		rig_path(rig, "gate2", path, sizeof(path));
		assert_int_equal(mkfifo(path, 0666), 0);
	}
	rig_begin(rig);
	id = rig_start(rig, "leaves", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	stray = rig_pidfd(rig_news_int(rig));
	{
		char path[128];
		FILE *gate;

		rig_path(rig, "gate2", path, sizeof(path));
		gate = fopen(path, "w");
		fputs("go\n", gate);
		fclose(gate);
	}
	rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
	rig_gone(stray);
}

static void output_is_bounded_and_binary(void **state)
{
	struct rig *rig = *state;
	struct attempt_report report;
	struct attempt_id id;
	size_t len;
	char *text;

	rig_configure(rig, "limits: {max_output: 64KiB}\n");
	rig_jobs(rig, "job: loud\n@USER@\nrun: seq 1 200000\n"
		      "---\njob: binary\n@USER@\nrun: \"printf 'a\\\\000b\\\\377'; printf err >&2\"\n"
		      "---\njob: silent\n@USER@\nrun: 'true'\n");
	rig_begin(rig);
	id = rig_start(rig, "loud", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
	assert_int_equal(report.output_bytes, 1288895);
	assert_int_equal(report.truncated, 1);
	text = rig_output(rig, &id, &len);
	assert_int_equal(len, 65536);
	assert_memory_equal(text, "1\n2\n3\n", 6);
	assert_string_equal(text + len - 14, "199999\n200000\n");
	free(text);
	id = rig_start(rig, "binary", 2);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
	assert_int_equal(report.truncated, 0);
	text = rig_output(rig, &id, &len);
	assert_int_equal(len, 7);
	assert_memory_equal(memchr(text, 'a', len), "a\0b\377", 4);
	free(text);
	id = rig_start(rig, "silent", 3);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
	text = rig_output(rig, &id, &len);
	assert_int_equal(len, 0);
	free(text);
}

static void started_once(void **state)
{
	struct rig *rig = *state;
	struct attempt_id id;
	char line[64], path[128];
	FILE *gate;

	rig_jobs(rig, "job: once\n@USER@\nrun: echo started > @DIR@/news; read x < @DIR@/gate\n"
		      "---\njob: other\n@USER@\nrun: 'true'\n");
	rig_path(rig, "gate", path, sizeof(path));
	assert_int_equal(mkfifo(path, 0666), 0);
	rig_begin(rig);
	rig_start(rig, "once", 1);
	id = rig_start(rig, "once", 1);
	rig_start(rig, "once", 1);
	rig_news(rig, line, sizeof(line));
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	/* The same directory for another job is refused. */
	rig_start(rig, "other", 1);
	for (;;) {
		struct attempt_report report = rig_state(rig, &id);

		if (report.state == ATTEMPT_RUNNING)
			continue;	/* answers to the repeated orders */
		assert_int_equal(report.state, ATTEMPT_NOT_STARTED);
		assert_int_equal(report.error, EEXIST);
		break;
	}
	gate = fopen(path, "w");
	fputs("go\n", gate);
	fclose(gate);
	rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
	/* After its end, and after the acknowledgement too. */
	rig_start(rig, "once", 1);
	rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
	rig_say_id(rig, LINK_ACK, &id);
	rig_start(rig, "once", 1);
	rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
	assert_false(rig_has_directory(rig, "spool", &id));
	assert_true(rig_has_directory(rig, "output", &id));
	/* An id nobody knows. */
	id.seq = 4711;
	rig_say_id(rig, LINK_KILL, &id);
	assert_int_equal(rig_expect(rig, &id, ATTEMPT_NOT_STARTED, 0).error, ENOENT);
}

static void kept_output_is_pruned(void **state)
{
	struct rig *rig = *state;
	struct attempt_id ids[6];
	size_t len;

	rig_configure(rig, "limits: {output_size: 1MiB, max_output: 400KiB}\n");
	rig_jobs(rig, "job: big\n@USER@\nrun: head -c 400000 /dev/zero\n");
	rig_begin(rig);
	for (uint64_t i = 0; i < 6; i++) {
		ids[i] = rig_start(rig, "big", i + 1);
		rig_expect(rig, &ids[i], ATTEMPT_RUNNING, 0);
		rig_expect(rig, &ids[i], ATTEMPT_ENDED, RESULT_SUCCESS);
		free(rig_output(rig, &ids[i], &len));	/* until it is complete */
		rig_say_id(rig, LINK_ACK, &ids[i]);
	}
	free(rig_output(rig, &ids[5], &len));
	assert_int_equal(len, 400000);
	assert_false(rig_has_directory(rig, "output", &ids[0]));
	assert_false(rig_has_directory(rig, "output", &ids[3]));
	assert_true(rig_has_directory(rig, "output", &ids[4]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(success_and_environment, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(exit_codes_and_signals, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(start_errors, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(timeout_kills_the_whole_tree,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(kill_reaches_the_whole_tree,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(strays_die_with_the_job, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(output_is_bounded_and_binary,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(started_once, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(kept_output_is_pruned, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
