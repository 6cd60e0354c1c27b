// SPDX-License-Identifier: MIT OR Apache-2.0
// mqueue.c: what a message queue holds and who waits at it: mq_overview(7), mq_notify(3).
//
// Whoever waits stands in a list of the queue, by the priority of the thread. A sender gives its
// message to the first receiver that waits; who takes a message from a full queue puts that of the
// first sender that waits into its place. So what waited first is served first, and nobody who came
// later is faster. Who is served leaves the list under the queue's lock; that is how it knows.
#include "mqueue.h"

#include "life.h"
#include "signals.h"

#include <core/thread.h>
#include <lib/string.h>
#include <memory/account.h>
#include <memory/heap.h>

// What Linux counts beside the bytes: a header for each message, a node for each priority in use.
#define COUNTED_PER_MESSAGE  48u
#define COUNTED_PER_PRIORITY 48u

// Who asked is told under it: outside of the locks of pids and of signals.
static const struct lock_class mqueue_class = { .name = "message queue",
                                                .rank = LOCK_RANK_SIGNAL - 6 };

struct waiter {
    struct list link; // [lock] unlinked: it was served
    struct waitable woken;
    int32_t rank;
    struct mqueue_message *message; // [lock] a sender's own, or what a receiver is given
};

// Messages ---------------------------------------------------------------------------------------

static bool comes_before(const struct rbnode *a, const struct rbnode *b) {
    return RB_ENTRY(a, struct mqueue_message, node)->priority >
           RB_ENTRY(b, struct mqueue_message, node)->priority;
}

static void update_locked(struct mqueue *queue) {
    const uint32_t levels = (queue->count != 0 ? WAIT_READABLE : 0) |
                            (queue->count < queue->size.messages ? WAIT_WRITABLE : 0);
    waitable_update(&queue->waitable, WAIT_READABLE | WAIT_WRITABLE, levels);
}

static void insert_locked(struct mqueue *queue, struct mqueue_message *message) {
    rbtree_insert(&queue->messages, &message->node);
    queue->count++;
    queue->bytes += message->length;
}

// The next one, which is taken out; NULL: there is none.
static struct mqueue_message *remove_locked(struct mqueue *queue) {
    struct rbnode *first = rbtree_first(&queue->messages);
    if (first == NULL) {
        return NULL;
    }
    struct mqueue_message *message = RB_ENTRY(first, struct mqueue_message, node);
    rbtree_remove(&queue->messages, first);
    queue->count--;
    queue->bytes -= message->length;
    return message;
}

// Queues -----------------------------------------------------------------------------------------

// As Linux counts them for RLIMIT_MSGQUEUE. The largest sizes that there are do not overflow.
static uint64_t counted_bytes(struct mqueue_size size) {
    return size.messages * (size.message_bytes + COUNTED_PER_MESSAGE) +
           MIN_OF(size.messages, (uint64_t)MQUEUE_PRIORITIES) * COUNTED_PER_PRIORITY;
}

// That the account pays for.
static int64_t paid_frames(struct mqueue_size size) {
    const uint64_t bytes = size.messages * mqueue_message_cost(size.message_bytes);
    return (int64_t)(ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE);
}

static bool count_for(struct posix_user *user, uint64_t bytes) {
    const uint64_t limit = posix_limit(posix_current(), RLIMIT_MSGQUEUE);
    const uint64_t before =
        atomic_fetch_add_explicit(&user->queue_bytes, bytes, memory_order_relaxed);
    if (before <= limit && bytes <= limit - before) {
        return true;
    }
    atomic_fetch_sub_explicit(&user->queue_bytes, bytes, memory_order_relaxed);
    return false;
}

