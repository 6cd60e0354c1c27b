// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/exit.c: the end of threads and processes.
//
// A process ends with its last thread. Its status is decided by the first exit_group, fatal signal,
// or else by the exit of its first thread. To end all of it, every thread gets THREAD_KILL and
// exits at its next stop point; waits that a kill ends return at once.
#include "futex.h"
#include "life.h"
#include "pids.h"
#include "signals.h"
#include "times.h"
#include "usage.h"
#include "vdso.h"

#include <core/log.h>
#include <execution/handles.h>
#include <memory/usercopy.h>

bool group_exit_begin_locked(struct posix_process *process, int32_t status) {
    struct process *native = process->process;
    if (process->group_exiting) {
        return false;
    }
    process->group_exiting = true;
    process->exit_status = status;
    spin_lock(&native->thread_lock);
    list_for_each (link, &native->threads) {
        thread_notify(&LIST_ENTRY(link, struct user_thread, process_link)->thread, THREAD_KILL);
    }
    spin_unlock(&native->thread_lock);
    return true;
}

bool group_exit_begin(struct posix_process *process, int32_t status) {
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const bool is_first = group_exit_begin_locked(process, status);
    spin_unlock_irq(&process->signal_lock, irq);
    return is_first;
}

static void kill_others_locked(struct posix_thread *thread) {
    struct process *native = thread->process->process;
    spin_lock(&native->thread_lock);
    list_for_each (link, &native->threads) {
        struct user_thread *other = LIST_ENTRY(link, struct user_thread, process_link);
        if (other != thread->native) {
            thread_notify(&other->thread, THREAD_KILL);
        }
    }
    spin_unlock(&native->thread_lock);
}

enum hx_status exit_other_threads(struct posix_thread *thread) {
    struct posix_process *process = thread->process;
    struct process *native = process->process;
    unsigned long irq = spin_lock_irq(&process->signal_lock);
    if (process->group_exiting || process->exec_thread != NULL) {
        spin_unlock_irq(&process->signal_lock, irq);
        return HX_ERR_WOULD_BLOCK; // it will not see this
    }
    process->exec_thread = thread; // from here on no thread can be added
    kill_others_locked(thread);
    spin_unlock_irq(&process->signal_lock, irq);
    enum hx_status status = HX_OK;
    for (;;) {
        const uint32_t sequence = waitable_sequence(&native->threads_changed);
        irq = spin_lock_irq(&native->thread_lock);
        const bool is_alone = process_thread_count(native) == 1;
        spin_unlock_irq(&native->thread_lock, irq);
        if (is_alone) {
            break;
        }
        status = wait_change(&native->threads_changed, sequence, TIME_NEVER, WAIT_KILLABLE);
        if (status != HX_OK) {
            status = HX_ERR_WOULD_BLOCK; // killed itself
            break;
        }
    }
    irq = spin_lock_irq(&process->signal_lock);
    process->exec_thread = NULL;
    spin_unlock_irq(&process->signal_lock, irq);
    return status;
}

void thread_release_memory(struct posix_thread *thread, bool ends) {
    struct posix_process *process = thread->process;
    const uint64_t address = thread->clear_child_tid;
    robust_list_exit(thread);
    futex_pi_exit(thread, ends);
    thread->clear_child_tid = 0;
    // Nobody can look at the word if nobody shares the memory.
    if (address != 0 && (process->aspace_shared || process_thread_count(process->process) > 1)) {
        const uint32_t zero = 0;
        if (copy_to_user(uaddr_make(address), &zero, sizeof(zero)) == HX_OK) {
            futex_wake_address(uaddr_make(address), 1);
        }
    }
}

// What a zombie does not need any more.
static void release_resources(struct posix_process *process) {
    process_timers_end(process);
    mutex_lock(&process->process->lock);
    struct file_table *files = process->files;
    struct fs_context *fs = process->fs;
    struct file *executable = process->executable;
    process->files = NULL;
    process->fs = NULL;
    process->executable = NULL;
    mutex_unlock(&process->process->lock);
    file_table_put(files);
    object_put(&fs->object);
    executable_put(executable);
    const bool had_handles = handles_end(process->process);
    vdso_pid_forget(process);
    struct aspace *aspace = process_replace_aspace(process->process, NULL);
    usage_leave_aspace(process, aspace);
    thread_set_aspace(NULL);
    aspace_put(aspace);
    oom_memory_given_back(process, had_handles);
}

static void process_end(struct posix_process *process) {
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    process->group_exiting = true; // no more signals
    spin_unlock_irq(&process->signal_lock, irq);
    if (process->pid == 1) {
        panic("Attempted to kill init! exitcode=0x%08x", (unsigned)process->exit_status);
    }
    release_resources(process);
    waitable_update(&process->vfork_done, 0, WAIT_SIGNALED);
    if (process->session_leader) {
        job_session_end(process);
    }
    tree_exit(process);
}

void posix_thread_exit(struct posix_thread *thread, int32_t status) {
    struct posix_process *process = thread->process;
    struct pid_space *space = process->process->ns->pids;
    if (signal_thread_leaves(thread)) { // who joins it finds that it takes no more signals
        tree_report_stop(process);
    }
    thread_release_memory(thread, true);
    sem_undos_leave(thread);
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    if (thread->tid == process->pid && !process->group_exiting) {
        process->exit_status = status;
    }
    spin_unlock_irq(&process->signal_lock, irq);
    pid_set_thread(space, thread->tid, NULL);
    atomic_fetch_sub_explicit(&space->threads, 1, memory_order_relaxed);
    posix_thread_uncount(thread);
    if (user_thread_leave(thread->native)) {
        process_end(process);
    }
    thread_exit();
}

static int32_t exit_status_of(const struct call *call) {
    return (int32_t)((call_uint(call, 0) & 0xff) << 8);
}

enum hx_status sys_exit(struct call *call) {
    posix_thread_exit(call->thread, exit_status_of(call));
}

enum hx_status sys_exit_group(struct call *call) {
    (void)group_exit_begin(call->process, exit_status_of(call));
    posix_thread_exit(call->thread, 0);
}
