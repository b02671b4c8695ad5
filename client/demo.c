/*
 * demo.c - chime demo: a throw-away environment of real servers on the loopback interface.
 *
 *	files -> guardian starts the daemons -> wait until every one hears all others
 *	      -> monitor, or tell events; force-start one job -> figures from the history
 *	      -> stop, remove
 *
 * Everything is done the way a user does it: certificates by the CA, daemons by their command
 * line, jobs from files, questions and the force-start through the client.
 */
#include "client/cmd.h"

#include "client/demo_env.h"
#include "client/demo_show.h"
#include "client/event.h"
#include "client/guardian.h"
#include "client/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define FORCED_JOB "ledger/publish@charlie"

enum {
	UP_US = 30 * 1000000,
	ASK_US = 5 * 1000000,
	TRIES = 3,			/* a free port may be taken before a daemon has it */
	FORCE_AFTER_US = 8 * 1000000,
	NO_TERMINAL_US = 30 * 1000000,
	SETTLE_US = 400 * 1000,		/* for what ended last to be heard everywhere */
};

struct demo {
	struct session *s;
	struct demo_env env;
	struct guardian guardian;
	bool guarded;
	bool lost[DEMO_SERVERS_MAX];	/* its daemon has ended */
	bool keep;
	int64_t for_us;			/* 0 = until somebody ends it */
	int64_t up_us, wall_up_us;
	bool forced;
	struct conn *conn;		/* that events come from */
	size_t asked;			/* which server that is */
	FILE *to;			/* for what is told; NULL = nothing */
	bool with_monitor;
	pid_t monitor;			/* > 0: it runs and has the terminal */
};

