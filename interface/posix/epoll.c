// SPDX-License-Identifier: MIT OR Apache-2.0
// epoll.c: epoll(7): an interest list whose ready part is kept up to date by observers.
//
// Each interest observes its file's waitable. A change puts the interest on the ready list; a wait
// takes it off, looks whether it is really ready, and tells it; a level-triggered one that is still
// ready goes back on. An interest does not keep its file: the last reference to the file takes it
// out of all lists (epoll_released()). Nor does it keep the derived capability under which it
// watches: the last reference to that does the same, and a revocation, which tells all observers of
// the object, is told once as an error and a hang-up.
// Locks: `mutex` guards the interests of one epoll; `epolls_lock` the list of all epolls, for files
// that go; the spin lock `ready_lock` guards the ready list and comes inside a waitable's lock. The
// epoll's own waitable is of a class that may be taken in there too. An epoll may watch an epoll
// that watches none itself: two levels, and ELOOP beyond.
#include "descriptor.h"
#include "times.h"

#include <core/time.h>
#include <lib/rbtree.h>
#include <memory/heap.h>

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

#define EPOLLEXCLUSIVE  (1u << 28)
#define EPOLLWAKEUP     (1u << 29)
#define EPOLLONESHOT    (1u << 30)
#define EPOLLET         (1u << 31)
#define EPOLL_BEHAVIOUR (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)

#define EPOLL_WAIT_MAX (INT32_MAX / 12)
#define EVENTS_AT_ONCE 32u
#define SIGSET_BYTES   8u
#define NS_PER_MS      1000000ll

struct epoll {
    struct mutex mutex;
    struct rbtree interests; // [mutex] struct interest.node, by file, number and capability
    struct list all_link;    // [epolls_lock]
    struct spinlock ready_lock;
    struct list ready;         // [ready_lock] struct interest.ready_link
    uint32_t level;            // [epolls_lock] 0: watches no epoll
    _Atomic uint32_t watchers; // interests in it
    struct waitable waitable;
};

struct interest {
    struct rbnode node;
    struct observer observer;
    struct list ready_link; // [ready_lock]
    struct epoll *epoll;
    struct file *file;              // not kept
    const struct capability *under; // not kept; NULL: the file's own, which goes with it
    int32_t fd;
    uint32_t events; // [epoll mutex] 0 after a ONESHOT was told
    uint64_t data;   // [epoll mutex]
};

// Inside an address space's lock, under which the last reference to a file may go.
static const struct lock_class epolls_class = { .name = "epolls",
                                                .rank = LOCK_RANK_SLEEP_LAST - 15 };
// One that is watched inside of the one that watches it.
static const struct lock_class epoll_class = { .name = "epoll",
                                               .rank = LOCK_RANK_SLEEP_LAST - 13,
                                               .nest = true };
// Of `ready_lock` and of the waitable. They nest: an epoll's two inside those of one that it
// watches. There is no circle, as nobody watches an epoll that watches others.
static const struct lock_class ready_class = { .name = "epoll ready",
                                               .rank = LOCK_RANK_WAITABLE + 1,
                                               .nest = true };

static struct mutex epolls_lock;
static struct list epolls = LIST_INIT(epolls); // [epolls_lock] struct epoll.all_link

static const struct file_ops epoll_ops;

void epoll_init(void) {
    mutex_init(&epolls_lock, &epolls_class);
}

static bool is_below(const struct interest *interest, const struct file *file, int32_t fd,
                     const struct capability *under) {
    if (interest->file != file) {
        return (uintptr_t)interest->file < (uintptr_t)file;
    }
    return interest->fd != fd ? interest->fd < fd : (uintptr_t)interest->under < (uintptr_t)under;
}

static bool interest_less(const struct rbnode *a, const struct rbnode *b) {
    const struct interest *second = RB_ENTRY(b, const struct interest, node);
    return is_below(RB_ENTRY(a, const struct interest, node), second->file, second->fd,
                    second->under);
}

