// SPDX-License-Identifier: MIT OR Apache-2.0
// core/trace_switch.c: what is recorded only on demand, and how that is turned on in the code.
#include "core_private.h"

#include <lib/string.h>

static const struct lock_class switch_class = { "trace switches", LOCK_RANK_TRACE, false };
static struct mutex switch_mutex;
static _Atomic bool switched[TRACE_PARTS]; // [switch_mutex for writing]

static const char *const part_names[TRACE_PARTS] = {
    [TRACE_CALLS] = "syscall",
    [TRACE_METHODS] = "port",
};

const char *trace_part_name(enum trace_part part) {
    return part_names[part];
}

bool trace_is_switched(enum trace_part part) {
    return atomic_load_explicit(&switched[part], memory_order_relaxed);
}

void trace_switch_init(void) {
    mutex_init(&switch_mutex, &switch_class);
}

static void sync(void *argument) {
    (void)argument;
    hal_branch_sync();
}

void trace_switch(enum trace_part part, bool on) {
    mutex_lock(&switch_mutex);
    if (trace_is_switched(part) != on) {
        for (uint32_t step = 0; step < HAL_BRANCH_STEPS; step++) {
            hal_branch_write(part, on, step);
            cpu_call(cpu_online_mask(), sync, NULL);
        }
        atomic_store_explicit(&switched[part], on, memory_order_relaxed);
    }
    mutex_unlock(&switch_mutex);
}

// The parts that a word of a list stands for, a bit each; 0: none.
static uint32_t word_parts(const char *word, size_t length) {
    uint32_t found = length == 3 && memcmp(word, "all", 3) == 0 ? (1u << TRACE_PARTS) - 1 : 0;
    for (uint32_t part = 0; part < TRACE_PARTS; part++) {
        if (strlen(part_names[part]) == length && memcmp(word, part_names[part], length) == 0) {
            found |= 1u << part;
        }
    }
    return found;
}

enum hx_status trace_switch_list(const char *list) {
    uint32_t wanted = 0;
    while (*list != '\0') {
        size_t length = 0;
        while (list[length] != '\0' && list[length] != ',') {
            length++;
        }
        const uint32_t parts = word_parts(list, length);
        if (parts == 0 && length != 0) {
            return HX_ERR_INVALID;
        }
        wanted |= parts;
        list += length + (list[length] == ',');
    }
    for (uint32_t part = 0; part < TRACE_PARTS; part++) {
        trace_switch((enum trace_part)part, (wanted >> part & 1) != 0);
    }
    return HX_OK;
}

void trace_method(uint32_t port, uint32_t method) {
    trace(TRACE_METHOD, (uint64_t)port << 32 | method, 0);
}

void trace_method_end(uint32_t port, uint32_t method, enum hx_status status) {
    trace(TRACE_METHOD_END, (uint64_t)port << 32 | method, (uint64_t)(int64_t)status);
}
