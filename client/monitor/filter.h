/*
 * filter.h - the words that say which jobs are shown.
 *
 *	eod report       parts of job@server, any case
 *	state:fa,wait    codes, or words from their beginning
 *	on:db*,nas1      servers, wildcards
 *	late  held  trouble
 *	took>10m took<5s how long the last run took, or the running one has
 *	due<1h due>2d    time until the next start
 *
 * Space means and, - before a word means not; a - alone is nothing yet.
 */
#ifndef CHIME_CLIENT_MONITOR_FILTER_H
#define CHIME_CLIENT_MONITOR_FILTER_H

#include "client/monitor/book.h"

enum { FILTER_SIZE = 128, FILTER_WORDS = 24 };

enum filter_kind {
	FILTER_PART, FILTER_STATE, FILTER_ON, FILTER_LATE, FILTER_HELD, FILTER_TROUBLE,
	FILTER_TOOK, FILTER_DUE,
};

struct filter_word {
	enum filter_kind kind;
	bool not;
	bool less;			/* TOOK, DUE: < */
	uint32_t states;		/* STATE: bits by enum jobstate */
	int64_t span_us;		/* TOOK, DUE */
	char text[FILTER_SIZE];		/* PART; ON: patterns, each and all ended by NUL */
};

struct filter {
	struct filter_word word[FILTER_WORDS];
	size_t count;
};

/* 0; -EINVAL with a message in err (an unknown word, value, or too much), *filter is then as
 * before. */
int filter_parse(struct filter *filter, const char *text, char *err, size_t err_size);

bool filter_match(const struct filter *filter, const struct book_job *job, struct moment now);

/* The same of a line that is no job (an event): parts are looked for in it, on: is about `server`,
 * the other words do not count. */
bool filter_match_line(const struct filter *filter, const char *server, const char *line);

/* Does it depend on the time? */
bool filter_is_timed(const struct filter *filter);

#endif
