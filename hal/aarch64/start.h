// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/start.h: offsets in struct start (smp.c) for start.S.
#pragma once

#define START_MAIR  0
#define START_TTBR0 16
#define START_STACK 32
#define START_SCTLR 48
