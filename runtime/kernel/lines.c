// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/lines.c: interrupt lines and the handlers of modules that hear them. Lines of PCI
// are shared.
//
// A line, its thread and its listeners stay for good. What a listener calls is taken away when its
// module dies, and is there again when the module, started anew, listens again; once the module is
// unloaded, whoever has its device next may have the listener:
//
//   state     by                          to
//   HEARS     the module is dead          SILENT: its device on PCI, or what stands there for an
//                                         ISA device, is made quiet; another's line stays masked
//   any       lines_silence()             SILENT: nobody is inside the module; its handler is gone
//   SILENT    lines_forget()              NOBODY'S: its thread does not look at the module any more
//   SILENT    line_register() by it       HEARS
//   NOBODY'S  line_register()             HEARS
//
#include "private.h"

#include <core/gate.h>
#include <core/irq.h>
#include <core/lock.h>
#include <hal/irq.h>
#include <io/device.h>
#include <memory/heap.h>

struct listener {
    struct irq irq;        // of the first one of a line
    struct line_user user; // changed while it is silent; its gate is dead then
    uint32_t line;
    bool is_shared;
    bool is_nobodys; // [lines_lock]
    _Atomic bool is_silent;
    struct mutex calls;              // while its thread looks at the module, or is inside
    struct waitable heard;           // pulsed when it is not any more
    _Atomic(struct listener *) next; // of the same line
    struct list link;                // [lines_lock] of the first ones
};

// Outside a module's own locks: its init may hold some.
static const struct lock_class lines_class = { "shared lines", LOCK_RANK_MODULE + 1, false };
// Outside whatever a handler takes.
static const struct lock_class calls_class = { "calls of listeners", LOCK_RANK_PROCESS_TREE - 5,
                                               false };
static struct mutex lines_lock = { .lock_class = &lines_class };
static struct list lines = LIST_INIT(lines); // [lines_lock]

// Acquire: what it calls is there.
static bool is_silent(const struct listener *listener) {
    return atomic_load_explicit(&listener->is_silent, memory_order_acquire);
}

static int64_t call_inside(void *argument) {
    const struct listener *listener = argument;
    // Inside, so that it is not taken away meanwhile. Looked at anew: who waited at the gate may
    // have come in before the module's next life says what is called.
    if (!is_silent(listener)) {
        listener->user.handler(listener->user.context);
    }
    return HX_OK;
}

// False: its module is dead. A call that was refused on purpose (INJECT_METHOD) is made again: the
// device wants attention all the same.
static bool module_call(struct listener *listener) {
    struct gate *gate = listener->user.env->gate;
    while (gate_call(gate, call_inside, listener) != HX_OK) {
        if (gate_is_dead(gate)) {
            return false;
        }
    }
    return true;
}

// The same; who is silent has nobody to be called.
static bool listener_call(struct listener *listener) {
    bool is_alive = true;
    mutex_lock(&listener->calls);
    if (is_silent(listener)) {
        // Unloaded, perhaps, since the caller looked.
    } else if (listener->user.env == NULL) {
        listener->user.handler(listener->user.context);
    } else {
        is_alive = module_call(listener);
    }
    mutex_unlock(&listener->calls);
    return is_alive;
}

// Until somebody hears a line that nobody shares: it is masked meanwhile.
static void listener_wait(struct listener *listener) {
    for (;;) {
        const uint32_t sequence = waitable_sequence(&listener->heard);
        if (!is_silent(listener)) {
            return;
        }
        HX_IGNORE(wait_change(&listener->heard, sequence, TIME_NEVER, 0)); // without flags
    }
}

// Its module is dead: a device on PCI pulls its line no more, and those who share it are heard on.
// Unless the module was started anew meanwhile: then the device is another life's.
static void listener_end(struct listener *listener) {
    mutex_lock(&lines_lock);
    if (!is_silent(listener) && gate_is_dead(listener->user.env->gate)) {
        if (listener->user.device != NULL) {
            io_device_line_off(listener->user.device);
        } else {
            hal_irq_isa_pull(listener->user.isa, false);
        }
        atomic_store_explicit(&listener->is_silent, true, memory_order_relaxed);
    }
    mutex_unlock(&lines_lock);
}

