#include "daemon/tzdata.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 20 };

static const char *find_folder(void)
{
	const char *dir = secure_getenv("TZDIR");

	return dir && dir[0] == '/' ? dir : "/usr/share/zoneinfo";
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '+' || c == '-' || c == '.';
}

bool tzdata_name_valid(const char *name)
{
	const char *at = name;

	if (strnlen(name, TZDATA_NAME_MAX + 1) > TZDATA_NAME_MAX)
		return false;
	for (;;) {
		const char *part = at;

		while (is_name_char(*at))
			at++;
		if (at == part || (at - part == 1 && part[0] == '.') ||
		    (at - part == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		if (*at == '\0')
			return true;
		if (*at++ != '/')
			return false;
	}
}

/* Reads up to `size` bytes from the beginning of a regular file: how many, or -errno. */
static ssize_t read_file(const char *path, unsigned char *buf, size_t size)
{
	struct stat st;
	size_t len = 0;
	ssize_t rc;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	rc = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -ENOENT;
	while (rc == 0 && len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			rc = -errno;
	}
	close(fd);
	return rc < 0 ? rc : (ssize_t)len;
}

/* A whole TZif file: version 1, one type at offset 0, nothing else. */
static int load_utc(struct zone **out)
{
	static const unsigned char tzif[44 + 6 + 4] = {
		[0] = 'T', 'Z', 'i', 'f', [39] = 1, [43] = 4, [50] = 'U', 'T', 'C', '\0',
	};

	return zone_parse(out, tzif, sizeof tzif);
}

int tzdata_load(const char *name, struct zone **out)
{
	char path[PATH_MAX];
	unsigned char *bytes = NULL;
	ssize_t len;
	int rc;

	*out = NULL;
	if (!tzdata_name_valid(name))
		return -EINVAL;
	if (snprintf(path, sizeof path, "%s/%s", find_folder(), name) >= (int)sizeof path)
		return -ENAMETOOLONG;
	bytes = malloc(FILE_MAX_BYTES + 1);
	if (!bytes)
		return -ENOMEM;
	len = read_file(path, bytes, FILE_MAX_BYTES + 1);
	if (len > FILE_MAX_BYTES)
		rc = -EFBIG;
	else if (len >= 0)
		rc = zone_parse(out, bytes, (size_t)len);
	else
		rc = (int)len;
	free(bytes);
	if ((rc == -ENOENT || rc == -ENOTDIR) &&
	    (strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0))
		return load_utc(out);
	return rc == -ENOTDIR ? -ENOENT : rc;
}

static bool name_from_link(const char *path, char name[PATH_MAX])
{
	static const char *const folders[] = { "/zoneinfo/posix/", "/zoneinfo/" };
	ssize_t len = readlink(path, name, PATH_MAX - 1);

	if (len < 0)
		return false;
	name[len] = '\0';
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		const char *at = strstr(name, folders[i]);

		if (!at)
			continue;
		at += strlen(folders[i]);
		memmove(name, at, strlen(at) + 1);
		return tzdata_name_valid(name);
	}
	return false;
}

static bool name_from_line(const char *path, char name[PATH_MAX])
{
	ssize_t len = read_file(path, (unsigned char *)name, PATH_MAX - 1);

	if (len <= 0)
		return false;
	name[len] = '\0';
	name[strcspn(name, " \t\r\n")] = '\0';
	return tzdata_name_valid(name);
}

int tzdata_name_from(const char *localtime_path, const char *timezone_path, char *buf,
		     size_t size)
{
	char name[PATH_MAX];

	if (!name_from_link(localtime_path, name) && !name_from_line(timezone_path, name))
		snprintf(name, sizeof name, "UTC");
	return snprintf(buf, size, "%s", name) < (int)size ? 0 : -ERANGE;
}

int tzdata_local_name(char *buf, size_t size)
{
	return tzdata_name_from("/etc/localtime", "/etc/timezone", buf, size);
}

static bool read_version(const char *file, const char *prefix, char out[TZDATA_VERSION_SIZE])
{
	char path[PATH_MAX], text[64];
	size_t skip = strlen(prefix);
	ssize_t len;

	if (snprintf(path, sizeof path, "%s/%s", find_folder(), file) >= (int)sizeof path)
		return false;
	len = read_file(path, (unsigned char *)text, sizeof text - 1);
	if (len < 0)
		return false;
	text[len] = '\0';
	if (strncmp(text, prefix, skip) != 0)
		return false;
	text[skip + strspn(text + skip, "abcdefghijklmnopqrstuvwxyz0123456789-.")] = '\0';
	return snprintf(out, TZDATA_VERSION_SIZE, "%.*s", TZDATA_VERSION_SIZE - 1, text + skip) > 0;
}

void tzdata_version(char out[TZDATA_VERSION_SIZE])
{
	if (!read_version("tzdata.zi", "# version ", out) && !read_version("+VERSION", "", out))
		snprintf(out, TZDATA_VERSION_SIZE, "unknown");
}
