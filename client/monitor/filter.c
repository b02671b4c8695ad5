/*
 * filter.c - see filter.h.
 */
#include "client/monitor/filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static void lower_into(char *out, size_t size, const char *text)
{
	size_t i = 0;

	for (; text[i] != '\0' && i + 1 < size; i++)
		out[i] = lower(text[i]);
	out[i] = '\0';
}

static bool begins_with(const char *text, const char *with)
{
	for (; *with != '\0'; text++, with++) {
		if (lower(*text) != lower(*with))
			return false;
	}
	return true;
}

static bool equals(const char *a, const char *b)
{
	return begins_with(a, b) && begins_with(b, a);
}

/* part: lower case. */
static bool has_part(const char *text, const char *part)
{
	for (; *text != '\0'; text++) {
		if (begins_with(text, part))
			return true;
	}
	return part[0] == '\0';
}

/* ---- reading ---- */

static int refuse_state(const char *text, char *err, size_t err_size)
{
	const char *words[JOBSTATE_COUNT];
	char upper[FILTER_SIZE];
	size_t i = 0;

	for (; text[i] != '\0' && i + 1 < sizeof(upper); i++)
		upper[i] = (char)toupper((unsigned char)text[i]);
	upper[i] = '\0';
	for (i = 0; i < JOBSTATE_COUNT; i++)
		words[i] = jobstates[i].word;
	const char *near = name_nearest(upper, words, JOBSTATE_COUNT);
	snprintf(err, err_size, "there is no state '%s'%s%s", text,
		 near != NULL ? "; nearest: " : "", near != NULL ? near : "");
	return -EINVAL;
}

static int read_state(struct filter_word *word, const char *text, char *err, size_t err_size)
{
	uint32_t found = 0;

	for (unsigned i = 0; i < JOBSTATE_COUNT; i++) {
		if (equals(text, jobstates[i].code))
			found = UINT32_C(1) << i;
	}
	for (unsigned i = 0; found == 0 && text[0] != '\0' && i < JOBSTATE_COUNT; i++) {
		if (equals(jobstates[i].word, text))
			found = UINT32_C(1) << i;
	}
	if (found == 0 && text[0] != '\0') {
		for (unsigned i = 0; i < JOBSTATE_COUNT; i++) {
			if (begins_with(jobstates[i].word, text))
				found |= UINT32_C(1) << i;
		}
	}
	word->states |= found;
	return found != 0 ? 0 : refuse_state(text, err, err_size);
}

static int read_list(struct filter_word *word, const char *list, char *err, size_t err_size)
{
	size_t used = 0;

	if (list[0] == '\0') {
		snprintf(err, err_size, "%s", word->kind == FILTER_STATE ?
			 "state: needs a state: state:fa,ru" : "on: needs a server: on:db*");
		return -EINVAL;
	}
	while (*list != '\0') {
		char one[FILTER_SIZE];
		const char *why;
		size_t len = strcspn(list, ",");
		int result = 0;

		snprintf(one, sizeof(one), "%.*s", (int)len, list);
		list += len + (list[len] == ',');
		if (one[0] == '\0')
			continue;
		if (word->kind == FILTER_STATE) {
			result = read_state(word, one, err, err_size);
		} else if (!name_server_pattern_valid(one, &why)) {
			snprintf(err, err_size, "a server's name %s: '%s'", why, one);
			result = -EINVAL;
		} else {
			/* As long as the text it is part of. */
			memcpy(word->text + used, one, strlen(one) + 1);
			used += strlen(one) + 1;
			word->text[used] = '\0';
		}
		if (result < 0)
			return result;
	}
	return 0;
}

static int read_span(struct filter_word *word, const char *name, const char *text, char *err,
		     size_t err_size)
{
	word->less = text[0] == '<';
	if (duration_parse(text + 1, &word->span_us) == 0)
		return 0;
	snprintf(err, err_size, "%s%c needs a duration: %s%c10m", name, text[0], name, text[0]);
	return -EINVAL;
}

static int refuse_word(const char *text, size_t name_len, char *err, size_t err_size)
{
	static const char *const words[] = { "state", "on", "took", "due" };
	static const char *const examples[] = { "state:fa,wa", "on:db*", "took>10m", "due<1h" };
	char name[FILTER_SIZE];

	snprintf(name, sizeof(name), "%.*s", (int)name_len, text);
	const char *near = name_nearest(name, words, sizeof(words) / sizeof(words[0]));
	for (size_t i = 0; near != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
		if (near == words[i]) {
			snprintf(err, err_size, "there is no '%s%c'; nearest: %s", name,
				 text[name_len], examples[i]);
			return -EINVAL;
		}
	}
	snprintf(err, err_size, "there is no '%s%c'; there are state: on: took> due<", name,
		 text[name_len]);
	return -EINVAL;
}

