/*
 * cmd_act.c - acting on jobs: start, kill, hold, release.
 *
 *	look (dry run) -> ask, as the ladder says -> act -> tell -> wait
 *
 *	level 0  start with conditions met, release             nobody is asked
 *	level 1  kill, start --force, hold of a job others wait for    y/N        --yes
 *	level 2  anything on more than one target               type the number   --yes --expect N
 */
#include "client/cmd.h"

#include "client/act.h"
#include "client/json.h"
#include "client/wait.h"
#include "proto/digest.h"
#include "proto/names.h"

#include <stdlib.h>
#include <string.h>

/* What differs between the four. */
struct deed {
	Chime__Request__BodyCase kind;
	const char *verb;		/* "start" */
	const char *doing, *did;	/* "killing", "nothing was killed" */
	bool asks;			/* level 1 always */
};

static const struct deed deed_start = { CHIME__REQUEST__BODY_START, "start", "started", "started",
					false };
static const struct deed deed_force = { CHIME__REQUEST__BODY_START, "start --force", "started",
					"started", true };
static const struct deed deed_kill = { CHIME__REQUEST__BODY_KILL, "kill", "killing", "killed",
				       true };
static const struct deed deed_hold = { CHIME__REQUEST__BODY_HOLD, "hold", "held", "held", false };
static const struct deed deed_release = { CHIME__REQUEST__BODY_RELEASE, "release", "released",
					  "released", false };

struct order {
	struct session *s;
	const struct deed *deed;
	struct action action;
	int64_t timeout_us;		/* for each look and each act */
	char **target;
	size_t count;
	char typed_reason[NAME_REASON_MAX + 2];
};

static bool has_terminal(const struct session *s)
{
	return s->out.tty_in && s->out.tty_err && !args_given(&s->args, OPT_NO_INPUT);
}

/* A line from the terminal without its end; false at its end. */
static bool ask_line(const char *prompt, char *buf, size_t size)
{
	fflush(stdout);
	fputs(prompt, stderr);
	fflush(stderr);
	if (fgets(buf, (int)size, stdin) == NULL)
		return false;
	buf[strcspn(buf, "\n")] = '\0';
	return true;
}

static size_t count_done(const struct effects *effects)
{
	size_t n = 0;

	for (size_t i = 0; i < effects->count; i++)
		n += effects->list[i].done;
	return n;
}

static int print_refused(const struct effect *e, const struct deed *deed)
{
	struct trouble t;

	if (e->what != NULL)
		trouble_set(&t, e->exit, "%s", e->what);
	else
		trouble_set(&t, e->exit, "%s %s was refused", deed->verb, e->target);
	if (e->why != NULL)
		trouble_why(&t, "%s", e->why);
	if (e->hint != NULL)
		trouble_hint(&t, "%s", e->hint);
	return trouble_print(&t);
}

/* 0 when all was done, the refusal's code when nothing was, else EXIT_PARTLY. */
static int code_of(const struct effects *effects)
{
	size_t done = count_done(effects);

	if (done == effects->count)
		return 0;
	if (done > 0)
		return EXIT_PARTLY;
	return effects->list[0].exit;
}

/* What a force does not look at, and what it sets off. */
static void print_force(const struct session *s, const struct effect *e, FILE *to)
{
	out_text(to, e->target);
	fputs(" starts now", to);
	if (e->user != NULL) {
		fputs(" as user ", to);
		out_text(to, e->user);
	}
	if (e->cycle != NULL) {
		fputs(" for cycle ", to);
		out_text(to, e->cycle);
	}
	fputs(e->unmet_count > 0 ? " and IGNORES\n" : "; its conditions are met\n", to);
	for (size_t i = 0; i < e->unmet_count; i++) {
		/* "NO  success(a@b)  FAILED ..." */
		fprintf(to, "  %s", to == stdout ? out_state_color(&s->out, "NO") : "");
		out_text(to, e->unmet[i]);
		fprintf(to, "%s\n", to == stdout ? out_color_end(&s->out) : "");
	}
	if (e->downstream_count == 0)
		return;
	fputs("After success these start at once: ", to);
	for (size_t i = 0; i < e->downstream_count; i++) {
		fputs(i > 0 ? ", " : "", to);
		out_text(to, e->downstream[i]);
	}
	fputc('\n', to);
}

