/*
 * spool.h - the files of one run directory, written by launcher and shepherd, read by the launcher.
 *
 *   data/launcher/spool/<seq>.<attempt>.<tag, 16 hex digits>/     0700, the launcher's
 *     spec      what to run; written and synced by the launcher before anything is forked
 *     record    two blocks of 4 KiB, zeros at first, reserved by the launcher likewise:
 *                 0     how it ended
 *                 4096  that it began: not all zeros = a fork of the job was at least tried; pids
 *               The file is the lock too: flock'ed by the launcher before the fork, the descriptor
 *               inherited by the shepherd and held for life
 *     ctl       SOCK_SEQPACKET socket the shepherd listens on
 *     output    what the job wrote (output.h)
 *
 * Few files, because making and removing them is what costs most in the start of a run.
 *
 * Format of spec and of the two blocks (fields.h): fields "KEY:LENGTH:VALUE\n", the first one names
 * the kind and its version, the last one is "crc:8:HEX" over all bytes before it. Unknown keys are
 * skipped, so that a launcher and a shepherd of two versions understand each other. A block is
 * filled up with zeros and overwritten in place.
 *
 * Invariants
 * 1. The end is committed by ONE write of one block. The CRC inside is the commit mark: a torn,
 *    partial or unwritten block has a wrong CRC (zeros: none) and counts as "no record"; nobody is
 *    told of the end before the fdatasync after the write. So no second mark and no second sync.
 * 2. Both blocks are allocated before the fork and overwritten in place: a full disk can refuse a
 *    start, never lose a result.
 * 3. Directories are handed over as descriptors; every file is opened with O_NOFOLLOW below them.
 */
#ifndef CHIME_DAEMON_SPOOL_H
#define CHIME_DAEMON_SPOOL_H

#include "daemon/link.h"

#include <stddef.h>
#include <sys/types.h>

enum {
	SPOOL_NAME_SIZE = 64,
	SPOOL_BLOCK = 4096,
	SPOOL_SPEC_MAX = 1 << 20,
	SPOOL_BOOT_ID_SIZE = 37,
	SPOOL_PATH_SIZE = 512,
};

/* The shepherd's descriptors, as the launcher hands them over. */
enum { SHEPHERD_DIR_FD = 3, SHEPHERD_CTL_FD = 4, SHEPHERD_RECORD_FD = 5 };

/* What is said over ctl, one packet each. */
enum spool_word {
	SPOOL_GO = 1,		/* to the shepherd, first of all: everything is on the disk, fork */
	SPOOL_KILL,		/* to it: TERM, grace, KILL */
	SPOOL_STARTED,		/* from it: exec succeeded, the begin is written */
	SPOOL_ENDED,		/* from it: the record is committed */
};

/* Everything the shepherd needs to know. Pointers point into `text` once decoded. */
struct spool_spec {
	struct attempt_id id;
	char job[121], server[64], environment[64];
	char cycle[40], slot[40], cause[12];
	int64_t slot_utc_s;			/* INT64_MIN = none */
	uint8_t hash[32];
	char boot_id[SPOOL_BOOT_ID_SIZE];
	char cgroup[SPOOL_PATH_SIZE];		/* folder for the leaf, "" = none */
	uint32_t run_is_text;
	const char *shell, *user, *dir;		/* NULL = not given */
	const char **run, **env;		/* NULL-terminated */
	int64_t max_time_us, kill_grace_us;
	uint8_t success_codes[32];
	uint64_t max_output;
	char *text;				/* owned */
};

struct spool_started {
	char boot_id[SPOOL_BOOT_ID_SIZE];
	char leaf[SPOOL_PATH_SIZE];	/* the run's own cgroup, "" = none */
	int32_t pid;			/* 0 = not forked yet, or not known */
	uint64_t ticks;			/* its start time, field 22 of /proc/PID/stat */
	uint64_t shepherd_ticks;
	int32_t shepherd;
	int64_t started_us;
};

/* "8831.1.00f3..." from seq, attempt and tag. */
void spool_name(const struct attempt_id *id, char out[SPOOL_NAME_SIZE]);

/* The inverse; boot stays 0, it is in the spec. -EINVAL for any other name. */
int spool_name_parse(const char *name, struct attempt_id *id);

/* malloc'ed text. -EFBIG when it would pass SPOOL_SPEC_MAX. */
int spool_spec_encode(const struct spool_spec *spec, char **text, size_t *len);

/* Copies `text`. -EBADMSG: not a complete spec. The result is to be freed with spool_spec_fini. */
int spool_spec_decode(const char *text, size_t len, struct spool_spec *spec);
void spool_spec_fini(struct spool_spec *spec);

/* Creates `spec`, which must not exist, and writes it. The descriptor, for fdatasync and close,
 * with the write to the disk already begun; or -errno. */
int spool_write_spec(int dir, const struct spool_spec *spec);
int spool_read_spec(int dir, struct spool_spec *spec);

/* Creates `record`, zero-written. The descriptor, as above, or -errno. */
int spool_reserve_record(int dir);

/* 1 = somebody holds the lock, 0 = nobody, -ENOENT = there is no record; else -errno. */
int spool_test_lock(int dir);

/* Completes the record: result, exit_code, signal, error, pid, times, output and detail of the
 * report; one write, one fdatasync. */
int spool_write_record(int fd, const struct attempt_report *report);

/* Fills those members. -ENODATA: no complete record. */
int spool_read_record(int dir, struct attempt_report *report);

/* Writes the begin into the record; with `sync` it is durable on return. */
int spool_write_started(int fd, const struct spool_started *started, bool sync);

/* -ENOENT: the job was never forked. -EBADMSG: a fork was tried, nothing is known of it. */
int spool_read_started(int dir, struct spool_started *started);

/* /proc/sys/kernel/random/boot_id; "" when it cannot be read. */
void spool_boot_id(char out[SPOOL_BOOT_ID_SIZE]);

/* The spec's part of a report: id, job, cycle, slot, cause; all other members are zeroed and
 * exit_code is -1. */
void spool_report_init(struct attempt_report *report, const struct spool_spec *spec);

/* Opens a listening ctl socket in `dir`, or connects to it. The path is /proc/self/fd/DIR/ctl, so
 * that neither the length of the real one nor a link in it matters. Descriptor or -errno. */
int spool_listen(int dir);
int spool_connect(int dir);

#endif
