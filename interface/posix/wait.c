// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/wait.c: wait4 and waitid.
//
// The parent's children_changed is pulsed with each end, stop and continuation of a child. A waiter
// notes its sequence, looks at the children under tree_lock, and waits for a change since.
#include "life.h"
#include "pidfd.h"
#include "pids.h"
#include "signals.h"
#include "times.h"
#include "usage.h"

#include <memory/usercopy.h>

#define WNOHANG    0x00000001u
#define WUNTRACED  0x00000002u
#define WSTOPPED   WUNTRACED
#define WEXITED    0x00000004u
#define WCONTINUED 0x00000008u
#define WNOWAIT    0x01000000u
#define WNOTHREAD  0x20000000u
#define WALL       0x40000000u
#define WCLONE     0x80000000u

#define P_ALL   0
#define P_PID   1
#define P_PGID  2
#define P_PIDFD 3

// Which children, and which of their changes.
struct wait_request {
    int32_t pid;   // one child; 0: any
    int32_t group; // those of one group; 0: any
    uint32_t options;
    struct posix_process *process; // keeps; one child, by a pidfd; NULL: any
    bool refuses;                  // HX_ERR_WOULD_BLOCK where another waits
};

// What was found.
struct wait_report {
    struct posix_process *process; // with a reference; NULL: nothing yet
    int32_t pid;
    uint32_t uid;
    int32_t status;     // wait's encoding
    struct usage usage; // its own, and its waited-for children's
};

static bool matches(const struct posix_process *child, const struct wait_request *request) {
    if ((request->pid != 0 && child->pid != request->pid) ||
        (request->process != NULL && child != request->process) ||
        (request->group != 0 && (child->group == NULL || child->group->id != request->group))) {
        return false;
    }
    const bool is_clone = child->exit_signal != SIGCHLD;
    return (request->options & WALL) != 0 || is_clone == ((request->options & WCLONE) != 0);
}

// Fills the report if the child has something to report that is asked for, and takes that note away
// unless WNOWAIT says not to. *out_is_gone: the child was released; its reference is the report's.
static bool child_reports(struct posix_process *child, const struct wait_request *request,
                          struct wait_report *report) {
    const bool is_taken = (request->options & WNOWAIT) == 0;
    if (child->zombie && (request->options & WEXITED)) {
        report->status = child->exit_status;
        return true;
    }
    if (child->zombie) {
        return false;
    }
    if (child->stop_report && (request->options & WSTOPPED)) {
        report->status = (int32_t)(child->stop_signal << 8 | 0x7f);
        child->stop_report = !is_taken;
        return true;
    }
    if (child->continue_report && (request->options & WCONTINUED)) {
        report->status = 0xffff;
        child->continue_report = !is_taken;
        return true;
    }
    return false;
}

static void fill_report(struct posix_process *parent, struct posix_process *child,
                        const struct wait_request *request, struct wait_report *report) {
    report->process = child;
    report->pid = child->pid;
    report->uid = atomic_load_explicit(&child->uid, memory_order_relaxed);
    process_usage(child, &report->usage);
    process_usage_resident(child, &report->usage);
    usage_add(&report->usage, &child->waited_for);
    if (!child->zombie || (request->options & WNOWAIT)) {
        process_get(child->process);
        return;
    }
    usage_add(&parent->waited_for, &report->usage);
    tree_release(child); // the pid space's reference is the report's now
}

// Looks once. HX_OK: see the report. HX_ERR_NO_CHILD: there is none that could ever match.
static enum hx_status look(struct posix_process *parent, const struct wait_request *request,
                           struct wait_report *report) {
    struct pid_space *space = pids();
    enum hx_status status = HX_ERR_NO_CHILD;
    mutex_lock(&space->tree_lock);
    list_for_each (link, &parent->children) {
        struct posix_process *child = LIST_ENTRY(link, struct posix_process, sibling_link);
        if (!matches(child, request)) {
            continue;
        }
        status = HX_OK;
        if (child_reports(child, request, report)) {
            fill_report(parent, child, request, report);
            break;
        }
    }
    mutex_unlock(&space->tree_lock);
    return status;
}

