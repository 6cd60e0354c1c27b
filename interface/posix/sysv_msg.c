// SPDX-License-Identifier: MIT OR Apache-2.0
// sysv_msg.c: what a message queue of System V holds and who waits at it: msgop(2).
//
// A sender gives its message to the first receiver that waits for such a one; who takes a message
// puts those of senders that wait into the queue, as far as there is room. Who is served leaves the
// list under the queue's lock; that is how it knows.
#include "sysv_msg.h"

#include "mqueue.h"

#include <memory/heap.h>

struct waiter {
    struct list link; // [lock] unlinked: it was served
    struct waitable served;
    int32_t pid;
    enum hx_status status;           // [lock] how it was served
    struct msg_item *item;           // [lock] a sender's own, or what a receiver is given
    const struct msg_wanted *wanted; // a receiver's
};

void msg_item_put(struct msg_item *item) {
    if (atomic_fetch_sub_explicit(&item->references, 1, memory_order_acq_rel) == 1) {
        mqueue_message_free(item->body);
        heap_free(item);
    }
}

// What a queue has ------------------------------------------------------------------------------

static int64_t pages_for(uint64_t cost) {
    return (int64_t)(ALIGN_UP(cost, (uint64_t)PAGE_SIZE) / PAGE_SIZE);
}

static bool has_room_locked(const struct msg_queue *queue, uint64_t length) {
    return length <= queue->bytes_max && queue->bytes <= queue->bytes_max - length &&
           queue->count < queue->bytes_max;
}

