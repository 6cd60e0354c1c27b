// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/domain.c: the process of a module in ring 3, for one life of the module.
//
// In its address space lie the host (runtime/service), the module's package, each with the rights
// that it has in the kernel, the workers' stacks and areas, and what the module allocates. There is
// no name space, no descriptor, no handle.
#include "isolated.h"

#include <core/gate.h>
#include <core/log.h>
#include <core/random.h>
#include <helix/package.h>
#include <lib/string.h>
#include <memory/account.h>
#include <memory/aspace.h>
#include <memory/frame.h>
#include <memory/heap.h>

#define STACK_BYTES  ((uint64_t)64 << 10)
#define STACKS_START ((uint64_t)0x30000000)
#define STACKS_STEP  (STACK_BYTES * 2) // a guard below each
#define MEMORY_PART  4u                // one of so many
#define POOL_START   ((uint64_t)0x38000000)

// ---- what lies there

static enum hx_status map_fixed(struct aspace *aspace, uint64_t at, uint64_t bytes,
                                uint32_t protection_max) {
    struct uaddr address;
    const struct aspace_map_request request = {
        .hint = uaddr_make(at),
        .size_bytes = bytes,
        .protection = ASPACE_READ | ASPACE_WRITE,
        .protection_max = protection_max,
        .flags = ASPACE_FIXED | ASPACE_NO_FORK,
    };
    return aspace_map(aspace, &request, &address);
}

static uint32_t protection_of(uint32_t elf_rights) {
    return ASPACE_READ | ((elf_rights & ELF_SEGMENT_WRITE) != 0 ? ASPACE_WRITE : 0) |
           ((elf_rights & ELF_SEGMENT_EXECUTE) != 0 ? ASPACE_EXECUTE : 0);
}

// Written first, then each part gets its rights: none can be written and executed at any time.
static enum hx_status image_map(struct aspace *aspace, const struct user_image *image) {
    const uint64_t at = image->address;
    enum hx_status status =
        map_fixed(aspace, at, image->span_bytes, ASPACE_READ | ASPACE_WRITE | ASPACE_EXECUTE);
    if (status == HX_OK) {
        status = aspace_write_other(aspace, uaddr_make(at), image->bytes, image->span_bytes);
    }
    uintptr_t guard;
    random_bytes(&guard, sizeof(guard));
    if (status == HX_OK) {
        status = aspace_write_other(aspace, uaddr_make(image->guard), &guard, sizeof(guard));
    }
    for (uint32_t i = 0; i < image->part_count && status == HX_OK; i++) {
        const struct package_part *part = &image->parts[i];
        status = aspace_protect(aspace, uaddr_make(at + part->offset), part->size_bytes,
                                protection_of(part->rights));
    }
    return status;
}

// Nothing is there, and nothing will be.
static enum hx_status names_reserve(struct aspace *aspace) {
    struct uaddr address;
    const struct aspace_map_request request = {
        .hint = uaddr_make(SERVICE_ADDRESS_LENT),
        .size_bytes = (uint64_t)SERVICE_SLOTS_MAX * SERVICE_LENT_MAX << PAGE_SHIFT,
        .flags = ASPACE_FIXED | ASPACE_NO_FORK,
    };
    return aspace_map(aspace, &request, &address);
}

static enum hx_status fill(struct domain *domain, struct aspace *aspace) {
    const uint64_t pool_bytes = (uint64_t)SERVICE_POOL_PAGES * PAGE_SIZE;
    const struct user_image *host;
    enum hx_status status = host_image(&host);
    if (status == HX_OK) {
        status = image_map(aspace, host);
    }
    if (status == HX_OK) {
        status = image_map(aspace, &domain->env->package->image);
    }
    if (status == HX_OK) {
        status = names_reserve(aspace);
    }
    if (status == HX_OK) {
        domain->pool = uaddr_make(POOL_START);
        status = map_fixed(aspace, POOL_START, pool_bytes, ASPACE_READ | ASPACE_WRITE);
    }
    return status;
}

// ---- workers

struct uaddr domain_area(const struct worker *worker) {
    return uaddr_add(worker->domain->pool,
                     (uint64_t)worker->number * SERVICE_AREA_PAGES * PAGE_SIZE);
}

// A place for one more; NULL: there is none, or it is over.
static struct worker *worker_place(struct domain *domain) {
    struct link *link = &domain->link;
    spin_lock(&link->lock);
    struct worker *worker = domain->worker_count < SERVICE_WORKERS_MAX && !link->is_dead
                                ? &domain->workers[domain->worker_count]
                                : NULL;
    if (worker != NULL) {
        worker->domain = domain;
        worker->number = domain->worker_count++;
    }
    spin_unlock(&link->lock);
    return worker;
}

