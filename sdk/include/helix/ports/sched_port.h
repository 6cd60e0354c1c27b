// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/ports/sched_port.h>: helix.sched 1.0, a scheduling policy, as the port compiler will emit
// it.
//
// Context:   atomic. Called with the run queue's lock of `cpu` held and interrupts off; one call
// per
//            processor at a time. No allocation, no waiting; bounded. A policy's state per thread
//            is `data` in struct sched_thread; its state per processor is its own.
// Ownership: a thread that was enqueued belongs to the policy until pick or dequeue gives it back.
//            The running thread is never in the queue.
#pragma once

#include <helix/types.h>

#define SCHED_THREAD_DATA_BYTES 96u

enum sched_class {
    SCHED_CLASS_NORMAL = 0,
    SCHED_CLASS_FIFO = 1,
    SCHED_CLASS_ROUND_ROBIN = 2,
    SCHED_CLASS_BATCH = 3,
    SCHED_CLASS_IDLE = 5,
};

struct sched_params {
    uint32_t sched_class; // enum sched_class
    int32_t nice;         // -20 … 19, for NORMAL and BATCH
    uint32_t priority;    // 1 … 99, for FIFO and ROUND_ROBIN
};

struct sched_thread {
    struct sched_params params;
    time_ns_t ran_ns; // since it was last picked; filled before each call
    uint64_t allowed; // bit per processor that may run it; a stealing pick must respect it
    alignas(16) uint8_t data[SCHED_THREAD_DATA_BYTES]; // the policy's; zero when the thread is new
};

#define SCHED_WAKE    (1u << 0) // it was blocked
#define SCHED_NEW     (1u << 1)
#define SCHED_PREEMPT (1u << 2) // it was running and did not want to stop
#define SCHED_YIELD   (1u << 3)
#define SCHED_MOVE    (1u << 4) // from another processor

struct sched_ops {
    // Processor `cpu` takes part from now on.
    enum hx_status (*cpu_add)(void *self, uint32_t cpu);
    enum hx_status (*enqueue)(void *self, uint32_t cpu, struct sched_thread *thread, uint32_t why);
    enum hx_status (*dequeue)(void *self, uint32_t cpu, struct sched_thread *thread);
    // Takes the best thread out. HX_ERR_NOT_FOUND if the queue is empty. `stealing_cpu` differs
    // from `cpu` when an idle processor takes work away.
    enum hx_status (*pick)(void *self, uint32_t cpu, uint32_t stealing_cpu,
                           struct sched_thread **out_thread);
    // Should `running` (NULL: idle) give way to what is queued now? Asked after enqueue and at
    // ticks.
    enum hx_status (*check)(void *self, uint32_t cpu, struct sched_thread *running,
                            bool *out_preempt);
    // How long `running` may go on before the next check; TIME_NEVER if nobody waits.
    enum hx_status (*slice)(void *self, uint32_t cpu, struct sched_thread *running,
                            time_ns_t *out_slice_ns);
    enum hx_status (*queued)(void *self, uint32_t cpu, uint32_t *out_count);
};
