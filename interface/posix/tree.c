// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/tree.c: parents and children, groups and sessions, and who is told of what.
//
// All of it is guarded by the pid space's tree_lock. A process is in its parent's list from its
// link until it is released: as a child, then as a zombie. A parent outlives its children's
// `parent` pointers, because its own exit gives them to somebody else first.
#include "life.h"
#include "pids.h"
#include "signals.h"
#include "times.h"
#include "usage.h"

#include <core/trace.h>
#include <memory/heap.h>

// Groups and sessions ----------------------------------------------------------------------------

static void session_destroy(struct object *object) {
    struct posix_session *session = CONTAINER_OF(object, struct posix_session, object);
    pid_set_session(session->space, session->id, NULL);
    heap_free(session);
}

static void group_destroy(struct object *object) {
    struct posix_group *group = CONTAINER_OF(object, struct posix_group, object);
    pid_set_group(group->session->space, group->id, NULL);
    object_put(&group->session->object);
    heap_free(group);
}

static const struct object_type session_type = {
    .kind = OBJECT_PROCESS,
    .name = "session",
    .destroy = session_destroy,
};
static const struct object_type group_type = {
    .kind = OBJECT_PROCESS,
    .name = "process group",
    .destroy = group_destroy,
};

struct posix_session *posix_session_create(struct pid_space *space, int32_t id) {
    struct posix_session *session = heap_alloc_zero(sizeof(*session), MEMORY_SLEEP);
    if (session != NULL) {
        object_init(&session->object, &session_type);
        session->space = space;
        session->id = id;
        pid_set_session(space, id, session);
    }
    return session;
}

struct posix_group *posix_group_create(struct posix_session *session, int32_t id) {
    struct posix_group *group = heap_alloc_zero(sizeof(*group), MEMORY_SLEEP);
    if (group != NULL) {
        object_init(&group->object, &group_type);
        object_get(&session->object);
        group->session = session;
        group->id = id;
        list_init(&group->members);
        pid_set_group(session->space, id, group);
    }
    return group;
}

void tree_set_group(struct posix_process *process, struct posix_group *group) {
    struct posix_group *old = process->group;
    list_remove(&process->group_link);
    process->group = group;
    if (group != NULL) {
        object_get(&group->object);
        list_push_back(&group->members, &process->group_link);
    }
    if (old != NULL) {
        object_put(&old->object);
    }
}

// A member whose parent is in the same session but another group keeps the group from being
// orphaned (POSIX.1-2017, 3.264). Process 1 is nobody's shell.
bool tree_group_is_orphaned(const struct posix_group *group, const struct posix_process *without) {
    list_for_each (link, &group->members) {
        struct posix_process *member = LIST_ENTRY(link, struct posix_process, group_link);
        struct posix_process *parent = member->parent;
        if (member == without || member->zombie || parent == NULL || parent->pid == 1) {
            continue;
        }
        if (parent->group != group && parent->group != NULL &&
            parent->group->session == group->session) {
            return false;
        }
    }
    return true;
}

static bool has_stopped_member(const struct posix_group *group) {
    list_for_each (link, &group->members) {
        if (LIST_ENTRY(link, struct posix_process, group_link)->stopping) {
            return true;
        }
    }
    return false;
}

static void signal_members(struct posix_group *group, int32_t number) {
    list_for_each (link, &group->members) {
        struct posix_process *member = LIST_ENTRY(link, struct posix_process, group_link);
        if (!member->zombie) {
            posix_signal_process(member, number, NULL);
        }
    }
}

// `process` loses `parent`, by its own end (then it does not count as a member) or the parent's.
static void hang_up_if_orphaned(struct posix_process *process, struct posix_process *parent,
                                bool is_ending) {
    struct posix_group *group = process->group;
    if (group == NULL || parent == NULL || parent->group == NULL || parent->group == group ||
        parent->group->session != group->session) {
        return;
    }
    if (has_stopped_member(group) && tree_group_is_orphaned(group, is_ending ? process : NULL)) {
        signal_members(group, SIGHUP);
        signal_members(group, SIGCONT);
    }
}

// Telling the parent -----------------------------------------------------------------------------

static struct posix_siginfo child_info(struct posix_process *process, int32_t code,
                                       int32_t status) {
    struct usage usage;
    process_usage(process, &usage);
    return (struct posix_siginfo){
        .number = SIGCHLD,
        .code = code,
        .pid = process->pid,
        .uid = atomic_load_explicit(&process->uid, memory_order_relaxed),
        .status = status,
        .user_ticks = usage.user_ns / NS_PER_TICK,
        .system_ticks = usage.system_ns / NS_PER_TICK,
    };
}

static struct posix_action action_of(struct posix_process *process, int32_t number) {
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const struct posix_action action = signal_action_locked(process, number);
    spin_unlock_irq(&process->signal_lock, irq);
    return action;
}

