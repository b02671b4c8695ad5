#include "daemon/spool.h"

#include "daemon/fields.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct field spec_fields[] = {
	FIELD_AS(spool_spec, "boot", id.boot, FIELD_U64),
	FIELD_AS(spool_spec, "tag", id.tag, FIELD_U64),
	FIELD_AS(spool_spec, "seq", id.seq, FIELD_U64),
	FIELD_AS(spool_spec, "attempt", id.attempt, FIELD_U32),
	FIELD(spool_spec, job, FIELD_TEXT),
	FIELD(spool_spec, server, FIELD_TEXT),
	FIELD(spool_spec, environment, FIELD_TEXT),
	FIELD(spool_spec, cycle, FIELD_TEXT),
	FIELD(spool_spec, slot, FIELD_TEXT),
	FIELD(spool_spec, cause, FIELD_TEXT),
	FIELD(spool_spec, slot_utc_s, FIELD_I64),
	FIELD(spool_spec, hash, FIELD_HEX),
	FIELD(spool_spec, boot_id, FIELD_TEXT),
	FIELD(spool_spec, cgroup, FIELD_TEXT),
	FIELD(spool_spec, run_is_text, FIELD_U32),
	FIELD(spool_spec, shell, FIELD_POINTER),
	FIELD(spool_spec, user, FIELD_POINTER),
	FIELD(spool_spec, dir, FIELD_POINTER),
	FIELD(spool_spec, max_time_us, FIELD_I64),
	FIELD(spool_spec, kill_grace_us, FIELD_I64),
	FIELD(spool_spec, success_codes, FIELD_HEX),
	FIELD(spool_spec, max_output, FIELD_U64),
	{ 0 },
};

static const struct field started_fields[] = {
	FIELD(spool_started, boot_id, FIELD_TEXT),
	FIELD(spool_started, leaf, FIELD_TEXT),
	FIELD(spool_started, pid, FIELD_I32),
	FIELD(spool_started, ticks, FIELD_U64),
	FIELD(spool_started, shepherd, FIELD_I32),
	FIELD(spool_started, shepherd_ticks, FIELD_U64),
	FIELD(spool_started, started_us, FIELD_I64),
	{ 0 },
};

static const struct field record_fields[] = {
	FIELD(attempt_report, result, FIELD_U32),
	FIELD(attempt_report, exit_code, FIELD_I32),
	FIELD(attempt_report, signal, FIELD_I32),
	FIELD(attempt_report, error, FIELD_I32),
	FIELD(attempt_report, pid, FIELD_I32),
	FIELD(attempt_report, started_us, FIELD_I64),
	FIELD(attempt_report, ended_us, FIELD_I64),
	FIELD(attempt_report, user_us, FIELD_I64),
	FIELD(attempt_report, system_us, FIELD_I64),
	FIELD(attempt_report, max_rss_kib, FIELD_I64),
	FIELD(attempt_report, output_bytes, FIELD_U64),
	FIELD(attempt_report, truncated, FIELD_U32),
	FIELD(attempt_report, detail, FIELD_TEXT),
	{ 0 },
};

void spool_name(const struct attempt_id *id, char out[SPOOL_NAME_SIZE])
{
	snprintf(out, SPOOL_NAME_SIZE, "%" PRIu64 ".%" PRIu32 ".%016" PRIx64, id->seq,
		 id->attempt, id->tag);
}

int spool_name_parse(const char *name, struct attempt_id *id)
{
	char again[SPOOL_NAME_SIZE];

	*id = (struct attempt_id){ 0 };
	if (strlen(name) >= SPOOL_NAME_SIZE)
		return -EINVAL;
	if (sscanf(name, "%" SCNu64 ".%" SCNu32 ".%16" SCNx64, &id->seq, &id->attempt,
		   &id->tag) != 3)
		return -EINVAL;
	/* Only the one spelling that spool_name writes. */
	spool_name(id, again);
	return strcmp(again, name) == 0 ? 0 : -EINVAL;
}

