/*
 * finding.h - what an operator has to know of a capture, besides the events in it.
 */
#ifndef CHIME_CLIENT_RECORD_FINDING_H
#define CHIME_CLIENT_RECORD_FINDING_H

#include "client/record/track.h"

enum finding_kind {
	FINDING_CERTIFICATE,		/* learned; nothing is wrong */
	FINDING_BAD_CERTIFICATE,
	FINDING_UNCHECKED,		/* heads of a server whose certificate is not known */
	FINDING_BAD_SIGNATURE,
	FINDING_GAP,			/* first..last is proved to exist and was not seen */
	FINDING_REPAIRED,		/* ... and came */
	FINDING_OPENING,		/* a lineage began, and its first event was not seen */
	FINDING_FORK,			/* two hashes at one place */
	FINDING_CONTRADICTED,		/* a frame without proof where another has one */
	FINDING_STUB,			/* the events of first..last are not on the bus: pulled */
	FINDING_MALFORMED,		/* a frame or a head that can't be read */
	FINDING_NOT_OPENED,		/* a datagram; the audit never hears of it */
	FINDING_LIMIT,			/* too much to keep: figures are incomplete from here */
	FINDING_COUNT
};

enum { FINDING_DETAIL_SIZE = 768 };

struct finding {
	enum finding_kind kind;
	int64_t wall_us;
	const char *server;		/* whom it is about; NULL = nobody can tell */
	const char *sender;		/* who says it sent the datagram; NULL at the end */
	struct lineage lineage;		/* zero = none */
	uint64_t first, last;		/* zero = none */
	enum proof proof;		/* of what says so */
	int64_t after_us;		/* FINDING_REPAIRED: since it was noticed */
	char detail[FINDING_DETAIL_SIZE];	/* "" = nothing to add */
};

/* A word with underscores, and what it means in a line of text. */
const char *finding_name(enum finding_kind kind);
const char *finding_text(enum finding_kind kind);

/* Is it something wrong, and not only worth knowing? */
bool finding_is_wrong(enum finding_kind kind);

#endif
