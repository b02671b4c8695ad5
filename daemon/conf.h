/*
 * conf.h - chimed.yaml: one struct, filled from one option table (type, range, default, unit,
 * help), which also prints itself (--print-config) and its page in the manual.
 *
 * Read by chimed and by chime-launcher (both get --config FILE) and written by nobody.
 */
#ifndef CHIME_DAEMON_CONF_H
#define CHIME_DAEMON_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CONF_PEERS_MAX = 64 };

enum discovery_mode { DISCOVERY_ON, DISCOVERY_MEMBERS, DISCOVERY_OFF };

struct conf {
	char *file;			/* as given */
	char *environment, *server;	/* required */
	char *data;			/* /var/lib/chime; like all paths absolute once loaded */
	char *jobs;			/* default /etc/chime/jobs.d */
	char *socket;			/* default /run/chime/control.sock */
	char *timezone;			/* default: the host's */
	struct {
		char *ca, *certificate, *key;	/* all or none; none = local socket only */
	} identity;
	struct {
		char *mode;		/* "multicast"; "off" = no bus */
		char *group;		/* 239.255.77.77 */
		uint16_t port;		/* 7410 */
		char *interface;	/* name or address; NULL = chosen */
		uint8_t ttl;		/* 1 */
		char *key;		/* file; default bus.key beside the certificate */
	} bus;
	struct {
		char *listen;		/* 0.0.0.0:7411; port 0 = any */
	} control;
	char *peers[CONF_PEERS_MAX];	/* HOST:PORT */
	uint32_t peer_count;
	enum discovery_mode discovery;
	struct {
		int64_t history_us;	/* `history`: keep own and peers' frames, runs: 30d */
		uint64_t history_bytes;	/* `history_size`: 1 GiB */
		int64_t output_us;	/* `output`: 30d */
		uint64_t output_bytes;	/* `output_size`: all kept output: 1 GiB */
		uint64_t max_output;	/* of one run: 10 MiB */
		uint32_t connections;	/* control connections at once: 64 */
	} limits;
};

/* Loads and checks everything that can be checked without opening the identity; the environment
 * variables CHIME_TLS_CA, CHIME_TLS_CERTIFICATE, CHIME_TLS_KEY override `identity`. 0, or -EINVAL
 * with file:line:col errors written to `err` and an empty *conf. */
int conf_load(const char *file, struct conf *conf, FILE *err);
void conf_fini(struct conf *conf);

/* The whole configuration as YAML with each default, its unit and its help as comments. */
void conf_print(const struct conf *conf, FILE *out);

#endif
