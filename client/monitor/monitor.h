/*
 * monitor.h - the monitor without its terminal and without the network: keys and answers go in,
 * pictures and wishes come out. So 100,000 keys are pressed in a test within seconds, and what they
 * would do at a server is counted there.
 *
 *	keys, letters, events -> monitor -> canvas, wishes
 *
 * Layers from the top, the first that is there takes the keys: deed (menu, dialog), the line being
 * typed, the view. Views lie on a stack; Esc takes one off, never the last.
 */
#ifndef CHIME_CLIENT_MONITOR_MONITOR_H
#define CHIME_CLIENT_MONITOR_MONITOR_H

#include "client/monitor/book.h"
#include "client/monitor/canvas.h"
#include "client/monitor/courier.h"
#include "client/monitor/deed.h"
#include "client/monitor/edit.h"
#include "client/monitor/keys.h"
#include "client/monitor/moment.h"
#include "client/monitor/rows.h"
#include "client/monitor/text.h"

enum { MONITOR_STACK_MAX = 8, MONITOR_MESSAGES_MAX = 500, MONITOR_HISTORY_MAX = 50 };

/* ---- what the header and the rules about acting need to know; set by the loop ---- */

enum source { SOURCE_NONE, SOURCE_GROUP, SOURCE_STREAM };

struct monitor_link {
	bool up;			/* questions are answered */
	bool ever_up;
	char server[64];		/* asked, or asked last */
	char was[64];			/* when last up; kept by monitor_draw() */
	char you[64], role[16];
	char why[256];			/* of the loss, or of the last try */
	int64_t lost_us;		/* boot: since when; valid when !up and ever_up */
	int64_t retry_us;		/* boot: next try; INT64_MAX = under way */
	enum source source;		/* where events come from now */
	int64_t heard_us;		/* boot: newest data of either; 0 = none yet */
	char group[128];		/* "239.255.77.77:7410 on eth0", "" = not joined */
	char no_group[256];		/* why not */
	size_t missing;			/* events known to be missing */
	char missing_of[64];		/* of this server (and perhaps others) */
	char counters[200];		/* "datagrams 1204, not opened 3", "" = none */
	char *others[16];		/* servers for `c`, borrowed */
	size_t other_count;
};

/* ---- wishes: what the loop must do; nothing else leaves the monitor ---- */

enum carrier { CARRIER_LINK, CARRIER_LOG, CARRIER_HAND, CARRIER_COUNT };

enum wish_kind {
	WISH_ORDER,			/* `order` by `carrier` */
	WISH_STOP,			/* the order `tag` of `carrier` */
	WISH_COMMAND,			/* `text`: arguments of chime(1); output by take_output */
	WISH_STOP_COMMAND,
	WISH_RETRY,			/* the link, now */
	WISH_CHANGE_SERVER,		/* to `text` */
	WISH_COPY,			/* `text` to the clipboard */
	WISH_SAVE,			/* `data` to the file `text` (made, never overwritten) */
	WISH_PAGER,			/* `data` shown by $PAGER */
	WISH_REDRAW, WISH_MOUSE, WISH_ASCII, WISH_PALETTE,
	WISH_QUIT,
};

struct wish {
	enum wish_kind kind;
	enum carrier carrier;
	struct order *order;
	uint64_t tag;
	char *text;
	char *data;
	size_t len;
	struct wish *next;
};

/* ---- what the views keep ---- */

/* Of servers, events, messages, help. What the cursor is on is known by name or number, since
 * rows move. */
struct list_place {
	size_t at, top, height;
	char name[NAME_SERVER_MAX + 1];	/* servers: the one under the cursor */
	uint64_t number;		/* events: counted from the first ever; 0 = the newest */
};

struct run_shown {			/* a row of the runs of a job */
	uint64_t run;
	char server[64];
	char state[16];
	int64_t start_us, took_us;
	int exit_code;			/* -1 = none */
	uint32_t attempts;
	char by[80];			/* "schedule", "alice (forced)", ... */
};

