// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/clone.c: new threads and processes.
//
// Everything that can fail comes first; then, under the locks that decide about signals and exits,
// the child is linked or all of it is undone; then it runs.
#include "descriptor.h"
#include "life.h"
#include "pidfd.h"
#include "pids.h"
#include "rseq.h"
#include "signals.h"
#include "times.h"
#include "vdso.h"

#include <core/trace.h>
#include <execution/handles.h>
#include <hal/context.h>
#include <lib/string.h>
#include <memory/usercopy.h>

#define CSIGNAL              0x000000ffu
#define CLONE_VM             0x00000100u
#define CLONE_FS             0x00000200u
#define CLONE_FILES          0x00000400u
#define CLONE_SIGHAND        0x00000800u
#define CLONE_PIDFD          0x00001000u
#define CLONE_PTRACE         0x00002000u
#define CLONE_VFORK          0x00004000u
#define CLONE_PARENT         0x00008000u
#define CLONE_THREAD         0x00010000u
#define CLONE_NEWNS          0x00020000u
#define CLONE_SYSVSEM        0x00040000u
#define CLONE_SETTLS         0x00080000u
#define CLONE_PARENT_SETTID  0x00100000u
#define CLONE_CHILD_CLEARTID 0x00200000u
#define CLONE_DETACHED       0x00400000u
#define CLONE_UNTRACED       0x00800000u
#define CLONE_CHILD_SETTID   0x01000000u
#define CLONE_NEWCGROUP      0x02000000u
#define CLONE_NEWUTS         0x04000000u
#define CLONE_NEWIPC         0x08000000u
#define CLONE_NEWUSER        0x10000000u
#define CLONE_NEWPID         0x20000000u
#define CLONE_NEWNET         0x40000000u
#define CLONE_IO             0x80000000u
#define CLONE_CLEAR_SIGHAND  0x100000000ull

#define CLONE_NEW_SPACES                                                                           \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

#define THREADS_KEPT 8u // for process 1, if others have all the rest

#define CLONE_ARGS_BYTES_0 64u // sizes of struct clone_args
#define CLONE_ARGS_BYTES   88u

struct clone_request {
    uint64_t flags;
    uint64_t child_tid, parent_tid, pidfd; // user addresses
    uint64_t stack;                        // stack pointer; 0: the parent's
    uint64_t tls;
    int32_t exit_signal;
};

// The parts of a child until it runs; NULL: not there.
struct birth {
    struct posix_thread *thread;
    struct posix_process *process; // a new one
    struct user_thread *native;
    struct file *pidfd; // keeps; that the parent gets, at pidfd_number
    int32_t pidfd_number;
    int32_t tid;
};

static enum hx_status check(const struct call *call, const struct clone_request *request) {
    const uint64_t flags = request->flags;
    const bool is_bad = ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND)) ||
                        ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM)) ||
                        ((flags & CLONE_CLEAR_SIGHAND) && (flags & CLONE_SIGHAND)) ||
                        ((flags & CLONE_PARENT) && call->process->pid == 1) ||
                        (flags & CLONE_NEW_SPACES) != 0 || // there are none
                        ((flags & CLONE_PIDFD) && (flags & (CLONE_THREAD | CLONE_DETACHED))) ||
                        ((flags & CLONE_PIDFD) && (flags & CLONE_PARENT_SETTID) &&
                         request->pidfd == request->parent_tid) ||
                        request->exit_signal < 0 || request->exit_signal > (int32_t)POSIX_SIGNALS;
    return is_bad ? HX_ERR_INVALID : HX_OK;
}

enum hx_status birth_check_limits(struct posix_process *process) {
    struct pid_space *space = pids();
    const uint32_t kept = process->process->account == &account_root ? 0 : THREADS_KEPT;
    if (atomic_load_explicit(&space->threads, memory_order_relaxed) + kept >= space->threads_max) {
        return HX_ERR_LIMIT;
    }
    const unsigned long irq = spin_lock_irq(&process->credentials_lock);
    const int32_t count = atomic_load_explicit(&process->user->threads, memory_order_relaxed);
    const uint32_t uid = process->user->uid;
    spin_unlock_irq(&process->credentials_lock, irq);
    if (count >= 0 && (uint64_t)count < posix_limit(process, RLIMIT_NPROC)) {
        return HX_OK;
    }
    return uid == 0 || posix_capable(CAPABILITY_SYS_RESOURCE) || posix_capable(CAPABILITY_SYS_ADMIN)
               ? HX_OK
               : HX_ERR_LIMIT;
}

