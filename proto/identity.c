#include "proto/identity.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/digest.h"
#include "proto/keyfile.h"
#include "proto/names.h"

enum { TEXT_SIZE = 512 };

struct identity {
	X509_STORE *store;
	X509 *certificate;
	struct sigkey *key;
	uint8_t *der;
	size_t der_len;
	uint8_t environment_id[ENVIRONMENT_ID_SIZE];
	struct name_id name;
};

/* ---- names ------------------------------------------------------------------------------ */

static const char *const role_names[] = {
	[ROLE_NONE] = "none",
	[ROLE_VIEWER] = "viewer",
	[ROLE_OPERATOR] = "operator",
	[ROLE_PLANNER] = "planner",
	[ROLE_ADMIN] = "admin",
	[ROLE_SERVER] = "server",
};
_Static_assert(sizeof role_names / sizeof *role_names == ROLE_COUNT, "a name each");

const char *role_name(enum role role)
{
	return (unsigned)role < ROLE_COUNT ? role_names[role] : role_names[ROLE_NONE];
}

enum role role_parse(const char *text)
{
	for (enum role role = ROLE_VIEWER; role < ROLE_COUNT; role++) {
		if (strcmp(text, role_names[role]) == 0)
			return role;
	}
	return ROLE_NONE;
}

bool identity_environment_valid(const char *text)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strspn(text, letters);

	return len > 0 && len < IDENTITY_NAME_SIZE && text[len] == '\0' && text[0] != '.' &&
		text[0] != '_' && text[0] != '-';
}

bool identity_name_valid(enum role role, const char *text)
{
	/* A person's name has the form of an environment's. */
	return role == ROLE_SERVER ? name_server_valid(text, NULL) :
		identity_environment_valid(text);
}

int identity_uri_format(const struct name_id *who, char out[IDENTITY_URI_SIZE])
{
	out[0] = '\0';
	if (who->role <= ROLE_NONE || who->role >= ROLE_COUNT ||
		!identity_environment_valid(who->environment) ||
		!identity_name_valid(who->role, who->name))
		return -EINVAL;
	snprintf(out, IDENTITY_URI_SIZE, "chime://%s/%s/%s", who->environment,
		role_name(who->role), who->name);
	return 0;
}

bool identity_uri_parse(const char *uri, size_t len, struct name_id *out)
{
	static const char scheme[] = "chime://";
	char copy[IDENTITY_URI_SIZE];

	memset(out, 0, sizeof *out);
	/* A NUL inside would make the end of the name invisible to every later comparison. */
	if (len >= sizeof copy || memchr(uri, '\0', len))
		return false;
	memcpy(copy, uri, len);
	copy[len] = '\0';
	if (strncmp(copy, scheme, sizeof scheme - 1) != 0)
		return false;

	char *environment = copy + sizeof scheme - 1;
	char *role_text = strchr(environment, '/');
	char *name = role_text ? strchr(role_text + 1, '/') : NULL;
	if (!name)
		return false;
	*role_text++ = '\0';
	*name++ = '\0';
	enum role role = role_parse(role_text);
	if (role == ROLE_NONE || !identity_environment_valid(environment) ||
		!identity_name_valid(role, name))
		return false;
	/* Valid names are shorter than their arrays, which are zero. */
	memcpy(out->environment, environment, strlen(environment));
	memcpy(out->name, name, strlen(name));
	out->role = role;
	return true;
}

/* ---- judging ---------------------------------------------------------------------------- */

static void format_time(const ASN1_TIME *time, char out[32])
{
	struct tm tm;

	snprintf(out, 32, "an unreadable time");
	if (ASN1_TIME_to_tm(time, &tm))
		strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* The one URI among the alternative names, or NULL with the reason. */
static const char *read_name(const X509 *certificate, struct name_id *out)
{
	const char *why = "it carries no chime:// name";
	const ASN1_IA5STRING *uri = NULL;
	int uris = 0;

	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type == GEN_URI) {
			uri = name->d.uniformResourceIdentifier;
			uris++;
		}
	}
	if (uris > 1)
		why = "it carries more than one URI";
	else if (uri && identity_uri_parse((const char *)ASN1_STRING_get0_data(uri),
			(size_t)ASN1_STRING_length(uri), out))
		why = NULL;
	else if (uri)
		why = "its URI is not of the form chime://ENVIRONMENT/ROLE/NAME";
	GENERAL_NAMES_free(names);
	return why;
}