enum hx_status mqueue_create(struct mqueue_size size, struct mqueue **out_queue) {
    const uint64_t bytes = counted_bytes(size);
    struct account *account = account_current();
    struct posix_user *user = posix_user_of(posix_current());
    enum hx_status status = HX_ERR_NO_MEMORY;
    if (!count_for(user, bytes)) {
        status = HX_ERR_TABLE_FULL;
        goto fail_count;
    }
    if (account_charge(account, ACCOUNT_FRAMES, paid_frames(size)) != HX_OK) {
        goto fail_charge;
    }
    struct mqueue *queue = heap_alloc_zero(sizeof(*queue), MEMORY_SLEEP);
    if (queue == NULL) {
        goto fail_alloc;
    }
    spinlock_init(&queue->lock, &mqueue_class);
    queue->size = size;
    rbtree_init(&queue->messages, comes_before, NULL);
    list_init(&queue->receivers);
    list_init(&queue->senders);
    waitable_init(&queue->waitable, WAIT_WRITABLE);
    queue->user = user;
    object_get(&account->object);
    queue->account = account;
    *out_queue = queue;
    return HX_OK;
fail_alloc:
    account_release(account, ACCOUNT_FRAMES, paid_frames(size));
fail_charge:
    atomic_fetch_sub_explicit(&user->queue_bytes, bytes, memory_order_relaxed);
fail_count:
    posix_user_put(user);
    return status;
}

void mqueue_destroy(struct mqueue *queue) {
    struct mqueue_message *message;
    while ((message = remove_locked(queue)) != NULL) {
        mqueue_message_free(message);
    }
    atomic_fetch_sub_explicit(&queue->user->queue_bytes, counted_bytes(queue->size),
                              memory_order_relaxed);
    posix_user_put(queue->user);
    account_release(queue->account, ACCOUNT_FRAMES, paid_frames(queue->size));
    object_put(&queue->account->object);
    heap_free(queue);
}

void mqueue_tally(struct mqueue *queue, struct tally *tally) {
    if (tally_meet(tally, &queue->tally)) {
        tally->pages += (uint64_t)paid_frames(queue->size);
    }
}

// Notices ----------------------------------------------------------------------------------------

static bool is_of_locked(const struct mqueue_notice *notice, const struct posix_process *process) {
    return notice->pid != 0 && notice->process == process->process->id;
}

static void process_drop(struct posix_process *process) {
    if (process != NULL) {
        process_put(process->process);
    }
}

enum hx_status mqueue_notice_set(struct mqueue *queue, int32_t kind, int32_t number,
                                 uint64_t value) {
    struct posix_process *process = posix_current();
    struct mqueue_notice notice = {
        .kind = kind,
        .number = number,
        .value = value,
        .pid = process->pid,
        .process = process->process->id,
    };
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    notice.programs = process->programs;
    spin_unlock_irq(&process->signal_lock, irq);
    spin_lock(&queue->lock);
    // Who ended without closing the queue, as its descriptors are another's too, is not told.
    struct posix_process *owner =
        queue->notice.pid != 0 ? posix_process_find(queue->notice.pid) : NULL;
    const bool is_free = owner == NULL || !is_of_locked(&queue->notice, owner) ||
                         (waitable_state(&owner->exited) & WAIT_SIGNALED) != 0;
    if (is_free) {
        queue->notice = notice;
    }
    spin_unlock(&queue->lock);
    process_drop(owner);
    return is_free ? HX_OK : HX_ERR_BUSY;
}

void mqueue_notice_end(struct mqueue *queue) {
    const struct posix_process *process = posix_current();
    spin_lock(&queue->lock);
    if (process != NULL && is_of_locked(&queue->notice, process)) {
        queue->notice.pid = 0;
    }
    spin_unlock(&queue->lock);
}

// Who asked to be told may be told by anybody who may send; what it has executed since, which may
// be somebody else's by its set-user bit, has not asked. Whoever finds the message finds the signal
// sent. Gives the process that was found, or NULL; its reference is dropped without the lock.
static struct posix_process *tell_locked(const struct mqueue_notice *notice) {
    if (notice->pid == 0 || notice->kind != SIGEV_SIGNAL || notice->number == 0) {
        return NULL;
    }
    struct posix_process *process = posix_process_find(notice->pid);
    if (process == NULL || !is_of_locked(notice, process)) {
        return process;
    }
    struct posix_siginfo info = siginfo_user(notice->number, SI_MESGQ);
    info.value = notice->value;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    if (process->programs == notice->programs) {
        // Without must_queue there is nothing that can fail.
        HX_IGNORE(signal_send_locked(process, NULL, notice->number, &info, NULL, false));
    }
    spin_unlock_irq(&process->signal_lock, irq);
    return process;
}

