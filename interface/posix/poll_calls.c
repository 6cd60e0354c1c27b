// SPDX-License-Identifier: MIT OR Apache-2.0
// poll_calls.c: poll, ppoll, select, pselect6: one wait on many files.
//
// Both kinds come down to an array of watched files. First all are looked at; if none is ready, one
// wait_for() on their waitables follows, and they are looked at again. Readiness is Linux's
// (fs/select.c): POLLERR and POLLHUP are always told.
#include "descriptor.h"
#include "times.h"

#include <core/time.h>
#include <lib/bitmap.h>
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

// One watched file; NULL if there is none at this place.
struct watched {
    struct file *file;
    uint16_t events;
    uint16_t ready;
    struct capability *held; // keeps; NULL: a root in a table that nobody else can change
};

// poll's events for each set of levels, so that looking at many files is cheap.
#define EVENTS_OF(levels)                                                                          \
    (((levels) & WAIT_READABLE ? LINUX_POLLIN | LINUX_POLLRDNORM : 0) |                            \
     ((levels) & WAIT_WRITABLE ? LINUX_POLLOUT | LINUX_POLLWRNORM : 0) |                           \
     ((levels) & WAIT_PRIORITY ? LINUX_POLLPRI : 0) |                                              \
     ((levels) & WAIT_PEER_SHUT ? LINUX_POLLRDHUP | LINUX_POLLIN | LINUX_POLLRDNORM : 0) |         \
     ((levels) & WAIT_ERROR ? LINUX_POLLERR : 0) | ((levels) & WAIT_HANGUP ? LINUX_POLLHUP : 0))
#define EVENTS_OF_4(levels)                                                                        \
    EVENTS_OF(levels), EVENTS_OF((levels) + 1), EVENTS_OF((levels) + 2), EVENTS_OF((levels) + 3)
#define EVENTS_OF_16(levels)                                                                       \
    EVENTS_OF_4(levels), EVENTS_OF_4((levels) + 4), EVENTS_OF_4((levels) + 8),                     \
        EVENTS_OF_4((levels) + 12)

// NOLINTBEGIN(misc-redundant-expression): for the constants that they are made of
static const uint16_t events_of_levels[64] = {
    EVENTS_OF_16(0u),
    EVENTS_OF_16(16u),
    EVENTS_OF_16(32u),
    EVENTS_OF_16(48u),
};
// NOLINTEND(misc-redundant-expression)

uint32_t poll_events(struct file *file, uint32_t events) {
    return events_of_levels[file_ready(file) % ARRAY_SIZE(events_of_levels)] & events;
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

// What a file that was taken says now. Whoever watches it under a capability that was revoked sees
// no more of it.
static uint16_t watched_events(const struct watched *watched) {
    if (watched->held != NULL && !capability_is_live(watched->held)) {
        return LINUX_POLLNVAL;
    }
    return (uint16_t)poll_events(watched->file, watched->events);
}

// Looks at all again; how many are ready.
static uint32_t look(struct watched *watched, uint32_t count) {
    uint32_t ready = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (watched[i].file != NULL) {
            watched[i].ready = watched_events(&watched[i]);
        }
        ready += watched[i].ready != 0 ? 1 : 0;
    }
    return ready;
}

// Where a level alone does not say enough: a revocation advances the object's sequence, and so does
// what came for this caller and another one lowered the level for. Before it the wait sees the
// change, after it the look does, and the wait ends at once.
static void fill_sequence(const struct watched *watched, struct wait_item *item) {
    const bool is_revocable = watched->held != NULL && watched->held->parent != NULL;
    if (!is_revocable && !watched->file->ops->ready_by_caller) {
        return;
    }
    item->use_sequence = true;
    item->sequence = waitable_sequence(item->object);
    if (watched_events(watched) != 0) {
        item->sequence--;
    }
}

