// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/syscall_numbers.h>: the system calls of riscv64: Linux's generic ones, and one of its
// own (Linux 6.1, arch/riscv/include/uapi/asm/unistd.h).
#pragma once

#include <hal/linux_generic.h>

// Which arguments of clone() these two are (CONFIG_CLONE_BACKWARDS).
#define HAL_CLONE_CHILD_TID 4u
#define HAL_CLONE_TLS       3u

#define HAL_SYSCALL_MAX      LINUX_GENERIC_CALL_MAX
#define HAL_SYSCALL_TABLE(X) LINUX_GENERIC_CALLS(X) X(riscv_flush_icache, 259)
