/*
 * note.c - see note.h.
 */
#include "client/monitor/note.h"

#include "client/monitor/when.h"

#include <stdio.h>
#include <string.h>

static const struct book_server *find_lost(const struct book *book, const char *server)
{
	const struct book_server *found = book_find_server(book, server);

	return found != NULL && found->lost ? found : NULL;
}

/* The server of a blocker (job@server) that is not heard. */
static const struct book_server *find_lost_blocker(const struct book *book,
						   const struct book_job *job)
{
	for (size_t i = 0; i < job->blocked_count; i++) {
		const char *at = strrchr(job->blocked_by[i], '@');
		const struct book_server *lost = at != NULL ? find_lost(book, at + 1) : NULL;
		if (lost != NULL)
			return lost;
	}
	return NULL;
}

static void write_plain(const struct book *book, const struct book_job *job, struct moment now,
			char out[NOTE_SIZE])
{
	char span[WHEN_SIZE];
	const struct book_server *lost = job->stale ? find_lost(book, job->server) : NULL;

	out[0] = '\0';
	if (lost != NULL && lost->heard_us != 0) {
		when_span(now.wall_us - lost->heard_us, span);
		snprintf(out, NOTE_SIZE, "%s lost %s", job->server, span);
	} else if (job->stale) {
		snprintf(out, NOTE_SIZE, "%s is not heard", job->server);
	} else if (job->state == JOBSTATE_WAITING &&
		   (lost = find_lost_blocker(book, job)) != NULL) {
		snprintf(out, NOTE_SIZE, "waits for lost %s", lost->name);
	} else if (job->note[0] != '\0') {
		snprintf(out, NOTE_SIZE, "%s", job->note);
	} else if (job->held) {
		snprintf(out, NOTE_SIZE, "held");
	} else if (job->disabled || job->removed) {
		snprintf(out, NOTE_SIZE, "%s", job->removed ? "removed" : "disabled");
	} else if (job->blocked_count > 0) {
		snprintf(out, NOTE_SIZE, "needs %s", job->blocked_by[0]);
	}
}

void note_write(const struct book *book, const struct book_job *job, struct moment now,
		char out[NOTE_SIZE])
{
	char note[NOTE_SIZE];

	write_plain(book, job, now, note);
	if (job->late && strncmp(note, "LATE", 4) != 0)
		snprintf(out, NOTE_SIZE, "LATE%s%.250s", note[0] != '\0' ? ", " : "", note);
	else
		snprintf(out, NOTE_SIZE, "%s", note);
}

void note_fit(char note[NOTE_SIZE], const struct canvas *c, int width)
{
	static const char needs[] = "needs ", lost[] = "waits for lost ";

	if (canvas_width(c, note) <= width)
		return;
	if (strncmp(note, lost, sizeof(lost) - 1) == 0) {
		char server[NAME_SERVER_MAX + 1];
		snprintf(server, sizeof(server), "%.*s", NAME_SERVER_MAX, note + sizeof(lost) - 1);
		snprintf(note, NOTE_SIZE, "waits: lost %s", server);
		return;
	}
	if (strncmp(note, needs, sizeof(needs) - 1) != 0)
		return;
	memmove(note, note + sizeof(needs) - 1, strlen(note + sizeof(needs) - 1) + 1);
	if (canvas_width(c, note) > width)
		note[strcspn(note, "@")] = '\0';
	const char *last = strrchr(note, '/');
	if (canvas_width(c, note) > width && last != NULL)
		memmove(note, last + 1, strlen(last + 1) + 1);
}
