/*
 * command.h - a request that is allowed, and how it is answered. One file per noun; a command is a
 * question to the model or a wish that becomes an event. Handlers never send: they build a reply
 * in the turn's arena, and it leaves after the commit.
 */
#ifndef CHIME_DAEMON_COMMAND_COMMAND_H
#define CHIME_DAEMON_COMMAND_COMMAND_H

#include "daemon/node.h"
#include "proto/commands.h"

struct command_call {
	struct node *node;
	const struct command *row;
	const Chime__Request *request;
	uint64_t conn;
	const char *who;		/* "alice", "unix:root", "db2" */
	enum role role;
	Chime__Reply reply;		/* the answer; id is set */
	bool later;			/* true: the handler answers by itself, later */
	/* run rows of the reply, to be freed once it is packed */
	Chime__RunRow *to_free, **to_free_list;
	size_t to_free_count;
};

/* job.c */
void command_jobs(struct command_call *call);
void command_status(struct command_call *call);
void command_show(struct command_call *call);
void command_why(struct command_call *call);
void command_next(struct command_call *call);
/* act.c */
void command_start(struct command_call *call);
void command_kill(struct command_call *call);
void command_hold(struct command_call *call);
void command_release(struct command_call *call);
void command_reload(struct command_call *call);
/* history.c */
void command_runs(struct command_call *call);
void command_log(struct command_call *call);
void command_events(struct command_call *call);
/* server.c */
void command_servers(struct command_call *call);
void command_trust(struct command_call *call);
void command_key(struct command_call *call);
void command_bus(struct command_call *call);
void command_ping(struct command_call *call);
void command_vector(struct command_call *call);
void command_pull(struct command_call *call);
void command_certificate(struct command_call *call);

/* ---- what handlers share ---- */

/* Makes the reply a refusal; texts are printed into the arena. why and try may be NULL. */
void command_refuse(struct command_call *call, uint32_t exit, const char *what, const char *why,
		    const char *try);

/* Jobs that match the targets (all defined jobs when there is none), sorted by key. A run number
 * stands for its job. Bare names mean the own job if there is one. NULL after a refusal. */
struct job **command_find_jobs(struct command_call *call, char **targets, size_t target_count,
			       size_t *count);

/* One target that must name exactly one job or run; NULL after a refusal. *run is set when a run
 * number was given. */
struct job *command_find_job(struct command_call *call, const char *target, uint64_t *run);

/* The row of a job as `ls` shows it. */
Chime__JobRow *command_job_row(struct command_call *call, struct job *job);

/* Every requirement of a job's next start, with value and proof. */
Chime__Line **command_lines(struct command_call *call, struct job *job, const char *cycle,
			    size_t *count);

/* A server row; shared by status and server ls. */
Chime__ServerRow *command_server_row(struct command_call *call, struct peer *peer);

/* Whether a server's jobs can be believed now. */
bool command_heard(const struct node *node, const char *server);

#endif
