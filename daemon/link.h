/*
 * link.h - what the node and the launcher say to each other: fixed-size structs over a
 * SOCK_SEQPACKET socketpair, one message a packet, host byte order (one machine, one build).
 *
 * The launcher never executes a command line sent to it: a start names a job and the hash of its
 * definition, and the launcher looks both up in its own registry. Every field from the node is
 * checked again by the launcher (lengths, NUL ends, names); the launcher is trusted by the node.
 *
 * node -> launcher                              launcher -> node
 *   HELLO      who I am (server, environment)     SCANNED    every directory of the spool was
 *   RELOAD     read the job files anew                       reported; follows the STATE messages
 *   COMMITTED  generation g is in my journal      SET        an accepted set, a memfd with its text
 *   START      run R, attempt A of job J, hash    REFUSED    a reload failed, memfd with the errors
 *   KILL       stop that run: TERM, grace, KILL   STATE      what is known of one attempt
 *   ACK        its end is in my journal           OUTPUT     an open file descriptor, or -errno
 *   OPEN       I want to read its output
 */
#ifndef CHIME_DAEMON_LINK_H
#define CHIME_DAEMON_LINK_H

#include <stdbool.h>
#include <stdint.h>

enum { LINK_FD = 3 };	/* the launcher's end, inherited from chimed */

enum link_kind {
	LINK_HELLO = 1,
	LINK_RELOAD,
	LINK_COMMITTED,
	LINK_START,
	LINK_KILL,
	LINK_ACK,
	LINK_OPEN,
	LINK_SCANNED,
	LINK_SET,
	LINK_REFUSED,
	LINK_STATE,
	LINK_OUTPUT,
};

/* One attempt of one run of this server. */
struct attempt_id {
	uint64_t boot, tag;	/* lineage of the event that created the run */
	uint64_t seq;		/* its seq: the run's number */
	uint32_t attempt;	/* from 1 */
	uint32_t reserved;	/* 0, so that the struct has no padding */
};

enum attempt_state {
	ATTEMPT_RUNNING = 1,	/* exec succeeded; pid and started_us are set. In a report of the
				 * scan pid may be 0: launched, told again when exec succeeded */
	ATTEMPT_ENDED,		/* the record is complete; RUNNING came before it, but for a start
				 * error and for what the scan found ended */
	ATTEMPT_NOT_STARTED,	/* nothing was forked: unknown job or hash, no folder, errno set */
	ATTEMPT_LOST,		/* it was or may have been forked, and left no record */
};

enum attempt_result {
	RESULT_SUCCESS = 1,	/* exit code in success_codes */
	RESULT_FAILED,
	RESULT_START_ERROR,	/* no exec: `error` says why; counts as failed */
	RESULT_TIMEOUT,		/* stopped by max_time */
	RESULT_KILLED,		/* stopped by a LINK_KILL */
	RESULT_LOST,		/* with ATTEMPT_LOST */
};

/* What the exit record holds; times are wall clock microseconds, 0 = unknown. */
struct attempt_report {
	struct attempt_id id;
	uint32_t state;		/* enum attempt_state */
	uint32_t result;	/* enum attempt_result, 0 while running */
	int32_t exit_code;	/* -1 = none */
	int32_t signal;		/* 0 = none */
	int32_t error;		/* errno of a failed start, else 0 */
	int32_t pid;
	int64_t started_us, ended_us;
	int64_t user_us, system_us;	/* rusage */
	int64_t max_rss_kib;
	uint64_t output_bytes;
	uint32_t truncated;		/* 1 = output was cut */
	uint32_t overlooked;		/* 1 = found in the spool, the node did not ask for it */
	int64_t slot_utc_s;		/* from the spec as the texts below; INT64_MIN = no slot */
	char job[121];			/* from the spec, for runs the journal does not know */
	char cycle[40], slot[40], cause[12];
	char detail[128];	/* text for people, e.g. "user batch: no such user" */
};

struct link_message {
	uint32_t kind;		/* enum link_kind; an fd rides along with SET, REFUSED, OUTPUT */
	uint32_t count;		/* SET, REFUSED: jobs / errors; OPEN, OUTPUT: cookie */
	uint64_t generation;	/* SET, COMMITTED; grows, not by one */
	struct attempt_report report;	/* STATE; the id alone for KILL, ACK, OPEN, OUTPUT (and its
					 * error, 0 = the fd is there); START: id, job, cycle,
					 * slot, cause */
	/* START: of the definition; SCANNED: the spool's own id, 32 hex digits */
	uint8_t hash[32];
	int64_t slot_utc_s;		/* INT64_MIN = no slot */
	/* HELLO */
	char server[64], environment[64];
};

#endif