static void fill_items(const struct watched *watched, uint32_t count, struct wait_item *items) {
    for (uint32_t i = 0; i < count; i++) {
        struct file *file = watched[i].file;
        items[i] = (struct wait_item){ 0 };
        if (file != NULL && file->ops->waitable != NULL) {
            items[i].object = file->ops->waitable(file);
            items[i].mask = poll_mask(watched[i].events);
            fill_sequence(&watched[i], &items[i]);
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

// The whole of poll and select, after a first look: *ready files are ready. HX_ERR_INTERRUPTED,
// HX_ERR_NO_MEMORY.
static enum hx_status wait_ready(struct watched *watched, uint32_t count, time_ns_t deadline,
                                 uint32_t *ready) {
    while (*ready == 0 && deadline != 0) {
        enum hx_status status = wait_watched(watched, count, deadline);
        *ready = look(watched, count);
        if (status == HX_ERR_TIMED_OUT) {
            return HX_OK;
        }
        if (status != HX_OK && *ready == 0) {
            return status;
        }
    }
    return HX_OK;
}

// The general case of watch(), apart from it: what it needs would be paid for by every file.
static __attribute__((noinline)) enum hx_status
watch_slow(struct call *call, int32_t fd, uint32_t events, struct watched *out_watched) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, fd, HX_RIGHT_WAIT, &descriptor);
    if (status == HX_OK) {
        *out_watched = (struct watched){
            .file = descriptor.file,
            .events = (uint16_t)events,
            .held = descriptor.held != NULL ? capability_get(descriptor.held) : NULL,
        };
        out_watched->ready = watched_events(out_watched);
        descriptor_put(&descriptor);
    }
    return status;
}

// Takes a file and looks at it. What descriptor_get() returns. Watching is not a use of the file:
// it may be many at once. `table` is NULL if others can change it.
static inline enum hx_status watch(struct call *call, const struct file_table *table, int32_t fd,
                                   uint32_t events, struct watched *out_watched) {
    if (table == NULL || (uint32_t)fd >= table->capacity || table->files[fd] == NULL ||
        !capability_root_allows(table->files[fd], HX_RIGHT_WAIT)) {
        return watch_slow(call, fd, events, out_watched);
    }
    struct file *file = capability_file(table->files[fd]);
    if ((file_flags(file) & FILE_PATH_ONLY) != 0) {
        return HX_ERR_BAD_HANDLE;
    }
    out_watched->file = file;
    out_watched->events = (uint16_t)events;
    out_watched->ready = (uint16_t)poll_events(file, events);
    out_watched->held = NULL;
    return HX_OK;
}

// The table of descriptors if nobody but the caller can change it.
static const struct file_table *own_table(const struct call *call) {
    return call_is_alone(call) ? call->process->files : NULL;
}

static void release_watched(struct watched *watched, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (watched[i].held != NULL) {
            capability_put(watched[i].held);
        }
    }
}

// Takes the files that the array names; how many are ready. A number that is none is ready with
// POLLNVAL.
static uint32_t watch_pollfds(struct call *call, const struct linux_pollfd *fds, uint32_t count,
                              struct watched *watched) {
    const struct file_table *table = own_table(call);
    uint32_t ready = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (fds[i].fd < 0) {
            watched[i] = (struct watched){ .file = NULL };
        } else if (watch(call, table, fds[i].fd, fds[i].events | ALWAYS_EVENTS, &watched[i]) !=
                   HX_OK) {
            watched[i] = (struct watched){ .ready = LINUX_POLLNVAL };
        }
        ready += watched[i].ready != 0 ? 1 : 0;
    }
    return ready;
}

