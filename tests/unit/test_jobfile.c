#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/jobfile.h"
#include "daemon/yaml.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct jobfile_options plain = { .timezone = "UTC", .server = "app1" };

/* What is printed for a text; to be freed. */
static char *print(const struct diags *diags)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	diags_print(diags, "", out);
	fclose(out);
	return text;
}

static char *messages_of(const char *text, const struct jobfile_options *options)
{
	struct jobset set;
	struct diags diags;
	char *printed;

	assert_int_equal(jobset_parse(text, strlen(text), "x.yaml", options, &set, &diags), 0);
	if (!diags.errors)
		jobset_check(&set, &diags);
	printed = print(&diags);
	jobset_fini(&set);
	diags_fini(&diags);
	return printed;
}

static struct jobset load_good(const char *text)
{
	struct jobset set;
	struct diags diags;

	jobset_parse(text, strlen(text), "x.yaml", &plain, &set, &diags);
	if (diags.count)
		fail_msg("%s", print(&diags));
	diags_fini(&diags);
	return set;
}

static void test_every_key(void **state)
{
	struct jobset set = load_good(
		"job: eod/report\n"
		"about: Risk report\n"
		"server: [app1, \"web*\"]\n"
		"run: [/opt/report.sh, --day, \"${CHIME_CYCLE}\", \"\"]\n"
		"user: batch\n"
		"dir: /tmp\n"
		"env: {NO: no, X: \"1:30\"}\n"
		"at: mon-fri 22:00\n"
		"timezone: Europe/Berlin\n"
		"dst_gap: shift\n"
		"dst_overlap: both\n"
		"cycle: month\n"
		"after: success(a) and done(b@db1)\n"
		"overlap: queue 5\n"
		"enabled: false\n"
		"max_time: 40m\n"
		"kill_grace: 5s\n"
		"success_codes: [0, 3-5, 255]\n");
	const struct job_def *def = set.jobs;

	(void)state;
	assert_int_equal(set.count, 1);
	assert_string_equal(def->name, "eod/report");
	assert_string_equal(def->about, "Risk report");
	assert_string_equal(def->server, "app1, web*");
	assert_string_equal(def->run[2], "${CHIME_CYCLE}");
	assert_string_equal(def->run[3], "");
	assert_null(def->run[4]);
	assert_false(def->run_is_text);
	assert_null(def->shell);
	assert_string_equal(def->user, "batch");
	assert_string_equal(def->dir, "/tmp");
	assert_string_equal(def->env[0], "NO=no");
	assert_string_equal(def->env[1], "X=1:30");
	assert_null(def->env[2]);
	assert_int_equal(def->schedule_kind, SCHEDULE_AT);
	assert_string_equal(def->schedule_text, "mon-fri 22:00");
	assert_string_equal(def->timezone, "Europe/Berlin");
	assert_int_equal(def->schedule.gap, DST_GAP_SHIFT);
	assert_int_equal(def->schedule.overlap, DST_OVERLAP_BOTH);
	assert_int_equal(def->cycle, CYCLE_MONTH);
	assert_string_equal(def->after, "success(a) and done(b@db1)");
	assert_int_equal(def->overlap, OVERLAP_QUEUE);
	assert_int_equal(def->overlap_n, 5);
	assert_false(def->enabled);
	assert_true(def->max_time_us == 2400000000);
	assert_true(def->kill_grace_us == 5000000);
	for (unsigned code = 0; code < 300; code++)
		assert_int_equal(job_def_success(def, code),
				 code == 0 || (code >= 3 && code <= 5) || code == 255);
	assert_string_equal(def->file, "x.yaml");
	assert_int_equal(def->line, 1);
	jobset_fini(&set);
}

