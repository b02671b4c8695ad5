#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/conf.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

#define TOP "environment: PROD\nserver: db1\n"

/* A folder with one file, c.yaml. */
static char folder[] = "/tmp/chime-conf-XXXXXX";
static char file[64];

static int set_up(void **state)
{
	(void)state;
	unsetenv("CHIME_TLS_CA");
	unsetenv("CHIME_TLS_CERTIFICATE");
	unsetenv("CHIME_TLS_KEY");
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/c.yaml", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(folder);
}

static void write_conf(const char *text)
{
	FILE *out = fopen(file, "we");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/* Loads a text; the messages, to be freed. */
static char *load(const char *text, struct conf *conf)
{
	char *printed = NULL;
	size_t len = 0;
	FILE *err = open_memstream(&printed, &len);
	int result;

	assert_non_null(err);
	write_conf(text);
	result = conf_load(file, conf, err);
	fclose(err);
	assert_int_equal(result == 0, *printed == 0);
	return printed;
}

static void load_good(const char *text, struct conf *conf)
{
	char *printed = load(text, conf);

	if (*printed)
		fail_msg("%s", printed);
	free(printed);
}

static void check_path(const char *path, const char *name)
{
	char want[128];

	snprintf(want, sizeof(want), "%s/%s", folder, name);
	assert_string_equal(path, want);
}

static void test_defaults(void **state)
{
	struct conf conf;

	(void)state;
	load_good(TOP, &conf);
	assert_string_equal(conf.file, file);
	assert_string_equal(conf.environment, "PROD");
	assert_string_equal(conf.server, "db1");
	assert_string_equal(conf.data, "/var/lib/chime");
	assert_string_equal(conf.jobs, "/etc/chime/jobs.d");
	assert_string_equal(conf.socket, "/run/chime/control.sock");
	assert_non_null(conf.timezone);
	assert_null(conf.identity.ca);
	assert_string_equal(conf.bus.mode, "multicast");
	assert_string_equal(conf.bus.group, "239.255.77.77");
	assert_int_equal(conf.bus.port, 7410);
	assert_null(conf.bus.interface);
	assert_int_equal(conf.bus.ttl, 1);
	assert_null(conf.bus.key);
	assert_string_equal(conf.control.listen, "0.0.0.0:7411");
	assert_int_equal(conf.peer_count, 0);
	assert_int_equal(conf.discovery, DISCOVERY_ON);
	assert_true(conf.limits.history_us == 30 * INT64_C(86400000000));
	assert_true(conf.limits.history_bytes == 1073741824);
	assert_true(conf.limits.output_us == 30 * INT64_C(86400000000));
	assert_true(conf.limits.output_bytes == 1073741824);
	assert_true(conf.limits.max_output == 10485760);
	assert_int_equal(conf.limits.connections, 64);
	conf_fini(&conf);
}

static const char everything[] =
	TOP
	"data: d\njobs: ./jobs\nsocket: /tmp/s\ntimezone: Europe/Berlin\n"
	"identity: {ca: tls/ca.crt, certificate: tls/id.crt, key: /k}\n"
	"bus: {mode: \"off\", group: 224.0.0.9, port: 1, interface: lo, ttl: 0}\n"
	"control: {listen: \"[::1]:0\"}\n"
	"peers: [\"a:1\", \"[::1]:7411\"]\n"
	"discovery: members\n"
	"limits: {history: 90d, history_size: 2MiB, output: 12h, output_size: 3GiB,\n"
	"  max_output: 64KiB, connections: 10}\n";

static void test_everything(void **state)
{
	struct conf conf;

	(void)state;
	load_good(everything, &conf);
	check_path(conf.data, "d");
	check_path(conf.jobs, "jobs");
	assert_string_equal(conf.socket, "/tmp/s");
	assert_string_equal(conf.timezone, "Europe/Berlin");
	check_path(conf.identity.ca, "tls/ca.crt");
	check_path(conf.identity.certificate, "tls/id.crt");
	assert_string_equal(conf.identity.key, "/k");
	assert_string_equal(conf.bus.mode, "off");
	assert_string_equal(conf.bus.group, "224.0.0.9");
	assert_int_equal(conf.bus.port, 1);
	assert_string_equal(conf.bus.interface, "lo");
	assert_int_equal(conf.bus.ttl, 0);
	check_path(conf.bus.key, "tls/bus.key");
	assert_string_equal(conf.control.listen, "[::1]:0");
	assert_int_equal(conf.peer_count, 2);
	assert_string_equal(conf.peers[1], "[::1]:7411");
	assert_int_equal(conf.discovery, DISCOVERY_MEMBERS);
	assert_true(conf.limits.history_us == 90 * INT64_C(86400000000));
	assert_true(conf.limits.history_bytes == 2097152);
	assert_true(conf.limits.output_us == INT64_C(43200000000));
	assert_true(conf.limits.max_output == 65536);
	assert_int_equal(conf.limits.connections, 10);
	conf_fini(&conf);
}

static char *print(const struct conf *conf)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	conf_print(conf, out);
	fclose(out);
	return text;
}

