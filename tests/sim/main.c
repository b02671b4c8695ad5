/*
 * chime-sim [--seeds N | --seed N] [--first N] [--jobs N] [--until-caught]
 *
 * Runs seeds in as many processes as there are processors and prints a line per promise:
 *	P5 500 seeds 0 violations
 * --seed N replays one seed and tells everything; SIM_LOG=1 adds the servers' own logs.
 * --until-caught ends at the first violation; its exit status is 0 then (for seeded bugs).
 */
#include "tests/sim/sim.h"

#include "proto/ca.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct cast sim_cast;
const char *const sim_server_names[SIM_NODES] = { "alpha", "bravo", "delta", "gamma", "sigma" };
const char *sim_turn_of = "";

enum { WORKERS_MAX = 64, DER_LENGTHS = 3, ISSUE_TRIES = 200 };

/* Written by the workers, read by the parent when they have ended. */
struct tally {
	uint64_t seeds, violated[PROMISES], first_violated[PROMISES];
	uint64_t turns, starts, crashes, datagrams;
	uint64_t seed;		/* the one at work: for the report of a crash */
};

struct options {
	uint64_t first, seeds, workers;
	bool one, until_caught;
};

/* ---- certificates ---- */

static void die(const char *what, const char *err)
{
	fprintf(stderr, "chime-sim: %s: %s\n", what, err);
	exit(2);
}

/* Signatures have three lengths in DER; all processes take the same, or frames would break at
 * other places and a seed would not repeat. */
static void issue(const char *ca, int index)
{
	char dir[128], paths[3][160], err[1024];
	size_t len;

	snprintf(dir, sizeof(dir), "%s/%s", ca, sim_server_names[index]);
	snprintf(paths[0], sizeof(paths[0]), "%s/ca.crt", dir);
	snprintf(paths[1], sizeof(paths[1]), "%s/id.crt", dir);
	snprintf(paths[2], sizeof(paths[2]), "%s/id.key", dir);
	for (int i = 0; i < ISSUE_TRIES; i++) {
		if (ca_issue(ca, ROLE_SERVER, sim_server_names[index], dir, 0, err, sizeof(err)) ||
		    identity_load(paths[0], paths[1], paths[2], &sim_cast.identities[index], err,
				  sizeof(err)))
			die("no certificate", err);
		unlink(paths[1]);
		unlink(paths[2]);
		identity_der(sim_cast.identities[index], &len);
		if (len % DER_LENGTHS == 0)
			return;
		identity_free(sim_cast.identities[index]);
	}
	die("no certificate", "its length is never the wanted one");
}

static void make_cast(void)
{
	char ca[] = "/tmp/chime-sim-XXXXXX", path[160], err[1024];

	if (!mkdtemp(ca))
		die("no folder", strerror(errno));
	if (ca_init("sim", ca, err, sizeof(err)))
		die("no environment", err);
	for (int i = 0; i < SIM_NODES; i++)
		issue(ca, i);
	snprintf(path, sizeof(path), "%s/bus.key", ca);
	if (buskey_load(path, &sim_cast.key, err, sizeof(err)) ||
	    keyring_add(&sim_cast.ring, sim_cast.key.bytes))
		die("no bus key", err);
	for (int i = 0; i < SIM_NODES; i++) {
		static const char *const files[] = { "/ca.crt", "/bus.key", "" };

		for (int j = 0; j < 3; j++) {
			snprintf(path, sizeof(path), "%s/%s%s", ca, sim_server_names[i], files[j]);
			remove(path);
		}
	}
	for (int i = 0; i < 4; i++) {
		static const char *const files[] = { "/ca.crt", "/ca.key", "/bus.key", "" };

		snprintf(path, sizeof(path), "%s%s", ca, files[i]);
		remove(path);
	}
}

static void free_cast(void)
{
	for (int i = 0; i < SIM_NODES; i++)
		identity_free(sim_cast.identities[i]);
	keyring_fini(&sim_cast.ring);
	buskey_fini(&sim_cast.key);
}

/* ---- seeds ---- */

