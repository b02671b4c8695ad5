/*
 * jobask.c - see jobask.h.
 */
#include "client/monitor/jobask.h"

#include <stdio.h>
#include <string.h>

uint64_t jobask_send(struct monitor *m, enum carrier carrier, const Chime__Request *request)
{
	struct order *order = order_new(ORDER_ASK, 0);

	order_set_request(order, request);
	return monitor_order(m, carrier, order);
}

/* FNV-1a, as many steps as there are bytes. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++, value >>= 8)
		hash = (hash ^ (value & 0xff)) * 0x100000001b3;
	return hash;
}

uint64_t jobask_version(const struct monitor *m, const char *key)
{
	const struct book_job *job = book_find_job(m->book, key);
	uint64_t hash = 0xcbf29ce484222325;

	if (job == NULL)
		return 0;
	hash = mix(hash, (uint64_t)job->state);
	hash = mix(hash, job->run);
	hash = mix(hash, job->seq);
	hash = mix(hash, job->lineage.boot);
	hash = mix(hash, (uint64_t)job->since_us);
	hash = mix(hash, job->stale | (unsigned)job->held << 1 | (unsigned)job->disabled << 2 |
		   (unsigned)job->removed << 3);
	/* What it waits for is of other jobs: their events change it. */
	for (size_t i = 0; i < job->blocked_count; i++) {
		const struct book_job *other = book_find_job(m->book, job->blocked_by[i]);
		hash = mix(hash, other != NULL ? (uint64_t)other->state << 32 ^ other->seq : 1);
	}
	return hash | 1;
}

bool jobask_is_worth_again(const struct trouble *trouble)
{
	return trouble->exit == EXIT_UNREACHED || trouble->exit == EXIT_TIME;
}

void jobask_refusal(const Chime__Reply *reply, char *out, size_t size)
{
	const Chime__Refusal *refusal = reply != NULL &&
		reply->body_case == CHIME__REPLY__BODY_REFUSAL ? reply->refusal : NULL;

	if (refusal == NULL || refusal->what == NULL)
		snprintf(out, size, "the server answered something that was not asked");
	else
		snprintf(out, size, "%s%s%s", refusal->what, refusal->why != NULL ? ": " : "",
			 refusal->why != NULL ? refusal->why : "");
}
