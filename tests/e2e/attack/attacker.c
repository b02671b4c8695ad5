/*
 * attacker.c - what somebody may do to an environment who is on its network, holds its group key,
 * or holds the key of one server. Used by attack.bats.
 *
 *	attacker DIR GROUP:PORT ATTACK [ARGUMENT...]
 *
 * DIR holds ca.crt, id.crt, id.key and bus.key of the server whose place is taken. Every attack
 * uses no more of it than its heading says.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/buskey.h"
#include "proto/control.pb-c.h"
#include "proto/envelope.h"
#include "proto/event.pb-c.h"
#include "proto/frame.h"
#include "proto/head.h"
#include "proto/identity.h"

enum { DATAGRAM_SIZE = 1500, MESSAGE_MAX = 1 << 20 };

struct attack {
	const char *dir;
	struct identity *identity;
	struct keyring ring;
	const uint8_t *env_id;
	const char *me;
	int fd;				/* UDP, to the group */
	struct sockaddr_in group;
	int argc;
	char **argv;
};

static void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static long number(const struct attack *a, int at, long otherwise)
{
	return at < a->argc ? strtol(a->argv[at], NULL, 0) : otherwise;
}

static const char *word(const struct attack *a, int at)
{
	if (at >= a->argc)
		die("argument %d is missing", at + 1);
	return a->argv[at];
}

static void random_bytes(void *out, size_t len)
{
	for (size_t at = 0; at < len; at += 256)
		if (getrandom((uint8_t *)out + at, len - at < 256 ? len - at : 256, 0) < 0)
			die("getrandom");
}

static uint64_t random_u64(void)
{
	uint64_t n;

	random_bytes(&n, sizeof(n));
	return n;
}

static void send_raw(const struct attack *a, const void *bytes, size_t len)
{
	/* Not faster than a receiver reads: the attack shall arrive, not the flood be lost. */
	static unsigned sent;

	if (++sent % 32 == 0)
		nanosleep(&(struct timespec){ 0, 1000 * 1000 }, NULL);
	(void)!sendto(a->fd, bytes, len, 0, (const struct sockaddr *)&a->group, sizeof(a->group));
}

static void send_datagram(const struct attack *a, const Chime__Datagram *d)
{
	uint8_t plain[ENVELOPE_PLAIN_MAX], sealed[ENVELOPE_INPUT_MAX];
	size_t len = chime__datagram__get_packed_size(d), sealed_len;

	if (len > sizeof(plain))
		die("datagram of %zu bytes", len);
	chime__datagram__pack(d, plain);
	if (envelope_seal(&a->ring.keys[0], a->env_id, plain, len, sealed, sizeof(sealed),
			  &sealed_len) < 0)
		die("cannot seal");
	send_raw(a, sealed, sealed_len);
}

static void send_parts(const struct attack *a, const char *sender, uint32_t port,
		       const struct frame *frame, const struct head *head)
{
	Chime__Datagram d = CHIME__DATAGRAM__INIT;
	ProtobufCBinaryData frames[1], heads[1];

	d.sender = (char *)sender;
	d.has_control_port = port > 0;
	d.control_port = port;
	if (frame) {
		frames[0] = (ProtobufCBinaryData){ frame->raw_len, (uint8_t *)frame->raw };
		d.frame = frames;
		d.n_frame = 1;
	}
	if (head) {
		heads[0] = (ProtobufCBinaryData){ head->raw_len, (uint8_t *)head->raw };
		d.head = heads;
		d.n_head = 1;
	}
	send_datagram(a, &d);
}

/* ---- without any key ---- */

static void attack_junk(struct attack *a)
{
	for (long i = 0; i < number(a, 0, 1000); i++) {
		uint8_t bytes[DATAGRAM_SIZE];
		size_t len = random_u64() % (sizeof(bytes) + 1);

		random_bytes(bytes, len);
		if (i % 2 && len >= ENVELOPE_HEADER_SIZE) {
			memcpy(bytes, ENVELOPE_MAGIC "\1\0", 6);
			bytes[6] = (uint8_t)(a->ring.keys[0].id >> 8);
			bytes[7] = (uint8_t)a->ring.keys[0].id;
		}
		send_raw(a, bytes, len);
	}
}

