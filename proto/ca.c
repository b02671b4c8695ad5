#include "proto/ca.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/buskey.h"
#include "proto/digest.h"
#include "proto/keyfile.h"

enum {
	PATH_SIZE = 512,
	TEXT_SIZE = 1024,
	DAY_S = 24 * 3600,
	/* Clocks of a new environment are not yet the same. */
	SLACK_S = 300,
	SERIAL_SIZE = 16,
};

/* The CA as loaded from its directory. */
struct ca {
	X509 *certificate;
	EVP_PKEY *key;
	char environment[IDENTITY_NAME_SIZE];
	int64_t until_s;
};

/* Where the text of an error goes. */
struct report {
	char *err;
	size_t size;
};

static int refuse(const struct report *r, int code, const char *what, const char *why,
	const char *try_this)
{
	ERR_clear_error();
	return keyfile_error(r->err, r->size, code, what, why, try_this);
}

/* ---- files ------------------------------------------------------------------------------ */

static int join_path(const char *dir, const char *file, char out[PATH_SIZE],
	const struct report *r)
{
	int n = snprintf(out, PATH_SIZE, "%s/%s", dir, file);

	if (n < 0 || n >= PATH_SIZE)
		return refuse(r, -ENAMETOOLONG, "the path of the directory is too long", NULL,
			NULL);
	return 0;
}

static int make_directory(const char *dir, const struct report *r)
{
	char text[TEXT_SIZE];
	struct stat st;

	if (mkdir(dir, 0700) == 0)
		return 0;
	int code = -errno;
	if (code == -EEXIST && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	snprintf(text, sizeof text, "cannot make the directory %s", dir);
	return refuse(r, code, text, strerror(-code), NULL);
}

/* Says before any work that a key is there already; the write itself refuses again. */
static int check_no_key(const char *path, const char *hint, const struct report *r)
{
	char text[TEXT_SIZE];

	if (access(path, F_OK) != 0)
		return 0;
	snprintf(text, sizeof text, "there is a key already: %s", path);
	return refuse(r, -EEXIST, text, "keys are never overwritten; nothing was written", hint);
}

static int write_bio(BIO *bio, const char *dir, const char *file, bool secret,
	enum keyfile_mode mode, const struct report *r)
{
	char path[PATH_SIZE], *text;

	int rc = join_path(dir, file, path, r);
	if (rc < 0)
		return rc;
	long len = BIO_get_mem_data(bio, &text);
	return keyfile_write(path, "the file", secret, mode, text, (size_t)len, r->err, r->size);
}

static int write_key(EVP_PKEY *key, const char *dir, const char *file, const struct report *r)
{
	BIO *bio = BIO_new(BIO_s_secmem());

	assert(bio);
	int ok = PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	assert(ok);
	int rc = write_bio(bio, dir, file, true, KEYFILE_NEW, r);
	BIO_free(bio);
	return rc;
}

static int write_certificate(X509 *certificate, const char *dir, const char *file,
	const struct report *r)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert(bio);
	int ok = PEM_write_bio_X509(bio, certificate);
	assert(ok);
	int rc = write_bio(bio, dir, file, false, KEYFILE_REPLACE, r);
	BIO_free(bio);
	return rc;
}

static int copy_file(const char *from_dir, const char *to_dir, const char *file, bool secret,
	const struct report *r)
{
	char from[PATH_SIZE], to[PATH_SIZE], *text = NULL;
	size_t len = 0;

	int rc = join_path(from_dir, file, from, r);
	if (rc == 0)
		rc = join_path(to_dir, file, to, r);
	if (rc == 0)
		rc = keyfile_read(from, "the file", secret, &text, &len, r->err, r->size);
	if (rc == 0)
		rc = keyfile_write(to, "the file", secret, KEYFILE_REPLACE, text, len, r->err,
			r->size);
	keyfile_free(text, len);
	return rc;
}

/* ---- certificates ----------------------------------------------------------------------- */

static void set_serial(X509 *certificate)
{
	uint8_t serial[SERIAL_SIZE];

	digest_random(serial, sizeof serial);
	/* Positive and never shorter, so that all serials look alike. */
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
	BIGNUM *n = BN_bin2bn(serial, sizeof serial, NULL);
	int ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(certificate));
	assert(ok);
	BN_free(n);
}

static void set_times(X509 *certificate, int64_t from_s, int64_t until_s)
{
	int ok = ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)from_s) &&
		ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)until_s);
	assert(ok);
}

/*
 * A person may have the name of the environment: the organization keeps the subject of the CA
 * different, else the certificate would look self-signed.
 */
static void set_subject(X509 *certificate, const char *organization, const char *common_name)
{
	X509_NAME *name = X509_NAME_new();

	assert(name);
	int ok = X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
			(const unsigned char *)organization, -1, -1, 0) &&
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
			(const unsigned char *)common_name, -1, -1, 0) &&
		X509_set_subject_name(certificate, name);
	assert(ok);
	X509_NAME_free(name);
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert(ext);
	int ok = X509_add_ext(certificate, ext, -1);
	assert(ok);
	X509_EXTENSION_free(ext);
}