static enum hx_status wait_child(struct posix_process *parent, const struct wait_request *request,
                                 struct wait_report *report) {
    bool interrupted = false;
    for (;;) {
        const uint32_t sequence = waitable_sequence(&parent->children_changed);
        enum hx_status status = look(parent, request, report);
        if (status != HX_OK || report->process != NULL || (request->options & WNOHANG)) {
            return status;
        }
        if (interrupted) {
            return HX_ERR_RESTART;
        }
        // One more look after a signal: it may be the SIGCHLD of what is waited for.
        status = wait_change(&parent->children_changed, sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
        interrupted = status != HX_OK;
    }
}

enum hx_status sys_wait4(struct call *call) {
    const int32_t pid = call_int(call, 0);
    struct wait_request request = { .options = call_uint(call, 2) };
    struct wait_report report = { 0 };
    if (request.options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE)) {
        return HX_ERR_INVALID;
    }
    request.options |= WEXITED;
    if (pid == INT32_MIN) {
        return HX_ERR_NO_PROCESS;
    }
    if (pid > 0) {
        request.pid = pid;
    } else if (pid < -1) {
        request.group = -pid;
    } else if (pid == 0) {
        struct posix_kinship kinship;
        posix_kinship(call->process, &kinship);
        request.group = kinship.group;
    }
    enum hx_status status = wait_child(call->process, &request, &report);
    if (status != HX_OK || report.process == NULL) {
        return status;
    }
    process_put(report.process->process);
    if (call->args[1] != 0) {
        status = copy_to_user(call_address(call, 1), &report.status, sizeof(report.status));
    }
    if (status == HX_OK && call->args[3] != 0) {
        status = rusage_to_user(call_address(call, 3), &report.usage);
    }
    call->result = report.pid;
    return status;
}

static struct posix_siginfo waitid_info(const struct wait_report *report) {
    struct posix_siginfo info = { .number = SIGCHLD, .pid = report->pid, .uid = report->uid };
    const int32_t status = report->status;
    if (status == 0xffff) {
        info.code = CLD_CONTINUED;
        info.status = SIGCONT;
    } else if ((status & 0xff) == 0x7f) {
        info.code = CLD_STOPPED;
        info.status = (status >> 8) & 0xff;
    } else if ((status & 0x7f) != 0) {
        info.code = (status & 0x80) ? CLD_DUMPED : CLD_KILLED;
        info.status = status & 0x7f;
    } else {
        info.code = CLD_EXITED;
        info.status = (status >> 8) & 0xff;
    }
    return info;
}

// One child, by a pidfd; if that does not block, nor does this (pidfd_open(2), PIDFD_NONBLOCK).
static enum hx_status waitid_pidfd(struct call *call, int32_t fd, struct wait_request *request) {
    bool nonblock = false;
    if (fd < 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = pidfd_find(call, fd, HX_RIGHT_WAIT, &request->process, &nonblock);
    if (status == HX_ERR_NO_PROCESS) {
        status = HX_ERR_NO_CHILD; // any more
    }
    if (nonblock && (request->options & WNOHANG) == 0) {
        request->options |= WNOHANG;
        request->refuses = true;
    }
    return status;
}

static enum hx_status waitid_request(struct call *call, struct wait_request *request) {
    const int32_t id = call_int(call, 1);
    request->options = call_uint(call, 3);
    if ((request->options &
         ~(WNOHANG | WEXITED | WSTOPPED | WCONTINUED | WNOWAIT | WNOTHREAD | WALL | WCLONE)) != 0 ||
        (request->options & (WEXITED | WSTOPPED | WCONTINUED)) == 0) {
        return HX_ERR_INVALID;
    }
    switch (call_int(call, 0)) {
    case P_ALL:
        return HX_OK;
    case P_PID:
        request->pid = id;
        return id > 0 ? HX_OK : HX_ERR_INVALID;
    case P_PGID:
        request->group = id;
        if (id == 0) {
            struct posix_kinship kinship;
            posix_kinship(call->process, &kinship);
            request->group = kinship.group;
        }
        return id >= 0 ? HX_OK : HX_ERR_INVALID;
    case P_PIDFD:
        return waitid_pidfd(call, id, request);
    default:
        return HX_ERR_INVALID;
    }
}

enum hx_status sys_waitid(struct call *call) {
    struct wait_request request = { 0 };
    struct wait_report report = { 0 };
    enum hx_status status = waitid_request(call, &request);
    if (status == HX_OK) {
        status = wait_child(call->process, &request, &report);
    }
    if (request.process != NULL) {
        process_put(request.process->process);
    }
    if (status == HX_OK && report.process == NULL && request.refuses) {
        status = HX_ERR_WOULD_BLOCK;
    }
    uint8_t bytes[HAL_SIGINFO_BYTES] = { 0 }; // told of a refusal, too, as on Linux
    if (report.process != NULL) {
        process_put(report.process->process);
        const struct posix_siginfo info = waitid_info(&report);
        siginfo_encode(&info, bytes);
        if (call->args[4] != 0) {
            status = rusage_to_user(call_address(call, 4), &report.usage);
        }
        if (status != HX_OK) {
            return status;
        }
    }
    if (call->args[2] != 0 && copy_to_user(call_address(call, 2), bytes, sizeof(bytes)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return status;
}
