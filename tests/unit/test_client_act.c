/* An action whose answer is lost: asked for by its key, sent again only when it had no effect. And
 * servers that answer for others. */
#include "client/act.h"

#include "proto/stream.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

/* What the fake server does on one connection after its hello. */
enum step {
	STEP_HANG_UP,		/* reads the request and closes */
	STEP_KNOWN,		/* asked for the key: tells the effect */
	STEP_UNKNOWN,		/* asked for the key: never seen; then does the request */
	STEP_STARTING,		/* asked for the key: refuses, for it is starting */
	STEP_DO,		/* answers the request */
	STEP_LIE,		/* says that a job of another server is done */
	STEP_LURE,		/* names the owner of a job that nobody asked about */
	STEP_END,
};

struct fake {
	const enum step *steps;
	const char *name;		/* NULL = db1 */
	int listener;
	char path[64];
	pthread_t thread;
	uint8_t key[8][ACT_KEY_SIZE];	/* of every request seen */
	int64_t expires[8];
	size_t asked;			/* actions */
	size_t questions;		/* for a key */
};

static void send_reply(int fd, const Chime__Reply *reply)
{
	uint8_t bytes[4096];
	struct stream s;
	size_t len = chime__reply__pack(reply, bytes);
	const uint8_t *out;

	stream_init(&s, STREAM_LIMIT);
	assert_int_equal(stream_put(&s, bytes, len), 0);
	out = stream_outgoing(&s, &len);
	assert_int_equal(write(fd, out, len), (ssize_t)len);
	stream_fini(&s);
}

static Chime__Request *hear_request(int fd, struct stream *s)
{
	for (;;) {
		const uint8_t *data;
		uint8_t buf[4096];
		size_t len;
		if (stream_take(s, &data, &len) == STREAM_MESSAGE)
			return chime__request__unpack(NULL, len, data);
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			return NULL;
		stream_feed(s, buf, (size_t)n);
	}
}

static void say_hello(int fd, const char *name)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__Hello hello = CHIME__HELLO__INIT;
	Chime__Lineage lineage = CHIME__LINEAGE__INIT;

	hello.has_protocol = true;
	hello.protocol = 1;
	hello.server = (char *)(uintptr_t)(name != NULL ? name : "db1");
	hello.environment = (char *)"T";
	hello.has_boot_us = true;
	hello.boot_us = 1000000;
	lineage.has_boot = lineage.has_tag = true;
	lineage.boot = 3;
	lineage.tag = 7;
	hello.lineage = &lineage;
	reply.body_case = CHIME__REPLY__BODY_HELLO;
	reply.hello = &hello;
	send_reply(fd, &reply);
}

static void say_done(int fd, uint64_t id, bool repeated)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__ActionReply action = CHIME__ACTION_REPLY__INIT;
	Chime__Effect effect = CHIME__EFFECT__INIT, *effects[] = { &effect };

	effect.target = (char *)"eod/report@db1";
	effect.result = (char *)"done";
	effect.has_run = true;
	effect.run = 42;
	action.effect = effects;
	action.n_effect = 1;
	action.has_repeated_key = action.repeated_key = repeated;
	reply.has_id = true;
	reply.id = id;
	reply.body_case = CHIME__REPLY__BODY_ACTION;
	reply.action = &action;
	send_reply(fd, &reply);
}

static void say_of_another(int fd, uint64_t id, bool done)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__ActionReply action = CHIME__ACTION_REPLY__INIT;
	Chime__Effect effect = CHIME__EFFECT__INIT, *effects[] = { &effect };
	char *address[] = { (char *)"127.0.0.1:1" };

	effect.target = (char *)"pay/roll@db2";
	effect.result = (char *)(uintptr_t)(done ? "done" : "refused");
	effect.server = (char *)"db2";
	effect.address = address;
	effect.n_address = 1;
	action.effect = effects;
	action.n_effect = 1;
	reply.has_id = true;
	reply.id = id;
	reply.body_case = CHIME__REPLY__BODY_ACTION;
	reply.action = &action;
	send_reply(fd, &reply);
}