// The first interest in `file` from this number and capability on; NULL if there is none.
static struct interest *interest_find_locked(struct epoll *epoll, const struct file *file,
                                             int32_t fd, const struct capability *under) {
    struct rbnode *node = epoll->interests.root;
    struct interest *best = NULL;
    while (node != NULL) {
        struct interest *interest = RB_ENTRY(node, struct interest, node);
        if (is_below(interest, file, fd, under)) {
            node = node->right;
        } else {
            best = interest;
            node = node->left;
        }
    }
    return best != NULL && best->file == file ? best : NULL;
}

// Under what a descriptor is watched; NULL: its file's own capability.
static const struct capability *under_of(const struct descriptor *target) {
    return target->capability->parent != NULL ? target->capability : NULL;
}

static struct interest *interest_exact_locked(struct epoll *epoll, const struct descriptor *target,
                                              int32_t fd) {
    const struct capability *under = under_of(target);
    struct interest *interest = interest_find_locked(epoll, target->file, fd, under);
    return interest != NULL && interest->fd == fd && interest->under == under ? interest : NULL;
}

// Puts an interest on the ready list and says that the epoll is readable. Any context.
static void make_ready(struct interest *interest) {
    struct epoll *epoll = interest->epoll;
    const unsigned long state = spin_lock_irq(&epoll->ready_lock);
    if (!list_is_linked(&interest->ready_link)) {
        list_push_back(&epoll->ready, &interest->ready_link);
    }
    waitable_update(&epoll->waitable, 0, WAIT_READABLE);
    spin_unlock_irq(&epoll->ready_lock, state);
}

static void leave_ready(struct interest *interest) {
    struct epoll *epoll = interest->epoll;
    const unsigned long state = spin_lock_irq(&epoll->ready_lock);
    list_remove(&interest->ready_link);
    if (list_is_empty(&epoll->ready)) {
        waitable_update(&epoll->waitable, WAIT_READABLE, 0);
    }
    spin_unlock_irq(&epoll->ready_lock, state);
}

static bool is_revoked(const struct interest *interest) {
    return interest->under != NULL && !capability_is_live(interest->under);
}

// Closed everywhere, and about to leave the lists.
static bool is_closed(const struct interest *interest) {
    return interest->under != NULL && !capability_is_kept(interest->under);
}

// The file changed. Whether it matters is seen when it is told; a disarmed interest stays off.
static void notified(struct observer *observer, uint32_t state) {
    struct interest *interest = CONTAINER_OF(observer, struct interest, observer);
    const volatile uint32_t *events = &interest->events;
    if ((state & poll_mask(*events)) != 0 || is_revoked(interest)) {
        make_ready(interest);
    }
}

static uint32_t ready_events(struct interest *interest) {
    if (is_closed(interest)) {
        return 0;
    }
    if (is_revoked(interest)) {
        return LINUX_POLLERR | LINUX_POLLHUP; // also of one that was disarmed
    }
    return interest->events != 0 ? poll_events(interest->file, interest->events) : 0;
}

static void interest_remove_locked(struct interest *interest) {
    struct epoll *epoll = interest->epoll;
    observer_detach(&interest->observer);
    if (interest->file->ops == &epoll_ops) {
        struct epoll *watched = interest->file->data;
        atomic_fetch_sub_explicit(&watched->watchers, 1, memory_order_relaxed);
    }
    leave_ready(interest);
    rbtree_remove(&epoll->interests, &interest->node);
    heap_free(interest);
}

// The first of a file, or of those under a capability.
static struct interest *interest_of_locked(struct epoll *epoll, const struct file *file,
                                           const struct capability *under) {
    struct interest *interest = interest_find_locked(epoll, file, 0, NULL);
    while (under != NULL && interest != NULL && interest->under != under) {
        struct rbnode *next = rbtree_next(&interest->node);
        interest = next != NULL ? RB_ENTRY(next, struct interest, node) : NULL;
        interest = interest != NULL && interest->file == file ? interest : NULL;
    }
    return interest;
}

