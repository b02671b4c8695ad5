/*
 * story.h - events told to a model, for tests of model, event and engine: one server "me", its own
 * events and those of others, numbered as they come.
 */
#ifndef CHIME_TESTS_UNIT_STORY_H
#define CHIME_TESTS_UNIT_STORY_H

#include "daemon/core/engine.h"
#include "daemon/core/event.h"

#include <stdlib.h>
#include <string.h>

struct story {
	struct model model;
	struct engine engine;
	uint64_t seq;			/* of the newest event, whoever's it is */
	uint64_t boot;
	size_t created;			/* runs that the engine made */
	char last_kind[32];		/* of the newest event that the engine wished for */
};

static inline enum event_verdict story_tell(struct story *s, const char *server,
					    const Chime__Event *body)
{
	struct event e = { .body = body };
	bool mine = strcmp(server, "me") == 0;

	snprintf(e.ref.server, sizeof(e.ref.server), "%s", server);
	e.ref.boot = s->boot;
	e.ref.tag = 7;
	e.ref.seq = ++s->seq;
	e.ref.hash[0] = (uint8_t)s->seq;
	e.mine = mine;
	return event_apply(&s->model, &e);
}

static inline void story_emit_cb(void *arg, const Chime__Event *body)
{
	struct story *s = arg;

	s->created += body->body_case == CHIME__EVENT__BODY_RUN_CREATED;
	snprintf(s->last_kind, sizeof(s->last_kind), "%s", event_kind_name(body->body_case));
	story_tell(s, "me", body);
}

static inline void story_begin(struct story *s)
{
	*s = (struct story){ .boot = 1 };
	model_init(&s->model, "me");
	s->engine = (struct engine){ .model = &s->model, .emit = story_emit_cb, .arg = s,
				     .boot = 1, .tag = 7, .may_start = true };
	s->engine.now.wall.us = 1741600800 * INT64_C(1000000);	/* 2025-03-10T10:00:00Z */
}

static inline void story_end(struct story *s)
{
	model_fini(&s->model);
}

static inline void story_init_event(struct story *s, Chime__Event *body)
{
	chime__event__init(body);
	body->has_time = true;
	body->time = s->engine.now.wall.us;
}

static inline struct job *story_define(struct story *s, const char *server, const char *job,
				       const char *every, const char *after)
{
	Chime__JobDefined d = CHIME__JOB_DEFINED__INIT;
	Chime__Event body;
	struct job *made;

	story_init_event(s, &body);
	d.job = (char *)job;
	d.after = (char *)after;
	d.schedule = (char *)every;
	d.has_schedule_kind = true;
	d.schedule_kind = every ? CHIME__SCHEDULE_KIND__SCHEDULE_EVERY :
				  CHIME__SCHEDULE_KIND__SCHEDULE_NONE;
	body.body_case = CHIME__EVENT__BODY_JOB_DEFINED;
	body.job_defined = &d;
	story_tell(s, server, &body);
	made = model_find_job(&s->model, job, server);
	if (made) {
		made->zone = zone_utc();
		model_plan(&s->model, made);
	}
	return made;
}

/* A run that is over with the event that made it: seq of that event. */
static inline uint64_t story_result(struct story *s, const char *server, const char *job,
				    const char *cycle, Chime__RunState state)
{
	Chime__RunCreated c = CHIME__RUN_CREATED__INIT;
	Chime__Event body;

	story_init_event(s, &body);
	c.job = (char *)job;
	c.cycle = (char *)cycle;
	c.has_state = true;
	c.state = state;
	body.body_case = CHIME__EVENT__BODY_RUN_CREATED;
	body.run_created = &c;
	story_tell(s, server, &body);
	return s->seq;
}

static inline enum event_verdict story_end_run(struct story *s, const char *server,
					       const struct run *run, Chime__RunState state)
{
	Chime__RunEnded ended = CHIME__RUN_ENDED__INIT;
	Chime__RunRef ref = CHIME__RUN_REF__INIT;
	Chime__Event body;

	story_init_event(s, &body);
	ref.has_run = ref.has_boot = ref.has_tag = ref.has_attempt = true;
	ref.run = run->id.seq;
	ref.boot = run->boot;
	ref.tag = run->tag;
	ref.attempt = 1;
	ended.ref = &ref;
	ended.has_state = true;
	ended.state = state;
	body.body_case = CHIME__EVENT__BODY_RUN_ENDED;
	body.run_ended = &ended;
	return story_tell(s, server, &body);
}

#endif