static void test_few_keys(void **state)
{
	struct jobset set = load_good("job: a\nrun: echo $HOME | wc\n---\n"
				      "job: b\nrun: x\nevery: 5m\nserver: db1\n");

	(void)state;
	assert_int_equal(set.count, 2);
	assert_true(set.jobs[0].run_is_text);
	assert_string_equal(set.jobs[0].run[0], "echo $HOME | wc");
	assert_string_equal(set.jobs[0].shell, "/bin/sh");
	assert_string_equal(set.jobs[0].server, "app1");
	assert_string_equal(set.jobs[0].timezone, "UTC");
	assert_int_equal(set.jobs[0].schedule_kind, SCHEDULE_NONE);
	assert_int_equal(set.jobs[0].cycle, CYCLE_DAY);
	assert_int_equal(set.jobs[0].overlap, OVERLAP_DEFAULT);
	assert_true(set.jobs[0].enabled);
	assert_true(set.jobs[0].max_time_us == 0);
	assert_true(set.jobs[0].kill_grace_us == 30000000);
	assert_true(job_def_success(set.jobs, 0));
	assert_false(job_def_success(set.jobs, 1));
	assert_int_equal(set.jobs[1].cycle, CYCLE_SLOT);
	assert_int_equal(set.jobs[1].line, 4);
	jobset_fini(&set);
}

static void test_defaults(void **state)
{
	struct jobset set = load_good(
		"job: before\nrun: x\n---\n"
		"defaults:\n  server: db1\n  env: {A: one, B: two}\n  at: 10:00\n"
		"  dst_gap: skip\n  max_time: 5m\n---\n"
		"job: takes\nrun: x\n---\n"
		"job: own\nrun: x\nserver: web1\nenv: {B: zwei, C: drei}\ncron: \"0 3 * * *\"\n"
		"max_time: none\n---\n"
		"defaults: {every: 1h, server: db2}\n---\n"
		"job: later\nrun: x\n");
	const struct job_def *job = set.jobs;

	(void)state;
	assert_int_equal(set.count, 4);
	assert_string_equal(job[0].server, "app1");
	assert_int_equal(job[0].schedule_kind, SCHEDULE_NONE);
	assert_string_equal(job[1].server, "db1");
	assert_string_equal(job[1].env[0], "A=one");
	assert_string_equal(job[1].env[1], "B=two");
	assert_int_equal(job[1].schedule.gap, DST_GAP_SKIP);
	assert_string_equal(job[2].server, "web1");
	assert_string_equal(job[2].env[0], "A=one");
	assert_string_equal(job[2].env[1], "B=zwei");
	assert_string_equal(job[2].env[2], "C=drei");
	assert_null(job[2].env[3]);
	assert_int_equal(job[2].schedule_kind, SCHEDULE_CRON);
	assert_int_equal(job[2].dst_gap, DST_GAP_AFTER);
	assert_true(job[2].max_time_us == 0);
	assert_string_equal(job[3].server, "db2");
	assert_int_equal(job[3].schedule_kind, SCHEDULE_EVERY);
	assert_string_equal(job[3].env[0], "A=one");
	assert_true(job[3].max_time_us == 300000000);
	jobset_fini(&set);
}

#define JOB "job: a\nrun: x\n"