static void run_seed(uint64_t seed, bool verbose, struct tally *tally)
{
	static struct world world;

	tally->seed = seed;
	world_init(&world, seed, verbose);
	world_run(&world);
	for (int p = 0; p < PROMISES; p++)
		if (world.violations[p] && !tally->violated[p]++)
			tally->first_violated[p] = seed;
	tally->seeds++;
	tally->turns += world.total_turns;
	tally->starts += world.total_starts;
	tally->crashes += world.total_crashes;
	tally->datagrams += world.total_datagrams;
	if (verbose)
		printf("simulated %d ms, %llu turns, %llu processes, %llu crashes, "
		       "%llu datagrams\n",
		       (int)(world.now_us / USEC_PER_MSEC), (unsigned long long)world.total_turns,
		       (unsigned long long)world.total_starts,
		       (unsigned long long)world.total_crashes,
		       (unsigned long long)world.total_datagrams);
	world_fini(&world);
}

static bool is_caught(const struct tally *tallies, uint64_t workers)
{
	for (uint64_t i = 0; i < workers; i++)
		for (int p = 0; p < PROMISES; p++)
			if (tallies[i].violated[p])
				return true;
	return false;
}

static void work(const struct options *o, uint64_t me, struct tally *tallies)
{
	for (uint64_t i = me; i < o->seeds; i += o->workers) {
		if (o->until_caught && is_caught(tallies, o->workers))
			break;
		run_seed(o->first + i, o->one, &tallies[me]);
	}
	fflush(stdout);
	free_cast();
}

static int report(const struct options *o, const struct tally *tallies)
{
	struct tally sum = { 0 };

	for (uint64_t i = 0; i < o->workers; i++) {
		const struct tally *t = &tallies[i];

		sum.seeds += t->seeds;
		sum.turns += t->turns;
		sum.starts += t->starts;
		sum.crashes += t->crashes;
		sum.datagrams += t->datagrams;
		for (int p = 0; p < PROMISES; p++) {
			if (t->violated[p] && (!sum.violated[p] ||
					       t->first_violated[p] < sum.first_violated[p]))
				sum.first_violated[p] = t->first_violated[p];
			sum.violated[p] += t->violated[p];
		}
	}
	for (int p = 0; p < PROMISES; p++) {
		printf("%s %llu seeds %llu violations", promise_name((enum promise)p),
		       (unsigned long long)sum.seeds, (unsigned long long)sum.violated[p]);
		if (sum.violated[p])
			printf(", first: make sim SEED=%llu",
			       (unsigned long long)sum.first_violated[p]);
		putchar('\n');
	}
	printf("simulated: %llu turns, %llu processes, %llu crashes, %llu datagrams\n",
	       (unsigned long long)sum.turns, (unsigned long long)sum.starts,
	       (unsigned long long)sum.crashes, (unsigned long long)sum.datagrams);
	return is_caught(tallies, o->workers);
}

static int run_all(struct options *o)
{
	size_t size = WORKERS_MAX * sizeof(struct tally);
	struct tally *tallies = mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[WORKERS_MAX];
	int failed = 0;

	assert(tallies != MAP_FAILED);
	for (uint64_t i = 0; i < o->workers; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			work(o, i, tallies);
			exit(0);
		}
	}
	for (uint64_t i = 0; i < o->workers; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) < 0 || status != 0) {
			printf("seed %llu ended its process: %s %d\n",
			       (unsigned long long)tallies[i].seed,
			       WIFSIGNALED(status) ? "signal" : "status",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			tallies[i].violated[PROMISE_ALIVE]++;
			tallies[i].first_violated[PROMISE_ALIVE] = tallies[i].seed;
		}
	}
	failed = report(o, tallies);
	munmap(tallies, size);
	return o->until_caught ? !failed : failed;
}

static uint64_t read_number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text ? text : "", &end, 10);

	if (!text || end == text || *end)
		die("not a number", text ? text : "");
	return n;
}

int main(int argc, char **argv)
{
	struct options o = { .seeds = 500 };
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int r;

	o.workers = processors < 1 ? 1 : processors > WORKERS_MAX ? WORKERS_MAX :
		    (uint64_t)processors;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0) {
			o.seeds = read_number(argv[++i]);
		} else if (strcmp(argv[i], "--seed") == 0) {
			o.first = read_number(argv[++i]);
			o.one = true;
		} else if (strcmp(argv[i], "--first") == 0) {
			o.first = read_number(argv[++i]);
		} else if (strcmp(argv[i], "--jobs") == 0) {
			o.workers = read_number(argv[++i]);
		} else if (strcmp(argv[i], "--until-caught") == 0) {
			o.until_caught = true;
		} else {
			die("unknown option", argv[i]);
		}
	}
	if (o.one)
		o.seeds = 1;
	if (o.workers > o.seeds)
		o.workers = o.seeds ? o.seeds : 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_cast();
	r = run_all(&o);
	free_cast();
	return r;
}
