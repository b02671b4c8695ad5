/*
 * start.c - boot number, probation, opening of a lineage, unproven (bus.md 8).
 *
 *	         no peer known                         enough answers, own log complete
 *	(init) ----------------> OPEN, proven <---------------------------------- PROBATION
 *	                              ^                                               | 5 s
 *	                              | enough answers later, or `server trust`       v
 *	                              +----------------------------------- OPEN, unproven
 *
 * Boot numbers: the journal is raised first, then the boot file, then the first event is said. So
 * the file may be one behind the journal (a crash between the two); any other difference means
 * that one of them was restored.
 */
#include "daemon/node.h"

#include "daemon/edge/bootfile.h"
#include "daemon/edge/control.h"
#include "daemon/log.h"
#include "daemon/tzdata.h"
#include "proto/version.h"

#include <stdio.h>
#include <string.h>

enum {
	PROBATION_US = 5 * USEC_PER_SEC,
	ENOUGH_ANSWERS = 3,
	SEQ_JUMP = 1000000,
	BOOT_HEARSAY_MAX = 65536,
	ASK_AGAIN_US = USEC_PER_SEC,
};

/* ---- boot numbers ---- */

static int read_boot(const struct node *node, uint64_t *boot)
{
	if (node->setup.boot_path)
		return bootfile_read(node->setup.boot_path, boot);
	*boot = node->setup.boot_number ? *node->setup.boot_number : 0;
#ifdef MUTANT_BOOT_IN_DATABASE_ONLY
	*boot = (uint64_t)journal_meta(node->setup.journal, "boot", 0);
#endif
	return 0;
}

static int write_boot(const struct node *node, uint64_t boot)
{
	if (node->setup.boot_path)
		return bootfile_write(node->setup.boot_path, boot);
	if (node->setup.boot_number)
		*node->setup.boot_number = boot;
	return 0;
}

/* Whether file and journal tell one story; see the file head. */
static bool boots_agree(uint64_t file, uint64_t journal)
{
	return file == journal || file + 1 == journal;
}

/* ---- opening ---- */

static const struct chain_lineage *find_parent(const struct node *node)
{
	const struct chain *chain = &node->self->chain;

	for (size_t i = chain->lineage_count; i-- > 0;)
		if (chain->lineages[i].open)
			return &chain->lineages[i];
	return NULL;
}

static uint64_t highest_seq(const struct node *node)
{
	const struct chain *chain = &node->self->chain;
	uint64_t seq = 0;

	for (size_t i = 0; i < chain->lineage_count; i++) {
		if (chain->lineages[i].seq > seq)
			seq = chain->lineages[i].seq;
		if (chain->lineages[i].head_seq > seq)
			seq = chain->lineages[i].head_seq;
	}
	return seq;
}

static void record_up(struct node *node, const struct chain_lineage *parent)
{
	Chime__Event event;
	Chime__ServerUp up = CHIME__SERVER_UP__INIT;
	Chime__Lineage lineage = CHIME__LINEAGE__INIT;
	char *address = (char *)node->setup.address, tzdata[TZDATA_VERSION_SIZE];
	size_t len;

	if (parent) {
		lineage.has_boot = lineage.has_tag = up.has_parent_seq = true;
		lineage.boot = parent->lineage.boot;
		lineage.tag = parent->lineage.tag;
		up.parent = &lineage;
		up.parent_seq = parent->seq;
	}
	up.why = node->unproven ? node->unproven_why : parent ? "start" : "first start";
	if (node->setup.identity) {
		up.has_certificate = true;
		up.certificate.data = (uint8_t *)identity_der(node->setup.identity, &len);
		up.certificate.len = len;
	}
	if (address && address[0]) {
		up.address = &address;
		up.n_address = 1;
	}
	up.version = CHIME_VERSION;
	tzdata_version(tzdata);
	up.tzdata = tzdata;
	up.timezone = (char *)node->setup.timezone;
	up.has_unproven = true;
	up.unproven = node->unproven;
	node_begin_event(node, &event);
	event.body_case = CHIME__EVENT__BODY_SERVER_UP;
	event.server_up = &up;
	node_record(node, &event);
}

