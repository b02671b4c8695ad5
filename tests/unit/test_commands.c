/* The command table: complete, consistent, and it denies by default. */
#include "proto/commands.h"

#include "proto/control.pb-c.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_every_request_has_one_row(void **state)
{
	(void)state;
	const ProtobufCMessageDescriptor *request = &chime__request__descriptor;
	size_t bodies = 0;

	for (unsigned i = 0; i < request->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &request->fields[i];
		if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
			continue;
		const struct command *row = command_find_request((int)field->id);
		if (row == NULL)
			fail_msg("request %s stands in no row", field->name);
		assert_int_equal(row->request, field->id);
		bodies++;
	}
	size_t rows = 0;
	for (size_t i = 0; i < command_count; i++) {
		rows += commands[i].request != 0;
		for (size_t k = i + 1; k < command_count && commands[i].request != 0; k++)
			assert_int_not_equal(commands[i].request, commands[k].request);
	}
	assert_int_equal(rows, bodies);
}

static void test_unknown_requests_have_none(void **state)
{
	(void)state;
	assert_null(command_find_request(0));
	assert_null(command_find_request(-1));
	assert_null(command_find_request(1));
	assert_null(command_find_request(9999));
	assert_false(command_allowed(NULL, ROLE_ADMIN));
}

static void test_rows_explain_themselves(void **state)
{
	(void)state;
	static const char *const groups[] = {
		"Look", "Act", "Define", "Run servers", "Tools",
	};

	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		assert_non_null(c->summary);
		assert_true(islower((unsigned char)c->summary[0]));
		assert_int_not_equal(c->summary[strlen(c->summary) - 1], '.');
		if (c->name == NULL) {
			assert_int_not_equal(c->request, 0);
			continue;
		}
		size_t g = 0;
		while (g < 5 && strcmp(groups[g], c->group) != 0)
			g++;
		assert_true(g < 5);
		assert_non_null(strchr(c->usage, '\t'));
		assert_ptr_equal(command_find(c->name), c);
		if (c->role != ROLE_NONE)
			assert_int_not_equal(c->request, 0);
		for (size_t k = i + 1; k < command_count; k++)
			assert_false(commands[k].name != NULL &&
				     strcmp(commands[k].name, c->name) == 0);
	}
}

static size_t count_lines(const char *text)
{
	size_t n = 0, width = 0;

	for (; text != NULL && *text != '\0'; text++) {
		width = *text == '\n' ? 0 : width + 1;
		assert_true(width <= 100);
		n += *text == '\n';
	}
	return n;
}

static void test_help_fits_a_screen(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		if (c->name == NULL)
			continue;
		size_t lines = 2 + count_lines(c->usage) + 1 + 1 + count_lines(c->options) + 2 +
			       count_lines(c->examples) + 1;
		assert_true(lines <= 24);
	}
}

static void test_acting_needs_more_than_looking(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		if (!c->action)
			continue;
		assert_true(c->role >= ROLE_OPERATOR && c->role <= ROLE_ADMIN);
		assert_false(command_allowed(c, ROLE_VIEWER));
		assert_false(command_allowed(c, ROLE_SERVER));
		assert_false(command_allowed(c, ROLE_NONE));
		assert_true(command_allowed(c, ROLE_ADMIN));
	}
	assert_true(command_find("start")->action);
	assert_true(command_find("kill")->action);
	assert_true(command_find("reload")->role == ROLE_PLANNER);
	assert_false(command_allowed(command_find("reload"), ROLE_OPERATOR));
	assert_true(command_allowed(command_find("server trust"), ROLE_ADMIN));
	assert_false(command_allowed(command_find("server trust"), ROLE_PLANNER));
}

static void test_servers_stand_apart(void **state)
{
	(void)state;
	/* The first two are for servers alone, the others also for who may look. */
	static const int asked_by_servers[] = {
		CHIME__REQUEST__BODY_PING, CHIME__REQUEST__BODY_VECTOR,
		CHIME__REQUEST__BODY_PULL, CHIME__REQUEST__BODY_CERTIFICATE,
		CHIME__REQUEST__BODY_BUS,
	};

	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		if (c->request == 0) {
			for (int role = ROLE_NONE; role < ROLE_COUNT; role++)
				assert_false(command_allowed(c, (enum role)role));
			continue;
		}
		bool by_servers = false, only_servers = false;
		for (size_t k = 0; k < 5; k++) {
			by_servers |= c->request == asked_by_servers[k];
			only_servers |= k < 2 && c->request == asked_by_servers[k];
		}
		assert_int_equal(command_allowed(c, ROLE_SERVER), by_servers);
		assert_int_equal(command_allowed(c, ROLE_ADMIN), !only_servers);
		assert_false(command_allowed(c, ROLE_NONE));
		assert_false(command_allowed(c, ROLE_COUNT));
	}
}

static void test_looking_is_for_viewers(void **state)
{
	(void)state;
	static const char *const look[] = {
		"status", "ls", "show", "why", "runs", "log", "events", "next", "server ls",
	};

	for (size_t i = 0; i < sizeof(look) / sizeof(look[0]); i++)
		assert_true(command_allowed(command_find(look[i]), ROLE_VIEWER));
}

static void test_aliases(void **state)
{
	(void)state;
	assert_ptr_equal(command_find("list"), command_find("ls"));
	assert_ptr_equal(command_find("stop"), command_find("kill"));
	assert_ptr_equal(command_find("logs"), command_find("log"));
	assert_ptr_equal(command_find("tail"), command_find("log"));
	assert_ptr_equal(command_find("server"), command_find("server ls"));
	assert_null(command_find("sart"));
	assert_null(command_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_request_has_one_row),
		cmocka_unit_test(test_unknown_requests_have_none),
		cmocka_unit_test(test_rows_explain_themselves),
		cmocka_unit_test(test_help_fits_a_screen),
		cmocka_unit_test(test_acting_needs_more_than_looking),
		cmocka_unit_test(test_servers_stand_apart),
		cmocka_unit_test(test_looking_is_for_viewers),
		cmocka_unit_test(test_aliases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
