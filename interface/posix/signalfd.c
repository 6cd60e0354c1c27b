// SPDX-License-Identifier: MIT OR Apache-2.0
// signalfd.c: signals that are read: signalfd(2).
//
// A read takes what is pending for the thread that reads, or for its process; so it depends on who
// looks whether there is anything. A process watches a file from when it first reads it or waits
// for it, until one of the two ends: a signal of the file's set that comes to one that watches
// raises the file's level, and who looks and finds nothing of his own lowers it again.
// Lock: `watches_lock`, inside of a process's signal_lock, guards who watches what, and the sets.
#include "descriptor.h"
#include "signals.h"

#include <lib/string.h>
#include <memory/heap.h>
#include <memory/usercopy.h>

#define SIGSET_BYTES 8u

struct signalfd {
    uint64_t set;        // [watches_lock]
    struct list watches; // [watches_lock] struct signal_watch.of_file
    struct waitable waitable;
};

struct signal_watch {
    struct list of_file, of_process; // [watches_lock]
    struct signalfd *file;
    struct posix_process *process;
};

// struct signalfd_siginfo.
struct signalfd_record {
    uint32_t number;
    int32_t error, code;
    uint32_t pid, uid;
    int32_t fd;
    uint32_t timer, band, overrun, trap;
    int32_t status, value;
    uint64_t pointer, user_ticks, system_ticks, address;
    uint8_t zero[48];
};
_Static_assert(sizeof(struct signalfd_record) == 128, "as programs have it");

static const struct lock_class watches_class = { .name = "signal watches",
                                                 .rank = LOCK_RANK_SIGNAL + 1 };
static struct spinlock watches_lock = SPINLOCK_INIT(&watches_class);

// Who watches ------------------------------------------------------------------------------------

static bool is_watched_locked(const struct signalfd *self, const struct posix_process *process) {
    list_for_each (link, &process->signal_watches) {
        if (LIST_ENTRY(link, struct signal_watch, of_process)->file == self) {
            return true;
        }
    }
    return false;
}

static bool is_watched(const struct signalfd *self, const struct posix_process *process) {
    const unsigned long irq = spin_lock_irq(&watches_lock);
    const bool is = is_watched_locked(self, process);
    spin_unlock_irq(&watches_lock, irq);
    return is;
}

// The current process watches the file from now on. HX_ERR_NO_MEMORY
static enum hx_status watch(struct signalfd *self) {
    struct posix_process *process = posix_current();
    if (process == NULL || is_watched(self, process)) {
        return HX_OK;
    }
    struct signal_watch *fresh = heap_alloc(sizeof(*fresh), MEMORY_SLEEP);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const unsigned long irq = spin_lock_irq(&watches_lock);
    if (!is_watched_locked(self, process)) { // by another thread, meanwhile
        *fresh = (struct signal_watch){ .file = self, .process = process };
        list_push_back(&self->watches, &fresh->of_file);
        list_push_back(&process->signal_watches, &fresh->of_process);
        // Relaxed: who looks for signals behind this does so under the signal_lock.
        atomic_fetch_add_explicit(&process->signal_watch_count, 1, memory_order_relaxed);
        fresh = NULL;
    }
    spin_unlock_irq(&watches_lock, irq);
    heap_free(fresh);
    return HX_OK;
}

static void unwatch_locked(struct signal_watch *watch) {
    list_remove(&watch->of_file);
    list_remove(&watch->of_process);
    atomic_fetch_sub_explicit(&watch->process->signal_watch_count, 1, memory_order_relaxed);
}

// The first one leaves; NULL: there is none.
static struct signal_watch *unwatch_process(struct posix_process *process) {
    struct signal_watch *watch = NULL;
    const unsigned long irq = spin_lock_irq(&watches_lock);
    if (!list_is_empty(&process->signal_watches)) {
        watch = LIST_ENTRY(process->signal_watches.next, struct signal_watch, of_process);
        unwatch_locked(watch);
    }
    spin_unlock_irq(&watches_lock, irq);
    return watch;
}

