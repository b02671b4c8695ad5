/*
 * act.c - see act.h.
 */
#include "client/act.h"

#include "proto/digest.h"
#include "proto/names.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	EXPIRY_US = 30 * 1000000,
	AGAIN_MS = 200,
	REDIRECTS_MAX = 64,
};

/* A request with room for every body it may have. */
struct request {
	Chime__Request message;
	Chime__Lineage lineage;
	union {
		Chime__StartRequest start;
		Chime__KillRequest kill;
		Chime__HoldRequest hold;
		Chime__ReleaseRequest release;
		Chime__TrustRequest trust;
		Chime__KeyRequest key;
	} body;
};

int action_key(struct action *a, struct trouble *t)
{
	const char *hex = a->session->args.value[OPT_KEY];

	if (hex == NULL) {
		digest_random(a->key, sizeof(a->key));
		return 0;
	}
	if (digest_hex_decode(hex, a->key, sizeof(a->key)) == 0)
		return 0;
	trouble_set(t, EXIT_USAGE, "--key is 32 hex digits, as an earlier try printed them");
	return EXIT_USAGE;
}

static void build_request(const struct action *a, struct request *r, bool dry,
			  char *const *targets, size_t count)
{
	char **list = (char **)(uintptr_t)targets;

	r->message = (Chime__Request)CHIME__REQUEST__INIT;
	r->message.body_case = a->kind;
	r->message.reason = (char *)(uintptr_t)a->reason;
	switch (a->kind) {
	case CHIME__REQUEST__BODY_START:
		r->body.start = (Chime__StartRequest)CHIME__START_REQUEST__INIT;
		r->body.start.target = list;
		r->body.start.n_target = count;
		r->body.start.has_force = r->body.start.force = a->force;
		r->body.start.ignore = a->ignore;
		r->body.start.n_ignore = a->ignore_count;
		r->body.start.cycle = (char *)(uintptr_t)a->cycle;
		r->body.start.has_no_downstream = r->body.start.no_downstream = a->no_downstream;
		r->body.start.has_dry_run = r->body.start.dry_run = dry;
		r->message.start = &r->body.start;
		break;
	case CHIME__REQUEST__BODY_KILL:
		r->body.kill = (Chime__KillRequest)CHIME__KILL_REQUEST__INIT;
		r->body.kill.target = list;
		r->body.kill.n_target = count;
		r->body.kill.has_dry_run = r->body.kill.dry_run = dry;
		r->message.kill = &r->body.kill;
		break;
	case CHIME__REQUEST__BODY_HOLD:
		r->body.hold = (Chime__HoldRequest)CHIME__HOLD_REQUEST__INIT;
		r->body.hold.target = list;
		r->body.hold.n_target = count;
		r->body.hold.has_dry_run = r->body.hold.dry_run = dry;
		r->message.hold = &r->body.hold;
		break;
	case CHIME__REQUEST__BODY_RELEASE:
		r->body.release = (Chime__ReleaseRequest)CHIME__RELEASE_REQUEST__INIT;
		r->body.release.target = list;
		r->body.release.n_target = count;
		r->body.release.has_dry_run = r->body.release.dry_run = dry;
		r->message.release = &r->body.release;
		break;
	default:
		r->body.trust = (Chime__TrustRequest)CHIME__TRUST_REQUEST__INIT;
		r->message.trust = &r->body.trust;
		break;
	}
}

/* The key, and until when it may have effect, in the clock of the server that is asked. */
static void stamp_request(const struct action *a, const struct conn *conn, struct request *r)
{
	const Chime__Lineage *lineage = conn_hello(conn)->lineage;

	r->message.has_key = true;
	r->message.key.data = (uint8_t *)(uintptr_t)a->key;
	r->message.key.len = sizeof(a->key);
	r->message.has_expires = true;
	r->message.expires = conn_server_boot_us(conn) + EXPIRY_US;
	r->lineage = (Chime__Lineage)CHIME__LINEAGE__INIT;
	if (lineage != NULL) {
		r->lineage.has_boot = lineage->has_boot;
		r->lineage.boot = lineage->boot;
		r->lineage.has_tag = lineage->has_tag;
		r->lineage.tag = lineage->tag;
		r->message.lineage = &r->lineage;
	}
}

