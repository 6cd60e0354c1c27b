// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/pidfd.c: descriptors for processes: pidfd_open(2), pidfd_send_signal(2),
// pidfd_getfd(2).
//
// A pidfd keeps its process's identity, so what it stands for is never another one that got the
// same number, and nothing of the process stays when it was waited for. It can be read (for poll;
// there is nothing to read) once the process has ended. The one that clone makes gets its number
// before it is certain that there will be a child, and stands for nobody until then: another thread
// that guesses the number finds a process that has ended.
#include "pidfd.h"

#include "descriptor.h"
#include "inspect.h"
#include "pids.h"
#include "signals.h"

#include <memory/heap.h>
#include <memory/usercopy.h>

#define PIDFD_NONBLOCK O_NONBLOCK

struct pidfd {
    _Atomic(struct identity *) identity; // keeps; set once
    struct waitable nobody;              // readable; who waits for nobody's end has it
};

// NULL: it is nobody's yet.
static struct identity *identity_of(const struct file *file) {
    const struct pidfd *self = file->data;
    return atomic_load_explicit(&self->identity, memory_order_acquire);
}

// The process, with a reference; NULL: it is gone, or nobody's yet.
static struct posix_process *process_of(const struct file *file) {
    struct identity *identity = identity_of(file);
    return identity != NULL ? identity_process(identity) : NULL;
}

static struct waitable *pidfd_waitable(struct file *file) {
    struct pidfd *self = file->data;
    struct identity *identity = identity_of(file);
    return identity != NULL ? &identity->ended : &self->nobody;
}

static void pidfd_release(struct file *file) {
    struct identity *identity = identity_of(file);
    if (identity != NULL) {
        identity_put(identity);
    }
    heap_free(file->data);
}

static const struct file_ops pidfd_ops = {
    .name = "anon_inode:[pidfd]",
    .waitable = pidfd_waitable,
    .release = pidfd_release,
};

void pidfd_bind(struct file *file, struct posix_process *process) {
    struct pidfd *self = file->data;
    atomic_store_explicit(&self->identity, identity_get(process->identity), memory_order_release);
}

enum hx_status pidfd_create(struct posix_process *process, bool nonblock, struct file **out_file) {
    struct pidfd *self = heap_alloc_zero(sizeof(*self), MEMORY_SLEEP);
    if (self == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    waitable_init(&self->nobody, WAIT_READABLE);
    const uint32_t flags = FILE_READ | FILE_WRITE | (nonblock ? FILE_NONBLOCK : 0);
    struct file *file = file_create(&pidfd_ops, flags, self);
    if (file == NULL) {
        heap_free(self);
        return HX_ERR_NO_MEMORY;
    }
    if (process != NULL) {
        pidfd_bind(file, process);
    }
    *out_file = file;
    return HX_OK;
}

enum hx_status pidfd_find(struct call *call, int32_t fd, rights_t need,
                          struct posix_process **out_process, bool *out_nonblock) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, fd, need, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    if (descriptor.file->ops != &pidfd_ops) {
        status = HX_ERR_BAD_HANDLE;
    } else {
        *out_process = process_of(descriptor.file);
        *out_nonblock = (file_flags(descriptor.file) & FILE_NONBLOCK) != 0;
        status = *out_process != NULL ? HX_OK : HX_ERR_NO_PROCESS;
    }
    descriptor_put(&descriptor);
    return status;
}

bool pidfd_number(const struct file *file, int32_t *out_number) {
    if (file->ops != &pidfd_ops) {
        return false;
    }
    struct posix_process *process = process_of(file);
    *out_number = -1;
    if (process != NULL) {
        *out_number = process->pid;
        process_put(process->process);
    }
    return true;
}

