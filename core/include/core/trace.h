// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/trace.h>: per-processor lock-free rings of 32-byte events; always on.
#pragma once

#include <helix/types.h>

// X(name, payload meaning)
#define TRACE_TYPES(X)                                                                             \
    X(BOOT, "phase, 0")                                                                            \
    X(SWITCH, "next thread, state of the previous")                                                \
    X(WAKE, "thread, 0")                                                                           \
    X(IRQ, "line, 0")                                                                              \
    X(IPI, "kind, 0")                                                                              \
    X(FAULT, "address, access")                                                                    \
    X(PROCESS_START, "process, parent")                                                            \
    X(PROCESS_EXEC, "process, 0")                                                                  \
    X(PROCESS_EXIT, "process, status")                                                             \
    X(THREAD_START, "thread, process")                                                             \
    X(THREAD_EXIT, "thread, 0")                                                                    \
    X(SIGNAL, "number, thread")                                                                    \
    X(REFUSAL, "status, where")                                                                    \
    X(SYSCALL_UNKNOWN, "number, 0")                                                                \
    X(MODULE, "slot, state")                                                                       \
    X(OUT_OF_MEMORY, "pages, flags")                                                               \
    X(PANIC, "0, 0")

enum trace_type {
#define X(name, payload) TRACE_##name,
    TRACE_TYPES(X)
#undef X
        TRACE_TYPE_COUNT,
};

struct trace_event {
    uint64_t time; // the counter's ticks
    uint16_t cpu;
    uint16_t type;   // enum trace_type
    uint32_t thread; // low 32 bits of the thread's id
    uint64_t payload[2];
};
_Static_assert(sizeof(struct trace_event) == 32, "a trace event is half a cache line");

// Records an event in this processor's ring. Any context, also NMI and panic.
void trace(enum trace_type type, uint64_t first, uint64_t second);
// The last `capacity` events of all processors, oldest first. Returns how many. Events that are
// being written are left out.
uint32_t trace_last(struct trace_event *out_events, uint32_t capacity);
uint64_t trace_count(enum trace_type type);
const char *trace_type_name(uint16_t type);
