#include "client/record/writer.h"

#include "client/say.h"
#include "proto/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_HEADER = 24,		/* of the pcap format */
	PACKET_HEADER = 16,
	NUMBER_DIGITS = 6,
	NUMBER_DIGITS_MAX = 18,
	NAME_SIZE = 4096,
	WHAT_SIZE = 512,
};

struct writer {
	struct writer_plan plan;
	pcap_t *dead;			/* knows the link type */
	FILE *file;			/* until the dump owns it */
	pcap_dumper_t *dump;
	bool flush;
	uint64_t written;		/* bytes of the file that is written */
	/* ring */
	int folder;
	const char *name;		/* the last part of the path */
	uint64_t *numbers;		/* ascending, of the files that are there */
	size_t count;
	uint64_t next;
};

static int fail_write(const struct writer *w, int rc, const char *what, char *err,
		      size_t err_size)
{
	char text[WHAT_SIZE];
	const char *hint = rc == -EACCES && w->plan.files ?
		"a folder you may write in; files of a ring are made with the rights that are left" :
		NULL;

	snprintf(text, sizeof(text), "cannot %s %s", what, w->plan.path);
	return keyfile_error(err, err_size, rc, text, strerror(-rc), hint);
}

int writer_parse_ring(const char *text, struct writer_plan *plan)
{
	static const char units[] = "KMG";
	unsigned long long files, size, factor = 1;
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	files = strtoull(text, &end, 10);
	if (errno || *end != 'x' || end[1] < '0' || end[1] > '9')
		return -EINVAL;
	size = strtoull(end + 1, &end, 10);
	if (errno)
		return -EINVAL;
	unit = *end ? strchr(units, *end) : NULL;
	for (const char *u = units; unit && u <= unit; u++)
		factor *= 1024;
	if (*end && (!unit || end[1]))
		return -EINVAL;
	if (files < WRITER_FILES_MIN || files > WRITER_FILES_MAX ||
	    size > (UINT64_MAX >> 1) / factor / files || size * factor < WRITER_SIZE_MIN)
		return -EINVAL;
	plan->files = (uint32_t)files;
	plan->size = size * factor;
	return 0;
}

/* ---- the ring ---- */

static void format_name(const struct writer *w, uint64_t number, char out[NAME_SIZE])
{
	snprintf(out, NAME_SIZE, "%s.%0*" PRIu64, w->name, NUMBER_DIGITS, number);
}

