#include "proto/budget.h"

#include <stdlib.h>

enum { BUDGET_FACTOR = 64, BUDGET_BASE = 4096 };

static void *take(void *data, size_t size)
{
	size_t *left = data;

	if (size > *left)
		return NULL;
	*left -= size;
	return malloc(size ? size : 1);
}

static void give(void *data, void *pointer)
{
	(void)data;
	free(pointer);
}

ProtobufCMessage *budget_unpack(const ProtobufCMessageDescriptor *type, const void *bytes,
				size_t len)
{
	size_t left = BUDGET_BASE + BUDGET_FACTOR * len;
	ProtobufCAllocator allocator = { .alloc = take, .free = give, .allocator_data = &left };

	/* Freed with the default allocator: both end in free(). */
	return protobuf_c_message_unpack(type, &allocator, len, bytes);
}
