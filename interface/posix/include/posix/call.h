// SPDX-License-Identifier: MIT OR Apache-2.0
// <posix/call.h>: how a Linux system call reaches its function.
//
// Each machine's HAL_SYSCALL_TABLE names its calls; call NAME is served by sys_NAME(), which is
// declared weak for every name in the table: a name without a function is an unknown call (ENOSYS,
// logged once per program). A function returns a status and puts its value into *out_result; the
// dispatcher turns a status into errno by the status table, or by call->errno_value where Linux
// has an exception to it.
#pragma once

#include <hal/trap.h>
#include <hal/user_abi.h>
#include <helix/types.h>

struct posix_process;
struct posix_thread;

struct call {
    struct hal_frame *frame;
    struct posix_thread *thread;
    struct posix_process *process;
    uint64_t args[6];
    int64_t result;      // what the program gets on HX_OK
    int32_t errno_value; // if not 0, what it gets instead of the status's default, on an error
};

typedef enum hx_status (*call_function_t)(struct call *call);

// An error that the status table cannot say. Always returns `status`.
static inline enum hx_status call_fail(struct call *call, enum hx_status status,
                                       int32_t errno_value) {
    call->errno_value = errno_value;
    return status;
}
static inline enum hx_status call_ok(struct call *call, int64_t result) {
    call->result = result;
    return HX_OK;
}

// The call set the frame itself (rt_sigreturn): no result is written.
#define CALL_FRAME_IS_SET INT32_MIN
static inline enum hx_status call_frame_is_set(struct call *call) {
    return call_fail(call, HX_ERR_CANCELED, CALL_FRAME_IS_SET);
}

// Argument `index` as the C type that Linux gives it: int and unsigned are cut to 32 bits.
static inline int32_t call_int(const struct call *call, uint32_t index) {
    return (int32_t)call->args[index];
}
static inline uint32_t call_uint(const struct call *call, uint32_t index) {
    return (uint32_t)call->args[index];
}
static inline struct uaddr call_address(const struct call *call, uint32_t index) {
    return uaddr_make(call->args[index]);
}

// Calls that not all machines have: the newer ones leave out what others do the same.
// clang-format off
#define CALLS_OF_SOME(X) \
    X(access) X(alarm) X(arch_prctl) X(chmod) X(chown) X(creat) X(dup2) X(epoll_create) \
    X(epoll_wait) X(eventfd) X(fork) X(futimesat) X(getdents) X(getpgrp) X(inotify_init) X(lchown) X(link) \
    X(lstat) X(mkdir) X(mknod) X(open) X(pause) X(pipe) X(poll) X(readlink) X(rename) X(rmdir) \
    X(riscv_flush_icache) X(select) X(signalfd) X(stat) X(symlink) X(time) X(unlink) X(utime) \
    X(utimes) X(vfork)
// clang-format on

#define X(name, ...) enum hx_status sys_##name(struct call *call) __attribute__((weak));
HAL_SYSCALL_TABLE(X)
CALLS_OF_SOME(X)
#undef X
