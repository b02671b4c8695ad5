/*
 * main.c - chimed: from the command line to the loop.
 *
 * The loop is libevent's: callbacks fill the inbox, then node_turn() runs. Two timerfds wake it:
 * CLOCK_BOOTTIME for intervals, CLOCK_REALTIME with cancel-on-set for slots, so that a clock that
 * is set wakes it too.
 */
#include "daemon/node.h"

#include "daemon/conf.h"
#include "daemon/edge/bus.h"
#include "daemon/edge/control.h"
#include "daemon/edge/discovery.h"
#include "daemon/edge/links.h"
#include "daemon/edge/listen.h"
#include "daemon/edge/runner.h"
#include "daemon/edge/service.h"
#include "daemon/jobfile.h"
#include "daemon/log.h"
#include "daemon/tzdata.h"
#include "proto/version.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ERROR_SIZE = 1024 };

struct daemon {
	struct conf conf;
	struct identity *identity;
	struct buskey key;
	struct keyring ring;
	struct journal *journal;
	struct event_base *base;
	struct bus *bus;
	struct control *control;
	struct links *links;
	struct runner *runner;
	struct discovery *discovery;
	struct node node;
	struct event *events[8];
	size_t event_count;
	int boot_timer, wall_timer, link_fd, lock_fd;
	pid_t launcher;
	char boot_path[PATH_MAX], address[PEER_ADDRESS_SIZE];
};

static int complain(const char *text)
{
	fprintf(stderr, "chimed: %s\n", text);
	return 1;
}

/* ---- before the loop ---- */

/* Makes the folders above as well; what can't be made shows at the last one. */
static int make_folders(const char *path)
{
	char above[PATH_MAX];

	snprintf(above, sizeof(above), "%s", path);
	for (char *slash = strchr(above + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(above, 0755);
		*slash = '/';
	}
	return mkdir(path, 0700);
}

static int make_data(const struct conf *conf)
{
	struct stat st;

	if (make_folders(conf->data) < 0 && errno != EEXIST) {
		fprintf(stderr, "chimed: cannot make the data folder %s: %s\n", conf->data,
			strerror(errno));
		return 1;
	}
	if (stat(conf->data, &st) < 0 || !S_ISDIR(st.st_mode)) {
		fprintf(stderr, "chimed: %s is not a folder\n", conf->data);
		return 1;
	}
	return 0;
}

/* One chimed per data folder; the lock is not inherited by anything that is started. */
static int lock_data(struct daemon *d)
{
	char path[PATH_MAX], text[32] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "%s/lock", d->conf.data);
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0) {
		fprintf(stderr, "chimed: cannot open %s: %s\n", path, strerror(errno));
		return 1;
	}
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		n = read(d->lock_fd, text, sizeof(text) - 1);
		text[n > 0 ? strcspn(text, "\n") : 0] = 0;
		fprintf(stderr, "chimed: another chimed (pid %s) uses %s\n"
			"why:   two servers on one data folder would destroy it\n"
			"try:   stop that one, or give this one a data folder of its own\n",
			text[0] ? text : "unknown", d->conf.data);
		return 1;
	}
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(d->lock_fd, 0) < 0 || pwrite(d->lock_fd, text, strlen(text), 0) < 0)
		return complain("cannot write the lock file");
	return 0;
}

static void find_program(const char *name, char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = 0;
		snprintf(path, size, "%s/%s", dirname(self), name);
		if (access(path, X_OK) == 0)
			return;
	}
	snprintf(path, size, "%s/%s", LIBEXECDIR, name);
}

/* The launcher is started before privileges go, and knows nothing but the configuration file. */
static int start_launcher(struct daemon *d)
{
	char path[PATH_MAX];
	int pair[2];

	find_program("chime-launcher", path, sizeof(path));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return complain("cannot make the link to the launcher");
	d->launcher = fork();
	if (d->launcher < 0)
		return complain("cannot start the launcher: fork failed");
	if (d->launcher == 0) {
		if (pair[1] == LINK_FD)
			fcntl(LINK_FD, F_SETFD, 0);
		else
			dup2(pair[1], LINK_FD);
		execl(path, "chime-launcher", "--config", d->conf.file, (char *)NULL);
		fprintf(stderr, "chimed: cannot start %s: %s\n", path, strerror(errno));
		_exit(127);
	}
	close(pair[1]);
	d->link_fd = pair[0];
	fcntl(d->link_fd, F_SETFL, O_NONBLOCK);
	return 0;
}

