#include "daemon/output.h"
#include "daemon/shepherd/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A writer and a reader of one output file. */
struct pair {
	char path[64];
	int dir, fd;
	struct capture capture;
};

static void open_pair(struct pair *pair, uint64_t max_output)
{
	snprintf(pair->path, sizeof(pair->path), "/tmp/chime-test-XXXXXX");
	assert_non_null(mkdtemp(pair->path));
	pair->dir = open(pair->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(capture_open(&pair->capture, pair->dir, max_output), 0);
	pair->fd = openat(pair->dir, "output", O_RDONLY | O_CLOEXEC);
	assert_true(pair->fd >= 0);
}

static void close_pair(struct pair *pair)
{
	capture_close(&pair->capture);
	close(pair->fd);
	unlinkat(pair->dir, "output", 0);
	close(pair->dir);
	assert_int_equal(rmdir(pair->path), 0);
}

/* Byte o of the output under test: no period that could hide a misplaced piece. */
static unsigned char byte_at(uint64_t offset)
{
	return (unsigned char)((offset * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static void put_bytes(struct pair *pair, size_t len)
{
	unsigned char data[OUTPUT_PIECE_MAX];

	for (size_t i = 0; i < len; i++)
		data[i] = byte_at(pair->capture.count.total + i);
	capture_put(&pair->capture, OUTPUT_STDOUT, 1000, data, len);
}

static void streams_and_times(void **state)
{
	struct output_piece piece;
	char buffer[64];
	struct pair pair;

	(void)state;
	open_pair(&pair, 1 << 20);
	assert_int_equal(output_read(pair.fd, 0, buffer, sizeof(buffer), &piece), 0);
	assert_int_equal(piece.len, 0);
	assert_false(piece.closed);
	capture_put(&pair.capture, OUTPUT_STDOUT, 1000001, "out\n", 4);
	capture_put(&pair.capture, OUTPUT_STDERR, 1000002, "err\0\n", 5);
	capture_put(&pair.capture, OUTPUT_STDOUT, 1000003, "more", 4);
	assert_int_equal(output_read(pair.fd, 0, buffer, sizeof(buffer), &piece), 0);
	assert_int_equal(piece.len, 13);
	assert_memory_equal(buffer, "out\nerr\0\nmore", 13);
	assert_int_equal(output_read_entry(pair.fd, 0, buffer, sizeof(buffer), &piece), 0);
	assert_int_equal(piece.len, 4);
	assert_int_equal(piece.stream, OUTPUT_STDOUT);
	assert_int_equal(output_read_entry(pair.fd, piece.next + 1, buffer, 2, &piece), 0);
	assert_int_equal(piece.len, 2);
	assert_int_equal(piece.stream, OUTPUT_STDERR);
	assert_int_equal(piece.wall_us, 1000002);
	assert_int_equal(piece.next, 7);
	assert_int_equal(output_read_entry(pair.fd, 9, buffer, sizeof(buffer), &piece), 0);
	assert_int_equal(piece.wall_us, 1000003);
	assert_int_equal(output_read(pair.fd, 99, buffer, sizeof(buffer), &piece), 0);
	assert_int_equal(piece.len, 0);
	assert_int_equal(piece.total, 13);
	capture_close(&pair.capture);
	assert_int_equal(output_read(pair.fd, 13, buffer, sizeof(buffer), &piece), 0);
	assert_true(piece.closed);
	close_pair(&pair);
}

/* Reads everything from `offset`; checks each byte; returns how many, *skipped in all. */
static uint64_t check_from(struct pair *pair, uint64_t offset, uint64_t *skipped)
{
	unsigned char buffer[777];
	struct output_piece piece;
	uint64_t count = 0;

	for (*skipped = 0; ; offset = piece.next) {
		assert_int_equal(output_read(pair->fd, offset, buffer, sizeof(buffer), &piece), 0);
		*skipped += piece.skipped;
		if (!piece.len)
			return count;
		for (size_t i = 0; i < piece.len; i++)
			assert_int_equal(buffer[i], byte_at(piece.offset + i));
		count += piece.len;
	}
}

static void head_and_ring(void **state)
{
	static const size_t sizes[] = { 1, 100, 4095, 4096, 4097, 5000, 12288, 65536, 3, 20000 };
	uint64_t total = 0, skipped;
	struct pair pair;

	(void)state;
	open_pair(&pair, 16384);
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			uint64_t kept;

			put_bytes(&pair, sizes[i]);
			total += sizes[i];
			kept = total < 16384 ? total : 16384;
			assert_int_equal(check_from(&pair, 0, &skipped), kept);
			assert_int_equal(skipped, total - kept);
			/* From inside the gap. */
			if (skipped > 10) {
				assert_int_equal(check_from(&pair, 4100, &skipped), 12288);
				assert_int_equal(skipped, total - 12288 - 4100);
			}
			assert_int_equal(capture_truncated(&pair.capture), total > 16384);
			assert_int_equal(capture_bytes(&pair.capture), total);
		}
	}
	assert_true(lseek(pair.fd, 0, SEEK_END) <=
		    OUTPUT_INDEX_AT + OUTPUT_SLOTS * (off_t)sizeof(struct output_entry) + 16384);
	close_pair(&pair);
}

static void index_is_bounded_too(void **state)
{
	struct output_piece piece;
	char buffer[8];
	struct pair pair;
	uint64_t n = 50000;

	(void)state;
	open_pair(&pair, 1 << 20);
	for (uint64_t i = 0; i < n; i++)
		capture_put(&pair.capture, i % 2 ? OUTPUT_STDERR : OUTPUT_STDOUT, (int64_t)i,
			    "x", 1);
	for (uint64_t i = 0; i < n; i += 97) {
		bool kept = i < OUTPUT_HEAD_SLOTS || i > n - (OUTPUT_SLOTS - OUTPUT_HEAD_SLOTS);

		assert_int_equal(output_read_entry(pair.fd, i, buffer, sizeof(buffer), &piece), 0);
		assert_int_equal(piece.offset, i);
		assert_int_equal(piece.len, kept ? 1 : 8);
		assert_int_equal(piece.stream, !kept ? 0 : i % 2 ? OUTPUT_STDERR : OUTPUT_STDOUT);
		assert_int_equal(piece.wall_us, kept ? (int64_t)i : 0);
	}
	close_pair(&pair);
}

static void tail(void **state)
{
	struct pair pair;
	uint64_t offset;

	(void)state;
	open_pair(&pair, 1 << 20);
	assert_int_equal(output_tail(pair.fd, 3, &offset), 0);
	assert_int_equal(offset, 0);
	for (int i = 0; i < 3000; i++)
		capture_put(&pair.capture, OUTPUT_STDOUT, 1, "line\n", 5);
	assert_int_equal(output_tail(pair.fd, 0, &offset), 0);
	assert_int_equal(offset, 15000);
	assert_int_equal(output_tail(pair.fd, 1, &offset), 0);
	assert_int_equal(offset, 14995);
	assert_int_equal(output_tail(pair.fd, 2999, &offset), 0);
	assert_int_equal(offset, 5);
	assert_int_equal(output_tail(pair.fd, 3000, &offset), 0);
	assert_int_equal(offset, 0);
	assert_int_equal(output_tail(pair.fd, 999999, &offset), 0);
	assert_int_equal(offset, 0);
	capture_put(&pair.capture, OUTPUT_STDOUT, 1, "open", 4);
	assert_int_equal(output_tail(pair.fd, 1, &offset), 0);
	assert_int_equal(offset, 15000);
	close_pair(&pair);
	/* Not further than the ring, if there is a gap. */
	open_pair(&pair, 4096);
	for (int i = 0; i < 2000; i++)
		capture_put(&pair.capture, OUTPUT_STDOUT, 1, "line\n", 5);
	assert_int_equal(output_tail(pair.fd, 999999, &offset), 0);
	assert_int_equal(offset, 10000 - 3072);
	close_pair(&pair);
}

/* A writer in another process runs over the ring while it is read: what is given is right all the
 * same, whoever is faster. */
static void read_while_written(void **state)
{
	struct output_piece piece = { 0 };
	unsigned char buffer[3000];
	struct pair pair;
	int status;
	pid_t pid;

	(void)state;
	open_pair(&pair, 8192);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 20000; i++)
			put_bytes(&pair, 1 + (size_t)(i * 37 % 2500));
		capture_close(&pair.capture);
		_exit(0);
	}
	while (!piece.closed || piece.len) {
		assert_int_equal(output_read(pair.fd, piece.next, buffer, sizeof(buffer), &piece),
				 0);
		for (size_t i = 0; i < piece.len; i++)
			if (buffer[i] != byte_at(piece.offset + i))
				fail_msg("byte %zu is wrong", (size_t)piece.offset + i);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close_pair(&pair);
}

static void foreign_files(void **state)
{
	struct output_piece piece;
	char buffer[16];
	struct pair pair;
	int fd;

	(void)state;
	open_pair(&pair, 4096);
	fd = openat(pair.dir, "output", O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "CHIMEOUT", 8, 0), 8);
	assert_int_equal(output_read(fd, 0, buffer, sizeof(buffer), &piece), -EBADMSG);
	assert_int_equal(pwrite(fd, "chimeout", 8, 0), 8);
	assert_int_equal(output_read(fd, 0, buffer, sizeof(buffer), &piece), 0);
	assert_int_equal(pwrite(fd, "x", 1, OUTPUT_COUNT_AT), 1);
	assert_int_equal(output_read(fd, 0, buffer, sizeof(buffer), &piece), -EBADMSG);
	/* One the shepherd has only just created. */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(output_read(fd, 0, buffer, sizeof(buffer), &piece), 0);
	assert_int_equal(piece.len, 0);
	assert_int_equal(output_tail(fd, 5, &(uint64_t){ 0 }), 0);
	close(fd);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_and_times),
		cmocka_unit_test(head_and_ring),
		cmocka_unit_test(index_is_bounded_too),
		cmocka_unit_test(tail),
		cmocka_unit_test(read_while_written),
		cmocka_unit_test(foreign_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