int spool_spec_encode(const struct spool_spec *spec, char **out, size_t *len)
{
	struct fields_text text = { .data = malloc(SPOOL_SPEC_MAX), .size = SPOOL_SPEC_MAX };

	assert(text.data);
	fields_put(&text, "chime-spec", "1", 1);
	fields_put_all(&text, spec_fields, spec);
	for (const char **at = spec->run; at && *at; at++)
		fields_put(&text, "arg", *at, strlen(*at));
	for (const char **at = spec->env; at && *at; at++)
		fields_put(&text, "env", *at, strlen(*at));
	fields_seal(&text);
	if (text.full) {
		free(text.data);
		return -EFBIG;
	}
	*out = text.data;
	*len = text.len;
	return 0;
}

struct lists {
	struct spool_spec spec;
	size_t runs, envs;
};

static void count_lists(void *base, const char *key, char *value)
{
	struct lists *lists = base;

	(void)value;
	lists->runs += strcmp(key, "arg") == 0;
	lists->envs += strcmp(key, "env") == 0;
}

static void fill_lists(void *base, const char *key, char *value)
{
	struct lists *lists = base;

	if (strcmp(key, "arg") == 0)
		lists->spec.run[lists->runs++] = value;
	if (strcmp(key, "env") == 0)
		lists->spec.env[lists->envs++] = value;
}

int spool_spec_decode(const char *text, size_t len, struct spool_spec *spec)
{
	struct lists lists = { .spec.slot_utc_s = INT64_MIN };
	size_t body = len <= SPOOL_SPEC_MAX ? fields_check(text, len, "chime-spec") : 0;
	char *copy = malloc(len + 1);
	int r = -EBADMSG;

	assert(copy);
	*spec = (struct spool_spec){ 0 };
	/* Two walks, the first one only counts: the lists are allocated once. */
	memcpy(copy, text, len);
	if (!body || fields_take(copy, body, spec_fields, &lists, count_lists))
		goto out;
	lists.spec.run = calloc(lists.runs + 1, sizeof(char *));
	lists.spec.env = calloc(lists.envs + 1, sizeof(char *));
	assert(lists.spec.run && lists.spec.env);
	lists.runs = lists.envs = 0;
	memcpy(copy, text, len);
	lists.spec.text = copy;
	r = fields_take(copy, body, spec_fields, &lists, fill_lists);
	if (!r && (!lists.runs || !lists.spec.job[0] || !lists.spec.id.attempt))
		r = -EBADMSG;
	if (r) {
		free(lists.spec.run);
		free(lists.spec.env);
		goto out;
	}
	*spec = lists.spec;
	return 0;
out:
	free(copy);
	return r;
}

void spool_spec_fini(struct spool_spec *spec)
{
	free(spec->run);
	free(spec->env);
	free(spec->text);
	*spec = (struct spool_spec){ 0 };
}

static int write_all(int fd, const char *data, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
		at += n;
	}
	return 0;
}

/* The descriptor of the new file, or -errno. */
static int create_file(int dir, const char *name, const char *data, size_t len)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len, 0);
	if (r) {
		close(fd);
		return r;
	}
	/* Only a hint, so its result does not matter: with the blocks of all files allocated before
	 * the first sync, that one commits the file system's journal for all of them. */
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return fd;
}

/* Reads a regular file of at most `max` bytes; malloc'ed, *len bytes. */
static int read_file(int dir, const char *name, size_t max, char **out, size_t *len)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), r = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	*out = NULL;
	if (fstat(fd, &st))
		r = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > max)
		r = -EBADMSG;
	if (r)
		goto out;
	*out = malloc((size_t)st.st_size + 1);
	assert(*out);
	for (*len = 0; *len < (size_t)st.st_size; *len += (size_t)n) {
		n = pread(fd, *out + *len, (size_t)st.st_size - *len, (off_t)*len);
		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
	}
	if (r)
		free(*out);
out:
	close(fd);
	return r;
}

int spool_write_spec(int dir, const struct spool_spec *spec)
{
	char *text;
	size_t len;
	int r = spool_spec_encode(spec, &text, &len);

	if (r)
		return r;
	r = create_file(dir, "spec", text, len);
	free(text);
	return r;
}