static char *copy_text(const char *text)
{
	return text != NULL && text[0] != '\0' ? say_strdup(text) : NULL;
}

static char **copy_texts(char *const *texts, size_t count)
{
	char **copy = say_calloc(count, sizeof(*copy));

	for (size_t i = 0; i < count; i++)
		copy[i] = say_strdup(texts[i]);
	return copy;
}

/* What it says of another server's job is hearsay: an action has effect at the job's owner. */
static bool speaks_for(const struct conn *conn, const char *target)
{
	const char *at = strrchr(target, '@');

	return at == NULL || strcmp(at + 1, conn_server(conn)) == 0;
}

static void add_effect(struct effects *effects, const struct conn *conn, const Chime__Effect *from)
{
	const char *target = from->target != NULL ? from->target : "?";
	bool done = from->result != NULL && strcmp(from->result, "done") == 0;
	bool believed = speaks_for(conn, target);

	effects->list = say_realloc(effects->list, effects->count + 1, sizeof(struct effect));
	struct effect *e = &effects->list[effects->count++];
	*e = (struct effect){
		.target = say_strdup(target),
		.done = done && believed,
		.run = from->run,
		.what = done && !believed ? say_format("%s answers for %s, which is not its own",
						       conn_where(conn), target)
			: copy_text(from->what),
		.why = copy_text(from->why),
		.hint = copy_text(from->try_),
		.exit = from->exit >= 1 && from->exit <= EXIT_PARTLY ? (int)from->exit
								      : EXIT_TROUBLE,
		.user = copy_text(from->user),
		.cycle = copy_text(from->cycle),
		.unmet = copy_texts(from->unmet, from->n_unmet),
		.unmet_count = from->n_unmet,
		.downstream = copy_texts(from->downstream, from->n_downstream),
		.downstream_count = from->n_downstream,
		.owner = copy_text(from->server),
		.address = copy_texts(from->address, from->n_address),
		.address_count = from->n_address,
	};
}

static void free_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

static void effect_fini(struct effect *e)
{
	free(e->target);
	free(e->what);
	free(e->why);
	free(e->hint);
	free(e->user);
	free(e->cycle);
	free(e->owner);
	free_texts(e->unmet, e->unmet_count);
	free_texts(e->downstream, e->downstream_count);
	free_texts(e->address, e->address_count);
}

void effects_fini(struct effects *effects)
{
	for (size_t i = 0; i < effects->count; i++)
		effect_fini(&effects->list[i]);
	free(effects->list);
	*effects = (struct effects){ 0 };
}

static int take_answer(const struct conn *conn, const Chime__Reply *reply,
		       struct effects *effects, struct trouble *t)
{
	if (reply->body_case == CHIME__REPLY__BODY_REFUSAL)
		return conn_refusal(reply->refusal, t);
	if (reply->body_case != CHIME__REPLY__BODY_ACTION)
		return trouble_set(t, EXIT_UNREACHED, "%s answers something that was not asked",
				   conn_where(conn));
	for (size_t i = 0; i < reply->action->n_effect; i++)
		add_effect(effects, conn, reply->action->effect[i]);
	effects->repeated |= reply->action->repeated_key;
	return 0;
}

static bool answer_lost(int code)
{
	return code == EXIT_UNREACHED || code == EXIT_TIME;
}

static void pause_ms(int ms)
{
	struct timespec t = { .tv_nsec = (long)ms * 1000000 };
	nanosleep(&t, NULL);
}

static void tell_key(const struct action *a, struct trouble *t)
{
	char hex[2 * ACT_KEY_SIZE + 1];

	digest_hex_encode(a->key, sizeof(a->key), hex);
	trouble_why(t, "it is not known whether the command had effect");
	trouble_hint(t, "the same command with --key %s   (safe to repeat: it has effect once)",
		     hex);
}

