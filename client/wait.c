/*
 * wait.c - see wait.h.
 */
#include "client/wait.h"

#include "client/cmd.h"
#include "client/event.h"
#include "proto/show.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	ASK_US = 10 * 1000000,
	SILENCE_US = 60 * 1000000,	/* how long the server may be away */
	AGAIN_MS = 300,
};

struct waiting {
	uint64_t run;
	bool started;
	struct run_end *end;
};

static bool is_over(Chime__RunState state)
{
	return state >= CHIME__RUN_STATE__RUN_SUCCESS;
}

static void take_end(struct run_end *end, Chime__RunState state, const char *detail)
{
	snprintf(end->state, sizeof(end->state), "%s", show_run_state(state));
	snprintf(end->detail, sizeof(end->detail), "%s", detail != NULL ? detail : "");
}

static void look_at_event(struct waiting *w, const Chime__EventRow *row,
			  const Chime__Event *event)
{
	if (show_event_run(event, row->seq) != w->run)
		return;
	if (event->body_case == CHIME__EVENT__BODY_RUN_CREATED) {
		const Chime__RunCreated *created = event->run_created;
		if (created->has_state && is_over(created->state))
			take_end(w->end, created->state, created->detail);
	} else if (event->body_case == CHIME__EVENT__BODY_RUN_STARTED) {
		w->started = true;
	} else if (event->body_case == CHIME__EVENT__BODY_RUN_ENDED) {
		const Chime__RunEnded *ended = event->run_ended;
		w->started = true;
		take_end(w->end, ended->state, ended->detail);
		w->end->exit_code = ended->has_exit_code ? ended->exit_code : -1;
		w->end->signal = ended->has_signal ? ended->signal : 0;
	}
}

/* Reads the log until the run has started (until_started) or ended. */
static int read_log(struct conn *conn, struct waiting *w, bool until_started,
		    int64_t deadline_us, struct trouble *t)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__EventsRequest events = CHIME__EVENTS_REQUEST__INIT;

	events.origin = (char *)(uintptr_t)conn_server(conn);
	events.has_from = true;
	events.from = w->run;
	events.has_follow = events.follow = true;
	events.has_limit = true;
	events.limit = 10000;
	request.body_case = CHIME__REQUEST__BODY_EVENTS;
	request.events = &events;
	int code = conn_send(conn, &request, conn_now_us() + ASK_US, t);
	while (code == 0 && w->end->state[0] == '\0' && !(until_started && w->started)) {
		Chime__Reply *reply = NULL;
		code = conn_receive(conn, request.id, deadline_us, &reply, t);
		if (code != 0)
			break;
		if (reply->body_case == CHIME__REPLY__BODY_REFUSAL)
			code = conn_refusal(reply->refusal, t);
		for (size_t i = 0; reply->body_case == CHIME__REPLY__BODY_EVENTS &&
		     i < reply->events->n_event; i++) {
			Chime__Event *event = event_unpack(reply->events->event[i]);
			if (event != NULL)
				look_at_event(w, reply->events->event[i], event);
			if (event != NULL)
				chime__event__free_unpacked(event, NULL);
		}
		conn_reply_free(reply);
	}
	return code;
}

static int watch(struct session *s, struct conn *conn, struct waiting *w, bool *follow,
		 int64_t deadline_us, struct trouble *t)
{
	if (*follow && !w->started) {
		int code = read_log(conn, w, true, deadline_us, t);
		if (code != 0)
			return code;
	}
	if (*follow && w->started) {
		char *target = say_format("%llu@%s", (unsigned long long)w->run,
					  conn_server(conn));
		int code = log_print(s, conn, target, true);
		free(target);
		*follow = false;	/* once: what is printed is printed */
		if (code == EXIT_INTERRUPTED)
			return code;
	}
	return w->end->state[0] != '\0' ? 0 : read_log(conn, w, false, deadline_us, t);
}

int run_wait(struct session *s, const char *server, uint64_t run, bool follow,
	     int64_t deadline_us, struct run_end *end, struct trouble *t)
{
	struct waiting w = { .run = run, .end = end };
	int64_t heard_us = conn_now_us();

	*end = (struct run_end){ .exit_code = -1 };
	for (;;) {
		struct conn *conn = NULL;
		int code = session_owner(s, server, NULL, 0, conn_now_us() + ASK_US, &conn, t);
		if (code == 0) {
			heard_us = conn_now_us();
			code = watch(s, conn, &w, &follow, deadline_us, t);
		}
		if (conn_interrupted()) {
			trouble_set(t, EXIT_INTERRUPTED, "stopped waiting; the run goes on");
			trouble_hint(t, "chime log -f %llu@%s", (unsigned long long)run, server);
			return EXIT_INTERRUPTED;
		}
		if (code == 0)
			return 0;
		if (code == EXIT_TIME ||
		    (deadline_us != CONN_FOREVER && conn_now_us() >= deadline_us)) {
			trouble_set(t, EXIT_TIME, "run %llu@%s has not ended in time; it goes on",
				    (unsigned long long)run, server);
			trouble_hint(t, "chime log -f %llu@%s        chime kill %llu@%s",
				     (unsigned long long)run, server, (unsigned long long)run,
				     server);
			return EXIT_TIME;
		}
		if (code != EXIT_UNREACHED || conn_now_us() - heard_us > SILENCE_US)
			return code;
		session_drop(s, conn);
		struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000L };
		nanosleep(&pause, NULL);
	}
}