static struct aspace *child_aspace(struct posix_process *parent, uint64_t flags) {
    struct aspace *aspace = parent->process->aspace; // stable: this is one of its threads
    return (flags & CLONE_VM) ? aspace_get(aspace)
                              : aspace_clone(aspace, process_child_account(parent->process));
}

void birth_copy_settings(struct posix_process *child, const struct posix_process *parent) {
    for (unsigned i = 0; i < RLIMIT_COUNT; i++) {
        atomic_init(&child->limits[i].soft,
                    atomic_load_explicit(&parent->limits[i].soft, memory_order_relaxed));
        atomic_init(&child->limits[i].hard,
                    atomic_load_explicit(&parent->limits[i].hard, memory_order_relaxed));
    }
    memcpy(child->command, parent->command, sizeof(child->command));
    child->brk_start = parent->brk_start;
    child->brk_end = parent->brk_end;
    child->arguments_start = parent->arguments_start;
    child->arguments_end = parent->arguments_end;
    child->environment_start = parent->environment_start;
    child->environment_end = parent->environment_end;
    child->stack_top = parent->stack_top;
    child->personality_flags = parent->personality_flags;
    child->no_new_privileges = parent->no_new_privileges;
    child->dumpable = parent->dumpable;
    child->unknown_call_logged = parent->unknown_call_logged;
}

