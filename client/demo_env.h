/*
 * demo_env.h - the files of a throw-away environment: a folder with a CA, an identity and a
 * chimed.yaml for each server, a chime.yaml for people, and the job files of examples/demo.
 *
 *	DIR/ca/                 ca.crt ca.key bus.key
 *	DIR/jobs/               copies of the *.yaml, each behind a `defaults` document
 *	DIR/work/               where the jobs work ($DEMO_DIR)
 *	DIR/alpha/              chimed.yaml  id/  data/  control.sock  chimed.log
 *	DIR/chime.yaml  DIR/id/ an admin's, for CHIME_CONFIG=DIR/chime.yaml
 *
 * Ports are free ones of this moment, the group is random: two demos never meet.
 */
#ifndef CHIME_CLIENT_DEMO_ENV_H
#define CHIME_CLIENT_DEMO_ENV_H

#include "client/say.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEMO_SERVERS_MIN = 3, DEMO_SERVERS_MAX = 16 };

#define DEMO_ENVIRONMENT "DEMO"

struct demo_env {
	char dir[PATH_MAX];		/* absolute; "" = not made yet */
	bool found_dir;			/* it was there before: only what is below it goes */
	char chime[PATH_MAX], chimed[PATH_MAX], examples[PATH_MAX];
	size_t count;
	uint16_t port[DEMO_SERVERS_MAX];
	char group[16];
	uint16_t bus_port;
	size_t jobs;			/* job files */
};

/* "alpha", "bravo" ... */
const char *demo_server_name(size_t i);

/* Finds the programs and the examples. 0 or EXIT_TROUBLE. */
int demo_env_find(struct demo_env *env, struct trouble *t);

/* Makes the folder (dir NULL = a new one below $TMPDIR). 0 or an exit code; a folder that holds
 * something is refused. */
int demo_env_make_dir(struct demo_env *env, const char *dir, struct trouble *t);

/* Writes everything into it, with new ports each time. 0 or EXIT_TROUBLE. */
int demo_env_write(struct demo_env *env, struct trouble *t);

/* malloc'ed path of a server's file: "control.sock" */
char *demo_env_path(const struct demo_env *env, size_t server, const char *file);

#endif