// Tells of an end. True if the parent does not want to wait for it.
static bool tell_of_exit(struct posix_process *process) {
    struct posix_process *parent = process->parent;
    bool is_unwanted = false;
    if (process->exit_signal != 0) {
        const struct posix_action action = action_of(parent, SIGCHLD);
        is_unwanted = process->exit_signal == SIGCHLD &&
                      (action.handler == SIG_IGN || (action.flags & SA_NOCLDWAIT));
        if (process->exit_signal != SIGCHLD || action.handler != SIG_IGN) {
            const int32_t status = process->exit_status;
            const bool is_killed = (status & 0x7f) != 0;
            const struct posix_siginfo info =
                child_info(process, is_killed ? CLD_KILLED : CLD_EXITED,
                           is_killed ? status & 0x7f : (status >> 8) & 0xff);
            posix_signal_process(parent, process->exit_signal, &info);
        }
    }
    waitable_pulse(&parent->children_changed);
    return is_unwanted;
}

static void tell_of_stop(struct posix_process *process, int32_t code, int32_t status) {
    struct posix_process *parent = process->parent;
    if (parent == NULL) {
        return;
    }
    const struct posix_action action = action_of(parent, SIGCHLD);
    if (action.handler != SIG_IGN && (action.flags & SA_NOCLDSTOP) == 0) {
        const struct posix_siginfo info = child_info(process, code, status);
        posix_signal_process(parent, SIGCHLD, &info);
    }
    waitable_pulse(&parent->children_changed);
}

void tree_report_stop(struct posix_process *process) {
    struct pid_space *space = process->process->ns->pids;
    mutex_lock(&space->tree_lock);
    process->stop_report = true;
    process->continue_report = false;
    tell_of_stop(process, CLD_STOPPED, (int32_t)process->stop_signal);
    mutex_unlock(&space->tree_lock);
}

void tree_report_continue(struct posix_process *process) {
    struct pid_space *space = process->process->ns->pids;
    mutex_lock(&space->tree_lock);
    process->stop_report = false;
    process->continue_report = true;
    tell_of_stop(process, CLD_CONTINUED, SIGCONT);
    mutex_unlock(&space->tree_lock);
}

// Linking and leaving ----------------------------------------------------------------------------

void tree_link(struct pid_space *space, struct posix_process *child, struct posix_process *parent,
               struct posix_group *group) {
    child->parent = parent;
    if (parent != NULL) {
        list_push_back(&parent->children, &child->sibling_link);
    } else {
        space->init = child;
    }
    tree_set_group(child, group);
    posix_user_count(child->user);
    pid_set_process(space, child->pid, child);
}

void tree_release(struct posix_process *process) {
    struct pid_space *space = process->process->ns->pids;
    list_remove(&process->sibling_link);
    process->parent = NULL;
    tree_set_group(process, NULL);
    posix_user_uncount(process->user); // nothing of it runs that could change its user
    identity_end(process->identity);
    pid_set_process(space, process->pid, NULL);
}

// Who gets the children: the nearest ancestor that asked for it, else process 1.
static struct posix_process *reaper_of(struct pid_space *space, struct posix_process *process) {
    for (struct posix_process *parent = process->parent; parent != NULL; parent = parent->parent) {
        if (parent->subreaper) {
            return parent;
        }
    }
    return space->init;
}

// Gives the children away. Zombies that nobody will wait for end up in `released`.
static void give_children_away(struct pid_space *space, struct posix_process *process,
                               struct list *released) {
    struct posix_process *reaper = reaper_of(space, process);
    list_for_each_safe (link, &process->children) {
        struct posix_process *child = LIST_ENTRY(link, struct posix_process, sibling_link);
        list_remove(&child->sibling_link);
        list_push_back(&reaper->children, &child->sibling_link);
        child->parent = reaper;
        child->exit_signal = SIGCHLD;
        const int32_t number =
            atomic_load_explicit(&child->parent_death_signal, memory_order_relaxed);
        if (number != 0 && !child->zombie) {
            posix_signal_process(child, number, NULL);
        }
        if (child->zombie && tell_of_exit(child)) {
            tree_release(child);
            list_push_back(released, &child->sibling_link);
        }
        hang_up_if_orphaned(child, process, false);
    }
}

void tree_exit(struct posix_process *process) {
    struct pid_space *space = process->process->ns->pids;
    struct list released = LIST_INIT(released);
    trace(TRACE_PROCESS_EXIT, (uint64_t)process->pid, (uint64_t)process->exit_status);
    mutex_lock(&space->tree_lock);
    give_children_away(space, process, &released);
    hang_up_if_orphaned(process, process->parent, true);
    process->zombie = true;
    waitable_update(&process->exited, 0, WAIT_SIGNALED | WAIT_HANGUP);
    waitable_update(&process->identity->ended, 0, WAIT_READABLE);
    if (tell_of_exit(process)) {
        tree_release(process);
        list_push_back(&released, &process->sibling_link);
    }
    mutex_unlock(&space->tree_lock);
    struct list *link;
    while ((link = list_pop_front(&released)) != NULL) {
        process_put(LIST_ENTRY(link, struct posix_process, sibling_link)->process);
    }
}

void posix_kinship(struct posix_process *process, struct posix_kinship *out_kinship) {
    struct pid_space *space = process->process->ns->pids;
    mutex_lock(&space->tree_lock);
    const struct posix_group *group = process->group;
    *out_kinship = (struct posix_kinship){
        .parent = process->parent != NULL ? process->parent->pid : 0,
        .group = group != NULL ? group->id : 0,
        .session = group != NULL ? group->session->id : 0,
        .zombie = process->zombie,
    };
    mutex_unlock(&space->tree_lock);
}
