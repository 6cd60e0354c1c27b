// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/lines.c: interrupt lines and the handlers of modules that hear them. Lines of PCI
// are shared.
#include "private.h"

#include <core/gate.h>
#include <core/irq.h>
#include <core/lock.h>
#include <io/device.h>
#include <memory/heap.h>

struct listener {
    struct irq irq; // of the first one of a line
    struct line_user user;
    uint32_t line;
    bool is_shared;
    bool is_silent;                  // the line's thread: its module is dead
    _Atomic(struct listener *) next; // of the same line
    struct list link;                // [lines_lock] of the first ones
};

// Outside a module's own locks: its init may hold some.
static const struct lock_class lines_class = { "shared lines", LOCK_RANK_MODULE + 1, false };
static struct mutex lines_lock = { .lock_class = &lines_class };
static struct list lines = LIST_INIT(lines); // [lines_lock]

static int64_t call_inside(void *argument) {
    const struct listener *listener = argument;
    listener->user.handler(listener->user.context);
    return HX_OK;
}

// False: its module is dead. A call that was refused on purpose (INJECT_METHOD) is made again: the
// device wants attention all the same.
static bool listener_call(struct listener *listener) {
    if (listener->user.env == NULL) {
        listener->user.handler(listener->user.context);
        return true;
    }
    struct gate *gate = listener->user.env->gate;
    while (gate_call(gate, call_inside, listener) != HX_OK) {
        if (gate_is_dead(gate)) {
            return false;
        }
    }
    return true;
}

// In the interrupt's thread. Nobody makes the device of a dead module quiet but we: one on PCI
// pulls its line no more, and those who share it are heard on. Another one's line stays masked, for
// good.
static void line_handle(void *argument) {
    const struct listener *first = argument;
    struct listener *listener = argument;
    do {
        if (!listener->is_silent && !listener_call(listener)) {
            listener->is_silent = true;
            if (listener->user.device != NULL) {
                io_device_silence(listener->user.device);
            }
        }
        // Acquire: who is found is filled in.
        listener = atomic_load_explicit(&listener->next, memory_order_acquire);
    } while (listener != NULL);
    if (first->is_silent && !first->is_shared) {
        thread_exit();
    }
}

static enum hx_status line_take(struct listener *listener) {
    void *stack = kernel_stack_alloc(THREAD_STACK_BYTES);
    if (stack == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const struct hx_env *env = listener->user.env;
    const char *name = env != NULL ? env->module->name : "io";
    enum hx_status status = irq_register(&listener->irq, listener->line, name, stack,
                                         THREAD_STACK_BYTES, line_handle, listener);
    if (status != HX_OK) {
        kernel_stack_free(stack, THREAD_STACK_BYTES);
    }
    return status;
}

// Behind the others of its line. False: the line has none who shares it.
static bool line_join(struct listener *listener) {
    list_for_each (link, &lines) {
        struct listener *last = LIST_ENTRY(link, struct listener, link);
        if (last->line == listener->line && last->is_shared && listener->is_shared) {
            struct listener *next;
            while ((next = atomic_load_explicit(&last->next, memory_order_relaxed)) != NULL) {
                last = next;
            }
            atomic_store_explicit(&last->next, listener, memory_order_release);
            return true;
        }
    }
    return false;
}

enum hx_status line_register(uint32_t line, const struct line_user *user, bool is_shared) {
    struct listener *listener = heap_alloc_zero(sizeof(*listener), MEMORY_SLEEP);
    if (listener == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    listener->user = *user;
    listener->line = line;
    listener->is_shared = is_shared;
    enum hx_status status = HX_OK;
    mutex_lock(&lines_lock);
    if (!line_join(listener)) {
        status = line_take(listener);
        if (status == HX_OK) {
            list_push_back(&lines, &listener->link);
        }
    }
    mutex_unlock(&lines_lock);
    if (status != HX_OK) {
        heap_free(listener);
    }
    return status;
}
