// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/service.c: what a module in ring 3 asks the kernel for: the functions of its SDK,
// and nothing else. Each is the kernel's own one, called with what was copied in.
#include "service_calls.h"

#include <core/cpu.h>
#include <core/gate.h>
#include <core/log.h>
#include <core/time.h>
#include <lib/string.h>
#include <memory/aspace.h>
#include <memory/usercopy.h>

// ---- its end

void worker_exit(void) {
    struct user_thread *thread = user_thread_current();
    (void)user_thread_leave(thread);
    thread_exit();
}

static void die(struct worker *worker, const struct gate_death *death) {
    domain_die(worker->domain, death);
    worker_exit();
}

static bool lies_in(const struct user_image *image, uint64_t pc, uint64_t *out_offset) {
    *out_offset = pc - image->address;
    return *out_offset < image->span_bytes;
}

// At a place in the code of the module or of the host that carries it; or in neither, where it has
// jumped.
static void die_at(struct worker *worker, const char *what, uint64_t pc, uint64_t address) {
    const struct hx_env *env = worker->domain->env;
    const struct user_image *host;
    struct gate_death death = { time_now(), what, "nowhere", pc, address, true };
    if (lies_in(&env->package->image, pc, &death.offset)) {
        death.symbol = env->name;
    } else if (host_image(&host) == HX_OK && lies_in(host, pc, &death.offset)) {
        death.symbol = "host";
    } else {
        death.offset = pc;
    }
    die(worker, &death);
}

// ---- calls

static int64_t do_area(const struct call *call) {
    return (int64_t)domain_area(call->worker).value;
}

static int64_t do_pool(const struct call *call) {
    return (int64_t)call->domain->pool.value;
}

static int64_t do_next(const struct call *call) {
    const enum hx_status status = link_next(call->worker);
    if (status == HX_ERR_BAD_ADDRESS) {
        die(call->worker, &(struct gate_death){ .at = time_now(), .what = "its area is gone" });
    }
    if (status != HX_OK) {
        worker_exit();
    }
    return HX_OK;
}

enum hx_status service_name_copy(char to[SERVICE_NAME_BYTES], uint64_t from) {
    size_t length;
    enum hx_status status =
        copy_string_from_user(to, uaddr_make(from), SERVICE_NAME_BYTES, &length);
    return status == HX_ERR_NAME_TOO_LONG || (status == HX_OK && length == 0) ? HX_ERR_INVALID
                                                                              : status;
}

// In its init and start alone: afterwards nobody looks for slots that are new.
static int64_t do_provide(const struct call *call) {
    char port[SERVICE_NAME_BYTES], slot[SERVICE_NAME_BYTES];
    enum hx_status status =
        link_begins(call->worker) ? service_name_copy(port, call->a) : HX_ERR_BUSY;
    if (status == HX_OK) {
        status = service_name_copy(slot, call->b);
    }
    return status == HX_OK && call->c < SERVICE_SLOTS_MAX
               ? slot_provide(call->domain, port, slot, (uint32_t)call->c)
           : status != HX_OK ? status
                             : HX_ERR_INVALID;
}

static enum hx_status body_copy(const struct call *call, const struct wire_message *message) {
    const uint32_t most = slot_event_bytes(call->domain, (uint32_t)call->a);
    if (message->inline_bytes != WIRE_PAGED) {
        return HX_OK;
    }
    if (message->body_bytes > most || message->body_page >= SERVICE_POOL_PAGES) {
        return HX_ERR_CORRUPT;
    }
    return copy_from_user(call->worker->event,
                          uaddr_add(call->domain->pool, (uint64_t)message->body_page * PAGE_SIZE),
                          message->body_bytes);
}

static int64_t do_event(const struct call *call) {
    struct wire_message message;
    if (call->a >= SERVICE_SLOTS_MAX) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = copy_from_user(&message, uaddr_make(call->b), sizeof(message));
    if (status == HX_OK) {
        status = body_copy(call, &message);
    }
    return status == HX_OK ? slot_event(call->worker, (uint32_t)call->a, &message) : status;
}

