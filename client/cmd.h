/*
 * cmd.h - the commands: each takes the session and gives the exit code of the program; what went
 * wrong has been printed.
 */
#ifndef CHIME_CLIENT_CMD_H
#define CHIME_CLIENT_CMD_H

#include "client/session.h"

typedef int command_fn(struct session *s);

/* cmd_status.c */
command_fn cmd_status;
/* cmd_job.c */
command_fn cmd_ls, cmd_show, cmd_why;
/* cmd_next.c */
command_fn cmd_next;
/* cmd_run.c */
command_fn cmd_runs, cmd_events;
/* cmd_log.c */
command_fn cmd_log;
/* cmd_monitor.c */
command_fn cmd_monitor;
/* cmd_act.c */
command_fn cmd_start, cmd_kill, cmd_hold, cmd_release;
/* cmd_server.c */
command_fn cmd_server_ls, cmd_server_trust, cmd_reload, cmd_discover;
/* cmd_file.c: without any server */
command_fn cmd_check, cmd_next_file;
/* cmd_ca.c */
command_fn cmd_ca_init, cmd_ca_issue;
/* cmd_completion.c */
command_fn cmd_completion;
/* cmd_help.c */
command_fn cmd_help, cmd_version;
/* demo.c */
command_fn cmd_demo;

/* The handler of a row of the command table, NULL = none. */
command_fn *command_handler(const struct command *command);

/* One line of counts, if a daemon answers on this machine within 200 ms; else nothing. */
void status_line(struct session *s);

/* Help of one command on stdout, in the one shape all have. */
void help_command(const struct command *command, FILE *to);
/* The short help of `chime` alone. */
void help_summary(FILE *to);
/* Every command beginning with this word ("ca"). False when there is none. */
bool help_group(const char *word, FILE *to);

/* The targets on the command line; "-" reads more from stdin, one a line. The texts belong to the
 * list, which targets_free() frees. least: how many there must be. 0 or EXIT_USAGE, printed. */
int targets_read(struct session *s, size_t least, size_t most, char ***targets, size_t *count);
void targets_free(char **targets, size_t count);

/* "22:00", "+10m", "10m" (ago), an instant -> microseconds. 0 or EXIT_USAGE with *t. */
int time_read(struct session *s, const char *text, int64_t *wall_us, struct trouble *t);

/* Prints why nothing matched, nothing else. */
void note_silent(struct session *s, Chime__ServerRow *const *rows, size_t count);

/* Prints the output of a run (LogRequest) to stdout; follows it. 0 or an exit code, printed. */
int log_print(struct session *s, struct conn *conn, const char *target, bool follow);

#endif
