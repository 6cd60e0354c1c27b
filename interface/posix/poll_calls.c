// SPDX-License-Identifier: MIT OR Apache-2.0
// poll_calls.c: poll, ppoll, select, pselect6: one wait on many files.
//
// Both kinds come down to an array of watched files. First all are looked at; if none is ready, one
// wait_for() on their waitables follows, and they are looked at again. Readiness is Linux's
// (fs/select.c): POLLERR and POLLHUP are always told.
#include "descriptor.h"
#include "times.h"

#include <core/time.h>
#include <lib/string.h>
#include <memory/heap.h>

#define NS_PER_S  1000000000ll
#define NS_PER_MS 1000000ll
#define NS_PER_US 1000ll

#define SIGSET_BYTES     8u
#define ARRAY_HEAP_BYTES 32768u

#define ALWAYS_EVENTS (LINUX_POLLERR | LINUX_POLLHUP) // poll tells them unasked
#define READ_EVENTS                                                                                \
    (LINUX_POLLIN | LINUX_POLLRDNORM | LINUX_POLLRDBAND | LINUX_POLLHUP | LINUX_POLLERR)
#define WRITE_EVENTS  (LINUX_POLLOUT | LINUX_POLLWRNORM | LINUX_POLLWRBAND | LINUX_POLLERR)
#define EXCEPT_EVENTS LINUX_POLLPRI

struct linux_pollfd {
    int32_t fd;
    uint16_t events;
    uint16_t revents;
};

// One watched file. `descriptor.file` is NULL if there is none at this place.
struct watched {
    struct descriptor descriptor;
    uint32_t events;
    uint32_t ready;
};

uint32_t poll_from_levels(uint32_t levels) {
    uint32_t events = 0;
    events |= (levels & WAIT_READABLE) != 0 ? LINUX_POLLIN | LINUX_POLLRDNORM : 0;
    events |= (levels & WAIT_WRITABLE) != 0 ? LINUX_POLLOUT | LINUX_POLLWRNORM : 0;
    events |= (levels & WAIT_PRIORITY) != 0 ? LINUX_POLLPRI : 0;
    events |=
        (levels & WAIT_PEER_SHUT) != 0 ? LINUX_POLLRDHUP | LINUX_POLLIN | LINUX_POLLRDNORM : 0;
    events |= (levels & WAIT_ERROR) != 0 ? LINUX_POLLERR : 0;
    events |= (levels & WAIT_HANGUP) != 0 ? LINUX_POLLHUP : 0;
    return events;
}

uint32_t poll_events(struct file *file, uint32_t events) {
    return poll_from_levels(file_ready(file)) & events;
}

uint32_t poll_mask(uint32_t events) {
    uint32_t mask = 0;
    mask |= (events & LINUX_POLLERR) != 0 ? WAIT_ERROR : 0;
    mask |= (events & LINUX_POLLHUP) != 0 ? WAIT_HANGUP : 0;
    mask |= (events & (LINUX_POLLIN | LINUX_POLLRDNORM)) != 0 ? WAIT_READABLE | WAIT_PEER_SHUT : 0;
    mask |= (events & (LINUX_POLLOUT | LINUX_POLLWRNORM)) != 0 ? WAIT_WRITABLE : 0;
    mask |= (events & LINUX_POLLPRI) != 0 ? WAIT_PRIORITY : 0;
    mask |= (events & LINUX_POLLRDHUP) != 0 ? WAIT_PEER_SHUT : 0;
    return mask;
}

// Looks at all; how many are ready.
static uint32_t look(struct watched *watched, uint32_t count) {
    uint32_t ready = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct file *file = watched[i].descriptor.file;
        if (file != NULL) {
            watched[i].ready = poll_events(file, watched[i].events);
        }
        ready += watched[i].ready != 0 ? 1 : 0;
    }
    return ready;
}

static void fill_items(const struct watched *watched, uint32_t count, struct wait_item *items) {
    for (uint32_t i = 0; i < count; i++) {
        struct file *file = watched[i].descriptor.file;
        items[i] = (struct wait_item){ 0 };
        if (file != NULL && file->ops->waitable != NULL) {
            items[i].object = file->ops->waitable(file);
            items[i].mask = poll_mask(watched[i].events);
        }
    }
}

// Zeroed memory; large arrays come as mapped pages.
static void *array_alloc(size_t size_bytes) {
    return size_bytes > ARRAY_HEAP_BYTES ? kernel_map_alloc(size_bytes)
                                         : heap_alloc_zero(size_bytes, MEMORY_SLEEP);
}

static void array_free(void *array, size_t size_bytes) {
    if (array == NULL) {
        return;
    }
    if (size_bytes > ARRAY_HEAP_BYTES) {
        kernel_map_free(array, size_bytes);
    } else {
        heap_free(array);
    }
}

