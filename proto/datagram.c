#include "proto/datagram.h"

#include "proto/budget.h"
#include "proto/names.h"

Chime__Datagram *datagram_open(const struct keyring *ring,
	const uint8_t env_id[ENVIRONMENT_ID_SIZE], const void *data, size_t len,
	enum envelope_verdict *verdict)
{
	struct opened opened;
	Chime__Datagram *d;

	*verdict = envelope_open(ring, env_id, data, len, &opened);
	if (*verdict != ENVELOPE_OK)
		return NULL;
	d = (Chime__Datagram *)budget_unpack(&chime__datagram__descriptor, opened.bytes,
					     opened.len);
	if (d && d->sender && name_server_valid(d->sender, NULL))
		return d;
	chime__datagram__free_unpacked(d, NULL);
	return NULL;
}
