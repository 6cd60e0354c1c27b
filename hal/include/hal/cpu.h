// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/cpu.h>: processors: who am I, interrupts on and off, idling, starting the others.
//
// Processors are numbered 0 … hal_cpu_count() - 1 in the order of the firmware's table; 0 booted.
#pragma once

#include <hal_arch/cpu.h> // hal_irq_save(), hal_current(), …: inline, documented there and below
#include <helix/types.h>

#define HAL_CPU_MAX 64u

// Inline in <hal_arch/cpu.h>, the same for every machine:
//   void *hal_current(void)            the pointer set by hal_current_set() on this processor; one
//                                      load, so it is right even if the thread migrates around it
//   void hal_current_set(void *thread) interrupts off
//   void *hal_cpu_data(void)           the pointer given to hal_cpu_data_set(); preemption off
//   uint32_t hal_cpu_id(void)          this processor's number; preemption off
//   unsigned long hal_irq_save(void)   turns interrupts off; returns what hal_irq_restore() takes
//   void hal_irq_restore(unsigned long state)
//   void hal_irq_on(void), hal_irq_off(void), bool hal_irq_is_on(void)
//   void hal_relax(void)               in each loop that waits for others; interrupts may come here

// Number of processors that the firmware lists, at most HAL_CPU_MAX. Valid after hal_init().
uint32_t hal_cpu_count(void);

// Sets what hal_cpu_data() returns on processor `cpu`. Needs: that processor is this one, or is not
// started yet.
void hal_cpu_data_set(uint32_t cpu, void *data);

// Starts processor `cpu`: it runs `entry(argument)` on the stack whose top is given, interrupts
// off, its own tables loaded, hal_cpu_id() and hal_cpu_data() valid; `entry` must not return.
// Returns HX_OK            it runs: entry was reached
//         HX_ERR_TIMED_OUT it did not answer within 200 ms; it is left alone
//         HX_ERR_NO_MEMORY its tables could not be allocated
enum hx_status hal_cpu_start(uint32_t cpu, void *stack_top, void (*entry)(void *), void *argument);

// Turns interrupts on and waits for one, without a gap between the two; returns with interrupts on.
// Needs: interrupts off. May return early.
void hal_idle(void);

// Stops this processor for good, interrupts off.
NORETURN void hal_halt(void);

enum hal_ipi {
    HAL_IPI_CALL,       // run what is queued for this processor
    HAL_IPI_RESCHEDULE, // look at the run queue on the way out
    HAL_IPI_STOP,       // a panic elsewhere: stop for good; arrives even with interrupts off
};

// Sends an interrupt to one other processor; all stores before it are visible to its handler. Any
// context. The handler is hal_handlers.ipi.
void hal_ipi_send(uint32_t cpu, enum hal_ipi kind);
// The same to every started processor but this one.
void hal_ipi_broadcast(enum hal_ipi kind);

// A number per boot that the processor's random instruction gives; false if it has none.
bool hal_random_seed(uint64_t *out_value);

// Text for /proc/cpuinfo about the processor (Linux's format, without the "processor" line);
// always terminated. Returns the length.
size_t hal_cpu_describe(uint32_t cpu, char *buffer, size_t capacity);
// What Linux passes as AT_HWCAP, AT_HWCAP2, AT_PLATFORM and uname's machine.
uint64_t hal_hwcap(void);
uint64_t hal_hwcap2(void);
const char *hal_platform(void);
