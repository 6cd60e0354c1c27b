// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/futex.c: waiting for a word of user memory to change, and waking.
//
// A waiter first puts itself into its word's bucket, then reads the word, then sleeps on a waitable
// of its own. Who changes the word does so before it looks into the bucket; so either the waiter
// reads the new value, or the waker finds the waiter. User memory is never touched under a bucket's
// lock. If a waiter that finds a new value was woken meanwhile, it passes the wake on: it was meant
// for somebody who sleeps.
//
// A waker touches a waiter only under the lock of the bucket that the waiter is in, and the waiter
// leaves its bucket, or finds that it was taken out, under that lock: its memory is its own after.
#include "futex.h"
#include "signals.h"
#include "times.h"

#include <lib/hash.h>
#include <memory/usercopy.h>

#define BUCKETS 256u

#define FUTEX_WAIT          0
#define FUTEX_WAKE          1
#define FUTEX_REQUEUE       3
#define FUTEX_CMP_REQUEUE   4
#define FUTEX_WAKE_OP       5
#define FUTEX_WAIT_BITSET   9
#define FUTEX_LOCK_PI       6
#define FUTEX_UNLOCK_PI     7
#define FUTEX_TRYLOCK_PI    8
#define FUTEX_WAKE_BITSET   10
#define FUTEX_WAIT_MOVE_PI  11 // FUTEX_WAIT_REQUEUE_PI
#define FUTEX_MOVE_PI       12 // FUTEX_CMP_REQUEUE_PI
#define FUTEX_LOCK_PI2      13
#define FUTEX_WAKE_OP_TRIES 1000u // a bound; each try only fails if another thread stored
#define REQUEUE_TRIES       1000u // a bound; each try only fails if another thread began to wait

struct futex_bucket {
    struct spinlock lock;
    _Atomic uint32_t count;   // of waiters, those that are about to enter included
    _Atomic uint32_t entries; // [lock for writing] how often waiters entered
    struct list waiters;      // [lock] in order of arrival
};

static const struct lock_class bucket_class = { .name = "futex",
                                                .rank = LOCK_RANK_FUTEX,
                                                .nest = true };
static struct futex_bucket buckets[BUCKETS];

void futex_init(void) {
    for (unsigned i = 0; i < BUCKETS; i++) {
        spinlock_init(&buckets[i].lock, &bucket_class);
        list_init(&buckets[i].waiters);
    }
}

// Keys -------------------------------------------------------------------------------------------

