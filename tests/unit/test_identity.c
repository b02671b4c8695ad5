/* Names, loading, and the one judge of certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>

#include "proto/digest.h"
#include "tests/unit/pki.h"

static struct pki pki;

static int set_up(void **state)
{
	(void)state;
	pki_init(&pki);
	pki_environment(&pki, "ca", "test");
	pki_environment(&pki, "ca2", "test");
	pki_issue(&pki, "ca", ROLE_SERVER, "alpha", "alpha", 0);
	pki_issue(&pki, "ca", ROLE_OPERATOR, "alice", "alice", 0);
	pki_issue(&pki, "ca", ROLE_OPERATOR, "alice", "odd", 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_fini(&pki);
	return 0;
}

static void test_roles(void **state)
{
	(void)state;
	for (enum role role = ROLE_VIEWER; role < ROLE_COUNT; role++)
		assert_int_equal(role_parse(role_name(role)), role);
	assert_int_equal(role_parse("none"), ROLE_NONE);
	assert_int_equal(role_parse("Admin"), ROLE_NONE);
	assert_int_equal(role_parse(""), ROLE_NONE);
	assert_string_equal(role_name((enum role)77), "none");
	assert_true(ROLE_VIEWER < ROLE_OPERATOR && ROLE_OPERATOR < ROLE_PLANNER &&
		ROLE_PLANNER < ROLE_ADMIN);
}

#define LETTERS_63 "a23456789012345678901234567890123456789012345678901234567890123"

static void test_uri(void **state)
{
	static const struct { const char *uri; bool good; } t[] = {
		{ "chime://test/server/alpha", true },
		{ "chime://PROD-2.x_y/admin/Alice.B", true },
		{ "chime://" LETTERS_63 "/operator/" LETTERS_63, true },
		{ "chime://" LETTERS_63 "4/operator/alice", false },
		{ "chime://test/operator/" LETTERS_63 "4", false },
		{ "chime://test/server/Alpha", false },
		{ "chime://test/server/", false },
		{ "chime://test/server", false },
		{ "chime://test", false },
		{ "chime:///server/alpha", false },
		{ "chime://test//alpha", false },
		{ "chime://test/none/alpha", false },
		{ "chime://test/root/alpha", false },
		{ "chime://test/server/alpha/", false },
		{ "chime://test/server/alpha/beta", false },
		{ "chime://test/server/al pha", false },
		{ "chime://test/server/alpha?x", false },
		{ "chime://te:st/server/alpha", false },
		{ "chime://.test/server/alpha", false },
		{ "chime://test/server/-alpha", false },
		{ "chime://test/operator/al%41", false },
		{ "CHIME://test/server/alpha", false },
		{ "https://test/server/alpha", false },
		{ "", false },
	};
	struct name_id who;
	char uri[IDENTITY_URI_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		bool good = identity_uri_parse(t[i].uri, strlen(t[i].uri), &who);
		if (good != t[i].good)
			fail_msg("%s", t[i].uri);
		if (!good) {
			assert_int_equal(who.role, ROLE_NONE);
			continue;
		}
		assert_int_equal(identity_uri_format(&who, uri), 0);
		assert_string_equal(uri, t[i].uri);
	}
	assert_false(identity_uri_parse("chime://test/server/al\0ha", 25, &who));
	assert_false(identity_uri_parse("chime://test/server/alpha\0", 26, &who));
	assert_true(identity_uri_parse("chime://test/server/alphaXXX", 25, &who));
	assert_string_equal(who.environment, "test");
	assert_int_equal(who.role, ROLE_SERVER);
	assert_string_equal(who.name, "alpha");
	who.role = ROLE_NONE;
	assert_int_equal(identity_uri_format(&who, uri), -EINVAL);
	assert_string_equal(uri, "");
}

static void test_load(void **state)
{
	struct identity *id = pki_load(&pki, "ca", "alpha");
	const struct name_id *me = identity_name(id);
	char why[IDENTITY_WHY_SIZE];
	int64_t now_s = time(NULL);
	size_t len;

	(void)state;
	assert_string_equal(me->environment, "test");
	assert_int_equal(me->role, ROLE_SERVER);
	assert_string_equal(me->name, "alpha");
	assert_non_null(identity_der(id, &len));
	assert_in_range(len, 300, 1000);
	assert_in_range(identity_until_s(id), now_s + 89 * PKI_DAY_S, now_s + 90 * PKI_DAY_S);
	assert_int_equal(identity_check_self(id, now_s, why, sizeof why), IDENTITY_OK);
	assert_string_equal(why, "");
	identity_free(id);
}

/* environment id = first 16 bytes of SHA-256(SubjectPublicKeyInfo) of the first CA. */
static void test_environment_id(void **state)
{
	struct identity *id = pki_load(&pki, "ca", "alpha");
	struct identity *person = pki_load(&pki, "ca", "alice");
	struct identity *other = pki_load(&pki, "ca2", "alice");
	unsigned char *spki = NULL;
	struct digest d;
	FILE *f = pki_open(&pki, "ca", "ca.crt", "r");
	X509 *ca = PEM_read_X509(f, NULL, NULL, NULL);

	(void)state;
	fclose(f);
	int len = i2d_PUBKEY(X509_get0_pubkey(ca), &spki);
	digest_of(spki, (size_t)len, &d);
	assert_memory_equal(identity_environment_id(id), d.b, ENVIRONMENT_ID_SIZE);
	assert_memory_equal(identity_environment_id(person), d.b, ENVIRONMENT_ID_SIZE);
	assert_memory_not_equal(identity_environment_id(other), d.b, ENVIRONMENT_ID_SIZE);
	OPENSSL_free(spki);
	X509_free(ca);
	identity_free(id);
	identity_free(person);
	identity_free(other);
}

