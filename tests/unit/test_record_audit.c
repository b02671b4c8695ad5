/*
 * test_record_audit.c - what the recorder makes of a log that is whole, torn, repeated, disordered,
 * forged or forked; the same events as a chain delivers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/record/audit.h"
#include "proto/chain.h"
#include "tests/unit/pki.h"
#include "tests/unit/record_log.h"

enum { FINDINGS_MAX = 8192, TOLD_MAX = 16384 };

/* The certificates are made now, and good from now on. */
static int64_t start_us(void)
{
	return (int64_t)time(NULL) * 1000000;
}

struct told_event {
	char server[FRAME_ORIGIN_SIZE];
	uint64_t seq;
	enum proof proof;
	bool late;
};

struct world {
	struct pki pki;
	struct identity *alpha, *bravo, *authority;
	struct audit *audit;
	struct record_log log;
	int64_t now_us;
	uint8_t nonce[XAES_NONCE_SIZE];
	uint64_t nonces;
	struct finding findings[FINDINGS_MAX];
	size_t finding_count;
	struct told_event told[TOLD_MAX];
	size_t told_count;
};

static struct identity *load(const struct pki *pki, const char *name)
{
	char ca[256], certificate[256], key[256], err[KEYFILE_ERR_SIZE] = "";
	struct identity *id = NULL;

