/* The model's side of the journal: jobs, runs, attempts, peers, answered commands. */
#include "daemon/edge/journal_sql.h"

#include "daemon/core/event.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bits of runs.flags. */
enum {
	FLAG_FORCED = 1 << 0,
	FLAG_NEEDS_CONDITION = 1 << 1,
	FLAG_NO_DOWNSTREAM = 1 << 2,
	FLAG_IGNORE_HOLD = 1 << 3,
	FLAG_IGNORE_OVERLAP = 1 << 4,
	FLAG_KILLING = 1 << 5,
};

enum { REF_TEXT_SIZE = NAME_SERVER_MAX + 3 * 21 + 2 * MODEL_HASH_SIZE + 8 };

/* ---- references as text ---- */

static void format_ref(const struct event_ref *ref, char *out, size_t size)
{
	char hex[2 * MODEL_HASH_SIZE + 1];

	if (!ref->seq) {
		out[0] = 0;
		return;
	}
	digest_hex_encode(ref->hash, sizeof(ref->hash), hex);
	snprintf(out, size, "%s %llu %llu %llu %s", ref->server, (unsigned long long)ref->boot,
		 (unsigned long long)ref->tag, (unsigned long long)ref->seq, hex);
}

static bool parse_ref(const char *text, struct event_ref *ref)
{
	unsigned long long boot, tag, seq;
	char hex[2 * MODEL_HASH_SIZE + 1];

	memset(ref, 0, sizeof(*ref));
	if (sscanf(text, "%63s %llu %llu %llu %64s", ref->server, &boot, &tag, &seq, hex) != 5 ||
	    digest_hex_decode(hex, ref->hash, sizeof(ref->hash)) < 0) {
		memset(ref, 0, sizeof(*ref));
		return false;
	}
	ref->boot = boot;
	ref->tag = tag;
	ref->seq = seq;
	return true;
}

static char *format_refs(const struct event_ref *refs, size_t count)
{
	char *text = calloc(count + 1, REF_TEXT_SIZE), *at = text;

	assert(text);
	for (size_t i = 0; i < count; i++) {
		format_ref(&refs[i], at, REF_TEXT_SIZE);
		at += strlen(at);
		*at++ = '\n';
	}
	*at = 0;
	return text;
}

static void parse_refs(struct run *run, const char *text)
{
	for (const char *line = text; *line; line = strchrnul(line, '\n') + 1) {
		struct event_ref ref;

		if (parse_ref(line, &ref)) {
			run->proofs = realloc(run->proofs,
					      (run->proof_count + 1) * sizeof(*run->proofs));
			assert(run->proofs);
			run->proofs[run->proof_count++] = ref;
		}
		if (!*strchrnul(line, '\n'))
			break;
	}
}

/* ---- writing ---- */

static uint8_t *pack_definition(const struct job *job, size_t *len)
{
	Chime__JobDefined def = CHIME__JOB_DEFINED__INIT;
	uint8_t *bytes;

	def.job = (char *)job->name;
	def.server_text = job->server_text;
	def.about = job->about;
	def.has_schedule_kind = true;
	def.schedule_kind = (Chime__ScheduleKind)job->schedule.kind;
	def.schedule = job->schedule_text;
	def.timezone = job->timezone;
	if (job->schedule.kind == SCHEDULE_AT) {
		def.dst_gap = (char *)dst_gap_name(job->schedule.gap);
		def.dst_overlap = (char *)dst_overlap_name(job->schedule.overlap);
	}
	def.cycle = job->cycle == CYCLE_DEFAULT ? NULL : (char *)cycle_kind_name(job->cycle);
	def.after = job->after;
	def.has_overlap = def.has_overlap_n = def.has_enabled = def.has_max_time_us = true;
	def.overlap = (Chime__OverlapKind)job->overlap;
	def.overlap_n = job->overlap_n;
	def.enabled = job->enabled;
	def.max_time_us = job->max_time_us;
	def.has_hash = true;
	def.hash = (ProtobufCBinaryData){ sizeof(job->hash), (uint8_t *)job->hash };
	*len = chime__job_defined__get_packed_size(&def);
	bytes = malloc(*len + 1);
	assert(bytes);
	chime__job_defined__pack(&def, bytes);
	return bytes;
}

