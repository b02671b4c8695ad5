#include "daemon/edge/tail.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/edge/conn.h"
#include "daemon/edge/follow.h"
#include "daemon/edge/refusal.h"
#include "daemon/output.h"
#include "proto/control.pb-c.h"

struct tail {
	struct conn *conn;
	struct follower *follower;
	uint64_t id, offset, last;
	int fd;
	bool following, writer_gone, done;
	int error;			/* of the watch */
	char run[96];
};

static void send_piece(struct tail *t, const struct output_piece *piece, uint8_t *data)
{
	Chime__LogReply log = CHIME__LOG_REPLY__INIT;
	Chime__Reply reply = CHIME__REPLY__INIT;
	uint8_t *packed;

	log.has_data = true;
	log.data.data = data;
	log.data.len = piece->len;
	log.has_offset = true;
	log.offset = piece->offset;
	log.has_total = true;
	log.total = piece->total;
	log.has_skipped = true;
	log.skipped = piece->skipped;
	log.run = t->run;
	log.has_live = true;
	log.live = !piece->closed && !t->writer_gone;
	reply.body_case = CHIME__REPLY__BODY_LOG;
	reply.log = &log;
	reply.has_id = reply.has_done = true;
	reply.id = t->id;
	reply.done = t->done;
	packed = malloc(chime__reply__get_packed_size(&reply));
	assert(packed);
	/* It can only fail when the connection is ending; then nobody reads this. */
	if (conn_put(t->conn, packed, chime__reply__pack(&reply, packed)) < 0)
		t->done = true;
	free(packed);
}

static void send_failure(struct tail *t, const char *what, int error)
{
	char text[160];

	snprintf(text, sizeof(text), "%s of run %s", what, t->run);
	t->done = true;
	refusal_put(t->conn, t->id,
		    &(struct refusal){ REFUSAL_FAILED, text, strerror(error), NULL });
}

static void changed_cb(void *owner, bool closed)
{
	struct tail *t = owner;

	t->writer_gone = t->writer_gone || closed;
	tail_go_on(t);
}

struct tail *tail_new(struct conn *conn, struct follow *follow, uint64_t id, int fd,
		      uint64_t offset, uint64_t last, bool following, const char *run)
{
	struct tail *t = calloc(1, sizeof(*t));

	assert(t);
	*t = (struct tail){
		.conn = conn,
		.id = id,
		.offset = offset,
		.last = last,
		.fd = fd,
		.following = following,
	};
	snprintf(t->run, sizeof(t->run), "%s", run);
	/* Watched before it is first read, so that nothing falls between. */
	if (following)
		t->error = follow_add(follow, fd, changed_cb, t, &t->follower);
	return t;
}

void tail_free(struct tail *tail)
{
	follow_del(tail->follower);
	close(tail->fd);
	free(tail);
}

/* Moves to where the last bytes begin; behind the end nothing is read but the total. */
static int find_last(struct tail *t)
{
	struct output_piece piece;
	uint8_t byte;
	int rc = output_read(t->fd, UINT64_MAX, &byte, sizeof(byte), &piece);

	if (rc == 0 && piece.total > t->last && piece.total - t->last > t->offset)
		t->offset = piece.total - t->last;
	t->last = 0;
	return rc;
}

void tail_go_on(struct tail *tail)
{
	uint8_t data[TAIL_PIECE];
	struct output_piece piece;
	int rc;

	if (tail->error && !tail->done)
		send_failure(tail, "cannot follow the output", -tail->error);
	if (tail->last > 0 && !tail->done) {
		rc = find_last(tail);
		if (rc < 0)
			send_failure(tail, "cannot read the output", -rc);
	}
	while (!tail->done && conn_backlog(tail->conn) < TAIL_HIGH_WATER) {
		rc = output_read(tail->fd, tail->offset, data, sizeof(data), &piece);
		if (rc < 0) {
			send_failure(tail, "cannot read the output", -rc);
			return;
		}
		if (piece.len == 0) {
			if (tail->following && !tail->writer_gone && !piece.closed)
				return;
			tail->done = true;
		}
		send_piece(tail, &piece, data);
		tail->offset = piece.next;
	}
}

bool tail_is_done(const struct tail *tail)
{
	return tail->done;
}
