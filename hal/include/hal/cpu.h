// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/cpu.h>: processors: who am I, interrupts on and off, idling, starting the others.
//
// Processors are numbered 0 … hal_cpu_count() - 1 in the order of the firmware's table; 0 booted.
// "Preemption off" below means that the calling thread cannot move to another processor: core's
// preemption count is not zero, or interrupts are off. Machine's part: <hal_arch/cpu.h>, at the
// end.
#pragma once

#include <helix/types.h>

#define HAL_CPU_MAX 64u // core keeps a bit for each in one word

// ---- this processor
// ------------------------------------------------------------------------------

// The pointer that hal_current_set() set on this processor: core's current thread. One load, right
// even if the thread migrates around it; the compiler may keep it for the life of the thread. Any
// context.
static inline void *hal_current(void);
// Sets it. Interrupts off. A barrier for the compiler.
static inline void hal_current_set(void *thread);
// The pointer that hal_cpu_data_set() set for this processor. Preemption off.
static inline void *hal_cpu_data(void);
// This processor's number. Preemption off, else it may be another's by now.
static inline uint32_t hal_cpu_id(void);

// Turns interrupts off. Returns what hal_irq_restore() takes; nests. Like the next four functions:
// any context, and a barrier for the compiler, not for the processor.
static inline unsigned long hal_irq_save(void);
// Turns interrupts on again if they were on at the hal_irq_save() that returned `state`.
static inline void hal_irq_restore(unsigned long state);
// Turns interrupts on; what is pending may be delivered before it returns.
static inline void hal_irq_on(void);
// Turns interrupts off. Whatever stops a processor (HAL_IPI_STOP) and machine checks still come.
static inline void hal_irq_off(void);
// Whether interrupts are on.
static inline bool hal_irq_is_on(void);
// A hint inside a loop that waits for another processor; each such loop calls it. Any context; with
// interrupts on, what is pending may be delivered inside. A barrier for the compiler.
static inline void hal_relax(void);

// Turns interrupts on and waits for one, without a gap between the two; returns with interrupts on,
// after its handler ran. May return early. Needs: interrupts off, thread context (the idle thread).
void hal_idle(void);

// Stops this processor for good, interrupts off. Any context, a panic's too.
NORETURN void hal_halt(void);

// ---- all processors
// ------------------------------------------------------------------------------

// Number of processors that the firmware lists, at most HAL_CPU_MAX. Valid after hal_init(). Any
// context.
uint32_t hal_cpu_count(void);

// Sets what hal_cpu_data() returns on processor `cpu`. Needs: that processor is this one, or is not
// started yet. Boot context.
void hal_cpu_data_set(uint32_t cpu, void *data);

// Starts processor `cpu`: it runs `entry(argument)` on the stack whose top is given, interrupts
// off, its own tables loaded, hal_cpu_id() and hal_cpu_data() valid; `entry` must not return. What
// the caller wrote before is visible to `entry`. Boot context on processor 0, interrupts on, one
// call at a time. The stack and `argument` are the new processor's from here on, whatever is
// returned: it might still arrive, but then it stops at once (<hal/cpu_start.h>).
// Returns HX_OK            it runs: entry is about to be called
//         HX_ERR_TIMED_OUT it did not answer within five seconds; it is left alone
//         HX_ERR_NO_MEMORY what the machine needs for it could not be allocated
enum hx_status hal_cpu_start(uint32_t cpu, void *stack_top, void (*entry)(void *), void *argument);

enum hal_ipi {
    HAL_IPI_CALL,       // run what is queued for this processor
    HAL_IPI_RESCHEDULE, // look at the run queue on the way out
    HAL_IPI_STOP, // a panic elsewhere: stop for good; arrives even with interrupts off, though
                  // on some machines only in hal_relax() then
};

// Interrupts one processor, which then calls hal_handlers.ipi; nothing happens if it was not
// started. The caller's stores before are visible to the handler (the machine has the fence). Kinds
// that are already pending there merge. Never waits. Any context, preemption off.
void hal_ipi_send(uint32_t cpu, enum hal_ipi kind);
// The same to every started processor but this one.
void hal_ipi_broadcast(enum hal_ipi kind);

// ---- what programs are told
// ----------------------------------------------------------------------

// A number from the processor's random instruction, different at each call; false, and nothing
// written, if there is no such instruction or it keeps failing. Any context. Called through
// core/input alone.
bool hal_random_seed(uint64_t *out_value);

// Writes text about processor `cpu` for /proc/cpuinfo (Linux's lines for the machine, without
// "processor"), cut to `capacity` bytes and terminated. Returns its length without the zero byte; 0
// if `capacity` is. Thread context.
size_t hal_cpu_describe(uint32_t cpu, char *buffer, size_t capacity);
// What Linux passes to programs as AT_HWCAP on this machine. Any context, as the next two.
uint64_t hal_hwcap(void);
// AT_HWCAP2.
uint64_t hal_hwcap2(void);
// AT_PLATFORM and uname's machine; a constant string.
const char *hal_platform(void);

// The machine's part defines the inline functions above.
#include <hal_arch/cpu.h>
