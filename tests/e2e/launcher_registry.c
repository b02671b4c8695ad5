/* What the launcher holds to be a job, and when it learns of it. */
#include "tests/e2e/launcher_harness.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t count_generations(struct rig *rig)
{
	char pattern[256];
	glob_t found;
	size_t count;

	rig_path(rig, "data/launcher/registry-*.yaml", pattern, sizeof(pattern));
	count = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
	if (count)
		globfree(&found);
	return count;
}

static void run_job(struct rig *rig, uint64_t seq)
{
	struct attempt_id id = rig_start(rig, "report", seq);

	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
}

static void broken_file_stops_nothing(void **state)
{
	struct rig *rig = *state;
	uint64_t first;

	rig_jobs(rig, "job: report\n@USER@\nrun: 'true'\n");
	assert_int_equal(rig_begin(rig), LINK_SET);
	first = rig->generation;
	run_job(rig, 1);
	rig_jobs(rig, "job: report\n@USER@\nrun: 'true'\nafer: success(x)\ndir: [\n");
	assert_int_equal(rig_reload(rig), LINK_REFUSED);
	assert_true(rig->count >= 1);
	assert_non_null(strstr(rig->set, "jobs.yaml:"));
	assert_non_null(strstr(rig->set, "error:"));
	/* The old set stays, also over a restart, which does not look at the file. */
	rig_end(rig);
	assert_int_equal(rig_begin(rig), LINK_SET);
	assert_int_equal(rig->generation, first);
	run_job(rig, 2);
}

static void first_start_is_a_reload(void **state)
{
	struct rig *rig = *state;

	rig_jobs(rig, "job: report\nrn: 'true'\n");
	assert_int_equal(rig_begin(rig), LINK_REFUSED);
	assert_int_equal(count_generations(rig), 0);
	rig_jobs(rig, "job: report\n@USER@\nrun: 'true'\n---\njob: elsewhere\nserver: db1\n@USER@\n"
		      "run: 'true'\n");
	assert_int_equal(rig_reload(rig), LINK_SET);
	assert_int_equal(rig->count, 1);
	run_job(rig, 1);
}

static void old_generation_stays_until_committed(void **state)
{
	struct rig *rig = *state;
	struct link_message message = { .kind = LINK_COMMITTED };
	struct attempt_id id;
	char *old;
	uint64_t first;

	rig_jobs(rig, "job: report\n@USER@\nrun: 'true'\n");
	rig_begin(rig);
	first = rig->generation;
	old = strdup(rig->set);
	/* The same again is no new generation. */
	assert_int_equal(rig_reload(rig), LINK_SET);
	assert_int_equal(rig->generation, first);
	rig_jobs(rig, "job: report\n@USER@\nrun: exit 0\n");
	assert_int_equal(rig_reload(rig), LINK_SET);
	assert_true(rig->generation > first);
	assert_int_equal(count_generations(rig), 2);
	run_job(rig, 1);
	/* The journal still names the old definition: also after a restart. */
	rig_end(rig);
	rig_begin(rig);
	assert_string_not_equal(rig->set, old);
	free(rig->set);
	rig->set = old;
	run_job(rig, 2);
	message.generation = rig->generation;
	rig_say(rig, &message);
	id = rig_start(rig, "report", 3);
	assert_int_equal(rig_expect(rig, &id, ATTEMPT_NOT_STARTED, 0).error, ENOENT);
	assert_false(rig_has_directory(rig, "spool", &id));
	assert_int_equal(count_generations(rig), 1);
}

static void only_registered_jobs_run(void **state)
{
	struct rig *rig = *state;
	struct link_message message = { .kind = LINK_START, .slot_utc_s = INT64_MIN };
	struct attempt_id id = rig_id(rig, 1);

	rig_jobs(rig, "job: report\n@USER@\nrun: 'true'\n");
	rig_begin(rig);
	message.report.id = id;
	/* A hash nobody has. */
	snprintf(message.report.job, sizeof(message.report.job), "report");
	rig_say(rig, &message);
	assert_int_equal(rig_expect(rig, &id, ATTEMPT_NOT_STARTED, 0).error, ENOENT);
	/* Names that are none, texts without an end, values that a shell could read. */
	snprintf(message.report.job, sizeof(message.report.job), "../../etc");
	rig_say(rig, &message);
	assert_int_equal(rig_expect(rig, &id, ATTEMPT_NOT_STARTED, 0).error, EINVAL);
	memset(message.report.job, 'a', sizeof(message.report.job));
	rig_say(rig, &message);
	assert_int_equal(rig_expect(rig, &id, ATTEMPT_NOT_STARTED, 0).error, EINVAL);
	snprintf(message.report.job, sizeof(message.report.job), "report");
	snprintf(message.report.cycle, sizeof(message.report.cycle), "$(reboot)");
	rig_say(rig, &message);
	assert_int_equal(rig_expect(rig, &id, ATTEMPT_NOT_STARTED, 0).error, EINVAL);
}

static void damaged_registry_is_not_used(void **state)
{
	struct rig *rig = *state;
	char pattern[256];
	glob_t found;
	FILE *file;
	int status;

	rig_jobs(rig, "job: report\n@USER@\nrun: 'true'\n");
	rig_begin(rig);
	rig_end(rig);
	rig_path(rig, "data/launcher/registry-*.yaml", pattern, sizeof(pattern));
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	file = fopen(found.gl_pathv[0], "r+");
	fseek(file, -10, SEEK_END);
	fputc('~', file);
	fclose(file);
	globfree(&found);
	rig_launch(rig);
	assert_int_equal(waitpid(rig->launcher, &status, 0), rig->launcher);
	assert_int_equal(WEXITSTATUS(status), 1);
	close(rig->link);
	rig->link = -1;
}

static void folder_of_another_is_refused(void **state)
{
	struct rig *rig = *state;
	char path[256], real[256];
	int status;

	rig_jobs(rig, "job: report\n@USER@\nrun: 'true'\n");
	rig_path(rig, "data", path, sizeof(path));
	mkdir(path, 0755);
	rig_path(rig, "data/launcher", path, sizeof(path));
	for (int i = 0; i < 3; i++) {
		if (i == 0) {
			mkdir(path, 0755);
			chmod(path, 0755);	/* others may enter */
		} else if (i == 1) {
			rmdir(path);
			rig_path(rig, "elsewhere", real, sizeof(real));
			mkdir(real, 0700);
			assert_int_equal(symlink(real, path), 0);
		} else if (geteuid() == 0) {
			unlink(path);
			mkdir(path, 0700);
			assert_int_equal(chown(path, 65534, 65534), 0);
		}
		rig_launch(rig);
		assert_int_equal(waitpid(rig->launcher, &status, 0), rig->launcher);
		assert_int_equal(WEXITSTATUS(status), 1);
		close(rig->link);
		rig->link = -1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(broken_file_stops_nothing, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(first_start_is_a_reload, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(old_generation_stays_until_committed, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(only_registered_jobs_run, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(damaged_registry_is_not_used,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(folder_of_another_is_refused,
						rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
