/*
 * fuzz_certificate.c - a certificate of anybody's bytes: judged, never taken unless the CA of this
 * run signed it, which no fuzzer manages; the one that it did sign is the only exception.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/ca.h"
#include "proto/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct identity *identity;
static int64_t now_s;

static void end_fuzz(void)
{
	identity_free(identity);
}

static void remove_files(const char *folder, const char *const *names, size_t count)
{
	char path[160];

	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const names[] = { "ca.crt", "ca.key", "bus.key", "id.crt", "id.key" };
	char folder[64] = "/tmp/chime-fuzz-XXXXXX", out[80], ca[96], crt[96], key[96];
	char err[1024];

	(void)argc;
	(void)argv;
	assert(mkdtemp(folder));
	snprintf(out, sizeof(out), "%s/id", folder);
	snprintf(ca, sizeof(ca), "%s/ca.crt", folder);
	snprintf(crt, sizeof(crt), "%s/id.crt", out);
	snprintf(key, sizeof(key), "%s/id.key", out);
	assert(ca_init("test", folder, err, sizeof(err)) == 0);
	assert(ca_issue(folder, ROLE_SERVER, "alpha", out, 0, err, sizeof(err)) == 0);
	assert(identity_load(ca, crt, key, &identity, err, sizeof(err)) == 0);
	now_s = (int64_t)time(NULL);
	assert(identity_check_self(identity, now_s, err, sizeof(err)) == IDENTITY_OK);
	remove_files(out, names, sizeof(names) / sizeof(*names));
	remove_files(folder, names, sizeof(names) / sizeof(*names));
	atexit(end_fuzz);
	return 0;
}

static void check_uri(const uint8_t *data, size_t size)
{
	char text[IDENTITY_URI_SIZE];
	struct name_id who;

	if (!identity_uri_parse((const char *)data, size, &who))
		return;
	assert(identity_uri_format(&who, text) == 0);
	assert(strlen(text) == size && memcmp(text, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum identity_verdict verdict;
	struct name_id who;
	char why[IDENTITY_WHY_SIZE];
	struct pubkey *key;
	const uint8_t *own;
	size_t own_len;

	own = identity_der(identity, &own_len);
	verdict = identity_judge(identity, data, size, now_s, &who, why, sizeof(why));
	if (verdict == IDENTITY_OK)
		assert(size == own_len && memcmp(data, own, size) == 0);
	else
		assert(why[0] && who.role == ROLE_NONE && !who.name[0]);
	key = pubkey_of_certificate(data, size);
	pubkey_free(key);
	check_uri(data, size);
	return 0;
}
