// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/kill.c: sending signals to others: kill, tkill, tgkill, and the queueing forms.
#include "life.h"
#include "pids.h"
#include "signals.h"

#include <lib/string.h>
#include <memory/usercopy.h>

static bool is_signal_or_probe(int32_t number) {
    return number >= 0 && number <= (int32_t)POSIX_SIGNALS;
}

enum hx_status signal_permission(struct posix_process *target, int32_t number) {
    struct posix_process *sender = posix_current();
    if (target == sender) {
        return HX_OK;
    }
    struct credentials *mine = posix_credentials(sender);
    struct credentials *its = posix_credentials(target);
    const bool is_allowed = mine->euid == its->suid || mine->euid == its->uid ||
                            mine->uid == its->suid || mine->uid == its->uid ||
                            credentials_capable(mine, CAPABILITY_KILL);
    credentials_put(mine);
    credentials_put(its);
    if (is_allowed) {
        return HX_OK;
    }
    if (number == SIGCONT) { // within a session it always may
        struct posix_kinship a;
        struct posix_kinship b;
        posix_kinship(sender, &a);
        posix_kinship(target, &b);
        if (a.session == b.session) {
            return HX_OK;
        }
    }
    return HX_ERR_NOT_PERMITTED;
}

static enum hx_status send_checked(struct posix_process *process, int32_t number,
                                   const struct posix_siginfo *info, bool must_queue) {
    const enum hx_status status = signal_permission(process, number);
    if (status != HX_OK || number == 0) {
        return status;
    }
    return signal_send(process, NULL, number, info, must_queue);
}

static enum hx_status kill_one(int32_t pid, int32_t number, const struct posix_siginfo *info,
                               bool must_queue) {
    struct posix_process *process = posix_process_find(pid);
    if (process == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    const enum hx_status status = send_checked(process, number, info, must_queue);
    process_put(process->process);
    return status;
}

// To all of a group: succeeds if one could be signalled. Permissions are looked at under tree_lock,
// so the rule for SIGCONT is applied here.
static enum hx_status kill_group(int32_t id, int32_t number, const struct posix_siginfo *info) {
    struct pid_space *space = pids();
    struct posix_process *sender = posix_current();
    enum hx_status status = HX_ERR_NO_PROCESS;
    mutex_lock(&space->tree_lock);
    struct posix_group *group = id == 0 ? sender->group : pid_group(space, id);
    if (group != NULL) {
        const bool is_session = group->session == sender->group->session;
        list_for_each (link, &group->members) {
            struct posix_process *member = LIST_ENTRY(link, struct posix_process, group_link);
            enum hx_status one = HX_OK;
            if (number != SIGCONT || !is_session) {
                one = signal_permission(member, number != SIGCONT ? number : 0);
            }
            if (one == HX_OK && number != 0 && !member->zombie) {
                posix_signal_process(member, number, info);
            }
            if (one == HX_OK || status == HX_ERR_NO_PROCESS) {
                status = one;
            }
        }
    }
    mutex_unlock(&space->tree_lock);
    return status;
}

// kill(-1): everybody but process 1 and the sender.
static enum hx_status kill_all(int32_t number, const struct posix_siginfo *info) {
    struct posix_process *sender = posix_current();
    enum hx_status status = HX_ERR_NO_PROCESS;
    struct posix_process *process;
    int32_t pid = 1;
    while ((process = posix_process_next(pid)) != NULL) {
        pid = process->pid;
        if (process != sender) {
            const enum hx_status one = send_checked(process, number, info, false);
            if (status != HX_OK) {
                status = one;
            }
        }
        process_put(process->process);
    }
    return status;
}

enum hx_status sys_kill(struct call *call) {
    const int32_t pid = call_int(call, 0);
    const int32_t number = call_int(call, 1);
    if (!is_signal_or_probe(number)) {
        return HX_ERR_INVALID;
    }
    if (pid == INT32_MIN) {
        return HX_ERR_NO_PROCESS;
    }
    const struct posix_siginfo info = siginfo_user(number, SI_USER);
    if (pid > 0) {
        return kill_one(pid, number, &info, false);
    }
    if (pid == -1) {
        return kill_all(number, &info);
    }
    return kill_group(-pid, number, &info);
}

// group 0: any process's thread.
static enum hx_status kill_thread(int32_t group, int32_t tid, int32_t number,
                                  const struct posix_siginfo *info, bool must_queue) {
    struct posix_thread *self = posix_thread_current();
    if (tid == self->tid && (group == 0 || group == self->process->pid)) { // raise()
        return number != 0 ? signal_send(self->process, self, number, info, must_queue) : HX_OK;
    }
    struct posix_thread *thread = posix_thread_find(tid);
    if (thread == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    struct posix_process *process = thread->process;
    enum hx_status status = HX_ERR_NO_PROCESS;
    if (group == 0 || process->pid == group) {
        status = signal_permission(process, number);
        if (status == HX_OK && number != 0) {
            status = signal_send(process, thread, number, info, must_queue);
        }
    }
    user_thread_put(thread->native);
    return status;
}

enum hx_status sys_tkill(struct call *call) {
    const int32_t tid = call_int(call, 0);
    const int32_t number = call_int(call, 1);
    if (tid <= 0 || !is_signal_or_probe(number)) {
        return HX_ERR_INVALID;
    }
    const struct posix_siginfo info = siginfo_user(number, SI_TKILL);
    return kill_thread(0, tid, number, &info, false);
}

enum hx_status sys_tgkill(struct call *call) {
    const int32_t group = call_int(call, 0);
    const int32_t tid = call_int(call, 1);
    const int32_t number = call_int(call, 2);
    if (group <= 0 || tid <= 0 || !is_signal_or_probe(number)) {
        return HX_ERR_INVALID;
    }
    const struct posix_siginfo info = siginfo_user(number, SI_TKILL);
    return kill_thread(group, tid, number, &info, number >= SIGNAL_REALTIME);
}

// A program's own siginfo: it may not pretend to be the kernel or kill(2), except to itself.
static enum hx_status info_from_user(struct uaddr from, int32_t number, int32_t pid,
                                     struct posix_siginfo *out_info) {
    uint8_t bytes[HAL_SIGINFO_BYTES];
    if (copy_from_user(bytes, from, sizeof(bytes)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    memcpy(bytes, &number, sizeof(number)); // whatever it says itself
    siginfo_decode(bytes, out_info);
    if ((out_info->code >= 0 || out_info->code == SI_TKILL) && pid != posix_current()->pid) {
        return HX_ERR_NOT_PERMITTED;
    }
    return HX_OK;
}

enum hx_status sys_rt_sigqueueinfo(struct call *call) {
    const int32_t pid = call_int(call, 0);
    const int32_t number = call_int(call, 1);
    struct posix_siginfo info;
    if (!is_signal_or_probe(number)) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status = info_from_user(call_address(call, 2), number, pid, &info);
    return status == HX_OK ? kill_one(pid, number, &info, true) : status;
}

enum hx_status sys_rt_tgsigqueueinfo(struct call *call) {
    const int32_t group = call_int(call, 0);
    const int32_t tid = call_int(call, 1);
    const int32_t number = call_int(call, 2);
    struct posix_siginfo info;
    if (group <= 0 || tid <= 0 || !is_signal_or_probe(number)) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status = info_from_user(call_address(call, 3), number, group, &info);
    return status == HX_OK ? kill_thread(group, tid, number, &info, true) : status;
}