static void write_job(struct journal *journal, const struct job *job)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	size_t len;
	uint8_t *def = pack_definition(job, &len);

	bind_text(stmt, 1, job->server);
	bind_text(stmt, 2, job->name);
	bind_int(stmt, 3, job->defined);
	bind_blob(stmt, 4, def, len);
	bind_int(stmt, 5, job->defined_us);
	bind_int(stmt, 6, job->held);
	bind_text(stmt, 7, job->held_by);
	bind_text(stmt, 8, job->held_reason);
	bind_int(stmt, 9, job->held_us);
	if (job->cursor_s != INT64_MIN)
		bind_int(stmt, 10, job->cursor_s);
	journal_run(journal, stmt);
	free(def);
}

static int64_t run_flags(const struct run *run)
{
	return (run->forced ? FLAG_FORCED : 0) | (run->needs_condition ? FLAG_NEEDS_CONDITION : 0) |
	       (run->no_downstream ? FLAG_NO_DOWNSTREAM : 0) |
	       (run->ignore_hold ? FLAG_IGNORE_HOLD : 0) |
	       (run->ignore_overlap ? FLAG_IGNORE_OVERLAP : 0) | (run->killing ? FLAG_KILLING : 0);
}

static void write_attempt(struct journal *journal, const struct run *run)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?)");
	size_t len = chime__run_ended__get_packed_size(run->last_attempt);
	uint8_t *bytes = malloc(len + 1);

	assert(bytes);
	chime__run_ended__pack(run->last_attempt, bytes);
	bind_text(stmt, 1, run->id.server);
	bind_int(stmt, 2, (int64_t)run->id.seq);
	bind_int(stmt, 3, run->last_attempt->ref->attempt);
	bind_blob(stmt, 4, bytes, len);
	journal_run(journal, stmt);
	free(bytes);
}

static void bind_run(sqlite3_stmt *stmt, const struct run *run)
{
	int at = 0;

	bind_text(stmt, ++at, run->id.server);
	bind_int(stmt, ++at, (int64_t)run->id.seq);
	bind_int(stmt, ++at, (int64_t)run->boot);
	bind_int(stmt, ++at, (int64_t)run->tag);
	bind_text(stmt, ++at, run->job->name);
	bind_int(stmt, ++at, run->returned ? 2 : run->job->own);
	bind_int(stmt, ++at, run->state);
	bind_int(stmt, ++at, run->cause);
	bind_text(stmt, ++at, run->cycle);
	bind_text(stmt, ++at, run->slot);
	if (run->slot_time_s != INT64_MIN)
		bind_int(stmt, at + 1, run->slot_time_s);
	at++;
	bind_int(stmt, ++at, run_flags(run));
	bind_text(stmt, ++at, run->actor);
	bind_text(stmt, ++at, run->reason);
	bind_text(stmt, ++at, run->unmet);
	bind_text(stmt, ++at, run->ignored);
	at += 2;	/* made_by and proofs: bound by the caller, who owns the texts */
	bind_int(stmt, ++at, (int64_t)run->rerun_of);
	bind_int(stmt, ++at, run->expires_us);
	bind_int(stmt, ++at, run->created_us);
	bind_int(stmt, ++at, run->started_us);
	bind_int(stmt, ++at, run->ended_us);
	bind_int(stmt, ++at, run->late_us);
	bind_int(stmt, ++at, run->attempt);
	bind_blob(stmt, ++at, run->definition, sizeof(run->definition));
	if (run->exit_code >= 0)
		bind_int(stmt, at + 1, run->exit_code);
	at++;
	bind_int(stmt, ++at, run->signal);
	bind_int(stmt, ++at, run->error);
	bind_int(stmt, ++at, (int64_t)run->output_bytes);
	bind_int(stmt, ++at, run->truncated);
	bind_text(stmt, ++at, run->detail);
	bind_int(stmt, ++at, (int64_t)run->ended.boot);
	bind_int(stmt, ++at, (int64_t)run->ended.tag);
	bind_int(stmt, ++at, (int64_t)run->ended.seq);
	bind_blob(stmt, ++at, run->ended.hash, sizeof(run->ended.hash));
}

