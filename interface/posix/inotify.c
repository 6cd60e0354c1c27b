// SPDX-License-Identifier: MIT OR Apache-2.0
// inotify.c: events of files that are read: inotify(7).
//
// An instance has watches (<vfs/watch.h>), each with a number, and a queue of events. All of it is
// guarded by watches_lock, under which events are told. A watch whose inode has gone, or that was
// for one event, is freed by who told of that; all others end with a call here, or with the
// instance.
//
// Whose account made the instance pays for the memory of its watches and events, by the page.
#include "descriptor.h"
#include "life.h"

#include <lib/rbtree.h>
#include <lib/string.h>
#include <memory/account.h>
#include <memory/heap.h>
#include <memory/tally.h>
#include <memory/usercopy.h>
#include <vfs/watch.h>

#define IN_Q_OVERFLOW  0x00004000u
#define IN_IGNORED     0x00008000u
#define IN_ONLYDIR     0x01000000u
#define IN_DONT_FOLLOW 0x02000000u
#define IN_EXCL_UNLINK 0x04000000u
#define IN_MASK_CREATE 0x10000000u
#define IN_MASK_ADD    0x20000000u
#define IN_ONESHOT     0x80000000u

#define ALL_BITS                                                                                   \
    (WATCH_EVENTS | WATCH_UNMOUNT | WATCH_DIRECTORY | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR |    \
     IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ONESHOT)

#define WANT_READ 4u // of inode_permission()

#define FIONREAD 0x541bu

struct event {
    struct list link;
    int32_t number; // of the watch
    uint32_t mask, cookie;
    uint32_t name_bytes; // with its end, and up to a multiple of EVENT_ALIGN
    char name[];
};
#define EVENT_ALIGN  16u
#define HEADER_BYTES 16u

struct inotify {
    struct rbtree watches;   // [watches_lock] struct mark.of_instance, by number
    int32_t last_number;     // [watches_lock]
    struct list events;      // [watches_lock] struct event.link
    uint32_t queued;         // [watches_lock] how many
    uint32_t bytes;          // [watches_lock] that a read of all would give
    struct event *overflow;  // own; [watches_lock] in the queue once at most
    struct posix_user *user; // keeps; who made it
    struct account *account; // keeps; who pays
    uint32_t used;           // [watches_lock] bytes of watches and events
    _Atomic uint32_t pages;  // [watches_lock for writing] that are paid for
    struct tally_mark tally;
    struct waitable waitable;
};

struct mark {
    struct inode_watch watch;
    struct rbnode of_instance; // [watches_lock]
    struct inotify *instance;
    struct posix_user *user; // keeps; who counts it
    int32_t number;
    uint32_t flags; // [watches_lock] IN_ONESHOT, IN_EXCL_UNLINK
};

static struct mark *mark_of(struct inode_watch *watch) {
    return CONTAINER_OF(watch, struct mark, watch);
}

// Memory -----------------------------------------------------------------------------------------

static uint32_t pages_of(uint32_t bytes) {
    return (uint32_t)(ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE);
}

// False: the account is full.
static bool pay_locked(struct inotify *self, size_t bytes) REQUIRES(watches_lock) {
    const uint32_t paid = atomic_load_explicit(&self->pages, memory_order_relaxed);
    const uint32_t needed = pages_of(self->used + (uint32_t)bytes);
    if (needed > paid) {
        if (account_charge(self->account, ACCOUNT_FRAMES, needed - paid) != HX_OK) {
            return false;
        }
        atomic_store_explicit(&self->pages, needed, memory_order_relaxed);
    }
    self->used += (uint32_t)bytes;
    return true;
}

static void give_back_locked(struct inotify *self, size_t bytes) REQUIRES(watches_lock) {
    const uint32_t paid = atomic_load_explicit(&self->pages, memory_order_relaxed);
    self->used -= (uint32_t)bytes;
    const uint32_t needed = pages_of(self->used);
    if (needed < paid) {
        account_release(self->account, ACCOUNT_FRAMES, paid - needed);
        atomic_store_explicit(&self->pages, needed, memory_order_relaxed);
    }
}

// The queue --------------------------------------------------------------------------------------

static uint32_t bytes_of(const struct event *event) {
    return HEADER_BYTES + event->name_bytes;
}

