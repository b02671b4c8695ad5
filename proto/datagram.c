#include "proto/datagram.h"

#include "proto/budget.h"
#include "proto/names.h"

Chime__Datagram *datagram_parse(const void *plain, size_t len)
{
	Chime__Datagram *d = (Chime__Datagram *)budget_unpack(&chime__datagram__descriptor, plain,
							      len);

	if (d && d->sender && name_server_valid(d->sender, NULL))
		return d;
	chime__datagram__free_unpacked(d, NULL);
	return NULL;
}

Chime__Datagram *datagram_open(const struct keyring *ring,
	const uint8_t env_id[ENVIRONMENT_ID_SIZE], const void *data, size_t len,
	struct opened *opened, enum envelope_verdict *verdict)
{
	struct opened own;

	if (!opened)
		opened = &own;
	*verdict = envelope_open(ring, env_id, data, len, opened);
	return *verdict == ENVELOPE_OK ? datagram_parse(opened->bytes, opened->len) : NULL;
}
