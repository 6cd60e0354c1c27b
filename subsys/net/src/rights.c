// SPDX-License-Identifier: MIT OR Apache-2.0
// rights.c: capabilities on their way in messages, and circles of sockets that nobody can reach.
//
// A socket that is on its way lies in the queue of a socket, which may be on its way itself: so
// they can keep each other alive. The search (decision 015) knows of each socket how often it is on
// its way. One whose file has more references than that is held by somebody; so is one that is on
// its way oftener than it is found in the queues of those that are not held. What is reached from
// these through queues stays; the queues of the others are emptied.
//
// `flight_lock` stops all that could change the answer: capabilities are counted under it when they
// set out, and leave a queue for somebody's hands only under it (taken or copied). Who holds none
// of these sockets cannot look into their queues.
//
// What is dropped may close a socket whose queue has more to drop (<core/drop.h>).
#include "private.h"

#include <core/drop.h>

static const struct lock_class flight_class = { "sockets on their way", LOCK_RANK_SLEEP_LAST - 17,
                                                false };

static struct mutex flight_lock;
static struct list flying = LIST_INIT(flying); // [flight_lock] struct socket.flight_link
static _Atomic uint32_t flying_count;          // [flight_lock] for writing
static _Atomic uint32_t closes_since;          // how many sockets were closed since the last search

// A search is due when so many closes have come together that each pays for this many sockets.
#define VISITS_PER_CLOSE 16u

void rights_init(void) {
    mutex_init(&flight_lock, &flight_class);
}

// The socket that a capability is for; NULL: another file.
static struct socket *socket_in(const struct capability *capability) {
    return socket_of(capability_file(capability));
}

enum hx_status socket_rights_check(const struct capability *capability) {
    return capability->parent != NULL && socket_in(capability) != NULL ? HX_ERR_ACCESS_DENIED
                                                                       : HX_OK;
}

struct socket_rights *socket_rights_create(uint32_t count) {
    struct socket_rights *rights =
        heap_alloc_zero(sizeof(*rights) + count * sizeof(rights->items[0]), MEMORY_SLEEP);
    if (rights != NULL) {
        rights->count = count;
    }
    return rights;
}