enum hx_status futex_key_make(struct uaddr address, bool is_private, struct futex_key *out_key,
                              struct memory_object **out_object) {
    *out_object = NULL;
    if (address.value % sizeof(uint32_t) != 0) {
        return HX_ERR_INVALID;
    }
    struct aspace *aspace = aspace_current();
    if (!is_private) {
        bool is_shared;
        uint64_t offset;
        struct memory_object *object;
        const enum hx_status status =
            aspace_identify(aspace, address, &is_shared, &object, &offset);
        if (status != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
        if (is_shared) {
            *out_key = (struct futex_key){ object, offset };
            *out_object = object;
            return HX_OK;
        }
        memory_object_put(object);
    }
    *out_key = (struct futex_key){ aspace, address.value };
    return HX_OK;
}

void futex_key_drop(struct memory_object *object) {
    if (object != NULL) {
        memory_object_put(object);
    }
}

bool futex_key_equal(const struct futex_key *a, const struct futex_key *b) {
    return a->owner == b->owner && a->offset == b->offset;
}

uint32_t futex_key_slot(const struct futex_key *key, uint32_t count) {
    return (uint32_t)(hash_u64((uint64_t)(uintptr_t)key->owner ^ (key->offset >> 2)) % count);
}

static struct futex_bucket *bucket_of(const struct futex_key *key) {
    return &buckets[futex_key_slot(key, BUCKETS)];
}

// Waking -----------------------------------------------------------------------------------------

static void waiter_remove_locked(struct futex_waiter *waiter, struct futex_bucket *bucket) {
    list_remove(&waiter->link);
    atomic_fetch_sub_explicit(&bucket->count, 1, memory_order_relaxed);
}

static void waiter_wake_locked(struct futex_waiter *waiter, struct futex_bucket *bucket) {
    waiter_remove_locked(waiter, bucket);
    waitable_update(waiter->woken, 0, WAIT_SIGNALED);
}

uint32_t futex_wake_key(const struct futex_key *key, uint32_t count, uint32_t bits) {
    struct futex_bucket *bucket = bucket_of(key);
    uint32_t woken = 0;
    atomic_thread_fence(memory_order_seq_cst); // see the top
    if (atomic_load_explicit(&bucket->count, memory_order_relaxed) == 0) {
        return 0;
    }
    spin_lock(&bucket->lock);
    list_for_each_safe (link, &bucket->waiters) {
        struct futex_waiter *waiter = LIST_ENTRY(link, struct futex_waiter, link);
        if (woken >= count) {
            break;
        }
        if (futex_key_equal(&waiter->key, key) && (waiter->bits & bits) != 0 && !waiter->moves) {
            waiter_wake_locked(waiter, bucket);
            woken++;
        }
    }
    spin_unlock(&bucket->lock);
    return woken;
}

// Whether somebody waits there who can only be moved. It is no promise: they come and go.
static bool has_movers(const struct futex_key *key) {
    struct futex_bucket *bucket = bucket_of(key);
    bool has = false;
    if (atomic_load_explicit(&bucket->count, memory_order_relaxed) != 0) {
        spin_lock(&bucket->lock);
        list_for_each (link, &bucket->waiters) {
            const struct futex_waiter *waiter = LIST_ENTRY(link, struct futex_waiter, link);
            has = has || (waiter->moves && futex_key_equal(&waiter->key, key));
        }
        spin_unlock(&bucket->lock);
    }
    return has;
}

// As on Linux, where at least one is woken.
static uint32_t wake_count(int32_t count) {
    return count > 0 ? (uint32_t)count : 1;
}

void futex_wake_address(struct uaddr address, uint32_t count) {
    struct futex_key key;
    struct memory_object *object;
    if (futex_key_make(address, false, &key, &object) == HX_OK) {
        (void)futex_wake_key(&key, count, FUTEX_ANY);
        futex_key_drop(object);
    }
}

// Waiting ----------------------------------------------------------------------------------------

void futex_enter(struct futex_waiter *waiter) {
    struct futex_bucket *bucket = bucket_of(&waiter->key);
    atomic_init(&waiter->bucket, bucket);
    atomic_fetch_add_explicit(&bucket->count, 1, memory_order_seq_cst); // see the top
    spin_lock(&bucket->lock);
    list_push_back(&bucket->waiters, &waiter->link);
    atomic_fetch_add_explicit(&bucket->entries, 1, memory_order_relaxed);
    spin_unlock(&bucket->lock);
}

bool futex_leave(struct futex_waiter *waiter) {
    for (;;) {
        struct futex_bucket *bucket = atomic_load_explicit(&waiter->bucket, memory_order_acquire);
        spin_lock(&bucket->lock);
        // A requeue may have moved it while we waited for the lock.
        const bool is_right = bucket == atomic_load_explicit(&waiter->bucket, memory_order_relaxed);
        const bool was_woken = !list_is_linked(&waiter->link);
        if (is_right && !was_woken) {
            waiter_remove_locked(waiter, bucket);
        }
        spin_unlock(&bucket->lock);
        if (is_right) {
            return was_woken;
        }
    }
}

enum hx_status futex_wait_once(struct futex_waiter *waiter, struct uaddr address, uint32_t expected,
                               time_ns_t deadline) {
    struct waitable woken;
    uint32_t value;
    enum hx_status status = user_load32(address, &value);
    if (status == HX_OK && value != expected) {
        return HX_ERR_WOULD_BLOCK;
    }
    waitable_init(&woken, 0);
    waiter->woken = &woken;
    futex_enter(waiter);
    status = user_load32(address, &value);
    if (status == HX_OK && value == expected) {
        status = wait_one(&woken, WAIT_SIGNALED, deadline, WAIT_INTERRUPTIBLE);
        return futex_leave(waiter) ? HX_OK : status;
    }
    if (futex_leave(waiter)) {
        if (waiter->moves) {
            return HX_OK;
        }
        (void)futex_wake_key(&waiter->key, 1, waiter->bits);
    }
    return status != HX_OK ? HX_ERR_BAD_ADDRESS : HX_ERR_WOULD_BLOCK;
}

static enum hx_status restart_wait(struct call *call);

// After an interruption a wait without a deadline starts again as it was; one with, until the same
// moment.
static enum hx_status interrupted(struct call *call, struct uaddr address, uint32_t expected,
                                  uint32_t bits, bool is_private, time_ns_t deadline) {
    struct posix_thread *thread = call->thread;
    if (deadline == TIME_NEVER) {
        return HX_ERR_RESTART;
    }
    thread->restart_function = restart_wait;
    thread->restart_deadline = deadline;
    thread->restart_args[0] = address.value;
    thread->restart_args[1] = expected;
    thread->restart_args[2] = bits;
    thread->restart_args[3] = is_private;
    return HX_ERR_RESTART_BLOCK;
}

static enum hx_status futex_wait(struct call *call, struct uaddr address, uint32_t expected,
                                 uint32_t bits, bool is_private, time_ns_t deadline) {
    struct futex_waiter waiter = { .bits = bits };
    struct memory_object *object;
    if (bits == 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = futex_key_make(address, is_private, &waiter.key, &object);
    if (status != HX_OK) {
        return status;
    }
    status = futex_wait_once(&waiter, address, expected, deadline);
    futex_key_drop(object);
    if (status == HX_ERR_INTERRUPTED || status == HX_ERR_CANCELED) {
        return interrupted(call, address, expected, bits, is_private, deadline);
    }
    return status;
}

static enum hx_status restart_wait(struct call *call) {
    const struct posix_thread *thread = call->thread;
    return futex_wait(call, uaddr_make(thread->restart_args[0]), (uint32_t)thread->restart_args[1],
                      (uint32_t)thread->restart_args[2], thread->restart_args[3] != 0,
                      thread->restart_deadline);
}

// Requeueing -------------------------------------------------------------------------------------

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
    HX_ATTR(no_thread_safety_analysis) {
    spin_lock(a < b ? &a->lock : &b->lock);
    if (a != b) {
        spin_lock(a < b ? &b->lock : &a->lock);
    }
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
    HX_ATTR(no_thread_safety_analysis) {
    spin_unlock(&a->lock);
    if (a != b) {
        spin_unlock(&b->lock);
    }
}

// Whether all who wait at `from` wait to be moved to the lock `to`; NULL: to none. Its bucket
// locked.
static bool all_move_to_locked(const struct futex_key *from, const struct futex_key *to) {
    const struct list *waiters = &bucket_of(from)->waiters;
    list_for_each (link, waiters) {
        const struct futex_waiter *waiter = LIST_ENTRY(link, struct futex_waiter, link);
        if (futex_key_equal(&waiter->key, from) &&
            (waiter->moves != (to != NULL) ||
             (to != NULL && !futex_key_equal(&waiter->second, to)))) {
            return false;
        }
    }
    return true;
}

// Wakes `count` waiters of `from` and moves up to `move` others to `to`. Gives how many of both.
// Buckets locked.
static uint32_t requeue_locked(const struct futex_key *from, const struct futex_key *to,
                               uint32_t count, uint32_t move) {
    struct futex_bucket *source = bucket_of(from);
    struct futex_bucket *target = bucket_of(to);
    uint32_t woken = 0;
    uint32_t moved = 0;
    struct list moving = LIST_INIT(moving);
    list_for_each_safe (link, &source->waiters) {
        struct futex_waiter *waiter = LIST_ENTRY(link, struct futex_waiter, link);
        if (!futex_key_equal(&waiter->key, from)) {
            continue;
        }
        if (woken < count) {
            waiter_wake_locked(waiter, source);
            woken++;
        } else if (moved < move) {
            waiter_remove_locked(waiter, source);
            list_push_back(&moving, link);
            waiter->key = *to;
            atomic_store_explicit(&waiter->bucket, target, memory_order_release);
            moved++;
        } else {
            break;
        }
    }
    atomic_fetch_add_explicit(&target->count, moved, memory_order_seq_cst);
    atomic_fetch_add_explicit(&target->entries, moved, memory_order_relaxed);
    list_splice_back(&target->waiters, &moving);
    return woken + moved;
}

// What a requeue is to do.
struct move {
    struct futex_key from, to;
    bool compares; // only if the word has the call's value
    bool to_lock;  // FUTEX_CMP_REQUEUE_PI
    uint32_t wake, move;
};

// Those who wait to be moved to a lock are woken in place of that: each takes the lock itself, in
// its own memory, and waits there if it has to. Buckets locked.
static enum hx_status move_locked(struct call *call, const struct move *move) {
    if (!all_move_to_locked(&move->from, move->to_lock ? &move->to : NULL)) {
        return HX_ERR_INVALID;
    }
    const uint32_t both = move->wake + MIN_OF(move->move, UINT32_MAX - move->wake);
    call->result = move->to_lock ? requeue_locked(&move->from, &move->to, both, 0)
                                 : requeue_locked(&move->from, &move->to, move->wake, move->move);
    return HX_OK;
}

// User memory cannot be read under the lock; but if nobody entered the bucket since before the
// value was read, those who wait are the same as then.
static enum hx_status requeue(struct call *call, const struct move *move) {
    struct futex_bucket *source = bucket_of(&move->from);
    struct futex_bucket *target = bucket_of(&move->to);
    for (unsigned tries = 0; tries < REQUEUE_TRIES; tries++) {
        // Acquire: before the value is read.
        const uint32_t entries = atomic_load_explicit(&source->entries, memory_order_acquire);
        uint32_t value = call_uint(call, 5);
        if (move->compares && user_load32(call_address(call, 0), &value) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
        if (value != call_uint(call, 5)) {
            return HX_ERR_WOULD_BLOCK;
        }
        enum hx_status status = HX_OK;
        lock_two(source, target);
        const bool is_same =
            atomic_load_explicit(&source->entries, memory_order_relaxed) == entries;
        if (is_same || !move->compares) {
            status = move_locked(call, move);
        }
        unlock_two(source, target);
        if (is_same || !move->compares) {
            return status;
        }
    }
    return HX_ERR_WOULD_BLOCK; // the caller looks at the word, as if it had changed
}

static enum hx_status futex_requeue(struct call *call, bool is_private, uint32_t command) {
    struct move move = { .compares = command != FUTEX_REQUEUE,
                         .to_lock = command == FUTEX_MOVE_PI,
                         .wake = call_uint(call, 2),
                         .move = call_uint(call, 3) };
    struct memory_object *from;
    struct memory_object *to;
    if (call_int(call, 2) < 0 || call_int(call, 3) < 0 || (move.to_lock && move.wake != 1)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = futex_key_make(call_address(call, 0), is_private, &move.from, &from);
    if (status != HX_OK) {
        return status;
    }
    status = futex_key_make(call_address(call, 4), is_private, &move.to, &to);
    if (status == HX_OK) {
        status = move.to_lock && futex_key_equal(&move.from, &move.to) ? HX_ERR_INVALID
                                                                       : requeue(call, &move);
        futex_key_drop(to);
    }
    futex_key_drop(from);
    return status;
}

// FUTEX_WAKE_OP: futex(2) has the encoding of the operation.
static bool wake_op_compute(uint32_t operation, int32_t argument, uint32_t old,
                            uint32_t *out_value) {
    switch (operation) {
    case 0:
        *out_value = (uint32_t)argument;
        return true;
    case 1:
        *out_value = old + (uint32_t)argument;
        return true;
    case 2:
        *out_value = old | (uint32_t)argument;
        return true;
    case 3:
        *out_value = old & ~(uint32_t)argument;
        return true;
    case 4:
        *out_value = old ^ (uint32_t)argument;
        return true;
    default:
        return false;
    }
}

static bool wake_op_compare(uint32_t comparison, int32_t old, int32_t argument) {
    switch (comparison) {
    case 0:
        return old == argument;
    case 1:
        return old != argument;
    case 2:
        return old < argument;
    case 3:
        return old <= argument;
    case 4:
        return old > argument;
    case 5:
        return old >= argument;
    default:
        return false;
    }
}

static enum hx_status wake_op_apply(struct uaddr address, uint32_t encoded, uint32_t *out_old) {
    const int32_t signed_encoded = (int32_t)encoded;
    int32_t argument = (signed_encoded << 8) >> 20; // sign-extends bits 12 to 23
    const uint32_t operation = (encoded >> 28) & 7;
    if (encoded & 0x80000000u) {
        argument = (int32_t)(UINT32_C(1) << (argument & 31));
    }
    uint32_t old;
    if (user_load32(address, &old) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    for (unsigned tries = 0; tries < FUTEX_WAKE_OP_TRIES; tries++) {
        uint32_t value;
        uint32_t found;
        if (!wake_op_compute(operation, argument, old, &value)) {
            return HX_ERR_NOT_SUPPORTED;
        }
        if (user_cas32(address, old, value, &found) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
        if (found == old) {
            *out_old = old;
            return HX_OK;
        }
        old = found;
    }
    return HX_ERR_WOULD_BLOCK;
}

static enum hx_status futex_wake_op(struct call *call, bool is_private) {
    const uint32_t encoded = call_uint(call, 5);
    struct futex_key keys[2];
    struct memory_object *objects[2];
    enum hx_status status =
        futex_key_make(call_address(call, 0), is_private, &keys[0], &objects[0]);
    if (status != HX_OK) {
        return status;
    }
    status = futex_key_make(call_address(call, 4), is_private, &keys[1], &objects[1]);
    if (status == HX_OK) {
        uint32_t old;
        status = wake_op_apply(call_address(call, 4), encoded, &old);
        if (status == HX_OK) {
            const int32_t argument = ((int32_t)(encoded << 20)) >> 20;
            call->result = futex_wake_key(&keys[0], wake_count(call_int(call, 2)), FUTEX_ANY);
            if (wake_op_compare((encoded >> 24) & 15, (int32_t)old, argument)) {
                call->result += futex_wake_key(&keys[1], wake_count(call_int(call, 3)), FUTEX_ANY);
            }
        }
        futex_key_drop(objects[1]);
    }
    futex_key_drop(objects[0]);
    return status;
}

// The call ---------------------------------------------------------------------------------------

static enum hx_status futex_wake(struct call *call, bool is_private, uint32_t bits) {
    struct futex_key key;
    struct memory_object *object;
    if (bits == 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = futex_key_make(call_address(call, 0), is_private, &key, &object);
    if (status == HX_OK) {
        call->result = futex_wake_key(&key, wake_count(call_int(call, 2)), bits);
        if (call->result == 0 && (futex_pi_has_waiters(&key) || has_movers(&key))) {
            status = HX_ERR_INVALID;
        }
        futex_key_drop(object);
    }
    return status;
}

enum hx_status futex_deadline(struct uaddr address, bool is_absolute, int32_t clock,
                              time_ns_t *out_deadline) {
    *out_deadline = TIME_NEVER;
    if (address.value == 0) {
        return HX_OK;
    }
    time_ns_t time;
    const enum hx_status status = timespec_from_user(address, &time);
    if (status != HX_OK) {
        return status;
    }
    if (!is_absolute) {
        *out_deadline = time_after(time);
        return HX_OK;
    }
    return clock_to_monotonic(clock, time, out_deadline);
}

static bool takes_clock(uint32_t command) {
    return command == FUTEX_WAIT_BITSET || command == FUTEX_WAIT_MOVE_PI ||
           command == FUTEX_LOCK_PI2;
}

static bool has_limit(uint32_t command) {
    return command == FUTEX_WAIT || command == FUTEX_LOCK_PI || takes_clock(command);
}

static enum hx_status waits(struct call *call, uint32_t command, bool is_private,
                            time_ns_t deadline) {
    switch (command) {
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        return futex_pi_lock(call, is_private, deadline);
    case FUTEX_WAIT_MOVE_PI:
        return futex_pi_wait(call, is_private, deadline);
    default:
        return futex_wait(call, call_address(call, 0), call_uint(call, 2),
                          command == FUTEX_WAIT ? FUTEX_ANY : call_uint(call, 5), is_private,
                          deadline);
    }
}

static enum hx_status moves_or_wakes(struct call *call, uint32_t command, bool is_private) {
    switch (command) {
    case FUTEX_WAKE:
        return futex_wake(call, is_private, FUTEX_ANY);
    case FUTEX_WAKE_BITSET:
        return futex_wake(call, is_private, call_uint(call, 5));
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_MOVE_PI:
        return futex_requeue(call, is_private, command);
    case FUTEX_WAKE_OP:
        return futex_wake_op(call, is_private);
    case FUTEX_UNLOCK_PI:
        return futex_pi_unlock(call, is_private);
    case FUTEX_TRYLOCK_PI:
        return futex_pi_try_lock(call, is_private);
    default:
        return HX_ERR_NOT_SUPPORTED;
    }
}

enum hx_status sys_futex(struct call *call) {
    const uint32_t operation = call_uint(call, 1);
    const bool is_private = (operation & FUTEX_PRIVATE) != 0;
    const bool is_realtime = (operation & FUTEX_CLOCK_REALTIME) != 0;
    const uint32_t command = operation & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME);
    time_ns_t deadline = TIME_NEVER;
    if (has_limit(command)) {
        const bool by_realtime = is_realtime || command == FUTEX_LOCK_PI;
        const enum hx_status status =
            futex_deadline(call_address(call, 3), command != FUTEX_WAIT,
                           by_realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, &deadline);
        if (status != HX_OK) {
            return status;
        }
    }
    if (is_realtime && !takes_clock(command)) {
        return HX_ERR_NOT_SUPPORTED;
    }
    return has_limit(command) ? waits(call, command, is_private, deadline)
                              : moves_or_wakes(call, command, is_private);
}
