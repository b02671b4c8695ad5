/*
 * test_record_writer.c - rings of files: bounded, in order, gone on with; and ranges of seqs.
 */
#include "client/record/span.h"
#include "client/record/writer.h"

#include <dirent.h>
#include <errno.h>
#include <pcap/dlt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILES = 3, SIZE = 4096, PAYLOAD = 300 };

struct ring {
	char folder[64], path[128], err[CAPTURE_ERR_SIZE];
	struct writer_plan plan;
};

static void begin(struct ring *ring)
{
	snprintf(ring->folder, sizeof(ring->folder), "/tmp/chime-test-XXXXXX");
	assert_non_null(mkdtemp(ring->folder));
	snprintf(ring->path, sizeof(ring->path), "%s/bus.pcap", ring->folder);
	ring->plan = (struct writer_plan){ .path = ring->path, .files = FILES, .size = SIZE };
}

static void end(struct ring *ring)
{
	struct dirent *entry;
	DIR *dir = opendir(ring->folder);

	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(ring->folder);
}

static struct writer *open_ring(struct ring *ring)
{
	struct writer *writer;

	assert_int_equal(writer_open(&writer, &ring->plan, ring->err, sizeof(ring->err)), 0);
	assert_int_equal(writer_begin(writer, DLT_RAW, true, ring->err, sizeof(ring->err)), 0);
	return writer;
}

static void put(struct ring *ring, struct writer *writer, uint32_t number)
{
	uint8_t bytes[PAYLOAD] = { 0 };
	struct capture_packet packet = { .wall_us = number, .bytes = bytes, .len = PAYLOAD,
					 .wire_len = PAYLOAD };

	memcpy(bytes, &number, sizeof(number));
	assert_int_equal(writer_put(writer, &packet, ring->err, sizeof(ring->err)), 0);
}

struct reading {
	uint32_t next, first;
};

static bool take_packet(void *arg, const struct capture_packet *packet)
{
	struct reading *r = arg;
	uint32_t number;

	assert_int_equal(packet->len, PAYLOAD);
	memcpy(&number, packet->bytes, sizeof(number));
	assert_int_equal(packet->wall_us, number);
	if (r->next == 0)
		r->first = r->next = number;
	assert_int_equal(number, r->next);
	r->next++;
	return true;
}

/* Reads the files in the order of their names; returns how many there are. */
static size_t read_ring(struct ring *ring, struct reading *reading)
{
	struct dirent **list;
	int count = scandir(ring->folder, &list, NULL, alphasort);
	size_t files = 0;

	*reading = (struct reading){ 0 };
	for (int i = 0; i < count; i++) {
		char path[400];
		struct stat st;
		struct capture *capture;

		snprintf(path, sizeof(path), "%s/%s", ring->folder, list[i]->d_name);
		if (strncmp(list[i]->d_name, "bus.pcap.", 9) == 0) {
			assert_int_equal(stat(path, &st), 0);
			assert_true(st.st_size <= SIZE);
			assert_int_equal(st.st_mode & 0777, 0600);
			assert_int_equal(capture_open_stream(&capture, fopen(path, "rb"), path,
							     ring->err, sizeof(ring->err)), 0);
			assert_int_equal(capture_link_type(capture), DLT_RAW);
			assert_int_equal(capture_run(capture, take_packet, reading, ring->err,
						     sizeof(ring->err)), 0);
			capture_close(capture);
			files++;
		}
		free(list[i]);
	}
	free(list);
	return files;
}

static void a_ring_is_bounded_and_in_order(void **state)
{
	struct ring ring;
	struct reading reading;
	struct writer *writer;

	(void)state;
	begin(&ring);
	writer = open_ring(&ring);
	for (uint32_t i = 1; i <= 200; i++) {
		size_t files;

		put(&ring, writer, i);
		files = read_ring(&ring, &reading);
		assert_true(files >= 1 && files <= FILES);
		/* The newest is there at once, and none is missing between. */
		assert_int_equal(reading.next, i + 1);
		if (i > 40)
			assert_true(i - reading.first >= (FILES - 1) * (SIZE / (PAYLOAD + 16)) - 1);
	}
	assert_int_equal(writer_close(writer, ring.err, sizeof(ring.err)), 0);
	end(&ring);
}

static void a_ring_is_gone_on_with(void **state)
{
	struct ring ring;
	struct reading reading;
	struct writer *writer;
	char other[256];
	FILE *file;

	(void)state;
	begin(&ring);
	/* What only looks like one of its files is left alone. */
	snprintf(other, sizeof(other), "%s/bus.pcap.12", ring.folder);
	file = fopen(other, "w");
	fclose(file);
	for (uint32_t i = 1; i <= 6; i++) {
		writer = open_ring(&ring);
		put(&ring, writer, i);
		assert_int_equal(writer_close(writer, ring.err, sizeof(ring.err)), 0);
		assert_int_equal(access(other, F_OK), 0);
	}
	unlink(other);
	assert_int_equal(read_ring(&ring, &reading), FILES);
	assert_int_equal(reading.first, 4);
	assert_int_equal(reading.next, 7);
	/* A smaller ring takes over a larger one. */
	ring.plan.files = 2;
	writer = open_ring(&ring);
	put(&ring, writer, 7);
	assert_int_equal(writer_close(writer, ring.err, sizeof(ring.err)), 0);
	assert_int_equal(read_ring(&ring, &reading), 2);
	assert_int_equal(reading.next, 8);
	end(&ring);
}