static void print_preview(const struct order *o, const struct effects *effects, FILE *to)
{
	for (size_t i = 0; i < effects->count; i++) {
		const struct effect *e = &effects->list[i];
		if (!e->done)
			continue;
		if (o->deed == &deed_force) {
			print_force(o->s, e, to);
			continue;
		}
		fputs("  ", to);
		out_text(to, e->target);
		if (e->run != 0)
			fprintf(to, "  run %llu", (unsigned long long)e->run);
		if (e->what != NULL) {
			fputs("  ", to);
			out_text(to, e->what);
		}
		if (e->downstream_count > 0)
			fprintf(to, "  (%zu wait%s for it)", e->downstream_count,
				e->downstream_count == 1 ? "s" : "");
		fputc('\n', to);
	}
}

static int no_terminal(const struct order *o, const struct effects *effects, const char *options)
{
	struct trouble t;
	size_t done = count_done(effects), unmet = 0;

	for (size_t i = 0; i < effects->count; i++)
		unmet += effects->list[i].unmet_count;
	trouble_set(&t, EXIT_USAGE, "this needs an answer, and there is no terminal to ask on");
	if (o->deed == &deed_force)
		trouble_why(&t, "start --force of %s ignores %zu condition%s",
			    done == 1 ? effects->list[0].target : "several jobs", unmet,
			    unmet == 1 ? "" : "s");
	else
		trouble_why(&t, "%s of %zu target%s", o->deed->verb, done, done == 1 ? "" : "s");
	trouble_hint(&t, "add %s          nothing was %s", options, o->deed->did);
	return trouble_print(&t);
}

/* Level 2: the number must be typed, or said with --expect. */
static int confirm_number(struct order *o, const struct effects *effects, size_t n)
{
	struct session *s = o->s;
	struct trouble t = { 0 };
	uint64_t expect = 0;
	char line[64], options[64];

	int code = args_number(&s->args, OPT_EXPECT, 0, SIZE_MAX / 2, &expect, &t);
	if (code != 0)
		return trouble_print(&t);
	if (args_given(&s->args, OPT_EXPECT)) {
		if (expect != n) {
			trouble_set(&t, EXIT_TROUBLE, "%zu target%s now, you said --expect %llu; "
				    "nothing was %s", n, n == 1 ? " matches" : "s match",
				    (unsigned long long)expect, o->deed->did);
			return trouble_print(&t);
		}
		if (args_given(&s->args, OPT_YES) || n <= 1)
			return 0;
	}
	if (n <= 1)
		return 0;
	if (!has_terminal(s) || args_given(&s->args, OPT_YES)) {
		snprintf(options, sizeof(options), "--yes --expect %zu", n);
		return no_terminal(o, effects, options);
	}
	fprintf(stderr, "%zu targets match:\n", n);
	print_preview(o, effects, stderr);
	char *prompt = say_format("%s all %zu? Type %zu to go on: ", o->deed->verb, n, n);
	bool answered = ask_line(prompt, line, sizeof(line));
	free(prompt);
	if (answered && strtoull(line, NULL, 10) == n)
		return 0;
	say_note("nothing was %s", o->deed->did);
	return EXIT_TROUBLE;
}

/* Level 1: y/N, default no. */
static int confirm_yes(struct order *o, const struct effects *effects)
{
	struct session *s = o->s;
	char line[64];

	if (args_given(&s->args, OPT_YES))
		return 0;
	if (!has_terminal(s))
		return no_terminal(o, effects, o->deed == &deed_force
				   ? "--yes --reason \"...\"" : "--yes");
	print_preview(o, effects, stderr);
	char *prompt = say_format("%s [y/N] ", o->deed == &deed_force ? "Start it anyway?"
				  : o->deed == &deed_kill ? "Kill it?" : "Hold it?");
	bool answered = ask_line(prompt, line, sizeof(line));
	free(prompt);
	if (answered && (strcmp(line, "y") == 0 || strcmp(line, "yes") == 0))
		return 0;
	say_note("nothing was %s", o->deed->did);
	return EXIT_TROUBLE;
}

/* A force needs a reason. */
static int ask_reason(struct order *o, const struct effects *effects)
{
	struct trouble t;
	const char *why;

	if (o->deed != &deed_force || o->action.reason != NULL)
		return 0;
	if (!has_terminal(o->s))
		return no_terminal(o, effects, "--yes --reason \"...\"");
	if (!ask_line("Reason: ", o->typed_reason, sizeof(o->typed_reason)) ||
	    o->typed_reason[0] == '\0') {
		say_note("no reason, so nothing was %s", o->deed->did);
		return EXIT_TROUBLE;
	}
	if (!name_reason_valid(o->typed_reason, &why)) {
		trouble_set(&t, EXIT_USAGE, "a reason %s", why);
		return trouble_print(&t);
	}
	o->action.reason = o->typed_reason;
	return 0;
}