static void refuse(int fd, uint64_t id, uint32_t exit)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__Refusal refusal = CHIME__REFUSAL__INIT;

	refusal.has_exit = true;
	refusal.exit = exit;
	refusal.what = (char *)"no";
	reply.has_id = true;
	reply.id = id;
	reply.body_case = CHIME__REPLY__BODY_REFUSAL;
	reply.refusal = &refusal;
	send_reply(fd, &reply);
}

static void note(struct fake *f, const Chime__Request *r)
{
	if (r->body_case == CHIME__REQUEST__BODY_KEY_STATUS) {
		f->questions++;
		return;
	}
	memcpy(f->key[f->asked], r->key.data, r->key.len);
	f->expires[f->asked++] = r->expires;
}

static void *serve(void *arg)
{
	struct fake *f = arg;

	for (const enum step *step = f->steps; *step != STEP_END; step++) {
		struct stream s;
		int fd = accept(f->listener, NULL, NULL);
		if (fd < 0)
			break;
		stream_init(&s, STREAM_LIMIT);
		say_hello(fd, f->name);
		Chime__Request *r = hear_request(fd, &s);
		if (r != NULL) {
			note(f, r);
			if (*step == STEP_KNOWN || *step == STEP_DO)
				say_done(fd, r->id, *step == STEP_KNOWN);
			else if (*step == STEP_LIE || *step == STEP_LURE)
				say_of_another(fd, r->id, *step == STEP_LIE);
			else if (*step == STEP_STARTING)
				refuse(fd, r->id, 5);
			else if (*step == STEP_UNKNOWN)
				refuse(fd, r->id, 3);
			chime__request__free_unpacked(r, NULL);
		}
		if (*step == STEP_UNKNOWN && (r = hear_request(fd, &s)) != NULL) {
			note(f, r);
			say_done(fd, r->id, false);
			chime__request__free_unpacked(r, NULL);
		}
		stream_fini(&s);
		close(fd);
	}
	close(f->listener);
	return NULL;
}

static void open_named(struct fake *f, const enum step *steps, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*f = (struct fake){ .steps = steps, .name = name };
	snprintf(f->path, sizeof(f->path), "/tmp/chime-test-act.%d", (int)getpid());
	unlink(f->path);
	memcpy(address.sun_path, f->path, sizeof(f->path));
	f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->listener, 4), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void open_fake(struct fake *f, const enum step *steps)
{
	open_named(f, steps, NULL);
}

static int run_action(struct fake *f, int64_t timeout_us, struct effects *effects,
		      struct trouble *t)
{
	char *argv[] = { (char *)"chime", (char *)"--quiet", (char *)"--via", f->path,
			 (char *)"start", (char *)"eod/report" };
	char *targets[] = { (char *)"eod/report" };
	struct session s;
	struct args args;

	assert_int_equal(args_parse(6, argv, &args, t), 0);
	assert_int_equal(session_init(&s, &args, t), 0);
	struct action a = { .session = &s, .kind = CHIME__REQUEST__BODY_START };
	assert_int_equal(action_key(&a, t), 0);
	a.deadline_us = conn_now_us() + timeout_us;
	int code = action_run(&a, false, targets, 1, effects, t);
	session_fini(&s);
	pthread_join(f->thread, NULL);
	unlink(f->path);
	return code;
}

enum { LONG_US = 60 * 1000000 };

static void test_answered(void **state)
{
	(void)state;
	static const enum step steps[] = { STEP_DO, STEP_END };
	struct effects effects = { 0 };
	struct trouble t = { 0 };
	struct fake f;

	open_fake(&f, steps);
	assert_int_equal(run_action(&f, LONG_US, &effects, &t), 0);
	assert_int_equal(effects.count, 1);
	assert_true(effects.list[0].done);
	assert_int_equal(effects.list[0].run, 42);
	/* The expiry counts in the server's clock, 30 s from its hello. */
	assert_true(f.expires[0] >= 31000000);
	effects_fini(&effects);
}

