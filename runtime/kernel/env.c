// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/env.c: the SDK as direct calls into the kernel.
#include "private.h"

#include <core/cpu.h>
#include <core/gate.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/port.h>
#include <core/random.h>
#include <core/time.h>
#include <core/trace.h>
#include <hal/io.h>
#include <hal/irq.h>
#include <io/device.h>
#include <io/dma.h>
#include <lib/format.h>
#include <lib/port.h>
#include <lib/string.h>
#include <memory/heap.h>

#define DMA_BYTES_MAX ((size_t)128 << 10)

static const struct lock_class module_class = { "module", LOCK_RANK_MODULE, true };
static const struct lock_class module_spin_class = { "module, spinning", LOCK_RANK_MODULE_SPIN,
                                                     true };

_Static_assert(sizeof(struct gate_spin) <= sizeof(struct hx_spinlock), "grow hx_spinlock");
_Static_assert(sizeof(struct gate_mutex) <= sizeof(struct hx_mutex), "grow hx_mutex");

static bool allow(bool is_allowed, uint32_t capability) {
    if (!is_allowed) {
        trace(TRACE_REFUSAL, -(int64_t)HX_ERR_ACCESS_DENIED, (uint64_t)capability << 32);
    }
    return is_allowed;
}

static bool is_granted(const struct hx_env *env, uint32_t capability) {
    return allow((env->module->capabilities & capability) != 0, capability);
}

static bool may_open(const struct hx_env *env, const char *device) {
    const struct hx_module *module = env->module;
    bool is_named = false;
    for (uint32_t i = 0; i < module->devices_count && !is_named; i++) {
        is_named = strcmp(module->devices[i], device) == 0;
    }
    return is_granted(env, HX_CAPABILITY_DEVICES) && allow(is_named, HX_CAPABILITY_DEVICES);
}

static bool may_use(const struct hx_env *env, uint16_t port) {
    const struct hx_module *module = env->module;
    bool is_named = false;
    for (uint32_t i = 0; i < module->io_ports_count && !is_named; i++) {
        const struct hx_io_ports *ports = &module->io_ports[i];
        is_named = port >= ports->first && port - ports->first < ports->count;
    }
    return is_granted(env, HX_CAPABILITY_IO_PORTS) && allow(is_named, HX_CAPABILITY_IO_PORTS);
}

// The atomic part.

uint32_t hx_cpu_count(void) {
    return hal_cpu_count();
}

uint32_t hx_cpu_current(void) {
    return cpu_id();
}

time_ns_t hx_time_now(void) {
    return time_now();
}

static struct gate_spin *spin_of(struct hx_spinlock *lock) {
    void *opaque = lock->opaque;
    return opaque;
}

void hx_spinlock_init(struct hx_spinlock *lock, const char *name) {
    (void)name; // the class names the kind; one class serves all modules
    spinlock_init(&spin_of(lock)->lock, &module_spin_class);
}

NO_LOCK_ANALYSIS void hx_spinlock_acquire(struct hx_spinlock *lock) {
    doom_pass();
    gate_spin_lock(spin_of(lock));
}

NO_LOCK_ANALYSIS void hx_spinlock_release(struct hx_spinlock *lock) {
    gate_spin_unlock(spin_of(lock));
}

// The rest.

void *hx_alloc(struct hx_env *env, size_t size_bytes) {
    doom_pass();
    return ledger_alloc(&env->ledger, size_bytes);
}

void hx_free(struct hx_env *env, void *memory) {
    if (!ledger_free(&env->ledger, memory)) {
        gate_misuse("memory given back that it does not have", "hx_free");
    }
}

// What these do with a module's pointers is as good as its own code: they hold nothing, so a fault
// there is the module's.
#define OF_MODULE __attribute__((section(".text.module.sdk"), noinline))

OF_MODULE void hx_log(struct hx_env *env, enum hx_log_level level, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)format_string_list(text, sizeof(text), format, arguments);
    va_end(arguments);
    log_write((enum log_level)level, "%s: %s", env->name, text);
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
    doom_pass();
}

NO_LOCK_ANALYSIS void hx_mutex_unlock(struct hx_mutex *mutex) {
    doom_pass();
    gate_mutex_unlock(mutex_of(mutex));
}

uint8_t hx_io_port_read8(struct hx_env *env, uint16_t port) {
    return may_use(env, port) ? hal_port_read8(port) : 0xff;
}

