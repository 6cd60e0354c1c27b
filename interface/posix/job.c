// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/job.c: job control: groups, sessions, and what terminals ask about them.
#include "life.h"
#include "pids.h"
#include "signals.h"

#include <tty/tty.h>

// System calls -----------------------------------------------------------------------------------

// The target of a call by pid (0: the caller) under tree_lock, borrowed; NULL: there is none.
static struct posix_process *target_locked(struct pid_space *space, struct call *call,
                                           int32_t pid) {
    if (pid == 0) {
        return call->process;
    }
    const unsigned long irq = spin_lock_irq(&space->lock);
    // A process leaves the table only under tree_lock.
    struct posix_process *process = pid_process_locked(space, pid);
    spin_unlock_irq(&space->lock, irq);
    return process;
}

// May `process` move to group `id`? Gives the group, with a reference, new if it has to be.
static enum hx_status group_for(struct posix_process *process, int32_t id,
                                struct posix_group **out_group) {
    struct posix_session *session = process->group->session;
    struct posix_group *group = pid_group(session->space, id);
    if (group != NULL) {
        if (group->session != session) {
            return HX_ERR_NOT_PERMITTED;
        }
        object_get(&group->object);
    } else if (id != process->pid) {
        return HX_ERR_NOT_PERMITTED;
    } else {
        group = posix_group_create(session, id);
        if (group == NULL) {
            return HX_ERR_NO_MEMORY;
        }
    }
    *out_group = group;
    return HX_OK;
}

static enum hx_status setpgid_locked(struct pid_space *space, struct call *call, int32_t pid,
                                     int32_t id) {
    struct posix_process *process = target_locked(space, call, pid);
    if (process == NULL || process->zombie || process->group == NULL ||
        (process != call->process && process->parent != call->process)) {
        return HX_ERR_NO_PROCESS;
    }
    if (process != call->process) {
        if (process->group->session != call->process->group->session) {
            return HX_ERR_NOT_PERMITTED;
        }
        if (process->exec_done) {
            return HX_ERR_PERMISSION;
        }
    }
    if (process->session_leader) {
        return HX_ERR_NOT_PERMITTED;
    }
    struct posix_group *group;
    const enum hx_status status = group_for(process, id != 0 ? id : process->pid, &group);
    if (status == HX_OK) {
        if (group != process->group) {
            tree_set_group(process, group);
        }
        object_put(&group->object);
    }
    return status;
}

enum hx_status sys_setpgid(struct call *call) {
    struct pid_space *space = pids();
    const int32_t id = call_int(call, 1);
    if (id < 0) {
        return HX_ERR_INVALID;
    }
    mutex_lock(&space->tree_lock);
    const enum hx_status status = setpgid_locked(space, call, call_int(call, 0), id);
    mutex_unlock(&space->tree_lock);
    return status;
}

enum hx_status sys_setsid(struct call *call) {
    struct pid_space *space = pids();
    struct posix_process *process = call->process;
    enum hx_status status = HX_ERR_NOT_PERMITTED;
    mutex_lock(&space->tree_lock);
    if (!process->session_leader && pid_group(space, process->pid) == NULL) {
        status = HX_ERR_NO_MEMORY;
        struct posix_session *session = posix_session_create(space, process->pid);
        if (session != NULL) {
            struct posix_group *group = posix_group_create(session, process->pid);
            if (group != NULL) {
                tree_set_group(process, group);
                object_put(&group->object);
                process->session_leader = true;
                status = HX_OK;
            }
            object_put(&session->object);
        }
    }
    mutex_unlock(&space->tree_lock);
    call->result = process->pid;
    return status;
}

// Group (or session) of a process, as getpgid and getsid give it.
static enum hx_status get_kin(struct call *call, int32_t pid, bool wants_session) {
    struct pid_space *space = pids();
    enum hx_status status = HX_ERR_NO_PROCESS;
    mutex_lock(&space->tree_lock);
    const struct posix_process *process = target_locked(space, call, pid);
    if (process != NULL && process->group != NULL) {
        call->result = wants_session ? process->group->session->id : process->group->id;
        status = HX_OK;
    }
    mutex_unlock(&space->tree_lock);
    return status;
}