/* The number of a file of this ring; 0 when it is none. */
static uint64_t read_number(const struct writer *w, const char *file)
{
	size_t len = strlen(w->name), digits;

	if (strncmp(file, w->name, len) != 0 || file[len] != '.')
		return 0;
	file += len + 1;
	digits = strspn(file, "0123456789");
	if (file[digits] || digits < NUMBER_DIGITS || digits > NUMBER_DIGITS_MAX ||
	    (digits > NUMBER_DIGITS && file[0] == '0'))
		return 0;
	return strtoull(file, NULL, 10);
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void add_number(struct writer *w, uint64_t number)
{
	w->numbers = say_realloc(w->numbers, w->count + 1, sizeof(*w->numbers));
	w->numbers[w->count++] = number;
}

static int scan_ring(struct writer *w)
{
	int fd = dup(w->folder);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int rc;

	if (!dir) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while ((entry = readdir(dir))) {
		uint64_t number = read_number(w, entry->d_name);

		if (number)
			add_number(w, number);
	}
	closedir(dir);
	if (w->count)
		qsort(w->numbers, w->count, sizeof(*w->numbers), compare_numbers);
	w->next = w->count ? w->numbers[w->count - 1] + 1 : 1;
	return 0;
}

/* Who writes a ring holds its newest file. */
static int check_alone(const struct writer *w)
{
	char name[NAME_SIZE];
	int fd, rc = 0;

	if (w->count == 0)
		return 0;
	format_name(w, w->numbers[w->count - 1], name);
	fd = openat(w->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return rc;
}

static int open_ring(struct writer *w, char *err, size_t err_size)
{
	const char *slash = strrchr(w->plan.path, '/');
	char *folder = slash ? say_format("%.*s/", (int)(slash - w->plan.path), w->plan.path) :
			       say_strdup(".");
	int rc;

	w->name = slash ? slash + 1 : w->plan.path;
	w->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (w->folder < 0)
		return fail_write(w, -errno, "use the folder of", err, err_size);
	rc = scan_ring(w);
	if (rc < 0)
		return fail_write(w, rc, "use the folder of", err, err_size);
	rc = check_alone(w);
	if (rc == -EBUSY)
		return keyfile_error(err, err_size, rc, "another chime-record writes this ring",
				     NULL, "another name with -w, or end the other one");
	return rc < 0 ? fail_write(w, rc, "go on with the ring", err, err_size) : 0;
}

/* Makes place for one file more. */
static int remove_oldest(struct writer *w)
{
	size_t gone = 0;
	int rc = 0;

	while (rc == 0 && w->count - gone >= w->plan.files) {
		char name[NAME_SIZE];

		format_name(w, w->numbers[gone], name);
		if (unlinkat(w->folder, name, 0) < 0 && errno != ENOENT)
			rc = -errno;
		else
			gone++;
	}
	w->count -= gone;
	if (gone && w->count)
		memmove(w->numbers, w->numbers + gone, w->count * sizeof(*w->numbers));
	return rc;
}

static int make_file(struct writer *w)
{
	char name[NAME_SIZE];
	int fd, rc;

	format_name(w, w->next, name);
	fd = openat(w->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		w->file = fdopen(fd, "wb");
		if (w->file) {
			add_number(w, w->next++);
			return 0;
		}
	}
	rc = -errno;
	close(fd);
	return rc;
}

/* ---- one file ---- */

/* Root goes through no link that another one has laid, or it would empty what that one names. */
static bool is_laid_by_another(const char *path)
{
	struct stat link;

	return geteuid() == 0 && lstat(path, &link) == 0 && S_ISLNK(link.st_mode) &&
	       link.st_uid != 0;
}

static int open_path(const char *path)
{
	/* What servers say is for the eyes of who records it. */
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
	int fd = open(path, flags | O_NOFOLLOW, 0600);

	if (fd >= 0 || errno != ELOOP)
		return fd;
	if (!is_laid_by_another(path))
		return open(path, flags, 0600);
	errno = EACCES;
	return -1;
}

static int open_single(struct writer *w, char *err, size_t err_size)
{
	int fd = strcmp(w->plan.path, "-") == 0 ? dup(STDOUT_FILENO) : open_path(w->plan.path);

	w->file = fd < 0 ? NULL : fdopen(fd, "wb");
	if (w->file)
		return 0;
	return fail_write(w, -errno, "write", err, err_size);
}

int writer_open(struct writer **out, const struct writer_plan *plan, char *err, size_t err_size)
{
	struct writer *w = say_calloc(1, sizeof(*w));
	int rc;

	w->plan = *plan;
	w->folder = -1;
	rc = plan->files ? open_ring(w, err, err_size) : open_single(w, err, err_size);
	if (rc < 0)
		writer_close(w, NULL, 0);
	else
		*out = w;
	return rc;
}

/* ---- writing ---- */

static int begin_file(struct writer *w)
{
	int rc = 0;

	if (!w->file && w->plan.files) {
		rc = remove_oldest(w);
		if (rc == 0)
			rc = make_file(w);
	}
	if (rc < 0)
		return rc;
	w->dump = pcap_dump_fopen(w->dead, w->file);
	if (!w->dump)
		return -EIO;
	w->file = NULL;
	w->written = FILE_HEADER;
	return pcap_dump_flush(w->dump) < 0 ? -errno : 0;
}

static int end_file(struct writer *w)
{
	int rc = 0;

	if (w->dump) {
		if (pcap_dump_flush(w->dump) < 0 || ferror(pcap_dump_file(w->dump)))
			rc = errno ? -errno : -EIO;
		pcap_dump_close(w->dump);
	} else if (w->file && fclose(w->file) != 0) {
		rc = -errno;
	}
	w->dump = NULL;
	w->file = NULL;
	return rc;
}

int writer_begin(struct writer *writer, int link_type, bool flush, char *err, size_t err_size)
{
	int rc;

	writer->dead = pcap_open_dead(link_type, CAPTURE_SNAP_MAX);
	if (!writer->dead)
		return fail_write(writer, -ENOMEM, "write", err, err_size);
	writer->flush = flush;
	rc = begin_file(writer);
	return rc < 0 ? fail_write(writer, rc, "write", err, err_size) : 0;
}

int writer_put(struct writer *writer, const struct capture_packet *packet, char *err,
	       size_t err_size)
{
	uint64_t room = writer->plan.size - FILE_HEADER - PACKET_HEADER;
	struct pcap_pkthdr header = {
		.ts.tv_sec = (time_t)(packet->wall_us / 1000000),
		.ts.tv_usec = (suseconds_t)(packet->wall_us % 1000000),
		.caplen = (bpf_u_int32)packet->len,
		.len = (bpf_u_int32)packet->wire_len,
	};
	int rc = 0;

	if (writer->plan.files && header.caplen > room)
		header.caplen = (bpf_u_int32)room;
	if (writer->plan.files &&
	    writer->written + PACKET_HEADER + header.caplen > writer->plan.size) {
		rc = end_file(writer);
		if (rc == 0)
			rc = begin_file(writer);
	}
	if (rc == 0) {
		errno = 0;
		pcap_dump((u_char *)writer->dump, &header, packet->bytes);
		writer->written += PACKET_HEADER + header.caplen;
		if ((writer->flush && pcap_dump_flush(writer->dump) < 0) ||
		    ferror(pcap_dump_file(writer->dump)))
			rc = errno ? -errno : -EIO;
	}
	return rc < 0 ? fail_write(writer, rc, "write any more to", err, err_size) : 0;
}

int writer_close(struct writer *writer, char *err, size_t err_size)
{
	int rc;

	if (!writer)
		return 0;
	rc = end_file(writer);
	if (rc < 0 && err)
		fail_write(writer, rc, "write to its end", err, err_size);
	if (writer->dead)
		pcap_close(writer->dead);
	if (writer->folder >= 0)
		close(writer->folder);
	free(writer->numbers);
	free(writer);
	return rc;
}