void hx_io_port_write8(struct hx_env *env, uint16_t port, uint8_t value) {
    if (may_use(env, port)) {
        hal_port_write8(port, value);
    }
}

enum hx_status hx_irq_register(struct hx_env *env, uint32_t isa, void (*handler)(void *context),
                               void *context) {
    if (!is_granted(env, HX_CAPABILITY_IRQ)) {
        return HX_ERR_ACCESS_DENIED;
    }
    const struct line_user user = {
        .env = env, .handler = handler, .context = context, .isa = isa
    };
    enum hx_status status = line_register(hal_irq_from_isa(isa), &user, hal_irq_isa_is_shared(isa));
    if (status == HX_OK) {
        hal_irq_isa_pull(isa, true);
    }
    return status;
}

// Those that subsys/io does not list.
static enum hx_status tree_device_open(const struct hx_env *env, const char *name, uint32_t index,
                                       struct hx_device *out_device) {
    struct hal_device device;
    volatile void *registers;
    enum hx_status status = hal_device_find(name, index, &device);
    if (status == HX_OK) {
        status = claim_take(&device, env->name, &registers);
    }
    if (status == HX_OK) {
        *out_device = (struct hx_device){ .windows = { { registers, device.size_bytes } },
                                          .line = device.line };
    }
    return status;
}

enum hx_status hx_device_open(struct hx_env *env, const char *name, uint32_t index,
                              struct hx_device *out_device) {
    struct io_device *node;
    if (!may_open(env, name)) {
        return HX_ERR_ACCESS_DENIED;
    }
    enum hx_status status = io_device_take(name, index, env->name, &node);
    if (status == HX_ERR_NOT_FOUND) {
        return tree_device_open(env, name, index, out_device);
    }
    if (status == HX_OK) {
        *out_device = (struct hx_device){ .line = node->line, .node = node };
        for (uint32_t i = 0; i < HX_DEVICE_WINDOWS; i++) {
            out_device->windows[i] = (struct hx_device_window){ node->windows[i].registers,
                                                                node->windows[i].size_bytes };
        }
    }
    return status;
}

// A register that lies in the device; NULL: it does not.
static volatile uint8_t *register_at(const struct hx_device *device, uint32_t window,
                                     uint32_t offset, uint32_t bytes) {
    if (window >= HX_DEVICE_WINDOWS || (bytes != 1 && bytes != 2 && bytes != 4) ||
        offset % bytes != 0) {
        return NULL;
    }
    const struct hx_device_window *at = &device->windows[window];
    return at->registers != NULL && at->size_bytes >= bytes && offset <= at->size_bytes - bytes
               ? (volatile uint8_t *)at->registers + offset
               : NULL;
}

uint32_t hx_device_read(const struct hx_device *device, uint32_t window, uint32_t offset,
                        uint32_t bytes) {
    doom_pass();
    const volatile uint8_t *at = register_at(device, window, offset, bytes);
    return at != NULL ? hal_device_read(at, bytes) : UINT32_MAX;
}

void hx_device_write(const struct hx_device *device, uint32_t window, uint32_t offset,
                     uint32_t bytes, uint32_t value) {
    doom_pass();
    volatile uint8_t *at = register_at(device, window, offset, bytes);
    if (at != NULL) {
        hal_device_write(at, bytes, value);
    }
}

uint32_t hx_device_read32(const struct hx_device *device, uint32_t offset) {
    return hx_device_read(device, 0, offset, 4);
}

void hx_device_write32(const struct hx_device *device, uint32_t offset, uint32_t value) {
    hx_device_write(device, 0, offset, 4, value);
}

uint8_t hx_device_read8(const struct hx_device *device, uint32_t offset) {
    return (uint8_t)hx_device_read(device, 0, offset, 1);
}

void hx_device_write8(const struct hx_device *device, uint32_t offset, uint8_t value) {
    hx_device_write(device, 0, offset, 1, value);
}

uint32_t hx_device_config(const struct hx_device *device, uint32_t offset) {
    const struct io_device *node = device->node;
    return node != NULL ? io_device_config(node, offset) : UINT32_MAX;
}

bool hx_device_is_pci(const struct hx_device *device) {
    const struct io_device *node = device->node;
    return node != NULL && node->function != IO_NO_FUNCTION;
}

