// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/futex.h: words of user memory that threads wait at: what the parts of futexes
// share, and what the rest of posix needs of them. Private to posix.
#pragma once

#include <core/wait.h>
#include <posix/process.h>

#define FUTEX_PRIVATE        128u
#define FUTEX_CLOCK_REALTIME 256u
#define FUTEX_ANY            UINT32_MAX // of the bits that a waiter waits for

// Of words that say who holds a lock.
#define FUTEX_WAITERS    0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK   0x3fffffffu

void futex_init(void);
// Wakes up to `count` waiters on a word of the current address space, shared or private.
void futex_wake_address(struct uaddr address, uint32_t count);

// One word: an address of an address space, or an offset in a shared object. `owner` is compared,
// never followed; a reference on it, if any, is the call's.
struct futex_key {
    const void *owner;
    uint64_t offset;
};

// Of a word of the current address space. *out_object: the reference to give to futex_key_drop()
// after use, or NULL. HX_ERR_INVALID: not aligned; HX_ERR_BAD_ADDRESS. Thread context.
enum hx_status futex_key_make(struct uaddr address, bool is_private, struct futex_key *out_key,
                              struct memory_object **out_object);
void futex_key_drop(struct memory_object *object);
bool futex_key_equal(const struct futex_key *a, const struct futex_key *b);
// Of `count` lists, the one of the word.
uint32_t futex_key_slot(const struct futex_key *key, uint32_t count);

// A thread that waits at a word, on its stack. The key, the bits and `woken` are set by who waits.
struct futex_bucket;
struct futex_waiter {
    struct list link; // [lock of bucket] unlinked once woken
    struct futex_key key;
    _Atomic(struct futex_bucket *) bucket; // changes under the locks of both
    uint32_t bits;
    struct waitable *woken; // gets WAIT_SIGNALED
    bool moves;             // it waits to be moved to the lock `second` (FUTEX_WAIT_REQUEUE_PI)
    struct futex_key second;
};

// From here on it can be woken.
void futex_enter(struct futex_waiter *waiter);
// Returns whether somebody woke it. After this nobody refers to the waiter.
bool futex_leave(struct futex_waiter *waiter);
// Waits for a wake while the word has that value. HX_ERR_WOULD_BLOCK: it has another one; what
// wait_one() returns; HX_ERR_BAD_ADDRESS. The waiter's `woken` need not be set.
enum hx_status futex_wait_once(struct futex_waiter *waiter, struct uaddr address, uint32_t expected,
                               time_ns_t deadline);
// Wakes up to `count` that wait for one of the bits. How many.
uint32_t futex_wake_key(const struct futex_key *key, uint32_t count, uint32_t bits);
// A limit of a call, in monotonic time; address 0: TIME_NEVER. `is_absolute`: by the clock. What
// timespec_from_user() and clock_to_monotonic() return.
enum hx_status futex_deadline(struct uaddr address, bool is_absolute, int32_t clock,
                              time_ns_t *out_deadline);

// Locks that lend the priority of who waits to who holds them (futex_pi.c). Calls of futex(2).
void futex_pi_init(void);
enum hx_status futex_pi_lock(struct call *call, bool is_private, time_ns_t deadline);
enum hx_status futex_pi_try_lock(struct call *call, bool is_private);
enum hx_status futex_pi_unlock(struct call *call, bool is_private);
// FUTEX_WAIT_REQUEUE_PI.
enum hx_status futex_pi_wait(struct call *call, bool is_private, time_ns_t deadline);
// Whether somebody waits for the lock at that word. May be old at once.
bool futex_pi_has_waiters(const struct futex_key *key);
// The thread's own priority changed: who holds what it waits for is lent it.
void futex_pi_reschedule(struct posix_thread *thread);
// The thread ends (`ends`) or execs: who waits for its locks gets them, with FUTEX_OWNER_DIED.
void futex_pi_exit(struct posix_thread *thread, bool ends);

// The thread ends or execs: its robust futexes get FUTEX_OWNER_DIED.
void robust_list_exit(struct posix_thread *thread);
