/* What ca init and ca issue leave on the disk, and what they refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>

#include "proto/buskey.h"
#include "tests/unit/pki.h"

static unsigned mode_of(const struct pki *pki, const char *sub, const char *file)
{
	char path[256];
	struct stat st;

	if (stat(pki_path(pki, sub, file, path), &st) < 0)
		return 0;
	return st.st_mode & 07777;
}

static X509 *read_certificate(const struct pki *pki, const char *sub, const char *file)
{
	FILE *f = pki_open(pki, sub, file, "r");
	X509 *certificate = PEM_read_X509(f, NULL, NULL, NULL);

	fclose(f);
	assert_non_null(certificate);
	return certificate;
}

static void test_init(void **state)
{
	struct pki pki;
	char path[256], err[KEYFILE_ERR_SIZE];
	struct buskey key;

	(void)state;
	pki_init(&pki);
	pki_environment(&pki, "ca", "test");
	assert_int_equal(mode_of(&pki, "ca", ""), 0700);
	assert_int_equal(mode_of(&pki, "ca", "ca.key"), 0600);
	assert_int_equal(mode_of(&pki, "ca", "bus.key"), 0600);
	assert_int_equal(mode_of(&pki, "ca", "ca.crt"), 0644);
	assert_int_equal(buskey_load(pki_path(&pki, "ca", "bus.key", path), &key, err, sizeof err),
		0);
	buskey_fini(&key);
	X509 *ca = read_certificate(&pki, "ca", "ca.crt");
	assert_int_equal(X509_check_ca(ca), 1);
	assert_int_equal(X509_get_pathlen(ca), 0);
	X509_free(ca);
	pki_fini(&pki);
}

static void test_init_refuses(void **state)
{
	struct pki pki;
	char dir[256], err[KEYFILE_ERR_SIZE], before[4096], after[4096], expected[512];

	(void)state;
	pki_init(&pki);
	pki_path(&pki, "ca", "", dir);
	assert_int_equal(ca_init("", dir, err, sizeof err), -EINVAL);
	assert_int_equal(ca_init("a/b", dir, err, sizeof err), -EINVAL);
	assert_int_equal(ca_init("-x", dir, err, sizeof err), -EINVAL);
	assert_int_equal(mode_of(&pki, "ca", ""), 0);
	pki_environment(&pki, "ca", "test");

	FILE *f = pki_open(&pki, "ca", "ca.key", "r");
	size_t n = fread(before, 1, sizeof before, f);
	fclose(f);
	char path[256];
	assert_int_equal(unlink(pki_path(&pki, "ca", "bus.key", path)), 0);
	assert_int_equal(ca_init("test", dir, err, sizeof err), -EEXIST);
	snprintf(expected, sizeof expected, "there is a key already: %s/ca.key\n"
		"why:   keys are never overwritten; nothing was written\n"
		"try:   give another --dir", dir);
	assert_string_equal(err, expected);
	f = pki_open(&pki, "ca", "ca.key", "r");
	assert_int_equal(fread(after, 1, sizeof after, f), n);
	fclose(f);
	assert_memory_equal(before, after, n);
	assert_int_equal(mode_of(&pki, "ca", "bus.key"), 0);

	assert_int_equal(ca_init("test", pki_path(&pki, "no/such", "", dir), err, sizeof err),
		-ENOENT);
	assert_non_null(strstr(err, "cannot make the directory"));
	pki_fini(&pki);
}

static void test_issue(void **state)
{
	struct pki pki;

	(void)state;
	pki_init(&pki);
	pki_environment(&pki, "ca", "test");
	pki_issue(&pki, "ca", ROLE_SERVER, "alpha", "alpha", 0);
	pki_issue(&pki, "ca", ROLE_ADMIN, "Alice", "alice", 0);
	assert_int_equal(mode_of(&pki, "alpha", ""), 0700);
	assert_int_equal(mode_of(&pki, "alpha", "id.key"), 0600);
	assert_int_equal(mode_of(&pki, "alpha", "bus.key"), 0600);
	assert_int_equal(mode_of(&pki, "alpha", "ca.key"), 0);
	assert_int_equal(mode_of(&pki, "alice", "id.key"), 0600);
	assert_int_equal(mode_of(&pki, "alice", "bus.key"), 0);

	X509 *server = read_certificate(&pki, "alpha", "id.crt");
	X509 *person = read_certificate(&pki, "alice", "id.crt");
	assert_int_equal(X509_get_extended_key_usage(server), XKU_SSL_SERVER | XKU_SSL_CLIENT);
	assert_int_equal(X509_get_extended_key_usage(person), XKU_SSL_CLIENT);
	assert_int_equal(X509_check_ca(server), 0);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(server),
		X509_get0_serialNumber(person)), 0);
	X509_free(server);
	X509_free(person);

	struct identity *id = pki_load(&pki, "ca", "alice");
	assert_int_equal(identity_name(id)->role, ROLE_ADMIN);
	assert_string_equal(identity_name(id)->name, "Alice");
	identity_free(id);
	pki_fini(&pki);
}

/* The CA's own subject must not meet that of somebody it issues for. */
static void test_issue_name_of_environment(void **state)
{
	struct pki pki;
	char why[IDENTITY_WHY_SIZE];

	(void)state;
	pki_init(&pki);
	pki_environment(&pki, "ca", "test");
	pki_issue(&pki, "ca", ROLE_OPERATOR, "test", "test", 0);
	struct identity *id = pki_load(&pki, "ca", "test");
	assert_int_equal(identity_check_self(id, time(NULL), why, sizeof why), IDENTITY_OK);
	identity_free(id);
	pki_fini(&pki);
}

