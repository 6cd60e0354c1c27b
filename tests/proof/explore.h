// SPDX-License-Identifier: MIT OR Apache-2.0
// explore.h: every interleaving of the kernel's own code, on a few processors.
//
// A proof is one file that includes this header, then the kernel's sources as they are. Its
// processors are coroutines; each atomic operation, fence and hint is a point at which any other
// processor may go on, or an interrupt may come. The explorer (explore.c) keeps all memory of the
// proof, tries everything that may happen in each state once, and stops when there is nothing new:
// then no order of events breaks a PROVE(), and from each state all may still come to their end (no
// deadlock, no lost wake).
//
// The memory model is x86's (TSO): a store waits in a queue of its processor, which reads it there,
// until any moment later; read-modify-writes, sequentially consistent fences, and sending an
// interrupt, empty the queue first. A sequentially consistent store waits, too, as it does on an
// emulated aarch64 (decision 026). Plain accesses take effect at once, between two points: that is
// exact for data without races. What the compiler might reorder is not explored.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLORE_PROCESSORS  3u
#define EXPLORE_STACKS      6u
#define EXPLORE_STACK_BYTES 4096u

// Of the proof ------------------------------------------------------------------------------------

// Makes processors and threads. Nothing is interleaved yet.
void explore_setup(void);
// Whether all have come to their end.
bool explore_final(void);
// An interrupt of that kind came to the running processor, whose interrupts are off meanwhile.
void explore_interrupt(uint32_t kind);
// So many REACHED() there are, from 0 on; each must be got to, or the proof says nothing.
extern const uint32_t explore_marks;

// For the proof -----------------------------------------------------------------------------------

#define PROVE(condition) ((condition) ? (void)0 : explore_fail(__FILE__, __LINE__, #condition))
#define REACHED(mark)    explore_reached(mark)

// The next processor: runs entry(argument) as the thread `current` with interrupts on, then only
// takes interrupts.
void explore_processor(void *current, void (*entry)(void *argument), void *argument);
// Whether a processor is idle, or has returned from its entry.
bool explore_rests(uint32_t processor);
// A stack for a thread; its low end.
void *explore_stack(void);
// Memory that no decision depends on (statistics): zero in every state, and an access to it is no
// point. Before it is used.
void explore_ignore(void *at, size_t size);
// Any of 0 … below - 1.
uint32_t explore_choose(uint32_t below);
// A point, as an atomic operation is one.
void explore_point(const char *where);
// Waits, interrupts on, for an interrupt.
void explore_idle(const char *where);
// Makes an interrupt pending on a processor; what this one stored before is visible to it.
void explore_interrupt_send(uint32_t processor, uint32_t kind);
__attribute__((noreturn)) void explore_fail(const char *file, int line, const char *what);
void explore_reached(uint32_t mark);

// Atomic operations -------------------------------------------------------------------------------

enum explore_operation { EXPLORE_SET, EXPLORE_ADD, EXPLORE_SUB, EXPLORE_OR, EXPLORE_AND };

uint64_t explore_load(const volatile void *at, size_t size, const char *where);
void explore_store(volatile void *at, size_t size, uint64_t value, int order, const char *where);
uint64_t explore_change(volatile void *at, size_t size, enum explore_operation operation,
                        uint64_t value, const char *where);
bool explore_compare(volatile void *at, size_t size, void *expected, uint64_t desired,
                     const char *where);
void explore_fence(int order, const char *where);

#define EXPLORE_TEXT_OF(line) #line
#define EXPLORE_TEXT(line)    EXPLORE_TEXT_OF(line)
#define EXPLORE_HERE          __FILE__ ":" EXPLORE_TEXT(__LINE__)
#define EXPLORE_TYPE(at)      __typeof__(__c11_atomic_load((at), memory_order_relaxed))

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_thread_fence
#undef atomic_signal_fence

#define atomic_load_explicit(at, order)                                                            \
    ((void)(order), (EXPLORE_TYPE(at))explore_load((at), sizeof(*(at)), EXPLORE_HERE))
#define atomic_store_explicit(at, value, order)                                                    \
    explore_store((at), sizeof(*(at)), (uint64_t)(EXPLORE_TYPE(at))(value), (order), EXPLORE_HERE)
#define EXPLORE_CHANGE(at, operation, value, order)                                                \
    ((void)(order),                                                                                \
     (EXPLORE_TYPE(at))explore_change((at), sizeof(*(at)), (operation),                            \
                                      (uint64_t)(EXPLORE_TYPE(at))(value), EXPLORE_HERE))
#define atomic_exchange_explicit(at, value, order)  EXPLORE_CHANGE(at, EXPLORE_SET, value, order)
#define atomic_fetch_add_explicit(at, value, order) EXPLORE_CHANGE(at, EXPLORE_ADD, value, order)
#define atomic_fetch_sub_explicit(at, value, order) EXPLORE_CHANGE(at, EXPLORE_SUB, value, order)
#define atomic_fetch_or_explicit(at, value, order)  EXPLORE_CHANGE(at, EXPLORE_OR, value, order)
#define atomic_fetch_and_explicit(at, value, order) EXPLORE_CHANGE(at, EXPLORE_AND, value, order)
// A weak one fails only if it must: on x86 there is no other.
#define atomic_compare_exchange_strong_explicit(at, expected, desired, good, bad)                  \
    ((void)(good), (void)(bad),                                                                    \
     explore_compare((at), sizeof(*(at)), (expected), (uint64_t)(EXPLORE_TYPE(at))(desired),       \
                     EXPLORE_HERE))
#define atomic_compare_exchange_weak_explicit atomic_compare_exchange_strong_explicit
#define atomic_thread_fence(order)            explore_fence((order), EXPLORE_HERE)
#define atomic_signal_fence(order)            ((void)(order), explore_point(EXPLORE_HERE))

// From here on, what is defined is the proof's memory.
#pragma clang section bss = "explored_bss" data = "explored_data"