// Blocks until a file is ready, the deadline, or a signal.
static enum hx_status wait_watched(struct watched *watched, uint32_t count, time_ns_t deadline) {
    struct wait_item few[WAIT_ITEMS_INLINE];
    if (count <= WAIT_ITEMS_INLINE) {
        fill_items(watched, count, few);
        return wait_for(few, count, deadline, WAIT_INTERRUPTIBLE, NULL);
    }
    enum hx_status status = HX_ERR_NO_MEMORY;
    struct wait_item *items = array_alloc(count * sizeof(*items));
    struct wait_observer *observers = array_alloc(count * sizeof(*observers));
    if (items != NULL && observers != NULL) {
        fill_items(watched, count, items);
        status = wait_for(items, count, deadline, WAIT_INTERRUPTIBLE, observers);
    }
    array_free(observers, count * sizeof(*observers));
    array_free(items, count * sizeof(*items));
    return status;
}

// The whole of poll and select: *out_ready files are ready. HX_ERR_INTERRUPTED, HX_ERR_NO_MEMORY.
static enum hx_status wait_ready(struct watched *watched, uint32_t count, time_ns_t deadline,
                                 uint32_t *out_ready) {
    for (;;) {
        *out_ready = look(watched, count);
        if (*out_ready != 0 || deadline == 0) {
            return HX_OK;
        }
        enum hx_status status = wait_watched(watched, count, deadline);
        if (status == HX_ERR_TIMED_OUT) {
            *out_ready = look(watched, count);
            return HX_OK;
        }
        if (status != HX_OK) {
            *out_ready = look(watched, count);
            return *out_ready != 0 ? HX_OK : status;
        }
    }
}

static void release_watched(struct watched *watched, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (watched[i].descriptor.file != NULL) {
            descriptor_put(&watched[i].descriptor);
        }
    }
}

// Takes the files that the array names. A number that is none is ready with POLLNVAL.
static void watch_pollfds(struct call *call, const struct linux_pollfd *fds, uint32_t count,
                          struct watched *watched) {
    for (uint32_t i = 0; i < count; i++) {
        watched[i] = (struct watched){ .events = fds[i].events | ALWAYS_EVENTS };
        if (fds[i].fd >= 0 && descriptor_get(call, fds[i].fd, &watched[i].descriptor) != HX_OK) {
            watched[i].descriptor.file = NULL;
            watched[i].ready = LINUX_POLLNVAL;
        }
    }
}

static enum hx_status poll_arrays(struct call *call, struct linux_pollfd *fds,
                                  struct watched *watched, uint32_t count, time_ns_t deadline) {
    const size_t bytes = count * sizeof(*fds);
    enum hx_status status = copy_from_user(fds, call_address(call, 0), bytes);
    if (status != HX_OK) {
        return status;
    }
    watch_pollfds(call, fds, count, watched);
    uint32_t ready = 0;
    status = wait_ready(watched, count, deadline, &ready);
    for (uint32_t i = 0; i < count; i++) {
        fds[i].revents = (uint16_t)watched[i].ready;
    }
    release_watched(watched, count);
    if (status == HX_OK) {
        status = copy_to_user(call_address(call, 0), fds, bytes);
    }
    return status == HX_OK ? call_ok(call, ready) : status;
}

#define POLL_FEW 8u

static enum hx_status do_poll(struct call *call, time_ns_t deadline) {
    const uint32_t count = call_uint(call, 1);
    if (count > posix_limit(call->process, RLIMIT_NOFILE)) {
        return HX_ERR_INVALID;
    }
    if (count <= POLL_FEW) {
        struct linux_pollfd few[POLL_FEW];
        struct watched watched_few[POLL_FEW];
        return poll_arrays(call, few, watched_few, count, deadline);
    }
    enum hx_status status = HX_ERR_NO_MEMORY;
    struct linux_pollfd *fds = array_alloc(count * sizeof(*fds));
    struct watched *watched = array_alloc(count * sizeof(*watched));
    if (fds != NULL && watched != NULL) {
        status = poll_arrays(call, fds, watched, count, deadline);
    }
    array_free(watched, count * sizeof(*watched));
    array_free(fds, count * sizeof(*fds));
    return status;
}

enum hx_status sys_poll(struct call *call) {
    const int32_t timeout_ms = call_int(call, 2);
    const time_ns_t deadline = timeout_ms < 0    ? TIME_NEVER
                               : timeout_ms == 0 ? 0
                                                 : time_after(timeout_ms * NS_PER_MS);
    return do_poll(call, deadline);
}