/* A file with two CAs trusts both and takes its id from the first. */
static void test_two_cas(void **state)
{
	char command_path[256], both[4096];
	struct name_id who;
	char why[IDENTITY_WHY_SIZE];
	size_t n, len;

	(void)state;
	FILE *f = pki_open(&pki, "ca2", "ca.crt", "r");
	n = fread(both, 1, sizeof both, f);
	fclose(f);
	f = pki_open(&pki, "ca", "ca.crt", "r");
	n += fread(both + n, 1, sizeof both - n, f);
	fclose(f);
	mkdir(pki_path(&pki, "both", "", command_path), 0700);
	f = pki_open(&pki, "both", "ca.crt", "w");
	fwrite(both, 1, n, f);
	fclose(f);

	struct identity *id = pki_load(&pki, "both", "alice");
	struct identity *second = pki_load(&pki, "ca2", "alice");
	struct identity *alpha = pki_load(&pki, "ca", "alpha");
	assert_memory_equal(identity_environment_id(id), identity_environment_id(second),
		ENVIRONMENT_ID_SIZE);
	const uint8_t *der = identity_der(alpha, &len);
	assert_int_equal(identity_judge(id, der, len, time(NULL), &who, why, sizeof why),
		IDENTITY_OK);
	identity_free(id);
	identity_free(second);
	identity_free(alpha);

	/* Damage in the second one is not passed over in silence. */
	both[n - 100] = '*';
	f = pki_open(&pki, "both", "ca.crt", "w");
	fwrite(both, 1, n, f);
	fclose(f);
	char paths[3][256], err[KEYFILE_ERR_SIZE];
	assert_int_equal(identity_load(pki_path(&pki, "both", "ca.crt", paths[0]),
		pki_path(&pki, "alice", "id.crt", paths[1]),
		pki_path(&pki, "alice", "id.key", paths[2]), &id, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "one of its certificates is damaged"));
}

static void check_load_fails(const char *ca, const char *crt, const char *key, const char *line,
	const char *why)
{
	char paths[3][256], err[KEYFILE_ERR_SIZE] = "", first[512];
	struct identity *id = NULL;

	assert_true(identity_load(pki_path(&pki, "", ca, paths[0]),
		pki_path(&pki, "", crt, paths[1]), pki_path(&pki, "", key, paths[2]), &id, err,
		sizeof err) < 0);
	assert_null(id);
	snprintf(first, sizeof first, line, pki.dir);
	if (strncmp(err, first, strlen(first)) != 0 || !strstr(err, why))
		fail_msg("unexpected: %s", err);
}