static void write_run(struct journal *journal, struct run *run)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
		"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
		"ON CONFLICT (server, run) DO UPDATE SET state = excluded.state, "
		"flags = excluded.flags, proofs = excluded.proofs, "
		"started = excluded.started, ended = excluded.ended, attempt = excluded.attempt, "
		"definition = excluded.definition, exit_code = excluded.exit_code, "
		"signal = excluded.signal, error = excluded.error, "
		"output_bytes = excluded.output_bytes, truncated = excluded.truncated, "
		"detail = excluded.detail, end_boot = excluded.end_boot, "
		"end_tag = excluded.end_tag, end_seq = excluded.end_seq, "
		"end_hash = excluded.end_hash");
	char by[REF_TEXT_SIZE];
	char *proofs = format_refs(run->proofs, run->proof_count);

	format_ref(&run->by, by, sizeof(by));
	bind_run(stmt, run);
	bind_text(stmt, 17, by);
	bind_text(stmt, 18, proofs);
	journal_run(journal, stmt);
	free(proofs);
	if (run->last_attempt) {
		write_attempt(journal, run);
		chime__run_ended__free_unpacked(run->last_attempt, NULL);
		run->last_attempt = NULL;
	}
}

void journal_write_model(struct journal *journal, struct model *model)
{
	while (model->changed_jobs) {
		struct job *job = model->changed_jobs;

		model->changed_jobs = job->next_changed;
		job->changed = false;
		write_job(journal, job);
	}
	while (model->changed_runs) {
		struct run *run = model->changed_runs;

		model->changed_runs = run->next_changed;
		run->changed = false;
		write_run(journal, run);
	}
}

/* ---- loading ---- */

static void load_job(struct model *model, sqlite3_stmt *stmt)
{
	struct job *job = model_mention_job(model, column_text(stmt, 1), column_text(stmt, 0));
	Chime__JobDefined *def = NULL;

	if (sqlite3_column_int(stmt, 2))
		def = chime__job_defined__unpack(NULL, (size_t)sqlite3_column_bytes(stmt, 3),
						 sqlite3_column_blob(stmt, 3));
	if (def)
		job_set_definition(model, job, def, sqlite3_column_int64(stmt, 4));
	chime__job_defined__free_unpacked(def, NULL);
	job->held = sqlite3_column_int(stmt, 5) != 0;
	snprintf(job->held_by, sizeof(job->held_by), "%s", column_text(stmt, 6));
	if (sqlite3_column_type(stmt, 7) != SQLITE_NULL)
		job->held_reason = strdup(column_text(stmt, 7));
	job->held_us = sqlite3_column_int64(stmt, 8);
#ifndef MUTANT_SLOT_CURSOR_FORGOTTEN
	job->cursor_s = sqlite3_column_type(stmt, 9) == SQLITE_NULL ?
				INT64_MIN : sqlite3_column_int64(stmt, 9);
#endif
	job->changed = false;
}

static void load_jobs(struct journal *journal, struct model *model)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT server, job, defined, definition, defined_at, held, held_by, held_reason, "
		"held_at, cursor FROM jobs");

	while (journal_row(journal, stmt))
		load_job(model, stmt);
	model->changed_jobs = NULL;
}

static char *column_copy(sqlite3_stmt *stmt, int at)
{
	return sqlite3_column_type(stmt, at) == SQLITE_NULL ? NULL : strdup(column_text(stmt, at));
}

static void read_run_facts(struct run *run, sqlite3_stmt *stmt)
{
	int64_t flags = sqlite3_column_int64(stmt, 11);

	run->boot = (uint64_t)sqlite3_column_int64(stmt, 2);
	run->tag = (uint64_t)sqlite3_column_int64(stmt, 3);
	run->cause = (Chime__Cause)sqlite3_column_int(stmt, 7);
	snprintf(run->cycle, sizeof(run->cycle), "%s", column_text(stmt, 8));
	snprintf(run->slot, sizeof(run->slot), "%s", column_text(stmt, 9));
	run->slot_time_s = sqlite3_column_type(stmt, 10) == SQLITE_NULL ?
				   INT64_MIN : sqlite3_column_int64(stmt, 10);
	run->forced = flags & FLAG_FORCED;
	run->needs_condition = flags & FLAG_NEEDS_CONDITION;
	run->no_downstream = flags & FLAG_NO_DOWNSTREAM;
	run->ignore_hold = flags & FLAG_IGNORE_HOLD;
	run->ignore_overlap = flags & FLAG_IGNORE_OVERLAP;
	run->killing = flags & FLAG_KILLING;
	snprintf(run->actor, sizeof(run->actor), "%s", column_text(stmt, 12));
	run->reason = column_copy(stmt, 13);
	run->unmet = column_copy(stmt, 14);
	run->ignored = column_copy(stmt, 15);
	(void)parse_ref(column_text(stmt, 16), &run->by);
	parse_refs(run, column_text(stmt, 17));
}