static int64_t do_log(const struct call *call) {
    char text[SERVICE_LINE_BYTES];
    if (call->c >= sizeof(text)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = copy_from_user(text, uaddr_make(call->b), call->c);
    if (status != HX_OK) {
        return status;
    }
    text[call->c] = '\0';
    for (uint32_t i = 0; i < call->c; i++) { // one line, and no commands for a terminal
        if (text[i] < ' ' || text[i] > '~') {
            text[i] = ' ';
        }
    }
    const uint64_t level = MIN_OF(MAX_OF(call->a, (uint64_t)HX_LOG_ERROR), (uint64_t)HX_LOG_DEBUG);
    hx_log(call->domain->env, (enum hx_log_level)level, "%s", text);
    return HX_OK;
}

static int64_t do_memory(const struct call *call) {
    struct uaddr address;
    const struct aspace_map_request request = {
        .size_bytes = call->a,
        .protection = ASPACE_READ | ASPACE_WRITE,
        .protection_max = ASPACE_READ | ASPACE_WRITE,
        .flags = ASPACE_NO_FORK,
    };
    if (call->a == 0 || call->a > SERVICE_MEMORY_MAX) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = aspace_map(call->domain->process->aspace, &request, &address);
    return status == HX_OK ? (int64_t)address.value : status;
}

// Whatever lies there is the module's own.
static int64_t do_give(const struct call *call) {
    return call->a % PAGE_SIZE == 0 && call->b % PAGE_SIZE == 0
               ? aspace_unmap(call->domain->process->aspace, uaddr_make(call->a), call->b)
               : HX_ERR_INVALID;
}

// Who wakes has changed the word before.
static int64_t do_wait(const struct call *call) {
    struct waitable *words = &call->domain->words;
    uint32_t value;
    const uint32_t sequence = waitable_sequence(words);
    enum hx_status status = user_load32(uaddr_make(call->a), &value);
    if (status != HX_OK || value != (uint32_t)call->b) {
        return status;
    }
    return wait_change(words, sequence, TIME_NEVER, WAIT_KILLABLE);
}

static int64_t do_wake(const struct call *call) {
    waitable_pulse(&call->domain->words);
    return HX_OK;
}

static int64_t do_time(const struct call *call) {
    (void)call;
    return time_now();
}

static int64_t do_cpu(const struct call *call) {
    (void)call;
    return hx_cpu_current();
}

static int64_t do_cpus(const struct call *call) {
    (void)call;
    return hx_cpu_count();
}

static int64_t do_random(const struct call *call) {
    uint8_t bytes[SERVICE_RANDOM_MAX];
    if (call->b > sizeof(bytes)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = hx_random_fill(call->domain->env, bytes, call->b);
    return status == HX_OK ? copy_to_user(uaddr_make(call->a), bytes, call->b) : status;
}

static int64_t do_entropy(const struct call *call) {
    uint8_t bytes[SERVICE_RANDOM_MAX];
    if (call->b > sizeof(bytes)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = copy_from_user(bytes, uaddr_make(call->a), call->b);
    return status == HX_OK ? hx_entropy_add(call->domain->env, bytes, call->b) : status;
}

static int64_t do_in8(const struct call *call) {
    return call->a <= UINT16_MAX ? hx_io_port_read8(call->domain->env, (uint16_t)call->a)
                                 : HX_ERR_INVALID;
}

static int64_t do_out8(const struct call *call) {
    if (call->a > UINT16_MAX || call->b > UINT8_MAX) {
        return HX_ERR_INVALID;
    }
    hx_io_port_write8(call->domain->env, (uint16_t)call->a, (uint8_t)call->b);
    return HX_OK;
}

static int64_t do_arena(const struct call *call) {
    return twin_call(call->domain, call->a, call->b, call->c);
}

static service_function *const functions[] = {
    [SERVICE_AREA - SERVICE_CALL_FIRST] = do_area,
    [SERVICE_POOL - SERVICE_CALL_FIRST] = do_pool,
    [SERVICE_NEXT - SERVICE_CALL_FIRST] = do_next,
    [SERVICE_PROVIDE - SERVICE_CALL_FIRST] = do_provide,
    [SERVICE_EVENT - SERVICE_CALL_FIRST] = do_event,
    [SERVICE_LOG - SERVICE_CALL_FIRST] = do_log,
    [SERVICE_MEMORY - SERVICE_CALL_FIRST] = do_memory,
    [SERVICE_GIVE - SERVICE_CALL_FIRST] = do_give,
    [SERVICE_WAIT - SERVICE_CALL_FIRST] = do_wait,
    [SERVICE_WAKE - SERVICE_CALL_FIRST] = do_wake,
    [SERVICE_TIME - SERVICE_CALL_FIRST] = do_time,
    [SERVICE_CPU - SERVICE_CALL_FIRST] = do_cpu,
    [SERVICE_CPUS - SERVICE_CALL_FIRST] = do_cpus,
    [SERVICE_RANDOM - SERVICE_CALL_FIRST] = do_random,
    [SERVICE_ENTROPY - SERVICE_CALL_FIRST] = do_entropy,
    [SERVICE_IN8 - SERVICE_CALL_FIRST] = do_in8,
    [SERVICE_OUT8 - SERVICE_CALL_FIRST] = do_out8,
    [SERVICE_ARENA - SERVICE_CALL_FIRST] = do_arena,
    [SERVICE_DEVICE_OPEN - SERVICE_CALL_FIRST] = do_device_open,
    [SERVICE_DEVICE_READ - SERVICE_CALL_FIRST] = do_device_read,
    [SERVICE_DEVICE_WRITE - SERVICE_CALL_FIRST] = do_device_write,
    [SERVICE_DEVICE_CONFIG - SERVICE_CALL_FIRST] = do_device_config,
    [SERVICE_IRQ - SERVICE_CALL_FIRST] = do_irq,
    [SERVICE_DEVICE_IRQ - SERVICE_CALL_FIRST] = do_device_irq,
    [SERVICE_DEVICE_MESSAGE - SERVICE_CALL_FIRST] = do_device_message,
    [SERVICE_DMA_ALLOC - SERVICE_CALL_FIRST] = do_dma_alloc,
    [SERVICE_DMA_FREE - SERVICE_CALL_FIRST] = do_dma_free,
    [SERVICE_DMA_MAP - SERVICE_CALL_FIRST] = do_dma_map,
    [SERVICE_DMA_UNMAP - SERVICE_CALL_FIRST] = do_dma_unmap,
    [SERVICE_PAGE_READ - SERVICE_CALL_FIRST] = do_page_read,
    [SERVICE_PAGE_WRITE - SERVICE_CALL_FIRST] = do_page_write,
};
_Static_assert(ARRAY_SIZE(functions) == SERVICE_CALL_END - SERVICE_CALL_FIRST, "each has one");

// ---- its thread

// Its answer is that it goes on elsewhere, on the stack that it has: module_doom().
static void doom(const struct call *call, struct hal_frame *frame) {
    const struct gate *gate = call->domain->env->gate;
    enum service_doom kind;
    if (!doom_due(gate_module(gate), &kind)) {
        return;
    }
    if (kind >= SERVICE_DOOM_PLACES) {
        die_at(call->worker, "assertion", hal_frame_pc(frame), 0);
    }
    hal_frame_init_user(frame, host_doom(kind), ALIGN_DOWN(hal_frame_sp(frame), 16) - 64);
}

static void service_syscall(struct thread *thread, struct hal_frame *frame) {
    const uint64_t number = hal_frame_syscall_number(frame) - SERVICE_CALL_FIRST;
    struct worker *worker = thread->personality;
    const struct call call = {
        .worker = worker,
        .domain = worker->domain,
        .a = hal_frame_argument(frame, 0),
        .b = hal_frame_argument(frame, 1),
        .c = hal_frame_argument(frame, 2),
        .d = hal_frame_argument(frame, 3),
        .e = hal_frame_argument(frame, 4),
    };
    if (number >= ARRAY_SIZE(functions)) {
        die_at(worker, "a call of the kernel's that it may not make", hal_frame_pc(frame), 0);
    }
    hal_frame_set_result(frame, functions[number](&call));
    // A worker that asks for its area has nothing to do yet: nobody would miss it.
    if (number != SERVICE_AREA - SERVICE_CALL_FIRST &&
        atomic_load_explicit(&doom_left, memory_order_relaxed) != 0) {
        doom(&call, frame);
    }
}

static void service_fault(struct thread *thread, struct hal_frame *frame,
                          const struct hal_fault *fault) {
    die_at(thread->personality, gate_fault_name(fault->kind), hal_frame_pc(frame),
           fault->kind == HAL_FAULT_PAGE ? fault->address : 0);
}

// There is no memory for a module's page: it dies of that, and is started anew if its rule says so.
static bool service_copy_waits(struct thread *thread, time_ns_t since) {
    (void)thread;
    (void)since;
    return false;
}

static void service_stop_point(struct thread *thread, struct hal_frame *frame) {
    (void)frame;
    if ((thread_attention(thread) & THREAD_KILL) != 0) {
        worker_exit();
    }
    thread_attention_clear(thread, THREAD_SIGNAL | THREAD_STOP | THREAD_RUNS); // nobody's here
}

const struct thread_ops service_thread_ops = {
    .syscall = service_syscall,
    .fault = service_fault,
    .copy_waits = service_copy_waits,
    .stop_point = service_stop_point,
};
