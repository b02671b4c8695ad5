/*
 * fuzz_spool.c - the files of a run directory as a power cut or a curious hand left them: spec, the
 * two blocks of record, and the directory's own name.
 *
 * The first byte chooses what, the rest is its content.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct {
	char folder[64];
	int dir;
} fuzz;

static void end_fuzz(void)
{
	unlinkat(fuzz.dir, "record", 0);
	close(fuzz.dir);
	rmdir(fuzz.folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	snprintf(fuzz.folder, sizeof(fuzz.folder), "%s/chime-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert(mkdtemp(fuzz.folder));
	fuzz.dir = open(fuzz.folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert(fuzz.dir >= 0);
	atexit(end_fuzz);
	return 0;
}

/* Zeros up to `offset`, then the data, and no more. */
static void write_record(off_t offset, const uint8_t *data, size_t size)
{
	int fd = openat(fuzz.dir, "record", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	assert(fd >= 0);
	n = pwrite(fd, data, size, offset);
	assert(n == (ssize_t)size);
	close(fd);
}

static void check_spec(const uint8_t *data, size_t size)
{
	struct spool_spec spec, again;
	struct attempt_report report;
	char *text;
	size_t len;

	if (spool_spec_decode((const char *)data, size, &spec) < 0)
		return;
	spool_report_init(&report, &spec);
	assert(spool_spec_encode(&spec, &text, &len) == 0);
	assert(spool_spec_decode(text, len, &again) == 0);
	assert(memcmp(&spec.id, &again.id, sizeof(spec.id)) == 0);
	assert(strcmp(spec.job, again.job) == 0 && strcmp(spec.cgroup, again.cgroup) == 0);
	assert(memcmp(spec.hash, again.hash, sizeof(spec.hash)) == 0);
	assert(spec.max_time_us == again.max_time_us && spec.max_output == again.max_output);
	spool_spec_fini(&again);
	spool_spec_fini(&spec);
	free(text);
}

static void check_record(const uint8_t *data, size_t size)
{
	struct attempt_report report;

	write_record(0, data, size);
	memset(&report, 0, sizeof(report));
	if (spool_read_record(fuzz.dir, &report) == 0)
		assert(memchr(report.detail, '\0', sizeof(report.detail)));
}

static void check_started(const uint8_t *data, size_t size)
{
	struct spool_started started;

	write_record(SPOOL_BLOCK, data, size);
	if (spool_read_started(fuzz.dir, &started) == 0) {
		assert(memchr(started.boot_id, '\0', sizeof(started.boot_id)));
		assert(memchr(started.leaf, '\0', sizeof(started.leaf)));
	}
}

static void check_name(const uint8_t *data, size_t size)
{
	char text[2 * SPOOL_NAME_SIZE], out[SPOOL_NAME_SIZE];
	struct attempt_id id, again;

	if (size >= sizeof(text))
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (spool_name_parse(text, &id) < 0)
		return;
	spool_name(&id, out);
	assert(spool_name_parse(out, &again) == 0 && memcmp(&id, &again, sizeof(id)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		check_spec(data + 1, size - 1);
		break;
	case 1:
		check_record(data + 1, size - 1);
		break;
	case 2:
		check_started(data + 1, size - 1);
		break;
	default:
		check_name(data + 1, size - 1);
	}
	return 0;
}
