/*
 * identity.h - who I am and who they are: certificates, names and roles.
 *
 * An identity is one URI in an X.509 certificate (EC P-256):
 *
 *	chime://ENVIRONMENT/ROLE/NAME
 *
 * Environment: [A-Za-z0-9][A-Za-z0-9._-]{0,62}. Name of a server: [a-z0-9][a-z0-9._-]{0,62};
 * of a person: the same and upper case. Servers carry the extended key usages serverAuth and
 * clientAuth, people clientAuth. The common name is never looked at.
 *
 * Invariants
 * 1. A certificate is judged in one place, identity_judge(), inside TLS and outside of it.
 * 2. Only certificates of the CA file are trusted; what a peer sends besides its own
 *    certificate is ignored, so that both ways always come to the same answer.
 * 3. environment id = first 16 bytes of SHA-256 of the SubjectPublicKeyInfo of the first
 *    certificate of the CA file.
 */
#ifndef CHIME_PROTO_IDENTITY_H
#define CHIME_PROTO_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/sigkey.h"

enum {
	IDENTITY_NAME_SIZE = 64,
	/* "chime://" environment "/" role "/" name and a NUL */
	IDENTITY_URI_SIZE = 8 + 63 + 1 + 8 + 1 + 63 + 1,
	/* Certificates larger than this are refused unread. */
	IDENTITY_DER_MAX = 4096,
	/* Enough for every reason and error text of this file. */
	IDENTITY_WHY_SIZE = 512,
};

/* Ascending rights of people; a server stands apart. */
enum role {
	ROLE_NONE,
	ROLE_VIEWER,
	ROLE_OPERATOR,
	ROLE_PLANNER,
	ROLE_ADMIN,
	ROLE_SERVER,
	ROLE_COUNT
};

struct name_id {
	char environment[IDENTITY_NAME_SIZE];
	enum role role;
	char name[IDENTITY_NAME_SIZE];
};

enum identity_verdict {
	IDENTITY_OK,
	IDENTITY_MALFORMED,		/* no certificate, or one OpenSSL can't check */
	IDENTITY_OTHER_CA,
	IDENTITY_EXPIRED,
	IDENTITY_NOT_YET,
	IDENTITY_WRONG_KEY,		/* not EC P-256 */
	IDENTITY_BAD_NAME,		/* not exactly one URI, or not one of the form above */
	IDENTITY_OTHER_ENVIRONMENT,
	IDENTITY_WRONG_USE,		/* extended key usage does not fit the role */
	IDENTITY_VERDICT_COUNT
};

struct x509_st;

/* CA certificates, own certificate and own key. */
struct identity;

/* "viewer" ...; "none" for ROLE_NONE and anything out of range. */
const char *role_name(enum role role);

/* ROLE_NONE for every text that is not the exact name of a role. */
enum role role_parse(const char *text);

/* Whether the text may be an environment's name. */
bool identity_environment_valid(const char *text);

/* Whether the text may be the name of somebody in this role. */
bool identity_name_valid(enum role role, const char *text);

/* The URI; -EINVAL when a part is not valid, out is then "". */
int identity_uri_format(const struct name_id *who, char out[IDENTITY_URI_SIZE]);

/* Reads a URI of len foreign bytes; false and *out all zero when it is not of the form. */
bool identity_uri_parse(const char *uri, size_t len, struct name_id *out);

/*
 * Loads CA file, certificate and key (PEM). The key's mode may not be wider than 0600, it must
 * belong to the certificate, and the certificate must carry a name. An expired certificate or
 * one of another CA loads: the peer's refusal says so better; see identity_check_self().
 * -errno or -EINVAL: err holds lines "what / why: / try:" without a final newline.
 */
int identity_load(const char *ca_path, const char *certificate_path, const char *key_path,
	struct identity **out, char *err, size_t err_size);

/*
 * The environment id of a CA file alone, for who only listens. Errors as of identity_load().
 */
int identity_load_environment(const char *ca_path, uint8_t out[ENVIRONMENT_ID_SIZE], char *err,
	size_t err_size);

/*
 * Loads the CA file alone, for who has no identity and only judges those of others: only
 * identity_environment_id(), identity_judge() and identity_judge_certificate() may be asked of it,
 * and every environment the CA signed for is taken as its own. Errors as of identity_load().
 */
int identity_load_authority(const char *ca_path, struct identity **out, char *err,
	size_t err_size);

/*
 * Reads a certificate of another (PEM) and the name in it; says nothing about who signed it.
 * *len is at most IDENTITY_DER_MAX. Errors as of identity_load().
 */
int identity_load_other(const char *path, uint8_t der[IDENTITY_DER_MAX], size_t *len,
	struct name_id *who, char *err, size_t err_size);

/* NULL is allowed. */
void identity_free(struct identity *id);

const struct name_id *identity_name(const struct identity *id);

const uint8_t *identity_environment_id(const struct identity *id);

/* Own certificate as DER, borrowed. */
const uint8_t *identity_der(const struct identity *id, size_t *len);

/* Own key, borrowed. */
const struct sigkey *identity_key(const struct identity *id);

/* Own certificate's end, seconds since 1970. */
int64_t identity_until_s(const struct identity *id);

/* Judges the own certificate as a peer with the same CA file would. */
enum identity_verdict identity_check_self(const struct identity *id, int64_t now_s, char *why,
	size_t why_size);

/*
 * Judges a certificate of foreign bytes at the instant now_s (seconds since 1970): signed by
 * a CA of the file, in time, P-256, one good name of my environment, usages that fit the role.
 * *out is who it is for IDENTITY_OK, else all zero; why then holds the first reason.
 */
enum identity_verdict identity_judge(const struct identity *id, const void *der, size_t len,
	int64_t now_s, struct name_id *out, char *why, size_t why_size);

/* The same for a certificate OpenSSL has read already. */
enum identity_verdict identity_judge_certificate(const struct identity *id,
	struct x509_st *certificate, int64_t now_s, struct name_id *out, char *why,
	size_t why_size);

/* A short lower-case word for counters and logs, never NULL. */
const char *identity_verdict_name(enum identity_verdict verdict);

/* Own certificate for the TLS context, borrowed. */
struct x509_st *identity_certificate(const struct identity *id);

#endif