// A mask for the duration of the call; null: none.
static enum hx_status mask_begin(struct call *call, struct uaddr from, uint64_t size_bytes,
                                 bool *out_swapped) {
    *out_swapped = false;
    if (uaddr_is_null(from)) {
        return HX_OK;
    }
    if (size_bytes != SIGSET_BYTES) {
        return HX_ERR_INVALID;
    }
    uint64_t mask;
    enum hx_status status = copy_from_user(&mask, from, sizeof(mask));
    if (status == HX_OK) {
        posix_mask_swap(call->thread, mask);
        *out_swapped = true;
    }
    return status;
}

static void mask_end(struct call *call, bool swapped) {
    if (swapped) {
        posix_mask_restore(call->thread);
    }
}

// A span at `from` becomes a deadline; null: never; zero: 0, which only looks.
static enum hx_status deadline_from_timespec(struct uaddr from, time_ns_t *out_deadline) {
    *out_deadline = TIME_NEVER;
    if (uaddr_is_null(from)) {
        return HX_OK;
    }
    struct timespec_user user;
    enum hx_status status = copy_from_user(&user, from, sizeof(user));
    time_ns_t span = 0;
    if (status == HX_OK) {
        status = ns_from_timespec(&user, &span);
    }
    if (status == HX_OK) {
        *out_deadline = span == 0 ? 0 : time_after(span);
    }
    return status;
}

static time_ns_t time_left(time_ns_t deadline) {
    const time_ns_t now = time_now();
    return deadline > now ? deadline - now : 0;
}

// What is left of the span goes back to the program; a failure of that is no failure of the call.
static void put_left_timespec(struct uaddr to, time_ns_t deadline) {
    if (!uaddr_is_null(to) && deadline != TIME_NEVER) {
        const time_ns_t left = time_left(deadline);
        const struct timespec_user user = { left / NS_PER_S, left % NS_PER_S };
        HX_IGNORE(copy_to_user(to, &user, sizeof(user))); // as Linux does
    }
}

enum hx_status sys_ppoll(struct call *call) {
    time_ns_t deadline;
    enum hx_status status = deadline_from_timespec(call_address(call, 2), &deadline);
    if (status != HX_OK) {
        return status;
    }
    bool swapped;
    status = mask_begin(call, call_address(call, 3), call->args[4], &swapped);
    if (status != HX_OK) {
        return status;
    }
    status = do_poll(call, deadline);
    mask_end(call, swapped);
    put_left_timespec(call_address(call, 2), deadline);
    return status;
}

// select's three sets of bits, each of `words` words, one behind the other: read, write, except;
// the results take the same shape.
struct select_sets {
    uint64_t *in;
    uint64_t *out;
    uint32_t words;
    uint32_t fd_count; // numbers are below it
};

static bool set_has(const struct select_sets *sets, uint32_t set, uint32_t fd) {
    return (sets->in[set * sets->words + fd / 64] >> (fd % 64) & 1) != 0;
}

static void set_put(struct select_sets *sets, uint32_t set, uint32_t fd) {
    sets->out[set * sets->words + fd / 64] |= (uint64_t)1 << (fd % 64);
}

static const uint32_t set_events[3] = { READ_EVENTS, WRITE_EVENTS, EXCEPT_EVENTS };

// How many numbers are in a set.
static uint32_t sets_count(const struct select_sets *sets) {
    uint32_t count = 0;
    for (uint32_t fd = 0; fd < sets->fd_count; fd++) {
        count += set_has(sets, 0, fd) || set_has(sets, 1, fd) || set_has(sets, 2, fd) ? 1 : 0;
    }
    return count;
}

static enum hx_status watch_sets(struct call *call, const struct select_sets *sets,
                                 struct watched *watched) {
    uint32_t next = 0;
    for (uint32_t fd = 0; fd < sets->fd_count; fd++) {
        uint32_t events = 0;
        for (uint32_t set = 0; set < 3; set++) {
            events |= set_has(sets, set, fd) ? set_events[set] : 0;
        }
        if (events == 0) {
            continue;
        }
        watched[next] = (struct watched){ .events = events };
        if (descriptor_get(call, (int32_t)fd, &watched[next].descriptor) != HX_OK) {
            release_watched(watched, next);
            return HX_ERR_BAD_HANDLE;
        }
        next++;
    }
    return HX_OK;
}

// Which of the asked sets each file is in; their number.
static uint32_t sets_result(struct select_sets *sets, const struct watched *watched) {
    uint32_t bits = 0;
    uint32_t next = 0;
    for (uint32_t fd = 0; fd < sets->fd_count; fd++) {
        bool any = false;
        for (uint32_t set = 0; set < 3; set++) {
            if (set_has(sets, set, fd)) {
                any = true;
                if ((watched[next].ready & set_events[set]) != 0) {
                    set_put(sets, set, fd);
                    bits++;
                }
            }
        }
        next += any ? 1 : 0;
    }
    return bits;
}

