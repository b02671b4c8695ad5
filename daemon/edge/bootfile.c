#include "daemon/edge/bootfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 33 };

int bootfile_read(const char *path, uint64_t *boot)
{
	char text[TEXT_SIZE + 1] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	*boot = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	n = read(fd, text, TEXT_SIZE);
	close(fd);
	/* The journal keeps it as a signed number, and the next boot is one more. */
	if (n != TEXT_SIZE || sscanf(text, "chime-boot1 %20" SCNu64, boot) != 1 ||
	    *boot >= INT64_MAX) {
		*boot = 0;
		return -EINVAL;
	}
	return 0;
}

static int sync_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd, r = 0;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

int bootfile_write(const char *path, uint64_t boot)
{
	char text[TEXT_SIZE + 1];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), r = 0;

	if (fd < 0)
		return -errno;
	snprintf(text, sizeof(text), "chime-boot1 %020" PRIu64 "\n", boot);
	if (pwrite(fd, text, TEXT_SIZE, 0) != TEXT_SIZE)
		r = errno ? -errno : -EIO;
	else if (fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r < 0 ? r : sync_folder(path);
}