static void test_lost_but_done(void **state)
{
	(void)state;
	static const enum step steps[] = { STEP_HANG_UP, STEP_STARTING, STEP_KNOWN, STEP_END };
	struct effects effects = { 0 };
	struct trouble t = { 0 };
	struct fake f;

	open_fake(&f, steps);
	assert_int_equal(run_action(&f, LONG_US, &effects, &t), 0);
	assert_int_equal(f.asked, 1);
	assert_int_equal(f.questions, 2);
	assert_int_equal(effects.count, 1);
	assert_true(effects.repeated);
	effects_fini(&effects);
}

static void test_lost_and_not_done(void **state)
{
	(void)state;
	static const enum step steps[] = { STEP_HANG_UP, STEP_UNKNOWN, STEP_END };
	struct effects effects = { 0 };
	struct trouble t = { 0 };
	struct fake f;

	open_fake(&f, steps);
	assert_int_equal(run_action(&f, LONG_US, &effects, &t), 0);
	assert_int_equal(f.asked, 2);
	assert_int_equal(f.questions, 1);
	assert_memory_equal(f.key[0], f.key[1], ACT_KEY_SIZE);
	assert_int_equal(effects.count, 1);
	assert_true(effects.list[0].done);
	effects_fini(&effects);
}

static void test_never_answered(void **state)
{
	(void)state;
	static const enum step steps[] = { STEP_HANG_UP, STEP_END };
	struct effects effects = { 0 };
	struct trouble t = { 0 };
	struct fake f;

	open_fake(&f, steps);
	assert_int_equal(run_action(&f, 1500000, &effects, &t), EXIT_UNREACHED);
	assert_int_equal(effects.count, 0);
	assert_non_null(strstr(t.hint, "--key "));
	assert_non_null(strstr(t.hint, "safe to repeat"));
	assert_non_null(strstr(t.why, "not known"));
}

/* Nobody but the owner can say that something was done, or would be. */
static void test_done_by_another(void **state)
{
	(void)state;
	static const enum step steps[] = { STEP_LIE, STEP_END };
	struct effects effects = { 0 };
	struct trouble t = { 0 };
	struct fake f;

	open_fake(&f, steps);
	assert_int_equal(run_action(&f, LONG_US, &effects, &t), 0);
	assert_int_equal(effects.count, 1);
	assert_false(effects.list[0].done);
	assert_non_null(strstr(effects.list[0].what, "not its own"));
	effects_fini(&effects);
}

/* A server that is asked about one job can't make me act on another one elsewhere. */
static void test_owner_of_what_was_not_asked(void **state)
{
	(void)state;
	static const enum step steps[] = { STEP_LURE, STEP_END };
	struct effects effects = { 0 };
	struct trouble t = { 0 };
	struct fake f;

	open_fake(&f, steps);
	assert_int_equal(run_action(&f, LONG_US, &effects, &t), 0);
	assert_int_equal(effects.count, 1);
	assert_string_equal(effects.list[0].target, "pay/roll@db2");
	assert_false(effects.list[0].done);
	effects_fini(&effects);
}

/* Its name goes into options of child programs and to the terminal. */
static void test_name_that_is_none(void **state)
{
	(void)state;
	static const enum step steps[] = { STEP_DO, STEP_END };
	struct effects effects = { 0 };
	struct trouble t = { 0 };
	struct fake f;

	open_named(&f, steps, "db1\033[2J");
	assert_int_equal(run_action(&f, LONG_US, &effects, &t), EXIT_UNREACHED);
	assert_int_equal(effects.count, 0);
	assert_int_equal(f.asked, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answered),
		cmocka_unit_test(test_lost_but_done),
		cmocka_unit_test(test_lost_and_not_done),
		cmocka_unit_test(test_never_answered),
		cmocka_unit_test(test_done_by_another),
		cmocka_unit_test(test_owner_of_what_was_not_asked),
		cmocka_unit_test(test_name_that_is_none),
	};
	setenv("CHIME_CONFIG", "/dev/null", 1);
	setenv("TERM", "dumb", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