struct job_view {			/* VIEW_JOB */
	char key[BOOK_KEY_SIZE];
	uint64_t show_tag, runs_tag, log_tag;
	char *schedule, *about, *after, *user_line;	/* of ShowReply; NULL = not known yet */
	char **line;			/* requirements: "ok success(...) 21:58:55" */
	size_t line_count;
	char **consumer;
	size_t consumer_count;
	struct run_shown *run;
	size_t run_count, run_at;
	uint64_t log_run;		/* whose output is shown; 0 = none */
	bool log_live, log_done;
	char log_why[256];		/* why there is none */
	struct text log;
	uint64_t version;		/* of the job's row when asked */
	bool log_focus;			/* moving moves the log */
	char asked_key[BOOK_KEY_SIZE];	/* whose show and runs these are; "" = not asked yet */
	char of[BOOK_KEY_SIZE];		/* `l` on this job, that waits for `key`; "" = no such */
	char trouble[256];		/* why show or runs were not answered; "" = they were */
	int64_t asked_us;		/* boot: show and runs */
	size_t run_top;
	bool walked;			/* the run was chosen by hand: a newer one waits */
	bool was_up;			/* the link, at the last look */
	int log_part;			/* of the output: its end, or all of it (view_job_own.h) */
	bool log_heard, log_home;	/* a piece came; go to the first line then */
	bool log_cut;			/* more came than is kept: it was stopped at the front */
	bool log_retry;			/* it stopped for want of a link: goes on with one */
	int64_t log_asked_us;		/* boot */
	uint32_t log_attempts;		/* of the run when it was asked */
	uint64_t log_first, log_next, log_total;	/* bytes of the output */
};

struct message { int64_t wall_us; bool bad; char text[300]; };

enum typing { TYPING_NOTHING, TYPING_FILTER, TYPING_COMMAND, TYPING_JUMP, TYPING_SEARCH,
	      TYPING_SAVE, TYPING_SERVER };

struct monitor {
	struct book *book;		/* borrowed */
	struct moment now;		/* of what is being handled */
	struct monitor_link link;
	struct rows rows;
	enum view_id stack[MONITOR_STACK_MAX];
	size_t depth;			/* >= 1 */
	struct list_place servers, events, messages, help;
	char subject[BOOK_KEY_SIZE];	/* the job that VIEW_JOB or VIEW_WHY is about: set by who
					 * pushes them, before */
	bool subject_log;		/* VIEW_JOB is opened for its log (l): log_focus */
	struct job_view job;
	struct text why;
	char why_key[BOOK_KEY_SIZE];
	uint64_t why_tag;
	char why_asked[BOOK_KEY_SIZE];	/* whose answer is shown or awaited; "" = none */
	char why_trouble[256];
	int64_t why_asked_us;
	uint64_t why_version;		/* of the job's row when asked */
	bool why_was_up, why_answered;
	struct text output;		/* of a : command */
	char output_title[EDIT_SIZE];
	bool output_running;
	struct deed deed;
	enum typing typing;
	struct edit edit;
	char before_typing[EDIT_SIZE];	/* the filter, or the cursor's job, to go back to */
	char typing_note[EDIT_SIZE];	/* beside what is typed: what is wrong, what could follow */
	char *history[MONITOR_HISTORY_MAX];
	size_t history_count, history_at;
	struct message message[MONITOR_MESSAGES_MAX];	/* ring */
	size_t message_first, message_count;
	int64_t status_us;		/* boot: until when the newest message is the status line */
	bool utc, frozen, read_only;
	bool mouse, ascii;		/* as last wished, or as begun with */
	struct moment drawn;		/* of the last picture; boot 0 = none yet */
	char read_only_why[128];
	int64_t frozen_us;
	uint64_t frozen_total;		/* events then */
	struct canvas frozen_canvas;	/* rows == 0: none; what is shown while frozen */
	uint64_t next_tag;
	struct wish *wishes, **wishes_tail;
	int click_row, click_col;	/* of the click being handled */
	int heads_row, list_row;	/* of the last draw: column heads, first row; -1 = none */
	int tabs_row, drawn_cols;
};