static enum hx_status worker_start(struct worker *worker) {
    struct domain *domain = worker->domain;
    const uint64_t stack = STACKS_START + worker->number * STACKS_STEP + STACKS_STEP - STACK_BYTES;
    const struct user_image *host;
    struct hal_frame frame;
    worker->event = heap_alloc(2 * (size_t)SERVICE_PAGE_REPLY * PAGE_SIZE, MEMORY_SLEEP);
    if (worker->event == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = host_image(&host);
    if (status == HX_OK) {
        status = map_fixed(domain->process->aspace, stack, STACK_BYTES, ASPACE_READ | ASPACE_WRITE);
    }
    if (status != HX_OK) {
        return status;
    }
    hal_frame_init_user(&frame, host->start, stack + STACK_BYTES - 64);
    status = user_thread_create(domain->process, domain->env->name, &service_thread_ops, &frame,
                                NULL, NULL, worker, &worker->thread);
    if (status == HX_OK) {
        object_get(&worker->thread->thread.object);
        user_thread_start(worker->thread);
    }
    return status;
}

// A worker that does not start leaves its place empty: the others do the work.
void domain_worker_add(struct domain *domain) {
    struct worker *worker = worker_place(domain);
    if (worker != NULL && worker_start(worker) != HX_OK) {
        log_warning("module %s: no memory for one more thread", domain->env->name);
    }
}

// ---- its life

// A module that takes more than that of the machine's memory has lost its way, and dies of it.
static void limit_memory(struct account *account) {
    struct frame_stats stats;
    frame_stats(&stats);
    account_limit_set(account, ACCOUNT_FRAMES, (int64_t)(stats.total / MEMORY_PART));
}

static enum hx_status process_make(struct domain *domain) {
    static struct name_spaces *nothing; // [lives_lock] to be named
    struct account *account = NULL;
    if (nothing == NULL) {
        nothing = name_spaces_create(NULL, NULL, NULL, NULL);
    }
    if (nothing == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = account_create(&account_root, domain->env->name, NULL, false, &account);
    if (status != HX_OK) {
        return status;
    }
    limit_memory(account);
    struct aspace *aspace = aspace_create(account);
    status = aspace != NULL ? process_create(aspace, account, nothing, &domain->process)
                            : HX_ERR_NO_MEMORY;
    if (status == HX_OK) {
        status = fill(domain, aspace);
    }
    if (aspace != NULL) {
        aspace_put(aspace);
    }
    object_put(&account->object);
    return status;
}

enum hx_status domain_create(struct hx_env *env, struct domain **out_domain) {
    struct domain *domain = heap_alloc_zero(sizeof(*domain), MEMORY_SLEEP);
    if (domain == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    domain->env = env;
    link_init(&domain->link);
    waitable_init(&domain->words, 0);
    twin_init(&domain->twin);
    reach_init(&domain->reach);
    enum hx_status status = process_make(domain);
    if (status == HX_OK) {
        struct worker *first = worker_place(domain);
        status = worker_start(first);
    }
    if (status != HX_OK) {
        domain_end(domain);
        return status;
    }
    *out_domain = domain;
    return HX_OK;
}

static void workers_kill(struct process *process) {
    const unsigned long irq = spin_lock_irq(&process->thread_lock);
    list_for_each (link, &process->threads) {
        thread_notify(&LIST_ENTRY(link, struct user_thread, process_link)->thread, THREAD_KILL);
    }
    spin_unlock_irq(&process->thread_lock, irq);
}

void domain_kill(struct domain *domain) {
    link_end(domain);
    if (domain->process != NULL) {
        workers_kill(domain->process);
    }
}

// The slots are dead before anybody comes out: who calls next waits for the next life. The domain
// stays as long as the caller is inside the module, or one of its workers.
void domain_die(struct domain *domain, const struct gate_death *death) {
    char text[GATE_DEATH_BYTES];
    log_error("module %s, in ring 3: %s", domain->env->name,
              gate_death_text(death, text, sizeof(text)));
    gate_kill_module(domain->env->gate, death);
    domain_kill(domain);
}

// One that is being added meanwhile is seen: who adds it is inside the module or a worker itself.
static void workers_end(struct process *process) {
    for (;;) {
        const uint32_t sequence = waitable_sequence(&process->threads_changed);
        workers_kill(process);
        if (process_thread_count(process) == 0) {
            return;
        }
        HX_IGNORE(wait_change(&process->threads_changed, sequence, TIME_NEVER, 0));
    }
}

void domain_stop(struct domain *domain) {
    link_end(domain);
    if (domain->process != NULL) {
        workers_end(domain->process);
    }
}

void domain_end(struct domain *domain) {
    if (domain == NULL) {
        return;
    }
    domain_stop(domain);
    for (uint32_t i = 0; i < SERVICE_WORKERS_MAX; i++) {
        struct worker *worker = &domain->workers[i];
        if (worker->thread != NULL) {
            user_thread_put(worker->thread);
        }
        heap_free(worker->event);
    }
    slots_free(domain);
    if (domain->process != NULL) {
        reach_end(domain);
        process_put(domain->process);
    }
    heap_free(domain);
}
