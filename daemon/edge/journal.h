/*
 * journal.h - the sqlite file: the log as bytes and the tables that questions need.
 *
 * The one place that includes sqlite3.h. One connection, one thread, one process; WAL and
 * synchronous=FULL, refused when they are not in force.
 *
 * Invariants
 * 1. Everything of a turn is written in one transaction; journal_commit is its one fsync.
 * 2. A failed write is remembered and reported by journal_commit: the process then ends.
 * 3. Migrations are schema/NNN-*.sql, numbered, applied at open, the file copied before; a newer
 *    schema is refused.
 */
#ifndef CHIME_DAEMON_EDGE_JOURNAL_H
#define CHIME_DAEMON_EDGE_JOURNAL_H

#include "daemon/core/model.h"
#include "daemon/link.h"
#include "proto/chain.h"
#include "proto/control.pb-c.h"

struct journal;

struct journal_peer {
	char server[NAME_SERVER_MAX + 1];
	const uint8_t *certificate;
	size_t certificate_len;
	const char *addresses, *version;
	uint64_t boot, counter;
	int64_t heard_us;
};

/* Opens or makes the file; ":memory:" is allowed (the simulator). On failure -errno and a text. */
int journal_open(struct journal **out, const char *path, char *err, size_t size);
void journal_close(struct journal *journal);

void journal_begin(struct journal *journal);
/* Writes what the model marked, then commits. 0 or -EIO, with the reason in journal_error. */
int journal_commit(struct journal *journal, struct model *model);
/* As a crash would: everything since journal_begin is gone. */
void journal_rollback(struct journal *journal);
const char *journal_error(const struct journal *journal);
/* True when something was written since journal_begin. */
bool journal_is_dirty(const struct journal *journal);

/* ---- the log ---- */
void journal_add_frame(struct journal *journal, const struct frame *frame,
		       const struct digest *hash, int64_t received_us);
void journal_add_head(struct journal *journal, const struct head *head);
bool journal_has_frame(struct journal *journal, const char *server, const struct digest *hash);
/* The newest head stored of a server; false when none. */
bool journal_newest_head(struct journal *journal, const char *server, uint8_t *raw, size_t size,
			 size_t *len);

/* Frames of one origin beyond what `have` names, oldest lineage first, at most max_frames and
 * max_bytes, ending at a head; each is given to `frame`, each head of the range to `head`. Lineages
 * older than the oldest in `have` are taken to be complete. *more: there is more. */
struct journal_have { struct lineage lineage; uint64_t seq; };
struct journal_reader {
	void (*frame)(void *arg, const uint8_t *raw, size_t len);
	void (*head)(void *arg, const uint8_t *raw, size_t len);
	void *arg;
};
void journal_read_log(struct journal *journal, const char *server,
		      const struct journal_have *have, size_t have_count, size_t max_frames,
		      size_t max_bytes, const struct journal_reader *reader, bool *more);

/* Frames newest first in order of acceptance, until `frame` returns false. before = 0: from the
 * end, else only ids below it. The id of the last one given is returned. */
int64_t journal_read_newest(struct journal *journal, int64_t before,
			    bool (*frame)(void *arg, const uint8_t *raw, size_t len), void *arg);
/* Frames of one server that hold seq >= from, ascending. */
void journal_read_from(struct journal *journal, const char *server, uint64_t from,
		       bool (*frame)(void *arg, const uint8_t *raw, size_t len), void *arg);

/* ---- tables ---- */
void journal_load_model(struct journal *journal, struct model *model, int64_t facts_since_us);
void journal_each_lineage(struct journal *journal,
			  void (*give)(void *arg, const char *server, struct lineage lineage,
				       uint64_t seq, const struct digest *hash), void *arg);
void journal_put_peer(struct journal *journal, const struct journal_peer *peer);
void journal_each_peer(struct journal *journal,
		       void (*give)(void *arg, const struct journal_peer *peer), void *arg);
int64_t journal_meta(struct journal *journal, const char *name, int64_t otherwise);
void journal_set_meta(struct journal *journal, const char *name, int64_t value);

/* Remembered answers; the reply is malloc'ed. */
bool journal_find_command(struct journal *journal, const void *key, size_t key_len,
			  uint8_t **reply, size_t *len);
void journal_put_command(struct journal *journal, const void *key, size_t key_len, int64_t at_us,
			 const void *reply, size_t len);

/* ---- questions ---- */
/* The newest attempt of a run, or with run = 0 of a job's newest run that had one. */
bool journal_find_attempt(struct journal *journal, const char *server, const char *job,
			  uint64_t run, struct attempt_id *id);
bool journal_run_is_over(struct journal *journal, const char *server, uint64_t run);
/* Runs newest first whose job matches `job` and `server` globs ("" = any), `run` != 0 = that one.
 * Rows are filled for a RunsReply; strings live until the next row. */
void journal_each_run(struct journal *journal, const char *job, const char *server, uint64_t run,
		      uint32_t limit, bool attempts,
		      void (*row)(void *arg, const Chime__RunRow *row), void *arg);

/* Drops what is older than `before_us` and gives the space back, a little at a time; own frames
 * and runs that are not over stay. */
void journal_prune(struct journal *journal, int64_t before_us, uint64_t max_bytes);

#endif
