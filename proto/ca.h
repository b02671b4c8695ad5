/*
 * ca.h - the environment's certificate authority: three files in a directory.
 *
 *	ca.crt   its certificate (EC P-256, ten years; common name = the environment)
 *	ca.key   its key, mode 0600
 *	bus.key  the first group key, mode 0600
 *
 * It is used by people, offline; no daemon needs ca.key.
 */
#ifndef CHIME_PROTO_CA_H
#define CHIME_PROTO_CA_H

#include <stddef.h>
#include <stdint.h>

#include "proto/identity.h"

enum {
	CA_DAYS = 3653,
	CA_ISSUE_DAYS = 90,
};

/*
 * Makes a new environment: dir (0700 when it has to be made) gets ca.crt, ca.key and bus.key.
 * Never overwrites a ca.key. -errno or -EINVAL: err holds lines "what / why: / try:".
 */
int ca_init(const char *environment, const char *dir, char *err, size_t err_size);

/*
 * Issues a certificate: out_dir (0700 when it has to be made) gets ca.crt, id.crt and id.key,
 * for a server also bus.key. until_s: its end, seconds since 1970, may be past; 0 = in
 * CA_ISSUE_DAYS. It begins five minutes ago, or a day before its end if that is earlier.
 * Never overwrites an id.key. -errno or -EINVAL: err holds lines "what / why: / try:".
 */
int ca_issue(const char *dir, enum role role, const char *name, const char *out_dir,
	int64_t until_s, char *err, size_t err_size);

#endif