static void test_issue_until(void **state)
{
	struct pki pki;
	const int64_t now_s = time(NULL), past_s = 1577836800;	/* 2020-01-01 */
	char why[IDENTITY_WHY_SIZE];

	(void)state;
	pki_init(&pki);
	pki_environment(&pki, "ca", "test");
	pki_issue(&pki, "ca", ROLE_OPERATOR, "late", "late", past_s);
	struct identity *id = pki_load(&pki, "ca", "late");
	assert_int_equal(identity_until_s(id), past_s);
	assert_int_equal(identity_check_self(id, now_s, why, sizeof why), IDENTITY_EXPIRED);
	assert_string_equal(why, "its certificate expired at 2020-01-01T00:00:00Z");
	assert_int_equal(identity_check_self(id, past_s - 1, why, sizeof why), IDENTITY_NOT_YET);
	assert_string_equal(why, "the CA's own certificate is not valid yet");
	X509 *late = read_certificate(&pki, "late", "id.crt");
	time_t begin = past_s - PKI_DAY_S;
	assert_int_equal(ASN1_TIME_cmp_time_t(X509_get0_notBefore(late), begin), 0);
	X509_free(late);
	identity_free(id);

	pki_issue(&pki, "ca", ROLE_OPERATOR, "soon", "soon", now_s + 3600);
	id = pki_load(&pki, "ca", "soon");
	assert_int_equal(identity_check_self(id, now_s, why, sizeof why), IDENTITY_OK);
	assert_int_equal(identity_check_self(id, now_s + 3601, why, sizeof why),
		IDENTITY_EXPIRED);
	identity_free(id);

	char dir[256], out[256], err[KEYFILE_ERR_SIZE];
	pki_path(&pki, "ca", "", dir);
	pki_path(&pki, "x", "", out);
	assert_int_equal(ca_issue(dir, ROLE_VIEWER, "x", out, now_s + 11LL * 366 * PKI_DAY_S, err,
		sizeof err), -EINVAL);
	assert_non_null(strstr(err, "the CA's own certificate ends earlier"));
	assert_int_equal(ca_issue(dir, ROLE_VIEWER, "x", out, -1, err, sizeof err), -EINVAL);
	assert_int_equal(mode_of(&pki, "x", ""), 0);
	pki_fini(&pki);
}

static void test_issue_refuses(void **state)
{
	struct pki pki;
	char dir[256], out[256], path[256], err[KEYFILE_ERR_SIZE], expected[512];

	(void)state;
	pki_init(&pki);
	pki_environment(&pki, "ca", "test");
	pki_environment(&pki, "ca2", "test");
	pki_path(&pki, "ca", "", dir);
	pki_path(&pki, "alpha", "", out);
	assert_int_equal(ca_issue(dir, ROLE_SERVER, "Alpha", out, 0, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "this can't be the name of a server"));
	assert_int_equal(ca_issue(dir, ROLE_VIEWER, "a,URI:x", out, 0, err, sizeof err), -EINVAL);
	assert_int_equal(ca_issue(dir, ROLE_VIEWER, "", out, 0, err, sizeof err), -EINVAL);
	assert_int_equal(ca_issue(dir, ROLE_NONE, "alpha", out, 0, err, sizeof err), -EINVAL);
	assert_int_equal(mode_of(&pki, "alpha", ""), 0);

	pki_issue(&pki, "ca", ROLE_SERVER, "alpha", "alpha", 0);
	assert_int_equal(ca_issue(dir, ROLE_SERVER, "alpha", out, 0, err, sizeof err), -EEXIST);
	snprintf(expected, sizeof expected, "there is a key already: %s/id.key\n"
		"why:   keys are never overwritten; nothing was written\n"
		"try:   give another --out, or move the old key away", out);
	assert_string_equal(err, expected);

	pki_path(&pki, "ca", "ca.key", path);
	pki_path(&pki, "x", "", out);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(ca_issue(dir, ROLE_VIEWER, "x", out, 0, err, sizeof err), -EPERM);
	assert_non_null(strstr(err, "wider than 0600"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ca_issue(dir, ROLE_VIEWER, "x", out, 0, err, sizeof err), -ENOENT);
	char other[256];
	assert_int_equal(rename(pki_path(&pki, "ca2", "ca.key", other), path), 0);
	assert_int_equal(ca_issue(dir, ROLE_VIEWER, "x", out, 0, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "does not belong to the ca.crt beside it"));
	pki_fini(&pki);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_init_refuses),
		cmocka_unit_test(test_issue),
		cmocka_unit_test(test_issue_name_of_environment),
		cmocka_unit_test(test_issue_until),
		cmocka_unit_test(test_issue_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
