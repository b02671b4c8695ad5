/*
 * disk.c - what an administrator can do to a database file: copy it, and put the copy back.
 * The one file here that looks behind journal.h, as a copy of the file would.
 */
#include "tests/sim/sim.h"

#include "daemon/edge/journal_sql.h"

#include <stdlib.h>

struct journal *disk_copy(struct journal *journal)
{
	struct journal *copy;
	sqlite3_backup *backup;
	char err[256];

	if (journal_open(&copy, ":memory:", err, sizeof(err)) < 0) {
		fprintf(stderr, "sim: %s\n", err);
		exit(1);
	}
	backup = sqlite3_backup_init(copy->db, "main", journal->db, "main");
	if (!backup || sqlite3_backup_step(backup, -1) != SQLITE_DONE) {
		fprintf(stderr, "sim: %s\n", sqlite3_errmsg(copy->db));
		exit(1);
	}
	sqlite3_backup_finish(backup);
	return copy;
}

void disk_crash(struct journal *journal)
{
	journal_rollback(journal);
	/* After a failed commit the journal takes its transaction for over; the process ends. */
	if (!sqlite3_get_autocommit(journal->db))
		sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
}
