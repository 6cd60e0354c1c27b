// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/spawn.c: a child that runs a program, made without fork: nothing of the parent's
// memory is copied, and it gets the descriptors and the handle that the parent lists.
//
// As in clone.c everything that can fail comes first. The program is loaded as for execve, by the
// parent; the child takes what was loaded.
#include "spawn.h"
#include "descriptor.h"
#include "exec.h"
#include "life.h"
#include "pids.h"
#include "posix_table.h"
#include "signals.h"
#include "times.h"

#include <core/trace.h>
#include <execution/handles.h>
#include <execution/native.h>
#include <memory/heap.h>
#include <memory/usercopy.h>

// What is asked for.
struct spawn_request {
    const struct hx_spawn *spawn;
    int32_t descriptors[HX_SPAWN_DESCRIPTORS];
    uint32_t descriptor_count;
    struct capability *given;  // keeps; NULL: nothing
    struct capability *paying; // entered; NULL: the account is the parent's
    struct account *account;   // that the child is charged to
    struct capability *file;   // entered; for the program; NULL: it has a path
};

// The parts of a child until it runs.
struct spawning {
    struct posix_process *process; // NULL: not there
    struct posix_thread *thread;   // NULL: not there
    struct user_thread *native;    // NULL: not there
    int32_t pid;                   // 0: none
    handle_t handle;               // HANDLE_NONE: none
};

static enum hx_status load(struct posix_process *parent, const struct spawn_request *request,
                           struct exec_image *out_image) {
    const struct hx_spawn *spawn = request->spawn;
    char *path;
    enum hx_status status = path_from_user(uaddr_make(spawn->path), &path);
    if (status != HX_OK) {
        return status;
    }
    struct lookup lookup = { .flags = LOOKUP_FOLLOW };
    mutex_lock(&parent->process->lock);
    lookup.context = parent->fs;
    object_get(&lookup.context->object);
    mutex_unlock(&parent->process->lock);
    lookup.credentials = posix_credentials(parent);
    const struct exec_request program = {
        .lookup = &lookup,
        .path = path,
        .name = path,
        .file = request->file != NULL ? capability_file(request->file) : NULL,
        .arguments.user = uaddr_make(spawn->arguments),
        .environment.user = uaddr_make(spawn->environment),
        .account = request->account,
    };
    status = exec_load(parent, &program, out_image);
    lookup_end(&lookup);
    heap_free(path);
    return status;
}

// A table with what the list says.
static enum hx_status make_files(struct posix_process *parent, const struct spawn_request *request,
                                 struct file_table **out_files) {
    const int32_t *list = request->descriptors;
    struct file_table *files = file_table_create();
    enum hx_status status = files != NULL ? HX_OK : HX_ERR_NO_MEMORY;
    for (uint32_t i = 0; status == HX_OK && i < request->descriptor_count; i++) {
        struct capability *capability;
        int32_t fd;
        if (list[i] == -1) {
            continue;
        }
        status = file_table_find(parent->files, list[i], &capability);
        if (status == HX_OK) {
            status = file_table_add(files, capability, false, (int32_t)i, &fd);
            if (status != HX_OK) {
                capability_put(capability);
            }
        }
    }
    if (status == HX_OK) {
        *out_files = files;
    } else if (files != NULL) {
        file_table_put(files);
    }
    return status;
}

// Takes the image in any case.
static enum hx_status make_process(struct posix_process *parent,
                                   const struct spawn_request *request, struct exec_image *image,
                                   struct posix_process **out_process) {
    struct posix_process *child;
    enum hx_status status =
        posix_process_create(image->aspace, request->account, parent->process->ns, &child);
    if (status != HX_OK) {
        exec_image_put(image);
        return status;
    }
    birth_copy_settings(child, parent);
    birth_copy_identity(child, parent);
    exec_adopt(child, image);
    executable_put(image->file);
    aspace_put(image->aspace); // it has its own reference
    child->exit_signal = SIGCHLD;
    child->exec_done = true;
    child->fs = fs_context_copy(parent->fs);
    child->actions = posix_actions_create(NULL);
    status = child->fs != NULL && child->actions != NULL
                 ? make_files(parent, request, &child->files)
                 : HX_ERR_NO_MEMORY;
    if (status != HX_OK) {
        process_put(child->process);
        return status;
    }
    if (posix_limit(child, RLIMIT_CPU) != RLIMIT_INFINITY) {
        cpu_limit_apply(child);
    }
    *out_process = child;
    return HX_OK;
}