// NULL: the queue, the account or the memory is full.
static struct event *event_create_locked(struct inotify *self, uint32_t name_bytes)
    REQUIRES(watches_lock) {
    const size_t bytes = sizeof(struct event) + name_bytes;
    if (self->queued >= INOTIFY_EVENTS_MAX || !pay_locked(self, bytes)) {
        return NULL;
    }
    struct event *event = heap_alloc_zero(bytes, MEMORY_ATOMIC);
    if (event == NULL) {
        give_back_locked(self, bytes);
        return NULL;
    }
    list_init(&event->link);
    event->name_bytes = name_bytes;
    return event;
}

static void queue_locked(struct inotify *self, struct event *event) REQUIRES(watches_lock) {
    list_push_back(&self->events, &event->link);
    self->queued++;
    self->bytes += bytes_of(event);
    waitable_update(&self->waitable, 0, WAIT_READABLE);
}

// Events are lost: they are too many, or there is no memory.
static void overflow_locked(struct inotify *self) REQUIRES(watches_lock) {
    if (!list_is_linked(&self->overflow->link)) {
        queue_locked(self, self->overflow);
    }
}

static bool is_same(const struct event *last, int32_t number, uint32_t mask, struct fs_name name) {
    return last->number == number && last->mask == mask && mask != IN_IGNORED &&
           (name.length == 0 ? last->name_bytes == 0
                             : last->name_bytes > name.length && last->name[name.length] == '\0' &&
                                   memcmp(last->name, name.text, name.length) == 0);
}

// What is the same as the last one that was not read is told once.
static void add_locked(struct inotify *self, int32_t number, uint32_t mask, uint32_t cookie,
                       struct fs_name name) REQUIRES(watches_lock) {
    if (!list_is_empty(&self->events) &&
        is_same(LIST_ENTRY(self->events.previous, struct event, link), number, mask, name)) {
        return;
    }
    const uint32_t name_bytes =
        name.length == 0 ? 0 : (uint32_t)ALIGN_UP(name.length + 1, EVENT_ALIGN);
    struct event *event = event_create_locked(self, name_bytes);
    if (event == NULL) {
        overflow_locked(self);
        return;
    }
    event->number = number;
    event->mask = mask;
    event->cookie = cookie;
    memcpy(event->name, name.text, name.length);
    queue_locked(self, event);
}

static struct event *first_locked(struct inotify *self) REQUIRES(watches_lock) {
    return list_is_empty(&self->events) ? NULL : LIST_ENTRY(self->events.next, struct event, link);
}

static void unqueue_locked(struct inotify *self, struct event *event) REQUIRES(watches_lock) {
    list_remove(&event->link);
    self->queued--;
    self->bytes -= bytes_of(event);
    if (event != self->overflow) {
        give_back_locked(self, sizeof(*event) + event->name_bytes);
    }
    if (self->queued == 0) {
        waitable_update(&self->waitable, WAIT_READABLE, 0);
    }
}

static void event_free(struct inotify *self, struct event *event) {
    if (event != self->overflow) {
        heap_free(event);
    }
}

// Watches ----------------------------------------------------------------------------------------

// It is not the instance's any more, and says so.
static void leave_locked(struct mark *mark) REQUIRES(watches_lock) {
    rbtree_remove(&mark->instance->watches, &mark->of_instance);
    give_back_locked(mark->instance, sizeof(*mark));
    add_locked(mark->instance, mark->number, IN_IGNORED, 0, (struct fs_name){ "", 0 });
}

static bool happened(struct inode_watch *watch, uint32_t what, uint32_t cookie, struct fs_name name,
                     struct list *told) REQUIRES(watches_lock) {
    struct mark *mark = mark_of(watch);
    (void)told;
    if ((what & WATCH_UNLINKED) != 0 && (mark->flags & IN_EXCL_UNLINK) != 0) {
        return true;
    }
    what &= ~WATCH_UNLINKED;
    if ((what & WATCH_MOVE_SELF) != 0) {
        what &= ~WATCH_DIRECTORY; // as Linux has it
    }
    add_locked(mark->instance, mark->number, what, cookie, name);
    if ((mark->flags & IN_ONESHOT) == 0) {
        return true;
    }
    leave_locked(mark);
    return false;
}

static void gone(struct inode_watch *watch, uint32_t what) REQUIRES(watches_lock) {
    struct mark *mark = mark_of(watch);
    if (what == WATCH_UNMOUNT || (watch->events & what) != 0) {
        add_locked(mark->instance, mark->number, what, 0, (struct fs_name){ "", 0 });
    }
    leave_locked(mark);
}

