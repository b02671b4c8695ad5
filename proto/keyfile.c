#include "proto/keyfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_SIZE = 512 };

int keyfile_error(char *err, size_t err_size, int code, const char *what, const char *why,
	const char *try_this)
{
	snprintf(err, err_size, "%s%s%s%s%s", what, why ? "\nwhy:   " : "", why ? why : "",
		try_this ? "\ntry:   " : "", try_this ? try_this : "");
	return code;
}

static int report(char *err, size_t err_size, int code, const char *verb, const char *what,
	const char *path)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof text, "cannot %s %s %s", verb, what, path);
	return keyfile_error(err, err_size, code, text, strerror(-code), NULL);
}

static int check_file(int fd, const char *path, const char *what, bool secret, size_t *size,
	char *err, size_t err_size)
{
	struct stat st;
	char text[TEXT_SIZE], why[TEXT_SIZE], hint[TEXT_SIZE];

	if (fstat(fd, &st) < 0)
		return report(err, err_size, -errno, "look at", what, path);
	snprintf(text, sizeof text, "cannot use %s %s", what, path);
	if (!S_ISREG(st.st_mode))
		return keyfile_error(err, err_size, -EINVAL, text, "it is not a plain file", NULL);
	if (st.st_size > KEYFILE_MAX) {
		return keyfile_error(err, err_size, -EFBIG, text,
			"it is larger than any such file can be", NULL);
	}
	if (secret && (st.st_mode & 07777 & ~0600u)) {
		snprintf(why, sizeof why, "its mode is %04o, wider than 0600",
			(unsigned)(st.st_mode & 07777));
		snprintf(hint, sizeof hint, "chmod 600 %s", path);
		return keyfile_error(err, err_size, -EPERM, text, why, hint);
	}
	*size = (size_t)st.st_size;
	return 0;
}

int keyfile_read(const char *path, const char *what, bool secret, char **out, size_t *len,
	char *err, size_t err_size)
{
	size_t size = 0, have = 0;
	char *text = NULL;

	/* Non-blocking, so that a FIFO in its place can't hold anybody up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return report(err, err_size, -errno, "read", what, path);
	int rc = check_file(fd, path, what, secret, &size, err, err_size);
	if (rc < 0)
		goto out;
	text = malloc(size + 1);
	assert(text);
	while (have < size) {
		ssize_t n = read(fd, text + have, size - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = report(err, err_size, -errno, "read", what, path);
			goto out;
		}
		if (n == 0)
			break;
		have += (size_t)n;
	}
	text[have] = '\0';
	*out = text;
	*len = have;
	text = NULL;
out:
	keyfile_free(text, size);
	close(fd);
	return rc;
}

void keyfile_free(char *text, size_t len)
{
	if (text)
		OPENSSL_cleanse(text, len);
	free(text);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int sync_directory(const char *path)
{
	char dir[TEXT_SIZE];
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(dir, sizeof dir, ".");
	else
		snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

int keyfile_write(const char *path, const char *what, bool secret, enum keyfile_mode mode,
	const void *data, size_t len, char *err, size_t err_size)
{
	char temporary[TEXT_SIZE];
	int n = snprintf(temporary, sizeof temporary, "%s.new-XXXXXX", path);

	if (n < 0 || (size_t)n >= sizeof temporary)
		return report(err, err_size, -ENAMETOOLONG, "write", what, path);
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return report(err, err_size, -errno, "write", what, path);
	int rc = fchmod(fd, secret ? 0600 : 0644) < 0 ? -errno : 0;
	if (rc == 0)
		rc = write_all(fd, data, len);
	close(fd);
	/* link() is the rename that refuses to replace. */
	if (rc == 0 && mode == KEYFILE_NEW)
		rc = link(temporary, path) < 0 ? -errno : 0;
	else if (rc == 0)
		rc = rename(temporary, path) < 0 ? -errno : 0;
	if (rc < 0 || mode == KEYFILE_NEW)
		unlink(temporary);
	if (rc == 0)
		rc = sync_directory(path);
	if (rc < 0)
		report(err, err_size, rc, "write", what, path);
	return rc;
}
