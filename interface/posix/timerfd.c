// SPDX-License-Identifier: MIT OR Apache-2.0
// timerfd.c: timers that are read: timerfd_create(2).
//
// The core's timer raises the file's readiness if what it was for is still due: whoever read it may
// have been faster. How often it expired follows from the deadline and the interval then. Lock:
// `lock`, taken with interrupts off, also by the timer.
#include "descriptor.h"
#include "times.h"

#include <core/time.h>
#include <memory/heap.h>

#define TFD_TIMER_ABSTIME       1u
#define TFD_TIMER_CANCEL_ON_SET 2u

struct timerfd {
    struct spinlock lock;
    struct mutex setting; // one timerfd_settime() at a time
    struct timer timer;
    struct waitable waitable;
    bool real;          // deadlines are on the real-time clock
    time_ns_t deadline; // [lock] monotonic; the next expiry that was not counted; 0: disarmed
    time_ns_t interval; // [lock] 0: once
};

static const struct lock_class timerfd_class = { .name = "timerfd", .rank = LOCK_RANK_PIPE + 4 };
static const struct lock_class setting_class = {
    .name = "timerfd setting",
    .rank = LOCK_RANK_FILE + 5,
};

static void expired(struct timer *timer) {
    struct timerfd *self = CONTAINER_OF(timer, struct timerfd, timer);
    const unsigned long state = spin_lock_irq(&self->lock);
    if (self->deadline != 0 && self->deadline <= time_now()) {
        waitable_update(&self->waitable, 0, WAIT_READABLE);
    }
    spin_unlock_irq(&self->lock, state);
}

// How often it has expired by now; counts on. 0: not yet.
static uint64_t take_expirations(struct timerfd *self) {
    uint64_t count = 0;
    time_ns_t next = 0;
    const unsigned long state = spin_lock_irq(&self->lock);
    const time_ns_t now = time_now();
    if (self->deadline != 0 && now >= self->deadline) {
        count = 1;
        if (self->interval != 0) {
            count = time_expirations(&self->deadline, self->interval, now);
            next = self->deadline;
        } else {
            self->deadline = 0;
        }
        waitable_update(&self->waitable, WAIT_READABLE, 0);
        if (next != 0) {
            timer_arm(&self->timer, next);
        }
    }
    spin_unlock_irq(&self->lock, state);
    return count;
}

