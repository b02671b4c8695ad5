/*
 * arena.h - memory of one turn: taken piece by piece, given back all at once.
 */
#ifndef CHIME_DAEMON_ARENA_H
#define CHIME_DAEMON_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena { struct arena_block *blocks; size_t used; };

/* Zeroed, aligned for anything; never NULL (a machine without memory ends the process). */
void *arena_take(struct arena *arena, size_t size);
char *arena_copy_text(struct arena *arena, const char *text);	/* NULL gives NULL */
void *arena_copy(struct arena *arena, const void *data, size_t len);
char *arena_print(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Everything taken is invalid; one block stays for the next turn. */
void arena_reset(struct arena *arena);
void arena_fini(struct arena *arena);

#endif
