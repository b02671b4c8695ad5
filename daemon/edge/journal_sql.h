/*
 * journal_sql.h - what the files of the journal share: the connection, cached statements, binding.
 * Included by daemon/edge/journal*.c only.
 */
#ifndef CHIME_DAEMON_EDGE_JOURNAL_SQL_H
#define CHIME_DAEMON_EDGE_JOURNAL_SQL_H

#include "daemon/edge/journal.h"

#include <sqlite3.h>

enum { JOURNAL_STATEMENTS_MAX = 64 };

struct journal {
	sqlite3 *db;
	struct {
		const char *sql;	/* the literal itself: compared by address */
		sqlite3_stmt *stmt;
	} cache[JOURNAL_STATEMENTS_MAX];
	size_t cached;
	bool in_turn, dirty;
	char error[256];		/* the first failure; "" = none */
};

/* The statement of a string literal, reset and without bindings. NULL after a failure. */
sqlite3_stmt *journal_statement(struct journal *journal, const char *sql);

/* Runs a statement that gives no rows; opens the turn's transaction when it writes. */
void journal_run(struct journal *journal, sqlite3_stmt *stmt);

/* True when there is a row; false at the end and after a failure. */
bool journal_row(struct journal *journal, sqlite3_stmt *stmt);

/* Binding by position; texts and blobs must live until the statement has run. */
void bind_text(sqlite3_stmt *stmt, int at, const char *text);	/* NULL = NULL */
void bind_blob(sqlite3_stmt *stmt, int at, const void *data, size_t len);
void bind_int(sqlite3_stmt *stmt, int at, int64_t value);

/* Text of a column, never NULL. */
const char *column_text(sqlite3_stmt *stmt, int at);

/* In journal_tables.c: writes what the model marked as changed. */
void journal_write_model(struct journal *journal, struct model *model);

#endif