static bool has_p256_key(X509 *certificate)
{
	EVP_PKEY *evp = X509_get0_pubkey(certificate);
	struct sigkey *key = evp ? sigkey_of(evp) : NULL;

	sigkey_free(key);
	return key != NULL;
}

static bool has_uses(X509 *certificate, enum role role)
{
	uint32_t need = XKU_SSL_CLIENT | (role == ROLE_SERVER ? XKU_SSL_SERVER : 0);

	/* Without the extension OpenSSL says "all"; here it must be written. */
	return X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE &&
		(X509_get_extended_key_usage(certificate) & need) == need;
}

static enum identity_verdict explain_chain(int error, const X509 *certificate, char *why,
	size_t why_size)
{
	char when[32];

	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		format_time(X509_get0_notAfter(certificate), when);
		snprintf(why, why_size, "its certificate expired at %s", when);
		return IDENTITY_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		format_time(X509_get0_notBefore(certificate), when);
		snprintf(why, why_size, "its certificate is not valid before %s", when);
		return IDENTITY_NOT_YET;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_CERT_UNTRUSTED:
		snprintf(why, why_size, "its certificate was signed by another CA");
		return IDENTITY_OTHER_CA;
	default:
		snprintf(why, why_size, "its certificate can't be checked: %s",
			X509_verify_cert_error_string(error));
		return IDENTITY_MALFORMED;
	}
}

/* Signature and times, against the CA file alone. */
static enum identity_verdict judge_chain(const struct identity *id, X509 *certificate,
	int64_t now_s, char *why, size_t why_size)
{
	enum identity_verdict verdict = IDENTITY_OK;
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	assert(ctx);
	int ok = X509_STORE_CTX_init(ctx, id->store, certificate, NULL);
	assert(ok);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)now_s);
	if (X509_verify_cert(ctx) != 1) {
		/* At the CA's depth the times are the CA's, and the text should say so. */
		X509 *bad = X509_STORE_CTX_get_current_cert(ctx);
		verdict = explain_chain(X509_STORE_CTX_get_error(ctx), bad ? bad : certificate,
			why, why_size);
		if (X509_STORE_CTX_get_error_depth(ctx) > 0 &&
			(verdict == IDENTITY_EXPIRED || verdict == IDENTITY_NOT_YET)) {
			snprintf(why, why_size, "the CA's own certificate is %s",
				verdict == IDENTITY_EXPIRED ? "expired" : "not valid yet");
		}
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return verdict;
}

static enum identity_verdict judge_name(const struct identity *id, X509 *certificate,
	struct name_id *out, char *why, size_t why_size)
{
	if (!has_p256_key(certificate)) {
		snprintf(why, why_size, "its key is not EC P-256");
		return IDENTITY_WRONG_KEY;
	}
	const char *bad = read_name(certificate, out);
	if (bad) {
		snprintf(why, why_size, "its certificate has a bad name: %s", bad);
		return IDENTITY_BAD_NAME;
	}
	/* Without a name of its own it stands for whatever the CA signs. */
	if (id->name.environment[0] && strcmp(out->environment, id->name.environment) != 0) {
		snprintf(why, why_size, "its certificate is for environment %s, this is %s",
			out->environment, id->name.environment);
		return IDENTITY_OTHER_ENVIRONMENT;
	}
	if (!has_uses(certificate, out->role)) {
		snprintf(why, why_size, "its certificate is not made for use as a %s "
			"(extended key usage)", out->role == ROLE_SERVER ? "server" : "client");
		return IDENTITY_WRONG_USE;
	}
	return IDENTITY_OK;
}

enum identity_verdict identity_judge_certificate(const struct identity *id, X509 *certificate,
	int64_t now_s, struct name_id *out, char *why, size_t why_size)
{
	memset(out, 0, sizeof *out);
	if (why_size > 0)
		why[0] = '\0';
	enum identity_verdict verdict = judge_chain(id, certificate, now_s, why, why_size);
	if (verdict == IDENTITY_OK)
		verdict = judge_name(id, certificate, out, why, why_size);
	if (verdict != IDENTITY_OK)
		memset(out, 0, sizeof *out);
	ERR_clear_error();
	return verdict;
}