enum hx_status hx_device_irq(struct hx_env *env, const struct hx_device *device,
                             void (*handler)(void *context), void *context, bool *out_is_message) {
    struct io_device *node = device->node;
    if (!is_granted(env, HX_CAPABILITY_IRQ)) {
        return HX_ERR_ACCESS_DENIED;
    }
    const uint32_t line = node != NULL ? io_device_line(node) : device->line;
    // Relaxed: this thread's own, just now.
    const bool is_message =
        node != NULL && atomic_load_explicit(&node->is_message, memory_order_relaxed);
    if (out_is_message != NULL) {
        *out_is_message = is_message;
    }
    const struct line_user user = {
        .env = env, .device = node, .handler = handler, .context = context
    };
    enum hx_status status = line_register(line, &user, hx_device_is_pci(device) && !is_message);
    if (status == HX_OK && node != NULL) {
        io_device_line_on(node);
    }
    return status;
}

enum hx_status hx_device_message(struct hx_env *env, const struct hx_device *device, uint32_t index,
                                 void (*handler)(void *context), void *context) {
    struct io_device *node = device->node;
    uint32_t line;
    if (!is_granted(env, HX_CAPABILITY_IRQ)) {
        return HX_ERR_ACCESS_DENIED;
    }
    enum hx_status status =
        node != NULL ? io_device_message(node, index, &line) : HX_ERR_NOT_SUPPORTED;
    if (status != HX_OK) {
        return status;
    }
    const struct line_user user = {
        .env = env, .device = node, .handler = handler, .context = context
    };
    return line_register(line, &user, false);
}

// The smallest order of frames that holds so many bytes.
static uint32_t order_of(size_t size_bytes) {
    uint32_t order = 0;
    while (((size_t)PAGE_SIZE << order) < size_bytes) {
        order++;
    }
    return order;
}

_Static_assert(DMA_BYTES_MAX <= (size_t)IO_DMA_PAGES_MAX << PAGE_SHIFT, "one call maps it");
_Static_assert(HX_DMA_PAGES_MAX == IO_DMA_PAGES_MAX, "the SDK's bound is that of subsys/io");

static enum hx_status memory_map(const struct hx_device *device, uint8_t *memory, size_t size_bytes,
                                 uint64_t *out_address) {
    const void *pages[DMA_BYTES_MAX >> PAGE_SHIFT];
    uint64_t addresses[DMA_BYTES_MAX >> PAGE_SHIFT];
    const uint32_t count = (uint32_t)(ALIGN_UP(size_bytes, (size_t)PAGE_SIZE) >> PAGE_SHIFT);
    if (device->node == NULL) {
        *out_address = hal_virt_to_phys(memory).value;
        return HX_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        pages[i] = memory + ((size_t)i << PAGE_SHIFT);
    }
    enum hx_status status =
        io_dma_map(device->node, pages, count, IO_DMA_READ | IO_DMA_WRITE, addresses);
    *out_address = status == HX_OK ? addresses[0] : 0;
    return status;
}

void *hx_dma_alloc(struct hx_env *env, const struct hx_device *device, size_t size_bytes,
                   uint64_t *out_address) {
    if (!is_granted(env, HX_CAPABILITY_DEVICES) || size_bytes == 0 || size_bytes > DMA_BYTES_MAX) {
        return NULL;
    }
    doom_pass();
    void *memory = ledger_pages_alloc(&env->ledger, order_of(size_bytes));
    if (memory != NULL && memory_map(device, memory, size_bytes, out_address) != HX_OK) {
        ledger_pages_free(&env->ledger, memory, false);
        memory = NULL;
    }
    return memory;
}

// What the device may go on to use is never anybody else's.
void hx_dma_free(struct hx_env *env, const struct hx_device *device, void *memory,
                 uint64_t address) {
    if (memory != NULL) {
        const bool is_lost = hx_dma_unmap(env, device, &address, 1) != HX_OK;
        ledger_pages_free(&env->ledger, memory, is_lost);
    }
}

enum hx_status hx_dma_map(struct hx_env *env, const struct hx_device *device,
                          const void *const *pages, uint32_t count, uint32_t access,
                          uint64_t *out_addresses) {
    doom_pass();
    if (!is_granted(env, HX_CAPABILITY_DEVICES)) {
        return HX_ERR_ACCESS_DENIED;
    }
    return device->node != NULL ? io_dma_map(device->node, pages, count,
                                             access & (HX_DMA_READ | HX_DMA_WRITE), out_addresses)
                                : HX_ERR_NOT_SUPPORTED;
}

enum hx_status hx_dma_unmap(struct hx_env *env, const struct hx_device *device,
                            const uint64_t *addresses, uint32_t count) {
    (void)env;
    doom_pass();
    return device->node != NULL ? io_dma_unmap(device->node, addresses, count) : HX_OK;
}

