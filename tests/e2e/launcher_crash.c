/* SIGKILL to launcher and shepherds: nothing is lost, nothing runs twice, nothing stays behind. */
#include "tests/e2e/launcher_harness.h"

#include "daemon/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAITS "run: |\n  echo $$ > @DIR@/news\n  read x < @DIR@/gate\n  echo done; exit 7\n"

/* Children of their own sessions, forked twice; the second one (last in FAMILY's news, or not) also
 * cleared its environment: without a cgroup it escapes from a shepherd's death unless the launcher
 * is the shepherd's parent. The manual says so. */
#define FAMILY "run: |\n" \
	"  (setsid sh -c 'trap \"\" TERM; echo $$ > @DIR@/news; while :; do sleep 1000; done' &)\n" \
	"  (env -i setsid sh -c 'echo -$$ > @DIR@/news; exec sleep 1000' &)\n" \
	"  echo $$ > @DIR@/news\n" \
	"  while :; do sleep 1000; done\n"

static void make_gate(struct rig *rig)
{
	char path[128];

	rig_path(rig, "gate", path, sizeof(path));
	assert_int_equal(mkfifo(path, 0666), 0);
}

static void open_gate(struct rig *rig)
{
	char path[128];
	FILE *gate;

	rig_path(rig, "gate", path, sizeof(path));
	gate = fopen(path, "w");
	assert_non_null(gate);
	fputs("go\n", gate);
	fclose(gate);
}

struct family {
	int pidfds[3], stranger;	/* index of the one without environment */
};

static void meet_family(struct rig *rig, struct family *family)
{
	for (int i = 0; i < 3; i++) {
		int pid = rig_news_int(rig);

		if (pid < 0)
			family->stranger = i;
		family->pidfds[i] = rig_pidfd(abs(pid));
	}
}

static void expect_family_gone(struct family *family, bool fenced)
{
	if (!fenced)
		pidfd_send_signal(family->pidfds[family->stranger], SIGKILL, NULL, 0);
	for (int i = 0; i < 3; i++)
		rig_gone(family->pidfds[i]);
}

static void killed_launcher_is_followed_by_another(void **state)
{
	struct rig *rig = *state;
	struct attempt_report report;
	struct attempt_id id;
	size_t len;
	char *text;
	int pid;

	make_gate(rig);
	rig_jobs(rig, "job: waits\n@USER@\n" WAITS);
	rig_begin(rig);
	id = rig_start(rig, "waits", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	pid = rig_news_int(rig);
	rig_kill(rig);
	assert_int_equal(rig_begin(rig), LINK_SET);
	report = rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	assert_int_equal(report.overlooked, 1);
	assert_int_equal(report.pid, pid);
	assert_string_equal(report.job, "waits");
	assert_string_equal(report.slot, "2025-11-20T22:00");
	open_gate(rig);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_FAILED);
	assert_int_equal(report.exit_code, 7);
	text = rig_output(rig, &id, &len);
	assert_string_equal(text, "done\n");
	free(text);
	/* Not acknowledged: told again by the next one, also after an orderly end. */
	assert_int_equal(rig_end(rig), 0);
	rig_begin(rig);
	report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_FAILED);
	assert_int_equal(report.overlooked, 1);
	rig_say_id(rig, LINK_ACK, &id);
	rig_end(rig);
	rig_begin(rig);
	assert_int_equal(rig->state_count, 0);
}

static void ended_while_no_launcher_was_there(void **state)
{
	struct rig *rig = *state;
	struct attempt_id id;
	int job, shepherd;

	make_gate(rig);
	rig_jobs(rig, "job: waits\n@USER@\n" WAITS);
	rig_begin(rig);
	id = rig_start(rig, "waits", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	job = rig_pidfd(rig_news_int(rig));
	shepherd = rig_pidfd(rig_shepherd(rig, &id));
	rig_kill(rig);
	open_gate(rig);
	rig_gone(job);
	rig_gone(shepherd);
	rig_begin(rig);
	assert_int_equal(rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_FAILED).exit_code, 7);
}

