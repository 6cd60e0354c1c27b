// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/env.c: the SDK as direct calls into the kernel.
#include "private.h"

#include <core/cpu.h>
#include <core/gate.h>
#include <core/irq.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/port.h>
#include <core/random.h>
#include <core/time.h>
#include <core/trace.h>
#include <hal/io.h>
#include <hal/irq.h>
#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>

#define NO_LOCK_ANALYSIS HX_ATTR(no_thread_safety_analysis)

static const struct lock_class module_class = { "module", LOCK_RANK_MODULE, true };
static const struct lock_class module_spin_class = { "module, spinning", LOCK_RANK_MODULE_SPIN,
                                                     true };

_Static_assert(sizeof(struct spinlock) <= sizeof(struct hx_spinlock), "grow hx_spinlock");
_Static_assert(sizeof(struct gate_mutex) <= sizeof(struct hx_mutex), "grow hx_mutex");

static bool is_granted(const struct hx_env *env, uint32_t capability) {
    if ((env->module->capabilities & capability) != 0) {
        return true;
    }
    trace(TRACE_REFUSAL, -(int64_t)HX_ERR_ACCESS_DENIED, (uint64_t)capability << 32);
    return false;
}

// The atomic part.

uint32_t hx_cpu_count(void) {
    return hal_cpu_count();
}

time_ns_t hx_time_now(void) {
    return time_now();
}

// The saved interrupt state lies behind the lock, written and read by the holder alone.
struct module_spinlock {
    struct spinlock lock;
    unsigned long irq_state;
};
_Static_assert(sizeof(struct module_spinlock) <= sizeof(struct hx_spinlock), "grow hx_spinlock");

static struct module_spinlock *spin_of(struct hx_spinlock *lock) {
    void *opaque = lock->opaque;
    return opaque;
}

void hx_spinlock_init(struct hx_spinlock *lock, const char *name) {
    (void)name; // the class names the kind; one class serves all modules
    spinlock_init(&spin_of(lock)->lock, &module_spin_class);
}

NO_LOCK_ANALYSIS void hx_spinlock_acquire(struct hx_spinlock *lock) {
    unsigned long state = spin_lock_irq(&spin_of(lock)->lock);
    spin_of(lock)->irq_state = state;
}

NO_LOCK_ANALYSIS void hx_spinlock_release(struct hx_spinlock *lock) {
    spin_unlock_irq(&spin_of(lock)->lock, spin_of(lock)->irq_state);
}

// The rest.

void *hx_alloc(struct hx_env *env, size_t size_bytes) {
    (void)env;
    return heap_alloc_zero(size_bytes, MEMORY_SLEEP);
}

void hx_free(struct hx_env *env, void *memory) {
    (void)env;
    heap_free(memory);
}

void hx_log(struct hx_env *env, enum hx_log_level level, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)format_string_list(text, sizeof(text), format, arguments);
    va_end(arguments);
    log_write((enum log_level)level, "%s: %s", env->module->name, text);
}

static struct gate_mutex *mutex_of(struct hx_mutex *mutex) {
    void *opaque = mutex->opaque;
    return opaque;
}

void hx_mutex_init(struct hx_mutex *mutex, const char *name) {
    (void)name;
    mutex_init(&mutex_of(mutex)->mutex, &module_class);
}

NO_LOCK_ANALYSIS void hx_mutex_lock(struct hx_mutex *mutex) {
    gate_mutex_lock(mutex_of(mutex));
}

NO_LOCK_ANALYSIS void hx_mutex_unlock(struct hx_mutex *mutex) {
    gate_mutex_unlock(mutex_of(mutex));
}

uint8_t hx_io_port_read8(struct hx_env *env, uint16_t port) {
    return is_granted(env, HX_CAPABILITY_IO_PORTS) ? hal_port_read8(port) : 0xff;
}

void hx_io_port_write8(struct hx_env *env, uint16_t port, uint8_t value) {
    if (is_granted(env, HX_CAPABILITY_IO_PORTS)) {
        hal_port_write8(port, value);
    }
}

struct module_irq {
    struct irq irq;
    struct hx_env *env;
    void (*handler)(void *context);
    void *context;
};

static int64_t irq_inside(void *argument) {
    const struct module_irq *irq = argument;
    irq->handler(irq->context);
    return HX_OK;
}

