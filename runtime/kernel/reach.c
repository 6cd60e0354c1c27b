// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/reach.c: what a module in ring 3 reaches of devices.
//
// A device is opened by the kernel for the module, as for one that runs there, and is its until its
// end; so are its lines and the memory that it reads and writes. The module has a number for it.
// Its registers are read and written by the kernel: a window of a device may share its page with
// another's. An interrupt is work for a worker.
#include "service_calls.h"

#include <hal/mmu.h>
#include <memory/account.h>
#include <memory/aspace.h>
#include <memory/heap.h>
#include <memory/object.h>
#include <memory/usercopy.h>

// Pages that a device sees, until they are given back or the module ends.
struct reached_memory {
    struct list link;
    uint32_t device;
    int64_t pages;     // that are charged
    struct uaddr user; // where the module has them
    void *memory;      // the ledger's
    uint64_t at_device;
};

static const struct lock_class reach_class = { "devices of a module", LOCK_RANK_LEAF, false };

void reach_init(struct reach *reach) {
    spinlock_init(&reach->lock, &reach_class);
    list_init(&reach->memory);
    list_init(&reach->lendings);
}

// ---- devices

const struct hx_device *reach_device(const struct reach *reach, uint64_t number) {
    // Acquire: it is filled in.
    return number < atomic_load_explicit(&reach->device_count, memory_order_acquire)
               ? &reach->devices[number]
               : NULL;
}

static const struct hx_device *device_at(const struct call *call) {
    return reach_device(&call->domain->reach, call->a);
}

// Its number; HX_ERR_LIMIT: it stays the module's, who cannot use it.
static int64_t device_note(struct reach *reach, const struct hx_device *device) {
    int64_t number = HX_ERR_LIMIT;
    spin_lock(&reach->lock);
    const uint32_t count = atomic_load_explicit(&reach->device_count, memory_order_relaxed);
    if (count < SERVICE_DEVICES_MAX) {
        reach->devices[count] = *device;
        atomic_store_explicit(&reach->device_count, count + 1, memory_order_release);
        number = count;
    }
    spin_unlock(&reach->lock);
    return number;
}

int64_t do_device_open(const struct call *call) {
    char name[SERVICE_NAME_BYTES];
    struct hx_device device;
    enum hx_status status = service_name_copy(name, call->a);
    if (status == HX_OK && call->b > UINT32_MAX) {
        status = HX_ERR_NOT_FOUND;
    }
    if (status == HX_OK) {
        status = hx_device_open(call->domain->env, name, (uint32_t)call->b, &device);
    }
    if (status != HX_OK) {
        return status;
    }
    const int64_t number = device_note(&call->domain->reach, &device);
    struct service_device it = { .is_pci = hx_device_is_pci(&device),
                                 .is_bound = hx_dma_is_bound(&device) };
    for (uint32_t i = 0; i < HX_DEVICE_WINDOWS; i++) {
        it.window_bytes[i] = device.windows[i].registers != NULL ? device.windows[i].size_bytes : 0;
    }
    status = copy_to_user(uaddr_make(call->c), &it, sizeof(it));
    return status == HX_OK ? number : status;
}
_Static_assert(HX_DEVICE_WINDOWS == ARRAY_SIZE(((struct service_device *)0)->window_bytes),
               "each has its size");

int64_t do_device_read(const struct call *call) {
    const struct hx_device *device = device_at(call);
    return device != NULL && call->b <= UINT32_MAX && call->c <= UINT32_MAX && call->d <= 4
               ? hx_device_read(device, (uint32_t)call->b, (uint32_t)call->c, (uint32_t)call->d)
               : UINT32_MAX;
}

int64_t do_device_write(const struct call *call) {
    const struct hx_device *device = device_at(call);
    if (device == NULL || call->b > UINT32_MAX || call->c > UINT32_MAX || call->d > 4) {
        return HX_ERR_INVALID;
    }
    hx_device_write(device, (uint32_t)call->b, (uint32_t)call->c, (uint32_t)call->d,
                    (uint32_t)call->e);
    return HX_OK;
}

int64_t do_device_config(const struct call *call) {
    const struct hx_device *device = device_at(call);
    return device != NULL && call->b <= UINT32_MAX ? hx_device_config(device, (uint32_t)call->b)
                                                   : UINT32_MAX;
}

// ---- interrupts

// In the line's thread, inside the module. The worker does not get to it: the module dies of that.
static void interrupt(void *context) {
    struct reached_line *line = context;
    struct work work = { .kind = SERVICE_WORK_INTERRUPT, .number = line->number };
    HX_IGNORE(link_do(line->domain, &work));
}

// What its number stands for, from now on; NULL: that is used, or none.
static struct reached_line *line_claim(struct domain *domain, uint64_t number) {
    struct reach *reach = &domain->reach;
    struct reached_line *line = NULL;
    spin_lock(&reach->lock);
    if (number < SERVICE_LINES_MAX && reach->lines[number].domain == NULL) {
        line = &reach->lines[number];
        *line = (struct reached_line){ domain, (uint32_t)number };
    }
    spin_unlock(&reach->lock);
    return line;
}

int64_t do_irq(const struct call *call) {
    struct reached_line *line = line_claim(call->domain, call->b);
    return line == NULL ? HX_ERR_INVALID
           : call->a > UINT32_MAX
               ? HX_ERR_NO_DEVICE
               : hx_irq_register(call->domain->env, (uint32_t)call->a, interrupt, line);
}