int spool_read_spec(int dir, struct spool_spec *spec)
{
	char *text;
	size_t len;
	int r;

	*spec = (struct spool_spec){ 0 };
	r = read_file(dir, "spec", SPOOL_SPEC_MAX, &text, &len);
	if (r)
		return r;
	r = spool_spec_decode(text, len, spec);
	free(text);
	return r;
}

int spool_reserve_record(int dir)
{
	static const char zeros[2 * SPOOL_BLOCK];

	return create_file(dir, "record", zeros, sizeof(zeros));
}

int spool_test_lock(int dir)
{
	int fd = openat(dir, "record", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), held;

	if (fd < 0)
		return -errno;
	held = flock(fd, LOCK_EX | LOCK_NB) != 0;
	close(fd);
	return held;
}

/* Writes one sealed block in place. */
static int write_block(int fd, off_t at, const char *magic, const struct field *fields,
		       const void *base)
{
	char block[SPOOL_BLOCK] = { 0 };
	struct fields_text text = { .data = block, .size = sizeof(block) };

	fields_put(&text, magic, "1", 1);
	fields_put_all(&text, fields, base);
	fields_seal(&text);
	assert(!text.full);
	return write_all(fd, block, sizeof(block), at);
}

static bool has_content(const char *block, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (block[i])
			return true;
	return false;
}

/* -ENOENT: there is no record, or the block is as it was reserved. -EBADMSG: it is torn. */
static int read_block(int dir, size_t at, const char *magic, const struct field *fields,
		      void *base)
{
	char *text;
	size_t len, body;
	int r = read_file(dir, "record", 2 * SPOOL_BLOCK, &text, &len);

	if (r)
		return r;
	len = len > at ? len - at : 0;
	if (len > SPOOL_BLOCK)
		len = SPOOL_BLOCK;
	body = len ? fields_check(text + at, len, magic) : 0;
	if (body)
		r = fields_take(text + at, body, fields, base, NULL);
	else
		r = len && has_content(text + at, len) ? -EBADMSG : -ENOENT;
	free(text);
	return r;
}

int spool_write_record(int fd, const struct attempt_report *report)
{
	int r = write_block(fd, 0, "chime-record", record_fields, report);

	if (!r && fdatasync(fd))
		r = -errno;
	return r;
}

int spool_read_record(int dir, struct attempt_report *report)
{
	struct attempt_report read = *report;
	int r = read_block(dir, 0, "chime-record", record_fields, &read);

	if (r == -EBADMSG || r == -ENOENT)
		return -ENODATA;
	if (!r)
		*report = read;
	return r;
}

int spool_write_started(int fd, const struct spool_started *started, bool sync)
{
	int r = write_block(fd, SPOOL_BLOCK, "chime-started", started_fields, started);

	if (!r && sync && fdatasync(fd))
		r = -errno;
	return r;
}

int spool_read_started(int dir, struct spool_started *started)
{
	*started = (struct spool_started){ 0 };
	return read_block(dir, SPOOL_BLOCK, "chime-started", started_fields, started);
}

void spool_boot_id(char out[SPOOL_BOOT_ID_SIZE])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, SPOOL_BOOT_ID_SIZE - 1);

	out[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
}

void spool_report_init(struct attempt_report *report, const struct spool_spec *spec)
{
	*report = (struct attempt_report){ .id = spec->id, .exit_code = -1 };
	memcpy(report->job, spec->job, sizeof(report->job));
	memcpy(report->cycle, spec->cycle, sizeof(report->cycle));
	memcpy(report->slot, spec->slot, sizeof(report->slot));
	memcpy(report->cause, spec->cause, sizeof(report->cause));
	report->slot_utc_s = spec->slot_utc_s;
}

static int open_socket(int dir, struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/ctl", dir);
	return fd < 0 ? -errno : fd;
}

int spool_listen(int dir)
{
	struct sockaddr_un address;
	int fd = open_socket(dir, &address);

	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 8)) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

int spool_connect(int dir)
{
	struct sockaddr_un address;
	int fd = open_socket(dir, &address);

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}