// In the interrupt's thread. Once the module is dead, nobody would make the device quiet: its line
// stays masked, for good. A refusal on purpose is not that: the device is asked again.
static void irq_handle(void *argument) {
    struct module_irq *irq = argument;
    while (gate_call(irq->env->gate, irq_inside, irq) != HX_OK) {
        if (gate_is_dead(irq->env->gate)) {
            thread_exit();
        }
    }
}

static enum hx_status line_register(struct hx_env *env, uint32_t line,
                                    void (*handler)(void *context), void *context) {
    if (!is_granted(env, HX_CAPABILITY_IRQ)) {
        return HX_ERR_ACCESS_DENIED;
    }
    enum hx_status status = HX_ERR_NO_MEMORY;
    struct module_irq *irq = heap_alloc_zero(sizeof(*irq), MEMORY_SLEEP);
    if (irq == NULL) {
        return status;
    }
    irq->env = env;
    irq->handler = handler;
    irq->context = context;
    void *stack = kernel_stack_alloc(THREAD_STACK_BYTES);
    if (stack == NULL) {
        goto fail_stack;
    }
    status = irq_register(&irq->irq, line, env->module->name, stack, THREAD_STACK_BYTES, irq_handle,
                          irq);
    if (status != HX_OK) {
        goto fail_register;
    }
    return HX_OK;

fail_register:
    kernel_stack_free(stack, THREAD_STACK_BYTES);
fail_stack:
    heap_free(irq);
    return status;
}

enum hx_status hx_irq_register(struct hx_env *env, uint32_t isa, void (*handler)(void *context),
                               void *context) {
    return line_register(env, hal_irq_from_isa(isa), handler, context);
}

enum hx_status hx_device_open(struct hx_env *env, const char *compatible, uint32_t index,
                              struct hx_device *out_device) {
    if (!is_granted(env, HX_CAPABILITY_DEVICES)) {
        return HX_ERR_ACCESS_DENIED;
    }
    struct hal_device device;
    enum hx_status status = hal_device_open(compatible, index, &device);
    if (status == HX_OK) {
        *out_device = (struct hx_device){ device.registers, device.size_bytes, device.line };
    }
    return status;
}

// Whether a register of so many bytes lies in the device.
static bool is_register(const struct hx_device *device, uint32_t offset, uint32_t bytes) {
    return offset % bytes == 0 && device->size_bytes >= bytes &&
           offset <= device->size_bytes - bytes;
}

uint32_t hx_device_read32(const struct hx_device *device, uint32_t offset) {
    const volatile uint8_t *registers = device->registers;
    return is_register(device, offset, 4) ? hal_device_read32(registers + offset) : UINT32_MAX;
}

void hx_device_write32(const struct hx_device *device, uint32_t offset, uint32_t value) {
    volatile uint8_t *registers = device->registers;
    if (is_register(device, offset, 4)) {
        hal_device_write32(registers + offset, value);
    }
}

uint8_t hx_device_read8(const struct hx_device *device, uint32_t offset) {
    const volatile uint8_t *registers = device->registers;
    return is_register(device, offset, 1) ? hal_device_read8(registers + offset) : UINT8_MAX;
}

void hx_device_write8(const struct hx_device *device, uint32_t offset, uint8_t value) {
    volatile uint8_t *registers = device->registers;
    if (is_register(device, offset, 1)) {
        hal_device_write8(registers + offset, value);
    }
}

enum hx_status hx_device_irq(struct hx_env *env, const struct hx_device *device,
                             void (*handler)(void *context), void *context) {
    return line_register(env, device->line, handler, context);
}

enum hx_status hx_random_fill(struct hx_env *env, void *to, size_t size_bytes) {
    if (!is_granted(env, HX_CAPABILITY_RANDOM)) {
        return HX_ERR_ACCESS_DENIED;
    }
    random_bytes(to, size_bytes);
    return HX_OK;
}

enum hx_status hx_port_provide(struct hx_env *env, const char *port, const char *slot,
                               const void *operations, void *self) {
    const struct hx_module *module = env->module;
    for (uint32_t i = 0; i < module->provides_count; i++) {
        if (strcmp(module->provides[i].port, port) == 0) {
            struct port_provider provider = {
                .name = module->name, .slot = slot, .operations = operations, .self = self
            };
            return port_provide(&module->provides[i], &provider);
        }
    }
    return HX_ERR_INVALID;
}
