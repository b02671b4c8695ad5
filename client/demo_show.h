/*
 * demo_show.h - what the demo tells: events as they come, and the figures at the end.
 *
 * The figures come from what `chime runs` gives: a hand-over is the time from the end of a
 * producer's run to the start of the process that its success started, of the same cycle.
 */
#ifndef CHIME_CLIENT_DEMO_SHOW_H
#define CHIME_CLIENT_DEMO_SHOW_H

#include "client/out.h"
#include "proto/control.pb-c.h"

#include <jansson.h>

/* The chain of examples/demo/zones.yaml, and who runs what. */
extern const char *const demo_chain[];
extern const char *const demo_chain_server[];
extern const size_t demo_chain_len;

struct demo_figures {
	uint64_t success, failed, chains;
	size_t pairs;			/* hand-overs */
	double median_ms, worst_ms;	/* NAN when there is none */
};

void demo_figures(const Chime__RunsReply *runs, struct demo_figures *figures);

/* {"schema":"chime.demo/1", ...} */
json_t *demo_json(const struct demo_figures *figures, size_t servers);

/* One line of what people may want to see of an event; nothing for the rest. */
struct demo_teller;
struct demo_teller *demo_teller_new(const struct out *out, FILE *to);
void demo_teller_free(struct demo_teller *teller);
void demo_tell(struct demo_teller *teller, const Chime__EventRow *row,
	       const Chime__Event *event);

#endif