/* What became of my key? 1 = known and in *effects, 0 = unknown, -1 = no answer. */
static int ask_key(const struct action *a, struct conn *conn, struct effects *effects,
		   int64_t deadline_us)
{
	struct request r = { .message = CHIME__REQUEST__INIT };
	struct trouble t;
	Chime__Reply *reply = NULL;
	int result = -1;

	r.body.key = (Chime__KeyRequest)CHIME__KEY_REQUEST__INIT;
	r.body.key.has_key = true;
	r.body.key.key.data = (uint8_t *)(uintptr_t)a->key;
	r.body.key.key.len = sizeof(a->key);
	r.message.body_case = CHIME__REQUEST__BODY_KEY_STATUS;
	r.message.key_status = &r.body.key;
	if (conn_send(conn, &r.message, deadline_us, &t) != 0 ||
	    conn_receive(conn, r.message.id, deadline_us, &reply, &t) != 0)
		return -1;
	if (reply->body_case == CHIME__REPLY__BODY_ACTION && reply->action->n_effect > 0)
		result = take_answer(conn, reply, effects, &t) == 0 ? 1 : -1;
	else if (reply->body_case == CHIME__REPLY__BODY_REFUSAL &&
		 reply->refusal->exit == EXIT_NO_MATCH)
		result = 0;	/* any other refusal ("starting") says nothing about the key */
	conn_reply_free(reply);
	return result;
}

/* After a lost answer: come back, ask, and send again what had no effect. */
static int recover(struct action *a, const char *server, struct request *r,
		   struct effects *effects, struct trouble *t)
{
	say_note("%s did not answer; asking what became of the command", server);
	while (conn_now_us() < a->deadline_us && !conn_interrupted()) {
		struct conn *conn = NULL;
		Chime__Reply *reply = NULL;
		struct trouble ignored;

		if (session_again(a->session, server, a->deadline_us, &conn, &ignored) != 0) {
			pause_ms(AGAIN_MS);
			continue;
		}
		int known = ask_key(a, conn, effects, a->deadline_us);
		int code = known == 1 ? 0 : EXIT_UNREACHED;
		if (known == 0) {
			stamp_request(a, conn, r);
			code = conn_send(conn, &r->message, a->deadline_us, t);
			if (code == 0)
				code = conn_receive(conn, r->message.id, a->deadline_us, &reply,
						    t);
			if (code == 0)
				code = take_answer(conn, reply, effects, t);
			conn_reply_free(reply);
		}
		conn_close(conn);
		if (!answer_lost(code))
			return code;
		pause_ms(AGAIN_MS);
	}
	int exit = conn_interrupted() ? EXIT_INTERRUPTED
		: t->exit == EXIT_TIME ? EXIT_TIME : EXIT_UNREACHED;
	trouble_set(t, exit, "no answer from %s", server);
	tell_key(a, t);
	return exit;
}

/* One request to one server. */
static int act_at(struct action *a, struct conn *conn, bool dry, char *const *targets,
		  size_t count, struct effects *effects, struct trouble *t)
{
	struct request r;
	Chime__Reply *reply = NULL;

	build_request(a, &r, dry, targets, count);
	stamp_request(a, conn, &r);
	int code = conn_send(conn, &r.message, a->deadline_us, t);
	if (code == 0)
		code = conn_receive(conn, r.message.id, a->deadline_us, &reply, t);
	if (code == 0) {
		code = take_answer(conn, reply, effects, t);
		conn_reply_free(reply);
		return code;
	}
	if (dry || (!answer_lost(code) && code != EXIT_INTERRUPTED))
		return code;
	char *server = say_strdup(conn_server(conn));
	session_drop(a->session, conn);
	if (code == EXIT_INTERRUPTED) {
		tell_key(a, t);
		trouble_print(t);
	} else {
		code = recover(a, server, &r, effects, t);
	}
	free(server);
	return code;
}

/* Takes the effect at i out of the list; the caller owns it. */
static struct effect take_effect(struct effects *effects, size_t i)
{
	struct effect e = effects->list[i];