/* What a text must be told; NULL = nothing at all. Several parts are parted by "|". */
static const struct {
	const char *text, *says;
} told[] = {
	{ JOB, NULL },
	{ "", NULL },
	{ "# only a comment\n---\n---\n" JOB, NULL },
	{ "\xef\xbb\xbf" JOB, NULL },
	/* YAML */
	{ "job: &x a\nrun: x\n", ":1:6: error: anchors are not allowed" },
	{ "job: !!str a\nrun: x\n", ":1:6: error: tags are not allowed" },
	{ "%TAG ! tag:x,2000:\n---\n" JOB, "tags are not allowed" },
	{ JOB "about: *x\n", ":3:8: error: aliases are not allowed|quote it: \"*x\"" },
	{ JOB "cron: * * * * *\n",
	  ":3:7: error: a value that begins with '*' must be quoted|quote it: \"* * * * *\"" },
	{ JOB "cron: */5 * * * *  # often\n", "quote it: \"*/5 * * * *\"\n" },
	{ JOB "cron: @daily\n",
	  ":3:7: error: a value can't begin with this character|quote it: \"@daily\"" },
	{ JOB "run: y\n", ":3:1: error: key 'run' is given twice, first in line 2" },
	{ JOB "? [a]\n: b\n", "a key must be text" },
	{ "- a\n- b\n", ":1:1: error: a job is a mapping of keys" },
	{ "hello\n", "a job is a mapping of keys" },
	{ JOB "about: a: b\n", ":3:9: error: a ':' that can't stand here" },
	{ JOB "about: \"x\n", "a quote is not closed" },
	{ JOB "about: \"\\0\"\n", "a NUL byte is not allowed" },
	{ JOB "about: \"\x01\"\n", ":3:9: error: a control character" },
	{ JOB "about: \xff\n", ":3:8: error: not UTF-8" },
	{ JOB "about: \"\\e[1m\"\n", ":3:8: error: 'about' has a control character" },
	{ JOB "env: [[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]\n",
	  ":3:21: error: nested deeper than 16" },
	/* keys */
	{ JOB "afer: success(a)\n",
	  ":3:1: error: unknown key 'afer' in job a|   3 | afer|^^^^ did you mean 'after'?" },
	{ JOB "retry: 2 after 5m\n", ":3:1: error: key 'retry' is not supported by this version" },
	{ JOB "calendar: x\n", "key 'calendar' is not supported by this version" },
	{ JOB "<<: {a: b}\n", "unknown key '<<'" },
	{ "run: x\n", ":1:1: error: key 'job' is missing" },
	{ "job: a\n", ":1:6: error: key 'run' is missing" },
	{ "job: a\nrun:\n", ":2:5: error: 'run' has no value" },
	{ "job: [a]\nrun: x\n", ":1:6: error: 'job' takes text here, not a list" },
	{ "defaults: {job: x}\n", "'job' can't have a default" },
	{ "defaults: x\n", "'defaults' takes a mapping" },
	{ "defaults: {usr: x}\n",
	  ":1:12: error: unknown key 'usr' in defaults|did you mean 'user'" },
	{ JOB "defaults: {user: x}\n", "'defaults' stands alone" },
	{ "defaults: {at: nonsense}\n", ":1:16: error: " },
	/* values */
	{ "job: and\nrun: x\n", "is a word of conditions" },
	{ "job: a/1\nrun: x\n", "digits only" },
	{ JOB "server: App\n", "the server name 'App' has a character" },
	{ JOB "server: []\n", "'server' names no server" },
	{ JOB "server: [a, -b]\n", ":3:13: error: the server name '-b' begins with" },
	{ "job: a\nrun: []\n", "'run' names no program" },
	{ "job: a\nrun: [\"\", x]\n", "'run' names no program" },
	{ "job: a\nrun: [x, [y]]\n", ":2:10: error: 'this list' takes text here, not a list" },
	{ "job: a\nrun: {x: y}\n", "'run' takes text here, not a mapping" },
	{ "job: a\nrun: [x]\nshell: /bin/bash\n",
	  ":3:8: error: 'shell' is for a 'run' that is text" },
	{ JOB "shell: bash\n", "'shell' must be an absolute path" },
	{ JOB "user: 1000\n", "'1000' is not a user name" },
	{ JOB "user: -1\n", "'-1' is not a user name" },
	{ JOB "dir: tmp\n", "'dir' must be an absolute path" },
	{ JOB "env: [A=1]\n", "'env' takes a mapping" },
	{ JOB "env: {1A: x}\n", ":3:7: error: '1A' is not a name of a variable" },
	{ JOB "env: {CHIME_JOB: x}\n", "names with CHIME_ are set by chime" },
	{ JOB "env: {A: [x]}\n", "'A' takes text here, not a list" },
	{ JOB "env: {A: \"\"}\n", NULL },
	{ JOB "timezone: Europe/Berln\n", ":3:11: error: no time zone 'Europe/Berln'" },
	{ JOB "timezone: ../../etc/passwd\n", "no time zone" },
	{ JOB "at: 25:00\n", ":3:5: error: " },
	{ JOB "at: \"10:00,25:00\"\n", ":3:12: error: " },
	{ JOB "at: 10:00\ncron: \"0 1 * * *\"\n",
	  ":4:1: error: 'at' and 'cron' exclude each other" },
	{ JOB "cron: \"0 0 30 2 *\"\n", ":3:8: error: " },
	{ JOB "every: 5x\n", ":3:8: error: " },
	{ JOB "every: 5m\ndst_gap: skip\n",
	  ":4:1: error: 'dst_gap' belongs to 'at'; 'every' does" },
	{ JOB "cron: \"0 1 * * *\"\ndst_overlap: both\n",
	  "'dst_overlap' belongs to 'at'; cron has" },
	{ JOB "dst_gap: skip\n", "this job has no 'at'" },
	{ JOB "at: 10:00\ndst_gap: never\n", "no such value 'never'|after, each, shift or skip" },
	{ JOB "cycle: year\n", "no such cycle 'year'" },
	{ JOB "cycle: day start 06:00\n", "'day start' is not supported by this version" },
	{ JOB "after: success(b) & failure(b)\n",
	  ":3:19: error: '&' can't stand here|write 'and'" },
	{ JOB "after: \"success(b) and succes(b)\"\n", ":3:24: error: 'succes' is not a state" },
	{ JOB "after: |\n  success(b) and\n  succes(b)\n", ":3:8: error: 'succes' is not a state" },
	{ JOB "overlap: queue 0\n", "'queue' takes a number from 1 to 100" },
	{ JOB "overlap: queue 101\n", "'queue' takes a number from 1 to 100" },
	{ JOB "overlap: parallel\n", "'parallel' takes a number from 1 to 1000" },
	{ JOB "overlap: parallel 1000\n", NULL },
	{ JOB "overlap: replace\n", "is not supported by this version" },
	{ JOB "overlap: kill\n", "no such overlap 'kill'" },
	{ JOB "enabled: yes\n", "'enabled' is true or false, not 'yes'" },
	{ JOB "max_time: 40\n", "'40' is not a duration|90s, 5m" },
	{ JOB "kill_grace: none\n", "'none' is not a duration" },
	{ JOB "success_codes: 0,256\n", "is no list of exit codes" },
	{ JOB "success_codes: 5-3\n", "is no list of exit codes" },
	{ JOB "success_codes: \"0,\"\n", "is no list of exit codes" },
	{ JOB "success_codes: []\n", "'success_codes' is empty" },
	/* all at once */
	{ "job: a\nrn: x\nuser: 5\n---\njob: b\nrun: x\nat: 1\n---\njob: c\nrun: @x\n",
	  ":2:1: error: unknown key 'rn'|:1:6: error: key 'run' is missing|:3:7: error: |"
	  ":7:5: error: |:10:6: error: " },
	{ "defaults: {max_time: x}\n---\n" JOB "---\njob: b\nrun: x\n",
	  ":1:22: error: 'x' is not a duration" },
	/* the set */
	{ JOB "---\n" JOB, ":4:6: error: job a is defined twice for app1, first in x.yaml:1" },
	{ JOB "server: \"web*\"\n---\n" JOB "server: [app1, web7]\n",
	  ":5:6: error: job a is defined twice for web7" },
	{ JOB "server: \"*1\"\n---\n" JOB "server: \"web*\"\n",
	  "warning: job a may be defined twice" },
	{ JOB "server: \"*1\"\n---\n" JOB "server: \"web?2\"\n", NULL },
	{ JOB "server: a\n---\n" JOB "server: b\n", NULL },
	{ JOB "after: success(lod)\n---\njob: load\nrun: x\n",
	  ":3:16: warning: no job lod@app1|^^^ did you mean load@app1?" },
	{ JOB "after: success(load@db1)\n---\njob: load\nrun: x\n",
	  ":3:16: warning: no job load@db1|^^^^^^^^ there is load@app1" },
	{ JOB "after: success(a)\n", ":1:6: error: this job waits for itself|a@app1 -> a@app1" },
	{ JOB "after: failure(b)\n---\njob: b\nrun: x\nafter: done(c) or done(d)\n---\n"
	      "job: c\nrun: x\nafter: success(a@app1)\n---\njob: d\nrun: x\n",
	  ":1:6: error: these jobs wait for each other|a@app1 -> b@app1 -> c@app1 -> a@app1" },
	{ JOB "server: \"web*\"\nafter: success(b)\n---\njob: b\nrun: x\nserver: web1\n"
	      "after: done(c)\n---\njob: c\nrun: x\nserver: web1\nafter: done(a@web1)\n",
	  "these jobs wait for each other" },
	{ JOB "server: app2\nafter: success(a@app1)\n---\n" JOB "server: app1\n", NULL },
	{ JOB "at: 10:00\nafter: success(b)\n---\njob: b\nrun: x\nat: mon 09:00\ncycle: week\n",
	  ":4:8: warning: this can never be true: the cycle of a is 'day', that of b is 'week'" },
	{ JOB "at: 10:00\nafter: success(b) or success(c)\n---\njob: b\nrun: x\nat: mon 09:00\n"
	      "cycle: week\n---\njob: c\nrun: x\n",
	  NULL },
	{ JOB "after: success(b) and success(c)\n---\njob: b\nrun: x\nat: 09:00\n---\n"
	      "job: c\nrun: x\nat: mon 09:00\ncycle: week\n",
	  ":3:8: warning: this can never be true: the cycles of these jobs never meet" },
	{ JOB "after: success(b) and success(c)\n---\njob: b\nrun: x\nat: 09:00\n---\n"
	      "job: c\nrun: x\nevery: 1h\n",
	  NULL },
};