/* The node runs as the owner of its data (contract 5). */
static int drop_privileges(const struct conf *conf)
{
	struct stat st;
	/* The only group it keeps is the one that its socket is given to. */
	const struct group *operators = getgrnam(LISTEN_GROUP);

	if (geteuid() != 0)
		return 0;
	if (stat(conf->data, &st) < 0)
		return complain("cannot look at the data folder");
	if (st.st_uid == 0)
		return 0;
	if (setgroups(operators ? 1 : 0, operators ? &operators->gr_gid : NULL) < 0 ||
	    setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
		return complain("cannot become the owner of the data folder");
	return 0;
}

static int load_identity(struct daemon *d)
{
	const struct conf *conf = &d->conf;
	const struct name_id *me;
	char err[ERROR_SIZE], why[IDENTITY_WHY_SIZE];

	if (!conf->identity.certificate)
		return 0;
	if (identity_load(conf->identity.ca, conf->identity.certificate, conf->identity.key,
			  &d->identity, err, sizeof(err)) < 0)
		return complain(err);
	me = identity_name(d->identity);
	if (me->role != ROLE_SERVER || strcmp(me->name, conf->server) != 0 ||
	    strcmp(me->environment, conf->environment) != 0) {
		fprintf(stderr, "chimed: the certificate is not this server's\n"
			"why:   it says chime://%s/%s/%s, the configuration says server %s of %s\n"
			"try:   chime ca issue --role server --name %s\n", me->environment,
			role_name(me->role), me->name, conf->server, conf->environment,
			conf->server);
		return 1;
	}
	if (identity_check_self(d->identity, wall_seconds(clock_now().wall), why, sizeof(why)) !=
	    IDENTITY_OK)
		log_warn("certificate", "why=%s consequence=\"others will refuse it; local jobs go on\"",
			 log_quote(why));
	return 0;
}

static int load_key(struct daemon *d)
{
	char err[ERROR_SIZE];

	if (!d->identity || strcmp(d->conf.bus.mode, "off") == 0)
		return 0;
	if (buskey_load(d->conf.bus.key, &d->key, err, sizeof(err)) < 0)
		return complain(err);
	return keyring_add(&d->ring, d->key.bytes) < 0 ? complain("the bus key cannot be used") : 0;
}

static int open_journal(struct daemon *d)
{
	char path[PATH_MAX], err[ERROR_SIZE];

	snprintf(path, sizeof(path), "%s/history.db", d->conf.data);
	snprintf(d->boot_path, sizeof(d->boot_path), "%s/boot", d->conf.data);
	return journal_open(&d->journal, path, err, sizeof(err)) < 0 ? complain(err) : 0;
}

/* ---- the loop ---- */

static void put_cb(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	enum inbox_kind kind = fd == SIGHUP ? INBOX_RELOAD : INBOX_STOP;

	(void)what;
	inbox_put(&d->node.inbox, inbox_item_new(kind, NULL, 0));
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	uint64_t expirations;

	(void)what;
	(void)arg;
	/* ECANCELED tells that the clock was set: the turn that follows looks at it anew. */
	if (read(fd, &expirations, sizeof(expirations)) < 0 && errno == ECANCELED)
		log_info("clock.set", "%s", "");
}

static void reap_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	/* The end of the link tells what its death means; here it is only buried. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void add_event(struct daemon *d, struct event *event)
{
	event_add(event, NULL);
	d->events[d->event_count++] = event;
}

static int open_loop(struct daemon *d)
{
	struct event_config *config = event_config_new();

	/* Time is ours: two timerfds; libevent's own clock caching would only add a second one. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
	d->base = event_base_new_with_config(config);
	event_config_free(config);
	d->boot_timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	d->wall_timer = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (!d->base || d->boot_timer < 0 || d->wall_timer < 0)
		return complain("cannot make the event loop");
	add_event(d, event_new(d->base, d->boot_timer, EV_READ | EV_PERSIST, timer_cb, d));
	add_event(d, event_new(d->base, d->wall_timer, EV_READ | EV_PERSIST, timer_cb, d));
	add_event(d, evsignal_new(d->base, SIGHUP, put_cb, d));
	add_event(d, evsignal_new(d->base, SIGTERM, put_cb, d));
	add_event(d, evsignal_new(d->base, SIGINT, put_cb, d));
	add_event(d, evsignal_new(d->base, SIGCHLD, reap_cb, d));
	return 0;
}

static void arm(int fd, int64_t at_us, int flags)
{
	struct itimerspec spec = { 0 };

	if (at_us < INT64_MAX) {
		at_us = at_us > 0 ? at_us : 1;
		spec.it_value.tv_sec = at_us / USEC_PER_SEC;
		spec.it_value.tv_nsec = at_us % USEC_PER_SEC * 1000;
	} else if (flags & TFD_TIMER_CANCEL_ON_SET) {
		/* Far away, but armed: setting the clock must wake us. */
		spec.it_value.tv_sec = INT32_MAX * INT64_C(4);
	}
	timerfd_settime(fd, TFD_TIMER_ABSTIME | flags, &spec, NULL);
}

