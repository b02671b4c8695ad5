/*
 * pki.h - throw-away environments for tests: directories of ca_init and ca_issue, and
 * certificates that ca_issue would never make.
 */
#ifndef CHIME_TESTS_UNIT_PKI_H
#define CHIME_TESTS_UNIT_PKI_H

#include <ftw.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/ca.h"
#include "proto/identity.h"
#include "proto/keyfile.h"

enum { PKI_DAY_S = 24 * 3600 };

struct pki {
	char dir[64];
};

/* A certificate to be made by hand; zero members take what ca_issue would. */
struct pki_wish {
	const char *alt_names;		/* as in openssl.cnf; "" for none */
	const char *odd_uri;		/* one URI of odd_uri_len bytes instead */
	size_t odd_uri_len;
	const char *uses;		/* "" for none */
	const char *group;		/* "P-384"; default P-256 */
	int64_t from_s, until_s;
};

static inline int pki_remove_cb(const char *path, const struct stat *st, int type,
	struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static inline void pki_fini(struct pki *pki)
{
	nftw(pki->dir, pki_remove_cb, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void pki_init(struct pki *pki)
{
	snprintf(pki->dir, sizeof pki->dir, "/tmp/chime-test-XXXXXX");
	assert_non_null(mkdtemp(pki->dir));
}

/* DIR/SUB/FILE of this pki; sub may be "". */
static inline const char *pki_path(const struct pki *pki, const char *sub, const char *file,
	char out[256])
{
	snprintf(out, 256, "%s/%s/%s", pki->dir, sub, file);
	return out;
}

/* A new environment in DIR/SUB. */
static inline void pki_environment(const struct pki *pki, const char *sub, const char *name)
{
	char dir[256], err[KEYFILE_ERR_SIZE] = "";

	if (ca_init(name, pki_path(pki, sub, "", dir), err, sizeof err) < 0)
		fail_msg("%s", err);
}

/* An identity in DIR/SUB, of the environment in DIR/CA. */
static inline void pki_issue(const struct pki *pki, const char *ca, enum role role,
	const char *name, const char *sub, int64_t until_s)
{
	char from[256], to[256], err[KEYFILE_ERR_SIZE] = "";

	if (ca_issue(pki_path(pki, ca, "", from), role, name, pki_path(pki, sub, "", to), until_s,
			err, sizeof err) < 0)
		fail_msg("%s", err);
}

static inline FILE *pki_open(const struct pki *pki, const char *sub, const char *file,
	const char *mode)
{
	char path[256];
	FILE *f = fopen(pki_path(pki, sub, file, path), mode);

	if (!f)
		fail_msg("cannot open %s", path);
	return f;
}

static inline void pki_add_names(X509 *leaf, const struct pki_wish *wish)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, leaf, leaf, NULL, NULL, 0);
	if (wish->odd_uri) {
		GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_IA5STRING *uri = ASN1_IA5STRING_new();
		ASN1_STRING_set(uri, wish->odd_uri, (int)wish->odd_uri_len);
		GENERAL_NAME_set0_value(name, GEN_URI, uri);
		sk_GENERAL_NAME_push(names, name);
		X509_add1_ext_i2d(leaf, NID_subject_alt_name, names, 0, 0);
		GENERAL_NAMES_free(names);
	} else if (wish->alt_names[0]) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name,
			wish->alt_names);
		assert_non_null(ext);
		X509_add_ext(leaf, ext, -1);
		X509_EXTENSION_free(ext);
	}
	if (wish->uses[0]) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_ext_key_usage,
			wish->uses);
		assert_non_null(ext);
		X509_add_ext(leaf, ext, -1);
		X509_EXTENSION_free(ext);
	}
}

/*
 * Replaces id.crt and id.key of the identity in DIR/SUB by a certificate as wished, signed by
 * the CA in DIR/CA.
 */
static inline void pki_forge(const struct pki *pki, const char *ca, const char *sub,
	struct pki_wish wish)
{
	if (!wish.alt_names)
		wish.alt_names = "URI:chime://test/operator/alice";
	if (!wish.uses)
		wish.uses = "clientAuth";
	FILE *f = pki_open(pki, ca, "ca.crt", "r");
	X509 *issuer = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	f = pki_open(pki, ca, "ca.key", "r");
	EVP_PKEY *issuer_key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	EVP_PKEY *key = EVP_EC_gen(wish.group ? wish.group : "P-256");
	assert_non_null(issuer);
	assert_non_null(issuer_key);
	assert_non_null(key);

	X509 *leaf = X509_new();
	X509_set_version(leaf, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(leaf), 7);
	ASN1_TIME_set(X509_getm_notBefore(leaf), wish.from_s ? wish.from_s : time(NULL) - 60);
	ASN1_TIME_set(X509_getm_notAfter(leaf),
		wish.until_s ? wish.until_s : time(NULL) + PKI_DAY_S);
	X509_set_issuer_name(leaf, X509_get_subject_name(issuer));
	/* Not the issuer's name, which would make it look self-signed. */
	X509_NAME_add_entry_by_txt(X509_get_subject_name(leaf), "CN", MBSTRING_ASC,
		(const unsigned char *)"forged", -1, -1, 0);
	X509_set_pubkey(leaf, key);
	pki_add_names(leaf, &wish);
	assert_true(X509_sign(leaf, issuer_key, EVP_sha256()));

	f = pki_open(pki, sub, "id.crt", "w");
	PEM_write_X509(f, leaf);
	fclose(f);
	f = pki_open(pki, sub, "id.key", "w");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(leaf);
	X509_free(issuer);
	EVP_PKEY_free(key);
	EVP_PKEY_free(issuer_key);
}

/* Loads the identity in DIR/SUB with the ca.crt of DIR/CA. */
static inline struct identity *pki_load(const struct pki *pki, const char *ca, const char *sub)
{
	char paths[3][256], err[KEYFILE_ERR_SIZE] = "";
	struct identity *id = NULL;

	if (identity_load(pki_path(pki, ca, "ca.crt", paths[0]),
			pki_path(pki, sub, "id.crt", paths[1]),
			pki_path(pki, sub, "id.key", paths[2]), &id, err, sizeof err) < 0)
		fail_msg("%s", err);
	return id;
}

#endif
