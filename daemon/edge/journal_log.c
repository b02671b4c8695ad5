/* The log's side of the journal: frames, heads, how far each lineage is proved, pruning. */
#include "daemon/edge/journal_sql.h"

#include <string.h>

void journal_add_frame(struct journal *journal, const struct frame *frame,
		       const struct digest *hash, int64_t received_us)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"INSERT INTO frames (server, boot, tag, first_seq, last_seq, hash, received, raw) "
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?)");

	bind_text(stmt, 1, frame->origin);
	bind_int(stmt, 2, (int64_t)frame->lineage.boot);
	bind_int(stmt, 3, (int64_t)frame->lineage.tag);
	bind_int(stmt, 4, (int64_t)frame->first_seq);
	bind_int(stmt, 5, (int64_t)frame_last_seq(frame));
	bind_blob(stmt, 6, hash->b, sizeof(hash->b));
	bind_int(stmt, 7, received_us);
	bind_blob(stmt, 8, frame->raw, frame->raw_len);
	journal_run(journal, stmt);

	stmt = journal_statement(journal, "INSERT INTO lineages VALUES (?, ?, ?, ?, ?) "
		"ON CONFLICT (server, boot, tag) DO UPDATE SET seq = excluded.seq, "
		"hash = excluded.hash");
	bind_text(stmt, 1, frame->origin);
	bind_int(stmt, 2, (int64_t)frame->lineage.boot);
	bind_int(stmt, 3, (int64_t)frame->lineage.tag);
	bind_int(stmt, 4, (int64_t)frame_last_seq(frame));
	bind_blob(stmt, 5, hash->b, sizeof(hash->b));
	journal_run(journal, stmt);
}

void journal_add_head(struct journal *journal, const struct head *head)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?)");

	bind_text(stmt, 1, head->origin);
	bind_int(stmt, 2, (int64_t)head->lineage.boot);
	bind_int(stmt, 3, (int64_t)head->lineage.tag);
	bind_int(stmt, 4, (int64_t)head->seq);
	bind_blob(stmt, 5, head->raw, head->raw_len);
	journal_run(journal, stmt);
}

bool journal_has_frame(struct journal *journal, const char *server, const struct digest *hash)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT 1 FROM frames WHERE hash = ? AND server = ?");
	bool found;

	bind_blob(stmt, 1, hash->b, sizeof(hash->b));
	bind_text(stmt, 2, server);
	found = journal_row(journal, stmt);
	sqlite3_reset(stmt);
	return found;
}

bool journal_newest_head(struct journal *journal, const char *server, uint8_t *raw, size_t size,
			 size_t *len)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT raw FROM heads WHERE server = ? ORDER BY boot DESC, tag DESC, seq DESC "
		"LIMIT 1");
	bool found;

	bind_text(stmt, 1, server);
	found = journal_row(journal, stmt) && (size_t)sqlite3_column_bytes(stmt, 0) <= size;
	if (found) {
		*len = (size_t)sqlite3_column_bytes(stmt, 0);
		memcpy(raw, sqlite3_column_blob(stmt, 0), *len);
	}
	sqlite3_reset(stmt);
	return found;
}

/* ---- answering a pull ---- */

struct budget { size_t frames, bytes; };

/* The highest head within `limit` events of the range; else the lowest one beyond. */
static uint64_t find_end(struct journal *journal, const char *server, struct lineage l,
			 uint64_t from)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT min(seq) FROM heads WHERE server = ? AND boot = ? AND tag = ? AND seq >= ?");
	uint64_t seq = 0;

	bind_text(stmt, 1, server);
	bind_int(stmt, 2, (int64_t)l.boot);
	bind_int(stmt, 3, (int64_t)l.tag);
	bind_int(stmt, 4, (int64_t)from);
	if (journal_row(journal, stmt))
		seq = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return seq;
}

static void give_heads(struct journal *journal, const char *server, struct lineage l,
		       uint64_t from, uint64_t to, const struct journal_reader *reader)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT raw FROM heads WHERE server = ? AND boot = ? AND tag = ? "
		"AND seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT 16");

	bind_text(stmt, 1, server);
	bind_int(stmt, 2, (int64_t)l.boot);
	bind_int(stmt, 3, (int64_t)l.tag);
	bind_int(stmt, 4, (int64_t)from);
	bind_int(stmt, 5, (int64_t)to);
	while (journal_row(journal, stmt))
		reader->head(reader->arg, sqlite3_column_blob(stmt, 0),
			     (size_t)sqlite3_column_bytes(stmt, 0));
}