static int open_edges(struct daemon *d)
{
	char err[ERROR_SIZE], choice[256] = "";
	const struct conf *conf = &d->conf;
	bool with_bus = d->identity && strcmp(conf->bus.mode, "off") != 0;

	if (control_open(&d->control, d->base, &d->node.inbox, conf, d->identity, err,
			 sizeof(err)) < 0)
		return complain(err);
	if (d->identity && links_open(&d->links, d->base, &d->node.inbox, d->identity) < 0)
		return complain("cannot make connections to other servers");
	if (with_bus && bus_open(&d->bus, d->base, &d->node.inbox, conf, choice, sizeof(choice),
				 err, sizeof(err)) < 0) {
		/* Multicast is an accelerator: what it would bring is pulled over mTLS. */
		log_warn("bus.closed", "why=%s consequence=\"events of others are pulled, later\"",
			 log_quote(err));
	}
	if (choice[0])
		log_info("bus.open", "group=%s port=%u interface=%s", conf->bus.group,
			 conf->bus.port, log_quote(choice));
	if (d->identity && conf->discovery != DISCOVERY_OFF &&
	    discovery_open(&d->discovery, d->base, conf, identity_environment_id(d->identity),
			   control_port(d->control), err, sizeof(err)) < 0)
		log_warn("discovery.closed", "why=%s consequence=\"clients need a list of servers\"",
			 log_quote(err));
	return runner_open(&d->runner, d->base, &d->node.inbox, d->link_fd, conf->environment,
			   conf->server) < 0 ? complain("cannot talk to the launcher") : 0;
}

/* What others reach me by: the configured host, or the one the bus goes out of. */
static void find_address(struct daemon *d)
{
	const char *listen = d->conf.control.listen;
	const char *colon = listen ? strrchr(listen, ':') : NULL;
	size_t host_len = colon ? (size_t)(colon - listen) : 0;
	char host[64] = "";

	d->address[0] = 0;
	if (!d->identity || !control_port(d->control))
		return;
	if (host_len && host_len < sizeof(host))
		memcpy(host, listen, host_len);
	if (!host[0] || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "[::]") == 0 ||
	    strcmp(host, "*") == 0) {
		const char *source = d->bus ? bus_source(d->bus) : NULL;

		snprintf(host, sizeof(host), "%s", source ? source : "127.0.0.1");
	}
	snprintf(d->address, sizeof(d->address), "%s:%u", host, control_port(d->control));
}

static int open_node(struct daemon *d)
{
	char err[ERROR_SIZE];
	struct node_setup setup = {
		.environment = d->conf.environment, .server = d->conf.server,
		.timezone = d->conf.timezone, .boot_path = d->boot_path,
		.seeds = (const char *const *)d->conf.peers, .seed_count = d->conf.peer_count,
		.identity = d->identity, .keys = d->identity ? &d->ring : NULL,
		.key = d->ring.count ? &d->ring.keys[0] : NULL,
		.history_us = d->conf.limits.history_us,
		.history_bytes = d->conf.limits.history_bytes,
		.journal = d->journal, .bus = d->bus, .control = d->control, .links = d->links,
		.runner = d->runner, .discovery = d->discovery, .address = d->address,
		.control_port = d->control ? control_port(d->control) : 0,
	};

	if (getrandom(&setup.seed, sizeof(setup.seed), 0) != sizeof(setup.seed))
		return complain("no random numbers");
	/* Edges may have filled the inbox already; node_init makes it anew, so it is called once
	 * before they open and its setup completed after. */
	if (node_init(&d->node, &setup, clock_now(), err, sizeof(err)) < 0)
		return complain(err);
	return 0;
}

static void complete_setup(struct daemon *d)
{
	struct node_setup *setup = &d->node.setup;

	find_address(d);
	setup->bus = d->bus;
	setup->bus_group = d->bus ? d->conf.bus.group : NULL;
	setup->bus_port = d->conf.bus.port;
	setup->control = d->control;
	setup->links = d->links;
	setup->runner = d->runner;
	setup->discovery = d->discovery;
	setup->control_port = control_port(d->control);
	start_hello(&d->node);
}

