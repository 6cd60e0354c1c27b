// SPDX-License-Identifier: MIT OR Apache-2.0
// file_numbers.h: numbers of Linux's ABI for the calls with paths and descriptors, as all machines
// share them (asm-generic); the others stand in <hal_arch/linux_stat.h>.
#pragma once

#include <hal/user_abi.h>

#define RW_COUNT_MAX 0x7ffff000u // MAX_RW_COUNT

#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR        0x200
#define AT_EACCESS          0x200
#define AT_SYMLINK_FOLLOW   0x400
#define AT_NO_AUTOMOUNT     0x800
#define AT_EMPTY_PATH       0x1000
#define AT_STATX_SYNC_TYPE  0x6000

#define O_ACCMODE     00000003u
#define O_WRONLY      00000001u
#define O_RDWR        00000002u
#define O_CREAT       00000100u
#define O_EXCL        00000200u
#define O_NOCTTY      00000400u
#define O_TRUNC       00001000u
#define O_APPEND      00002000u
#define O_NONBLOCK    00004000u
#define O_DSYNC       00010000u
#define O_ASYNC       00020000u
#define O_NOATIME     01000000u
#define O_CLOEXEC     02000000u
#define O_SYNC        04010000u
#define O_PATH        010000000u
#define O_TMPFILE_BIT 020000000u

#define LINUX_POLLIN     0x001u
#define LINUX_POLLPRI    0x002u
#define LINUX_POLLOUT    0x004u
#define LINUX_POLLERR    0x008u
#define LINUX_POLLHUP    0x010u
#define LINUX_POLLNVAL   0x020u
#define LINUX_POLLRDNORM 0x040u
#define LINUX_POLLRDBAND 0x080u
#define LINUX_POLLWRNORM 0x100u
#define LINUX_POLLWRBAND 0x200u
#define LINUX_POLLRDHUP  0x2000u