// Only a whole process has one: not a thread, nor a group or session that outlived its leader.
enum hx_status sys_pidfd_open(struct call *call) {
    const int32_t pid = call_int(call, 0);
    const uint32_t flags = call_uint(call, 1);
    if ((flags & ~PIDFD_NONBLOCK) != 0 || pid <= 0) {
        return HX_ERR_INVALID;
    }
    struct posix_process *process = posix_process_find(pid);
    if (process == NULL) {
        return pid_is_used(pids(), pid) ? HX_ERR_INVALID : HX_ERR_NO_PROCESS;
    }
    struct file *file;
    const enum hx_status status = pidfd_create(process, (flags & PIDFD_NONBLOCK) != 0, &file);
    process_put(process->process);
    return status == HX_OK ? call_add_file(call, file, true) : status;
}

// Signals ----------------------------------------------------------------------------------------

// The program's own siginfo, which may pretend to be kill(2) or the kernel only to the process's
// first thread itself; without one, kill(2)'s. `process` NULL: it is gone.
static enum hx_status info_for(struct call *call, const struct posix_process *process,
                               struct posix_siginfo *out_info) {
    const int32_t number = call_int(call, 1);
    uint8_t bytes[HAL_SIGINFO_BYTES];
    if (call->args[2] == 0) {
        *out_info = siginfo_user(number, SI_USER);
        return HX_OK;
    }
    if (copy_from_user(bytes, call_address(call, 2), sizeof(bytes)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    siginfo_decode(bytes, out_info);
    if (out_info->number != number) {
        return HX_ERR_INVALID;
    }
    const bool is_self = process == call->process && call->thread->tid == process->pid;
    return !is_self && (out_info->code >= 0 || out_info->code == SI_TKILL) ? HX_ERR_NOT_PERMITTED
                                                                           : HX_OK;
}

static enum hx_status send(struct call *call, struct posix_process *process) {
    const int32_t number = call_int(call, 1);
    struct posix_siginfo info;
    enum hx_status status = info_for(call, process, &info);
    if (status != HX_OK) {
        return status;
    }
    if (process == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    if (number < 0 || number > (int32_t)POSIX_SIGNALS) {
        return HX_ERR_INVALID;
    }
    status = signal_permission(process, number);
    if (status != HX_OK || number == 0) {
        return status;
    }
    return signal_send(process, NULL, number, &info,
                       number >= SIGNAL_REALTIME && info.code != SI_USER);
}

// Whom the file stands for, with a reference; NULL: who is gone. A directory /proc/PID will do.
static enum hx_status addressee(const struct file *file, struct posix_process **out_process) {
    if (file->ops == &pidfd_ops) {
        *out_process = process_of(file);
        return HX_OK;
    }
    return procfs_process_of(file, out_process) ? HX_OK : HX_ERR_BAD_HANDLE;
}

enum hx_status sys_pidfd_send_signal(struct call *call) {
    struct descriptor descriptor;
    if (call_uint(call, 3) != 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_DELETE, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    struct posix_process *process = NULL;
    status = addressee(descriptor.file, &process);
    descriptor_put(&descriptor);
    if (status == HX_OK) {
        status = send(call, process);
    }
    if (process != NULL) {
        process_put(process->process);
    }
    return status;
}

// Descriptors of others --------------------------------------------------------------------------

static enum hx_status take_descriptor(struct call *call, struct posix_process *process) {
    struct capability *capability;
    bool close_on_exec;
    int32_t fd = -1;
    enum hx_status status = inspect_descriptor(process, INSPECT_REAL_IDS, call_int(call, 1),
                                               &capability, &close_on_exec);
    if (status != HX_OK) {
        return status;
    }
    status = (capability_rights(capability) & HX_RIGHT_DELEGATE) != 0
                 ? file_table_add(call->process->files, capability, true, 0, &fd)
                 : capability_refusal(capability);
    if (status != HX_OK) {
        capability_put(capability);
        return status;
    }
    return call_ok(call, fd);
}

enum hx_status sys_pidfd_getfd(struct call *call) {
    struct posix_process *process = NULL;
    bool nonblock;
    if (call_uint(call, 2) != 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status =
        pidfd_find(call, call_int(call, 0), HX_RIGHT_ADMIN, &process, &nonblock);
    if (status == HX_OK) {
        status = take_descriptor(call, process);
        process_put(process->process);
    }
    return status;
}