static void test_load_refuses(void **state)
{
	char path[256];

	(void)state;
	check_load_fails("none/ca.crt", "alice/id.crt", "alice/id.key",
		"cannot read the CA file %s//none/ca.crt\n", "No such file");
	check_load_fails("ca/bus.key", "alice/id.crt", "alice/id.key",
		"cannot use the CA file %s//ca/bus.key\n", "there is no certificate in it");
	check_load_fails("ca/ca.crt", "alice/id.key", "alice/id.key",
		"cannot use the certificate %s//alice/id.key\n", "no readable certificate");
	check_load_fails("ca/ca.crt", "ca/ca.crt", "alice/id.key",
		"cannot use the certificate %s//ca/ca.crt\n", "carries no chime:// name");
	check_load_fails("ca/ca.crt", "alice/id.crt", "alpha/id.key",
		"cannot use the key %s//alpha/id.key\n", "does not belong to the certificate");
	check_load_fails("ca/ca.crt", "alice/id.crt", "alice/id.crt",
		"cannot use the key %s//alice/id.crt\n", "its mode is 0644, wider than 0600");
	pki_path(&pki, "alice", "id.key", path);
	assert_int_equal(chmod(path, 0640), 0);
	check_load_fails("ca/ca.crt", "alice/id.crt", "alice/id.key",
		"cannot use the key %s//alice/id.key\n", "its mode is 0640, wider than 0600\n"
		"try:   chmod 600 ");
	assert_int_equal(chmod(path, 0600), 0);
	check_load_fails("ca/ca.crt", "alice/id.crt", "ca/bus.key",
		"cannot use the key %s//ca/bus.key\n", "no readable private key");
}

/* Who judges and has no identity of its own. */
static void test_authority(void **state)
{
	struct identity *authority = NULL, *stranger, *alpha = pki_load(&pki, "ca", "alpha");
	char path[256], err[KEYFILE_ERR_SIZE] = "", why[IDENTITY_WHY_SIZE];
	uint8_t id[ENVIRONMENT_ID_SIZE];
	struct name_id who;
	size_t len;

	(void)state;
	pki_issue(&pki, "ca2", ROLE_SERVER, "bravo", "bravo", 0);
	assert_int_equal(identity_load_authority(pki_path(&pki, "ca", "ca.crt", path), &authority,
		err, sizeof err), 0);
	assert_int_equal(identity_load_environment(path, id, err, sizeof err), 0);
	assert_memory_equal(identity_environment_id(authority), id, sizeof id);
	assert_memory_equal(identity_environment_id(alpha), id, sizeof id);
	const uint8_t *der = identity_der(alpha, &len);
	assert_int_equal(identity_judge(authority, der, len, time(NULL), &who, why, sizeof why),
		IDENTITY_OK);
	assert_string_equal(who.name, "alpha");
	assert_int_equal(who.role, ROLE_SERVER);
	assert_int_equal(identity_judge(authority, der, len, time(NULL) + 91 * PKI_DAY_S, &who,
		why, sizeof why), IDENTITY_EXPIRED);
	stranger = pki_load(&pki, "ca2", "bravo");
	der = identity_der(stranger, &len);
	assert_int_equal(identity_judge(authority, der, len, time(NULL), &who, why, sizeof why),
		IDENTITY_OTHER_CA);
	identity_free(stranger);
	identity_free(alpha);
	/* What the CA signed for is its own, whatever it is called; names stay names. */
	pki_forge(&pki, "ca", "odd", (struct pki_wish){ .uses = "clientAuth, serverAuth",
		.alt_names = "URI:chime://elsewhere/server/delta" });
	uint8_t odd[IDENTITY_DER_MAX];
	pki_path(&pki, "odd", "id.crt", path);
	assert_int_equal(identity_load_other(path, odd, &len, &who, err, sizeof err), 0);
	assert_int_equal(identity_judge(authority, odd, len, time(NULL), &who, why, sizeof why),
		IDENTITY_OK);
	assert_string_equal(who.environment, "elsewhere");
	pki_forge(&pki, "ca", "odd", (struct pki_wish){ .uses = "clientAuth",
		.alt_names = "URI:chime://test/server/delta" });
	assert_int_equal(identity_load_other(path, odd, &len, &who, err, sizeof err), 0);
	assert_int_equal(identity_judge(authority, odd, len, time(NULL), &who, why, sizeof why),
		IDENTITY_WRONG_USE);
	identity_free(authority);
}

