// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/helix.c: /proc/helix: what Linux has no file for.
#include "procfs.h"

#include <core/gate.h>
#include <core/inject.h>
#include <core/input.h>
#include <core/sched.h>
#include <execution/native.h>
#include <execution/process.h>
#include <hal/time.h>
#include <helix/native.h>
#include <lib/string.h>
#include <memory/account.h>
#include <runtime/boot.h>

#define VALUES_MAX 16u

struct boot_value {
    const char *key;
    uint64_t value;
};

static const struct lock_class values_class = { .name = "boot values", .rank = LOCK_RANK_LEAF };
static struct spinlock values_lock = SPINLOCK_INIT(&values_class);
static struct boot_value values[VALUES_MAX]; // [values_lock]
static uint32_t value_count;                 // [values_lock]

void procfs_boot_value(const char *key, uint64_t value) {
    const unsigned long state = spin_lock_irq(&values_lock);
    uint32_t i = 0;
    while (i < value_count && strcmp(values[i].key, key) != 0) {
        i++;
    }
    if (i < VALUES_MAX) {
        values[i] = (struct boot_value){ key, value };
        value_count = MAX_OF(value_count, i + 1);
    }
    spin_unlock_irq(&values_lock, state);
}

enum hx_status proc_helix_boot(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct boot_value copy[VALUES_MAX];
    const unsigned long state = spin_lock_irq(&values_lock);
    const uint32_t count = value_count;
    memcpy(copy, values, sizeof(copy));
    spin_unlock_irq(&values_lock, state);
    text_put(text, "loader %s\n", kernel_boot()->info->loader);
    text_put(text, "entry_counter %llu\n", (unsigned long long)kernel_boot()->entry_counter);
    text_put(text, "counter_hz %llu\n", (unsigned long long)hal_counter_hz());
    for (uint32_t i = 0; i < count; i++) {
        text_put(text, "%s %llu\n", copy[i].key, (unsigned long long)copy[i].value);
    }
    return HX_OK;
}

// The scheduling policies, the chosen one marked; who writes the name of one swaps to it.
enum hx_status proc_scheduler(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct sched_policy policy;
    struct sched_swaps swaps;
    for (uint32_t i = 0; sched_policy_at(i, &policy); i++) {
        text_put(text, "policy %s%s%s\n", policy.name, policy.is_chosen ? " chosen" : "",
                 policy.has_failed ? " failed" : "");
    }
    sched_swaps_get(&swaps);
    text_put(text, "swaps %llu\nlast_freeze_ns %lld\nworst_freeze_ns %lld\n",
             (unsigned long long)swaps.count, (long long)swaps.last_ns, (long long)swaps.worst_ns);
    return HX_OK;
}

enum hx_status proc_scheduler_set(const struct proc_target *target, const char *text) {
    (void)target;
    return sched_choose(text);
}

// The native calls that this kernel has.
enum hx_status proc_helix_calls(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    text_put(text, "abi %016llx\n", (unsigned long long)HX_NATIVE_ABI);
    for (uint64_t number = NATIVE_CALL_FIRST; number < NATIVE_CALL_END; number++) {
        const char *name = native_call_name(number);
        if (name != NULL) {
            text_put(text, "%llu %s\n", (unsigned long long)number, name);
        }
    }
    return HX_OK;
}

static const char *const input_names[INPUT_SOURCES] = {
    [INPUT_COUNTER] = "counter", [INPUT_RTC] = "rtc", [INPUT_ENTROPY] = "entropy",
    [INPUT_CONSOLE] = "console", [INPUT_IRQ] = "irq",
};

enum hx_status proc_helix_inputs(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    for (uint32_t i = 0; i < INPUT_SOURCES; i++) {
        text_put(text, "%s %llu\n", input_names[i] != NULL ? input_names[i] : "other",
                 (unsigned long long)input_count((enum input_source)i));
    }
    return HX_OK;
}

enum hx_status proc_faults(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    for (uint32_t i = 0; i < INJECT_KIND_COUNT; i++) {
        const enum inject_kind kind = (enum inject_kind)i;
        text_put(text, "%s %u %llu\n", inject_name(kind), inject_one_in(kind),
                 (unsigned long long)inject_count(kind));
    }
    return HX_OK;
}

// "KIND N"
static bool kind_and_number(const char *text, enum inject_kind *out_kind, uint64_t *out_number) {
    for (uint32_t i = 0; i < INJECT_KIND_COUNT; i++) {
        const char *name = inject_name((enum inject_kind)i);
        const size_t length = strlen(name);
        if (strncmp(text, name, length) == 0 && text[length] == ' ') {
            *out_kind = (enum inject_kind)i;
            return string_to_u64(text + length + 1, 10, out_number);
        }
    }
    return false;
}

