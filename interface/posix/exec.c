// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/exec.c: execve and execveat: the running program is replaced.
//
// Until all other threads are gone everything can still fail and leaves the program as it was.
// After that nothing fails.
#include "exec.h"
#include "descriptor.h"
#include "life.h"
#include "pids.h"
#include "rseq.h"
#include "signals.h"
#include "times.h"
#include "usage.h"
#include "vdso.h"

#include <core/trace.h>
#include <execution/handles.h>
#include <hal/context.h>
#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>

// What the process shares with others and must have alone from now on; NULL: it already has.
struct own_parts {
    struct posix_actions *actions;
    struct file_table *files;
};

static uint32_t references(const struct object *object) {
    return atomic_load_explicit(&object->references, memory_order_acquire);
}

static enum hx_status own_parts_make(struct posix_process *process, struct own_parts *parts) {
    *parts = (struct own_parts){ 0 };
    if (references(&process->actions->object) > 1) {
        parts->actions = posix_actions_create(process);
        if (parts->actions == NULL) {
            return HX_ERR_NO_MEMORY;
        }
    }
    if (file_table_is_shared(process->files)) {
        parts->files = file_table_copy(process->files);
        if (parts->files == NULL) {
            return HX_ERR_NO_MEMORY;
        }
    }
    return HX_OK;
}

static void own_parts_drop(struct own_parts *parts) {
    if (parts->actions != NULL) {
        object_put(&parts->actions->object);
    }
    if (parts->files != NULL) {
        file_table_put(parts->files);
    }
}

static void own_parts_use(struct posix_process *process, struct own_parts *parts) {
    if (parts->actions != NULL) {
        const unsigned long irq = spin_lock_irq(&process->signal_lock);
        struct posix_actions *old = process->actions;
        process->actions = parts->actions;
        spin_unlock_irq(&process->signal_lock, irq);
        object_put(&old->object);
    }
    if (parts->files != NULL) {
        mutex_lock(&process->process->lock);
        struct file_table *old = process->files;
        process->files = parts->files;
        mutex_unlock(&process->process->lock);
        file_table_put(old);
    }
    file_table_close_on_exec(process->files);
    handles_close_all(process->process);
}

// The only thread has the process's number from now on.
static void take_pid(struct posix_thread *thread) {
    struct posix_process *process = thread->process;
    struct pid_space *space = process->process->ns->pids;
    if (thread->tid != process->pid) {
        const int32_t old = thread->tid;
        thread->tid = process->pid;
        pid_set_thread(space, process->pid, thread);
        pid_set_thread(space, old, NULL);
    }
}

// Gives the old one, for the caller to put.
static struct aspace *switch_aspace(struct posix_process *process, struct aspace *aspace) {
    vdso_pid_forget(process);
    struct aspace *old = process_replace_aspace(process->process, aspace);
    usage_leave_aspace(process, old);
    process->aspace_shared = false;
    thread_set_aspace(&aspace->core);
    return old;
}

// The thread's own state: registers, signal stack, what an older program registered.
static void reset_thread(struct posix_thread *thread, struct hal_frame *frame,
                         const struct exec_image *image) {
    struct thread *core = &thread->native->thread;
    const struct hal_tls tls = { 0 };
    string_copy(core->name, sizeof(core->name), image->command);
    thread->stack = (struct hal_signal_stack){ .flags = SS_DISABLE };
    thread->robust_list = 0;
    thread->clear_child_tid = 0;
    rseq_forget(thread);
    thread->restart_function = NULL;
    hal_frame_init_user(frame, image->entry, image->stack_pointer);
    preempt_disable(); // a switch would save over the area
    hal_fpu_init(core->fpu);
    hal_fpu_restore(core->fpu);
    hal_tls_restore(&tls);
    preempt_enable();
}

// What the program before has asked for does not come any more (mqueue.c): before anything of the
// next one, which may be another user's, is there.
static void program_begin(struct posix_process *process) {
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    process->programs++;
    spin_unlock_irq(&process->signal_lock, irq);
}

