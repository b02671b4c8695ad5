#include "daemon/edge/refusal.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/edge/conn.h"
#include "proto/control.pb-c.h"

void refusal_put(struct conn *conn, uint64_t id, const struct refusal *refusal)
{
	Chime__Refusal message = CHIME__REFUSAL__INIT;
	Chime__Reply reply = CHIME__REPLY__INIT;
	uint8_t *packed;

	message.has_exit = true;
	message.exit = refusal->exit;
	/* protobuf-c's strings are not const, but packing only reads them. */
	message.what = (char *)(uintptr_t)refusal->what;
	message.why = (char *)(uintptr_t)refusal->why;
	message.try_ = (char *)(uintptr_t)refusal->try;
	reply.has_id = reply.has_done = reply.done = true;
	reply.id = id;
	reply.body_case = CHIME__REPLY__BODY_REFUSAL;
	reply.refusal = &message;
	packed = malloc(chime__reply__get_packed_size(&reply));
	assert(packed);
	conn_put(conn, packed, chime__reply__pack(&reply, packed));
	free(packed);
}
