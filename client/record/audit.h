/*
 * audit.h - what the bus said, judged: every event once with the proof it has, and everything an
 * operator has to know of: holes, repairs, bad signatures, forks; and the figures of each server.
 *
 * Frames come in as datagrams were opened and go out to a sink:
 *
 *	frame -> known already?  counted as a repeat
 *	      -> held until a head reaches it -> told with its proof, in the order of the log
 *	                          AUDIT_HOLD_US without one, or the end -> told as unproved
 *
 * Certificates come from the opening events of lineages, which carry them, and from
 * audit_add_certificate(); each is judged against the CA file at the time of the packet that first
 * needs it.
 *
 * Invariants
 * 1. Opening, parsing, hashing and verifying are proto's; nothing of it is done here.
 * 2. Nothing is told as signed unless a head that its server's certificate verifies reaches it.
 * 3. Memory is bounded, whatever is in the datagrams.
 *
 * Pure but for memory: no I/O and no clock; times are those of the packets.
 */
#ifndef CHIME_CLIENT_RECORD_AUDIT_H
#define CHIME_CLIENT_RECORD_AUDIT_H

#include "client/record/finding.h"
#include "proto/event.pb-c.h"
#include "proto/identity.h"

enum {
	AUDIT_HOLD_US = 10 * 1000 * 1000,
	/* Nothing is sent twice within this time (the first beacon comes after 2 ms): what is late
	 * by less was overtaken on the way. */
	AUDIT_REORDER_US = 1500,
	AUDIT_ORIGINS_MAX = 2048,
	AUDIT_LINEAGES_MAX = 64,	/* of one origin */
	AUDIT_TRACKS_MAX = 2048,	/* of all */
	AUDIT_CERTIFICATES_MAX = 8,	/* of one origin */
	AUDIT_UNCHECKED_MAX = 8,	/* heads kept for a certificate that may come */
	AUDIT_KNOWN_MAX = 1 << 19,	/* frames remembered, of all */
	AUDIT_HELD_BYTES = 32 << 20,
	AUDIT_NONCES_MAX = 8192,
};

/* A frame that is told. */
struct told {
	int64_t wall_us;		/* of the packet it first came in */
	const struct frame *frame;
	const struct digest *hash;
	enum proof proof;
	bool late;			/* something behind it was seen before */
};

struct audit_sink {
	void (*frame)(void *arg, const struct told *told);
	void (*finding)(void *arg, const struct finding *finding);
	void *arg;
};

/* As sender: what the datagrams say of it, which only the group key vouches for. */
struct audit_figures {
	uint64_t datagrams, bytes;
	uint64_t duplicates;		/* the very same datagram again */
	uint64_t reordered;		/* datagrams overtaken by later ones */
	/* As origin. */
	uint64_t frames, heads;
	uint64_t events[PROOF_COUNT];	/* told, by their proof */
	uint64_t repeats;		/* frames that were known: beacons mostly */
	uint64_t repairs;		/* frames that came behind a later one, sent again */
	uint64_t stubs;			/* events that are not on the bus */
	uint64_t lost, lost_ranges;	/* events proved to exist and never seen */
	uint64_t bad_signatures, unchecked_heads, bad_certificates;
	uint64_t forks, contradicted, malformed;
};

/* Told, whatever their proof. */
uint64_t audit_events(const struct audit_figures *figures);

struct audit;

/* authority: the CA file, borrowed; NULL = no certificate is good. */
struct audit *audit_new(const struct identity *authority,
			const uint8_t env_id[ENVIRONMENT_ID_SIZE], struct audit_sink sink);
void audit_free(struct audit *audit);

/* A certificate from elsewhere. */
void audit_add_certificate(struct audit *audit, const char *server, const void *der, size_t len);

/* A datagram that was opened. nonce: 24 bytes, equal for the very same datagram only. */
void audit_hear(struct audit *audit, int64_t wall_us, const Chime__Datagram *inside,
		const uint8_t nonce[XAES_NONCE_SIZE], size_t len);

/* Tells what is still held; the figures are whole then. */
void audit_end(struct audit *audit);

/* Calls fn for each server heard of, by name. */
typedef void audit_fn(const char *server, const struct audit_figures *figures, void *arg);
void audit_each(struct audit *audit, audit_fn *fn, void *arg);

#endif
