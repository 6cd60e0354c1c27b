// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/ledger.h: what a module holds of the kernel's memory, so that all of it can be
// given back when the module is gone. What else a module holds stands elsewhere: its devices and
// what they reach in subsys/io, its lines in lines.c, its slots and its mutexes in core.
//
// Any thread of the module, spin locks not held; ledger_release() once nobody is inside any more.
#pragma once

#include <core/lock.h>
#include <helix/types.h>
#include <lib/list.h>

struct io_device;

struct ledger {
    struct spinlock lock;
    struct list blocks; // [lock]
    struct list pages;  // [lock] that devices see
    uint64_t held;      // [lock] how many of both
};

void ledger_init(struct ledger *ledger);
// How many blocks of memory and of pages are held.
uint64_t ledger_held(struct ledger *ledger);

// Zeroed memory, aligned to 16 bytes; NULL: there is none.
void *ledger_alloc(struct ledger *ledger, size_t size_bytes);
// Takes what ledger_alloc() gave; NULL is allowed. false: the ledger does not have that, and
// nothing was done.
bool ledger_free(struct ledger *ledger, void *memory);

// Zeroed pages, 1 << order of them, which are noted down for the device; NULL: there are none.
void *ledger_pages_alloc(struct ledger *ledger, uint32_t order);
// Takes them; `is_lost`: the device may go on to use them, so that they are never used again.
void ledger_pages_free(struct ledger *ledger, void *memory, bool is_lost);

// Gives everything back that is left, but no pages if `is_quiet` is false: devices may go on to use
// them.
void ledger_release(struct ledger *ledger, bool is_quiet);
