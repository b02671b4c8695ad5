/*
 * registry.h - the launcher's own durable copy of the job definitions it was given.
 *
 *   data/launcher/registry-<generation, 20 digits>.yaml
 *     # chime-registry 1 generation=G jobs=N length=L crc=HEX
 *     ---
 *     canonical text of a definition ... (jobfile.h), each after its own "---"
 *
 * Invariants
 * 1. Job files are read by registry_reload only; a start or restart reads the registry alone, so a
 *    broken file on disk never stops a night. All or nothing: one error and the old set stays.
 * 2. A generation appears by rename after its fsync, complete or not at all.
 * 3. Generations that are older than the newest the node has committed go, the others stay: every
 *    definition the journal may name can be found. A generation is never changed, its number never
 *    used twice (numbers start at the time of day, in case the folder was lost).
 */
#ifndef CHIME_DAEMON_LAUNCHER_REGISTRY_H
#define CHIME_DAEMON_LAUNCHER_REGISTRY_H

#include "daemon/conf.h"
#include "daemon/jobfile.h"

struct generation {
	struct generation *older;
	uint64_t number;
	char *text;			/* the stream of canonical texts, without the first line */
	size_t len;
	struct jobset set;
};

struct registry {
	int dir;			/* borrowed */
	struct generation *newest;	/* NULL = there has never been a set */
};

/* Loads what is there. -EBADMSG with the reason on `err` when a file is damaged; else -errno. */
int registry_open(struct registry *registry, int dir, const struct conf *conf, FILE *err);
void registry_close(struct registry *registry);

/*
 * Reads the job files and makes the set a new generation, unless it is the same as the newest.
 * -EINVAL: refused, *errors of them were written to `err` and nothing has changed; -errno: the set
 * is good but could not be stored, said on `err` too.
 */
int registry_reload(struct registry *registry, const struct conf *conf, FILE *err,
		    size_t *errors);

/* The node has generation `number` in its journal. */
void registry_committed(struct registry *registry, uint64_t number);

/* Borrowed, NULL when no generation has this definition. */
const struct job_def *registry_find_job(const struct registry *registry, const char *name,
					const uint8_t hash[32]);

#endif
