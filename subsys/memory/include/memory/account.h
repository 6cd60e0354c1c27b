// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/account.h>: who pays: frames, kernel objects, handles, pinned pages, processor time.
#pragma once

#include <core/object.h>
#include <helix/types.h>

enum account_item {
    ACCOUNT_FRAMES,
    ACCOUNT_OBJECTS,
    ACCOUNT_HANDLES,
    ACCOUNT_PINNED,
    ACCOUNT_PROCESSES,
    ACCOUNT_ITEMS,
};

struct account {
    struct object object;
    struct account *parent; // keeps; a charge goes up to the root
    _Atomic int64_t used[ACCOUNT_ITEMS];
    _Atomic int64_t limit[ACCOUNT_ITEMS]; // INT64_MAX: none
};

extern struct account account_root;

// A child of `parent`; NULL if there is no memory.
struct account *account_create(struct account *parent);
// Returns HX_OK, or HX_ERR_LIMIT and charges nothing. Any context.
enum hx_status account_charge(struct account *account, enum account_item item, int64_t amount);
void account_release(struct account *account, enum account_item item, int64_t amount);
