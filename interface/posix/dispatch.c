// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/dispatch.c: from the machine's entry to sys_NAME() and back to errno.
//
// The way of a call that succeeds is short on purpose: it is on every system call of every program.
// Everything else, errors included, is behind one branch.
#include "life.h"
#include "signals.h"

#include <core/log.h>
#include <core/trace.h>
#include <execution/native.h>

#define STATUS_LOWEST 137 // -HX_ERR_TOO_MANY_PASSED

static const call_function_t functions[HAL_SYSCALL_MAX + 1] = {
#define X(name, number) [number] = sys_##name,
    HAL_SYSCALL_TABLE(X)
#undef X
};

static const uint8_t errnos[STATUS_LOWEST + 1] = {
#define X(name, value, errno_value, text) [-(value)] = (errno_value),
    HX_STATUS_TABLE(X)
#undef X
};

static int32_t errno_of(const struct call *call, enum hx_status status) {
    if (call->errno_value != 0) {
        return call->errno_value;
    }
    const int32_t index = -(int32_t)status;
    if (index <= 0 || index > STATUS_LOWEST || errnos[index] == 0) {
        return EIO; // a status that nobody put into the table
    }
    return errnos[index];
}

// An interrupted call is decided at the stop point, which this makes sure to reach.
static void note_interruption(struct call *call, enum hx_status status) {
    struct posix_thread *thread = call->thread;
    switch (status) {
    case HX_ERR_RESTART:
    case HX_ERR_RESTART_BLOCK:
    case HX_ERR_INTERRUPTED:
        thread->restart_number = (int64_t)hal_frame_syscall_number(call->frame);
        thread->restart_status = status;
        thread_notify(&thread->native->thread, THREAD_SIGNAL);
        break;
    default:
        break;
    }
}

static void finish_error(struct call *call, enum hx_status status) {
    if (call->errno_value == CALL_FRAME_IS_SET) {
        return;
    }
    if (call->errno_value == 0) {
        note_interruption(call, status);
    }
    hal_frame_set_result(call->frame, -(int64_t)errno_of(call, status));
}

// Not one of Linux's: a native call, or nobody's.
static enum hx_status other_call(struct call *call) {
    struct posix_process *process = call->process;
    const uint64_t number = hal_frame_syscall_number(call->frame);
    if (number >= NATIVE_CALL_FIRST && native_call(call->frame)) {
        return call_frame_is_set(call);
    }
    trace(TRACE_SYSCALL_UNKNOWN, number, 0);
    if (!process->unknown_call_logged) {
        process->unknown_call_logged = true;
        log_info("%s[%d]: unknown system call %lu", process->command, process->pid,
                 (unsigned long)number);
    }
    return HX_ERR_NOT_SUPPORTED;
}

// No stack protector: the array is filled here with a constant number of words, and nobody gets its
// address but to read.
__attribute__((no_stack_protector)) static void posix_syscall(struct thread *thread,
                                                              struct hal_frame *frame) {
    const uint64_t number = hal_frame_syscall_number(frame);
    struct posix_thread *self = thread->personality;
    struct call call;
    call.frame = frame;
    call.thread = self;
    call.process = self->process;
    for (unsigned i = 0; i < ARRAY_SIZE(call.args); i++) {
        call.args[i] = hal_frame_argument(frame, i);
    }
    call.result = 0;
    call.errno_value = 0;
    call_function_t function = number <= HAL_SYSCALL_MAX ? functions[number] : NULL;
    const enum hx_status status = (function != NULL ? function : other_call)(&call);
    if (__builtin_expect(status != HX_OK, 0)) {
        finish_error(&call, status);
        return;
    }
    hal_frame_set_result(frame, call.result);
}

const struct thread_ops posix_thread_ops = {
    .syscall = posix_syscall,
    .fault = posix_fault,
    .copy_waits = oom_copy_waits,
    .stop_point = posix_stop_point,
};