enum hx_status sys_getpgid(struct call *call) {
    return get_kin(call, call_int(call, 0), false);
}

enum hx_status sys_getpgrp(struct call *call) {
    return get_kin(call, 0, false);
}

enum hx_status sys_getsid(struct call *call) {
    return get_kin(call, call_int(call, 0), true);
}

enum hx_status sys_getppid(struct call *call) {
    struct pid_space *space = pids();
    mutex_lock(&space->tree_lock);
    const struct posix_process *parent = call->process->parent;
    call->result = parent != NULL ? parent->pid : 0;
    mutex_unlock(&space->tree_lock);
    return HX_OK;
}

enum hx_status sys_getpid(struct call *call) {
    call->result = call->process->pid;
    return HX_OK;
}

enum hx_status sys_gettid(struct call *call) {
    call->result = call->thread->tid;
    return HX_OK;
}

// What terminals ask -----------------------------------------------------------------------------

bool job_group_is_orphaned(struct posix_process *process) {
    struct pid_space *space = process->process->ns->pids;
    mutex_lock(&space->tree_lock);
    const bool is_orphaned = tree_group_is_orphaned(process->group, NULL);
    mutex_unlock(&space->tree_lock);
    return is_orphaned;
}

static int32_t session_of_caller(void) {
    struct posix_process *process = posix_current();
    struct posix_kinship kinship = { 0 };
    if (process != NULL) {
        posix_kinship(process, &kinship);
    }
    return kinship.session;
}

static int32_t group_of_caller(void) {
    struct posix_process *process = posix_current();
    struct posix_kinship kinship = { 0 };
    if (process != NULL) {
        posix_kinship(process, &kinship);
    }
    return kinship.group;
}

static bool caller_is_session_leader(void) {
    struct posix_process *process = posix_current();
    return process != NULL && process->session_leader;
}

static bool caller_ignores(int32_t number) {
    struct posix_thread *thread = posix_thread_current();
    if (thread == NULL) {
        return true; // the kernel itself
    }
    struct posix_process *process = thread->process;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const bool is_ignored = (thread->blocked & SIGNAL_BIT(number)) != 0 ||
                            signal_action_locked(process, number).handler == SIG_IGN;
    spin_unlock_irq(&process->signal_lock, irq);
    return is_ignored;
}

static bool caller_group_is_orphaned(void) {
    struct posix_process *process = posix_current();
    return process == NULL || job_group_is_orphaned(process);
}

static bool group_exists(int32_t group_id) {
    struct pid_space *space = pids();
    mutex_lock(&space->tree_lock);
    const bool exists = pid_group(space, group_id) != NULL;
    mutex_unlock(&space->tree_lock);
    return exists;
}

static bool group_in_session(int32_t group_id, int32_t session_id) {
    struct pid_space *space = pids();
    mutex_lock(&space->tree_lock);
    const struct posix_group *group = pid_group(space, group_id);
    const bool is_in = group != NULL && group->session->id == session_id;
    mutex_unlock(&space->tree_lock);
    return is_in;
}

// The number of a group that is gone is used again: a terminal means one of its own session, whose
// number is taken as long as that lives.
static void signal_group(int32_t session, int32_t group_id, int32_t number) {
    struct pid_space *space = pids();
    mutex_lock(&space->tree_lock);
    struct posix_group *group = pid_group(space, group_id);
    if (group != NULL && group->session->id == session) {
        list_for_each (link, &group->members) {
            struct posix_process *member = LIST_ENTRY(link, struct posix_process, group_link);
            if (!member->zombie) {
                posix_signal_process(member, number, NULL);
            }
        }
    }
    mutex_unlock(&space->tree_lock);
}

struct tty *posix_terminal(struct posix_process *process) {
    struct pid_space *space = process->process->ns->pids;
    mutex_lock(&space->tree_lock);
    struct tty *tty = process->group != NULL ? process->group->session->terminal : NULL;
    if (tty != NULL) {
        tty_get(tty);
    }
    mutex_unlock(&space->tree_lock);
    return tty;
}

static struct tty *controlling(void) {
    struct posix_process *process = posix_current();
    return process != NULL ? posix_terminal(process) : NULL;
}