static void adopted_run_can_be_killed(void **state)
{
	struct rig *rig = *state;
	struct attempt_id id;
	int job;

	make_gate(rig);
	rig_jobs(rig, "job: waits\n@USER@\n" WAITS);
	rig_begin(rig);
	id = rig_start(rig, "waits", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	job = rig_pidfd(rig_news_int(rig));
	rig_kill(rig);
	rig_begin(rig);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	/* A repeated order finds it. */
	rig_start(rig, "waits", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	rig_say_id(rig, LINK_KILL, &id);
	rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_KILLED);
	rig_gone(job);
}

/* The launcher is killed at no moment in particular, over and over, while it launches: whatever it
 * was doing, every run is told in the end, and no job ran twice. */
static void killed_while_launching(void **state)
{
	enum { ROUNDS = 40, RUNS = 5 };
	struct rig *rig = *state;
	char path[128], line[64];
	unsigned started[ROUNDS * RUNS + 1] = { 0 }, told[ROUNDS * RUNS + 1] = { 0 };
	FILE *truth;

	rig_jobs(rig, "job: quick\n@USER@\nrun: echo $CHIME_RUN >> @DIR@/truth\n");
	srand(42);
	for (int round = 0; round < ROUNDS; round++) {
		rig_begin(rig);
		for (int i = 0; i < RUNS; i++)
			rig_start(rig, "quick", (uint64_t)(round * RUNS + i + 1));
		/* Somewhere in the five launches: after as many answers as this. */
		for (int i = rand() % 4; i > 0; i--)
			rig_wait(rig, LINK_STATE, NULL, NULL);
		rig_kill(rig);
	}
	/* The node asks again for what it heard nothing of. */
	rig_begin(rig);
	for (uint64_t seq = 1; seq <= ROUNDS * RUNS; seq += RUNS) {
		struct attempt_id ids[RUNS];

		for (int i = 0; i < RUNS; i++)
			ids[i] = rig_start(rig, "quick", seq + (uint64_t)i);
		for (int i = 0; i < RUNS; i++) {
			while (!told[ids[i].seq]) {
				struct attempt_report report = rig_state(rig, &ids[i]);

				assert_int_not_equal(report.state, ATTEMPT_LOST);
				if (report.state == ATTEMPT_ENDED)
					told[ids[i].seq] = report.result;
			}
			assert_int_equal(told[ids[i].seq], RESULT_SUCCESS);
			rig_say_id(rig, LINK_ACK, &ids[i]);
		}
		rig->state_count = 0;
	}
	rig_path(rig, "truth", path, sizeof(path));
	truth = fopen(path, "r");
	assert_non_null(truth);
	while (fgets(line, sizeof(line), truth))
		started[atoi(line)]++;
	fclose(truth);
	for (int i = 1; i <= ROUNDS * RUNS; i++)
		assert_int_equal(started[i], 1);
}

static void shepherd_killed(void **state)
{
	struct rig *rig = *state;
	struct attempt_report report;
	struct attempt_id id, other;
	struct family family;
	int pid;

	make_gate(rig);
	rig_jobs(rig, "job: family\n@USER@\n" FAMILY "---\njob: waits\n@USER@\n" WAITS);
	rig_begin(rig);
	other = rig_start(rig, "waits", 2);
	rig_expect(rig, &other, ATTEMPT_RUNNING, 0);
	rig_news_int(rig);
	id = rig_start(rig, "family", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	meet_family(rig, &family);
	pid = rig_shepherd(rig, &id);
	assert_int_equal(kill(pid, SIGKILL), 0);
	report = rig_expect(rig, &id, ATTEMPT_LOST, RESULT_LOST);
	assert_int_equal(report.overlooked, 0);
	assert_string_equal(report.job, "family");
	expect_family_gone(&family, true);
	/* Its neighbour was not touched. */
	open_gate(rig);
	assert_int_equal(rig_expect(rig, &other, ATTEMPT_ENDED, RESULT_FAILED).exit_code, 7);
	rig_say_id(rig, LINK_ACK, &id);
	rig_say_id(rig, LINK_ACK, &other);
	rig_end(rig);
	rig_begin(rig);
	assert_int_equal(rig->state_count, 0);
}

static void launcher_then_shepherd_killed(void **state)
{
	struct rig *rig = *state;
	struct attempt_report report;
	struct attempt_id id;
	struct family family = { 0 };
	int shepherd;
	bool fenced;

	rig_jobs(rig, "job: family\n@USER@\n" FAMILY);
	rig_begin(rig);
	id = rig_start(rig, "family", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	meet_family(rig, &family);
	fenced = rig_is_fenced(rig, &id);
	/* First adopted by a second launcher, whose child the shepherd is not. */
	rig_kill(rig);
	rig_begin(rig);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	shepherd = rig_pidfd(rig_shepherd(rig, &id));
	rig_kill(rig);
	assert_int_equal(kill(rig_shepherd(rig, &id), SIGKILL), 0);
	rig_gone(shepherd);
	rig_begin(rig);
	report = rig_expect(rig, &id, ATTEMPT_LOST, RESULT_LOST);
	assert_int_equal(report.overlooked, 1);
	expect_family_gone(&family, fenced);
}

static void adopted_shepherd_killed(void **state)
{
	struct rig *rig = *state;
	struct attempt_id id;
	struct family family = { 0 };
	bool fenced;

	rig_jobs(rig, "job: family\n@USER@\n" FAMILY);
	rig_begin(rig);
	id = rig_start(rig, "family", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	meet_family(rig, &family);
	fenced = rig_is_fenced(rig, &id);
	rig_kill(rig);
	rig_begin(rig);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	assert_int_equal(kill(rig_shepherd(rig, &id), SIGKILL), 0);
	rig_expect(rig, &id, ATTEMPT_LOST, RESULT_LOST);
	expect_family_gone(&family, fenced);
}

/* What a launcher may leave when it is killed, and a power cut: written by hand. The record's
 * descriptor, or -1 without a record. */
static int make_directory(struct rig *rig, const struct attempt_id *id, bool spec, bool record,
			  const char *boot_id)
{
	static const char *run[] = { "true", NULL }, *env[] = { NULL };
	struct spool_spec content = { .id = *id, .job = "old", .run = run, .env = env,
				      .slot_utc_s = INT64_MIN };
	char name[SPOOL_NAME_SIZE], path[256];
	int dir, fd = -1;

	spool_name(id, name);
	snprintf(path, sizeof(path), "%s/data/launcher/spool/%s", rig->dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (boot_id)
		snprintf(content.boot_id, sizeof(content.boot_id), "%s", boot_id);
	else
		spool_boot_id(content.boot_id);
	if (spec)
		close(spool_write_spec(dir, &content));
	if (record)
		fd = spool_reserve_record(dir);
	close(dir);
	return fd;
}

static void remains_are_judged(void **state)
{
	struct rig *rig = *state;
	struct spool_started started = { .boot_id = "another" };
	struct attempt_report report = { .result = RESULT_SUCCESS };
	struct attempt_id ids[8];
	int fd;

	rig_jobs(rig, "job: old\n@USER@\nrun: 'true'\n");
	rig_begin(rig);
	rig_end(rig);
	for (uint64_t i = 0; i < 8; i++)
		ids[i] = rig_id(rig, i + 1);
	make_directory(rig, &ids[0], false, false, NULL);		/* only mkdir */
	make_directory(rig, &ids[1], true, false, NULL);		/* before the record */
	close(make_directory(rig, &ids[2], true, true, NULL));		/* before the spawn */
	close(make_directory(rig, &ids[3], true, true, "another"));	/* power cut */
	fd = make_directory(rig, &ids[4], true, true, "another");	/* power cut, it ran */
	assert_int_equal(spool_write_started(fd, &started, true), 0);
	close(fd);
	fd = make_directory(rig, &ids[5], true, true, NULL);		/* torn record, it ran */
	spool_boot_id(started.boot_id);
	assert_int_equal(spool_write_started(fd, &started, true), 0);
	assert_int_equal(pwrite(fd, "chime-record:1:1\nresult:1:1\n", 28, 0), 28);
	close(fd);
	fd = make_directory(rig, &ids[6], true, true, "another");	/* complete */
	assert_int_equal(spool_write_record(fd, &report), 0);
	close(fd);
	/* power cut before the syncs */
	close(make_directory(rig, &ids[7], false, true, NULL));
	rig_begin(rig);
	rig_expect(rig, &ids[1], ATTEMPT_NOT_STARTED, 0);
	rig_expect(rig, &ids[2], ATTEMPT_NOT_STARTED, 0);
	rig_expect(rig, &ids[3], ATTEMPT_LOST, RESULT_LOST);
	rig_expect(rig, &ids[4], ATTEMPT_LOST, RESULT_LOST);
	rig_expect(rig, &ids[5], ATTEMPT_LOST, RESULT_LOST);
	rig_expect(rig, &ids[6], ATTEMPT_ENDED, RESULT_SUCCESS);
	assert_int_equal(rig->state_count, 6);
	assert_false(rig_has_directory(rig, "spool", &ids[0]));
	assert_false(rig_has_directory(rig, "spool", &ids[1]));
	assert_false(rig_has_directory(rig, "spool", &ids[2]));
	assert_false(rig_has_directory(rig, "spool", &ids[7]));
	/* What was not started may be started now. */
	rig_start(rig, "old", 3);
	rig_expect(rig, &ids[2], ATTEMPT_RUNNING, 0);
	rig_expect(rig, &ids[2], ATTEMPT_ENDED, RESULT_SUCCESS);
}

static void second_launcher_waits(void **state)
{
	struct rig *rig = *state;
	struct rig second;

	rig_jobs(rig, "job: old\n@USER@\nrun: 'true'\n");
	rig_begin(rig);
	second = *rig;
	second.set = NULL;
	rig_launch(&second);
	/* The first still works, and ends; only then the second speaks. */
	assert_int_equal(rig_reload(rig), LINK_SET);
	rig_end(rig);
	while (!second.scanned)
		rig_wait(&second, 0, NULL, NULL);
	assert_int_equal(second.generation, rig->generation);
	rig_end(&second);
	free(second.set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_launcher_is_followed_by_another, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(ended_while_no_launcher_was_there, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(adopted_run_can_be_killed, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(killed_while_launching, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(shepherd_killed, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(launcher_then_shepherd_killed, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(adopted_shepherd_killed, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(remains_are_judged, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(second_launcher_waits, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
