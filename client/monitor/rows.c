/*
 * rows.c - see rows.h.
 */
#include "client/monitor/rows.h"

#include "client/say.h"

#include <stdio.h>
#include <string.h>

void rows_init(struct rows *rows)
{
	*rows = (struct rows){ .changed = true };
}

void rows_fini(struct rows *rows)
{
	rows_untag_all(rows);
	free(rows->list);
	free(rows->ids);
	*rows = (struct rows){ 0 };
}

/* ---- sorting ---- */

/* By text (SORT_SERVER), rank, number, key. */
struct item {
	struct book_job *job;
	const char *text;
	int rank;
	int64_t number;
};

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int c = x->text != NULL ? strcmp(x->text, y->text) : 0;

	if (c != 0)
		return c;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->job->key, y->job->key);
}

static int64_t or_last(int64_t number)
{
	return number != 0 ? number : INT64_MAX;
}

/* What is late comes right behind what is not heard. */
static int trouble_rank(const struct book_job *job)
{
	int rank = 2 * (int)book_job_shown(job), late = 2 * (int)JOBSTATE_UNKNOWN + 1;

	return job->late && rank > late ? late : rank;
}

/* What goes on or waits: the longest first. What is over: the newest first. What is yet to come:
 * the next first. */
static int64_t trouble_number(const struct book_job *job)
{
	switch (book_job_shown(job)) {
	case JOBSTATE_RETRY:
	case JOBSTATE_RUNNING:
	case JOBSTATE_STARTING:
	case JOBSTATE_QUEUED:
	case JOBSTATE_WAITING:
		return or_last(job->since_us);
	case JOBSTATE_HELD:
	case JOBSTATE_ICED:
	case JOBSTATE_IDLE:
		return or_last(job->next_s);
	default:
		return -job->since_us;
	}
}

static struct item make_item(struct book_job *job, enum rows_sort sort)
{
	struct item item = { .job = job };

	switch (sort) {
	case SORT_TROUBLE:
		item.rank = trouble_rank(job);
		item.number = trouble_number(job);
		break;
	case SORT_SERVER:
		item.text = job->server;
		break;
	case SORT_SINCE:
		item.number = -job->since_us;
		break;
	case SORT_NEXT:
		item.number = or_last(job->next_s);
		break;
	case SORT_JOB:
	case SORT_COUNT:
		break;
	}
	return item;
}

const char *rows_sort_name(enum rows_sort sort)
{
	static const char *const names[SORT_COUNT] = {
		[SORT_TROUBLE] = "trouble", [SORT_JOB] = "job", [SORT_SERVER] = "server",
		[SORT_SINCE] = "since", [SORT_NEXT] = "next",
	};

	return sort < SORT_COUNT ? names[sort] : "?";
}

/* ---- places ---- */

struct place { uint64_t id; size_t at; };

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Where each id stands, by id; freed by the caller. */
static struct place *list_places(const uint64_t *ids, size_t count)
{
	struct place *places = say_calloc(count + 1, sizeof(*places));

	for (size_t i = 0; i < count; i++)
		places[i] = (struct place){ ids[i], i };
	qsort(places, count, sizeof(*places), compare_places);
	return places;
}

static const struct place *find_place(const struct place *places, size_t count, uint64_t id)
{
	struct place key = { id, 0 };

	return bsearch(&key, places, count, sizeof(*places), compare_places);
}

/* Those that stood before by their old places, then the new ones, sorted. */
static void keep_places(const struct rows *rows, struct item *items, size_t count)
{
	struct place *places = list_places(rows->ids, rows->count);
	struct item *fresh = say_calloc(count + 1, sizeof(*fresh));
	struct item *stay = say_calloc(rows->count + 1, sizeof(*stay));
	size_t fresh_count = 0, n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct place *p = find_place(places, rows->count, items[i].job->id);
		if (p != NULL)
			stay[p->at] = items[i];
		else
			fresh[fresh_count++] = items[i];
	}
	qsort(fresh, fresh_count, sizeof(*fresh), compare_items);
	for (size_t i = 0; i < rows->count; i++) {
		if (stay[i].job != NULL)
			items[n++] = stay[i];
	}
	for (size_t i = 0; i < fresh_count; i++)
		items[n++] = fresh[i];
	free(places);
	free(fresh);
	free(stay);
}

