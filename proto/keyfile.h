/*
 * keyfile.h - reading and writing the small files of an identity.
 *
 * Secrets are refused when anybody but their owner could read them; nothing is ever
 * half-written: a file is there whole and synced, or not at all.
 *
 * Errors are texts for people, of up to three lines without a final newline:
 *
 *	cannot use the key /etc/chime/id.key
 *	why:   its mode is 0644, wider than 0600
 *	try:   chmod 600 /etc/chime/id.key
 */
#ifndef CHIME_PROTO_KEYFILE_H
#define CHIME_PROTO_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	KEYFILE_MAX = 256 * 1024,
	KEYFILE_ERR_SIZE = 1024,
};

enum keyfile_mode {
	KEYFILE_NEW,			/* -EEXIST when there is one */
	KEYFILE_REPLACE,
};

/*
 * Reads a whole regular file and ends it with a NUL that *len does not count; free with
 * keyfile_free(). what: "the key", "the certificate" ... for the error text. secret: the mode
 * may not be wider than 0600. -errno, -EFBIG above KEYFILE_MAX, -EPERM for the mode.
 */
int keyfile_read(const char *path, const char *what, bool secret, char **out, size_t *len,
	char *err, size_t err_size);

/* Wipes and frees; NULL is allowed. */
void keyfile_free(char *text, size_t len);

/* Writes a file of mode 0600 (secret) or 0644 and syncs it with its directory. -errno. */
int keyfile_write(const char *path, const char *what, bool secret, enum keyfile_mode mode,
	const void *data, size_t len, char *err, size_t err_size);

/* Puts up to three lines together; why and try may be NULL. Returns code. */
int keyfile_error(char *err, size_t err_size, int code, const char *what, const char *why,
	const char *try_this);

#endif
