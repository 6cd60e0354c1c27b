// SPDX-License-Identifier: MIT OR Apache-2.0
// flat.h: one thread on each processor for good, where scheduling is not what a proof is about.
// Behind machine.h.
#pragma once

static struct thread threads[EXPLORE_PROCESSORS];

void sched_slice_update(struct cpu *cpu) {
    (void)cpu;
}

void sched_switch(enum switch_why why) {
    (void)why;
    PROVE(!"nobody asked for it");
}

void preempt_slow(void) {
    PROVE(!"nobody asked for it");
}

// As in core/thread.c.
void thread_attention_clear(struct thread *thread, uint32_t attention) {
    atomic_fetch_and_explicit(&thread->attention, ~attention, memory_order_acq_rel);
}

time_ns_t time_now(void) {
    return 0;
}

// The next processor, with its thread.
static void flat_processor(void (*entry)(void *argument)) {
    static uint32_t next;
    machine_cpu(next);
    explore_processor(&threads[next], entry, NULL);
    next++;
}