// Its instance may be gone by now, too.
static void freed(struct inode_watch *watch) {
    struct mark *mark = mark_of(watch);
    atomic_fetch_sub_explicit(&mark->user->watches, 1, memory_order_relaxed);
    posix_user_put(mark->user);
    heap_free(mark);
}

// Ends one that is the instance's. The inode goes without the lock.
static void end(struct mark *mark) {
    inode_put(mark->watch.inode);
    freed(&mark->watch);
}

static bool mark_less(const struct rbnode *a, const struct rbnode *b) {
    return RB_ENTRY(a, struct mark, of_instance)->number <
           RB_ENTRY(b, struct mark, of_instance)->number;
}

static struct mark *find_number_locked(const struct inotify *self, int32_t number)
    REQUIRES(watches_lock) {
    const struct rbnode *node = self->watches.root;
    while (node != NULL) {
        struct mark *mark = RB_ENTRY(node, struct mark, of_instance);
        if (mark->number == number) {
            return mark;
        }
        node = number < mark->number ? node->left : node->right;
    }
    return NULL;
}

static struct mark *find_inode_locked(const struct inotify *self, const struct inode *inode)
    REQUIRES(watches_lock) {
    list_for_each (link, &inode->watches) {
        struct inode_watch *watch = LIST_ENTRY(link, struct inode_watch, link);
        if (watch->happened == happened && mark_of(watch)->instance == self) {
            return mark_of(watch);
        }
    }
    return NULL;
}

static struct mark *mark_create(struct inotify *self) {
    struct mark *mark = heap_alloc_zero(sizeof(*mark), MEMORY_SLEEP);
    if (mark != NULL) {
        mark->watch.happened = happened;
        mark->watch.gone = gone;
        mark->watch.freed = freed;
        mark->instance = self;
        mark->user = posix_user_hold(self->user);
        atomic_fetch_add_explicit(&self->user->watches, 1, memory_order_relaxed);
    }
    return mark;
}

// The number of the watch on the inode, which is changed, or begins with `fresh`. HX_ERR_EXISTS;
// HX_ERR_NO_SPACE: there are no more numbers; HX_ERR_NO_MEMORY: the account is full.
static enum hx_status mark_locked(struct inotify *self, struct inode *inode, uint32_t mask,
                                  struct mark **inout_fresh, int32_t *out_number)
    REQUIRES(watches_lock) {
    struct mark *mark = find_inode_locked(self, inode);
    if (mark != NULL && (mask & IN_MASK_CREATE) != 0) {
        return HX_ERR_EXISTS;
    }
    const bool is_fresh = mark == NULL;
    if (is_fresh) {
        if (self->last_number == INT32_MAX) {
            return HX_ERR_NO_SPACE;
        }
        if (!pay_locked(self, sizeof(*mark))) {
            return HX_ERR_NO_MEMORY;
        }
        mark = *inout_fresh;
        *inout_fresh = NULL;
        mark->number = ++self->last_number;
        rbtree_insert_last(&self->watches, rbtree_last(&self->watches), &mark->of_instance);
        watch_begin_locked(&mark->watch, inode);
    }
    const bool adds = (mask & IN_MASK_ADD) != 0;
    mark->flags = (adds ? mark->flags : 0) | (mask & (IN_ONESHOT | IN_EXCL_UNLINK));
    watch_change_locked(&mark->watch, (adds ? mark->watch.events : 0) | (mask & WATCH_EVENTS));
    *out_number = mark->number;
    return HX_OK;
}

// Files ------------------------------------------------------------------------------------------

// The next event, if it has room. HX_ERR_WOULD_BLOCK: none; HX_ERR_INVALID: no room.
static enum hx_status take(struct inotify *self, size_t room, struct event **out_event) {
    enum hx_status status = HX_OK;
    spin_lock(&watches_lock);
    struct event *event = first_locked(self);
    if (event == NULL) {
        status = HX_ERR_WOULD_BLOCK;
    } else if (bytes_of(event) > room) {
        status = HX_ERR_INVALID;
    } else {
        unqueue_locked(self, event);
    }
    spin_unlock(&watches_lock);
    *out_event = event;
    return status;
}

static enum hx_status give(const struct event *event, struct io_buffer *to, size_t *out_moved) {
    const uint32_t header[] = { (uint32_t)event->number, event->mask, event->cookie,
                                event->name_bytes };
    size_t named = 0;
    _Static_assert(sizeof(header) == HEADER_BYTES, "struct inotify_event");
    enum hx_status status = io_buffer_put(to, header, sizeof(header), out_moved);
    if (status == HX_OK && event->name_bytes != 0) {
        status = io_buffer_put(to, event->name, event->name_bytes, &named);
    }
    *out_moved += named;
    return status;
}