void epoll_released(struct file *file, const struct capability *dropped) {
    mutex_lock(&epolls_lock);
    list_for_each (link, &epolls) {
        struct epoll *epoll = LIST_ENTRY(link, struct epoll, all_link);
        mutex_lock(&epoll->mutex);
        struct interest *interest;
        while ((interest = interest_of_locked(epoll, file, dropped)) != NULL) {
            interest_remove_locked(interest);
        }
        mutex_unlock(&epoll->mutex);
    }
    mutex_unlock(&epolls_lock);
}

static struct waitable *epoll_waitable(struct file *file) {
    struct epoll *epoll = file->data;
    return &epoll->waitable;
}

// Takes the first one of the ready list off and leaves the level as it is; NULL: there is none.
static struct interest *unlink_first(struct epoll *epoll) {
    const unsigned long state = spin_lock_irq(&epoll->ready_lock);
    struct list *link = list_pop_front(&epoll->ready);
    spin_unlock_irq(&epoll->ready_lock, state);
    return link != NULL ? LIST_ENTRY(link, struct interest, ready_link) : NULL;
}

// Puts it back, if it is not there again, and the level right. NULL: the level alone.
static void relink_first(struct epoll *epoll, struct interest *interest) {
    const unsigned long state = spin_lock_irq(&epoll->ready_lock);
    if (interest != NULL && !list_is_linked(&interest->ready_link)) {
        list_push_front(&epoll->ready, &interest->ready_link);
    }
    if (list_is_empty(&epoll->ready)) {
        waitable_update(&epoll->waitable, WAIT_READABLE, 0);
    }
    spin_unlock_irq(&epoll->ready_lock, state);
}

// What is on the ready list was ready once: who looks from outside learns whether it is. Whoever
// watches is not told of it, so that no edge comes of a look.
static uint32_t epoll_ready(const struct file *file) {
    struct epoll *epoll = file->data;
    struct interest *interest;
    mutex_lock(&epoll->mutex);
    do {
        interest = unlink_first(epoll);
    } while (interest != NULL && ready_events(interest) == 0);
    relink_first(epoll, interest);
    mutex_unlock(&epoll->mutex);
    return interest != NULL ? WAIT_READABLE : 0;
}

static void epoll_release(struct file *file) {
    struct epoll *epoll = file->data;
    mutex_lock(&epolls_lock);
    list_remove(&epoll->all_link);
    mutex_lock(&epoll->mutex);
    struct rbnode *node;
    while ((node = rbtree_first(&epoll->interests)) != NULL) {
        interest_remove_locked(RB_ENTRY(node, struct interest, node));
    }
    mutex_unlock(&epoll->mutex);
    mutex_unlock(&epolls_lock); // not earlier: a file that goes must find the interests or none
    heap_free(epoll);
}

static const struct file_ops epoll_ops = {
    .name = "anon_inode:[eventpoll]",
    .waitable = epoll_waitable,
    .ready = epoll_ready,
    .release = epoll_release,
};