// Waiting ----------------------------------------------------------------------------------------

// Real-time threads by priority, then the others by nice value.
static int32_t rank_of_current(void) {
    const struct sched_params *params = &thread_current()->sched.params;
    const bool is_real_time =
        params->sched_class == SCHED_CLASS_FIFO || params->sched_class == SCHED_CLASS_ROUND_ROBIN;
    return is_real_time ? 100 + (int32_t)params->priority : -params->nice;
}

// Behind all of its rank.
static void wait_begin_locked(struct list *waiters, struct waiter *waiter,
                              struct mqueue_message *message) {
    waitable_init(&waiter->woken, 0);
    waiter->rank = rank_of_current();
    waiter->message = message;
    struct list *position = waiters->next;
    while (position != waiters && LIST_ENTRY(position, struct waiter, link)->rank >= waiter->rank) {
        position = position->next;
    }
    list_insert_before(position, &waiter->link);
}

// Until it was served. After this nobody refers to the waiter.
static enum hx_status wait_end(struct mqueue *queue, struct waiter *waiter, time_ns_t deadline) {
    const enum hx_status status =
        wait_one(&waiter->woken, WAIT_SIGNALED, deadline, WAIT_INTERRUPTIBLE);
    spin_lock(&queue->lock);
    const bool was_served = !list_is_linked(&waiter->link);
    list_remove(&waiter->link);
    spin_unlock(&queue->lock);
    return was_served ? HX_OK : status;
}

// The first one, which is served: it may be gone as soon as the lock is free. NULL: nobody waits.
static struct waiter *serve_locked(struct list *waiters) {
    struct list *link = list_pop_front(waiters);
    if (link == NULL) {
        return NULL;
    }
    struct waiter *waiter = LIST_ENTRY(link, struct waiter, link);
    waitable_update(&waiter->woken, 0, WAIT_SIGNALED);
    return waiter;
}

// Whoever asked and is told is in *out_told, if anybody: put without the lock.
static void put_locked(struct mqueue *queue, struct mqueue_message *message,
                       struct posix_process **out_told) {
    struct waiter *receiver = serve_locked(&queue->receivers);
    if (receiver != NULL) {
        receiver->message = message;
        return;
    }
    insert_locked(queue, message);
    if (queue->count == 1) {
        *out_told = tell_locked(&queue->notice);
        queue->notice.pid = 0;
    }
    update_locked(queue);
}

enum hx_status mqueue_send(struct mqueue *queue, struct mqueue_message *message, bool waits,
                           time_ns_t deadline) {
    struct waiter waiter;
    struct posix_process *told = NULL;
    spin_lock(&queue->lock);
    const bool is_full = queue->count == queue->size.messages;
    if (!is_full) {
        put_locked(queue, message, &told);
    } else if (waits) {
        wait_begin_locked(&queue->senders, &waiter, message);
    }
    spin_unlock(&queue->lock);
    process_drop(told);
    if (!is_full) {
        return HX_OK;
    }
    return waits ? wait_end(queue, &waiter, deadline) : HX_ERR_WOULD_BLOCK;
}

static struct mqueue_message *take_locked(struct mqueue *queue) {
    struct mqueue_message *message = remove_locked(queue);
    if (message != NULL) {
        const struct waiter *sender = serve_locked(&queue->senders);
        if (sender != NULL) {
            insert_locked(queue, sender->message);
        }
        update_locked(queue);
    }
    return message;
}

enum hx_status mqueue_receive(struct mqueue *queue, bool waits, time_ns_t deadline,
                              struct mqueue_message **out_message) {
    struct waiter waiter;
    enum hx_status status = HX_OK;
    spin_lock(&queue->lock);
    struct mqueue_message *message = take_locked(queue);
    const bool is_empty = message == NULL;
    if (is_empty && waits) {
        wait_begin_locked(&queue->receivers, &waiter, NULL);
    }
    spin_unlock(&queue->lock);
    if (is_empty) {
        status = waits ? wait_end(queue, &waiter, deadline) : HX_ERR_WOULD_BLOCK;
        message = status == HX_OK ? waiter.message : NULL;
    }
    if (status == HX_OK) {
        *out_message = message;
    }
    return status;
}
