/*
 * certs.h - for tests that need certificates: throw-away environments and identities below a
 * folder. ENV: a folder name; the environment is called ENVIRONMENT.
 */
#ifndef CHIME_TESTS_UNIT_CERTS_H
#define CHIME_TESTS_UNIT_CERTS_H

#include "tests/unit/loop.h"

#include "proto/ca.h"
#include "proto/identity.h"

static inline void certs_init(const char *folder, const char *env, const char *environment)
{
	char dir[256], err[IDENTITY_WHY_SIZE];

	snprintf(dir, sizeof(dir), "%s/%s", folder, env);
	assert_int_equal(ca_init(environment, dir, err, sizeof(err)), 0);
}

/* until_s: 0 = some months. */
static inline struct identity *certs_issue(const char *folder, const char *env, enum role role,
					   const char *name, int64_t until_s)
{
	char dir[256], out[512], ca[600], certificate[600], key[600], err[IDENTITY_WHY_SIZE];
	struct identity *id = NULL;

	snprintf(dir, sizeof(dir), "%s/%s", folder, env);
	snprintf(out, sizeof(out), "%s/%s-%s", folder, env, name);
	assert_int_equal(ca_issue(dir, role, name, out, until_s, err, sizeof(err)), 0);
	snprintf(ca, sizeof(ca), "%s/ca.crt", out);
	snprintf(certificate, sizeof(certificate), "%s/id.crt", out);
	snprintf(key, sizeof(key), "%s/id.key", out);
	assert_int_equal(identity_load(ca, certificate, key, &id, err, sizeof(err)), 0);
	return id;
}

#endif