static unsigned count_errors(const char *printed)
{
	unsigned count = 0;

	for (const char *p = printed; (p = strstr(p, "x.yaml:")); p++)
		count += strstr(p, " error: ") || strstr(p, " warning: ");
	return count;
}

static void test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(told); i++) {
		char *printed = messages_of(told[i].text, &plain), *says, *part, *save = NULL;

		if (!told[i].says && *printed)
			fail_msg("row %zu:\n%s\n%s", i, told[i].text, printed);
		if (told[i].says && !count_errors(printed))
			fail_msg("row %zu: no message for\n%s", i, told[i].text);
		says = strdup(told[i].says ? told[i].says : "");
		for (part = strtok_r(says, "|", &save); part; part = strtok_r(NULL, "|", &save))
			if (!strstr(printed, part))
				fail_msg("row %zu: no '%s' for\n%s\nbut\n%s", i, part, told[i].text,
					 printed);
		free(says);
		free(printed);
	}
}

static void test_one_message_each(void **state)
{
	char *printed = messages_of("defaults: {max_time: x, env: {1: 2}}\n---\n" JOB
				    "---\njob: b\nrun: x\n", &plain);

	(void)state;
	assert_string_equal(printed,
		"x.yaml:1:22: error: 'x' is not a duration\n"
		"    1 | defaults: {max_time: x, env: {1: 2}}\n"
		"      |                      ^ write it like 90s, 5m, 1h30m or 2d\n"
		"x.yaml:1:31: error: '1' is not a name of a variable (A-Z a-z 0-9 _)\n"
		"    1 | defaults: {max_time: x, env: {1: 2}}\n"
		"      |                               ^\n");
	free(printed);
}