static int confirm(struct order *o, const struct effects *effects)
{
	size_t n = count_done(effects), waiting = 0;

	for (size_t i = 0; i < effects->count; i++)
		waiting += effects->list[i].downstream_count;
	int code = confirm_number(o, effects, n);
	bool asks = o->deed->asks || (o->deed == &deed_hold && waiting > 0);
	if (code == 0 && n == 1 && asks)
		code = confirm_yes(o, effects);
	return code != 0 ? code : ask_reason(o, effects);
}

static const char *server_of(const char *target)
{
	const char *at = strrchr(target, '@');
	return at != NULL ? at + 1 : "";
}

/* `what` of a start completes "started JOB ..."; that of the others is the whole line. */
static void print_done(const struct order *o, const struct effect *e)
{
	const struct session *s = o->s;
	bool start = o->deed->kind == CHIME__REQUEST__BODY_START;

	if (start || e->what == NULL) {
		printf("%-8s ", o->deed->doing);
		out_text(stdout, e->target);
		if (e->run != 0 && e->what == NULL)
			printf("  run %llu@%s", (unsigned long long)e->run,
			       server_of(e->target));
		if (e->what != NULL)
			fputs("  ", stdout);
	}
	if (e->what != NULL)
		out_text(stdout, e->what);
	if (o->deed == &deed_kill && e->what != NULL) {
		fputs("  ", stdout);
		out_text(stdout, e->target);
	}
	putchar('\n');
	if (s->out.tty && e->run != 0 && start && !args_given(&s->args, OPT_WAIT) &&
	    !args_given(&s->args, OPT_FOLLOW))
		printf("follow   chime log -f %llu@%s\n", (unsigned long long)e->run,
		       server_of(e->target));
	fflush(stdout);
}

static json_t *effect_object(const struct effect *e, const struct run_end *end)
{
	json_t *o = json_object();

	json_object_set_new(o, "target", json_text(e->target));
	json_object_set_new(o, "result", json_string(e->done ? "done" : "refused"));
	json_object_set_new(o, "run", json_number(e->run != 0, (int64_t)e->run));
	json_object_set_new(o, "what", json_text(e->what));
	json_object_set_new(o, "why", json_text(e->why));
	json_object_set_new(o, "try", json_text(e->hint));
	json_object_set_new(o, "cycle", json_text(e->cycle));
	json_object_set_new(o, "unmet", json_texts(e->unmet, e->unmet_count));
	json_object_set_new(o, "downstream", json_texts(e->downstream, e->downstream_count));
	json_object_set_new(o, "state", json_text(end != NULL && end->state[0] != '\0'
						  ? end->state : NULL));
	json_object_set_new(o, "exit", json_number(end != NULL && end->exit_code >= 0,
						   end != NULL ? end->exit_code : 0));
	return o;
}

static int print_json(const struct order *o, const struct effects *effects,
		      const struct run_end *ends, bool dry)
{
	const Chime__Hello *hello = o->s->conn != NULL ? conn_hello(o->s->conn) : NULL;
	json_t *doc = json_document("chime.action/1", o->s->out.now_us,
				    hello != NULL ? hello->environment : NULL,
				    hello != NULL ? hello->server : NULL);
	json_t *list = json_array();

	json_object_set_new(doc, "command", json_string(o->deed->verb));
	json_object_set_new(doc, "key", json_hex(o->action.key, sizeof(o->action.key)));
	json_object_set_new(doc, "dry_run", json_boolean(dry));
	json_object_set_new(doc, "repeated", json_boolean(effects->repeated));
	for (size_t i = 0; i < effects->count; i++)
		json_array_append_new(list, effect_object(&effects->list[i],
							  ends != NULL ? &ends[i] : NULL));
	json_object_set_new(doc, "effects", list);
	return json_print(doc);
}

/* Tells a look without an act: --dry-run. */
static int tell_dry(const struct order *o, const struct effects *effects)
{
	if (o->s->out.format == OUT_JSON) {
		print_json(o, effects, NULL, true);
		return code_of(effects);
	}
	print_preview(o, effects, stdout);
	for (size_t i = 0; i < effects->count; i++) {
		if (!effects->list[i].done)
			print_refused(&effects->list[i], o->deed);
	}
	printf("nothing was %s (dry run)\n", o->deed->did);
	return code_of(effects);
}

