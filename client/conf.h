/*
 * conf.h - chime.yaml, the client's file: where servers are and who I am.
 *
 *	environment: PROD              # refused when the certificate says another
 *	via: db1                       # default of --via
 *	socket: /run/chime/control.sock
 *	timezone: Europe/Berlin        # default of --tz
 *	identity:
 *	  ca: ca.crt
 *	  certificate: id.crt
 *	  key: id.key
 *	servers: [db1:7411, db2:7411]  # tried before discovery
 *	color: red                     # of the monitor's header: which environment this is
 *	failover: true                 # the monitor may ask another server when this one is lost
 *	bell: false                    # the monitor rings when a job fails
 *	bus:
 *	  group: 239.255.77.77         # where discovery asks
 *	  port: 7410
 *	  interface: eth1
 *
 * Every key is optional; relative paths count from the file. Without `identity` the three files
 * beside chime.yaml are used if they are there, so that `chime ca issue --out ~/.config/chime` is
 * all a person needs. CHIME_TLS_CA, CHIME_TLS_CERTIFICATE, CHIME_TLS_KEY override them.
 */
#ifndef CHIME_CLIENT_CONF_H
#define CHIME_CLIENT_CONF_H

#include "client/say.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_SOCKET_DEFAULT "/run/chime/control.sock"

struct client_conf {
	char *file;			/* NULL = none was found */
	char *environment;		/* NULL = not given; so with every text here */
	char *via;
	char *socket;			/* never NULL */
	bool socket_given;		/* somebody named it: a missing one is worth a word */
	char *timezone;
	char *ca, *certificate, *key;	/* all or none */
	char **servers;
	size_t server_count;
	char *group;			/* never NULL */
	uint16_t port;
	char *interface;
	bool header_red, failover, bell;
};

/* path: as given by --config or NULL. A named file that is not there is an error, a default one
 * is not. 0 or EXIT_USAGE with *t filled (errors of the file were printed then). */
int client_conf_load(const char *path, struct client_conf *conf, struct trouble *t);
void client_conf_fini(struct client_conf *conf);

#endif