static struct signal_watch *unwatch_file(struct signalfd *self) {
    struct signal_watch *watch = NULL;
    const unsigned long irq = spin_lock_irq(&watches_lock);
    if (!list_is_empty(&self->watches)) {
        watch = LIST_ENTRY(self->watches.next, struct signal_watch, of_file);
        unwatch_locked(watch);
    }
    spin_unlock_irq(&watches_lock, irq);
    return watch;
}

void signal_watches_end(struct posix_process *process) {
    struct signal_watch *watch;
    while ((watch = unwatch_process(process)) != NULL) {
        heap_free(watch);
    }
}

void signal_watches_tell_locked(struct posix_process *process, int32_t number) {
    if (atomic_load_explicit(&process->signal_watch_count, memory_order_relaxed) == 0) {
        return;
    }
    spin_lock(&watches_lock);
    list_for_each (link, &process->signal_watches) {
        struct signalfd *self = LIST_ENTRY(link, struct signal_watch, of_process)->file;
        if ((self->set & SIGNAL_BIT(number)) != 0) {
            waitable_update(&self->waitable, 0, WAIT_READABLE);
        }
    }
    spin_unlock(&watches_lock);
}

// Files ------------------------------------------------------------------------------------------

static uint64_t set_of(struct signalfd *self) {
    const unsigned long irq = spin_lock_irq(&watches_lock);
    const uint64_t set = self->set;
    spin_unlock_irq(&watches_lock, irq);
    return set;
}

// There is nothing for the current thread. With the lock of its process: what comes later raises
// the level again. Only if it is raised, since who waits for a change would wake himself.
static void lower_locked(struct signalfd *self) {
    if ((waitable_state(&self->waitable) & WAIT_READABLE) != 0) {
        waitable_update(&self->waitable, WAIT_READABLE, 0);
    }
}

// Takes the next one for the current thread. 0: there is none.
static int32_t take(struct signalfd *self, struct posix_siginfo *out_info) {
    struct posix_thread *thread = posix_thread_current();
    const uint64_t set = set_of(self);
    const unsigned long irq = spin_lock_irq(&thread->process->signal_lock);
    const int32_t number = signal_take_locked(thread, set, out_info, NULL);
    if (number == 0) {
        lower_locked(self);
    }
    spin_unlock_irq(&thread->process->signal_lock, irq);
    return number;
}

// Only the fields that the kind of signal has (siginfo.c).
static struct signalfd_record record_of(const struct posix_siginfo *info) {
    struct signalfd_record record = { .number = (uint32_t)info->number,
                                      .error = info->error,
                                      .code = info->code };
    if (siginfo_is_fault(info)) {
        record.address = info->address;
    } else if (info->band != 0) {
        record.band = (uint32_t)info->band;
        record.fd = info->status;
    } else if (info->code == SI_TIMER) {
        record.timer = (uint32_t)info->pid;
        record.overrun = info->uid;
    } else {
        record.pid = (uint32_t)info->pid;
        record.uid = info->uid;
    }
    if (info->number == SIGCHLD && info->code > 0) {
        record.status = info->status;
        record.user_ticks = (uint64_t)info->user_ticks;
        record.system_ticks = (uint64_t)info->system_ticks;
    } else if (info->code < 0 && info->code != SI_TKILL) {
        record.pointer = info->value;
        record.value = (int32_t)info->value;
    }
    return record;
}