enum identity_verdict identity_judge(const struct identity *id, const void *der, size_t len,
	int64_t now_s, struct name_id *out, char *why, size_t why_size)
{
	enum identity_verdict verdict = IDENTITY_MALFORMED;
	const unsigned char *at = der;
	X509 *certificate = NULL;

	memset(out, 0, sizeof *out);
	if (len <= IDENTITY_DER_MAX)
		certificate = d2i_X509(NULL, &at, (long)len);
	if (certificate && at == (const unsigned char *)der + len)
		verdict = identity_judge_certificate(id, certificate, now_s, out, why, why_size);
	else
		snprintf(why, why_size, "it gave no readable certificate");
	X509_free(certificate);
	ERR_clear_error();
	return verdict;
}

enum identity_verdict identity_check_self(const struct identity *id, int64_t now_s, char *why,
	size_t why_size)
{
	struct name_id who;

	return identity_judge_certificate(id, id->certificate, now_s, &who, why, why_size);
}

const char *identity_verdict_name(enum identity_verdict verdict)
{
	static const char *const names[] = {
		[IDENTITY_OK] = "ok",
		[IDENTITY_MALFORMED] = "malformed",
		[IDENTITY_OTHER_CA] = "other_ca",
		[IDENTITY_EXPIRED] = "expired",
		[IDENTITY_NOT_YET] = "not_yet",
		[IDENTITY_WRONG_KEY] = "wrong_key",
		[IDENTITY_BAD_NAME] = "bad_name",
		[IDENTITY_OTHER_ENVIRONMENT] = "other_environment",
		[IDENTITY_WRONG_USE] = "wrong_use",
	};

	_Static_assert(sizeof names / sizeof *names == IDENTITY_VERDICT_COUNT, "a name each");
	return (unsigned)verdict < IDENTITY_VERDICT_COUNT ? names[verdict] : "unknown";
}

/* ---- loading ---------------------------------------------------------------------------- */

static int refuse_file(char *err, size_t err_size, const char *what, const char *path,
	const char *why, const char *try_this)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof text, "cannot use %s %s", what, path);
	ERR_clear_error();
	return keyfile_error(err, err_size, -EINVAL, text, why, try_this);
}

/* An encrypted key must fail, not ask on the terminal. */
static int no_password_cb(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

static int read_pem(const char *path, const char *what, bool secret, BIO **out, char **text,
	size_t *len, char *err, size_t err_size)
{
	int rc = keyfile_read(path, what, secret, text, len, err, err_size);

	if (rc == 0) {
		*out = BIO_new_mem_buf(*text, (int)*len);
		assert(*out);
	}
	return rc;
}

static void set_environment_id(struct identity *id, const X509 *ca)
{
	unsigned char *spki = NULL;
	struct digest d;

	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(ca), &spki);
	assert(len > 0);
	digest_of(spki, (size_t)len, &d);
	OPENSSL_free(spki);
	memcpy(id->environment_id, d.b, ENVIRONMENT_ID_SIZE);
}

static int load_ca(struct identity *id, const char *path, char *err, size_t err_size)
{
	BIO *bio = NULL;
	char *text = NULL;
	size_t len = 0, count = 0;

	int rc = read_pem(path, "the CA file", false, &bio, &text, &len, err, err_size);
	if (rc < 0)
		return rc;
	id->store = X509_STORE_new();
	assert(id->store);
	X509 *ca;
	while ((ca = PEM_read_bio_X509(bio, NULL, no_password_cb, NULL))) {
		if (count++ == 0)
			set_environment_id(id, ca);
		int ok = X509_STORE_add_cert(id->store, ca);
		assert(ok);
		X509_free(ca);
	}
	/* The reader ends with "no start line" at the end of the file, and only there. */
	bool bad_tail = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
	if (count == 0 || bad_tail) {
		rc = refuse_file(err, err_size, "the CA file", path, count == 0 ?
			"there is no certificate in it" : "one of its certificates is damaged",
			"copy ca.crt again from another machine of the environment");
	}
	ERR_clear_error();
	BIO_free(bio);
	keyfile_free(text, len);
	return rc;
}