static void read_run_course(struct run *run, sqlite3_stmt *stmt)
{
	run->rerun_of = (uint64_t)sqlite3_column_int64(stmt, 18);
	run->expires_us = sqlite3_column_int64(stmt, 19);
	run->created_us = sqlite3_column_int64(stmt, 20);
	run->started_us = sqlite3_column_int64(stmt, 21);
	run->ended_us = sqlite3_column_int64(stmt, 22);
	run->late_us = sqlite3_column_int64(stmt, 23);
	run->attempt = (uint32_t)sqlite3_column_int(stmt, 24);
	if (sqlite3_column_bytes(stmt, 25) == sizeof(run->definition))
		memcpy(run->definition, sqlite3_column_blob(stmt, 25), sizeof(run->definition));
	run->exit_code = sqlite3_column_type(stmt, 26) == SQLITE_NULL ?
				 -1 : sqlite3_column_int(stmt, 26);
	run->signal = sqlite3_column_int(stmt, 27);
	run->error = sqlite3_column_int(stmt, 28);
	run->output_bytes = (uint64_t)sqlite3_column_int64(stmt, 29);
	run->truncated = sqlite3_column_int(stmt, 30) != 0;
	snprintf(run->detail, sizeof(run->detail), "%s", column_text(stmt, 31));
	run->ended.boot = (uint64_t)sqlite3_column_int64(stmt, 32);
	run->ended.tag = (uint64_t)sqlite3_column_int64(stmt, 33);
	run->ended.seq = (uint64_t)sqlite3_column_int64(stmt, 34);
	snprintf(run->ended.server, sizeof(run->ended.server), "%s", run->id.server);
	if (sqlite3_column_bytes(stmt, 35) == sizeof(run->ended.hash))
		memcpy(run->ended.hash, sqlite3_column_blob(stmt, 35), sizeof(run->ended.hash));
}

/* Acts owed before the stop are owed again; each of them is harmless when it was done already. */
static void restore_debts(struct model *model, struct run *run)
{
	if (!run->job->own)
		return;
	if (run_state_active(run->state) && run->killing)
		model_run_owes(model, run, RUN_DO_KILL);
	if (run->expires_us && run->expires_us < model->next_expiry_us)
		model->next_expiry_us = run->expires_us;
}

static void load_runs(struct journal *journal, struct model *model)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT * FROM runs AS r WHERE state < 4 OR run = (SELECT max(s.run) FROM runs AS s "
		"WHERE s.server = r.server AND s.job = r.job) ORDER BY server, run");

	while (journal_row(journal, stmt)) {
		struct job *job = model_mention_job(model, column_text(stmt, 4),
						    column_text(stmt, 0));
		struct run *run = model_add_run(model, job,
						(uint64_t)sqlite3_column_int64(stmt, 1));

		read_run_facts(run, stmt);
		read_run_course(run, stmt);
		run_set_state(model, run, (Chime__RunState)sqlite3_column_int(stmt, 6));
		restore_debts(model, run);
		run->changed = false;
	}
	model->changed_runs = NULL;
}

/* What own condition runs have taken as proof. */
static void load_seen(struct journal *journal, struct model *model, int64_t since_us)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT server, job, cycle, made_by, proofs, created FROM runs "
		"WHERE own > 0 AND cause = 2 AND created >= ?");

	bind_int(stmt, 1, since_us);
	while (journal_row(journal, stmt)) {
		struct job *job = model_mention_job(model, column_text(stmt, 1),
						    column_text(stmt, 0));
		const char *cycle = column_text(stmt, 2);
		int64_t created_us = sqlite3_column_int64(stmt, 5);
		struct run refs = { 0 };

		if (parse_ref(column_text(stmt, 3), &refs.by))
			model_note_seen(model, job, cycle, &refs.by, created_us);
		parse_refs(&refs, column_text(stmt, 4));
		for (size_t i = 0; i < refs.proof_count; i++)
			model_note_seen(model, job, cycle, &refs.proofs[i], created_us);
		free(refs.proofs);
	}
}

