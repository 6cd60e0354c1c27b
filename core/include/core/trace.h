// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/trace.h>: per-processor lock-free rings of 32-byte events; always on.
//
// The events of a processor are numbered from 0; the ring keeps the newest. Writers never wait and
// never know of readers; a reader that is too slow finds out how many it missed. docs/trace.md
// tells what the events are for.
#pragma once

#include <hal/branch.h>
#include <helix/types.h>

// X(name, payload meaning)
#define TRACE_TYPES(X)                                                                             \
    X(BOOT, "phase, 0")                                                                            \
    X(SWITCH, "next thread or 0: the idle one, state of the previous")                             \
    X(WAKE, "thread, SCHED_…: why")                                                                \
    X(IRQ, "line, 0")                                                                              \
    X(TIMER, "0, 0")                                                                               \
    X(IPI, "kind, 0")                                                                              \
    X(INTERRUPT_END, "0, 0: of the three above")                                                   \
    X(FAULT, "address, access")                                                                    \
    X(PROCESS_START, "process, parent")                                                            \
    X(PROCESS_EXEC, "process, 0")                                                                  \
    X(PROCESS_EXIT, "process, status")                                                             \
    X(THREAD_START, "thread, 0")                                                                   \
    X(THREAD_EXIT, "thread, 0")                                                                    \
    X(TASK, "thread, process | task << 32: what the personality calls it")                         \
    X(NAME, "sixteen bytes: the name of the event's thread")                                       \
    X(SIGNAL, "number, thread")                                                                    \
    X(REFUSAL, "status, kind of object; of a module: its capability << 32")                        \
    X(DMA_FAULT, "endpoint << 32 | 1 read 2 write, address: an IOMMU refused it")                  \
    X(SYSCALL_UNKNOWN, "number, 0")                                                                \
    X(MODULE, "slot, state")                                                                       \
    X(SWAP, "number of the scheduling policy, or of a module's gate | 1 << 32, ns of the freeze")  \
    X(OUT_OF_MEMORY, "pages, flags")                                                               \
    X(PANIC, "0, 0")                                                                               \
    X(CALL, "number, first argument: only while TRACE_CALLS is on")                                \
    X(CALL_END, "number, result")                                                                  \
    X(METHOD, "port << 32 | method, 0: only while TRACE_METHODS is on")                            \
    X(METHOD_END, "port << 32 | method, status")                                                   \
    X(LOST, "number, the first that is left: never written, what a reader gets instead")

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

#define TRACE_SWAP_MODULE (UINT64_C(1) << 32)

// How many events a ring keeps; the number is a power of two.
#define TRACE_SLOTS_MIN 256u
#define TRACE_SLOTS_MAX 32768u

// Records an event in this processor's ring. Any context, also NMI and panic.
void trace(enum trace_type type, uint64_t first, uint64_t second);
// What is off until somebody wants it (`trace=` on the command line, /proc/helix/trace/on).
enum trace_part { TRACE_CALLS, TRACE_METHODS, TRACE_PARTS };
_Static_assert(TRACE_PARTS <= HAL_BRANCH_KEYS, "a part is a key");

// Whether a part, a constant, is recorded: a branch in the code, see <hal/branch.h>. Any context.
static inline bool trace_records(enum trace_part part) {
    return hal_branch(part);
}

// Turns a part on or off everywhere; when it returns, each processor does as told. One caller after
// another. Thread context, no spin lock held.
void trace_switch(enum trace_part part, bool on);
// Turns on the parts of a list, "syscall,port", and all others off; "all" is all. HX_ERR_INVALID:
// there is no such part, and nothing is changed. As trace_switch().
enum hx_status trace_switch_list(const char *list);
// What trace_switch() was told last. Any context.
bool trace_is_switched(enum trace_part part);
const char *trace_part_name(enum trace_part part);

// The beginning and end of a port's method; `port` is the upper half of its ABI. For the generated
// <core/ports/NAME_calls.h>. Any context.
void trace_method(uint32_t port, uint32_t method);
void trace_method_end(uint32_t port, uint32_t method, enum hx_status status);

// Records what a thread is called, after it got its name. Any context.
struct thread;
void trace_name(const struct thread *thread);
// The last `capacity` events of all processors, oldest first. Returns how many. Events that are
// being written are left out. Any context, a panic's too.
uint32_t trace_last(struct trace_event *out_events, uint32_t capacity);
// How many events of a type there were, on all processors. Any context.
uint64_t trace_count(enum trace_type type);
// "?" for a number that is no type.
const char *trace_type_name(uint16_t type);

// Event `number` of a processor; if it was overwritten, one of type TRACE_LOST, whose payload says
// where the ring begins now. HX_ERR_NOT_FOUND: it is not written yet, or there is no such
// processor. Never waits. Any context.
enum hx_status trace_read(uint32_t cpu, uint64_t number, struct trace_event *out_event);
// What a processor's ring keeps, and how many events were recorded there. HX_ERR_NOT_FOUND: there
// is no such processor. Any context.
enum hx_status trace_ring(uint32_t cpu, uint32_t *out_slots, uint64_t *out_recorded);
// Makes the rings larger, this processor's now and others' when they start: `slots` is rounded up
// to what is possible. HX_ERR_NO_MEMORY: they stay as they are. Boot context, before other
// processors start.
enum hx_status trace_enlarge(uint64_t slots);