static void test_authority_refuses(void **state)
{
	static const struct { const char *sub, *file, *line, *why; } t[] = {
		{ "none", "ca.crt", "cannot read the CA file ", "No such file" },
		{ "ca", "bus.key", "cannot use the CA file ", "there is no certificate in it" },
	};
	char path[256], err[KEYFILE_ERR_SIZE];
	uint8_t id[ENVIRONMENT_ID_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct identity *authority = NULL;

		pki_path(&pki, t[i].sub, t[i].file, path);
		assert_true(identity_load_authority(path, &authority, err, sizeof err) < 0);
		assert_null(authority);
		if (strncmp(err, t[i].line, strlen(t[i].line)) != 0 || !strstr(err, t[i].why))
			fail_msg("unexpected: %s", err);
		assert_true(identity_load_environment(path, id, err, sizeof err) < 0);
	}
}

/* A certificate of another: read and named, and not judged. */
static void test_other(void **state)
{
	struct identity *alpha = pki_load(&pki, "ca", "alpha");
	char path[256], err[KEYFILE_ERR_SIZE] = "";
	uint8_t der[IDENTITY_DER_MAX];
	struct name_id who;
	size_t len = 0, own_len;
	const uint8_t *own = identity_der(alpha, &own_len);

	(void)state;
	assert_int_equal(identity_load_other(pki_path(&pki, "alpha", "id.crt", path), der, &len,
		&who, err, sizeof err), 0);
	assert_int_equal(len, own_len);
	assert_memory_equal(der, own, len);
	assert_string_equal(who.environment, "test");
	assert_int_equal(who.role, ROLE_SERVER);
	assert_string_equal(who.name, "alpha");
	identity_free(alpha);
	pki_forge(&pki, "ca2", "odd", (struct pki_wish){ .from_s = time(NULL) - 9 * PKI_DAY_S,
		.until_s = time(NULL) - PKI_DAY_S });
	assert_int_equal(identity_load_other(pki_path(&pki, "odd", "id.crt", path), der, &len,
		&who, err, sizeof err), 0);
	assert_string_equal(who.name, "alice");
	assert_int_equal(identity_load_other(pki_path(&pki, "ca", "ca.crt", path), der, &len,
		&who, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "carries no chime:// name"));
	assert_int_equal(identity_load_other(pki_path(&pki, "alice", "id.key", path), der, &len,
		&who, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "no readable certificate"));
	assert_true(identity_load_other(pki_path(&pki, "none", "id.crt", path), der, &len, &who,
		err, sizeof err) < 0);
	assert_non_null(strstr(err, "cannot read the certificate"));
}

/* What alpha says of the certificate in "odd" at the instant. */
static enum identity_verdict judge_odd(const char *ca, int64_t now_s, char *why)
{
	struct identity *judge = pki_load(&pki, ca, "alpha");
	struct name_id who;
	unsigned char *der = NULL;
	FILE *f = pki_open(&pki, "odd", "id.crt", "r");
	X509 *certificate = PEM_read_X509(f, NULL, NULL, NULL);

	fclose(f);
	int len = i2d_X509(certificate, &der);
	enum identity_verdict verdict = identity_judge(judge, der, (size_t)len, now_s, &who, why,
		IDENTITY_WHY_SIZE);
	assert_int_equal(who.role == ROLE_NONE, verdict != IDENTITY_OK);
	OPENSSL_free(der);
	X509_free(certificate);
	identity_free(judge);
	return verdict;
}

static void check_odd(struct pki_wish wish, enum identity_verdict expected, const char *text)
{
	char why[IDENTITY_WHY_SIZE];

	pki_forge(&pki, "ca", "odd", wish);
	enum identity_verdict verdict = judge_odd("ca", time(NULL), why);
	if (verdict != expected || strcmp(why, text) != 0)
		fail_msg("%s: %s, expected: %s", identity_verdict_name(verdict), why, text);
}

