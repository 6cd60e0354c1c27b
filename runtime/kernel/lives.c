// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/lives.c: what happened to modules, one after the other, for whoever asks.
//
// A circle of the last events, each with a number. Who notes one writes it over the oldest and goes
// on: he waits for no reader, and none can hold him up. A reader asks for the number that he wants
// next; if that is gone already, he gets the oldest that is there, and knows by its number how many
// he lost.
#include "private.h"

#include <core/lock.h>
#include <core/time.h>
#include <core/wait.h>
#include <lib/format.h>
#include <lib/string.h>

static const struct lock_class kept_class = { "lives that are kept", LOCK_RANK_LEAF, false };
static struct spinlock kept_lock = SPINLOCK_INIT(&kept_class);
static struct module_life kept[MODULE_LIVES]; // [kept_lock] number n at n % MODULE_LIVES
static uint64_t last_number;                  // [kept_lock] the number of the last one
static struct waitable lives_changed;         // pulsed with each

void lives_init(void) {
    waitable_init(&lives_changed, 0);
}

void life_tell(const char *name, enum module_life_kind kind, const char *format, ...) {
    struct module_life life = { .at = time_now(), .kind = kind };
    va_list arguments;
    va_start(arguments, format);
    (void)format_string_list(life.text, sizeof(life.text), format, arguments);
    va_end(arguments);
    (void)string_copy(life.name, sizeof(life.name), name);
    spin_lock(&kept_lock);
    life.number = ++last_number;
    kept[last_number % MODULE_LIVES] = life;
    spin_unlock(&kept_lock);
    waitable_pulse(&lives_changed);
}

// Whether there is one of that number or a later one.
static bool life_find(uint64_t number, struct module_life *out_life) {
    spin_lock(&kept_lock);
    const uint64_t oldest = last_number < MODULE_LIVES ? 1 : last_number - MODULE_LIVES + 1;
    const uint64_t found = MAX_OF(number, oldest);
    const bool is_there = found <= last_number;
    if (is_there) {
        *out_life = kept[found % MODULE_LIVES];
    }
    spin_unlock(&kept_lock);
    return is_there;
}

enum hx_status modules_life(uint64_t number, time_ns_t deadline, struct module_life *out_life) {
    for (;;) {
        const uint32_t sequence = waitable_sequence(&lives_changed);
        if (life_find(number, out_life)) {
            return HX_OK;
        }
        const enum hx_status status =
            wait_change(&lives_changed, sequence, deadline, WAIT_INTERRUPTIBLE);
        if (status != HX_OK) {
            return status;
        }
    }
}
