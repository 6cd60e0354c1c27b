// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/trace.c: /proc/helix/trace: the event rings, and what is needed to read them
// (docs/trace.md has the format of each file).
#include "procfs.h"

#include "../signals.h"

#include <core/cpu.h>
#include <core/port.h>
#include <core/sched.h>
#include <core/trace.h>
#include <execution/native.h>
#include <hal/time.h>
#include <lib/string.h>
#include <memory/heap.h>

#define SHOWN     512u
#define CPU_SHIFT 48u // in a position of `events`: the processor; below it: its event's bytes

enum hx_status proc_trace_counts(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    for (uint32_t type = 0; type < TRACE_TYPE_COUNT; type++) {
        text_put(text, "%s %llu\n", trace_type_name((uint16_t)type),
                 (unsigned long long)trace_count((enum trace_type)type));
    }
    return HX_OK;
}

enum hx_status proc_trace_events(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    const uint32_t cpu = (uint32_t)(text->skip >> CPU_SHIFT);
    const uint64_t at = text->skip & ((UINT64_C(1) << CPU_SHIFT) - 1);
    struct trace_event event;
    uint64_t number = at / sizeof(event);
    text->skip = at % sizeof(event);
    while (!text_is_full(text) && trace_read(cpu, number, &event) == HX_OK) {
        text_bytes(text, (const char *)&event, sizeof(event));
        number++;
    }
    return HX_OK;
}

enum hx_status proc_trace_last(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    const size_t bytes = SHOWN * sizeof(struct trace_event);
    struct trace_event *events = heap_alloc(bytes, MEMORY_SLEEP);
    if (events == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const uint32_t count = trace_last(events, SHOWN);
    for (uint32_t i = 0; i < count && !text_is_full(text); i++) {
        const struct trace_event *event = &events[i];
        text_put(text, "%llu cpu%u thread %u %s %llu %llu\n", (unsigned long long)event->time,
                 event->cpu, event->thread, trace_type_name(event->type),
                 (unsigned long long)event->payload[0], (unsigned long long)event->payload[1]);
    }
    heap_free(events);
    return HX_OK;
}

static const struct {
    uint32_t number;
    const char *name;
} call_names[] = {
#define X(name, number) { number, #name },
    HAL_SYSCALL_TABLE(X)
#undef X
};

// Written back, it sets what was read.
enum hx_status proc_trace_on(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    for (uint32_t part = 0; part < TRACE_PARTS; part++) {
        if (trace_is_switched((enum trace_part)part)) {
            text_put(text, "%s,", trace_part_name((enum trace_part)part));
        }
    }
    text_put(text, "\n");
    return HX_OK;
}

enum hx_status proc_trace_on_set(const struct proc_target *target, const char *text) {
    (void)target;
    return trace_switch_list(text);
}

static void put_methods(struct proc_text *text, const struct port_used *used) {
    for (uint32_t i = 0; i < used->methods; i++) {
        text_put(text, "method %llu %s\n",
                 (unsigned long long)(used->versions->minors[0].abi >> 32 << 32 | i),
                 used->method_names[i]);
    }
}

enum hx_status proc_trace_names(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    text_put(text, "counter_hz %llu\n", (unsigned long long)hal_counter_hz());
    for (uint32_t type = 0; type < TRACE_TYPE_COUNT; type++) {
        text_put(text, "type %u %s\n", type, trace_type_name((uint16_t)type));
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(call_names); i++) {
        text_put(text, "call %u %s\n", call_names[i].number, call_names[i].name);
    }
    for (uint32_t number = NATIVE_CALL_FIRST; number < NATIVE_CALL_END; number++) {
        if (native_call_name(number) != NULL) {
            text_put(text, "call %u hx_%s\n", number, native_call_name(number));
        }
    }
    const struct port_used *used;
    for (uint32_t number = 0; (used = port_used_at(number)) != NULL; number++) {
        put_methods(text, used);
    }
    return HX_OK;
}

enum hx_status proc_trace_rings(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    uint32_t slots;
    uint64_t recorded;
    for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
        if (trace_ring(cpu, &slots, &recorded) == HX_OK) {
            text_put(text, "cpu%u slots %u recorded %llu\n", cpu, slots,
                     (unsigned long long)recorded);
        }
    }
    return HX_OK;
}

// Its number in events; process, task and name, which a program may have chosen to look like a
// line.
static bool put_thread(struct thread *thread, void *context) {
    struct proc_text *text = context;
    const struct posix_thread *own = thread->personality;
    char name[THREAD_NAME_BYTES];
    string_copy(name, sizeof(name), thread->name);
    for (char *at = name; *at != '\0'; at++) {
        if (*at < ' ') {
            *at = '?';
        }
    }
    text_put(text, "%llu %d %d %s\n", (unsigned long long)thread->id,
             own != NULL ? own->process->pid : 0, own != NULL ? own->tid : 0, name);
    return !text_is_full(text);
}

enum hx_status proc_trace_threads(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    thread_for_each(put_thread, text);
    return HX_OK;
}
