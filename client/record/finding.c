#include "client/record/finding.h"

#include <assert.h>

static const struct {
	const char *name;
	bool wrong;
	const char *text;
} kinds[] = {
	[FINDING_CERTIFICATE] = { "certificate", false,
		"its certificate is good, its heads are checked from now" },
	[FINDING_BAD_CERTIFICATE] = { "bad_certificate", true,
		"its certificate is refused" },
	[FINDING_UNCHECKED] = { "unchecked", true,
		"its heads can't be checked (--certificate)" },
	[FINDING_BAD_SIGNATURE] = { "bad_signature", true,
		"no certificate of it verifies the head" },
	[FINDING_GAP] = { "gap", true,
		"proved to exist and not seen" },
	[FINDING_REPAIRED] = { "repaired", false,
		"seen" },
	[FINDING_OPENING] = { "opening_missing", true,
		"a new start, and its first event was not seen" },
	[FINDING_FORK] = { "fork", true,
		"FORK" },
	[FINDING_CONTRADICTED] = { "contradicted", true,
		"somebody says other than what is proved" },
	[FINDING_STUB] = { "stub", false,
		"too large for a datagram, servers pull it over TCP" },
	[FINDING_MALFORMED] = { "malformed", true,
		"malformed" },
	[FINDING_NOT_OPENED] = { "not_opened", true,
		"does not open" },
	[FINDING_LIMIT] = { "limit", true,
		"too much to keep, figures are incomplete" },
};
_Static_assert(sizeof(kinds) / sizeof(*kinds) == FINDING_COUNT, "a row each");

const char *finding_name(enum finding_kind kind)
{
	assert((unsigned)kind < FINDING_COUNT);
	return kinds[kind].name;
}

const char *finding_text(enum finding_kind kind)
{
	assert((unsigned)kind < FINDING_COUNT);
	return kinds[kind].text;
}

bool finding_is_wrong(enum finding_kind kind)
{
	assert((unsigned)kind < FINDING_COUNT);
	return kinds[kind].wrong;
}