static void load_facts(struct journal *journal, struct model *model, int64_t since_us)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT server, job, cycle, state, end_boot, end_tag, end_seq, end_hash, ended "
		"FROM runs WHERE state >= 4 AND ended >= ?");

	bind_int(stmt, 1, since_us);
	while (journal_row(journal, stmt)) {
		struct job *job = model_mention_job(model, column_text(stmt, 1),
						    column_text(stmt, 0));
		struct event_ref ref = { 0 };
		unsigned had;

		snprintf(ref.server, sizeof(ref.server), "%s", job->server);
		ref.boot = (uint64_t)sqlite3_column_int64(stmt, 4);
		ref.tag = (uint64_t)sqlite3_column_int64(stmt, 5);
		ref.seq = (uint64_t)sqlite3_column_int64(stmt, 6);
		if (sqlite3_column_bytes(stmt, 7) == sizeof(ref.hash))
			memcpy(ref.hash, sqlite3_column_blob(stmt, 7), sizeof(ref.hash));
		(void)fact_note(job, column_text(stmt, 2),
				(Chime__RunState)sqlite3_column_int(stmt, 3), &ref,
				sqlite3_column_int64(stmt, 8), &had);
	}
}

void journal_load_model(struct journal *journal, struct model *model, int64_t facts_since_us)
{
	load_jobs(journal, model);
	load_runs(journal, model);
	load_facts(journal, model, facts_since_us);
	load_seen(journal, model, facts_since_us);
}

/* ---- peers ---- */

void journal_put_peer(struct journal *journal, const struct journal_peer *peer)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"INSERT OR REPLACE INTO peers VALUES (?, ?, ?, ?, ?, ?, ?)");

	bind_text(stmt, 1, peer->server);
	bind_blob(stmt, 2, peer->certificate, peer->certificate_len);
	bind_text(stmt, 3, peer->addresses);
	bind_int(stmt, 4, (int64_t)peer->boot);
	bind_int(stmt, 5, (int64_t)peer->counter);
	bind_int(stmt, 6, peer->heard_us);
	bind_text(stmt, 7, peer->version);
	journal_run(journal, stmt);
}

void journal_each_peer(struct journal *journal,
		       void (*give)(void *arg, const struct journal_peer *peer), void *arg)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT server, certificate, addresses, boot, counter, heard, version FROM peers");

	while (journal_row(journal, stmt)) {
		struct journal_peer peer = { 0 };

		snprintf(peer.server, sizeof(peer.server), "%s", column_text(stmt, 0));
		peer.certificate = sqlite3_column_blob(stmt, 1);
		peer.certificate_len = (size_t)sqlite3_column_bytes(stmt, 1);
		peer.addresses = column_text(stmt, 2);
		peer.boot = (uint64_t)sqlite3_column_int64(stmt, 3);
		peer.counter = (uint64_t)sqlite3_column_int64(stmt, 4);
		peer.heard_us = sqlite3_column_int64(stmt, 5);
		peer.version = column_text(stmt, 6);
		give(arg, &peer);
	}
}

/* ---- answered commands ---- */

bool journal_find_command(struct journal *journal, const void *key, size_t key_len,
			  uint8_t **reply, size_t *len)
{
	sqlite3_stmt *stmt = journal_statement(journal, "SELECT reply FROM commands WHERE key = ?");
	bool found;

	bind_blob(stmt, 1, key, key_len);
	found = journal_row(journal, stmt);
	if (found) {
		*len = (size_t)sqlite3_column_bytes(stmt, 0);
		*reply = malloc(*len + 1);
		assert(*reply);
		memcpy(*reply, sqlite3_column_blob(stmt, 0), *len);
	}
	sqlite3_reset(stmt);
	return found;
}

void journal_put_command(struct journal *journal, const void *key, size_t key_len, int64_t at_us,
			 const void *reply, size_t len)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"INSERT OR REPLACE INTO commands VALUES (?, ?, ?)");

	bind_blob(stmt, 1, key, key_len);
	bind_int(stmt, 2, at_us);
	bind_blob(stmt, 3, reply, len);
	journal_run(journal, stmt);
}