/* ---- the cursor ---- */

static void show_cursor(struct rows *rows)
{
	size_t most = rows->count > rows->height ? rows->count - rows->height : 0;

	if (rows->top > most)
		rows->top = most;
	if (rows->at < rows->top)
		rows->top = rows->at;
	if (rows->height > 0 && rows->at >= rows->top + rows->height)
		rows->top = rows->at - rows->height + 1;
}

static void set_cursor(struct rows *rows, size_t at)
{
	rows->at = at;
	memcpy(rows->cursor, rows->list[at]->key, sizeof(rows->cursor));
	show_cursor(rows);
}

static bool find_key(const struct rows *rows, const char *key, size_t len, size_t *at)
{
	for (size_t i = 0; i < rows->count; i++) {
		if (strncmp(rows->list[i]->key, key, len) == 0) {
			*at = i;
			return true;
		}
	}
	return false;
}

/* The place now of the row that stood nearest to the cursor before and is still there. */
static size_t find_neighbour(const struct rows *rows, const uint64_t *old, size_t old_count)
{
	struct place *places = list_places(rows->ids, rows->count);
	size_t at = rows->at < rows->count ? rows->at : rows->count - 1;

	for (size_t d = 1; d <= old_count; d++) {
		const struct place *p = NULL;
		if (rows->at + d < old_count)
			p = find_place(places, rows->count, old[rows->at + d]);
		if (p == NULL && d <= rows->at && rows->at - d < old_count)
			p = find_place(places, rows->count, old[rows->at - d]);
		if (p != NULL) {
			at = p->at;
			break;
		}
	}
	free(places);
	return at;
}

static void place_cursor(struct rows *rows, const uint64_t *old, size_t old_count)
{
	size_t at = 0;

	if (rows->count == 0) {
		rows->at = rows->top = 0;
		return;
	}
	if (rows->cursor[0] != '\0' &&
	    !find_key(rows, rows->cursor, sizeof(rows->cursor), &at))
		at = find_neighbour(rows, old, old_count);
	set_cursor(rows, at);
}

/* ---- the list ---- */

static bool is_shown(const struct rows *rows, const struct book_job *job)
{
	return !rows->trouble_only || jobstates[book_job_shown(job)].trouble || job->late;
}

/* The jobs that match into `items`, which has room for all. */
static size_t collect(struct rows *rows, const struct book *book, struct moment now,
		      struct item *items)
{
	size_t count = 0;

	rows->total = 0;
	rows->hides_failed = false;
	for (struct book_job *job = book->jobs; job != NULL; job = job->hh.next) {
		if (!book_job_is_there(job))
			continue;
		rows->total++;
		if (!filter_match(&rows->words, job, now))
			rows->hides_failed |= book_job_shown(job) <= JOBSTATE_LOST;
		else if (is_shown(rows, job))
			items[count++] = make_item(job, rows->sort);
	}
	return count;
}

static void drop_tags(struct rows *rows, const struct book *book)
{
	struct rows_tag *tag, *next;

	HASH_ITER(hh, rows->tags, tag, next) {
		const struct book_job *job = book_find_job(book, tag->key);
		if (job != NULL && book_job_is_there(job))
			continue;
		HASH_DEL(rows->tags, tag);
		free(tag);
	}
}

static void make_list(struct rows *rows, const struct book *book, struct moment now, bool calm)
{
	struct item *items = say_calloc(HASH_COUNT(book->jobs) + 1, sizeof(*items));
	size_t count = collect(rows, book, now, items), old_count = rows->count;
	uint64_t *old = rows->ids;

	if (calm)
		keep_places(rows, items, count);
	else
		qsort(items, count, sizeof(*items), compare_items);
	if (rows->list == NULL || count > rows->room) {
		rows->room = count + count / 4 + 16;
		free(rows->list);
		rows->list = say_calloc(rows->room, sizeof(struct book_job *));
	}
	rows->ids = say_calloc(count + 1, sizeof(*rows->ids));
	for (size_t i = 0; i < count; i++) {
		rows->list[i] = items[i].job;
		rows->ids[i] = items[i].job->id;
	}
	rows->count = count;
	place_cursor(rows, old, old_count);
	drop_tags(rows, book);
	rows->version = book->jobs_version;
	rows->made++;
	rows->made_us = now.boot_us;
	rows->changed = false;
	rows->owed = calm;
	free(old);
	free(items);
}