static enum hx_status insert_locked(struct msg_queue *queue, struct msg_item *item) {
    const int64_t more = pages_for(queue->cost + item->cost) - queue->pages;
    if (more > 0 && account_charge(queue->entry.account, ACCOUNT_FRAMES, more) != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    queue->pages += MAX_OF(more, 0);
    queue->cost += item->cost;
    queue->bytes += item->length;
    queue->count++;
    list_push_back(&queue->messages, &item->link);
    return HX_OK;
}

static void remove_locked(struct msg_queue *queue, struct msg_item *item) {
    list_remove(&item->link);
    queue->count--;
    queue->bytes -= item->length;
    queue->cost -= item->cost;
    const int64_t fewer = queue->pages - pages_for(queue->cost);
    account_release(queue->entry.account, ACCOUNT_FRAMES, fewer);
    queue->pages -= fewer;
}

static bool is_wanted(const struct msg_item *item, const struct msg_wanted *wanted) {
    switch (wanted->search) {
    case MSG_OF_TYPE:
        return item->type == wanted->type;
    case MSG_OF_OTHER_TYPE:
        return item->type != wanted->type;
    case MSG_UP_TO_TYPE:
        return item->type <= wanted->type;
    default:
        return true;
    }
}

static struct msg_item *find_locked(const struct msg_queue *queue,
                                    const struct msg_wanted *wanted) {
    struct msg_item *found = NULL;
    int64_t place = 0;
    list_for_each (link, &queue->messages) {
        struct msg_item *item = LIST_ENTRY(link, struct msg_item, link);
        if (wanted->search == MSG_BY_PLACE) {
            if (place++ == wanted->type) {
                return item;
            }
        } else if (wanted->search == MSG_UP_TO_TYPE) {
            const bool is_lower = found == NULL || item->type < found->type;
            found = is_wanted(item, wanted) && is_lower ? item : found;
        } else if (is_wanted(item, wanted)) {
            return item;
        }
    }
    return found;
}

// Waiting ----------------------------------------------------------------------------------------

static void wait_begin_locked(struct list *waiters, struct waiter *waiter) {
    waitable_init(&waiter->served, 0);
    list_push_back(waiters, &waiter->link);
}

// It may be gone as soon as the lock is free.
static void serve_locked(struct waiter *waiter, enum hx_status status) {
    list_remove(&waiter->link);
    waiter->status = status;
    waitable_update(&waiter->served, 0, WAIT_SIGNALED);
}

static void serve_all_locked(struct list *waiters, enum hx_status status) {
    while (!list_is_empty(waiters)) {
        serve_locked(LIST_ENTRY(waiters->next, struct waiter, link), status);
    }
}

// Until it was served. After this nobody refers to the waiter.
static enum hx_status wait_end(struct msg_queue *queue, struct waiter *waiter) {
    const enum hx_status status =
        wait_one(&waiter->served, WAIT_SIGNALED, TIME_NEVER, WAIT_INTERRUPTIBLE);
    spin_lock(&queue->lock);
    const bool was_served = !list_is_linked(&waiter->link);
    list_remove(&waiter->link);
    spin_unlock(&queue->lock);
    return was_served ? waiter->status : status;
}

// Gives the item to the first one that wants it. False: nobody does.
static bool hand_over_locked(struct msg_queue *queue, struct msg_item *item, int64_t now) {
    list_for_each_safe (link, &queue->receivers) {
        struct waiter *waiter = LIST_ENTRY(link, struct waiter, link);
        if (!is_wanted(item, waiter->wanted)) {
            continue;
        }
        if (waiter->wanted->room < item->length && !waiter->wanted->is_cut) {
            serve_locked(waiter, HX_ERR_TOO_BIG);
            continue;
        }
        queue->receiver = waiter->pid;
        queue->received_at = now;
        waiter->item = item;
        serve_locked(waiter, HX_OK);
        return true;
    }
    return false;
}

// HX_ERR_WOULD_BLOCK: there is no room.
static enum hx_status put_locked(struct msg_queue *queue, struct msg_item *item, int32_t pid,
                                 int64_t now) {
    if (!has_room_locked(queue, item->length)) {
        return HX_ERR_WOULD_BLOCK;
    }
    const enum hx_status status =
        hand_over_locked(queue, item, now) ? HX_OK : insert_locked(queue, item);
    if (status == HX_OK) {
        queue->sender = pid;
        queue->sent_at = now;
    }
    return status;
}

enum hx_status msg_queue_send(struct msg_queue *queue, struct msg_item *item, bool waits) {
    struct waiter waiter = { .pid = ipc_caller(), .item = item };
    const int64_t now = ipc_now();
    enum hx_status status = HX_ERR_REVOKED;
    spin_lock(&queue->lock);
    if (!queue->is_removed) {
        status = put_locked(queue, item, waiter.pid, now);
    }
    const bool must_wait = status == HX_ERR_WOULD_BLOCK && waits;
    if (must_wait) {
        wait_begin_locked(&queue->senders, &waiter);
    }
    spin_unlock(&queue->lock);
    return must_wait ? wait_end(queue, &waiter) : status;
}

static void let_senders_go_on_locked(struct msg_queue *queue, int64_t now) {
    list_for_each_safe (link, &queue->senders) {
        struct waiter *waiter = LIST_ENTRY(link, struct waiter, link);
        const enum hx_status status = put_locked(queue, waiter->item, waiter->pid, now);
        if (status != HX_ERR_WOULD_BLOCK) {
            serve_locked(waiter, status);
        }
    }
}

// HX_ERR_NOT_FOUND, HX_ERR_TOO_BIG.
static enum hx_status take_locked(struct msg_queue *queue, const struct msg_wanted *wanted,
                                  int32_t pid, int64_t now, struct msg_item **out_item) {
    struct msg_item *item = find_locked(queue, wanted);
    if (item == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    if (wanted->room < item->length && !wanted->is_cut) {
        return HX_ERR_TOO_BIG;
    }
    *out_item = item;
    if (wanted->search == MSG_BY_PLACE) {
        atomic_fetch_add_explicit(&item->references, 1, memory_order_relaxed);
        return HX_OK;
    }
    remove_locked(queue, item);
    queue->receiver = pid;
    queue->received_at = now;
    let_senders_go_on_locked(queue, now);
    return HX_OK;
}

enum hx_status msg_queue_receive(struct msg_queue *queue, const struct msg_wanted *wanted,
                                 bool waits, struct msg_item **out_item) {
    struct waiter waiter = { .pid = ipc_caller(), .wanted = wanted };
    const int64_t now = ipc_now();
    enum hx_status status = HX_ERR_REVOKED;
    spin_lock(&queue->lock);
    if (!queue->is_removed) {
        status = take_locked(queue, wanted, waiter.pid, now, out_item);
    }
    const bool must_wait = status == HX_ERR_NOT_FOUND && waits;
    if (must_wait) {
        wait_begin_locked(&queue->receivers, &waiter);
    }
    spin_unlock(&queue->lock);
    if (must_wait) {
        status = wait_end(queue, &waiter);
        if (status == HX_OK) {
            *out_item = waiter.item;
        }
    }
    return status;
}

void msg_queue_changed_locked(struct msg_queue *queue) {
    serve_all_locked(&queue->receivers, HX_ERR_BUSY);
    serve_all_locked(&queue->senders, HX_ERR_BUSY);
}

void msg_queue_end(struct msg_queue *queue) {
    struct list gone = LIST_INIT(gone);
    spin_lock(&queue->lock);
    queue->is_removed = true;
    serve_all_locked(&queue->receivers, HX_ERR_REVOKED);
    serve_all_locked(&queue->senders, HX_ERR_REVOKED);
    while (!list_is_empty(&queue->messages)) {
        struct msg_item *item = LIST_ENTRY(queue->messages.next, struct msg_item, link);
        remove_locked(queue, item);
        list_push_back(&gone, &item->link);
    }
    spin_unlock(&queue->lock);
    list_for_each_safe (link, &gone) {
        msg_item_put(LIST_ENTRY(link, struct msg_item, link));
    }
}