static enum hx_status copy_shared(struct posix_process *child, struct posix_process *parent,
                                  uint64_t flags) {
    child->fs = (flags & CLONE_FS) ? parent->fs : fs_context_copy(parent->fs);
    if (child->fs == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    if (flags & CLONE_FS) {
        object_get(&child->fs->object);
    }
    child->files =
        (flags & CLONE_FILES) ? file_table_get(parent->files) : file_table_copy(parent->files);
    if (child->files == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    if (flags & CLONE_SIGHAND) {
        const unsigned long irq = spin_lock_irq(&parent->signal_lock);
        child->actions = parent->actions;
        object_get(&child->actions->object);
        spin_unlock_irq(&parent->signal_lock, irq);
    } else {
        child->actions = posix_actions_create(parent);
    }
    return child->actions != NULL ? HX_OK : HX_ERR_NO_MEMORY;
}

void birth_copy_identity(struct posix_process *child, struct posix_process *parent) {
    child->credentials = posix_credentials(parent);
    atomic_init(&child->uid, child->credentials->uid);
    const unsigned long irq = spin_lock_irq(&parent->credentials_lock);
    child->user = posix_user_hold(parent->user);
    spin_unlock_irq(&parent->credentials_lock, irq);
    if (parent->executable != NULL) {
        child->executable = executable_get(parent->executable);
    }
}

// A new process like the parent, without a thread. NULL: no memory; *out_status says more.
static struct posix_process *process_fork(struct posix_process *parent,
                                          const struct clone_request *request,
                                          enum hx_status *out_status) {
    *out_status = HX_ERR_NO_MEMORY;
    struct aspace *aspace = child_aspace(parent, request->flags);
    if (aspace == NULL) {
        return NULL;
    }
    struct posix_process *child;
    *out_status = posix_process_create(aspace, process_child_account(parent->process),
                                       parent->process->ns, &child);
    aspace_put(aspace);
    if (*out_status != HX_OK) {
        return NULL;
    }
    birth_copy_settings(child, parent);
    birth_copy_identity(child, parent);
    *out_status = copy_shared(child, parent, request->flags);
    if (*out_status != HX_OK) {
        process_put(child->process);
        return NULL;
    }
    if (request->flags & CLONE_CLEAR_SIGHAND) {
        signal_actions_reset(child);
    }
    child->aspace_shared = (request->flags & CLONE_VM) != 0;
    if (child->aspace_shared) {
        parent->aspace_shared = true;
        vdso_pid_hide(parent);
    }
    child->exit_signal = request->exit_signal;
    if (posix_limit(child, RLIMIT_CPU) != RLIMIT_INFINITY) {
        cpu_limit_apply(child);
    }
    return child;
}

// Its own copy of the memory has a copy of the parent's struct rseq; who shares memory would share
// that with the parent.
static void inherit_rseq(struct posix_thread *child, const struct posix_thread *parent,
                         uint64_t flags) {
    if ((flags & CLONE_VM) == 0) {
        child->rseq = parent->rseq;
        child->rseq_signature = parent->rseq_signature;
    }
}

static void fill_thread(struct posix_thread *child, const struct call *call,
                        const struct clone_request *request) {
    const struct posix_thread *parent = call->thread;
    child->blocked = parent->restore_blocked ? parent->blocked_saved : parent->blocked;
    // A child with the same memory and its own stack must not use the parent's signal stack.
    if ((request->flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM) {
        child->stack = parent->stack;
    }
    if (request->flags & CLONE_CHILD_CLEARTID) {
        child->clear_child_tid = request->child_tid;
    }
    if (request->flags & CLONE_CHILD_SETTID) {
        child->set_child_tid = request->child_tid;
    }
    inherit_rseq(child, parent, request->flags);
}

void birth_copy_scheduling(struct thread *child, const struct thread *parent) {
    thread_inherit_sched(child, parent);
    child->sched.allowed = parent->sched.allowed;
    atomic_store_explicit(&child->affinity,
                          atomic_load_explicit(&parent->affinity, memory_order_relaxed),
                          memory_order_relaxed);
}

static enum hx_status make_native(struct call *call, const struct clone_request *request,
                                  struct birth *birth) {
    struct thread *current = &call->thread->native->thread;
    struct posix_process *process = birth->thread->process;
    struct hal_frame frame = *call->frame;
    struct hal_tls tls;
    hal_tls_save(&tls);
    if ((request->flags & CLONE_SETTLS) && !hal_tls_set(&tls, request->tls)) {
        return HX_ERR_NOT_PERMITTED;
    }
    hal_frame_set_result(&frame, 0);
    if (request->stack != 0) {
        hal_frame_set_sp(&frame, request->stack);
    }
    const enum hx_status status =
        user_thread_create(process->process, current->name, &posix_thread_ops, &frame, current->fpu,
                           &tls, birth->thread, &birth->native);
    if (status == HX_OK) {
        posix_thread_bind(birth->thread, birth->native);
        birth_copy_scheduling(&birth->native->thread, current);
        rseq_begin(birth->thread);
    }
    return status;
}

// The descriptor for the child is the parent's alone, made when the child has its copies. It stands
// for nobody until the child is certain.
static enum hx_status make_pidfd(struct call *call, const struct clone_request *request,
                                 struct birth *birth) {
    if ((request->flags & CLONE_PIDFD) == 0) {
        return HX_OK;
    }
    struct file *file;
    enum hx_status status = pidfd_create(NULL, false, &file);
    if (status != HX_OK) {
        return status;
    }
    birth->pidfd = file_get(file);
    status = file_table_add(call->process->files, &file->root, true, 0, &birth->pidfd_number);
    if (status != HX_OK) {
        file_put(file);
        return status;
    }
    return copy_to_user(uaddr_make(request->pidfd), &birth->pidfd_number,
                        sizeof(birth->pidfd_number));
}

static void use_pidfd(struct birth *birth) {
    if (birth->pidfd != NULL) {
        pidfd_bind(birth->pidfd, birth->process);
        file_put(birth->pidfd);
    }
}

// What is there of a child that will not be.
static void undo(struct call *call, struct birth *birth) {
    if (birth->pidfd != NULL) {
        file_table_take_back(call->process->files, birth->pidfd_number, &birth->pidfd->root);
        file_put(birth->pidfd);
    }
    if (birth->thread != NULL) {
        sem_undos_leave(birth->thread); // not the last one
    }
    if (birth->native != NULL) {
        user_thread_discard(birth->native); // the thread's data with it
    } else if (birth->thread != NULL) {
        posix_thread_free(birth->thread);
    }
    if (birth->process != NULL) {
        cpu_timer_end(birth->process);
        object_put(&birth->process->process->object);
    }
    if (birth->tid != 0) {
        pid_cancel(pids(), birth->tid);
    }
}

static enum hx_status prepare(struct call *call, const struct clone_request *request,
                              struct birth *birth) {
    enum hx_status status = birth_check_limits(call->process);
    if (status == HX_OK) {
        status = pid_allocate(pids(), &birth->tid);
    }
    if (status == HX_OK && (request->flags & CLONE_THREAD) == 0) {
        birth->process = process_fork(call->process, request, &status);
    }
    if (status != HX_OK) {
        return status;
    }
    birth->thread = posix_thread_create(birth->process != NULL ? birth->process : call->process);
    if (birth->thread == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    birth->thread->tid = birth->tid;
    birth->thread->leaving = true; // until it is linked: no signal is for it
    fill_thread(birth->thread, call, request);
    if (birth->process != NULL) {
        birth->process->pid = birth->tid;
    } else {
        const unsigned long irq = spin_lock_irq(&call->process->credentials_lock);
        birth->thread->user = posix_user_hold(call->process->user);
        spin_unlock_irq(&call->process->credentials_lock, irq);
        posix_user_count(birth->thread->user);
    }
    if ((request->flags & CLONE_SYSVSEM) != 0) {
        status = sem_undos_share(call->thread, birth->thread);
    }
    if (status == HX_OK) {
        status = make_native(call, request, birth);
    }
    return status == HX_OK ? make_pidfd(call, request, birth) : status;
}

// A new thread takes part in what its process is in the middle of. False: it is too late.
static bool join_locked(struct posix_process *process, struct posix_thread *thread) {
    if (process->group_exiting || process->exec_thread != NULL) {
        return false;
    }
    thread->leaving = false;
    if (process->stopping) {
        thread->stop_counted = true;
        process->stop_remaining++;
        thread_notify(&thread->native->thread, THREAD_STOP);
    }
    return true;
}

static bool link_thread(struct birth *birth) {
    struct posix_process *process = birth->thread->process;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const bool is_joined = join_locked(process, birth->thread);
    spin_unlock_irq(&process->signal_lock, irq);
    return is_joined;
}

// A signal to the parent's group, sent before the child is a member, must not miss the child: the
// parent takes it first and forks again.
static bool link_process(struct call *call, const struct clone_request *request,
                         struct birth *birth) {
    struct pid_space *space = pids();
    struct posix_process *parent = call->process;
    mutex_lock(&space->tree_lock);
    const bool is_free = !posix_signal_pending(call->thread);
    if (is_free) {
        struct posix_process *real = parent;
        if (request->flags & CLONE_PARENT) {
            real = parent->parent;
            birth->process->exit_signal = parent->exit_signal;
        }
        birth->thread->leaving = false;
        tree_link(space, birth->process, real, parent->group);
    }
    mutex_unlock(&space->tree_lock);
    return is_free;
}

// vfork: goes on once the child has an address space of its own, or none.
static void wait_for_vfork(struct posix_process *child) {
    HX_IGNORE(wait_one(&child->vfork_done, WAIT_SIGNALED, TIME_NEVER, WAIT_KILLABLE)); // or killed
    process_put(child->process);
}

static enum hx_status clone(struct call *call, const struct clone_request *request) {
    struct pid_space *space = pids();
    struct birth birth = { 0 };
    enum hx_status status = check(call, request);
    if (status == HX_OK && posix_signal_pending(call->thread)) {
        call->thread->restart_always = true;
        status = HX_ERR_RESTART;
    }
    if (status != HX_OK) {
        return status;
    }
    status = prepare(call, request, &birth);
    if (status != HX_OK) {
        undo(call, &birth);
        return status;
    }
    const bool is_linked =
        birth.process != NULL ? link_process(call, request, &birth) : link_thread(&birth);
    if (!is_linked) {
        undo(call, &birth);
        call->thread->restart_always = true;
        return HX_ERR_RESTART;
    }
    const int32_t tid = birth.tid;
    use_pidfd(&birth);
    pid_set_thread(space, tid, birth.thread);
    atomic_fetch_add_explicit(&space->threads, 1, memory_order_relaxed);
    if (request->flags & CLONE_PARENT_SETTID) {
        HX_IGNORE(copy_to_user(uaddr_make(request->parent_tid), &tid, sizeof(tid))); // as on Linux
    }
    if (birth.thread->set_child_tid != 0) {
        thread_notify(&birth.native->thread, THREAD_SIGNAL); // the stop point writes it
    }
    const bool is_vfork = birth.process != NULL && (request->flags & CLONE_VFORK);
    if (is_vfork) {
        process_get(birth.process->process);
    }
    if (birth.process != NULL) {
        handles_inherit(birth.process->process, call->process->process);
        trace(TRACE_PROCESS_START, (uint64_t)tid, (uint64_t)call->process->pid);
    }
    posix_trace_task(birth.thread);
    user_thread_start(birth.native);
    if (is_vfork) {
        wait_for_vfork(birth.process);
    }
    return call_ok(call, tid);
}

// Only what is shared with other processes can be taken apart; threads of one process share it for
// good, so a process with several threads is refused.
enum hx_status sys_unshare(struct call *call) {
    struct posix_process *process = call->process;
    const uint64_t flags = call->args[0];
    if ((flags & ~(uint64_t)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM)) != 0 ||
        process_thread_count(process->process) != 1) {
        return HX_ERR_INVALID;
    }
    struct fs_context *fs = (flags & CLONE_FS) ? fs_context_copy(process->fs) : NULL;
    struct file_table *files = (flags & CLONE_FILES) ? file_table_copy(process->files) : NULL;
    if (((flags & CLONE_FS) && fs == NULL) || ((flags & CLONE_FILES) && files == NULL)) {
        if (fs != NULL) {
            fs_context_put(fs);
        }
        if (files != NULL) {
            file_table_put(files);
        }
        return HX_ERR_NO_MEMORY;
    }
    mutex_lock(&process->process->lock);
    struct fs_context *old_fs = process->fs;
    struct file_table *old_files = process->files;
    process->fs = fs != NULL ? fs : old_fs;
    process->files = files != NULL ? files : old_files;
    mutex_unlock(&process->process->lock);
    if (fs != NULL) {
        fs_context_put(old_fs);
    }
    if (files != NULL) {
        file_table_put(old_files);
    }
    if (flags & CLONE_SYSVSEM) {
        sem_undos_leave(call->thread);
    }
    return HX_OK;
}

enum hx_status sys_fork(struct call *call) {
    const struct clone_request request = { .exit_signal = SIGCHLD };
    return clone(call, &request);
}

enum hx_status sys_vfork(struct call *call) {
    const struct clone_request request = { .flags = CLONE_VFORK | CLONE_VM,
                                           .exit_signal = SIGCHLD };
    return clone(call, &request);
}

enum hx_status sys_clone(struct call *call) {
    const struct clone_request request = {
        .flags = (uint32_t)call->args[0] & ~CSIGNAL,
        .exit_signal = (int32_t)(call->args[0] & CSIGNAL),
        .stack = call->args[1],
        .parent_tid = call->args[2],
        .pidfd = call->args[2],
        .child_tid = call->args[HAL_CLONE_CHILD_TID],
        .tls = call->args[HAL_CLONE_TLS],
    };
    return clone(call, &request);
}

// struct clone_args, version 2.
struct clone_args_user {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_bytes, tls;
    uint64_t set_tid, set_tid_count, cgroup;
};
_Static_assert(sizeof(struct clone_args_user) == CLONE_ARGS_BYTES, "it crosses the ABI");

// Later versions of the struct are taken if what they add is zero.
static enum hx_status args_from_user(struct clone_args_user *args, struct uaddr from,
                                     uint64_t size) {
    const uint64_t known = MIN_OF(size, (uint64_t)sizeof(*args));
    enum hx_status status = copy_from_user(args, from, known);
    for (uint64_t at = known; status == HX_OK && at < size; at++) {
        uint8_t byte;
        status = copy_from_user(&byte, uaddr_add(from, at), 1);
        if (status == HX_OK && byte != 0) {
            status = HX_ERR_TOO_BIG;
        }
    }
    return status;
}

enum hx_status sys_clone3(struct call *call) {
    struct clone_args_user args = { 0 };
    const uint64_t size = call->args[1];
    if (size > PAGE_SIZE) {
        return HX_ERR_TOO_BIG;
    }
    if (size < CLONE_ARGS_BYTES_0) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status = args_from_user(&args, call_address(call, 0), size);
    if (status != HX_OK) {
        return status;
    }
    const uint64_t unknown = ~(UINT64_C(0xffffffff) | CLONE_CLEAR_SIGHAND);
    if ((args.flags & (unknown | CLONE_DETACHED | CSIGNAL)) != 0 || args.set_tid_count != 0 ||
        args.set_tid != 0 || args.exit_signal > POSIX_SIGNALS ||
        ((args.flags & (CLONE_THREAD | CLONE_PARENT)) && args.exit_signal != 0) ||
        (args.stack == 0) != (args.stack_bytes == 0)) {
        return HX_ERR_INVALID;
    }
    const struct clone_request request = {
        .flags = args.flags,
        .exit_signal = (int32_t)args.exit_signal,
        .stack = args.stack + args.stack_bytes,
        .parent_tid = args.parent_tid,
        .pidfd = args.pidfd,
        .child_tid = args.child_tid,
        .tls = args.tls,
    };
    return clone(call, &request);
}