static X509 *new_certificate(EVP_PKEY *key, const char *organization, const char *common_name,
	int64_t from_s, int64_t until_s)
{
	X509 *certificate = X509_new();

	assert(certificate);
	int ok = X509_set_version(certificate, X509_VERSION_3) &&
		X509_set_pubkey(certificate, key);
	assert(ok);
	set_serial(certificate);
	set_times(certificate, from_s, until_s);
	set_subject(certificate, organization, common_name);
	return certificate;
}

static void sign_certificate(X509 *certificate, const X509 *issuer, EVP_PKEY *key)
{
	int ok = X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) &&
		X509_sign(certificate, key, EVP_sha256());
	assert(ok);
}

static X509 *make_ca_certificate(EVP_PKEY *key, const char *environment, int64_t now_s)
{
	/* It begins early: certificates issued to be past already must fit into it too. */
	X509 *ca = new_certificate(key, "chime CA", environment, now_s - DAY_S,
		now_s + (int64_t)CA_DAYS * DAY_S);

	add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
	add_extension(ca, ca, NID_subject_key_identifier, "hash");
	sign_certificate(ca, ca, key);
	return ca;
}

static X509 *make_leaf(const struct ca *ca, EVP_PKEY *key, const struct name_id *who,
	int64_t now_s, int64_t until_s)
{
	char uri[IDENTITY_URI_SIZE], san[IDENTITY_URI_SIZE + 4];
	int64_t from_s = now_s - SLACK_S;

	if (from_s > until_s - DAY_S)
		from_s = until_s - DAY_S;
	X509 *leaf = new_certificate(key, "chime", who->name, from_s, until_s);
	int rc = identity_uri_format(who, uri);
	assert(rc == 0);
	/* Names hold no comma and no colon, so the text can't become a second name. */
	snprintf(san, sizeof san, "URI:%s", uri);
	add_extension(leaf, ca->certificate, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(leaf, ca->certificate, NID_key_usage, "critical,digitalSignature");
	add_extension(leaf, ca->certificate, NID_ext_key_usage,
		who->role == ROLE_SERVER ? "serverAuth,clientAuth" : "clientAuth");
	add_extension(leaf, ca->certificate, NID_subject_alt_name, san);
	add_extension(leaf, ca->certificate, NID_authority_key_identifier, "keyid:always");
	sign_certificate(leaf, ca->certificate, ca->key);
	return leaf;
}

/* ---- ca init ---------------------------------------------------------------------------- */

static int write_bus_key(const char *dir, const struct report *r)
{
	char text[BUSKEY_TEXT_SIZE], path[PATH_SIZE];
	struct buskey key;

	int rc = join_path(dir, "bus.key", path, r);
	if (rc < 0)
		return rc;
	buskey_generate(&key);
	buskey_format(&key, text);
	rc = keyfile_write(path, "the file", true, KEYFILE_NEW, text, strlen(text), r->err,
		r->size);
	OPENSSL_cleanse(text, sizeof text);
	buskey_fini(&key);
	return rc;
}

int ca_init(const char *environment, const char *dir, char *err, size_t err_size)
{
	const struct report r = { err, err_size };
	char path[PATH_SIZE];

	if (!identity_environment_valid(environment)) {
		return refuse(&r, -EINVAL, "this can't be the name of an environment",
			"names are 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
			NULL);
	}
	int rc = join_path(dir, "bus.key", path, &r);
	if (rc == 0)
		rc = check_no_key(path, "give another --dir", &r);
	if (rc == 0)
		rc = join_path(dir, "ca.key", path, &r);
	if (rc == 0)
		rc = check_no_key(path, "give another --dir", &r);
	if (rc == 0)
		rc = make_directory(dir, &r);
	if (rc < 0)
		return rc;

	EVP_PKEY *key = EVP_EC_gen("P-256");
	assert(key);
	X509 *certificate = make_ca_certificate(key, environment, time(NULL));
	/* The key first: it is the one file that refuses to replace another. */
	rc = write_key(key, dir, "ca.key", &r);
	if (rc == 0)
		rc = write_certificate(certificate, dir, "ca.crt", &r);
	if (rc == 0)
		rc = write_bus_key(dir, &r);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return rc;
}

/* ---- ca issue --------------------------------------------------------------------------- */

static int refuse_ca(const struct report *r, const char *path, const char *why)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof text, "cannot use %s", path);
	return refuse(r, -EINVAL, text, why, "chime ca init --environment E --dir DIR");
}