	memmove(&effects->list[i], &effects->list[i + 1],
		(effects->count - i - 1) * sizeof(struct effect));
	effects->count--;
	return e;
}

struct names {
	char **list;
	size_t count;
};

/* Takes the text over; says nothing twice. */
static void add_name(struct names *names, char *text)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->list[i], text) == 0) {
			free(text);
			return;
		}
	}
	names->list = say_realloc(names->list, names->count + 1, sizeof(char *));
	names->list[names->count++] = text;
}

/*
 * Names at its owner what an effect is about: the job when its name was typed, else the runs that
 * were typed, for the job may have others. False when nothing that was typed means it: whoever
 * answers does not choose what is acted on.
 */
static bool add_names_at_owner(struct names *names, const struct effect *e, char *const *typed,
			       size_t typed_count)
{
	struct target about, t;
	bool by_run = false;

	if (target_parse(e->target, &about, NULL) != 0 || strcmp(about.server, e->owner) != 0)
		return false;
	for (size_t i = 0; i < typed_count; i++) {
		if (target_parse(typed[i], &t, NULL) != 0)
			continue;
		bool here = t.server[0] == '\0' || glob_match(t.server, e->owner);
		if (t.run != 0 && here)
			by_run = true;
		else if (t.run == 0 && here && (t.job[0] == '\0' ||
						glob_match(t.job, about.job))) {
			add_name(names, say_strdup(e->target));
			return true;
		}
	}
	for (size_t i = 0; by_run && i < typed_count; i++) {
		if (target_parse(typed[i], &t, NULL) == 0 && t.run != 0 &&
		    (t.server[0] == '\0' || glob_match(t.server, e->owner)))
			add_name(names, say_format("%llu@%s", (unsigned long long)t.run,
						   e->owner));
	}
	return by_run;
}

/* Sends on what another server owns: its name and address came with the refusal. */
static int follow_owners(struct action *a, bool dry, size_t from, const char *asked,
			 char *const *typed, size_t typed_count, struct effects *effects,
			 struct trouble *t)
{
	for (int round = 0; round < REDIRECTS_MAX; round++) {
		struct names names = { 0 };
		struct effect first = { 0 };
		bool any = false;

		for (size_t i = from; i < effects->count;) {
			struct effect *e = &effects->list[i];
			bool other = !e->done && e->owner != NULL && strcmp(e->owner, asked) != 0;
			if (!other || (any && strcmp(e->owner, first.owner) != 0) ||
			    !add_names_at_owner(&names, e, typed, typed_count)) {
				i++;
				continue;
			}
			struct effect taken = take_effect(effects, i);
			if (!any)
				first = taken;
			else
				effect_fini(&taken);
			any = true;
		}
		if (!any)
			return 0;
		struct conn *owner = NULL;
		int code = session_owner(a->session, first.owner, first.address,
					 first.address_count, a->deadline_us, &owner, t);
		if (code == 0) {
			size_t before = effects->count;
			code = act_at(a, owner, dry, names.list, names.count, effects, t);
			/* An owner that names yet another one is not followed in circles. */
			for (size_t i = before; i < effects->count; i++) {
				free(effects->list[i].owner);
				effects->list[i].owner = NULL;
			}
		}
		free_texts(names.list, names.count);
		effect_fini(&first);
		if (code != 0)
			return code;
	}
	return 0;
}

int action_run(struct action *a, bool dry, char *const *targets, size_t count,
	       struct effects *effects, struct trouble *t)
{
	struct session *s = a->session;
	size_t from = effects->count;

	int code = session_open(s, a->deadline_us, t);
	if (code != 0)
		return code;
	/* Copied: the connection may have to be given up on the way. */
	char *asked = say_strdup(conn_server(s->conn));
	code = act_at(a, s->conn, dry, targets, count, effects, t);
	if (code == 0)
		code = follow_owners(a, dry, from, asked, targets, count, effects, t);
	free(asked);
	return code;
}
