-- The journal of one server: what it heard and said, as bytes, and the tables that questions need.
-- Everything but frames, heads and lineages can be made again from the frames.

CREATE TABLE meta (
	name TEXT PRIMARY KEY,
	value ANY
) STRICT, WITHOUT ROWID;

-- One start of one server, and how far its log is proved here.
CREATE TABLE lineages (
	server TEXT NOT NULL,
	boot INTEGER NOT NULL,
	tag INTEGER NOT NULL,
	seq INTEGER NOT NULL,		-- highest contiguous event, covered by a head
	hash BLOB NOT NULL,		-- of the frame that ends with seq
	PRIMARY KEY (server, boot, tag)
) STRICT, WITHOUT ROWID;

-- Frames as received; id is the order in which they were accepted here.
CREATE TABLE frames (
	id INTEGER PRIMARY KEY,
	server TEXT NOT NULL,
	boot INTEGER NOT NULL,
	tag INTEGER NOT NULL,
	first_seq INTEGER NOT NULL,
	last_seq INTEGER NOT NULL,
	hash BLOB NOT NULL,
	received INTEGER NOT NULL,	-- microseconds since 1970
	raw BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX frames_by_place ON frames (server, boot, tag, first_seq);
CREATE INDEX frames_by_hash ON frames (hash);
CREATE INDEX frames_by_seq ON frames (server, last_seq);
CREATE INDEX frames_by_age ON frames (received);

-- Signed heads, each covering the frame that ends with seq and all before.
CREATE TABLE heads (
	server TEXT NOT NULL,
	boot INTEGER NOT NULL,
	tag INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	raw BLOB NOT NULL,
	PRIMARY KEY (server, boot, tag, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE peers (
	server TEXT PRIMARY KEY,
	certificate BLOB,		-- DER
	addresses TEXT NOT NULL,	-- one a line
	boot INTEGER NOT NULL,		-- highest (boot, counter) of a head when last written
	counter INTEGER NOT NULL,
	heard INTEGER NOT NULL,
	version TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
	server TEXT NOT NULL,
	job TEXT NOT NULL,
	defined INTEGER NOT NULL,	-- 0: removed, or only mentioned
	definition BLOB,		-- packed JobDefined as published
	defined_at INTEGER NOT NULL,
	held INTEGER NOT NULL,
	held_by TEXT NOT NULL,
	held_reason TEXT,
	held_at INTEGER NOT NULL,
	cursor INTEGER,			-- the newest slot decided, seconds since 1970
	PRIMARY KEY (server, job)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
	server TEXT NOT NULL,
	run INTEGER NOT NULL,		-- seq of the event that created it
	boot INTEGER NOT NULL,
	tag INTEGER NOT NULL,
	job TEXT NOT NULL,
	own INTEGER NOT NULL,		-- 1: made here, 2: made here in a past that peers gave back
	state INTEGER NOT NULL,
	cause INTEGER NOT NULL,
	cycle TEXT NOT NULL,
	slot TEXT NOT NULL,
	slot_time INTEGER,
	flags INTEGER NOT NULL,		-- see journal_tables.c
	actor TEXT NOT NULL,
	reason TEXT,
	unmet TEXT,
	ignored TEXT,
	made_by TEXT NOT NULL,		-- "server boot tag seq hash" of the event, or ""
	proofs TEXT NOT NULL,		-- the same, one a line
	rerun_of INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	created INTEGER NOT NULL,
	started INTEGER NOT NULL,
	ended INTEGER NOT NULL,
	late INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	definition BLOB,
	exit_code INTEGER,
	signal INTEGER NOT NULL,
	error INTEGER NOT NULL,
	output_bytes INTEGER NOT NULL,
	truncated INTEGER NOT NULL,
	detail TEXT NOT NULL,
	end_boot INTEGER NOT NULL,	-- the event that ended it
	end_tag INTEGER NOT NULL,
	end_seq INTEGER NOT NULL,
	end_hash BLOB,
	PRIMARY KEY (server, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_job ON runs (server, job, run);
CREATE INDEX runs_by_time ON runs (created);
CREATE INDEX runs_by_end ON runs (ended);
-- Exactly once, enforced where it is stored: a slot makes one run, an event makes one run a cycle.
-- What peers gave back after a restore (own = 2) and what was found in the spool (rerun_of) tell of
-- the past, and of two pasts if need be: they are recorded, never refused.
CREATE UNIQUE INDEX runs_once_per_slot ON runs (server, job, slot)
	WHERE own = 1 AND slot <> '' AND rerun_of = 0;
CREATE UNIQUE INDEX runs_once_per_event ON runs (server, job, cycle, made_by)
	WHERE own = 1 AND made_by <> '';

CREATE TABLE attempts (
	server TEXT NOT NULL,
	run INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	ended BLOB NOT NULL,		-- packed RunEnded
	PRIMARY KEY (server, run, attempt)
) STRICT, WITHOUT ROWID;

-- Answers to commands by their idempotency key.
CREATE TABLE commands (
	key BLOB PRIMARY KEY,
	at INTEGER NOT NULL,
	reply BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX commands_by_age ON commands (at);
