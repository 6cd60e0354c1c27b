// SPDX-License-Identifier: MIT OR Apache-2.0
// explore_machine.h: what the explorer's machine (explore.c) offers its search (explore_search.c).
#pragma once

#include <stdalign.h>

#include "explore.h"

#pragma clang section bss = "" data = ""

#define LINE    64u
#define QUEUE   4u // stores that a processor may hold back
#define KINDS   8u // of interrupts
#define CHOICES 8u // alternatives of a choice

enum mode { READY, CHOOSING, IDLE, DONE };

struct pending_store {
    volatile void *at;
    size_t size;
    uint64_t value;
};

struct processor {
    void *sp;
    void *current, *data; // hal_current(), hal_cpu_data()
    struct pending_store queue[QUEUE];
    uint32_t queued;
    uint32_t interrupts; // bit per kind
    enum mode mode;
    uint32_t choices;
    bool irq_on, in_interrupt;
};

// All that belongs to a state beside the proof's own memory.
extern struct machine {
    alignas(LINE) struct processor processors[EXPLORE_PROCESSORS];
    void *stack_sp[EXPLORE_STACKS];  // of those that do not run
    bool stack_used[EXPLORE_STACKS]; // some processor runs on it
    uint32_t processor_count, stack_count;
} explore_machine;

extern char explore_stacks[EXPLORE_STACKS][EXPLORE_STACK_BYTES];

// What the explorer tells a processor that it continues.
enum command { RUN, INTERRUPT, CHOOSE, FLUSH };
struct step {
    uint8_t processor, command, value;
};

#define STEPS_MAX (EXPLORE_PROCESSORS * (2 + KINDS + CHOICES))

extern const char *explore_where[EXPLORE_PROCESSORS]; // at which point each is
extern char explore_failure[400];                     // empty, or what a PROVE() said
extern uint64_t explore_marks_reached;
extern bool explore_learnt; // an address turned out to be shared: all starts anew

// Whether explore_ignore() was told of that address.
bool explore_is_ignored(const volatile void *at);

// All that may happen in the state that is in memory; at most STEPS_MAX. How many.
uint32_t explore_steps(struct step *out_steps);
void explore_step(struct step step);
