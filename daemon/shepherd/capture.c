#include "daemon/shepherd/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_at(int fd, const void *data, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data = (const char *)data + n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static int write_count(struct capture *capture)
{
	capture->count.crc = output_count_crc(&capture->count);
	return write_at(capture->fd, &capture->count, sizeof(capture->count), OUTPUT_COUNT_AT);
}

int capture_open(struct capture *capture, int dir, uint64_t max_output)
{
	char page[OUTPUT_INDEX_AT] = { 0 };
	struct output_head *head = &capture->head;
	int r;

	if (max_output < 4096)
		max_output = 4096;
	if (max_output > INT64_MAX / 8)
		max_output = INT64_MAX / 8;
	*capture = (struct capture){ .fd = -1 };
	memcpy(head->magic, "chimeout", 8);
	head->version = OUTPUT_VERSION;
	head->slots = OUTPUT_SLOTS;
	head->head_slots = OUTPUT_HEAD_SLOTS;
	head->head_size = max_output / 4;
	head->ring_size = max_output - head->head_size;
	capture->count.crc = output_count_crc(&capture->count);
	memcpy(page, head, sizeof(*head));
	memcpy(page + OUTPUT_COUNT_AT, &capture->count, sizeof(capture->count));
	capture->fd = openat(dir, "output", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			     0644);
	if (capture->fd < 0)
		return -errno;
	/* The umask of whoever started the launcher must not decide. */
	r = fchmod(capture->fd, 0644) ? -errno : write_at(capture->fd, page, sizeof(page), 0);
	if (r) {
		close(capture->fd);
		capture->fd = -1;
	}
	return r;
}

/* Writes at logical offset `offset`, over the seams between head, ring and ring. */
static int write_data(struct capture *capture, uint64_t offset, const char *data, size_t len)
{
	const struct output_head *head = &capture->head;

	/* Of a piece longer than the ring only the end would survive its own tail. */
	if (offset >= head->head_size && len > head->ring_size) {
		offset += len - head->ring_size;
		data += len - head->ring_size;
		len = (size_t)head->ring_size;
	}
	while (len) {
		uint64_t straight = offset < head->head_size ? head->head_size - offset :
			head->ring_size - (offset - head->head_size) % head->ring_size;
		size_t n = len < straight ? len : (size_t)straight;
		int r = write_at(capture->fd, data, n, output_data_at(head, offset));

		if (r)
			return r;
		offset += n;
		data += n;
		len -= n;
	}
	return 0;
}

void capture_put(struct capture *capture, enum output_stream stream, int64_t wall_us,
		 const void *data, size_t len)
{
	struct output_count *count = &capture->count, before = *count;
	struct output_entry entry = { .offset = count->total, .wall_us = wall_us,
				      .len = (uint32_t)len, .stream = stream };
	bool overwrites = count->total + len > capture->head.head_size + capture->head.ring_size;
	int r = 0;

	if (capture->fd < 0) {
		count->dropped += len;
		return;
	}
	/* Never less than after a write that failed half way. */
	if (count->reserved < count->total + len)
		count->reserved = count->total + len;
	if (overwrites)
		r = write_count(capture);
	if (!r)
		r = write_data(capture, count->total, data, len);
	if (!r)
		r = write_at(capture->fd, &entry, sizeof(entry),
			     output_entry_at(&capture->head, count->entries));
	if (r) {
		/* What the ring had there may be half overwritten: `reserved` keeps saying so. */
		uint64_t reserved = overwrites ? count->reserved : before.reserved;

		*count = before;
		count->reserved = reserved;
		count->dropped += len;
	} else {
		count->total += len;
		count->entries++;
	}
	write_count(capture);
}

uint64_t capture_bytes(const struct capture *capture)
{
	return capture->count.total + capture->count.dropped;
}

bool capture_truncated(const struct capture *capture)
{
	return capture->count.dropped ||
	       capture->count.total > capture->head.head_size + capture->head.ring_size;
}

void capture_close(struct capture *capture)
{
	if (capture->fd < 0)
		return;
	capture->count.closed = 1;
	write_count(capture);
	fdatasync(capture->fd);
	close(capture->fd);
	capture->fd = -1;
}