static enum hx_status select_sets(struct call *call, struct select_sets *sets, time_ns_t deadline,
                                  uint32_t *out_bits) {
    const uint32_t count = sets_count(sets);
    const size_t bytes = (count + 1) * sizeof(struct watched);
    struct watched *watched = array_alloc(bytes);
    if (watched == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = watch_sets(call, sets, watched);
    if (status == HX_OK) {
        uint32_t ready;
        status = wait_ready(watched, count, deadline, &ready);
        *out_bits = status == HX_OK ? sets_result(sets, watched) : 0;
        release_watched(watched, count);
    }
    array_free(watched, bytes);
    return status;
}

// The sets come and go in whole words, as Linux's FDS_BYTES does it.
static enum hx_status sets_copy(struct call *call, struct select_sets *sets, bool in) {
    const size_t bytes = sets->words * sizeof(uint64_t);
    enum hx_status status = HX_OK;
    for (uint32_t set = 0; status == HX_OK && set < 3; set++) {
        const struct uaddr user = call_address(call, set + 1);
        if (!uaddr_is_null(user)) {
            status = in ? copy_from_user(sets->in + set * sets->words, user, bytes)
                        : copy_to_user(user, sets->out + set * sets->words, bytes);
        }
    }
    return status;
}

static enum hx_status do_select(struct call *call, time_ns_t deadline) {
    const int32_t wanted = call_int(call, 0);
    if (wanted < 0) {
        return HX_ERR_INVALID;
    }
    const uint32_t capacity = file_table_capacity(call->process->files);
    struct select_sets sets = { .fd_count = MIN_OF((uint32_t)wanted, capacity) };
    sets.words = (sets.fd_count + 63) / 64;
    const size_t bytes = (sets.words * 6 + 1) * sizeof(uint64_t);
    sets.in = array_alloc(bytes);
    if (sets.in == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    sets.out = sets.in + sets.words * 3;
    uint32_t bits = 0;
    enum hx_status status = sets_copy(call, &sets, true);
    if (status == HX_OK) {
        status = select_sets(call, &sets, deadline, &bits);
    }
    if (status == HX_OK) {
        status = sets_copy(call, &sets, false);
    }
    array_free(sets.in, bytes);
    return status == HX_OK ? call_ok(call, bits) : status;
}

enum hx_status sys_select(struct call *call) {
    const struct uaddr user_time = call_address(call, 4);
    time_ns_t deadline = TIME_NEVER;
    if (!uaddr_is_null(user_time)) {
        struct timeval_user user;
        enum hx_status copied = copy_from_user(&user, user_time, sizeof(user));
        if (copied != HX_OK) {
            return copied;
        }
        if (user.seconds < 0 || user.microseconds < 0) {
            return HX_ERR_INVALID;
        }
        const int64_t most = INT64_MAX / NS_PER_S / 2;
        const int64_t seconds =
            MIN_OF(user.seconds, most) + MIN_OF(user.microseconds / 1000000, most);
        const time_ns_t span =
            MIN_OF(seconds, most) * NS_PER_S + user.microseconds % 1000000 * NS_PER_US;
        deadline = span == 0 ? 0 : time_after(span);
    }
    enum hx_status status = do_select(call, deadline);
    if (!uaddr_is_null(user_time) && deadline != TIME_NEVER) {
        const time_ns_t left = time_left(deadline);
        const struct timeval_user user = { left / NS_PER_S, left % NS_PER_S / NS_PER_US };
        HX_IGNORE(copy_to_user(user_time, &user, sizeof(user))); // as Linux does
    }
    return status;
}

// The sixth argument is the address of a mask's address and its size.
struct linux_sigset_argument {
    uint64_t address;
    uint64_t size_bytes;
};

enum hx_status sys_pselect6(struct call *call) {
    struct linux_sigset_argument mask = { 0, 0 };
    enum hx_status status = HX_OK;
    if (!uaddr_is_null(call_address(call, 5))) {
        status = copy_from_user(&mask, call_address(call, 5), sizeof(mask));
    }
    time_ns_t deadline = TIME_NEVER;
    if (status == HX_OK) {
        status = deadline_from_timespec(call_address(call, 4), &deadline);
    }
    bool swapped = false;
    if (status == HX_OK) {
        status = mask_begin(call, uaddr_make(mask.address), mask.size_bytes, &swapped);
    }
    if (status != HX_OK) {
        return status;
    }
    status = do_select(call, deadline);
    mask_end(call, swapped);
    put_left_timespec(call_address(call, 4), deadline);
    return status;
}