/* One lineage; false when the budget is spent before its end. */
static bool read_lineage(struct journal *journal, const char *server, struct lineage l,
			 uint64_t after, struct budget *budget,
			 const struct journal_reader *reader)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT first_seq, last_seq, raw FROM frames WHERE server = ? AND boot = ? "
		"AND tag = ? AND first_seq > ? ORDER BY first_seq");
	uint64_t first = 0, end = 0;
	bool all = true;

	bind_text(stmt, 1, server);
	bind_int(stmt, 2, (int64_t)l.boot);
	bind_int(stmt, 3, (int64_t)l.tag);
	bind_int(stmt, 4, (int64_t)after);
	while (journal_row(journal, stmt)) {
		size_t len = (size_t)sqlite3_column_bytes(stmt, 2);
		uint64_t last = (uint64_t)sqlite3_column_int64(stmt, 1);

		/* Once the budget is spent, go on to the next head: an answer ends at one. */
		if ((!budget->frames || budget->bytes < len) &&
		    find_end(journal, server, l, end) == end) {
			all = false;
			sqlite3_reset(stmt);
			break;
		}
		reader->frame(reader->arg, sqlite3_column_blob(stmt, 2), len);
		budget->frames -= budget->frames > 0;
		budget->bytes -= budget->bytes < len ? budget->bytes : len;
		if (!first)
			first = (uint64_t)sqlite3_column_int64(stmt, 0);
		end = last;
	}
	if (end)
		give_heads(journal, server, l, first, end, reader);
	return all;
}

static size_t list_lineages(struct journal *journal, const char *server, uint64_t from_boot,
			    struct lineage *list, size_t max)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT boot, tag FROM lineages WHERE server = ? AND boot >= ? "
		"ORDER BY boot, tag LIMIT ?");
	size_t count = 0;

	bind_text(stmt, 1, server);
	bind_int(stmt, 2, (int64_t)from_boot);
	bind_int(stmt, 3, (int64_t)max);
	while (count < max && journal_row(journal, stmt)) {
		list[count].boot = (uint64_t)sqlite3_column_int64(stmt, 0);
		list[count++].tag = (uint64_t)sqlite3_column_int64(stmt, 1);
	}
	sqlite3_reset(stmt);
	return count;
}

void journal_read_log(struct journal *journal, const char *server,
		      const struct journal_have *have, size_t have_count, size_t max_frames,
		      size_t max_bytes, const struct journal_reader *reader, bool *more)
{
	struct lineage list[256];
	uint64_t from_boot = have_count ? UINT64_MAX : 0;
	struct budget budget = { max_frames, max_bytes };
	size_t count;

	*more = false;
	for (size_t i = 0; i < have_count; i++)
		if (have[i].lineage.boot < from_boot)
			from_boot = have[i].lineage.boot;
	count = list_lineages(journal, server, from_boot, list, 256);
	for (size_t i = 0; i < count; i++) {
		uint64_t after = 0;

		for (size_t j = 0; j < have_count; j++)
			if (lineage_equal(have[j].lineage, list[i]))
				after = have[j].seq;
		if (!budget.frames || !budget.bytes ||
		    !read_lineage(journal, server, list[i], after, &budget, reader)) {
			*more = true;
			return;
		}
	}
	*more = count == 256;
}

/* ---- reading for people ---- */

int64_t journal_read_newest(struct journal *journal, int64_t before,
			    bool (*frame)(void *arg, const uint8_t *raw, size_t len), void *arg)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT id, raw FROM frames WHERE id < ? ORDER BY id DESC");
	int64_t id = 0;

	bind_int(stmt, 1, before ? before : INT64_MAX);
	while (journal_row(journal, stmt)) {
		id = sqlite3_column_int64(stmt, 0);
		if (!frame(arg, sqlite3_column_blob(stmt, 1),
			   (size_t)sqlite3_column_bytes(stmt, 1)))
			break;
	}
	sqlite3_reset(stmt);
	return id;
}