static enum hx_status timerfd_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                   size_t *out_moved) {
    (void)offset;
    struct timerfd *self = file->data;
    if (to->remaining < sizeof(uint64_t)) {
        return HX_ERR_INVALID;
    }
    for (;;) {
        const uint32_t sequence = waitable_sequence(&self->waitable);
        const uint64_t count = take_expirations(self);
        if (count != 0) {
            return io_buffer_put(to, &count, sizeof(count), out_moved);
        }
        if ((file_flags(file) & FILE_NONBLOCK) != 0) {
            return HX_ERR_WOULD_BLOCK;
        }
        enum hx_status status =
            wait_change(&self->waitable, sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
        if (status != HX_OK) {
            return status;
        }
    }
}

static struct waitable *timerfd_waitable(struct file *file) {
    struct timerfd *self = file->data;
    return &self->waitable;
}

static void timerfd_release(struct file *file) {
    struct timerfd *self = file->data;
    (void)timer_cancel(&self->timer);
    heap_free(self);
}

static const struct file_ops timerfd_ops = {
    .name = "anon_inode:[timerfd]",
    .read = timerfd_read,
    .waitable = timerfd_waitable,
    .release = timerfd_release,
};

enum hx_status sys_timerfd_create(struct call *call) {
    const int32_t clock = call_int(call, 0);
    const uint32_t flags = call_uint(call, 1);
    const bool real = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0 ||
        (!real && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
         clock != CLOCK_BOOTTIME_ALARM)) {
        return HX_ERR_INVALID;
    }
    struct timerfd *self = heap_alloc_zero(sizeof(*self), MEMORY_SLEEP);
    if (self == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    spinlock_init(&self->lock, &timerfd_class);
    mutex_init(&self->setting, &setting_class);
    timer_init(&self->timer, expired);
    waitable_init(&self->waitable, 0);
    self->real = real;
    const uint32_t nonblock = (flags & O_NONBLOCK) != 0 ? FILE_NONBLOCK : 0;
    struct file *file = file_create(&timerfd_ops, FILE_READ | FILE_WRITE | nonblock, self);
    if (file == NULL) {
        heap_free(self);
        return HX_ERR_NO_MEMORY;
    }
    return call_add_file(call, file, (flags & O_CLOEXEC) != 0);
}

// What is left until the next expiry, and the interval.
static struct itimerspec_user current_locked(const struct timerfd *self) {
    const time_ns_t now = time_now();
    time_ns_t left = 0;
    if (self->deadline != 0) {
        left = self->deadline > now ? self->deadline - now : 0;
        if (left == 0 && self->interval != 0) {
            left = self->interval - (now - self->deadline) % self->interval;
        }
    }
    return (struct itimerspec_user){
        .interval = timespec_from_ns(self->interval),
        .value = timespec_from_ns(left),
    };
}

static void set_locked(struct timerfd *self, time_ns_t value, time_ns_t interval, bool absolute) {
    self->interval = interval;
    self->deadline = 0;
    waitable_update(&self->waitable, WAIT_READABLE, 0);
    if (value == 0) {
        return;
    }
    if (!absolute) {
        self->deadline = time_after(value);
    } else {
        const bool shifts = self->real && value != TIME_NEVER;
        self->deadline = MAX_OF(shifts ? value - time_real_offset() : value, 1);
    }
    timer_arm(&self->timer, self->deadline);
}

static void set(struct timerfd *self, time_ns_t value, time_ns_t interval, bool absolute,
                struct itimerspec_user *out_old) {
    mutex_lock(&self->setting);
    unsigned long state = spin_lock_irq(&self->lock);
    *out_old = current_locked(self);
    self->deadline = 0; // who reads does not arm it any more
    spin_unlock_irq(&self->lock, state);
    (void)timer_cancel(&self->timer);
    state = spin_lock_irq(&self->lock);
    set_locked(self, value, interval, absolute);
    spin_unlock_irq(&self->lock, state);
    mutex_unlock(&self->setting);
}

// The timer at a descriptor. HX_ERR_BAD_HANDLE, HX_ERR_INVALID: it is none.
static enum hx_status timerfd_get(struct call *call, rights_t need,
                                  struct descriptor *out_descriptor) {
    enum hx_status status = descriptor_get(call, call_int(call, 0), need, out_descriptor);
    if (status == HX_OK && out_descriptor->file->ops != &timerfd_ops) {
        descriptor_put(out_descriptor);
        return HX_ERR_INVALID;
    }
    return status;
}

enum hx_status sys_timerfd_settime(struct call *call) {
    const uint32_t flags = call_uint(call, 1);
    struct itimerspec_user user;
    enum hx_status status = copy_from_user(&user, call_address(call, 2), sizeof(user));
    if (status != HX_OK) {
        return status;
    }
    time_ns_t value;
    time_ns_t interval;
    if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0 ||
        ns_from_timespec(&user.value, &value) != HX_OK ||
        ns_from_timespec(&user.interval, &interval) != HX_OK) {
        return HX_ERR_INVALID;
    }
    struct descriptor descriptor;
    status = timerfd_get(call, HX_RIGHT_WRITE, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    struct itimerspec_user old;
    set(descriptor.file->data, value, interval, (flags & TFD_TIMER_ABSTIME) != 0, &old);
    descriptor_put(&descriptor);
    if (!uaddr_is_null(call_address(call, 3))) {
        status = copy_to_user(call_address(call, 3), &old, sizeof(old));
    }
    return status;
}

enum hx_status sys_timerfd_gettime(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = timerfd_get(call, 0, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    struct timerfd *self = descriptor.file->data;
    const unsigned long state = spin_lock_irq(&self->lock);
    const struct itimerspec_user now = current_locked(self);
    spin_unlock_irq(&self->lock, state);
    descriptor_put(&descriptor);
    return copy_to_user(call_address(call, 1), &now, sizeof(now));
}
