// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/linux_stat.h>: what in Linux's file calls is laid out differently from machine to
// machine. Data layout only; interface/posix fills it.
//
// Linux 6.1: include/uapi/asm-generic/stat.h, and the open flags of
// arch/arm64/include/uapi/asm/fcntl.h.
#pragma once

#include <stdint.h>

// struct stat of fstat() and its relatives.
struct linux_stat {
    uint64_t st_dev;
    uint64_t st_ino;
    uint32_t st_mode;
    uint32_t st_nlink;
    uint32_t st_uid;
    uint32_t st_gid;
    uint64_t st_rdev;
    uint64_t padding;
    int64_t st_size;
    int32_t st_blksize;
    int32_t padding2;
    int64_t st_blocks;
    int64_t st_atime_seconds;
    int64_t st_atime_ns;
    int64_t st_mtime_seconds;
    int64_t st_mtime_ns;
    int64_t st_ctime_seconds;
    int64_t st_ctime_ns;
    uint32_t unused[2];
};
_Static_assert(sizeof(struct linux_stat) == 128, "Linux's generic size");

// struct epoll_event.
struct linux_epoll_event {
    uint32_t events;
    uint32_t padding;
    uint64_t data;
};
_Static_assert(sizeof(struct linux_epoll_event) == 16, "Linux's generic size");

// Open flags whose values the machines do not share.
#define HAL_O_DIRECT    00200000u
#define HAL_O_LARGEFILE 00400000u
#define HAL_O_DIRECTORY 00040000u
#define HAL_O_NOFOLLOW  00100000u

// si_code of an undefined instruction and of a breakpoint.
#define HAL_SI_ILLEGAL    1 // ILL_ILLOPC
#define HAL_SI_BREAKPOINT 1 // TRAP_BRKPT
