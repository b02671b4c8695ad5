/*
 * mail.c - see mail.h.
 */
#include "client/monitor/mail.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ASK_US = 5 * 1000000, ACT_US = 30 * 1000000 };

struct mailbox {
	pthread_mutex_t lock;
	int fd;
	struct letter *first, **end;
	size_t count;
};

/* ---- orders and letters ------------------------------------------------------------------ */

struct order *order_new(enum order_kind kind, uint64_t tag)
{
	struct order *order = say_calloc(1, sizeof(*order));

	order->kind = kind;
	order->tag = tag;
	order->timeout_us = kind == ORDER_ACT ? ACT_US : ASK_US;
	return order;
}

static void add_text(char ***list, size_t *count, const char *text)
{
	*list = say_realloc(*list, *count + 1, sizeof(char *));
	(*list)[(*count)++] = say_strdup(text);
}

void order_add_address(struct order *order, const char *address)
{
	add_text(&order->address, &order->address_count, address);
}

void order_add_target(struct order *order, const char *target)
{
	add_text(&order->target, &order->target_count, target);
}

void order_set_request(struct order *order, const Chime__Request *request)
{
	free(order->request);
	order->request_len = chime__request__get_packed_size(request);
	order->request = say_calloc(1, order->request_len);
	chime__request__pack(request, order->request);
}

static void free_texts(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

void order_free(struct order *order)
{
	if (order == NULL)
		return;
	free(order->server);
	free_texts(order->address, order->address_count);
	free(order->request);
	free(order->reason);
	free_texts(order->target, order->target_count);
	free(order);
}

struct letter *letter_new(const struct order *order, bool done)
{
	struct letter *letter = say_calloc(1, sizeof(*letter));

	letter->tag = order->tag;
	letter->kind = order->kind;
	letter->done = done;
	return letter;
}

void letter_free(struct letter *letter)
{
	if (letter == NULL)
		return;
	conn_reply_free(letter->reply);
	effects_fini(&letter->effects);
	free(letter->server);
	free(letter->where);
	free(letter->address);
	free(letter->environment);
	free(letter->you);
	free(letter->role);
	free(letter);
}

/* ---- the mailbox ------------------------------------------------------------------------- */

static void raise_fd(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n;	/* full = readable already */
}

static void lower_fd(int fd)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));

	(void)n;	/* empty = not readable already */
}

struct mailbox *mailbox_new(void)
{
	struct mailbox *box = say_calloc(1, sizeof(*box));

	box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (box->fd < 0) {
		free(box);
		return NULL;
	}
	pthread_mutex_init(&box->lock, NULL);
	box->end = &box->first;
	return box;
}

void mailbox_free(struct mailbox *box)
{
	struct letter *letter;

	if (box == NULL)
		return;
	while ((letter = mailbox_take(box)) != NULL)
		letter_free(letter);
	pthread_mutex_destroy(&box->lock);
	close(box->fd);
	free(box);
}

int mailbox_fd(const struct mailbox *box)
{
	return box->fd;
}

void mailbox_put(struct mailbox *box, struct letter *letter)
{
	pthread_mutex_lock(&box->lock);
	letter->next = NULL;
	*box->end = letter;
	box->end = &letter->next;
	box->count++;
	raise_fd(box->fd);
	pthread_mutex_unlock(&box->lock);
}

struct letter *mailbox_take(struct mailbox *box)
{
	pthread_mutex_lock(&box->lock);
	struct letter *letter = box->first;
	if (letter != NULL) {
		box->first = letter->next;
		letter->next = NULL;
		box->count--;
	}
	if (box->first == NULL) {
		box->end = &box->first;
		lower_fd(box->fd);
	}
	pthread_mutex_unlock(&box->lock);
	return letter;
}

bool mailbox_is_full(struct mailbox *box)
{
	pthread_mutex_lock(&box->lock);
	bool full = box->count >= MAILBOX_FULL;
	pthread_mutex_unlock(&box->lock);
	return full;
}
