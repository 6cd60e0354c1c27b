// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/gs.h: offsets in struct cpu_block for assembly; asserted in tables.c.
#pragma once

#define GS_SCRATCH 32
#define GS_STACK   64 // tss.rsp[0]
#define GS_CURRENT 16
#define GS_ENTERED 256 // by number of the gate, 8 bytes each
#define GS_LEFT    768

#define GS_GUARD_SP 1280
#define GS_GUARD_FP 1288

// In struct hal_context and struct hal_gate.
#define CONTEXT_GATES 8
#define GATE_NUMBER   0
#define GATE_CLOSED   4