static enum hx_status inotify_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                   size_t *out_moved) {
    (void)offset;
    struct inotify *self = file->data;
    enum hx_status status = HX_OK;
    while (status == HX_OK) {
        const uint32_t sequence = waitable_sequence(&self->waitable);
        struct event *event;
        status = take(self, to->remaining, &event);
        if (status == HX_OK) {
            size_t moved = 0;
            status = give(event, to, &moved);
            event_free(self, event);
            *out_moved += status == HX_OK ? moved : 0;
        } else if (status == HX_ERR_WOULD_BLOCK && *out_moved == 0 &&
                   (file_flags(file) & FILE_NONBLOCK) == 0) {
            status = wait_change(&self->waitable, sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
        }
    }
    return *out_moved != 0 ? HX_OK : status;
}

static struct waitable *inotify_waitable(struct file *file) {
    struct inotify *self = file->data;
    return &self->waitable;
}

static enum hx_status inotify_control(struct file *file, uint64_t request, uint64_t argument,
                                      int64_t *out_result) {
    struct inotify *self = file->data;
    *out_result = 0;
    if (request != FIONREAD) {
        return HX_ERR_NOT_TTY;
    }
    spin_lock(&watches_lock);
    const int32_t bytes = (int32_t)self->bytes;
    spin_unlock(&watches_lock);
    return copy_to_user(uaddr_make(argument), &bytes, sizeof(bytes));
}

// One of the watches, which is the instance's no more; NULL: there is none.
static struct mark *any_mark_take(struct inotify *self) {
    struct mark *mark = NULL;
    spin_lock(&watches_lock);
    if (self->watches.root != NULL) {
        mark = RB_ENTRY(self->watches.root, struct mark, of_instance);
        rbtree_remove(&self->watches, &mark->of_instance);
        give_back_locked(self, sizeof(*mark));
        watch_end_locked(&mark->watch);
    }
    spin_unlock(&watches_lock);
    return mark;
}

// NULL is allowed.
static void instance_free(struct inotify *self) {
    if (self != NULL) {
        object_put(&self->account->object);
        heap_free(self->overflow);
        heap_free(self);
    }
}

static void inotify_release(struct file *file) {
    struct inotify *self = file->data;
    struct mark *mark;
    struct event *event;
    while ((mark = any_mark_take(self)) != NULL) {
        end(mark);
    }
    while (take(self, SIZE_MAX, &event) == HX_OK) { // nobody adds one any more
        event_free(self, event);
    }
    atomic_fetch_sub_explicit(&self->user->instances, 1, memory_order_relaxed);
    posix_user_put(self->user);
    instance_free(self);
}

static void inotify_tally(struct file *file, struct tally *tally) {
    struct inotify *self = file->data;
    if (tally_meet(tally, &self->tally)) {
        tally->pages += atomic_load_explicit(&self->pages, memory_order_relaxed);
    }
}

static const struct file_ops inotify_ops = {
    .name = "anon_inode:inotify",
    .read = inotify_read,
    .waitable = inotify_waitable,
    .control = inotify_control,
    .tally = inotify_tally,
    .release = inotify_release,
};

// Calls ------------------------------------------------------------------------------------------

// Counts one more of a user's. False: he has as many as he may.
static bool count_one(_Atomic int32_t *count, int32_t most) {
    if (atomic_fetch_add_explicit(count, 1, memory_order_relaxed) < most) {
        return true;
    }
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
    return false;
}

static struct inotify *instance_create(struct posix_user *user) {
    struct inotify *self = heap_alloc_zero(sizeof(*self), MEMORY_SLEEP);
    struct event *overflow = heap_alloc_zero(sizeof(*overflow), MEMORY_SLEEP);
    if (self == NULL || overflow == NULL) {
        heap_free(self);
        heap_free(overflow);
        self = NULL;
    } else {
        rbtree_init(&self->watches, mark_less, NULL);
        self->account = account_current();
        object_get(&self->account->object);
        list_init(&self->events);
        self->overflow = overflow;
        list_init(&self->overflow->link);
        self->overflow->number = -1;
        self->overflow->mask = IN_Q_OVERFLOW;
        self->user = user;
        waitable_init(&self->waitable, 0);
    }
    return self;
}

static enum hx_status inotify_init(struct call *call, uint32_t flags) {
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return HX_ERR_INVALID;
    }
    struct posix_user *user = posix_user_of(call->process);
    if (!count_one(&user->instances, INOTIFY_INSTANCES_MAX)) {
        posix_user_put(user);
        return HX_ERR_TABLE_FULL;
    }
    struct inotify *self = instance_create(user);
    const uint32_t nonblock = (flags & O_NONBLOCK) != 0 ? FILE_NONBLOCK : 0;
    struct file *file = self != NULL ? file_create(&inotify_ops, FILE_READ | nonblock, self) : NULL;
    if (file == NULL) {
        instance_free(self);
        atomic_fetch_sub_explicit(&user->instances, 1, memory_order_relaxed);
        posix_user_put(user);
        return HX_ERR_NO_MEMORY;
    }
    return call_add_file(call, file, (flags & O_CLOEXEC) != 0);
}

