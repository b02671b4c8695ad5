#include "daemon/output.h"

#include "daemon/crc32.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A snapshot of what is there. */
struct view {
	struct output_head head;
	struct output_count count;
};

uint32_t output_count_crc(const struct output_count *count)
{
	return crc32_update(0, count, offsetof(struct output_count, crc));
}

uint64_t output_data_at(const struct output_head *head, uint64_t offset)
{
	uint64_t data = OUTPUT_INDEX_AT + (uint64_t)head->slots * sizeof(struct output_entry);

	if (offset >= head->head_size)
		offset = head->head_size + (offset - head->head_size) % head->ring_size;
	return data + offset;
}

uint64_t output_entry_at(const struct output_head *head, uint64_t number)
{
	if (number >= head->head_slots)
		number = head->head_slots +
			 (number - head->head_slots) % (head->slots - head->head_slots);
	return OUTPUT_INDEX_AT + number * sizeof(struct output_entry);
}

/* Bytes read (short only at the end of the file), or -errno. */
static ssize_t read_at(int fd, void *buffer, size_t size, uint64_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buffer + done, size - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int read_count(int fd, struct output_count *count)
{
	/* A writer may be at it: the second look is at the other side of its write. */
	for (int i = 0; i < 100; i++) {
		ssize_t n = read_at(fd, count, sizeof(*count), OUTPUT_COUNT_AT);

		if (n < 0)
			return (int)n;
		if ((size_t)n == sizeof(*count) && count->crc == output_count_crc(count))
			return 0;
	}
	return -EBADMSG;
}

/* 1 = the writer has not come to the header yet. */
static int read_view(int fd, struct view *view)
{
	ssize_t n = read_at(fd, &view->head, sizeof(view->head), 0);
	int r;

	if (n < 0)
		return (int)n;
	if (n == 0)
		return 1;
	if ((size_t)n < sizeof(view->head) || memcmp(view->head.magic, "chimeout", 8) != 0 ||
	    view->head.version != OUTPUT_VERSION || !view->head.ring_size ||
	    view->head.slots <= view->head.head_slots || view->head.slots > 1 << 24 ||
	    view->head.head_size > INT64_MAX / 4 || view->head.ring_size > INT64_MAX / 4)
		return -EBADMSG;
	r = read_count(fd, &view->count);
	if (!r && view->count.total > view->count.reserved)
		return -EBADMSG;
	return r;
}

/* The first byte the ring still has. */
static uint64_t find_ring_start(const struct view *view)
{
	uint64_t end = view->count.reserved, size = view->head.ring_size;

	if (end <= view->head.head_size + size)
		return view->head.head_size;
	return end - size;
}

static uint64_t skip_gap(const struct view *view, uint64_t offset)
{
	uint64_t start = find_ring_start(view);

	return offset >= view->head.head_size && offset < start ? start : offset;
}

/* Reads without crossing from head to ring or over the ring's seam. */
static ssize_t read_run(int fd, const struct view *view, uint64_t offset, void *buffer, size_t size)
{
	const struct output_head *head = &view->head;
	uint64_t left = view->count.total - offset, straight;

	straight = offset < head->head_size ? head->head_size - offset :
		   head->ring_size - (offset - head->head_size) % head->ring_size;
	if (left > straight)
		left = straight;
	if (size > left)
		size = (size_t)left;
	return read_at(fd, buffer, size, output_data_at(head, offset));
}

int output_read(int fd, uint64_t offset, void *buffer, size_t size, struct output_piece *piece)
{
	struct view view;
	uint64_t asked = offset;

	*piece = (struct output_piece){ .offset = offset, .next = offset };
	for (;;) {
		struct output_count after;
		ssize_t n;
		int r = read_view(fd, &view);

		if (r)
			return r < 0 ? r : 0;
		piece->total = view.count.total;
		piece->closed = view.count.closed;
		offset = skip_gap(&view, offset);
		if (offset >= view.count.total)
			return 0;
		n = read_run(fd, &view, offset, buffer, size);
		if (n < 0)
			return (int)n;
		r = read_count(fd, &after);
		if (r)
			return r;
		view.count = after;
		if (skip_gap(&view, offset) != offset)
			continue;	/* the ring went over it meanwhile */
		piece->offset = offset;
		piece->skipped = offset - asked;
		piece->len = (size_t)n;
		piece->next = offset + (uint64_t)n;
		return 0;
	}
}

/* The last entry in [low, high) that begins at or before `offset`: 0, 1 = none, -errno. */
static int search_entries(int fd, const struct view *view, uint64_t low, uint64_t high,
			  uint64_t offset, struct output_entry *found)
{
	int r = 1;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		struct output_entry entry;
		ssize_t n = read_at(fd, &entry, sizeof(entry),
				    output_entry_at(&view->head, middle));

		if (n < 0)
			return (int)n;
		if ((size_t)n < sizeof(entry))
			return -EBADMSG;
		if (entry.offset > offset) {
			high = middle;
		} else {
			*found = entry;
			r = 0;
			low = middle + 1;
		}
	}
	return r;
}