// "KIND N": one in N.
enum hx_status proc_faults_set(const struct proc_target *target, const char *text) {
    (void)target;
    enum inject_kind kind;
    uint64_t one_in;
    if (!kind_and_number(text, &kind, &one_in) || one_in > UINT32_MAX) {
        return HX_ERR_INVALID;
    }
    if (kind != INJECT_WAKE && kind != INJECT_DMA && one_in == 1) {
        return HX_ERR_INVALID; // nobody could take it back
    }
    inject_set(kind, (uint32_t)one_in);
    return HX_OK;
}

enum hx_status proc_fail_nth(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    text_put(text, "%llu\n", (unsigned long long)inject_count(INJECT_ALLOCATION));
    return HX_OK;
}

// "N", of allocations, or "KIND N".
enum hx_status proc_fail_nth_set(const struct proc_target *target, const char *text) {
    (void)target;
    uint64_t nth;
    if (string_to_u64(text, 10, &nth)) {
        inject_nth(INJECT_ALLOCATION, nth);
        return HX_OK;
    }
    enum inject_kind kind;
    if (!kind_and_number(text, &kind, &nth)) {
        return HX_ERR_INVALID;
    }
    inject_nth(kind, nth);
    return HX_OK;
}

// A line for each slot: its name, what is there, whether calls get in, how many have, and how many
// are inside.
enum hx_status proc_slots(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    for (uint32_t i = 0; i < GATES_MAX; i++) {
        const struct gate *gate = gate_at(i);
        uint64_t calls;
        uint64_t inside;
        if (gate == NULL) {
            continue;
        }
        const uint32_t state = atomic_load_explicit(&gate->hal.closed, memory_order_relaxed);
        gate_count(gate, &calls, &inside);
        text_put(text, "%s %s %s %s %llu %llu\n", gate->slot, gate->port != NULL ? gate->port : "-",
                 gate_module(gate),
                 (state & GATE_DEAD) != 0     ? "dead"
                 : (state & GATE_CLOSED) != 0 ? "closed"
                                              : "open",
                 (unsigned long long)calls, (unsigned long long)inside);
    }
    return HX_OK;
}

static const char *const account_names[ACCOUNT_ITEMS] = {
    [ACCOUNT_FRAMES] = "frames", [ACCOUNT_OBJECTS] = "objects",     [ACCOUNT_HANDLES] = "handles",
    [ACCOUNT_PINNED] = "pinned", [ACCOUNT_PROCESSES] = "processes",
};

static int64_t account_used(const struct account *account, uint32_t item) {
    return (int64_t)atomic_load_explicit(&account->used[item], memory_order_relaxed);
}

static int64_t account_limit(const struct account *account, uint32_t item) {
    return (int64_t)atomic_load_explicit(&account->limit[item], memory_order_relaxed);
}

// All accounts: number, that of the one above (0: none), name, processor time in ns; then for each
// item what is used, may be used, and is reserved. 2^63 - 1: no limit.
enum hx_status proc_accounts(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct account *account = NULL;
    while ((account = account_next(account)) != NULL) {
        text_put(text, "%llu %llu %s %llu", (unsigned long long)account->id,
                 (unsigned long long)(account->parent != NULL ? account->parent->id : 0),
                 account->name, (unsigned long long)account_run_ns(account));
        for (uint32_t i = 0; i < ACCOUNT_ITEMS; i++) {
            text_put(text, " %s %lld %lld %lld", account_names[i],
                     (long long)account_used(account, i), (long long)account_limit(account, i),
                     (long long)account->reserved[i]);
        }
        text_put(text, "\n");
    }
    return HX_OK;
}

// Of the account of who reads: what is used and what may be. 2^63 - 1: no limit.
enum hx_status proc_account(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct account *account = process_current()->account;
    for (uint32_t i = 0; i < ACCOUNT_ITEMS; i++) {
        text_put(text, "%s %lld %lld\n", account_names[i], (long long)account_used(account, i),
                 (long long)account_limit(account, i));
    }
    return HX_OK;
}

// "NAME LIMIT", for the account of who writes. What is used beyond it stays. Accounts that a
// program made are limited by handle, not by who is in them.
enum hx_status proc_account_set(const struct proc_target *target, const char *text) {
    (void)target;
    struct account *account = process_current()->account;
    if (!account_is_common(account)) {
        return HX_ERR_NOT_PERMITTED;
    }
    for (uint32_t i = 0; i < ACCOUNT_ITEMS; i++) {
        const size_t length = strlen(account_names[i]);
        uint64_t limit;
        if (strncmp(text, account_names[i], length) == 0 && text[length] == ' ') {
            if (!string_to_u64(text + length + 1, 10, &limit) || limit > INT64_MAX) {
                return HX_ERR_INVALID;
            }
            account_limit_set(account, (enum account_item)i, (int64_t)limit);
            return HX_OK;
        }
    }
    return HX_ERR_INVALID;
}
