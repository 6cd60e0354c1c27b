// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/spawn_handle.c: handles for processes: to wait for their end, look at them, and
// end them. Who has one needs no pid, which may be another process's by then.
#include "posix_table.h"
#include "signals.h"
#include "spawn.h"

#include <execution/handles.h>
#include <memory/account.h>
#include <memory/heap.h>
#include <memory/usercopy.h>

#define PROCESS_RIGHTS                                                                             \
    (HX_RIGHT_READ | HX_RIGHT_WAIT | HX_RIGHT_DELETE | HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)

struct known_process {
    struct object object;
    struct capability root;
    struct posix_process *process; // keeps
    struct account *account;       // keeps; charged for one object
};

static struct posix_process *process_of(const struct object *object) {
    return CONTAINER_OF(object, struct known_process, object)->process;
}

static void known_destroy(struct object *object) {
    struct known_process *known = CONTAINER_OF(object, struct known_process, object);
    process_put(known->process->process);
    account_release(known->account, ACCOUNT_OBJECTS, 1);
    object_put(&known->account->object);
    heap_free(known);
}

static struct waitable *known_waitable(struct object *object) {
    return &process_of(object)->exited;
}

static const struct object_type known_type = {
    .kind = OBJECT_PROCESS,
    .name = "known process",
    .destroy = known_destroy,
    .waitable = known_waitable,
};

// Charged by the caller. NULL: no memory.
static struct known_process *known_make(struct account *account, struct posix_process *process) {
    struct known_process *known = heap_alloc(sizeof(*known), MEMORY_SLEEP);
    if (known != NULL) {
        object_init(&known->object, &known_type);
        capability_init_root(&known->root, &known->object, PROCESS_RIGHTS);
        process_get(process->process);
        known->process = process;
        object_get(&account->object);
        known->account = account;
    }
    return known;
}

enum hx_status spawn_handle_create(struct posix_process *process, handle_t *out_handle) {
    struct account *account = process_current()->account;
    enum hx_status status = account_charge(account, ACCOUNT_OBJECTS, 1);
    if (status != HX_OK) {
        return status;
    }
    struct known_process *known = known_make(account, process);
    if (known == NULL) {
        account_release(account, ACCOUNT_OBJECTS, 1);
        return HX_ERR_NO_MEMORY;
    }
    status = handle_add(process_current(), &known->root, out_handle);
    if (status != HX_OK) {
        capability_put(&known->root);
    }
    return status;
}

enum hx_status posix_process_info(struct capability *process, struct uaddr out_info) {
    struct posix_process *known = process_of(process->object);
    const bool has_ended = (waitable_state(&known->exited) & WAIT_HANGUP) != 0;
    const struct hx_process_info info = {
        .pid = (uint32_t)known->pid,
        .has_ended = has_ended,
        .status = has_ended ? (uint32_t)known->exit_status : 0,
    };
    return copy_to_user(out_info, &info, sizeof(info));
}

// The handle does not outdo the credentials: what has become another user's by exec is its own.
enum hx_status posix_process_kill(struct capability *process) {
    struct posix_process *target = process_of(process->object);
    enum hx_status status = signal_permission(target, SIGKILL);
    if (status == HX_OK) {
        posix_signal_process(target, SIGKILL, NULL);
    }
    return status;
}
