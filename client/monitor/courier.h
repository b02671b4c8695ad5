/*
 * courier.h - carries orders to servers and brings answers, in a thread of its own with a session
 * of its own, so that no key ever waits for a network.
 *
 *	loop --courier_send(order)--> [queue] --> thread: session, conn, act --> [mailbox] --> loop
 *
 * A courier does one order at a time, in order. Couriers share nothing but the mailbox.
 *
 * What ORDER_OPEN opened is where the other orders go. When that connection was given up (it broke,
 * or what it followed was stopped) the next order opens the same server again, the same way.
 *
 * Invariants
 * 1. Every order gets at least one letter; its last one has `done`. Only courier_free() leaves
 *    orders without.
 * 2. courier_stop_order() makes an order end soon, whatever it waits for but the lookup of a name,
 *    with EXIT_INTERRUPTED.
 * 3. Couriers handle no signals (but those of a crash) and print nothing: signals and the terminal
 *    are the loop's.
 * 4. No letter of a courier arrives after courier_free() has returned.
 * 5. Of a multi-part answer at most MAILBOX_FULL letters wait: then the courier stops reading.
 */
#ifndef CHIME_CLIENT_MONITOR_COURIER_H
#define CHIME_CLIENT_MONITOR_COURIER_H

#include "client/monitor/mail.h"
#include "client/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct courier;
/* session: ready by session_init, moves to the courier (the struct is copied and emptied). The
 * mailbox must outlive the courier. NULL when there is no thread to be had; the session is then
 * still the caller's. */
struct courier *courier_new(struct session *session, struct mailbox *box);
/* Ends what it does and the thread; waits at most a moment for it, then leaves it behind. Letters
 * that were in the mailbox stay there. NULL is allowed. */
void courier_free(struct courier *courier);

void courier_send(struct courier *courier, struct order *order);
/* Ends the order with this tag, waiting or under way; nothing happens when there is none. One that
 * waited has not been begun. */
void courier_stop_order(struct courier *courier, uint64_t tag);
/* How many orders wait or are under way. */
size_t courier_busy(const struct courier *courier);

#endif