static void print_end(const struct session *s, const struct effect *e, const struct run_end *end)
{
	if (s->out.format == OUT_JSON)
		return;
	printf("%s%-8s%s ", out_state_color(&s->out, end->state), end->state,
	       out_state_color(&s->out, end->state)[0] != '\0' ? out_color_end(&s->out) : "");
	out_text(stdout, e->target);
	printf("  run %llu@", (unsigned long long)e->run);
	out_text(stdout, server_of(e->target));
	if (end->signal != 0)
		printf("  signal %d", end->signal);
	else if (end->exit_code > 0)
		printf("  exit %d", end->exit_code);
	if (end->detail[0] != '\0') {
		fputs("  ", stdout);
		out_text(stdout, end->detail);
	}
	putchar('\n');
	fflush(stdout);
}

/* 0 when all runs ended in success (to kill: at all), else 1; 6 when time ran out. */
static int wait_for(struct order *o, const struct effects *effects, struct run_end *ends)
{
	struct session *s = o->s;
	int64_t timeout_us = 0, deadline_us = CONN_FOREVER;
	struct trouble t = { 0 };
	int code = 0;

	conn_catch_interrupt();
	if (args_given(&s->args, OPT_TIMEOUT) &&
	    args_duration(&s->args, OPT_TIMEOUT, &timeout_us, &t) == 0)
		deadline_us = conn_now_us() + timeout_us;
	for (size_t i = 0; i < effects->count; i++) {
		const struct effect *e = &effects->list[i];
		if (!e->done || e->run == 0)
			continue;
		int one = run_wait(s, server_of(e->target), e->run,
				   args_given(&s->args, OPT_FOLLOW) && s->out.format != OUT_JSON,
				   deadline_us, &ends[i], &t);
		if (one != 0)
			return trouble_print(&t);
		print_end(s, e, &ends[i]);
		if (o->deed != &deed_kill && strcmp(ends[i].state, "SUCCESS") != 0)
			code = EXIT_TROUBLE;
	}
	return code;
}

static int act(struct order *o, char *const *targets, size_t count)
{
	struct session *s = o->s;
	struct effects effects = { 0 };
	struct trouble t = { 0 };
	bool wait = args_given(&s->args, OPT_WAIT) || args_given(&s->args, OPT_FOLLOW);

	o->action.deadline_us = conn_now_us() + o->timeout_us;
	int stopped = action_run(&o->action, false, targets, count, &effects, &t);
	for (size_t i = 0; i < effects.count && s->out.format != OUT_JSON; i++) {
		if (effects.list[i].done)
			print_done(o, &effects.list[i]);
		else
			print_refused(&effects.list[i], o->deed);
	}
	if (stopped != 0)
		trouble_print(&t);
	int code = stopped != 0 ? (count_done(&effects) > 0 ? EXIT_PARTLY : stopped)
		: effects.count > 0 ? code_of(&effects) : 0;
	struct run_end *ends = say_calloc(effects.count, sizeof(*ends));
	if (wait && count_done(&effects) > 0) {
		int waited = wait_for(o, &effects, ends);
		code = code != 0 ? code : waited;
	}
	if (s->out.format == OUT_JSON)
		print_json(o, &effects, ends, false);
	free(ends);
	effects_fini(&effects);
	return code;
}

static bool any_glob(const struct order *o)
{
	for (size_t i = 0; i < o->count; i++) {
		if (glob_has_wildcard(o->target[i]) || o->target[i][0] == '@')
			return true;
	}
	return false;
}

/*
 * What a pattern met and may not be done is told with the rest. Not for kill: its patterns mean
 * what runs.
 */
static int tell_left_out(const struct order *o, const struct effects *effects)
{
	int code = 0;

	for (size_t i = 0; i < effects->count; i++) {
		if (effects->list[i].done || o->deed == &deed_kill)
			continue;
		if (o->s->out.format != OUT_JSON)
			print_refused(&effects->list[i], o->deed);
		code = EXIT_PARTLY;
	}
	return code;
}