static int no_password_cb(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

/* The two PEM files of a CA; unreadable content leaves the member NULL. */
static int read_ca(const char *dir, const char *file, bool secret, struct ca *ca,
	char path[PATH_SIZE], const struct report *r)
{
	char *text;
	size_t len;

	int rc = join_path(dir, file, path, r);
	if (rc == 0)
		rc = keyfile_read(path, "the file", secret, &text, &len, r->err, r->size);
	if (rc < 0)
		return rc;
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	assert(bio);
	if (secret)
		ca->key = PEM_read_bio_PrivateKey(bio, NULL, no_password_cb, NULL);
	else
		ca->certificate = PEM_read_bio_X509(bio, NULL, no_password_cb, NULL);
	BIO_free(bio);
	keyfile_free(text, len);
	return 0;
}

static int load_ca(const char *dir, struct ca *ca, const struct report *r)
{
	char path[PATH_SIZE];
	struct tm tm;

	int rc = read_ca(dir, "ca.crt", false, ca, path, r);
	if (rc < 0)
		return rc;
	if (!ca->certificate)
		return refuse_ca(r, path, "there is no readable certificate in it");
	X509_NAME *subject = X509_get_subject_name(ca->certificate);
	int len = X509_NAME_get_text_by_NID(subject, NID_commonName, ca->environment,
		sizeof ca->environment);
	if (len < 0 || strlen(ca->environment) != (size_t)len ||
		!identity_environment_valid(ca->environment))
		return refuse_ca(r, path, "its common name is not the name of an environment");
	if (!ASN1_TIME_to_tm(X509_get0_notAfter(ca->certificate), &tm))
		return refuse_ca(r, path, "its end is not a time");
	ca->until_s = timegm(&tm);

	rc = read_ca(dir, "ca.key", true, ca, path, r);
	if (rc < 0)
		return rc;
	if (!ca->key)
		return refuse_ca(r, path, "there is no readable private key in it");
	if (X509_check_private_key(ca->certificate, ca->key) != 1)
		return refuse_ca(r, path, "it does not belong to the ca.crt beside it");
	return 0;
}

static int check_wish(enum role role, const char *name, const struct report *r)
{
	if (role <= ROLE_NONE || role >= ROLE_COUNT) {
		return refuse(r, -EINVAL, "there is no such role",
			"roles are: viewer operator planner admin server", NULL);
	}
	if (!identity_name_valid(role, name)) {
		return refuse(r, -EINVAL, role == ROLE_SERVER ?
			"this can't be the name of a server" : "this can't be the name of a person",
			role == ROLE_SERVER ?
			"names are 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit" :
			"names are 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
			NULL);
	}
	return 0;
}

static int write_identity(const struct ca *ca, const char *dir, const char *out_dir,
	const struct name_id *who, int64_t now_s, int64_t until_s, const struct report *r)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	assert(key);
	X509 *leaf = make_leaf(ca, key, who, now_s, until_s);
	int rc = write_key(key, out_dir, "id.key", r);
	if (rc == 0)
		rc = write_certificate(leaf, out_dir, "id.crt", r);
	if (rc == 0)
		rc = copy_file(dir, out_dir, "ca.crt", false, r);
	if (rc == 0 && who->role == ROLE_SERVER)
		rc = copy_file(dir, out_dir, "bus.key", true, r);
	X509_free(leaf);
	EVP_PKEY_free(key);
	return rc;
}

int ca_issue(const char *dir, enum role role, const char *name, const char *out_dir,
	int64_t until_s, char *err, size_t err_size)
{
	const struct report r = { err, err_size };
	struct ca ca = { 0 };
	char path[PATH_SIZE];
	int64_t now_s = time(NULL);

	ERR_clear_error();
	int rc = check_wish(role, name, &r);
	if (rc == 0)
		rc = join_path(out_dir, "id.key", path, &r);
	if (rc == 0)
		rc = check_no_key(path, "give another --out, or move the old key away", &r);
	if (rc == 0)
		rc = load_ca(dir, &ca, &r);
	if (rc < 0)
		goto out;
	if (until_s == 0)
		until_s = now_s + (int64_t)CA_ISSUE_DAYS * DAY_S;
	/* Before 1950 and after 9999 X.509 has no times; the CA's end bounds the other side. */
	if (until_s > ca.until_s || until_s < DAY_S) {
		rc = refuse(&r, -EINVAL, "the certificate can't end then", until_s < DAY_S ?
			"it is before 1970-01-02" : "the CA's own certificate ends earlier", NULL);
		goto out;
	}
	rc = make_directory(out_dir, &r);
	if (rc < 0)
		goto out;
	struct name_id who = { .role = role };
	memcpy(who.environment, ca.environment, sizeof who.environment);
	snprintf(who.name, sizeof who.name, "%s", name);
	rc = write_identity(&ca, dir, out_dir, &who, now_s, until_s, &r);
out:
	X509_free(ca.certificate);
	EVP_PKEY_free(ca.key);
	return rc;
}