static enum hx_status make_epoll(struct call *call, uint32_t flags) {
    if ((flags & ~O_CLOEXEC) != 0) {
        return HX_ERR_INVALID;
    }
    struct epoll *epoll = heap_alloc_zero(sizeof(*epoll), MEMORY_SLEEP);
    if (epoll == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    mutex_init(&epoll->mutex, &epoll_class);
    rbtree_init(&epoll->interests, interest_less, NULL);
    spinlock_init(&epoll->ready_lock, &ready_class);
    list_init(&epoll->ready);
    waitable_init(&epoll->waitable, 0);
    epoll->waitable.lock.lock_class = &ready_class;
    struct file *file = file_create(&epoll_ops, FILE_READ | FILE_WRITE, epoll);
    if (file == NULL) {
        heap_free(epoll);
        return HX_ERR_NO_MEMORY;
    }
    mutex_lock(&epolls_lock);
    list_push_back(&epolls, &epoll->all_link);
    mutex_unlock(&epolls_lock);
    return call_add_file(call, file, (flags & O_CLOEXEC) != 0);
}

enum hx_status sys_epoll_create1(struct call *call) {
    return make_epoll(call, call_uint(call, 0));
}

enum hx_status sys_epoll_create(struct call *call) {
    return call_int(call, 0) <= 0 ? HX_ERR_INVALID : make_epoll(call, 0);
}

// An epoll that is to watch an epoll goes up a level, if the other one is on the lowest and nobody
// watches the first, or a circle could close. Needs epolls_lock.
static enum hx_status check_level(struct epoll *epoll, const struct file *file) {
    if (file->ops != &epoll_ops) {
        return HX_OK;
    }
    struct epoll *watched = file->data;
    if (watched->level != 0 || atomic_load_explicit(&epoll->watchers, memory_order_relaxed) != 0) {
        return HX_ERR_TOO_MANY_LINKS;
    }
    epoll->level = 1;
    return HX_OK;
}

static enum hx_status interest_add_locked(struct epoll *epoll, const struct descriptor *target,
                                          int32_t fd, const struct linux_epoll_event *event) {
    struct file *file = target->file;
    if (interest_exact_locked(epoll, target, fd) != NULL) {
        return HX_ERR_EXISTS;
    }
    enum hx_status status = check_level(epoll, file);
    if (status != HX_OK) {
        return status;
    }
    struct interest *interest = heap_alloc_zero(sizeof(*interest), MEMORY_SLEEP);
    if (interest == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    interest->epoll = epoll;
    interest->file = file;
    interest->under = under_of(target);
    interest->fd = fd;
    interest->events = event->events | LINUX_POLLERR | LINUX_POLLHUP;
    interest->data = event->data;
    interest->observer.notify = notified;
    list_init(&interest->observer.link);
    list_init(&interest->ready_link);
    rbtree_insert(&epoll->interests, &interest->node);
    if (file->ops == &epoll_ops) {
        struct epoll *watched = file->data;
        atomic_fetch_add_explicit(&watched->watchers, 1, memory_order_relaxed);
    }
    atomic_fetch_or_explicit(&file->flags, FILE_WATCHED, memory_order_relaxed);
    observer_attach(&interest->observer, file->ops->waitable(file));
    if (ready_events(interest) != 0) {
        make_ready(interest);
    }
    return HX_OK;
}

static enum hx_status control_locked(struct epoll *epoll, int32_t operation,
                                     const struct descriptor *target, int32_t fd,
                                     const struct linux_epoll_event *event) {
    if (operation == EPOLL_CTL_ADD) {
        return interest_add_locked(epoll, target, fd, event);
    }
    struct interest *interest = interest_exact_locked(epoll, target, fd);
    if (interest == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    if (operation == EPOLL_CTL_DEL) {
        interest_remove_locked(interest);
        return HX_OK;
    }
    if ((interest->events & EPOLLEXCLUSIVE) != 0) {
        return HX_ERR_INVALID;
    }
    interest->data = event->data;
    interest->events = event->events | LINUX_POLLERR | LINUX_POLLHUP;
    if (ready_events(interest) != 0) {
        make_ready(interest);
    }
    return HX_OK;
}

static enum hx_status control_one(struct epoll *epoll, int32_t operation,
                                  const struct descriptor *target, int32_t fd,
                                  const struct linux_epoll_event *event) {
    mutex_lock(&epoll->mutex);
    enum hx_status status = control_locked(epoll, operation, target, fd, event);
    mutex_unlock(&epoll->mutex);
    return status;
}

// EPOLLEXCLUSIVE is for additions alone, not for another epoll, and goes with few bits
// (epoll_ctl(2)).
static bool exclusive_is_valid(int32_t operation, const struct file *file, uint32_t events) {
    const uint32_t with = LINUX_POLLIN | LINUX_POLLOUT | LINUX_POLLERR | LINUX_POLLHUP |
                          EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
    return (events & EPOLLEXCLUSIVE) == 0 || operation == EPOLL_CTL_DEL ||
           (operation == EPOLL_CTL_ADD && file->ops != &epoll_ops && (events & ~with) == 0);
}

static enum hx_status control_files(struct call *call, struct file *epoll_file,
                                    const struct descriptor *target) {
    const int32_t operation = call_int(call, 1);
    const struct file *file = target->file;
    struct linux_epoll_event event = { 0 };
    if (operation != EPOLL_CTL_DEL) {
        enum hx_status status = copy_from_user(&event, call_address(call, 3), sizeof(event));
        if (status != HX_OK) {
            return status;
        }
    }
    if (file->ops->waitable == NULL) {
        return HX_ERR_NOT_PERMITTED; // always ready: nothing to wait for
    }
    if (epoll_file->ops != &epoll_ops || file == epoll_file || operation < EPOLL_CTL_ADD ||
        operation > EPOLL_CTL_MOD || !exclusive_is_valid(operation, file, event.events)) {
        return HX_ERR_INVALID;
    }
    if (file->ops != &epoll_ops) {
        return control_one(epoll_file->data, operation, target, call_int(call, 2), &event);
    }
    mutex_lock(&epolls_lock); // levels must not change in between
    enum hx_status status =
        control_one(epoll_file->data, operation, target, call_int(call, 2), &event);
    mutex_unlock(&epolls_lock);
    return status;
}

enum hx_status sys_epoll_ctl(struct call *call) {
    struct descriptor epoll;
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_WRITE, &epoll);
    if (status != HX_OK) {
        return status;
    }
    struct descriptor target;
    status = descriptor_get(call, call_int(call, 2), HX_RIGHT_WAIT, &target);
    if (status == HX_OK) {
        status = control_files(call, epoll.file, &target);
        descriptor_put(&target);
    }
    descriptor_put(&epoll);
    return status;
}

// The next interest of the ready list that was not in the list's part `again` yet.
static struct interest *pop_ready(struct epoll *epoll) {
    const unsigned long state = spin_lock_irq(&epoll->ready_lock);
    struct list *link = list_pop_front(&epoll->ready);
    if (list_is_empty(&epoll->ready)) {
        waitable_update(&epoll->waitable, WAIT_READABLE, 0);
    }
    spin_unlock_irq(&epoll->ready_lock, state);
    return link != NULL ? LIST_ENTRY(link, struct interest, ready_link) : NULL;
}

static uint32_t ready_count(struct epoll *epoll) {
    uint32_t count = 0;
    const unsigned long state = spin_lock_irq(&epoll->ready_lock);
    list_for_each (link, &epoll->ready) {
        count++;
    }
    spin_unlock_irq(&epoll->ready_lock, state);
    return count;
}

// Tells one interest, if it is ready; keeps level-triggered ones on the list.
static bool tell(struct interest *interest, struct linux_epoll_event *out_event) {
    uint32_t ready = ready_events(interest);
    // Asked last: what was seen before a revocation is not told after it.
    const bool ends = is_revoked(interest) && !is_closed(interest);
    if (ends) {
        ready = LINUX_POLLERR | LINUX_POLLHUP;
    }
    if (ready == 0) {
        return false;
    }
    *out_event = (struct linux_epoll_event){ .events = ready, .data = interest->data };
    if (ends) {
        interest_remove_locked(interest);
    } else if ((interest->events & EPOLLONESHOT) != 0) {
        interest->events = 0;
    } else if ((interest->events & EPOLLET) == 0) {
        make_ready(interest);
    }
    return true;
}

// Takes up to `capacity` events of the next `*left` that may be ready.
static uint32_t collect(struct epoll *epoll, struct linux_epoll_event *out_events,
                        uint32_t capacity, uint32_t *left) {
    uint32_t count = 0;
    mutex_lock(&epoll->mutex);
    for (; *left != 0 && count < capacity; (*left)--) {
        struct interest *interest = pop_ready(epoll);
        if (interest == NULL) {
            *left = 0;
            break;
        }
        count += tell(interest, &out_events[count]) ? 1 : 0;
    }
    mutex_unlock(&epoll->mutex);
    return count;
}

// Gives the caller what is ready, up to `capacity`. Each interest is looked at once: one that stays
// ready is on the list again, behind the others.
static enum hx_status tell_all(struct call *call, struct epoll *epoll, uint32_t capacity,
                               uint32_t *out_told) {
    struct linux_epoll_event events[EVENTS_AT_ONCE];
    uint32_t left = ready_count(epoll);
    uint32_t told = 0;
    while (left != 0 && told < capacity) {
        const uint32_t count =
            collect(epoll, events, MIN_OF(capacity - told, EVENTS_AT_ONCE), &left);
        const struct uaddr to = uaddr_make(call->args[1] + told * sizeof(events[0]));
        const enum hx_status status = copy_to_user(to, events, count * sizeof(events[0]));
        if (status != HX_OK && told == 0) {
            return status;
        }
        if (status != HX_OK) {
            break; // what was told before counts
        }
        told += count;
    }
    *out_told = told;
    return HX_OK;
}

static enum hx_status wait_events(struct call *call, struct epoll *epoll, uint32_t capacity,
                                  time_ns_t deadline) {
    for (;;) {
        uint32_t told = 0;
        enum hx_status status = tell_all(call, epoll, capacity, &told);
        if (status != HX_OK || told != 0 || deadline == 0) {
            return status == HX_OK ? call_ok(call, told) : status;
        }
        status = wait_one(&epoll->waitable, WAIT_READABLE, deadline, WAIT_INTERRUPTIBLE);
        if (status == HX_ERR_TIMED_OUT) {
            deadline = 0; // a last look
        } else if (status != HX_OK) {
            return status;
        }
    }
}

static enum hx_status do_wait(struct call *call, time_ns_t deadline) {
    const int32_t capacity = call_int(call, 2);
    if (capacity <= 0 || capacity > EPOLL_WAIT_MAX) {
        return HX_ERR_INVALID;
    }
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_WAIT, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    if (descriptor.file->ops != &epoll_ops) {
        status = HX_ERR_INVALID;
    } else {
        status = wait_events(call, descriptor.file->data, (uint32_t)capacity, deadline);
    }
    descriptor_put(&descriptor);
    return status;
}

static time_ns_t deadline_from_ms(int32_t timeout_ms) {
    return timeout_ms < 0 ? TIME_NEVER : timeout_ms == 0 ? 0 : time_after(timeout_ms * NS_PER_MS);
}

enum hx_status sys_epoll_wait(struct call *call) {
    return do_wait(call, deadline_from_ms(call_int(call, 3)));
}

static enum hx_status wait_masked(struct call *call, time_ns_t deadline) {
    if (uaddr_is_null(call_address(call, 4))) {
        return do_wait(call, deadline);
    }
    uint64_t mask;
    if (call->args[5] != SIGSET_BYTES) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = copy_from_user(&mask, call_address(call, 4), sizeof(mask));
    if (status == HX_OK) {
        posix_mask_swap(call->thread, mask);
        status = do_wait(call, deadline);
        posix_mask_restore(call->thread);
    }
    return status;
}

enum hx_status sys_epoll_pwait(struct call *call) {
    return wait_masked(call, deadline_from_ms(call_int(call, 3)));
}

enum hx_status sys_epoll_pwait2(struct call *call) {
    time_ns_t deadline = TIME_NEVER;
    if (!uaddr_is_null(call_address(call, 3))) {
        struct timespec_user user;
        time_ns_t span;
        enum hx_status status = copy_from_user(&user, call_address(call, 3), sizeof(user));
        if (status == HX_OK) {
            status = ns_from_timespec(&user, &span);
        }
        if (status != HX_OK) {
            return status;
        }
        deadline = span == 0 ? 0 : time_after(span);
    }
    return wait_masked(call, deadline);
}
