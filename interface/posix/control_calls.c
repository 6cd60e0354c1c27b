// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/control_calls.c: a process's own switches: prctl, arch_prctl, personality.
#include "life.h"
#include "pids.h"
#include "signals.h"

#include <core/trace.h>
#include <hal/context.h>
#include <hal/user_abi.h>
#include <lib/string.h>
#include <memory/usercopy.h>

#define PR_SET_PDEATHSIG       1
#define PR_GET_PDEATHSIG       2
#define PR_GET_DUMPABLE        3
#define PR_SET_DUMPABLE        4
#define PR_GET_KEEPCAPS        7
#define PR_SET_NAME            15
#define PR_GET_NAME            16
#define PR_CAPBSET_READ        23
#define PR_CAPBSET_DROP        24
#define PR_SET_TIMERSLACK      29
#define PR_GET_TIMERSLACK      30
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37
#define PR_GET_SECUREBITS      27
#define PR_SET_NO_NEW_PRIVS    38
#define PR_GET_NO_NEW_PRIVS    39

#define CAPABILITY_LAST    40u
#define CAPABILITY_SETPCAP 8u
#define TIMER_SLACK_NS     50000

#define PERSONALITY_QUERY 0xffffffffu
#define PERSONALITY_MASK  0x00ffu // the execution domain; only Linux's own is there

static enum hx_status set_death_signal(struct call *call) {
    const uint64_t number = call->args[1];
    if (number > POSIX_SIGNALS) {
        return HX_ERR_INVALID;
    }
    atomic_store_explicit(&call->process->parent_death_signal, (int32_t)number,
                          memory_order_relaxed);
    return HX_OK;
}

static enum hx_status set_name(struct call *call) {
    struct thread *thread = &call->thread->native->thread;
    char name[THREAD_NAME_BYTES];
    size_t length;
    const enum hx_status status =
        copy_string_from_user(name, call_address(call, 1), sizeof(name), &length);
    if (status == HX_ERR_BAD_ADDRESS) {
        return status;
    }
    name[THREAD_NAME_BYTES - 1] = '\0'; // a longer one is cut
    memcpy(thread->name, name, strlen(name) + 1);
    if (call->thread->tid == call->process->pid) {
        memcpy(call->process->command, thread->name, sizeof(call->process->command));
    }
    trace_name(thread);
    return HX_OK;
}

static enum hx_status put_int(struct call *call, int32_t value) {
    return copy_to_user(call_address(call, 1), &value, sizeof(value));
}

static enum hx_status bounding_drop(struct call *call) {
    if (call->args[1] > CAPABILITY_LAST) {
        return HX_ERR_INVALID;
    }
    if (!posix_capable(CAPABILITY_SETPCAP)) {
        return HX_ERR_NOT_PERMITTED;
    }
    struct credentials *old = posix_credentials(call->process);
    struct credentials *fresh = credentials_copy(old);
    credentials_put(old);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    fresh->bounding &= ~(UINT64_C(1) << call->args[1]);
    posix_credentials_set(call->process, fresh, NULL);
    return HX_OK;
}

static enum hx_status bounding_read(struct call *call) {
    if (call->args[1] > CAPABILITY_LAST) {
        return HX_ERR_INVALID;
    }
    struct credentials *own = posix_credentials(call->process);
    call->result = (int64_t)((own->bounding >> call->args[1]) & 1);
    credentials_put(own);
    return HX_OK;
}

enum hx_status sys_prctl(struct call *call) {
    struct posix_process *process = call->process;
    const uint64_t value = call->args[1];
    switch (call_int(call, 0)) {
    case PR_SET_PDEATHSIG:
        return set_death_signal(call);
    case PR_GET_PDEATHSIG:
        return put_int(call,
                       atomic_load_explicit(&process->parent_death_signal, memory_order_relaxed));
    case PR_GET_DUMPABLE:
        return call_ok(call, process->dumpable);
    case PR_SET_DUMPABLE:
        if (value > 1) {
            return HX_ERR_INVALID;
        }
        process->dumpable = value != 0;
        return HX_OK;
    case PR_GET_KEEPCAPS:
        return HX_OK;
    case PR_SET_NAME:
        return set_name(call);
    case PR_GET_NAME:
        return copy_to_user(call_address(call, 1), call->thread->native->thread.name,
                            THREAD_NAME_BYTES);
    case PR_CAPBSET_READ:
        return bounding_read(call);
    case PR_CAPBSET_DROP:
        return bounding_drop(call);
    case PR_GET_SECUREBITS:
        return call_ok(call, 0); // nobody can set them
    case PR_SET_TIMERSLACK:
        return HX_OK; // timers are exact
    case PR_GET_TIMERSLACK:
        return call_ok(call, TIMER_SLACK_NS);
    case PR_SET_CHILD_SUBREAPER:
        process->subreaper = value != 0;
        return HX_OK;
    case PR_GET_CHILD_SUBREAPER:
        return put_int(call, process->subreaper);
    case PR_SET_NO_NEW_PRIVS:
        if (value != 1 || call->args[2] != 0 || call->args[3] != 0 || call->args[4] != 0) {
            return HX_ERR_INVALID;
        }
        process->no_new_privileges = true;
        return HX_OK;
    case PR_GET_NO_NEW_PRIVS:
        if ((value | call->args[2] | call->args[3] | call->args[4]) != 0) {
            return HX_ERR_INVALID;
        }
        return call_ok(call, process->no_new_privileges);
    default:
        return HX_ERR_INVALID; // PR_SET_VMA's names, too: as on a Linux without them
    }
}

// The registers are loaded while their thread runs; a switch between the two would lose the change.
enum hx_status sys_arch_prctl(struct call *call) {
    struct hal_tls tls;
    uint64_t value = 0;
    bool is_get = false;
    preempt_disable();
    hal_tls_save(&tls);
    const enum hx_status status =
        hal_thread_control(call->args[0], call->args[1], &tls, &value, &is_get);
    if (status == HX_OK && !is_get) {
        hal_tls_restore(&tls);
    }
    preempt_enable();
    return status == HX_OK && is_get ? copy_to_user(call_address(call, 1), &value, sizeof(value))
                                     : status;
}

// Known and absent.
enum hx_status sys_seccomp(struct call *call) {
    (void)call;
    return HX_ERR_NOT_SUPPORTED;
}

enum hx_status sys_personality(struct call *call) {
    struct posix_process *process = call->process;
    const uint32_t wanted = call_uint(call, 0);
    call->result = process->personality_flags;
    if (wanted == PERSONALITY_QUERY) {
        return HX_OK;
    }
    if (wanted & PERSONALITY_MASK) {
        return HX_ERR_INVALID;
    }
    process->personality_flags = wanted;
    return HX_OK;
}