struct monitor_options {
	const char *filter;		/* NULL = none; checked by the caller */
	enum view_id view;
	bool utc, read_only;
	bool mouse, ascii;		/* as the terminal was opened with */
	const char *read_only_why;
};

void monitor_init(struct monitor *m, struct book *book, const struct monitor_options *options);
void monitor_fini(struct monitor *m);

/* A key (a character or enum key). */
void monitor_key(struct monitor *m, int key, int click_row, int click_col, struct moment now);
/* A letter of one of my orders. */
void monitor_take_letter(struct monitor *m, const struct letter *letter, struct moment now);
/* What a : command said; done: it ended with this status (exit code, or 128 + signal). */
void monitor_take_output(struct monitor *m, const void *data, size_t len, bool done, int status,
			 struct moment now);
/* Text is being typed: letters are letters, and what is pasted is text. The number that confirms a
 * deed is none: an answer can't be pasted. */
bool monitor_is_typing(const struct monitor *m);
/* The whole picture; canvas is cleared first. */
void monitor_draw(struct monitor *m, struct canvas *c, struct moment now);
/* When the picture changes by time alone (clocks, ages): boot time; may lie before now. */
int64_t monitor_due_us(const struct monitor *m, struct moment now);

/* The oldest wish, owned by the caller (wish_free); NULL = none. */
struct wish *monitor_take_wish(struct monitor *m);
void wish_free(struct wish *wish);

/* ---- for views ---- */

enum view_id monitor_view(const struct monitor *m);
/* On top of the stack (once: a view that is there already comes to the top); its open() is called.
 * VIEW_JOB and VIEW_WHY: m->subject is set before. */
void monitor_push(struct monitor *m, enum view_id view);
/* In place of everything on the stack; its open() is called. */
void monitor_show(struct monitor *m, enum view_id view);

/* Into the messages, and into the status line for some seconds. */
void monitor_say(struct monitor *m, struct moment now, bool bad, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Into the clipboard of the terminal, and says so. "" is nothing. */
void monitor_copy(struct monitor *m, struct moment now, const char *text);

/* Gives an order; takes it, returns its tag. The letter's owner is the view with this tag. */
uint64_t monitor_order(struct monitor *m, enum carrier carrier, struct order *order);
void monitor_wish(struct monitor *m, enum wish_kind kind, const char *text);
/* The same with data (taken, NULL = none): WISH_SAVE, WISH_PAGER. */
void monitor_wish_data(struct monitor *m, enum wish_kind kind, const char *text, char *data,
		       size_t len);
/* WISH_STOP: the order with this tag; 0 = nothing. */
void monitor_stop(struct monitor *m, enum carrier carrier, uint64_t tag);

/* What is shown is what was heard last: no link, and the group is not heard either. */
bool monitor_is_old(const struct monitor *m, struct moment now);

/* The moment that what is shown is of: now, or when it was heard last. */
struct moment monitor_shown_moment(const struct monitor *m, struct moment now);

/* Why nothing may be done now, NULL = it may. */
const char *monitor_forbids(const struct monitor *m);

/* What a view must do. Lines from `row` on, `rows` of them, are its own. */
struct view {
	const char *title;
	void (*draw)(struct monitor *m, struct canvas *c, int row, int rows, struct moment now);
	/* True when it knew what to do. */
	bool (*act)(struct monitor *m, enum intent action, struct moment now);
	void (*open)(struct monitor *m, struct moment now);	/* pushed or shown; may be NULL */
	void (*close)(struct monitor *m);			/* left the stack; may be NULL */
	bool (*letter)(struct monitor *m, const struct letter *letter, struct moment now);
	/* The typed line of this view (search, save); may be NULL. */
	void (*typed)(struct monitor *m, enum typing what, const char *text, struct moment now);
};

/* Indexed by enum view_id. */
extern const struct view *const views[VIEW_COUNT];
extern const struct view view_jobs, view_servers, view_events, view_job, view_why, view_output,
	view_messages, view_help;

#endif
