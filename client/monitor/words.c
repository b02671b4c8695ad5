/*
 * words.c - see words.h.
 */
#include "client/monitor/words.h"

#include <string.h>

/* One word from `from` on, which is ended by NUL where it stands; NULL for an open quote. */
static char *take_word(char *from)
{
	char *to = from, quote = '\0';

	for (; *from != '\0' && (quote != '\0' || (*from != ' ' && *from != '\t')); from++) {
		if (quote == '\0' && (*from == '\'' || *from == '"'))
			quote = *from;
		else if (quote != '\0' && *from == quote)
			quote = '\0';
		else if (*from == '\\' && quote != '\'' && from[1] != '\0')
			*to++ = *++from;
		else
			*to++ = *from;
	}
	if (quote != '\0')
		return NULL;
	if (*from != '\0')
		from++;
	*to = '\0';
	return from;
}

bool words_split(char *text, char *words[WORDS_MAX], size_t *count)
{
	char *at = text;

	*count = 0;
	for (;;) {
		at += strspn(at, " \t");
		if (*at == '\0')
			return true;
		if (*count == WORDS_MAX)
			return false;
		words[(*count)++] = at;
		at = take_word(at);
		if (at == NULL)
			return false;
	}
}