// In the interrupt's thread.
static void line_handle(void *argument) {
    struct listener *first = argument;
    struct listener *listener = argument;
    do {
        if (!is_silent(listener) && !listener_call(listener)) {
            listener_end(listener);
        }
        // Acquire: who is found is filled in.
        listener = atomic_load_explicit(&listener->next, memory_order_acquire);
    } while (listener != NULL);
    if (!first->is_shared) {
        listener_wait(first);
    }
}

static enum hx_status line_take(struct listener *listener) {
    void *stack = kernel_stack_alloc(THREAD_STACK_BYTES);
    if (stack == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const struct hx_env *env = listener->user.env;
    const char *name = env != NULL ? env->name : "io";
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

// What a module that was started anew listened to before, as it does now, or somebody who is not
// there any more; NULL: nobody did.
static struct listener *listener_find(uint32_t line, const struct line_user *user) {
    list_for_each (link, &lines) {
        struct listener *listener = LIST_ENTRY(link, struct listener, link);
        do {
            if (listener->line == line && listener->user.device == user->device &&
                (listener->is_nobodys || listener->user.env == user->env) && is_silent(listener)) {
                return listener;
            }
            listener = atomic_load_explicit(&listener->next, memory_order_relaxed);
        } while (listener != NULL);
    }
    return NULL;
}

static bool line_hear_again(uint32_t line, const struct line_user *user, bool is_shared) {
    struct listener *listener;
    mutex_lock(&lines_lock);
    listener = user->env != NULL ? listener_find(line, user) : NULL;
    if (listener != NULL && listener->is_shared == is_shared) {
        listener->user = *user;
        listener->is_nobodys = false;
        // Release: what it calls comes before.
        atomic_store_explicit(&listener->is_silent, false, memory_order_release);
        waitable_pulse(&listener->heard);
    } else {
        listener = NULL;
    }
    mutex_unlock(&lines_lock);
    return listener != NULL;
}

// Devices of the list are quiet already.
void lines_silence(const struct hx_env *env) {
    mutex_lock(&lines_lock);
    list_for_each (link, &lines) {
        struct listener *listener = LIST_ENTRY(link, struct listener, link);
        do {
            if (listener->user.env == env) {
                hal_irq_isa_pull(listener->user.isa, false);
                atomic_store_explicit(&listener->is_silent, true, memory_order_relaxed);
            }
            listener = atomic_load_explicit(&listener->next, memory_order_relaxed);
        } while (listener != NULL);
    }
    mutex_unlock(&lines_lock);
}

// One of a module's, which is nobody's from now on; NULL: it has none.
static struct listener *listener_leave(const struct hx_env *env) {
    list_for_each (link, &lines) {
        struct listener *listener = LIST_ENTRY(link, struct listener, link);
        do {
            if (listener->user.env == env && !listener->is_nobodys) {
                listener->is_nobodys = true;
                return listener;
            }
            listener = atomic_load_explicit(&listener->next, memory_order_relaxed);
        } while (listener != NULL);
    }
    return NULL;
}

void lines_forget(const struct hx_env *env) {
    struct listener *listener;
    do {
        mutex_lock(&lines_lock);
        listener = listener_leave(env);
        mutex_unlock(&lines_lock);
        if (listener != NULL) { // whose thread comes after this finds it silent
            mutex_lock(&listener->calls);
            mutex_unlock(&listener->calls);
        }
    } while (listener != NULL);
}

enum hx_status line_register(uint32_t line, const struct line_user *user, bool is_shared) {
    if (line_hear_again(line, user, is_shared)) {
        return HX_OK;
    }
    struct listener *listener = heap_alloc_zero(sizeof(*listener), MEMORY_SLEEP);
    if (listener == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    listener->user = *user;
    listener->line = line;
    listener->is_shared = is_shared;
    waitable_init(&listener->heard, 0);
    mutex_init(&listener->calls, &calls_class);
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
