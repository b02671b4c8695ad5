/* As whom a job runs, and that it runs as nobody else. Needs root; without it, only that a launcher
 * of an ordinary user switches to nobody. */
#include "tests/e2e/launcher_harness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void needs_root(void)
{
	if (geteuid() != 0) {
		print_message("[ NEEDS ROOT ] switching users needs root\n");
		skip();
	}
}

static void runs_as_nobody(void **state)
{
	struct rig *rig = *state;
	struct attempt_id id;
	size_t len;
	char *text;

	needs_root();
	rig_jobs(rig, "job: who\nuser: nobody\n"
		      "run: id -un; id -gn; id -Gn; pwd; echo $HOME $USER $LOGNAME; "
		      "grep '^Cap[IPEA][a-z]*:.*[1-9a-f]' /proc/self/status; "
		      "cat @DIR@/data/launcher/spool.id 2>&1; ls -l /proc/$PPID/fd 2>&1; true\n");
	rig_begin(rig);
	id = rig_start(rig, "who", 1);
	rig_expect(rig, &id, ATTEMPT_RUNNING, 0);
	rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_SUCCESS);
	text = rig_output(rig, &id, &len);
	assert_non_null(strstr(text, "nobody\nnogroup\nnogroup\n/\n/nonexistent nobody nobody\ncat: "));
	assert_non_null(strstr(text, "ermission denied\nls: "));
	free(text);
}

static void refused_users(void **state)
{
	static const struct {
		const char *user;
		int error;
	} rows[] = {
		{ "no-such-user-here", ENOENT }, { "65534", EINVAL }, { "0", EINVAL },
		{ "-1", EINVAL }, { "+root", EINVAL }, { "ro ot", EINVAL },
	};
	struct rig *rig = *state;

	needs_root();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		struct attempt_report report;
		struct attempt_id id;

		snprintf(text, sizeof(text), "job: who\nuser: \"%s\"\nrun: id > @DIR@/news\n",
			 rows[i].user);
		rig_jobs(rig, text);
		if (rig->link < 0 ? rig_begin(rig) == LINK_REFUSED :
				    rig_reload(rig) == LINK_REFUSED)
			continue;	/* not even a definition */
		id = rig_start(rig, "who", i + 1);
		report = rig_expect(rig, &id, ATTEMPT_ENDED, RESULT_START_ERROR);
		assert_int_equal(report.error, rows[i].error);
		assert_non_null(strstr(report.detail, rows[i].user));
	}
	/* No user at all is refused when it is read. */
	rig_jobs(rig, "job: who\nrun: id > @DIR@/news\n");
	assert_int_equal(rig_reload(rig), LINK_REFUSED);
}

/* The other way round: as an ordinary user. */
static void ordinary_launcher_is_only_itself(void **state)
{
	struct rig *rig = *state;

	if (geteuid() == 0) {
		rig_jobs(rig, "job: who\nuser: root\nrun: id\n");
		assert_int_equal(rig_begin(rig), LINK_SET);
		return;
	}
	rig_jobs(rig, "job: who\nuser: root\nrun: id\n");
	assert_int_equal(rig_begin(rig), LINK_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs_as_nobody, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(refused_users, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(ordinary_launcher_is_only_itself, rig_setup,
						rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