// Before anybody can tell by what the exec closes that it was made: setpgid(2) refuses from then
// on.
static void tell_tree(struct posix_process *process, const struct exec_image *image) {
    struct pid_space *space = process->process->ns->pids;
    mutex_lock(&space->tree_lock);
    process->exec_done = true;
    process->exit_signal = SIGCHLD;
    if (image->is_secure) {
        atomic_store_explicit(&process->parent_death_signal, 0, memory_order_relaxed);
    }
    mutex_unlock(&space->tree_lock);
}

// What is closed by the exec is closed before others may look into the process as the new program:
// that may be those who could not look into the old one. What the old program kept goes after the
// lock, as it may take long.
static void commit(struct call *call, struct exec_image *image, struct own_parts *parts) {
    struct posix_thread *thread = call->thread;
    struct posix_process *process = call->process;
    thread_release_memory(thread, false);
    program_begin(process);
    tell_tree(process, image);
    take_pid(thread);
    reset_thread(thread, call->frame, image);
    own_parts_use(process, parts);
    mutex_lock(&process->exec_lock);
    struct aspace *old = switch_aspace(process, image->aspace);
    exec_adopt(process, image);
    mutex_unlock(&process->exec_lock);
    waitable_update(&process->vfork_done, 0, WAIT_SIGNALED);
    executable_put(image->file);
    aspace_put(old);
    signal_actions_reset(process);
    process_timers_exec(process);
    trace(TRACE_PROCESS_EXEC, (uint64_t)process->pid, 0);
    trace_name(thread_current());
}

static enum hx_status execute(struct call *call, const struct exec_request *request) {
    struct exec_image image;
    struct own_parts parts;
    enum hx_status status = exec_load(call->process, request, &image);
    if (status != HX_OK) {
        return status;
    }
    status = own_parts_make(call->process, &parts);
    if (status == HX_OK) {
        status = exit_other_threads(call->thread);
    }
    if (status == HX_OK) {
        commit(call, &image, &parts);
    } else {
        own_parts_drop(&parts);
        exec_image_put(&image);
    }
    return status;
}

static enum hx_status execute_at(struct call *call, int32_t fd, const char *path, const char *name,
                                 uint32_t flags, unsigned first_argument) {
    struct lookup lookup;
    enum hx_status status = lookup_begin_path(call, fd, path, flags, &lookup);
    if (status != HX_OK) {
        return status;
    }
    const struct exec_request request = {
        .lookup = &lookup,
        .path = path,
        .name = name,
        .arguments.user = call_address(call, first_argument),
        .environment.user = call_address(call, first_argument + 1),
        .account = call->process->process->account,
    };
    status = execute(call, &request);
    lookup_end(&lookup);
    return status;
}

enum hx_status sys_execve(struct call *call) {
    char *path;
    enum hx_status status = path_from_user(call_address(call, 0), &path);
    if (status == HX_OK) {
        status = execute_at(call, AT_FDCWD, path, path, LOOKUP_FOLLOW, 1);
        heap_free(path);
    }
    return status;
}

// What a program that was named by a descriptor is told about its name.
static char *descriptor_name(int32_t fd, const char *path) {
    const size_t capacity = strlen(path) + 32;
    char *name = heap_alloc(capacity, MEMORY_SLEEP);
    if (name == NULL) {
        return NULL;
    }
    if (fd == AT_FDCWD || path[0] == '/') {
        string_copy(name, capacity, path);
    } else {
        (void)format_string(name, capacity, path[0] != '\0' ? "/dev/fd/%d/%s" : "/dev/fd/%d%s", fd,
                            path);
    }
    return name;
}

enum hx_status sys_execveat(struct call *call) {
    const int32_t fd = call_int(call, 0);
    const uint32_t flags = call_uint(call, 4);
    if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return HX_ERR_INVALID;
    }
    char *path;
    enum hx_status status = path_from_user(call_address(call, 1), &path);
    if (status != HX_OK) {
        return status;
    }
    char *name = descriptor_name(fd, path);
    if (name == NULL) {
        status = HX_ERR_NO_MEMORY;
    } else {
        const uint32_t lookup_flags = ((flags & AT_SYMLINK_NOFOLLOW) ? 0 : LOOKUP_FOLLOW) |
                                      ((flags & AT_EMPTY_PATH) ? LOOKUP_EMPTY : 0);
        status = execute_at(call, fd, path, name, lookup_flags, 2);
        heap_free(name);
    }
    heap_free(path);
    return status;
}