void journal_read_from(struct journal *journal, const char *server, uint64_t from,
		       bool (*frame)(void *arg, const uint8_t *raw, size_t len), void *arg)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT raw FROM frames WHERE server = ? AND last_seq >= ? ORDER BY last_seq");

	bind_text(stmt, 1, server);
	bind_int(stmt, 2, (int64_t)from);
	while (journal_row(journal, stmt))
		if (!frame(arg, sqlite3_column_blob(stmt, 0),
			   (size_t)sqlite3_column_bytes(stmt, 0)))
			break;
	sqlite3_reset(stmt);
}

void journal_each_lineage(struct journal *journal,
			  void (*give)(void *arg, const char *server, struct lineage lineage,
				       uint64_t seq, const struct digest *hash), void *arg)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT server, boot, tag, seq, hash FROM lineages ORDER BY server, boot, tag");

	while (journal_row(journal, stmt)) {
		struct lineage l = { (uint64_t)sqlite3_column_int64(stmt, 1),
				     (uint64_t)sqlite3_column_int64(stmt, 2) };
		struct digest hash = { { 0 } };

		if (sqlite3_column_bytes(stmt, 4) == DIGEST_SIZE)
			memcpy(hash.b, sqlite3_column_blob(stmt, 4), DIGEST_SIZE);
		give(arg, column_text(stmt, 0), l, (uint64_t)sqlite3_column_int64(stmt, 3), &hash);
	}
}

/* ---- retention ---- */

static void delete_older(struct journal *journal, const char *sql, int64_t before_us)
{
	sqlite3_stmt *stmt = journal_statement(journal, sql);

	bind_int(stmt, 1, before_us);
	journal_run(journal, stmt);
}

static bool deleted_any(const struct journal *journal)
{
	return sqlite3_changes(journal->db) > 0;
}

/* The age of the oldest rows that must go for the file to shrink below max_bytes: a tenth. */
static int64_t age_for_size(struct journal *journal, uint64_t max_bytes, int64_t before_us)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT p.page_count * s.page_size, (SELECT received FROM frames ORDER BY received "
		"LIMIT 1 OFFSET (SELECT count(*) / 10 FROM frames)) "
		"FROM pragma_page_count() AS p, pragma_page_size() AS s");
	int64_t age = before_us;

	if (journal_row(journal, stmt) &&
	    (uint64_t)sqlite3_column_int64(stmt, 0) > max_bytes &&
	    sqlite3_column_int64(stmt, 1) > before_us)
		age = sqlite3_column_int64(stmt, 1);
	sqlite3_reset(stmt);
	return age;
}

void journal_prune(struct journal *journal, int64_t before_us, uint64_t max_bytes)
{
	bool frames_went;

	before_us = age_for_size(journal, max_bytes, before_us);
	delete_older(journal, "DELETE FROM frames WHERE id IN (SELECT id FROM frames "
		     "WHERE received < ? ORDER BY received LIMIT 2000)", before_us);
	frames_went = deleted_any(journal);
	delete_older(journal, "DELETE FROM attempts WHERE (server, run) IN (SELECT server, run "
		     "FROM runs WHERE ended > 0 AND ended < ? ORDER BY ended LIMIT 2000)", before_us);
	delete_older(journal, "DELETE FROM runs WHERE ended > 0 AND ended < ?1 AND run < "
		     "(SELECT max(r.run) FROM runs AS r WHERE r.server = runs.server "
		     "AND r.job = runs.job)", before_us);
	delete_older(journal, "DELETE FROM commands WHERE at < ?", before_us);
	if (!frames_went)
		return;
	/* Heads of frames that went prove nothing anyone can ask for. */
	delete_older(journal, "DELETE FROM heads WHERE seq < (SELECT coalesce(min(f.first_seq), "
		     "heads.seq) FROM frames AS f WHERE f.server = heads.server AND "
		     "f.boot = heads.boot AND f.tag = heads.tag) AND ?1 > 0", before_us);
	if (sqlite3_exec(journal->db, "PRAGMA incremental_vacuum(200)", NULL, NULL, NULL) !=
	    SQLITE_OK)
		return;	/* space is given back another time */
}