void start_hello(struct node *node)
{
	Chime__Reply reply = CHIME__REPLY__INIT;
	Chime__Hello hello = CHIME__HELLO__INIT;
	Chime__Lineage lineage = CHIME__LINEAGE__INIT;
	uint8_t bytes[1024];
	size_t len;

	if (!node->setup.control)
		return;
	lineage.has_boot = lineage.has_tag = true;
	lineage.boot = node->lineage.boot;
	lineage.tag = node->lineage.tag;
	hello.version = CHIME_VERSION;
	hello.has_protocol = true;
	hello.protocol = CHIME_PROTOCOL;
	hello.environment = (char *)node->setup.environment;
	hello.has_environment_id = true;
	hello.environment_id = (ProtobufCBinaryData){ sizeof(node->env_id), node->env_id };
	hello.server = (char *)node->setup.server;
	/* Without a lineage while in probation: servers that start together answer each other. */
	hello.lineage = node->lineage.boot ? &lineage : NULL;
	reply.has_id = true;
	reply.body_case = CHIME__REPLY__BODY_HELLO;
	reply.hello = &hello;
	len = chime__reply__get_packed_size(&reply);
	if (len > sizeof(bytes))
		return;
	chime__reply__pack(&reply, bytes);
	control_hello(node->setup.control, bytes, len);
}

/* Before the first of these the journal names the new boot, after the last the lineage speaks. */
static void open_lineage(struct node *node)
{
	const struct chain_lineage *parent = find_parent(node);
	uint64_t journal_boot = (uint64_t)journal_meta(node->setup.journal, "boot", 0);
	uint64_t boot = journal_boot > node->file_boot ? journal_boot : node->file_boot;
	int r;

	if (node->boot_seen > boot)
		boot = node->boot_seen;
	boot++;
	if (boot >= INT64_MAX) {
		log_error("boot.exhausted", "boot=%llu try=\"a new name for this server\"",
			  (unsigned long long)boot);
		node->state = NODE_FAILED;
		return;
	}
	if (node->boot_seen > journal_boot || !boots_agree(node->file_boot, journal_boot) ||
	    node->unproven)
		node->seq = highest_seq(node) + (parent || node->unproven ? SEQ_JUMP : 0);
	else
		node->seq = highest_seq(node);
	journal_set_meta(node->setup.journal, "boot", (int64_t)boot);
	if (journal_commit(node->setup.journal, &node->model) < 0 ||
	    (r = write_boot(node, boot)) < 0) {
		log_error("boot.failed", "why=%s consequence=\"the server ends\"",
			  log_quote(journal_error(node->setup.journal)));
		node->state = NODE_FAILED;
		return;
	}
	journal_begin(node->setup.journal);
	digest_random(&node->lineage.tag, sizeof(node->lineage.tag));
	if (!node->setup.boot_path)	/* the simulator's runs can be repeated */
		node->lineage.tag = node_random(node, UINT64_MAX);
	node->lineage.boot = boot;
	node->tip = parent ? parent->hash : (struct digest){ { 0 } };
	node->frame_opens = true;
#ifdef MUTANT_LINEAGE_CONTINUED
	node->lineage = parent ? parent->lineage : node->lineage;
	node->frame_opens = !parent;
#endif
	node->state = NODE_OPEN;
	node->opened = node->now.boot;
	node->engine.opened_s = wall_seconds(node->now.wall);
	log_info("lineage.open", "boot=%llu seq=%llu unproven=%s",
		 (unsigned long long)boot, (unsigned long long)node->seq,
		 node->unproven ? "true" : "false");
	record_up(node, parent);
	start_hello(node);
	hear_drain_all(node);
	if (node->jobs_later) {
		definitions_load(node, node->jobs_later);
		inbox_item_free(node->jobs_later);
		node->jobs_later = NULL;
	}
	/* The end of the scan may still be to come: what it told so far counts now. */
	attempts_report_kept(node);
	if (node->scanned)
		attempts_scanned(node);
}

/* ---- probation ---- */