static int read_word(struct filter_word *word, const char *text, char *err, size_t err_size)
{
	static const struct { const char *text; enum filter_kind kind; } plain[] = {
		{ "late", FILTER_LATE }, { "held", FILTER_HELD }, { "trouble", FILTER_TROUBLE },
	};

	if (begins_with(text, "state:") || begins_with(text, "on:")) {
		word->kind = lower(text[0]) == 's' ? FILTER_STATE : FILTER_ON;
		return read_list(word, strchr(text, ':') + 1, err, err_size);
	}
	for (size_t i = 0; i < 2; i++) {
		const char *name = i == 0 ? "took" : "due";
		size_t len = strlen(name);
		word->kind = i == 0 ? FILTER_TOOK : FILTER_DUE;
		if (begins_with(text, name) && (text[len] == '<' || text[len] == '>'))
			return read_span(word, name, text + len, err, err_size);
	}
	size_t name_len = strcspn(text, ":<>");
	if (text[name_len] != '\0')
		return refuse_word(text, name_len, err, err_size);
	word->kind = FILTER_PART;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (equals(text, plain[i].text))
			word->kind = plain[i].kind;
	}
	lower_into(word->text, sizeof(word->text), text);
	return 0;
}

int filter_parse(struct filter *filter, const char *text, char *err, size_t err_size)
{
	struct filter found = { 0 };

	if (strlen(text) >= FILTER_SIZE) {
		snprintf(err, err_size, "the filter is longer than %d bytes", FILTER_SIZE - 1);
		return -EINVAL;
	}
	for (text += strspn(text, " \t"); *text != '\0'; text += strspn(text, " \t")) {
		struct filter_word word = { 0 };
		char one[FILTER_SIZE];
		size_t len = strcspn(text, " \t");

		word.not = text[0] == '-';
		snprintf(one, sizeof(one), "%.*s", (int)len - word.not, text + word.not);
		text += len;
		if (one[0] == '\0')
			continue;
		if (found.count == FILTER_WORDS) {
			snprintf(err, err_size, "the filter has more than %d words", FILTER_WORDS);
			return -EINVAL;
		}
		if (read_word(&word, one, err, err_size) < 0)
			return -EINVAL;
		found.word[found.count++] = word;
	}
	*filter = found;
	return 0;
}

/* ---- matching ---- */

static bool is_on(const struct filter_word *word, const char *server)
{
	for (const char *p = word->text; *p != '\0'; p += strlen(p) + 1) {
		if (glob_match(p, server))
			return true;
	}
	return false;
}

/* -1 = not known. */
static int64_t took_of(const struct book_job *job, struct moment now)
{
	if (job->state != JOBSTATE_RUNNING || job->started_us == 0)
		return job->took_us;
	return now.wall_us > job->started_us ? now.wall_us - job->started_us : 0;
}

static bool span_matches(const struct filter_word *word, int64_t span_us)
{
	return word->less ? span_us < word->span_us : span_us > word->span_us;
}

static bool word_matches(const struct filter_word *word, const struct book_job *job,
			 struct moment now)
{
	enum jobstate shown = book_job_shown(job);

	switch (word->kind) {
	case FILTER_PART:
		return has_part(job->key, word->text);
	case FILTER_STATE:
		return word->states >> shown & 1;
	case FILTER_ON:
		return is_on(word, job->server);
	case FILTER_LATE:
		return job->late;
	case FILTER_HELD:
		return job->held;
	case FILTER_TROUBLE:
		return jobstates[shown].trouble || job->late;
	case FILTER_TOOK:
		return took_of(job, now) >= 0 && span_matches(word, took_of(job, now));
	case FILTER_DUE:
		return job->next_s != 0 &&
		       span_matches(word, job->next_s * 1000000 - now.wall_us);
	}
	return false;
}

bool filter_match(const struct filter *filter, const struct book_job *job, struct moment now)
{
	for (size_t i = 0; i < filter->count; i++) {
		if (word_matches(&filter->word[i], job, now) == filter->word[i].not)
			return false;
	}
	return true;
}

bool filter_match_line(const struct filter *filter, const char *server, const char *line)
{
	for (size_t i = 0; i < filter->count; i++) {
		const struct filter_word *word = &filter->word[i];
		bool part = word->kind == FILTER_PART;
		if (!part && word->kind != FILTER_ON)
			continue;
		if ((part ? has_part(line, word->text) : is_on(word, server)) == word->not)
			return false;
	}
	return true;
}

bool filter_is_timed(const struct filter *filter)
{
	for (size_t i = 0; i < filter->count; i++) {
		if (filter->word[i].kind == FILTER_TOOK || filter->word[i].kind == FILTER_DUE)
			return true;
	}
	return false;
}