// One record. HX_ERR_WOULD_BLOCK: none, and the caller does not wait.
static enum hx_status read_one(struct signalfd *self, struct io_buffer *to, bool waits,
                               size_t *out_moved) {
    struct posix_siginfo info;
    for (;;) {
        const uint32_t sequence = waitable_sequence(&self->waitable);
        if (take(self, &info) != 0) {
            const struct signalfd_record record = record_of(&info);
            return io_buffer_put(to, &record, sizeof(record), out_moved);
        }
        if (!waits) {
            return HX_ERR_WOULD_BLOCK;
        }
        const enum hx_status status =
            wait_change(&self->waitable, sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
        if (status != HX_OK) {
            return status;
        }
    }
}

static enum hx_status signalfd_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                    size_t *out_moved) {
    (void)offset;
    struct signalfd *self = file->data;
    if (to->remaining < sizeof(struct signalfd_record)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = watch(self);
    for (bool waits = (file_flags(file) & FILE_NONBLOCK) == 0;
         status == HX_OK && to->remaining >= sizeof(struct signalfd_record); waits = false) {
        size_t moved = 0;
        status = read_one(self, to, waits, &moved);
        *out_moved += moved;
    }
    return *out_moved != 0 ? HX_OK : status;
}

// Whether something is pending for the current thread; if not, the level says so.
static bool look(struct signalfd *self) {
    struct posix_thread *thread = posix_thread_current();
    const uint64_t set = set_of(self);
    if (thread == NULL) { // who only tells of a revocation
        return false;
    }
    const unsigned long irq = spin_lock_irq(&thread->process->signal_lock);
    const bool some = (signal_pending_locked(thread) & set) != 0;
    if (!some) {
        lower_locked(self);
    }
    spin_unlock_irq(&thread->process->signal_lock, irq);
    return some;
}

// Who goes by the level alone finds what came before he watched. Without memory to watch, who waits
// looks again and again.
static struct waitable *signalfd_waitable(struct file *file) {
    struct signalfd *self = file->data;
    if (watch(self) != HX_OK ||
        (look(self) && (waitable_state(&self->waitable) & WAIT_READABLE) == 0)) {
        waitable_update(&self->waitable, 0, WAIT_READABLE);
    }
    return &self->waitable;
}

static uint32_t signalfd_ready(const struct file *file) {
    return look(file->data) ? WAIT_READABLE : 0;
}

static void signalfd_release(struct file *file) {
    struct signalfd *self = file->data;
    struct signal_watch *watch;
    while ((watch = unwatch_file(self)) != NULL) {
        heap_free(watch);
    }
    heap_free(self);
}

static const struct file_ops signalfd_ops = {
    .name = "anon_inode:[signalfd]",
    .read = signalfd_read,
    .waitable = signalfd_waitable,
    .ready = signalfd_ready,
    .ready_by_caller = true,
    .release = signalfd_release,
};

// Calls ------------------------------------------------------------------------------------------

static enum hx_status create(struct call *call, uint64_t set, uint32_t flags) {
    struct signalfd *self = heap_alloc_zero(sizeof(*self), MEMORY_SLEEP);
    if (self == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    self->set = set;
    list_init(&self->watches);
    waitable_init(&self->waitable, 0);
    const uint32_t nonblock = (flags & O_NONBLOCK) != 0 ? FILE_NONBLOCK : 0;
    struct file *file = file_create(&signalfd_ops, FILE_READ | FILE_WRITE | nonblock, self);
    if (file == NULL) {
        heap_free(self);
        return HX_ERR_NO_MEMORY;
    }
    return call_add_file(call, file, (flags & O_CLOEXEC) != 0);
}

// Another set, for one that is there.
static enum hx_status change(struct call *call, uint64_t set) {
    struct descriptor descriptor;
    const enum hx_status status =
        descriptor_get(call, call_int(call, 0), HX_RIGHT_WRITE, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    const bool is_signalfd = descriptor.file->ops == &signalfd_ops;
    if (is_signalfd) {
        struct signalfd *self = descriptor.file->data;
        const unsigned long irq = spin_lock_irq(&watches_lock);
        self->set = set;
        waitable_update(&self->waitable, 0, WAIT_READABLE); // who waits looks again
        spin_unlock_irq(&watches_lock, irq);
        call->result = call_int(call, 0);
    }
    descriptor_put(&descriptor);
    return is_signalfd ? HX_OK : HX_ERR_INVALID;
}

static enum hx_status signalfd(struct call *call, uint32_t flags) {
    uint64_t set;
    if (call->args[2] != SIGSET_BYTES) {
        return HX_ERR_INVALID;
    }
    if (copy_from_user(&set, call_address(call, 1), sizeof(set)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return HX_ERR_INVALID;
    }
    set &= ~SIGNALS_NEVER_BLOCKED;
    return call_int(call, 0) == -1 ? create(call, set, flags) : change(call, set);
}

enum hx_status sys_signalfd4(struct call *call) {
    return signalfd(call, call_uint(call, 3));
}

enum hx_status sys_signalfd(struct call *call) {
    return signalfd(call, 0);
}
