#include "daemon/edge/journal_sql.h"

#include "schema/migrations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(struct journal *journal, const char *what)
{
	if (!journal->error[0])
		snprintf(journal->error, sizeof(journal->error), "%s (%s)",
			 sqlite3_errmsg(journal->db), what);
}

sqlite3_stmt *journal_statement(struct journal *journal, const char *sql)
{
	sqlite3_stmt *stmt;

	for (size_t i = 0; i < journal->cached; i++)
		if (journal->cache[i].sql == sql) {
			sqlite3_reset(journal->cache[i].stmt);
			sqlite3_clear_bindings(journal->cache[i].stmt);
			return journal->cache[i].stmt;
		}
	if (sqlite3_prepare_v3(journal->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
	    SQLITE_OK) {
		fail(journal, sql);
		return NULL;
	}
	if (journal->cached == JOURNAL_STATEMENTS_MAX) {
		/* More statements than room is our own bug; slow is better than wrong. */
		sqlite3_finalize(journal->cache[--journal->cached].stmt);
	}
	journal->cache[journal->cached].sql = sql;
	journal->cache[journal->cached].stmt = stmt;
	journal->cached++;
	return stmt;
}

/* A reader never opens a transaction, so that a turn without news costs no fsync. */
static void open_turn(struct journal *journal)
{
	if (journal->in_turn && !journal->dirty) {
		journal->dirty = true;
		if (sqlite3_exec(journal->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
			fail(journal, "begin");
	}
}

void journal_run(struct journal *journal, sqlite3_stmt *stmt)
{
	if (!stmt)
		return;
	/* BEGIN inside a half-bound statement is fine: it has not been stepped. */
	open_turn(journal);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		fail(journal, sqlite3_sql(stmt));
	sqlite3_reset(stmt);
}

bool journal_row(struct journal *journal, sqlite3_stmt *stmt)
{
	int rc;

	if (!stmt)
		return false;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		fail(journal, sqlite3_sql(stmt));
	sqlite3_reset(stmt);
	return false;
}

void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
	if (stmt && text)
		sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void bind_blob(sqlite3_stmt *stmt, int at, const void *data, size_t len)
{
	if (stmt && data)
		sqlite3_bind_blob64(stmt, at, data, len, SQLITE_STATIC);
}

void bind_int(sqlite3_stmt *stmt, int at, int64_t value)
{
	if (stmt)
		sqlite3_bind_int64(stmt, at, value);
}

const char *column_text(sqlite3_stmt *stmt, int at)
{
	const char *text = (const char *)sqlite3_column_text(stmt, at);

	return text ? text : "";
}

/* ---- opening ---- */

static int pragma_int(struct journal *journal, const char *sql)
{
	sqlite3_stmt *stmt;
	int value = -1;

	if (sqlite3_prepare_v2(journal->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

static bool pragma_text_is(struct journal *journal, const char *sql, const char *want)
{
	sqlite3_stmt *stmt;
	bool equal = false;

	if (sqlite3_prepare_v2(journal->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return false;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		equal = strcmp(column_text(stmt, 0), want) == 0;
	sqlite3_finalize(stmt);
	return equal;
}

/* The journal's rules (runs.md); each is asked back, for sqlite ignores what it can't do. */
static int set_rules(struct journal *journal, bool on_disk, char *err, size_t size)
{
	static const char rules[] = "PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON;"
				    "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=0;"
				    "PRAGMA temp_store=MEMORY; PRAGMA synchronous=FULL;"
				    "PRAGMA wal_autocheckpoint=1000; PRAGMA busy_timeout=0;"
				    "PRAGMA locking_mode=EXCLUSIVE;";

	if (on_disk && pragma_int(journal, "PRAGMA page_count") == 0)
		sqlite3_exec(journal->db, "PRAGMA auto_vacuum=INCREMENTAL", NULL, NULL, NULL);
	if (sqlite3_exec(journal->db, rules, NULL, NULL, NULL) != SQLITE_OK ||
	    (on_disk && !pragma_text_is(journal, "PRAGMA journal_mode=WAL", "wal")) ||
	    pragma_int(journal, "PRAGMA synchronous") != 2) {
		snprintf(err, size, "cannot put the database into WAL mode with full sync: %s",
			 sqlite3_errmsg(journal->db));
		return -EIO;
	}
	return 0;
}

/* A migration is not undone by hand: the file as it was stays beside it. */
static int copy_before_migration(struct journal *journal, const char *path, int from, char *err,
				 size_t size)
{
	char sql[1100], *quoted;

	quoted = sqlite3_mprintf("VACUUM INTO '%q.schema%d'", path, from);
	if (!quoted)
		return -ENOMEM;
	snprintf(sql, sizeof(sql), "%s", quoted);
	sqlite3_free(quoted);
	if (sqlite3_exec(journal->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	snprintf(err, size, "cannot copy the database before migrating it: %s",
		 sqlite3_errmsg(journal->db));
	return -EIO;
}

static int migrate(struct journal *journal, const char *path, char *err, size_t size)
{
	int version = pragma_int(journal, "PRAGMA user_version");
	char sql[64];

	if (version > schema_migration_count) {
		snprintf(err, size, "the database has schema %d, this program knows up to %d\n"
			 "why:   it was used by a newer version\n"
			 "try:   install that version again, or restore the copy it made",
			 version, schema_migration_count);
		return -ENOTSUP;
	}
	if (version > 0 && version < schema_migration_count &&
	    copy_before_migration(journal, path, version, err, size) < 0)
		return -EIO;
	for (; version < schema_migration_count; version++) {
		snprintf(sql, sizeof(sql), "PRAGMA user_version=%d; COMMIT", version + 1);
		if (sqlite3_exec(journal->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
		    sqlite3_exec(journal->db, schema_migrations[version], NULL, NULL, NULL) !=
			    SQLITE_OK ||
		    sqlite3_exec(journal->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
			snprintf(err, size, "cannot bring the database to schema %d: %s",
				 version + 1, sqlite3_errmsg(journal->db));
			return -EIO;
		}
	}
	return 0;
}

int journal_open(struct journal **out, const char *path, char *err, size_t size)
{
	bool on_disk = strcmp(path, ":memory:") != 0;
	struct journal *journal = calloc(1, sizeof(*journal));
	int r;

	if (!journal)
		return -ENOMEM;
	*out = journal;
	if (sqlite3_open_v2(path, &journal->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK) {
		snprintf(err, size, "cannot open %s: %s", path, sqlite3_errmsg(journal->db));
		r = -EIO;
		goto out;
	}
	if (on_disk)
		(void)chmod(path, 0600);
	r = set_rules(journal, on_disk, err, size);
	if (r == 0)
		r = migrate(journal, path, err, size);
out:
	if (r < 0) {
		journal_close(journal);
		*out = NULL;
	}
	return r;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	for (size_t i = 0; i < journal->cached; i++)
		sqlite3_finalize(journal->cache[i].stmt);
	sqlite3_close(journal->db);
	free(journal);
}

/* ---- turns ---- */

void journal_begin(struct journal *journal)
{
	journal->in_turn = true;
}

int journal_commit(struct journal *journal, struct model *model)
{
	if (!journal->error[0])
		journal_write_model(journal, model);
	if (journal->dirty && !journal->error[0] &&
	    sqlite3_exec(journal->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		fail(journal, "commit");
	journal->in_turn = journal->dirty = false;
	return journal->error[0] ? -EIO : 0;
}

void journal_rollback(struct journal *journal)
{
	if (journal->dirty)
		sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
	journal->in_turn = journal->dirty = false;
	journal->error[0] = 0;
}

const char *journal_error(const struct journal *journal)
{
	return journal->error;
}

bool journal_is_dirty(const struct journal *journal)
{
	return journal->dirty;
}

int64_t journal_meta(struct journal *journal, const char *name, int64_t otherwise)
{
	sqlite3_stmt *stmt = journal_statement(journal, "SELECT value FROM meta WHERE name = ?");

	bind_text(stmt, 1, name);
	if (journal_row(journal, stmt))
		otherwise = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return otherwise;
}

void journal_set_meta(struct journal *journal, const char *name, int64_t value)
{
	sqlite3_stmt *stmt = journal_statement(journal, "INSERT INTO meta VALUES (?, ?) "
		"ON CONFLICT (name) DO UPDATE SET value = excluded.value");

	bind_text(stmt, 1, name);
	bind_int(stmt, 2, value);
	journal_run(journal, stmt);
}
