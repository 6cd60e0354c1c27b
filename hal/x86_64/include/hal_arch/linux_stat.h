// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/linux_stat.h>: what in Linux's file calls is laid out differently from machine to
// machine. Data layout only; interface/posix fills it.
//
// x86_64: arch/x86/include/uapi/asm/stat.h; fcntl.h is the generic one.
#pragma once

#include <stdint.h>

// struct stat of fstat() and its relatives.
struct linux_stat {
    uint64_t st_dev;
    uint64_t st_ino;
    uint64_t st_nlink;
    uint32_t st_mode;
    uint32_t st_uid;
    uint32_t st_gid;
    uint32_t padding;
    uint64_t st_rdev;
    int64_t st_size;
    int64_t st_blksize;
    int64_t st_blocks;
    int64_t st_atime_seconds;
    int64_t st_atime_ns;
    int64_t st_mtime_seconds;
    int64_t st_mtime_ns;
    int64_t st_ctime_seconds;
    int64_t st_ctime_ns;
    int64_t unused[3];
};
_Static_assert(sizeof(struct linux_stat) == 144, "Linux's size on x86_64");

// struct epoll_event is packed on x86_64 only.
struct __attribute__((packed)) linux_epoll_event {
    uint32_t events;
    uint64_t data;
};
_Static_assert(sizeof(struct linux_epoll_event) == 12, "Linux's size on x86_64");

// Open flags whose values the machines do not share.
#define HAL_SEM_TIME_WORDS 2u // from one time in struct semid64_ds to what follows
#define HAL_O_DIRECT       00040000u
#define HAL_O_LARGEFILE    00100000u
#define HAL_O_DIRECTORY    00200000u
#define HAL_O_NOFOLLOW     00400000u

// si_code of an undefined instruction and of a breakpoint.
#define HAL_SI_ILLEGAL    2    // ILL_ILLOPN
#define HAL_SI_BREAKPOINT 0x80 // SI_KERNEL

#define HAL_SIGACTION_WORDS 4u // with a restorer