static int join_group(const struct attack *a)
{
	const int on = 1;
	struct ip_mreq mreq = { .imr_multiaddr = a->group.sin_addr,
				.imr_interface = { htonl(INADDR_LOOPBACK) } };
	struct timeval limit = { 2, 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (bind(fd, (const struct sockaddr *)&a->group, sizeof(a->group)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) < 0)
		die("cannot listen to the group: %s", strerror(errno));
	return fd;
}

/* record FILE COUNT: u16 length and bytes of each datagram heard. */
static void attack_record(struct attack *a)
{
	FILE *out = fopen(word(a, 0), "w");
	int fd = join_group(a);

	if (!out)
		die("cannot write %s", word(a, 0));
	for (long i = 0; i < number(a, 1, 50); i++) {
		uint8_t bytes[DATAGRAM_SIZE];
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
		uint16_t len = (uint16_t)n;

		if (n <= 0)
			break;
		fwrite(&len, sizeof(len), 1, out);
		fwrite(bytes, len, 1, out);
	}
	fclose(out);
	close(fd);
}

/* replay FILE: as they are, then cut, then with flipped bits, then made longer. */
static void attack_replay(struct attack *a)
{
	FILE *in = fopen(word(a, 0), "r");
	uint8_t bytes[2 * DATAGRAM_SIZE];
	uint16_t len;

	if (!in)
		die("cannot read %s", word(a, 0));
	while (fread(&len, sizeof(len), 1, in) == 1 && len <= DATAGRAM_SIZE &&
	       fread(bytes, len, 1, in) == 1) {
		send_raw(a, bytes, len);
		for (int i = 0; i < 4; i++)
			send_raw(a, bytes, random_u64() % len);
		for (int i = 0; i < 8; i++) {
			size_t bit = random_u64() % (8u * len);

			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			send_raw(a, bytes, len);
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		memset(bytes + len, 0, DATAGRAM_SIZE);
		send_raw(a, bytes, (size_t)len + 1 + random_u64() % 200);
	}
	fclose(in);
}

/* ---- with the group key ---- */

/* names COUNT PORT: senders nobody knows, each with a hint where to ask for its certificate. */
static void attack_names(struct attack *a)
{
	char name[64];

	for (long i = 0; i < number(a, 0, 1000); i++) {
		snprintf(name, sizeof(name), "ghost-%ld", i);
		send_parts(a, name, (uint32_t)number(a, 1, 9), NULL, NULL);
	}
}

static void build_frame(struct frame *f, uint8_t *raw, size_t size, const char *origin,
			uint64_t boot, uint64_t tag, uint64_t seq, uint32_t count, const void *body,
			size_t len, const struct digest *prev, uint32_t flags)
{
	*f = (struct frame){ .lineage = { boot, tag }, .first_seq = seq, .count = count,
			     .flags = flags, .body = body, .body_len = len };
	snprintf(f->origin, sizeof(f->origin), "%s", origin);
	if (prev)
		f->prev_hash = *prev;
	if (frame_build(f, raw, size) < 0)
		die("cannot build a frame");
}

/* frames ORIGIN COUNT: of a lineage that never was, all for its first place. */
static void attack_frames(struct attack *a)
{
	uint8_t raw[FRAME_HEADER_MAX + FRAME_BODY_MAX], body[FRAME_BODY_MAX] = { 0 };
	struct frame f;

	for (long i = 0; i < number(a, 1, 5000); i++) {
		random_bytes(body, 16);
		build_frame(&f, raw, sizeof(raw), word(a, 0), 1, random_u64(), 1, 1, body,
			    (size_t)number(a, 2, 900), NULL, 0);
		send_parts(a, word(a, 0), 0, &f, NULL);
	}
}

/* unknown NAMES EACH: frames of many servers that are none. */
static void attack_unknown(struct attack *a)
{
	uint8_t raw[FRAME_HEADER_MAX + FRAME_BODY_MAX], body[FRAME_BODY_MAX] = { 0 };
	struct frame f;
	char name[64];

	for (long i = 0; i < number(a, 0, 100); i++)
		for (long j = 0; j < number(a, 1, 20); j++) {
			snprintf(name, sizeof(name), "none-%ld", i);
			random_bytes(body, 16);
			build_frame(&f, raw, sizeof(raw), name, 1, 1, (uint64_t)j + 1, 1, body,
				    sizeof(body) - 100, NULL, 0);
			send_parts(a, name, 0, &f, NULL);
		}
}

/* heads ORIGIN COUNT: signed by my key in the name of another. */
static void attack_heads(struct attack *a)
{
	for (long i = 0; i < number(a, 1, 100); i++) {
		struct head h = { .lineage = { 1u << 20, (uint64_t)i }, .seq = (uint64_t)i + 1,
				  .counter = UINT64_MAX, .flags = HEAD_GOODBYE };

		memcpy(h.env_id, a->env_id, sizeof(h.env_id));
		snprintf(h.origin, sizeof(h.origin), "%s", word(a, 0));
		if (head_sign(&h, identity_key(a->identity)) < 0)
			die("cannot sign");
		send_parts(a, word(a, 0), 0, NULL, &h);
	}
}

/* bomb COUNT: the most sub-messages and the most garbage that fit one datagram. */
static void attack_bomb(struct attack *a)
{
	for (long i = 0; i < number(a, 0, 500); i++) {
		uint8_t plain[ENVELOPE_PLAIN_MAX], sealed[ENVELOPE_INPUT_MAX];
		size_t len = 0, sealed_len;

		memcpy(plain, "\x0a\x05" "alpha", 7);
		for (len = 7; len + 2 <= sizeof(plain); len += 2)
			memcpy(plain + len, i % 2 ? "\x1a\x00" : "\x22\x00", 2);
		if (i % 5 == 0)
			random_bytes(plain + 7, len - 7);
		if (envelope_seal(&a->ring.keys[0], a->env_id, plain, len, sealed, sizeof(sealed),
				  &sealed_len) < 0)
			die("cannot seal");
		send_raw(a, sealed, sealed_len);
	}
}

/* ---- with the key of one server ---- */

/* A log of my own, in a lineage of its own. */
struct forged_log {
	struct attack *a;
	struct lineage lineage;
	uint64_t seq, counter;
	struct digest tip;
	bool opened;
};

static void log_open_at(struct forged_log *log, struct attack *a, uint64_t boot, uint64_t seq)
{
	*log = (struct forged_log){ .a = a, .lineage = { boot, random_u64() }, .seq = seq };
}

static void sign_head(struct forged_log *log, struct head *h, uint64_t seq, int64_t wall_us)
{
	*h = (struct head){ .lineage = log->lineage, .seq = seq, .frame_hash = log->tip,
			    .counter = ++log->counter, .wall_us = wall_us };
	memcpy(h->env_id, log->a->env_id, sizeof(h->env_id));
	snprintf(h->origin, sizeof(h->origin), "%s", log->a->me);
	if (head_sign(h, identity_key(log->a->identity)) < 0)
		die("cannot sign");
}

static void publish_bytes(struct forged_log *log, const void *event, size_t len, uint32_t count,
			  int64_t wall_us)
{
	static uint8_t raw[FRAME_RAW_MAX], body[FRAME_BODY_LIMIT];
	ProtobufCBinaryData list[1] = { { len, (uint8_t *)event } };
	Chime__Events events = CHIME__EVENTS__INIT;
	struct frame f;
	struct head h;

	events.event = list;
	events.n_event = 1;
	if (chime__events__get_packed_size(&events) > 900)
		die("an event of %zu bytes", len);
	build_frame(&f, raw, sizeof(raw), log->a->me, log->lineage.boot, log->lineage.tag,
		    log->seq + 1, count, body, chime__events__pack(&events, body), &log->tip,
		    log->opened ? 0 : FRAME_OPENS);
	log->opened = true;
	log->seq += count;
	frame_hash(&f, log->a->env_id, &log->tip);
	sign_head(log, &h, log->seq, wall_us);
	send_parts(log->a, log->a->me, 0, &f, NULL);
	send_parts(log->a, log->a->me, 0, NULL, &h);
}

static void publish(struct forged_log *log, const Chime__Event *event)
{
	uint8_t bytes[4096];
	size_t len = chime__event__get_packed_size(event);

	if (len > sizeof(bytes))
		die("an event of %zu bytes", len);
	chime__event__pack(event, bytes);
	publish_bytes(log, bytes, len, 1, (int64_t)time(NULL) * 1000000);
}

static const int64_t times[] = { INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX };
enum { TIMES = sizeof(times) / sizeof(times[0]) };

static char *long_text(void)
{
	static char text[701];

	memset(text, 'x', sizeof(text) - 1);
	return text;
}

static void begin(Chime__Event *e, int64_t time_us, Chime__Event__BodyCase kind)
{
	chime__event__init(e);
	e->has_time = true;
	e->time = time_us;
	e->body_case = kind;
}

static void publish_jobs(struct forged_log *log)
{
	char *names[] = { NULL, "", long_text(), "a\nb", "../../etc/passwd", "a@b", "\x1b[2J", "ok" };
	char *afters[] = { "success(extract@alpha)", "((((((((((((((((((((((((", "success(",
			   long_text(), "", "success(ok) and failure(ok)" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t j = 0; j < sizeof(afters) / sizeof(afters[0]); j++) {
			Chime__JobDefined def = CHIME__JOB_DEFINED__INIT;
			Chime__Event e;

			if (names[i] == long_text() && afters[j] == long_text())
				continue;
			begin(&e, times[(i + j) % TIMES], CHIME__EVENT__BODY_JOB_DEFINED);
			e.job_defined = &def;
			def.job = names[i];
			def.after = afters[j];
			def.schedule = j % 2 ? "* * * * *" : "\xff\xfe";
			def.has_schedule_kind = def.has_overlap = def.has_overlap_n = true;
			def.schedule_kind = (Chime__ScheduleKind)(j * 77);
			def.overlap = (Chime__OverlapKind)-5;
			def.overlap_n = UINT32_MAX;
			def.timezone = "../../../../etc/shadow";
			def.cycle = "nonsense";
			def.has_max_time_us = true;
			def.max_time_us = times[j % TIMES];
			def.has_hash = true;
			def.hash = (ProtobufCBinaryData){ j, (uint8_t *)"123456789" };
			publish(log, &e);
		}
}

static void publish_run(struct forged_log *log, size_t i)
{
	char *cycles[] = { NULL, "", "2026-99-99", "9999-12-31", "0001-01-01", "a\nb", "\x1b[2J",
			   "2026-01-01T25:61:61+99:99" };
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;
	Chime__EventRef ref = CHIME__EVENT_REF__INIT, *refs[120];
	Chime__Event e;

	ref.server = i % 2 ? "alpha" : "a b\nc";
	ref.has_seq = true;
	ref.seq = UINT64_MAX;
	for (size_t j = 0; j < 120; j++)
		refs[j] = &ref;
	begin(&e, times[i % TIMES], CHIME__EVENT__BODY_RUN_CREATED);
	e.run_created = &c;
	e.actor = "alice\nlevel=error";
	e.reason = "\x1b]0;owned\x07";
	c.job = "ok";
	c.cycle = cycles[i % 8];
	c.slot = cycles[(i + 3) % 8];
	c.has_slot_time = c.has_cause = c.has_late_us = c.has_expires = c.has_rerun_of = true;
	c.slot_time = times[(i + 1) % TIMES];
	c.cause = (Chime__Cause)((int)i * 1000 - 3000);
	c.late_us = times[(i + 2) % TIMES];
	c.expires = times[(i + 3) % TIMES];
	c.rerun_of = UINT64_MAX;
	c.by = &ref;
	c.proof = refs;
	c.n_proof = i % 3 ? 20 : i % 2 ? 30 : 0;
	publish(log, &e);
}

static void publish_course(struct forged_log *log, size_t i, uint64_t run)
{
	Chime__RunRef ref = CHIME__RUN_REF__INIT;
	Chime__RunStarting starting = CHIME__RUN_STARTING__INIT;
	Chime__RunStarted started = CHIME__RUN_STARTED__INIT;
	Chime__RunNotStarted not_started = CHIME__RUN_NOT_STARTED__INIT;
	Chime__RunEnded ended = CHIME__RUN_ENDED__INIT;
	Chime__RunKilling killing = CHIME__RUN_KILLING__INIT;
	Chime__RunProofs proofs = CHIME__RUN_PROOFS__INIT;
	Chime__Event e;

	ref.has_run = ref.has_boot = ref.has_tag = ref.has_attempt = true;
	ref.run = run;
	ref.boot = i % 2 ? log->lineage.boot : 0;
	ref.tag = log->lineage.tag;
	ref.attempt = UINT32_MAX;
	ref.job = "x\nlevel=error event=forged";
	begin(&e, times[i % TIMES], CHIME__EVENT__BODY_RUN_PROOFS);
	proofs.ref = i % 3 ? &ref : NULL;
	e.run_proofs = &proofs;
	publish(log, &e);
	begin(&e, times[i % TIMES], CHIME__EVENT__BODY_RUN_STARTING);
	starting.ref = i % 3 ? &ref : NULL;
	e.run_starting = &starting;
	publish(log, &e);
	begin(&e, times[i % TIMES], CHIME__EVENT__BODY_RUN_NOT_STARTED);
	not_started.ref = starting.ref;
	not_started.has_error = true;
	not_started.error = INT32_MIN;
	e.run_not_started = &not_started;
	publish(log, &e);
	begin(&e, times[i % TIMES], CHIME__EVENT__BODY_RUN_KILLING);
	killing.ref = starting.ref;
	e.run_killing = &killing;
	publish(log, &e);
	begin(&e, times[i % TIMES], CHIME__EVENT__BODY_RUN_STARTED);
	started.ref = starting.ref;
	started.has_time = true;
	started.time = times[(i + 1) % TIMES];
	e.run_started = &started;
	publish(log, &e);
	begin(&e, times[i % TIMES], CHIME__EVENT__BODY_RUN_ENDED);
	ended.ref = starting.ref;
	ended.has_state = true;
	ended.state = i % 4 == 3 ? (Chime__RunState)77 : (Chime__RunState)(4 + i % 5);
	ended.has_started = ended.has_ended = ended.has_user_us = true;
	ended.started = times[(i + 2) % TIMES];
	ended.ended = times[(i + 4) % TIMES];
	ended.user_us = INT64_MIN;
	ended.has_exit_code = ended.has_signal = ended.has_error = true;
	ended.exit_code = INT32_MIN;
	ended.signal = INT32_MAX;
	ended.error = INT32_MIN;
	ended.has_output_bytes = true;
	ended.output_bytes = UINT64_MAX;
	ended.detail = long_text();
	e.run_ended = &ended;
	publish(log, &e);
}

/* Bodies of kinds that carry nothing, bytes that are no event, kinds nobody knows. */
static void publish_odds(struct forged_log *log)
{
	Chime__Event e;
	Chime__Alarm alarm = CHIME__ALARM__INIT;
	Chime__ServerUp up = CHIME__SERVER_UP__INIT;
	Chime__SlotMissed missed = CHIME__SLOT_MISSED__INIT;
	Chime__JobHeld held = CHIME__JOB_HELD__INIT;
	Chime__JobRemoved removed = CHIME__JOB_REMOVED__INIT;
	char *addresses[] = { "\n\n", "evil.invalid:1\n127.0.0.1:22", long_text(), "", "[::1" };

	publish_bytes(log, "", 0, 1, INT64_MIN);
	publish_bytes(log, "\xff\xff\xff\xff", 4, 1, INT64_MAX);
	publish_bytes(log, "\xfa\x3f\x00", 3, 7, 0);
	begin(&e, INT64_MIN, CHIME__EVENT__BODY_ALARM);
	e.alarm = &alarm;
	publish(log, &e);
	begin(&e, INT64_MAX, CHIME__EVENT__BODY_SERVER_UP);
	e.server_up = &up;
	up.address = addresses;
	up.n_address = 5;
	up.version = "\x1b[2J\nx";
	up.has_certificate = true;
	up.certificate = (ProtobufCBinaryData){ 5, (uint8_t *)"\x30\x03junk" };
	publish(log, &e);
	begin(&e, INT64_MAX, CHIME__EVENT__BODY_SLOT_MISSED);
	e.slot_missed = &missed;
	missed.job = "ok";
	missed.has_last_time = missed.has_count = true;
	missed.last_time = INT64_MAX;
	missed.count = UINT64_MAX;
	publish(log, &e);
	begin(&e, INT64_MIN, CHIME__EVENT__BODY_JOB_HELD);
	e.job_held = &held;
	held.job = "ok";
	e.actor = long_text();
	publish(log, &e);
	begin(&e, INT64_MIN, CHIME__EVENT__BODY_JOB_REMOVED);
	e.job_removed = &removed;
	removed.job = "never-was";
	publish(log, &e);
}

/* absurd BOOT */
static void attack_absurd(struct attack *a)
{
	struct forged_log log;

	log_open_at(&log, a, (uint64_t)number(a, 0, 1000), 0);
	publish_odds(&log);
	publish_jobs(&log);
	for (size_t i = 0; i < 40; i++) {
		publish_run(&log, i);
		publish_course(&log, i, log.seq);
		publish_course(&log, i + 1, random_u64());
	}
	printf("%llu\n", (unsigned long long)log.seq);
}

/* far BOOT: heads far ahead, of lineages without end, at both ends of the range. */
static void attack_far(struct attack *a)
{
	struct forged_log log;
	struct head h;

	for (long i = 0; i < number(a, 1, 500); i++) {
		log_open_at(&log, a, (uint64_t)number(a, 0, 1000) + (uint64_t)i, 0);
		random_bytes(&log.tip, sizeof(log.tip));
		sign_head(&log, &h, i % 2 ? FRAME_SEQ_MAX : 1000000000, INT64_MIN);
		send_parts(a, a->me, 0, NULL, &h);
	}
}

/* twice BOOT: two frames for one place, each with its head. */
static void attack_twice(struct attack *a)
{
	struct forged_log log, other;
	Chime__JobHeld held = CHIME__JOB_HELD__INIT;
	Chime__Event e;

	log_open_at(&log, a, (uint64_t)number(a, 0, 1000), 0);
	begin(&e, 1, CHIME__EVENT__BODY_JOB_HELD);
	e.job_held = &held;
	held.job = "one";
	publish(&log, &e);
	other = log;
	for (int i = 0; i < 20; i++) {
		held.job = "one";
		publish(&log, &e);
		held.job = "two";
		publish(&other, &e);
	}
}

/* ---- control stream ---- */

static SSL_CTX *context(const struct attack *a, const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	char path[4096];

	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	snprintf(path, sizeof(path), "%s/id.crt", a->dir);
	if (SSL_CTX_use_certificate_file(ctx, path, SSL_FILETYPE_PEM) != 1)
		die("cannot use %s", path);
	snprintf(path, sizeof(path), "%s/id.key", a->dir);
	if (SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) != 1)
		die("cannot use %s", path);
	return ctx;
}

static bool read_all(SSL *ssl, void *out, size_t len)
{
	for (size_t at = 0; at < len;) {
		int n = SSL_read(ssl, (uint8_t *)out + at, (int)(len - at));

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static bool write_message(SSL *ssl, const void *bytes, size_t len)
{
	uint8_t head[4] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
			    (uint8_t)len };

	return SSL_write(ssl, head, 4) == 4 && (!len || SSL_write(ssl, bytes, (int)len) > 0);
}

static uint8_t *read_message(SSL *ssl, size_t *len)
{
	static uint8_t bytes[MESSAGE_MAX];
	uint8_t head[4];

	if (!read_all(ssl, head, 4))
		return NULL;
	*len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	return *len <= sizeof(bytes) && read_all(ssl, bytes, *len) ? bytes : NULL;
}

static struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	const char *colon = strrchr(text, ':');
	char host[64];

	if (!colon)
		die("%s is no address", text);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
		die("%s is no address", text);
	return to;
}

static int connect_to(const char *text)
{
	struct sockaddr_in to = address_of(text);
	struct timeval limit = { 10, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static SSL *dial(SSL_CTX *ctx, const char *address)
{
	SSL *ssl = SSL_new(ctx);
	int fd = connect_to(address);

	SSL_set_fd(ssl, fd);
	if (fd < 0 || SSL_connect(ssl) != 1)
		die("no TLS with %s", address);
	return ssl;
}

/* ask ADDRESS: every request there is, with the certificate of DIR; prints what each was told. */
static void attack_ask(struct attack *a)
{
	SSL_CTX *ctx = context(a, TLS_client_method());
	SSL *ssl = dial(ctx, word(a, 0));
	size_t len;

	if (!read_message(ssl, &len))
		die("no HELLO");
	for (uint32_t field = 16; field <= 68; field++) {
		uint8_t request[] = { 0x08, (uint8_t)field, (uint8_t)(field << 3 | 2),
				      (uint8_t)(field >> 4), 0 };
		uint8_t *bytes;
		Chime__Reply *reply;

		if (field < 16 || (field > 31 && field < 64))
			continue;
		/* A tag above 15 takes two bytes. */
		request[2] = (uint8_t)((field << 3 | 2) & 0x7f) | 0x80;
		request[3] = (uint8_t)((field << 3 | 2) >> 7);
		if (!write_message(ssl, request, sizeof(request)) ||
		    !(bytes = read_message(ssl, &len)))
			die("%u: gone", field);
		reply = chime__reply__unpack(NULL, len, bytes);
		if (!reply)
			die("%u: no reply", field);
		printf("%u %d %u\n", field, (int)reply->body_case,
		       reply->body_case == CHIME__REPLY__BODY_REFUSAL ? reply->refusal->exit : 0);
		chime__reply__free_unpacked(reply, NULL);
	}
}

/* garbage ADDRESS COUNT: lengths and messages that are none, with a good certificate. */
static void attack_garbage(struct attack *a)
{
	SSL_CTX *ctx = context(a, TLS_client_method());

	for (long i = 0; i < number(a, 1, 40); i++) {
		SSL *ssl = dial(ctx, word(a, 0));
		uint8_t bytes[4096];
		size_t len;

		if (!read_message(ssl, &len))
			die("no HELLO");
		random_bytes(bytes, sizeof(bytes));
		switch (i % 4) {
		case 0:
			(void)!SSL_write(ssl, "\xff\xff\xff\xff", 4);
			break;
		case 1:
			(void)write_message(ssl, bytes, sizeof(bytes));
			break;
		case 2:
			(void)write_message(ssl, bytes, 0);
			break;
		default:
			(void)!SSL_write(ssl, bytes, 3);
			break;
		}
		if (i % 4 != 3)		/* a part of a message is waited for */
			(void)read_message(ssl, &len);
		close(SSL_get_fd(ssl));
		SSL_free(ssl);
	}
}

/* targets ADDRESS COUNT: one request that names very many. */
static void attack_targets(struct attack *a)
{
	SSL_CTX *ctx = context(a, TLS_client_method());
	SSL *ssl = dial(ctx, word(a, 0));
	long count = number(a, 1, 100000);
	Chime__Request r = CHIME__REQUEST__INIT;
	Chime__JobsRequest jobs = CHIME__JOBS_REQUEST__INIT;
	uint8_t *bytes;
	size_t len;
	Chime__Reply *reply;

	if (!read_message(ssl, &len))
		die("no HELLO");
	jobs.target = calloc((size_t)count, sizeof(char *));
	for (long i = 0; i < count; i++)
		jobs.target[i] = "*";
	jobs.n_target = (size_t)count;
	r.has_id = true;
	r.id = 1;
	r.body_case = CHIME__REQUEST__BODY_JOBS;
	r.jobs = &jobs;
	bytes = malloc(chime__request__get_packed_size(&r));
	len = chime__request__pack(&r, bytes);
	if (!write_message(ssl, bytes, len) || !(bytes = read_message(ssl, &len)))
		die("gone");
	reply = chime__reply__unpack(NULL, len, bytes);
	printf("%d %s\n", reply ? (int)reply->body_case : -1,
	       reply && reply->body_case == CHIME__REPLY__BODY_REFUSAL ? reply->refusal->what : "");
}

/* followers ADDRESS COUNT: one connection that follows the events very often, reading nothing. */
static void attack_followers(struct attack *a)
{
	SSL_CTX *ctx = context(a, TLS_client_method());
	SSL *ssl = dial(ctx, word(a, 0));
	size_t len;

	if (!read_message(ssl, &len))
		die("no HELLO");
	for (long i = 0; i < number(a, 1, 10000); i++) {
		Chime__Request r = CHIME__REQUEST__INIT;
		Chime__EventsRequest events = CHIME__EVENTS_REQUEST__INIT;
		uint8_t bytes[64];

		r.has_id = true;
		r.id = (uint64_t)i + 1;
		r.body_case = CHIME__REQUEST__BODY_EVENTS;
		r.events = &events;
		events.has_follow = events.has_limit = true;
		events.follow = true;
		events.limit = 1;
		len = chime__request__pack(&r, bytes);
		if (!write_message(ssl, bytes, len))
			break;
	}
	sleep((unsigned)number(a, 2, 3));
}

/* crowd ADDRESS COUNT: connections that say nothing, half a handshake each other time. */
static void attack_crowd(struct attack *a)
{
	for (long i = 0; i < number(a, 1, 1000); i++) {
		int fd = connect_to(word(a, 0));

		if (fd >= 0 && i % 2)
			(void)!write(fd, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
	}
	sleep((unsigned)number(a, 2, 2));
}

/* ---- a lying server ---- */

static void lie_vector(const struct attack *a, Chime__Reply *reply, const char *what)
{
	static Chime__VectorReply v;
	static Chime__VectorEntry entries[20000], *list[20000];
	static Chime__Lineage lineage;
	static char names[20000][24];
	size_t count = 0;

	chime__vector_reply__init(&v);
	chime__lineage__init(&lineage);
	lineage.has_boot = lineage.has_tag = true;
	lineage.boot = lineage.tag = 1;
	v.server = (char *)a->me;
	v.has_your_boot = true;
	v.your_boot = strcmp(what, "boot") == 0 ? UINT64_MAX : 0;
	if (strcmp(what, "names") == 0)
		count = 20000;
	if (strcmp(what, "baseline") == 0 || strcmp(what, "more") == 0)
		count = 1;
	for (size_t i = 0; i < count; i++) {
		chime__vector_entry__init(&entries[i]);
		snprintf(names[i], sizeof(names[i]), count == 1 ? "bravo" : "liar-%zu", i);
		entries[i].server = names[i];
		entries[i].lineage = &lineage;
		entries[i].has_seq = true;
		entries[i].seq = 1000;
		if (strcmp(what, "baseline") == 0) {
			entries[i].has_counter = entries[i].has_counter_boot = true;
			entries[i].counter_boot = entries[i].counter = UINT64_MAX;
		}
		list[i] = &entries[i];
	}
	v.entry = list;
	v.n_entry = count;
	reply->body_case = CHIME__REPLY__BODY_VECTOR;
	reply->vector = &v;
}

static void lie_pull(Chime__Reply *reply)
{
	static Chime__PullReply p;
	static uint8_t raw[FRAME_HEADER_MAX + 16];
	static ProtobufCBinaryData frames[1];
	struct frame f;
	uint8_t body[8];

	random_bytes(body, sizeof(body));
	build_frame(&f, raw, sizeof(raw), "bravo", 1, 1, 1000, 1, body, sizeof(body), NULL, 0);
	frames[0] = (ProtobufCBinaryData){ f.raw_len, raw };
	chime__pull_reply__init(&p);
	p.frame = frames;
	p.n_frame = 1;
	p.has_more = p.more = true;
	reply->body_case = CHIME__REPLY__BODY_PULL;
	reply->pull = &p;
}

static bool answer(const struct attack *a, SSL *ssl, const char *what, unsigned *counts)
{
	static uint8_t out[MESSAGE_MAX];
	size_t len;
	uint8_t *bytes = read_message(ssl, &len);
	Chime__Request *r = bytes ? chime__request__unpack(NULL, len, bytes) : NULL;
	Chime__Reply reply = CHIME__REPLY__INIT;
	bool ok;

	if (!r)
		return false;
	reply.has_id = reply.has_done = reply.done = true;
	reply.id = r->id;
	if (r->body_case == CHIME__REQUEST__BODY_VECTOR) {
		lie_vector(a, &reply, what);
		counts[0]++;
	} else if (r->body_case == CHIME__REQUEST__BODY_PULL) {
		lie_pull(&reply);
		counts[1]++;
	}
	chime__request__free_unpacked(r, NULL);
	len = chime__reply__get_packed_size(&reply);
	if (len > sizeof(out))
		die("a reply of %zu bytes", len);
	chime__reply__pack(&reply, out);
	ok = write_message(ssl, out, len);
	return ok;
}

static bool greet(const struct attack *a, SSL *ssl)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__Hello hello = CHIME__HELLO__INIT;
	uint8_t out[512];

	hello.has_environment_id = true;
	hello.environment_id = (ProtobufCBinaryData){ ENVIRONMENT_ID_SIZE, (uint8_t *)a->env_id };
	hello.server = (char *)a->me;
	reply.has_id = true;
	reply.body_case = CHIME__REPLY__BODY_HELLO;
	reply.hello = &hello;
	return write_message(ssl, out, chime__reply__pack(&reply, out));
}

/*
 * lie ADDRESS WHAT SECONDS: the server at ADDRESS, whose answers are lies: boot, names, baseline,
 * more. Prints how many vectors and pulls it was asked for.
 */
static void attack_lie(struct attack *a)
{
	SSL_CTX *ctx = context(a, TLS_server_method());
	struct sockaddr_in at = address_of(word(a, 0));
	const int on = 1;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	time_t end = time(NULL) + number(a, 2, 5);
	unsigned counts[2] = { 0, 0 };

	SSL_CTX_set_num_tickets(ctx, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(listener, 64) < 0)
		die("cannot listen: %s", strerror(errno));
	for (int child = 0; child < 64 && time(NULL) < end; child++) {
		struct timeval limit = { end - time(NULL) > 0 ? end - time(NULL) : 1, 0 };
		SSL *ssl = SSL_new(ctx);
		int fd;

		setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			break;
		if (fork() != 0) {
			close(fd);
			continue;
		}
		close(listener);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1 && greet(a, ssl))
			while (time(NULL) < end && answer(a, ssl, word(a, 1), counts))
				;
		printf("%u %u\n", counts[0], counts[1]);
		exit(0);
	}
	sleep(1);
}

/* ---- which ---- */

struct row {
	const char *name;
	void (*attack)(struct attack *a);
};

static const struct row rows[] = {
	{ "junk", attack_junk },	   { "record", attack_record },
	{ "replay", attack_replay },	   { "names", attack_names },
	{ "frames", attack_frames },	   { "unknown", attack_unknown },
	{ "heads", attack_heads },	   { "bomb", attack_bomb },
	{ "absurd", attack_absurd },	   { "far", attack_far },
	{ "twice", attack_twice },	   { "ask", attack_ask },
	{ "garbage", attack_garbage },	   { "targets", attack_targets },
	{ "followers", attack_followers }, { "crowd", attack_crowd },
	{ "lie", attack_lie },
};

static void open_group(struct attack *a, const char *text)
{
	struct in_addr lo = { htonl(INADDR_LOOPBACK) };

	a->group = address_of(text);
	a->fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (setsockopt(a->fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)) < 0)
		die("no multicast over lo: %s", strerror(errno));
}

static void open_identity(struct attack *a)
{
	char ca[4096], certificate[4096], key[4096], why[512];
	struct buskey bus;

	snprintf(ca, sizeof(ca), "%s/ca.crt", a->dir);
	snprintf(certificate, sizeof(certificate), "%s/id.crt", a->dir);
	snprintf(key, sizeof(key), "%s/id.key", a->dir);
	if (identity_load(ca, certificate, key, &a->identity, why, sizeof(why)) < 0)
		die("%s", why);
	a->env_id = identity_environment_id(a->identity);
	a->me = identity_name(a->identity)->name;
	snprintf(key, sizeof(key), "%s/bus.key", a->dir);
	if (access(key, R_OK) < 0)
		return;
	if (buskey_load(key, &bus, why, sizeof(why)) < 0 || keyring_add(&a->ring, bus.bytes) < 0)
		die("%s", why);
	buskey_fini(&bus);
}

int main(int argc, char **argv)
{
	struct attack a = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4)
		die("usage: attacker DIR GROUP:PORT ATTACK [ARGUMENT...]");
	a.dir = argv[1];
	a.argc = argc - 4;
	a.argv = argv + 4;
	open_group(&a, argv[2]);
	open_identity(&a);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, argv[3]) == 0) {
			rows[i].attack(&a);
			keyring_fini(&a.ring);
			identity_free(a.identity);
			close(a.fd);
			return 0;
		}
	die("no attack %s", argv[3]);
}