/* The entry that covers `offset`: 0, 1 = it is gone, -errno. */
static int find_entry(int fd, const struct view *view, uint64_t offset, struct output_entry *entry)
{
	uint64_t ring = view->head.slots - view->head.head_slots, first = view->head.head_slots;
	uint64_t entries = view->count.entries;
	int r;

	/* One slot less than the ring has: the oldest may be under the writer's pen. */
	if (entries > view->head.head_slots + ring - 1)
		first = entries - (ring - 1);
	r = first < entries ? search_entries(fd, view, first, entries, offset, entry) : 1;
	if (r == 1)
		r = search_entries(fd, view, 0, entries < first ? entries :
						view->head.head_slots, offset, entry);
	if (!r && offset - entry->offset >= entry->len)
		r = 1;
	return r;
}

int output_read_entry(int fd, uint64_t offset, void *buffer, size_t size,
		      struct output_piece *piece)
{
	struct output_entry entry = { 0 };
	struct view view;
	int r = output_read(fd, offset, buffer, size, piece), found;

	if (r || !piece->len)
		return r;
	r = read_view(fd, &view);
	if (r)
		return r < 0 ? r : -EBADMSG;
	found = find_entry(fd, &view, piece->offset, &entry);
	if (found < 0)
		return found;
	if (found == 0) {
		uint64_t left = entry.offset + entry.len - piece->offset;

		if (piece->len > left)
			piece->len = (size_t)left;
		piece->next = piece->offset + piece->len;
		piece->stream = entry.stream;
		piece->wall_us = entry.wall_us;
	}
	return 0;
}

int output_tail(int fd, uint64_t lines, uint64_t *offset)
{
	char block[4096];
	struct view view;
	uint64_t at, floor, seen = 0;
	int r = read_view(fd, &view);

	*offset = 0;
	if (r)
		return r < 0 ? r : 0;
	at = view.count.total;
	*offset = at;
	floor = at > view.head.head_size ? find_ring_start(&view) : 0;
	/* Nothing of the gap is needed when nothing is missing. */
	if (floor == view.head.head_size)
		floor = 0;
	while (lines && at > floor) {
		uint64_t from = at - floor > sizeof(block) ? at - sizeof(block) : floor, put = from;

		while (put < at) {
			ssize_t n = read_run(fd, &view, put, block + (put - from),
					     (size_t)(at - put));

			if (n < 0)
				return (int)n;
			if (n == 0)
				return -EBADMSG;
			put += (uint64_t)n;
		}
		for (; at > from; at--) {
			/* The newline at the very end ends the last line, it begins none. */
			if (block[at - 1 - from] != '\n' || at == view.count.total)
				continue;
			if (++seen == lines) {
				*offset = at;
				return 0;
			}
		}
	}
	if (lines)
		*offset = floor;
	return 0;
}