/* ---- questions ---- */

bool journal_run_is_over(struct journal *journal, const char *server, uint64_t run)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT 1 FROM runs WHERE server = ?1 AND state >= 4 AND "
		"(run = ?2 OR (rerun_of = ?2 AND cause <> 4))");
	bool found;

	bind_text(stmt, 1, server);
	bind_int(stmt, 2, (int64_t)run);
	found = journal_row(journal, stmt);
	sqlite3_reset(stmt);
	return found;
}

bool journal_find_attempt(struct journal *journal, const char *server, const char *job,
			  uint64_t run, struct attempt_id *id)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT boot, tag, run, attempt FROM runs WHERE server = ? AND job = ? "
		"AND attempt > 0 AND (?3 = 0 OR run = ?3) ORDER BY run DESC LIMIT 1");
	bool found;

	bind_text(stmt, 1, server);
	bind_text(stmt, 2, job);
	bind_int(stmt, 3, (int64_t)run);
	found = journal_row(journal, stmt);
	if (found)
		*id = (struct attempt_id){ .boot = (uint64_t)sqlite3_column_int64(stmt, 0),
					   .tag = (uint64_t)sqlite3_column_int64(stmt, 1),
					   .seq = (uint64_t)sqlite3_column_int64(stmt, 2),
					   .attempt = (uint32_t)sqlite3_column_int(stmt, 3) };
	sqlite3_reset(stmt);
	return found;
}

struct row_texts {
	char *proofs[CONDITION_ATOMS_MAX + 1];
	char proof_text[CONDITION_ATOMS_MAX + 1][NAME_SERVER_MAX + 24];
	size_t proof_count;
	char *unmet[64], *ignored[64];
	size_t unmet_count, ignored_count;
};

static size_t split_lines(char *text, char **list, size_t max)
{
	size_t count = 0;
	char *save = NULL;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line && count < max;
	     line = strtok_r(NULL, "\n", &save))
		list[count++] = line;
	return count;
}

static void fill_proofs(struct row_texts *texts, const struct run *run)
{
	texts->proof_count = 0;
	for (size_t i = 0; i < run->proof_count && i < CONDITION_ATOMS_MAX; i++) {
		event_ref_format(&run->proofs[i], texts->proof_text[i]);
		texts->proofs[i] = texts->proof_text[i];
		texts->proof_count++;
	}
}

static size_t read_attempts(struct journal *journal, const struct run *run,
			    Chime__RunEnded **list, size_t max)
{
	sqlite3_stmt *stmt = journal_statement(journal,
		"SELECT ended FROM attempts WHERE server = ? AND run = ? ORDER BY attempt");
	size_t count = 0;

	bind_text(stmt, 1, run->id.server);
	bind_int(stmt, 2, (int64_t)run->id.seq);
	while (count < max && journal_row(journal, stmt)) {
		list[count] = chime__run_ended__unpack(NULL, (size_t)sqlite3_column_bytes(stmt, 0),
						       sqlite3_column_blob(stmt, 0));
		count += list[count] != NULL;
	}
	sqlite3_reset(stmt);
	return count;
}

static void fill_attempt(Chime__AttemptRow *row, const Chime__RunEnded *e)
{
	chime__attempt_row__init(row);
	row->has_attempt = row->has_started = row->has_ended = true;
	row->attempt = e->ref ? e->ref->attempt : 0;
	row->state = (char *)run_state_name(e->state);
	row->has_exit_code = e->has_exit_code;
	row->exit_code = e->exit_code;
	row->has_signal = e->signal != 0;
	row->signal = e->signal;
	row->started = e->started;
	row->ended = e->ended;
	row->has_user_us = row->has_system_us = row->has_max_rss_kib = true;
	row->user_us = e->user_us;
	row->system_us = e->system_us;
	row->max_rss_kib = e->max_rss_kib;
	row->has_output_bytes = row->has_truncated = true;
	row->output_bytes = e->output_bytes;
	row->truncated = e->truncated;
	row->detail = e->detail;
}

