// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/start.h: offsets in struct start (smp.c) for start.S.
#pragma once

#define START_SATP  0
#define START_STACK 8
#define START_ENTER 16
#define START_SELF  24
#define START_HIGH  32