static void test_print_reads_back(void **state)
{
	static const char *const texts[] = { TOP, everything };
	struct conf conf;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		char *first, *second;

		load_good(texts[i], &conf);
		first = print(&conf);
		conf_fini(&conf);
		load_good(first, &conf);
		second = print(&conf);
		conf_fini(&conf);
		assert_string_equal(first, second);
		free(first);
		free(second);
	}
}

static void test_environment_variables(void **state)
{
	struct conf conf;
	char here[4096], want[4200], *printed;

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	setenv("CHIME_TLS_CA", "/x/ca", 1);
	setenv("CHIME_TLS_CERTIFICATE", "rel/id", 1);
	printed = load(TOP, &conf);
	assert_non_null(strstr(printed, "an identity is 'ca', 'certificate' and 'key'"));
	free(printed);
	load_good(TOP "identity: {ca: c, certificate: d, key: k}\n", &conf);
	assert_string_equal(conf.identity.ca, "/x/ca");
	snprintf(want, sizeof(want), "%s/rel/id", here);
	assert_string_equal(conf.identity.certificate, want);
	check_path(conf.identity.key, "k");
	snprintf(want, sizeof(want), "%s/rel/bus.key", here);
	assert_string_equal(conf.bus.key, want);
	conf_fini(&conf);
	unsetenv("CHIME_TLS_CA");
	unsetenv("CHIME_TLS_CERTIFICATE");
}

