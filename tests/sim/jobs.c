/*
 * The jobs of a seed: on each server two that follow the clock, some that wait for others, in no
 * loop, and perhaps one with both.
 */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 2, NAMES_MAX = SIM_NODES * (WAITING_MAX + 2) };

/* Producers so far: consumers choose among them, so that there is no loop. */
struct names {
	char list[NAMES_MAX][40];
	size_t count;
};

static const char window[] = "from 10:00 to 10:00:30";

static void add_name(struct names *names, const char *job, const struct sim_node *node)
{
	snprintf(names->list[names->count++], sizeof(names->list[0]), "%s@%s", job, node->name);
}

static void write_clock_jobs(struct sim_node *node, struct names *names, FILE *out)
{
	static const int periods[] = { 5, 10, 10, 15, 20 };
	struct world *world = node->world;
	static const char *const cycles[] = { "day", "day", "hour" };

	fprintf(out, "---\njob: tick\nserver: %s\nevery: %ds %s\nrun: [\"true\"]\n%s", node->name,
		periods[world_random(world, 5)], window,
		world_chance(world, 300) ? "overlap: queue 2\n" : "");
	add_name(names, "tick", node);
	if (world_chance(world, 500))
		return;
	fprintf(out, "---\njob: day\nserver: %s\nevery: %ds %s\ncycle: %s\nrun: [\"true\"]\n",
		node->name, 8 + (int)world_random(world, 12), window,
		cycles[world_random(world, 3)]);
	add_name(names, "day", node);
}

static void write_atom(struct world *world, const struct names *names, FILE *out)
{
	static const char *const kinds[] = { "success", "success", "success", "done", "failure" };

	fprintf(out, "%s(%s)", kinds[world_random(world, 5)],
		names->list[world_random(world, names->count)]);
}

static void write_condition(struct world *world, const struct names *names, FILE *out)
{
	size_t atoms = 1 + world_random(world, 3);
	bool paren = atoms == 3 && world_chance(world, 300);

	fprintf(out, "after: \"");
	for (size_t i = 0; i < atoms; i++) {
		if (i)
			fputs(world_chance(world, 600) ? " and " : " or ", out);
		if (paren && i == 1)
			fputc('(', out);
		write_atom(world, names, out);
	}
	fputs(paren ? ")\"\n" : "\"\n", out);
}

static void write_waiting_jobs(struct sim_node *node, struct names *names, FILE *out)
{
	static const char *const overlaps[] = { "", "", "", "overlap: queue 3\n",
						"overlap: parallel 2\n", "overlap: skip\n" };
	struct world *world = node->world;
	size_t count = world_random(world, WAITING_MAX + 1);
	char job[32];

	for (size_t i = 0; i < count; i++) {
		snprintf(job, sizeof(job), "after%zu", i);
		fprintf(out, "---\njob: %s\nserver: %s\nrun: [\"true\"]\n%s", job, node->name,
			overlaps[world_random(world, 6)]);
		write_condition(world, names, out);
		add_name(names, job, node);
	}
	if (!world_chance(world, 300))
		return;
	fprintf(out, "---\njob: both\nserver: %s\nevery: 10s %s\nrun: [\"true\"]\n", node->name,
		window);
	write_condition(world, names, out);
}

static void parse(struct sim_node *node)
{
	struct jobfile_options options = { .timezone = "UTC", .server = node->name };
	struct diags diags = { 0 };

	jobset_fini(&node->jobs);
	node->jobs = (struct jobset){ 0 };
	if (jobset_parse(node->jobs_text, strlen(node->jobs_text), "sim", &options, &node->jobs,
			 &diags) < 0 || diags.errors) {
		diags_print(&diags, "", stderr);
		fputs(node->jobs_text, stderr);
		abort();
	}
	diags_fini(&diags);
}

/* As the launcher's registry holds them: the node parses canonical texts. */
static void make_canonical(struct sim_node *node)
{
	size_t len;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	assert(out);
	for (size_t i = 0; i < node->jobs.count; i++) {
		char *job = jobfile_canonical(&node->jobs.jobs[i]);

		fprintf(out, "---\n%s", job);
		free(job);
	}
	fclose(out);
	free(node->jobs_text);
	node->jobs_text = text;
}

void jobs_make(struct world *world)
{
	struct names names = { 0 };
	FILE *out[SIM_NODES];
	size_t len[SIM_NODES];

	for (int i = 0; i < SIM_NODES; i++) {
		out[i] = open_memstream(&world->nodes[i].jobs_text, &len[i]);
		assert(out[i]);
		write_clock_jobs(&world->nodes[i], &names, out[i]);
	}
	for (int i = 0; i < SIM_NODES; i++)
		write_waiting_jobs(&world->nodes[i], &names, out[i]);
	for (int i = 0; i < SIM_NODES; i++) {
		struct sim_node *node = &world->nodes[i];

		fclose(out[i]);
		node->generation = 1;
		world_say(world, "%s", node->jobs_text);
		parse(node);
		make_canonical(node);
	}
}

void jobs_edit(struct sim_node *node)
{
	struct job_def *def;

	if (!node->jobs.count)
		return;
	def = &node->jobs.jobs[world_random(node->world, node->jobs.count)];
	free(def->about);
	if (asprintf(&def->about, "edited at %lld", (long long)node->world->now_us) < 0)
		abort();
	node->generation++;
	make_canonical(node);
	parse(node);
}

void jobs_fini(struct sim_node *node)
{
	jobset_fini(&node->jobs);
	free(node->jobs_text);
}