static int run_loop(struct daemon *d)
{
	bool told_ready = false;
	int64_t boot_us, wall_us;

	while (d->node.state != NODE_STOPPED && d->node.state != NODE_FAILED) {
		bool more = node_turn(&d->node, clock_now(), NODE_STEP_SPEAK);

		if (!told_ready && d->node.state == NODE_OPEN && d->node.jobs_loaded) {
			service_ready("open, jobs loaded");
			told_ready = true;
		}
		if (d->node.state == NODE_STOPPED || d->node.state == NODE_FAILED)
			break;
		node_next(&d->node, &boot_us, &wall_us);
		arm(d->boot_timer, boot_us, 0);
		arm(d->wall_timer, wall_us, TFD_TIMER_CANCEL_ON_SET);
		event_base_loop(d->base, more ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
	}
	return d->node.state == NODE_FAILED;
}

static void close_all(struct daemon *d)
{
	service_stopping();
	if (d->control)
		control_close(d->control);
	if (d->links)
		links_close(d->links);
	if (d->discovery)
		discovery_close(d->discovery);
	if (d->bus)
		bus_close(d->bus);
	if (d->runner)
		runner_close(d->runner);
	node_fini(&d->node);
	journal_close(d->journal);
	for (size_t i = 0; i < d->event_count; i++)
		event_free(d->events[i]);
	if (d->base)
		event_base_free(d->base);
	keyring_fini(&d->ring);
	buskey_fini(&d->key);
	identity_free(d->identity);
	conf_fini(&d->conf);
}

/* ---- the command line ---- */

static int check_jobs(const struct conf *conf)
{
	/* As the launcher of this user will read them, so that a reload refuses nothing more. */
	const struct passwd *me = geteuid() == 0 ? NULL : getpwuid(geteuid());
	struct jobfile_options options = {
		.timezone = conf->timezone, .server = conf->server, .check_owner = true,
		.need_user = geteuid() == 0, .only_user = me ? me->pw_name : NULL,
	};
	struct jobset set = { 0 };
	struct diags diags = { 0 };
	int r = jobset_load(conf->jobs, &options, &set, &diags);

	if (r < 0) {
		fprintf(stderr, "chimed: cannot read the jobs in %s: %s\n", conf->jobs,
			strerror(-r));
	} else {
		diags_print(&diags, "", stderr);
		fprintf(stderr, "%zu file%s, %zu job%s: %zu error%s\n", set.files,
			set.files == 1 ? "" : "s", set.count, set.count == 1 ? "" : "s",
			diags.errors, diags.errors == 1 ? "" : "s");
		r = diags.errors ? -EINVAL : 0;
	}
	jobset_fini(&set);
	diags_fini(&diags);
	return r < 0;
}

static int check(struct daemon *d)
{
	return load_identity(d) || load_key(d) || check_jobs(&d->conf);
}

static int serve(struct daemon *d)
{
	int r;

	signal(SIGPIPE, SIG_IGN);
	if (make_data(&d->conf) || lock_data(d) || start_launcher(d) || drop_privileges(&d->conf) ||
	    load_identity(d) || load_key(d) || open_journal(d) || open_loop(d) || open_node(d))
		return 1;
	if (open_edges(d))
		return 1;
	complete_setup(d);
	log_info("server.start", "server=%s environment=%s version=%s data=%s address=%s",
		 d->conf.server, d->conf.environment, CHIME_VERSION, log_quote(d->conf.data),
		 log_quote(d->address));
	r = run_loop(d);
	close_all(d);
	return r;
}

static int usage(FILE *out, int code)
{
	fprintf(out, "usage: chimed --config FILE            run in the foreground\n"
		"       chimed --config FILE --check    check configuration, identity and jobs\n"
		"       chimed --config FILE --print-config\n"
		"       chimed --version\n");
	return code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "print-config", no_argument, NULL, 'p' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static struct daemon daemon;	/* large; zero */
	const char *file = "/etc/chime/chimed.yaml";
	bool only_check = false, only_print = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'k':
			only_check = true;
			break;
		case 'p':
			only_print = true;
			break;
		case 'v':
			printf("chimed %s, protocol %d\n", CHIME_VERSION, CHIME_PROTOCOL);
			return 0;
		case 'h':
			return usage(stdout, 0);
		default:
			return usage(stderr, 2);
		}
	if (optind < argc)
		return usage(stderr, 2);
	log_open("chimed");
	if (conf_load(file, &daemon.conf, stderr) < 0)
		return 1;
	if (only_print) {
		conf_print(&daemon.conf, stdout);
		return 0;
	}
	return only_check ? check(&daemon) : serve(&daemon);
}