static enum hx_status poll_arrays(struct call *call, struct linux_pollfd *fds,
                                  struct watched *watched, uint32_t count, time_ns_t deadline) {
    const size_t bytes = count * sizeof(*fds);
    enum hx_status status = copy_from_user(fds, call_address(call, 0), bytes);
    if (status != HX_OK) {
        return status;
    }
    uint32_t ready = watch_pollfds(call, fds, count, watched);
    status = wait_ready(watched, count, deadline, &ready);
    for (uint32_t i = 0; i < count; i++) {
        fds[i].revents = watched[i].ready;
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

// The numbers of one word that are in any set.
static uint64_t word_of(const struct select_sets *sets, uint32_t word) {
    uint64_t any = sets->in[word] | sets->in[sets->words + word] | sets->in[2 * sets->words + word];
    if (word == sets->fd_count / 64) { // the last one, if it is not whole
        any &= ((uint64_t)1 << sets->fd_count % 64) - 1;
    }
    return any;
}

// How many numbers are in a set.
static uint32_t sets_count(const struct select_sets *sets) {
    uint32_t count = 0;
    for (uint32_t word = 0; word < sets->words; word++) {
        count += bits_count(word_of(sets, word));
    }
    return count;
}

// What select's sets ask of the number that is bit `bit` of a word.
static uint32_t events_asked(const struct select_sets *sets, uint32_t word, uint32_t bit) {
    const uint64_t *in = sets->in + word;
    uint32_t events = (in[0] >> bit & 1) != 0 ? READ_EVENTS : 0;
    events |= (in[sets->words] >> bit & 1) != 0 ? WRITE_EVENTS : 0;
    events |= (in[2 * (size_t)sets->words] >> bit & 1) != 0 ? EXCEPT_EVENTS : 0;
    return events;
}

// Takes the files of all sets; *out_ready of them are ready. HX_ERR_BAD_HANDLE.
static enum hx_status watch_sets(struct call *call, const struct select_sets *sets,
                                 struct watched *watched, uint32_t *out_ready) {
    const struct file_table *table = own_table(call);
    uint32_t next = 0;
    *out_ready = 0;
    for (uint32_t word = 0; word < sets->words; word++) {
        for (uint64_t any = word_of(sets, word); any != 0; any &= any - 1) {
            const uint32_t bit = (uint32_t)__builtin_ctzll(any);
            enum hx_status status = watch(call, table, (int32_t)(word * 64 + bit),
                                          events_asked(sets, word, bit), &watched[next]);
            if (status != HX_OK) {
                release_watched(watched, next);
                return status;
            }
            *out_ready += watched[next].ready != 0 ? 1 : 0;
            next++;
        }
    }
    return HX_OK;
}

static uint32_t result_put(struct select_sets *sets, uint32_t set, uint32_t word, uint32_t bit) {
    const size_t at = (size_t)set * sets->words + word;
    if ((sets->in[at] >> bit & 1) == 0) {
        return 0;
    }
    sets->out[at] |= (uint64_t)1 << bit;
    return 1;
}

// In which of the asked sets each file is ready; their number.
static uint32_t sets_result(struct select_sets *sets, const struct watched *watched) {
    uint32_t bits = 0;
    for (uint32_t word = 0; word < sets->words; word++) {
        for (uint64_t any = word_of(sets, word); any != 0; any &= any - 1) {
            const uint32_t ready = (watched++)->ready;
            if (ready == 0) {
                continue;
            }
            const uint32_t bit = (uint32_t)__builtin_ctzll(any);
            bits += (ready & READ_EVENTS) != 0 ? result_put(sets, 0, word, bit) : 0;
            bits += (ready & WRITE_EVENTS) != 0 ? result_put(sets, 1, word, bit) : 0;
            bits += (ready & EXCEPT_EVENTS) != 0 ? result_put(sets, 2, word, bit) : 0;
        }
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
    uint32_t ready;
    enum hx_status status = watch_sets(call, sets, watched, &ready);
    if (status == HX_OK) {
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
            status = in ? copy_from_user(sets->in + (size_t)set * sets->words, user, bytes)
                        : copy_to_user(user, sets->out + (size_t)set * sets->words, bytes);
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
    sets.out = sets.in + (size_t)sets.words * 3;
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