/* Looks first; then acts on what was looked at, so that a glob can't grow in between. */
static int look_and_act(struct order *o)
{
	struct effects effects = { 0 };
	struct trouble t = { 0 };
	char **found = NULL;
	size_t count = 0;

	o->action.deadline_us = conn_now_us() + o->timeout_us;
	int code = action_run(&o->action, true, o->target, o->count, &effects, &t);
	if (code != 0) {
		trouble_print(&t);
		goto out;
	}
	if (args_given(&o->s->args, OPT_DRY_RUN)) {
		code = tell_dry(o, &effects);
		goto out;
	}
	if (count_done(&effects) == 0) {
		if (o->s->out.format == OUT_JSON)
			print_json(o, &effects, NULL, false);
		for (size_t i = 0; i < effects.count; i++)
			code = print_refused(&effects.list[i], o->deed);
		if (effects.count == 0) {
			trouble_set(&t, EXIT_NO_MATCH, "nothing matches; nothing was %s",
				    o->deed->did);
			code = trouble_print(&t);
		}
		goto out;
	}
	code = confirm(o, &effects);
	if (code != 0)
		goto out;
	if (!any_glob(o)) {
		code = act(o, o->target, o->count);
		goto out;
	}
	found = say_calloc(effects.count, sizeof(*found));
	for (size_t i = 0; i < effects.count; i++) {
		if (effects.list[i].done)
			found[count++] = effects.list[i].target;
	}
	int left_out = tell_left_out(o, &effects);
	code = act(o, found, count);
	code = code != 0 ? code : left_out;
out:
	free(found);
	effects_fini(&effects);
	return code;
}

static int read_ignore(struct order *o, struct trouble *t)
{
	static const char *const words[] = {
		"time", "after", "calendar", "hold", "lock", "overlap", "window", "limits",
	};
	const char *list = o->s->args.value[OPT_IGNORE];

	for (const char *p = list; p != NULL && *p != '\0'; p += *p == ',') {
		size_t len = strcspn(p, ","), i = 0;
		char *word = say_format("%.*s", (int)len, p);
		while (i < 8 && strcmp(words[i], word) != 0)
			i++;
		if (i == 8) {
			const char *nearest = name_nearest(word, words, 8);
			trouble_set(t, EXIT_USAGE, "--ignore does not know '%s'", word);
			if (nearest != NULL)
				trouble_why(t, "did you mean %s?", nearest);
			trouble_hint(t, "--ignore time,after,calendar,hold,lock,overlap,window,"
				     "limits");
			free(word);
			return EXIT_USAGE;
		}
		o->action.ignore = say_realloc(o->action.ignore, o->action.ignore_count + 1,
					       sizeof(char *));
		o->action.ignore[o->action.ignore_count++] = word;
		p += len;
	}
	return 0;
}

static int prepare(struct order *o, struct trouble *t)
{
	const struct args *args = &o->s->args;
	const char *why;

	o->action.session = o->s;
	o->action.kind = o->deed->kind;
	o->action.force = args_given(args, OPT_FORCE);
	o->action.no_downstream = args_given(args, OPT_NO_DOWNSTREAM);
	o->action.cycle = args->value[OPT_CYCLE];
	o->action.reason = args->value[OPT_REASON];
	if (o->action.reason != NULL && o->action.reason[0] == '\0')
		o->action.reason = NULL;
	if (o->action.reason != NULL && !name_reason_valid(o->action.reason, &why))
		return trouble_set(t, EXIT_USAGE, "a reason %s", why);
	int code = read_ignore(o, t);
	if (code == 0)
		code = action_key(&o->action, t);
	if (code == 0)
		code = session_timeout(o->s, &o->timeout_us, t);
	return code;
}

static int run_order(struct session *s, const struct deed *deed)
{
	struct order o = { .s = s, .deed = deed };
	const struct args *args = &s->args;
	struct trouble t = { 0 };

	int code = targets_read(s, 1, SIZE_MAX, &o.target, &o.count);
	if (code != 0)
		return code;
	code = prepare(&o, &t);
	if (code != 0) {
		trouble_print(&t);
		goto out;
	}
	/* A repeated key asks for the effect of an earlier look; looking again would mislead. */
	bool plain = o.count == 1 && !any_glob(&o) && !args_given(args, OPT_EXPECT);
	bool calm = args_given(args, OPT_YES) || (!deed->asks && deed != &deed_hold);
	bool reasoned = deed != &deed_force || o.action.reason != NULL;
	bool direct = args_given(args, OPT_KEY) || (plain && calm && reasoned);
	if (direct && !args_given(args, OPT_DRY_RUN))
		code = act(&o, o.target, o.count);
	else
		code = look_and_act(&o);
out:
	for (size_t i = 0; i < o.action.ignore_count; i++)
		free(o.action.ignore[i]);
	free(o.action.ignore);
	targets_free(o.target, o.count);
	return code;
}

int cmd_start(struct session *s)
{
	bool force = args_given(&s->args, OPT_FORCE) || args_given(&s->args, OPT_IGNORE);
	return run_order(s, force ? &deed_force : &deed_start);
}

int cmd_kill(struct session *s)
{
	return run_order(s, &deed_kill);
}

int cmd_hold(struct session *s)
{
	return run_order(s, &deed_hold);
}

int cmd_release(struct session *s)
{
	return run_order(s, &deed_release);
}