static void two_do_not_write_one_ring(void **state)
{
	struct ring ring;
	struct writer *writer, *second;

	(void)state;
	begin(&ring);
	writer = open_ring(&ring);
	assert_int_equal(writer_open(&second, &ring.plan, ring.err, sizeof(ring.err)), -EBUSY);
	assert_non_null(strstr(ring.err, "another chime-record"));
	assert_int_equal(writer_close(writer, ring.err, sizeof(ring.err)), 0);
	writer = open_ring(&ring);
	assert_int_equal(writer_close(writer, ring.err, sizeof(ring.err)), 0);
	end(&ring);
}

static void a_packet_larger_than_a_file_is_cut(void **state)
{
	static uint8_t bytes[3 * SIZE];
	struct capture_packet packet = { .bytes = bytes, .len = sizeof(bytes),
					 .wire_len = sizeof(bytes) };
	struct ring ring;
	struct writer *writer;
	char path[256];
	struct stat st;

	(void)state;
	begin(&ring);
	writer = open_ring(&ring);
	for (int i = 0; i < 5; i++)
		assert_int_equal(writer_put(writer, &packet, ring.err, sizeof(ring.err)), 0);
	assert_int_equal(writer_close(writer, ring.err, sizeof(ring.err)), 0);
	snprintf(path, sizeof(path), "%s/bus.pcap.000005", ring.folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	end(&ring);
}

/* Somebody waits in a folder of all for root's next recording. */
static void root_empties_nothing_through_links_of_others(void **state)
{
	char link[160], kept[8] = "";
	struct writer *writer = NULL;
	struct ring ring;
	FILE *file;

	(void)state;
	if (geteuid() != 0)
		skip();
	begin(&ring);
	snprintf(link, sizeof(link), "%s.link", ring.path);
	file = fopen(ring.path, "w");
	assert_true(file && fputs("kept", file) >= 0 && fclose(file) == 0);
	assert_int_equal(symlink(ring.path, link), 0);
	assert_int_equal(lchown(link, 65534, 65534), 0);
	ring.plan = (struct writer_plan){ .path = link };
	assert_int_equal(writer_open(&writer, &ring.plan, ring.err, sizeof(ring.err)), -EACCES);
	file = fopen(ring.path, "r");
	assert_true(file && fgets(kept, sizeof(kept), file) && fclose(file) == 0);
	assert_string_equal(kept, "kept");
	/* Its own is gone through. */
	assert_int_equal(lchown(link, 0, 0), 0);
	assert_int_equal(writer_open(&writer, &ring.plan, ring.err, sizeof(ring.err)), 0);
	assert_int_equal(writer_close(writer, ring.err, sizeof(ring.err)), 0);
	end(&ring);
}

static void rings_are_read(void **state)
{
	static const char *const wrong[] = {
		"", "10", "10x", "x100M", "1x100M", "0x1M", "10x100m", "10x100MB", "10 x 100M",
		"10x1K", "10x4095", "-2x1M", "2x-1M", "100001x4K", "2x99999999999999999999",
		"99999x99999999999G", "2x4K ", "2x4KK",
	};
	struct writer_plan plan = { 0 };

	(void)state;
	assert_int_equal(writer_parse_ring("10x100M", &plan), 0);
	assert_int_equal(plan.files, 10);
	assert_int_equal(plan.size, 100 << 20);
	assert_int_equal(writer_parse_ring("2x4096", &plan), 0);
	assert_int_equal(plan.size, 4096);
	assert_int_equal(writer_parse_ring("3x1G", &plan), 0);
	assert_int_equal(plan.size, 1 << 30);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(writer_parse_ring(wrong[i], &plan), -EINVAL);
	assert_int_equal(plan.files, 3);
}

static void ranges_join_and_show_their_holes(void **state)
{
	enum { NUMBERS = 200 };
	struct spans spans = { 0 };
	bool in[NUMBERS + 2] = { false };
	uint32_t random = 7;
	struct span hole;

	(void)state;
	for (int round = 0; round < 120; round++) {
		uint64_t first, last, fresh = 0, missing = 0;

		random = random * 1664525 + 1013904223;
		first = 1 + (random >> 8) % NUMBERS;
		last = first + (random >> 20) % 4;
		if (last > NUMBERS)
			last = NUMBERS;
		for (uint64_t i = first; i <= last; i++) {
			fresh += !in[i];
			in[i] = true;
		}
		assert_int_equal(spans_add(&spans, first, last), fresh);
		for (uint64_t i = 1; i <= NUMBERS; i++)
			missing += !in[i];
		assert_int_equal(spans_missing(&spans, 1, NUMBERS), missing);
		for (uint64_t from = 1; from <= NUMBERS && missing; from = hole.last + 2) {
			if (!spans_find_hole(&spans, from, NUMBERS, &hole))
				break;
			for (uint64_t i = hole.first; i <= hole.last; i++)
				assert_false(in[i]);
			assert_true(hole.last == NUMBERS || in[hole.last + 1]);
		}
		for (size_t i = 1; i < spans.count; i++)
			assert_true(spans.list[i].first > spans.list[i - 1].last + 1);
	}
	spans_fini(&spans);
	/* More holes than are kept: none is forgotten. */
	for (uint64_t i = 0; i < SPANS_MAX + 100; i++)
		spans_add(&spans, 3 * i + 1, 3 * i + 1);
	assert_int_equal(spans.count, SPANS_MAX);
	assert_int_equal(spans.closed + spans_missing(&spans, 1, 3 * (SPANS_MAX + 99) + 1),
			 2 * (SPANS_MAX + 99));
	spans_fini(&spans);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_is_bounded_and_in_order),
		cmocka_unit_test(a_ring_is_gone_on_with),
		cmocka_unit_test(two_do_not_write_one_ring),
		cmocka_unit_test(a_packet_larger_than_a_file_is_cut),
		cmocka_unit_test(root_empties_nothing_through_links_of_others),
		cmocka_unit_test(rings_are_read),
		cmocka_unit_test(ranges_join_and_show_their_holes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
