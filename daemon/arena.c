#include "daemon/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 64 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t size;
	alignas(max_align_t) uint8_t bytes[];
};

void *arena_take(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;
	size_t align = alignof(max_align_t);
	void *at;

	size = (size + align - 1) / align * align;
	if (!block || block->size - arena->used < size) {
		size_t want = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		block = malloc(sizeof(*block) + want);
		assert(block);
		block->size = want;
		block->next = arena->blocks;
		arena->blocks = block;
		arena->used = 0;
	}
	at = block->bytes + arena->used;
	arena->used += size;
	memset(at, 0, size);
	return at;
}

void *arena_copy(struct arena *arena, const void *data, size_t len)
{
	void *copy = arena_take(arena, len + 1);

	if (len)	/* no bytes may be at NULL, which memcpy() must not be given */
		memcpy(copy, data, len);
	return copy;
}

char *arena_copy_text(struct arena *arena, const char *text)
{
	return text ? arena_copy(arena, text, strlen(text)) : NULL;
}

char *arena_print(struct arena *arena, const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	text = arena_take(arena, (size_t)len + 1);
	va_start(args, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return text;
}

void arena_reset(struct arena *arena)
{
	struct arena_block *block = arena->blocks, *next;

	arena->used = 0;
	if (!block)
		return;
	while ((next = block->next)) {
		block->next = next->next;
		free(next);
	}
	if (block->size > BLOCK_SIZE) {
		free(block);
		arena->blocks = NULL;
	}
}

void arena_fini(struct arena *arena)
{
	arena_reset(arena);
	free(arena->blocks);
	arena->blocks = NULL;
}
