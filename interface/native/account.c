// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/account.c: accounts by handle: what is charged, and what may be.
//
// Who makes an account may limit it. Its processes get no such handle, unless they are given one.
#include "native.h"

#include <memory/account.h>
#include <memory/usercopy.h>

// NOLINTBEGIN(misc-redundant-expression): two names of one number
_Static_assert(HX_ACCOUNT_FRAMES == ACCOUNT_FRAMES && HX_ACCOUNT_OBJECTS == ACCOUNT_OBJECTS &&
                   HX_ACCOUNT_HANDLES == ACCOUNT_HANDLES && HX_ACCOUNT_PINNED == ACCOUNT_PINNED &&
                   HX_ACCOUNT_PROCESSES == ACCOUNT_PROCESSES && HX_ACCOUNT_ITEMS == ACCOUNT_ITEMS,
               "programs count as memory does");
// NOLINTEND(misc-redundant-expression)

static struct account *account_of(const struct capability *capability) {
    return CONTAINER_OF(capability->object, struct account, object);
}

enum hx_status native_account_own(handle_t *out_account) {
    struct process *process = process_current();
    const bool pledges = account_is_common(process->account) && process_administers(process);
    return native_derive(&process->account->root,
                         HX_RIGHT_READ | HX_RIGHT_CREATE | HX_RIGHT_DELEGATE |
                             (pledges ? HX_RIGHT_ADMIN : 0),
                         out_account);
}

enum hx_status native_account_create(struct capability *above,
                                     const struct hx_account_amounts *reserved,
                                     handle_t *out_account) {
    int64_t amounts[ACCOUNT_ITEMS];
    struct account *account;
    for (uint32_t item = 0; item < ACCOUNT_ITEMS; item++) {
        if (reserved->amounts[item] > HX_ACCOUNT_NO_LIMIT) {
            return HX_ERR_INVALID;
        }
        amounts[item] = (int64_t)reserved->amounts[item];
    }
    // Who made an account has all rights on it, but not on what others have to do without.
    const bool pledges =
        account_is_common(account_of(above)) && (capability_rights(above) & HX_RIGHT_ADMIN) != 0;
    enum hx_status status =
        account_create(account_of(above), "account", amounts, pledges, &account);
    return status == HX_OK ? native_give(&account->root, out_account) : status;
}

enum hx_status native_account_limit(struct capability *account, uint32_t item, uint64_t limit) {
    if (item >= ACCOUNT_ITEMS || limit > HX_ACCOUNT_NO_LIMIT) {
        return HX_ERR_INVALID;
    }
    account_limit_set(account_of(account), (enum account_item)item, (int64_t)limit);
    return HX_OK;
}

enum hx_status native_account_info(struct capability *account, struct uaddr out_info) {
    struct account *self = account_of(account);
    struct hx_account_info info = { .run_ns = account_run_ns(self), .depth = self->depth };
    for (uint32_t item = 0; item < ACCOUNT_ITEMS; item++) {
        info.used[item] = (uint64_t)atomic_load_explicit(&self->used[item], memory_order_relaxed);
        info.limit[item] = (uint64_t)atomic_load_explicit(&self->limit[item], memory_order_relaxed);
        info.reserved[item] = (uint64_t)self->reserved[item];
    }
    return copy_to_user(out_info, &info, sizeof(info));
}