static void test_options(void **state)
{
	static const struct { struct jobfile_options options; const char *text, *says;
	} rows[] = {
		{ { .timezone = "UTC" }, JOB, "key 'server' is missing" },
		{ { .timezone = "UTC" }, "defaults: {server: x}\n---\n" JOB, NULL },
		{ { .timezone = "UTC", .server = "a", .need_user = true },
		  JOB,
		  "key 'user' is missing" },
		{ { .timezone = "UTC", .server = "a", .need_user = true },
		  JOB "user: root\n",
		  NULL },
		{ { .timezone = "UTC", .server = "a", .only_user = "me" },
		  JOB "user: root\n",
		  "can't run a job as 'root'" },
		{ { .timezone = "UTC", .server = "a", .only_user = "me" }, JOB "user: me\n", NULL },
		{ { .timezone = "No/Where", .server = "a" }, JOB, "'No/Where' can't be read" },
		{ { .server = "a" }, JOB, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *printed = messages_of(rows[i].text, &rows[i].options);

		if (rows[i].says ? !strstr(printed, rows[i].says) : *printed != 0)
			fail_msg("row %zu: %s", i, printed);
		free(printed);
	}
}

static void test_bounds(void **state)
{
	size_t len = YAML_SIZE_MAX + 1;
	char *text = malloc(len + 1), *printed;

	(void)state;
	assert_non_null(text);
	memset(text, '#', len);
	text[len] = 0;
	printed = messages_of(text, &plain);
	assert_string_equal(printed, "x.yaml: error: larger than 256 KiB\n");
	free(printed);
	text[YAML_SIZE_MAX] = 0;
	printed = messages_of(text, &plain);
	assert_string_equal(printed, "");
	free(printed);
	/* Nothing but errors: told a bounded number of times. */
	for (size_t i = 0; i + 3 <= YAML_SIZE_MAX; i += 3)
		memcpy(text + i, "a:\n", 3);
	text[YAML_SIZE_MAX - 1] = 0;
	printed = messages_of(text, &plain);
	assert_non_null(strstr(printed, "too many messages"));
	free(printed);
	/* A definition that its defaults blow up. */
	memset(text, 'x', YAML_SIZE_MAX);
	memcpy(text, "defaults: {env: {A: ", 20);
	memcpy(text + 130000, "}}\n---\njob: a\nrun: ", 19);
	text[YAML_SIZE_MAX - 1000] = 0;
	printed = messages_of(text, &plain);
	assert_string_equal(printed, "");
	free(printed);
	for (size_t i = 20; i < 130000; i++)
		text[i] = i % 2 ? '\xa0' : '\xc2';
	printed = messages_of(text, &plain);
	assert_non_null(strstr(printed, "larger than 256 KiB"));
	free(printed);
	free(text);
}

/* --- canonical text --- */

static void check_fixpoint(const struct job_def *def)
{
	static const struct jobfile_options bare = { .timezone = "Asia/Tokyo" };
	char *text = jobfile_canonical(def), *again;
	struct jobset set;
	struct diags diags;

	jobset_parse(text, strlen(text), "canonical", &bare, &set, &diags);
	if (diags.count || set.count != 1)
		fail_msg("%s\n%s", text, print(&diags));
	again = jobfile_canonical(set.jobs);
	assert_string_equal(text, again);
	assert_memory_equal(def->hash, set.jobs[0].hash, sizeof(def->hash));
	free(again);
	free(text);
	jobset_fini(&set);
	diags_fini(&diags);
}

static void test_canonical(void **state)
{
	struct jobset set = load_good("defaults: {env: {B: \"2\"}}\n---\n"
				      "success_codes: 3,0,1\nrun: [a, \"b\\\"\\\\\\t\"]\noverlap: "
				      "queue\ncron: \"@daily\"\n"
				      "job: x\n");
	char *text = jobfile_canonical(set.jobs);

	(void)state;
	assert_string_equal(text,
		"job: \"x\"\n"
		"server: \"app1\"\n"
		"run:\n  - \"a\"\n  - \"b\\\"\\\\\\t\"\n"
		"env:\n  \"B\": \"2\"\n"
		"cron: \"@daily\"\n"
		"timezone: \"UTC\"\n"
		"cycle: \"day\"\n"
		"overlap: \"queue 1\"\n"
		"enabled: \"true\"\n"
		"max_time: \"none\"\n"
		"kill_grace: \"30s\"\n"
		"success_codes: \"0-1,3\"\n");
	free(text);
	check_fixpoint(set.jobs);
	jobset_fini(&set);
	set = load_good("job: x\nrun: x\nsuccess_codes: 0-255\n");
	text = jobfile_canonical(set.jobs);
	assert_non_null(strstr(text, "success_codes: \"0-255\"\n"));
	free(text);
	jobset_fini(&set);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static const char *pick(uint64_t *random, const char *const *words)
{
	size_t count = 0;

	while (words[count])
		count++;
	return words[next_random(random) % count];
}

static void write_key(FILE *out, uint64_t *random, const char *key, const char *const *values)
{
	if (next_random(random) % 2)
		fprintf(out, "%s: %s\n", key, pick(random, values));
}

/* Texts that need care: quotes, breaks, marks of the encoding, what other readers take for null. */
static const char *const odd_texts[] = {
	"\"a b\"",
	"\"\\x1b[0m \\u2028 \\ufeff \\u0085\"",
	"'it''s'",
	"\"\\\\ \\\" \\n\\r\\t\"",
	"~",
	"null",
	"no",
	"0x10",
	"\" lead\"",
	"\"trail \"",
	"grüße",
	"\"\\U0001F514 \\ufffe\"",
	"\"#\"",
	"\"- x\"",
	"|\n      two\n      lines\n",
	">\n      folded\n      text\n",
	"\"\\u00a0\"",
	NULL,
};

static void test_canonical_property(void **state)
{
	static const char *const schedules[] = {
		"", "at: 10:00\n", "at: sat-mon 10:00,22:30\ndst_gap: each\n",
		"at: 02:30:15\ndst_overlap: skip\ndst_gap: skip\n", "every: 90s\n",
		"every: 2h from 22:00 to 06:00\n", "cron: \"*/5 1-3 * * mon\"\n",
		"cron: \"@hourly\"\n", NULL,
	};
	static const char *const servers[] = { "db1", "[a, b]", "\"w*, x?\"", NULL };
	static const char *const zones[] = { "Europe/Berlin", "UTC", "Asia/Kathmandu", NULL };
	static const char *const cycles[] = {
		"day", "hour", "week", "month", "slot", "none", NULL
	};
	static const char *const conditions[] = { "s(b)", "\"( success(b@x) or f(c) )\"",
						  "|\n  s(b)\n  and d(c)", NULL };
	static const char *const overlaps[] = { "skip", "queue", "queue 7", "parallel 3", NULL };
	static const char *const bools[] = { "true", "false", NULL };
	static const char *const times[] = { "90s", "1h30m", "1d", "250ms", NULL };
	static const char *const codes[] = { "0-255", "[0, 7, 9-11]", "\"1, 2 ,3\"", NULL };
	static const char *const abouts[] = { "x", "\"a \\\" b\"", "|\n  two\n  lines", NULL };
	uint64_t random = 99;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);
		struct jobset set;

		fputs("job: a/b\n", out);
		if (next_random(&random) % 2)
			fprintf(out, "run: %s\nshell: /bin/sh\n", pick(&random, odd_texts));
		else
			fprintf(out, "run:\n  - x\n  - %s\n  - %s\n", pick(&random, odd_texts),
				pick(&random, odd_texts));
		if (next_random(&random) % 2)
			fprintf(out, "env:\n  A: %s\n  B_1: %s\n", pick(&random, odd_texts),
				pick(&random, odd_texts));
		fputs(pick(&random, schedules), out);
		write_key(out, &random, "server", servers);
		write_key(out, &random, "timezone", zones);
		write_key(out, &random, "cycle", cycles);
		write_key(out, &random, "after", conditions);
		write_key(out, &random, "overlap", overlaps);
		write_key(out, &random, "enabled", bools);
		write_key(out, &random, "max_time", times);
		write_key(out, &random, "kill_grace", times);
		write_key(out, &random, "success_codes", codes);
		write_key(out, &random, "about", abouts);
		fclose(out);
		set = load_good(text);
		assert_int_equal(set.count, 1);
		check_fixpoint(set.jobs);
		jobset_fini(&set);
		free(text);
	}
}

