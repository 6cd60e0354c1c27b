// SPDX-License-Identifier: MIT OR Apache-2.0
// syscall_arch.h, in front of musl's, which has the vDSO's clock of riscv64 in a comment (and the
// wrong version for it).
#include_next "syscall_arch.h"

#define VDSO_CGT_SYM "__vdso_clock_gettime"
#define VDSO_CGT_VER "LINUX_4.15"