static bool is_calm(const struct rows *rows, struct moment now)
{
	return rows->key_us != 0 && rows->count > 0 && now.boot_us - rows->key_us < ROWS_CALM_US;
}

void rows_update(struct rows *rows, const struct book *book, struct moment now)
{
	bool calm = is_calm(rows, now) && !rows->changed;
	bool timed = filter_is_timed(&rows->words) && now.boot_us - rows->made_us >= ROWS_TIMED_US;

	if (rows->changed || timed || rows->version != book->jobs_version ||
	    (rows->owed && !calm))
		make_list(rows, book, now, calm);
	show_cursor(rows);
}

int rows_set_filter(struct rows *rows, const char *text, char *err, size_t err_size)
{
	int result = filter_parse(&rows->words, text, err, err_size);

	/* The words before stay then, and so does what is shown of them. */
	if (result < 0)
		return result;
	if (strcmp(rows->filter, text) != 0)
		rows->changed = true;
	snprintf(rows->filter, sizeof(rows->filter), "%s", text);
	return 0;
}

void rows_set_sort(struct rows *rows, enum rows_sort sort)
{
	rows->changed |= rows->sort != sort;
	rows->sort = sort;
}

void rows_set_trouble_only(struct rows *rows, bool on)
{
	rows->changed |= rows->trouble_only != on;
	rows->trouble_only = on;
}

/* ---- moving ---- */

struct book_job *rows_current(const struct rows *rows)
{
	return rows->at < rows->count ? rows->list[rows->at] : NULL;
}

void rows_move(struct rows *rows, int by)
{
	size_t at = rows->at, back = by < 0 ? (size_t)-(int64_t)by : 0;

	if (rows->count == 0)
		return;
	if (by < 0)
		at = at > back ? at - back : 0;
	else
		at = rows->count - 1 - at > (size_t)by ? at + (size_t)by : rows->count - 1;
	set_cursor(rows, at);
}

bool rows_go_to(struct rows *rows, const char *key)
{
	size_t at;

	if (!find_key(rows, key, strlen(key) + 1, &at))
		return false;
	set_cursor(rows, at);
	return true;
}

bool rows_go_to_prefix(struct rows *rows, const char *prefix)
{
	size_t at;

	if (!find_key(rows, prefix, strlen(prefix), &at))
		return false;
	set_cursor(rows, at);
	return true;
}

/* ---- tags ---- */

static struct rows_tag *find_tag(const struct rows *rows, const char *key)
{
	struct rows_tag *tag = NULL;

	HASH_FIND_STR(rows->tags, key, tag);
	return tag;
}

void rows_tag(struct rows *rows, const char *key, bool on)
{
	struct rows_tag *tag = find_tag(rows, key);

	if (tag != NULL && !on) {
		HASH_DEL(rows->tags, tag);
		free(tag);
	} else if (tag == NULL && on && strlen(key) < BOOK_KEY_SIZE) {
		tag = say_calloc(1, sizeof(*tag));
		snprintf(tag->key, sizeof(tag->key), "%s", key);
		HASH_ADD_STR(rows->tags, key, tag);
	}
}

bool rows_is_tagged(const struct rows *rows, const char *key)
{
	return find_tag(rows, key) != NULL;
}

void rows_untag_all(struct rows *rows)
{
	struct rows_tag *tag, *next;

	HASH_ITER(hh, rows->tags, tag, next) {
		HASH_DEL(rows->tags, tag);
		free(tag);
	}
}

void rows_tag_all_shown(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		rows_tag(rows, rows->list[i]->key, true);
}

size_t rows_tag_count(const struct rows *rows)
{
	return HASH_COUNT(rows->tags);
}