static bool set_controlling(struct tty *tty) {
    struct posix_process *process = posix_current();
    struct pid_space *space = pids();
    bool is_set = false;
    mutex_lock(&space->tree_lock);
    if (process != NULL && process->group != NULL) {
        struct posix_session *session = process->group->session;
        is_set = session->terminal == NULL || session->terminal == tty;
        if (is_set && session->terminal == NULL) {
            session->terminal = tty_get(tty);
            session->lost_group = 0;
        }
    }
    mutex_unlock(&space->tree_lock);
    return is_set;
}

// The reference is the caller's then.
static bool session_drop_locked(struct posix_session *session, const struct tty *tty) {
    const bool has_it = session->terminal == tty;
    session->terminal = has_it ? NULL : session->terminal;
    return has_it;
}

static void drop_controlling(struct tty *tty) {
    struct posix_process *process = posix_current();
    struct pid_space *space = pids();
    mutex_lock(&space->tree_lock);
    const bool is_dropped = process != NULL && process->group != NULL &&
                            session_drop_locked(process->group->session, tty);
    mutex_unlock(&space->tree_lock);
    if (is_dropped) {
        tty_put(tty);
    }
}

// As __tty_hangup() of Linux has it: its leader is told, nobody else; the group in front when he
// has left.
static void tell_leader_locked(struct pid_space *space, int32_t id) {
    const unsigned long irq = spin_lock_irq(&space->lock);
    // A process leaves the table only under tree_lock.
    struct posix_process *leader = pid_process_locked(space, id);
    spin_unlock_irq(&space->lock, irq);
    if (leader != NULL && !leader->zombie) {
        posix_signal_process(leader, SIGHUP, NULL);
        posix_signal_process(leader, SIGCONT, NULL);
    }
}

static void session_lost(int32_t id, struct tty *tty, int32_t foreground) {
    struct pid_space *space = pids();
    mutex_lock(&space->tree_lock);
    struct posix_session *session = pid_session(space, id);
    const bool is_dropped = session != NULL && session_drop_locked(session, tty);
    if (is_dropped && foreground > 0) {
        session->lost_group = foreground;
        tell_leader_locked(space, id);
    }
    mutex_unlock(&space->tree_lock);
    if (is_dropped) {
        tty_put(tty);
    }
}

static void caller_owner(uint32_t *out_uid, uint32_t *out_gid) {
    struct posix_process *process = posix_current();
    *out_uid = 0;
    *out_gid = 0;
    if (process != NULL) {
        struct credentials *credentials = posix_credentials(process);
        *out_uid = credentials->fsuid;
        *out_gid = credentials->fsgid;
        credentials_put(credentials);
    }
}

static bool caller_is_privileged(void) {
    return posix_current() == NULL || posix_capable(CAPABILITY_SYS_ADMIN);
}

void job_session_end(struct posix_process *process) {
    struct pid_space *space = process->process->ns->pids;
    mutex_lock(&space->tree_lock);
    struct posix_session *session = process->group->session;
    struct tty *tty = session->terminal;
    session->terminal = NULL;
    const int32_t id = session->id;
    const int32_t lost_group = session->lost_group;
    session->lost_group = 0;
    mutex_unlock(&space->tree_lock);
    if (tty != NULL) {
        tty_session_end(tty, id); // signals the foreground group, so without the lock
        tty_put(tty);
    } else if (lost_group > 0) {
        signal_group(id, lost_group, SIGHUP);
        signal_group(id, lost_group, SIGCONT);
    }
}

void job_init(void) {
    static const struct tty_job_ops ops = {
        .session_of_caller = session_of_caller,
        .group_of_caller = group_of_caller,
        .caller_is_session_leader = caller_is_session_leader,
        .caller_ignores = caller_ignores,
        .caller_group_is_orphaned = caller_group_is_orphaned,
        .group_exists = group_exists,
        .group_in_session = group_in_session,
        .signal_group = signal_group,
        .controlling = controlling,
        .set_controlling = set_controlling,
        .drop_controlling = drop_controlling,
        .session_lost = session_lost,
        .caller_is_privileged = caller_is_privileged,
        .caller_owner = caller_owner,
    };
    tty_job_ops_set(&ops);
}