	pki_issue(pki, "ca", ROLE_SERVER, name, name, 0);
	if (identity_load(pki_path(pki, name, "ca.crt", ca),
			  pki_path(pki, name, "id.crt", certificate),
			  pki_path(pki, name, "id.key", key), &id, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	return id;
}

static void take_frame(void *arg, const struct told *told)
{
	struct world *w = arg;

	for (uint32_t i = 0; i < told->frame->count; i++) {
		struct told_event *e = &w->told[w->told_count++];

		assert_true(w->told_count <= TOLD_MAX);
		snprintf(e->server, sizeof(e->server), "%s", told->frame->origin);
		e->seq = told->frame->first_seq + i;
		e->proof = told->proof;
		e->late = told->late;
	}
}

static void take_finding(void *arg, const struct finding *finding)
{
	struct world *w = arg;

	assert_true(w->finding_count < FINDINGS_MAX);
	w->findings[w->finding_count++] = *finding;
}

static void begin(struct world *w)
{
	audit_free(w->audit);
	w->audit = audit_new(w->authority, identity_environment_id(w->authority),
			     (struct audit_sink){ take_frame, take_finding, w });
	w->log = (struct record_log){ .name = "alpha", .key = identity_key(w->alpha),
				      .lineage = { 3, 77 }, .wall_us = start_us() };
	memcpy(w->log.env_id, identity_environment_id(w->authority), sizeof(w->log.env_id));
	w->now_us = start_us();
	w->told_count = w->finding_count = 0;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char ca[256], err[KEYFILE_ERR_SIZE] = "";

	assert_non_null(w);
	pki_init(&w->pki);
	pki_environment(&w->pki, "ca", "test");
	w->alpha = load(&w->pki, "alpha");
	w->bravo = load(&w->pki, "bravo");
	if (identity_load_authority(pki_path(&w->pki, "ca", "ca.crt", ca), &w->authority, err,
				    sizeof(err)) < 0)
		fail_msg("%s", err);
	begin(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	audit_free(w->audit);
	identity_free(w->alpha);
	identity_free(w->bravo);
	identity_free(w->authority);
	pki_fini(&w->pki);
	free(w);
	return 0;
}

/* ---- hearing ---- */

static void hear(struct world *w, const struct record_letter *letter)
{
	w->nonces++;
	memcpy(w->nonce, &w->nonces, sizeof(w->nonces));
	audit_hear(w->audit, w->now_us, &letter->datagram, w->nonce, 500);
	w->now_us += 1000000;
}

static void hear_frame(struct world *w, const struct record_frame *frame, const struct head *head)
{
	struct record_letter letter;

	record_letter_init(&letter, "alpha");
	if (frame)
		record_letter_frame(&letter, frame);
	if (head)
		record_letter_head(&letter, head);
	hear(w, &letter);
}

static void open_log(struct world *w, struct record_frame *frame)
{
	size_t len;
	const uint8_t *der = identity_der(w->alpha, &len);

	record_open(&w->log, der, len, (struct lineage){ 0 }, 0, frame);
}

/* The opening and, each with its head, some frames of two events: frames[0] is the opening. */
static void make_log(struct world *w, struct record_frame *frames, struct head *heads,
		     size_t count)
{
	open_log(w, &frames[0]);
	heads[0] = record_head(&w->log);
	for (size_t i = 1; i < count; i++) {
		record_events(&w->log, 2, "eod/load", &frames[i]);
		heads[i] = record_head(&w->log);
	}
}

static size_t count_findings(const struct world *w, enum finding_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < w->finding_count; i++)
		count += w->findings[i].kind == kind;
	return count;
}

static const struct finding *find_finding(const struct world *w, enum finding_kind kind)
{
	for (size_t i = 0; i < w->finding_count; i++)
		if (w->findings[i].kind == kind)
			return &w->findings[i];
	fail_msg("no %s was told", finding_name(kind));
	return NULL;
}

struct wanted_figures {
	const char *server;
	struct audit_figures figures;
};

static void take_figures(const char *server, const struct audit_figures *figures, void *arg)
{
	struct wanted_figures *wanted = arg;

	if (strcmp(server, wanted->server) == 0)
		wanted->figures = *figures;
}

static struct audit_figures end(struct world *w, const char *server)
{
	struct wanted_figures wanted = { .server = server };

	audit_end(w->audit);
	audit_each(w->audit, take_figures, &wanted);
	return wanted.figures;
}

/* ---- tests ---- */

static void a_whole_log_is_signed_and_nothing_is_wrong(void **state)
{
	struct world *w = *state;
	struct record_frame frames[5];
	struct head heads[5];
	struct audit_figures f;

	begin(w);
	make_log(w, frames, heads, 5);
	for (size_t i = 0; i < 5; i++)
		hear_frame(w, &frames[i], &heads[i]);
	f = end(w, "alpha");
	assert_int_equal(f.events[PROOF_SIGNED], 9);
	assert_int_equal(f.events[PROOF_NONE] + f.events[PROOF_UNCHECKED], 0);
	assert_int_equal(f.datagrams, 5);
	assert_int_equal(f.heads, 5);
	assert_int_equal(f.lost + f.repairs + f.reordered + f.repeats + f.duplicates, 0);
	assert_int_equal(w->finding_count, 1);
	assert_int_equal(w->findings[0].kind, FINDING_CERTIFICATE);
	for (size_t i = 0; i < w->told_count; i++) {
		assert_int_equal(w->told[i].seq, i + 1);
		assert_int_equal(w->told[i].proof, PROOF_SIGNED);
		assert_false(w->told[i].late);
	}
}

static void what_is_lost_is_told_once_it_is_proved(void **state)
{
	struct world *w = *state;
	struct record_frame frames[6];
	struct head heads[6];
	struct audit_figures f;

	begin(w);
	make_log(w, frames, heads, 6);
	hear_frame(w, &frames[0], &heads[0]);
	hear_frame(w, &frames[1], &heads[1]);
	hear_frame(w, &frames[3], &heads[3]);
	assert_int_equal(count_findings(w, FINDING_GAP), 1);
	assert_int_equal(find_finding(w, FINDING_GAP)->first, 4);
	assert_int_equal(find_finding(w, FINDING_GAP)->last, 5);
	/* A head that knows less takes nothing back. */
	hear_frame(w, NULL, &heads[2]);
	assert_int_equal(count_findings(w, FINDING_GAP), 1);
	/* The tail: nobody would know but for the head. */
	hear_frame(w, NULL, &heads[5]);
	assert_int_equal(count_findings(w, FINDING_GAP), 2);
	assert_int_equal(w->findings[w->finding_count - 1].first, 8);
	assert_int_equal(w->findings[w->finding_count - 1].last, 11);
	f = end(w, "alpha");
	assert_int_equal(f.lost, 6);
	assert_int_equal(f.lost_ranges, 2);
	assert_int_equal(f.events[PROOF_SIGNED], 5);
}

static void a_beacon_repairs_and_repeats(void **state)
{
	struct world *w = *state;
	struct record_frame frames[4];
	struct head heads[4];
	struct record_letter beacon;
	struct audit_figures f;

	begin(w);
	make_log(w, frames, heads, 4);
	hear_frame(w, &frames[0], &heads[0]);
	hear_frame(w, &frames[2], &heads[2]);
	hear_frame(w, &frames[3], &heads[3]);
	/* As a server repeats: the newest first, under its newest head. */
	record_letter_init(&beacon, "alpha");
	record_letter_head(&beacon, &heads[3]);
	for (size_t i = 4; i-- > 1;)
		record_letter_frame(&beacon, &frames[i]);
	hear(w, &beacon);
	f = end(w, "alpha");
	assert_int_equal(count_findings(w, FINDING_GAP), 1);
	assert_int_equal(find_finding(w, FINDING_REPAIRED)->first, 2);
	assert_int_equal(find_finding(w, FINDING_REPAIRED)->last, 3);
	assert_int_equal(find_finding(w, FINDING_REPAIRED)->after_us, 2000000);
	assert_int_equal(f.repairs, 1);
	assert_int_equal(f.repeats, 2);
	assert_int_equal(f.reordered, 0);
	assert_int_equal(f.lost, 0);
	assert_int_equal(f.events[PROOF_SIGNED], 7);
	assert_true(w->told[w->told_count - 1].late);
	/* Three lost ones in one beacon: none of them is late by being behind the newest in it. */
	begin(w);
	make_log(w, frames, heads, 4);
	hear_frame(w, &frames[0], &heads[0]);
	record_letter_init(&beacon, "alpha");
	record_letter_head(&beacon, &heads[3]);
	for (size_t i = 4; i-- > 1;)
		record_letter_frame(&beacon, &frames[i]);
	hear(w, &beacon);
	f = end(w, "alpha");
	assert_int_equal(f.repairs, 0);
	assert_int_equal(count_findings(w, FINDING_GAP), 0);
}

static void the_same_datagram_again_is_a_duplicate(void **state)
{
	struct world *w = *state;
	struct record_frame frames[2];
	struct head heads[2];
	struct record_letter letter;
	struct audit_figures f;

	begin(w);
	make_log(w, frames, heads, 2);
	record_letter_init(&letter, "alpha");
	record_letter_frame(&letter, &frames[0]);
	record_letter_head(&letter, &heads[0]);
	hear(w, &letter);
	audit_hear(w->audit, w->now_us, &letter.datagram, w->nonce, 500);
	/* The same in another envelope is a repeat. */
	hear(w, &letter);
	f = end(w, "alpha");
	assert_int_equal(f.datagrams, 3);
	assert_int_equal(f.duplicates, 1);
	assert_int_equal(f.repeats, 1);
	assert_int_equal(w->told_count, 1);
}

static void what_was_overtaken_is_no_repair(void **state)
{
	struct world *w = *state;
	struct record_frame frames[6];
	struct head heads[6];
	struct audit_figures f;

	begin(w);
	make_log(w, frames, heads, 6);
	hear_frame(w, &frames[0], &heads[0]);
	hear_frame(w, &frames[2], &heads[2]);
	hear_frame(w, &frames[1], &heads[1]);
	/* A burst: only its last datagram has a head. */
	hear_frame(w, &frames[4], NULL);
	w->now_us -= 1000000 - 300;
	hear_frame(w, &frames[3], NULL);
	w->now_us -= 1000000 - 300;
	hear_frame(w, &frames[5], &heads[5]);
	f = end(w, "alpha");
	assert_int_equal(f.reordered, 2);
	assert_int_equal(f.repairs, 0);
	assert_int_equal(f.lost, 0);
	assert_int_equal(f.events[PROOF_SIGNED], 11);
	/* The burst was whole before anything of it was proved. */
	assert_int_equal(count_findings(w, FINDING_GAP), 1);
	/* Heads alone are overtaken as well. */
	begin(w);
	make_log(w, frames, heads, 3);
	hear_frame(w, NULL, &heads[1]);
	hear_frame(w, NULL, &heads[0]);
	assert_int_equal(end(w, "alpha").reordered, 1);
}

static void a_forged_frame_is_never_signed(void **state)
{
	struct world *w = *state;
	struct record_frame frames[4], forged, early;
	struct head heads[4];
	struct record_log other;
	struct audit_figures f;

	begin(w);
	make_log(w, frames, heads, 2);
	other = w->log;
	record_events(&w->log, 2, "eod/load", &frames[2]);
	heads[2] = record_head(&w->log);
	record_events(&other, 1, "eod/forged", &forged);
	hear_frame(w, &frames[0], &heads[0]);
	hear_frame(w, &frames[1], &heads[1]);
	/* Before and after the true one came; the second time it is only repeated. */
	hear_frame(w, &forged, NULL);
	hear_frame(w, &frames[2], &heads[2]);
	hear_frame(w, &forged, NULL);
	other.seq = 500;
	record_events(&other, 3, "eod/forged", &early);
	hear_frame(w, &early, NULL);
	f = end(w, "alpha");
	assert_int_equal(f.events[PROOF_SIGNED], 5);
	assert_int_equal(f.events[PROOF_NONE], 4);
	assert_int_equal(f.contradicted, 1);
	assert_int_equal(f.forks, 0);
	/* What nobody signed proves no hole. */
	assert_int_equal(f.lost, 0);
	assert_int_equal(count_findings(w, FINDING_GAP), 0);
	assert_int_equal(find_finding(w, FINDING_CONTRADICTED)->first, 4);
}

static void what_no_head_reaches_is_told_after_a_while(void **state)
{
	struct world *w = *state;
	struct record_frame frames[3];
	struct head heads[3];
	struct audit_figures f;

	begin(w);
	make_log(w, frames, heads, 3);
	hear_frame(w, &frames[0], &heads[0]);
	hear_frame(w, &frames[1], NULL);
	w->now_us += AUDIT_HOLD_US;
	hear_frame(w, NULL, &heads[0]);
	assert_int_equal(w->told_count, 3);
	assert_int_equal(w->told[2].proof, PROOF_NONE);
	/* Proof may still come; it is not told twice. */
	hear_frame(w, &frames[2], &heads[2]);
	f = end(w, "alpha");
	assert_int_equal(w->told_count, 5);
	assert_int_equal(f.events[PROOF_SIGNED], 5);
	assert_int_equal(f.events[PROOF_NONE], 0);
	assert_int_equal(f.lost, 0);
}

static void a_flipped_head_is_a_bad_signature(void **state)
{
	struct world *w = *state;
	struct record_frame frames[2];
	struct head heads[2], bad;
	struct audit_figures f;
	size_t malformed = 0;

	begin(w);
	make_log(w, frames, heads, 2);
	hear_frame(w, &frames[0], &heads[0]);
	for (size_t i = 0; i < heads[1].raw_len; i++) {
		w->finding_count = 0;
		bad = heads[1];
		bad.raw[i] ^= 0x04;
		hear_frame(w, NULL, &bad);
		if (w->finding_count && w->findings[0].kind == FINDING_MALFORMED) {
			malformed++;
			continue;
		}
		/* Of another name it is a head of somebody unknown, else it is refused. */
		assert_int_equal(w->finding_count, 1);
		assert_true(w->findings[0].kind == FINDING_BAD_SIGNATURE ||
			    strcmp(w->findings[0].server, "alpha") != 0);
	}
	assert_true(malformed > 16);
	f = end(w, "alpha");
	assert_int_equal(f.heads, 1);
	assert_int_equal(f.lost, 0);
	assert_int_equal(f.events[PROOF_SIGNED], 1);
	assert_true(f.bad_signatures > 150);
}

static void two_signed_hashes_at_one_place_are_a_fork(void **state)
{
	struct world *w = *state;
	struct record_frame frames[3], twin;
	struct head heads[3], twin_head;
	struct record_log other;
	struct audit_figures f;

	for (int way = 0; way < 3; way++) {
		begin(w);
		make_log(w, frames, heads, 2);
		other = w->log;
		record_events(&w->log, 2, "eod/load", &frames[2]);
		heads[2] = record_head(&w->log);
		other.counter = 40;
		record_events(&other, 2, "eod/other", &twin);
		twin_head = record_head(&other);
		hear_frame(w, &frames[0], &heads[0]);
		hear_frame(w, &frames[1], &heads[1]);
		/* Two frames with their heads; a head alone; two heads and no frame at all. */
		hear_frame(w, way < 2 ? &frames[2] : NULL, &heads[2]);
		hear_frame(w, way < 1 ? &twin : NULL, &twin_head);
		assert_int_equal(find_finding(w, FINDING_FORK)->first, way == 0 ? 4 : 5);
		assert_int_equal(find_finding(w, FINDING_FORK)->proof, PROOF_SIGNED);
		assert_string_equal(find_finding(w, FINDING_FORK)->server, "alpha");
		f = end(w, "alpha");
		assert_true(f.forks >= 1);
		assert_int_equal(f.bad_signatures, 0);
	}
}

static void two_heads_with_one_counter_are_a_fork(void **state)
{
	struct world *w = *state;
	struct record_frame frames[2];
	struct head heads[2], again;
	struct audit_figures f;

	begin(w);
	make_log(w, frames, heads, 2);
	hear_frame(w, &frames[0], &heads[0]);
	hear_frame(w, &frames[1], &heads[1]);
	w->log.counter--;
	w->log.wall_us++;
	again = record_head(&w->log);
	hear_frame(w, NULL, &again);
	assert_non_null(strstr(find_finding(w, FINDING_FORK)->detail, "one counter"));
	/* A third one at that place is no news. */
	w->log.counter--;
	w->log.wall_us++;
	again = record_head(&w->log);
	hear_frame(w, NULL, &again);
	assert_int_equal(count_findings(w, FINDING_FORK), 1);
	/* A later head that knows less: somebody else has the key. */
	begin(w);
	make_log(w, frames, heads, 2);
	hear_frame(w, &frames[0], &heads[0]);
	hear_frame(w, &frames[1], &heads[1]);
	w->log.seq = 1;
	w->log.tip = frames[0].hash;
	again = record_head(&w->log);
	hear_frame(w, NULL, &again);
	assert_non_null(strstr(find_finding(w, FINDING_FORK)->detail, "lower seq"));
	f = end(w, "alpha");
	assert_int_equal(f.forks, 1);
}

static void whichever_head_comes_first_the_fork_is_told(void **state)
{
	struct world *w = *state;
	struct record_frame frames[3];
	struct head heads[3], less;

	begin(w);
	make_log(w, frames, heads, 2);
	hear_frame(w, &frames[0], &heads[0]);
	w->log.counter = 9;
	less = record_head(&w->log);
	w->log.counter = 7;
	record_events(&w->log, 2, "eod/load", &frames[2]);
	heads[2] = record_head(&w->log);
	/* Counter 10 knows 3 events, counter 8 knew 5. */
	hear_frame(w, &frames[1], &less);
	hear_frame(w, &frames[2], &heads[2]);
	assert_int_equal(count_findings(w, FINDING_FORK), 1);
	assert_non_null(strstr(find_finding(w, FINDING_FORK)->detail, "lower seq"));
	assert_int_equal(end(w, "alpha").forks, 1);
	/* Overtaken heads that know less are as they should be. */
	begin(w);
	make_log(w, frames, heads, 3);
	hear_frame(w, &frames[0], &heads[0]);
	hear_frame(w, &frames[2], &heads[2]);
	hear_frame(w, &frames[1], &heads[1]);
	assert_int_equal(end(w, "alpha").forks, 0);
}

static void heads_from_before_the_certificate_are_compared_too(void **state)
{
	struct world *w = *state;
	struct record_frame frames[3];
	struct head heads[3], again, forged;
	struct record_log other;

	begin(w);
	make_log(w, frames, heads, 3);
	w->log.counter--;
	w->log.wall_us++;
	again = record_head(&w->log);
	hear_frame(w, &frames[2], &heads[2]);
	hear_frame(w, NULL, &again);
	assert_int_equal(count_findings(w, FINDING_FORK), 0);
	hear_frame(w, &frames[0], NULL);
	assert_non_null(strstr(find_finding(w, FINDING_FORK)->detail, "one counter"));
	assert_int_equal(end(w, "alpha").forks, 1);
	/* And one that was forged is refused now. */
	begin(w);
	make_log(w, frames, heads, 3);
	other = w->log;
	other.key = identity_key(w->bravo);
	forged = record_head(&other);
	hear_frame(w, &frames[2], &heads[2]);
	hear_frame(w, NULL, &forged);
	hear_frame(w, &frames[0], NULL);
	assert_int_equal(find_finding(w, FINDING_BAD_SIGNATURE)->first, 5);
	assert_int_equal(end(w, "alpha").bad_signatures, 1);
	assert_int_equal(count_findings(w, FINDING_FORK), 0);
}

/* Before the certificate came bravo said it was alpha, and nobody could tell. */
static void what_was_forged_before_the_certificate_is_no_fork(void **state)
{
	struct world *w = *state;
	struct record_frame frames[3], forged;
	struct head heads[3], forged_head;
	struct record_log other;
	struct audit_figures f;

	begin(w);
	make_log(w, frames, heads, 1);
	other = w->log;
	other.key = identity_key(w->bravo);
	other.counter = 70;
	for (size_t i = 1; i < 3; i++) {
		record_events(&w->log, 2, "eod/load", &frames[i]);
		heads[i] = record_head(&w->log);
	}
	record_events(&other, 1, "eod/forged", &forged);
	forged_head = record_head(&other);
	hear_frame(w, &forged, &forged_head);
	assert_int_equal(w->told[0].proof, PROOF_UNCHECKED);
	for (size_t i = 0; i < 3; i++)
		hear_frame(w, &frames[i], &heads[i]);
	f = end(w, "alpha");
	assert_int_equal(f.forks, 0);
	assert_int_equal(f.bad_signatures, 1);
	assert_true(f.contradicted >= 1);
	assert_int_equal(find_finding(w, FINDING_CONTRADICTED)->first, 2);
	assert_int_equal(f.events[PROOF_SIGNED], 5);
	assert_int_equal(f.events[PROOF_UNCHECKED], 1);
}

static void a_signed_frame_that_names_another_before_it_is_a_fork(void **state)
{
	struct world *w = *state;
	struct record_frame frames[3], unseen, behind;
	struct head heads[3], behind_head;
	struct record_log other;

	begin(w);
	make_log(w, frames, heads, 2);
	other = w->log;
	record_events(&w->log, 2, "eod/load", &frames[2]);
	heads[2] = record_head(&w->log);
	record_events(&other, 2, "eod/other", &unseen);
	record_events(&other, 1, "eod/other", &behind);
	other.counter = 40;
	behind_head = record_head(&other);
	for (size_t i = 0; i < 3; i++)
		hear_frame(w, &frames[i], &heads[i]);
	hear_frame(w, &behind, &behind_head);
	assert_int_equal(find_finding(w, FINDING_FORK)->first, 5);
	assert_int_equal(end(w, "alpha").forks, 1);
}

static void a_stub_tells_of_events_that_are_elsewhere(void **state)
{
	struct world *w = *state;
	struct record_frame frames[2], stub;
	struct head heads[2];
	struct frame full, short_form;

	for (int late = 0; late < 2; late++) {
		begin(w);
		make_log(w, frames, heads, 2);
		assert_int_equal(frame_parse(frames[1].raw, frames[1].len, &full), FRAME_OK);
		assert_int_equal(frame_make_stub(&full, stub.raw, sizeof(stub.raw), &short_form),
				 0);
		stub.len = short_form.raw_len;
		hear_frame(w, &frames[0], &heads[0]);
		/* With its head, or with that long after it was told. */
		hear_frame(w, &stub, late ? NULL : &heads[1]);
		w->now_us += late * AUDIT_HOLD_US;
		hear_frame(w, NULL, &heads[0]);
		hear_frame(w, NULL, &heads[1]);
		assert_int_equal(find_finding(w, FINDING_STUB)->last, 3);
		assert_int_equal(end(w, "alpha").stubs, 2);
		assert_int_equal(end(w, "alpha").events[PROOF_SIGNED], 1);
		assert_int_equal(end(w, "alpha").events[PROOF_NONE], 0);
		assert_int_equal(end(w, "alpha").lost, 0);
		assert_int_equal(w->told_count, 1);
	}
}

static void a_capture_that_begins_in_the_middle_misses_nothing_before(void **state)
{
	struct world *w = *state;
	struct record_frame frames[5];
	struct head heads[5];
	const uint8_t *der;
	size_t len;

	begin(w);
	make_log(w, frames, heads, 5);
	der = identity_der(w->alpha, &len);
	audit_add_certificate(w->audit, "alpha", der, len);
	hear_frame(w, &frames[4], &heads[4]);
	hear_frame(w, &frames[3], &heads[3]);
	hear_frame(w, &frames[1], &heads[1]);
	assert_int_equal(count_findings(w, FINDING_GAP) + count_findings(w, FINDING_REPAIRED), 0);
	/* With the opening it is known what there is. */
	hear_frame(w, &frames[0], &heads[0]);
	assert_int_equal(count_findings(w, FINDING_GAP), 1);
	assert_int_equal(find_finding(w, FINDING_GAP)->first, 4);
	assert_int_equal(find_finding(w, FINDING_GAP)->last, 5);
	hear_frame(w, &frames[2], &heads[2]);
	assert_int_equal(find_finding(w, FINDING_REPAIRED)->first, 4);
	/* Since the gap was told. */
	assert_int_equal(find_finding(w, FINDING_REPAIRED)->after_us, 1000000);
	assert_int_equal(end(w, "alpha").lost, 0);
}

static void without_a_certificate_heads_are_unchecked_until_it_comes(void **state)
{
	struct world *w = *state;
	struct record_frame frames[4];
	struct head heads[4];
	struct audit_figures f;
	const uint8_t *der;
	size_t len;

	begin(w);
	make_log(w, frames, heads, 4);
	hear_frame(w, &frames[1], &heads[1]);
	assert_int_equal(w->told[0].proof, PROOF_UNCHECKED);
	assert_int_equal(w->findings[0].kind, FINDING_UNCHECKED);
	/* Somebody repeats the opening: now the heads from before can be checked. */
	hear_frame(w, &frames[0], NULL);
	f = end(w, "alpha");
	assert_int_equal(f.events[PROOF_SIGNED], 3);
	assert_int_equal(f.events[PROOF_UNCHECKED], 0);
	/* Told without proof, then unchecked, then signed: it is counted once. */
	begin(w);
	make_log(w, frames, heads, 4);
	hear_frame(w, &frames[1], NULL);
	w->now_us += AUDIT_HOLD_US;
	hear_frame(w, NULL, NULL);
	assert_int_equal(w->told[0].proof, PROOF_NONE);
	hear_frame(w, NULL, &heads[1]);
	hear_frame(w, &frames[0], NULL);
	f = end(w, "alpha");
	assert_int_equal(w->told_count, 3);
	assert_int_equal(f.events[PROOF_SIGNED], 3);
	assert_int_equal(f.events[PROOF_UNCHECKED], 0);
	assert_int_equal(f.events[PROOF_NONE], 0);
	/* The capture begins in the middle, and the certificate is given. */
	begin(w);
	make_log(w, frames, heads, 4);
	der = identity_der(w->alpha, &len);
	audit_add_certificate(w->audit, "alpha", der, len);
	hear_frame(w, &frames[2], &heads[2]);
	hear_frame(w, &frames[3], &heads[3]);
	f = end(w, "alpha");
	assert_int_equal(f.events[PROOF_SIGNED], 4);
	assert_int_equal(f.lost, 0);
	assert_int_equal(count_findings(w, FINDING_UNCHECKED), 0);
}

static void a_certificate_of_another_is_refused(void **state)
{
	struct world *w = *state;
	struct record_frame frame;
	struct head head;
	struct audit_figures f;
	const uint8_t *der;
	size_t len;

	/* bravo holds a good certificate, the group key, and claims to be alpha. */
	begin(w);
	w->log.key = identity_key(w->bravo);
	der = identity_der(w->bravo, &len);
	record_open(&w->log, der, len, (struct lineage){ 0 }, 0, &frame);
	head = record_head(&w->log);
	hear_frame(w, &frame, &head);
	f = end(w, "alpha");
	assert_non_null(strstr(find_finding(w, FINDING_BAD_CERTIFICATE)->detail, "server bravo"));
	assert_int_equal(f.events[PROOF_SIGNED], 0);
	assert_int_equal(f.bad_certificates, 1);
	/* With alpha's own certificate known it is a bad signature. */
	der = identity_der(w->alpha, &len);
	begin(w);
	w->log.key = identity_key(w->bravo);
	audit_add_certificate(w->audit, "alpha", der, len);
	record_open(&w->log, NULL, 0, (struct lineage){ 0 }, 0, &frame);
	head = record_head(&w->log);
	hear_frame(w, &frame, &head);
	f = end(w, "alpha");
	assert_int_equal(f.bad_signatures, 1);
	assert_int_equal(f.events[PROOF_NONE], 1);
	/* Long after it expired an old certificate is nobody's. */
	begin(w);
	w->now_us += INT64_C(30) * 365 * 24 * 3600 * 1000000;
	audit_add_certificate(w->audit, "alpha", der, len);
	open_log(w, &frame);
	head = record_head(&w->log);
	hear_frame(w, &frame, &head);
	f = end(w, "alpha");
	assert_int_equal(f.events[PROOF_SIGNED], 0);
}

static void a_restart_tells_what_was_missed_before_it(void **state)
{
	struct world *w = *state;
	struct record_frame frames[4], up;
	struct head heads[4], head;
	struct lineage before;
	struct audit_figures f;
	const uint8_t *der;
	size_t len;

	begin(w);
	make_log(w, frames, heads, 4);
	hear_frame(w, &frames[0], &heads[0]);
	hear_frame(w, &frames[1], &heads[1]);
	before = w->log.lineage;
	w->log.lineage = (struct lineage){ 4, 99 };
	w->log.counter = 0;
	der = identity_der(w->alpha, &len);
	record_open(&w->log, der, len, before, 7, &up);
	head = record_head(&w->log);
	hear_frame(w, &up, &head);
	assert_int_equal(find_finding(w, FINDING_GAP)->first, 4);
	assert_int_equal(find_finding(w, FINDING_GAP)->last, 7);
	assert_int_equal(find_finding(w, FINDING_GAP)->lineage.boot, 3);
	f = end(w, "alpha");
	assert_int_equal(f.lost, 4);
	assert_int_equal(count_findings(w, FINDING_OPENING), 0);
	assert_int_equal(count_findings(w, FINDING_FORK), 0);
	/* Without the opening it is told that it is missing. */
	begin(w);
	make_log(w, frames, heads, 2);
	hear_frame(w, &frames[0], &heads[0]);
	w->log.lineage = (struct lineage){ 4, 99 };
	record_open(&w->log, der, len, before, 3, &up);
	record_events(&w->log, 1, "a", &frames[2]);
	head = record_head(&w->log);
	hear_frame(w, &frames[2], &head);
	assert_int_equal(count_findings(w, FINDING_OPENING), 1);
}

static void a_forged_opening_says_nothing_of_what_was_before(void **state)
{
	struct world *w = *state;
	struct record_frame frames[4], up, forged;
	struct head heads[4], head;
	struct record_log other;
	struct lineage before;
	struct audit_figures f;
	const uint8_t *der;
	size_t len;

	begin(w);
	make_log(w, frames, heads, 4);
	hear_frame(w, &frames[0], &heads[0]);
	hear_frame(w, &frames[1], &heads[1]);
	before = w->log.lineage;
	w->log.lineage = (struct lineage){ 4, 99 };
	other = w->log;
	der = identity_der(w->alpha, &len);
	record_open(&w->log, der, len, before, 7, &up);
	head = record_head(&w->log);
	record_open(&other, NULL, 0, before, 1000000, &forged);
	hear_frame(w, &up, NULL);
	hear_frame(w, &forged, NULL);
	hear_frame(w, NULL, &head);
	assert_int_equal(find_finding(w, FINDING_GAP)->last, 7);
	f = end(w, "alpha");
	assert_int_equal(f.lost, 4);
	assert_int_equal(f.lost_ranges, 1);
	assert_int_equal(f.events[PROOF_SIGNED], 4);
	assert_int_equal(f.events[PROOF_NONE], 1);
	assert_int_equal(f.contradicted, 1);
}

static void too_much_is_told_and_not_kept(void **state)
{
	struct world *w = *state;
	struct record_frame frame;
	struct audit_figures f;

	begin(w);
	for (uint64_t i = 0; i < AUDIT_LINEAGES_MAX + 5; i++) {
		w->log.lineage.boot = 100 + i;
		w->log.seq = 0;
		record_open(&w->log, NULL, 0, (struct lineage){ 0 }, 0, &frame);
		hear_frame(w, &frame, NULL);
	}
	assert_int_equal(count_findings(w, FINDING_LIMIT), 1);
	f = end(w, "alpha");
	assert_int_equal(f.events[PROOF_NONE], AUDIT_LINEAGES_MAX);
}

/* 16 frames of an event each and, perhaps, their head: heard at one instant. */
static void hear_many(struct world *w, struct record_frame *frames, bool with_head)
{
	struct record_letter letter;
	struct head head;

	record_letter_init(&letter, "alpha");
	for (size_t i = 0; i < RECORD_LETTER_MAX; i++) {
		record_events(&w->log, 1, "a", &frames[i]);
		record_letter_frame(&letter, &frames[i]);
	}
	head = record_head(&w->log);
	if (with_head)
		record_letter_head(&letter, &head);
	hear(w, &letter);
	w->now_us -= 1000000;
}

static void more_frames_than_are_remembered_are_each_told_once(void **state)
{
	enum { LETTERS = TRACK_KNOWN_MAX / RECORD_LETTER_MAX + 4 };
	struct world *w = *state;
	struct record_frame first, frames[RECORD_LETTER_MAX], early[RECORD_LETTER_MAX];
	uint64_t all = 1 + LETTERS * RECORD_LETTER_MAX, half = TRACK_KNOWN_MAX / 2;
	struct audit_figures f;
	struct head head;

	for (int headless = 0; headless < 2; headless++) {
		begin(w);
		open_log(w, &first);
		head = record_head(&w->log);
		hear_frame(w, &first, &head);
		w->now_us -= 1000000;
		for (size_t i = 0; i < LETTERS; i++)
			hear_many(w, i == 0 ? early : frames, !headless);
		assert_int_equal(w->told_count, headless ? half : all);
		/* Of the older half only the places are known, if they were proved. */
		if (!headless)
			hear_frame(w, &early[3], NULL);
		head = record_head(&w->log);
		hear_frame(w, NULL, &head);
		f = end(w, "alpha");
		assert_int_equal(w->told_count, all);
		assert_int_equal(f.events[PROOF_NONE], headless ? half - 1 : 0);
		assert_int_equal(f.events[PROOF_SIGNED], all - f.events[PROOF_NONE]);
		assert_int_equal(f.repeats, !headless);
		assert_int_equal(count_findings(w, FINDING_LIMIT), 0);
	}
}

static void what_is_lost_is_counted_however_torn_it_is(void **state)
{
	struct world *w = *state;
	struct record_frame frame;
	struct audit_figures f;
	struct head head;

	begin(w);
	open_log(w, &frame);
	head = record_head(&w->log);
	hear_frame(w, &frame, &head);
	for (size_t i = 0; i < SPANS_MAX + 20; i++) {
		record_events(&w->log, 3, "a", &frame);
		record_events(&w->log, 1, "a", &frame);
		head = record_head(&w->log);
		hear_frame(w, &frame, &head);
	}
	assert_int_equal(count_findings(w, FINDING_GAP), SPANS_MAX + 20);
	f = end(w, "alpha");
	assert_int_equal(f.lost, 3 * (SPANS_MAX + 20));
	assert_int_equal(f.events[PROOF_SIGNED], 1 + SPANS_MAX + 20);
}

static void only_so_many_bytes_wait(void **state)
{
	enum { BODY = 200000, FRAMES = AUDIT_HELD_BYTES / BODY + 20 };
	struct world *w = *state;
	struct record_letter letter;
	uint8_t *body = calloc(1, BODY), *raw = malloc(FRAME_RAW_MAX);
	ProtobufCBinaryData *bytes = &letter.frames[0];
	size_t waiting = 0;

	assert_true(body && raw);
	begin(w);
	for (uint64_t i = 1; i <= FRAMES; i++) {
		struct frame frame = { .origin = "alpha", .lineage = { 3, 77 }, .first_seq = i,
				       .count = 1, .body = body, .body_len = BODY };

		assert_int_equal(frame_build(&frame, raw, FRAME_RAW_MAX), 0);
		record_letter_init(&letter, "alpha");
		letter.datagram.n_frame = 1;
		*bytes = (ProtobufCBinaryData){ frame.raw_len, raw };
		hear(w, &letter);
		w->now_us -= 1000000;
		waiting = AUDIT_HELD_BYTES / frame.raw_len;
		assert_int_equal(w->told_count, i > waiting ? i - waiting : 0);
	}
	assert_int_equal(w->told_count, FRAMES - waiting);
	free(body);
	free(raw);
}

/* ---- against the chain ---- */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Whatever is lost, repeated and disordered: what a chain delivers is told as signed, and when
 * nothing is lost both tell everything. */
static void the_chain_delivers_nothing_else(void **state)
{
	enum { FRAMES = 24 };
	struct world *w = *state;
	struct record_frame frames[FRAMES];
	struct head heads[FRAMES];

	for (uint32_t seed = 1; seed <= 60; seed++) {
		struct chain chain;
		struct chain_delivery delivery;
		size_t order[2 * FRAMES], count = 0;
		uint32_t random = seed;
		uint64_t delivered = 0;
		bool lossy = seed % 2;
		struct audit_figures f;

		begin(w);
		make_log(w, frames, heads, FRAMES);
		chain_init(&chain, "alpha", w->log.env_id);
		for (size_t i = 0; i < FRAMES; i++) {
			if (i == 0 || !lossy || next_random(&random) % 8)
				order[count++] = i;
			if (next_random(&random) % 3 == 0)
				order[count++] = i;
		}
		for (size_t i = 2; i < count; i++) {
			size_t j = i - next_random(&random) % 2, swap = order[i];
			order[i] = order[j];
			order[j] = swap;
		}
		for (size_t i = 0; i < count; i++) {
			struct frame frame;

			hear_frame(w, &frames[order[i]], &heads[order[i]]);
			assert_int_equal(frame_parse(frames[order[i]].raw, frames[order[i]].len,
						     &frame), FRAME_OK);
			chain_add_frame(&chain, &frame, false);
			chain_add_head(&chain, &heads[order[i]]);
			while (chain_take(&chain, &delivery)) {
				delivered = frame_last_seq(&delivery.frame);
				chain_delivery_fini(&delivery);
			}
		}
		f = end(w, "alpha");
		for (uint64_t seq = 1; seq <= delivered; seq++) {
			size_t times = 0;

			for (size_t i = 0; i < w->told_count; i++)
				times += w->told[i].seq == seq &&
					 w->told[i].proof == PROOF_SIGNED;
			assert_int_equal(times, 1);
		}
		assert_int_equal(f.events[PROOF_SIGNED], w->told_count);
		assert_int_equal(f.forks + f.bad_signatures + f.contradicted, 0);
		if (!lossy) {
			assert_int_equal(delivered, 2 * FRAMES - 1);
			assert_int_equal(w->told_count, delivered);
			assert_int_equal(f.lost, 0);
		}
		chain_fini(&chain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_log_is_signed_and_nothing_is_wrong),
		cmocka_unit_test(what_is_lost_is_told_once_it_is_proved),
		cmocka_unit_test(a_beacon_repairs_and_repeats),
		cmocka_unit_test(the_same_datagram_again_is_a_duplicate),
		cmocka_unit_test(what_was_overtaken_is_no_repair),
		cmocka_unit_test(a_forged_frame_is_never_signed),
		cmocka_unit_test(what_no_head_reaches_is_told_after_a_while),
		cmocka_unit_test(a_flipped_head_is_a_bad_signature),
		cmocka_unit_test(two_signed_hashes_at_one_place_are_a_fork),
		cmocka_unit_test(two_heads_with_one_counter_are_a_fork),
		cmocka_unit_test(whichever_head_comes_first_the_fork_is_told),
		cmocka_unit_test(heads_from_before_the_certificate_are_compared_too),
		cmocka_unit_test(what_was_forged_before_the_certificate_is_no_fork),
		cmocka_unit_test(a_signed_frame_that_names_another_before_it_is_a_fork),
		cmocka_unit_test(a_stub_tells_of_events_that_are_elsewhere),
		cmocka_unit_test(a_capture_that_begins_in_the_middle_misses_nothing_before),
		cmocka_unit_test(without_a_certificate_heads_are_unchecked_until_it_comes),
		cmocka_unit_test(a_certificate_of_another_is_refused),
		cmocka_unit_test(a_restart_tells_what_was_missed_before_it),
		cmocka_unit_test(a_forged_opening_says_nothing_of_what_was_before),
		cmocka_unit_test(too_much_is_told_and_not_kept),
		cmocka_unit_test(more_frames_than_are_remembered_are_each_told_once),
		cmocka_unit_test(what_is_lost_is_counted_however_torn_it_is),
		cmocka_unit_test(only_so_many_bytes_wait),
		cmocka_unit_test(the_chain_delivers_nothing_else),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
