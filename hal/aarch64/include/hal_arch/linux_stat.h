// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/linux_stat.h>: what in Linux's file calls is laid out differently from machine to
// machine. Data layout only; interface/posix fills it.
//
// Linux 6.1: the generic layouts, and the open flags of arch/arm64/include/uapi/asm/fcntl.h.
#pragma once

#include <hal/linux_generic_stat.h>

// Open flags whose values the machines do not share.
#define HAL_SEM_TIME_WORDS 1u // from one time in struct semid64_ds to what follows
#define HAL_O_DIRECT       00200000u
#define HAL_O_LARGEFILE    00400000u
#define HAL_O_DIRECTORY    00040000u
#define HAL_O_NOFOLLOW     00100000u

// si_code of an undefined instruction and of a breakpoint.
#define HAL_SI_ILLEGAL    1 // ILL_ILLOPC
#define HAL_SI_BREAKPOINT 1 // TRAP_BRKPT

#define HAL_SIGACTION_WORDS 4u // with a restorer
