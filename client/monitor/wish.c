/*
 * wish.c - what leaves the monitor (monitor.h): a queue of wishes.
 */
#include "client/monitor/monitor.h"

#include "client/say.h"

#include <stdlib.h>

static struct wish *add_wish(struct monitor *m, enum wish_kind kind)
{
	struct wish *wish = say_calloc(1, sizeof(*wish));

	wish->kind = kind;
	*m->wishes_tail = wish;
	m->wishes_tail = &wish->next;
	return wish;
}

uint64_t monitor_order(struct monitor *m, enum carrier carrier, struct order *order)
{
	struct wish *wish = add_wish(m, WISH_ORDER);

	order->tag = ++m->next_tag;
	wish->carrier = carrier;
	wish->order = order;
	wish->tag = order->tag;
	return order->tag;
}

void monitor_stop(struct monitor *m, enum carrier carrier, uint64_t tag)
{
	if (tag == 0)
		return;
	struct wish *wish = add_wish(m, WISH_STOP);
	wish->carrier = carrier;
	wish->tag = tag;
}

void monitor_wish_data(struct monitor *m, enum wish_kind kind, const char *text, char *data,
		       size_t len)
{
	struct wish *wish = add_wish(m, kind);

	wish->text = text != NULL ? say_strdup(text) : NULL;
	wish->data = data;
	wish->len = len;
}

void monitor_wish(struct monitor *m, enum wish_kind kind, const char *text)
{
	monitor_wish_data(m, kind, text, NULL, 0);
}

struct wish *monitor_take_wish(struct monitor *m)
{
	struct wish *wish = m->wishes;

	if (wish == NULL)
		return NULL;
	m->wishes = wish->next;
	if (m->wishes == NULL)
		m->wishes_tail = &m->wishes;
	wish->next = NULL;
	return wish;
}

void wish_free(struct wish *wish)
{
	if (wish == NULL)
		return;
	if (wish->order != NULL)
		order_free(wish->order);
	free(wish->text);
	free(wish->data);
	free(wish);
}
