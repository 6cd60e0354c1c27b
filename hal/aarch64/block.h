// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/block.h: offsets in struct cpu_block for assembly; smp.c asserts them.
#pragma once

#define BLOCK_CURRENT   8
#define BLOCK_EMERGENCY 24
#define BLOCK_SCRATCH   32
#define BLOCK_GUARD     64  // stack pointer, way back, frame pointer
#define BLOCK_ENTERED   128 // by number of the gate, 8 bytes each
#define BLOCK_LEFT      640

// In struct hal_context and struct hal_gate.
#define CONTEXT_GATES 8
#define GATE_NUMBER   0
#define GATE_CLOSED   4