static void test_judge(void **state)
{
	(void)state;
	check_odd((struct pki_wish){ 0 }, IDENTITY_OK, "");
	check_odd((struct pki_wish){ .alt_names = "DNS:x,URI:chime://test/operator/alice" },
		IDENTITY_OK, "");
	check_odd((struct pki_wish){ .alt_names = "" }, IDENTITY_BAD_NAME,
		"its certificate has a bad name: it carries no chime:// name");
	check_odd((struct pki_wish){ .alt_names = "DNS:chime.example" }, IDENTITY_BAD_NAME,
		"its certificate has a bad name: it carries no chime:// name");
	check_odd((struct pki_wish){ .alt_names =
		"URI:chime://test/operator/alice,URI:chime://test/admin/alice" }, IDENTITY_BAD_NAME,
		"its certificate has a bad name: it carries more than one URI");
	check_odd((struct pki_wish){ .alt_names =
		"URI:chime://test/operator/alice,URI:https://x.example" }, IDENTITY_BAD_NAME,
		"its certificate has a bad name: it carries more than one URI");
	check_odd((struct pki_wish){ .odd_uri = "chime://test/admin/al\0ice",
		.odd_uri_len = 25 }, IDENTITY_BAD_NAME, "its certificate has a bad name: "
		"its URI is not of the form chime://ENVIRONMENT/ROLE/NAME");
	check_odd((struct pki_wish){ .alt_names = "URI:chime://prod/operator/alice" },
		IDENTITY_OTHER_ENVIRONMENT,
		"its certificate is for environment prod, this is test");
	check_odd((struct pki_wish){ .uses = "" }, IDENTITY_WRONG_USE,
		"its certificate is not made for use as a client (extended key usage)");
	check_odd((struct pki_wish){ .uses = "serverAuth" }, IDENTITY_WRONG_USE,
		"its certificate is not made for use as a client (extended key usage)");
	check_odd((struct pki_wish){ .alt_names = "URI:chime://test/server/bravo" },
		IDENTITY_WRONG_USE,
		"its certificate is not made for use as a server (extended key usage)");
	check_odd((struct pki_wish){ .alt_names = "URI:chime://test/server/bravo",
		.uses = "serverAuth,clientAuth" }, IDENTITY_OK, "");
	check_odd((struct pki_wish){ .group = "P-384" }, IDENTITY_WRONG_KEY,
		"its key is not EC P-256");
}

static void test_judge_times(void **state)
{
	const int64_t from_s = 2000000000, until_s = 2000100000;	/* of the year 2033 */
	char why[IDENTITY_WHY_SIZE];

	(void)state;
	pki_forge(&pki, "ca", "odd", (struct pki_wish){ .from_s = from_s, .until_s = until_s });
	assert_int_equal(judge_odd("ca", from_s + 1, why), IDENTITY_OK);
	assert_int_equal(judge_odd("ca", until_s - 1, why), IDENTITY_OK);
	assert_int_equal(judge_odd("ca", from_s - 1, why), IDENTITY_NOT_YET);
	assert_string_equal(why, "its certificate is not valid before 2033-05-18T03:33:20Z");
	assert_int_equal(judge_odd("ca", until_s + 1, why), IDENTITY_EXPIRED);
	assert_string_equal(why, "its certificate expired at 2033-05-19T07:20:00Z");
	assert_int_equal(judge_odd("ca", until_s + 10LL * 366 * PKI_DAY_S, why),
		IDENTITY_EXPIRED);
	assert_string_equal(why, "the CA's own certificate is expired");
}

static void test_judge_other_ca(void **state)
{
	char why[IDENTITY_WHY_SIZE];

	(void)state;
	pki_forge(&pki, "ca2", "odd", (struct pki_wish){ 0 });
	assert_int_equal(judge_odd("ca", time(NULL), why), IDENTITY_OTHER_CA);
	assert_string_equal(why, "its certificate was signed by another CA");
	assert_int_equal(judge_odd("ca2", time(NULL), why), IDENTITY_OK);
}