// Whether any of them is a socket.
static bool has_sockets(const struct socket_rights *rights) {
    for (uint32_t i = 0; i < rights->count; i++) {
        if (socket_in(rights->items[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void count_flight(struct socket *socket, bool begins) {
    if (begins && socket->flights++ == 0) {
        list_push_back(&flying, &socket->flight_link);
        atomic_fetch_add_explicit(&flying_count, 1, memory_order_relaxed);
    } else if (!begins && --socket->flights == 0) {
        list_remove(&socket->flight_link);
        atomic_fetch_sub_explicit(&flying_count, 1, memory_order_relaxed);
    }
}

static void count_flights(const struct socket_rights *rights, bool begin) {
    mutex_lock(&flight_lock);
    for (uint32_t i = 0; i < rights->count; i++) {
        struct socket *socket = socket_in(rights->items[i]);
        if (socket != NULL) {
            count_flight(socket, begin);
        }
    }
    mutex_unlock(&flight_lock);
}

void rights_take_off(struct socket_rights *rights) {
    if (has_sockets(rights)) {
        rights->is_flying = true;
        count_flights(rights, true);
    }
}

void rights_land(struct socket_rights *rights) {
    if (rights->is_flying) {
        rights->is_flying = false;
        count_flights(rights, false);
    }
    if (rights->settle != NULL) {
        rights->settle(rights);
        rights->settle = NULL;
    }
}

enum hx_status rights_copy(const struct socket_rights *rights, struct socket_rights **out_copy) {
    struct socket_rights *copy = socket_rights_create(rights->count);
    if (copy == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    mutex_lock(&flight_lock);
    for (uint32_t i = 0; i < rights->count; i++) {
        copy->items[i] = capability_get(rights->items[i]);
    }
    mutex_unlock(&flight_lock);
    *out_copy = copy;
    return HX_OK;
}

// Dropping
// -----------------------------------------------------------------------------------------------

static void rights_free(struct epoch_item *item) {
    struct socket_rights *rights = CONTAINER_OF(item, struct socket_rights, dropped);
    for (uint32_t i = 0; i < rights->count; i++) {
        if (rights->items[i] != NULL) {
            capability_put(rights->items[i]);
        }
    }
    if (rights->settle != NULL) {
        rights->settle(rights);
    }
    heap_free(rights);
}

void socket_rights_put(struct socket_rights *rights) {
    if (rights != NULL) {
        drop(&rights->dropped, rights_free);
    }
}

// The search
// -----------------------------------------------------------------------------------------------

typedef void (*visit_t)(struct socket *socket, struct list *reached);

// Calls for each socket in the messages of a queue.
static void visit_queue(const struct list *queue, visit_t visit, struct list *reached) {
    list_for_each (link, queue) {
        const struct socket_rights *rights = LIST_ENTRY(link, struct message, link)->rights;
        for (uint32_t i = 0; rights != NULL && i < rights->count; i++) {
            struct socket *inside = socket_in(rights->items[i]);
            if (inside != NULL) {
                visit(inside, reached);
            }
        }
    }
}

// The connections that wait at a socket, with references, by `reach_link`: they are not on their
// way themselves.
static void pending_hold(struct socket *socket, struct list *out_held) {
    spin_lock(&socket->lock);
    list_for_each (link, &socket->pending) {
        struct socket *fresh = LIST_ENTRY(link, struct socket, pending_link);
        list_push_back(out_held, &socket_get(fresh)->reach_link);
    }
    spin_unlock(&socket->lock);
}

// Calls for all sockets that can be had through one: by reading, or from connections that wait.
static void visit_inside(struct socket *socket, visit_t visit, struct list *reached) {
    struct list held = LIST_INIT(held);
    spin_lock(&socket->lock);
    visit_queue(&socket->queue, visit, reached);
    spin_unlock(&socket->lock);
    pending_hold(socket, &held);
    struct list *link;
    while ((link = list_pop_front(&held)) != NULL) {
        struct socket *fresh = LIST_ENTRY(link, struct socket, reach_link);
        spin_lock(&fresh->lock);
        visit_queue(&fresh->queue, visit, reached);
        spin_unlock(&fresh->lock);
        socket_put(fresh);
    }
}

static bool is_held(const struct socket *socket) {
    const struct file *file = atomic_load_explicit(&socket->file, memory_order_relaxed);
    return atomic_load_explicit(&file->object.references, memory_order_acquire) != socket->flights;
}

static void explain(struct socket *socket, struct list *reached) {
    (void)reached;
    socket->unexplained--;
}

static void reach(struct socket *socket, struct list *reached) {
    if (!socket->is_reached) {
        socket->is_reached = true;
        list_push_back(reached, &socket->reach_link);
    }
}

// Marks what is held, and what can be had through it.
static void mark_reached(void) {
    struct list reached = LIST_INIT(reached);
    list_for_each (link, &flying) {
        struct socket *socket = LIST_ENTRY(link, struct socket, flight_link);
        socket->is_reached = false;
        socket->unexplained = socket->flights;
    }
    list_for_each (link, &flying) {
        struct socket *socket = LIST_ENTRY(link, struct socket, flight_link);
        if (!is_held(socket)) {
            visit_inside(socket, explain, NULL);
        }
    }
    list_for_each (link, &flying) {
        struct socket *socket = LIST_ENTRY(link, struct socket, flight_link);
        if (is_held(socket) || socket->unexplained != 0) {
            reach(socket, &reached);
        }
    }
    struct list *next;
    while ((next = list_pop_front(&reached)) != NULL) {
        visit_inside(LIST_ENTRY(next, struct socket, reach_link), reach, &reached);
    }
}

static void empty_queue(struct socket *socket, struct list *lost) {
    spin_lock(&socket->lock);
    list_splice_back(lost, &socket->queue);
    socket->bytes = 0;
    if (list_is_empty(&socket->pending)) {
        socket->count = 0;
    }
    spin_unlock(&socket->lock);
}

// Takes the messages out of the queues of a socket that nobody can reach.
static void empty(struct socket *socket, struct list *lost) {
    struct list held = LIST_INIT(held);
    empty_queue(socket, lost);
    pending_hold(socket, &held);
    struct list *link;
    while ((link = list_pop_front(&held)) != NULL) {
        struct socket *fresh = LIST_ENTRY(link, struct socket, reach_link);
        empty_queue(fresh, lost);
        socket_put(fresh);
    }
}

void rights_socket_closed(void) {
    const uint32_t flying_now = atomic_load_explicit(&flying_count, memory_order_relaxed);
    if (flying_now == 0) {
        return;
    }
    const uint32_t closes = atomic_fetch_add_explicit(&closes_since, 1, memory_order_relaxed) + 1;
    if ((uint64_t)closes * VISITS_PER_CLOSE >= flying_now) {
        socket_collect();
    }
}

void socket_collect(void) {
    struct list lost = LIST_INIT(lost);
    mutex_lock(&flight_lock);
    atomic_store_explicit(&closes_since, 0, memory_order_relaxed);
    mark_reached();
    list_for_each (link, &flying) {
        struct socket *socket = LIST_ENTRY(link, struct socket, flight_link);
        if (!socket->is_reached) {
            empty(socket, &lost);
        }
    }
    mutex_unlock(&flight_lock);
    struct list *link;
    while ((link = list_pop_front(&lost)) != NULL) {
        message_free(LIST_ENTRY(link, struct message, link));
    }
}