static void fill_row(Chime__RunRow *row, struct run *run, const char *job,
		     struct row_texts *texts)
{
	row->job = (char *)job;
	row->server = run->id.server;
	row->has_run = true;
	row->run = run->id.seq;
	row->state = (char *)run_state_name(run->state);
	row->has_exit_code = run->exit_code >= 0;
	row->exit_code = run->exit_code;
	row->has_signal = run->signal != 0;
	row->signal = run->signal;
	row->cycle = run->cycle;
	row->slot = run->slot[0] ? run->slot : NULL;
	row->cause = (char *)cause_name(run->cause);
	row->has_forced = true;
	row->forced = run->forced;
	row->by = run->actor[0] ? run->actor : NULL;
	row->reason = run->reason;
	row->has_attempts = true;
	row->attempts = run->attempt;
	row->has_created = true;
	row->created = run->created_us;
	row->has_started = run->started_us != 0;
	row->started = run->started_us;
	row->has_ended = run->ended_us != 0;
	row->ended = run->ended_us;
	row->has_late_us = true;
	row->late_us = run->late_us;
	row->detail = run->detail[0] ? run->detail : NULL;
	fill_proofs(texts, run);
	row->proof = texts->proofs;
	row->n_proof = texts->proof_count;
	row->n_unmet = split_lines(run->unmet, texts->unmet, 64);
	row->unmet = texts->unmet;
	row->n_ignored = split_lines(run->ignored, texts->ignored, 64);
	row->ignored = texts->ignored;
}

enum { ATTEMPTS_MAX = 32 };

static void give_run(struct journal *journal, struct run *run, const char *job, bool attempts,
		     void (*give)(void *arg, const Chime__RunRow *row), void *arg)
{
	Chime__RunEnded *ended[ATTEMPTS_MAX];
	Chime__AttemptRow rows[ATTEMPTS_MAX], *list[ATTEMPTS_MAX];
	Chime__RunRow row = CHIME__RUN_ROW__INIT;
	struct row_texts texts;
	size_t count = attempts ? read_attempts(journal, run, ended, ATTEMPTS_MAX) : 0;

	fill_row(&row, run, job, &texts);
	for (size_t i = 0; i < count; i++) {
		fill_attempt(&rows[i], ended[i]);
		list[i] = &rows[i];
	}
	row.attempt = list;
	row.n_attempt = count;
	give(arg, &row);
	for (size_t i = 0; i < count; i++)
		chime__run_ended__free_unpacked(ended[i], NULL);
}

void journal_each_run(struct journal *journal, const char *job, const char *server, uint64_t run,
		      uint32_t limit, bool attempts,
		      void (*give)(void *arg, const Chime__RunRow *row), void *arg)
{
	/* Exact names use the index; globs walk backwards in time until the limit. */
	bool exact = job[0] && server[0] && !glob_has_wildcard(job) && !glob_has_wildcard(server);
	sqlite3_stmt *stmt = exact ?
		journal_statement(journal, "SELECT * FROM runs WHERE server = ?1 AND job = ?2 "
				  "AND (?3 = 0 OR run = ?3) ORDER BY run DESC") :
		run ? journal_statement(journal, "SELECT * FROM runs WHERE run = ?3 AND ?1 >= '' "
					"AND ?2 >= '' ORDER BY created DESC") :
		journal_statement(journal, "SELECT * FROM runs WHERE ?1 >= '' AND ?2 >= '' "
				  "AND ?3 >= 0 ORDER BY created DESC");
	uint32_t given = 0;

	bind_text(stmt, 1, server);
	bind_text(stmt, 2, job);
	bind_int(stmt, 3, (int64_t)run);
	while (given < limit && journal_row(journal, stmt)) {
		struct run r = { 0 };
		char name[NAME_JOB_MAX + 1];

		snprintf(name, sizeof(name), "%s", column_text(stmt, 4));
		if ((job[0] && !glob_match(job, name)) ||
		    (server[0] && !glob_match(server, column_text(stmt, 0))))
			continue;
		snprintf(r.id.server, sizeof(r.id.server), "%s", column_text(stmt, 0));
		r.id.seq = (uint64_t)sqlite3_column_int64(stmt, 1);
		r.state = (Chime__RunState)sqlite3_column_int(stmt, 6);
		read_run_facts(&r, stmt);
		read_run_course(&r, stmt);
		give_run(journal, &r, name, attempts, give, arg);
		free(r.proofs);
		free(r.reason);
		free(r.unmet);
		free(r.ignored);
		given++;
	}
	sqlite3_reset(stmt);
}