void start_probation(struct node *node)
{
	int64_t journal_boot = journal_meta(node->setup.journal, "boot", 0);
	int r = read_boot(node, &node->file_boot);

	if (r < 0)
		snprintf(node->unproven_why, sizeof(node->unproven_why),
			 "unproven: the boot file cannot be read");
	else if (!boots_agree(node->file_boot, (uint64_t)journal_boot))
		snprintf(node->unproven_why, sizeof(node->unproven_why),
			 "unproven: boot file %llu and database %lld disagree",
			 (unsigned long long)node->file_boot, (long long)journal_boot);
	node->state = NODE_PROBATION;
	node->probation_until.us = node->now.boot.us + PROBATION_US;
	for (struct peer *peer = node->peers.list; peer; peer = peer->hh.next)
		node->known_peers += !peer->self && peer->address_count;
	if (!node->known_peers)
		node->known_peers = (uint32_t)node->setup.seed_count;
}

static uint32_t enough_answers(const struct node *node)
{
	uint32_t half = (node->known_peers + 1) / 2;

	return half < ENOUGH_ANSWERS ? half : ENOUGH_ANSWERS;
}

static bool own_log_is_complete(const struct node *node)
{
	return !node->self->wanted && !node->self->pulling && !chain_has_gap(&node->self->chain);
}

static uint64_t highest_known_boot(const struct node *node)
{
	uint64_t boot = (uint64_t)journal_meta(node->setup.journal, "boot", 0);

	return boot > node->file_boot ? boot : node->file_boot;
}

void start_hear_vector(struct node *node, struct peer *from, const Chime__VectorReply *reply)
{
	if (!from->self && !from->answered) {
		from->answered = true;
		node->answers++;
	}
	/* My own signature proves any number; a bare word only a small one, or one server could
	 * spend all numbers of another. */
	if (reply->has_your_head)
		hear_head(node, reply->your_head.data, reply->your_head.len);
	if (reply->your_boot > node->boot_seen &&
	    reply->your_boot <= highest_known_boot(node) + BOOT_HEARSAY_MAX)
		node->boot_seen = reply->your_boot;
}

void start_prove(struct node *node, const char *why)
{
	Chime__Event event;
	Chime__ServerProven proven = CHIME__SERVER_PROVEN__INIT;

	if (!node->unproven)
		return;
	node->unproven = false;
	node->unproven_why[0] = 0;
	node_begin_event(node, &event);
	event.body_case = CHIME__EVENT__BODY_SERVER_PROVEN;
	proven.why = (char *)why;
	event.server_proven = &proven;
	node_record(node, &event);
	/* Own runs that peers gave back meanwhile are compared with the spool only now. */
	attempts_report_kept(node);
	if (node->scanned)
		attempts_scanned(node);
	for (struct job *job = node->model.jobs; job; job = job->hh.next)
		model_look_at(&node->model, job);
	hear_drain_all(node);
}

/* Who was not there at first may be there now; until enough have answered nothing is proved. */
static void ask_again(struct node *node)
{
	if (node->now.boot.us < node->ask_again_at.us)
		return;
	node->ask_again_at.us = node->now.boot.us + ASK_AGAIN_US;
	for (struct peer *peer = node->peers.list; peer; peer = peer->hh.next)
		if (!peer->self && !peer->answered && peer->address_count)
			repair_ask_vector(node, peer->server, peer->addresses[0]);
	for (size_t i = 0; i < node->setup.seed_count && !node->answers; i++)
		repair_ask_vector(node, "", node->setup.seeds[i]);
}

void start_check(struct node *node)
{
	bool enough = node->answers >= enough_answers(node) && own_log_is_complete(node);

	if (node->state == NODE_OPEN && node->unproven && node->known_peers && enough) {
		start_prove(node, "peers answered");
		return;
	}
	if (!enough && (node->state == NODE_PROBATION || node->unproven))
		ask_again(node);
	if (node->state != NODE_PROBATION)
		return;
	if (enough && (node->known_peers || !node->unproven_why[0])) {
		node->unproven_why[0] = 0;
		open_lineage(node);
		return;
	}
	if (enough || node->now.boot.us >= node->probation_until.us) {
		if (!node->unproven_why[0])
			snprintf(node->unproven_why, sizeof(node->unproven_why),
				 "unproven: %u of %u known servers answered", node->answers,
				 node->known_peers);
#ifndef MUTANT_UNPROVEN_RULE_OFF
		node->unproven = node->began_unproven = true;
#endif
		log_warn("server.unproven", "why=%s try=\"chime server trust\"",
			 log_quote(node->unproven_why));
		open_lineage(node);
	}
}
