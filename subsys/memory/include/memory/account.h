// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/account.h>: who pays: frames, kernel objects, handles, pinned pages, processes.
//
// Accounts are a tree. What is charged to one counts in all above it, each of which may refuse. A
// reservation counts above from the account's creation on, whether it is used or not, and what is
// used counts there only as far as it exceeds the reservation: so nobody else can use it up.
// Charging takes one atomic step for each account on the way and no lock; the depth is bounded.
// Frames are not counted in the machine's account: what it has of them is its memory, and all
// processors would count in one place.
//
// What is charged to an account keeps it. Whatever outlives who made it stays charged until it is
// freed: a memory object that was handed over, a file, a derived capability.
#pragma once

#include <core/capability.h>
#include <core/object.h>
#include <helix/types.h>

enum account_item {
    ACCOUNT_FRAMES,  // of memory objects, pipes, page tables; what a clone shares counts for each
    ACCOUNT_OBJECTS, // that can be handed out, open pipes, sockets and the like, threads, accounts
    ACCOUNT_HANDLES, // and derived capabilities
    ACCOUNT_PINNED,  // pages that stay in memory
    ACCOUNT_PROCESSES, // also those that have ended and are still known
    ACCOUNT_ITEMS,
};

#define ACCOUNT_DEPTH_MAX 8u // below the machine's

struct account {
    struct object object;
    struct capability root;
    struct account *parent;               // keeps; NULL: the machine's
    uint32_t depth;                       // below the machine's
    uint64_t id;                          // never reused
    const char *name;                     // static
    struct list all_link;                 // [accounts_lock]
    struct account *above[ACCOUNT_ITEMS]; // that is charged next: the parent, or NULL
    int64_t reserved[ACCOUNT_ITEMS];      // written once
    _Atomic int64_t used[ACCOUNT_ITEMS];
    _Atomic int64_t limit[ACCOUNT_ITEMS]; // INT64_MAX: none
    _Atomic uint64_t ended_ns;            // processor time of threads that ended, here and below
};

extern struct account account_root;     // the machine's; process 1 is charged here
extern struct account account_programs; // what process 1 starts, and all that comes of it

// A child of `parent`, with amounts by item that the parent gives it for as long as it exists
// (NULL: none; from 0 up). They come from what the parent has reserved itself and does not use; if
// the caller `pledges` what is everybody's, also from what those above have left. One reference;
// one object of the parent's. `name` is static. Thread context. Returns HX_OK; HX_ERR_NO_MEMORY;
// HX_ERR_LIMIT (the parent has too little left, or is too deep).
enum hx_status account_create(struct account *parent, const char *name, const int64_t *reserved,
                              bool pledges, struct account **out_account);
// Returns HX_OK, or HX_ERR_LIMIT and charges nothing. `amount` is from 0 up. Any context.
enum hx_status account_charge(struct account *account, enum account_item item, int64_t amount);
void account_release(struct account *account, enum account_item item, int64_t amount);
// What is used beyond the limit stays. Any context.
void account_limit_set(struct account *account, enum account_item item, int64_t limit);
// The lowest account, from this one up, that would refuse one more now; NULL: none. Borrowed from
// `account`. Any context.
struct account *account_full(struct account *account, enum account_item item);
// Whether it is everybody's: nobody made it, and its administrator is the machine's.
static inline bool account_is_common(const struct account *account) {
    return account == &account_root || account == &account_programs;
}
// Whether `account` is `above`, or below it. Any context.
bool account_is_within(const struct account *account, const struct account *above);

// The account of the calling thread's address space; the machine's for kernel threads. Borrowed.
struct account *account_current(void);
// All accounts one after the other, older ones first: takes the reference on `account` (NULL: from
// the start) and gives one on the next; NULL: that was the last.
struct account *account_next(struct account *account);