static void test_hash_tells_apart(void **state)
{
	struct jobset set = load_good("job: a\nrun: x\n---\njob: b\nrun: x\n---\n"
				      "defaults: {max_time: 5m}\n---\njob: c\nrun: x\n");
	struct jobset other = load_good("about: moved\njob: a\nrun: x\n");
	struct jobset same = load_good("# comment\nrun: \"x\"\njob: 'a'\nenabled: true\n");

	(void)state;
	assert_memory_not_equal(set.jobs[0].hash, set.jobs[1].hash, 32);
	assert_memory_not_equal(set.jobs[0].hash, other.jobs[0].hash, 32);
	assert_memory_equal(set.jobs[0].hash, same.jobs[0].hash, 32);
	jobset_fini(&set);
	jobset_fini(&other);
	jobset_fini(&same);
}

/* --- sets and folders --- */

static void test_servers(void **state)
{
	struct jobset set =
		load_good("job: a\nrun: x\nserver: app1\n---\njob: b\nrun: x\n"
			  "server: [db1, \"app*\"]\n---\njob: c\nrun: x\nserver: db2\n");

	(void)state;
	assert_true(jobset_server_matches("a, b", "b"));
	assert_true(jobset_server_matches("web*", "web12"));
	assert_false(jobset_server_matches("web*", "we"));
	assert_false(jobset_server_matches("a, b", "a, b"));
	jobset_select(&set, "app1");
	assert_int_equal(set.count, 2);
	assert_string_equal(set.jobs[0].name, "a");
	assert_string_equal(set.jobs[1].name, "b");
	jobset_select(&set, "db1");
	assert_int_equal(set.count, 1);
	assert_string_equal(set.jobs[0].name, "b");
	jobset_fini(&set);
}