static void test_errors(void **state)
{
	static const struct { const char *text, *says;
	} rows[] = {
		{ "",
		  "c.yaml: error: key 'environment' is missing|error: key 'server' is missing" },
		{ "environment: PROD\nserver: DB\n", ":2:9: error: the server name 'DB'" },
		{ "environment: a/b\nserver: a\n", ":1:14: error: 'a/b' can't be the name" },
		{ TOP "limts: {}\n", ":3:1: error: unknown key 'limts'|did you mean 'limits'?" },
		{ TOP "bus: {prt: 5}\n",
		  ":3:7: error: unknown key 'prt' in bus|did you mean 'port'" },
		{ TOP "bus: {port: 0}\n", ":3:13: error: 'port' takes a number from 1 to 65535" },
		{ TOP "bus: {port: 65536}\n", "'port' takes a number from 1 to 65535" },
		{ TOP "bus: {port: 0x10}\n", "'port' takes a number" },
		{ TOP "bus: {port: 99999999999999999999}\n", "'port' takes a number" },
		{ TOP "bus: {ttl: -1}\n", "'ttl' takes a number from 0 to 255" },
		{ TOP "bus: {group: 10.0.0.1}\n", "'10.0.0.1' is not an IPv4 multicast address" },
		{ TOP "bus: {mode: on}\n", "'mode' has no value 'on'|multicast or off" },
		{ TOP "bus: {interface: a b}\n", "neither an interface nor an address" },
		{ TOP "bus: x\n", ":3:6: error: 'bus' takes a mapping" },
		{ TOP "data: [x]\n", ":3:7: error: 'data' takes text here, not a list" },
		{ TOP "data:\n", "'data' has no value" },
		{ TOP "control: {listen: 7411}\n", "'7411' is not ADDRESS:PORT" },
		{ TOP "control: {listen: \"::1:7411\"}\n", "is not ADDRESS:PORT" },
		{ TOP "control: {listen: \"a:65536\"}\n", "is not ADDRESS:PORT" },
		{ TOP "peers: [a:1, b]\n", ":3:14: error: 'b' is not HOST:PORT" },
		{ TOP "peers: [a:0]\n", "'a:0' is not HOST:PORT" },
		{ TOP "discovery: maybe\n", "'discovery' has no value 'maybe'|on, members or off" },
		{ TOP "limits: {history: 30}\n", ":3:19: error: '30' is not a duration|30d" },
		{ TOP "limits: {history: 1s}\n", "'history' goes from 1h to 36500d" },
		{ TOP "limits: {max_output: 10MB}\n", "'10MB' is not a size|10MiB" },
		{ TOP "limits: {max_output: 1KiB}\n", "'max_output' goes from 4KiB to 1TiB" },
		{ TOP "limits: {connections: 1}\n",
		  "'connections' takes a number from 4 to 10000" },
		{ TOP "timezone: Europe/Berln\n", "no time zone 'Europe/Berln'" },
		{ TOP "identity: {ca: x}\n",
		  ":3:1: error: an identity is 'ca', 'certificate' and" },
		{ TOP "socket: "
		      "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
		  "can't be longer than 107 bytes" },
		{ TOP "bus: {port: 1}\nbus: {port: 2}\n", "given twice" },
		{ TOP "---\n" TOP, "must be one mapping" },
		{ "- a\n", "must be one mapping" },
		{ TOP "bus: {\n", "error: " },
		{ TOP "bus: {port: 0, ttl: 900}\npeers: [x]\nfoo: 1\n",
		  "'port' takes|'ttl' takes|'x' is not HOST:PORT|unknown key 'foo'" },
	};
	struct conf conf;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *printed = load(rows[i].text, &conf), *says = strdup(rows[i].says), *save;

		for (char *part = strtok_r(says, "|", &save); part;
		     part = strtok_r(NULL, "|", &save))
			if (!strstr(printed, part))
				fail_msg("row %zu: no '%s' in\n%s", i, part, printed);
		assert_null(conf.environment);
		free(says);
		free(printed);
	}
}

static void test_sections_may_be_empty(void **state)
{
	struct conf conf;

	(void)state;
	load_good(TOP "identity:\n  # ca: x\nbus:\nlimits: {}\npeers: []\n", &conf);
	assert_int_equal(conf.bus.port, 7410);
	conf_fini(&conf);
}

static void test_missing_file(void **state)
{
	struct conf conf;
	char *printed = NULL;
	size_t len = 0;
	FILE *err = open_memstream(&printed, &len);

	(void)state;
	assert_int_not_equal(conf_load("/nowhere/chimed.yaml", &conf, err), 0);
	fclose(err);
	assert_string_equal(printed, "/nowhere/chimed.yaml: error: can't be read: "
			    "No such file or directory\n");
	free(printed);
}

static void test_relative_file(void **state)
{
	struct conf conf;
	char here[4096];
	int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	write_conf(TOP "data: d\n");
	assert_true(back >= 0);
	assert_int_equal(chdir(folder), 0);
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(conf_load("c.yaml", &conf, stderr), 0);
	check_path(conf.data, "d");
	conf_fini(&conf);
	assert_int_equal(fchdir(back), 0);
	close(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_everything),
		cmocka_unit_test(test_print_reads_back),
		cmocka_unit_test(test_environment_variables), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_sections_may_be_empty), cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_relative_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
