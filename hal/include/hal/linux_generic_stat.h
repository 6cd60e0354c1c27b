// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/linux_generic_stat.h>: what the machines share whose Linux has no history of its own, like
// <hal/linux_generic.h>: the layouts of Linux 6.1's include/uapi/asm-generic/stat.h and
// include/uapi/linux/eventpoll.h. For <hal_arch/linux_stat.h> alone.
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
