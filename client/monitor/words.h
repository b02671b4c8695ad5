/*
 * words.h - the words of a typed line, as a shell sees them: quotes and backslashes are taken off,
 * nothing is expanded.
 */
#ifndef CHIME_CLIENT_MONITOR_WORDS_H
#define CHIME_CLIENT_MONITOR_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { WORDS_MAX = 128 };

/* Splits in place: the words point into text. False for an open quote, or more than WORDS_MAX. */
bool words_split(char *text, char *words[WORDS_MAX], size_t *count);

#endif
