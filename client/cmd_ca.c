/*
 * cmd_ca.c - the certificate authority, offline: ca init, ca issue.
 */
#include "client/cmd.h"

#include "client/json.h"
#include "proto/ca.h"
#include "proto/names.h"

#include <string.h>

static int need_option(struct session *s, enum option option, const char *example)
{
	struct trouble t;

	if (args_given(&s->args, option) && s->args.value[option][0] != '\0')
		return 0;
	trouble_set(&t, EXIT_USAGE, "%s needs %s", s->args.command->name, option_name(option));
	trouble_hint(&t, "%s", example);
	return trouble_print(&t);
}

int cmd_ca_init(struct session *s)
{
	static const char example[] = "chime ca init --environment PROD --dir ~/prod-ca";
	const char *environment = s->args.value[OPT_ENVIRONMENT], *dir = s->args.value[OPT_DIR];
	struct trouble t;
	char err[1024];

	int code = targets_read(s, 0, 0, &(char **){ NULL }, &(size_t){ 0 });
	if (code == 0)
		code = need_option(s, OPT_ENVIRONMENT, example);
	if (code == 0)
		code = need_option(s, OPT_DIR, example);
	if (code != 0)
		return code;
	if (!identity_environment_valid(environment)) {
		trouble_set(&t, EXIT_USAGE, "'%s' can't be the name of an environment",
			    environment);
		trouble_why(&t, "letters, digits and . _ - only, at most 63, the first a letter "
			    "or a digit");
		return trouble_print(&t);
	}
	if (ca_init(environment, dir, err, sizeof(err)) != 0) {
		trouble_set_lines(&t, EXIT_TROUBLE, err);
		return trouble_print(&t);
	}
	if (s->out.format == OUT_JSON) {
		json_t *o = json_document("chime.ca/1", s->out.now_us, environment, NULL);
		json_object_set_new(o, "dir", json_text(dir));
		return json_print(o);
	}
	printf("environment %s: %s/ca.crt, ca.key, bus.key\n", environment, dir);
	if (s->out.tty)
		printf("next        chime ca issue --dir %s --role server --name NAME --out "
		       "DIR\n            keep %s/ca.key away from the servers\n", dir, dir);
	return 0;
}

static int read_role(struct session *s, enum role *role)
{
	static const char *const names[] = { "server", "viewer", "operator", "planner", "admin" };
	const char *text = s->args.value[OPT_ROLE];
	struct trouble t;

	*role = role_parse(text);
	if (*role != ROLE_NONE)
		return 0;
	trouble_set(&t, EXIT_USAGE, "there is no role '%s'", text);
	const char *nearest = name_nearest(text, names, 5);
	if (nearest != NULL)
		trouble_why(&t, "did you mean %s?", nearest);
	trouble_hint(&t, "--role server, viewer, operator, planner or admin");
	return trouble_print(&t);
}

int cmd_ca_issue(struct session *s)
{
	static const char example[] =
		"chime ca issue --dir ~/prod-ca --role server --name db1 --out /tmp/db1";
	const char *name = s->args.value[OPT_NAME], *out = s->args.value[OPT_OUT];
	const char *dir = args_given(&s->args, OPT_DIR) ? s->args.value[OPT_DIR] : ".";
	const char *until = s->args.value[OPT_UNTIL];
	int64_t until_us = 0;
	enum role role;
	struct trouble t;
	char err[1024];

	int code = targets_read(s, 0, 0, &(char **){ NULL }, &(size_t){ 0 });
	if (code == 0)
		code = need_option(s, OPT_ROLE, example);
	if (code == 0)
		code = need_option(s, OPT_NAME, example);
	if (code == 0)
		code = need_option(s, OPT_OUT, example);
	if (code == 0)
		code = read_role(s, &role);
	if (code != 0)
		return code;
	if (until != NULL && instant_parse(until, &until_us) != 0) {
		trouble_set(&t, EXIT_USAGE, "--until needs an instant, not '%s'", until);
		trouble_hint(&t, "--until 2027-11-20T00:00:00Z");
		return trouble_print(&t);
	}
	if (ca_issue(dir, role, name, out, until_us / 1000000, err, sizeof(err)) != 0) {
		trouble_set_lines(&t, EXIT_TROUBLE, err);
		return trouble_print(&t);
	}
	if (s->out.format == OUT_JSON) {
		json_t *o = json_document("chime.certificate/1", s->out.now_us, NULL, NULL);
		json_object_set_new(o, "role", json_text(role_name(role)));
		json_object_set_new(o, "name", json_text(name));
		json_object_set_new(o, "dir", json_text(out));
		return json_print(o);
	}
	printf("%s %s: %s/ca.crt, id.crt, id.key%s\n", role_name(role), name, out,
	       role == ROLE_SERVER ? ", bus.key" : "");
	return 0;
}