bool hx_dma_is_bound(const struct hx_device *device) {
    return device->node != NULL && io_dma_is_bound(device->node);
}

static bool is_in_page(size_t offset, size_t size_bytes) {
    return offset <= PAGE_SIZE && size_bytes <= PAGE_SIZE - offset;
}

OF_MODULE enum hx_status hx_page_read(struct hx_env *env, const void *page, size_t offset, void *to,
                                      size_t size_bytes) {
    (void)env;
    doom_pass();
    if (!is_in_page(offset, size_bytes)) {
        return HX_ERR_INVALID;
    }
    memcpy(to, (const uint8_t *)page + offset, size_bytes);
    return HX_OK;
}

OF_MODULE enum hx_status hx_page_write(struct hx_env *env, void *page, size_t offset,
                                       const void *from, size_t size_bytes) {
    (void)env;
    doom_pass();
    if (!is_in_page(offset, size_bytes)) {
        return HX_ERR_INVALID;
    }
    memcpy((uint8_t *)page + offset, from, size_bytes);
    return HX_OK;
}

#define RANDOM_PART 256u // bytes of the module's that are copied at once: the generator has locks

OF_MODULE enum hx_status hx_entropy_add(struct hx_env *env, const void *bytes, size_t size_bytes) {
    uint8_t part[RANDOM_PART];
    doom_pass();
    if (!is_granted(env, HX_CAPABILITY_ENTROPY)) {
        return HX_ERR_ACCESS_DENIED;
    }
    const bool was_weak = random_is_weak();
    for (size_t done = 0, length; done < size_bytes; done += length) {
        length = MIN_OF(sizeof(part), size_bytes - done);
        memcpy(part, (const uint8_t *)bytes + done, length);
        random_strengthen(part, length);
    }
    random_wipe(part, sizeof(part));
    if (was_weak && !random_is_weak()) {
        log_info("random: %s has seeded the generator", env->name);
    }
    return HX_OK;
}

OF_MODULE enum hx_status hx_random_fill(struct hx_env *env, void *to, size_t size_bytes) {
    uint8_t part[RANDOM_PART];
    if (!is_granted(env, HX_CAPABILITY_RANDOM)) {
        return HX_ERR_ACCESS_DENIED;
    }
    for (size_t done = 0, length; done < size_bytes; done += length) {
        length = MIN_OF(sizeof(part), size_bytes - done);
        random_bytes(part, length);
        memcpy((uint8_t *)to + done, part, length);
    }
    random_wipe(part, sizeof(part));
    return HX_OK;
}

static bool is_declared(const struct hx_module *module, const char *port) {
    for (uint32_t i = 0; i < module->provides_count; i++) {
        if (strcmp(module->provides[i].port, port) == 0) {
            return true;
        }
    }
    return false;
}

enum hx_status env_port_provide(struct hx_env *env, const char *port, const char *slot,
                                const void *operations, void *self) {
    struct port_provider provider = {
        .name = env->name,
        .slot = name_keep(slot), // who lists slots outlives the module's memory
        .operations = operations,
        .self = self,
        .supervisor = atomic_load_explicit(&env->gate->supervisor, memory_order_relaxed),
    };
    return provider.slot != NULL ? port_provide(port, &provider) : HX_ERR_NO_MEMORY;
}

enum hx_status env_port_agree(const struct hx_env *env, const char *port,
                              const struct hx_port_versions **out_versions,
                              const struct hx_port_minor **out_minor) {
    const struct hx_module *module = env->module;
    return is_declared(module, port)
               ? port_agree(port, module->provides, module->provides_count, out_versions, out_minor)
               : HX_ERR_INVALID;
}

enum hx_status hx_port_provide(struct hx_env *env, const char *port, const char *slot,
                               const void *operations, void *self) {
    const struct hx_port_versions *versions;
    const struct hx_port_minor *minor;
    enum hx_status status = env_port_agree(env, port, &versions, &minor);
    if (status != HX_OK || !port_is_older(versions, minor)) {
        return status == HX_OK ? env_port_provide(env, port, slot, operations, self) : status;
    }
    void *wide = heap_alloc(versions->minors[0].ops_bytes, MEMORY_SLEEP);
    if (wide == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    port_widen(wide, versions, minor, operations);
    status = env_port_provide(env, port, slot, wide, self);
    heap_free(wide);
    return status;
}