int64_t do_device_irq(const struct call *call) {
    const struct hx_device *device = device_at(call);
    struct reached_line *line = device != NULL ? line_claim(call->domain, call->b) : NULL;
    bool is_message = false;
    if (line == NULL) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status =
        hx_device_irq(call->domain->env, device, interrupt, line, &is_message);
    return status == HX_OK ? is_message : status;
}

int64_t do_device_message(const struct call *call) {
    const struct hx_device *device = device_at(call);
    struct reached_line *line = device != NULL ? line_claim(call->domain, call->c) : NULL;
    if (line == NULL || call->b > UINT32_MAX) {
        return HX_ERR_INVALID;
    }
    return hx_device_message(call->domain->env, device, (uint32_t)call->b, interrupt, line);
}

// ---- memory

static enum hx_status memory_show(struct aspace *aspace, struct reached_memory *memory,
                                  uint64_t bytes) {
    struct memory_object *object =
        memory_object_create_device(aspace->account, hal_virt_to_phys(memory->memory), bytes);
    if (object == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const struct aspace_map_request request = {
        .size_bytes = bytes,
        .protection = ASPACE_READ | ASPACE_WRITE,
        .protection_max = ASPACE_READ | ASPACE_WRITE,
        .flags = ASPACE_SHARED | ASPACE_NO_FORK,
        .object = object,
    };
    const enum hx_status status = aspace_map(aspace, &request, &memory->user);
    memory_object_put(object);
    return status;
}

// Nobody has it any more: its pages go back, unless the device may go on to use them.
static void memory_end(struct domain *domain, struct reached_memory *memory) {
    struct aspace *aspace = domain->process->aspace;
    HX_IGNORE(aspace_unmap(aspace, memory->user, (uint64_t)memory->pages << PAGE_SHIFT));
    hx_dma_free(domain->env, &domain->reach.devices[memory->device], memory->memory,
                memory->at_device);
    account_release(aspace->account, ACCOUNT_FRAMES, memory->pages);
    heap_free(memory);
}

// Charged, mapped, and in the list; what fails leaves nothing.
static enum hx_status memory_make(struct domain *domain, struct reached_memory *memory,
                                  size_t bytes) {
    struct aspace *aspace = domain->process->aspace;
    const struct hx_device *device = &domain->reach.devices[memory->device];
    enum hx_status status = account_charge(aspace->account, ACCOUNT_FRAMES, memory->pages);
    if (status != HX_OK) {
        return status;
    }
    memory->memory = hx_dma_alloc(domain->env, device, bytes, &memory->at_device);
    status = memory->memory != NULL
                 ? memory_show(aspace, memory, (uint64_t)memory->pages << PAGE_SHIFT)
                 : HX_ERR_NO_MEMORY;
    if (status != HX_OK) {
        hx_dma_free(domain->env, device, memory->memory, memory->at_device);
        account_release(aspace->account, ACCOUNT_FRAMES, memory->pages);
        return status;
    }
    spin_lock(&domain->reach.lock);
    list_push_back(&domain->reach.memory, &memory->link);
    spin_unlock(&domain->reach.lock);
    return HX_OK;
}

int64_t do_dma_alloc(const struct call *call) {
    if (device_at(call) == NULL || call->b == 0 || call->b > SERVICE_DMA_MAX) {
        return HX_ERR_INVALID;
    }
    struct reached_memory *memory = heap_alloc_zero(sizeof(*memory), MEMORY_SLEEP);
    if (memory == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    memory->device = (uint32_t)call->a;
    memory->pages = (int64_t)(ALIGN_UP(call->b, (uint64_t)PAGE_SIZE) >> PAGE_SHIFT);
    enum hx_status status = memory_make(call->domain, memory, call->b);
    if (status != HX_OK) {
        heap_free(memory);
        return status;
    }
    const struct service_dma it = { memory->user.value, memory->at_device };
    return copy_to_user(uaddr_make(call->c), &it, sizeof(it));
}

static struct reached_memory *memory_take(struct reach *reach, uint64_t user) {
    struct reached_memory *found = NULL;
    spin_lock(&reach->lock);
    list_for_each (link, &reach->memory) {
        struct reached_memory *memory = LIST_ENTRY(link, struct reached_memory, link);
        if (memory->user.value == user) {
            found = memory;
            list_remove(link);
            break;
        }
    }
    spin_unlock(&reach->lock);
    return found;
}

int64_t do_dma_free(const struct call *call) {
    struct reached_memory *memory = memory_take(&call->domain->reach, call->a);
    if (memory == NULL) {
        return HX_ERR_INVALID;
    }
    memory_end(call->domain, memory);
    return HX_OK;
}

// ---- the end

// Its devices are not quiet yet: the pages stay the ledger's, but the module's no more.
void reach_end(struct domain *domain) {
    struct list *link;
    while ((link = list_pop_front(&domain->reach.memory)) != NULL) {
        struct reached_memory *memory = LIST_ENTRY(link, struct reached_memory, link);
        struct aspace *aspace = domain->process->aspace;
        HX_IGNORE(aspace_unmap(aspace, memory->user, (uint64_t)memory->pages << PAGE_SHIFT));
        account_release(aspace->account, ACCOUNT_FRAMES, memory->pages);
        heap_free(memory);
    }
    borrowings_free(&domain->reach);
}