enum hx_status sys_inotify_init1(struct call *call) {
    return inotify_init(call, call_uint(call, 0));
}

enum hx_status sys_inotify_init(struct call *call) {
    return inotify_init(call, 0);
}

// To change what it watches. HX_ERR_BAD_HANDLE; HX_ERR_ACCESS_DENIED; HX_ERR_INVALID: it is none.
static enum hx_status inotify_get(struct call *call, struct descriptor *out_descriptor) {
    const enum hx_status status =
        descriptor_get(call, call_int(call, 0), HX_RIGHT_ADMIN, out_descriptor);
    if (status == HX_OK && out_descriptor->file->ops != &inotify_ops) {
        descriptor_put(out_descriptor);
        return HX_ERR_INVALID;
    }
    return status;
}

static enum hx_status watch_inode(struct call *call, struct inotify *self, struct inode *inode,
                                  uint32_t mask) {
    int32_t number = 0;
    struct credentials *credentials = posix_credentials(call->process);
    enum hx_status status = inode_permission(inode, credentials, WANT_READ);
    credentials_put(credentials);
    if (status != HX_OK) {
        return status;
    }
    struct mark *fresh = mark_create(self);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const bool is_too_many =
        atomic_load_explicit(&self->user->watches, memory_order_relaxed) > INOTIFY_WATCHES_MAX;
    spin_lock(&watches_lock);
    status = is_too_many && find_inode_locked(self, inode) == NULL
                 ? HX_ERR_NO_SPACE
                 : mark_locked(self, inode, mask, &fresh, &number);
    spin_unlock(&watches_lock);
    if (fresh != NULL) {
        freed(&fresh->watch);
    }
    return status == HX_OK ? call_ok(call, number) : status;
}

enum hx_status sys_inotify_add_watch(struct call *call) {
    const uint32_t mask = call_uint(call, 2);
    struct descriptor descriptor;
    struct path path;
    if (mask == 0 || (mask & ~ALL_BITS) != 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_ADMIN, &descriptor);
    if (status == HX_OK &&
        (descriptor.file->ops != &inotify_ops ||
         (mask & (IN_MASK_ADD | IN_MASK_CREATE)) == (IN_MASK_ADD | IN_MASK_CREATE))) {
        descriptor_put(&descriptor);
        status = HX_ERR_INVALID;
    }
    if (status != HX_OK) {
        return status;
    }
    const uint32_t flags = ((mask & IN_DONT_FOLLOW) == 0 ? LOOKUP_FOLLOW : 0) |
                           ((mask & IN_ONLYDIR) != 0 ? LOOKUP_DIRECTORY : 0);
    status = user_path_find(call, AT_FDCWD, call_address(call, 1), flags, &path);
    if (status == HX_OK) {
        status = watch_inode(call, descriptor.file->data, path_inode(path), mask);
        path_put(path);
    }
    descriptor_put(&descriptor);
    return status;
}

enum hx_status sys_inotify_rm_watch(struct call *call) {
    struct descriptor descriptor;
    const enum hx_status status = inotify_get(call, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    struct inotify *self = descriptor.file->data;
    spin_lock(&watches_lock);
    struct mark *mark = find_number_locked(self, call_int(call, 1));
    if (mark != NULL) {
        leave_locked(mark);
        watch_end_locked(&mark->watch);
    }
    spin_unlock(&watches_lock);
    if (mark != NULL) {
        end(mark);
    }
    descriptor_put(&descriptor);
    return mark != NULL ? HX_OK : HX_ERR_INVALID;
}
