#include "daemon/inbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void inbox_init(struct inbox *inbox)
{
	*inbox = (struct inbox){ 0 };
	inbox->tail = &inbox->head;
}

void inbox_fini(struct inbox *inbox)
{
	struct inbox_item *item;

	while ((item = inbox_take(inbox)))
		inbox_item_free(item);
}

struct inbox_item *inbox_item_new(enum inbox_kind kind, const void *data, size_t len)
{
	struct inbox_item *item = calloc(1, sizeof(*item));

	assert(item);
	item->kind = kind;
	item->fd = -1;
	if (data) {
		/* One byte more, so that text can be read as a C string. */
		item->data = malloc(len + 1);
		assert(item->data);
		memcpy(item->data, data, len);
		item->data[len] = 0;
		item->len = len;
	}
	return item;
}

void inbox_item_free(struct inbox_item *item)
{
	if (!item)
		return;
	if (item->fd >= 0)
		close(item->fd);
	free(item->data);
	free(item);
}

int inbox_put(struct inbox *inbox, struct inbox_item *item)
{
	if (item->kind == INBOX_DATAGRAM) {
		if (inbox->datagrams >= INBOX_DATAGRAMS_MAX) {
			inbox->dropped_datagrams++;
			inbox_item_free(item);
			return -ENOBUFS;
		}
		inbox->datagrams++;
	}
	if (item->kind == INBOX_REQUEST) {
		if (inbox->requests >= INBOX_REQUESTS_MAX)
			return -EAGAIN;
		inbox->requests++;
	}
	item->next = NULL;
	*inbox->tail = item;
	inbox->tail = &item->next;
	return 0;
}

struct inbox_item *inbox_take(struct inbox *inbox)
{
	struct inbox_item *item = inbox->head;

	if (!item)
		return NULL;
	inbox->head = item->next;
	if (!inbox->head)
		inbox->tail = &inbox->head;
	if (item->kind == INBOX_DATAGRAM)
		inbox->datagrams--;
	if (item->kind == INBOX_REQUEST)
		inbox->requests--;
	return item;
}