/* A certificate issued by somebody's leaf must not pass. */
static void test_judge_leaf_as_ca(void **state)
{
	char why[IDENTITY_WHY_SIZE], from[256], to[256];

	(void)state;
	mkdir(pki_path(&pki, "mallory", "", to), 0700);
	assert_int_equal(symlink(pki_path(&pki, "alice", "id.crt", from),
		pki_path(&pki, "mallory", "ca.crt", to)), 0);
	assert_int_equal(symlink(pki_path(&pki, "alice", "id.key", from),
		pki_path(&pki, "mallory", "ca.key", to)), 0);
	pki_forge(&pki, "mallory", "odd", (struct pki_wish){
		.alt_names = "URI:chime://test/admin/mallory" });
	assert_int_equal(judge_odd("ca", time(NULL), why), IDENTITY_OTHER_CA);
}

/* No changed or cut certificate passes, and none makes the judge stumble. */
static void test_judge_changes(void **state)
{
	struct identity *judge = pki_load(&pki, "ca", "alpha");
	struct identity *alice = pki_load(&pki, "ca", "alice");
	struct name_id who;
	char why[IDENTITY_WHY_SIZE];
	int64_t now_s = time(NULL);
	size_t len;
	const uint8_t *der = identity_der(alice, &len);

	(void)state;
	assert_int_equal(identity_judge(judge, der, len, now_s, &who, why, sizeof why),
		IDENTITY_OK);
	assert_string_equal(who.name, "alice");
	for (size_t i = 0; i < len; i++) {
		uint8_t *copy = malloc(len);
		memcpy(copy, der, len);
		copy[i] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(identity_judge(judge, copy, len, now_s, &who, why,
			sizeof why), IDENTITY_OK);
		assert_true(why[0] != '\0');
		struct pubkey *key = pubkey_of_certificate(copy, len);
		pubkey_free(key);
		free(copy);
	}
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		memcpy(copy, der, n);
		assert_int_equal(identity_judge(judge, copy, n, now_s, &who, why, sizeof why),
			IDENTITY_MALFORMED);
		assert_string_equal(why, "it gave no readable certificate");
		free(copy);
	}
	uint8_t *longer = calloc(1, IDENTITY_DER_MAX + 1);
	memcpy(longer, der, len);
	assert_int_equal(identity_judge(judge, longer, len + 1, now_s, &who, why, sizeof why),
		IDENTITY_MALFORMED);
	assert_int_equal(identity_judge(judge, longer, IDENTITY_DER_MAX + 1, now_s, &who, why,
		sizeof why), IDENTITY_MALFORMED);
	free(longer);
	identity_free(judge);
	identity_free(alice);
}

static void test_sign_and_verify(void **state)
{
	struct identity *alpha = pki_load(&pki, "ca", "alpha");
	size_t len;
	const uint8_t *der = identity_der(alpha, &len);
	struct pubkey *pub = pubkey_of_certificate(der, len);
	uint8_t signature[SIGKEY_SIGNATURE_SIZE];

	(void)state;
	assert_non_null(pub);
	assert_int_equal(sigkey_sign(identity_key(alpha), "p", 2, "message", 7, signature), 0);
	assert_true(pubkey_verify(pub, "p", 2, "message", 7, signature));
	assert_false(pubkey_verify(pub, "q", 2, "message", 7, signature));
	assert_false(pubkey_verify(pub, "p", 2, "messag", 6, signature));
	pubkey_free(pub);
	identity_free(alpha);
}

static void test_names(void **state)
{
	(void)state;
	for (int v = 0; v < IDENTITY_VERDICT_COUNT; v++)
		assert_true(strlen(identity_verdict_name((enum identity_verdict)v)) > 1);
	assert_string_equal(identity_verdict_name((enum identity_verdict)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_uri),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_environment_id),
		cmocka_unit_test(test_two_cas),
		cmocka_unit_test(test_load_refuses),
		cmocka_unit_test(test_authority),
		cmocka_unit_test(test_authority_refuses),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_judge_times),
		cmocka_unit_test(test_judge_other_ca),
		cmocka_unit_test(test_judge_leaf_as_ca),
		cmocka_unit_test(test_judge_changes),
		cmocka_unit_test(test_sign_and_verify),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