/* What would lead the daemons and the client of the demo elsewhere. */
static void clean_environment(void)
{
	static const char *const names[] = {
		"CHIME_TLS_CA", "CHIME_TLS_CERTIFICATE", "CHIME_TLS_KEY", "CHIME_SOCKET",
		"CHIME_VIA", "CHIME_CONFIG", "NOTIFY_SOCKET",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

__attribute__((format(printf, 2, 3)))
static void tell(const struct demo *d, const char *format, ...)
{
	va_list ap;

	if (d->to == NULL)
		return;
	fputs("demo: ", d->to);
	va_start(ap, format);
	vfprintf(d->to, format, ap);
	va_end(ap);
	fputc('\n', d->to);
	fflush(d->to);
}

/* The last lines of what a daemon said before it failed. */
static void show_log(const struct demo *d, size_t i)
{
	char *path = demo_env_path(&d->env, i, "chimed.log");
	FILE *in = fopen(path, "re");
	char line[4][512] = { "" };
	size_t n = 0;

	while (in != NULL && fgets(line[n % 4], sizeof(line[0]), in) != NULL)
		n++;
	for (size_t k = n > 4 ? n - 4 : 0; k < n; k++) {
		line[k % 4][strcspn(line[k % 4], "\n")] = '\0';
		fprintf(stderr, "%s: ", demo_server_name(i));
		out_text(stderr, line[k % 4]);
		fputc('\n', stderr);
	}
	if (in != NULL)
		fclose(in);
	free(path);
}

/* From here on the guardian answers for the folder, whatever becomes of this process. */
static int start_guardian(struct demo *d, struct trouble *t)
{
	struct guarded list[DEMO_SERVERS_MAX];
	char *argv[DEMO_SERVERS_MAX][4], *config[DEMO_SERVERS_MAX], *log[DEMO_SERVERS_MAX];

	for (size_t i = 0; i < d->env.count; i++) {
		config[i] = demo_env_path(&d->env, i, "chimed.yaml");
		log[i] = demo_env_path(&d->env, i, "chimed.log");
		argv[i][0] = d->env.chimed;
		argv[i][1] = (char *)(uintptr_t)"--config";
		argv[i][2] = config[i];
		argv[i][3] = NULL;
		list[i] = (struct guarded){ demo_server_name(i), argv[i], log[i] };
		d->lost[i] = false;
	}
	int error = guardian_start(&d->guardian, list, d->env.count, d->env.dir,
				   d->env.found_dir);
	d->guarded = error == 0;
	for (size_t i = 0; i < d->env.count; i++) {
		free(config[i]);
		free(log[i]);
	}
	return error == 0 ? 0 : trouble_set(t, EXIT_TROUBLE, "cannot start the daemons: %s",
					    strerror(-error));
}

/* Notes which daemons have ended; true when one has since. */
static bool look_at_daemons(struct demo *d)
{
	bool any = false;
	int status, i;

	while ((i = guardian_ended(&d->guardian, &status)) >= 0) {
		if ((size_t)i >= d->env.count)
			continue;
		d->lost[i] = any = true;
		if (WIFSIGNALED(status))
			tell(d, "%s was ended by signal %d", demo_server_name((size_t)i),
			     WTERMSIG(status));
		else
			tell(d, "%s has ended with code %d", demo_server_name((size_t)i),
			     WEXITSTATUS(status));
	}
	return any;
}

static int open_server(struct demo *d, size_t i, struct conn **conn, struct trouble *t)
{
	char *path = demo_env_path(&d->env, i, "control.sock");
	int code = conn_open_socket(conn, path, conn_now_us() + ASK_US, t);

	free(path);
	return code;
}

/* Does this server hear all of them? Asks its status too, as a user would. */
static bool server_is_up(struct demo *d, size_t i)
{
	Chime__Request servers = CHIME__REQUEST__INIT, status = CHIME__REQUEST__INIT;
	Chime__ServersRequest servers_body = CHIME__SERVERS_REQUEST__INIT;
	Chime__StatusRequest status_body = CHIME__STATUS_REQUEST__INIT;
	Chime__Reply *reply = NULL;
	struct conn *conn = NULL;
	struct trouble t;
	size_t up = 0;

	servers.body_case = CHIME__REQUEST__BODY_SERVERS;
	servers.servers = &servers_body;
	status.body_case = CHIME__REQUEST__BODY_STATUS;
	status.status = &status_body;
	if (open_server(d, i, &conn, &t) != 0)
		return false;
	if (conn_ask(conn, &servers, conn_now_us() + ASK_US, &reply, &t) == 0 &&
	    reply->body_case == CHIME__REPLY__BODY_SERVERS) {
		for (size_t k = 0; k < reply->servers->n_server; k++) {
			const char *state = reply->servers->server[k]->state;
			up += state != NULL && strcmp(state, "UP") == 0;
		}
	}
	conn_reply_free(reply);
	reply = NULL;
	bool answers = conn_ask(conn, &status, conn_now_us() + ASK_US, &reply, &t) == 0;
	conn_reply_free(reply);
	conn_close(conn);
	return answers && up >= d->env.count;
}

static void pause_ms(int ms)
{
	struct timespec t = { .tv_nsec = (long)ms * 1000000 };
	nanosleep(&t, NULL);
}

/* 0, EXIT_UNREACHED (a daemon ended: its port may have been taken), EXIT_TIME, EXIT_INTERRUPTED. */
static int wait_until_up(struct demo *d, struct trouble *t)
{
	int64_t end = conn_now_us() + UP_US;
	size_t up = 0;

	while (up < d->env.count) {
		if (conn_interrupted())
			return trouble_set(t, EXIT_INTERRUPTED, "interrupted");
		if (look_at_daemons(d))
			return trouble_set(t, EXIT_UNREACHED, "a server did not start");
		if (conn_now_us() > end)
			return trouble_set(t, EXIT_TIME, "%s does not hear all %zu servers after "
					   "30 seconds", demo_server_name(up), d->env.count);
		if (server_is_up(d, up))
			up++;
		else
			pause_ms(50);
	}
	return 0;
}

static int bring_up(struct demo *d, struct trouble *t)
{
	int code = EXIT_UNREACHED;

	for (int tries = 0; tries < TRIES && code == EXIT_UNREACHED; tries++) {
		if (d->guarded) {
			/* Its guardian removed the folder with what was in it. */
			guardian_stop(&d->guardian);
			d->guarded = false;
			if (mkdir(d->env.dir, 0700) < 0 && errno != EEXIST)
				return trouble_set(t, EXIT_TROUBLE, "cannot make %s: %s",
						   d->env.dir, strerror(errno));
		}
		code = start_guardian(d, t);
		if (code == 0)
			code = demo_env_write(&d->env, t);
		if (code == 0) {
			guardian_go(&d->guardian);
			code = wait_until_up(d, t);
		}
		if (code == EXIT_UNREACHED && tries + 1 == TRIES) {
			for (size_t i = 0; i < d->env.count; i++) {
				if (d->lost[i])
					show_log(d, i);
			}
		}
	}
	if (code == EXIT_TIME) {
		for (size_t i = 0; i < d->env.count; i++)
			show_log(d, i);
	}
	return code;
}

static void introduce(const struct demo *d)
{
	char line[1024] = "";

	if (d->to == NULL)
		return;
	tell(d, "throw-away CA and %zu servers in %s (nothing else is touched)", d->env.count,
	     d->env.dir);
	for (size_t i = 0; i < d->env.count; i++) {
		size_t len = strlen(line);
		snprintf(line + len, sizeof(line) - len, "%s%s 127.0.0.1:%u", i > 0 ? "   " : "",
			 demo_server_name(i), d->env.port[i]);
	}
	tell(d, "%s", line);
	tell(d, "bus %s:%u on lo; jobs: %zu files of %s", d->env.group, d->env.bus_port,
	     d->env.jobs, d->env.examples);
}

static void print_use(const struct demo *d)
{
	tell(d, "try in another terminal:  export CHIME_CONFIG=%s/chime.yaml", d->env.dir);
	tell(d, "    %s ls", d->env.chime);
	tell(d, "    %s why %s", d->env.chime, FORCED_JOB);
	tell(d, "    %s --via bravo events -f", d->env.chime);
}

/* Runs my own program as a user would; its output goes where the demo tells things. */
static void run_client(struct demo *d, const char *const *words)
{
	char *config = say_format("%s/chime.yaml", d->env.dir);
	posix_spawn_file_actions_t actions;
	char *argv[16] = { d->env.chime, (char *)(uintptr_t)"--config", config };
	size_t n = 3;
	pid_t pid;
	int status;

	for (; *words != NULL && n < 15; words++)
		argv[n++] = (char *)(uintptr_t)*words;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (d->to == NULL) {
		posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
		posix_spawn_file_actions_adddup2(&actions, 1, 2);
	} else if (d->to == stderr) {
		posix_spawn_file_actions_adddup2(&actions, 2, 1);
	}
	fflush(NULL);
	if (posix_spawn(&pid, d->env.chime, &actions, NULL, argv, environ) == 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	posix_spawn_file_actions_destroy(&actions);
	free(config);
}

static void force_start(struct demo *d)
{
	static const char *const words[] = {
		"start", "--force", "--yes", "--reason", "the demo shows a force-start",
		FORCED_JOB, NULL,
	};

	d->forced = true;
	tell(d, "%s waits for a success that never comes; somebody takes the decision:",
	     FORCED_JOB);
	tell(d, "$ chime start --force --yes --reason \"%s\" %s", words[4], FORCED_JOB);
	run_client(d, words);
}

/* The next living server, after the one that was asked. */
static int follow_events(struct demo *d, uint64_t *id, struct trouble *t)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__EventsRequest events = CHIME__EVENTS_REQUEST__INIT;
	int code = EXIT_UNREACHED;

	conn_close(d->conn);
	d->conn = NULL;
	for (size_t i = 0; i < d->env.count && code != 0; i++) {
		d->asked = (d->asked + (i > 0)) % d->env.count;
		if (!d->lost[d->asked])
			code = open_server(d, d->asked, &d->conn, t);
	}
	if (code != 0)
		return code;
	events.has_since = true;
	events.since = d->wall_up_us;
	events.has_limit = true;
	events.limit = 10000;
	events.has_follow = events.follow = true;
	request.body_case = CHIME__REQUEST__BODY_EVENTS;
	request.events = &events;
	code = conn_send(d->conn, &request, conn_now_us() + ASK_US, t);
	*id = request.id;
	return code;
}

static void tell_events(struct demo *d, struct demo_teller *teller,
			const Chime__EventsReply *events)
{
	for (size_t i = 0; i < events->n_event && d->to != NULL; i++) {
		Chime__Event *event = event_unpack(events->event[i]);
		if (event == NULL)
			continue;
		demo_tell(teller, events->event[i], event);
		chime__event__free_unpacked(event, NULL);
	}
}

/* The monitor as a child, which has the terminal until it ends. */
static int start_monitor(struct demo *d, struct trouble *t)
{
	char *config = say_format("%s/chime.yaml", d->env.dir);
	char *argv[] = { (char *)(uintptr_t)"chime", (char *)(uintptr_t)"--config", config,
			 (char *)(uintptr_t)"monitor", NULL };

	fflush(NULL);
	d->monitor = fork();
	if (d->monitor == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		execv(d->env.chime, argv);
		_exit(127);
	}
	free(config);
	if (d->monitor > 0)
		return 0;
	trouble_set(t, EXIT_TROUBLE, "the monitor cannot be started: %s", strerror(errno));
	trouble_hint(t, "chime demo --no-monitor");
	return EXIT_TROUBLE;
}

static bool monitor_ended(struct demo *d)
{
	if (d->monitor <= 0 || waitpid(d->monitor, NULL, WNOHANG) != d->monitor)
		return false;
	d->monitor = -1;
	return true;
}

/* Time is over or a signal came: the terminal first, then what there is to tell. */
static void stop_monitor(struct demo *d)
{
	if (d->monitor <= 0)
		return;
	kill(d->monitor, SIGTERM);
	while (waitpid(d->monitor, NULL, 0) < 0 && errno == EINTR)
		;
	d->monitor = -1;
}

/* Tells what happens until the time is over or somebody ends it. */
static int watch(struct demo *d, struct trouble *t)
{
	struct demo_teller *teller = demo_teller_new(&d->s->out, d->to != NULL ? d->to : stderr);
	int64_t end = d->for_us > 0 ? d->up_us + d->for_us : INT64_MAX;
	int64_t force_at = d->up_us + (d->for_us > 0 && d->for_us / 3 < FORCE_AFTER_US
				       ? d->for_us / 3 : FORCE_AFTER_US);
	uint64_t id = 0;
	int code = follow_events(d, &id, t);

	while (code == 0 && !conn_interrupted() && conn_now_us() < end && !monitor_ended(d)) {
		Chime__Reply *reply = NULL;
		int64_t until = conn_now_us() + 200000;

		look_at_daemons(d);
		if (!d->forced && conn_now_us() >= force_at)
			force_start(d);
		until = !d->forced && force_at < until ? force_at : until;
		code = conn_receive(d->conn, id, until < end ? until : end, &reply, t);
		if (code == EXIT_TIME) {
			code = 0;
			continue;
		}
		if (code == EXIT_UNREACHED && !conn_interrupted()) {
			pause_ms(200);
			code = follow_events(d, &id, t);
			continue;
		}
		if (code == 0 && reply->body_case == CHIME__REPLY__BODY_EVENTS)
			tell_events(d, teller, reply->events);
		if (code == 0 && reply->body_case == CHIME__REPLY__BODY_REFUSAL)
			code = conn_refusal(reply->refusal, t);
		conn_reply_free(reply);
	}
	demo_teller_free(teller);
	return code == EXIT_INTERRUPTED ? 0 : code;
}

/* From the history of any server: all have the same. */
static int sum_up(struct demo *d, struct demo_figures *figures, struct trouble *t)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__RunsRequest runs = CHIME__RUNS_REQUEST__INIT;
	Chime__Reply *reply = NULL;
	int code = EXIT_UNREACHED;

	runs.has_limit = true;
	runs.limit = 10000;
	request.body_case = CHIME__REQUEST__BODY_RUNS;
	request.runs = &runs;
	pause_ms(SETTLE_US / 1000);
	for (size_t i = 0; i < d->env.count && code != 0; i++) {
		conn_close(d->conn);
		d->conn = NULL;
		if (!d->lost[i])
			code = open_server(d, i, &d->conn, t);
		if (code == 0)
			code = conn_ask(d->conn, &request, conn_now_us() + ASK_US, &reply, t);
		if (code == 0 && reply->body_case != CHIME__REPLY__BODY_RUNS)
			code = trouble_set(t, EXIT_UNREACHED, "no history came");
	}
	if (code == 0)
		demo_figures(reply->runs, figures);
	conn_reply_free(reply);
	return code;
}

static void tell_figures(const struct demo *d, const struct demo_figures *f)
{
	tell(d, "%llu runs succeeded, %llu failed; the chain over %zu servers was run %llu times",
	     (unsigned long long)f->success, (unsigned long long)f->failed, demo_chain_len,
	     (unsigned long long)f->chains);
	if (f->pairs > 0)
		tell(d, "from the end of a job on one server to the start of the next on another: "
		     "median %.1f ms, worst %.1f ms of %zu", f->median_ms, f->worst_ms, f->pairs);
}

static void tell_kept(const struct demo *d)
{
	tell(d, "kept: %zu servers go on in %s", d->env.count, d->env.dir);
	tell(d, "use it:  export CHIME_CONFIG=%s/chime.yaml; %s ls", d->env.dir, d->env.chime);
	tell(d, "end it:  kill %d       (stops the servers and their jobs, removes the folder)",
	     (int)d->guardian.pid);
}

static int run_demo(struct demo *d, struct demo_figures *figures, struct trouble *t)
{
	struct timespec now;

	int code = bring_up(d, t);
	if (code != 0)
		return code;
	if (d->keep)
		guardian_keep(&d->guardian);
	d->up_us = conn_now_us();
	clock_gettime(CLOCK_REALTIME, &now);
	d->wall_up_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	introduce(d);
	tell(d, "all servers are up");
	print_use(d);
	if (d->for_us == 0 && d->to != NULL && !d->with_monitor)
		tell(d, "Ctrl-C ends it");
	FILE *to = d->to;
	if (d->with_monitor) {
		code = start_monitor(d, t);
		d->to = NULL;
	}
	if (code == 0)
		code = watch(d, t);
	stop_monitor(d);
	d->to = to;
	int signal_number = conn_interrupted();
	conn_clear_interrupt();
	if (code == 0)
		code = sum_up(d, figures, t);
	if (code == 0)
		tell_figures(d, figures);
	/* Without --for, Ctrl-C is how it ends. */
	if (code == 0 && signal_number != 0 && (signal_number != SIGINT || d->for_us > 0))
		code = trouble_set(t, 128 + signal_number, "interrupted");
	return code;
}

static int read_demo_options(struct demo *d, struct trouble *t)
{
	const struct args *args = &d->s->args;
	uint64_t count = DEMO_SERVERS_MIN;

	int code = args_number(args, OPT_SERVERS, DEMO_SERVERS_MIN, DEMO_SERVERS_MAX, &count, t);
	if (code == 0)
		code = args_duration(args, OPT_FOR, &d->for_us, t);
	d->env.count = (size_t)count;
	d->keep = args_given(args, OPT_KEEP);
	if (d->for_us == 0 && (!d->s->out.tty || !d->s->out.tty_in))
		d->for_us = NO_TERMINAL_US;
	d->with_monitor = d->s->out.tty && d->s->out.tty_in && d->s->out.format != OUT_JSON &&
			  !args_given(args, OPT_NO_MONITOR) && !args_given(args, OPT_QUIET);
	d->to = d->s->out.format != OUT_JSON ? stdout : d->s->out.tty_err ? stderr : NULL;
	if (args_given(args, OPT_QUIET))
		d->to = NULL;
	return code;
}

static void catch_signals(void)
{
	conn_catch_signal(SIGINT);
	conn_catch_signal(SIGTERM);
	conn_catch_signal(SIGHUP);
}

int cmd_demo(struct session *s)
{
	struct demo d = { .s = s, .guardian = { .to = -1, .from = -1 } };
	struct demo_figures figures = { 0 };
	struct trouble t = { 0 };

	int code = targets_read(s, 0, 0, &(char **){ NULL }, &(size_t){ 0 });
	if (code != 0)
		return code;
	clean_environment();
	code = read_demo_options(&d, &t);
	if (code == 0)
		code = demo_env_find(&d.env, &t);
	catch_signals();
	if (code == 0)
		code = demo_env_make_dir(&d.env, args_given(&s->args, OPT_DIR)
					 ? s->args.value[OPT_DIR] : NULL, &t);
	if (code == 0)
		code = run_demo(&d, &figures, &t);
	conn_close(d.conn);
	bool kept = d.guarded && d.keep && code != EXIT_UNREACHED && code != EXIT_TIME;
	if (kept) {
		tell_kept(&d);
		guardian_leave(&d.guardian);
	} else if (d.guarded) {
		guardian_stop(&d.guardian);
		tell(&d, "stopped %zu servers, removed %s", d.env.count, d.env.dir);
		tell(&d, "keep it next time: chime demo --keep");
	} else if (d.env.dir[0] != '\0' && !d.env.found_dir) {
		rmdir(d.env.dir);
	}
	if (code != 0)
		return trouble_print(&t);
	if (s->out.format == OUT_JSON)
		code = json_print(demo_json(&figures, d.env.count));
	return code;
}