static int load_certificate(struct identity *id, const char *path, char *err, size_t err_size)
{
	static const char hint[] = "chime ca issue --dir CA --role ROLE --name NAME --out DIR";
	BIO *bio = NULL;
	char *text = NULL;
	size_t len = 0;

	int rc = read_pem(path, "the certificate", false, &bio, &text, &len, err, err_size);
	if (rc < 0)
		return rc;
	id->certificate = PEM_read_bio_X509(bio, NULL, no_password_cb, NULL);
	BIO_free(bio);
	keyfile_free(text, len);
	if (!id->certificate) {
		return refuse_file(err, err_size, "the certificate", path,
			"there is no readable certificate in it", hint);
	}
	const char *why = read_name(id->certificate, &id->name);
	if (why)
		return refuse_file(err, err_size, "the certificate", path, why, hint);
	int der_len = i2d_X509(id->certificate, &id->der);
	assert(der_len > 0);
	id->der_len = (size_t)der_len;
	if (id->der_len > IDENTITY_DER_MAX) {
		return refuse_file(err, err_size, "the certificate", path,
			"it is larger than peers accept", hint);
	}
	return 0;
}

static int load_key(struct identity *id, const char *path, char *err, size_t err_size)
{
	BIO *bio = NULL;
	char *text = NULL;
	size_t len = 0;

	int rc = read_pem(path, "the key", true, &bio, &text, &len, err, err_size);
	if (rc < 0)
		return rc;
	EVP_PKEY *evp = PEM_read_bio_PrivateKey(bio, NULL, no_password_cb, NULL);
	BIO_free(bio);
	keyfile_free(text, len);
	if (!evp) {
		return refuse_file(err, err_size, "the key", path,
			"there is no readable private key in it (encrypted ones are not supported)",
			NULL);
	}
	id->key = sigkey_of(evp);
	if (!id->key) {
		rc = refuse_file(err, err_size, "the key", path, "it is not an EC P-256 key",
			NULL);
	} else if (X509_check_private_key(id->certificate, evp) != 1) {
		rc = refuse_file(err, err_size, "the key", path,
			"it does not belong to the certificate",
			"use id.crt and id.key of the same 'chime ca issue'");
	}
	EVP_PKEY_free(evp);
	return rc;
}

int identity_load(const char *ca_path, const char *certificate_path, const char *key_path,
	struct identity **out, char *err, size_t err_size)
{
	struct identity *id = calloc(1, sizeof *id);

	assert(id);
	ERR_clear_error();
	int rc = load_ca(id, ca_path, err, err_size);
	if (rc == 0)
		rc = load_certificate(id, certificate_path, err, err_size);
	if (rc == 0)
		rc = load_key(id, key_path, err, err_size);
	if (rc == 0)
		*out = id;
	else
		identity_free(id);
	return rc;
}

int identity_load_environment(const char *ca_path, uint8_t out[ENVIRONMENT_ID_SIZE], char *err,
	size_t err_size)
{
	struct identity *id = NULL;

	int rc = identity_load_authority(ca_path, &id, err, err_size);
	if (rc == 0)
		memcpy(out, id->environment_id, ENVIRONMENT_ID_SIZE);
	identity_free(id);
	return rc;
}

int identity_load_authority(const char *ca_path, struct identity **out, char *err,
	size_t err_size)
{
	struct identity *id = calloc(1, sizeof *id);

	assert(id);
	ERR_clear_error();
	int rc = load_ca(id, ca_path, err, err_size);
	if (rc == 0)
		*out = id;
	else
		identity_free(id);
	return rc;
}

int identity_load_other(const char *path, uint8_t der[IDENTITY_DER_MAX], size_t *len,
	struct name_id *who, char *err, size_t err_size)
{
	struct identity *id = calloc(1, sizeof *id);

	assert(id);
	ERR_clear_error();
	int rc = load_certificate(id, path, err, err_size);
	if (rc == 0) {
		memcpy(der, id->der, id->der_len);
		*len = id->der_len;
		*who = id->name;
	}
	identity_free(id);
	return rc;
}

void identity_free(struct identity *id)
{
	if (!id)
		return;
	X509_STORE_free(id->store);
	X509_free(id->certificate);
	sigkey_free(id->key);
	OPENSSL_free(id->der);
	free(id);
}

const struct name_id *identity_name(const struct identity *id)
{
	return &id->name;
}

const uint8_t *identity_environment_id(const struct identity *id)
{
	return id->environment_id;
}

const uint8_t *identity_der(const struct identity *id, size_t *len)
{
	*len = id->der_len;
	return id->der;
}

const struct sigkey *identity_key(const struct identity *id)
{
	return id->key;
}

int64_t identity_until_s(const struct identity *id)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(X509_get0_notAfter(id->certificate), &tm))
		return 0;
	return timegm(&tm);
}

X509 *identity_certificate(const struct identity *id)
{
	return id->certificate;
}
