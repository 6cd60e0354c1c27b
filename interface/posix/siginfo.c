// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/siginfo.c: struct siginfo as programs see it (<asm-generic/siginfo.h>).
//
//   0 int signo, 4 int errno, 8 int code; from 16 on a union by the kind of signal:
//     kill     16 pid, 20 uid
//     sigqueue 16 pid, 20 uid, 24 value
//     timer    16 timer id, 20 overrun, 24 value
//     SIGCHLD  16 pid, 20 uid, 24 status, 32 user ticks, 40 system ticks
//     fault    16 address
//     file     16 band, 24 descriptor
#include "signals.h"

#include <lib/string.h>

static void put32(uint8_t *bytes, size_t at, uint32_t value) {
    memcpy(bytes + at, &value, sizeof(value));
}

static void put64(uint8_t *bytes, size_t at, uint64_t value) {
    memcpy(bytes + at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *bytes, size_t at) {
    uint32_t value;
    memcpy(&value, bytes + at, sizeof(value));
    return value;
}

static uint64_t get64(const uint8_t *bytes, size_t at) {
    uint64_t value;
    memcpy(&value, bytes + at, sizeof(value));
    return value;
}

bool siginfo_is_fault(const struct posix_siginfo *info) {
    const bool is_signal = info->number >= 1 && info->number <= (int32_t)POSIX_SIGNALS;
    return is_signal && info->code > 0 && info->code != SI_KERNEL &&
           (SIGNAL_BIT(info->number) & SIGNALS_SYNCHRONOUS) != 0;
}

void siginfo_encode(const struct posix_siginfo *info, uint8_t out_bytes[HAL_SIGINFO_BYTES]) {
    memset(out_bytes, 0, HAL_SIGINFO_BYTES);
    put32(out_bytes, 0, (uint32_t)info->number);
    put32(out_bytes, 4, (uint32_t)info->error);
    put32(out_bytes, 8, (uint32_t)info->code);
    if (siginfo_is_fault(info)) {
        put64(out_bytes, 16, info->address);
        return;
    }
    if (info->band != 0) {
        put64(out_bytes, 16, (uint64_t)info->band);
        put32(out_bytes, 24, (uint32_t)info->status);
        return;
    }
    put32(out_bytes, 16, (uint32_t)info->pid);
    put32(out_bytes, 20, info->uid);
    if (info->number == SIGCHLD && info->code > 0) {
        put32(out_bytes, 24, (uint32_t)info->status);
        put64(out_bytes, 32, (uint64_t)info->user_ticks);
        put64(out_bytes, 40, (uint64_t)info->system_ticks);
    } else {
        put64(out_bytes, 24, info->value);
    }
}

void siginfo_decode(const uint8_t bytes[HAL_SIGINFO_BYTES], struct posix_siginfo *out_info) {
    *out_info = (struct posix_siginfo){
        .number = (int32_t)get32(bytes, 0),
        .error = (int32_t)get32(bytes, 4),
        .code = (int32_t)get32(bytes, 8),
    };
    if (siginfo_is_fault(out_info)) {
        out_info->address = get64(bytes, 16);
        return;
    }
    out_info->pid = (int32_t)get32(bytes, 16);
    out_info->uid = get32(bytes, 20);
    if (out_info->number == SIGCHLD && out_info->code > 0) {
        out_info->status = (int32_t)get32(bytes, 24);
        out_info->user_ticks = (int64_t)get64(bytes, 32);
        out_info->system_ticks = (int64_t)get64(bytes, 40);
    } else {
        out_info->value = get64(bytes, 24);
    }
}

struct posix_siginfo siginfo_user(int32_t number, int32_t code) {
    struct posix_process *process = posix_current();
    return (struct posix_siginfo){
        .number = number,
        .code = code,
        .pid = process->pid,
        .uid = atomic_load_explicit(&process->uid, memory_order_relaxed),
    };
}