static void write_file(const char *folder, const char *name, const char *text, mode_t mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void remove_name(const char *folder, const char *name, bool directory)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(directory ? rmdir(path) : unlink(path), 0);
}

static void test_folder(void **state)
{
	char folder[] = "/tmp/chime-jobfile-XXXXXX", path[256];
	struct jobfile_options options = plain;
	struct jobset set;
	struct diags diags;
	char *printed;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/b", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(folder, "b/x.yaml", "job: two\nrun: x\n", 0600);
	write_file(folder, "b.yaml", "job: one\nrun: x\n", 0644);
	write_file(folder, "b0.yaml", "job: three\nrun: x\n", 0600);
	write_file(folder, "notes.txt", "not: yaml: at all", 0666);
	snprintf(path, sizeof(path), "%s/link.yaml", folder);
	assert_int_equal(symlink("b.yaml", path), 0);

	/* '.' < '/' < '0': the order of whole paths. */
	assert_int_equal(jobset_load(folder, &options, &set, &diags), 0);
	assert_int_equal(set.count, 3);
	assert_int_equal(set.files, 3);
	assert_string_equal(set.jobs[0].file, "b.yaml");
	assert_string_equal(set.jobs[1].file, "b/x.yaml");
	assert_string_equal(set.jobs[2].file, "b0.yaml");
	assert_int_equal(diags.errors, 0);
	printed = print(&diags);
	assert_string_equal(printed, "link.yaml: warning: is a link; links are not followed\n");
	free(printed);
	jobset_fini(&set);
	diags_fini(&diags);

	/* Whoever may write a job file may run programs. */
	write_file(folder, "b0.yaml", "job: one\nrun: x\n", 0660);
	options.check_owner = true;
	assert_int_equal(jobset_load(folder, &options, &set, &diags), 0);
	printed = print(&diags);
	assert_non_null(strstr(printed, "b0.yaml: error: can be written by others"));
	assert_int_equal(diags.errors, 1);
	free(printed);
	jobset_fini(&set);
	diags_fini(&diags);

	/* Twice, in two files; and one file alone. */
	options.check_owner = false;
	assert_int_equal(jobset_load(folder, &options, &set, &diags), 0);
	printed = print(&diags);
	assert_non_null(strstr(printed, "b0.yaml:1:6: error: job one is defined twice for app1, "
			       "first in b.yaml:1"));
	free(printed);
	jobset_fini(&set);
	diags_fini(&diags);
	snprintf(path, sizeof(path), "%s/b0.yaml", folder);
	assert_int_equal(jobset_load(path, &options, &set, &diags), 0);
	assert_int_equal(set.count, 1);
	assert_int_equal(diags.count, 0);
	jobset_fini(&set);
	diags_fini(&diags);
	assert_int_equal(jobset_load("/nowhere/at/all", &options, &set, &diags), -ENOENT);

	remove_name(folder, "b/x.yaml", false);
	remove_name(folder, "b", true);
	remove_name(folder, "b.yaml", false);
	remove_name(folder, "b0.yaml", false);
	remove_name(folder, "notes.txt", false);
	remove_name(folder, "link.yaml", false);
	assert_int_equal(rmdir(folder), 0);
}

static void test_print_is_safe(void **state)
{
	char *printed = messages_of("job: a\nrun: x\n\"\\e]0;x\\a\": y\n", &plain);

	(void)state;
	assert_null(strchr(printed, 0x1b));
	assert_non_null(strstr(printed, "unknown key '?]0;x?'"));
	free(printed);
	printed = messages_of("job: a # \xe2\x82\xac\t\xc2\x9b""31m\nrun: x\n", &plain);
	assert_non_null(strstr(printed, "x.yaml:1:12: error: a control character\n"
			       "    1 | job: a # \xe2\x82\xac ?31m\n"
			       "      |            ^\n"));
	free(printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key), cmocka_unit_test(test_few_keys),
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_messages),
		cmocka_unit_test(test_one_message_each), cmocka_unit_test(test_options),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_canonical_property), cmocka_unit_test(test_hash_tells_apart),
		cmocka_unit_test(test_servers), cmocka_unit_test(test_folder),
		cmocka_unit_test(test_print_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
