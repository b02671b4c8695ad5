#include "daemon/spool.h"

#include "daemon/crc32.h"

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

enum field_kind { FIELD_TEXT, FIELD_I32, FIELD_U32, FIELD_I64, FIELD_U64, FIELD_HEX, FIELD_POINTER };

/* One member of a struct: how it is called in the file, where it lives, how it is written. */
struct field {
	const char *key;
	enum field_kind kind;
	size_t offset, size;
};

#define FIELD(structure, name, as) \
	{ .key = #name, .kind = as, .offset = offsetof(struct structure, name), \
	  .size = sizeof(((struct structure *)0)->name) }
#define FIELD_AS(structure, label, name, as) \
	{ .key = label, .kind = as, .offset = offsetof(struct structure, name), \
	  .size = sizeof(((struct structure *)0)->name) }

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

/* Text under construction; `full` is sticky, so that only the end must be checked. */
struct text {
	char *data;
	size_t len, size;
	bool full;
};

static void put_bytes(struct text *text, const void *data, size_t len)
{
	if (text->full || len > text->size - text->len) {
		text->full = true;
		return;
	}
	memcpy(text->data + text->len, data, len);
	text->len += len;
}

static void put_field(struct text *text, const char *key, const char *value, size_t len)
{
	char head[64];
	int n = snprintf(head, sizeof(head), "%s:%zu:", key, len);

	put_bytes(text, head, (size_t)n);
	put_bytes(text, value, len);
	put_bytes(text, "\n", 1);
}

static void put_hex(struct text *text, const char *key, const uint8_t *bytes, size_t size)
{
	char hex[129];

	assert(size * 2 < sizeof(hex));
	for (size_t i = 0; i < size; i++)
		snprintf(hex + i * 2, 3, "%02x", bytes[i]);
	put_field(text, key, hex, size * 2);
}

static void put_fields(struct text *text, const struct field *field, const void *base)
{
	for (; field->key; field++) {
		const char *at = (const char *)base + field->offset;
		char number[32];
		int n = 0;

		switch (field->kind) {
		case FIELD_TEXT:
			put_field(text, field->key, at, strnlen(at, field->size));
			continue;
		case FIELD_POINTER:
			at = *(const char *const *)at;
			if (at)
				put_field(text, field->key, at, strlen(at));
			continue;
		case FIELD_HEX:
			put_hex(text, field->key, (const uint8_t *)at, field->size);
			continue;
		case FIELD_I32:
			n = snprintf(number, sizeof(number), "%" PRId32, *(const int32_t *)at);
			break;
		case FIELD_U32:
			n = snprintf(number, sizeof(number), "%" PRIu32, *(const uint32_t *)at);
			break;
		case FIELD_I64:
			n = snprintf(number, sizeof(number), "%" PRId64, *(const int64_t *)at);
			break;
		case FIELD_U64:
			n = snprintf(number, sizeof(number), "%" PRIu64, *(const uint64_t *)at);
			break;
		}
		put_field(text, field->key, number, (size_t)n);
	}
}

static void put_crc(struct text *text)
{
	char hex[9];

	snprintf(hex, sizeof(hex), "%08" PRIx32, crc32_update(0, text->data, text->len));
	put_field(text, "crc", hex, 8);
}

/* Cuts the next field off *at; key and value get their NUL in place. False at a malformed one. */
static bool cut_field(char **at, char *end, char **key, char **value, size_t *len)
{
	char *colon = memchr(*at, ':', (size_t)(end - *at)), *digit;
	size_t n = 0;

	if (!colon || colon == *at)
		return false;
	for (digit = colon + 1; digit < end && *digit >= '0' && *digit <= '9'; digit++) {
		n = n * 10 + (size_t)(*digit - '0');
		if (n > SPOOL_SPEC_MAX)
			return false;
	}
	if (digit == colon + 1 || digit >= end || *digit != ':')
		return false;
	if (n >= (size_t)(end - digit - 1) || digit[1 + n] != '\n')
		return false;
	if (memchr(digit + 1, 0, n) || memchr(*at, 0, (size_t)(colon - *at)))
		return false;
	*colon = digit[1 + n] = 0;
	*key = *at;
	*value = digit + 1;
	*len = n;
	*at = digit + 2 + n;
	return true;
}

/* The length of the sealed text, its crc field not counted; 0 = incomplete. The whole text is
 * walked field by field here, because a value may contain what looks like the last field. */
