// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/robust.c: robust futexes: what a thread held when it died is marked so
// (Documentation/locking/robust-futex-ABI.rst of Linux).
#include "futex.h"
#include "life.h"

#include <memory/usercopy.h>

#define ROBUST_LIST_MAX 2048u // entries that are looked at: the list is the program's, and may loop
#define CAS_TRIES       16u

// struct robust_list_head.
struct robust_head {
    uint64_t first;
    int64_t futex_offset;
    uint64_t pending; // being taken or given back at the moment
};

// An entry's lowest bit says that it is a lock that lends: who waits for it is told by
// futex_pi_exit().
static uint64_t entry_address(uint64_t entry) {
    return entry & ~UINT64_C(1);
}

static bool entry_lends(uint64_t entry) {
    return (entry & 1) != 0;
}

static void word_release(struct uaddr word, int32_t tid, bool is_pending, bool lends) {
    uint32_t value;
    if (user_load32(word, &value) != HX_OK) {
        return;
    }
    for (unsigned tries = 0; tries < CAS_TRIES; tries++) {
        // A pending one that was given back already, or that its last holder's end gave back, may
        // have waiters that nobody woke, or that only this thread was woken for.
        if (is_pending && (value & FUTEX_TID_MASK) == 0 && !lends) {
            futex_wake_address(word, 1);
            return;
        }
        if ((value & FUTEX_TID_MASK) != (uint32_t)tid) {
            return;
        }
        uint32_t found;
        if (user_cas32(word, value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &found) != HX_OK) {
            return;
        }
        if (found == value) {
            if ((value & FUTEX_WAITERS) != 0 && !lends) {
                futex_wake_address(word, 1);
            }
            return;
        }
        value = found;
    }
}

void robust_list_exit(struct posix_thread *thread) {
    const uint64_t list = thread->robust_list;
    struct robust_head head;
    thread->robust_list = 0;
    if (list == 0 || copy_from_user(&head, uaddr_make(list), sizeof(head)) != HX_OK) {
        return;
    }
    const uint64_t offset = (uint64_t)head.futex_offset;
    const uint64_t pending = entry_address(head.pending);
    uint64_t entry = entry_address(head.first);
    bool lends = entry_lends(head.first);
    for (unsigned count = 0; count < ROBUST_LIST_MAX && entry != list && entry != 0; count++) {
        uint64_t next;
        const bool is_last = copy_from_user(&next, uaddr_make(entry), sizeof(next)) != HX_OK;
        if (entry != pending) {
            word_release(uaddr_make(entry + offset), thread->tid, false, lends);
        }
        if (is_last) {
            break;
        }
        entry = entry_address(next);
        lends = entry_lends(next);
    }
    if (pending != 0) {
        word_release(uaddr_make(pending + offset), thread->tid, true, entry_lends(head.pending));
    }
}

enum hx_status sys_set_robust_list(struct call *call) {
    if (call->args[1] != sizeof(struct robust_head)) {
        return HX_ERR_INVALID;
    }
    call->thread->robust_list = call->args[0];
    call->thread->robust_list_bytes = call->args[1];
    return HX_OK;
}

enum hx_status sys_get_robust_list(struct call *call) {
    const int32_t tid = call_int(call, 0);
    if (tid != 0 && tid != call->thread->tid) {
        return HX_ERR_NOT_PERMITTED; // other threads' lists are for debuggers
    }
    const uint64_t bytes = sizeof(struct robust_head);
    enum hx_status status =
        copy_to_user(call_address(call, 1), &call->thread->robust_list, sizeof(uint64_t));
    if (status == HX_OK) {
        status = copy_to_user(call_address(call, 2), &bytes, sizeof(bytes));
    }
    return status;
}

enum hx_status sys_set_tid_address(struct call *call) {
    call->thread->clear_child_tid = call->args[0];
    return call_ok(call, call->thread->tid);
}
