/*
 * commands.c - the rows.
 *
 * `usage` holds one form of the command a line, "ARGUMENTS\twhat it does"; `options` is printed
 * as it stands and is also what the client's option parser believes: a command takes the options
 * that its text names (--word), besides those that every command takes. So help can't lie.
 */
#include "proto/commands.h"

#include "proto/control.pb-c.h"

#include <string.h>

#define OPTIONS_ACT \
	"  --dry-run          say what would happen, change nothing\n" \
	"  --reason TEXT      for the log          -y, --yes     do not ask\n" \
	"  --expect N         with --yes and more than one target: how many there must be\n" \
	"  --key HEX          the key of an earlier try: has effect once, however often it is sent\n"

const struct command commands[] = {
	{
		.name = "status", .group = "Look", .role = ROLE_VIEWER,
		.request = CHIME__REQUEST__BODY_STATUS,
		.usage = "\tcounts by state, the worst jobs, silent servers, alarms",
		.summary = "summary of the environment",
		.options =
			"  --check            exit 1 if anything is FAILED or UNKNOWN (for Nagios, Icinga)\n",
		.examples =
			"  chime status\n"
			"  chime status --check --json\n",
		.see = "ls, server ls",
	},
	{
		.name = "ls", .group = "Look", .role = ROLE_VIEWER,
		.request = CHIME__REQUEST__BODY_JOBS,
		.usage = "[TARGET...]\tjobs of all servers, or those that match",
		.summary = "jobs and their state",
		.options =
			"  --trouble          only what needs somebody\n"
			"  --sort COLUMN      state (default: trouble first), job, server, since, next\n"
			"  --limit N          at most N rows\n",
		.examples =
			"  chime ls --trouble\n"
			"  chime ls 'eod/*@app1' -o name\n",
		.see = "show, why, runs",
	},
	{
		.name = "show", .group = "Look", .role = ROLE_VIEWER,
		.request = CHIME__REQUEST__BODY_SHOW,
		.usage = "TARGET\tdefinition, state, conditions, last runs",
		.summary = "one job in full",
		.options =
			"  --def              the definition only, as its owner uses it (a valid job file)\n",
		.examples =
			"  chime show eod/report@app1\n",
		.see = "why, runs, log",
	},
	{
		.name = "why", .group = "Look", .role = ROLE_VIEWER,
		.request = CHIME__REQUEST__BODY_WHY,
		.usage = "TARGET\tevery requirement, met or not, its proof, and the root cause",
		.summary = "why a job runs, or does not; why a run was started",
		.options = NULL,
		.examples =
			"  chime why eod/report@app1\n"
			"  chime why 8831@db1\n",
		.see = "show, start, log",
	},
	{
		.name = "runs", .group = "Look", .role = ROLE_VIEWER,
		.request = CHIME__REQUEST__BODY_RUNS,
		.usage = "[TARGET...]\tthe newest runs first",
		.summary = "history of runs",
		.options =
			"  --limit N          at most N runs (default 20)\n"
			"  --attempts         with each attempt of each run\n",
		.examples =
			"  chime runs eod/report@app1\n"
			"  chime runs --limit 1000 --json\n",
		.see = "log, why, show",
	},
	{
		.name = "log", .group = "Look", .role = ROLE_VIEWER,
		.request = CHIME__REQUEST__BODY_LOG,
		.usage = "TARGET\toutput of a run, or of a job's last run",
		.summary = "output of a run",
		.options =
			"  -f, --follow       go on until the run ends\n"
			"  -n, --lines N      only the last N lines\n"
			"  --raw              control characters as they are, also to a terminal\n",
		.examples =
			"  chime log eod/report@app1\n"
			"  chime log -f 8831@db1\n",
		.see = "runs, why",
	},
	{
		.name = "events", .group = "Look", .role = ROLE_VIEWER,
		.request = CHIME__REQUEST__BODY_EVENTS,
		.usage = "\tthe newest events of all servers, as this one heard them",
		.summary = "the logs of the servers, readable",
		.options =
			"  -f, --follow       go on with what happens\n"
			"  --limit N          the newest N (default 20)\n"
			"  --since TIME       from then on: an instant, or 10m\n"
			"  --server NAME      only the log of this server\n"
			"  --from SEQ         with --server: from this event on\n"
			"  --type LIST        kinds, with wildcards: run.*,job.held\n",
		.examples =
			"  chime events -f\n"
			"  chime events --server db1 --from 8820 --json\n",
		.see = "runs, status",
	},
	{
		.name = "next", .group = "Look", .role = ROLE_VIEWER,
		.request = CHIME__REQUEST__BODY_NEXT,
		.usage = "[TARGET...]\twhat starts when\n"
			"--file FILE\tthe same for a job file, without any server",
		.summary = "what comes",
		.options =
			"  --count N          starts of each job (default 1; with --file 5)\n"
			"  --file FILE        one job file, read here\n"
			"  --from INSTANT     with --file: after this instant (default: now)\n",
		.examples =
			"  chime next 'eod/*' --count 3\n"
			"  chime next --file jobs.d/eod.yaml --from 2026-03-28T00:00:00Z --count 4\n",
		.see = "why, check",
	},
	{
		.name = "monitor", .group = "Look", .role = ROLE_NONE,
		.usage = "\tjobs, servers and events as they happen; ? in it is help",
		.summary = "full screen",
		.options =
			"  --view VIEW        begin with jobs, servers or events\n"
			"  --filter TEXT      show only these jobs: eod state:fa,ru on:db*\n"
			"  --read-only        look, never act (also CHIME_READONLY=1)\n"
			"  -C, --mono         without colours      --mouse  wheel and clicks\n",
		.examples =
			"  chime monitor\n"
			"  chime monitor --filter 'eod -state:su' --read-only\n",
		.see = "ls, events, why",
	},
	{
		.name = "start", .group = "Act", .role = ROLE_OPERATOR, .action = true,
		.request = CHIME__REQUEST__BODY_START,
		.usage = "TARGET...\tstart if the conditions are met, else say why not\n"
			"--force TARGET...\tignore the conditions, after showing them",
		.summary = "start jobs now",
		.options =
			"  --force            ignore time, after, calendar (not: hold, overlap)\n"
			"  --ignore LIST      time,after,calendar,hold,lock,overlap,window,limits\n"
			"  --cycle LABEL      the business period it belongs to\n"
			"  --no-downstream    what waits for it does not start from this run\n"
			"  --wait             return when it ends       --follow  and show its output\n"
			OPTIONS_ACT,
		.examples =
			"  chime start eod/report@app1\n"
			"  chime start --force --yes --reason INC-4711 --wait eod/report@app1\n",
		.see = "why, kill, hold",
	},
	{
		.name = "kill", .group = "Act", .role = ROLE_OPERATOR, .action = true,
		.request = CHIME__REQUEST__BODY_KILL,
		.usage = "TARGET...\tTERM to the whole tree, KILL after the job's kill_grace",
		.summary = "stop runs",
		.options =
			"  --wait             return when they have ended\n"
			OPTIONS_ACT,
		.examples =
			"  chime kill 8831@db1\n"
			"  chime kill --yes --expect 2 'backup/*'\n",
		.see = "hold, log, runs",
	},
	{
		.name = "hold", .group = "Act", .role = ROLE_OPERATOR, .action = true,
		.request = CHIME__REQUEST__BODY_HOLD,
		.usage = "TARGET...\tit does not start, and what waits for it waits",
		.summary = "keep jobs from starting",
		.options = OPTIONS_ACT,
		.examples =
			"  chime hold --reason 'disk swap' eod/archive@nas1\n",
		.see = "release, kill, why",
	},
	{
		.name = "release", .group = "Act", .role = ROLE_OPERATOR, .action = true,
		.request = CHIME__REQUEST__BODY_RELEASE,
		.usage = "TARGET...\tends a hold; what waited and is still due starts",
		.summary = "let held jobs start again",
		.options = OPTIONS_ACT,
		.examples =
			"  chime release eod/archive@nas1\n",
		.see = "hold, why",
	},
	{
		.name = "reload", .group = "Define", .role = ROLE_PLANNER, .action = true,
		.request = CHIME__REQUEST__BODY_RELOAD,
		.usage = "\tall or nothing; prints what was added, changed, removed",
		.summary = "read the job files of a server anew",
		.options =
			"  --reason TEXT      for the log\n",
		.examples =
			"  chime check /etc/chime/jobs.d && chime reload\n"
			"  chime --via app1 reload\n",
		.see = "check, show",
	},
	{
		.name = "check", .group = "Define", .role = ROLE_NONE,
		.usage = "[PATH...]\tsyntax, keys, conditions; exit 1 if there is an error",
		.summary = "test job files, without any server",
		.options =
			"  --server NAME      what a job without `server:` belongs to (default: an error)\n"
			"  -W, --warnings     warnings count as errors\n",
		.examples =
			"  chime check jobs.d\n"
			"  chime check --json jobs.d/eod.yaml\n",
		.see = "next, reload",
	},
	{
		.name = "server ls", .group = "Run servers", .role = ROLE_VIEWER,
		.request = CHIME__REQUEST__BODY_SERVERS,
		.usage = "\tevery server known, whether it is heard, how far its log is here",
		.summary = "servers and their state",
		.options = NULL,
		.examples =
			"  chime server ls\n",
		.see = "status, discover",
	},
	{
		.name = "server trust", .group = "Run servers", .role = ROLE_ADMIN, .action = true,
		.request = CHIME__REQUEST__BODY_TRUST,
		.usage = "\tthis server may go on though too few others could be asked",
		.summary = "end the probation of an unproven server",
		.options =
			"  --reason TEXT      for the log          -y, --yes     do not ask\n"
			"  --key HEX          the key of an earlier try\n",
		.examples =
			"  chime --via db1 server trust --reason 'db2 is gone for good'\n",
		.see = "server ls, status",
	},
	{
		.name = "discover", .group = "Run servers", .role = ROLE_NONE,
		.usage = "\task the network which servers there are",
		.summary = "find servers",
		.options =
			"  --interface LIST   ask here: names or addresses (default: every one that is up)\n"
			"  --for DURATION     how long to listen (default 1s)\n",
		.examples =
			"  chime discover\n",
		.see = "server ls",
	},
	{
		.name = "ca init", .group = "Run servers", .role = ROLE_NONE,
		.usage = "--environment NAME --dir DIR\twrites ca.crt ca.key bus.key",
		.summary = "make a new environment",
		.options =
			"  --environment NAME what all its certificates will carry, e.g. PROD\n"
			"  --dir DIR          where; keep ca.key away from the servers\n",
		.examples =
			"  chime ca init --environment PROD --dir ~/prod-ca\n",
		.see = "ca issue",
	},
	{
		.name = "ca issue", .group = "Run servers", .role = ROLE_NONE,
		.usage = "--role ROLE --name NAME --out DIR\t"
			"writes ca.crt id.crt id.key (and bus.key for a server)",
		.summary = "make a certificate for a server or a person",
		.options =
			"  --dir DIR          of ca.crt and ca.key (default: here)\n"
			"  --role ROLE        server, viewer, operator, planner or admin\n"
			"  --name NAME        of the server or the person\n"
			"  --out DIR          made 0700 when missing\n"
			"  --until INSTANT    its end (default: in 90 days)\n",
		.examples =
			"  chime ca issue --dir ~/prod-ca --role server --name db1 --out /tmp/db1\n"
			"  chime ca issue --dir ~/prod-ca --role operator --name alice --out ~/.config/chime\n",
		.see = "ca init",
	},
	{
		.name = "demo", .group = "Tools", .role = ROLE_NONE,
		.usage = "\tthree servers on this machine for a while, nothing installed",
		.summary = "a throw-away environment that works",
		.options =
			"  --servers N        how many (default 3, 3 to 16)\n"
			"  --for DURATION     stop after this long, counted from all servers up\n"
			"  --keep             leave it running, and print how to use it\n"
			"  --dir DIR          where (default: a new directory below $TMPDIR)\n"
			"  --no-monitor       tell events as lines instead of opening the monitor\n"
			"                     (so without a terminal)\n",
		.examples =
			"  chime demo --for 30s\n"
			"  chime demo --keep\n",
		.see = "status, ls, events",
	},
	{
		.name = "completion", .group = "Tools", .role = ROLE_NONE,
		.usage = "bash|zsh|fish\tof commands, options, jobs and servers; asks no server",
		.summary = "print the completions for a shell",
		.options = NULL,
		.examples =
			"  . <(chime completion bash)\n"
			"  chime completion fish | source\n",
		.see = "help",
	},
	{
		.name = "version", .group = "Tools", .role = ROLE_NONE,
		.usage = "\tof this program; with -v how it was built",
		.summary = "print the version",
		.options = NULL,
		.examples = "  chime version -v\n",
		.see = "help",
	},
	{
		.name = "help", .group = "Tools", .role = ROLE_NONE,
		.usage = "[COMMAND|TOPIC]\ttopics: targets times exit env json options",
		.summary = "explain a command or a topic",
		.options = NULL,
		.examples = "  chime help start\n  chime help targets\n",
		.see = NULL,
	},

	/* What the client asks without a command of that name. */
	{
		.summary = "what became of my command",
		.role = ROLE_VIEWER, .request = CHIME__REQUEST__BODY_KEY_STATUS,
	},

	/* For who hears the group itself: servers, and the monitor of whoever may look. */
	{ .summary = "how do I hear the group", .role = ROLE_VIEWER, .servers = true,
		.request = CHIME__REQUEST__BODY_BUS },
	{ .summary = "give me frames", .role = ROLE_VIEWER, .servers = true,
		.request = CHIME__REQUEST__BODY_PULL },
	{ .summary = "whose key is this", .role = ROLE_VIEWER, .servers = true,
		.request = CHIME__REQUEST__BODY_CERTIFICATE },

	/* Between servers. */
	{ .summary = "are you there", .role = ROLE_SERVER, .servers = true,
		.request = CHIME__REQUEST__BODY_PING },
	{ .summary = "what do you have", .role = ROLE_SERVER, .servers = true,
		.request = CHIME__REQUEST__BODY_VECTOR },
};

const size_t command_count = sizeof(commands) / sizeof(commands[0]);

/* Other people's fingers. `tail` also follows; that is the client's business. */
static const struct { const char *alias, *name; } aliases[] = {
	{ "list", "ls" },
	{ "stop", "kill" },
	{ "logs", "log" },
	{ "tail", "log" },
	{ "mon", "monitor" },
	{ "top", "monitor" },
	{ "server", "server ls" },
};

const struct command *command_find_request(int request)
{
	if (request == 0)
		return NULL;
	for (size_t i = 0; i < command_count; i++) {
		if (commands[i].request == request)
			return &commands[i];
	}
	return NULL;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strcmp(aliases[i].alias, name) == 0) {
			name = aliases[i].name;
			break;
		}
	}
	for (size_t i = 0; i < command_count; i++) {
		if (commands[i].name != NULL && strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

bool command_allowed(const struct command *command, enum role role)
{
	if (command == NULL || command->request == 0)
		return false;
	if (role == ROLE_SERVER)
		return command->servers;
	return role >= command->role && role < ROLE_SERVER && command->role != ROLE_NONE;
}