static size_t check_crc(const char *text, size_t len, const char *magic)
{
	char *copy = malloc(len + 1), *at = copy, *key, *value, wanted[9];
	size_t n, start, good = 0;

	assert(copy);
	memcpy(copy, text, len);
	for (bool first = true; start = (size_t)(at - copy), start < len; first = false) {
		if (!cut_field(&at, copy + len, &key, &value, &n))
			break;
		if (first && strcmp(key, magic) != 0)
			break;
		if (strcmp(key, "crc") != 0)
			continue;
		snprintf(wanted, sizeof(wanted), "%08" PRIx32, crc32_update(0, text, start));
		if (!first && strcmp(value, wanted) == 0)
			good = start;
		break;
	}
	free(copy);
	return good;
}

static bool parse_i64(const char *text, int64_t min, int64_t max, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	return !errno && end != text && !*end && *out >= min && *out <= max;
}

static bool parse_u64(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && end != text && !*end && *text != '-' && *out <= max;
}

static bool parse_hex(const char *text, size_t len, uint8_t *out, size_t size)
{
	if (len != size * 2)
		return false;
	for (size_t i = 0; i < size; i++) {
		unsigned byte;
		char pair[3] = { text[i * 2], text[i * 2 + 1], 0 };

		if (strspn(pair, "0123456789abcdef") != 2)
			return false;
		if (sscanf(pair, "%2x", &byte) != 1)
			return false;
		out[i] = (uint8_t)byte;
	}
	return true;
}

static bool take_field(const struct field *field, void *base, char *value, size_t len)
{
	char *at = (char *)base + field->offset;
	int64_t i;
	uint64_t u;

	switch (field->kind) {
	case FIELD_TEXT:
		if (len >= field->size)
			return false;
		memcpy(at, value, len + 1);
		return true;
	case FIELD_POINTER:
		*(const char **)at = value;
		return true;
	case FIELD_HEX:
		return parse_hex(value, len, (uint8_t *)at, field->size);
	case FIELD_I32:
		if (!parse_i64(value, INT32_MIN, INT32_MAX, &i))
			return false;
		*(int32_t *)at = (int32_t)i;
		return true;
	case FIELD_I64:
		return parse_i64(value, INT64_MIN, INT64_MAX, (int64_t *)at);
	case FIELD_U32:
		if (!parse_u64(value, UINT32_MAX, &u))
			return false;
		*(uint32_t *)at = (uint32_t)u;
		return true;
	case FIELD_U64:
		return parse_u64(value, UINT64_MAX, (uint64_t *)at);
	}
	return false;
}

/* Reads the fields of a checked text; `each` (may be NULL) sees the keys no row knows. */
static int take_fields(char *text, size_t len, const struct field *fields, void *base,
		       void (*each)(void *base, const char *key, char *value))
{
	char *at = text, *key, *value;
	size_t n;

	while (at < text + len) {
		const struct field *field = fields;

		if (!cut_field(&at, text + len, &key, &value, &n))
			return -EBADMSG;
		while (field->key && strcmp(field->key, key) != 0)
			field++;
		if (!field->key) {
			if (each)
				each(base, key, value);
		} else if (!take_field(field, base, value, n)) {
			return -EBADMSG;
		}
	}
	return 0;
}

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
	struct text text = { .data = malloc(SPOOL_SPEC_MAX), .size = SPOOL_SPEC_MAX };

	assert(text.data);
	put_field(&text, "chime-spec", "1", 1);
	put_fields(&text, spec_fields, spec);
	for (const char **at = spec->run; at && *at; at++)
		put_field(&text, "arg", *at, strlen(*at));
	for (const char **at = spec->env; at && *at; at++)
		put_field(&text, "env", *at, strlen(*at));
	put_crc(&text);
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
	size_t body = len <= SPOOL_SPEC_MAX ? check_crc(text, len, "chime-spec") : 0;
	char *copy = malloc(len + 1);
	int r = -EBADMSG;

	assert(copy);
	*spec = (struct spool_spec){ 0 };
	/* Two walks, the first one only counts: the lists are allocated once. */
	memcpy(copy, text, len);
	if (!body || take_fields(copy, body, spec_fields, &lists, count_lists))
		goto out;
	lists.spec.run = calloc(lists.runs + 1, sizeof(char *));
	lists.spec.env = calloc(lists.envs + 1, sizeof(char *));
	assert(lists.spec.run && lists.spec.env);
	lists.runs = lists.envs = 0;
	memcpy(copy, text, len);
	lists.spec.text = copy;
	r = take_fields(copy, body, spec_fields, &lists, fill_lists);
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
	struct text text = { .data = block, .size = sizeof(block) };

	put_field(&text, magic, "1", 1);
	put_fields(&text, fields, base);
	put_crc(&text);
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
	body = len ? check_crc(text + at, len, magic) : 0;
	if (body)
		r = take_fields(text + at, body, fields, base, NULL);
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