static enum hx_status make_thread(struct spawning *spawning, const struct hal_frame *frame) {
    struct posix_process *child = spawning->process;
    spawning->thread = posix_thread_create(child);
    if (spawning->thread == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    spawning->thread->tid = child->pid;
    spawning->thread->leaving = true; // until it is linked: no signal is for it
    const enum hx_status status =
        user_thread_create(child->process, child->command, &posix_thread_ops, frame, NULL, NULL,
                           spawning->thread, &spawning->native);
    if (status == HX_OK) {
        posix_thread_bind(spawning->thread, spawning->native);
        birth_copy_scheduling(&spawning->native->thread, thread_current());
    }
    return status;
}

static void undo(struct spawning *spawning) {
    if (spawning->handle != HANDLE_NONE) {
        HX_IGNORE(handle_close(process_current(), spawning->handle));
    }
    if (spawning->native != NULL) {
        user_thread_discard(spawning->native); // the thread's data with it
    } else if (spawning->thread != NULL) {
        posix_thread_free(spawning->thread);
    }
    if (spawning->process != NULL) {
        cpu_timer_end(spawning->process);
        process_put(spawning->process->process);
    }
    if (spawning->pid != 0) {
        pid_cancel(pids(), spawning->pid);
    }
}

static enum hx_status prepare(const struct spawn_request *request, struct spawning *spawning) {
    struct posix_process *parent = posix_current();
    struct exec_image image;
    struct hal_frame frame;
    enum hx_status status = birth_check_limits(parent);
    if (status == HX_OK) {
        status = pid_allocate(pids(), &spawning->pid);
    }
    if (status == HX_OK) {
        status = load(parent, request, &image);
    }
    if (status != HX_OK) {
        return status;
    }
    hal_frame_init_user(&frame, image.entry, image.stack_pointer);
    status = make_process(parent, request, &image, &spawning->process);
    if (status != HX_OK) {
        return status;
    }
    spawning->process->pid = spawning->pid;
    status = make_thread(spawning, &frame);
    return status == HX_OK ? spawn_handle_create(spawning->process, &spawning->handle) : status;
}

// As clone.c's: a signal to the group that was sent before must not miss the child.
static bool link_child(struct spawning *spawning) {
    struct pid_space *space = pids();
    struct posix_process *parent = posix_current();
    mutex_lock(&space->tree_lock);
    const bool is_free = !posix_signal_pending(posix_thread_current());
    if (is_free) {
        spawning->thread->leaving = false;
        tree_link(space, spawning->process, parent, parent->group);
    }
    mutex_unlock(&space->tree_lock);
    return is_free;
}

// Nothing fails from here on. Takes the reference on what the child is given.
static void start(struct spawning *spawning, struct capability *given) {
    struct pid_space *space = pids();
    pid_set_thread(space, spawning->pid, spawning->thread);
    atomic_fetch_add_explicit(&space->threads, 1, memory_order_relaxed);
    if (given != NULL) {
        handles_give(spawning->process->process, given);
    }
    trace(TRACE_PROCESS_START, (uint64_t)spawning->pid, (uint64_t)posix_current()->pid);
    posix_trace_task(spawning->thread);
    user_thread_start(spawning->native);
}

static enum hx_status make_child(const struct spawn_request *request, handle_t *out_process) {
    struct spawning spawning = { .handle = HANDLE_NONE };
    enum hx_status status = prepare(request, &spawning);
    if (status == HX_OK && !link_child(&spawning)) {
        status = HX_ERR_INTERRUPTED;
    }
    if (status != HX_OK) {
        undo(&spawning);
        return status;
    }
    *out_process = spawning.handle;
    if (request->given != NULL) {
        capability_get(request->given);
        // Whoever closed or handed it on meanwhile did that as well.
        HX_IGNORE(handle_close(process_current(), request->spawn->given));
    }
    start(&spawning, request->given);
    return HX_OK;
}

// What the handles name.
static enum hx_status request_begin(struct spawn_request *request) {
    const struct process *parent = process_current();
    enum hx_status status = HX_OK;
    request->account = process_child_account(parent);
    if (request->spawn->given != HANDLE_NONE) {
        status = native_find(request->spawn->given, HX_RIGHT_DELEGATE, &request->given);
    }
    if (status == HX_OK && request->spawn->account != HANDLE_NONE) {
        status = native_enter(request->spawn->account, OBJECT_ACCOUNT, HX_RIGHT_CREATE,
                              &request->paying);
        if (status == HX_OK) {
            request->account = CONTAINER_OF(request->paying->object, struct account, object);
        }
    }
    if (status == HX_OK && request->spawn->file != HANDLE_NONE) {
        status = native_enter(request->spawn->file, OBJECT_FILE, HX_RIGHT_EXECUTE, &request->file);
    }
    return status;
}

static void request_end(struct spawn_request *request) {
    if (request->file != NULL) {
        handle_leave(request->file);
    }
    if (request->paying != NULL) {
        handle_leave(request->paying);
    }
    if (request->given != NULL) {
        capability_put(request->given);
    }
}

enum hx_status posix_process_spawn(const struct hx_spawn *spawn, struct uaddr descriptors,
                                   uint32_t descriptors_count, handle_t *out_process) {
    struct spawn_request request = { .spawn = spawn, .descriptor_count = descriptors_count };
    if (spawn->zero != 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = copy_from_user(request.descriptors, descriptors,
                                           descriptors_count * sizeof(request.descriptors[0]));
    if (status == HX_OK) {
        status = request_begin(&request);
    }
    if (status == HX_OK) {
        status = make_child(&request, out_process);
    }
    request_end(&request);
    return status;
}
