// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/gs.h: offsets in struct cpu_block for assembly; asserted in tables.c.
#pragma once

#define GS_SCRATCH 32
#define GS_STACK   64 // tss.rsp[0]
