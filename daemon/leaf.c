#include "daemon/leaf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Our place in the unified hierarchy: the line "0::PATH". */
static bool read_place(char *out, size_t size)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "0::/", 4) == 0 && strlen(line + 3) < size) {
			memcpy(out, line + 3, strlen(line + 3) + 1);
			found = true;
		}
	}
	fclose(file);
	return found;
}

/* Where cgroup2 is mounted, and which of its folders is mounted there. proc(5), mountinfo */
static bool read_mount(char *root, char *point, size_t size)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], format[64];
	bool found = false;

	if (!file)
		return false;
	snprintf(format, sizeof(format), "%%*d %%*d %%*s %%%zus %%%zus", size - 1, size - 1);
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, " - cgroup2 ") && sscanf(line, format, root, point) == 2;
	fclose(file);
	return found;
}

static bool is_ours(const char *path, bool top)
{
	char value[8];
	struct stat st;

	if (stat(path, &st) || access(path, W_OK))
		return false;
	if (top || (geteuid() != 0 && st.st_uid == geteuid()))
		return true;
	return getxattr(path, "user.delegate", value, sizeof(value)) == 1 ||
	       getxattr(path, "trusted.delegate", value, sizeof(value)) == 1;
}

int leaf_find_base(char *out, size_t size)
{
	char place[256], root[256], point[256], *below = place;
	size_t len;

	out[0] = 0;
	if (!read_place(place, sizeof(place)) || !read_mount(root, point, sizeof(point)))
		return -ENOENT;
	len = strlen(root);
	if (strcmp(root, "/") != 0) {
		if (strncmp(place, root, len) != 0)
			return -ENOENT;
		below = place + len;
	}
	if (strcmp(below, "/") == 0)
		below = place + strlen(place);
	if ((size_t)snprintf(out, size, "%s%s", point, below) >= size ||
	    !is_ours(out, !*below)) {
		out[0] = 0;
		return -ENOENT;
	}
	return 0;
}

void leaf_forget(const char *base, const char *name)
{
	char path[1024];

	if (base[0] && (size_t)snprintf(path, sizeof(path), "%s/chime-%s", base, name) <
		       sizeof(path))
		rmdir(path);
}

int leaf_open(const char *base, const char *name, char *path, size_t size)
{
	int fd, error;

	if ((size_t)snprintf(path, size, "%s/chime-%s", base, name) >= size)
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	error = errno;
	rmdir(path);
	return -error;
}

void leaf_kill(const char *path)
{
	char file[1024];
	int fd;

	if ((size_t)snprintf(file, sizeof(file), "%s/cgroup.kill", path) >= sizeof(file))
		return;
	fd = open(file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		errno = 0;	/* best effort: the caller also walks /proc */
	close(fd);
}

bool leaf_remove(const char *path)
{
	return rmdir(path) == 0 || errno == ENOENT;
}
